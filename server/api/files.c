/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of files of datastores. The driver is asked twice: what the file is, which decides the
 * answer's head, and then for the bytes, which it writes into a pipe that the answer comes out of. The
 * answer begins with the first byte, so that a failure before it is a proper problem.
 */
#include "server/api/internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* Each keeps one of the 32 threads of its driver's host. */
#define DOWNLOADS_MAX 16u
#define BUSY_RETRY_S 10
#define PIPE_BYTES (1 << 20)

static atomic_uint downloads;

struct download {
    atomic_uint refs;           /* the request's, the call's and the watch's */
    atomic_bool answered;       /* somebody fills in the answer */
    struct req *r;              /* until then */
    struct core_task_request task;
    json_t *params;             /* owned */
    char *name;                 /* owned: last part of the path */
    uint64_t size, offset, length;
    int64_t modified_ms;
    bool part, counted;
    int fd;                     /* our end of the pipe; owned until the answer has it, -1: none */
    pthread_mutex_t lock;
    struct core_call *call;     /* these are guarded by lock */
    bool over;                  /* nobody wants it any more */
    bool empty, ended;          /* nothing came of the pipe; the call has its result */
};

static void json_drop(json_t **j)
{
    json_decref(*j);
}

static void put(struct download *d)
{
    if (atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    if (d->fd >= 0)
        close(d->fd);
    if (d->counted)
        atomic_fetch_sub(&downloads, 1);
    pthread_mutex_destroy(&d->lock);
    json_decref(d->params);
    free(d->name);
    free(d);
}

/* The answer has been sent, or nobody takes it. */
static void release(void *ctx)
{
    struct download *d = ctx;
    struct core_call *call;

    pthread_mutex_lock(&d->lock);
    d->over = true;
    call = d->call;
    d->call = NULL;
    pthread_mutex_unlock(&d->lock);
    core_call_end(call);
    put(d);
}

static bool first(struct download *d)
{
    return !atomic_exchange(&d->answered, true);
}

static void fail(struct download *d, const struct pv_err *err)
{
    struct req *r = d->r;

    reply_problem(r, err);
    release(d);
    req_finish(r);
}

/* ------------------------------------------------------------------ the head of the answer */

static void etag(const struct download *d, char out[48])
{
    snprintf(out, 48, "\"%" PRIx64 "-%" PRIx64 "\"", d->size, (uint64_t)d->modified_ms);
}

/* RFC 9110, 14.1.2: one range of bytes. false: it is none that we take, so the whole is sent; an offset at or behind
 * the end cannot be satisfied. */
static bool read_range(const char *text, uint64_t size, uint64_t *offset, uint64_t *length)
{
    uint64_t from, to = UINT64_MAX;
    const char *at, *dash;

    if (strncasecmp(text, "bytes=", 6) != 0)
        return false;
    at = text + 6;
    dash = strchr(at, '-');
    if (!dash || strchr(at, ','))
        return false;
    if (dash == at) {
        if (!str_u64(dash + 1, strlen(dash + 1), INT64_MAX, &from))
            return false;
        *offset = from < size ? size - from : 0;
        *length = from == 0 ? 0 : size - *offset;
        if (from == 0)
            *offset = size;
        return true;
    }
    if (!str_u64(at, (size_t)(dash - at), INT64_MAX, &from) ||
        (dash[1] && (!str_u64(dash + 1, strlen(dash + 1), INT64_MAX, &to) || to < from)))
        return false;
    *offset = from;
    *length = from >= size ? 0 : to >= size ? size - from : to - from + 1;
    return true;
}

/* PV_OK, or that the range cannot be satisfied. */
static int choose_part(struct download *d, struct pv_err *err)
{
    const char *range = req_header(d->r, "Range"), *only_if = req_header(d->r, "If-Range");
    char tag[48];

    etag(d, tag);
    d->length = d->size;
    if (!range || (only_if && strcmp(only_if, tag) != 0) ||
        !read_range(range, d->size, &d->offset, &d->length))
        return PV_OK;
    if (d->length == 0) {
        pv_fail_as(err, "range-not-satisfiable", "%s has %" PRIu64 " bytes", d->name, d->size);
        reply_headerf(d->r, "Content-Range", "bytes */%" PRIu64, d->size);
        return err->rc;
    }
    d->part = true;
    return PV_OK;
}

/* RFC 8187: what is no attr-char is written by its bytes. */
static void put_disposition(struct req *r, const char *name)
{
    struct buf text;

    buf_init(&text, 4096);
    buf_text(&text, "attachment; filename*=UTF-8''");
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("!#$&+-.^_`|~", c))
            buf_char(&text, *p);
        else
            buf_printf(&text, "%%%02X", c);
    }
    if (buf_ok(&text))
        reply_header(r, "Content-Disposition", text.data);
    buf_free(&text);
}

/* The answer owns the download from here on. */
static void answer(struct download *d)
{
    struct req *r = d->r;
    int fd = d->fd;
    char tag[48];

    d->fd = -1;
    etag(d, tag);
    reply_header(r, "Accept-Ranges", "bytes");
    reply_header(r, "ETag", tag);
    reply_header(r, "X-Accel-Buffering", "no");
    put_disposition(r, d->name);
    if (d->part)
        reply_headerf(r, "Content-Range", "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, d->offset,
                      d->offset + d->length - 1, d->size);
    reply_pipe(r, d->part ? 206 : 200, "application/octet-stream", fd, d->length, release, d);
    req_finish(r);
}

/* ------------------------------------------------------------------ the bytes */

/* The call has ended, and nothing is in the pipe. */
static void came_to_nothing(struct download *d, int rc, const struct pv_err *why)
{
    struct pv_err err = { 0 };

    if (!first(d))
        return;
    if (rc == PV_OK)
        pv_fail(&err, PV_EIO, "the driver sent nothing of %s", d->name);
    fail(d, rc == PV_OK ? &err : why);
}

/* Something is there, or the driver's end is closed: before the call has its result. */
static void on_bytes(void *arg)
{
    struct download *d = arg;
    bool ended;
    int left = 0;

    if (ioctl(d->fd, FIONREAD, &left) == 0 && left > 0) {
        if (first(d))
            answer(d);
        put(d);
        return;
    }
    pthread_mutex_lock(&d->lock);
    d->empty = true;
    ended = d->ended;
    pthread_mutex_unlock(&d->lock);
    if (ended)
        came_to_nothing(d, PV_OK, NULL);
    put(d);
}

static void on_end(void *ctx, int rc, const char *json, const struct pv_err *why)
{
    struct download *d = ctx;
    bool empty;

    (void)json;
    pthread_mutex_lock(&d->lock);
    d->ended = true;
    empty = d->empty;
    pthread_mutex_unlock(&d->lock);
    if (rc != PV_OK || empty)
        came_to_nothing(d, rc, why);
    put(d);
}

static int make_pipe(struct download *d, int *theirs, struct pv_err *err)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return pv_fail(err, PV_ENOMEM, "the server has no descriptor left for a download");
    /* Fewer turns; without it all goes on, slower. */
    (void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    d->fd = ends[0];
    *theirs = ends[1];
    atomic_fetch_add(&d->refs, 1);
    if (net_when_readable(api_of(d->r)->net, ends[0], on_bytes, d))
        return PV_OK;
    put(d);
    close(ends[1]);
    return pv_fail(err, PV_ENOMEM, "no memory for a download");
}

static int call_driver(struct download *d, struct core_call **call, struct pv_err *err)
{
    PV_AUTO(json_drop) json_t *more = json_pack("{s:i, s:I, s:I}", "stream", 1, "offset", (json_int_t)d->offset,
                                                "length", (json_int_t)d->length);
    int theirs = -1, rc = more ? make_pipe(d, &theirs, err) : pv_fail(err, PV_ENOMEM, "no memory for a download");

    if (rc != PV_OK)
        return rc;
    atomic_fetch_add(&d->refs, 1);
    rc = core_live_stream(api_of(d->r)->core, &d->task, more, theirs, on_end, d, call, err);
    if (rc != PV_OK)
        put(d);
    return rc;
}

static void start(struct download *d)
{
    struct core_call *call = NULL;
    struct pv_err err = { 0 };
    bool over;

    /* The answer may be over before this is. */
    atomic_fetch_add(&d->refs, 1);
    if (call_driver(d, &call, &err) != PV_OK) {
        if (first(d))
            fail(d, &err);
        put(d);
        return;
    }
    pthread_mutex_lock(&d->lock);
    over = d->over;
    if (!over)
        d->call = call;
    pthread_mutex_unlock(&d->lock);
    if (over)
        core_call_end(call);
    put(d);
}

/* ------------------------------------------------------------------ what the file is */

static int read_facts(struct download *d, const char *text, struct pv_err *err)
{
    PV_AUTO(json_drop) json_t *json = json_loads(text, 0, NULL);
    const json_t *data = json_object_get(json, "data"), *size = json_object_get(data, "size_bytes"),
                 *at = json_object_get(data, "modified_ms");

    if (!json_is_integer(size) || json_integer_value(size) < 0)
        return pv_fail(err, PV_EIO, "the driver does not say how large %s is", d->name);
    d->size = (uint64_t)json_integer_value(size);
    d->modified_ms = json_is_integer(at) ? json_integer_value(at) : 0;
    return choose_part(d, err);
}

static int take_turn(struct download *d, struct pv_err *err)
{
    d->counted = true;
    if (atomic_fetch_add(&downloads, 1) < DOWNLOADS_MAX)
        return PV_OK;
    pv_fail(err, PV_ENOMEM, "%u files are being downloaded already", DOWNLOADS_MAX);
    err->retry_s = BUSY_RETRY_S;
    return PV_ENOMEM;
}

static void on_facts(void *ctx, int rc, const char *json, const struct pv_err *why)
{
    struct download *d = ctx;
    bool head = strcmp(d->r->method, "HEAD") == 0;
    struct pv_err err = { 0 };

    if (rc != PV_OK) {
        fail(d, why);
        return;
    }
    rc = read_facts(d, json, &err);
    if (rc == PV_OK && !head && d->length > 0)
        rc = take_turn(d, &err);
    if (rc != PV_OK)
        fail(d, &err);
    else if (head || d->length == 0)
        answer(d);
    else
        start(d);
}

enum req_result file_download(struct req *r, const struct core_task_request *t)
{
    const char *path = json_string_value(json_object_get(t->params, "path"));
    const char *slash = path ? strrchr(path, '/') : NULL;
    struct download *d = calloc(1, sizeof(*d));
    struct pv_err err = { 0 };
    int rc;

    if (!d) {
        pv_fail(&err, PV_ENOMEM, "no memory for a download");
        return reply_problem(r, &err);
    }
    atomic_init(&d->refs, 1);
    pthread_mutex_init(&d->lock, NULL);
    d->r = r;
    d->fd = -1;
    d->params = json_deep_copy(t->params);
    d->task = *t;
    d->task.params = d->params;
    d->name = strdup(slash ? slash + 1 : path ? path : "");
    rc = d->params && d->name ? core_live(api_of(r)->core, &d->task, on_facts, d, &err)
                              : pv_fail(&err, PV_ENOMEM, "no memory for a download");
    if (rc == PV_OK)
        return REQ_LATER;
    put(d);
    return reply_problem(r, &err);
}
