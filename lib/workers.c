/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/workers.h>

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <polyvisor/str.h>

#define STACK_SIZE (512u * 1024)

struct job {
    struct job *next;
    work_fn fn;
    void *arg;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, **end;  /* guarded by lock */
    size_t queued, max_queued; /* guarded by lock */
    bool ending;               /* guarded by lock */
    unsigned started;
    char name[16];
    pthread_t threads[];
};

static void *work(void *arg)
{
    struct workers *w = arg;

    pthread_setname_np(pthread_self(), w->name);
    pthread_mutex_lock(&w->lock);
    for (;;) {
        struct job *job = w->first;

        if (!job) {
            if (w->ending)
                break;
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        w->first = job->next;
        if (!w->first)
            w->end = &w->first;
        w->queued--;
        pthread_mutex_unlock(&w->lock);
        job->fn(job->arg);
        free(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Signals are the business of the program's main thread: workers are started with all of them
 * blocked. */
static void start_threads(struct workers *w, unsigned threads)
{
    sigset_t all, old;
    pthread_attr_t attr;

    if (pthread_attr_init(&attr) != 0)
        return;
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (w->started < threads && pthread_create(&w->threads[w->started], &attr, work, w) == 0)
        w->started++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
}

struct workers *workers_new(const char *name, unsigned threads, size_t max_queued)
{
    struct workers *w;

    if (threads == 0)
        threads = 1;
    w = calloc(1, sizeof(*w) + threads * sizeof(w->threads[0]));
    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    w->end = &w->first;
    w->max_queued = max_queued;
    str_copy(w->name, sizeof(w->name), name);
    start_threads(w, threads);
    if (w->started == 0) {
        workers_free(w);
        return NULL;
    }
    return w;
}

bool workers_submit(struct workers *w, work_fn fn, void *arg)
{
    struct job *job = calloc(1, sizeof(*job));
    bool taken = false;

    if (!job)
        return false;
    job->fn = fn;
    job->arg = arg;
    pthread_mutex_lock(&w->lock);
    if (!w->ending && w->queued < w->max_queued) {
        *w->end = job;
        w->end = &job->next;
        w->queued++;
        taken = true;
        pthread_cond_signal(&w->wake);
    }
    pthread_mutex_unlock(&w->lock);
    if (!taken)
        free(job);
    return taken;
}

void workers_free(struct workers *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < w->started; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
