/* SPDX-License-Identifier: Apache-2.0 */
/*
 * problem - an error as the members of a problem document (RFC 9457).
 *
 * The one form in which errors leave the server: in HTTP answers, in tasks
 * and in events. Threads: pure.
 */
#pragma once

#include <stdbool.h>

struct jsonw;
struct pv_err;

/* Writes into the open object: type, title, status, code, detail, remedy, retryable, detail_text and remedy_text where
 * texts.h knows the sentence,
 * errors[{pointer, code, detail}] where a pointer is known, provider{native_code, needs} where the
 * provider said something; vm-invalid-state has current and allowed_actions[] instead. */
void problem_members(struct jsonw *w, const struct pv_err *err);
/* Might the same request succeed later without anybody changing anything? */
bool problem_retryable(const struct pv_err *err);
