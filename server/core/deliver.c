/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of what is told to receivers. Its truth is the rows; memory knows
 * only which receivers there are (lanes) and when each may be tried again.
 */
#include "server/core/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#define SENDERS 6
#define TICK_MS 1000
#define FIRST_MS 2000
#define MOST_MS (15 * 60 * 1000)
#define AGE_MS (24ll * 3600 * 1000)
#define QUEUE_MOST 10000        /* of one receiver; beyond, the oldest are given up */
#define BATCH 500
#define AT_A_TURN 50            /* deliveries of one receiver before others have their turn */
#define DAY_MS (24ll * 3600 * 1000)
#define BODY_MOST 131072

struct lane {
    struct core *core;
    struct lane *next;
    enum pv_kind kind;
    struct pv_id id;
    struct deliver_link link;   /* of the job that runs it alone */
    struct backoff backoff;     /* the same */
    bool here;                  /* the receiver exists; guarded by lock */
    bool busy, again;           /* a job has it; it is to go round once more; guarded by lock */
    bool idle;                  /* nothing waits, as far as is known; guarded by lock */
    int64_t not_before;         /* monotonic; guarded by lock */
};

struct delivery_store {
    pthread_mutex_t lock;       /* leaf */
    struct lane *lanes;         /* they stay until the end; guarded by lock */
    struct workers *senders;    /* guarded by lock; NULL at the end */
    _Atomic uint64_t delivered, failed, dead, skipped;
};

static unsigned receiver_field(enum pv_kind kind)
{
    return kind == PV_KIND_webhook ? F(delivery, webhook) : F(delivery, target);
}

static const char *name_of(const struct model_row *receiver)
{
    return model_text(receiver, receiver->kind->number == PV_KIND_webhook ? F(webhook, name) : F(notification_target, name));
}

/* ------------------------------------------------------------------ writing rows */

const char *deliver_body(struct arena *a, const struct pv_id *id, const char *type, const char *member,
                         const char *json, size_t len, const char *notes)
{
    char text_id[PV_ID_TEXT];
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, BODY_MOST);
    jsonw_init(&w, &text);
    model_id_text(PV_KIND_delivery, id, text_id);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "id", text_id);
    jsonw_str(&w, "type", type);
    jsonw_time(&w, "time", clock_wall_ms());
    if (member)
        jsonw_raw(&w, member, json, len);
    if (notes && *notes)
        jsonw_str(&w, "notes", notes);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static void after_commit(void *arg)
{
    deliver_wake(arg);
}

int deliver_put(struct core *c, struct store_tx *tx, struct model_row *row, struct pv_err *err)
{
    int64_t now = clock_wall_ms();
    uint64_t seq;
    int rc = tx_counter_next(tx, "delivery", &seq, err);

    if (rc != PV_OK)
        return rc;
    model_set_number(row, F(delivery, seq), (int64_t)seq);
    if (!model_get(row, F(delivery, state))->set)
        model_set_number(row, F(delivery, state), PV_DELIVERY_STATE_PENDING);
    if (!model_get(row, F(delivery, attempts))->set)
        model_set_number(row, F(delivery, attempts), 0);
    if (model_number(row, F(delivery, state)) == PV_DELIVERY_STATE_PENDING)
        model_set_number(row, F(delivery, next_attempt_at), now);
    model_set_number(row, F(delivery, created_at), now);
    model_set_number(row, F(delivery, updated_at), now);
    model_set_number(row, F(delivery, version), 1);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK ? tx_after_commit(tx, after_commit, c, err) : rc;
}

/* ------------------------------------------------------------------ alerts */

/* The alert as the API shows it, with the names that its reader cannot look up. */
static const char *alert_json(struct core *c, const struct model_row *alert, const struct model_row *rule,
                              struct arena *a, size_t *len)
{
    struct model_row named = *alert;
    struct model_value *values = arena_copy(a, alert->values, alert->kind->nfields * sizeof(*values));
    struct buf text;
    struct jsonw w;
    const char *out;

    if (!values)
        return NULL;
    named.values = values;
    if (rule)
        values[F(alert, rule)].text = model_text(rule, F(alert_rule, name));
    if (values[F(alert, provider)].set)
        named.provider = core_provider_ref(c, &values[F(alert, provider)].id, a);
    buf_init(&text, BODY_MOST);
    jsonw_init(&w, &text);
    model_write_json(&w, NULL, c->kinds[PV_KIND_alert].shape, &named);
    *len = text.len;
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static int put_alert(struct core *c, struct store_tx *tx, const struct model_row *alert, const struct pv_id *target,
                     const char *type, const char *json, size_t len, const char *notes, struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    struct model_row *row = model_row_new(a, PV_KIND_delivery);
    const char *body;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    id_make(&row->id);
    body = deliver_body(a, &row->id, type, "alert", json, len, notes);
    if (!body)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    model_set_ref(row, F(delivery, target), target);
    model_set_ref(row, F(delivery, alert), &alert->id);
    model_set_text(row, F(delivery, type), type);
    model_set_text(row, F(delivery, message), model_text(alert, F(alert, message)));
    model_set_text(row, F(delivery, body), body);
    return deliver_put(c, tx, row, err);
}

static bool is_wanted(const struct model_row *target, const struct model_row *alert, bool over)
{
    return target && model_number(target, F(notification_target, enabled)) &&
           model_number(alert, F(alert, severity)) >= model_number(target, F(notification_target, severity)) &&
           (!over || model_number(target, F(notification_target, tell_resolved)));
}

/* All that are enabled, none, or those that the rule names. */
static int who_is_named(struct store_tx *tx, const struct model_row *rule, struct pv_id **ids, size_t *n,
                        struct pv_err *err)
{
    const struct model_value *chosen = model_get(rule, F(alert_rule, targets));
    struct model_value yes = value_number(1);

    switch (model_number(rule, F(alert_rule, notify))) {
    case PV_NOTIFY_NONE:
        return PV_OK;
    case PV_NOTIFY_CHOSEN:
        break;
    default:
        return tx_find(tx, PV_KIND_notification_target, F(notification_target, enabled), &yes, CORE_CHANNELS_MAX,
                       tx_arena(tx), ids, n, err);
    }
    *ids = arena_alloc(tx_arena(tx), ((chosen->set ? chosen->len : 0) + 1) * sizeof(**ids));
    if (!*ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    for (size_t i = 0; chosen->set && i < chosen->len; i++)
        (*ids)[(*n)++] = chosen->refs[i].id;
    return PV_OK;
}

/* That it is over is told to whoever was told that it is, whatever the rule says by now. */
static int who_was_told(struct store_tx *tx, const struct pv_id *alert, struct pv_id **ids, size_t *n,
                        struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    struct model_value v = value_ref(alert);
    struct model_row **rows;
    struct pv_id *found;
    size_t total = 0;
    int rc = tx_find(tx, PV_KIND_delivery, F(delivery, alert), &v, 2 * CORE_CHANNELS_MAX, a, &found, &total, err);

    if (rc != PV_OK || total == 0)
        return rc;
    rows = arena_alloc(a, total * sizeof(struct model_row *));
    *ids = arena_alloc(a, total * sizeof(**ids));
    if (!rows || !*ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    rc = tx_rows_get(tx, PV_KIND_delivery, found, total, false, a, rows, err);
    for (size_t i = 0; i < total && rc == PV_OK; i++) {
        int64_t state = rows[i] ? model_number(rows[i], F(delivery, state)) : PV_DELIVERY_STATE_SKIPPED;

        if (state == PV_DELIVERY_STATE_PENDING || state == PV_DELIVERY_STATE_DELIVERED)
            (*ids)[(*n)++] = model_get(rows[i], F(delivery, target))->id;
    }
    return rc;
}

int deliver_alert(struct core *c, struct store_tx *tx, const struct model_row *alert, const struct model_row *rule,
                  const char *type, struct pv_err *err)
{
    bool over = strcmp(type, "alert.resolved") == 0;
    struct arena *a = tx_arena(tx);
    struct model_row **targets;
    const char *json = NULL;
    struct pv_id *ids = NULL;
    size_t n = 0, len = 0;
    int rc;

    if (model_number(alert, F(alert, silenced_until)) > clock_wall_ms())
        return PV_OK;
    rc = over ? who_was_told(tx, &alert->id, &ids, &n, err) : who_is_named(tx, rule, &ids, &n, err);
    if (rc != PV_OK || n == 0)
        return rc;
    targets = arena_alloc(a, n * sizeof(struct model_row *));
    if (!targets || !ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    rc = tx_rows_get(tx, PV_KIND_notification_target, ids, n, false, a, targets, err);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        if (!is_wanted(targets[i], alert, over))
            continue;
        if (!json)
            json = alert_json(c, alert, rule, a, &len);
        rc = json ? put_alert(c, tx, alert, &ids[i], type, json, len, rule ? model_text(rule, F(alert_rule, notes)) : NULL, err)
                  : pv_fail(err, PV_ENOMEM, "no memory for a message");
    }
    return rc;
}

/* ------------------------------------------------------------------ what came of an attempt */

struct outcome {
    const struct model_row *receiver;
    struct pv_id id;
    const struct deliver_result *result;    /* NULL: not tried */
    enum pv_delivery_state state;
    int64_t next_ms;                        /* PENDING: wall time of the next attempt */
    const char *error;                      /* problem document, or NULL */
    bool there;                             /* the row is still there and was waiting */
};

static const uint16_t outcome_fields[] = {
    F(delivery, state),        F(delivery, attempts), F(delivery, next_attempt_at), F(delivery, last_attempt_at),
    F(delivery, delivered_at), F(delivery, took_ms),  F(delivery, answer),          F(delivery, error),
    F(delivery, updated_at),   F(delivery, version),
};

/* The receiver's own newest result; no visible change, so neither version nor event. */
static int note_receiver(struct store_tx *tx, const struct outcome *o, struct pv_err *err)
{
    bool hook = o->receiver->kind->number == PV_KIND_webhook;
    const uint16_t fields[] = { hook ? F(webhook, last_sent_at) : F(notification_target, last_sent_at),
                                hook ? F(webhook, last_failed_at) : F(notification_target, last_failed_at),
                                hook ? F(webhook, last_error) : F(notification_target, last_error) };
    struct model_row *row = NULL;
    int rc = tx_rows_get(tx, o->receiver->kind->number, &o->receiver->id, 1, false, tx_arena(tx), &row, err);

    if (rc != PV_OK || !row)
        return rc;
    if (o->result->rc == PV_OK)
        model_set_number(row, fields[0], clock_wall_ms());
    else
        model_set_number(row, fields[1], clock_wall_ms());
    model_set_text(row, fields[2], o->error);
    return tx_row_update(tx, row, fields, PV_COUNT(fields), err);
}

static void write_outcome(struct model_row *row, const struct outcome *o)
{
    int64_t now = clock_wall_ms();

    model_set_number(row, F(delivery, state), o->state);
    if (o->result) {
        model_set_number(row, F(delivery, attempts), model_number(row, F(delivery, attempts)) + 1);
        model_set_number(row, F(delivery, last_attempt_at), now);
        model_set_number(row, F(delivery, took_ms), o->result->took_ms);
        model_set_text(row, F(delivery, answer), o->result->answer[0] ? o->result->answer : NULL);
    }
    if (o->state == PV_DELIVERY_STATE_PENDING)
        model_set_number(row, F(delivery, next_attempt_at), o->next_ms);
    else
        model_set_null(row, F(delivery, next_attempt_at));
    if (o->state == PV_DELIVERY_STATE_DELIVERED)
        model_set_number(row, F(delivery, delivered_at), now);
    model_set_text(row, F(delivery, error), o->error);
    model_set_number(row, F(delivery, updated_at), now);
    model_set_number(row, F(delivery, version), model_number(row, F(delivery, version)) + 1);
}

static int outcome_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct outcome *o = arg;
    struct model_row *row = NULL;
    int rc = tx_rows_get(tx, PV_KIND_delivery, &o->id, 1, false, tx_arena(tx), &row, err);

    /* Deleted meanwhile, with its receiver. */
    if (rc != PV_OK || !row)
        return rc;
    write_outcome(row, o);
    rc = tx_row_update(tx, row, outcome_fields, PV_COUNT(outcome_fields), err);
    return rc == PV_OK && o->result ? note_receiver(tx, o, err) : rc;
}

static const char *problem_text(struct arena *a, const struct pv_err *err)
{
    const char *text = core_problem_json(a, err);

    return text && strlen(text) <= 4096 ? text : NULL;
}

static void count(struct delivery_store *st, const struct outcome *o)
{
    if (o->result && o->result->rc != PV_OK)
        atomic_fetch_add(&st->failed, 1);
    if (o->state == PV_DELIVERY_STATE_DELIVERED)
        atomic_fetch_add(&st->delivered, 1);
    else if (o->state == PV_DELIVERY_STATE_DEAD)
        atomic_fetch_add(&st->dead, 1);
    else if (o->state == PV_DELIVERY_STATE_SKIPPED)
        atomic_fetch_add(&st->skipped, 1);
}

static int finish(struct core *c, struct outcome *o, struct pv_err *err)
{
    int rc = store_write(c->store, outcome_tx, o, err);

    if (rc == PV_OK)
        count(c->deliveries, o);
    return rc;
}

/* ------------------------------------------------------------------ one lane */

struct found {
    struct arena *a;
    struct pv_id ids[BATCH];
    struct model_row *first;
    size_t n;
    int64_t before_ms;      /* only those made before */
};

/* A row lives during the call only: what of it is needed is copied. */
static struct model_row *keep(struct arena *a, const struct model_row *row)
{
    struct model_row *out = arena_copy(a, row, sizeof(*row));
    struct model_value *values = arena_copy(a, row->values, row->kind->nfields * sizeof(*values));

    for (size_t i = 0; values && i < row->kind->nfields; i++)
        if (values[i].set && values[i].text) {
            values[i].text = arena_text(a, values[i].text, values[i].len ? values[i].len : strlen(values[i].text));
            if (!values[i].text)
                return NULL;
        }
    if (!out || !values)
        return NULL;
    out->values = values;
    out->provider = NULL;
    out->children = NULL;
    return out;
}

static int see_first(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct found *f = ctx;

    f->first = keep(f->a, row);
    return f->first ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a message");
}

static int see_id(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct found *f = ctx;

    (void)err;
    if (f->n < BATCH && model_number(row, F(delivery, created_at)) < f->before_ms)
        f->ids[f->n++] = row->id;
    return PV_OK;
}

static int waiting_query(const struct lane *l, struct arena *a, struct store_query *q, struct store_sort *sort,
                         struct pv_err *err)
{
    char id[PV_ID_TEXT];
    const char *text;

    model_id_text(l->kind, &l->id, id);
    text = arena_printf(a, "state:pending %s:%s", l->kind == PV_KIND_webhook ? "webhook" : "target", id);
    *sort = (struct store_sort){ .field = F(delivery, seq) };
    *q = (struct store_query){ .shape = l->core->kinds[PV_KIND_delivery].shape, .sort = sort, .nsort = 1, .limit = 1 };
    return text ? filter_parse(model_kind(PV_KIND_delivery), text, 0, a, &q->filter, err)
                : pv_fail(err, PV_ENOMEM, "no memory for a message");
}

/* Those that have waited too long, or are too many, are given up together: a receiver that was away for days is not
 * tried for each of them. */
static void give_up(struct lane *l, const struct model_row *receiver, const char *error, int64_t before_ms, size_t most)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 8u << 20);
    struct found *f = a ? arena_alloc(a, sizeof(*f)) : NULL;
    struct core *c = l->core;
    struct store_query q;
    struct store_sort sort;
    struct pv_err err = { 0 };
    uint64_t total = 0;

    if (!f || waiting_query(l, a, &q, &sort, &err) != PV_OK || store_count(c->store, &q, &total, &err) != PV_OK)
        return;
    if (total > most)
        before_ms = INT64_MAX;
    *f = (struct found){ .a = a, .before_ms = before_ms };
    q.limit = total > most ? (unsigned)(total - most < BATCH ? total - most : BATCH) : BATCH;
    if (store_list(c->store, &q, see_id, f, NULL, &err) != PV_OK)
        return;
    for (size_t i = 0; i < f->n && !atomic_load(&c->stopping); i++) {
        struct outcome o = { .receiver = receiver, .id = f->ids[i], .state = PV_DELIVERY_STATE_DEAD, .error = error };

        if (finish(c, &o, &err) != PV_OK)
            return;
    }
    if (f->n > 0)
        log_msg(PV_LOG_WARN, "deliver.dead", "receiver=\"%s\" given_up=%zu", name_of(receiver), f->n);
}

/* Silenced since it was written: nobody is to be told about it. */
static bool is_silenced(struct core *c, const struct model_row *row, struct arena *a)
{
    const struct model_value *alert = model_get(row, F(delivery, alert));
    struct model_row *now;

    return alert->set && store_row_get(c->store, c->kinds[PV_KIND_alert].shape, &alert->id, a, &now, NULL) == PV_OK &&
           model_number(now, F(alert, silenced_until)) > clock_wall_ms();
}

static void set_lane(struct lane *l, bool idle, int64_t wait_ms)
{
    pthread_mutex_lock(&l->core->deliveries->lock);
    l->idle = idle;
    l->not_before = clock_mono_ms() + wait_ms;
    pthread_mutex_unlock(&l->core->deliveries->lock);
}

static int64_t age_ms(const struct core *c)
{
    return c->config.delivery_age_ms ? c->config.delivery_age_ms : AGE_MS;
}

/* Once tried: what is next. Answers whether the lane goes on at once. */
static bool judge(struct lane *l, const struct model_row *receiver, const struct model_row *row,
                  const struct deliver_result *result, struct arena *a)
{
    struct core *c = l->core;
    int64_t now = clock_wall_ms(), wait_ms = 0;
    struct outcome o = { .receiver = receiver, .id = row->id, .result = result,
                         .state = PV_DELIVERY_STATE_DELIVERED };
    struct pv_err err = { 0 };

    /* The server ends: whatever this was, it is sent again. */
    if (result->rc == PV_ECANCELED)
        return false;
    if (result->rc != PV_OK) {
        bool old = now - model_number(row, F(delivery, created_at)) >= age_ms(c);

        o.error = problem_text(a, &result->err);
        o.state = result->permanent || old ? PV_DELIVERY_STATE_DEAD : PV_DELIVERY_STATE_PENDING;
        if (!result->permanent)
            wait_ms = backoff_next_ms(&l->backoff);
        if (wait_ms < (int64_t)result->retry_s * 1000)
            wait_ms = (int64_t)result->retry_s * 1000;
        o.next_ms = now + wait_ms;
        log_msg(PV_LOG_WARN, "deliver.failed", "receiver=\"%s\" attempt=%lld error=\"%s\"", name_of(receiver),
                (long long)model_number(row, F(delivery, attempts)) + 1, result->err.message);
    } else {
        backoff_reset(&l->backoff);
    }
    if (finish(c, &o, &err) != PV_OK) {
        log_msg(PV_LOG_ERROR, "deliver.noted", "%s", err.message);
        set_lane(l, false, TICK_MS);
        return false;
    }
    if (result->rc != PV_OK && !result->permanent) {
        give_up(l, receiver, o.error, now - age_ms(c), QUEUE_MOST);
        set_lane(l, false, wait_ms);
        return false;
    }
    return true;
}

/* The first that waits. Answers whether to go on at once. */
static bool deliver_next(struct lane *l)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 8u << 20);
    struct core *c = l->core;
    struct model_row *receiver;
    struct found *f = a ? arena_alloc(a, sizeof(*f)) : NULL;
    struct deliver_result result;
    struct pv_err err = { 0 };
    struct store_query q;
    struct store_sort sort;
    bool hook = l->kind == PV_KIND_webhook;
    int64_t early;
    int rc = f ? PV_OK : PV_ENOMEM;

    set_lane(l, true, 0);
    if (rc == PV_OK)
        rc = store_row_get(c->store, c->kinds[l->kind].shape, &l->id, a, &receiver, &err);
    if (rc == PV_ENOENT || (rc == PV_OK && !model_number(receiver, hook ? F(webhook, enabled) : F(notification_target, enabled))))
        return false;
    if (rc == PV_OK)
        rc = waiting_query(l, a, &q, &sort, &err);
    if (rc == PV_OK) {
        *f = (struct found){ .a = a };
        rc = store_list(c->store, &q, see_first, f, NULL, &err);
    }
    if (rc != PV_OK) {
        log_msg(PV_LOG_ERROR, "deliver", "%s", err.message);
        set_lane(l, false, 10 * TICK_MS);
        return false;
    }
    if (!f->first)
        return false;
    early = model_number(f->first, F(delivery, next_attempt_at)) - clock_wall_ms();
    /* After a restart the back-off goes on from what was tried; a clock that was set back does not hold it up. */
    if (early > 0 && early <= MOST_MS) {
        l->backoff.tries = (unsigned)model_number(f->first, F(delivery, attempts));
        set_lane(l, false, early);
        return false;
    }
    if (is_silenced(c, f->first, a)) {
        struct outcome o = { .receiver = receiver, .id = f->first->id, .state = PV_DELIVERY_STATE_SKIPPED };

        pv_fail_as(&err, "conflict", "the alert was silenced before it was told");
        o.error = problem_text(a, &err);
        return finish(c, &o, &err) == PV_OK;
    }
    deliver_attempt(c, receiver, f->first, &l->link, &result);
    return judge(l, receiver, f->first, &result, a);
}

static void run_lane(void *arg)
{
    struct lane *l = arg;
    struct delivery_store *st = l->core->deliveries;
    unsigned n = 0;
    bool again, idle;

    while (n < AT_A_TURN && !atomic_load(&l->core->stopping) && deliver_next(l))
        n++;
    pthread_mutex_lock(&st->lock);
    idle = l->idle;
    again = (l->again || n == AT_A_TURN) && !atomic_load(&l->core->stopping) && st->senders;
    l->again = false;
    /* Behind the others: a receiver with much to take does not keep a thread for itself. */
    l->busy = again && workers_submit(st->senders, run_lane, l);
    pthread_mutex_unlock(&st->lock);
    /* There is room for what the log still has. */
    if (idle && l->kind == PV_KIND_webhook)
        feed_wake(l->core);
}

/* lock held. */
static void kick(struct delivery_store *st, struct lane *l)
{
    if (!l->here || l->not_before > clock_mono_ms())
        return;
    if (l->busy)
        l->again = true;
    else
        l->busy = st->senders && workers_submit(st->senders, run_lane, l);
}

void deliver_wake(struct core *c)
{
    struct delivery_store *st = c->deliveries;

    if (!st)
        return;
    pthread_mutex_lock(&st->lock);
    for (struct lane *l = st->lanes; l; l = l->next) {
        l->idle = false;
        kick(st, l);
    }
    pthread_mutex_unlock(&st->lock);
}

static void tick(void *arg)
{
    struct core *c = arg;
    struct delivery_store *st = c->deliveries;

    if (atomic_load(&c->stopping))
        return;
    pthread_mutex_lock(&st->lock);
    for (struct lane *l = st->lanes; l; l = l->next)
        if (!l->idle && !l->busy)
            kick(st, l);
    pthread_mutex_unlock(&st->lock);
    core_later(c, TICK_MS, tick, c);
}

/* ------------------------------------------------------------------ which receivers there are */

struct listing {
    struct core *core;
    struct pv_id ids[2 * CORE_CHANNELS_MAX];
    enum pv_kind kinds[2 * CORE_CHANNELS_MAX];
    size_t n;
};

static int see_receiver(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct listing *all = ctx;

    (void)err;
    if (all->n < PV_COUNT(all->ids)) {
        all->kinds[all->n] = row->kind->number;
        all->ids[all->n++] = row->id;
    }
    return PV_OK;
}

static int list_receivers(struct core *c, struct listing *all, struct pv_err *err)
{
    static const enum pv_kind kinds[] = { PV_KIND_notification_target, PV_KIND_webhook };
    int rc = PV_OK;

    *all = (struct listing){ .core = c };
    for (size_t i = 0; i < PV_COUNT(kinds) && rc == PV_OK; i++) {
        struct store_query q = { .shape = c->kinds[kinds[i]].shape, .limit = CORE_CHANNELS_MAX };

        rc = store_list(c->store, &q, see_receiver, all, NULL, err);
    }
    return rc;
}

/* lock held. */
static struct lane *lane_of(struct core *c, enum pv_kind kind, const struct pv_id *id)
{
    struct delivery_store *st = c->deliveries;
    struct lane *l = st->lanes;

    while (l && (l->kind != kind || !id_eq(&l->id, id)))
        l = l->next;
    if (l)
        return l;
    l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    *l = (struct lane){ .core = c, .kind = kind, .id = *id, .next = st->lanes,
                        .backoff = { .first_ms = c->config.delivery_first_ms ? c->config.delivery_first_ms : FIRST_MS,
                                     .most_ms = MOST_MS } };
    st->lanes = l;
    return l;
}

static int refresh(struct core *c, struct pv_err *err)
{
    struct delivery_store *st = c->deliveries;
    struct listing *all = malloc(sizeof(*all));
    int rc = all ? list_receivers(c, all, err) : pv_fail(err, PV_ENOMEM, "no memory for receivers");

    if (rc == PV_OK) {
        pthread_mutex_lock(&st->lock);
        for (struct lane *l = st->lanes; l; l = l->next)
            l->here = false;
        for (size_t i = 0; i < all->n; i++) {
            struct lane *l = lane_of(c, all->kinds[i], &all->ids[i]);

            if (!l)
                continue;
            l->here = true;
            l->idle = false;
            /* Whoever has corrected an address wants to see that it works. */
            l->not_before = 0;
        }
        pthread_mutex_unlock(&st->lock);
    }
    free(all);
    return rc;
}

void deliver_refresh(struct core *c)
{
    struct pv_err err = { 0 };

    if (refresh(c, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "deliver.receivers", "%s", err.message);
    deliver_wake(c);
    feed_wake(c);
}

/* ------------------------------------------------------------------ a test, and again */

struct test {
    struct core *core;
    enum pv_kind kind;
    struct pv_id id;
    core_json_fn done;
    void *ctx;
};

struct test_row {
    struct core *core;
    struct model_row *row;
};

static int test_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct test_row *t = arg;

    return deliver_put(t->core, tx, t->row, err);
}

static const char *test_answer(struct arena *a, const struct model_row *row, const struct deliver_result *result,
                               const char *problem)
{
    char id[PV_ID_TEXT];
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 16384);
    jsonw_init(&w, &text);
    model_id_text(PV_KIND_delivery, &row->id, id);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "ok", result->rc == PV_OK);
    jsonw_i64(&w, "took_ms", result->took_ms);
    jsonw_str(&w, "answer", result->answer[0] ? result->answer : NULL);
    if (problem)
        jsonw_raw(&w, "error", problem, strlen(problem));
    else
        jsonw_null(&w, "error");
    jsonw_str(&w, "delivery", id);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static int fill_test(const struct test *t, const struct model_row *receiver, struct model_row *row, struct arena *a,
                     struct pv_err *err)
{
    static const char text[] = "This is a test: what you read here arrived.";
    char quoted[sizeof(text) + 2];
    const char *body;

    id_make(&row->id);
    snprintf(quoted, sizeof(quoted), "\"%s\"", text);
    body = deliver_body(a, &row->id, "test", "message", quoted, strlen(quoted), NULL);
    if (!body)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    model_set_ref(row, receiver_field(t->kind), &receiver->id);
    model_set_text(row, F(delivery, type), "test");
    model_set_text(row, F(delivery, message), text);
    model_set_text(row, F(delivery, body), body);
    model_set_number(row, F(delivery, created_at), clock_wall_ms());
    return PV_OK;
}

/* Sent first and written then: a test is about now, and is not tried again by itself. */
static void run_test(void *arg)
{
    struct test *t = arg;
    struct core *c = t->core;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 8u << 20);
    struct model_row *row = a ? model_row_new(a, PV_KIND_delivery) : NULL, *receiver = NULL;
    struct deliver_link link = { .http = NULL };
    struct deliver_result result;
    struct outcome o = { .result = &result };
    struct pv_err err = { 0 };
    const char *json = NULL;
    int rc = row ? store_row_get(c->store, c->kinds[t->kind].shape, &t->id, a, &receiver, &err)
                 : pv_fail(&err, PV_ENOMEM, "no memory for a message");

    if (rc == PV_OK)
        rc = fill_test(t, receiver, row, a, &err);
    if (rc == PV_OK) {
        struct test_row tr = { c, row };

        deliver_attempt(c, receiver, row, &link, &result);
        deliver_link_free(&link);
        o.receiver = receiver;
        o.id = row->id;
        o.error = result.rc == PV_OK ? NULL : problem_text(a, &result.err);
        o.state = result.rc == PV_OK ? PV_DELIVERY_STATE_DELIVERED : PV_DELIVERY_STATE_DEAD;
        model_set_number(row, F(delivery, state), o.state);
        rc = store_write(c->store, test_tx, &tr, &err);
        if (rc == PV_OK)
            rc = finish(c, &o, &err);
        json = rc == PV_OK ? test_answer(a, row, &result, o.error) : NULL;
        if (rc == PV_OK && !json)
            rc = pv_fail(&err, PV_ENOMEM, "no memory for an answer");
        /* Whoever sees a test arrive need not wait for the back-off. */
        if (rc == PV_OK && result.rc == PV_OK)
            deliver_refresh(c);
    }
    t->done(t->ctx, rc, json, &err);
    free(t);
}

int core_channel_test(struct core *c, enum pv_kind kind, const struct pv_id *id, core_json_fn done, void *ctx,
                      struct pv_err *err)
{
    struct delivery_store *st = c->deliveries;
    struct test *t = malloc(sizeof(*t));
    bool taken = false;

    if (!t)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    *t = (struct test){ c, kind, *id, done, ctx };
    pthread_mutex_lock(&st->lock);
    taken = st->senders && workers_submit(st->senders, run_test, t);
    pthread_mutex_unlock(&st->lock);
    if (taken)
        return PV_OK;
    free(t);
    return pv_fail(err, PV_ENOMEM, "too much is being sent at once");
}

struct resend {
    struct core *core;
    const struct core_options *options;
    struct pv_id id;
};

static int resend_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    static const uint16_t seq_field[] = { F(delivery, seq), F(delivery, created_at) };
    const struct resend *r = arg;
    struct outcome o = { .state = PV_DELIVERY_STATE_PENDING, .next_ms = clock_wall_ms() };
    struct model_row *row = NULL;
    uint64_t seq;
    int rc = tx_rows_get(tx, PV_KIND_delivery, &r->id, 1, false, tx_arena(tx), &row, err);

    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_ENOENT, "there is no such delivery");
    if (rc == PV_OK)
        rc = core_check_version(r->options, (uint64_t)model_number(row, F(delivery, version)), err);
    if (rc != PV_OK)
        return rc;
    if (model_number(row, F(delivery, state)) != PV_DELIVERY_STATE_PENDING) {
        rc = tx_counter_next(tx, "delivery", &seq, err);
        if (rc != PV_OK)
            return rc;
        model_set_number(row, F(delivery, seq), (int64_t)seq);
        /* Its age begins anew, or it would be given up at the first failure. */
        model_set_number(row, F(delivery, created_at), clock_wall_ms());
        rc = tx_row_update(tx, row, seq_field, PV_COUNT(seq_field), err);
        if (rc != PV_OK)
            return rc;
    }
    write_outcome(row, &o);
    rc = tx_row_update(tx, row, outcome_fields, PV_COUNT(outcome_fields), err);
    return rc;
}

int core_delivery_resend(struct core *c, const struct pv_id *id, const struct core_options *o, struct pv_err *err)
{
    struct resend r = { .core = c, .options = o, .id = *id };
    int rc = store_write(c->store, resend_tx, &r, err);

    if (rc == PV_OK)
        deliver_refresh(c);
    return rc;
}

void core_delivery_stats(struct core *c, struct core_delivery_stats *out)
{
    struct delivery_store *st = c->deliveries;

    *out = (struct core_delivery_stats){ .delivered = atomic_load(&st->delivered), .failed = atomic_load(&st->failed),
                                         .dead = atomic_load(&st->dead), .skipped = atomic_load(&st->skipped) };
}

/* ------------------------------------------------------------------ old rows */

struct clean {
    struct pv_id ids[1000];
    size_t n;
};

static int see_old(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct clean *cl = ctx;

    (void)err;
    if (cl->n < PV_COUNT(cl->ids))
        cl->ids[cl->n++] = row->id;
    return PV_OK;
}

static int clean_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct clean *cl = arg;
    int rc = PV_OK;

    for (size_t i = 0; i < cl->n && rc == PV_OK; i++)
        rc = tx_row_delete(tx, PV_KIND_delivery, &cl->ids[i], err);
    return rc;
}

/* Answers whether there may be more. */
static bool clean_some(struct core *c, const char *what)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct store_query q = { .limit = 1000 };
    struct clean *cl = a ? arena_alloc(a, sizeof(*cl)) : NULL;
    struct pv_err err = { 0 };

    if (!cl)
        return false;
    cl->n = 0;
    if (model_shape_make(model_kind(PV_KIND_delivery), "id", MODEL_VIEW_FULL, a, &q.shape, &err) != PV_OK ||
        filter_parse(model_kind(PV_KIND_delivery), what, clock_wall_ms(), a, &q.filter, &err) != PV_OK ||
        store_list(c->store, &q, see_old, cl, NULL, &err) != PV_OK ||
        (cl->n > 0 && store_write(c->store, clean_tx, cl, &err) != PV_OK))
        log_msg(PV_LOG_ERROR, "deliver.clean", "%s", err.message);
    else
        return cl->n == PV_COUNT(cl->ids);
    return false;
}

void deliver_clean(struct core *c)
{
    char text[CLOCK_TEXT_LEN], old[80];

    /* Also what waits for a receiver that is disabled, or was deleted with more than one transaction takes. */
    clock_text(clock_wall_ms() - core_setting(c, CORE_SETTING_retention_deliveries_days) * DAY_MS, text);
    snprintf(old, sizeof(old), "updated_at<%s", text);
    while (!atomic_load(&c->stopping) && clean_some(c, old))
        ;
}

/* ------------------------------------------------------------------ start and end */

int deliver_start(struct core *c, struct pv_err *err)
{
    int rc;

    c->deliveries = calloc(1, sizeof(*c->deliveries));
    if (!c->deliveries)
        return pv_fail(err, PV_ENOMEM, "no memory for deliveries");
    pthread_mutex_init(&c->deliveries->lock, NULL);
    c->deliveries->senders = workers_new("deliver", SENDERS, 1000);
    if (!c->deliveries->senders)
        return pv_fail(err, PV_ENOMEM, "no memory for deliveries");
    rc = refresh(c, err);
    if (rc == PV_OK)
        rc = feed_start(c, err);
    if (rc == PV_OK)
        core_later(c, TICK_MS, tick, c);
    deliver_wake(c);
    return rc;
}

void deliver_stop(struct core *c)
{
    struct delivery_store *st = c->deliveries;
    struct workers *senders;

    if (!st)
        return;
    feed_stop(c);
    pthread_mutex_lock(&st->lock);
    senders = PV_TAKE(st->senders);
    pthread_mutex_unlock(&st->lock);
    if (senders)
        workers_free(senders);
    while (st->lanes) {
        struct lane *l = st->lanes;

        st->lanes = l->next;
        deliver_link_free(&l->link);
        free(l);
    }
    c->deliveries = NULL;
    pthread_mutex_destroy(&st->lock);
    free(st);
}
