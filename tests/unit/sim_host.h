/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_host - a host for the sim driver, in the test's own process.
 *
 * Every batch goes through the receiver's own check, and what was refused or
 * left out is a failure. Counts objects, adds up their hashes, and remembers
 * the newest state of one VM. Cancels where a test says so.
 *
 * Threads: call() may run beside watch(); `lock` guards everything.
 */
#pragma once

#include <criterion/criterion.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>

#include "drivers/sdk/check.h"
#include "drivers/sim/sim.h"

struct fake_host {
    struct pv_host host;
    pthread_mutex_t lock;
    unsigned counts[PV_KIND_MAX + 1]; /* objects; child kinds: without the "none" records */
    unsigned gone, begins, ends, changes;
    uint64_t sum;     /* of all records' hashes, in any order */
    char cursor[128]; /* of the last mark */
    char provider[16384];
    /* the VM that is looked at */
    char vm[128], host_id[128], name[128];
    int64_t power, activity, snapshots;
    char snapshot[128]; /* its newest */
    /* calls */
    char native_ref[128];
    unsigned progressed;
    int cancel; /* at once */
    bool cancel_when_listed;
    unsigned cancel_after_changes; /* marks of changes; 0: not */
    int64_t cancel_at_ms;          /* monotonic; 0: not */
};

static const uint64_t fake_key[2] = { 1, 2 };

static void fake_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    cr_log_info("%d %s", level, message);
    cr_assert_gt(level, PV_LOG_LEVEL_WARN, "the builder complained: %s", message);
}

static int fake_secret(void *ctx, const char *name, char *buf, size_t cap)
{
    (void)ctx;
    (void)name;
    (void)buf;
    (void)cap;
    return PV_ENOENT;
}

static void fake_text(const struct sdk_batch *b, uint32_t i, unsigned slot, char *out, size_t cap)
{
    size_t len;
    const char *text = sdk_record_text(b, i, slot, &len);

    if (text)
        snprintf(out, cap, "%s", text);
}

static void fake_look(struct fake_host *h, const struct sdk_batch *b, uint32_t i)
{
    if (b->kind->number == PV_KIND_vm && strcmp(sdk_record_native_id(b, i), h->vm) == 0) {
        fake_text(b, i, PV_SLOT(vm, name), h->name, sizeof(h->name));
        fake_text(b, i, PV_SLOT(vm, host), h->host_id, sizeof(h->host_id));
        if (sdk_record_has(b, i, PV_SLOT(vm, power_state)) == SDK_VALUE)
            h->power = sdk_record_number(b, i, PV_SLOT(vm, power_state));
        if (sdk_record_has(b, i, PV_SLOT(vm, activity)) == SDK_VALUE)
            h->activity = sdk_record_number(b, i, PV_SLOT(vm, activity));
        if (sdk_record_has(b, i, PV_SLOT(vm, snapshots_count)) == SDK_VALUE)
            h->snapshots = sdk_record_number(b, i, PV_SLOT(vm, snapshots_count));
    }
    if (b->kind->number == PV_KIND_snapshot && strcmp(sdk_record_owner(b, i), h->vm) == 0)
        snprintf(h->snapshot, sizeof(h->snapshot), "%s", sdk_record_native_id(b, i));
}

static int fake_emit(void *ctx, const struct pv_batch *batch)
{
    struct fake_host *h = ctx;
    struct sdk_batch_faults faults;
    struct sdk_batch *b = NULL;
    struct pv_err err = { 0 };

    pthread_mutex_lock(&h->lock);
    cr_assert_eq(sdk_batch_check(batch, &faults, &b, &err), PV_OK, "%s", err.message);
    cr_assert_eq(faults.records + faults.values, 0u, "%s", faults.first);
    if (b->gone)
        h->gone += b->count;
    for (uint32_t i = 0; i < b->count && !b->gone; i++) {
        h->sum += sdk_record_hash(b, i, fake_key) * (uint64_t)b->kind->number;
        if (*sdk_record_native_id(b, i))
            h->counts[b->kind->number]++;
        fake_look(h, b, i);
    }
    sdk_batch_free(b);
    pthread_mutex_unlock(&h->lock);
    return PV_OK;
}

static int fake_mark(void *ctx, uint32_t mark, const char *cursor)
{
    struct fake_host *h = ctx;

    pthread_mutex_lock(&h->lock);
    h->begins += mark == PV_MARK_FULL_BEGIN;
    h->ends += mark == PV_MARK_FULL_END;
    h->changes += mark == PV_MARK_CHANGES;
    if (cursor)
        snprintf(h->cursor, sizeof(h->cursor), "%s", cursor);
    pthread_mutex_unlock(&h->lock);
    return PV_OK;
}

static int fake_provider(void *ctx, const char *json)
{
    struct fake_host *h = ctx;

    snprintf(h->provider, sizeof(h->provider), "%s", json);
    return PV_OK;
}

static int fake_progress(void *ctx, uint64_t call, const struct pv_progress *p)
{
    struct fake_host *h = ctx;

    (void)call;
    pthread_mutex_lock(&h->lock);
    h->progressed++;
    if (p->native_ref)
        snprintf(h->native_ref, sizeof(h->native_ref), "%s", p->native_ref);
    pthread_mutex_unlock(&h->lock);
    return PV_OK;
}

static int fake_cancelled(void *ctx, uint64_t call)
{
    struct fake_host *h = ctx;
    int yes;

    (void)call;
    pthread_mutex_lock(&h->lock);
    yes = h->cancel || (h->cancel_when_listed && h->ends) ||
          (h->cancel_after_changes && h->changes >= h->cancel_after_changes) ||
          (h->cancel_at_ms && clock_mono_ms() >= h->cancel_at_ms);
    pthread_mutex_unlock(&h->lock);
    return yes;
}

static void fake_host_init(struct fake_host *h)
{
    *h = (struct fake_host){
        .host = {
            .size = sizeof(h->host),
            .ctx = h,
            .log = fake_log,
            .secret = fake_secret,
            .emit = fake_emit,
            .mark = fake_mark,
            .provider = fake_provider,
            .progress = fake_progress,
            .cancelled = fake_cancelled,
        },
        .lock = PTHREAD_MUTEX_INITIALIZER,
    };
}

/* A session with these settings (JSON); the test fails if it does not open. */
static inline void *fake_open(struct fake_host *h, const char *settings)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct pv_failure fail = { .size = sizeof(fail) };
    char config[1024];
    void *session = NULL;

    fake_host_init(h);
    snprintf(config, sizeof(config), "{\"name\":\"demo\",\"settings\":%s}", settings);
    cr_assert_eq(d->open(&h->host, config, &session, &fail), PV_OK, "%s", fail.message);
    return session;
}

/* One full listing. */
static inline void fake_list(struct fake_host *h, void *session)
{
    struct pv_failure fail = { .size = sizeof(fail) };

    h->cancel_when_listed = true;
    cr_assert_eq(pv_driver_entry(PV_ABI_MAJOR)->watch(session, 1, NULL, &fail), PV_ECANCELED);
    h->cancel_when_listed = false;
    cr_assert_eq(h->ends, 1u);
}
