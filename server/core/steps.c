/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several steps on one VM as one task: all are judged before the first begins, one follows the
 * other, and the first that fails is the last.
 */
#include "server/core/args.h"
#include "server/core/bulk.h"

#include <stdlib.h>
#include <string.h>

struct judged {
    struct subject subject;
    json_t *params; /* complete, or NULL: none */
    bool no_op, busy;
};

/* Whose fault it is stands in the pointer: /steps/2/params/cpu. */
static int of_step(struct pv_err *err, size_t i, int rc)
{
    char within[sizeof(err->pointer)];

    str_copy(within, sizeof(within), err->pointer);
    pv_err_pointer(err, "/steps/%zu%s%s", i, within[0] && within[0] != '/' ? "/" : "", within);
    return rc;
}

static int check_operation(const struct core_step *step, struct pv_err *err)
{
    const struct model_operation *op = step->operation;

    if (op->kind == PV_KIND_NONE || op->core || op->place || op->live)
        return pv_fail(err, PV_EINVAL, "%s cannot be a step", op->name);
    return PV_OK;
}

static int judge(struct core *c, const struct core_actor *by, const struct pv_id *vm,
                 const struct core_step *step, struct judged *j, struct arena *a,
                 struct pv_err *err)
{
    const struct model_operation *op = step->operation;
    const struct core_options version = { .if_version = step->if_version };
    PV_AUTO(json_decref_p) json_t *args = NULL;
    json_t *params;
    int rc = check_operation(step, err);

    if (rc == PV_OK)
        rc = bulk_allowed(c, by, op, &step->subject, err);
    if (rc == PV_OK)
        rc = subject_load(c, op, op->kind, &step->subject, a, &j->subject, err);
    if (rc == PV_OK && !id_eq(&j->subject.lock, vm))
        rc = pv_fail(err, PV_EINVAL, "%s is not of this VM", j->subject.name);
    if (rc == PV_OK)
        rc = core_check_version(
            &version, (uint64_t)model_number(j->subject.row, (unsigned)c->kinds[op->kind].version),
            err);
    if (rc != PV_OK)
        return rc;
    params = args_complete(op->params, step->params);
    if (!params)
        return pv_fail(err, PV_ENOMEM, "no memory for parameters");
    if (step->params || json_object_size(params) > 0)
        j->params = params;
    else
        json_decref(params);
    j->busy = object_is_busy(c, vm);
    rc = subject_check(c, op, &j->subject, j->params, a, &j->no_op, err);
    if (rc == PV_OK && op->params)
        rc = args_resolve(c, op, j->subject.provider, j->params, &args, NULL, err);
    return rc;
}

static json_t *params_of(const struct core_step *steps, const struct judged *judged, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++) {
        char id[PV_ID_TEXT];

        model_id_text(steps[i].operation->kind, &steps[i].subject, id);
        json_array_append_new(list, json_pack("{s:s, s:{s:s, s:s, s:s}}", "action",
                                              steps[i].operation->name, "ref", "kind",
                                              model_kind(steps[i].operation->kind)->name, "id", id,
                                              "name", judged[i].subject.name));
    }
    return json_pack("{s:o, s:b}", "steps", list, "stop_on_error", 1);
}

static void answer_plan(const struct core_step *steps, const struct judged *judged, size_t n,
                        core_json_fn done, void *ctx)
{
    PV_AUTO(json_decref_p) json_t *json = NULL;
    json_t *plan = json_array();
    struct pv_err err = { 0 };
    size_t idle = 0;
    char *text;

    for (size_t i = 0; i < n; i++) {
        if (judged[i].no_op)
            idle++;
        else
            json_array_append_new(plan, plan_entry(steps[i].operation, steps[i].operation->kind,
                                                   &steps[i].subject, &judged[i].subject,
                                                   judged[i].params));
    }
    json = json_pack("{s:b, s:b, s:i, s:{s:i, s:i, s:i}, s:[], s:o}", "ok", 1, "changed", n > idle,
                     "count", (int)n, "counts", "change", (int)(n - idle), "unchanged", (int)idle,
                     "skipped", 0, "findings", "plan", plan);
    text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    if (text)
        done(ctx, PV_OK, text, NULL);
    else
        done(ctx, pv_fail(&err, PV_ENOMEM, "no memory for the plan"), NULL, &err);
    free(text);
}

static int submit(struct core *c, const struct core_actor *by, const struct subject *vm,
                  const struct core_step *steps, const struct judged *judged, size_t n,
                  const struct core_options *o, struct pv_id *task, struct arena *a,
                  struct pv_err *err)
{
    const struct bulk like = {
        .max_parallel = 1, .per_provider = 1, .stop_on_error = true, .ordered = true
    };
    struct bulk_submit s = { .core = c, .options = o };
    struct pv_id *locks = arena_alloc(a, n * sizeof(*locks));
    int rc;

    s.children = arena_alloc(a, n * sizeof(*s.children));
    if (!locks || !s.children)
        return pv_fail(err, PV_ENOMEM, "no memory for the steps");
    rc = bulk_make_parent(&s, by, model_operation("vm.reconfigure"), PV_KIND_vm, vm, &like,
                          params_of(steps, judged, n), a, err);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        bool idle = judged[i].no_op && !judged[i].busy;

        locks[i] = judged[i].subject.lock;
        s.n = i + 1;
        if (bulk_make_child(&s, by, steps[i].operation, &judged[i].subject, &steps[i].subject,
                            judged[i].params, idle ? PV_TASK_STATE_SUCCEEDED : PV_TASK_STATE_QUEUED,
                            judged[i].busy, NULL, a, &s.children[i]) != PV_OK)
            rc = pv_fail(err, PV_ENOMEM, "no memory for the steps");
    }
    if (rc == PV_OK)
        rc = bulk_accept(&s, locks, a, err);
    if (rc == PV_OK) {
        *task = s.parent->id;
        bulk_begin(&s);
    }
    bulk_submit_free(&s);
    return rc;
}

int core_steps_submit(struct core *c, const struct core_actor *by, const struct pv_id *vm,
                      const struct core_step *steps, size_t n, const struct core_options *o,
                      struct pv_id *task, core_json_fn done, void *ctx, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 64u << 20);
    const struct model_operation *op = model_operation("vm.reconfigure");
    struct subject whole = { 0 };
    struct judged *judged;
    int rc;

    if (n == 0 || n > STEPS_MAX)
        return pv_fail(err, PV_EINVAL, "a task has 1 to %d steps", STEPS_MAX);
    judged = a ? arena_alloc(a, n * sizeof(*judged)) : NULL;
    if (!judged)
        return pv_fail(err, PV_ENOMEM, "no memory for the steps");
    rc = subject_load(c, op, PV_KIND_vm, vm, a, &whole, err);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        rc = judge(c, by, vm, &steps[i], &judged[i], a, err);
        if (rc != PV_OK)
            of_step(err, i, rc);
    }
    if (rc == PV_OK && o && o->dry_run)
        answer_plan(steps, judged, n, done, ctx);
    else if (rc == PV_OK)
        rc = submit(c, by, &whole, steps, judged, n, o, task, a, err);
    for (size_t i = 0; i < n; i++) {
        subject_free(&judged[i].subject);
        json_decref(judged[i].params);
    }
    subject_free(&whole);
    return rc;
}
