/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>

#include "server/net/inside.h"

#define SLOW_US 50000

void *router_begin(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct net *n = cls;
    struct request *r = request_take(n);

    if (!r)
        return NULL;
    r->connection = connection;
    r->raw_target = target;
    r->target_len = strlen(target);
    r->target = arena_text(r->pub.arena, target, r->target_len);
    if (!r->target) {
        request_give(r);
        return NULL;
    }
    return r;
}

struct head_list {
    struct gate_header of[GATE_MAX_HEADERS + 1];
    size_t n;
};

static enum MHD_Result each_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   size_t name_len, const char *value, size_t value_len)
{
    struct head_list *l = cls;

    (void)kind;
    l->of[l->n++] = (struct gate_header){ name, value ? value : "", name_len, value_len };
    return l->n <= GATE_MAX_HEADERS ? MHD_YES : MHD_NO;
}

/* The library's buffer is used again for the next request, while a deferred handler may still look
 * at headers. */
static bool keep_headers(struct request *r, const struct head_list *l)
{
    const struct gate_header *last;
    struct gate_header *kept;
    const char *from;
    char *copy;

    if (l->n == 0)
        return true;
    last = &l->of[l->n - 1];
    from = l->of[0].name;
    copy = arena_text(r->pub.arena, from, (size_t)(last->value + last->value_len - from));
    kept = arena_alloc(r->pub.arena, l->n * sizeof(*kept));
    if (!copy || !kept)
        return false;
    for (size_t i = 0; i < l->n; i++) {
        kept[i] = l->of[i];
        kept[i].name = copy + (l->of[i].name - from);
        kept[i].value = copy + (l->of[i].value - from);
    }
    r->headers = kept;
    r->nheaders = l->n;
    return true;
}

static void invalid(struct request *r, const char *why)
{
    struct pv_err err = { 0 };

    pv_fail_as(&err, r->verdict.status == 414 ? "uri-too-long" : "invalid-request",
               "the request was refused: %s", why);
    r->pub.method = r->pub.path = r->pub.query = "";
    reply_problem(&r->pub, &err);
    r->close = true;
}

/* Lets the request in and gives it the form that handlers see. */
static bool pass_gate(struct request *r, const char *method, const char *version)
{
    const union MHD_ConnectionInfo *size;
    struct gate_head head = {
        .method = method, .target = r->raw_target, .target_len = r->target_len, .version = version
    };
    struct head_list l;
    char *path;

    l.n = 0;
    MHD_get_connection_values_n(r->connection, MHD_HEADER_KIND, each_header, &l);
    head.headers = l.of;
    head.nheaders = l.n;
    size = MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (l.n > GATE_MAX_HEADERS) {
        invalid(r, "too many headers");
        return false;
    }
    if (!size || !gate_contiguous(&head, size->header_size)) {
        invalid(r, "its head is not in the strict form of HTTP/1.1");
        return false;
    }
    head.target = r->target;
    if (!gate_check(&head, &r->verdict)) {
        invalid(r, r->verdict.why);
        return false;
    }
    path = arena_text(r->pub.arena, r->target, r->verdict.path_len);
    if (!path || !keep_headers(r, &l)) {
        invalid(r, "no memory");
        return false;
    }
    r->pub.method = gate_method_name(r->verdict.method);
    r->pub.path = path;
    r->pub.query = r->target + r->verdict.path_len;
    if (*r->pub.query == '?')
        r->pub.query++;
    return true;
}

static void answer_early(struct request *r, const struct pv_err *err)
{
    reply_problem(&r->pub, err);
    r->refused = true;
}

static void answer_no_route(struct request *r)
{
    struct pv_err err = { 0 };
    char allow[80];

    r->refused = true;
    if (!r->match.allowed) {
        pv_fail(&err, PV_ENOENT, "there is nothing at %s", r->pub.path);
        reply_problem(&r->pub, &err);
        return;
    }
    routes_allow_text(r->match.allowed, allow, sizeof(allow));
    reply_header(&r->pub, "Allow", allow);
    if (r->verdict.method == GATE_OPTIONS) {
        reply_empty(&r->pub, 204);
        return;
    }
    pv_fail_as(&err, "method-not-allowed", "%s is not available at %s", r->pub.method, r->pub.path);
    reply_problem(&r->pub, &err);
}

/* Everything that can be decided before the body comes. A refused request is answered after its
 * body was dropped, because an answer sent before would be lost to most clients. */
static void decide(struct request *r)
{
    struct net *n = r->net;
    struct pv_err err = { 0 };

    if (!routes_find(n->routes, r->verdict.method, r->pub.path, r->verdict.path_len, r->pub.arena,
                     &r->match)) {
        pv_fail_as(&err, "invalid-request", "the path holds something that is not UTF-8 text");
        answer_early(r, &err);
        return;
    }
    r->pub.route = r->match.route;
    if (!r->match.route) {
        answer_no_route(r);
        return;
    }
    if (atomic_load_explicit(&n->stopping, memory_order_relaxed)) {
        pv_fail(&err, PV_ENOMEM, "the server is stopping");
        answer_early(r, &err);
        return;
    }
    if (!request_parse_query(r, &err) ||
        (n->config.authorise && n->config.authorise(&r->pub, &err) != PV_OK) ||
        body_begin(r, &err) != PV_OK)
        answer_early(r, &err);
}

static enum MHD_Result on_head(struct request *r, const char *method, const char *version)
{
    const struct gate_verdict *v = &r->verdict;
    bool ok = pass_gate(r, method, version);

    request_identify(r, r->connection);
    r->stage = STAGE_BODY;
    if (!ok)
        return reply_queue(r);
    decide(r);
    /* Who asks before sending, or means to send very much, is told at once; the connection ends
     * then. */
    if (r->refused && (v->expects_continue || (v->has_length && v->length > NET_MAX_DRAIN))) {
        r->close = true;
        return reply_queue(r);
    }
    return MHD_YES;
}

static void unlink_locked(struct request *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->next = NULL;
    r->link = NULL;
}

/* With net->lock held. If req_finish was quicker, the answer goes out as ever. */
static void abandon_locked(struct request *r)
{
    int expected = LATER_SUSPENDED;

    if (!atomic_compare_exchange_strong(&r->later, &expected, LATER_ABANDONED))
        return;
    unlink_locked(r);
    MHD_resume_connection(r->connection);
}

void router_abandon(struct net *n)
{
    struct request *r, *next;

    pthread_mutex_lock(&n->lock);
    n->abandoning = true;
    for (r = n->deferred; r; r = next) {
        next = r->next;
        abandon_locked(r);
    }
    pthread_mutex_unlock(&n->lock);
}

/* An abandoned request has two owners: net until its connection was answered, the application until
 * req_finish. */
static void let_go(struct request *r)
{
    if (atomic_fetch_sub(&r->owners, 1) != 1)
        return;
    stream_release(r);
    pipe_release(r);
    request_destroy(r);
}

static void suspend(struct request *r)
{
    struct net *n = r->net;
    int before = LATER_NO;

    pthread_mutex_lock(&n->lock);
    r->stage = STAGE_WAIT;
    MHD_suspend_connection(r->connection);
    r->next = n->deferred;
    r->link = &n->deferred;
    if (r->next)
        r->next->link = &r->next;
    n->deferred = r;
    atomic_store(&r->owners, 2);
    if (!atomic_compare_exchange_strong(&r->later, &before, LATER_SUSPENDED))
        MHD_resume_connection(r->connection); /* finished already */
    else if (n->abandoning)
        abandon_locked(r);
    pthread_mutex_unlock(&n->lock);
}

void req_finish(struct req *pub)
{
    struct request *r = request_of(pub);
    struct MHD_Connection *connection = r->connection;
    int before = LATER_NO;

    if (atomic_compare_exchange_strong(&r->later, &before, LATER_FINISHED))
        return; /* net's thread is not done with the handler yet, and will notice */
    before = LATER_SUSPENDED;
    if (atomic_compare_exchange_strong(&r->later, &before, LATER_FINISHED)) {
        MHD_resume_connection(connection);
        return;
    }
    let_go(r); /* abandoned */
}

static void unlink_deferred(struct request *r)
{
    struct net *n = r->net;

    pthread_mutex_lock(&n->lock);
    if (r->link)
        unlink_locked(r);
    pthread_mutex_unlock(&n->lock);
}

static enum MHD_Result answer_abandoned(struct MHD_Connection *connection)
{
    static const char body[] =
        "{\"type\":\"/api/v1/problems/unavailable\",\"status\":503,\"code\":\"unavailable\","
        "\"title\":\"The server has no room for this now\","
        "\"detail\":\"the server is stopping\",\"retryable\":true}";
    struct MHD_Response *m =
        MHD_create_response_from_buffer(sizeof(body) - 1, (void *)body, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result queued;

    if (!m)
        return MHD_NO;
    MHD_add_response_header(m, "Content-Type", "application/problem+json");
    MHD_add_response_header(m, "Connection", "close");
    queued = MHD_queue_response(connection, 503, m);
    MHD_destroy_response(m);
    return queued;
}

static void let_go_abandoned(struct request *r)
{
    struct net *n = r->net;

    pthread_mutex_lock(&n->lock);
    if (--n->active == 0)
        pthread_cond_broadcast(&n->idle);
    pthread_mutex_unlock(&n->lock);
    let_go(r);
}

/* A deferred request's connection was resumed. */
static enum MHD_Result on_resumed(struct request *r, void **context)
{
    struct MHD_Connection *connection = r->connection;

    switch (atomic_load(&r->later)) {
    case LATER_FINISHED:
        unlink_deferred(r);
        return reply_queue(r);
    case LATER_ABANDONED:
        *context = NULL;
        let_go_abandoned(r);
        return answer_abandoned(connection);
    default:
        return MHD_YES;
    }
}

static void log_slow(const struct request *r, int64_t since_ns)
{
    int64_t took_us = (clock_mono_ns() - since_ns) / 1000;

    if (took_us > SLOW_US)
        log_msg(PV_LOG_WARN, "net.slow", "route=\"%s %s\" ms=%lld request=%s", r->pub.route->method,
                r->pub.route->pattern, (long long)(took_us / 1000), r->id);
}

static enum MHD_Result run(struct request *r)
{
    struct pv_err err = { 0 };
    int64_t begun;

    if (r->refused)
        return reply_queue(r);
    if (body_end(r, &err) != PV_OK) {
        reply_problem(&r->pub, &err);
        return reply_queue(r);
    }
    begun = clock_mono_ns();
    if (r->pub.route->handler(&r->pub) == REQ_LATER) {
        suspend(r);
        return MHD_YES;
    }
    log_slow(r, begun);
    return reply_queue(r);
}

enum MHD_Result router_handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **context)
{
    struct request *r = *context;

    (void)cls;
    (void)connection;
    (void)url;
    if (!r)
        return MHD_NO;
    switch (r->stage) {
    case STAGE_HEAD:
        return on_head(r, method, version);
    case STAGE_BODY:
        if (*len) {
            bool go_on = body_take(r, data, *len);

            *len = 0;
            return go_on ? MHD_YES : MHD_NO;
        }
        return run(r);
    case STAGE_WAIT:
        return on_resumed(r, context);
    default:
        return MHD_YES;
    }
}

void router_completed(void *cls, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode why)
{
    struct request *r = *context;

    (void)cls;
    (void)connection;
    (void)why;
    if (!r)
        return;
    *context = NULL;
    switch (atomic_load(&r->later)) {
    case LATER_NO:
        break;
    case LATER_ABANDONED:
        let_go_abandoned(r);
        return;
    default:
        unlink_deferred(r);
    }
    sse_release(r);
    stream_release(r);
    pipe_release(r);
    request_give(r);
}
