/* SPDX-License-Identifier: Apache-2.0 */
/* The conventions of collections: paging, fields, sorting, filters, from the query to a store_query. */
#include "server/api/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define CURSOR_MAC 16
#define CURSOR_HASH 16

int query_bool(struct req *r, const char *name, bool *out, struct pv_err *err)
{
    const char *text = req_query(r, name);

    if (!text)
        return PV_OK;
    if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "") == 0) {
        *out = true;
    } else if (strcmp(text, "false") == 0 || strcmp(text, "0") == 0) {
        *out = false;
    } else {
        pv_fail_as(err, "invalid-request", "%s must be true or false", name);
        pv_err_pointer(err, "%s", name);
        return PV_EINVAL;
    }
    return PV_OK;
}

int query_u64(struct req *r, const char *name, uint64_t least, uint64_t most, uint64_t *out,
              struct pv_err *err)
{
    const char *text = req_query(r, name);
    uint64_t v;

    if (!text)
        return PV_OK;
    if (!str_u64(text, strlen(text), most, &v) || v < least) {
        pv_fail_as(err, "invalid-request", "%s must be a number from %" PRIu64 " to %" PRIu64, name,
                   least, most);
        pv_err_pointer(err, "%s", name);
        return PV_EINVAL;
    }
    *out = v;
    return PV_OK;
}

static int unknown_field(const struct model_kind *kind, const char *parameter, const char *path,
                         size_t len, const char *what, struct pv_err *err)
{
    const char *near = model_field_nearest(kind, path, len);

    /* What is there and cannot be used so was no typo. */
    if (near && strlen(near) == len && memcmp(near, path, len) == 0)
        near = NULL;
    pv_fail_as(err, "unknown-field", "%s cannot be %s by \"%.*s\"%s%s%s", kind->plural, what,
               (int)(len < 64 ? len : 64), path, near ? "; did you mean \"" : "", near ? near : "",
               near ? "\"?" : "");
    pv_err_pointer(err, "%s", parameter);
    return PV_EINVAL;
}

static int parse_sort(const struct model_kind *kind, const char *text, struct list_query *l,
                      struct pv_err *err)
{
    for (const char *p = text; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        bool descending = *p == '-';
        const char *path = descending ? p + 1 : p;
        size_t len = strcspn(path, ",");
        const struct model_field *f = model_field(kind, path, len);

        if (len == 2 && memcmp(path, "id", 2) == 0)
            continue; /* it is the last key anyway */
        if (!f || !(f->flags & MODEL_SORT))
            return unknown_field(kind, "sort", path, len, "sorted", err);
        if (l->q.nsort == STORE_SORT_MAX) {
            pv_fail_as(err, "invalid-request", "at most %d fields can be sorted by", STORE_SORT_MAX);
            pv_err_pointer(err, "sort");
            return PV_EINVAL;
        }
        l->sort[l->q.nsort++] = (struct store_sort){ .field = f->index, .descending = descending };
    }
    return PV_OK;
}

static int parse_ids(struct req *r, const struct model_kind *kind, const char *text,
                     struct list_query *l, struct pv_err *err)
{
    size_t n = 0;

    l->ids = arena_alloc(r->arena, 200 * sizeof(*l->ids));
    if (!l->ids)
        return pv_fail(err, PV_ENOMEM, "no memory for the ids");
    for (const char *p = text; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t len = strcspn(p, ",");

        if (n == 200 || !id_parse(kind->prefix, p, len, &l->ids[n])) {
            pv_fail_as(err, "invalid-request", "ids must be up to 200 ids of %s, with commas between",
                       kind->plural);
            pv_err_pointer(err, "ids");
            return PV_EINVAL;
        }
        n++;
    }
    l->q.ids = l->ids;
    l->q.nids = n;
    return PV_OK;
}

/* facets= and expand=: comma-separated fields that have a property. */
static int parse_fields(const struct model_kind *kind, const char *parameter, const char *text,
                        bool (*fits)(const struct model_field *f), const char *what,
                        const struct model_field **out, size_t most, size_t *n, struct pv_err *err)
{
    for (const char *p = text; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t len = strcspn(p, ",");
        const struct model_field *f = model_field(kind, p, len);

        if (!f || !fits(f))
            return unknown_field(kind, parameter, p, len, what, err);
        if (*n == most) {
            pv_fail_as(err, "invalid-request", "%s takes at most %zu fields", parameter, most);
            pv_err_pointer(err, "%s", parameter);
            return PV_EINVAL;
        }
        out[(*n)++] = f;
    }
    return PV_OK;
}

static bool can_facet(const struct model_field *f)
{
    return (f->flags & MODEL_SEARCH) && !(f->flags & MODEL_COMPUTED) &&
           (f->type == MODEL_ENUM || f->type == MODEL_BOOL || f->type == MODEL_REF);
}

static bool can_sum(const struct model_field *f)
{
    return (f->flags & MODEL_SEARCH) && !(f->flags & MODEL_COMPUTED) && f->type == MODEL_U64;
}

static bool can_expand(const struct model_field *f)
{
    return f->type == MODEL_REF || f->type == MODEL_REFS;
}

/* What expand= names, for the shape's write_ref. */
struct expander {
    struct req *r;
    const struct model_field *fields[8];
    size_t n;
};

static bool write_expanded(void *ctx, struct buf *out, const struct model_field *f, const struct pv_id *id)
{
    struct expander *e = ctx;
    const struct model_shape *shape;
    struct model_row *row;
    struct arena *scratch;
    struct jsonw w;
    bool named = false, written = false;

    for (size_t i = 0; i < e->n; i++)
        named = named || e->fields[i] == f;
    scratch = named && !ref_is_hidden(e->r, f, id) ? arena_new(16u << 10, 4u << 20) : NULL;
    if (scratch && model_shape_make(model_kind(f->ref), NULL, MODEL_VIEW_SUMMARY, scratch, &shape, NULL) == PV_OK &&
        store_row_get(api_of(e->r)->store, shape, id, scratch, &row, NULL) == PV_OK) {
        jsonw_init(&w, out);
        model_write_json(&w, NULL, shape, row);
        written = true;
    }
    arena_free(scratch);
    return written;
}

/* The shape, but with these references in full. */
static int expand(struct req *r, struct list_query *l, struct pv_err *err)
{
    struct model_shape *shape = arena_copy(r->arena, l->q.shape, sizeof(*shape));
    struct expander *e = arena_alloc(r->arena, sizeof(*e));

    if (!shape || !e)
        return pv_fail(err, PV_ENOMEM, "no memory for expand");
    e->r = r;
    e->n = l->nexpand;
    memcpy(e->fields, l->expand, sizeof(e->fields));
    shape->write_ref = write_expanded;
    shape->write_ref_ctx = e;
    l->q.shape = shape;
    return PV_OK;
}

int query_shape(struct req *r, const struct model_kind *kind, enum model_view view,
                struct list_query *out, struct pv_err *err)
{
    const char *fields = req_query(r, "fields");
    const char *wanted = req_query(r, "view");

    if (wanted && strcmp(wanted, "summary") == 0) {
        view = MODEL_VIEW_SUMMARY;
    } else if (wanted && strcmp(wanted, "full") == 0) {
        view = MODEL_VIEW_FULL;
    } else if (wanted) {
        pv_fail_as(err, "invalid-request", "view must be summary or full");
        pv_err_pointer(err, "view");
        return PV_EINVAL;
    }
    if (model_shape_make(kind, fields, view, r->arena, &out->q.shape, err) != PV_OK)
        return err->rc;
    if (parse_fields(kind, "expand", req_query(r, "expand"), can_expand, "expanded", out->expand,
                     PV_COUNT(out->expand), &out->nexpand, err) != PV_OK)
        return err->rc;
    if (out->nexpand > 0 && expand(r, out, err) != PV_OK)
        return err->rc;
    return shape_guard(r, &out->q.shape, err);
}

/* Everything that decides which rows come in which order, for cursors and ETags. */
struct collect {
    struct req *r;
    const struct model_kind *kind;
    const char *const *extra;
    const struct filter *filter;
    struct buf canon;
    int64_t now;
    int rc;
    struct pv_err *err;
};

static bool is_known(const char *name, const char *const *extra)
{
    static const char *const names[] = { "limit", "cursor", "fields",  "view",  "expand", "sort",
                                         "filter", "ids",   "count",   "facets", "facet_limit", "sums", "format", NULL };

    for (size_t i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    for (size_t i = 0; extra && extra[i]; i++)
        if (strcmp(extra[i], name) == 0)
            return true;
    return false;
}

/* Repeated parameters of one field mean "or", several fields "and". The first of a name collects its repeats. */
struct repeats {
    struct collect *c;
    const char *name;
    const struct filter *any;
};

static void each_repeat(void *ctx, const char *name, const char *value)
{
    struct repeats *re = ctx;
    struct collect *c = re->c;
    const struct filter *one;
    struct filter *node;

    if (c->rc != PV_OK || strcmp(name, re->name) != 0)
        return;
    c->rc = filter_equals(c->kind, name, value, c->now, c->r->arena, &one, c->err);
    if (c->rc != PV_OK)
        return;
    if (!re->any) {
        re->any = one;
        return;
    }
    node = arena_alloc(c->r->arena, sizeof(*node));
    if (!node) {
        c->rc = pv_fail(c->err, PV_ENOMEM, "no memory for the filter");
        return;
    }
    *node = (struct filter){ .type = FILTER_OR, .left = re->any, .right = one };
    re->any = node;
}

static void each_parameter(void *ctx, const char *name, const char *value)
{
    struct collect *c = ctx;
    struct repeats re = { .c = c, .name = name };

    if (c->rc != PV_OK)
        return;
    if (strcmp(name, "cursor") != 0 && strcmp(name, "limit") != 0 && strcmp(name, "count") != 0)
        buf_printf(&c->canon, "%s=%s&", name, value);
    if (is_known(name, c->extra))
        return;
    if (!model_field(c->kind, name, strlen(name)) && !strchr(name, '.') && strcmp(name, "id") != 0) {
        c->rc = unknown_field(c->kind, name, name, strlen(name), "selected", c->err);
        return;
    }
    /* "or" within a name is idempotent, so a name that comes twice may be taken up twice. */
    req_query_each(c->r, each_repeat, &re);
    if (c->rc == PV_OK)
        c->filter = filter_and(c->r->arena, c->filter, re.any);
}

static int parse_filter(struct req *r, const struct model_kind *kind, const char *const *extra,
                        struct list_query *l, struct pv_err *err)
{
    struct collect c = { .r = r, .kind = kind, .extra = extra, .now = clock_wall_ms(), .err = err };
    const char *text = req_query(r, "filter");
    uint8_t digest[32];

    buf_init(&c.canon, 64 << 10);
    buf_printf(&c.canon, "%s?", r->path);
    if (text)
        c.rc = filter_parse(kind, text, c.now, r->arena, &c.filter, err);
    if (c.rc == PV_OK)
        req_query_each(r, each_parameter, &c);
    if (c.rc == PV_OK && !buf_ok(&c.canon))
        c.rc = pv_fail_as(err, "uri-too-long", "the query is too long");
    if (c.rc == PV_OK) {
        EVP_Digest(c.canon.data, c.canon.len, digest, NULL, EVP_sha256(), NULL);
        str_hex(digest, 8, l->hash);
        l->q.filter = c.filter;
    }
    buf_free(&c.canon);
    return c.rc;
}

static int mac(struct api *a, const uint8_t *data, size_t len, uint8_t out[32])
{
    return HMAC(EVP_sha256(), a->cursor_key, sizeof(a->cursor_key), data, len, out, NULL) ? PV_OK
                                                                                         : PV_EINTERNAL;
}

void cursor_write(struct api *a, const struct list_query *l, const struct store_position *at,
                  char *out, size_t cap)
{
    uint8_t raw[CURSOR_HASH + sizeof(at->bytes) + CURSOR_MAC];
    size_t len = CURSOR_HASH + at->len;
    uint8_t digest[32];
    struct buf text;

    out[0] = '\0';
    memcpy(raw, l->hash, CURSOR_HASH);
    memcpy(raw + CURSOR_HASH, at->bytes, at->len);
    if (mac(a, raw, len, digest) != PV_OK)
        return;
    memcpy(raw + len, digest, CURSOR_MAC);
    buf_init(&text, cap - 1);
    str_base64url(&text, raw, len + CURSOR_MAC);
    if (buf_ok(&text))
        str_copy(out, cap, text.data);
    buf_free(&text);
}

int cursor_read(struct api *a, const char *text, const char hash[17], struct store_position *out,
                struct pv_err *err)
{
    uint8_t raw[CURSOR_HASH + sizeof(out->bytes) + CURSOR_MAC];
    uint8_t digest[32];
    size_t len = 0;

    if (!str_unbase64url(text, strlen(text), raw, sizeof(raw), &len) ||
        len < CURSOR_HASH + CURSOR_MAC)
        goto unreadable;
    len -= CURSOR_MAC;
    if (mac(a, raw, len, digest) != PV_OK || !str_eq_const_time(digest, raw + len, CURSOR_MAC))
        goto unreadable;
    if (memcmp(raw, hash, CURSOR_HASH) != 0) {
        pv_fail_as(err, "cursor-mismatch", "the cursor was made for another query");
        pv_err_pointer(err, "cursor");
        return PV_EINVAL;
    }
    out->len = len - CURSOR_HASH;
    memcpy(out->bytes, raw + CURSOR_HASH, out->len);
    return PV_OK;

unreadable:
    pv_fail_as(err, "invalid-request", "the cursor is not one of this server");
    pv_err_pointer(err, "cursor");
    return PV_EINVAL;
}

int query_parse(struct req *r, const struct model_kind *kind, const char *const *extra,
                struct list_query *out, struct pv_err *err)
{
    const char *count = req_query(r, "count");
    const char *cursor = req_query(r, "cursor");
    const char *ids = req_query(r, "ids");
    uint64_t limit = 100, facet_limit = 100;
    int rc;

    memset(out, 0, sizeof(*out));
    rc = query_shape(r, kind, MODEL_VIEW_SUMMARY, out, err);
    if (rc == PV_OK)
        rc = query_u64(r, "limit", 1, 1000, &limit, err);
    if (rc == PV_OK)
        rc = query_u64(r, "facet_limit", 1, 5000, &facet_limit, err);
    if (rc == PV_OK)
        rc = parse_sort(kind, req_query(r, "sort"), out, err);
    if (rc == PV_OK)
        rc = parse_filter(r, kind, extra, out, err);
    if (rc == PV_OK)
        rc = parse_fields(kind, "facets", req_query(r, "facets"), can_facet, "counted", out->facets,
                          PV_COUNT(out->facets), &out->nfacets, err);
    if (rc == PV_OK)
        rc = parse_fields(kind, "sums", req_query(r, "sums"), can_sum, "added up", out->sums, PV_COUNT(out->sums),
                          &out->nsums, err);
    if (rc == PV_OK && ids)
        rc = parse_ids(r, kind, ids, out, err);
    if (rc != PV_OK)
        return rc;

    out->q.sort = out->sort;
    out->q.access = access_of(r);
    out->q.limit = (unsigned)limit;
    out->q.facet_limit = (unsigned)facet_limit;
    if (count && (strcmp(count, "exact") == 0 || strcmp(count, "estimate") == 0)) {
        out->count = COUNT_EXACT;
    } else if (count && strcmp(count, "none") != 0) {
        pv_fail_as(err, "invalid-request", "count must be exact, estimate or none");
        pv_err_pointer(err, "count");
        return PV_EINVAL;
    }
    if (cursor) {
        rc = cursor_read(api_of(r), cursor, out->hash, &out->after, err);
        if (rc != PV_OK)
            return rc;
        out->q.after = &out->after;
        out->has_after = true;
    }
    return PV_OK;
}
