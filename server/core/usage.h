/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - the newest numbers of objects, for those parts of core that look at
 * all of them.
 *
 * core.usage_lock guards the entries.
 */
#pragma once

#include "server/core/internal.h"
#include "server/core/metrics.h"

#define METRICS_MAX 64u

struct series;
struct days;

struct usage {
    struct pv_id id;
    enum pv_kind kind;
    int64_t time_ms;
    uint64_t have;              /* bit n: values[n] is known */
    struct series *series;      /* how they went; owned, NULL: nothing noted yet */
    struct days *days;          /* means of whole days; owned, NULL: not read, or of a kind without */
    uint64_t values[];
};
