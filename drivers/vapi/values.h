/* SPDX-License-Identifier: Apache-2.0 */
/*
 * values - reading what vSphere answers: references, scalars, property sets.
 *
 * Types are resolved by namespace (values carry two attributes called "type"
 * under prefixes that differ from server to server), unknown elements and
 * types are skipped, absent values are absent. Every function accepts NULL
 * for a node and then says "not there".
 *
 * Ownership: texts are the node's, valid as long as it is. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxml/tree.h>

/* A managed object reference. Ids of views are longer than those of things. */
struct moref {
    char type[48];
    char id[160];
};

/* <x type="HostSystem">host-9</x>: false if it is empty or too long. */
bool value_ref(const xmlNode *node, struct moref *out);
/* The id alone; NULL if there is none. */
const char *value_ref_id(const xmlNode *node);
/* Text of a node or of its child; NULL if it is not there or empty. */
const char *value_text(const xmlNode *node);
const char *value_field(const xmlNode *node, const char *name);
/* A whole number that is not negative; false otherwise. vSphere writes -1 for "no limit" and "no
 * sample". */
bool value_u64(const xmlNode *node, uint64_t *out);
bool value_field_u64(const xmlNode *node, const char *name, uint64_t *out);
bool value_field_bool(const xmlNode *node, const char *name, bool *out);
bool value_time(const xmlNode *node, int64_t *ms);
/* A dotted path of children: value_at(n, "backing.port.portgroupKey"). */
const xmlNode *value_at(const xmlNode *node, const char *path);
/* Names hold %2f %5c %25 for / \ %. Cut at cap. */
const char *value_name(const char *escaped, char *out, size_t cap);

/* ------------------------------------------------------------------ property sets */

#define PROPS_MAX 64

/* What is asked of one type of object. */
struct prop_table {
    const char *type;
    const char *const *paths; /* position in the list is the property's number */
    size_t count;
};

struct prop_values {
    const xmlNode *val[PROPS_MAX];
    bool known[PROPS_MAX]; /* named by the answer: a change to "no value" is known and has no val */
    size_t nknown;
    bool signed_out; /* a missingSet says NotAuthenticated */
    bool forbidden;  /* a missingSet says NoPermission */
};

/* The `propSet`s of an ObjectContent, or the `changeSet`s of an ObjectUpdate. */
void props_read(const struct prop_table *table, const xmlNode *object, struct prop_values *out);
