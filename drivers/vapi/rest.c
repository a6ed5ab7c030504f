/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/rest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/vapi/session.h"

#define PASSWORD_MOST 4096
#define API_SINCE "7.0.2"

struct exchange {
    const char *method, *path, *authorization, *body;
    long status;    /* out */
    json_t *answer; /* out, owned; NULL: no JSON */
};

static int send_request(struct rest *r, struct session *s, const struct call *c, struct exchange *x,
                        struct pv_err *err)
{
    char url[1024], token[300];
    const char *headers[3] = { "Content-Type: application/json", "Accept: application/json" };
    struct httpc_request request = {
        .method = x->method, .url = url, .headers = headers, .nheaders = 2
    };
    struct httpc_response response = { 0 };
    int rc;

    (void)snprintf(url, sizeof(url), "%s%s", s->config.at.origin, x->path);
    (void)snprintf(token, sizeof(token), "vmware-api-session-id: %s", r->token);
    headers[2] = x->authorization ? x->authorization : token;
    request.nheaders += x->authorization || r->token[0];
    request.body = x->body;
    request.body_len = x->body ? strlen(x->body) : 0;
    request.timeout_ms = c ? 60000 : 1000;
    request.cancelled = c ? call_cancelled : NULL;
    request.ctx = (void *)(uintptr_t)c;
    session_count_request(s);
    rc = httpc_send(s->http, &request, &response, err);
    x->status = response.status;
    x->answer = NULL;
    if (rc == PV_OK && response.body.len > 0)
        x->answer = json_loadb(response.body.data, response.body.len, JSON_DECODE_ANY, NULL);
    httpc_response_free(&response);
    return rc == PV_EUNKNOWN ? PV_EIO : rc;
}

static int fail_status(const struct exchange *x, struct pv_err *err)
{
    char native[16];
    int rc = x->status == 401   ? PV_EAUTH
             : x->status == 403 ? PV_EPERM
             : x->status == 404 ? PV_ENOENT
             : x->status == 503 ? PV_ELIMIT
                                : PV_EIO;

    (void)snprintf(native, sizeof(native), "HTTP %ld", x->status);
    rc =
        pv_fail(err, rc, "%s %s: the server answered with HTTP %ld", x->method, x->path, x->status);
    pv_err_native(err, native);
    return rc;
}

static char *basic(struct session *s, struct pv_err *err)
{
    char *password = calloc(1, PASSWORD_MOST);
    struct buf plain, header;
    int rc =
        password ? s->host->secret(s->host->ctx, "password", password, PASSWORD_MOST) : PV_ENOMEM;

    buf_init(&plain, PASSWORD_MOST + 512);
    buf_init(&header, 2 * PASSWORD_MOST + 1024);
    if (rc == PV_OK) {
        buf_printf(&plain, "%s:%s", s->config.at.username, password);
        buf_text(&header, "Authorization: Basic ");
        str_base64(&header, (const uint8_t *)plain.data, plain.len);
    } else {
        (void)pv_fail(err, PV_EAUTH, "the password cannot be read");
    }
    if (plain.data)
        explicit_bzero(plain.data, plain.len);
    buf_free(&plain);
    if (password)
        explicit_bzero(password, PASSWORD_MOST);
    free(password);
    return rc == PV_OK ? buf_take(&header) : (buf_free(&header), NULL);
}

/* "token" in /api, {"value": "token"} in /rest. */
static int take_token(struct rest *r, const struct exchange *x, struct pv_err *err)
{
    const json_t *value = r->old_form ? json_object_get(x->answer, "value") : x->answer;
    const char *token = json_string_value(value);

    if (!token || !*token || strlen(token) >= sizeof(r->token) || strpbrk(token, "\r\n"))
        return pv_fail(err, PV_EIO, "the Automation API gave no session");
    (void)str_copy(r->token, sizeof(r->token), token);
    return PV_OK;
}

static const char *session_path(const struct rest *r)
{
    return r->old_form ? "/rest/com/vmware/cis/session" : "/api/session";
}

int rest_open(struct rest *r, struct session *s, const struct call *c, struct pv_err *err)
{
    char *authorization;
    int rc = PV_OK;

    if (r->token[0])
        return PV_OK;
    if (!r->decided)
        r->old_form = session_version_cmp(s->content.api_version, API_SINCE) < 0;
    authorization = basic(s, err);
    if (!authorization)
        return PV_EAUTH;
    for (;;) {
        struct exchange x = { .method = "POST",
                              .path = session_path(r),
                              .authorization = authorization };

        rc = send_request(r, s, c, &x, err);
        if (rc == PV_OK && x.status == 404 && !r->decided && !r->old_form) {
            json_decref(x.answer);
            r->old_form = true;
            r->decided = true;
            continue;
        }
        if (rc == PV_OK)
            rc = x.status == 200 || x.status == 201 ? take_token(r, &x, err) : fail_status(&x, err);
        json_decref(x.answer);
        break;
    }
    if (rc == PV_OK)
        r->decided = true;
    explicit_bzero(authorization, strlen(authorization));
    free(authorization);
    return rc;
}

int rest_call(struct rest *r, struct session *s, const struct call *c, const char *method,
              const char *path, const json_t *body, json_t **out, struct pv_err *err)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int rc = PV_OK;

    for (unsigned tries = 0;; tries++) {
        struct exchange x = { .method = method, .path = path, .body = text };

        rc = rest_open(r, s, c, err);
        if (rc == PV_OK)
            rc = send_request(r, s, c, &x, err);
        if (rc)
            break;
        if (x.status == 401 && tries == 0) {
            json_decref(x.answer);
            r->token[0] = '\0';
            continue;
        }
        if (x.status < 200 || x.status > 299 || !x.answer)
            rc = fail_status(&x, err);
        else if (r->old_form)
            *out = json_incref(json_object_get(x.answer, "value"));
        else
            *out = json_incref(x.answer);
        if (rc == PV_OK && !*out)
            rc = pv_fail(err, PV_EIO, "%s: no value", path);
        json_decref(x.answer);
        break;
    }
    free(text);
    return rc;
}

void rest_close(struct rest *r, struct session *s)
{
    struct exchange x = { .method = "DELETE", .path = session_path(r) };
    struct pv_err ignored = { 0 };

    if (!r->token[0])
        return;
    (void)send_request(r, s, NULL, &x, &ignored);
    json_decref(x.answer);
    explicit_bzero(r->token, sizeof(r->token));
}
