/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal - what the files of core share.
 *
 * Lock order: provider.apply_lock, core.lock, core.tasks_lock, provider.lock,
 * then one of the leaves (identity_lock, usage_lock, subs_lock, clock_lock, workers_lock,
 * event_ring of a provider belongs to apply_lock). Storage and sessions are
 * called with at most apply_lock held, but for driver_watch, driver_refresh,
 * driver_call and driver_cancel, which do not block and run under
 * provider.lock, so that a result cannot come before its call is known.
 *
 * Threads: session callbacks (one at a time per session) apply inventory;
 * core's workers connect providers and run tasks; the clock thread only hands
 * work to the workers; the writer thread publishes events.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/driver.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/log.h>
#include <polyvisor/model.h>
#include <polyvisor/str.h>
#include <polyvisor/workers.h>

#include "db/store.h"
#include "server/core/core.h"
#include "server/core/settings.h"
#include "server/core/table.h"
#include "server/drivers/registry.h"

PV_DEFINE_AUTO(arena_free, struct arena *)
PV_DEFINE_AUTO(json_decref, json_t *)

#define KINDS (PV_KIND_MAX + 1)
#define CHUNK 500                   /* rows one store_write function touches at most */
#define NAME_CAP 257

/* ---------------------------------------------------------------- kinds, looked up once */

struct kind_info {
    const struct model_kind *kind;      /* NULL: no such kind, or drivers do not report it */
    const struct model_shape *shape;    /* everything */
    const struct model_field *slots[PV_RECORD_SLOTS];   /* the first nslots: fields a driver reports */
    unsigned nslots;
    int child;                          /* place in struct inv_kids, or -1 */
    /* Indexes of common fields, or -1. */
    int provider, native_id, identity, presence, missing_since, stale_reason, related, version,
        created_at, updated_at, owner, name, power_state, tags, attributes, notes, folder;
};

#define CHILD_KINDS 5 /* of one owner */

/* ---------------------------------------------------------------- core */

struct provider;
struct task;
struct waiter;

struct core {
    struct core_config config;
    struct store *store;
    struct drivers *drivers;
    struct arena *arena;                /* of kinds */
    struct kind_info kinds[KINDS];
    const struct model_shape *event_shape;
    uint64_t hash_key[2];
    _Atomic int64_t settings[CORE_SETTING_COUNT];
    pthread_mutex_t workers_lock;
    struct workers *workers;            /* NULL while core ends; guarded by workers_lock */
    atomic_uint endings;                /* ends of tasks on their way to storage */
    atomic_bool stopping;

    pthread_mutex_t lock;
    struct provider **providers;        /* guarded by lock */
    size_t nproviders;                  /* guarded by lock */

    pthread_mutex_t tasks_lock;
    struct table tasks;                 /* open tasks by id; guarded by tasks_lock */
    struct table objects;               /* what they work on; guarded by tasks_lock */
    uint64_t pass;                      /* of the scheduler; guarded by tasks_lock */
    struct task *queue, **queue_end;    /* queued and waiting, oldest first; guarded by tasks_lock */
    struct waiter *waiters;             /* guarded by tasks_lock */
    bool scheduling, schedule_again;    /* guarded by tasks_lock */
    size_t running;                     /* guarded by tasks_lock */

    pthread_mutex_t identity_lock;      /* also: id, presence, sighted_ms of entries with an identity */
    struct table identities;            /* struct inv_entry by kind and identity; guarded by identity_lock */
    struct table borrowed;              /* those with `borrowed`, by id; guarded by identity_lock */

    pthread_mutex_t usage_lock;
    struct table usage;                 /* guarded by usage_lock */
    struct alert_store *alerts;
    uint64_t rules_changes;             /* of what cluster_rules.c last looked at; its job's alone */
    struct delivery_store *deliveries;
    struct feed *feed;
    struct silence_look {
        uint64_t changes, print;
        int64_t looked_ms;
    } silences;                         /* of the job that looks for alerts alone: what it saw last */
    struct series_store *series;        /* guarded by usage_lock; NULL: numbers are not kept over time */

    pthread_mutex_t subs_lock;
    pthread_cond_t subs_idle;
    struct core_subscription *subs;     /* guarded by subs_lock */
    _Atomic uint64_t event_seq;

    pthread_mutex_t clock_lock;
    pthread_cond_t clock_wake;
    pthread_t clock_thread;
    bool clock_running;
    struct timer *timers;               /* guarded by clock_lock */

    _Atomic uint64_t n_done, n_failed, n_events, n_batches, n_records, n_dropped, n_written;
};

/* Runs fn(arg) on a worker after `ms`, or earlier when core stops; false: out of memory. */
bool core_later(struct core *c, int64_t ms, work_fn fn, void *arg);
bool core_submit(struct core *c, work_fn fn, void *arg);
int core_clock_start(struct core *c, struct pv_err *err);
void core_clock_stop(struct core *c);

/* Hash of a key in this process. */
uint64_t core_hash(const struct core *c, const void *data, size_t len);
uint64_t core_hash_id(const struct pv_id *id);
/* Problem document of an error, as arena text. */
const char *core_problem_json(struct arena *a, const struct pv_err *err);
/* {code, params} of a sentence (texts.h), owned; NULL: it has none. */
json_t *core_text_json(const char *sentence);
/* {"kind","id","name"}; name may be NULL. */
void core_write_ref(struct jsonw *w, const char *key, enum pv_kind kind, const struct pv_id *id,
                    const char *name);
/* Idempotency record of the options, if there is one; inside the change's transaction. */
/* Records the key, if there is one, together with where the object it made is to be found. */
int core_put_idempotency(struct store_tx *tx, const struct core_options *o, enum pv_kind kind,
                         const struct pv_id *made, struct pv_err *err);
/* If-Match against the stored version. */
int core_check_version(const struct core_options *o, uint64_t version, struct pv_err *err);
/* Text of a JSON value in an arena; NULL: no memory. */
const char *core_json_text(struct arena *a, const json_t *json);

/* ---------------------------------------------------------------- events */

struct event_draft {
    const char *type;               /* "vm.updated" */
    enum pv_severity severity;
    enum pv_kind kind;              /* of the subject, NONE: none */
    struct pv_id subject;
    const char *name;               /* of the subject, may be NULL */
    struct pv_id provider;          /* zero: none */
    const char *provider_name;
    uint64_t object_version;        /* 0: not about a version */
    const char *changes;            /* JSON array or NULL */
    struct pv_id task;              /* zero: none */
    enum pv_actor_type actor_type;
    const char *actor_name;         /* may be NULL */
    const char *message;            /* NULL: made from type and name */
    const char *native_type, *native_id;
    int64_t time_ms;                /* 0: now */
    uint64_t native_kind;           /* events of the provider: 0 none */
    const char *native_subject;
};

/* Events of one store_write: written inside, published after its commit. Lives on the caller's stack from before
 * store_write until it has returned. */
struct event_set {
    struct core *core;
    struct buf text;
    struct event_mark *marks;
    size_t n, cap;
};
void events_init(struct event_set *s, struct core *c);
void events_free(struct event_set *s);
/* First thing in the transaction function, which may run again. */
int events_begin(struct event_set *s, struct store_tx *tx, struct pv_err *err);
int events_add(struct event_set *s, struct store_tx *tx, const struct event_draft *d,
               struct pv_err *err);

/* ---------------------------------------------------------------- inventory in memory */

struct inv_kids {
    uint64_t hash;          /* of all records of this kind last applied; 0: unknown */
    struct pv_id *ids;
    uint32_t n;
};

struct inv_entry {
    struct pv_id id;
    struct provider *provider;
    enum pv_kind kind;
    enum pv_presence presence;
    bool unconfirmed;       /* stale_reason is set in the row */
    bool missing_told;
    bool shared;            /* other providers may report it, too (shared.c) */
    bool borrowed;          /* its row is another provider's, who reports it, too */
    uint32_t seen;          /* generation */
    uint64_t key_hash, content, identity_hash;
    int64_t missing_since;  /* wall; also: gone since */
    int64_t sighted_ms;     /* monotonic, when it was new; 0: before this process */
    struct inv_kids *kids;  /* CHILD_KINDS of them, or NULL */
    const char *native_id, *identity;   /* same allocation; identity "" if none */
};

struct inv_pending {
    struct inv_pending *next;
    enum pv_kind kind;
    struct pv_id id;            /* of the row */
    uint16_t field;
    struct pv_id owner;         /* child kinds */
    uint64_t content;           /* of the object when this was reported */
    char text[];                /* native id, or list of them */
};

/* A newcomer whose twin in the same provider may be about to go. */
struct inv_undecided {
    struct inv_undecided *next;
    struct pv_id id;
};

#define PENDING_MAX 500000
#define EVENT_RING 4096

struct inventory {
    bool loaded;
    struct table kinds[KINDS];      /* struct inv_entry by native id */
    struct table by_id;             /* the same by our id */
    size_t objects;                 /* present ones */
    uint32_t generation;
    bool listing;
    int64_t listing_began_ms;       /* monotonic */
    struct inv_pending *pending;
    size_t npending;
    struct inv_undecided *undecided;
    uint64_t event_ring[EVENT_RING];
    size_t event_at;
    bool events_known;              /* the ring holds the newest that are stored */
    int64_t confirmed_put_ms;       /* monotonic, when tx_confirmed_put was last done */
    uint64_t faults_logged;
};

enum session_state { SESSION_NONE, SESSION_OPENING, SESSION_OPEN, SESSION_DOWN };

struct session {
    struct provider *provider;
    struct driver_session *link;
};

/* A running call of a session. */
struct open_call {
    struct open_call *next;
    uint64_t number;
    /* Called on the session's callback thread, without locks. */
    void (*done)(void *arg, const struct pv_failure *failure, const char *result);
    int (*progress)(void *arg, const struct pv_progress *progress);
    void *arg;
};

struct provider {
    struct core *core;
    struct pv_id id;
    atomic_uint refs;

    pthread_mutex_t apply_lock;
    struct inventory inv;               /* guarded by apply_lock */
    _Atomic int64_t confirmed_ms;       /* wall: last confirmed moment, 0 never */
    _Atomic int64_t confirmed_mono_ms;  /* an absence after this is news */
    _Atomic int family_seen;            /* enum pv_family, for the index of identities */
    bool first_import;                  /* no listing was ever complete; guarded by apply_lock */

    pthread_mutex_t lock;
    /* All below guarded by lock. */
    char name[NAME_CAP], driver[33];
    enum pv_family family;
    bool simulated, maintenance, deleted;
    enum pv_provider_state state;
    char reason[128];                   /* detail of state_reason */
    char *reason_json;
    enum session_state session_state;
    struct session *session;
    struct open_call *calls;
    uint64_t watch_call;
    bool connecting, connect_again;     /* a connect job is queued or runs; it is to go round once more */
    bool reconnect;                     /* open a new session although there is one */
    bool want_full;                     /* the next watch starts without cursor */
    struct backoff backoff;
    unsigned connect_epoch;             /* old retry timers do nothing */
    char *cursor;
    unsigned max_tasks;                 /* at once */
    unsigned running;                   /* tasks; guarded by core.tasks_lock */
    json_t *capabilities;               /* array as stored, or NULL */
    /* sync of the row */
    char mode[8];
    int64_t interval_s, last_full_at, last_full_ms, requests_last_full, last_change_at, lag_ms,
        sync_written_ms;
    uint64_t sync_objects;
    struct sync_waiter *sync_waiters;   /* provider.sync tasks */
};

/* Borrowed for the caller with a reference; NULL if unknown or deleted. */
struct provider *provider_get(struct core *c, const struct pv_id *id);
void provider_ref(struct provider *p);
void provider_put(struct provider *p);
/* All of them with references; *n; free with providers_release. NULL: none or out of memory. */
struct provider **providers_all(struct core *c, size_t *n);
void providers_release(struct provider **list, size_t n);

void provider_copy_name(struct provider *p, char *out, size_t cap);
/* A full listing, soon. */
void provider_want_full(struct provider *p);

/* Reads what is bound from storage, once. apply_lock held. */
int inventory_load(struct provider *p, struct pv_err *err);
void inventory_free(struct provider *p);
/* apply_lock held. */
struct inv_entry *inventory_find(struct provider *p, enum pv_kind kind, const char *native_id,
                                 size_t len);
struct inv_entry *inventory_find_id(struct provider *p, const struct pv_id *id);
struct inv_entry *inventory_add(struct provider *p, enum pv_kind kind, const char *native_id,
                                const char *identity, const struct pv_id *id,
                                enum pv_presence presence);
/* Also from the indexes; frees it. */
void inventory_drop(struct provider *p, struct inv_entry *e);
void inventory_set(struct provider *p, struct inv_entry *e, const struct pv_id *id,
                   enum pv_presence presence);

struct sdk_batch;
/* One checked batch. apply_lock held. */
int inventory_apply(struct provider *p, const struct sdk_batch *b, struct pv_err *err);
int children_apply(struct provider *p, const struct sdk_batch *b, struct pv_err *err);
int children_gone(struct provider *p, const struct sdk_batch *b, struct pv_err *err);
int native_events_apply(struct provider *p, const struct sdk_batch *b, struct pv_err *err);
void usage_apply(struct provider *p, const struct sdk_batch *b);
void usage_forget(struct core *c, const struct pv_id *id);
void usage_free(struct core *c);
/* A batch as the driver sent it. Takes apply_lock. */
int feed_batch(struct provider *p, const struct pv_batch *raw);
/* A position in the feed. apply_lock held. */
int feed_mark(struct provider *p, enum pv_mark mark, struct pv_err *err);
/* These native ids are confirmed to be gone. apply_lock held. */
int absence_gone(struct provider *p, struct inv_entry **entries, size_t n,
                 struct pv_err *err);
/* A task may have changed it, and it could not be read since. apply_lock held. */
int absence_unread(struct provider *p, struct inv_entry *e, struct pv_err *err);
int absence_after_listing(struct provider *p, bool complete, struct pv_err *err);
/* Times of missing objects: told, gone. Takes apply_lock. */
void absence_tick(struct provider *p);
int references_retry(struct provider *p, bool last_chance, struct pv_err *err);
bool references_add(struct provider *p, enum pv_kind kind, const struct pv_id *id, uint16_t field,
                    const struct pv_id *owner, uint64_t content, const char *text, size_t len);

/* ---------------------------------------------------------------- records and rows */

/* What a value of a record is as a value of a row. Answers false when it is not reported. *open: a reference that
 * cannot be resolved yet. `siblings` resolves references to the same child kind. */
struct siblings {
    const char *const *native_ids;
    const struct pv_id *ids;
    size_t n;
};
bool record_value(struct provider *p, const struct sdk_batch *b, uint32_t i,
                  const struct model_field *f, const struct siblings *siblings, struct arena *a,
                  struct model_value *out, bool *open);

/* Collects what differs, as fields and as JSON. */
struct row_diff {
    struct model_row *row;      /* values are replaced in it */
    uint16_t *fields;           /* nfields of the kind, and 3 more */
    size_t n;
    struct buf json;            /* [{field, from, to}, ... without the closing bracket */
    struct jsonw w;
    bool wants_json;
};
int diff_init(struct row_diff *d, struct model_row *row, bool wants_json, struct arena *a,
              struct pv_err *err);
void diff_free(struct row_diff *d);
void diff_set(struct row_diff *d, unsigned field, const struct model_value *v);
/* Not shown in changes[]. */
void diff_set_quiet(struct row_diff *d, unsigned field, const struct model_value *v);
/* Writes the fields, version + 1; *version: the new one. Call with n > 0. */
int diff_write(struct row_diff *d, struct store_tx *tx, const struct kind_info *k, int64_t now_ms,
               uint64_t *version, struct pv_err *err);
/* Closes and answers the changes as arena text; NULL: too much. */
const char *diff_changes(struct row_diff *d, struct arena *a);

struct model_value value_number(int64_t v);
struct model_value value_text(const char *text);
struct model_value value_ref(const struct pv_id *id);
struct model_value value_null(void);

/* Who caused a change of this object, if a task of ours works on it. */
struct cause {
    struct pv_id task;          /* zero: nobody of ours */
    enum pv_actor_type type;
    char name[NAME_CAP];
};
void tasks_cause(struct core *c, const struct pv_id *object, struct cause *out);

/* ---------------------------------------------------------------- identity */

/* An entry elsewhere with the same identity, as far as it concerns a newcomer. */
struct identity_match {
    bool found;
    bool same_provider;
    enum pv_presence presence;
    struct pv_id id, provider;
    char native_id[513];
};
/* The best match of a newcomer: an absent one if there is one, else a present one. Providers of other families do not
 * count. */
void identity_look(struct provider *p, enum pv_kind kind, const char *identity,
                   struct identity_match *out);
void identity_add(struct core *c, struct inv_entry *e);
void identity_remove(struct core *c, struct inv_entry *e);
/* The entry has become absent: somebody who was sighted since the last confirmation takes its place (rebind in the
 * same provider, move to another). apply_lock of e's provider held; e may be freed. */
void identity_absent(struct provider *p, struct inv_entry *e);
/* Newcomers of this provider whose twin in the same provider is still there: both get related[]. apply_lock held. */
int identity_settle(struct provider *p, struct pv_err *err);
/* Inside a transaction: related[] of both rows, and a warning. */
int identity_relate(struct core *c, struct store_tx *tx, struct event_set *events, enum pv_kind kind,
                    const struct pv_id *one, const struct pv_id *other, struct arena *a,
                    struct pv_err *err);
/* ---------------------------------------------------------------- shared objects */

/* What several providers report (PV_RECORD_SHARED) has one row, which one of them keeps. */

/* Inside a transaction: the row that others have made of this record, NULL: none yet. */
int shared_find(struct provider *p, struct store_tx *tx, const struct sdk_batch *b, uint32_t i,
                struct model_row **out, struct pv_err *err);
/* Inside a transaction: is nobody there who keeps this row up to date? */
bool shared_orphan(struct core *c, const struct kind_info *k, const struct model_row *row);
/* A list of references of ours, made whole by what others have put into the stored one. */
void shared_merge(struct provider *p, const struct model_value *stored, struct model_value *v,
                  struct arena *a);
/* The entry's row is another's, or ours from now on. */
void shared_borrow(struct core *c, struct inv_entry *e, bool borrowed);
/* Ours no longer: of `entries`, those that another provider has, too. They are left to it and dropped; *n are kept.
 * apply_lock held. */
int shared_leave(struct provider *p, struct inv_entry **entries, size_t *n, struct pv_err *err);
/* Does this provider know an object whose row is another's? Any thread. */
bool shared_knows(struct core *c, const struct pv_id *provider, const struct pv_id *id);

/* The row of `id` was taken over by another provider: forget it here. */
void identity_forget_later(struct core *c, const struct pv_id *provider, const struct pv_id *id);

/* ---------------------------------------------------------------- providers */

extern const struct driver_session_ops session_ops;

int providers_load(struct core *c, struct pv_err *err);
void providers_stop(struct core *c);
struct provider *provider_new(struct core *c, const struct pv_id *id);
/* Takes the reference. */
int providers_insert(struct core *c, struct provider *p, struct pv_err *err);
bool providers_remove(struct core *c, struct provider *p);

/* Asks for a session and a watch, soon. now: forget the back-off. */
void provider_connect(struct provider *p, bool now);
void provider_close_session(struct provider *p);
void provider_start_watch(struct provider *p);
/* The connection has failed. again: try again after the back-off, unless the reason forbids it. */
void provider_failed(struct provider *p, const struct pv_err *err, bool again);
/* It has answered: connected, unless the driver says degraded. */
void provider_reached(struct provider *p);
/* The state has changed: stored with an event. err: reason, NULL: none. */
void provider_set_state(struct provider *p, enum pv_provider_state state, const struct pv_err *err);
/* It refused us: nothing is tried again before somebody has changed something. provider.lock held, or not shared. */
bool provider_stopped(const struct provider *p);
/* There is a session and the provider answers. */
bool provider_usable(struct provider *p);
/* Starts a call and takes `call`; false: no usable session, the call stays the caller's. */
bool provider_call(struct provider *p, struct open_call *call,
                   uint64_t (*start)(struct driver_session *s, void *arg), void *arg);
/* Asks the calls that were started with this `arg` to end. */
void provider_cancel_calls(struct provider *p, const void *arg);
void session_end_calls(struct provider *p);
/* Looks at one object; `done` comes on a callback thread after its batches were applied. false: not possible now. */
bool provider_refresh(struct provider *p, enum pv_kind kind, const char *native_id,
                      void (*done)(void *arg, const struct pv_failure *failure, const char *result),
                      void *arg);
void provider_sync_arm(struct provider *p);
void provider_sync_forget(struct provider *p);
/* A listing is over, or an attempt has failed: provider.sync tasks end. */
void provider_sync_done(struct provider *p, const struct pv_err *err);
/* After a listing or change; at most once a minute, or now. */
void provider_sync_write(struct provider *p, bool now);
/* Facts as the driver told them. */
void provider_facts(struct provider *p, const char *json);
/* Configuration for the driver and {"password"}; owned, secrets by provider_secrets_free. */
int provider_config(struct provider *p, char **config, char **secrets, struct pv_err *err);
int provider_config_of(const struct model_row *row, const char *password, char **config,
                       char **secrets, struct pv_err *err);
void provider_secrets_free(char *secrets);
int provider_body_row(struct core *c, const json_t *json, const char *driver, struct arena *a,
                      struct model_row **out, struct pv_err *err);
/* Copies what memory holds of a row. */
void provider_take_row(struct provider *p, const struct model_row *row);
/* Settings against a JSON Schema: the subset that drivers use. */
int schema_check(const char *schema, const json_t *settings, const char *pointer,
                 struct pv_err *err);
/* What the driver and the provider say of a capability. reason, needs: in the arena, or "". */
enum capability { CAP_YES, CAP_LIMITED, CAP_NO };
enum capability provider_capability(struct provider *p, const char *operation, const char *name,
                                    struct arena *a, const char **reason, const char **needs);
/* Changes fields of a provider's row with an event; `change` sets values through diff_set. */
int provider_row_change(struct provider *p, const struct core_actor *by, const struct core_options *o,
                        int (*change)(struct row_diff *d, struct arena *a, void *arg, struct pv_err *err),
                        void *arg, struct pv_err *err);

/* ---------------------------------------------------------------- tasks */

/* Something may be able to go on. */
void tasks_wake(struct core *c);
void tasks_init(struct core *c);
/* From now on tasks are started. */
void tasks_go(struct core *c);
/* Those that were open when the server ended. */
int tasks_load(struct core *c, struct pv_err *err);
void tasks_free(struct core *c);
void tasks_count(struct core *c, struct core_stats *out);
size_t tasks_open_of(struct core *c, const struct pv_id *provider);
/* The provider is about to be deleted: its tasks end. */
void tasks_abandon(struct core *c, const struct pv_id *provider);
/* All who wait for a task are told that the server ends. */
void waiters_end(struct core *c);
void event_by(struct event_draft *d, const struct core_actor *by);
/* Hourly. */
void core_retention(void *arg);
