/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in files of a datastore: GET and PUT of /folder/<path>?dcPath=<datacenter>&dsName=<datastore>
 * (vSphere Web Services SDK Programming Guide, "Datastore File Access"). Names in dcPath and dsName
 * are those of the inventory, in which a slash, a backslash and a percent sign are %2f, %5c and %25;
 * all of it is escaped for the URL once more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/op_files.h"
#include "drivers/vapi/tree.h"
#include "drivers/vapi/vapi.h"

#define URL_MOST 8000
#define PLACE_MOST 2048
#define LEVELS_MOST 64
#define TELL_MS 500

/* ------------------------------------------------------------------ where a file is */

/* RFC 3986, 2.3; `keep`: further characters that stay. */
static void put_escaped(struct buf *out, const char *text, const char *keep)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            strchr("-._~", c) || strchr(keep, c))
            buf_char(out, *text);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* A name as the inventory has it. */
static void put_name(struct buf *out, const char *name)
{
    for (; *name; name++) {
        if (*name == '/' || *name == '\\' || *name == '%')
            buf_printf(out, "%%%02x", (unsigned char)*name);
        else
            buf_char(out, *name);
    }
}

/* "folder/DC0", without the root folder. */
static void datacenter_path(struct operation *o, const struct moref *datacenter, struct buf *out)
{
    const struct tree_node *nodes[LEVELS_MOST];
    size_t n = 0;

    pthread_mutex_lock(&o->v->lock);
    for (const struct tree_node *at = tree_find(o->v->tree, datacenter->id);
         at && n < LEVELS_MOST && strcmp(at->id, o->v->session->content.root.id) != 0;
         at = tree_find(o->v->tree, at->parent ? at->parent : ""))
        nodes[n++] = at;
    while (n > 0) {
        put_name(out, nodes[--n]->name ? nodes[n]->name : "");
        if (n > 0)
            buf_char(out, '/');
    }
    pthread_mutex_unlock(&o->v->lock);
}

static int make_url(struct operation *o, const struct file_store *s, const char *path,
                    char out[URL_MOST], struct pv_err *err)
{
    struct buf url, place, name;
    bool ok;

    buf_init(&url, URL_MOST);
    buf_init(&place, PLACE_MOST);
    buf_init(&name, PLACE_MOST);
    datacenter_path(o, &s->datacenter, &place);
    put_name(&name, s->name);
    buf_text(&url, "/folder/");
    put_escaped(&url, path, "/");
    buf_text(&url, "?");
    if (buf_ok(&place) && place.len) {
        buf_text(&url, "dcPath=");
        put_escaped(&url, place.data, "");
        buf_text(&url, "&");
    }
    buf_text(&url, "dsName=");
    ok = buf_ok(&name) && buf_ok(&place);
    if (ok)
        put_escaped(&url, name.data, "");
    ok = ok && buf_ok(&url) && str_copy(out, URL_MOST, url.data);
    buf_free(&url);
    buf_free(&place);
    buf_free(&name);
    return ok ? PV_OK : pv_fail(err, PV_EINVAL, "the path is too long");
}

static int no_file(const char *path, bool folder, struct pv_err *err)
{
    int rc = folder ? pv_fail(err, PV_EINVAL, "%s is a folder", path)
                    : pv_fail(err, PV_ENOENT, "there is no file or folder %s", path);

    pv_err_pointer(err, "/path");
    return rc;
}

/* ------------------------------------------------------------------ one way and the other */

struct carrying {
    struct operation *o;
    uint64_t stream, done, all;
    int64_t told_ms;
};

static int take(void *ctx, const void *data, size_t len)
{
    struct carrying *k = ctx;
    const struct pv_host *host = k->o->c.host;
    int64_t n;

    /* What is more than was asked for is nobody's. */
    if (len > k->all - k->done)
        len = (size_t)(k->all - k->done);
    n = len ? host->stream_write(host->ctx, k->stream, data, len) : 0;
    k->done += len;
    return n < 0 ? (int)n : PV_OK;
}

static void tell(struct carrying *k)
{
    struct pv_progress p = { .size = sizeof(p),
                             .percent = k->all ? (int)(k->done * 100 / k->all) : 100,
                             .bytes_done = k->done,
                             .bytes_total = k->all };

    if (clock_mono_ms() - k->told_ms < TELL_MS)
        return;
    k->told_ms = clock_mono_ms();
    k->o->c.host->progress(k->o->c.host->ctx, k->o->c.number, &p);
}

static int64_t give(void *ctx, void *buf, size_t cap)
{
    struct carrying *k = ctx;
    const struct pv_host *host = k->o->c.host;
    uint64_t left = k->all - k->done;
    int64_t n;

    if (left == 0)
        return 0;
    n = host->stream_read(host->ctx, k->stream, buf, cap < left ? cap : (size_t)left);
    if (n == 0)
        return PV_EIO; /* it ended before the file did */
    if (n > 0)
        k->done += (uint64_t)n;
    tell(k);
    return n;
}

static int64_t number_of(const struct operation *o, const char *member)
{
    int64_t v = 0;

    return op_member_int(o->args, member, &v) ? v : 0;
}

/* ------------------------------------------------------------------ downloading */

static int get_part(struct operation *o, const struct file_store *s, const char *path,
                    struct pv_err *err)
{
    uint64_t offset = (uint64_t)number_of(o, "offset"), length = (uint64_t)number_of(o, "length");
    struct carrying k = { .o = o, .stream = (uint64_t)number_of(o, "stream"), .all = length };
    char url[URL_MOST], range[64];
    struct session_transfer t = {
        .path = url, .range = range, .take = take, .skip = offset, .ctx = &k
    };
    int rc = make_url(o, s, path, url, err);

    if (rc)
        return rc;
    (void)snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset, offset + length - 1);
    rc = session_transfer(o->v->session, &o->c, &t, err);
    if (rc == PV_OK && k.done < length)
        rc = pv_fail(err, PV_EIO, "%s has become shorter meanwhile", path);
    return rc;
}

/* Without a stream: what the file is. */
int op_download(struct operation *o, struct pv_err *err)
{
    const char *path = op_arg_str(o, "path");
    struct file_store s = { .nvms = 0 };
    struct file_found f = { .there = false };
    bool streams = json_object_get(o->args, "stream") != NULL;
    int rc = file_store_find(o, &s, err);

    if (rc == PV_OK && !streams)
        rc = file_look(o, &s, path, &f, err);
    if (rc == PV_OK && !streams && (!f.there || f.folder))
        rc = no_file(path, f.folder, err);
    if (rc == PV_OK && !streams)
        json_object_set_new(o->result, "data",
                            json_pack("{s:I, s:I}", "size_bytes", (json_int_t)f.size, "modified_ms",
                                      (json_int_t)f.modified_ms));
    if (rc == PV_OK && streams)
        rc = get_part(o, &s, path, err);
    file_store_free(&s);
    return rc;
}

/* ------------------------------------------------------------------ uploading */

static int check_room(struct operation *o, const struct file_store *s, const char *path,
                      struct file_found *f, struct pv_err *err)
{
    int rc = file_look(o, s, path, f, err);

    if (rc || !f->there)
        return rc;
    if (f->folder)
        return no_file(path, true, err);
    if (op_arg_true(o, "overwrite"))
        return file_check_unused(o, s, path, err);
    rc = pv_fail_as(err, "conflict-exists", "there is %s already", path);
    pv_err_pointer(err, "/path");
    return rc;
}

/* The connection ended, and nobody knows whether the server has all of it: its size says so. */
static int look_again(struct operation *o, const struct file_store *s, const char *path,
                      uint64_t size, struct pv_err *err)
{
    struct file_found f = { .there = false };
    struct pv_err why = { 0 };

    if (file_look(o, s, path, &f, &why) == PV_OK && f.there && f.size == size)
        return PV_OK;
    return pv_fail(err, PV_EIO, "the connection ended before %s was there", path);
}

static int put_file(struct operation *o, const struct file_store *s, const char *path, bool there,
                    struct pv_err *err)
{
    uint64_t size = (uint64_t)number_of(o, "size_bytes");
    struct carrying k = { .o = o, .stream = (uint64_t)number_of(o, "stream"), .all = size };
    char url[URL_MOST];
    struct session_transfer t = { .path = url, .give = give, .size = size, .ctx = &k };
    int rc = make_url(o, s, path, url, err);

    if (rc)
        return rc;
    rc = session_transfer(o->v->session, &o->c, &t, err);
    if (rc == PV_EUNKNOWN)
        rc = look_again(o, s, path, size, err);
    if (rc == PV_OK) {
        k.told_ms = 0;
        tell(&k);
        o->changed = true;
    } else if (!there && k.done) {
        file_drop(o, s, path);
    }
    return rc;
}

int op_upload(struct operation *o, struct pv_err *err)
{
    const char *path = op_arg_str(o, "path");
    struct file_store s = { .nvms = 0 };
    struct file_found f = { .there = false };
    int rc = file_store_find(o, &s, err);

    if (rc == PV_OK)
        rc = check_room(o, &s, path, &f, err);
    if (rc == PV_OK && o->dry_run)
        op_put_list(o, "plan", json_pack("{s:s, s:{s:s}}", "operation", "PUT /folder", "args", "path", path));
    else if (rc == PV_OK)
        rc = put_file(o, &s, path, f.there, err);
    file_store_free(&s);
    return rc;
}
