/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all tasks of several parts are made of: the parent, the children, and their acceptance in
 * one transaction.
 */
#include "server/core/bulk.h"

#include <stdlib.h>
#include <string.h>

static int bulk_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct bulk_submit *s = arg;
    int rc = events_begin(&s->events, tx, err);

    if (rc == PV_OK)
        rc = task_insert_tx(s->parent, s->row, tx, &s->events, err);
    for (size_t i = 0; rc == PV_OK && i < s->n; i++)
        rc = tx_row_insert(tx, s->children[i].row, err);
    return rc == PV_OK ? core_put_idempotency(tx, s->options, PV_KIND_task, &s->row->id, err) : rc;
}

/* What may not be seen is not there; not even its name gets into the task. */
int bulk_allowed(struct core *c, const struct core_actor *by, const struct model_operation *op,
                 const struct pv_id *id, struct pv_err *why)
{
    const struct store_view *view = by && by->rights.eyes ? by->rights.eyes->read[op->kind] : NULL;
    bool seen = true;
    int rc = view ? store_visible(c->store, view, op->kind, id, &seen, why) : PV_OK;

    if (rc == PV_OK && !seen)
        rc = pv_fail(why, PV_ENOENT, "there is no such %s", model_kind(op->kind)->name);
    if (rc == PV_OK && by && by->rights.may &&
        !by->rights.may(by->rights.ctx, op->permission, op->kind, id)) {
        rc = pv_fail_as(why, "forbidden", "this needs the permission %s",
                        model_permission_text(op->permission));
        pv_err_needs(why, model_permission_text(op->permission));
    }
    return rc;
}

static void set_undo(struct model_row *row, const struct model_operation *op,
                     const struct pv_id *id, const struct subject *s, const json_t *params,
                     struct arena *a)
{
    PV_AUTO(json_decref_p) json_t *undo = plan_undo(op, op->kind, id, s, params);
    const char *text = undo ? core_json_text(a, undo) : NULL;

    if (text && strlen(text) <= row->kind->fields[F(task, undo)].max)
        model_set_text(row, F(task, undo), text);
}

static void count_child(struct bulk *b, enum pv_task_state state, unsigned order)
{
    b->total++;
    if (state == PV_TASK_STATE_SUCCEEDED && b->ordered)
        b->ended |= UINT64_C(1) << order;
    if (state == PV_TASK_STATE_SUCCEEDED) {
        b->succeeded++;
        b->unchanged++;
    }
    if (state == PV_TASK_STATE_SKIPPED)
        b->skipped++;
}

int bulk_make_child(struct bulk_submit *s, const struct core_actor *by,
                    const struct model_operation *op, const struct subject *subject,
                    const struct pv_id *id, const json_t *params, enum pv_task_state state,
                    bool busy, const struct pv_err *why, struct arena *a, struct bulk_child *out)
{
    struct task *t = task_new(s->core, op, op->kind, id);

    out->task = t;
    if (!t || task_fill(t, by, subject, params, NULL) != PV_OK)
        return PV_ENOMEM;
    t->state = state;
    t->check_again = busy;
    t->parent = s->parent->id;
    t->order = s->parent->bulk->total;
    out->row = task_row(t, by, params, state, a);
    if (!out->row)
        return PV_ENOMEM;
    if (state == PV_TASK_STATE_QUEUED)
        set_undo(out->row, op, id, subject, params, a);
    if (state == PV_TASK_STATE_SKIPPED) {
        model_set_text(out->row, F(task, error), task_error_json(t, why, a));
        model_set_text(out->row, F(task, error_code), pv_err_problem(why)->code);
    }
    count_child(s->parent->bulk, state, t->order);
    return PV_OK;
}

int bulk_make_parent(struct bulk_submit *s, const struct core_actor *by,
                     const struct model_operation *op, enum pv_kind kind,
                     const struct subject *subject, const struct bulk *like, json_t *params,
                     struct arena *a, struct pv_err *err)
{
    struct task *t = task_new(s->core, op, kind, subject ? &subject->row->id : NULL);
    struct bulk *b = calloc(1, sizeof(*b));
    PV_AUTO(json_decref_p) json_t *taken = params;

    if (!t || !b || !params) {
        task_put(t);
        free(b);
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    }
    atomic_store(&b->refs, 1);
    b->parent = t;
    b->max_parallel = like->max_parallel;
    b->per_provider = like->per_provider;
    b->stop_on_error = like->stop_on_error;
    b->ordered = like->ordered;
    t->bulk = b;
    t->is_parent = true;
    t->state = PV_TASK_STATE_RUNNING;
    s->parent = t;
    if (task_fill(t, by, subject, taken, err) != PV_OK)
        return PV_ENOMEM;
    s->row = task_row(t, by, taken, PV_TASK_STATE_RUNNING, a);
    if (!s->row)
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    model_set_number(s->row, F(task, started_at), clock_wall_ms());
    return PV_OK;
}

int bulk_accept(struct bulk_submit *s, const struct pv_id *locks, struct arena *a,
                struct pv_err *err)
{
    struct core *c = s->core;
    struct bulk *b = s->parent->bulk;
    size_t registered = 0;
    int rc = PV_OK;

    model_set_text(s->row, F(task, children), bulk_numbers_text(b, a));
    if (!task_register_on(s->parent, &s->parent->id))
        return pv_fail(err, PV_ENOMEM, "there are too many open tasks");
    for (; rc == PV_OK && registered < s->n; registered++) {
        struct task *t = s->children[registered].task;

        t->bulk = b;
        atomic_fetch_add(&b->refs, 1);
        if (t->state == PV_TASK_STATE_QUEUED && !task_register_on(t, &locks[registered]))
            rc = pv_fail(err, PV_ENOMEM, "there are too many open tasks");
        if (rc != PV_OK)
            break;
    }
    if (rc == PV_OK) {
        events_init(&s->events, c);
        rc = store_write(c->store, bulk_tx, s, err);
        events_free(&s->events);
    }
    if (rc != PV_OK) {
        for (size_t i = 0; i < registered; i++)
            if (s->children[i].task->state == PV_TASK_STATE_QUEUED)
                task_unregister(s->children[i].task);
        task_unregister(s->parent);
    }
    return rc;
}

void bulk_begin(struct bulk_submit *s)
{
    struct core *c = s->core;
    struct bulk *b = s->parent->bulk;
    bool final;

    pthread_mutex_lock(&c->tasks_lock);
    b->accepted = true;
    final = bulk_done(b) == b->total;
    pthread_mutex_unlock(&c->tasks_lock);
    if (final) {
        PV_AUTO(arena_free_p) struct arena *a = arena_new(1024, 8192);

        bulk_parent_ended(s->parent, a ? bulk_numbers_text(b, a) : NULL, true);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->children[i].task->state == PV_TASK_STATE_QUEUED)
            task_enqueue(s->children[i].task, false);
}

void bulk_submit_free(struct bulk_submit *s)
{
    for (size_t i = 0; i < s->n; i++)
        task_put(s->children[i].task);
    task_put(s->parent);
}
