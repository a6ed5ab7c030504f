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
/* Texts are the row's. */
void rule_of_row(const struct model_row *row, struct core_rule *out);
/* Word of a rule that comes with the product and has the name it came with; NULL: another. */
const char *rule_builtin_word(const struct model_row *row);
