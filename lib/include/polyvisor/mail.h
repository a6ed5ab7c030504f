/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mail - one message to a mail server (SMTP), on libcurl.
 *
 * The certificate is always checked, against the system's authorities or
 * ca_pem; STARTTLS is required where it is asked for, never hoped for. The
 * text goes as UTF-8 in base64, so that no line of it means anything to SMTP.
 *
 * Ownership: everything is borrowed for the call. Threads: any; blocks until
 * the server has answered, timeout_ms at most. Nothing is logged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct pv_err;

enum mail_security { MAIL_TLS, MAIL_STARTTLS, MAIL_PLAIN };

struct mail_config {
    const char *server;
    unsigned port;
    enum mail_security security;
    const char *username, *password;    /* NULL or "": no sign-in */
    const char *ca_pem;                 /* NULL or "": the system's authorities */
    unsigned timeout_ms;
    bool (*cancelled)(void *ctx);       /* asked while waiting; may be NULL */
    void *ctx;
};

struct mail_message {
    const char *from;
    const char *const *to;
    size_t nto;
    const char *subject, *text;
    const char *id;                     /* left part of the Message-ID: the same at every attempt */
    int64_t time_ms;
};

struct mail_result {
    long code;                          /* the server's last answer, 0: none */
    bool permanent;                     /* this message will never be taken */
};

/* Fails with PV_EOFFLINE, PV_ETIMEOUT, PV_ECERT, PV_EAUTH, PV_EIO (refused), PV_ECANCELED. *out is filled in also then. */
int mail_send(const struct mail_config *config, const struct mail_message *message, struct mail_result *out,
              struct pv_err *err);
/* "user@example.com", no more than one, nothing that would end a header line. */
bool mail_address_ok(const char *address);
/* The message as it goes over the wire. */
void mail_write(struct buf *out, const struct mail_message *message);
