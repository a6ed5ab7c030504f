/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_client.h"

#include <pthread.h>
#include <stdatomic.h>

#include <polyvisor/arena.h>

#include "server/net/inside.h"

/* A publisher of one stream; its lock outlives the stream, as sse.h asks. */
struct publisher {
    pthread_mutex_t lock;
    struct sse_stream *stream; /* NULL once closed */
    int asked, closed;
    int replay; /* events still to be replayed by wants_more */
};

static struct publisher pub = { .lock = PTHREAD_MUTEX_INITIALIZER };
static struct net *net;

static void wants_more(void *ctx, struct sse_stream *s)
{
    struct publisher *p = ctx;
    char text[64];

    pthread_mutex_lock(&p->lock);
    p->asked++;
    if (p->replay > 0) {
        snprintf(text, sizeof(text), "id: %d\ndata: replayed\n\n", p->replay--);
        sse_append(s, text, strlen(text));
    }
    pthread_mutex_unlock(&p->lock);
}

static void closed(void *ctx)
{
    struct publisher *p = ctx;

    pthread_mutex_lock(&p->lock);
    p->closed++;
    p->stream = NULL;
    pthread_mutex_unlock(&p->lock);
}

static enum req_result get_events(struct req *r)
{
    enum req_result result;

    pthread_mutex_lock(&pub.lock);
    result = reply_sse(r, wants_more, closed, &pub, &pub.stream);
    pthread_mutex_unlock(&pub.lock);
    return result;
}

static const struct route routes[] = {
    { .method = "GET", .pattern = "/events", .permission = PERM_PUBLIC, .handler = get_events },
    { .pattern = NULL },
};

static void setup(void)
{
    struct net_config config = { .listen = "127.0.0.1:0", .routes = routes };

    net = server_start(&config);
}

static void teardown(void)
{
    net_stop(net, 1000);
}

TestSuite(net_sse, .init = setup, .fini = teardown, .timeout = 60);

static int look(const int *value)
{
    int v;

    pthread_mutex_lock(&pub.lock);
    v = *value;
    pthread_mutex_unlock(&pub.lock);
    return v;
}

static void wait_for(const int *value, int least)
{
    for (int i = 0; i < 4000 && look(value) < least; i++)
        clock_sleep_ms(5);
    cr_assert(look(value) >= least, "waited for %d, is %d", least, look(value));
}

static bool publish(const char *text)
{
    bool ok = false;

    pthread_mutex_lock(&pub.lock);
    if (pub.stream)
        ok = sse_append(pub.stream, text, strlen(text));
    pthread_mutex_unlock(&pub.lock);
    return ok;
}

/* HTTP/1.0: without chunks, so that events can be searched in what came. */
static int subscribe(void)
{
    int fd = client_connect(net_port(net));

    client_puts(fd, "GET /events HTTP/1.0\r\n\r\n");
    wait_for(&pub.asked, 1);
    return fd;
}

Test(net_sse, replays_first_then_sends_what_is_appended)
{
    char *text;
    int fd;

    pub.replay = 3;
    fd = subscribe();
    wait_for(&pub.asked, 4);
    cr_assert(publish("id: 9\ndata: live\n\n"));
    text = client_read(fd, "live\n\n");
    cr_assert_eq(client_count(text, "replayed"), 3, "%s", text);
    cr_assert(strstr(text, "Content-Type: text/event-stream"));
    cr_assert(strstr(text, "id: 3") < strstr(text, "id: 1") &&
              strstr(text, "id: 1") < strstr(text, "id: 9"));
    free(text);
    close(fd);
}

Test(net_sse, every_event_arrives_once_and_in_order)
{
    int fd = subscribe();
    char *text, *at;

    for (int i = 0; i < 2000; i++) {
        char event[64];

        snprintf(event, sizeof(event), "data: %d;\n\n", i);
        while (!publish(event))
            clock_sleep_ms(1);
    }
    text = client_read(fd, "data: 1999;");
    at = text;
    for (int i = 0; i < 2000; i++) {
        char event[64];

        snprintf(event, sizeof(event), "data: %d;", i);
        at = strstr(at, event);
        cr_assert(at, "event %d is missing or out of order", i);
    }
    cr_assert_eq(client_count(text, "data: "), 2000);
    free(text);
    close(fd);
}

Test(net_sse, wake_asks_again)
{
    int fd = subscribe(), before;

    clock_sleep_ms(20);
    before = look(&pub.asked);
    pthread_mutex_lock(&pub.lock);
    sse_wake(pub.stream);
    pthread_mutex_unlock(&pub.lock);
    wait_for(&pub.asked, before + 1);
    close(fd);
}

Test(net_sse, an_idle_stream_gets_a_comment_and_a_gone_client_is_noticed)
{
    int fd = subscribe();
    char *text;

    sse_tick(net, clock_mono_ms() + 14000);
    sse_tick(net, clock_mono_ms() + 15001);
    text = client_read(fd, ":\n\n");
    free(text);
    close(fd);
    for (int i = 0; i < 200 && !look(&pub.closed); i++) {
        sse_tick(net, clock_mono_ms() + 20000);
        clock_sleep_ms(10);
    }
    cr_assert_eq(look(&pub.closed), 1);
}

Test(net_sse, a_reader_that_is_too_slow_is_told_and_closed)
{
    static char event[1024];
    int fd, small = 4096;
    bool full = false;
    char *text;

    memset(event, 'x', sizeof(event) - 3);
    memcpy(event, "data: ", 6);
    memcpy(event + sizeof(event) - 3, "\n\n", 3);
    fd = subscribe();
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    /* The kernel takes a few MiB; then the ring fills. */
    for (int i = 0; i < 200000 && !full; i++) {
        full = !publish(event);
        if (full && i < 200000)
            break;
    }
    cr_assert(full, "the ring never filled");
    pthread_mutex_lock(&pub.lock);
    cr_assert_lt(sse_room(pub.stream), sizeof(event));
    sse_overrun(pub.stream);
    cr_assert_not(sse_append(pub.stream, "data: y\n\n", 9), "nothing may follow");
    cr_assert_eq(sse_room(pub.stream), 0);
    pthread_mutex_unlock(&pub.lock);
    for (;;) {
        static char buffer[65536 + 64];
        static size_t kept;
        ssize_t n = recv(fd, buffer + kept, sizeof(buffer) - 1 - kept, 0);

        if (n <= 0) {
            buffer[kept] = 0;
            text = strstr(buffer, "event: lagging");
            break;
        }
        kept += (size_t)n;
        if (kept > 128) {
            memmove(buffer, buffer + kept - 128, 128);
            kept = 128;
        }
    }
    cr_assert(text, "the last event is `lagging`");
    wait_for(&pub.closed, 1);
    close(fd);
}

Test(net_sse, stopping_ends_streams)
{
    int fd = subscribe();
    char *text;

    net_stop(net, 300000);
    net = NULL;
    cr_assert_eq(look(&pub.closed), 1);
    text = client_read(fd, NULL);
    cr_assert_eq(client_status(text), 200);
    free(text);
    close(fd);
}

Test(net_sse, head_gets_the_headers_only)
{
    char *text = client_request(net_port(net), "HEAD", "/events", "", NULL);

    cr_assert(strstr(text, "text/event-stream"));
    free(text);
    wait_for(&pub.closed, 1);
    cr_assert_eq(look(&pub.asked), 0);
}

static atomic_bool racing;

static void *race(void *arg)
{
    (void)arg;
    while (atomic_load(&racing))
        publish("data: r\n\n");
    return NULL;
}

Test(net_sse, publishing_while_clients_come_and_go_is_safe)
{
    pthread_t thread;

    atomic_store(&racing, true);
    cr_assert_eq(pthread_create(&thread, NULL, race, NULL), 0);
    for (int i = 0; i < 50; i++) {
        int fd = client_connect(net_port(net)), before = look(&pub.closed);
        char *text;

        client_puts(fd, "GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
        text = client_read(fd, "data: r");
        free(text);
        close(fd);
        wait_for(&pub.closed, before + 1);
    }
    atomic_store(&racing, false);
    pthread_join(thread, NULL);
}
