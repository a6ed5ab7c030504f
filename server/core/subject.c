/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a task is to work on, and whether it may now: state, capability, parameters.
 */
#include "server/core/args.h"
#include "server/core/expiry.h"

#include <stdlib.h>
#include <string.h>

void subject_free(struct subject *s)
{
    provider_put(s->provider);
    s->provider = NULL;
}

static int load_owner(struct core *c, const struct kind_info *k, struct arena *a, struct subject *s,
                      struct pv_err *err)
{
    const struct pv_id *owner = &model_get(s->row, (unsigned)k->owner)->id;
    const struct kind_info *o = &c->kinds[k->kind->owner];
    struct model_row *row;
    int rc = store_row_get(c->store, o->shape, owner, a, &row, err);

    if (rc != PV_OK)
        return rc;
    s->owner_kind = k->kind->owner;
    s->owner_native_id = model_text(row, (unsigned)o->native_id);
    s->lock = *owner;
    if (k->kind->owner == PV_KIND_vm) {
        s->vm = row;
        s->power = (enum pv_power_state)model_number(row, F(vm, power_state));
    }
    return PV_OK;
}

/* Of a place operation the subject is of one of the kinds its parameters name. */
static bool works_on(const struct model_operation *op, enum pv_kind kind)
{
    if (!op->place)
        return op->kind == PV_KIND_NONE || op->kind == kind;
    for (const struct model_param *p = op->params; p && p->name; p++)
        if (p->subject && p->ref == kind)
            return true;
    return false;
}

int subject_load(struct core *c, const struct model_operation *op, enum pv_kind kind,
                 const struct pv_id *id, struct arena *a, struct subject *out, struct pv_err *err)
{
    const struct kind_info *k = (unsigned)kind < KINDS ? &c->kinds[kind] : NULL;
    struct subject s = { .native_id = "", .owner_native_id = "", .name = "", .lock = *id };
    int rc;

    if (!k || !k->kind || !works_on(op, kind) ||
        (kind != PV_KIND_provider && !(k->kind->flags & MODEL_SYNCED)))
        return pv_fail(err, PV_EINVAL, "%s does not work on a %s", op->name,
                       k && k->kind ? k->kind->name : "thing of this kind");
    rc = store_row_get(c->store, k->shape, id, a, &s.row, err);
    if (rc != PV_OK)
        return rc;
    if (k->name >= 0)
        s.name = model_text(s.row, (unsigned)k->name);
    if (kind == PV_KIND_provider) {
        s.provider = provider_get(c, id);
    } else {
        s.native_id = model_text(s.row, (unsigned)k->native_id);
        s.provider = provider_get(c, &model_get(s.row, (unsigned)k->provider)->id);
        if (k->child >= 0)
            rc = load_owner(c, k, a, &s, err);
    }
    if (rc == PV_OK && !s.provider)
        rc = pv_fail(err, PV_ENOENT, "its provider is not there any more");
    if (rc != PV_OK) {
        subject_free(&s);
        return rc;
    }
    if (kind == PV_KIND_vm) {
        s.power = (enum pv_power_state)model_number(s.row, F(vm, power_state));
        s.has_power = true;
        s.vm = s.row;
    }
    *out = s;
    return PV_OK;
}

static uint32_t from_bit(enum pv_power_state state)
{
    return state == PV_POWER_STATE_UNKNOWN ? FROM_UNKNOWN : 1u << (state - 1);
}

/* What the state allows and does something: "start,stop". */
static const char *allowed_now(enum pv_power_state power, struct arena *a)
{
    struct buf text;
    const char *out;

    buf_init(&text, 512);
    for (const struct model_operation *op = model_operations; op->name; op++) {
        if (op->kind != PV_KIND_vm || !(op->from & from_bit(power)) || op->live)
            continue;
        if (text.len > 0)
            buf_char(&text, ',');
        buf_text(&text, model_operation_verb(op));
    }
    out = text.data ? arena_text(a, text.data, text.len) : "";
    buf_free(&text);
    return out;
}

static int wrong_state(const struct model_operation *op, const struct subject *s, struct arena *a,
                       struct pv_err *err)
{
    const char *word = model_enum_text(PV_ENUM_power_state, s->power);
    int rc = pv_fail_as(err, "vm-invalid-state", "%s does not work on %s, which is %s",
                        model_operation_verb(op), s->name, word);

    pv_err_needs(err, allowed_now(s->power, a));
    pv_err_native(err, word);
    return rc;
}

static int check_power(const struct model_operation *op, const struct subject *s,
                       const json_t *params, struct arena *a, bool *no_op, struct pv_err *err)
{
    uint32_t bit = from_bit(s->power);

    if (!op->from && !op->no_op)
        return PV_OK;
    if (op->no_op & bit) {
        *no_op = true;
        return PV_OK;
    }
    if (!(op->from & bit)) {
        int rc;

        if ((op->from_force & bit) && json_is_true(json_object_get(params, "force")))
            return PV_OK;
        rc = wrong_state(op, s, a, err);
        if (op->from_force & bit)
            pv_err_remedy(err, "Turn it off first, or ask again with force.");
        return rc;
    }
    if (!op->template_too && model_number(s->row, F(vm, is_template))) {
        int rc = pv_fail_as(err, "vm-invalid-state", "%s is a template", s->name);

        pv_err_native(err, "template");
        return rc;
    }
    if (s->power == PV_POWER_STATE_SUSPENDED && op->activity == PV_ACTIVITY_STOPPING &&
        !json_is_true(json_object_get(params, "force"))) {
        int rc = wrong_state(op, s, a, err);

        pv_err_remedy(err, "To drop the saved state, ask again with force.");
        return rc;
    }
    return PV_OK;
}

bool subject_lacks_tools(const struct model_operation *op, const struct subject *s)
{
    int64_t tools;

    if (!s->has_power || (op->activity != PV_ACTIVITY_SHUTTING_DOWN && !str_eq(op->name, "vm.reboot")))
        return false;
    tools = model_number(s->row, F(vm, tools_state));
    return tools == PV_TOOLS_STATE_NOT_INSTALLED || tools == PV_TOOLS_STATE_NOT_RUNNING;
}

static int check_capability(const struct model_operation *op, const struct subject *s,
                            struct arena *a, struct pv_err *err)
{
    const char *reason, *needs;
    int rc;

    if (op->core || provider_capability(s->provider, op->name,
                                        op->capability ? op->capability : op->name, a, &reason,
                                        &needs) != CAP_NO)
        return PV_OK;
    rc = pv_fail(err, PV_ENOTSUP, "%s: %s", op->name, reason);
    pv_err_needs(err, needs);
    return rc;
}

static int check_params(const struct model_operation *op, const json_t *params, struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *empty = json_object();

    if (op->params)
        return model_params_check(op->params, params ? params : empty, "", err);
    if (params && json_object_size(params) > 0)
        return pv_fail(err, PV_EINVAL, "%s takes no parameters", op->name);
    return PV_OK;
}

/* What it is to be like is what it is like. */
static bool nothing_differs(const struct model_operation *op, const struct subject *s, const json_t *params)
{
    bool differ = true, known;

    if (op->sets && params && json_object_size(params) > 0)
        json_decref(args_before(op->params, s->row, params, &differ, &known));
    return !differ;
}

int subject_goal(const struct model_operation *op, const struct model_row *row)
{
    const struct model_field *f =
        op->goal && row ? model_field(row->kind, op->goal, strlen(op->goal)) : NULL;

    if (!f || !model_get(row, f->index)->set)
        return -1;
    if (op->goal_value)
        return model_number(row, f->index) == op->goal_value;
    return (model_number(row, f->index) != 0) == op->goal_on;
}

bool subject_needs_force(const struct model_operation *op, const struct model_row *row)
{
    const struct model_field *f =
        op->force_if && row ? model_field(row->kind, op->force_if, strlen(op->force_if)) : NULL;

    return f && model_number(row, f->index) != 0;
}

static int check_force(const struct model_operation *op, const struct subject *s, const json_t *params, struct pv_err *err)
{
    int rc;

    if (json_is_true(json_object_get(params, "force")) || !subject_needs_force(op, s->row))
        return PV_OK;
    rc = pv_fail(err, PV_ESTATE, "%s: %s; this needs force", s->name, op->force_why);
    pv_err_pointer(err, "/force");
    pv_err_remedy(err, "Set force if it is to be done all the same.");
    return rc;
}

int subject_check(struct core *c, const struct model_operation *op, const struct subject *s,
                  const json_t *params, struct arena *a, bool *no_op, struct pv_err *err)
{
    const struct kind_info *k = &c->kinds[s->row->kind->number];
    int rc = check_params(op, params, err);

    *no_op = false;
    if (rc == PV_OK && k->presence >= 0 &&
        model_number(s->row, (unsigned)k->presence) == PV_PRESENCE_GONE)
        rc = pv_fail(err, PV_ESTATE, "%s is gone", s->name);
    if (rc == PV_OK)
        rc = own_params_check(op, op->sets ? s->row : NULL, params, err);
    if (rc == PV_OK && !own_params_only(op, params))
        rc = check_capability(op, s, a, err);
    if (rc == PV_OK && s->has_power)
        rc = check_power(op, s, params, a, no_op, err);
    if (rc == PV_OK && !*no_op)
        rc = args_check_state(op, s, params, a, err);
    if (rc == PV_OK && !*no_op)
        rc = subject_check_files(c, op, s, params, a, err);
    if (rc == PV_OK && (nothing_differs(op, s, params) || subject_goal(op, s->row) == 1))
        *no_op = true;
    return rc == PV_OK && !*no_op ? check_force(op, s, params, err) : rc;
}
