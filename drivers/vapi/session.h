/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - one login per provider, shared by watch, refresh and call.
 *
 * session_call signs in when needed, sends, and when the server has forgotten
 * the login (fault, missingSet, 401) signs in once and sends once more: such a
 * request was refused before it began. Each login has a generation number;
 * views, filters, collectors belong to one login, so requests about them name
 * the generation they were made in and end with SESSION_RENEWED when it is
 * over. A wrong password is asked once and remembered; nothing ever signs in
 * in a loop.
 *
 * Ownership: session_new/session_free (signs out). Threads: session_call from
 * any; `content` is written before the first call returns and constant after.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <polyvisor/clock.h>
#include <polyvisor/driver.h>
#include <polyvisor/err.h>

#include <polyvisor/buf.h>

#include "drivers/sdk/call.h"
#include "drivers/vapi/config.h"
#include "drivers/vapi/soap.h"
#include "drivers/vapi/values.h"

/* The login this request belonged to is over: make its views, filters and collectors again. Never
 * leaves the driver. */
#define SESSION_RENEWED (-1000)

/* What RetrieveServiceContent said. Ids of singletons differ between vCenter and ESXi. */
struct content {
    struct moref root, collector, views, sessions, events, authorization;
    struct moref search, files; /* id "" : the server has none */
    char product[128], full_name[160], version[64], build[64], api_version[64];
    char instance_uuid[64];
    char soap_version[32]; /* what we ask for: the smaller of theirs and ours */
    bool vcenter;
};

struct session {
    const struct pv_host *host; /* borrowed */
    struct config config;       /* owned */
    struct httpc *http;         /* owned */

    pthread_mutex_t login_lock;   /* held while signing in; taken before `lock` */
    struct backoff limit_backoff; /* guarded by login_lock */
    int64_t limit_until_ms;
    int64_t logins[6]; /* when the last ones were, by login_lock */
    unsigned login_at;

    pthread_mutex_t lock; /* guards what follows, held for moments only */
    bool have_content;
    bool refused; /* the password is wrong: nothing is tried any more */
    struct pv_err refusal;
    unsigned generation; /* of the present login; 0: none yet */
    bool signed_in;
    char cookie[512];
    int64_t last_sent_ms;
    unsigned requests;          /* sent so far, of both APIs */
    char unknown_paths[16][64]; /* properties this server does not know */
    unsigned nunknown;

    struct content content;
};

struct session_request {
    struct enc *request; /* borrowed */
    const char *what;    /* for messages; NULL: the method's name */
    bool changes;        /* it changes something */
    unsigned generation; /* 0: any login will do */
    unsigned timeout_ms, stall_timeout_ms;
    const char *stream[SOAP_STREAM_NAMES + 1];
    xml_element_fn on_element;
    void *stream_ctx;
    const bool *signed_out; /* set by on_element when the answer's content said so */
};

/* `config` JSON as for pv_driver.open. */
int session_new(const struct pv_host *host, const char *config, struct session **out,
                struct pv_err *err);
void session_free(struct session *s);

/* Faults become the error; out->fault has their details. *out is to be freed in every case. */
int session_call(struct session *s, const struct call *c, const struct session_request *r,
                 struct soap_answer *out, struct pv_err *err);
/* GET of a file the server keeps, with the login's cookie; `path` begins with a slash and is escaped. At most `most`
 * bytes are taken. */
int session_download(struct session *s, const struct call *c, const char *path, size_t most,
                     struct buf *out, struct pv_err *err);
/* A file that the server keeps goes one way or the other, over a connection of its own by the rules of all others. */
struct session_transfer {
    const char *path;       /* begins with a slash and is escaped, with its query */
    const char *range;      /* "bytes=10-19", or NULL: all of it */
    /* GET: bytes as they come, from the first one that was asked for. */
    int (*take)(void *ctx, const void *data, size_t len);
    /* PUT: `size` bytes that this gives (httpc_request.read_body). */
    int64_t (*give)(void *ctx, void *buf, size_t cap);
    uint64_t size;
    uint64_t skip;          /* GET with a range: where it begins, if the server answers all of it */
    void *ctx;
};
/* A client by the rules of the configuration; its requests end with `c` (NULL: they do not). */
int session_new_client(const struct session *s, const struct call *c, struct httpc **out,
                       struct pv_err *err);
int session_transfer(struct session *s, const struct call *c, const struct session_transfer *t,
                     struct pv_err *err);
/* Signs in unless that is so already, and says which login it is. */
int session_login(struct session *s, const struct call *c, unsigned *generation,
                  struct pv_err *err);
/* Without signing in: who answers there. Fills s->content. */
int session_content(struct session *s, const struct call *c, struct pv_err *err);
/* CurrentTime if nothing else went out for five minutes. */
int session_keep_alive(struct session *s, const struct call *c, struct pv_err *err);
/* The server refused this property path: it is not asked for again. False: no room to remember. */
bool session_forget_path(struct session *s, const char *path);
bool session_knows_path(struct session *s, const char *path);
/* Count a request, and how many there were. */
void session_count_request(struct session *s);
unsigned session_requests(struct session *s);
/* -1, 0, 1 for dotted numbers: "6.7.3" < "8.0". */
int session_version_cmp(const char *a, const char *b);
