/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether rules of clusters are kept: found from where the VMs they are about run, because that
 * changes more often than hypervisors tell. What is off or has no host breaks nothing.
 */
#include "server/core/alert_inner.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/balance.h"

#define RULES_AT_ONCE 128u

struct look {
    struct core *core;
    struct arena *arena;
    struct model_row **rules;   /* whole rows, with the transaction's memory */
    size_t n;
    struct pv_id ids[RULES_AT_ONCE];
    struct event_set events;
};

/* Where the VMs of a list run; those that are gone or away are left out. */
static int read_vms(struct store_tx *tx, const struct model_value *refs, struct arena *a, struct rule_vm *out, size_t *n,
                    struct pv_err *err)
{
    size_t count = refs->set ? refs->len : 0;
    struct pv_id *ids = arena_alloc(a, (count + 1) * sizeof(*ids));
    struct model_row **rows = arena_alloc(a, (count + 1) * sizeof(*rows));
    int rc;

    *n = 0;
    if (!ids || !rows)
        return pv_fail(err, PV_ENOMEM, "no memory for the VMs of a rule");
    for (size_t i = 0; i < count; i++)
        ids[i] = refs->refs[i].id;
    rc = count ? tx_rows_get(tx, PV_KIND_vm, ids, count, false, a, rows, err) : PV_OK;
    for (size_t i = 0; rc == PV_OK && i < count; i++) {
        const struct model_value *host = rows[i] ? model_get(rows[i], F(vm, host)) : NULL;

        if (!host || !host->set || model_number(rows[i], F(vm, presence)) != PV_PRESENCE_PRESENT ||
            (model_number(rows[i], F(vm, power_state)) != PV_POWER_STATE_RUNNING &&
             model_number(rows[i], F(vm, power_state)) != PV_POWER_STATE_PAUSED))
            continue;
        out[(*n)++] = (struct rule_vm){ .id = ids[i], .host = host->id };
    }
    return rc;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct model_ref *)a)->id.b, ((const struct model_ref *)b)->id.b, 16);
}

/* What the rule's row should say. */
static int judge(struct store_tx *tx, const struct model_row *row, struct arena *a, struct model_value *state,
                 struct model_value *broken_by, struct pv_err *err)
{
    const struct model_value *vms = model_get(row, F(cluster_rule, vms)), *hosts = model_get(row, F(cluster_rule, hosts));
    struct rule_vm *at = arena_alloc(a, ((vms->set ? vms->len : 0) + 1) * sizeof(*at));
    struct model_ref *bad = arena_alloc(a, ((vms->set ? vms->len : 0) + 1) * sizeof(*bad));
    struct pv_id *on = arena_alloc(a, ((hosts->set ? hosts->len : 0) + 1) * sizeof(*on));
    struct rule_look r = { .type = (enum pv_rule_type)model_number(row, F(cluster_rule, rule_type)),
                           .placement = (enum pv_rule_placement)model_number(row, F(cluster_rule, placement)) };
    size_t n = 0;
    int rc;

    if (!at || !bad || !on)
        return pv_fail(err, PV_ENOMEM, "no memory to look at a rule");
    rc = read_vms(tx, vms, a, at, &r.nvms, err);
    for (size_t i = 0; hosts->set && i < hosts->len; i++)
        on[r.nhosts++] = hosts->refs[i].id;
    r.vms = at;
    r.hosts = on;
    if (rc != PV_OK)
        return rc;
    if (!model_number(row, F(cluster_rule, enabled))) {
        *state = value_number(PV_RULE_STATE_OFF);
    } else if (!rule_judged(&r)) {
        const struct model_value *said = model_get(row, F(cluster_rule, in_compliance));

        *state = value_number(!said->set       ? PV_RULE_STATE_UNKNOWN
                              : said->number ? PV_RULE_STATE_KEPT
                                             : PV_RULE_STATE_VIOLATED);
    } else {
        for (size_t i = 0; i < r.nvms; i++)
            if (rule_breaks(&r, i))
                bad[n++] = (struct model_ref){ .id = at[i].id };
        *state = value_number(n ? PV_RULE_STATE_VIOLATED : PV_RULE_STATE_KEPT);
    }
    qsort(bad, n, sizeof(*bad), by_id);
    *broken_by = (struct model_value){ .set = true, .refs = bad, .len = n };
    return PV_OK;
}

static int tell(struct look *l, struct store_tx *tx, const struct model_row *row, uint64_t version, const char *changes,
                struct pv_err *err)
{
    struct event_draft e = { .type = "cluster_rule.updated", .kind = PV_KIND_cluster_rule, .subject = row->id,
                             .name = model_text(row, F(cluster_rule, name)),
                             .provider = model_get(row, F(cluster_rule, provider))->id, .object_version = version,
                             .changes = changes, .actor_type = PV_ACTOR_TYPE_SYSTEM };

    return events_add(&l->events, tx, &e, err);
}

static int look_at(struct look *l, struct store_tx *tx, struct model_row *row, struct pv_err *err)
{
    const struct kind_info *k = &l->core->kinds[PV_KIND_cluster_rule];
    struct arena *a = tx_arena(tx);
    struct model_value state, broken_by;
    struct row_diff d;
    uint64_t version;
    int rc = judge(tx, row, a, &state, &broken_by, err);

    if (rc == PV_OK)
        rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    diff_set(&d, F(cluster_rule, state), &state);
    diff_set(&d, F(cluster_rule, broken_by), &broken_by);
    if (d.n > 0) {
        const char *changes = diff_changes(&d, a);

        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
        if (rc == PV_OK)
            rc = tell(l, tx, row, version, changes, err);
    }
    diff_free(&d);
    return rc;
}

static int look_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct look *l = arg;
    struct arena *a = tx_arena(tx);
    struct model_row **rows = arena_alloc(a, (l->n + 1) * sizeof(*rows));
    int rc = events_begin(&l->events, tx, err);

    if (!rows)
        return pv_fail(err, PV_ENOMEM, "no memory for rules");
    if (rc == PV_OK)
        rc = tx_rows_get(tx, PV_KIND_cluster_rule, l->ids, l->n, false, a, rows, err);
    for (size_t i = 0; i < l->n && rc == PV_OK; i++)
        if (rows[i])
            rc = look_at(l, tx, rows[i], err);
    return rc;
}

static int note_id(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct look *l = ctx;

    (void)err;
    l->ids[l->n++] = row->id;
    return PV_OK;
}

static int look_at_all(struct core *c, struct arena *arena, struct pv_err *err)
{
    struct store_query q = { .limit = RULES_AT_ONCE };
    struct store_position at = { .len = 0 };
    int rc = model_shape_make(model_kind(PV_KIND_cluster_rule), "id", MODEL_VIEW_FULL, arena, &q.shape, err);

    do {
        struct look *l = arena_alloc(arena, sizeof(*l));
        struct store_position last = { .len = 0 };

        if (rc != PV_OK || !l)
            return rc != PV_OK ? rc : pv_fail(err, PV_ENOMEM, "no memory for rules");
        *l = (struct look){ .core = c };
        rc = store_list(c->store, &q, note_id, l, &last, err);
        events_init(&l->events, c);
        if (rc == PV_OK && l->n > 0)
            rc = store_write(c->store, look_tx, l, err);
        events_free(&l->events);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

void cluster_rules_look(struct core *c)
{
    uint64_t changes = store_kind_changes(c->store, PV_KIND_vm) + store_kind_changes(c->store, PV_KIND_cluster_rule);
    PV_AUTO(arena_free_p) struct arena *arena = NULL;
    struct pv_err err = { 0 };

    if (changes == c->rules_changes)
        return;
    arena = arena_new(1u << 14, 16u << 20);
    if (!arena || look_at_all(c, arena, &err) != PV_OK) {
        log_msg(PV_LOG_WARN, "cluster_rules", "%s", err.message);
        return;
    }
    /* What was written here changed rules, too: counting that as looked at would miss what others wrote meanwhile. */
    c->rules_changes = changes;
}
