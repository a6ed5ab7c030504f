/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings against the JSON Schema a driver publishes: type, properties,
 * required, additionalProperties, enum, minimum, maximum, minLength,
 * maxLength, maxItems and items. Other words are for people.
 */
#include "server/core/internal.h"

#include <string.h>

#define DEPTH_MAX 16

static bool type_fits(const char *type, const json_t *v)
{
    if (str_eq(type, "object"))
        return json_is_object(v);
    if (str_eq(type, "array"))
        return json_is_array(v);
    if (str_eq(type, "string"))
        return json_is_string(v);
    if (str_eq(type, "integer"))
        return json_is_integer(v);
    if (str_eq(type, "number"))
        return json_is_number(v);
    if (str_eq(type, "boolean"))
        return json_is_boolean(v);
    return !str_eq(type, "null") || json_is_null(v);
}

static int refuse(struct pv_err *err, const char *pointer, const char *what)
{
    int rc = pv_fail(err, PV_EINVAL, "%s %s", pointer, what);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int check_type(const json_t *schema, const json_t *v, const char *pointer,
                      struct pv_err *err)
{
    const json_t *type = json_object_get(schema, "type");
    const json_t *one;
    char text[64];
    size_t i;

    if (json_is_string(type) && !type_fits(json_string_value(type), v)) {
        snprintf(text, sizeof(text), "must be of type %.20s", json_string_value(type));
        return refuse(err, pointer, text);
    }
    if (!json_is_array(type))
        return PV_OK;
    json_array_foreach (type, i, one)
        if (json_is_string(one) && type_fits(json_string_value(one), v))
            return PV_OK;
    return refuse(err, pointer, "is of none of the allowed types");
}

static int check_enum(const json_t *schema, const json_t *v, const char *pointer,
                      struct pv_err *err)
{
    const json_t *list = json_object_get(schema, "enum"), *one;
    size_t i;

    if (!json_is_array(list))
        return PV_OK;
    json_array_foreach (list, i, one)
        if (json_equal(one, v))
            return PV_OK;
    return refuse(err, pointer, "is none of the allowed values");
}

static int check_range(const json_t *schema, const json_t *v, const char *pointer,
                       struct pv_err *err)
{
    const json_t *least = json_object_get(schema, "minimum");
    const json_t *most = json_object_get(schema, "maximum");
    const json_t *shortest = json_object_get(schema, "minLength");
    const json_t *longest = json_object_get(schema, "maxLength");

    if (json_is_number(v)) {
        if (json_is_number(least) && json_number_value(v) < json_number_value(least))
            return refuse(err, pointer, "is too small");
        if (json_is_number(most) && json_number_value(v) > json_number_value(most))
            return refuse(err, pointer, "is too large");
    }
    if (json_is_string(v)) {
        size_t len = json_string_length(v);

        if (json_is_integer(shortest) && len < (size_t)json_integer_value(shortest))
            return refuse(err, pointer, "is too short");
        if (json_is_integer(longest) && len > (size_t)json_integer_value(longest))
            return refuse(err, pointer, "is too long");
    }
    return PV_OK;
}

static int check_value(const json_t *schema, const json_t *v, const char *pointer, unsigned depth,
                       struct pv_err *err);

static int check_object(const json_t *schema, const json_t *v, const char *pointer, unsigned depth,
                        struct pv_err *err)
{
    const json_t *properties = json_object_get(schema, "properties");
    const json_t *required = json_object_get(schema, "required");
    const json_t *others = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *member;
    const json_t *one;
    char below[128];
    size_t i;
    int rc;

    json_array_foreach (required, i, one) {
        const char *name = json_string_value(one);

        if (name && !json_object_get(v, name)) {
            snprintf(below, sizeof(below), "%.60s/%.60s", pointer, name);
            return refuse(err, below, "is missing");
        }
    }
    json_object_foreach ((json_t *)v, key, member) {
        const json_t *known = json_object_get(properties, key);

        snprintf(below, sizeof(below), "%.60s/%.60s", pointer, key);
        if (!known && json_is_false(others))
            return refuse(err, below, "is not a setting of this driver");
        if (!known)
            known = json_is_object(others) ? others : NULL;
        rc = known ? check_value(known, member, below, depth + 1, err) : PV_OK;
        if (rc != PV_OK)
            return rc;
    }
    return PV_OK;
}

static int check_value(const json_t *schema, const json_t *v, const char *pointer, unsigned depth,
                       struct pv_err *err)
{
    int rc;

    if (depth > DEPTH_MAX)
        return refuse(err, pointer, "is nested too deeply");
    rc = check_type(schema, v, pointer, err);
    if (rc == PV_OK)
        rc = check_enum(schema, v, pointer, err);
    if (rc == PV_OK)
        rc = check_range(schema, v, pointer, err);
    if (rc == PV_OK && json_is_object(v))
        rc = check_object(schema, v, pointer, depth, err);
    if (rc == PV_OK && json_is_array(v)) {
        const json_t *items = json_object_get(schema, "items");
        const json_t *most = json_object_get(schema, "maxItems");
        const json_t *one;
        char below[128];
        size_t i;

        if (json_is_integer(most) && json_array_size(v) > (size_t)json_integer_value(most))
            return refuse(err, pointer, "has too many items");
        json_array_foreach (v, i, one) {
            snprintf(below, sizeof(below), "%.100s/%zu", pointer, i);
            if (rc == PV_OK && json_is_object(items))
                rc = check_value(items, one, below, depth + 1, err);
        }
    }
    return rc;
}

int schema_check(const char *schema, const json_t *settings, const char *pointer,
                 struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *parsed = json_loads(schema, 0, NULL);
    PV_AUTO(json_decref_p) json_t *empty = json_object();

    if (!json_is_object(parsed))
        return PV_OK;
    if (settings && !json_is_object(settings))
        return refuse(err, pointer, "must be of type object");
    return check_value(parsed, settings ? settings : empty, pointer, 0, err);
}
