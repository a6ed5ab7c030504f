/* SPDX-License-Identifier: Apache-2.0 */
/* Clients that come and go while answers are deferred to other threads, events are published and
 * the server stops in the middle of it. Meant for TSan; says what it did and ends with 0. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/workers.h>

#include "server/net/sse.h"

#define ROUNDS 6
#define CLIENTS 6
#define STREAMS 64

static struct workers *pool;
static atomic_int answered, events, busy;
static atomic_bool ending;
static unsigned port;

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void finish(void *arg)
{
    struct req *r = arg;
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_str(w, "path", r->path);
    jsonw_str(w, "host", req_header(r, "Host"));
    jsonw_end(w);
    reply_send(r);
    req_finish(r);
    atomic_fetch_sub(&busy, 1);
}

static void finish_slowly(void *arg)
{
    clock_sleep_ms(3);
    finish(arg);
}

static enum req_result get_later(struct req *r)
{
    atomic_fetch_add(&busy, 1);
    if (!workers_submit(pool, req_query(r, "slow") ? finish_slowly : finish, r))
        finish(r);
    return REQ_LATER;
}

/* Who publishes holds the lock of the place while it appends; `closed` takes the place away under
 * the same lock. */
static struct place {
    pthread_mutex_t lock;
    struct sse_stream *stream;
    bool taken;
} places[STREAMS];

static void wants_more(void *ctx, struct sse_stream *s)
{
    (void)ctx;
    (void)s;
}

static void closed(void *ctx)
{
    struct place *p = ctx;

    pthread_mutex_lock(&p->lock);
    p->stream = NULL;
    p->taken = false;
    pthread_mutex_unlock(&p->lock);
}

static enum req_result get_events(struct req *r)
{
    for (size_t i = 0; i < STREAMS; i++) {
        struct place *p = &places[i];
        enum req_result result;

        pthread_mutex_lock(&p->lock);
        if (!p->taken) {
            p->taken = true;
            result = reply_sse(r, wants_more, closed, p, &p->stream);
            pthread_mutex_unlock(&p->lock);
            return result;
        }
        pthread_mutex_unlock(&p->lock);
    }
    return reply_empty(r, 503);
}

static const struct route routes[] = {
    { .method = "GET", .pattern = "/later/{x}", .permission = PERM_PUBLIC, .handler = get_later },
    { .method = "GET", .pattern = "/events", .permission = PERM_PUBLIC, .handler = get_events },
    { .pattern = NULL },
};

static void *publish(void *arg)
{
    (void)arg;
    while (!atomic_load(&ending)) {
        for (size_t i = 0; i < STREAMS; i++) {
            struct place *p = &places[i];

            pthread_mutex_lock(&p->lock);
            if (p->stream && sse_append(p->stream, "data: x\n\n", 9))
                atomic_fetch_add(&events, 1);
            else if (p->stream)
                sse_overrun(p->stream);
            pthread_mutex_unlock(&p->lock);
        }
        clock_sleep_ms(1);
    }
    return NULL;
}

static int open_client(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct timeval wait = { .tv_sec = 5 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void one_client(unsigned n)
{
    static const char *const requests[] = {
        "GET /later/a HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /later/b?slow HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /events HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /later/c HTTP/1.1\r\nHost: x\r\n\r\nGET /later/d HTTP/1.1\r\nHost: x\r\n\r\n",
    };
    const char *request = requests[n % 4];
    char buffer[4096];
    int fd = open_client();

    if (fd < 0)
        return;
    send(fd, request, strlen(request), MSG_NOSIGNAL);
    /* Every third leaves without waiting. */
    if (n % 3 && recv(fd, buffer, sizeof(buffer), 0) > 0)
        atomic_fetch_add(&answered, 1);
    close(fd);
}

static void *clients(void *arg)
{
    unsigned n = *(unsigned *)arg;

    while (!atomic_load(&ending))
        one_client(n++);
    return NULL;
}

static void round_of(unsigned round)
{
    struct net_config config = { .listen = "127.0.0.1:0", .routes = routes };
    pthread_t publisher, threads[CLIENTS];
    unsigned first[CLIENTS];
    struct pv_err err = { 0 };
    struct net *net = NULL;

    atomic_store(&ending, false);
    must(net_start(&config, &net, &err) == PV_OK, err.message);
    port = net_port(net);
    pthread_create(&publisher, NULL, publish, NULL);
    for (unsigned i = 0; i < CLIENTS; i++) {
        first[i] = i;
        pthread_create(&threads[i], NULL, clients, &first[i]);
    }
    clock_sleep_ms(700);
    /* In the middle of it all; half of the rounds without waiting for open requests. */
    net_stop(net, round % 2 ? 2000 : 0);
    atomic_store(&ending, true);
    pthread_join(publisher, NULL);
    for (unsigned i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    while (atomic_load(&busy) > 0)
        clock_sleep_ms(1);
    for (size_t i = 0; i < STREAMS; i++)
        must(!places[i].taken, "every stream was closed");
}

int main(void)
{
    for (size_t i = 0; i < STREAMS; i++)
        pthread_mutex_init(&places[i].lock, NULL);
    pool = workers_new("later", 3, 1000);
    must(pool, "workers");
    for (unsigned round = 0; round < ROUNDS; round++)
        round_of(round);
    workers_free(pool);
    must(atomic_load(&answered) > 0 && atomic_load(&events) > 0, "something happened");
    printf("%d answers, %d events, %d stops\n", atomic_load(&answered), atomic_load(&events),
           ROUNDS);
    return 0;
}
