/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/auth_gate.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "drivers/wmi/wsman.h"

#define LOOK_MS 250 /* how often who waits asks whether it is cancelled */

struct auth_gate {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t left;
    bool busy, proven, refused;
    struct pv_err refusal;
};

struct auth_gate *auth_gate_new(void)
{
    struct auth_gate *g = calloc(1, sizeof(*g));
    pthread_condattr_t attr;

    if (!g)
        return NULL;
    pthread_mutex_init(&g->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->left, &attr);
    pthread_condattr_destroy(&attr);
    return g;
}

void auth_gate_free(struct auth_gate *g)
{
    if (!g)
        return;
    pthread_cond_destroy(&g->left);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

/* With the lock held. */
static int check(const struct auth_gate *g, struct pv_err *err)
{
    if (!g->refused)
        return PV_OK;
    if (err)
        *err = g->refusal;
    return PV_EAUTH;
}

static void wait_a_moment(struct auth_gate *g)
{
    int64_t until = clock_mono_ms() + LOOK_MS;
    struct timespec ts = { .tv_sec = (time_t)(until / 1000),
                           .tv_nsec = (long)(until % 1000) * 1000000 };

    pthread_cond_timedwait(&g->left, &g->lock, &ts);
}

int auth_gate_enter(struct auth_gate *g, const struct call *c, int64_t deadline_ms,
                    struct pv_err *err)
{
    int rc;

    pthread_mutex_lock(&g->lock);
    for (;;) {
        rc = check(g, err);
        if (rc || !g->busy)
            break;
        wait_a_moment(g);
        pthread_mutex_unlock(&g->lock);
        if (call_cancelled((void *)(uintptr_t)c))
            return pv_fail(err, PV_ECANCELED, "canceled");
        if (clock_mono_ms() >= deadline_ms)
            return pv_fail(err, PV_ETIMEOUT, "another sign-in to the host did not end in time");
        pthread_mutex_lock(&g->lock);
    }
    if (rc == PV_OK)
        g->busy = true;
    pthread_mutex_unlock(&g->lock);
    return rc;
}

void auth_gate_refuse(struct auth_gate *g, const struct pv_err *why)
{
    pthread_mutex_lock(&g->lock);
    g->refused = true;
    g->proven = false;
    g->refusal = *why;
    pthread_mutex_unlock(&g->lock);
}

void auth_gate_leave(struct auth_gate *g, bool accepted)
{
    pthread_mutex_lock(&g->lock);
    g->busy = false;
    g->proven = !g->refused && (g->proven || accepted);
    pthread_cond_broadcast(&g->left);
    pthread_mutex_unlock(&g->lock);
}

int auth_gate_check(struct auth_gate *g, struct pv_err *err)
{
    int rc;

    pthread_mutex_lock(&g->lock);
    rc = check(g, err);
    pthread_mutex_unlock(&g->lock);
    return rc;
}

bool auth_gate_is_proven(struct auth_gate *g)
{
    bool yes;

    pthread_mutex_lock(&g->lock);
    yes = g->proven;
    pthread_mutex_unlock(&g->lock);
    return yes;
}
