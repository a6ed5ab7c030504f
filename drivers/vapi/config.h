/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what a provider's configuration says, checked.
 *
 * The endpoint (endpoint.h) gets "/sdk" when there is no path. Plain http is accepted for loopback addresses only.
 * Settings are strict: an unknown member is PV_EINVAL.
 *
 * Ownership: config_free. Threads: immutable after config_parse.
 */
#pragma once

#include <stdbool.h>

#include "drivers/sdk/endpoint.h"

struct pv_err;

struct config {
    struct endpoint at;
    bool events, tags;
    unsigned poll_interval_s;
};

extern const char config_schema[];

int config_parse(const char *json, struct config *out, struct pv_err *err);
void config_free(struct config *c);
