/* SPDX-License-Identifier: Apache-2.0 */
/* Failed sign-ins are counted in storage, so that nodes share them and a restart forgets nothing.
 * What slows down is the next attempt, never for longer than 15 minutes after the last counted one;
 * refused attempts are not counted. An attempt is counted before the password is looked at: many at
 * once gain nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define FREE_FAILURES 4
#define FIRST_MS 1000
#define MOST_MS (15LL * 60 * 1000)
#define FORGET_MS (60LL * 60 * 1000)
#define KEY_MAX 200

static void user_key(const char *user, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "user:%s", user);
}

static void address_key(const char *address, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "address:%s", address);
}

static int64_t delay_ms(uint32_t failures)
{
    if (failures <= FREE_FAILURES)
        return 0;
    failures -= FREE_FAILURES + 1;
    return failures >= 10 || FIRST_MS << failures > MOST_MS ? MOST_MS : FIRST_MS << failures;
}

static uint32_t failures_of(struct auth *a, const char *key, int64_t now, int64_t *last)
{
    uint32_t n = 0;

    *last = 0;
    if (store_throttle_get(a->store, key, &n, last, NULL) != PV_OK || now - *last > FORGET_MS)
        return 0;
    return n;
}

static int64_t wait_ms(struct auth *a, const char *key, int64_t now)
{
    int64_t last, until = delay_ms(failures_of(a, key, now, &last));

    return last + until - now;
}

static int check(struct auth *a, const char *user, const char *address, struct pv_err *err)
{
    int64_t now = a->now_ms(), by_user = 0, by_address = 0, wait;
    char key[KEY_MAX];
    int rc;

    if (user) {
        user_key(user, key);
        by_user = wait_ms(a, key, now);
    }
    if (address) {
        address_key(address, key);
        by_address = wait_ms(a, key, now);
    }
    wait = by_user > by_address ? by_user : by_address;
    if (wait <= 0)
        return PV_OK;
    rc = pv_fail_as(err, "rate-limited", "too many failed sign-ins; try again in %lld s",
                    (long long)(wait + 999) / 1000);
    if (err)
        err->retry_s = (unsigned)((wait + 999) / 1000);
    return rc;
}

struct counts {
    struct {
        char key[KEY_MAX];
        uint32_t failures;
        int64_t last_ms;
    } of[2];
    size_t n;
};

static int put(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct counts *c = arg;
    int rc = PV_OK;

    for (size_t i = 0; rc == PV_OK && i < c->n; i++)
        rc = tx_throttle_put(tx, c->of[i].key, c->of[i].failures, c->of[i].last_ms, err);
    return rc;
}

/* One more failure, or one less: the next attempt may then come at once, as the one that is taken back did. */
static void add(struct auth *a, struct counts *c, int change)
{
    int64_t now = a->now_ms(), last;
    uint32_t n = failures_of(a, c->of[c->n].key, now, &last);

    n = change < 0 ? n - (n > 0) : n + 1;
    c->of[c->n].failures = n;
    c->of[c->n].last_ms = change > 0 ? now : last < now - delay_ms(n) ? last : now - delay_ms(n);
    c->n++;
}

static void change(struct auth *a, const char *user, const char *address, int by)
{
    struct counts c = { .n = 0 };

    if (user) {
        user_key(user, c.of[c.n].key);
        add(a, &c, by);
    }
    if (address) {
        address_key(address, c.of[c.n].key);
        add(a, &c, by);
    }
    store_write(a->store, put, &c, NULL);
}

int throttle_enter(struct auth *a, const char *user, const char *address, struct pv_err *err)
{
    int rc;

    pthread_mutex_lock(&a->sign_in);
    rc = check(a, user, address, err);
    if (rc == PV_OK)
        change(a, user, address, 1);
    pthread_mutex_unlock(&a->sign_in);
    return rc;
}

void throttle_take_back(struct auth *a, const char *user, const char *address)
{
    pthread_mutex_lock(&a->sign_in);
    change(a, user, address, -1);
    pthread_mutex_unlock(&a->sign_in);
}

void throttle_succeeded(struct auth *a, const char *user, const char *address)
{
    struct counts c = { .n = 0 };

    pthread_mutex_lock(&a->sign_in);
    if (user) {
        user_key(user, c.of[0].key);
        c.n = 1;
    }
    if (address) {
        address_key(address, c.of[c.n].key);
        add(a, &c, -1);
    }
    store_write(a->store, put, &c, NULL);
    pthread_mutex_unlock(&a->sign_in);
}
