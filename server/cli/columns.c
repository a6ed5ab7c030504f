/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which columns a list has, and how a value looks in a cell.
 *
 * The usual columns of a kind are named here, by the model's names; everything
 * else about them, and every further column of `wide`, is the model's.
 */
#include "server/cli/output.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

/* What people look for first. A kind that is not here shows its first fields of a list. */
static const struct {
    enum pv_kind kind;
    uint16_t fields[9]; /* as F() gives them plus one, ended by 0 */
} usual[] = {
#define COL(kind, name) (F(kind, name) + 1)
    { PV_KIND_vm,
      { COL(vm, name), COL(vm, power_state), COL(vm, cpu_count), COL(vm, memory_bytes),
        COL(vm, guest_ip_addresses), COL(vm, host), COL(vm, provider), COL(vm, health) } },
    { PV_KIND_host,
      { COL(host, name), COL(host, connection_state), COL(host, cores), COL(host, memory_bytes),
        COL(host, cluster), COL(host, product_version), COL(host, provider), COL(host, health) } },
    { PV_KIND_provider,
      { COL(provider, name), COL(provider, state), COL(provider, driver), COL(provider, endpoint),
        COL(provider, product_name), COL(provider, product_version) } },
    { PV_KIND_datastore,
      { COL(datastore, name), COL(datastore, datastore_type), COL(datastore, capacity_bytes),
        COL(datastore, free_bytes), COL(datastore, accessible), COL(datastore, provider),
        COL(datastore, health) } },
    { PV_KIND_network,
      { COL(network, name), COL(network, network_type), COL(network, switch_),
        COL(network, vlan_id), COL(network, provider) } },
    { PV_KIND_switch,
      { COL(switch, name), COL(switch, switch_type), COL(switch, host), COL(switch, uplinks),
        COL(switch, provider) } },
    { PV_KIND_cluster,
      { COL(cluster, name), COL(cluster, cluster_type), COL(cluster, hosts_total),
        COL(cluster, cores), COL(cluster, memory_bytes), COL(cluster, provider),
        COL(cluster, health) } },
    { PV_KIND_datacenter,
      { COL(datacenter, name), COL(datacenter, provider), COL(datacenter, health) } },
    { PV_KIND_resource_pool,
      { COL(resource_pool, name), COL(resource_pool, cluster), COL(resource_pool, parent),
        COL(resource_pool, memory_limit_bytes), COL(resource_pool, provider) } },
    { PV_KIND_snapshot,
      { COL(snapshot, name), COL(snapshot, owner), COL(snapshot, taken_at), COL(snapshot, current),
        COL(snapshot, memory), COL(snapshot, size_bytes) } },
    { PV_KIND_task,
      { COL(task, action), COL(task, state), COL(task, progress), COL(task, subjects),
        COL(task, actor_name), COL(task, created_at), COL(task, error) } },
    { PV_KIND_event,
      { COL(event, time), COL(event, type), COL(event, severity), COL(event, ref),
        COL(event, actor_name), COL(event, message) } },
    { PV_KIND_user,
      { COL(user, name), COL(user, role), COL(user, enabled), COL(user, full_name),
        COL(user, last_login_at) } },
    { PV_KIND_token,
      { COL(token, name), COL(token, user), COL(token, role), COL(token, expires_at),
        COL(token, last_used_at) } },
    { PV_KIND_group, { COL(group, name), COL(group, description), COL(group, members) } },
    { PV_KIND_role, { COL(role, name), COL(role, builtin), COL(role, description) } },
    { PV_KIND_grant,
      { COL(grant, role), COL(grant, user), COL(grant, group), COL(grant, token),
        COL(grant, scope_type), COL(grant, scope_selector), COL(grant, scope_object),
        COL(grant, expires_at) } },
    { PV_KIND_tag, { COL(tag, name), COL(tag, description) } },
    { PV_KIND_folder, { COL(folder, name), COL(folder, parent), COL(folder, notes) } },
    { PV_KIND_audit,
      { COL(audit, time), COL(audit, actor_name), COL(audit, action), COL(audit, subject),
        COL(audit, outcome), COL(audit, address) } },
#undef COL
};

#define FIRST_FIELDS 6

/* "on" of "tpm.on" says nothing without what stands before it. */
static bool says_enough(const struct model_kind *kind, const char *last)
{
    static const char *const vague[] = { "id", "name", "type",  "state", "count",
                                         "on", "mode", "bytes", "full",  "newest_at" };

    for (size_t i = 0; i < PV_COUNT(vague); i++)
        if (strcmp(vague[i], last) == 0)
            return false;
    return !model_field(kind, last, strlen(last));
}

/* The field's short name in filters if it has one, else the end of its path where that is enough.
 */
static const char *title(struct arena *a, const struct model_kind *kind,
                         const struct model_field *f)
{
    const char *name = f->path, *last = strrchr(f->path, '.');
    char *text;

    if (last && says_enough(kind, last + 1))
        name = last + 1;
    for (const struct model_alias *alias = kind->aliases; alias && alias->alias; alias++)
        if (strcmp(alias->path, f->path) == 0 && strlen(alias->alias) < strlen(f->path))
            name = alias->alias;
    text = arena_strdup(a, name);
    if (text && f->unit == UNIT_BYTES && str_ends(text, "_bytes"))
        text[strlen(text) - strlen("_bytes")] = '\0';
    for (char *p = text; p && *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    return text ? text : name;
}

static struct column column_of(struct arena *a, const struct model_kind *kind,
                               const struct model_field *f)
{
    return (struct column){ .path = f->path,
                            .title = title(a, kind, f),
                            .type = f->type,
                            .unit = f->unit,
                            .state = f->type == MODEL_ENUM };
}

void columns_usual(struct arena *a, const struct model_kind *kind, struct column **out, size_t *n)
{
    struct column *columns = arena_alloc(a, (kind->nfields + 1) * sizeof(*columns));
    const struct model_field *owner = NULL;

    *n = 0;
    *out = columns;
    if (!columns)
        return;
    for (size_t i = 0; i < PV_COUNT(usual); i++)
        for (size_t k = 0; usual[i].kind == kind->number && usual[i].fields[k]; k++)
            columns[(*n)++] = column_of(a, kind, &kind->fields[usual[i].fields[k] - 1]);
    if (*n)
        return;
    if (kind->owner != PV_KIND_NONE) {
        const char *name = model_kind(kind->owner)->name;

        owner = model_field(kind, name, strlen(name));
    }
    for (size_t i = 0, shown = 0;
         i < kind->nfields && *n < FIRST_FIELDS && (shown == i || shown == 0); i++) {
        if (kind->fields[i].flags & (MODEL_DETAIL | MODEL_SECRET))
            continue;
        columns[(*n)++] = column_of(a, kind, &kind->fields[i]);
        /* A part says little without what it is part of. */
        if (++shown == 1 && owner)
            columns[(*n)++] = column_of(a, kind, owner);
    }
}

/* `fields` of a flag, with short names made whole. */
static const char *whole_paths(struct cli *c, const struct model_kind *kind, const char *fields)
{
    struct buf out;

    buf_init(&out, 64u << 10);
    for (const char *p = fields; *p;) {
        size_t len = strcspn(p, ",");
        const struct model_field *f = model_field(kind, p, len);

        if (len > 0)
            buf_printf(&out, "%s%.*s", out.len ? "," : "", f ? (int)strlen(f->path) : (int)len,
                       f ? f->path : p);
        p += len + (p[len] == ',');
    }
    return cli_keep(c, &out);
}

/* One column for each field that was named, in the order in which they were named. */
static void named_columns(struct cli *c, const struct model_kind *kind, const char *fields,
                          struct column *columns, size_t most, size_t *n)
{
    for (const char *p = fields; *p;) {
        size_t len = strcspn(p, ",");
        const struct model_field *one = model_field(kind, p, len);
        char *part = arena_text(c->arena, p, len);

        if (one && *n < most) {
            columns[(*n)++] = column_of(c->arena, kind, one);
        } else if (part && len > 0) {
            size_t before = *n;

            for (size_t i = 0; i < kind->nfields && *n < most; i++)
                if (strncmp(kind->fields[i].path, part, len) == 0 &&
                    kind->fields[i].path[len] == '.')
                    columns[(*n)++] = column_of(c->arena, kind, &kind->fields[i]);
            if (*n == before && *n < most) {
                char *upper = arena_strdup(c->arena, part);

                for (char *q = upper; q && *q; q++)
                    if (*q >= 'a' && *q <= 'z')
                        *q = (char)(*q - 32);
                columns[(*n)++] =
                    (struct column){ .path = part, .title = upper, .type = MODEL_STR };
            }
        }
        p += len + (p[len] == ',');
    }
}

static const char *joined(struct cli *c, const struct column *columns, size_t n,
                          const struct model_kind *kind)
{
    struct buf out;

    buf_init(&out, 64u << 10);
    buf_text(&out, "id");
    if (model_field(kind, "name", 4))
        buf_text(&out, ",name");
    for (size_t i = 0; i < n; i++)
        if (strcmp(columns[i].path, "id") != 0 && strcmp(columns[i].path, "name") != 0)
            buf_printf(&out, ",%s", columns[i].path);
    return cli_keep(c, &out);
}

int columns_make(struct cli *c, const struct model_kind *kind, const char *fields,
                 struct column **out, size_t *n, const char **wanted, struct pv_err *err)
{
    bool whole = c->output == OUT_JSON || c->output == OUT_JSONL || c->output == OUT_YAML;
    size_t most = kind->nfields * 2 + 64;

    *n = 0;
    *wanted = NULL;
    if (fields) {
        const struct model_shape *shape;

        fields = whole_paths(c, kind, fields);
        *out = arena_alloc(c->arena, most * sizeof(**out));
        if (!fields || !*out)
            return pv_fail(err, PV_ENOMEM, "no memory for the columns");
        /* The same words as the server's, without asking it. */
        if (model_shape_make(kind, fields, MODEL_VIEW_SUMMARY, c->arena, &shape, err) != PV_OK) {
            c->exit_code = CLI_USAGE;
            pv_err_remedy(err, "See polyvisor explain %s.", kind->name);
            return err->rc;
        }
        named_columns(c, kind, fields, *out, most, n);
        *wanted = fields;
        return PV_OK;
    }
    if (c->output == OUT_WIDE || c->output == OUT_CSV) {
        columns_usual(c->arena, kind, out, n);
        for (size_t i = 0; i < kind->nfields; i++) {
            const struct model_field *f = &kind->fields[i];
            /* JSON is no cell. */
            bool there = (f->flags & (MODEL_DETAIL | MODEL_SECRET)) != 0 || f->type == MODEL_JSON;

            for (size_t k = 0; k < *n && !there; k++)
                there = strcmp((*out)[k].path, f->path) == 0;
            if (!there)
                (*out)[(*n)++] = column_of(c->arena, kind, f);
        }
        return PV_OK;
    }
    columns_usual(c->arena, kind, out, n);
    if (!*out)
        return pv_fail(err, PV_ENOMEM, "no memory for the columns");
    if (c->output == OUT_NAME)
        *wanted = model_field(kind, "name", 4) ? "id,name" : "id";
    else if (!whole)
        *wanted = joined(c, *out, *n, kind);
    /* Two objects may have one name; who has none is called by its id. */
    if (!whole && c->output != OUT_NAME && !model_field(kind, "name", 4)) {
        struct column *with_id = arena_alloc(c->arena, (*n + 1) * sizeof(*with_id));

        if (!with_id)
            return pv_fail(err, PV_ENOMEM, "no memory for the columns");
        with_id[0] = (struct column){ .path = "id", .title = "ID", .type = MODEL_STR };
        memcpy(with_id + 1, *out, *n * sizeof(*with_id));
        *out = with_id;
        (*n)++;
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ cells */

json_t *json_at(const json_t *object, const char *path)
{
    const char *dot = strchr(path, '.');
    char part[128];
    json_t *whole = json_object_get(object, path);

    if (whole || !dot)
        return whole;
    if (!str_copy_n(part, sizeof(part), path, (size_t)(dot - path)))
        return NULL;
    return json_at(json_object_get(object, part), dot + 1);
}

/* What stands for an object in one word. */
static const char *short_form(const json_t *object)
{
    static const char *const members[] = { "name", "detail", "id", "code" };

    for (size_t i = 0; i < PV_COUNT(members); i++) {
        const char *text = json_string_value(json_object_get(object, members[i]));

        if (text && *text)
            return text;
    }
    return NULL;
}

static void write_number(struct buf *out, const struct column *column, json_int_t v, bool human)
{
    if (human && column->unit == UNIT_BYTES && v >= 0)
        term_bytes(out, (uint64_t)v);
    else if (human && column->unit == UNIT_PCT)
        buf_printf(out, "%" JSON_INTEGER_FORMAT " %%", v);
    else if (human && column->unit == UNIT_MHZ)
        buf_printf(out, "%" JSON_INTEGER_FORMAT " MHz", v);
    else if (human && column->unit == UNIT_S)
        term_duration(out, v * 1000);
    else
        buf_printf(out, "%" JSON_INTEGER_FORMAT, v);
}

void cell_write(struct buf *out, const struct column *column, const json_t *value, bool human)
{
    const json_t *one;
    int64_t ms;
    size_t i;
    char *text;

    switch (json_typeof(value)) {
    case JSON_STRING:
        if (human && column->type == MODEL_TIME &&
            clock_parse(json_string_value(value), json_string_length(value), &ms))
            term_time(out, ms);
        else
            buf_append(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        write_number(out, column, json_integer_value(value), human);
        break;
    case JSON_REAL:
        buf_printf(out, "%g", json_real_value(value));
        break;
    case JSON_TRUE:
        buf_text(out, human ? "yes" : "true");
        break;
    case JSON_FALSE:
        buf_text(out, human ? "no" : "false");
        break;
    case JSON_ARRAY:
        json_array_foreach(value, i, one)
        {
            if (i > 0)
                buf_text(out, human ? ", " : ",");
            cell_write(out, column, one, human);
        }
        break;
    case JSON_OBJECT:
        if (short_form(value)) {
            buf_text(out, short_form(value));
            break;
        }
        text = json_dumps(value, JSON_COMPACT);
        buf_text(out, text ? text : "");
        free(text);
        break;
    case JSON_NULL:
        break;
    }
}
