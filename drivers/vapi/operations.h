/* SPDX-License-Identifier: Apache-2.0 */
/*
 * operations - what can be done with a VM.
 *
 * A table names each operation's function. All answer with JSON for the host:
 * {changed, objects[]} or, for a dry run, {plan[]}. The state asked for being
 * there already is success with changed false. A change whose request was cut
 * off is PV_EUNKNOWN and never repeated.
 *
 * Threads: any number of calls beside one another.
 */
#pragma once

#include <stdint.h>

struct pv_err;
struct vapi;

extern const char operations_list[];

/* *result is owned by the caller. */
int operations_call(struct vapi *v, uint64_t call, const char *operation, const char *subject,
                    const char *args, const char *native_ref, uint32_t flags, char **result,
                    struct pv_err *err);
