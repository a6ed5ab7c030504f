/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/net/inside.h"

#define MAX_DEPTH 32

static size_t limit_of(const struct request *r)
{
    return r->pub.route && r->pub.route->max_body ? r->pub.route->max_body : NET_DEFAULT_BODY;
}

static int too_large(const struct request *r, struct pv_err *err)
{
    return pv_fail_as(err, "too-large",
                      "the body is larger than the %zu bytes that this route takes", limit_of(r));
}

/* "application/json; charset=utf-8": the type alone decides; another charset than UTF-8 does not.
 */
static bool type_is(const char *header, const char *type)
{
    size_t len = strlen(type);
    const char *charset;

    if (strncasecmp(header, type, len) != 0 || (header[len] && !strchr("; \t", header[len])))
        return false;
    charset = strcasestr(header + len, "charset=");
    if (!charset)
        return true;
    charset += strlen("charset=");
    charset += *charset == '"';
    return strncasecmp(charset, "utf-8", 5) == 0;
}

static int check_type(struct request *r, struct pv_err *err)
{
    const char *type = req_header(&r->pub, "Content-Type");

    if (req_header(&r->pub, "Content-Encoding"))
        return pv_fail_as(err, "unsupported-media-type",
                          "a packed body (Content-Encoding) is not taken");
    if (!type)
        return pv_fail_as(err, "unsupported-media-type", "the body has no Content-Type");
    if (r->pub.route->flags & ROUTE_BYTES)
        return type_is(type, "application/octet-stream")
                   ? PV_OK
                   : pv_fail_as(err, "unsupported-media-type", "a body of type %s is not taken here", type);
    if (type_is(type, "application/json"))
        return PV_OK;
    if ((r->pub.route->flags & ROUTE_MERGE_PATCH) && type_is(type, "application/merge-patch+json"))
        return PV_OK;
    return pv_fail_as(err, "unsupported-media-type", "a body of type %s is not taken here", type);
}

int body_begin(struct request *r, struct pv_err *err)
{
    const struct gate_verdict *v = &r->verdict;
    int rc;

    r->has_body = v->chunked || (v->has_length && v->length > 0);
    if (!r->has_body)
        return PV_OK;
    if (v->method == GATE_GET || v->method == GATE_HEAD || v->method == GATE_OPTIONS)
        return pv_fail_as(err, "invalid-request", "%s takes no body", r->pub.method);
    rc = check_type(r, err);
    if (rc != PV_OK)
        return rc;
    r->is_json = !(r->pub.route->flags & ROUTE_BYTES);
    if (v->has_length && v->length > limit_of(r))
        return too_large(r, err);
    r->body.max = limit_of(r) + 1;
    if (v->has_length)
        buf_reserve(&r->body, (size_t)v->length);
    return PV_OK;
}

/* Nesting, as it arrives; whether it is JSON at all is the parser's business later. */
static bool depth_ok(struct request *r, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = data[i];

        if (r->in_string) {
            if (r->escaped)
                r->escaped = false;
            else if (c == '\\')
                r->escaped = true;
            else if (c == '"')
                r->in_string = false;
        } else if (c == '"') {
            r->in_string = true;
        } else if (c == '{' || c == '[') {
            if (++r->depth > MAX_DEPTH)
                return false;
        } else if ((c == '}' || c == ']') && r->depth > 0) {
            r->depth--;
        }
    }
    return true;
}

static bool drop(struct request *r, size_t len)
{
    r->drained += len;
    return r->drained <= NET_MAX_DRAIN;
}

static bool refuse(struct request *r, const struct pv_err *err, size_t len)
{
    reply_problem(&r->pub, err);
    r->refused = true;
    buf_reset(&r->body);
    return drop(r, len);
}

bool body_take(struct request *r, const char *data, size_t len)
{
    struct pv_err err = { 0 };

    if (r->refused)
        return drop(r, len);
    if (r->body.len + len > limit_of(r)) {
        too_large(r, &err);
        return refuse(r, &err, len);
    }
    if (r->is_json && !depth_ok(r, data, len)) {
        pv_fail_as(&err, "invalid-request", "the body nests deeper than %d levels", MAX_DEPTH);
        return refuse(r, &err, len);
    }
    buf_append(&r->body, data, len);
    if (!buf_ok(&r->body)) {
        pv_fail(&err, PV_ENOMEM, "no memory for the body");
        return refuse(r, &err, len);
    }
    return true;
}

/* A member by its table; an operation without parameters still takes {}. */
static int check(const struct request *r, const json_t *json, struct pv_err *err)
{
    static const struct model_param none[] = { { .name = NULL } };

    return model_params_check(r->pub.route->body ? r->pub.route->body : none, json, "", err);
}

static int check_missing(const struct request *r, struct pv_err *err)
{
    json_t *empty;
    int rc;

    if (!r->pub.route->body)
        return PV_OK;
    empty = json_object();
    if (!empty)
        return pv_fail(err, PV_ENOMEM, "no memory for the body");
    rc = check(r, empty, err);
    json_decref(empty);
    return rc;
}

int body_end(struct request *r, struct pv_err *err)
{
    json_error_t at;

    if (r->body.len == 0)
        return check_missing(r, err);
    r->pub.body = r->body.data;
    r->pub.body_len = r->body.len;
    if (!r->is_json)
        return PV_OK;
    r->pub.json = json_loadb(r->body.data, r->body.len, JSON_REJECT_DUPLICATES, &at);
    if (!r->pub.json)
        return pv_fail_as(err, "invalid-request", "the body is not JSON: %s (line %d, column %d)",
                          at.text, at.line, at.column);
    if (!json_is_object(r->pub.json))
        return pv_fail_as(err, "invalid-request", "the body is not a JSON object");
    return check(r, r->pub.json, err);
}
