/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects that several providers report: a failover cluster and its volumes
 * are seen from each node that was added.
 *
 * Such an object has one row. The provider whose row it is (the first that
 * reported it) keeps it up to date; the others have borrowed entries with its
 * id, so that their objects refer to it, and add what they know of their own
 * to its lists (the hosts that mount a volume). When the keeper loses it, is
 * deleted or cannot be reached, another takes it over; the id stays.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

#define TWINS_MAX 16u

static bool same_family(struct core *c, const struct pv_id *one, const struct provider *p)
{
    struct provider *other = provider_get(c, one);
    bool same = other && atomic_load(&other->family_seen) == atomic_load(&p->family_seen);

    if (other)
        provider_put(other);
    return same;
}

int shared_find(struct provider *p, struct store_tx *tx, const struct sdk_batch *b, uint32_t i,
                struct model_row **out, struct pv_err *err)
{
    const struct kind_info *k = &p->core->kinds[b->kind->number];
    struct model_value key = value_text(sdk_record_identity(b, i));
    struct model_row *rows[TWINS_MAX];
    struct arena *a = tx_arena(tx);
    struct pv_id *ids;
    size_t n;
    int rc = tx_find(tx, b->kind->number, (unsigned)k->identity, &key, TWINS_MAX, a, &ids, &n, err);

    if (rc == PV_OK && n > 0)
        rc = tx_rows_get(tx, b->kind->number, ids, n, false, a, rows, err);
    if (rc != PV_OK)
        return rc;
    *out = NULL;
    for (size_t r = 0; r < n; r++) {
        const struct pv_id *keeper = rows[r] ? &model_get(rows[r], (unsigned)k->provider)->id : NULL;

        if (!keeper || !str_eq(model_text(rows[r], (unsigned)k->native_id), sdk_record_native_id(b, i)))
            continue;
        if (id_eq(keeper, &p->id) || (!*out && same_family(p->core, keeper, p)))
            *out = rows[r];
    }
    return PV_OK;
}

bool shared_orphan(struct core *c, const struct kind_info *k, const struct model_row *row)
{
    struct provider *keeper = provider_get(c, &model_get(row, (unsigned)k->provider)->id);
    bool lost = !keeper || model_number(row, (unsigned)k->presence) != PV_PRESENCE_PRESENT;

    if (!keeper)
        return true;
    pthread_mutex_lock(&keeper->lock);
    lost = lost || keeper->deleted || keeper->state == PV_PROVIDER_STATE_DISCONNECTED ||
           provider_stopped(keeper);
    pthread_mutex_unlock(&keeper->lock);
    provider_put(keeper);
    return lost;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct model_ref *)a)->id.b, ((const struct model_ref *)b)->id.b, 16);
}

void shared_merge(struct provider *p, const struct model_value *stored, struct model_value *v,
                  struct arena *a)
{
    struct model_ref *refs = arena_alloc(a, (stored->len + v->len + 1) * sizeof(*refs));
    size_t n = v->len;

    if (!refs || !stored->set)
        return;
    if (n > 0)
        memcpy(refs, v->refs, n * sizeof(*refs));
    for (size_t i = 0; i < stored->len; i++)
        if (!inventory_find_id(p, &stored->refs[i].id))
            refs[n++] = (struct model_ref){ .id = stored->refs[i].id };
    qsort(refs, n, sizeof(*refs), by_id);
    v->refs = refs;
    v->len = n;
}

/* ---------------------------------------------------------------- who has borrowed what */

void shared_borrow(struct core *c, struct inv_entry *e, bool borrowed)
{
    if (e->borrowed == borrowed)
        return;
    pthread_mutex_lock(&c->identity_lock);
    if (!borrowed)
        table_remove(&c->borrowed, core_hash_id(&e->id), e);
    else if (!table_add(&c->borrowed, core_hash_id(&e->id), e))
        log_msg(PV_LOG_ERROR, "core.memory", "no memory for the index of shared objects");
    e->borrowed = borrowed;
    pthread_mutex_unlock(&c->identity_lock);
}

/* A provider but this one (NULL: any) that has borrowed the object, with a reference; `only`: it alone. */
static struct provider *borrower(struct core *c, const struct pv_id *id, const struct pv_id *but,
                                 const struct pv_id *only)
{
    uint64_t hash = core_hash_id(id);
    const struct table *t = &c->borrowed;
    struct provider *found = NULL;

    pthread_mutex_lock(&c->identity_lock);
    for (size_t at = hash & (t->cap - 1); t->used && t->slots[at].item && !found;
         at = (at + 1) & (t->cap - 1)) {
        const struct inv_entry *e = t->slots[at].item;

        if (t->slots[at].hash != hash || !id_eq(&e->id, id) || (but && id_eq(&e->provider->id, but)) ||
            (only && !id_eq(&e->provider->id, only)))
            continue;
        found = e->provider;
        provider_ref(found);
    }
    pthread_mutex_unlock(&c->identity_lock);
    return found;
}

bool shared_knows(struct core *c, const struct pv_id *provider, const struct pv_id *id)
{
    struct provider *p = borrower(c, id, NULL, provider);

    if (p)
        provider_put(p);
    return p != NULL;
}

/* ---------------------------------------------------------------- leaving */

struct leaving {
    struct provider *provider;
    struct inv_entry *entry;
    struct provider *heir;      /* NULL: the row is another's anyway */
    char provider_name[NAME_CAP];
    struct event_set events;
};

static int leave_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct leaving *l = arg;
    const struct kind_info *k = &l->provider->core->kinds[l->entry->kind];
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    struct row_diff d;
    uint64_t version;
    int rc = events_begin(&l->events, tx, err);

    if (rc == PV_OK)
        rc = tx_rows_get(tx, l->entry->kind, &l->entry->id, 1, false, a, &row, err);
    if (rc != PV_OK || !row)
        return rc;
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    for (unsigned s = 0; s < k->nslots; s++) {
        const struct model_value *stored = model_get(row, k->slots[s]->index);
        struct model_value rest = { .set = true };

        if (k->slots[s]->type != MODEL_REFS || !stored->set)
            continue;
        shared_merge(l->provider, stored, &rest, a);
        diff_set(&d, k->slots[s]->index, &rest);
    }
    if (l->heir && id_eq(&model_get(row, (unsigned)k->provider)->id, &l->provider->id)) {
        struct model_value v = value_ref(&l->heir->id);

        diff_set(&d, (unsigned)k->provider, &v);
    }
    if (d.n > 0) {
        const char *changes = diff_changes(&d, a);

        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
        if (rc == PV_OK) {
            char type[64];
            struct event_draft e = { .type = type, .kind = l->entry->kind, .subject = row->id,
                                     .name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "",
                                     .provider = model_get(row, (unsigned)k->provider)->id,
                                     .object_version = version, .changes = changes,
                                     .actor_type = PV_ACTOR_TYPE_SYSTEM };

            snprintf(type, sizeof(type), "%s.updated", k->kind->name);
            e.message = arena_printf(a, "%s is not reported by %s any more, but by others", e.name,
                                     l->provider_name);
            rc = events_add(&l->events, tx, &e, err);
        }
    }
    diff_free(&d);
    return rc;
}

struct adoption {
    struct provider *provider;
    struct pv_id id;
};

/* The heir's entry is told; its next report writes the row. */
static void adopt_job(void *arg)
{
    struct adoption *x = arg;
    struct inv_entry *e;

    pthread_mutex_lock(&x->provider->apply_lock);
    e = inventory_find_id(x->provider, &x->id);
    if (e) {
        shared_borrow(x->provider->core, e, false);
        e->content = 0;
    }
    pthread_mutex_unlock(&x->provider->apply_lock);
    provider_put(x->provider);
    free(x);
}

/* Takes the reference. */
static void adopt_later(struct provider *heir, const struct pv_id *id)
{
    struct adoption *x = calloc(1, sizeof(*x));

    if (x) {
        x->provider = heir;
        x->id = *id;
    }
    if (!x || !core_submit(heir->core, adopt_job, x)) {
        free(x);
        provider_put(heir);
    }
}

static int leave_one(struct provider *p, struct inv_entry *e, struct provider *heir, struct pv_err *err)
{
    struct leaving l = { .provider = p, .entry = e, .heir = e->borrowed ? NULL : heir };
    int rc;

    provider_copy_name(p, l.provider_name, sizeof(l.provider_name));
    events_init(&l.events, p->core);
    rc = store_write(p->core->store, leave_tx, &l, err);
    events_free(&l.events);
    return rc;
}

int shared_leave(struct provider *p, struct inv_entry **entries, size_t *n, struct pv_err *err)
{
    size_t kept = 0;
    int rc = PV_OK;

    for (size_t i = 0; i < *n; i++) {
        struct inv_entry *e = entries[i];
        struct provider *heir = rc == PV_OK ? borrower(p->core, &e->id, &p->id, NULL) : NULL;
        bool leaves = rc == PV_OK && (heir || e->borrowed);

        if (leaves)
            rc = leave_one(p, e, heir, err);
        if (!leaves || rc != PV_OK) {
            entries[kept++] = e;
        } else {
            if (heir && !e->borrowed) {
                provider_ref(heir);
                adopt_later(heir, &e->id);
            }
            inventory_drop(p, e);
        }
        if (heir)
            provider_put(heir);
    }
    *n = kept;
    return rc;
}
