/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal - what the files of api share with each other, and nobody else.
 */
#pragma once

#include <polyvisor/buf.h>
#include <polyvisor/filter.h>

#include "server/api/api.h"
#include "server/auth/access.h"

#define API_BASE "/api/v1"

struct api {
    struct store *store;
    struct core *core;
    struct auth *auth;
    struct net *net;
    const char *data;               /* folder of the database and of what belongs to it; borrowed */
    const char *certificate;        /* file of what TLS shows; NULL: plain HTTP. Borrowed */
    struct workers *slow;           /* password hashing, deleting a provider: what takes long */
    uint8_t cursor_key[32];
    int64_t started_ms;
    char nonce[17];                 /* makes ETags of lists different after a restart */
    struct arena *arena;            /* lives as long as the routes */
    struct route *routes;           /* ended by pattern == NULL */
    size_t nroutes;
    struct buf openapi;             /* the document, made at start */
    bool draining;
    struct event_hub *events;
    struct tally_cache *tallies;
    struct overview_cache *overviews;
    struct summary_cache *summaries;
};

static inline struct api *api_of(const struct req *r)
{
    return r->app;
}

/* --- api.c */
/* Does the work, which fills in the answer, on a thread that may take its time; the handler returns what this does. */
enum req_result req_run_slow(struct req *r, void (*work)(struct req *r));

/* --- rights.c: what the caller may */
/* PV_OK, or forbidden with the missing permission named. */
int need_anywhere(struct req *r, int permission, struct pv_err *err);
int need_everywhere(struct req *r, int permission, struct pv_err *err);
/* On one object, which the caller may see. */
int need_on(struct req *r, int permission, enum pv_kind kind, const struct pv_id *id, struct pv_err *err);
/* What it reads storage with: for every struct store_query. NULL: everything may be seen. */
const struct store_access *access_of(const struct req *r);
/* PV_ENOENT: not there for this caller. */
int need_sight(struct req *r, const struct model_kind *kind, const struct pv_id *id, struct pv_err *err);
/* References to what the caller may not see lose their names. */
int shape_guard(struct req *r, const struct model_shape **shape, struct pv_err *err);
bool ref_is_hidden(struct req *r, const struct model_field *f, const struct pv_id *id);
/* Permissions as a list of texts. */
void write_permissions(struct jsonw *w, const char *key, uint64_t permissions);

/* --- settings.c */
/* Members of the open object: every group of settings. */
void settings_write(struct jsonw *w, struct api *a);

/* --- routes.c: hand-written routes of each file, ended by pattern == NULL */
extern const struct route login_routes[];
extern const struct route me_routes[];
extern const struct route user_routes[];
extern const struct route rights_routes[];
extern const struct route token_routes[];
extern const struct route audit_routes[];
extern const struct route mfa_routes[];
extern const struct route settings_routes[];
extern const struct route upkeep_routes[];
extern const struct route health_routes[];
extern const struct route system_routes[];
extern const struct route provider_routes[];
extern const struct route task_routes[];
extern const struct route event_routes[];
extern const struct route own_routes[];
extern const struct route view_routes[];
extern const struct route complete_routes[];
extern const struct route tree_routes[];
extern const struct route summary_routes[];
extern const struct route metric_routes[];
extern const struct route history_routes[];
extern const struct route alert_routes[];
extern const struct route channel_routes[];
extern const struct route upload_routes[];
extern const struct route balance_routes[];
int routes_build(struct api *a, struct pv_err *err);

/* --- openapi.c */
int openapi_build(struct api *a, struct pv_err *err);

/* --- query.c: the conventions of collections */
struct list_query {
    struct store_query q;
    struct store_sort sort[STORE_SORT_MAX];
    struct store_position after;
    bool has_after;
    enum { COUNT_NONE, COUNT_EXACT } count;
    const struct model_field *facets[10];
    size_t nfacets;
    const struct model_field *sums[STORE_GROUP_MAX];
    size_t nsums;
    const struct model_field *expand[8];
    size_t nexpand;
    struct pv_id *ids;
    bool no_etag;           /* the answer follows from more than rows and query */
    char hash[17];          /* of everything but the cursor: binds cursors and ETags */
};
/* From the request's query. `extra`: further parameter names that are allowed (may be NULL), ended by NULL. */
int query_parse(struct req *r, const struct model_kind *kind, const char *const *extra,
                struct list_query *out, struct pv_err *err);
/* view=, fields=, expand= alone, for single objects. */
int query_shape(struct req *r, const struct model_kind *kind, enum model_view view,
                struct list_query *out, struct pv_err *err);
/* Room for the longest cursor: hash, position and proof in base64. */
#define CURSOR_TEXT ((16 + sizeof(((struct store_position *)0)->bytes) + 16) * 4 / 3 + 4)
void cursor_write(struct api *a, const struct list_query *l, const struct store_position *at,
                  char *out, size_t cap);
int cursor_read(struct api *a, const char *text, const char hash[17], struct store_position *out,
                struct pv_err *err);
/* Whole text a bool / number of a query parameter; absent: the default. */
int query_bool(struct req *r, const char *name, bool *out, struct pv_err *err);
int query_u64(struct req *r, const char *name, uint64_t least, uint64_t most, uint64_t *out, struct pv_err *err);

/* --- objects.c */
/* {id} as "vm_...", "native:<provider>:<native id>" or "name:<name>"; "native" alone with ?native=. */
int object_resolve(struct req *r, const struct model_kind *kind, const char *text, struct pv_id *out,
                   struct pv_err *err);
/* The same, and it is there: an id alone says nothing about that. */
int object_find(struct req *r, const struct model_kind *kind, const char *text, struct pv_id *out, struct pv_err *err);
enum req_result object_list(struct req *r);     /* route->kind */
enum req_result object_get(struct req *r);
enum req_result object_patch(struct req *r);
/* A page of this kind, with what else the caller wants in the query (owner, self, filter). */
enum req_result list_reply(struct req *r, struct list_query *l);
/* The object as the answer to a change: 200 or 201 with Location. */
enum req_result object_reply(struct req *r, int status, enum pv_kind kind, const struct pv_id *id);
/* Writes one row with usage and expanded references. */
void object_write(struct req *r, struct jsonw *w, const struct list_query *l, const struct model_row *row);
/* If-Match: "vm-3" -> 3; 0 when absent. */
int options_read(struct req *r, const struct model_kind *kind, struct core_options *o, struct pv_err *err);

/* --- list_stream.c: NDJSON and CSV of whole results. false: the client wants JSON. */
bool list_stream_wanted(struct req *r);
enum req_result list_stream(struct req *r, const struct list_query *l);

/* --- operations.c */
enum req_result operation_run(struct req *r);   /* route->operation */
/* --- files.c: `t` is checked; its parameters are borrowed until this returns. */
enum req_result file_download(struct req *r, const struct core_task_request *t);
/* --- uploads.c: POST of an operation that sends a file */
enum req_result upload_create(struct req *r);
enum req_result task_undo(struct req *r);
/* Replaces names of objects (name:web01, native:...) in parameters by ids, in place; every object named must be there. */
int refs_resolve(struct req *r, const struct model_param *table, json_t *params, const char *prefix, struct pv_err *err);
/* Places that parameters name (the target of a move) need the operation's permission as well as its subject. */
int places_allowed(struct req *r, const struct model_operation *op, const json_t *params, struct pv_err *err);

/* --- tasks.c */
struct core_actor actor_of(struct req *r);
/* Answers with the task: 202, or waits as Prefer says. */
enum req_result task_reply(struct req *r, const struct pv_id *task);
/* For core functions that call back with JSON: `live_done` finishes the request. */
void live_done(void *ctx, int rc, const char *json, const struct pv_err *err);

/* --- idempotency.c */
/* true: answered already (replayed or refused). Otherwise o->idempotency is set when the request has a key. */
bool idempotency_replayed(struct req *r, struct core_options *o);

/* --- tally.c */
int tally_start(struct api *a, struct pv_err *err);
void tally_stop(struct api *a);
/* store_tally, or with `sum` store_sum, as of the kind's last change. */
int tally_get(struct req *r, enum pv_kind kind, uint16_t field, bool sum, struct store_tally **out, size_t *n,
              struct pv_err *err);

/* --- summary.c */
int summary_start(struct api *a, struct pv_err *err);
void summary_stop(struct api *a);

/* --- events.c */
int events_start(struct api *a, struct pv_err *err);
void events_stop(struct api *a);

