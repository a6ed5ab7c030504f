/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: descriptors that the server lends to a call. They come in a frame of
 * their own before the call's, wait in the session for it, and are closed when
 * it ends.
 */
#include "drivers/sdk/runner_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <polyvisor/err.h>

#define WAITING_MAX 64u /* streams of a session whose calls have not come */
#define LOOK_MS 250     /* so often a cancel is looked for */
#define PIECE (1u << 20)

void runner_streams_free(struct stream *list)
{
    while (list) {
        struct stream *st = list;

        list = st->next;
        close(st->fd);
        free(st);
    }
}

/* runner.lock is held. */
static bool has_room(const struct session *s, const struct stream *new)
{
    unsigned all = 0, same = 0;

    for (const struct stream *st = s->streams; st; st = st->next) {
        all++;
        same += st->call == new->call;
        if (st->call == new->call && st->number == new->number)
            return false;
    }
    return all < WAITING_MAX && same < FRAME_STREAMS;
}

int runner_stream_take(struct runner *r, struct frame *f, struct pv_err *err)
{
    struct frame_reader reader;
    struct stream *st;
    struct session *s;
    int flags, rc = PV_OK;

    frame_read(&reader, f);
    st = calloc(1, sizeof(*st));
    if (!st)
        return pv_fail(err, PV_ENOMEM, "no memory for a stream");
    *st = (struct stream){ .call = f->call, .number = frame_get_u64(&reader, UINT64_MAX),
                           .fd = f->fd };
    flags = fcntl(f->fd, F_GETFL);
    if (!frame_done(&reader) || !f->has_fd || st->call == 0 || st->number == 0 || flags < 0 ||
        fcntl(f->fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        free(st);
        return pv_fail(err, PV_EFORMAT, "a stream frame is damaged");
    }
    f->has_fd = false;
    pthread_mutex_lock(&r->lock);
    s = runner_session(r, f->session);
    if (s && has_room(s, st)) {
        st->next = s->streams;
        s->streams = st;
        st = NULL;
    } else if (s) {
        rc = pv_fail(err, PV_EFORMAT, "a call has too many streams");
    }
    pthread_mutex_unlock(&r->lock);
    /* Without a session: it was closed meanwhile. */
    runner_streams_free(st);
    return rc;
}

void runner_stream_give(struct session *s, struct asked *c)
{
    for (struct stream **at = &s->streams; *at;) {
        struct stream *st = *at;

        if (st->call != c->number) {
            at = &st->next;
            continue;
        }
        *at = st->next;
        st->next = c->streams;
        c->streams = st;
    }
}

/* -1: the call of this thread has no such stream. */
static int find(const struct session *s, uint64_t number)
{
    const struct asked *c = runner_current;

    for (const struct stream *st = c && c->session == s ? c->streams : NULL; st; st = st->next)
        if (st->number == number)
            return st->fd;
    return -1;
}

/* PV_OK: something can be done with it, or it is over. */
static int wait_ready(const struct session *s, int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    for (;;) {
        int n;

        if (runner_to_stop(s))
            return PV_ECANCELED;
        n = poll(&p, 1, LOOK_MS);
        if (n > 0)
            return (p.revents & POLLNVAL) ? PV_EINVAL : PV_OK;
        if (n < 0 && errno != EINTR)
            return PV_EIO;
    }
}

static int rc_of(int error)
{
    return error == EPIPE || error == ECONNRESET ? PV_ECANCELED : error == EBADF ? PV_EINVAL : PV_EIO;
}

int64_t runner_stream_read(void *ctx, uint64_t stream, void *buf, size_t cap)
{
    const struct session *s = ctx;
    int fd = find(s, stream), rc;

    if (fd < 0 || !buf || cap == 0)
        return PV_EINVAL;
    for (;;) {
        ssize_t n;

        rc = wait_ready(s, fd, POLLIN);
        if (rc != PV_OK)
            return rc;
        n = read(fd, buf, cap < PIECE ? cap : PIECE);
        if (n >= 0)
            return n;
        if (errno != EAGAIN && errno != EINTR)
            return rc_of(errno);
    }
}

int64_t runner_stream_write(void *ctx, uint64_t stream, const void *buf, size_t len)
{
    const struct session *s = ctx;
    int fd = find(s, stream), rc;
    size_t done = 0;

    if (fd < 0 || (!buf && len > 0) || len > INT64_MAX)
        return PV_EINVAL;
    while (done < len) {
        ssize_t n;

        rc = wait_ready(s, fd, POLLOUT);
        if (rc != PV_OK)
            return rc;
        n = write(fd, (const char *)buf + done, len - done < PIECE ? len - done : PIECE);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return rc_of(errno);
        if (n > 0)
            done += (size_t)n;
    }
    return (int64_t)len;
}
