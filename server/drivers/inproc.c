/* SPDX-License-Identifier: Apache-2.0 */
/* Driver hosts as threads of this process: the same runner, the same frames, no protection. */
#include "server/drivers/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "drivers/sdk/load.h"
#include "drivers/sdk/runner.h"

#define DRAIN_MS 60000u

struct inproc {
    pthread_mutex_t lock;
    pthread_cond_t done;
    unsigned refs;          /* guarded by lock: ours and the thread's */
    bool ended;             /* guarded by lock */
    int fd;                 /* the host's end */
    bool describe;
    char *dir, *name;
    struct sdk_plugin plugin;
};

static void inproc_free(struct inproc *p)
{
    if (!p)
        return;
    if (p->fd >= 0)
        close(p->fd);
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p->dir);
    free(p->name);
    free(p);
}

static void inproc_unref(struct inproc *p)
{
    bool last;

    pthread_mutex_lock(&p->lock);
    last = --p->refs == 0;
    pthread_mutex_unlock(&p->lock);
    if (last)
        inproc_free(p);
}

static void *inproc_main(void *arg)
{
    struct inproc *p = arg;
    struct pv_err err = { 0 };
    int rc = sdk_load(p->dir, p->name, &p->plugin, &err);

    if (rc != PV_OK)
        sdk_runner_broken(p->fd, &err);
    else if (p->describe)
        sdk_runner_hello(&p->plugin, p->fd, &err);
    else
        rc = sdk_runner_serve(&p->plugin, p->fd, DRAIN_MS, &err);
    shutdown(p->fd, SHUT_RDWR);
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_broadcast(&p->done);
    pthread_mutex_unlock(&p->lock);
    /* Threads that do not end still use the plugin and the descriptor. */
    if (rc != PV_EBUSY)
        inproc_unref(p);
    return NULL;
}

static struct inproc *inproc_new(const struct drivers *d, const char *driver, bool describe,
                                 int fd)
{
    struct inproc *p = calloc(1, sizeof(*p));
    pthread_condattr_t attr;

    if (!p)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&p->done, &attr);
    pthread_condattr_destroy(&attr);
    p->refs = 2;
    p->fd = fd;
    p->describe = describe;
    p->dir = strdup(d->dir);
    p->name = strdup(driver);
    if (p->dir && p->name)
        return p;
    p->fd = -1;
    inproc_free(p);
    return NULL;
}

int inproc_start(const struct drivers *d, const char *driver, bool describe, struct host *out,
                 struct pv_err *err)
{
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t thread;
    struct inproc *p;
    int pair[2], rc;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return pv_fail_os(err, errno, "cannot make a connection for the driver %s", driver);
    p = inproc_new(d, driver, describe, pair[1]);
    if (!p || fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0) {
        close(pair[0]);
        if (p)
            inproc_free(p);
        else
            close(pair[1]);
        return pv_fail(err, PV_ENOMEM, "no memory for the driver %s", driver);
    }
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&thread, &attr, inproc_main, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        close(pair[0]);
        inproc_free(p);
        return pv_fail_os(err, rc, "cannot start a thread for the driver %s", driver);
    }
    *out = (struct host){ .fd = pair[0], .inproc = p };
    return PV_OK;
}

bool inproc_finish(struct inproc *p, unsigned wait_ms)
{
    struct timespec until;
    bool ended;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->lock);
    while (!p->ended && rc == 0)
        rc = pthread_cond_timedwait(&p->done, &p->lock, &until);
    ended = p->ended;
    pthread_mutex_unlock(&p->lock);
    inproc_unref(p);
    return ended;
}
