/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/alert_inner.h"
#include "server/core/deliver.h"
#include "server/core/days.h"
#include "server/core/expiry.h"
#include "server/core/internal.h"
#include "server/core/series.h"
#include "server/core/uploads.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/texts.h>

#include <polyvisor/problem.h>

#include "drivers/sdk/check.h"

#define WORKERS 4
#define MINUTE 60000ll

uint64_t core_hash(const struct core *c, const void *data, size_t len)
{
    return sdk_hash(data, len, c->hash_key);
}

/* The last eight bytes of an id are random but for two bits. */
uint64_t core_hash_id(const struct pv_id *id)
{
    uint64_t v;

    memcpy(&v, id->b + 8, sizeof(v));
    return v * 0x9e3779b97f4a7c15ull;
}

static int field_at(const struct model_kind *k, const char *name)
{
    const struct model_field *f = model_field_by_name(k, name);

    return f ? f->index : -1;
}

static void kind_fields(struct kind_info *k)
{
    k->provider = field_at(k->kind, "provider");
    k->native_id = field_at(k->kind, "native_id");
    k->identity = field_at(k->kind, "identity");
    k->presence = field_at(k->kind, "presence");
    k->missing_since = field_at(k->kind, "missing_since");
    k->stale_reason = field_at(k->kind, "stale_reason");
    k->related = field_at(k->kind, "related");
    k->version = field_at(k->kind, "version");
    k->created_at = field_at(k->kind, "created_at");
    k->updated_at = field_at(k->kind, "updated_at");
    k->owner = field_at(k->kind, "owner");
    k->name = field_at(k->kind, "name");
    k->tags = field_at(k->kind, "tags");
    k->attributes = field_at(k->kind, "attributes");
    k->notes = field_at(k->kind, "notes");
    k->folder = field_at(k->kind, "folder");
    k->power_state = field_at(k->kind, "power_state");
    k->child = -1;
}

static int kinds_init(struct core *c, struct pv_err *err)
{
    const struct model_kind *m;
    int children[KINDS] = { 0 }, *place; /* of each owner, so far */

    for (size_t i = 0; (m = model_kind_at(i)) != NULL; i++) {
        struct kind_info *k = &c->kinds[m->number];
        int rc = PV_OK;

        k->kind = m;
        kind_fields(k);
        if (m->flags & MODEL_SYNCED) {
            for (size_t f = 0; f < m->nfields; f++)
                if (m->fields[f].slot >= 0)
                    k->slots[k->nslots++] = &m->fields[f];
            place = &children[m->owner];
            if (m->owner != PV_KIND_NONE)
                k->child = (*place)++;
            if (*place > CHILD_KINDS)
                return pv_fail(err, PV_EINTERNAL, "the model has more child kinds than core knows");
        }
        if (!(m->flags & MODEL_MEMORY))
            rc = model_shape_make(m, NULL, MODEL_VIEW_FULL, c->arena, &k->shape, err);
        if (rc != PV_OK)
            return rc;
    }
    c->event_shape = c->kinds[PV_KIND_event].shape;
    return PV_OK;
}

const char *core_json_text(struct arena *a, const json_t *json)
{
    PV_AUTO_FREE char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

    return text ? arena_strdup(a, text) : NULL;
}

void core_write_ref(struct jsonw *w, const char *key, enum pv_kind kind, const struct pv_id *id,
                    const char *name)
{
    char text[PV_ID_TEXT];

    model_id_text(kind, id, text);
    jsonw_object(w, key);
    jsonw_str(w, "kind", model_kind(kind) ? model_kind(kind)->name : NULL);
    jsonw_str(w, "id", text);
    jsonw_str(w, "name", name);
    jsonw_end(w);
}

const char *core_problem_json(struct arena *a, const struct pv_err *err)
{
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 8192);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    problem_members(&w, err);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

json_t *core_text_json(const char *sentence)
{
    struct text_found found;
    struct buf text;
    struct jsonw w;
    json_t *all, *out = NULL;

    if (!texts_find(sentence, &found))
        return NULL;
    buf_init(&text, 8192);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    texts_write(&w, "text", sentence);
    jsonw_end(&w);
    all = buf_ok(&text) ? json_loads(text.data, 0, NULL) : NULL;
    if (all)
        out = json_incref(json_object_get(all, "text"));
    json_decref(all);
    buf_free(&text);
    return out;
}

int core_put_idempotency(struct store_tx *tx, const struct core_options *o, enum pv_kind kind,
                         const struct pv_id *made, struct pv_err *err)
{
    struct store_idempotency record;
    char id[PV_ID_TEXT];

    if (!o || !o->idempotency)
        return PV_OK;
    model_id_text(kind, made, id);
    record = *o->idempotency;
    record.headers = arena_printf(tx_arena(tx), "Location: /api/v1/%s/%s", model_kind(kind)->plural, id);
    if (!record.headers)
        return pv_fail(err, PV_ENOMEM, "no memory for the idempotency record");
    return tx_idempotency_put(tx, &record, err);
}

int core_check_version(const struct core_options *o, uint64_t version, struct pv_err *err)
{
    if (!o || !o->if_version || o->if_version == version)
        return PV_OK;
    return pv_fail_as(err, "precondition-failed", "it is at version %llu by now",
                      (unsigned long long)version);
}

/* ---------------------------------------------------------------- life */

static void tick(void *arg)
{
    struct core *c = arg;
    size_t n;
    struct provider **list = providers_all(c, &n);
    int64_t every = core_missing_grace_ms(c) / 4;

    for (size_t i = 0; i < n && !atomic_load(&c->stopping); i++)
        absence_tick(list[i]);
    providers_release(list, n);
    every = every < 200 ? 200 : every > MINUTE ? MINUTE : every;
    core_later(c, every, tick, c);
}

static void locks_init(struct core *c)
{
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->workers_lock, NULL);
    pthread_mutex_init(&c->tasks_lock, NULL);
    pthread_mutex_init(&c->identity_lock, NULL);
    pthread_mutex_init(&c->usage_lock, NULL);
    pthread_mutex_init(&c->subs_lock, NULL);
    pthread_cond_init(&c->subs_idle, NULL);
}

static void core_free(struct core *c)
{
    while (c->nproviders > 0) {
        struct provider *p = c->providers[--c->nproviders];

        /* Those waiting hold their task, it holds the provider: only this ends the circle. */
        provider_sync_forget(p);
        provider_put(p);
    }
    free(c->providers);
    tasks_free(c);
    table_free(&c->identities);
    table_free(&c->borrowed);
    usage_free(c);
    arena_free(c->arena);
    free(c);
}

static int start(struct core *c, struct pv_err *err)
{
    uint64_t oldest, newest;
    size_t n;
    struct provider **list;
    int rc = kinds_init(c, err);

    if (rc == PV_OK)
        rc = store_event_bounds(c->store, &oldest, &newest, err);
    if (rc == PV_OK)
        atomic_store(&c->event_seq, newest);
    if (rc == PV_OK)
        rc = core_settings_load(c, err);
    if (rc == PV_OK)
        rc = providers_load(c, err);
    if (rc == PV_OK)
        rc = tasks_load(c, err);
    if (rc != PV_OK)
        return rc;
    list = providers_all(c, &n);
    for (size_t i = 0; i < n; i++)
        if (!provider_stopped(list[i]))
            provider_connect(list[i], true);
    providers_release(list, n);
    core_later(c, 1000, tick, c);
    core_later(c, MINUTE, core_retention, c);
    series_start(c);
    days_start(c);
    tasks_go(c);
    expiry_start(c);
    rc = uploads_start(c, err);
    if (rc == PV_OK)
        rc = deliver_start(c, err);
    return rc == PV_OK ? alerts_start(c, err) : rc;
}

int core_start(const struct core_config *config, struct core **out, struct pv_err *err)
{
    struct core *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return pv_fail(err, PV_ENOMEM, "no memory to start");
    c->config = *config;
    c->store = config->store;
    c->drivers = config->drivers;
    id_random(c->hash_key, sizeof(c->hash_key));
    locks_init(c);
    tasks_init(c);
    c->arena = arena_new(65536, 4u << 20);
    c->workers = workers_new("core", WORKERS, 100000);
    if (!c->arena || !c->workers) {
        if (c->workers)
            workers_free(c->workers);
        core_free(c);
        return pv_fail(err, PV_ENOMEM, "no memory to start");
    }
    rc = core_clock_start(c, err);
    if (rc != PV_OK) {
        workers_free(c->workers);
        core_free(c);
        return rc;
    }
    rc = start(c, err);
    if (rc != PV_OK) {
        core_stop(c);
        return rc;
    }
    *out = c;
    return PV_OK;
}

static int nothing(struct store_tx *tx, void *arg, struct pv_err *err)
{
    (void)tx;
    (void)arg;
    (void)err;
    return PV_OK;
}

void core_stop(struct core *c)
{
    struct workers *workers;

    if (!c)
        return;
    atomic_store(&c->stopping, true);
    core_clock_stop(c);
    providers_stop(c);
    pthread_mutex_lock(&c->workers_lock);
    workers = PV_TAKE(c->workers);
    pthread_mutex_unlock(&c->workers_lock);
    workers_free(workers);
    /* The writer thread still has ends of tasks to tell about. */
    while (atomic_load(&c->endings) > 0)
        store_write(c->store, nothing, NULL, NULL);
    waiters_end(c);
    series_stop(c);
    deliver_stop(c);
    alerts_stop(c);
    core_free(c);
}

void core_get_stats(struct core *c, struct core_stats *out)
{
    *out = (struct core_stats){
        .tasks_done = atomic_load(&c->n_done),
        .tasks_failed = atomic_load(&c->n_failed),
        .events = atomic_load(&c->n_events),
        .batches = atomic_load(&c->n_batches),
        .records = atomic_load(&c->n_records),
        .records_dropped = atomic_load(&c->n_dropped),
        .rows_written = atomic_load(&c->n_written),
    };
    tasks_count(c, out);
}
