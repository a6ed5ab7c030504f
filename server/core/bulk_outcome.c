/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came of a task of several parts: its state, its result, and an error that says how many were
 * not done, and why.
 */
#include "server/core/bulk.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#define TOLD_MAX 50      /* parts that the result names; the children are all there */
#define TOLD_BYTES 60000 /* of them: what the row takes, with room for the numbers */
#define REASONS_MAX 3    /* that the error names */
#define REASONS_BYTES 5000

struct told {
    json_t *list;
    size_t bytes;
};

static size_t json_bytes(const json_t *json)
{
    return json_dumpb(json, NULL, 0, JSON_COMPACT);
}

/* A part that was not done: {operation, state, ref, code, detail, detail_text}. */
static int tell_one(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct told *told = ctx;
    PV_AUTO(json_decref_p)
    json_t *subjects = json_loads(model_text(row, F(task, subjects)), 0, NULL);
    PV_AUTO(json_decref_p) json_t *error = json_loads(model_text(row, F(task, error)), 0, NULL);
    PV_AUTO(json_decref_p)
    json_t *one = json_pack(
        "{s:s, s:s, s:O?, s:O?, s:O?, s:O?}", "operation", model_text(row, F(task, action)),
        "state", model_enum_text(PV_ENUM_task_state, model_number(row, F(task, state))), "ref",
        json_array_get(subjects, 0), "code", json_object_get(error, "code"), "detail",
        json_object_get(error, "detail"), "detail_text", json_object_get(error, "detail_text"));

    (void)err;
    if (!one || told->bytes + json_bytes(one) > TOLD_BYTES)
        return PV_OK;
    told->bytes += json_bytes(one) + 1;
    json_array_append(told->list, one);
    return PV_OK;
}

/* What went wrong stands before what was left out. */
static json_t *not_done(const struct task *parent, struct arena *a)
{
    static const char *const kinds[] = { "state:{failed,lost}", "state:skipped", "state:canceled" };
    const struct model_kind *k = model_kind(PV_KIND_task);
    const struct filter *of_parent, *bad;
    struct told told = { .list = json_array() };
    struct store_query q = { .limit = TOLD_MAX };
    struct pv_err err = { 0 };
    char id[PV_ID_TEXT];
    int rc = told.list ? PV_OK : PV_ENOMEM;

    model_id_text(PV_KIND_task, &parent->id, id);
    if (rc == PV_OK)
        rc = filter_equals(k, "parent", id, 0, a, &of_parent, &err);
    if (rc == PV_OK)
        rc = model_shape_make(k, "action,state,subjects,error", MODEL_VIEW_SUMMARY, a, &q.shape,
                              &err);
    for (size_t i = 0; rc == PV_OK && i < PV_COUNT(kinds); i++) {
        rc = filter_parse(k, kinds[i], 0, a, &bad, &err);
        if (rc != PV_OK)
            break;
        q.filter = filter_and(a, of_parent, bad);
        q.limit = TOLD_MAX - (unsigned)json_array_size(told.list);
        if (q.limit > 0)
            rc = store_list(parent->core->store, &q, tell_one, &told, NULL, &err);
    }
    if (rc != PV_OK)
        log_msg(PV_LOG_ERROR, "task.bulk", "%s", err.message);
    return told.list;
}

/* {done, unchanged, failed, canceled, skipped, not_done}. */
static const char *result_text(const struct bulk *b, json_t *list, struct arena *a)
{
    PV_AUTO(json_decref_p)
    json_t *json = json_pack("{s:i, s:i, s:i, s:i, s:i, s:O}", "done", (int)b->succeeded,
                             "unchanged", (int)b->unchanged, "failed", (int)b->failed, "canceled",
                             (int)b->canceled, "skipped", (int)b->skipped, "not_done", list);

    return json ? core_json_text(a, json) : NULL;
}

/* ---------------------------------------------------------------- the reasons */

static const char *text_of(const json_t *one, const char *key)
{
    const char *text = json_string_value(json_object_get(one, key));

    return text ? text : "";
}

/* The same sentence about two objects is one reason. */
static bool same_reason(const json_t *a, const json_t *b)
{
    const char *said = text_of(json_object_get(a, "detail_text"), "code");
    const char *other = text_of(json_object_get(b, "detail_text"), "code");

    return str_eq(text_of(a, "state"), text_of(b, "state")) &&
           str_eq(text_of(a, "code"), text_of(b, "code")) && str_eq(said, other) &&
           (*said || str_eq(text_of(a, "detail"), text_of(b, "detail")));
}

/* The first parts that differ in why they were not done. */
static json_t *reasons_of(const json_t *list)
{
    json_t *reasons = json_array(), *one;
    size_t i, n, bytes = 0;

    json_array_foreach(list, i, one)
    {
        bool known = !json_is_string(json_object_get(one, "code"));

        for (n = 0; !known && n < json_array_size(reasons); n++)
            known = same_reason(json_array_get(reasons, n), one);
        bytes += known ? 0 : json_bytes(one);
        if (!known && bytes <= REASONS_BYTES && json_array_size(reasons) < REASONS_MAX)
            json_array_append(reasons, one);
    }
    return reasons;
}

static void say_step(const struct bulk *b, struct pv_err *err)
{
    struct pv_err said = { 0 };

    pv_fail(&said, b->first_error.rc, "step %u of %u failed: %s", b->first_failed, b->total,
            b->first_error.message);
    *err = b->first_error;
    str_copy(err->message, sizeof(err->message), said.message);
}

static void say_why(const struct bulk *b, const json_t *reasons, struct pv_err *err)
{
    const json_t *first = json_array_get(reasons, 0);
    const struct pv_problem *p = pv_problem_find(text_of(first, "code"));
    const char *code = p ? p->code : "conflict", *why = text_of(first, "detail");
    const char *as = b->succeeded > 0 ? "partly-done" : code;

    if (!*why)
        why = p ? p->title : "no reason is known";
    if (b->ordered && b->first_failed)
        say_step(b, err);
    else if (b->skipped == b->total)
        pv_fail_as(err, as, "none of the %u can take this; the first: %s", b->total, why);
    else if (b->failed + b->skipped == 0)
        pv_fail_as(err, "partly-done", "%u of %u done; %u canceled", b->succeeded, b->total,
                   b->canceled);
    else if (b->skipped + b->canceled == 0)
        pv_fail_as(err, as, "%u of %u done; %u failed; the first: %s", b->succeeded, b->total,
                   b->failed, why);
    else if (b->failed + b->canceled == 0)
        pv_fail_as(err, as, "%u of %u done; %u skipped; the first: %s", b->succeeded, b->total,
                   b->skipped, why);
    else
        pv_fail_as(err, as, "%u of %u done; %u failed, %u canceled, %u skipped; the first: %s",
                   b->succeeded, b->total, b->failed, b->canceled, b->skipped, why);
}

void bulk_judge(struct task *parent, struct arena *a, struct bulk_outcome *out)
{
    struct bulk *b = parent->bulk;
    PV_AUTO(json_decref_p) json_t *list = NULL;

    *out = (struct bulk_outcome){ .state = PV_TASK_STATE_SUCCEEDED };
    pthread_mutex_lock(&parent->core->tasks_lock);
    if (b->canceled > 0 && parent->cancel)
        out->state = PV_TASK_STATE_CANCELED;
    else if (b->succeeded < b->total)
        out->state = PV_TASK_STATE_FAILED;
    pthread_mutex_unlock(&parent->core->tasks_lock);
    list = b->succeeded < b->total && a ? not_done(parent, a) : json_array();
    if (a && list)
        out->result = result_text(b, list, a);
    if (out->state != PV_TASK_STATE_FAILED)
        return;
    json_decref(b->reasons);
    b->reasons = reasons_of(list);
    say_why(b, b->reasons, &out->error);
}
