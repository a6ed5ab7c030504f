/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation on many objects. What the rehearsal calls skipped is what is skipped: both come
 * from the same judgement.
 */
#include "server/core/args.h"
#include "server/core/bulk.h"

#include <stdlib.h>
#include <string.h>

#define TARGETS_MAX 10000
#define PARALLEL 32
#define PARALLEL_PROVIDER 8
#define FINDINGS_MAX 1000

struct selected {
    struct pv_id *ids;
    size_t n;
};

static int select_one(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct selected *s = ctx;

    if (s->n == TARGETS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a bulk task has at most %d targets", TARGETS_MAX);
    s->ids[s->n++] = row->id;
    return PV_OK;
}

static int select_targets(struct core *c, const struct core_actor *by,
                          const struct core_bulk_request *q, struct selected *out, struct arena *a,
                          struct pv_err *err)
{
    const struct kind_info *k = &c->kinds[q->operation->kind];
    struct store_query sq = { .shape = k->shape,
                              .filter = q->selector,
                              .limit = 1000,
                              .access = by ? by->rights.eyes : NULL };
    struct store_position at = { .len = 0 };
    int rc = PV_OK;

    out->ids = arena_alloc(a, TARGETS_MAX * sizeof(*out->ids));
    out->n = 0;
    if (!out->ids || !k->shape)
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    if (q->ntargets > TARGETS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a bulk task has at most %d targets", TARGETS_MAX);
    for (size_t i = 0; i < q->ntargets; i++) {
        bool twice = false;

        /* Long lists are given by selectors; a target named twice is one target. */
        for (size_t n = 0; n < out->n && !twice; n++)
            twice = id_eq(&out->ids[n], &q->targets[i]);
        if (!twice)
            out->ids[out->n++] = q->targets[i];
    }
    if (q->ntargets > 0)
        return PV_OK;
    if (q->expected_count < 0 && !q->confirm) {
        rc = pv_fail(err, PV_EINVAL, "a selector needs expected_count, or confirm");
        pv_err_pointer(err, "/expected_count");
        return rc;
    }
    do {
        struct store_position last = { .len = 0 };

        sq.after = at.len ? &at : NULL;
        rc = store_list(c->store, &sq, select_one, out, &last, err);
        at = last;
    } while (rc == PV_OK && at.len > 0);
    if (rc == PV_OK && q->expected_count >= 0 && (size_t)q->expected_count != out->n) {
        rc = pv_fail_as(err, "conflict", "the selector finds %zu objects, not %lld", out->n,
                        (long long)q->expected_count);
        pv_err_pointer(err, "/expected_count");
    }
    return rc;
}

/* Objects that parameters name must be of the child's provider, too. */
static int check_refs(struct core *c, const struct core_bulk_request *q, const struct subject *s,
                      struct pv_err *why)
{
    json_t *args;
    int rc = args_resolve(c, q->operation, s->provider, q->params, &args, NULL, why);

    if (rc == PV_OK)
        json_decref(args);
    return rc;
}

/* One target as a child: born queued, or final with the reason. */
static int make_child(struct bulk_submit *s, const struct core_actor *by,
                      const struct core_bulk_request *q, const struct pv_id *id,
                      struct bulk_child *out, struct pv_id *lock, struct arena *a,
                      struct pv_err *why)
{
    struct core *c = s->core;
    struct subject subject = { .name = "", .native_id = "", .owner_native_id = "" };
    PV_AUTO(arena_free_p) struct arena *scratch = arena_new(8192, 4u << 20);
    enum pv_task_state state = PV_TASK_STATE_QUEUED;
    bool no_op = false, busy = object_is_busy(c, id);
    int rc;

    if (!scratch)
        return PV_ENOMEM;
    rc = bulk_allowed(c, by, q->operation, id, why);
    if (rc == PV_OK)
        rc = subject_load(c, q->operation, q->operation->kind, id, scratch, &subject, why);
    if (rc == PV_OK)
        rc = subject_check(c, q->operation, &subject, q->params, scratch, &no_op, why);
    if (rc == PV_OK && q->operation->params)
        rc = check_refs(c, q, &subject, why);
    if (rc == PV_OK && !no_op && subject_lacks_tools(q->operation, &subject)) {
        rc = pv_fail_as(why, "vm-invalid-state", "the guest's tools are not running");
        pv_err_needs(why, "guest tools");
    }
    if (rc == PV_ENOMEM) {
        subject_free(&subject);
        return rc;
    }
    if (rc != PV_OK)
        state = PV_TASK_STATE_SKIPPED;
    else if (no_op && !busy)
        state = PV_TASK_STATE_SUCCEEDED;
    *lock = subject.row ? subject.lock : *id;
    rc = bulk_make_child(s, by, q->operation, &subject, id, q->params, state, busy, why, a, out);
    subject_free(&subject);
    return rc;
}

/* The lists are of the first thousand; the numbers are of all. */
static void answer_plan(struct bulk_submit *s, json_t *plan, json_t *findings, core_json_fn done,
                        void *ctx)
{
    struct bulk *b = s->parent->bulk;
    unsigned change = b->total - b->succeeded - b->skipped;
    json_t *json = json_pack("{s:b, s:b, s:i, s:{s:i, s:i, s:i}, s:O, s:O}", "ok", b->skipped == 0,
                             "changed", change > 0, "count", (int)b->total, "counts", "change",
                             (int)change, "unchanged", (int)b->succeeded, "skipped",
                             (int)b->skipped, "findings", findings, "plan", plan);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    struct pv_err err = { 0 };

    if (text)
        done(ctx, PV_OK, text, NULL);
    else
        done(ctx, pv_fail(&err, PV_ENOMEM, "no memory for the plan"), NULL, &err);
    free(text);
    json_decref(json);
}

/* Why there is nothing to do for it, where the operation can say so. */
static json_t *unchanged(const struct model_operation *op)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o*}", "id", "unchanged", "severity", "info", "title",
                     "Nothing to do", "detail", op->goal_is, "remedy", "", "detail_text",
                     core_text_json(op->goal_is));
}

static void plan_child(const struct bulk_child *child, const struct pv_err *why,
                       const struct core_bulk_request *q, json_t *plan, json_t *findings)
{
    struct task *t = child->task;
    struct subject s = { .name = t->name, .power = t->before, .has_power = t->kind == PV_KIND_vm };
    char id[PV_ID_TEXT];
    json_t *f;

    if (t->state == PV_TASK_STATE_QUEUED && json_array_size(plan) < FINDINGS_MAX)
        json_array_append_new(plan, plan_entry(q->operation, t->kind, &t->subject, &s, q->params));
    if (json_array_size(findings) >= FINDINGS_MAX)
        return;
    if (t->state == PV_TASK_STATE_SUCCEEDED && q->operation->goal_is)
        f = unchanged(q->operation);
    else if (t->state == PV_TASK_STATE_SKIPPED)
        f = finding(NULL, "warn", why);
    else
        return;
    model_id_text(t->kind, &t->subject, id);
    json_object_set_new(
        f, "ref",
        json_pack("{s:s, s:s, s:s}", "kind", model_kind(t->kind)->name, "id", id, "name", t->name));
    json_array_append_new(findings, f);
}

static int make_parent(struct bulk_submit *s, const struct core_actor *by,
                       const struct core_bulk_request *q, struct arena *a, struct pv_err *err)
{
    struct bulk like = { .max_parallel = q->max_parallel ? q->max_parallel : PARALLEL,
                         .per_provider = q->per_provider ? q->per_provider : PARALLEL_PROVIDER,
                         .stop_on_error = q->stop_on_error };
    json_t *params =
        json_pack("{s:i, s:i, s:b, s:O?}", "max_parallel", (int)like.max_parallel, "per_provider",
                  (int)like.per_provider, "stop_on_error", like.stop_on_error, "params", q->params);

    return bulk_make_parent(s, by, q->operation, PV_KIND_NONE, NULL, &like, params, a, err);
}

int core_bulk_submit(struct core *c, const struct core_actor *by,
                     const struct core_bulk_request *asked, const struct core_options *o,
                     struct pv_id *task, core_json_fn done, void *ctx, struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *params = args_complete(asked->operation->params, asked->params);
    struct core_bulk_request wish = *asked;
    const struct core_bulk_request *q = &wish;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 256u << 20);
    PV_AUTO(json_decref_p) json_t *plan = json_array(), *findings = json_array();
    struct bulk_submit s = { .core = c, .options = o };
    struct selected targets = { 0 };
    struct pv_id *locks = NULL;
    struct pv_err why = { 0 };
    bool dry = o && o->dry_run;
    int rc;

    if (!a || !params)
        return pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    /* Without parameters none are stored. */
    wish.params = asked->params || json_object_size(params) > 0 ? params : NULL;
    if (q->operation->kind == PV_KIND_NONE || (q->operation->core && !q->operation->own) ||
        q->operation->place || q->operation->live) {
        rc = pv_fail(err, PV_EINVAL, "%s cannot be done in bulk", q->operation->name);
        pv_err_pointer(err, "/action");
        return rc;
    }
    rc = select_targets(c, by, q, &targets, a, err);
    if (rc == PV_OK && q->operation->params) {
        PV_AUTO(json_decref_p) json_t *empty = json_object();

        rc =
            model_params_check(q->operation->params, q->params ? q->params : empty, "/params", err);
    }
    if (rc == PV_OK)
        rc = make_parent(&s, by, q, a, err);
    if (rc == PV_OK) {
        s.children = arena_alloc(a, (targets.n + 1) * sizeof(*s.children));
        locks = arena_alloc(a, (targets.n + 1) * sizeof(*locks));
        if (!s.children || !locks)
            rc = pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
    }
    for (size_t i = 0; rc == PV_OK && i < targets.n; i++) {
        memset(&why, 0, sizeof(why));
        s.children[i] = (struct bulk_child){ .task = NULL };
        s.n = i + 1;
        if (make_child(&s, by, q, &targets.ids[i], &s.children[i], &locks[i], a, &why) != PV_OK)
            rc = pv_fail(err, PV_ENOMEM, "no memory for a bulk task");
        if (rc == PV_OK && dry)
            plan_child(&s.children[i], &why, q, plan, findings);
    }
    if (rc == PV_OK && dry)
        answer_plan(&s, plan, findings, done, ctx);
    else if (rc == PV_OK)
        rc = bulk_accept(&s, locks, a, err);
    if (rc == PV_OK && !dry) {
        *task = s.parent->id;
        bulk_begin(&s);
    }
    bulk_submit_free(&s);
    return rc;
}
