/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>

#include "tests/unit/https_server.h"

/* 100,000 times "a". */
static const uint8_t zipped[] = {
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

static _Atomic bool wants_cancel;

static bool is_cancelled(void *ctx)
{
    (void)ctx;
    return wants_cancel;
}

static bool answer(struct test_request *r)
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
        test_reply_body(r, "Content-Encoding: gzip\r\n", zipped, sizeof(zipped));
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

static void start_with(struct fixture *f, struct httpc_config config)
{
    memset(f, 0, sizeof(*f));
    httpc_global_init(NULL);
    test_server_start(&f->server, answer, true);
    if (config.tls == HTTPC_TLS_CA)
        config.ca_pem = f->server.pem;
    cr_assert_eq(httpc_new(&config, &f->client, &f->err), PV_OK, "%s", f->err.message);
}

static void start(struct fixture *f)
{
    start_with(f, (struct httpc_config){ .timeout_ms = 20000 });
}

static int send_body(struct fixture *f, const char *method, const char *path, const void *body,
                     size_t len)
{
    char url[128];
    struct httpc_request request = { .method = method, .url = url, .body = body, .body_len = len };

    snprintf(url, sizeof(url), "%s%s", f->server.url, path);
    httpc_response_free(&f->response);
    memset(&f->err, 0, sizeof(f->err));
    return httpc_send(f->client, &request, &f->response, &f->err);
}

static int ask(struct fixture *f, const char *method, const char *path)
{
    return send_body(f, method, path, NULL, 0);
}

static void stop(struct fixture *f)
{
    httpc_response_free(&f->response);
    httpc_free(f->client);
    test_server_stop(&f->server);
    httpc_global_cleanup();
}

Test(httpc, an_answer_arrives_with_status_body_and_headers, .timeout = 30)
{
    struct fixture f;
    char word[16], small[4];

    start(&f);
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.status, 200);
    cr_assert_str_eq(f.response.body.data, "hello");
    cr_assert(f.response.sent);
    cr_assert(httpc_header(&f.response, "x-word", word, sizeof(word)));
    cr_assert_str_eq(word, "hi there");
    cr_assert_not(httpc_header(&f.response, "x-word", small, sizeof(small)));
    cr_assert_not(httpc_header(&f.response, "x-wor", word, sizeof(word)));
    stop(&f);
}

Test(httpc, an_error_status_is_an_answer_like_any_other, .timeout = 30)
{
    struct fixture f;

    start(&f);
    cr_assert_eq(ask(&f, "POST", "/missing"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.status, 404);
    cr_assert_str_eq(f.response.body.data, "none");
    cr_assert_eq(ask(&f, "DELETE", "/empty"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.status, 204);
    cr_assert_eq(f.response.body.len, 0);
    stop(&f);
}

Test(httpc, each_method_goes_out_as_asked_for_also_after_another, .timeout = 30)
{
    static const char *const methods[] = { "POST", "GET", "DELETE", "PUT", "PATCH", "GET", "POST" };
    struct fixture f;

    start(&f);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        char want[32];
        bool has_body = i % 2 == 0;

        snprintf(want, sizeof(want), "%s|%s", methods[i], has_body ? "a body" : "");
        cr_assert_eq(
            send_body(&f, methods[i], "/echo", has_body ? "a body" : NULL, has_body ? 6 : 0), PV_OK,
            "%s", f.err.message);
        cr_assert_str_eq(f.response.body.data, want);
    }
    cr_assert_eq(ask(&f, "HEAD", "/hello"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.body.len, 0);
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    cr_assert_str_eq(f.response.body.data, "hello");
    stop(&f);
}

Test(httpc, headers_are_the_callers_and_nothing_is_slipped_in, .timeout = 30)
{
    static const char *const good[] = { "Content-Type: text/xml", "X-Key: a:b" };
    static const char *const evil[] = { "X-Key: a\r\nX-Evil: b" };
    struct fixture f;
    char url[128];
    struct httpc_request r = {
        .method = "POST", .url = url, .body = "x", .body_len = 1, .headers = good, .nheaders = 2
    };

    start(&f);
    snprintf(url, sizeof(url), "%s/head", f.server.url);
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_OK, "%s", f.err.message);
    cr_assert_not_null(strstr(f.response.body.data, "Content-Type: text/xml\r\n"));
    cr_assert_not_null(strstr(f.response.body.data, "X-Key: a:b\r\n"));
    cr_assert_not_null(strstr(f.response.body.data, "User-Agent: polyvisor\r\n"));
    cr_assert_null(strcasestr(f.response.body.data, "urlencoded"));
    cr_assert_null(strcasestr(f.response.body.data, "Expect:"));
    httpc_response_free(&f.response);
    r.headers = evil;
    r.nheaders = 1;
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_EINVAL);
    httpc_response_free(&f.response);
    r.nheaders = 0;
    r.method = "GET / HTTP/1.1\r\nX";
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_EINVAL);
    stop(&f);
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

Test(httpc, a_large_body_arrives_whole, .timeout = 30)
{
    struct fixture f;
    size_t len = 3u << 20;
    char *body = malloc(len);

    start(&f);
    memset(body, 'b', len);
    cr_assert_eq(send_body(&f, "POST", "/length", body, len), PV_OK, "%s", f.err.message);
    cr_assert_str_eq(f.response.body.data, "3145728");
    stop(&f);
    free(body);
}

Test(httpc, compressed_answers_are_unpacked, .timeout = 30)
{
    struct fixture f;

    start(&f);
    cr_assert_eq(ask(&f, "GET", "/gzip"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.body.len, 100000);
    cr_assert_eq(f.response.body.data[99999], 'a');
    stop(&f);
}

Test(httpc, the_size_limit_counts_unpacked_bytes, .timeout = 30)
{
    struct fixture f;

    start_with(&f, (struct httpc_config){ .max_response = 99999 });
    cr_assert_eq(ask(&f, "GET", "/gzip"), PV_EIO);
    cr_assert_eq(ask(&f, "POST", "/large"), PV_EIO);
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "the client is usable after: %s", f.err.message);
    stop(&f);
}

Test(httpc, too_many_header_bytes_are_refused, .timeout = 30)
{
    struct fixture f;

    start(&f);
    cr_assert_eq(ask(&f, "GET", "/headers"), PV_EIO);
    cr_assert_not_null(strstr(f.err.message, "headers"));
    stop(&f);
}

Test(httpc, a_pinned_certificate_is_enough_and_any_other_is_refused_before_the_request,
     .timeout = 30)
{
    static const char wrong[] = "00000000000000000000000000000000000000000000000000000000000000ff";
    struct fixture f;
    struct httpc_config config = { .tls = HTTPC_TLS_PIN, .npins = 1 };
    const char *pins[2] = { wrong, wrong };
    char native[80];

    config.pins = pins;
    start_with(&f, config);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_ECERT);
    snprintf(native, sizeof(native), "sha256:%s", f.server.sha256);
    cr_assert_str_eq(f.err.native_code, native);
    cr_assert_not(f.response.sent);
    cr_assert_eq(f.server.requests, 0);
    httpc_free(f.client);

    pins[1] = f.server.sha256;
    config.npins = 2;
    cr_assert_eq(httpc_new(&config, &f.client, &f.err), PV_OK, "%s", f.err.message);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_OK, "%s", f.err.message);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.server.requests, 2);
    stop(&f);
}

static void expect_binding(EVP_PKEY *key, const EVP_MD *hash, const EVP_MD *expected)
{
    struct httpc_config config = { .tls = HTTPC_TLS_INSECURE };
    struct fixture f;
    uint8_t digest[64];
    unsigned len = 0;
    BIO *bio;
    X509 *cert;

    start_with(&f, config);
    test_server_show(&f.server, key, hash);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    bio = BIO_new_mem_buf(f.server.pem, -1);
    cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (expected)
        X509_digest(cert, expected, digest, &len);
    cr_expect_eq(f.response.peer_binding_len, len);
    cr_expect_arr_eq(f.response.peer_binding, digest, len);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    cr_expect_eq(f.response.peer_binding_len, 0u, "the same connection");
    X509_free(cert);
    BIO_free(bio);
    stop(&f);
}

static EVP_PKEY *make_pss_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    cr_assert(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

Test(httpc, the_channel_binding_is_the_certificates_hash_by_its_own_signature, .timeout = 60)
{
    expect_binding(EVP_EC_gen("P-256"), EVP_sha256(), EVP_sha256());
    expect_binding(EVP_EC_gen("P-384"), EVP_sha384(), EVP_sha384());
    expect_binding(EVP_EC_gen("P-256"), EVP_sha512(), EVP_sha512());
    expect_binding(make_pss_key(), EVP_sha384(), EVP_sha384());
    expect_binding(EVP_EC_gen("P-256"), EVP_sha1(), EVP_sha256());
    expect_binding(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, NULL);
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

Test(httpc, pins_that_are_none_are_refused, .timeout = 30)
{
    const char *pins[1] = { "abc" };
    struct httpc_config config = { .tls = HTTPC_TLS_PIN, .pins = pins, .npins = 1 };
    struct httpc *client = NULL;

    cr_assert_eq(httpc_new(&config, &client, NULL), PV_EINVAL);
    config.npins = 0;
    cr_assert_eq(httpc_new(&config, &client, NULL), PV_EINVAL);
    cr_assert_null(client);
}

Test(httpc, an_unknown_authority_is_refused_with_the_certificates_digest, .timeout = 30)
{
    struct fixture f;
    struct httpc_config config = { 0 };
    char native[80];

    start(&f);
    httpc_free(f.client);
    cr_assert_eq(httpc_new(&config, &f.client, &f.err), PV_OK);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_ECERT);
    snprintf(native, sizeof(native), "sha256:%s", f.server.sha256);
    cr_assert_str_eq(f.err.native_code, native);
    cr_assert_eq(f.server.requests, 0);
    stop(&f);
}

Test(httpc, a_certificate_for_another_name_is_refused, .timeout = 30)
{
    struct fixture f;

    start(&f);
    /* curl resolves every name below "localhost" to this machine by itself. */
    snprintf(f.server.url, sizeof(f.server.url), "https://other.localhost:%u", f.server.port);
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_ECERT, "%s", f.err.message);
    cr_assert_eq(f.server.requests, 0);
    cr_assert_eq(strncmp(f.err.native_code, "sha256:", 7), 0);
    stop(&f);
}

Test(httpc, insecure_asks_nothing, .timeout = 30)
{
    struct fixture f;

    start_with(&f, (struct httpc_config){ .tls = HTTPC_TLS_INSECURE });
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
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

Test(httpc, redirects_stay_at_home_and_never_carry_writes, .timeout = 30)
{
    struct fixture f;

    start(&f);
    cr_assert_eq(ask(&f, "GET", "/here"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.status, 200);
    cr_assert_str_eq(f.response.body.data, "hello");
    cr_assert_eq(ask(&f, "GET", "/away"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.status, 302);
    cr_assert_eq(ask(&f, "POST", "/here"), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.response.status, 302);
    cr_assert_eq(ask(&f, "GET", "/loop"), PV_EIO, "%s", f.err.message);
    stop(&f);
}

Test(httpc, plain_http_needs_leave_and_reaches_only_this_machine, .timeout = 30)
{
    struct fixture f;
    struct test_server plain;

    start(&f);
    test_server_start(&plain, answer, false);
    memcpy(f.server.url, plain.url, sizeof(plain.url));
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_EINVAL);
    cr_assert_eq(plain.connections, 0);
    stop(&f);

    start_with(&f, (struct httpc_config){ .allow_http = true, .connect_timeout_ms = 2000 });
    memcpy(f.server.url, plain.url, sizeof(plain.url));
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    /* 192.0.2.0/24 is nobody's (RFC 5737). */
    snprintf(f.server.url, sizeof(f.server.url), "http://192.0.2.1:80");
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_EINVAL, "%s", f.err.message);
    test_server_stop(&plain);
    stop(&f);
}

Test(httpc, a_server_without_tls_is_no_secure_server, .timeout = 30)
{
    struct fixture f;
    struct test_server plain;

    start_with(&f, (struct httpc_config){ .timeout_ms = 3000, .tls = HTTPC_TLS_INSECURE });
    test_server_start(&plain, answer, false);
    snprintf(f.server.url, sizeof(f.server.url), "https://127.0.0.1:%u", plain.port);
    cr_assert_neq(send_body(&f, "POST", "/echo", "secret", 6), PV_OK);
    cr_assert_not(f.response.sent);
    cr_assert_eq(plain.requests, 0);
    test_server_stop(&plain);
    stop(&f);
}

static int count_body(void *ctx, const void *data, size_t len)
{
    size_t *total = ctx;

    (void)data;
    *total += len;
    return *total > 1000000 ? PV_EFORMAT : 0;
}

Test(httpc, a_body_can_be_taken_in_pieces_and_stopped, .timeout = 30)
{
    struct fixture f;
    size_t total = 0;
    char url[128];
    struct httpc_request r = { .method = "GET", .url = url, .on_body = count_body, .ctx = &total };

    start(&f);
    snprintf(url, sizeof(url), "%s/gzip", f.server.url);
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_OK, "%s", f.err.message);
    cr_assert_eq(total, 100000);
    cr_assert_eq(f.response.body.len, 0);
    httpc_response_free(&f.response);
    snprintf(url, sizeof(url), "%s/large", f.server.url);
    cr_assert_eq(httpc_send(f.client, &r, &f.response, &f.err), PV_EFORMAT);
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

Test(httpc, a_server_shows_its_certificate_without_being_trusted, .timeout = 30)
{
    struct fixture f;
    struct httpc_certificate shown;
    struct test_server plain;

    start(&f);
    cr_assert_eq(httpc_certificate("127.0.0.1", f.server.port, 5000, &shown, &f.err), PV_OK, "%s",
                 f.err.message);
    cr_assert_str_eq(shown.sha256, f.server.sha256);
    cr_assert_str_eq(shown.subject, "CN=Pr\xc3\xbc"
                                    "fling");
    cr_assert_str_eq(shown.issuer, shown.subject);
    cr_assert_not(shown.trusted);
    cr_assert_neq(shown.problem[0], '\0');
    cr_assert_lt(shown.not_before_ms, clock_wall_ms());
    cr_assert_gt(shown.not_after_ms, clock_wall_ms());
    cr_assert_eq(httpc_certificate("127.0.0.1/..", 1, 100, &shown, NULL), PV_EINVAL);
    test_server_start(&plain, answer, false);
    cr_assert_neq(httpc_certificate("127.0.0.1", plain.port, 500, &shown, &f.err), PV_OK);
    test_server_stop(&plain);
    stop(&f);
}
