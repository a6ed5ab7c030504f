/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the event log into the queue, for webhooks. Deliveries and the position
 * up to which all events were looked at are one transaction, so each event is
 * handed over once whatever happens. While a receiver's queue is long, its
 * events stay in the log.
 */
#include "server/core/deliver.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#define WAITING_MOST 500 /* deliveries of one webhook; beyond, the log keeps the rest */
#define BLOCK 200        /* events looked at in one go */
#define NOTE_EVERY 1000  /* events that did not match, before the position is written for them */
#define PAUSE_MS 200     /* between two rounds */

struct place {
    struct pv_id id;
    uint64_t looked; /* events up to here were looked at */
    uint64_t noted;  /* as stored */
};

struct feed {
    pthread_mutex_t lock; /* leaf */
    struct core_subscription *subscription;
    bool queued;                            /* a round is to come or runs; guarded by lock */
    bool again;                             /* guarded by lock */
    struct place places[CORE_CHANNELS_MAX]; /* of the round alone */
    size_t nplaces;
};

/* One webhook in one round. */
struct hook {
    struct core *core;
    struct arena *arena; /* of one block */
    const struct model_row *row;
    const struct filter *filter;
    const char *types; /* as stored: "\na\nb\n" */
    struct place *at;
    struct model_row *rows[BLOCK];
    size_t nrows;
    uint64_t last; /* of the block */
    uint64_t missed;
};

static struct place *place_of(struct feed *f, const struct model_row *row)
{
    uint64_t stored = (uint64_t)model_number(row, F(webhook, position));
    size_t i = 0;

    while (i < f->nplaces && !id_eq(&f->places[i].id, &row->id))
        i++;
    if (i == PV_COUNT(f->places))
        i = 0; /* of one that was deleted, since there are no more than these */
    else if (i == f->nplaces)
        f->nplaces++;
    if (!id_eq(&f->places[i].id, &row->id))
        f->places[i] = (struct place){ row->id, stored, stored };
    return &f->places[i];
}

static bool is_wanted(const struct hook *h, const struct model_row *event)
{
    const char *list = h->types, *type = model_text(event, F(event, type));
    bool any = *list == '\0';

    while (!any && *list == '\n' && list[1]) {
        size_t len = strcspn(list + 1, "\n");

        any = str_wildcard(list + 1, len, type, strlen(type));
        list += 1 + len;
    }
    return any && (!h->filter || filter_match(h->filter, event));
}

static struct model_row *make_row(const struct hook *h, const struct model_row *event)
{
    struct model_row *row = model_row_new(h->arena, PV_KIND_delivery);
    const char *type = arena_strdup(h->arena, model_text(event, F(event, type)));
    const char *message = arena_strdup(h->arena, model_text(event, F(event, message))), *body;
    struct buf text;
    struct jsonw w;

    if (!row || !type || !message)
        return NULL;
    id_make(&row->id);
    buf_init(&text, 120000);
    jsonw_init(&w, &text);
    model_write_json(&w, NULL, h->core->event_shape, event);
    body = buf_ok(&text)
               ? deliver_body(h->arena, &row->id, type, "event", text.data, text.len, NULL)
               : NULL;
    buf_free(&text);
    if (!body)
        return NULL;
    model_set_ref(row, F(delivery, webhook), &h->row->id);
    model_set_number(row, F(delivery, event_seq), model_number(event, F(event, seq)));
    model_set_text(row, F(delivery, type), type);
    model_set_text(row, F(delivery, message), message);
    model_set_text(row, F(delivery, body), body);
    return row;
}

static int see_event(void *ctx, const struct model_row *event, struct pv_err *err)
{
    struct hook *h = ctx;

    if (is_wanted(h, event)) {
        h->rows[h->nrows] = make_row(h, event);
        if (!h->rows[h->nrows])
            return pv_fail(err, PV_ENOMEM, "no memory for a message");
        h->nrows++;
    }
    h->last = (uint64_t)model_number(event, F(event, seq));
    return PV_OK;
}

static int hand_over(struct store_tx *tx, void *arg, struct pv_err *err)
{
    static const uint16_t fields[] = { F(webhook, position), F(webhook, missed) };
    struct hook *h = arg;
    struct model_row *row = NULL;
    int rc = tx_rows_get(tx, PV_KIND_webhook, &h->row->id, 1, false, tx_arena(tx), &row, err);

    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", model_kind(PV_KIND_webhook)->name);
    for (size_t i = 0; i < h->nrows && rc == PV_OK; i++)
        rc = deliver_put(h->core, tx, h->rows[i], err);
    if (rc != PV_OK)
        return rc;
    model_set_number(row, F(webhook, position), (int64_t)h->last);
    model_set_number(row, F(webhook, missed),
                     model_number(row, F(webhook, missed)) + (int64_t)h->missed);
    return tx_row_update(tx, row, fields, PV_COUNT(fields), err);
}

/* What age has taken out of the log meanwhile is said, not passed over. */
static int skip_gap(struct hook *h, struct pv_err *err)
{
    uint64_t oldest = 0, newest = 0;
    int rc = store_event_bounds(h->core->store, &oldest, &newest, err);

    if (rc == PV_OK && oldest > h->at->looked + 1) {
        h->missed = oldest - h->at->looked - 1;
        h->at->looked = oldest - 1;
        log_msg(PV_LOG_WARN, "webhook.missed", "webhook=\"%s\" events=%llu",
                model_text(h->row, F(webhook, name)), (unsigned long long)h->missed);
    }
    return rc;
}

static int waiting(struct hook *h, uint64_t *out, struct pv_err *err)
{
    struct store_query q = { .shape = h->core->kinds[PV_KIND_delivery].shape, .limit = 1 };
    char id[PV_ID_TEXT];
    const char *text;
    int rc;

    model_id_text(PV_KIND_webhook, &h->row->id, id);
    text = arena_printf(h->arena, "state:pending webhook:%s", id);
    rc = text ? filter_parse(model_kind(PV_KIND_delivery), text, 0, h->arena, &q.filter, err)
              : pv_fail(err, PV_ENOMEM, "no memory for a message");
    return rc == PV_OK ? store_count(h->core->store, &q, out, err) : rc;
}

/* Answers whether there is more. */
static int feed_block(struct hook *h, bool *more, struct pv_err *err)
{
    struct core *c = h->core;
    uint64_t queued = 0, from;
    int rc;

    *more = false;
    h->nrows = 0;
    h->missed = 0;
    rc = waiting(h, &queued, err);
    if (rc == PV_OK && queued < WAITING_MOST)
        rc = skip_gap(h, err);
    if (rc != PV_OK || queued >= WAITING_MOST)
        return rc;
    from = h->last = h->at->looked;
    rc = filter_parse(model_kind(PV_KIND_event), model_text(h->row, F(webhook, selector)),
                      clock_wall_ms(), h->arena, &h->filter, err);
    if (rc == PV_OK)
        rc = store_events_since(c->store, from, BLOCK, c->event_shape, see_event, h, err);
    if (rc != PV_OK)
        return rc;
    if (h->nrows > 0 || h->missed > 0 || h->last - h->at->noted >= NOTE_EVERY) {
        rc = store_write(c->store, hand_over, h, err);
        if (rc != PV_OK)
            return rc;
        h->at->noted = h->last;
    }
    h->at->looked = h->last;
    *more = h->last > from;
    return PV_OK;
}

static int feed_hook(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct core *c = ctx;
    PV_AUTO_FREE struct hook *h = calloc(1, sizeof(*h));
    struct pv_err own = { 0 };
    bool more = true;

    if (!h)
        return pv_fail(err, PV_ENOMEM, "no memory for a webhook");
    h->core = c;
    h->row = row;
    h->types = model_text(row, F(webhook, event_types));
    h->at = place_of(c->feed, row);
    while (more && !atomic_load(&c->stopping) && h->at->looked < core_event_seq(c)) {
        int rc;

        h->arena = arena_new(65536, 64u << 20);
        rc = h->arena ? feed_block(h, &more, &own)
                      : pv_fail(&own, PV_ENOMEM, "no memory for a webhook");
        arena_free(h->arena);
        /* One that is broken does not keep the others from theirs. */
        if (rc != PV_OK && rc != PV_ENOENT)
            log_msg(PV_LOG_ERROR, "webhook.feed", "webhook=\"%s\" %s",
                    model_text(row, F(webhook, name)), own.message);
        if (rc != PV_OK)
            break;
    }
    return PV_OK;
}

struct hooks {
    struct arena *arena;
    struct pv_id ids[CORE_CHANNELS_MAX];
    size_t n;
};

static int see_hook(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct hooks *all = ctx;

    (void)err;
    if (all->n < PV_COUNT(all->ids))
        all->ids[all->n++] = row->id;
    return PV_OK;
}

static void feed_all(struct core *c)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 32u << 20);
    struct store_query q = { .shape = c->kinds[PV_KIND_webhook].shape, .limit = CORE_CHANNELS_MAX };
    struct hooks *all = a ? arena_alloc(a, sizeof(*all)) : NULL;
    struct pv_err err = { 0 };
    int rc = all ? PV_OK : PV_ENOMEM;

    if (rc == PV_OK) {
        all->n = 0;
        rc = filter_parse(model_kind(PV_KIND_webhook), "enabled:true", 0, a, &q.filter, &err);
    }
    if (rc == PV_OK)
        rc = store_list(c->store, &q, see_hook, all, NULL, &err);
    if (rc != PV_OK) {
        log_msg(PV_LOG_ERROR, "webhook.feed", "%s", err.message);
        return;
    }
    for (size_t i = 0; i < all->n && !atomic_load(&c->stopping); i++) {
        PV_AUTO(arena_free_p) struct arena *own = arena_new(16384, 1u << 20);
        struct model_row *row;

        if (own && store_row_get(c->store, c->kinds[PV_KIND_webhook].shape, &all->ids[i], own, &row,
                                 &err) == PV_OK)
            (void)feed_hook(c, row, &err);
    }
}

static void feed_round(void *arg)
{
    struct core *c = arg;
    struct feed *f = c->feed;
    bool again;

    if (!f || atomic_load(&c->stopping))
        return;
    feed_all(c);
    pthread_mutex_lock(&f->lock);
    again = f->again;
    f->again = false;
    f->queued = again;
    pthread_mutex_unlock(&f->lock);
    if (again && !core_later(c, PAUSE_MS, feed_round, c)) {
        pthread_mutex_lock(&f->lock);
        f->queued = false;
        pthread_mutex_unlock(&f->lock);
    }
}

void feed_wake(struct core *c)
{
    struct feed *f = c->feed;
    bool start;

    if (!f || atomic_load(&c->stopping))
        return;
    pthread_mutex_lock(&f->lock);
    start = !f->queued;
    f->queued = true;
    f->again = !start;
    pthread_mutex_unlock(&f->lock);
    if (start && !core_later(c, PAUSE_MS / 10, feed_round, c)) {
        pthread_mutex_lock(&f->lock);
        f->queued = false;
        pthread_mutex_unlock(&f->lock);
    }
}

/* On the writer thread. */
static void on_event(void *ctx, const struct core_event *e)
{
    (void)e;
    feed_wake(ctx);
}

int feed_start(struct core *c, struct pv_err *err)
{
    int rc;

    c->feed = calloc(1, sizeof(*c->feed));
    if (!c->feed)
        return pv_fail(err, PV_ENOMEM, "no memory for webhooks");
    pthread_mutex_init(&c->feed->lock, NULL);
    rc = core_subscribe(c, on_event, c, &c->feed->subscription, err);
    if (rc == PV_OK)
        feed_wake(c);
    return rc;
}

void feed_stop(struct core *c)
{
    if (!c->feed)
        return;
    if (c->feed->subscription)
        core_unsubscribe(c->feed->subscription);
    pthread_mutex_destroy(&c->feed->lock);
    free(c->feed);
    c->feed = NULL;
}
