/* SPDX-License-Identifier: Apache-2.0 */
/* One sign-in at a time, none after a refusal. */
#include <criterion/criterion.h>

#include <pthread.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "drivers/wmi/auth_gate.h"
#include "drivers/wmi/wsman.h"

#define THREADS 8

static struct {
    struct auth_gate *gate;
    _Atomic unsigned inside, most, entered, refused;
    bool wrong;
} test;

static void *sign_in(void *arg)
{
    int64_t deadline_ms = clock_mono_ms() + 60000;
    struct pv_err err = { 0 };
    unsigned now;

    (void)arg;
    if (auth_gate_enter(test.gate, NULL, deadline_ms, &err) != PV_OK) {
        cr_expect_str_eq(err.message, "no");
        test.refused++;
        return NULL;
    }
    now = ++test.inside;
    if (now > test.most)
        test.most = now;
    test.entered++;
    clock_sleep_ms(20);
    test.inside--;
    if (test.wrong) {
        (void)pv_fail(&err, PV_EAUTH, "no");
        auth_gate_refuse(test.gate, &err);
    }
    auth_gate_leave(test.gate, !test.wrong);
    return NULL;
}

static void rush(bool wrong)
{
    pthread_t threads[THREADS];

    test.gate = auth_gate_new();
    test.wrong = wrong;
    for (unsigned i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, sign_in, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

Test(wmi_gate, all_pass_one_after_the_other, .timeout = 60)
{
    rush(false);
    cr_expect_eq(test.entered, THREADS);
    cr_expect_eq(test.most, 1u);
    cr_expect(auth_gate_is_proven(test.gate));
    auth_gate_free(test.gate);
}

Test(wmi_gate, who_waits_while_one_is_refused_does_not_try, .timeout = 60)
{
    struct pv_err err = { 0 };

    rush(true);
    cr_expect_eq(test.entered, 1u);
    cr_expect_eq(test.refused, THREADS - 1u);
    cr_expect_eq(auth_gate_check(test.gate, &err), PV_EAUTH);
    cr_expect_str_eq(err.message, "no");
    cr_expect_not(auth_gate_is_proven(test.gate));
    auth_gate_free(test.gate);
}

Test(wmi_gate, a_sign_in_that_broke_off_leaves_the_way_free, .timeout = 60)
{
    test.gate = auth_gate_new();
    cr_assert_eq(auth_gate_enter(test.gate, NULL, clock_mono_ms() + 60000, NULL), PV_OK);
    auth_gate_leave(test.gate, false);
    cr_expect_not(auth_gate_is_proven(test.gate));
    cr_expect_eq(auth_gate_enter(test.gate, NULL, clock_mono_ms() + 60000, NULL), PV_OK);
    cr_expect_eq(auth_gate_enter(test.gate, NULL, clock_mono_ms(), NULL), PV_ETIMEOUT);
    auth_gate_leave(test.gate, true);
    cr_expect(auth_gate_is_proven(test.gate));
    auth_gate_free(test.gate);
}
