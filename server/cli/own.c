/* SPDX-License-Identifier: Apache-2.0 */
/* What is ours alone: folders and declared tags. */
#include <string.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

static const struct model_param folder_flags[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 256, .doc = "Another name." },
    { .name = "parent",
      .type = PARAM_ID,
      .ref = PV_KIND_folder,
      .nullable = true,
      .doc = "Folder it goes into, by name or id; null: the root." },
    { .name = "notes",
      .type = PARAM_TEXT,
      .nullable = true,
      .max = 4096,
      .doc = "What it is for." },
    { 0 },
};
static const struct model_param tag_flags[] = {
    { .name = "name",
      .type = PARAM_TEXT,
      .min = 1,
      .max = 128,
      .doc = "Another name: objects that carry the tag follow." },
    { .name = "description",
      .type = PARAM_TEXT,
      .nullable = true,
      .max = 1024,
      .doc = "What it means." },
    { 0 },
};

static int tell(struct cli *c, json_t *object, const char *what, struct pv_err *err)
{
    int rc = PV_OK;

    if (output_is_document(c))
        rc = output_object(c, object, c->command->kind, err);
    else
        term_note(c, "%s is %s.", c->args[0], what);
    json_decref(object);
    return rc;
}

static int create(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL, *made = NULL;
    struct call call = { .once = true };
    int rc = cli_body(c, c->command->flags, &body, err);

    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, "name", json_string(c->args[0]));
    rc = client_call(c, "POST", arena_printf(c->arena, API "/%s", c->command->kind->plural), body,
                     &call, &made, err);
    json_decref(body);
    return rc == PV_OK ? tell(c, made, "made", err) : rc;
}

static int change(struct cli *c, struct pv_err *err)
{
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    json_t *body = NULL, *changed = NULL;
    int rc = segment ? cli_body(c, c->command->flags, &body, err) : err->rc;

    if (rc == PV_OK && json_object_size(body) == 0)
        rc = cli_usage(c, err, "say what to change, for example --name");
    if (rc == PV_OK)
        rc = client_call(c, "PATCH",
                         arena_printf(c->arena, API "/%s/%s", c->command->kind->plural, segment),
                         body, NULL, &changed, err);
    json_decref(body);
    return rc == PV_OK ? tell(c, changed, "changed", err) : rc;
}

const struct command own_commands[] = {
    { .words = "folder create",
      .args = "NAME",
      .doc = "Make a folder.",
      .flags = folder_flags,
      .run = create,
      .least = 1,
      .most = 1 },
    { .words = "folder change",
      .args = "FOLDER",
      .doc = "Rename or move a folder.",
      .flags = folder_flags,
      .run = change,
      .least = 1,
      .most = 1 },
    { .words = "folder delete",
      .args = "FOLDER...",
      .doc = "Delete empty folders.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "tag create",
      .args = "TAG",
      .doc = "Declare a tag. Tags that objects carry declare themselves.",
      .flags = tag_flags,
      .run = create,
      .least = 1,
      .most = 1 },
    { .words = "tag change",
      .args = "TAG",
      .doc = "Rename or describe a tag.",
      .flags = tag_flags,
      .run = change,
      .least = 1,
      .most = 1 },
    { .words = "tag delete",
      .args = "TAG...",
      .doc = "Delete a tag; objects lose it.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { 0 },
};
