/* SPDX-License-Identifier: Apache-2.0 */
/* Uploads: begun at a datastore, filled piece by piece, seen by who began them and by administrators. */
#include "server/api/internal.h"
#include "server/core/uploads.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define PIECE_MAX (8u << 20)

static void json_drop(json_t **j)
{
    json_decref(*j);
}

static const struct model_kind *upload_kind(void)
{
    return model_kind(PV_KIND_upload);
}

/* ------------------------------------------------------------------ beginning one */

/* What is there is asked for before the rest is checked: live, so the request waits without a thread. */
struct beginning {
    struct req *r;
    struct core_task_request task;
    struct core_options options;
    json_t *params; /* owned */
    bool overwrite;
};

static void begin_free(struct beginning *b)
{
    json_decref(b->params);
    free(b);
}

static void create(struct req *r)
{
    struct beginning *b = r->handler_data;
    struct core_actor by = actor_of(r);
    struct pv_err err = { 0 };
    struct pv_id id;

    if (core_upload_create(api_of(r)->core, &by, &r->caller.user, &b->task, &b->options, &id, &err) != PV_OK)
        reply_problem(r, &err);
    else
        object_reply(r, 201, PV_KIND_upload, &id);
    begin_free(b);
}

static int check_entry(const struct beginning *b, const json_t *e, const char *path, struct pv_err *err)
{
    if (json_is_true(json_object_get(e, "folder"))) {
        pv_fail(err, PV_EINVAL, "%s is a folder", path);
    } else if (b->overwrite) {
        return PV_OK;
    } else {
        pv_fail(err, PV_EEXIST, "there is %s already", path);
    }
    pv_err_pointer(err, "/path");
    return err->rc;
}

/* Is the name free, in a folder that is there? */
static int check_folder(const struct beginning *b, const char *text, struct pv_err *err)
{
    const char *path = json_string_value(json_object_get(b->params, "path")), *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    PV_AUTO(json_drop) json_t *json = json_loads(text, 0, NULL);
    const json_t *e;
    size_t i;
    int rc = PV_OK;

    json_array_foreach(json_object_get(json_object_get(json, "data"), "entries"), i, e) {
        const char *there = json_string_value(json_object_get(e, "name"));

        if (rc == PV_OK && there && strcmp(there, name) == 0)
            rc = check_entry(b, e, path, err);
    }
    return rc;
}

static void on_folder(void *ctx, int rc, const char *text, const struct pv_err *why)
{
    struct beginning *b = ctx;
    struct req *r = b->r;
    struct pv_err err = { 0 };

    if (rc == PV_OK) {
        rc = check_folder(b, text, &err);
    } else if (rc == PV_ENOENT) {
        pv_fail(&err, PV_EINVAL, "the folder of the file is not there");
        pv_err_pointer(&err, "/path");
    } else if (strcmp(pv_err_problem(why)->code, "limit-exceeded") == 0) {
        rc = PV_OK; /* of so large a folder the driver alone knows */
    } else {
        err = *why;
    }
    if (rc == PV_OK) {
        r->handler_data = b;
        create(r);
    } else {
        reply_problem(r, &err);
        begin_free(b);
    }
    req_finish(r);
}

static int look_at_folder(struct beginning *b, struct pv_err *err)
{
    const char *path = json_string_value(json_object_get(b->params, "path")), *slash = strrchr(path, '/');
    PV_AUTO(json_drop) json_t *where = json_pack("{s:s%}", "path", path, slash ? (size_t)(slash - path) : 0);
    struct core_task_request look = b->task;

    look.operation = model_operation("datastore.files");
    look.params = where;
    return core_live(api_of(b->r)->core, &look, on_folder, b, err);
}

enum req_result upload_create(struct req *r)
{
    const struct model_operation *op = r->route->operation;
    struct beginning *b = calloc(1, sizeof(*b));
    struct pv_err err = { 0 };
    int rc = b ? PV_OK : pv_fail(&err, PV_ENOMEM, "no memory for an upload");

    if (rc != PV_OK)
        return reply_problem(r, &err);
    b->r = r;
    rc = options_read(r, upload_kind(), &b->options, &err);
    if (rc == PV_OK && idempotency_replayed(r, &b->options)) {
        begin_free(b);
        return REQ_DONE;
    }
    if (rc == PV_OK)
        rc = need_anywhere(r, op->permission, &err);
    if (rc == PV_OK)
        rc = object_resolve(r, model_kind(PV_KIND_datastore), req_param(r, "id"), &b->task.subject, &err);
    if (rc == PV_OK)
        rc = need_on(r, op->permission, PV_KIND_datastore, &b->task.subject, &err);
    b->params = json_incref(r->json);
    b->overwrite = json_is_true(json_object_get(b->params, "overwrite"));
    b->task.operation = op;
    b->task.kind = PV_KIND_datastore;
    b->task.params = b->params;
    if (rc == PV_OK)
        rc = core_operation_check(api_of(r)->core, &b->task, &err);
    if (rc == PV_OK)
        rc = look_at_folder(b, &err);
    if (rc == PV_OK)
        return REQ_LATER;
    begin_free(b);
    return reply_problem(r, &err);
}

/* ------------------------------------------------------------------ whose it is */

static bool is_administrator(const struct req *r)
{
    return access_everywhere(r->caller.access, PERM_ACCESS_MANAGE);
}

/* One's own, in a datastore that one may still write to; administrators': all. Otherwise there is none. */
static int upload_id(struct req *r, struct pv_id *id, struct pv_err *err)
{
    const char *text = req_param(r, "id");
    const struct model_shape *shape;
    struct model_row *row;
    int rc = PV_OK;

    if (!id_parse(upload_kind()->prefix, text, strlen(text), id))
        return pv_fail(err, PV_ENOENT, "there is no upload %.64s", text);
    rc = model_shape_make(upload_kind(), "datastore,created_by", MODEL_VIEW_FULL, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, id, r->arena, &row, err);
    if (rc != PV_OK)
        return rc;
    if ((!is_administrator(r) && !id_eq(&model_get(row, F(upload, created_by))->id, &r->caller.user)) ||
        need_on(r, PERM_DATASTORE_WRITE, PV_KIND_datastore, &model_get(row, F(upload, datastore))->id, NULL) != PV_OK)
        return pv_fail(err, PV_ENOENT, "there is no such upload");
    return PV_OK;
}

static enum req_result upload_list(struct req *r)
{
    const struct filter *mine = NULL;
    struct pv_err err = { 0 };
    struct list_query l;
    char user[PV_ID_TEXT];

    model_id_text(PV_KIND_user, &r->caller.user, user);
    if (query_parse(r, upload_kind(), NULL, &l, &err) != PV_OK ||
        filter_equals(upload_kind(), "created_by", user, 0, r->arena, &mine, &err) != PV_OK)
        return reply_problem(r, &err);
    if (!is_administrator(r))
        l.q.filter = filter_and(r->arena, l.q.filter, mine);
    l.no_etag = true;
    return list_reply(r, &l);
}

static enum req_result upload_get(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    return upload_id(r, &id, &err) == PV_OK ? object_get(r) : reply_problem(r, &err);
}

/* ------------------------------------------------------------------ the bytes */

static int bad_range(struct pv_err *err, const char *why)
{
    return pv_fail_as(err, "invalid-request", "Content-Range: %s", why);
}

/* RFC 9110, 14.4: "bytes 0-99/1000"; without bytes "bytes *" and "/1000". */
static int read_piece(const struct req *r, struct core_upload_piece *p, struct pv_err *err)
{
    const char *text = req_header(r, "Content-Range"), *slash = text ? strchr(text, '/') : NULL, *dash;
    uint64_t last;

    if (!text || strncasecmp(text, "bytes ", 6) != 0 || !slash ||
        !str_u64(slash + 1, strlen(slash + 1), INT64_MAX, &p->total))
        return bad_range(err, "it is to say bytes FIRST-LAST/TOTAL");
    text += 6;
    p->none = strncmp(text, "*/", 2) == 0;
    if (p->none)
        return r->body_len == 0 ? PV_OK : bad_range(err, "it names no bytes, but some came");
    dash = strchr(text, '-');
    if (!dash || dash > slash || !str_u64(text, (size_t)(dash - text), INT64_MAX, &p->from) ||
        !str_u64(dash + 1, (size_t)(slash - dash - 1), INT64_MAX - 1, &last) || last < p->from || last >= p->total)
        return bad_range(err, "it is to say bytes FIRST-LAST/TOTAL");
    p->to = last + 1;
    p->data = r->body;
    return p->to - p->from == r->body_len ? PV_OK : bad_range(err, "it names another number of bytes than came");
}

static void put(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct core_upload_piece piece = { .none = false };
    struct pv_err err = { 0 };
    uint64_t offset = UINT64_MAX;
    struct pv_id id;

    if (upload_id(r, &id, &err) == PV_OK && read_piece(r, &piece, &err) == PV_OK &&
        core_upload_put(api_of(r)->core, &by, &id, &piece, &offset, &err) == PV_OK) {
        object_reply(r, 200, PV_KIND_upload, &id);
        return;
    }
    if (offset != UINT64_MAX)
        r->problem_more = arena_printf(r->arena, "\"offset_bytes\":%" PRIu64, offset);
    reply_problem(r, &err);
}

static enum req_result upload_put(struct req *r)
{
    return req_run_slow(r, put);
}

static enum req_result upload_retry(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct pv_err err = { 0 };
    struct pv_id id;

    if (upload_id(r, &id, &err) != PV_OK || core_upload_retry(api_of(r)->core, &by, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 200, PV_KIND_upload, &id);
}

static enum req_result upload_delete(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct pv_err err = { 0 };
    struct pv_id id;

    if (upload_id(r, &id, &err) != PV_OK || core_upload_delete(api_of(r)->core, &by, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_empty(r, 204);
}

static const struct model_param nothing[] = { { 0 } };

#define ALL API_BASE "/uploads"

const struct route upload_routes[] = {
    { .method = "GET", .pattern = ALL, .permission = PERM_NONE, .handler = upload_list, .answer = ANSWER_LIST,
      .doc = "Uploads that are under way, have failed, or are done: one's own, or all for who manages access." },
    { .method = "GET", .pattern = ALL "/{id}", .permission = PERM_NONE, .handler = upload_get,
      .answer = ANSWER_OBJECT, .flags = ROUTE_ETAG, .statuses = "404", .doc = "One upload: how much of it is here." },
    { .method = "PUT", .pattern = ALL "/{id}/content", .permission = PERM_DATASTORE_WRITE, .handler = upload_put,
      .answer = ANSWER_OBJECT, .flags = ROUTE_BYTES, .max_body = PIECE_MAX, .statuses = "404 409 413 415 422 429 507",
      .doc = "The next piece of the file, at most 8 MiB: on disk when it is answered. With the last one its task begins." },
    { .method = "POST", .pattern = ALL "/{id}/actions/retry", .permission = PERM_DATASTORE_WRITE, .handler = upload_retry,
      .answer = ANSWER_OBJECT, .body = nothing, .statuses = "404 409 422 503",
      .doc = "Send to the datastore once more what is here already." },
    { .method = "DELETE", .pattern = ALL "/{id}", .permission = PERM_DATASTORE_WRITE, .handler = upload_delete,
      .answer = ANSWER_NONE, .statuses = "404", .doc = "Give an upload up: its task is canceled, its bytes are deleted." },
    { 0 },
};
