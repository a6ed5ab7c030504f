/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to objects that have not been reported yet: kept, and tried
 * again at the next mark.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

bool references_add(struct provider *p, enum pv_kind kind, const struct pv_id *id, uint16_t field,
                    const struct pv_id *owner, uint64_t content, const char *text, size_t len)
{
    struct inv_pending *r;

    if (p->inv.npending >= PENDING_MAX)
        return false;
    r = calloc(1, sizeof(*r) + len + 1);
    if (!r)
        return false;
    r->kind = kind;
    r->id = *id;
    r->field = field;
    r->content = content;
    if (owner)
        r->owner = *owner;
    memcpy(r->text, text, len);
    r->next = p->inv.pending;
    p->inv.pending = r;
    p->inv.npending++;
    return true;
}

struct retry {
    struct provider *provider;
    struct inv_pending *items[CHUNK];
    bool done[CHUNK];               /* nothing is open any more */
    size_t n;
    bool quiet;
    char provider_name[NAME_CAP];
    struct event_set events;
};

static struct model_value resolve_all(struct provider *p, const struct inv_pending *r,
                                      struct arena *a, bool *open)
{
    const struct model_field *f = &model_kind(r->kind)->fields[r->field];
    struct model_value v = value_null();
    const struct inv_entry *e;
    const char *pos = r->text, *item;
    size_t n = 0, kept = 0, len;
    struct model_ref *refs;

    if (f->type == MODEL_REF) {
        e = inventory_find(p, f->ref, r->text, strlen(r->text));
        *open = e == NULL;
        return e ? value_ref(&e->id) : v;
    }
    while (sdk_list_next(&pos, &item, &len))
        n++;
    refs = arena_alloc(a, (n + 1) * sizeof(*refs));
    v = (struct model_value){ .set = true, .refs = refs };
    *open = !refs;
    for (pos = r->text; refs && sdk_list_next(&pos, &item, &len);) {
        e = inventory_find(p, f->ref, item, len);
        if (!e) {
            *open = true;
            continue;
        }
        /* Sorted and each once: lists are short, insertion is enough. */
        for (n = kept; n > 0 && memcmp(refs[n - 1].id.b, e->id.b, 16) > 0; n--)
            ;
        if (n > 0 && id_eq(&refs[n - 1].id, &e->id))
            continue;
        memmove(&refs[n + 1], &refs[n], (kept - n) * sizeof(*refs));
        refs[n] = (struct model_ref){ .id = e->id };
        kept++;
    }
    v.len = kept;
    return v;
}

static int tell(struct retry *t, struct store_tx *tx, const struct kind_info *k,
                const struct model_row *row, uint64_t version, const char *changes,
                struct pv_err *err)
{
    char type[64];
    struct event_draft d = { .type = type, .kind = k->kind->number, .subject = row->id,
                             .name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "",
                             .provider = t->provider->id, .provider_name = t->provider_name,
                             .object_version = version, .changes = changes,
                             .actor_type = PV_ACTOR_TYPE_EXTERNAL };

    snprintf(type, sizeof(type), "%s.updated", k->kind->name);
    return events_add(&t->events, tx, &d, err);
}

static int retry_one(struct retry *t, struct store_tx *tx, size_t i, struct pv_err *err)
{
    const struct inv_pending *r = t->items[i];
    const struct kind_info *k = &t->provider->core->kinds[r->kind];
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    struct row_diff d;
    struct model_value v;
    uint64_t version;
    bool open = false;
    int rc = tx_rows_get(tx, r->kind, &r->id, 1, false, a, &row, err);

    if (rc != PV_OK)
        return rc;
    if (!row) {
        t->done[i] = true;
        return PV_OK;
    }
    v = resolve_all(t->provider, r, a, &open);
    if (v.set && model_kind(r->kind)->fields[r->field].type == MODEL_REFS) {
        const struct inv_entry *e =
            inventory_find_id(t->provider, k->child >= 0 ? &r->owner : &r->id);

        if (e && e->shared)
            shared_merge(t->provider, model_get(row, r->field), &v, a);
    }
    t->done[i] = !open;
    if (open && !v.set)
        return PV_OK;
    rc = diff_init(&d, row, !t->quiet, a, err);
    if (rc != PV_OK)
        return rc;
    diff_set(&d, r->field, &v);
    if (d.n > 0) {
        const char *changes = diff_changes(&d, a);

        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
        if (rc == PV_OK && !t->quiet && k->child < 0)
            rc = tell(t, tx, k, row, version, changes, err);
    }
    diff_free(&d);
    return rc;
}

static int retry_chunk(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct retry *t = arg;
    int rc = events_begin(&t->events, tx, err);

    for (size_t i = 0; rc == PV_OK && i < t->n; i++)
        rc = retry_one(t, tx, i, err);
    return rc;
}

/* The object has been reported anew since: what it says now was looked at then. */
static bool outdated(struct provider *p, const struct inv_pending *r)
{
    const struct kind_info *k = &p->core->kinds[r->kind];
    const struct inv_entry *e = inventory_find_id(p, k->child >= 0 ? &r->owner : &r->id);

    if (!e)
        return true;
    if (k->child >= 0)
        return !e->kids || e->kids[k->child].hash != r->content;
    return e->content != r->content;
}

/* Its target was never reported: the next full listing looks at the object again. */
static void give_up(struct provider *p, const struct inv_pending *r)
{
    const struct kind_info *k = &p->core->kinds[r->kind];
    struct inv_entry *e = inventory_find_id(p, k->child >= 0 ? &r->owner : &r->id);

    if (e && k->child >= 0 && e->kids)
        e->kids[k->child].hash = 0;
    else if (e)
        e->content = 0;
}

/* Something it names is known by now? Looking costs nothing, writing does. */
static bool promising(struct provider *p, const struct inv_pending *r)
{
    const struct model_field *f = &model_kind(r->kind)->fields[r->field];
    const char *pos = r->text, *item;
    size_t len;

    if (f->type == MODEL_REF)
        return inventory_find(p, f->ref, r->text, strlen(r->text)) != NULL;
    while (sdk_list_next(&pos, &item, &len))
        if (!inventory_find(p, f->ref, item, len))
            return false;
    return true;
}

int references_retry(struct provider *p, bool last_chance, struct pv_err *err)
{
    struct retry *t = calloc(1, sizeof(*t));
    struct inv_pending *list = p->inv.pending, *open = NULL;
    size_t nopen = 0;
    int rc = PV_OK;

    if (!t)
        return pv_fail(err, PV_ENOMEM, "no memory to resolve references");
    p->inv.pending = NULL;
    t->provider = p;
    t->quiet = p->first_import;
    provider_copy_name(p, t->provider_name, sizeof(t->provider_name));
    events_init(&t->events, p->core);
    while (list) {
        for (t->n = 0; list && t->n < CHUNK;) {
            struct inv_pending *r = list;

            list = r->next;
            if (outdated(p, r)) {
                free(r);
                continue;
            }
            if (last_chance || promising(p, r)) {
                t->items[t->n++] = r;
            } else {
                r->next = open;
                open = r;
                nopen++;
            }
        }
        if (rc == PV_OK && t->n > 0)
            rc = store_write(p->core->store, retry_chunk, t, err);
        for (size_t i = 0; i < t->n; i++) {
            struct inv_pending *r = t->items[i];

            if (rc == PV_OK && (t->done[i] || last_chance)) {
                if (!t->done[i]) {
                    give_up(p, r);
                    if (p->inv.faults_logged++ < 20)
                        log_msg(PV_LOG_WARN, "driver.fault",
                                "provider=%s a %s refers to an object that was never reported: %.80s",
                                t->provider_name, model_kind(r->kind)->name, r->text);
                }
                free(r);
            } else {
                r->next = open;
                open = r;
                nopen++;
            }
        }
    }
    p->inv.pending = open;
    p->inv.npending = nopen;
    events_free(&t->events);
    free(t);
    return rc;
}
