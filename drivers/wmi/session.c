/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "drivers/wmi/auth.h"

#define ANSWER_MOST (64u << 20)
#define TOKENS_MOST (128u << 10)
#define LEGS_MOST 6 /* of one sign-in; NTLM has two */
#define SECRET_MOST 16384
#define CONNECT_MS 10000

struct session {
    const struct config *config;
    struct httpc *http; /* one connection */
    struct auth *auth;
    bool signed_in;
    char peer_sha256[65]; /* of the connection's certificate */
};

/* A part of the work of session_send. */
struct exchange {
    const struct session_request *r;
    struct session_answer *out;
    int64_t deadline_ms;
    char challenge[8192]; /* of the last 401 */
    bool midway; /* tokens were exchanged on the connection that the next request has to use */
    bool cut;    /* but it went over another one, which says nothing about the account */
    bool offers_other; /* the 401 names schemes, but not ours */
};

int session_new(const struct pv_host *host, const struct config *config, struct session **out,
                struct pv_err *err)
{
    struct httpc_config h = {
        .tls = config->at.tls,
        .ca_pem = config->at.ca_pem,
        .pins = (const char *const *)config->at.pins,
        .npins = config->at.npins,
        .allow_http = config->at.plain,
        .http_anywhere = config->at.plain,
        .max_connections = 1,
        .connect_timeout_ms = CONNECT_MS,
        .timeout_ms = 60000,
        .stall_timeout_ms = 600000,
        .max_response = ANSWER_MOST,
        .user_agent = "polyvisor-wmi/" PV_VERSION,
        .client_cert_pem = config->auth == AUTH_CERTIFICATE ? config->client_certificate : NULL,
    };
    struct session *s = calloc(1, sizeof(*s));
    char *key = NULL;
    int rc = PV_OK;

    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory");
    s->config = config;
    s->auth = auth_new(host, config);
    if (!s->auth)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK && config->auth == AUTH_CERTIFICATE) {
        key = calloc(1, SECRET_MOST);
        rc = key ? host->secret(host->ctx, "password", key, SECRET_MOST) : PV_ENOMEM;
        if (rc) {
            rc = pv_fail(err, PV_EAUTH, "the private key of the client certificate is missing");
            pv_err_remedy(err, "Give the private key (PEM) as the provider's password.");
        }
        h.client_key_pem = key;
    }
    if (rc == PV_OK)
        rc = httpc_new(&h, &s->http, err);
    if (key)
        explicit_bzero(key, SECRET_MOST);
    free(key);
    if (rc) {
        session_free(s);
        return rc;
    }
    *out = s;
    return PV_OK;
}

void session_free(struct session *s)
{
    if (!s)
        return;
    httpc_free(s->http);
    auth_free(s->auth);
    free(s);
}

const char *session_mechanism(const struct session *s)
{
    return auth_mechanism(s->auth);
}

void session_answer_free(struct session_answer *a)
{
    buf_free(&a->body);
}

static bool is_cancelled(void *ctx)
{
    return call_cancelled(ctx);
}

/* The value of the WWW-Authenticate line that speaks our scheme. */
static void read_offers(const struct session *s, const struct httpc_response *r, struct exchange *x)
{
    const char *ours = s->config->auth == AUTH_BASIC ? "Basic" : "Negotiate";
    const char *at = r->headers.data;
    bool any = false;

    x->challenge[0] = '\0';
    while (at && *at) {
        const char *eol = strchr(at, '\n');
        size_t len = eol ? (size_t)(eol - at) : strlen(at);

        if (len > 17 && strncasecmp(at, "WWW-Authenticate:", 17) == 0) {
            const char *value = at + 17;

            value += strspn(value, " \t");
            any = true;
            if (strncasecmp(value, ours, strlen(ours)) == 0 && !x->challenge[0])
                (void)str_copy_n(x->challenge, sizeof(x->challenge), value,
                                 (size_t)(at + len - value));
        }
        at = eol ? eol + 1 : NULL;
    }
    x->offers_other = any && !x->challenge[0] && s->config->auth != AUTH_CERTIFICATE;
}

/* One HTTP exchange. `auth`: a header, or NULL. */
static int post(struct session *s, struct exchange *x, const char *type, const struct buf *auth,
                const void *body, size_t len, bool changes, struct httpc_response *response,
                struct pv_err *err)
{
    const char *headers[3] = { type, "Accept-Encoding: identity", auth ? auth->data : NULL };
    int64_t left = x->deadline_ms - clock_mono_ms();
    struct httpc_request request = {
        .method = "POST",
        .url = x->r->url,
        .headers = headers,
        .nheaders = auth && auth->len ? 3 : 2,
        .body = body ? body : "",
        .body_len = len,
        .reads_only = !changes,
        .timeout_ms = left > 0 ? (unsigned)left : 1,
        .cancelled = is_cancelled,
        .ctx = (void *)(uintptr_t)x->r->call,
    };
    int rc;

    x->out->requests++;
    rc = httpc_send(s->http, &request, response, err);
    if (response->connected)
        (void)str_copy(s->peer_sha256, sizeof(s->peer_sha256), response->peer_sha256);
    if (rc == PV_OK)
        read_offers(s, response, x);
    x->cut = rc == PV_OK && x->midway && response->connected && response->status == 401;
    return rc;
}

#define SOAP_TYPE "Content-Type: application/soap+xml;charset=UTF-8"

static int refused(const struct session *s, const struct exchange *x, struct pv_err *err)
{
    const struct config *c = s->config;
    int rc;

    if (x->cut)
        return pv_fail(err, PV_EIO, "the connection ended in the middle of the sign-in");
    x->out->refused = true;
    if (x->offers_other) {
        const char *scheme = c->auth == AUTH_BASIC ? "Basic" : "Negotiate";

        rc = pv_fail(err, PV_EAUTH, "the host does not offer %s", scheme);
        pv_err_remedy(err,
                      "On the host: Set-Item WSMan:\\localhost\\Service\\Auth\\%s $true; or choose "
                      "another auth in the settings.",
                      scheme);
    } else if (c->at.plain && !c->message_encryption) {
        rc = pv_fail(
            err, PV_EAUTH,
            "the host refused the sign-in of %s, or refuses messages that are not encrypted",
            c->at.username);
        pv_err_remedy(
            err, "Use https://, or set encryption to \"message\"; check user name and password.");
    } else {
        rc = pv_fail(err, PV_EAUTH, "the host refused the sign-in of %s", c->at.username);
        pv_err_remedy(err, c->auth == AUTH_BASIC
                               ? "Check user name and password; Basic needs a local account and "
                                 "winrm/config/service/auth Basic=true."
                               : "Check user name (DOMAIN\\user, HOST\\user or user@domain) and "
                                 "password. Nothing is tried again until they are changed.");
    }
    pv_err_native(err, "HTTP 401");
    return rc;
}

/* Exchanges tokens until only the last one is to be sent, which *header then holds. For that last
 * one the caller chooses the body. */
static int prove(struct session *s, struct exchange *x, struct buf *header, struct pv_err *err)
{
    bool last = false;
    int rc;

    auth_reset(s->auth);
    s->signed_in = false;
    x->midway = false;
    for (unsigned leg = 0;; leg++) {
        struct httpc_response response = { 0 };

        buf_reset(header);
        rc = auth_step(s->auth, leg ? x->challenge : NULL, s->peer_sha256, header, &last, err);
        if (rc == PV_EAUTH && auth_was_presented(s->auth))
            x->out->refused = true;
        if (rc || last)
            return rc;
        if (leg == LEGS_MOST)
            return pv_fail(err, PV_EAUTH, "the host does not end the sign-in");
        rc = post(s, x, SOAP_TYPE, header, NULL, 0, false, &response, err);
        if (rc == PV_OK && response.status != 401) {
            rc = pv_fail_as(err, "provider-not-recognized",
                            "the address does not answer as WinRM (HTTP %ld to a sign-in)",
                            response.status);
        } else if (rc == PV_OK && strlen(x->challenge) <= 10) {
            /* No token came back: this scheme is not spoken, or not for us. */
            rc = refused(s, x, err);
        }
        httpc_response_free(&response);
        if (rc)
            return rc;
        x->midway = true;
    }
}

/* The whole sign-in by empty requests: messages can be encrypted only after it. */
static int establish(struct session *s, struct exchange *x, struct buf *header, struct pv_err *err)
{
    struct httpc_response response = { 0 };
    int rc = prove(s, x, header, err);

    if (rc)
        return rc;
    rc = post(s, x, SOAP_TYPE, header, NULL, 0, false, &response, err);
    if (rc == PV_OK && response.status == 401)
        rc = refused(s, x, err);
    if (rc == PV_OK)
        rc = auth_finish(s->auth, x->challenge, err);
    httpc_response_free(&response);
    buf_reset(header);
    x->midway = true;
    s->signed_in = rc == PV_OK;
    return rc;
}

static void take_body(struct session_answer *out, struct httpc_response *r)
{
    buf_free(&out->body);
    out->body = r->body;
    memset(&r->body, 0, sizeof(r->body));
}

static int decrypt(struct session *s, struct session_answer *out, struct httpc_response *r,
                   struct pv_err *err)
{
    struct multipart m;
    char type[256];

    if (r->body.len == 0)
        return PV_OK;
    if (!httpc_header(r, "Content-Type", type, sizeof(type)) ||
        !str_starts(type, "multipart/encrypted")) {
        /* Errors of the HTTP layer come as they are; an answer must not. */
        if (r->status == 200)
            return pv_fail(err, PV_EIO, "the host's answer is not encrypted");
        take_body(out, r);
        return PV_OK;
    }
    if (!multipart_read(r->body.data, r->body.len, &m))
        return pv_fail(err, PV_EIO, "the host's encrypted answer cannot be read");
    buf_reset(&out->body);
    return auth_unseal(s->auth, m.head, m.head_len, m.sealed, m.sealed_len, &out->body, err);
}

static int encrypt(struct session *s, const struct session_request *r, struct buf *body,
                   struct pv_err *err)
{
    struct buf head, sealed;
    size_t clear = 0;
    int rc;

    buf_init(&head, 4096);
    buf_init(&sealed, r->len + 4096);
    rc = auth_seal(s->auth, r->body, r->len, &head, &sealed, &clear, err);
    if (rc == PV_OK)
        multipart_write(body, clear, &head, &sealed);
    buf_free(&head);
    buf_free(&sealed);
    return rc || buf_ok(body) ? rc : pv_fail(err, PV_ENOMEM, "no memory");
}

/* One try with the connection as it is. *again: the host has forgotten us, and the request was
 * refused before it began.
 */
static int try_once(struct session *s, struct exchange *x, struct buf *header, bool *again,
                    struct pv_err *err)
{
    const struct session_request *r = x->r;
    bool per_request = auth_is_per_request(s->auth), crypt = s->config->message_encryption;
    bool known = s->signed_in && !r->anonymous, fresh = false;
    struct httpc_response response = { 0 };
    struct buf body;
    int rc = PV_OK;

    buf_init(&body, r->len + 65536);
    x->midway = false;
    *again = false;
    if (r->anonymous) {
        crypt = false;
        buf_text(header, "WSMANIDENTIFY: unauthenticated");
    } else if (per_request) {
        rc = auth_header(s->auth, header, err);
    } else if (!known) {
        fresh = true;
        rc = crypt ? establish(s, x, header, err) : prove(s, x, header, err);
    }
    if (rc == PV_OK && crypt)
        rc = encrypt(s, r, &body, err);
    if (rc == PV_OK) {
        rc = post(s, x, crypt ? MULTIPART_TYPE : SOAP_TYPE, header, crypt ? body.data : r->body,
                  crypt ? body.len : r->len, r->changes, &response, err);
        x->out->sent = response.sent;
    }
    if (rc == PV_OK && response.status == 401 && !r->anonymous) {
        s->signed_in = false;
        *again = known && !per_request;
        rc = *again ? PV_OK : refused(s, x, err);
    } else if (rc == PV_OK) {
        x->out->status = response.status;
        if (fresh && !crypt && auth_finish(s->auth, x->challenge, err))
            rc = pv_fail(err, PV_EIO, "the host does not prove who it is");
        if (rc == PV_OK && !r->anonymous)
            s->signed_in = true;
        if (rc == PV_OK && crypt)
            rc = decrypt(s, x->out, &response, err);
        else
            take_body(x->out, &response);
    } else {
        s->signed_in = false; /* the connection has ended */
    }
    httpc_response_free(&response);
    buf_free(&body);
    return rc;
}

int session_send(struct session *s, const struct session_request *r, struct session_answer *out,
                 struct pv_err *err)
{
    struct exchange x = { .r = r, .out = out, .deadline_ms = clock_mono_ms() + r->timeout_ms };
    struct buf header;
    bool again = true;
    int rc = PV_OK;

    memset(out, 0, sizeof(*out));
    buf_init(&out->body, ANSWER_MOST);
    buf_init(&header, TOKENS_MOST);
    for (unsigned tries = 0; rc == PV_OK && again && tries < 2; tries++) {
        buf_reset(&header);
        rc = try_once(s, &x, &header, &again, err);
    }
    if (rc == PV_OK && again)
        rc = refused(s, &x, err);
    if (header.data)
        explicit_bzero(header.data, header.len);
    buf_free(&header);
    return rc;
}
