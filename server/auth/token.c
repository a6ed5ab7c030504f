/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define TOKEN_DAYS 90
#define TOKEN_TEXT 96
#define TOKENS_PER_USER 1000

struct token {
    struct pv_id id, user;
    const char *name;
    enum pv_role role;
    int64_t now_ms, expires_ms;
    char secret_hash[65];
    struct audit_note note;
};

static int few_enough(struct store_tx *tx, const struct token *t, struct pv_err *err)
{
    struct model_value owner = { .set = true, .id = t->user };
    struct pv_id *ids;
    size_t n;
    int rc = tx_find(tx, PV_KIND_token, F(token, user), &owner, TOKENS_PER_USER, tx_arena(tx), &ids,
                     &n, err);

    if (rc == PV_OK && n >= TOKENS_PER_USER)
        return pv_fail_as(err, "limit-exceeded", "a user may have %d tokens", TOKENS_PER_USER);
    return rc;
}

static int insert(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct token *t = arg;
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_token);
    int rc = few_enough(tx, t, err);

    if (rc != PV_OK)
        return rc;
    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a token");
    row->id = t->id;
    model_set_text(row, F(token, name), t->name);
    model_set_ref(row, F(token, user), &t->user);
    model_set_number(row, F(token, role), t->role);
    model_set_text(row, F(token, secret), t->secret_hash);
    model_set_number(row, F(token, expires_at), t->expires_ms);
    model_set_number(row, F(token, created_at), t->now_ms);
    model_set_number(row, F(token, updated_at), t->now_ms);
    model_set_number(row, F(token, version), 1);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK ? audit_note_write(tx, &t->note, "tok", &t->id, err) : rc;
}

int auth_token_create(struct auth *a, const struct pv_id *user, const char *name, enum pv_role role,
                      int64_t expires_ms, struct pv_id *id, char token[96], struct pv_err *err)
{
    struct token t = { .user = *user, .name = name, .role = role, .now_ms = a->now_ms() };
    char secret[AUTH_SECRET_TEXT + 1], text[PV_ID_TEXT];
    uint8_t hash[AUTH_HASH];
    int rc;

    audit_note_take(&t.note, "token.create");
    rc = user_check_name(name, err);
    if (rc != PV_OK)
        return rc;
    t.expires_ms = expires_ms ? expires_ms : t.now_ms + TOKEN_DAYS * 24LL * 60 * 60 * 1000;
    if (t.expires_ms <= t.now_ms) {
        rc = pv_fail(err, PV_EINVAL, "the token would have expired already");
        pv_err_pointer(err, "/expires_at");
        return rc;
    }
    id_make(&t.id);
    keys_secret(secret);
    keys_hash(a, secret, AUTH_SECRET_TEXT, hash);
    str_hex(hash, sizeof(hash), t.secret_hash);
    rc = store_write(a->store, insert, &t, err);
    if (rc == PV_OK) {
        id_text("tok", &t.id, text);
        snprintf(token, TOKEN_TEXT, "pv_%s_%s", text + 4, secret);
        *id = t.id;
    }
    OPENSSL_cleanse(secret, sizeof(secret));
    return rc;
}

static int remove_token(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct token *t = arg;
    int rc = tx_row_delete(tx, PV_KIND_token, &t->id, err);

    return rc == PV_OK ? audit_note_write(tx, &t->note, "tok", &t->id, err) : rc;
}

int auth_token_delete(struct auth *a, const struct pv_id *token, struct pv_err *err)
{
    struct token t = { .id = *token };
    int rc;

    audit_note_take(&t.note, "token.delete");
    rc = store_write(a->store, remove_token, &t, err);
    cache_changed(a);
    return rc;
}
