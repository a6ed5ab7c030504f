/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the provider itself, kept beside ours with who caused them.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#include "drivers/sdk/check.h"

#define REMEMBERED 1000         /* of what is stored, after a start */

struct keep {
    struct provider *provider;
    const struct sdk_batch *batch;
    uint32_t records[CHUNK];
    struct inv_entry *subjects[CHUNK];
    size_t n;
    char provider_name[NAME_CAP];
    struct event_set events;
};

static const char *text_of(const struct keep *k, uint32_t i, unsigned slot)
{
    return sdk_record_text(k->batch, i, slot, NULL);
}

/* What the subject is called: the inventory in memory has no names. NULL: not known. */
static int name_of(struct store_tx *tx, const struct inv_entry *e, const char **out,
                   struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    const struct model_field *field = model_field(model_kind(e->kind), "name", 4);
    struct model_row *row = NULL;
    int rc = PV_OK;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for a name");
    if (field)
        rc = tx_rows_get(tx, e->kind, &e->id, 1, false, a, &row, err);
    if (rc == PV_OK)
        *out = row ? arena_strdup(tx_arena(tx), model_text(row, field->index)) : NULL;
    return rc;
}

static int keep_one(struct keep *k, struct store_tx *tx, uint32_t i, const struct inv_entry *subject,
                    struct pv_err *err)
{
    const char *type = text_of(k, i, PV_SLOT(event, type));
    struct event_draft d = {
        .type = type && type[0] ? type : "provider.event",
        .severity = (enum pv_severity)sdk_record_number(k->batch, i, PV_SLOT(event, severity)),
        .provider = k->provider->id,
        .provider_name = k->provider_name,
        .actor_type = PV_ACTOR_TYPE_EXTERNAL,
        .actor_name = text_of(k, i, PV_SLOT(event, actor_name)),
        .message = text_of(k, i, PV_SLOT(event, message)),
        .native_type = text_of(k, i, PV_SLOT(event, native_type)),
        .native_id = sdk_record_native_id(k->batch, i),
        .time_ms = sdk_record_number(k->batch, i, PV_SLOT(event, time)),
        .native_kind = (uint64_t)sdk_record_number(k->batch, i, PV_SLOT(event, subject_kind)),
        .native_subject = text_of(k, i, PV_SLOT(event, subject_native_id)),
    };
    char native_id[129];

    str_copy(native_id, sizeof(native_id), d.native_id);
    d.native_id = arena_strdup(tx_arena(tx), native_id);
    if (subject) {
        int rc = name_of(tx, subject, &d.name, err);

        if (rc != PV_OK)
            return rc;
        d.kind = subject->kind;
        d.subject = subject->id;
    }
    return events_add(&k->events, tx, &d, err);
}

static int keep_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct keep *k = arg;
    int rc = events_begin(&k->events, tx, err);

    for (size_t i = 0; rc == PV_OK && i < k->n; i++)
        rc = keep_one(k, tx, k->records[i], k->subjects[i], err);
    return rc;
}

static void remember(struct provider *p, const char *native_id)
{
    p->inv.event_ring[p->inv.event_at++ % EVENT_RING] = core_hash(p->core, native_id, strlen(native_id));
}

static int remember_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    (void)err;
    if (model_text(row, F(event, native_id))[0])
        remember(ctx, model_text(row, F(event, native_id)));
    return PV_OK;
}

/* The newest that are stored: a feed that is taken up again after a restart tells the last ones once more. */
static void remember_stored(struct provider *p)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    struct store_sort newest = { .field = F(event, seq), .descending = true };
    struct store_query q = { .limit = REMEMBERED, .sort = &newest, .nsort = 1 };
    char id[PV_ID_TEXT];

    p->inv.events_known = true;
    model_id_text(PV_KIND_provider, &p->id, id);
    if (!a || model_shape_make(model_kind(PV_KIND_event), "native.id", MODEL_VIEW_SUMMARY, a, &q.shape, NULL) != PV_OK ||
        filter_equals(model_kind(PV_KIND_event), "provider", id, 0, a, &q.filter, NULL) != PV_OK ||
        store_list(p->core->store, &q, remember_row, p, NULL, NULL) != PV_OK)
        log_msg(PV_LOG_WARN, "events.known", "the newest events of a provider could not be read");
}

/* A feed that was taken up again may tell the last ones twice. */
static bool seen_before(struct provider *p, const char *native_id)
{
    uint64_t hash = core_hash(p->core, native_id, strlen(native_id));

    if (!p->inv.events_known)
        remember_stored(p);

    for (size_t i = 0; i < EVENT_RING; i++)
        if (p->inv.event_ring[i] == hash)
            return true;
    remember(p, native_id);
    return false;
}

int native_events_apply(struct provider *p, const struct sdk_batch *b, struct pv_err *err)
{
    struct keep *k = calloc(1, sizeof(*k));
    int rc = PV_OK;

    if (!k)
        return pv_fail(err, PV_ENOMEM, "no memory for events");
    k->provider = p;
    k->batch = b;
    provider_copy_name(p, k->provider_name, sizeof(k->provider_name));
    events_init(&k->events, p->core);
    for (uint32_t i = 0; rc == PV_OK && i < b->count; i++) {
        const char *subject = sdk_record_text(b, i, PV_SLOT(event, subject_native_id), NULL);
        int64_t kind = sdk_record_number(b, i, PV_SLOT(event, subject_kind));

        if (seen_before(p, sdk_record_native_id(b, i)))
            continue;
        k->records[k->n] = i;
        k->subjects[k->n] = subject && kind > 0 && kind < KINDS
                                ? inventory_find(p, (enum pv_kind)kind, subject, strlen(subject))
                                : NULL;
        if (++k->n == CHUNK) {
            rc = store_write(p->core->store, keep_tx, k, err);
            k->n = 0;
        }
    }
    if (rc == PV_OK && k->n > 0)
        rc = store_write(p->core->store, keep_tx, k, err);
    events_free(&k->events);
    free(k);
    return rc;
}
