/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deliver - what the files of deliveries share, and what alerts hand over.
 *
 *   deliver.c          the queue: whose turn it is, and what is next
 *   deliver_rows.c     rows of the queue, and who is told about an alert
 *   deliver_outcome.c  what came of an attempt
 *   deliver_ask.c      tests, sending again, figures, old rows
 *   deliver_send.c     one attempt: HTTP, mail, syslog
 *   deliver_feed.c     from the event log into the queue, for webhooks
 *   channels.c         targets and webhooks as records
 *
 * Threads: see each function. The lock of struct delivery_store is a leaf.
 */
#pragma once

#include "server/core/deliveries.h"
#include "server/core/internal.h"

struct httpc;
struct lane;

struct delivery_store {
    pthread_mutex_t lock;       /* leaf */
    struct lane *lanes;         /* they stay until the end; guarded by lock */
    struct workers *senders;    /* guarded by lock; NULL at the end */
    _Atomic uint64_t delivered, failed, dead, skipped;
};

int deliver_start(struct core *c, struct pv_err *err);
/* After the workers of core: no round of the feed runs any more. What is being sent is broken off. */
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

/* ---------------------------------------------------------------- what came of it */

struct deliver_outcome {
    const struct model_row *receiver;
    struct pv_id id;
    const struct deliver_result *result;    /* NULL: not tried */
    enum pv_delivery_state state;
    int64_t next_ms;                        /* PENDING: wall time of the next attempt */
    const char *error;                      /* problem document, or NULL */
    bool there;                             /* the row is still there and was waiting */
};

#define DELIVER_OUTCOME_FIELDS 10
/* What deliver_write_outcome sets. */
extern const uint16_t deliver_outcome_fields[DELIVER_OUTCOME_FIELDS];
void deliver_write_outcome(struct model_row *row, const struct deliver_outcome *o);
/* Stored, with the receiver's own newest result; waits for the commit. */
int deliver_finish(struct core *c, struct deliver_outcome *o, struct pv_err *err);
/* The problem document of an error, as arena text; NULL: too long. */
const char *deliver_problem(struct arena *a, const struct pv_err *err);
const char *deliver_name(const struct model_row *receiver);

/* ---------------------------------------------------------------- events -> queue */

int feed_start(struct core *c, struct pv_err *err);
void feed_stop(struct core *c);
void feed_wake(struct core *c);
