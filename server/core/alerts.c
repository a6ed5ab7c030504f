/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alerts: looking whether rules find something, and what became of it.
 *
 * Every few seconds the rules whose objects changed are looked at, all of them once a minute (times go by, numbers
 * change without an event). What is open is kept in memory by rule and subject, so that a pass that finds the same as
 * the one before writes nothing.
 */
#include "server/core/alert_inner.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#include "server/core/deliver.h"

#define LOOK_EVERY_MS 3000
#define ALL_EVERY_MS 60000
#define RULES_MAX 500
#define OPEN_MAX 20000
#define DAY_MS (24ll * 3600 * 1000)

enum standing { PENDING, OPEN, HELD };  /* HELD: said to be over by hand, though it is still found */

struct alert {
    struct pv_id rule, subject;
    struct pv_id id;                /* OPEN, HELD */
    enum standing standing;
    int64_t since_ms;               /* PENDING: monotonic, first found */
    uint64_t pass;                  /* in which it was found last */
};

struct seen_rule {
    struct pv_id id;
    uint64_t changes, version;
    int64_t looked_ms;
};

struct alert_store {
    pthread_mutex_t lock;           /* leaf */
    struct table open;              /* struct alert, owned; guarded by lock */
    struct seen_rule rules[RULES_MAX];  /* of the looking job alone */
    size_t nrules;
    uint64_t pass;                  /* of the looking job alone */
    int64_t cleaned_ms;
};

static uint64_t key_hash(const struct pv_id *rule, const struct pv_id *subject)
{
    return core_hash_id(rule) * 31 + core_hash_id(subject);
}

static bool alert_equal(const void *item, const void *key)
{
    const struct alert *a = item, *b = key;

    return id_eq(&a->rule, &b->rule) && id_eq(&a->subject, &b->subject);
}

/* lock held. */
static struct alert *find_alert(struct alert_store *st, const struct pv_id *rule, const struct pv_id *subject)
{
    struct alert key = { .rule = *rule, .subject = *subject };

    return table_find(&st->open, key_hash(rule, subject), alert_equal, &key);
}

/* lock held. */
static struct alert *add_alert(struct alert_store *st, const struct pv_id *rule, const struct pv_id *subject)
{
    struct alert *a = st->open.used < OPEN_MAX ? calloc(1, sizeof(*a)) : NULL;

    if (!a)
        return NULL;
    a->rule = *rule;
    a->subject = *subject;
    if (!table_add(&st->open, key_hash(rule, subject), a)) {
        free(a);
        return NULL;
    }
    return a;
}

/* lock held. */
static void drop_alert(struct alert_store *st, struct alert *a)
{
    table_remove(&st->open, key_hash(&a->rule, &a->subject), a);
    free(a);
}

/* ------------------------------------------------------------------ what is written */

struct firing {
    const struct core_finding *found;
    struct pv_id id;
    const struct hush *hush;
};

struct pass {
    struct core *core;
    const struct model_row *rule_row;
    const struct model_kind *of;
    struct firing *fire;
    size_t nfire;
    struct pv_id *over;             /* alerts that are not found any more */
    size_t nover;
    struct event_set events;
};

/* What a device or snapshot is part of, so that people know which one is meant. */
static void write_owner(struct jsonw *w, struct store_tx *tx, const struct model_kind *kind,
                        const struct core_finding *f, struct arena *a)
{
    const struct model_kind *of = model_kind(kind->owner);
    struct model_row *row = NULL;
    const struct model_field *name;

    if (!of || id_is_zero(&f->owner) ||
        tx_rows_get(tx, kind->owner, &f->owner, 1, false, a, &row, NULL) != PV_OK || !row)
        return;
    name = model_field(of, "name", 4);
    core_write_ref(w, "owner", kind->owner, &f->owner, name ? model_text(row, name->index) : NULL);
}

static const char *ref_json(struct store_tx *tx, const struct model_kind *kind,
                            const struct core_finding *f, struct arena *a)
{
    char id[PV_ID_TEXT];
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 1024);
    jsonw_init(&w, &text);
    model_id_text(kind->number, &f->id, id);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "kind", kind->name);
    jsonw_str(&w, "id", id);
    jsonw_str(&w, "name", f->name);
    write_owner(&w, tx, kind, f, a);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

int alert_tell(struct event_set *events, struct store_tx *tx, const struct model_row *row, const char *type,
               const struct core_actor *by, struct pv_err *err)
{
    const struct model_value *provider = model_get(row, F(alert, provider));
    struct event_draft e = { .type = type, .kind = PV_KIND_alert, .subject = row->id,
                             .severity = (enum pv_severity)model_number(row, F(alert, severity)),
                             .name = model_text(row, F(alert, message)), .message = model_text(row, F(alert, message)),
                             .object_version = (uint64_t)model_number(row, F(alert, version)) };

    if (provider->set)
        e.provider = provider->id;
    if (by)
        event_by(&e, by);
    return events_add(events, tx, &e, err);
}

/* That it is over. Its rule may be gone by now. */
static int tell_receivers(struct core *c, struct store_tx *tx, const struct model_row *row, const char *type,
                          struct arena *a, struct pv_err *err)
{
    struct model_row *rule = NULL;
    int rc = tx_rows_get(tx, PV_KIND_alert_rule, &model_get(row, F(alert, rule))->id, 1, false, a, &rule, err);

    return rc == PV_OK ? deliver_alert(c, tx, row, rule, type, err) : rc;
}

static int fire(struct pass *p, struct store_tx *tx, const struct firing *f, struct arena *a, struct pv_err *err)
{
    struct model_row *row = model_row_new(a, PV_KIND_alert);
    char *subject = arena_alloc(a, PV_ID_TEXT);
    int64_t now = clock_wall_ms();
    int rc;

    if (!row || !subject)
        return pv_fail(err, PV_ENOMEM, "no memory for an alert");
    row->id = f->id;
    model_id_text(p->of->number, &f->found->id, subject);
    model_set_ref(row, F(alert, rule), &p->rule_row->id);
    model_set_number(row, F(alert, state), PV_ALERT_STATE_FIRING);
    model_set_number(row, F(alert, severity), model_number(p->rule_row, F(alert_rule, severity)));
    model_set_text(row, F(alert, message),
                   arena_printf(a, "%s: %s", model_text(p->rule_row, F(alert_rule, name)), f->found->name));
    if (rule_builtin_word(p->rule_row))
        model_set_text(row, F(alert, builtin), rule_builtin_word(p->rule_row));
    model_set_text(row, F(alert, ref), ref_json(tx, p->of, f->found, a));
    model_set_text(row, F(alert, subject_id), subject);
    model_set_ref(row, F(alert, provider), p->of->number == PV_KIND_provider ? &f->found->id : &f->found->provider);
    if (f->found->has_value) {
        model_set_number(row, F(alert, value), (int64_t)f->found->value);
        rule_measure(p->rule_row, row);
    }
    if (!id_is_zero(&f->hush->by)) {
        model_set_ref(row, F(alert, silenced_by), &f->hush->by);
        model_set_number(row, F(alert, silenced_until), f->hush->until_ms);
    }
    model_set_number(row, F(alert, fired_at), now);
    model_set_number(row, F(alert, created_at), now);
    model_set_number(row, F(alert, updated_at), now);
    model_set_number(row, F(alert, version), 1);
    rc = tx_row_insert(tx, row, err);
    if (rc == PV_OK)
        rc = alert_tell(&p->events, tx, row, "alert.firing", NULL, err);
    return rc == PV_OK ? deliver_alert(p->core, tx, row, p->rule_row, "alert.firing", err) : rc;
}

static const uint16_t changed_fields[] = {
    F(alert, state),   F(alert, acknowledged_at), F(alert, resolved_at), F(alert, resolved_by), F(alert, silenced_until),
    F(alert, assignee), F(alert, note),           F(alert, updated_at),  F(alert, version),     F(alert, silenced_by),
};

int alert_write(struct store_tx *tx, struct model_row *row, struct pv_err *err)
{
    model_set_number(row, F(alert, updated_at), clock_wall_ms());
    model_set_number(row, F(alert, version), model_number(row, F(alert, version)) + 1);
    return tx_row_update(tx, row, changed_fields, PV_COUNT(changed_fields), err);
}

static int resolve(struct pass *p, struct store_tx *tx, const struct pv_id *id, struct arena *a, struct pv_err *err)
{
    struct model_row *row;
    int rc = tx_rows_get(tx, PV_KIND_alert, id, 1, false, a, &row, err);

    if (rc != PV_OK || !row || model_number(row, F(alert, state)) == PV_ALERT_STATE_RESOLVED)
        return rc;
    model_set_number(row, F(alert, state), PV_ALERT_STATE_RESOLVED);
    model_set_number(row, F(alert, resolved_at), clock_wall_ms());
    rc = alert_write(tx, row, err);
    if (rc == PV_OK)
        rc = alert_tell(&p->events, tx, row, "alert.resolved", NULL, err);
    return rc == PV_OK ? tell_receivers(p->core, tx, row, "alert.resolved", a, err) : rc;
}

static int pass_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct pass *p = arg;
    struct arena *a = tx_arena(tx);
    int rc = events_begin(&p->events, tx, err);

    for (size_t i = 0; i < p->nfire && rc == PV_OK; i++)
        rc = fire(p, tx, &p->fire[i], a, err);
    for (size_t i = 0; i < p->nover && rc == PV_OK; i++)
        rc = resolve(p, tx, &p->over[i], a, err);
    return rc;
}

/* ------------------------------------------------------------------ one rule */

/* What is new, for long enough. lock held. */
static void sort_findings(struct alert_store *st, struct pass *p, const struct core_finding *found, size_t n)
{
    int64_t now = clock_mono_ms(), wait_ms = model_number(p->rule_row, F(alert_rule, for_s)) * 1000;

    for (size_t i = 0; i < n; i++) {
        struct alert *a = find_alert(st, &p->rule_row->id, &found[i].id);

        if (!a) {
            a = add_alert(st, &p->rule_row->id, &found[i].id);
            if (!a)
                continue;
            a->since_ms = now;
        }
        a->pass = st->pass;
        if (a->standing != PENDING || now - a->since_ms < wait_ms)
            continue;
        id_make(&a->id);
        a->standing = OPEN;
        p->fire[p->nfire++] = (struct firing){ .found = &found[i], .id = a->id };
    }
}

/* What was not found this time. lock held. */
static int collect_over(struct alert_store *st, struct pass *p, struct arena *arena, struct pv_err *err)
{
    struct alert **gone = arena_alloc(arena, (st->open.used + 1) * sizeof(struct alert *));
    size_t n = 0;

    p->over = arena_alloc(arena, (st->open.used + 1) * sizeof(*p->over));
    if (!gone || !p->over)
        return pv_fail(err, PV_ENOMEM, "no memory for alerts");
    for (size_t i = 0; i < st->open.cap; i++) {
        struct alert *a = st->open.slots[i].item;

        if (a && a->pass != st->pass && id_eq(&a->rule, &p->rule_row->id))
            gone[n++] = a;
    }
    for (size_t i = 0; i < n; i++) {
        if (gone[i]->standing == OPEN)
            p->over[p->nover++] = gone[i]->id;
        drop_alert(st, gone[i]);
    }
    return PV_OK;
}

/* Could not be stored: the next pass tries again. */
static void take_back(struct alert_store *st, struct pass *p)
{
    pthread_mutex_lock(&st->lock);
    for (size_t i = 0; i < p->nfire; i++) {
        struct alert *a = find_alert(st, &p->rule_row->id, &p->fire[i].found->id);

        if (a)
            a->standing = PENDING;
    }
    pthread_mutex_unlock(&st->lock);
}

/* Who is told of something new asks whether it is silent: that must be known when it is stored. */
static int hush(struct core *c, struct pass *p, struct arena *arena, struct pv_err *err)
{
    struct hush *list = arena_alloc(arena, (p->nfire + 1) * sizeof(*list));

    if (!list)
        return pv_fail(err, PV_ENOMEM, "no memory for alerts");
    for (size_t i = 0; i < p->nfire; i++) {
        const struct core_finding *f = p->fire[i].found;

        list[i] = (struct hush){ .rule = p->rule_row->id, .subject = f->id, .owner = f->owner, .provider = f->provider,
                                 .kind = p->of->number };
        p->fire[i].hush = &list[i];
    }
    return p->nfire ? silences_find(c, list, p->nfire, arena, err) : PV_OK;
}

static int look_at_rule(struct core *c, const struct model_row *row, struct arena *arena, struct pv_err *err)
{
    struct alert_store *st = c->alerts;
    struct pass p = { .core = c, .rule_row = row };
    struct core_finding *found = NULL;
    struct core_rule rule;
    size_t n = 0;
    int rc = PV_OK;

    rule_of_row(row, &rule);
    p.of = rule.of;
    if (model_number(row, F(alert_rule, enabled)))
        rc = core_rule_find(c, &rule, arena, &found, &n, err);
    if (rc == PV_OK) {
        p.fire = arena_alloc(arena, (n + 1) * sizeof(*p.fire));
        rc = p.fire ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for alerts");
    }
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&st->lock);
    st->pass++;
    sort_findings(st, &p, found, n);
    rc = collect_over(st, &p, arena, err);
    pthread_mutex_unlock(&st->lock);
    if (rc != PV_OK || p.nfire + p.nover == 0)
        return rc;
    rc = hush(c, &p, arena, err);
    events_init(&p.events, c);
    if (rc == PV_OK)
        rc = store_write(c->store, pass_tx, &p, err);
    events_free(&p.events);
    if (rc != PV_OK)
        take_back(st, &p);
    return rc;
}

/* ------------------------------------------------------------------ all rules */

static struct seen_rule *seen_of(struct alert_store *st, const struct pv_id *id)
{
    for (size_t i = 0; i < st->nrules; i++)
        if (id_eq(&st->rules[i].id, id))
            return &st->rules[i];
    if (st->nrules == RULES_MAX)
        return NULL;
    st->rules[st->nrules] = (struct seen_rule){ .id = *id };
    return &st->rules[st->nrules++];
}

static bool is_due(struct core *c, const struct model_row *row)
{
    const struct model_kind *of = model_kind_by_name(model_text(row, F(alert_rule, of)));
    struct seen_rule *seen = seen_of(c->alerts, &row->id);
    uint64_t changes = of ? store_kind_changes(c->store, of->number) : 0;
    uint64_t version = (uint64_t)model_number(row, F(alert_rule, version));
    int64_t now = clock_mono_ms();

    if (!seen)
        return false;
    if (seen->looked_ms && seen->changes == changes && seen->version == version && now - seen->looked_ms < ALL_EVERY_MS)
        return false;
    *seen = (struct seen_rule){ row->id, changes, version, now };
    return true;
}

/* Rules that are not there any more: what they found is over. */
static void end_orphans(struct core *c, const struct pv_id *ids, size_t n, struct arena *arena)
{
    struct alert_store *st = c->alerts;

    for (size_t i = 0; i < st->nrules;) {
        struct model_row *row = NULL;
        struct pv_err err = { 0 };
        bool there = false;

        for (size_t k = 0; k < n && !there; k++)
            there = id_eq(&ids[k], &st->rules[i].id);
        if (there) {
            i++;
            continue;
        }
        row = model_row_new(arena, PV_KIND_alert_rule);
        if (!row)
            return;
        row->id = st->rules[i].id; /* not enabled: it finds nothing */
        if (look_at_rule(c, row, arena, &err) != PV_OK)
            return;
        st->rules[i] = st->rules[--st->nrules];
    }
}

static struct arena *pass_arena(void)
{
    return arena_new(64u << 10, 64u << 20);
}

static void look_at_all(struct core *c)
{
    PV_AUTO(arena_free_p) struct arena *arena = pass_arena();
    struct model_value yes = value_number(1), no = value_number(0);
    struct pv_err err = { 0 };
    struct pv_id *ids[2];
    struct pv_id all[2 * RULES_MAX];
    size_t n[2] = { 0, 0 }, total = 0;

    if (!arena || store_find(c->store, PV_KIND_alert_rule, F(alert_rule, enabled), &yes, RULES_MAX, arena, &ids[0], &n[0],
                             &err) != PV_OK ||
        store_find(c->store, PV_KIND_alert_rule, F(alert_rule, enabled), &no, RULES_MAX, arena, &ids[1], &n[1], &err) !=
            PV_OK)
        return;
    for (size_t set = 0; set < 2; set++)
        for (size_t i = 0; i < n[set]; i++)
            all[total++] = ids[set][i];
    for (size_t i = 0; i < total && !atomic_load(&c->stopping); i++) {
        PV_AUTO(arena_free_p) struct arena *own = pass_arena();
        struct model_row *row;

        if (!own || store_row_get(c->store, c->kinds[PV_KIND_alert_rule].shape, &all[i], own, &row, &err) != PV_OK)
            continue;
        if (is_due(c, row) && look_at_rule(c, row, own, &err) != PV_OK)
            log_msg(PV_LOG_WARN, "alerts", "rule=\"%s\" %s", model_text(row, F(alert_rule, name)), err.message);
    }
    end_orphans(c, all, total, arena);
}

/* Resolved ones go after a while. */
struct clean {
    struct pv_id *ids;
    size_t n;
};

static int clean_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct clean *cl = arg;
    int rc = PV_OK;

    for (size_t i = 0; i < cl->n && rc == PV_OK; i++)
        rc = tx_row_delete(tx, PV_KIND_alert, &cl->ids[i], err);
    return rc;
}

static int collect_id(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct clean *cl = ctx;

    (void)err;
    cl->ids[cl->n++] = row->id;
    return PV_OK;
}

static void clean_old(struct core *c)
{
    PV_AUTO(arena_free_p) struct arena *arena = pass_arena();
    struct store_query q = { .shape = c->kinds[PV_KIND_alert].shape, .limit = 1000 };
    char text[CLOCK_TEXT_LEN];
    struct clean cl = { .n = 0 };
    struct pv_err err = { 0 };
    const char *filter;

    clock_text(clock_wall_ms() - core_setting(c, CORE_SETTING_retention_alerts_days) * DAY_MS, text);
    filter = arena ? arena_printf(arena, "state:resolved resolved_at<%s", text) : NULL;
    cl.ids = arena ? arena_alloc(arena, 1000 * sizeof(*cl.ids)) : NULL;
    if (!filter || !cl.ids || filter_parse(q.shape->kind, filter, 0, arena, &q.filter, &err) != PV_OK ||
        store_list(c->store, &q, collect_id, &cl, NULL, &err) != PV_OK || cl.n == 0)
        return;
    if (store_write(c->store, clean_tx, &cl, &err) != PV_OK)
        log_msg(PV_LOG_WARN, "alerts", "%s", err.message);
}

static void look(void *arg)
{
    struct core *c = arg;

    if (atomic_load(&c->stopping))
        return;
    cluster_rules_look(c);
    look_at_all(c);
    silences_look(c);
    if (clock_mono_ms() - c->alerts->cleaned_ms > 3600 * 1000) {
        c->alerts->cleaned_ms = clock_mono_ms();
        clean_old(c);
    }
    core_later(c, LOOK_EVERY_MS, look, c);
}

/* ------------------------------------------------------------------ start and end */

static int load_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct core *c = ctx;
    const char *text = model_text(row, F(alert, subject_id));
    const struct model_kind *kind;
    struct pv_id subject;
    struct alert *a;

    (void)err;
    if (!model_id_parse(text, strlen(text), &kind, &subject) ||
        find_alert(c->alerts, &model_get(row, F(alert, rule))->id, &subject))
        return PV_OK;
    a = add_alert(c->alerts, &model_get(row, F(alert, rule))->id, &subject);
    if (a) {
        a->id = row->id;
        a->standing = model_number(row, F(alert, state)) == PV_ALERT_STATE_RESOLVED ? HELD : OPEN;
        seen_of(c->alerts, &a->rule);
    }
    return PV_OK;
}

static int load(struct core *c, const char *text, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *arena = pass_arena();
    struct store_position at = { .len = 0 };
    struct store_query q = { .shape = c->kinds[PV_KIND_alert].shape, .limit = 1000 };
    int rc = arena ? filter_parse(q.shape->kind, text, clock_wall_ms(), arena, &q.filter, err)
                   : pv_fail(err, PV_ENOMEM, "no memory for alerts");

    do {
        struct store_position last = { .len = 0 };

        if (rc == PV_OK)
            rc = store_list(c->store, &q, load_row, c, &last, err);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

int alerts_start(struct core *c, struct pv_err *err)
{
    int rc;

    c->alerts = calloc(1, sizeof(*c->alerts));
    if (!c->alerts)
        return pv_fail(err, PV_ENOMEM, "no memory for alerts");
    pthread_mutex_init(&c->alerts->lock, NULL);
    c->alerts->cleaned_ms = clock_mono_ms();
    rc = load(c, "state:{firing,acknowledged}", err);
    if (rc == PV_OK)
        rc = load(c, "state:resolved -resolved_by:null resolved_at>now-7d", err);
    if (rc == PV_OK)
        rc = rules_seed(c, err);
    if (rc == PV_OK)
        core_later(c, LOOK_EVERY_MS, look, c);
    return rc;
}

void alerts_stop(struct core *c)
{
    if (!c->alerts)
        return;
    for (size_t i = 0; i < c->alerts->open.cap; i++)
        free(c->alerts->open.slots[i].item);
    table_free(&c->alerts->open);
    pthread_mutex_destroy(&c->alerts->lock);
    free(c->alerts);
    c->alerts = NULL;
}

/* ------------------------------------------------------------------ what people do */

struct act {
    struct core *core;
    const struct core_actor *by;
    const struct core_options *options;
    struct pv_id id, rule, subject;
    enum core_alert_action what;
    int64_t until_ms;
    const char *owner, *note;
    struct event_set events;
};

static const char *apply(struct act *act, struct model_row *row)
{
    int64_t now = clock_wall_ms();

    if (act->owner)
        model_set_text(row, F(alert, assignee), act->owner);
    if (act->note)
        model_set_text(row, F(alert, note), act->note);
    switch (act->what) {
    case ALERT_ACKNOWLEDGE:
        model_set_number(row, F(alert, state), PV_ALERT_STATE_ACKNOWLEDGED);
        model_set_number(row, F(alert, acknowledged_at), now);
        if (!act->owner && act->by->name && !model_text(row, F(alert, assignee))[0])
            model_set_text(row, F(alert, assignee), act->by->name);
        return "alert.acknowledged";
    case ALERT_SILENCE:
        model_set_null(row, F(alert, silenced_by));
        if (act->until_ms > 0)
            model_set_number(row, F(alert, silenced_until), act->until_ms);
        else
            model_set_null(row, F(alert, silenced_until));
        return "alert.silenced";
    case ALERT_RESOLVE:
        break;
    }
    model_set_number(row, F(alert, state), PV_ALERT_STATE_RESOLVED);
    model_set_number(row, F(alert, resolved_at), now);
    model_set_text(row, F(alert, resolved_by), act->by->name && act->by->name[0] ? act->by->name : "somebody");
    return "alert.resolved";
}

static int act_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct act *act = arg;
    const struct model_kind *kind;
    struct model_row *row;
    const char *text, *type;
    int rc = events_begin(&act->events, tx, err);

    if (rc == PV_OK)
        rc = tx_rows_get(tx, PV_KIND_alert, &act->id, 1, false, tx_arena(tx), &row, err);
    if (rc != PV_OK)
        return rc;
    if (!row)
        return pv_fail(err, PV_ENOENT, "there is no such alert");
    rc = core_check_version(act->options, (uint64_t)model_number(row, F(alert, version)), err);
    if (rc != PV_OK)
        return rc;
    if (model_number(row, F(alert, state)) == PV_ALERT_STATE_RESOLVED)
        return pv_fail_as(err, "conflict", "the alert is resolved already");
    text = model_text(row, F(alert, subject_id));
    act->rule = model_get(row, F(alert, rule))->id;
    if (!model_id_parse(text, strlen(text), &kind, &act->subject))
        act->subject = (struct pv_id){ { 0 } };
    type = apply(act, row);
    rc = alert_write(tx, row, err);
    if (rc == PV_OK)
        rc = alert_tell(&act->events, tx, row, type, act->by, err);
    return rc == PV_OK && act->what == ALERT_RESOLVE
               ? tell_receivers(act->core, tx, row, type, tx_arena(tx), err)
               : rc;
}

int core_alert_act(struct core *c, const struct core_actor *by, const struct pv_id *id, enum core_alert_action what,
                   int64_t until_ms, const char *owner, const char *note, const struct core_options *o,
                   struct pv_err *err)
{
    struct act act = { .core = c, .by = by, .options = o, .id = *id, .what = what, .until_ms = until_ms, .owner = owner,
                       .note = note };
    int rc;

    events_init(&act.events, c);
    rc = store_write(c->store, act_tx, &act, err);
    events_free(&act.events);
    if (rc == PV_OK && what == ALERT_RESOLVE) {
        struct alert *a;

        /* It may still be found; that is no news until it was not found once. */
        pthread_mutex_lock(&c->alerts->lock);
        a = find_alert(c->alerts, &act.rule, &act.subject);
        if (a && id_eq(&a->id, id))
            a->standing = HELD;
        pthread_mutex_unlock(&c->alerts->lock);
    }
    return rc;
}
