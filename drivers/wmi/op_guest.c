/* SPDX-License-Identifier: Apache-2.0 */
/* Data given to the guest, and metering. */
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define ITEM(prop) P(Msvm_KvpExchangeDataItem, prop)
#define ENABLE 2u
#define DISABLE 3u

/* ------------------------------------------------------------------ key-value pairs */

static int get_items(struct op *o, struct cim_instance **out, struct pv_err *err)
{
    struct cim_list list = { 0 };
    int rc = op_list(o, CIM(Msvm_KvpExchangeComponentSettingData), o->vm, &list, err);

    if (rc)
        return rc;
    if (list.count == 0) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: it has no key-value pair exchange", o->def->verb,
                     o->name);
        pv_err_needs(err, "integration service Key-Value Pair Exchange");
        return rc;
    }
    *out = list.items[0];
    return PV_OK;
}

/* The text given for a key; NULL: none. */
static const char *item_text(struct op *o, const struct cim_instance *have, const char *key)
{
    unsigned n = cim_count(have, P(Msvm_KvpExchangeComponentSettingData, HostExchangeItems));

    for (unsigned i = 0; i < n; i++) {
        struct cim_instance *item =
            cim_emb_at(have, P(Msvm_KvpExchangeComponentSettingData, HostExchangeItems), i, o->a);

        if (str_eq(cim_str(item, ITEM(Name)), key)) {
            const char *text = cim_str(item, ITEM(Data));

            return text ? text : "";
        }
    }
    return NULL;
}

enum kvp_verb { KVP_ADD, KVP_MODIFY, KVP_REMOVE };

static bool is_for(enum kvp_verb verb, const char *now, const char *wanted)
{
    if (verb == KVP_ADD)
        return wanted && !now;
    if (verb == KVP_MODIFY)
        return wanted && now && strcmp(now, wanted) != 0;
    return !wanted && now;
}

struct kvp_look {
    enum kvp_verb verb;
};

static int is_written(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct kvp_look *k = ctx;
    struct cim_instance *have = NULL;
    const char *key;
    json_t *value;
    int rc = get_items(o, &have, err);

    if (rc)
        return rc;
    *there = true;
    json_object_foreach((json_t *)(uintptr_t)op_arg(o, "data"), key,
                        value) if (is_for(k->verb, item_text(o, have, key),
                                          json_string_value(value))) *there = false;
    return PV_OK;
}

static struct cim_instance *verb_call(struct op *o, enum kvp_verb verb, struct cim_p_ref *target,
                                      struct cim_p_embs *items)
{
    switch (verb) {
    case KVP_ADD:
        *target = A(Msvm_VirtualSystemManagementService, AddKvpItems, TargetSystem);
        *items = A(Msvm_VirtualSystemManagementService, AddKvpItems, DataItems);
        return cim_call(o->a, M(Msvm_VirtualSystemManagementService, AddKvpItems));
    case KVP_MODIFY:
        *target = A(Msvm_VirtualSystemManagementService, ModifyKvpItems, TargetSystem);
        *items = A(Msvm_VirtualSystemManagementService, ModifyKvpItems, DataItems);
        return cim_call(o->a, M(Msvm_VirtualSystemManagementService, ModifyKvpItems));
    case KVP_REMOVE:
        break;
    }
    *target = A(Msvm_VirtualSystemManagementService, RemoveKvpItems, TargetSystem);
    *items = A(Msvm_VirtualSystemManagementService, RemoveKvpItems, DataItems);
    return cim_call(o->a, M(Msvm_VirtualSystemManagementService, RemoveKvpItems));
}

static void add_item(struct op *o, struct cim_instance *in, struct cim_p_embs items,
                     const char *key, const char *text)
{
    struct cim_instance *item = cim_new(o->a, CIM(Msvm_KvpExchangeDataItem));

    cim_set_str(item, ITEM(Name), key);
    cim_set_str(item, ITEM(Data), text ? text : "");
    cim_set_uint(item, ITEM(Source), 0); /* from the host */
    cim_add_emb(in, items, item);
}

/* If a later request fails: what was added goes, what was changed has the text it had. */
static void restore_items(struct op *o, enum kvp_verb verb, const struct cim_ref *service,
                          const struct cim_instance *have)
{
    enum kvp_verb back = verb == KVP_ADD ? KVP_REMOVE : KVP_MODIFY;
    struct cim_p_ref target;
    struct cim_p_embs items;
    struct cim_instance *in = verb_call(o, back, &target, &items);
    const char *key;
    json_t *value;

    if (verb == KVP_REMOVE)
        return; /* the last of them */
    cim_set_ref(in, target, op_vm_ref(o, o->vm));
    json_object_foreach((json_t *)(uintptr_t)op_arg(o, "data"), key, value)
    {
        const char *now = item_text(o, have, key);

        if (is_for(verb, now, json_string_value(value)))
            add_item(o, in, items, key, now);
    }
    undo_restore(o, "putting the guest's data back", service, in, NULL, NULL);
}

static int write_items(struct op *o, enum kvp_verb verb, const char *name,
                       const struct cim_instance *have, struct pv_err *err)
{
    struct kvp_look k = { verb };
    struct cim_p_ref target;
    struct cim_p_embs items;
    struct cim_instance *in = verb_call(o, verb, &target, &items);
    struct op_step s = { .key = name,
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_written,
                         .ctx = &k };
    unsigned n = 0;
    const char *key;
    json_t *value;
    int rc;

    cim_set_ref(in, target, op_vm_ref(o, o->vm));
    json_object_foreach((json_t *)(uintptr_t)op_arg(o, "data"), key, value)
    {
        const char *wanted = json_string_value(value);

        if (!is_for(verb, item_text(o, have, key), wanted))
            continue;
        add_item(o, in, items, key, wanted);
        n++;
    }
    if (n == 0)
        return PV_OK;
    rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, err);
    if (rc == PV_OK)
        restore_items(o, verb, s.on, have);
    return rc;
}

static int run_set_data(struct op *o, struct pv_err *err)
{
    struct cim_instance *have = NULL;
    const char *key;
    json_t *value;
    int rc = get_items(o, &have, err);

    json_object_foreach((json_t *)(uintptr_t)op_arg(o, "data"), key, value)
    {
        if (!json_is_string(value) && !json_is_null(value))
            return pv_fail(err, PV_EINVAL, "%s %s: data.%s is neither a text nor null",
                           o->def->verb, o->name, key);
        if (strlen(key) > 255 || (json_is_string(value) && json_string_length(value) > 1024))
            return pv_fail(err, PV_EINVAL,
                           "%s %s: data.%.40s is too long for Hyper-V (255 and 1024 characters)",
                           o->def->verb, o->name, key);
    }
    if (rc == PV_OK)
        rc = write_items(o, KVP_ADD, "add", have, err);
    if (rc == PV_OK)
        rc = write_items(o, KVP_MODIFY, "modify", have, err);
    if (rc == PV_OK)
        rc = write_items(o, KVP_REMOVE, "remove", have, err);
    return rc;
}

/* ------------------------------------------------------------------ metering */

static int read_values(struct op *o, struct pv_err *err)
{
    const struct cim_ref *vm = op_vm_ref(o, o->vm);
    struct wsman_query q = { .cls = CIM(Msvm_AggregationMetricValue),
                             .of = vm,
                             .assoc = CIM(Msvm_MetricForME) };
    struct cim_list list = { 0 };
    json_t *values = json_array();
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    for (size_t i = 0; rc == PV_OK && i < list.count; i++) {
        const struct cim_instance *v = list.items[i];
        int64_t ms = 0;

        (void)cim_get_interval(v, P(Msvm_AggregationMetricValue, AggregationDuration), &ms);
        json_array_append_new(
            values, json_pack("{s:s?, s:s?, s:I}", "name",
                              cim_str(v, P(Msvm_AggregationMetricValue, ElementName)), "value",
                              cim_str(v, P(Msvm_AggregationMetricValue, MetricValue)), "over_ms",
                              (json_int_t)ms));
    }
    if (json_array_size(values) > 0)
        json_object_set_new(o->result, "data", json_pack("{s:O}", "metrics", values));
    json_decref(values);
    return rc;
}

struct metering {
    bool on;
};

static int is_metered(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct metering *m = ctx;
    struct cim_instance *in = cim_call(o->a, M(Msvm_MetricService, ShowMetrics)), *answer = NULL;
    const struct cim_ref *service = NULL;
    uint64_t state = 0;
    bool any = false;
    int rc = op_service(o, CIM(Msvm_MetricService), &service, err);

    if (rc)
        return rc;
    cim_set_ref(in, A(Msvm_MetricService, ShowMetrics, Subject), op_vm_ref(o, o->vm));
    rc = wsman_invoke(o->w->client, &o->c, service, in, o->a, &answer, err);
    if (rc)
        return rc;
    for (unsigned i = 0; cim_uint_at(
             answer, A(Msvm_MetricService, ShowMetrics, MetricCollectionEnabled), i, &state);
         i++)
        any |= state == ENABLE;
    *there = any == m->on;
    return PV_OK;
}

static int control(struct op *o, bool on, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_MetricService, ControlMetrics));
    struct metering m = { on };
    struct op_step s = { .key = "metrics",
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_metered,
                         .ctx = &m };
    struct cim_instance *vm = NULL;
    bool there = false;
    int rc = op_vm_get(o, o->vm, &vm, err);

    if (rc == PV_OK)
        rc = is_metered(o, &m, &there, err);
    if (rc || there) {
        o->changed = rc == PV_OK && o->resumed;
        return rc;
    }
    if (!on && !o->dry_run && read_values(o, NULL))
        op_warn(o, "what was gathered could not be read any more");
    rc = op_service(o, CIM(Msvm_MetricService), &s.on, err);
    cim_set_ref(in, A(Msvm_MetricService, ControlMetrics, Subject), op_vm_ref(o, o->vm));
    cim_set_uint(in, A(Msvm_MetricService, ControlMetrics, MetricCollectionEnabled),
                 on ? ENABLE : DISABLE);
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int run_enable(struct op *o, struct pv_err *err)
{
    return control(o, true, err);
}

static int run_disable(struct op *o, struct pv_err *err)
{
    return control(o, false, err);
}

const struct op_def op_guest_defs[] = {
    { "vm.guest.set_data", "giving data to", run_set_data, 0, 0 },
    { "vm.metrics.enable", "metering", run_enable, 0, 0 },
    { "vm.metrics.disable", "no longer metering", run_disable, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
