/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volatile numbers: the newest of each object that is known, in memory alone.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"
#include "server/core/days.h"
#include "server/core/series.h"

static bool usage_equal(const void *item, const void *key)
{
    return id_eq(&((const struct usage *)item)->id, key);
}

/* usage_lock held. */
static struct usage *usage_at(struct core *c, const struct inv_entry *e, size_t n)
{
    struct usage *u = table_find(&c->usage, core_hash_id(&e->id), usage_equal, &e->id);

    if (u)
        return u;
    u = calloc(1, sizeof(*u) + n * sizeof(u->values[0]));
    if (!u)
        return NULL;
    u->id = e->id;
    u->kind = e->kind;
    if (!table_add(&c->usage, core_hash_id(&u->id), u)) {
        free(u);
        return NULL;
    }
    return u;
}

static void store_values(struct usage *u, const struct sdk_batch *b, uint32_t i,
                         const struct model_metric *metrics, size_t n)
{
    u->time_ms = sdk_record_has(b, i, PV_SLOT_usage_time) == SDK_VALUE
                     ? sdk_record_number(b, i, PV_SLOT_usage_time)
                     : clock_wall_ms();
    for (size_t m = 0; m < n; m++) {
        enum sdk_value has = sdk_record_has(b, i, metrics[m].slot);

        if (has == SDK_VALUE) {
            u->values[m] = (uint64_t)sdk_record_number(b, i, metrics[m].slot);
            u->have |= 1ull << m;
        } else if (has == SDK_NULL) {
            u->have &= ~(1ull << m);
        }
    }
}

void usage_apply(struct provider *p, const struct sdk_batch *b)
{
    struct core *c = p->core;
    const struct model_metric *metrics;
    size_t n;

    metrics = model_metrics(&n);
    if (n > METRICS_MAX)
        n = METRICS_MAX;
    pthread_mutex_lock(&c->usage_lock);
    for (uint32_t i = 0; i < b->count; i++) {
        const char *native = sdk_record_native_id(b, i);
        int64_t kind = sdk_record_number(b, i, PV_SLOT_usage_subject_kind);
        struct inv_entry *e;
        struct usage *u;

        if (kind <= 0 || kind >= KINDS)
            continue;
        e = inventory_find(p, (enum pv_kind)kind, native, strlen(native));
        if (!e || e->presence != PV_PRESENCE_PRESENT)
            continue;
        u = usage_at(c, e, n);
        if (u) {
            store_values(u, b, i, metrics, n);
            series_note(c, u, n);
        }
    }
    pthread_mutex_unlock(&c->usage_lock);
}

void usage_forget(struct core *c, const struct pv_id *id)
{
    struct usage *u;

    pthread_mutex_lock(&c->usage_lock);
    u = table_find(&c->usage, core_hash_id(id), usage_equal, id);
    if (u) {
        table_remove(&c->usage, core_hash_id(id), u);
        series_free(u->series);
        days_free(u->days);
        free(u);
    }
    pthread_mutex_unlock(&c->usage_lock);
}

void usage_free(struct core *c)
{
    for (size_t i = 0; i < c->usage.cap; i++) {
        struct usage *u = c->usage.slots[i].item;

        if (u) {
            series_free(u->series);
            days_free(u->days);
        }
        free(u);
    }
    table_free(&c->usage);
}

bool core_usage(struct core *c, enum pv_kind kind, const struct pv_id *id, int64_t *time_ms,
                uint64_t *values, bool *have)
{
    const struct usage *u;
    size_t n;

    model_metrics(&n);
    pthread_mutex_lock(&c->usage_lock);
    u = table_find(&c->usage, core_hash_id(id), usage_equal, id);
    if (u && u->kind == kind) {
        *time_ms = u->time_ms;
        for (size_t m = 0; m < n; m++) {
            have[m] = m < METRICS_MAX && (u->have >> m & 1);
            values[m] = have[m] ? u->values[m] : 0;
        }
    } else {
        u = NULL;
    }
    pthread_mutex_unlock(&c->usage_lock);
    return u != NULL;
}
