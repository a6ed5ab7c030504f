/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: descriptors that a call reads or writes; who cuts, cancels or crashes leaves none behind. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "tests/unit/link_recorder.h"

#define CONFIG "{\"name\":\"p\",\"settings\":{\"do\":\"nothing\"}}"
#define MIB (1u << 20)

static enum drivers_isolation both[] = { DRIVERS_PROCESS, DRIVERS_IN_PROCESS };
#define FOR_BOTH(suite, name)                                                                      \
    ParameterizedTestParameters(suite, name)                                                       \
    {                                                                                              \
        return cr_make_param_array(enum drivers_isolation, both, 2);                               \
    }                                                                                              \
    ParameterizedTest(enum drivers_isolation *isolation, suite, name, .timeout = 60)

struct setting {
    struct drivers *d;
    struct driver_session *s;
    struct recorder r;
    int ours, theirs;
};

/* A session and a pipe: `write`: the driver is to write. */
static void begin(struct setting *t, enum drivers_isolation isolation, bool write)
{
    struct pv_err err = { 0 };
    int ends[2];

    signal(SIGPIPE, SIG_IGN);
    t->d = start_registry(PLUGINS, isolation);
    recorder_init(&t->r);
    cr_assert_eq(drivers_open(t->d, "unruly", CONFIG, "{}", &recorder_ops, &t->r, &t->s, &err),
                 PV_OK, "%s", err.message);
    cr_assert(recorder_wait(&t->r, &t->r.opened, 1));
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    t->ours = ends[write ? 0 : 1];
    t->theirs = ends[write ? 1 : 0];
}

static void end(struct setting *t)
{
    if (t->ours >= 0)
        close(t->ours);
    driver_session_close(t->s);
    drivers_stop(t->d);
}

static uint64_t call(struct setting *t, const char *operation)
{
    uint64_t number =
        driver_call_stream(t->s, operation, NULL, "{\"stream\":1}", NULL, 0, t->theirs);

    cr_assert_neq(number, 0);
    return number;
}

static bool wait_for(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };

    return poll(&p, 1, 20000) == 1;
}

/* Everything up to the end; -1: 20 s without any. */
static int64_t read_all(int fd, uint64_t most, bool *in_order)
{
    unsigned char piece[60000];
    uint64_t at = 0;

    *in_order = true;
    while (at < most) {
        ssize_t n = wait_for(fd, POLLIN) ? read(fd, piece, sizeof(piece)) : -1;

        if (n < 0)
            return -1;
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            *in_order = *in_order && piece[i] == (unsigned char)(at + (uint64_t)i);
        at += (uint64_t)n;
    }
    return (int64_t)at;
}

static unsigned open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

FOR_BOTH(stream, that_a_driver_writes_arrives_whole_and_ends)
{
    struct setting t;
    bool in_order;

    begin(&t, *isolation, true);
    call(&t, "write-stream");
    cr_expect_eq(read_all(t.ours, UINT64_MAX, &in_order), MIB);
    cr_expect(in_order);
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    cr_expect_str_eq(t.r.result, "{\"bytes\":1048576,\"sum\":0,\"last\":0}");
    end(&t);
}

FOR_BOTH(stream, that_a_driver_reads_is_what_was_sent)
{
    char piece[3000];
    struct setting t;

    memset(piece, 7, sizeof(piece));
    begin(&t, *isolation, false);
    call(&t, "read-stream");
    for (int i = 0; i < 100; i++) {
        cr_assert(wait_for(t.ours, POLLOUT));
        cr_assert_eq(write(t.ours, piece, sizeof(piece)), (ssize_t)sizeof(piece));
    }
    close(t.ours);
    t.ours = -1;
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    cr_expect_str_eq(t.r.result, "{\"bytes\":300000,\"sum\":2100000,\"last\":0}");
    end(&t);
}

FOR_BOTH(stream, may_be_a_file)
{
    char path[] = "/tmp/polyvisor-stream-XXXXXX";
    struct setting t;
    int fd = mkostemp(path, O_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "abc", 3), 3);
    close(fd);
    begin(&t, *isolation, false);
    close(t.theirs);
    t.theirs = open(path, O_RDONLY | O_CLOEXEC);
    unlink(path);
    call(&t, "read-stream");
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    cr_expect_str_eq(t.r.result, "{\"bytes\":3,\"sum\":294,\"last\":0}");
    end(&t);
}

FOR_BOTH(stream, of_a_driver_that_is_faster_waits_and_ends_on_cancel)
{
    char wanted[64];
    struct setting t;
    uint64_t number;

    begin(&t, *isolation, true);
    number = call(&t, "write-for-ever");
    cr_assert(wait_for(t.ours, POLLIN));
    usleep(50000);
    cr_expect_eq(t.r.results, 0, "nobody reads: it waits");
    driver_cancel(t.s, number);
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    snprintf(wanted, sizeof(wanted), "\"last\":%d}", PV_ECANCELED);
    cr_expect(strstr(t.r.result, wanted) != NULL, "%s", t.r.result);
    end(&t);
}

FOR_BOTH(stream, that_nobody_writes_ends_on_cancel)
{
    struct setting t;
    char wanted[64];
    uint64_t number;

    begin(&t, *isolation, false);
    number = call(&t, "read-stream");
    /* Taken, so that the call has begun. */
    cr_assert_eq(write(t.ours, "x", 1), 1);
    for (int i = 0, left = 1; i < 2000 && left; i++) {
        struct pollfd p = { .fd = t.theirs, .events = 0 };

        usleep(10000);
        left = poll(&p, 1, 0) > 0 ? 0 : i < 50;
    }
    driver_cancel(t.s, number);
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    snprintf(wanted, sizeof(wanted), "\"last\":%d}", PV_ECANCELED);
    cr_expect(strstr(t.r.result, wanted) != NULL || t.r.failure.code == PV_ECANCELED, "%s", t.r.result);
    end(&t);
}

FOR_BOTH(stream, whose_reader_is_gone_ends)
{
    struct setting t;
    char wanted[64];

    begin(&t, *isolation, true);
    call(&t, "write-for-ever");
    cr_assert(wait_for(t.ours, POLLIN));
    close(t.ours);
    t.ours = -1;
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    snprintf(wanted, sizeof(wanted), "\"last\":%d}", PV_ECANCELED);
    cr_expect(strstr(t.r.result, wanted) != NULL, "%s", t.r.result);
    cr_expect_eq(t.r.downs, 0, "no signal has ended the host");
    end(&t);
}

FOR_BOTH(stream, of_another_number_or_direction_is_refused)
{
    struct setting t;
    char wanted[64];

    begin(&t, *isolation, true);
    call(&t, "read-other");
    cr_assert(recorder_wait(&t.r, &t.r.results, 1));
    snprintf(wanted, sizeof(wanted), "{\"bytes\":0,\"sum\":0,\"last\":%d}", PV_EINVAL);
    cr_expect_str_eq(t.r.result, wanted);
    driver_call(t.s, "write-stream", NULL, NULL, NULL, 0);
    cr_assert(recorder_wait(&t.r, &t.r.results, 2));
    cr_expect_str_eq(t.r.result, wanted, "a stream is its call's alone");
    end(&t);
}

Test(stream, of_a_host_that_crashes_ends, .timeout = 60)
{
    struct setting t;
    bool in_order;

    begin(&t, DRIVERS_PROCESS, true);
    call(&t, "write-crash");
    cr_expect_eq(read_all(t.ours, UINT64_MAX, &in_order), 8192);
    cr_assert(recorder_wait(&t.r, &t.r.downs, 1));
    cr_expect_eq(t.r.failure.code, PV_EIO);
    end(&t);
}

/* In process: here the host's descriptors are ours, too. */
Test(stream, leaves_no_descriptor_behind, .timeout = 60)
{
    struct setting t;
    unsigned before;
    bool in_order;

    begin(&t, DRIVERS_IN_PROCESS, true);
    before = open_files();
    for (unsigned i = 1; i <= 20; i++) {
        int ends[2] = { t.ours, t.theirs };

        if (i > 1)
            cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
        t.theirs = ends[1];
        driver_cancel(t.s, call(&t, i % 2 ? "write-stream" : "read-other"));
        read_all(ends[0], UINT64_MAX, &in_order);
        close(ends[0]);
        cr_assert(recorder_wait(&t.r, &t.r.results, i));
    }
    t.ours = -1;
    cr_expect_eq(open_files(), before - 2);
    end(&t);
}
