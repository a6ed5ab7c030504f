/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link_recorder - a session's callbacks that remember what came, and wait for it.
 *
 * Waits end when the awaited has happened or after 20 s, which only a fault reaches.
 */
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "server/drivers/registry.h"

struct recorder {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    int store_rc;           /* what becomes of a native reference; the test's to set before the call */
    unsigned refs;
    unsigned opened, batches, records, marks, facts, progresses, results, downs, inside;
    bool overlapped;
    bool hold;                  /* on_batch waits while set */
    int answer;                 /* of on_batch */
    struct pv_failure open_failure, failure;
    uint64_t result_call;
    char result[1024], cursor[128], native_ref[128];
    int percent;
    enum driver_down down;
    struct pv_err down_err;
    unsigned batches_at_result;
};

static inline void recorder_init(struct recorder *r)
{
    pthread_condattr_t attr;

    memset(r, 0, sizeof(*r));
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
}

static inline void recorder_enter(struct recorder *r)
{
    pthread_mutex_lock(&r->lock);
    if (r->inside++)
        r->overlapped = true;
}

static inline void recorder_leave(struct recorder *r)
{
    r->inside--;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static inline void recorder_on_open(void *ctx, const struct pv_failure *failure)
{
    struct recorder *r = ctx;

    recorder_enter(r);
    r->open_failure = *failure;
    r->opened++;
    recorder_leave(r);
}

static inline int recorder_on_batch(void *ctx, const struct pv_batch *batch)
{
    struct recorder *r = ctx;
    int rc;

    recorder_enter(r);
    r->batches++;
    r->records += batch->count;
    pthread_cond_broadcast(&r->changed);
    while (r->hold)
        pthread_cond_wait(&r->changed, &r->lock);
    rc = r->answer;
    recorder_leave(r);
    return rc;
}

static inline void recorder_on_mark(void *ctx, enum pv_mark mark, const char *cursor)
{
    struct recorder *r = ctx;

    (void)mark;
    recorder_enter(r);
    r->marks++;
    str_copy(r->cursor, sizeof(r->cursor), cursor ? cursor : "");
    recorder_leave(r);
}

static inline void recorder_on_provider(void *ctx, const char *json)
{
    struct recorder *r = ctx;

    (void)json;
    recorder_enter(r);
    r->facts++;
    recorder_leave(r);
}

static inline int recorder_on_progress(void *ctx, uint64_t call, const struct pv_progress *p)
{
    struct recorder *r = ctx;
    int rc;

    (void)call;
    recorder_enter(r);
    r->progresses++;
    r->percent = p->percent;
    rc = p->native_ref ? r->store_rc : PV_OK;
    if (p->native_ref) {
        r->refs++;
        str_copy(r->native_ref, sizeof(r->native_ref), p->native_ref);
    }
    recorder_leave(r);
    return rc;
}

static inline void recorder_on_result(void *ctx, uint64_t call, const struct pv_failure *failure,
                                      const char *result)
{
    struct recorder *r = ctx;

    recorder_enter(r);
    r->results++;
    r->result_call = call;
    r->failure = *failure;
    r->batches_at_result = r->batches;
    str_copy(r->result, sizeof(r->result), result ? result : "");
    recorder_leave(r);
}

static inline void recorder_on_down(void *ctx, enum driver_down reason, const struct pv_err *err)
{
    struct recorder *r = ctx;

    recorder_enter(r);
    r->downs++;
    r->down = reason;
    r->down_err = *err;
    recorder_leave(r);
}

static const struct driver_session_ops recorder_ops = {
    .on_open = recorder_on_open,
    .on_batch = recorder_on_batch,
    .on_mark = recorder_on_mark,
    .on_provider = recorder_on_provider,
    .on_progress = recorder_on_progress,
    .on_result = recorder_on_result,
    .on_down = recorder_on_down,
};

/* Until *value (a member of r) has reached `least`; false after 20 s. */
static inline bool recorder_wait(struct recorder *r, const unsigned *value, unsigned least)
{
    struct timespec until;
    bool there;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&r->lock);
    while (*value < least && rc == 0)
        rc = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    there = *value >= least;
    pthread_mutex_unlock(&r->lock);
    return there;
}

/* A file of the build, seen from this program: build/tests/unit/<program>. */
static inline void built_path(char *out, size_t cap, const char *below)
{
    char self[2048];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    self[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 3; i++) {
        char *slash = strrchr(self, '/');

        if (slash)
            *slash = '\0';
    }
    snprintf(out, cap, "%s/%s", self, below);
}

/* The registry over the misbehaving plugins (or the real drivers), with short times; `cancel_ms`: how long a call may
 * go on after its cancel. */
static inline struct drivers *start_patient_registry(const char *folder,
                                                     enum drivers_isolation isolation,
                                                     unsigned cancel_ms)
{
    char dir[2304], program[2304];
    struct drivers_config cfg = {
        .dir = dir, .host_program = program, .isolation = isolation,
        .timing = { .hello_ms = 3000, .restart_first_ms = 20, .restart_most_ms = 100,
                    .crashes = 4, .cancel_ms = cancel_ms, .stop_ms = 3000 },
    };
    struct drivers *d = NULL;
    struct pv_err err = { 0 };

    built_path(dir, sizeof(dir), folder);
    built_path(program, sizeof(program), "bin/polyvisor-driverhost");
    if (drivers_start(&cfg, &d, &err) != PV_OK)
        fprintf(stderr, "drivers_start: %s\n", err.message);
    return d;
}

static inline struct drivers *start_registry(const char *folder, enum drivers_isolation isolation)
{
    return start_patient_registry(folder, isolation, 300);
}

#define PLUGINS "tests/abi/plugins"
#define BROKEN "tests/abi/broken"
#define REAL "lib/polyvisor/drivers"
