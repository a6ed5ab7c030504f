/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same thing under another native id. An index over all providers knows
 * who has which identity-grade key; hints (names, addresses) are not in it.
 *
 * A newcomer whose twin is absent takes over the twin's record: rebound in the
 * same provider, moved between two of a family. While the twin is present both
 * are records of their own; when the twin's provider then confirms that it is
 * gone, the newcomer's record is merged into the older one, which keeps its id
 * and all that people have attached to it.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#define RELATED_MAX 4096u
#define RELATED_COUNT 8u

struct identity_key {
    enum pv_kind kind;
    const char *text;
};

static bool identity_equal(const void *item, const void *key)
{
    const struct inv_entry *e = item;
    const struct identity_key *k = key;

    return e->kind == k->kind && strcmp(e->identity, k->text) == 0;
}

static uint64_t identity_hash(const struct core *c, enum pv_kind kind, const char *text)
{
    return core_hash(c, text, strlen(text)) + (uint64_t)kind;
}

void identity_add(struct core *c, struct inv_entry *e)
{
    e->identity_hash = identity_hash(c, e->kind, e->identity);
    pthread_mutex_lock(&c->identity_lock);
    if (!table_add(&c->identities, e->identity_hash, e))
        log_msg(PV_LOG_ERROR, "core.memory", "no memory for the index of identities");
    pthread_mutex_unlock(&c->identity_lock);
}

void identity_remove(struct core *c, struct inv_entry *e)
{
    pthread_mutex_lock(&c->identity_lock);
    table_remove(&c->identities, e->identity_hash, e);
    pthread_mutex_unlock(&c->identity_lock);
}

/* Families are read without the provider's lock: they are set before its first batch. */
static bool same_family(const struct provider *a, const struct provider *b)
{
    return atomic_load(&a->family_seen) == atomic_load(&b->family_seen);
}

static void take_match(const struct provider *p, const struct inv_entry *e,
                       struct identity_match *out)
{
    out->found = true;
    out->same_provider = e->provider == p;
    out->presence = e->presence;
    out->id = e->id;
    out->provider = e->provider->id;
    str_copy(out->native_id, sizeof(out->native_id), e->native_id);
}

void identity_look(struct provider *p, enum pv_kind kind, const char *identity,
                   struct identity_match *out)
{
    struct core *c = p->core;
    uint64_t hash = identity_hash(c, kind, identity);
    struct identity_key key = { kind, identity };
    const struct table *t = &c->identities;

    out->found = false;
    pthread_mutex_lock(&c->identity_lock);
    for (size_t at = hash & (t->cap - 1); t->used && t->slots[at].item; at = (at + 1) & (t->cap - 1)) {
        const struct inv_entry *e = t->slots[at].item;
        bool better;

        if (t->slots[at].hash != hash || !identity_equal(e, &key) || !same_family(e->provider, p))
            continue;
        better = !out->found || (e->presence != PV_PRESENCE_PRESENT &&
                                 out->presence == PV_PRESENCE_PRESENT) ||
                 (e->presence != PV_PRESENCE_PRESENT && e->provider == p && !out->same_provider);
        if (better)
            take_match(p, e, out);
    }
    pthread_mutex_unlock(&c->identity_lock);
}

/* `text` with one more {reason, ref}; NULL when it names the other already, or too many. */
static const char *related_with(struct arena *a, const char *text, enum pv_kind kind,
                                const struct pv_id *other)
{
    PV_AUTO(json_decref_p) json_t *list = text[0] ? json_loads(text, 0, NULL) : json_array();
    char id[PV_ID_TEXT];
    size_t i;
    json_t *item;

    model_id_text(kind, other, id);
    if (!json_is_array(list) || json_array_size(list) >= RELATED_COUNT)
        return NULL;
    json_array_foreach (list, i, item)
        if (str_eq(json_string_value(json_object_get(item, "id")), id))
            return NULL;
    json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "kind", model_kind(kind)->name, "id",
                                          id, "reason", "same_uuid"));
    return core_json_text(a, list);
}

static int relate_one(struct core *c, struct store_tx *tx, struct event_set *events,
                      enum pv_kind kind, const struct pv_id *one, const struct pv_id *other,
                      struct arena *a, struct pv_err *err)
{
    const struct kind_info *k = &c->kinds[kind];
    struct model_row *row;
    struct row_diff d;
    const char *related;
    uint64_t version;
    char type[64];
    int rc = tx_rows_get(tx, kind, one, 1, false, a, &row, err);

    if (rc != PV_OK || !row)
        return rc;
    related = related_with(a, model_text(row, (unsigned)k->related), kind, other);
    if (!related || strlen(related) > RELATED_MAX)
        return PV_OK;
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    struct model_value v = value_text(related);
    diff_set(&d, (unsigned)k->related, &v);
    rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
    if (rc == PV_OK) {
        const char *name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "";
        struct event_draft e = {
            .type = type, .severity = PV_SEVERITY_WARNING, .kind = kind, .subject = row->id,
            .name = name, .provider = model_get(row, (unsigned)k->provider)->id,
            .object_version = version, .changes = diff_changes(&d, a),
            .actor_type = PV_ACTOR_TYPE_SYSTEM,
            .message = arena_printf(a, "%s has the same identity as another %s; both are kept",
                                    name, k->kind->name),
        };

        snprintf(type, sizeof(type), "%s.duplicate", k->kind->name);
        rc = events_add(events, tx, &e, err);
    }
    diff_free(&d);
    return rc;
}

int identity_relate(struct core *c, struct store_tx *tx, struct event_set *events, enum pv_kind kind,
                    const struct pv_id *one, const struct pv_id *other, struct arena *a,
                    struct pv_err *err)
{
    int rc = relate_one(c, tx, events, kind, one, other, a, err);

    return rc == PV_OK ? relate_one(c, tx, events, kind, other, one, a, err) : rc;
}

struct relate {
    struct core *core;
    enum pv_kind kind;
    struct pv_id one, other;
    struct event_set events;
};

static int relate_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct relate *r = arg;
    int rc = events_begin(&r->events, tx, err);

    return rc == PV_OK ? identity_relate(r->core, tx, &r->events, r->kind, &r->one, &r->other,
                                         tx_arena(tx), err)
                       : rc;
}

/* The present entry with this one's key in the same provider, or NULL. apply_lock held. */
static struct inv_entry *twin_here(struct provider *p, const struct inv_entry *e)
{
    struct core *c = p->core;
    struct identity_key key = { e->kind, e->identity };
    const struct table *t = &c->identities;
    struct inv_entry *found = NULL;

    pthread_mutex_lock(&c->identity_lock);
    for (size_t at = e->identity_hash & (t->cap - 1); t->used && t->slots[at].item;
         at = (at + 1) & (t->cap - 1)) {
        struct inv_entry *other = t->slots[at].item;

        if (other != e && other->provider == p && t->slots[at].hash == e->identity_hash &&
            other->presence == PV_PRESENCE_PRESENT && identity_equal(other, &key))
            found = other;
    }
    pthread_mutex_unlock(&c->identity_lock);
    return found;
}

int identity_settle(struct provider *p, struct pv_err *err)
{
    struct inv_undecided *u;
    int rc = PV_OK;

    while (rc == PV_OK && (u = p->inv.undecided) != NULL) {
        struct inv_entry *e = inventory_find_id(p, &u->id);
        struct inv_entry *twin = e && e->presence == PV_PRESENCE_PRESENT ? twin_here(p, e) : NULL;
        struct relate r = { .core = p->core, .kind = e ? e->kind : PV_KIND_NONE };

        if (twin) {
            /* Both at the same time: from now on nothing merges them. */
            pthread_mutex_lock(&p->core->identity_lock);
            e->sighted_ms = 0;
            pthread_mutex_unlock(&p->core->identity_lock);
            r.one = e->id;
            r.other = twin->id;
            events_init(&r.events, p->core);
            rc = store_write(p->core->store, relate_tx, &r, err);
            events_free(&r.events);
        }
        p->inv.undecided = u->next;
        free(u);
    }
    return rc;
}

/* ---------------------------------------------------------------- merging */

struct merge {
    struct core *core;
    struct provider *provider;      /* the newcomer's */
    enum pv_kind kind;
    struct pv_id keep, from;        /* keep: the older record; from: the newcomer's */
    struct pv_id old_provider;
    char native_id[513];            /* the newcomer's */
    char provider_name[NAME_CAP];
    bool done;
    struct event_set events;
};

static int merge_children(struct merge *m, struct store_tx *tx, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; rc == PV_OK && i < KINDS; i++) {
        const struct kind_info *k = &m->core->kinds[i];
        struct model_value owner = value_ref(&m->from);
        uint16_t field = (uint16_t)k->owner;
        struct pv_id *ids;
        size_t n, deleted;

        if (k->child < 0 || !k->kind || k->kind->owner != m->kind)
            continue;
        rc = tx_children_prune(tx, k->kind->number, &m->keep, NULL, 0, &deleted, err);
        if (rc == PV_OK)
            rc = tx_find(tx, k->kind->number, (unsigned)k->owner, &owner, 10000, tx_arena(tx), &ids,
                         &n, err);
        for (size_t c = 0; rc == PV_OK && c < n; c++) {
            struct model_row *child = model_row_new(tx_arena(tx), k->kind->number);

            if (!child)
                return pv_fail(err, PV_ENOMEM, "no memory to merge records");
            child->id = ids[c];
            model_set_ref(child, field, &m->keep);
            rc = tx_row_update(tx, child, &field, 1, err);
        }
    }
    return rc;
}

static int merge_tell(struct merge *m, struct store_tx *tx, const struct kind_info *k,
                      const struct model_row *row, uint64_t version, const char *changes,
                      struct pv_err *err)
{
    bool moved = !id_eq(&m->old_provider, &m->provider->id);
    const char *name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "";
    struct arena *a = tx_arena(tx);
    char type[64];
    struct event_draft d = { .type = type, .kind = m->kind, .subject = m->keep, .name = name,
                             .provider = m->provider->id, .provider_name = m->provider_name,
                             .object_version = version, .changes = changes,
                             .actor_type = PV_ACTOR_TYPE_EXTERNAL };
    int rc;

    d.message = moved ? arena_printf(a, "%s has moved to %s", name, m->provider_name)
                      : arena_printf(a, "%s is now %s", name, m->native_id);
    snprintf(type, sizeof(type), "%s.%s", k->kind->name, moved ? "moved" : "rebound");
    rc = events_add(&m->events, tx, &d, err);
    if (rc != PV_OK)
        return rc;
    snprintf(type, sizeof(type), "%s.gone", k->kind->name);
    d.subject = m->from;
    d.object_version = 0;
    d.changes = NULL;
    d.actor_type = PV_ACTOR_TYPE_SYSTEM;
    d.message = arena_printf(a, "the second record of %s was merged into the first", name);
    return events_add(&m->events, tx, &d, err);
}

static int merge_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct merge *m = arg;
    const struct kind_info *k = &m->core->kinds[m->kind];
    struct arena *a = tx_arena(tx);
    struct pv_id ids[2] = { m->keep, m->from };
    struct model_row *rows[2];
    struct model_value v;
    const char *changes;
    struct row_diff d;
    uint64_t version;
    int rc = events_begin(&m->events, tx, err);

    m->done = false;
    if (rc == PV_OK)
        rc = tx_rows_get(tx, m->kind, ids, 2, false, a, rows, err);
    if (rc != PV_OK || !rows[0] || !rows[1])
        return rc;
    /* The older record came back, or belongs to somebody else by now. */
    if (model_number(rows[0], (unsigned)k->presence) == PV_PRESENCE_PRESENT ||
        !id_eq(&model_get(rows[0], (unsigned)k->provider)->id, &m->old_provider))
        return PV_OK;
    rc = diff_init(&d, rows[0], true, a, err);
    if (rc != PV_OK)
        return rc;
    for (unsigned s = 0; s < k->nslots; s++)
        diff_set(&d, k->slots[s]->index, model_get(rows[1], k->slots[s]->index));
    v = value_number(PV_PRESENCE_PRESENT);
    diff_set(&d, (unsigned)k->presence, &v);
    v = value_null();
    diff_set_quiet(&d, (unsigned)k->missing_since, &v);
    diff_set(&d, (unsigned)k->stale_reason, &v);
    diff_set(&d, (unsigned)k->related, &v);
    diff_set(&d, (unsigned)k->native_id, model_get(rows[1], (unsigned)k->native_id));
    diff_set(&d, (unsigned)k->provider, model_get(rows[1], (unsigned)k->provider));
    changes = diff_changes(&d, a);
    rc = merge_children(m, tx, err);
    /* First the newcomer's row: a native id is there once. */
    if (rc == PV_OK)
        rc = tx_row_delete(tx, m->kind, &m->from, err);
    if (rc == PV_OK)
        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
    if (rc == PV_OK)
        rc = merge_tell(m, tx, k, rows[0], version, changes, err);
    diff_free(&d);
    m->done = rc == PV_OK;
    return rc;
}

static void merge_free(struct merge *m)
{
    events_free(&m->events);
    provider_put(m->provider);
    free(m);
}

/* Others refer to the newcomer's id: they are all looked at again. */
static void forget_contents(struct provider *p)
{
    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < p->inv.kinds[k].cap; i++) {
            struct inv_entry *e = p->inv.kinds[k].slots[i].item;

            if (!e)
                continue;
            e->content = 0;
            for (size_t n = 0; e->kids && n < CHILD_KINDS; n++)
                e->kids[n].hash = 0;
        }
    }
}

static bool refers_to(const struct core *c, enum pv_kind kind)
{
    for (size_t i = 0; i < KINDS; i++)
        for (unsigned s = 0; c->kinds[i].kind && s < c->kinds[i].nslots; s++)
            if (c->kinds[i].slots[s]->ref == kind)
                return true;
    return false;
}

/* apply_lock of the newcomer's provider held. */
static void merge_now(struct merge *m)
{
    struct provider *p = m->provider;
    struct inv_entry *e = inventory_find_id(p, &m->from), *old;
    struct pv_err err = { 0 };

    if (!e || e->presence != PV_PRESENCE_PRESENT)
        return;
    if (store_write(m->core->store, merge_tx, m, &err) != PV_OK) {
        log_msg(PV_LOG_ERROR, "identity.merge", "%s", err.message);
        return;
    }
    if (!m->done)
        return;
    old = inventory_find_id(p, &m->keep);
    if (old)
        inventory_drop(p, old);
    inventory_set(p, e, &m->keep, PV_PRESENCE_PRESENT);
    usage_forget(m->core, &m->from);
    if (refers_to(m->core, m->kind)) {
        forget_contents(p);
        provider_want_full(p);
    }
    if (!id_eq(&m->old_provider, &p->id))
        identity_forget_later(m->core, &m->old_provider, &m->keep);
}

static void merge_job(void *arg)
{
    struct merge *m = arg;

    pthread_mutex_lock(&m->provider->apply_lock);
    merge_now(m);
    pthread_mutex_unlock(&m->provider->apply_lock);
    merge_free(m);
}

/* Present, of the family, and first seen after `since`. identity_lock held. */
static const struct inv_entry *successor(const struct provider *p, const struct inv_entry *e,
                                         int64_t since)
{
    const struct table *t = &p->core->identities;
    struct identity_key key = { e->kind, e->identity };

    for (size_t at = e->identity_hash & (t->cap - 1); t->used && t->slots[at].item;
         at = (at + 1) & (t->cap - 1)) {
        const struct inv_entry *other = t->slots[at].item;

        if (other != e && !id_eq(&other->id, &e->id) && t->slots[at].hash == e->identity_hash &&
            identity_equal(other, &key) && other->presence == PV_PRESENCE_PRESENT && other->sighted_ms > since &&
            same_family(other->provider, p))
            return other;
    }
    return NULL;
}

void identity_absent(struct provider *p, struct inv_entry *e)
{
    struct core *c = p->core;
    const struct inv_entry *other;
    struct merge *m;
    bool here;

    if (!e->identity[0])
        return;
    m = calloc(1, sizeof(*m));
    if (!m)
        return;
    events_init(&m->events, c);
    m->core = c;
    m->kind = e->kind;
    m->keep = e->id;
    m->old_provider = p->id;
    pthread_mutex_lock(&c->identity_lock);
    other = successor(p, e, atomic_load(&p->confirmed_mono_ms));
    if (other) {
        m->provider = other->provider;
        m->from = other->id;
        str_copy(m->native_id, sizeof(m->native_id), other->native_id);
        provider_ref(m->provider);
    }
    pthread_mutex_unlock(&c->identity_lock);
    if (!other) {
        events_free(&m->events);
        free(m);
        return;
    }
    provider_copy_name(m->provider, m->provider_name, sizeof(m->provider_name));
    here = m->provider == p;
    if (here) {
        merge_now(m);
        merge_free(m);
    } else if (!core_submit(c, merge_job, m)) {
        merge_free(m);
    }
}

struct forget {
    struct provider *provider;
    struct pv_id id;
};

static void forget_job(void *arg)
{
    struct forget *f = arg;
    struct inv_entry *e;

    pthread_mutex_lock(&f->provider->apply_lock);
    e = inventory_find_id(f->provider, &f->id);
    if (e && e->presence != PV_PRESENCE_PRESENT)
        inventory_drop(f->provider, e);
    pthread_mutex_unlock(&f->provider->apply_lock);
    provider_put(f->provider);
    free(f);
}

void identity_forget_later(struct core *c, const struct pv_id *provider, const struct pv_id *id)
{
    struct forget *f = calloc(1, sizeof(*f));

    if (!f)
        return;
    f->id = *id;
    f->provider = provider_get(c, provider);
    if (!f->provider || !core_submit(c, forget_job, f)) {
        if (f->provider)
            provider_put(f->provider);
        free(f);
    }
}
