/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router - one HTTP request and its answer, and the table that says who handles it.
 *
 * net knows HTTP and nothing of VMs. The application gives it a table of
 * routes and an `authorise` function; for each request net runs the gate
 * (gate.h), finds the route, reads the body (bounded, checked while it
 * arrives), lets the application authorise, then calls the handler.
 *
 * A handler answers at once (reply_*; return REQ_DONE), or says REQ_LATER and
 * has somebody call req_finish() from any thread once the answer is filled
 * in; the connection is suspended meanwhile. A handler never blocks on a
 * provider. Everything in the request's arena lives until the answer is sent.
 *
 * Threads: a struct req belongs to the thread that works on it: net's until
 * REQ_LATER, then the one that calls req_finish.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/model.h>
#include <polyvisor/problem.h>

struct access;
struct arena;
struct req;
struct sse_hub;

enum req_result { REQ_DONE, REQ_LATER };

/* What a route answers with; OpenAPI is written from it. */
enum answer {
    ANSWER_JSON,        /* a document of its own: .schema names it */
    ANSWER_OBJECT,      /* one object of .kind */
    ANSWER_LIST,        /* a page of objects of .kind: all conventions of collections */
    ANSWER_TASK,        /* 202 and a task (200 with Prefer: wait or dry_run) */
    ANSWER_NONE,        /* 204 */
    ANSWER_TEXT,        /* text/plain */
    ANSWER_STREAM,      /* text/event-stream */
    ANSWER_IMAGE,       /* image/png */
    ANSWER_FILE,        /* application/octet-stream */
};

enum route_flag {
    ROUTE_CREATES = 1,      /* 201 with Location */
    ROUTE_IDEMPOTENT = 2,   /* takes Idempotency-Key */
    ROUTE_IF_MATCH = 4,     /* takes If-Match */
    ROUTE_DRY_RUN = 8,      /* takes dry_run */
    ROUTE_LIVE = 16,        /* asks the provider while the client waits (x-live) */
    ROUTE_ETAG = 32,        /* answers ETag, takes If-None-Match */
    ROUTE_NO_AUDIT = 64,    /* an unsafe method that changes nothing */
    ROUTE_MERGE_PATCH = 128, /* takes application/merge-patch+json too */
    ROUTE_PLACED = 512,     /* makes something in a place, and asks itself whether the caller may there */
    ROUTE_AUDIT = 1024,     /* recorded although it changes nothing */
    ROUTE_BYTES = 4096,     /* takes a body of application/octet-stream as it is: body, body_len */
    ROUTE_RANGE = 2048,     /* takes Range and If-Range, answers ETag */
    ROUTE_PAGE = 256,       /* no part of the API: not in its description */
};

struct route {
    const char *method;             /* "GET" ...; HEAD and OPTIONS follow by themselves */
    const char *pattern;            /* "/api/v1/vms/{id}"; {name} matches one path segment; at its end {...} matches all
                                     * that is below and that no literal segment beside it begins */
    int permission;                 /* enum pv_permission, PERM_PUBLIC: no sign-in */
    enum req_result (*handler)(struct req *r);
    enum answer answer;
    uint32_t flags;                 /* ROUTE_* */
    const struct model_kind *kind;  /* what it is about, where it is about a kind */
    const struct model_operation *operation;
    const struct model_param *query; /* parameters of the query besides those `answer` and `flags` imply */
    const struct model_param *body; /* members of the JSON body; NULL: no body is taken */
    const char *schema;             /* ANSWER_JSON: name of a schema in api/schemas */
    const char *statuses;           /* further statuses it may answer with: "403 409 422" */
    const char *doc;                /* one sentence */
    size_t max_body;                /* 0: 1 MiB */
};

/* Who asks. Filled in by `authorise`. */
struct caller {
    enum pv_actor_type type;
    struct pv_id id;                /* user's or token's */
    struct pv_id user;              /* the user, also behind a token */
    char name[129];
    struct access *access;          /* what the caller may; the application's */
    bool denied;                    /* refused because of rights, whatever the status says */
    bool limited;                   /* a token that may less than its owner */
    bool by_cookie;
    uint8_t login_hash[32];         /* by_cookie: which login */
};

struct req {
    const char *method, *path;      /* normalised by the gate */
    const char *query;              /* raw, without '?'; "" if none */
    const struct route *route;
    const char *request_id;         /* the caller's if acceptable, else ours */
    const char *address;            /* the client's; behind a trusted proxy the forwarded one */
    struct arena *arena;
    const char *body;               /* NULL: none */
    size_t body_len;
    json_t *json;                   /* the body, checked against route->body; borrowed; NULL if there is none */
    struct caller caller;
    void *app;                      /* router_config.app */
    void *handler_data;             /* a REQ_LATER handler's own */
    const char *made;               /* path of the object that a handler made, for the audit; or NULL */
    bool recorded;                  /* what it did is in the audit already */
    const char *problem_more;       /* JSON members ("a":1,"b":2) that a problem answer gets, or NULL */
};

/* Path parameter "{id}"; never NULL for a name in the pattern. */
const char *req_param(const struct req *r, const char *name);
/* Decoded value of the first query parameter of that name, or NULL. */
const char *req_query(const struct req *r, const char *name);
/* All of them in order: calls each(name, value). */
void req_query_each(const struct req *r, void (*each)(void *ctx, const char *name, const char *value), void *ctx);
/* Header by name, any case, or NULL. */
const char *req_header(const struct req *r, const char *name);
const char *req_cookie(const struct req *r, const char *name);

/* Start the JSON answer; the writer belongs to the request. */
struct jsonw *reply_json(struct req *r, int status);
/* Start any other answer; append to the buffer. */
struct buf *reply_body(struct req *r, int status, const char *content_type);
/* Value is copied. Control bytes are refused by assertion: values are ours. */
void reply_header(struct req *r, const char *name, const char *value);
void reply_headerf(struct req *r, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The answer is complete. Always REQ_DONE, so that handlers can `return reply_send(r)`. */
enum req_result reply_send(struct req *r);
/* No body: 204, 304. */
enum req_result reply_empty(struct req *r, int status);
/* application/problem+json from an error (RFC 9457): type, title, status, code, detail, instance, request_id, remedy,
 * retryable, errors[{pointer, code, detail}], provider{...}. Adds Retry-After where the status wants it. */
enum req_result reply_problem(struct req *r, const struct pv_err *err);
/* The same with members of the caller's: write them, then jsonw_end and reply_send. */
struct jsonw *reply_problem_open(struct req *r, const struct pv_err *err);
/* A body made piece by piece on net's threads: `next` appends to out; nothing appended ends it; nonzero cuts the
 * connection. `release` (may be NULL) runs in every case. */
enum req_result reply_stream(struct req *r, int status, const char *content_type,
                             int (*next)(void *ctx, struct buf *out), void (*release)(void *ctx), void *ctx);

/* A body of exactly `length` bytes out of a pipe, whose non-blocking end `fd` is taken (-1 where the request is a HEAD);
 * no thread waits for them. Ends the pipe earlier, the connection is cut. `release` (may be NULL) runs in every case,
 * after fd is closed. */
enum req_result reply_pipe(struct req *r, int status, const char *content_type, int fd, uint64_t length,
                           void (*release)(void *ctx), void *ctx);

/* The file of the browser page that the path names; for addresses of the page itself (no dot in them) its index.html.
 * Without a page: 404, with words for people. */
enum req_result reply_page(struct req *r);

/* For REQ_LATER (any reply but reply_sse may be made by then): nothing of the request is touched by net until req_finish, which sends the answer filled in. The
 * client may have gone meanwhile; req_finish is called all the same. */
void req_finish(struct req *r);

struct net_config {
    const char *listen;             /* "127.0.0.1:8443", "[::1]:0", "unix:/path" */
    const char *tls_cert, *tls_key; /* PEM files; NULL: plain HTTP (loopback or unix only) */
    unsigned threads;               /* 0: number of processors, 2 to 8 */
    const struct route *routes;     /* ended by pattern == NULL; must outlive net */
    void *app;
    /* Decide about the caller and the route's permission; PV_OK, or an error that becomes the answer. Runs on net's
     * threads for every request that has a route (for PERM_PUBLIC it may still fill in the caller), once the head is
     * there and before any of the body is kept: r->json and r->body are NULL. It may add headers to the answer. */
    int (*authorise)(struct req *r, struct pv_err *err);
    /* After the answer is made: for audit and metrics. r->route is NULL where none was found or the gate refused. */
    void (*finished)(struct req *r, int status, int64_t took_us);
    const char *web;                /* folder of the built browser page, read at start; NULL: there is none */
    /* The last that is heard of a request, also of one that was cut off: for what authorise put into r->caller. */
    void (*ended)(struct req *r);
    const char *trusted_proxy;      /* address whose X-Forwarded-For counts ("unix": of a Unix socket); NULL: none */
};

struct net;
int net_start(const struct net_config *config, struct net **out, struct pv_err *err);
/* Calls fn once, on a thread of net's that it must not keep, when there is something to read from fd, or its other end
 * is closed, or net stops. false: it will not be called. */
bool net_when_readable(struct net *n, int fd, void (*fn)(void *arg), void *arg);
/* The port it listens on, the URL for people ("https://127.0.0.1:8443"). */
unsigned net_port(const struct net *n);
const char *net_url(const struct net *n);
/* Stops accepting, lets open requests end for `grace_ms`, closes streams, frees. */
void net_stop(struct net *n, int64_t grace_ms);
struct net_stats {
    uint64_t requests, bytes_out, problems_4xx, problems_5xx;
    unsigned connections, streams;
};
void net_get_stats(const struct net *n, struct net_stats *out);

/* Makes a self-signed P-256 certificate for localhost, the host's name and its addresses, unless both files exist;
 * key 0600. `sha256`: fingerprint of what is used, lower-case hex. */
int net_certificate(const char *cert_path, const char *key_path, char sha256[65], struct pv_err *err);

#define NET_CERTIFICATE_NAMES 32

/* What a certificate says, texts cut to fit. */
struct net_certificate_facts {
    char subject[256], issuer[256], sha256[65];
    char names[NET_CERTIFICATE_NAMES][128];     /* DNS names and addresses it is for */
    size_t nnames;
    int64_t not_before_ms, not_after_ms;
    bool self_signed;
};
int net_certificate_facts(const char *cert_path, struct net_certificate_facts *out, struct pv_err *err);
