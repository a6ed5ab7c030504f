/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliveries - telling others: alerts to notification targets, events to
 * webhooks.
 *
 * What is told is a row (kind `delivery`), written in the transaction of what
 * causes it; for webhooks together with the position in the event log up to
 * which all events were looked at. So nothing is lost when the server dies,
 * and what was sent but not noted is sent again with the same id: at least
 * once. Each receiver gets its deliveries in order, one at a time. One that
 * fails waits, with its followers, for a back-off that grows to 15 minutes;
 * what is older than a day by then, or what the receiver says it will never
 * take, is dead: kept, shown, and sent again when somebody asks for it.
 *
 * Body members of targets and webhooks are the fields of their kind; secrets
 * come sealed. Threads: any; changes wait for a commit, nothing waits for a
 * receiver.
 */
#pragma once

#include "server/core/core.h"

#define CORE_CHANNELS_MAX 100   /* targets, and webhooks */

/* kind: notification_target or webhook. `id` was made before, because secrets are sealed for it. Problems: name-taken,
 * quota-exceeded, validation-failed, invalid-filter. dry_run: checked, nothing stays. */
int core_channel_create(struct core *c, const struct core_actor *by, enum pv_kind kind, const struct pv_id *id,
                        const json_t *body, const struct core_options *o, struct pv_err *err);
/* body NULL: deletes it with its deliveries; conflict while rules name it. *changed: anything differs. */
int core_channel_change(struct core *c, const struct core_actor *by, enum pv_kind kind, const struct pv_id *id,
                        const json_t *body, const struct core_options *o, bool *changed, struct pv_err *err);
/* Sends a test at once, beside what waits, and calls back with {ok, took_ms, answer, error, delivery} within ten
 * seconds, on a thread of its own. On failure `done` is not called. */
int core_channel_test(struct core *c, enum pv_kind kind, const struct pv_id *id, core_json_fn done, void *ctx,
                      struct pv_err *err);
/* From the end of the queue, as if it were new; one that waits is tried now. */
int core_delivery_resend(struct core *c, const struct pv_id *id, const struct core_options *o, struct pv_err *err);

struct core_delivery_stats {
    uint64_t delivered, failed, dead, skipped;  /* since the start; failed: attempts */
};
void core_delivery_stats(struct core *c, struct core_delivery_stats *out);
