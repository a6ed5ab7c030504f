/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full listings of many hosts take turns: each holds a host's whole answer for
 * a moment, and what the allocator's many arenas once held they do not give
 * back by themselves. First come, first served: on a machine that cannot keep
 * up nobody waits for ever.
 */
#include <malloc.h>
#include <pthread.h>
#include <time.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "drivers/wmi/inventory.h"

#define TURNS 16u
#define LOOK_S 1
#define TRIM_EVERY_MS 30000

struct waiting {
    pthread_cond_t called;
    bool served; /* has a turn */
    struct waiting *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct waiting *queue; /* oldest first; guarded by lock */
static unsigned taken;        /* guarded by lock */
static int64_t trimmed_ms;    /* guarded by lock */

/* lock held. */
static void serve_next(void)
{
    struct waiting *w = queue;

    if (!w || taken >= TURNS)
        return;
    queue = w->next;
    w->served = true;
    taken++;
    pthread_cond_signal(&w->called);
}

/* lock held. */
static void leave_queue(const struct waiting *w)
{
    struct waiting **at = &queue;

    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

int inventory_take_turn(const struct call *c, struct pv_err *err)
{
    struct waiting w = { .served = false };
    struct waiting **end = &queue;
    int rc = PV_OK;

    (void)pthread_cond_init(&w.called, NULL);
    pthread_mutex_lock(&lock);
    while (*end)
        end = &(*end)->next;
    *end = &w;
    serve_next();
    while (!w.served && rc == PV_OK) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_S;
        (void)pthread_cond_timedwait(&w.called, &lock, &until);
        pthread_mutex_unlock(&lock);
        if (call_cancelled((void *)(uintptr_t)c))
            rc = pv_fail(err, PV_ECANCELED, "canceled");
        pthread_mutex_lock(&lock);
    }
    if (rc && w.served) {
        taken--;
        serve_next();
    } else if (rc) {
        leave_queue(&w);
    }
    pthread_mutex_unlock(&lock);
    (void)pthread_cond_destroy(&w.called);
    return rc;
}

void inventory_give_turn(void)
{
    int64_t now = clock_mono_ms();
    bool trim;

    pthread_mutex_lock(&lock);
    taken--;
    serve_next();
    trim = now - trimmed_ms >= TRIM_EVERY_MS;
    if (trim)
        trimmed_ms = now;
    pthread_mutex_unlock(&lock);
    if (trim)
        (void)malloc_trim(0);
}
