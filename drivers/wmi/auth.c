/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/auth.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/auth_kerberos.h"
#include "drivers/wmi/auth_ntlm.h"

#define SECRET_MOST 16384 /* a private key in PEM fits */
#define TOKEN_MOST 65536u

struct auth {
    const struct pv_host *host;
    const struct config *config;
    struct kerberos kerberos;
    struct ntlm own;
    bool ntlm; /* what this sign-in uses, once begun */
    bool begun;
    bool started;  /* the first token was made */
    bool complete; /* the keys for sealing are there */
};

struct auth *auth_new(const struct pv_host *host, const struct config *config)
{
    struct auth *a = calloc(1, sizeof(*a));

    if (a) {
        a->host = host;
        a->config = config;
    }
    return a;
}

void auth_reset(struct auth *a)
{
    kerberos_reset(&a->kerberos);
    ntlm_wipe(&a->own);
    a->begun = a->started = a->complete = false;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    auth_reset(a);
    free(a);
}

bool auth_was_presented(const struct auth *a)
{
    return a->kerberos.presented;
}

bool auth_is_per_request(const struct auth *a)
{
    return a->config->auth == AUTH_BASIC || a->config->auth == AUTH_CERTIFICATE;
}

const char *auth_mechanism(const struct auth *a)
{
    if (a->config->auth == AUTH_BASIC)
        return "Basic";
    if (a->config->auth == AUTH_CERTIFICATE)
        return "certificate";
    return !a->begun ? "" : a->ntlm ? "NTLM" : "Kerberos";
}

const char *auth_scheme(const struct auth *a)
{
    if (a->config->auth == AUTH_BASIC)
        return "Basic";
    return a->begun && !a->ntlm && !a->kerberos.wrapped ? "Kerberos" : "Negotiate";
}

bool auth_is_kerberos(const struct auth *a)
{
    return a->begun && !a->ntlm;
}

const char *auth_protocol(const struct auth *a)
{
    return auth_is_kerberos(a) && !a->kerberos.wrapped
               ? "application/HTTP-Kerberos-session-encrypted"
               : "application/HTTP-SPNEGO-session-encrypted";
}

/* The password, or "" if there is none. To be wiped and freed. */
static int get_password(const struct auth *a, char **out, struct pv_err *err)
{
    char *text = calloc(1, SECRET_MOST);
    int rc;

    if (!text)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = a->host->secret ? a->host->secret(a->host->ctx, "password", text, SECRET_MOST) : PV_ENOENT;
    if (rc != PV_OK && rc != PV_ENOENT) {
        free(text);
        return pv_fail(err, rc, "the password cannot be read");
    }
    *out = text;
    return PV_OK;
}

static void drop_password(char *text)
{
    explicit_bzero(text, SECRET_MOST);
    free(text);
}

int auth_header(struct auth *a, struct buf *out, struct pv_err *err)
{
    char *password = NULL, *both;
    size_t cap;
    int rc;

    if (a->config->auth == AUTH_CERTIFICATE) {
        buf_text(out, "Authorization: "
                      "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual");
        return PV_OK;
    }
    rc = get_password(a, &password, err);
    if (rc)
        return rc;
    cap = strlen(a->config->at.username) + strlen(password) + 2;
    both = malloc(cap);
    if (both && snprintf(both, cap, "%s:%s", a->config->at.username, password) > 0) {
        buf_text(out, "Authorization: Basic ");
        str_base64(out, (const uint8_t *)both, cap - 1);
        explicit_bzero(both, cap);
    }
    free(both);
    drop_password(password);
    return both && buf_ok(out) ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

/* ------------------------------------------------------------------ which, and with what */

static int check_account(const struct auth *a, const char *password, struct pv_err *err)
{
    if (a->config->at.username[0] && password[0])
        return PV_OK;
    return pv_fail(err, PV_EAUTH, "there is no %s",
                   a->config->at.username[0] ? "password" : "user name");
}

static bool is_address(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;

    return inet_pton(AF_INET, host, &v4) == 1 || inet_pton(AF_INET6, host, &v6) == 1;
}

void auth_begin(struct auth *a)
{
    enum config_auth wanted = a->config->auth;

    a->begun = true;
    a->ntlm = wanted == AUTH_NTLM ||
              (wanted == AUTH_NEGOTIATE && (is_address(a->config->at.host) ||
                                            !kerberos_find(&a->kerberos, a->config->at.username)));
}

/* A ticket for the scheme that the host offers. Whoever wants Kerberos and nothing else is content
 * with the scheme of that name, which hosts without NTLM have, too. */
static int begin_kerberos(struct auth *a, unsigned offers, struct pv_err *err)
{
    bool raw = a->config->auth == AUTH_KERBEROS ? offers & AUTH_OFFERS_KERBEROS
                                                : !(offers & AUTH_OFFERS_NEGOTIATE);
    char *password = NULL;
    int rc;

    a->kerberos.wrapped = !raw;
    if (kerberos_find(&a->kerberos, a->config->at.username))
        return PV_OK;
    rc = get_password(a, &password, err);
    if (rc)
        return rc;
    rc = check_account(a, password, err);
    if (rc == PV_OK)
        rc = kerberos_ask(&a->kerberos, a->config->at.username, password, err);
    drop_password(password);
    return rc;
}

/* ------------------------------------------------------------------ tokens */

/* "Negotiate <base64>" out of a WWW-Authenticate value. *len 0: there is none. */
static int read_challenge(const struct auth *a, const char *challenge, uint8_t *token, size_t cap,
                          size_t *len, struct pv_err *err)
{
    const char *scheme = auth_scheme(a);
    size_t n = strlen(scheme);

    *len = 0;
    if (!challenge || strncasecmp(challenge, scheme, n) != 0)
        return PV_OK;
    challenge += n;
    challenge += strspn(challenge, " ");
    n = strcspn(challenge, " ,");
    if (n && !str_unbase64(challenge, n, token, cap, len))
        return pv_fail(err, PV_EIO, "the host's sign-in token cannot be read");
    return PV_OK;
}

/* NTLM: the first message, or the answer to the host's challenge. */
static int advance_ntlm(struct auth *a, const uint8_t *token, size_t len,
                        const struct auth_channel *channel, struct buf *reply, struct pv_err *err)
{
    struct ntlm_account account = { .user = a->config->at.username,
                                    .channel = channel->hash,
                                    .channel_len = channel->len };
    char *password = NULL, service[300];
    int rc;

    if (len == 0) {
        ntlm_begin(&a->own, reply);
        return PV_OK;
    }
    (void)snprintf(service, sizeof(service), "HTTP/%s", a->config->at.host);
    account.service = service;
    rc = get_password(a, &password, err);
    if (rc)
        return rc;
    account.password = password;
    rc = check_account(a, password, err);
    if (rc == PV_OK)
        rc = ntlm_answer(&a->own, &account, token, len, NULL, reply, err);
    drop_password(password);
    a->complete = rc == PV_OK;
    return rc;
}

static int advance_kerberos(struct auth *a, const uint8_t *token, size_t len,
                            const struct auth_channel *channel, struct buf *reply,
                            struct pv_err *err)
{
    int rc = kerberos_step(&a->kerberos, a->config->at.host, token, len, channel, reply, err);

    a->complete = rc == PV_OK && a->kerberos.complete;
    return rc;
}

int auth_step(struct auth *a, const char *challenge, unsigned offers,
              const struct auth_channel *channel, struct buf *header, bool *last,
              struct pv_err *err)
{
    uint8_t *token = malloc(TOKEN_MOST);
    struct buf reply;
    size_t len = 0;
    int rc = token ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");

    buf_init(&reply, TOKEN_MOST);
    if (rc == PV_OK && a->started) {
        rc = read_challenge(a, challenge, token, TOKEN_MOST, &len, err);
        if (rc == PV_OK && len == 0)
            rc = pv_fail(err, PV_EAUTH, "the host refused the sign-in of %s",
                         a->config->at.username);
    } else if (rc == PV_OK && !a->ntlm) {
        rc = begin_kerberos(a, offers, err);
    }
    a->started = true;
    if (rc == PV_OK)
        rc = a->ntlm ? advance_ntlm(a, token, len, channel, &reply, err)
                     : advance_kerberos(a, token, len, channel, &reply, err);
    free(token);
    if (rc == PV_OK && reply.len == 0)
        rc = pv_fail(err, PV_EAUTH, "the sign-in of %s came to nothing", a->config->at.username);
    if (rc == PV_OK) {
        buf_printf(header, "Authorization: %s ", auth_scheme(a));
        str_base64(header, (const uint8_t *)reply.data, reply.len);
        /* NTLM's second message is its last; Kerberos waits for the server's proof only. */
        *last = a->complete || !a->ntlm;
        if (!buf_ok(header))
            rc = pv_fail(err, PV_ENOMEM, "no memory");
    }
    buf_free(&reply);
    return rc;
}

int auth_finish(struct auth *a, const char *challenge, const struct auth_channel *channel,
                struct pv_err *err)
{
    struct buf reply;
    uint8_t *token;
    size_t len = 0;
    int rc;

    if (a->complete)
        return PV_OK;
    token = malloc(TOKEN_MOST);
    buf_init(&reply, TOKEN_MOST);
    rc = token ? read_challenge(a, challenge, token, TOKEN_MOST, &len, err)
               : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK && len == 0)
        rc = pv_fail(err, PV_EAUTH, "the host does not prove who it is");
    if (rc == PV_OK)
        rc = advance_kerberos(a, token, len, channel, &reply, err);
    if (rc == PV_OK && !a->complete)
        rc = pv_fail(err, PV_EAUTH, "the host does not end the sign-in");
    free(token);
    buf_free(&reply);
    return rc;
}

/* ------------------------------------------------------------------ sealing */

static void seal_ntlm(struct auth *a, const char *text, size_t len, struct buf *head,
                      struct buf *sealed)
{
    uint8_t signature[NTLM_SIGNATURE] = { 0 };

    ntlm_seal(&a->own, text, len, signature, sealed);
    buf_append(head, signature, sizeof(signature));
}

int auth_seal(struct auth *a, const char *text, size_t len, struct buf *head, struct buf *sealed,
              size_t *clear_len, struct pv_err *err)
{
    size_t padding = 0;
    int rc = PV_OK;

    if (!a->complete)
        return pv_fail(err, PV_EINTERNAL, "nobody is signed in");
    if (a->ntlm)
        seal_ntlm(a, text, len, head, sealed);
    else
        rc = kerberos_seal(&a->kerberos, text, len, head, sealed, &padding, err);
    *clear_len = len + padding;
    if (rc == PV_OK && (!buf_ok(head) || !buf_ok(sealed)))
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    return rc;
}

int auth_unseal(struct auth *a, const char *head, size_t head_len, const char *sealed, size_t len,
                struct buf *out, struct pv_err *err)
{
    int rc = PV_OK;

    if (!a->complete)
        return pv_fail(err, PV_EINTERNAL, "nobody is signed in");
    if (!a->ntlm)
        rc = kerberos_unseal(&a->kerberos, head, head_len, sealed, len, out, err);
    else if (head_len != NTLM_SIGNATURE ||
             !ntlm_unseal(&a->own, (const uint8_t *)head, sealed, len, out))
        rc = pv_fail(err, PV_EIO, "the host's answer is not signed as it should be");
    return rc || buf_ok(out) ? rc : pv_fail(err, PV_ENOMEM, "no memory");
}
