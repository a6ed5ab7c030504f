/* SPDX-License-Identifier: Apache-2.0 */
/*
 * views - saved views of lists.
 *
 * Body members are the fields of the kind. Only its user changes a view; a
 * shared one may be changed by administrators, too. Making one the default
 * takes that from the user's other views of the list. Threads: any; each
 * call waits for a commit.
 */
#pragma once

#include "server/core/core.h"

struct core_view_user {
    struct pv_id user;
    bool administrator;
};

/* Problems: name-taken, invalid-filter, quota-exceeded. */
int core_view_create(struct core *c, const struct core_actor *by, const struct core_view_user *who, const json_t *body,
                     const struct core_options *o, struct pv_id *id, struct pv_err *err);
/* body NULL: deletes. forbidden when it belongs to somebody else. */
int core_view_change(struct core *c, const struct core_actor *by, const struct core_view_user *who,
                     const struct pv_id *id, const json_t *body, const struct core_options *o, struct pv_err *err);
