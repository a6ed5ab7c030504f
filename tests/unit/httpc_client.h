/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of lib/httpc and the server it asks, for the tests of the client: a server with a
 * certificate of its own (https_server.h) whose paths answer well ("/hello", "/echo") or badly
 * ("/once", "/cut", "/stall"), and a fixture that holds both and the last answer. start() or
 * start_with() first, stop() last; one thread unless a test says otherwise.
 */
#pragma once

#include <criterion/criterion.h>

#include <polyvisor/err.h>
#include <polyvisor/httpc.h>

#include "tests/unit/https_server.h"

/* 100,000 times "a". */
static const uint8_t httpc_zipped[] = {
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xed, 0xc1, 0x31, 0x01, 0x00,
    0x00, 0x00, 0xc2, 0xa0, 0xac, 0xeb, 0x5f, 0xc2, 0x1a, 0x1e, 0x40, 0x01, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0xaf, 0x06, 0x87, 0xfa, 0xe2, 0x1b, 0xa0, 0x86, 0x01, 0x00,
};

static inline bool answer(struct test_request *r)
{
    static char block[65536];

    if (test_path_is(r, "/hello")) {
        bool is_head = strncmp(r->head, "HEAD ", 5) == 0;

        test_reply(r, "HTTP/1.1 200 OK\r\nX-Word:  hi there \r\nContent-Length: 5\r\n\r\n");
        test_send(r, "hello", is_head ? 0 : 5);
    } else if (test_path_is(r, "/echo")) {
        char text[4096];
        int n = snprintf(text, sizeof(text), "%.*s|%.*s", (int)strcspn(r->head, " "), r->head,
                         (int)r->body_len, r->body);

        test_reply_body(r, "", text, (size_t)n);
    } else if (test_path_is(r, "/head")) {
        test_reply_body(r, "", r->head, (size_t)(r->body - r->head));
    } else if (test_path_is(r, "/length")) {
        char text[32];
        int n = snprintf(text, sizeof(text), "%zu", r->body_len);

        test_reply_body(r, "", text, (size_t)n);
    } else if (test_path_is(r, "/gzip")) {
        test_reply_body(r, "Content-Encoding: gzip\r\n", httpc_zipped, sizeof(httpc_zipped));
    } else if (test_path_is(r, "/missing")) {
        test_reply(r, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
    } else if (test_path_is(r, "/empty")) {
        test_reply(r, "HTTP/1.1 204 No Content\r\n\r\n");
    } else if (test_path_is(r, "/here")) {
        test_reply(r, "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n");
    } else if (test_path_is(r, "/away")) {
        char text[256];

        snprintf(text, sizeof(text),
                 "HTTP/1.1 302 Found\r\nLocation: https://localhost:%u/hello\r\n"
                 "Content-Length: 0\r\n\r\n",
                 r->server->port);
        test_reply(r, text);
    } else if (test_path_is(r, "/loop")) {
        test_reply(r, "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n");
    } else if (test_path_is(r, "/once")) {
        /* The first request of a connection is answered; the next is read and the connection cut.
         */
        if (r->nth > 0)
            return false;
        test_reply_body(r, "", "once", 4);
    } else if (test_path_is(r, "/last")) {
        test_reply_body(r, "", "last", 4);
        return false;
    } else if (test_path_is(r, "/never")) {
        test_wait_for_close(r);
        return false;
    } else if (test_path_is(r, "/stall")) {
        test_reply(r, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
        test_wait_for_close(r);
        return false;
    } else if (test_path_is(r, "/cut")) {
        test_reply(r, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
        return false;
    } else if (test_path_is(r, "/noise")) {
        test_reply(r, "SSH-2.0-whatever this is, it is not HTTP\r\n\r\n");
        return false;
    } else if (test_path_is(r, "/headers")) {
        memset(block, 'x', sizeof(block));
        test_reply(r, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 40; i++) {
            test_reply(r, "X-Long: ");
            test_send(r, block, 2048);
            test_reply(r, "\r\n");
        }
        test_reply(r, "Content-Length: 0\r\n\r\n");
    } else if (test_path_is(r, "/large")) {
        test_reply(r, "HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n");
        for (int i = 0; i < 160; i++)
            test_send(r, block, sizeof(block));
    } else {
        return false;
    }
    return true;
}

/* A client that trusts just this server, and what it got. */
struct fixture {
    struct test_server server;
    struct httpc *client;
    struct httpc_response response;
    struct pv_err err;
};

static inline void start_with(struct fixture *f, struct httpc_config config)
{
    memset(f, 0, sizeof(*f));
    httpc_global_init(NULL);
    test_server_start(&f->server, answer, true);
    if (config.tls == HTTPC_TLS_CA)
        config.ca_pem = f->server.pem;
    cr_assert_eq(httpc_new(&config, &f->client, &f->err), PV_OK, "%s", f->err.message);
}

static inline void start(struct fixture *f)
{
    start_with(f, (struct httpc_config){ .timeout_ms = 20000 });
}

static inline int send_body(struct fixture *f, const char *method, const char *path,
                            const void *body, size_t len)
{
    char url[128];
    struct httpc_request request = { .method = method, .url = url, .body = body, .body_len = len };

    snprintf(url, sizeof(url), "%s%s", f->server.url, path);
    httpc_response_free(&f->response);
    memset(&f->err, 0, sizeof(f->err));
    return httpc_send(f->client, &request, &f->response, &f->err);
}

static inline int ask(struct fixture *f, const char *method, const char *path)
{
    return send_body(f, method, path, NULL, 0);
}

static inline void stop(struct fixture *f)
{
    httpc_response_free(&f->response);
    httpc_free(f->client);
    test_server_stop(&f->server);
    httpc_global_cleanup();
}
