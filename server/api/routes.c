/* SPDX-License-Identifier: Apache-2.0 */
/* The route table: what the model says, and what single files add. A hand-written route wins over one of the model. */
#include "server/api/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define MAX_ROUTES 512

static const struct route *const written[] = {
    login_routes, me_routes, user_routes, rights_routes, token_routes, audit_routes, mfa_routes, settings_routes, upkeep_routes, health_routes, system_routes, provider_routes,
    task_routes,   event_routes,  own_routes,
    view_routes,   complete_routes, tree_routes,  summary_routes,
    metric_routes, history_routes, alert_routes, channel_routes, upload_routes, balance_routes,
};

/* What of an object is ours and may be changed. */
static const struct model_param own_fields[] = {
    { .name = "tags", .type = PARAM_LIST, .max = 64, .doc = "Our tags, key or key=value; replaces the list." },
    { .name = "attributes", .type = PARAM_OBJECT, .nullable = true, .doc = "Our attributes, key to text; merged, null removes." },
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "Our notes." },
    { .name = "folder", .type = PARAM_ID, .ref = PV_KIND_folder, .nullable = true, .doc = "Our folder; null means the root." },
    { 0 },
};
static const struct model_param nothing[] = { { 0 } };

static bool is_written(const struct api *a, const char *method, const char *pattern)
{
    for (size_t i = 0; i < a->nroutes; i++)
        if (strcmp(a->routes[i].method, method) == 0 && strcmp(a->routes[i].pattern, pattern) == 0)
            return true;
    return false;
}

/* A written route is about the kind its path begins with; a pointer to it cannot stand in a static table. */
static const struct model_kind *kind_of_path(const char *pattern)
{
    char plural[32];
    const char *at = pattern + strlen(API_BASE) + 1;

    if (!str_starts(pattern, API_BASE "/"))
        return NULL;
    return str_copy_n(plural, sizeof(plural), at, strcspn(at, "/")) ? model_kind_by_plural(plural) : NULL;
}

static int add(struct api *a, const struct route *r, struct pv_err *err)
{
    struct route *added = &a->routes[a->nroutes];

    if (!r->pattern)
        return pv_fail(err, PV_ENOMEM, "no memory for the routes");
    if (is_written(a, r->method, r->pattern))
        return PV_OK;
    if (a->nroutes == MAX_ROUTES - 1)
        return pv_fail(err, PV_EINTERNAL, "more than %d routes", MAX_ROUTES);
    *added = *r;
    if (!added->kind)
        added->kind = kind_of_path(added->pattern);
    a->nroutes++;
    return PV_OK;
}

/* ------------------------------------------------------------------ what belongs to an object */

/* Events or tasks about this object. */
static enum req_result list_about(struct req *r, enum pv_kind kind)
{
    const struct model_kind *listed = model_kind(kind);
    const struct filter *about = NULL;
    struct pv_err err = { 0 };
    struct list_query l;
    struct pv_id id;
    char text[PV_ID_TEXT];

    if (object_find(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        query_parse(r, listed, NULL, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    model_id_text(r->route->kind->number, &id, text);
    if (filter_equals(listed, "subject_id", text, 0, r->arena, &about, &err) != PV_OK)
        return reply_problem(r, &err);
    l.q.filter = filter_and(r->arena, l.q.filter, about);
    return list_reply(r, &l);
}

static enum req_result events_about(struct req *r)
{
    return list_about(r, PV_KIND_event);
}

static enum req_result tasks_about(struct req *r)
{
    return list_about(r, PV_KIND_task);
}

static enum req_result actions_of(struct req *r)
{
    struct list_query l = { 0 };
    struct pv_err err = { 0 };
    struct model_row *row;
    struct pv_id id;
    struct jsonw *w;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        model_shape_make(r->route->kind, NULL, MODEL_VIEW_FULL, r->arena, &l.q.shape, &err) != PV_OK ||
        store_row_get(api_of(r)->store, l.q.shape, &id, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    if (core_actions_json(api_of(r)->core, row, access_permissions_on(r->caller.access, row->kind->number, &id), w,
                          &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    return reply_send(r);
}

/* The children of one owner: {id} is the owner's. */
static enum req_result child_list(struct req *r)
{
    const struct model_kind *kind = r->route->kind;
    struct pv_err err = { 0 };
    struct list_query l;
    struct pv_id *owner = arena_alloc(r->arena, sizeof(*owner));

    if (!owner || object_find(r, model_kind(kind->owner), req_param(r, "id"), owner, &err) != PV_OK ||
        query_parse(r, kind, NULL, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    l.q.owner = owner;
    return list_reply(r, &l);
}

/* ------------------------------------------------------------------ routes of the model */

/* The operation that a PATCH of such an object may be; NULL: there is none. */
static const struct model_operation *patch_operation(const struct model_kind *k)
{
    for (const struct model_operation *op = model_operations; op->name; op++)
        if (op->patch && op->kind == k->number)
            return op;
    return NULL;
}

/* Our own fields, and the members of that operation. */
static const struct model_param *patch_body(struct api *a, const struct model_operation *op)
{
    struct model_param *all;
    size_t n = 0;

    for (const struct model_param *p = op ? op->params : NULL; p && p->name; p++)
        n++;
    if (n == 0)
        return own_fields;
    all = arena_alloc(a->arena, (n + PV_COUNT(own_fields)) * sizeof(*all));
    if (!all)
        return NULL;
    memcpy(all, op->params, n * sizeof(*all));
    memcpy(all + n, own_fields, sizeof(own_fields));
    return all;
}

static int add_patch(struct api *a, const struct model_kind *k, const char *pattern, struct pv_err *err)
{
    const struct model_operation *op = patch_operation(k);
    struct route r = { .method = "PATCH", .pattern = pattern, .permission = PERM_TAG_WRITE, .handler = object_patch,
                       .answer = ANSWER_OBJECT, .kind = k, .operation = op, .body = patch_body(a, op),
                       .flags = ROUTE_IF_MATCH | ROUTE_DRY_RUN | ROUTE_MERGE_PATCH, .statuses = "404 409 412",
                       .doc = "Change our own fields of it." };

    if (!r.body)
        return pv_fail(err, PV_ENOMEM, "no memory for the routes");
    if (op) {
        r.permission = k->permission;
        r.statuses = "403 404 409 412 507";
        r.doc = "Change our own fields of it at once, or the object itself by a task.";
    }
    return add(a, &r, err);
}

static int add_kind(struct api *a, const struct model_kind *k, struct pv_err *err)
{
    struct arena *m = a->arena;
    const char *all = arena_printf(m, API_BASE "/%s", k->plural);
    const char *one = arena_printf(m, API_BASE "/%s/{id}", k->plural);
    const char *about = k->doc;
    int rc = add(a, &(struct route){ .method = "GET", .pattern = all, .permission = k->permission,
                                     .handler = object_list, .answer = ANSWER_LIST, .kind = k, .doc = about },
                 err);

    if (rc == PV_OK)
        rc = add(a, &(struct route){ .method = "GET", .pattern = one, .permission = k->permission,
                                     .handler = object_get, .answer = ANSWER_OBJECT, .flags = ROUTE_ETAG, .kind = k,
                                     .statuses = "404 409", .doc = about },
                 err);
    if (rc != PV_OK || k->owner != PV_KIND_NONE || !(k->flags & MODEL_SYNCED))
        return rc;

    rc = add_patch(a, k, one, err);
    if (rc == PV_OK)
        rc = add(a, &(struct route){ .method = "GET", .pattern = arena_printf(m, "%s/events", one),
                                     .permission = PERM_EVENT_READ, .handler = events_about, .answer = ANSWER_LIST,
                                     .kind = k, .statuses = "404 409", .doc = "Events about it." },
                 err);
    if (rc == PV_OK)
        rc = add(a, &(struct route){ .method = "GET", .pattern = arena_printf(m, "%s/tasks", one),
                                     .permission = PERM_TASK_READ, .handler = tasks_about, .answer = ANSWER_LIST,
                                     .kind = k, .statuses = "404 409", .doc = "Tasks about it." },
                 err);
    return rc;
}

static int add_child(struct api *a, const struct model_kind *k, struct pv_err *err)
{
    const struct model_kind *owner = model_kind(k->owner);
    int rc = add(a, &(struct route){ .method = "GET",
                                     .pattern = arena_printf(a->arena, API_BASE "/%s/{id}/%s", owner->plural, k->plural),
                                     .permission = k->permission, .handler = child_list, .answer = ANSWER_LIST,
                                     .kind = k, .statuses = "404 409", .doc = k->doc },
                 err);

    if (rc == PV_OK)
        rc = add(a, &(struct route){ .method = "GET",
                                     .pattern = arena_printf(a->arena, API_BASE "/%s/{owner}/%s/{id}", owner->plural,
                                                             k->plural),
                                     .permission = k->permission, .handler = object_get, .answer = ANSWER_OBJECT,
                                     .flags = ROUTE_ETAG, .kind = k, .statuses = "404 409", .doc = k->doc },
                 err);
    return rc;
}

static int add_operation(struct api *a, const struct model_operation *op, const struct model_kind *k, struct pv_err *err)
{
    struct route r = { .method = op->method ? op->method : "POST",
                       .permission = op->kind == PV_KIND_NONE ? k->permission : op->permission,
                       .handler = operation_run, .answer = ANSWER_TASK, .kind = k, .operation = op,
                       .flags = ROUTE_IDEMPOTENT | ROUTE_IF_MATCH | ROUTE_DRY_RUN, .statuses = "403 404 409 412 507",
                       .doc = op->doc };

    if (strcmp(r.method, "DELETE") == 0 || strcmp(r.method, "GET") == 0)
        r.query = op->params;
    else
        r.body = op->params ? op->params : nothing;
    if (strcmp(r.method, "PATCH") == 0)
        r.flags |= ROUTE_MERGE_PATCH;
    if (op->place)
        r.flags &= ~(uint32_t)ROUTE_IF_MATCH;
    if (op->live) {
        r.flags = ROUTE_LIVE;
        r.answer = strcmp(r.method, "GET") == 0 && !op->result_schema ? ANSWER_IMAGE : ANSWER_JSON;
        r.schema = op->result_schema ? op->result_schema : "Anything";
        r.statuses = op->result_schema && op->method ? "403 404 409 412 422 502 504" : "403 404 409 412 502 504";
    }
    if (op->live && op->streams) {
        r.flags = ROUTE_LIVE | ROUTE_AUDIT | ROUTE_RANGE;
        r.answer = ANSWER_FILE;
        r.statuses = "403 404 409 416 422 502 503 504";
    }
    if (!op->live && op->streams) {
        r.flags = ROUTE_CREATES | ROUTE_IDEMPOTENT;
        r.handler = upload_create;
        r.answer = ANSWER_OBJECT;
        r.kind = model_kind(PV_KIND_upload);
        r.statuses = "403 404 409 422 502 503 504 507";
    }
    if (op->kind == PV_KIND_NONE)
        r.pattern = arena_printf(a->arena, API_BASE "/%s/{id}/actions/%s", k->plural, model_operation_verb(op));
    else if (op->path)
        r.pattern = arena_printf(a->arena, API_BASE "%s", op->path);
    else
        r.pattern = arena_printf(a->arena, API_BASE "/%s/{id}/actions/%s", k->plural, model_operation_verb(op));
    return add(a, &r, err);
}

static int add_operations(struct api *a, const struct model_kind *k, struct pv_err *err)
{
    bool any = false, below = false; /* its owner */
    int rc = PV_OK;

    for (const struct model_operation *op = model_operations; op->name && rc == PV_OK; op++) {
        bool everywhere = op->kind == PV_KIND_NONE && k->owner == PV_KIND_NONE && (k->flags & MODEL_SYNCED);

        if ((op->kind != k->number && !everywhere))
            continue;
        any = true;
        below |= op->path && strstr(op->path, "{owner}");
        rc = add_operation(a, op, k, err);
    }
    if (rc == PV_OK && any)
        rc = add(a, &(struct route){ .method = "GET",
                                     .pattern = !below
                                         ? arena_printf(a->arena, API_BASE "/%s/{id}/actions", k->plural)
                                         : arena_printf(a->arena, API_BASE "/%s/{owner}/%s/{id}/actions",
                                                        model_kind(k->owner)->plural, k->plural),
                                     .permission = k->permission, .handler = actions_of, .answer = ANSWER_JSON,
                                     .schema = "Actions", .kind = k, .statuses = "404 409",
                                     .doc = "Every action: is it allowed now, and why not." },
                 err);
    return rc;
}

int routes_build(struct api *a, struct pv_err *err)
{
    int rc = PV_OK;

    a->routes = arena_alloc(a->arena, MAX_ROUTES * sizeof(*a->routes));
    if (!a->routes)
        return pv_fail(err, PV_ENOMEM, "no memory for the routes");
    for (size_t i = 0; i < PV_COUNT(written); i++)
        for (const struct route *r = written[i]; r->pattern && rc == PV_OK; r++)
            rc = add(a, r, err);
    for (size_t i = 0; model_kind_at(i) && rc == PV_OK; i++) {
        const struct model_kind *k = model_kind_at(i);

        if (k->flags & MODEL_MEMORY)
            continue;
        rc = add_kind(a, k, err);
        if (rc == PV_OK && k->owner != PV_KIND_NONE)
            rc = add_child(a, k, err);
        if (rc == PV_OK)
            rc = add_operations(a, k, err);
    }
    return rc;
}
