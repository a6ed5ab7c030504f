/* SPDX-License-Identifier: Apache-2.0 */
/* Operations become tasks; tasks are waited for, canceled, and made in bulk. */
#include "server/api/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define MAX_WAIT_S 60

static bool caller_may(void *ctx, int permission, enum pv_kind kind, const struct pv_id *id)
{
    return access_may(ctx, permission, kind, id);
}

struct core_actor actor_of(struct req *r)
{
    return (struct core_actor){
        .type = r->caller.type,
        .id = r->caller.id,
        .name = r->caller.name,
        .address = r->address,
        .request_id = r->request_id,
        .source = r->caller.by_cookie ? PV_SOURCE_UI : PV_SOURCE_API,
        .rights = { .may = caller_may, .ctx = r->caller.access, .eyes = access_of(r) },
    };
}

/* ------------------------------------------------------------------ answers */

static enum req_result write_task(struct req *r, const struct pv_id *task, bool final)
{
    struct list_query l = { 0 };
    struct pv_err err = { 0 };
    struct model_row *row;
    char id[PV_ID_TEXT];

    if (model_shape_make(model_kind(PV_KIND_task), NULL, MODEL_VIEW_FULL, r->arena, &l.q.shape, &err) != PV_OK ||
        shape_guard(r, &l.q.shape, &err) != PV_OK ||
        store_row_get(api_of(r)->store, l.q.shape, task, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    model_id_text(PV_KIND_task, task, id);
    r->made = arena_printf(r->arena, API_BASE "/tasks/%s", id);
    reply_header(r, "Location", r->made ? r->made : r->path);
    if (!final)
        reply_header(r, "Retry-After", "1");
    object_write(r, reply_json(r, final ? 200 : 202), &l, row);
    return reply_send(r);
}

struct waiter {
    struct req *r;
    struct pv_id task;
};

static void waited(void *ctx, bool final)
{
    struct waiter *w = ctx;

    write_task(w->r, &w->task, final);
    req_finish(w->r);
}

/* Seconds of "Prefer: wait=30", 0 if it does not ask to wait. */
static uint64_t preferred_wait(struct req *r)
{
    const char *prefer = req_header(r, "Prefer");
    const char *wait = prefer ? strstr(prefer, "wait=") : NULL;
    uint64_t seconds = 0;

    if (!wait || !str_u64(wait + 5, strspn(wait + 5, "0123456789"), 86400, &seconds))
        return 0;
    return seconds < MAX_WAIT_S ? seconds : MAX_WAIT_S;
}

enum req_result task_reply(struct req *r, const struct pv_id *task)
{
    uint64_t seconds = preferred_wait(r);
    struct waiter *w;

    if (seconds == 0)
        return write_task(r, task, false);
    w = arena_alloc(r->arena, sizeof(*w));
    if (!w)
        return write_task(r, task, false);
    w->r = r;
    w->task = *task;
    reply_headerf(r, "Preference-Applied", "wait=%" PRIu64, seconds);
    if (core_task_wait(api_of(r)->core, task, (int64_t)seconds * 1000, waited, w, NULL) != PV_OK)
        return write_task(r, task, false);
    return REQ_LATER;
}

void live_done(void *ctx, int rc, const char *json, const struct pv_err *err)
{
    struct req *r = ctx;

    if (rc != PV_OK) {
        reply_problem(r, err);
    } else {
        struct buf *out = reply_body(r, 200, "application/json");

        buf_text(out, json);
        reply_send(r);
    }
    req_finish(r);
}

static enum req_result task_cancel(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct pv_err err = { 0 };
    struct pv_id task;

    if (object_resolve(r, model_kind(PV_KIND_task), req_param(r, "id"), &task, &err) != PV_OK ||
        core_task_cancel(api_of(r)->core, &by, &task, &err) != PV_OK)
        return reply_problem(r, &err);
    return task_reply(r, &task);
}

static enum req_result task_children(struct req *r)
{
    const struct model_kind *kind = model_kind(PV_KIND_task);
    const struct filter *of_parent = NULL;
    struct pv_err err = { 0 };
    struct list_query l;
    struct pv_id parent;
    char id[PV_ID_TEXT];

    if (object_find(r, kind, req_param(r, "id"), &parent, &err) != PV_OK ||
        query_parse(r, kind, NULL, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    model_id_text(PV_KIND_task, &parent, id);
    if (filter_equals(kind, "parent", id, 0, r->arena, &of_parent, &err) != PV_OK)
        return reply_problem(r, &err);
    l.q.filter = filter_and(r->arena, l.q.filter, of_parent);
    return list_reply(r, &l);
}

/* ------------------------------------------------------------------ bulk */

static const char *const on_error[] = { "continue", "stop", NULL };
static const struct model_param bulk_options[] = {
    { .name = "max_parallel", .type = PARAM_INT, .min = 1, .max = 256, .doc = "Children at once." },
    { .name = "per_provider", .type = PARAM_INT, .min = 1, .max = 256, .doc = "Children at once on one provider." },
    { .name = "on_error", .type = PARAM_ENUM, .choices = on_error, .doc = "Go on with the others, or start no more." },
    { 0 },
};
static const struct model_param bulk_body[] = {
    { .name = "action", .type = PARAM_TEXT, .required = true, .min = 3, .max = 64, .doc = "Operation: vm.start." },
    { .name = "targets", .type = PARAM_LIST, .nullable = true, .min = 1, .max = 10000, .doc = "Ids of the objects." },
    { .name = "selector", .type = PARAM_TEXT, .nullable = true, .min = 1, .max = 4096, .doc = "Or a filter that names them." },
    { .name = "expected_count", .type = PARAM_INT, .min = 0, .max = 10000, .doc = "Nothing is done if the selector finds another number." },
    { .name = "confirm", .type = PARAM_BOOL, .doc = "Needed for a selector without expected_count." },
    { .name = "params", .type = PARAM_OBJECT, .doc = "Parameters of the operation, the same for all." },
    { .name = "options", .type = PARAM_OBJECT, .members = bulk_options, .doc = "How." },
    { 0 },
};

static int bulk_targets(struct req *r, const struct model_kind *kind, const json_t *list,
                        struct core_bulk_request *b, struct pv_err *err)
{
    size_t n = json_array_size(list);
    struct pv_id *ids = arena_alloc(r->arena, n * sizeof(*ids));

    if (!ids)
        return pv_fail(err, PV_ENOMEM, "no memory for the targets");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(list, i));

        if (!text || !id_parse(kind->prefix, text, strlen(text), &ids[i])) {
            pv_fail_as(err, "validation-failed", "\"%.64s\" is not the id of a %s", text ? text : "", kind->name);
            pv_err_pointer(err, "/targets/%zu", i);
            return PV_EINVAL;
        }
    }
    b->targets = ids;
    b->ntargets = n;
    return PV_OK;
}

static int bulk_read(struct req *r, struct core_bulk_request *b, struct pv_err *err)
{
    const json_t *targets = json_object_get(r->json, "targets");
    const char *selector = json_string_value(json_object_get(r->json, "selector"));
    const json_t *options = json_object_get(r->json, "options");
    const char *stop = json_string_value(json_object_get(options, "on_error"));
    const json_t *expected = json_object_get(r->json, "expected_count");
    const struct model_kind *kind;

    b->operation = model_operation(json_string_value(json_object_get(r->json, "action")));
    if (!b->operation || b->operation->kind == PV_KIND_NONE) {
        pv_fail_as(err, "validation-failed", "there is no operation \"%.64s\" for many objects",
                   json_string_value(json_object_get(r->json, "action")));
        pv_err_pointer(err, "/action");
        return PV_EINVAL;
    }
    kind = model_kind(b->operation->kind);
    if (need_anywhere(r, b->operation->permission, err) != PV_OK)
        return err->rc;
    b->params = json_object_get(r->json, "params");
    b->expected_count = expected ? json_integer_value(expected) : -1;
    b->confirm = json_is_true(json_object_get(r->json, "confirm"));
    b->max_parallel = (unsigned)json_integer_value(json_object_get(options, "max_parallel"));
    b->per_provider = (unsigned)json_integer_value(json_object_get(options, "per_provider"));
    b->stop_on_error = stop && strcmp(stop, "stop") == 0;
    if (b->params &&
        (refs_resolve(r, b->operation->params, (json_t *)(uintptr_t)b->params, "/params", err) != PV_OK ||
         places_allowed(r, b->operation, b->params, err) != PV_OK))
        return err->rc;
    if (b->params && model_params_check(b->operation->params, b->params, "/params", err) != PV_OK)
        return err->rc;
    if (json_is_array(targets) == (selector != NULL)) {
        pv_fail_as(err, "invalid-request", "say either targets or selector");
        pv_err_pointer(err, "/targets");
        return PV_EINVAL;
    }
    if (selector)
        return filter_parse(kind, selector, clock_wall_ms(), r->arena, &b->selector, err);
    return bulk_targets(r, kind, targets, b, err);
}

static enum req_result bulk_run(struct req *r)
{
    struct core_bulk_request b = { 0 };
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id task;

    if (bulk_read(r, &b, &err) != PV_OK || options_read(r, model_kind(PV_KIND_task), &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    if (core_bulk_submit(api_of(r)->core, &by, &b, &o, &task, live_done, r, &err) != PV_OK)
        return reply_problem(r, &err);
    return o.dry_run ? REQ_LATER : task_reply(r, &task);
}

/* ------------------------------------------------------------------ steps */

static const struct model_param step_members[] = {
    { .name = "action", .type = PARAM_TEXT, .required = true, .min = 3, .max = 64, .doc = "Operation: vm.reconfigure." },
    { .name = "target", .type = PARAM_TEXT, .required = true, .min = 1, .max = 64,
      .doc = "Id of the VM, or of what is in it." },
    { .name = "params", .type = PARAM_OBJECT, .doc = "Parameters of the operation." },
    { .name = "if_version", .type = PARAM_INT, .min = 1,
      .doc = "Version of the target that is meant; another one refuses the whole." },
    { 0 },
};
static const struct model_param steps_body[] = {
    { .name = "steps", .type = PARAM_LIST, .required = true, .min = 1, .max = 64, .members = step_members,
      .doc = "What is to be done, in this order." },
    { 0 },
};

static int step_read(struct req *r, const json_t *one, struct core_step *out, struct pv_err *err)
{
    const char *action = json_string_value(json_object_get(one, "action"));
    const char *target = json_string_value(json_object_get(one, "target"));
    json_t *params = json_object_get(one, "params");
    const struct model_kind *kind;

    out->operation = model_operation(action);
    if (!out->operation || out->operation->kind == PV_KIND_NONE) {
        pv_fail_as(err, "validation-failed", "there is no operation \"%.64s\"", action);
        pv_err_pointer(err, "/action");
        return PV_EINVAL;
    }
    kind = model_kind(out->operation->kind);
    if (!id_parse(kind->prefix, target, strlen(target), &out->subject)) {
        pv_fail_as(err, "validation-failed", "\"%.64s\" is not the id of a %s", target, kind->name);
        pv_err_pointer(err, "/target");
        return PV_EINVAL;
    }
    out->if_version = (uint64_t)json_integer_value(json_object_get(one, "if_version"));
    out->params = params;
    if (!params)
        return PV_OK;
    if (refs_resolve(r, out->operation->params, params, "/params", err) != PV_OK ||
        places_allowed(r, out->operation, params, err) != PV_OK)
        return err->rc;
    return model_params_check(out->operation->params, params, "/params", err);
}

static enum req_result steps_run(struct req *r)
{
    const json_t *list = json_object_get(r->json, "steps");
    size_t n = json_array_size(list);
    struct core_step *steps = arena_alloc(r->arena, n * sizeof(*steps));
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id vm, task;
    int rc = steps ? object_resolve(r, model_kind(PV_KIND_vm), req_param(r, "id"), &vm, &err)
                   : pv_fail(&err, PV_ENOMEM, "no memory for the steps");

    if (rc == PV_OK)
        rc = options_read(r, model_kind(PV_KIND_vm), &o, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        char within[sizeof(err.pointer)];

        rc = step_read(r, json_array_get(list, i), &steps[i], &err);
        str_copy(within, sizeof(within), err.pointer);
        if (rc != PV_OK)
            pv_err_pointer(&err, "/steps/%zu%s", i, within);
    }
    if (rc == PV_OK)
        rc = core_steps_submit(api_of(r)->core, &by, &vm, steps, n, &o, &task, live_done, r, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    return o.dry_run ? REQ_LATER : task_reply(r, &task);
}

const struct route task_routes[] = {
    { .method = "POST", .pattern = API_BASE "/tasks/{id}/actions/cancel", .permission = PERM_TASK_CANCEL,
      .handler = task_cancel, .answer = ANSWER_TASK, .statuses = "404 409",
      .doc = "Ask for the end of a task; what is half done is undone." },
    { .method = "POST", .pattern = API_BASE "/tasks/{id}/actions/undo", .permission = PERM_NONE,
      .handler = task_undo, .answer = ANSWER_TASK, .flags = ROUTE_IDEMPOTENT | ROUTE_DRY_RUN,
      .statuses = "403 404 409 412 422", .doc = "Take back what a task did, where that is possible; needs the right to do so." },
    { .method = "GET", .pattern = API_BASE "/tasks/{id}/children", .permission = PERM_TASK_READ,
      .handler = task_children, .answer = ANSWER_LIST, .statuses = "404",
      .doc = "The parts of a task, each with its own outcome." },
    { .method = "POST", .pattern = API_BASE "/bulk", .permission = PERM_NONE, .handler = bulk_run,
      .answer = ANSWER_TASK, .flags = ROUTE_IDEMPOTENT | ROUTE_DRY_RUN, .body = bulk_body,
      .statuses = "404 409", .doc = "One operation on many objects, by ids or by a selector. What cannot take it is skipped." },
    { .method = "POST", .pattern = API_BASE "/vms/{id}/steps", .permission = PERM_VM_READ, .handler = steps_run,
      .answer = ANSWER_TASK, .flags = ROUTE_IDEMPOTENT | ROUTE_DRY_RUN, .body = steps_body,
      .statuses = "404 409 412",
      .doc = "Several operations on a VM and its devices as one task, one after the other up to the first that fails." },
    { 0 },
};
