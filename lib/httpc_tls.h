/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpc_tls - what httpc looks at in a TLS handshake.
 *
 * The check runs inside the handshake (OpenSSL's verify callback), so a pin
 * that does not match ends it before a byte of the request, and so any
 * credential, has left. Threads: a peer belongs to one connection.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/httpc.h>

struct httpc_peer {
    enum httpc_tls mode;
    const uint8_t (*pins)[32]; /* borrowed; npins of them, for HTTPC_TLS_PIN */
    size_t npins;
    bool seen;       /* the server has shown a certificate */
    bool refused;    /* and it is not acceptable */
    char sha256[65]; /* of the DER leaf */
    uint8_t binding[64]; /* its hash as RFC 5929 wants it for tls-server-end-point */
    size_t binding_len;  /* 0: there is none */
    struct httpc_certificate shown; /* `trusted` and `problem` are not filled */
};

/* Have the connections made with `ssl_ctx` (an SSL_CTX of OpenSSL) checked for `peer`, which must
 * outlive it. */
void httpc_peer_watch(void *ssl_ctx, struct httpc_peer *peer);
