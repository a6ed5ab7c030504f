/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/net/inside.h"

#define CSP "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

/* What every answer carries, whatever it is. */
static const char *const fixed[][2] = {
    { "X-Content-Type-Options", "nosniff" },
    { "Content-Security-Policy", CSP },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
};

static bool printable(const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool reply_has(const struct request *r, const char *name)
{
    for (const struct field *f = r->fields; f; f = f->next) {
        if (strcasecmp(f->name, name) == 0)
            return true;
    }
    return false;
}

void reply_header(struct req *pub, const char *name, const char *value)
{
    struct request *r = request_of(pub);
    struct field *f = arena_alloc(pub->arena, sizeof(*f));
    bool ok = printable(name) && printable(value);

    assert(ok);
    if (!f || !ok)
        return;
    f->name = arena_strdup(pub->arena, name);
    f->value = arena_strdup(pub->arena, value);
    if (!f->name || !f->value)
        return;
    *r->fields_end = f;
    r->fields_end = &f->next;
}

void reply_headerf(struct req *r, const char *name, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    reply_header(r, name, text);
}

struct buf *reply_body(struct req *pub, int status, const char *content_type)
{
    struct request *r = request_of(pub);

    buf_reset(&r->out);
    r->answered = ANSWERED_BODY;
    r->complete = false;
    r->status = status;
    r->content_type = content_type ? arena_strdup(pub->arena, content_type) : NULL;
    return &r->out;
}

struct jsonw *reply_json(struct req *pub, int status)
{
    struct request *r = request_of(pub);

    jsonw_init(&r->writer, reply_body(pub, status, "application/json"));
    return &r->writer;
}

enum req_result reply_send(struct req *pub)
{
    struct request *r = request_of(pub);
    struct pv_err err = { 0 };

    if (r->answered == ANSWERED_BODY && !buf_ok(&r->out)) {
        pv_fail(&err, PV_ENOMEM, "the answer is larger than %u MiB, or there is no memory for it",
                NET_MAX_ANSWER >> 20);
        return reply_problem(pub, &err);
    }
    r->complete = true;
    return REQ_DONE;
}

void reply_still(struct req *pub, int status, const char *content_type, const char *data, size_t len)
{
    struct request *r = request_of(pub);

    reply_body(pub, status, content_type);
    r->answered = ANSWERED_STILL;
    r->still = data;
    r->still_len = len;
    r->complete = true;
}

enum req_result reply_empty(struct req *pub, int status)
{
    reply_body(pub, status, NULL);
    return reply_send(pub);
}

/* What the handler said of a good answer does not hold for a problem. */
static void forget_fields(struct request *r)
{
    static const char *const of_success[] = { "ETag", "Location", "Last-Modified",
                                              "Cache-Control" };
    struct field **at = &r->fields;

    while (*at) {
        bool drop = false;

        for (size_t i = 0; i < sizeof(of_success) / sizeof(of_success[0]); i++)
            drop = drop || strcasecmp((*at)->name, of_success[i]) == 0;
        if (drop)
            *at = (*at)->next;
        else
            at = &(*at)->next;
    }
    r->fields_end = at;
}

struct jsonw *reply_problem_open(struct req *pub, const struct pv_err *err)
{
    struct request *r = request_of(pub);
    int status = pv_err_problem(err)->status;
    struct jsonw *w = &r->writer;

    forget_fields(r);
    jsonw_init(w, reply_body(pub, status, "application/problem+json"));
    if (status == 401 && !reply_has(r, "WWW-Authenticate"))
        reply_header(pub, "WWW-Authenticate", "Bearer realm=\"polyvisor\"");
    if ((status == 429 || status == 503) && !reply_has(r, "Retry-After"))
        reply_headerf(pub, "Retry-After", "%u", err->retry_s ? err->retry_s : status == 429 ? 1u : 5u);
    jsonw_object(w, NULL);
    problem_members(w, err);
    if (pub->path && pub->path[0])
        jsonw_str(w, "instance", pub->path);
    if (pub->request_id)
        jsonw_str(w, "request_id", pub->request_id);
    if (pub->problem_more)
        buf_printf(w->out, ",%s", pub->problem_more);
    return w;
}

enum req_result reply_problem(struct req *pub, const struct pv_err *err)
{
    struct request *r = request_of(pub);

    jsonw_end(reply_problem_open(pub, err));
    /* The library makes a plain 503 of an answer that could not be built. */
    r->complete = buf_ok(&r->out);
    return REQ_DONE;
}

static void add(struct MHD_Response *m, const char *name, const char *value)
{
    MHD_add_response_header(m, name, value);
}

static void add_common(struct request *r, struct MHD_Response *m)
{
    char timing[48];

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        if (!reply_has(r, fixed[i][0]))
            add(m, fixed[i][0], fixed[i][1]);
    }
    if (r->net->tls)
        add(m, "Strict-Transport-Security", "max-age=31536000");
    if (!reply_has(r, "Cache-Control"))
        add(m, "Cache-Control", "no-store");
    if (r->pub.request_id)
        add(m, "X-Request-Id", r->pub.request_id);
    snprintf(timing, sizeof(timing), "total;dur=%.3f",
             (double)(clock_mono_ns() - r->started_ns) / 1e6);
    add(m, "Server-Timing", timing);
    if (r->close || atomic_load_explicit(&r->net->stopping, memory_order_relaxed))
        add(m, "Connection", "close");
}

static struct MHD_Response *body_response(struct request *r)
{
    struct buf *out = &r->out;
    struct MHD_Response *m;
    bool large = out->len >= NET_GZIP_MIN && !reply_has(r, "Content-Encoding");
    bool packed = large && gzip_wanted(r) && gzip_pack(r);

    if (packed)
        out = &r->packed;
    m = MHD_create_response_from_buffer(out->len, out->len ? out->data : (void *)"",
                                        MHD_RESPMEM_PERSISTENT);
    if (!m)
        return NULL;
    if (large)
        add(m, "Vary", "Accept-Encoding");
    if (packed)
        add(m, "Content-Encoding", "gzip");
    atomic_fetch_add_explicit(&r->net->bytes_out, out->len, memory_order_relaxed);
    return m;
}

static struct MHD_Response *still_response(struct request *r)
{
    atomic_fetch_add_explicit(&r->net->bytes_out, r->still_len, memory_order_relaxed);
    return MHD_create_response_from_buffer(r->still_len, (void *)r->still, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *make_response(struct request *r)
{
    switch (r->answered) {
    case ANSWERED_STILL:
        return still_response(r);
    case ANSWERED_STREAM:
        return stream_response(r);
    case ANSWERED_SSE:
        return sse_response(r);
    case ANSWERED_PIPE:
        return pipe_response(r);
    default:
        return body_response(r);
    }
}

static void count(struct request *r)
{
    struct net *n = r->net;

    atomic_fetch_add_explicit(&n->requests, 1, memory_order_relaxed);
    if (r->status >= 500)
        atomic_fetch_add_explicit(&n->problems_5xx, 1, memory_order_relaxed);
    else if (r->status >= 400)
        atomic_fetch_add_explicit(&n->problems_4xx, 1, memory_order_relaxed);
    if (n->config.finished)
        n->config.finished(&r->pub, r->status, (clock_mono_ns() - r->started_ns) / 1000);
}

enum MHD_Result reply_queue(struct request *r)
{
    struct MHD_Response *m;
    enum MHD_Result queued;

    if (!r->complete) {
        struct pv_err err = { 0 };

        pv_fail(&err, PV_EINTERNAL, "the request was not answered");
        reply_problem(&r->pub, &err);
    }
    m = make_response(r);
    if (!m)
        return MHD_NO;
    if (r->content_type)
        add(m, "Content-Type", r->content_type);
    for (const struct field *f = r->fields; f; f = f->next)
        add(m, f->name, f->value);
    add_common(r, m);
    count(r);
    r->stage = STAGE_SENT;
    queued = MHD_queue_response(r->connection, (unsigned)r->status, m);
    MHD_destroy_response(m);
    return queued;
}
