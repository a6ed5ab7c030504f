/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/net_client.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <polyvisor/str.h>

#include "server/net/sse.h"

static char folder[64], cert[128], key[128], fingerprint[65];

static enum req_result get_ping(struct req *r)
{
    buf_text(reply_body(r, 200, "text/plain"), "pong");
    return reply_send(r);
}

static pthread_t worker;

static void *finish(void *arg)
{
    struct req *r = arg;

    clock_sleep_ms(20); /* so that the connection is surely suspended */
    buf_text(reply_body(r, 200, "text/plain"), "late");
    reply_send(r);
    req_finish(r);
    return NULL;
}

static enum req_result get_later(struct req *r)
{
    cr_assert_eq(pthread_create(&worker, NULL, finish, r), 0);
    return REQ_LATER;
}

static void *publish(void *arg)
{
    struct sse_stream *s = arg;

    for (int i = 0; i < 3; i++) {
        clock_sleep_ms(20);
        sse_append(s, "data: e\n\n", 9);
    }
    sse_end(s);
    return NULL;
}

static void wants_more(void *ctx, struct sse_stream *s)
{
    int *asked = ctx;

    if ((*asked)++ == 0)
        cr_assert_eq(pthread_create(&worker, NULL, publish, s), 0);
}

/* The publisher's last word is sse_end: it is waited for before the stream goes. */
static void closed(void *ctx)
{
    (void)ctx;
    pthread_join(worker, NULL);
}

static enum req_result get_events(struct req *r)
{
    static int asked;

    return reply_sse(r, wants_more, closed, &asked, NULL);
}

static const struct route routes[] = {
    { .method = "GET", .pattern = "/ping", .permission = PERM_PUBLIC, .handler = get_ping },
    { .method = "GET", .pattern = "/later", .permission = PERM_PUBLIC, .handler = get_later },
    { .method = "GET", .pattern = "/events", .permission = PERM_PUBLIC, .handler = get_events },
    { .pattern = NULL },
};

static void setup(void)
{
    struct pv_err err = { 0 };

    str_copy(folder, sizeof(folder), "/tmp/net_tls_XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    cr_assert_eq(net_certificate(cert, key, fingerprint, &err), PV_OK, "%s", err.message);
}

static void teardown(void)
{
    char command[256];

    unlink(cert);
    unlink(key);
    snprintf(command, sizeof(command), "%s/socket", folder);
    unlink(command);
    rmdir(folder);
}

TestSuite(net_tls, .init = setup, .fini = teardown, .timeout = 60);

static struct net *start(const char *listen)
{
    struct net_config config = {
        .listen = listen, .routes = routes, .tls_cert = cert, .tls_key = key
    };

    return server_start(&config);
}

Test(net_tls, the_certificate_is_made_once_with_a_private_key_for_us_alone)
{
    struct pv_err err = { 0 };
    char again[65];
    struct stat st;

    cr_assert_eq(strlen(fingerprint), 64);
    cr_assert_eq(stat(key, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(net_certificate(cert, key, again, &err), PV_OK);
    cr_assert_str_eq(again, fingerprint);
    unlink(key);
    cr_assert_neq(net_certificate(cert, key, again, &err), PV_OK,
                  "half of a pair is never overwritten");
}

/* A GnuTLS client that takes one certificate only. */
static char *ask_for(unsigned port, const char *path, const char *priorities, bool *handshake,
                     char seen[65])
{
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    char request[128], *text = calloc(1, 65536);
    int fd = client_connect(port);
    size_t len = 0;

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
             path);
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_init(&session, GNUTLS_CLIENT);
    gnutls_priority_set_direct(session, priorities, NULL);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, fd);
    *handshake = gnutls_handshake(session) == GNUTLS_E_SUCCESS;
    if (*handshake) {
        unsigned n = 0;
        const gnutls_datum_t *list = gnutls_certificate_get_peers(session, &n);
        unsigned char hash[32];
        size_t size = sizeof(hash);

        cr_assert(list && n == 1);
        gnutls_fingerprint(GNUTLS_DIG_SHA256, list, hash, &size);
        str_hex(hash, size, seen);
        gnutls_record_send(session, request, strlen(request));
        for (;;) {
            ssize_t got = gnutls_record_recv(session, text + len, 65535 - len);

            if (got <= 0)
                break;
            len += (size_t)got;
        }
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    close(fd);
    return text;
}

static char *ask(unsigned port, const char *priorities, bool *handshake, char seen[65])
{
    return ask_for(port, "/ping", priorities, handshake, seen);
}

Test(net_tls, deferred_answers_and_event_streams_work_over_tls)
{
    struct net *n = start("127.0.0.1:0");
    bool handshake;
    char seen[65], *text = ask_for(net_port(n), "/later", "NORMAL", &handshake, seen);

    cr_assert(strstr(text, "late"), "%s", text);
    free(text);
    pthread_join(worker, NULL);
    text = ask_for(net_port(n), "/events", "NORMAL", &handshake, seen);
    cr_assert_eq(client_count(text, "data: e"), 3, "%s", text);
    free(text);
    net_stop(n, 100);
}

Test(net_tls, answers_over_tls_with_that_certificate)
{
    struct net *n = start("127.0.0.1:0");
    char seen[65] = "", *text;
    bool handshake;

    cr_assert(str_starts(net_url(n), "https://127.0.0.1:"));
    text = ask(net_port(n), "NORMAL", &handshake, seen);
    cr_assert(handshake);
    cr_assert_eq(client_status(text), 200, "%s", text);
    cr_assert(strstr(text, "Strict-Transport-Security: "));
    cr_assert_str_eq(seen, fingerprint);
    free(text);
    text = ask(net_port(n), "NORMAL:-VERS-ALL:+VERS-TLS1.2", &handshake, seen);
    cr_assert_eq(client_status(text), 200);
    free(text);
    text = ask(net_port(n), "NORMAL:-VERS-ALL:+VERS-TLS1.1", &handshake, seen);
    cr_assert_not(handshake, "TLS 1.1 is too old");
    free(text);
    net_stop(n, 100);
}

static int64_t cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (int64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

Test(net_tls, half_open_handshakes_cost_nothing)
{
    static const unsigned char half[] = { 0x16, 0x03, 0x01, 0x02, 0x00, 0x01,
                                          0x00, 0x01, 0xfc, 0x03, 0x03 };
    struct net *n = start("127.0.0.1:0");
    int64_t cpu, wall;
    int fds[100];

    for (int i = 0; i < 100; i++) {
        fds[i] = client_connect(net_port(n));
        client_write(fds[i], half, sizeof(half));
    }
    clock_sleep_ms(300);
    wall = clock_mono_ms();
    cpu = cpu_us();
    clock_sleep_ms(2000);
    cpu = cpu_us() - cpu;
    wall = (clock_mono_ms() - wall) * 1000;
    cr_assert_lt(cpu * 50, wall, "%lld us of CPU in %lld us", (long long)cpu, (long long)wall);
    for (int i = 0; i < 100; i++)
        close(fds[i]);
    net_stop(n, 100);
}

static int try_listen(const char *listen, bool tls, struct pv_err *err)
{
    struct net_config config = { .listen = listen,
                                 .routes = routes,
                                 .tls_cert = tls ? cert : NULL,
                                 .tls_key = tls ? key : NULL };
    struct net *n = NULL;
    int rc = net_start(&config, &n, err);

    if (rc == PV_OK)
        net_stop(n, 0);
    return rc;
}

Test(net_tls, says_what_is_wrong_with_an_address)
{
    static const char *const bad[] = {
        "",          "8443",   "127.0.0.1",     "127.0.0.1:x", "127.0.0.1:65536",
        "nowhere:1", "[::1:1", "unix:relative", ":1",          "127.0.0.1:-1"
    };
    struct pv_err err = { 0 };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(try_listen(bad[i], true, &err), PV_EINVAL, "%s", bad[i]);
    cr_assert_eq(try_listen("0.0.0.0:0", false, &err), PV_EINVAL, "plain HTTP for the world");
    cr_assert_eq(try_listen("0.0.0.0:0", true, &err), PV_OK);
    cr_assert_eq(try_listen("[::1]:0", false, &err), PV_OK, "%s", err.message);
    cr_assert_eq(try_listen("localhost:0", false, &err), PV_OK);
}

Test(net_tls, a_taken_port_is_an_error_with_its_name)
{
    struct net *n = start("127.0.0.1:0");
    struct pv_err err = { 0 };
    char listen[32];

    snprintf(listen, sizeof(listen), "127.0.0.1:%u", net_port(n));
    cr_assert_neq(try_listen(listen, true, &err), PV_OK);
    cr_assert(strstr(err.message, listen), "%s", err.message);
    net_stop(n, 0);
}

Test(net_tls, listens_on_a_unix_socket)
{
    struct net_config config = { .routes = routes };
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    char listen[128], *text;
    struct net *n;
    int fd;

    snprintf(to.sun_path, sizeof(to.sun_path), "%s/socket", folder);
    snprintf(listen, sizeof(listen), "unix:%s", to.sun_path);
    config.listen = listen;
    n = server_start(&config);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    client_puts(fd, "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    text = client_read(fd, NULL);
    cr_assert(strstr(text, "pong"), "%s", text);
    free(text);
    close(fd);
    net_stop(n, 0);
    cr_assert_neq(access(to.sun_path, F_OK), 0, "the socket file is removed");
}

Test(net_tls, a_wrong_key_is_an_error)
{
    struct pv_err err = { 0 };
    char other_cert[128], other_key[128], sha[65];
    struct net_config config = {
        .listen = "127.0.0.1:0", .routes = routes, .tls_cert = cert, .tls_key = other_key
    };
    struct net *n = NULL;

    snprintf(other_cert, sizeof(other_cert), "%s/c2.pem", folder);
    snprintf(other_key, sizeof(other_key), "%s/k2.pem", folder);
    cr_assert_eq(net_certificate(other_cert, other_key, sha, &err), PV_OK);
    cr_assert_str_neq(sha, fingerprint);
    cr_assert_neq(net_start(&config, &n, &err), PV_OK);
    unlink(other_cert);
    unlink(other_key);
}
