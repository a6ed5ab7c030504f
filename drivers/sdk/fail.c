/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

int sdk_fail(struct pv_failure *fail, const struct pv_err *err)
{
    int rc = err->rc ? err->rc : PV_EINTERNAL;

    if (!fail)
        return rc;
    memset(fail, 0, sizeof(*fail));
    fail->size = sizeof(*fail);
    fail->code = rc;
    str_copy(fail->native_code, sizeof(fail->native_code), err->native_code);
    str_copy(fail->needs, sizeof(fail->needs), err->needs);
    str_copy(fail->message, sizeof(fail->message), err->message);
    str_copy(fail->problem, sizeof(fail->problem), err->problem ? err->problem : "");
    str_copy(fail->remedy, sizeof(fail->remedy), err->remedy);
    return rc;
}

int sdk_failf(struct pv_failure *fail, int rc, const char *fmt, ...)
{
    char message[512];
    va_list ap;

    if (!fail)
        return rc;
    memset(fail, 0, sizeof(*fail));
    fail->size = sizeof(*fail);
    fail->code = rc;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    str_copy(fail->message, sizeof(fail->message), message);
    return rc;
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
