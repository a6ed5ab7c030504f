/* SPDX-License-Identifier: Apache-2.0 */
/*
 * link - inner types of the registry; only server/drivers includes this.
 *
 * Each driver has one lock and, once it is used, one thread that owns the
 * connection to its host: it starts the host, sends, receives, watches
 * deadlines and reaps. Sessions queue what they receive and are worked off by
 * the registry's pool. No callback and no system call that may block runs
 * with a driver's lock held.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "drivers/sdk/frame.h"
#include "server/drivers/registry.h"

struct workers;

#define LINK_CALLS_MAX 1024u        /* of a session */
#define LINK_SESSIONS_MAX 4096u     /* of a driver */
#define LINK_OUT_MAX 65536u         /* frames that wait to be sent */
#define LINK_LOG_LINES 50u          /* of a driver in one second; the rest is counted */
#define LINK_CRASHES_MAX 32u
#define LINK_PROVIDER_MAX (1u << 20)
#define LINK_CURSOR_MAX (64u << 10)

/* ---- hostclient.c and inproc.c: one running host */
struct inproc;
struct host {
    int fd;                 /* ours of the pair, non-blocking; -1: there is none */
    pid_t pid;              /* 0 in process */
    struct inproc *inproc;
};
int host_start(const struct drivers *d, const char *driver, bool describe, struct host *out,
               struct pv_err *err);
/* Ends it now. `how` says what became of it, for people. */
void host_kill(struct host *h, char *how, size_t cap);
/* Closes the connection, gives it `wait_ms` to end by itself, then kills. */
void host_finish(struct host *h, unsigned wait_ms);
int inproc_start(const struct drivers *d, const char *driver, bool describe, struct host *out,
                 struct pv_err *err);
/* false: it still runs after wait_ms; it is left behind. */
bool inproc_finish(struct inproc *p, unsigned wait_ms);

/* ---- sessions */
enum item_type { ITEM_OPENED, ITEM_BATCH, ITEM_MARK, ITEM_PROVIDER, ITEM_PROGRESS, ITEM_RESULT,
                 ITEM_DOWN };

struct item {
    struct item *next;
    enum item_type type;
    uint64_t call;
    struct frame frame;         /* what the members below point into */
    struct pv_failure failure;  /* OPENED, RESULT */
    struct pv_batch batch;
    const char *text;           /* cursor, json or result */
    enum pv_mark mark;
    enum driver_down down;
    struct pv_err err;          /* DOWN */
};

struct open_call {
    struct open_call *next;
    uint64_t number;
    int64_t cancel_until_ms;    /* 0: the host has not been told to cancel */
    bool ended;                 /* its result has come and is queued */
    struct item *spare;         /* for a result that we make: it must not fail for want of memory */
    bool progress_queued;
    struct pv_progress progress;
    char step_name[256], job[512];
    char *native_ref;           /* owned; told, and not delivered yet */
};

struct driver_session {
    struct driver_session *next;
    struct driver *driver;
    uint64_t number;
    const struct driver_session_ops *ops;
    void *ctx;
    drivers_probe_fn probe;     /* a session of one probe, without ops */
    pthread_cond_t idle;        /* these are guarded by driver.lock */
    struct item *items, **items_end;
    struct open_call *calls;
    unsigned ncalls;
    unsigned windowed;          /* batches, marks and facts not yet acknowledged */
    unsigned refs;              /* the user's, and the pool's while it is queued there */
    bool queued, running, closed, down, opened;
    bool stuck;                 /* has items, but the pool had no memory for it */
    struct item *spare;         /* for on_down */
    pthread_t runner;
};

struct out_frame {
    struct out_frame *next;
    enum frame_type type;
    uint64_t call;
    struct buf payload;
    int stream;                 /* owned; -1: none */
};

/* A session that is being closed by the host. */
struct closing {
    struct closing *next;
    uint64_t number;
    int64_t until_ms;   /* INT64_MAX until the host has been told */
};

struct driver {
    struct drivers *registry;
    char name[40];
    pthread_mutex_t lock;
    /* guarded by lock */
    enum driver_state state;
    char *version, *schema, *operations;    /* owned; NULL while broken */
    unsigned abi_minor;
    struct pv_err error;
    struct driver_session *sessions;
    unsigned nsessions;
    struct closing *closing;
    struct out_frame *out, **out_end;
    unsigned nout;
    bool started, ending;
    int64_t crashed_ms[LINK_CRASHES_MAX];
    unsigned ncrashes;
    struct backoff backoff;
    int64_t start_at_ms;
    bool restart;               /* drivers_unpark wants a fresh start */
    /* the thread's own */
    pthread_t thread;
    int wake_fd;
    struct host host;
    bool introduced;            /* HELLO has come */
    int64_t started_ms;
    int64_t log_second;         /* lines of the driver's are counted by the second */
    unsigned log_lines, log_lost;
};

struct drivers {
    char *dir, *host_program;
    enum drivers_isolation isolation;
    struct drivers_timing timing;
    struct workers *pool;
    struct driver **list;       /* by name */
    size_t count, room;
    atomic_uint_fast64_t numbers;
};

/* ---- session.c; the driver's lock is held, except where said */
struct driver_session *session_new(struct driver *dr, const struct driver_session_ops *ops,
                                   void *ctx);
void session_free(struct driver_session *s);
/* Takes it out of the driver's list. */
void session_unlink(struct driver_session *s);
/* Takes the item. */
void session_push(struct driver_session *s, struct item *item);
struct open_call *session_call(struct driver_session *s, uint64_t number);
/* NULL: too many, no memory, or the session is over. */
struct open_call *session_call_new(struct driver_session *s);
/* Remembers progress and queues it, unless it is queued already. */
void session_progress(struct driver_session *s, struct open_call *c,
                      const struct pv_progress *progress);
/* Ends every call with `why`, then tells the session. */
void session_down(struct driver_session *s, enum driver_down reason, const struct pv_err *why);
/* Submits sessions again that the pool had no memory for; true if some are left. */
bool session_retry(struct driver *dr);
/* The session is `closed` and out of the driver's list. Waits for a running callback of another thread, lets go of
 * the lock, and frees the session when nobody has it any more. */
void session_detach(struct driver_session *s);
void item_free(struct item *item);

/* ---- link.c; the driver's lock is held */
/* Queues a frame for the host; takes the payload's memory. false: full or no memory. */
bool link_send(struct driver *dr, enum frame_type type, uint64_t call, struct buf *payload,
               bool limited);
/* The same for a FRAME_STREAM; takes `stream`, also when it fails. */
bool link_send_stream(struct driver *dr, uint64_t call, struct buf *payload, int stream);
/* Tells the host that a place of the window is free. */
void link_ack(struct driver *dr, uint64_t session, int rc);
/* Tells the host what came of the native reference that a call told. */
void link_told(struct driver *dr, uint64_t session, uint64_t call, int rc);
bool link_start(struct driver *dr);
void link_wake(struct driver *dr);
/* Asks the host to close a session. */
void link_close(struct driver *dr, uint64_t session);
/* Forgets what is queued for the host. */
void link_forget(struct driver *dr);
