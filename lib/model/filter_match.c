/* SPDX-License-Identifier: Apache-2.0 */
/* A filter against one row in memory, with the meaning that storage gives it. */
#include <polyvisor/filter.h>

#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#define FOLD_MAX (1u << 20)

static bool match_number(const struct filter *f, int64_t n)
{
    switch (f->op) {
    case FILTER_LT:
        return n < f->values[0].number;
    case FILTER_LE:
        return n <= f->values[0].number;
    case FILTER_GT:
        return n > f->values[0].number;
    case FILTER_GE:
        return n >= f->values[0].number;
    case FILTER_RANGE:
        return n >= f->values[0].number && n <= f->values[1].number;
    case FILTER_HAS:
    case FILTER_EQ:
    case FILTER_NE:
    case FILTER_LIKE:
    case FILTER_IN:
        break;
    }
    for (size_t i = 0; i < f->nvalues; i++)
        if (!f->values[i].is_null && n == f->values[i].number)
            return true;
    return false;
}

static bool contains(const char *text, size_t len, const char *part)
{
    return memmem(text, len, part, strlen(part)) != NULL;
}

static int order(const char *a, size_t alen, const char *b)
{
    size_t blen = strlen(b);
    int diff = memcmp(a, b, alen < blen ? alen : blen);

    return diff ? diff : alen < blen ? -1 : alen > blen;
}

/* One text and its folded form; `whole`: a member of a list is only matched whole. */
static bool match_text(const struct filter *f, const char *text, size_t len, const char *fold,
                       size_t flen, bool whole)
{
    const struct filter_value *v = &f->values[0];

    switch (f->op) {
    case FILTER_HAS:
        return whole ? order(fold, flen, v->folded) == 0 : contains(fold, flen, v->folded);
    case FILTER_EQ:
    case FILTER_NE:
        return order(text, len, v->text) == 0;
    case FILTER_LIKE:
        return str_wildcard(v->folded, strlen(v->folded), fold, flen);
    case FILTER_LT:
        return order(fold, flen, v->folded) < 0;
    case FILTER_LE:
        return order(fold, flen, v->folded) <= 0;
    case FILTER_GT:
        return order(fold, flen, v->folded) > 0;
    case FILTER_GE:
        return order(fold, flen, v->folded) >= 0;
    case FILTER_RANGE:
        return order(fold, flen, v->folded) >= 0 && order(fold, flen, f->values[1].folded) <= 0;
    case FILTER_IN:
        break;
    }
    for (size_t i = 0; i < f->nvalues; i++)
        if (!f->values[i].is_null && order(fold, flen, f->values[i].folded) == 0)
            return true;
    return false;
}

static bool match_str(const struct filter *f, const char *text, size_t len)
{
    struct buf fold;
    bool match;

    buf_init(&fold, FOLD_MAX);
    buf_text(&fold, "");
    str_fold(&fold, text, len);
    match = buf_ok(&fold) && match_text(f, text, len, fold.data, fold.len, false);
    buf_free(&fold);
    return match;
}

static bool match_list(const struct filter *f, const char *list)
{
    while (*list == '\n' && list[1]) {
        size_t len = strcspn(list + 1, "\n");
        struct buf fold;
        bool match;

        buf_init(&fold, FOLD_MAX);
        buf_text(&fold, "");
        str_fold(&fold, list + 1, len);
        match = buf_ok(&fold) && match_text(f, list + 1, len, fold.data, fold.len, true);
        buf_free(&fold);
        if (match)
            return true;
        list += 1 + len;
    }
    return false;
}

/* One object that is referred to, by id or, where it was read, by name. */
static bool match_ref(const struct filter *f, const struct pv_id *id, const char *name)
{
    for (size_t i = 0; i < f->nvalues; i++) {
        struct filter one = *f;

        one.values = &f->values[i];
        one.nvalues = 1;
        if (f->values[i].is_id ? id_eq(&f->values[i].id, id)
                               : !f->values[i].is_null && name != NULL) {
            if (f->values[i].is_id)
                return true;
            /* Names are compared whole: `:` and sets ignore case. */
            if (f->op == FILTER_HAS)
                one.op = FILTER_IN;
            if (match_str(&one, name, strlen(name)))
                return true;
        }
    }
    return false;
}

static bool match_refs(const struct filter *f, const struct model_value *v)
{
    for (size_t i = 0; i < v->len; i++)
        if (match_ref(f, &v->refs[i].id, v->refs[i].name))
            return true;
    return false;
}

static bool is_empty(const struct model_field *field, const struct model_value *v)
{
    if (!v->set)
        return true;
    return (field->type == MODEL_STR || field->type == MODEL_LIST || field->type == MODEL_JSON ||
            field->type == MODEL_REFS) &&
           v->len == 0;
}

static bool match_value(const struct filter *f, const struct model_value *v)
{
    for (size_t i = 0; i < f->nvalues; i++)
        if (f->values[i].is_null && is_empty(f->field, v))
            return true;
    if (!v->set || (f->nvalues == 1 && f->values[0].is_null))
        return false;
    switch (f->field->type) {
    case MODEL_STR:
        return match_str(f, v->text, v->len);
    case MODEL_LIST:
        return match_list(f, v->text);
    case MODEL_REF:
        return match_ref(f, &v->id, v->text);
    case MODEL_REFS:
        return match_refs(f, v);
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
        return match_number(f, v->number);
    case MODEL_JSON:
        break;
    }
    return false;
}

/* What is known of the provider beside its id. */
static bool match_provider(const struct filter *f, const struct model_provider *p)
{
    struct model_value v = { .set = true };

    if (!p)
        return false;
    switch (f->field->index) {
    case F(provider, name):
        v.text = p->name;
        break;
    case F(provider, driver):
        v.text = p->driver;
        break;
    case F(provider, family):
        v.number = p->family;
        break;
    case F(provider, simulated):
        v.number = p->simulated;
        break;
    default:
        return false;
    }
    v.len = v.text ? strlen(v.text) : 0;
    return match_value(f, &v);
}

static bool match_pseudo(const struct filter *f, const struct model_row *row)
{
    for (size_t i = 0; i < f->nvalues; i++)
        if (f->pseudo == FILTER_KIND ? strcmp(f->values[i].text, row->kind->name) == 0
                                     : f->values[i].is_id && id_eq(&f->values[i].id, &row->id))
            return true;
    return false;
}

static bool match_children(const struct filter *f, const struct model_row *row)
{
    for (const struct model_children *c = row->children; c && c->kind; c++) {
        if (c->kind != f->kind)
            continue;
        for (size_t i = 0; i < c->nrows; i++)
            if (match_value(f, &c->rows[i].values[f->field->index]))
                return true;
    }
    return false;
}

static bool match_term(const struct filter *f, const struct model_row *row)
{
    if (f->pseudo != FILTER_FIELD)
        return match_pseudo(f, row);
    if (f->through)
        return f->kind->number == PV_KIND_provider && match_provider(f, row->provider);
    if (f->kind != row->kind)
        return match_children(f, row);
    return match_value(f, &row->values[f->field->index]);
}

static bool match_word(const struct filter *f, const struct model_row *row)
{
    struct filter has = *f;

    has.op = FILTER_HAS;
    for (size_t i = 0; i < row->kind->nfields; i++) {
        const struct model_field *field = &row->kind->fields[i];
        const struct model_value *v = &row->values[i];

        if ((field->flags & MODEL_WORD) && v->set &&
            (field->type == MODEL_STR || field->type == MODEL_LIST) &&
            match_str(&has, v->text, v->len))
            return true;
    }
    return false;
}

bool filter_match(const struct filter *f, const struct model_row *row)
{
    switch (f->type) {
    case FILTER_AND:
        return filter_match(f->left, row) && filter_match(f->right, row);
    case FILTER_OR:
        return filter_match(f->left, row) || filter_match(f->right, row);
    case FILTER_NOT:
        return !filter_match(f->left, row);
    case FILTER_WORD:
        return match_word(f, row);
    case FILTER_TERM:
        break;
    }
    return match_term(f, row) != (f->op == FILTER_NE);
}
