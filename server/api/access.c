/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in, the caller's own account, users, tokens, roles, audit. */
#include "server/api/internal.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define COOKIE "__Host-polyvisor"

static const char *member(const struct req *r, const char *name)
{
    return json_string_value(json_object_get(r->json, name));
}

/* ------------------------------------------------------------------ sign-in */

static void write_permissions(struct jsonw *w, enum pv_role role)
{
    jsonw_array(w, "permissions");
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (model_role_may(role, p))
            jsonw_str(w, NULL, model_permission_text(p));
    jsonw_end(w);
}

/* `name`: of the user, also behind a token. */
static void write_identity(struct jsonw *w, const struct auth_identity *who, const char *name)
{
    char user[PV_ID_TEXT], id[PV_ID_TEXT];

    model_id_text(PV_KIND_user, &who->user, user);
    jsonw_object(w, NULL);
    jsonw_object(w, "user");
    jsonw_str(w, "id", user);
    jsonw_str(w, "name", name);
    jsonw_end(w);
    if (who->type == PV_ACTOR_TYPE_TOKEN) {
        model_id_text(PV_KIND_token, &who->id, id);
        jsonw_str(w, "token", id);
    } else {
        jsonw_null(w, "token");
    }
    jsonw_str(w, "role", model_enum_text(PV_ENUM_role, who->role));
    write_permissions(w, who->role);
    if (who->by_cookie)
        jsonw_str(w, "csrf_token", who->csrf);
    else
        jsonw_null(w, "csrf_token");
}

static void login_work(struct req *r)
{
    struct auth_identity who = { 0 };
    struct pv_err err = { 0 };
    const char *agent = req_header(r, "User-Agent");
    char cookie[44];
    struct jsonw *w;

    if (auth_login(api_of(r)->auth, member(r, "username"), member(r, "password"), r->address, agent ? agent : "", cookie,
                   &who, &err) != PV_OK) {
        str_copy(r->caller.name, sizeof(r->caller.name), member(r, "username"));
        reply_problem(r, &err);
        return;
    }
    r->caller.type = who.type;
    r->caller.id = who.id;
    str_copy(r->caller.name, sizeof(r->caller.name), who.name);
    reply_headerf(r, "Set-Cookie", COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict", cookie);
    w = reply_json(r, 200);
    write_identity(w, &who, who.name);
    jsonw_end(w);
    reply_send(r);
}

static enum req_result login(struct req *r)
{
    return req_run_slow(r, login_work);
}

static void setup_work(struct req *r)
{
    struct pv_err err = { 0 };

    if (auth_setup(api_of(r)->auth, member(r, "setup_code"), r->address, member(r, "username"), member(r, "password"),
                   &err) != PV_OK)
        reply_problem(r, &err);
    else
        login_work(r);
}

static enum req_result setup(struct req *r)
{
    return req_run_slow(r, setup_work);
}

static enum req_result setup_state(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_bool(w, "needed", auth_setup_code(api_of(r)->auth) != NULL);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result logout(struct req *r)
{
    struct pv_err err = { 0 };

    if (r->caller.by_cookie && auth_logout(api_of(r)->auth, r->caller.login_hash, &err) != PV_OK)
        return reply_problem(r, &err);
    reply_header(r, "Set-Cookie", COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    return reply_empty(r, 204);
}

/* ------------------------------------------------------------------ the caller */

static enum req_result me(struct req *r)
{
    struct auth_identity who = { 0 };
    const struct model_shape *shape;
    struct model_row *row;
    struct pv_err err = { 0 };
    struct jsonw *w;

    if (auth_identify(api_of(r)->auth, req_header(r, "Authorization"), req_cookie(r, COOKIE), &who, &err) != PV_OK ||
        model_shape_make(model_kind(PV_KIND_user), "name,full_name,preferences", MODEL_VIEW_FULL, r->arena, &shape, &err) !=
            PV_OK ||
        store_row_get(api_of(r)->store, shape, &who.user, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    write_identity(w, &who, model_text(row, F(user, name)));
    jsonw_str(w, "full_name", model_text(row, F(user, full_name)));
    model_write_value(w, "preferences", &row->kind->fields[F(user, preferences)],
                      model_get(row, F(user, preferences)));
    jsonw_end(w);
    return reply_send(r);
}

struct preferences {
    struct pv_id user;
    char *text;
};

static int put_preferences(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct preferences *p = arg;
    static const uint16_t fields[] = { F(user, preferences) };
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_user);

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory");
    row->id = p->user;
    model_set_text(row, F(user, preferences), p->text);
    return tx_row_update(tx, row, fields, 1, err);
}

static void me_change_work(struct req *r)
{
    struct preferences p = { .user = r->caller.user };
    struct pv_err err = { 0 };
    const json_t *preferences = json_object_get(r->json, "preferences");
    const char *new_password = member(r, "new_password");
    int rc = PV_OK;

    if (new_password && !member(r, "password")) {
        rc = pv_fail_as(&err, "invalid-request", "password: the present password is needed to change it");
        pv_err_pointer(&err, "/password");
    }
    if (rc == PV_OK && new_password)
        rc = auth_password_change(api_of(r)->auth, &r->caller.user, member(r, "password"), new_password, &err);
    if (rc == PV_OK && member(r, "full_name"))
        rc = auth_user_change(api_of(r)->auth, &r->caller.user, member(r, "full_name"), NULL, PV_ROLE_NONE, -1, &err);
    if (rc == PV_OK && preferences) {
        p.text = json_dumps(preferences, JSON_COMPACT);
        if (!p.text || strlen(p.text) > 65536)
            rc = pv_fail_as(&err, "too-large", "preferences may have 64 KiB");
        else
            rc = store_write(api_of(r)->store, put_preferences, &p, &err);
        free(p.text);
    }
    if (rc == PV_OK)
        me(r);
    else
        reply_problem(r, &err);
}

static enum req_result me_change(struct req *r)
{
    return req_run_slow(r, me_change_work);
}

static enum req_result my_logins(struct req *r)
{
    struct store_login *logins;
    struct pv_err err = { 0 };
    struct jsonw *w;
    size_t n;

    if (store_logins_of(api_of(r)->store, &r->caller.user, r->arena, &logins, &n, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (size_t i = 0; i < n; i++) {
        char id[65];

        str_hex(logins[i].hash, 32, id);
        jsonw_object(w, NULL);
        jsonw_str(w, "id", id);
        jsonw_time(w, "created_at", logins[i].created_ms);
        jsonw_time(w, "last_used_at", logins[i].last_used_ms);
        jsonw_time(w, "expires_at", logins[i].expires_ms);
        jsonw_str(w, "address", logins[i].address);
        jsonw_str(w, "agent", logins[i].agent);
        jsonw_bool(w, "current", r->caller.by_cookie && memcmp(logins[i].hash, r->caller.login_hash, 32) == 0);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result my_login_end(struct req *r)
{
    const char *id = req_param(r, "id");
    struct store_login *logins;
    struct pv_err err = { 0 };
    uint8_t hash[32];
    size_t n;

    if (store_logins_of(api_of(r)->store, &r->caller.user, r->arena, &logins, &n, &err) != PV_OK)
        return reply_problem(r, &err);
    if (strlen(id) == 64 && str_unhex(id, 64, hash))
        for (size_t i = 0; i < n; i++)
            if (memcmp(logins[i].hash, hash, 32) == 0)
                return auth_logout(api_of(r)->auth, hash, &err) == PV_OK ? reply_empty(r, 204) : reply_problem(r, &err);
    pv_fail(&err, PV_ENOENT, "you have no such login");
    return reply_problem(r, &err);
}

/* ------------------------------------------------------------------ users */

static enum pv_role role_member(const struct req *r)
{
    const char *text = member(r, "role");
    int64_t role = text ? model_enum_value(PV_ENUM_role, text, strlen(text)) : -1;

    return role < 0 ? PV_ROLE_NONE : (enum pv_role)role;
}

static void user_create_work(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (auth_user_create(api_of(r)->auth, member(r, "name"), member(r, "full_name"), member(r, "password"), role_member(r),
                         &id, &err) != PV_OK)
        reply_problem(r, &err);
    else
        object_reply(r, 201, PV_KIND_user, &id);
}

static enum req_result user_create(struct req *r)
{
    return req_run_slow(r, user_create_work);
}

static void user_change_work(struct req *r)
{
    const json_t *enabled = json_object_get(r->json, "enabled");
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, r->route->kind, &o, &err) != PV_OK ||
        auth_user_change(api_of(r)->auth, &id, member(r, "full_name"), member(r, "password"), role_member(r),
                         enabled ? json_is_true(enabled) : -1, &err) != PV_OK)
        reply_problem(r, &err);
    else
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

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        auth_user_delete(api_of(r)->auth, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_empty(r, 204);
}

static enum req_result roles(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (size_t i = PV_ROLE_NONE + 1; i < model_enum_count(PV_ENUM_role); i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", model_enum_text(PV_ENUM_role, (int64_t)i));
        write_permissions(w, (enum pv_role)i);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ tokens */

/* Everybody sees his own tokens; who manages access sees all. */
static bool sees_all_tokens(const struct req *r)
{
    return model_role_may(r->caller.role, PERM_ACCESS_MANAGE);
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

/* A token makes no token that may do more than itself. */
static bool role_within(enum pv_role wanted, enum pv_role own)
{
    for (int p = 0; p < PERM_COUNT; p++)
        if (model_role_may(wanted, p) && !model_role_may(own, p))
            return false;
    return true;
}

static enum req_result token_create(struct req *r)
{
    const char *expires = member(r, "expires_at");
    enum pv_role role = role_member(r);
    int64_t expires_ms = 0;
    struct pv_err err = { 0 };
    struct pv_id id;
    char token[96], text[PV_ID_TEXT];
    struct jsonw *w;

    if (expires && (!clock_parse(expires, strlen(expires), &expires_ms) || expires_ms <= clock_wall_ms())) {
        pv_fail_as(&err, "validation-failed", "expires_at: must be a time in the future");
        pv_err_pointer(&err, "/expires_at");
        return reply_problem(r, &err);
    }
    if (r->caller.type == PV_ACTOR_TYPE_TOKEN && role == PV_ROLE_NONE)
        role = r->caller.role;
    if (!role_within(role, r->caller.role)) {
        pv_fail_as(&err, "forbidden", "role: you may not give away more than the role %s",
                   model_enum_text(PV_ENUM_role, r->caller.role));
        pv_err_pointer(&err, "/role");
        return reply_problem(r, &err);
    }
    if (auth_token_create(api_of(r)->auth, &r->caller.user, member(r, "name"), role, expires_ms, &id, token, &err) !=
        PV_OK)
        return reply_problem(r, &err);
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

    if (token_find(r, &id, &err) != PV_OK || auth_token_delete(api_of(r)->auth, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_empty(r, 204);
}

/* ------------------------------------------------------------------ audit */

static enum req_result verify_audit(struct req *r)
{
    uint64_t checked = 0, bad = 0;
    struct pv_err err = { 0 };
    struct jsonw *w;

    if (audit_verify(api_of(r)->store, &checked, &bad, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_bool(w, "ok", bad == 0);
    jsonw_u64(w, "checked", checked);
    if (bad)
        jsonw_u64(w, "first_broken", bad);
    else
        jsonw_null(w, "first_broken");
    jsonw_end(w);
    return reply_send(r);
}

static const struct model_param login_body[] = {
    { .name = "username", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name of the user." },
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 1, .max = 128, .doc = "Password." },
    { 0 },
};
static const struct model_param setup_body[] = {
    { .name = "setup_code", .type = PARAM_SECRET, .required = true, .min = 1, .max = 64, .doc = "The code the server printed." },
    { .name = "username", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name of the first administrator." },
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 12, .max = 128, .doc = "Password, 12 characters or more." },
    { 0 },
};
static const struct model_param me_body[] = {
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "preferences", .type = PARAM_OBJECT, .doc = "What the browser page keeps; up to 64 KiB." },
    { .name = "password", .type = PARAM_SECRET, .max = 128, .doc = "Present password, to change it." },
    { .name = "new_password", .type = PARAM_SECRET, .min = 12, .max = 128, .doc = "New password." },
    { 0 },
};
static const struct model_param user_create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name to sign in with." },
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 12, .max = 128, .doc = "Password." },
    { .name = "role", .type = PARAM_ENUM, .enum_id = PV_ENUM_role, .required = true, .doc = "What the user may do." },
    { 0 },
};
static const struct model_param user_change_body[] = {
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "password", .type = PARAM_SECRET, .min = 12, .max = 128, .doc = "New password." },
    { .name = "role", .type = PARAM_ENUM, .enum_id = PV_ENUM_role, .doc = "What the user may do." },
    { .name = "enabled", .type = PARAM_BOOL, .doc = "May sign in." },
    { 0 },
};
static const struct model_param token_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "What it is for." },
    { .name = "role", .type = PARAM_ENUM, .enum_id = PV_ENUM_role, .doc = "Narrows the owner's rights." },
    { .name = "expires_at", .type = PARAM_TIME, .nullable = true, .doc = "When it ends; in 90 days unless given." },
    { 0 },
};

const struct route access_routes[] = {
    { .method = "GET", .pattern = API_BASE "/auth/setup", .permission = PERM_PUBLIC, .handler = setup_state,
      .answer = ANSWER_JSON, .schema = "SetupState", .doc = "Is the first administrator still to be made?" },
    { .method = "POST", .pattern = API_BASE "/auth/setup", .permission = PERM_PUBLIC, .handler = setup,
      .answer = ANSWER_JSON, .schema = "Identity", .body = setup_body, .statuses = "401 409 429",
      .doc = "Make the first administrator with the code the server printed, and sign in." },
    { .method = "POST", .pattern = API_BASE "/auth/login", .permission = PERM_PUBLIC, .handler = login,
      .answer = ANSWER_JSON, .schema = "Identity", .body = login_body, .statuses = "401 429",
      .doc = "Sign in; the answer sets a cookie and tells the CSRF token." },
    { .method = "POST", .pattern = API_BASE "/auth/logout", .permission = PERM_NONE, .handler = logout,
      .answer = ANSWER_NONE, .doc = "Sign out." },
    { .method = "GET", .pattern = API_BASE "/me", .permission = PERM_NONE, .handler = me, .answer = ANSWER_JSON,
      .schema = "Me", .doc = "Who am I, and what may I do?" },
    { .method = "PATCH", .pattern = API_BASE "/me", .permission = PERM_NONE, .handler = me_change,
      .answer = ANSWER_JSON, .schema = "Me", .flags = ROUTE_MERGE_PATCH, .body = me_body, .statuses = "401 429",
      .doc = "Change one's own name, password, preferences." },
    { .method = "GET", .pattern = API_BASE "/me/logins", .permission = PERM_NONE, .handler = my_logins,
      .answer = ANSWER_JSON, .schema = "Logins", .doc = "Where am I signed in?" },
    { .method = "DELETE", .pattern = API_BASE "/me/logins/{id}", .permission = PERM_NONE, .handler = my_login_end,
      .answer = ANSWER_NONE, .statuses = "404", .doc = "End one of one's logins." },
    { .method = "POST", .pattern = API_BASE "/users", .permission = PERM_ACCESS_MANAGE, .handler = user_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES, .body = user_create_body, .statuses = "409 429",
      .doc = "Let another person in." },
    { .method = "PATCH", .pattern = API_BASE "/users/{id}", .permission = PERM_ACCESS_MANAGE, .handler = user_change,
      .answer = ANSWER_OBJECT, .flags = ROUTE_MERGE_PATCH, .body = user_change_body, .statuses = "404 409 429",
      .doc = "Change a user; a new password or role ends the user's logins." },
    { .method = "DELETE", .pattern = API_BASE "/users/{id}", .permission = PERM_ACCESS_MANAGE, .handler = user_delete,
      .answer = ANSWER_NONE, .statuses = "404 409", .doc = "Delete a user with all tokens." },
    { .method = "GET", .pattern = API_BASE "/roles", .permission = PERM_NONE, .handler = roles,
      .answer = ANSWER_JSON, .schema = "Roles", .doc = "The built-in roles and what they may do." },
    { .method = "GET", .pattern = API_BASE "/tokens", .permission = PERM_NONE, .handler = token_list,
      .answer = ANSWER_LIST, .doc = "One's own tokens; who manages access sees all." },
    { .method = "GET", .pattern = API_BASE "/tokens/{id}", .permission = PERM_NONE, .handler = token_get,
      .answer = ANSWER_OBJECT, .statuses = "404 409", .doc = "One token, without its secret." },
    { .method = "POST", .pattern = API_BASE "/tokens", .permission = PERM_NONE, .handler = token_create,
      .answer = ANSWER_JSON, .schema = "NewToken", .flags = ROUTE_CREATES, .body = token_body,
      .doc = "Make a token for a program; the answer is the only place that shows it." },
    { .method = "DELETE", .pattern = API_BASE "/tokens/{id}", .permission = PERM_NONE, .handler = token_delete,
      .answer = ANSWER_NONE, .statuses = "404", .doc = "End a token." },
    { .method = "GET", .pattern = API_BASE "/audit/verify", .permission = PERM_AUDIT_READ, .handler = verify_audit,
      .answer = ANSWER_JSON, .schema = "AuditCheck", .doc = "Walk the chain of audit records." },
    { 0 },
};
