/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define FLAG_MEMFD 1u
#define FLAG_STREAM 2u
#define NO_TEXT UINT64_MAX
#define SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#define STEP_NAME_MAX 256u
#define JOB_MAX 512u

struct head {
    uint32_t length;    /* of the whole message */
    uint16_t type, flags;
    uint64_t call;
};
_Static_assert(sizeof(struct head) == FRAME_HEAD, "the head of a frame has no holes");

/* ---------------------------------------------------------------- writing */

void frame_begin(struct buf *payload, uint64_t session)
{
    buf_reset(payload);
    frame_put_u64(payload, session);
}

void frame_put_u64(struct buf *payload, uint64_t v)
{
    buf_append(payload, &v, sizeof(v));
}

static void put_padding(struct buf *payload)
{
    static const char zeros[8];

    buf_append(payload, zeros, (8 - payload->len % 8) % 8);
}

static void put_bytes(struct buf *payload, const void *data, size_t len)
{
    frame_put_u64(payload, len);
    buf_append(payload, data, len);
    put_padding(payload);
}

static void put_text_n(struct buf *payload, const char *text, size_t len)
{
    uint64_t length;
    size_t at = payload->len;

    frame_put_u64(payload, len);
    if (str_utf8_ok(text, len, true)) {
        buf_append(payload, text, len);
    } else {
        str_utf8_clean(payload, text, len);
        length = payload->len - at - sizeof(length);
        if (buf_ok(payload))
            memcpy(payload->data + at, &length, sizeof(length));
    }
    buf_char(payload, '\0');
    put_padding(payload);
}

void frame_put_text(struct buf *payload, const char *text)
{
    if (text)
        put_text_n(payload, text, strlen(text));
    else
        frame_put_u64(payload, NO_TEXT);
}

/* The texts of a failure come from drivers, which may have forgotten the end. */
#define PUT_ARRAY(payload, array) put_text_n(payload, array, strnlen(array, sizeof(array)))

void frame_put_failure(struct buf *payload, const struct pv_failure *f)
{
    frame_put_u64(payload, (uint64_t)(int64_t)f->code);
    PUT_ARRAY(payload, f->native_code);
    PUT_ARRAY(payload, f->needs);
    PUT_ARRAY(payload, f->message);
    PUT_ARRAY(payload, f->problem);
    PUT_ARRAY(payload, f->remedy);
}

void frame_put_progress(struct buf *payload, const struct pv_progress *p)
{
    frame_put_u64(payload, (uint64_t)(int64_t)p->percent);
    frame_put_u64(payload, p->step);
    frame_put_u64(payload, p->steps);
    frame_put_u64(payload, p->bytes_done);
    frame_put_u64(payload, p->bytes_total);
    frame_put_text(payload, p->step_name && strlen(p->step_name) <= STEP_NAME_MAX ? p->step_name
                                                                                 : NULL);
    frame_put_text(payload, p->native_ref);
    frame_put_text(payload, p->job && strlen(p->job) <= JOB_MAX ? p->job : NULL);
}

void frame_put_batch(struct buf *payload, const struct pv_batch *b)
{
    frame_put_u64(payload, b->kind);
    frame_put_u64(payload, b->stride);
    frame_put_u64(payload, b->count);
    frame_put_u64(payload, b->flags);
    put_bytes(payload, b->records, (size_t)b->stride * b->count);
    put_bytes(payload, b->blob_len ? b->blob : "", b->blob_len);
}

static int write_all(int fd, const char *data, size_t len, struct pv_err *err)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pv_fail_os(err, errno, "cannot fill shared memory");
        data += n;
        len -= (size_t)n;
    }
    return PV_OK;
}

/* Shared memory with the payload in it, which nobody can change any more. */
static int make_memfd(const struct buf *payload, int *out, struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = memfd_create("polyvisor-frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int rc;

    if (fd < 0)
        return pv_fail_os(err, errno, "cannot make shared memory");
    rc = write_all(fd, payload->data, payload->len, err);
    if (rc != PV_OK)
        return rc;
    if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_SEAL) < 0)
        return pv_fail_os(err, errno, "cannot seal shared memory");
    *out = fd;
    fd = -1;
    return PV_OK;
}

static int send_message(int fd, struct msghdr *msg, struct pv_err *err)
{
    for (;;) {
        if (sendmsg(fd, msg, MSG_NOSIGNAL) >= 0)
            return PV_OK;
        if (errno == EINTR)
            continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return pv_fail(err, PV_EBUSY, "the connection is full");
        return pv_fail(err, PV_EOFFLINE, "the other end is gone: %s", strerrordesc_np(errno));
    }
}

/* `passed`: a descriptor that goes along, -1: none. */
static int send_parts(int fd, struct head *head, struct iovec body, int passed, struct pv_err *err)
{
    struct iovec parts[2] = { { head, sizeof(*head) }, body };
    struct msghdr msg = { .msg_iov = parts, .msg_iovlen = 2 };
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };

    if (passed >= 0) {
        struct cmsghdr *cm;

        msg.msg_control = control;
        msg.msg_controllen = sizeof(control);
        cm = CMSG_FIRSTHDR(&msg);
        cm->cmsg_level = SOL_SOCKET;
        cm->cmsg_type = SCM_RIGHTS;
        cm->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cm), &passed, sizeof(int));
    }
    head->length = (uint32_t)(sizeof(*head) + body.iov_len);
    return send_message(fd, &msg, err);
}

int frame_send(int fd, enum frame_type type, uint64_t call, const struct buf *payload,
               struct pv_err *err)
{
    struct head head = { .type = (uint16_t)type, .call = call };
    PV_AUTO_CLOSE int memfd = -1;
    uint64_t size = payload->len;
    int rc;

    if (!buf_ok(payload))
        return pv_fail(err, PV_ENOMEM, "no memory for a frame");
    if (payload->len <= FRAME_SIZE - FRAME_HEAD)
        return send_parts(fd, &head, (struct iovec){ payload->data, payload->len }, -1, err);
    rc = make_memfd(payload, &memfd, err);
    if (rc != PV_OK)
        return rc;
    head.flags = FLAG_MEMFD;
    return send_parts(fd, &head, (struct iovec){ &size, sizeof(size) }, memfd, err);
}

int frame_send_stream(int fd, uint64_t call, const struct buf *payload, int stream,
                      struct pv_err *err)
{
    struct head head = { .type = FRAME_STREAM, .flags = FLAG_STREAM, .call = call };

    if (!buf_ok(payload) || payload->len > FRAME_SIZE - FRAME_HEAD || stream < 0)
        return pv_fail(err, PV_EINVAL, "a stream needs a descriptor and a small frame");
    return send_parts(fd, &head, (struct iovec){ payload->data, payload->len }, stream, err);
}

/* ---------------------------------------------------------------- reading */

int frame_decode(const void *message, size_t len, bool has_fd, struct frame *out, uint64_t *size,
                 struct pv_err *err)
{
    struct head head;

    if (len < sizeof(head))
        return pv_fail(err, PV_EFORMAT, "a frame is %zu bytes short", sizeof(head) - len);
    memcpy(&head, message, sizeof(head));
    if (head.length != len)
        return pv_fail(err, PV_EFORMAT, "a frame of %zu bytes says it has %u", len, head.length);
    if (!((head.type >= FRAME_HELLO && head.type <= FRAME_LOG) ||
          (head.type >= FRAME_OPEN && head.type <= FRAME_STREAM)))
        return pv_fail(err, PV_EFORMAT, "there is no frame of type %u", head.type);
    if (head.flags > FLAG_STREAM || (head.flags != 0) != has_fd ||
        (head.flags == FLAG_STREAM) != (head.type == FRAME_STREAM))
        return pv_fail(err, PV_EFORMAT, "the flags of a frame are wrong");
    if (len % 8 != 0 || len < sizeof(head) + FRAME_FIELDS)
        return pv_fail(err, PV_EFORMAT, "a frame of %zu bytes has no session", len);
    *size = 0;
    if (head.flags == FLAG_MEMFD) {
        if (len != sizeof(head) + sizeof(*size))
            return pv_fail(err, PV_EFORMAT, "a frame with shared memory has %zu bytes", len);
        memcpy(size, (const char *)message + sizeof(head), sizeof(*size));
        if (*size < FRAME_FIELDS || *size > FRAME_PAYLOAD_MAX || *size % 8 != 0)
            return pv_fail(err, PV_EFORMAT, "a frame of %llu bytes is too large",
                           (unsigned long long)*size);
    }
    out->type = head.type;
    out->call = head.call;
    out->has_fd = head.flags == FLAG_STREAM;
    return PV_OK;
}

/* Takes what is in the memfd into own memory, after making sure that it stays what it is meanwhile. */
static int read_memfd(int fd, uint64_t size, char **out, struct pv_err *err)
{
    int seals = fcntl(fd, F_GET_SEALS);
    PV_AUTO_FREE char *data = NULL;
    struct stat st;
    size_t done = 0;

    if (seals < 0 || (seals & SEALS) != SEALS)
        return pv_fail(err, PV_EFORMAT, "shared memory of a frame is not sealed");
    if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != size)
        return pv_fail(err, PV_EFORMAT, "shared memory of a frame has another size than it says");
    data = malloc(size);
    if (!data)
        return pv_fail(err, PV_ENOMEM, "no memory for a frame");
    while (done < size) {
        ssize_t n = pread(fd, data + done, size - done, (off_t)done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return pv_fail(err, PV_EFORMAT, "shared memory of a frame cannot be read");
        done += (size_t)n;
    }
    *out = PV_TAKE(data);
    return PV_OK;
}

/* The one descriptor that came along, -1 for none; -2: something else came (it is closed). */
static int take_fd(struct msghdr *msg)
{
    int found = -1;

    for (struct cmsghdr *cm = CMSG_FIRSTHDR(msg); cm; cm = CMSG_NXTHDR(msg, cm)) {
        size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
            if (found == -1) {
                found = fd;
                continue;
            }
            close(fd);
            if (found >= 0)
                close(found);
            found = -2;
        }
    }
    return found;
}

int frame_recv(int fd, struct frame *out, struct pv_err *err)
{
    PV_AUTO_FREE char *message = malloc(FRAME_SIZE);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec part = { message, FRAME_SIZE };
    struct msghdr msg = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof(control) };
    PV_AUTO_CLOSE int memfd = -1;
    struct frame frame = { 0 };
    uint64_t size = 0;
    ssize_t n;
    int rc;

    if (!message)
        return pv_fail(err, PV_ENOMEM, "no memory for a frame");
    do {
        n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return pv_fail(err, PV_EBUSY, "no frame is there");
    if (n <= 0)
        return pv_fail(err, PV_EOFFLINE, "the other end is gone");
    memfd = take_fd(&msg);
    if (memfd == -2 || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return pv_fail(err, PV_EFORMAT, "a frame is too large");
    rc = frame_decode(message, (size_t)n, memfd >= 0, &frame, &size, err);
    if (rc == PV_OK && memfd >= 0 && !frame.has_fd) {
        frame.len = size;
        rc = read_memfd(memfd, size, &frame.data, err);
    } else if (rc == PV_OK) {
        frame.len = (size_t)n - FRAME_HEAD;
        memmove(message, message + FRAME_HEAD, frame.len);
        frame.data = realloc(message, frame.len);
        message = frame.data ? NULL : message;
        if (!frame.data)
            rc = pv_fail(err, PV_ENOMEM, "no memory for a frame");
    }
    if (rc != PV_OK)
        return rc;
    memcpy(&frame.session, frame.data, sizeof(frame.session));
    if (frame.has_fd) {
        frame.fd = memfd;
        memfd = -1;
    }
    *out = frame;
    return PV_OK;
}

void frame_free(struct frame *f)
{
    if (f->data)
        OPENSSL_cleanse(f->data, f->len);
    free(f->data);
    f->data = NULL;
    f->len = 0;
    if (f->has_fd)
        close(f->fd);
    f->has_fd = false;
}

void frame_read(struct frame_reader *r, const struct frame *f)
{
    *r = (struct frame_reader){ .data = f->data, .len = f->len, .pos = FRAME_FIELDS };
}

uint64_t frame_get_u64(struct frame_reader *r, uint64_t max)
{
    uint64_t v;

    if (r->bad || r->len - r->pos < sizeof(v)) {
        r->bad = true;
        return 0;
    }
    memcpy(&v, r->data + r->pos, sizeof(v));
    r->pos += sizeof(v);
    if (v > max) {
        r->bad = true;
        return 0;
    }
    return v;
}

/* A number from -max - 1 to max. */
static int64_t get_i64(struct frame_reader *r, int64_t max)
{
    int64_t v = (int64_t)frame_get_u64(r, UINT64_MAX);

    if (v > max || v < -max - 1) {
        r->bad = true;
        return 0;
    }
    return v;
}

/* `len` bytes, then zeros up to a multiple of 8. */
static const char *get_padded(struct frame_reader *r, uint64_t len)
{
    const char *at = r->data + r->pos;
    size_t padded;

    if (r->bad || len > r->len - r->pos) {
        r->bad = true;
        return NULL;
    }
    padded = ((size_t)len + 7) / 8 * 8;
    if (padded > r->len - r->pos) {
        r->bad = true;
        return NULL;
    }
    for (size_t i = (size_t)len; i < padded; i++)
        r->bad = r->bad || at[i] != '\0';
    r->pos += padded;
    return r->bad ? NULL : at;
}

const char *frame_get_text_or_null(struct frame_reader *r, size_t max)
{
    uint64_t len = frame_get_u64(r, UINT64_MAX);
    const char *text;

    if (r->bad || len == NO_TEXT)
        return NULL;
    if (len > max) {
        r->bad = true;
        return NULL;
    }
    text = get_padded(r, len + 1);
    if (text && (text[len] != '\0' || !str_utf8_ok(text, (size_t)len, true)))
        r->bad = true;
    return r->bad ? NULL : text;
}

const char *frame_get_text(struct frame_reader *r, size_t max)
{
    const char *text = frame_get_text_or_null(r, max);

    if (!text)
        r->bad = true;
    return text ? text : "";
}

/* Cleaning can make a text longer than the array it came from: it is cut again, at a character. */
#define GET_ARRAY(r, array) str_copy(array, sizeof(array), frame_get_text(r, 3 * sizeof(array)))

void frame_get_failure(struct frame_reader *r, struct pv_failure *out)
{
    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
    out->code = (int32_t)get_i64(r, INT32_MAX);
    GET_ARRAY(r, out->native_code);
    GET_ARRAY(r, out->needs);
    GET_ARRAY(r, out->message);
    GET_ARRAY(r, out->problem);
    GET_ARRAY(r, out->remedy);
}

void frame_get_progress(struct frame_reader *r, struct pv_progress *out)
{
    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
    out->percent = (int32_t)get_i64(r, INT32_MAX);
    out->step = (uint32_t)frame_get_u64(r, UINT32_MAX);
    out->steps = (uint32_t)frame_get_u64(r, UINT32_MAX);
    out->bytes_done = frame_get_u64(r, UINT64_MAX);
    out->bytes_total = frame_get_u64(r, UINT64_MAX);
    out->step_name = frame_get_text_or_null(r, 3 * STEP_NAME_MAX);
    out->native_ref = frame_get_text_or_null(r, 3 * FRAME_REF_MAX);
    out->job = frame_get_text_or_null(r, 3 * JOB_MAX);
}

void frame_get_batch(struct frame_reader *r, struct pv_batch *out)
{
    uint64_t area;

    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
    out->kind = (uint32_t)frame_get_u64(r, UINT32_MAX);
    out->stride = (uint32_t)frame_get_u64(r, PV_RECORD_HEAD + 8 * PV_RECORD_SLOTS);
    out->count = (uint32_t)frame_get_u64(r, PV_BATCH_MAX_COUNT);
    out->flags = (uint32_t)frame_get_u64(r, UINT32_MAX);
    area = frame_get_u64(r, UINT64_MAX);
    if (area != (uint64_t)out->stride * out->count)
        r->bad = true;
    out->records = get_padded(r, area);
    out->blob_len = (uint32_t)frame_get_u64(r, PV_BATCH_MAX_BLOB);
    out->blob = get_padded(r, out->blob_len);
}

bool frame_done(const struct frame_reader *r)
{
    return !r->bad && r->pos == r->len;
}
