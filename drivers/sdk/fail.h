/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fail - between errors of our own code (struct pv_err) and failures of the
 * driver interface (struct pv_failure).
 *
 * Pure; any thread.
 */
#pragma once

#include <polyvisor/driver.h>
#include <polyvisor/err.h>

/* What an entry function returns: rc, with *fail (may be NULL, may be of an older, smaller version)
 * filled from *err unless rc is PV_OK. */
int sdk_result(int rc, const struct pv_err *err, struct pv_failure *fail);
/* In all of these *fail has its size set: what lies beyond it is not touched. */
/* Fill *fail (may be NULL) from *err and yield its code: `return sdk_fail(fail, &err);` */
int sdk_fail(struct pv_failure *fail, const struct pv_err *err);
/* Fill *fail (may be NULL) and yield rc. */
int sdk_failf(struct pv_failure *fail, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The other way. Unknown codes and problems become what they are nearest to. Yields err's code. */
int sdk_fail_err(const struct pv_failure *fail, struct pv_err *err);
