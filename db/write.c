/* SPDX-License-Identifier: Apache-2.0 */
/* Writing rows of the model's kinds: columns, folded texts, links, search documents. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/kinds.h"
#include "db/rows.h"
#include "db/search.h"
#include "db/store_priv.h"

#define FOLD_MAX (8u << 20)

/* Says which value is taken: the engine names the columns ("k_tag.name_f") or the index. */
static int taken(const struct model_row *row, struct pv_err *err)
{
    const struct model_kind *k = row->kind;
    uint16_t name = kind_fields(k)->name;
    const struct model_field *f = NULL;

    if (!err)
        return PV_EEXIST;
    if (strstr(err->native_code, "native_id"))
        f = model_field_by_name(k, "native_id");
    else if (strstr(err->native_code, "name_f") || strstr(err->native_code, "index 'u_"))
        f = name != UINT16_MAX ? &k->fields[name] : NULL;
    if (f && f->index == name)
        pv_fail(err, PV_EEXIST, "a %s named \"%s\" exists already", k->name, model_text(row, name));
    else
        pv_fail_as(err, "conflict-exists", "this %s exists already", k->name);
    pv_err_pointer(err, "/%s", f ? f->path : "id");
    return PV_EEXIST;
}

static void bind_value(struct stmt *st, unsigned place, const struct model_field *f,
                       const struct model_value *v)
{
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        stmt_text(st, place, v->text, v->len);
        return;
    case MODEL_REF:
        stmt_id(st, place, &v->id);
        return;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REFS:
        break;
    }
    stmt_int(st, place, v->number);
}

/* The folded form, in the transaction's memory; the text itself where folding changes nothing. */
static bool fold_of(struct store_tx *tx, struct buf *scratch, const struct model_value *v,
                    const char **out, size_t *len)
{
    size_t i = 0;

    while (i < v->len && !(v->text[i] & 0x80) && !(v->text[i] >= 'A' && v->text[i] <= 'Z'))
        i++;
    if (i == v->len) {
        *out = v->text;
        *len = v->len;
        return true;
    }
    buf_reset(scratch);
    str_fold(scratch, v->text, v->len);
    *len = scratch->len;
    *out = buf_ok(scratch) ? arena_text(tx->arena, scratch->data, scratch->len) : NULL;
    return *out != NULL;
}

/* Key of what the record is about; of a device or snapshot that of its owner, of a task that of its
 * subject, so that one look tells who may see it. */
static int subject_key(struct store_tx *tx, const struct model_row *row, struct model_value *out,
                       struct pv_err *err)
{
    const struct model_field *f = model_field_by_name(row->kind, "subject_id");
    const char *text = f ? model_text(row, f->index) : "";
    const struct model_kind *k;
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool owned, found = false;
    int rc;

    out->set = model_id_parse(text, strlen(text), &k, &out->id);
    owned = out->set && k->owner != PV_KIND_NONE;
    if (!out->set || (!owned && kind_fields(k)->subject == UINT16_MAX))
        return PV_OK;
    query_init(&q);
    query_printf(&q, "SELECT \"%s\" FROM %s WHERE \"id\"=", owned ? "owner" : "subject", k->table);
    query_id(&q, &out->id);
    rc = query_stmt(&q, tx->conn, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &found, err);
    if (rc == PV_OK && found)
        col_id(st, 0, &out->id);
    return rc;
}

/* Columns of the insert in the order of rows_insert_text(); nulls need no binding. */
static int bind_insert(struct store_tx *tx, struct stmt *st, const struct model_row *row,
                       struct pv_err *err)
{
    const struct model_kind *k = row->kind;
    struct buf scratch;
    unsigned place = 1;
    int rc = PV_OK;

    buf_init(&scratch, FOLD_MAX);
    stmt_id(st, 1, &row->id);
    for (size_t i = 0; i < k->nfields && rc == PV_OK; i++) {
        const struct model_field *f = &k->fields[i];
        const struct model_value *v = &row->values[i];
        const char *text;
        size_t len;

        if (i == kind_fields(k)->subject && !v->set) {
            /* What is bound must last until the statement has run. */
            struct model_value *subject = arena_alloc(tx->arena, sizeof(*subject));

            rc = subject ? subject_key(tx, row, subject, err)
                         : pv_fail(err, PV_ENOMEM, "no memory for a subject");
            v = subject ? subject : v;
        }
        if (field_has_column(f)) {
            place++;
            if (v->set)
                bind_value(st, place, f, v);
        }
        if (field_has_fold(f)) {
            place++;
            if (!v->set)
                continue;
            if (fold_of(tx, &scratch, v, &text, &len))
                stmt_text(st, place, text, len);
            else
                rc = pv_fail(err, PV_ENOMEM, "no memory to fold %s", f->path);
        }
    }
    buf_free(&scratch);
    return rc;
}

/* Make the field's link table say what the value says. */
static int put_links(struct store_tx *tx, const struct model_row *row, const struct model_field *f,
                     bool fresh, struct pv_err *err)
{
    const struct model_value *v = &row->values[f->index];
    const struct kind_sql *sql = &tx->store->kinds[row->kind->number];
    PV_AUTO(stmt_done_p) struct stmt *del = NULL;
    PV_AUTO(stmt_done_p) struct stmt *add = NULL;
    int rc = PV_OK;

    if (!fresh) {
        rc = conn_stmt(tx->conn, &sql->unlink[f->index], &del, err);
        if (rc == PV_OK) {
            stmt_id(del, 1, &row->id);
            rc = stmt_run(del, err);
        }
    }
    if (rc != PV_OK || !v->set || v->len == 0)
        return rc;
    rc = conn_stmt(tx->conn, &sql->link[f->index], &add, err);
    for (size_t i = 0; i < v->len && rc == PV_OK; i++) {
        stmt_id(add, 1, &row->id);
        stmt_id(add, 2, &v->refs[i].id);
        rc = stmt_run(add, err);
        stmt_again(add);
    }
    return rc;
}

int tx_row_insert(struct store_tx *tx, const struct model_row *row, struct pv_err *err)
{
    const struct model_kind *k = row->kind;
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc;

    if (!kind_stored(k))
        return pv_fail(err, PV_EINTERNAL, "rows of %s are not stored", k->name);
    rc = conn_stmt(tx->conn, &tx->store->kinds[k->number].insert, &st, err);
    if (rc == PV_OK)
        rc = bind_insert(tx, st, row, err);
    if (rc == PV_OK)
        rc = stmt_run(st, err);
    if (rc == PV_EEXIST)
        return taken(row, err);
    for (size_t i = 0; i < k->nfields && rc == PV_OK; i++)
        if (k->fields[i].type == MODEL_REFS && row->values[i].set && row->values[i].len > 0)
            rc = put_links(tx, row, &k->fields[i], true, err);
    if (rc == PV_OK)
        rc = search_insert(tx, row, err);
    tx_touch(tx, k->number);
    return rc;
}

static int exists(struct store_tx *tx, const struct model_row *row, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool found = false;
    int rc;

    query_init(&q);
    query_printf(&q, "SELECT 1 FROM %s WHERE \"id\"=", row->kind->table);
    query_id(&q, &row->id);
    rc = query_stmt(&q, tx->conn, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &found, err);
    if (rc == PV_OK && !found)
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", row->kind->name);
    return rc;
}

static void set_column(struct query *q, const struct model_field *f, const char *suffix, bool first)
{
    query_printf(q, "%s\"%s%s\"=", first ? "" : ",", f->name, suffix);
}

static void put_value(struct query *q, const struct model_field *f, const struct model_value *v)
{
    if (!v->set) {
        query_text(q, "NULL");
        return;
    }
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        query_bind_text(q, v->text, v->len);
        return;
    case MODEL_REF:
        query_id(q, &v->id);
        return;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REFS:
        break;
    }
    query_int(q, v->number);
}

/* UPDATE of the columns among the fields; *columns: how many there were. */
static int update_columns(struct store_tx *tx, const struct model_row *row, const uint16_t *fields,
                          size_t n, size_t *columns, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct buf scratch;
    int rc = PV_OK;

    *columns = 0;
    buf_init(&scratch, FOLD_MAX);
    query_init(&q);
    query_printf(&q, "UPDATE %s SET ", row->kind->table);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        const struct model_field *f = &row->kind->fields[fields[i]];
        const struct model_value *v = &row->values[fields[i]];
        const char *text;
        size_t len;

        if (!field_has_column(f))
            continue;
        set_column(&q, f, "", (*columns)++ == 0);
        put_value(&q, f, v);
        if (!field_has_fold(f))
            continue;
        set_column(&q, f, "_f", false);
        if (!v->set)
            query_text(&q, "NULL");
        else if (fold_of(tx, &scratch, v, &text, &len))
            query_bind_text(&q, text, len);
        else
            rc = pv_fail(err, PV_ENOMEM, "no memory to fold %s", f->path);
    }
    buf_free(&scratch);
    if (rc != PV_OK || *columns == 0)
        return rc;
    query_text(&q, " WHERE \"id\"=");
    query_id(&q, &row->id);
    rc = query_stmt(&q, tx->conn, &st, err);
    if (rc == PV_OK)
        rc = stmt_run(st, err);
    if (rc == PV_EEXIST)
        return taken(row, err);
    if (rc == PV_OK && conn_changes(tx->conn) == 0)
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", row->kind->name);
    return rc;
}

int tx_row_update(struct store_tx *tx, const struct model_row *row, const uint16_t *fields,
                  size_t n, struct pv_err *err)
{
    const struct model_kind *k = row->kind;
    bool words = false;
    size_t columns;
    int rc;

    for (size_t i = 0; i < n; i++)
        if (fields[i] >= k->nfields || (k->fields[fields[i]].flags & MODEL_COMPUTED))
            return pv_fail(err, PV_EINTERNAL, "field %u of %s cannot be written", fields[i],
                           k->name);
    rc = update_columns(tx, row, fields, n, &columns, err);
    if (rc == PV_OK && columns == 0)
        rc = exists(tx, row, err);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        const struct model_field *f = &k->fields[fields[i]];

        if (f->type == MODEL_REFS)
            rc = put_links(tx, row, f, false, err);
        words = words || search_uses(k, f);
    }
    if (rc == PV_OK && words)
        rc = search_update(tx, k, &row->id, err);
    tx_touch(tx, k->number);
    return rc;
}

static int delete_where(struct store_tx *tx, const char *table, const char *suffix,
                        const char *column, const struct pv_id *id, size_t *deleted,
                        struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc;

    query_init(&q);
    query_printf(&q, "DELETE FROM %s%s%s WHERE \"%s\"=", table, *suffix ? "_" : "", suffix, column);
    query_id(&q, id);
    rc = query_stmt(&q, tx->conn, &st, err);
    if (rc == PV_OK)
        rc = stmt_run(st, err);
    if (rc == PV_OK && deleted)
        *deleted = conn_changes(tx->conn);
    return rc;
}

/* What belongs to a row but is not in its table. */
static int delete_rest(struct store_tx *tx, const struct model_kind *k, const struct pv_id *id,
                       struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < k->nfields && rc == PV_OK; i++)
        if (k->fields[i].type == MODEL_REFS)
            rc = delete_where(tx, k->table, k->fields[i].name, "id", id, NULL, err);
    if (rc == PV_OK && kind_searchable(k))
        rc = search_delete(tx, id, err);
    return rc;
}

/* Ids of an owner's children of one kind. */
static int children_of(struct store_tx *tx, const struct model_kind *k, const struct pv_id *owner,
                       struct pv_id **ids, size_t *n, struct pv_err *err)
{
    struct model_value v = { .set = true, .id = *owner };

    return tx_find(tx, k->number, kind_fields(k)->owner, &v, SIZE_MAX, tx->arena, ids, n, err);
}

static int delete_one(struct store_tx *tx, const struct model_kind *k, const struct pv_id *id,
                      struct pv_err *err)
{
    size_t deleted = 0;
    int rc = delete_where(tx, k->table, "", "id", id, &deleted, err);

    if (rc == PV_OK && deleted == 0)
        return pv_fail(err, PV_ENOENT, "there is no such %s", k->name);
    if (rc == PV_OK)
        rc = delete_rest(tx, k, id, err);
    tx_touch(tx, k->number);
    return rc;
}

int tx_children_prune(struct store_tx *tx, enum pv_kind kind, const struct pv_id *owner,
                      const struct pv_id *keep, size_t nkeep, size_t *deleted, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    struct pv_id *ids;
    size_t n, gone = 0;
    int rc;

    if (!k || !k->owner)
        return pv_fail(err, PV_EINTERNAL, "kind %d has no owner", (int)kind);
    rc = children_of(tx, k, owner, &ids, &n, err);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        bool stays = false;

        for (size_t j = 0; j < nkeep && !stays; j++)
            stays = id_eq(&ids[i], &keep[j]);
        if (stays)
            continue;
        rc = delete_one(tx, k, &ids[i], err);
        gone++;
    }
    if (rc == PV_OK && deleted)
        *deleted = gone;
    return rc;
}

int tx_row_delete(struct store_tx *tx, enum pv_kind kind, const struct pv_id *id,
                  struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    int rc;

    if (!k || !kind_stored(k))
        return pv_fail(err, PV_EINTERNAL, "rows of kind %d are not stored", (int)kind);
    rc = delete_one(tx, k, id, err);
    for (size_t i = 0; model_kind_at(i) && rc == PV_OK; i++)
        if (model_kind_at(i)->owner == kind)
            rc = tx_children_prune(tx, model_kind_at(i)->number, id, NULL, 0, NULL, err);
    return rc;
}

int tx_rows_get(struct store_tx *tx, enum pv_kind kind, const struct pv_id *ids, size_t n,
                bool secrets, struct arena *a, struct model_row **rows, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    struct rows_want w;
    int rc;

    if (!k || !kind_stored(k))
        return pv_fail(err, PV_EINTERNAL, "rows of kind %d are not stored", (int)kind);
    rc = rows_want_all(k, a, &w, err);
    w.secrets = secrets;
    for (size_t at = 0; at < n && rc == PV_OK; at += ROWS_GROUP)
        rc = rows_get(tx->conn, &w, ids + at, n - at < ROWS_GROUP ? n - at : ROWS_GROUP, a,
                      rows + at, err);
    return rc;
}
