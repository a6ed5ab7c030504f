/* SPDX-License-Identifier: Apache-2.0 */
/* Coming in and going out: the first administrator, passwords, the second factor. */
#include "server/api/access.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* Signed in: the cookie, and who it is. */
static void welcome(struct req *r, const struct auth_identity *who, const char *cookie)
{
    struct access *access = NULL;
    struct pv_err err = { 0 };
    struct jsonw *w;

    r->caller.type = who->type;
    r->caller.id = who->id;
    str_copy(r->caller.name, sizeof(r->caller.name), who->name);
    r->recorded = true;
    if (access_get(api_of(r)->auth, who, &access, &err) != PV_OK) {
        reply_problem(r, &err);
        return;
    }
    access_put(r->caller.access);
    r->caller.access = access;
    reply_headerf(r, "Set-Cookie", COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Strict", cookie);
    w = reply_json(r, 200);
    write_identity(w, who, access, who->name, role_in_short(r, who));
    jsonw_end(w);
    reply_send(r);
}

static const char *agent_of(const struct req *r)
{
    const char *agent = req_header(r, "User-Agent");

    return agent ? agent : "";
}

static void login_work(struct req *r)
{
    struct auth_identity who = { 0 };
    struct pv_err err = { 0 };
    char challenge[AUTH_CHALLENGE] = "", cookie[44];

    if (auth_login(api_of(r)->auth, member(r, "username"), member(r, "password"), member(r, "code"), r->address,
                   agent_of(r), challenge, cookie, &who, &err) == PV_OK) {
        welcome(r, &who, cookie);
        return;
    }
    str_copy(r->caller.name, sizeof(r->caller.name), member(r, "username"));
    /* Half of it is done: no refusal. */
    r->recorded = *challenge != '\0';
    if (*challenge)
        r->problem_more = arena_printf(r->arena, "\"mfa_token\":\"%s\",\"methods\":[\"totp\",\"recovery_code\"]", challenge);
    reply_problem(r, &err);
}

static void second_work(struct req *r)
{
    struct auth_identity who = { 0 };
    struct pv_err err = { 0 };
    char cookie[44];

    if (auth_login_second(api_of(r)->auth, member(r, "mfa_token"), member(r, "code"), r->address, agent_of(r), cookie,
                          &who, &err) == PV_OK)
        welcome(r, &who, cookie);
    else
        reply_problem(r, &err);
}

static enum req_result second(struct req *r)
{
    return req_run_slow(r, second_work);
}

static enum req_result login(struct req *r)
{
    return req_run_slow(r, login_work);
}

static void setup_work(struct req *r)
{
    struct pv_err err = { 0 };

    if (auth_setup(api_of(r)->auth, member(r, "setup_code"), r->address, member(r, "username"), member(r, "password"),
                   &err) != PV_OK)
        reply_problem(r, &err);
    else
        login_work(r);
}

static enum req_result setup(struct req *r)
{
    return req_run_slow(r, setup_work);
}

static enum req_result setup_state(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_bool(w, "needed", auth_setup_code(api_of(r)->auth) != NULL);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result logout(struct req *r)
{
    struct pv_err err = { 0 };

    if (r->caller.by_cookie && auth_logout(api_of(r)->auth, r->caller.login_hash, &err) != PV_OK)
        return reply_problem(r, &err);
    reply_header(r, "Set-Cookie", COOKIE "=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    return reply_empty(r, 204);
}

static const struct model_param login_body[] = {
    { .name = "username", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name of the user." },
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 1, .max = 128, .doc = "Password." },
    { .name = "code", .type = PARAM_SECRET, .min = 6, .max = 16, .doc = "Code of the second factor, for who has one: six digits, or a recovery code." },
    { 0 },
};
static const struct model_param second_body[] = {
    { .name = "mfa_token", .type = PARAM_SECRET, .required = true, .min = 1, .max = 128, .doc = "What the problem mfa-required of /auth/login carried." },
    { .name = "code", .type = PARAM_SECRET, .required = true, .min = 6, .max = 16, .doc = "Six digits of the authenticator app, or a recovery code." },
    { 0 },
};
static const struct model_param setup_body[] = {
    { .name = "setup_code", .type = PARAM_SECRET, .required = true, .min = 1, .max = 64, .doc = "The code the server printed." },
    { .name = "username", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name of the first administrator." },
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 12, .max = 128, .doc = "Password, 12 characters or more." },
    { 0 },
};

const struct route login_routes[] = {
    { .method = "GET", .pattern = API_BASE "/auth/setup", .permission = PERM_PUBLIC, .handler = setup_state,
      .answer = ANSWER_JSON, .schema = "SetupState", .doc = "Is the first administrator still to be made?" },
    { .method = "POST", .pattern = API_BASE "/auth/setup", .permission = PERM_PUBLIC, .handler = setup,
      .answer = ANSWER_JSON, .schema = "Identity", .body = setup_body, .statuses = "401 409 429",
      .doc = "Make the first administrator with the code the server printed, and sign in." },
    { .method = "POST", .pattern = API_BASE "/auth/login", .permission = PERM_PUBLIC, .handler = login,
      .answer = ANSWER_JSON, .schema = "Identity", .body = login_body, .statuses = "401 429",
      .doc = "Sign in; the answer sets a cookie and tells the CSRF token. Problem mfa-required carries mfa_token for /auth/mfa." },
    { .method = "POST", .pattern = API_BASE "/auth/mfa", .permission = PERM_PUBLIC, .handler = second,
      .answer = ANSWER_JSON, .schema = "Identity", .body = second_body, .statuses = "401 429",
      .doc = "Finish signing in with the code of the second factor." },
    { .method = "POST", .pattern = API_BASE "/auth/logout", .permission = PERM_NONE, .handler = logout,
      .answer = ANSWER_NONE, .doc = "Sign out." },
    { 0 },
};
