/* SPDX-License-Identifier: Apache-2.0 */
/* Roles: those that come with the server are rows, too, so that grants name them like any other. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define GRANTED "access.grants" /* setting: users' and tokens' roles have become grants */
#define PAGE 500

static const char *const purposes[] = {
    [PV_ROLE_VIEWER] = "Sees everything, changes nothing.",
    [PV_ROLE_OPERATOR] = "Also switches VMs, opens consoles, takes snapshots, tags.",
    [PV_ROLE_ADMIN] = "May everything, also who may what.",
    [PV_ROLE_MONITOR] = "Sees health and metrics alone.",
    [PV_ROLE_VM_ADMIN] = "Everything about VMs.",
    [PV_ROLE_INFRA_ADMIN] = "Everything but who may what, the audit and the server itself.",
    [PV_ROLE_AUDITOR] = "Sees everything, and who did what.",
    [PV_ROLE_AUTOMATION] = "For programs: makes, changes, switches and deletes VMs.",
};

void role_id(enum pv_role role, struct pv_id *out)
{
    memset(out, 0, sizeof(*out));
    out->b[6] = 0x70; /* in the form of all ids: UUID, version 7 */
    out->b[8] = 0x80;
    out->b[15] = (uint8_t)role;
}

enum pv_role role_of_id(const struct pv_id *id)
{
    for (size_t i = PV_ROLE_NONE + 1; i < PV_COUNT(purposes); i++) {
        struct pv_id builtin;

        role_id((enum pv_role)i, &builtin);
        if (id_eq(&builtin, id))
            return (enum pv_role)i;
    }
    return PV_ROLE_NONE;
}

/* As a list of the model. */
static const char *permissions_of(struct arena *a, enum pv_role role)
{
    const char *out;
    struct buf text;

    buf_init(&text, 8192);
    buf_text(&text, "\n");
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (model_role_may(role, p))
            buf_printf(&text, "%s\n", model_permission_text(p));
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static int put_builtin(struct store_tx *tx, enum pv_role role, int64_t now_ms, struct pv_err *err)
{
    const char *permissions = permissions_of(tx_arena(tx), role);
    struct model_row *row, *before = NULL;
    struct pv_id id;
    int rc;

    role_id(role, &id);
    if (!permissions)
        return pv_fail(err, PV_ENOMEM, "no memory for roles");
    rc = row_load(tx, PV_KIND_role, &id, &row, &before, NULL);
    if (rc == PV_ENOENT) {
        row = model_row_new(tx_arena(tx), PV_KIND_role);
        rc = row ? PV_OK : PV_ENOMEM;
    }
    if (rc != PV_OK)
        return pv_fail(err, rc, "the built-in roles could not be read");
    row->id = id;
    model_set_text(row, F(role, name), model_enum_text(PV_ENUM_role, role));
    model_set_text(row, F(role, description), purposes[role]);
    model_set_text(row, F(role, permissions), permissions);
    model_set_number(row, F(role, builtin), 1);
    return before ? row_update(tx, row, before, now_ms, NULL, err)
                  : row_insert(tx, row, now_ms, NULL, err);
}

/* One page of users or tokens that have a role in short; their grants follow. */
static int grant_page(struct store_tx *tx, enum pv_kind kind, enum pv_role role, int64_t now_ms,
                      struct pv_err *err)
{
    unsigned field = kind == PV_KIND_user ? F(user, role) : F(token, role);
    struct model_value value = { .set = true, .number = role };
    struct pv_id *ids;
    size_t n = 0;
    int rc = tx_find(tx, kind, field, &value, 100000, tx_arena(tx), &ids, &n, err);

    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_grant), *token, *before;
        struct pv_id id;

        if (!row)
            return pv_fail(err, PV_ENOMEM, "no memory for grants");
        role_id(role, &id);
        model_set_ref(row, kind == PV_KIND_user ? F(grant, user) : F(grant, token), &ids[i]);
        model_set_ref(row, F(grant, role), &id);
        model_set_number(row, F(grant, scope_type), PV_ACCESS_SCOPE_EVERYTHING);
        rc = grant_insert(tx, row, now_ms, err);
        if (rc == PV_OK && kind == PV_KIND_token) {
            rc = row_load(tx, PV_KIND_token, &ids[i], &token, &before, err);
            if (rc != PV_OK)
                return rc;
            model_set_number(token, F(token, limited), 1);
            rc = row_update(tx, token, before, now_ms, NULL, err);
        }
    }
    return rc;
}

static int open_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct auth *a = arg;
    const char *done = NULL;
    int rc = PV_OK;

    for (size_t i = PV_ROLE_NONE + 1; i < PV_COUNT(purposes) && rc == PV_OK; i++)
        rc = put_builtin(tx, (enum pv_role)i, a->now_ms(), err);
    if (rc != PV_OK)
        return rc;
    rc = tx_setting_get(tx, GRANTED, tx_arena(tx), &done, err);
    if (rc == PV_OK && done)
        return PV_OK;
    if (rc != PV_OK && rc != PV_ENOENT)
        return rc;
    rc = PV_OK;
    for (size_t i = PV_ROLE_NONE + 1; i < PV_COUNT(purposes) && rc == PV_OK; i++) {
        rc = grant_page(tx, PV_KIND_user, (enum pv_role)i, a->now_ms(), err);
        if (rc == PV_OK)
            rc = grant_page(tx, PV_KIND_token, (enum pv_role)i, a->now_ms(), err);
    }
    return rc == PV_OK ? tx_setting_put(tx, GRANTED, "1", err) : rc;
}

int roles_open(struct auth *a, struct pv_err *err)
{
    return store_write(a->store, open_tx, a, err);
}

/* ------------------------------------------------------------------ those of somebody's making */

struct role_change {
    struct auth *a;
    struct pv_id id;
    const json_t *body;
    const char *permissions; /* NULL: as they are */
    struct audit_note note;
};

/* JSON list of texts -> list of the model; what is no permission is refused. */
static int read_permissions(struct role_change *c, struct arena *a, struct pv_err *err)
{
    const json_t *list = json_object_get(c->body, "permissions");
    struct buf text;

    if (!list)
        return PV_OK;
    buf_init(&text, 8192);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));

        if (!name || model_permission(name, strlen(name)) < 0) {
            buf_free(&text);
            pv_fail_as(err, "validation-failed", "there is no permission \"%.64s\"", name ? name : "");
            pv_err_pointer(err, "/permissions/%zu", i);
            return PV_EINVAL;
        }
        if (text.len == 0)
            buf_text(&text, "\n");
        buf_printf(&text, "%s\n", name);
    }
    c->permissions = text.len == 0 ? "" : buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return c->permissions ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a role");
}

static void take_texts(struct model_row *row, const json_t *body, unsigned name, unsigned description)
{
    const json_t *text = json_object_get(body, "description");

    if (json_object_get(body, "name"))
        model_set_text(row, name, json_string_value(json_object_get(body, "name")));
    if (text)
        model_set_text(row, description, json_is_string(text) ? json_string_value(text) : "");
}

static int create_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct role_change *c = arg;
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_role);

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a role");
    row->id = c->id;
    model_set_text(row, F(role, description), "");
    take_texts(row, c->body, F(role, name), F(role, description));
    model_set_text(row, F(role, permissions), c->permissions ? c->permissions : "");
    model_set_number(row, F(role, builtin), 0);
    return row_insert(tx, row, c->a->now_ms(), &c->note, err);
}

static int load_own(struct store_tx *tx, struct role_change *c, struct model_row **row,
                    struct model_row **before, struct pv_err *err)
{
    int rc = row_load(tx, PV_KIND_role, &c->id, row, before, err);

    if (rc == PV_OK && model_number(*row, F(role, builtin)))
        return pv_fail_as(err, "conflict", "the role %s comes with the server; copy it to change it",
                          model_text(*row, F(role, name)));
    return rc;
}

static int change_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct role_change *c = arg;
    struct model_row *row, *before;
    int rc = load_own(tx, c, &row, &before, err);

    if (rc != PV_OK)
        return rc;
    take_texts(row, c->body, F(role, name), F(role, description));
    if (c->permissions)
        model_set_text(row, F(role, permissions), c->permissions);
    return row_update(tx, row, before, c->a->now_ms(), &c->note, err);
}

static int delete_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct role_change *c = arg;
    struct model_value value = { .set = true, .id = c->id };
    struct model_row *row, *before;
    struct pv_id *ids;
    size_t n = 0;
    int rc = load_own(tx, c, &row, &before, err);

    if (rc == PV_OK)
        rc = tx_find(tx, PV_KIND_grant, F(grant, role), &value, 1, tx_arena(tx), &ids, &n, err);
    if (rc == PV_OK && n > 0)
        return pv_fail_as(err, "conflict", "the role %s is granted; take the grants away first",
                          model_text(row, F(role, name)));
    return rc == PV_OK ? row_delete(tx, row, &c->note, err) : rc;
}

PV_DEFINE_AUTO(arena_free, struct arena *)

static int write_role(struct role_change *c, store_fn fn, struct pv_err *err)
{
    const char *name = json_string_value(json_object_get(c->body, "name"));
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 65536);
    int rc = !a ? pv_fail(err, PV_ENOMEM, "no memory") : name ? user_check_name(name, err) : PV_OK;

    if (rc == PV_OK)
        rc = read_permissions(c, a, err);
    return rc == PV_OK ? store_write(c->a->store, fn, c, err) : rc;
}

int auth_role_create(struct auth *a, const json_t *body, struct pv_id *out, struct pv_err *err)
{
    struct role_change c = { .a = a, .body = body };
    int rc;

    audit_note_take(&c.note, "role.create");
    id_make(&c.id);
    rc = write_role(&c, create_tx, err);
    if (rc == PV_OK)
        *out = c.id;
    return rc;
}

int auth_role_change(struct auth *a, const struct pv_id *role, const json_t *patch, struct pv_err *err)
{
    struct role_change c = { .a = a, .id = *role, .body = patch };

    audit_note_take(&c.note, "role.update");
    return write_role(&c, change_tx, err);
}

int auth_role_delete(struct auth *a, const struct pv_id *role, struct pv_err *err)
{
    struct role_change c = { .a = a, .id = *role };

    audit_note_take(&c.note, "role.delete");
    return store_write(a->store, delete_tx, &c, err);
}
