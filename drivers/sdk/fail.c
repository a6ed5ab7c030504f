/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

int sdk_result(int rc, const struct pv_err *err, struct pv_failure *fail)
{
    if (rc == PV_OK || !fail)
        return rc;
    fail->code = rc;
    str_copy(fail->native_code, sizeof(fail->native_code), err->native_code);
    str_copy(fail->needs, sizeof(fail->needs), err->needs);
    str_copy(fail->message, sizeof(fail->message), err->message);
    if (PV_HAS(fail, problem))
        str_copy(fail->problem, sizeof(fail->problem), err->problem ? err->problem : "");
    if (PV_HAS(fail, remedy))
        str_copy(fail->remedy, sizeof(fail->remedy), err->remedy);
    return rc;
}

int sdk_fail(struct pv_failure *fail, const struct pv_err *err)
{
    return sdk_result(err->rc ? err->rc : PV_EINTERNAL, err, fail);
}

int sdk_failf(struct pv_failure *fail, int rc, const char *fmt, ...)
{
    struct pv_err err = { 0 };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(err.message, sizeof(err.message), fmt, ap);
    va_end(ap);
    return sdk_result(rc, &err, fail);
}

int sdk_fail_err(const struct pv_failure *fail, struct pv_err *err)
{
    const struct pv_problem *p = fail->problem[0] ? pv_problem_find(fail->problem) : NULL;
    int rc = strcmp(pv_rc_name(fail->code), "PV_?") == 0 ? PV_EINTERNAL : fail->code;

    /* A problem of another code would change what happened. */
    if (p && p->rc == rc)
        pv_fail_as(err, p->code, "%s", fail->message);
    else
        pv_fail(err, rc, "%s", fail->message);
    pv_err_native(err, fail->native_code);
    pv_err_needs(err, fail->needs);
    if (fail->remedy[0])
        pv_err_remedy(err, "%s", fail->remedy);
    return rc;
}
