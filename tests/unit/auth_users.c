/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth_fixture.h"

TestSuite(auth_users, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static struct pv_id id;

static int create(const char *name, const char *password)
{
    return auth_user_create(auth, name, "", password, PV_ROLE_VIEWER, &id, &err);
}

Test(auth_users, names_are_unique_and_plain)
{
    char long_name[131];

    cr_assert_eq(create("ann", GOOD_PASSWORD), PV_OK);
    cr_assert_eq(create("ann", GOOD_PASSWORD), PV_EEXIST);
    cr_assert(problem_is("name-taken"));
    cr_assert_str_eq(err.pointer, "/name");
    cr_assert_neq(create("", GOOD_PASSWORD), PV_OK);
    cr_assert_neq(create("a\nb", GOOD_PASSWORD), PV_OK);
    cr_assert_neq(create("a\x01", GOOD_PASSWORD), PV_OK);
    cr_assert_neq(create(" a", GOOD_PASSWORD), PV_OK);
    cr_assert_neq(create("\xff", GOOD_PASSWORD), PV_OK);
    memset(long_name, 'x', 130);
    long_name[129] = 0;
    cr_assert_neq(create(long_name, GOOD_PASSWORD), PV_OK);
    long_name[128] = 0;
    cr_assert_eq(create(long_name, GOOD_PASSWORD), PV_OK, "%s", err.message);
}

Test(auth_users, passwords_are_long_and_not_common)
{
    char password[140];

    cr_assert_eq(create("a", "elevenchars"), PV_EINVAL);
    cr_assert_str_eq(err.pointer, "/password");
    cr_assert_eq(create("a", "passwordpassword"), PV_EINVAL);
    cr_assert_eq(create("a", "PASSWORDPASSWORD"), PV_EINVAL, "whatever the case");
    cr_assert_eq(create("a", "elf Zeichen"), PV_EINVAL);
    cr_assert_eq(create("a", "zw\xc3\xb6lf Zeiche"), PV_OK, "characters count, not bytes: %s",
                 err.message);
    memset(password, 'q', 129);
    password[129] = 0;
    cr_assert_eq(create("b", password), PV_EINVAL);
    password[128] = 0;
    cr_assert_eq(create("b", password), PV_OK);
}

Test(auth_users, the_last_administrator_stays)
{
    struct pv_id first = make_user("one", PV_ROLE_ADMIN), second;

    cr_assert_eq(auth_user_delete(auth, &first, &err), PV_ESTATE);
    cr_assert_eq(auth_user_change(auth, &first, NULL, NULL, PV_ROLE_VIEWER, -1, &err), PV_ESTATE);
    cr_assert_eq(auth_user_change(auth, &first, NULL, NULL, -1, 0, &err), PV_ESTATE);
    cr_assert_eq(auth_user_change(auth, &first, "New Name", NULL, PV_ROLE_ADMIN, 1, &err), PV_OK);
    second = make_user("two", PV_ROLE_ADMIN);
    cr_assert_eq(auth_user_change(auth, &second, NULL, NULL, -1, 0, &err), PV_OK);
    cr_assert_eq(auth_user_delete(auth, &first, &err), PV_ESTATE, "a disabled one does not count");
    cr_assert_eq(auth_user_change(auth, &second, NULL, NULL, -1, 1, &err), PV_OK);
    cr_assert_eq(auth_user_delete(auth, &first, &err), PV_OK);
    cr_assert_eq(auth_user_delete(auth, &first, &err), PV_ENOENT);
}

Test(auth_users, changing_the_password_needs_the_present_one)
{
    id = make_user("ann", PV_ROLE_VIEWER);
    cr_assert_neq(
        auth_password_change(auth, &id, "not this one at all", "quite another password", &err),
        PV_OK);
    cr_assert_str_eq(err.pointer, "/old_password");
    cr_assert_neq(auth_password_change(auth, &id, GOOD_PASSWORD, "short", &err), PV_OK);
    cr_assert_eq(auth_password_change(auth, &id, GOOD_PASSWORD, "quite another password", &err),
                 PV_OK);
}

Test(auth_users, the_setup_code_makes_one_administrator)
{
    char code[16], typed[32];
    struct auth_identity who;
    char cookie[44];

    cr_assert_not_null(auth_setup_code(auth));
    str_copy(code, sizeof(code), auth_setup_code(auth));
    cr_assert(strlen(code) == 14 && code[4] == '-' && code[9] == '-', "%s", code);
    cr_assert_neq(auth_setup(auth, "AAAA-AAAA-AAAA", "10.0.0.1", "admin", GOOD_PASSWORD, &err),
                  PV_OK);
    cr_assert(problem_is("unauthenticated"));
    cr_assert_neq(auth_setup(auth, "", "10.0.0.1", "admin", GOOD_PASSWORD, &err), PV_OK);
    cr_assert_neq(auth_setup(auth, code, "10.0.0.1", "admin", "short", &err), PV_OK);
    cr_assert_not_null(auth_setup_code(auth), "a bad password does not use it up");
    for (size_t i = 0; i <= strlen(code); i++)
        typed[i] = code[i] >= 'A' && code[i] <= 'Z' ? (char)(code[i] + 32) : code[i];
    cr_assert_eq(auth_setup(auth, typed, "10.0.0.1", "admin", GOOD_PASSWORD, &err), PV_OK, "%s",
                 err.message);
    cr_assert_null(auth_setup_code(auth));
    cr_assert_neq(auth_setup(auth, code, "10.0.0.1", "other", GOOD_PASSWORD, &err), PV_OK);
    cr_assert(problem_is("setup-done"));
    cr_assert_eq(auth_login(auth, "admin", GOOD_PASSWORD, NULL, "10.0.0.1", "", NULL, cookie, &who, &err),
                 PV_OK);
    cr_assert_eq(bits_of(&who), role_bits(PV_ROLE_ADMIN));
    auth_stop(auth);
    auth_open_again();
    cr_assert_null(auth_setup_code(auth), "also after a restart");
}

Test(auth_users, guessing_the_setup_code_is_slowed_down)
{
    for (int i = 0; i < 5; i++) {
        cr_assert_neq(auth_setup(auth, "AAAA-AAAA-AAAA", "10.0.0.1", "admin", GOOD_PASSWORD, &err),
                      PV_OK);
        cr_assert(problem_is("unauthenticated"));
    }
    cr_assert_neq(auth_setup(auth, "AAAA-AAAA-AAAA", "10.0.0.1", "admin", GOOD_PASSWORD, &err),
                  PV_OK);
    cr_assert(problem_is("rate-limited"));
}

Test(auth_users, unattended_setup_does_nothing_the_second_time)
{
    struct auth_identity who;
    char cookie[44];

    cr_assert_eq(auth_setup(auth, NULL, NULL, "admin", GOOD_PASSWORD, &err), PV_OK);
    cr_assert_eq(auth_setup(auth, NULL, NULL, "admin", "quite another password", &err), PV_OK);
    cr_assert_eq(auth_login(auth, "admin", GOOD_PASSWORD, NULL, "10.0.0.1", "", NULL, cookie, &who, &err),
                 PV_OK);
}
