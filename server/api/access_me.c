/* SPDX-License-Identifier: Apache-2.0 */
/* One's own account: who am I, what may I, where am I signed in. */
#include "server/api/access.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

enum pv_role role_in_short(struct req *r, const struct auth_identity *who)
{
    bool token = who->type == PV_ACTOR_TYPE_TOKEN && who->limited;
    const struct model_shape *shape;
    struct model_row *row;

    if (model_shape_make(model_kind(token ? PV_KIND_token : PV_KIND_user), "role", MODEL_VIEW_FULL, r->arena, &shape,
                         NULL) != PV_OK ||
        store_row_get(api_of(r)->store, shape, token ? &who->id : &who->user, r->arena, &row, NULL) != PV_OK)
        return PV_ROLE_NONE;
    return (enum pv_role)model_number(row, token ? F(token, role) : F(user, role));
}

static void write_ref(struct jsonw *w, const char *key, enum pv_kind kind, const struct pv_id *id, const char *name)
{
    char text[PV_ID_TEXT];

    if (id_is_zero(id)) {
        jsonw_null(w, key);
        return;
    }
    model_id_text(kind, id, text);
    jsonw_object(w, key);
    jsonw_str(w, "id", text);
    jsonw_str(w, "name", name);
    jsonw_end(w);
}

void write_grant(struct jsonw *w, const struct access_grant *g)
{
    char id[PV_ID_TEXT];

    model_id_text(PV_KIND_grant, &g->id, id);
    jsonw_object(w, NULL);
    jsonw_str(w, "id", id);
    write_ref(w, "role", PV_KIND_role, &g->role, g->role_name);
    write_ref(w, "group", PV_KIND_group, &g->group, g->group_name);
    jsonw_object(w, "scope");
    jsonw_str(w, "type", model_enum_text(PV_ENUM_access_scope, g->scope));
    if (g->scope == PV_ACCESS_SCOPE_FOLDER) {
        model_id_text(PV_KIND_folder, &g->folder, id);
        jsonw_str(w, "folder", id);
    } else if (g->scope == PV_ACCESS_SCOPE_PROVIDER) {
        model_id_text(PV_KIND_provider, &g->provider, id);
        jsonw_str(w, "provider", id);
    } else if (g->scope == PV_ACCESS_SCOPE_SELECTOR) {
        jsonw_str(w, "selector", g->selector);
    } else if (g->scope == PV_ACCESS_SCOPE_OBJECT) {
        jsonw_str(w, "object", g->object);
    }
    jsonw_end(w);
    jsonw_time(w, "expires_at", g->expires_ms);
    write_permissions(w, "permissions", g->permissions);
    jsonw_end(w);
}

void write_identity(struct jsonw *w, const struct auth_identity *who, const struct access *access, const char *name,
                    enum pv_role role)
{
    char user[PV_ID_TEXT], id[PV_ID_TEXT];
    const struct access_grant *grants;
    size_t n = access_grants(access, &grants);

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
    jsonw_str(w, "role", model_enum_text(PV_ENUM_role, role));
    write_permissions(w, "permissions", access_permissions(access));
    write_permissions(w, "permissions_everywhere", access_permissions_on(access, PV_KIND_NONE, NULL));
    jsonw_array(w, "grants");
    for (size_t i = 0; i < n; i++)
        write_grant(w, &grants[i]);
    jsonw_end(w);
    if (who->by_cookie)
        jsonw_str(w, "csrf_token", who->csrf);
    else
        jsonw_null(w, "csrf_token");
}

static void write_mfa(struct req *r, struct jsonw *w, const struct model_row *row)
{
    unsigned left = 0;

    auth_totp_left(api_of(r)->auth, &row->id, &left, NULL);
    jsonw_object(w, "mfa");
    jsonw_bool(w, "enabled", model_number(row, F(user, mfa)) != 0);
    jsonw_u64(w, "recovery_codes_left", left);
    jsonw_end(w);
}

/* After how long without use the page has to let go; a token rests as long as it likes. */
static void write_idle(struct req *r, struct jsonw *w)
{
    int64_t idle_ms, most_ms;

    auth_login_times_get(api_of(r)->auth, &idle_ms, &most_ms);
    if (r->caller.by_cookie)
        jsonw_i64(w, "idle_s", idle_ms / 1000);
    else
        jsonw_null(w, "idle_s");
}

static enum req_result me(struct req *r)
{
    struct auth_identity who = { 0 };
    const struct model_shape *shape;
    struct model_row *row;
    struct pv_err err = { 0 };
    struct jsonw *w;

    if (auth_identify(api_of(r)->auth, req_header(r, "Authorization"), req_cookie(r, COOKIE), r->address, &who, &err) !=
            PV_OK ||
        model_shape_make(model_kind(PV_KIND_user), "name,full_name,mfa,preferences", MODEL_VIEW_FULL, r->arena, &shape, &err) !=
            PV_OK ||
        store_row_get(api_of(r)->store, shape, &who.user, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    write_identity(w, &who, r->caller.access, model_text(row, F(user, name)), role_in_short(r, &who));
    jsonw_str(w, "full_name", model_text(row, F(user, full_name)));
    write_mfa(r, w, row);
    write_idle(r, w);
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
        audit_caller(r);
    if (rc == PV_OK && new_password)
        rc = auth_password_change(api_of(r)->auth, &r->caller.user, member(r, "password"), new_password, &err);
    if (rc == PV_OK && member(r, "full_name"))
        rc = auth_user_change(api_of(r)->auth, &r->caller.user, member(r, "full_name"), NULL, -1, -1, &err);
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

static enum req_result my_logins_end(struct req *r)
{
    struct pv_err err = { 0 };

    if (auth_logout_all(api_of(r)->auth, &r->caller.user, r->caller.by_cookie ? r->caller.login_hash : NULL, &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_empty(r, 204);
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

static const struct model_param me_body[] = {
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "preferences", .type = PARAM_OBJECT, .doc = "What the browser page keeps; up to 64 KiB." },
    { .name = "password", .type = PARAM_SECRET, .max = 128, .doc = "Present password, to change it." },
    { .name = "new_password", .type = PARAM_SECRET, .min = 12, .max = 128, .doc = "New password." },
    { 0 },
};

const struct route me_routes[] = {
    { .method = "GET", .pattern = API_BASE "/me", .permission = PERM_NONE, .handler = me, .answer = ANSWER_JSON,
      .schema = "Me", .doc = "Who am I, and what may I do?" },
    { .method = "PATCH", .pattern = API_BASE "/me", .permission = PERM_NONE, .handler = me_change,
      .answer = ANSWER_JSON, .schema = "Me", .flags = ROUTE_MERGE_PATCH, .body = me_body, .statuses = "401 429",
      .doc = "Change one's own name, password, preferences." },
    { .method = "GET", .pattern = API_BASE "/me/logins", .permission = PERM_NONE, .handler = my_logins,
      .answer = ANSWER_JSON, .schema = "Logins", .doc = "Where am I signed in?" },
    { .method = "DELETE", .pattern = API_BASE "/me/logins", .permission = PERM_NONE, .handler = my_logins_end,
      .answer = ANSWER_NONE, .doc = "End all of one's logins but this one." },
    { .method = "DELETE", .pattern = API_BASE "/me/logins/{id}", .permission = PERM_NONE, .handler = my_login_end,
      .answer = ANSWER_NONE, .statuses = "404", .doc = "End one of one's logins." },
    { 0 },
};
