/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expiry - snapshots with an end: kept as a field of ours, deleted by the
 * server when it has come.
 *
 * The field is set by operations whose parameters are `own` (model.h): when
 * the snapshot is made, and later without asking the provider. What is due is
 * deleted by an ordinary vm.snapshot.delete of the server's own, one at a time
 * on a VM; what fails is tried again, later each time. Once such a task has
 * begun the row says so, and the time cannot be changed any more; a task that
 * has not begun looks at the row first, so that a later time always wins.
 *
 * Threads: any, unless it says otherwise; waits for a commit.
 */
#pragma once

#include "server/core/task.h"

/* Something is given, and all of it is kept by the server alone. */
bool own_params_only(const struct model_operation *op, const json_t *params);
bool own_params_given(const struct model_operation *op, const json_t *params);
/* What no driver is to see. */
void own_params_drop(const struct model_operation *op, json_t *args);
/* Is what is given possible? `row` is the operation's subject or NULL. */
int own_params_check(const struct model_operation *op, const struct model_row *row,
                     const json_t *params, struct pv_err *err);
/* Into the row of a snapshot. conflict: it is being deleted. Nothing given: nothing is done. */
int own_params_put(struct task *t, const struct pv_id *snapshot, bool *changed, struct pv_err *err);

/* The server's own task of deleting is about to be handed over: *due false: it has been given a
 * later time. */
int expiry_begin(struct task *t, bool *due, struct pv_err *err);
/* Such a task ends: what is still there is tried again later. Inside the transaction that stores
 * its end. */
int expiry_ended_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                    const struct task_change *ch, struct pv_err *err);
/* From now on what is due is deleted. */
void expiry_start(struct core *c);
