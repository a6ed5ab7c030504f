/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events are rows like any other, written in the transaction of the change
 * they tell of. Their JSON is made at the same time, so that publishing after
 * the commit costs the writer thread next to nothing.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (64u << 20)        /* of all events of one transaction */
#define CHANGES_MAX 65536u          /* as the model says */

struct event_mark {
    uint64_t seq;
    enum pv_kind kind;
    struct pv_id subject;
    size_t type, json, json_len;    /* offsets into text */
};

struct core_subscription {
    struct core *core;
    struct core_subscription *next;     /* guarded by subs_lock */
    core_event_fn fn;
    void *ctx;
    bool busy;                          /* guarded by subs_lock */
    bool gone;                          /* guarded by subs_lock */
    bool orphan;                        /* ended by its own callback: publish() frees it */
    pthread_t caller;                   /* while busy */
};

void events_init(struct event_set *s, struct core *c)
{
    *s = (struct event_set){ .core = c };
    buf_init(&s->text, TEXT_MAX);
}

void events_free(struct event_set *s)
{
    buf_free(&s->text);
    free(s->marks);
}

/* subs_lock held, but not during the call. */
static void tell(struct core *c, struct core_subscription *s, const struct core_event *e)
{
    s->busy = true;
    s->caller = pthread_self();
    pthread_mutex_unlock(&c->subs_lock);
    s->fn(s->ctx, e);
    pthread_mutex_lock(&c->subs_lock);
    s->busy = false;
}

/* subs_lock held, no call under way. Those that ended themselves go, those that wait for a call wake up. */
static void sweep(struct core *c)
{
    struct core_subscription **at = &c->subs;

    while (*at) {
        struct core_subscription *s = *at;

        if (s->orphan) {
            *at = s->next;
            free(s);
        } else {
            at = &s->next;
        }
    }
    pthread_cond_broadcast(&c->subs_idle);
}

/* After the commit, on the writer thread. */
static void publish(void *arg)
{
    struct event_set *s = arg;
    struct core *c = s->core;

    for (size_t i = 0; i < s->n; i++) {
        const struct event_mark *m = &s->marks[i];
        struct core_event e = { .seq = m->seq, .kind = m->kind, .subject = m->subject,
                                .type = s->text.data + m->type, .json = s->text.data + m->json,
                                .json_len = m->json_len };

        atomic_store(&c->event_seq, m->seq);
        atomic_fetch_add(&c->n_events, 1);
        pthread_mutex_lock(&c->subs_lock);
        for (struct core_subscription *sub = c->subs; sub; sub = sub->next)
            if (!sub->gone)
                tell(c, sub, &e);
        sweep(c);
        pthread_mutex_unlock(&c->subs_lock);
    }
}

int events_begin(struct event_set *s, struct store_tx *tx, struct pv_err *err)
{
    buf_reset(&s->text);
    s->n = 0;
    return tx_after_commit(tx, publish, s, err);
}

static int remember(struct event_set *s, const struct model_row *row, uint64_t seq,
                    const struct event_draft *d, struct pv_err *err)
{
    struct jsonw w;
    size_t type = s->text.len;

    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct event_mark *marks = realloc(s->marks, cap * sizeof(*marks));

        if (!marks)
            return pv_fail(err, PV_ENOMEM, "no memory for events");
        s->marks = marks;
        s->cap = cap;
    }
    buf_append(&s->text, d->type, strlen(d->type) + 1);
    s->marks[s->n] = (struct event_mark){ .seq = seq, .kind = d->kind, .subject = d->subject,
                                          .type = type, .json = s->text.len };
    jsonw_init(&w, &s->text);
    model_write_json(&w, NULL, s->core->event_shape, row);
    if (!buf_ok(&s->text))
        return pv_fail(err, PV_ENOMEM, "no memory for events");
    s->marks[s->n].json_len = s->text.len - s->marks[s->n].json;
    buf_char(&s->text, '\0');
    s->n++;
    return PV_OK;
}

static const char *ref_json(struct arena *a, const struct event_draft *d)
{
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 1024);
    jsonw_init(&w, &text);
    core_write_ref(&w, NULL, d->kind, &d->subject, d->name);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static const char *message_of(struct arena *a, const struct event_draft *d)
{
    const char *verb = strchr(d->type, '.');

    if (d->message)
        return d->message;
    return arena_printf(a, "%s: %s", d->name && d->name[0] ? d->name : "an object",
                        verb ? verb + 1 : d->type);
}

int events_add(struct event_set *s, struct store_tx *tx, const struct event_draft *d,
               struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    struct model_row *row = model_row_new(a, PV_KIND_event);
    int64_t now = clock_wall_ms();
    char *subject = arena_alloc(a, PV_ID_TEXT);
    uint64_t seq;
    int rc;

    if (!row || !subject)
        return pv_fail(err, PV_ENOMEM, "no memory for an event");
    rc = tx_counter_next(tx, "event", &seq, err);
    if (rc != PV_OK)
        return rc;
    id_make(&row->id);
    model_set_number(row, F(event, seq), (int64_t)seq);
    model_set_number(row, F(event, time), d->time_ms ? d->time_ms : now);
    model_set_text(row, F(event, type), d->type);
    model_set_number(row, F(event, severity), d->severity);
    if (d->kind != PV_KIND_NONE) {
        model_id_text(d->kind, &d->subject, subject);
        model_set_text(row, F(event, subject_id), subject);
        model_set_text(row, F(event, ref), ref_json(a, d));
    }
    model_set_ref(row, F(event, provider), &d->provider);
    if (d->provider_name && row->values[F(event, provider)].set)
        row->values[F(event, provider)].text = d->provider_name;
    if (d->object_version)
        model_set_number(row, F(event, object_version), (int64_t)d->object_version);
    /* Too many changes for one event: it still says that there were some. */
    if (d->changes)
        model_set_text(row, F(event, changes),
                       strlen(d->changes) <= CHANGES_MAX ? d->changes : "[]");
    model_set_ref(row, F(event, task), &d->task);
    model_set_number(row, F(event, actor_type), d->actor_type);
    model_set_text(row, F(event, actor_name), d->actor_name);
    model_set_text(row, F(event, message), message_of(a, d));
    model_set_text(row, F(event, native_type), d->native_type);
    model_set_text(row, F(event, native_id), d->native_id);
    if (d->native_kind)
        model_set_number(row, F(event, subject_kind), (int64_t)d->native_kind);
    model_set_text(row, F(event, subject_native_id), d->native_subject);
    model_set_number(row, F(event, created_at), now);
    model_set_number(row, F(event, updated_at), now);
    model_set_number(row, F(event, version), 1);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK ? remember(s, row, seq, d, err) : rc;
}

int core_subscribe(struct core *c, core_event_fn fn, void *ctx, struct core_subscription **out,
                   struct pv_err *err)
{
    struct core_subscription *s = calloc(1, sizeof(*s));

    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory for a subscription");
    s->core = c;
    s->fn = fn;
    s->ctx = ctx;
    pthread_mutex_lock(&c->subs_lock);
    s->next = c->subs;
    c->subs = s;
    pthread_mutex_unlock(&c->subs_lock);
    *out = s;
    return PV_OK;
}

void core_unsubscribe(struct core_subscription *s)
{
    struct core *c;

    if (!s)
        return;
    c = s->core;
    pthread_mutex_lock(&c->subs_lock);
    s->gone = true;
    if (s->busy && pthread_equal(s->caller, pthread_self())) {
        s->orphan = true;
        pthread_mutex_unlock(&c->subs_lock);
        return;
    }
    while (s->busy)
        pthread_cond_wait(&c->subs_idle, &c->subs_lock);
    for (struct core_subscription **at = &c->subs; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            free(s);
            break;
        }
    }
    pthread_mutex_unlock(&c->subs_lock);
}

uint64_t core_event_seq(struct core *c)
{
    return atomic_load(&c->event_seq);
}
