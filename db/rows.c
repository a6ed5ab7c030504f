/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/kinds.h"
#include "db/names.h"

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

enum ids_what { IDS_ROWS, IDS_CHILDREN, IDS_REFS };

static void ids_text(struct query *q, enum ids_what what, const struct rows_want *w,
                     const struct model_field *f, const struct pv_id *ids, size_t n)
{
    if (what == IDS_REFS)
        query_printf(q, "SELECT l.id,l.ref FROM %s_%s l WHERE l.id IN ", w->kind->table, f->name);
    else
        select_text(q, w);
    if (what == IDS_ROWS)
        query_text(q, " WHERE t.\"id\" IN ");
    if (what == IDS_CHILDREN)
        query_text(q, " WHERE t.\"owner\" IN ");
    query_ids(q, ids, n);
    if (what == IDS_REFS)
        query_text(q, " ORDER BY l.id,l.ref");
}

#define KEY_FIELDS 256

/* Numbers as bytes that never end a text. */
static char *put_key(char *at, size_t number)
{
    *at++ = (char)(0x80 | (number & 0x7f));
    *at++ = (char)(0x80 | (number >> 7));
    return at;
}

/* A statement about rows by ids, bound. Its text is kilobytes, mostly the same as the last time: it
 * is kept by what it is made from. */
static int ids_stmt(struct conn *c, enum ids_what what, const struct rows_want *w,
                    const struct model_field *f, const struct pv_id *ids, size_t n,
                    struct stmt **out, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    char key[2 * KEY_FIELDS + 16];
    size_t places = query_ids_places(n);
    char *at = key;
    struct stmt *st;
    struct sql sql;

    if (w->nfields > KEY_FIELDS)
        return pv_fail(err, PV_EINTERNAL, "%s has too many fields", w->kind->name);
    at = put_key(at, (size_t)what << 1 | w->secrets);
    at = put_key(at, w->kind->number);
    at = put_key(at, places);
    if (what == IDS_REFS)
        at = put_key(at, f->index);
    else
        for (size_t i = 0; i < w->nfields; i++)
            at = put_key(at, w->fields[i]);
    *at = '\0';
    sql = sql_make(key);
    st = conn_kept(c, &sql);
    if (!st) {
        int rc;

        query_init(&q);
        ids_text(&q, what, w, f, ids, n);
        if (q.failed || !buf_ok(&q.text))
            return pv_fail(err, PV_ENOMEM, "the query is too large");
        rc = conn_stmt_as(c, &sql, q.text.data, &st, err);
        if (rc != PV_OK)
            return rc;
    }
    for (size_t i = 0; i < places; i++)
        stmt_id(st, (unsigned)i + 1, &ids[i < n ? i : n - 1]);
    *out = st;
    return PV_OK;
}

/* What reading the rows of one statement takes. */
struct reading {
    struct conn *conn;
    struct arena *a;
    const struct model_provider *provider; /* the last one: rows share it */
};

static bool read_value(struct stmt *st, const struct model_field *f, int col, struct arena *a,
                       struct model_value *v)
{
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        if (!col_strdup(st, col, a, &v->text, &v->len))
            return false;
        v->set = v->text != NULL;
        return true;
    case MODEL_REF:
        v->set = !col_null(st, col);
        if (v->set)
            col_id(st, col, &v->id);
        return true;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REFS:
        break;
    }
    v->set = col_get_int(st, col, &v->number);
    return true;
}

/* The name (and of the provider its summary) of what a field refers to. */
static int read_name(const struct rows_want *w, const struct model_field *f, struct reading *r,
                     struct model_row *row, struct pv_err *err)
{
    struct model_value *v = &row->values[f->index];
    int rc = PV_OK;

    if (!v->set || (w->owned && f->index == kind_fields(w->kind)->owner))
        return PV_OK;
    if (is_provider(f)) {
        if (!r->provider || !id_eq(&r->provider->id, &v->id))
            rc = names_provider(conn_names(r->conn), r->conn, &v->id, r->a, &r->provider, err);
        if (rc != PV_OK)
            return rc;
        row->provider = r->provider;
        v->text = r->provider->name;
    } else if (ref_has_name(f)) {
        rc = names_get(conn_names(r->conn), r->conn, model_kind(f->ref), &v->id, r->a, &v->text,
                       err);
    }
    return rc;
}

/* The present row of select_text()'s statement, into a row that is zero. */
static int read_row(struct stmt *st, const struct rows_want *w, struct reading *r,
                    struct model_row *row, struct pv_err *err)
{
    int col = 1, rc = PV_OK;

    row->kind = w->kind;
    row->values = arena_alloc(r->a, w->kind->nfields * sizeof(*row->values));
    if (!row->values)
        return no_memory(err);
    col_id(st, 0, &row->id);
    for (size_t i = 0; i < w->nfields && rc == PV_OK; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];

        if (skipped(w, f))
            continue;
        if (!read_value(st, f, col++, r->a, &row->values[f->index]))
            return no_memory(err);
        if (w->names && f->type == MODEL_REF)
            rc = read_name(w, f, r, row, err);
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
static int read_refs(struct reading *r, const struct rows_want *w, const struct model_field *f,
                     const struct pv_id *ids, size_t n, const struct id_place *places,
                     struct model_row **rows, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct model_ref *refs = NULL;
    struct model_value *v = NULL;
    struct pv_id owner = { 0 };
    size_t cap = 0;
    bool row = true;
    int rc;

    rc = ids_stmt(r->conn, IDS_REFS, w, f, ids, n, &st, err);
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
            struct model_ref *more = arena_alloc(r->a, (cap ? cap * 2 : 4) * sizeof(*more));

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
            rc = names_get(conn_names(r->conn), r->conn, model_kind(f->ref), &ref->id, r->a,
                           &ref->name, err);
    }
    return rc;
}

int rows_get(struct conn *c, const struct rows_want *w, const struct pv_id *ids, size_t n,
             struct arena *a, struct model_row **rows, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct reading reading = { .conn = c, .a = a };
    struct id_place *places;
    bool row = true;
    int rc;

    memset(rows, 0, n * sizeof(struct model_row *));
    if (n == 0)
        return PV_OK;
    places = places_of(ids, n, a);
    if (!places)
        return no_memory(err);
    rc = ids_stmt(c, IDS_ROWS, w, NULL, ids, n, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        const struct id_place *p;
        struct model_row *r = arena_alloc(a, sizeof(*r));

        if (!r)
            return no_memory(err);
        rc = read_row(st, w, &reading, r, err);
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
        rc = read_refs(&reading, w, f, ids, n, places, rows, err);
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
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct reading reading = { .conn = c, .a = a };
    uint16_t owner = kind_fields(w->kind)->owner;
    bool row = true;
    int rc = ids_stmt(c, IDS_CHILDREN, w, NULL, owners, n, &st, err);

    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct child *child = child_add(out, a);

        if (!child)
            return no_memory(err);
        rc = read_row(st, w, &reading, &child->row, err);
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
