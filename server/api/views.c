/* SPDX-License-Identifier: Apache-2.0 */
/* Saved views of lists: one's own, and what others share. */
#include "server/api/internal.h"
#include "server/core/views.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#define ROLES_MAX 64 /* of one caller; more find no more views */

#define NAME(is_required)                                                                          \
    { .name = "name", .type = PARAM_TEXT, .required = is_required, .min = 1, .max = 128,           \
      .doc = "Name, unique among one's own views of the list." }
#define REST                                                                                       \
    { .name = "filter", .type = PARAM_TEXT, .nullable = true, .max = 4096,                         \
      .doc = "Which objects, in the filter language." },                                           \
    { .name = "sort", .type = PARAM_TEXT, .nullable = true, .max = 256,                            \
      .doc = "In which order, as in sort=." },                                                     \
    { .name = "columns", .type = PARAM_LIST, .nullable = true, .max = 64,                          \
      .doc = "Paths of the shown fields, in order." },                                             \
    { .name = "layout", .type = PARAM_OBJECT, .nullable = true,                                    \
      .doc = "What else the page keeps: widths, density, grouping." },                             \
    { .name = "shared", .type = PARAM_BOOL, .doc = "Everybody may use it." },                      \
    { .name = "roles", .type = PARAM_LIST, .nullable = true, .max = 16,                            \
      .doc = "Names of roles whose people may use it, where it is not for everybody." },           \
    { .name = "default", .type = PARAM_BOOL, .doc = "The list opens with it." },                   \
    { 0 }

static const struct model_param create_body[] = {
    NAME(true),
    { .name = "list", .type = PARAM_TEXT, .required = true, .min = 1, .max = 64,
      .doc = "The list it is of, as in its address: vms, hosts." },
    REST,
};
static const struct model_param change_body[] = { NAME(false), REST };

static struct core_view_user user_of(const struct req *r)
{
    return (struct core_view_user){ .user = r->caller.user, .administrator = access_everywhere(r->caller.access, PERM_ACCESS_MANAGE) };
}

/* Own ones, and those shared with everybody or with a role of one's own. */
static int visible(struct req *r, const struct filter **out, struct pv_err *err)
{
    const struct filter *own, *shared, *of_role;
    const struct access_grant *grants;
    size_t n = access_grants(r->caller.access, &grants);
    char user[PV_ID_TEXT];

    model_id_text(PV_KIND_user, &r->caller.user, user);
    if (filter_equals(model_kind(PV_KIND_view), "user", user, 0, r->arena, &own, err) != PV_OK ||
        filter_equals(model_kind(PV_KIND_view), "shared", "true", 0, r->arena, &shared, err) != PV_OK)
        return err->rc;
    *out = filter_or(r->arena, own, shared);
    for (size_t i = 0; *out && i < n && i < ROLES_MAX; i++) {
        if (!grants[i].role_name || !grants[i].role_name[0])
            continue;
        if (filter_equals(model_kind(PV_KIND_view), "roles", grants[i].role_name, 0, r->arena,
                          &of_role, err) != PV_OK)
            return err->rc;
        *out = filter_or(r->arena, *out, of_role);
    }
    return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the filter");
}

static enum req_result view_list(struct req *r)
{
    const struct filter *mine = NULL;
    struct pv_err err = { 0 };
    struct list_query l;

    if (query_parse(r, model_kind(PV_KIND_view), NULL, &l, &err) != PV_OK || visible(r, &mine, &err) != PV_OK)
        return reply_problem(r, &err);
    l.q.filter = filter_and(r->arena, l.q.filter, mine);
    /* The answer differs from user to user, so what says that it is the same does, too. */
    l.no_etag = true;
    return list_reply(r, &l);
}

/* Is one of these roles the caller's? */
static bool has_role(const struct req *r, const char *list)
{
    const struct access_grant *grants;
    size_t n = access_grants(r->caller.access, &grants);

    for (size_t i = 0; i < n && i < ROLES_MAX; i++) {
        const char *name = grants[i].role_name;
        size_t len = name ? strlen(name) : 0;

        for (const char *at = list; len > 0 && (at = strstr(at, name)); at++)
            if (at > list && at[-1] == '\n' && at[len] == '\n')
                return true;
    }
    return false;
}

/* May this caller see it? Somebody else's private one is not there. */
static int view_visible(struct req *r, const struct pv_id *id, struct pv_err *err)
{
    const struct model_shape *shape;
    struct model_row *row;

    if (model_shape_make(model_kind(PV_KIND_view), "shared,roles,user", MODEL_VIEW_FULL, r->arena, &shape, err) != PV_OK ||
        store_row_get(api_of(r)->store, shape, id, r->arena, &row, err) != PV_OK)
        return err->rc;
    if (model_number(row, F(view, shared)) || has_role(r, model_text(row, F(view, roles))) ||
        id_eq(&model_get(row, F(view, user))->id, &r->caller.user))
        return PV_OK;
    return pv_fail(err, PV_ENOENT, "there is no such view");
}

/* By its id alone: names are unique for one user only. */
static int view_id(struct req *r, struct pv_id *id, struct pv_err *err)
{
    const char *text = req_param(r, "id");

    if (!id_parse(model_kind(PV_KIND_view)->prefix, text, strlen(text), id))
        return pv_fail(err, PV_ENOENT, "there is no view %.64s", text);
    return view_visible(r, id, err);
}

static enum req_result view_get(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (view_id(r, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_get(r);
}

static enum req_result view_create(struct req *r)
{
    struct core_view_user who = user_of(r);
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (options_read(r, r->route->kind, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    if (core_view_create(api_of(r)->core, &by, &who, r->json, &o, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 201, PV_KIND_view, &id);
}

static enum req_result change_one(struct req *r, bool remove)
{
    struct core_view_user who = user_of(r);
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (view_id(r, &id, &err) != PV_OK || options_read(r, r->route->kind, &o, &err) != PV_OK ||
        core_view_change(api_of(r)->core, &by, &who, &id, remove ? NULL : r->json, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return remove ? reply_empty(r, 204) : object_reply(r, 200, PV_KIND_view, &id);
}

static enum req_result view_change(struct req *r)
{
    return change_one(r, false);
}

static enum req_result view_delete(struct req *r)
{
    return change_one(r, true);
}

const struct route view_routes[] = {
    { .method = "GET", .pattern = API_BASE "/views", .permission = PERM_NONE, .handler = view_list,
      .answer = ANSWER_LIST, .doc = "Saved views of lists: one's own, and those that others share." },
    { .method = "POST", .pattern = API_BASE "/views", .permission = PERM_NONE, .handler = view_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT, .body = create_body, .statuses = "409",
      .doc = "Save a view." },
    { .method = "GET", .pattern = API_BASE "/views/{id}", .permission = PERM_NONE, .handler = view_get,
      .answer = ANSWER_OBJECT, .flags = ROUTE_ETAG, .statuses = "404", .doc = "One saved view." },
    { .method = "PATCH", .pattern = API_BASE "/views/{id}", .permission = PERM_NONE, .handler = view_change,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .body = change_body,
      .statuses = "403 404 409 412", .doc = "Change a saved view of one's own." },
    { .method = "DELETE", .pattern = API_BASE "/views/{id}", .permission = PERM_NONE, .handler = view_delete,
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "403 404 412",
      .doc = "Delete a saved view of one's own." },
    { 0 },
};
