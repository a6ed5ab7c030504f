/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that wait for a task's end.
 */
#include "server/core/task.h"

#include <stdlib.h>

#define WAIT_MOST_MS 600000

struct waiter {
    struct waiter *next;
    struct core *core;
    struct pv_id task;
    void (*done)(void *ctx, bool final);
    void *ctx;
    unsigned refs;          /* the list's and the timer's; guarded by tasks_lock */
    bool told;              /* guarded by tasks_lock */
};

/* tasks_lock held. */
static void drop(struct waiter *w)
{
    if (--w->refs == 0)
        free(w);
}

/* tasks_lock held; true: this caller tells it. */
static bool claim(struct core *c, struct waiter *w)
{
    struct waiter **at;

    if (w->told)
        return false;
    w->told = true;
    for (at = &c->waiters; *at && *at != w; at = &(*at)->next)
        ;
    if (*at) {
        *at = w->next;
        w->refs--;
    }
    return true;
}

static void timed_out(void *arg)
{
    struct waiter *w = arg;
    struct core *c = w->core;
    bool mine;

    pthread_mutex_lock(&c->tasks_lock);
    mine = claim(c, w);
    pthread_mutex_unlock(&c->tasks_lock);
    if (mine)
        w->done(w->ctx, false);
    pthread_mutex_lock(&c->tasks_lock);
    drop(w);
    pthread_mutex_unlock(&c->tasks_lock);
}

void waiters_tell(struct core *c, const struct pv_id *task)
{
    struct waiter *w;

    do {
        pthread_mutex_lock(&c->tasks_lock);
        for (w = c->waiters; w && !id_eq(&w->task, task); w = w->next)
            ;
        if (w) {
            w->refs++;
            claim(c, w);
        }
        pthread_mutex_unlock(&c->tasks_lock);
        if (w) {
            w->done(w->ctx, true);
            pthread_mutex_lock(&c->tasks_lock);
            drop(w);
            pthread_mutex_unlock(&c->tasks_lock);
        }
    } while (w);
}

void waiters_end(struct core *c)
{
    while (c->waiters) {
        struct waiter *w = c->waiters;

        c->waiters = w->next;
        if (!w->told)
            w->done(w->ctx, false);
        drop(w);
    }
}

static int is_final(struct core *c, const struct pv_id *task, bool *final, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct model_row *row;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory to wait");
    rc = store_row_get(c->store, c->kinds[PV_KIND_task].shape, task, a, &row, err);
    if (rc == PV_OK)
        *final = task_state_final(model_number(row, F(task, state)));
    return rc;
}

static bool add_if_open(struct core *c, struct waiter *w)
{
    bool open;

    pthread_mutex_lock(&c->tasks_lock);
    open = task_is_open(c, &w->task);
    if (open) {
        w->next = c->waiters;
        c->waiters = w;
    }
    pthread_mutex_unlock(&c->tasks_lock);
    return open;
}

int core_task_wait(struct core *c, const struct pv_id *task, int64_t timeout_ms,
                   void (*done)(void *ctx, bool final), void *ctx, struct pv_err *err)
{
    struct waiter *w = calloc(1, sizeof(*w));
    bool final = false;
    int rc;

    if (!w)
        return pv_fail(err, PV_ENOMEM, "no memory to wait");
    *w = (struct waiter){ .core = c, .task = *task, .done = done, .ctx = ctx, .refs = 2 };
    if (add_if_open(c, w)) {
        if (timeout_ms > WAIT_MOST_MS)
            timeout_ms = WAIT_MOST_MS;
        if (!core_later(c, timeout_ms < 0 ? 0 : timeout_ms, timed_out, w))
            timed_out(w);
        return PV_OK;
    }
    free(w);
    rc = is_final(c, task, &final, err);
    if (rc == PV_OK)
        done(ctx, final);
    return rc;
}
