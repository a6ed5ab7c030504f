/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core - the product: providers, inventory, tasks, events. Knows no HTTP.
 *
 * Inventory: batches from drivers become rows (identity, absence and ordering
 * as docs/architecture.md says); every visible change becomes an event in the
 * same transaction. Tasks: written before they start, followed through
 * restarts, finished only after the touched objects were read again.
 *
 * Ownership: everything answered lands in the caller's arena. Threads: any;
 * no function waits for a provider, but some wait for a commit. Callbacks run
 * on core's threads without locks held and must not block.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <polyvisor/id.h>
#include <polyvisor/model.h>

struct arena;
struct core;
struct drivers;
struct filter;
struct pv_err;
struct store;
struct store_access;
struct store_tx;
struct store_idempotency;

struct core_config {
    struct store *store;
    struct drivers *drivers;
    /* Sealed secret of a row's field -> clear text (owned, released by secret_free). From auth. */
    int (*secret_open)(void *ctx, enum pv_kind kind, const struct pv_id *row, unsigned field, const char *sealed,
                       char **secret, struct pv_err *err);
    void (*secret_free)(char *secret);
    void *ctx;
    /* Times of domain rules, for tests; 0: the settings (settings.h) say. */
    int64_t missing_grace_ms, gone_after_ms, purge_after_ms;
    /* The same for what is told to receivers (deliveries.h); 0: a day, two seconds. */
    int64_t delivery_age_ms, delivery_first_ms;
    /* The same for snapshots whose time has come (expiry.h); 0: five seconds, a minute. */
    int64_t expiry_look_ms, expiry_retry_ms;
    const char *spool;  /* folder for uploads, made when it is not there; NULL: there are none. Borrowed */
    int64_t upload_look_ms; /* how often uploads that have had their time are looked for; 0: ten minutes */
    /* How long a task that has failed waits for what it may have changed to be read; 0: 15 s. */
    int64_t failed_read_ms;
    /* What the server does by itself, without anybody asking: for the audit. May be NULL. */
    void (*record)(void *ctx, const char *action, enum pv_kind kind, const struct pv_id *subject,
                   const struct pv_id *task);
};

int core_start(const struct core_config *config, struct core **out, struct pv_err *err);
/* Cancels watches, lets running driver calls go on at the provider (they are re-attached at the next start). */
void core_stop(struct core *c);

/* What the asker may. may NULL: everything, for what the server does by itself. */
struct core_rights {
    bool (*may)(void *ctx, int permission, enum pv_kind kind, const struct pv_id *id);
    void *ctx;
    const struct store_access *eyes;    /* what storage is read with; NULL: sees everything */
};

/* Who asks, for tasks, events and audit. Texts are borrowed. */
struct core_actor {
    enum pv_actor_type type;
    struct pv_id id;
    const char *name;
    const char *address, *request_id;
    enum pv_source source;
    struct core_rights rights;  /* bulk children are checked with them */
};

/* What makes a write conditional, or a rehearsal. */
struct core_options {
    uint64_t if_version;    /* If-Match: this version or precondition-failed; 0: any */
    bool dry_run;
    bool fail_if_busy;
    /* Idempotency-Key: recorded in the same transaction as the change; NULL: none. */
    const struct store_idempotency *idempotency;
};

/* ---------------------------------------------------------------- providers */

/* Body members as in POST /providers (checked); `sealed` NULL: no password. Starts it. Problems: name-taken,
 * driver-unknown, driver-broken, validation-failed (settings against the driver's schema). */
int core_provider_create(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *body,
                         const char *sealed, bool simulated, const struct core_options *o, struct pv_err *err);
/* JSON merge patch of name, endpoint, username, settings, tls, limits, notes; sealed NULL: password as it is.
 * Reconnects when the connection is concerned. */
int core_provider_change(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *patch,
                         const char *sealed, const struct core_options *o, struct pv_err *err);
/* Ends its session and deletes it with its whole inventory; events stay. object-busy while tasks run, unless force. */
int core_provider_delete(struct core *c, const struct core_actor *by, const struct pv_id *id, bool force,
                         const struct core_options *o, struct pv_err *err);
/* Live: tries the connection described by `body` (password in clear) and calls back with the findings (JSON array)
 * or an error. Nothing is stored. */
typedef void (*core_json_fn)(void *ctx, int rc, const char *json, const struct pv_err *err);
int core_probe(struct core *c, const json_t *body, core_json_fn done, void *ctx, struct pv_err *err);
/* The sealed password is needed again for a stored provider's doctor: same as probe. */
int core_provider_doctor(struct core *c, const struct pv_id *id, core_json_fn done, void *ctx, struct pv_err *err);

/* Drivers: loaded or broken, with versions, schemas, operations: member `items` of the open object, or with a name
 * that one driver as an object (PV_ENOENT). */
int core_drivers_json(struct core *c, const char *name, struct jsonw *w, struct pv_err *err);

/* What shows in the provider reference; NULL if unknown. Owned by the arena. */
const struct model_provider *core_provider_ref(struct core *c, const struct pv_id *id, struct arena *a);

/* ---------------------------------------------------------------- tasks */

struct core_task_request {
    const struct model_operation *operation;
    enum pv_kind kind;              /* of the subject (object.sync works on any) */
    struct pv_id subject;
    const json_t *params;           /* checked against the operation's table; NULL: none */
};
/* Checks the state (no-op: a task that has succeeded already, changed false; wrong: vm-invalid-state with
 * err->needs listing allowed actions), capability (not-supported with the reason), version, then stores the task.
 * dry_run: nothing is stored; `done` is called with {ok, changed, findings[], plan[]}. Otherwise `done` is unused. */
int core_task_submit(struct core *c, const struct core_actor *by, const struct core_task_request *t,
                     const struct core_options *o, struct pv_id *task, core_json_fn done, void *ctx,
                     struct pv_err *err);

/* A live operation: checked like a task, then asked; `done` gets the driver's answer, as JSON text, or the error, within
 * ten seconds (PV_ETIMEOUT). On failure `done` is not called. Nothing is stored. */
/* The answer of datastore.files as the API shows it: checked, sorted (folders first), with what each file is. `data`:
 * {entries: [{name, folder?, size_bytes?, modified_ms?}]} of the driver. limit-exceeded: more than SDK_FILES_MAX. */
int core_files_write(const json_t *data, const char *folder, struct jsonw *w, struct pv_err *err);
/* By the ending of its name. */
enum pv_file_type core_file_type(const char *name);
/* Could it be done now? State, capability, files in use; nothing is begun. */
int core_operation_check(struct core *c, const struct core_task_request *t, struct pv_err *err);
int core_live(struct core *c, const struct core_task_request *t, core_json_fn done, void *ctx, struct pv_err *err);
/* The same for one whose bytes go through a stream: `stream`, the driver's end of a pipe, is taken in every case; `more`
 * are members that its arguments get beside the parameters ({stream: 1, ...}). It lasts until it ends: `*out` is the
 * caller's, to be given to core_call_end, which cancels it if it still runs. `done` is called all the same. */
struct core_call;
int core_live_stream(struct core *c, const struct core_task_request *t, const json_t *more, int stream,
                     core_json_fn done, void *ctx, struct core_call **out, struct pv_err *err);
void core_call_end(struct core_call *call);

struct core_bulk_request {
    const struct model_operation *operation;
    const struct pv_id *targets;    /* of operation->kind; or: */
    size_t ntargets;
    const struct filter *selector;
    int64_t expected_count;         /* -1: not given */
    bool confirm;
    const json_t *params;
    unsigned max_parallel, per_provider;    /* 0: 32, 8 */
    bool stop_on_error;
};
/* Parent task; up to 10,000 children, frozen now. What cannot be done (state, capability, rights) is born `skipped` with
 * the reason, what is as wanted `succeeded`, unchanged. The parent has succeeded only if all children have. Its result counts
 * done (and of those unchanged), failed, canceled, skipped and names the first of those that were not done; its error has
 * the numbers and the first reasons. `canceled` is a parent of which that was asked.
 * dry_run: {ok, changed, count, counts{change, unchanged, skipped}, findings[], plan[]} where findings name what will be
 * skipped and why; the lists end at a thousand. */
int core_bulk_submit(struct core *c, const struct core_actor *by, const struct core_bulk_request *b,
                     const struct core_options *o, struct pv_id *task, core_json_fn done, void *ctx,
                     struct pv_err *err);
/* One step of several on one VM: an operation of the VM, of a device or of a snapshot of it. */
struct core_step {
    const struct model_operation *operation;
    struct pv_id subject;           /* of operation->kind */
    const json_t *params;           /* checked against the operation's table; NULL: none */
    uint64_t if_version;            /* this version or precondition-failed; 0: any */
};
/* One task of at most 64 steps, one after another; the first that fails ends it, what comes after is canceled. All are
 * checked before the first begins: whoever is refused is told which one, and nothing is done. The parent is of `vm` and is
 * called vm.reconfigure; its params list the steps. dry_run as with bulk. */
int core_steps_submit(struct core *c, const struct core_actor *by, const struct pv_id *vm, const struct core_step *steps,
                      size_t n, const struct core_options *o, struct pv_id *task, core_json_fn done, void *ctx,
                      struct pv_err *err);
/* task-not-cancelable when it is final. */
int core_task_cancel(struct core *c, const struct core_actor *by, const struct pv_id *task, struct pv_err *err);
/* Calls back once, when the task is final or after timeout_ms, whichever is first; at once if it is final already. */
int core_task_wait(struct core *c, const struct pv_id *task, int64_t timeout_ms, void (*done)(void *ctx, bool final),
                   void *ctx, struct pv_err *err);

/* `permissions`: bit per permission that the asker has on the object. Every operation for this object, as member `items` of the open object: [{name, title, state: yes|no|limited, reason, needs[], allowed_now, params}]. */
int core_actions_json(struct core *c, const struct model_row *row, uint64_t permissions, struct jsonw *w,
                      struct pv_err *err);
/* Three levels of capabilities of a provider, as member `items` of the open object: [{name, state, reason, needs[]}]. */
int core_capabilities_json(struct core *c, const struct pv_id *provider, struct jsonw *w, struct pv_err *err);

/* ---------------------------------------------------------------- our own fields, folders, tags */

/* Merge patch of tags, attributes, notes, folder. changed: whether anything differed. */
int core_object_patch(struct core *c, const struct core_actor *by, enum pv_kind kind, const struct pv_id *id,
                      const json_t *patch, const struct core_options *o, bool *changed, struct pv_err *err);
int core_folder_create(struct core *c, const struct core_actor *by, const json_t *body, const struct core_options *o,
                       struct pv_id *id, struct pv_err *err);
int core_folder_change(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *patch,
                       const struct core_options *o, struct pv_err *err);
/* conflict while it holds objects or folders. */
int core_folder_delete(struct core *c, const struct core_actor *by, const struct pv_id *id,
                       const struct core_options *o, struct pv_err *err);
int core_tag_create(struct core *c, const struct core_actor *by, const json_t *body, const struct core_options *o,
                    struct pv_id *id, struct pv_err *err);
int core_tag_change(struct core *c, const struct core_actor *by, const struct pv_id *id, const json_t *patch,
                    const struct core_options *o, struct pv_err *err);
int core_tag_delete(struct core *c, const struct core_actor *by, const struct pv_id *id, const struct core_options *o,
                    struct pv_err *err);

/* ---------------------------------------------------------------- events, usage, numbers */

struct core_event {
    uint64_t seq;
    enum pv_kind kind;          /* of the subject, NONE: none */
    struct pv_id subject;
    const char *type;           /* "vm.updated" */
    const struct model_row *row; /* the event, with all its fields; valid during the call */
    const char *json;           /* as in GET /events */
    size_t json_len;
};
/* Called on the writer thread after each commit, in order of seq; must not block. */
typedef void (*core_event_fn)(void *ctx, const struct core_event *e);
struct core_subscription;
int core_subscribe(struct core *c, core_event_fn fn, void *ctx, struct core_subscription **out, struct pv_err *err);
/* No call is under way and none comes after it returns. */
void core_unsubscribe(struct core_subscription *s);
/* Newest committed event. */
uint64_t core_event_seq(struct core *c);

/* Newest numbers of an object; values[i] belongs to model_metrics()[i], have[i] says whether it is known.
 * false: nothing known. */
bool core_usage(struct core *c, enum pv_kind kind, const struct pv_id *id, int64_t *time_ms, uint64_t *values,
                bool *have);

struct core_stats {
    uint64_t tasks_open, tasks_waiting, tasks_running, tasks_done, tasks_failed, events, batches, records,
        records_dropped, rows_written;
};
void core_get_stats(struct core *c, struct core_stats *out);
/* Per provider: {id, name, state, age_ms of the last confirmed moment, provider calls if told}. */
struct core_provider_health {
    struct pv_id id;
    char name[257];
    char driver[33];
    enum pv_provider_state state;
    enum pv_family family;
    int64_t confirmed_ms;       /* 0: never */
    int64_t last_full_at_ms, last_full_took_ms;
    char reason[128];
};
int core_providers_health(struct core *c, struct arena *a, struct core_provider_health **out, size_t *n,
                          struct pv_err *err);
