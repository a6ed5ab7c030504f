/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be done with an object now, and why the rest cannot: the driver,
 * the provider, the object's state and the caller's role have a say.
 */
#include "server/core/task.h"

#include <string.h>

struct judgement {
    enum capability state;
    const char *reason, *needs;
    bool allowed;
};

static bool applies(const struct model_operation *op, const struct model_kind *k)
{
    if (op->kind == PV_KIND_NONE)
        return (k->flags & MODEL_SYNCED) != 0;
    return op->kind == k->number;
}

static void judge_state(const struct model_operation *op, const struct model_row *row,
                        struct judgement *j, struct arena *a)
{
    int64_t power;
    uint32_t bit;

    if (row->kind->number != PV_KIND_vm || (!op->from && !op->no_op))
        return;
    power = model_number(row, F(vm, power_state));
    bit = power == PV_POWER_STATE_UNKNOWN ? FROM_UNKNOWN : 1u << (power - 1);
    if (op->no_op & bit) {
        j->reason = arena_printf(a, "it is %s already", model_enum_text(PV_ENUM_power_state, power));
    } else if (!(op->from & bit)) {
        j->allowed = false;
        j->reason = arena_printf(a, "it is %s", model_enum_text(PV_ENUM_power_state, power));
    } else if (model_number(row, F(vm, is_template))) {
        j->allowed = false;
        j->reason = "it is a template";
    } else if (op->activity == PV_ACTIVITY_SHUTTING_DOWN || str_eq(op->name, "vm.reboot")) {
        int64_t tools = model_number(row, F(vm, tools_state));

        if (tools == PV_TOOLS_STATE_NOT_INSTALLED || tools == PV_TOOLS_STATE_NOT_RUNNING) {
            j->allowed = false;
            j->reason = "the guest's tools are not running";
            j->needs = "guest tools";
        }
    }
}

static void judge(struct core *c, const struct model_operation *op, const struct model_row *row,
                  struct provider *p, enum pv_role role, struct judgement *j, struct arena *a)
{
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
    judge_state(op, row, j, a);
    if (k->presence >= 0 && model_number(row, (unsigned)k->presence) == PV_PRESENCE_GONE) {
        j->allowed = false;
        j->reason = "it is gone";
    }
    if (!model_role_may(role, permission)) {
        j->allowed = false;
        j->needs = model_permission_text(permission);
        j->reason = arena_printf(a, "this needs the permission %s", j->needs);
    }
    if (!j->reason)
        j->reason = "";
}

int core_actions_json(struct core *c, const struct model_row *row, enum pv_role role,
                      struct jsonw *w, struct pv_err *err)
{
    static const char *const words[] = { "yes", "limited", "no" };
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    const struct kind_info *k = &c->kinds[row->kind->number];
    struct provider *p;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for actions");
    p = row->kind->number == PV_KIND_provider ? provider_get(c, &row->id)
        : row->provider                       ? provider_get(c, &row->provider->id)
        : k->provider >= 0 ? provider_get(c, &model_get(row, (unsigned)k->provider)->id)
                           : NULL;
    jsonw_array(w, "items");
    for (const struct model_operation *op = model_operations; op->name; op++) {
        struct judgement j;

        if (!applies(op, row->kind))
            continue;
        judge(c, op, row, p, role, &j, a);
        jsonw_object(w, NULL);
        jsonw_str(w, "name", op->name);
        jsonw_str(w, "title", op->title);
        jsonw_str(w, "state", words[j.state]);
        jsonw_str(w, "reason", j.reason[0] ? j.reason : NULL);
        jsonw_array(w, "needs");
        if (j.needs[0])
            jsonw_str(w, NULL, j.needs);
        jsonw_end(w);
        jsonw_bool(w, "allowed_now", j.allowed);
        model_params_schema(w, "params", op->params);
        jsonw_end(w);
    }
    jsonw_end(w);
    provider_put(p);
    return PV_OK;
}
