/* SPDX-License-Identifier: Apache-2.0 */
/* An operation's arguments, its answer, and how it refuses. */
#include "drivers/vapi/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"

#define LIST_MOST 512u

bool op_member_int(const json_t *object, const char *path, int64_t *v)
{
    const json_t *member = op_member(object, path);

    if (!json_is_integer(member))
        return false;
    *v = json_integer_value(member);
    return true;
}

const char *op_arg_str(const struct operation *o, const char *path)
{
    return op_member_str(o->args, path);
}

bool op_arg_true(const struct operation *o, const char *path)
{
    return json_is_true(op_member(o->args, path));
}

bool op_named(const json_t *args, const char *member, const char *type, struct moref *out)
{
    const char *id = json_string_value(json_object_get(json_object_get(args, member), "native_id"));

    return id && *id && str_copy(out->type, sizeof(out->type), type) &&
           str_copy(out->id, sizeof(out->id), id);
}

/* ------------------------------------------------------------------ the answer */

void op_put_list(struct operation *o, const char *list, json_t *item)
{
    json_t *to = json_object_get(o->result, list);

    if (!to) {
        to = json_array();
        json_object_set_new(o->result, list, to);
    }
    if (json_array_size(to) < LIST_MOST)
        json_array_append_new(to, item);
    else
        json_decref(item);
}

void op_put_made(struct operation *o, const char *kind, const char *native_id, const char *owner)
{
    json_t *object = json_pack("{s:s, s:s}", "kind", kind, "native_id", native_id);

    if (owner)
        json_object_set_new(object, "owner", json_string(owner));
    op_put_list(o, "objects", json_incref(object)); /* to be read again */
    json_object_set_new(o->result, "object", object);
}

void op_warn(struct operation *o, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= 0)
        op_put_list(o, "warnings", json_string(text));
}

void op_differs(struct operation *o, const char *text)
{
    op_put_list(o, "differences", json_string(text));
}

void op_plan(struct operation *o, const struct enc *e)
{
    if (e)
        op_put_list(o, "plan",
                    json_pack("{s:s, s:o}", "operation", enc_method(e), "args", enc_json(e)));
}

/* ------------------------------------------------------------------ refusing */

static void point(struct pv_err *err, const char *member)
{
    char pointer[160];

    (void)snprintf(pointer, sizeof(pointer), "/%s", member);
    for (char *at = pointer; *at; at++)
        if (*at == '.')
            *at = '/';
    pv_err_pointer(err, "%s", pointer);
}

int op_no_such(const struct operation *o, const char *member, const char *why, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ENOTSUP, "%s %s: %s: %s", o->method->verb, o->name, member, why);

    point(err, member);
    return rc;
}

int op_bad(const struct operation *o, const char *member, const char *why, struct pv_err *err)
{
    int rc = pv_fail_as(err, "validation-failed", "%s %s: %s: %s", o->method->verb, o->name, member,
                        why);

    point(err, member);
    return rc;
}

int op_wrong_state(const struct operation *o, struct pv_err *err, const char *why)
{
    return pv_fail_as(err, "vm-invalid-state", "%s %s: %s", o->method->verb, o->name, why);
}
