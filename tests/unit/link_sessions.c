/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions with drivers that behave, in hosts and in process. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/unit/link_recorder.h"

#define CONFIG(what) "{\"name\":\"p\",\"settings\":{\"do\":\"" what "\"}}"
#define SECRETS "{\"password\":\"open sesame\"}"

static enum drivers_isolation both[] = { DRIVERS_PROCESS, DRIVERS_IN_PROCESS };
#define FOR_BOTH(suite, name)                                                                      \
    ParameterizedTestParameters(suite, name)                                                       \
    {                                                                                              \
        return cr_make_param_array(enum drivers_isolation, both, 2);                               \
    }                                                                                              \
    ParameterizedTest(enum drivers_isolation *isolation, suite, name, .timeout = 60)

static struct driver_session *open_session(struct drivers *d, const char *driver,
                                           const char *config, struct recorder *r)
{
    struct driver_session *s = NULL;
    struct pv_err err = { 0 };

    recorder_init(r);
    cr_assert_eq(drivers_open(d, driver, config, SECRETS, &recorder_ops, r, &s, &err), PV_OK, "%s",
                 err.message);
    return s;
}

FOR_BOTH(session, reports_refreshes_and_ends_on_cancel)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);
    uint64_t watch = driver_watch(s, "cursor-3"), refresh;

    cr_assert_neq(watch, 0);
    cr_assert(recorder_wait(&r, &r.marks, 1));
    cr_expect_eq(r.opened, 1);
    cr_expect_eq(r.open_failure.code, PV_OK);
    cr_expect_eq(r.batches, 1);
    cr_expect_eq(r.facts, 1);
    cr_expect_str_eq(r.cursor, "cursor-3");
    refresh = driver_refresh(s, PV_KIND_vm, "vm-1");
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.result_call, refresh);
    cr_expect_eq(r.failure.code, PV_OK);
    cr_expect_eq(r.batches_at_result, 2, "what a call emitted comes before its result");
    driver_refresh(s, PV_KIND_vm, "vm-2");
    cr_assert(recorder_wait(&r, &r.results, 2));
    cr_expect_eq(r.failure.code, PV_ENOENT);
    cr_expect_str_eq(r.failure.message, "no such VM");
    driver_cancel(s, watch);
    cr_assert(recorder_wait(&r, &r.results, 3));
    cr_expect_eq(r.result_call, watch);
    cr_expect_eq(r.failure.code, PV_ECANCELED);
    cr_expect_not(r.overlapped);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, calls_get_their_arguments_and_secrets)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);
    uint64_t call = driver_call(s, "vm.start", "{\"kind\":\"vm\"}", "{\"a\":1}", "job-1", 1);

    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.result_call, call);
    cr_expect_str_eq(r.result, "{\"operation\":\"vm.start\",\"args\":{\"a\":1},\"ref\":\"job-1\","
                               "\"flags\":1,\"secret\":\"open sesame\"}");
    driver_call(s, "odd", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&r, &r.results, 2));
    cr_expect_eq(r.failure.code, PV_EINTERNAL);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, keeps_the_job_reference_and_the_newest_progress)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);

    driver_call(s, "steps", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_geq(r.progresses, 1);
    cr_expect_eq(r.percent, 99);
    cr_expect_str_eq(r.native_ref, "job-7");
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, a_driver_learns_whether_its_job_reference_is_stored)
{
    char wanted[64];
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);

    driver_call(s, "tell", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_str_eq(r.result, "{\"told\":0,\"again\":0}");
    cr_expect_eq(r.refs, 1, "what is stored is not told again");
    r.store_rc = PV_EIO;
    driver_call(s, "tell", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&r, &r.results, 2));
    cr_expect_eq(r.refs, 3, "what is not stored is");
    snprintf(wanted, sizeof(wanted), "{\"told\":%d,\"again\":%d}", PV_EIO, PV_EIO);
    cr_expect_str_eq(r.result, wanted);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, a_job_that_is_followed_is_not_told_again)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);

    driver_call(s, "tell", NULL, NULL, "job-7", 0);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.refs, 0);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, a_driver_that_is_faster_than_the_server_waits)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("flood"), &r);
    uint64_t watch;

    r.hold = true;
    watch = driver_watch(s, NULL);
    cr_assert(recorder_wait(&r, &r.batches, 1));
    usleep(100000);
    cr_expect_eq(r.batches, 1, "no second callback while the first one runs");
    pthread_mutex_lock(&r.lock);
    r.hold = false;
    pthread_cond_broadcast(&r.changed);
    pthread_mutex_unlock(&r.lock);
    cr_assert(recorder_wait(&r, &r.batches, 200));
    pthread_mutex_lock(&r.lock);
    r.answer = PV_EINVAL;
    pthread_mutex_unlock(&r.lock);
    cr_assert(recorder_wait(&r, &r.results, 1), "a refused batch is told to the driver");
    cr_expect_eq(r.result_call, watch);
    cr_expect_eq(r.failure.code, PV_EINVAL);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, large_batches_travel_too)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("large"), &r);

    driver_watch(s, NULL);
    cr_assert(recorder_wait(&r, &r.marks, 1));
    cr_expect_eq(r.records, 4000);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, close_waits_for_callbacks_and_nothing_comes_after)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder *r = malloc(sizeof(*r));
    struct driver_session *s = open_session(d, "unruly", CONFIG("flood"), r);

    driver_watch(s, NULL);
    cr_assert(recorder_wait(r, &r->batches, 20));
    driver_session_close(s);
    memset(r, 0xee, sizeof(*r));
    free(r); /* a later callback would be a use after free */
    drivers_stop(d);
}

FOR_BOTH(session, a_failed_open_says_why_and_its_calls_end)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("fail-open"), &r);
    struct pv_err err = { 0 };

    driver_watch(s, NULL);
    cr_assert(recorder_wait(&r, &r.opened, 1));
    cr_expect_eq(r.open_failure.code, PV_EAUTH);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.failure.code, PV_EAUTH);
    cr_expect_eq(driver_failure_err(&r.open_failure, &err), PV_EAUTH);
    cr_expect_str_eq(err.message, "wrong password");
    cr_expect_str_eq(err.remedy, "do better");
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, a_call_that_follows_a_job_is_asked_even_if_it_is_cancelled_before_it_begins)
{
    struct drivers *d = start_patient_registry(PLUGINS, *isolation, 30000);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("slow-open"), &r);
    uint64_t call = driver_call(s, "vm.start", "null", "{}", "job-1", 0);

    driver_cancel(s, call);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.result_call, call);
    cr_expect_eq(r.failure.code, PV_OK, "the driver alone knows what became of the job");
    cr_expect(strstr(r.result, "job-1"), "%s", r.result);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, a_second_watch_is_refused_and_the_first_goes_on)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);
    uint64_t first = driver_watch(s, NULL), second = driver_watch(s, NULL);

    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.result_call, second);
    cr_expect_eq(r.failure.code, PV_EBUSY);
    driver_cancel(s, first);
    cr_assert(recorder_wait(&r, &r.results, 2));
    cr_expect_eq(r.result_call, first);
    driver_session_close(s);
    drivers_stop(d);
}

FOR_BOTH(session, whoever_hears_that_a_watch_is_over_may_begin_the_next)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);

    for (unsigned i = 1; i <= 300; i++) {
        uint64_t watch = driver_watch(s, NULL);

        driver_cancel(s, watch);
        cr_assert(recorder_wait(&r, &r.results, i));
        cr_assert_eq(r.result_call, watch);
        cr_assert_eq(r.failure.code, PV_ECANCELED, "watch %u: %s", i, r.failure.message);
    }
    driver_session_close(s);
    drivers_stop(d);
}

static void on_probed(void *ctx, uint64_t call, const struct pv_failure *failure,
                      const char *report)
{
    recorder_on_result(ctx, call, failure, report);
}

FOR_BOTH(probe, answers_once_and_can_be_cancelled)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct recorder r;
    uint64_t call = 0;

    recorder_init(&r);
    cr_assert_eq(drivers_probe(d, "unruly", CONFIG("nothing"), SECRETS, on_probed, &r, &call, NULL),
                 PV_OK);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.result_call, call);
    cr_expect(strstr(r.result, "fine") != NULL, "%s", r.result);
    cr_assert_eq(
        drivers_probe(d, "unruly", CONFIG("wait-probe"), SECRETS, on_probed, &r, &call, NULL),
        PV_OK);
    drivers_probe_cancel(d, call);
    cr_assert(recorder_wait(&r, &r.results, 2));
    cr_expect_eq(r.failure.code, PV_ECANCELED);
    /* One that is still running when the registry ends is told, too. */
    cr_assert_eq(
        drivers_probe(d, "unruly", CONFIG("wait-probe"), SECRETS, on_probed, &r, &call, NULL),
        PV_OK);
    drivers_stop(d);
    cr_expect_eq(r.results, 3);
    cr_expect_eq(r.failure.code, PV_ECANCELED);
}

FOR_BOTH(session, two_hundred_at_once_share_four_threads)
{
    struct drivers *d = start_registry(REAL, *isolation);
    struct recorder *r = calloc(200, sizeof(*r));
    struct driver_session *s[200];

    for (int i = 0; i < 200; i++) {
        s[i] = open_session(d, "example", "{\"name\":\"p\"}", &r[i]);
        cr_assert_neq(driver_watch(s[i], NULL), 0);
    }
    for (int i = 0; i < 200; i++)
        cr_assert(recorder_wait(&r[i], &r[i].marks, 2), "session %d", i);
    for (int i = 0; i < 200; i++) {
        cr_expect_eq(r[i].records, 1 + 2 + 2 + 2);
        driver_session_close(s[i]);
    }
    drivers_stop(d);
    free(r);
}

/* Closes its own session from within a callback. */
struct closer {
    struct recorder r;
    struct driver_session *s;
};

static void close_on_result(void *ctx, uint64_t call, const struct pv_failure *failure,
                            const char *result)
{
    struct closer *c = ctx;

    driver_session_close(c->s);
    recorder_on_result(&c->r, call, failure, result);
}

FOR_BOTH(session, may_be_closed_from_its_own_callback)
{
    struct drivers *d = start_registry(PLUGINS, *isolation);
    struct driver_session_ops ops = recorder_ops;
    struct closer c = { .s = NULL };

    ops.on_result = close_on_result;
    recorder_init(&c.r);
    cr_assert_eq(drivers_open(d, "unruly", CONFIG("flood"), SECRETS, &ops, &c, &c.s, NULL), PV_OK);
    driver_call(c.s, "vm.start", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&c.r, &c.r.results, 1));
    drivers_stop(d);
    cr_expect_eq(c.r.results, 1);
    cr_expect_eq(c.r.downs, 0);
}
