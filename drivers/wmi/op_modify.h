/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_modify - changing settings: minimal, compared, put back when a later
 * step fails.
 *
 * The instance sent holds InstanceID and what is to change, nothing else; what
 * the host answers is read again and compared value by value. Which service
 * and method changes it follows from its class.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

struct cim_instance;
struct op;
struct pv_err;

/* Everything set in `want` (but InstanceID) has the same value in `have`. */
bool op_matches(const struct cim_instance *want, const struct cim_instance *have);
/* Nothing is sent if everything is as wanted. `have`: as it is now; NULL in a dry run: not there
 * yet. */
int op_modify(struct op *o, const char *key, struct cim_instance *want,
              const struct cim_instance *have, const char *what, struct pv_err *err);
/* Native id of a checkpoint, as the inventory has it. */
const char *op_snapshot_native(struct op *o, const char *guid);
