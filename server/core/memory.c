/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a provider has, in memory: native id to our id, and the hash of what
 * was last applied. Filled from storage when the provider is taken over.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

struct native_key {
    const char *text;
    size_t len;
};

static bool native_equal(const void *item, const void *key)
{
    const struct inv_entry *e = item;
    const struct native_key *k = key;

    return strlen(e->native_id) == k->len && memcmp(e->native_id, k->text, k->len) == 0;
}

static bool id_equal(const void *item, const void *key)
{
    const struct inv_entry *e = item;

    return id_eq(&e->id, key);
}

struct inv_entry *inventory_find(struct provider *p, enum pv_kind kind, const char *native_id,
                                 size_t len)
{
    struct native_key key = { native_id, len };

    if ((unsigned)kind >= KINDS || p->inv.kinds[kind].used == 0)
        return NULL;
    return table_find(&p->inv.kinds[kind], core_hash(p->core, native_id, len), native_equal, &key);
}

struct inv_entry *inventory_find_id(struct provider *p, const struct pv_id *id)
{
    return table_find(&p->inv.by_id, core_hash_id(id), id_equal, id);
}

static void entry_free(struct inv_entry *e)
{
    if (e->kids)
        for (size_t i = 0; i < CHILD_KINDS; i++)
            free(e->kids[i].ids);
    free(e->kids);
    free(e);
}

struct inv_entry *inventory_add(struct provider *p, enum pv_kind kind, const char *native_id,
                                const char *identity, const struct pv_id *id,
                                enum pv_presence presence)
{
    size_t nlen = strlen(native_id), ilen = strlen(identity);
    struct inv_entry *e = calloc(1, sizeof(*e) + nlen + ilen + 2);
    char *text = (char *)(e + 1);

    if (!e)
        return NULL;
    memcpy(text, native_id, nlen);
    memcpy(text + nlen + 1, identity, ilen);
    e->id = *id;
    e->provider = p;
    e->kind = kind;
    e->presence = presence;
    e->native_id = text;
    e->identity = text + nlen + 1;
    e->key_hash = core_hash(p->core, native_id, nlen);
    if (!table_add(&p->inv.kinds[kind], e->key_hash, e)) {
        free(e);
        return NULL;
    }
    if (!table_add(&p->inv.by_id, core_hash_id(id), e)) {
        table_remove(&p->inv.kinds[kind], e->key_hash, e);
        free(e);
        return NULL;
    }
    if (presence == PV_PRESENCE_PRESENT)
        p->inv.objects++;
    if (ilen > 0)
        identity_add(p->core, e);
    return e;
}

void inventory_drop(struct provider *p, struct inv_entry *e)
{
    if (e->identity[0])
        identity_remove(p->core, e);
    shared_borrow(p->core, e, false);
    table_remove(&p->inv.kinds[e->kind], e->key_hash, e);
    table_remove(&p->inv.by_id, core_hash_id(&e->id), e);
    if (e->presence == PV_PRESENCE_PRESENT)
        p->inv.objects--;
    usage_forget(p->core, &e->id);
    entry_free(e);
}

void inventory_set(struct provider *p, struct inv_entry *e, const struct pv_id *id,
                   enum pv_presence presence)
{
    bool moved = !id_eq(&e->id, id);

    if (moved)
        table_remove(&p->inv.by_id, core_hash_id(&e->id), e);
    if (e->presence == PV_PRESENCE_PRESENT)
        p->inv.objects--;
    pthread_mutex_lock(&p->core->identity_lock);
    e->id = *id;
    e->presence = presence;
    pthread_mutex_unlock(&p->core->identity_lock);
    if (presence == PV_PRESENCE_PRESENT)
        p->inv.objects++;
    /* Without memory only lookups by our id miss it; the next removal does no harm. */
    if (moved && !table_add(&p->inv.by_id, core_hash_id(id), e))
        log_msg(PV_LOG_ERROR, "core.memory", "no memory for the index of ids");
}

struct loading {
    struct provider *provider;
    enum pv_kind kind;
};

static int load_object(void *ctx, const struct store_binding *b, struct pv_err *err)
{
    struct loading *l = ctx;
    struct inv_entry *e = inventory_add(l->provider, l->kind, b->native_id,
                                        b->identity ? b->identity : "", &b->id, b->presence);

    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
    e->missing_since = clock_wall_ms();
    return PV_OK;
}

static int load_child(void *ctx, const struct store_binding *b, struct pv_err *err)
{
    struct loading *l = ctx;
    struct inv_entry *owner = inventory_find_id(l->provider, &b->owner);
    struct inv_kids *kids;
    struct pv_id *ids;

    if (!owner)
        return PV_OK;
    if (!owner->kids)
        owner->kids = calloc(CHILD_KINDS, sizeof(*owner->kids));
    if (!owner->kids)
        return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
    kids = &owner->kids[l->provider->core->kinds[l->kind].child];
    ids = realloc(kids->ids, (kids->n + 1) * sizeof(*ids));
    if (!ids)
        return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
    kids->ids = ids;
    kids->ids[kids->n++] = b->id;
    return PV_OK;
}

/* Since when those are missing that are. */
static void load_missing_since(struct provider *p)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 1u << 26);

    for (size_t i = 0; a && i < p->inv.by_id.cap; i++) {
        struct inv_entry *e = p->inv.by_id.slots[i].item;
        const struct kind_info *k;
        struct model_row *row;

        if (!e || e->presence == PV_PRESENCE_PRESENT)
            continue;
        k = &p->core->kinds[e->kind];
        if (store_row_get(p->core->store, k->shape, &e->id, a, &row, NULL) != PV_OK)
            continue;
        e->missing_since = model_number(row, (unsigned)k->missing_since);
        /* It was told before the restart, unless it became missing just then. */
        e->missing_told = clock_wall_ms() - e->missing_since >= core_missing_grace_ms(p->core);
        arena_reset(a);
    }
}

int inventory_load(struct provider *p, struct pv_err *err)
{
    const struct model_kind *k;

    if (p->inv.loaded)
        return PV_OK;
    for (size_t i = 0; (k = model_kind_at(i)) != NULL; i++) {
        struct loading l = { p, k->number };
        int rc;

        if (!(k->flags & MODEL_SYNCED))
            continue;
        rc = store_bindings(p->core->store, k->number, &p->id,
                            k->owner == PV_KIND_NONE ? load_object : load_child, &l, err);
        if (rc != PV_OK) {
            inventory_free(p);
            return rc;
        }
    }
    load_missing_since(p);
    p->inv.loaded = true;
    return PV_OK;
}

void inventory_free(struct provider *p)
{
    struct inv_pending *next;

    for (size_t k = 0; k < KINDS; k++) {
        for (size_t i = 0; i < p->inv.kinds[k].cap; i++) {
            struct inv_entry *e = p->inv.kinds[k].slots[i].item;

            if (!e)
                continue;
            if (e->identity[0])
                identity_remove(p->core, e);
            shared_borrow(p->core, e, false);
            usage_forget(p->core, &e->id);
            entry_free(e);
        }
        table_free(&p->inv.kinds[k]);
    }
    table_free(&p->inv.by_id);
    for (struct inv_pending *at = p->inv.pending; at; at = next) {
        next = at->next;
        free(at);
    }
    while (p->inv.undecided) {
        struct inv_undecided *u = p->inv.undecided;

        p->inv.undecided = u->next;
        free(u);
    }
    p->inv = (struct inventory){ 0 };
}
