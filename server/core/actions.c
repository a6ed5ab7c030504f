/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be done with an object now, and why the rest cannot: the driver,
 * the provider, the object's state and the caller's rights have a say.
 */
#include "server/core/args.h"

#include <string.h>

#include <polyvisor/texts.h>

struct judgement {
    enum capability state;
    const char *reason, *needs;
    bool allowed;
};

static bool applies(const struct model_operation *op, const struct model_kind *k)
{
    if (op->kind == PV_KIND_NONE)
        return (k->flags & MODEL_SYNCED) != 0;
    if (!op->place)
        return op->kind == k->number;
    for (const struct model_param *p = op->params; p && p->name; p++)
        if (p->subject && p->ref == k->number)
            return true;
    return false;
}

static void judge_power(const struct model_operation *op, const struct subject *s, struct judgement *j,
                        struct arena *a)
{
    int64_t power = model_number(s->row, F(vm, power_state));
    uint32_t bit = power == PV_POWER_STATE_UNKNOWN ? FROM_UNKNOWN : 1u << (power - 1);
    const char *word = model_enum_text(PV_ENUM_power_state, power);

    if (op->no_op & bit) {
        j->reason = arena_printf(a, "it is %s already", word);
    } else if (op->from_force & bit) {
        j->reason = arena_printf(a, "it is %s: this needs force", word);
    } else if (!(op->from & bit)) {
        j->allowed = false;
        j->reason = arena_printf(a, "it is %s", word);
    } else if (subject_lacks_tools(op, s)) {
        j->allowed = false;
        j->reason = "the guest's tools are not running";
        j->needs = "guest tools";
    }
}

static void judge_state(const struct model_operation *op, const struct subject *s, struct judgement *j,
                        struct arena *a)
{
    struct pv_err err = { 0 };

    if (s->has_power && (op->from || op->no_op)) {
        judge_power(op, s, j, a);
        if (j->allowed && !op->template_too && model_number(s->row, F(vm, is_template))) {
            j->allowed = false;
            j->reason = "it is a template";
        }
    }
    if (subject_goal(op, s->row) == 1)
        j->reason = op->goal_is;
    else if (subject_needs_force(op, s->row))
        j->reason = arena_printf(a, "%s; this needs force", op->force_why);
    if (j->allowed && !op->core && args_check_state(op, s, NULL, a, &err) != PV_OK) {
        j->allowed = false;
        j->reason = arena_strdup(a, err.message);
    }
}

/* A task would wait until the provider is there again: whoever asks shall know that before. */
static void judge_provider(struct provider *p, struct judgement *j)
{
    enum pv_provider_state state;

    if (provider_usable(p))
        return;
    pthread_mutex_lock(&p->lock);
    state = p->state;
    pthread_mutex_unlock(&p->lock);
    j->allowed = false;
    j->reason = state == PV_PROVIDER_STATE_AUTH_FAILED    ? "the provider refuses the sign-in"
                : state == PV_PROVIDER_STATE_CERT_CHANGED ? "the provider's certificate has changed"
                                                          : "the provider cannot be reached";
}

static void judge(struct core *c, const struct model_operation *op, const struct subject *s,
                  uint64_t permissions, struct judgement *j, struct arena *a)
{
    const struct model_row *row = s->row;
    struct provider *p = s->provider;
    const struct kind_info *k = &c->kinds[row->kind->number];
    int permission = op->kind == PV_KIND_NONE ? row->kind->permission : op->permission;

    *j = (struct judgement){ .state = CAP_YES, .reason = "", .needs = "", .allowed = true };
    if (!op->core && p)
        j->state = provider_capability(p, op->name, op->capability ? op->capability : op->name, a,
                                       &j->reason, &j->needs);
    if (j->state == CAP_NO) {
        j->allowed = false;
        return;
    }
    judge_state(op, s, j, a);
    if (!op->core && p)
        judge_provider(p, j);
    if (k->presence >= 0 && model_number(row, (unsigned)k->presence) == PV_PRESENCE_GONE) {
        j->allowed = false;
        j->reason = "it is gone";
    }
    if (!(permissions >> permission & 1)) {
        j->allowed = false;
        j->needs = model_permission_text(permission);
        j->reason = arena_printf(a, "this needs the permission %s", j->needs);
    }
    if (!j->reason)
        j->reason = "";
}

/* What must not be given now, and why. */
static void write_blocked(struct jsonw *w, const struct model_operation *op, const struct subject *s, struct arena *a)
{
    jsonw_array(w, "blocked_params");
    if (!op->core)
        args_blocked(op, s, w, a);
    jsonw_end(w);
}

static void write_action(struct jsonw *w, const struct model_operation *op, const struct subject *s,
                         const struct judgement *j, struct arena *a)
{
    static const char *const words[] = { "yes", "limited", "no" };

    jsonw_object(w, NULL);
    jsonw_str(w, "name", op->name);
    jsonw_str(w, "title", op->title);
    jsonw_str(w, "state", words[j->state]);
    jsonw_str(w, "reason", j->reason[0] ? j->reason : NULL);
    texts_write(w, "reason_text", j->reason);
    jsonw_array(w, "needs");
    if (j->needs[0])
        jsonw_str(w, NULL, j->needs);
    jsonw_end(w);
    jsonw_bool(w, "allowed_now", j->allowed);
    model_params_schema(w, "params", op->params);
    write_blocked(w, op, s, a);
    jsonw_end(w);
}

/* As subject_load, but of a row that is here, and whatever state it is in. */
static void load(struct core *c, const struct model_row *row, struct arena *a, struct subject *s)
{
    const struct kind_info *k = &c->kinds[row->kind->number];
    struct model_row *owner;

    s->row = (struct model_row *)(uintptr_t)row;
    s->name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "";
    s->provider = row->kind->number == PV_KIND_provider ? provider_get(c, &row->id)
                  : row->provider                       ? provider_get(c, &row->provider->id)
                  : k->provider >= 0 ? provider_get(c, &model_get(row, (unsigned)k->provider)->id)
                                     : NULL;
    if (row->kind->number == PV_KIND_vm) {
        s->vm = row;
        s->has_power = true;
    } else if (row->kind->owner == PV_KIND_vm &&
               store_row_get(c->store, c->kinds[PV_KIND_vm].shape, &model_get(row, (unsigned)k->owner)->id,
                             a, &owner, NULL) == PV_OK) {
        s->vm = owner;
    }
    if (s->vm)
        s->power = (enum pv_power_state)model_number(s->vm, F(vm, power_state));
}

int core_actions_json(struct core *c, const struct model_row *row, uint64_t permissions,
                      struct jsonw *w, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct subject s = { 0 };

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for actions");
    load(c, row, a, &s);
    jsonw_array(w, "items");
    for (const struct model_operation *op = model_operations; op->name; op++) {
        struct judgement j;

        if (!applies(op, row->kind))
            continue;
        judge(c, op, &s, permissions, &j, a);
        write_action(w, op, &s, &j, a);
    }
    jsonw_end(w);
    subject_free(&s);
    return PV_OK;
}
