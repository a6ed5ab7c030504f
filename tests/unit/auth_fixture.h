/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_fixture - a store and an auth in a folder of their own, with a clock that stands still and
 * cheap passwords.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/store.h"
#include "server/auth/inside.h"

#define GOOD_PASSWORD "a long enough password"
#define CHEAP 10 /* scrypt with N = 2^10 */

static struct store *store;
static struct auth *auth;
static char folder[64], key_path[128], db_path[128];
static int64_t test_now = 1760000000000;
static struct pv_err err;

static inline int64_t test_clock(void)
{
    return test_now;
}

static inline void auth_open_again(void)
{
    struct auth_config config = { .store = store, .key_path = key_path };

    cr_assert_eq(auth_start(&config, &auth, &err), PV_OK, "%s", err.message);
    auth->cost = CHEAP;
    auth->now_ms = test_clock;
}

static inline void fixture_start(void)
{
    struct store_config config = { .path = db_path, .group_ms = 1 };

    str_copy(folder, sizeof(folder), "/tmp/auth_test_XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(db_path, sizeof(db_path), "%s/db", folder);
    snprintf(key_path, sizeof(key_path), "%s/key", folder);
    cr_assert_eq(store_open(&config, &store, &err), PV_OK, "%s", err.message);
    auth_open_again();
}

static inline void fixture_stop(void)
{
    char path[160];

    auth_stop(auth);
    store_close(store);
    unlink(db_path);
    unlink(key_path);
    snprintf(path, sizeof(path), "%s-wal", db_path);
    unlink(path);
    snprintf(path, sizeof(path), "%s-shm", db_path);
    unlink(path);
    rmdir(folder);
}

/* Permissions that a role has, and that a caller has somewhere. */
static inline uint64_t role_bits(enum pv_role role)
{
    uint64_t bits = 0;

    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (model_role_may(role, p))
            bits |= UINT64_C(1) << p;
    return bits;
}

static inline uint64_t bits_of(const struct auth_identity *caller)
{
    struct access *access;
    uint64_t bits;

    cr_assert_eq(access_get(auth, caller, &access, &err), PV_OK, "%s", err.message);
    bits = access_permissions(access);
    access_put(access);
    return bits;
}

static inline struct pv_id make_user(const char *name, enum pv_role role)
{
    struct pv_id id;

    cr_assert_eq(auth_user_create(auth, name, "Somebody", GOOD_PASSWORD, role, &id, &err), PV_OK,
                 "%s", err.message);
    return id;
}

static inline bool problem_is(const char *code)
{
    return strcmp(pv_err_problem(&err)->code, code) == 0;
}
