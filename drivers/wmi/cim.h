/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cim - objects of WMI: instances, references, method inputs and outputs.
 *
 * What classes, properties, methods and parameters there are comes from
 * schema/<namespace>.json; the build makes wmi_classes.inc of it. A property is
 * named by P(Class, Property), a parameter by A(Class, Method, Parameter), a
 * class by CIM(Class), a method by M(Class, Method). Each P and A has the C
 * type of its CIM type (struct cim_p_str, cim_p_uint ...), so a wrong name or
 * a wrong type does not compile:
 *
 *   struct cim_instance *s = cim_new(arena, CIM(Msvm_MemorySettingData));
 *   cim_set_str(s, P(Msvm_MemorySettingData, InstanceID), id);
 *   cim_set_uint(s, P(Msvm_MemorySettingData, VirtualQuantity), 4096);
 *   struct cim_instance *in = cim_call(arena, M(Msvm_VirtualSystemManagementService,
 *                                               ModifyResourceSettings));
 *   cim_add_emb(in, A(Msvm_VirtualSystemManagementService, ModifyResourceSettings,
 *                     ResourceSettings), s);
 *
 * Reading accepts NULL objects and absent values; a value whose text does not
 * fit its type counts as absent. Writing is sticky: what cannot be set (no
 * memory, number too big for uint16, property of another class) marks the
 * object as failed, and sending it then fails with PV_EINTERNAL/PV_ENOMEM.
 * Only what was set is sent: leaving out means "unchanged", so set 0, false
 * and "" explicitly where they are meant.
 *
 * Objects of a subclass answer for the superclass's properties (by name, if
 * the type is the same). Objects of classes not in the tables have a name and
 * `fields`, nothing else.
 *
 * Ownership: all of it is the arena's. Threads: as the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxml/tree.h>

struct arena;
struct buf;
struct cim_class;
struct cim_instance;
struct cim_ref;
struct pv_err;

enum cim_type {
    CIM_BOOL,
    CIM_UINT8,
    CIM_UINT16,
    CIM_UINT32,
    CIM_UINT64,
    CIM_SINT8,
    CIM_SINT16,
    CIM_SINT32,
    CIM_SINT64,
    CIM_REAL32,
    CIM_REAL64,
    CIM_STRING,
    CIM_CHAR16,
    CIM_DATETIME,
    CIM_REF, /* reference: an EPR in messages, an object path in text */
    CIM_EMBEDDED, /* a string that holds an instance as CIM-XML */
    CIM_OBJECT    /* an instance as elements */
};

/* One property of a class, or one parameter of a method. */
struct cim_prop {
    const char *name;
    const char *of; /* class a reference or embedded instance has; NULL: not said */
    const struct cim_class *cls;
    uint16_t slot; /* place in the class's list, which is sorted by name */
    uint8_t type;  /* enum cim_type */
    bool array, key, in, out;
};

enum cim_ns {
    CIM_NS_VIRTUALIZATION, /* root/virtualization/v2 */
    CIM_NS_CIMV2,          /* root/cimv2 */
    CIM_NS_MSCLUSTER,      /* root/mscluster */
    CIM_NS_STANDARDCIMV2,  /* root/standardcimv2 */
    CIM_NS_STORAGE,        /* root/microsoft/windows/storage */
    CIM_NS_COUNT
};
/* "root/virtualization/v2" ... */
const char *cim_ns_path(enum cim_ns ns);

/* A class; or, with `method` set, the parameters of one of its methods. */
struct cim_class {
    const char *name;
    const char *const *ancestors; /* names, nearest first, ended by NULL */
    const struct cim_prop *props; /* sorted by name */
    const struct cim_class *owner; /* of a method: its class */
    const char *const *order;      /* of a method: names of `in` parameters in the schema's order */
    uint16_t nprops;
    uint8_t ns; /* enum cim_ns */
    bool method;
    bool reads; /* a method that changes nothing: it may be asked again */
};

/* Distinct types, so that the compiler tells them apart. `id` is never NULL. */
struct cim_p_bool { const struct cim_prop *id; };
struct cim_p_uint { const struct cim_prop *id; };  /* uint8 ... uint64 */
struct cim_p_sint { const struct cim_prop *id; };  /* sint8 ... sint64 */
struct cim_p_real { const struct cim_prop *id; };
struct cim_p_str { const struct cim_prop *id; };   /* string, char16 */
struct cim_p_time { const struct cim_prop *id; };  /* datetime: a point in time or an interval */
struct cim_p_ref { const struct cim_prop *id; };
struct cim_p_emb { const struct cim_prop *id; };   /* string with CIM-XML */
struct cim_p_obj { const struct cim_prop *id; };
struct cim_p_bools { const struct cim_prop *id; };
struct cim_p_uints { const struct cim_prop *id; }; /* also uint8[] */
struct cim_p_sints { const struct cim_prop *id; };
struct cim_p_reals { const struct cim_prop *id; };
struct cim_p_strs { const struct cim_prop *id; };
struct cim_p_times { const struct cim_prop *id; };
struct cim_p_refs { const struct cim_prop *id; };
struct cim_p_embs { const struct cim_prop *id; };
struct cim_p_objs { const struct cim_prop *id; };

/* ------------------------------------------------------------------ references */

struct cim_key {
    const char *name;
    const char *value;         /* text of the key; NULL if it is a reference */
    const struct cim_ref *ref; /* key of an association */
};
#define CIM_KEYS_MAX 16

/* Names an instance: an end point reference in messages, an object path in texts. */
struct cim_ref {
    const char *ns;  /* "root/virtualization/v2", always with '/' */
    const char *cls; /* class name */
    const char *host; /* of a path that names one; else NULL */
    struct cim_key keys[CIM_KEYS_MAX];
    unsigned nkeys;
    bool failed; /* out of memory, or too many keys */
    struct arena *arena;
};

/* A reference without keys (a singleton) to a class; NULL: no memory. */
struct cim_ref *cim_ref_new(struct arena *a, const struct cim_class *cls);
/* One key more: cim_ref_add(r, P(Msvm_ComputerSystem, Name), guid). Value copied. */
void cim_ref_add(struct cim_ref *r, struct cim_p_str key, const char *value);
/* Of an instance, from its class's keys; NULL if one of them is absent, the class unknown, or no memory. An instance
 * that came with its EPR has that one. */
const struct cim_ref *cim_ref_of(struct arena *a, const struct cim_instance *o);
/* Value of a key (name without regard to case), NULL if there is none. */
const char *cim_ref_key(const struct cim_ref *r, const char *name);
/* Same class and keys, without regard to case; host and namespace text do not count. NULLs are never the same. */
bool cim_ref_same(const struct cim_ref *x, const struct cim_ref *y);
bool cim_ref_is(const struct cim_ref *r, const struct cim_class *cls);
/* \\HOST\root\virtualization\v2:Class.Key="value",Key2="..." with backslash and quote escaped; `host` may be NULL
 * (then \\. is left out: root/virtualization/v2:Class...). NULL: no memory. */
const char *cim_ref_path(struct arena *a, const struct cim_ref *r, const char *host);
/* Reads such a path in any of its usual forms (with or without host and namespace; Class=@; keys without quotes).
 * NULL: it is none. `ns` for paths without. */
const struct cim_ref *cim_ref_parse(struct arena *a, const char *path, enum cim_ns ns);

/* ------------------------------------------------------------------ instances */

struct cim_item {
    const char *text; /* NULL: a NULL in an array, or see below */
    const struct cim_ref *ref;
    const struct cim_instance *obj;
};

struct cim_value {
    bool there;      /* named by the answer, or set */
    uint32_t count;  /* 0: NULL, or an empty array */
    bool null;
    struct cim_item *items;
};

struct cim_instance {
    const struct cim_class *cls; /* NULL: not in the tables */
    const char *name;            /* of the class as the answer says it */
    struct cim_value *values;    /* cls->nprops of them; NULL without a class */
    const struct cim_ref *ref;   /* EPR that came with it, or NULL */
    struct arena *arena;
    bool failed;
};

/* A growing list in an arena. */
struct cim_list {
    struct cim_instance **items;
    size_t count, cap;
};

const struct cim_class *cim_class_find(enum cim_ns ns, const char *name); /* case ignored; NULL: not in the tables */
const struct cim_prop *cim_prop_find(const struct cim_class *cls, const char *name); /* case ignored */
/* The object's class is `cls` or below it. */
bool cim_is(const struct cim_instance *o, const struct cim_class *cls);

/* Empty instance, or the empty input of a method. NULL: no memory (all setters accept NULL). */
struct cim_instance *cim_new(struct arena *a, const struct cim_class *cls);
struct cim_instance *cim_call(struct arena *a, const struct cim_class *method);

/* ------------------------------------------------------------------ reading */

/* Any kind of P or A: there and not NULL. */
#define cim_has(o, p) (cim_count_of((o), (p).id) > 0)
/* Elements of an array (1 for a scalar that is there). */
#define cim_count(o, p) (cim_count_of((o), (p).id))
/* The answer named it, be it NULL: known to be empty, rather than not said. */
#define cim_known(o, p) (cim_known_of((o), (p).id))
unsigned cim_count_of(const struct cim_instance *o, const struct cim_prop *p);
bool cim_known_of(const struct cim_instance *o, const struct cim_prop *p);

bool cim_bool(const struct cim_instance *o, struct cim_p_bool p);               /* absent: false */
bool cim_get_bool(const struct cim_instance *o, struct cim_p_bool p, bool *out); /* absent: returns false */
uint64_t cim_uint(const struct cim_instance *o, struct cim_p_uint p);           /* absent: 0 */
bool cim_get_uint(const struct cim_instance *o, struct cim_p_uint p, uint64_t *out);
int64_t cim_sint(const struct cim_instance *o, struct cim_p_sint p);
bool cim_get_sint(const struct cim_instance *o, struct cim_p_sint p, int64_t *out);
bool cim_get_real(const struct cim_instance *o, struct cim_p_real p, double *out);
const char *cim_str(const struct cim_instance *o, struct cim_p_str p); /* absent: NULL */
/* A point in time in any of the forms, as ms since 1970 UTC. False: absent, an interval, or all-zero. */
bool cim_get_time(const struct cim_instance *o, struct cim_p_time p, int64_t *ms);
/* A length of time in any of the forms, in ms. */
bool cim_get_interval(const struct cim_instance *o, struct cim_p_time p, int64_t *ms);
const struct cim_ref *cim_get_ref(const struct cim_instance *o, struct cim_p_ref p);
const struct cim_instance *cim_get_obj(const struct cim_instance *o, struct cim_p_obj p);
/* The CIM-XML in a string, read. NULL: absent or no instance. `a`: where to. */
struct cim_instance *cim_get_emb(const struct cim_instance *o, struct cim_p_emb p, struct arena *a);

bool cim_uint_at(const struct cim_instance *o, struct cim_p_uints p, unsigned i, uint64_t *out);
const char *cim_str_at(const struct cim_instance *o, struct cim_p_strs p, unsigned i); /* NULL items stay NULL */
const struct cim_ref *cim_ref_at(const struct cim_instance *o, struct cim_p_refs p, unsigned i);
const struct cim_instance *cim_obj_at(const struct cim_instance *o, struct cim_p_objs p, unsigned i);
struct cim_instance *cim_emb_at(const struct cim_instance *o, struct cim_p_embs p, unsigned i, struct arena *a);
/* uint8[] (one element an octet, or base64 text): bytes in the arena; NULL: absent or no octets. */
const uint8_t *cim_octets(const struct cim_instance *o, struct cim_p_uints p, size_t *len, struct arena *a);
/* Text form of HostResource, Parent and other strings that hold an object path. NULL if it is none. */
const struct cim_ref *cim_str_path(const struct cim_instance *o, struct cim_p_str p, struct arena *a);
const struct cim_ref *cim_str_path_at(const struct cim_instance *o, struct cim_p_strs p, unsigned i, struct arena *a);

/* Of an answer of a method. PV_EIO-free: absent counts as 0 only if `there` says so. */
bool cim_return_value(const struct cim_instance *out, uint32_t *value);

/* ------------------------------------------------------------------ writing: texts are copied */

void cim_set_bool(struct cim_instance *o, struct cim_p_bool p, bool v);
void cim_set_uint(struct cim_instance *o, struct cim_p_uint p, uint64_t v);
void cim_set_sint(struct cim_instance *o, struct cim_p_sint p, int64_t v);
void cim_set_str(struct cim_instance *o, struct cim_p_str p, const char *v); /* NULL: as cim_set_null */
void cim_set_time(struct cim_instance *o, struct cim_p_time p, int64_t ms);
void cim_set_interval(struct cim_instance *o, struct cim_p_time p, int64_t ms);
void cim_set_ref(struct cim_instance *o, struct cim_p_ref p, const struct cim_ref *v);
void cim_set_emb(struct cim_instance *o, struct cim_p_emb p, const struct cim_instance *v);
/* Arrays: one element more. cim_set_empty first (or alone) for an array that is to become empty. */
void cim_add_str(struct cim_instance *o, struct cim_p_strs p, const char *v);
void cim_add_uint(struct cim_instance *o, struct cim_p_uints p, uint64_t v);
void cim_add_ref(struct cim_instance *o, struct cim_p_refs p, const struct cim_ref *v);
void cim_add_emb(struct cim_instance *o, struct cim_p_embs p, const struct cim_instance *v);
#define cim_set_null(o, p) (cim_set_null_of((o), (p).id))
#define cim_set_empty(o, p) (cim_set_empty_of((o), (p).id))
void cim_set_null_of(struct cim_instance *o, const struct cim_prop *p);
void cim_set_empty_of(struct cim_instance *o, const struct cim_prop *p);

/* ------------------------------------------------------------------ texts and trees */

/* CIM-XML: <INSTANCE CLASSNAME="..."> with what was set, TYPE and ARRAY as the schema says. */
int cim_put_xml(struct buf *out, const struct cim_instance *o, struct pv_err *err);
/* Reads such a text (also with PROPAGATED, QUALIFIER, <VALUE.NULL/>, DECLGROUP around). PV_EIO: it is none. */
int cim_parse_xml(struct arena *a, const char *text, enum cim_ns ns, struct cim_instance **out,
                  struct pv_err *err);
/* Reads an element of an answer: <p:Msvm_ComputerSystem> or <p:Method_OUTPUT>. `ns` from the element's namespace URI
 * if that says one. */
int cim_read(struct arena *a, const xmlNode *node, const struct cim_class *expected, enum cim_ns ns,
             struct cim_instance **out, struct pv_err *err);
/* Address and ReferenceParameters, inside `node` or inside an EndpointReference in it. NULL: there are none. */
const struct cim_ref *cim_read_ref(struct arena *a, const xmlNode *node);
int cim_list_add(struct cim_list *l, struct arena *a, struct cim_instance *o, struct pv_err *err);

/* ------------------------------------------------------------------ time */

/* Every form there is: 2026-11-21T10:15:30.5+01:00, 20261121101530.000000+060, and intervals P0DT0H30M0S,
 * 00000000003000.000000:000. */
bool cim_time_parse(const char *text, int64_t *ms);
bool cim_interval_parse(const char *text, int64_t *ms);
/* yyyymmddHHMMSS.mmmmmm+000 and ddddddddHHMMSS.mmmmmm:000; 26 bytes with NUL. */
void cim_time_print(int64_t ms, char out[26]);
void cim_interval_print(int64_t ms, char out[26]);

#include "wmi_classes.inc"
