/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_client - a server with a few routes, and a client that sends bytes as they are.
 *
 * For the tests of net only. Everything is local to the test's process; ports
 * come from the kernel.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "server/net/router.h"

#define CLIENT_MAX (1u << 20)
#define CLIENT_WAIT_MS 20000 /* only ever reached by a failing test */

static inline int client_connect(unsigned port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
    return fd;
}

static inline void client_write(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n <= 0)
            return; /* the server may have closed already, which the test then sees */
        at += n;
        len -= (size_t)n;
    }
}

static inline void client_puts(int fd, const char *text)
{
    client_write(fd, text, strlen(text));
}

/* Reads until the server closes, or until `enough` is seen (NULL: only the end counts). Text ends
 * with NUL. */
static inline char *client_read(int fd, const char *enough)
{
    char *text = calloc(1, CLIENT_MAX);
    size_t len = 0;

    cr_assert(text);
    for (;;) {
        struct pollfd p = { fd, POLLIN, 0 };
        ssize_t n;

        if (enough && strstr(text, enough))
            return text;
        cr_assert(poll(&p, 1, CLIENT_WAIT_MS) == 1, "no answer; so far: %s", text);
        n = recv(fd, text + len, CLIENT_MAX - 1 - len, 0);
        if (n <= 0)
            return text;
        len += (size_t)n;
    }
}

/* One connection: send, read until the server closes it. The caller frees. */
static inline char *client_ask(unsigned port, const void *data, size_t len)
{
    int fd = client_connect(port);
    char *answer;

    client_write(fd, data, len);
    answer = client_read(fd, NULL);
    close(fd);
    return answer;
}

/* A whole request with "Connection: close". */
static inline char *client_request(unsigned port, const char *method, const char *target,
                                   const char *headers, const char *body)
{
    char *text = NULL, *answer;
    int len;

    if (body)
        len = asprintf(
            &text,
            "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
            method, target, headers, strlen(body), body);
    else
        len = asprintf(&text, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n", method,
                       target, headers);
    cr_assert(len > 0);
    answer = client_ask(port, text, (size_t)len);
    free(text);
    return answer;
}

static inline int client_status(const char *answer)
{
    int status = 0;

    return sscanf(answer, "HTTP/1.1 %d", &status) == 1 ? status : 0;
}

static inline size_t client_count(const char *text, const char *what)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

/* start, `times` times middle, end; owned by the caller. */
static inline char *client_repeat(const char *start, const char *middle, size_t times,
                                  const char *end)
{
    struct buf text;

    buf_init(&text, CLIENT_MAX * 4);
    buf_text(&text, start);
    for (size_t i = 0; i < times; i++)
        buf_text(&text, middle);
    buf_text(&text, end);
    return buf_take(&text);
}

static inline struct net *server_start(const struct net_config *config)
{
    struct pv_err err = { 0 };
    struct net *n = NULL;
    int rc = net_start(config, &n, &err);

    cr_assert(rc == PV_OK, "%s", err.message);
    return n;
}
