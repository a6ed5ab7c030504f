/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view - what a caller may see of a kind, as a condition of a WHERE clause.
 *
 * Objects of the inventory are parts of a view themselves; devices and
 * snapshots are seen with their owner; what records a `subject` (events,
 * tasks) is seen with it. A view that says nothing of a kind shows nothing of
 * it. The table is called `t` in the statement. What is bound may live in `a`.
 */
#pragma once

#include "db/query.h"
#include "db/store.h"

struct arena;
struct filter_common;

/* The view of this kind's readers; NULL: all may be seen. */
const struct store_view *view_of(const struct store_access *access, const struct model_kind *kind);
/* point: which rows it is asked about is known already, so it need not be a way to find them. */
int view_sql(struct query *q, const struct model_kind *kind, const struct store_view *view,
             const struct filter_common *common, bool point, struct arena *a, struct pv_err *err);
/* The one filter that decides about this kind, if there is one alone; else NULL. */
const struct filter *view_filter(const struct store_view *view, const struct model_kind *kind);
