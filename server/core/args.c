/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/args.h"
#include "server/core/expiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/texts.h>

#define PATH_CAP 128

/* ---------------------------------------------------------------- what the table presets */

static int complete(const struct model_param *table, json_t *params);

static int complete_value(const struct model_param *p, json_t *v)
{
    size_t i;
    json_t *one;

    if (!p->members)
        return PV_OK;
    if (p->type == PARAM_OBJECT && json_is_object(v))
        return complete(p->members, v);
    if (p->type != PARAM_LIST || !json_is_array(v))
        return PV_OK;
    json_array_foreach(v, i, one) if (json_is_object(one) &&
                                      complete(p->members, one) != PV_OK) return PV_ENOMEM;
    return PV_OK;
}

/* The tables end the recursion: they are not nested into themselves. */
static int complete(const struct model_param *table, json_t *params)
{
    for (const struct model_param *p = table; p && p->name; p++) {
        json_t *v = json_object_get(params, p->name);

        if (!v && p->preset) {
            json_object_set_new(params, p->name, json_loads(p->preset, JSON_DECODE_ANY, NULL));
            v = json_object_get(params, p->name);
            if (!v)
                return PV_ENOMEM;
        }
        if (v && complete_value(p, v) != PV_OK)
            return PV_ENOMEM;
    }
    return PV_OK;
}

json_t *args_complete(const struct model_param *table, const json_t *given)
{
    json_t *params = given ? json_deep_copy(given) : json_object();

    if (params && complete(table, params) != PV_OK) {
        json_decref(params);
        return NULL;
    }
    return params;
}

/* ---------------------------------------------------------------- references */

struct resolving {
    struct core *core;
    const struct model_operation *op;
    struct provider *home, *other;
    struct arena *arena;
};

static int about(struct pv_err *err, const char *pointer, int rc)
{
    pv_err_pointer(err, "%s", pointer);
    return rc;
}

/* What its own driver said of a host: a driver does not see the hosts of another provider. */
static void add_extra(const struct model_row *row, json_t *json)
{
    json_t *extra = json_loads(model_text(row, F(host, native_extra)), 0, NULL);

    if (json_is_object(extra))
        json_object_set(json, "extra", extra);
    json_decref(extra);
}

/* Of the objects that lie somewhere: where. */
static void add_place(const struct resolving *r, const struct model_row *row, json_t *json)
{
    const char *path = NULL;

    switch (row->kind->number) {
    case PV_KIND_datastore:
        path = model_text(row, F(datastore, root_path));
        break;
    case PV_KIND_disk_image:
        path = model_text(row, F(disk_image, file_path));
        break;
    case PV_KIND_host:
        add_extra(row, json);
        return;
    default:
        return;
    }
    if (path[0])
        json_object_set_new(json, "path", json_string(path));
    if (row->kind->number == PV_KIND_disk_image && model_get(row, F(disk_image, store))->set) {
        const struct kind_info *k = &r->core->kinds[PV_KIND_datastore];
        struct model_row *store;

        if (store_row_get(r->core->store, k->shape, &model_get(row, F(disk_image, store))->id,
                          r->arena, &store, NULL) == PV_OK)
            json_object_set_new(json, "datastore",
                                json_pack("{s:s, s:s, s:s, s:s}", "kind", "datastore", "native_id",
                                          model_text(store, (unsigned)k->native_id), "name",
                                          model_text(store, (unsigned)k->name), "path",
                                          model_text(store, F(datastore, root_path))));
    }
}

static json_t *provider_json(const struct model_row *row)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", model_text(row, F(provider, name)),
                     "driver", model_text(row, F(provider, driver)), "family",
                     model_enum_text(PV_ENUM_family, model_number(row, F(provider, family))),
                     "endpoint", model_text(row, F(provider, endpoint)), "instance_uuid",
                     model_text(row, F(provider, instance_uuid)));
}

/* An object of another provider: only where that makes sense, and only within the family. */
static int go_abroad(struct resolving *r, const struct pv_id *provider, json_t *json,
                     const char *pointer, struct pv_err *err)
{
    struct provider *p;
    struct model_row *row;
    enum pv_family family;
    int rc;

    if (!r->home || id_eq(provider, &r->home->id))
        return PV_OK;
    if (!r->op->abroad)
        return about(
            err, pointer,
            pv_fail(err, PV_EINVAL, "it belongs to another provider than what is changed"));
    rc = store_row_get(r->core->store, r->core->kinds[PV_KIND_provider].shape, provider, r->arena,
                       &row, err);
    if (rc != PV_OK)
        return about(err, pointer, rc);
    pthread_mutex_lock(&r->home->lock);
    family = r->home->family;
    pthread_mutex_unlock(&r->home->lock);
    if (model_number(row, F(provider, family)) != (int64_t)family)
        return about(err, pointer,
                     pv_fail(err, PV_ENOTSUP,
                             "it belongs to another family of hypervisors; this is a "
                             "conversion, not a move"));
    json_object_set_new(json, "provider", provider_json(row));
    p = provider_get(r->core, provider);
    if (r->other || !p)
        provider_put(p);
    else
        r->other = p;
    return PV_OK;
}

static int resolve_owner(struct resolving *r, const struct kind_info *k,
                         const struct model_row *row, json_t *json, struct pv_err *err)
{
    const struct kind_info *o = &r->core->kinds[k->kind->owner];
    struct model_row *owner;
    int rc = store_row_get(r->core->store, o->shape, &model_get(row, (unsigned)k->owner)->id,
                           r->arena, &owner, err);

    if (rc == PV_OK)
        json_object_set_new(json, "owner", json_string(model_text(owner, (unsigned)o->native_id)));
    return rc;
}

static int resolve_id(struct resolving *r, const char *text, const char *pointer, json_t **out,
                      struct pv_err *err)
{
    const struct model_kind *kind;
    const struct kind_info *k;
    struct model_row *row;
    struct pv_id id;
    json_t *json;
    int rc;

    if (!model_id_parse(text, strlen(text), &kind, &id))
        return about(err, pointer, pv_fail(err, PV_EINVAL, "it is not an id of this server"));
    k = &r->core->kinds[kind->number];
    rc = store_row_get(r->core->store, k->shape, &id, r->arena, &row, err);
    if (rc == PV_ENOENT)
        rc = pv_fail(err, PV_ENOENT, "there is no %s %s", kind->name, text);
    if (rc == PV_OK && k->presence >= 0 &&
        model_number(row, (unsigned)k->presence) == PV_PRESENCE_GONE)
        rc = pv_fail(err, PV_ESTATE, "the %s %s is gone", kind->name,
                     model_text(row, (unsigned)k->name));
    if (rc != PV_OK)
        return about(err, pointer, rc);
    json = json_pack("{s:s, s:s, s:s}", "kind", kind->name, "native_id",
                     k->native_id >= 0 ? model_text(row, (unsigned)k->native_id) : "", "name",
                     k->name >= 0 ? model_text(row, (unsigned)k->name) : "");
    if (!json)
        return pv_fail(err, PV_ENOMEM, "no memory for parameters");
    if (kind->number == PV_KIND_provider) {
        rc = go_abroad(r, &id, json, pointer, err);
        if (rc == PV_OK && !json_object_get(json, "provider"))
            json_object_set_new(json, "provider", provider_json(row));
    } else if (k->provider >= 0 &&
               !(r->home && shared_knows(r->core, &r->home->id, &row->id))) {
        rc = go_abroad(r, &model_get(row, (unsigned)k->provider)->id, json, pointer, err);
    }
    if (rc == PV_OK && k->child >= 0)
        rc = resolve_owner(r, k, row, json, err);
    if (rc != PV_OK) {
        json_decref(json);
        return rc;
    }
    add_place(r, row, json);
    *out = json;
    return PV_OK;
}

/* Ids of devices among other texts. */
static int resolve_devices(struct resolving *r, json_t *list, const char *pointer,
                           struct pv_err *err)
{
    json_t *one, *ref = NULL;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(one);
        const struct model_kind *kind;
        struct pv_id id;
        int rc;

        if (!text || !model_id_parse(text, strlen(text), &kind, &id))
            continue;
        rc = resolve_id(r, text, pointer, &ref, err);
        if (rc != PV_OK)
            return rc;
        json_array_set(list, i, json_object_get(ref, "native_id"));
        json_decref(ref);
    }
    return PV_OK;
}

static int resolve(struct resolving *r, const struct model_param *table, json_t *params,
                   const char *prefix, struct pv_err *err)
{
    int rc = PV_OK;

    for (const struct model_param *p = table; rc == PV_OK && p && p->name; p++) {
        json_t *v = json_object_get(params, p->name), *one, *ref = NULL;
        char pointer[PATH_CAP];
        size_t i;

        snprintf(pointer, sizeof(pointer), "%s/%s", prefix, p->name);
        if (p->type == PARAM_ID && json_is_string(v)) {
            rc = resolve_id(r, json_string_value(v), pointer, &ref, err);
            if (rc == PV_OK)
                json_object_set_new(params, p->name, ref);
        } else if (p->type == PARAM_OBJECT && p->members && json_is_object(v)) {
            rc = resolve(r, p->members, v, pointer, err);
        } else if (p->type == PARAM_LIST && p->device_ids) {
            rc = resolve_devices(r, v, pointer, err);
        } else if (p->type == PARAM_LIST && p->members) {
            json_array_foreach(v, i, one)
            {
                snprintf(pointer, sizeof(pointer), "%s/%s/%zu", prefix, p->name, i);
                rc = resolve(r, p->members, one, pointer, err);
                if (rc != PV_OK)
                    break;
            }
        }
    }
    return rc;
}

int args_resolve(struct core *c, const struct model_operation *op, struct provider *home,
                 const json_t *params, json_t **out, struct provider **other, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    struct resolving r = { .core = c, .op = op, .home = home, .arena = a };
    json_t *args = params ? json_deep_copy(params) : json_object();
    int rc = a && args ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for parameters");

    if (rc == PV_OK)
        rc = resolve(&r, op->params, args, "", err);
    if (rc == PV_OK)
        own_params_drop(op, args);
    if (other && rc == PV_OK)
        *other = r.other;
    else
        provider_put(r.other);
    if (rc == PV_OK)
        *out = args;
    else
        json_decref(args);
    return rc;
}

/* ---------------------------------------------------------------- fields */

static json_t *field_json(const struct model_field *f, const struct model_value *v)
{
    struct buf text;
    struct jsonw w;
    json_t *all, *one = NULL;

    if (!v->set)
        return json_null();
    if (f->type == MODEL_REF) {
        char id[PV_ID_TEXT];

        model_id_text(f->ref, &v->id, id);
        return json_string(id);
    }
    buf_init(&text, 128u << 10);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    model_write_value(&w, "v", f, v);
    jsonw_end(&w);
    all = buf_ok(&text) ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    if (all)
        one = json_incref(json_object_get(all, "v"));
    json_decref(all);
    buf_free(&text);
    return one ? one : json_null();
}

/* MAC addresses may be written in several ways. */
static bool same_mac(const char *a, const char *b)
{
    while (*a || *b) {
        if (*a == ':' || *a == '-' || *a == '.') {
            a++;
        } else if (*b == ':' || *b == '-' || *b == '.') {
            b++;
        } else {
            if (strncasecmp(a, b, 1) != 0)
                return false;
            a++;
            b++;
        }
    }
    return true;
}

static bool same_value(const struct model_field *f, const json_t *now, const json_t *wanted)
{
    int64_t one, other;

    if (strcmp(f->path, "mac") == 0 && json_is_string(now) && json_is_string(wanted))
        return same_mac(json_string_value(now), json_string_value(wanted));
    /* A moment can be written in several ways, too. */
    if (f->type == MODEL_TIME && json_is_string(now) && json_is_string(wanted))
        return clock_parse(json_string_value(now), json_string_length(now), &one) &&
               clock_parse(json_string_value(wanted), json_string_length(wanted), &other) && one == other;
    /* Nothing and an empty text are shown alike. */
    if (json_is_null(now) && json_is_string(wanted) && json_string_length(wanted) == 0)
        return true;
    return json_equal(now, wanted) != 0;
}

struct comparing {
    const struct model_row *row;
    bool differ, known;
};

static json_t *before(struct comparing *c, const struct model_param *table, const json_t *params,
                      const char *prefix)
{
    json_t *out = json_object();

    for (const struct model_param *p = table; out && p && p->name; p++) {
        const json_t *wanted = json_object_get(params, p->name);
        const struct model_field *f;
        char path[PATH_CAP];
        json_t *now;

        if (!wanted)
            continue;
        snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] ? "." : "", p->name);
        if (p->type == PARAM_OBJECT && p->members && json_is_object(wanted)) {
            json_object_set_new(out, p->name, before(c, p->members, wanted, path));
            continue;
        }
        f = model_field(c->row->kind, path, strlen(path));
        if (!f || strcmp(f->path, path) != 0) {
            c->differ = true;
            c->known = false;
            continue;
        }
        now = field_json(f, model_get(c->row, f->index));
        if (!same_value(f, now, wanted)) {
            c->differ = true;
            c->known &= !p->one_way && (!json_is_null(now) || p->nullable);
        }
        json_object_set_new(out, p->name, now);
    }
    return out;
}

json_t *args_before(const struct model_param *table, const struct model_row *row,
                    const json_t *params, bool *differ, bool *known)
{
    struct comparing c = { .row = row, .known = true };
    json_t *out = before(&c, table, params, "");

    *differ = c.differ;
    *known = c.known;
    return out;
}

/* ---------------------------------------------------------------- is it possible now? */

struct checking {
    const struct subject *s;
    const struct model_operation *op;
    struct arena *arena;
};

/* A sentence about why something needs the VM to be off; NULL: it does not. */
static const char *needs_off(const struct checking *c, const char *off_unless,
                             const char *hot_field, const char **needs)
{
    const char *reason;
    const struct model_field *f;

    *needs = "";
    if (!off_unless)
        return NULL;
    if (!off_unless[0])
        return "this is possible only while the VM is off";
    if (provider_capability(c->s->provider, NULL, off_unless, c->arena, &reason, needs) == CAP_NO)
        return arena_printf(c->arena, "this is possible only while the VM is off: %s", reason);
    *needs = "";
    f = hot_field && c->s->vm ? model_field(c->s->vm->kind, hot_field, strlen(hot_field)) : NULL;
    if (f && model_get(c->s->vm, f->index)->set && !model_get(c->s->vm, f->index)->number)
        return arena_printf(
            c->arena, "this is possible only while the VM is off, because %s is false", f->path);
    return NULL;
}

static int must_be_off(const struct checking *c, const char *what, const char *why,
                       const char *needs, const char *pointer, struct pv_err *err)
{
    const char *word = model_enum_text(PV_ENUM_power_state, c->s->power);
    int rc = pv_fail_as(err, "vm-invalid-state", "%s: %s; it is %s", what, why, word);

    (void)needs;
    pv_err_native(err, word);
    pv_err_remedy(err, "Shut the VM down first.");
    if (pointer)
        pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int check_one(const struct checking *c, const struct model_param *p, const json_t *v,
                     const char *prefix, struct pv_err *err);

static int check_members(const struct checking *c, const struct model_param *table,
                         const json_t *params, const char *prefix, struct pv_err *err)
{
    int rc = PV_OK;

    for (const struct model_param *p = table; rc == PV_OK && p && p->name; p++) {
        const json_t *v = json_object_get(params, p->name);

        if (v)
            rc = check_one(c, p, v, prefix, err);
    }
    return rc;
}

/* What is as it is wanted needs nothing. */
static bool is_so(const struct checking *c, const struct model_param *p, const char *prefix,
                  const json_t *v)
{
    const struct model_param table[] = { *p, { 0 } };
    PV_AUTO(json_decref_p) json_t *params = NULL, *now = NULL;
    char path[PATH_CAP];
    struct comparing cmp = { .row = c->s->row, .known = true };

    if (!c->op->sets || !c->s->row)
        return false;
    /* "/cpu" is "cpu" as a path. */
    snprintf(path, sizeof(path), "%s", prefix[0] ? prefix + 1 : "");
    for (char *at = path; *at; at++)
        if (*at == '/')
            *at = '.';
    params = json_object();
    json_object_set(params, p->name, (json_t *)(uintptr_t)v);
    now = before(&cmp, table, params, path);
    return !cmp.differ;
}

/* "/memory/dynamic" as "memory.dynamic". */
static const char *dotted(const char *pointer, struct arena *a)
{
    char *path = arena_strdup(a, pointer[0] == '/' ? pointer + 1 : pointer);

    for (char *at = path; at && *at; at++)
        if (*at == '/')
            *at = '.';
    return path ? path : pointer;
}

/* Only the other family has what `v` (NULL: anything) asks for. NULL: this one has it. */
static const char *lacking(const struct checking *c, const struct model_param *p, const json_t *v)
{
    return model_param_lacking(p, (enum pv_family)atomic_load(&c->s->provider->family_seen), v);
}

static int check_list(const struct checking *c, const struct model_param *p, const json_t *list,
                      const char *prefix, struct pv_err *err)
{
    const json_t *one;
    size_t i;
    int rc = PV_OK;

    json_array_foreach(list, i, one)
    {
        const char *pointer = arena_printf(c->arena, "%s/%zu", prefix, i);

        if (json_is_object(one))
            rc = pointer ? check_members(c, p->members, one, pointer, err)
                         : pv_fail(err, PV_ENOMEM, "no memory to check the parameters");
        if (rc != PV_OK)
            break;
    }
    return rc;
}

static int check_one(const struct checking *c, const struct model_param *p, const json_t *v,
                     const char *prefix, struct pv_err *err)
{
    const char *reason, *needs, *why;
    char pointer[PATH_CAP];
    bool asks = !json_is_false(v) && !json_is_null(v);

    snprintf(pointer, sizeof(pointer), "%s/%s", prefix, p->name);
    if (is_so(c, p, prefix, v))
        return PV_OK;
    why = lacking(c, p, v);
    if (why) {
        int rc = pv_fail(err, PV_ENOTSUP, "%s: %s", dotted(pointer, c->arena), why);

        pv_err_pointer(err, "%s", pointer);
        return rc;
    }
    if (p->needs && (asks || c->op->sets) &&
        provider_capability(c->s->provider, NULL, p->needs, c->arena, &reason, &needs) == CAP_NO) {
        int rc = pv_fail(err, PV_ENOTSUP, "%s: %s", p->name, reason);

        pv_err_pointer(err, "%s", pointer);
        pv_err_needs(err, needs);
        return rc;
    }
    if (c->s->vm && c->s->power != PV_POWER_STATE_OFF && c->s->power != PV_POWER_STATE_UNKNOWN) {
        why = needs_off(c, p->off_unless, p->hot_field, &needs);
        if (why)
            return must_be_off(c, pointer + 1, why, needs, pointer, err);
    }
    if (p->type == PARAM_OBJECT && p->members && json_is_object(v))
        return check_members(c, p->members, v, pointer, err);
    if (p->type == PARAM_LIST && p->members && json_is_array(v))
        return check_list(c, p, v, pointer, err);
    return PV_OK;
}

int args_check_state(const struct model_operation *op, const struct subject *s,
                     const json_t *params, struct arena *a, struct pv_err *err)
{
    struct checking c = { .s = s, .op = op, .arena = a };
    const char *needs, *why;

    if (s->provider && s->vm && s->power != PV_POWER_STATE_OFF &&
        s->power != PV_POWER_STATE_UNKNOWN) {
        why = needs_off(&c, op->off_unless, NULL, &needs);
        if (why)
            return must_be_off(&c, s->name[0] ? s->name : op->title, why, needs, NULL, err);
    }
    return check_members(&c, op->params, params, "", err);
}

static void blocked(const struct checking *c, const struct model_param *table, const char *prefix,
                    struct jsonw *w)
{
    bool off =
        !c->s->vm || c->s->power == PV_POWER_STATE_OFF || c->s->power == PV_POWER_STATE_UNKNOWN;

    for (const struct model_param *p = table; p && p->name; p++) {
        const char *reason, *needs = "", *why = NULL;
        char pointer[PATH_CAP];

        snprintf(pointer, sizeof(pointer), "%s/%s", prefix, p->name);
        if (p->needs && provider_capability(c->s->provider, NULL, p->needs, c->arena, &reason,
                                            &needs) == CAP_NO)
            why = reason;
        else if (lacking(c, p, NULL))
            why = lacking(c, p, NULL);
        else if (!off)
            why = needs_off(c, p->off_unless, p->hot_field, &needs);
        if (why) {
            jsonw_object(w, NULL);
            jsonw_str(w, "pointer", pointer);
            jsonw_str(w, "reason", why);
            texts_write(w, "reason_text", why);
            jsonw_str(w, "needs", needs[0] ? needs : NULL);
            jsonw_end(w);
        } else if (p->type == PARAM_OBJECT) {
            blocked(c, p->members, pointer, w);
        }
    }
}

void args_blocked(const struct model_operation *op, const struct subject *s, struct jsonw *w,
                  struct arena *a)
{
    struct checking c = { .s = s, .op = op, .arena = a };

    if (s->provider)
        blocked(&c, op->params, "", w);
}
