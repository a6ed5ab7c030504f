/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpc_connection - one libcurl handle with the connection it keeps, and one
 * request at a time on it.
 *
 * Holds what is the same for every request (options, limits, callbacks) and
 * notes why a request ended, for httpc.c to name it. Threads: one at a time;
 * the pool in httpc.c hands them out.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>

#include <polyvisor/httpc.h>

#include "lib/httpc_tls.h"

#define HTTPC_HEADERS_MOST (64u * 1024)
#define HTTPC_TICK_MS 250 /* how often a waiting request asks whether it is cancelled */

/* One easy handle in a multi handle of its own, so that we decide how long it sleeps. The server's
 * connection stays in the multi handle between requests. */
struct httpc_connection {
    struct httpc_connection *next;
    const struct httpc_config *config; /* borrowed from the client */
    CURL *easy;
    CURLM *multi;
    struct httpc_peer peer; /* what the server showed in the handshake */
    char error[CURL_ERROR_SIZE];
    char local_ip[64]; /* this end of the connection that the last request went over */
    int local_port;

    /* The request under way. */
    const struct httpc_request *request;
    struct httpc_response *response;
    uint64_t received; /* body bytes after decoding */
    uint64_t activity; /* grows with every byte that arrives */
    unsigned sends;    /* times that curl was about to send */
    int body_rc;       /* what on_body answered */
    bool status_told;
    bool is_safe;      /* doing it twice does no harm: GET, HEAD, OPTIONS */
    bool is_plain;     /* http: */
    bool link_local_refused;
    bool address_refused, body_too_large, headers_too_large, no_memory, repeat_refused;
};

enum httpc_outcome { HTTPC_DONE, HTTPC_CANCELED, HTTPC_STALLED };

/* `config` and `pins` are borrowed until the connection is freed. NULL: no memory, or an option is
 * missing. */
struct httpc_connection *httpc_connection_new(const struct httpc_config *config,
                                              const uint8_t (*pins)[32]);
void httpc_connection_free(struct httpc_connection *c);
/* Let curl work on c->request, whose options are set, until it is done, cancelled or stalled. */
enum httpc_outcome httpc_connection_run(struct httpc_connection *c, unsigned stall_ms,
                                        CURLcode *code);
/* CURLOPT_READFUNCTION of a request with read_body. */
size_t httpc_read_body(char *out, size_t size, size_t count, void *arg);
bool httpc_is_cancelled(const struct httpc_config *config, const struct httpc_request *request);
