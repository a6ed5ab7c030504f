/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <polyvisor/clock.h>

#include "tests/unit/httpc_client.h"

static _Atomic bool wants_cancel;

static bool is_cancelled(void *ctx)
{
    (void)ctx;
    return wants_cancel;
}

Test(httpc, connections_are_kept_and_used_again, .timeout = 30)
{
    struct fixture f;

    start(&f);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(send_body(&f, "POST", "/echo", "x", 1), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.server.connections, 1);
    cr_assert_eq(f.server.requests, 5);
    stop(&f);
}

Test(httpc, a_kept_connection_is_used_again_within_its_time_and_not_beyond, .timeout = 60)
{
    struct httpc_config brief = { .timeout_ms = 20000, .idle_s = 1 };
    struct fixture f;

    start_with(&f, brief);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    clock_sleep_ms(3000); /* libcurl counts in whole seconds */
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    cr_expect_eq(f.server.connections, 2);
    stop(&f);
    start(&f);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    clock_sleep_ms(3000);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    cr_expect_eq(f.server.connections, 1);
    stop(&f);
}

Test(httpc, what_belongs_to_a_connection_is_sent_over_no_other, .timeout = 30)
{
    struct fixture f;
    char url[128];
    struct httpc_request r = { .method = "POST", .url = url, .reads_only = true };
    unsigned requests;

    start(&f);
    snprintf(url, sizeof(url), "%s/last", f.server.url);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    httpc_response_free(&f.response);
    r.same_connection = true;
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_OK, "%s", f.err.message);
    cr_expect(!f.response.ended);
    httpc_response_free(&f.response);
    cr_expect_eq(f.server.connections, 1);

    requests = f.server.requests;
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_EIO, "%s", f.err.message);
    cr_expect(f.response.ended);
    httpc_response_free(&f.response);
    cr_expect_eq(f.server.requests, requests, "it was sent over another connection");
    cr_expect_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    stop(&f);
}

Test(httpc, a_write_on_a_dying_kept_connection_is_sent_once_and_its_effect_unknown, .timeout = 30)
{
    static const char *const methods[] = { "POST", "PUT", "DELETE" };
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < 3; i++) {
        unsigned before;

        cr_assert_eq(ask(&f, methods[i], "/once"), PV_OK, "%s", f.err.message);
        before = f.server.requests;
        cr_assert_eq(send_body(&f, methods[i], "/once", i == 1 ? "body" : NULL, i == 1 ? 4 : 0),
                     PV_EUNKNOWN, "%s", f.err.message);
        cr_assert(f.response.sent);
        cr_assert_eq(f.server.requests, before + 1, "%s was repeated", methods[i]);
    }
    stop(&f);
}

Test(httpc, a_read_on_a_dying_kept_connection_is_simply_repeated, .timeout = 30)
{
    struct fixture f;

    start(&f);
    cr_assert_eq(ask(&f, "GET", "/once"), PV_OK);
    cr_assert_eq(ask(&f, "GET", "/once"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.server.connections, 2);
    stop(&f);
}

Test(httpc, a_post_that_only_reads_is_treated_like_a_get, .timeout = 30)
{
    struct fixture f;
    char url[128];
    struct httpc_request r = { .method = "POST", .url = url, .body = "x", .body_len = 1 };

    start(&f);
    r.reads_only = true;
    snprintf(url, sizeof(url), "%s/once", f.server.url);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_OK, "%s", f.err.message);
        httpc_response_free(&f.response);
    }
    cr_assert_eq(f.server.connections, 2);
    snprintf(url, sizeof(url), "%s/cut", f.server.url);
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_EIO, "%s", f.err.message);
    stop(&f);
}

Test(httpc, a_cut_answer_is_an_io_error_for_reads_and_unknown_for_writes, .timeout = 30)
{
    struct fixture f;

    start(&f);
    cr_assert_eq(ask(&f, "GET", "/cut"), PV_EIO, "%s", f.err.message);
    cr_assert_eq(ask(&f, "POST", "/cut"), PV_EUNKNOWN, "%s", f.err.message);
    cr_assert_eq(ask(&f, "POST", "/gone"), PV_EUNKNOWN, "%s", f.err.message);
    cr_assert_eq(ask(&f, "GET", "/noise"), PV_EIO, "%s", f.err.message);
    stop(&f);
}

Test(httpc, nobody_there_is_offline_even_for_writes, .timeout = 30)
{
    struct fixture f;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    start(&f);
    /* A port that is bound but not listening refuses. */
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(f.server.url, sizeof(f.server.url), "https://127.0.0.1:%u", ntohs(address.sin_port));
    cr_assert_eq(ask(&f, "POST", "/"), PV_EOFFLINE, "%s", f.err.message);
    cr_assert_not(f.response.sent);
    snprintf(f.server.url, sizeof(f.server.url), "https://no-such-host.invalid");
    cr_assert_eq(ask(&f, "GET", "/"), PV_EOFFLINE, "%s", f.err.message);
    close(fd);
    stop(&f);
}

Test(httpc, silence_ends_a_request, .timeout = 30)
{
    struct fixture f;

    start_with(&f, (struct httpc_config){ .stall_timeout_ms = 300 });
    cr_assert_eq(ask(&f, "GET", "/never"), PV_ETIMEOUT, "%s", f.err.message);
    cr_assert_eq(ask(&f, "GET", "/stall"), PV_ETIMEOUT, "%s", f.err.message);
    cr_assert_eq(ask(&f, "POST", "/never"), PV_EUNKNOWN, "%s", f.err.message);
    stop(&f);
    start_with(&f, (struct httpc_config){ .timeout_ms = 300 });
    cr_assert_eq(ask(&f, "GET", "/never"), PV_ETIMEOUT, "%s", f.err.message);
    cr_assert_eq(ask(&f, "POST", "/never"), PV_EUNKNOWN, "%s", f.err.message);
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    stop(&f);
}

static void *cancel_soon(void *arg)
{
    struct fixture *f = arg;

    while (f->server.requests == 0)
        clock_sleep_ms(5);
    wants_cancel = true;
    return NULL;
}

Test(httpc, a_waiting_request_can_be_canceled, .timeout = 30)
{
    struct fixture f;
    pthread_t thread;

    start_with(&f, (struct httpc_config){ .cancelled = is_cancelled });
    pthread_create(&thread, NULL, cancel_soon, &f);
    cr_assert_eq(ask(&f, "GET", "/never"), PV_ECANCELED, "%s", f.err.message);
    pthread_join(thread, NULL);
    wants_cancel = false;
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    stop(&f);
}

static void *ask_ten_times(void *arg)
{
    struct fixture *f = arg;
    char url[128];
    struct httpc_request r = { .method = "POST", .url = url, .body = "x", .body_len = 1 };
    size_t good = 0;

    snprintf(url, sizeof(url), "%s/echo", f->server.url);
    for (int i = 0; i < 10; i++) {
        struct httpc_response response;

        if (httpc_send(f->client, &r, &response, NULL) == PV_OK &&
            strcmp(response.body.data, "POST|x") == 0)
            good++;
        httpc_response_free(&response);
    }
    return (void *)good;
}

Test(httpc, many_threads_share_few_connections, .timeout = 60)
{
    struct fixture f;
    pthread_t threads[8];

    start_with(&f, (struct httpc_config){ .max_connections = 3 });
    for (size_t i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, ask_ten_times, &f);
    for (size_t i = 0; i < 8; i++) {
        void *good;

        pthread_join(threads[i], &good);
        cr_assert_eq((size_t)good, 10);
    }
    cr_assert_leq(f.server.connections, 3);
    cr_assert_eq(f.server.requests, 80);
    stop(&f);
}
