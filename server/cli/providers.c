/* SPDX-License-Identifier: Apache-2.0 */
/* Providers: connecting step by step, and what a probe found, in words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

#define PROBE_MS 60000
#define LOOK_AGAIN_MS 500

static const struct model_param connection_flags[] = {
    { .name = "driver",
      .type = PARAM_TEXT,
      .max = 32,
      .doc = "Driver: vapi for vCenter and ESXi; see driver list." },
    { .name = "endpoint",
      .type = PARAM_TEXT,
      .max = 1024,
      .doc = "Address: https://vcenter.example.com/sdk." },
    { .name = "username", .type = PARAM_TEXT, .max = 256, .doc = "Account to sign in with." },
    { .name = "password_file",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with its password, - for standard input; else POLYVISOR_PROVIDER_PASSWORD, else "
             "you are asked." },
    { .name = "tls_mode",
      .type = PARAM_ENUM,
      .enum_id = PV_ENUM_tls_mode,
      .doc = "How its certificate is checked: by authorities, by fingerprint, or not at all." },
    { .name = "pin",
      .type = PARAM_LIST,
      .doc = "SHA-256 of a certificate to trust; means --tls-mode pin. May be given again." },
    { .name = "tls_ca",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with authorities to trust instead of the system's." },
    { .name = "set",
      .type = PARAM_LIST,
      .doc = "A setting of the driver: key=value. May be given again." },
    { .name = "notes", .type = PARAM_TEXT, .max = 4096, .doc = "Our notes." },
    { .name = "name", .type = PARAM_TEXT, .max = 256, .doc = "Another name for it." },
    { .name = "members",
      .type = PARAM_BOOL,
      .doc = "Also add the other nodes of its cluster, with the same account and settings; probes "
             "first." },
    { .name = "probe",
      .type = PARAM_BOOL,
      .doc = "Try the connection first, and add it only if all is well." },
    { 0 },
};

static const struct model_param delete_flags[] = {
    { .name = "force", .type = PARAM_BOOL, .doc = "Also while tasks run." },
    { 0 },
};

/* ------------------------------------------------------------------ findings */

bool findings_print(struct cli *c, const json_t *findings)
{
    const json_t *one;
    struct buf out, clean;
    bool all = true;
    size_t i;

    buf_init(&out, 1u << 20);
    json_array_foreach(findings, i, one)
    {
        const char *step = json_string_value(json_object_get(one, "step"));
        const char *detail = json_string_value(json_object_get(one, "detail"));
        const char *remedy = json_string_value(json_object_get(one, "remedy"));
        const char *pin = json_string_value(json_at(one, "data.sha256"));
        bool ok = json_is_true(json_object_get(one, "ok"));
        const char *style = c->color ? term_style(ok ? STYLE_GOOD : STYLE_BAD) : "";

        buf_init(&clean, 1u << 20);
        buf_printf(&out, "%s%-7s%s", style, ok ? "ok" : "FAILED", *style ? TERM_PLAIN : "");
        term_clean(&clean, step ? step : "?", strlen(step ? step : "?"));
        if (detail) {
            buf_text(&clean, ": ");
            term_clean(&clean, detail, strlen(detail));
        }
        if (pin && !ok) {
            buf_text(&clean, "\n       fingerprint sha256:");
            term_clean(&clean, pin, strlen(pin));
        }
        if (remedy && !ok) {
            buf_text(&clean, "\n       ");
            term_clean(&clean, remedy, strlen(remedy));
        }
        buf_printf(&out, "%s\n", clean.data ? clean.data : "");
        buf_free(&clean);
        all = all && ok;
    }
    (void)term_out(out.data ? out.data : "", out.len, NULL);
    buf_free(&out);
    return all;
}

static const char *failed_certificate(const json_t *answer)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(answer, "findings"), i, one) if (
        json_is_false(json_object_get(one, "ok"))) return json_string_value(json_at(one,
                                                                                    "data.sha256"));
    return NULL;
}

/* The nodes of the cluster that a host is in; owned, NULL: none. */
static json_t *cluster_nodes(const json_t *answer)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(answer, "findings"), i, one)
    {
        const char *step = json_string_value(json_object_get(one, "step"));

        if (step && strcmp(step, "cluster") == 0)
            return json_incref(json_at(one, "data.nodes"));
    }
    return NULL;
}

static int show_findings(struct cli *c, const json_t *answer, struct pv_err *err)
{
    if (!json_is_true(json_object_get(answer, "ok")))
        c->exit_code = CLI_ERROR;
    if (c->output == OUT_JSON || c->output == OUT_JSONL || c->output == OUT_YAML)
        return output_object(c, answer, NULL, err);
    (void)findings_print(c, json_object_get(answer, "findings"));
    return PV_OK;
}

static void pin_in(json_t *body, const char *sha256)
{
    json_object_set_new(body, "tls",
                        json_pack("{s:s, s:[s]}", "mode",
                                  model_enum_text(PV_ENUM_tls_mode, PV_TLS_MODE_PIN), "pins",
                                  sha256));
}

/* Probes; a certificate that a person accepts is pinned and tried again. *good: all steps went
 * well. */
static int probe(struct cli *c, json_t *body, json_t **nodes, bool *good, struct pv_err *err)
{
    for (int tries = 0;; tries++) {
        struct call call = { .timeout_ms = PROBE_MS };
        const char *sha256;
        json_t *answer = NULL;
        int rc = client_call(c, "POST", API "/providers/probe", body, &call, &answer, err);

        if (rc != PV_OK)
            return rc;
        rc = show_findings(c, answer, err);
        *good = json_is_true(json_object_get(answer, "ok"));
        *nodes = cluster_nodes(answer);
        sha256 = failed_certificate(answer);
        if (sha256)
            sha256 = arena_strdup(c->arena, sha256);
        json_decref(answer);
        if (rc != PV_OK || *good || !sha256 || tries > 0 ||
            !term_confirm(c, "Trust the certificate with this fingerprint for this provider?"))
            return rc;
        json_decref(PV_TAKE(*nodes));
        pin_in(body, sha256);
        c->exit_code = -1;
    }
}

/* ------------------------------------------------------------------ what is asked for */

/* true, false and whole numbers are what they look like; everything else is text. */
static json_t *setting_value(const char *text)
{
    int64_t n;

    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
        return json_boolean(text[0] == 't');
    if (str_i64(text, strlen(text), &n))
        return json_integer(n);
    return json_string(text);
}

static int put_settings(struct cli *c, json_t *body, struct pv_err *err)
{
    json_t *settings = NULL;
    const char *text;

    for (size_t i = 0; (text = cli_flag_nth(c, "set", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        const char *key = equals ? arena_text(c->arena, text, (size_t)(equals - text)) : NULL;

        if (!key || !*key)
            return cli_usage(c, err, "--set takes key=value, not \"%s\"", text);
        if (!settings) {
            settings = json_object();
            json_object_set_new(body, "settings", settings);
        }
        json_object_set_new(settings, key, setting_value(equals + 1));
    }
    return PV_OK;
}

static int put_tls(struct cli *c, json_t *body, struct pv_err *err)
{
    const char *mode = cli_flag(c, "tls_mode"), *ca = cli_flag(c, "tls_ca"), *pin;
    json_t *tls = json_object(), *pins = json_array();
    char *pem = NULL;
    int rc = PV_OK;

    for (size_t i = 0; (pin = cli_flag_nth(c, "pin", i)) != NULL; i++)
        json_array_append_new(pins, json_string(str_starts(pin, "sha256:") ? pin + 7 : pin));
    if (!mode && json_array_size(pins) > 0)
        mode = model_enum_text(PV_ENUM_tls_mode, PV_TLS_MODE_PIN);
    if (mode)
        json_object_set_new(tls, "mode", json_string(mode));
    if (json_array_size(pins) > 0)
        json_object_set(tls, "pins", pins);
    if (ca) {
        rc = file_read(c, ca, 65536, &pem, err);
        if (rc == PV_OK)
            json_object_set_new(tls, "ca_pem", json_string(pem));
        free(pem);
    }
    if (json_object_size(tls) > 0)
        json_object_set(body, "tls", tls);
    json_decref(tls);
    json_decref(pins);
    return rc;
}

static int connection_body(struct cli *c, json_t **out, struct pv_err *err)
{
    static const char *const texts[] = { "driver", "endpoint", "username", "notes", "name" };
    json_t *body = json_object();
    int rc;

    for (size_t i = 0; i < PV_COUNT(texts); i++)
        if (cli_flag(c, texts[i]))
            json_object_set_new(body, texts[i], json_string(cli_flag(c, texts[i])));
    rc = put_settings(c, body, err);
    if (rc == PV_OK)
        rc = put_tls(c, body, err);
    if (rc == PV_OK && (cli_flag(c, "username") || cli_flag(c, "password_file")))
        rc = secret_put(
            c, body, "POLYVISOR_PROVIDER_PASSWORD",
            arena_printf(c->arena, "Password of %s",
                         cli_flag(c, "username") ? cli_flag(c, "username") : "the account"),
            err);
    if (rc == PV_OK)
        *out = body;
    else
        json_decref(body);
    return rc;
}

/* ------------------------------------------------------------------ add */

/* Until its first inventory is there, or it says what keeps it from that. */
static int wait_connected(struct cli *c, json_t **provider, struct pv_err *err)
{
    const char *path = arena_printf(c->arena, API "/providers/%s",
                                    json_string_value(json_object_get(*provider, "id")));
    int64_t deadline = task_deadline_ms(c, 600000);
    int rc = PV_OK;

    term_catch_interrupt(true);
    for (;;) {
        const char *text = json_string_value(json_object_get(*provider, "state"));
        int64_t state = text ? model_enum_value(PV_ENUM_provider_state, text, strlen(text)) : -1;
        json_t *why = json_object_get(*provider, "state_reason"), *now = NULL;

        if (state == PV_PROVIDER_STATE_CONNECTED &&
            json_is_string(json_at(*provider, "sync.last_full_at")))
            break;
        if ((state == PV_PROVIDER_STATE_AUTH_FAILED || state == PV_PROVIDER_STATE_CERT_CHANGED ||
             state == PV_PROVIDER_STATE_DISCONNECTED) &&
            json_is_object(why)) {
            failure_take(c, why, 502, err);
            rc = pv_wrap(err, "%s is added, but it is %s",
                         json_string_value(json_object_get(*provider, "name")), text);
            break;
        }
        if (clock_mono_ms() >= deadline) {
            rc = pv_fail(err, PV_ETIMEOUT, "%s is added, but its inventory is not complete yet",
                         json_string_value(json_object_get(*provider, "name")));
            pv_err_remedy(err, "It goes on; see polyvisor provider show.");
            break;
        }
        term_progress(c, -1,
                      arena_printf(c->arena, "Reading the inventory of %s: %s",
                                   json_string_value(json_object_get(*provider, "name")),
                                   text ? text : ""));
        clock_sleep_ms(LOOK_AGAIN_MS);
        if (term_interrupted()) {
            c->exit_code = CLI_DETACHED;
            break;
        }
        rc = client_get(c, path, &now, err);
        if (rc != PV_OK)
            break;
        json_decref(*provider);
        *provider = now;
    }
    term_catch_interrupt(false);
    term_progress_end(c);
    return rc;
}

/* Nodes whose certificate a person does not accept are left out. */
static void put_members(struct cli *c, json_t *body, const json_t *nodes)
{
    const json_t *pins = json_at(body, "tls.pins"), *node;
    json_t *members = json_array();
    size_t i, k;

    json_array_foreach(nodes, i, node)
    {
        const char *name = json_string_value(json_object_get(node, "name"));
        const char *endpoint = json_string_value(json_object_get(node, "endpoint"));
        const char *sha256 = json_string_value(json_object_get(node, "sha256"));
        bool pinned = !json_is_array(pins) || json_array_size(pins) == 0;
        json_t *member;
        const json_t *pin;

        if (!name || !endpoint)
            continue;
        json_array_foreach(pins, k, pin) pinned =
            pinned || (sha256 && strcmp(json_string_value(pin), sha256) == 0);
        member = json_pack("{s:s, s:s}", "name", name, "endpoint", endpoint);
        if (!pinned && sha256 &&
            term_confirm(c, "Trust the certificate of %s with the fingerprint %s?", name, sha256)) {
            pin_in(member, sha256);
            pinned = true;
        }
        if (pinned)
            json_array_append(members, member);
        else
            term_note(c,
                      "%s is left out: its certificate is none of those that are pinned (--pin).",
                      name);
        json_decref(member);
    }
    if (json_array_size(members) > 0)
        json_object_set(body, "members", members);
    else
        term_note(c, "%s has no other nodes to add.", c->args[0]);
    json_decref(members);
}

static int provider_add(struct cli *c, struct pv_err *err)
{
    struct call call = { .once = true };
    json_t *body = NULL, *provider = NULL, *nodes = NULL;
    bool good = true, members = cli_flag_on(c, "members", false);
    int rc;

    if (!cli_flag(c, "driver"))
        return cli_usage(
            c, err,
            "--driver is needed: vapi for vCenter and ESXi; polyvisor driver list shows all");
    rc = connection_body(c, &body, err);
    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, "name", json_string(c->args[0]));
    if (members || cli_flag_on(c, "probe", false)) {
        json_t *tried = json_copy(body);

        json_object_del(tried, "notes");
        rc = probe(c, tried, &nodes, &good, err);
        if (json_object_get(tried, "tls"))
            json_object_set(body, "tls", json_object_get(tried, "tls"));
        json_decref(tried);
    }
    if (rc == PV_OK && good && members)
        put_members(c, body, nodes);
    json_decref(nodes);
    if (rc == PV_OK && good)
        rc = client_call(c, "POST",
                         cli_flag_on(c, "dry_run", false) ? API "/providers?dry_run=true"
                                                          : API "/providers",
                         body, &call, &provider, err);
    json_decref(body);
    if (rc != PV_OK)
        return rc;
    if (!good) {
        term_note(c, "%s is not added.", c->args[0]);
        return PV_OK;
    }
    if (cli_flag_on(c, "dry_run", false)) {
        term_note(c, "%s could be added; nothing was done.", c->args[0]);
    } else {
        if (cli_flag_on(c, "wait", true))
            rc = wait_connected(c, &provider, err);
        if (rc == PV_OK && output_is_document(c))
            rc = output_object(c, provider, c->command->kind, err);
        else if (rc == PV_OK)
            term_note(c, "%s is added: %s.", c->args[0],
                      json_string_value(json_object_get(provider, "state")));
    }
    json_decref(provider);
    return rc;
}

static int provider_probe(struct cli *c, struct pv_err *err)
{
    const char *segment;
    struct call call = { .timeout_ms = PROBE_MS };
    json_t *answer = NULL, *body, *nodes = NULL;
    bool good;
    int rc;

    if (c->nargs == 0) {
        if (!cli_flag(c, "driver"))
            return cli_usage(c, err, "say which provider, or --driver and --endpoint of a new one");
        rc = connection_body(c, &body, err);
        if (rc == PV_OK) {
            json_object_del(body, "notes");
            rc = probe(c, body, &nodes, &good, err);
            json_decref(nodes);
            json_decref(body);
        }
        return rc;
    }
    segment = object_segment(c, c->command->kind, c->args[0], err);
    if (!segment)
        return err->rc;
    rc = client_call(c, "GET", arena_printf(c->arena, API "/providers/%s/doctor", segment), NULL,
                     &call, &answer, err);
    if (rc != PV_OK)
        return rc;
    rc = show_findings(c, answer, err);
    if (rc == PV_OK && failed_certificate(answer) &&
        term_confirm(c, "Trust the certificate with this fingerprint for %s?", c->args[0])) {
        json_t *sha = json_pack("{s:s}", "sha256", failed_certificate(answer)), *task = NULL;

        c->exit_code = -1;
        rc = client_call(
            c, "POST",
            arena_printf(c->arena, API "/providers/%s/actions/trust_certificate", segment), sha,
            &(struct call){ .once = true, .wait_s = 1 }, &task, err);
        json_decref(sha);
        if (rc == PV_OK)
            rc = task_finish(c, task, err);
    }
    json_decref(answer);
    return rc;
}

static int provider_change(struct cli *c, struct pv_err *err)
{
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    json_t *body = NULL, *provider = NULL;
    int rc = segment ? connection_body(c, &body, err) : err->rc;

    if (rc != PV_OK)
        return rc;
    if (json_object_get(body, "driver"))
        rc = cli_usage(c, err, "the driver of a provider does not change; add another provider");
    else if (json_object_size(body) == 0)
        rc = cli_usage(c, err,
                       "say what to change: --endpoint, --username, --password-file, --set ...");
    if (rc == PV_OK)
        rc = client_call(c, "PATCH", arena_printf(c->arena, API "/providers/%s", segment), body,
                         NULL, &provider, err);
    json_decref(body);
    if (rc == PV_OK && output_is_document(c))
        rc = output_object(c, provider, c->command->kind, err);
    else if (rc == PV_OK)
        term_note(c, "%s is changed.", c->args[0]);
    json_decref(provider);
    return rc;
}

static int provider_capabilities(struct cli *c, struct pv_err *err)
{
    static const struct column columns[] = {
        { .path = "name", .title = "CAPABILITY" },
        { .path = "state", .title = "STATE", .state = true },
        { .path = "reason", .title = "WHY" },
        { .path = "needs", .title = "NEEDS", .type = MODEL_LIST },
    };
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    json_t *answer = NULL;
    int rc = segment
                 ? client_get(c, arena_printf(c->arena, API "/providers/%s/capabilities", segment),
                              &answer, err)
                 : err->rc;

    if (rc != PV_OK)
        return rc;
    rc = output_items(c, answer, columns, PV_COUNT(columns), "name", err);
    json_decref(answer);
    return rc;
}

/* ------------------------------------------------------------------ drivers */

static int driver_list(struct cli *c, struct pv_err *err)
{
    static const struct column columns[] = {
        { .path = "name", .title = "NAME" },
        { .path = "state", .title = "STATE", .state = true },
        { .path = "version", .title = "VERSION" },
        { .path = "config_schema.description", .title = "WHAT" },
        { .path = "error", .title = "WHY_NOT" },
    };
    json_t *answer = NULL;
    int rc = client_get(c, API "/drivers", &answer, err);

    if (rc != PV_OK)
        return rc;
    rc = output_items(c, answer, columns, PV_COUNT(columns), "name", err);
    json_decref(answer);
    return rc;
}

static int driver_show(struct cli *c, struct pv_err *err)
{
    struct buf path;
    json_t *answer = NULL;
    int rc;

    buf_init(&path, 4096);
    buf_text(&path, API "/drivers/");
    client_escape(&path, c->args[0]);
    rc = client_get(c, path.data, &answer, err);
    buf_free(&path);
    if (rc == PV_OK)
        rc = output_object(c, answer, NULL, err);
    json_decref(answer);
    return rc;
}

const struct command provider_commands[] = {
    { .words = "provider add",
      .args = "NAME",
      .doc = "Connect to a vCenter, a host, a simulation.",
      .flags = connection_flags,
      .groups = GROUP_WAIT | GROUP_DRY_RUN,
      .run = provider_add,
      .least = 1,
      .most = 1,
      .more = "  polyvisor provider add vc1 --driver vapi --endpoint https://vc1.example.com/sdk "
              "--username polyvisor --probe\n"
              "  polyvisor provider add demo --driver sim --set vms=500\n"
              "Waits until its inventory is there, unless --no-wait." },
    { .words = "provider probe",
      .args = "[PROVIDER]",
      .doc = "Try a connection step by step; nothing is stored.",
      .flags = connection_flags,
      .run = provider_probe,
      .most = 1,
      .more = "With a name: of a provider that is there. Without: of one that could be added, by "
              "the same flags." },
    { .words = "provider change",
      .args = "PROVIDER",
      .doc = "Change a connection; it is made again where that matters.",
      .flags = connection_flags,
      .run = provider_change,
      .least = 1,
      .most = 1 },
    { .words = "provider delete",
      .args = "PROVIDER...",
      .doc = "Forget a provider and its inventory; nothing is changed there.",
      .flags = delete_flags,
      .groups = GROUP_YES,
      .run = object_delete,
      .least = 1 },
    { .words = "provider capabilities",
      .args = "PROVIDER",
      .doc = "What can be done there, and why not.",
      .run = provider_capabilities,
      .least = 1,
      .most = 1 },
    { .words = "driver list",
      .args = "",
      .doc = "List the drivers that are there.",
      .run = driver_list },
    { .words = "driver show",
      .args = "DRIVER",
      .doc = "Show a driver: its operations and settings.",
      .run = driver_show,
      .least = 1,
      .most = 1 },
    { 0 },
};
