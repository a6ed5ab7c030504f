/* SPDX-License-Identifier: Apache-2.0 */
/* What a driver cannot do in its host. Sanitizers need some of it, so the filter is tested in other builds. */
#include <criterion/criterion.h>

#include "tests/unit/link_recorder.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

#define SECRETS "{\"password\":\"open sesame\"}"

static struct driver_session *open_session(struct drivers *d, struct recorder *r)
{
    struct driver_session *s = NULL;

    recorder_init(r);
    cr_assert_eq(drivers_open(d, "unruly", "{}", SECRETS, &recorder_ops, r, &s, NULL), PV_OK);
    cr_assert(recorder_wait(r, &r->opened, 1));
    return s;
}

Test(sandbox, a_driver_starts_no_process_and_no_other_program, .timeout = 60)
{
#ifdef SANITIZED
    cr_skip_test("sanitizers need what the filter forbids");
#endif
    struct drivers *d = start_registry(PLUGINS, DRIVERS_PROCESS);
    struct recorder r;
    struct driver_session *s = open_session(d, &r);

    driver_call(s, "fork", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&r, &r.results, 1));
    cr_expect_str_eq(r.result, "{\"forked\":false}");
    driver_call(s, "exec", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&r, &r.downs, 1));
    cr_expect(strstr(r.down_err.message, "signal 31") != NULL, "%s", r.down_err.message);
    driver_session_close(s);
    drivers_stop(d);
}

Test(sandbox, a_secret_that_a_driver_logs_is_hidden, .timeout = 60)
{
    int saved = dup(2), pair[2];
    struct drivers *d;
    struct driver_session *s;
    struct recorder r;
    char line[4096] = "";
    ssize_t n;

    log_open("test", PV_LOG_INFO);
    d = start_registry(PLUGINS, DRIVERS_PROCESS);
    s = open_session(d, &r);
    cr_assert_eq(pipe(pair), 0);
    cr_assert_geq(dup2(pair[1], 2), 0);
    driver_call(s, "log-secret", NULL, NULL, NULL, 0);
    cr_expect(recorder_wait(&r, &r.results, 1));
    cr_assert_geq(dup2(saved, 2), 0);
    n = read(pair[0], line, sizeof(line) - 1);
    cr_assert_gt(n, 0);
    cr_expect(strstr(line, "the password is ***********") != NULL, "%s", line);
    cr_expect(strstr(line, "sesame") == NULL);
    driver_session_close(s);
    drivers_stop(d);
    close(pair[0]);
    close(pair[1]);
    close(saved);
}
