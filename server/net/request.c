/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/net/inside.h"

#define ARENA_FIRST (3u * 1024) /* an open event stream keeps it */
#define ARENA_LIMIT (64u * 1024 * 1024)
#define KEEP_BUFFER (64u * 1024) /* larger ones are not kept for the next request */

static struct request *request_new(void)
{
    struct request *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->pub.arena = arena_new(ARENA_FIRST, ARENA_LIMIT);
    if (!r->pub.arena) {
        free(r);
        return NULL;
    }
    buf_init(&r->out, NET_MAX_ANSWER);
    buf_init(&r->packed, NET_MAX_ANSWER);
    buf_init(&r->body, NET_DEFAULT_BODY);
    return r;
}

void request_destroy(struct request *r)
{
    json_decref(r->pub.json);
    arena_free(r->pub.arena);
    buf_free(&r->out);
    buf_free(&r->packed);
    buf_free(&r->body);
    free(r);
}

static void keep_or_drop(struct buf *b, size_t max)
{
    if (b->cap > KEEP_BUFFER)
        buf_free(b);
    buf_reset(b);
    b->max = max;
}

/* Everything but the memory it owns is as in a new one. */
static void request_clear(struct request *r)
{
    struct arena *arena = r->pub.arena;

    json_decref(r->pub.json);
    memset(&r->pub, 0, sizeof(r->pub));
    r->pub.arena = arena;
    arena_reset(arena);
    keep_or_drop(&r->out, NET_MAX_ANSWER);
    keep_or_drop(&r->packed, NET_MAX_ANSWER);
    keep_or_drop(&r->body, NET_DEFAULT_BODY);
    r->connection = NULL;
    r->stage = STAGE_HEAD;
    r->headers = NULL;
    r->query = NULL;
    r->nheaders = r->nquery = 0;
    memset(&r->verdict, 0, sizeof(r->verdict));
    memset(&r->match, 0, sizeof(r->match));
    r->drained = 0;
    r->refused = r->has_body = r->in_string = r->escaped = r->is_json = false;
    r->depth = 0;
    r->answered = ANSWERED_NOT;
    r->complete = r->close = false;
    r->status = 0;
    r->fields = NULL;
    r->sse = NULL;
    memset(&r->stream, 0, sizeof(r->stream));
    atomic_store_explicit(&r->later, LATER_NO, memory_order_relaxed);
}

struct request *request_take(struct net *n)
{
    struct request *r;

    pthread_mutex_lock(&n->lock);
    r = n->pool;
    if (r) {
        n->pool = r->next;
        n->pooled--;
    }
    n->active++;
    pthread_mutex_unlock(&n->lock);
    if (!r)
        r = request_new();
    if (!r) {
        pthread_mutex_lock(&n->lock);
        n->active--;
        pthread_mutex_unlock(&n->lock);
        return NULL;
    }
    r->net = n;
    r->next = NULL;
    r->link = NULL;
    r->fields_end = &r->fields;
    r->started_ns = clock_mono_ns();
    r->pub.app = n->config.app;
    return r;
}

void request_give(struct request *r)
{
    struct net *n = r->net;
    bool kept;

    if (n->config.ended)
        n->config.ended(&r->pub);
    request_clear(r);
    pthread_mutex_lock(&n->lock);
    kept = n->pooled < NET_POOL_SIZE;
    if (kept) {
        r->next = n->pool;
        n->pool = r;
        n->pooled++;
    }
    if (--n->active == 0 && atomic_load_explicit(&n->stopping, memory_order_relaxed))
        pthread_cond_broadcast(&n->idle);
    pthread_mutex_unlock(&n->lock);
    if (!kept)
        request_destroy(r);
}

const char *req_param(const struct req *r, const char *name)
{
    const struct route_match *m = &request_of(r)->match;
    size_t len = strlen(name);

    for (unsigned i = 0; i < m->nparams; i++) {
        if (m->name_lens[i] == len && memcmp(m->names[i], name, len) == 0)
            return m->values[i];
    }
    return "";
}

const char *req_query(const struct req *r, const char *name)
{
    const struct request *q = request_of(r);

    for (size_t i = 0; i < q->nquery; i++) {
        if (strcmp(q->query[i].name, name) == 0)
            return q->query[i].value;
    }
    return NULL;
}

void req_query_each(const struct req *r,
                    void (*each)(void *ctx, const char *name, const char *value), void *ctx)
{
    const struct request *q = request_of(r);

    for (size_t i = 0; i < q->nquery; i++)
        each(ctx, q->query[i].name, q->query[i].value);
}

/* Values end with NUL: the library cut the lines there. */
const char *req_header(const struct req *r, const char *name)
{
    const struct request *q = request_of(r);
    size_t len = strlen(name);

    for (size_t i = 0; i < q->nheaders; i++) {
        if (q->headers[i].name_len == len && strncasecmp(q->headers[i].name, name, len) == 0)
            return q->headers[i].value;
    }
    return NULL;
}

/* "a=b; name=value": the value of the first cookie of that name, without quotes around it. */
static const char *find_cookie(const struct request *r, const char *text, const char *name)
{
    size_t len = strlen(name);

    while (*text) {
        size_t piece;

        text += strspn(text, " ;");
        piece = strcspn(text, ";");
        if (piece > len && text[len] == '=' && memcmp(text, name, len) == 0) {
            const char *value = text + len + 1;
            size_t n = piece - len - 1;

            while (n && (value[n - 1] == ' ' || value[n - 1] == '\t'))
                n--;
            if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
                value++;
                n -= 2;
            }
            return arena_text(r->pub.arena, value, n);
        }
        text += piece;
    }
    return NULL;
}

const char *req_cookie(const struct req *r, const char *name)
{
    const struct request *q = request_of(r);

    for (size_t i = 0; i < q->nheaders; i++) {
        const char *value = NULL;

        if (q->headers[i].name_len == 6 && strncasecmp(q->headers[i].name, "Cookie", 6) == 0)
            value = find_cookie(q, q->headers[i].value, name);
        if (value)
            return value;
    }
    return NULL;
}

static const char *decode_word(struct request *r, const char *text, size_t len)
{
    char *out = arena_alloc(r->pub.arena, len + 1);
    size_t n;

    return out && gate_decode(text, len, true, out, &n) ? out : NULL;
}

bool request_parse_query(struct request *r, struct pv_err *err)
{
    const char *at = r->pub.query;
    size_t most = 1;

    if (!*at)
        return true;
    for (const char *c = at; *c; c++)
        most += *c == '&';
    if (most > NET_MAX_QUERY)
        most = NET_MAX_QUERY;
    r->query = arena_alloc(r->pub.arena, most * sizeof(*r->query));
    if (!r->query) {
        pv_fail(err, PV_ENOMEM, "no memory for the query");
        return false;
    }
    while (*at) {
        size_t len = strcspn(at, "&"), name_len;
        const char *equals = memchr(at, '=', len);

        name_len = equals ? (size_t)(equals - at) : len;
        if (len > 0) {
            const char *name = decode_word(r, at, name_len);
            const char *value = equals ? decode_word(r, equals + 1, len - name_len - 1) : "";

            if (!name || !value) {
                pv_fail_as(err, "invalid-request",
                           "the query holds something that is not UTF-8 text");
                return false;
            }
            if (r->nquery == NET_MAX_QUERY) {
                pv_fail_as(err, "invalid-request", "the query has more than %d parameters",
                           NET_MAX_QUERY);
                return false;
            }
            r->query[r->nquery].name = name;
            r->query[r->nquery++].value = value;
        }
        at += len;
        at += *at == '&';
    }
    return true;
}

static void address_text(const struct sockaddr *sa, char *out, size_t cap)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (sa && sa->sa_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, text,
                  sizeof(text));
    } else if (sa && sa->sa_family == AF_INET6) {
        const struct in6_addr *a6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(a6))
            inet_ntop(AF_INET, a6->s6_addr + 12, text, sizeof(text));
        else
            inet_ntop(AF_INET6, a6, text, sizeof(text));
    } else {
        str_copy(text, sizeof(text), "unix");
    }
    str_copy(out, cap, text);
}

/* The last entry is the one that the trusted proxy itself wrote. */
static void forwarded_address(struct request *r)
{
    const char *list = req_header(&r->pub, "X-Forwarded-For"), *last;
    unsigned char binary[16];
    char text[64];
    size_t len;

    if (!list)
        return;
    last = strrchr(list, ',');
    last = last ? last + 1 : list;
    last += strspn(last, " \t");
    len = strcspn(last, " \t");
    if (!str_copy_n(text, sizeof(text), last, len))
        return;
    if (inet_pton(AF_INET, text, binary) == 1 || inet_pton(AF_INET6, text, binary) == 1)
        str_copy(r->address, sizeof(r->address), text);
}

static bool id_acceptable(const char *id)
{
    size_t len = id ? strlen(id) : 0;

    for (size_t i = 0; i < len; i++) {
        char c = id[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return len >= 1 && len <= 64;
}

void request_identify(struct request *r, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const char *theirs = req_header(&r->pub, "X-Request-Id");
    struct net *n = r->net;

    address_text(info ? info->client_addr : NULL, r->address, sizeof(r->address));
    if (n->config.trusted_proxy && str_eq(r->address, n->config.trusted_proxy))
        forwarded_address(r);
    if (id_acceptable(theirs))
        str_copy(r->id, sizeof(r->id), theirs);
    else
        snprintf(
            r->id, sizeof(r->id), "%s-%llx", n->id_prefix,
            (unsigned long long)atomic_fetch_add_explicit(&n->next_id, 1, memory_order_relaxed));
    r->pub.request_id = r->id;
    r->pub.address = r->address;
}
