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

/* Means of the last CORE_DAYS whole days (UTC) of the numbers that capacity is planned by: of a host cpu.usage_pct and
 * mem.usage_bytes, of a datastore storage.used_bytes. Kept in memory, read from storage once a day and object on a worker. */
#define CORE_DAYS 30
struct core_days {
    /* Oldest first, the last is yesterday; NaN: not known. */
    float cpu_pct[CORE_DAYS], memory_bytes[CORE_DAYS], storage_bytes[CORE_DAYS];
};
/* false: nothing is known (yet). */
bool core_days(struct core *c, const struct pv_id *id, struct core_days *out);

/* A straight line through the days. */
struct core_trend {
    unsigned days;              /* from the first that is known to the last, both included */
    bool clear;                 /* false: no growth and no shrinking beyond what chance would do */
    double per_day;             /* how much more each day; 0 unless clear */
    bool fills;                 /* it grows, and is full within CORE_TREND_MOST days */
    double days_until_full;     /* from today on; 0: by the line it is full already */
};
#define CORE_TREND_LEAST 7      /* days there must be */
#define CORE_TREND_MOST 3650
/* values: as in core_days. false: less is known than CORE_TREND_LEAST days. */
bool core_trend_fit(const double values[CORE_DAYS], double capacity, struct core_trend *out);
