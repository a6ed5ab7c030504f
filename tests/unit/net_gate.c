/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_client.h"

#include "server/net/gate.h"

static struct net *net;

static enum req_result answer_ok(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_bool(w, "let_in", true);
    jsonw_end(w);
    return reply_send(r);
}

static const struct model_param any_body[] = { { .name = "a", .type = PARAM_JSON },
                                               { .name = NULL } };

static const struct route routes[] = {
    { .method = "GET", .pattern = "/", .permission = PERM_PUBLIC, .handler = answer_ok },
    { .method = "GET", .pattern = "/a", .permission = PERM_PUBLIC, .handler = answer_ok },
    { .method = "GET", .pattern = "/a/{x}", .permission = PERM_PUBLIC, .handler = answer_ok },
    { .method = "POST",
      .pattern = "/a",
      .permission = PERM_PUBLIC,
      .handler = answer_ok,
      .body = any_body },
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

TestSuite(net_gate, .init = setup, .fini = teardown, .timeout = 120);

#define BYTES(text)                                                                                \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define H "Host: x\r\n"
#define J "Content-Type: application/json\r\n"

static const struct {
    const char *bytes;
    size_t len;
} refused[] = {
    /* bodies whose end two readers see in different places */
    BYTES("POST /a HTTP/1.1\r\n" H J
          "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J
          "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: 2\r\ncontent-length: 3\r\n\r\n{} "),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: 2, 2\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: +2\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: -2\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: 0x2\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length: 2 \r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length:\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Content-Length : 2\r\n\r\n{}"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: identity\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.0\r\n" H J "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H "Expect: 200-maybe\r\n\r\n"),
    /* Host */
    BYTES("GET /a HTTP/1.1\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H H "\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost:\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost : x\r\n\r\n"),
    /* header lines */
    BYTES("GET /a HTTP/1.1\r\n" H "A B: c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A\tB: c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H ": c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "no colon\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A(B): c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A\x01: c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: c\x01\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: c\x7f\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: b\0c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A\0: c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost: x\0y\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "\0A: c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "\0\0A: c\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: c\r\n folded\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: c\r\n\tfolded\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: c\rB: d\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "A: c\nB: d\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\n" H "\r\n"),
    BYTES("GET /a HTTP/1.1\r\nHost: x\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "\n"
          "GET /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a HTTP/1.1\r\n Host: x\r\n\r\n"),
    BYTES("GET /a HTTP/1.1\r\n" H "Authorization: a\r\nAuthorization: b\r\n\r\n"),
    BYTES("POST /a HTTP/1.1\r\n" H J J "Content-Length: 2\r\n\r\n{}"),
    /* request lines */
    BYTES("get /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("Get /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("BREW /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("TRACE /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("CONNECT x:1 HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET  /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a  HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET\0 /a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a\0b HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a HTTP/1.2\r\n" H "\r\n"),
    BYTES("GET /a http/1.1\r\n" H "\r\n"),
    BYTES("GET /a HTTP/1.1x\r\n" H "\r\n"),
    BYTES("GET a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET http://x/a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET * HTTP/1.1\r\n" H "\r\n"),
    /* paths that are not in their normal form */
    BYTES("GET /../a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/.. HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/./b HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%2e%2e HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/.%2E/b HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET //a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a//b HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/b%2fc HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/b%2Fc HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/b%5cc HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/b\\c HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%00 HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%0a HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%7f HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%4 HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%4?1 HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/%zz HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/b#c HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a/\xff HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a?b\x01 HTTP/1.1\r\n" H "\r\n"),
    BYTES("GET /a?b%4 HTTP/1.1\r\n" H "\r\n"),
};

/* Each is followed by a good request: whoever answers that one too has read the first wrongly. */
Test(net_gate, every_malformed_request_is_answered_400_and_closed)
{
    static const char second[] = "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char bytes[1024], *answer;

        memcpy(bytes, refused[i].bytes, refused[i].len);
        memcpy(bytes + refused[i].len, second, sizeof(second) - 1);
        answer = client_ask(net_port(net), bytes, refused[i].len + sizeof(second) - 1);
        cr_expect_eq(client_status(answer), 400, "request %zu: %s -> %.200s", i, refused[i].bytes,
                     answer);
        /* The library itself writes the head of its own 400 twice (a wrong Content-Length), then
         * closes. */
        cr_expect_eq(client_count(answer, "HTTP/1.1 "), client_count(answer, "HTTP/1.1 400"),
                     "request %zu: %s", i, answer);
        cr_expect(strstr(answer, "Connection: close"), "request %zu", i);
        cr_expect_not(strstr(answer, "let_in"), "request %zu: %s", i, refused[i].bytes);
        free(answer);
    }
}

static const char *const accepted[] = {
    "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
    "GET /a HTTP/1.0\r\n\r\n",
    "GET /a?x={a,b}|c\"&y=/../%2e HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
    "GET /a/%20..b HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
    "GET /a/... HTTP/1.1\r\nHost: [::1]:8443\r\nConnection: close\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost:x\r\nA:\r\nB: \t c \r\nC: \xe4\r\nConnection: close\r\n\r\n",
    "\r\nGET /a HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
    "POST /a HTTP/1.1\r\n" H J "Content-Length: 2\r\nConnection: close\r\n\r\n{}",
    "POST /a HTTP/1.1\r\n" H J
    "Transfer-Encoding: Chunked\r\nConnection: close\r\n\r\n2;x=y\r\n{}\r\n0\r\nA: b\r\n\r\n",
};

Test(net_gate, what_is_well_formed_is_let_in)
{
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
        char *answer = client_ask(net_port(net), accepted[i], strlen(accepted[i]));

        cr_expect(strstr(answer, "let_in"), "request %zu: %s -> %s", i, accepted[i], answer);
        free(answer);
    }
}

Test(net_gate, a_request_cut_into_single_bytes_is_the_same_request)
{
    const char *text = accepted[8];
    int fd = client_connect(net_port(net));
    char *answer;

    for (size_t i = 0; i < strlen(text); i++)
        client_write(fd, text + i, 1);
    answer = client_read(fd, NULL);
    cr_assert(strstr(answer, "let_in"), "%s", answer);
    free(answer);
    close(fd);
}

static void expect_status(char *request, int status)
{
    char *answer = client_ask(net_port(net), request, strlen(request));

    cr_assert_eq(client_status(answer), status, "%.100s", answer);
    free(answer);
    free(request);
}

Test(net_gate, long_addresses_and_heads_are_refused)
{
    expect_status(client_repeat("GET /a?", "x", 9000, " HTTP/1.1\r\n" H "\r\n"), 414);
    expect_status(client_repeat("GET /a HTTP/1.1\r\n" H "A: ", "x", 20000, "\r\n\r\n"), 431);
    expect_status(client_repeat("GET /a HTTP/1.1\r\n" H, "A: b\r\n", 80, "\r\n"), 400);
}

Test(net_gate, decodes_only_text)
{
    char out[32];
    size_t len;

    cr_assert(gate_decode("a%20b+c", 7, true, out, &len));
    cr_assert_str_eq(out, "a b c");
    cr_assert(gate_decode("a+c", 3, false, out, &len));
    cr_assert_str_eq(out, "a+c");
    cr_assert_not(gate_decode("%", 1, false, out, &len));
    cr_assert_not(gate_decode("%1", 2, false, out, &len));
    cr_assert_not(gate_decode("%00", 3, true, out, &len));
    cr_assert_not(gate_decode("%c3", 3, true, out, &len));
    cr_assert_not(gate_decode("%ed%a0%80", 9, true, out, &len), "a surrogate");
}
