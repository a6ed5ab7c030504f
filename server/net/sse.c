/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/sse.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "server/net/inside.h"

#define RING_MAX (64u * 1024)
#define KEEP_SMALL 4096u /* an empty ring larger than this gives its memory back */
#define COMMENT_MS 15000
#define IDLE_S 60u /* a client that takes nothing for that long is cut off */

static const char lagging[] = "event: lagging\ndata: {}\n\n";

enum req_result reply_sse(struct req *pub, void (*wants_more)(void *ctx, struct sse_stream *s),
                          void (*closed)(void *ctx), void *ctx, struct sse_stream **out)
{
    struct request *r = request_of(pub);
    struct sse_stream *s = arena_alloc(pub->arena, sizeof(*s));
    struct pv_err err = { 0 };

    if (!s) {
        pv_fail(&err, PV_ENOMEM, "no memory for an event stream");
        reply_problem(pub, &err);
        closed(ctx);
        return REQ_DONE;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->connection = r->connection;
    /* Room for `lagging` is kept beside what publishers may fill. */
    buf_init(&s->ring, RING_MAX + sizeof(lagging));
    s->wants_more = wants_more;
    s->closed = closed;
    s->ctx = ctx;
    s->net = r->net;
    s->news = true;
    s->last_ms = clock_mono_ms();
    reply_body(pub, 200, "text/event-stream");
    reply_header(pub, "X-Accel-Buffering", "no");
    r->answered = ANSWERED_SSE;
    r->sse = s;
    if (out)
        *out = s;
    return reply_send(pub);
}

/* With s->lock held. */
static void wake(struct sse_stream *s)
{
    if (!s->suspended)
        return;
    s->suspended = false;
    MHD_resume_connection(s->connection);
}

static size_t waiting(const struct sse_stream *s)
{
    return s->ring.len - s->sent;
}

/* With s->lock held. */
static bool put(struct sse_stream *s, const char *text, size_t len, size_t most)
{
    if (s->ended || waiting(s) + len > most)
        return false;
    if (s->sent > 0 && s->ring.len + len > s->ring.cap) {
        memmove(s->ring.data, s->ring.data + s->sent, waiting(s));
        s->ring.len -= s->sent;
        s->sent = 0;
    }
    buf_append(&s->ring, text, len);
    if (!buf_ok(&s->ring))
        return false;
    s->last_ms = clock_mono_ms();
    wake(s);
    return true;
}

bool sse_append(struct sse_stream *s, const char *text, size_t len)
{
    bool ok;

    pthread_mutex_lock(&s->lock);
    ok = put(s, text, len, RING_MAX);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

size_t sse_room(struct sse_stream *s)
{
    size_t room;

    pthread_mutex_lock(&s->lock);
    room = s->ended ? 0 : RING_MAX - waiting(s);
    pthread_mutex_unlock(&s->lock);
    return room;
}

void sse_wake(struct sse_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->news = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

void sse_overrun(struct sse_stream *s)
{
    pthread_mutex_lock(&s->lock);
    put(s, lagging, sizeof(lagging) - 1, RING_MAX + sizeof(lagging));
    s->ended = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

void sse_end(struct sse_stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    wake(s);
    pthread_mutex_unlock(&s->lock);
}

/* With s->lock held. 0: the ring is empty. */
static size_t take(struct sse_stream *s, char *out, size_t max)
{
    size_t n = waiting(s);

    if (n > max)
        n = max;
    if (n == 0)
        return 0;
    memcpy(out, s->ring.data + s->sent, n);
    s->sent += n;
    if (waiting(s) == 0) {
        s->sent = 0;
        if (s->ring.cap > KEEP_SMALL)
            buf_free(&s->ring);
        buf_reset(&s->ring);
    }
    return n;
}

/* With s->lock held; the answer to the library. True: nothing to send and nobody to ask. */
static bool settle(struct sse_stream *s, char *out, size_t max, bool asked, ssize_t *n)
{
    *n = (ssize_t)take(s, out, max);
    if (*n > 0)
        return true;
    if (s->ended || atomic_load(&s->net->stopping)) {
        *n = MHD_CONTENT_READER_END_OF_STREAM;
        return true;
    }
    if (!asked || s->news)
        return false;
    s->suspended = true;
    MHD_suspend_connection(s->connection);
    return true;
}

static ssize_t read_sse(void *cls, uint64_t pos, char *out, size_t max)
{
    struct sse_stream *s = cls;
    bool asked = false, done;
    ssize_t n;

    (void)pos;
    for (;;) {
        pthread_mutex_lock(&s->lock);
        done = settle(s, out, max, asked, &n);
        s->news = false;
        pthread_mutex_unlock(&s->lock);
        if (done)
            break;
        s->wants_more(s->ctx, s);
        asked = true;
    }
    if (n > 0)
        atomic_fetch_add_explicit(&s->net->bytes_out, (uint64_t)n, memory_order_relaxed);
    return n;
}

struct MHD_Response *sse_response(struct request *r)
{
    struct sse_stream *s = r->sse;
    struct net *n = r->net;

    MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT, IDLE_S);
    pthread_mutex_lock(&n->streams_lock);
    s->next = n->streams;
    s->link = &n->streams;
    if (s->next)
        s->next->link = &s->next;
    n->streams = s;
    s->listed = true;
    pthread_mutex_unlock(&n->streams_lock);
    atomic_fetch_add_explicit(&n->nstreams, 1, memory_order_relaxed);
    r->close = true;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 1024, read_sse, s, NULL);
}

void sse_release(struct request *r)
{
    struct sse_stream *s = r->sse;
    struct net *n = r->net;

    if (!s)
        return;
    r->sse = NULL;
    if (s->listed) {
        pthread_mutex_lock(&n->streams_lock);
        *s->link = s->next;
        if (s->next)
            s->next->link = s->link;
        pthread_mutex_unlock(&n->streams_lock);
        atomic_fetch_sub_explicit(&n->nstreams, 1, memory_order_relaxed);
    }
    s->closed(s->ctx);
    buf_free(&s->ring);
    pthread_mutex_destroy(&s->lock);
}

void sse_tick(struct net *n, int64_t now_ms)
{
    pthread_mutex_lock(&n->streams_lock);
    for (struct sse_stream *s = n->streams; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        if (now_ms - s->last_ms >= COMMENT_MS)
            put(s, ":\n\n", 3, RING_MAX);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_mutex_unlock(&n->streams_lock);
}

static void *tick(void *arg)
{
    struct net *n = arg;
    struct timespec until;

    pthread_setname_np(pthread_self(), "net-tick");
    pthread_mutex_lock(&n->streams_lock);
    while (!atomic_load(&n->stopping)) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&n->tick, &n->streams_lock, &until);
        pthread_mutex_unlock(&n->streams_lock);
        sse_tick(n, clock_mono_ms());
        pthread_mutex_lock(&n->streams_lock);
    }
    pthread_mutex_unlock(&n->streams_lock);
    return NULL;
}

int sse_start_ticker(struct net *n, struct pv_err *err)
{
    int failed = pthread_create(&n->ticker, NULL, tick, n);

    if (failed)
        return pv_fail_os(err, failed, "cannot start a thread");
    n->ticking = true;
    return PV_OK;
}

/* net->stopping is set: whoever takes a stream's lock from now on ends it instead of suspending. */
void sse_stop(struct net *n)
{
    pthread_mutex_lock(&n->streams_lock);
    for (struct sse_stream *s = n->streams; s; s = s->next) {
        pthread_mutex_lock(&s->lock);
        wake(s);
        pthread_mutex_unlock(&s->lock);
    }
    pthread_cond_broadcast(&n->tick);
    pthread_mutex_unlock(&n->streams_lock);
    if (n->ticking)
        pthread_join(n->ticker, NULL);
    n->ticking = false;
}
