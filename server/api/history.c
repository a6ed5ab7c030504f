/* SPDX-License-Identifier: Apache-2.0 */
/* What was, and what changed: an object's past, from the changes that events carry. */
#include "server/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define MOST 1000       /* changes that one comparison looks at */

struct about {
    const struct model_kind *kind;
    struct pv_id id;
    const char *text;
};

static int parse_ref(struct req *r, struct about *out, struct pv_err *err)
{
    const char *text = req_query(r, "ref");

    if (!text || !model_id_parse(text, strlen(text), &out->kind, &out->id)) {
        pv_fail_as(err, "invalid-request", "ref: the id of an object");
        pv_err_pointer(err, "ref");
        return PV_EINVAL;
    }
    if (!access_sees(r->caller.access, out->kind->number, &out->id))
        return pv_fail(err, PV_ENOENT, "there is no %s %s", out->kind->name, text);
    out->text = text;
    return PV_OK;
}

static int parse_time(struct req *r, const char *name, int64_t *out, struct pv_err *err)
{
    const char *text = req_query(r, name);

    if (!text || clock_parse(text, strlen(text), out))
        return PV_OK;
    pv_fail_as(err, "invalid-request", "%s: a time: 2026-01-31T12:00:00Z", name);
    pv_err_pointer(err, "%s", name);
    return PV_EINVAL;
}

/* Events about it in [from, to]. */
static int about_filter(struct req *r, const struct about *what, const struct filter **out, struct pv_err *err)
{
    const struct model_kind *events = model_kind(PV_KIND_event);
    int64_t from = 0, to = INT64_MAX;
    char from_text[CLOCK_TEXT_LEN], to_text[CLOCK_TEXT_LEN];
    const char *text;

    if (parse_time(r, "from", &from, err) != PV_OK || parse_time(r, "to", &to, err) != PV_OK)
        return err->rc;
    clock_text(from, from_text);
    text = arena_printf(r->arena, "subject_id=%s", what->text);
    if (text && from > 0)
        text = arena_printf(r->arena, "%s time>=%s", text, from_text);
    if (text && to != INT64_MAX) {
        clock_text(to, to_text);
        text = arena_printf(r->arena, "%s time<=%s", text, to_text);
    }
    if (!text)
        return pv_fail(err, PV_ENOMEM, "no memory for the history");
    return filter_parse(events, text, clock_wall_ms(), r->arena, out, err);
}

static enum req_result history(struct req *r)
{
    static const char *const extra[] = { "ref", "from", "to", NULL };
    const struct model_kind *events = model_kind(PV_KIND_event);
    const struct filter *about;
    struct about what;
    struct pv_err err = { 0 };
    struct list_query l;

    if (parse_ref(r, &what, &err) != PV_OK || query_parse(r, events, extra, &l, &err) != PV_OK ||
        about_filter(r, &what, &about, &err) != PV_OK)
        return reply_problem(r, &err);
    /* A history without the changes would say little. */
    if (!req_query(r, "fields") && !req_query(r, "view") &&
        model_shape_make(events, NULL, MODEL_VIEW_FULL, r->arena, &l.q.shape, &err) != PV_OK)
        return reply_problem(r, &err);
    l.q.filter = filter_and(r->arena, l.q.filter, about);
    if (l.q.nsort == 0) {
        l.sort[0] = (struct store_sort){ .field = F(event, seq), .descending = true };
        l.q.sort = l.sort;
        l.q.nsort = 1;
    }
    return list_reply(r, &l);
}

/* ------------------------------------------------------------------ diff */

/* First and last value of each field that changed, as {field: {from, to}} in the order of time. */
struct diff {
    json_t *fields;
    uint64_t changes;
    uint64_t first_version, last_version;
    bool more;
};

static int add_changes(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct diff *d = ctx;
    const char *text = model_text(row, F(event, changes));
    json_t *list = *text ? json_loads(text, 0, NULL) : NULL, *one;
    uint64_t version = (uint64_t)model_number(row, F(event, object_version));
    size_t i;

    (void)err;
    if (!list)
        return PV_OK;
    json_array_foreach(list, i, one) {
        const char *field = json_string_value(json_object_get(one, "field"));
        json_t *known = field ? json_object_get(d->fields, field) : NULL;

        if (!field)
            continue;
        if (!known) {
            known = json_object();
            json_object_set(known, "from", json_object_get(one, "from") ? json_object_get(one, "from") : json_null());
            json_object_set_new(d->fields, field, known);
        }
        json_object_set(known, "to", json_object_get(one, "to") ? json_object_get(one, "to") : json_null());
    }
    json_decref(list);
    if (version) {
        d->first_version = d->first_version ? d->first_version : version;
        d->last_version = version;
    }
    d->changes++;
    return PV_OK;
}

static void write_json(struct jsonw *w, const char *key, const json_t *v)
{
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text)
        jsonw_raw(w, key, text, strlen(text));
    else
        jsonw_null(w, key);
    free(text);
}

static void write_diff(struct req *r, const struct about *what, const struct diff *d)
{
    struct jsonw *w = reply_json(r, 200);
    const char *field;
    json_t *v;

    jsonw_object(w, NULL);
    jsonw_object(w, "ref");
    jsonw_str(w, "kind", what->kind->name);
    jsonw_str(w, "id", what->text);
    jsonw_end(w);
    jsonw_u64(w, "changes", d->changes);
    jsonw_bool(w, "complete", !d->more);
    if (d->last_version) {
        jsonw_u64(w, "from_version", d->first_version - 1);
        jsonw_u64(w, "to_version", d->last_version);
    }
    jsonw_array(w, "fields");
    json_object_foreach(d->fields, field, v) {
        if (json_equal(json_object_get(v, "from"), json_object_get(v, "to")))
            continue; /* there and back again */
        jsonw_object(w, NULL);
        jsonw_str(w, "field", field);
        write_json(w, "from", json_object_get(v, "from"));
        write_json(w, "to", json_object_get(v, "to"));
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
}

static enum req_result diff(struct req *r)
{
    struct store_sort by_time = { .field = F(event, seq) };
    struct store_query q = { .limit = MOST, .sort = &by_time, .nsort = 1, .access = access_of(r) };
    struct store_position last = { .len = 0 };
    struct diff d = { .fields = NULL };
    struct about what;
    struct pv_err err = { 0 };
    int rc = parse_ref(r, &what, &err);

    if (rc == PV_OK)
        rc = about_filter(r, &what, &q.filter, &err);
    if (rc == PV_OK)
        rc = model_shape_make(model_kind(PV_KIND_event), "seq,changes,object_version", MODEL_VIEW_FULL, r->arena, &q.shape,
                              &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    d.fields = json_object();
    if (!d.fields)
        rc = pv_fail(&err, PV_ENOMEM, "no memory for the comparison");
    else
        rc = store_list(api_of(r)->store, &q, add_changes, &d, &last, &err);
    d.more = last.len > 0;
    if (rc == PV_OK)
        write_diff(r, &what, &d);
    json_decref(d.fields);
    return rc == PV_OK ? reply_send(r) : reply_problem(r, &err);
}

#define RANGE                                                                                      \
    { .name = "ref", .type = PARAM_TEXT, .required = true, .min = 1, .max = 64,                    \
      .doc = "Id of the object." },                                                                \
    { .name = "from", .type = PARAM_TEXT, .max = 40, .doc = "Nothing before this time." },         \
    { .name = "to", .type = PARAM_TEXT, .max = 40, .doc = "Nothing after this time." },            \
    { 0 }

static const struct model_param range[] = { RANGE };

const struct route history_routes[] = {
    { .method = "GET", .pattern = API_BASE "/history", .permission = PERM_EVENT_READ, .handler = history,
      .answer = ANSWER_LIST, .query = range, .statuses = "404", .doc = "What happened to an object, newest first; gone ones, too." },
    { .method = "GET", .pattern = API_BASE "/diff", .permission = PERM_EVENT_READ, .handler = diff,
      .answer = ANSWER_JSON, .schema = "Diff", .query = range, .statuses = "404",
      .doc = "What is different between two times: first and last value of each field that changed." },
    { 0 },
};
