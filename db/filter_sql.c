/* SPDX-License-Identifier: Apache-2.0 */
#include "db/filter_sql.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/kinds.h"
#include "db/search.h"
#include "db/view.h"

#define OPERANDS_MAX 512

struct compiler {
    struct query *q;
    struct arena *a;
    const struct model_kind *kind;
    const struct filter_common *common; /* of this kind; NULL: none */
    bool negated;                       /* the opposite of the present term is asked for */
    bool one_of_many; /* inside an "or": nothing that alone decides which rows there are */
    const struct store_access *eyes; /* what it names must be seen by these; NULL: all is */
};

static int no_memory(struct pv_err *err)
{
    return pv_fail(err, PV_ENOMEM, "no memory for the filter");
}

/* A LIKE pattern: `before` and `after` as they are, the text with what LIKE would interpret
 * escaped; with `wild`,
 * * and ? become LIKE's own. */
static const char *pattern(struct arena *a, const char *before, const char *text, const char *after,
                           bool wild)
{
    size_t first = strlen(before), last = strlen(after);
    char *out = arena_alloc(a, first + 2 * strlen(text) + last + 1);
    char *p = out;

    if (!out)
        return NULL;
    memcpy(p, before, first);
    p += first;
    for (; *text; text++) {
        if (wild && *text == '*') {
            *p++ = '%';
        } else if (wild && *text == '?') {
            *p++ = '_';
        } else {
            if (*text == '%' || *text == '_' || *text == '\\')
                *p++ = '\\';
            *p++ = *text;
        }
    }
    memcpy(p, after, last + 1);
    return out;
}

static int like(struct compiler *c, const char *column, const char *before, const char *text,
                const char *after, bool wild, struct pv_err *err)
{
    const char *p = pattern(c->a, before, text, after, wild);

    if (!p)
        return no_memory(err);
    query_printf(c->q, "%s LIKE ", column);
    query_str(c->q, p);
    query_text(c->q, " ESCAPE '\\'");
    return PV_OK;
}

static const char *comparison(enum filter_op op)
{
    switch (op) {
    case FILTER_LT:
        return "<";
    case FILTER_LE:
        return "<=";
    case FILTER_GT:
        return ">";
    case FILTER_GE:
        return ">=";
    case FILTER_HAS:
    case FILTER_EQ:
    case FILTER_NE:
    case FILTER_LIKE:
    case FILTER_RANGE:
    case FILTER_IN:
        break;
    }
    return "=";
}

static void number_list(struct compiler *c, const struct filter *f)
{
    for (size_t i = 0; i < f->nvalues; i++) {
        query_text(c->q, i ? "," : " IN (");
        query_int(c->q, f->values[i].number);
    }
    query_text(c->q, ")");
}

static bool is_common(const struct compiler *c, const struct model_field *f)
{
    for (size_t i = 0; c->common && i < c->common->n; i++)
        if (c->common->field[i] == f)
            return true;
    return false;
}

/* The column an index is on, so that the index is used; nulls count as -1 there. */
static void number_column(struct compiler *c, const struct model_field *f)
{
    if (f->flags & MODEL_COMPUTED) {
        query_text(c->q, "(");
        field_computed_sql(c->q, f, "t.");
        query_text(c->q, ")");
    } else if (field_walks(f)) {
        /* With a sign it is not the index's expression any more. */
        query_text(c->q, is_common(c, f) ? "+" : "");
        field_sort_sql(c->q, f, "t.");
    } else {
        query_printf(c->q, "t.\"%s\"", f->name);
    }
}

static int number_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    (void)err;
    if (f->op == FILTER_IN) {
        number_column(c, f->field);
        number_list(c, f);
        return PV_OK;
    }
    if (f->op == FILTER_RANGE) {
        number_column(c, f->field);
        query_text(c->q, " BETWEEN ");
        query_int(c->q, f->values[0].number);
        query_text(c->q, " AND ");
        query_int(c->q, f->values[1].number);
        return PV_OK;
    }
    number_column(c, f->field);
    query_text(c->q, comparison(f->op));
    query_int(c->q, f->values[0].number);
    if (field_walks(f->field) && (f->op == FILTER_LT || f->op == FILTER_LE))
        query_printf(c->q, " AND t.\"%s\" IS NOT NULL", f->field->name);
    return PV_OK;
}

static int text_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    const struct filter_value *v = &f->values[0];
    char column[96];

    snprintf(column, sizeof(column), "t.\"%s_f\"", f->field->name);
    switch (f->op) {
    case FILTER_HAS:
        return like(c, column, "%", v->folded, "%", false, err);
    case FILTER_LIKE:
        return like(c, column, "", v->folded, "", true, err);
    case FILTER_EQ:
    case FILTER_NE:
        if (field_walks(f->field)) {
            field_sort_sql(c->q, f->field, "t.");
            query_text(c->q, "=");
            query_str(c->q, v->folded);
            query_text(c->q, " AND ");
        }
        query_printf(c->q, "t.\"%s\"=", f->field->name);
        query_str(c->q, v->text);
        return PV_OK;
    case FILTER_RANGE:
        query_printf(c->q, "%s BETWEEN ", column);
        query_str(c->q, v->folded);
        query_text(c->q, " AND ");
        query_str(c->q, f->values[1].folded);
        return PV_OK;
    case FILTER_IN:
        if (field_walks(f->field))
            field_sort_sql(c->q, f->field, "t.");
        else
            query_text(c->q, column);
        for (size_t i = 0; i < f->nvalues; i++) {
            query_text(c->q, i ? "," : " IN (");
            query_str(c->q, f->values[i].folded);
        }
        query_text(c->q, ")");
        return PV_OK;
    case FILTER_LT:
    case FILTER_LE:
    case FILTER_GT:
    case FILTER_GE:
        break;
    }
    query_printf(c->q, "%s%s", column, comparison(f->op));
    query_str(c->q, v->folded);
    return PV_OK;
}

/* Members of this list stand in the objects' search documents, so a rare one is found there; a
 * column of lists has no index of its own. */
static bool member_is_word(const struct filter *f, const struct model_kind *kind)
{
    return f->field->type == MODEL_LIST && (f->field->flags & MODEL_WORD) &&
           kind_searchable(kind) && (f->op == FILTER_HAS || f->op == FILTER_EQ) &&
           f->nvalues == 1 && search_length(f->values[0].folded) >= SEARCH_WORD_MIN;
}

static bool is_common_term(const struct compiler *c, const struct filter *f)
{
    for (size_t i = 0; c->common && i < c->common->n; i++)
        if (c->common->term[i] == f)
            return true;
    return false;
}

/* Among the few whose documents have the word. Not where the opposite is asked for: what a document
 * leaves out for want of room must not come in by that. */
static int by_word(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    int rc;

    query_printf(c->q, "t.\"id\" IN (SELECT d.id FROM search_doc d WHERE d.kind=%d AND ",
                 (int)c->kind->number);
    rc = search_match_sql(c->q, f->values[0].folded, c->a, err);
    query_text(c->q, ") AND ");
    return rc;
}

static int list_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    char column[96];
    int rc = PV_OK;

    if (!c->negated && !c->one_of_many && member_is_word(f, c->kind) && !is_common_term(c, f))
        rc = by_word(c, f, err);
    if (rc != PV_OK)
        return rc;

    snprintf(column, sizeof(column), "t.\"%s%s\"", f->field->name,
             f->op == FILTER_EQ || f->op == FILTER_NE ? "" : "_f");
    if (f->op == FILTER_LIKE) {
        /* LIKE would let * run from one member into the next. */
        query_printf(c->q, "list_match(%s,", column);
        query_str(c->q, f->values[0].folded);
        query_text(c->q, ")");
        return PV_OK;
    }
    if (f->op == FILTER_EQ || f->op == FILTER_NE) {
        const char *member = arena_printf(c->a, "\n%s\n", f->values[0].text);

        if (!member)
            return no_memory(err);
        query_printf(c->q, "instr(%s,", column);
        query_str(c->q, member);
        query_text(c->q, ")>0");
        return PV_OK;
    }
    for (size_t i = 0; i < f->nvalues && rc == PV_OK; i++) {
        query_text(c->q, i ? " OR " : "");
        rc = like(c, column, "%\n", f->values[i].folded, "\n%", false, err);
    }
    return rc;
}

/* " AND" what the caller may see of this kind: names and properties of the rest are not to be found
 * out by asking for them. Which provider an object is of belongs to the object. */
static int seen(struct compiler *c, const struct model_kind *to, struct pv_err *err)
{
    const struct store_view *view = to->number == PV_KIND_provider ? NULL : view_of(c->eyes, to);

    if (!view)
        return PV_OK;
    query_text(c->q, " AND ");
    return view_sql(c->q, to, view, NULL, true, c->a, err);
}

/* Which objects of the referred-to kind a value means: "= $1" or "IN (SELECT ...)". */
static int ref_value(struct compiler *c, const struct filter *f, const struct filter_value *v,
                     struct pv_err *err)
{
    const struct model_kind *to = model_kind(f->field->ref);
    int rc = PV_OK;

    if (v->is_id) {
        query_text(c->q, "=");
        query_id(c->q, &v->id);
        return PV_OK;
    }
    if (kind_fields(to)->name == UINT16_MAX) {
        query_text(c->q, "=NULL");
        return PV_OK;
    }
    query_printf(c->q, " IN (SELECT t.\"id\" FROM %s t WHERE ", to->table);
    if (f->op == FILTER_LIKE) {
        rc = like(c, "t.\"name_f\"", "", v->folded, "", true, err);
    } else {
        /* The expression of the name's index. */
        query_text(c->q, "coalesce(t.\"name_f\",'')=");
        query_str(c->q, v->folded);
        if (f->op == FILTER_EQ || f->op == FILTER_NE) {
            query_text(c->q, " AND t.\"name\"=");
            query_str(c->q, v->text);
        }
    }
    if (rc == PV_OK)
        rc = seen(c, to, err);
    query_text(c->q, ")");
    return rc;
}

/* The same of a folder and all that are below it. */
static int below_value(struct compiler *c, const struct filter *f, const struct filter_value *v,
                       struct pv_err *err)
{
    const struct model_kind *to = model_kind(f->field->ref);
    int rc;

    query_printf(c->q, " IN (WITH RECURSIVE below(id) AS (SELECT x.\"id\" FROM %s x WHERE x.\"id\"",
                 to->table);
    rc = ref_value(c, f, v, err);
    query_printf(c->q,
                 " UNION SELECT x.\"id\" FROM %s x JOIN below b ON x.\"parent\"=b.id)"
                 " SELECT id FROM below)",
                 to->table);
    return rc;
}

static int ref_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < f->nvalues && rc == PV_OK; i++) {
        query_text(c->q, i ? " OR " : "");
        if (f->field->type == MODEL_REFS) {
            query_printf(c->q, "t.\"id\" IN (SELECT l.id FROM %s_%s l WHERE l.ref", c->kind->table,
                         f->field->name);
            rc = ref_value(c, f, &f->values[i], err);
            query_text(c->q, ")");
        } else {
            query_printf(c->q, "%st.\"%s\"", is_common(c, f->field) ? "+" : "", f->field->name);
            rc = f->below ? below_value(c, f, &f->values[i], err)
                          : ref_value(c, f, &f->values[i], err);
        }
    }
    return rc;
}

static void empty_term(struct compiler *c, const struct filter *f)
{
    switch (f->field->type) {
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        query_printf(c->q, "coalesce(t.\"%s\",'')=''", f->field->name);
        return;
    case MODEL_REFS:
        query_printf(c->q, "NOT EXISTS(SELECT 1 FROM %s_%s l WHERE l.id=t.\"id\")", c->kind->table,
                     f->field->name);
        return;
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
    case MODEL_REF:
        break;
    }
    if (f->field->flags & MODEL_COMPUTED)
        query_text(c->q, "0");
    else
        query_printf(c->q, "t.\"%s\" IS NULL", f->field->name);
}

static int value_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    switch (f->field->type) {
    case MODEL_STR:
        return text_term(c, f, err);
    case MODEL_LIST:
        return list_term(c, f, err);
    case MODEL_REF:
    case MODEL_REFS:
        return ref_term(c, f, err);
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
        return number_term(c, f, err);
    case MODEL_JSON:
        break;
    }
    return pv_fail(err, PV_EINTERNAL, "%s cannot be filtered by", f->field->path);
}

/* Emptiness has a condition of its own, alone or as a member of a set. */
static int field_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    struct filter rest = *f;
    struct filter_value *values;
    int rc = PV_OK;

    values = arena_alloc(c->a, f->nvalues * sizeof(*values));
    if (!values)
        return no_memory(err);
    rest.values = values;
    rest.nvalues = 0;
    for (size_t i = 0; i < f->nvalues; i++)
        if (!f->values[i].is_null)
            values[rest.nvalues++] = f->values[i];
    if (rest.nvalues == f->nvalues)
        return value_term(c, f, err);
    query_text(c->q, "(");
    empty_term(c, f);
    if (rest.nvalues > 0) {
        query_text(c->q, " OR ");
        rc = value_term(c, &rest, err);
    }
    query_text(c->q, ")");
    return rc;
}

static int pseudo_term(struct compiler *c, const struct filter *f)
{
    if (f->pseudo == FILTER_KIND) {
        bool match = false;

        for (size_t i = 0; i < f->nvalues; i++)
            match = match || strcmp(f->values[i].text, c->kind->name) == 0;
        query_text(c->q, match ? "1" : "0");
        return PV_OK;
    }
    for (size_t i = 0; i < f->nvalues; i++) {
        query_text(c->q, i ? "," : "t.\"id\" IN (");
        if (f->values[i].is_id)
            query_id(c->q, &f->values[i].id);
        else
            query_text(c->q, "NULL");
    }
    query_text(c->q, ")");
    return PV_OK;
}

/* An object of an embedded kind, of this owner, matches. Its table is `t` inside, hides the outer
 * one: the owner's id is compared by way of a name of its own. */
static int child_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    struct compiler inner = { c->q, c->a, f->kind, NULL, c->negated, false, c->eyes };
    int rc;

    query_printf(c->q, "t.\"id\" IN (SELECT t.\"owner\" FROM %s t WHERE ", f->kind->table);
    rc = field_term(&inner, f, err);
    query_text(c->q, ")");
    return rc;
}

/* What the reference points at matches. */
static int through_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    struct compiler inner = { c->q, c->a, f->kind, NULL, c->negated, false, c->eyes };
    int rc;

    query_printf(c->q, "t.\"%s\" IN (SELECT t.\"id\" FROM %s t WHERE (", f->through->name,
                 f->kind->table);
    rc = field_term(&inner, f, err);
    query_text(c->q, ")");
    if (rc == PV_OK)
        rc = seen(c, f->kind, err);
    query_text(c->q, ")");
    return rc;
}

static int word_term(struct compiler *c, const struct filter *f, struct pv_err *err)
{
    const char *word = f->values[0].folded;
    const char *sep = "";
    int rc = PV_OK;

    if (kind_searchable(c->kind) && search_length(word) >= SEARCH_WORD_MIN) {
        query_printf(c->q, "t.\"id\" IN (SELECT d.id FROM search_doc d WHERE d.kind=%d AND ",
                     (int)c->kind->number);
        rc = search_match_sql(c->q, word, c->a, err);
        query_text(c->q, ")");
        return rc;
    }
    for (size_t i = 0; i < c->kind->nfields && rc == PV_OK; i++) {
        const struct model_field *field = &c->kind->fields[i];
        char column[96];

        if (!(field->flags & MODEL_WORD) || !field_has_fold(field))
            continue;
        snprintf(column, sizeof(column), "t.\"%s_f\"", field->name);
        query_text(c->q, sep);
        rc = like(c, column, "%", word, "%", false, err);
        sep = " OR ";
    }
    if (!*sep)
        query_text(c->q, "0");
    return rc;
}

/* A term that is never null where that matters: what is unknown does not match, and its opposite
 * does. */
static int leaf(struct compiler *c, const struct filter *f, bool negate, struct pv_err *err)
{
    int rc;

    if (f->type == FILTER_TERM && f->op == FILTER_NE)
        negate = !negate;
    c->negated = negate;
    query_text(c->q, negate ? "NOT coalesce((" : "(");
    if (f->type == FILTER_WORD)
        rc = word_term(c, f, err);
    else if (f->pseudo != FILTER_FIELD)
        rc = pseudo_term(c, f);
    else if (f->through)
        rc = through_term(c, f, err);
    else if (f->kind && f->kind != c->kind)
        rc = child_term(c, f, err);
    else
        rc = field_term(c, f, err);
    query_text(c->q, negate ? "),0)" : ")");
    return rc;
}

static unsigned depth_of(const struct filter *f)
{
    unsigned left, right;

    if (f->type == FILTER_TERM || f->type == FILTER_WORD)
        return 0;
    left = depth_of(f->left);
    right = f->type == FILTER_NOT ? 0 : depth_of(f->right);
    return 1 + (left > right ? left : right);
}

struct operands {
    const struct filter *node[OPERANDS_MAX];
    bool negate[OPERANDS_MAX];
    size_t n;
};

/* Operands of a chain of ands (or ors), with NOT moved inwards. */
static bool gather(struct operands *o, const struct filter *f, bool negate, bool conjunction)
{
    while (f->type == FILTER_NOT) {
        f = f->left;
        negate = !negate;
    }
    if ((f->type == FILTER_AND && conjunction != negate) ||
        (f->type == FILTER_OR && conjunction == negate))
        return gather(o, f->left, negate, conjunction) && gather(o, f->right, negate, conjunction);
    if (o->n == OPERANDS_MAX)
        return false;
    o->node[o->n] = f;
    o->negate[o->n++] = negate;
    return true;
}

static int compile(struct compiler *c, const struct filter *f, bool negate, struct pv_err *err)
{
    struct operands *o;
    bool conjunction, outside = c->one_of_many;
    size_t deepest = 0;
    int rc = PV_OK;

    while (f->type == FILTER_NOT) {
        f = f->left;
        negate = !negate;
    }
    if (f->type == FILTER_TERM || f->type == FILTER_WORD)
        return leaf(c, f, negate, err);
    conjunction = (f->type == FILTER_AND) != negate;
    o = arena_alloc(c->a, sizeof(*o));
    if (!o)
        return no_memory(err);
    if (!gather(o, f, negate, conjunction))
        return pv_fail_as(err, "invalid-filter", "the filter has too many terms");
    /* The deepest first: the engine's parser keeps what is open to the left on a small stack. */
    for (size_t i = 1; i < o->n; i++)
        if (depth_of(o->node[i]) > depth_of(o->node[deepest]))
            deepest = i;
    c->one_of_many = outside || !conjunction;
    query_text(c->q, "(");
    rc = compile(c, o->node[deepest], o->negate[deepest], err);
    for (size_t i = 0; i < o->n && rc == PV_OK; i++) {
        if (i == deepest)
            continue;
        query_text(c->q, conjunction ? " AND " : " OR ");
        rc = compile(c, o->node[i], o->negate[i], err);
    }
    query_text(c->q, ")");
    c->one_of_many = outside;
    return rc;
}

bool filter_indexed(const struct filter *f, const struct model_kind *kind)
{
    if (f->type != FILTER_TERM || f->pseudo != FILTER_FIELD || !f->field || f->through ||
        (f->kind && f->kind != kind) || f->op == FILTER_NE || (f->field->flags & MODEL_COMPUTED))
        return false;
    switch (f->field->type) {
    case MODEL_U64:
    case MODEL_BOOL:
    case MODEL_ENUM:
    case MODEL_TIME:
        return field_walks(f->field);
    case MODEL_REF:
        return f->field->flags & MODEL_INDEX;
    case MODEL_LIST:
        return member_is_word(f, kind);
    case MODEL_STR:
    case MODEL_JSON:
    case MODEL_REFS:
        break;
    }
    return false;
}

int filter_sql(struct query *q, const struct model_kind *kind, const struct filter *f,
               const struct filter_common *common, bool alone, const struct store_access *eyes,
               struct arena *a, struct pv_err *err)
{
    struct compiler c = { q, a, kind, common, false, !alone, eyes };

    return compile(&c, f, false, err);
}

bool filter_names(const struct filter *f, const struct model_kind *kind, const char *field)
{
    switch (f->type) {
    case FILTER_AND:
    case FILTER_OR:
        return filter_names(f->left, kind, field) || filter_names(f->right, kind, field);
    case FILTER_NOT:
        return filter_names(f->left, kind, field);
    case FILTER_TERM:
        return f->pseudo == FILTER_FIELD && f->field && !f->through &&
               (!f->kind || f->kind == kind) && strcmp(f->field->name, field) == 0;
    case FILTER_WORD:
        break;
    }
    return false;
}
