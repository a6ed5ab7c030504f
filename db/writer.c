/* SPDX-License-Identifier: Apache-2.0 */
#include "db/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#define QUEUE_MAX 10000
#define GROUP_MAX 500
#define HOOKS_MAX (1u << 20)
#define TX_ARENA_FIRST (256u << 10)
#define TX_ARENA_LIMIT (512u << 20)
#define IDLE_MS 2000 /* nothing to write for so long: look after the file */

struct job {
    struct job *next;
    store_fn fn;
    void *arg;
    store_done done;
    bool waits;    /* somebody waits for it: not ours to free */
    bool finished; /* under the lock */
    int rc;
    struct pv_err err;
    uint32_t changed[PV_KIND_MAX + 1];
    size_t hooks_end; /* its hooks end here in the group's list; they begin where the job before
                         ends */
};

struct writer {
    struct store *store;
    struct conn *conn;
    unsigned group_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t arrived, done;
    struct job *first, *last; /* waiting to be run */
    size_t queued;
    bool ending;
    struct store_tx tx;
};

int tx_after_commit(struct store_tx *tx, store_hook fn, void *arg, struct pv_err *err)
{
    if (tx->nhooks == tx->hooks_cap) {
        size_t cap = tx->hooks_cap ? tx->hooks_cap * 2 : 64;
        struct store_hook_entry *more =
            cap <= HOOKS_MAX ? realloc(tx->hooks, cap * sizeof(*more)) : NULL;

        if (!more)
            return pv_fail(err, PV_ENOMEM, "too much to do after the commit");
        tx->hooks = more;
        tx->hooks_cap = cap;
    }
    tx->hooks[tx->nhooks++] = (struct store_hook_entry){ fn, arg };
    return PV_OK;
}

struct arena *tx_arena(struct store_tx *tx)
{
    return tx->arena;
}

/* One function in a savepoint of its own. Its failure is its own, unless the engine gave up the
 * transaction. */
static void run_job(struct writer *w, struct job *j)
{
    struct store_tx *tx = &w->tx;
    size_t hooks = tx->nhooks;
    struct pv_err err = { 0 };
    int rc = conn_exec(w->conn, "SAVEPOINT f", &err);

    memset(tx->changed, 0, sizeof(tx->changed));
    if (rc == PV_OK)
        rc = j->fn(tx, j->arg, &err);
    if (!conn_idle(w->conn)) {
        if (rc != PV_OK)
            conn_exec(w->conn, "ROLLBACK TO f", NULL);
        conn_exec(w->conn, "RELEASE f", NULL);
    } else if (rc == PV_OK) {
        rc = pv_fail(&err, PV_EINTERNAL, "the transaction ended early");
    }
    arena_reset(tx->arena);
    if (rc != PV_OK)
        tx->nhooks = hooks;
    j->rc = rc;
    j->err = err;
    j->hooks_end = tx->nhooks;
    memcpy(j->changed, tx->changed, sizeof(j->changed));
}

static struct job *take(struct writer *w)
{
    struct job *j = w->first;

    if (!j)
        return NULL;
    w->first = j->next;
    if (!w->first)
        w->last = NULL;
    w->queued--;
    j->next = NULL;
    return j;
}

static void fail_job(struct job *j, int rc, const struct pv_err *err)
{
    j->rc = rc;
    j->err = *err;
}

/* Commit; false: nothing of the group is on disk, *err says why. */
static bool commit(struct writer *w, struct pv_err *err)
{
    if (conn_idle(w->conn)) {
        if (!err->rc)
            pv_fail(err, PV_EINTERNAL, "the transaction ended early");
        return false;
    }
    if (conn_exec(w->conn, "COMMIT", err) == PV_OK)
        return true;
    if (!conn_idle(w->conn))
        conn_exec(w->conn, "ROLLBACK", NULL);
    return false;
}

/* Tell what a committed function changed, and run what it left to do. */
static void publish(struct writer *w, const struct job *j, size_t hooks_from)
{
    if (j->rc != PV_OK)
        return;
    for (size_t k = 0; k <= PV_KIND_MAX; k++)
        if (j->changed[k])
            atomic_fetch_add(&w->store->changes[k], j->changed[k]);
    for (size_t i = hooks_from; i < j->hooks_end; i++)
        w->tx.hooks[i].fn(w->tx.hooks[i].arg);
}

static void finish(struct writer *w, struct job *j)
{
    if (j->done)
        j->done(j->arg, j->rc, &j->err);
    if (!j->waits) {
        free(j);
        return;
    }
    pthread_mutex_lock(&w->lock);
    j->finished = true;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

/* A function alone in its transaction: what it answers is its own fault or success. */
static void run_alone(struct writer *w, struct job *j)
{
    struct pv_err err = { 0 };
    int rc;

    w->tx.nhooks = 0;
    rc = conn_exec(w->conn, "BEGIN IMMEDIATE", &err);
    if (rc != PV_OK) {
        fail_job(j, rc, &err);
        return;
    }
    run_job(w, j);
    if (j->rc != PV_OK) {
        if (!conn_idle(w->conn))
            conn_exec(w->conn, "ROLLBACK", NULL);
        return;
    }
    if (!commit(w, &err))
        fail_job(j, err.rc, &err);
}

static void finish_group(struct writer *w, struct job *group)
{
    size_t hooks = 0;

    for (struct job *j = group; j; j = j->next) {
        publish(w, j, hooks);
        hooks = j->hooks_end;
    }
    while (group) {
        struct job *next = group->next;

        finish(w, group);
        group = next;
    }
}

/* The group could not be committed as one: each by itself, in order. */
static void run_each(struct writer *w, struct job *group)
{
    while (group) {
        struct job *next = group->next;

        group->next = NULL;
        run_alone(w, group);
        finish_group(w, group);
        group = next;
    }
}

/* Functions as they come, until there are none, or enough, or time is up. */
static struct job *collect(struct writer *w, struct job *first)
{
    int64_t until = clock_mono_ms() + w->group_ms;
    struct job *end = first;

    w->tx.nhooks = 0;
    run_job(w, first);
    for (size_t n = 1; n < GROUP_MAX && !conn_idle(w->conn) && clock_mono_ms() < until; n++) {
        struct job *j;

        pthread_mutex_lock(&w->lock);
        j = take(w);
        pthread_mutex_unlock(&w->lock);
        if (!j)
            break;
        end->next = j;
        end = j;
        run_job(w, j);
    }
    return first;
}

static void run_group(struct writer *w, struct job *first)
{
    struct pv_err err = { 0 };
    struct job *group;

    if (conn_exec(w->conn, "BEGIN IMMEDIATE", &err) != PV_OK) {
        fail_job(first, err.rc, &err);
        first->hooks_end = 0;
        finish_group(w, first);
        return;
    }
    group = collect(w, first);
    if (commit(w, &err)) {
        finish_group(w, group);
    } else if (group->next) {
        run_each(w, group);
    } else {
        if (group->rc == PV_OK)
            fail_job(group, err.rc, &err);
        finish_group(w, group);
    }
}

static void look_after(struct writer *w)
{
    conn_exec(w->conn, "PRAGMA optimize", NULL);
    conn_checkpoint(w->conn);
}

/* The next function, NULL at the end. Waits; looks after the file once when nothing comes for a
 * while. */
static struct job *next_job(struct writer *w, bool *dirty)
{
    struct job *j;

    pthread_mutex_lock(&w->lock);
    while (!(j = take(w)) && !w->ending) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += IDLE_MS / 1000;
        if (!*dirty) {
            pthread_cond_wait(&w->arrived, &w->lock);
        } else if (pthread_cond_timedwait(&w->arrived, &w->lock, &until) != 0 && !w->first) {
            *dirty = false;
            pthread_mutex_unlock(&w->lock);
            look_after(w);
            pthread_mutex_lock(&w->lock);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    bool dirty = true;
    struct job *j;

    while ((j = next_job(w, &dirty))) {
        run_group(w, j);
        dirty = true;
    }
    return NULL;
}

static int enqueue(struct writer *w, struct job *j, struct pv_err *err)
{
    pthread_mutex_lock(&w->lock);
    if (w->queued >= QUEUE_MAX) {
        pthread_mutex_unlock(&w->lock);
        return pv_fail(err, PV_ENOMEM, "too many writes are waiting");
    }
    if (w->last)
        w->last->next = j;
    else
        w->first = j;
    w->last = j;
    w->queued++;
    pthread_cond_signal(&w->arrived);
    pthread_mutex_unlock(&w->lock);
    return PV_OK;
}

int store_write(struct store *s, store_fn fn, void *arg, struct pv_err *err)
{
    struct writer *w = s->writer;
    struct job j = { .fn = fn, .arg = arg, .waits = true };
    int rc = enqueue(w, &j, err);

    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&w->lock);
    while (!j.finished)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    if (err && j.rc != PV_OK)
        *err = j.err;
    return j.rc;
}

int store_write_later(struct store *s, store_fn fn, void *arg, store_done done, struct pv_err *err)
{
    struct job *j = calloc(1, sizeof(*j));
    int rc;

    if (!j)
        return pv_fail(err, PV_ENOMEM, "no memory for a write");
    j->fn = fn;
    j->arg = arg;
    j->done = done;
    rc = enqueue(s->writer, j, err);
    if (rc != PV_OK)
        free(j);
    return rc;
}

static int write_nothing(struct store_tx *tx, void *arg, struct pv_err *err)
{
    (void)tx;
    (void)arg;
    (void)err;
    return PV_OK;
}

int store_settle(struct store *s, struct pv_err *err)
{
    return store_write(s, write_nothing, NULL, err);
}

static void writer_free(struct writer *w)
{
    arena_free(w->tx.arena);
    free(w->tx.hooks);
    pthread_cond_destroy(&w->arrived);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

int writer_start(struct store *s, struct conn *conn, unsigned group_ms, struct writer **out,
                 struct pv_err *err)
{
    struct writer *w = calloc(1, sizeof(*w));
    int errnum;

    if (!w)
        return pv_fail(err, PV_ENOMEM, "no memory for the writer");
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->arrived, NULL);
    pthread_cond_init(&w->done, NULL);
    w->store = s;
    w->conn = conn;
    w->group_ms = group_ms;
    w->tx.store = s;
    w->tx.conn = conn;
    w->tx.arena = arena_new(TX_ARENA_FIRST, TX_ARENA_LIMIT);
    errnum = w->tx.arena ? pthread_create(&w->thread, NULL, writer_main, w) : ENOMEM;
    if (errnum) {
        writer_free(w);
        return pv_fail_os(err, errnum, "the writer's thread");
    }
    *out = w;
    return PV_OK;
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->arrived);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    conn_checkpoint(w->conn);
    conn_close(w->conn);
    writer_free(w);
}
