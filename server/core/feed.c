/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session's callbacks bring, in the order in which the driver sent it:
 * batches, and marks that say how complete the picture is.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

#define CONFIRM_EVERY_MS 60000
/* A feed of changes may lag behind the provider by that much. */
#define FEED_LAG_MS 60000

static int apply_gone(struct provider *p, const struct sdk_batch *b, struct pv_err *err)
{
    PV_AUTO_FREE struct inv_entry **entries = calloc(b->count + 1, sizeof(struct inv_entry *));
    size_t n = 0;

    if (!entries)
        return pv_fail(err, PV_ENOMEM, "no memory to apply a batch");
    for (uint32_t i = 0; i < b->count; i++) {
        const char *native = sdk_record_native_id(b, i);
        struct inv_entry *e = inventory_find(p, b->kind->number, native, strlen(native));
        bool twice = false;

        for (size_t k = 0; e && k < n && !twice; k++)
            twice = entries[k] == e;
        if (e && !twice)
            entries[n++] = e;
    }
    return absence_gone(p, entries, n, err);
}

static int apply_checked(struct provider *p, const struct sdk_batch *b, struct pv_err *err)
{
    if (b->kind->number == PV_KIND_usage) {
        usage_apply(p, b);
        return PV_OK;
    }
    if (b->kind->number == PV_KIND_event)
        return native_events_apply(p, b, err);
    if (b->kind->owner != PV_KIND_NONE)
        return b->gone ? children_gone(p, b, err) : children_apply(p, b, err);
    return b->gone ? apply_gone(p, b, err) : inventory_apply(p, b, err);
}

static void log_faults(struct provider *p, const struct sdk_batch_faults *f)
{
    char name[NAME_CAP];

    atomic_fetch_add(&p->core->n_dropped, f->records);
    if ((f->records == 0 && f->values == 0) || p->inv.faults_logged >= 20)
        return;
    p->inv.faults_logged++;
    provider_copy_name(p, name, sizeof(name));
    log_msg(PV_LOG_WARN, "driver.fault", "provider=%s left out: records=%u values=%u first=\"%s\"",
            name, f->records, f->values, f->first);
}

int feed_batch(struct provider *p, const struct pv_batch *raw)
{
    struct sdk_batch_faults faults;
    struct sdk_batch *b = NULL;
    struct pv_err err = { 0 };
    char name[NAME_CAP];
    int rc = sdk_batch_check(raw, &faults, &b, &err);

    /* A newer driver's kind. */
    if (rc == PV_ENOTSUP)
        return PV_OK;
    if (rc == PV_OK) {
        atomic_fetch_add(&p->core->n_batches, 1);
        atomic_fetch_add(&p->core->n_records, b->count);
        pthread_mutex_lock(&p->apply_lock);
        log_faults(p, &faults);
        rc = p->inv.loaded ? apply_checked(p, b, &err) : PV_OK;
        pthread_mutex_unlock(&p->apply_lock);
        sdk_batch_free(b);
    }
    if (rc != PV_OK) {
        provider_copy_name(p, name, sizeof(name));
        log_msg(PV_LOG_ERROR, "inventory.batch", "provider=%s error=\"%s\"", name, err.message);
    }
    return rc;
}

static int confirm_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct provider *p = arg;

    return tx_confirmed_put(tx, &p->id, atomic_load(&p->confirmed_ms), err);
}

static void confirm(struct provider *p, bool now)
{
    struct pv_err err = { 0 };
    int64_t mono = clock_mono_ms();

    atomic_store(&p->confirmed_ms, clock_wall_ms());
    if (!now && p->inv.confirmed_put_ms && mono - p->inv.confirmed_put_ms < CONFIRM_EVERY_MS)
        return;
    p->inv.confirmed_put_ms = mono;
    if (store_write(p->core->store, confirm_tx, p, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "inventory.confirm", "%s", err.message);
}

struct synced {
    struct provider *provider;
    char name[NAME_CAP];
    struct event_set events;
};

static int synced_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct synced *s = arg;
    struct event_draft d = { .type = "provider.synced", .kind = PV_KIND_provider,
                             .subject = s->provider->id, .name = s->name,
                             .provider = s->provider->id, .provider_name = s->name,
                             .actor_type = PV_ACTOR_TYPE_SYSTEM };
    int rc = events_begin(&s->events, tx, err);

    if (rc != PV_OK)
        return rc;
    d.message = arena_printf(tx_arena(tx), "%s was read for the first time: %zu objects", s->name,
                             s->provider->inv.objects);
    return events_add(&s->events, tx, &d, err);
}

/* One event for a first import instead of one for each of its objects. */
static int tell_first_import(struct provider *p, struct pv_err *err)
{
    struct synced s = { .provider = p };
    int rc;

    provider_copy_name(p, s.name, sizeof(s.name));
    events_init(&s.events, p->core);
    rc = store_write(p->core->store, synced_tx, &s, err);
    events_free(&s.events);
    return rc;
}

static void set_confirmed_mono(struct provider *p, int64_t at)
{
    if (at > atomic_load(&p->confirmed_mono_ms))
        atomic_store(&p->confirmed_mono_ms, at);
}

static int listing_over(struct provider *p, bool complete, struct pv_err *err)
{
    bool first = p->first_import;
    int64_t now = clock_wall_ms();
    int rc = references_retry(p, complete, err);

    p->inv.listing = false;
    if (rc == PV_OK)
        rc = absence_after_listing(p, complete, err);
    if (rc == PV_OK && complete)
        rc = identity_settle(p, err);
    if (rc == PV_OK && first)
        rc = tell_first_import(p, err);
    if (rc != PV_OK)
        return rc;
    /* An account that may not see everything has had its first import, too. */
    p->first_import = false;
    if (!complete)
        return PV_OK;
    set_confirmed_mono(p, p->inv.listing_began_ms);
    pthread_mutex_lock(&p->lock);
    p->last_full_at = now;
    p->last_full_ms = clock_mono_ms() - p->inv.listing_began_ms;
    p->sync_objects = p->inv.objects;
    pthread_mutex_unlock(&p->lock);
    confirm(p, true);
    return PV_OK;
}

int feed_mark(struct provider *p, enum pv_mark mark, struct pv_err *err)
{
    int rc = PV_OK;

    switch (mark) {
    case PV_MARK_FULL_BEGIN:
        p->inv.generation++;
        p->inv.listing = true;
        p->inv.listing_began_ms = clock_mono_ms();
        return PV_OK;
    case PV_MARK_FULL_END:
    case PV_MARK_FULL_PARTIAL:
        /* An end without a beginning proves nothing. */
        if (!p->inv.listing)
            return pv_fail(err, PV_EFORMAT, "a listing ended that never began");
        return listing_over(p, mark == PV_MARK_FULL_END, err);
    case PV_MARK_CHANGES:
        break;
    }
    rc = references_retry(p, false, err);
    if (rc == PV_OK)
        rc = identity_settle(p, err);
    if (rc != PV_OK)
        return rc;
    set_confirmed_mono(p, clock_mono_ms() - FEED_LAG_MS);
    pthread_mutex_lock(&p->lock);
    p->last_change_at = clock_wall_ms();
    p->sync_objects = p->inv.objects;
    pthread_mutex_unlock(&p->lock);
    confirm(p, false);
    return PV_OK;
}
