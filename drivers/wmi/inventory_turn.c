/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full listings of many hosts take turns: each holds a host's whole answer for
 * a moment, and what a process once held it does not give back.
 */
#include <pthread.h>
#include <time.h>

#include <polyvisor/err.h>

#include "drivers/wmi/inventory.h"

#define TURNS 16u
#define LOOK_S 1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;
static unsigned taken; /* guarded by lock */

int inventory_take_turn(const struct call *c, struct pv_err *err)
{
    int rc = PV_OK;

    pthread_mutex_lock(&lock);
    while (taken >= TURNS && rc == PV_OK) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_S;
        (void)pthread_cond_timedwait(&freed, &lock, &until);
        pthread_mutex_unlock(&lock);
        if (call_cancelled((void *)(uintptr_t)c))
            rc = pv_fail(err, PV_ECANCELED, "canceled");
        pthread_mutex_lock(&lock);
    }
    if (rc == PV_OK)
        taken++;
    pthread_mutex_unlock(&lock);
    return rc;
}

void inventory_give_turn(void)
{
    pthread_mutex_lock(&lock);
    taken--;
    pthread_cond_signal(&freed);
    pthread_mutex_unlock(&lock);
}
