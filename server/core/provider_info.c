/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others ask about drivers and providers.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/texts.h>

static const char *const driver_states[] = { "loaded", "broken", "parked" };

static void raw_json(struct jsonw *w, const char *key, const char *text, const char *otherwise)
{
    PV_AUTO(json_decref_p) json_t *json = text ? json_loads(text, 0, NULL) : NULL;

    if (!json)
        text = otherwise;
    jsonw_raw(w, key, text, strlen(text));
}

static void write_driver(struct jsonw *w, const struct driver_info *d)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", d->name);
    jsonw_str(w, "version", d->version);
    jsonw_str(w, "state", driver_states[d->state]);
    jsonw_strf(w, "abi", "%u.%u", PV_ABI_MAJOR, d->abi_minor);
    jsonw_str(w, "path", d->path);
    jsonw_str(w, "error", d->error[0] ? d->error : NULL);
    jsonw_str(w, "remedy", d->remedy[0] ? d->remedy : NULL);
    raw_json(w, "operations", d->operations, "[]");
    raw_json(w, "config_schema", d->config_schema, "{}");
    jsonw_end(w);
}

int core_drivers_json(struct core *c, const char *name, struct jsonw *w, struct pv_err *err)
{
    size_t n;
    struct driver_info *list = drivers_list(c->drivers, &n);
    bool found = !name;

    if (!list)
        return pv_fail(err, PV_ENOMEM, "no memory for the list of drivers");
    if (!name)
        jsonw_array(w, "items");
    for (size_t i = 0; i < n; i++) {
        if (name && !str_eq(name, list[i].name))
            continue;
        write_driver(w, &list[i]);
        found = true;
    }
    if (!name)
        jsonw_end(w);
    drivers_list_free(list);
    return found ? PV_OK : pv_fail(err, PV_ENOENT, "there is no driver %s", name);
}

const struct model_provider *core_provider_ref(struct core *c, const struct pv_id *id,
                                               struct arena *a)
{
    struct provider *p = provider_get(c, id);
    struct model_provider *out = p ? arena_alloc(a, sizeof(*out)) : NULL;

    if (out) {
        pthread_mutex_lock(&p->lock);
        out->id = p->id;
        out->name = arena_strdup(a, p->name);
        out->driver = arena_strdup(a, p->driver);
        out->family = p->family;
        out->simulated = p->simulated;
        pthread_mutex_unlock(&p->lock);
    }
    provider_put(p);
    return out && out->name && out->driver ? out : NULL;
}

int core_providers_health(struct core *c, struct arena *a, struct core_provider_health **out,
                          size_t *count, struct pv_err *err)
{
    size_t n;
    struct provider **list = providers_all(c, &n);
    struct core_provider_health *all = list ? arena_alloc(a, (n + 1) * sizeof(*all)) : NULL;

    for (size_t i = 0; all && i < n; i++) {
        struct provider *p = list[i];

        pthread_mutex_lock(&p->lock);
        all[i].id = p->id;
        str_copy(all[i].name, sizeof(all[i].name), p->name);
        str_copy(all[i].driver, sizeof(all[i].driver), p->driver);
        all[i].state = p->state;
        all[i].family = p->family;
        all[i].last_full_at_ms = p->last_full_at;
        all[i].last_full_took_ms = p->last_full_ms;
        str_copy(all[i].reason, sizeof(all[i].reason), p->reason);
        pthread_mutex_unlock(&p->lock);
        all[i].confirmed_ms = atomic_load(&p->confirmed_ms);
    }
    if (list)
        providers_release(list, n);
    if (!all)
        return pv_fail(err, PV_ENOMEM, "no memory for the state of providers");
    *out = all;
    *count = n;
    return PV_OK;
}

static const char *const capability_words[] = { "yes", "limited", "no" };

static void write_capability(struct jsonw *w, const char *name, enum capability state,
                             const char *reason, const char *needs)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_str(w, "state", capability_words[state]);
    jsonw_str(w, "reason", reason[0] ? reason : NULL);
    texts_write(w, "reason_text", reason);
    jsonw_array(w, "needs");
    if (needs[0])
        jsonw_str(w, NULL, needs);
    jsonw_end(w);
    jsonw_end(w);
}

static const char *capability_of(const struct model_operation *op)
{
    return op->capability ? op->capability : op->name;
}

/* The first operation of the table with this capability; NULL: it is of none. */
static const struct model_operation *operation_of(const char *capability)
{
    for (const struct model_operation *op = model_operations; op->name; op++)
        if (str_eq(capability_of(op), capability))
            return op;
    return NULL;
}

/* Operations of the table first, then what only the provider names. */
static void write_capabilities(struct provider *p, struct jsonw *w, struct arena *a)
{
    const json_t *one;
    size_t i;

    for (const struct model_operation *op = model_operations; op->name; op++) {
        const char *name = capability_of(op), *reason, *needs;
        enum capability state;

        /* What several have in common is named once. */
        if (op->core || operation_of(name) != op)
            continue;
        state = provider_capability(p, op->name, name, a, &reason, &needs);
        write_capability(w, name, state, reason, needs);
    }
    pthread_mutex_lock(&p->lock);
    json_array_foreach (p->capabilities, i, one) {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *reason = json_string_value(json_object_get(one, "reason"));
        const char *need = json_string_value(json_array_get(json_object_get(one, "needs"), 0));

        if (!name || operation_of(name))
            continue;
        write_capability(w, name,
                         str_eq(state, "yes")       ? CAP_YES
                         : str_eq(state, "limited") ? CAP_LIMITED
                                                    : CAP_NO,
                         reason ? reason : "", need ? need : "");
    }
    pthread_mutex_unlock(&p->lock);
}

int core_capabilities_json(struct core *c, const struct pv_id *provider, struct jsonw *w,
                           struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct provider *p = provider_get(c, provider);

    if (!p)
        return pv_fail(err, PV_ENOENT, "there is no such provider");
    if (!a) {
        provider_put(p);
        return pv_fail(err, PV_ENOMEM, "no memory for capabilities");
    }
    jsonw_array(w, "items");
    write_capabilities(p, w, a);
    jsonw_end(w);
    provider_put(p);
    return PV_OK;
}

/* ---------------------------------------------------------------- probing */

struct probing {
    core_json_fn done;
    void *ctx;
};

static void put_text(json_t *finding, const char *member, const char *text_member)
{
    json_t *text = core_text_json(json_string_value(json_object_get(finding, member)));

    if (text)
        json_object_set_new(finding, text_member, text);
}

/* The findings, each sentence with its code where it has one; owned. */
static char *with_texts(json_t *findings)
{
    json_t *one;
    size_t i;

    json_array_foreach (findings, i, one) {
        put_text(one, "detail", "detail_text");
        put_text(one, "remedy", "remedy_text");
    }
    return json_dumps(findings, JSON_COMPACT);
}

static void probed(void *arg, uint64_t call, const struct pv_failure *failure, const char *report)
{
    struct probing *pr = arg;
    struct pv_err err = { 0 };
    PV_AUTO(json_decref_p) json_t *checked = NULL;
    char *told = NULL;
    int rc = PV_OK;

    (void)call;
    if (failure && failure->code != 0)
        rc = driver_failure_err(failure, &err);
    if (rc == PV_OK) {
        checked = report ? json_loads(report, 0, NULL) : NULL;
        if (!json_is_array(checked))
            rc = pv_fail(&err, PV_EIO, "the driver answered no findings");
    }
    if (rc == PV_OK)
        told = with_texts(checked);
    if (rc == PV_OK && !told)
        rc = pv_fail(&err, PV_ENOMEM, "no memory for the findings");
    pr->done(pr->ctx, rc, told, rc == PV_OK ? NULL : &err);
    free(told);
    free(pr);
}

static int probe(struct core *c, const char *driver, const char *config, const char *secrets,
                 core_json_fn done, void *ctx, struct pv_err *err)
{
    struct probing *pr = calloc(1, sizeof(*pr));
    uint64_t call;
    int rc;

    if (!pr)
        return pv_fail(err, PV_ENOMEM, "no memory to try a connection");
    pr->done = done;
    pr->ctx = ctx;
    rc = drivers_probe(c->drivers, driver, config, secrets, probed, pr, &call, err);
    if (rc != PV_OK)
        free(pr);
    return rc;
}

int core_probe(struct core *c, const json_t *body, core_json_fn done, void *ctx, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 1u << 20);
    const char *driver = json_string_value(json_object_get(body, "driver"));
    const char *password = json_string_value(json_object_get(body, "password"));
    PV_AUTO_FREE char *config = NULL;
    char *secrets = NULL;
    struct model_row *row;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory to try a connection");
    if (!driver) {
        rc = pv_fail(err, PV_EINVAL, "name the driver that is to try it");
        pv_err_pointer(err, "/driver");
        return rc;
    }
    rc = provider_body_row(c, body, driver, a, &row, err);
    if (rc == PV_OK)
        rc = provider_config_of(row, password, &config, &secrets, err);
    if (rc == PV_OK)
        rc = probe(c, driver, config, secrets, done, ctx, err);
    provider_secrets_free(secrets);
    return rc;
}

int core_provider_doctor(struct core *c, const struct pv_id *id, core_json_fn done, void *ctx,
                         struct pv_err *err)
{
    struct provider *p = provider_get(c, id);
    PV_AUTO_FREE char *config = NULL;
    char *secrets = NULL;
    char driver[33];
    int rc;

    if (!p)
        return pv_fail(err, PV_ENOENT, "there is no such provider");
    pthread_mutex_lock(&p->lock);
    str_copy(driver, sizeof(driver), p->driver);
    pthread_mutex_unlock(&p->lock);
    rc = provider_config(p, &config, &secrets, err);
    if (rc == PV_OK)
        rc = probe(c, driver, config, secrets, done, ctx, err);
    provider_secrets_free(secrets);
    provider_put(p);
    return rc;
}
