/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watch: a full listing, then polls, sooner while something happens and
 * later while nothing does; events where the host grants them. The polls
 * remain: a host may lose events, and never says so.
 */
#include "drivers/wmi/inventory.h"

#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#define POLL_LEAST_MS 2000
#define POLL_MOST_MS 55000 /* the server is to hear from us once a minute */
#define FULL_LEAST_MS (5 * 60 * 1000)
#define LISTING_SHARE 10 /* of its time a host is listed no more than one part in so many */
#define RELIST_MS 15000 /* between two listings that changes ask for */
#define GUEST_MS 60000
#define LOOK_AT_ONCE 16u
#define SUBSCRIBE_AGAIN_MS (10 * 60 * 1000)
#define EVENTS                                                                                     \
    "SELECT * FROM __InstanceOperationEvent WITHIN 5 WHERE TargetInstance ISA 'Msvm_ComputerSystem'"

struct feed {
    struct inventory *i;
    const struct call *c;
    struct pv_builder *b;
    struct wsman_subscription *events; /* NULL: none */
    int64_t interval_ms;               /* between polls, now */
    int64_t next_poll_ms, next_full_ms, next_guest_ms, next_subscribe_ms, listed_ms;
    bool looking; /* disk files are still to be looked up */
    bool looked;  /* some were, since the last listing */
};

static int64_t slowest_poll(const struct feed *f)
{
    int64_t ms = (int64_t)f->i->wmi->config.poll_interval_s * 1000;

    return ms < POLL_MOST_MS ? ms : POLL_MOST_MS;
}

static int64_t full_every(const struct feed *f)
{
    int64_t ms = (int64_t)f->i->wmi->config.poll_interval_s * 1000;

    return ms > FULL_LEAST_MS ? ms : FULL_LEAST_MS;
}

/* ------------------------------------------------------------------ events */

/* What the event says is looked up, not believed: it may be late, and another may have been lost. */
static int on_event(void *ctx, enum wsman_event event, struct cim_instance *target,
                    struct pv_err *err)
{
    struct feed *f = ctx;

    (void)event;
    (void)target;
    (void)err;
    f->next_poll_ms = 0;
    f->interval_ms = POLL_LEAST_MS;
    return PV_OK;
}

static void end_events(struct feed *f)
{
    wsman_unsubscribe(f->i->wmi->client, f->events);
    f->events = NULL;
}

static void tell_push(struct feed *f, bool push)
{
    struct pv_err ignored = { 0 };

    pthread_mutex_lock(&f->i->wmi->order);
    if (f->i->push != push) {
        f->i->push = push;
        (void)inventory_tell(f->i, &ignored);
    }
    pthread_mutex_unlock(&f->i->wmi->order);
}

static int begin_events(struct feed *f, struct pv_err *err)
{
    int rc;

    if (f->events || !f->i->wmi->config.events || clock_mono_ms() < f->next_subscribe_ms)
        return PV_OK;
    f->next_subscribe_ms = clock_mono_ms() + SUBSCRIBE_AGAIN_MS;
    rc = wsman_subscribe(f->i->wmi->client, f->c, CIM_NS_VIRTUALIZATION, EVENTS, &f->events, err);
    if (rc == PV_ECANCELED || rc == PV_EAUTH || rc == PV_ECERT || rc == PV_EOFFLINE)
        return rc;
    if (rc)
        wmi_log(f->i->wmi, PV_LOG_LEVEL_INFO, "%s grants no events, it is polled: %s",
                f->i->wmi->config.at.host, err->message);
    *err = (struct pv_err){ 0 };
    tell_push(f, rc == PV_OK);
    return PV_OK;
}

static int wait_for_events(struct feed *f, int64_t ms, struct pv_err *err)
{
    int rc = wsman_pull(f->i->wmi->client, f->c, f->events, ms < 500 ? 500 : (unsigned)ms, on_event,
                        f, err);

    if (rc == PV_OK || rc == PV_ECANCELED)
        return rc;
    /* Over, or the host thinks so: the next poll finds out whether it is there at all. */
    end_events(f);
    f->next_subscribe_ms = rc == PV_ENOENT ? 0 : clock_mono_ms() + GUEST_MS;
    *err = (struct pv_err){ 0 };
    f->next_poll_ms = 0;
    tell_push(f, false);
    return PV_OK;
}

/* ------------------------------------------------------------------ turns */

static int list(struct feed *f, struct pv_err *err)
{
    int64_t began = clock_mono_ms();
    int rc = inventory_list(f->i, f->c, f->b, err);
    int64_t now = clock_mono_ms();
    int64_t took = (now - began) * LISTING_SHARE;
    struct pv_builder *fresh = rc == PV_OK ? pv_builder_new(f->i->wmi->host) : NULL;

    /* Its buffers have grown to a whole host's size; polls say little. */
    if (fresh) {
        pv_builder_free(f->b);
        f->b = fresh;
    }

    f->listed_ms = now;
    /* Its turn included: where there is more to list than can be listed, all are listed less often. */
    f->next_full_ms = now + (took > full_every(f) ? took : full_every(f));
    f->next_guest_ms = now + GUEST_MS;
    f->next_poll_ms = now + f->interval_ms;
    if (f->i->blind) {
        f->next_full_ms = now + POLL_MOST_MS;
        f->next_poll_ms = f->next_full_ms + GUEST_MS;
    }
    f->looking = true;
    f->looked = false;
    return rc;
}

static int poll(struct feed *f, struct pv_err *err)
{
    unsigned parts = 0;
    struct poll_result result;
    int64_t now;
    int rc;

    if (clock_mono_ms() >= f->next_guest_ms) {
        parts = READ_GUEST | READ_LOAD;
        f->next_guest_ms = clock_mono_ms() + GUEST_MS;
    }
    rc = inventory_poll(f->i, f->c, parts, f->b, &result, err);
    if (rc)
        return rc;
    now = clock_mono_ms();
    if (result.changed)
        f->interval_ms = POLL_LEAST_MS;
    else
        f->interval_ms += f->interval_ms / 2;
    if (f->interval_ms > slowest_poll(f))
        f->interval_ms = slowest_poll(f);
    f->next_poll_ms = now + f->interval_ms;
    if (result.relist && f->next_full_ms > f->listed_ms + RELIST_MS)
        f->next_full_ms = f->listed_ms + RELIST_MS;
    return PV_OK;
}

/* When the last file is known, one more listing tells the disks of all VMs whole. */
static int look(struct feed *f, struct pv_err *err)
{
    unsigned looked = 0;
    int rc = inventory_look(f->i, f->c, LOOK_AT_ONCE, f->b, &looked, err);

    if (rc)
        return rc;
    f->looked = f->looked || looked > 0;
    f->looking = looked == LOOK_AT_ONCE;
    if (!f->looking && f->looked)
        f->next_full_ms = clock_mono_ms();
    return PV_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int rest(struct feed *f, struct pv_err *err)
{
    int64_t ms = least(f->next_poll_ms, f->next_full_ms) - clock_mono_ms();

    if (call_cancelled((void *)(uintptr_t)f->c))
        return pv_fail(err, PV_ECANCELED, "canceled");
    if (f->looking)
        return look(f, err);
    if (ms <= 0)
        return PV_OK;
    return f->events ? wait_for_events(f, ms, err) : call_sleep(f->c, ms, err);
}

static int follow(struct feed *f, struct pv_err *err)
{
    int rc = list(f, err);

    while (rc == PV_OK) {
        rc = begin_events(f, err);
        if (rc == PV_OK)
            rc = rest(f, err);
        if (rc == PV_OK && clock_mono_ms() >= f->next_full_ms)
            rc = list(f, err);
        else if (rc == PV_OK && clock_mono_ms() >= f->next_poll_ms)
            rc = poll(f, err);
    }
    return rc;
}

/* A cursor says nothing: without events kept by the host, what happened meanwhile is found by looking. */
int wmi_watch(struct wmi *w, const struct call *c, const char *cursor, struct pv_err *err)
{
    struct feed f = { .c = c, .interval_ms = POLL_LEAST_MS };
    int rc = inventory_of(w, &f.i, err);

    (void)cursor;
    if (rc)
        return rc;
    f.b = pv_builder_new(w->host);
    if (!f.b)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = follow(&f, err);
    end_events(&f);
    pv_builder_free(f.b);
    return rc;
}
