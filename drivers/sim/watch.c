/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sim/files.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/records.h>

#define TICK_MS 100
#define MARK_MS 30000  /* a mark is due even when nothing changed */
#define USAGE_MS 20000 /* once round all objects */
#define CURSOR_MAX 64

PV_DEFINE_AUTO(pv_builder_free, struct pv_builder *)

static bool cancelled(const struct sim_estate *e, uint64_t call)
{
    return e->host->cancelled(e->host->ctx, call) != 0;
}

static int stopped(struct pv_err *err, int rc)
{
    if (rc == PV_ECANCELED)
        return pv_fail(err, rc, "canceled");
    return pv_fail(err, rc, "the host took no more of the inventory");
}

static void cursor_write(const struct sim_estate *e, char out[CURSOR_MAX])
{
    snprintf(out, CURSOR_MAX, "sim:%08x%08x:%llu", e->nonce[0], e->nonce[1],
             (unsigned long long)e->feed);
}

/* Everything sent so far was up to a position with a number of its own: a cursor that is not the
 * last one misses something. */
static int mark(struct sim_estate *e, struct pv_builder *b, enum pv_mark kind)
{
    char cursor[CURSOR_MAX];

    e->feed++;
    cursor_write(e, cursor);
    return pv_builder_mark(b, kind, cursor);
}

static bool cursor_is_last(const struct sim_estate *e, const char *cursor)
{
    char last[CURSOR_MAX];

    cursor_write(e, last);
    return cursor && e->feed && strcmp(cursor, last) == 0;
}

static int list_places(struct sim_estate *e, struct pv_builder *b, uint64_t call,
                       const struct sim_place *place)
{
    uint32_t count = place->count(e);
    int rc;

    for (uint32_t i = 0; i < count; i++) {
        if (i % 64 == 0 && cancelled(e, call))
            return PV_ECANCELED;
        place->emit(e, b, i);
        rc = pv_builder_room(b);
        if (rc != PV_OK)
            return rc;
    }
    if (place->kind == PV_KIND_switch)
        sim_things_emit(e, b, PV_KIND_switch, NULL);
    return pv_builder_send(b);
}

static int list_vms(struct sim_estate *e, struct pv_builder *b, uint64_t call)
{
    int rc;

    bool more = true;

    for (uint32_t i = 0; more; i++) {
        if (i % 64 == 0 && cancelled(e, call))
            return PV_ECANCELED;
        pthread_mutex_lock(&e->lock);
        more = i < sim_vm_count(e);
        if (more && !e->vms[i].absent)
            sim_emit_vm(e, b, i, SIM_PART_ALL);
        pthread_mutex_unlock(&e->lock);
        rc = pv_builder_room(b);
        if (rc != PV_OK)
            return rc;
    }
    return PV_OK;
}

static int list(struct sim_estate *e, struct pv_builder *b, uint64_t call)
{
    int rc;

    sim_estate_forget(e); /* what happened before is part of the listing */
    e->feed++;            /* cursors from before are worthless, also if this listing ends early */
    rc = pv_builder_mark(b, PV_MARK_FULL_BEGIN, NULL);
    for (const struct sim_place *p = sim_places; p->emit && rc == PV_OK; p++)
        rc = list_places(e, b, call, p);
    if (rc == PV_OK)
        rc = list_vms(e, b, call);
    if (rc == PV_OK) {
        pthread_mutex_lock(&e->lock);
        sim_images_emit(e, b, NULL);
        pthread_mutex_unlock(&e->lock);
        sim_things_emit(e, b, PV_KIND_disk_image, NULL);
        rc = pv_builder_send(b);
    }
    if (rc == PV_OK)
        rc = mark(e, b, PV_MARK_FULL_END);
    return rc;
}

/* What is due by the clock. */
struct pace {
    int64_t last_ms, marked_ms, usage_ms;
    double changes;    /* due, with the fraction that is not yet one */
    uint32_t usage_at; /* objects reported in this round */
};

/* What operations did since the last tick, and what happens by itself. */
static void live(struct sim_estate *e, struct pv_builder *b, struct pace *p, int64_t now)
{
    struct sim_change c;

    for (unsigned i = 0; i < SIM_QUEUE_MAX && sim_estate_told(e, &c); i++)
        sim_change_note(e, b, &c);
    p->changes += e->set.change_rate * (double)(now - p->last_ms) / 1000;
    p->last_ms = now;
    if (p->changes > SIM_TICK_MAX)
        p->changes = SIM_TICK_MAX; /* what is due beyond that is left out */
    for (; p->changes >= 1; p->changes--)
        if (sim_change_make(e, &c))
            sim_change_note(e, b, &c);
}

/* Usage goes round evenly, so that a large estate is no burst. */
static bool measure(struct sim_estate *e, struct pv_builder *b, struct pace *p, int64_t now)
{
    uint32_t all = sim_usage_count(e), due;
    int64_t spent = now - p->usage_ms;
    bool any;

    if (e->set.change_rate <= 0)
        return false;
    due = spent >= USAGE_MS ? all : (uint32_t)((uint64_t)spent * all / USAGE_MS);
    any = due > p->usage_at;
    if (any)
        sim_usage_send(e, b, p->usage_at, due);
    p->usage_at = due;
    if (spent >= USAGE_MS) {
        p->usage_ms = now;
        p->usage_at = 0;
    }
    return any;
}

static bool overflowed(struct sim_estate *e)
{
    bool lost;

    pthread_mutex_lock(&e->lock);
    lost = e->queue_lost;
    pthread_mutex_unlock(&e->lock);
    return lost;
}

static int tick(struct sim_estate *e, struct pv_builder *b, uint64_t call, struct pace *p)
{
    int64_t now = clock_mono_ms();
    uint64_t events;
    bool changed;
    int rc;

    if (overflowed(e)) {
        rc = list(e, b, call);
        p->marked_ms = clock_mono_ms();
        return rc;
    }
    events = e->events;
    live(e, b, p, now);
    changed = sim_things_send(e, b);
    changed = changed || e->touched_count > 0 || e->events != events;
    sim_changes_send(e, b);
    if (measure(e, b, p, now)) {
        rc = pv_builder_send(b);
        if (rc != PV_OK)
            return rc;
    }
    if (!changed && now - p->marked_ms < MARK_MS)
        return PV_OK;
    p->marked_ms = now;
    return mark(e, b, PV_MARK_CHANGES);
}

static int tell_provider(const struct sim_estate *e, struct pv_err *err)
{
    PV_AUTO_FREE char *json = sim_provider_json(e);

    if (!json)
        return pv_fail(err, PV_ENOMEM, "no memory for the provider's description");
    return e->host->provider(e->host->ctx, json);
}

int sim_watch(struct sim_estate *e, uint64_t call, const char *cursor, struct pv_err *err)
{
    PV_AUTO(pv_builder_free_p) struct pv_builder *b = pv_builder_new(e->host);
    struct pace pace = { 0 };
    int rc;

    if (!b)
        return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
    rc = tell_provider(e, err);
    if (rc == PV_OK && !cursor_is_last(e, cursor))
        rc = list(e, b, call);
    pace.last_ms = pace.marked_ms = pace.usage_ms = clock_mono_ms();
    while (rc == PV_OK) {
        if (cancelled(e, call))
            return stopped(err, PV_ECANCELED);
        rc = tick(e, b, call, &pace);
        if (rc == PV_OK)
            clock_sleep_ms(TICK_MS);
    }
    return stopped(err, rc);
}

/* ------------------------------------------------------------------ one object */

static int refresh_vm(struct sim_estate *e, struct pv_builder *b, const char *native_id)
{
    uint32_t index;

    if (!sim_vm_find(e, native_id, &index))
        return PV_ENOENT;
    pthread_mutex_lock(&e->lock);
    if (!e->vms[index].absent)
        sim_emit_vm(e, b, index, SIM_PART_ALL);
    pthread_mutex_unlock(&e->lock);
    return PV_OK;
}

/* A snapshot is read with its VM: its siblings may have changed, too. */
static int refresh_snapshot(struct sim_estate *e, struct pv_builder *b, const char *native_id)
{
    struct sim_snaps room;
    char vm[SIM_ID_MAX];
    uint64_t number;
    uint16_t serial;
    uint32_t index;
    bool here;
    int rc;

    if (!sim_snapshot_number(e, native_id, &number, &serial))
        return PV_ENOENT;
    sim_vm_id_of(e, number, vm);
    if (!sim_vm_find(e, vm, &index))
        return PV_ENOENT;
    rc = refresh_vm(e, b, vm);
    pthread_mutex_lock(&e->lock);
    here = sim_snaps_find(sim_snaps_get(e, index, &room), serial) != NULL;
    pthread_mutex_unlock(&e->lock);
    if (rc == PV_OK && !here)
        rc = pv_builder_send(b);
    return rc != PV_OK || here ? rc : PV_ENOENT;
}

static int refresh_place(struct sim_estate *e, struct pv_builder *b, enum pv_kind kind,
                         const char *native_id)
{
    uint64_t n;

    for (const struct sim_place *p = sim_places; p->emit; p++) {
        if (p->kind != kind)
            continue;
        if (!sim_native_number(e, kind, native_id, &n))
            return PV_ENOENT;
        p->emit(e, b, (uint32_t)n);
        return PV_OK;
    }
    return PV_ENOTSUP; /* a device is read with its VM: its id does not say whose it is */
}

static int refresh_image(struct sim_estate *e, struct pv_builder *b, const char *native_id)
{
    unsigned n = sim_things_emit(e, b, PV_KIND_disk_image, native_id);

    if (!n) {
        pthread_mutex_lock(&e->lock);
        n = sim_images_emit(e, b, native_id);
        pthread_mutex_unlock(&e->lock);
    }
    return n ? PV_OK : PV_ENOENT;
}

int sim_refresh(struct sim_estate *e, uint64_t call, enum pv_kind kind, const char *native_id,
                struct pv_err *err)
{
    PV_AUTO(pv_builder_free_p) struct pv_builder *b = pv_builder_new(e->host);
    int rc;

    if (!b)
        return pv_fail(err, PV_ENOMEM, "no memory for the object");
    if (cancelled(e, call))
        return stopped(err, PV_ECANCELED);
    if (kind == PV_KIND_vm)
        rc = refresh_vm(e, b, native_id);
    else if (kind == PV_KIND_snapshot)
        rc = refresh_snapshot(e, b, native_id);
    else if (kind == PV_KIND_disk_image)
        rc = refresh_image(e, b, native_id);
    else if (kind == PV_KIND_switch && sim_things_emit(e, b, kind, native_id))
        rc = PV_OK;
    else
        rc = refresh_place(e, b, kind, native_id);
    if (rc == PV_ENOTSUP)
        return pv_fail(err, rc, "objects of this kind are not read one by one");
    if (rc != PV_OK)
        return pv_fail(err, rc, "there is no object %s", native_id);
    rc = pv_builder_send(b);
    return rc == PV_OK ? PV_OK : stopped(err, rc);
}
