/* SPDX-License-Identifier: Apache-2.0 */
/*
 * httpc - HTTPS client for drivers and the command line, on libcurl.
 *
 * One client per provider: it owns a pool of connections and the rules that
 * hold for all its requests (trust, limits, time-outs). A client may be used
 * by several threads at once; each request runs on the calling thread with a
 * connection from the pool. Redirects are followed only within the same
 * origin, and never for writes. Nothing of a request or an answer is logged.
 *
 * Certificate modes (design: "TLS to providers"):
 *   CA       the system's authorities, or ca_pem alone when given
 *   PIN      SHA-256 of the DER leaf certificate is one of `pins`; nothing else counts
 *   INSECURE nothing is checked
 * A refused certificate is PV_ECERT; err->native_code then holds "sha256:<hex>" of what the server showed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/buf.h>

struct pv_err;
struct httpc;

enum httpc_tls { HTTPC_TLS_CA, HTTPC_TLS_PIN, HTTPC_TLS_INSECURE };

struct httpc_config {
    enum httpc_tls tls;
    const char *ca_pem;             /* NULL: the system's authorities */
    const char *const *pins;        /* npins texts of 64 lower-case hex digits */
    size_t npins;
    bool allow_http;                /* plain http; only loopback addresses are ever reached by it */
    bool http_anywhere;             /* with allow_http: beyond loopback, too. For messages that are encrypted themselves */
    bool no_link_local;             /* addresses that outgoing.h refuses are never reached */
    const char *client_cert_pem;    /* TLS client certificate (chain), NULL: none */
    const char *client_key_pem;     /* and its private key */
    unsigned max_connections;       /* 0: 8; a request waits for a free one */
    unsigned connect_timeout_ms;    /* 0: 10,000 */
    unsigned timeout_ms;            /* whole request, 0: 60,000 */
    unsigned stall_timeout_ms;      /* no byte for that long, 0: 30,000 */
    unsigned idle_s;                /* a kept connection is used again within that time, 0: 30 */
    uint64_t max_response;          /* bytes of a body, 0: 256 MiB */
    const char *user_agent;         /* NULL: "polyvisor" */
    /* Asked while waiting, about 4 times a second; true ends the request with PV_ECANCELED. */
    bool (*cancelled)(void *ctx);
    void *ctx;
};

struct httpc_request {
    const char *method;             /* "GET", "POST" ... */
    const char *url;
    const char *const *headers;     /* "Name: value", nheaders of them */
    size_t nheaders;
    const void *body;               /* NULL: none */
    size_t body_len;
    bool reads_only;                /* a POST that changes nothing (SOAP): may be sent again, like a GET */
    bool same_connection;           /* only over the connection of the request before (max_connections is 1): if that
                                       has ended nothing is sent, PV_EIO */
    unsigned timeout_ms;            /* 0: the client's */
    unsigned stall_timeout_ms;      /* 0: the client's */
    /* Body bytes as they come; nonzero stops with that rc. NULL: they are kept in response.body. */
    int (*on_body)(void *ctx, const void *data, size_t len);
    /* The status, before the first byte of the body that comes with it; nonzero stops with that rc. */
    int (*on_status)(void *ctx, long status);
    /* Bytes of a body that is not in memory: 1 to cap, or an rc that ends the request. body_len says how many there are.
     * The server is asked whether it wants them first; they are never sent twice. */
    int64_t (*read_body)(void *ctx, void *buf, size_t cap);
    void *ctx;
    bool as_is;                     /* the body is not packed on the way; it may be of any size (with on_body) */
    bool (*cancelled)(void *ctx);   /* beside the client's */
};

struct httpc_response {
    long status;
    struct buf body;                /* owned; httpc_response_free */
    struct buf headers;             /* "Name: value\n"... of the last answer */
    bool sent;                      /* the request (or part of it) reached the wire before a failure */
    bool connected;                 /* it went over a new connection */
    bool ended;                     /* same_connection, and that has ended: a write was not sent, a read without effect */
    /* The TLS channel binding tls-server-end-point of that connection (RFC 5929): its certificate's hash. 0 bytes: not a
     * new connection, no TLS, or a kind of certificate that has none. */
    uint8_t peer_binding[64];
    size_t peer_binding_len;
};

/* `config` and what it points at is copied. */
int httpc_new(const struct httpc_config *config, struct httpc **out, struct pv_err *err);
void httpc_free(struct httpc *c);
/* PV_OK whatever the HTTP status. PV_EOFFLINE: no connection (name, refused, unreachable, silent host);
 * PV_ETIMEOUT; PV_ECERT; PV_EIO: broken or oversize answer; PV_EUNKNOWN: cut off or out of time after a request
 * other than GET, HEAD, OPTIONS or reads_only was sent; such a request is never sent twice, reads may be. PV_ECANCELED;
 * PV_EINVAL: a URL, header or scheme that is not acceptable. `response` is to be freed in every case. */
int httpc_send(struct httpc *c, const struct httpc_request *request, struct httpc_response *response,
               struct pv_err *err);
void httpc_response_free(struct httpc_response *r);
/* Value of a response header (case does not matter) copied to `out`; false if it is not there or too long. */
bool httpc_header(const struct httpc_response *r, const char *name, char *out, size_t cap);

/* What a server shows when asked: for probe and first trust. */
struct httpc_certificate {
    char sha256[65];                /* of the DER leaf, lower-case hex */
    char subject[256], issuer[256];
    int64_t not_before_ms, not_after_ms;
    bool trusted;                   /* the system's authorities and the host name accept it */
    char problem[160];              /* why not */
};
/* Connects by TLS, checks nothing, closes. */
int httpc_certificate(const char *host, unsigned port, unsigned timeout_ms,
                      struct httpc_certificate *out, struct pv_err *err);
/* The same of a certificate as PEM or DER; `trusted` and `problem` stay empty. */
int httpc_certificate_read(const void *data, size_t len, struct httpc_certificate *out, struct pv_err *err);
/* What the server showed on the newest connection of the client; false: none was made by TLS. */
bool httpc_peer(struct httpc *c, struct httpc_certificate *out);
/* Once per program before threads start, and at its end. */
int httpc_global_init(struct pv_err *err);
void httpc_global_cleanup(void);
