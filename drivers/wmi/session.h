/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one signed-in connection to a host: sends an envelope, brings the
 * answer's bytes back.
 *
 * Signs in when the connection knows nobody (NTLM and Kerberos belong to the
 * connection), and once more when the host has forgotten the sign-in: a 401 was
 * refused before it began. A sign-in that was refused is told as PV_EAUTH and
 * never repeated here.
 *
 * Ownership: session_free. Threads: one at a time; wsman.c hands them out.
 */
#pragma once

#include <stdbool.h>

#include <polyvisor/buf.h>

#include "drivers/wmi/config.h"
#include "drivers/wmi/wsman.h"

struct httpc;
struct session;

struct session_request {
    const char *url;
    const char *body;
    size_t len;
    bool anonymous; /* /wsman-anon/identify: nobody signs in */
    bool changes;
    unsigned timeout_ms;
    const struct call *call; /* for asking whether it was cancelled; may be NULL */
};

struct session_answer {
    long status;
    struct buf body; /* owned; decrypted */
    bool sent;       /* the request itself was sent, not only a sign-in */
    bool refused;      /* the host itself turned the account down */
    unsigned requests; /* HTTP requests this took */
};

int session_new(const struct pv_host *host, const struct config *config, struct session **out,
                struct pv_err *err);
void session_free(struct session *s);
/* PV_OK whatever the status is, but for 401. *out is to be freed in every case. */
int session_send(struct session *s, const struct session_request *r, struct session_answer *out,
                 struct pv_err *err);
void session_answer_free(struct session_answer *a);
/* "NTLM", "Kerberos" ... */
const char *session_mechanism(const struct session *s);
