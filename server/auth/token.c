/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define TOKEN_DAYS 90
#define TOKEN_TEXT 96
#define TOKENS_PER_USER 1000

PV_DEFINE_AUTO(arena_free, struct arena *)

struct token {
    struct pv_id id;
    const struct auth_token_wish *want;
    enum pv_role role;             /* in short */
    const struct model_row *grant; /* NULL: it may what its owner may */
    const char *networks;
    int64_t now_ms, expires_ms;
    char secret_hash[65];
    struct audit_note note;
};

static int few_enough(struct store_tx *tx, const struct token *t, struct pv_err *err)
{
    struct model_value owner = { .set = true, .id = t->want->user };
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
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_token), *grant;
    int rc = few_enough(tx, t, err);

    if (rc != PV_OK)
        return rc;
    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a token");
    row->id = t->id;
    model_set_text(row, F(token, name), t->want->name);
    model_set_ref(row, F(token, user), &t->want->user);
    model_set_number(row, F(token, role), t->role);
    model_set_number(row, F(token, limited), t->grant != NULL);
    model_set_text(row, F(token, networks), t->networks);
    model_set_text(row, F(token, secret), t->secret_hash);
    model_set_number(row, F(token, expires_at), t->expires_ms);
    rc = row_insert(tx, row, t->now_ms, &t->note, err);
    if (rc != PV_OK || !t->grant)
        return rc;
    grant = model_row_new(tx_arena(tx), PV_KIND_grant);
    if (!grant)
        return pv_fail(err, PV_ENOMEM, "no memory for a token");
    memcpy(grant->values, t->grant->values, grant->kind->nfields * sizeof(*grant->values));
    model_set_ref(grant, F(grant, token), &t->id);
    return grant_insert(tx, grant, t->now_ms, err);
}

/* What narrows the owner's rights, as a grant of the token's own; NULL: nothing does. */
static int read_limits(struct auth *a, const struct auth_token_wish *want, struct token *t, struct arena *m,
                       struct pv_err *err)
{
    struct model_row *row = model_row_new(m, PV_KIND_grant);
    struct pv_id role;
    int rc = PV_OK;

    if (!want->role && !want->scope)
        return PV_OK;
    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a token");
    model_set_number(row, F(grant, scope_type), PV_ACCESS_SCOPE_EVERYTHING);
    if (want->scope)
        rc = auth_scope_take(a, row, want->scope, err);
    if (rc == PV_OK && want->role)
        rc = row_find(a->store, PV_KIND_role, want->role, "/role", &role, err);
    else
        role_id(PV_ROLE_ADMIN, &role); /* all that the owner may, there */
    if (rc != PV_OK)
        return rc;
    model_set_ref(row, F(grant, role), &role);
    if (want->role && model_number(row, F(grant, scope_type)) == PV_ACCESS_SCOPE_EVERYTHING)
        t->role = role_of_id(&role);
    t->grant = row;
    return PV_OK;
}

/* JSON list of networks -> list of the model. */
static int read_networks(const json_t *list, struct token *t, struct arena *m, struct pv_err *err)
{
    struct buf text;

    t->networks = "";
    if (json_array_size(list) == 0)
        return PV_OK;
    buf_init(&text, 4096);
    buf_text(&text, "\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *network = json_string_value(json_array_get(list, i));

        if (!network || !network_valid(network) || i >= 16) {
            buf_free(&text);
            pv_fail_as(err, "validation-failed", "up to 16 networks as 192.0.2.0/24, 2001:db8::/32, or an address");
            pv_err_pointer(err, "/networks/%zu", i);
            return PV_EINVAL;
        }
        buf_printf(&text, "%s\n", network);
    }
    t->networks = buf_ok(&text) ? arena_text(m, text.data, text.len) : NULL;
    buf_free(&text);
    return t->networks ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a token");
}

int auth_token_create(struct auth *a, const struct auth_token_wish *want, struct pv_id *id, char token[96],
                      struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(8192, 1u << 20);
    struct token t = { .want = want, .now_ms = a->now_ms() };
    char secret[AUTH_SECRET_TEXT + 1], text[PV_ID_TEXT];
    uint8_t hash[AUTH_HASH];
    int rc;

    audit_note_take(&t.note, "token.create");
    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory for a token");
    rc = user_check_name(want->name, err);
    if (rc == PV_OK)
        rc = read_limits(a, want, &t, m, err);
    if (rc == PV_OK)
        rc = read_networks(want->networks, &t, m, err);
    if (rc != PV_OK)
        return rc;
    t.expires_ms = want->expires_ms ? want->expires_ms : t.now_ms + TOKEN_DAYS * 24LL * 60 * 60 * 1000;
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

int token_facts(struct auth *a, const struct pv_id *token, struct token_facts *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(8192, 1u << 20);
    const struct model_shape *shape;
    struct model_row *row;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory for a token");
    rc = model_shape_make(model_kind(PV_KIND_token), NULL, MODEL_VIEW_FULL, m, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(a->store, shape, token, m, &row, err);
    if (rc == PV_OK)
        *out = (struct token_facts){ .user = model_get(row, F(token, user))->id,
                                     .limited = model_number(row, F(token, limited)) != 0,
                                     .expires_ms = model_number(row, F(token, expires_at)) };
    return rc;
}

static int remove_token(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct token *t = arg;
    struct model_row *row, *before;
    int rc = row_load(tx, PV_KIND_token, &t->id, &row, &before, err);

    if (rc == PV_OK)
        rc = grants_delete_of(tx, F(grant, token), &t->id, err);
    return rc == PV_OK ? row_delete(tx, row, &t->note, err) : rc;
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
