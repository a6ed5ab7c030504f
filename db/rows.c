/* SPDX-License-Identifier: Apache-2.0 */
#include "db/rows.h"

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

/* SELECT id, columns ... FROM table t LEFT JOIN what references point at. */
static void select_text(struct query *q, const struct rows_want *w)
{
    query_text(q, "SELECT t.\"id\"");
    for (size_t i = 0; i < w->nfields; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];

        if (skipped(w, f))
            continue;
        query_text(q, ",");
        if (f->flags & MODEL_COMPUTED)
            field_computed_sql(q, f, "t.");
        else
            query_printf(q, "t.\"%s\"", f->name);
        if (!w->names || f->type != MODEL_REF)
            continue;
        if (is_provider(f))
            query_printf(q, ",j%zu.\"name\",j%zu.\"driver\",j%zu.\"family\",j%zu.\"simulated\"", i, i, i, i);
        else if (ref_has_name(f))
            query_printf(q, ",j%zu.\"name\"", i);
    }
    query_printf(q, " FROM %s t", w->kind->table);
    for (size_t i = 0; i < w->nfields; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];

        if (w->names && f->type == MODEL_REF && !skipped(w, f) && (is_provider(f) || ref_has_name(f)))
            query_printf(q, " LEFT JOIN %s j%zu ON j%zu.\"id\"=t.\"%s\"", model_kind(f->ref)->table, i, i,
                         f->name);
    }
}

/* The provider's summary; rows that follow each other mostly share it. */
static bool read_provider(struct stmt *st, int col, const struct pv_id *id, struct arena *a,
                          const struct model_provider **last, const struct model_provider **out)
{
    struct model_provider *p;

    if (*last && id_eq(&(*last)->id, id)) {
        *out = *last;
        return true;
    }
    p = arena_alloc(a, sizeof(*p));
    if (!p || !col_strdup(st, col, a, &p->name, NULL) || !col_strdup(st, col + 1, a, &p->driver, NULL))
        return false;
    p->id = *id;
    if (!p->name)
        p->name = "";
    if (!p->driver)
        p->driver = "";
    p->family = (enum pv_family)col_int(st, col + 2);
    p->simulated = col_int(st, col + 3) != 0;
    *last = *out = p;
    return true;
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

/* The present row of select_text()'s statement. `row` is zero but for nothing. */
static int read_row(struct stmt *st, const struct rows_want *w, struct arena *a,
                    const struct model_provider **last, struct model_row *row, struct pv_err *err)
{
    int col = 1;

    row->kind = w->kind;
    row->values = arena_alloc(a, w->kind->nfields * sizeof(*row->values));
    if (!row->values)
        return no_memory(err);
    col_id(st, 0, &row->id);
    for (size_t i = 0; i < w->nfields; i++) {
        const struct model_field *f = &w->kind->fields[w->fields[i]];
        struct model_value *v = &row->values[f->index];

        if (skipped(w, f))
            continue;
        if (!read_value(st, f, col++, a, v))
            return no_memory(err);
        if (!w->names || f->type != MODEL_REF)
            continue;
        if (is_provider(f)) {
            if (v->set && !read_provider(st, col, &v->id, a, last, &row->provider))
                return no_memory(err);
            if (v->set)
                v->text = row->provider->name;
            col += 4;
        } else if (ref_has_name(f)) {
            if (v->set && !col_strdup(st, col, a, &v->text, NULL))
                return no_memory(err);
            col++;
        }
    }
    return PV_OK;
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
static const struct id_place *place_find(const struct id_place *places, size_t n, const struct pv_id *id)
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
static int read_refs(struct conn *c, const struct rows_want *w, const struct model_field *f,
                     const struct pv_id *ids, size_t n, const struct id_place *places, struct arena *a,
                     struct model_row **rows, struct pv_err *err)
{
    QUERY_AUTO struct query q;
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    const struct model_kind *to = model_kind(f->ref);
    bool names = w->names && ref_has_name(f);
    struct model_ref *refs = NULL;
    struct model_value *v = NULL;
    struct pv_id owner = { 0 };
    size_t cap = 0;
    bool row = true;
    int rc;

    query_init(&q);
    query_printf(&q, "SELECT l.id,l.ref%s FROM %s_%s l", names ? ",r.\"name\"" : "", w->kind->table, f->name);
    if (names)
        query_printf(&q, " LEFT JOIN %s r ON r.\"id\"=l.ref", to->table);
    query_text(&q, " WHERE l.id IN ");
    query_ids(&q, ids, n);
    query_text(&q, " ORDER BY l.id,l.ref");
    rc = query_stmt(&q, c, &st, err);
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
            struct model_ref *more = arena_alloc(a, (cap ? cap * 2 : 4) * sizeof(*more));

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
        if (names && !col_strdup(st, 2, a, &ref->name, NULL))
            return no_memory(err);
    }
    return rc;
}

int rows_get(struct conn *c, const struct rows_want *w, const struct pv_id *ids, size_t n, struct arena *a,
             struct model_row **rows, struct pv_err *err)
{
    QUERY_AUTO struct query q;
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    const struct model_provider *last = NULL;
    struct id_place *places;
    bool row = true;
    int rc;

    memset(rows, 0, n * sizeof(struct model_row *));
    if (n == 0)
        return PV_OK;
    query_init(&q);
    places = places_of(ids, n, a);
    if (!places)
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
        rc = read_row(st, w, a, &last, r, err);
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
        rc = read_refs(c, w, f, ids, n, places, a, rows, err);
    }
    return rc;
}

/* Children read so far, in order of owner and id once they are sorted. */
struct child_list {
    struct child {
        struct pv_id owner;
        struct model_row row;
    } *items;
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

static int read_children(struct conn *c, const struct rows_want *w, const struct pv_id *owners, size_t n,
                         struct arena *a, struct child_list *out, struct pv_err *err)
{
    QUERY_AUTO struct query q;
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    const struct model_provider *last = NULL;
    uint16_t owner = kind_fields(w->kind)->owner;
    bool row = true;
    int rc;

    query_init(&q);
    select_text(&q, w);
    query_text(&q, " WHERE t.\"owner\" IN ");
    query_ids(&q, owners, n);
    rc = query_stmt(&q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct child *child = child_add(out, a);

        if (!child)
            return no_memory(err);
        rc = read_row(st, w, a, &last, &child->row, err);
        child->owner = child->row.values[owner].id;
    }
    if (rc == PV_OK && out->n)
        qsort(out->items, out->n, sizeof(*out->items), by_owner);
    return rc;
}

/* Hand out the sorted children to their owners, as the member number `place` of each. */
static int give_children(const struct child_list *l, const struct model_kind *kind,
                         struct model_row *const *rows, const struct id_place *owners, size_t n, size_t place,
                         struct arena *a, struct pv_err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        struct model_children *mine = &rows[owners[i].place]->children[place];
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
        for (; at < end; at++)
            mine->rows[mine->nrows++] = l->items[at].row;
    }
    return PV_OK;
}

int rows_children(struct conn *c, const struct model_shape *shape, struct model_row *const *rows, size_t n,
                  struct arena *a, struct pv_err *err)
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
        rc = read_children(c, &w, ids, nrows, a, &list, err);
        if (rc == PV_OK)
            rc = give_children(&list, s->kind, rows, owners, nrows, k, a, err);
    }
    return rc;
}

int rows_want_all(const struct model_kind *k, struct arena *a, struct rows_want *out, struct pv_err *err)
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
