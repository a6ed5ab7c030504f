/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - what a real host answers, for people who can look at one.
 *
 * Asks for every class of the tables, the summary of all VMs, quotas, and
 * which features the host grants; changes nothing. The format is described in
 * docs/hyperv.md ("Reports of real hosts") and can be replayed by the test
 * suite's Hyper-V. With `mask`, whatever may name a machine, a person or a
 * network is replaced by a pseudonym that is the same throughout the report
 * and different in the next.
 *
 * Threads: one report at a time each.
 */
#pragma once

#include <stdbool.h>

#include <polyvisor/jsonw.h>

#include "drivers/wmi/wmi.h"

struct report_options {
    bool mask;
    unsigned samples; /* instances written of each class */
};

/* Writes one JSON object under `key`. Failures of single classes are part of the report. */
int report_write(struct wmi *w, const struct call *c, const struct report_options *o,
                 struct jsonw *out, const char *key, struct pv_err *err);
