/* SPDX-License-Identifier: Apache-2.0 */
/* What Kerberos' errors mean to people. The sign-in itself is tried with a real realm in
 * tests/integration/test_hyperv_kerberos.py. */
#include <criterion/criterion.h>

#include <gssapi/gssapi.h>
#include <krb5/krb5.h>

#include <polyvisor/err.h>

#include "drivers/wmi/auth_kerberos.h"

static int fail(krb5_error_code code, struct pv_err *err)
{
    *err = (struct pv_err){ 0 };
    return kerberos_fail(GSS_S_FAILURE, (uint32_t)code, "signing in", "svc@EXAMPLE.COM", err);
}

Test(wmi_kerberos, each_reason_has_its_number_its_words_and_a_remedy)
{
    static const struct {
        krb5_error_code code;
        int rc;
        const char *native, *words, *remedy;
    } cases[] = {
        { KRB5KDC_ERR_PREAUTH_FAILED, PV_EAUTH, "24 KDC_ERR_PREAUTH_FAILED", "wrong password",
          "Check the password" },
        { KRB5KRB_AP_ERR_SKEW, PV_EAUTH, "37 KRB_AP_ERR_SKEW", "clocks", "NTP" },
        { KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, PV_EAUTH, "7 KDC_ERR_S_PRINCIPAL_UNKNOWN", "WSMAN",
          "setspn" },
        { KRB5KDC_ERR_KEY_EXP, PV_EAUTH, "23 KDC_ERR_KEY_EXPIRED", "expired", "new password" },
        { KRB5_KDC_UNREACH, PV_EOFFLINE, "KRB5_KDC_UNREACH", "no domain controller", "port 88" },
    };
    struct pv_err err;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(fail(cases[i].code, &err), cases[i].rc);
        cr_expect_str_eq(err.native_code, cases[i].native);
        cr_expect_not_null(strstr(err.message, cases[i].words), "%s", err.message);
        cr_expect_not_null(strstr(err.message, "svc@EXAMPLE.COM"), "%s", err.message);
        cr_expect_not_null(strstr(err.remedy, cases[i].remedy), "%s", err.remedy);
        /* A remedy that does not fit is cut in the middle of a word. */
        cr_expect_eq(err.remedy[strlen(err.remedy) - 1], '.', "%s", err.remedy);
    }
}

Test(wmi_kerberos, an_unknown_reason_keeps_the_librarys_words)
{
    struct pv_err err;

    cr_expect_eq(fail(KRB5KRB_ERR_FIELD_TOOLONG, &err), PV_EAUTH);
    cr_expect_eq(strncmp(err.native_code, "GSS 0x000D0000/", 15), 0, "%s", err.native_code);
    cr_expect_gt(strlen(err.message), strlen("signing in: svc@EXAMPLE.COM: "));
}

Test(wmi_kerberos, without_a_ticket_nothing_is_found_and_nothing_kept)
{
    struct kerberos k = { 0 };

    cr_assert_eq(setenv("KRB5_CONFIG", "/dev/null", 1), 0);
    cr_assert_eq(setenv("KRB5CCNAME", "FILE:/nonexistent/tickets", 1), 0);
    cr_expect_not(kerberos_find(&k, "svc@EXAMPLE.COM"));
    cr_expect_not(kerberos_find(&k, ""));
    cr_assert_eq(setenv("KRB5CCNAME", "KEYRING:persistent:0", 1), 0);
    cr_expect_not(kerberos_find(&k, "svc@EXAMPLE.COM"));
    cr_expect_eq(k.cred, GSS_C_NO_CREDENTIAL);
    kerberos_reset(&k);
}
