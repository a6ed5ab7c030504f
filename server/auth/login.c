/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <openssl/crypto.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

PV_DEFINE_AUTO(arena_free, struct arena *)

struct sign_in {
    struct store_login login;
    struct user user;
    char id[PV_ID_TEXT];
    const char *new_hash; /* NULL: the stored password is fine */
    struct audit_entry audit;
};

static int write_user(struct store_tx *tx, const struct sign_in *s, struct pv_err *err)
{
    uint16_t fields[2] = { F(user, last_login_at), F(user, password) };
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_user);

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory");
    row->id = s->user.id;
    model_set_number(row, F(user, last_login_at), s->login.created_ms);
    if (s->new_hash)
        model_set_text(row, F(user, password), s->new_hash);
    return tx_row_update(tx, row, fields, s->new_hash ? 2 : 1, err);
}

static int write_sign_in(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct sign_in *s = arg;
    int rc = write_user(tx, s, err);

    if (rc == PV_OK)
        rc = tx_login_put(tx, &s->login, err);
    return rc == PV_OK ? audit_write(tx, &s->audit, err) : rc;
}

static int refused(struct auth *a, const char *username, const char *address, struct pv_err *err)
{
    struct audit_entry e = { .actor_type = PV_ACTOR_TYPE_EXTERNAL,
                             .actor_id = "",
                             .actor_name = username,
                             .address = address,
                             .action = "auth.login",
                             .subject = "",
                             .request_id = "",
                             .outcome = PV_OUTCOME_DENIED };

    audit_write_later(a, &e, NULL);
    return pv_fail_as(err, "unauthenticated", "user name or password is wrong");
}

/* The password was right: the record names the user. */
static int second_refused(struct auth *a, const struct user *user, const char *address, int rc)
{
    char id[PV_ID_TEXT];
    struct audit_entry e = { .actor_type = PV_ACTOR_TYPE_USER,
                             .actor_id = id,
                             .actor_name = user->name,
                             .address = address,
                             .action = "auth.mfa",
                             .subject = id,
                             .request_id = "",
                             .outcome = PV_OUTCOME_DENIED };

    id_text("usr", &user->id, id);
    audit_write_later(a, &e, NULL);
    return rc;
}

/* One scrypt, whoever is asked for. */
static int check_password(struct auth *a, const char *username, const char *password,
                          struct user *user, bool *right, bool *weak, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(4096, 1u << 20);
    const char *stored = NULL;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = user_find(a, username, user, err);
    if (rc == PV_OK)
        rc =
            store_secret_get(a->store, PV_KIND_user, &user->id, F(user, password), m, &stored, err);
    if (rc != PV_OK && rc != PV_ENOENT)
        return rc;
    if (rc == PV_ENOENT || !user->enabled)
        stored = NULL;
    return password_verify(a, stored, password, right, weak, err);
}

static int make_login(struct auth *a, struct sign_in *s, const char *address, const char *agent,
                      char cookie[44], struct auth_identity *out, struct pv_err *err)
{
    int rc;

    keys_secret(cookie);
    keys_hash(a, cookie, AUTH_SECRET_TEXT, s->login.hash);
    keys_secret(s->login.csrf);
    s->login.user = s->user.id;
    s->login.created_ms = s->login.last_used_ms = a->now_ms();
    s->login.expires_ms = s->login.created_ms + atomic_load(&a->most_ms);
    str_copy(s->login.address, sizeof(s->login.address), address);
    str_copy(s->login.agent, sizeof(s->login.agent), agent ? agent : "");
    id_text("usr", &s->user.id, s->id);
    s->audit = (struct audit_entry){ .actor_type = PV_ACTOR_TYPE_USER,
                                     .actor_id = s->id,
                                     .actor_name = s->user.name,
                                     .address = address,
                                     .action = "auth.login",
                                     .subject = s->id,
                                     .request_id = "",
                                     .outcome = PV_OUTCOME_ALLOWED };
    rc = store_write(a->store, write_sign_in, s, err);
    if (rc != PV_OK)
        return rc;
    *out = (struct auth_identity){ .type = PV_ACTOR_TYPE_USER,
                                   .id = s->user.id,
                                   .user = s->user.id,
                                   .by_cookie = true };
    str_copy(out->name, sizeof(out->name), s->user.name);
    memcpy(out->login_hash, s->login.hash, AUTH_HASH);
    str_copy(out->csrf, sizeof(out->csrf), s->login.csrf);
    str_copy(out->rate_key, sizeof(out->rate_key), s->id);
    return PV_OK;
}

int auth_login(struct auth *a, const char *username, const char *password, const char *code,
               const char *address, const char *agent, char challenge[AUTH_CHALLENGE],
               char cookie[44], struct auth_identity *out, struct pv_err *err)
{
    struct sign_in s = { .new_hash = NULL };
    char hash[AUTH_PASSWORD_TEXT];
    bool right = false, weak = false;
    int rc;

    if (user_check_name(username, NULL) != PV_OK || strlen(password) > 512)
        return refused(a, "", address, err);
    rc = throttle_enter(a, username, address, err);
    if (rc != PV_OK)
        return rc;
    rc = check_password(a, username, password, &s.user, &right, &weak, err);
    if (rc != PV_OK) {
        throttle_take_back(a, username, address);
        return rc;
    }
    if (!right)
        return refused(a, username, address, err);
    if (s.user.mfa && code && *code) {
        /* This attempt is the address's already; asking twice would find it too early. A wrong code leaves it so. */
        rc = mfa_check(a, &s.user, code, NULL, err);
        if (rc != PV_OK) {
            /* A code that came too early was not looked at: no failure of the address. */
            throttle_succeeded(a, username, err && str_eq(err->problem, "rate-limited") ? address : NULL);
            return second_refused(a, &s.user, address, rc);
        }
    }
    throttle_succeeded(a, username, address);
    if (s.user.mfa && (!code || !*code)) {
        mfa_challenge(a, &s.user, challenge);
        return pv_fail_as(err, "mfa-required", "%s signs in with a second factor", s.user.name);
    }
    if (weak && password_hash(a, password, hash, NULL) == PV_OK)
        s.new_hash = hash;
    rc = make_login(a, &s, address, agent, cookie, out, err);
    OPENSSL_cleanse(hash, sizeof(hash));
    return rc;
}

int auth_login_second(struct auth *a, const char *challenge, const char *code, const char *address,
                      const char *agent, char cookie[44], struct auth_identity *out,
                      struct pv_err *err)
{
    struct sign_in s = { .new_hash = NULL };
    int rc = mfa_challenged(a, challenge, &s.user, err);

    if (rc != PV_OK)
        return rc;
    rc = mfa_check(a, &s.user, code, address, err);
    if (rc != PV_OK)
        return second_refused(a, &s.user, address, rc);
    return make_login(a, &s, address, agent, cookie, out, err);
}

struct ending {
    struct pv_id user;
    const uint8_t *but;
    struct store_login *logins;
    size_t n;
};

static int end_logins(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct ending *e = arg;
    int rc = PV_OK;

    for (size_t i = 0; i < e->n && rc == PV_OK; i++)
        if (!e->but || memcmp(e->logins[i].hash, e->but, AUTH_HASH) != 0)
            rc = tx_login_delete(tx, e->logins[i].hash, err);
    return rc;
}

int auth_logout_all(struct auth *a, const struct pv_id *user, const uint8_t *but, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(8192, 16u << 20);
    struct ending e = { .user = *user, .but = but };
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = store_logins_of(a->store, user, m, &e.logins, &e.n, err);
    if (rc == PV_OK)
        rc = store_write(a->store, end_logins, &e, err);
    cache_changed(a);
    return rc;
}

static int end_login(struct store_tx *tx, void *arg, struct pv_err *err)
{
    return tx_login_delete(tx, arg, err);
}

int auth_logout(struct auth *a, const uint8_t login_hash[32], struct pv_err *err)
{
    uint8_t hash[AUTH_HASH];
    int rc;

    memcpy(hash, login_hash, sizeof(hash));
    rc = store_write(a->store, end_login, hash, err);
    cache_changed(a);
    return rc;
}
