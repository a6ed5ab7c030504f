/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <openssl/crypto.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

PV_DEFINE_AUTO(arena_free, struct arena *)

static struct arena *scratch(void)
{
    return arena_new(4096, 4u << 20);
}

static void from_row(const struct model_row *row, struct user *out)
{
    *out = (struct user){ .id = row->id,
                          .role = (enum pv_role)model_number(row, F(user, role)),
                          .enabled = model_number(row, F(user, enabled)) != 0,
                          .mfa = model_number(row, F(user, mfa)) != 0,
                          .access_version = (uint64_t)model_number(row, F(user, access_version)) };
    str_copy(out->name, sizeof(out->name), model_text(row, F(user, name)));
}

int user_get(struct auth *a, const struct pv_id *id, struct user *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = scratch();
    const struct model_shape *shape;
    struct model_row *row;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = model_shape_make(model_kind(PV_KIND_user), NULL, MODEL_VIEW_SUMMARY, m, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(a->store, shape, id, m, &row, err);
    if (rc == PV_OK)
        from_row(row, out);
    return rc;
}

int user_find(struct auth *a, const char *name, struct user *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = scratch();
    struct model_value value = { .set = true, .text = name, .len = strlen(name) };
    struct pv_id *ids;
    size_t n = 0;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = store_find(a->store, PV_KIND_user, F(user, name), &value, 1, m, &ids, &n, err);
    if (rc == PV_OK && n == 0)
        return pv_fail(err, PV_ENOENT, "there is no user %s", name);
    return rc == PV_OK ? user_get(a, &ids[0], out, err) : rc;
}

int user_check_name(const char *name, struct pv_err *err)
{
    size_t len = strlen(name);
    int rc;

    if (len >= 1 && len <= 128 && str_utf8_ok(name, len, false) && !strpbrk(name, "\t\n") &&
        name[0] != ' ' && name[len - 1] != ' ')
        return PV_OK;
    rc = pv_fail(err, PV_EINVAL,
                 "a name has 1 to 128 bytes, no control characters and no spaces around it");
    pv_err_pointer(err, "/name");
    return rc;
}

int user_count_admins(struct store_tx *tx, const struct pv_id *except, size_t *out,
                      struct pv_err *err)
{
    struct model_value admin = { .set = true, .number = PV_ROLE_ADMIN };
    struct model_row **rows;
    struct pv_id *ids;
    size_t n;
    int rc = tx_find(tx, PV_KIND_user, F(user, role), &admin, 1000, tx_arena(tx), &ids, &n, err);

    if (rc != PV_OK)
        return rc;
    rows = arena_alloc(tx_arena(tx), n * sizeof(*rows));
    if (!rows)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = n ? tx_rows_get(tx, PV_KIND_user, ids, n, false, tx_arena(tx), rows, err) : PV_OK;
    if (rc != PV_OK)
        return rc;
    *out = 0;
    for (size_t i = 0; i < n; i++)
        *out += rows[i] && model_number(rows[i], F(user, enabled)) &&
                !(except && id_eq(&ids[i], except));
    return PV_OK;
}

static int name_free(struct store_tx *tx, const char *name, struct pv_err *err)
{
    struct model_value value = { .set = true, .text = name, .len = strlen(name) };
    struct pv_id *ids;
    size_t n = 0;
    int rc = tx_find(tx, PV_KIND_user, F(user, name), &value, 1, tx_arena(tx), &ids, &n, err);

    if (rc != PV_OK || n == 0)
        return rc;
    rc = pv_fail(err, PV_EEXIST, "there is a user %s already", name);
    pv_err_pointer(err, "/name");
    return rc;
}

int user_insert(struct store_tx *tx, const struct user *u, const char *full_name,
                const char *password_hash, int64_t now_ms, struct audit_note *note,
                struct pv_err *err)
{
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_user);
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a user");
    rc = name_free(tx, u->name, err);
    if (rc != PV_OK)
        return rc;
    row->id = u->id;
    model_set_text(row, F(user, name), u->name);
    model_set_text(row, F(user, full_name), full_name ? full_name : "");
    model_set_number(row, F(user, role), PV_ROLE_NONE);
    model_set_number(row, F(user, enabled), u->enabled);
    model_set_text(row, F(user, password), password_hash);
    model_set_text(row, F(user, preferences), "{}");
    model_set_number(row, F(user, access_version), 1);
    rc = row_insert(tx, row, now_ms, note, err);
    return rc == PV_OK && u->role != PV_ROLE_NONE
               ? user_role_grant(tx, &u->id, u->role, now_ms, err)
               : rc;
}

/* Of the direct grants on everything, for good: `admin` if it is among them. */
static int role_in_short(struct store_tx *tx, const struct pv_id *user, enum pv_role *out,
                         struct pv_err *err)
{
    struct model_value value = { .set = true, .id = *user };
    struct model_row **rows;
    struct pv_id *ids;
    size_t n = 0;
    int rc = tx_find(tx, PV_KIND_grant, F(grant, user), &value, 512, tx_arena(tx), &ids, &n, err);

    *out = PV_ROLE_NONE;
    if (rc != PV_OK || n == 0)
        return rc;
    rows = arena_alloc(tx_arena(tx), n * sizeof(*rows));
    if (!rows)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = tx_rows_get(tx, PV_KIND_grant, ids, n, false, tx_arena(tx), rows, err);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        enum pv_role role;

        if (!rows[i] || model_number(rows[i], F(grant, scope_type)) != PV_ACCESS_SCOPE_EVERYTHING ||
            model_get(rows[i], F(grant, expires_at))->set)
            continue;
        role = role_of_id(&model_get(rows[i], F(grant, role))->id);
        if (role != PV_ROLE_NONE && *out != PV_ROLE_ADMIN)
            *out = role;
    }
    return rc;
}

/* There must be somebody left who can let others in. */
static int keep_an_admin(struct store_tx *tx, const struct model_row *row, bool will_be,
                         struct pv_err *err)
{
    size_t others = 0;
    int rc;

    if (will_be || model_number(row, F(user, role)) != PV_ROLE_ADMIN ||
        !model_number(row, F(user, enabled)))
        return PV_OK;
    rc = user_count_admins(tx, &row->id, &others, err);
    if (rc == PV_OK && others == 0)
        return pv_fail(err, PV_ESTATE, "%s is the last administrator",
                       model_text(row, F(user, name)));
    return rc;
}

int user_role_refresh(struct store_tx *tx, const struct pv_id *user, struct pv_err *err)
{
    struct model_row *row, *before;
    enum pv_role role;
    int rc = row_load(tx, PV_KIND_user, user, &row, &before, err);

    if (rc == PV_OK)
        rc = role_in_short(tx, user, &role, err);
    if (rc == PV_OK)
        rc = keep_an_admin(tx, row, role == PV_ROLE_ADMIN, err);
    if (rc != PV_OK || model_number(row, F(user, role)) == role)
        return rc;
    model_set_number(row, F(user, role), role);
    model_set_number(row, F(user, access_version), model_number(row, F(user, access_version)) + 1);
    return row_update(tx, row, before, clock_wall_ms(), NULL, err);
}

static int role_grants_delete(struct store_tx *tx, const struct pv_id *user, struct pv_err *err)
{
    struct model_value value = { .set = true, .id = *user };
    struct pv_id *ids;
    size_t n = 0;
    int rc = tx_find(tx, PV_KIND_grant, F(grant, user), &value, 512, tx_arena(tx), &ids, &n, err);

    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        struct model_row *row, *before;

        rc = row_load(tx, PV_KIND_grant, &ids[i], &row, &before, err);
        if (rc == PV_OK && model_number(row, F(grant, scope_type)) == PV_ACCESS_SCOPE_EVERYTHING)
            rc = tx_row_delete(tx, PV_KIND_grant, &ids[i], err);
    }
    return rc;
}

int user_role_grant(struct store_tx *tx, const struct pv_id *user, enum pv_role role,
                    int64_t now_ms, struct pv_err *err)
{
    int rc = role_grants_delete(tx, user, err);

    if (rc == PV_OK && role != PV_ROLE_NONE) {
        struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_grant);
        struct pv_id id;

        if (!row)
            return pv_fail(err, PV_ENOMEM, "no memory for a grant");
        role_id(role, &id);
        model_set_ref(row, F(grant, user), user);
        model_set_ref(row, F(grant, role), &id);
        model_set_number(row, F(grant, scope_type), PV_ACCESS_SCOPE_EVERYTHING);
        rc = grant_insert(tx, row, now_ms, err);
    }
    return rc == PV_OK ? user_role_refresh(tx, user, err) : rc;
}

struct change {
    struct auth *a;
    struct user user; /* create: all; else id */
    const char *full_name, *password_hash;
    int role;          /* -1: as it is */
    int enabled;       /* -1: as it is */
    int64_t now_ms;
    struct audit_note note;
};

static int create(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct change *c = arg;

    return user_insert(tx, &c->user, c->full_name, c->password_hash, c->now_ms, &c->note, err);
}

int auth_user_create(struct auth *a, const char *name, const char *full_name, const char *password,
                     enum pv_role role, struct pv_id *out, struct pv_err *err)
{
    struct change c = { .a = a, .full_name = full_name, .now_ms = a->now_ms() };
    char hash[AUTH_PASSWORD_TEXT];
    int rc;

    audit_note_take(&c.note, "user.create");
    rc = user_check_name(name, err);
    if (rc == PV_OK)
        rc = password_acceptable(password, err);
    if (rc == PV_OK)
        rc = password_hash(a, password, hash, err);
    if (rc != PV_OK)
        return rc;
    id_make(&c.user.id);
    str_copy(c.user.name, sizeof(c.user.name), name);
    c.user.role = role;
    c.user.enabled = true;
    c.password_hash = hash;
    rc = store_write(a->store, create, &c, err);
    OPENSSL_cleanse(hash, sizeof(hash));
    if (rc == PV_OK)
        *out = c.user.id;
    return rc;
}

static int update(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct change *c = arg;
    struct model_row *row, *before;
    bool rights = c->password_hash || c->role >= 0 || c->enabled >= 0;
    int rc = row_load(tx, PV_KIND_user, &c->user.id, &row, &before, err);

    if (rc == PV_OK && c->enabled == 0)
        rc = keep_an_admin(tx, row, false, err);
    if (rc != PV_OK)
        return rc;
    if (c->full_name)
        model_set_text(row, F(user, full_name), c->full_name);
    if (c->enabled >= 0)
        model_set_number(row, F(user, enabled), c->enabled);
    if (c->password_hash)
        model_set_text(row, F(user, password), c->password_hash);
    if (rights) {
        model_set_number(row, F(user, access_version),
                         model_number(row, F(user, access_version)) + 1);
        rc = tx_logins_delete_of(tx, &row->id, err);
    }
    if (rc == PV_OK && c->role >= 0) {
        rc = user_role_grant(tx, &row->id, (enum pv_role)c->role, c->now_ms, err);
        /* It is written already; said here for the record of what changed. */
        model_set_number(row, F(user, role), c->role);
    }
    return rc == PV_OK ? row_update(tx, row, before, c->now_ms, &c->note, err) : rc;
}

static int change_user(struct auth *a, struct change *c, const char *password, struct pv_err *err)
{
    char hash[AUTH_PASSWORD_TEXT];
    int rc = password ? password_acceptable(password, err) : PV_OK;

    if (rc == PV_OK && password)
        rc = password_hash(a, password, hash, err);
    if (rc != PV_OK)
        return rc;
    c->password_hash = password ? hash : NULL;
    c->now_ms = a->now_ms();
    rc = store_write(a->store, update, c, err);
    OPENSSL_cleanse(hash, sizeof(hash));
    cache_changed(a);
    return rc;
}

int auth_user_change(struct auth *a, const struct pv_id *user, const char *full_name,
                     const char *password, int role, int enabled, struct pv_err *err)
{
    struct change c = {
        .a = a, .user = { .id = *user }, .full_name = full_name, .role = role, .enabled = enabled
    };

    audit_note_take(&c.note, "user.update");
    return change_user(a, &c, password, err);
}

int password_right(struct auth *a, const struct pv_id *user, const char *password,
                   const char *address, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = scratch();
    bool right = false, weak;
    const char *stored;
    struct user u;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = user_get(a, user, &u, err);
    if (rc == PV_OK)
        rc = store_secret_get(a->store, PV_KIND_user, user, F(user, password), m, &stored, err);
    if (rc == PV_OK)
        rc = throttle_enter(a, u.name, address, err);
    if (rc != PV_OK)
        return rc;
    rc = password_verify(a, stored, password, &right, &weak, err);
    if (rc != PV_OK) {
        throttle_take_back(a, u.name, address);
        return rc;
    }
    if (!right) {
        rc = pv_fail(err, PV_EINVAL, "the present password is another one");
        pv_err_pointer(err, "/password");
        return rc;
    }
    throttle_succeeded(a, u.name, address);
    return PV_OK;
}

int auth_password_change(struct auth *a, const struct pv_id *user, const char *old_password,
                         const char *new_password, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = scratch();
    struct change c = { .a = a, .user = { .id = *user }, .role = -1, .enabled = -1 };
    bool right = false, weak;
    const char *stored;
    int rc;

    audit_note_take(&c.note, "user.password");
    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = store_secret_get(a->store, PV_KIND_user, user, F(user, password), m, &stored, err);
    if (rc == PV_OK)
        rc = password_verify(a, stored, old_password, &right, &weak, err);
    if (rc != PV_OK)
        return rc;
    if (!right) {
        rc = pv_fail(err, PV_EINVAL, "the present password is another one");
        pv_err_pointer(err, "/old_password");
        return rc;
    }
    return change_user(a, &c, new_password, err);
}

/* With the user go the logins and tokens. */
static int delete_tokens(struct store_tx *tx, const struct pv_id *user, struct pv_err *err)
{
    struct model_value owner = { .set = true, .id = *user };
    struct pv_id *ids;
    size_t n;
    int rc;

    do {
        rc = tx_find(tx, PV_KIND_token, F(token, user), &owner, 500, tx_arena(tx), &ids, &n, err);
        for (size_t i = 0; rc == PV_OK && i < n; i++) {
            rc = grants_delete_of(tx, F(grant, token), &ids[i], err);
            if (rc == PV_OK)
                rc = tx_row_delete(tx, PV_KIND_token, &ids[i], err);
        }
    } while (rc == PV_OK && n == 500);
    return rc;
}

static int delete (struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct change *c = arg;
    struct model_row *row, *before;
    int rc = row_load(tx, PV_KIND_user, &c->user.id, &row, &before, err);

    if (rc == PV_OK)
        rc = keep_an_admin(tx, row, false, err);
    if (rc == PV_OK)
        rc = delete_tokens(tx, &c->user.id, err);
    if (rc == PV_OK)
        rc = grants_delete_of(tx, F(grant, user), &c->user.id, err);
    if (rc == PV_OK)
        rc = tx_logins_delete_of(tx, &c->user.id, err);
    return rc == PV_OK ? row_delete(tx, row, &c->note, err) : rc;
}

int auth_user_delete(struct auth *a, const struct pv_id *user, struct pv_err *err)
{
    struct change c = { .a = a, .user = { .id = *user }, .role = -1, .enabled = -1 };
    int rc;

    audit_note_take(&c.note, "user.delete");
    rc = store_write(a->store, delete, &c, err);
    cache_changed(a);
    return rc;
}
