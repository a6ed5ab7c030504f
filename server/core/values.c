/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record's slots to a row's values, and what differs between two rows.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

#define DIFF_JSON_MAX 60000u    /* less than an event's changes may hold */

struct model_value value_number(int64_t v)
{
    return (struct model_value){ .set = true, .number = v };
}

struct model_value value_text(const char *text)
{
    return (struct model_value){ .set = text != NULL, .text = text, .len = text ? strlen(text) : 0 };
}

struct model_value value_ref(const struct pv_id *id)
{
    return id_is_zero(id) ? value_null() : (struct model_value){ .set = true, .id = *id };
}

struct model_value value_null(void)
{
    return (struct model_value){ .set = false };
}

static bool resolve(struct provider *p, const struct model_field *f, const struct siblings *siblings,
                    const char *text, size_t len, struct pv_id *out)
{
    const struct inv_entry *e;

    if (siblings && f->ref < KINDS && p->core->kinds[f->ref].child >= 0) {
        for (size_t i = 0; i < siblings->n; i++) {
            if (strlen(siblings->native_ids[i]) == len &&
                memcmp(siblings->native_ids[i], text, len) == 0) {
                *out = siblings->ids[i];
                return true;
            }
        }
        return false;
    }
    e = inventory_find(p, f->ref, text, len);
    if (!e)
        return false;
    *out = e->id;
    return true;
}

static int compare_refs(const void *a, const void *b)
{
    const struct model_ref *x = a, *y = b;

    return memcmp(x->id.b, y->id.b, sizeof(x->id.b));
}

static void resolve_list(struct provider *p, const struct model_field *f, const char *text,
                         struct arena *a, struct model_value *out, bool *open)
{
    size_t n = 0, kept = 0, len;
    const char *pos = text, *item;
    struct model_ref *refs;

    while (sdk_list_next(&pos, &item, &len))
        n++;
    refs = arena_alloc(a, (n + 1) * sizeof(*refs));
    *out = (struct model_value){ .set = refs != NULL, .refs = refs };
    if (!refs) {
        *open = true;
        return;
    }
    for (pos = text; sdk_list_next(&pos, &item, &len);) {
        if (resolve(p, f, NULL, item, len, &refs[kept].id))
            kept++;
        else
            *open = true;
    }
    qsort(refs, kept, sizeof(*refs), compare_refs);
    n = 0;
    for (size_t i = 0; i < kept; i++)
        if (n == 0 || !id_eq(&refs[n - 1].id, &refs[i].id))
            refs[n++] = refs[i];
    out->len = n;
}

bool record_value(struct provider *p, const struct sdk_batch *b, uint32_t i,
                  const struct model_field *f, const struct siblings *siblings, struct arena *a,
                  struct model_value *out, bool *open)
{
    enum sdk_value has = sdk_record_has(b, i, (unsigned)f->slot);
    const char *text;
    size_t len;

    if (has == SDK_UNKNOWN)
        return false;
    if (has == SDK_NULL) {
        *out = value_null();
        return true;
    }
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        text = sdk_record_text(b, i, (unsigned)f->slot, &len);
        *out = (struct model_value){ .set = true, .text = text, .len = len };
        return true;
    case MODEL_REF:
        text = sdk_record_text(b, i, (unsigned)f->slot, &len);
        *out = value_null();
        if (resolve(p, f, siblings, text, len, &out->id))
            out->set = true;
        else
            *open = true;
        return true;
    case MODEL_REFS:
        resolve_list(p, f, sdk_record_text(b, i, (unsigned)f->slot, &len), a, out, open);
        return true;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
        break;
    }
    *out = value_number(sdk_record_number(b, i, (unsigned)f->slot));
    return true;
}

int diff_init(struct row_diff *d, struct model_row *row, bool wants_json, struct arena *a,
              struct pv_err *err)
{
    *d = (struct row_diff){ .row = row, .wants_json = wants_json };
    d->fields = arena_alloc(a, (row->kind->nfields + 4) * sizeof(*d->fields));
    if (!d->fields)
        return pv_fail(err, PV_ENOMEM, "no memory to compare %s", row->kind->name);
    buf_init(&d->json, DIFF_JSON_MAX);
    jsonw_init(&d->w, &d->json);
    if (wants_json)
        jsonw_array(&d->w, NULL);
    return PV_OK;
}

void diff_free(struct row_diff *d)
{
    buf_free(&d->json);
}

void diff_set_quiet(struct row_diff *d, unsigned field, const struct model_value *v)
{
    if (model_value_equal(&d->row->kind->fields[field], &d->row->values[field], v))
        return;
    d->row->values[field] = *v;
    d->fields[d->n++] = (uint16_t)field;
}

void diff_set(struct row_diff *d, unsigned field, const struct model_value *v)
{
    const struct model_field *f = &d->row->kind->fields[field];
    const struct model_value *old = &d->row->values[field];

    if (model_value_equal(f, old, v))
        return;
    if (d->wants_json) {
        jsonw_object(&d->w, NULL);
        jsonw_str(&d->w, "field", f->path);
        model_write_value(&d->w, "from", f, old);
        model_write_value(&d->w, "to", f, v);
        jsonw_end(&d->w);
    }
    d->row->values[field] = *v;
    d->fields[d->n++] = (uint16_t)field;
}

int diff_write(struct row_diff *d, struct store_tx *tx, const struct kind_info *k, int64_t now_ms,
               uint64_t *version, struct pv_err *err)
{
    uint64_t next = (uint64_t)model_number(d->row, (unsigned)k->version) + 1;
    int rc;

    model_set_number(d->row, (unsigned)k->version, (int64_t)next);
    model_set_number(d->row, (unsigned)k->updated_at, now_ms);
    d->fields[d->n++] = (uint16_t)k->version;
    d->fields[d->n++] = (uint16_t)k->updated_at;
    rc = tx_row_update(tx, d->row, d->fields, d->n, err);
    if (rc == PV_OK)
        *version = next;
    return rc;
}

const char *diff_changes(struct row_diff *d, struct arena *a)
{
    if (!d->wants_json)
        return NULL;
    jsonw_end(&d->w);
    d->wants_json = false;
    return buf_ok(&d->json) ? arena_text(a, d->json.data, d->json.len) : "[]";
}
