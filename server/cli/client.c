/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cli/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/httpc.h>
#include <polyvisor/id.h>
#include <polyvisor/str.h>

#include "server/cli/context.h"
#include "server/cli/term.h"

#define CALL_MS 90000
#define STREAM_MS (24u * 3600 * 1000)
/* The server sends a comment every 15 s. */
#define STREAM_STALL_MS 45000
#define RATE_TRIES 3
#define RATE_WAIT_MOST_S 15

static bool was_interrupted(void *ctx)
{
    (void)ctx;
    return term_interrupted();
}

/* "AA:BB:...", "sha256:aabb..." and "aabb..." are the same fingerprint. */
static const char *plain_fingerprint(struct arena *a, const char *text)
{
    char hex[65];
    size_t n = 0;

    if (strncmp(text, "sha256:", 7) == 0 || strncmp(text, "SHA256:", 7) == 0)
        text += 7;
    for (; *text; text++) {
        if (*text == ':' || *text == ' ')
            continue;
        if (n == 64 || !strchr("0123456789abcdefABCDEF", *text))
            return NULL;
        hex[n++] = *text >= 'A' && *text <= 'F' ? (char)(*text + 32) : *text;
    }
    hex[n] = '\0';
    return n == 64 ? arena_strdup(a, hex) : NULL;
}

int client_open(struct cli *c, struct pv_err *err)
{
    struct httpc_config config = { .tls = HTTPC_TLS_CA,
                                   .allow_http = true,
                                   .max_connections = 2,
                                   .timeout_ms = CALL_MS,
                                   .stall_timeout_ms = CALL_MS,
                                   .max_response = UINT64_C(16) << 30,
                                   .user_agent = "polyvisor/" PV_VERSION,
                                   .cancelled = was_interrupted };
    const char *pin = NULL;
    char *pem = NULL;
    int rc;

    if (c->http)
        return PV_OK;
    rc = context_choose(c, err);
    if (rc != PV_OK)
        return rc;
    if (c->fingerprint) {
        pin = plain_fingerprint(c->arena, c->fingerprint);
        if (!pin)
            return cli_usage(c, err,
                             "a fingerprint is the SHA-256 of a certificate: 64 hex digits");
        config.tls = HTTPC_TLS_PIN;
        config.pins = &pin;
        config.npins = 1;
    } else if (c->ca_file) {
        rc = file_read(c, c->ca_file, 1u << 20, &pem, err);
        if (rc != PV_OK)
            return rc;
        config.ca_pem = pem;
    }
    rc = httpc_new(&config, &c->http, err);
    free(pem);
    return rc;
}

void client_escape(struct buf *out, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
            strchr("-._~", *p))
            buf_char(out, (char)*p);
        else
            buf_printf(out, "%%%02X", *p);
    }
}

void client_query(struct buf *path, const char *name, const char *value)
{
    buf_printf(path, "%c%s=", path->data && strchr(path->data, '?') ? '&' : '?', name);
    client_escape(path, value);
}

/* ------------------------------------------------------------------ what failed */

/* Failures of the connection, in words about this server. */
static int explain(struct cli *c, struct pv_err *err)
{
    if (err->rc == PV_ECERT) {
        pv_wrap(err, "the server does not show a certificate that is trusted here");
        if (c->fingerprint)
            pv_err_remedy(err,
                          "Its certificate was changed, or this is not the server. It now shows "
                          "%s; compare that with "
                          "the line the server prints at its start, then sign in again.",
                          err->native_code);
        else
            pv_err_remedy(err,
                          "It shows %s. If the server printed the same at its start, trust it with "
                          "polyvisor login, or "
                          "with --fingerprint.",
                          err->native_code);
    } else if (err->rc == PV_EOFFLINE) {
        pv_err_remedy(err,
                      "Is the server running, and is %s its address? Sign in to another with "
                      "polyvisor login URL.",
                      c->url);
    }
    return err->rc;
}

static int refused(struct cli *c, const struct httpc_response *r, struct pv_err *err)
{
    json_t *problem = r->body.data ? json_loadb(r->body.data, r->body.len, 0, NULL) : NULL;

    failure_take(c, problem, r->status, err);
    json_decref(problem);
    if (r->status == 401 && !c->token)
        pv_err_remedy(err, "Sign in with polyvisor login, or set POLYVISOR_TOKEN.");
    else if (r->status == 401)
        pv_err_remedy(err,
                      "The token is not known or has ended: sign in again with polyvisor login.");
    return err->rc;
}

/* ------------------------------------------------------------------ one request */

struct headers {
    const char *lines[12];
    size_t n;
};

static void put(struct cli *c, struct headers *h, const char *name, const char *value)
{
    const char *line = value ? arena_printf(c->arena, "%s: %s", name, value) : NULL;

    if (line && h->n < PV_COUNT(h->lines))
        h->lines[h->n++] = line;
}

static void put_headers(struct cli *c, struct headers *h, const char *method,
                        const struct call *call, bool has_body)
{
    put(c, h, "Accept", call->accept ? call->accept : "application/json");
    if (call->cookie)
        put(c, h, "Cookie", call->cookie);
    else if (c->token)
        put(c, h, "Authorization", arena_printf(c->arena, "Bearer %s", c->token));
    put(c, h, "X-CSRF-Token", call->csrf);
    if (has_body && call->bytes_range)
        put(c, h, "Content-Type", "application/octet-stream");
    else if (has_body)
        put(c, h, "Content-Type",
            strcmp(method, "PATCH") == 0 ? "application/merge-patch+json" : "application/json");
    if (call->once) {
        uint8_t dice[16];
        char key[33];

        id_random(dice, sizeof(dice));
        str_hex(dice, sizeof(dice), key);
        put(c, h, "Idempotency-Key", key);
    }
    if (call->wait_s)
        put(c, h, "Prefer", arena_printf(c->arena, "wait=%u", call->wait_s));
    put(c, h, "If-Match", call->if_match);
    put(c, h, "Content-Range", call->bytes_range);
}

static bool wait_for_turn(const struct httpc_response *r)
{
    char text[32];
    uint64_t seconds = 1;

    if (httpc_header(r, "Retry-After", text, sizeof(text)))
        (void)str_u64(text, strlen(text), 3600, &seconds);
    if (seconds > RATE_WAIT_MOST_S)
        return false;
    clock_sleep_ms((int64_t)seconds * 1000);
    return !term_interrupted();
}

/* Sends until there is an answer: again after a cut where that is safe, again after "too many
 * requests". */
static int send(struct cli *c, const struct httpc_request *request, bool once,
                struct httpc_response *r, struct pv_err *err)
{
    bool again = once;

    for (int tries = 0;; tries++) {
        int rc = httpc_send(c->http, request, r, err);

        if (rc == PV_EUNKNOWN && again) {
            again = false;
            clock_sleep_ms(500);
        } else if (rc == PV_OK && r->status == 429 && tries < RATE_TRIES && wait_for_turn(r)) {
            ;
        } else {
            return rc;
        }
        httpc_response_free(r);
        if (err)
            *err = (struct pv_err){ 0 };
    }
}

static int take_answer(struct httpc_response *r, struct call *call, json_t **out,
                       struct pv_err *err)
{
    char type[128];
    json_error_t why;

    *out = NULL;
    (void)httpc_header(r, "ETag", call->etag, sizeof(call->etag));
    (void)httpc_header(r, "Set-Cookie", call->set_cookie, sizeof(call->set_cookie));
    if (r->body.len == 0)
        return PV_OK;
    if (!httpc_header(r, "Content-Type", type, sizeof(type)) || !strstr(type, "json")) {
        call->text_len = r->body.len;
        call->text = buf_take(&r->body);
        return PV_OK;
    }
    *out = json_loadb(r->body.data, r->body.len, JSON_DECODE_ANY, &why);
    return *out ? PV_OK : pv_fail(err, PV_EIO, "the server's answer is not JSON: %s", why.text);
}

int client_call(struct cli *c, const char *method, const char *path, const json_t *body,
                struct call *call, json_t **out, struct pv_err *err)
{
    struct call none = { 0 };
    struct httpc_response r;
    struct headers h = { 0 };
    json_t *answer = NULL;
    char *text = NULL;
    int rc = client_open(c, err);

    if (rc != PV_OK)
        return rc;
    call = call ? call : &none;
    /* A POST without parameters is one with none. */
    if (!call->bytes_range && (body || strcmp(method, "POST") == 0)) {
        text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("{}");
        if (!text)
            return pv_fail(err, PV_ENOMEM, "no memory for the request");
    }
    put_headers(c, &h, method, call, text || call->bytes_range);
    rc = send(c,
              &(struct httpc_request){ .method = method,
                                       .url = arena_printf(c->arena, "%s%s", c->url, path),
                                       .headers = h.lines,
                                       .nheaders = h.n,
                                       .body = text ? text : call->bytes,
                                       .body_len = text ? strlen(text) : call->bytes_len,
                                       .timeout_ms = call->timeout_ms },
              call->once, &r, err);
    if (text) {
        explicit_bzero(text, strlen(text)); /* it may hold a password */
        free(text);
    }
    call->status = r.status;
    if (rc != PV_OK)
        rc = explain(c, err);
    else if (r.status >= 400)
        rc = refused(c, &r, err);
    else
        rc = take_answer(&r, call, &answer, err);
    httpc_response_free(&r);
    if (call == &none)
        free(none.text);
    if (rc == PV_OK && out)
        *out = answer;
    else
        json_decref(answer);
    return rc;
}

int client_get(struct cli *c, const char *path, json_t **out, struct pv_err *err)
{
    int rc = client_call(c, "GET", path, NULL, NULL, out, err);

    if (rc == PV_OK && !*out)
        rc = pv_fail(err, PV_EIO, "the server answered nothing to %s", path);
    return rc;
}

/* ------------------------------------------------------------------ answers line by line */

#define LINE_MAX (8u << 20)

struct reader {
    const struct httpc_response *response;
    client_line_fn each;
    void *ctx;
    struct pv_err *err;
    struct buf rest; /* a line that is not whole yet */
    struct buf problem;
    bool decided, refused;
};

static int give_line(struct reader *r, const char *line, size_t len)
{
    if (len > 0 && line[len - 1] == '\r')
        len--;
    return r->each(r->ctx, line, len, r->err);
}

static int on_body(void *ctx, const void *data, size_t len)
{
    struct reader *r = ctx;
    const char *at = data, *end = at + len;
    char type[128] = "";

    if (!r->decided) {
        /* The status is known only at the end; the type tells as much. */
        (void)httpc_header(r->response, "Content-Type", type, sizeof(type));
        r->refused = strstr(type, "problem+json") != NULL;
        r->decided = true;
    }
    if (r->refused) {
        buf_append(&r->problem, data, len);
        return PV_OK;
    }
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        int rc;

        if (!newline || r->rest.len > 0) {
            size_t part = newline ? (size_t)(newline - at) : (size_t)(end - at);

            buf_append(&r->rest, at, part);
            if (!buf_ok(&r->rest))
                return pv_fail(r->err, PV_EIO, "a line of the answer is larger than %u bytes",
                               LINE_MAX);
            if (!newline)
                return PV_OK;
            rc = give_line(r, r->rest.data ? r->rest.data : "", r->rest.len);
            buf_reset(&r->rest);
        } else {
            rc = give_line(r, at, (size_t)(newline - at));
        }
        if (rc != PV_OK)
            return rc;
        at = newline + 1;
    }
    return PV_OK;
}

int client_lines(struct cli *c, const char *path, const char *accept, const char *last_event,
                 client_line_fn each, void *ctx, struct pv_err *err)
{
    struct call call = { .accept = accept };
    struct httpc_response response;
    struct reader reader = { .response = &response, .each = each, .ctx = ctx, .err = err };
    struct headers h = { 0 };
    int rc = client_open(c, err);

    if (rc != PV_OK)
        return rc;
    buf_init(&reader.rest, LINE_MAX);
    buf_init(&reader.problem, 1u << 20);
    put_headers(c, &h, "GET", &call, false);
    put(c, &h, "Last-Event-ID", last_event);
    rc = send(c,
              &(struct httpc_request){ .method = "GET",
                                       .url = arena_printf(c->arena, "%s%s", c->url, path),
                                       .headers = h.lines,
                                       .nheaders = h.n,
                                       .on_body = on_body,
                                       .ctx = &reader,
                                       .timeout_ms = STREAM_MS,
                                       .stall_timeout_ms = STREAM_STALL_MS },
              false, &response, err);
    if (rc == PV_OK && response.status >= 400) {
        response.body = reader.problem;
        reader.problem = (struct buf){ 0 };
        rc = refused(c, &response, err);
    } else if (rc == PV_OK && reader.rest.len > 0) {
        rc = give_line(&reader, reader.rest.data, reader.rest.len);
    } else if (rc != PV_OK && rc != PV_ECANCELED) {
        rc = explain(c, err);
    }
    /* Whoever reads has all it wanted. */
    if (rc == PV_ECANCELED && !term_interrupted()) {
        *err = (struct pv_err){ 0 };
        rc = PV_OK;
    }
    httpc_response_free(&response);
    buf_free(&reader.rest);
    buf_free(&reader.problem);
    return rc;
}

/* ------------------------------------------------------------------ files */

struct receiver {
    const struct httpc_response *response;
    struct client_file *file;
    struct pv_err *err;
    struct buf problem;
    bool begun;
    bool stopped; /* by who takes the bytes */
};

static int begin_file(struct receiver *r, long status)
{
    r->begun = true;
    r->file->status = status;
    if (status >= 300)
        return PV_OK;
    r->stopped = r->file->on_head(r->file->ctx, r->response, status, r->err) != PV_OK;
    return r->stopped ? r->err->rc : PV_OK;
}

static int on_file_status(void *ctx, long status)
{
    return begin_file(ctx, status);
}

static int on_file_bytes(void *ctx, const void *data, size_t len)
{
    struct receiver *r = ctx;

    if (r->file->status < 300) {
        r->stopped = r->file->on_bytes(r->file->ctx, data, len, r->err) != PV_OK;
        return r->stopped ? r->err->rc : PV_OK;
    }
    buf_append(&r->problem, data, len);
    return PV_OK;
}

/* Whatever ended it, what came is not the file. */
static int explain_cut(struct cli *c, const struct receiver *r, struct pv_err *err)
{
    char why[sizeof(err->message)];

    if (!r->begun || r->stopped || (err->rc != PV_EIO && err->rc != PV_ETIMEOUT))
        return explain(c, err);
    str_copy(why, sizeof(why), err->message);
    return pv_fail(err, PV_EOFFLINE, "%s", why);
}

int client_file(struct cli *c, const char *path, struct client_file *f, struct pv_err *err)
{
    struct call call = { .accept = "application/octet-stream, application/problem+json" };
    struct httpc_response response;
    struct receiver r = { .response = &response, .file = f, .err = err };
    struct headers h = { 0 };
    int rc = client_open(c, err);

    if (rc != PV_OK)
        return rc;
    buf_init(&r.problem, 1u << 20);
    put_headers(c, &h, "GET", &call, false);
    put(c, &h, "Range", f->range);
    put(c, &h, "If-Range", f->if_range);
    rc = send(c,
              &(struct httpc_request){ .method = "GET",
                                       .url = arena_printf(c->arena, "%s%s", c->url, path),
                                       .headers = h.lines,
                                       .nheaders = h.n,
                                       .on_status = on_file_status,
                                       .on_body = on_file_bytes,
                                       .ctx = &r,
                                       .as_is = true,
                                       .timeout_ms = STREAM_MS,
                                       .stall_timeout_ms = STREAM_STALL_MS },
              false, &response, err);
    if (rc == PV_OK && !r.begun)
        rc = begin_file(&r, response.status);
    else if (rc != PV_OK && rc != PV_ECANCELED)
        rc = explain_cut(c, &r, err);
    if (rc == PV_OK && response.status >= 300) {
        (void)httpc_header(&response, "Content-Range", f->content_range, sizeof(f->content_range));
        response.body = r.problem;
        r.problem = (struct buf){ 0 };
        rc = refused(c, &response, err);
    }
    httpc_response_free(&response);
    buf_free(&r.problem);
    return rc;
}
