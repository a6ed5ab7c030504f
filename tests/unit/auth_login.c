/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth_fixture.h"

#include <pthread.h>

TestSuite(auth_login, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static char cookie[44];
static struct auth_identity who;

static int login(const char *name, const char *password, const char *address)
{
    return auth_login(auth, name, password, NULL, address, "test", NULL, cookie, &who, &err);
}

Test(auth_login, a_right_password_gives_a_cookie_that_identifies)
{
    struct pv_id id = make_user("ann", PV_ROLE_OPERATOR);
    struct auth_identity seen;

    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK, "%s", err.message);
    cr_assert_eq(strlen(cookie), 43);
    cr_assert_eq(strlen(who.csrf), 43);
    cr_assert_eq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK, "%s", err.message);
    cr_assert(id_eq(&seen.user, &id) && seen.by_cookie);
    cr_assert_str_eq(seen.name, "ann");
    cr_assert_str_eq(seen.csrf, who.csrf);
}

Test(auth_login, wrong_unknown_and_disabled_are_told_alike)
{
    struct pv_id id = make_user("bob", PV_ROLE_VIEWER);
    char first[512];

    cr_assert_neq(login("bob", "something else entirely", "10.0.0.1"), PV_OK);
    cr_assert(problem_is("unauthenticated"));
    str_copy(first, sizeof(first), err.message);
    cr_assert_neq(login("nobody", GOOD_PASSWORD, "10.0.0.2"), PV_OK);
    cr_assert_str_eq(err.message, first);
    cr_assert_eq(auth_user_change(auth, &id, NULL, NULL, PV_ROLE_NONE, 0, &err), PV_OK, "%s",
                 err.message);
    cr_assert_neq(login("bob", GOOD_PASSWORD, "10.0.0.3"), PV_OK);
    cr_assert_str_eq(err.message, first);
}

Test(auth_login, every_attempt_costs_one_scrypt)
{
    unsigned before;

    make_user("ann", PV_ROLE_VIEWER);
    before = atomic_load(&auth->scrypt_runs);
    login("ann", GOOD_PASSWORD, "10.0.0.1");
    cr_assert_eq(atomic_load(&auth->scrypt_runs), before + 1);
    login("ann", "wrong wrong wrong", "10.0.0.1");
    cr_assert_eq(atomic_load(&auth->scrypt_runs), before + 2);
    login("nobody at all", GOOD_PASSWORD, "10.0.0.1");
    cr_assert_eq(atomic_load(&auth->scrypt_runs), before + 3);
}

static int fail_times(const char *name, const char *address, int times)
{
    int looked_at = 0;

    for (int i = 0; i < times; i++) {
        unsigned before = atomic_load(&auth->scrypt_runs);

        cr_assert_neq(login(name, "wrong wrong wrong", address), PV_OK);
        looked_at += atomic_load(&auth->scrypt_runs) > before;
    }
    return looked_at;
}

Test(auth_login, from_the_fifth_failure_on_an_account_waits_ever_longer)
{
    int64_t wait = 1000;

    make_user("ann", PV_ROLE_VIEWER);
    cr_assert_eq(fail_times("ann", "10.0.0.1", 5), 5);
    for (int i = 0; i < 12; i++) {
        char address[32];

        snprintf(address, sizeof(address), "10.1.0.%d", i); /* the account waits, from wherever */
        test_now += wait - 1;
        cr_assert_neq(login("ann", GOOD_PASSWORD, address), PV_OK, "round %d", i);
        cr_assert(problem_is("rate-limited"));
        test_now += 1;
        cr_assert_eq(fail_times("ann", address, 1), 1, "round %d", i);
        wait = wait * 2 > 900000 ? 900000 : wait * 2;
    }
    cr_assert_eq(wait, 900000, "15 minutes are the most");
    test_now += wait;
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.2.0.1"), PV_OK, "%s", err.message);
    cr_assert_eq(fail_times("ann", "10.2.0.2", 5), 5, "a good sign-in forgets the failures");
}

Test(auth_login, an_address_waits_whoever_it_asks_for)
{
    char name[16];

    make_user("ann", PV_ROLE_VIEWER);
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        cr_assert_eq(fail_times(name, "10.0.0.9", 1), 1);
    }
    cr_assert_neq(login("ann", GOOD_PASSWORD, "10.0.0.9"), PV_OK);
    cr_assert(problem_is("rate-limited"));
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.10"), PV_OK);
}

Test(auth_login, a_good_sign_in_does_not_reset_the_address)
{
    char name[16];

    make_user("ann", PV_ROLE_VIEWER);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        fail_times(name, "10.0.0.9", 1);
    }
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.9"), PV_OK);
    fail_times("user9", "10.0.0.9", 1);
    cr_assert_neq(login("ann", GOOD_PASSWORD, "10.0.0.9"), PV_OK);
    cr_assert(problem_is("rate-limited"));
}

Test(auth_login, a_good_sign_in_makes_nobody_at_the_address_wait_again)
{
    char name[16];

    make_user("ann", PV_ROLE_VIEWER);
    make_user("bob", PV_ROLE_VIEWER);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "user%d", i);
        fail_times(name, "10.0.0.9", 1);
        test_now += 60000;
    }
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.9"), PV_OK, "%s", err.message);
    cr_assert_eq(login("bob", GOOD_PASSWORD, "10.0.0.9"), PV_OK, "%s", err.message);
    fail_times("user9", "10.0.0.9", 1);
    cr_assert_neq(login("bob", GOOD_PASSWORD, "10.0.0.9"), PV_OK);
    cr_assert(problem_is("rate-limited"), "a failure counts as before");
}

Test(auth_login, throttling_outlives_a_restart)
{
    make_user("ann", PV_ROLE_VIEWER);
    fail_times("ann", "10.0.0.1", 5);
    auth_stop(auth);
    auth_open_again();
    cr_assert_neq(login("ann", GOOD_PASSWORD, "10.0.0.2"), PV_OK);
    cr_assert(problem_is("rate-limited"));
}

Test(auth_login, a_login_ends_after_30_idle_minutes)
{
    make_user("ann", PV_ROLE_VIEWER);
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    for (int i = 0; i < 5; i++) {
        test_now += 29 * 60 * 1000;
        cr_assert_eq(auth_identify(auth, NULL, cookie, "::1", &who, &err), PV_OK, "use %d", i);
    }
    test_now += 30 * 60 * 1000;
    cr_assert_neq(auth_identify(auth, NULL, cookie, "::1", &who, &err), PV_OK);
    cr_assert(problem_is("unauthenticated"));
}

Test(auth_login, a_login_ends_after_12_hours_however_busy)
{
    make_user("ann", PV_ROLE_VIEWER);
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    for (int i = 0; i < 12 * 4 - 1; i++) {
        test_now += 15 * 60 * 1000;
        cr_assert_eq(auth_identify(auth, NULL, cookie, "::1", &who, &err), PV_OK, "quarter %d: %s", i,
                     err.message);
    }
    test_now += 15 * 60 * 1000;
    cr_assert_neq(auth_identify(auth, NULL, cookie, "::1", &who, &err), PV_OK);
}

Test(auth_login, signing_out_and_every_change_of_rights_end_a_login_at_once)
{
    struct pv_id id = make_user("ann", PV_ROLE_VIEWER);
    struct auth_identity seen;

    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    cr_assert_eq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK);
    cr_assert_eq(auth_logout(auth, who.login_hash, &err), PV_OK);
    cr_assert_neq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK);
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    cr_assert_eq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK);
    cr_assert_eq(auth_user_change(auth, &id, NULL, NULL, PV_ROLE_OPERATOR, -1, &err), PV_OK);
    cr_assert_neq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK);
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    cr_assert_eq(auth_password_change(auth, &id, GOOD_PASSWORD, "quite another password", &err),
                 PV_OK);
    cr_assert_neq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK);
    cr_assert_neq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    cr_assert_eq(login("ann", "quite another password", "10.0.0.1"), PV_OK);
    cr_assert_eq(auth_user_delete(auth, &id, &err), PV_OK, "%s", err.message);
    cr_assert_neq(auth_identify(auth, NULL, cookie, "::1", &seen, &err), PV_OK);
}

Test(auth_login, a_cookie_of_another_form_is_refused_without_a_look)
{
    struct auth_identity seen;

    cr_assert_neq(auth_identify(auth, NULL, NULL, "::1", &seen, &err), PV_OK);
    cr_assert_neq(auth_identify(auth, NULL, "", "::1", &seen, &err), PV_OK);
    cr_assert_neq(
        auth_identify(auth, NULL, "0123456789012345678901234567890123456789012", "::1", &seen, &err),
        PV_OK);
    cr_assert(problem_is("unauthenticated"));
}

Test(auth_login, a_hash_of_weaker_cost_is_made_anew)
{
    struct pv_id id = make_user("ann", PV_ROLE_VIEWER);
    struct arena *a = arena_new(1024, 65536);
    const char *stored;

    auth->cost = CHEAP + 1;
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    cr_assert_eq(store_secret_get(store, PV_KIND_user, &id, F(user, password), a, &stored, &err),
                 PV_OK);
    cr_assert(strncmp(stored, "$scrypt$ln=11,r=8,p=1$", 22) == 0, "%s", stored);
    cr_assert_eq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    arena_free(a);
}

static void *one_login(void *arg)
{
    struct auth_identity mine;
    char own[44];
    struct pv_err e = { 0 };
    char address[16];

    snprintf(address, sizeof(address), "10.9.0.%d", *(int *)arg);
    return (void *)(intptr_t)auth_login(auth, "ann", GOOD_PASSWORD, NULL, address, "", NULL, own, &mine, &e);
}

Test(auth_login, two_passwords_are_computed_at_a_time_and_too_many_waiting_are_refused)
{
    int n[60], refused = 0;
    pthread_t threads[60];

    make_user("ann", PV_ROLE_VIEWER);
    pthread_mutex_lock(&auth->scrypt_lock);
    auth->scrypt_running = AUTH_SCRYPT_AT_ONCE; /* as if two were at work */
    auth->scrypt_waiting = AUTH_SCRYPT_QUEUE;
    pthread_mutex_unlock(&auth->scrypt_lock);
    cr_assert_neq(login("ann", GOOD_PASSWORD, "10.0.0.1"), PV_OK);
    cr_assert(problem_is("rate-limited"));
    pthread_mutex_lock(&auth->scrypt_lock);
    auth->scrypt_running = auth->scrypt_waiting = 0;
    pthread_mutex_unlock(&auth->scrypt_lock);
    for (int i = 0; i < 10; i++) {
        n[i] = i;
        pthread_create(&threads[i], NULL, one_login, &n[i]);
    }
    for (int i = 0; i < 10; i++) {
        void *rc;

        pthread_join(threads[i], &rc);
        refused += (intptr_t)rc != PV_OK;
    }
    cr_assert_lt(refused, 10);
    cr_assert_eq(auth->scrypt_running, 0);
    cr_assert_eq(auth->scrypt_waiting, 0);
}
