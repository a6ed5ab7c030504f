/* SPDX-License-Identifier: Apache-2.0 */
/*
 * task - an open task in memory, and what the files about tasks share.
 *
 * Every task that is not final is in core.tasks. While it waits it is also in
 * core.queue. Only the scheduler changes tasks that wait, only the callbacks
 * of its call (one at a time) change one that runs; final states are written
 * once and never again. Guarded by core.tasks_lock unless it says otherwise.
 */
#pragma once

#include "server/core/internal.h"

#define TASKS_MAX 50000         /* open at once */
#define TRIES_MAX 8             /* of something the provider has no room for now */
#define ARGS_MAX 60000          /* bytes of parameters: what a task's row takes */
#define STEPS_MAX 64            /* of one task */

/* What the scheduler has to do for it. */
enum need { NEED_CALL, NEED_FOLLOW, NEED_LOOK, NEED_READ };

/* What a task works on: one at a time. */
struct object {
    struct pv_id id;
    unsigned users;             /* open tasks */
    struct task *runner;
    uint64_t pass;              /* of the scheduler, in which somebody else was first */
};

struct bulk {
    atomic_uint refs;
    struct task *parent;        /* borrowed: it outlives its children */
    unsigned max_parallel, per_provider;
    bool stop_on_error, stopped, accepted;
    bool ordered;               /* each child waits for those before it; at most STEPS_MAX */
    bool changed;               /* a child has changed something */
    uint64_t ended;             /* ordered: bit per child that has succeeded */
    unsigned total, running, succeeded, failed, canceled, skipped;
    unsigned unchanged;         /* of those that have succeeded: there was nothing to do */
    json_t *reasons;            /* for the error, set when all is over; NULL: none */
    unsigned first_failed;      /* ordered: which one, from 1 */
    struct pv_err first_error;  /* ordered: and why */
    struct bulk_share {
        struct provider *provider;  /* borrowed from the children */
        unsigned running;
    } *shares;
    size_t nshares;
    int64_t written_ms;
};

struct task {
    atomic_uint refs;
    struct core *core;
    struct task *next;          /* in the queue */
    /* Fixed once it is made. */
    struct pv_id id, subject;
    enum pv_kind kind;
    const struct model_operation *op;
    struct provider *provider;
    struct pv_id parent;
    char *params;               /* JSON text, never NULL */
    char *args;                 /* the same in the driver's words; NULL: to be made. Of the call alone once it runs */
    struct provider *other;     /* of another place that takes part, or NULL; referenced */
    char *native_id, *name, *owner_native_id;   /* of the subject; "" if not known */
    enum pv_kind owner_kind;
    struct pv_id actor_id;
    enum pv_actor_type actor_type;
    char *actor_name;
    int64_t started_ms;         /* wall */
    enum pv_power_state before;
    bool check_again;           /* others worked on the subject when this was asked for */
    struct bulk *bulk;          /* of the parent and the children */
    unsigned order;             /* among the children of an ordered one */
    bool is_parent;
    bool in_bulk;               /* counted as running there; guarded by tasks_lock */
    bool own;                   /* what it changes is ours alone: no provider is asked */
    bool expiry;                /* the server deletes what has had its time */
    bool sent_before;           /* with a stream: what is there may be half of ours */
    bool lost;                  /* what it worked on is not there any more */
    bool shows;                 /* its VM shows what is being done; guarded by tasks_lock */
    atomic_bool reread;         /* the subject was read since */

    enum pv_task_state state;
    enum need need;
    bool cancel, queued, running, ended;
    char wait_code[32];
    int64_t not_before_ms;      /* monotonic */
    unsigned tries;
    struct object *object;

    /* Changed by callbacks of the call alone, and before it. */
    unsigned follows, looks, reads;
    bool cancel_told;           /* a call of it has ended knowing that it was canceled */
    char *journal;              /* guarded by tasks_lock */
    int64_t progress_ms;
    int32_t percent;
    uint32_t step;
    char *result, *undo;        /* undo: NULL: as it was noted when it was asked for */
    struct pv_err failure;      /* why it has to look */
};

static inline bool task_state_final(int64_t s)
{
    return s >= PV_TASK_STATE_SUCCEEDED;
}

/* The subject as the checks need it. */
struct subject {
    struct model_row *row;
    struct provider *provider;      /* referenced; NULL for kinds without one */
    const char *name, *native_id, *owner_native_id;
    struct pv_id lock;              /* what is locked: a snapshot's VM */
    enum pv_kind owner_kind;
    enum pv_power_state power;      /* of the VM, also of a device's */
    bool has_power;                 /* the subject is a VM */
    const struct model_row *vm;     /* the subject, or the VM it belongs to; NULL: none */
};

struct task *task_new(struct core *c, const struct model_operation *op, enum pv_kind kind,
                      const struct pv_id *subject);
void task_ref(struct task *t);
void task_put(struct task *t);
void bulk_put(struct bulk *b);

/* Into the open table. lock: what it works on. false: too many, or out of memory. */
bool task_register_on(struct task *t, const struct pv_id *lock);
/* With a reference, or NULL. */
struct task *task_find(struct core *c, const struct pv_id *id);
/* Open tasks on it. tasks_lock held. */
unsigned object_users(struct core *c, const struct pv_id *lock);
/* Somebody works on it, or waits to. No lock held. */
bool object_is_busy(struct core *c, const struct pv_id *lock);
/* Who works on it, or NULL. tasks_lock held. */
const struct task *object_runner(struct core *c, const struct pv_id *lock);
/* tasks_lock held. */
bool task_is_open(struct core *c, const struct pv_id *id);
/* After a restart: bulk tasks get their children back. */
int bulk_restore(struct core *c, struct pv_err *err);
void task_unregister(struct task *t);
void task_enqueue(struct task *t, bool first);

/* What of the row changes. */
struct task_change {
    enum pv_task_state state;
    bool keep_state, set_started, set_progress;
    const char *wait_reason;        /* JSON; NULL clears */
    const char *native_id, *journal;    /* NULL: as they are */
    int64_t percent;
    const char *step, *bytes, *children;    /* JSON, NULL: as they are */
    bool has_changed, changed;
    const char *result, *undo;      /* NULL: as it is */
    const struct pv_err *error;
};
/* The present numbers of a bulk task. tasks_lock not held. */
void bulk_numbers(const struct task *parent, struct task_change *ch, struct arena *a);
/* Inside a transaction. Final states stay as they are. */
int task_change_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                   const struct task_change *ch, struct pv_err *err);
/* Waits for the commit. */
int task_write(struct task *t, const struct task_change *ch, struct pv_err *err);

/* Ends it; the state is stored, then everybody who waits is told. Any thread, no lock held. */
void task_end(struct task *t, enum pv_task_state state, bool changed, const char *result,
              const struct pv_err *error);
/* The provider has accepted it: call, follow or look. */
void task_start(struct task *t);
/* It could not be handed over, or has to be looked at: back to the queue. */
void task_requeue(struct task *t, enum need need, int64_t delay_ms);
bool task_canceled(struct task *t);
const char *task_subject_json(enum pv_kind kind, const char *native_id, const char *name,
                              const char *owner, struct arena *a);
/* Operations of the server itself. */
void task_core_operation(struct task *t);
/* A child has ended as ch says; the parent's numbers follow. tasks_lock not held. */
void bulk_child_ended(struct task *t, const struct task_change *ch);
/* tasks_lock held: it takes its place in the bulk, or leaves it for a while. */
void bulk_child_started(struct task *t);
void bulk_child_paused(struct task *t);
/* Cancels what is open of it. */
void bulk_cancel(struct task *parent);
/* tasks_lock held. */
bool bulk_has_room(const struct bulk *b, const struct provider *p);
/* Those before it have succeeded. tasks_lock held. */
bool bulk_is_turn(const struct task *t);
/* Those who wait for the task. */
void waiters_tell(struct core *c, const struct pv_id *task);

int subject_load(struct core *c, const struct model_operation *op, enum pv_kind kind,
                 const struct pv_id *id, struct arena *a, struct subject *out, struct pv_err *err);
void subject_free(struct subject *s);
/* Files that somebody at another provider uses are not changed or deleted (shared_files.c). */
int subject_check_files(struct core *c, const struct model_operation *op, const struct subject *s,
                        const json_t *params, struct arena *a, struct pv_err *err);
/* May it be done now? *no_op: there is nothing to do. */
/* Whether the operation's goal is what the row says: 1 yes, 0 no, -1 it has none or nobody knows. */
int subject_goal(const struct model_operation *op, const struct model_row *row);
/* It is done with the parameter force alone. */
bool subject_needs_force(const struct model_operation *op, const struct model_row *row);
int subject_check(struct core *c, const struct model_operation *op, const struct subject *s,
                  const json_t *params, struct arena *a, bool *no_op, struct pv_err *err);
/* The guest is asked, and nobody is there who would hear it. */
bool subject_lacks_tools(const struct model_operation *op, const struct subject *s);
/* The row of a new task, in the arena. */
struct model_row *task_row(struct task *t, const struct core_actor *by, const json_t *params,
                           enum pv_task_state state, struct arena *a);
/* The problem document of its error, as arena text. */
const char *task_error_json(const struct task *t, const struct pv_err *error, struct arena *a);
int task_insert_tx(struct task *t, const struct model_row *row, struct store_tx *tx,
                   struct event_set *events, struct pv_err *err);
/* Fills a task from what was asked. */
int task_fill(struct task *t, const struct core_actor *by, const struct subject *s,
              const json_t *params, struct pv_err *err);
/* {operation, ref, before, after}: what would be done. */
json_t *plan_entry(const struct model_operation *op, enum pv_kind kind, const struct pv_id *id,
                   const struct subject *s, const json_t *params);
/* {operation, ref, params} that takes it back; NULL: there is none, or it shows only when the object is made. */
json_t *plan_undo(const struct model_operation *op, enum pv_kind kind, const struct pv_id *id,
                  const struct subject *s, const json_t *params);
json_t *plan_undo_made(const struct model_operation *op, const struct pv_id *made, const char *name);
json_t *finding(const char *id, const char *severity, const struct pv_err *err);
