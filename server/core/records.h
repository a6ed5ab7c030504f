/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records - making, changing and deleting rows of our own kinds (views, alert
 * rules, channels) in one transaction with their event.
 *
 * The body's members are the kind's fields by path; what they may be is said by
 * the route's table of parameters, what must hold beyond that by `check`, which
 * runs inside the transaction and may run again.
 *
 * Threads: any; waits for a commit.
 */
#pragma once

#include "server/core/internal.h"

struct record_check {
    struct core *core;
    struct store_tx *tx;
    struct arena *arena;
    const struct core_actor *by;
    const void *who;            /* the caller's own */
    bool created, removed;
};

struct record_rules {
    enum pv_kind kind;
    /* d->row has the values as they would be; more may be set by diff_set. */
    int (*check)(const struct record_check *c, struct row_diff *d, struct pv_err *err);
};

int record_create(struct core *c, const struct record_rules *rules, const struct core_actor *by, const void *who,
                  const json_t *body, const struct core_options *o, struct pv_id *id, struct pv_err *err);
/* body NULL: deletes. */
int record_change(struct core *c, const struct record_rules *rules, const struct core_actor *by, const void *who,
                  const struct pv_id *id, const json_t *body, const struct core_options *o, struct pv_err *err);
/* The same with an id that was made before, because a secret is sealed for it. Options with dry_run: everything is
 * checked and nothing stays. */
int record_make(struct core *c, const struct record_rules *rules, const struct core_actor *by, const struct pv_id *id,
                const json_t *body, const struct core_options *o, struct pv_err *err);
/* The same, with dry_run as above; *changed: anything differs. */
int record_alter(struct core *c, const struct record_rules *rules, const struct core_actor *by, const struct pv_id *id,
                 const json_t *body, const struct core_options *o, bool *changed, struct pv_err *err);
