/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider's session: calls and their results, and what its callbacks mean.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

bool provider_call(struct provider *p, struct open_call *call,
                   uint64_t (*start)(struct driver_session *s, void *arg), void *arg)
{
    bool started = false;

    pthread_mutex_lock(&p->lock);
    if (p->session_state == SESSION_OPEN && !p->reconnect) {
        call->number = start(p->session->link, arg);
        started = call->number != 0;
    }
    if (started) {
        call->next = p->calls;
        p->calls = call;
    }
    pthread_mutex_unlock(&p->lock);
    return started;
}

void provider_cancel_calls(struct provider *p, const void *arg)
{
    pthread_mutex_lock(&p->lock);
    for (const struct open_call *call = p->calls; call && p->session; call = call->next)
        if (call->arg == arg)
            driver_cancel(p->session->link, call->number);
    pthread_mutex_unlock(&p->lock);
}

struct looking {
    struct provider *provider;
    void (*done)(void *arg, const struct pv_failure *failure, const char *result);
    void *arg;
    enum pv_kind kind;
    char *native_id;
};

static uint64_t start_refresh(struct driver_session *s, void *arg)
{
    const struct looking *l = arg;

    return driver_refresh(s, l->kind, l->native_id);
}

/* What the provider says is not there is gone. */
static void confirm_gone(const struct looking *l)
{
    struct provider *p = l->provider;
    struct pv_err err = { 0 };
    struct inv_entry *e;

    pthread_mutex_lock(&p->apply_lock);
    e = inventory_find(p, l->kind, l->native_id, strlen(l->native_id));
    if (e && absence_gone(p, &e, 1, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "inventory.absence", "%s", err.message);
    pthread_mutex_unlock(&p->apply_lock);
}

static void looking_free(struct looking *l)
{
    provider_put(l->provider);
    free(l->native_id);
    free(l);
}

static void refresh_done(void *arg, const struct pv_failure *failure, const char *result)
{
    struct looking *l = arg;

    if (failure->code == PV_ENOENT)
        confirm_gone(l);
    l->done(l->arg, failure, result);
    looking_free(l);
}

bool provider_refresh(struct provider *p, enum pv_kind kind, const char *native_id,
                      void (*done)(void *arg, const struct pv_failure *failure, const char *result),
                      void *arg)
{
    struct looking *l = calloc(1, sizeof(*l));
    struct open_call *call = calloc(1, sizeof(*call));

    if (l)
        *l = (struct looking){ .provider = p, .done = done, .arg = arg, .kind = kind,
                               .native_id = strdup(native_id) };
    if (!l || !call || !l->native_id) {
        if (l)
            free(l->native_id);
        free(l);
        free(call);
        return false;
    }
    provider_ref(p);
    call->done = refresh_done;
    call->arg = l;
    if (provider_call(p, call, start_refresh, l))
        return true;
    free(call);
    looking_free(l);
    return false;
}

static struct open_call *take_call(struct provider *p, uint64_t number)
{
    struct open_call **at, *found = NULL;

    pthread_mutex_lock(&p->lock);
    for (at = &p->calls; *at && (*at)->number != number; at = &(*at)->next)
        ;
    if (*at) {
        found = *at;
        *at = found->next;
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

static void end_call(struct open_call *call, const struct pv_failure *failure, const char *result)
{
    static const struct pv_failure fine = { .size = sizeof(fine) };

    call->done(call->arg, failure ? failure : &fine, result);
    free(call);
}

/* The session is closed, nothing comes any more: what its calls did is not known. */
void session_end_calls(struct provider *p)
{
    struct pv_failure failure = { .size = sizeof(failure), .code = PV_EUNKNOWN,
                                  .message = "the connection was closed while this was under way" };
    struct open_call *list;

    pthread_mutex_lock(&p->lock);
    list = PV_TAKE(p->calls);
    pthread_mutex_unlock(&p->lock);
    while (list) {
        struct open_call *call = list;

        list = call->next;
        end_call(call, &failure, NULL);
    }
}

/* false: the session is being closed, nobody cares any more. */
static bool set_session_state(const struct session *s, enum session_state state)
{
    struct provider *p = s->provider;
    bool current;

    pthread_mutex_lock(&p->lock);
    current = p->session == s;
    if (current)
        p->session_state = state;
    pthread_mutex_unlock(&p->lock);
    return current;
}

static void on_open(void *ctx, const struct pv_failure *failure)
{
    struct session *s = ctx;
    struct provider *p = s->provider;
    bool fine = !failure || failure->code == 0;

    if (!set_session_state(s, fine ? SESSION_OPEN : SESSION_DOWN))
        return;
    if (fine) {
        provider_start_watch(p);
        tasks_wake(p->core);
    } else {
        struct pv_err err = { 0 };

        driver_failure_err(failure, &err);
        provider_failed(p, &err, true);
    }
}

static int on_batch(void *ctx, const struct pv_batch *batch)
{
    const struct session *s = ctx;

    return feed_batch(s->provider, batch);
}

static void on_mark(void *ctx, enum pv_mark mark, const char *cursor)
{
    const struct session *s = ctx;
    struct provider *p = s->provider;
    struct pv_err err = { 0 };
    char name[NAME_CAP];
    char *copy;
    int rc;

    if ((unsigned)mark > PV_MARK_CHANGES)
        return;
    pthread_mutex_lock(&p->apply_lock);
    rc = feed_mark(p, mark, &err);
    pthread_mutex_unlock(&p->apply_lock);
    if (rc != PV_OK) {
        provider_copy_name(p, name, sizeof(name));
        log_msg(PV_LOG_ERROR, "inventory.mark", "provider=%s error=\"%s\"", name, err.message);
        return;
    }
    copy = cursor ? strdup(cursor) : NULL;
    pthread_mutex_lock(&p->lock);
    if (mark != PV_MARK_FULL_BEGIN) {
        free(p->cursor);
        p->cursor = PV_TAKE(copy);
        backoff_reset(&p->backoff);
    }
    pthread_mutex_unlock(&p->lock);
    free(copy);
    provider_reached(p);
    provider_sync_write(p, mark == PV_MARK_FULL_END);
    if (mark == PV_MARK_FULL_END || mark == PV_MARK_FULL_PARTIAL)
        provider_sync_done(p, NULL);
}

static void on_provider(void *ctx, const char *json)
{
    const struct session *s = ctx;

    provider_facts(s->provider, json);
}

static int on_progress(void *ctx, uint64_t number, const struct pv_progress *progress)
{
    struct provider *p = ((struct session *)ctx)->provider;
    int (*fn)(void *arg, const struct pv_progress *progress) = NULL;
    void *arg = NULL;

    pthread_mutex_lock(&p->lock);
    for (struct open_call *call = p->calls; call; call = call->next) {
        if (call->number == number) {
            fn = call->progress;
            arg = call->arg;
        }
    }
    pthread_mutex_unlock(&p->lock);
    /* The result cannot overtake this: callbacks of a session come one after the other. */
    return fn ? fn(arg, progress) : PV_OK;
}

static void on_result(void *ctx, uint64_t number, const struct pv_failure *failure,
                      const char *result)
{
    struct provider *p = ((struct session *)ctx)->provider;
    struct open_call *call = take_call(p, number);

    if (call)
        end_call(call, failure, result);
}

static void on_down(void *ctx, enum driver_down reason, const struct pv_err *err)
{
    const struct session *s = ctx;
    struct provider *p = s->provider;
    bool refused;

    if (!set_session_state(s, SESSION_DOWN))
        return;
    /* What was refused is not tried again because the driver's process ended. */
    pthread_mutex_lock(&p->lock);
    refused = provider_stopped(p) && p->reconnect;
    pthread_mutex_unlock(&p->lock);
    if (!refused)
        provider_failed(p, err, reason == DRIVER_DOWN_CRASHED);
}

const struct driver_session_ops session_ops = {
    .on_open = on_open,
    .on_batch = on_batch,
    .on_mark = on_mark,
    .on_provider = on_provider,
    .on_progress = on_progress,
    .on_result = on_result,
    .on_down = on_down,
};
