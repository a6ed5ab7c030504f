/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Silences: times in which alerts about some objects are told to nobody. Which
 * objects these are is asked when something is found and once a minute, with
 * the ids at hand: a filter that finds every VM costs what alerts there are.
 */
#include "server/core/alert_inner.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/filter.h>

#include "server/core/records.h"

#define SILENCES_MAX 200
#define ASKED_AT_ONCE 100 /* ids in a filter text */
#define WRITTEN_AT_ONCE 500
#define LOOK_EVERY_MS 60000
#define SPAN_MAX_MS (366ll * 24 * 3600 * 1000)

struct silence {
    struct pv_id id, rule;
    const struct model_kind *of;
    const char *filter;
    int64_t until_ms;
};

/* ------------------------------------------------------------------ what may be said */

static int refuse(struct pv_err *err, const char *pointer, const char *what)
{
    int rc = pv_fail(err, PV_EINVAL, "%s", what);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int check_silence(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    const struct model_kind *of = model_kind_by_name(model_text(d->row, F(alert_silence, of)));
    const char *text = model_text(d->row, F(alert_silence, filter));
    int64_t from = model_number(d->row, F(alert_silence, starts_at)),
            to = model_number(d->row, F(alert_silence, ends_at));
    const struct filter *f;
    int rc;

    if (c->removed)
        return PV_OK;
    if (c->created) {
        struct model_value now = value_number(clock_wall_ms());
        struct model_value who = value_text(c->by->name ? c->by->name : "");

        diff_set(d, F(alert_silence, created_by), &who);
        if (!from) {
            diff_set(d, F(alert_silence, starts_at), &now);
            from = now.number;
        }
    }
    if (!rule_may_watch(of))
        return refuse(err, "/of",
                      "of: an inventory kind (vm, host, datastore ...), provider or task");
    if (!*text)
        return refuse(err, "/filter", "a silence without filter would be about everything");
    if (to <= from || to - from > SPAN_MAX_MS)
        return refuse(err, "/ends_at", "a silence ends after it begins, and within a year");
    rc = filter_parse(of, text, clock_wall_ms(), c->arena, &f, err);
    if (rc != PV_OK)
        pv_err_pointer(err, "/filter");
    return rc;
}

static const struct record_rules rules = { .kind = PV_KIND_alert_silence, .check = check_silence };

int core_alert_silence_create(struct core *c, const struct core_actor *by, const json_t *body,
                              const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    return record_create(c, &rules, by, NULL, body, o, id, err);
}

int core_alert_silence_change(struct core *c, const struct core_actor *by, const struct pv_id *id,
                              const json_t *body, const struct core_options *o, struct pv_err *err)
{
    return record_change(c, &rules, by, NULL, id, body, o, err);
}

/* ------------------------------------------------------------------ which there are */

struct active {
    struct silence *list;
    size_t n;
    struct arena *a;
};

static int take_silence(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct active *act = ctx;
    struct silence *s = &act->list[act->n];
    const struct model_value *rule = model_get(row, F(alert_silence, rule));

    *s = (struct silence){ .id = row->id,
                           .until_ms = model_number(row, F(alert_silence, ends_at)),
                           .of = model_kind_by_name(model_text(row, F(alert_silence, of))),
                           .filter =
                               arena_strdup(act->a, model_text(row, F(alert_silence, filter))) };
    if (rule->set)
        s->rule = rule->id;
    if (!s->filter)
        return pv_fail(err, PV_ENOMEM, "no memory for silences");
    if (s->of)
        act->n++;
    return PV_OK;
}

static int active_now(struct core *c, struct active *out, struct pv_err *err)
{
    struct store_query q = { .shape = c->kinds[PV_KIND_alert_silence].shape,
                             .limit = SILENCES_MAX };
    int rc = filter_parse(q.shape->kind, "starts_at<=now ends_at>now", clock_wall_ms(), out->a,
                          &q.filter, err);

    out->list = arena_alloc(out->a, SILENCES_MAX * sizeof(*out->list));
    if (!out->list)
        return pv_fail(err, PV_ENOMEM, "no memory for silences");
    return rc == PV_OK ? store_list(c->store, &q, take_silence, out, NULL, err) : rc;
}

/* ------------------------------------------------------------------ what falls into them */

/* The object of an alert that a silence can be about: itself, what it is part of, where it lies. */
static const struct pv_id *object_of(const struct hush *h, const struct model_kind *of)
{
    const struct model_kind *kind = model_kind(h->kind);

    if (of->number == h->kind)
        return &h->subject;
    if (of->number == PV_KIND_provider)
        return &h->provider;
    return kind && kind->owner == of->number ? &h->owner : NULL;
}

struct matched {
    const struct silence *silence;
    struct hush *list;
    size_t n;
};

static int take_match(void *ctx, const struct model_row *row, struct pv_err *err)
{
    const struct matched *m = ctx;

    (void)err;
    for (size_t i = 0; i < m->n; i++) {
        struct hush *h = &m->list[i];
        const struct pv_id *object = object_of(h, m->silence->of);

        if (!object || !id_eq(object, &row->id) || h->until_ms >= m->silence->until_ms ||
            (!id_is_zero(&m->silence->rule) && !id_eq(&m->silence->rule, &h->rule)))
            continue;
        h->by = m->silence->id;
        h->until_ms = m->silence->until_ms;
    }
    return PV_OK;
}

/* Asks of at most ASKED_AT_ONCE alerts whether their objects are meant. */
static int ask(struct core *c, const struct silence *s, struct hush *list, size_t n,
               struct arena *a, struct pv_err *err)
{
    struct store_query q = { .limit = 1000, .with_gone = true };
    struct matched m = { s, list, n };
    const struct filter *meant, *these;
    struct buf text;
    size_t asked = 0;
    int rc;

    buf_init(&text, 8192);
    buf_printf(&text, "id:{");
    for (size_t i = 0; i < n; i++) {
        const struct pv_id *object = object_of(&list[i], s->of);
        char id[PV_ID_TEXT];

        if (!object || id_is_zero(object))
            continue;
        model_id_text(s->of->number, object, id);
        buf_printf(&text, asked++ ? ",%s" : "%s", id);
    }
    buf_printf(&text, "}");
    rc = buf_ok(&text) ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for silences");
    if (rc == PV_OK && asked)
        rc = filter_parse(s->of, arena_text(a, text.data, text.len), clock_wall_ms(), a, &these,
                          err);
    buf_free(&text);
    if (rc != PV_OK || !asked)
        return rc;
    rc = filter_parse(s->of, s->filter, clock_wall_ms(), a, &meant, err);
    if (rc == PV_OK)
        rc = model_shape_make(s->of, "id", MODEL_VIEW_FULL, a, &q.shape, err);
    q.filter = rc == PV_OK ? filter_and(a, meant, these) : NULL;
    return rc == PV_OK ? store_list(c->store, &q, take_match, &m, NULL, err) : rc;
}

static int find(struct core *c, const struct active *act, struct hush *list, size_t n,
                struct pv_err *err)
{
    for (size_t i = 0; i < act->n; i++)
        for (size_t at = 0; at < n; at += ASKED_AT_ONCE) {
            size_t part = n - at < ASKED_AT_ONCE ? n - at : ASKED_AT_ONCE;
            int rc = ask(c, &act->list[i], list + at, part, act->a, err);

            /* What cannot be asked any more (a field that went) keeps no alert back. */
            if (rc != PV_OK && rc != PV_EINVAL)
                return rc;
        }
    return PV_OK;
}

int silences_find(struct core *c, struct hush *list, size_t n, struct arena *arena,
                  struct pv_err *err)
{
    struct active act = { .a = arena };
    int rc = active_now(c, &act, err);

    return rc == PV_OK ? find(c, &act, list, n, err) : rc;
}

/* ------------------------------------------------------------------ open alerts */

struct open_alert {
    struct pv_id id;
    struct pv_id by;  /* as stored */
    int64_t until_ms; /* as stored; 0: none */
};

struct open_alerts {
    struct open_alert *stored;
    struct hush *hush;
    size_t n, cap;
};

static void owner_of(const struct model_row *row, struct pv_id *out)
{
    PV_AUTO(json_decref_p) json_t *ref = json_loads(model_text(row, F(alert, ref)), 0, NULL);
    const char *id = json_string_value(json_object_get(json_object_get(ref, "owner"), "id"));
    const struct model_kind *kind;

    if (!id || !model_id_parse(id, strlen(id), &kind, out))
        *out = (struct pv_id){ { 0 } };
}

static int take_open(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct open_alerts *all = ctx;
    struct open_alert *o = &all->stored[all->n];
    struct hush *h = &all->hush[all->n];
    const char *subject = model_text(row, F(alert, subject_id));
    const struct model_kind *kind;

    (void)err;
    if (all->n == all->cap)
        return 1;
    *o = (struct open_alert){ .id = row->id,
                              .by = model_get(row, F(alert, silenced_by))->id,
                              .until_ms = model_number(row, F(alert, silenced_until)) };
    *h = (struct hush){ .rule = model_get(row, F(alert, rule))->id,
                        .provider = model_get(row, F(alert, provider))->id };
    if (!model_id_parse(subject, strlen(subject), &kind, &h->subject))
        return PV_OK;
    h->kind = kind->number;
    owner_of(row, &h->owner);
    all->n++;
    return PV_OK;
}

static int read_open(struct core *c, struct open_alerts *all, struct arena *a, struct pv_err *err)
{
    struct store_query q = { .shape = c->kinds[PV_KIND_alert].shape, .limit = 1000 };
    struct store_position at = { .len = 0 };
    uint64_t count = 0;
    int rc = filter_parse(q.shape->kind, "state:{firing,acknowledged}", clock_wall_ms(), a,
                          &q.filter, err);

    if (rc == PV_OK)
        rc = store_count(c->store, &q, &count, err);
    all->cap = (size_t)count;
    all->stored = arena_alloc(a, (all->cap + 1) * sizeof(*all->stored));
    all->hush = arena_alloc(a, (all->cap + 1) * sizeof(*all->hush));
    if (rc == PV_OK && (!all->stored || !all->hush))
        rc = pv_fail(err, PV_ENOMEM, "no memory for silences");
    do {
        struct store_position last = { .len = 0 };

        if (rc == PV_OK)
            rc = store_list(c->store, &q, take_open, all, &last, err);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0 && all->n < all->cap);
    return rc;
}

/* What a person said about an alert of his own stands, unless a silence lasts longer. */
static bool differs(const struct open_alert *o, const struct hush *h)
{
    if (id_is_zero(&h->by))
        return !id_is_zero(&o->by);
    if (id_is_zero(&o->by) && o->until_ms >= h->until_ms)
        return false;
    return !id_eq(&o->by, &h->by) || o->until_ms != h->until_ms;
}

struct rewrite {
    struct open_alerts *all;
    size_t *which, n;
    struct event_set events;
};

static int rewrite_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct rewrite *w = arg;
    int rc = events_begin(&w->events, tx, err);

    for (size_t i = 0; i < w->n && rc == PV_OK; i++) {
        const struct hush *h = &w->all->hush[w->which[i]];
        struct model_row *row = NULL;

        rc = tx_rows_get(tx, PV_KIND_alert, &w->all->stored[w->which[i]].id, 1, false, tx_arena(tx),
                         &row, err);
        if (rc != PV_OK || !row || model_number(row, F(alert, state)) == PV_ALERT_STATE_RESOLVED)
            continue;
        if (id_is_zero(&h->by)) {
            model_set_null(row, F(alert, silenced_by));
            model_set_null(row, F(alert, silenced_until));
        } else {
            model_set_ref(row, F(alert, silenced_by), &h->by);
            model_set_number(row, F(alert, silenced_until), h->until_ms);
        }
        rc = alert_write(tx, row, err);
        if (rc == PV_OK)
            rc = alert_tell(&w->events, tx, row, "alert.silenced", NULL, err);
    }
    return rc;
}

static int rewrite(struct core *c, struct open_alerts *all, struct arena *a, struct pv_err *err)
{
    struct rewrite w = { .all = all, .which = arena_alloc(a, (all->n + 1) * sizeof(size_t)) };
    int rc = w.which ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for silences");

    for (size_t i = 0; i < all->n && rc == PV_OK; i++) {
        if (differs(&all->stored[i], &all->hush[i]))
            w.which[w.n++] = i;
        if (w.n == 0 || (w.n < WRITTEN_AT_ONCE && i + 1 < all->n))
            continue;
        events_init(&w.events, c);
        rc = store_write(c->store, rewrite_tx, &w, err);
        events_free(&w.events);
        w.n = 0;
    }
    return rc;
}

/* ------------------------------------------------------------------ looking */

/* Of those that last now: it changes when one begins, ends or is changed. */
static uint64_t print_of(const struct active *act)
{
    uint64_t sum = act->n;

    for (size_t i = 0; i < act->n; i++)
        sum = sum * 31 + core_hash_id(&act->list[i].id) + (uint64_t)act->list[i].until_ms;
    return sum;
}

void silences_look(struct core *c)
{
    PV_AUTO(arena_free_p) struct arena *arena = arena_new(64u << 10, 64u << 20);
    struct silence_look *last = &c->silences;
    uint64_t changes = store_kind_changes(c->store, PV_KIND_alert_silence), print;
    struct open_alerts all = { .n = 0 };
    struct active act = { .a = arena };
    struct pv_err err = { 0 };
    int rc;

    if (!arena)
        return;
    rc = active_now(c, &act, &err);
    print = print_of(&act);
    if (rc == PV_OK && changes == last->changes && print == last->print &&
        (act.n == 0 || clock_mono_ms() - last->looked_ms < LOOK_EVERY_MS))
        return;
    if (rc == PV_OK)
        rc = read_open(c, &all, arena, &err);
    if (rc == PV_OK)
        rc = find(c, &act, all.hush, all.n, &err);
    if (rc == PV_OK)
        rc = rewrite(c, &all, arena, &err);
    if (rc == PV_OK)
        *last = (struct silence_look){ changes, print, clock_mono_ms() };
    else
        log_msg(PV_LOG_WARN, "alerts", "silences: %s", err.message);
}
