/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "drivers/wmi/auth.h"
#include "drivers/wmi/auth_gate.h"
#include "drivers/wmi/names.h"

#define ANSWER_MOST (64u << 20)
#define TOKENS_MOST (128u << 10)
#define LEGS_MOST 6 /* of one sign-in; NTLM has two */
#define SECRET_MOST 16384
#define CONNECT_MS 10000
#define TRIES_MOST 4
#define IDLE_S 100 /* Windows ends connections that were idle for 120 s */
/* Beyond this a change is not entrusted to a kept connection: if that is dead, nobody could say
 * whether the change arrived. */
#define FRESH_MS 30000

/* A question without effect that any account may ask: what the last message of a sign-in carries,
 * so that its outcome is known at once, however long the request takes that it is for. */
static const char question[] = "<s:Envelope xmlns:s=\"" NS_SOAP "\" xmlns:i=\"" NS_IDENTITY
                               "\"><s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>";

struct session {
    const struct config *config;
    struct auth_gate *gate; /* of all sessions of the provider */
    struct httpc *http;     /* one connection */
    struct auth *auth;
    bool signed_in;
    bool each_request; /* the host wants every request to sign in */
    int64_t used_ms;
    struct auth_channel channel; /* the connection, as its certificate names it */
    unsigned offers;             /* AUTH_OFFERS_*, of the last 401 */
};

/* A part of the work of session_send. */
struct exchange {
    const struct session_request *r;
    struct session_answer *out;
    int64_t deadline_ms;
    char challenge[8192]; /* of the last 401 */
    bool midway;  /* tokens were exchanged on the connection that the next request has to use */
    bool cut;     /* but that has ended: the request was not sent */
    bool refused; /* the host itself, or the realm, turned the account down */
    bool fresh;   /* a sign-in has just been accepted */
    bool offers_other; /* the 401 names schemes, but not ours */
};

int session_new(const struct pv_host *host, const struct config *config, struct auth_gate *gate,
                struct session **out, struct pv_err *err)
{
    struct httpc_config h = {
        .tls = config->at.tls,
        .ca_pem = config->at.ca_pem,
        .pins = (const char *const *)config->at.pins,
        .npins = config->at.npins,
        .allow_http = config->at.plain,
        .http_anywhere = config->at.plain,
        .max_connections = 1,
        .idle_s = IDLE_S,
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
    s->gate = gate;
    s->used_ms = clock_mono_ms();
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

bool session_is_idle(const struct session *s)
{
    return clock_mono_ms() - s->used_ms > IDLE_S * 1000;
}

void session_certificate(const struct session *s, struct httpc_certificate *out)
{
    (void)httpc_peer(s->http, out);
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

static bool is_scheme(const char *value, const char *scheme)
{
    size_t len = strlen(scheme);

    return strncasecmp(value, scheme, len) == 0 && strchr(" ,\r\n", value[len]);
}

/* What a 401 offers, and the value of the line that speaks our scheme. */
static void read_offers(struct session *s, const struct httpc_response *r, struct exchange *x)
{
    const char *ours = auth_scheme(s->auth), *at = r->headers.data;
    unsigned offers = 0;
    bool any = false;

    x->challenge[0] = '\0';
    while (at && *at) {
        const char *eol = strchr(at, '\n');
        size_t len = eol ? (size_t)(eol - at) : strlen(at);

        if (len > 17 && strncasecmp(at, "WWW-Authenticate:", 17) == 0) {
            const char *value = at + 17;

            value += strspn(value, " \t");
            any = true;
            if (is_scheme(value, "Negotiate"))
                offers |= AUTH_OFFERS_NEGOTIATE;
            if (is_scheme(value, "Kerberos"))
                offers |= AUTH_OFFERS_KERBEROS;
            if (is_scheme(value, ours) && !x->challenge[0])
                (void)str_copy_n(x->challenge, sizeof(x->challenge), value,
                                 (size_t)(at + len - value));
        }
        at = eol ? eol + 1 : NULL;
    }
    if (r->status == 401)
        s->offers = offers;
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
        .same_connection = x->midway,
        .timeout_ms = left > 0 ? (unsigned)left : 1,
        .cancelled = is_cancelled,
        .ctx = (void *)(uintptr_t)x->r->call,
    };
    int rc;

    x->out->requests++;
    rc = httpc_send(s->http, &request, response, err);
    s->used_ms = clock_mono_ms();
    if (response->connected) {
        memcpy(s->channel.hash, response->peer_binding, sizeof(s->channel.hash));
        s->channel.len = response->peer_binding_len;
    }
    if (rc == PV_OK)
        read_offers(s, response, x);
    x->cut = response->ended;
    return rc;
}

#define SOAP_TYPE "Content-Type: application/soap+xml;charset=UTF-8"

static int refused(const struct session *s, struct exchange *x, struct pv_err *err)
{
    const struct config *c = s->config;
    int rc;

    x->refused = true;
    /* Kerberos says why. */
    if (auth_is_kerberos(s->auth) && strchr(x->challenge, ' ')) {
        rc = auth_finish(s->auth, x->challenge, &s->channel, err);
        if (rc)
            return rc;
    }
    if (x->offers_other) {
        const char *scheme = c->auth == AUTH_KERBEROS ? "Kerberos" : auth_scheme(s->auth);

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
                           : auth_is_kerberos(s->auth)
                               ? "The account needs the right to use WinRM. Check that the host's "
                                 "service name (setspn -Q HTTP/name) belongs to the host's own "
                                 "account, and the clocks; or use auth ntlm."
                               : "Check user name (DOMAIN\\user, HOST\\user or user@domain) and "
                                 "password. Nothing is tried again until they are changed.");
    }
    pv_err_native(err, "HTTP 401");
    return rc;
}

static int not_winrm(const struct httpc_response *response, struct pv_err *err)
{
    return pv_fail_as(err, "provider-not-recognized",
                      "the address does not answer as WinRM (HTTP %ld to a sign-in)",
                      response->status);
}

/* Kerberos has one token only, which has to fit the host's schemes and the TLS connection. */
static int meet(struct session *s, struct exchange *x, struct pv_err *err)
{
    struct httpc_response response = { 0 };
    int rc = post(s, x, SOAP_TYPE, NULL, NULL, 0, false, &response, err);

    if (rc == PV_OK && response.status != 401)
        rc = not_winrm(&response, err);
    else if (rc == PV_OK && !s->offers)
        rc = refused(s, x, err);
    httpc_response_free(&response);
    return rc;
}

/* Exchanges tokens until only the last one is to be sent, which *header then holds. For that last
 * one the caller chooses the body. */
static int prove(struct session *s, struct exchange *x, struct buf *header, struct pv_err *err)
{
    bool last = false;
    int rc = PV_OK;

    auth_reset(s->auth);
    auth_begin(s->auth);
    s->signed_in = false;
    x->midway = false;
    if (auth_is_kerberos(s->auth) && !s->offers)
        rc = meet(s, x, err);
    if (rc)
        return rc;
    for (unsigned leg = 0;; leg++) {
        struct httpc_response response = { 0 };

        buf_reset(header);
        rc = auth_step(s->auth, leg ? x->challenge : NULL, s->offers, &s->channel, header, &last,
                       err);
        if (rc == PV_EAUTH && auth_was_presented(s->auth))
            x->refused = true;
        if (rc || last)
            return rc;
        if (leg == LEGS_MOST)
            return pv_fail(err, PV_EAUTH, "the host does not end the sign-in");
        rc = post(s, x, SOAP_TYPE, header, NULL, 0, false, &response, err);
        if (rc == PV_OK && response.status != 401) {
            rc = not_winrm(&response, err);
        } else if (rc == PV_OK && !strchr(x->challenge, ' ')) {
            /* No token came back: this scheme is not spoken, or not for us. */
            rc = refused(s, x, err);
        }
        httpc_response_free(&response);
        if (rc)
            return rc;
        x->midway = true;
    }
}

/* One's turn at the gate ends; what is in *err was said to all if it was a refusal. */
static void leave(struct session *s, const struct exchange *x, int rc, const struct pv_err *err)
{
    if (x->refused)
        auth_gate_refuse(s->gate, err);
    auth_gate_leave(s->gate, rc == PV_OK);
}

/* The whole sign-in, by requests of its own. Where messages are encrypted nothing can be said
 * before it has ended. */
static int sign_in(struct session *s, struct exchange *x, struct buf *header, struct pv_err *err)
{
    bool mute = s->config->message_encryption;
    struct httpc_response response = { 0 };
    int rc = auth_gate_enter(s->gate, x->r->call, x->deadline_ms, err);

    if (rc)
        return rc;
    rc = prove(s, x, header, err);
    if (rc == PV_OK)
        rc = post(s, x, SOAP_TYPE, header, mute ? NULL : question, mute ? 0 : sizeof(question) - 1,
                  false, &response, err);
    if (rc == PV_OK && response.status == 401)
        rc = refused(s, x, err);
    if (rc == PV_OK && auth_finish(s->auth, x->challenge, &s->channel, err))
        rc = pv_fail(err, PV_EIO, "the host does not prove who it is");
    httpc_response_free(&response);
    buf_reset(header);
    x->midway = true;
    s->signed_in = x->fresh = rc == PV_OK;
    leave(s, x, rc, err);
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
        multipart_write(body, auth_protocol(s->auth), clear, &head, &sealed);
    buf_free(&head);
    buf_free(&sealed);
    return rc || buf_ok(body) ? rc : pv_fail(err, PV_ENOMEM, "no memory");
}

static int send_request(struct session *s, struct exchange *x, bool crypt, const struct buf *header,
                        struct httpc_response *response, struct pv_err *err)
{
    const struct session_request *r = x->r;
    char type[192] = SOAP_TYPE;
    struct buf body;
    int rc = PV_OK;

    buf_init(&body, r->len + 65536);
    if (crypt)
        (void)snprintf(type, sizeof(type),
                       "Content-Type: multipart/encrypted;protocol=\"%s\";"
                       "boundary=\"Encrypted Boundary\"",
                       auth_protocol(s->auth));
    if (crypt)
        rc = encrypt(s, r, &body, err);
    if (rc == PV_OK) {
        rc = post(s, x, type, header, crypt ? body.data : r->body, crypt ? body.len : r->len,
                  r->changes, response, err);
        x->out->sent = response->sent;
    }
    if (rc == PV_OK)
        x->out->status = response->status;
    buf_free(&body);
    return rc;
}

/* Nobody signs in. */
static int try_anonymous(struct session *s, struct exchange *x, struct buf *header,
                         struct pv_err *err)
{
    struct httpc_response response = { 0 };
    int rc;

    buf_text(header, "WSMANIDENTIFY: unauthenticated");
    rc = send_request(s, x, false, header, &response, err);
    if (rc == PV_OK)
        take_body(x->out, &response);
    httpc_response_free(&response);
    return rc;
}

/* Every request is a sign-in. With a password they go one after the other: it may be changed
 * between any two of them. */
static int try_with_proof(struct session *s, struct exchange *x, struct buf *header,
                          struct pv_err *err)
{
    bool turns = s->config->auth == AUTH_BASIC || !auth_gate_is_proven(s->gate);
    struct httpc_response response = { 0 };
    int rc = turns ? auth_gate_enter(s->gate, x->r->call, x->deadline_ms, err)
                   : auth_gate_check(s->gate, err);

    if (rc)
        return rc;
    rc = auth_header(s->auth, header, err);
    if (rc == PV_OK)
        rc = send_request(s, x, false, header, &response, err);
    if (rc == PV_OK && response.status == 401)
        rc = refused(s, x, err);
    if (rc == PV_OK)
        take_body(x->out, &response);
    httpc_response_free(&response);
    if (turns)
        leave(s, x, rc, err);
    else if (x->refused)
        auth_gate_refuse(s->gate, err);
    return rc;
}

/* For hosts that want every request to sign in: the last message carries the request. One that
 * waits would keep the turn for as long: before it goes a question that does not. */
static int try_carried(struct session *s, struct exchange *x, struct buf *header,
                       struct pv_err *err)
{
    bool turns = !x->r->waits;
    struct httpc_response response = { 0 };
    int rc = turns ? auth_gate_enter(s->gate, x->r->call, x->deadline_ms, err)
                   : sign_in(s, x, header, err);

    if (rc)
        return rc;
    rc = prove(s, x, header, err);
    if (rc == PV_OK)
        rc = send_request(s, x, false, header, &response, err);
    if (rc == PV_OK && response.status == 401)
        rc = refused(s, x, err);
    if (rc == PV_OK && auth_finish(s->auth, x->challenge, &s->channel, err))
        rc = pv_fail(err, PV_EIO, "the host does not prove who it is");
    if (rc == PV_OK)
        take_body(x->out, &response);
    httpc_response_free(&response);
    s->each_request = rc == PV_OK;
    if (turns)
        leave(s, x, rc, err);
    else if (x->refused)
        auth_gate_refuse(s->gate, err);
    return rc;
}

/* *again: the host knows nobody on this connection, and the request was refused before it began. */
static int try_signed_in(struct session *s, struct exchange *x, struct buf *header, bool *again,
                         struct pv_err *err)
{
    bool crypt = s->config->message_encryption;
    struct httpc_response response = { 0 };
    int rc = PV_OK;

    x->midway = x->fresh = false;
    if (x->r->changes && clock_mono_ms() - s->used_ms > FRESH_MS)
        s->signed_in = false;
    if (!s->signed_in)
        rc = sign_in(s, x, header, err);
    if (rc == PV_OK)
        rc = send_request(s, x, crypt, header, &response, err);
    *again = x->cut || (rc == PV_OK && response.status == 401);
    if (rc || *again)
        s->signed_in = false; /* forgotten, or the connection has ended */
    if (*again)
        rc = PV_OK;
    else if (crypt)
        rc = decrypt(s, x->out, &response, err);
    else
        take_body(x->out, &response);
    httpc_response_free(&response);
    return rc;
}

static int send_signed_in(struct session *s, struct exchange *x, struct buf *header,
                          struct pv_err *err)
{
    bool again = !s->each_request;
    int rc = PV_OK;

    for (unsigned tries = 0; rc == PV_OK && again && tries < TRIES_MOST; tries++) {
        buf_reset(header);
        rc = try_signed_in(s, x, header, &again, err);
        /* Welcome, and forgotten at once. */
        if (rc == PV_OK && again && x->fresh && !x->cut)
            break;
    }
    if (rc || (!again && !s->each_request))
        return rc;
    if (s->config->message_encryption)
        return pv_fail(err, PV_EIO, "%s accepts the sign-in and refuses what follows it",
                       s->config->at.host);
    for (unsigned tries = 0; tries == 0 || (x->cut && tries < TRIES_MOST); tries++) {
        buf_reset(header);
        x->midway = x->cut = false;
        rc = try_carried(s, x, header, err);
    }
    return rc;
}

int session_send(struct session *s, const struct session_request *r, struct session_answer *out,
                 struct pv_err *err)
{
    struct exchange x = { .r = r, .out = out, .deadline_ms = clock_mono_ms() + r->timeout_ms };
    struct pv_err own = { 0 };
    struct buf header;
    int rc;

    if (!err)
        err = &own;
    memset(out, 0, sizeof(*out));
    buf_init(&out->body, ANSWER_MOST);
    buf_init(&header, TOKENS_MOST);
    if (r->anonymous)
        rc = try_anonymous(s, &x, &header, err);
    else if (auth_is_per_request(s->auth))
        rc = try_with_proof(s, &x, &header, err);
    else
        rc = send_signed_in(s, &x, &header, err);
    if (header.data)
        explicit_bzero(header.data, header.len);
    buf_free(&header);
    return rc;
}
