/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/days.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "db/store_series.h"
#include "server/core/usage.h"

#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)
#define LATE_MS (15 * 60000ll) /* the last hour of a day is stored so long after its end */
#define AT_ONCE 500            /* objects */
#define LOOK_MS 10000
#define GO_ON_MS 500 /* when there were more than AT_ONCE */

struct days {
    int64_t day; /* number of the day after the last in here */
    struct core_days means;
};

struct wanted {
    struct pv_id id;
    enum pv_kind kind;
};

/* Number of the day that is not over. */
static int64_t present_day(void)
{
    return (clock_wall_ms() - LATE_MS) / DAY_MS;
}

/* Hosts and datastores whose days were not read since the last one ended. */
static size_t those_wanted(struct core *c, int64_t day, struct wanted *list)
{
    size_t n = 0;

    pthread_mutex_lock(&c->usage_lock);
    for (size_t i = 0; i < c->usage.cap && n < AT_ONCE; i++) {
        const struct usage *u = c->usage.slots[i].item;

        if (u && (u->kind == PV_KIND_host || u->kind == PV_KIND_datastore) &&
            (!u->days || u->days->day != day))
            list[n++] = (struct wanted){ .id = u->id, .kind = u->kind };
    }
    pthread_mutex_unlock(&c->usage_lock);
    return n;
}

static float *row_of(struct core_days *d, const char *metric)
{
    if (strcmp(metric, "cpu.usage_pct") == 0)
        return d->cpu_pct;
    if (strcmp(metric, "mem.usage_bytes") == 0)
        return d->memory_bytes;
    return strcmp(metric, "storage.used_bytes") == 0 ? d->storage_bytes : NULL;
}

/* One block is the hours of a day. */
static void add_day(void *ctx, const struct store_block *b)
{
    struct days *d = ctx;
    int64_t at = b->start_ms / DAY_MS - (d->day - CORE_DAYS);
    size_t n;
    const struct model_metric *metrics = model_metrics(&n);

    if (at < 0 || at >= CORE_DAYS)
        return;
    for (size_t m = 0; m < n && m < STORE_BLOCK_METRICS; m++) {
        float *row = row_of(&d->means, metrics[m].name);
        double sum = 0;
        unsigned known = 0;

        for (unsigned i = 0; row && i < b->npoints; i++) {
            if (b->values[m][i] == STORE_NO_VALUE)
                continue;
            sum += (double)b->values[m][i];
            known++;
        }
        if (row && known > 0)
            row[at] = (float)(sum / known);
    }
}

static bool usage_equal(const void *item, const void *key)
{
    return id_eq(&((const struct usage *)item)->id, key);
}

static struct usage *find(struct core *c, const struct pv_id *id)
{
    return table_find(&c->usage, core_hash_id(id), usage_equal, id);
}

static int read_one(struct core *c, int64_t day, const struct wanted *w, struct pv_err *err)
{
    PV_AUTO_FREE struct days *d = malloc(sizeof(*d));
    struct usage *u;
    int rc;

    if (!d)
        return pv_fail(err, PV_ENOMEM, "no memory for the days of an object");
    d->day = day;
    for (size_t i = 0; i < CORE_DAYS; i++)
        d->means.cpu_pct[i] = d->means.memory_bytes[i] = d->means.storage_bytes[i] = NAN;
    rc = store_blocks(c->store, &w->id, HOUR_MS / 1000, (day - CORE_DAYS) * DAY_MS, day * DAY_MS,
                      add_day, d, err);
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&c->usage_lock);
    u = find(c, &w->id);
    if (u) {
        days_free(u->days);
        u->days = PV_TAKE(d);
    }
    pthread_mutex_unlock(&c->usage_lock);
    return PV_OK;
}

static void look(void *arg)
{
    struct core *c = arg;
    int64_t day = present_day();
    PV_AUTO_FREE struct wanted *list = malloc(AT_ONCE * sizeof(*list));
    struct pv_err err = { 0 };
    size_t n = 0;
    int rc = PV_OK;

    if (list && !atomic_load(&c->stopping))
        n = those_wanted(c, day, list);
    for (size_t i = 0; i < n && rc == PV_OK && !atomic_load(&c->stopping); i++)
        rc = read_one(c, day, &list[i], &err);
    if (rc != PV_OK)
        log_msg(PV_LOG_ERROR, "days", "%s", err.message);
    if (!atomic_load(&c->stopping))
        core_later(c, n == AT_ONCE && rc == PV_OK ? GO_ON_MS : LOOK_MS, look, c);
}

void days_start(struct core *c)
{
    core_later(c, LOOK_MS, look, c);
}

void days_free(struct days *d)
{
    free(d);
}

bool core_days(struct core *c, const struct pv_id *id, struct core_days *out)
{
    const struct usage *u;

    pthread_mutex_lock(&c->usage_lock);
    u = find(c, id);
    if (u && u->days)
        *out = u->days->means;
    else
        u = NULL;
    pthread_mutex_unlock(&c->usage_lock);
    return u != NULL;
}
