/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations that the server does itself: on providers, and reading an object again.
 */
#include "server/core/task.h"

#include <stdlib.h>
#include <string.h>

struct sync_waiter {
    struct sync_waiter *next;
    struct task *task;
    bool armed;                 /* its listing has been asked for */
};

/* provider.lock held: a watch starts that lists everything. */
void provider_sync_arm(struct provider *p)
{
    for (struct sync_waiter *w = p->sync_waiters; w; w = w->next)
        w->armed = true;
}

void provider_sync_done(struct provider *p, const struct pv_err *err)
{
    struct sync_waiter *done = NULL, **at;

    pthread_mutex_lock(&p->lock);
    for (at = &p->sync_waiters; *at;) {
        struct sync_waiter *w = *at;

        if (!w->armed && !err) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = done;
        done = w;
    }
    pthread_mutex_unlock(&p->lock);
    while (done) {
        struct sync_waiter *w = done;

        done = w->next;
        task_end(w->task, err ? PV_TASK_STATE_FAILED : PV_TASK_STATE_SUCCEEDED, false, NULL, err);
        task_put(w->task);
        free(w);
    }
}

void provider_sync_forget(struct provider *p)
{
    while (p->sync_waiters) {
        struct sync_waiter *w = p->sync_waiters;

        p->sync_waiters = w->next;
        task_put(w->task);
        free(w);
    }
}

static void op_sync(struct task *t)
{
    struct provider *p = t->provider;
    struct sync_waiter *w = calloc(1, sizeof(*w));
    struct pv_err err = { 0 };
    char driver[33];

    if (!w) {
        pv_fail(&err, PV_ENOMEM, "no memory to sync");
        task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
        return;
    }
    w->task = t;
    task_ref(t);
    pthread_mutex_lock(&p->lock);
    str_copy(driver, sizeof(driver), p->driver);
    w->next = p->sync_waiters;
    p->sync_waiters = w;
    if (provider_stopped(p))
        p->reconnect = true;
    pthread_mutex_unlock(&p->lock);
    drivers_unpark(p->core->drivers, driver, NULL);
    provider_want_full(p);
    provider_connect(p, true);
}

static void object_read(void *arg, const struct pv_failure *failure, const char *result)
{
    struct task *t = arg;
    struct pv_err err = { 0 };

    (void)result;
    if (failure->code == 0 || failure->code == PV_ENOENT) {
        task_end(t, PV_TASK_STATE_SUCCEEDED, false, NULL, NULL);
    } else if (!atomic_load(&t->core->stopping)) {
        driver_failure_err(failure, &err);
        task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
    }
    task_put(t);
}

static void op_object_sync(struct task *t)
{
    bool child = t->owner_kind != PV_KIND_NONE;

    task_ref(t);
    if (provider_refresh(t->provider, child ? t->owner_kind : t->kind,
                         child ? t->owner_native_id : t->native_id, object_read, t))
        return;
    task_put(t);
    task_requeue(t, NEED_CALL, 0);
}

static void tested(void *ctx, int rc, const char *json, const struct pv_err *err)
{
    struct task *t = ctx;
    struct buf text;

    buf_init(&text, 16000);
    buf_printf(&text, "{\"findings\":%s}", json ? json : "[]");
    task_end(t, rc == PV_OK ? PV_TASK_STATE_SUCCEEDED : PV_TASK_STATE_FAILED, false,
             buf_ok(&text) ? text.data : NULL, err);
    buf_free(&text);
    task_put(t);
}

static void op_test(struct task *t)
{
    struct pv_err err = { 0 };

    task_ref(t);
    if (core_provider_doctor(t->core, &t->provider->id, tested, t, &err) == PV_OK)
        return;
    task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
    task_put(t);
}

struct maintenance {
    bool on;
    const char *reason;
    bool changed;
};

static int change_maintenance(struct row_diff *d, struct arena *a, void *arg, struct pv_err *err)
{
    struct maintenance *m = arg;
    struct model_value v = value_number(m->on);

    (void)err;
    diff_set(d, F(provider, maintenance_on), &v);
    v = m->on && m->reason ? value_text(arena_strdup(a, m->reason)) : value_null();
    diff_set(d, F(provider, maintenance_reason), &v);
    m->changed = d->n > 0;
    return PV_OK;
}

static int change_pin(struct row_diff *d, struct arena *a, void *arg, struct pv_err *err)
{
    const char *sha256 = arg;
    struct model_value v = value_number(PV_TLS_MODE_PIN);

    if (strlen(sha256) != 64 || strspn(sha256, "0123456789abcdef") != 64)
        return pv_fail(err, PV_EINVAL, "sha256 is 64 digits of lower-case hex");
    diff_set(d, F(provider, tls_mode), &v);
    v = value_text(arena_printf(a, "\n%s\n", sha256));
    diff_set(d, F(provider, tls_pins), &v);
    return PV_OK;
}

static void end_change(struct task *t, int rc, bool changed, const struct pv_err *err)
{
    task_end(t, rc == PV_OK ? PV_TASK_STATE_SUCCEEDED : PV_TASK_STATE_FAILED, changed, NULL,
             rc == PV_OK ? NULL : err);
}

static void op_maintenance(struct task *t, const json_t *params, bool on)
{
    struct core_actor by = { .type = t->actor_type, .name = t->actor_name };
    struct maintenance m = { .on = on, .reason = json_string_value(json_object_get(params, "reason")) };
    struct pv_err err = { 0 };
    int rc = provider_row_change(t->provider, &by, NULL, change_maintenance, &m, &err);

    end_change(t, rc, m.changed, &err);
    tasks_wake(t->core);
}

static void op_trust(struct task *t, const json_t *params)
{
    struct core_actor by = { .type = t->actor_type, .name = t->actor_name };
    const char *sha256 = json_string_value(json_object_get(params, "sha256"));
    struct pv_err err = { 0 };
    int rc = provider_row_change(t->provider, &by, NULL, change_pin, (void *)(sha256 ? sha256 : ""),
                                 &err);

    if (rc == PV_OK) {
        pthread_mutex_lock(&t->provider->lock);
        t->provider->reconnect = true;
        pthread_mutex_unlock(&t->provider->lock);
        provider_connect(t->provider, true);
    }
    end_change(t, rc, true, &err);
}

/* ------------------------------------------------------------------ what is ours */

#define OWN_TRIES 5

static bool has_text(const json_t *list, const char *text)
{
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one)
        if (str_eq(json_string_value(one), text))
            return true;
    return false;
}

/* The tags it has, as a list, without those to be taken, with those to be given. */
static json_t *tags_after(const struct model_value *now, const json_t *params)
{
    const json_t *add = json_object_get(params, "add"), *drop = json_object_get(params, "remove"), *one;
    json_t *tags = json_array();
    size_t i;

    for (const char *at = now->set ? now->text : ""; tags && *at == '\n' && at[1];) {
        size_t len = strcspn(at + 1, "\n");
        json_t *tag = json_stringn(at + 1, len);

        if (tag && !has_text(drop, json_string_value(tag)))
            json_array_append(tags, tag);
        json_decref(tag);
        at += 1 + len;
    }
    json_array_foreach (add, i, one)
        if (tags && !has_text(tags, json_string_value(one)))
            json_array_append(tags, (json_t *)(uintptr_t)one);
    return tags;
}

/* Tags are read and written: whoever changes them in between is not overrun. */
static int tag_once(struct task *t, const struct core_actor *by, const json_t *params, bool *changed,
                    struct pv_err *err)
{
    const struct kind_info *k = &t->core->kinds[t->kind];
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 8u << 20);
    PV_AUTO(json_decref_p) json_t *patch = NULL;
    struct core_options o = { 0 };
    struct model_row *row;
    int rc = a ? store_row_get(t->core->store, k->shape, &t->subject, a, &row, err)
               : pv_fail(err, PV_ENOMEM, "no memory for tags");

    if (rc != PV_OK)
        return rc;
    o.if_version = (uint64_t)model_number(row, (unsigned)k->version);
    patch = json_pack("{s:o}", "tags", tags_after(model_get(row, (unsigned)k->tags), params));
    if (!patch)
        return pv_fail(err, PV_ENOMEM, "no memory for tags");
    return core_object_patch(t->core, by, t->kind, &t->subject, patch, &o, changed, err);
}

static void op_own(struct task *t, const json_t *params)
{
    struct core_actor by = { .type = t->actor_type, .name = t->actor_name };
    struct pv_err err = { 0 };
    bool changed = false;
    int rc = PV_OK;

    if (str_eq(t->op->name, "vm.set_folder")) {
        rc = core_object_patch(t->core, &by, t->kind, &t->subject, params, NULL, &changed, &err);
    } else {
        for (int i = 0; i < OWN_TRIES; i++) {
            memset(&err, 0, sizeof(err));
            rc = tag_once(t, &by, params, &changed, &err);
            if (rc == PV_OK || !str_eq(err.problem, "precondition-failed"))
                break;
        }
    }
    end_change(t, rc, changed, &err);
}

void task_core_operation(struct task *t)
{
    PV_AUTO(json_decref_p) json_t *params = json_loads(t->params, 0, NULL);
    struct pv_err err = { 0 };

    if (str_eq(t->op->name, "provider.sync")) {
        op_sync(t);
    } else if (str_eq(t->op->name, "provider.test")) {
        op_test(t);
    } else if (str_eq(t->op->name, "provider.pause")) {
        op_maintenance(t, params, true);
    } else if (str_eq(t->op->name, "provider.resume")) {
        op_maintenance(t, params, false);
    } else if (str_eq(t->op->name, "provider.trust_certificate")) {
        op_trust(t, params);
    } else if (t->op->own) {
        op_own(t, params);
    } else if (str_eq(t->op->name, "object.sync")) {
        op_object_sync(t);
    } else {
        pv_fail(&err, PV_ENOTSUP, "the server does not know how to do %s", t->op->name);
        task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
    }
}
