/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/httpc.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "lib/httpc_tls.h"

#define HEADERS_MOST (64u * 1024)
#define REDIRECTS_MOST 5
#define TICK_MS 250             /* how often a waiting request asks whether it is cancelled */
#define IDLE_MOST_S 30L         /* servers close idle connections; better to be earlier than they */
#define PINS_MOST 64u

PV_DEFINE_AUTO(curl_url_cleanup, CURLU *)
PV_DEFINE_AUTO(curl_slist_free_all, struct curl_slist *)
PV_DEFINE_AUTO(curl_free, char *)

struct httpc {
    struct httpc_config config;         /* its texts are owned; `pins` is not used */
    uint8_t (*pins)[32];                /* owned; config.npins of them */
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct connection *idle;            /* guarded by lock; the one used last comes first */
    unsigned made;                      /* guarded by lock */
};

/* One easy handle in a multi handle of its own, so that we decide how long it sleeps. The server's connection
 * stays in the multi handle between requests. */
struct connection {
    struct connection *next;
    struct httpc *client;
    CURL *easy;
    CURLM *multi;
    struct httpc_peer peer;             /* what the server showed in the handshake */
    char error[CURL_ERROR_SIZE];

    /* The request under way. */
    const struct httpc_request *request;
    struct httpc_response *response;
    uint64_t received;                  /* body bytes after decoding */
    uint64_t activity;                  /* grows with every byte that arrives */
    unsigned sends;                     /* times that curl was about to send */
    int body_rc;                        /* what on_body answered */
    bool is_safe;                       /* doing it twice does no harm: GET, HEAD, OPTIONS */
    bool is_plain;                      /* http: */
    bool address_refused, body_too_large, headers_too_large, no_memory, repeat_refused;
};

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct connection *c = arg;
    size_t len = size * count;

    c->activity += len;
    if (len > c->client->config.max_response - c->received) {
        c->body_too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    c->received += len;
    if (c->request->on_body) {
        c->body_rc = c->request->on_body(c->request->ctx, data, len);
        return c->body_rc ? CURL_WRITEFUNC_ERROR : len;
    }
    buf_append(&c->response->body, data, len);
    c->no_memory = !buf_ok(&c->response->body);
    return c->no_memory ? CURL_WRITEFUNC_ERROR : len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct connection *c = arg;
    struct buf *headers = &c->response->headers;
    size_t len = size * count, text = len;

    c->activity += len;
    while (text > 0 && (data[text - 1] == '\r' || data[text - 1] == '\n'))
        text--;
    if (text >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_reset(headers);     /* of an interim answer before, if any */
    } else if (text > 0) {
        buf_append(headers, data, text);
        buf_char(headers, '\n');
    }
    c->headers_too_large = !buf_ok(headers);
    return c->headers_too_large ? 0 : len;
}

/* Plain http reaches nothing but this machine, whatever a name resolves to. */
static bool is_loopback(const struct curl_sockaddr *address)
{
    if (address->family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &address->addr, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->family == AF_INET6) {
        struct sockaddr_in6 in6;

        if (address->addrlen < sizeof(in6))
            return false;
        memcpy(&in6, &address->addr, sizeof(in6));
        return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
    }
    return false;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct connection *c = arg;

    (void)purpose;
    if (c->is_plain && !is_loopback(address)) {
        c->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* curl repeats a request by itself when a kept connection ends before an answer. The server may have done by
 * then what was asked, so a write that reached the wire is not sent again. */
static int on_send(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct connection *c = arg;
    long bytes = 0;

    (void)remote_ip;
    (void)local_ip;
    (void)remote_port;
    (void)local_port;
    if (c->sends++ == 0 || c->is_safe)
        return CURL_PREREQFUNC_OK;
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &bytes);
    if (bytes == 0)
        return CURL_PREREQFUNC_OK;
    c->repeat_refused = true;
    return CURL_PREREQFUNC_ABORT;
}

static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *arg)
{
    struct connection *c = arg;

    (void)easy;
    httpc_peer_watch(ssl_ctx, &c->peer);
    return CURLE_OK;
}

static void connection_free(struct connection *c)
{
    if (!c)
        return;
    if (c->easy)
        curl_easy_cleanup(c->easy);
    if (c->multi)
        curl_multi_cleanup(c->multi);
    free(c);
}

/* Options that hold for all requests of a connection. false: one is not supported. */
static bool set_options(struct connection *c)
{
    const struct httpc_config *config = &c->client->config;
    bool is_ca = config->tls == HTTPC_TLS_CA;
    CURL *e = c->easy;
    int bad = 0;

#define SET(option, value) bad |= (int)curl_easy_setopt(e, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_PROTOCOLS_STR, config->allow_http ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_ACCEPT_ENCODING, "gzip");
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_MAXAGE_CONN, IDLE_MOST_S);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms);
    SET(CURLOPT_USERAGENT, config->user_agent);
    SET(CURLOPT_ERRORBUFFER, c->error);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, c);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, c);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, c);
    SET(CURLOPT_PREREQFUNCTION, on_send);
    SET(CURLOPT_PREREQDATA, c);
    /* A resumed session shows no certificate, so nothing could be compared. */
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, is_ca ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, is_ca ? 2L : 0L);
    SET(CURLOPT_SSL_CTX_FUNCTION, on_tls);
    SET(CURLOPT_SSL_CTX_DATA, c);
    if (is_ca && config->ca_pem) {
        struct curl_blob pem = { (void *)config->ca_pem, strlen(config->ca_pem),
                                 CURL_BLOB_NOCOPY };

        SET(CURLOPT_CAINFO_BLOB, &pem);
        SET(CURLOPT_CAPATH, NULL);
    }
#undef SET
    return bad == 0;
}

static struct connection *connection_new(struct httpc *client)
{
    struct connection *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->client = client;
    c->easy = curl_easy_init();
    c->multi = curl_multi_init();
    if (!c->easy || !c->multi || !set_options(c)) {
        connection_free(c);
        return NULL;
    }
    c->peer.mode = client->config.tls;
    c->peer.pins = (const uint8_t(*)[32])client->pins;
    c->peer.npins = client->config.npins;
    return c;
}

static bool is_cancelled(const struct httpc *client, const struct httpc_request *r)
{
    return (client->config.cancelled && client->config.cancelled(client->config.ctx)) ||
           (r->cancelled && r->cancelled(r->ctx));
}

/* A connection from the pool, waiting for one if all are busy. */
static int borrow(struct httpc *client, const struct httpc_request *r, int64_t deadline_ms,
                  struct connection **out, struct pv_err *err)
{
    struct connection *c = NULL;

    pthread_mutex_lock(&client->lock);
    while (!client->idle && client->made >= client->config.max_connections) {
        int64_t now = clock_mono_ms(), until = now + TICK_MS;
        struct timespec ts;

        if (until > deadline_ms)
            until = deadline_ms;
        ts.tv_sec = (time_t)(until / 1000);
        ts.tv_nsec = (long)(until % 1000) * 1000000;
        pthread_cond_timedwait(&client->freed, &client->lock, &ts);
        pthread_mutex_unlock(&client->lock);
        if (is_cancelled(client, r))
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
        c = connection_new(client);
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

static void give_back(struct connection *c)
{
    struct httpc *client = c->client;

    c->request = NULL;
    c->response = NULL;
    pthread_mutex_lock(&client->lock);
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
        const char *text = i < r->nheaders ? r->headers[i] : i == r->nheaders ? "Expect:" : NULL;
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

static int set_method(struct connection *c, const struct httpc_request *r, struct pv_err *err)
{
    bool wants_body = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 ||
                      strcmp(r->method, "PATCH") == 0;
    CURLcode bad = CURLE_OK;

    curl_easy_setopt(c->easy, CURLOPT_HTTPGET, 1L);     /* forgets the request before */
    curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, NULL);
    if (strcmp(r->method, "HEAD") == 0) {
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

enum outcome { OUTCOME_DONE, OUTCOME_CANCELED, OUTCOME_STALLED };

/* Let curl work until the request is done, cancelled or stalled. */
static enum outcome run(struct connection *c, unsigned stall_ms, CURLcode *code)
{
    int64_t last_ms = clock_mono_ms(), asked_ms = last_ms;
    uint64_t seen = 0;
    int running = 1;

    *code = CURLE_OK;
    for (;;) {
        CURLMcode bad = curl_multi_perform(c->multi, &running);
        int64_t now = clock_mono_ms();
        curl_off_t uploaded = 0;

        if (bad != CURLM_OK) {
            *code = bad == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
            return OUTCOME_DONE;
        }
        if (!running)
            break;
        /* Upload counts too, else a large body on a slow line would be a stall. */
        curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
        if (c->activity + (uint64_t)uploaded != seen) {
            seen = c->activity + (uint64_t)uploaded;
            last_ms = now;
        }
        if (now - asked_ms >= TICK_MS) {
            asked_ms = now;
            if (is_cancelled(c->client, c->request))
                return OUTCOME_CANCELED;
        }
        if (now - last_ms >= (int64_t)stall_ms)
            return OUTCOME_STALLED;
        curl_multi_poll(c->multi, NULL, 0, TICK_MS, NULL);
    }
    for (int left = 1; left > 0;) {
        const CURLMsg *msg = curl_multi_info_read(c->multi, &left);

        if (msg && msg->msg == CURLMSG_DONE)
            *code = msg->data.result;
    }
    return OUTCOME_DONE;
}

/* Nobody knows what became of a write that ended like this. */
static int cut_off(const struct connection *c, const char *origin, const char *why,
                   struct pv_err *err)
{
    if (!c->response->sent)
        return pv_fail(err, PV_EOFFLINE, "the connection to %s ended before the request was sent: %s",
                       origin, why);
    if (c->is_safe)
        return pv_fail(err, PV_EIO, "the connection to %s ended before the answer did: %s", origin,
                       why);
    return pv_fail(err, PV_EUNKNOWN, "the connection to %s ended after the request was sent: %s",
                   origin, why);
}

static int too_late(const struct connection *c, const char *origin, bool is_stall,
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

static int certificate_refused(const struct connection *c, const char *origin, const char *why,
                               struct pv_err *err)
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
static int own_failure(const struct connection *c, const char *origin, struct pv_err *err)
{
    if (c->body_rc) {
        /* on_body may have said why in the same struct. */
        if (err && err->rc == c->body_rc)
            return c->body_rc;
        return pv_fail(err, c->body_rc, "reading the answer of %s was stopped", origin);
    }
    if (c->body_too_large)
        return pv_fail(err, PV_EIO, "the answer of %s is larger than %llu bytes", origin,
                       (unsigned long long)c->client->config.max_response);
    if (c->headers_too_large)
        return pv_fail(err, PV_EIO, "the answer of %s has more than %u bytes of headers", origin,
                       HEADERS_MOST);
    if (c->no_memory)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer of %s", origin);
    if (c->address_refused)
        return pv_fail(err, PV_EINVAL, "%s is not this machine: plain http is refused", origin);
    if (c->repeat_refused)
        return cut_off(c, origin, "a kept connection was closed", err);
    return PV_OK;
}

static int failure(const struct connection *c, CURLcode code, const char *origin,
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

static void start_over(struct connection *c, struct httpc_response *response)
{
    buf_reset(&response->body);
    buf_reset(&response->headers);
    c->received = c->activity = 0;
    c->sends = 0;
    c->body_rc = 0;
    c->address_refused = c->body_too_large = c->headers_too_large = c->no_memory = false;
    c->repeat_refused = false;
    c->peer.seen = c->peer.refused = false;
    c->error[0] = '\0';
}

/* One request and its answer; no redirects. */
static int ask(struct connection *c, const char *url, const char *origin, int64_t deadline_ms,
               struct pv_err *err)
{
    const struct httpc_config *config = &c->client->config;
    unsigned stall_ms = c->request->stall_timeout_ms ? c->request->stall_timeout_ms
                                                     : config->stall_timeout_ms;
    int64_t left_ms = deadline_ms - clock_mono_ms();
    enum outcome outcome;
    CURLcode code;
    long bytes = 0;

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
    outcome = run(c, stall_ms, &code);
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &bytes);
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &c->response->status);
    /* Ends what is still under way, with its connection. */
    curl_multi_remove_handle(c->multi, c->easy);
    c->response->sent = c->response->sent || (c->sends > 0 && bytes > 0);
    if (outcome == OUTCOME_CANCELED)
        return pv_fail(err, PV_ECANCELED, "the request to %s was canceled", origin);
    if (outcome == OUTCOME_STALLED)
        return too_late(c, origin, true, err);
    return code == CURLE_OK ? PV_OK : failure(c, code, origin, err);
}

/* Ask, and follow redirects of reads as long as they stay at the same origin. */
static int ask_and_follow(struct connection *c, const char *origin, int64_t deadline_ms,
                          struct pv_err *err)
{
    PV_AUTO_FREE char *url = strdup(c->request->url);
    bool is_read = strcmp(c->request->method, "GET") == 0 || strcmp(c->request->method, "HEAD") == 0;

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
    struct connection *c = NULL;
    char origin[512];
    int rc;

    memset(response, 0, sizeof(*response));
    buf_init(&response->body, client->config.max_response);
    buf_init(&response->headers, HEADERS_MOST);
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
    c->is_safe = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0 ||
                 strcmp(request->method, "OPTIONS") == 0;
    rc = set_method(c, request, err);
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, headers);
    if (rc == PV_OK)
        rc = ask_and_follow(c, origin, deadline_ms, err);
    /* Borrowed from the caller only until now. */
    curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
    give_back(c);
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
    client->config.user_agent = strdup(config->user_agent ? config->user_agent : "polyvisor");
#define DEFAULT(field, value) client->config.field = config->field ? config->field : (value)
    DEFAULT(max_connections, 8);
    DEFAULT(connect_timeout_ms, 10000);
    DEFAULT(timeout_ms, 60000);
    DEFAULT(stall_timeout_ms, 30000);
    DEFAULT(max_response, 256u << 20);
#undef DEFAULT
    rc = copy_pins(client, config, err);
    if (rc == PV_OK && (!client->config.user_agent || (config->ca_pem && !client->config.ca_pem)))
        rc = pv_fail(err, PV_ENOMEM, "no memory for an HTTP client");
    if (rc == PV_OK) {
        /* Tells now, not at the first request, whether this libcurl can do what we rely on. */
        client->idle = connection_new(client);
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

void httpc_free(struct httpc *client)
{
    if (!client)
        return;
    while (client->idle) {
        struct connection *next = client->idle->next;

        connection_free(client->idle);
        client->idle = next;
    }
    pthread_cond_destroy(&client->freed);
    pthread_mutex_destroy(&client->lock);
    free((char *)client->config.ca_pem);
    free((char *)client->config.user_agent);
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
