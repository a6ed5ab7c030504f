/* SPDX-License-Identifier: Apache-2.0 */
/* Many identify themselves while rights change, people sign in and out and tokens come and go.
 * Meant for TSan. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "server/auth/inside.h"

#define READERS 4
#define PASSWORD "a long enough password"

static struct auth *auth;
static struct store *store;
static struct pv_id user;
static char header[128];
static atomic_bool ending;
static atomic_int identified, changed, signed_in;

static void must(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "failed: %s\n", what);
    exit(1);
}

static void *identify(void *arg)
{
    struct auth_identity who;
    struct access *access;
    struct auth_quota quota;

    (void)arg;
    while (!atomic_load(&ending)) {
        struct pv_err err = { 0 };

        must(auth_identify(auth, header, NULL, "::1", &who, &err) == PV_OK, err.message);
        must(access_get(auth, &who, &access, &err) == PV_OK, err.message);
        must(access_everywhere(access, PERM_VM_READ), "what both roles may");
        access_put(access);
        auth_rate(auth, &who, false, &quota, &err);
        atomic_fetch_add(&identified, 1);
    }
    return NULL;
}

static void *change(void *arg)
{
    (void)arg;
    for (int i = 0; !atomic_load(&ending); i++) {
        int role = i % 2 ? PV_ROLE_VIEWER : PV_ROLE_OPERATOR;
        struct pv_err err = { 0 };
        struct auth_identity who;
        struct access *access;

        must(auth_user_change(auth, &user, NULL, NULL, role, -1, &err) == PV_OK, err.message);
        must(auth_identify(auth, header, NULL, "::1", &who, &err) == PV_OK, err.message);
        must(access_get(auth, &who, &access, &err) == PV_OK, err.message);
        must(access_everywhere(access, PERM_VM_POWER) == (role == PV_ROLE_OPERATOR),
             "a change counts at once");
        access_put(access);
        atomic_fetch_add(&changed, 1);
    }
    return NULL;
}

static void *sign_in(void *arg)
{
    (void)arg;
    while (!atomic_load(&ending)) {
        struct pv_err err = { 0 };
        struct auth_identity who, seen;
        char cookie[44];

        must(auth_login(auth, "bob", PASSWORD, NULL, "10.0.0.1", "", NULL, cookie, &who, &err) == PV_OK,
             err.message);
        must(auth_identify(auth, NULL, cookie, "::1", &seen, &err) == PV_OK, err.message);
        must(auth_logout(auth, who.login_hash, &err) == PV_OK, err.message);
        must(auth_identify(auth, NULL, cookie, "::1", &seen, &err) != PV_OK, "signed out means out");
        atomic_fetch_add(&signed_in, 1);
    }
    return NULL;
}

int main(void)
{
    char folder[] = "/tmp/auth_stress_XXXXXX", db[64], key[64], token[96], extra[80];
    pthread_t threads[READERS + 2];
    struct pv_err err = { 0 };
    struct pv_id id;

    must(mkdtemp(folder), "folder");
    snprintf(db, sizeof(db), "%s/db", folder);
    snprintf(key, sizeof(key), "%s/key", folder);
    must(store_open(&(struct store_config){ .path = db, .group_ms = 1 }, &store, &err) == PV_OK,
         err.message);
    must(auth_start(
             &(struct auth_config){
                 .store = store, .key_path = key, .rate_per_s = 50, .rate_burst = 200 },
             &auth, &err) == PV_OK,
         err.message);
    auth->cost = 10;
    must(auth_user_create(auth, "ann", "", PASSWORD, PV_ROLE_VIEWER, &user, &err) == PV_OK,
         err.message);
    must(auth_user_create(auth, "bob", "", PASSWORD, PV_ROLE_VIEWER, &id, &err) == PV_OK,
         err.message);
    must(auth_token_create(auth, &(struct auth_token_wish){ .user = user, .name = "t" }, &id, token,
                           &err) == PV_OK,
         err.message);
    snprintf(header, sizeof(header), "Bearer %s", token);
    for (int i = 0; i < READERS; i++)
        pthread_create(&threads[i], NULL, identify, NULL);
    pthread_create(&threads[READERS], NULL, change, NULL);
    pthread_create(&threads[READERS + 1], NULL, sign_in, NULL);
    clock_sleep_ms(3000);
    atomic_store(&ending, true);
    for (int i = 0; i < READERS + 2; i++)
        pthread_join(threads[i], NULL);
    auth_stop(auth);
    store_close(store);
    unlink(key);
    unlink(db);
    for (int i = 0; i < 2; i++) {
        snprintf(extra, sizeof(extra), "%s-%s", db, i ? "shm" : "wal");
        unlink(extra);
    }
    rmdir(folder);
    must(identified > 0 && changed > 0 && signed_in > 0, "something happened");
    printf("%d identified, %d changes, %d sign-ins\n", identified, changed, signed_in);
    return 0;
}
