/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the table as requests: their subject, their parameters, and the answers of live ones. */
#include "server/api/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define IMAGE_MAX (2u << 20)

static void json_drop(json_t **j)
{
    json_decref(*j);
}

static bool is_get(const struct req *r)
{
    return strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
}

/* ------------------------------------------------------------------ parameters */

/* Without a body they stand in the query. */
static int params_from_query(struct req *r, const struct model_param *table, json_t **out, struct pv_err *err)
{
    json_t *params = json_object();

    if (!params)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (const struct model_param *p = table; p && p->name; p++) {
        const char *text = req_query(r, p->name);
        bool flag = false;
        uint64_t number = 0;
        int rc = PV_OK;

        if (!text)
            continue;
        if (p->type == PARAM_BOOL) {
            rc = query_bool(r, p->name, &flag, err);
            json_object_set_new(params, p->name, json_boolean(flag));
        } else if (p->type == PARAM_INT) {
            rc = query_u64(r, p->name, 0, UINT64_C(1) << 53, &number, err);
            json_object_set_new(params, p->name, json_integer((json_int_t)number));
        } else {
            json_object_set_new(params, p->name, json_string(text));
        }
        if (rc != PV_OK) {
            json_decref(params);
            return rc;
        }
    }
    *out = params;
    return PV_OK;
}

static int pointed(struct pv_err *err, const char *pointer, int rc)
{
    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int resolve_one(struct req *r, const struct model_param *p, json_t *params, const json_t *v,
                       const char *pointer, struct pv_err *err)
{
    const char *text = json_string_value(v);
    const struct model_kind *kind = p->ref != PV_KIND_NONE ? model_kind(p->ref) : NULL;
    const struct model_shape *shape;
    struct model_row *row;
    struct pv_id id;
    char clean[PV_ID_TEXT];
    int rc;

    /* Of another kind: the table's check says it better. */
    if (!text || !kind || (!str_starts(text, "name:") && !str_starts(text, "native:") &&
                           !id_parse(kind->prefix, text, strlen(text), &id)))
        return PV_OK;
    rc = object_resolve(r, kind, text, &id, err);
    if (rc == PV_OK)
        rc = model_shape_make(kind, "id", MODEL_VIEW_SUMMARY, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, &id, r->arena, &row, err);
    /* A wrong reference in a body is no missing page. */
    if (rc == PV_ENOENT)
        rc = pv_fail_as(err, "validation-failed", "there is no %s \"%.80s\"", kind->name, text);
    if (rc != PV_OK)
        return pointed(err, pointer, rc);
    model_id_text(kind->number, &id, clean);
    json_object_set_new(params, p->name, json_string(clean));
    return PV_OK;
}

int refs_resolve(struct req *r, const struct model_param *table, json_t *params, const char *prefix, struct pv_err *err)
{
    int rc = PV_OK;

    for (const struct model_param *p = table; rc == PV_OK && p && p->name; p++) {
        json_t *v = json_object_get(params, p->name), *one;
        char pointer[128];
        size_t i;

        if (!v)
            continue;
        snprintf(pointer, sizeof(pointer), "%s/%s", prefix, p->name);
        if (p->type == PARAM_ID && p->by_name) {
            rc = resolve_one(r, p, params, v, pointer, err);
        } else if (p->type == PARAM_OBJECT && p->members) {
            rc = refs_resolve(r, p->members, v, pointer, err);
        } else if (p->type == PARAM_LIST && p->members) {
            json_array_foreach(v, i, one) {
                snprintf(pointer, sizeof(pointer), "%s/%s/%zu", prefix, p->name, i);
                rc = refs_resolve(r, p->members, one, pointer, err);
                if (rc != PV_OK)
                    break;
            }
        }
    }
    return rc;
}

/* ------------------------------------------------------------------ subjects */

/* {owner} of a child's path must be the child's owner. */
static int check_owner(struct req *r, const struct model_kind *kind, const struct pv_id *id, struct pv_err *err)
{
    const struct model_kind *owner_kind = model_kind(kind->owner);
    const struct model_field *owner = model_field_by_name(kind, "owner");
    const struct model_shape *shape;
    struct model_row *row;
    struct pv_id wanted;
    int rc = object_resolve(r, owner_kind, req_param(r, "owner"), &wanted, err);

    if (rc == PV_OK)
        rc = model_shape_make(kind, owner->path, MODEL_VIEW_SUMMARY, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, id, r->arena, &row, err);
    if (rc == PV_OK && !id_eq(&row->values[owner->index].id, &wanted))
        rc = pv_fail(err, PV_ENOENT, "this %s has no such %s", owner_kind->name, kind->name);
    return rc;
}

/* The first place that is named. */
static int find_place(const struct model_operation *op, const json_t *params, struct core_task_request *t,
                      struct pv_err *err)
{
    char names[128] = "";

    for (const struct model_param *p = op->params; p && p->name; p++) {
        const char *text = json_string_value(json_object_get(params, p->name));

        if (!p->subject)
            continue;
        if (text && id_parse(model_kind(p->ref)->prefix, text, strlen(text), &t->subject)) {
            t->kind = p->ref;
            return PV_OK;
        }
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", names[0] ? ", " : "", p->name);
    }
    pv_fail_as(err, "validation-failed", "%s: say where; one of %s is needed", op->name, names);
    pv_err_pointer(err, "/%s", "host");
    return err->rc;
}

/* May the caller do this? The route itself asks for less where it does several things. */
static int check_right(struct req *r, const struct core_task_request *t, struct pv_err *err)
{
    return t->operation->kind != PV_KIND_NONE ? need_on(r, t->operation->permission, t->kind, &t->subject, err) : PV_OK;
}

int places_allowed(struct req *r, const struct model_operation *op, const json_t *params, struct pv_err *err)
{
    for (const struct model_param *p = op->params; p && p->name; p++) {
        const char *text = json_string_value(json_object_get(params, p->name));
        struct pv_id id;
        int rc;

        if (p->type != PARAM_ID || !text || (p->ref != PV_KIND_host && p->ref != PV_KIND_cluster &&
                                             p->ref != PV_KIND_resource_pool && p->ref != PV_KIND_provider))
            continue;
        if (!id_parse(model_kind(p->ref)->prefix, text, strlen(text), &id))
            continue;
        rc = need_on(r, op->permission, p->ref, &id, err);
        if (rc != PV_OK) {
            pv_err_pointer(err, "/%s", p->name);
            return rc;
        }
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ live ones */

static void answer_image(struct req *r, const char *type, const char *base64, struct pv_err *err)
{
    size_t len = base64 ? strlen(base64) : 0, n = 0;
    uint8_t *data = len && len / 4 * 3 <= IMAGE_MAX ? arena_alloc(r->arena, len / 4 * 3 + 3) : NULL;
    struct buf *out;

    if (!data || !type || strcmp(type, "image/png") != 0 || !str_unbase64(base64, len, data, len / 4 * 3 + 3, &n) ||
        n < 8 || memcmp(data, "\x89PNG\r\n\x1a\n", 8) != 0) {
        pv_fail(err, PV_EIO, "the driver answered no image");
        reply_problem(r, err);
        return;
    }
    reply_header(r, "Cache-Control", "no-store");
    out = reply_body(r, 200, "image/png");
    buf_append(out, data, n);
    reply_send(r);
}

static void answer_files(struct req *r, const json_t *data)
{
    const char *folder = req_query(r, "path");
    struct pv_err err = { 0 };
    struct jsonw *w = reply_json(r, 200);

    reply_header(r, "Cache-Control", "no-store");
    if (core_files_write(data, folder ? folder : "", w, &err) != PV_OK)
        reply_problem(r, &err);
    else
        reply_send(r);
}

static void live_answer(void *ctx, int rc, const char *text, const struct pv_err *why)
{
    struct req *r = ctx;
    PV_AUTO(json_drop) json_t *json = rc == PV_OK ? json_loads(text, 0, NULL) : NULL;
    json_t *data = json_object_get(json, "data");
    struct pv_err err = { 0 };

    if (rc != PV_OK) {
        reply_problem(r, why);
    } else if (is_get(r) && r->route->answer == ANSWER_JSON) {
        answer_files(r, data);
    } else if (is_get(r)) {
        answer_image(r, json_string_value(json_object_get(data, "content_type")),
                     json_string_value(json_object_get(data, "base64")), &err);
    } else {
        char *dump = json_is_object(data) ? json_dumps(data, JSON_COMPACT) : NULL;
        struct buf *out = reply_body(r, 200, "application/json");

        reply_header(r, "Cache-Control", "no-store");
        buf_text(out, dump ? dump : "{}");
        reply_send(r);
        free(dump);
    }
    req_finish(r);
}

/* ------------------------------------------------------------------ all of them */

static int read_params(struct req *r, const struct model_operation *op, json_t **out, struct pv_err *err)
{
    int rc = PV_OK;

    if (strcmp(r->method, "DELETE") == 0 || is_get(r))
        rc = params_from_query(r, op->params, out, err);
    else
        *out = r->json ? json_incref(r->json) : json_object();
    if (rc == PV_OK)
        rc = refs_resolve(r, op->params, *out, "", err);
    /* net has checked a body by the route's table, which may have more than the operation's. */
    return rc == PV_OK ? model_params_check(op->params, *out, "", err) : rc;
}

static int find_subject(struct req *r, const struct model_operation *op, const json_t *params,
                        struct core_task_request *t, struct pv_err *err)
{
    int rc;

    if (op->place)
        return find_place(op, params, t, err);
    rc = object_resolve(r, r->route->kind, req_param(r, "id"), &t->subject, err);
    if (rc == PV_OK && strstr(r->route->pattern, "{owner}"))
        rc = check_owner(r, r->route->kind, &t->subject, err);
    return rc;
}

enum req_result operation_run(struct req *r)
{
    const struct model_operation *op = r->route->operation;
    const struct model_kind *kind = r->route->kind;
    struct core_actor by = actor_of(r);
    struct core_task_request t = { .operation = op, .kind = kind->number };
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id task;
    PV_AUTO(json_drop) json_t *params = NULL;
    int rc = options_read(r, kind, &o, &err);

    if (rc == PV_OK && op->kind != PV_KIND_NONE)
        rc = need_anywhere(r, op->permission, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    if (!op->live && idempotency_replayed(r, &o))
        return REQ_DONE;
    rc = read_params(r, op, &params, &err);
    if (rc == PV_OK)
        rc = find_subject(r, op, params, &t, &err);
    if (rc == PV_OK)
        rc = check_right(r, &t, &err);
    if (rc == PV_OK)
        rc = places_allowed(r, op, params, &err);
    t.params = params;
    if (rc == PV_OK && op->live && op->streams)
        return file_download(r, &t);
    if (rc == PV_OK && op->live)
        rc = core_live(api_of(r)->core, &t, live_answer, r, &err);
    else if (rc == PV_OK)
        rc = core_task_submit(api_of(r)->core, &by, &t, &o, &task, live_done, r, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    return op->live || o.dry_run ? REQ_LATER : task_reply(r, &task);
}

/* ------------------------------------------------------------------ taking back */

static int read_undo(struct req *r, struct core_task_request *t, json_t **undo, struct pv_err *err)
{
    const struct model_shape *shape;
    const struct model_kind *kind;
    struct model_row *row;
    const char *name, *ref;
    struct pv_id id;
    int rc = object_resolve(r, model_kind(PV_KIND_task), req_param(r, "id"), &id, err);

    if (rc == PV_OK)
        rc = model_shape_make(model_kind(PV_KIND_task), "state,undo,action", MODEL_VIEW_SUMMARY, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, &id, r->arena, &row, err);
    if (rc != PV_OK)
        return rc;
    *undo = json_loads(model_text(row, F(task, undo)), 0, NULL);
    name = json_string_value(json_object_get(*undo, "operation"));
    ref = json_string_value(json_object_get(json_object_get(*undo, "ref"), "id"));
    if (model_number(row, F(task, state)) != PV_TASK_STATE_SUCCEEDED || !name || !ref)
        return pv_fail_as(err, "conflict", "%s cannot be taken back: %s", model_text(row, F(task, action)),
                          model_number(row, F(task, state)) == PV_TASK_STATE_SUCCEEDED
                              ? "nothing is known that undoes it" : "it has not succeeded");
    t->operation = model_operation(name);
    if (!t->operation || !model_id_parse(ref, strlen(ref), &kind, &t->subject))
        return pv_fail_as(err, "conflict", "this version of the server cannot take back %s", name);
    t->kind = kind->number;
    t->params = json_object_get(*undo, "params");
    return check_right(r, t, err);
}

enum req_result task_undo(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct core_task_request t = { 0 };
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id task;
    PV_AUTO(json_drop) json_t *undo = NULL;

    if (options_read(r, model_kind(PV_KIND_task), &o, &err) != PV_OK)
        return reply_problem(r, &err);
    o.if_version = 0;
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    if (read_undo(r, &t, &undo, &err) != PV_OK ||
        core_task_submit(api_of(r)->core, &by, &t, &o, &task, live_done, r, &err) != PV_OK)
        return reply_problem(r, &err);
    return o.dry_run ? REQ_LATER : task_reply(r, &task);
}
