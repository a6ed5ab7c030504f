/* SPDX-License-Identifier: Apache-2.0 */
/* Driver hosts as processes: starting, ending, and what became of them. */
#include "server/drivers/link.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>

#define HOST_FD 3           /* where the host finds its end of the connection */
#define SOCKET_BYTES (1 << 20)

/* What a host may see of our environment: nothing that could hold a secret. */
static const char *const passed_on[] = {
    "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "RES_OPTIONS", "LOCALDOMAIN",
    "KRB5_CONFIG", "KRB5CCNAME", "KRB5_CLIENT_KTNAME",
    "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "MALLOC_ARENA_MAX",
    "LLVM_PROFILE_FILE", "GCOV_PREFIX", "GCOV_PREFIX_STRIP",
};

struct environment {
    char *vars[PV_COUNT(passed_on) + 1];
};

static bool environment_make(struct environment *e)
{
    size_t count = 0;

    for (size_t i = 0; i < PV_COUNT(passed_on); i++) {
        const char *value = getenv(passed_on[i]);

        if (!value)
            continue;
        if (asprintf(&e->vars[count], "%s=%s", passed_on[i], value) < 0) {
            e->vars[count] = NULL;
            return false;
        }
        count++;
    }
    return true;
}

static void environment_free(struct environment *e)
{
    for (size_t i = 0; i < PV_COUNT(e->vars); i++)
        free(e->vars[i]);
}

/* The host's end becomes HOST_FD; everything else but stderr is closed, whoever forgot FD_CLOEXEC. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, int theirs)
{
    sigset_t none, usual;
    int rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGTERM);
    sigaddset(&usual, SIGINT);
    sigaddset(&usual, SIGHUP);
    sigaddset(&usual, SIGCHLD);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, 2, 1);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(actions, theirs, HOST_FD);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, HOST_FD + 1);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &usual);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return rc;
}

static int spawn(const struct drivers *d, const char *driver, bool describe, int theirs,
                 pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    struct environment env = { 0 };
    char parent[16], fd[8];
    char *argv[] = { d->host_program, (char *)"--driver", (char *)driver, (char *)"--dir", d->dir,
                     (char *)"--fd", fd, (char *)"--parent", parent,
                     describe ? (char *)"--describe" : NULL, NULL };
    int rc;

    snprintf(parent, sizeof(parent), "%d", (int)getpid());
    snprintf(fd, sizeof(fd), "%d", HOST_FD);
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    rc = prepare(&actions, &attr, theirs);
    if (rc == 0)
        rc = environment_make(&env) ? 0 : ENOMEM;
    if (rc == 0)
        rc = posix_spawn(pid, d->host_program, &actions, &attr, argv, env.vars);
    environment_free(&env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

int host_start(const struct drivers *d, const char *driver, bool describe, struct host *out,
               struct pv_err *err)
{
    int pair[2], rc, size = SOCKET_BYTES;
    pid_t pid = 0;

    if (d->isolation == DRIVERS_IN_PROCESS)
        return inproc_start(d, driver, describe, out, err);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return pv_fail_os(err, errno, "cannot make a connection for the driver %s", driver);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    /* dup2 onto itself would keep FD_CLOEXEC. */
    if (pair[1] == HOST_FD) {
        int other = fcntl(pair[1], F_DUPFD_CLOEXEC, HOST_FD + 1);

        close(pair[1]);
        pair[1] = other;
    }
    rc = pair[1] < 0 ? errno : spawn(d, driver, describe, pair[1], &pid);
    if (pair[1] >= 0)
        close(pair[1]);
    if (rc == 0 && fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
        rc = errno;
    if (rc != 0) {
        close(pair[0]);
        return pv_fail_os(err, rc, "cannot start %s for the driver %s", d->host_program, driver);
    }
    *out = (struct host){ .fd = pair[0], .pid = pid };
    return PV_OK;
}

static void describe_end(int status, char *how, size_t cap)
{
    if (WIFSIGNALED(status))
        snprintf(how, cap, "ended by signal %d (%s)", WTERMSIG(status),
                 sigdescr_np(WTERMSIG(status)) ? sigdescr_np(WTERMSIG(status)) : "?");
    else
        snprintf(how, cap, "ended with exit code %d", WEXITSTATUS(status));
}

/* false: it still runs. */
static bool reap(pid_t pid, bool wait, char *how, size_t cap)
{
    int status = 0;
    pid_t got;

    do {
        got = waitpid(pid, &status, wait ? 0 : WNOHANG);
    } while (got < 0 && errno == EINTR);
    if (got == 0)
        return false;
    if (got == pid)
        describe_end(status, how, cap);
    else
        snprintf(how, cap, "ended");    /* somebody else has reaped it */
    return true;
}

void host_kill(struct host *h, char *how, size_t cap)
{
    snprintf(how, cap, "ended");
    if (h->inproc) {
        if (h->fd >= 0)
            shutdown(h->fd, SHUT_RDWR);
        inproc_finish(h->inproc, 0);
    } else if (h->pid > 0) {
        /* One that died by itself shows how; a moment is enough for the kernel to tell. */
        for (int i = 0; i < 20 && !reap(h->pid, false, how, cap); i++) {
            if (i == 19) {
                kill(h->pid, SIGKILL);
                reap(h->pid, true, how, cap);
                break;
            }
            clock_sleep_ms(5);
        }
    }
    if (h->fd >= 0)
        close(h->fd);
    *h = (struct host){ .fd = -1 };
}

void host_finish(struct host *h, unsigned wait_ms)
{
    int64_t until = clock_mono_ms() + wait_ms;
    char how[80];

    if (h->fd >= 0)
        shutdown(h->fd, SHUT_RDWR);
    if (h->inproc) {
        inproc_finish(h->inproc, wait_ms);
    } else if (h->pid > 0) {
        while (!reap(h->pid, false, how, sizeof(how))) {
            if (clock_mono_ms() >= until) {
                kill(h->pid, SIGKILL);
                reap(h->pid, true, how, sizeof(how));
                break;
            }
            clock_sleep_ms(10);
        }
    }
    if (h->fd >= 0)
        close(h->fd);
    *h = (struct host){ .fd = -1 };
}
