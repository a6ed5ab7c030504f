/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - volatile numbers of objects: who uses most, and how they went.
 *
 * Newest values are in memory (core_usage of core.h). A metric is meant by its
 * place in model_metrics(). Threads: any.
 */
#pragma once

#include "server/core/core.h"

struct core_top {
    struct pv_id id;
    uint64_t value;
    int64_t time_ms;
};
/* The `most` objects with the greatest newest value, greatest first. */
int core_usage_top(struct core *c, enum pv_kind kind, unsigned metric, size_t most, struct arena *a,
                   struct core_top **out, size_t *n, struct pv_err *err);

/* How some metrics of an object went: out[m * npoints + i] is the mean in step i from from_ms on, NaN where nothing is
 * known. Marks the object as looked at: while it is, single values (every 20 s) are kept for an hour. */
struct core_series {
    enum pv_kind kind;
    struct pv_id id;
    int64_t from_ms;
    uint32_t step_s, npoints;
    const unsigned *metrics;
    size_t nmetrics;
    double *out;
};
int core_series_read(struct core *c, const struct core_series *q, struct pv_err *err);
