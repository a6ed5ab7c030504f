/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/internal.h"

#include <errno.h>
#include <stdlib.h>

/* Work that is due later. A list is enough: there are a few for each provider and each waiting request. */
struct timer {
    struct timer *next;
    int64_t at_ms;
    work_fn fn;
    void *arg;
};

bool core_submit(struct core *c, work_fn fn, void *arg)
{
    bool taken;

    pthread_mutex_lock(&c->workers_lock);
    taken = c->workers && workers_submit(c->workers, fn, arg);
    pthread_mutex_unlock(&c->workers_lock);
    return taken;
}

bool core_later(struct core *c, int64_t ms, work_fn fn, void *arg)
{
    struct timer *t = atomic_load(&c->stopping) ? NULL : malloc(sizeof(*t)), **at;

    if (!t)
        return false;
    *t = (struct timer){ .at_ms = clock_mono_ms() + ms, .fn = fn, .arg = arg };
    pthread_mutex_lock(&c->clock_lock);
    for (at = &c->timers; *at && (*at)->at_ms <= t->at_ms; at = &(*at)->next)
        ;
    t->next = *at;
    *at = t;
    pthread_cond_signal(&c->clock_wake);
    pthread_mutex_unlock(&c->clock_lock);
    return true;
}

/* clock_lock held. */
static void wait_until(struct core *c, int64_t at_ms)
{
    struct timespec ts = { .tv_sec = at_ms / 1000, .tv_nsec = (at_ms % 1000) * 1000000 };

    pthread_cond_timedwait(&c->clock_wake, &c->clock_lock, &ts);
}

static void *clock_main(void *arg)
{
    struct core *c = arg;

    pthread_mutex_lock(&c->clock_lock);
    while (c->clock_running) {
        struct timer *t = c->timers;

        if (!t) {
            pthread_cond_wait(&c->clock_wake, &c->clock_lock);
        } else if (t->at_ms > clock_mono_ms()) {
            wait_until(c, t->at_ms);
        } else {
            c->timers = t->next;
            pthread_mutex_unlock(&c->clock_lock);
            if (!core_submit(c, t->fn, t->arg))
                t->fn(t->arg);
            free(t);
            pthread_mutex_lock(&c->clock_lock);
        }
    }
    pthread_mutex_unlock(&c->clock_lock);
    return NULL;
}

int core_clock_start(struct core *c, struct pv_err *err)
{
    pthread_condattr_t attr;
    int rc;

    pthread_mutex_init(&c->clock_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->clock_wake, &attr);
    pthread_condattr_destroy(&attr);
    c->clock_running = true;
    rc = pthread_create(&c->clock_thread, NULL, clock_main, c);
    if (rc != 0) {
        c->clock_running = false;
        return pv_fail_os(err, rc, "starting the clock");
    }
    return PV_OK;
}

void core_clock_stop(struct core *c)
{
    pthread_mutex_lock(&c->clock_lock);
    if (!c->clock_running) {
        pthread_mutex_unlock(&c->clock_lock);
        return;
    }
    c->clock_running = false;
    pthread_cond_signal(&c->clock_wake);
    pthread_mutex_unlock(&c->clock_lock);
    pthread_join(c->clock_thread, NULL);
    /* They own things; each sees that core is stopping. */
    while (c->timers) {
        struct timer *t = c->timers;

        c->timers = t->next;
        t->fn(t->arg);
        free(t);
    }
}
