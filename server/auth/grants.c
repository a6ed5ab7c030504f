/* SPDX-License-Identifier: Apache-2.0 */
/* Grants: a principal, a role, a scope. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define PER_PRINCIPAL 500

PV_DEFINE_AUTO(arena_free, struct arena *)

int grant_insert(struct store_tx *tx, struct model_row *row, int64_t now_ms, struct pv_err *err)
{
    id_make(&row->id);
    return row_insert(tx, row, now_ms, NULL, err);
}

int grants_delete_of(struct store_tx *tx, unsigned field, const struct pv_id *principal, struct pv_err *err)
{
    struct model_value value = { .set = true, .id = *principal };
    struct pv_id *ids;
    size_t n;
    int rc;

    do {
        n = 0;
        rc = tx_find(tx, PV_KIND_grant, field, &value, 500, tx_arena(tx), &ids, &n, err);
        for (size_t i = 0; rc == PV_OK && i < n; i++)
            rc = tx_row_delete(tx, PV_KIND_grant, &ids[i], err);
    } while (rc == PV_OK && n == 500);
    return rc;
}

static int invalid(struct pv_err *err, const char *pointer, const char *why)
{
    pv_fail_as(err, "validation-failed", "%s", why);
    pv_err_pointer(err, "%s", pointer);
    return PV_EINVAL;
}

/* A selector names objects of the inventory: of one kind at least. */
static int check_selector(const char *text, int64_t now_ms, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    const struct filter *f = NULL;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a selector");
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        if ((k->flags & MODEL_SYNCED) && k->owner == PV_KIND_NONE &&
            filter_parse(k, text, now_ms, a, &f, NULL) == PV_OK && f)
            return PV_OK;
    }
    if (filter_parse(model_kind(PV_KIND_vm), text, now_ms, a, &f, err) == PV_OK)
        return invalid(err, "/scope/selector", "an empty selector selects nothing; use the type everything");
    pv_err_pointer(err, "/scope/selector");
    return err->rc;
}

static int take_ref(struct auth *a, struct model_row *row, unsigned field, enum pv_kind kind, const json_t *value,
                    const char *pointer, struct pv_err *err)
{
    struct pv_id id;
    int rc = row_find(a->store, kind, json_is_string(value) ? json_string_value(value) : "", pointer, &id, err);

    if (rc == PV_OK)
        model_set_ref(row, field, &id);
    return rc;
}

static int take_object(struct auth *a, struct model_row *row, const char *text, struct pv_err *err)
{
    const struct model_kind *k;
    struct pv_id id;
    bool there = false;
    int rc;

    if (!model_id_parse(text, strlen(text), &k, &id) || !(k->flags & MODEL_SYNCED) || k->owner != PV_KIND_NONE)
        return invalid(err, "/scope/object", "this is no id of an object of the inventory");
    rc = store_visible(a->store, NULL, k->number, &id, &there, err);
    if (rc == PV_OK && !there)
        return invalid(err, "/scope/object", "there is no such object");
    model_set_text(row, F(grant, scope_object), text);
    return rc;
}

int auth_scope_take(struct auth *a, struct model_row *row, const json_t *scope, struct pv_err *err)
{
    const char *type = json_string_value(json_object_get(scope, "type"));
    int64_t n = type ? model_enum_value(PV_ENUM_access_scope, type, strlen(type)) : -1;
    static const char *const members[] = {
        [PV_ACCESS_SCOPE_FOLDER] = "folder", [PV_ACCESS_SCOPE_PROVIDER] = "provider",
        [PV_ACCESS_SCOPE_SELECTOR] = "selector", [PV_ACCESS_SCOPE_OBJECT] = "object",
    };
    const json_t *value = NULL;
    const char *text;

    if (n <= PV_ACCESS_SCOPE_NONE)
        return invalid(err, "/scope/type", "a scope is everything, folder, provider, selector or object");
    for (int64_t i = PV_ACCESS_SCOPE_FOLDER; i <= PV_ACCESS_SCOPE_OBJECT; i++) {
        const json_t *v = json_object_get(scope, members[i]);

        if (v && !json_is_null(v) && i != n)
            return invalid(err, "/scope", "a scope has the one member that its type names");
        value = i == n ? v : value;
    }
    text = json_is_string(value) ? json_string_value(value) : NULL;
    if (n != PV_ACCESS_SCOPE_EVERYTHING && (!text || !*text))
        return invalid(err, "/scope", "a scope has the member that its type names");
    model_set_null(row, F(grant, scope_folder));
    model_set_null(row, F(grant, scope_provider));
    model_set_null(row, F(grant, scope_selector));
    model_set_null(row, F(grant, scope_object));
    model_set_number(row, F(grant, scope_type), n);
    if (n == PV_ACCESS_SCOPE_FOLDER)
        return take_ref(a, row, F(grant, scope_folder), PV_KIND_folder, value, "/scope/folder", err);
    if (n == PV_ACCESS_SCOPE_PROVIDER)
        return take_ref(a, row, F(grant, scope_provider), PV_KIND_provider, value, "/scope/provider", err);
    if (n == PV_ACCESS_SCOPE_OBJECT)
        return take_object(a, row, text, err);
    if (n == PV_ACCESS_SCOPE_SELECTOR) {
        model_set_text(row, F(grant, scope_selector), text);
        return check_selector(text, a->now_ms(), err);
    }
    return PV_OK;
}

static int take_expiry(struct auth *a, struct model_row *row, const json_t *value, struct pv_err *err)
{
    const char *text = json_string_value(value);
    int64_t ms = 0;

    if (!value)
        return PV_OK;
    if (json_is_null(value)) {
        model_set_null(row, F(grant, expires_at));
        return PV_OK;
    }
    if (!text || !clock_parse(text, strlen(text), &ms) || ms <= a->now_ms())
        return invalid(err, "/expires_at", "must be a time in the future");
    model_set_number(row, F(grant, expires_at), ms);
    return PV_OK;
}

static int take_principal(struct auth *a, struct model_row *row, const json_t *body, struct pv_err *err)
{
    static const struct {
        const char *member;
        enum pv_kind kind;
        unsigned field;
    } who[] = { { "user", PV_KIND_user, F(grant, user) },
                { "group", PV_KIND_group, F(grant, group) },
                { "token", PV_KIND_token, F(grant, token) } };
    size_t n = 0;

    for (size_t i = 0; i < PV_COUNT(who); i++) {
        const json_t *value = json_object_get(body, who[i].member);
        char pointer[16];
        int rc;

        if (!value)
            continue;
        n++;
        snprintf(pointer, sizeof(pointer), "/%s", who[i].member);
        rc = take_ref(a, row, who[i].field, who[i].kind, value, pointer, err);
        if (rc != PV_OK)
            return rc;
    }
    return n == 1 ? PV_OK : invalid(err, "/user", "say who: one of user, group, token");
}

struct grant_change {
    struct auth *a;
    const struct model_row *wanted;
    struct pv_id id;
    bool remove;
    struct audit_note note;
};

/* Afterwards: what the user's role says in short, and that a token is narrowed. */
static int follow(struct store_tx *tx, const struct grant_change *c, const struct model_row *row, struct pv_err *err)
{
    const struct model_value *user = model_get(row, F(grant, user)), *token = model_get(row, F(grant, token));
    struct model_row *t, *before;
    int rc = user->set ? user_role_refresh(tx, &user->id, err) : PV_OK;

    if (rc != PV_OK || !token->set || c->remove)
        return rc;
    rc = row_load(tx, PV_KIND_token, &token->id, &t, &before, err);
    if (rc != PV_OK)
        return rc;
    model_set_number(t, F(token, limited), 1);
    return row_update(tx, t, before, c->a->now_ms(), NULL, err);
}

static int create_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct grant_change *c = arg;
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_grant);
    static const unsigned principals[] = { F(grant, user), F(grant, group), F(grant, token) };
    struct pv_id *ids;
    size_t n = 0;
    int rc = PV_OK;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a grant");
    memcpy(row->values, c->wanted->values, row->kind->nfields * sizeof(*row->values));
    row->id = c->id;
    for (size_t i = 0; i < PV_COUNT(principals) && rc == PV_OK; i++)
        if (model_get(row, principals[i])->set)
            rc = tx_find(tx, PV_KIND_grant, principals[i], model_get(row, principals[i]), PER_PRINCIPAL,
                         tx_arena(tx), &ids, &n, err);
    if (rc == PV_OK && n >= PER_PRINCIPAL)
        return pv_fail_as(err, "limit-exceeded", "nobody may have more than %d grants", PER_PRINCIPAL);
    if (rc == PV_OK)
        rc = row_insert(tx, row, c->a->now_ms(), &c->note, err);
    return rc == PV_OK ? follow(tx, c, row, err) : rc;
}

static int change_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    static const unsigned fields[] = { F(grant, role), F(grant, scope_type), F(grant, scope_folder),
                                       F(grant, scope_provider), F(grant, scope_selector), F(grant, scope_object),
                                       F(grant, expires_at) };
    struct grant_change *c = arg;
    struct model_row *row, *before;
    int rc = row_load(tx, PV_KIND_grant, &c->id, &row, &before, err);

    if (rc != PV_OK)
        return rc;
    for (size_t i = 0; i < PV_COUNT(fields); i++)
        row->values[fields[i]] = c->wanted->values[fields[i]];
    rc = row_update(tx, row, before, c->a->now_ms(), &c->note, err);
    return rc == PV_OK ? follow(tx, c, row, err) : rc;
}

static int delete_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct grant_change *c = arg;
    struct model_row *row, *before;
    int rc = row_load(tx, PV_KIND_grant, &c->id, &row, &before, err);

    if (rc == PV_OK)
        rc = row_delete(tx, row, &c->note, err);
    return rc == PV_OK ? follow(tx, c, row, err) : rc;
}

int auth_grant_create(struct auth *a, const json_t *body, struct pv_id *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(8192, 1u << 20);
    struct grant_change c = { .a = a };
    struct model_row *row = m ? model_row_new(m, PV_KIND_grant) : NULL;
    int rc;

    audit_note_take(&c.note, "grant.create");
    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a grant");
    rc = take_principal(a, row, body, err);
    if (rc == PV_OK)
        rc = take_ref(a, row, F(grant, role), PV_KIND_role, json_object_get(body, "role"), "/role", err);
    if (rc == PV_OK)
        rc = auth_scope_take(a, row, json_object_get(body, "scope"), err);
    if (rc == PV_OK)
        rc = take_expiry(a, row, json_object_get(body, "expires_at"), err);
    if (rc != PV_OK)
        return rc;
    id_make(&c.id);
    c.wanted = row;
    rc = store_write(a->store, create_tx, &c, err);
    cache_changed(a);
    if (rc == PV_OK)
        *out = c.id;
    return rc;
}

int auth_grant_change(struct auth *a, const struct pv_id *grant, const json_t *patch, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(8192, 1u << 20);
    struct grant_change c = { .a = a, .id = *grant };
    const struct model_shape *shape;
    struct model_row *row;
    int rc;

    audit_note_take(&c.note, "grant.update");
    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory for a grant");
    rc = model_shape_make(model_kind(PV_KIND_grant), NULL, MODEL_VIEW_FULL, m, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(a->store, shape, grant, m, &row, err);
    if (rc == PV_OK && json_object_get(patch, "role"))
        rc = take_ref(a, row, F(grant, role), PV_KIND_role, json_object_get(patch, "role"), "/role", err);
    if (rc == PV_OK && json_object_get(patch, "scope"))
        rc = auth_scope_take(a, row, json_object_get(patch, "scope"), err);
    if (rc == PV_OK)
        rc = take_expiry(a, row, json_object_get(patch, "expires_at"), err);
    if (rc != PV_OK)
        return rc;
    c.wanted = row;
    rc = store_write(a->store, change_tx, &c, err);
    cache_changed(a);
    return rc;
}

int auth_grant_delete(struct auth *a, const struct pv_id *grant, struct pv_err *err)
{
    struct grant_change c = { .a = a, .id = *grant, .remove = true };
    int rc;

    audit_note_take(&c.note, "grant.delete");
    rc = store_write(a->store, delete_tx, &c, err);
    cache_changed(a);
    return rc;
}
