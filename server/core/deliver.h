/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver - what the files of deliveries share, and what alerts hand over.
 *
 *   deliver.c        the queue: lanes, attempts, what came of them
 *   deliver_send.c   one attempt: HTTP, mail, syslog
 *   deliver_feed.c   from the event log into the queue, for webhooks
 *   channels.c       targets and webhooks as records
 *
 * Threads: see each function. The lock of struct delivery_store is a leaf.
 */
#pragma once

#include "server/core/deliveries.h"
#include "server/core/internal.h"

struct httpc;

int deliver_start(struct core *c, struct pv_err *err);
/* Before workers end: what is being sent is broken off. */
void deliver_stop(struct core *c);
/* Targets or webhooks have changed: which ones there are is read again. */
void deliver_refresh(struct core *c);
/* Something may be to be sent. Does not block. */
void deliver_wake(struct core *c);
/* Hourly: old rows of the log. */
void deliver_clean(struct core *c);

/* ---------------------------------------------------------------- alerts -> queue */

/* Inside the alert's transaction: a delivery for each target that its rule names, unless the alert is silenced. `type` is
 * alert.firing, or alert.resolved, which goes to whoever was told of the firing. rule: NULL when it is gone. */
int deliver_alert(struct core *c, struct store_tx *tx, const struct model_row *alert, const struct model_row *rule,
                  const char *type, struct pv_err *err);

/* A new row of the queue; the caller has set who it goes to, type, message and body. Inside a transaction. */
int deliver_put(struct core *c, struct store_tx *tx, struct model_row *row, struct pv_err *err);
/* {"id","type","time",<member>: ...,"notes"} as arena text; notes: what the rule says to do, or NULL. NULL: too large or
 * no memory. */
const char *deliver_body(struct arena *a, const struct pv_id *id, const char *type, const char *member,
                         const char *json, size_t len, const char *notes);

/* ---------------------------------------------------------------- one attempt */

/* How a lane keeps its connection; freed by deliver_link_free. */
struct deliver_link {
    struct httpc *http;
    int64_t version;        /* of the receiver's row it was made for */
};
void deliver_link_free(struct deliver_link *l);

struct deliver_result {
    int rc;
    bool permanent;         /* this one will never be taken */
    unsigned retry_s;       /* the receiver said: not before; 0: it did not */
    int64_t took_ms;
    char answer[200];
    struct pv_err err;
};
/* receiver: the row of a target or webhook; row: the delivery with its body. Blocks; about ten seconds at most. */
void deliver_attempt(struct core *c, const struct model_row *receiver, const struct model_row *row,
                     struct deliver_link *link, struct deliver_result *out);
/* "t=1700000000,v1=<hex>" over "<t>.<body>". */
#define DELIVER_SIGNATURE 100
bool deliver_sign(const char *secret, int64_t time_s, const char *body, size_t len, char out[DELIVER_SIGNATURE]);

/* ---------------------------------------------------------------- events -> queue */

int feed_start(struct core *c, struct pv_err *err);
void feed_stop(struct core *c);
void feed_wake(struct core *c);
