/* SPDX-License-Identifier: Apache-2.0 */
/* Drivers that crash, hang, lie or cannot be loaded: the server and other drivers go on. */
#include <criterion/criterion.h>

#include <dirent.h>

#include "tests/unit/link_recorder.h"

#define CONFIG(what) "{\"name\":\"p\",\"settings\":{\"do\":\"" what "\"}}"

static struct driver_session *open_session(struct drivers *d, const char *driver,
                                           const char *config, struct recorder *r)
{
    struct driver_session *s = NULL;
    struct pv_err err = { 0 };

    recorder_init(r);
    cr_assert_eq(drivers_open(d, driver, config, "{}", &recorder_ops, r, &s, &err), PV_OK, "%s",
                 err.message);
    return s;
}

static const struct driver_info *find(const struct driver_info *list, size_t count,
                                      const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    cr_assert(false, "%s is not listed", name);
    abort();
}

Test(loading, each_driver_that_cannot_be_loaded_is_listed_with_one_sentence, .timeout = 60)
{
    static const struct {
        const char *name, *word;
    } bad[] = {
        { "wrong_major", "made for version 2" }, { "refuses", "refuses" },
        { "misnamed", "calls itself" },          { "bad_schema", "schema" },
        { "lacks_watch", "lacks" },              { "no_entry", "pv_driver_entry" },
        { "crashes_loading", "ends while" },     { "silent_loading", "in time" },
    };
    struct drivers *d = start_registry(BROKEN, DRIVERS_PROCESS);
    struct driver_info *list;
    struct driver_session *s = NULL;
    struct recorder r;
    struct pv_err err = { 0 };
    size_t count = 0;

    cr_assert_not_null(d);
    list = drivers_list(d, &count);
    cr_assert_not_null(list);
    cr_expect_eq(count, 8);
    for (size_t i = 0; i < 8; i++) {
        const struct driver_info *info = find(list, count, bad[i].name);

        cr_expect_eq(info->state, DRIVER_BROKEN, "%s", bad[i].name);
        cr_expect(strstr(info->error, bad[i].word) != NULL, "%s: %s", bad[i].name, info->error);
        cr_expect(info->remedy[0] != '\0', "%s has no remedy", bad[i].name);
    }
    drivers_list_free(list);
    recorder_init(&r);
    cr_expect_eq(drivers_open(d, "misnamed", "{}", "{}", &recorder_ops, &r, &s, &err), PV_EINVAL);
    cr_expect_str_eq(err.problem, "driver-broken");
    cr_expect_eq(drivers_open(d, "nobody", "{}", "{}", &recorder_ops, &r, &s, &err), PV_EINVAL);
    cr_expect_str_eq(err.problem, "driver-unknown");
    cr_expect_eq(drivers_unpark(d, "misnamed", &err), PV_EINVAL);
    cr_expect_eq(drivers_unpark(d, "nobody", &err), PV_ENOENT);
    drivers_stop(d);
}

Test(loading, drivers_describe_themselves, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct driver_info *list;
    size_t count = 0;

    cr_assert_not_null(d);
    list = drivers_list(d, &count);
    cr_assert_not_null(list);
    cr_expect_eq(count, 4);
    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(list[i].state, DRIVER_LOADED, "%s: %s", list[i].name, list[i].error);
        cr_expect_str_eq(list[i].version, "1");
        cr_expect_str_eq(list[i].config_schema, "{}");
        cr_expect_str_eq(list[i].error, "");
    }
    cr_expect_str_eq(list[0].name, "longer");
    cr_expect_str_eq(list[3].name, "unruly");
    cr_expect_str_eq(list[3].operations, "[\"vm.start\"]");
    drivers_list_free(list);
    cr_expect(drivers_implements(d, "unruly", "vm.start"));
    cr_expect_not(drivers_implements(d, "unruly", "vm.stop"));
    cr_expect_not(drivers_implements(d, "nobody", "vm.start"));
    drivers_stop(d);
}

Test(loading, older_and_newer_drivers_work_with_what_they_have, .timeout = 60)
{
    static const char *const names[] = { "shorter", "longer", "no_callbacks" };
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);

    for (size_t i = 0; i < 3; i++) {
        struct recorder r;
        struct driver_session *s = open_session(d, names[i], "{}", &r);

        driver_refresh(s, PV_KIND_vm, "vm-1");
        cr_assert(recorder_wait(&r, &r.results, 1));
        cr_expect_eq(r.failure.code, PV_ENOTSUP, "%s", names[i]);
        driver_call(s, "vm.start", NULL, NULL, NULL, 0);
        cr_assert(recorder_wait(&r, &r.results, 2));
        cr_expect_eq(r.failure.code, PV_ENOTSUP);
        cr_expect_eq(r.downs, 0);
        driver_session_close(s);
    }
    drivers_stop(d);
}

Test(crash, in_any_callback_ends_its_calls_and_nothing_else, .timeout = 120)
{
    static const char *const configs[] = { CONFIG("crash-open"), CONFIG("crash-watch"),
                                           CONFIG("crash-refresh"), CONFIG("nothing") };
    /* Each round in a registry of its own: four crashes park a driver. */
    for (size_t i = 0; i < 4; i++) {
        struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
        struct recorder r, other;
        struct driver_session *s, *o = open_session(d, "no_callbacks", "{}", &other);
        struct pv_err err = { 0 };

        cr_assert(recorder_wait(&other, &other.opened, 1));
        s = open_session(d, "unruly", configs[i], &r);
        driver_watch(s, NULL);
        driver_refresh(s, PV_KIND_vm, "vm-1");
        if (i == 3)
            driver_call(s, "crash", NULL, NULL, NULL, 0);
        cr_assert(recorder_wait(&r, &r.downs, 1), "%s", configs[i]);
        cr_expect_eq(r.down, DRIVER_DOWN_CRASHED);
        cr_expect(strstr(r.down_err.message, "signal 6") != NULL, "%s", r.down_err.message);
        cr_expect_geq(r.results, 1, "open calls end");
        driver_failure_err(&r.failure, &err);
        cr_expect_eq(err.rc, PV_EIO);
        cr_expect_str_eq(err.problem ? err.problem : "", "driver-crashed");
        cr_expect_eq(driver_watch(s, NULL), 0, "a session that is down starts no call");
        driver_session_close(s);
        /* It comes back. */
        s = open_session(d, "unruly", CONFIG("nothing"), &r);
        driver_watch(s, NULL);
        cr_assert(recorder_wait(&r, &r.marks, 1));
        driver_session_close(s);
        /* And the other driver has not noticed. */
        driver_refresh(o, PV_KIND_vm, "x");
        cr_assert(recorder_wait(&other, &other.results, 1));
        cr_expect_eq(other.downs, 0);
        driver_session_close(o);
        drivers_stop(d);
    }
}

Test(crash, when_closing_is_noticed_by_the_other_sessions_only, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r, other;
    struct driver_session *s = open_session(d, "unruly", CONFIG("crash-close"), &r);
    struct driver_session *o = open_session(d, "unruly", CONFIG("nothing"), &other);

    cr_assert(recorder_wait(&r, &r.opened, 1));
    cr_assert(recorder_wait(&other, &other.opened, 1));
    driver_session_close(s);
    cr_assert(recorder_wait(&other, &other.downs, 1));
    driver_session_close(o);
    drivers_stop(d);
}

static void on_probed(void *ctx, uint64_t call, const struct pv_failure *failure,
                      const char *report)
{
    recorder_on_result(ctx, call, failure, report);
}

Test(crash, in_probe_is_its_answer, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;

    recorder_init(&r);
    cr_assert_eq(drivers_probe(d, "unruly", CONFIG("crash-probe"), "{}", on_probed, &r, NULL, NULL),
                 PV_OK);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.failure.code, PV_EIO);
    cr_expect_str_eq(r.failure.problem, "driver-crashed");
    drivers_stop(d);
}

Test(crash, too_often_parks_the_driver_until_somebody_lets_it_go, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct driver_session *s = NULL;
    struct pv_err err = { 0 };
    struct driver_info *list;
    struct recorder r;
    size_t count;

    for (int i = 0; i < 4; i++) {
        s = open_session(d, "unruly", CONFIG("crash-open"), &r);
        cr_assert(recorder_wait(&r, &r.downs, 1));
        cr_expect_eq(r.down, i < 3 ? DRIVER_DOWN_CRASHED : DRIVER_DOWN_PARKED);
        driver_session_close(s);
    }
    cr_expect_eq(r.down_err.rc, PV_EOFFLINE);
    cr_expect_eq(drivers_open(d, "unruly", "{}", "{}", &recorder_ops, &r, &s, &err), PV_EOFFLINE);
    cr_expect_str_eq(err.problem, "driver-parked");
    list = drivers_list(d, &count);
    cr_expect_eq(find(list, count, "unruly")->state, DRIVER_PARKED);
    drivers_list_free(list);
    cr_expect_eq(drivers_unpark(d, "unruly", &err), PV_OK);
    s = open_session(d, "unruly", CONFIG("nothing"), &r);
    cr_assert(recorder_wait(&r, &r.opened, 1));
    driver_session_close(s);
    drivers_stop(d);
}

Test(hang, a_call_that_ignores_its_cancel_costs_the_host_its_life, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);
    uint64_t call = driver_call(s, "hang", NULL, NULL, NULL, 0);

    cr_assert(recorder_wait(&r, &r.progresses, 1));
    driver_cancel(s, call);
    cr_assert(recorder_wait(&r, &r.downs, 1));
    cr_expect_eq(r.results, 1);
    cr_expect(strstr(r.down_err.message, "cancel") != NULL, "%s", r.down_err.message);
    driver_session_close(s);
    drivers_stop(d);
}

Test(hang, a_session_that_does_not_close_and_one_that_does_not_open_are_ended_too, .timeout = 60)
{
    static const char *const configs[] = { CONFIG("hang-close"), CONFIG("hang-open"),
                                           CONFIG("hang-watch") };

    for (size_t i = 0; i < 3; i++) {
        struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
        struct recorder r, other;
        struct driver_session *o = open_session(d, "unruly", CONFIG("nothing"), &other);
        struct driver_session *s;

        cr_assert(recorder_wait(&other, &other.opened, 1));
        s = open_session(d, "unruly", configs[i], &r);
        driver_watch(s, NULL);
        if (i != 1)
            cr_assert(recorder_wait(&r, &r.marks, 1));
        driver_session_close(s);
        cr_assert(recorder_wait(&other, &other.downs, 1), "%s", configs[i]);
        driver_session_close(o);
        drivers_stop(d);
    }
}

Test(hang, does_not_hold_up_the_end_of_the_server, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("hang-watch"), &r);

    driver_watch(s, NULL);
    cr_assert(recorder_wait(&r, &r.marks, 1));
    drivers_stop(d);    /* with a session that nobody has closed */
    cr_expect_eq(r.downs, 0);
}

Test(lies, a_batch_with_offsets_past_its_blob_arrives_as_it_is, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("bad-batch"), &r);

    driver_watch(s, NULL);
    cr_assert(recorder_wait(&r, &r.marks, 1));
    cr_expect_eq(r.batches, 1, "who reads it checks it");
    driver_session_close(s);
    drivers_stop(d);
}

Test(lies, a_watch_that_returns_without_a_reason_is_a_failure, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("return-watch"), &r);

    driver_watch(s, NULL);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_eq(r.failure.code, PV_EIO);
    driver_session_close(s);
    drivers_stop(d);
}

static size_t descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

Test(leaks, of_a_driver_stay_in_its_host, .timeout = 60)
{
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;
    struct driver_session *s = open_session(d, "unruly", CONFIG("nothing"), &r);
    size_t before;

    cr_assert(recorder_wait(&r, &r.opened, 1));
    driver_session_close(s);
    before = descriptors();
    for (int i = 0; i < 10; i++) {
        s = open_session(d, "unruly", CONFIG("leak"), &r);
        cr_assert(recorder_wait(&r, &r.opened, 1));
        cr_expect_eq(r.open_failure.code, PV_OK);
        driver_session_close(s);
    }
    cr_expect_eq(descriptors(), before);
    drivers_stop(d);
}
