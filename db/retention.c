/* SPDX-License-Identifier: Apache-2.0 */
/* What is deleted when its time is over; a bounded number of rows a call. */
#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/kinds.h"
#include "db/store_priv.h"

#define PURGE_MAX 5000
#define DAY_MS (24 * 3600 * 1000LL)

/* Ids of at most `max` rows that the query names. */
static int ids_of(struct store_tx *tx, struct query *q, size_t max, struct pv_id **ids, size_t *n,
                  struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = true;
    int rc;

    *n = 0;
    *ids = arena_alloc(tx->arena, (max ? max : 1) * sizeof(**ids));
    if (!*ids)
        return pv_fail(err, PV_ENOMEM, "no memory to delete old rows");
    query_text(q, " LIMIT ");
    query_int(q, (int64_t)max);
    rc = query_stmt(q, tx->conn, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row)
        col_id(st, 0, &(*ids)[(*n)++]);
    return rc;
}

static int delete_found(struct store_tx *tx, enum pv_kind kind, struct query *q, size_t max,
                        size_t *deleted, struct pv_err *err)
{
    struct pv_id *ids;
    size_t n;
    int rc = ids_of(tx, q, max, &ids, &n, err);

    for (size_t i = 0; i < n && rc == PV_OK; i++)
        rc = tx_row_delete(tx, kind, &ids[i], err);
    if (rc == PV_OK)
        *deleted += n;
    return rc;
}

int tx_purge_events(struct store_tx *tx, int64_t before_ms, uint64_t keep, size_t *deleted,
                    struct pv_err *err)
{
    const struct model_kind *k = model_kind(PV_KIND_event);
    QUERY_AUTO struct query q = { 0 };

    *deleted = 0;
    query_init(&q);
    query_printf(&q, "SELECT t.\"id\" FROM %s t WHERE t.\"created_at\"<", k->table);
    query_int(&q, before_ms);
    query_printf(&q, " AND coalesce(t.\"seq\",-1)<=(SELECT max(coalesce(\"seq\",-1)) FROM %s)-",
                 k->table);
    query_int(&q, keep > INT64_MAX ? INT64_MAX : (int64_t)keep);
    query_text(&q, " ORDER BY coalesce(t.\"seq\",-1)");
    return delete_found(tx, PV_KIND_event, &q, PURGE_MAX, deleted, err);
}

static int count_rows(struct store_tx *tx, const struct model_kind *k, uint64_t *out,
                      struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = false;
    int rc;

    query_init(&q);
    query_printf(&q, "SELECT count(*) FROM %s", k->table);
    rc = query_stmt(&q, tx->conn, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &row, err);
    if (rc == PV_OK)
        *out = row ? (uint64_t)col_int(st, 0) : 0;
    return rc;
}

int tx_purge_tasks(struct store_tx *tx, int64_t before_ms, uint64_t keep, size_t *deleted,
                   struct pv_err *err)
{
    const struct model_kind *k = model_kind(PV_KIND_task);
    QUERY_AUTO struct query q = { 0 };
    uint64_t total;
    int rc = count_rows(tx, k, &total, err);

    *deleted = 0;
    query_init(&q);
    if (rc != PV_OK || total <= keep)
        return rc;
    /* Finished ones alone, oldest first, and so many that `keep` stay. */
    query_printf(&q, "SELECT t.\"id\" FROM %s t WHERE t.\"finished_at\"<", k->table);
    query_int(&q, before_ms);
    query_printf(&q, " AND coalesce(t.\"state\",-1) IN (%d,%d,%d,%d,%d)", PV_TASK_STATE_SUCCEEDED,
                 PV_TASK_STATE_FAILED, PV_TASK_STATE_CANCELED, PV_TASK_STATE_LOST,
                 PV_TASK_STATE_SKIPPED);
    query_text(&q, " ORDER BY t.\"id\"");
    return delete_found(tx, PV_KIND_task, &q, total - keep < PURGE_MAX ? total - keep : PURGE_MAX,
                        deleted, err);
}

int tx_purge_gone(struct store_tx *tx, int64_t before_ms, size_t *deleted, struct pv_err *err)
{
    int rc = PV_OK;

    *deleted = 0;
    for (size_t i = 0; model_kind_at(i) && rc == PV_OK; i++) {
        const struct model_kind *k = model_kind_at(i);
        QUERY_AUTO struct query q = { 0 };

        if (kind_fields(k)->missing_since == UINT16_MAX)
            continue;
        query_init(&q);
        query_printf(&q,
                     "SELECT t.\"id\" FROM %s t WHERE t.\"presence\"=%d AND t.\"missing_since\"<",
                     k->table, PV_PRESENCE_GONE);
        query_int(&q, before_ms);
        rc = delete_found(tx, k->number, &q, PURGE_MAX - *deleted, deleted, err);
    }
    return rc;
}

int tx_purge_short_lived(struct store_tx *tx, int64_t now_ms, size_t *deleted, struct pv_err *err)
{
    const struct {
        const char *statement;
        int64_t before;
    } tables[] = {
        { "login_purge", now_ms },
        { "throttle_purge", now_ms - DAY_MS },
        { "idempotency_purge", now_ms - DAY_MS },
    };
    int rc = PV_OK;

    *deleted = 0;
    for (size_t i = 0; i < PV_COUNT(tables) && rc == PV_OK; i++) {
        PV_AUTO(stmt_done_p) struct stmt *st = NULL;

        rc = store_named(tx->store, tx->conn, tables[i].statement, &st, err);
        if (rc != PV_OK)
            break;
        stmt_int(st, 1, tables[i].before);
        stmt_int(st, 2, (int64_t)(PURGE_MAX - *deleted));
        rc = stmt_run(st, err);
        *deleted += conn_changes(tx->conn);
    }
    return rc;
}
