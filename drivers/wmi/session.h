/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one signed-in connection to a host: sends an envelope, brings the
 * answer's bytes back.
 *
 * Signs in when the connection knows nobody (NTLM and Kerberos belong to the
 * connection), and again when the host has forgotten the sign-in: a 401 was
 * refused before it began. All sessions of a provider pass one gate
 * (auth_gate.h), so a sign-in that was refused is told as PV_EAUTH and never
 * repeated, by nobody.
 *
 * The connection is kept for the next request as long as hosts usually let it
 * be idle; session_is_idle tells when that time is over.
 *
 * Ownership: session_free. Threads: one at a time; wsman.c hands them out.
 */
#pragma once

#include <stdbool.h>

#include <polyvisor/buf.h>

#include "drivers/wmi/config.h"
#include "drivers/wmi/wsman.h"

struct auth_gate;
struct httpc;
struct session;

struct session_request {
    const char *url;
    const char *body;
    size_t len;
    bool anonymous; /* /wsman-anon/identify: nobody signs in */
    bool changes;
    bool waits; /* the host answers when something happens: nobody else waits for that */
    unsigned timeout_ms;
    const struct call *call; /* for asking whether it was cancelled; may be NULL */
};

struct session_answer {
    long status;
    struct buf body; /* owned; decrypted */
    bool sent;       /* the request itself was sent, not only a sign-in */
    unsigned requests; /* HTTP requests this took */
};

/* `gate` is borrowed, as `config`. */
int session_new(const struct pv_host *host, const struct config *config, struct auth_gate *gate,
                struct session **out, struct pv_err *err);
void session_free(struct session *s);
/* PV_OK whatever the status is, but for 401. *out is to be freed in every case. */
int session_send(struct session *s, const struct session_request *r, struct session_answer *out,
                 struct pv_err *err);
void session_answer_free(struct session_answer *a);
/* Not used for so long that its connection is of no use any more. */
bool session_is_idle(const struct session *s);
/* What the host showed on the newest connection; untouched: nothing, or no TLS. */
void session_certificate(const struct session *s, struct httpc_certificate *out);
/* "NTLM", "Kerberos" ... */
const char *session_mechanism(const struct session *s);
