/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One checked batch of objects becomes rows. Equal to the last one by hash:
 * nothing happens. Else the stored row is read and compared, and what differs
 * is written with an event, in the same transaction.
 */
#include "server/core/activity.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

enum how { HOW_UPDATE, HOW_INSERT, HOW_REBIND, HOW_MOVE };

struct item {
    uint32_t record;
    enum how how;
    struct inv_entry *entry;        /* UPDATE */
    uint64_t content;
    struct pv_id id;                /* of the row; INSERT: made by the transaction */
    struct pv_id old_provider;      /* MOVE */
    char *old_native;               /* REBIND, in the arena */
    bool related;                   /* INSERT: a twin elsewhere is present */
    struct pv_id twin;
    bool same_provider_twin;
    bool shared, borrowed;          /* several providers report it; the row is another's */
    uint64_t open[4];               /* bit per slot: a reference was not resolved when the row was written */
    bool inserted;
    bool written;
    struct cause cause;
    bool masked;                /* its activity is not what the record says */
};

struct apply {
    struct provider *provider;
    struct core *core;
    const struct kind_info *kind;
    const struct sdk_batch *batch;
    struct item *items;             /* of this chunk */
    size_t n;
    bool quiet;                     /* first import: no events */
    char provider_name[NAME_CAP];
    struct event_set events;
    size_t written;
};

static const char *row_name(const struct kind_info *k, const struct model_row *row)
{
    return k->name >= 0 ? model_text(row, (unsigned)k->name) : "";
}

static int tell(struct apply *a, struct store_tx *tx, const struct item *it,
                const struct model_row *row, const char *what, uint64_t version,
                const char *changes, const char *message, struct pv_err *err)
{
    char type[64];
    struct event_draft d = {
        .type = type,
        .severity = PV_SEVERITY_INFO,
        .kind = a->kind->kind->number,
        .subject = row->id,
        .name = row_name(a->kind, row),
        .provider = a->provider->id,
        .provider_name = a->provider_name,
        .object_version = version,
        .changes = changes,
        .task = it->cause.task,
        .actor_type = it->cause.type,
        .actor_name = it->cause.name[0] ? it->cause.name : NULL,
        .message = message,
    };

    snprintf(type, sizeof(type), "%s.%s", a->kind->kind->name, what);
    return a->quiet ? PV_OK : events_add(&a->events, tx, &d, err);
}

static void note_open(struct item *it, unsigned slot, bool open)
{
    if (open)
        it->open[slot / 64] |= UINT64_C(1) << slot % 64;
}

static bool was_open(const struct item *it, unsigned slot)
{
    return it->open[slot / 64] >> slot % 64 & 1;
}

/* References that stay open are tried again at the next mark, once the row is there. */
static bool keep_open(struct apply *a, const struct item *it, const struct model_field *f)
{
    size_t len;
    const char *text = sdk_record_text(a->batch, it->record, (unsigned)f->slot, &len);

    return !text || references_add(a->provider, a->kind->kind->number, &it->id, f->index, NULL,
                                   it->content, text, len);
}

static int insert_row(struct apply *a, struct store_tx *tx, struct item *it, struct pv_err *err)
{
    struct arena *arena = tx_arena(tx);
    const struct kind_info *k = a->kind;
    struct model_row *row = model_row_new(arena, k->kind->number);
    int64_t now = clock_wall_ms();
    const char *identity = sdk_record_identity(a->batch, it->record);
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a row");
    for (unsigned s = 0; s < k->nslots; s++) {
        struct model_value v;
        bool open = false;

        if (!record_value(a->provider, a->batch, it->record, k->slots[s], NULL, arena, &v, &open))
            continue;
        row->values[k->slots[s]->index] = v;
        note_open(it, s, open);
    }
    id_make(&it->id);
    row->id = it->id;
    it->inserted = it->written = true;
    model_set_ref(row, (unsigned)k->provider, &a->provider->id);
    model_set_text(row, (unsigned)k->native_id, sdk_record_native_id(a->batch, it->record));
    model_set_text(row, (unsigned)k->identity, identity[0] ? identity : NULL);
    model_set_number(row, (unsigned)k->presence, PV_PRESENCE_PRESENT);
    model_set_number(row, (unsigned)k->created_at, now);
    model_set_number(row, (unsigned)k->updated_at, now);
    model_set_number(row, (unsigned)k->version, 1);
    rc = tx_row_insert(tx, row, err);
    if (rc == PV_OK)
        rc = tell(a, tx, it, row, "created", 1, NULL, NULL, err);
    if (rc == PV_OK && it->related && !it->same_provider_twin)
        rc = identity_relate(a->core, tx, &a->events, k->kind->number, &it->id, &it->twin, arena,
                             err);
    return rc;
}

/* Presence and binding, where they differ from what the record proves. */
static void diff_binding(struct apply *a, const struct item *it, struct row_diff *d)
{
    const struct kind_info *k = a->kind;
    const char *identity = sdk_record_identity(a->batch, it->record);
    struct model_value v = value_number(PV_PRESENCE_PRESENT), none = value_null();

    diff_set(d, (unsigned)k->presence, &v);
    diff_set_quiet(d, (unsigned)k->missing_since, &none);
    diff_set(d, (unsigned)k->stale_reason, &none);
    v = value_text(sdk_record_native_id(a->batch, it->record));
    diff_set(d, (unsigned)k->native_id, &v);
    if (identity[0]) {
        v = value_text(identity);
        diff_set_quiet(d, (unsigned)k->identity, &v);
    }
    v = value_ref(&a->provider->id);
    diff_set(d, (unsigned)k->provider, &v);
}

static int write_diff(struct apply *a, struct store_tx *tx, struct item *it, struct row_diff *d,
                      struct pv_err *err)
{
    uint64_t version;
    const char *changes;
    int rc;

    if (d->n == 0)
        return PV_OK;
    changes = diff_changes(d, tx_arena(tx));
    rc = diff_write(d, tx, a->kind, clock_wall_ms(), &version, err);
    if (rc != PV_OK)
        return rc;
    it->written = true;
    if (it->how == HOW_REBIND)
        return tell(a, tx, it, d->row, "rebound", version, changes,
                    arena_printf(tx_arena(tx), "%s was %s, now it is %s", row_name(a->kind, d->row),
                                 it->old_native, sdk_record_native_id(a->batch, it->record)),
                    err);
    if (it->how == HOW_MOVE)
        return tell(a, tx, it, d->row, "moved", version, changes,
                    arena_printf(tx_arena(tx), "%s has moved to %s", row_name(a->kind, d->row),
                                 a->provider_name),
                    err);
    return tell(a, tx, it, d->row, "updated", version, changes, NULL, err);
}

/* The driver does not know what we are doing: a task's activity stays until the task has its result. */
static bool shown_activity(const struct apply *a, struct item *it, const struct model_field *f,
                           const struct model_value *v)
{
    if (a->kind->kind->number != PV_KIND_vm || f->index != F(vm, activity) ||
        (v->set && v->number != PV_ACTIVITY_NONE) || activity_of(a->core, &it->id) == PV_ACTIVITY_NONE)
        return false;
    it->masked = true;
    return true;
}

/* `borrowed`: the row is kept by another; only what we say of our own goes into its lists. */
static int update_row(struct apply *a, struct store_tx *tx, struct item *it, struct model_row *row,
                      struct pv_err *err)
{
    const struct kind_info *k = a->kind;
    struct row_diff d;
    int rc = diff_init(&d, row, !a->quiet, tx_arena(tx), err);

    if (rc != PV_OK)
        return rc;
    for (unsigned s = 0; s < k->nslots; s++) {
        struct model_value v;
        bool open = false;

        if (it->borrowed && k->slots[s]->type != MODEL_REFS)
            continue;
        if (!record_value(a->provider, a->batch, it->record, k->slots[s], NULL, tx_arena(tx), &v,
                          &open))
            continue;
        if (it->shared && k->slots[s]->type == MODEL_REFS && v.set && !open)
            shared_merge(a->provider, model_get(row, k->slots[s]->index), &v, tx_arena(tx));
        /* What cannot be resolved yet says nothing about what is stored. */
        if (open)
            note_open(it, s, true);
        else if (!shown_activity(a, it, k->slots[s], &v))
            diff_set(&d, k->slots[s]->index, &v);
    }
    if (!it->borrowed)
        diff_binding(a, it, &d);
    rc = write_diff(a, tx, it, &d, err);
    diff_free(&d);
    return rc;
}

/* The row may belong to somebody else by now, or be purged: then this is a new object. */
static bool row_is_ours(struct apply *a, const struct item *it, const struct model_row *row)
{
    const struct model_value *owner;

    if (!row)
        return false;
    owner = model_get(row, (unsigned)a->kind->provider);
    return it->how == HOW_MOVE ? id_eq(&owner->id, &it->old_provider)
                               : id_eq(&owner->id, &a->provider->id);
}

/* The same object of several providers: whoever is first makes the row and keeps it, unless he cannot. */
static int apply_shared(struct apply *a, struct store_tx *tx, struct item *it, struct model_row *row,
                        struct pv_err *err)
{
    int rc = PV_OK;

    if (!row)
        rc = shared_find(a->provider, tx, a->batch, it->record, &row, err);
    if (rc != PV_OK)
        return rc;
    if (!row)
        return insert_row(a, tx, it, err);
    it->id = row->id;
    it->borrowed = !id_eq(&model_get(row, (unsigned)a->kind->provider)->id, &a->provider->id) &&
                   !shared_orphan(a->core, a->kind, row);
    return update_row(a, tx, it, row, err);
}

static int apply_chunk(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct apply *a = arg;
    struct arena *arena = tx_arena(tx);
    struct pv_id *ids = arena_alloc(arena, (a->n + 1) * sizeof(*ids));
    struct model_row **rows = arena_alloc(arena, (a->n + 1) * sizeof(*rows));
    size_t n = 0;
    int rc;

    if (!ids || !rows)
        return pv_fail(err, PV_ENOMEM, "no memory to compare rows");
    rc = events_begin(&a->events, tx, err);
    for (size_t i = 0; i < a->n; i++)
        if (a->items[i].how != HOW_INSERT)
            ids[n++] = a->items[i].id;
    if (rc == PV_OK && n > 0)
        rc = tx_rows_get(tx, a->kind->kind->number, ids, n, false, arena, rows, err);
    n = 0;
    for (size_t i = 0; rc == PV_OK && i < a->n; i++) {
        struct item *it = &a->items[i];
        struct model_row *row = it->how == HOW_INSERT ? NULL : rows[n++];

        memset(it->open, 0, sizeof(it->open));
        it->inserted = it->written = it->masked = it->borrowed = false;
        if (it->shared)
            rc = apply_shared(a, tx, it, row, err);
        else if (row_is_ours(a, it, row))
            rc = update_row(a, tx, it, row, err);
        else
            rc = insert_row(a, tx, it, err);
    }
    return rc;
}

static void mark_newcomer(struct apply *a, const struct item *it, struct inv_entry *e)
{
    struct inv_undecided *u;

    pthread_mutex_lock(&a->core->identity_lock);
    e->sighted_ms = clock_mono_ms();
    pthread_mutex_unlock(&a->core->identity_lock);
    if (!it->same_provider_twin)
        return;
    u = calloc(1, sizeof(*u));
    if (!u)
        return;
    u->id = e->id;
    u->next = a->provider->inv.undecided;
    a->provider->inv.undecided = u;
}

static void remember_item(struct apply *a, struct item *it)
{
    struct provider *p = a->provider;
    const char *native = sdk_record_native_id(a->batch, it->record);
    const char *identity = it->shared ? "" : sdk_record_identity(a->batch, it->record);
    struct inv_entry *e = it->entry;

    /* A key that has come or changed: the entry is made anew with it. */
    if (e && identity[0] && strcmp(e->identity, identity) != 0) {
        struct inv_kids *kids = PV_TAKE(e->kids);

        inventory_drop(p, e);
        e = inventory_add(p, a->kind->kind->number, native, identity, &it->id, PV_PRESENCE_PRESENT);
        if (e)
            e->kids = kids;
    } else if (e) {
        inventory_set(p, e, &it->id, PV_PRESENCE_PRESENT);
    } else {
        e = inventory_add(p, a->kind->kind->number, native, identity, &it->id, PV_PRESENCE_PRESENT);
        if (e && it->how == HOW_INSERT && !it->shared)
            mark_newcomer(a, it, e);
    }
    if (!e) {
        log_msg(PV_LOG_ERROR, "core.memory", "no memory for an object of the inventory");
        return;
    }
    e->shared = it->shared;
    shared_borrow(a->core, e, it->borrowed);
    e->seen = p->inv.generation;
    e->content = it->masked ? 0 : it->content;
    e->unconfirmed = false;
    e->missing_told = false;
    /* As it was then: what stands before it in the same batch is known by now, and was not. */
    for (unsigned s = 0; s < a->kind->nslots; s++)
        if (was_open(it, s) && !keep_open(a, it, a->kind->slots[s]))
            e->content = 0;
}

/* The other entry of the same provider that this record takes over. */
static void drop_rebound(struct apply *a, const struct item *it)
{
    struct inv_entry *old = inventory_find(a->provider, a->kind->kind->number, it->old_native,
                                           strlen(it->old_native));

    if (old && id_eq(&old->id, &it->id))
        inventory_drop(a->provider, old);
}

static int write_chunk(struct apply *a, struct pv_err *err)
{
    int rc;

    if (a->n == 0)
        return PV_OK;
    rc = store_write(a->core->store, apply_chunk, a, err);
    if (rc != PV_OK)
        return rc;
    for (size_t i = 0; i < a->n; i++) {
        struct item *it = &a->items[i];

        if (it->how == HOW_REBIND && !it->inserted)
            drop_rebound(a, it);
        if (it->how == HOW_MOVE && !it->inserted)
            identity_forget_later(a->core, &it->old_provider, &it->id);
        remember_item(a, it);
        a->written += it->written;
    }
    a->n = 0;
    return PV_OK;
}

/* What becomes of a native id that is new here. */
static void place_newcomer(struct apply *a, struct item *it, struct arena *arena)
{
    const char *identity = sdk_record_identity(a->batch, it->record);
    struct identity_match m;

    it->how = HOW_INSERT;
    if (!identity[0])
        return;
    identity_look(a->provider, a->kind->kind->number, identity, &m);
    if (!m.found)
        return;
    if (m.presence == PV_PRESENCE_PRESENT) {
        it->related = true;
        it->twin = m.id;
        it->same_provider_twin = m.same_provider;
        return;
    }
    it->old_native = arena_strdup(arena, m.native_id);
    if (!it->old_native)
        return;
    it->id = m.id;
    it->how = m.same_provider ? HOW_REBIND : HOW_MOVE;
    it->old_provider = m.provider;
}

int inventory_apply(struct provider *p, const struct sdk_batch *b, struct pv_err *err)
{
    struct core *c = p->core;
    PV_AUTO(arena_free_p) struct arena *arena = arena_new(1u << 16, 8u << 20);
    struct apply a = { .provider = p, .core = c, .kind = &c->kinds[b->kind->number], .batch = b,
                       .quiet = p->first_import };
    int rc = PV_OK;

    if (!arena || !(a.items = arena_alloc(arena, CHUNK * sizeof(*a.items))))
        return pv_fail(err, PV_ENOMEM, "no memory to apply a batch");
    provider_copy_name(p, a.provider_name, sizeof(a.provider_name));
    events_init(&a.events, c);
    for (uint32_t i = 0; rc == PV_OK && i < b->count; i++) {
        const char *native = sdk_record_native_id(b, i);
        struct inv_entry *e = inventory_find(p, b->kind->number, native, strlen(native));
        uint64_t content = sdk_record_hash(b, i, c->hash_key) | 1;
        struct item *it = &a.items[a.n];

        /* Who keeps the row of a shared object is looked at each time; there are few. */
        if (e && e->content == content && e->presence == PV_PRESENCE_PRESENT && !e->unconfirmed &&
            !sdk_record_shared(b, i)) {
            e->seen = p->inv.generation;
            continue;
        }
        *it = (struct item){ .record = i, .entry = e, .content = content };
        it->cause.type = PV_ACTOR_TYPE_EXTERNAL;
        it->shared = sdk_record_shared(b, i);
        if (e) {
            it->id = e->id;
            tasks_cause(c, &e->id, &it->cause);
        } else if (!it->shared) {
            place_newcomer(&a, it, arena);
        } else {
            it->how = HOW_INSERT;
        }
        if (++a.n == CHUNK)
            rc = write_chunk(&a, err);
    }
    if (rc == PV_OK)
        rc = write_chunk(&a, err);
    events_free(&a.events);
    atomic_fetch_add(&c->n_written, a.written);
    return rc;
}
