/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/model.h>

#include <string.h>

#include <polyvisor/arena.h>

struct model_row *model_row_new(struct arena *a, enum pv_kind kind)
{
    const struct model_kind *k = model_kind(kind);
    struct model_row *row = k ? arena_alloc(a, sizeof(*row)) : NULL;

    if (!row)
        return NULL;
    row->kind = k;
    row->values = arena_alloc(a, k->nfields * sizeof(*row->values));
    return row->values ? row : NULL;
}

void model_set_number(struct model_row *r, unsigned field, int64_t v)
{
    r->values[field] = (struct model_value){ .set = true, .number = v };
}

void model_set_textn(struct model_row *r, unsigned field, const char *text, size_t len)
{
    r->values[field] = (struct model_value){ .set = text != NULL, .text = text, .len = len };
}

void model_set_text(struct model_row *r, unsigned field, const char *text)
{
    model_set_textn(r, field, text, text ? strlen(text) : 0);
}

void model_set_ref(struct model_row *r, unsigned field, const struct pv_id *id)
{
    if (id && !id_is_zero(id))
        r->values[field] = (struct model_value){ .set = true, .id = *id };
    else
        model_set_null(r, field);
}

void model_set_null(struct model_row *r, unsigned field)
{
    r->values[field] = (struct model_value){ .set = false };
}

int64_t model_number(const struct model_row *r, unsigned field)
{
    return r->values[field].set ? r->values[field].number : 0;
}

const char *model_text(const struct model_row *r, unsigned field)
{
    return r->values[field].set && r->values[field].text ? r->values[field].text : "";
}

bool model_value_equal(const struct model_field *f, const struct model_value *a,
                       const struct model_value *b)
{
    if (a->set != b->set)
        return false;
    if (!a->set)
        return true;
    switch (f->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
    case MODEL_REF:
        return id_eq(&a->id, &b->id);
    case MODEL_REFS:
        if (a->len != b->len)
            return false;
        for (size_t i = 0; i < a->len; i++)
            if (!id_eq(&a->refs[i].id, &b->refs[i].id))
                return false;
        return true;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
        break;
    }
    return a->number == b->number;
}
