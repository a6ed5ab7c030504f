/* SPDX-License-Identifier: Apache-2.0 */
/* What is ours alone: folders and tags. */
#include "server/api/internal.h"

#include <string.h>

#include <polyvisor/err.h>

static const struct model_param folder_create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 256, .doc = "Name, unique in its parent." },
    { .name = "parent", .type = PARAM_ID, .ref = PV_KIND_folder, .nullable = true, .doc = "Folder it goes into; null means the root." },
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "What it is for." },
    { 0 },
};
static const struct model_param folder_change_body[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 256, .doc = "Name, unique in its parent." },
    { .name = "parent", .type = PARAM_ID, .ref = PV_KIND_folder, .nullable = true, .doc = "Folder it goes into; null means the root." },
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "What it is for." },
    { 0 },
};
static const struct model_param tag_create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "key or key=value." },
    { .name = "description", .type = PARAM_TEXT, .nullable = true, .max = 1024, .doc = "What it means." },
    { 0 },
};
static const struct model_param tag_change_body[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "key or key=value; objects that carry it follow." },
    { .name = "description", .type = PARAM_TEXT, .nullable = true, .max = 1024, .doc = "What it means." },
    { 0 },
};

typedef int (*create_fn)(struct core *, const struct core_actor *, const json_t *, const struct core_options *,
                         struct pv_id *, struct pv_err *);
typedef int (*change_fn)(struct core *, const struct core_actor *, const struct pv_id *, const json_t *,
                         const struct core_options *, struct pv_err *);
typedef int (*delete_fn)(struct core *, const struct core_actor *, const struct pv_id *, const struct core_options *,
                         struct pv_err *);

static enum req_result create_one(struct req *r, create_fn fn)
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (options_read(r, r->route->kind, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    if (fn(api_of(r)->core, &by, r->json, &o, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 201, r->route->kind->number, &id);
}

static enum req_result change_one(struct req *r, change_fn fn)
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, r->route->kind, &o, &err) != PV_OK ||
        fn(api_of(r)->core, &by, &id, r->json, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 200, r->route->kind->number, &id);
}

static enum req_result delete_one(struct req *r, delete_fn fn)
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, r->route->kind, &o, &err) != PV_OK || fn(api_of(r)->core, &by, &id, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_empty(r, 204);
}

/* The folder it goes into; the root is nobody's but who manages all folders. */
static int need_parent(struct req *r, struct pv_err *err)
{
    const json_t *parent = json_object_get(r->json, "parent");
    const char *text = json_string_value(parent);
    struct pv_id id;
    int rc;

    if (!text)
        return need_everywhere(r, PERM_FOLDER_MANAGE, err);
    if (!id_parse("fld", text, strlen(text), &id))
        return PV_OK; /* core says better what is wrong with it */
    rc = need_sight(r, model_kind(PV_KIND_folder), &id, err);
    return rc == PV_OK ? need_on(r, PERM_FOLDER_MANAGE, PV_KIND_folder, &id, err) : rc;
}

static enum req_result folder_create(struct req *r)
{
    struct pv_err err = { 0 };

    if (need_parent(r, &err) != PV_OK)
        return reply_problem(r, &err);
    return create_one(r, core_folder_create);
}

static enum req_result folder_change(struct req *r)
{
    struct pv_err err = { 0 };

    if (json_object_get(r->json, "parent") && need_parent(r, &err) != PV_OK)
        return reply_problem(r, &err);
    return change_one(r, core_folder_change);
}

static enum req_result folder_delete(struct req *r)
{
    return delete_one(r, core_folder_delete);
}

static enum req_result tag_create(struct req *r)
{
    return create_one(r, core_tag_create);
}

static enum req_result tag_change(struct req *r)
{
    return change_one(r, core_tag_change);
}

static enum req_result tag_delete(struct req *r)
{
    return delete_one(r, core_tag_delete);
}

const struct route own_routes[] = {
    { .method = "POST", .pattern = API_BASE "/folders", .permission = PERM_FOLDER_MANAGE, .handler = folder_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT | ROUTE_PLACED, .body = folder_create_body,
      .statuses = "404 409", .doc = "Make a folder." },
    { .method = "PATCH", .pattern = API_BASE "/folders/{id}", .permission = PERM_FOLDER_MANAGE,
      .handler = folder_change, .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH,
      .body = folder_change_body, .statuses = "404 409 412", .doc = "Rename or move a folder." },
    { .method = "DELETE", .pattern = API_BASE "/folders/{id}", .permission = PERM_FOLDER_MANAGE,
      .handler = folder_delete, .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 409 412",
      .doc = "Delete an empty folder." },
    { .method = "POST", .pattern = API_BASE "/tags", .permission = PERM_TAG_WRITE, .handler = tag_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT, .body = tag_create_body,
      .statuses = "409", .doc = "Declare a tag. Tags that objects carry declare themselves." },
    { .method = "PATCH", .pattern = API_BASE "/tags/{id}", .permission = PERM_TAG_WRITE, .handler = tag_change,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .body = tag_change_body,
      .statuses = "404 409 412", .doc = "Rename or describe a tag." },
    { .method = "DELETE", .pattern = API_BASE "/tags/{id}", .permission = PERM_TAG_WRITE, .handler = tag_delete,
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 409 412",
      .doc = "Delete a tag; objects lose it." },
    { 0 },
};
