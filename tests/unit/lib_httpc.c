/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "tests/unit/httpc_client.h"

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
