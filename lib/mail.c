/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/mail.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "lib/outgoing_curl.h"

#define MESSAGE_MOST (1u << 20)
#define LINE 57 /* bytes that make 76 characters of base64 */
#define WORD 45 /* bytes of an encoded word: at most 75 characters with its frame (RFC 2047, 2) */

PV_DEFINE_AUTO(curl_easy_cleanup, CURL *)
PV_DEFINE_AUTO(curl_slist_free_all, struct curl_slist *)

bool mail_address_ok(const char *address)
{
    const char *at = strchr(address, '@');

    if (!at || at == address || !at[1] || strchr(at + 1, '@') || strlen(address) > 320)
        return false;
    for (const char *p = address; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("<>()[]\\,;:\"", *p))
            return false;
    return true;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* A header's text: as it is, or in encoded words, each of whole characters. */
static void header_text(struct buf *out, const char *text)
{
    size_t len = strlen(text);

    if (is_plain(text) && len <= 200 && !strstr(text, "=?")) {
        buf_text(out, text);
        return;
    }
    for (size_t at = 0; at < len;) {
        size_t n = len - at < WORD ? len - at : WORD;

        while (n > 1 && at + n < len && ((unsigned char)text[at + n] & 0xc0) == 0x80)
            n--;
        buf_text(out, at ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        str_base64(out, (const uint8_t *)text + at, n);
        buf_text(out, "?=");
        at += n;
    }
}

static void header_date(struct buf *out, int64_t ms)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t s = (time_t)(ms / 1000);
    struct tm tm;

    if (!gmtime_r(&s, &tm))
        return;
    buf_printf(out, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d +0000\r\n", days + 3 * tm.tm_wday,
               tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
               tm.tm_sec);
}

void mail_write(struct buf *out, const struct mail_message *m)
{
    const char *domain = strchr(m->from, '@');
    size_t len = strlen(m->text);

    buf_printf(out, "From: <%s>\r\nTo: ", m->from);
    for (size_t i = 0; i < m->nto; i++)
        buf_printf(out, "%s<%s>", i ? ",\r\n " : "", m->to[i]);
    buf_text(out, "\r\nSubject: ");
    header_text(out, m->subject);
    buf_text(out, "\r\n");
    header_date(out, m->time_ms);
    buf_printf(out, "Message-ID: <%s%s>\r\n", m->id, domain ? domain : "@localhost");
    buf_text(
        out,
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    for (size_t at = 0; at < len; at += LINE) {
        str_base64(out, (const uint8_t *)m->text + at, len - at < LINE ? len - at : LINE);
        buf_text(out, "\r\n");
    }
}

struct sending {
    struct outgoing_call call;
    struct buf text;
    size_t at;
};

static size_t on_read(char *out, size_t size, size_t count, void *arg)
{
    struct sending *s = arg;
    size_t room = size * count, left = s->text.len - s->at, n = left < room ? left : room;

    if (n)
        memcpy(out, s->text.data + s->at, n);
    s->at += n;
    return n;
}

static int failure(const struct outgoing_call *call, CURLcode code, struct mail_result *out,
                   struct pv_err *err)
{
    int rc = outgoing_curl_fail(call, code, err);

    if (rc == PV_EIO && code != CURLE_USE_SSL_FAILED && out->code) {
        char native[16];

        /* 55x is about this message or its addresses; 530 to 535 are about the sign-in. */
        out->permanent = out->code >= 550 && out->code <= 559;
        snprintf(native, sizeof(native), "%ld", out->code);
        pv_err_native(err, native);
    }
    return rc;
}

static int set_options(CURL *e, struct sending *s, const struct mail_config *c,
                       struct curl_slist *to, const char *from, struct pv_err *err)
{
    char url[320], sender[330];
    int bad = outgoing_curl_set(e, &s->call);

    outgoing_curl_url(url, sizeof(url), c->security == MAIL_TLS ? "smtps" : "smtp", c->server,
                      c->port);
    snprintf(sender, sizeof(sender), "<%s>", from);
#define SET(option, value) bad |= (int)curl_easy_setopt(e, option, value)
    SET(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    SET(CURLOPT_URL, url);
    SET(CURLOPT_MAIL_FROM, sender);
    SET(CURLOPT_MAIL_RCPT, to);
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, s);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)s->text.len);
    SET(CURLOPT_USE_SSL, c->security == MAIL_PLAIN ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
    if (c->username && *c->username) {
        SET(CURLOPT_USERNAME, c->username);
        SET(CURLOPT_PASSWORD, c->password ? c->password : "");
    }
#undef SET
    return bad ? pv_fail(err, PV_EINTERNAL, "this libcurl lacks an option that is needed") : PV_OK;
}

int mail_send(const struct mail_config *config, const struct mail_message *message,
              struct mail_result *out, struct pv_err *err)
{
    PV_AUTO(curl_easy_cleanup_p) CURL *e = curl_easy_init();
    PV_AUTO(curl_slist_free_all_p) struct curl_slist *to = NULL;
    struct sending s = { .call = { .server = config->server,
                                   .timeout_ms = config->timeout_ms,
                                   .ca_pem = config->ca_pem,
                                   .cancelled = config->cancelled,
                                   .ctx = config->ctx } };
    CURLcode code;
    int rc;

    *out = (struct mail_result){ 0 };
    for (size_t i = 0; i < message->nto; i++) {
        char address[330];
        struct curl_slist *more;

        snprintf(address, sizeof(address), "<%s>", message->to[i]);
        more = curl_slist_append(to, address);
        if (!more)
            return pv_fail(err, PV_ENOMEM, "no memory for a message");
        to = more;
    }
    buf_init(&s.text, MESSAGE_MOST);
    mail_write(&s.text, message);
    if (!e || !buf_ok(&s.text)) {
        buf_free(&s.text);
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    }
    rc = set_options(e, &s, config, to, message->from, err);
    if (rc == PV_OK) {
        code = curl_easy_perform(e);
        curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &out->code);
        if (code != CURLE_OK)
            rc = failure(&s.call, code, out, err);
    }
    buf_free(&s.text);
    return rc;
}
