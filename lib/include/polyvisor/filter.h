/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter - the one filter language, from text to a tree.
 *
 *   expr  := and { "or" and }        and := unary { ["and"] unary }
 *   unary := ["-" | "not"] ( term | "(" expr ")" )
 *   term  := field op value | word
 *   op    := ":" (text: contains; list: has member; else equals) "=" (exact) "!=" "<" "<=" ">" ">=" "~" (wildcard * ?)
 *   value := bare | "quoted" | size (8GiB) | duration (7d) | time (2026-01-31, now-24h) | a..b | {a,b,c}
 *
 * Fields are API paths or aliases of the kind, of an embedded child kind
 * ("disks.capacity_bytes", any disk matches), or of what a reference points at
 * ("provider.family"). A reference compares with an id or a name; `:` and `~`
 * ignore case, `=` does not. `!=` is the opposite of `=`: what is empty, or has
 * no such disk, matches. `field:null` is what is empty. A bare date means the
 * whole day. Storage compiles the tree to SQL with bound values only.
 *
 * Ownership: everything in the arena. Threads: pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/model.h>

struct arena;
struct pv_err;

enum filter_node_type { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_TERM, FILTER_WORD };
enum filter_op { FILTER_HAS, FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE, FILTER_LIKE,
                 FILTER_RANGE, FILTER_IN };

struct filter_value {
    int64_t number;         /* U64 BOOL ENUM TIME */
    const char *text;       /* as written (unquoted); wildcard pattern for LIKE */
    const char *folded;     /* lower case form of text */
    struct pv_id id;        /* REF written as an id */
    bool is_id;
    bool is_null;           /* the word null: the field is empty */
};

struct filter {             /* a node */
    enum filter_node_type type;
    const struct filter *left, *right;  /* NOT: left alone */
    const struct model_kind *kind;      /* TERM: kind the field is of (the list's, or an embedded child's) */
    const struct model_field *field;    /* TERM; NULL for the pseudo fields below */
    const struct model_field *through;  /* TERM on what this reference of the list's kind points at; else NULL */
    enum { FILTER_FIELD, FILTER_ID, FILTER_KIND } pseudo;  /* `id` and `kind` */
    enum filter_op op;
    const struct filter_value *values;  /* one; RANGE: two; IN: nvalues */
    size_t nvalues;
    bool below;                         /* folder:... means what is in folders below it, too; rows in memory do not tell */
    unsigned column;                    /* where the term starts, from 1 */
};

/* At most 4,096 bytes of text, 200 terms, depth 32. Empty text: *out is NULL. `now_ms` is what "now" means.
 * Problem invalid-filter: the message names column and cause, and the nearest field name. err->pointer "filter". */
int filter_parse(const struct model_kind *kind, const char *text, int64_t now_ms, struct arena *a,
                 const struct filter **out, struct pv_err *err);
/* left AND right; NULLs are left out. */
const struct filter *filter_and(struct arena *a, const struct filter *left, const struct filter *right);
const struct filter *filter_or(struct arena *a, const struct filter *left, const struct filter *right);
/* field = value, from the short form ?power_state=running. */
int filter_equals(const struct model_kind *kind, const char *path, const char *value, int64_t now_ms,
                  struct arena *a, const struct filter **out, struct pv_err *err);
/* Does the row (with these values loaded) match? For event streams. Child terms and words look at what is loaded. */
bool filter_match(const struct filter *f, const struct model_row *row);
