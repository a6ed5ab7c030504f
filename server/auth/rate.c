/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define MONITOR_PER_S 200

static uint32_t hash_text(const char *text)
{
    uint32_t h = 2166136261u;

    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 16777619u;
    return h ^ h >> 15;
}

/* The caller's bucket, or the place of the one that has been quiet longest: its owner starts with a
 * full one again, which it would nearly have by then. */
static struct bucket *find(struct bucket set[RATE_WAYS], const char *key, double burst, int64_t now)
{
    struct bucket *oldest = &set[0];

    for (size_t i = 0; i < RATE_WAYS; i++) {
        if (str_eq(set[i].key, key))
            return &set[i];
        if (set[i].at_ms < oldest->at_ms)
            oldest = &set[i];
    }
    str_copy(oldest->key, sizeof(oldest->key), key);
    oldest->tokens = burst;
    oldest->at_ms = now;
    return oldest;
}

int auth_rate(struct auth *a, const struct auth_identity *who, bool monitor, struct auth_quota *out,
              struct pv_err *err)
{
    double per_s = a->config.rate_per_s, burst = a->config.rate_burst;
    uint32_t h = hash_text(who->rate_key);
    size_t set = h % RATE_SETS;
    pthread_mutex_t *lock = &a->rate_lock[set % PV_COUNT(a->rate_lock)];
    int64_t now = a->now_ms();
    struct bucket *b;
    double left;

    *out = (struct auth_quota){ .burst = 0 };
    if (per_s <= 0)
        return PV_OK;
    if (monitor && per_s < MONITOR_PER_S) {
        burst *= MONITOR_PER_S / per_s;
        per_s = MONITOR_PER_S;
    }
    if (burst < 1)
        burst = per_s < 1 ? 1 : per_s;
    pthread_mutex_lock(lock);
    b = find(a->rates[set], who->rate_key, burst, now);
    if (now > b->at_ms)
        b->tokens += (double)(now - b->at_ms) / 1000 * per_s;
    if (b->tokens > burst)
        b->tokens = burst;
    b->at_ms = now;
    left = b->tokens - 1;
    if (left >= 0)
        b->tokens = left;
    pthread_mutex_unlock(lock);
    out->burst = (unsigned)burst;
    out->window_s = (unsigned)(burst / per_s) + (burst > (unsigned)(burst / per_s) * per_s);
    out->left = left > 0 ? (unsigned)left : 0;
    out->full_s = left < burst ? (unsigned)((burst - (left > 0 ? left : 0)) / per_s) + 1 : 0;
    if (left >= 0)
        return PV_OK;
    out->retry_s = (unsigned)(-left / per_s) + 1;
    return pv_fail_as(err, "rate-limited", "more than %g requests a second", per_s);
}
