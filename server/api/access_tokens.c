/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens for programs. */
#include "server/api/access.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* Everybody sees his own tokens; who manages access sees all. */
static bool sees_all_tokens(const struct req *r)
{
    return access_everywhere(r->caller.access, PERM_ACCESS_MANAGE);
}

static enum req_result token_list(struct req *r)
{
    struct pv_err err = { 0 };
    struct list_query l;

    if (query_parse(r, r->route->kind, NULL, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    if (!sees_all_tokens(r))
        l.q.self = &r->caller.user;
    return list_reply(r, &l);
}

/* Not yours reads as not there. */
static int token_find(struct req *r, struct pv_id *id, struct pv_err *err)
{
    const struct model_shape *shape;
    struct model_row *row;
    int rc = object_resolve(r, r->route->kind, req_param(r, "id"), id, err);

    if (rc == PV_OK)
        rc = model_shape_make(r->route->kind, "user", MODEL_VIEW_FULL, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, id, r->arena, &row, err);
    if (rc == PV_OK && !sees_all_tokens(r) && !id_eq(&row->values[F(token, user)].id, &r->caller.user))
        rc = pv_fail(err, PV_ENOENT, "there is no token \"%s\"", req_param(r, "id"));
    return rc;
}

static enum req_result token_get(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    return token_find(r, &id, &err) == PV_OK ? object_reply(r, 200, PV_KIND_token, &id) : reply_problem(r, &err);
}

/* The permissions of the role that the new token shall have; all where none is named. */
static int wished(struct req *r, const char *role, uint64_t *out, struct pv_err *err)
{
    const struct model_kind *k = model_kind(PV_KIND_role);
    struct model_value name = { .set = true, .text = role, .len = role ? strlen(role) : 0 };
    const struct model_shape *shape;
    struct model_row *row;
    struct pv_id *ids, id;
    size_t n = 0;
    int rc = model_shape_make(k, "permissions", MODEL_VIEW_FULL, r->arena, &shape, err);

    *out = UINT64_MAX;
    if (!role || rc != PV_OK)
        return rc;
    if (!id_parse(k->prefix, role, strlen(role), &id)) {
        rc = store_find(api_of(r)->store, PV_KIND_role, F(role, name), &name, 1, r->arena, &ids, &n, err);
        if (rc == PV_OK && n == 1)
            id = ids[0];
    }
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, &id, r->arena, &row, err);
    if (rc == PV_ENOENT) {
        rc = pv_fail_as(err, "validation-failed", "there is no role \"%.64s\"", role);
        pv_err_pointer(err, "/role");
    }
    if (rc == PV_OK)
        *out = access_permission_bits(model_text(row, F(role, permissions)));
    return rc;
}

/* Nobody gives away more than he has; a token that is limited makes none that is less so. */
static int within_own(struct req *r, const char *role, const json_t *scope, struct pv_err *err)
{
    uint64_t own = access_permissions(r->caller.access), wanted;
    bool limited = r->caller.limited;
    int rc = wished(r, role, &wanted, err);

    if (limited)
        own = access_permissions_on(r->caller.access, PV_KIND_NONE, NULL);
    if (rc != PV_OK || (!limited && (!role || scope || !(wanted & ~own))))
        return rc;
    if (limited && role && !(wanted & ~own))
        return PV_OK;
    r->caller.denied = true;
    pv_fail_as(err, "forbidden", limited ? "role: this token makes no token that may do more than itself"
                                         : "role: you may not give away more than you have");
    pv_err_pointer(err, "/role");
    return err->rc;
}

/* For somebody else: service accounts do not sign in. */
static int owner_of_new(struct req *r, struct pv_id *out, struct pv_err *err)
{
    const char *user = member(r, "user");

    *out = r->caller.user;
    if (!user)
        return PV_OK;
    if (!id_parse("usr", user, strlen(user), out)) {
        pv_fail_as(err, "validation-failed", "user: must be the id of a user");
        pv_err_pointer(err, "/user");
        return err->rc;
    }
    return id_eq(out, &r->caller.user) ? PV_OK : need_everywhere(r, PERM_ACCESS_MANAGE, err);
}

static enum req_result token_create(struct req *r)
{
    const char *expires = member(r, "expires_at");
    struct auth_token_wish want = { .name = member(r, "name"),
                                    .role = member(r, "role"),
                                    .scope = json_object_get(r->json, "scope"),
                                    .networks = json_object_get(r->json, "networks") };
    struct pv_err err = { 0 };
    struct pv_id id;
    char token[96], text[PV_ID_TEXT];
    struct jsonw *w;

    if (want.role && strcmp(want.role, "none") == 0)
        want.role = NULL;
    if (expires && (!clock_parse(expires, strlen(expires), &want.expires_ms) || want.expires_ms <= clock_wall_ms())) {
        pv_fail_as(&err, "validation-failed", "expires_at: must be a time in the future");
        pv_err_pointer(&err, "/expires_at");
        return reply_problem(r, &err);
    }
    if (owner_of_new(r, &want.user, &err) != PV_OK || within_own(r, want.role, want.scope, &err) != PV_OK)
        return reply_problem(r, &err);
    audit_caller(r);
    if (auth_token_create(api_of(r)->auth, &want, &id, token, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    model_id_text(PV_KIND_token, &id, text);
    r->made = arena_printf(r->arena, API_BASE "/tokens/%s", text);
    reply_header(r, "Location", r->made ? r->made : r->path);
    w = reply_json(r, 201);
    jsonw_object(w, NULL);
    jsonw_str(w, "id", text);
    jsonw_str(w, "kind", "token");
    jsonw_str(w, "name", member(r, "name"));
    jsonw_str(w, "token", token);
    jsonw_end(w);
    explicit_bzero(token, sizeof(token));
    return reply_send(r);
}

static enum req_result token_delete(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (token_find(r, &id, &err) != PV_OK || check_version(r, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    audit_caller(r);
    if (auth_token_delete(api_of(r)->auth, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    return reply_empty(r, 204);
}

static const struct model_param token_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "What it is for." },
    { .name = "role", .type = PARAM_TEXT, .ref = PV_KIND_role, .max = 128, .doc = "Narrows the owner's rights to this role, by id or name." },
    { .name = "scope", .type = PARAM_OBJECT, .members = scope_members, .doc = "Narrows them to a part of the inventory." },
    { .name = "networks", .type = PARAM_LIST, .max = 16, .doc = "Networks it may be used from, as 192.0.2.0/24; any unless given." },
    { .name = "user", .type = PARAM_ID, .ref = PV_KIND_user, .doc = "Its owner, for who manages access; oneself unless given." },
    { .name = "expires_at", .type = PARAM_TIME, .nullable = true, .doc = "When it ends; in 90 days unless given." },
    { 0 },
};

const struct route token_routes[] = {
    { .method = "GET", .pattern = API_BASE "/tokens", .permission = PERM_NONE, .handler = token_list,
      .answer = ANSWER_LIST, .doc = "One's own tokens; who manages access sees all." },
    { .method = "GET", .pattern = API_BASE "/tokens/{id}", .permission = PERM_NONE, .handler = token_get,
      .answer = ANSWER_OBJECT, .statuses = "404 409", .doc = "One token, without its secret." },
    { .method = "POST", .pattern = API_BASE "/tokens", .permission = PERM_NONE, .handler = token_create,
      .answer = ANSWER_JSON, .schema = "NewToken", .flags = ROUTE_CREATES, .body = token_body, .statuses = "403",
      .doc = "Make a token for a program; the answer is the only place that shows it." },
    { .method = "DELETE", .pattern = API_BASE "/tokens/{id}", .permission = PERM_NONE, .handler = token_delete,
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 412", .doc = "End a token." },
    { 0 },
};
