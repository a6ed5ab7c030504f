/* SPDX-License-Identifier: Apache-2.0 */
/* Frames arrive as they were sent; what is not exactly a frame is refused. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <polyvisor/err.h>

#include "drivers/sdk/frame.h"

static int pair[2];

static void connect_both(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    cr_assert_eq(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
}

static void disconnect(void)
{
    close(pair[0]);
    close(pair[1]);
}

TestSuite(frame, .init = connect_both, .fini = disconnect);

Test(frame, carries_every_kind_of_field)
{
    struct pv_failure failure = { .size = sizeof(failure), .code = PV_EPERM,
                                  .native_code = "NoPermission", .message = "may \xff not" };
    struct pv_progress progress = { .size = sizeof(progress), .percent = -1, .bytes_total = 1ull << 40,
                                    .native_ref = "2||task-1", .job = "task-1" };
    struct pv_failure failure_out;
    struct pv_progress progress_out;
    struct frame_reader r;
    struct frame f = { 0 };
    struct buf b;

    /* The arrays of a driver need not end with NUL. */
    memset(failure.remedy, 'r', sizeof(failure.remedy));
    buf_init(&b, FRAME_PAYLOAD_MAX);
    frame_begin(&b, 7);
    frame_put_u64(&b, 42);
    frame_put_text(&b, "grüße");
    frame_put_text(&b, NULL);
    frame_put_text(&b, "");
    frame_put_failure(&b, &failure);
    frame_put_progress(&b, &progress);
    cr_assert_eq(frame_send(pair[0], FRAME_RESULT, 9, &b, NULL), PV_OK);
    cr_assert_eq(frame_recv(pair[1], &f, NULL), PV_OK);
    cr_expect_eq(f.type, FRAME_RESULT);
    cr_expect_eq(f.call, 9);
    cr_expect_eq(f.session, 7);
    frame_read(&r, &f);
    cr_expect_eq(frame_get_u64(&r, 100), 42);
    cr_expect_str_eq(frame_get_text(&r, 100), "grüße");
    cr_expect_null(frame_get_text_or_null(&r, 100));
    cr_expect_str_eq(frame_get_text(&r, 100), "");
    frame_get_failure(&r, &failure_out);
    frame_get_progress(&r, &progress_out);
    cr_expect(frame_done(&r));
    cr_expect_eq(failure_out.code, PV_EPERM);
    cr_expect_str_eq(failure_out.native_code, "NoPermission");
    cr_expect_str_eq(failure_out.message, "may \xef\xbf\xbd not");
    cr_expect_eq(strlen(failure_out.remedy), sizeof(failure_out.remedy) - 1);
    cr_expect_eq(progress_out.percent, -1);
    cr_expect_eq(progress_out.bytes_total, 1ull << 40);
    cr_expect_null(progress_out.step_name);
    cr_expect_str_eq(progress_out.native_ref, "2||task-1");
    cr_expect_str_eq(progress_out.job, "task-1");
    frame_free(&f);
    buf_free(&b);
}

Test(frame, of_any_size_arrives_whole)
{
    static const size_t sizes[] = { 1, 65000, 65536 - 16 - 8 - 8 - 8, 65536, 1 << 20, 24 << 20 };

    for (size_t i = 0; i < 6; i++) {
        char *text = malloc(sizes[i] + 1);
        struct frame_reader r;
        struct frame f = { 0 };
        struct buf b;

        memset(text, 'x', sizes[i]);
        text[sizes[i]] = '\0';
        buf_init(&b, FRAME_PAYLOAD_MAX);
        frame_begin(&b, 1);
        frame_put_text(&b, text);
        cr_assert_eq(frame_send(pair[0], FRAME_PROVIDER, 0, &b, NULL), PV_OK);
        cr_assert_eq(frame_recv(pair[1], &f, NULL), PV_OK);
        frame_read(&r, &f);
        cr_expect_str_eq(frame_get_text(&r, 32 << 20), text);
        cr_expect(frame_done(&r));
        frame_free(&f);
        buf_free(&b);
        free(text);
    }
}

Test(frame, tells_nothing_there_from_gone)
{
    struct frame f = { 0 };

    cr_expect_eq(frame_recv(pair[1], &f, NULL), PV_EBUSY);
    shutdown(pair[0], SHUT_RDWR);
    cr_expect_eq(frame_recv(pair[1], &f, NULL), PV_EOFFLINE);
}

Test(frame, fields_that_are_not_there_or_too_long_are_bad)
{
    struct frame_reader r;
    struct frame f = { 0 };
    struct buf b;

    buf_init(&b, FRAME_PAYLOAD_MAX);
    frame_begin(&b, 1);
    frame_put_text(&b, "four");
    cr_assert_eq(frame_send(pair[0], FRAME_PROVIDER, 0, &b, NULL), PV_OK);
    cr_assert_eq(frame_recv(pair[1], &f, NULL), PV_OK);
    frame_read(&r, &f);
    cr_expect_str_eq(frame_get_text(&r, 3), "");
    cr_expect(r.bad);
    frame_read(&r, &f);
    frame_get_text(&r, 4);
    cr_expect(frame_done(&r));
    frame_get_u64(&r, UINT64_MAX);
    cr_expect(r.bad);
    frame_read(&r, &f);
    cr_expect_not(frame_done(&r), "something is left");
    frame_free(&f);
    buf_free(&b);
}

struct raw_head {
    uint32_t length;
    uint16_t type, flags;
    uint64_t call, session;
};

/* Sends a message with up to two descriptors. */
static void send_raw(const void *data, size_t len, const int *fds, size_t nfds)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
    struct iovec part = { (void *)(uintptr_t)data, len };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1 };

    if (nfds) {
        struct cmsghdr *cm;

        msg.msg_control = control;
        msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
        cm = CMSG_FIRSTHDR(&msg);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(nfds * sizeof(int));
        memcpy(CMSG_DATA(cm), fds, nfds * sizeof(int));
    }
    cr_assert_eq(sendmsg(pair[0], &msg, 0), (ssize_t)len);
}

Test(frame, heads_that_lie_are_refused)
{
    static const struct {
        struct raw_head head;
        size_t len;
    } bad[] = {
        { { 24, FRAME_PROVIDER, 0, 0, 0 }, 8 },     /* shorter than a head */
        { { 32, FRAME_PROVIDER, 0, 0, 0 }, 24 },    /* says it is longer */
        { { 16, FRAME_PROVIDER, 0, 0, 0 }, 24 },    /* says it is shorter */
        { { 16, FRAME_PROVIDER, 0, 0, 0 }, 16 },    /* no session */
        { { 24, 0, 0, 0, 0 }, 24 },                 /* no such type */
        { { 24, 63, 0, 0, 0 }, 24 },                /* no such type */
        { { 24, FRAME_PROVIDER, 2, 0, 0 }, 24 },    /* no such flag */
        { { 24, FRAME_PROVIDER, 1, 0, 64 }, 24 },   /* memory that is not there */
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct frame f = { 0 };

        send_raw(&bad[i].head, bad[i].len, NULL, 0);
        cr_expect_eq(frame_recv(pair[1], &f, NULL), PV_EFORMAT, "%zu", i);
    }
}

static int memory(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, (off_t)size), 0);
    cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static size_t lowest_free_fd(void)
{
    int fd = dup(0);

    close(fd);
    return (size_t)fd;
}

Test(frame, shared_memory_has_to_be_sealed_and_as_large_as_it_says)
{
    static const struct {
        size_t size;
        uint64_t says;
        int seals;
        int rc;
    } cases[] = {
        { 4096, 4096, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, PV_OK },
        { 4096, 4096, F_SEAL_SHRINK | F_SEAL_GROW, PV_EFORMAT },
        { 4096, 4096, F_SEAL_WRITE | F_SEAL_GROW, PV_EFORMAT },
        { 4096, 4096, F_SEAL_WRITE | F_SEAL_SHRINK, PV_EFORMAT },
        { 4096, 8192, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, PV_EFORMAT },
        { 4096, 0, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, PV_EFORMAT },
        { 4096, 4095, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, PV_EFORMAT },
        { 4096, UINT64_MAX - 7, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW, PV_EFORMAT },
    };
    size_t before = lowest_free_fd();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct raw_head head = { 24, FRAME_PROVIDER, 1, 0, cases[i].says };
        int fds[2] = { memory(cases[i].size, cases[i].seals), -1 };
        struct frame f = { 0 };

        send_raw(&head, 24, fds, 1);
        close(fds[0]);
        cr_expect_eq(frame_recv(pair[1], &f, NULL), cases[i].rc, "%zu", i);
        frame_free(&f);
    }
    cr_expect_eq(lowest_free_fd(), before, "no descriptor is left");
}

Test(frame, descriptors_that_nobody_asked_for_are_closed)
{
    struct raw_head head = { 24, FRAME_PROVIDER, 0, 0, 0 };
    size_t before = lowest_free_fd();
    struct frame f = { 0 };
    int fds[2];

    for (size_t n = 1; n <= 2; n++) {
        fds[0] = memory(4096, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
        fds[1] = memory(4096, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
        head.flags = n == 2;
        head.session = 4096;
        send_raw(&head, 24, fds, n);
        close(fds[0]);
        close(fds[1]);
        cr_expect_eq(frame_recv(pair[1], &f, NULL), PV_EFORMAT);
    }
    cr_expect_eq(lowest_free_fd(), before);
}

Test(frame, a_batch_comes_through_with_its_places_kept)
{
    char records[2 * 72] = { 0 };
    struct pv_batch in = { .size = sizeof(in), .kind = PV_KIND_vm, .stride = 72, .count = 2,
                           .flags = PV_BATCH_GONE, .blob_len = 5, .records = records,
                           .blob = "a\0b\xff" "c" };
    struct pv_batch out;
    struct frame_reader r;
    struct frame f = { 0 };
    struct buf b;

    records[70] = 7;
    buf_init(&b, FRAME_PAYLOAD_MAX);
    frame_begin(&b, 1);
    frame_put_batch(&b, &in);
    cr_assert_eq(frame_send(pair[0], FRAME_BATCH, 0, &b, NULL), PV_OK);
    cr_assert_eq(frame_recv(pair[1], &f, NULL), PV_OK);
    frame_read(&r, &f);
    frame_get_batch(&r, &out);
    cr_assert(frame_done(&r));
    cr_expect_eq(out.kind, in.kind);
    cr_expect_eq(out.flags, in.flags);
    cr_expect_eq((uintptr_t)out.records % 8, 0);
    cr_expect_arr_eq(out.records, records, sizeof(records));
    cr_expect_eq(out.blob_len, 5);
    cr_expect_arr_eq(out.blob, in.blob, 5);
    frame_free(&f);
    buf_free(&b);
}

Test(frame, takes_a_descriptor_along_and_closes_one_that_nobody_takes)
{
    struct frame_reader r;
    struct frame f = { 0 };
    struct buf b;
    int ends[2], taken;
    char c = 0;

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    buf_init(&b, FRAME_SIZE);
    frame_begin(&b, 7);
    frame_put_u64(&b, 1);
    cr_assert_eq(frame_send_stream(pair[0], 9, &b, ends[1], NULL), PV_OK);
    cr_assert_eq(frame_send_stream(pair[0], 9, &b, ends[1], NULL), PV_OK);
    close(ends[1]);
    cr_assert_eq(frame_recv(pair[1], &f, NULL), PV_OK);
    cr_assert(f.has_fd);
    cr_expect_eq(f.type, FRAME_STREAM);
    frame_read(&r, &f);
    cr_expect_eq(frame_get_u64(&r, 5), 1);
    cr_expect(frame_done(&r));
    taken = f.fd;
    f.has_fd = false;
    frame_free(&f);
    cr_expect_eq(write(taken, "x", 1), 1);
    close(taken);
    cr_assert_eq(frame_recv(pair[1], &f, NULL), PV_OK);
    frame_free(&f);
    cr_expect_eq(read(ends[0], &c, 1), 1);
    cr_expect_eq(read(ends[0], &c, 1), 0, "nobody has the other end any more");
    close(ends[0]);
    buf_free(&b);
}

Test(frame, of_another_type_takes_no_descriptor_and_a_stream_has_one)
{
    struct {
        uint32_t length;
        uint16_t type, flags;
        uint64_t call, session;
    } m = { .length = sizeof(m), .type = FRAME_STREAM };
    struct frame f = { 0 };
    uint64_t size;

    cr_expect_eq(frame_decode(&m, sizeof(m), false, &f, &size, NULL), PV_EFORMAT);
    m.flags = 2;
    cr_expect_eq(frame_decode(&m, sizeof(m), false, &f, &size, NULL), PV_EFORMAT);
    cr_expect_eq(frame_decode(&m, sizeof(m), true, &f, &size, NULL), PV_OK);
    cr_expect(f.has_fd);
    m.flags = 3;
    cr_expect_eq(frame_decode(&m, sizeof(m), true, &f, &size, NULL), PV_EFORMAT);
    m.flags = 2;
    m.type = FRAME_CALL;
    cr_expect_eq(frame_decode(&m, sizeof(m), true, &f, &size, NULL), PV_EFORMAT);
}
