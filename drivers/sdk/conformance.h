/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance - does a driver keep the rules of driver.h?
 *
 * Drives one loaded driver through everything the rules promise, with a host
 * of its own that checks each batch. Prints TAP lines and at the end
 * "N passed, N failed". Works against a real provider too: it changes nothing
 * there (operations are tried as dry runs only). What the provider changes by
 * itself meanwhile can make the comparison of two listings fail.
 *
 * Threads: call it from one thread; it starts one for watch().
 */
#pragma once

#include <stdio.h>

#include "drivers/sdk/load.h"

struct sdk_conformance {
    const struct sdk_plugin *plugin;
    const char *config;     /* as open() gets it; NULL: a provider without settings */
    const char *secrets;    /* JSON object, or NULL */
    unsigned listing_s;     /* most seconds a complete listing may take; 0: 300 */
    FILE *out;
};

/* The number of failed checks. */
unsigned sdk_conformance_run(const struct sdk_conformance *what);
