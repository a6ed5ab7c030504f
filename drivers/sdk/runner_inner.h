/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner_inner - what the files of the runner share; nobody else's.
 *
 * Lock order: runner.lock, then runner.send_lock. No driver function and no
 * send runs with runner.lock held.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/sdk/frame.h"
#include "drivers/sdk/load.h"

#define RUNNER_POOL 32u
#define RUNNER_JOBS_MAX 8192u

struct secret {
    char *name, *value;     /* owned, wiped */
    size_t len;
};

/* A descriptor that the server has lent to a call. */
struct stream {
    struct stream *next;
    uint64_t call, number;
    int fd;                 /* owned, non-blocking */
};

struct asked {
    struct asked *next;      /* guarded by runner.lock */
    struct session *session;
    uint64_t number;
    struct frame frame;     /* the arguments */
    atomic_bool cancelled;
    char *native_ref;       /* the server has it; the call's thread's own */
    struct stream *streams; /* owned; fixed before the call runs */
    bool telling;           /* a new one is on its way to be stored; these are guarded by runner.lock */
    int told;               /* what came of it */
};

enum session_state { SESSION_OPENING, SESSION_OPEN, SESSION_FAILED };

struct session {
    struct session *next;           /* guarded by runner.lock */
    struct runner *runner;
    uint64_t number;
    struct pv_host host;            /* what the driver sees */
    struct frame frame;             /* config and secrets; gone after open */
    void *driver_session;
    struct secret *secrets;
    size_t nsecrets;
    atomic_bool stopping;           /* everything in it is to end */
    pthread_cond_t changed;         /* unacked, stopping, or the cancelled or telling of a call */
    enum session_state state;       /* these are guarded by runner.lock */
    int failed;                     /* SESSION_FAILED: why it was not opened; every call gets the same answer */
    char failed_why[256];
    struct asked *calls;             /* running or queued */
    struct asked *waiting;           /* came before open had ended */
    struct stream *streams;         /* of calls that have not come yet */
    unsigned active;                /* calls, and open while it runs */
    unsigned unacked;
    bool watched, closing, refused;
    bool probe;                     /* set once: it has one call and reports no objects */
};

struct job {
    struct job *next;
    void (*fn)(void *arg);
    void *arg;
};

struct runner {
    const struct sdk_plugin *plugin;
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t work;            /* jobs, or ending */
    pthread_cond_t drained;         /* sessions or threads got fewer */
    struct session *sessions;       /* these are guarded by lock */
    struct job *jobs, **jobs_end;
    pthread_t ended;                /* the thread that ended last, if any_ended; joins those before it */
    bool any_ended;
    unsigned njobs, threads, pool, idle;   /* threads: all of them, pool: of the pool */
    bool ending;
    pthread_mutex_t send_lock;
};

/* The call that this thread works for, or NULL. */
extern _Thread_local struct asked *runner_current;

struct session *runner_session(struct runner *r, uint64_t number);  /* runner.lock is held */

/* pool.c: false when there is no memory or too much to do. runner.lock is held. */
bool runner_submit(struct runner *r, void (*fn)(void *arg), void *arg);
/* A thread of its own. */
bool runner_thread(struct runner *r, void (*fn)(void *arg), void *arg, size_t stack);
/* After r->threads has become 0: waits until the last of them is gone altogether. */
void runner_join(struct runner *r);

/* runner_host.c: what drivers may call, and sending. */
void runner_host_init(struct session *s);
/* Sends a frame; on failure the connection is given up. */
int runner_send(struct runner *r, enum frame_type type, uint64_t call, struct buf *payload);
/* runner_stream.c */
int64_t runner_stream_read(void *ctx, uint64_t stream, void *buf, size_t cap);
int64_t runner_stream_write(void *ctx, uint64_t stream, const void *buf, size_t len);
/* Keeps what came with a FRAME_STREAM until its call comes. */
int runner_stream_take(struct runner *r, struct frame *f, struct pv_err *err);
/* Those of the call become the call's. runner.lock is held. */
void runner_stream_give(struct session *s, struct asked *c);
void runner_streams_free(struct stream *list);

/* The call of this thread, or the session, is to end. */
bool runner_to_stop(const struct session *s);
bool runner_secrets_set(struct session *s, const char *json);
void runner_secrets_wipe(struct session *s);
