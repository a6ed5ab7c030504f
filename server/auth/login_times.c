/* SPDX-License-Identifier: Apache-2.0 */
/* How long a login of the browser lasts: a setting. */
#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define IDLE "login.idle_ms"
#define MOST "login.most_ms"
#define LEAST_MS 60000LL
#define LONGEST_MS (30LL * 24 * 60 * 60 * 1000)

PV_DEFINE_AUTO(arena_free, struct arena *)

static int read_one(struct auth *a, const char *key, int64_t otherwise, int64_t *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(1024, 65536);
    const char *text = NULL;
    uint64_t v;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory for settings");
    rc = store_setting_get(a->store, key, m, &text, err);
    if (rc != PV_OK && rc != PV_ENOENT)
        return rc;
    *out = text && str_u64(text, strlen(text), (uint64_t)LONGEST_MS, &v) && v >= (uint64_t)LEAST_MS ? (int64_t)v
                                                                                                   : otherwise;
    return PV_OK;
}

int login_times_open(struct auth *a, struct pv_err *err)
{
    int64_t idle = LOGIN_IDLE_MS, most = LOGIN_MOST_MS;
    int rc = read_one(a, IDLE, LOGIN_IDLE_MS, &idle, err);

    if (rc == PV_OK)
        rc = read_one(a, MOST, LOGIN_MOST_MS, &most, err);
    atomic_store(&a->idle_ms, idle);
    atomic_store(&a->most_ms, most);
    return rc;
}

static int put(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const int64_t *times = arg;
    char text[24];
    int rc;

    snprintf(text, sizeof(text), "%lld", (long long)times[0]);
    rc = tx_setting_put(tx, IDLE, text, err);
    snprintf(text, sizeof(text), "%lld", (long long)times[1]);
    return rc == PV_OK ? tx_setting_put(tx, MOST, text, err) : rc;
}

int auth_login_times(struct auth *a, int64_t idle_ms, int64_t most_ms, struct pv_err *err)
{
    int64_t times[2];
    int rc;

    auth_login_times_get(a, &times[0], &times[1]);
    if (idle_ms)
        times[0] = idle_ms;
    if (most_ms)
        times[1] = most_ms;
    if (times[0] < LEAST_MS || times[0] > LONGEST_MS || times[1] < LEAST_MS || times[1] > LONGEST_MS)
        return pv_fail(err, PV_EINVAL, "a sign-in may rest and last for a minute to 30 days");
    rc = store_write(a->store, put, times, err);
    if (rc != PV_OK)
        return rc;
    atomic_store(&a->idle_ms, times[0]);
    atomic_store(&a->most_ms, times[1]);
    return PV_OK;
}

void auth_login_times_get(struct auth *a, int64_t *idle_ms, int64_t *most_ms)
{
    *idle_ms = atomic_load(&a->idle_ms);
    *most_ms = atomic_load(&a->most_ms);
}
