/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations, refreshes and a feed with churn in one session at once. Built with the thread
 * sanitizer it finds races; in every build it checks each batch and that nobody fails in a way that
 * cannot be.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <polyvisor/err.h>

#include "drivers/sdk/check.h"
#include "drivers/sim/sim.h"

#define VMS 30
#define CALLERS 4
#define ROUNDS 300

static _Atomic unsigned bad, batches, done;

static int secret(void *ctx, const char *name, char *buf, size_t cap)
{
    (void)ctx;
    (void)name;
    (void)buf;
    (void)cap;
    return PV_ENOENT;
}

static void say(void *ctx, int level, const char *message)
{
    (void)ctx;
    if (level <= PV_LOG_LEVEL_WARN) {
        fprintf(stderr, "%s\n", message);
        bad++;
    }
}

static int emit(void *ctx, const struct pv_batch *batch)
{
    struct sdk_batch_faults faults;
    struct sdk_batch *b = NULL;
    struct pv_err err = { 0 };

    (void)ctx;
    if (sdk_batch_check(batch, &faults, &b, &err) != PV_OK || faults.records + faults.values) {
        fprintf(stderr, "%s%s\n", err.message, faults.first);
        bad++;
    }
    sdk_batch_free(b);
    batches++;
    return PV_OK;
}

static int mark(void *ctx, uint32_t kind, const char *cursor)
{
    (void)ctx;
    (void)kind;
    (void)cursor;
    return PV_OK;
}

static int provider(void *ctx, const char *json)
{
    (void)ctx;
    (void)json;
    return PV_OK;
}

static int progress(void *ctx, uint64_t call, const struct pv_progress *p)
{
    (void)ctx;
    (void)call;
    (void)p;
    return PV_OK;
}

/* Only watch() is cancelled, when all callers are through. */
static int cancelled(void *ctx, uint64_t call)
{
    (void)ctx;
    return call == 1 && done == CALLERS;
}

static const struct pv_host host = {
    .size = sizeof(host),
    .log = say,
    .secret = secret,
    .emit = emit,
    .mark = mark,
    .provider = provider,
    .progress = progress,
    .cancelled = cancelled,
};

static void *feed(void *session)
{
    struct pv_failure fail = { .size = sizeof(fail) };

    if (pv_driver_entry(PV_ABI_MAJOR)->watch(session, 1, NULL, &fail) != PV_ECANCELED)
        bad++;
    return NULL;
}

static void *operate(void *session)
{
    static const char *const operations[] = { "vm.start",           "vm.stop",
                                              "vm.reset",           "vm.suspend",
                                              "vm.snapshot.create", "vm.resume" };
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    char subject[64], id[32];

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct pv_failure fail = { .size = sizeof(fail) };
        char *result = NULL;
        int rc;

        snprintf(id, sizeof(id), "vm-%u", 1001 + i * 7 % VMS);
        snprintf(subject, sizeof(subject), "{\"native_id\":\"%s\"}", id);
        rc = d->call(session, 2, operations[i % 6], subject, "{\"name\":\"a\",\"force\":true}",
                     NULL, 0, &result, &fail);
        if (rc != PV_OK && rc != PV_ESTATE && rc != PV_EBUSY && rc != PV_ENOENT &&
            rc != PV_ENOTSUP && rc != PV_EQUOTA)
            bad++;
        d->free_text(result);
        rc = d->refresh(session, 3, PV_KIND_vm, id, &fail);
        if (rc != PV_OK && rc != PV_ENOENT)
            bad++;
    }
    done++;
    return NULL;
}

int main(void)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct pv_failure fail = { .size = sizeof(fail) };
    pthread_t feeder, callers[CALLERS];
    void *session;

    if (d->open(&host,
                "{\"settings\":{\"vms\":30,\"hosts\":6,\"change_rate\":2000,\"churn\":true,"
                "\"speed\":500}}",
                &session, &fail) != PV_OK)
        return EXIT_FAILURE;
    pthread_create(&feeder, NULL, feed, session);
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_create(&callers[i], NULL, operate, session);
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    pthread_join(feeder, NULL);
    d->close(session);
    printf("%u batches, %u faults\n", batches, bad);
    return bad || !batches ? EXIT_FAILURE : EXIT_SUCCESS;
}
