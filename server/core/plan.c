/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would be done, and how it is taken back.
 */
#include "server/core/args.h"

#include <stdlib.h>
#include <string.h>

json_t *finding(const char *id, const char *severity, const struct pv_err *err)
{
    const struct pv_problem *p = pv_err_problem(err);
    const char *remedy = err->remedy[0] ? err->remedy : p->remedy;

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o*, s:o*}", "id", id ? id : p->code, "code", p->code,
                     "severity", severity, "title", p->title, "detail", err->message, "remedy",
                     remedy, "detail_text", core_text_json(err->message), "remedy_text", core_text_json(remedy));
}

static json_t *ref_json(enum pv_kind kind, const struct pv_id *id, const char *name)
{
    char text[PV_ID_TEXT];

    model_id_text(kind, id, text);
    return json_pack("{s:s, s:s, s:s}", "kind", model_kind(kind)->name, "id", text, "name", name);
}

/* What will be made: its kind, and what was said about it. */
static json_t *made_json(const struct model_operation *op, const json_t *params)
{
    json_t *after = json_pack("{s:s, s:O?}", "kind", model_kind(op->result)->name, "name",
                              json_object_get(params, "name"));

    for (const struct model_param *p = op->params; after && p && p->name; p++) {
        json_t *v = json_object_get(params, p->name);

        if (v && !p->subject && p->type != PARAM_SECRET)
            json_object_set(after, p->name, v);
    }
    return after;
}

json_t *plan_entry(const struct model_operation *op, enum pv_kind kind, const struct pv_id *id,
                   const struct subject *s, const json_t *params)
{
    json_t *before = NULL, *after = NULL;

    if (s->has_power && op->target != PV_POWER_STATE_UNKNOWN) {
        before = json_pack("{s:s}", "power_state", model_enum_text(PV_ENUM_power_state, s->power));
        after = json_pack("{s:s}", "power_state", model_enum_text(PV_ENUM_power_state, op->target));
    } else if (op->sets && s->row) {
        bool differ, known;

        before = args_before(op->params, s->row, params, &differ, &known);
        after = json_deep_copy(params);
    } else if (op->own) {
        after = json_deep_copy(params);
    } else if (op->goal) {
        const struct model_field *f = model_field(model_kind(op->kind), op->goal, strlen(op->goal));
        bool number = f && f->type == MODEL_U64;

        if (op->goal_value && f) {
            before = json_pack("{s:s?}", op->goal, model_enum_text(f->enum_id, model_number(s->row, f->index)));
            after = json_pack("{s:s?}", op->goal, model_enum_text(f->enum_id, op->goal_value));
        } else if (!number)
            before = json_pack("{s:b}", op->goal, !op->goal_on);
        else if (s->row && model_get(s->row, f->index)->set)
            before = json_pack("{s:I}", op->goal, (json_int_t)model_number(s->row, f->index));
        if (!after)
            after = number ? json_pack("{s:i}", op->goal, 0) : json_pack("{s:b}", op->goal, op->goal_on);
    } else if (op->removes) {
        before = json_pack("{s:s, s:s}", "kind", model_kind(kind)->name, "name", s->name);
    } else if (op->result != PV_KIND_NONE) {
        after = made_json(op, params);
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:[]}", "operation", op->name, "ref",
                     ref_json(kind, id, s->name), "before", before ? before : json_null(), "after",
                     after ? after : json_null(), "native_calls");
}

/* ---------------------------------------------------------------- taking it back */

static json_t *undo_json(const char *operation, json_t *ref, json_t *params)
{
    return json_pack("{s:s, s:o, s:o}", "operation", operation, "ref", ref, "params",
                     params ? params : json_object());
}

static const char *back_to(enum pv_power_state before)
{
    switch (before) {
    case PV_POWER_STATE_OFF:
        return "vm.stop";
    case PV_POWER_STATE_PAUSED:
        return "vm.pause";
    case PV_POWER_STATE_SUSPENDED:
        return "vm.suspend";
    default:
        return NULL;
    }
}

static const char *undo_power(const struct model_operation *op, enum pv_power_state before)
{
    if (op->target == PV_POWER_STATE_RUNNING)
        return back_to(before);
    /* What a suspended VM had in its memory is lost with its power. */
    if (before != PV_POWER_STATE_RUNNING)
        return NULL;
    return op->target == PV_POWER_STATE_PAUSED ? "vm.resume" : "vm.start";
}

json_t *plan_undo(const struct model_operation *op, enum pv_kind kind, const struct pv_id *id,
                  const struct subject *s, const json_t *params)
{
    bool differ, known = false;
    json_t *before;

    if (s->has_power && op->target != PV_POWER_STATE_UNKNOWN) {
        const char *name = undo_power(op, s->power);

        return name && (op->no_op || s->power != PV_POWER_STATE_RUNNING)
                   ? undo_json(name, ref_json(kind, id, s->name), NULL)
                   : NULL;
    }
    if (!op->sets || !s->row)
        return NULL;
    before = args_before(op->params, s->row, params, &differ, &known);
    if (!known || !before) {
        json_decref(before);
        return NULL;
    }
    return undo_json(op->name, ref_json(kind, id, s->name), before);
}

json_t *plan_undo_made(const struct model_operation *op, const struct pv_id *made, const char *name)
{
    const struct model_operation *back = op->undo ? model_operation(op->undo) : NULL;

    if (!back || op->result == PV_KIND_NONE)
        return NULL;
    return undo_json(op->undo, ref_json(op->result, made, name ? name : ""),
                     op->undo_params ? json_loads(op->undo_params, 0, NULL) : NULL);
}
