/* SPDX-License-Identifier: Apache-2.0 */
/* What every kind of the model has: its collection, single objects, our own fields. */
#include "server/api/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* ------------------------------------------------------------------ naming an object */

struct candidates {
    struct pv_id ids[11];
    char names[11][160];
    size_t n;
};

static int add_candidate(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct candidates *c = ctx;
    unsigned provider = 0;
    const struct model_field *f = model_field_by_name(row->kind, "provider");

    (void)err;
    if (f)
        provider = f->index;
    c->ids[c->n] = row->id;
    str_copy(c->names[c->n], sizeof(c->names[0]), f ? model_text(row, provider) : "");
    c->n++;
    return PV_OK;
}

static int find_where(struct req *r, const struct model_kind *kind, const char *path,
                      const char *value, const struct pv_id *provider, struct candidates *c,
                      struct pv_err *err)
{
    struct store_query q = { .limit = PV_COUNT(c->ids), .access = kind->number == PV_KIND_provider ? NULL : access_of(r) };
    const struct filter *also = NULL;
    char id[PV_ID_TEXT];
    int rc = model_shape_make(kind, model_field_by_name(kind, "provider") ? "provider" : "id",
                              MODEL_VIEW_SUMMARY, r->arena, &q.shape, err);

    if (rc == PV_OK)
        rc = filter_equals(kind, path, value, 0, r->arena, &q.filter, err);
    if (rc == PV_OK && provider) {
        model_id_text(PV_KIND_provider, provider, id);
        rc = filter_equals(kind, "provider", id, 0, r->arena, &also, err);
        q.filter = filter_and(r->arena, q.filter, also);
    }
    if (rc == PV_OK)
        rc = store_list(api_of(r)->store, &q, add_candidate, c, NULL, err);
    return rc;
}

static int not_found(const struct model_kind *kind, const char *text, struct pv_err *err)
{
    return pv_fail(err, PV_ENOENT, "there is no %s \"%.*s\"", kind->name, 80, text);
}

/* Several have the name: the answer lists them, for programs as `candidates`, for people in the text. */
static int ambiguous(struct req *r, const struct model_kind *kind, const char *text, const struct candidates *c,
                     struct pv_err *err)
{
    bool more = c->n == PV_COUNT(c->ids);
    struct buf list, members;
    struct jsonw w;
    int rc;

    buf_init(&list, 1024);
    buf_init(&members, 8192);
    buf_text(&members, "\"candidates\":");
    jsonw_init(&w, &members);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < c->n - more; i++) {
        char id[PV_ID_TEXT];

        model_id_text(kind->number, &c->ids[i], id);
        if (i < 4)
            buf_printf(&list, "%s%s (%s)", i ? ", " : "", id, c->names[i]);
        jsonw_object(&w, NULL);
        jsonw_str(&w, "id", id);
        jsonw_str(&w, "name", text);
        jsonw_str(&w, "provider", c->names[i]);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    if (buf_ok(&members))
        r->problem_more = arena_text(r->arena, members.data, members.len);
    rc = pv_fail_as(err, "ambiguous-name", "%s%zu %s have the name \"%s\": %s%s", more ? "more than " : "", c->n - more,
                    kind->plural, text, buf_ok(&list) ? list.data : "", c->n > 4 ? " ..." : "");
    buf_free(&members);
    buf_free(&list);
    return rc;
}

static int the_only_one(struct req *r, const struct model_kind *kind, const char *text, const struct candidates *c,
                        struct pv_id *out, struct pv_err *err)
{
    if (c->n == 0)
        return not_found(kind, text, err);
    if (c->n > 1)
        return ambiguous(r, kind, text, c, err);
    *out = c->ids[0];
    return PV_OK;
}

static int resolve_native(struct req *r, const struct model_kind *kind, const char *text,
                          struct pv_id *out, struct pv_err *err)
{
    const char *colon = strchr(text, ':');
    struct candidates providers = { 0 }, found = { 0 };
    const char *name;
    int rc;

    if (!(kind->flags & MODEL_SYNCED) || !colon)
        return pv_fail_as(err, "invalid-request", "say native:<provider name>:<native id>");
    name = arena_text(r->arena, text, (size_t)(colon - text));
    if (!name)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = find_where(r, model_kind(PV_KIND_provider), "name", name, NULL, &providers, err);
    if (rc != PV_OK)
        return rc;
    if (providers.n == 0)
        return not_found(kind, text, err);
    rc = find_where(r, kind, "native.id", colon + 1, &providers.ids[0], &found, err);
    return rc == PV_OK ? the_only_one(r, kind, text, &found, out, err) : rc;
}

static int find_object(struct req *r, const struct model_kind *kind, const char *text, struct pv_id *out,
                       struct pv_err *err)
{
    struct candidates found = { 0 };
    int rc;

    if (id_parse(kind->prefix, text, strlen(text), out))
        return PV_OK;
    if (str_starts(text, "native:"))
        return resolve_native(r, kind, text + strlen("native:"), out, err);
    if (strcmp(text, "native") == 0 && req_query(r, "native"))
        return resolve_native(r, kind, req_query(r, "native"), out, err);
    if (str_starts(text, "name:") && model_field(kind, "name", 4)) {
        text += strlen("name:");
        rc = find_where(r, kind, "name", text, NULL, &found, err);
        return rc == PV_OK ? the_only_one(r, kind, text, &found, out, err) : rc;
    }
    return not_found(kind, text, err);
}

int object_resolve(struct req *r, const struct model_kind *kind, const char *text, struct pv_id *out,
                   struct pv_err *err)
{
    int needed = r->route->permission;
    int rc = find_object(r, kind, text, out, err);

    if (rc == PV_OK)
        rc = need_sight(r, kind, out, err);
    /* What the route asks for is asked of the object it is about. */
    if (rc == PV_OK && kind == r->route->kind && needed != kind->permission && needed != PERM_EVENT_READ &&
        needed != PERM_MONITOR_READ)
        rc = need_on(r, needed, kind->number, out, err);
    return rc;
}

int object_find(struct req *r, const struct model_kind *kind, const char *text, struct pv_id *out, struct pv_err *err)
{
    bool there = false;
    int rc = object_resolve(r, kind, text, out, err);

    if (rc == PV_OK)
        rc = store_visible(api_of(r)->store, NULL, kind->number, out, &there, err);
    return rc != PV_OK || there ? rc : pv_fail(err, PV_ENOENT, "there is no such %s", kind->name);
}

/* ------------------------------------------------------------------ writing an object */

static void write_usage(struct req *r, struct jsonw *w, const struct model_row *row)
{
    size_t n;
    const struct model_metric *metrics = model_metrics(&n);
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];
    int64_t time_ms = 0;

    if (!core_usage(api_of(r)->core, row->kind->number, &row->id, &time_ms, values, have)) {
        jsonw_null(w, "usage");
        return;
    }
    jsonw_object(w, "usage");
    jsonw_time(w, "time", time_ms);
    for (size_t i = 0; i < n; i++)
        if (have[i])
            jsonw_u64(w, metrics[i].name, values[i]);
    jsonw_end(w);
}

void object_write(struct req *r, struct jsonw *w, const struct list_query *l,
                  const struct model_row *row)
{
    jsonw_object(w, NULL);
    model_write_members(w, l->q.shape, row);
    if (l->q.shape->usage)
        write_usage(r, w, row);
    jsonw_end(w);
}

/* ------------------------------------------------------------------ collections */

struct page {
    struct req *r;
    struct jsonw *w;
    const struct list_query *l;
};

static int write_item(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct page *p = ctx;

    object_write(p->r, p->w, p->l, row);
    return buf_ok(p->w->out) ? PV_OK : pv_fail_as(err, "too-large", "the answer is too large; ask for less at once");
}

struct facet_writer {
    struct jsonw *w;
};

static int write_facet(void *ctx, const char *text, const char *name, uint64_t count)
{
    struct facet_writer *f = ctx;

    jsonw_object(f->w, NULL);
    jsonw_str(f->w, "value", text);
    if (name)
        jsonw_str(f->w, "name", name);
    jsonw_u64(f->w, "count", count);
    jsonw_end(f->w);
    return PV_OK;
}

/* The answer to this query stays the same as long as this text does. */
static const char *list_etag(struct req *r, const struct list_query *l)
{
    struct api *a = api_of(r);
    uint64_t changes = store_kind_changes(a->store, l->q.shape->kind->number);

    /* Names of referred-to objects and staleness show in inventory lists. */
    if (l->q.shape->kind->flags & MODEL_SYNCED)
        for (size_t i = 0; model_kind_at(i); i++)
            if (model_kind_at(i)->flags & MODEL_SYNCED || model_kind_at(i)->number == PV_KIND_provider)
                changes += store_kind_changes(a->store, model_kind_at(i)->number);
    return arena_printf(r->arena, "W/\"%s-%s-%" PRIu64 "-%s%s%s\"", l->q.shape->kind->plural, a->nonce,
                        changes, access_tag(r->caller.access), l->hash, l->has_after ? req_query(r, "cursor") : "");
}

static bool same_etag(struct req *r, const char *etag)
{
    const char *known = req_header(r, "If-None-Match");

    return known && etag && (strcmp(known, "*") == 0 || strstr(known, etag) != NULL);
}

static void link_next(struct req *r, const char *cursor)
{
    struct buf out;
    const char *q = r->query;

    buf_init(&out, 8192);
    buf_printf(&out, "<%s?", r->path);
    while (*q) {
        size_t len = strcspn(q, "&");

        if (len > 0 && strncmp(q, "cursor=", 7) != 0)
            buf_printf(&out, "%.*s&", (int)len, q);
        q += len + (q[len] == '&');
    }
    buf_printf(&out, "cursor=%s>; rel=\"next\"", cursor);
    if (buf_ok(&out))
        reply_header(r, "Link", out.data);
    buf_free(&out);
}

struct sum_writer {
    struct jsonw *w;
    const struct list_query *l;
};

static int write_sums(void *ctx, const struct store_group *g)
{
    struct sum_writer *s = ctx;

    jsonw_object(s->w, "sums");
    for (size_t i = 0; i < s->l->nsums; i++)
        jsonw_u64(s->w, s->l->sums[i]->path, g->sums[i]);
    jsonw_end(s->w);
    return 0;
}

/* One group: all that match. */
static int add_up(struct req *r, struct jsonw *w, const struct list_query *l, const struct store_query *q,
                  struct pv_err *err)
{
    struct sum_writer s = { .w = w, .l = l };
    uint16_t fields[STORE_GROUP_MAX];

    if (l->nsums == 0)
        return PV_OK;
    for (size_t i = 0; i < l->nsums; i++)
        fields[i] = (uint16_t)l->sums[i]->index;
    return store_groups(api_of(r)->store, q, NULL, 0, fields, l->nsums, write_sums, &s, err);
}

static int write_counts(struct req *r, struct jsonw *w, const struct list_query *l, struct pv_err *err)
{
    struct store_query q = l->q;
    struct facet_writer fw = { .w = w };
    uint64_t count;
    int rc = PV_OK;

    q.after = NULL;
    if (l->count == COUNT_EXACT) {
        rc = store_count(api_of(r)->store, &q, &count, err);
        if (rc == PV_OK)
            jsonw_u64(w, "count", count);
    }
    if (rc == PV_OK)
        rc = add_up(r, w, l, &q, err);
    if (rc != PV_OK || l->nfacets == 0)
        return rc;
    jsonw_object(w, "facets");
    for (size_t i = 0; i < l->nfacets && rc == PV_OK; i++) {
        jsonw_array(w, l->facets[i]->path);
        rc = store_facet(api_of(r)->store, &q, l->facets[i]->index, write_facet, &fw, err);
        jsonw_end(w);
    }
    jsonw_end(w);
    return rc;
}

enum req_result list_reply(struct req *r, struct list_query *l)
{
    struct pv_err err = { 0 };
    struct store_position last = { .len = 0 };
    struct page page = { .r = r, .l = l };
    uint64_t seq = core_event_seq(api_of(r)->core);
    bool has_etag = !l->no_etag && l->nexpand == 0 && !l->q.shape->usage;
    const char *etag = has_etag ? list_etag(r, l) : NULL;
    char cursor[CURSOR_TEXT];
    int rc;

    if (list_stream_wanted(r))
        return list_stream(r, l);
    if (same_etag(r, etag)) {
        reply_header(r, "ETag", etag);
        return reply_empty(r, 304);
    }
    page.w = reply_json(r, 200);
    jsonw_object(page.w, NULL);
    jsonw_array(page.w, "items");
    rc = store_list(api_of(r)->store, &l->q, write_item, &page, &last, &err);
    if (rc == PV_OK) {
        jsonw_end(page.w);
        if (last.len > 0) {
            cursor_write(api_of(r), l, &last, cursor, sizeof(cursor));
            jsonw_str(page.w, "next", cursor);
            link_next(r, cursor);
        } else {
            jsonw_null(page.w, "next");
        }
        rc = write_counts(r, page.w, l, &err);
    }
    if (rc != PV_OK)
        return reply_problem(r, &err);
    jsonw_time(page.w, "as_of", clock_wall_ms());
    jsonw_u64(page.w, "event_seq", seq);
    jsonw_end(page.w);
    if (etag)
        reply_header(r, "ETag", etag);
    return reply_send(r);
}

enum req_result object_list(struct req *r)
{
    struct pv_err err = { 0 };
    struct list_query l;

    /* Refusals are recorded without waiting for the disk. Whoever reads the audit sees all that was answered before. */
    if (r->route->kind->number == PV_KIND_audit && store_settle(api_of(r)->store, &err) != PV_OK)
        return reply_problem(r, &err);
    if (query_parse(r, r->route->kind, NULL, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    return list_reply(r, &l);
}

/* ------------------------------------------------------------------ single objects */

/* What is shown, and the version: the ETag says it whatever the caller wants to see. */
static int read_shape(struct req *r, const struct model_shape *shown, const struct model_shape **out, struct pv_err *err)
{
    unsigned version = model_field(shown->kind, "version", 7)->index;
    struct model_shape *read;

    *out = shown;
    if (model_shape_wants(shown, version))
        return PV_OK;
    read = arena_copy(r->arena, shown, sizeof(*read));
    if (read)
        read->fields = arena_alloc(r->arena, (shown->nfields + 1) * sizeof(*read->fields));
    if (!read || !read->fields)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer");
    if (shown->nfields)
        memcpy(read->fields, shown->fields, shown->nfields * sizeof(*read->fields));
    read->fields[read->nfields++] = (uint16_t)version;
    *out = read;
    return PV_OK;
}

enum req_result object_get(struct req *r)
{
    const struct model_kind *kind = r->route->kind;
    const struct model_shape *read;
    struct list_query l = { 0 };
    struct pv_err err = { 0 };
    struct model_row *row;
    struct pv_id id;
    const char *etag;

    if (object_resolve(r, kind, req_param(r, "id"), &id, &err) != PV_OK ||
        query_shape(r, kind, MODEL_VIEW_FULL, &l, &err) != PV_OK || read_shape(r, l.q.shape, &read, &err) != PV_OK ||
        store_row_get(api_of(r)->store, read, &id, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);

    if (l.nexpand == 0 && !l.q.shape->usage) {
        etag = arena_printf(r->arena, "\"%s-%" PRId64 "\"", kind->name,
                            model_number(row, model_field(kind, "version", 7)->index));
        reply_header(r, "ETag", etag ? etag : "");
        if (same_etag(r, etag))
            return reply_empty(r, 304);
    }
    object_write(r, reply_json(r, 200), &l, row);
    return reply_send(r);
}

enum req_result object_reply(struct req *r, int status, enum pv_kind kind, const struct pv_id *id)
{
    struct list_query l = { 0 };
    struct pv_err err = { 0 };
    struct model_row *row;
    char text[PV_ID_TEXT];

    if (model_shape_make(model_kind(kind), NULL, MODEL_VIEW_FULL, r->arena, &l.q.shape, &err) != PV_OK ||
        shape_guard(r, &l.q.shape, &err) != PV_OK ||
        store_row_get(api_of(r)->store, l.q.shape, id, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    if (status == 201) {
        model_id_text(kind, id, text);
        r->made = arena_printf(r->arena, API_BASE "/%s/%s", model_kind(kind)->plural, text);
        reply_header(r, "Location", r->made ? r->made : r->path);
    }
    reply_headerf(r, "ETag", "\"%s-%" PRId64 "\"", model_kind(kind)->name,
                  model_number(row, model_field(model_kind(kind), "version", 7)->index));
    object_write(r, reply_json(r, status), &l, row);
    return reply_send(r);
}

int options_read(struct req *r, const struct model_kind *kind, struct core_options *o,
                 struct pv_err *err)
{
    const char *match = req_header(r, "If-Match");
    size_t skip = strlen(kind->name) + 2;
    uint64_t version;

    memset(o, 0, sizeof(*o));
    if (query_bool(r, "dry_run", &o->dry_run, err) != PV_OK ||
        query_bool(r, "fail_if_busy", &o->fail_if_busy, err) != PV_OK)
        return err->rc;
    if (!match || strcmp(match, "*") == 0)
        return PV_OK;
    /* "vm-3": the quotes are part of it. */
    if (strlen(match) <= skip + 1 || match[0] != '"' || !str_starts(match + 1, kind->name) ||
        match[skip - 1] != '-' || match[strlen(match) - 1] != '"' ||
        !str_u64(match + skip, strlen(match) - skip - 1, UINT64_MAX >> 1, &version) || version == 0)
        return pv_fail_as(err, "precondition-failed", "If-Match: %.*s is no version of a %s", 64, match,
                          kind->name);
    o->if_version = version;
    return PV_OK;
}

/* What a patch would do, for dry_run: the named members as they are, and as they would be. */
static enum req_result patch_plan(struct req *r, const struct model_kind *kind, const struct pv_id *id, bool changed)
{
    const struct model_shape *shape;
    struct pv_err err = { 0 };
    struct model_row *row;
    struct jsonw *w;
    char text[PV_ID_TEXT];
    const char *name;
    json_t *value;

    if (model_shape_make(kind, NULL, MODEL_VIEW_FULL, r->arena, &shape, &err) != PV_OK ||
        store_row_get(api_of(r)->store, shape, id, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    model_id_text(kind->number, id, text);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_bool(w, "ok", true);
    jsonw_bool(w, "changed", changed);
    jsonw_array(w, "findings");
    jsonw_end(w);
    jsonw_array(w, "plan");
    jsonw_object(w, NULL);
    jsonw_strf(w, "operation", "%s.update", kind->name);
    jsonw_object(w, "ref");
    jsonw_str(w, "kind", kind->name);
    jsonw_str(w, "id", text);
    jsonw_str(w, "name", model_text(row, model_field(kind, "name", 4)->index));
    jsonw_end(w);
    jsonw_object(w, "before");
    json_object_foreach(r->json, name, value) {
        const struct model_field *f = model_field(kind, name, strlen(name));

        if (f)
            model_write_value(w, name, f, model_get(row, f->index));
    }
    jsonw_end(w);
    jsonw_object(w, "after");
    json_object_foreach(r->json, name, value) {
        char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

        if (dump)
            jsonw_raw(w, name, dump, strlen(dump));
        free(dump);
    }
    jsonw_end(w);
    jsonw_array(w, "native_calls");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

/* A patch is about our own fields, or an operation that changes the object where it is; not both, because one is done
 * at once and the other is a task. */
static int patch_is_operation(struct req *r, bool *out, struct pv_err *err)
{
    static const char *const own[] = { "tags", "attributes", "notes", "folder" };
    size_t ours = 0;

    for (size_t i = 0; i < PV_COUNT(own); i++)
        ours += json_object_get(r->json, own[i]) != NULL;
    *out = r->route->operation && json_object_size(r->json) > ours;
    if (*out && ours > 0)
        return pv_fail_as(err, "invalid-request", "change our own fields (tags, attributes, notes, folder) and the "
                          "%s itself in two requests: the second is a task", r->route->kind->name);
    return PV_OK;
}

enum req_result object_patch(struct req *r)
{
    bool is_operation = false;
    const struct model_kind *kind = r->route->kind;
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;
    bool changed = false;

    if (patch_is_operation(r, &is_operation, &err) != PV_OK)
        return reply_problem(r, &err);
    if (is_operation)
        return operation_run(r);
    /* The route itself asks for less where a patch can be an operation. */
    if (object_resolve(r, kind, req_param(r, "id"), &id, &err) != PV_OK ||
        need_on(r, PERM_TAG_WRITE, kind->number, &id, &err) != PV_OK ||
        options_read(r, kind, &o, &err) != PV_OK ||
        core_object_patch(api_of(r)->core, &by, kind->number, &id, r->json, &o, &changed, &err) != PV_OK)
        return reply_problem(r, &err);
    if (o.dry_run)
        return patch_plan(r, kind, &id, changed);
    return object_reply(r, 200, kind->number, &id);
}
