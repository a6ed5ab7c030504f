/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call - one call of the host that a driver serves: for asking whether it was
 * cancelled, also while waiting.
 *
 * Plain data, mostly on the stack of the entry function; `host` is borrowed.
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <polyvisor/driver.h>

struct pv_err;

struct call {
    const struct pv_host *host;
    uint64_t number;
    bool must_finish;    /* cleaning up: goes on although the call was cancelled */
    unsigned timeout_ms; /* of one request to the provider; 0: the driver's usual one */
};

/* `call`: a struct call; NULL is never cancelled. Its type fits httpc's. */
bool call_cancelled(void *call);
/* The session is being closed: what is under way is followed by a later call, and not to be undone. */
bool call_is_closing(const struct call *c);
/* Sleeps in small pieces; PV_ECANCELED or PV_OK. */
int call_sleep(const struct call *c, int64_t ms, struct pv_err *err);
