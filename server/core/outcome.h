/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outcome - what came of a task, as the inventory shows it.
 *
 * Called after the touched objects were read again. Threads: that of the
 * task's callbacks, one at a time.
 */
#pragma once

#include "server/core/task.h"

/* Nobody has said whether it happened: 1 yes, 0 no, -1 cannot be told. */
int outcome_decide(const struct task *t);
/* What moved to another provider has its record there. It is merged a moment after the old provider has said that it is
 * gone, if the new one showed it earlier. */
bool outcome_arrived(const struct task *t);
/* What parameters of ours are about, when the provider has done its part: what was made, or the subject itself. PV_ENOENT:
 * it cannot be told what was made. */
int outcome_subject(const struct task *t, struct pv_id *out, struct pv_err *err);
/* It has: the result gets our id of what was made (`ref`), and the task what takes it back. */
void outcome_complete(struct task *t);
