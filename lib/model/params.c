/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/model.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

const struct model_operation *model_operation(const char *name)
{
    for (const struct model_operation *op = model_operations; op->name; op++)
        if (strcmp(op->name, name) == 0)
            return op;
    return NULL;
}

const char *model_operation_verb(const struct model_operation *op)
{
    return strchr(op->name, '.') + 1;
}

static int refuse(struct pv_err *err, const char *prefix, const char *name, const char *problem,
                  const char *why)
{
    int rc = pv_fail_as(err, problem, "%s: %s", name, why);

    pv_err_pointer(err, "%s/%s", prefix, name);
    return rc;
}

static int64_t most(const struct model_param *p)
{
    if (p->max > 0)
        return p->max;
    switch (p->type) {
    case PARAM_TEXT:
    case PARAM_SECRET:
        return 256;
    case PARAM_LIST:
        return 1000;
    default:
        return INT64_C(1) << 53;
    }
}

/* Characters, not bytes: what people count. */
static int64_t text_length(const char *text)
{
    int64_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static bool is_choice(const struct model_param *p, const char *text)
{
    if (!p->choices)
        return model_enum_value(p->enum_id, text, strlen(text)) >= 0;
    for (size_t i = 0; p->choices[i]; i++)
        if (strcmp(p->choices[i], text) == 0)
            return true;
    return false;
}

static int check_value(const struct model_param *p, const json_t *v, const char *prefix,
                       struct pv_err *err);

/* Whatever a hypervisor makes of such a path, it must not lead out of the datastore. */
static const char *inside_fault(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "/");

        if (len == 0 || (text[len] == '/' && !text[len + 1]))
            return "must not begin or end with a slash, nor have two in a row";
        if ((len == 1 && text[0] == '.') || (len == 2 && text[0] == '.' && text[1] == '.'))
            return "must not have a part that is . or ..";
        if (len > 255)
            return "must have no part of more than 255 bytes";
        if (memchr(text, '\\', len))
            return "must be divided by slashes, not by backslashes";
        text += len + (text[len] == '/');
    }
    return NULL;
}

static int check_text(const struct model_param *p, const json_t *v, const char *prefix,
                      struct pv_err *err)
{
    const char *text = json_string_value(v);
    char why[96];

    if (!text)
        return refuse(err, prefix, p->name, "invalid-request", "must be a text");
    if (strlen(text) != json_string_length(v) || !str_utf8_ok(text, strlen(text), false))
        return refuse(err, prefix, p->name, "validation-failed", "has control characters");
    if (text_length(text) < p->min || text_length(text) > most(p)) {
        snprintf(why, sizeof(why), "must have %" PRId64 " to %" PRId64 " characters", p->min,
                 most(p));
        return refuse(err, prefix, p->name, "validation-failed", why);
    }
    if (p->inside && inside_fault(text))
        return refuse(err, prefix, p->name, "validation-failed", inside_fault(text));
    return PV_OK;
}

static int check_list(const struct model_param *p, const json_t *v, const char *prefix,
                      struct pv_err *err)
{
    const struct model_param item = { .name = p->name, .type = PARAM_TEXT, .max = 4096 };
    char pointer[128];
    char why[96];

    if (!json_is_array(v))
        return refuse(err, prefix, p->name, "invalid-request", "must be a list");
    if ((int64_t)json_array_size(v) < p->min || (int64_t)json_array_size(v) > most(p)) {
        snprintf(why, sizeof(why), "must have %" PRId64 " to %" PRId64 " members", p->min, most(p));
        return refuse(err, prefix, p->name, "validation-failed", why);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *member = json_array_get(v, i);
        int rc;

        snprintf(pointer, sizeof(pointer), "%s/%s/%zu", prefix, p->name, i);
        if (p->members)
            rc = model_params_check(p->members, member, pointer, err);
        else
            rc = check_text(&item, member, prefix, err);
        if (rc != PV_OK) {
            if (!p->members)
                pv_err_pointer(err, "%s", pointer);
            return rc;
        }
    }
    return PV_OK;
}

static int check_id(const struct model_param *p, const json_t *v, const char *prefix,
                    struct pv_err *err)
{
    const struct model_param name = { .name = p->name, .type = PARAM_TEXT, .min = 6, .max = 1024 };
    const char *text = json_string_value(v);
    const struct model_kind *kind;
    struct pv_id id;
    char why[96];

    if (!text)
        return refuse(err, prefix, p->name, "invalid-request", "must be an id");
    if (p->by_name && (strncmp(text, "name:", 5) == 0 || strncmp(text, "native:", 7) == 0))
        return check_text(&name, v, prefix, err);
    if (!model_id_parse(text, strlen(text), &kind, &id))
        return refuse(err, prefix, p->name, "validation-failed", "is not an id of this server");
    if (p->ref != PV_KIND_NONE && kind->number != p->ref) {
        snprintf(why, sizeof(why), "must be the id of a %s, not of a %s", model_kind(p->ref)->name,
                 kind->name);
        return refuse(err, prefix, p->name, "validation-failed", why);
    }
    return PV_OK;
}

static int check_value(const struct model_param *p, const json_t *v, const char *prefix,
                       struct pv_err *err)
{
    char pointer[128];
    char why[96];
    int64_t ms;

    if (json_is_null(v)) {
        if (p->nullable)
            return PV_OK;
        return refuse(err, prefix, p->name, "invalid-request", "must not be null");
    }
    switch (p->type) {
    case PARAM_TEXT:
    case PARAM_SECRET:
        return check_text(p, v, prefix, err);
    case PARAM_INT:
        if (!json_is_integer(v))
            return refuse(err, prefix, p->name, "invalid-request", "must be a whole number");
        if (json_integer_value(v) < p->min || json_integer_value(v) > most(p)) {
            snprintf(why, sizeof(why), "must be %" PRId64 " to %" PRId64, p->min, most(p));
            return refuse(err, prefix, p->name, "validation-failed", why);
        }
        return PV_OK;
    case PARAM_BOOL:
        if (!json_is_boolean(v))
            return refuse(err, prefix, p->name, "invalid-request", "must be true or false");
        return PV_OK;
    case PARAM_ENUM:
        if (!json_is_string(v))
            return refuse(err, prefix, p->name, "invalid-request", "must be a text");
        if (!is_choice(p, json_string_value(v)))
            return refuse(err, prefix, p->name, "validation-failed", "is not one of the choices");
        return PV_OK;
    case PARAM_ID:
        return check_id(p, v, prefix, err);
    case PARAM_TIME:
        if (!json_is_string(v) ||
            !clock_parse(json_string_value(v), json_string_length(v), &ms))
            return refuse(err, prefix, p->name, "validation-failed",
                          "must be a time like 2026-01-31T12:00:00Z");
        return PV_OK;
    case PARAM_LIST:
        return check_list(p, v, prefix, err);
    case PARAM_OBJECT:
        if (!json_is_object(v))
            return refuse(err, prefix, p->name, "invalid-request", "must be an object");
        snprintf(pointer, sizeof(pointer), "%s/%s", prefix, p->name);
        return p->members ? model_params_check(p->members, v, pointer, err) : PV_OK;
    case PARAM_JSON:
        return PV_OK;
    }
    return PV_OK;
}

static const struct model_param *find(const struct model_param *table, const char *name)
{
    for (const struct model_param *p = table; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static const char *nearest(const struct model_param *table, const char *name)
{
    const char *best = NULL;
    unsigned least = 3;

    for (const struct model_param *p = table; p && p->name; p++) {
        unsigned distance = str_distance(name, p->name, least);

        if (distance < least) {
            least = distance;
            best = p->name;
        }
    }
    return best;
}

int model_params_check(const struct model_param *table, const struct json_t *body,
                       const char *prefix, struct pv_err *err)
{
    const char *name;
    json_t *v;

    if (!json_is_object(body)) {
        pv_fail_as(err, "invalid-request", "a JSON object is wanted here");
        pv_err_pointer(err, "%s", prefix);
        return err ? err->rc : PV_EINVAL;
    }
    json_object_foreach((json_t *)body, name, v) {
        const struct model_param *p = find(table, name);
        int rc;

        if (!p) {
            const char *near = nearest(table, name);
            char why[128];

            snprintf(why, sizeof(why), "there is no such member%s%s%s",
                     near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
            return refuse(err, prefix, name, "unknown-field", why);
        }
        rc = check_value(p, v, prefix, err);
        if (rc != PV_OK)
            return rc;
    }
    for (const struct model_param *p = table; p && p->name; p++)
        if (p->required && !json_object_get(body, p->name))
            return refuse(err, prefix, p->name, "invalid-request", "is required");
    return PV_OK;
}

static void write_choices(struct jsonw *w, const struct model_param *p)
{
    jsonw_array(w, "enum");
    if (p->choices) {
        for (size_t i = 0; p->choices[i]; i++)
            jsonw_str(w, NULL, p->choices[i]);
    } else {
        for (size_t i = 0; i < model_enum_count(p->enum_id); i++)
            jsonw_str(w, NULL, model_enum_text(p->enum_id, (int64_t)i));
    }
    if (p->nullable)
        jsonw_null(w, NULL);
    jsonw_end(w);
}

static void write_type(struct jsonw *w, const struct model_param *p, const char *type)
{
    if (!p->nullable) {
        jsonw_str(w, "type", type);
        return;
    }
    jsonw_array(w, "type");
    jsonw_str(w, NULL, type);
    jsonw_str(w, NULL, "null");
    jsonw_end(w);
}

static void write_object(struct jsonw *w, const struct model_param *table)
{
    bool any_required = false;

    jsonw_bool(w, "additionalProperties", false);
    jsonw_object(w, "properties");
    for (const struct model_param *p = table; p && p->name; p++) {
        jsonw_object(w, p->name);
        switch (p->type) {
        case PARAM_TEXT:
        case PARAM_SECRET:
            write_type(w, p, "string");
            jsonw_i64(w, "minLength", p->min);
            jsonw_i64(w, "maxLength", most(p));
            if (p->type == PARAM_SECRET)
                jsonw_bool(w, "writeOnly", true);
            if (p->ref != PV_KIND_NONE)
                jsonw_str(w, "x-kind", model_kind(p->ref)->name);
            break;
        case PARAM_INT:
            write_type(w, p, "integer");
            jsonw_i64(w, "minimum", p->min);
            jsonw_i64(w, "maximum", most(p));
            break;
        case PARAM_BOOL:
            write_type(w, p, "boolean");
            break;
        case PARAM_ENUM:
            write_type(w, p, "string");
            write_choices(w, p);
            break;
        case PARAM_ID:
            write_type(w, p, "string");
            if (p->ref != PV_KIND_NONE)
                jsonw_str(w, "x-kind", model_kind(p->ref)->name);
            if (p->ref != PV_KIND_NONE && p->by_name)
                jsonw_strf(w, "pattern", "^(%s_[0-9a-z]{26}|name:.+|native:.+)$",
                           model_kind(p->ref)->prefix);
            else if (p->ref != PV_KIND_NONE)
                jsonw_strf(w, "pattern", "^%s_[0-9a-z]{26}$", model_kind(p->ref)->prefix);
            else
                jsonw_str(w, "pattern", "^[a-z]{2,4}_[0-9a-z]{26}$");
            break;
        case PARAM_TIME:
            write_type(w, p, "string");
            jsonw_str(w, "format", "date-time");
            break;
        case PARAM_LIST:
            write_type(w, p, "array");
            jsonw_i64(w, "minItems", p->min);
            jsonw_i64(w, "maxItems", most(p));
            if (p->members) {
                model_params_schema(w, "items", p->members);
            } else {
                jsonw_object(w, "items");
                jsonw_str(w, "type", "string");
                jsonw_i64(w, "maxLength", 4096);
                if (p->choices)
                    write_choices(w, p);
                if (p->ref != PV_KIND_NONE)
                    jsonw_str(w, "x-kind", model_kind(p->ref)->name);
                jsonw_end(w);
            }
            break;
        case PARAM_OBJECT:
            write_type(w, p, "object");
            if (p->members)
                write_object(w, p->members);
            break;
        case PARAM_JSON:
            break;
        }
        if (p->preset)
            jsonw_raw(w, "default", p->preset, strlen(p->preset));
        if (p->needs)
            jsonw_str(w, "x-capability", p->needs);
        if (p->off_unless && !p->off_unless[0])
            jsonw_str(w, "x-power-state", "off");
        else if (p->off_unless)
            jsonw_str(w, "x-capability-while-running", p->off_unless);
        jsonw_str(w, "description", p->doc ? p->doc : "");
        jsonw_end(w);
        any_required = any_required || p->required;
    }
    jsonw_end(w);
    if (any_required) {
        jsonw_array(w, "required");
        for (const struct model_param *p = table; p->name; p++)
            if (p->required)
                jsonw_str(w, NULL, p->name);
        jsonw_end(w);
    }
}

void model_params_schema(struct jsonw *w, const char *key, const struct model_param *table)
{
    jsonw_object(w, key);
    jsonw_str(w, "type", "object");
    write_object(w, table);
    jsonw_end(w);
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");

        if (n == len && strncmp(at, word, n) == 0)
            return true;
        at += n;
    }
    return false;
}

/* The family has the thing, and other values of it. */
static const char *lacking_value(const struct model_param *p, enum pv_family family, const char *word)
{
    for (const struct model_has *h = p->has; h && word && h->family != PV_FAMILY_LOCAL; h++)
        if (h->family == family && !has_word(h->words, word))
            return h->why;
    return NULL;
}

const char *model_param_lacking(const struct model_param *p, enum pv_family family, const struct json_t *v)
{
    const char *text = json_string_value(v);

    if (json_is_false(v) || json_is_null(v))
        return NULL;
    if (p->lacks == PV_FAMILY_LOCAL || p->lacks != family)
        return lacking_value(p, family, text);
    if (!p->lacks_but || !v)
        return p->why;
    if (text ? strcmp(text, p->lacks_but) == 0
             : json_is_integer(v) && json_integer_value(v) == strtoll(p->lacks_but, NULL, 10))
        return NULL;
    return p->why;
}
