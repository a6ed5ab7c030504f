/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/crypto.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "server/auth/inside.h"

static struct auth *auth_new(const struct auth_config *config)
{
    struct auth *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->config = *config;
    a->store = config->store;
    a->cost = AUTH_COST;
    a->now_ms = clock_wall_ms;
    pthread_mutex_init(&a->scrypt_lock, NULL);
    pthread_cond_init(&a->scrypt_free, NULL);
    pthread_mutex_init(&a->sign_in, NULL);
    pthread_mutex_init(&a->setup_lock, NULL);
    for (size_t i = 0; i < PV_COUNT(a->rate_lock); i++)
        pthread_mutex_init(&a->rate_lock[i], NULL);
    pthread_mutex_init(&a->kept_lock, NULL);
    cache_init(a);
    return a;
}

int auth_start(const struct auth_config *config, struct auth **out, struct pv_err *err)
{
    struct auth *a = auth_new(config);
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = keys_open(a, err);
    if (rc == PV_OK)
        rc = login_times_open(a, err);
    if (rc == PV_OK)
        rc = roles_open(a, err);
    if (rc == PV_OK)
        rc = setup_open(a, err);
    if (rc != PV_OK) {
        auth_stop(a);
        return rc;
    }
    *out = a;
    return PV_OK;
}

void auth_stop(struct auth *a)
{
    if (!a)
        return;
    EVP_MD_free(a->sha256);
    cache_free(a);
    access_cache_free(a);
    pthread_mutex_destroy(&a->kept_lock);
    for (size_t i = 0; i < PV_COUNT(a->rate_lock); i++)
        pthread_mutex_destroy(&a->rate_lock[i]);
    pthread_mutex_destroy(&a->setup_lock);
    pthread_mutex_destroy(&a->sign_in);
    pthread_cond_destroy(&a->scrypt_free);
    pthread_mutex_destroy(&a->scrypt_lock);
    OPENSSL_cleanse(a, sizeof(*a));
    free(a);
}
