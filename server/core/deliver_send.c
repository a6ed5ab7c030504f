/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One attempt: the delivery's body as an HTTP request, a mail or a line of
 * syslog, and what the receiver said.
 */
#include "server/core/deliver.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <polyvisor/httpc.h>
#include <polyvisor/mail.h>
#include <polyvisor/syslogc.h>

#define TIMEOUT_MS 9000 /* with what is around it less than the ten seconds of a test */
#define RESPONSE_MOST (4u << 20)
#define RETRY_MOST_S 3600

void deliver_link_free(struct deliver_link *l)
{
    httpc_free(l->http);
    *l = (struct deliver_link){ .http = NULL };
}

static bool stopping(void *ctx)
{
    const struct core *c = ctx;

    return atomic_load(&c->stopping);
}

/* Clear text of a sealed field; *out NULL: there is none. */
static int open_field(struct core *c, const struct model_row *receiver, unsigned field,
                      struct arena *a, char **out, struct pv_err *err)
{
    const char *sealed = NULL;
    int rc =
        store_secret_get(c->store, receiver->kind->number, &receiver->id, field, a, &sealed, err);

    *out = NULL;
    if (rc == PV_ENOENT || (rc == PV_OK && (!sealed || !*sealed)))
        return PV_OK;
    if (rc == PV_OK && !c->config.secret_open)
        return pv_fail(err, PV_EINTERNAL, "there is nothing that opens secrets");
    return rc == PV_OK ? c->config.secret_open(c->config.ctx, receiver->kind->number, &receiver->id,
                                               field, sealed, out, err)
                       : rc;
}

bool deliver_sign(const char *secret, int64_t time_s, const char *body, size_t len,
                  char out[DELIVER_SIGNATURE])
{
    uint8_t mac[32];
    char hex[2 * sizeof(mac) + 1];
    unsigned n = 0;
    struct buf text;
    bool ok;

    buf_init(&text, len + 32);
    buf_printf(&text, "%" PRId64 ".", time_s);
    buf_append(&text, body, len);
    ok = buf_ok(&text) &&
         HMAC(EVP_sha256(), secret, (int)strlen(secret), (const unsigned char *)text.data, text.len,
              mac, &n) &&
         n == sizeof(mac);
    buf_free(&text);
    if (!ok)
        return false;
    str_hex(mac, sizeof(mac), hex);
    snprintf(out, DELIVER_SIGNATURE, "t=%" PRId64 ",v1=%s", time_s, hex);
    return true;
}

/* ---------------------------------------------------------------- HTTP */

/* What is refused once is refused always, unless it is about who asks, how often, or a proxy
 * between. */
static bool is_permanent(long status)
{
    static const long again[] = { 401, 403, 404, 407, 408, 409, 421, 423, 425, 429 };

    for (size_t i = 0; i < PV_COUNT(again); i++)
        if (status == again[i])
            return false;
    return status >= 400 && status < 500;
}

static int ignore_body(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    (void)data;
    (void)len;
    return PV_OK;
}

static int take_client(struct core *c, const struct model_row *receiver, unsigned ca_field,
                       struct deliver_link *link, struct pv_err *err)
{
    int64_t version = model_number(receiver, (unsigned)c->kinds[receiver->kind->number].version);
    const char *ca = model_text(receiver, ca_field);
    const struct httpc_config config = { .tls = HTTPC_TLS_CA,
                                         .ca_pem = *ca ? ca : NULL,
                                         .allow_http = true,
                                         .no_link_local = true,
                                         .max_connections = 1,
                                         .connect_timeout_ms = TIMEOUT_MS,
                                         .timeout_ms = TIMEOUT_MS,
                                         .stall_timeout_ms = TIMEOUT_MS,
                                         .max_response = RESPONSE_MOST,
                                         .cancelled = stopping,
                                         .ctx = c };

    if (link->http && link->version == version)
        return PV_OK;
    deliver_link_free(link);
    link->version = version;
    return httpc_new(&config, &link->http, err);
}

static void judge_status(const struct httpc_response *answer, struct deliver_result *out)
{
    char native[16], later[32];
    uint64_t s;

    snprintf(out->answer, sizeof(out->answer), "HTTP %ld", answer->status);
    if (answer->status >= 200 && answer->status < 300)
        return;
    out->permanent = is_permanent(answer->status);
    if (httpc_header(answer, "Retry-After", later, sizeof(later)) &&
        str_u64(later, strlen(later), RETRY_MOST_S, &s))
        out->retry_s = (unsigned)s;
    out->rc = answer->status >= 300 && answer->status < 400
                  ? pv_fail(&out->err, PV_EIO,
                            "the receiver sends elsewhere (HTTP %ld); that is not followed",
                            answer->status)
                  : pv_fail(&out->err, PV_EIO, "the receiver answered HTTP %ld", answer->status);
    snprintf(native, sizeof(native), "%ld", answer->status);
    pv_err_native(&out->err, native);
}

static void post(struct core *c, const struct model_row *receiver, const struct model_row *row,
                 struct deliver_link *link, struct arena *a, struct deliver_result *out)
{
    bool hook = receiver->kind->number == PV_KIND_webhook;
    unsigned secret_field = hook ? F(webhook, secret) : F(notification_target, secret);
    const char *body = model_text(row, F(delivery, body));
    struct httpc_response answer = { .status = 0 };
    char id[PV_ID_TEXT], signature[DELIVER_SIGNATURE], *secret = NULL;
    const char *headers[6];
    struct httpc_request request = {
        .method = "POST",
        .url = model_text(receiver, hook ? F(webhook, url) : F(notification_target, url)),
        .headers = headers,
        .body = body,
        .body_len = strlen(body),
        .on_body = ignore_body
    };

    out->rc = open_field(c, receiver, secret_field, a, &secret, &out->err);
    if (out->rc == PV_OK)
        out->rc =
            take_client(c, receiver, hook ? F(webhook, ca_pem) : F(notification_target, ca_pem),
                        link, &out->err);
    if (out->rc == PV_OK && secret &&
        !deliver_sign(secret, clock_wall_ms() / 1000, body, strlen(body), signature))
        out->rc = pv_fail(&out->err, PV_ENOMEM, "no memory for a signature");
    if (out->rc == PV_OK) {
        model_id_text(PV_KIND_delivery, &row->id, id);
        headers[request.nheaders++] = "Content-Type: application/json";
        headers[request.nheaders++] = arena_printf(a, "Polyvisor-Delivery: %s", id);
        headers[request.nheaders++] =
            arena_printf(a, "Polyvisor-Event: %s", model_text(row, F(delivery, type)));
        headers[request.nheaders++] = arena_printf(a, "Polyvisor-Attempt: %" PRId64,
                                                   model_number(row, F(delivery, attempts)) + 1);
        if (secret)
            headers[request.nheaders++] = arena_printf(a, "Polyvisor-Signature: %s", signature);
        for (size_t i = 0; i < request.nheaders && out->rc == PV_OK; i++)
            if (!headers[i])
                out->rc = pv_fail(&out->err, PV_ENOMEM, "no memory for a request");
    }
    if (out->rc == PV_OK) {
        out->rc = httpc_send(link->http, &request, &answer, &out->err);
        if (out->rc == PV_OK)
            judge_status(&answer, out);
        httpc_response_free(&answer);
    }
    if (secret)
        c->config.secret_free(secret);
}

/* ---------------------------------------------------------------- in words */

static const char *text_at(const json_t *body, const char *object, const char *member)
{
    const json_t *in = object ? json_object_get(body, object) : body;
    const char *text = json_string_value(json_object_get(in, member));

    return text ? text : "";
}

static void line(struct buf *out, const char *label, const char *text)
{
    if (*text)
        buf_printf(out, "%-12s %s\n", label, text);
}

static const char *name_at(const json_t *alert, const char *member)
{
    return text_at(json_object_get(alert, member), NULL, "name");
}

/* What a mail says under its subject. */
static const char *mail_text(struct arena *a, const json_t *body, const char *message)
{
    const json_t *alert = json_object_get(body, "alert"), *ref = json_object_get(alert, "ref");
    const char *notes = text_at(body, NULL, "notes");
    struct buf text;
    const char *out;

    buf_init(&text, 32768);
    buf_printf(&text, "%s\n\n", message);
    line(&text, "What:", text_at(body, NULL, "type"));
    line(&text, "Severity:", text_at(alert, NULL, "severity"));
    line(&text, "Rule:", name_at(alert, "rule"));
    line(&text, "About:", text_at(ref, NULL, "kind"));
    line(&text, "", text_at(ref, NULL, "name"));
    line(&text, "", text_at(ref, NULL, "id"));
    line(&text, "Provider:", name_at(alert, "provider"));
    line(&text, "Since:", text_at(alert, NULL, "fired_at"));
    line(&text, "Resolved:", text_at(alert, NULL, "resolved_at"));
    line(&text, "Resolved by:", text_at(alert, NULL, "resolved_by"));
    line(&text, "Alert:", text_at(alert, NULL, "id"));
    if (*notes)
        buf_printf(&text, "\nWhat to do:\n%s\n", notes);
    buf_text(&text, "\nSent by Polyvisor.\n");
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

/* "error: Host disconnected: esx1", "resolved: ..." */
static const char *headline(struct arena *a, const json_t *body, const struct model_row *row)
{
    const char *severity = text_at(json_object_get(body, "alert"), NULL, "severity");
    bool over = strcmp(model_text(row, F(delivery, type)), "alert.resolved") == 0;

    return arena_printf(a, "%s%s%s", over ? "resolved" : severity, over || *severity ? ": " : "",
                        model_text(row, F(delivery, message)));
}

static size_t split(struct arena *a, const char *list, const char **out, size_t most)
{
    size_t n = 0;

    while (*list == '\n' && list[1] && n < most) {
        size_t len = strcspn(list + 1, "\n");

        out[n] = arena_text(a, list + 1, len);
        if (!out[n])
            return 0;
        n++;
        list += 1 + len;
    }
    return n;
}

static void mail(struct core *c, const struct model_row *t, const struct model_row *row,
                 const json_t *body, struct arena *a, struct deliver_result *out)
{
    static const enum mail_security security[] = { [PV_CHANNEL_SECURITY_TLS] = MAIL_TLS,
                                                   [PV_CHANNEL_SECURITY_STARTTLS] = MAIL_STARTTLS,
                                                   [PV_CHANNEL_SECURITY_NONE] = MAIL_PLAIN };
    const char *to[32], *head = headline(a, body, row);
    char id[PV_ID_TEXT], *password = NULL;
    struct mail_result result = { 0 };
    struct mail_config config = {
        .server = model_text(t, F(notification_target, server)),
        .port = (unsigned)model_number(t, F(notification_target, port)),
        .security = security[model_number(t, F(notification_target, security)) % 3],
        .username = model_text(t, F(notification_target, username)),
        .ca_pem = model_text(t, F(notification_target, ca_pem)),
        .timeout_ms = TIMEOUT_MS,
        .cancelled = stopping,
        .ctx = c
    };
    struct mail_message m = { .from = model_text(t, F(notification_target, from)),
                              .to = to,
                              .id = id,
                              .nto = split(a, model_text(t, F(notification_target, to)), to,
                                           PV_COUNT(to)),
                              .text = mail_text(a, body, head ? head : ""),
                              .time_ms = model_number(row, F(delivery, created_at)) };

    model_id_text(PV_KIND_delivery, &row->id, id);
    m.subject = head ? arena_printf(a, "[Polyvisor] %s", head) : NULL;
    if (!m.subject || !m.text || m.nto == 0) {
        out->rc = pv_fail(&out->err, PV_ENOMEM, "no memory for a message");
        return;
    }
    out->rc = open_field(c, t, F(notification_target, password), a, &password, &out->err);
    config.password = password;
    if (out->rc == PV_OK)
        out->rc = mail_send(&config, &m, &result, &out->err);
    out->permanent = result.permanent;
    if (result.code)
        snprintf(out->answer, sizeof(out->answer), "SMTP %ld", result.code);
    if (password)
        c->config.secret_free(password);
}

static void syslog_line(struct core *c, const struct model_row *t, const struct model_row *row,
                        const json_t *body, struct arena *a, struct deliver_result *out)
{
    static const unsigned levels[] = {
        [PV_SEVERITY_INFO] = 6, [PV_SEVERITY_WARNING] = 4, [PV_SEVERITY_ERROR] = 3
    };
    const json_t *alert = json_object_get(body, "alert");
    const char *severity = text_at(alert, NULL, "severity"), *head = headline(a, body, row);
    int64_t level = model_enum_value(PV_ENUM_severity, severity, strlen(severity));
    bool over = strcmp(model_text(row, F(delivery, type)), "alert.resolved") == 0;
    bool udp = model_number(t, F(notification_target, transport)) == PV_SYSLOG_TRANSPORT_UDP;
    char host[HOST_NAME_MAX + 1] = "";
    const struct syslogc_config config = {
        .server = model_text(t, F(notification_target, server)),
        .port = (unsigned)model_number(t, F(notification_target, port)),
        .transport = model_number(t, F(notification_target, security)) == PV_CHANNEL_SECURITY_TLS
                         ? SYSLOGC_TLS
                     : udp ? SYSLOGC_UDP
                           : SYSLOGC_TCP,
        .ca_pem = model_text(t, F(notification_target, ca_pem)),
        .timeout_ms = TIMEOUT_MS,
        .cancelled = stopping,
        .ctx = c,
    };
    const struct syslogc_message m = {
        .facility = (unsigned)model_number(t, F(notification_target, facility)),
        .severity = over || level < 0 ? 5 : levels[level % 3],
        .time_ms = model_number(row, F(delivery, created_at)),
        .host = host,
        .id = model_text(row, F(delivery, type)),
        .text = head ? arena_printf(a, "%s (%s %s)", head, text_at(alert, NULL, "id"),
                                    text_at(json_object_get(alert, "ref"), NULL, "id"))
                     : NULL,
    };

    gethostname(host, sizeof(host) - 1);
    out->rc = m.text ? syslogc_send(&config, &m, &out->err)
                     : pv_fail(&out->err, PV_ENOMEM, "no memory for a message");
    if (out->rc == PV_OK)
        str_copy(out->answer, sizeof(out->answer), "sent");
}

/* ---------------------------------------------------------------- all of them */

/* The receiver is no provider: other words for the same failures. */
static void name_problem(struct deliver_result *out)
{
    switch (out->rc) {
    case PV_EOFFLINE:
        out->err.problem = "receiver-unreachable";
        break;
    case PV_ETIMEOUT:
    case PV_EUNKNOWN: /* cut off before an answer: it is sent again, with the same id */
        out->rc = out->err.rc = PV_ETIMEOUT;
        out->err.problem = "receiver-timeout";
        break;
    case PV_ECERT:
        out->err.problem = "receiver-certificate";
        break;
    case PV_EAUTH:
        out->err.problem = "receiver-auth-failed";
        break;
    case PV_EIO:
        out->err.problem = "receiver-refused";
        break;
    default:
        break;
    }
}

void deliver_attempt(struct core *c, const struct model_row *receiver, const struct model_row *row,
                     struct deliver_link *link, struct deliver_result *out)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 2u << 20);
    PV_AUTO(json_decref_p) json_t *body = NULL;
    bool hook = receiver->kind->number == PV_KIND_webhook;
    int64_t type =
        hook ? PV_TARGET_TYPE_WEBHOOK : model_number(receiver, F(notification_target, type));
    int64_t from = clock_mono_ms();

    *out = (struct deliver_result){ .rc = PV_OK };
    if (!a) {
        out->rc = pv_fail(&out->err, PV_ENOMEM, "no memory for a message");
    } else if (type == PV_TARGET_TYPE_WEBHOOK) {
        post(c, receiver, row, link, a, out);
    } else {
        body = json_loads(model_text(row, F(delivery, body)), 0, NULL);
        if (type == PV_TARGET_TYPE_MAIL)
            mail(c, receiver, row, body, a, out);
        else
            syslog_line(c, receiver, row, body, a, out);
    }
    out->took_ms = clock_mono_ms() - from;
    name_problem(out);
}
