/* SPDX-License-Identifier: Apache-2.0 */
#include "db/kinds.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/dialect.h"

bool kind_stored(const struct model_kind *k)
{
    return !(k->flags & MODEL_MEMORY);
}

bool field_has_column(const struct model_field *f)
{
    return !(f->flags & MODEL_COMPUTED) && f->type != MODEL_REFS;
}

bool field_has_fold(const struct model_field *f)
{
    if (!field_has_column(f) || (f->flags & MODEL_SECRET))
        return false;
    if (f->type == MODEL_STR)
        return f->flags & (MODEL_SEARCH | MODEL_SORT | MODEL_WORD);
    return f->type == MODEL_LIST && (f->flags & (MODEL_SEARCH | MODEL_WORD));
}

static struct kind_fields all_fields[PV_KIND_MAX + 1];

static uint16_t field_named(const struct model_kind *k, const char *name)
{
    const struct model_field *f = model_field_by_name(k, name);

    return f ? f->index : UINT16_MAX;
}

static bool find_searchable(const struct model_kind *k)
{
    bool words = false;

    for (size_t i = 0; i < k->nfields; i++)
        words = words || (k->fields[i].flags & MODEL_WORD);
    if (!words || !kind_stored(k))
        return false;
    return (k->flags & MODEL_SYNCED) || k->number == PV_KIND_provider ||
           k->number == PV_KIND_folder || k->number == PV_KIND_tag;
}

static void find_fields(void)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        all_fields[k->number] = (struct kind_fields){
            .subject = field_named(k, "subject"),
            .name = field_named(k, "name"),
            .provider = field_named(k, "provider"),
            .owner = field_named(k, "owner"),
            .native_id = field_named(k, "native_id"),
            .identity = field_named(k, "identity"),
            .presence = field_named(k, "presence"),
            .missing_since = field_named(k, "missing_since"),
            .sequence = k->flags & MODEL_LOCAL ? field_named(k, "seq") : UINT16_MAX,
            .searchable = find_searchable(k),
        };
    }
}

const struct kind_fields *kind_fields(const struct model_kind *k)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, find_fields);
    return &all_fields[k->number];
}

bool kind_searchable(const struct model_kind *k)
{
    return kind_fields(k)->searchable;
}

void field_sort_sql(struct query *q, const struct model_field *f, const char *t)
{
    switch (f->type) {
    case MODEL_STR:
        query_printf(q, "coalesce(%s\"%s_f\",'')", t, f->name);
        return;
    case MODEL_LIST:
    case MODEL_JSON:
        query_printf(q, "coalesce(%s\"%s\",'')", t, f->name);
        return;
    case MODEL_REF:
        if (kind_fields(model_kind(f->ref))->name != UINT16_MAX)
            query_printf(q, "coalesce((SELECT r.\"name_f\" FROM %s r WHERE r.\"id\"=%s\"%s\"),'')",
                         model_kind(f->ref)->table, t, f->name);
        else
            query_printf(q, "coalesce(%s\"%s\",'')", t, f->name);
        return;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REFS:
        break;
    }
    if (f->flags & MODEL_COMPUTED)
        field_computed_sql(q, f, t);
    else
        query_printf(q, "coalesce(%s\"%s\",-1)", t, f->name);
}

bool field_walks(const struct model_field *f)
{
    return (f->flags & MODEL_INDEX) && (f->flags & MODEL_SORT) && f->type != MODEL_REF;
}

void field_computed_sql(struct query *q, const struct model_field *f, const char *t)
{
    if (strcmp(f->name, "stale") == 0)
        query_printf(
            q,
            "CASE WHEN coalesce(%s\"stale_reason\",'')='' AND EXISTS(SELECT 1 FROM provider_sync s"
            " JOIN k_provider p ON p.\"id\"=s.provider WHERE s.provider=%s\"provider\""
            " AND p.\"state\" IN (%d,%d)) THEN 0 ELSE 1 END",
            t, t, PV_PROVIDER_STATE_CONNECTED, PV_PROVIDER_STATE_DEGRADED);
    else if (strcmp(f->name, "observed_at") == 0)
        query_printf(
            q,
            "CASE WHEN coalesce(%s\"stale_reason\",'')='' AND coalesce(%s\"presence\",%d)=%d THEN"
            " coalesce((SELECT s.confirmed_ms FROM provider_sync s WHERE s.provider=%s\"provider\""
            " AND s.confirmed_ms>%s\"updated_at\"),%s\"updated_at\") ELSE %s\"updated_at\" END",
            t, t, PV_PRESENCE_PRESENT, PV_PRESENCE_PRESENT, t, t, t, t);
    else
        query_text(q, "NULL");
}

static const char *column_type(const struct model_field *f)
{
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        return "TEXT";
    case MODEL_REF:
        return "{blob}";
    case MODEL_BOOL:
    case MODEL_ENUM:
        return "SMALLINT";
    case MODEL_U64:
    case MODEL_TIME:
    case MODEL_REFS:
        break;
    }
    return "BIGINT";
}

static int run(struct conn *c, const struct query *q, struct pv_err *err)
{
    PV_AUTO_FREE char *text = NULL;

    if (q->failed || !buf_ok(&q->text))
        return pv_fail(err, PV_ENOMEM, "no memory for a table's definition");
    text = dialect_sqlite(q->text.data);
    if (!text)
        return pv_fail(err, PV_ENOMEM, "no memory for a table's definition");
    return conn_exec(c, text, err);
}

static void create_table(struct query *q, const struct model_kind *k)
{
    query_printf(q, "CREATE TABLE IF NOT EXISTS %s (\"id\" {blob} NOT NULL PRIMARY KEY", k->table);
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *f = &k->fields[i];

        if (field_has_column(f))
            query_printf(q, ",\n \"%s\" %s", f->name, column_type(f));
        if (field_has_fold(f))
            query_printf(q, ",\n \"%s_f\" TEXT {collate}", f->name);
    }
    query_text(q, ");\n");
    for (size_t i = 0; i < k->nfields; i++)
        if (k->fields[i].type == MODEL_REFS)
            query_printf(
                q,
                "CREATE TABLE IF NOT EXISTS %s_%s (id {blob} NOT NULL, ref {blob} NOT NULL,"
                " PRIMARY KEY (id, ref)) {clustered};\n",
                k->table, k->fields[i].name);
}

/* The index of a field that has one; what it is on must be what lists sort and filters compare by.
 */
static void create_index(struct query *q, const struct model_kind *k, const struct model_field *f)
{
    bool sequence = f->index == kind_fields(k)->sequence;

    query_printf(q, "CREATE %sINDEX IF NOT EXISTS i_%s_%s ON %s (", sequence ? "UNIQUE " : "",
                 k->name, f->name, k->table);
    if (field_walks(f))
        field_sort_sql(q, f, "");
    else
        query_printf(q, "\"%s\"", f->name);
    query_text(q, sequence ? ");\n" : ",\"id\");\n");
}

static void create_indexes(struct query *q, const struct model_kind *k)
{
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *f = &k->fields[i];

        /* The unique index of children begins with the owner. */
        if ((f->flags & MODEL_INDEX) && !(k->owner && f->index == kind_fields(k)->owner))
            create_index(q, k, f);
    }
    if ((k->flags & MODEL_SYNCED) && k->owner)
        query_printf(q, "CREATE UNIQUE INDEX IF NOT EXISTS u_%s ON %s (\"owner\",\"native_id\");\n",
                     k->name, k->table);
    else if (k->flags & MODEL_SYNCED)
        query_printf(q,
                     "CREATE UNIQUE INDEX IF NOT EXISTS u_%s ON %s (\"provider\",\"native_id\");\n",
                     k->name, k->table);
    switch (k->number) {
    case PV_KIND_provider:
    case PV_KIND_tag:
    case PV_KIND_user:
    case PV_KIND_group:
    case PV_KIND_role:
        query_printf(q, "CREATE UNIQUE INDEX IF NOT EXISTS u_%s ON %s (\"name_f\");\n", k->name,
                     k->table);
        break;
    case PV_KIND_folder:
        /* Two, since nulls are never equal. */
        query_printf(q,
                     "CREATE UNIQUE INDEX IF NOT EXISTS u_%s ON %s (\"parent\",\"name_f\")"
                     " WHERE \"parent\" IS NOT NULL;\n"
                     "CREATE UNIQUE INDEX IF NOT EXISTS u_%s_root ON %s (\"name_f\")"
                     " WHERE \"parent\" IS NULL;\n",
                     k->name, k->table, k->name, k->table);
        break;
    default:
        break;
    }
}

/* Fill a fold column that is new on a table with rows. */
static int fold_column(struct conn *c, const struct model_kind *k, const struct model_field *f,
                       struct pv_err *err)
{
    QUERY_AUTO struct query get = { 0 }, put = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *from = NULL;
    PV_AUTO(stmt_done_p) struct stmt *to = NULL;
    struct buf fold;
    bool row = true;
    int rc;

    query_init(&get);
    query_init(&put);
    query_printf(&get, "SELECT \"id\",\"%s\" FROM %s WHERE \"%s\" IS NOT NULL", f->name, k->table,
                 f->name);
    query_printf(&put, "UPDATE %s SET \"%s_f\"=$1 WHERE \"id\"=$2", k->table, f->name);
    rc = query_stmt(&get, c, &from, err);
    if (rc == PV_OK)
        rc = query_stmt(&put, c, &to, err);
    buf_init(&fold, 16u << 20);
    while (rc == PV_OK && (rc = stmt_step(from, &row, err)) == PV_OK && row) {
        struct pv_id id;
        size_t len;
        const char *text = col_text(from, 1, &len);

        col_id(from, 0, &id);
        buf_reset(&fold);
        str_fold(&fold, text, len);
        if (!buf_ok(&fold)) {
            rc = pv_fail(err, PV_ENOMEM, "no memory to fold texts");
            break;
        }
        stmt_text(to, 1, fold.data, fold.len);
        stmt_id(to, 2, &id);
        rc = stmt_run(to, err);
        stmt_again(to);
    }
    buf_free(&fold);
    return rc;
}

/* The table's columns as "\na\nb\n". */
static int columns_of(struct conn *c, const struct model_kind *k, struct buf *out,
                      struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = true;
    int rc;

    query_init(&q);
    query_text(&q, "SELECT name FROM pragma_table_info(");
    query_str(&q, k->table);
    query_text(&q, ")");
    rc = query_stmt(&q, c, &st, err);
    buf_text(out, "\n");
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        buf_text(out, col_text(st, 0, NULL));
        buf_text(out, "\n");
    }
    if (rc == PV_OK && !buf_ok(out))
        return pv_fail(err, PV_ENOMEM, "no memory for a table's columns");
    return rc;
}

static bool has_column(const struct buf *columns, const char *name, const char *suffix)
{
    char wanted[128];

    snprintf(wanted, sizeof(wanted), "\n%s%s\n", name, suffix);
    return strstr(columns->data, wanted) != NULL;
}

static int add_columns(struct conn *c, const struct model_kind *k, const struct buf *columns,
                       struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < k->nfields && rc == PV_OK; i++) {
        const struct model_field *f = &k->fields[i];
        QUERY_AUTO struct query q = { 0 };
        bool fold = field_has_fold(f) && !has_column(columns, f->name, "_f");

        query_init(&q);
        if (field_has_column(f) && !has_column(columns, f->name, ""))
            query_printf(&q, "ALTER TABLE %s ADD COLUMN \"%s\" %s;\n", k->table, f->name,
                         column_type(f));
        if (fold)
            query_printf(&q, "ALTER TABLE %s ADD COLUMN \"%s_f\" TEXT {collate};\n", k->table,
                         f->name);
        if (q.text.len > 0)
            rc = run(c, &q, err);
        if (rc == PV_OK && fold)
            rc = fold_column(c, k, f, err);
    }
    return rc;
}

int kinds_create(struct conn *c, struct pv_err *err)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);
        QUERY_AUTO struct query table = { 0 }, indexes = { 0 };
        struct buf columns;
        int rc;

        if (!kind_stored(k))
            continue;
        query_init(&table);
        query_init(&indexes);
        buf_init(&columns, 1u << 20);
        create_table(&table, k);
        create_indexes(&indexes, k);
        rc = run(c, &table, err);
        if (rc == PV_OK)
            rc = columns_of(c, k, &columns, err);
        if (rc == PV_OK)
            rc = add_columns(c, k, &columns, err);
        buf_free(&columns);
        if (rc == PV_OK && indexes.text.len > 0)
            rc = run(c, &indexes, err);
        if (rc != PV_OK)
            return pv_wrap(err, "table %s", k->table);
    }
    return PV_OK;
}
