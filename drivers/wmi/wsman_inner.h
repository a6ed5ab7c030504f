/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wsman_inner - what the files wsman*.c share: the client's state, one message
 * and its reply.
 *
 * Lock order: `lock`, then the gate's own. No request is sent with it held.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <libxml/tree.h>

#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "drivers/wmi/config.h"
#include "drivers/wmi/fault.h"
#include "drivers/wmi/session.h"
#include "drivers/wmi/wsman.h"

#define CONNECTIONS_MOST 4
#define BODY_MOST (16u << 20)
#define MESSAGE_ID 48
#define ENVELOPE_USUAL 512000u
#define ENVELOPE_OLD 153600u
#define ELEMENTS_USUAL 200u
#define SERVICES_MOST 16

struct wsman {
    const struct pv_host *host;
    const struct config *config;
    char session_id[MESSAGE_ID];
    struct auth_gate *gate; /* owned; what all connections pass that sign in */

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t freed;
    struct session *idle[CONNECTIONS_MOST]; /* the one used last on top */
    unsigned nidle, made;
    uint64_t requests;
    char mechanism[16];
    struct httpc_certificate certificate; /* of the newest connection */
    struct backoff quiet; /* after a quota was used up */
    int64_t quiet_until_ms;
    bool no_filter[CIM_NS_COUNT], no_association[CIM_NS_COUNT], no_events;
    unsigned envelope, elements;
    struct arena *arena; /* of the services' references */
    struct {
        const struct cim_class *cls;
        const struct cim_ref *ref;
    } services[SERVICES_MOST];
    unsigned nservices;
};

struct message {
    const char *action;        /* whole URI */
    const char *uri;           /* resource; NULL: none (Identify) */
    const struct cim_ref *ref; /* selectors; NULL: none */
    const char *body;          /* content of s:Body */
    const char *identifier;    /* e:Identifier of a subscription; NULL or "": none */
    const char *what;          /* for messages to people */
    bool changes;
    bool waits;     /* the host answers when something happens */
    bool identify;  /* no header */
    bool anonymous; /* without an account */
    unsigned timeout_ms; /* of the operation; 0: the call's or the configured one */
};

struct reply {
    xmlDocPtr doc;
    const xmlNode *header; /* s:Header, or NULL */
    const xmlNode *body;   /* first element in s:Body; NULL when empty */
    struct fault fault;    /* .there: the host answered with a fault */
};

/* Sends, reads; repeats reads and what a quota refused. PV_OK also for a fault. *out to be freed always.
 * `own`: a session to use instead of the pool's, or NULL. */
int wsman_exchange(struct wsman *w, const struct call *c, struct session *own,
                   const struct message *m, struct reply *out, struct pv_err *err);
void reply_free(struct reply *r);
/* The reply's fault as an error; PV_OK if there is none. */
int reply_check(const struct reply *r, const struct message *m, struct pv_err *err);

/* ------------------------------------------------------------------ writing envelopes */

void envelope_write(struct buf *out, const struct wsman *w, const struct message *m,
                    const char *message_id, unsigned envelope, unsigned timeout_ms);
/* a:Address and a:ReferenceParameters, as a REF parameter holds them. */
void envelope_ref(struct buf *out, const struct cim_ref *r);
/* A property's or parameter's elements; nil if there is no value. */
void envelope_value(struct buf *out, const struct cim_prop *p, const struct cim_value *v);
/* The method's input element. */
int envelope_input(struct buf *out, const struct cim_instance *in, const char *uri,
                   struct pv_err *err);
/* ".../wmi/root/virtualization/v2/Msvm_ComputerSystem"; `cls` "*": the wildcard. */
void envelope_uri(char *out, size_t cap, const char *ns, const char *cls);
#define URI_CAP 512

/* Reads bytes into a reply. */
int reply_read(char *text, size_t len, struct reply *out, struct pv_err *err);

/* ------------------------------------------------------------------ enumeration, in parts */

/* Without any filter of the host: enumerates, decides here. */
int wsman_join(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               wsman_instance_fn fn, void *ctx, struct pv_err *err);
/* Plain enumeration of a class; items go into `a`, or into a scratch arena when it is NULL. `keep`: which ones. */
int wsman_walk(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               wsman_instance_fn fn, void *ctx, struct pv_err *err);
