/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth - who we are, for one connection to a host.
 *
 * NTLM (auth_ntlm.h) and Kerberos (auth_kerberos.h) sign in a connection by an
 * exchange of tokens and can then seal messages. Both go by HTTP's scheme
 * "Negotiate", Kerberos also by the one of its own name. Basic and client
 * certificates are a header of each request.
 *
 * `negotiate` takes Kerberos if there is a ticket of this account (or, without
 * a user name, any), else NTLM with the password. `kerberos` uses a ticket, or
 * the password if there is one (then the user name is user@REALM).
 *
 * The password is asked of the host for each sign-in and wiped after it.
 * Ownership: auth_free. Threads: one at a time, as its connection.
 */
#pragma once

#include <stdbool.h>

#include <polyvisor/buf.h>
#include <polyvisor/driver.h>

#include "drivers/wmi/config.h"

struct auth;
struct pv_err;

/* The TLS connection that is signed in, by its certificate's hash (RFC 5929); 0 bytes: no TLS, or no such hash. */
struct auth_channel {
    uint8_t hash[64];
    size_t len;
};

struct auth *auth_new(const struct pv_host *host, const struct config *config);
void auth_free(struct auth *a);
/* A Kerberos realm refused the password: as bad as a refusal by the host, and not to be repeated. */
bool auth_was_presented(const struct auth *a);
/* Every request carries its own proof (Basic, certificate): no connection has to be signed in. */
bool auth_is_per_request(const struct auth *a);
/* The header of such a request, "Authorization: Basic ..."; to be wiped. */
int auth_header(struct auth *a, struct buf *out, struct pv_err *err);

#define AUTH_OFFERS_NEGOTIATE 1u
#define AUTH_OFFERS_KERBEROS 2u

/* Starts over, for a connection that knows nobody. */
void auth_reset(struct auth *a);
/* Decides between NTLM and Kerberos. The latter wants to know what the host offers, and its channel, before the first step. */
void auth_begin(struct auth *a);
bool auth_is_kerberos(const struct auth *a);
/* HTTP's name for how we sign in: "Negotiate", "Kerberos", "Basic". */
const char *auth_scheme(const struct auth *a);
/* One step: `challenge` is the answer's WWW-Authenticate value (NULL at first), *header becomes "Authorization: ...".
 * `last`: nothing more is expected but success. */
int auth_step(struct auth *a, const char *challenge, unsigned offers,
              const struct auth_channel *channel, struct buf *header, bool *last,
              struct pv_err *err);
/* The server's last word in a successful answer (Kerberos proves the server with it); NULL or "" if there was none. */
int auth_finish(struct auth *a, const char *challenge, const struct auth_channel *channel,
                struct pv_err *err);
/* "NTLM" or "Kerberos", what is being used; "" before. */
const char *auth_mechanism(const struct auth *a);

/* Message encryption, after auth_finish. */
int auth_seal(struct auth *a, const char *text, size_t len, struct buf *head, struct buf *sealed,
              size_t *clear_len, struct pv_err *err);
int auth_unseal(struct auth *a, const char *head, size_t head_len, const char *sealed, size_t len,
                struct buf *out, struct pv_err *err);

/* ------------------------------------------------------------------ the encrypted body */

/* "application/HTTP-SPNEGO-session-encrypted", or the name that goes with the scheme in use. */
const char *auth_protocol(const struct auth *a);
/* Appends the body for one sealed message. */
void multipart_write(struct buf *out, const char *protocol, size_t clear_len,
                     const struct buf *head, const struct buf *sealed);
struct multipart {
    size_t clear_len;
    const char *head, *sealed; /* into the body */
    size_t head_len, sealed_len;
};
/* False: it is no such body. Never looks for line ends in the binary part. */
bool multipart_read(const char *body, size_t len, struct multipart *out);
