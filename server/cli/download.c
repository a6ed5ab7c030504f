/* SPDX-License-Identifier: Apache-2.0 */
/* Files of datastores saved here: FILE.part until all of it has come. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <polyvisor/clock.h>
#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/transfer.h"

const struct model_param transfer_download_flags[] = {
    { .name = "output_file",
      .type = PARAM_TEXT,
      .min = 1,
      .max = 4096,
      .doc = "Where to write it (-o), - for standard output; its own name, here, unless given." },
    { .name = "continue",
      .type = PARAM_BOOL,
      .doc = "Go on with FILE.part, which was left by one that was cut off." },
    { .name = "overwrite", .type = PARAM_BOOL, .doc = "Take the place of a file that is there." },
    { 0 },
};

struct download {
    struct cli *c;
    const char *file;       /* NULL: standard output */
    const char *part, *tag; /* names of what is unfinished, and of what it is part of */
    int fd;                 /* of part */
    uint64_t offset;        /* bytes that are there */
    struct transfer_pace pace;
};

static int cannot_write(const char *file, struct pv_err *err)
{
    return pv_fail_os(err, errno, "cannot write %s", file);
}

static int write_all(struct download *d, const char *at, size_t len, struct pv_err *err)
{
    while (len > 0) {
        ssize_t n = write(d->fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return cannot_write(d->part, err);
        at += n;
        len -= (size_t)n;
    }
    return PV_OK;
}

/* Keeps by what FILE.part can be gone on with. */
static int keep_tag(const struct download *d, const struct httpc_response *r, struct pv_err *err)
{
    char tag[128];
    FILE *out;
    bool bad;

    if (!httpc_header(r, "ETag", tag, sizeof(tag))) {
        (void)unlink(d->tag);
        return PV_OK;
    }
    out = fopen(d->tag, "we");
    if (!out)
        return cannot_write(d->tag, err);
    bad = fprintf(out, "%s\n", tag) < 0;
    bad = fclose(out) != 0 || bad;
    return bad ? cannot_write(d->tag, err) : PV_OK;
}

/* The answer begins: all of the file, or what is missing of it. */
static int on_head(void *ctx, const struct httpc_response *r, long status, struct pv_err *err)
{
    struct download *d = ctx;
    char text[64] = "";
    uint64_t length = 0;

    if (!httpc_header(r, "Content-Length", text, sizeof(text)) ||
        !str_u64(text, strlen(text), INT64_MAX, &length))
        return pv_fail(err, PV_EIO, "the server does not say how large the file is");
    if (status == 206) {
        const char *want = arena_printf(d->c->arena, "bytes %" PRIu64 "-", d->offset);

        if (!httpc_header(r, "Content-Range", text, sizeof(text)) || !want ||
            !str_starts(text, want))
            return pv_fail(err, PV_EIO, "the server sent another part than was asked for");
    } else if (d->offset > 0) {
        term_note(d->c, "The file is another one now: starting over.");
        d->offset = 0;
    }
    d->pace = (struct transfer_pace){ .total = d->offset + length,
                                      .first = d->offset,
                                      .began_ms = clock_mono_ms() };
    if (!d->file)
        return PV_OK;
    d->fd = open(d->part, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (d->fd < 0 || ftruncate(d->fd, (off_t)d->offset) != 0 ||
        lseek(d->fd, (off_t)d->offset, SEEK_SET) < 0)
        return cannot_write(d->part, err);
    return keep_tag(d, r, err);
}

static int on_bytes(void *ctx, const void *data, size_t len, struct pv_err *err)
{
    struct download *d = ctx;
    int rc = d->file ? write_all(d, data, len, err) : term_out(data, len, err);

    if (rc != PV_OK)
        return rc;
    d->offset += len;
    transfer_show(d->c, &d->pace, d->offset);
    return PV_OK;
}

static bool is_there(const char *file, struct stat *st)
{
    return stat(file, st) == 0;
}

/* The name that all of it gets. */
static int choose_file(struct download *d, struct pv_err *err)
{
    struct cli *c = d->c;
    const char *file = cli_flag(c, "output_file"), *name = transfer_last_part(c->args[1]);
    bool go_on = cli_flag_on(c, "continue", false);
    struct stat st;

    if (file && strcmp(file, "-") == 0) {
        if (go_on)
            return cli_usage(c, err, "--continue goes on with a file, not with standard output");
        return c->out_tty ? cli_usage(c, err,
                                      "a file's bytes are not for a terminal: send them "
                                      "to a program, or say -o FILE")
                          : PV_OK;
    }
    if (!file && !*name)
        return cli_usage(c, err, "%s is a folder", c->args[1]);
    file = file ? file : name;
    if (is_there(file, &st) && S_ISDIR(st.st_mode))
        file = arena_printf(c->arena, "%s/%s", file, name);
    if (file && is_there(file, &st) && !cli_flag_on(c, "overwrite", false)) {
        pv_fail(err, PV_EEXIST, "there is a file %s here already", file);
        pv_err_remedy(err, "--overwrite takes its place, -o gives another name.");
        return err->rc;
    }
    d->file = file;
    d->part = file ? arena_printf(c->arena, "%s.part", file) : NULL;
    d->tag = file ? arena_printf(c->arena, "%s.part.etag", file) : NULL;
    return d->tag ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

/* What of FILE.part can be kept: its size, and by which ETag. NULL: nothing. */
static const char *choose_start(struct download *d)
{
    char *text = NULL, *tag = NULL;
    struct stat st;

    if (!d->file || !cli_flag_on(d->c, "continue", false) || !is_there(d->part, &st) ||
        !S_ISREG(st.st_mode) || st.st_size == 0)
        return NULL;
    if (str_read_file(d->tag, 1024, &text, NULL, &(struct pv_err){ 0 }) == PV_OK) {
        text[strcspn(text, "\r\n")] = '\0';
        tag = *text ? arena_strdup(d->c->arena, text) : NULL;
    }
    free(text);
    if (tag)
        d->offset = (uint64_t)st.st_size;
    else
        term_note(d->c, "%s is missing, so nobody knows what %s is part of: starting over.", d->tag,
                  d->part);
    return tag;
}

/* From d->offset to the end. */
static int fetch(struct download *d, const char *path, const char *tag, struct pv_err *err)
{
    struct client_file f = { .on_head = on_head, .on_bytes = on_bytes, .ctx = d };
    uint64_t size = 0;
    int rc;

    if (tag) {
        f.range = arena_printf(d->c->arena, "bytes=%" PRIu64 "-", d->offset);
        f.if_range = tag;
    }
    rc = client_file(d->c, path, &f, err);
    term_progress_end(d->c);
    if (rc == PV_OK && d->offset != d->pace.total)
        rc = pv_fail(err, PV_EOFFLINE, "the server's answer ended before the file did");
    if (f.status != 416)
        return rc;
    /* Nothing is missing, or what is there is no part of it. */
    transfer_forget(d->c, err);
    if (str_starts(f.content_range, "bytes */") &&
        str_u64(f.content_range + 8, strlen(f.content_range + 8), INT64_MAX, &size) &&
        size == d->offset)
        return PV_OK;
    term_note(d->c, "%s is larger than the file: starting over.", d->part);
    d->offset = 0;
    return fetch(d, path, NULL, err);
}

static int finish_file(struct download *d, struct pv_err *err)
{
    struct stat st;
    int fd = d->fd;

    d->fd = -1;
    if (fd >= 0 && fsync(fd) != 0) {
        close(fd);
        return cannot_write(d->part, err);
    }
    if (fd >= 0 && close(fd) != 0)
        return cannot_write(d->part, err);
    if (is_there(d->file, &st) && !cli_flag_on(d->c, "overwrite", false))
        return pv_fail(err, PV_EEXIST, "a file %s has appeared meanwhile; this one is %s", d->file,
                       d->part);
    if (rename(d->part, d->file) != 0)
        return cannot_write(d->file, err);
    (void)unlink(d->tag);
    return PV_OK;
}

int transfer_download(struct cli *c, struct pv_err *err)
{
    struct download d = { .c = c, .fd = -1 };
    const char *store = object_segment(c, model_kind(PV_KIND_datastore), c->args[0], err), *tag;
    struct buf path;
    int rc = store ? choose_file(&d, err) : err->rc;

    if (rc != PV_OK)
        return rc;
    tag = choose_start(&d);
    buf_init(&path, 65536);
    buf_printf(&path, API "/datastores/%s/files/content", store);
    client_query(&path, "path", c->args[1]);
    term_catch_interrupt(d.file != NULL);
    rc = path.data ? fetch(&d, path.data, tag, err) : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK && d.file)
        rc = finish_file(&d, err);
    else if (rc != PV_OK &&
             (term_interrupted() || (d.file && d.offset > 0 && !transfer_refused(c))))
        rc = transfer_leave(c, rc, "continue", "are here", d.offset, err);
    term_catch_interrupt(false);
    if (d.fd >= 0)
        close(d.fd);
    buf_free(&path);
    return rc;
}
