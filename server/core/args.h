/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args - parameters of an operation on their way from a user to a driver.
 *
 * A task keeps what the user said, with ids and with what the table fills in;
 * the driver gets the same with objects in its own words. Secrets are in
 * neither. Ownership: what is answered is the caller's. Threads: any.
 */
#pragma once

#include "server/core/task.h"

/* A copy of `given` (NULL: nothing) in which what the table presets is filled in. NULL: out of
 * memory. */
json_t *args_complete(const struct model_param *table, const json_t *given);
/* The driver's form: references are objects in its words. Refuses what is gone, and what belongs to
 * another provider unless the operation goes abroad. *other: a provider that is named and is not
 * `home`, with a reference; NULL: none, or not asked for. */
int args_resolve(struct core *c, const struct model_operation *op, struct provider *home,
                 const json_t *params, json_t **out, struct provider **other, struct pv_err *err);
/* May each of them be given now? Power state, capabilities, switches of the VM. */
int args_check_state(const struct model_operation *op, const struct subject *s,
                     const json_t *params, struct arena *a, struct pv_err *err);
/* The members that would be refused now whatever their value, as elements of the open array:
 * {pointer, reason, needs}. */
void args_blocked(const struct model_operation *op, const struct subject *s, struct jsonw *w,
                  struct arena *a);
/* The members that are fields of the row, as they are, in the form of `params`; NULL: out of
 * memory. *differ: one of them is not as `params` wants it; *known: each of them is a field whose
 * value could be set again. */
json_t *args_before(const struct model_param *table, const struct model_row *row,
                    const json_t *params, bool *differ, bool *known);
