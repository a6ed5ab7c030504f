/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/kinds.h"

static int no_memory(struct pv_err *err)
{
    return pv_fail(err, PV_ENOMEM, "no memory for rows");
}

static bool skipped(const struct rows_want *w, const struct model_field *f)
{
    return f->type == MODEL_REFS || ((f->flags & MODEL_SECRET) && !w->secrets);
}

/* The provider: shown with its name, driver, family and whether it is made up. */
static bool is_provider(const struct model_field *f)
{
    return f->type == MODEL_REF && f->ref == PV_KIND_provider;
}

static bool ref_has_name(const struct model_field *f)
{
    return kind_fields(model_kind(f->ref))->name != UINT16_MAX;
}

/* SELECT id, columns ... FROM table t */
static void select_text(struct query *q, const struct rows_want *w)
{
    query_text(q, "SELECT t.\"id\"");
    for (size_t i = 0; i < w->nfields; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];

        if (skipped(w, f))
            continue;
        if (f->flags & MODEL_COMPUTED) {
            query_text(q, ",");
            field_computed_sql(q, f, "t.");
        } else {
            query_text(q, ",t.\"");
            query_text(q, f->name);
            query_text(q, "\"");
        }
    }
    query_printf(q, " FROM %s t", w->kind->table);
}

/* Names of what references point at. Rows share few of them: looking each up once is cheaper than a
 * join per row. */
#define NAME_SLOTS 256

struct names {
    struct conn *conn;
    struct arena *a;
    struct name_slot {
        const struct model_kind *kind; /* NULL: free */
        struct pv_id id;
        const char *name; /* NULL: there is no such object */
    } * slots;
    const struct model_provider *provider; /* the last one */
};

static bool names_init(struct names *n, struct conn *c, struct arena *a)
{
    *n = (struct names){ .conn = c,
                         .a = a,
                         .slots = arena_alloc(a, NAME_SLOTS * sizeof(*n->slots)) };
    return n->slots != NULL;
}

static int look_up(struct names *n, const struct model_kind *kind, const struct pv_id *id,
                   const char *columns, struct stmt **out, bool *found, struct pv_err *err)
{
    char text[160];
    struct sql sql;
    int rc;

    snprintf(text, sizeof(text), "SELECT %s FROM %s WHERE \"id\"=$1", columns, kind->table);
    sql = sql_make(text);
    rc = conn_stmt(n->conn, &sql, out, err);
    if (rc != PV_OK)
        return rc;
    stmt_id(*out, 1, id);
    return stmt_step(*out, found, err);
}

static int name_of(struct names *n, const struct model_kind *kind, const struct pv_id *id,
                   const char **out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    /* The end of an id is random. */
    struct name_slot *slot = &n->slots[id->b[15]];
    bool found = false;
    int rc = PV_OK;

    if (slot->kind != kind || !id_eq(&slot->id, id)) {
        rc = look_up(n, kind, id, "\"name\"", &st, &found, err);
        if (rc != PV_OK)
            return rc;
        *slot = (struct name_slot){ .kind = kind, .id = *id };
        if (found && !col_strdup(st, 0, n->a, &slot->name, NULL)) {
            slot->kind = NULL;
            return no_memory(err);
        }
    }
    *out = slot->name;
    return rc;
}

static int provider_of(struct names *n, const struct pv_id *id, const struct model_provider **out,
                       struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct model_provider *p;
    bool found = false;
    int rc;

    if (n->provider && id_eq(&n->provider->id, id)) {
        *out = n->provider;
        return PV_OK;
    }
    rc = look_up(n, model_kind(PV_KIND_provider), id,
                 "\"name\",\"driver\",\"family\",\"simulated\"", &st, &found, err);
    if (rc != PV_OK)
        return rc;
    p = arena_alloc(n->a, sizeof(*p));
    if (!p)
        return no_memory(err);
    *p = (struct model_provider){ .id = *id, .name = "", .driver = "" };
    if (found) {
        if (!col_strdup(st, 0, n->a, &p->name, NULL) || !col_strdup(st, 1, n->a, &p->driver, NULL))
            return no_memory(err);
        p->name = p->name ? p->name : "";
        p->driver = p->driver ? p->driver : "";
        p->family = (enum pv_family)col_int(st, 2);
        p->simulated = col_int(st, 3) != 0;
    }
    n->provider = *out = p;
    return PV_OK;
}

static bool read_value(struct stmt *st, const struct model_field *f, int col, struct arena *a,
                       struct model_value *v)
{
    if (col_null(st, col))
        return true;
    v->set = true;
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        return col_strdup(st, col, a, &v->text, &v->len);
    case MODEL_REF:
        col_id(st, col, &v->id);
        return true;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REFS:
        break;
    }
    v->number = col_int(st, col);
    return true;
}

/* The name (and of the provider its summary) of what a field refers to. */
static int read_name(const struct rows_want *w, const struct model_field *f, struct names *names,
                     struct model_row *row, struct pv_err *err)
{
    struct model_value *v = &row->values[f->index];
    int rc = PV_OK;

    if (!v->set || (w->owned && f->index == kind_fields(w->kind)->owner))
        return PV_OK;
    if (is_provider(f)) {
        rc = provider_of(names, &v->id, &row->provider, err);
        if (rc == PV_OK)
            v->text = row->provider->name;
    } else if (ref_has_name(f)) {
        rc = name_of(names, model_kind(f->ref), &v->id, &v->text, err);
    }
    return rc;
}

/* The present row of select_text()'s statement, into a row that is zero. */
static int read_row(struct stmt *st, const struct rows_want *w, struct names *names,
                    struct model_row *row, struct pv_err *err)
{
    int col = 1, rc = PV_OK;

    row->kind = w->kind;
    row->values = arena_alloc(names->a, w->kind->nfields * sizeof(*row->values));
    if (!row->values)
        return no_memory(err);
    col_id(st, 0, &row->id);
    for (size_t i = 0; i < w->nfields && rc == PV_OK; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];

        if (skipped(w, f))
            continue;
        if (!read_value(st, f, col++, names->a, &row->values[f->index]))
            return no_memory(err);
        if (w->names && f->type == MODEL_REF)
            rc = read_name(w, f, names, row, err);
    }
    return rc;
}

struct id_place {
    struct pv_id id;
    size_t place;
};

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct id_place *)a)->id.b, ((const struct id_place *)b)->id.b, 16);
}

/* Ids with their places, sorted. */
static struct id_place *places_of(const struct pv_id *ids, size_t n, struct arena *a)
{
    struct id_place *places = arena_alloc(a, n * sizeof(*places));

    if (!places)
        return NULL;
    for (size_t i = 0; i < n; i++)
        places[i] = (struct id_place){ ids[i], i };
    qsort(places, n, sizeof(*places), by_id);
    return places;
}

/* The first of the places with this id (an id may stand several times); NULL: none. */
static const struct id_place *place_find(const struct id_place *places, size_t n,
                                         const struct pv_id *id)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (memcmp(places[mid].id.b, id->b, 16) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < n && id_eq(&places[low].id, id) ? &places[low] : NULL;
}

/* The references of one REFS field of all rows, with names if wanted. */
static int read_refs(struct names *names, const struct rows_want *w, const struct model_field *f,
                     const struct pv_id *ids, size_t n, const struct id_place *places,
                     struct model_row **rows, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct model_ref *refs = NULL;
    struct model_value *v = NULL;
    struct pv_id owner = { 0 };
    size_t cap = 0;
    bool row = true;
    int rc;

    query_init(&q);
    query_printf(&q, "SELECT l.id,l.ref FROM %s_%s l WHERE l.id IN ", w->kind->table, f->name);
    query_ids(&q, ids, n);
    query_text(&q, " ORDER BY l.id,l.ref");
    rc = query_stmt(&q, names->conn, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct pv_id id;
        struct model_ref *ref;

        col_id(st, 0, &id);
        if (!v || !id_eq(&id, &owner)) {
            const struct id_place *p = place_find(places, n, &id);

            if (!p || !rows[p->place])
                continue;
            owner = id;
            v = &rows[p->place]->values[f->index];
            refs = NULL;
            cap = 0;
        }
        if (v->len == cap) {
            struct model_ref *more = arena_alloc(names->a, (cap ? cap * 2 : 4) * sizeof(*more));

            if (!more)
                return no_memory(err);
            if (cap)
                memcpy(more, refs, cap * sizeof(*more));
            refs = more;
            cap = cap ? cap * 2 : 4;
            v->refs = refs;
        }
        ref = &refs[v->len++];
        col_id(st, 1, &ref->id);
        if (w->names && ref_has_name(f))
            rc = name_of(names, model_kind(f->ref), &ref->id, &ref->name, err);
    }
    return rc;
}

int rows_get(struct conn *c, const struct rows_want *w, const struct pv_id *ids, size_t n,
             struct arena *a, struct model_row **rows, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct id_place *places;
    struct names names;
    bool row = true;
    int rc;

    memset(rows, 0, n * sizeof(struct model_row *));
    if (n == 0)
        return PV_OK;
    query_init(&q);
    places = places_of(ids, n, a);
    if (!places || !names_init(&names, c, a))
        return no_memory(err);
    select_text(&q, w);
    query_text(&q, " WHERE t.\"id\" IN ");
    query_ids(&q, ids, n);
    rc = query_stmt(&q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        const struct id_place *p;
        struct model_row *r = arena_alloc(a, sizeof(*r));

        if (!r)
            return no_memory(err);
        rc = read_row(st, w, &names, r, err);
        for (p = place_find(places, n, &r->id); p && p < places + n && id_eq(&p->id, &r->id); p++)
            rows[p->place] = r;
    }
    for (size_t i = 0; i < w->nfields && rc == PV_OK; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];

        if (f->type != MODEL_REFS)
            continue;
        /* A set is never null: without links it is empty. */
        for (size_t j = 0; j < n; j++)
            if (rows[j])
                rows[j]->values[f->index].set = true;
        rc = read_refs(&names, w, f, ids, n, places, rows, err);
    }
    return rc;
}

/* Children read so far, in order of owner and id once they are sorted. */
struct child_list {
    struct child {
        struct pv_id owner;
        struct model_row row;
    } * items;
    size_t n, cap;
};

static int by_owner(const void *a, const void *b)
{
    const struct child *x = a, *y = b;
    int diff = memcmp(x->owner.b, y->owner.b, 16);

    return diff ? diff : memcmp(x->row.id.b, y->row.id.b, 16);
}

static struct child *child_add(struct child_list *l, struct arena *a)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct child *more = arena_alloc(a, cap * sizeof(*more));

        if (!more)
            return NULL;
        if (l->n)
            memcpy(more, l->items, l->n * sizeof(*more));
        l->items = more;
        l->cap = cap;
    }
    return &l->items[l->n++];
}

static int read_children(struct conn *c, const struct rows_want *w, const struct pv_id *owners,
                         size_t n, struct arena *a, struct child_list *out, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct names names;
    uint16_t owner = kind_fields(w->kind)->owner;
    bool row = true;
    int rc;

    query_init(&q);
    if (!names_init(&names, c, a))
        return no_memory(err);
    select_text(&q, w);
    query_text(&q, " WHERE t.\"owner\" IN ");
    query_ids(&q, owners, n);
    rc = query_stmt(&q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct child *child = child_add(out, a);

        if (!child)
            return no_memory(err);
        rc = read_row(st, w, &names, &child->row, err);
        child->owner = child->row.values[owner].id;
    }
    if (rc == PV_OK && out->n)
        qsort(out->items, out->n, sizeof(*out->items), by_owner);
    return rc;
}

/* Hand out the sorted children to their owners, as the member number `place` of each; `owned`: with
 * the owner's name. */
static int give_children(const struct child_list *l, const struct model_kind *kind,
                         struct model_row *const *rows, const struct id_place *owners, size_t n,
                         size_t place, bool owned, struct arena *a, struct pv_err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct model_row *parent = rows[owners[i].place];
        struct model_children *mine = &parent->children[place];
        size_t end;

        mine->kind = kind;
        while (at < l->n && memcmp(l->items[at].owner.b, owners[i].id.b, 16) < 0)
            at++;
        for (end = at; end < l->n && id_eq(&l->items[end].owner, &owners[i].id); end++)
            ;
        if (end == at)
            continue;
        mine->rows = arena_alloc(a, (end - at) * sizeof(*mine->rows));
        if (!mine->rows)
            return no_memory(err);
        for (; at < end; at++) {
            if (owned)
                l->items[at].row.values[kind_fields(kind)->owner].text =
                    model_text(parent, kind_fields(parent->kind)->name);
            mine->rows[mine->nrows++] = l->items[at].row;
        }
    }
    return PV_OK;
}

int rows_children(struct conn *c, const struct model_shape *shape, struct model_row *const *rows,
                  size_t n, struct arena *a, struct pv_err *err)
{
    struct id_place *owners;
    struct pv_id *ids;
    size_t nkinds = 0, nrows = 0;
    int rc = PV_OK;

    while (shape->children && shape->children[nkinds])
        nkinds++;
    if (nkinds == 0 || n == 0)
        return PV_OK;
    owners = arena_alloc(a, n * sizeof(*owners));
    ids = arena_alloc(a, n * sizeof(*ids));
    if (!owners || !ids)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        if (!rows[i] || rows[i]->children)
            continue;
        rows[i]->children = arena_alloc(a, (nkinds + 1) * sizeof(*rows[i]->children));
        if (!rows[i]->children)
            return no_memory(err);
        ids[nrows] = rows[i]->id;
        owners[nrows++] = (struct id_place){ rows[i]->id, i };
    }
    if (nrows == 0)
        return PV_OK;
    qsort(owners, nrows, sizeof(*owners), by_id);
    for (size_t k = 0; k < nkinds && rc == PV_OK; k++) {
        const struct model_shape *s = shape->children[k];
        struct rows_want w = { .kind = s->kind, .names = true };
        struct child_list list = { 0 };
        uint16_t *fields = arena_alloc(a, (s->nfields + 1) * sizeof(*fields));
        uint16_t owner = kind_fields(s->kind)->owner;

        if (!fields || owner == UINT16_MAX)
            return no_memory(err);
        for (size_t i = 0; i < s->nfields; i++)
            if (s->fields[i] != owner)
                fields[w.nfields++] = s->fields[i];
        fields[w.nfields++] = owner;
        w.fields = fields;
        /* Where the owners were read with their names, nobody needs to look those up. */
        w.owned = model_shape_wants(shape, kind_fields(shape->kind)->name);
        rc = read_children(c, &w, ids, nrows, a, &list, err);
        if (rc == PV_OK)
            rc = give_children(&list, s->kind, rows, owners, nrows, k, w.owned, a, err);
    }
    return rc;
}

int rows_want_all(const struct model_kind *k, struct arena *a, struct rows_want *out,
                  struct pv_err *err)
{
    uint16_t *fields = arena_alloc(a, k->nfields * sizeof(*fields));

    *out = (struct rows_want){ .kind = k, .fields = fields };
    if (!fields)
        return no_memory(err);
    for (size_t i = 0; i < k->nfields; i++)
        if (!(k->fields[i].flags & MODEL_COMPUTED))
            fields[out->nfields++] = (uint16_t)i;
    return PV_OK;
}

int rows_insert_text(const struct model_kind *k, char **out, struct pv_err *err)
{
    struct buf text;
    unsigned place = 1;

    buf_init(&text, 1u << 20);
    buf_printf(&text, "INSERT INTO %s (\"id\"", k->table);
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *f = &k->fields[i];

        if (field_has_column(f))
            buf_printf(&text, ",\"%s\"", f->name);
        if (field_has_fold(f))
            buf_printf(&text, ",\"%s_f\"", f->name);
    }
    buf_text(&text, ") VALUES ($1");
    for (size_t i = 0; i < k->nfields; i++) {
        if (field_has_column(&k->fields[i]))
            buf_printf(&text, ",$%u", ++place);
        if (field_has_fold(&k->fields[i]))
            buf_printf(&text, ",$%u", ++place);
    }
    buf_text(&text, ")");
    *out = buf_take(&text);
    return *out ? PV_OK : no_memory(err);
}
