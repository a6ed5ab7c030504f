/* SPDX-License-Identifier: Apache-2.0 */
/* Counters, settings, and when providers were confirmed. */
#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/store_priv.h"

int tx_counter_next(struct store_tx *tx, const char *name, uint64_t *out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = false;
    int rc = store_named(tx->store, tx->conn, "counter_next", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_str(st, 1, name);
    rc = stmt_step(st, &row, err);
    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_EINTERNAL, "the counter %s has no value", name);
    if (rc == PV_OK)
        *out = (uint64_t)col_int(st, 0);
    return rc;
}

int tx_setting_put(struct store_tx *tx, const char *key, const char *value, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, value ? "setting_put" : "setting_delete", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_str(st, 1, key);
    if (value)
        stmt_str(st, 2, value);
    return stmt_run(st, err);
}

static int setting_get(struct store *s, struct conn *c, const char *key, struct arena *a,
                       const char **out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = false;
    int rc = store_named(s, c, "setting_get", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_str(st, 1, key);
    rc = stmt_step(st, &row, err);
    if (rc == PV_OK && !row)
        return pv_fail(err, PV_ENOENT, "the setting %s is not set", key);
    if (rc == PV_OK && !col_strdup(st, 0, a, out, NULL))
        rc = pv_fail(err, PV_ENOMEM, "no memory for a setting");
    return rc;
}

int tx_setting_get(struct store_tx *tx, const char *key, struct arena *a, const char **out,
                   struct pv_err *err)
{
    return setting_get(tx->store, tx->conn, key, a, out, err);
}

int store_setting_get(struct store *s, const char *key, struct arena *a, const char **out,
                      struct pv_err *err)
{
    struct conn *c;
    int rc = store_reader(s, &c, err);

    return rc == PV_OK ? setting_get(s, c, key, a, out, err) : rc;
}

int tx_confirmed_put(struct store_tx *tx, const struct pv_id *provider, int64_t ms,
                     struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "confirmed_put", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_id(st, 1, provider);
    stmt_int(st, 2, ms);
    return stmt_run(st, err);
}
