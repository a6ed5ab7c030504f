/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

Test(err, a_failure_is_told_in_full)
{
    struct pv_err err;

    memset(&err, 'x', sizeof(err));
    cr_assert_eq(pv_fail(&err, PV_EFORMAT, "%s is too small", "disk.vhd"), PV_EFORMAT);
    cr_assert_eq(err.rc, PV_EFORMAT);
    cr_assert_str_eq(err.message, "disk.vhd is too small");
    cr_assert_null(err.problem);
    cr_assert_str_empty(err.native_code);
    cr_assert_str_empty(err.needs);
    cr_assert_str_empty(err.pointer);
    cr_assert_str_empty(err.remedy);
    cr_assert_str_eq(pv_err_problem(&err)->code, "data-damaged");
    cr_assert_eq(pv_err_problem(&err)->status, 422);
}

Test(err, nobody_has_to_listen)
{
    cr_assert_eq(pv_fail(NULL, PV_EINVAL, "x"), PV_EINVAL);
    cr_assert_eq(pv_fail_as(NULL, "too-large", "x"), PV_EINVAL);
    cr_assert_eq(pv_fail_os(NULL, ENOENT, "x"), PV_ENOENT);
    cr_assert_lt(pv_wrap(NULL, "x"), 0);
    pv_err_native(NULL, "x");
    pv_err_needs(NULL, "x");
    pv_err_pointer(NULL, "x");
    pv_err_remedy(NULL, "x");
    cr_assert_str_eq(pv_err_problem(NULL)->code, "internal");
}

Test(err, a_problem_of_its_own_decides_the_rc)
{
    struct pv_err err;

    cr_assert_eq(pv_fail_as(&err, "driver-parked", "driver %s", "sim"), PV_EOFFLINE);
    cr_assert_str_eq(pv_err_problem(&err)->code, "driver-parked");
    cr_assert_eq(pv_fail_as(&err, "too-large", "x"), PV_EINVAL);
    cr_assert_eq(pv_err_problem(&err)->status, 413);
    cr_assert_eq(pv_fail_as(&err, "no-such-code", "x"), PV_EINTERNAL);
    cr_assert_str_eq(pv_err_problem(&err)->code, "internal");
}

Test(err, every_code_has_one_problem_and_a_name)
{
    unsigned n = 0;

    for (const struct pv_problem *p = pv_problems(); p->code; p++, n++) {
        cr_assert_eq(pv_problem_find(p->code), p, "%s is there twice", p->code);
        cr_assert(p->status >= 400 && p->status < 600, "%s", p->code);
        cr_assert_str_not_empty(p->title);
    }
    cr_assert_gt(n, 20);
    for (int rc = PV_EINTERNAL; rc < 0; rc++) {
        struct pv_err err = { .rc = rc };

        cr_assert_eq(pv_err_problem(&err)->rc, rc);
        cr_assert_str_neq(pv_rc_name(rc), "PV_?");
    }
    cr_assert_str_eq(pv_rc_name(PV_EINVAL), "PV_EINVAL");
    cr_assert_str_eq(pv_rc_name(0), "PV_OK");
    cr_assert_str_eq(pv_rc_name(-9999), "PV_?");
    cr_assert_str_eq(pv_rc_name(1), "PV_?");
    cr_assert_null(pv_problem_find("nonsense"));
    cr_assert_null(pv_problem_find(NULL));
}

Test(err, system_errors_find_their_code_and_say_why)
{
    static const struct {
        int errnum, rc;
    } cases[] = {
        { ENOENT, PV_ENOENT }, { EACCES, PV_EPERM },       { ENOSPC, PV_ENOSPC },
        { ENOMEM, PV_ENOMEM }, { ETIMEDOUT, PV_ETIMEOUT }, { ECONNREFUSED, PV_EOFFLINE },
        { EIO, PV_EIO },       { EEXIST, PV_EEXIST },      { EMFILE, PV_ELIMIT },
        { 9999, PV_EIO },
    };
    struct pv_err err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(pv_fail_os(&err, cases[i].errnum, "x"), cases[i].rc, "%d", cases[i].errnum);
    pv_fail_os(&err, ENOENT, "opening %s", "a");
    cr_assert_str_eq(err.message, "opening a: No such file or directory");
}

Test(err, context_goes_before_the_message_and_the_code_stays)
{
    struct pv_err err;

    pv_fail_as(&err, "driver-crashed", "it ended");
    cr_assert_eq(pv_wrap(&err, "while reading %s", "x"), PV_EIO);
    cr_assert_str_eq(err.message, "while reading x: it ended");
    cr_assert_str_eq(err.problem, "driver-crashed");
    memset(&err, 0, sizeof(err));
    cr_assert_eq(pv_wrap(&err, "alone"), PV_EINTERNAL);
    cr_assert_str_eq(err.message, "alone");
}

Test(err, long_texts_are_cut_between_characters)
{
    char text[2001];
    struct pv_err err;

    for (size_t i = 0; i < 2000; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[2000] = '\0';
    pv_fail(&err, PV_EIO, "x%s", text);
    cr_assert_eq(strlen(err.message), 511);
    pv_fail(&err, PV_EIO, "%s", text);
    cr_assert_eq(strlen(err.message), 510);
    cr_assert(str_utf8_ok(err.message, strlen(err.message), false));
    pv_wrap(&err, "%s", text);
    cr_assert(str_utf8_ok(err.message, strlen(err.message), false));
    pv_err_pointer(&err, "/%s", text);
    cr_assert(str_utf8_ok(err.pointer, strlen(err.pointer), false));
    pv_err_native(&err, text);
    cr_assert(str_utf8_ok(err.native_code, strlen(err.native_code), false));
}

Test(err, a_message_may_be_built_from_itself)
{
    struct pv_err err;

    pv_fail(&err, PV_EIO, "inner");
    pv_fail(&err, PV_EINVAL, "outer (%s)", err.message);
    cr_assert_str_eq(err.message, "outer (inner)");
}
