/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alert_inner - what alerts.c and alert_rules.c share, and core.c starts.
 *
 * Threads: alerts_start and alerts_stop are called by core.c alone, before
 * anything else uses alerts and after the workers have ended.
 */
#pragma once

#include "server/core/alerts.h"
#include "server/core/internal.h"

/* Reads what is open, makes the rules that come with the product, watches from now on. */
int alerts_start(struct core *c, struct pv_err *err);
void alerts_stop(struct core *c);

int rules_seed(struct core *c, struct pv_err *err);

/* Whether rules of clusters are kept, where VMs or rules have changed (cluster_rules.c). Of the looking job alone. */
void cluster_rules_look(struct core *c);

/* A changed alert, with its next version; its event. by NULL: the server. */
int alert_write(struct store_tx *tx, struct model_row *row, struct pv_err *err);
int alert_tell(struct event_set *events, struct store_tx *tx, const struct model_row *row, const char *type,
               const struct core_actor *by, struct pv_err *err);

/* What an alert is about, and the silence it falls into (by zero: none). */
struct hush {
    struct pv_id rule, subject, owner, provider;
    enum pv_kind kind;              /* of the subject */
    struct pv_id by;
    int64_t until_ms;
};
/* Those of now, the longest of each. */
int silences_find(struct core *c, struct hush *list, size_t n, struct arena *arena, struct pv_err *err);
/* Open alerts that fell into a silence or out of it; looks when silences changed or began or ended, and once a minute.
 * Of the looking job alone. */
void silences_look(struct core *c);
/* Texts are the row's. */
void rule_of_row(const struct model_row *row, struct core_rule *out);
/* Into an alert: what the number is, and the bound that it is beyond. Texts are the rule's. */
void rule_measure(const struct model_row *rule, struct model_row *alert);
/* Kinds whose objects alerts can be about. */
bool rule_may_watch(const struct model_kind *k);
/* Word of a rule that comes with the product and has the name it came with; NULL: another. */
const char *rule_builtin_word(const struct model_row *row);
