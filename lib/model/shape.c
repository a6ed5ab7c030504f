/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/model.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/texts.h>

/* What is the same for every request about a kind: worked out once, kept for ever. */
struct prepared {
    uint16_t *order;                        /* field indexes, relatives together */
    struct model_shape view[2];             /* by enum model_view */
    const struct model_shape *children[8];  /* full shapes of the embedded child kinds */
};

static struct prepared prepared[PV_KIND_MAX + 1];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Length of the common beginning of two paths that ends with a whole component: "guest.tools." */
static size_t common_prefix(const char *a, const char *b)
{
    size_t same = 0;

    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.')
            same = i + 1;
    return same;
}

/* Orders fields so that those with one prefix stand together, otherwise as declared. */
static void order_fields(const struct model_kind *kind, uint16_t *order)
{
    size_t n = 0;

    for (size_t i = 0; i < kind->nfields; i++) {
        size_t at = n, best = 0;

        for (size_t j = n; j > 0; j--) {
            size_t same = common_prefix(kind->fields[order[j - 1]].path, kind->fields[i].path);

            if (same > best) {
                best = same;
                at = j;
            }
        }
        memmove(order + at + 1, order + at, (n - at) * sizeof(*order));
        order[at] = (uint16_t)i;
        n++;
    }
}

static unsigned count_dots(const char *text, size_t len)
{
    unsigned dots = 0;

    for (size_t i = 0; i < len; i++)
        dots += text[i] == '.';
    return dots;
}

/* The fixed text between two values: closes what `before` opened, opens what `after` needs. Either may be NULL. */
static void put_literal(struct buf *out, const char *before, const char *after)
{
    size_t same = before && after ? common_prefix(before, after) : 0;

    if (before)
        for (unsigned i = count_dots(before + same, strlen(before + same)); i > 0; i--)
            buf_char(out, '}');
    if (!after)
        return;
    buf_char(out, ',');
    for (const char *part = after + same;;) {
        const char *dot = strchr(part, '.');
        size_t len = dot ? (size_t)(dot - part) : strlen(part);

        buf_printf(out, "\"%.*s\":", (int)len, part);
        if (!dot)
            return;
        buf_char(out, '{');
        part = dot + 1;
    }
}

/* Fills s->literal: nfields texts before the values and one after the last. */
static int make_literals(struct model_shape *s, void *(*alloc)(void *, size_t), void *ctx)
{
    const char *before = NULL;

    s->literal = alloc(ctx, (s->nfields + 1) * sizeof(*s->literal));
    if (!s->literal)
        return PV_ENOMEM;
    for (size_t i = 0; i <= s->nfields; i++) {
        const char *after = i < s->nfields ? s->kind->fields[s->fields[i]].path : NULL;
        struct buf text;
        char *copy;

        buf_init(&text, 1024);
        buf_text(&text, "");
        put_literal(&text, before, after);
        copy = buf_ok(&text) ? alloc(ctx, text.len + 1) : NULL;
        if (copy && text.len > 0)
            memcpy(copy, text.data, text.len + 1);
        buf_free(&text);
        if (!copy)
            return PV_ENOMEM;
        s->literal[i] = copy;
        before = after;
    }
    return PV_OK;
}

static void *alloc_for_ever(void *ctx, size_t size)
{
    void *p = calloc(1, size);

    (void)ctx;
    /* A few kilobytes at the first request: without them nothing can be served at all. */
    if (!p)
        abort();
    return p;
}

static void *alloc_in_arena(void *ctx, size_t size)
{
    return arena_alloc(ctx, size);
}

static void prepare(void)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *kind = model_kind_at(i);
        struct prepared *p = &prepared[kind->number];

        p->order = alloc_for_ever(NULL, kind->nfields * sizeof(*p->order));
        order_fields(kind, p->order);
        for (int view = MODEL_VIEW_SUMMARY; view <= MODEL_VIEW_FULL; view++) {
            struct model_shape *s = &p->view[view];

            s->kind = kind;
            s->has_id = true;
            s->fields = alloc_for_ever(NULL, kind->nfields * sizeof(*s->fields));
            for (size_t f = 0; f < kind->nfields; f++) {
                uint32_t flags = kind->fields[p->order[f]].flags;

                if (flags & MODEL_SECRET)
                    continue;
                if (view == MODEL_VIEW_SUMMARY && (flags & MODEL_DETAIL))
                    continue;
                s->fields[s->nfields++] = p->order[f];
            }
            make_literals(s, alloc_for_ever, NULL);
        }
    }
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *child = model_kind_at(i);
        struct prepared *owner = &prepared[child->owner];
        size_t n = 0;

        if (child->owner == PV_KIND_NONE || !child->member[0])
            continue;
        while (owner->children[n])
            n++;
        owner->children[n] = &prepared[child->number].view[MODEL_VIEW_SUMMARY];
        owner->view[MODEL_VIEW_FULL].children = owner->children;
    }
}

/* One entry of fields=: a field, a prefix, an embedded child kind or its field, or usage. */
struct wanted {
    bool *fields;                       /* of the kind */
    const struct model_shape *children[8];
    bool usage;
};

/* `len`: length of what follows the member's name. */
static int want_child(const struct model_shape *child, size_t len, const char *fields,
                      struct arena *a, struct wanted *w, struct pv_err *err)
{
    size_t n = 0;

    while (w->children[n]) {
        if (w->children[n]->kind == child->kind)
            return PV_OK;
        n++;
    }
    if (len > 0) {
        /* All "disks.x" of the request at once. */
        size_t member = strlen(child->kind->member);
        struct buf sub;
        int rc;

        buf_init(&sub, 8192);
        for (const char *p = fields; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
            size_t part = strcspn(p, ",");

            if (part > member + 1 && strncmp(p, child->kind->member, member) == 0 && p[member] == '.')
                buf_printf(&sub, "%s%.*s", sub.len ? "," : "", (int)(part - member - 1),
                           p + member + 1);
        }
        rc = buf_ok(&sub) ? model_shape_make(child->kind, sub.data, MODEL_VIEW_SUMMARY, a, &child, err)
                          : pv_fail_as(err, "invalid-request", "fields= is too long");
        buf_free(&sub);
        if (rc != PV_OK)
            return rc;
    }
    w->children[n] = child;
    return PV_OK;
}

static int want(const struct model_kind *kind, const char *part, size_t len, const char *fields,
                struct arena *a, struct wanted *w, struct pv_err *err)
{
    const struct model_field *f = model_field(kind, part, len);
    const char *near;
    bool found = false;

    if ((len == 2 && memcmp(part, "id", 2) == 0) || (len == 4 && memcmp(part, "kind", 4) == 0))
        return PV_OK;
    if (len == 5 && memcmp(part, "usage", 5) == 0) {
        w->usage = true;
        return PV_OK;
    }
    if (f && !(f->flags & MODEL_SECRET)) {
        w->fields[f->index] = true;
        return PV_OK;
    }
    for (size_t i = 0; prepared[kind->number].children[i]; i++) {
        const struct model_shape *child = prepared[kind->number].children[i];
        size_t member = strlen(child->kind->member);

        if (len >= member && strncmp(part, child->kind->member, member) == 0 &&
            (len == member || part[member] == '.'))
            return want_child(child, len - member, fields, a, w, err);
    }
    for (size_t i = 0; i < kind->nfields; i++) {
        const char *path = kind->fields[i].path;

        if (strncmp(path, part, len) == 0 && path[len] == '.' &&
            !(kind->fields[i].flags & MODEL_SECRET))
            found = w->fields[i] = true;
    }
    if (found)
        return PV_OK;

    near = model_field_nearest(kind, part, len);
    pv_fail_as(err, "unknown-field", "%s has no field \"%.*s\"%s%s%s", kind->name,
               (int)(len < 64 ? len : 64), part, near ? "; did you mean \"" : "", near ? near : "",
               near ? "\"?" : "");
    pv_err_pointer(err, "fields");
    return err ? err->rc : PV_EINVAL;
}

int model_shape_make(const struct model_kind *kind, const char *fields, enum model_view view,
                     struct arena *a, const struct model_shape **out, struct pv_err *err)
{
    struct wanted w = { 0 };
    struct model_shape *s;
    const uint16_t *order;
    size_t children = 0;

    pthread_once(&once, prepare);
    if (!fields || !*fields) {
        *out = &prepared[kind->number].view[view];
        return PV_OK;
    }
    w.fields = arena_alloc(a, kind->nfields * sizeof(*w.fields));
    s = arena_alloc(a, sizeof(*s));
    if (!w.fields || !s)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer's shape");
    for (const char *p = fields; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t len = strcspn(p, ",");
        int rc = len > 0 ? want(kind, p, len, fields, a, &w, err) : PV_OK;

        if (rc != PV_OK)
            return rc;
    }

    order = prepared[kind->number].order;
    s->kind = kind;
    s->has_id = true;
    s->usage = w.usage;
    s->fields = arena_alloc(a, kind->nfields * sizeof(*s->fields));
    if (!s->fields)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer's shape");
    for (size_t i = 0; i < kind->nfields; i++)
        if (w.fields[order[i]])
            s->fields[s->nfields++] = order[i];
    while (w.children[children])
        children++;
    if (children > 0) {
        s->children = arena_copy(a, w.children, (children + 1) * sizeof(*s->children));
        if (!s->children)
            return pv_fail(err, PV_ENOMEM, "no memory for the answer's shape");
    }
    if (make_literals(s, alloc_in_arena, a) != PV_OK)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer's shape");
    *out = s;
    return PV_OK;
}

bool model_shape_wants(const struct model_shape *s, unsigned field)
{
    for (size_t i = 0; i < s->nfields; i++)
        if (s->fields[i] == field)
            return true;
    return false;
}

/* A JSON text literal, escaped. */
static void put_text(struct buf *out, const char *text, size_t len)
{
    struct jsonw w;

    jsonw_init(&w, out);
    jsonw_strn(&w, NULL, text, len);
}

/* What needs no escaping, in quotes. */
static void put_word(struct buf *out, const char *word)
{
    buf_char(out, '"');
    buf_text(out, word);
    buf_char(out, '"');
}

static void put_id(struct buf *out, enum pv_kind kind, const struct pv_id *id)
{
    char text[PV_ID_TEXT];

    model_id_text(kind, id, text);
    put_word(out, text);
}

static void put_ref(struct buf *out, enum pv_kind kind, const struct pv_id *id, const char *name)
{
    buf_text(out, "{\"id\":");
    put_id(out, kind, id);
    buf_text(out, ",\"name\":");
    if (name)
        put_text(out, name, strlen(name));
    else
        buf_text(out, "null");
    buf_char(out, '}');
}

static void put_provider(struct buf *out, const struct model_provider *p)
{
    buf_text(out, "{\"id\":");
    put_id(out, PV_KIND_provider, &p->id);
    buf_text(out, ",\"name\":");
    put_text(out, p->name, strlen(p->name));
    buf_text(out, ",\"driver\":");
    put_text(out, p->driver, strlen(p->driver));
    buf_text(out, ",\"family\":");
    put_word(out, model_enum_text(PV_ENUM_family, p->family));
    buf_text(out, p->simulated ? ",\"simulated\":true}" : ",\"simulated\":false}");
}

static void put_number(struct buf *out, int64_t v)
{
    char digits[24];
    size_t at = sizeof(digits);
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0)
        digits[--at] = '-';
    buf_append(out, digits + at, sizeof(digits) - at);
}

static void put_list(struct buf *out, const char *text, size_t len)
{
    const char *end = text + len;
    bool first = true;

    buf_char(out, '[');
    for (const char *item = len > 0 ? text + 1 : end; item < end;) {
        const char *stop = memchr(item, '\n', (size_t)(end - item));

        if (!stop)
            stop = end;
        if (!first)
            buf_char(out, ',');
        first = false;
        put_text(out, item, (size_t)(stop - item));
        item = stop + 1;
    }
    buf_char(out, ']');
}

static void put_refs(struct buf *out, enum pv_kind kind, const struct model_value *v)
{
    buf_char(out, '[');
    for (size_t i = 0; i < v->len; i++) {
        if (i > 0)
            buf_char(out, ',');
        put_ref(out, kind, &v->refs[i].id, v->refs[i].name);
    }
    buf_char(out, ']');
}

static void put_value(struct buf *out, const struct model_field *f, const struct model_value *v)
{
    struct jsonw w;

    if (!v->set) {
        /* A set without members is a set, not "unknown": lists and references read the same whether never
         * reported or empty. */
        buf_text(out, f->type == MODEL_LIST || f->type == MODEL_REFS ? "[]" : "null");
        return;
    }
    switch (f->type) {
    case MODEL_STR:
        put_text(out, v->text, v->len);
        break;
    case MODEL_JSON:
        buf_append(out, v->len > 0 ? v->text : "null", v->len > 0 ? v->len : 4);
        break;
    case MODEL_LIST:
        put_list(out, v->text, v->len);
        break;
    case MODEL_U64:
        put_number(out, v->number);
        break;
    case MODEL_BOOL:
        buf_text(out, v->number ? "true" : "false");
        break;
    case MODEL_ENUM:
        put_word(out, model_enum_text(f->enum_id, v->number));
        break;
    case MODEL_TIME:
        jsonw_init(&w, out);
        jsonw_time(&w, NULL, v->number);
        break;
    case MODEL_REF:
        put_ref(out, f->ref, &v->id, v->text);
        break;
    case MODEL_REFS:
        put_refs(out, f->ref, v);
        break;
    }
}

void model_write_value(struct jsonw *w, const char *key, const struct model_field *f,
                       const struct model_value *v)
{
    jsonw_begin(w, key);
    put_value(w->out, f, v);
}

/* References as somebody else writes them; false: none of the field's, so as usual. */
static bool put_other(struct buf *out, const struct model_shape *s, const struct model_field *f,
                      const struct model_value *v)
{
    if (!s->write_ref || !v->set)
        return false;
    if (f->type == MODEL_REF)
        return s->write_ref(s->write_ref_ctx, out, f, &v->id);
    if (f->type != MODEL_REFS)
        return false;
    buf_char(out, '[');
    for (size_t i = 0; i < v->len; i++) {
        if (i > 0)
            buf_char(out, ',');
        if (!s->write_ref(s->write_ref_ctx, out, f, &v->refs[i].id))
            put_ref(out, f->ref, &v->refs[i].id, v->refs[i].name);
    }
    buf_char(out, ']');
    return true;
}

/* The message of an event of ours has its code beside it; others speak their own language. */
static void write_message_text(struct jsonw *w, const struct model_shape *s,
                               const struct model_row *row)
{
    static const char native[] = "native.type";
    const struct model_field *own = model_field(s->kind, native, sizeof(native) - 1);

    if (own && row->values[own->index].set && row->values[own->index].text[0])
        return;
    for (size_t i = 0; i < s->nfields; i++) {
        const struct model_field *f = &s->kind->fields[s->fields[i]];

        if (strcmp(f->path, "message") == 0 && row->values[f->index].set)
            texts_write(w, "message_text", row->values[f->index].text);
    }
}

void model_write_members(struct jsonw *w, const struct model_shape *s, const struct model_row *row)
{
    char id[PV_ID_TEXT];

    model_id_text(s->kind->number, &row->id, id);
    jsonw_str(w, "id", id);
    jsonw_str(w, "kind", s->kind->name);
    for (size_t i = 0; i < s->nfields; i++) {
        const struct model_field *f = &s->kind->fields[s->fields[i]];
        const struct model_value *v = &row->values[f->index];

        buf_text(w->out, s->literal[i]);
        if (put_other(w->out, s, f, v))
            continue;
        if (f->type == MODEL_REF && f->ref == PV_KIND_provider && v->set && row->provider)
            put_provider(w->out, row->provider);
        else
            put_value(w->out, f, v);
    }
    buf_text(w->out, s->literal[s->nfields]);
    if (s->kind->number == PV_KIND_event)
        write_message_text(w, s, row);

    for (const struct model_children *c = row->children; c && c->kind; c++) {
        const struct model_shape *const *child = s->children;

        while (child && *child && (*child)->kind != c->kind)
            child++;
        if (!child || !*child)
            continue;
        jsonw_array(w, c->kind->member);
        for (size_t i = 0; i < c->nrows; i++)
            model_write_json(w, NULL, *child, &c->rows[i]);
        jsonw_end(w);
    }
}

void model_write_json(struct jsonw *w, const char *key, const struct model_shape *s,
                      const struct model_row *row)
{
    jsonw_object(w, key);
    model_write_members(w, s, row);
    jsonw_end(w);
}
