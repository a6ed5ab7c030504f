/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making, changing and deleting providers.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#define LIMITS_TEXT_MAX 1024u

void provider_take_row(struct provider *p, const struct model_row *row)
{
    PV_AUTO(json_decref_p) json_t *limits = json_loads(model_text(row, F(provider, limits)), 0, NULL);
    PV_AUTO(json_decref_p) json_t *sync = json_loads(model_text(row, F(provider, sync)), 0, NULL);
    const json_t *most = json_object_get(limits, "max_concurrent_tasks");
    const char *last = json_string_value(json_object_get(sync, "last_full_at"));
    int64_t at;

    pthread_mutex_lock(&p->lock);
    str_copy(p->name, sizeof(p->name), model_text(row, F(provider, name)));
    str_copy(p->driver, sizeof(p->driver), model_text(row, F(provider, driver)));
    p->family = (enum pv_family)model_number(row, F(provider, family));
    atomic_store(&p->family_seen, (int)p->family);
    p->simulated = model_number(row, F(provider, simulated)) != 0;
    p->maintenance = model_number(row, F(provider, maintenance_on)) != 0;
    p->max_tasks = json_is_integer(most) && json_integer_value(most) > 0 &&
                           json_integer_value(most) <= 1000
                       ? (unsigned)json_integer_value(most)
                       : 0;
    if (!p->last_full_at && last && clock_parse(last, strlen(last), &at)) {
        p->last_full_at = at;
        p->first_import = false;
        p->last_full_ms = json_integer_value(json_object_get(sync, "last_full_ms"));
        p->sync_objects = (uint64_t)json_integer_value(json_object_get(sync, "objects"));
        p->requests_last_full = json_integer_value(json_object_get(sync, "requests_last_full"));
    }
    if (!p->capabilities)
        p->capabilities = json_loads(model_text(row, F(provider, capabilities)), 0, NULL);
    pthread_mutex_unlock(&p->lock);
}

static int load_one(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct core *c = ctx;
    struct provider *p = provider_new(c, &row->id);
    int rc;

    if (!p)
        return pv_fail(err, PV_ENOMEM, "no memory for a provider");
    provider_take_row(p, row);
    p->state = (enum pv_provider_state)model_number(row, F(provider, state));
    /* What stopped the retries is still so after a restart. */
    if (provider_stopped(p))
        p->reason_json = strdup(model_text(row, F(provider, state_reason)));
    else
        p->state = PV_PROVIDER_STATE_NEW;
    rc = providers_insert(c, p, err);
    if (rc != PV_OK)
        provider_put(p);
    return rc;
}

int providers_load(struct core *c, struct pv_err *err)
{
    struct store_query q = { .shape = c->kinds[PV_KIND_provider].shape, .limit = 1000 };
    struct store_position at = { .len = 0 };
    int rc;

    do {
        struct store_position last = { .len = 0 };

        q.after = at.len ? &at : NULL;
        rc = store_list(c->store, &q, load_one, c, &last, err);
        at = last;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

/* ---------------------------------------------------------------- bodies */

struct body {
    const json_t *json;
    const char *sealed;
    bool simulated;
};

static int check_driver(struct core *c, const char *name, const json_t *settings, struct pv_err *err)
{
    size_t n;
    struct driver_info *list = drivers_list(c->drivers, &n), *found = NULL;
    int rc = PV_OK;

    if (!list)
        return pv_fail(err, PV_ENOMEM, "no memory for the list of drivers");
    for (size_t i = 0; i < n; i++)
        if (str_eq(list[i].name, name))
            found = &list[i];
    if (!found) {
        rc = pv_fail_as(err, "driver-unknown", "there is no driver %.32s", name);
        pv_err_pointer(err, "/driver");
    } else if (found->state == DRIVER_BROKEN) {
        rc = pv_fail_as(err, "driver-broken", "the driver %s is broken: %s", name, found->error);
        pv_err_pointer(err, "/driver");
        pv_err_remedy(err, "%s", found->remedy);
    } else {
        rc = schema_check(found->config_schema, settings, "/settings", err);
    }
    drivers_list_free(list);
    return rc;
}

static int set_text(struct row_diff *d, unsigned field, const json_t *v, struct arena *a,
                    struct pv_err *err)
{
    const struct model_field *f = &d->row->kind->fields[field];
    struct model_value value = value_null();
    int rc;

    if (!v)
        return PV_OK;
    if (json_is_string(v) && json_string_length(v) > 0) {
        if (json_string_length(v) > f->max) {
            rc = pv_fail(err, PV_EINVAL, "%s is longer than %u bytes", f->path, f->max);
            pv_err_pointer(err, "/%s", f->path);
            return rc;
        }
        value = value_text(arena_strdup(a, json_string_value(v)));
    }
    diff_set(d, field, &value);
    return PV_OK;
}

static int set_json(struct row_diff *d, unsigned field, const json_t *v, struct arena *a,
                    struct pv_err *err)
{
    const struct model_field *f = &d->row->kind->fields[field];
    struct model_value value = value_null();
    int rc;

    if (!v)
        return PV_OK;
    if (!json_is_null(v)) {
        const char *text = core_json_text(a, v);

        if (!text || strlen(text) > f->max) {
            rc = pv_fail(err, PV_EINVAL, "%s is longer than %u bytes", f->path, f->max);
            pv_err_pointer(err, "/%s", f->path);
            return rc;
        }
        value = value_text(text);
    }
    diff_set(d, field, &value);
    return PV_OK;
}

static bool is_sha256(const char *text)
{
    return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int set_pins(struct row_diff *d, const json_t *pins, struct arena *a, struct pv_err *err)
{
    struct buf text;
    struct model_value v;
    const json_t *one;
    size_t i;
    int rc = PV_OK;

    buf_init(&text, 1024);
    json_array_foreach (pins, i, one) {
        if (!is_sha256(json_string_value(one)) || i >= 8) {
            rc = pv_fail(err, PV_EINVAL, "pins are up to 8 SHA-256 fingerprints in lower-case hex");
            pv_err_pointer(err, "/tls/pins/%zu", i);
            break;
        }
        if (i == 0)
            buf_char(&text, '\n');
        buf_printf(&text, "%s\n", json_string_value(one));
    }
    v = json_array_size(pins) ? value_text(arena_text(a, text.data, text.len)) : value_null();
    if (rc == PV_OK)
        diff_set(d, F(provider, tls_pins), &v);
    buf_free(&text);
    return rc;
}

static int set_tls(struct row_diff *d, const json_t *tls, struct arena *a, struct pv_err *err)
{
    const json_t *mode = json_object_get(tls, "mode"), *pins = json_object_get(tls, "pins");
    int rc = PV_OK;

    if (json_is_string(mode)) {
        const char *text = json_string_value(mode);
        int64_t number = model_enum_value(PV_ENUM_tls_mode, text, strlen(text));
        struct model_value v = value_number(number);

        if (number < 0) {
            rc = pv_fail(err, PV_EINVAL, "tls.mode is ca, pin or insecure");
            pv_err_pointer(err, "/tls/mode");
            return rc;
        }
        diff_set(d, F(provider, tls_mode), &v);
    }
    rc = set_text(d, F(provider, tls_ca_pem), json_object_get(tls, "ca_pem"), a, err);
    if (rc == PV_OK && pins)
        rc = set_pins(d, json_is_array(pins) ? pins : NULL, a, err);
    if (rc == PV_OK && model_number(d->row, F(provider, tls_mode)) == PV_TLS_MODE_PIN &&
        !model_get(d->row, F(provider, tls_pins))->set) {
        rc = pv_fail(err, PV_EINVAL, "tls.mode pin needs tls.pins");
        pv_err_pointer(err, "/tls/pins");
    }
    return rc;
}

static int body_change(struct row_diff *d, struct arena *a, void *arg, struct pv_err *err)
{
    const struct body *b = arg;
    const json_t *tls = json_object_get(b->json, "tls");
    struct model_value v;
    int rc = set_text(d, F(provider, name), json_object_get(b->json, "name"), a, err);

    if (rc == PV_OK)
        rc = set_text(d, F(provider, endpoint), json_object_get(b->json, "endpoint"), a, err);
    if (rc == PV_OK)
        rc = set_text(d, F(provider, username), json_object_get(b->json, "username"), a, err);
    if (rc == PV_OK)
        rc = set_text(d, F(provider, notes), json_object_get(b->json, "notes"), a, err);
    if (rc == PV_OK)
        rc = set_json(d, F(provider, settings), json_object_get(b->json, "settings"), a, err);
    if (rc == PV_OK)
        rc = set_json(d, F(provider, limits), json_object_get(b->json, "limits"), a, err);
    if (rc == PV_OK && json_is_object(tls))
        rc = set_tls(d, tls, a, err);
    if (rc == PV_OK && model_text(d->row, F(provider, name))[0] == '\0') {
        rc = pv_fail(err, PV_EINVAL, "a provider needs a name");
        pv_err_pointer(err, "/name");
    }
    if (rc == PV_OK && b->sealed) {
        v = value_text(arena_strdup(a, b->sealed));
        d->row->values[F(provider, password)] = value_null();
        diff_set_quiet(d, F(provider, password), &v);
    }
    return rc;
}

/* The row that a body describes, checked; for probes, nothing is stored. */
int provider_body_row(struct core *c, const json_t *json, const char *driver, struct arena *a,
                      struct model_row **out, struct pv_err *err)
{
    const json_t *settings = json_object_get(json, "settings");
    struct model_row *row = model_row_new(a, PV_KIND_provider);
    struct body body = { json, NULL, false };
    struct row_diff d;
    int rc = check_driver(c, driver, json_is_null(settings) ? NULL : settings, err);

    if (rc != PV_OK)
        return rc;
    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a provider");
    /* A probe needs no name. */
    model_set_text(row, F(provider, name), "probe");
    rc = diff_init(&d, row, false, a, err);
    if (rc != PV_OK)
        return rc;
    rc = body_change(&d, a, &body, err);
    diff_free(&d);
    if (rc == PV_OK)
        *out = row;
    return rc;
}

/* ---------------------------------------------------------------- create */

struct create {
    struct core *core;
    const struct core_actor *by;
    const struct core_options *options;
    struct pv_id id;
    struct body body;
    const char *driver;
    enum pv_family family;
    struct event_set events;
    struct model_row *row;      /* as stored, in arena */
    struct arena *arena;
};

static int fill_row(struct create *cr, struct pv_err *err)
{
    struct model_row *row = model_row_new(cr->arena, PV_KIND_provider);
    int64_t now = clock_wall_ms();
    struct row_diff d;
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a provider");
    rc = diff_init(&d, row, false, cr->arena, err);
    if (rc != PV_OK)
        return rc;
    rc = body_change(&d, cr->arena, &cr->body, err);
    diff_free(&d);
    if (rc != PV_OK)
        return rc;
    row->id = cr->id;
    model_set_text(row, F(provider, driver), cr->driver);
    model_set_number(row, F(provider, family), cr->family);
    model_set_number(row, F(provider, simulated), cr->body.simulated);
    model_set_number(row, F(provider, state), PV_PROVIDER_STATE_NEW);
    model_set_number(row, F(provider, maintenance_on), 0);
    if (!model_get(row, F(provider, tls_mode))->set)
        model_set_number(row, F(provider, tls_mode), PV_TLS_MODE_CA);
    model_set_number(row, F(provider, created_at), now);
    model_set_number(row, F(provider, updated_at), now);
    model_set_number(row, F(provider, version), 1);
    cr->row = row;
    return PV_OK;
}

void event_by(struct event_draft *d, const struct core_actor *by)
{
    d->actor_type = by ? by->type : PV_ACTOR_TYPE_SYSTEM;
    d->actor_name = by ? by->name : NULL;
}

static int create_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct create *cr = arg;
    struct event_draft e = { .type = "provider.created", .kind = PV_KIND_provider,
                             .subject = cr->id, .name = model_text(cr->row, F(provider, name)),
                             .provider = cr->id,
                             .provider_name = model_text(cr->row, F(provider, name)),
                             .object_version = 1 };
    int rc = events_begin(&cr->events, tx, err);

    event_by(&e, cr->by);
    if (rc == PV_OK)
        rc = tx_row_insert(tx, cr->row, err);
    if (rc == PV_OK)
        rc = events_add(&cr->events, tx, &e, err);
    return rc == PV_OK ? core_put_idempotency(tx, cr->options, PV_KIND_provider, &cr->row->id, err) : rc;
}

static int name_free(struct core *c, const char *name, const struct pv_id *but, struct arena *a,
                     struct pv_err *err)
{
    struct model_value v = value_text(name);
    struct pv_id *ids;
    size_t n;
    int rc = store_find(c->store, PV_KIND_provider, F(provider, name), &v, 2, a, &ids, &n, err);

    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        if (id_eq(&ids[i], but))
            continue;
        rc = pv_fail(err, PV_EEXIST, "there is a provider with the name %s", name);
        pv_err_pointer(err, "/name");
    }
    return rc;
}

static enum pv_family family_of(const char *driver, const json_t *settings)
{
    const char *named = json_string_value(json_object_get(settings, "family"));
    int64_t number = named ? model_enum_value(PV_ENUM_family, named, strlen(named)) : -1;

    if (number >= 0)
        return (enum pv_family)number;
    if (str_eq(driver, "vapi"))
        return PV_FAMILY_VMWARE;
    return str_eq(driver, "wmi") || str_eq(driver, "hcs") ? PV_FAMILY_HYPERV : PV_FAMILY_LOCAL;
}

int core_provider_create(struct core *c, const struct core_actor *by, const struct pv_id *id,
                         const json_t *body, const char *sealed, bool simulated,
                         const struct core_options *o, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 1u << 20);
    const json_t *settings = json_object_get(body, "settings");
    const char *driver = json_string_value(json_object_get(body, "driver"));
    struct create cr = { .core = c, .by = by, .options = o, .id = *id, .arena = a,
                         .driver = driver };
    struct provider *p;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a provider");
    if (!driver) {
        rc = pv_fail(err, PV_EINVAL, "a provider needs a driver");
        pv_err_pointer(err, "/driver");
        return rc;
    }
    cr.body = (struct body){ body, sealed, simulated || str_eq(driver, "sim") };
    cr.family = family_of(driver, settings);
    rc = check_driver(c, driver, json_is_null(settings) ? NULL : settings, err);
    if (rc == PV_OK)
        rc = fill_row(&cr, err);
    if (rc == PV_OK)
        rc = name_free(c, model_text(cr.row, F(provider, name)), id, a, err);
    if (rc != PV_OK || (o && o->dry_run))
        return rc;
    p = provider_new(c, id);
    if (!p)
        return pv_fail(err, PV_ENOMEM, "no memory for a provider");
    provider_take_row(p, cr.row);
    events_init(&cr.events, c);
    rc = store_write(c->store, create_tx, &cr, err);
    events_free(&cr.events);
    if (rc == PV_OK)
        rc = providers_insert(c, p, err);
    if (rc != PV_OK) {
        provider_put(p);
        return rc;
    }
    provider_connect(p, true);
    return PV_OK;
}

/* ---------------------------------------------------------------- change */

struct row_change {
    struct provider *provider;
    const struct core_actor *by;
    const struct core_options *options;
    int (*change)(struct row_diff *d, struct arena *a, void *arg, struct pv_err *err);
    void *arg;
    struct event_set events;
};

static int change_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct row_change *ch = arg;
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    struct row_diff d;
    int rc = events_begin(&ch->events, tx, err);

    if (rc == PV_OK)
        rc = tx_rows_get(tx, PV_KIND_provider, &ch->provider->id, 1, false, a, &row, err);
    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_ENOENT, "there is no such provider");
    if (rc == PV_OK)
        rc = core_check_version(ch->options, (uint64_t)model_number(row, F(provider, version)), err);
    if (rc == PV_OK)
        rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    rc = ch->change(&d, a, ch->arg, err);
    if (rc == PV_OK && d.n > 0) {
        struct event_draft e = { .type = "provider.updated", .kind = PV_KIND_provider,
                                 .subject = row->id, .name = model_text(row, F(provider, name)),
                                 .provider = row->id,
                                 .provider_name = model_text(row, F(provider, name)),
                                 .changes = diff_changes(&d, a) };

        event_by(&e, ch->by);
        rc = diff_write(&d, tx, &ch->provider->core->kinds[PV_KIND_provider], clock_wall_ms(),
                        &e.object_version, err);
        if (rc == PV_OK)
            rc = events_add(&ch->events, tx, &e, err);
    }
    diff_free(&d);
    return rc;
}

int provider_row_change(struct provider *p, const struct core_actor *by, const struct core_options *o,
                        int (*change)(struct row_diff *d, struct arena *a, void *arg,
                                      struct pv_err *err),
                        void *arg, struct pv_err *err)
{
    struct row_change ch = { .provider = p, .by = by, .options = o, .change = change, .arg = arg };
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 1u << 20);
    struct model_row *row;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a provider");
    events_init(&ch.events, p->core);
    rc = store_write(p->core->store, change_tx, &ch, err);
    events_free(&ch.events);
    if (rc == PV_OK)
        rc = store_row_get(p->core->store, p->core->kinds[PV_KIND_provider].shape, &p->id, a, &row,
                           err);
    if (rc == PV_OK)
        provider_take_row(p, row);
    return rc;
}

static bool concerns_connection(const json_t *patch)
{
    static const char *const members[] = { "endpoint", "username", "settings", "tls" };

    for (size_t i = 0; i < PV_COUNT(members); i++)
        if (json_object_get(patch, members[i]))
            return true;
    return false;
}

int core_provider_change(struct core *c, const struct core_actor *by, const struct pv_id *id,
                         const json_t *patch, const char *sealed, const struct core_options *o,
                         struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    struct provider *p = provider_get(c, id);
    struct body body = { patch, sealed, false };
    const char *name = json_string_value(json_object_get(patch, "name"));
    const json_t *settings = json_object_get(patch, "settings");
    char driver[33];
    int rc = PV_OK;

    if (!p)
        return pv_fail(err, PV_ENOENT, "there is no such provider");
    if (!a)
        rc = pv_fail(err, PV_ENOMEM, "no memory for a provider");
    pthread_mutex_lock(&p->lock);
    str_copy(driver, sizeof(driver), p->driver);
    pthread_mutex_unlock(&p->lock);
    if (rc == PV_OK && settings)
        rc = check_driver(c, driver, json_is_null(settings) ? NULL : settings, err);
    if (rc == PV_OK && name)
        rc = name_free(c, name, id, a, err);
    if (rc == PV_OK && !(o && o->dry_run))
        rc = provider_row_change(p, by, o, body_change, &body, err);
    if (rc == PV_OK && !(o && o->dry_run) && (sealed || concerns_connection(patch))) {
        pthread_mutex_lock(&p->lock);
        p->reconnect = true;
        pthread_mutex_unlock(&p->lock);
        provider_connect(p, true);
    }
    provider_put(p);
    return rc;
}

/* ---------------------------------------------------------------- delete */

struct removal {
    struct provider *provider;
    const struct core_actor *by;
    const struct core_options *options;
    enum pv_kind kind;
    const struct pv_id *ids;
    size_t n;
    struct event_set events;
    char name[NAME_CAP];
};

static int delete_objects_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct removal *r = arg;
    int rc = PV_OK;

    for (size_t i = 0; rc == PV_OK && i < r->n; i++) {
        rc = tx_row_delete(tx, r->kind, &r->ids[i], err);
        if (rc == PV_ENOENT)
            rc = PV_OK;
    }
    return rc;
}

static int delete_provider_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct removal *r = arg;
    struct event_draft e = { .type = "provider.gone", .kind = PV_KIND_provider,
                             .subject = r->provider->id, .name = r->name };
    int rc = events_begin(&r->events, tx, err);

    event_by(&e, r->by);
    if (rc == PV_OK)
        rc = tx_row_delete(tx, PV_KIND_provider, &r->provider->id, err);
    if (rc == PV_OK)
        rc = events_add(&r->events, tx, &e, err);
    return rc;
}

/* What others report, too, stays with them. apply_lock held. */
static int leave_shared(struct provider *p, struct pv_err *err)
{
    size_t n = 0, cap = p->inv.by_id.used;
    PV_AUTO_FREE struct inv_entry **entries = calloc(cap + 1, sizeof(struct inv_entry *));

    if (!entries)
        return pv_fail(err, PV_ENOMEM, "no memory to delete a provider");
    for (size_t i = 0; i < p->inv.by_id.cap && n < cap; i++)
        if (p->inv.by_id.slots[i].item)
            entries[n++] = p->inv.by_id.slots[i].item;
    return shared_leave(p, entries, &n, err);
}

/* All objects of a kind, a chunk a transaction: the writer is never blocked for long. apply_lock held. */
static int delete_kind(struct removal *r, enum pv_kind kind, struct pv_err *err)
{
    struct provider *p = r->provider;
    struct pv_id ids[CHUNK / 5];
    int rc = PV_OK;

    r->kind = kind;
    r->ids = ids;
    r->n = 0;
    for (size_t i = 0; rc == PV_OK && i < p->inv.kinds[kind].cap; i++) {
        const struct inv_entry *e = p->inv.kinds[kind].slots[i].item;

        if (!e)
            continue;
        ids[r->n++] = e->id;
        if (r->n == PV_COUNT(ids)) {
            rc = store_write(p->core->store, delete_objects_tx, r, err);
            r->n = 0;
        }
    }
    if (rc == PV_OK && r->n > 0)
        rc = store_write(p->core->store, delete_objects_tx, r, err);
    return rc;
}

static int delete_rows(struct removal *r, struct pv_err *err)
{
    struct provider *p = r->provider;
    const struct model_kind *k;
    int rc;

    pthread_mutex_lock(&p->apply_lock);
    rc = inventory_load(p, err);
    if (rc == PV_OK)
        rc = leave_shared(p, err);
    for (size_t i = 0; rc == PV_OK && (k = model_kind_at(i)) != NULL; i++)
        if ((k->flags & MODEL_SYNCED) && k->owner == PV_KIND_NONE)
            rc = delete_kind(r, k->number, err);
    inventory_free(p);
    pthread_mutex_unlock(&p->apply_lock);
    if (rc == PV_OK)
        rc = store_write(p->core->store, delete_provider_tx, r, err);
    return rc;
}

int core_provider_delete(struct core *c, const struct core_actor *by, const struct pv_id *id,
                         bool force, const struct core_options *o, struct pv_err *err)
{
    struct provider *p = provider_get(c, id);
    struct removal r = { .provider = p, .by = by, .options = o };
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct model_row *row;
    int rc;

    if (!p)
        return pv_fail(err, PV_ENOENT, "there is no such provider");
    rc = a ? store_row_get(c->store, c->kinds[PV_KIND_provider].shape, id, a, &row, err)
           : pv_fail(err, PV_ENOMEM, "no memory to delete a provider");
    if (rc == PV_OK)
        rc = core_check_version(o, (uint64_t)model_number(row, F(provider, version)), err);
    if (rc == PV_OK && !force && tasks_open_of(c, id) > 0)
        rc = pv_fail(err, PV_EBUSY, "%s has tasks that are not finished",
                     model_text(row, F(provider, name)));
    if (rc != PV_OK || (o && o->dry_run)) {
        provider_put(p);
        return rc;
    }
    provider_copy_name(p, r.name, sizeof(r.name));
    pthread_mutex_lock(&p->lock);
    p->deleted = true;
    pthread_mutex_unlock(&p->lock);
    tasks_abandon(c, id);
    provider_close_session(p);
    events_init(&r.events, c);
    rc = delete_rows(&r, err);
    events_free(&r.events);
    if (rc == PV_OK && providers_remove(c, p)) {
        provider_sync_forget(p);
        provider_put(p);
    }
    if (rc != PV_OK) {
        /* What is left can be read again. */
        pthread_mutex_lock(&p->lock);
        p->deleted = false;
        p->want_full = true;
        pthread_mutex_unlock(&p->lock);
        provider_connect(p, true);
    }
    provider_put(p);
    return rc;
}
