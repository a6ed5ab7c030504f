/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that come out of a pipe. While there is nothing in it the connection is suspended and one
 * thread waits for all of them; while the client takes nothing, nothing is read, and whoever writes
 * into the pipe waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "server/net/inside.h"

#define BLOCK (64u * 1024)
#define EVENTS 64

struct watch {
    struct watch *next, **link; /* guarded by net->watch_lock */
    int fd;
    void (*fn)(void *arg);
    void *arg;
};

struct pipe_body {
    struct request *request;
    int fd; /* owned; -1: there is no body */
    uint64_t left;
    void (*release)(void *ctx);
    void *ctx;
};

/* ------------------------------------------------------------------ waiting */

static void unlink_locked(struct watch *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
}

static void fire(struct net *n, struct watch *w)
{
    pthread_mutex_lock(&n->watch_lock);
    unlink_locked(w);
    epoll_ctl(n->watch_fd, EPOLL_CTL_DEL, w->fd, NULL);
    pthread_mutex_unlock(&n->watch_lock);
    w->fn(w->arg);
    free(w);
}

static void *watch_main(void *arg)
{
    struct net *n = arg;
    struct epoll_event events[EVENTS];

    pthread_setname_np(pthread_self(), "net-pipes");
    while (!atomic_load(&n->stopping)) {
        int count = epoll_wait(n->watch_fd, events, EVENTS, -1);

        for (int i = 0; i < count; i++)
            if (events[i].data.ptr)
                fire(n, events[i].data.ptr);
    }
    return NULL;
}

bool net_when_readable(struct net *n, int fd, void (*fn)(void *arg), void *arg)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT };
    struct watch *w = calloc(1, sizeof(*w));
    bool ok;

    if (!w)
        return false;
    *w = (struct watch){ .fd = fd, .fn = fn, .arg = arg };
    event.data.ptr = w;
    pthread_mutex_lock(&n->watch_lock);
    ok = !n->watches_over && epoll_ctl(n->watch_fd, EPOLL_CTL_ADD, fd, &event) == 0;
    if (ok) {
        w->next = n->watches;
        w->link = &n->watches;
        if (w->next)
            w->next->link = &w->next;
        n->watches = w;
    }
    pthread_mutex_unlock(&n->watch_lock);
    if (!ok)
        free(w);
    return ok;
}

int pipe_start(struct net *n, struct pv_err *err)
{
    struct epoll_event event = { .events = EPOLLIN };
    int failed;

    n->watch_fd = epoll_create1(EPOLL_CLOEXEC);
    n->watch_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (n->watch_fd < 0 || n->watch_wake < 0 ||
        epoll_ctl(n->watch_fd, EPOLL_CTL_ADD, n->watch_wake, &event) < 0)
        return pv_fail_os(err, errno, "cannot wait for pipes");
    failed = pthread_create(&n->watcher, NULL, watch_main, n);
    if (failed)
        return pv_fail_os(err, failed, "cannot start a thread");
    n->watching = true;
    return PV_OK;
}

/* net->stopping is set. Whoever still waits is called: what comes of it is no whole answer. */
void pipe_stop(struct net *n)
{
    uint64_t one = 1;

    if (n->watching) {
        ssize_t woken = write(n->watch_wake, &one, sizeof(one));

        (void)woken;
        pthread_join(n->watcher, NULL);
    }
    n->watching = false;
    pthread_mutex_lock(&n->watch_lock);
    n->watches_over = true;
    while (n->watches) {
        struct watch *w = n->watches;

        pthread_mutex_unlock(&n->watch_lock);
        fire(n, w);
        pthread_mutex_lock(&n->watch_lock);
    }
    pthread_mutex_unlock(&n->watch_lock);
}

/* ------------------------------------------------------------------ answering */

enum req_result reply_pipe(struct req *pub, int status, const char *content_type, int fd,
                           uint64_t length, void (*release)(void *ctx), void *ctx)
{
    struct request *r = request_of(pub);
    struct pipe_body *p = arena_alloc(pub->arena, sizeof(*p));
    struct pv_err err = { 0 };

    if (!p) {
        if (fd >= 0)
            close(fd);
        if (release)
            release(ctx);
        pv_fail(&err, PV_ENOMEM, "no memory for the answer");
        return reply_problem(pub, &err);
    }
    *p = (struct pipe_body){ .request = r, .fd = fd, .left = length, .release = release, .ctx = ctx };
    reply_body(pub, status, content_type);
    r->answered = ANSWERED_PIPE;
    r->pipe = p;
    return reply_send(pub);
}

static void wake(void *arg)
{
    struct request *r = arg;

    MHD_resume_connection(r->connection);
}

static ssize_t read_pipe(void *cls, uint64_t pos, char *out, size_t max)
{
    struct pipe_body *p = cls;
    struct request *r = p->request;
    ssize_t n;

    (void)pos;
    if (p->left == 0 || p->fd < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    do {
        n = read(p->fd, out, p->left < max ? p->left : max);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        p->left -= (uint64_t)n;
        atomic_fetch_add_explicit(&r->net->bytes_out, (uint64_t)n, memory_order_relaxed);
        return n;
    }
    /* Its end came before that of the answer: the client must not take it for whole. */
    if (n == 0 || errno != EAGAIN || atomic_load(&r->net->stopping))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    MHD_suspend_connection(r->connection);
    if (net_when_readable(r->net, p->fd, wake, r))
        return 0;
    MHD_resume_connection(r->connection);
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

struct MHD_Response *pipe_response(struct request *r)
{
    return MHD_create_response_from_callback(r->pipe->left, BLOCK, read_pipe, r->pipe, NULL);
}

void pipe_release(struct request *r)
{
    struct pipe_body *p = r->pipe;

    if (!p)
        return;
    r->pipe = NULL;
    if (p->fd >= 0)
        close(p->fd);
    if (p->release)
        p->release(p->ctx);
}
