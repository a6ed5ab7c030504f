/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/touched.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/activity.h"

#define OBJECTS_MAX 64          /* a result may name for refreshing */
#define RETRY_MS 1000
#define TRIES 3                 /* of each object */
#define LATER_MS 5000           /* what could not be read is tried again, each time after twice as long */
#define LATER_MAX_MS 300000

struct touched {
    atomic_uint refs;           /* the reading, and the timer that does not wait for it */
    atomic_bool over;           /* `then` has been called, or will never be */
    struct task *task;
    bool changed;
    bool fresh;                 /* the subject has been read, or is confirmed to be gone */
    struct {
        enum pv_kind kind;
        bool abroad;            /* at the other provider */
        char *native_id;
    } objects[OBJECTS_MAX];
    size_t n, at;
    unsigned tries;
    work_fn next;
    touched_fn then;
};

static void touched_put(struct touched *x)
{
    if (atomic_fetch_sub(&x->refs, 1) != 1)
        return;
    for (size_t i = 0; i < x->n; i++)
        free(x->objects[i].native_id);
    task_put(x->task);
    free(x);
}

static void was_read(void *arg, const struct pv_failure *failure, const char *result)
{
    struct touched *x = arg;

    (void)result;
    /* What cannot be read one by one comes with the feed. */
    if (failure->code != 0 && failure->code != PV_ENOENT && failure->code != PV_ENOTSUP) {
        if (++x->tries < TRIES && core_later(x->task->core, RETRY_MS, x->next, x))
            return;
        log_msg(PV_LOG_WARN, "task.refresh", "object=%s error=\"%.200s\"",
                x->objects[x->at].native_id, failure->message);
    } else if (x->at == 0) {
        x->fresh = true;
        if (!atomic_load(&x->over))
            atomic_store(&x->task->reread, true);
    }
    x->at++;
    x->next(x);
}

static void read_next(void *arg)
{
    struct touched *x = arg;

    if (atomic_load(&x->task->core->stopping))
        atomic_store(&x->over, true);
    while (x->at < x->n && !atomic_load(&x->over)) {
        struct provider *p = x->objects[x->at].abroad ? x->task->other : x->task->provider;

        if (p && provider_refresh(p, x->objects[x->at].kind, x->objects[x->at].native_id, was_read, x))
            return;
        if (++x->tries < TRIES && core_later(x->task->core, RETRY_MS, read_next, x))
            return;
        x->at++;
    }
    if (!atomic_exchange(&x->over, true))
        x->then(x->task, x->changed, x->fresh || x->n == 0);
    touched_put(x);
}

/* The reading may still be under way: what it holds is not looked at. */
static void time_is_up(void *arg)
{
    struct touched *x = arg;

    if (!atomic_load(&x->task->core->stopping) && !atomic_exchange(&x->over, true))
        x->then(x->task, x->changed, false);
    touched_put(x);
}

static void touch(struct touched *x, enum pv_kind kind, const char *native_id, bool abroad)
{
    if (!native_id || !native_id[0] || x->n == OBJECTS_MAX)
        return;
    for (size_t i = 0; i < x->n; i++)
        if (x->objects[i].kind == kind && x->objects[i].abroad == abroad &&
            strcmp(x->objects[i].native_id, native_id) == 0)
            return;
    x->objects[x->n].native_id = strdup(native_id);
    x->objects[x->n].abroad = abroad;
    if (x->objects[x->n].native_id)
        x->objects[x->n++].kind = kind;
}

/* As a result names it: {kind, native_id, owner?, abroad?}. A child is read with its owner. */
static void touch_named(struct touched *x, const json_t *one)
{
    const char *kind = json_string_value(json_object_get(one, "kind"));
    const struct model_kind *k = kind ? model_kind_by_name(kind) : NULL;
    bool abroad = json_is_true(json_object_get(one, "abroad"));

    if (k && k->owner == PV_KIND_NONE)
        touch(x, k->number, json_string_value(json_object_get(one, "native_id")), abroad);
    else if (k)
        touch(x, k->owner, json_string_value(json_object_get(one, "owner")), abroad);
}

/* What is read for the subject: a child comes with its owner. */
static enum pv_kind read_as(const struct task *t, const char **native_id)
{
    *native_id = t->owner_kind != PV_KIND_NONE ? t->owner_native_id : t->native_id;
    return t->owner_kind != PV_KIND_NONE ? t->owner_kind : t->kind;
}

void touched_read(struct task *t, const json_t *result, int64_t within_ms, touched_fn then)
{
    struct touched *x = calloc(1, sizeof(*x));
    const json_t *one, *changed = json_object_get(result, "changed");
    const char *native_id;
    enum pv_kind kind;
    size_t i;

    if (!x) {
        then(t, true, false);
        return;
    }
    atomic_store(&x->refs, 1);
    x->next = read_next;
    x->task = t;
    task_ref(t);
    x->then = then;
    x->changed = !json_is_false(changed);
    activity_over(t);
    if (!t->op->place) {
        kind = read_as(t, &native_id);
        touch(x, kind, native_id, false);
    }
    touch_named(x, json_object_get(result, "object"));
    json_array_foreach (json_object_get(result, "objects"), i, one)
        touch_named(x, one);
    if (within_ms > 0) {
        atomic_fetch_add(&x->refs, 1);
        if (!core_later(t->core, within_ms, time_is_up, x))
            touched_put(x);
    }
    read_next(x);
}

/* ---------------------------------------------------------------- what could not be read */

struct unread {
    struct core *core;
    struct provider *provider;
    enum pv_kind kind;
    char *native_id;
    int64_t wait_ms;
};

static void unread_free(struct unread *u)
{
    provider_put(u->provider);
    free(u->native_id);
    free(u);
}

static void try_later(struct unread *u);

static void read_late(void *arg, const struct pv_failure *failure, const char *result)
{
    struct unread *u = arg;

    (void)result;
    if (failure->code == 0 || failure->code == PV_ENOENT || failure->code == PV_ENOTSUP)
        unread_free(u);
    else
        try_later(u);
}

static void late(void *arg)
{
    struct unread *u = arg;
    const struct inv_entry *e;
    bool wanted;

    if (atomic_load(&u->core->stopping)) {
        unread_free(u);
        return;
    }
    /* The feed may have brought it meanwhile, or its provider may have been deleted. */
    pthread_mutex_lock(&u->provider->apply_lock);
    e = inventory_find(u->provider, u->kind, u->native_id, strlen(u->native_id));
    wanted = e && e->unconfirmed;
    pthread_mutex_unlock(&u->provider->apply_lock);
    if (!wanted)
        unread_free(u);
    else if (!provider_refresh(u->provider, u->kind, u->native_id, read_late, u))
        try_later(u);
}

static void try_later(struct unread *u)
{
    u->wait_ms = u->wait_ms ? (u->wait_ms < LATER_MAX_MS / 2 ? u->wait_ms * 2 : LATER_MAX_MS) : LATER_MS;
    if (!core_later(u->core, u->wait_ms, late, u))
        unread_free(u);
}

void touched_unread(struct task *t)
{
    struct unread *u = t->provider ? calloc(1, sizeof(*u)) : NULL;
    struct pv_err err = { 0 };
    const char *native_id;
    struct inv_entry *e;

    if (!u)
        return;
    u->core = t->core;
    u->provider = t->provider;
    provider_ref(u->provider);
    u->kind = read_as(t, &native_id);
    u->native_id = strdup(native_id);
    if (!u->native_id) {
        unread_free(u);
        return;
    }
    pthread_mutex_lock(&u->provider->apply_lock);
    e = inventory_find(u->provider, u->kind, native_id, strlen(native_id));
    if (e && absence_unread(u->provider, e, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "inventory.absence", "%s", err.message);
    pthread_mutex_unlock(&u->provider->apply_lock);
    try_later(u);
}
