/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/syslogc.h>

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/outgoing.h>
#include <polyvisor/str.h>

#include "lib/outgoing_curl.h"

#define MESSAGE_MOST 65536
#define DATAGRAM_MOST 2048 /* RFC 5424, 6.1: what a receiver should be able to take */
#define TICK_MS 250

PV_DEFINE_AUTO(curl_easy_cleanup, CURL *)

/* A field of the header: printable ASCII without space, or "-". */
static void header_word(struct buf *out, const char *text, size_t most)
{
    size_t n = 0;

    buf_char(out, ' ');
    for (; text && *text && n < most; text++)
        if (*text > ' ' && (unsigned char)*text < 0x7f) {
            buf_char(out, *text);
            n++;
        }
    if (n == 0)
        buf_char(out, '-');
}

void syslogc_write(struct buf *out, const struct syslogc_message *m)
{
    char when[CLOCK_TEXT_LEN];

    clock_text(m->time_ms, when);
    buf_printf(out, "<%u>1 %s", m->facility * 8 + m->severity, when);
    header_word(out, m->host, 255);
    header_word(out, "polyvisor", 48);
    buf_printf(out, " %d", (int)getpid());
    header_word(out, m->id, 32);
    /* No structured data; the mark says that the text is UTF-8. */
    buf_text(out, " - \xEF\xBB\xBF");
    for (const char *p = m->text; *p; p++)
        buf_char(out, (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p);
}

/* ---------------------------------------------------------------- UDP */

static int send_datagram(const struct syslogc_config *c, const struct buf *text, struct pv_err *err)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM };
    size_t len = text->len < DATAGRAM_MOST ? text->len : DATAGRAM_MOST;
    struct addrinfo *list = NULL;
    char port[16], host[256];
    bool refused = false, sent = false;
    int code;

    snprintf(port, sizeof(port), "%u", c->port);
    if (!str_copy(host, sizeof(host), c->server))
        return pv_fail(err, PV_EINVAL, "this is not a host name or an address");
    if (host[0] == '[') {
        memmove(host, host + 1, strlen(host));
        host[strcspn(host, "]")] = '\0';
    }
    code = getaddrinfo(host, port, &hints, &list);
    if (code != 0)
        return pv_fail(err, PV_EOFFLINE, "no connection to %s: %s", c->server, gai_strerror(code));
    while (len > 0 && len < text->len && ((unsigned char)text->data[len] & 0xc0) == 0x80)
        len--;
    for (const struct addrinfo *a = list; a && !sent; a = a->ai_next) {
        PV_AUTO_CLOSE int fd = -1;

        if (!outgoing_address_ok(a->ai_addr, a->ai_addrlen)) {
            refused = true;
            continue;
        }
        fd = socket(a->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sent = fd >= 0 && sendto(fd, text->data, len, 0, a->ai_addr, a->ai_addrlen) == (ssize_t)len;
    }
    code = errno;
    freeaddrinfo(list);
    if (sent)
        return PV_OK;
    if (refused)
        return pv_fail(err, PV_EINVAL,
                       "%s leads to a link-local or metadata address, which is refused", c->server);
    return pv_fail_os(err, code, "no connection to %s", c->server);
}

/* ---------------------------------------------------------------- TCP and TLS */

/* With CONNECT_ONLY curl makes the connection, and for https its TLS, and asks nothing. */
static int set_options(CURL *e, struct outgoing_call *call, const struct syslogc_config *c,
                       struct pv_err *err)
{
    char url[320];
    int bad = outgoing_curl_set(e, call);

    outgoing_curl_url(url, sizeof(url), c->transport == SYSLOGC_TLS ? "https" : "http", c->server,
                      c->port);
    bad |= (int)curl_easy_setopt(e, CURLOPT_URL, url);
    bad |= (int)curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
    bad |= (int)curl_easy_setopt(e, CURLOPT_SSL_ENABLE_ALPN, 0L);
    return bad ? pv_fail(err, PV_EINTERNAL, "this libcurl lacks an option that is needed") : PV_OK;
}

static int send_all(CURL *e, const struct syslogc_config *c, const struct buf *text,
                    struct pv_err *err)
{
    int64_t deadline = clock_mono_ms() + c->timeout_ms;
    curl_socket_t fd = CURL_SOCKET_BAD;
    size_t at = 0;

    curl_easy_getinfo(e, CURLINFO_ACTIVESOCKET, &fd);
    while (at < text->len) {
        size_t n = 0;
        CURLcode code = curl_easy_send(e, text->data + at, text->len - at, &n);
        struct pollfd p = { .fd = fd, .events = POLLOUT };

        if (code == CURLE_OK) {
            at += n;
            continue;
        }
        if (code != CURLE_AGAIN)
            return pv_fail(err, PV_EIO, "the connection to %s was cut: %s", c->server,
                           curl_easy_strerror(code));
        if (clock_mono_ms() >= deadline)
            return pv_fail(err, PV_ETIMEOUT, "%s did not answer in time", c->server);
        if (c->cancelled && c->cancelled(c->ctx))
            return pv_fail(err, PV_ECANCELED, "the message to %s was canceled", c->server);
        poll(&p, 1, TICK_MS);
    }
    return PV_OK;
}

static int send_stream(const struct syslogc_config *c, const struct buf *text, struct pv_err *err)
{
    PV_AUTO(curl_easy_cleanup_p) CURL *e = curl_easy_init();
    struct outgoing_call call = { .server = c->server,
                                  .timeout_ms = c->timeout_ms,
                                  .ca_pem = c->ca_pem,
                                  .cancelled = c->cancelled,
                                  .ctx = c->ctx };
    struct buf framed;
    CURLcode code;
    int rc;

    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    rc = set_options(e, &call, c, err);
    if (rc != PV_OK)
        return rc;
    code = curl_easy_perform(e);
    if (code != CURLE_OK)
        return outgoing_curl_fail(&call, code, err);
    buf_init(&framed, MESSAGE_MOST + 16);
    buf_printf(&framed, "%zu ", text->len);
    buf_append(&framed, text->data, text->len);
    rc = buf_ok(&framed) ? send_all(e, c, &framed, err)
                         : pv_fail(err, PV_ENOMEM, "no memory for a message");
    buf_free(&framed);
    return rc;
}

int syslogc_send(const struct syslogc_config *c, const struct syslogc_message *message,
                 struct pv_err *err)
{
    struct buf text;
    int rc;

    buf_init(&text, MESSAGE_MOST);
    syslogc_write(&text, message);
    if (!buf_ok(&text))
        rc = pv_fail(err, PV_ENOMEM, "no memory for a message");
    else
        rc =
            c->transport == SYSLOGC_UDP ? send_datagram(c, &text, err) : send_stream(c, &text, err);
    buf_free(&text);
    return rc;
}
