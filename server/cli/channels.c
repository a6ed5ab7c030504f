/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told: notification targets, webhooks, the log of both, whom a rule tells, and silences. */
#include <stdlib.h>
#include <string.h>

#include "server/cli/client.h"
#include "server/cli/output.h"
#include "server/cli/term.h"

#define PEM_MAX 65536

#define FILES                                                                                      \
    { .name = "ca_file",                                                                           \
      .type = PARAM_TEXT,                                                                          \
      .max = 4096,                                                                                 \
      .doc = "File with the authorities (PEM) to trust instead of the system's." },                \
        { .name = "enabled", .type = PARAM_BOOL, .doc = "It is told; --no-enabled pauses it." },   \
    {                                                                                              \
        .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "Our notes."    \
    }

#define TARGET_FLAGS                                                                               \
    { .name = "severity",                                                                          \
      .type = PARAM_ENUM,                                                                          \
      .enum_id = PV_ENUM_severity,                                                                 \
      .doc = "Only alerts at least this bad." },                                                   \
        { .name = "tell_resolved", .type = PARAM_BOOL, .doc = "Tell the end of an alert, too." },  \
        { .name = "server",                                                                        \
          .type = PARAM_TEXT,                                                                      \
          .max = 256,                                                                              \
          .doc = "Mail, syslog: host name or address of the server." },                            \
        { .name = "port", .type = PARAM_INT, .max = 65535, .doc = "Mail, syslog: its port." },     \
        { .name = "security",                                                                      \
          .type = PARAM_ENUM,                                                                      \
          .enum_id = PV_ENUM_channel_security,                                                     \
          .doc = "Mail, syslog: how the connection is protected." },                               \
        { .name = "transport",                                                                     \
          .type = PARAM_ENUM,                                                                      \
          .enum_id = PV_ENUM_syslog_transport,                                                     \
          .doc = "Syslog without TLS: over TCP or UDP." },                                         \
        { .name = "facility",                                                                      \
          .type = PARAM_INT,                                                                       \
          .max = 23,                                                                               \
          .doc = "Syslog: number of the facility." },                                              \
        { .name = "username",                                                                      \
          .type = PARAM_TEXT,                                                                      \
          .nullable = true,                                                                        \
          .max = 256,                                                                              \
          .doc = "Mail: account to sign in with." },                                               \
        { .name = "password_file",                                                                 \
          .type = PARAM_TEXT,                                                                      \
          .max = 4096,                                                                             \
          .doc = "Mail: file with its password; - is standard input." },                           \
        { .name = "from", .type = PARAM_TEXT, .max = 320, .doc = "Mail: address it comes from." }, \
        { .name = "to",                                                                            \
          .type = PARAM_LIST,                                                                      \
          .max = 32,                                                                               \
          .doc = "Mail: address it goes to; may be said again." },                                 \
        { .name = "target_url",                                                                    \
          .type = PARAM_TEXT,                                                                      \
          .max = 2048,                                                                             \
          .doc = "Webhook: address that is posted to." },                                          \
        { .name = "secret_file",                                                                   \
          .type = PARAM_TEXT,                                                                      \
          .max = 4096,                                                                             \
          .doc =                                                                                   \
              "Webhook: file with the key that requests are signed with; - is standard input." },  \
        FILES,                                                                                     \
    {                                                                                              \
        0                                                                                          \
    }

static const struct model_param target_create_flags[] = {
    { .name = "type",
      .type = PARAM_ENUM,
      .enum_id = PV_ENUM_target_type,
      .required = true,
      .doc = "How it is told." },
    TARGET_FLAGS,
};
static const struct model_param target_change_flags[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Another name." },
    TARGET_FLAGS,
};

#define HOOK_FLAGS(needed)                                                                         \
    { .name = "secret_file",                                                                       \
      .type = PARAM_TEXT,                                                                          \
      .required = needed,                                                                          \
      .max = 4096,                                                                                 \
      .doc = "File with the key that requests are signed with; - is standard input." },            \
        { .name = "event_types",                                                                   \
          .type = PARAM_LIST,                                                                      \
          .max = 16,                                                                               \
          .doc = "Type of events, with wildcards (vm.*); may be said again." },                    \
        { .name = "selector",                                                                      \
          .type = PARAM_TEXT,                                                                      \
          .nullable = true,                                                                        \
          .max = 4096,                                                                             \
          .doc = "Which events, in the filter language of event list." },                          \
        FILES,                                                                                     \
    {                                                                                              \
        0                                                                                          \
    }

static const struct model_param hook_create_flags[] = {
    { .name = "target_url",
      .type = PARAM_TEXT,
      .required = true,
      .max = 2048,
      .doc = "Address that is posted to." },
    HOOK_FLAGS(true),
};
static const struct model_param hook_change_flags[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Another name." },
    { .name = "target_url", .type = PARAM_TEXT, .max = 2048, .doc = "Address that is posted to." },
    HOOK_FLAGS(false),
};
static const struct model_param rule_flags[] = {
    { .name = "enabled", .type = PARAM_BOOL, .doc = "It is watched for; --no-enabled ends that." },
    { .name = "severity",
      .type = PARAM_ENUM,
      .enum_id = PV_ENUM_severity,
      .doc = "How bad it is." },
    { .name = "notify",
      .type = PARAM_ENUM,
      .enum_id = PV_ENUM_notify,
      .doc = "Who is told: all notification targets, none, or the chosen ones." },
    { .name = "targets",
      .type = PARAM_LIST,
      .max = 100,
      .doc = "Name or id of a chosen target; may be said again." },
    { 0 },
};

static const struct model_param silence_flags[] = {
    { .name = "of",
      .type = PARAM_TEXT,
      .max = 64,
      .doc = "Kind of the objects it is about: vm, host, datastore, provider ..." },
    { .name = "filter",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "Which ones, in the filter language of their list." },
    { .name = "rule",
      .type = PARAM_TEXT,
      .nullable = true,
      .max = 128,
      .doc = "Only what this alert rule finds: its name or id." },
    { .name = "starts_at",
      .type = PARAM_TIME,
      .doc = "When it begins: a date, a time, or from now (2h); without it at once." },
    { .name = "ends_at", .type = PARAM_TIME, .doc = "When it ends, in the same forms." },
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "Our notes." },
    { 0 },
};

/* ------------------------------------------------------------------ bodies */

/* What a flag names a file of goes into the body as its content. */
static int put_file(struct cli *c, json_t *body, const char *flag, const char *member, bool secret,
                    struct pv_err *err)
{
    const char *path = cli_flag(c, flag);
    char *text = NULL;
    int rc;

    if (!path)
        return PV_OK;
    json_object_del(body, flag);
    rc = secret ? secret_read(c, flag, NULL, flag, &text, err)
                : file_read(c, path, PEM_MAX, &text, err);
    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, member, json_string(text));
    explicit_bzero(text, strlen(text));
    free(text);
    return PV_OK;
}

static int channel_body(struct cli *c, json_t **out, struct pv_err *err)
{
    json_t *body = NULL, *url;
    int rc = cli_body(c, c->command->flags, &body, err);

    if (rc == PV_OK)
        rc = put_file(c, body, "password_file", "password", true, err);
    if (rc == PV_OK)
        rc = put_file(c, body, "secret_file", "secret", true, err);
    if (rc == PV_OK)
        rc = put_file(c, body, "ca_file", "ca_pem", false, err);
    if (rc != PV_OK) {
        json_decref(body);
        return rc;
    }
    /* --url is where this program itself asks. */
    url = json_object_get(body, "target_url");
    if (url) {
        json_object_set(body, "url", url);
        json_object_del(body, "target_url");
    }
    *out = body;
    return PV_OK;
}

/* What the command is about, under the name that is its argument. */
static int post_new(struct cli *c, json_t *body, struct pv_err *err)
{
    struct call call = { .once = true };
    json_t *made = NULL;
    int rc;

    json_object_set_new(body, "name", json_string(c->args[0]));
    rc = client_call(c, "POST", arena_printf(c->arena, API "/%s", c->command->kind->plural), body,
                     &call, &made, err);
    json_decref(body);
    return rc == PV_OK ? object_tell(c, made, "made", err) : rc;
}

static int channel_create(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL;
    int rc = channel_body(c, &body, err);

    return rc == PV_OK ? post_new(c, body, err) : rc;
}

static int channel_change(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL;
    int rc = channel_body(c, &body, err);

    return rc == PV_OK ? object_patch(c, body, err) : rc;
}

/* Names of targets become ids, which is what rules keep. */
static int rule_change(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL, *ids = NULL;
    int rc = cli_body(c, c->command->flags, &body, err);

    if (rc == PV_OK && json_object_get(body, "targets"))
        ids = json_array();
    for (size_t i = 0; rc == PV_OK && ids && cli_flag_nth(c, "targets", i); i++) {
        const char *id;

        rc = object_id(c, model_kind(PV_KIND_notification_target), cli_flag_nth(c, "targets", i),
                       &id, err);
        if (rc == PV_OK)
            json_array_append_new(ids, json_string(id));
    }
    if (ids)
        json_object_set_new(body, "targets", ids);
    if (rc != PV_OK) {
        json_decref(body);
        return rc;
    }
    return object_patch(c, body, err);
}

static int silence_body(struct cli *c, json_t **out, struct pv_err *err)
{
    const char *rule = cli_flag(c, "rule"), *id;
    json_t *body = NULL;
    int rc = cli_body(c, c->command->flags, &body, err);

    if (rc == PV_OK && rule && *rule) {
        rc = object_id(c, model_kind(PV_KIND_alert_rule), rule, &id, err);
        if (rc == PV_OK)
            json_object_set_new(body, "rule", json_string(id));
    }
    if (rc == PV_OK)
        *out = body;
    else
        json_decref(body);
    return rc;
}

static int silence_create(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL;
    int rc = silence_body(c, &body, err);

    return rc == PV_OK ? post_new(c, body, err) : rc;
}

static int silence_change(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL;
    int rc = silence_body(c, &body, err);

    return rc == PV_OK ? object_patch(c, body, err) : rc;
}

/* ------------------------------------------------------------------ tests, sending again */

static int channel_test(struct cli *c, struct pv_err *err)
{
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    json_t *answer = NULL, *problem;
    int rc = segment ? PV_OK : err->rc;

    if (rc == PV_OK)
        rc = client_call(
            c, "POST",
            arena_printf(c->arena, API "/%s/%s/actions/test", c->command->kind->plural, segment),
            NULL, NULL, &answer, err);
    if (rc != PV_OK)
        return rc;
    problem = json_object_get(answer, "error");
    if (output_is_document(c)) {
        rc = output_object(c, answer, NULL, err);
        c->exit_code = json_is_object(problem) ? CLI_ERROR : c->exit_code;
    } else if (json_is_object(problem)) {
        rc = failure_take(c, problem, (long)json_integer_value(json_object_get(problem, "status")),
                          err);
    } else {
        const char *text = json_string_value(json_object_get(answer, "answer"));

        term_note(c, "%s took the test: %s.", c->args[0], text ? text : "ok");
    }
    json_decref(answer);
    return rc;
}

static int delivery_resend(struct cli *c, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < c->nargs && rc == PV_OK; i++) {
        json_t *sent = NULL;

        rc = client_call(c, "POST",
                         arena_printf(c->arena, API "/deliveries/%s/actions/resend", c->args[i]),
                         NULL, NULL, &sent, err);
        if (rc == PV_OK)
            term_note(c, "%s is sent again.", c->args[i]);
        json_decref(sent);
    }
    return rc;
}

static const char target_more[] =
    "  polyvisor notification-target create duty --type mail --server mail.example.com \\\n"
    "      --from polyvisor@example.com --to duty@example.com\n"
    "  polyvisor notification-target create log --type syslog --server log.example.com\n"
    "  polyvisor notification-target test duty";

const struct command channel_commands[] = {
    { .words = "notification-target create",
      .args = "NAME",
      .doc = "Make a channel that alerts are told through.",
      .flags = target_create_flags,
      .more = target_more,
      .run = channel_create,
      .least = 1,
      .most = 1 },
    { .words = "notification-target change",
      .args = "TARGET",
      .doc = "Change a notification target.",
      .flags = target_change_flags,
      .run = channel_change,
      .least = 1,
      .most = 1 },
    { .words = "notification-target delete",
      .args = "TARGET...",
      .doc = "Delete notification targets with their logs.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "notification-target test",
      .args = "TARGET",
      .doc = "Send a test at once, and say what became of it.",
      .run = channel_test,
      .least = 1,
      .most = 1 },
    { .words = "webhook create",
      .args = "NAME",
      .doc = "Make an address that events are posted to.",
      .flags = hook_create_flags,
      .run = channel_create,
      .least = 1,
      .most = 1 },
    { .words = "webhook change",
      .args = "WEBHOOK",
      .doc = "Change a webhook.",
      .flags = hook_change_flags,
      .run = channel_change,
      .least = 1,
      .most = 1 },
    { .words = "webhook delete",
      .args = "WEBHOOK...",
      .doc = "Delete webhooks with their logs.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "webhook test",
      .args = "WEBHOOK",
      .doc = "Post a test at once, and say what became of it.",
      .run = channel_test,
      .least = 1,
      .most = 1 },
    { .words = "delivery resend",
      .args = "DELIVERY-ID...",
      .doc = "Send it again, after what waits.",
      .run = delivery_resend,
      .least = 1 },
    { .words = "alert-silence create",
      .args = "NAME",
      .doc = "Tell nobody about alerts of some objects for a time.",
      .flags = silence_flags,
      .more = "  polyvisor alert-silence create patch-night --of vm --filter 'tag:env=test' "
              "--ends-at 4h",
      .run = silence_create,
      .least = 1,
      .most = 1 },
    { .words = "alert-silence change",
      .args = "ALERT-SILENCE",
      .doc = "Change a silence, for instance when it ends.",
      .flags = silence_flags,
      .run = silence_change,
      .least = 1,
      .most = 1 },
    { .words = "alert-silence delete",
      .args = "ALERT-SILENCE...",
      .doc = "End silences.",
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "alert-rule change",
      .args = "ALERT-RULE",
      .doc = "Change whom a rule tells, how bad it is, whether it is watched.",
      .flags = rule_flags,
      .run = rule_change,
      .least = 1,
      .most = 1 },
    { 0 },
};
