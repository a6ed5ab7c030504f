/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter_sql - a filter as a condition of a WHERE clause.
 *
 * Names of columns come from the model, everything the filter brings is bound.
 * The table is called `t` in the statement. What is bound may live in `a`.
 */
#pragma once

#include <polyvisor/filter.h>

#include "db/query.h"

struct arena;
struct store_access;

/* Fields whose terms so many rows match that their index is no help: the engine knows nothing of
 * how often a value occurs. */
struct filter_common {
    const struct model_field *field[8];
    const struct filter *term[8]; /* the terms themselves */
    size_t n;
};

/* common: NULL, or what must not be looked up by index. */
/* alone: it stands in no "or" with other conditions. eyes: who asks; what it names besides the
 * kind's own fields must be seen by these. NULL: all is. */
int filter_sql(struct query *q, const struct model_kind *kind, const struct filter *f,
               const struct filter_common *common, bool alone, const struct store_access *eyes,
               struct arena *a, struct pv_err *err);
/* Is this a term on a number, reference or list of words of the kind itself that an index serves?
 */
bool filter_indexed(const struct filter *f, const struct model_kind *kind);
/* Does a term of the filter name this field of the kind itself? */
bool filter_names(const struct filter *f, const struct model_kind *kind, const char *field);
