/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/httpc_connection.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <polyvisor/clock.h>
#include <polyvisor/outgoing.h>
#include <polyvisor/rc.h>
#include <polyvisor/str.h>

/* What is on the way forgets connections that are silent, often after a minute, and tells nobody.
 */
#define KEEPALIVE_AFTER_S 20L
#define KEEPALIVE_EVERY_S 10L

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct httpc_connection *c = arg;
    size_t len = size * count;

    c->activity += len;
    if (c->request->on_status && !c->status_told) {
        long status = 0;

        c->status_told = true;
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
        c->body_rc = c->request->on_status(c->request->ctx, status);
        if (c->body_rc)
            return CURL_WRITEFUNC_ERROR;
    }
    if (!c->request->as_is && len > c->config->max_response - c->received) {
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

size_t httpc_read_body(char *out, size_t size, size_t count, void *arg)
{
    struct httpc_connection *c = arg;
    int64_t n = c->request->read_body(c->request->ctx, out, size * count);

    if (n < 0 || (uint64_t)n > size * count) {
        c->body_rc = n < 0 ? (int)n : PV_EINTERNAL;
        return CURL_READFUNC_ABORT;
    }
    return (size_t)n;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct httpc_connection *c = arg;
    struct buf *headers = &c->response->headers;
    size_t len = size * count, text = len;

    c->activity += len;
    while (text > 0 && (data[text - 1] == '\r' || data[text - 1] == '\n'))
        text--;
    if (text >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_reset(headers); /* of an interim answer before, if any */
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
    struct httpc_connection *c = arg;

    (void)purpose;
    if (c->is_plain && !c->config->http_anywhere && !is_loopback(address)) {
        c->address_refused = true;
        return CURL_SOCKET_BAD;
    }
    if (c->config->no_link_local && !outgoing_address_ok(&address->addr, address->addrlen)) {
        c->link_local_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* curl repeats a request by itself when a kept connection ends before an answer. The server may
 * have done by then what was asked, so a write that reached the wire is not sent again. And what
 * belongs to a connection (the steps of a sign-in) is not sent over another one. */
static int on_send(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
    struct httpc_connection *c = arg;
    long bytes = 0;

    (void)remote_ip;
    (void)remote_port;
    if (c->sends++ > 0 && !c->is_safe) {
        curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &bytes);
        c->repeat_refused = bytes > 0;
    }
    c->response->ended = !c->repeat_refused && c->request->same_connection &&
                         (local_port != c->local_port || !str_eq(local_ip, c->local_ip));
    if (c->repeat_refused || c->response->ended)
        return CURL_PREREQFUNC_ABORT;
    c->local_port = local_port;
    (void)str_copy(c->local_ip, sizeof(c->local_ip), local_ip);
    return CURL_PREREQFUNC_OK;
}

static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *arg)
{
    struct httpc_connection *c = arg;

    (void)easy;
    httpc_peer_watch(ssl_ctx, &c->peer);
    return CURLE_OK;
}

void httpc_connection_free(struct httpc_connection *c)
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
static bool set_options(struct httpc_connection *c)
{
    const struct httpc_config *config = c->config;
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
    SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_AFTER_S);
    SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_EVERY_S);
    SET(CURLOPT_MAXAGE_CONN, (long)config->idle_s);
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
        struct curl_blob pem = { (void *)config->ca_pem, strlen(config->ca_pem), CURL_BLOB_NOCOPY };

        SET(CURLOPT_CAINFO_BLOB, &pem);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (config->client_cert_pem && config->client_key_pem) {
        struct curl_blob cert = { (void *)config->client_cert_pem, strlen(config->client_cert_pem),
                                  CURL_BLOB_NOCOPY };
        struct curl_blob key = { (void *)config->client_key_pem, strlen(config->client_key_pem),
                                 CURL_BLOB_NOCOPY };

        SET(CURLOPT_SSLCERTTYPE, "PEM");
        SET(CURLOPT_SSLCERT_BLOB, &cert);
        SET(CURLOPT_SSLKEYTYPE, "PEM");
        SET(CURLOPT_SSLKEY_BLOB, &key);
    }
#undef SET
    return bad == 0;
}

struct httpc_connection *httpc_connection_new(const struct httpc_config *config,
                                              const uint8_t (*pins)[32])
{
    struct httpc_connection *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->config = config;
    c->easy = curl_easy_init();
    c->multi = curl_multi_init();
    if (!c->easy || !c->multi || !set_options(c)) {
        httpc_connection_free(c);
        return NULL;
    }
    c->peer.mode = config->tls;
    c->peer.pins = pins;
    c->peer.npins = config->npins;
    return c;
}

bool httpc_is_cancelled(const struct httpc_config *config, const struct httpc_request *r)
{
    return (config->cancelled && config->cancelled(config->ctx)) ||
           (r->cancelled && r->cancelled(r->ctx));
}

enum httpc_outcome httpc_connection_run(struct httpc_connection *c, unsigned stall_ms,
                                        CURLcode *code)
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
            return HTTPC_DONE;
        }
        if (!running)
            break;
        /* Upload counts too, else a large body on a slow line would be a stall. */
        curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
        if (c->activity + (uint64_t)uploaded != seen) {
            seen = c->activity + (uint64_t)uploaded;
            last_ms = now;
        }
        if (now - asked_ms >= HTTPC_TICK_MS) {
            asked_ms = now;
            if (httpc_is_cancelled(c->config, c->request))
                return HTTPC_CANCELED;
        }
        if (now - last_ms >= (int64_t)stall_ms)
            return HTTPC_STALLED;
        curl_multi_poll(c->multi, NULL, 0, HTTPC_TICK_MS, NULL);
    }
    for (int left = 1; left > 0;) {
        const CURLMsg *msg = curl_multi_info_read(c->multi, &left);

        if (msg && msg->msg == CURLMSG_DONE)
            *code = msg->data.result;
    }
    return HTTPC_DONE;
}
