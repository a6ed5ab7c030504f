/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation on many objects: a parent task and a child for each, all
 * stored in one transaction, so that what was accepted is complete.
 */
#include "server/core/args.h"

#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 10000
#define PARALLEL 32
#define PARALLEL_PROVIDER 8
#define WRITE_EVERY_MS 500
#define FINDINGS_MAX 1000

bool bulk_has_room(const struct bulk *b, const struct provider *p)
{
    if (b->stopped || !b->accepted || b->running >= b->max_parallel)
        return false;
    for (size_t i = 0; i < b->nshares; i++)
        if (b->shares[i].provider == p)
            return b->shares[i].running < b->per_provider;
    return true;
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

/* tasks_lock held. */
static const char *numbers(const struct bulk *b, struct arena *a)
{
    unsigned done = b->succeeded + b->failed + b->canceled;
    PV_AUTO(json_decref_p) json_t *json = json_pack(
        "{s:i, s:i, s:i, s:i, s:i, s:i}", "total", (int)b->total, "queued",
        (int)(b->total - done - b->running), "running", (int)b->running, "succeeded",
        (int)b->succeeded, "failed", (int)b->failed, "canceled", (int)b->canceled);

    return core_json_text(a, json);
}

void bulk_numbers(const struct task *parent, struct task_change *ch, struct arena *a)
{
    const struct bulk *b = parent->bulk;

    /* Whatever order the writes come in, the last one stores what is true then. */
    pthread_mutex_lock(&parent->core->tasks_lock);
    ch->children = numbers(b, a);
    ch->percent = b->total ? 100 * (b->succeeded + b->failed + b->canceled) / b->total : 100;
    pthread_mutex_unlock(&parent->core->tasks_lock);
}

/* The numbers first, then the end: both are seen together at the latest then. */
static void parent_ended(struct task *parent, const char *json, bool final)
{
    struct bulk *b = parent->bulk;
    struct task_change ch = { .keep_state = true, .children = json, .set_progress = true };
    enum pv_task_state state = PV_TASK_STATE_SUCCEEDED;
    struct pv_err err = { 0 };
    bool changed, bad;

    pthread_mutex_lock(&parent->core->tasks_lock);
    ch.percent = b->total ? 100 * (b->succeeded + b->failed + b->canceled) / b->total : 100;
    changed = b->succeeded > 0;
    bad = b->failed > 0;
    if (b->canceled > 0 && parent->cancel)
        state = PV_TASK_STATE_CANCELED;
    else if (b->failed + b->canceled > 0)
        state = PV_TASK_STATE_FAILED;
    pthread_mutex_unlock(&parent->core->tasks_lock);
    if (task_write(parent, &ch, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "task.bulk", "%s", err.message);
    if (!final)
        return;
    if (state == PV_TASK_STATE_FAILED)
        pv_fail(&err, PV_EIO, "%u of %u failed, %u were canceled", b->failed, b->total, b->canceled);
    task_end(parent, state, changed, NULL, bad && state == PV_TASK_STATE_FAILED ? &err : NULL);
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

void bulk_child_ended(struct task *t, enum pv_task_state state)
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
    if (state == PV_TASK_STATE_SUCCEEDED)
        b->succeeded++;
    else if (state == PV_TASK_STATE_CANCELED)
        b->canceled++;
    else
        b->failed++;
    if (b->stop_on_error && b->failed > 0 && !b->stopped)
        stop = b->stopped = true;
    final = b->succeeded + b->failed + b->canceled == b->total;
    write = final || now - b->written_ms >= WRITE_EVERY_MS;
    if (write)
        b->written_ms = now;
    if (write && a)
        json = numbers(b, a);
    /* It is there until the last child has been counted. */
    parent = b->parent;
    task_ref(parent);
    pthread_mutex_unlock(&c->tasks_lock);
    if (stop)
        bulk_cancel(parent);
    if (write)
        parent_ended(parent, json, final);
    task_put(parent);
}

/* ---------------------------------------------------------------- submitting */

struct child {
    struct task *task;
    struct model_row *row;
};

struct bulk_submit {
    struct core *core;
    struct task *parent;
    struct model_row *row;
    struct child *children;
    size_t n;
    const struct core_options *options;
    struct event_set events;
};

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

struct selected {
    struct pv_id *ids;
    size_t n;
};

static int select_one(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct selected *s = ctx;

    if (s->n == TARGETS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a bulk task has at most %d targets", TARGETS_MAX);
    s->ids[s->n++] = row->id;
    return PV_OK;
}

static int select_targets(struct core *c, const struct core_actor *by,
                          const struct core_bulk_request *q, struct selected *out, struct arena *a,
                          struct pv_err *err)
{
    const struct kind_info *k = &c->kinds[q->operation->kind];
    struct store_query sq = { .shape = k->shape, .filter = q->selector, .limit = 1000,
                              .access = by ? by->rights.eyes : NULL };
    struct store_position at = { .len = 0 };
    int rc = PV_OK;

    out->ids = arena_alloc(a, TARGETS_MAX * sizeof(*out->ids));
    out->n = 0;
    if (!out->ids || !k->shape)
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    if (q->ntargets > TARGETS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a bulk task has at most %d targets", TARGETS_MAX);
    for (size_t i = 0; i < q->ntargets; i++) {
        bool twice = false;

        /* Long lists are given by selectors; a target named twice is one target. */
        for (size_t n = 0; n < out->n && !twice; n++)
            twice = id_eq(&out->ids[n], &q->targets[i]);
        if (!twice)
            out->ids[out->n++] = q->targets[i];
    }
    if (q->ntargets > 0)
        return PV_OK;
    if (q->expected_count < 0 && !q->confirm) {
        rc = pv_fail(err, PV_EINVAL, "a selector needs expected_count, or confirm");
        pv_err_pointer(err, "/expected_count");
        return rc;
    }
    do {
        struct store_position last = { .len = 0 };

        sq.after = at.len ? &at : NULL;
        rc = store_list(c->store, &sq, select_one, out, &last, err);
        at = last;
    } while (rc == PV_OK && at.len > 0);
    if (rc == PV_OK && q->expected_count >= 0 && (size_t)q->expected_count != out->n) {
        rc = pv_fail_as(err, "conflict", "the selector finds %zu objects, not %lld",
                        out->n, (long long)q->expected_count);
        pv_err_pointer(err, "/expected_count");
    }
    return rc;
}

/* Objects that parameters name must be of the child's provider, too. */
static int check_refs(struct core *c, const struct core_bulk_request *q, const struct subject *s,
                      struct pv_err *why)
{
    json_t *args;
    int rc = args_resolve(c, q->operation, s->provider, q->params, &args, NULL, why);

    if (rc == PV_OK)
        json_decref(args);
    return rc;
}

static void set_undo(struct child *out, const struct core_bulk_request *q, const struct pv_id *id,
                     const struct subject *s, struct arena *a)
{
    PV_AUTO(json_decref_p) json_t *undo = plan_undo(q->operation, q->operation->kind, id, s, q->params);
    const char *text = undo ? core_json_text(a, undo) : NULL;

    if (text && strlen(text) <= out->row->kind->fields[F(task, undo)].max)
        model_set_text(out->row, F(task, undo), text);
}

/* What may not be seen is not there; not even its name gets into the task. */
static int allowed(struct core *c, const struct core_actor *by, const struct model_operation *op,
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

/* One target as a child: born queued, or final with the reason. */
static int make_child(struct bulk_submit *s, const struct core_actor *by,
                      const struct core_bulk_request *q, const struct pv_id *id, struct child *out,
                      struct pv_id *lock, struct arena *a, struct pv_err *why)
{
    struct core *c = s->core;
    struct subject subject = { .name = "", .native_id = "", .owner_native_id = "" };
    PV_AUTO(arena_free_p) struct arena *scratch = arena_new(8192, 4u << 20);
    enum pv_task_state state = PV_TASK_STATE_QUEUED;
    bool no_op = false, busy = object_is_busy(c, id);
    int rc = scratch ? allowed(c, by, q->operation, id, why)
                     : pv_fail(why, PV_ENOMEM, "no memory for a bulk task");

    if (rc == PV_OK)
        rc = subject_load(c, q->operation, q->operation->kind, id, scratch, &subject, why);
    if (rc == PV_OK)
        rc = subject_check(c, q->operation, &subject, q->params, scratch, &no_op, why);
    if (rc == PV_OK && q->operation->params)
        rc = check_refs(c, q, &subject, why);
    if (rc != PV_OK)
        state = PV_TASK_STATE_FAILED;
    else if (no_op && !busy)
        state = PV_TASK_STATE_SUCCEEDED;
    *lock = subject.row ? subject.lock : *id;
    out->task = task_new(c, q->operation, q->operation->kind, id);
    if (!out->task || task_fill(out->task, by, &subject, q->params, NULL) != PV_OK) {
        subject_free(&subject);
        return PV_ENOMEM;
    }
    out->task->state = state;
    out->task->check_again = busy;
    out->task->parent = s->parent->id;
    out->row = task_row(out->task, by, q->params, state, a);
    if (out->row && state == PV_TASK_STATE_QUEUED)
        set_undo(out, q, id, &subject, a);
    if (out->row && state == PV_TASK_STATE_FAILED)
        model_set_text(out->row, F(task, error), task_error_json(out->task, why, a));
    subject_free(&subject);
    return out->row ? PV_OK : PV_ENOMEM;
}

static int make_parent(struct bulk_submit *s, const struct core_actor *by,
                       const struct core_bulk_request *q, struct arena *a, struct pv_err *err)
{
    struct task *t = task_new(s->core, q->operation, PV_KIND_NONE, NULL);
    struct bulk *b = calloc(1, sizeof(*b));
    PV_AUTO(json_decref_p) json_t *params = NULL;

    if (!t || !b) {
        task_put(t);
        free(b);
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    }
    atomic_store(&b->refs, 1);
    b->parent = t;
    b->max_parallel = q->max_parallel ? q->max_parallel : PARALLEL;
    b->per_provider = q->per_provider ? q->per_provider : PARALLEL_PROVIDER;
    b->stop_on_error = q->stop_on_error;
    t->bulk = b;
    t->is_parent = true;
    t->state = PV_TASK_STATE_RUNNING;
    s->parent = t;
    params = json_pack("{s:i, s:i, s:b, s:O?}", "max_parallel", (int)b->max_parallel, "per_provider",
                       (int)b->per_provider, "stop_on_error", b->stop_on_error, "params", q->params);
    if (task_fill(t, by, NULL, params, err) != PV_OK)
        return PV_ENOMEM;
    s->row = task_row(t, by, params, PV_TASK_STATE_RUNNING, a);
    if (!s->row)
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    model_set_number(s->row, F(task, started_at), clock_wall_ms());
    return PV_OK;
}

static void count_child(struct bulk *b, enum pv_task_state state)
{
    b->total++;
    if (state == PV_TASK_STATE_SUCCEEDED)
        b->succeeded++;
    if (state == PV_TASK_STATE_FAILED)
        b->failed++;
}

static int accept(struct bulk_submit *s, const struct pv_id *locks, struct arena *a,
                  struct pv_err *err)
{
    struct core *c = s->core;
    struct bulk *b = s->parent->bulk;
    size_t registered = 0;
    int rc = PV_OK;

    model_set_text(s->row, F(task, children), numbers(b, a));
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

static void begin(struct bulk_submit *s)
{
    struct core *c = s->core;
    struct bulk *b = s->parent->bulk;
    bool final;

    pthread_mutex_lock(&c->tasks_lock);
    b->accepted = true;
    final = b->succeeded + b->failed == b->total;
    if (b->stop_on_error && b->failed > 0)
        b->stopped = true;
    pthread_mutex_unlock(&c->tasks_lock);
    if (final) {
        PV_AUTO(arena_free_p) struct arena *a = arena_new(1024, 8192);

        parent_ended(s->parent, a ? numbers(b, a) : NULL, true);
        return;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->children[i].task->state == PV_TASK_STATE_QUEUED)
            task_enqueue(s->children[i].task, false);
    if (b->stopped)
        bulk_cancel(s->parent);
}

static void answer_plan(struct bulk_submit *s, const struct core_bulk_request *q,
                        const struct pv_err *why, json_t *plan, json_t *findings, core_json_fn done,
                        void *ctx)
{
    struct bulk *b = s->parent->bulk;
    json_t *json = json_pack("{s:b, s:b, s:i, s:O, s:O}", "ok", b->failed == 0, "changed",
                             b->total - b->succeeded - b->failed > 0, "count", (int)b->total,
                             "findings", findings, "plan", plan);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct pv_err err = { 0 };

    (void)q;
    (void)why;
    if (text)
        done(ctx, PV_OK, text, NULL);
    else
        done(ctx, pv_fail(&err, PV_ENOMEM, "no memory for the plan"), NULL, &err);
    free(text);
    json_decref(json);
}

static void plan_child(struct core *c, const struct child *child, const struct pv_err *why,
                       const struct core_bulk_request *q, json_t *plan, json_t *findings)
{
    struct task *t = child->task;
    struct subject s = { .name = t->name, .power = t->before, .has_power = t->kind == PV_KIND_vm };
    char id[PV_ID_TEXT];
    json_t *f;

    (void)c;
    if (t->state == PV_TASK_STATE_QUEUED && json_array_size(plan) < FINDINGS_MAX)
        json_array_append_new(plan, plan_entry(q->operation, t->kind, &t->subject, &s, q->params));
    if (t->state != PV_TASK_STATE_FAILED || json_array_size(findings) >= FINDINGS_MAX)
        return;
    f = finding(NULL, "warn", why);
    model_id_text(t->kind, &t->subject, id);
    json_object_set_new(f, "ref", json_pack("{s:s, s:s, s:s}", "kind", model_kind(t->kind)->name,
                                            "id", id, "name", t->name));
    json_array_append_new(findings, f);
}

int core_bulk_submit(struct core *c, const struct core_actor *by, const struct core_bulk_request *asked,
                     const struct core_options *o, struct pv_id *task, core_json_fn done, void *ctx,
                     struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *params = args_complete(asked->operation->params, asked->params);
    struct core_bulk_request wish = *asked;
    const struct core_bulk_request *q = &wish;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 256u << 20);
    PV_AUTO(json_decref_p) json_t *plan = json_array(), *findings = json_array();
    struct bulk_submit s = { .core = c, .options = o };
    struct selected targets = { 0 };
    struct pv_id *locks = NULL;
    struct pv_err why = { 0 };
    bool dry = o && o->dry_run;
    int rc;

    if (!a || !params)
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    /* Without parameters none are stored. */
    wish.params = asked->params || json_object_size(params) > 0 ? params : NULL;
    if (q->operation->kind == PV_KIND_NONE || q->operation->core || q->operation->place || q->operation->live) {
        rc = pv_fail(err, PV_EINVAL, "%s cannot be done in bulk", q->operation->name);
        pv_err_pointer(err, "/action");
        return rc;
    }
    rc = select_targets(c, by, q, &targets, a, err);
    if (rc == PV_OK && q->operation->params) {
        PV_AUTO(json_decref_p) json_t *empty = json_object();

        rc = model_params_check(q->operation->params, q->params ? q->params : empty, "/params", err);
    }
    if (rc == PV_OK)
        rc = make_parent(&s, by, q, a, err);
    if (rc == PV_OK) {
        s.children = arena_alloc(a, (targets.n + 1) * sizeof(*s.children));
        locks = arena_alloc(a, (targets.n + 1) * sizeof(*locks));
        if (!s.children || !locks)
            rc = pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    }
    for (size_t i = 0; rc == PV_OK && i < targets.n; i++) {
        memset(&why, 0, sizeof(why));
        s.n = i + 1;
        if (make_child(&s, by, q, &targets.ids[i], &s.children[i], &locks[i], a, &why) != PV_OK)
            rc = pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
        if (rc == PV_OK)
            count_child(s.parent->bulk, s.children[i].task->state);
        if (rc == PV_OK && dry)
            plan_child(c, &s.children[i], &why, q, plan, findings);
    }
    if (rc == PV_OK && dry)
        answer_plan(&s, q, &why, plan, findings, done, ctx);
    else if (rc == PV_OK)
        rc = accept(&s, locks, a, err);
    if (rc == PV_OK && !dry) {
        *task = s.parent->id;
        begin(&s);
    }
    for (size_t i = 0; i < s.n; i++)
        task_put(s.children[i].task);
    task_put(s.parent);
    return rc;
}

/* ---------------------------------------------------------------- after a restart */

static int restore_one(struct core *c, struct task *parent, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 64u << 20);
    PV_AUTO(json_decref_p) json_t *params = json_loads(parent->params, 0, NULL);
    struct model_value v = value_ref(&parent->id);
    struct bulk *b = calloc(1, sizeof(*b));
    struct pv_id *ids;
    size_t n = 0;
    bool final;
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
    b->max_parallel = b->max_parallel ? b->max_parallel : PARALLEL;
    b->per_provider = b->per_provider ? b->per_provider : PARALLEL_PROVIDER;
    parent->bulk = b;
    rc = store_find(c->store, PV_KIND_task, F(task, parent), &v, TARGETS_MAX, a, &ids, &n, err);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        struct task *child = task_find(c, &ids[i]);
        struct model_row *row;

        b->total++;
        if (child) {
            child->bulk = b;
            atomic_fetch_add(&b->refs, 1);
            task_put(child);
            continue;
        }
        rc = store_row_get(c->store, c->kinds[PV_KIND_task].shape, &ids[i], a, &row, err);
        if (rc != PV_OK)
            break;
        switch (model_number(row, F(task, state))) {
        case PV_TASK_STATE_SUCCEEDED:
            b->succeeded++;
            break;
        case PV_TASK_STATE_CANCELED:
            b->canceled++;
            break;
        default:
            b->failed++;
        }
    }
    if (rc != PV_OK)
        return rc;
    final = b->succeeded + b->failed + b->canceled == b->total;
    if (final)
        parent_ended(parent, numbers(b, a), true);
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
