/* SPDX-License-Identifier: Apache-2.0 */
/* Users, tokens, and the check of the audit records. */
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

static const struct model_param user_flags[] = {
    { .name = "role",
      .type = PARAM_ENUM,
      .enum_id = PV_ENUM_role,
      .doc = "Short for a grant of this role on everything." },
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "enabled", .type = PARAM_BOOL, .doc = "May sign in; --no-enabled: may not." },
    { 0 },
};
static const struct model_param user_all_flags[] = {
    { .name = "role",
      .type = PARAM_ENUM,
      .enum_id = PV_ENUM_role,
      .doc = "Short for a grant of this role on everything." },
    { .name = "full_name", .type = PARAM_TEXT, .max = 256, .doc = "Name for people." },
    { .name = "enabled", .type = PARAM_BOOL, .doc = "May sign in; --no-enabled: may not." },
    { .name = "password", .type = PARAM_BOOL, .doc = "Ask for a new password." },
    { .name = "password_file",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with the password, - for standard input; else POLYVISOR_USER_PASSWORD, else you "
             "are asked." },
    { 0 },
};
static const struct model_param token_flags[] = {
    { .name = "role",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Narrows what it may do, by a role's name; your own rights unless given." },
    { .name = "networks",
      .type = PARAM_LIST,
      .max = 16,
      .doc = "Networks it may be used from: 192.0.2.0/24; any unless given." },
    { .name = "expires_at",
      .type = PARAM_TIME,
      .nullable = true,
      .doc = "When it ends: 30d, 2026-12-31; in 90 days unless given." },
    { 0 },
};

static const struct model_param token_all_flags[] = {
    { .name = "role",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Narrows what it may do, by a role's name; your own rights unless given." },
    { .name = "on",
      .type = PARAM_TEXT,
      .max = 4200,
      .doc = "Narrows on what: folder:ID, provider:NAME, object:ID, or a filter: tag:app=erp" },
    { .name = "networks",
      .type = PARAM_LIST,
      .max = 16,
      .doc = "Networks it may be used from: 192.0.2.0/24; any unless given." },
    { .name = "expires_at",
      .type = PARAM_TIME,
      .nullable = true,
      .doc = "When it ends: 30d, 2026-12-31; in 90 days unless given." },
    { 0 },
};

static int put_password(struct cli *c, json_t *body, struct pv_err *err)
{
    return secret_put(c, body, "POLYVISOR_USER_PASSWORD",
                      "Password of the user (12 characters or more)", err);
}

static int user_add(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL, *user = NULL;
    int rc = cli_body(c, user_flags, &body, err);

    if (rc == PV_OK && json_object_del(body, "enabled") == 0)
        rc = cli_usage(c, err, "a new user may sign in; user change --no-enabled stops that");
    if (rc == PV_OK)
        rc = put_password(c, body, err);
    if (rc == PV_OK) {
        json_object_set_new(body, "name", json_string(c->args[0]));
        rc = client_call(c, "POST", API "/users", body, NULL, &user, err);
    }
    json_decref(body);
    return rc == PV_OK ? object_tell(c, user, "added", err) : rc;
}

static int user_change(struct cli *c, struct pv_err *err)
{
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    json_t *body = NULL, *user = NULL;
    int rc = segment ? cli_body(c, user_flags, &body, err) : err->rc;

    if (rc == PV_OK && (cli_flag(c, "password_file") || cli_flag_on(c, "password", false)))
        rc = put_password(c, body, err);
    if (rc == PV_OK && json_object_size(body) == 0)
        rc = cli_usage(c, err, "say what to change: --role, --full-name, --password, --no-enabled");
    if (rc == PV_OK)
        rc = client_call(c, "PATCH", arena_printf(c->arena, API "/users/%s", segment), body, NULL,
                         &user, err);
    json_decref(body);
    return rc == PV_OK ? object_tell(c, user, "changed", err) : rc;
}

/* The token itself is all that goes to stdout: TOKEN=$(polyvisor token create ci). */
static int token_create(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL, *made = NULL;
    const char *token;
    int rc = cli_body(c, token_flags, &body, err);

    if (rc == PV_OK) {
        json_object_set_new(body, "name", json_string(c->args[0]));
        if (cli_flag(c, "on"))
            json_object_set_new(body, "scope", cli_scope(cli_flag(c, "on")));
        rc = client_call(c, "POST", API "/tokens", body, NULL, &made, err);
    }
    json_decref(body);
    if (rc != PV_OK)
        return rc;
    token = json_string_value(json_object_get(made, "token"));
    if (c->output == OUT_JSON || c->output == OUT_JSONL || c->output == OUT_YAML) {
        rc = output_object(c, made, NULL, err);
    } else if (token) {
        rc = term_out(token, strlen(token), err);
        if (rc == PV_OK)
            rc = term_out("\n", 1, err);
        if (c->out_tty)
            term_note(c, "Keep it now: it is shown this once.");
    }
    json_decref(made);
    return rc;
}

static int audit_verify(struct cli *c, struct pv_err *err)
{
    json_t *answer = NULL;
    int rc = client_get(c, API "/audit/verify", &answer, err);

    if (rc != PV_OK)
        return rc;
    if (!json_is_true(json_object_get(answer, "ok")))
        c->exit_code = CLI_ERROR;
    rc = output_object(c, answer, NULL, err);
    json_decref(answer);
    return rc;
}

const struct command access_commands[] = {
    { .words = "user add",
      .args = "NAME",
      .doc = "Let another person in.",
      .flags = user_all_flags,
      .run = user_add,
      .least = 1,
      .most = 1 },
    { .words = "user change",
      .args = "USER",
      .doc = "Change a user; a new password or role ends the user's logins.",
      .flags = user_all_flags,
      .run = user_change,
      .least = 1,
      .most = 1 },
    { .words = "user delete",
      .args = "USER...",
      .doc = "Delete a user with all tokens.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "token create",
      .args = "NAME",
      .doc = "Make a token for a program; it is shown this once.",
      .flags = token_all_flags,
      .run = token_create,
      .least = 1,
      .most = 1,
      .more = "  export POLYVISOR_TOKEN=$(polyvisor token create ci --role operator --expires-at "
              "30d)" },
    { .words = "token delete",
      .args = "TOKEN...",
      .doc = "End tokens.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "audit verify",
      .args = "",
      .doc = "Check that nobody changed the audit records.",
      .run = audit_verify },
    { 0 },
};
