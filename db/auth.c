/* SPDX-License-Identifier: Apache-2.0 */
/* Logins, failed sign-ins, answered requests. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/store_priv.h"

#define DAY_MS (24 * 3600 * 1000LL)

int tx_login_put(struct store_tx *tx, const struct store_login *login, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "login_put", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_blob(st, 1, login->hash, sizeof(login->hash));
    stmt_id(st, 2, &login->user);
    stmt_int(st, 3, login->created_ms);
    stmt_int(st, 4, login->last_used_ms);
    stmt_int(st, 5, login->expires_ms);
    stmt_str(st, 6, login->csrf);
    stmt_str(st, 7, login->address);
    stmt_str(st, 8, login->agent);
    return stmt_run(st, err);
}

int tx_login_used(struct store_tx *tx, const uint8_t hash[32], int64_t last_used_ms,
                  struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "login_used", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_blob(st, 1, hash, 32);
    stmt_int(st, 2, last_used_ms);
    return stmt_run(st, err);
}

int tx_login_delete(struct store_tx *tx, const uint8_t hash[32], struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "login_delete", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_blob(st, 1, hash, 32);
    return stmt_run(st, err);
}

int tx_logins_delete_of(struct store_tx *tx, const struct pv_id *user, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "logins_delete_of", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_id(st, 1, user);
    return stmt_run(st, err);
}

static void read_login(struct stmt *st, struct store_login *out)
{
    const void *hash;
    size_t len;

    memset(out, 0, sizeof(*out));
    hash = col_blob(st, 0, &len);
    if (len == sizeof(out->hash))
        memcpy(out->hash, hash, len);
    col_id(st, 1, &out->user);
    out->created_ms = col_int(st, 2);
    out->last_used_ms = col_int(st, 3);
    out->expires_ms = col_int(st, 4);
    str_copy(out->csrf, sizeof(out->csrf), col_text(st, 5, NULL));
    str_copy(out->address, sizeof(out->address), col_text(st, 6, NULL));
    str_copy(out->agent, sizeof(out->agent), col_text(st, 7, NULL));
}

int store_login_get(struct store *s, const uint8_t hash[32], struct store_login *out,
                    struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct conn *c;
    bool row = false;
    int rc = store_reader(s, &c, err);

    if (rc == PV_OK)
        rc = store_named(s, c, "login_get", &st, err);
    if (rc != PV_OK)
        return rc;
    stmt_blob(st, 1, hash, 32);
    rc = stmt_step(st, &row, err);
    if (rc == PV_OK && !row)
        return pv_fail(err, PV_ENOENT, "there is no such login");
    if (rc == PV_OK)
        read_login(st, out);
    return rc;
}

int store_logins_of(struct store *s, const struct pv_id *user, struct arena *a,
                    struct store_login **out, size_t *n, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct store_login *list = NULL;
    size_t count = 0, cap = 0;
    struct conn *c;
    bool row = true;
    int rc = store_reader(s, &c, err);

    if (rc == PV_OK)
        rc = store_named(s, c, "logins_of", &st, err);
    if (rc != PV_OK)
        return rc;
    stmt_id(st, 1, user);
    while ((rc = stmt_step(st, &row, err)) == PV_OK && row) {
        if (count == cap) {
            struct store_login *more = arena_alloc(a, (cap ? cap * 2 : 4) * sizeof(*more));

            if (!more)
                return pv_fail(err, PV_ENOMEM, "no memory for logins");
            if (count)
                memcpy(more, list, count * sizeof(*more));
            cap = cap ? cap * 2 : 4;
            list = more;
        }
        read_login(st, &list[count++]);
    }
    if (rc == PV_OK) {
        *out = list;
        *n = count;
    }
    return rc;
}

int tx_throttle_put(struct store_tx *tx, const char *key, uint32_t failures, int64_t last_ms,
                    struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc =
        store_named(tx->store, tx->conn, failures ? "throttle_put" : "throttle_delete", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_str(st, 1, key);
    if (failures) {
        stmt_int(st, 2, failures);
        stmt_int(st, 3, last_ms);
    }
    return stmt_run(st, err);
}

int store_throttle_get(struct store *s, const char *key, uint32_t *failures, int64_t *last_ms,
                       struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct conn *c;
    bool row = false;
    int rc = store_reader(s, &c, err);

    if (rc == PV_OK)
        rc = store_named(s, c, "throttle_get", &st, err);
    if (rc != PV_OK)
        return rc;
    stmt_str(st, 1, key);
    rc = stmt_step(st, &row, err);
    if (rc == PV_OK) {
        *failures = row ? (uint32_t)col_int(st, 0) : 0;
        *last_ms = row ? col_int(st, 1) : 0;
    }
    return rc;
}

int tx_idempotency_put(struct store_tx *tx, const struct store_idempotency *r, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "idempotency_put", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_id(st, 1, &r->principal);
    stmt_str(st, 2, r->key);
    stmt_blob(st, 3, r->request_hash, sizeof(r->request_hash));
    stmt_int(st, 4, r->status);
    stmt_str(st, 5, r->headers ? r->headers : "");
    stmt_str(st, 6, r->body ? r->body : "");
    stmt_int(st, 7, r->created_ms);
    return stmt_run(st, err);
}

int tx_idempotency_get(struct store_tx *tx, const struct pv_id *principal, const char *key,
                       struct arena *a, struct store_idempotency *out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    const void *hash;
    bool row = false;
    size_t len;
    int rc = store_named(tx->store, tx->conn, "idempotency_get", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_id(st, 1, principal);
    stmt_str(st, 2, key);
    stmt_int(st, 3, clock_wall_ms() - DAY_MS);
    rc = stmt_step(st, &row, err);
    if (rc == PV_OK && !row)
        return pv_fail(err, PV_ENOENT, "the key was not seen yet");
    if (rc != PV_OK)
        return rc;
    memset(out, 0, sizeof(*out));
    out->principal = *principal;
    str_copy(out->key, sizeof(out->key), key);
    hash = col_blob(st, 0, &len);
    if (len == sizeof(out->request_hash))
        memcpy(out->request_hash, hash, len);
    out->status = (int)col_int(st, 1);
    out->created_ms = col_int(st, 4);
    if (!col_strdup(st, 2, a, &out->headers, NULL) || !col_strdup(st, 3, a, &out->body, NULL))
        return pv_fail(err, PV_ENOMEM, "no memory for an answer");
    return PV_OK;
}
