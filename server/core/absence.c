/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is not there any more: missing after a complete listing, gone when the
 * provider said so or after a long time. A provider that cannot be reached and
 * a listing with holes prove nothing.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

enum verdict { VERDICT_MISSING, VERDICT_GONE, VERDICT_UNCONFIRMED, VERDICT_UNREAD, VERDICT_TELL };

struct verdicts {
    struct provider *provider;
    enum verdict verdict;
    struct inv_entry *entries[CHUNK];
    size_t n;
    char provider_name[NAME_CAP];
    struct event_set events;
};

static void diff_verdict(struct verdicts *v, const struct kind_info *k, struct row_diff *d,
                         int64_t now)
{
    struct model_value value;

    if (v->verdict == VERDICT_UNCONFIRMED || v->verdict == VERDICT_UNREAD) {
        value = value_text(v->verdict == VERDICT_UNREAD ? "not_read" : "no_permission");
        diff_set(d, (unsigned)k->stale_reason, &value);
        return;
    }
    value = value_number(v->verdict == VERDICT_GONE ? PV_PRESENCE_GONE : PV_PRESENCE_MISSING);
    diff_set(d, (unsigned)k->presence, &value);
    if (!model_get(d->row, (unsigned)k->missing_since)->set) {
        value = value_number(now);
        diff_set_quiet(d, (unsigned)k->missing_since, &value);
    }
    /* Not off: nobody can tell. */
    if (k->power_state >= 0) {
        value = value_number(0);
        diff_set(d, (unsigned)k->power_state, &value);
    }
}

static int verdict_row(struct verdicts *v, struct store_tx *tx, const struct inv_entry *e,
                       struct model_row *row, struct pv_err *err)
{
    const struct kind_info *k = &v->provider->core->kinds[e->kind];
    const char *what = v->verdict == VERDICT_GONE ? "gone"
                       : v->verdict == VERDICT_TELL ? "missing"
                                                    : "updated";
    struct arena *a = tx_arena(tx);
    char type[64];
    struct event_draft d = { .type = type, .kind = e->kind, .subject = e->id,
                             .name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "",
                             .provider = v->provider->id, .provider_name = v->provider_name,
                             .severity = v->verdict == VERDICT_TELL ? PV_SEVERITY_WARNING
                                                                    : PV_SEVERITY_INFO,
                             .actor_type = v->verdict == VERDICT_GONE ? PV_ACTOR_TYPE_EXTERNAL
                                                                      : PV_ACTOR_TYPE_SYSTEM };
    struct cause cause = { .type = d.actor_type };
    struct row_diff diff;
    int rc;

    snprintf(type, sizeof(type), "%s.%s", k->kind->name, what);
    if (v->verdict == VERDICT_TELL) {
        d.message = arena_printf(a, "%s is not reported by %s any more", d.name, v->provider_name);
        return events_add(&v->events, tx, &d, err);
    }
    if (v->verdict == VERDICT_GONE) {
        tasks_cause(v->provider->core, &e->id, &cause);
        d.task = cause.task;
        d.actor_type = cause.type;
        d.actor_name = cause.name[0] ? cause.name : NULL;
    }
    rc = diff_init(&diff, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    diff_verdict(v, k, &diff, clock_wall_ms());
    if (diff.n > 0) {
        d.changes = diff_changes(&diff, a);
        rc = diff_write(&diff, tx, k, clock_wall_ms(), &d.object_version, err);
        if (rc == PV_OK)
            rc = events_add(&v->events, tx, &d, err);
    }
    diff_free(&diff);
    return rc;
}

static int verdict_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct verdicts *v = arg;
    int rc = events_begin(&v->events, tx, err);

    for (size_t i = 0; rc == PV_OK && i < v->n; i++) {
        const struct inv_entry *e = v->entries[i];
        const struct kind_info *k = &v->provider->core->kinds[e->kind];
        struct model_row *row;

        rc = tx_rows_get(tx, e->kind, &e->id, 1, false, tx_arena(tx), &row, err);
        if (rc != PV_OK || !row)
            continue;
        /* Another provider has it by now. */
        if (id_eq(&model_get(row, (unsigned)k->provider)->id, &v->provider->id))
            rc = verdict_row(v, tx, e, row, err);
    }
    return rc;
}

static void remember_verdict(struct verdicts *v, struct inv_entry *e)
{
    struct provider *p = v->provider;

    if (v->verdict == VERDICT_TELL) {
        e->missing_told = true;
        return;
    }
    e->content = 0;
    if (v->verdict == VERDICT_UNCONFIRMED || v->verdict == VERDICT_UNREAD) {
        e->unconfirmed = true;
        return;
    }
    if (e->presence == PV_PRESENCE_PRESENT)
        e->missing_since = clock_wall_ms();
    usage_forget(p->core, &e->id);
    inventory_set(p, e, &e->id, v->verdict == VERDICT_GONE ? PV_PRESENCE_GONE : PV_PRESENCE_MISSING);
    identity_absent(p, e);
}

static int flush(struct verdicts *v, struct pv_err *err)
{
    int rc = PV_OK;

    /* What another provider still reports is not absent: it is only not ours any more. */
    if (v->verdict == VERDICT_MISSING || v->verdict == VERDICT_GONE)
        rc = shared_leave(v->provider, v->entries, &v->n, err);
    if (rc != PV_OK || v->n == 0)
        return rc;
    rc = store_write(v->provider->core->store, verdict_tx, v, err);
    for (size_t i = 0; rc == PV_OK && i < v->n; i++)
        remember_verdict(v, v->entries[i]);
    v->n = 0;
    return rc;
}

static struct verdicts *verdicts_new(struct provider *p, enum verdict verdict)
{
    struct verdicts *v = calloc(1, sizeof(*v));

    if (!v)
        return NULL;
    v->provider = p;
    v->verdict = verdict;
    provider_copy_name(p, v->provider_name, sizeof(v->provider_name));
    events_init(&v->events, p->core);
    return v;
}

static void verdicts_free(struct verdicts *v)
{
    events_free(&v->events);
    free(v);
}

/* All entries for which `wanted` holds; collected first, because a verdict may change the tables. */
static int judge_all(struct provider *p, enum verdict verdict,
                     bool (*wanted)(const struct provider *p, const struct inv_entry *e),
                     struct pv_err *err)
{
    struct verdicts *v = verdicts_new(p, verdict);
    PV_AUTO_FREE struct pv_id *ids = NULL;
    size_t n = 0, cap = 0;
    int rc = PV_OK;

    if (!v)
        return pv_fail(err, PV_ENOMEM, "no memory to look for absent objects");
    for (size_t i = 0; rc == PV_OK && i < p->inv.by_id.cap; i++) {
        const struct inv_entry *e = p->inv.by_id.slots[i].item;

        if (!e || !wanted(p, e))
            continue;
        if (n == cap) {
            struct pv_id *more = realloc(ids, (cap ? cap * 2 : 64) * sizeof(*ids));

            if (!more) {
                rc = pv_fail(err, PV_ENOMEM, "no memory to look for absent objects");
                break;
            }
            ids = more;
            cap = cap ? cap * 2 : 64;
        }
        ids[n++] = e->id;
    }
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        struct inv_entry *e = inventory_find_id(p, &ids[i]);

        if (!e || !wanted(p, e))
            continue;
        v->entries[v->n++] = e;
        if (v->n == CHUNK)
            rc = flush(v, err);
    }
    if (rc == PV_OK)
        rc = flush(v, err);
    verdicts_free(v);
    return rc;
}

static bool unseen(const struct provider *p, const struct inv_entry *e)
{
    return e->presence == PV_PRESENCE_PRESENT && e->seen != p->inv.generation;
}

static bool unseen_and_unmarked(const struct provider *p, const struct inv_entry *e)
{
    return unseen(p, e) && !e->unconfirmed;
}

int absence_after_listing(struct provider *p, bool complete, struct pv_err *err)
{
    return complete ? judge_all(p, VERDICT_MISSING, unseen, err)
                    : judge_all(p, VERDICT_UNCONFIRMED, unseen_and_unmarked, err);
}

int absence_gone(struct provider *p, struct inv_entry **entries, size_t n, struct pv_err *err)
{
    struct verdicts *v = verdicts_new(p, VERDICT_GONE);
    int rc = PV_OK;

    if (!v)
        return pv_fail(err, PV_ENOMEM, "no memory for absent objects");
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        if (entries[i]->presence == PV_PRESENCE_GONE)
            continue;
        v->entries[v->n++] = entries[i];
        if (v->n == CHUNK)
            rc = flush(v, err);
    }
    if (rc == PV_OK)
        rc = flush(v, err);
    verdicts_free(v);
    return rc;
}

int absence_unread(struct provider *p, struct inv_entry *e, struct pv_err *err)
{
    struct verdicts *v = verdicts_new(p, VERDICT_UNREAD);
    int rc = PV_OK;

    if (!v)
        return pv_fail(err, PV_ENOMEM, "no memory for an object that could not be read");
    if (e->presence == PV_PRESENCE_PRESENT) {
        v->entries[v->n++] = e;
        rc = flush(v, err);
    }
    verdicts_free(v);
    return rc;
}

static bool long_missing(const struct provider *p, const struct inv_entry *e)
{
    return e->presence == PV_PRESENCE_MISSING && !e->missing_told &&
           clock_wall_ms() - e->missing_since >= core_missing_grace_ms(p->core);
}

static bool given_up(const struct provider *p, const struct inv_entry *e)
{
    return e->presence == PV_PRESENCE_MISSING &&
           clock_wall_ms() - e->missing_since >= core_gone_after_ms(p->core);
}

void absence_tick(struct provider *p)
{
    struct pv_err err = { 0 };
    int rc = PV_OK;

    pthread_mutex_lock(&p->apply_lock);
    if (p->inv.loaded)
        rc = judge_all(p, VERDICT_TELL, long_missing, &err);
    if (rc == PV_OK && p->inv.loaded)
        rc = judge_all(p, VERDICT_GONE, given_up, &err);
    pthread_mutex_unlock(&p->apply_lock);
    if (rc != PV_OK)
        log_msg(PV_LOG_ERROR, "inventory.absence", "%s", err.message);
}
