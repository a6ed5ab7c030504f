/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_kerberos - the client's side of Kerberos (GSS-API), for one connection.
 *
 * The credential is a ticket that is there already (credential cache, or the
 * keytab of the server's user), or one that the realm gives for the password.
 * Tokens are those of Kerberos itself for HTTP's scheme "Kerberos", or wrapped
 * by SPNEGO for "Negotiate".
 *
 * The host is addressed as HTTP/name, and as WSMAN/name where the realm does
 * not know that one. What fails is told with Kerberos' own number and what to
 * do about it.
 * Ownership: kerberos_reset frees what it holds. Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gssapi/gssapi.h>

#include <polyvisor/buf.h>

struct auth_channel;
struct pv_err;

struct kerberos {
    gss_ctx_id_t context;
    gss_cred_id_t cred;
    bool other_name; /* the host is WSMAN/name, the realm does not know HTTP/name */
    bool wrapped;    /* by SPNEGO; set before the first step */
    bool complete;   /* the context is established */
    bool presented;  /* the realm was shown the password, and did not like it */
};

void kerberos_reset(struct kerberos *k);
/* Is there a ticket of this account? "" or NULL: of anybody. */
bool kerberos_find(struct kerberos *k, const char *user);
/* Asks the realm for one. PV_EOFFLINE: nobody answered, so nothing was said about the account. */
int kerberos_ask(struct kerberos *k, const char *user, char *password, struct pv_err *err);
/* Appends the next token for `host`; `token` is the host's, of no bytes at first. */
int kerberos_step(struct kerberos *k, const char *host, const uint8_t *token, size_t len,
                  const struct auth_channel *channel, struct buf *reply, struct pv_err *err);

/* After the last step. `padding`: what was added to the text. */
int kerberos_seal(struct kerberos *k, const char *text, size_t len, struct buf *head,
                  struct buf *sealed, size_t *padding, struct pv_err *err);
int kerberos_unseal(struct kerberos *k, const char *head, size_t head_len, const char *sealed,
                    size_t len, struct buf *out, struct pv_err *err);

/* The error for a failed call of GSS-API: what `minor` means for `about` (an account, a host). */
int kerberos_fail(uint32_t major, uint32_t minor, const char *what, const char *about,
                  struct pv_err *err);
