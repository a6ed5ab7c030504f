/* SPDX-License-Identifier: Apache-2.0 */
/*
 * https_server - a server in a thread of the test, for what an HTTP client has to bear.
 *
 * Made with a fresh key and a certificate for 127.0.0.1 and localhost, or
 * plain. Each connection has its own thread, which hands every request that
 * arrived in full to the test's function; what that writes goes out as it is,
 * and false closes the connection. test_server_stop cuts them all and joins.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <polyvisor/str.h>

#define TEST_REQUEST_MOST (4u << 20)

struct test_server;

struct test_request {
    struct test_server *server;
    SSL *ssl;
    int fd;
    unsigned nth;     /* request of this connection, from 0 */
    const char *head; /* request line and headers */
    const char *path; /* ends at a space */
    const char *body;
    size_t body_len;
};

struct test_server {
    bool (*answer)(struct test_request *r);
    SSL_CTX *ctx; /* NULL: plain */
    int fd;
    unsigned port;
    char url[64]; /* without a slash at its end */
    char *pem;    /* the certificate */
    char sha256[65];
    _Atomic unsigned connections, handshakes, requests;
    _Atomic unsigned short_answers;
    pthread_t acceptor;
    struct test_connection *first; /* the acceptor's until it is joined */
};

struct test_connection {
    struct test_connection *next;
    struct test_server *server;
    pthread_t thread;
    int fd; /* closed when the thread is joined */
};

static inline void test_send(const struct test_request *r, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = r->ssl ? SSL_write(r->ssl, at, len > 16384 ? 16384 : (int)len)
                           : send(r->fd, at, len, MSG_NOSIGNAL);

        if (n <= 0) {
            atomic_fetch_add(&r->server->short_answers, 1);
            return;
        }
        at += n;
        len -= (size_t)n;
    }
}

static inline void test_reply(const struct test_request *r, const char *text)
{
    test_send(r, text, strlen(text));
}

/* Status 200 with this body. */
static inline void test_reply_body(const struct test_request *r, const char *headers,
                                   const void *body, size_t len)
{
    char head[512];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", headers, len);
    test_reply(r, head);
    test_send(r, body, len);
}

static inline bool test_path_is(const struct test_request *r, const char *path)
{
    size_t len = strlen(path);

    return strncmp(r->path, path, len) == 0 && r->path[len] == ' ';
}

/* Until the other side has gone. */
static inline void test_wait_for_close(const struct test_request *r)
{
    char c;

    while ((r->ssl ? SSL_read(r->ssl, &c, 1) : (int)recv(r->fd, &c, 1, 0)) > 0)
        ;
}

static inline bool test_read_request(struct test_request *r, char *data)
{
    size_t have = 0, want = 0;

    for (;;) {
        char *end;
        int n = r->ssl ? SSL_read(r->ssl, data + have, (int)(TEST_REQUEST_MOST - have))
                       : (int)recv(r->fd, data + have, TEST_REQUEST_MOST - have, 0);

        if (n <= 0)
            return false;
        have += (size_t)n;
        data[have] = '\0';
        end = strstr(data, "\r\n\r\n");
        if (end && !want) {
            const char *length = strcasestr(data, "\r\nContent-Length:");

            r->body = end + 4;
            want = (size_t)(r->body - data);
            if (length && length < end)
                want += (size_t)strtoul(length + 17, NULL, 10);
        }
        if (end && have >= want) {
            r->head = data;
            r->path = strchr(data, ' ') + 1;
            r->body_len = have - (size_t)(r->body - data);
            return true;
        }
    }
}

static inline void *test_serve(void *arg)
{
    struct test_connection *c = arg;
    struct test_request r = { .server = c->server, .fd = c->fd };
    char *data = malloc(TEST_REQUEST_MOST + 1);
    bool shaken = true;

    if (c->server->ctx) {
        r.ssl = SSL_new(c->server->ctx);
        SSL_set_fd(r.ssl, c->fd);
        shaken = SSL_accept(r.ssl) == 1;
    }
    if (shaken) {
        atomic_fetch_add(&c->server->handshakes, 1);
        while (test_read_request(&r, data)) {
            atomic_fetch_add(&c->server->requests, 1);
            if (!c->server->answer(&r))
                break;
            r.nth++;
        }
    }
    SSL_free(r.ssl);
    shutdown(c->fd, SHUT_RDWR);
    free(data);
    return NULL;
}

static inline void *test_accept(void *arg)
{
    struct test_server *s = arg;

    for (;;) {
        int fd = accept(s->fd, NULL, NULL);
        struct test_connection *c;

        if (fd < 0)
            return NULL;
        atomic_fetch_add(&s->connections, 1);
        c = malloc(sizeof(*c));
        c->server = s;
        c->fd = fd;
        c->next = s->first;
        if (pthread_create(&c->thread, NULL, test_serve, c) != 0)
            abort();
        s->first = c;
    }
}

/* `key` is taken. */
static inline void test_make_certificate(struct test_server *s, EVP_PKEY *key, const EVP_MD *hash)
{
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost");
    BIO *bio = BIO_new(BIO_s_mem());
    uint8_t digest[32];
    unsigned len = 0;
    char *text;
    long n;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                               (const unsigned char *)"Pr\xc3\xbc"
                                                      "fling",
                               -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    X509_add_ext(cert, names, -1);
    if (!key || !X509_sign(cert, key, hash)) {
        ERR_print_errors_fp(stderr);
        abort();
    }
    X509_digest(cert, EVP_sha256(), digest, &len);
    str_hex(digest, sizeof(digest), s->sha256);
    PEM_write_bio_X509(bio, cert);
    n = BIO_get_mem_data(bio, &text);
    s->pem = strndup(text, (size_t)n);
    s->ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(s->ctx, cert);
    SSL_CTX_use_PrivateKey(s->ctx, key);
    X509_EXTENSION_free(names);
    BIO_free(bio);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static inline void test_server_start(struct test_server *s, bool (*answer)(struct test_request *),
                                     bool with_tls)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof(address);

    memset(s, 0, sizeof(*s));
    signal(SIGPIPE, SIG_IGN);
    s->answer = answer;
    if (with_tls)
        test_make_certificate(s, EVP_EC_gen("P-256"), EVP_sha256());
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(s->fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(s->fd, 64) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&address, &len) < 0)
        abort();
    s->port = ntohs(address.sin_port);
    snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%u", with_tls ? "https" : "http", s->port);
    if (pthread_create(&s->acceptor, NULL, test_accept, s) != 0)
        abort();
}

/* Another certificate, before anybody has connected. */
static inline void test_server_show(struct test_server *s, EVP_PKEY *key, const EVP_MD *hash)
{
    SSL_CTX_free(s->ctx);
    free(s->pem);
    test_make_certificate(s, key, hash);
}

static inline void test_server_stop(struct test_server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->fd);
    while (s->first) {
        struct test_connection *c = s->first;

        shutdown(c->fd, SHUT_RDWR);
        pthread_join(c->thread, NULL);
        close(c->fd);
        s->first = c->next;
        free(c);
    }
    SSL_CTX_free(s->ctx);
    free(s->pem);
}
