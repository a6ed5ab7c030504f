/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside - what the files of net share; nobody else includes it.
 *
 * A struct request carries the public struct req and everything about its
 * answer. It is taken from net's pool when the request line is read and goes
 * back when the library reports the request complete. Lock order: net->lock or
 * a stream's lock first, then the HTTP library's own; no callback of the
 * application runs under either.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include <polyvisor/buf.h>

#include "server/net/assets.h"
#include "server/net/gate.h"
#include "server/net/router.h"
#include "server/net/routes.h"
#include "server/net/sse.h"

#define NET_MAX_QUERY 64 /* parameters */
#define NET_MAX_ANSWER (64u * 1024 * 1024)
#define NET_MAX_DRAIN (16u * 1024 * 1024) /* of a refused body, before the connection is cut */
#define NET_DEFAULT_BODY (1024u * 1024)
#define NET_POOL_SIZE 128
#define NET_GZIP_MIN 1024

struct field {
    struct field *next;
    const char *name, *value;
};

enum answer_kind { ANSWERED_NOT, ANSWERED_BODY, ANSWERED_STILL, ANSWERED_STREAM, ANSWERED_SSE, ANSWERED_PIPE };

enum stage { STAGE_HEAD, STAGE_BODY, STAGE_WAIT, STAGE_SENT };

/* Of a deferred request, in r->later. */
enum later {
    LATER_NO,
    LATER_SUSPENDED, /* net waits for req_finish */
    LATER_FINISHED,  /* req_finish was called */
    LATER_ABANDONED, /* net stopped waiting; req_finish frees the request */
};

struct sse_stream {
    pthread_mutex_t lock;
    struct MHD_Connection *connection;
    struct buf ring;             /* guarded by lock: bytes from `sent` on are to be sent */
    size_t sent;                 /* guarded by lock */
    bool suspended, ended, news; /* guarded by lock; news: wants_more is to run before suspending */
    int64_t last_ms;             /* guarded by lock: when something was last appended */
    void (*wants_more)(void *ctx, struct sse_stream *s);
    void (*closed)(void *ctx);
    void *ctx;
    struct net *net;
    bool listed;                     /* in net->streams; of net's thread alone */
    struct sse_stream *next, **link; /* guarded by net->streams_lock */
};

struct stream {
    int (*next)(void *ctx, struct buf *out);
    void (*release)(void *ctx);
    void *ctx;
    struct buf pending;
    size_t sent;
};

struct request {
    struct req pub; /* first: the two are cast into each other */
    struct net *net;
    struct MHD_Connection *connection;
    enum stage stage;
    int64_t started_ns;
    char id[65]; /* request id */
    char address[64];

    /* what came */
    const char *raw_target; /* in the library's buffer; compared, never read after parsing */
    const char *target;     /* copy */
    size_t target_len;
    const struct gate_header *headers; /* arena */
    size_t nheaders;
    struct gate_verdict verdict;
    struct route_match match;
    struct query_word {
        const char *name, *value;
    } * query; /* arena */
    size_t nquery;
    struct buf body;
    uint64_t drained;
    bool refused; /* the answer is known; what still arrives is dropped */
    bool has_body;
    unsigned depth; /* of JSON nesting so far */
    bool in_string, escaped, is_json;

    /* the answer */
    enum answer_kind answered;
    bool complete;
    bool close;
    int status;
    const char *content_type;
    struct field *fields, **fields_end;
    struct buf out, packed;
    const char *still; /* ANSWERED_STILL: what lives as long as net */
    size_t still_len;
    struct jsonw writer;
    struct stream stream;
    struct sse_stream *sse;
    struct pipe_body *pipe;

    _Atomic int later;            /* enum later */
    _Atomic int owners;           /* of an abandoned one */
    struct request *next, **link; /* pool, or net->deferred: guarded by net->lock */
};

struct net {
    struct net_config config;
    struct MHD_Daemon *daemon;
    struct routes *routes;
    struct assets *assets; /* the browser page; NULL: none is installed */
    int listen_fd;
    unsigned port;
    bool tls, loopback;
    char url[300];
    char unix_path[108];
    char id_prefix[13];
    atomic_uint_fast64_t next_id;

    pthread_mutex_t lock;
    pthread_cond_t idle;      /* active became 0 while stopping */
    struct request *pool;     /* guarded by lock */
    size_t pooled;            /* guarded by lock */
    size_t active;            /* guarded by lock: requests under way */
    struct request *deferred; /* guarded by lock */
    bool abandoning;          /* guarded by lock: nothing is suspended any more */
    atomic_bool stopping;

    pthread_mutex_t streams_lock;
    struct sse_stream *streams; /* guarded by streams_lock */
    pthread_t ticker;
    bool ticking;
    pthread_cond_t tick; /* with streams_lock: wakes the ticker to end */

    pthread_mutex_t watch_lock; /* a leaf */
    struct watch *watches;      /* guarded by watch_lock */
    bool watches_over;          /* guarded by watch_lock */
    int watch_fd, watch_wake;   /* epoll, and what ends the thread */
    pthread_t watcher;
    bool watching;

    pthread_mutex_t gzip_lock;
    struct libdeflate_compressor *gzip;

    atomic_uint_fast64_t requests, bytes_out, problems_4xx, problems_5xx;
    atomic_uint connections, nstreams;
};

static inline struct request *request_of(const struct req *r)
{
    return (struct request *)r;
}

/* request.c */
struct request *request_take(struct net *n);
void request_give(struct request *r);
/* For one that no longer belongs to a net. */
void request_destroy(struct request *r);
/* Cuts r->pub.query into pieces; false with *err. */
bool request_parse_query(struct request *r, struct pv_err *err);
void request_identify(struct request *r, struct MHD_Connection *connection);

/* body.c */
/* Looks at the head: may there be a body, of what type and size? Otherwise the request is refused
 * with an answer. */
int body_begin(struct request *r, struct pv_err *err);
/* False: so much more came than may that the connection is to be cut. */
bool body_take(struct request *r, const char *data, size_t len);
/* Everything came: parse and check. */
int body_end(struct request *r, struct pv_err *err);

/* reply.c */
/* Hands the answer to the library. */
enum MHD_Result reply_queue(struct request *r);
bool reply_has(const struct request *r, const char *name);

/* An answer whose body stays where it is as long as net lives. */
void reply_still(struct req *r, int status, const char *content_type, const char *data, size_t len);

/* gzip.c */
/* RFC 9110, 12.5.3: is this coding ("gzip") among those the client takes? */
bool encoding_accepted(const struct req *r, const char *coding);
bool gzip_wanted(const struct request *r);
/* Packs r->out into r->packed; false: it was not worth it. */
bool gzip_pack(struct request *r);

/* stream.c */
struct MHD_Response *stream_response(struct request *r);
void stream_release(struct request *r);

/* pipe.c */
struct MHD_Response *pipe_response(struct request *r);
void pipe_release(struct request *r);
int pipe_start(struct net *n, struct pv_err *err);
void pipe_stop(struct net *n);

/* sse.c */
struct MHD_Response *sse_response(struct request *r);
void sse_release(struct request *r);
int sse_start_ticker(struct net *n, struct pv_err *err);
void sse_stop(struct net *n);
/* Comment lines to streams that had nothing for 15 s as of now_ms. */
void sse_tick(struct net *n, int64_t now_ms);

/* router.c: what the library calls. */
enum MHD_Result router_handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *len, void **context);
void *router_begin(void *cls, const char *target, struct MHD_Connection *connection);
void router_completed(void *cls, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode why);
/* Answers what is still deferred with 503. */
void router_abandon(struct net *n);

/* listen.c */
int listen_open(const char *text, bool tls, struct net *n, struct pv_err *err);
