/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox - what a driver host may still do.
 *
 * Called once, before a driver's code is loaded and before threads start:
 * a driver talks to its provider and to nobody else. Sanitizer builds keep
 * ptrace and the like, because leak checking needs them.
 */
#pragma once

struct pv_err;

/* No core files, no memory for debuggers, dies with the parent, limits. */
int sandbox_limits(int parent_pid, struct pv_err *err);
/* The list of system calls. */
int sandbox_calls(struct pv_err *err);
