/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_fake - a core on a store of its own, above the drivers of core_driver.h.
 *
 * A world is one core, its store in a folder that goes away, and what it has told. Waits end when the awaited is there
 * or after a time that only a fault reaches.
 */
#pragma once

#include "tests/unit/core_driver.h"

#define FAKE_PATIENCE_MS 60000

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
    int64_t missing_grace_ms, gone_after_ms, expiry_look_ms, expiry_retry_ms, failed_read_ms;
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
    cc.expiry_look_ms = w->expiry_look_ms;
    cc.expiry_retry_ms = w->expiry_retry_ms;
    cc.failed_read_ms = w->failed_read_ms;
    cr_assert_eq(core_start(&cc, &w->core, &err), PV_OK, "%s", err.message);
    cr_assert_eq(core_subscribe(w->core, world_event, w, &w->sub, &err), PV_OK);
}

static inline void world_stop(struct world *w)
{
    core_unsubscribe(w->sub);
    core_stop(w->core);
    store_close(w->store);
}

/* With the times of `like`; 0: the usual ones. */
static inline struct world *world_with(const struct world *like)
{
    struct world *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    log_open("core", PV_LOG_ERROR);
    str_copy(w->dir, sizeof(w->dir), "/tmp/polyvisor-core-XXXXXX");
    cr_assert(mkdtemp(w->dir));
    snprintf(w->path, sizeof(w->path), "%s/db", w->dir);
    w->missing_grace_ms = like->missing_grace_ms;
    w->gone_after_ms = like->gone_after_ms;
    w->expiry_look_ms = like->expiry_look_ms;
    w->expiry_retry_ms = like->expiry_retry_ms;
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

static inline struct world *world_new(int64_t missing_grace_ms, int64_t gone_after_ms)
{
    return world_with(&(struct world){ .missing_grace_ms = missing_grace_ms, .gone_after_ms = gone_after_ms });
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
    int64_t deadline = clock_mono_ms() + FAKE_PATIENCE_MS;
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
    int64_t deadline = clock_mono_ms() + FAKE_PATIENCE_MS;

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
    int64_t deadline = clock_mono_ms() + FAKE_PATIENCE_MS;
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
    int64_t deadline = clock_mono_ms() + FAKE_PATIENCE_MS;

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
