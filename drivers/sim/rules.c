/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of clusters. Those of the seed are made when they are first asked for, from where its VMs
 * are then; what people change stands in the same list. The first cluster's VMs break one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/records.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/files.h"

#define LOOKED_AT 48u /* running VMs of a cluster among which pairs are looked for */

/* Running VMs of a unit, the first of them. */
struct lot {
    uint32_t count, vms[LOOKED_AT];
};

static const char *vm_id(const struct sim_estate *e, uint32_t index, char id[SIM_ID_MAX])
{
    struct sim_vm vm;
    char name[129];

    sim_vm_traits(e, index, e->vms[index].generation, &vm);
    sim_vm_display(e, &vm, name, sizeof(name), id);
    return id;
}

static json_t *vm_list(const struct sim_estate *e, const uint32_t *vms, size_t n)
{
    json_t *list = json_array();
    char id[SIM_ID_MAX];

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(vm_id(e, vms[i], id)));
    return list;
}

static json_t *host_list(const struct sim_estate *e, const uint32_t *hosts, size_t n)
{
    json_t *list = json_array();
    char id[SIM_ID_MAX];

    for (size_t i = 0; i < n; i++) {
        sim_native_id(e, PV_KIND_host, hosts[i], id);
        json_array_append_new(list, json_string(id));
    }
    return list;
}

json_t *sim_rules(const struct sim_estate *e)
{
    return json_object_get(e->things, "cluster-rules");
}

static void add(struct sim_estate *e, uint32_t cluster, json_t *fields)
{
    json_t *rules = sim_rules(e);
    char key[24];

    snprintf(key, sizeof(key), "%zu", json_array_size(rules) + 1);
    json_array_append_new(rules, json_pack("{s:i, s:s, s:o}", "cluster", (int)cluster, "native_id",
                                           key, "fields", fields));
}

/* Two VMs on one host, or on two. */
static bool pair(const struct sim_estate *e, const struct lot *lot, bool same, uint32_t out[2])
{
    for (uint32_t a = 0; a < lot->count; a++)
        for (uint32_t b = a + 1; b < lot->count; b++)
            if ((e->vms[lot->vms[a]].host == e->vms[lot->vms[b]].host) == same) {
                out[0] = lot->vms[a];
                out[1] = lot->vms[b];
                return true;
            }
    return false;
}

static void seed_cluster(struct sim_estate *e, uint32_t n, const struct lot *lot)
{
    bool vmware = sim_is_vmware(e);
    uint32_t two[2], hosts[2];

    if (pair(e, lot, false, two))
        add(e, n,
            json_pack("{s:s, s:s, s:b, s:b, s:o}", "name", "Domain controllers apart", "rule_type",
                      "separate", "enabled", 1, "mandatory", 0, "vms", vm_list(e, two, 2)));
    if (n == 0 && pair(e, lot, true, two))
        add(e, n,
            json_pack("{s:s, s:s, s:b, s:b, s:o}", "name", "Database nodes apart", "rule_type",
                      "separate", "enabled", 1, "mandatory", 0, "vms", vm_list(e, two, 2)));
    if (lot->count > 0) {
        hosts[0] = e->vms[lot->vms[lot->count - 1]].host;
        hosts[1] = sim_unit_host(e, n, (uint64_t)hosts[0] + 1);
        add(e, n,
            json_pack("{s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:o, s:o}", "name", "Licensed hosts",
                      "rule_type", "vm_host", "enabled", 1, "mandatory", (int)vmware, "placement",
                      "on_hosts", "vm_group", "licensed VMs", "host_group", "licensed hosts", "vms",
                      vm_list(e, &lot->vms[lot->count - 1], 1), "hosts",
                      host_list(e, hosts, hosts[0] == hosts[1] ? 1 : 2)));
    }
    if (vmware && pair(e, lot, true, two))
        add(e, n,
            json_pack("{s:s, s:s, s:b, s:b, s:o}", "name", "Application with its cache",
                      "rule_type", "keep_together", "enabled", (int)(n % 2 == 0), "mandatory", 0,
                      "vms", vm_list(e, two, 2)));
}

/* With the lock held. */
void sim_rules_seed(struct sim_estate *e)
{
    struct lot *lots;

    if (sim_rules(e) || !e->set.clusters)
        return;
    json_object_set_new(e->things, "cluster-rules", json_array());
    lots = calloc(e->set.clusters, sizeof(*lots));
    for (uint32_t i = 0; lots && i < e->set.vms; i++) {
        uint32_t unit = sim_host_unit(e, e->vms[i].host);

        if (!e->vms[i].absent && e->vms[i].power == PV_POWER_STATE_RUNNING &&
            unit < e->set.clusters && lots[unit].count < LOOKED_AT)
            lots[unit].vms[lots[unit].count++] = i;
    }
    for (uint32_t n = 0; lots && n < e->set.clusters; n++)
        seed_cluster(e, n, &lots[n]);
    free(lots);
}

/* VMs that were deleted meanwhile are in no rule any more. Takes the lock. */
static void drop_deleted(struct sim_estate *e, json_t *fields)
{
    json_t *vms = json_object_get(fields, "vms");
    size_t i = json_array_size(vms);
    uint32_t index;

    while (i-- > 0)
        if (!sim_vm_find(e, json_string_value(json_array_get(vms, i)), &index))
            json_array_remove(vms, i);
}

void sim_emit_cluster_rules(struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    const struct model_kind *kind = model_kind(PV_KIND_cluster_rule);
    bool any = false;
    json_t *all, *one;
    size_t i;

    pthread_mutex_lock(&e->lock);
    sim_rules_seed(e);
    all = json_deep_copy(sim_rules(e));
    pthread_mutex_unlock(&e->lock);
    json_array_foreach(all, i, one)
    {
        json_t *fields = json_object_get(one, "fields");

        if ((uint32_t)json_integer_value(json_object_get(one, "cluster")) != n)
            continue;
        any = true;
        drop_deleted(e, fields);
        pv_cluster_rule_begin(b, sim_doc_text(one, "native_id"), NULL);
        sim_doc_put(b, kind, fields);
    }
    if (!any)
        pv_cluster_rule_none(b);
    json_decref(all);
}
