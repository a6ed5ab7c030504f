/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events - what happened at the provider, by its own account.
 *
 * One history collector per login, read forwards. The place is (time, key) of
 * the last event sent: a new collector begins at that time and skips the keys
 * that were sent. Without a place it begins now; old events are no news.
 *
 * Threads: the watch's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/vapi/values.h"

struct call;
struct pv_builder;
struct pv_err;
struct vapi;

struct events {
    unsigned generation; /* of the collector; 0: there is none */
    struct moref collector;
    int64_t last_key;     /* 0: none yet */
    char begin[40];       /* the server's time to begin from */
    int64_t next_read_ms; /* monotonic */
    bool due;             /* the last turn came too early: there may be news at next_read_ms */
    bool unsupported;
};

/* Reads what is new into the builder. Failing is no error unless the login or the network is gone.
 */
int events_read(struct vapi *v, const struct call *c, unsigned generation, struct events *e,
                struct pv_builder *b, struct pv_err *err);
void events_drop(struct vapi *v, const struct call *c, struct events *e);

/* One event as a record. */
void events_map(const xmlNode *event, struct pv_builder *b);
/* "VmPoweredOnEvent" -> "external.vm_powered_on"; cut at cap. */
void events_type(const char *native, char *out, size_t cap);
