/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations without a task: asked now, answered within seconds, or not at all.
 * What they answer may be secret (a console's ticket), so nothing of it is
 * stored or logged.
 */
#include "server/core/args.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIVE_MS 10000

struct core_call {
    atomic_uint refs; /* the call's, and the timer's or the caller's */
    atomic_bool answered;
    struct provider *provider;
    const struct model_operation *op;
    core_json_fn done;
    void *ctx;
    char *subject, *args;
    int stream; /* owned until the call has begun; -1: none */
};

static void live_put(struct core_call *l)
{
    if (atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    provider_put(l->provider);
    if (l->stream >= 0)
        close(l->stream);
    free(l->subject);
    free(l->args);
    free(l);
}

/* Whoever comes first answers. */
static bool first(struct core_call *l)
{
    return !atomic_exchange(&l->answered, true);
}

static void live_result(void *arg, const struct pv_failure *failure, const char *result)
{
    struct core_call *l = arg;
    struct pv_err err = { 0 };

    if (!first(l)) {
        live_put(l);
        return;
    }
    if (failure->code == 0)
        l->done(l->ctx, PV_OK, result ? result : "{}", NULL);
    else
        l->done(l->ctx, driver_failure_err(failure, &err), NULL, &err);
    live_put(l);
}

static void live_late(void *arg)
{
    struct core_call *l = arg;
    struct pv_err err = { 0 };

    if (first(l)) {
        l->done(
            l->ctx,
            pv_fail(&err, PV_ETIMEOUT, "%s: no answer within %d s", l->op->title, LIVE_MS / 1000),
            NULL, &err);
        provider_cancel_calls(l->provider, l);
    }
    live_put(l);
}

static uint64_t live_start(struct driver_session *s, void *arg)
{
    struct core_call *l = arg;
    int stream = l->stream;

    if (stream < 0)
        return driver_call(s, l->op->name, l->subject, l->args, NULL, 0);
    l->stream = -1;
    return driver_call_stream(s, l->op->name, l->subject, l->args, NULL, 0, stream);
}

static int live_call(struct core_call *l, struct pv_err *err)
{
    struct open_call *call = calloc(1, sizeof(*call));

    if (!call)
        return pv_fail(err, PV_ENOMEM, "no memory to ask the provider");
    call->done = live_result;
    call->arg = l;
    atomic_fetch_add(&l->refs, 1);
    if (l->stream >= 0) {
        /* It takes as long as it takes: the caller has the end in hand. */
        if (provider_call(l->provider, call, live_start, l))
            return PV_OK;
        free(call);
        atomic_fetch_sub(&l->refs, 1);
        return pv_fail(err, PV_EOFFLINE, "the provider cannot be reached");
    }
    atomic_fetch_add(&l->refs, 1);
    if (!core_later(l->provider->core, LIVE_MS, live_late, l)) {
        free(call);
        atomic_fetch_sub(&l->refs, 2);
        return pv_fail(err, PV_ENOMEM, "no memory to ask the provider");
    }
    if (provider_call(l->provider, call, live_start, l))
        return PV_OK;
    free(call);
    /* The timer finds that it is answered. */
    atomic_store(&l->answered, true);
    live_put(l);
    return pv_fail(err, PV_EOFFLINE, "the provider cannot be reached");
}

static int begin(struct core *c, const struct core_task_request *q, const json_t *more, int stream,
                 core_json_fn done, void *ctx, struct core_call **out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    PV_AUTO(json_decref_p)
    json_t *params = args_complete(q->operation->params, q->params),
           *args = NULL;
    struct subject s = { 0 };
    struct core_call *l = NULL;
    bool no_op = false;
    int rc = a && params ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to ask the provider");

    if (rc == PV_OK)
        rc = subject_load(c, q->operation, q->kind, &q->subject, a, &s, err);
    if (rc == PV_OK)
        rc = subject_check(c, q->operation, &s, params, a, &no_op, err);
    if (rc == PV_OK)
        rc = args_resolve(c, q->operation, s.provider, params, &args, NULL, err);
    if (rc == PV_OK && more && json_object_update(args, (json_t *)(uintptr_t)more) != 0)
        rc = pv_fail(err, PV_ENOMEM, "no memory to ask the provider");
    if (rc == PV_OK) {
        l = calloc(1, sizeof(*l));
        rc = l ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to ask the provider");
    }
    if (rc == PV_OK) {
        const char *subject = task_subject_json(q->kind, s.native_id, s.name, s.owner_native_id, a);

        atomic_store(&l->refs, 1);
        l->stream = stream;
        stream = -1;
        l->provider = s.provider;
        provider_ref(l->provider);
        l->op = q->operation;
        l->done = done;
        l->ctx = ctx;
        l->subject = subject ? strdup(subject) : NULL;
        l->args = json_dumps(args, JSON_COMPACT);
        rc = l->subject && l->args ? live_call(l, err)
                                   : pv_fail(err, PV_ENOMEM, "no memory to ask the provider");
        if (rc == PV_OK && out)
            *out = l;
        else
            live_put(l);
    }
    if (stream >= 0)
        close(stream);
    subject_free(&s);
    return rc;
}

int core_live(struct core *c, const struct core_task_request *q, core_json_fn done, void *ctx,
              struct pv_err *err)
{
    return begin(c, q, NULL, -1, done, ctx, NULL, err);
}

int core_live_stream(struct core *c, const struct core_task_request *q, const json_t *more, int stream,
                     core_json_fn done, void *ctx, struct core_call **out, struct pv_err *err)
{
    return begin(c, q, more, stream, done, ctx, out, err);
}

void core_call_end(struct core_call *l)
{
    if (!l)
        return;
    if (!atomic_load(&l->answered))
        provider_cancel_calls(l->provider, l);
    live_put(l);
}

int core_operation_check(struct core *c, const struct core_task_request *q, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    struct subject s = { 0 };
    bool no_op = false;
    int rc = a ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a check");

    if (rc == PV_OK)
        rc = subject_load(c, q->operation, q->kind, &q->subject, a, &s, err);
    if (rc == PV_OK)
        rc = subject_check(c, q->operation, &s, q->params, a, &no_op, err);
    subject_free(&s);
    return rc;
}
