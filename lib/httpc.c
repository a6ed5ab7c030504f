/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/httpc.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "lib/httpc_connection.h"

#define REDIRECTS_MOST 5
#define PINS_MOST 64u

PV_DEFINE_AUTO(curl_url_cleanup, CURLU *)
PV_DEFINE_AUTO(curl_slist_free_all, struct curl_slist *)
PV_DEFINE_AUTO(curl_free, char *)

struct httpc {
    struct httpc_config config; /* its texts are owned; `pins` is not used */
    uint8_t (*pins)[32];        /* owned; config.npins of them */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct httpc_connection *idle; /* guarded by lock; the one used last comes first */
    unsigned made;                 /* guarded by lock */
    struct httpc_certificate peer; /* of the newest connection; guarded by lock */
};

/* A connection from the pool, waiting for one if all are busy. */
static int borrow(struct httpc *client, const struct httpc_request *r, int64_t deadline_ms,
                  struct httpc_connection **out, struct pv_err *err)
{
    struct httpc_connection *c = NULL;

    pthread_mutex_lock(&client->lock);
    while (!client->idle && client->made >= client->config.max_connections) {
        int64_t now = clock_mono_ms(), until = now + HTTPC_TICK_MS;
        struct timespec ts;

        if (until > deadline_ms)
            until = deadline_ms;
        ts.tv_sec = (time_t)(until / 1000);
        ts.tv_nsec = (long)(until % 1000) * 1000000;
        pthread_cond_timedwait(&client->freed, &client->lock, &ts);
        pthread_mutex_unlock(&client->lock);
        if (httpc_is_cancelled(&client->config, r))
            return pv_fail(err, PV_ECANCELED, "canceled while waiting for a connection");
        if (clock_mono_ms() >= deadline_ms)
            return pv_fail(err, PV_ETIMEOUT, "no connection became free in time");
        pthread_mutex_lock(&client->lock);
    }
    c = client->idle;
    if (c)
        client->idle = c->next;
    else
        client->made++;
    pthread_mutex_unlock(&client->lock);
    if (!c)
        c = httpc_connection_new(&client->config, (const uint8_t(*)[32])client->pins);
    if (!c) {
        pthread_mutex_lock(&client->lock);
        client->made--;
        pthread_cond_signal(&client->freed);
        pthread_mutex_unlock(&client->lock);
        return pv_fail(err, PV_ENOMEM, "no memory for a connection");
    }
    *out = c;
    return PV_OK;
}

static void give_back(struct httpc *client, struct httpc_connection *c)
{
    c->request = NULL;
    c->response = NULL;
    pthread_mutex_lock(&client->lock);
    if (c->peer.seen && !c->peer.refused)
        client->peer = c->peer.shown;
    c->next = client->idle;
    client->idle = c;
    pthread_cond_signal(&client->freed);
    pthread_mutex_unlock(&client->lock);
}

static bool is_token(const char *text)
{
    size_t len = strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

    return len > 0 && text[len] == '\0';
}

/* The caller's headers, and what keeps curl from adding its own ideas. */
static int make_headers(const struct httpc_request *r, struct curl_slist **out, struct pv_err *err)
{
    PV_AUTO(curl_slist_free_all_p) struct curl_slist *list = NULL;
    bool has_type = false;

    for (size_t i = 0; i < r->nheaders + 2; i++) {
        const char *text = i < r->nheaders ? r->headers[i] : i == r->nheaders && !r->read_body ? "Expect:"
                           : i == r->nheaders                 ? "Expect: 100-continue"
                                                              : NULL;
        struct curl_slist *more;

        if (!text) {
            if (has_type)
                break;
            text = "Content-Type:";
        }
        if (strpbrk(text, "\r\n") || !strchr(text, ':'))
            return pv_fail(err, PV_EINVAL, "a request header is not of the form \"Name: value\"");
        if (strncasecmp(text, "Content-Type:", 13) == 0)
            has_type = true;
        more = curl_slist_append(list, text);
        if (!more)
            return pv_fail(err, PV_ENOMEM, "no memory for a request");
        list = more;
    }
    *out = PV_TAKE(list);
    return PV_OK;
}

static int set_method(struct httpc_connection *c, const struct httpc_request *r, struct pv_err *err)
{
    bool wants_body = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
                      strcmp(r->method, "PATCH") == 0;
    CURLcode bad = CURLE_OK;

    curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L); /* forgets the request before */
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, NULL);
    if (r->read_body) {
        if (curl_easy_setopt(c->easy, CURLOPT_UPLOAD, 1L) != CURLE_OK ||
            curl_easy_setopt(c->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body_len) != CURLE_OK ||
            curl_easy_setopt(c->easy, CURLOPT_READFUNCTION, httpc_read_body) != CURLE_OK ||
            curl_easy_setopt(c->easy, CURLOPT_READDATA, c) != CURLE_OK)
            bad = CURLE_OUT_OF_MEMORY;
    } else if (strcmp(r->method, "HEAD") == 0) {
        bad = curl_easy_setopt(c->easy, CURLOPT_NOBODY, 1L);
    } else if (r->body || wants_body) {
        if (curl_easy_setopt(c->easy, CURLOPT_POST, 1L) != CURLE_OK ||
            curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)(r->body ? r->body_len : 0)) != CURLE_OK ||
            curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, r->body ? r->body : "") != CURLE_OK)
            bad = CURLE_OUT_OF_MEMORY;
    }
    if (bad == CURLE_OK && strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0)
        bad = curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, r->method);
    else if (bad == CURLE_OK && r->body)
        bad = curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, r->method);
    return bad == CURLE_OK ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a request");
}

/* Scheme, host and port of `url` as curl understands it: "https://host:443". */
static int origin_of(const char *url, char *out, size_t cap, struct pv_err *err)
{
    PV_AUTO(curl_url_cleanup_p) CURLU *u = curl_url();
    PV_AUTO(curl_free_p) char *scheme = NULL;
    PV_AUTO(curl_free_p) char *host = NULL;
    PV_AUTO(curl_free_p) char *port = NULL;

    if (!u)
        return pv_fail(err, PV_ENOMEM, "no memory for a request");
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        snprintf(out, cap, "%s://%s:%s", scheme, host, port) >= (int)cap)
        return pv_fail(err, PV_EINVAL, "the address is not a usable http(s) URL");
    return PV_OK;
}

/* Nobody knows what became of a write that ended like this. */
static int cut_off(const struct httpc_connection *c, const char *origin, const char *why,
                   struct pv_err *err)
{
    if (!c->response->sent)
        return pv_fail(err, PV_EOFFLINE,
                       "the connection to %s ended before the request was sent: %s", origin, why);
    if (c->is_safe)
        return pv_fail(err, PV_EIO, "the connection to %s ended before the answer did: %s", origin,
                       why);
    return pv_fail(err, PV_EUNKNOWN, "the connection to %s ended after the request was sent: %s",
                   origin, why);
}

static int too_late(const struct httpc_connection *c, const char *origin, bool is_stall,
                    struct pv_err *err)
{
    curl_off_t connected_us = 0;

    if (c->response->sent && !c->is_safe)
        return pv_fail(err, PV_EUNKNOWN, "%s did not answer in time to a request it has", origin);
    curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (!c->response->sent && connected_us == 0)
        return pv_fail(err, PV_EOFFLINE, "no connection to %s came about in time", origin);
    return pv_fail(err, PV_ETIMEOUT, is_stall ? "%s stopped sending" : "%s did not answer in time",
                   origin);
}

static int certificate_refused(const struct httpc_connection *c, const char *origin,
                               const char *why, struct pv_err *err)
{
    char native[sizeof(err->native_code)];

    pv_fail(err, PV_ECERT, "the certificate of %s is not trusted: %s", origin, why);
    if (c->peer.seen) {
        snprintf(native, sizeof(native), "sha256:%s", c->peer.sha256);
        pv_err_native(err, native);
    }
    return PV_ECERT;
}

/* Our own reasons to stop come first: curl only knows that a callback failed. */
static int own_failure(const struct httpc_connection *c, const char *origin, struct pv_err *err)
{
    if (c->body_rc) {
        /* on_body may have said why in the same struct. */
        if (err && err->rc == c->body_rc)
            return c->body_rc;
        return pv_fail(err, c->body_rc, c->request->read_body ? "sending to %s was stopped"
                                                              : "reading the answer of %s was stopped", origin);
    }
    if (c->body_too_large)
        return pv_fail(err, PV_EIO, "the answer of %s is larger than %llu bytes", origin,
                       (unsigned long long)c->config->max_response);
    if (c->headers_too_large)
        return pv_fail(err, PV_EIO, "the answer of %s has more than %u bytes of headers", origin,
                       HTTPC_HEADERS_MOST);
    if (c->no_memory)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer of %s", origin);
    if (c->link_local_refused)
        return pv_fail(err, PV_EINVAL, "%s leads to a link-local or metadata address, which is refused", origin);
    if (c->address_refused)
        return pv_fail(err, PV_EINVAL, "%s is not this machine: plain http is refused", origin);
    if (c->response->ended)
        return pv_fail(err, PV_EIO, "the connection to %s ended between two requests", origin);
    if (c->repeat_refused)
        return cut_off(c, origin, "a kept connection was closed", err);
    return PV_OK;
}

static int failure(const struct httpc_connection *c, CURLcode code, const char *origin,
                   struct pv_err *err)
{
    const char *why = c->error[0] ? c->error : curl_easy_strerror(code);
    long os_error = 0;
    int rc = own_failure(c, origin, err);

    if (rc)
        return rc;
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        /* curl's own words may be those of a kept connection that it tried before. */
        if (c->peer.refused && c->peer.mode == HTTPC_TLS_PIN)
            why = "it is not the one that was pinned";
        return certificate_refused(c, origin, why, err);
    case CURLE_SSL_CONNECT_ERROR:
        if (c->peer.refused)
            return certificate_refused(c, origin, "it is not the one that was pinned", err);
        curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &os_error);
        return pv_fail(err, os_error == ECONNRESET || os_error == EPIPE ? PV_EOFFLINE : PV_EIO,
                       "no TLS connection to %s: %s", origin, why);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return pv_fail(err, PV_EOFFLINE, "no connection to %s: %s", origin, why);
    case CURLE_OPERATION_TIMEDOUT:
        return too_late(c, origin, false, err);
    case CURLE_OUT_OF_MEMORY:
        return pv_fail(err, PV_ENOMEM, "no memory for a request to %s", origin);
    case CURLE_UNSUPPORTED_PROTOCOL:
        /* curl's word for an answer without a status line, too. */
        if (c->response->sent)
            return pv_fail(err, PV_EIO, "%s answered with something that is not HTTP", origin);
        return pv_fail(err, PV_EINVAL, "%s cannot be asked: %s", origin, why);
    case CURLE_URL_MALFORMAT:
        return pv_fail(err, PV_EINVAL, "%s cannot be asked: %s", origin, why);
    case CURLE_SSL_CACERT_BADFILE:
        return pv_fail(err, PV_EINVAL, "the certificate authorities are not usable: %s", why);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_FILESIZE_EXCEEDED:
        return pv_fail(err, PV_EIO, "%s answered with something that is not HTTP: %s", origin, why);
    default:
        return cut_off(c, origin, why, err);
    }
}

static void start_over(struct httpc_connection *c, struct httpc_response *response)
{
    buf_reset(&response->body);
    buf_reset(&response->headers);
    c->received = c->activity = 0;
    c->sends = 0;
    c->body_rc = 0;
    c->status_told = false;
    c->link_local_refused = false;
    c->address_refused = c->body_too_large = c->headers_too_large = c->no_memory = false;
    c->repeat_refused = false;
    c->peer.seen = c->peer.refused = false;
    c->error[0] = '\0';
}

/* One request and its answer; no redirects. */
static int ask(struct httpc_connection *c, const char *url, const char *origin, int64_t deadline_ms,
               struct pv_err *err)
{
    const struct httpc_config *config = c->config;
    unsigned stall_ms =
        c->request->stall_timeout_ms ? c->request->stall_timeout_ms : config->stall_timeout_ms;
    int64_t left_ms = deadline_ms - clock_mono_ms();
    enum httpc_outcome outcome;
    CURLcode code;
    long bytes = 0, connects = 0;

    start_over(c, c->response);
    c->is_plain = str_starts(origin, "http://");
    if (c->is_plain && !config->allow_http)
        return pv_fail(err, PV_EINVAL, "%s: plain http is not allowed", origin);
    if (left_ms <= 0)
        return pv_fail(err, PV_ETIMEOUT, "no time is left to ask %s", origin);
    if (curl_easy_setopt(c->easy, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)left_ms) != CURLE_OK ||
        curl_multi_add_handle(c->multi, c->easy) != CURLM_OK)
        return pv_fail(err, PV_ENOMEM, "no memory for a request to %s", origin);
    outcome = httpc_connection_run(c, stall_ms, &code);
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &bytes);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->response->status);
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    c->response->connected = c->response->connected || connects > 0;
    if (c->peer.seen) {
        memcpy(c->response->peer_binding, c->peer.binding, sizeof(c->response->peer_binding));
        c->response->peer_binding_len = c->peer.binding_len;
    }
    /* Ends what is still under way, with its connection. */
    curl_multi_remove_handle(c->multi, c->easy);
    c->response->sent = c->response->sent || (c->sends > 0 && bytes > 0);
    if (outcome == HTTPC_CANCELED)
        return pv_fail(err, PV_ECANCELED, "the request to %s was canceled", origin);
    if (outcome == HTTPC_STALLED)
        return too_late(c, origin, true, err);
    return code == CURLE_OK ? PV_OK : failure(c, code, origin, err);
}

/* Ask, and follow redirects of reads as long as they stay at the same origin. */
static int ask_and_follow(struct httpc_connection *c, const char *origin, int64_t deadline_ms,
                          struct pv_err *err)
{
    PV_AUTO_FREE char *url = strdup(c->request->url);
    bool is_read =
        strcmp(c->request->method, "GET") == 0 || strcmp(c->request->method, "HEAD") == 0;

    for (int i = 0; url; i++) {
        char next_origin[512], *next = NULL;
        int rc = ask(c, url, origin, deadline_ms, err);

        if (rc || !is_read)
            return rc;
        if (curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &next) != CURLE_OK || !next ||
            origin_of(next, next_origin, sizeof(next_origin), NULL) != PV_OK ||
            strcasecmp(origin, next_origin) != 0)
            return PV_OK;
        if (i == REDIRECTS_MOST)
            return pv_fail(err, PV_EIO, "%s redirects without end", origin);
        next = strdup(next);
        free(url);
        url = next;
    }
    return pv_fail(err, PV_ENOMEM, "no memory for a request to %s", origin);
}

int httpc_send(struct httpc *client, const struct httpc_request *request,
               struct httpc_response *response, struct pv_err *err)
{
    PV_AUTO(curl_slist_free_all_p) struct curl_slist *headers = NULL;
    unsigned timeout_ms = request->timeout_ms ? request->timeout_ms : client->config.timeout_ms;
    int64_t deadline_ms = clock_mono_ms() + timeout_ms;
    struct httpc_connection *c = NULL;
    char origin[512];
    int rc;

    memset(response, 0, sizeof(*response));
    buf_init(&response->body, client->config.max_response);
    buf_init(&response->headers, HTTPC_HEADERS_MOST);
    if (!is_token(request->method))
        return pv_fail(err, PV_EINVAL, "the request method is not a word");
    rc = origin_of(request->url, origin, sizeof(origin), err);
    if (rc == PV_OK)
        rc = make_headers(request, &headers, err);
    if (rc == PV_OK)
        rc = borrow(client, request, deadline_ms, &c, err);
    if (rc)
        return rc;
    c->request = request;
    c->response = response;
    c->is_safe = request->reads_only || strcmp(request->method, "GET") == 0 ||
                 strcmp(request->method, "HEAD") == 0 || strcmp(request->method, "OPTIONS") == 0;
    rc = set_method(c, request, err);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c->easy, CURLOPT_ACCEPT_ENCODING, request->as_is ? NULL : "gzip");
    if (rc == PV_OK)
        rc = ask_and_follow(c, origin, deadline_ms, err);
    /* Borrowed from the caller only until now. */
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
    give_back(client, c);
    return rc;
}

void httpc_response_free(struct httpc_response *r)
{
    buf_free(&r->body);
    buf_free(&r->headers);
}

bool httpc_header(const struct httpc_response *r, const char *name, char *out, size_t cap)
{
    size_t len = strlen(name);
    const char *line = r->headers.data;

    while (line && *line) {
        const char *end = strchr(line, '\n');

        if (!end)
            return false;
        if ((size_t)(end - line) > len && line[len] == ':' && strncasecmp(line, name, len) == 0) {
            const char *value = line + len + 1;

            value += strspn(value, " \t");
            while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            if ((size_t)(end - value) >= cap)
                return false;
            memcpy(out, value, (size_t)(end - value));
            out[end - value] = '\0';
            return true;
        }
        line = end + 1;
    }
    return false;
}

static int copy_pins(struct httpc *client, const struct httpc_config *config, struct pv_err *err)
{
    if (config->tls != HTTPC_TLS_PIN)
        return PV_OK;
    if (config->npins == 0 || config->npins > PINS_MOST)
        return pv_fail(err, PV_EINVAL, "1 to %u certificate fingerprints are needed", PINS_MOST);
    client->pins = calloc(config->npins, sizeof(*client->pins));
    if (!client->pins)
        return pv_fail(err, PV_ENOMEM, "no memory for an HTTP client");
    for (size_t i = 0; i < config->npins; i++)
        if (strlen(config->pins[i]) != 64 || !str_unhex(config->pins[i], 64, client->pins[i]))
            return pv_fail(err, PV_EINVAL, "a certificate fingerprint is not 64 hex digits");
    return PV_OK;
}

int httpc_new(const struct httpc_config *config, struct httpc **out, struct pv_err *err)
{
    struct httpc *client = calloc(1, sizeof(*client));
    pthread_condattr_t attr;
    int rc;

    if (!client)
        return pv_fail(err, PV_ENOMEM, "no memory for an HTTP client");
    pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&client->freed, &attr);
    pthread_condattr_destroy(&attr);
    client->config = *config;
    client->config.pins = NULL;
    client->config.ca_pem = config->ca_pem ? strdup(config->ca_pem) : NULL;
    client->config.client_cert_pem = NULL;
    client->config.client_key_pem = NULL;
    if (config->client_cert_pem && config->client_key_pem) {
        client->config.client_cert_pem = strdup(config->client_cert_pem);
        client->config.client_key_pem = strdup(config->client_key_pem);
    }
    client->config.user_agent = strdup(config->user_agent ? config->user_agent : "polyvisor");
#define DEFAULT(field, value) client->config.field = config->field ? config->field : (value)
    DEFAULT(max_connections, 8);
    DEFAULT(connect_timeout_ms, 10000);
    DEFAULT(timeout_ms, 60000);
    DEFAULT(idle_s, 30); /* servers close idle connections; better to be earlier than they */
    DEFAULT(stall_timeout_ms, 30000);
    DEFAULT(max_response, 256u << 20);
#undef DEFAULT
    rc = copy_pins(client, config, err);
    if (rc == PV_OK && (!client->config.user_agent || (config->ca_pem && !client->config.ca_pem) ||
                        (config->client_cert_pem && config->client_key_pem &&
                         (!client->config.client_cert_pem || !client->config.client_key_pem))))
        rc = pv_fail(err, PV_ENOMEM, "no memory for an HTTP client");
    if (rc == PV_OK) {
        /* Tells now, not at the first request, whether this libcurl can do what we rely on. */
        client->idle = httpc_connection_new(&client->config, (const uint8_t(*)[32])client->pins);
        client->made = 1;
        if (!client->idle)
            rc = pv_fail(err, PV_EINTERNAL, "this libcurl lacks an option that is needed");
    }
    if (rc) {
        httpc_free(client);
        return rc;
    }
    *out = client;
    return PV_OK;
}

bool httpc_peer(struct httpc *client, struct httpc_certificate *out)
{
    bool seen;

    pthread_mutex_lock(&client->lock);
    seen = client->peer.sha256[0] != '\0';
    if (seen)
        *out = client->peer;
    pthread_mutex_unlock(&client->lock);
    return seen;
}

void httpc_free(struct httpc *client)
{
    if (!client)
        return;
    while (client->idle) {
        struct httpc_connection *next = client->idle->next;

        httpc_connection_free(client->idle);
        client->idle = next;
    }
    pthread_cond_destroy(&client->freed);
    pthread_mutex_destroy(&client->lock);
    free((char *)client->config.ca_pem);
    free((char *)client->config.user_agent);
    free((char *)client->config.client_cert_pem);
    if (client->config.client_key_pem)
        explicit_bzero((char *)client->config.client_key_pem, strlen(client->config.client_key_pem));
    free((char *)client->config.client_key_pem);
    free(client->pins);
    free(client);
}

int httpc_global_init(struct pv_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return pv_fail(err, PV_EINTERNAL, "libcurl cannot be started");
    return PV_OK;
}

void httpc_global_cleanup(void)
{
    curl_global_cleanup();
}
