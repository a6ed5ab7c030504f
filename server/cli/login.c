/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in: a password is used once, for a token of this machine's own that is kept in a context.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/clock.h>
#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/context.h"
#include "server/cli/output.h"

#define SECRET_MAX 4096

static const struct model_param login_flags[] = {
    { .name = "username",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Who you are; asked for on a terminal." },
    { .name = "password_file",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with your password, - for standard input." },
    { .name = "code_file",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with the code of your second factor; else POLYVISOR_CODE, else you are asked." },
    { .name = "name",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Name of the context; the server's host unless given." },
    { 0 },
};

static const struct model_param setup_flags[] = {
    { .name = "code",
      .type = PARAM_TEXT,
      .max = 64,
      .doc = "The setup code that the server printed." },
    { .name = "username",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Name of the first administrator; admin unless given." },
    { .name = "password_file",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with the password, - for standard input." },
    { .name = "name",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "Name of the context; the server's host unless given." },
    { 0 },
};

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

int file_read(struct cli *c, const char *path, size_t max, char **out, struct pv_err *err)
{
    int rc = str_read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, max, out, NULL, err);

    /* "Not found" is said of objects. */
    if (rc != PV_OK)
        c->exit_code = CLI_ERROR;
    return rc;
}

int secret_read(struct cli *c, const char *flag, const char *env, const char *prompt, char **out,
                struct pv_err *err)
{
    const char *path = cli_flag(c, flag), *value = env ? getenv(env) : NULL;
    char *text = NULL;
    int rc;

    if (!path && value && *value) {
        *out = strdup(value);
        return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    }
    if (!path) {
        if (!c->in_tty)
            return cli_usage(c, err, "%s is needed: say %s FILE%s%s", prompt,
                             cli_flag_text(c->arena, flag), env ? " or set " : "", env ? env : "");
        return term_ask(c, prompt, true, out, err);
    }
    rc = file_read(c, path, SECRET_MAX, &text, err);
    if (rc != PV_OK)
        return rc;
    text[strcspn(text, "\r\n")] = '\0';
    *out = text;
    return PV_OK;
}

int secret_put(struct cli *c, json_t *body, const char *variable, const char *prompt,
               struct pv_err *err)
{
    char *password = NULL;
    int rc = secret_read(c, "password_file", variable, prompt, &password, err);

    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, "password", json_string(password));
    explicit_bzero(password, strlen(password));
    free(password);
    return PV_OK;
}

/* ------------------------------------------------------------------ the first look at a server */

/* Who is not vouched for by an authority is shown to the person, once. */
static int first_trust(struct cli *c, struct pv_err *err)
{
    struct httpc_certificate shown = { 0 };
    const char *host;
    unsigned port;
    int rc;

    if (c->fingerprint || c->ca_file || str_starts(c->url, "http://"))
        return PV_OK;
    if (!context_host(c->arena, c->url, &host, &port))
        return cli_usage(c, err, "%s is no address of a server", c->url);
    rc = httpc_certificate(host, port, 10000, &shown, err);
    if (rc != PV_OK) {
        pv_err_remedy(err, "Is the server running, and is %s its address?", c->url);
        return rc;
    }
    if (shown.trusted)
        return PV_OK;
    if (!c->in_tty || !c->err_tty) {
        pv_fail(err, PV_ECERT, "no authority vouches for the certificate of %s (%s)", c->url,
                shown.problem);
        pv_err_remedy(err,
                      "If the server printed sha256:%s at its start, give --fingerprint with it; "
                      "or --ca FILE.",
                      shown.sha256);
        return PV_ECERT;
    }
    term_note(c,
              "%s shows a certificate that no authority known here vouches for:\n"
              "  subject:     %s\n  fingerprint: sha256:%s\n"
              "The server printed its fingerprint when it started first. Are they the same?",
              c->url, shown.subject, shown.sha256);
    if (!term_confirm(c, "Trust this certificate from now on?"))
        return pv_fail(err, PV_ECERT, "the certificate was not trusted, nothing was sent");
    c->fingerprint = arena_strdup(c->arena, shown.sha256);
    return PV_OK;
}

static int choose_server(struct cli *c, struct pv_err *err)
{
    if (c->nargs) {
        const char *url = context_url(c->arena, c->args[0]);

        if (!url)
            return cli_usage(c, err, "\"%s\" is no address of a server: say https://host:8443",
                             c->args[0]);
        /* The flag makes the rest of the choice follow: a saved context of this address, or none.
         */
        if (c->nflags < CLI_FLAGS_MAX)
            c->flags[c->nflags++] = (struct cli_flag){ &cli_global_flags[3], url };
    }
    return context_choose(c, err);
}

/* ------------------------------------------------------------------ token and context */

/* "__Host-polyvisor=...": the cookie without what a browser would do with it. */
static const char *cookie_of(struct cli *c, const char *set_cookie)
{
    return arena_text(c->arena, set_cookie, strcspn(set_cookie, ";"));
}

static int make_token(struct cli *c, const char *cookie, const char *csrf, json_t **out,
                      struct pv_err *err)
{
    struct call call = { .cookie = cookie, .csrf = csrf }, bye = call;
    char host[256] = "this machine";
    json_t *body = NULL;
    int rc;

    if (gethostname(host, sizeof(host) - 1) != 0)
        str_copy(host, sizeof(host), "this machine");
    body = json_pack("{s:o}", "name",
                     json_string(arena_printf(c->arena, "polyvisor on %.100s", host)));
    rc = client_call(c, "POST", API "/tokens", body, &call, out, err);
    json_decref(body);
    /* The cookie has served; whether the server hears that changes nothing here. */
    (void)client_call(c, "POST", API "/auth/logout", NULL, &bye, NULL, &(struct pv_err){ 0 });
    return rc;
}

/* The token that this context had before is of no use any more. */
static void drop_old_token(struct cli *c, const json_t *old)
{
    const char *id = json_string_value(json_object_get(old, "token_id"));
    const char *url = json_string_value(json_object_get(old, "url"));

    if (id && url && strcmp(url, c->url) == 0)
        (void)client_call(c, "DELETE", arena_printf(c->arena, API "/tokens/%s", id), NULL, NULL,
                          NULL, &(struct pv_err){ 0 });
}

static int keep(struct cli *c, const json_t *token, const char *user, struct pv_err *err)
{
    const char *name = cli_flag(c, "name"), *host = NULL;
    json_t *file, *contexts, *entry;
    unsigned port = 0;
    int rc = context_load(c, &file, err);

    if (rc != PV_OK)
        return rc;
    if (!name)
        name = cli_flag(c, "context") ? cli_flag(c, "context") : c->context_name;
    if (!name && context_host(c->arena, c->url, &host, &port))
        name = port == 8443 || port == 443 ? host : arena_printf(c->arena, "%s:%u", host, port);
    contexts = json_object_get(file, "contexts");
    c->token = json_string_value(json_object_get(token, "token"));
    drop_old_token(c, json_object_get(contexts, name));
    entry = json_pack("{s:s, s:s, s:s?, s:s?}", "url", c->url, "user", user, "token", c->token,
                      "token_id", json_string_value(json_object_get(token, "id")));
    if (c->fingerprint)
        json_object_set_new(entry, "fingerprint", json_string(c->fingerprint));
    else if (c->ca_file)
        json_object_set_new(entry, "ca_file", json_string(c->ca_file));
    json_object_set_new(contexts, name, entry);
    json_object_set_new(file, "current", json_string(name));
    rc = context_save(c, file, err);
    json_decref(file);
    if (rc == PV_OK)
        term_note(c, "Signed in to %s as %s; the context is called %s.", c->url, user, name);
    return rc;
}

/* The same again, with the code of the second factor. */
static int second_factor(struct cli *c, json_t *body, const char *path, struct call *call,
                         json_t **who, struct pv_err *err)
{
    char *code = NULL;
    int rc;

    json_decref(c->problem);
    c->problem = NULL;
    rc = secret_read(c, "code_file", "POLYVISOR_CODE", "Code of the second factor", &code, err);
    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, "code", json_string(code));
    wipe(code);
    *call = (struct call){ 0 };
    return client_call(c, "POST", path, body, call, who, err);
}

/* Posts what signs in, makes the token, keeps it. Wipes the password. */
static int sign_in(struct cli *c, const char *path, json_t *body, struct pv_err *err)
{
    struct call call = { 0 };
    json_t *who = NULL, *token = NULL;
    const char *csrf;
    int rc;

    c->token = NULL;
    rc = client_call(c, "POST", path, body, &call, &who, err);
    if (rc != PV_OK && err->problem && strcmp(err->problem, "mfa-required") == 0)
        rc = second_factor(c, body, path, &call, &who, err);
    json_decref(body);
    if (rc != PV_OK) {
        if (call.status == 401)
            pv_err_remedy(err, "Check the name and the password.");
        return rc;
    }
    csrf = json_string_value(json_object_get(who, "csrf_token"));
    if (!call.set_cookie[0] || !csrf)
        rc = pv_fail(err, PV_EIO, "%s does not answer like a Polyvisor server", c->url);
    if (rc == PV_OK)
        rc = make_token(c, cookie_of(c, call.set_cookie), csrf, &token, err);
    if (rc == PV_OK)
        rc = keep(c, token, json_string_value(json_at(who, "user.name")), err);
    c->token = NULL;
    json_decref(who);
    json_decref(token);
    return rc;
}

static int ask_name(struct cli *c, const char *otherwise, const char **out, struct pv_err *err)
{
    char *typed = NULL;
    int rc;

    *out = cli_flag(c, "username");
    if (*out)
        return PV_OK;
    if (!c->in_tty)
        return cli_usage(c, err, "say who you are: --username NAME");
    rc = term_ask(c, otherwise ? arena_printf(c->arena, "User name [%s]", otherwise) : "User name",
                  false, &typed, err);
    if (rc != PV_OK)
        return rc;
    *out = *typed || !otherwise ? arena_strdup(c->arena, typed) : otherwise;
    free(typed);
    return PV_OK;
}

static int login(struct cli *c, struct pv_err *err)
{
    const char *username = NULL;
    char *password = NULL;
    json_t *body = NULL;
    int rc = choose_server(c, err);

    if (rc == PV_OK)
        rc = first_trust(c, err);
    if (rc == PV_OK)
        rc = ask_name(c, NULL, &username, err);
    if (rc == PV_OK)
        rc = secret_read(c, "password_file", "POLYVISOR_PASSWORD", "Password", &password, err);
    if (rc != PV_OK)
        return rc;
    body = json_pack("{s:s, s:s}", "username", username, "password", password);
    wipe(password);
    return body ? sign_in(c, API "/auth/login", body, err)
                : cli_usage(c, err, "the name or the password is not UTF-8");
}

static int new_password(struct cli *c, char **out, struct pv_err *err)
{
    char *again = NULL;
    bool same;
    int rc = secret_read(c, "password_file", "POLYVISOR_PASSWORD",
                         "New password (12 characters or more)", out, err);

    if (rc != PV_OK || cli_flag(c, "password_file") || getenv("POLYVISOR_PASSWORD"))
        return rc;
    rc = term_ask(c, "The same again", true, &again, err);
    same = rc == PV_OK && strcmp(again, *out) == 0;
    wipe(again);
    if (rc == PV_OK && !same)
        rc = cli_usage(c, err, "the two passwords differ");
    return rc;
}

static int setup(struct cli *c, struct pv_err *err)
{
    const char *username = NULL, *code = cli_flag(c, "code");
    char *password = NULL, *typed = NULL;
    json_t *state = NULL, *body;
    int rc = choose_server(c, err);

    if (rc == PV_OK)
        rc = first_trust(c, err);
    if (rc == PV_OK)
        rc = client_get(c, API "/auth/setup", &state, err);
    if (rc == PV_OK && !json_is_true(json_object_get(state, "needed"))) {
        rc = pv_fail_as(err, "setup-done", "%s has an administrator already", c->url);
        pv_err_remedy(err, "Sign in with polyvisor login.");
    }
    json_decref(state);
    if (rc == PV_OK && !code) {
        rc = c->in_tty ? term_ask(c, "Setup code", false, &typed, err)
                       : cli_usage(c, err, "say --code CODE, as the server printed it");
        code = typed;
    }
    if (rc == PV_OK)
        rc = c->in_tty || cli_flag(c, "username") ? ask_name(c, "admin", &username, err) : PV_OK;
    if (rc == PV_OK)
        rc = new_password(c, &password, err);
    if (rc != PV_OK) {
        wipe(password);
        free(typed);
        return rc;
    }
    body = json_pack("{s:s, s:s, s:s}", "setup_code", code, "username",
                     username ? username : "admin", "password", password);
    wipe(password);
    free(typed);
    return body ? sign_in(c, API "/auth/setup", body, err)
                : cli_usage(c, err, "the name or the password is not UTF-8");
}

static int logout(struct cli *c, struct pv_err *err)
{
    struct pv_err away = { 0 };
    json_t *file, *entry;
    const char *id;
    int rc = context_choose(c, err);

    if (rc == PV_OK)
        rc = context_load(c, &file, err);
    if (rc != PV_OK)
        return rc;
    entry = c->context_name ? json_object_get(json_object_get(file, "contexts"), c->context_name)
                            : NULL;
    id = json_string_value(json_object_get(entry, "token_id"));
    if (!json_object_get(entry, "token")) {
        json_decref(file);
        term_note(c, "You are not signed in%s%s.", c->context_name ? " to " : "",
                  c->context_name ? c->context_name : "");
        return PV_OK;
    }
    c->token = json_string_value(json_object_get(entry, "token"));
    if (id && client_call(c, "DELETE", arena_printf(c->arena, API "/tokens/%s", id), NULL, NULL,
                          NULL, &away) != PV_OK)
        term_note(c,
                  "The server could not be told (%s); the token ends there by itself, or with "
                  "polyvisor token delete %s.",
                  away.message, id);
    json_decref(c->problem);
    c->problem = NULL;
    c->token = NULL;
    json_object_del(entry, "token");
    json_object_del(entry, "token_id");
    rc = context_save(c, file, err);
    json_decref(file);
    if (rc == PV_OK)
        term_note(c, "Signed out of %s.", c->url);
    return rc;
}

const struct command login_commands[] = {
    { .words = "login",
      .args = "[URL]",
      .doc = "Sign in to a server and remember it.",
      .flags = login_flags,
      .run = login,
      .most = 1,
      .more = "Asks for name and password, makes a token for this machine and keeps it, readable "
              "by you alone, in\n"
              "~/.config/polyvisor/config.json. The password is kept nowhere. A certificate that "
              "no authority vouches\n"
              "for is shown first; once you trust it, only this one will do.\n"
              "  polyvisor login https://polyvisor.example.com:8443" },
    { .words = "logout",
      .args = "",
      .doc = "Sign out: end the token and forget it.",
      .run = logout },
    { .words = "setup",
      .args = "[URL]",
      .doc = "Make the first administrator of a new server.",
      .flags = setup_flags,
      .run = setup,
      .most = 1,
      .more = "A new server prints a setup code when it starts. It is good once." },
    { 0 },
};
