/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth_fixture.h"

TestSuite(auth_token, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static struct auth_identity who;

static int identify(const char *token)
{
    char header[128];

    snprintf(header, sizeof(header), "Bearer %s", token);
    return auth_identify(auth, header, NULL, "::1", &who, &err);
}

static struct pv_id make_token(const struct pv_id *user, enum pv_role role, int64_t expires,
                               char token[96])
{
    struct auth_token_wish want = { .user = *user, .name = "ci", .expires_ms = expires };
    struct pv_id id;

    if (role != PV_ROLE_NONE)
        want.role = model_enum_text(PV_ENUM_role, role);
    cr_assert_eq(auth_token_create(auth, &want, &id, token, &err), PV_OK, "%s", err.message);
    return id;
}

Test(auth_token, identifies_its_owner)
{
    struct pv_id user = make_user("ann", PV_ROLE_ADMIN), id;
    char token[96];

    id = make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(strncmp(token, "pv_", 3), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(identify(token), PV_OK, "%s", err.message);
        cr_assert(id_eq(&who.user, &user) && id_eq(&who.id, &id));
        cr_assert(who.type == PV_ACTOR_TYPE_TOKEN && !who.by_cookie);
    }
}

Test(auth_token, every_changed_character_is_refused)
{
    struct pv_id user = make_user("ann", PV_ROLE_VIEWER);
    char token[96], changed[96];

    make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(identify(token), PV_OK);
    for (size_t i = 0; i < strlen(token); i++) {
        str_copy(changed, sizeof(changed), token);
        changed[i] = changed[i] == 'a' ? 'b' : 'a';
        cr_assert_neq(identify(changed), PV_OK, "character %zu", i);
        cr_assert(problem_is("unauthenticated"));
    }
    token[strlen(token) - 1] = 0;
    cr_assert_neq(identify(token), PV_OK);
    cr_assert_neq(auth_identify(auth, "Basic abc", NULL, "::1", &who, &err), PV_OK);
    cr_assert_neq(auth_identify(auth, "", NULL, "::1", &who, &err), PV_OK);
}

Test(auth_token, a_bad_token_is_not_excused_by_a_good_cookie)
{
    char cookie[44];

    make_user("ann", PV_ROLE_VIEWER);
    cr_assert_eq(auth_login(auth, "ann", GOOD_PASSWORD, NULL, "10.0.0.1", "", NULL, cookie, &who, &err), PV_OK);
    cr_assert_neq(auth_identify(auth, "Bearer nonsense", cookie, "::1", &who, &err), PV_OK);
}

Test(auth_token, only_narrows_what_the_owner_may)
{
    static const struct {
        enum pv_role owner, token, both;
    } cases[] = {
        { PV_ROLE_ADMIN, PV_ROLE_VIEWER, PV_ROLE_VIEWER },
        { PV_ROLE_ADMIN, PV_ROLE_OPERATOR, PV_ROLE_OPERATOR },
        { PV_ROLE_ADMIN, PV_ROLE_MONITOR, PV_ROLE_MONITOR },
        { PV_ROLE_ADMIN, PV_ROLE_ADMIN, PV_ROLE_ADMIN },
        { PV_ROLE_VIEWER, PV_ROLE_ADMIN, PV_ROLE_VIEWER },
        { PV_ROLE_VIEWER, PV_ROLE_OPERATOR, PV_ROLE_VIEWER },
        { PV_ROLE_OPERATOR, PV_ROLE_ADMIN, PV_ROLE_OPERATOR },
        { PV_ROLE_OPERATOR, PV_ROLE_VIEWER, PV_ROLE_VIEWER },
        { PV_ROLE_MONITOR, PV_ROLE_ADMIN, PV_ROLE_MONITOR },
        { PV_ROLE_MONITOR, PV_ROLE_VIEWER, PV_ROLE_MONITOR },
        { PV_ROLE_VIEWER, PV_ROLE_MONITOR, PV_ROLE_MONITOR },
        { PV_ROLE_VIEWER, PV_ROLE_NONE, PV_ROLE_VIEWER },
    };
    char name[16], token[96];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pv_id user;

        snprintf(name, sizeof(name), "u%zu", i);
        user = make_user(name, cases[i].owner);
        make_token(&user, cases[i].token, 0, token);
        cr_assert_eq(identify(token), PV_OK);
        cr_assert_eq(bits_of(&who), role_bits(cases[i].both), "case %zu", i);
    }
}

Test(auth_token, ends_with_its_time_its_removal_its_owner)
{
    struct pv_id admin = make_user("root", PV_ROLE_ADMIN), user = make_user("ann", PV_ROLE_VIEWER),
                 id;
    struct auth_token_wish old = { .name = "old" };
    char token[96];

    make_token(&user, PV_ROLE_NONE, test_now + 1000, token);
    cr_assert_eq(identify(token), PV_OK);
    test_now += 1000;
    cr_assert_neq(identify(token), PV_OK, "expired, although it was seen before");
    make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(identify(token), PV_OK);
    test_now += 90LL * 24 * 3600 * 1000;
    cr_assert_neq(identify(token), PV_OK, "90 days are the default");
    id = make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(auth_token_delete(auth, &id, &err), PV_OK);
    cr_assert_neq(identify(token), PV_OK);
    make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(auth_user_change(auth, &user, NULL, NULL, -1, 0, &err), PV_OK);
    cr_assert_neq(identify(token), PV_OK, "the owner is disabled");
    cr_assert_eq(auth_user_change(auth, &user, NULL, NULL, -1, 1, &err), PV_OK);
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(auth_user_delete(auth, &user, &err), PV_OK);
    cr_assert_neq(identify(token), PV_OK);
    old.user = admin;
    old.expires_ms = test_now;
    cr_assert_neq(auth_token_create(auth, &old, &id, token, &err), PV_OK);
}

Test(auth_token, a_change_of_the_owners_role_counts_at_once)
{
    struct pv_id user = make_user("ann", PV_ROLE_OPERATOR);
    char token[96];

    make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(bits_of(&who), role_bits(PV_ROLE_OPERATOR));
    cr_assert_eq(auth_user_change(auth, &user, NULL, NULL, PV_ROLE_VIEWER, -1, &err), PV_OK);
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(bits_of(&who), role_bits(PV_ROLE_VIEWER));
}

static int nothing(struct store_tx *tx, void *arg, struct pv_err *e)
{
    (void)tx;
    (void)arg;
    (void)e;
    return PV_OK;
}

static int64_t last_used(const struct pv_id *id)
{
    struct arena *a = arena_new(4096, 1 << 20);
    const struct model_shape *shape;
    struct model_row *row;
    int64_t at;

    store_write(store, nothing, NULL, &err); /* behind what was written without waiting */
    cr_assert_eq(
        model_shape_make(model_kind(PV_KIND_token), NULL, MODEL_VIEW_FULL, a, &shape, &err), PV_OK);
    cr_assert_eq(store_row_get(store, shape, id, a, &row, &err), PV_OK, "%s", err.message);
    at = model_number(row, F(token, last_used_at));
    arena_free(a);
    return at;
}

Test(auth_token, its_use_is_written_once_a_minute_at_most)
{
    struct pv_id user = make_user("ann", PV_ROLE_VIEWER), id;
    char token[96];
    int64_t first = test_now;

    id = make_token(&user, PV_ROLE_NONE, 0, token);
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(last_used(&id), first);
    test_now += 59000;
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(last_used(&id), first);
    test_now += 1000;
    cr_assert_eq(identify(token), PV_OK);
    cr_assert_eq(last_used(&id), test_now);
}

Test(auth_token, requests_are_limited_per_caller)
{
    struct auth_identity ann = { .rate_key = "usr_a" }, bob = { .rate_key = "usr_b" },
                         mon = { .rate_key = "tok_m" };
    struct auth_quota quota;
    unsigned passed = 0;

    auth->config.rate_per_s = 50;
    auth->config.rate_burst = 200;
    for (int i = 0; i < 300; i++)
        passed += auth_rate(auth, &ann, false, &quota, &err) == PV_OK;
    cr_assert_eq(passed, 200);
    cr_assert(problem_is("rate-limited") && quota.retry_s >= 1 && quota.left == 0);
    cr_assert_eq(auth_rate(auth, &bob, false, &quota, &err), PV_OK);
    cr_assert_eq(quota.left, 199);
    cr_assert_eq(quota.burst, 200);
    cr_assert_eq(quota.window_s, 4);
    cr_assert_eq(quota.full_s, 1);
    test_now += 1000;
    passed = 0;
    for (int i = 0; i < 300; i++)
        passed += auth_rate(auth, &ann, false, &quota, &err) == PV_OK;
    cr_assert_eq(passed, 50);
    passed = 0;
    for (int i = 0; i < 1000; i++)
        passed += auth_rate(auth, &mon, true, &quota, &err) == PV_OK;
    cr_assert_eq(passed, 800);
    auth->config.rate_per_s = 0;
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(auth_rate(auth, &ann, false, &quota, &err), PV_OK);
}
