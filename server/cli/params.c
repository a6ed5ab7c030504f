/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of operations as flags: members of objects have a dot in their name
 * (--cpu.count 4), lists of objects are given again and again (--disks
 * capacity_bytes=20GiB), everything at once comes from a file (-f).
 */
#include "server/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#define FLAT_MAX 128
#define FILE_MAX (4u << 20)

static const struct model_param file_flag = {
    .name = "file",
    .type = PARAM_TEXT,
    .max = 4096,
    .doc = "All of it as JSON from a file (-f), - for standard input; other flags win.",
};

/* ------------------------------------------------------------------ as a table of flags */

static bool is_size(const struct model_param *p)
{
    return p->type == PARAM_INT && str_ends(p->name, "bytes");
}

struct flat {
    struct arena *arena;
    struct model_param *all;
    size_t n;
};

static void put(struct flat *f, const struct model_param *p, const char *name)
{
    struct model_param *to = &f->all[f->n];

    if (f->n == FLAT_MAX - 1 || !name)
        return;
    *to = *p;
    to->name = name;
    if (is_size(p)) {
        to->type = PARAM_TEXT;
        to->min = 0;
        to->max = 32;
        to->doc = arena_printf(f->arena, "%s A size: 8GiB, 512MiB.", p->doc);
    } else if (p->type == PARAM_LIST && p->members) {
        to->members = NULL;
        to->doc = arena_printf(
            f->arena, "%s One of them as key=value,key=value or JSON; may be given again.", p->doc);
    }
    f->n++;
}

static void flatten(struct flat *f, const struct model_param *table, const char *prefix)
{
    for (const struct model_param *p = table; p && p->name; p++) {
        const char *name = arena_printf(f->arena, "%s%s%s", prefix, prefix[0] ? "." : "", p->name);

        if (p->type == PARAM_OBJECT && p->members)
            flatten(f, p->members, name ? name : "");
        else
            put(f, p, name);
    }
}

/* More than words and numbers. */
static bool is_rich(const struct model_param *table)
{
    for (const struct model_param *p = table; p && p->name; p++)
        if (p->members || is_size(p))
            return true;
    return false;
}

static bool has(const struct model_param *table, const char *name)
{
    for (const struct model_param *p = table; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return true;
    return false;
}

const struct model_param *params_flags(struct arena *a, const struct model_param *table)
{
    struct flat f = { .arena = a };

    if (!table || !is_rich(table))
        return table;
    f.all = arena_alloc(a, FLAT_MAX * sizeof(*f.all));
    if (!f.all)
        return NULL;
    flatten(&f, table, "");
    if (!has(table, file_flag.name))
        put(&f, &file_flag, file_flag.name);
    f.all[f.n] = (struct model_param){ .name = NULL };
    return f.all;
}

/* ------------------------------------------------------------------ reading them */

/* "8GiB", "512M", "1073741824". */
static bool read_size(const char *text, json_int_t *out)
{
    static const char units[] = "KMGT";
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits;
    uint64_t n;

    if (digits == 0 || !str_u64(text, digits, UINT64_C(1) << 53, &n))
        return false;
    if (*unit) {
        const char *at = strchr(units, *unit >= 'a' ? *unit - 32 : *unit);
        unsigned shift = at && *at ? 10 * (unsigned)(at - units + 1) : 0;

        if (!shift || (unit[1] && strcmp(unit + 1, "iB") != 0 && strcmp(unit + 1, "B") != 0) ||
            n > (UINT64_C(1) << 53) >> shift)
            return false;
        n <<= shift;
    }
    *out = (json_int_t)n;
    return true;
}

static const struct model_param *find(const struct model_param *table, const char *path)
{
    size_t len = strcspn(path, ".");

    for (const struct model_param *p = table; p && p->name; p++)
        if (strlen(p->name) == len && strncmp(p->name, path, len) == 0)
            return path[len] ? find(p->members, path + len + 1) : p;
    return NULL;
}

/* Puts a value where a path says. Takes the value. */
static void set_path(json_t *to, const char *path, json_t *v)
{
    size_t len = strcspn(path, ".");
    char first[64];
    json_t *sub;

    str_copy_n(first, sizeof(first), path, len);
    if (!path[len]) {
        json_object_set_new(to, first, v);
        return;
    }
    sub = json_object_get(to, first);
    if (!json_is_object(sub)) {
        json_object_set_new(to, first, json_object());
        sub = json_object_get(to, first);
    }
    set_path(sub, path + len + 1, v);
}

static int text_value(struct cli *c, const struct model_param *p, const char *text, json_t **out,
                      struct pv_err *err)
{
    json_int_t size;
    uint64_t n;
    const char *id;
    int rc;

    if (p->nullable && strcmp(text, "null") == 0) {
        *out = json_null();
        return PV_OK;
    }
    if (is_size(p)) {
        if (!read_size(text, &size))
            return cli_usage(c, err, "%s takes a size like 8GiB, not \"%s\"",
                             cli_flag_text(c->arena, p->name), text);
        *out = json_integer(size);
    } else if (p->type == PARAM_INT) {
        if (!str_u64(text, strlen(text), UINT64_C(1) << 53, &n))
            return cli_usage(c, err, "%s takes a number, not \"%s\"", p->name, text);
        *out = json_integer((json_int_t)n);
    } else if (p->type == PARAM_BOOL) {
        *out = json_boolean(strcmp(text, "true") == 0 || strcmp(text, "yes") == 0);
    } else if (p->type == PARAM_ID) {
        rc = object_id(c, model_kind(p->ref), text, &id, err);
        if (rc != PV_OK)
            return rc;
        *out = json_string(id);
    } else {
        *out = json_string(text);
    }
    return *out ? PV_OK : cli_usage(c, err, "%s: the text is not UTF-8", p->name);
}

/* "capacity_bytes=20GiB,controller.type=scsi", or JSON. */
static int member_value(struct cli *c, const struct model_param *p, const char *text, json_t **out,
                        struct pv_err *err)
{
    json_error_t why;
    json_t *object, *v = NULL;
    int rc = PV_OK;

    if (*text == '{') {
        *out = json_loads(text, JSON_REJECT_DUPLICATES, &why);
        return *out ? PV_OK : cli_usage(c, err, "--%s takes JSON: %s", p->name, why.text);
    }
    object = json_object();
    while (*text && rc == PV_OK) {
        size_t len = strcspn(text, ",");
        char *pair = arena_text(c->arena, text, len), *equals = pair ? strchr(pair, '=') : NULL;
        const struct model_param *m = NULL;

        if (equals) {
            *equals = '\0';
            m = find(p->members, pair);
        }
        if (!m || m->members || m->type == PARAM_LIST)
            rc = cli_usage(c, err, "--%s has no member \"%s\"", p->name, pair ? pair : "");
        else
            rc = text_value(c, m, equals + 1, &v, err);
        if (rc == PV_OK)
            set_path(object, pair, v);
        text += len + (text[len] == ',');
    }
    if (rc == PV_OK)
        *out = object;
    else
        json_decref(object);
    return rc;
}

static int read_file(struct cli *c, json_t **out, struct pv_err *err)
{
    const char *path = cli_flag(c, file_flag.name);
    json_error_t why;
    char *text = NULL;
    int rc = file_read(c, path, FILE_MAX, &text, err);

    if (rc != PV_OK)
        return rc;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (json_is_object(*out))
        return PV_OK;
    json_decref(*out);
    return cli_usage(c, err, "%s is not a JSON object (line %d: %s)", path, why.line, why.text);
}

/* One use of a flag; of a list the next member. */
static int take(struct cli *c, const struct model_param *table, const struct cli_flag *flag,
                json_t *body, struct pv_err *err)
{
    const struct model_param *p = find(table, flag->param->name);
    json_t *v = NULL, *list;
    int rc;

    if (!p)
        return PV_OK;
    if (p->type == PARAM_LIST && p->members)
        rc = member_value(c, p, flag->value, &v, err);
    else if (p->type == PARAM_OBJECT || p->type == PARAM_JSON)
        rc = (v = json_loads(flag->value, JSON_DECODE_ANY, NULL)) != NULL
                 ? PV_OK
                 : cli_usage(c, err, "--%s takes JSON", flag->param->name);
    else
        rc = text_value(c, p, flag->value, &v, err);
    if (rc != PV_OK || p->type != PARAM_LIST) {
        if (rc == PV_OK)
            set_path(body, flag->param->name, v);
        return rc;
    }
    list = body;
    for (const char *at = flag->param->name; list && at;
         at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
        char first[64];

        str_copy_n(first, sizeof(first), at, strcspn(at, "."));
        list = json_object_get(list, first);
    }
    if (list)
        json_array_append_new(list, v);
    else
        set_path(body, flag->param->name, json_pack("[o]", v));
    return PV_OK;
}

int params_read(struct cli *c, const struct model_param *table, json_t **out, struct pv_err *err)
{
    json_t *body = NULL;
    int rc = PV_OK;

    if (!table || !is_rich(table))
        return cli_body(c, table, out, err);
    if (!has(table, file_flag.name) && cli_flag(c, file_flag.name))
        rc = read_file(c, &body, err);
    else
        body = json_object();
    for (size_t i = 0; rc == PV_OK && i < c->nflags; i++)
        rc = take(c, table, &c->flags[i], body, err);
    for (const struct model_param *p = table; rc == PV_OK && p->name; p++)
        if (p->required && !json_object_get(body, p->name))
            rc = cli_usage(c, err, "%s is needed: %s", cli_flag_text(c->arena, p->name), p->doc);
    if (rc == PV_OK)
        *out = body;
    else
        json_decref(body);
    return rc;
}
