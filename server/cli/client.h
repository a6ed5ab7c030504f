/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - requests to the server's API.
 *
 * A status of 4xx or 5xx is a failure: its problem document is in c->problem
 * and in err. A POST with `once` carries an Idempotency-Key, so it is sent
 * again when the connection is cut before the answer. One thread.
 */
#pragma once

#include "server/cli/cli.h"

struct httpc_response;

struct call {
    bool once;       /* POST: safe to send again */
    unsigned wait_s; /* Prefer: wait */
    const char *if_match;
    const char *accept;
    const char *cookie, *csrf;
    unsigned timeout_ms; /* 0: 90 s */
    /* Bytes instead of a JSON body, and which of the whole they are (Content-Range); NULL: none. */
    const void *bytes;
    size_t bytes_len;
    const char *bytes_range;
    /* out */
    long status;
    char etag[128];
    char set_cookie[512];
    char *text; /* the body, where it is no JSON; owned by the caller (free) */
    size_t text_len;
};

/* Makes the connection by what context_choose() found. */
int client_open(struct cli *c, struct pv_err *err);
/* `path` begins with a slash and is ready to be sent. `body` NULL: none (POST: {}). *out NULL: an
 * empty answer. `call` may be NULL. */
int client_call(struct cli *c, const char *method, const char *path, const json_t *body,
                struct call *call, json_t **out, struct pv_err *err);
int client_get(struct cli *c, const char *path, json_t **out, struct pv_err *err);

/* Lines of an answer as they come, without their newline; nonzero stops with that rc. PV_ECANCELED
 * from it ends well. */
typedef int (*client_line_fn)(void *ctx, const char *line, size_t len, struct pv_err *err);
int client_lines(struct cli *c, const char *path, const char *accept, const char *last_event,
                 client_line_fn each, void *ctx, struct pv_err *err);

/* The bytes of an answer as they come: a file. What is cut off before its Content-Length is
 * PV_EOFFLINE. */
struct client_file {
    const char *range, *if_range; /* NULL: the whole */
    /* Before the first byte, or at the end of an answer without any; never for a refusal. Nonzero
     * stops with that rc. */
    int (*on_head)(void *ctx, const struct httpc_response *r, long status, struct pv_err *err);
    int (*on_bytes)(void *ctx, const void *data, size_t len, struct pv_err *err);
    void *ctx;
    /* out */
    long status;
    char content_range[64]; /* of a refusal */
};
int client_file(struct cli *c, const char *path, struct client_file *f, struct pv_err *err);

/* Percent-encode. */
void client_escape(struct buf *out, const char *text);
/* Append ?name=value or &name=value. */
void client_query(struct buf *path, const char *name, const char *value);
