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
#define QUEUE_MOST 10000 /* of one receiver; beyond, the oldest are given up */
#define BATCH 500
#define AT_A_TURN 50 /* deliveries of one receiver before others have their turn */

struct lane {
    struct core *core;
    struct lane *next;
    enum pv_kind kind;
    struct pv_id id;
    struct deliver_link link; /* of the job that runs it alone */
    struct backoff backoff;   /* the same */
    bool here;                /* the receiver exists; guarded by lock */
    bool busy, again;         /* a job has it; it is to go round once more; guarded by lock */
    bool idle;                /* nothing waits, as far as is known; guarded by lock */
    int64_t not_before;       /* monotonic; guarded by lock */
};

/* ------------------------------------------------------------------ one lane */

struct found {
    struct arena *a;
    struct pv_id ids[BATCH];
    struct model_row *first;
    size_t n;
    int64_t before_ms; /* only those made before */
};

/* A row lives during the call only: what of it is needed is copied. */
static struct model_row *keep(struct arena *a, const struct model_row *row)
{
    struct model_row *out = arena_copy(a, row, sizeof(*row));
    struct model_value *values = arena_copy(a, row->values, row->kind->nfields * sizeof(*values));

    for (size_t i = 0; values && i < row->kind->nfields; i++)
        if (values[i].set && values[i].text) {
            values[i].text = arena_text(a, values[i].text,
                                        values[i].len ? values[i].len : strlen(values[i].text));
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

static int waiting_query(const struct lane *l, struct arena *a, struct store_query *q,
                         struct store_sort *sort, struct pv_err *err)
{
    char id[PV_ID_TEXT];
    const char *text;

    model_id_text(l->kind, &l->id, id);
    text = arena_printf(a, "state:pending %s:%s", l->kind == PV_KIND_webhook ? "webhook" : "target",
                        id);
    *sort = (struct store_sort){ .field = F(delivery, seq) };
    *q = (struct store_query){
        .shape = l->core->kinds[PV_KIND_delivery].shape, .sort = sort, .nsort = 1, .limit = 1
    };
    return text ? filter_parse(model_kind(PV_KIND_delivery), text, 0, a, &q->filter, err)
                : pv_fail(err, PV_ENOMEM, "no memory for a message");
}

/* Those that have waited too long, or are too many, are given up together: a receiver that was away
 * for days is not tried for each of them. */
static void give_up(struct lane *l, const struct model_row *receiver, const char *error,
                    int64_t before_ms, size_t most)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 8u << 20);
    struct found *f = a ? arena_alloc(a, sizeof(*f)) : NULL;
    struct core *c = l->core;
    struct store_query q;
    struct store_sort sort;
    struct pv_err err = { 0 };
    uint64_t total = 0;

    if (!f || waiting_query(l, a, &q, &sort, &err) != PV_OK ||
        store_count(c->store, &q, &total, &err) != PV_OK)
        return;
    if (total > most)
        before_ms = INT64_MAX;
    *f = (struct found){ .a = a, .before_ms = before_ms };
    q.limit = total > most ? (unsigned)(total - most < BATCH ? total - most : BATCH) : BATCH;
    if (store_list(c->store, &q, see_id, f, NULL, &err) != PV_OK)
        return;
    for (size_t i = 0; i < f->n && !atomic_load(&c->stopping); i++) {
        struct deliver_outcome o = {
            .receiver = receiver, .id = f->ids[i], .state = PV_DELIVERY_STATE_DEAD, .error = error
        };

        if (deliver_finish(c, &o, &err) != PV_OK)
            return;
    }
    if (f->n > 0)
        log_msg(PV_LOG_WARN, "deliver.dead", "receiver=\"%s\" given_up=%zu", deliver_name(receiver),
                f->n);
}

/* Silenced since it was written: nobody is to be told about it. */
static bool is_silenced(struct core *c, const struct model_row *row, struct arena *a)
{
    const struct model_value *alert = model_get(row, F(delivery, alert));
    struct model_row *now;

    return alert->set &&
           store_row_get(c->store, c->kinds[PV_KIND_alert].shape, &alert->id, a, &now, NULL) ==
               PV_OK &&
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
    struct deliver_outcome o = {
        .receiver = receiver, .id = row->id, .result = result, .state = PV_DELIVERY_STATE_DELIVERED
    };
    struct pv_err err = { 0 };

    /* The server ends: whatever this was, it is sent again. */
    if (result->rc == PV_ECANCELED)
        return false;
    if (result->rc != PV_OK) {
        bool old = now - model_number(row, F(delivery, created_at)) >= age_ms(c);

        o.error = deliver_problem(a, &result->err);
        o.state = result->permanent || old ? PV_DELIVERY_STATE_DEAD : PV_DELIVERY_STATE_PENDING;
        if (!result->permanent)
            wait_ms = backoff_next_ms(&l->backoff);
        if (wait_ms < (int64_t)result->retry_s * 1000)
            wait_ms = (int64_t)result->retry_s * 1000;
        o.next_ms = now + wait_ms;
        log_msg(PV_LOG_WARN, "deliver.failed", "receiver=\"%s\" attempt=%lld error=\"%s\"",
                deliver_name(receiver), (long long)model_number(row, F(delivery, attempts)) + 1,
                result->err.message);
    } else {
        backoff_reset(&l->backoff);
    }
    if (deliver_finish(c, &o, &err) != PV_OK) {
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
    if (rc == PV_ENOENT ||
        (rc == PV_OK &&
         !model_number(receiver, hook ? F(webhook, enabled) : F(notification_target, enabled))))
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
    /* After a restart the back-off goes on from what was tried; a clock that was set back does not
     * hold it up. */
    if (early > 0 && early <= MOST_MS) {
        l->backoff.tries = (unsigned)model_number(f->first, F(delivery, attempts));
        set_lane(l, false, early);
        return false;
    }
    if (is_silenced(c, f->first, a)) {
        struct deliver_outcome o = { .receiver = receiver,
                                     .id = f->first->id,
                                     .state = PV_DELIVERY_STATE_SKIPPED };

        pv_fail_as(&err, "conflict", "the alert was silenced before it was told");
        o.error = deliver_problem(a, &err);
        return deliver_finish(c, &o, &err) == PV_OK;
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
    *l = (struct lane){ .core = c,
                        .kind = kind,
                        .id = *id,
                        .next = st->lanes,
                        .backoff = { .first_ms = c->config.delivery_first_ms
                                                     ? c->config.delivery_first_ms
                                                     : FIRST_MS,
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
