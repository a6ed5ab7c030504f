/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_client.h"

#include <pthread.h>
#include <stdatomic.h>

#include <polyvisor/arena.h>

static struct net *net;
static unsigned port;
static atomic_int finished_calls, last_status;

static enum req_result get_ping(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_bool(w, "ok", true);
    jsonw_str(w, "q", req_query(r, "q"));
    jsonw_str(w, "cookie", req_cookie(r, "c"));
    jsonw_str(w, "address", r->address);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result get_thing(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_str(w, "id", req_param(r, "id"));
    jsonw_str(w, "part", req_param(r, "part"));
    jsonw_end(w);
    reply_header(r, "ETag", "\"thing-1\"");
    return reply_send(r);
}

static enum req_result get_special(struct req *r)
{
    return reply_empty(r, 204);
}

static enum req_result post_thing(struct req *r)
{
    struct jsonw *w = reply_json(r, 201);

    jsonw_object(w, NULL);
    jsonw_str(w, "name", json_string_value(json_object_get(r->json, "name")));
    jsonw_u64(w, "length", r->body_len);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result get_big(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_array(w, NULL);
    for (int i = 0; i < 1000; i++)
        jsonw_str(w, NULL, "the same again");
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result get_nothing(struct req *r)
{
    (void)r;
    return REQ_DONE;
}

static enum req_result get_problem(struct req *r)
{
    struct pv_err err = { 0 };

    reply_header(r, "ETag", "\"x\"");
    reply_json(r, 200);
    pv_fail(&err, PV_EOFFLINE, "vc1 does not answer");
    pv_err_pointer(&err, "/provider");
    pv_err_native(&err, "NoConnection");
    return reply_problem(r, &err);
}

struct pieces {
    int left;
};

static atomic_int released;

static int next_piece(void *ctx, struct buf *out)
{
    struct pieces *p = ctx;

    if (p->left-- > 0)
        buf_printf(out, "piece %d\n", p->left);
    return p->left < -5 ? -1 : 0;
}

static void release_pieces(void *ctx)
{
    (void)ctx;
    atomic_fetch_add(&released, 1);
}

static enum req_result get_pieces(struct req *r)
{
    struct pieces *p = arena_alloc(r->arena, sizeof(*p));

    p->left = 3;
    return reply_stream(r, 200, "application/x-ndjson", next_piece, release_pieces, p);
}

static int authorise(struct req *r, struct pv_err *err)
{
    if (r->route->permission == PERM_PUBLIC || req_header(r, "Authorization"))
        return PV_OK;
    return pv_fail_as(err, "unauthenticated", "who are you?");
}

static void finished(struct req *r, int status, int64_t took_us)
{
    (void)r;
    (void)took_us;
    atomic_fetch_add(&finished_calls, 1);
    atomic_store(&last_status, status);
}

static const struct model_param thing_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .max = 3000000 },
    { .name = "count", .type = PARAM_INT, .max = 10 },
    { .name = "deep", .type = PARAM_JSON },
    { .name = NULL },
};

static const struct route routes[] = {
    { .method = "GET", .pattern = "/ping", .permission = PERM_PUBLIC, .handler = get_ping },
    { .method = "GET", .pattern = "/big", .permission = PERM_PUBLIC, .handler = get_big },
    { .method = "GET", .pattern = "/nothing", .permission = PERM_PUBLIC, .handler = get_nothing },
    { .method = "GET", .pattern = "/problem", .permission = PERM_PUBLIC, .handler = get_problem },
    { .method = "GET", .pattern = "/pieces", .permission = PERM_PUBLIC, .handler = get_pieces },
    { .method = "GET", .pattern = "/secret", .permission = PERM_NONE, .handler = get_ping },
    { .method = "POST",
      .pattern = "/secret",
      .permission = PERM_NONE,
      .handler = post_thing,
      .body = thing_body },
    { .method = "GET", .pattern = "/things/{id}", .permission = PERM_PUBLIC, .handler = get_thing },
    { .method = "GET",
      .pattern = "/things/special",
      .permission = PERM_PUBLIC,
      .handler = get_special },
    { .method = "GET",
      .pattern = "/things/{id}/parts/{part}",
      .permission = PERM_PUBLIC,
      .handler = get_thing },
    { .method = "PATCH",
      .pattern = "/things/{id}",
      .permission = PERM_PUBLIC,
      .handler = post_thing,
      .body = thing_body,
      .flags = ROUTE_MERGE_PATCH },
    { .method = "POST",
      .pattern = "/things",
      .permission = PERM_PUBLIC,
      .handler = post_thing,
      .body = thing_body },
    { .method = "POST",
      .pattern = "/small",
      .permission = PERM_PUBLIC,
      .handler = post_thing,
      .body = thing_body,
      .max_body = 100 },
    { .method = "POST", .pattern = "/start", .permission = PERM_PUBLIC, .handler = post_thing },
    { .pattern = NULL },
};

static void setup(void)
{
    struct net_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .authorise = authorise, .finished = finished
    };

    net = server_start(&config);
    port = net_port(net);
    cr_assert(port > 0);
}

static void teardown(void)
{
    net_stop(net, 1000);
}

TestSuite(net_server, .init = setup, .fini = teardown, .timeout = 60);

#define JSON_TYPE "Content-Type: application/json\r\n"

static void expect(const char *method, const char *target, const char *headers, const char *body,
                   int status, const char *part)
{
    char *answer = client_request(port, method, target, headers, body);

    cr_assert_eq(client_status(answer), status, "%s %s: wanted %d, got: %.600s", method, target,
                 status, answer);
    cr_assert(!part || strstr(answer, part), "%s %s: no %s in: %s", method, target, part, answer);
    free(answer);
}

Test(net_server, answers_json_with_the_safety_headers)
{
    static const char *const wanted[] = { "X-Content-Type-Options: nosniff",
                                          "Content-Security-Policy: default-src",
                                          "Referrer-Policy: no-referrer",
                                          "Cache-Control: no-store",
                                          "X-Request-Id: ",
                                          "Server-Timing: total;dur=",
                                          "Content-Type: application/json",
                                          "{\"ok\":true,\"q\":null" };
    char *answer = client_request(port, "GET", "/ping", "", NULL);

    cr_assert_eq(client_status(answer), 200);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        cr_assert(strstr(answer, wanted[i]), "%s is missing in %s", wanted[i], answer);
    cr_assert(strstr(answer, "\"address\":\"127.0.0.1\""));
    free(answer);
}

Test(net_server, matches_parameters_and_prefers_literals)
{
    expect("GET", "/things/a%20b", "", NULL, 200, "{\"id\":\"a b\",\"part\":\"\"}");
    expect("GET", "/things/special", "", NULL, 204, NULL);
    expect("GET", "/things/special/parts/7", "", NULL, 200, "{\"id\":\"special\",\"part\":\"7\"}");
    expect("GET", "/things/", "", NULL, 404, "\"code\":\"not-found\"");
    expect("GET", "/things", "", NULL, 405, "Allow: POST, OPTIONS");
    expect("GET", "/things/%ff", "", NULL, 400, "UTF-8");
    expect("GET", "/nowhere", "", NULL, 404, "\"instance\":\"/nowhere\"");
}

Test(net_server, decodes_the_query)
{
    expect("GET", "/ping?q=a+b%26c&q=2", "", NULL, 200, "\"q\":\"a b&c\"");
    expect("GET", "/ping?x&q=%C3%A4", "", NULL, 200, "\"q\":\"ä\"");
    expect("GET", "/ping?q=%00", "", NULL, 400, "invalid-request");
    expect("GET", "/ping?q=%ff", "", NULL, 400, "invalid-request");
}

Test(net_server, refuses_too_many_query_parameters)
{
    char *target = client_repeat("/ping?", "a=1&", 65, "");

    expect("GET", target, "", NULL, 400, "more than 64 parameters");
    free(target);
}

Test(net_server, finds_cookies)
{
    expect("GET", "/ping", "Cookie: a=1; c=\"yes\"; cc=2\r\n", NULL, 200, "\"cookie\":\"yes\"");
    expect("GET", "/ping", "Cookie: cc=2\r\n", NULL, 200, "\"cookie\":null");
}

Test(net_server, answers_head_without_body_and_options_with_allow)
{
    char *answer = client_request(port, "HEAD", "/ping", "", NULL);

    cr_assert_eq(client_status(answer), 200);
    cr_assert(strstr(answer, "Content-Length: "));
    cr_assert_not(strstr(answer, "{\"ok\""));
    free(answer);
    expect("OPTIONS", "/things/1", "", NULL, 204, "Allow: GET, HEAD, PATCH, OPTIONS");
    expect("DELETE", "/things/1", "", NULL, 405, "\"code\":\"method-not-allowed\"");
}

Test(net_server, keeps_the_connection_and_answers_pipelined_requests)
{
    int fd = client_connect(port);
    char *answer;

    client_puts(fd, "GET /ping HTTP/1.1\r\nHost: x\r\n\r\nGET /things/2 HTTP/1.1\r\nHost: x\r\n\r\n"
                    "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    answer = client_read(fd, NULL);
    cr_assert_eq(client_count(answer, "HTTP/1.1 200"), 3, "%s", answer);
    free(answer);
    close(fd);
}

Test(net_server, checks_bodies_against_the_table)
{
    expect("POST", "/things", JSON_TYPE, "{\"name\":\"a\"}", 201, "{\"name\":\"a\",\"length\":12}");
    expect("POST", "/things", JSON_TYPE, "{\"name\":\"a\",\"nmae\":1}", 400,
           "\"pointer\":\"/nmae\"");
    expect("POST", "/things", JSON_TYPE, "{\"name\":\"a\",\"count\":11}", 422,
           "\"pointer\":\"/count\"");
    expect("POST", "/things", JSON_TYPE, "{}", 400, "/name");
    expect("POST", "/things", "", NULL, 400, "/name");
    expect("POST", "/things", JSON_TYPE, "{\"name\":\"a\",\"name\":\"b\"}", 400, "duplicate");
    expect("POST", "/things", JSON_TYPE, "{\"name\":", 400, "line 1");
    expect("POST", "/things", JSON_TYPE, "[]", 400, "not a JSON object");
    expect("POST", "/things", JSON_TYPE, "{\"name\":\"\xff\"}", 400, "not JSON");
    expect("POST", "/start", JSON_TYPE, "{}", 201, NULL);
    expect("POST", "/start", "", NULL, 201, NULL);
    expect("POST", "/start", JSON_TYPE, "{\"x\":1}", 400, "unknown-field");
    expect("PATCH", "/things/1", "Content-Type: application/merge-patch+json\r\n",
           "{\"name\":\"p\"}", 201, NULL);
}

Test(net_server, takes_json_only)
{
    expect("POST", "/things", "Content-Type: text/plain\r\n", "{}", 415, "unsupported-media-type");
    expect("POST", "/things", "Content-Type: application/jsonx\r\n", "{}", 415, NULL);
    expect("POST", "/things", "Content-Type: application/merge-patch+json\r\n", "{}", 415, NULL);
    expect("POST", "/things", "Content-Type: application/json; charset=latin1\r\n", "{}", 415,
           NULL);
    expect("POST", "/things", "Content-Type: application/json; charset=UTF-8\r\n",
           "{\"name\":\"a\"}", 201, NULL);
    expect("POST", "/things", "", "{}", 415, "no Content-Type");
    expect("POST", "/things", JSON_TYPE "Content-Encoding: gzip\r\n", "{}", 415,
           "Content-Encoding");
    expect("GET", "/ping", JSON_TYPE, "{}", 400, "takes no body");
}

Test(net_server, limits_bodies_while_they_arrive)
{
    size_t size = 2u << 20;
    char *large = malloc(size + 1);

    memset(large, ' ', size);
    large[size] = 0;
    expect("POST", "/things", JSON_TYPE, large, 413, "too-large");
    large[101] = 0;
    expect("POST", "/small", JSON_TYPE, large, 413, "100 bytes");
    large[100] = 0;
    expect("POST", "/small", JSON_TYPE, large, 400, "not JSON");
    free(large);
}

Test(net_server, limits_chunked_bodies_too)
{
    int fd = client_connect(port);
    char chunk[4096 + 1], *answer;

    memset(chunk, ' ', 4096);
    client_puts(fd,
                "POST /things HTTP/1.1\r\nHost: x\r\n" JSON_TYPE "Transfer-Encoding: chunked\r\n"
                "Connection: close\r\n\r\n");
    for (int i = 0; i < 300; i++) {
        client_puts(fd, "1000\r\n");
        client_write(fd, chunk, 4096);
        client_puts(fd, "\r\n");
    }
    client_puts(fd, "0\r\n\r\n");
    answer = client_read(fd, NULL);
    cr_assert_eq(client_status(answer), 413, "%.300s", answer);
    free(answer);
    close(fd);
}

Test(net_server, reads_chunked_bodies)
{
    int fd = client_connect(port);
    char *answer;

    client_puts(fd, "POST /things HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                    "5\r\n{\"nam\r\n7\r\ne\":\"z\"}\r\n0\r\n\r\n");
    answer = client_read(fd, NULL);
    close(fd);
    cr_assert(strstr(answer, "\"name\":\"z\""), "%s", answer);
    free(answer);
}

Test(net_server, answers_at_once_when_the_client_asks_before_sending)
{
    int fd = client_connect(port);
    char *answer;

    client_puts(fd, "POST /small HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                    "Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n");
    answer = client_read(fd, NULL);
    cr_assert_eq(client_status(answer), 413, "%.300s", answer);
    free(answer);
    close(fd);
    fd = client_connect(port);
    client_puts(fd, "POST /things HTTP/1.1\r\nHost: x\r\n" JSON_TYPE
                    "Expect: 100-continue\r\nContent-Length: 12\r\nConnection: close\r\n\r\n");
    answer = client_read(fd, "100 Continue\r\n\r\n");
    free(answer);
    client_puts(fd, "{\"name\":\"c\"}");
    answer = client_read(fd, NULL);
    cr_assert_eq(client_status(answer), 201, "%s", answer);
    free(answer);
    close(fd);
}

static void expect_deep(size_t levels, int status, const char *part)
{
    char *open = client_repeat("{\"name\":\"a\",\"deep\":", "[", levels, "");
    char *body = client_repeat(open, "]", levels, "}");

    expect("POST", "/things", JSON_TYPE, body, status, part);
    free(open);
    free(body);
}

Test(net_server, refuses_deep_json_but_not_brackets_in_text)
{
    char *body = client_repeat("{\"name\":\"", "[\\\"", 40, "\"}");

    expect("POST", "/things", JSON_TYPE, body, 201, NULL);
    free(body);
    expect_deep(31, 201, NULL);
    expect_deep(32, 400, "deeper than 32");
}

Test(net_server, asks_who_it_is_before_it_keeps_a_body)
{
    expect("GET", "/secret", "", NULL, 401, "WWW-Authenticate: Bearer");
    expect("GET", "/secret", "Authorization: Bearer x\r\n", NULL, 200, NULL);
    expect("POST", "/secret", JSON_TYPE, "{\"nonsense\":", 401, "unauthenticated");
}

Test(net_server, makes_a_problem_of_an_error)
{
    char *answer = client_request(port, "GET", "/problem", "X-Request-Id: abc-1\r\n", NULL);

    cr_assert_eq(client_status(answer), 503);
    cr_assert(strstr(answer, "application/problem+json"));
    cr_assert(strstr(answer, "\"code\":\"provider-offline\""));
    cr_assert(strstr(answer, "\"request_id\":\"abc-1\""));
    cr_assert(strstr(answer, "\"retryable\":true"));
    cr_assert(strstr(answer, "\"native_code\":\"NoConnection\""));
    cr_assert(strstr(answer, "\"pointer\":\"/provider\""));
    cr_assert(strstr(answer, "Retry-After: "));
    cr_assert_not(strstr(answer, "ETag"));
    free(answer);
    expect("GET", "/nothing", "", NULL, 500, "\"code\":\"internal\"");
}

Test(net_server, takes_no_forged_request_id)
{
    char *answer = client_request(port, "GET", "/ping", "X-Request-Id: a b\r\n", NULL);

    cr_assert_not(strstr(answer, "X-Request-Id: a b"));
    free(answer);
}

Test(net_server, packs_large_answers_when_wanted)
{
    char *answer = client_request(port, "GET", "/big", "Accept-Encoding: br, gzip\r\n", NULL);

    cr_assert(strstr(answer, "Content-Encoding: gzip"));
    cr_assert(strstr(answer, "Vary: Accept-Encoding"));
    cr_assert_not(strstr(answer, "the same again"));
    free(answer);
    answer = client_request(port, "GET", "/big", "Accept-Encoding: gzip;q=0\r\n", NULL);
    cr_assert_not(strstr(answer, "Content-Encoding"));
    cr_assert(strstr(answer, "the same again"));
    free(answer);
    answer = client_request(port, "GET", "/ping", "Accept-Encoding: gzip\r\n", NULL);
    cr_assert_not(strstr(answer, "Content-Encoding"));
    free(answer);
}

Test(net_server, streams_piece_by_piece_and_releases)
{
    char *answer = client_request(port, "GET", "/pieces", "", NULL);
    struct net_stats stats;

    cr_assert(strstr(answer, "piece 2"), "%s", answer);
    cr_assert(strstr(answer, "piece 0"));
    free(answer);
    answer = client_request(port, "HEAD", "/pieces", "", NULL);
    cr_assert_not(strstr(answer, "piece 2"));
    free(answer);
    for (int i = 0; i < 1000 && atomic_load(&released) < 2; i++)
        clock_sleep_ms(5);
    cr_assert_eq(atomic_load(&released), 2);
    net_get_stats(net, &stats);
    cr_assert_eq(stats.requests, 2);
    cr_assert_eq(atomic_load(&finished_calls), 2);
}

Test(net_server, believes_the_proxy_it_trusts_only)
{
    static const char forwarded[] = "X-Forwarded-For: 6.6.6.6, 10.1.2.3\r\n";
    struct net_config config = { .listen = "127.0.0.1:0",
                                 .routes = routes,
                                 .trusted_proxy = "127.0.0.1" };
    struct net *behind = server_start(&config);
    char *answer = client_request(net_port(behind), "GET", "/ping", forwarded, NULL);

    cr_assert(strstr(answer, "\"address\":\"10.1.2.3\""), "%s", answer);
    free(answer);
    answer =
        client_request(net_port(behind), "GET", "/ping", "X-Forwarded-For: <script>\r\n", NULL);
    cr_assert(strstr(answer, "\"address\":\"127.0.0.1\""), "%s", answer);
    free(answer);
    net_stop(behind, 100);
    expect("GET", "/ping", forwarded, NULL, 200, "\"address\":\"127.0.0.1\"");
}
