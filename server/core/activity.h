/* SPDX-License-Identifier: Apache-2.0 */
/*
 * activity - what is being done to a VM, shown while a task of ours does it.
 *
 * Threads: as each function says; all may be called for tasks that show
 * nothing. Ownership: borrows its arguments.
 */
#pragma once

#include "server/core/task.h"

/* It starts: tasks_lock held. */
void activity_claim(struct task *t);
/* What a running task shows of this VM; NONE: nothing. Takes tasks_lock. */
enum pv_activity activity_of(struct core *c, const struct pv_id *vm);
/* Inside the transactions in which it starts and ends. */
int activity_begin_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                      struct pv_err *err);
int activity_end_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                    struct pv_err *err);
/* The provider is done with it: from now on the driver's word alone counts. No lock held. */
void activity_over(struct task *t);
/* It goes back to waiting: nothing is being done. No lock held; waits for the commit. */
void activity_drop(struct task *t);
