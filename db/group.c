/* SPDX-License-Identifier: Apache-2.0 */
/* Counts and sums of rows in groups: what overviews and trees are made of. */
#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/kinds.h"
#include "db/store_priv.h"

#define ARENA_FIRST (16u << 10)
#define ARENA_LIMIT (16u << 20)

PV_DEFINE_AUTO(arena_free, struct arena *)

static bool may_group(const struct model_field *f)
{
    return field_has_column(f) && (f->type == MODEL_ENUM || f->type == MODEL_BOOL || f->type == MODEL_REF);
}

static int write_text(struct query *sql, const struct store_query *q, const uint16_t *by, size_t nby,
                      const uint16_t *sums, size_t nsums, struct arena *a, struct pv_err *err)
{
    const struct model_kind *k = q->shape->kind;
    int rc;

    query_text(sql, "SELECT count(*)");
    for (size_t i = 0; i < nby; i++)
        query_printf(sql, ",t.\"%s\"", k->fields[by[i]].name);
    for (size_t i = 0; i < nsums; i++)
        query_printf(sql, ",coalesce(sum(t.\"%s\"),0)", k->fields[sums[i]].name);
    query_printf(sql, " FROM %s t", k->table);
    rc = list_where_sql(sql, q, NULL, a, err);
    for (size_t i = 0; i < nby; i++)
        query_printf(sql, i ? ",%zu" : " GROUP BY %zu", i + 2);
    return rc;
}

static void read_group(struct stmt *st, const struct model_kind *k, const uint16_t *by, size_t nby, size_t nsums,
                       struct store_group *out)
{
    *out = (struct store_group){ .count = (uint64_t)col_int(st, 0) };
    for (size_t i = 0; i < nby; i++) {
        int column = (int)i + 1;

        if (k->fields[by[i]].type != MODEL_REF)
            out->numbers[i] = col_int(st, column);
        else if (!col_null(st, column))
            col_id(st, column, &out->refs[i]);
    }
    for (size_t i = 0; i < nsums; i++)
        out->sums[i] = (uint64_t)col_int(st, (int)(1 + nby + i));
}

int store_groups(struct store *s, const struct store_query *q, const uint16_t *by, size_t nby, const uint16_t *sums,
                 size_t nsums, store_group_fn each, void *ctx, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(ARENA_FIRST, ARENA_LIMIT);
    const struct model_kind *k = q->shape->kind;
    QUERY_AUTO struct query sql = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct conn *c;
    bool row = true;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for counts");
    if (nby > STORE_GROUP_MAX || nsums > STORE_GROUP_MAX)
        return pv_fail(err, PV_EINTERNAL, "too many fields to group by");
    for (size_t i = 0; i < nby; i++)
        if (by[i] >= k->nfields || !may_group(&k->fields[by[i]]))
            return pv_fail(err, PV_EINTERNAL, "%s are not grouped by this", k->plural);
    for (size_t i = 0; i < nsums; i++)
        if (sums[i] >= k->nfields || k->fields[sums[i]].type != MODEL_U64 || !field_has_column(&k->fields[sums[i]]))
            return pv_fail(err, PV_EINTERNAL, "%s have no sum of this", k->plural);
    rc = store_reader(s, &c, err);
    query_init(&sql);
    if (rc == PV_OK)
        rc = write_text(&sql, q, by, nby, sums, nsums, a, err);
    if (rc == PV_OK)
        rc = query_stmt(&sql, c, &st, err);
    while (rc == PV_OK && (rc = stmt_step(st, &row, err)) == PV_OK && row) {
        struct store_group g;

        read_group(st, k, by, nby, nsums, &g);
        if (each(ctx, &g) != 0)
            break;
    }
    return rc;
}
