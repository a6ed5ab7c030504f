/* SPDX-License-Identifier: Apache-2.0 */
/*
 * model - the resource kinds and operations as tables.
 *
 * lib/model/kinds.def declares each field once, lib/model/operations.c each
 * operation once. Everything else walks these tables: storage, JSON, filter
 * language, OpenAPI, command line, validation of batches. Generic code uses
 * the tables; code about one kind names a field with F(vm, power_state).
 *
 * Ownership: all tables are static and immutable; rows and shapes live in the
 * arena they were made in. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/enums.h>
#include <polyvisor/id.h>

struct arena;
struct buf;
struct jsonw;
struct pv_err;

/* ------------------------------------------------------------------ kinds and fields */

enum model_type {
    MODEL_STR,      /* text, at most `max` bytes */
    MODEL_LIST,     /* at most `max` texts without newline; kept as "\na\nb\n", empty list as "" */
    MODEL_JSON,     /* JSON text, at most `max` bytes */
    MODEL_U64,      /* 0 .. 2^53, in `unit` */
    MODEL_BOOL,
    MODEL_ENUM,     /* number of a value of `enum_id` */
    MODEL_TIME,     /* Unix milliseconds */
    MODEL_REF,      /* an object of `ref` */
    MODEL_REFS,     /* a set of them */
};

enum model_unit { UNIT_NONE, UNIT_COUNT, UNIT_BYTES, UNIT_MHZ, UNIT_PCT, UNIT_MS, UNIT_S };

enum model_flag {
    MODEL_SEARCH = 1,       /* may stand in a filter */
    MODEL_SORT = 2,         /* may stand in sort= */
    MODEL_INDEX = 4,        /* has an index */
    MODEL_WORD = 8,         /* found by free words */
    MODEL_DETAIL = 16,      /* not in view=summary */
    MODEL_SECRET = 32,      /* never read out, never filtered */
    MODEL_COMPUTED = 64,    /* has no column; storage computes it when read */
};

struct model_field {
    const char *name;           /* C name, and the column's */
    const char *path;           /* in the API: "memory.bytes" */
    const char *doc;
    int16_t slot;               /* in a driver's record; -1: only the server writes it */
    uint16_t index;             /* place in kind->fields: F(kind, name) */
    enum model_type type;
    enum model_unit unit;       /* U64 */
    enum pv_enum_id enum_id;    /* ENUM */
    enum pv_kind ref;           /* REF, REFS */
    uint32_t max;               /* STR, JSON: bytes; LIST: items */
    uint32_t flags;
};

enum model_kind_flag {
    MODEL_SYNCED = 1,       /* drivers report it: has provider, native id, presence ... */
    MODEL_LOCAL = 2,        /* ours */
    MODEL_REPORTED = 4,     /* LOCAL, but drivers may send records that become new objects (event) */
    MODEL_MEMORY = 8,       /* never stored as rows (usage) */
};

struct model_alias {
    const char *alias, *path;
};

struct model_kind {
    enum pv_kind number;
    const char *name;           /* "resource_pool": in JSON, events, permissions */
    const char *plural;         /* "resource-pools": in URLs */
    const char *table;          /* "k_resource_pool": in the database */
    const char *prefix;         /* "rpl": of ids */
    enum pv_kind owner;         /* child kinds: vm; else NONE */
    const char *member;         /* child kinds: member name in the owner's JSON, or "" */
    const char *doc;
    uint32_t flags;
    int permission;             /* enum pv_permission needed to read it */
    const struct model_field *fields;
    size_t nfields;
    const struct model_alias *aliases; /* ended by alias == NULL */
};

/* Index of a field: F(vm, power_state). */
#define FIELD(kind, slot, name, path, type, detail, flags, doc) PV_F_##kind##_##name,
#define OWN(kind, name, path, type, detail, flags, doc) PV_F_##kind##_##name,
#define ALIAS(kind, alias, path)
#define RETIRED(kind, slot)
#define KIND(kind, number, plural, prefix, owner, member, flags, perm, doc) enum pv_fields_##kind {
#define END_KIND(kind) PV_F_##kind##__count };
#include "model/kinds.def"
#undef FIELD
#undef OWN
#undef ALIAS
#undef RETIRED
#undef KIND
#undef END_KIND
#define F(kind, name) PV_F_##kind##_##name

/* NULL for a number that is none. */
const struct model_kind *model_kind(enum pv_kind number);
/* In model order (referred-to kinds first); NULL after the last. */
const struct model_kind *model_kind_at(size_t i);
const struct model_kind *model_kind_by_name(const char *name);
const struct model_kind *model_kind_by_plural(const char *plural);
const struct model_kind *model_kind_by_prefix(const char *text, size_t len);
/* By API path or alias; NULL if there is none. `len` bytes of `path`. */
const struct model_field *model_field(const struct model_kind *kind, const char *path, size_t len);
const struct model_field *model_field_by_name(const struct model_kind *kind, const char *name);
/* By slot of the record; NULL if the kind has no such slot (a newer driver's). */
const struct model_field *model_field_by_slot(const struct model_kind *kind, unsigned slot);
/* The path that is spelt nearest to `path`, or NULL if none is near. */
const char *model_field_nearest(const struct model_kind *kind, const char *path, size_t len);
/* Text of an enum value; "unknown" form (value 0) for numbers that are none. */
const char *model_enum_text(enum pv_enum_id id, int64_t value);
size_t model_enum_count(enum pv_enum_id id);
/* -1 if the enum has no such value. */
int64_t model_enum_value(enum pv_enum_id id, const char *text, size_t len);
const char *model_enum_name(enum pv_enum_id id);

struct model_metric {
    const char *name;       /* "cpu.usage_pct" */
    const char *c_name;     /* "cpu_usage_pct" */
    enum model_unit unit;
    unsigned slot;
    const char *doc;
};
const struct model_metric *model_metrics(size_t *count);
/* "bytes", "percent"; "" of UNIT_NONE. */
const char *model_unit_text(enum model_unit unit);

/* What the families themselves call a field; NULL where one has no such thing. */
struct model_native {
    const char *hyperv, *vmware;
};
/* NULL: nothing is known. */
const struct model_native *model_native_of(enum pv_kind kind, const char *path);
/* The list itself: false past its end. */
bool model_native_at(size_t i, enum pv_kind *kind, const char **path);

/* "vm_01jd..." of any kind: the kind and the id. */
bool model_id_parse(const char *text, size_t len, const struct model_kind **kind, struct pv_id *id);
void model_id_text(enum pv_kind kind, const struct pv_id *id, char out[PV_ID_TEXT]);

/* ------------------------------------------------------------------ permissions and roles */

enum pv_permission {
#define PERM(name, text, reach, roles) PERM_##name,
#include "model/permissions.def"
#undef PERM
    PERM_COUNT,             /* at most 64 */
    PERM_EVENT_READ = 253,  /* what happens to objects: readable where the object is; any reading permission will do */
    PERM_PUBLIC = 254,      /* no sign-in needed */
};
const char *model_permission_text(int permission);
/* By its text; -1 if there is none. */
int model_permission(const char *text, size_t len);
/* Given by grants on everything alone. */
bool model_permission_global(int permission);
/* Has the built-in role this permission? ADMIN has all, NONE nothing but PERM_NONE. What a caller may is decided by
 * server/auth/access.h alone. */
bool model_role_may(enum pv_role role, int permission);

/* ------------------------------------------------------------------ rows */

struct model_ref {
    struct pv_id id;
    const char *name;       /* NULL when not asked for */
};

struct model_value {
    bool set;               /* false: null */
    int64_t number;         /* U64 BOOL ENUM TIME */
    struct pv_id id;        /* REF */
    const char *text;       /* STR LIST JSON; REF: the object's name when read. NUL-terminated, len bytes */
    size_t len;             /* REFS: number of refs */
    const struct model_ref *refs;   /* REFS, sorted by id */
};

/* What `provider` shows of the provider. */
struct model_provider {
    struct pv_id id;
    const char *name, *driver;
    enum pv_family family;
    bool simulated;
};

struct model_row {
    const struct model_kind *kind;
    struct pv_id id;
    struct model_value *values;             /* kind->nfields of them, by field index */
    const struct model_provider *provider;  /* when read and asked for */
    struct model_children *children;        /* when read and asked for: ended by kind == NULL */
};

struct model_children {
    const struct model_kind *kind;
    struct model_row *rows;
    size_t nrows;
};

struct model_row *model_row_new(struct arena *a, enum pv_kind kind);
void model_set_number(struct model_row *r, unsigned field, int64_t v);
/* Borrowed text. NULL: null. */
void model_set_text(struct model_row *r, unsigned field, const char *text);
void model_set_textn(struct model_row *r, unsigned field, const char *text, size_t len);
void model_set_ref(struct model_row *r, unsigned field, const struct pv_id *id);
void model_set_null(struct model_row *r, unsigned field);
static inline const struct model_value *model_get(const struct model_row *r, unsigned field)
{
    return &r->values[field];
}
/* 0 or "" when null. */
int64_t model_number(const struct model_row *r, unsigned field);
const char *model_text(const struct model_row *r, unsigned field);
bool model_value_equal(const struct model_field *f, const struct model_value *a,
                       const struct model_value *b);

/* ------------------------------------------------------------------ shapes and JSON */

/* What of a kind is wanted: made once per request from fields=, view= and expand=. */
struct model_shape {
    const struct model_kind *kind;
    uint16_t *fields;               /* field indexes in output order (relatives together) */
    size_t nfields;
    bool has_id;                    /* `id` and `kind` are shown */
    const struct model_shape *const *children;  /* embedded child kinds, ended by NULL */
    bool usage;                     /* `usage` was asked for */
    /* Writes a reference in another form (expand=) and says true, or false for the usual one; NULL: all as usual. */
    bool (*write_ref)(void *ctx, struct buf *out, const struct model_field *f, const struct pv_id *id);
    void *write_ref_ctx;
    const char **literal;           /* private to model_write_json */
};

/* Every field, no children. */
enum model_view { MODEL_VIEW_SUMMARY, MODEL_VIEW_FULL };
/* `fields`: comma-separated paths, prefixes ("guest", "disks") or NULL for the view's.
 * PV_EINVAL as problem unknown-field with the nearest name. Arena memory. */
int model_shape_make(const struct model_kind *kind, const char *fields, enum model_view view,
                     struct arena *a, const struct model_shape **out, struct pv_err *err);
bool model_shape_wants(const struct model_shape *s, unsigned field);
/* One object, as a member `key` (NULL: array element or top). */
void model_write_json(struct jsonw *w, const char *key, const struct model_shape *s,
                      const struct model_row *row);
/* One value of a field, as a member `key`. */
void model_write_value(struct jsonw *w, const char *key, const struct model_field *f,
                       const struct model_value *v);
/* The same for an object with further members of the caller's: members only, between jsonw_object and jsonw_end. */
void model_write_members(struct jsonw *w, const struct model_shape *s, const struct model_row *row);

/* ------------------------------------------------------------------ operations */

enum model_param_type { PARAM_TEXT, PARAM_INT, PARAM_BOOL, PARAM_ENUM, PARAM_ID, PARAM_LIST,
                        PARAM_OBJECT, PARAM_SECRET, PARAM_TIME, PARAM_JSON };

/* One member of a request body (operations and hand-written routes alike). Tables end with name == NULL. */
/* What a family has of the values of a parameter. */
struct model_has {
    enum pv_family family;          /* LOCAL ends the list */
    const char *words;              /* "none multi_writer" */
    const char *why;                /* of all others, as a sentence */
};

struct model_param {
    const char *name;
    enum model_param_type type;
    bool required;
    bool nullable;                  /* null is accepted (PATCH: removes) */
    int64_t min, max;               /* TEXT, LIST: length; INT: value; max 0 means 256 (TEXT), 2^53 (INT), 1000 (LIST) */
    enum pv_enum_id enum_id;        /* ENUM of the model ... */
    const char *const *choices;     /* ... or these words, ended by NULL */
    enum pv_kind ref;               /* ID: of this kind, NONE: any */
    const struct model_param *members; /* OBJECT; LIST: of objects. NULL: LIST of texts, OBJECT of anything */
    const char *needs;              /* capability it depends on */
    /* A family that has no such thing: asked for there, it is refused at once. LOCAL: every family has it. */
    enum pv_family lacks;
    const char *lacks_but;          /* ... but this value says what is so there anyway */
    const char *why;                /* ... and why, as a sentence */
    const struct model_has *has;    /* families that have some values only; others are refused at once. NULL: none */
    /* May be given only while the VM is off, unless the provider has this capability; "": always off. NULL: any time. */
    const char *off_unless;
    const char *hot_field;          /* ... and unless this field of the VM says false: "cpu.hot_add" */
    const char *preset;             /* what the server fills in when it is not given, as JSON text; NULL: nothing */
    bool subject;                   /* ID: the first of these that is given is the operation's subject */
    bool device_ids;                /* LIST of texts: ids of devices among them become native ids */
    bool one_way;                   /* a change of this cannot be taken back */
    bool inside;                    /* TEXT: a path below the subject's root, parts divided by slashes; "" is the root */
    bool own;                       /* kept by the server in the object's row, as the field of this name; no driver sees it */
    bool by_name;                   /* ID: name:<name> and native:<provider>:<id> will do, the API resolves them */
    const char *doc;
};

enum model_from {                   /* VM power states an operation starts from */
    FROM_OFF = 1, FROM_RUNNING = 2, FROM_PAUSED = 4, FROM_SUSPENDED = 8, FROM_UNKNOWN = 16,
    FROM_ANY = 31,
};

struct model_operation {
    const char *name;               /* "vm.start" */
    enum pv_kind kind;              /* of its subject */
    int permission;
    uint32_t from;                  /* states it works from; 0: does not look at the power state */
    uint32_t no_op;                 /* states in which there is nothing to do: succeeds, changed false */
    uint32_t from_force;            /* states it works from, too, with the parameter force */
    const char *off_unless;         /* as of a parameter: only while the VM is off, unless ... */
    bool template_too;              /* works on templates as well */
    enum pv_power_state target;     /* state after success, UNKNOWN: does not say */
    enum pv_activity activity;      /* shown while it runs */
    const char *capability;         /* NULL: its name */
    bool core;                      /* done by the server itself, not by the driver */
    bool own;                       /* core: of what is ours alone, so it never waits for the provider */
    const char *goal;               /* a yes-or-no field of the subject that it makes `goal_on`, or a number that it makes 0; NULL: none */
    bool goal_on;
    int64_t goal_value;             /* `goal` is an enum that it makes this; 0: it is no enum */
    const char *goal_is;            /* said where it is so already */
    const char *force_if;           /* a yes-or-no field of the subject: where it is yes the parameter force is needed ... */
    const char *force_why;          /* ... because of this */
    bool safe_to_repeat;            /* doing it twice is doing it once */
    const struct model_param *params; /* NULL: none */
    bool place;                     /* not about an object of `kind` but about a place: see model_param.subject */
    bool patch;                     /* done by PATCH of the object, too, when a member is not one of our own fields */
    bool sets;                      /* its parameters are fields of the subject, by path: what differs is known beforehand */
    bool abroad;                    /* its parameters may name objects of another provider of the family */
    const char *undo;               /* what takes it back, done to the object it made */
    const char *undo_params;        /* ... with these, as JSON text */
    bool live;                      /* no task: the driver answers within ten seconds, or 504 */
    bool streams;                   /* what it is about travels as a stream: the API has a form of its own for it */
    const char *result_schema;      /* live: name of the answer's schema in the API's description */
    const char *path;               /* NULL: /<plural>/{id}/actions/<verb> */
    const char *method;             /* NULL: POST */
    enum pv_kind result;            /* kind of object it makes */
    bool removes;                   /* the subject is gone afterwards */
    const char *takes_files;        /* its files are changed or gone afterwards: always (""), or if this parameter says delete */
    const char *takes_path;         /* parameter with a path in the subject that is changed or gone afterwards */
    bool loses;                     /* what that names, else what the operation is about, is gone for good */
    bool takes_base;                /* ... and the image below it is changed */
    const char *title;              /* menu text: "Start" */
    const char *doc;
};

/* Ended by name == NULL. */
extern const struct model_operation model_operations[];
const struct model_operation *model_operation(const char *name);
/* "start" of "vm.start", "snapshot.create" of "vm.snapshot.create". */
const char *model_operation_verb(const struct model_operation *op);

/* Check a JSON object (jansson) against a table: unknown member, wrong type, range, missing. On failure err has the
 * problem code and err->pointer "/params/name" (prefix given). */
struct json_t;
int model_params_check(const struct model_param *table, const struct json_t *body, const char *prefix,
                       struct pv_err *err);
/* Why `family` has no such thing as a parameter, or not this value; NULL: it has, or `v` (NULL: any value) says what is
 * so there anyway. */
const char *model_param_lacking(const struct model_param *p, enum pv_family family, const struct json_t *v);
/* The table as JSON Schema (object, additionalProperties false), as member `key`. */
void model_params_schema(struct jsonw *w, const char *key, const struct model_param *table);
