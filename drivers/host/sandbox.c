/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/host/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(SANITIZED)
#define IS_SANITIZED 1
#else
#define IS_SANITIZED 0
#endif

#define FILES_MAX 8192u

/* What threads, memory, sockets, name resolution, TLS and reading the system's configuration need. */
static const int allowed[] = {
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(stat), SCMP_SYS(lstat),
    SCMP_SYS(newfstatat), SCMP_SYS(statx), SCMP_SYS(lseek), SCMP_SYS(access),
    SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(open), SCMP_SYS(openat),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd),
    SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3), SCMP_SYS(fcntl), SCMP_SYS(ftruncate),
    SCMP_SYS(statfs), SCMP_SYS(fstatfs),
    SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(mremap), SCMP_SYS(madvise),
    SCMP_SYS(brk), SCMP_SYS(memfd_create), SCMP_SYS(mlock), SCMP_SYS(munlock),
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack), SCMP_SYS(tgkill), SCMP_SYS(restart_syscall),
    SCMP_SYS(clone3), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list),
    SCMP_SYS(rseq), SCMP_SYS(futex), SCMP_SYS(futex_waitv), SCMP_SYS(gettid), SCMP_SYS(getpid),
    SCMP_SYS(getppid), SCMP_SYS(set_tid_address), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler),
    SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min), SCMP_SYS(membarrier),
    SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(arch_prctl),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(times),
    SCMP_SYS(getrusage), SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(sysinfo),
    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
    SCMP_SYS(getgroups), SCMP_SYS(getrlimit), SCMP_SYS(prlimit64),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(eventfd2), SCMP_SYS(pipe), SCMP_SYS(pipe2),
    SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname),
    SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendto),
    SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(recvmmsg), SCMP_SYS(shutdown), SCMP_SYS(ioctl),
};

/* Nobody asks for these by mistake. */
static const int deadly[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev), SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root),
    SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open), SCMP_SYS(init_module), SCMP_SYS(finit_module),
    SCMP_SYS(delete_module), SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot),
    SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
    SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(open_by_handle_at), SCMP_SYS(setuid),
    SCMP_SYS(setgid), SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setreuid),
    SCMP_SYS(setregid), SCMP_SYS(setgroups), SCMP_SYS(capset),
};

static void release(scmp_filter_ctx *ctx)
{
    if (*ctx)
        seccomp_release(*ctx);
}

static int limit(int what, rlim_t most, struct pv_err *err)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)what, &now) < 0)
        return pv_fail_os(err, errno, "cannot read a limit");
    if (now.rlim_max < most)
        most = now.rlim_max;
    now.rlim_cur = now.rlim_max = most;
    if (setrlimit((__rlimit_resource_t)what, &now) < 0)
        return pv_fail_os(err, errno, "cannot set a limit");
    return PV_OK;
}

int sandbox_limits(int parent_pid, struct pv_err *err)
{
    int rc;

    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return pv_fail_os(err, errno, "cannot give up privileges");
    /* The parent may have died before the first of these. */
    if (parent_pid > 0 && getppid() != parent_pid)
        return pv_fail(err, PV_EOFFLINE, "the server is gone");
    /* Leak checking attaches to the process: impossible when it is not dumpable. */
    if (!IS_SANITIZED && prctl(PR_SET_DUMPABLE, 0) < 0)
        return pv_fail_os(err, errno, "cannot forbid dumps");
    rc = limit(RLIMIT_CORE, 0, err);
    if (rc == PV_OK)
        rc = limit(RLIMIT_NOFILE, FILES_MAX, err);
    return rc;
}

/* Threads are clones that share memory; anything else would be a new process. */
static int allow_with_arguments(scmp_filter_ctx ctx)
{
    int rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, 0x00010100ul, 0x00010100ul));
    static const unsigned families[] = { 1 /* UNIX */, 2 /* INET */, 10 /* INET6 */,
                                         16 /* NETLINK: which addresses there are */ };

    for (size_t i = 0; rc == 0 && i < PV_COUNT(families); i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_EQ, families[i], 0));
    /* PR_SET_NAME, PR_GET_NAME, PR_SET_VMA (names of memory, for malloc) */
    static const unsigned options[] = { 15, 16, 0x53564d41 };

    for (size_t i = 0; rc == 0 && i < PV_COUNT(options); i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
                              SCMP_A0(SCMP_CMP_EQ, options[i], 0));
    return rc;
}

int sandbox_calls(struct pv_err *err)
{
    PV_AUTO(release) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int rc = ctx ? 0 : -ENOMEM;

    if (IS_SANITIZED)
        return PV_OK;
    for (size_t i = 0; rc == 0 && i < PV_COUNT(allowed); i++) {
        /* clone3 hides its flags in memory; ENOSYS makes the C library use clone. */
        uint32_t action = allowed[i] == SCMP_SYS(clone3) ? SCMP_ACT_ERRNO(ENOSYS)
                                                         : SCMP_ACT_ALLOW;

        rc = seccomp_rule_add(ctx, action, allowed[i], 0);
    }
    for (size_t i = 0; rc == 0 && i < PV_COUNT(deadly); i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    if (rc == 0)
        rc = allow_with_arguments(ctx);
    if (rc == 0)
        rc = seccomp_load(ctx);
    if (rc != 0)
        return pv_fail_os(err, -rc, "cannot limit the system calls");
    return PV_OK;
}
