/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task of several parts while it runs: which part may start, the numbers, the end, and all of it
 * after a restart.
 */
#include "server/core/bulk.h"

#include <stdlib.h>
#include <string.h>

#define CHILDREN_MAX 10000
#define WRITE_EVERY_MS 500

bool bulk_has_room(const struct bulk *b, const struct provider *p)
{
    if (b->stopped || !b->accepted || b->running >= b->max_parallel)
        return false;
    for (size_t i = 0; i < b->nshares; i++)
        if (b->shares[i].provider == p)
            return b->shares[i].running < b->per_provider;
    return true;
}

bool bulk_is_turn(const struct task *t)
{
    uint64_t before;

    /* Only steps have an order, and they are at most 64. */
    if (!t->bulk->ordered)
        return true;
    before = (UINT64_C(1) << t->order) - 1;
    return (t->bulk->ended & before) == before;
}

/* tasks_lock held. */
static struct bulk_share *share_of(struct bulk *b, struct provider *p)
{
    struct bulk_share *more;

    for (size_t i = 0; i < b->nshares; i++)
        if (b->shares[i].provider == p)
            return &b->shares[i];
    more = realloc(b->shares, (b->nshares + 1) * sizeof(*more));
    if (!more)
        return NULL;
    b->shares = more;
    b->shares[b->nshares] = (struct bulk_share){ .provider = p };
    return &b->shares[b->nshares++];
}

void bulk_child_started(struct task *t)
{
    struct bulk_share *share = share_of(t->bulk, t->provider);

    t->bulk->running++;
    if (share)
        share->running++;
    t->in_bulk = true;
}

void bulk_child_paused(struct task *t)
{
    struct bulk_share *share = share_of(t->bulk, t->provider);

    if (!t->in_bulk)
        return;
    t->in_bulk = false;
    t->bulk->running--;
    if (share && share->running > 0)
        share->running--;
}

json_t *bulk_numbers_json(const struct bulk *b)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i}", "total", (int)b->total, "queued",
                     (int)(b->total - bulk_done(b) - b->running), "running", (int)b->running,
                     "succeeded", (int)b->succeeded, "failed", (int)b->failed, "canceled",
                     (int)b->canceled, "skipped", (int)b->skipped);
}

const char *bulk_numbers_text(const struct bulk *b, struct arena *a)
{
    PV_AUTO(json_decref_p) json_t *json = bulk_numbers_json(b);

    return core_json_text(a, json);
}

void bulk_numbers(const struct task *parent, struct task_change *ch, struct arena *a)
{
    const struct bulk *b = parent->bulk;

    /* Whatever order the writes come in, the last one stores what is true then. */
    pthread_mutex_lock(&parent->core->tasks_lock);
    ch->children = bulk_numbers_text(b, a);
    ch->percent = b->total ? 100 * bulk_done(b) / b->total : 100;
    pthread_mutex_unlock(&parent->core->tasks_lock);
}

/* The numbers first, then the end: both are seen together at the latest then. */
void bulk_parent_ended(struct task *parent, const char *json, bool final)
{
    struct bulk *b = parent->bulk;
    struct task_change ch = { .keep_state = true, .children = json, .set_progress = true };
    PV_AUTO(arena_free_p) struct arena *a = NULL;
    struct bulk_outcome out;
    struct pv_err err = { 0 };

    pthread_mutex_lock(&parent->core->tasks_lock);
    ch.percent = b->total ? 100 * bulk_done(b) / b->total : 100;
    pthread_mutex_unlock(&parent->core->tasks_lock);
    if (task_write(parent, &ch, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "task.bulk", "%s", err.message);
    if (!final)
        return;
    a = arena_new(65536, 16u << 20);
    bulk_judge(parent, a, &out);
    task_end(parent, out.state, b->changed, out.result, out.error.rc != PV_OK ? &out.error : NULL);
}

void bulk_cancel(struct task *parent)
{
    struct core *c = parent->core;
    struct task **running;
    size_t n = 0;

    pthread_mutex_lock(&c->tasks_lock);
    running = calloc(c->tasks.used + 1, sizeof(struct task *));
    for (size_t i = 0; running && i < c->tasks.cap; i++) {
        struct task *t = c->tasks.slots[i].item;

        if (!t || t->bulk != parent->bulk || t->is_parent || t->ended)
            continue;
        t->cancel = true;
        if (t->queued)
            continue;
        task_ref(t);
        running[n++] = t;
    }
    pthread_mutex_unlock(&c->tasks_lock);
    for (size_t i = 0; i < n; i++) {
        struct task_change ch = { .state = PV_TASK_STATE_CANCELING };

        task_write(running[i], &ch, NULL);
        if (running[i]->provider)
            provider_cancel_calls(running[i]->provider, running[i]);
        task_put(running[i]);
    }
    free(running);
    tasks_wake(c);
}

/* tasks_lock held. */
static void count(struct bulk *b, const struct task *t, const struct task_change *ch)
{
    enum pv_task_state state = ch->state;

    b->changed |= ch->changed;
    if (state == PV_TASK_STATE_SUCCEEDED) {
        b->succeeded++;
        b->unchanged += !ch->changed;
    } else if (state == PV_TASK_STATE_CANCELED) {
        b->canceled++;
    } else if (state == PV_TASK_STATE_SKIPPED) {
        b->skipped++;
    } else {
        b->failed++;
    }
    if (!b->ordered)
        return;
    if (state == PV_TASK_STATE_SUCCEEDED) {
        b->ended |= UINT64_C(1) << t->order;
    } else if (state != PV_TASK_STATE_CANCELED && !b->first_failed) {
        b->first_failed = t->order + 1;
        if (ch->error)
            b->first_error = *ch->error;
        else
            pv_fail(&b->first_error, PV_EIO, "%s", t->op->title);
    }
}

/* No more of it is begun. A step that was canceled would keep those behind it waiting for ever.
 * tasks_lock held. */
static bool is_over(const struct bulk *b)
{
    return b->stop_on_error && (b->failed > 0 || (b->ordered && b->canceled > 0));
}

void bulk_child_ended(struct task *t, const struct task_change *ch)
{
    struct core *c = t->core;
    struct bulk *b = t->bulk;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(1024, 8192);
    struct task *parent;
    const char *json = NULL;
    bool final, write, stop = false;
    int64_t now = clock_mono_ms();

    pthread_mutex_lock(&c->tasks_lock);
    bulk_child_paused(t);
    count(b, t, ch);
    if (is_over(b) && !b->stopped)
        stop = b->stopped = true;
    final = bulk_done(b) == b->total;
    write = final || now - b->written_ms >= WRITE_EVERY_MS;
    if (write)
        b->written_ms = now;
    if (write && a)
        json = bulk_numbers_text(b, a);
    /* It is there until the last child has been counted. */
    parent = b->parent;
    task_ref(parent);
    pthread_mutex_unlock(&c->tasks_lock);
    if (stop)
        bulk_cancel(parent);
    if (write)
        bulk_parent_ended(parent, json, final);
    task_put(parent);
}

/* ---------------------------------------------------------------- after a restart */

static int older_first(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct pv_id));
}

/* What a child that has ended came to. */
static void take_ended(struct bulk *b, const struct model_row *row, unsigned order)
{
    const struct task gone = { .order = order };
    struct task_change ch = { .state = (enum pv_task_state)model_number(row, F(task, state)),
                              .changed = model_number(row, F(task, changed)) > 0 };
    PV_AUTO(json_decref_p) json_t *error = json_loads(model_text(row, F(task, error)), 0, NULL);
    const char *detail = json_string_value(json_object_get(error, "detail"));
    struct pv_err err = { 0 };

    pv_fail(&err, PV_EIO, "%s", detail ? detail : model_text(row, F(task, action)));
    ch.error = &err;
    count(b, &gone, &ch);
}

static int restore_one(struct core *c, struct task *parent, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 64u << 20);
    PV_AUTO(json_decref_p) json_t *params = json_loads(parent->params, 0, NULL);
    struct model_value v = value_ref(&parent->id);
    struct bulk *b = calloc(1, sizeof(*b));
    struct pv_id *ids;
    size_t n = 0;
    int rc;

    if (!a || !b) {
        free(b);
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    }
    atomic_store(&b->refs, 1);
    b->parent = parent;
    b->accepted = true;
    b->max_parallel = (unsigned)json_integer_value(json_object_get(params, "max_parallel"));
    b->per_provider = (unsigned)json_integer_value(json_object_get(params, "per_provider"));
    b->stop_on_error = json_is_true(json_object_get(params, "stop_on_error"));
    b->ordered = json_is_array(json_object_get(params, "steps"));
    b->max_parallel = b->max_parallel && !b->ordered ? b->max_parallel : 1;
    b->per_provider = b->per_provider && !b->ordered ? b->per_provider : 1;
    parent->bulk = b;
    rc = store_find(c->store, PV_KIND_task, F(task, parent), &v, CHILDREN_MAX, a, &ids, &n, err);
    /* Ids are made in order: so were the steps. */
    if (rc == PV_OK)
        qsort(ids, n, sizeof(*ids), older_first);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        struct task *child = task_find(c, &ids[i]);
        struct model_row *row;

        b->total++;
        if (child) {
            child->bulk = b;
            child->order = (unsigned)i;
            atomic_fetch_add(&b->refs, 1);
            task_put(child);
            continue;
        }
        rc = store_row_get(c->store, c->kinds[PV_KIND_task].shape, &ids[i], a, &row, err);
        if (rc == PV_OK)
            take_ended(b, row, (unsigned)i % STEPS_MAX);
    }
    if (rc != PV_OK)
        return rc;
    if (bulk_done(b) == b->total) {
        bulk_parent_ended(parent, bulk_numbers_text(b, a), true);
    } else if (is_over(b) || parent->cancel) {
        b->stopped = is_over(b);
        bulk_cancel(parent);
    }
    return PV_OK;
}

int bulk_restore(struct core *c, struct pv_err *err)
{
    struct task **parents = calloc(c->tasks.used + 1, sizeof(struct task *));
    size_t n = 0;
    int rc = PV_OK;

    if (!parents)
        return pv_fail(err, PV_ENOMEM, "no memory for bulk tasks");
    for (size_t i = 0; i < c->tasks.cap; i++) {
        struct task *t = c->tasks.slots[i].item;

        if (t && t->is_parent) {
            task_ref(t);
            parents[n++] = t;
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (rc == PV_OK)
            rc = restore_one(c, parents[i], err);
        task_put(parents[i]);
    }
    free(parents);
    return rc;
}
