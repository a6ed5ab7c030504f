/* SPDX-License-Identifier: Apache-2.0 */
/* Groups, roles, grants, and why somebody may or may not. */
#include <string.h>

#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

#define DESCRIPTION                                                                                \
    {                                                                                              \
        .name = "description", .type = PARAM_TEXT, .max = 1024, .doc = "What it is for."           \
    }

static const struct model_param group_create_flags[] = {
    DESCRIPTION,
    { .name = "members",
      .type = PARAM_LIST,
      .max = 1000,
      .doc = "Its users, by name or id; once for each." },
    { 0 },
};
static const struct model_param group_change_flags[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Another name." },
    DESCRIPTION,
    { .name = "add", .type = PARAM_LIST, .max = 1000, .doc = "A user to take in." },
    { .name = "remove", .type = PARAM_LIST, .max = 1000, .doc = "A user to let go." },
    { 0 },
};
static const struct model_param role_create_flags[] = {
    DESCRIPTION,
    { .name = "permissions",
      .type = PARAM_LIST,
      .required = true,
      .max = 64,
      .doc = "What it allows: vm.read; once for each." },
    { 0 },
};
static const struct model_param role_change_flags[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Another name." },
    DESCRIPTION,
    { .name = "permissions",
      .type = PARAM_LIST,
      .max = 64,
      .doc = "What it allows, once for each; replaces the list." },
    { 0 },
};
static const struct model_param grant_flags[] = {
    { .name = "user",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Who has it, by name or id: a user ..." },
    { .name = "group", .type = PARAM_TEXT, .max = 128, .doc = "... or a group ..." },
    { .name = "token", .type = PARAM_TEXT, .max = 128, .doc = "... or a token, which it narrows." },
    { .name = "expires_at",
      .type = PARAM_TIME,
      .doc = "When it ends: 30d, 2026-12-31; never unless given." },
    { 0 },
};
static const struct model_param grant_all_flags[] = {
    { .name = "user",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Who has it, by name or id: a user ..." },
    { .name = "group", .type = PARAM_TEXT, .max = 128, .doc = "... or a group ..." },
    { .name = "token", .type = PARAM_TEXT, .max = 128, .doc = "... or a token, which it narrows." },
    { .name = "on",
      .type = PARAM_TEXT,
      .max = 4200,
      .doc = "everything, folder:ID, provider:NAME, object:ID, or a filter: tag:app=erp" },
    { .name = "expires_at",
      .type = PARAM_TIME,
      .doc = "When it ends: 30d, 2026-12-31; never unless given." },
    { 0 },
};
static const struct model_param explain_flags[] = {
    { .name = "principal",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "A user by name, or a user or token by id; you unless given." },
    { 0 },
};

json_t *cli_scope(const char *on)
{
    static const char *const types[] = { "folder", "provider", "object" };

    if (str_eq(on, "everything"))
        return json_pack("{s:s}", "type", "everything");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t len = strlen(types[i]);

        if (strncmp(on, types[i], len) == 0 && on[len] == ':')
            return json_pack("{s:s, s:s}", "type", types[i], types[i], on + len + 1);
    }
    return json_pack("{s:s, s:s}", "type", "selector", "selector", on);
}

static int grant_create(struct cli *c, struct pv_err *err)
{
    const char *on = cli_flag(c, "on");
    json_t *body = NULL, *made = NULL;
    int rc = on ? cli_body(c, grant_flags, &body, err)
                : cli_usage(c, err, "say on what: --on everything, --on tag:app=erp");

    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, "role", json_string(c->args[0]));
    json_object_set_new(body, "scope", cli_scope(on));
    rc = client_call(c, "POST", API "/grants", body, NULL, &made, err);
    json_decref(body);
    return rc == PV_OK ? object_tell(c, made, "granted", err) : rc;
}

/* The id of what may be named where the action says of which kind it is: vm.start. */
static int target_id(struct cli *c, const char *text, const char **id, struct pv_err *err)
{
    const char *action = c->args[0];
    char noun[32];
    const struct model_kind *kind = NULL;
    struct pv_id parsed;

    *id = text;
    if (model_id_parse(text, strlen(text), &kind, &parsed))
        return PV_OK;
    if (str_copy_n(noun, sizeof(noun), action, strcspn(action, ".")))
        kind = model_kind_by_name(noun);
    return kind ? object_id(c, kind, text, id, err)
                : cli_usage(c, err, "say the target by its id: %s is of no kind", action);
}

/* "yes: ..." on stdout; exit code 1 where it is no, for scripts. */
static int explain(struct cli *c, struct pv_err *err)
{
    json_t *answer = NULL;
    struct buf path;
    const char *text, *target = NULL;
    int rc = c->nargs > 1 ? target_id(c, c->args[1], &target, err) : PV_OK;

    if (rc != PV_OK)
        return rc;
    buf_init(&path, 8192);
    buf_text(&path, API "/access/explain");
    client_query(&path, "action", c->args[0]);
    if (target)
        client_query(&path, "target", target);
    if (cli_flag(c, "principal"))
        client_query(&path, "principal", cli_flag(c, "principal"));
    rc = client_get(c, cli_keep(c, &path), &answer, err);
    if (rc != PV_OK)
        return rc;
    if (!json_is_true(json_object_get(answer, "allowed")))
        c->exit_code = CLI_ERROR;
    text = json_string_value(json_object_get(answer, "why"));
    if (output_is_document(c))
        rc = output_object(c, answer, NULL, err);
    else if (text)
        rc = term_out(arena_printf(c->arena, "%s\n", text), strlen(text) + 1, err);
    json_decref(answer);
    return rc;
}

static int reset_totp(struct cli *c, struct pv_err *err)
{
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    int rc = segment
                 ? client_call(c, "DELETE", arena_printf(c->arena, API "/users/%s/totp", segment),
                               NULL, NULL, NULL, err)
                 : err->rc;

    if (rc == PV_OK)
        term_note(c, "%s signs in by password alone.", c->args[0]);
    return rc;
}

const struct command rights_commands[] = {
    { .words = "user reset-totp",
      .args = "USER",
      .doc = "Take the second factor of a user who has lost it.",
      .groups = GROUP_YES,
      .run = reset_totp,
      .least = 1,
      .most = 1 },
    { .words = "group create",
      .args = "NAME",
      .doc = "Make a group of users.",
      .flags = group_create_flags,
      .run = object_create,
      .least = 1,
      .most = 1 },
    { .words = "group change",
      .args = "GROUP",
      .doc = "Rename a group, take users in, let users go.",
      .flags = group_change_flags,
      .run = object_change,
      .least = 1,
      .most = 1 },
    { .words = "group delete",
      .args = "GROUP...",
      .doc = "Delete groups with their grants; their users stay.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "role create",
      .args = "NAME",
      .doc = "Make a role: a set of permissions.",
      .flags = role_create_flags,
      .run = object_create,
      .least = 1,
      .most = 1 },
    { .words = "role change",
      .args = "ROLE",
      .doc = "Change a role of one's own making.",
      .flags = role_change_flags,
      .run = object_change,
      .least = 1,
      .most = 1 },
    { .words = "role delete",
      .args = "ROLE...",
      .doc = "Delete roles that nobody has.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "grant create",
      .args = "ROLE",
      .doc = "Give a role to a user, group or token, on everything or a part of the inventory.",
      .flags = grant_all_flags,
      .run = grant_create,
      .least = 1,
      .most = 1,
      .more = "  polyvisor grant create operator --group \"ERP team\" --on tag:app=erp" },
    { .words = "grant delete",
      .args = "GRANT...",
      .doc = "Take grants away.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "access explain",
      .args = "ACTION [TARGET]",
      .doc = "May somebody do this, and by which grant?",
      .flags = explain_flags,
      .run = explain,
      .least = 1,
      .most = 2,
      .more = "  polyvisor access explain vm.start web01 --principal mueller" },
    { 0 },
};
