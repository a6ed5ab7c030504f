/* SPDX-License-Identifier: Apache-2.0 */
/* What HA and DRS of a cluster are set to: ClusterConfigInfoEx. */
#include "drivers/vapi/map.h"

#include <string.h>

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#define HOSTS_MOST 256

/* Words of vim25 as ours; 0 is "unknown" in each of our enums. */
struct word {
    const char *vim;
    unsigned ours;
};

static unsigned word_of(const struct word *words, const char *vim)
{
    for (; vim && words->vim; words++)
        if (str_eq(words->vim, vim))
            return words->ours;
    return 0;
}

static const struct word policies[] = {
    { "ClusterFailoverLevelAdmissionControlPolicy", PV_ADMISSION_POLICY_SLOTS },
    { "ClusterFailoverResourcesAdmissionControlPolicy", PV_ADMISSION_POLICY_PERCENTAGE },
    { "ClusterFailoverHostAdmissionControlPolicy", PV_ADMISSION_POLICY_FAILOVER_HOSTS },
    { NULL, 0 },
};

/* ClusterDasConfigInfoVmMonitoringState */
static const struct word monitored[] = {
    { "vmMonitoringDisabled", PV_VM_MONITORING_NOTHING },
    { "vmMonitoringOnly", PV_VM_MONITORING_VMS },
    { "vmAndAppMonitoring", PV_VM_MONITORING_VMS_AND_APPS },
    { NULL, 0 },
};

/* ClusterDasConfigInfoHBDatastoreCandidate */
static const struct word heartbeats[] = {
    { "userSelectedDs", PV_HEARTBEAT_DATASTORES_CHOSEN },
    { "allFeasibleDs", PV_HEARTBEAT_DATASTORES_ANY },
    { "allFeasibleDsWithUserPreference", PV_HEARTBEAT_DATASTORES_CHOSEN_FIRST },
    { NULL, 0 },
};

/* ClusterDasVmSettingsIsolationResponse */
static const struct word isolations[] = {
    { "none", PV_ISOLATION_RESPONSE_KEEP_RUNNING },
    { "powerOff", PV_ISOLATION_RESPONSE_POWER_OFF },
    { "shutdown", PV_ISOLATION_RESPONSE_SHUT_DOWN },
    { NULL, 0 },
};

/* By number: the setters differ in nothing but their slot. */
static void put_u64(const struct map *m, unsigned slot, const xmlNode *parent, const char *name)
{
    uint64_t n;

    if (value_field_u64(parent, name, &n))
        pv_put_number(m->b, PV_KIND_cluster, slot, n);
    else
        pv_put_number(m->b, PV_KIND_cluster, slot, PV_NULL);
}

static void put_bool(const struct map *m, unsigned slot, const xmlNode *parent, const char *name)
{
    bool on;

    if (value_field_bool(parent, name, &on))
        pv_put_number(m->b, PV_KIND_cluster, slot, on);
    else
        pv_put_number(m->b, PV_KIND_cluster, slot, PV_NULL);
}

/* Where a cluster is set to reckon by hosts the level stands in the policy; vCenter before 4.0 has
 * it beside. */
static void put_admission(const struct map *m, const xmlNode *das)
{
    const xmlNode *policy = xml_child(das, NULL, "admissionControlPolicy");
    unsigned what = word_of(policies, policy ? xml_xsi_type(policy) : NULL);
    const char *hosts[HOSTS_MOST];
    size_t n = 0;
    uint64_t level;

    put_bool(m, PV_SLOT(cluster, ha_admission), das, "admissionControlEnabled");
    pv_cluster_ha_policy(m->b, (enum pv_admission_policy)what);
    if (value_field_u64(policy, "failoverLevel", &level) ||
        value_field_u64(das, "failoverLevel", &level))
        pv_cluster_ha_failures(m->b, level);
    else
        PV_CLEAR(m->b, cluster, ha_failures);
    put_u64(m, PV_SLOT(cluster, ha_cpu_pct), policy, "cpuFailoverResourcesPercent");
    put_u64(m, PV_SLOT(cluster, ha_memory_pct), policy, "memoryFailoverResourcesPercent");
    for (const xmlNode *h = xml_child(policy, NULL, "failoverHosts"); h && n < HOSTS_MOST;
         h = xml_next_named(h, NULL, "failoverHosts"))
        if (value_text(h))
            hosts[n++] = value_text(h);
    pv_cluster_ha_hosts(m->b, hosts, n);
}

static void put_das(const struct map *m, const xmlNode *das)
{
    const xmlNode *vm = xml_child(das, NULL, "defaultVmSettings");
    const char *watch = value_field(das, "hostMonitoring");
    const char *priority = value_field(vm, "restartPriority");

    put_admission(m, das);
    if (watch)
        pv_cluster_ha_host_monitoring(m->b, str_eq(watch, "enabled"));
    else
        PV_CLEAR(m->b, cluster, ha_host_monitoring);
    pv_cluster_ha_vm_monitoring(
        m->b, (enum pv_vm_monitoring)word_of(monitored, value_field(das, "vmMonitoring")));
    pv_cluster_ha_heartbeat(m->b, (enum pv_heartbeat_datastores)word_of(
                                      heartbeats, value_field(das, "hBDatastoreCandidatePolicy")));
    pv_cluster_ha_restart_priority(m->b, priority);
    pv_cluster_ha_isolation(m->b, (enum pv_isolation_response)word_of(
                                      isolations, value_field(vm, "isolationResponse")));
}

void map_cluster_config(const struct map *m, const xmlNode *config)
{
    const xmlNode *drs = xml_child(config, NULL, "drsConfig");

    put_das(m, xml_child(config, NULL, "dasConfig"));
    put_u64(m, PV_SLOT(cluster, drs_threshold), drs, "vmotionRate");
    put_bool(m, PV_SLOT(cluster, drs_overrides), drs, "enableVmBehaviorOverrides");
    put_bool(m, PV_SLOT(cluster, drs_predictive), xml_child(config, NULL, "proactiveDrsConfig"),
             "enabled");
}
