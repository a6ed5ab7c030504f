/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/expiry.h"

#include <string.h>

#include <polyvisor/filter.h>

#define LOOK_EVERY_MS 5000
#define RETRY_FIRST_MS (60ll * 1000)
#define RETRY_MOST_MS (6ll * 3600 * 1000)
#define CANCELED_MS (3600ll * 1000) /* somebody did not want it just now */
#define START_MAX 200               /* at one look: the rest has its turn at the next */
#define PAGE 500

/* ---------------------------------------------------------------- parameters of ours */

bool own_params_only(const struct model_operation *op, const json_t *params)
{
    size_t ours = 0;

    for (const struct model_param *p = op->params; p && p->name; p++)
        ours += p->own && json_object_get(params, p->name);
    return ours > 0 && ours == json_object_size(params);
}

bool own_params_given(const struct model_operation *op, const json_t *params)
{
    for (const struct model_param *p = op->params; p && p->name; p++)
        if (p->own && json_object_get(params, p->name))
            return true;
    return false;
}

void own_params_drop(const struct model_operation *op, json_t *args)
{
    for (const struct model_param *p = op->params; p && p->name; p++)
        if (p->own)
            json_object_del(args, p->name);
}

/* The end that is asked for; false: none is named. *ms is 0 for "it stays". */
static bool end_asked(const struct model_operation *op, const json_t *params, int64_t *ms)
{
    const json_t *v = NULL;
    const char *text;

    for (const struct model_param *p = op->params; p && p->name && !v; p++)
        if (p->own)
            v = json_object_get(params, p->name);
    if (!v)
        return false;
    text = json_string_value(v);
    *ms = 0;
    return !text || clock_parse(text, strlen(text), ms);
}

int own_params_check(const struct model_operation *op, const struct model_row *row,
                     const json_t *params, struct pv_err *err)
{
    int64_t ms;
    int rc;

    if (!end_asked(op, params, &ms) || ms == 0 || ms > clock_wall_ms())
        return PV_OK;
    /* As it is already. */
    if (row && row->kind->number == PV_KIND_snapshot &&
        model_number(row, F(snapshot, expires_at)) == ms)
        return PV_OK;
    rc = pv_fail(err, PV_EINVAL, "expires_at: it must be in the future");
    pv_err_pointer(err, "/expires_at");
    return rc;
}

/* ---------------------------------------------------------------- the row */

struct row_job {
    struct core *core;
    struct pv_id snapshot;
    int (*change)(struct row_job *j, struct row_diff *d, struct pv_err *err);
    struct core_actor by;
    struct pv_id task;
    int64_t until_ms;         /* 0: it stays */
    const struct pv_err *why; /* of a failure */
    enum pv_task_state state; /* it ended in */
    bool due, changed, failed;
    struct event_set events;
};

static void put_number(struct row_diff *d, unsigned field, int64_t number)
{
    struct model_value v = number ? value_number(number) : value_null();

    diff_set(d, field, &v);
}

static int tell(struct row_job *j, struct store_tx *tx, struct event_set *events,
                const struct model_row *row, uint64_t version, const char *changes,
                struct pv_err *err)
{
    struct event_draft e = { .type = "snapshot.updated",
                             .kind = PV_KIND_snapshot,
                             .subject = row->id,
                             .name = model_text(row, F(snapshot, name)),
                             .task = j->task,
                             .provider = model_get(row, F(snapshot, provider))->id,
                             .object_version = version,
                             .changes = changes };
    int rc;

    event_by(&e, &j->by);
    rc = events_add(events, tx, &e, err);
    if (rc != PV_OK || !j->failed)
        return rc;
    e.type = "snapshot.expiry_failed";
    e.severity = PV_SEVERITY_WARNING;
    e.changes = NULL;
    e.message =
        arena_printf(tx_arena(tx), "%s could not be deleted when its time had come: %s", e.name,
                     j->why && j->why->message[0] ? j->why->message : "it is still there");
    return events_add(events, tx, &e, err);
}

static int change_tx(struct row_job *j, struct store_tx *tx, struct event_set *events,
                     struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    struct row_diff d;
    uint64_t version;
    int rc = tx_rows_get(tx, PV_KIND_snapshot, &j->snapshot, 1, false, a, &row, err);

    j->changed = j->failed = false;
    if (rc != PV_OK || !row)
        return rc != PV_OK ? rc : PV_ENOENT;
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    rc = j->change(j, &d, err);
    j->changed = d.n > 0;
    if (rc == PV_OK && d.n > 0) {
        const char *changes = diff_changes(&d, a);

        rc = diff_write(&d, tx, &j->core->kinds[PV_KIND_snapshot], clock_wall_ms(), &version, err);
        if (rc == PV_OK)
            rc = tell(j, tx, events, row, version, changes, err);
    }
    diff_free(&d);
    return rc;
}

static int write_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct row_job *j = arg;
    int rc = events_begin(&j->events, tx, err);

    return rc == PV_OK ? change_tx(j, tx, &j->events, err) : rc;
}

static int write_row(struct row_job *j, struct pv_err *err)
{
    int rc;

    events_init(&j->events, j->core);
    rc = store_write(j->core->store, write_tx, j, err);
    events_free(&j->events);
    return rc;
}

static struct core_actor actor_of(const struct task *t)
{
    return (struct core_actor){ .type = t->actor_type, .id = t->actor_id, .name = t->actor_name };
}

/* ---------------------------------------------------------------- given, changed */

static int change_end(struct row_job *j, struct row_diff *d, struct pv_err *err)
{
    if (model_number(d->row, F(snapshot, expiry_deleting)))
        return pv_fail_as(err, "conflict",
                          "the snapshot is being deleted because its time has come");
    put_number(d, F(snapshot, expires_at), j->until_ms);
    if (d->n == 0)
        return PV_OK;
    put_number(d, F(snapshot, expiry_next_at), j->until_ms);
    put_number(d, F(snapshot, expiry_failures), 0);
    return PV_OK;
}

int own_params_put(struct task *t, const struct pv_id *snapshot, bool *changed, struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *params = json_loads(t->params, 0, NULL);
    struct row_job j = { .core = t->core,
                         .snapshot = *snapshot,
                         .change = change_end,
                         .by = actor_of(t),
                         .task = t->id };
    int rc;

    *changed = false;
    if (!end_asked(t->op, params, &j.until_ms))
        return PV_OK;
    rc = write_row(&j, err);
    if (rc == PV_ENOENT)
        return pv_fail(err, PV_ENOENT, "the snapshot is not there any more");
    *changed = rc == PV_OK && j.changed;
    return rc;
}

/* ---------------------------------------------------------------- begun, ended */

static int change_begin(struct row_job *j, struct row_diff *d, struct pv_err *err)
{
    int64_t until = model_number(d->row, F(snapshot, expires_at));
    struct model_value task = value_ref(&j->task);

    (void)err;
    j->due = until > 0 && until <= clock_wall_ms();
    if (!j->due)
        return PV_OK;
    put_number(d, F(snapshot, expiry_next_at), 0);
    put_number(d, F(snapshot, expiry_deleting), 1);
    diff_set(d, F(snapshot, expiry_task), &task);
    return PV_OK;
}

int expiry_begin(struct task *t, bool *due, struct pv_err *err)
{
    struct row_job j = { .core = t->core,
                         .snapshot = t->subject,
                         .change = change_begin,
                         .by = actor_of(t),
                         .task = t->id };
    int rc = write_row(&j, err);

    /* Somebody has deleted it: the driver says so. */
    *due = rc == PV_ENOENT || j.due;
    return rc == PV_ENOENT ? PV_OK : rc;
}

static int64_t pause_after(const struct core *c, int64_t failures)
{
    int64_t first = c->config.expiry_retry_ms ? c->config.expiry_retry_ms : RETRY_FIRST_MS;
    int64_t pause = failures < 16 ? first << failures : RETRY_MOST_MS;

    return pause < RETRY_MOST_MS ? pause : RETRY_MOST_MS;
}

static int change_failed(struct row_job *j, struct row_diff *d, struct pv_err *err)
{
    int64_t until = model_number(d->row, F(snapshot, expires_at)), now = clock_wall_ms(),
            next = until;
    int64_t failures = model_number(d->row, F(snapshot, expiry_failures));

    (void)err;
    put_number(d, F(snapshot, expiry_deleting), 0);
    /* It was given another time before it began. */
    if (until == 0 || until > now)
        return PV_OK;
    if (j->state == PV_TASK_STATE_CANCELED) {
        next = now + CANCELED_MS;
    } else {
        next = now + pause_after(j->core, failures);
        put_number(d, F(snapshot, expiry_failures), failures + 1);
        j->failed = true;
    }
    put_number(d, F(snapshot, expiry_next_at), next);
    return PV_OK;
}

int expiry_ended_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                    const struct task_change *ch, struct pv_err *err)
{
    struct row_job j = { .core = t->core,
                         .snapshot = t->subject,
                         .change = change_failed,
                         .by = actor_of(t),
                         .task = t->id,
                         .why = ch->error,
                         .state = ch->state };
    int rc;

    if (!t->expiry)
        return PV_OK;
    rc = change_tx(&j, tx, events, err);
    return rc == PV_ENOENT ? PV_OK : rc;
}

/* ---------------------------------------------------------------- what is due */

static const struct core_actor self = { .type = PV_ACTOR_TYPE_SYSTEM,
                                        .name = "",
                                        .source = PV_SOURCE_EXPIRY };

/* Now is no time for it: its provider is away or paused, its VM is missing or worked on. Later will
 * do. */
static bool must_wait(struct core *c, const struct model_row *row, struct arena *a)
{
    const struct pv_id *vm = &model_get(row, F(snapshot, owner))->id;
    struct provider *p = provider_get(c, &model_get(row, F(snapshot, provider))->id);
    struct model_row *owner;
    bool wait = !p || !provider_usable(p) || object_is_busy(c, vm);

    if (p) {
        pthread_mutex_lock(&p->lock);
        wait = wait || p->maintenance || p->deleted;
        pthread_mutex_unlock(&p->lock);
        provider_put(p);
    }
    return wait ||
           store_row_get(c->store, c->kinds[PV_KIND_vm].shape, vm, a, &owner, NULL) != PV_OK ||
           model_number(owner, F(vm, presence)) != PV_PRESENCE_PRESENT;
}

/* It was not even accepted. */
static void refused(struct core *c, const struct model_row *row, const struct pv_err *why)
{
    struct row_job j = { .core = c,
                         .snapshot = row->id,
                         .change = change_failed,
                         .by = self,
                         .why = why,
                         .state = PV_TASK_STATE_FAILED };
    struct pv_err err = { 0 };
    int rc = write_row(&j, &err);

    if (rc != PV_OK && rc != PV_ENOENT)
        log_msg(PV_LOG_ERROR, "expiry", "%s", err.message);
}

static void expire(struct core *c, const struct model_row *row)
{
    struct core_task_request q = { .operation = model_operation("vm.snapshot.delete"),
                                   .kind = PV_KIND_snapshot,
                                   .subject = row->id };
    /* Whoever changes it meanwhile is not overrun. */
    struct core_options o = { .if_version = (uint64_t)model_number(row, F(snapshot, version)) };
    struct pv_err err = { 0 };
    struct pv_id task;
    int rc = core_task_submit(c, &self, &q, &o, &task, NULL, NULL, &err);

    if (rc == PV_OK) {
        if (c->config.record)
            c->config.record(c->config.ctx, q.operation->name, q.kind, &q.subject, &task);
        return;
    }
    if (rc == PV_ENOENT || str_eq(err.problem, "precondition-failed"))
        return;
    refused(c, row, &err);
}

struct due {
    struct core *core;
    struct arena *arena;
    const struct model_row *rows[PAGE];
    size_t n;
};

static int collect(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct due *d = ctx;
    struct model_row *copy = arena_alloc(d->arena, sizeof(*copy));

    if (!copy)
        return pv_fail(err, PV_ENOMEM, "no memory to delete snapshots");
    *copy = *row;
    copy->values = arena_copy(d->arena, row->values, row->kind->nfields * sizeof(*row->values));
    if (!copy->values)
        return pv_fail(err, PV_ENOMEM, "no memory to delete snapshots");
    d->rows[d->n++] = copy;
    return PV_OK;
}

static int one_page(struct core *c, struct store_query *q, struct store_position *at,
                    size_t *started, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 32u << 20);
    struct store_position last = { .len = 0 };
    struct due d = { .core = c, .arena = a };
    int rc = a ? model_shape_make(model_kind(PV_KIND_snapshot), "vm,provider,version",
                                  MODEL_VIEW_SUMMARY, a, &q->shape, err)
               : PV_ENOMEM;

    if (rc == PV_OK)
        rc = filter_parse(q->shape->kind, "expiry.next_at<=now", clock_wall_ms(), a, &q->filter,
                          err);
    q->limit = PAGE;
    q->after = at->len ? at : NULL;
    if (rc == PV_OK)
        rc = store_list(c->store, q, collect, &d, &last, err);
    for (size_t i = 0; rc == PV_OK && i < d.n && *started < START_MAX && !atomic_load(&c->stopping);
         i++) {
        if (must_wait(c, d.rows[i], a))
            continue;
        expire(c, d.rows[i]);
        (*started)++;
    }
    *at = last;
    return rc;
}

static void look(void *arg)
{
    struct core *c = arg;
    struct store_query q = { .limit = PAGE };
    struct store_position at = { .len = 0 };
    struct pv_err err = { 0 };
    size_t started = 0;
    int rc;

    if (atomic_load(&c->stopping))
        return;
    do {
        rc = one_page(c, &q, &at, &started, &err);
    } while (rc == PV_OK && at.len > 0 && started < START_MAX && !atomic_load(&c->stopping));
    if (rc != PV_OK)
        log_msg(PV_LOG_WARN, "expiry", "%s", err.message);
    core_later(c, c->config.expiry_look_ms ? c->config.expiry_look_ms : LOOK_EVERY_MS, look, c);
}

void expiry_start(struct core *c)
{
    core_later(c, c->config.expiry_look_ms ? c->config.expiry_look_ms : LOOK_EVERY_MS, look, c);
}
