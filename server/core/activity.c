/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is being done to a VM, shown while a task of ours does it. The driver's
 * word wins where it has one; once the task has its result, it alone counts.
 */
#include "server/core/activity.h"

#include <string.h>

static bool about_vm(const struct task *t)
{
    return !t->op->core && !t->own && !t->op->place && t->op->activity != PV_ACTIVITY_NONE &&
           (t->kind == PV_KIND_vm || t->owner_kind == PV_KIND_vm);
}

/* The VM is what the task has locked. tasks_lock held, or the task is open. */
static bool vm_of(const struct task *t, struct pv_id *vm)
{
    if (!about_vm(t) || !t->object)
        return false;
    *vm = t->object->id;
    return true;
}

void activity_claim(struct task *t)
{
    t->shows = about_vm(t);
}

enum pv_activity activity_of(struct core *c, const struct pv_id *vm)
{
    enum pv_activity found = PV_ACTIVITY_NONE;
    const struct task *t;

    pthread_mutex_lock(&c->tasks_lock);
    t = c->objects.used ? object_runner(c, vm) : NULL;
    if (t && t->shows)
        found = t->op->activity;
    pthread_mutex_unlock(&c->tasks_lock);
    return found;
}

/* From `from` to `to`; anything else is the driver's. */
static int change_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                     enum pv_activity from, enum pv_activity to, struct pv_err *err)
{
    const struct kind_info *k = &t->core->kinds[PV_KIND_vm];
    struct arena *a = tx_arena(tx);
    struct model_value v = value_number(to);
    struct event_draft e = { .type = "vm.updated",
                             .kind = PV_KIND_vm,
                             .task = t->id,
                             .actor_type = t->actor_type,
                             .actor_name = t->actor_name[0] ? t->actor_name : NULL };
    struct model_row *row;
    struct row_diff d;
    struct pv_id vm;
    int rc;

    if (!vm_of(t, &vm))
        return PV_OK;
    rc = tx_rows_get(tx, PV_KIND_vm, &vm, 1, false, a, &row, err);
    if (rc != PV_OK || !row || model_number(row, F(vm, activity)) != (int64_t)from)
        return rc;
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    diff_set(&d, F(vm, activity), &v);
    if (d.n > 0) {
        e.changes = diff_changes(&d, a);
        e.subject = vm;
        e.name = model_text(row, F(vm, name));
        e.provider = model_get(row, (unsigned)k->provider)->id;
        rc = diff_write(&d, tx, k, clock_wall_ms(), &e.object_version, err);
        if (rc == PV_OK)
            rc = events_add(events, tx, &e, err);
    }
    diff_free(&d);
    return rc;
}

int activity_begin_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                      struct pv_err *err)
{
    return change_tx(t, tx, events, PV_ACTIVITY_NONE, t->op->activity, err);
}

int activity_end_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                    struct pv_err *err)
{
    /* Read again since: what is there now is the driver's. */
    if (atomic_load(&t->reread))
        return PV_OK;
    return change_tx(t, tx, events, t->op->activity, PV_ACTIVITY_NONE, err);
}

void activity_over(struct task *t)
{
    struct core *c = t->core;
    struct inv_entry *e;
    struct pv_id vm;
    bool shown;

    pthread_mutex_lock(&c->tasks_lock);
    shown = t->shows && vm_of(t, &vm);
    t->shows = false;
    pthread_mutex_unlock(&c->tasks_lock);
    if (!shown || !t->provider)
        return;
    /* What the driver says next is compared with the row, also if it says what it said before. */
    pthread_mutex_lock(&t->provider->apply_lock);
    e = inventory_find_id(t->provider, &vm);
    if (e)
        e->content = 0;
    pthread_mutex_unlock(&t->provider->apply_lock);
}

struct ending {
    struct task *task;
    struct event_set events;
};

static int drop_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct ending *x = arg;
    int rc = events_begin(&x->events, tx, err);

    return rc == PV_OK ? activity_end_tx(x->task, tx, &x->events, err) : rc;
}

void activity_drop(struct task *t)
{
    struct ending x = { .task = t };
    struct pv_err err = { 0 };

    if (!about_vm(t))
        return;
    activity_over(t);
    events_init(&x.events, t->core);
    if (store_write(t->core->store, drop_tx, &x, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "task.activity", "%s", err.message);
    events_free(&x.events);
}
