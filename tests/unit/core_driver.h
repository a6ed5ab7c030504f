/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_driver - drivers that do what the test says, for a core under test.
 *
 * The registry's functions are defined here, so the test plays every driver:
 * it sees the calls and sends batches, marks and results, in order, on one
 * thread a session. core_fake.h puts a core on top.
 */
#pragma once

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/log.h>
#include <polyvisor/model.h>
#include <polyvisor/records.h>
#include <polyvisor/str.h>

#include "db/store.h"
#include "server/core/core.h"
#include "server/drivers/registry.h"
#include "tests/support/remove_tree.h"

#define CALLS_MAX 4096

enum act { ACT_OPEN, ACT_BATCH, ACT_MARK, ACT_FACTS, ACT_PROGRESS, ACT_RESULT, ACT_DOWN };

struct act_item {
    struct act_item *next;
    enum act act;
    struct pv_batch batch;
    enum pv_mark mark;
    uint64_t call;
    struct pv_failure failure;
    struct pv_progress progress;
    char *text;             /* facts, result, cursor, native reference */
};

enum call_what { CALLED_WATCH, CALLED_REFRESH, CALLED_OPERATION };

struct called {
    uint64_t number;
    enum call_what what;
    char operation[64], subject[512], args[512], native_ref[64], cursor[64];
    enum pv_kind kind;
    uint32_t flags;
    bool canceled, answered;
    struct driver_session *session;
};

struct driver_session {
    struct drivers *fake;
    struct driver_session *next;
    const struct driver_session_ops *ops;
    void *ctx;
    char name[64];
    pthread_t thread;
    struct act_item *items, **end;
    bool closing, busy, down;
    struct pv_host host;
    struct pv_builder *builder;
};

struct drivers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    struct driver_session *sessions;
    struct called *calls;
    size_t ncalls, opened;
    uint64_t numbers;
    struct pv_failure open_failure;
    bool hold_refresh;      /* the test answers refreshes itself */
    bool hold_cancel;       /* ... and calls that are canceled */
    int stored;             /* what the core said of the last progress; read it after drain() */
    int refresh_code;
    const char *operations; /* what the driver implements: words in one text */
};

static inline void fake_lock(struct drivers *f)
{
    pthread_mutex_lock(&f->lock);
}

static inline void fake_unlock(struct drivers *f)
{
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
}

static inline bool fake_wait_until(struct drivers *f, int64_t deadline)
{
    struct timespec ts = { .tv_sec = deadline / 1000, .tv_nsec = (deadline % 1000) * 1000000 };

    return pthread_cond_timedwait(&f->changed, &f->lock, &ts) == 0 || clock_mono_ms() < deadline;
}

static inline void item_run(struct driver_session *s, struct act_item *i)
{
    char job[128];

    switch (i->act) {
    case ACT_OPEN:
        s->ops->on_open(s->ctx, &i->failure);
        break;
    case ACT_BATCH:
        s->ops->on_batch(s->ctx, &i->batch);
        break;
    case ACT_MARK:
        s->ops->on_mark(s->ctx, i->mark, i->text);
        break;
    case ACT_FACTS:
        s->ops->on_provider(s->ctx, i->text);
        break;
    case ACT_PROGRESS:
        i->progress.native_ref = i->text;
        if (i->text)
            snprintf(job, sizeof(job), "job of %.100s", i->text);
        i->progress.job = i->text ? job : NULL;
        s->fake->stored = s->ops->on_progress(s->ctx, i->call, &i->progress);
        break;
    case ACT_RESULT:
        s->ops->on_result(s->ctx, i->call, &i->failure, i->text);
        break;
    case ACT_DOWN: {
        struct pv_err err = { 0 };

        pv_fail_as(&err, "driver-crashed", "the driver has crashed");
        s->ops->on_down(s->ctx, DRIVER_DOWN_CRASHED, &err);
        break;
    }
    }
}

static inline void item_free(struct act_item *i)
{
    free((void *)(uintptr_t)i->batch.records);
    free((void *)(uintptr_t)i->batch.blob);
    free(i->text);
    free(i);
}

static inline void *session_main(void *arg)
{
    struct driver_session *s = arg;
    struct drivers *f = s->fake;

    fake_lock(f);
    while (!s->closing) {
        struct act_item *i = s->items;

        if (!i) {
            pthread_cond_wait(&f->changed, &f->lock);
            continue;
        }
        s->items = i->next;
        if (!s->items)
            s->end = &s->items;
        s->busy = true;
        fake_unlock(f);
        item_run(s, i);
        item_free(i);
        fake_lock(f);
        s->busy = false;
        pthread_cond_broadcast(&f->changed);
    }
    fake_unlock(f);
    return NULL;
}

/* lock held */
static inline void enqueue(struct driver_session *s, const struct act_item *item)
{
    struct act_item *i = malloc(sizeof(*i));

    *i = *item;
    i->next = NULL;
    *s->end = i;
    s->end = &i->next;
    pthread_cond_broadcast(&s->fake->changed);
}

static inline void act(struct driver_session *s, struct act_item item)
{
    fake_lock(s->fake);
    enqueue(s, &item);
    fake_unlock(s->fake);
}

static inline void *copy_of(const void *data, size_t len)
{
    void *p = malloc(len + 1);

    if (len)
        memcpy(p, data, len);
    return p;
}

static inline int fake_emit(void *ctx, const struct pv_batch *batch)
{
    struct act_item item = { .act = ACT_BATCH, .batch = *batch };

    item.batch.records = copy_of(batch->records, (size_t)batch->stride * batch->count);
    item.batch.blob = copy_of(batch->blob, batch->blob_len);
    act(ctx, item);
    return PV_OK;
}

static inline int fake_mark_fn(void *ctx, uint32_t mark, const char *cursor)
{
    act(ctx, (struct act_item){ .act = ACT_MARK, .mark = (enum pv_mark)mark,
                                .text = cursor ? strdup(cursor) : NULL });
    return PV_OK;
}

static inline void fake_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    (void)level;
    (void)message;
}

/* ---------------------------------------------------------------- what core calls */

struct driver_info *drivers_list(struct drivers *d, size_t *count)
{
    struct driver_info *list = calloc(2, sizeof(*list));

    (void)d;
    list[0] = (struct driver_info){
        .name = "fake", .version = "1", .operations = "[]", .error = "", .remedy = "",
        .config_schema = "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":"
                         "{\"family\":{\"enum\":[\"vmware\",\"hyperv\"]},"
                         "\"size\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9}}}"
    };
    list[1] = (struct driver_info){ .name = "bad", .version = "", .operations = "[]",
                                    .config_schema = "{}", .state = DRIVER_BROKEN,
                                    .error = "it is made for version 9", .remedy = "Install another." };
    *count = 2;
    return list;
}

void drivers_list_free(struct driver_info *list)
{
    free(list);
}

bool drivers_implements(struct drivers *d, const char *driver, const char *operation)
{
    (void)driver;
    return !d->operations || strstr(d->operations, operation) != NULL;
}

int drivers_unpark(struct drivers *d, const char *driver, struct pv_err *err)
{
    (void)d;
    (void)driver;
    (void)err;
    return PV_OK;
}

int drivers_open(struct drivers *f, const char *driver, const char *config, const char *secrets,
                 const struct driver_session_ops *ops, void *ctx, struct driver_session **out,
                 struct pv_err *err)
{
    struct driver_session *s = calloc(1, sizeof(*s));
    const char *name = strstr(config, "\"name\":\"");

    (void)driver;
    (void)secrets;
    (void)err;
    s->fake = f;
    s->ops = ops;
    s->ctx = ctx;
    s->end = &s->items;
    str_copy_n(s->name, sizeof(s->name), name + 8, strcspn(name + 8, "\""));
    s->host = (struct pv_host){ .size = sizeof(s->host), .ctx = s, .log = fake_log,
                                .emit = fake_emit, .mark = fake_mark_fn };
    s->builder = pv_builder_new(&s->host);
    fake_lock(f);
    s->next = f->sessions;
    f->sessions = s;
    f->opened++;
    f->open_failure.size = sizeof(f->open_failure);
    enqueue(s, &(struct act_item){ .act = ACT_OPEN, .failure = f->open_failure });
    pthread_create(&s->thread, NULL, session_main, s);
    fake_unlock(f);
    *out = s;
    return PV_OK;
}

void driver_session_close(struct driver_session *s)
{
    struct drivers *f;

    if (!s)
        return;
    f = s->fake;
    fake_lock(f);
    s->closing = true;
    for (struct driver_session **at = &f->sessions; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            break;
        }
    }
    fake_unlock(f);
    pthread_join(s->thread, NULL);
    while (s->items) {
        struct act_item *i = s->items;

        s->items = i->next;
        item_free(i);
    }
    fake_lock(f);
    for (size_t i = 0; i < f->ncalls; i++)
        if (f->calls[i].session == s)
            f->calls[i].answered = true;
    fake_unlock(f);
    pv_builder_free(s->builder);
    free(s);
}

/* lock held */
static inline struct called *call_new(struct driver_session *s, enum call_what what)
{
    struct drivers *f = s->fake;
    struct called *c;

    cr_assert_lt(f->ncalls, CALLS_MAX);
    c = &f->calls[f->ncalls++];
    c->number = ++f->numbers;
    c->what = what;
    c->session = s;
    return c;
}

uint64_t driver_watch(struct driver_session *s, const char *cursor)
{
    struct called *c;

    fake_lock(s->fake);
    c = call_new(s, CALLED_WATCH);
    str_copy(c->cursor, sizeof(c->cursor), cursor ? cursor : "");
    fake_unlock(s->fake);
    return c->number;
}

uint64_t driver_refresh(struct driver_session *s, enum pv_kind kind, const char *native_id)
{
    struct drivers *f = s->fake;
    struct called *c;

    fake_lock(f);
    c = call_new(s, CALLED_REFRESH);
    c->kind = kind;
    str_copy(c->subject, sizeof(c->subject), native_id);
    if (!f->hold_refresh) {
        c->answered = true;
        enqueue(s, &(struct act_item){ .act = ACT_RESULT, .call = c->number,
                                       .failure = { .size = sizeof(struct pv_failure),
                                                    .code = f->refresh_code } });
    }
    fake_unlock(f);
    return c->number;
}

uint64_t driver_call(struct driver_session *s, const char *operation, const char *subject,
                     const char *args, const char *native_ref, uint32_t flags)
{
    struct called *c;

    fake_lock(s->fake);
    c = call_new(s, CALLED_OPERATION);
    c->flags = flags;
    str_copy(c->operation, sizeof(c->operation), operation);
    str_copy(c->subject, sizeof(c->subject), subject);
    str_copy(c->args, sizeof(c->args), args);
    str_copy(c->native_ref, sizeof(c->native_ref), native_ref ? native_ref : "");
    fake_unlock(s->fake);
    return c->number;
}

/* The fake has no use for the bytes. */
uint64_t driver_call_stream(struct driver_session *s, const char *operation, const char *subject,
                            const char *args, const char *native_ref, uint32_t flags, int stream)
{
    close(stream);
    return driver_call(s, operation, subject, args, native_ref, flags);
}

void driver_cancel(struct driver_session *s, uint64_t number)
{
    struct drivers *f = s->fake;

    fake_lock(f);
    for (size_t i = 0; i < f->ncalls; i++) {
        struct called *c = &f->calls[i];

        if (c->number != number || c->canceled || c->answered)
            continue;
        c->canceled = true;
        if (f->hold_cancel)
            continue;
        c->answered = true;
        enqueue(s, &(struct act_item){ .act = ACT_RESULT, .call = number,
                                       .failure = { .size = sizeof(struct pv_failure),
                                                    .code = PV_ECANCELED } });
    }
    fake_unlock(f);
}

int drivers_probe(struct drivers *d, const char *driver, const char *config, const char *secrets,
                  drivers_probe_fn done, void *ctx, uint64_t *call, struct pv_err *err)
{
    struct pv_failure fine = { .size = sizeof(fine) };

    (void)d;
    (void)driver;
    (void)config;
    (void)secrets;
    (void)err;
    *call = 1;
    done(ctx, 1, &fine, "[{\"step\":\"port\",\"ok\":true,\"detail\":\"open\"}]");
    return PV_OK;
}

void drivers_probe_cancel(struct drivers *d, uint64_t call)
{
    (void)d;
    (void)call;
}

int driver_failure_err(const struct pv_failure *failure, struct pv_err *err)
{
    if (failure->problem[0])
        pv_fail_as(err, pv_problem_find(failure->problem)->code, "%s", failure->message);
    else
        pv_fail(err, failure->code, "%s", failure->message);
    pv_err_native(err, failure->native_code);
    pv_err_needs(err, failure->needs);
    return err->rc;
}
