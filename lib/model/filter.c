/* SPDX-License-Identifier: Apache-2.0 */
/* From the text of a filter to its tree: recursive descent, bounded in depth, terms and length. */
#include "lib/model/filter_priv.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

struct parser {
    const struct model_kind *kind;
    const char *text, *at;
    int64_t now_ms;
    struct arena *a;
    unsigned terms, depth;
};

static unsigned column_of(const struct parser *p, const char *at)
{
    return (unsigned)(at - p->text) + 1;
}

static int no_memory(struct pv_err *err)
{
    return pv_fail(err, PV_ENOMEM, "no memory for the filter");
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

static void skip_space(struct parser *p)
{
    while (is_space(*p->at))
        p->at++;
}

/* A keyword stands alone: "order" does not begin with "or". */
static bool at_keyword(const struct parser *p, const char *word)
{
    size_t len = strlen(word);

    return strncasecmp(p->at, word, len) == 0 &&
           (!p->at[len] || is_space(p->at[len]) || p->at[len] == '(');
}

static struct filter *node(struct parser *p, enum filter_node_type type, const struct filter *left,
                           const struct filter *right)
{
    struct filter *f = arena_alloc(p->a, sizeof(*f));

    if (f) {
        f->type = type;
        f->left = left;
        f->right = right;
    }
    return f;
}

/* A quoted text; \" and \\ inside. */
static int read_quoted(struct parser *p, struct filter_word *out, struct pv_err *err)
{
    const char *start = p->at++;
    char *text = arena_alloc(p->a, strlen(start) + 1);
    size_t n = 0;

    if (!text)
        return no_memory(err);
    while (*p->at && *p->at != '"') {
        if (*p->at == '\\' && (p->at[1] == '"' || p->at[1] == '\\'))
            p->at++;
        text[n++] = *p->at++;
    }
    if (!*p->at)
        return filter_error(err, column_of(p, start), "the quote is not closed");
    p->at++;
    *out = (struct filter_word){ text, n, column_of(p, start), true };
    return PV_OK;
}

/* A word up to a space, a closing bracket or one of `stops`; "..": the word ends before it if
 * `range`. */
static int read_bare(struct parser *p, const char *stops, bool range, struct filter_word *out,
                     struct pv_err *err)
{
    const char *start = p->at;

    while (*p->at && !is_space(*p->at) && *p->at != ')' && *p->at != '(' && *p->at != '"' &&
           !strchr(stops, *p->at)) {
        if (range && p->at[0] == '.' && p->at[1] == '.')
            break;
        p->at++;
    }
    if (p->at == start)
        return filter_error(err, column_of(p, start), "a value is missing");
    *out = (struct filter_word){ start, (size_t)(p->at - start), column_of(p, start), false };
    return PV_OK;
}

static int read_word(struct parser *p, const char *stops, bool range, struct filter_word *out,
                     struct pv_err *err)
{
    return *p->at == '"' ? read_quoted(p, out, err) : read_bare(p, stops, range, out, err);
}

/* ------------------------------------------------------------------ fields */

static const struct model_field *visible(const struct model_kind *kind, const char *path,
                                         size_t len)
{
    const struct model_field *f = model_field(kind, path, len);

    return f && !(f->flags & MODEL_SECRET) ? f : NULL;
}

/* "disks.capacity_bytes": a field of an embedded child kind. */
static bool child_field(const struct model_kind *kind, const char *path, size_t len,
                        struct filter *out)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *child = model_kind_at(i);
        size_t member = strlen(child->member);

        if (child->owner != kind->number || member == 0 || len <= member || path[member] != '.' ||
            memcmp(path, child->member, member) != 0)
            continue;
        out->kind = child;
        out->field = visible(child, path + member + 1, len - member - 1);
        return out->field != NULL;
    }
    return false;
}

/* "provider.family": a field of what a reference points at. */
static bool through_field(const struct model_kind *kind, const char *path, size_t len,
                          struct filter *out)
{
    for (size_t i = 0; i < kind->nfields; i++) {
        const struct model_field *f = &kind->fields[i];
        size_t ref = strlen(f->path);

        if (f->type != MODEL_REF || len <= ref || path[ref] != '.' ||
            memcmp(path, f->path, ref) != 0)
            continue;
        out->field = visible(model_kind(f->ref), path + ref + 1, len - ref - 1);
        if (!out->field)
            continue;
        out->kind = model_kind(f->ref);
        out->through = f;
        return true;
    }
    return false;
}

/* The member of a child kind and the nearest of its fields. */
static const char *nearest_of_child(const struct model_kind *kind, const char *path, size_t len,
                                    const char **member)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *child = model_kind_at(i);
        size_t n = strlen(child->member);

        if (child->owner != kind->number || n == 0 || len <= n + 1 || path[n] != '.' ||
            memcmp(path, child->member, n) != 0)
            continue;
        *member = child->member;
        return model_field_nearest(child, path + n + 1, len - n - 1);
    }
    return NULL;
}

static int unknown_field(const struct parser *p, const char *path, size_t len, struct pv_err *err)
{
    int show = len > 60 ? 60 : (int)len;
    const char *member = NULL;
    const char *nearest = nearest_of_child(p->kind, path, len, &member);

    if (nearest)
        return filter_error(err, column_of(p, path),
                            "%s has no field \"%.*s\"; did you mean %s.%s?", p->kind->name, show,
                            path, member, nearest);
    nearest = model_field_nearest(p->kind, path, len);
    if (nearest)
        return filter_error(err, column_of(p, path), "%s has no field \"%.*s\"; did you mean %s?",
                            p->kind->name, show, path, nearest);
    return filter_error(err, column_of(p, path), "%s has no field \"%.*s\"", p->kind->name, show,
                        path);
}

static int find_field(const struct parser *p, const char *path, size_t len, struct filter *out,
                      struct pv_err *err)
{
    out->kind = p->kind;
    out->column = column_of(p, path);
    if (len == 2 && memcmp(path, "id", 2) == 0) {
        out->pseudo = FILTER_ID;
        return PV_OK;
    }
    if (len == 4 && memcmp(path, "kind", 4) == 0) {
        out->pseudo = FILTER_KIND;
        return PV_OK;
    }
    out->field = visible(p->kind, path, len);
    if (!out->field && !child_field(p->kind, path, len, out) &&
        !through_field(p->kind, path, len, out))
        return unknown_field(p, path, len, err);
    if (!(out->field->flags & MODEL_SEARCH))
        return filter_error(err, out->column, "%s cannot be filtered by", out->field->path);
    return PV_OK;
}

/* ------------------------------------------------------------------ operators */

static bool take_operator(struct parser *p, char *op, bool *or_equal)
{
    *op = *p->at;
    *or_equal = false;
    switch (*p->at) {
    case ':':
    case '=':
    case '~':
        p->at++;
        return true;
    case '<':
    case '>':
        p->at++;
        if (*p->at == '=') {
            *or_equal = true;
            p->at++;
        }
        return true;
    case '!':
        if (p->at[1] != '=')
            return false;
        p->at += 2;
        return true;
    default:
        return false;
    }
}

static bool is_text(const struct model_field *f)
{
    return f->type == MODEL_STR || f->type == MODEL_LIST;
}

static bool is_ref(const struct model_field *f)
{
    return f->type == MODEL_REF || f->type == MODEL_REFS;
}

static bool has_order(const struct model_field *f)
{
    return f->type == MODEL_STR || f->type == MODEL_U64 || f->type == MODEL_TIME;
}

static int choose_operator(struct filter *f, char op, bool or_equal, struct pv_err *err)
{
    const struct model_field *field = f->field;

    switch (op) {
    case ':':
        f->op = field && (is_text(field) || is_ref(field)) ? FILTER_HAS : FILTER_EQ;
        f->below = field && field->ref == PV_KIND_folder && strcmp(field->path, "folder") == 0;
        return PV_OK;
    case '=':
        f->op = FILTER_EQ;
        return PV_OK;
    case '!':
        f->op = FILTER_NE;
        return PV_OK;
    case '~':
        f->op = FILTER_LIKE;
        if (field && (is_text(field) || is_ref(field)))
            return PV_OK;
        return filter_error(err, f->column, "%s is no text to compare with a pattern",
                            field ? field->path : "id");
    default:
        break;
    }
    f->op = op == '<' ? or_equal ? FILTER_LE : FILTER_LT : or_equal ? FILTER_GE : FILTER_GT;
    if (field && has_order(field))
        return PV_OK;
    return filter_error(err, f->column, "%s has no order to compare by",
                        field ? field->path : "id");
}

/* ------------------------------------------------------------------ values */

static int pseudo_value(const struct parser *p, const struct filter *f, const struct filter_word *w,
                        struct filter_value *out, struct pv_err *err)
{
    const struct model_kind *kind;
    int rc = filter_value_text(w, p->a, out, err);

    if (rc != PV_OK)
        return rc;
    if (f->pseudo == FILTER_KIND) {
        if (model_kind_by_name(out->text))
            return PV_OK;
        return filter_error(err, w->column, "there is no kind \"%.60s\"", out->text);
    }
    if (!model_id_parse(w->text, w->len, &kind, &out->id) || kind != p->kind)
        return filter_error(err, w->column, "\"%.60s\" is not the id of a %s", out->text,
                            p->kind->name);
    out->is_id = true;
    return PV_OK;
}

static int convert(const struct parser *p, const struct filter *f, const struct filter_word *w,
                   bool last, struct filter_value *out, struct pv_err *err)
{
    int rc;

    if (f->pseudo != FILTER_FIELD)
        return pseudo_value(p, f, w, out, err);
    rc = filter_value_read(f->field, w, p->now_ms, last, p->a, out, err);
    if (rc != PV_OK || !out->is_null)
        return rc;
    if (f->op == FILTER_HAS || f->op == FILTER_EQ || f->op == FILTER_NE || f->op == FILTER_IN)
        return PV_OK;
    return filter_error(err, w->column, "null stands only after : = and !=");
}

/* Sets and ranges cannot be negated by themselves: "!=" of them is NOT of the term. */
static int wrap(struct parser *p, struct filter *f, bool negate, const struct filter **out,
                struct pv_err *err)
{
    *out = negate ? node(p, FILTER_NOT, f, NULL) : f;
    return *out ? PV_OK : no_memory(err);
}

/* {a,b,"c d"} */
static int read_set(struct parser *p, struct filter *f, const struct filter **out,
                    struct pv_err *err)
{
    const char *start = p->at++;
    struct filter_value *values = arena_alloc(p->a, FILTER_VALUES_MAX * sizeof(*values));
    bool negate = f->op == FILTER_NE;
    int rc;

    if (!values)
        return no_memory(err);
    if (f->op != FILTER_HAS && f->op != FILTER_EQ && f->op != FILTER_NE)
        return filter_error(err, column_of(p, start), "a set stands only after : = and !=");
    f->op = FILTER_IN;
    for (;;) {
        struct filter_word w;

        skip_space(p);
        if (f->nvalues == FILTER_VALUES_MAX)
            return filter_error(err, column_of(p, p->at), "a set has at most %d values",
                                FILTER_VALUES_MAX);
        rc = read_word(p, ",}", false, &w, err);
        if (rc == PV_OK)
            rc = convert(p, f, &w, false, &values[f->nvalues], err);
        if (rc != PV_OK)
            return rc;
        f->nvalues++;
        skip_space(p);
        if (*p->at == '}')
            break;
        if (*p->at != ',')
            return filter_error(err, column_of(p, start), "the set is not closed by }");
        p->at++;
    }
    p->at++;
    f->values = values;
    return wrap(p, f, negate, out, err);
}

/* a..b, or the one day that a bare date means. */
static int make_range(struct parser *p, struct filter *f, const struct filter_word *from,
                      const struct filter_word *to, const struct filter **out, struct pv_err *err)
{
    struct filter_value *values = arena_alloc(p->a, 2 * sizeof(*values));
    bool negate = f->op == FILTER_NE;
    int rc;

    if (!values)
        return no_memory(err);
    if (f->op != FILTER_HAS && f->op != FILTER_EQ && f->op != FILTER_NE)
        return filter_error(err, from->column, "a range stands only after : = and !=");
    if (!f->field || !has_order(f->field))
        return filter_error(err, from->column, "%s has no order for a range",
                            f->field ? f->field->path : "id");
    f->op = FILTER_RANGE;
    rc = convert(p, f, from, false, &values[0], err);
    if (rc == PV_OK)
        rc = convert(p, f, to, true, &values[1], err);
    if (rc != PV_OK)
        return rc;
    f->values = values;
    f->nvalues = 2;
    return wrap(p, f, negate, out, err);
}

static int one_value(struct parser *p, struct filter *f, const struct filter_word *w,
                     const struct filter **out, struct pv_err *err)
{
    struct filter_value *value;
    int rc;

    if (f->field && f->field->type == MODEL_TIME && filter_is_day(w) &&
        (f->op == FILTER_HAS || f->op == FILTER_EQ || f->op == FILTER_NE))
        return make_range(p, f, w, w, out, err);
    value = arena_alloc(p->a, sizeof(*value));
    if (!value)
        return no_memory(err);
    rc = convert(p, f, w, f->op == FILTER_LE || f->op == FILTER_GT, value, err);
    if (rc != PV_OK)
        return rc;
    f->values = value;
    f->nvalues = 1;
    *out = f;
    return PV_OK;
}

static int read_values(struct parser *p, struct filter *f, const struct filter **out,
                       struct pv_err *err)
{
    bool range = f->field && (f->field->type == MODEL_U64 || f->field->type == MODEL_TIME);
    struct filter_word from, to;
    int rc;

    if (*p->at == '{')
        return read_set(p, f, out, err);
    rc = read_word(p, "", range, &from, err);
    if (rc != PV_OK)
        return rc;
    if (!range || p->at[0] != '.' || p->at[1] != '.')
        return one_value(p, f, &from, out, err);
    p->at += 2;
    rc = read_word(p, "", false, &to, err);
    return rc == PV_OK ? make_range(p, f, &from, &to, out, err) : rc;
}

/* ------------------------------------------------------------------ terms */

/* An address is a word: fe80::1, 00:50:56:aa:bb:cc. */
static bool is_address(const char *at)
{
    unsigned colons = 0;

    for (; *at && !is_space(*at) && *at != ')'; at++) {
        bool hex =
            (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'f') || (*at >= 'A' && *at <= 'F');

        if (*at == ':')
            colons++;
        else if (!hex && *at != '.')
            return false;
    }
    return colons >= 2;
}

static int free_word(struct parser *p, const struct filter **out, struct pv_err *err)
{
    struct filter *f = node(p, FILTER_WORD, NULL, NULL);
    struct filter_value *value = arena_alloc(p->a, sizeof(*value));
    struct filter_word w;
    int rc;

    if (!f || !value)
        return no_memory(err);
    f->kind = p->kind;
    f->column = column_of(p, p->at);
    rc = read_word(p, "", false, &w, err);
    if (rc == PV_OK && w.len == 0)
        rc = filter_error(err, w.column, "the word is empty");
    if (rc == PV_OK)
        rc = filter_value_text(&w, p->a, value, err);
    if (rc != PV_OK)
        return rc;
    f->values = value;
    f->nvalues = 1;
    *out = f;
    return PV_OK;
}

static int term(struct parser *p, const struct filter **out, struct pv_err *err)
{
    const char *start = p->at, *end = start;
    struct filter *f;
    bool or_equal;
    char op;
    int rc;

    if (++p->terms > FILTER_TERMS_MAX)
        return filter_error(err, column_of(p, start), "a filter has at most %d terms",
                            FILTER_TERMS_MAX);
    while (is_name(*end))
        end++;
    p->at = end;
    if (end == start || !take_operator(p, &op, &or_equal) ||
        (op == ':' && !visible(p->kind, start, (size_t)(end - start)) && is_address(start))) {
        p->at = start;
        return free_word(p, out, err);
    }
    f = node(p, FILTER_TERM, NULL, NULL);
    if (!f)
        return no_memory(err);
    rc = find_field(p, start, (size_t)(end - start), f, err);
    if (rc == PV_OK)
        rc = choose_operator(f, op, or_equal, err);
    return rc == PV_OK ? read_values(p, f, out, err) : rc;
}

static int expression(struct parser *p, const struct filter **out, struct pv_err *err);

static int unary(struct parser *p, const struct filter **out, struct pv_err *err)
{
    bool negate = false;
    const char *start;
    int rc;

    /* However many there are: only whether it is an even number counts. */
    for (skip_space(p);; skip_space(p)) {
        if (*p->at == '-')
            p->at++;
        else if (at_keyword(p, "not"))
            p->at += 3;
        else
            break;
        negate = !negate;
    }
    start = p->at;
    if (!*p->at || *p->at == ')' || at_keyword(p, "or") || at_keyword(p, "and"))
        return filter_error(err, column_of(p, p->at), "a term is missing");
    if (*p->at == '(') {
        if (++p->depth > FILTER_DEPTH_MAX)
            return filter_error(err, column_of(p, start), "brackets are nested deeper than %d",
                                FILTER_DEPTH_MAX);
        p->at++;
        rc = expression(p, out, err);
        if (rc != PV_OK)
            return rc;
        if (*p->at != ')')
            return filter_error(err, column_of(p, start), "the bracket is not closed");
        p->at++;
        p->depth--;
    } else {
        rc = term(p, out, err);
    }
    if (rc == PV_OK && negate && !(*out = node(p, FILTER_NOT, *out, NULL)))
        return no_memory(err);
    return rc;
}

static int conjunction(struct parser *p, const struct filter **out, struct pv_err *err)
{
    int rc = unary(p, out, err);

    while (rc == PV_OK) {
        const struct filter *right;

        skip_space(p);
        if (!*p->at || *p->at == ')' || at_keyword(p, "or"))
            break;
        if (at_keyword(p, "and"))
            p->at += 3;
        rc = unary(p, &right, err);
        if (rc == PV_OK && !(*out = node(p, FILTER_AND, *out, right)))
            return no_memory(err);
    }
    return rc;
}

static int expression(struct parser *p, const struct filter **out, struct pv_err *err)
{
    int rc = conjunction(p, out, err);

    while (rc == PV_OK && at_keyword(p, "or")) {
        const struct filter *right;

        p->at += 2;
        rc = conjunction(p, &right, err);
        if (rc == PV_OK && !(*out = node(p, FILTER_OR, *out, right)))
            return no_memory(err);
    }
    return rc;
}

int filter_parse(const struct model_kind *kind, const char *text, int64_t now_ms, struct arena *a,
                 const struct filter **out, struct pv_err *err)
{
    struct parser p = { .kind = kind, .text = text, .at = text, .now_ms = now_ms, .a = a };
    size_t len = strlen(text);
    const struct filter *f;
    int rc;

    if (len > FILTER_TEXT_MAX)
        return filter_error(err, FILTER_TEXT_MAX, "a filter has at most %d bytes", FILTER_TEXT_MAX);
    if (!str_utf8_ok(text, len, false))
        return filter_error(err, 1, "the filter is not valid UTF-8 text");
    skip_space(&p);
    if (!*p.at) {
        *out = NULL;
        return PV_OK;
    }
    rc = expression(&p, &f, err);
    if (rc == PV_OK && *p.at)
        return filter_error(err, column_of(&p, p.at), "there is no bracket to close");
    if (rc == PV_OK)
        *out = f;
    return rc;
}

static const struct filter *join(struct arena *a, enum filter_node_type type,
                                 const struct filter *left, const struct filter *right)
{
    struct parser p = { .a = a };

    if (!left || !right)
        return left ? left : right;
    return node(&p, type, left, right);
}

const struct filter *filter_and(struct arena *a, const struct filter *left,
                                const struct filter *right)
{
    return join(a, FILTER_AND, left, right);
}

const struct filter *filter_or(struct arena *a, const struct filter *left,
                               const struct filter *right)
{
    return join(a, FILTER_OR, left, right);
}

int filter_equals(const struct model_kind *kind, const char *path, const char *value,
                  int64_t now_ms, struct arena *a, const struct filter **out, struct pv_err *err)
{
    struct parser p = { .kind = kind, .text = path, .at = path, .now_ms = now_ms, .a = a };
    struct filter_word w = { .text = value, .len = strlen(value), .column = 1 };
    struct filter *f = node(&p, FILTER_TERM, NULL, NULL);
    int rc;

    if (!f)
        return no_memory(err);
    if (strlen(path) > FILTER_TEXT_MAX || w.len > FILTER_TEXT_MAX ||
        !str_utf8_ok(path, strlen(path), false) || !str_utf8_ok(value, w.len, false))
        return filter_error(err, 1, "the value is too long or no valid UTF-8 text");
    rc = find_field(&p, path, strlen(path), f, err);
    f->op = FILTER_EQ;
    return rc == PV_OK ? one_value(&p, f, &w, out, err) : rc;
}
