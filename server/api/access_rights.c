/* SPDX-License-Identifier: Apache-2.0 */
/* Who may what: groups, roles, grants, and why. */
#include "server/api/access.h"
#include "server/auth/grantors.h"
#include "server/core/settings.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

typedef int (*make_fn)(struct auth *, const json_t *, struct pv_id *, struct pv_err *);
typedef int (*change_fn)(struct auth *, const struct pv_id *, const json_t *, struct pv_err *);
typedef int (*delete_fn)(struct auth *, const struct pv_id *, struct pv_err *);

int check_version(struct req *r, const struct pv_id *id, struct pv_err *err)
{
    const struct model_kind *k = r->route->kind;
    const struct model_shape *shape;
    struct core_options o;
    struct model_row *row;
    uint64_t now;
    int rc = options_read(r, k, &o, err);

    if (rc != PV_OK || !o.if_version)
        return rc;
    rc = model_shape_make(k, "version", MODEL_VIEW_FULL, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, id, r->arena, &row, err);
    if (rc != PV_OK)
        return rc;
    now = (uint64_t)model_number(row, model_field(k, "version", 7)->index);
    return now == o.if_version ? PV_OK
                               : pv_fail_as(err, "precondition-failed", "it is at version %llu by now", (unsigned long long)now);
}

static enum req_result make_one(struct req *r, make_fn fn)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    audit_caller(r);
    if (fn(api_of(r)->auth, r->json, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    return object_reply(r, 201, r->route->kind->number, &id);
}

static enum req_result change_one(struct req *r, change_fn fn)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK || check_version(r, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    audit_caller(r);
    if (fn(api_of(r)->auth, &id, r->json, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    return object_reply(r, 200, r->route->kind->number, &id);
}

static enum req_result delete_one(struct req *r, delete_fn fn)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK || check_version(r, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    audit_caller(r);
    if (fn(api_of(r)->auth, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    return reply_empty(r, 204);
}

static enum req_result group_create(struct req *r)
{
    return make_one(r, auth_group_create);
}

static enum req_result group_change(struct req *r)
{
    return change_one(r, auth_group_change);
}

static enum req_result group_delete(struct req *r)
{
    return delete_one(r, auth_group_delete);
}

static enum req_result role_create(struct req *r)
{
    return make_one(r, auth_role_create);
}

static enum req_result role_change(struct req *r)
{
    return change_one(r, auth_role_change);
}

static enum req_result role_delete(struct req *r)
{
    return delete_one(r, auth_role_delete);
}

static enum req_result grant_create(struct req *r)
{
    return make_one(r, auth_grant_create);
}

static enum req_result grant_change(struct req *r)
{
    return change_one(r, auth_grant_change);
}

static enum req_result grant_delete(struct req *r)
{
    return delete_one(r, auth_grant_delete);
}

/* ------------------------------------------------------------------ why */

static int wrong(struct pv_err *err, const char *parameter, const char *why)
{
    pv_fail_as(err, "invalid-request", "%s: %s", parameter, why);
    pv_err_pointer(err, "%s", parameter);
    return err->rc;
}

/* An operation ("vm.start") or a permission ("vm.power"). */
static int which_permission(const char *action, int *out, struct pv_err *err)
{
    const struct model_operation *op = model_operation(action);
    int permission = op ? op->permission : model_permission(action, strlen(action));

    if (permission < 0)
        return wrong(err, "action", "there is no such operation or permission");
    *out = permission;
    return PV_OK;
}

/* A user or token, by id or a user's name; oneself unless said. */
static int whose(struct req *r, const char *text, struct access **out, struct pv_err *err)
{
    struct model_value name = { .set = true, .text = text, .len = text ? strlen(text) : 0 };
    struct auth *auth = api_of(r)->auth;
    struct pv_id *ids, id;
    size_t n = 0;
    int rc;

    if (!text || strcmp(text, "me") == 0) {
        *out = access_hold(r->caller.access);
        return PV_OK;
    }
    if (id_parse("usr", text, strlen(text), &id) && id_eq(&id, &r->caller.id)) {
        *out = access_hold(r->caller.access);
        return PV_OK;
    }
    if (!access_everywhere(r->caller.access, PERM_ACCESS_MANAGE) && !access_everywhere(r->caller.access, PERM_AUDIT_READ))
        return need_everywhere(r, PERM_ACCESS_MANAGE, err);
    if (id_parse("usr", text, strlen(text), &id))
        return access_get_user(auth, &id, out, err);
    if (id_parse("tok", text, strlen(text), &id))
        return access_get_token(auth, &id, out, err);
    rc = store_find(api_of(r)->store, PV_KIND_user, F(user, name), &name, 1, r->arena, &ids, &n, err);
    if (rc == PV_OK && n == 0)
        return pv_fail(err, PV_ENOENT, "there is no user \"%.80s\"", text);
    return rc == PV_OK ? access_get_user(auth, &ids[0], out, err) : rc;
}

static int find_target(struct req *r, const char *text, const struct model_kind **kind, struct pv_id *id, struct pv_err *err)
{
    *kind = NULL;
    if (!text || !*text)
        return PV_OK;
    if (!model_id_parse(text, strlen(text), kind, id))
        return wrong(err, "target", "must be the id of an object");
    return need_sight(r, *kind, id, err);
}

/* Names that are told to who lacks a right. */
#define GRANTORS_SHOWN 5

/* Whom somebody who lacks it can ask: "grantors": {"names": [...], "more": 2}, or null where it is not told. */
static void write_grantors(struct req *r, struct jsonw *w)
{
    const char *names[GRANTORS_SHOWN];
    struct pv_err err = { 0 };
    size_t n = 0, shown;

    if (!core_setting(api_of(r)->core, CORE_SETTING_security_show_grantors) ||
        auth_grantors(api_of(r)->auth, r->arena, names, GRANTORS_SHOWN, &n, &err) != PV_OK) {
        jsonw_null(w, "grantors");
        return;
    }
    shown = n < GRANTORS_SHOWN ? n : GRANTORS_SHOWN;
    jsonw_object(w, "grantors");
    jsonw_array(w, "names");
    for (size_t i = 0; i < shown; i++)
        jsonw_str(w, NULL, names[i]);
    jsonw_end(w);
    jsonw_u64(w, "more", n - shown);
    jsonw_end(w);
}

static enum req_result explain(struct req *r)
{
    const char *action = req_query(r, "action");
    const struct access_grant *by = NULL;
    const struct model_kind *kind;
    struct access *who = NULL;
    struct pv_err err = { 0 };
    int permission = -1;
    struct pv_id id = { .b = { 0 } };
    char why[512];
    struct jsonw *w;
    bool allowed;
    int rc;

    rc = action ? which_permission(action, &permission, &err) : wrong(&err, "action", "say which operation or permission");
    if (rc == PV_OK)
        rc = find_target(r, req_query(r, "target"), &kind, &id, &err);
    if (rc == PV_OK)
        rc = whose(r, req_query(r, "principal"), &who, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    allowed = access_explain(who, permission, kind ? kind->number : PV_KIND_NONE, &id, &by, why);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_bool(w, "allowed", allowed);
    jsonw_str(w, "permission", model_permission_text(permission));
    jsonw_str(w, "why", why);
    if (by) {
        jsonw_array(w, "grants");
        write_grant(w, by);
        jsonw_end(w);
    } else {
        jsonw_array(w, "grants");
        jsonw_end(w);
    }
    jsonw_array(w, "missing");
    if (!allowed)
        jsonw_str(w, NULL, model_permission_text(permission));
    jsonw_end(w);
    if (allowed)
        jsonw_null(w, "grantors");
    else
        write_grantors(r, w);
    jsonw_end(w);
    access_put(who);
    return reply_send(r);
}

/* The first one is none. */
static const char *const permissions[] = {
#define PERM(name, text, reach, roles) text,
#include "model/permissions.def"
#undef PERM
    NULL,
};
static const char *const scope_types[] = { "everything", "folder", "provider", "selector", "object", NULL };
const struct model_param scope_members[] = {
    { .name = "type", .type = PARAM_ENUM, .choices = scope_types, .required = true, .doc = "What it is on; names the one other member." },
    { .name = "folder", .type = PARAM_TEXT, .ref = PV_KIND_folder, .nullable = true, .max = 256, .doc = "This folder with all below it: its id." },
    { .name = "provider", .type = PARAM_TEXT, .ref = PV_KIND_provider, .nullable = true, .max = 256, .doc = "Everything of this provider, by id or name." },
    { .name = "selector", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "What this filter finds: tag:app=erp" },
    { .name = "object", .type = PARAM_TEXT, .nullable = true, .max = 40, .doc = "This object alone, by its id." },
    { 0 },
};
#define NAME(is_required)                                                                                    \
    { .name = "name", .type = PARAM_TEXT, .required = is_required, .min = 1, .max = 128, .doc = "Name, unique." }
#define DESCRIPTION \
    { .name = "description", .type = PARAM_TEXT, .nullable = true, .max = 1024, .doc = "What it is for." }
static const struct model_param group_body[] = {
    NAME(true), DESCRIPTION,
    { .name = "members", .type = PARAM_LIST, .ref = PV_KIND_user, .max = 1000, .doc = "Its users, by id or name." },
    { 0 },
};
static const struct model_param group_patch[] = {
    NAME(false), DESCRIPTION,
    { .name = "members", .type = PARAM_LIST, .ref = PV_KIND_user, .max = 1000, .doc = "Its users, by id or name; replaces the list." },
    { .name = "add", .type = PARAM_LIST, .max = 1000, .doc = "Users to add." },
    { .name = "remove", .type = PARAM_LIST, .max = 1000, .doc = "Users to take out." },
    { 0 },
};
static const struct model_param role_body[] = {
    NAME(true), DESCRIPTION,
    { .name = "permissions", .type = PARAM_LIST, .choices = permissions + 1, .required = true, .max = 64, .doc = "What it allows: vm.read, vm.power ..." },
    { 0 },
};
static const struct model_param role_patch[] = {
    NAME(false), DESCRIPTION,
    { .name = "permissions", .type = PARAM_LIST, .choices = permissions + 1, .max = 64, .doc = "What it allows; replaces the list." },
    { 0 },
};
static const struct model_param grant_body[] = {
    { .name = "user", .type = PARAM_TEXT, .ref = PV_KIND_user, .max = 128, .doc = "A user who has it, by id or name." },
    { .name = "group", .type = PARAM_TEXT, .ref = PV_KIND_group, .max = 128, .doc = "A group that has it, by id or name." },
    { .name = "token", .type = PARAM_TEXT, .ref = PV_KIND_token, .max = 128, .doc = "A token that it narrows, by id or name." },
    { .name = "role", .type = PARAM_TEXT, .ref = PV_KIND_role, .required = true, .min = 1, .max = 128, .doc = "What it allows: a role, by id or name." },
    { .name = "scope", .type = PARAM_OBJECT, .required = true, .members = scope_members, .doc = "On what." },
    { .name = "expires_at", .type = PARAM_TIME, .nullable = true, .doc = "When it ends; never unless given." },
    { 0 },
};
static const struct model_param grant_patch[] = {
    { .name = "role", .type = PARAM_TEXT, .ref = PV_KIND_role, .min = 1, .max = 128, .doc = "Another role, by id or name." },
    { .name = "scope", .type = PARAM_OBJECT, .members = scope_members, .doc = "On what." },
    { .name = "expires_at", .type = PARAM_TIME, .nullable = true, .doc = "When it ends; null: never." },
    { 0 },
};
static const struct model_param explain_query[] = {
    { .name = "principal", .type = PARAM_TEXT, .max = 128, .doc = "A user or token, by id, a user also by name; oneself unless given." },
    { .name = "action", .type = PARAM_TEXT, .required = true, .max = 64, .doc = "An operation, vm.start, or a permission, vm.power." },
    { .name = "target", .type = PARAM_TEXT, .max = 40, .doc = "Id of the object; on everything unless given." },
    { 0 },
};

#define MAKE(plural, fn, table, text)                                                                          \
    { .method = "POST", .pattern = API_BASE "/" plural, .permission = PERM_ACCESS_MANAGE, .handler = fn,        \
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES, .body = table, .statuses = "409", .doc = text }
#define CHANGE(plural, fn, table, text)                                                                        \
    { .method = "PATCH", .pattern = API_BASE "/" plural "/{id}", .permission = PERM_ACCESS_MANAGE, .handler = fn, \
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .body = table,                       \
      .statuses = "404 409 412", .doc = text }
#define DELETE(plural, fn, text)                                                                               \
    { .method = "DELETE", .pattern = API_BASE "/" plural "/{id}", .permission = PERM_ACCESS_MANAGE, .handler = fn, \
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 409 412", .doc = text }

const struct route rights_routes[] = {
    MAKE("groups", group_create, group_body, "Make a group of users."),
    CHANGE("groups", group_change, group_patch, "Change a group or its members; rights follow at once."),
    DELETE("groups", group_delete, "Delete a group with its grants; its users stay."),
    MAKE("roles", role_create, role_body, "Make a role: a set of permissions."),
    CHANGE("roles", role_change, role_patch, "Change a role of one's own making; built-in ones can only be copied."),
    DELETE("roles", role_delete, "Delete a role that is not granted."),
    MAKE("grants", grant_create, grant_body, "Give a role to a user, group or token, on everything or a part of the inventory."),
    CHANGE("grants", grant_change, grant_patch, "Change role, scope or end of a grant."),
    DELETE("grants", grant_delete, "Take a grant away."),
    { .method = "GET", .pattern = API_BASE "/access/explain", .permission = PERM_NONE, .handler = explain,
      .answer = ANSWER_JSON, .schema = "Explanation", .query = explain_query, .statuses = "403 404",
      .doc = "May somebody do this to that, and by which grant? Of others only for who manages access or reads the audit." },
    { 0 },
};
