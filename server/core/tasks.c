/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of open tasks: made, found, ended, and taken up again after a restart.
 */
#include "server/core/activity.h"
#include "server/core/expiry.h"

#include <stdlib.h>
#include <string.h>

static bool task_equal(const void *item, const void *key)
{
    return id_eq(&((const struct task *)item)->id, key);
}

static bool object_equal(const void *item, const void *key)
{
    return id_eq(&((const struct object *)item)->id, key);
}

struct task *task_new(struct core *c, const struct model_operation *op, enum pv_kind kind,
                      const struct pv_id *subject)
{
    struct task *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    atomic_store(&t->refs, 1);
    t->core = c;
    t->op = op;
    t->kind = kind;
    if (subject)
        t->subject = *subject;
    t->percent = -1;
    id_make(&t->id);
    return t;
}

void task_ref(struct task *t)
{
    atomic_fetch_add(&t->refs, 1);
}

void bulk_put(struct bulk *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1)
        return;
    free(b->shares);
    json_decref(b->reasons);
    free(b);
}

void task_put(struct task *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    provider_put(t->provider);
    bulk_put(t->bulk);
    provider_put(t->other);
    free(t->params);
    free(t->args);
    free(t->native_id);
    free(t->owner_native_id);
    free(t->name);
    free(t->actor_name);
    free(t->journal);
    free(t->result);
    free(t->undo);
    free(t);
}

static char *copy_or_empty(const char *text)
{
    return strdup(text ? text : "");
}

int task_fill(struct task *t, const struct core_actor *by, const struct subject *s,
              const json_t *params, struct pv_err *err)
{
    t->provider = s && s->provider ? s->provider : NULL;
    if (t->provider)
        provider_ref(t->provider);
    t->params = params ? json_dumps(params, JSON_COMPACT) : strdup("{}");
    t->native_id = copy_or_empty(s ? s->native_id : NULL);
    t->owner_native_id = copy_or_empty(s ? s->owner_native_id : NULL);
    t->owner_kind = s ? s->owner_kind : PV_KIND_NONE;
    t->name = copy_or_empty(s ? s->name : NULL);
    t->before = s ? s->power : PV_POWER_STATE_UNKNOWN;
    t->own = t->op->own || own_params_only(t->op, params);
    t->expiry = by && by->source == PV_SOURCE_EXPIRY;
    t->actor_type = by ? by->type : PV_ACTOR_TYPE_SYSTEM;
    t->actor_name = copy_or_empty(by ? by->name : NULL);
    if (by)
        t->actor_id = by->id;
    if (!t->params || !t->native_id || !t->owner_native_id || !t->name || !t->actor_name)
        return pv_fail(err, PV_ENOMEM, "no memory for a task");
    return PV_OK;
}

/* Operations on the provider itself, what is made anew in a place, and parameters of ours do not exclude each other. */
static const struct pv_id *lock_of(const struct task *t, const struct pv_id *subject)
{
    bool apart = t->kind == PV_KIND_provider || t->is_parent || t->op->place || (t->own && !t->op->own);

    return apart ? &t->id : subject;
}

/* tasks_lock held. */
static struct object *object_take(struct core *c, const struct pv_id *id)
{
    struct object *o = table_find(&c->objects, core_hash_id(id), object_equal, id);

    if (!o) {
        o = calloc(1, sizeof(*o));
        if (!o)
            return NULL;
        o->id = *id;
        if (!table_add(&c->objects, core_hash_id(id), o)) {
            free(o);
            return NULL;
        }
    }
    o->users++;
    return o;
}

/* tasks_lock held. */
static void object_give(struct core *c, struct object *o, const struct task *t)
{
    if (o->runner == t)
        o->runner = NULL;
    if (--o->users > 0)
        return;
    table_remove(&c->objects, core_hash_id(&o->id), o);
    free(o);
}

bool task_register_on(struct task *t, const struct pv_id *lock)
{
    struct core *c = t->core;
    bool fits;

    pthread_mutex_lock(&c->tasks_lock);
    fits = c->tasks.used < TASKS_MAX;
    if (fits)
        t->object = object_take(c, lock_of(t, lock));
    fits = fits && t->object && table_add(&c->tasks, core_hash_id(&t->id), t);
    if (fits)
        task_ref(t);
    else if (t->object)
        object_give(c, PV_TAKE(t->object), t);
    pthread_mutex_unlock(&c->tasks_lock);
    return fits;
}

void task_unregister(struct task *t)
{
    struct core *c = t->core;

    pthread_mutex_lock(&c->tasks_lock);
    table_remove(&c->tasks, core_hash_id(&t->id), t);
    if (t->running) {
        t->running = false;
        c->running--;
        if (t->provider)
            t->provider->running--;
    }
    if (t->object)
        object_give(c, PV_TAKE(t->object), t);
    pthread_mutex_unlock(&c->tasks_lock);
    task_put(t);
}

void task_enqueue(struct task *t, bool first)
{
    struct core *c = t->core;

    pthread_mutex_lock(&c->tasks_lock);
    if (!t->queued && !t->ended) {
        t->queued = true;
        task_ref(t);
        if (first) {
            t->next = c->queue;
            c->queue = t;
            if (c->queue_end == &c->queue)
                c->queue_end = &t->next;
        } else {
            t->next = NULL;
            *c->queue_end = t;
            c->queue_end = &t->next;
        }
    }
    pthread_mutex_unlock(&c->tasks_lock);
    tasks_wake(c);
}

void tasks_init(struct core *c)
{
    c->queue_end = &c->queue;
    /* Nothing starts before all that was open is there. */
    c->scheduling = true;
}

void tasks_go(struct core *c)
{
    pthread_mutex_lock(&c->tasks_lock);
    c->scheduling = false;
    pthread_mutex_unlock(&c->tasks_lock);
    tasks_wake(c);
}

void tasks_free(struct core *c)
{
    while (c->queue) {
        struct task *t = c->queue;

        c->queue = t->next;
        task_put(t);
    }
    for (size_t i = 0; i < c->tasks.cap; i++)
        if (c->tasks.slots[i].item)
            task_put(c->tasks.slots[i].item);
    for (size_t i = 0; i < c->objects.cap; i++)
        free(c->objects.slots[i].item);
    table_free(&c->tasks);
    table_free(&c->objects);
}

void tasks_count(struct core *c, struct core_stats *out)
{
    pthread_mutex_lock(&c->tasks_lock);
    out->tasks_open = c->tasks.used;
    out->tasks_running = c->running;
    for (const struct task *t = c->queue; t; t = t->next)
        out->tasks_waiting++;
    pthread_mutex_unlock(&c->tasks_lock);
}

size_t tasks_open_of(struct core *c, const struct pv_id *provider)
{
    size_t n = 0;

    pthread_mutex_lock(&c->tasks_lock);
    for (size_t i = 0; i < c->tasks.cap; i++) {
        const struct task *t = c->tasks.slots[i].item;

        n += t && t->provider && !t->ended && id_eq(&t->provider->id, provider);
    }
    pthread_mutex_unlock(&c->tasks_lock);
    return n;
}

struct task *task_find(struct core *c, const struct pv_id *id)
{
    struct task *t;

    pthread_mutex_lock(&c->tasks_lock);
    t = table_find(&c->tasks, core_hash_id(id), task_equal, id);
    if (t)
        task_ref(t);
    pthread_mutex_unlock(&c->tasks_lock);
    return t;
}

unsigned object_users(struct core *c, const struct pv_id *lock)
{
    const struct object *o = table_find(&c->objects, core_hash_id(lock), object_equal, lock);

    return o ? o->users : 0;
}

bool object_is_busy(struct core *c, const struct pv_id *lock)
{
    bool busy;

    pthread_mutex_lock(&c->tasks_lock);
    busy = object_users(c, lock) > 0;
    pthread_mutex_unlock(&c->tasks_lock);
    return busy;
}

const struct task *object_runner(struct core *c, const struct pv_id *lock)
{
    const struct object *o = table_find(&c->objects, core_hash_id(lock), object_equal, lock);

    return o ? o->runner : NULL;
}

bool task_is_open(struct core *c, const struct pv_id *id)
{
    return table_find(&c->tasks, core_hash_id(id), task_equal, id) != NULL;
}

void tasks_cause(struct core *c, const struct pv_id *object, struct cause *out)
{
    const struct object *o;

    *out = (struct cause){ .type = PV_ACTOR_TYPE_EXTERNAL };
    pthread_mutex_lock(&c->tasks_lock);
    o = c->objects.used ? table_find(&c->objects, core_hash_id(object), object_equal, object) : NULL;
    if (o && o->runner) {
        out->task = o->runner->id;
        out->type = o->runner->actor_type;
        str_copy(out->name, sizeof(out->name), o->runner->actor_name);
    }
    pthread_mutex_unlock(&c->tasks_lock);
}

void tasks_abandon(struct core *c, const struct pv_id *provider)
{
    struct pv_err err = { 0 };
    struct task **list;
    size_t n = 0;

    pthread_mutex_lock(&c->tasks_lock);
    list = calloc(c->tasks.used + 1, sizeof(struct task *));
    for (size_t i = 0; list && i < c->tasks.cap; i++) {
        struct task *t = c->tasks.slots[i].item;

        if (!t || !t->provider || !id_eq(&t->provider->id, provider))
            continue;
        task_ref(t);
        list[n++] = t;
    }
    pthread_mutex_unlock(&c->tasks_lock);
    pv_fail(&err, PV_ENOENT, "the provider was deleted while this task was open");
    for (size_t i = 0; i < n; i++) {
        task_end(list[i], PV_TASK_STATE_FAILED, false, NULL, &err);
        task_put(list[i]);
    }
    free(list);
}

/* ---------------------------------------------------------------- ending */

struct ending {
    struct task *task;
    struct task_change change;
    struct pv_err error;
    char *result, *undo;
    struct event_set events;
    int rc;
};

static void ending_free(struct ending *e)
{
    events_free(&e->events);
    task_put(e->task);
    free(e->result);
    free(e->undo);
    free(e);
}

static int end_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct ending *e = arg;
    int rc = events_begin(&e->events, tx, err);

    if (rc == PV_OK)
        rc = task_change_tx(e->task, tx, &e->events, &e->change, err);
    return rc == PV_OK ? expiry_ended_tx(e->task, tx, &e->events, &e->change, err) : rc;
}

static void ended_job(void *arg)
{
    struct ending *e = arg;
    struct task *t = e->task;
    struct core *c = t->core;
    struct pv_id id = t->id;

    /* Of tasks of several parts the parts count, each once. */
    if (t->is_parent)
        ;
    else if (e->change.state == PV_TASK_STATE_SUCCEEDED)
        atomic_fetch_add(&c->n_done, 1);
    else if (e->change.state != PV_TASK_STATE_CANCELED)
        atomic_fetch_add(&c->n_failed, 1);
    task_unregister(t);
    /* This may be the writer's thread then; the next start counts the children anew. */
    if (t->bulk && !t->is_parent && !atomic_load(&c->stopping))
        bulk_child_ended(t, &e->change);
    waiters_tell(c, &id);
    tasks_wake(c);
    ending_free(e);
    atomic_fetch_sub(&c->endings, 1);
}

/* On the writer thread. */
static void end_written(void *arg, int rc, const struct pv_err *err)
{
    struct ending *e = arg;
    struct core *c = e->task->core;

    if (rc != PV_OK)
        log_msg(PV_LOG_ERROR, "task.end", "%s", err ? err->message : "not stored");
    if (!core_submit(c, ended_job, e) && !core_later(c, 1, ended_job, e))
        ended_job(e);
}

void task_end(struct task *t, enum pv_task_state state, bool changed, const char *result,
              const struct pv_err *error)
{
    struct core *c = t->core;
    struct ending *e;
    struct pv_err err = { 0 };
    bool first;

    pthread_mutex_lock(&c->tasks_lock);
    first = !t->ended;
    t->ended = true;
    t->state = state;
    pthread_mutex_unlock(&c->tasks_lock);
    if (!first)
        return;
    e = calloc(1, sizeof(*e));
    if (!e) {
        /* Its row still says running: the next start looks at it. */
        log_msg(PV_LOG_ERROR, "core.memory", "no memory to end a task");
        task_unregister(t);
        return;
    }
    task_ref(t);
    e->task = t;
    e->result = result ? strdup(result) : NULL;
    e->undo = state == PV_TASK_STATE_SUCCEEDED && t->undo ? strdup(t->undo) : NULL;
    e->change = (struct task_change){ .state = state, .has_changed = true, .changed = changed,
                                      .result = e->result, .undo = e->undo };
    if (error) {
        e->error = *error;
        e->change.error = &e->error;
    }
    events_init(&e->events, c);
    atomic_fetch_add(&c->endings, 1);
    if (store_write_later(c->store, end_tx, e, end_written, &err) != PV_OK) {
        int rc = store_write(c->store, end_tx, e, &err);

        end_written(e, rc, &err);
    }
}

/* ---------------------------------------------------------------- after a restart */

static int task_restore(struct task *t, const struct model_row *row, const struct subject *s,
                        const char *journal, struct pv_err *err)
{
    struct core_actor by = { .type = (enum pv_actor_type)model_number(row, F(task, actor_type)),
                             .name = model_text(row, F(task, actor_name)),
                             .source = (enum pv_source)model_number(row, F(task, source)) };
    PV_AUTO(json_decref_p) json_t *params = json_loads(model_text(row, F(task, params)), 0, NULL);
    int rc = task_fill(t, &by, s, params, err);

    if (rc != PV_OK)
        return rc;
    /* What was true before is not known any more, but where the operation can only have started elsewhere. */
    t->before = PV_POWER_STATE_UNKNOWN;
    if (!t->provider && model_get(row, F(task, provider))->set)
        t->provider = provider_get(t->core, &model_get(row, F(task, provider))->id);
    if (journal[0]) {
        t->journal = strdup(journal);
        if (!t->journal)
            return pv_fail(err, PV_ENOMEM, "no memory for a task");
    }
    return PV_OK;
}

static void task_resume(struct task *t)
{
    bool handed = t->state == PV_TASK_STATE_RUNNING || t->state == PV_TASK_STATE_CANCELING ||
                  t->state == PV_TASK_STATE_REATTACHING;

    t->cancel = t->state == PV_TASK_STATE_CANCELING;
    t->sent_before = handed;
    if ((t->op->core && t->op->safe_to_repeat) || (t->own && !t->op->core) || t->op->streams)
        handed = false;
    if (handed) {
        pv_fail(&t->failure, PV_EUNKNOWN, "the server ended while this was under way");
        t->need = t->journal ? NEED_FOLLOW : NEED_LOOK;
        pthread_mutex_lock(&t->core->tasks_lock);
        t->object->runner = t;
        activity_claim(t);
        pthread_mutex_unlock(&t->core->tasks_lock);
    } else {
        t->state = PV_TASK_STATE_QUEUED;
        t->need = NEED_CALL;
    }
    task_enqueue(t, false);
}

static int load_task(struct core *c, const struct pv_id *id, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 1u << 20);
    const struct model_operation *op;
    const struct model_kind *kind = NULL;
    struct pv_id subject = { { 0 } }, lock;
    struct pv_err ignored = { 0 };
    struct subject s = { 0 };
    const char *subject_text, *journal;
    struct model_row *row;
    struct task *t;
    int64_t state;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a task");
    rc = store_row_get(c->store, c->kinds[PV_KIND_task].shape, id, a, &row, err);
    if (rc == PV_OK)
        rc = store_secret_get(c->store, PV_KIND_task, id, F(task, journal), a, &journal, err);
    if (rc != PV_OK)
        return rc;
    op = model_operation(model_text(row, F(task, action)));
    subject_text = model_text(row, F(task, subject_id));
    if (subject_text[0])
        model_id_parse(subject_text, strlen(subject_text), &kind, &subject);
    t = task_new(c, op ? op : &model_operations[0], kind ? kind->number : PV_KIND_NONE, &subject);
    if (!t)
        return pv_fail(err, PV_ENOMEM, "no memory for a task");
    t->id = *id;
    t->parent = model_get(row, F(task, parent))->id;
    t->is_parent = model_get(row, F(task, children))->set;
    t->started_ms = model_number(row, F(task, started_at));
    state = model_number(row, F(task, state));
    t->state = (enum pv_task_state)state;
    t->cancel = t->is_parent && t->state == PV_TASK_STATE_CANCELING;
    lock = subject;
    if (op && kind && subject_load(c, op, kind->number, &subject, a, &s, &ignored) == PV_OK)
        lock = s.lock;
    rc = task_restore(t, row, &s, journal, err);
    if (rc == PV_OK && !task_register_on(t, &lock))
        rc = pv_fail(err, PV_ENOMEM, "no memory for a task");
    if (rc == PV_OK && !t->is_parent) {
        t->lost = !op || !kind || !s.row || !t->provider;
        task_resume(t);
    }
    subject_free(&s);
    task_put(t);
    return rc;
}

int tasks_load(struct core *c, struct pv_err *err)
{
    static const enum pv_task_state open[] = { PV_TASK_STATE_RUNNING, PV_TASK_STATE_CANCELING,
                                               PV_TASK_STATE_REATTACHING, PV_TASK_STATE_QUEUED,
                                               PV_TASK_STATE_WAITING };
    int rc = PV_OK;

    for (size_t s = 0; rc == PV_OK && s < PV_COUNT(open); s++) {
        PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 8u << 20);
        struct model_value v = value_number(open[s]);
        struct pv_id *ids;
        size_t n = 0;

        if (!a)
            return pv_fail(err, PV_ENOMEM, "no memory for tasks");
        rc = store_find(c->store, PV_KIND_task, F(task, state), &v, TASKS_MAX, a, &ids, &n, err);
        for (size_t i = 0; rc == PV_OK && i < n; i++)
            rc = load_task(c, &ids[i], err);
    }
    if (rc == PV_OK)
        rc = bulk_restore(c, err);
    return rc;
}
