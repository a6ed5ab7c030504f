/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_client.h"

#include <pthread.h>
#include <stdatomic.h>

static struct net *net;
static atomic_int begun;
static struct req *kept[64]; /* requests that nobody has finished yet */
static pthread_t workers[64];

static void answer(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_str(w, "late", req_header(r, "X-Mark"));
    jsonw_end(w);
    reply_send(r);
    req_finish(r);
}

static void *work(void *arg)
{
    answer(arg);
    return NULL;
}

/* Finished by another thread, perhaps before the handler has returned. */
static enum req_result get_thread(struct req *r)
{
    int i = atomic_fetch_add(&begun, 1);

    cr_assert(i < 64 && pthread_create(&workers[i], NULL, work, r) == 0);
    return REQ_LATER;
}

static enum req_result get_inside(struct req *r)
{
    answer(r);
    return REQ_LATER;
}

static enum req_result get_kept(struct req *r)
{
    kept[atomic_load(&begun)] = r;
    atomic_fetch_add(&begun, 1);
    return REQ_LATER;
}

static const struct route routes[] = {
    { .method = "GET", .pattern = "/thread", .permission = PERM_PUBLIC, .handler = get_thread },
    { .method = "GET", .pattern = "/inside", .permission = PERM_PUBLIC, .handler = get_inside },
    { .method = "GET", .pattern = "/kept", .permission = PERM_PUBLIC, .handler = get_kept },
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

TestSuite(net_later, .init = setup, .fini = teardown, .timeout = 60);

static void wait_begun(int n)
{
    for (int i = 0; i < 4000 && atomic_load(&begun) < n; i++)
        clock_sleep_ms(5);
    cr_assert_eq(atomic_load(&begun), n);
}

Test(net_later, another_thread_finishes_the_answer)
{
    for (int i = 0; i < 50; i++) {
        char *text = client_request(net_port(net), "GET", "/thread", "X-Mark: m1\r\n", NULL);

        cr_assert(strstr(text, "{\"late\":\"m1\"}"), "%s", text);
        free(text);
        pthread_join(workers[i], NULL);
    }
}

Test(net_later, finishing_before_the_handler_returns_is_fine)
{
    for (int i = 0; i < 50; i++) {
        char *text = client_request(net_port(net), "GET", "/inside", "", NULL);

        cr_assert(strstr(text, "{\"late\":null}"), "%s", text);
        free(text);
    }
}

Test(net_later, the_connection_is_kept_for_the_next_request)
{
    int fd = client_connect(net_port(net));
    char *text;

    client_puts(fd, "GET /kept HTTP/1.1\r\nHost: x\r\nX-Mark: one\r\n\r\n"
                    "GET /inside HTTP/1.1\r\nHost: x\r\nX-Mark: two\r\nConnection: close\r\n\r\n");
    wait_begun(1);
    answer(kept[0]);
    text = client_read(fd, NULL);
    cr_assert(strstr(text, "\"one\"") && strstr(text, "\"two\""), "%s", text);
    free(text);
    close(fd);
}

Test(net_later, a_client_that_has_gone_does_no_harm)
{
    char *text;

    for (int i = 0; i < 20; i++) {
        int fd = client_connect(net_port(net));

        client_puts(fd, "GET /kept HTTP/1.1\r\nHost: x\r\n\r\n");
        wait_begun(i + 1);
        close(fd);
    }
    for (int i = 0; i < 20; i++)
        answer(kept[i]);
    text = client_request(net_port(net), "GET", "/inside", "", NULL);
    cr_assert_eq(client_status(text), 200);
    free(text);
}

static void *stop(void *arg)
{
    net_stop(arg, 50);
    return NULL;
}

Test(net_later, stopping_does_not_wait_for_ever)
{
    struct net_config config = { .listen = "127.0.0.1:0", .routes = routes };
    struct net *other = server_start(&config);
    int fd = client_connect(net_port(other));
    pthread_t stopper;
    char *text;

    client_puts(fd, "GET /kept HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_begun(1);
    cr_assert_eq(pthread_create(&stopper, NULL, stop, other), 0);
    pthread_join(stopper, NULL);
    text = client_read(fd, NULL);
    cr_assert(!*text || client_status(text) == 503, "%s", text);
    free(text);
    close(fd);
    /* Whoever worked on it finishes long after the server has gone. */
    answer(kept[0]);
}

Test(net_later, stopping_lets_open_requests_end)
{
    int fd = client_connect(net_port(net));
    pthread_t stopper;
    char *text;

    client_puts(fd, "GET /kept HTTP/1.1\r\nHost: x\r\nX-Mark: end\r\n\r\n");
    wait_begun(1);
    /* A grace far longer than the test may take: only the answer itself can end the wait. */
    cr_assert_eq(pthread_create(&stopper, NULL, work, kept[0]), 0);
    net_stop(net, 300000);
    net = NULL;
    pthread_join(stopper, NULL);
    text = client_read(fd, NULL);
    cr_assert(strstr(text, "\"end\""), "%s", text);
    free(text);
    close(fd);
}
