/* SPDX-License-Identifier: Apache-2.0 */
/* The second factor of one's own account, and taking it from who has lost the device. */
#include "server/api/access.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

typedef char recovery_codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT];

/* A program's token is no second factor's business. */
static bool is_person(struct req *r)
{
    struct pv_err err = { 0 };

    if (r->caller.type == PV_ACTOR_TYPE_USER)
        return true;
    r->caller.denied = true;
    pv_fail_as(&err, "forbidden", "this needs a sign-in by password, not a token");
    reply_problem(r, &err);
    return false;
}

/* Text of a URI: everything that is not plain is escaped. */
static const char *escaped(struct arena *a, const char *text)
{
    char *out = arena_alloc(a, 3 * strlen(text) + 1), *at = out;
    static const char hex[] = "0123456789ABCDEF";

    for (; out && *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c)) {
            *at++ = (char)c;
        } else {
            *at++ = '%';
            *at++ = hex[c >> 4];
            *at++ = hex[c & 15];
        }
    }
    return out;
}

static void start_work(struct req *r)
{
    char secret[AUTH_TOTP_SECRET];
    struct pv_err err = { 0 };
    const char *name = escaped(r->arena, r->caller.name);
    struct jsonw *w;

    audit_caller(r);
    if (auth_totp_start(api_of(r)->auth, &r->caller.user, member(r, "password"), r->address, secret, &err) != PV_OK) {
        reply_problem(r, &err);
        return;
    }
    r->recorded = true;
    reply_header(r, "Cache-Control", "no-store");
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_str(w, "secret", secret);
    jsonw_strf(w, "uri", "otpauth://totp/Polyvisor:%s?secret=%s&issuer=Polyvisor&algorithm=SHA1&digits=6&period=30",
               name ? name : "", secret);
    jsonw_end(w);
    explicit_bzero(secret, sizeof(secret));
    reply_send(r);
}

static void tell_codes(struct req *r, int rc, recovery_codes codes, const struct pv_err *err)
{
    struct jsonw *w;

    if (rc != PV_OK) {
        reply_problem(r, err);
        return;
    }
    r->recorded = true;
    reply_header(r, "Cache-Control", "no-store");
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_array(w, "recovery_codes");
    for (size_t i = 0; i < AUTH_RECOVERY_CODES; i++)
        jsonw_str(w, NULL, codes[i]);
    jsonw_end(w);
    jsonw_end(w);
    explicit_bzero(codes, sizeof(recovery_codes));
    reply_send(r);
}

static void confirm_work(struct req *r)
{
    struct pv_err err = { 0 };
    recovery_codes codes;

    audit_caller(r);
    tell_codes(r, auth_totp_confirm(api_of(r)->auth, &r->caller.user, member(r, "code"), r->address, codes, &err), codes,
               &err);
}

static void codes_work(struct req *r)
{
    struct pv_err err = { 0 };
    recovery_codes codes;

    audit_caller(r);
    tell_codes(r, auth_totp_codes(api_of(r)->auth, &r->caller.user, member(r, "password"), member(r, "code"), r->address,
                                  codes, &err), codes, &err);
}

static void disable_work(struct req *r)
{
    struct pv_err err = { 0 };

    audit_caller(r);
    if (auth_totp_remove(api_of(r)->auth, &r->caller.user, member(r, "password"), member(r, "code"), r->address, &err) !=
        PV_OK) {
        reply_problem(r, &err);
        return;
    }
    r->recorded = true;
    reply_empty(r, 204);
}

static enum req_result start(struct req *r)
{
    return is_person(r) ? req_run_slow(r, start_work) : REQ_DONE;
}

static enum req_result confirm(struct req *r)
{
    return is_person(r) ? req_run_slow(r, confirm_work) : REQ_DONE;
}

static enum req_result new_codes(struct req *r)
{
    return is_person(r) ? req_run_slow(r, codes_work) : REQ_DONE;
}

static enum req_result disable(struct req *r)
{
    return is_person(r) ? req_run_slow(r, disable_work) : REQ_DONE;
}

static enum req_result reset(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, model_kind(PV_KIND_user), req_param(r, "id"), &id, &err) != PV_OK)
        return reply_problem(r, &err);
    audit_caller(r);
    if (auth_totp_reset(api_of(r)->auth, &id, &err) != PV_OK ||
        auth_logout_all(api_of(r)->auth, &id, NULL, &err) != PV_OK)
        return reply_problem(r, &err);
    r->recorded = true;
    return reply_empty(r, 204);
}

#define PASSWORD \
    { .name = "password", .type = PARAM_SECRET, .required = true, .min = 1, .max = 128, .doc = "Present password." }
#define CODE                                                                                          \
    { .name = "code", .type = PARAM_SECRET, .required = true, .min = 6, .max = 16,                    \
      .doc = "Six digits of the authenticator app, or a recovery code." }
static const struct model_param start_body[] = { PASSWORD, { 0 } };
static const struct model_param confirm_body[] = {
    { .name = "code", .type = PARAM_SECRET, .required = true, .min = 6, .max = 6, .doc = "The first six digits of the authenticator app." },
    { 0 },
};
static const struct model_param both_body[] = { PASSWORD, CODE, { 0 } };

const struct route mfa_routes[] = {
    { .method = "POST", .pattern = API_BASE "/me/totp", .permission = PERM_NONE, .handler = start,
      .answer = ANSWER_JSON, .schema = "TotpKey", .body = start_body, .statuses = "403 409 422 429",
      .doc = "A new key for an authenticator app, with the address its QR code holds; in use once it is confirmed." },
    { .method = "POST", .pattern = API_BASE "/me/totp/actions/confirm", .permission = PERM_NONE, .handler = confirm,
      .answer = ANSWER_JSON, .schema = "RecoveryCodes", .body = confirm_body, .statuses = "403 409 422 429",
      .doc = "Put the second factor to use with its first code; the answer is the only place that shows the recovery codes." },
    { .method = "POST", .pattern = API_BASE "/me/totp/actions/recovery_codes", .permission = PERM_NONE, .handler = new_codes,
      .answer = ANSWER_JSON, .schema = "RecoveryCodes", .body = both_body, .statuses = "401 403 409 422 429",
      .doc = "New recovery codes in place of the old ones." },
    { .method = "POST", .pattern = API_BASE "/me/totp/actions/disable", .permission = PERM_NONE, .handler = disable,
      .answer = ANSWER_NONE, .body = both_body, .statuses = "401 403 409 422 429", .doc = "Sign in by password alone again." },
    { .method = "DELETE", .pattern = API_BASE "/users/{id}/totp", .permission = PERM_ACCESS_MANAGE, .handler = reset,
      .answer = ANSWER_NONE, .statuses = "404", .doc = "Take the second factor of a user who has lost it; ends the user's logins." },
    { 0 },
};
