/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: first which rows, in which order (ids and sort values alone), then the
 * rows by id in groups. So the sort never carries wide rows, and reading rows
 * is the same everywhere.
 */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/filter_sql.h"
#include "db/kinds.h"
#include "db/rows.h"
#include "db/store_priv.h"
#include "db/view.h"

#define GROUP 128
#define LIMIT_MAX 1000
#define FACET_VALUES 100
#define COMMON 500 /* rows: about what collecting and sorting them costs as much as a walk */
#define ARENA_FIRST (64u << 10)
#define ARENA_LIMIT (256u << 20)

PV_DEFINE_AUTO(arena_free, struct arena *)

struct key {
    const struct model_field *field; /* NULL: id */
    bool descending;
};

struct keys {
    struct key key[STORE_SORT_MAX + 1];
    size_t n;     /* with id, unless a sequence makes it needless */
    size_t nsort; /* without id */
};

static int make_keys(const struct store_query *q, struct keys *out, struct pv_err *err)
{
    const struct model_kind *k = q->shape->kind;
    uint16_t sequence = kind_fields(k)->sequence;
    bool descending = false;

    memset(out, 0, sizeof(*out));
    if (q->nsort > STORE_SORT_MAX)
        return pv_fail(err, PV_EINVAL, "a list can be sorted by %d fields at most", STORE_SORT_MAX);
    for (size_t i = 0; i < q->nsort; i++) {
        uint16_t field = q->sort[i].field;

        if (field >= k->nfields || !(k->fields[field].flags & MODEL_SORT))
            return pv_fail(err, PV_EINVAL, "%s cannot be sorted by field %u", k->plural, field);
        descending = q->sort[i].descending;
        out->key[out->n++] = (struct key){ &k->fields[field], descending };
        out->nsort = out->n;
        if (field == sequence)
            return PV_OK;
    }
    /* The same way as the key before, so that an index can be walked backwards too. */
    out->key[out->n++] = (struct key){ NULL, descending };
    return PV_OK;
}

static void key_sql(struct query *q, const struct key *k)
{
    if (k->field)
        field_sort_sql(q, k->field, "t.");
    else
        query_text(q, "t.\"id\"");
}

/* Sort values as bytes: type, length (text and blob), value. The id follows. */
static bool position_put(struct store_position *p, uint8_t type, const void *data, size_t len)
{
    if (p->len + 3 + len > sizeof(p->bytes))
        return false;
    p->bytes[p->len++] = type;
    p->bytes[p->len++] = (uint8_t)(len >> 8);
    p->bytes[p->len++] = (uint8_t)len;
    if (len)
        memcpy(p->bytes + p->len, data, len);
    p->len += len;
    return true;
}

static int position_make(struct stmt *st, const struct keys *keys, struct store_position *p,
                         struct pv_err *err)
{
    struct pv_id id;
    bool ok = true;

    p->len = 0;
    for (size_t i = 0; i < keys->nsort && ok; i++) {
        int col = (int)i + 1;
        size_t len;

        if (col_is_text(st, col)) {
            const char *text = col_text(st, col, &len);

            ok = position_put(p, QUERY_TEXT, text, len);
        } else {
            int64_t v = col_int(st, col);
            const void *data = &v;

            len = sizeof(v);
            if (keys->key[i].field->type == MODEL_REF)
                data = col_blob(st, col, &len);
            ok = position_put(p, keys->key[i].field->type == MODEL_REF ? QUERY_BLOB : QUERY_INT,
                              data, len);
        }
    }
    col_id(st, 0, &id);
    ok = ok && position_put(p, QUERY_BLOB, id.b, sizeof(id.b));
    return ok ? PV_OK
              : pv_fail_as(err, "limit-exceeded", "the sort values are too long to continue after");
}

/* Values point into the position. */
static int position_read(const struct store_position *p, const struct keys *keys,
                         struct query_value *values, struct pv_err *err)
{
    size_t at = 0;

    for (size_t i = 0; i <= keys->nsort; i++) {
        struct query_value *v = &values[i];
        size_t len;

        if (p->len > sizeof(p->bytes) || p->len - at < 3)
            return pv_fail_as(err, "cursor-mismatch", "the position is of another list");
        v->type = p->bytes[at];
        len = (size_t)p->bytes[at + 1] << 8 | p->bytes[at + 2];
        at += 3;
        if (len > p->len - at || (v->type == QUERY_INT && len != sizeof(v->number)) ||
            v->type == QUERY_NULL || v->type > QUERY_BLOB ||
            (i == keys->nsort && (v->type != QUERY_BLOB || len != 16)))
            return pv_fail_as(err, "cursor-mismatch", "the position is of another list");
        v->data = p->bytes + at;
        v->len = len;
        if (v->type == QUERY_INT)
            memcpy(&v->number, v->data, sizeof(v->number));
        at += len;
    }
    if (at != p->len)
        return pv_fail_as(err, "cursor-mismatch", "the position is of another list");
    return PV_OK;
}

static void put(struct query *q, const struct query_value *v)
{
    switch (v->type) {
    case QUERY_INT:
        query_int(q, v->number);
        break;
    case QUERY_TEXT:
        query_bind_text(q, (const char *)v->data, v->len);
        break;
    case QUERY_BLOB:
        query_blob(q, v->data, v->len);
        break;
    case QUERY_NULL:
        query_text(q, "NULL");
        break;
    }
}

static void compare(struct query *q, const struct keys *keys, const struct query_value *values,
                    size_t i, bool equal)
{
    key_sql(q, &keys->key[i]);
    query_text(q, equal ? "=" : keys->key[i].descending ? "<" : ">");
    put(q, &values[i]);
}

/* Keys before `stage` are equal, the key `stage` is beyond. */
static void stage_sql(struct query *q, const struct keys *keys, const struct query_value *values,
                      size_t stage)
{
    for (size_t i = 0; i < stage; i++) {
        compare(q, keys, values, i, true);
        query_text(q, " AND ");
    }
    compare(q, keys, values, stage, false);
}

/* All stages in one condition. */
static void beyond_sql(struct query *q, const struct keys *keys, const struct query_value *values)
{
    query_text(q, "(");
    for (size_t i = 0; i < keys->n; i++) {
        query_text(q, i ? " OR (" : "(");
        stage_sql(q, keys, values, i);
        query_text(q, ")");
    }
    query_text(q, ")");
}

/* WHERE by everything but the position. */
int list_where_sql(struct query *sql, const struct store_query *q,
                   const struct filter_common *common, struct arena *a, struct pv_err *err)
{
    const struct model_kind *k = q->shape->kind;
    const struct store_view *view = view_of(q->access, k);
    uint16_t presence = kind_fields(k)->presence;
    int rc = PV_OK;

    query_text(sql, " WHERE 1");
    if (view) {
        query_text(sql, " AND ");
        rc = view_sql(sql, k, view, common, q->nids > 0, a, err);
        if (rc != PV_OK)
            return rc;
    }
    if (q->nids) {
        query_text(sql, " AND t.\"id\" IN ");
        query_ids(sql, q->ids, q->nids);
    }
    if (q->owner) {
        if (!k->owner)
            return pv_fail(err, PV_EINTERNAL, "%s have no owner", k->plural);
        query_text(sql, " AND t.\"owner\"=");
        query_id(sql, q->owner);
    }
    if (q->self && k->number == PV_KIND_token) {
        query_text(sql, " AND t.\"user\"=");
        query_id(sql, q->self);
    }
    if (q->nids)
        return PV_OK;
    if (presence != UINT16_MAX && !q->with_gone &&
        !(q->filter && filter_names(q->filter, k, "presence")))
        query_printf(sql, " AND coalesce(t.\"presence\",0)<>%d", PV_PRESENCE_GONE);
    if (q->filter) {
        query_text(sql, " AND ");
        rc = filter_sql(sql, k, q->filter, common, true, q->access, a, err);
    }
    return rc;
}

/* The page: ids in order, and where it ends. */
struct page {
    struct pv_id *ids;
    size_t n, limit;
    struct store_position *last;
    bool more;
    struct filter_common common;
};

/* Rows of one statement, appended to the page. stage SIZE_MAX: all of it. */
static int run_stage(struct conn *c, const struct store_query *q, const struct keys *keys,
                     const struct query_value *values, size_t stage, struct arena *a,
                     struct page *page, struct pv_err *err)
{
    QUERY_AUTO struct query sql = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    size_t room = page->limit + 1 - page->n;
    size_t first = values && stage != SIZE_MAX ? stage : 0;
    bool row = true;
    int rc;

    query_init(&sql);
    query_text(&sql, "SELECT t.\"id\"");
    for (size_t i = 0; i < keys->nsort; i++) {
        query_text(&sql, ",");
        key_sql(&sql, &keys->key[i]);
    }
    query_printf(&sql, " FROM %s t", q->shape->kind->table);
    rc = list_where_sql(&sql, q, &page->common, a, err);
    if (rc != PV_OK)
        return rc;
    if (values) {
        query_text(&sql, " AND ");
        if (stage == SIZE_MAX)
            beyond_sql(&sql, keys, values);
        else
            stage_sql(&sql, keys, values, stage);
    }
    /* Keys that are equal in this stage order nothing, and the engine would sort by them all the
     * same. */
    for (size_t i = first; i < keys->n; i++) {
        query_text(&sql, i > first ? "," : " ORDER BY ");
        key_sql(&sql, &keys->key[i]);
        query_text(&sql, keys->key[i].descending ? " DESC" : "");
    }
    query_text(&sql, " LIMIT ");
    query_int(&sql, (int64_t)room);
    rc = query_stmt(&sql, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        if (page->n == page->limit) {
            page->more = true;
            break;
        }
        col_id(st, 0, &page->ids[page->n++]);
        if (page->n == page->limit && page->last)
            rc = position_make(st, keys, page->last, err);
    }
    return rc;
}

/* Do more rows match this term than are worth collecting and sorting? */
static int count_term(struct conn *c, const struct model_kind *k, const struct filter *f,
                      struct arena *a, struct filter_common *common, struct pv_err *err)
{
    QUERY_AUTO struct query sql = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = false;
    int rc;

    query_init(&sql);
    query_printf(&sql, "SELECT count(*) FROM (SELECT 1 FROM %s t WHERE ", k->table);
    rc = filter_sql(&sql, k, f, NULL, true, NULL, a, err);
    query_text(&sql, " LIMIT ");
    query_int(&sql, COMMON);
    query_text(&sql, ") c");
    if (rc == PV_OK)
        rc = query_stmt(&sql, c, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &row, err);
    if (rc == PV_OK && row && col_int(st, 0) == COMMON) {
        common->term[common->n] = f;
        common->field[common->n++] = f->field;
    }
    return rc;
}

/* Terms that all rows of the page must match and that are no way to find them: an index of states
 * gives half of all rows, which would then be sorted, where walking the index of the order ends
 * after a page. */
static int find_common(struct conn *c, const struct model_kind *k, const struct filter *f,
                       struct arena *a, struct filter_common *common, struct pv_err *err)
{
    int rc = PV_OK;

    if (f->type == FILTER_AND) {
        rc = find_common(c, k, f->left, a, common, err);
        return rc == PV_OK ? find_common(c, k, f->right, a, common, err) : rc;
    }
    if (common->n < PV_COUNT(common->field) && filter_indexed(f, k))
        rc = count_term(c, k, f, a, common, err);
    return rc;
}

static int find_page(struct conn *c, const struct store_query *q, struct arena *a,
                     struct page *page, struct pv_err *err)
{
    struct query_value values[STORE_SORT_MAX + 1];
    const struct store_position *after = q->after && q->after->len ? q->after : NULL;
    const struct store_view *view = view_of(q->access, q->shape->kind);
    const struct filter *seen = view ? view_filter(view, q->shape->kind) : NULL;
    struct keys keys;
    int rc = make_keys(q, &keys, err);

    if (rc == PV_OK && after)
        rc = position_read(after, &keys, values, err);
    if (rc == PV_OK && q->filter && keys.key[0].field && field_walks(keys.key[0].field))
        rc = find_common(c, q->shape->kind, q->filter, a, &page->common, err);
    if (rc == PV_OK && seen && keys.key[0].field && field_walks(keys.key[0].field))
        rc = find_common(c, q->shape->kind, seen, a, &page->common, err);
    if (rc != PV_OK)
        return rc;
    if (!after || !keys.key[0].field || !field_walks(keys.key[0].field))
        return run_stage(c, q, &keys, after ? values : NULL, SIZE_MAX, a, page, err);
    /* Each stage is a range of the index: first what ties with the last row, then the rest. */
    for (size_t stage = keys.n; stage > 0 && rc == PV_OK && !page->more; stage--)
        rc = run_stage(c, q, &keys, values, stage - 1, a, page, err);
    return rc;
}

/* ids= : these, in this order, of those that may be seen. */
static int given_page(struct conn *c, const struct store_query *q, struct arena *a,
                      struct page *page, struct pv_err *err)
{
    QUERY_AUTO struct query sql = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool *seen = arena_alloc(a, q->nids);
    bool row = true;
    int rc;

    if (!seen)
        return pv_fail(err, PV_ENOMEM, "no memory for a list");
    query_init(&sql);
    query_printf(&sql, "SELECT t.\"id\" FROM %s t", q->shape->kind->table);
    rc = list_where_sql(&sql, q, NULL, a, err);
    if (rc == PV_OK)
        rc = query_stmt(&sql, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct pv_id id;

        col_id(st, 0, &id);
        for (size_t i = 0; i < q->nids; i++)
            seen[i] = seen[i] || id_eq(&q->ids[i], &id);
    }
    for (size_t i = 0; i < q->nids && rc == PV_OK; i++)
        if (seen[i])
            page->ids[page->n++] = q->ids[i];
    return rc;
}

static int read_group(struct conn *c, const struct store_query *q, const struct pv_id *ids,
                      size_t n, store_row_fn each, void *ctx, struct arena *a, struct pv_err *err)
{
    const struct model_shape *s = q->shape;
    struct rows_want w = {
        .kind = s->kind, .fields = s->fields, .nfields = s->nfields, .names = true
    };
    struct model_row *rows[GROUP];
    int rc = rows_get(c, &w, ids, n, a, rows, err);

    if (rc == PV_OK)
        rc = rows_children(c, s, rows, n, a, err);
    for (size_t i = 0; i < n && rc == PV_OK; i++)
        if (rows[i])
            rc = each(ctx, rows[i], err);
    return rc;
}

static int list(struct conn *c, const struct store_query *q, store_row_fn each, void *ctx,
                struct store_position *last, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(ARENA_FIRST, ARENA_LIMIT);
    PV_AUTO_FREE struct pv_id *ids = NULL;
    struct page page = { .limit = q->nids ? q->nids : q->limit, .last = last };
    int rc;

    page.ids = ids = calloc(page.limit, sizeof(*ids));
    if (!a || !ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a list");
    rc = q->nids ? given_page(c, q, a, &page, err) : find_page(c, q, a, &page, err);
    for (size_t at = 0; at < page.n && rc == PV_OK; at += GROUP) {
        arena_reset(a);
        rc = read_group(c, q, ids + at, page.n - at < GROUP ? page.n - at : GROUP, each, ctx, a,
                        err);
    }
    if (last && !page.more)
        last->len = 0;
    return rc;
}

static int check(const struct store_query *q, struct pv_err *err)
{
    if (!kind_stored(q->shape->kind))
        return pv_fail(err, PV_EINTERNAL, "%s are not stored", q->shape->kind->plural);
    if (q->nids > LIMIT_MAX || (!q->nids && (q->limit < 1 || q->limit > LIMIT_MAX)))
        return pv_fail(err, PV_EINVAL, "a page has 1 to %d objects", LIMIT_MAX);
    return PV_OK;
}

int store_list(struct store *s, const struct store_query *q, store_row_fn each, void *ctx,
               struct store_position *last, struct pv_err *err)
{
    struct conn *c;
    int rc = check(q, err);

    if (rc == PV_OK)
        rc = store_reader(s, &c, err);
    if (rc == PV_OK)
        rc = conn_read_begin(c, err);
    if (rc != PV_OK)
        return rc;
    rc = list(c, q, each, ctx, last, err);
    conn_read_end(c);
    return rc;
}

int store_count(struct store *s, const struct store_query *q, uint64_t *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(ARENA_FIRST, ARENA_LIMIT);
    QUERY_AUTO struct query sql = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct conn *c;
    bool row = false;
    int rc;

    query_init(&sql);
    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a list");
    rc = store_reader(s, &c, err);
    query_printf(&sql, "SELECT count(*) FROM %s t", q->shape->kind->table);
    if (rc == PV_OK)
        rc = list_where_sql(&sql, q, NULL, a, err);
    if (rc == PV_OK)
        rc = query_stmt(&sql, c, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &row, err);
    if (rc == PV_OK)
        *out = row ? (uint64_t)col_int(st, 0) : 0;
    return rc;
}

/* The value of a facet as text, and its name. */
static void facet_text(struct stmt *st, const struct model_field *f, char id[PV_ID_TEXT],
                       const char **text, const char **name)
{
    struct pv_id ref;

    *name = NULL;
    if (f->type == MODEL_REF) {
        id[0] = '\0';
        col_id(st, 0, &ref);
        if (!id_is_zero(&ref))
            model_id_text(f->ref, &ref, id);
        *text = id;
        *name = col_null(st, 2) ? NULL : col_text(st, 2, NULL);
    } else if (f->type == MODEL_ENUM) {
        *text = model_enum_text(f->enum_id, col_int(st, 0));
    } else if (f->type == MODEL_BOOL) {
        *text = col_int(st, 0) ? "true" : "false";
    } else {
        *text = col_text(st, 0, NULL);
    }
}

/* The name of what `v` refers to; of providers it shows in every object anyway. */
static int facet_name_sql(struct query *sql, const struct store_query *q,
                          const struct model_kind *to, struct arena *a, struct pv_err *err)
{
    const struct store_view *view = to->number != PV_KIND_provider ? view_of(q->access, to) : NULL;
    int rc = PV_OK;

    query_printf(sql, "(SELECT t.\"name\" FROM %s t WHERE t.\"id\"=v", to->table);
    if (view) {
        query_text(sql, " AND ");
        rc = view_sql(sql, to, view, NULL, true, a, err);
    }
    query_text(sql, ")");
    return rc;
}

static int facet(struct conn *c, const struct store_query *q, const struct model_field *f,
                 struct arena *a, store_facet_fn each, void *ctx, struct pv_err *err)
{
    QUERY_AUTO struct query sql = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool names = f->type == MODEL_REF && kind_fields(model_kind(f->ref))->name != UINT16_MAX;
    bool row = true;
    int rc = PV_OK;

    query_init(&sql);
    query_text(&sql, "SELECT v,n,");
    if (names)
        rc = facet_name_sql(&sql, q, model_kind(f->ref), a, err);
    else
        query_text(&sql, "NULL");
    if (rc != PV_OK)
        return rc;
    query_text(&sql, " FROM (SELECT ");
    if (f->flags & MODEL_COMPUTED)
        field_computed_sql(&sql, f, "t.");
    else
        query_printf(&sql, "t.\"%s\"", f->name);
    query_printf(&sql, " AS v,count(*) AS n FROM %s t", q->shape->kind->table);
    rc = list_where_sql(&sql, q, NULL, a, err);
    query_text(&sql, " GROUP BY 1) g WHERE v IS NOT NULL ORDER BY n DESC,v LIMIT ");
    query_int(&sql, q->facet_limit ? q->facet_limit : FACET_VALUES);
    if (rc == PV_OK)
        rc = query_stmt(&sql, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        char id[PV_ID_TEXT];
        const char *text, *name;

        facet_text(st, f, id, &text, &name);
        rc = each(ctx, text, name, (uint64_t)col_int(st, 1));
    }
    return rc;
}

int store_facet(struct store *s, const struct store_query *q, unsigned field, store_facet_fn each,
                void *ctx, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(ARENA_FIRST, ARENA_LIMIT);
    const struct model_kind *k = q->shape->kind;
    struct conn *c;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a list");
    if (field >= k->nfields || (k->fields[field].flags & MODEL_SECRET) ||
        (k->fields[field].type != MODEL_ENUM && k->fields[field].type != MODEL_BOOL &&
         k->fields[field].type != MODEL_REF && k->fields[field].type != MODEL_STR))
        return pv_fail(err, PV_EINVAL, "%s cannot be counted by this field", k->plural);
    rc = store_reader(s, &c, err);
    return rc == PV_OK ? facet(c, q, &k->fields[field], a, each, ctx, err) : rc;
}
