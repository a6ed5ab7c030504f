/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_fake - a core on a store of its own, with drivers that do what the test says.
 *
 * The registry's functions are defined here, so the test plays every driver:
 * it sees the calls and sends batches, marks and results, in order, on one
 * thread a session. Waits end when the awaited is there or after 20 s, which
 * only a fault reaches.
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
        s->ops->on_progress(s->ctx, i->call, &i->progress);
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

/* ---------------------------------------------------------------- what tests do */

struct world {
    char dir[64], path[96];
    struct store *store;
    struct core *core;
    struct drivers fake;
    struct arena *arena;
    struct core_subscription *sub;
    pthread_mutex_t lock;
    char types[4096][40];       /* of events, guarded by lock */
    uint64_t seqs[4096];
    char last[4096][400];
    size_t nevents;
    int64_t missing_grace_ms, gone_after_ms;
};

static const struct core_actor someone = { .type = PV_ACTOR_TYPE_USER, .name = "mueller" };

static inline void world_event(void *ctx, const struct core_event *e)
{
    struct world *w = ctx;

    pthread_mutex_lock(&w->lock);
    if (w->nevents < 4096) {
        str_copy(w->types[w->nevents], sizeof(w->types[0]), e->type);
        str_copy(w->last[w->nevents], sizeof(w->last[0]), strstr(e->json, "\"type\""));
        w->seqs[w->nevents++] = e->seq;
    }
    pthread_mutex_unlock(&w->lock);
}

static inline void world_start(struct world *w)
{
    struct store_config sc = { .path = w->path, .group_ms = 1 };
    struct core_config cc = { 0 };
    struct pv_err err = { 0 };

    cr_assert_eq(store_open(&sc, &w->store, &err), PV_OK, "%s", err.message);
    cc.store = w->store;
    cc.drivers = &w->fake;
    cc.missing_grace_ms = w->missing_grace_ms;
    cc.gone_after_ms = w->gone_after_ms;
    cr_assert_eq(core_start(&cc, &w->core, &err), PV_OK, "%s", err.message);
    cr_assert_eq(core_subscribe(w->core, world_event, w, &w->sub, &err), PV_OK);
}

static inline void world_stop(struct world *w)
{
    core_unsubscribe(w->sub);
    core_stop(w->core);
    store_close(w->store);
}

/* Missing times of 0: the usual ones. */
static inline struct world *world_new(int64_t missing_grace_ms, int64_t gone_after_ms)
{
    struct world *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    log_open("core", PV_LOG_ERROR);
    str_copy(w->dir, sizeof(w->dir), "/tmp/polyvisor-core-XXXXXX");
    cr_assert(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    w->missing_grace_ms = missing_grace_ms;
    w->gone_after_ms = gone_after_ms;
    w->arena = arena_new(1u << 16, 1u << 28);
    w->fake.calls = calloc(CALLS_MAX, sizeof(*w->fake.calls));
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->fake.lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->fake.changed, &attr);
    world_start(w);
    return w;
}

static inline void world_restart(struct world *w)
{
    world_stop(w);
    world_start(w);
}

static inline void world_free(struct world *w)
{
    world_stop(w);
    cr_assert_eq(remove_tree(w->dir), 0);
    arena_free(w->arena);
    free(w->fake.calls);
    free(w);
}

/* Makes a provider of the fake driver. */
static inline struct pv_id add_provider(struct world *w, const char *name, const char *family)
{
    json_t *body = json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", name, "driver", "fake", "endpoint",
                             "fake://", "settings", "family", family);
    struct pv_err err = { 0 };
    struct pv_id id;

    id_make(&id);
    cr_assert_eq(core_provider_create(w->core, &someone, &id, body, NULL, false, NULL, &err), PV_OK,
                 "%s", err.message);
    json_decref(body);
    return id;
}

/* The present session of a provider, once its watch has started. */
static inline struct driver_session *session_of(struct world *w, const char *name)
{
    struct drivers *f = &w->fake;
    int64_t deadline = clock_mono_ms() + 20000;
    struct driver_session *found = NULL;

    fake_lock(f);
    do {
        for (struct driver_session *s = f->sessions; s && !found; s = s->next)
            for (size_t i = 0; i < f->ncalls && strcmp(s->name, name) == 0; i++)
                if (f->calls[i].session == s && f->calls[i].what == CALLED_WATCH &&
                    !f->calls[i].answered && !s->down)
                    found = s;
    } while (!found && fake_wait_until(f, deadline));
    fake_unlock(f);
    cr_assert(found, "no session of %s", name);
    return found;
}

/* Until everything sent has been worked off. */
static inline void drain(struct driver_session *s)
{
    int64_t deadline = clock_mono_ms() + 20000;

    fake_lock(s->fake);
    while ((s->items || s->busy) && fake_wait_until(s->fake, deadline))
        ;
    cr_assert(!s->items && !s->busy, "the core does not take what it is sent");
    fake_unlock(s->fake);
}

static inline void mark(struct driver_session *s, enum pv_mark m)
{
    cr_assert_eq(pv_builder_mark(s->builder, m, "cursor-1"), PV_OK);
    drain(s);
}

static inline void answer(struct driver_session *s, uint64_t call, int code, const char *message,
                          const char *result)
{
    struct act_item item = { .act = ACT_RESULT, .call = call,
                             .failure = { .size = sizeof(struct pv_failure), .code = code },
                             .text = result ? strdup(result) : NULL };

    str_copy(item.failure.message, sizeof(item.failure.message), message);
    fake_lock(s->fake);
    for (size_t i = 0; i < s->fake->ncalls; i++)
        if (s->fake->calls[i].number == call)
            s->fake->calls[i].answered = true;
    enqueue(s, &item);
    fake_unlock(s->fake);
}

/* The nth unanswered call of this kind ("": any operation), waited for. */
/* An unanswered call; not the one with the number `except`, which may still be there. */
static inline struct called wait_any_call(struct world *w, enum call_what what, const char *operation, uint64_t except)
{
    struct drivers *f = &w->fake;
    int64_t deadline = clock_mono_ms() + 20000;
    struct called found = { 0 };

    fake_lock(f);
    do {
        for (size_t i = 0; i < f->ncalls && !found.number; i++)
            if (f->calls[i].what == what && !f->calls[i].answered && f->calls[i].number != except &&
                (!operation[0] || strcmp(f->calls[i].operation, operation) == 0))
                found = f->calls[i];
    } while (!found.number && fake_wait_until(f, deadline));
    fake_unlock(f);
    cr_assert(found.number, "no call of %s", operation);
    return found;
}

static inline struct called wait_call(struct world *w, enum call_what what, const char *operation)
{
    return wait_any_call(w, what, operation, 0);
}

static inline struct called wait_other_call(struct world *w, enum call_what what, uint64_t except)
{
    return wait_any_call(w, what, "", except);
}

static inline size_t count_calls(struct world *w, enum call_what what)
{
    size_t n = 0;

    fake_lock(&w->fake);
    for (size_t i = 0; i < w->fake.ncalls; i++)
        n += w->fake.calls[i].what == what;
    fake_unlock(&w->fake);
    return n;
}

static inline size_t count_events(struct world *w, const char *type)
{
    size_t n = 0;

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->nevents; i++)
        n += strcmp(w->types[i], type) == 0;
    pthread_mutex_unlock(&w->lock);
    return n;
}

/* Text of the newest event of this type; "" if there is none. */
static inline const char *last_event(struct world *w, const char *type)
{
    const char *found = "";

    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->nevents; i++)
        if (strcmp(w->types[i], type) == 0)
            found = w->last[i];
    pthread_mutex_unlock(&w->lock);
    return found;
}

static inline bool eventually(bool (*holds)(const void *arg), const void *arg)
{
    int64_t deadline = clock_mono_ms() + 20000;

    while (!holds(arg)) {
        if (clock_mono_ms() > deadline)
            return false;
        clock_sleep_ms(5);
    }
    return true;
}

static inline struct model_row *row_of(struct world *w, enum pv_kind kind, const struct pv_id *id)
{
    const struct model_shape *shape;
    struct model_row *row = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(model_shape_make(model_kind(kind), NULL, MODEL_VIEW_FULL, w->arena, &shape, &err), PV_OK);
    if (store_row_get(w->store, shape, id, w->arena, &row, &err) != PV_OK)
        return NULL;
    return row;
}

/* Ids of the rows of a kind with this text in the field. */
static inline size_t find_rows(struct world *w, enum pv_kind kind, unsigned field, const char *text,
                               struct pv_id **ids)
{
    struct model_value v = { .set = true, .text = text, .len = strlen(text) };
    struct pv_err err = { 0 };
    size_t n;

    cr_assert_eq(store_find(w->store, kind, field, &v, 100, w->arena, ids, &n, &err), PV_OK, "%s",
                 err.message);
    return n;
}

/* The one VM with this native id. */
static inline struct model_row *vm_by_native(struct world *w, const char *native_id)
{
    struct pv_id *ids;
    size_t n = find_rows(w, PV_KIND_vm, F(vm, native_id), native_id, &ids);

    return n == 1 ? row_of(w, PV_KIND_vm, &ids[0]) : NULL;
}

static inline void send_vm(struct driver_session *s, const char *native, const char *identity,
                           const char *name, enum pv_power_state power)
{
    pv_vm_begin(s->builder, native, identity);
    pv_vm_name(s->builder, name);
    pv_vm_power_state(s->builder, power);
}

/* A complete listing of what the test has put into the builder between begin and end. */
static inline void listing_begin(struct driver_session *s)
{
    pv_builder_mark(s->builder, PV_MARK_FULL_BEGIN, NULL);
}

static inline void listing_end(struct driver_session *s)
{
    mark(s, PV_MARK_FULL_END);
}

static inline void changes(struct driver_session *s)
{
    mark(s, PV_MARK_CHANGES);
}
