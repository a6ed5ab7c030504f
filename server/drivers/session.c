/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what came in, in order, and who is told. */
#include "server/drivers/link.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>
#include <polyvisor/workers.h>

#include "drivers/sdk/fail.h"

#define AT_ONCE 16u     /* items a session may work off before others have their turn */

void item_free(struct item *item)
{
    frame_free(&item->frame);
    free(item);
}

struct driver_session *session_new(struct driver *dr, const struct driver_session_ops *ops,
                                   void *ctx)
{
    struct driver_session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->spare = calloc(1, sizeof(*s->spare));
    if (!s->spare) {
        free(s);
        return NULL;
    }
    s->driver = dr;
    s->number = atomic_fetch_add(&dr->registry->numbers, 1);
    s->ops = ops;
    s->ctx = ctx;
    s->items_end = &s->items;
    s->refs = 1;
    pthread_cond_init(&s->idle, NULL);
    return s;
}

static void call_free(struct open_call *c)
{
    free(c->spare);
    free(c->native_ref);
    free(c);
}

static void drop_items(struct driver_session *s)
{
    while (s->items) {
        struct item *item = s->items;

        s->items = item->next;
        item_free(item);
    }
    s->items_end = &s->items;
}

void session_free(struct driver_session *s)
{
    drop_items(s);
    while (s->calls) {
        struct open_call *c = s->calls;

        s->calls = c->next;
        call_free(c);
    }
    free(s->spare);
    pthread_cond_destroy(&s->idle);
    free(s);
}

struct open_call *session_call(struct driver_session *s, uint64_t number)
{
    struct open_call *c = s->calls;

    while (c && c->number != number)
        c = c->next;
    return c;
}

struct open_call *session_call_new(struct driver_session *s)
{
    struct open_call *c;

    if (s->closed || s->down || s->ncalls >= LINK_CALLS_MAX)
        return NULL;
    c = calloc(1, sizeof(*c));
    if (!c || !(c->spare = calloc(1, sizeof(*c->spare)))) {
        free(c);
        return NULL;
    }
    c->number = atomic_fetch_add(&s->driver->registry->numbers, 1);
    c->next = s->calls;
    s->calls = c;
    s->ncalls++;
    return c;
}

static void call_remove(struct driver_session *s, uint64_t number)
{
    struct open_call **at = &s->calls;

    while (*at && (*at)->number != number)
        at = &(*at)->next;
    if (*at) {
        struct open_call *c = *at;

        *at = c->next;
        s->ncalls--;
        call_free(c);
    }
}

/* The newest progress, its texts in the caller's buffers; a native reference becomes the caller's. */
static bool take_progress(struct driver_session *s, uint64_t number, struct open_call *out)
{
    struct open_call *c = session_call(s, number);

    if (!c)
        return false;
    c->progress_queued = false;
    *out = *c;
    out->progress.step_name = out->step_name[0] ? out->step_name : NULL;
    out->progress.job = out->job[0] ? out->job : NULL;
    out->progress.native_ref = out->native_ref;
    c->native_ref = NULL;
    return true;
}

/* One item to whom it is for. The lock is not held; answers what to acknowledge with. */
static int deliver(struct driver_session *s, struct item *item, struct open_call *progress)
{
    const struct driver_session_ops *ops = s->ops;

    if (s->probe) {
        if (item->type == ITEM_RESULT)
            s->probe(s->ctx, item->call, &item->failure, item->text);
        return PV_OK;
    }
    switch (item->type) {
    case ITEM_OPENED:
        ops->on_open(s->ctx, &item->failure);
        return PV_OK;
    case ITEM_BATCH:
        return ops->on_batch(s->ctx, &item->batch);
    case ITEM_MARK:
        ops->on_mark(s->ctx, item->mark, item->text);
        return PV_OK;
    case ITEM_PROVIDER:
        ops->on_provider(s->ctx, item->text);
        return PV_OK;
    case ITEM_PROGRESS:
        return ops->on_progress(s->ctx, item->call, &progress->progress);
    case ITEM_RESULT:
        ops->on_result(s->ctx, item->call, &item->failure, item->text);
        return PV_OK;
    case ITEM_DOWN:
        ops->on_down(s->ctx, item->down, &item->err);
        return PV_OK;
    }
    return PV_OK;
}

/* Delivers the first item. The lock is held, and let go meanwhile. */
static void work_item(struct driver_session *s)
{
    struct item *item = s->items;
    struct driver *dr = s->driver;
    struct open_call progress = { 0 };
    bool windowed = item->type == ITEM_BATCH || item->type == ITEM_MARK ||
                    item->type == ITEM_PROVIDER;
    int rc = PV_OK;

    s->items = item->next;
    if (!s->items)
        s->items_end = &s->items;
    if (item->type == ITEM_RESULT)
        call_remove(s, item->call);
    if (item->type != ITEM_PROGRESS || take_progress(s, item->call, &progress)) {
        pthread_mutex_unlock(&dr->lock);
        rc = deliver(s, item, &progress);
        pthread_mutex_lock(&dr->lock);
    }
    if (windowed && !s->closed && !s->down) {
        s->windowed--;
        link_ack(dr, s->number, rc);
    }
    if (progress.native_ref && !s->closed && !s->down)
        link_told(dr, s->number, item->call, rc);
    free(progress.native_ref);
    item_free(item);
}

void session_unlink(struct driver_session *s)
{
    struct driver_session **at = &s->driver->sessions;

    while (*at && *at != s)
        at = &(*at)->next;
    if (*at) {
        *at = s->next;
        s->driver->nsessions--;
    }
}

/* A probe is over when its answer has been told. */
static void probe_over(struct driver_session *s)
{
    session_unlink(s);
    s->closed = true;
    if (!s->down)
        link_close(s->driver, s->number);
    s->refs--;
}

/* The pool's job. */
static void session_run(void *arg)
{
    struct driver_session *s = arg;
    struct driver *dr = s->driver;
    bool last;

    pthread_mutex_lock(&dr->lock);
    s->running = true;
    s->runner = pthread_self();
    for (unsigned i = 0; i < AT_ONCE && s->items && !s->closed; i++) {
        bool answer = s->items->type == ITEM_RESULT;

        work_item(s);
        if (s->probe && answer && !s->closed)
            probe_over(s);
    }
    s->running = false;
    pthread_cond_broadcast(&s->idle);
    if (s->items && !s->closed) {
        s->stuck = !workers_submit(dr->registry->pool, session_run, s);
        if (s->stuck)
            link_wake(dr);
        if (!s->stuck) {
            pthread_mutex_unlock(&dr->lock);
            return;
        }
    }
    s->queued = false;
    last = --s->refs == 0;
    pthread_mutex_unlock(&dr->lock);
    if (last)
        session_free(s);
}

static void enqueue(struct driver_session *s)
{
    if (s->queued)
        return;
    s->stuck = !workers_submit(s->driver->registry->pool, session_run, s);
    if (s->stuck) {
        link_wake(s->driver);
        return;
    }
    s->queued = true;
    s->refs++;
}

void session_push(struct driver_session *s, struct item *item)
{
    item->next = NULL;
    *s->items_end = item;
    s->items_end = &item->next;
    enqueue(s);
}

bool session_retry(struct driver *dr)
{
    bool left = false;

    for (struct driver_session *s = dr->sessions; s; s = s->next) {
        if (s->stuck && s->items && !s->queued)
            enqueue(s);
        left = left || s->stuck;
    }
    return left;
}

/* false: no memory for the native reference. */
static bool keep_progress(struct open_call *c, const struct pv_progress *progress)
{
    c->progress = *progress;
    if (progress->step_name)
        str_copy(c->step_name, sizeof(c->step_name), progress->step_name);
    if (!progress->native_ref)
        return true;
    str_copy(c->job, sizeof(c->job), progress->job ? progress->job : "");
    free(c->native_ref);
    c->native_ref = strdup(progress->native_ref);
    return c->native_ref;
}

void session_progress(struct driver_session *s, struct open_call *c,
                      const struct pv_progress *progress)
{
    struct item *item = c->progress_queued ? NULL : calloc(1, sizeof(*item));

    if (!keep_progress(c, progress) || (!item && !c->progress_queued)) {
        free(item);
        if (progress->native_ref)
            link_told(s->driver, s->number, c->number, PV_ENOMEM);
        return;
    }
    if (!item)
        return;
    item->type = ITEM_PROGRESS;
    item->call = c->number;
    c->progress_queued = true;
    session_push(s, item);
}

void session_down(struct driver_session *s, enum driver_down reason, const struct pv_err *why)
{
    struct item *item;

    if (s->down)
        return;
    s->down = true;
    for (struct open_call *c = s->calls; c; c = c->next) {
        if (c->ended)
            continue;
        c->ended = true;
        item = c->spare;
        c->spare = NULL;
        item->type = ITEM_RESULT;
        item->call = c->number;
        item->failure = (struct pv_failure){ .size = sizeof(item->failure) };
        sdk_fail(&item->failure, why);
        session_push(s, item);
    }
    item = s->spare;
    s->spare = NULL;
    item->type = ITEM_DOWN;
    item->down = reason;
    item->err = *why;
    session_push(s, item);
}

void session_detach(struct driver_session *s)
{
    struct driver *dr = s->driver;
    bool last;

    while (s->running && !pthread_equal(s->runner, pthread_self()))
        pthread_cond_wait(&s->idle, &dr->lock);
    drop_items(s);
    last = --s->refs == 0;
    pthread_mutex_unlock(&dr->lock);
    if (last)
        session_free(s);
}
