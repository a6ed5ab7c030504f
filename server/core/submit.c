/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request becomes a task: checked first, stored before anything starts.
 */
#include "server/core/args.h"
#include "server/core/expiry.h"

#include <stdlib.h>
#include <string.h>

struct submit {
    struct core *core;
    struct task *task;
    const struct core_options *options;
    struct model_row *row;
    struct event_set events;
};

static int submit_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct submit *s = arg;
    int rc = events_begin(&s->events, tx, err);

    if (rc == PV_OK)
        rc = task_insert_tx(s->task, s->row, tx, &s->events, err);
    return rc == PV_OK ? core_put_idempotency(tx, s->options, PV_KIND_task, &s->row->id, err) : rc;
}

/* ---------------------------------------------------------------- rehearsal */

struct rehearsal {
    core_json_fn done;
    void *ctx;
    json_t *answer;             /* {ok, changed, findings, plan} */
    struct task *task;          /* what the call is about */
    char *subject;
};

static void rehearsal_end(struct rehearsal *r)
{
    char *text = json_dumps(r->answer, JSON_COMPACT);
    struct pv_err err = { 0 };

    if (text)
        r->done(r->ctx, PV_OK, text, NULL);
    else
        r->done(r->ctx, pv_fail(&err, PV_ENOMEM, "no memory for the plan"), NULL, &err);
    free(text);
    json_decref(r->answer);
    task_put(r->task);
    free(r->subject);
    free(r);
}

/* What the driver says of the outcome. */
static void take_list(json_t *to, const json_t *from, const char *member)
{
    json_t *list = json_object_get(from, member);

    if (to && json_is_array(list))
        json_object_set(to, member, list);
}

static void take_warnings(json_t *answer, const json_t *from)
{
    const json_t *one;
    size_t i;

    json_array_foreach (json_object_get(from, "warnings"), i, one)
        if (json_is_string(one))
            json_array_append_new(json_object_get(answer, "findings"),
                                  json_pack("{s:s, s:s, s:s, s:O, s:s, s:o*, s:o*}", "id", "warning", "severity",
                                            "warn", "title", "Not all will be as asked", "detail", one,
                                            "remedy", "", "title_text", core_text_json("Not all will be as asked"),
                                            "detail_text", core_text_json(json_string_value(one))));
}

static void rehearsed(void *arg, const struct pv_failure *failure, const char *result)
{
    struct rehearsal *r = arg;
    PV_AUTO(json_decref_p) json_t *json = result ? json_loads(result, 0, NULL) : NULL;
    json_t *plan = json_object_get(json, "plan");
    struct pv_err err = { 0 };

    if (failure->code != 0) {
        driver_failure_err(failure, &err);
        json_object_set_new(r->answer, "ok", json_false());
        json_array_append_new(json_object_get(r->answer, "findings"), finding(NULL, "block", &err));
    } else {
        json_t *entry = json_array_get(json_object_get(r->answer, "plan"), 0);

        if (json_is_array(plan))
            json_object_set(entry, "native_calls", plan);
        take_list(entry, json, "devices");
        take_list(entry, json, "differences");
        take_warnings(r->answer, json);
    }
    rehearsal_end(r);
}

static uint64_t start_rehearsal(struct driver_session *s, void *arg)
{
    const struct rehearsal *r = arg;

    return driver_call(s, r->task->op->name, r->subject, r->task->args, NULL, PV_CALL_DRY_RUN);
}

static int rehearse(struct task *t, const struct subject *s, const json_t *params, bool no_op,
                    core_json_fn done, void *ctx, struct pv_err *err)
{
    struct rehearsal *r = calloc(1, sizeof(*r));
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 65536);
    struct open_call *call;
    json_t *plan;

    if (!r || !a) {
        free(r);
        return pv_fail(err, PV_ENOMEM, "no memory for the plan");
    }
    plan = json_array();
    if (!no_op)
        json_array_append_new(plan, plan_entry(t->op, t->kind, &t->subject, s, params));
    r->done = done;
    r->ctx = ctx;
    r->answer = json_pack("{s:b, s:b, s:[], s:o}", "ok", 1, "changed", !no_op, "findings", "plan",
                          plan);
    r->task = t;
    task_ref(t);
    if (no_op || t->op->core || t->own) {
        rehearsal_end(r);
        return PV_OK;
    }
    r->subject = strdup(task_subject_json(t->kind, t->native_id, t->name, t->owner_native_id, a));
    call = calloc(1, sizeof(*call));
    if (call) {
        call->done = rehearsed;
        call->arg = r;
    }
    if (!call || !r->subject || !provider_call(t->provider, call, start_rehearsal, r)) {
        /* Without the provider the plan lacks its own calls, no more. */
        free(call);
        rehearsal_end(r);
    }
    return PV_OK;
}

/* What is known before it is a task; wish_free() releases it. */
struct wish {
    struct subject s;
    json_t *params;             /* complete */
    char *args;                 /* as the driver gets them */
    struct provider *other;
    bool no_op, busy;
};

static void wish_free(struct wish *w)
{
    subject_free(&w->s);
    json_decref(w->params);
    free(w->args);
    provider_put(w->other);
}

static int take_args(struct core *c, const struct model_operation *op, struct wish *w, struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *args = NULL;
    int rc = args_resolve(c, op, w->s.provider, w->params, &args, &w->other, err);

    if (rc != PV_OK)
        return rc;
    w->args = json_dumps(args, JSON_COMPACT);
    if (!w->args)
        return pv_fail(err, PV_ENOMEM, "no memory for parameters");
    if (strlen(w->args) > ARGS_MAX)
        return pv_fail_as(err, "too-large", "the parameters are too long for a task");
    return PV_OK;
}

static int judge_wish(struct core *c, const struct core_task_request *q, const struct core_options *o,
                      struct arena *a, struct wish *w, struct pv_err *err)
{
    const struct kind_info *k = &c->kinds[q->kind];
    const struct model_operation *op = q->operation;
    int rc;

    /* Before its state is read: if it is free now, what is read is not about to change by us. */
    w->busy = !op->place && object_is_busy(c, &q->subject);
    rc = subject_load(c, op, q->kind, &q->subject, a, &w->s, err);
    if (rc == PV_OK && !op->place)
        rc = core_check_version(o, (uint64_t)model_number(w->s.row, (unsigned)k->version), err);
    if (rc == PV_OK)
        rc = subject_check(c, op, &w->s, q->params, a, &w->no_op, err);
    if (rc == PV_OK && !(w->params = args_complete(op->params, q->params)))
        rc = pv_fail(err, PV_ENOMEM, "no memory for parameters");
    if (rc == PV_OK)
        rc = take_args(c, op, w, err);
    /* What is ours alone waits for nobody. */
    if (own_params_only(op, q->params))
        w->busy = false;
    else if (rc == PV_OK && o && o->fail_if_busy && !op->place &&
        (w->busy || (!w->no_op && object_is_busy(c, &w->s.lock))))
        rc = pv_fail(err, PV_EBUSY, "another task works on %s", w->s.name);
    /* The later wish must win: whether there is something to do shows when the others have ended. */
    if (w->no_op && w->busy && !(o && o->dry_run))
        w->no_op = false;
    return rc;
}

static int make_task(struct submit *sub, const struct core_actor *by, const struct core_task_request *q,
                     struct wish *w, struct arena *a, struct pv_err *err)
{
    struct core *c = sub->core;
    struct task *t = sub->task;
    PV_AUTO(json_decref_p) json_t *undo = NULL;
    const char *text;
    int rc = PV_OK;

    t->state = w->no_op ? PV_TASK_STATE_SUCCEEDED : PV_TASK_STATE_QUEUED;
    sub->row = task_row(t, by, w->params, t->state, a);
    if (!sub->row)
        return pv_fail(err, PV_ENOMEM, "no memory for a task");
    undo = w->no_op ? NULL : plan_undo(q->operation, q->kind, &q->subject, &w->s, w->params);
    text = undo ? core_json_text(a, undo) : NULL;
    if (text && strlen(text) <= sub->row->kind->fields[F(task, undo)].max)
        model_set_text(sub->row, F(task, undo), text);
    if (!w->no_op && !task_register_on(t, &w->s.lock))
        return pv_fail(err, PV_ENOMEM, "there are too many open tasks");
    events_init(&sub->events, c);
    rc = store_write(c->store, submit_tx, sub, err);
    events_free(&sub->events);
    if (rc != PV_OK && !w->no_op)
        task_unregister(t);
    return rc;
}

int core_task_submit(struct core *c, const struct core_actor *by, const struct core_task_request *q,
                     const struct core_options *o, struct pv_id *task, core_json_fn done, void *ctx,
                     struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    struct submit sub = { .core = c, .options = o };
    struct wish w = { 0 };
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a task");
    rc = judge_wish(c, q, o, a, &w, err);
    if (rc == PV_OK && !(sub.task = task_new(c, q->operation, q->kind, &q->subject)))
        rc = pv_fail(err, PV_ENOMEM, "no memory for a task");
    if (rc == PV_OK)
        rc = task_fill(sub.task, by, &w.s, w.params, err);
    if (rc == PV_OK) {
        sub.task->check_again = w.busy;
        sub.task->args = PV_TAKE(w.args);
        sub.task->other = PV_TAKE(w.other);
    }
    if (rc == PV_OK && o && o->dry_run)
        rc = rehearse(sub.task, &w.s, w.params, w.no_op, done, ctx, err);
    else if (rc == PV_OK)
        rc = make_task(&sub, by, q, &w, a, err);
    if (rc == PV_OK && !(o && o->dry_run)) {
        *task = sub.task->id;
        if (w.no_op)
            atomic_fetch_add(&c->n_done, 1);
        else
            task_enqueue(sub.task, false);
    }
    task_put(sub.task);
    wish_free(&w);
    return rc;
}

int core_task_cancel(struct core *c, const struct core_actor *by, const struct pv_id *task,
                     struct pv_err *err)
{
    struct task_change ch = { .state = PV_TASK_STATE_CANCELING };
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct task *t = task_find(c, task);
    struct model_row *row;
    bool calling = false;
    int rc = PV_OK;

    (void)by;
    if (!t) {
        rc = a ? store_row_get(c->store, c->kinds[PV_KIND_task].shape, task, a, &row, err)
               : pv_fail(err, PV_ENOMEM, "no memory to cancel");
        return rc != PV_OK ? rc : pv_fail_as(err, "task-not-cancelable", "the task has ended");
    }
    pthread_mutex_lock(&c->tasks_lock);
    if (t->ended) {
        rc = pv_fail_as(err, "task-not-cancelable", "the task has ended");
    } else {
        t->cancel = true;
        calling = !t->queued && !t->is_parent;
        if (calling || t->is_parent)
            t->state = PV_TASK_STATE_CANCELING;
    }
    pthread_mutex_unlock(&c->tasks_lock);
    /* On disk first: after a restart the rest is canceled, too. */
    if (rc == PV_OK && t->is_parent)
        rc = task_write(t, &ch, err);
    if (rc == PV_OK && t->is_parent)
        bulk_cancel(t);
    if (rc == PV_OK && calling && !t->op->core) {
        rc = task_write(t, &ch, err);
        provider_cancel_calls(t->provider, t);
    }
    tasks_wake(c);
    task_put(t);
    return rc;
}
