/* SPDX-License-Identifier: Apache-2.0 */
/* Users, as who manages access sees them. */
#include "server/api/access.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* -1: not said. */
static int role_member(const struct req *r)
{
    const char *text = member(r, "role");

    return text ? (int)model_enum_value(PV_ENUM_role, text, strlen(text)) : -1;
}

void audit_caller(struct req *r)
{
    char id[PV_ID_TEXT], session[AUDIT_SESSION];
    struct audit_entry who = { .actor_type = r->caller.type,
                               .actor_id = id,
                               .actor_name = r->caller.name,
                               .address = r->address,
                               .request_id = r->request_id,
                               .session = session };

    audit_session_text(r->caller.by_cookie, r->caller.login_hash, session);
    model_id_text(r->caller.type == PV_ACTOR_TYPE_TOKEN ? PV_KIND_token : PV_KIND_user, &r->caller.id, id);
    audit_as(&who);
}

static void user_create_work(struct req *r)
{
    struct pv_err err = { 0 };
    int role = role_member(r);
    struct pv_id id;

    audit_caller(r);
    if (auth_user_create(api_of(r)->auth, member(r, "name"), member(r, "full_name"), member(r, "password"),
                         role < 0 ? PV_ROLE_NONE : (enum pv_role)role, &id, &err) != PV_OK) {
        reply_problem(r, &err);
        return;
    }
    r->recorded = true;
    object_reply(r, 201, PV_KIND_user, &id);
}

static enum req_result user_create(struct req *r)
{
    return req_run_slow(r, user_create_work);
}

static void user_change_work(struct req *r)
{
    const json_t *enabled = json_object_get(r->json, "enabled");
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK || check_version(r, &id, &err) != PV_OK) {
        reply_problem(r, &err);
        return;
    }
    audit_caller(r);
    if (auth_user_change(api_of(r)->auth, &id, member(r, "full_name"), member(r, "password"), role_member(r),
                         enabled ? json_is_true(enabled) : -1, &err) != PV_OK) {
        reply_problem(r, &err);
        return;
    }
    r->recorded = true;
    object_reply(r, 200, PV_KIND_user, &id);
}

static enum req_result user_change(struct req *r)
{
    return req_run_slow(r, user_change_work);
}

static enum req_result user_delete(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK || check_version(r, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    audit_caller(r);
    if (auth_user_delete(api_of(r)->auth, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    return reply_empty(r, 204);
}

static const struct model_param user_create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name to sign in with." },
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 12, .max = 128, .doc = "Password." },
    { .name = "role", .type = PARAM_ENUM, .enum_id = PV_ENUM_role, .doc = "Short for a grant of this role on everything; none unless given." },
    { 0 },
};
static const struct model_param user_change_body[] = {
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "password", .type = PARAM_SECRET, .min = 12, .max = 128, .doc = "New password." },
    { .name = "role", .type = PARAM_ENUM, .enum_id = PV_ENUM_role, .doc = "Takes the place of the user's own grants on everything; none: takes them away." },
    { .name = "enabled", .type = PARAM_BOOL, .doc = "May sign in." },
    { 0 },
};

const struct route user_routes[] = {
    { .method = "POST", .pattern = API_BASE "/users", .permission = PERM_ACCESS_MANAGE, .handler = user_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES, .body = user_create_body, .statuses = "409 429",
      .doc = "Let another person in." },
    { .method = "PATCH", .pattern = API_BASE "/users/{id}", .permission = PERM_ACCESS_MANAGE, .handler = user_change,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .body = user_change_body, .statuses = "404 409 412 429",
      .doc = "Change a user; a new password or role ends the user's logins." },
    { .method = "DELETE", .pattern = API_BASE "/users/{id}", .permission = PERM_ACCESS_MANAGE, .handler = user_delete,
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 409 412", .doc = "Delete a user with all tokens." },
    { 0 },
};
