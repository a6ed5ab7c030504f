/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of users, groups, roles, grants and tokens: written with their audit record, in one
 * transaction. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

PV_DEFINE_AUTO(arena_free, struct arena *)

int row_load(struct store_tx *tx, enum pv_kind kind, const struct pv_id *id, struct model_row **row,
             struct model_row **before, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    struct arena *a = tx_arena(tx);
    struct model_row *copy;
    int rc = tx_rows_get(tx, kind, id, 1, false, a, row, err);

    if (rc == PV_OK && !*row)
        return pv_fail(err, PV_ENOENT, "there is no such %s", k->name);
    if (rc != PV_OK)
        return rc;
    copy = model_row_new(a, kind);
    if (!copy)
        return pv_fail(err, PV_ENOMEM, "no memory for a %s", k->name);
    copy->id = *id;
    memcpy(copy->values, (*row)->values, k->nfields * sizeof(*copy->values));
    *before = copy;
    return PV_OK;
}

static unsigned common(const struct model_row *row, const char *name)
{
    return model_field_by_name(row->kind, name)->index;
}

int row_insert(struct store_tx *tx, struct model_row *row, int64_t now_ms, struct audit_note *note,
               struct pv_err *err)
{
    int rc;

    model_set_number(row, common(row, "created_at"), now_ms);
    model_set_number(row, common(row, "updated_at"), now_ms);
    model_set_number(row, common(row, "version"), 1);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK && note ? audit_note_rows(tx, note, NULL, row, err) : rc;
}

int row_update(struct store_tx *tx, struct model_row *row, const struct model_row *before,
               int64_t now_ms, struct audit_note *note, struct pv_err *err)
{
    const struct model_kind *k = row->kind;
    uint16_t *fields = arena_alloc(tx_arena(tx), (k->nfields + 2) * sizeof(*fields));
    size_t n = 0;
    int rc;

    if (!fields)
        return pv_fail(err, PV_ENOMEM, "no memory for a %s", k->name);
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *f = &k->fields[i];

        if (f->flags & MODEL_COMPUTED)
            continue;
        if (!model_value_equal(f, &row->values[i], &before->values[i]))
            fields[n++] = (uint16_t)i;
    }
    if (n == 0)
        return PV_OK;
    model_set_number(row, common(row, "updated_at"), now_ms);
    model_set_number(row, common(row, "version"), model_number(before, common(row, "version")) + 1);
    fields[n++] = (uint16_t)common(row, "updated_at");
    fields[n++] = (uint16_t)common(row, "version");
    rc = tx_row_update(tx, row, fields, n, err);
    return rc == PV_OK && note ? audit_note_rows(tx, note, before, row, err) : rc;
}

int row_delete(struct store_tx *tx, const struct model_row *row, struct audit_note *note,
               struct pv_err *err)
{
    int rc = tx_row_delete(tx, row->kind->number, &row->id, err);

    return rc == PV_OK && note ? audit_note_rows(tx, note, row, NULL, err) : rc;
}

int row_find(struct store *s, enum pv_kind kind, const char *text, const char *pointer,
             struct pv_id *id, struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    struct model_value value = { .set = true, .text = text, .len = strlen(text) };
    const struct model_shape *shape;
    struct model_row *row;
    struct pv_id *ids;
    size_t n = 0;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (id_parse(k->prefix, text, strlen(text), id)) {
        rc = model_shape_make(k, "id", MODEL_VIEW_SUMMARY, a, &shape, err);
        if (rc == PV_OK)
            rc = store_row_get(s, shape, id, a, &row, err);
        n = rc == PV_OK;
    } else {
        rc = store_find(s, kind, model_field_by_name(k, "name")->index, &value, 1, a, &ids, &n, err);
        if (rc == PV_OK && n == 1)
            *id = ids[0];
    }
    if (rc == PV_ENOENT || (rc == PV_OK && n == 0)) {
        rc = pv_fail_as(err, "validation-failed", "there is no %s \"%.80s\"", k->name, text);
        pv_err_pointer(err, "%s", pointer);
    }
    return rc;
}
