/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may stand at a place of a filter's text: fields, operators, values with
 * how many objects have them. The grammar is lib/model's; this looks only at
 * the term around the place, and what it answers the parser understands.
 */
#include "server/api/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define MOST 50             /* suggestions */
#define TEXT_MAX 4096

/* The term that the place is in: [start, end) of the text. */
struct term {
    const char *text;
    size_t start, end, pos;
    size_t name, name_len;  /* the field, as far as it is written */
    size_t value;           /* where the value before the place begins; 0: there is no operator yet */
    bool quoted;            /* the value began with a quote */
};

struct complete {
    struct req *r;
    const struct model_kind *kind;
    struct term t;
    struct jsonw *w;
    const char *prefix;     /* what is typed of the value */
    size_t n;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* Cuts the text into terms up to the place, minding quotes and sets. */
static void find_term(const char *text, size_t pos, struct term *t)
{
    size_t len = strlen(text), at = 0;
    bool quote = false, set = false;

    *t = (struct term){ .text = text, .pos = pos };
    for (at = 0; at < len; at++) {
        char c = text[at];

        if (quote && c == '\\' && at + 1 < len)
            at++;
        else if (c == '"')
            quote = !quote;
        else if (!quote && c == '{')
            set = true;
        else if (!quote && c == '}')
            set = false;
        else if (!quote && !set && (is_space(c) || c == '(' || c == ')')) {
            if (at >= pos)
                break;
            t->start = at + 1;
        }
    }
    t->end = at;
    at = t->start;
    if (at < pos && text[at] == '-')
        t->start = ++at;
    t->name = at;
    while (at < t->end && is_name(text[at]))
        at++;
    t->name_len = at - t->name;
    while (at < t->end && strchr(":=!<>~", text[at]))
        at++;
    if (at == t->name + t->name_len || at > pos)
        return;
    /* In a set or range, the value is what follows the last comma, brace or dots. */
    t->value = at;
    for (quote = false; at < pos; at++) {
        if (text[at] == '"')
            quote = !quote;
        else if (!quote && (text[at] == '{' || text[at] == ','))
            t->value = at + 1;
        else if (!quote && text[at] == '.' && text[at + 1] == '.' && at + 1 < pos)
            t->value = at + 2;
    }
    t->quoted = text[t->value] == '"' && t->value < pos;
}

static void suggest(struct complete *c, const char *type, const char *text, const char *name, const char *doc,
                    const uint64_t *count)
{
    if (c->n++ >= MOST)
        return;
    jsonw_object(c->w, NULL);
    jsonw_str(c->w, "text", text);
    jsonw_str(c->w, "type", type);
    if (name)
        jsonw_str(c->w, "name", name);
    if (doc)
        jsonw_str(c->w, "doc", doc);
    if (count)
        jsonw_u64(c->w, "count", *count);
    jsonw_end(c->w);
}

/* As the parser takes it: quoted where it must be. */
static const char *literal(struct arena *a, const char *text)
{
    struct buf out;
    const char *made;
    bool plain = text[0] && text[0] != '-' && strcasecmp(text, "null") != 0;

    for (const char *p = text; *p; p++)
        plain = plain && !is_space(*p) && !strchr("(){},\"*?<>=~!", *p) && !(p[0] == '.' && p[1] == '.');
    if (plain)
        return text;
    buf_init(&out, TEXT_MAX);
    buf_char(&out, '"');
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            buf_char(&out, '\\');
        buf_char(&out, *p);
    }
    buf_char(&out, '"');
    made = buf_ok(&out) ? arena_text(a, out.data, out.len) : text;
    buf_free(&out);
    return made;
}

/* ------------------------------------------------------------------ fields and operators */

static bool starts(const char *text, const char *prefix, size_t len)
{
    return strncasecmp(text, prefix, len) == 0;
}

/* How well a path fits what is typed: 2 its beginning, 1 the beginning of one of its parts, 0 not. */
static int fits(const char *path, const char *typed, size_t len)
{
    if (starts(path, typed, len))
        return 2;
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.'))
        if (starts(dot + 1, typed, len))
            return 1;
    return 0;
}

static bool is_offered(const struct model_field *f)
{
    return (f->flags & MODEL_SEARCH) && !(f->flags & MODEL_SECRET);
}

static void fields_of(struct complete *c, const struct model_kind *k, const char *member, int wanted)
{
    const char *typed = c->t.text + c->t.name;
    size_t len = c->t.name_len < c->t.pos - c->t.name ? c->t.name_len : c->t.pos - c->t.name;

    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *f = &k->fields[i];
        const char *path = *member ? arena_printf(c->r->arena, "%s.%s", member, f->path) : f->path;

        if (is_offered(f) && path && fits(path, typed, len) == wanted)
            suggest(c, "field", path, NULL, f->doc, NULL);
    }
}

static void aliases(struct complete *c)
{
    size_t len = c->t.pos - c->t.name;

    for (const struct model_alias *al = c->kind->aliases; al && al->alias; al++) {
        const struct model_field *f = model_field(c->kind, al->path, strlen(al->path));

        if (f && len > 0 && starts(al->alias, c->t.text + c->t.name, len))
            suggest(c, "field", al->alias, NULL, f->doc, NULL);
    }
}

static void fields(struct complete *c)
{
    static const char *const keywords[] = { "or", "not" };

    aliases(c);
    for (int wanted = 2; wanted > 0; wanted--) {
        fields_of(c, c->kind, "", wanted);
        for (size_t i = 0; model_kind_at(i); i++) {
            const struct model_kind *k = model_kind_at(i);

            if (k->owner == c->kind->number && k->member[0])
                fields_of(c, k, k->member, wanted);
        }
    }
    for (size_t i = 0; i < PV_COUNT(keywords); i++)
        if (c->t.pos > c->t.name && starts(keywords[i], c->t.text + c->t.name, c->t.pos - c->t.name))
            suggest(c, "keyword", keywords[i], NULL, NULL, NULL);
}

static void operators(struct complete *c, const struct model_field *f)
{
    static const char *const of_text[] = { ":", "=", "!=", "~", NULL };
    static const char *const of_words[] = { ":", "!=", NULL };
    static const char *const of_numbers[] = { "=", ">=", "<=", ">", "<", "!=", NULL };
    const char *const *list = f->type == MODEL_ENUM || f->type == MODEL_BOOL ? of_words
                              : f->type == MODEL_U64 || f->type == MODEL_TIME ? of_numbers : of_text;

    for (; *list; list++)
        suggest(c, "operator", arena_printf(c->r->arena, "%.*s%s", (int)c->t.name_len, c->t.text + c->t.name, *list),
                NULL, NULL, NULL);
}

/* ------------------------------------------------------------------ values */

static bool typed_fits(const struct complete *c, const char *text)
{
    return text && strncasecmp(text, c->prefix, strlen(c->prefix)) == 0;
}

static int value_found(void *ctx, const char *text, const char *name, uint64_t count)
{
    struct complete *c = ctx;
    const char *shown = name ? name : text;

    if (typed_fits(c, shown))
        suggest(c, "value", literal(c->r->arena, shown), NULL, NULL, &count);
    return c->n >= MOST;
}

/* The rest of the filter decides what is counted, if it makes sense without this term. */
static const struct filter *others(struct complete *c)
{
    struct pv_err err = { 0 };
    const struct filter *out = NULL;
    size_t cut = c->t.start;
    const char *text;

    while (cut > 0 && c->t.text[cut - 1] == '-')
        cut--;
    text = arena_printf(c->r->arena, "%.*s %s", (int)cut, c->t.text, c->t.text + c->t.end);
    if (!text || filter_parse(c->kind, text, clock_wall_ms(), c->r->arena, &out, &err) != PV_OK)
        return NULL;
    return out;
}

/* Of texts and names only those that begin as typed are asked for: there may be very many. */
static const struct filter *narrowed(struct complete *c, const struct model_field *f, const struct filter *rest)
{
    struct pv_err err = { 0 };
    const struct filter *begins = NULL;
    const char *text;

    if (!*c->prefix || strpbrk(c->prefix, "*?\"\\") || (f->type != MODEL_STR && f->type != MODEL_REF))
        return rest;
    text = arena_printf(c->r->arena, "%s~\"%s*\"", f->path, c->prefix);
    if (!text || filter_parse(c->kind, text, 0, c->r->arena, &begins, &err) != PV_OK)
        return rest;
    return filter_and(c->r->arena, rest, begins);
}

static int counted(struct complete *c, const struct model_field *f, struct pv_err *err)
{
    struct store_query q = { .limit = 1, .access = access_of(c->r) };
    int rc = model_shape_make(c->kind, "name", MODEL_VIEW_SUMMARY, c->r->arena, &q.shape, err);

    if (rc != PV_OK)
        rc = model_shape_make(c->kind, NULL, MODEL_VIEW_SUMMARY, c->r->arena, &q.shape, err);
    q.filter = narrowed(c, f, others(c));
    if (rc == PV_OK)
        rc = store_facet(api_of(c->r)->store, &q, f->index, value_found, c, err);
    return rc == PV_OK || c->n >= MOST ? PV_OK : rc;
}

static int tag_found(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct complete *c = ctx;

    (void)err;
    if (typed_fits(c, model_text(row, F(tag, name))))
        suggest(c, "value", literal(c->r->arena, model_text(row, F(tag, name))), NULL, NULL, NULL);
    return 0;
}

/* Objects' tags are declared, so nothing is counted. */
static int tags(struct complete *c, struct pv_err *err)
{
    struct store_sort by_name = { .field = F(tag, name) };
    struct store_query q = { .limit = 1000, .sort = &by_name, .nsort = 1, .access = access_of(c->r) };
    int rc = model_shape_make(model_kind(PV_KIND_tag), "name", MODEL_VIEW_SUMMARY, c->r->arena, &q.shape, err);

    return rc == PV_OK ? store_list(api_of(c->r)->store, &q, tag_found, c, NULL, err) : rc;
}

static void words(struct complete *c, const char *const *list)
{
    for (; *list; list++)
        if (typed_fits(c, *list))
            suggest(c, "value", *list, NULL, NULL, NULL);
}

static int values(struct complete *c, const struct model_kind *k, const struct model_field *f, struct pv_err *err)
{
    static const char *const times[] = { "now-1h", "now-24h", "now-7d", "now-30d", "null", NULL };
    static const char *const sizes[] = { "1GiB", "4GiB", "8GiB", "16GiB", "64GiB", "1TiB", "null", NULL };
    static const char *const truth[] = { "true", "false", "null", NULL };
    static const char *const nothing[] = { "null", NULL };
    bool countable = k == c->kind && (f->type == MODEL_ENUM || f->type == MODEL_BOOL || f->type == MODEL_REF ||
                                      f->type == MODEL_STR) && !(f->flags & MODEL_COMPUTED);

    if (countable && counted(c, f, err) != PV_OK)
        return err->rc;
    switch (f->type) {
    case MODEL_ENUM:
        /* Words that no object has at present may be wanted as well. */
        for (size_t i = 0; !c->n && i < model_enum_count(f->enum_id); i++)
            if (typed_fits(c, model_enum_text(f->enum_id, (int64_t)i)))
                suggest(c, "value", model_enum_text(f->enum_id, (int64_t)i), NULL, NULL, NULL);
        break;
    case MODEL_BOOL:
        if (!c->n)
            words(c, truth);
        break;
    case MODEL_TIME:
        words(c, times);
        break;
    case MODEL_U64:
        words(c, f->unit == UNIT_BYTES ? sizes : nothing);
        break;
    case MODEL_LIST:
        if (strcmp(f->name, "tags") == 0)
            return tags(c, err);
        break;
    default:
        break;
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ the route */

/* Also "disks.capacity_bytes" of an embedded kind. */
static const struct model_field *named_field(const struct complete *c, const struct model_kind **of)
{
    const char *name = c->t.text + c->t.name;
    const struct model_field *f = model_field(c->kind, name, c->t.name_len);

    *of = c->kind;
    for (size_t i = 0; !f && model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);
        size_t len = strlen(k->member);

        if (k->owner != c->kind->number || len == 0 || c->t.name_len <= len + 1 || name[len] != '.' ||
            memcmp(name, k->member, len) != 0)
            continue;
        f = model_field(k, name + len + 1, c->t.name_len - len - 1);
        *of = k;
    }
    return f && is_offered(f) ? f : NULL;
}

static int prepare(struct req *r, struct complete *c, struct pv_err *err)
{
    const char *kind = req_query(r, "kind"), *text = req_query(r, "text");
    uint64_t pos;

    text = text ? text : "";
    pos = strlen(text);
    c->kind = kind ? model_kind_by_name(kind) : NULL;
    if (!c->kind && kind)
        c->kind = model_kind_by_plural(kind);
    if (!c->kind || (c->kind->flags & MODEL_MEMORY)) {
        pv_fail_as(err, "invalid-request", "kind: the name of a kind: vm, host");
        pv_err_pointer(err, "kind");
        return PV_EINVAL;
    }
    if (need_anywhere(r, c->kind->permission, err) != PV_OK)
        return err->rc;
    if (strlen(text) > TEXT_MAX)
        return pv_fail_as(err, "invalid-request", "text: up to %d bytes", TEXT_MAX);
    if (query_u64(r, "pos", 0, strlen(text), &pos, err) != PV_OK)
        return err->rc;
    find_term(text, (size_t)pos, &c->t);
    return PV_OK;
}

static enum req_result complete(struct req *r)
{
    struct complete c = { .r = r };
    struct pv_err err = { 0 };
    const struct model_kind *of;
    const struct model_field *f;
    size_t from;
    int rc = PV_OK;

    if (prepare(r, &c, &err) != PV_OK)
        return reply_problem(r, &err);
    f = named_field(&c, &of);
    from = c.t.value ? c.t.value : c.t.start;
    c.w = reply_json(r, 200);
    jsonw_object(c.w, NULL);
    jsonw_u64(c.w, "from", from);
    jsonw_u64(c.w, "to", c.t.value ? c.t.pos : c.t.end > c.t.pos ? c.t.end : c.t.pos);
    jsonw_array(c.w, "items");
    if (c.t.value && f) {
        size_t skip = c.t.quoted ? 1 : 0;

        c.prefix = arena_text(r->arena, c.t.text + c.t.value + skip, c.t.pos - c.t.value - skip);
        rc = c.prefix ? values(&c, of, f, &err) : pv_fail(&err, PV_ENOMEM, "no memory");
    } else if (!c.t.value) {
        if (f && c.t.name_len == c.t.pos - c.t.name)
            operators(&c, f);
        fields(&c);
    }
    if (rc != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(c.w);
    jsonw_end(c.w);
    return reply_send(r);
}

static const struct model_param query[] = {
    { .name = "kind", .type = PARAM_TEXT, .required = true, .min = 1, .max = 64, .doc = "Kind of the list: vm." },
    { .name = "text", .type = PARAM_TEXT, .max = TEXT_MAX, .doc = "The filter as typed so far." },
    { .name = "pos", .type = PARAM_INT, .max = TEXT_MAX, .doc = "Place of the caret in bytes; the end unless given." },
    { 0 },
};

const struct route complete_routes[] = {
    { .method = "GET", .pattern = API_BASE "/filter/complete", .permission = PERM_NONE, .handler = complete,
      .answer = ANSWER_JSON, .schema = "Completions", .query = query,
      .doc = "What may stand at a place of a filter: fields, operators, values with their counts." },
    { 0 },
};
