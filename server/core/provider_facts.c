/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver says about its provider, and what is made of it.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

struct facts {
    struct provider *provider;
    const json_t *json;
    struct event_set events;
};

static void set_text(struct row_diff *d, unsigned field, const json_t *object, const char *key,
                     struct arena *a)
{
    const json_t *v = json_object_get(object, key);
    const struct model_field *f = &d->row->kind->fields[field];
    struct model_value value = value_null();

    if (!v)
        return;
    if (json_is_string(v) && json_string_length(v) <= f->max)
        value = value_text(arena_strdup(a, json_string_value(v)));
    diff_set(d, field, &value);
}

/* [{name, state, reason, needs[]}], bounded; others are left out. */
static json_t *clean_capabilities(const json_t *list)
{
    json_t *out = json_array();
    const json_t *one;
    size_t i;

    json_array_foreach (list, i, one) {
        const char *name = json_string_value(json_object_get(one, "name"));
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *reason = json_string_value(json_object_get(one, "reason"));
        json_t *needs = json_object_get(one, "needs");

        if (!name || strlen(name) > 64 || i >= 256)
            continue;
        if (!str_eq(state, "yes") && !str_eq(state, "limited"))
            state = "no";
        json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:O}", "name", name, "state", state,
                                             "reason", reason ? reason : "", "needs",
                                             json_is_array(needs) ? needs : json_null()));
    }
    return out;
}

static void diff_facts(struct facts *f, struct row_diff *d, struct arena *a)
{
    const json_t *product = json_object_get(f->json, "product");
    const json_t *capabilities = json_object_get(f->json, "capabilities");
    const char *family = json_string_value(json_object_get(f->json, "family"));
    int64_t number = family ? model_enum_value(PV_ENUM_family, family, strlen(family)) : -1;
    struct model_value v;

    set_text(d, F(provider, product_name), product, "name", a);
    set_text(d, F(provider, product_version), product, "version", a);
    set_text(d, F(provider, product_build), product, "build", a);
    set_text(d, F(provider, product_api), product, "api_version", a);
    set_text(d, F(provider, instance_uuid), f->json, "instance_uuid", a);
    if (number >= 0) {
        v = value_number(number);
        diff_set(d, F(provider, family), &v);
    }
    if (json_is_array(capabilities)) {
        PV_AUTO(json_decref_p) json_t *clean = clean_capabilities(capabilities);
        const char *text = core_json_text(a, clean);

        if (text && strlen(text) <= d->row->kind->fields[F(provider, capabilities)].max) {
            v = value_text(text);
            diff_set_quiet(d, F(provider, capabilities), &v);
        }
    }
}

static int facts_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct facts *f = arg;
    struct provider *p = f->provider;
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    struct row_diff d;
    int rc = events_begin(&f->events, tx, err);

    if (rc == PV_OK)
        rc = tx_rows_get(tx, PV_KIND_provider, &p->id, 1, false, a, &row, err);
    if (rc != PV_OK || !row)
        return rc;
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    diff_facts(f, &d, a);
    if (d.n > 0) {
        struct event_draft e = { .type = "provider.updated", .kind = PV_KIND_provider,
                                 .subject = p->id, .name = model_text(row, F(provider, name)),
                                 .provider = p->id,
                                 .provider_name = model_text(row, F(provider, name)),
                                 .changes = diff_changes(&d, a),
                                 .actor_type = PV_ACTOR_TYPE_EXTERNAL };

        rc = diff_write(&d, tx, &p->core->kinds[PV_KIND_provider], clock_wall_ms(),
                        &e.object_version, err);
        if (rc == PV_OK)
            rc = events_add(&f->events, tx, &e, err);
    }
    diff_free(&d);
    return rc;
}

static void take_sync(struct provider *p, const json_t *sync)
{
    const json_t *interval = json_object_get(sync, "interval_s");
    const json_t *requests = json_object_get(sync, "requests_last_full");
    const char *mode = json_string_value(json_object_get(sync, "mode"));

    pthread_mutex_lock(&p->lock);
    if (mode && (str_eq(mode, "push") || str_eq(mode, "poll")))
        str_copy(p->mode, sizeof(p->mode), mode);
    if (json_is_integer(interval))
        p->interval_s = json_integer_value(interval);
    if (json_is_integer(requests))
        p->requests_last_full = json_integer_value(requests);
    pthread_mutex_unlock(&p->lock);
    provider_sync_write(p, true);
}

static void take_state(struct provider *p, const json_t *json)
{
    const char *state = json_string_value(json_object_get(json, "state"));
    const char *reason = json_string_value(json_object_get(json, "reason"));
    struct pv_err err = { 0 };

    if (str_eq(state, "connected")) {
        provider_set_state(p, PV_PROVIDER_STATE_CONNECTED, NULL);
    } else if (str_eq(state, "degraded")) {
        pv_fail(&err, PV_EIO, "%s", reason ? reason : "a part of the data cannot be read");
        provider_set_state(p, PV_PROVIDER_STATE_DEGRADED, &err);
    }
}

void provider_facts(struct provider *p, const char *text)
{
    PV_AUTO(json_decref_p) json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    struct facts f = { .provider = p, .json = json };
    const char *family;
    struct pv_err err = { 0 };
    char name[NAME_CAP];
    int64_t number;

    if (!json_is_object(json)) {
        provider_copy_name(p, name, sizeof(name));
        log_msg(PV_LOG_WARN, "driver.fault", "provider=%s facts are not a JSON object", name);
        return;
    }
    family = json_string_value(json_object_get(json, "family"));
    number = family ? model_enum_value(PV_ENUM_family, family, strlen(family)) : -1;
    pthread_mutex_lock(&p->lock);
    if (number >= 0) {
        p->family = (enum pv_family)number;
        atomic_store(&p->family_seen, (int)number);
    }
    if (json_is_array(json_object_get(json, "capabilities"))) {
        json_decref(p->capabilities);
        p->capabilities = clean_capabilities(json_object_get(json, "capabilities"));
    }
    pthread_mutex_unlock(&p->lock);
    events_init(&f.events, p->core);
    if (store_write(p->core->store, facts_tx, &f, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "provider.facts", "%s", err.message);
    events_free(&f.events);
    if (json_object_get(json, "sync"))
        take_sync(p, json_object_get(json, "sync"));
    take_state(p, json);
}

enum capability provider_capability(struct provider *p, const char *operation, const char *name,
                                    struct arena *a, const char **reason, const char **needs)
{
    enum capability found = CAP_YES;
    char driver[33];
    const json_t *one;
    size_t i;

    *reason = *needs = "";
    pthread_mutex_lock(&p->lock);
    str_copy(driver, sizeof(driver), p->driver);
    json_array_foreach (p->capabilities, i, one) {
        const char *state = json_string_value(json_object_get(one, "state"));
        const char *why = json_string_value(json_object_get(one, "reason"));
        const char *need = json_string_value(json_array_get(json_object_get(one, "needs"), 0));

        if (!str_eq(json_string_value(json_object_get(one, "name")), name))
            continue;
        found = str_eq(state, "yes") ? CAP_YES : str_eq(state, "limited") ? CAP_LIMITED : CAP_NO;
        *reason = arena_strdup(a, why ? why : "");
        *needs = arena_strdup(a, need ? need : "");
    }
    pthread_mutex_unlock(&p->lock);
    if (!*reason || !*needs)
        *reason = *needs = "";
    if (found != CAP_NO && operation && !drivers_implements(p->core->drivers, driver, operation)) {
        found = CAP_NO;
        *reason = arena_printf(a, "the driver %s cannot do this", driver);
        *needs = "";
    }
    if (found == CAP_NO && !(*reason && **reason))
        *reason = "the provider cannot do this";
    return found;
}
