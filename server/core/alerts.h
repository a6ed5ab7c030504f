/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts - rules and what they find.
 *
 * A rule names a kind, a filter and perhaps a bound on a number. Rules are
 * looked at again soon after objects of their kind changed, and once a minute;
 * what a rule finds gets an alert, what it does not find any more is resolved.
 * Rules that come with the product are made at the first start.
 *
 * Threads: any; changes wait for a commit.
 */
#pragma once

#include "server/core/core.h"

/* Body members are the fields of the kind. Problems: name-taken, invalid-filter, validation-failed. */
int core_alert_rule_create(struct core *c, const struct core_actor *by, const json_t *body,
                           const struct core_options *o, struct pv_id *id, struct pv_err *err);
/* body NULL: deletes; conflict for one that comes with the product. */
int core_alert_rule_change(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *body,
                           const struct core_options *o, struct pv_err *err);

/* Times in which alerts about some objects are told to nobody. Body members are the fields of the kind. */
int core_alert_silence_create(struct core *c, const struct core_actor *by, const json_t *body,
                              const struct core_options *o, struct pv_id *id, struct pv_err *err);
/* body NULL: deletes, and what fell into it does so no more. */
int core_alert_silence_change(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *body,
                              const struct core_options *o, struct pv_err *err);

/* What a rule finds now; nothing is stored. */
struct core_finding {
    struct pv_id id, provider;
    struct pv_id owner;         /* child kinds: what it is part of */
    const char *name;
    bool has_value;
    uint64_t value;
};
struct core_rule {
    const struct model_kind *of;
    const char *filter;
    const char *metric;         /* NULL or "": none */
    bool has_below, has_above;
    uint64_t below, above;
};
#define CORE_FINDINGS_MAX 5000
int core_rule_find(struct core *c, const struct core_rule *rule, struct arena *a, struct core_finding **out, size_t *n,
                   struct pv_err *err);

enum core_alert_action { ALERT_ACKNOWLEDGE, ALERT_SILENCE, ALERT_RESOLVE };
/* until_ms: of SILENCE, 0 ends it. owner, note: NULL leaves them. conflict when it is resolved already. */
int core_alert_act(struct core *c, const struct core_actor *by, const struct pv_id *id, enum core_alert_action what,
                   int64_t until_ms, const char *owner, const char *note, const struct core_options *o,
                   struct pv_err *err);
