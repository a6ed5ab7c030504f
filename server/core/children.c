/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and snapshots: the records of an owner are all it has of the kind.
 * One hash an owner and kind; where it differs, the stored children are read
 * and compared. Children that are shown inside their owner change the owner's
 * version, because its ETag covers them; the others have events of their own.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

#define GROUPS 128

struct group {
    struct inv_entry *owner;
    uint32_t first, count;          /* records; count 0: none */
    uint64_t hash;
    struct cause cause;
    struct pv_id *ids;              /* count of them, made or matched by the transaction; in the arena */
    bool *open;
};

struct apply {
    struct provider *provider;
    struct core *core;
    const struct kind_info *kind, *owner_kind;
    const struct sdk_batch *batch;
    struct group groups[GROUPS];
    size_t n, records;
    bool quiet;
    char provider_name[NAME_CAP];
    struct event_set events;
    size_t written;
};

/* Of an owner that several providers report (shared.c) each may report children: they have one row each, which
 * the owner's keeper makes and removes. The others add what they know of their own to its lists. */
static bool of_shared(const struct group *g)
{
    return g->owner->shared;
}

/* What an owner's event says of its children. */
struct told {
    struct buf text;
    struct jsonw w;
    size_t n;
};

static const char *label_of(const struct kind_info *k, const struct model_row *row)
{
    const struct model_field *f = model_field_by_name(k->kind, k->name >= 0 ? "name" : "label");

    return f ? model_text(row, f->index) : "";
}

static bool embedded(const struct kind_info *k)
{
    return k->kind->member[0] != '\0';
}

/* {field: "disks", from: null, to: "Hard disk 2"}: one was added. */
static void tell_whole(struct told *t, const struct kind_info *k, const struct model_row *row,
                       bool added)
{
    jsonw_object(&t->w, NULL);
    jsonw_str(&t->w, "field", k->kind->member);
    jsonw_str(&t->w, "from", added ? NULL : label_of(k, row));
    jsonw_str(&t->w, "to", added ? label_of(k, row) : NULL);
    jsonw_end(&t->w);
    t->n++;
}

static void tell_value(struct told *t, const struct kind_info *k, const struct model_row *row,
                       const struct model_field *f, const struct model_value *to)
{
    char id[PV_ID_TEXT];

    model_id_text(k->kind->number, &row->id, id);
    jsonw_object(&t->w, NULL);
    jsonw_strf(&t->w, "field", "%s.%s", k->kind->member, f->path);
    jsonw_str(&t->w, "id", id);
    model_write_value(&t->w, "from", f, model_get(row, f->index));
    model_write_value(&t->w, "to", f, to);
    jsonw_end(&t->w);
    t->n++;
}

static int own_event(struct apply *a, struct store_tx *tx, const struct group *g,
                     const struct model_row *row, const char *what, uint64_t version,
                     const char *changes, struct pv_err *err)
{
    char type[64];
    struct event_draft d = { .type = type, .kind = a->kind->kind->number, .subject = row->id,
                             .name = label_of(a->kind, row), .provider = a->provider->id,
                             .provider_name = a->provider_name, .object_version = version,
                             .changes = changes, .task = g->cause.task,
                             .actor_type = g->cause.type,
                             .actor_name = g->cause.name[0] ? g->cause.name : NULL };

    if (a->quiet || embedded(a->kind))
        return PV_OK;
    snprintf(type, sizeof(type), "%s.%s", a->kind->kind->name, what);
    return events_add(&a->events, tx, &d, err);
}

static int insert_child(struct apply *a, struct store_tx *tx, struct group *g, uint32_t i,
                        const struct siblings *siblings, struct told *told, struct pv_err *err)
{
    const struct kind_info *k = a->kind;
    struct arena *arena = tx_arena(tx);
    struct model_row *row = model_row_new(arena, k->kind->number);
    int64_t now = clock_wall_ms();
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a row");
    for (unsigned s = 0; s < k->nslots; s++) {
        struct model_value v;

        if (record_value(a->provider, a->batch, g->first + i, k->slots[s], siblings, arena, &v,
                         &g->open[i]))
            row->values[k->slots[s]->index] = v;
    }
    row->id = g->ids[i];
    model_set_ref(row, (unsigned)k->owner, &g->owner->id);
    model_set_ref(row, (unsigned)k->provider, &a->provider->id);
    model_set_text(row, (unsigned)k->native_id, sdk_record_native_id(a->batch, g->first + i));
    model_set_number(row, (unsigned)k->created_at, now);
    model_set_number(row, (unsigned)k->updated_at, now);
    model_set_number(row, (unsigned)k->version, 1);
    a->written++;
    rc = tx_row_insert(tx, row, err);
    if (rc != PV_OK)
        return rc;
    tell_whole(told, k, row, true);
    return own_event(a, tx, g, row, "created", 1, NULL, err);
}

static int update_child(struct apply *a, struct store_tx *tx, struct group *g, uint32_t i,
                        const struct siblings *siblings, struct model_row *row, struct told *told,
                        struct pv_err *err)
{
    const struct kind_info *k = a->kind;
    struct arena *arena = tx_arena(tx);
    struct row_diff d;
    uint64_t version;
    int rc = diff_init(&d, row, !a->quiet && !embedded(k), arena, err);

    if (rc != PV_OK)
        return rc;
    for (unsigned s = 0; s < k->nslots; s++) {
        const struct model_field *f = k->slots[s];
        struct model_value v;
        bool open = false;

        if (g->owner->borrowed && f->type != MODEL_REFS)
            continue;
        if (!record_value(a->provider, a->batch, g->first + i, f, siblings, arena, &v, &open))
            continue;
        if (open) {
            g->open[i] = true;
            continue;
        }
        if (of_shared(g) && f->type == MODEL_REFS && v.set)
            shared_merge(a->provider, model_get(row, f->index), &v, arena);
        if (!model_value_equal(f, model_get(row, f->index), &v))
            tell_value(told, k, row, f, &v);
        diff_set(&d, f->index, &v);
    }
    /* The owner has another keeper by now. */
    if (of_shared(g) && !g->owner->borrowed) {
        struct model_value keeper = value_ref(&a->provider->id);

        diff_set_quiet(&d, (unsigned)k->provider, &keeper);
    }
    if (d.n > 0) {
        const char *changes = diff_changes(&d, arena);

        a->written++;
        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
        if (rc == PV_OK)
            rc = own_event(a, tx, g, row, "updated", version, changes, err);
    }
    diff_free(&d);
    return rc;
}

static int touch_owner(struct apply *a, struct store_tx *tx, const struct group *g,
                       struct told *told, struct pv_err *err)
{
    const struct kind_info *k = a->owner_kind;
    struct arena *arena = tx_arena(tx);
    struct model_row *row;
    struct row_diff d;
    uint64_t version;
    char type[64];
    struct event_draft e = { .type = type, .kind = k->kind->number, .subject = g->owner->id,
                             .provider = a->provider->id, .provider_name = a->provider_name,
                             .task = g->cause.task, .actor_type = g->cause.type,
                             .actor_name = g->cause.name[0] ? g->cause.name : NULL };
    int rc = tx_rows_get(tx, k->kind->number, &g->owner->id, 1, false, arena, &row, err);

    if (rc != PV_OK || !row)
        return rc;
    rc = diff_init(&d, row, false, arena, err);
    if (rc == PV_OK)
        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
    if (rc != PV_OK)
        return rc;
    jsonw_end(&told->w);
    e.object_version = version;
    e.name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "";
    e.changes = buf_ok(&told->text) ? arena_text(arena, told->text.data, told->text.len) : "[]";
    snprintf(type, sizeof(type), "%s.updated", k->kind->name);
    return events_add(&a->events, tx, &e, err);
}

static const struct model_row *row_of(const struct kind_info *k, struct model_row *const *rows,
                                      size_t n, const char *native)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i] && strcmp(model_text(rows[i], (unsigned)k->native_id), native) == 0)
            return rows[i];
    return NULL;
}

static int delete_missing(struct apply *a, struct store_tx *tx, const struct group *g,
                          struct model_row *const *rows, size_t nrows, struct told *told,
                          struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t r = 0; rc == PV_OK && r < nrows; r++) {
        bool kept = !rows[r];

        for (uint32_t i = 0; !kept && i < g->count; i++)
            kept = id_eq(&g->ids[i], &rows[r]->id);
        if (kept)
            continue;
        a->written++;
        tell_whole(told, a->kind, rows[r], false);
        rc = own_event(a, tx, g, rows[r], "gone", 0, NULL, err);
        if (rc == PV_OK)
            rc = tx_row_delete(tx, a->kind->kind->number, &rows[r]->id, err);
    }
    return rc;
}

static int apply_group(struct apply *a, struct store_tx *tx, struct group *g,
                       struct model_row *const *rows, size_t nrows, struct pv_err *err)
{
    struct arena *arena = tx_arena(tx);
    const char **natives = arena_alloc(arena, (g->count + 1) * sizeof(*natives));
    struct siblings siblings = { natives, g->ids, g->count };
    struct told told = { .n = 0 };
    int rc = PV_OK;

    if (!natives)
        return pv_fail(err, PV_ENOMEM, "no memory to compare rows");
    buf_init(&told.text, 60000);
    jsonw_init(&told.w, &told.text);
    jsonw_array(&told.w, NULL);
    for (uint32_t i = 0; i < g->count; i++) {
        const struct model_row *row;

        natives[i] = sdk_record_native_id(a->batch, g->first + i);
        row = row_of(a->kind, rows, nrows, natives[i]);
        g->open[i] = false;
        if (row)
            g->ids[i] = row->id;
        else
            id_make(&g->ids[i]);
    }
    for (uint32_t i = 0; rc == PV_OK && i < g->count; i++) {
        struct model_row *row = (struct model_row *)row_of(a->kind, rows, nrows, natives[i]);

        if (row)
            rc = update_child(a, tx, g, i, &siblings, row, &told, err);
        else if (!g->owner->borrowed)
            rc = insert_child(a, tx, g, i, &siblings, &told, err);
    }
    if (rc == PV_OK && !g->owner->borrowed)
        rc = delete_missing(a, tx, g, rows, nrows, &told, err);
    if (rc == PV_OK && told.n > 0 && embedded(a->kind) && !a->quiet)
        rc = touch_owner(a, tx, g, &told, err);
    buf_free(&told.text);
    return rc;
}

/* Rows that whoever kept the owner so far has made; the entry of this provider does not know them. */
static int apply_shared(struct apply *a, struct store_tx *tx, struct group *g, struct pv_err *err)
{
    struct model_value owner = value_ref(&g->owner->id);
    struct arena *arena = tx_arena(tx);
    struct model_row **rows;
    struct pv_id *ids;
    size_t n;
    int rc = tx_find(tx, a->kind->kind->number, (unsigned)a->kind->owner, &owner, CHUNK, arena, &ids, &n, err);

    if (rc != PV_OK)
        return rc;
    rows = arena_alloc(arena, (n + 1) * sizeof(*rows));
    if (!rows)
        return pv_fail(err, PV_ENOMEM, "no memory to compare rows");
    if (n > 0)
        rc = tx_rows_get(tx, a->kind->kind->number, ids, n, false, arena, rows, err);
    return rc == PV_OK ? apply_group(a, tx, g, rows, n, err) : rc;
}

static int apply_chunk(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct apply *a = arg;
    struct arena *arena = tx_arena(tx);
    size_t n = 0, at = 0;
    struct pv_id *ids;
    struct model_row **rows;
    int rc = events_begin(&a->events, tx, err);

    a->written = 0;
    for (size_t i = 0; i < a->n; i++)
        n += a->groups[i].owner->kids[a->kind->child].n;
    ids = arena_alloc(arena, (n + 1) * sizeof(*ids));
    rows = arena_alloc(arena, (n + 1) * sizeof(*rows));
    if (!ids || !rows)
        return pv_fail(err, PV_ENOMEM, "no memory to compare rows");
    for (size_t i = 0; i < a->n; i++) {
        const struct inv_kids *kids = &a->groups[i].owner->kids[a->kind->child];

        if (kids->n > 0)
            memcpy(&ids[at], kids->ids, kids->n * sizeof(*ids));
        at += kids->n;
    }
    if (rc == PV_OK && n > 0)
        rc = tx_rows_get(tx, a->kind->kind->number, ids, n, false, arena, rows, err);
    at = 0;
    for (size_t i = 0; rc == PV_OK && i < a->n; i++) {
        size_t have = a->groups[i].owner->kids[a->kind->child].n;

        rc = of_shared(&a->groups[i]) ? apply_shared(a, tx, &a->groups[i], err)
                                      : apply_group(a, tx, &a->groups[i], rows + at, have, err);
        at += have;
    }
    return rc;
}

static void keep_open(struct apply *a, const struct group *g, uint32_t i, struct inv_kids *kids)
{
    for (unsigned s = 0; s < a->kind->nslots; s++) {
        const struct model_field *f = a->kind->slots[s];
        const char *text;
        size_t len;

        /* References among siblings have no second chance: they come together. */
        if ((f->type != MODEL_REF && f->type != MODEL_REFS) || a->core->kinds[f->ref].child >= 0)
            continue;
        text = sdk_record_text(a->batch, g->first + i, (unsigned)f->slot, &len);
        if (text && len > 0 &&
            !references_add(a->provider, a->kind->kind->number, &g->ids[i], f->index, &g->owner->id,
                            g->hash, text, len))
            kids->hash = 0;
    }
}

static void remember_group(struct apply *a, struct group *g)
{
    struct inv_kids *kids = &g->owner->kids[a->kind->child];
    struct pv_id *ids = NULL;

    if (g->count > 0) {
        ids = malloc(g->count * sizeof(*ids));
        if (!ids) {
            log_msg(PV_LOG_ERROR, "core.memory", "no memory for devices of an object");
            return;
        }
        memcpy(ids, g->ids, g->count * sizeof(*ids));
    }
    free(kids->ids);
    kids->ids = ids;
    kids->n = g->owner->borrowed ? 0 : g->count;
    kids->hash = g->hash;
    for (uint32_t i = 0; i < g->count; i++)
        if (g->open[i])
            keep_open(a, g, i, kids);
}

static int write_chunk(struct apply *a, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *arena = NULL;
    int rc;

    if (a->n == 0)
        return PV_OK;
    arena = arena_new(1u << 14, 4u << 20);
    for (size_t i = 0; i < a->n; i++) {
        struct group *g = &a->groups[i];

        g->ids = arena ? arena_alloc(arena, (g->count + 1) * sizeof(*g->ids)) : NULL;
        g->open = arena ? arena_alloc(arena, g->count + 1) : NULL;
        if (!g->ids || !g->open)
            return pv_fail(err, PV_ENOMEM, "no memory to apply a batch");
    }
    rc = store_write(a->core->store, apply_chunk, a, err);
    if (rc == PV_OK)
        for (size_t i = 0; i < a->n; i++)
            remember_group(a, &a->groups[i]);
    if (rc == PV_OK)
        atomic_fetch_add(&a->core->n_written, a->written);
    a->n = a->records = 0;
    return rc;
}

static void apply_init(struct apply *a, struct provider *p, const struct sdk_batch *b)
{
    a->provider = p;
    a->core = p->core;
    a->kind = &p->core->kinds[b->kind->number];
    a->owner_kind = &p->core->kinds[b->kind->owner];
    a->batch = b;
    a->quiet = p->first_import;
    provider_copy_name(p, a->provider_name, sizeof(a->provider_name));
    events_init(&a->events, p->core);
}

/* The records from `i` that have the same owner; their hash depends on their order. */
static uint32_t group_length(const struct core *c, const struct sdk_batch *b, uint32_t i,
                             uint64_t *hash)
{
    const char *owner = sdk_record_owner(b, i);
    uint32_t n = 0;

    *hash = 0x9e3779b97f4a7c15ull;
    for (; i + n < b->count && strcmp(sdk_record_owner(b, i + n), owner) == 0; n++)
        *hash = (*hash ^ sdk_record_hash(b, i + n, c->hash_key)) * 0x100000001b3ull;
    *hash |= 1;
    return n;
}

int children_apply(struct provider *p, const struct sdk_batch *b, struct pv_err *err)
{
    struct core *c = p->core;
    struct apply *a = calloc(1, sizeof(*a));
    uint32_t n;
    int rc = PV_OK;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory to apply a batch");
    apply_init(a, p, b);
    for (uint32_t i = 0; rc == PV_OK && i < b->count; i += n) {
        const char *owner = sdk_record_owner(b, i);
        struct inv_entry *e = inventory_find(p, b->kind->owner, owner, strlen(owner));
        bool none = sdk_record_native_id(b, i)[0] == '\0';
        struct group *g = &a->groups[a->n];
        uint64_t hash;

        n = group_length(c, b, i, &hash);
        if (!e) {
            atomic_fetch_add(&c->n_dropped, n);
            continue;
        }
        if (!e->kids && !(e->kids = calloc(CHILD_KINDS, sizeof(*e->kids)))) {
            rc = pv_fail(err, PV_ENOMEM, "no memory for devices of an object");
            break;
        }
        /* What another provider writes to the rows of a shared owner is not known here. */
        if (e->kids[a->kind->child].hash == hash && !e->shared)
            continue;
        /* It has none and had none: nothing to write. */
        if (none && n == 1 && !e->shared && e->kids[a->kind->child].n == 0) {
            e->kids[a->kind->child].hash = hash;
            continue;
        }
        *g = (struct group){ .owner = e, .first = i, .count = none && n == 1 ? 0 : n, .hash = hash };
        tasks_cause(c, &e->id, &g->cause);
        a->records += n;
        if (++a->n == GROUPS || a->records >= CHUNK)
            rc = write_chunk(a, err);
    }
    if (rc == PV_OK)
        rc = write_chunk(a, err);
    events_free(&a->events);
    free(a);
    return rc;
}

/* Children the provider has named as removed: the owner's others stay. */
struct removal {
    struct apply base;
    struct group group;
    const char *native_id;
};

static int remove_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct removal *r = arg;
    struct apply *a = &r->base;
    const struct inv_kids *kids = &r->group.owner->kids[a->kind->child];
    struct arena *arena = tx_arena(tx);
    struct model_row **rows = arena_alloc(arena, (kids->n + 1) * sizeof(*rows));
    const struct model_row *row = NULL;
    struct told told = { .n = 0 };
    int rc = events_begin(&a->events, tx, err);

    r->group.ids = NULL;
    if (!rows)
        return pv_fail(err, PV_ENOMEM, "no memory to compare rows");
    if (rc == PV_OK && kids->n > 0)
        rc = tx_rows_get(tx, a->kind->kind->number, kids->ids, kids->n, false, arena, rows, err);
    if (rc == PV_OK && kids->n > 0)
        row = row_of(a->kind, rows, kids->n, r->native_id);
    if (!row)
        return rc;
    buf_init(&told.text, 60000);
    jsonw_init(&told.w, &told.text);
    jsonw_array(&told.w, NULL);
    tell_whole(&told, a->kind, row, false);
    rc = own_event(a, tx, &r->group, row, "gone", 0, NULL, err);
    if (rc == PV_OK)
        rc = tx_row_delete(tx, a->kind->kind->number, &row->id, err);
    if (rc == PV_OK && embedded(a->kind) && !a->quiet)
        rc = touch_owner(a, tx, &r->group, &told, err);
    buf_free(&told.text);
    return rc;
}

int children_gone(struct provider *p, const struct sdk_batch *b, struct pv_err *err)
{
    struct removal *r = calloc(1, sizeof(*r));
    int rc = PV_OK;

    if (!r)
        return pv_fail(err, PV_ENOMEM, "no memory to apply a batch");
    apply_init(&r->base, p, b);
    for (uint32_t i = 0; rc == PV_OK && i < b->count; i++) {
        const char *owner = sdk_record_owner(b, i);
        struct inv_entry *e = inventory_find(p, b->kind->owner, owner, strlen(owner));

        if (!e || !e->kids)
            continue;
        r->group = (struct group){ .owner = e };
        r->native_id = sdk_record_native_id(b, i);
        tasks_cause(p->core, &e->id, &r->group.cause);
        rc = store_write(p->core->store, remove_tx, r, err);
        /* The ids stay: one that has no row any more is no match. The next record of the owner is compared. */
        e->kids[r->base.kind->child].hash = 0;
    }
    events_free(&r->base.events);
    free(r);
    return rc;
}
