/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Once an hour: what is too old is deleted, in small transactions.
 */
#include "server/core/deliver.h"

#define HOUR_MS (60ll * 60 * 1000)
#define DAY_MS (24 * HOUR_MS)
#define EVENTS_KEEP 1000000     /* never fewer stay */
#define TASKS_KEEP 100000
#define BATCH 5000

enum what { EVENTS, TASKS, GONE, SHORT_LIVED, WHAT_COUNT };

struct purge {
    struct core *core;
    enum what what;
    size_t deleted;
};

static int64_t days(const struct purge *p, enum core_setting which)
{
    return core_setting(p->core, which) * DAY_MS;
}

static int purge_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct purge *p = arg;
    int64_t now = clock_wall_ms();

    switch (p->what) {
    case EVENTS:
        return tx_purge_events(tx, now - days(p, CORE_SETTING_retention_events_days), EVENTS_KEEP, &p->deleted, err);
    case TASKS:
        return tx_purge_tasks(tx, now - days(p, CORE_SETTING_retention_tasks_days), TASKS_KEEP, &p->deleted, err);
    case GONE:
        return tx_purge_gone(tx,
                             now - (p->core->config.purge_after_ms ? p->core->config.purge_after_ms
                                                                   : days(p, CORE_SETTING_retention_gone_days)),
                             &p->deleted, err);
    case SHORT_LIVED:
    case WHAT_COUNT:
        break;
    }
    return tx_purge_short_lived(tx, now, &p->deleted, err);
}

void core_retention(void *arg)
{
    struct core *c = arg;

    for (unsigned what = 0; what < WHAT_COUNT; what++) {
        struct purge p = { .core = c, .what = (enum what)what };
        struct pv_err err = { 0 };
        int rc;

        do {
            p.deleted = 0;
            rc = atomic_load(&c->stopping) ? PV_ECANCELED
                                           : store_write(c->store, purge_tx, &p, &err);
        } while (rc == PV_OK && p.deleted >= BATCH);
        if (rc != PV_OK && rc != PV_ECANCELED)
            log_msg(PV_LOG_ERROR, "retention", "%s", err.message);
    }
    deliver_clean(c);
    core_later(c, HOUR_MS, core_retention, c);
}
