/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syslogc - one message to a syslog server: RFC 5424 over TLS (RFC 5425), TCP
 * (octet counting, RFC 6587) or UDP (RFC 5426).
 *
 * Syslog has no answer: over UDP a message that was sent may be lost, over
 * TCP and TLS the server's machine has taken it. Certificates are always
 * checked.
 *
 * Ownership: everything is borrowed for the call. Threads: any; blocks,
 * timeout_ms at most. Nothing is logged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct pv_err;

enum syslogc_transport { SYSLOGC_TLS, SYSLOGC_TCP, SYSLOGC_UDP };

struct syslogc_config {
    const char *server;
    unsigned port;
    enum syslogc_transport transport;
    const char *ca_pem;         /* NULL or "": the system's authorities */
    unsigned timeout_ms;
    bool (*cancelled)(void *ctx);
    void *ctx;
};

struct syslogc_message {
    unsigned facility;          /* 0 .. 23 */
    unsigned severity;          /* 0 (worst) .. 7 */
    int64_t time_ms;
    const char *host;           /* who sends */
    const char *id;             /* MSGID: "alert.firing" */
    const char *text;
};

/* PV_EOFFLINE, PV_ETIMEOUT, PV_ECERT, PV_EIO, PV_ECANCELED. */
int syslogc_send(const struct syslogc_config *config, const struct syslogc_message *message, struct pv_err *err);
/* The message without its frame. */
void syslogc_write(struct buf *out, const struct syslogc_message *message);
