/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that open, use and close sessions with the example driver at the same time; for ThreadSanitizer.
 * Exit code 0: every round ended as it should. */
#include <stdatomic.h>

#include "tests/unit/link_recorder.h"

#define THREADS 4
#define ROUNDS 40

static atomic_uint faults;

struct user {
    pthread_t thread;
    struct drivers *d;
    unsigned number;
};

static void expect(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "stress: %s\n", what);
    atomic_fetch_add(&faults, 1);
}

static void on_probed(void *ctx, uint64_t call, const struct pv_failure *failure,
                      const char *report)
{
    recorder_on_result(ctx, call, failure, report);
}

static void use_session(struct drivers *d, unsigned round)
{
    static const char subject[] = "{\"kind\":\"vm\",\"native_id\":\"vm-1\"}";
    struct recorder r, probe;
    struct driver_session *s = NULL;
    uint64_t watch;

    recorder_init(&r);
    recorder_init(&probe);
    if (drivers_open(d, "example", "{\"name\":\"p\"}", "{}", &recorder_ops, &r, &s, NULL)) {
        expect(false, "a session cannot be opened");
        return;
    }
    watch = driver_watch(s, NULL);
    driver_call(s, "vm.stop", subject, "{}", NULL, 0);
    driver_call(s, "vm.start", subject, "{}", NULL, 0);
    driver_refresh(s, PV_KIND_vm, "vm-2");
    expect(drivers_probe(d, "example", "{}", "{}", on_probed, &probe, NULL, NULL) == PV_OK,
           "a probe cannot be started");
    /* Every third one is closed in the middle of everything. */
    if (round % 3 != 0) {
        expect(recorder_wait(&r, &r.results, 3), "calls do not end");
        expect(recorder_wait(&r, &r.marks, 2), "the listing does not end");
        driver_cancel(s, watch);
        expect(recorder_wait(&r, &r.results, 4), "the watch does not end");
        expect(r.opened == 1 && r.downs == 0, "the session is not well");
    }
    driver_session_close(s);
    expect(!r.overlapped, "callbacks overlap");
    expect(recorder_wait(&probe, &probe.results, 1), "a probe does not end");
}

static void *use(void *arg)
{
    const struct user *u = arg;

    for (unsigned i = 0; i < ROUNDS && atomic_load(&faults) == 0; i++) {
        struct driver_info *list;
        size_t count = 0;

        use_session(u->d, u->number + i);
        list = drivers_list(u->d, &count);
        expect(list && count > 0, "drivers are not listed");
        drivers_list_free(list);
    }
    return NULL;
}

static void run(enum drivers_isolation isolation)
{
    struct drivers *d = start_registry(REAL, isolation);
    struct user users[THREADS];

    if (!d) {
        expect(false, "the registry does not start");
        return;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        users[i] = (struct user){ .d = d, .number = i };
        if (pthread_create(&users[i].thread, NULL, use, &users[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(users[i].thread, NULL);
    drivers_stop(d);
}

/* One driver crashes again and again while others use another one. */
static void *crash_again(void *arg)
{
    static const char *const configs[] = { "{\"do\":\"crash-open\"}", "{\"do\":\"crash-watch\"}",
                                           "{\"do\":\"crash-close\"}" };
    struct drivers *d = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        struct driver_session *s = NULL;
        struct recorder r;

        recorder_init(&r);
        if (drivers_open(d, "unruly", configs[i % 3], "{}", &recorder_ops, &r, &s, NULL)) {
            expect(drivers_unpark(d, "unruly", NULL) == PV_OK, "a driver stays parked");
            continue;
        }
        driver_watch(s, NULL);
        /* The one that crashes when closing is closed at once; the others' crash has to be told. */
        if (i % 3 != 2)
            expect(recorder_wait(&r, &r.downs, 1), "a crash is not told");
        driver_session_close(s);
    }
    return NULL;
}

static void *refresh_again(void *arg)
{
    struct drivers *d = arg;
    struct driver_session *s = NULL;
    struct recorder r;

    recorder_init(&r);
    expect(drivers_open(d, "no_callbacks", "{}", "{}", &recorder_ops, &r, &s, NULL) == PV_OK,
           "the other driver cannot be used");
    for (unsigned i = 1; s && i <= 10 * ROUNDS; i++) {
        driver_refresh(s, PV_KIND_vm, "x");
        expect(recorder_wait(&r, &r.results, i), "the other driver does not answer");
    }
    expect(r.downs == 0, "the other driver has noticed a crash");
    driver_session_close(s);
    return NULL;
}

static void run_crashes(void)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    pthread_t crashing[2], refreshing[2];

    if (!d) {
        expect(false, "the registry does not start");
        return;
    }
    for (int i = 0; i < 2; i++)
        if (pthread_create(&crashing[i], NULL, crash_again, d) != 0 ||
            pthread_create(&refreshing[i], NULL, refresh_again, d) != 0)
            abort();
    for (int i = 0; i < 2; i++) {
        pthread_join(crashing[i], NULL);
        pthread_join(refreshing[i], NULL);
    }
    drivers_stop(d);
}

int main(void)
{
    log_open("stress", PV_LOG_ERROR);
    run(DRIVERS_IN_PROCESS);
    run(DRIVERS_PROCESS);
    run_crashes();
    printf("%u faults\n", atomic_load(&faults));
    return atomic_load(&faults) ? 1 : 0;
}
