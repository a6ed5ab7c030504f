/* SPDX-License-Identifier: Apache-2.0 */
/* What the clusters of an estate are set to. */
#include "sim.h"

#include <polyvisor/records.h>

static void put_ha(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    uint32_t hosts = sim_unit_first(e, n + 1) - sim_unit_first(e, n);
    uint64_t roll = sim_roll(e, SIM_HEALTH, 0x4000000000u + n);
    bool percentage = roll % 4 != 0;

    pv_cluster_ha_admission(b, 1);
    pv_cluster_ha_policy(b,
                         percentage ? PV_ADMISSION_POLICY_PERCENTAGE : PV_ADMISSION_POLICY_SLOTS);
    pv_cluster_ha_failures(b, 1);
    if (percentage && hosts > 0) {
        pv_cluster_ha_cpu_pct(b, (100 + hosts - 1) / hosts);
        pv_cluster_ha_memory_pct(b, (100 + hosts - 1) / hosts);
    }
    pv_cluster_ha_host_monitoring(b, 1);
    pv_cluster_ha_vm_monitoring(b, sim_chance(roll, 300) ? PV_VM_MONITORING_VMS
                                                         : PV_VM_MONITORING_NOTHING);
    pv_cluster_ha_heartbeat(b, PV_HEARTBEAT_DATASTORES_CHOSEN_FIRST);
    pv_cluster_ha_restart_priority(b, "medium");
    pv_cluster_ha_isolation(b, PV_ISOLATION_RESPONSE_KEEP_RUNNING);
    pv_cluster_drs_threshold(b, 3);
    pv_cluster_drs_predictive(b, 0);
    pv_cluster_drs_overrides(b, 1);
}

static void put_failover(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    uint64_t roll = sim_roll(e, SIM_HEALTH, 0x4000000000u + n);

    pv_cluster_quorum_resource(b, "Cluster Disk 1");
    pv_cluster_dynamic_quorum(b, 1);
    pv_cluster_anti_affinity_enforced(b, sim_chance(roll, 200));
    pv_cluster_auto_balance(b, PV_AUTO_BALANCE_ALWAYS);
    pv_cluster_auto_balance_level(b, PV_AUTO_BALANCE_LEVEL_LOW);
    pv_cluster_drain_on_shutdown(b, 1);
}

void sim_emit_cluster_settings(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    if (sim_is_vmware(e))
        put_ha(e, b, n);
    else
        put_failover(e, b, n);
}
