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

int filter_sql(struct query *q, const struct model_kind *kind, const struct filter *f,
               struct arena *a, struct pv_err *err);
/* Does a term of the filter name this field of the kind itself? */
bool filter_names(const struct filter *f, const struct model_kind *kind, const char *field);
