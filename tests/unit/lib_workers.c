/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <polyvisor/workers.h>

static _Atomic unsigned done;
static unsigned order[100], norder;
static sem_t gate, entered;

static void count(void *arg)
{
    (void)arg;
    atomic_fetch_add(&done, 1);
}

static void note(void *arg)
{
    order[norder++] = *(unsigned *)arg;
}

static void wait_at_gate(void *arg)
{
    (void)arg;
    sem_post(&entered);
    sem_wait(&gate);
    atomic_fetch_add(&done, 1);
}

Test(workers, everything_queued_is_done_before_the_end, .timeout = 30)
{
    struct workers *w = workers_new("test", 4, 1000);

    for (int i = 0; i < 1000; i++)
        while (!workers_submit(w, count, NULL))
            sched_yield();
    workers_free(w);
    cr_assert_eq(done, 1000);
    workers_free(NULL);
}

Test(workers, one_thread_keeps_the_order, .timeout = 30)
{
    struct workers *w = workers_new("a name longer than fifteen", 1, 100);
    unsigned numbers[100];

    for (unsigned i = 0; i < 100; i++) {
        numbers[i] = i;
        cr_assert(workers_submit(w, note, &numbers[i]));
    }
    workers_free(w);
    cr_assert_eq(norder, 100);
    for (unsigned i = 0; i < 100; i++)
        cr_assert_eq(order[i], i);
}

Test(workers, a_full_queue_refuses, .timeout = 30)
{
    struct workers *w = workers_new("test", 2, 3);

    sem_init(&gate, 0, 0);
    sem_init(&entered, 0, 0);
    /* Two are being worked on and wait; three may queue. */
    for (int i = 0; i < 2; i++) {
        cr_assert(workers_submit(w, wait_at_gate, NULL));
        sem_wait(&entered);
    }
    for (int i = 0; i < 3; i++)
        cr_assert(workers_submit(w, wait_at_gate, NULL));
    cr_assert_not(workers_submit(w, wait_at_gate, NULL));
    for (int i = 0; i < 5; i++)
        sem_post(&gate);
    workers_free(w);
    cr_assert_eq(done, 5);
}

struct chain {
    struct workers *w;
    unsigned left;
    sem_t end;
};

static void next_link(void *arg)
{
    struct chain *c = arg;

    if (c->left-- == 0 || !workers_submit(c->w, next_link, c))
        sem_post(&c->end);
}

Test(workers, a_job_may_submit_another, .timeout = 30)
{
    struct chain c = { .w = workers_new("test", 2, 10), .left = 50 };

    sem_init(&c.end, 0, 0);
    cr_assert(workers_submit(c.w, next_link, &c));
    sem_wait(&c.end);
    workers_free(c.w);
    cr_assert_eq(c.left, UINT_MAX);
}
