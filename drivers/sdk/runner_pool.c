/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of the runner: a pool that grows when all are busy, and single ones. */
#include "drivers/sdk/runner_inner.h"

#include <signal.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ROOMY_STACKS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(ROOMY_STACKS)
#define STACK_FACTOR 8u     /* sanitizers make frames several times as large */
#else
#define STACK_FACTOR 1u
#endif
#define POOL_STACK (512u << 10)

struct start {
    struct runner *runner;
    void (*fn)(void *arg);
    void *arg;
};

/* Each thread that ends joins the one that ended before it, so that the last one stands for all: whoever joins that
 * (runner_join) knows that nothing of any thread is left, its libraries' memory included. */
static void leave(struct runner *r)
{
    pthread_t before = r->ended;
    bool any = r->any_ended;

    r->ended = pthread_self();
    r->any_ended = true;
    r->threads--;
    pthread_cond_broadcast(&r->drained);
    pthread_mutex_unlock(&r->lock);
    /* The runner may be gone from here on. */
    if (any)
        pthread_join(before, NULL);
}

void runner_join(struct runner *r)
{
    if (r->any_ended)
        pthread_join(r->ended, NULL);
    r->any_ended = false;
}

static void *pool_main(void *arg)
{
    struct runner *r = arg;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        struct job *job = r->jobs;

        if (!job) {
            if (r->ending && !r->sessions)
                break;
            r->idle++;
            pthread_cond_wait(&r->work, &r->lock);
            r->idle--;
            continue;
        }
        r->jobs = job->next;
        if (!r->jobs)
            r->jobs_end = &r->jobs;
        r->njobs--;
        pthread_mutex_unlock(&r->lock);
        job->fn(job->arg);
        free(job);
        pthread_mutex_lock(&r->lock);
    }
    leave(r);
    return NULL;
}

static void *single_main(void *arg)
{
    struct start *start = arg;
    struct runner *r = start->runner;

    start->fn(start->arg);
    free(start);
    pthread_mutex_lock(&r->lock);
    leave(r);
    return NULL;
}

/* All signals blocked; counted in r->threads. runner.lock is held. */
static bool start_thread(struct runner *r, void *(*fn)(void *), void *arg, size_t stack)
{
    pthread_attr_t attr;
    sigset_t all, old;
    pthread_t thread;
    bool ok;

    if (pthread_attr_init(&attr) != 0)
        return false;
    pthread_attr_setstacksize(&attr, stack * STACK_FACTOR);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    ok = pthread_create(&thread, &attr, fn, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (ok)
        r->threads++;
    return ok;
}

bool runner_submit(struct runner *r, void (*fn)(void *arg), void *arg)
{
    struct job *job;

    if (r->njobs >= RUNNER_JOBS_MAX)
        return false;
    /* An idle thread may be woken for a job before this one. */
    if (r->idle <= r->njobs && r->pool < RUNNER_POOL && start_thread(r, pool_main, r, POOL_STACK))
        r->pool++;
    if (r->pool == 0)
        return false;
    job = calloc(1, sizeof(*job));
    if (!job)
        return false;
    job->fn = fn;
    job->arg = arg;
    *r->jobs_end = job;
    r->jobs_end = &job->next;
    r->njobs++;
    pthread_cond_signal(&r->work);
    return true;
}

bool runner_thread(struct runner *r, void (*fn)(void *arg), void *arg, size_t stack)
{
    struct start *start = calloc(1, sizeof(*start));

    if (!start)
        return false;
    *start = (struct start){ r, fn, arg };
    if (!start_thread(r, single_main, start, stack)) {
        free(start);
        return false;
    }
    return true;
}
