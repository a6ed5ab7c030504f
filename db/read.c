/* SPDX-License-Identifier: Apache-2.0 */
/* Reading single rows, ids by value, bindings, sums and the event log. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/kinds.h"
#include "db/rows.h"
#include "db/store_priv.h"
#include "db/view.h"

#define EVENTS_GROUP 128
#define ARENA_FIRST (64u << 10)
#define ARENA_LIMIT (64u << 20)

PV_DEFINE_AUTO(arena_free, struct arena *)

static int row_get(struct conn *c, const struct model_shape *shape, const struct pv_id *id,
                   struct arena *a, struct model_row **out, struct pv_err *err)
{
    struct rows_want w = {
        .kind = shape->kind, .fields = shape->fields, .nfields = shape->nfields, .names = true
    };
    struct model_row *row = NULL;
    int rc = rows_get(c, &w, id, 1, a, &row, err);

    if (rc == PV_OK && !row)
        return pv_fail(err, PV_ENOENT, "there is no such %s", shape->kind->name);
    if (rc == PV_OK)
        rc = rows_children(c, shape, &row, 1, a, err);
    if (rc == PV_OK)
        *out = row;
    return rc;
}

int store_row_get(struct store *s, const struct model_shape *shape, const struct pv_id *id,
                  struct arena *a, struct model_row **out, struct pv_err *err)
{
    struct conn *c;
    int rc;

    if (!kind_stored(shape->kind))
        return pv_fail(err, PV_ENOENT, "there is no such %s", shape->kind->name);
    rc = store_reader(s, &c, err);
    if (rc == PV_OK)
        rc = conn_read_begin(c, err);
    if (rc != PV_OK)
        return rc;
    rc = row_get(c, shape, id, a, out, err);
    conn_read_end(c);
    return rc;
}

int store_secret_get(struct store *s, enum pv_kind kind, const struct pv_id *id, unsigned field,
                     struct arena *a, const char **out, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    struct model_row *row = NULL;
    struct rows_want w;
    struct conn *c;
    uint16_t one = (uint16_t)field;
    int rc;

    if (!k || !kind_stored(k) || field >= k->nfields || !(k->fields[field].flags & MODEL_SECRET))
        return pv_fail(err, PV_EINTERNAL, "field %u of kind %d is no secret", field, (int)kind);
    w = (struct rows_want){ .kind = k, .fields = &one, .nfields = 1, .secrets = true };
    rc = store_reader(s, &c, err);
    if (rc == PV_OK)
        rc = rows_get(c, &w, id, 1, a, &row, err);
    if (rc == PV_OK && !row)
        return pv_fail(err, PV_ENOENT, "there is no such %s", k->name);
    if (rc == PV_OK)
        *out = model_text(row, field);
    return rc;
}

/* WHERE the field equals the value, by the expression its index has. */
static int equals_sql(struct query *q, const struct model_field *f, const struct model_value *v,
                      struct arena *a, struct pv_err *err)
{
    struct buf fold;
    const char *folded;

    if (!v->set) {
        query_printf(q, "t.\"%s\" IS NULL", f->name);
        return PV_OK;
    }
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        break;
    case MODEL_REF:
        query_printf(q, "t.\"%s\"=", f->name);
        query_id(q, &v->id);
        return PV_OK;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REFS:
        if (field_walks(f))
            field_sort_sql(q, f, "t.");
        else
            query_printf(q, "t.\"%s\"", f->name);
        query_text(q, "=");
        query_int(q, v->number);
        return PV_OK;
    }
    if (field_walks(f)) {
        buf_init(&fold, 1u << 20);
        buf_text(&fold, "");
        str_fold(&fold, v->text, v->len);
        folded = buf_ok(&fold) ? arena_text(a, fold.data, fold.len) : NULL;
        buf_free(&fold);
        if (!folded)
            return pv_fail(err, PV_ENOMEM, "no memory to look for a text");
        field_sort_sql(q, f, "t.");
        query_text(q, "=");
        query_str(q, folded);
        query_text(q, " AND ");
    }
    query_printf(q, "t.\"%s\"=", f->name);
    query_bind_text(q, v->text, v->len);
    return PV_OK;
}

static int find(struct conn *c, enum pv_kind kind, unsigned field, const struct model_value *value,
                size_t max, struct arena *a, struct pv_id **ids, size_t *n, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct pv_id *found = NULL;
    size_t count = 0, cap = 0;
    bool row = true;
    int rc;

    query_init(&q);
    if (!k || !kind_stored(k) || field >= k->nfields || !field_has_column(&k->fields[field]))
        return pv_fail(err, PV_EINTERNAL, "kind %d has no field %u to look for", (int)kind, field);
    query_printf(&q, "SELECT t.\"id\" FROM %s t WHERE ", k->table);
    rc = equals_sql(&q, &k->fields[field], value, a, err);
    query_text(&q, " ORDER BY t.\"id\" LIMIT ");
    query_int(&q, max > INT32_MAX ? INT32_MAX : (int64_t)max);
    if (rc == PV_OK)
        rc = query_stmt(&q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        if (count == cap) {
            struct pv_id *more = arena_alloc(a, (cap ? cap * 2 : 8) * sizeof(*more));

            if (!more)
                return pv_fail(err, PV_ENOMEM, "no memory for ids");
            if (count)
                memcpy(more, found, count * sizeof(*more));
            cap = cap ? cap * 2 : 8;
            found = more;
        }
        col_id(st, 0, &found[count++]);
    }
    if (rc == PV_OK) {
        *ids = found;
        *n = count;
    }
    return rc;
}

int store_find(struct store *s, enum pv_kind kind, unsigned field, const struct model_value *value,
               size_t max, struct arena *a, struct pv_id **ids, size_t *n, struct pv_err *err)
{
    struct conn *c;
    int rc = store_reader(s, &c, err);

    return rc == PV_OK ? find(c, kind, field, value, max, a, ids, n, err) : rc;
}

int tx_find(struct store_tx *tx, enum pv_kind kind, unsigned field, const struct model_value *value,
            size_t max, struct arena *a, struct pv_id **ids, size_t *n, struct pv_err *err)
{
    return find(tx->conn, kind, field, value, max, a, ids, n, err);
}

static void binding_column(struct query *q, const struct model_kind *k, uint16_t field,
                           const char *without)
{
    if (field != UINT16_MAX)
        query_printf(q, ",\"%s\"", k->fields[field].name);
    else
        query_printf(q, ",%s", without);
}

int store_bindings(struct store *s, enum pv_kind kind, const struct pv_id *provider,
                   store_binding_fn each, void *ctx, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct conn *c;
    bool row = true;
    int rc;

    query_init(&q);
    if (!k || !(k->flags & MODEL_SYNCED))
        return pv_fail(err, PV_EINTERNAL, "kind %d is not bound to providers", (int)kind);
    query_text(&q, "SELECT \"id\"");
    binding_column(&q, k, kind_fields(k)->owner, "NULL");
    binding_column(&q, k, kind_fields(k)->native_id, "''");
    binding_column(&q, k, kind_fields(k)->identity, "''");
    binding_column(&q, k, kind_fields(k)->presence, "0");
    query_printf(&q, " FROM %s WHERE \"provider\"=", k->table);
    query_id(&q, provider);
    rc = store_reader(s, &c, err);
    if (rc == PV_OK)
        rc = query_stmt(&q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct store_binding b;

        col_id(st, 0, &b.id);
        col_id(st, 1, &b.owner);
        b.native_id = col_text(st, 2, NULL);
        b.identity = col_text(st, 3, NULL);
        b.presence = (enum pv_presence)col_int(st, 4);
        rc = each(ctx, &b, err);
    }
    return rc;
}

/* Rows of a grouping by provider: provider, value, count. */
static int tallies(struct store *s, struct query *q, struct arena *a, struct store_tally **out,
                   size_t *n, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct store_tally *list = NULL;
    size_t count = 0, cap = 0;
    struct conn *c;
    bool row = true;
    int rc = store_reader(s, &c, err);

    if (rc == PV_OK)
        rc = query_stmt(q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        if (count == cap) {
            struct store_tally *more = arena_alloc(a, (cap ? cap * 2 : 16) * sizeof(*more));

            if (!more)
                return pv_fail(err, PV_ENOMEM, "no memory for counts");
            if (count)
                memcpy(more, list, count * sizeof(*more));
            cap = cap ? cap * 2 : 16;
            list = more;
        }
        col_id(st, 0, &list[count].provider);
        list[count].value = col_int(st, 1);
        list[count++].count = (uint64_t)col_int(st, 2);
    }
    if (rc == PV_OK) {
        *out = list;
        *n = count;
    }
    return rc;
}

static int tally_from(struct query *q, const struct model_kind *k,
                      const struct store_access *access, struct arena *a, struct pv_err *err)
{
    const struct store_view *view = view_of(access, k);
    int rc = PV_OK;

    query_printf(q, " FROM %s t WHERE ", k->table);
    if (kind_fields(k)->presence != UINT16_MAX)
        query_printf(q, "coalesce(\"presence\",0)<>%d", PV_PRESENCE_GONE);
    else
        query_text(q, "1");
    if (view) {
        query_text(q, " AND ");
        rc = view_sql(q, k, view, NULL, false, a, err);
    }
    return rc;
}

static const char *provider_column(const struct model_kind *k)
{
    return kind_fields(k)->provider != UINT16_MAX ? "\"provider\"" : "NULL";
}

int store_tally(struct store *s, enum pv_kind kind, uint16_t field,
                const struct store_access *access, struct arena *a, struct store_tally **out,
                size_t *n, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    QUERY_AUTO struct query q = { 0 };
    int rc;

    query_init(&q);
    if (!k || !kind_stored(k) ||
        (field != UINT16_MAX && (field >= k->nfields || !field_has_column(&k->fields[field]))))
        return pv_fail(err, PV_EINTERNAL, "kind %d cannot be counted by field %u", (int)kind,
                       field);
    query_printf(&q, "SELECT %s,", provider_column(k));
    if (field == UINT16_MAX)
        query_text(&q, "0");
    else
        query_printf(&q, "coalesce(\"%s\",0)", k->fields[field].name);
    query_text(&q, ",count(*)");
    rc = tally_from(&q, k, access, a, err);
    query_text(&q, " GROUP BY 1,2 ORDER BY 1,2");
    return rc == PV_OK ? tallies(s, &q, a, out, n, err) : rc;
}

int store_sum(struct store *s, enum pv_kind kind, uint16_t field, const struct store_access *access,
              struct arena *a, struct store_tally **out, size_t *n, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    QUERY_AUTO struct query q = { 0 };
    int rc;

    query_init(&q);
    if (!k || !kind_stored(k) || field >= k->nfields || k->fields[field].type != MODEL_U64)
        return pv_fail(err, PV_EINTERNAL, "kind %d has no sum of field %u", (int)kind, field);
    query_printf(&q, "SELECT %s,coalesce(sum(\"%s\"),0),count(*)", provider_column(k),
                 k->fields[field].name);
    rc = tally_from(&q, k, access, a, err);
    query_text(&q, " GROUP BY 1 ORDER BY 1");
    return rc == PV_OK ? tallies(s, &q, a, out, n, err) : rc;
}

/* Ids of events after `since`. */
static int events_after(struct conn *c, uint64_t since, unsigned limit, struct pv_id *ids,
                        size_t *n, struct pv_err *err)
{
    const struct model_kind *k = model_kind(PV_KIND_event);
    const struct model_field *seq = &k->fields[F(event, seq)];
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = true;
    int rc;

    *n = 0;
    query_init(&q);
    query_printf(&q, "SELECT t.\"id\" FROM %s t WHERE ", k->table);
    field_sort_sql(&q, seq, "t.");
    query_text(&q, ">");
    query_int(&q, since > INT64_MAX ? INT64_MAX : (int64_t)since);
    query_text(&q, " ORDER BY ");
    field_sort_sql(&q, seq, "t.");
    query_text(&q, " LIMIT ");
    query_int(&q, limit);
    rc = query_stmt(&q, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row)
        col_id(st, 0, &ids[(*n)++]);
    return rc;
}

static int events_read(struct conn *c, const struct rows_want *w, const struct pv_id *ids, size_t n,
                       store_row_fn each, void *ctx, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(ARENA_FIRST, ARENA_LIMIT);
    int rc = a ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for events");

    for (size_t at = 0; at < n && rc == PV_OK; at += EVENTS_GROUP) {
        struct model_row *rows[EVENTS_GROUP];
        size_t group = n - at < EVENTS_GROUP ? n - at : EVENTS_GROUP;

        arena_reset(a);
        rc = rows_get(c, w, ids + at, group, a, rows, err);
        for (size_t i = 0; i < group && rc == PV_OK; i++)
            if (rows[i])
                rc = each(ctx, rows[i], err);
    }
    return rc;
}

int store_events_since(struct store *s, uint64_t since, unsigned limit,
                       const struct model_shape *shape, store_row_fn each, void *ctx,
                       struct pv_err *err)
{
    struct rows_want w = {
        .kind = shape->kind, .fields = shape->fields, .nfields = shape->nfields, .names = true
    };
    PV_AUTO_FREE struct pv_id *ids = NULL;
    struct conn *c;
    size_t n;
    int rc;

    if (shape->kind->number != PV_KIND_event || limit > 100000)
        return pv_fail(err, PV_EINTERNAL, "events are read by a shape of events, 100,000 at most");
    ids = calloc(limit ? limit : 1, sizeof(*ids));
    if (!ids)
        return pv_fail(err, PV_ENOMEM, "no memory for events");
    rc = store_reader(s, &c, err);
    if (rc == PV_OK)
        rc = conn_read_begin(c, err);
    if (rc != PV_OK)
        return rc;
    rc = events_after(c, since, limit, ids, &n, err);
    if (rc == PV_OK)
        rc = events_read(c, &w, ids, n, each, ctx, err);
    conn_read_end(c);
    return rc;
}

int store_event_bounds(struct store *s, uint64_t *oldest, uint64_t *newest, struct pv_err *err)
{
    /* Two look-ups at the ends of the index; both at once would walk it. */
    struct sql sql = sql_make("SELECT coalesce((SELECT min(coalesce(\"seq\",-1)) FROM k_event),0),"
                              "coalesce((SELECT max(coalesce(\"seq\",-1)) FROM k_event),0)");
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct conn *c;
    bool row = false;
    int rc = store_reader(s, &c, err);

    if (rc == PV_OK)
        rc = conn_stmt(c, &sql, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &row, err);
    if (rc == PV_OK) {
        *oldest = row ? (uint64_t)col_int(st, 0) : 0;
        *newest = row ? (uint64_t)col_int(st, 1) : 0;
    }
    return rc;
}
