/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/records.h>

#define GIB (1024ull * 1024 * 1024)
#define TIB (1024 * GIB)

/* Machines a company might have bought; hosts of one unit are alike. */
static const struct machine {
    const char *vendor, *model, *cpu;
    uint16_t sockets, cores, mhz, gib; /* cores of one socket */
} machines[] = {
    { "Dell Inc.", "PowerEdge R750", "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", 2, 32, 2000,
      1024 },
    { "HPE", "ProLiant DL380 Gen10", "Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", 2, 24, 3000,
      768 },
    { "Lenovo", "ThinkSystem SR645", "AMD EPYC 7543 32-Core Processor", 2, 32, 2794, 1024 },
    { "Dell Inc.", "PowerEdge R7625", "AMD EPYC 9354 32-Core Processor", 2, 32, 3245, 1536 },
    { "HPE", "ProLiant DL385 Gen11", "AMD EPYC 9454 48-Core Processor", 2, 48, 2745, 1536 },
    { "Cisco Systems Inc", "UCSC-C220-M6S", "Intel(R) Xeon(R) Gold 6354 CPU @ 3.00GHz", 2, 18, 3000,
      512 },
};

static const struct machine *machine_of(const struct sim_estate *e, uint32_t unit)
{
    return &machines[sim_roll(e, SIM_MACHINE, 0x1000000000u + unit) % PV_COUNT(machines)];
}

uint64_t sim_host_memory(const struct sim_estate *e, uint32_t n)
{
    return machine_of(e, sim_host_unit(e, n))->gib * GIB;
}

/* A list of native ids, as references want them; items NULL: no memory, hence not known. */
struct ids {
    size_t count;
    const char **items;
    char (*text)[SIM_ID_MAX];
};

static void ids_free(struct ids *l)
{
    free(l->items);
    free(l->text);
}

static struct ids ids_range(const struct sim_estate *e, enum pv_kind kind, uint64_t first,
                            uint64_t end)
{
    struct ids l = { .count = (size_t)(end - first) };

    l.items = calloc(l.count, sizeof(*l.items));
    l.text = calloc(l.count, sizeof(*l.text));
    if (!l.items || !l.text) {
        ids_free(&l);
        return (struct ids){ .count = l.count };
    }
    for (size_t i = 0; i < l.count; i++) {
        sim_native_id(e, kind, first + i, l.text[i]);
        l.items[i] = l.text[i];
    }
    return l;
}

static struct ids unit_hosts(const struct sim_estate *e, uint32_t unit)
{
    return ids_range(e, PV_KIND_host, sim_unit_first(e, unit), sim_unit_first(e, unit + 1));
}

static const char *datacenter_of(const struct sim_estate *e, uint32_t unit, char out[SIM_ID_MAX])
{
    if (!e->set.datacenters)
        return NULL;
    sim_native_id(e, PV_KIND_datacenter, sim_unit_datacenter(e, unit), out);
    return out;
}

/* One reason, or none. */
#define SET_HEALTH(kind, b, state, reason)                                                         \
    do {                                                                                           \
        const char *const reasons_[] = { (reason) };                                               \
        pv_##kind##_health((b), (state));                                                          \
        pv_##kind##_health_reasons((b), reasons_, reasons_[0] ? 1 : 0);                            \
    } while (0)

void sim_emit_datacenter(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    char id[SIM_ID_MAX], name[64], path[80];

    sim_native_id(e, PV_KIND_datacenter, n, id);
    sim_datacenter_name(e, n, name, sizeof(name));
    snprintf(path, sizeof(path), "/%s", name);
    pv_datacenter_begin(b, id, NULL);
    pv_datacenter_name(b, name);
    pv_datacenter_native_type(b, "Datacenter");
    pv_datacenter_native_path(b, path);
    SET_HEALTH(datacenter, b, PV_HEALTH_OK, NULL);
}

void sim_emit_cluster(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    bool vmware = sim_is_vmware(e);
    const struct machine *m = machine_of(e, n);
    uint32_t hosts = sim_unit_first(e, n + 1) - sim_unit_first(e, n);
    uint64_t roll = sim_roll(e, SIM_HEALTH, 0x2000000000u + n);
    uint64_t cores = (uint64_t)hosts * m->sockets * m->cores;
    char id[SIM_ID_MAX], dc[SIM_ID_MAX], name[64];

    sim_native_id(e, PV_KIND_cluster, n, id);
    snprintf(name, sizeof(name), vmware ? "%s-cluster-%02u" : "hvc-%s-%02u", sim_unit_site(e, n),
             (unsigned)n + 1);
    pv_cluster_begin(b, id, NULL);
    pv_cluster_name(b, name);
    pv_cluster_native_type(b, vmware ? "ClusterComputeResource" : "MSCluster_Cluster");
    pv_cluster_datacenter(b, datacenter_of(e, n, dc));
    pv_cluster_cluster_type(b, vmware ? PV_CLUSTER_TYPE_DRS_HA : PV_CLUSTER_TYPE_FAILOVER);
    pv_cluster_ha_enabled(b, !vmware || !sim_chance(roll, 50));
    sim_emit_cluster_settings(e, b, n);
    if (vmware) {
        pv_cluster_drs_mode(b, sim_chance(roll, 150) ? PV_DRS_MODE_PARTIAL : PV_DRS_MODE_FULL);
        pv_cluster_cpu_compat(b, m->cpu[0] == 'A' ? "amd-zen2" : "intel-cascadelake");
    } else {
        pv_cluster_quorum(b, "Node and Disk Majority");
    }
    pv_cluster_hosts_total(b, hosts);
    pv_cluster_cores(b, cores);
    pv_cluster_cpu_mhz(b, cores * m->mhz);
    pv_cluster_memory_bytes(b, hosts * m->gib * GIB);
    if (vmware && sim_chance(roll, 50))
        SET_HEALTH(cluster, b, PV_HEALTH_WARNING, "ha_disabled");
    else
        SET_HEALTH(cluster, b, PV_HEALTH_OK, NULL);
    sim_emit_cluster_rules((struct sim_estate *)(uintptr_t)e, b, n);
}

static enum pv_datastore_type store_type(const struct sim_estate *e, uint32_t n)
{
    if (sim_is_vmware(e))
        return n % e->stores_per_unit % 4 == 3 ? PV_DATASTORE_TYPE_NFS : PV_DATASTORE_TYPE_VMFS;
    if (e->set.clusters)
        return PV_DATASTORE_TYPE_CSV;
    return sim_roll(e, SIM_VOLUME, n) % 3 ? PV_DATASTORE_TYPE_NTFS : PV_DATASTORE_TYPE_REFS;
}

static enum pv_support yes_if(bool v)
{
    return v ? PV_SUPPORT_YES : PV_SUPPORT_NO;
}

static void store_support(const struct sim_estate *e, struct pv_builder *b, uint32_t n,
                          enum pv_datastore_type type)
{
    uint64_t roll = sim_roll(e, SIM_VOLUME, 0x1000000000u + n);
    /* Block arrays do all of it; NFS needs the array's plug-in on each host; local disks have none.
     */
    bool block = type == PV_DATASTORE_TYPE_VMFS, nfs = type == PV_DATASTORE_TYPE_NFS;
    bool odx = type == PV_DATASTORE_TYPE_CSV && !sim_chance(roll, 300);

    pv_datastore_supports_thin(b, PV_SUPPORT_YES);
    pv_datastore_supports_reflink(b, yes_if(type == PV_DATASTORE_TYPE_REFS));
    if (sim_is_vmware(e)) {
        pv_datastore_offload_full_copy(b, nfs ? yes_if(sim_chance(roll, 400)) : PV_SUPPORT_YES);
        pv_datastore_offload_block_zero(b, yes_if(block));
        pv_datastore_offload_ats(b, yes_if(block));
        pv_datastore_offload_unmap(b, block && sim_chance(roll, 100) ? PV_SUPPORT_UNKNOWN
                                                                     : yes_if(block));
    } else {
        pv_datastore_offload_full_copy(b, yes_if(odx || type == PV_DATASTORE_TYPE_REFS));
        pv_datastore_offload_block_zero(b, yes_if(odx));
        pv_datastore_offload_ats(b, PV_SUPPORT_NO);
        pv_datastore_offload_unmap(b, PV_SUPPORT_YES);
    }
}

void sim_store_space(const struct sim_estate *e, uint32_t n, uint64_t *capacity, unsigned *used_pct)
{
    uint64_t roll = sim_roll(e, SIM_VOLUME, n);

    *capacity = (e->set.clusters ? 4 + roll % 5 * 4 : 2 + roll % 3 * 2) * TIB;
    *used_pct = 35 + (unsigned)(roll >> 20) % 45;
    if (sim_chance(roll, 60))
        *used_pct = sim_chance(roll, 10) ? 97 : 88;
}

void sim_emit_datastore(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    static const char *const native_types[2][2] = {
        { "MSFT_Volume", "MSCluster_ClusterSharedVolume" },
        { "Datastore", "Datastore" },
    };
    enum pv_datastore_type type = store_type(e, n);
    uint32_t unit = n / e->stores_per_unit;
    uint64_t capacity;
    unsigned used_pct;
    char id[SIM_ID_MAX], dc[SIM_ID_MAX], name[64], root[128], uuid[37];
    PV_AUTO(ids_free) struct ids hosts = unit_hosts(e, unit);

    sim_store_space(e, n, &capacity, &used_pct);
    sim_native_id(e, PV_KIND_datastore, n, id);
    sim_store_name(e, n, name, sizeof(name));
    sim_uuid(e, SIM_VOLUME, n, 0, uuid);
    if (type == PV_DATASTORE_TYPE_NFS)
        snprintf(root, sizeof(root), "nfs-%s-%04u.corp.example:/vol/%s", sim_unit_site(e, unit),
                 (unsigned)(sim_roll(e, SIM_SITE, 3) % 10000), name);
    else if (sim_is_vmware(e))
        snprintf(root, sizeof(root), "/vmfs/volumes/%s", uuid);
    else
        sim_store_root(e, n, root, sizeof(root));
    pv_datastore_begin(b, id, sim_is_vmware(e) ? root : uuid);
    pv_datastore_name(b, name);
    pv_datastore_native_type(b, native_types[sim_is_vmware(e)][e->set.clusters != 0]);
    pv_datastore_datacenter(b, datacenter_of(e, unit, dc));
    pv_datastore_datastore_type(b, type);
    pv_datastore_capacity_bytes(b, capacity);
    pv_datastore_free_bytes(b, capacity / 100 * (100 - used_pct));
    pv_datastore_provisioned_bytes(b, capacity / 100 * (used_pct + used_pct / 2));
    pv_datastore_shared(b, hosts.count > 1);
    pv_datastore_accessible(b, 1);
    pv_datastore_maintenance(b, 0);
    pv_datastore_root_path(b, root);
    pv_datastore_hosts(b, hosts.items, hosts.count);
    store_support(e, b, n, type);
    if (used_pct >= 95)
        SET_HEALTH(datastore, b, PV_HEALTH_CRITICAL, "space_critical");
    else if (used_pct >= 85)
        SET_HEALTH(datastore, b, PV_HEALTH_WARNING, "space_low");
    else
        SET_HEALTH(datastore, b, PV_HEALTH_OK, NULL);
}

void sim_emit_switch(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    static const char *const uplinks[2][2] = { { "NIC1", "NIC2" }, { "Uplink 1", "Uplink 2" } };
    static const char *const extensions[] = { "Microsoft Windows Filtering Platform" };
    bool vmware = sim_is_vmware(e);
    char id[SIM_ID_MAX], other[SIM_ID_MAX], name[64];

    sim_native_id(e, PV_KIND_switch, n, id);
    pv_switch_begin(b, id, NULL);
    if (vmware) {
        snprintf(name, sizeof(name), "dvs-%s-%02u", sim_unit_site(e, n), (unsigned)n + 1);
        pv_switch_name(b, name);
        pv_switch_native_type(b, "VmwareDistributedVirtualSwitch");
        pv_switch_datacenter(b, datacenter_of(e, n, other));
        pv_switch_switch_type(b, PV_SWITCH_TYPE_DISTRIBUTED);
        pv_switch_teaming(b, "loadbalance_loadbased");
        pv_switch_mtu(b, 9000);
    } else {
        sim_native_id(e, PV_KIND_host, n, other);
        pv_switch_name(b, "vSwitch-LAN");
        pv_switch_native_type(b, "Msvm_VirtualEthernetSwitch");
        pv_switch_host(b, other);
        pv_switch_switch_type(b, PV_SWITCH_TYPE_EXTERNAL);
        pv_switch_teaming(b, "HyperVPort");
        pv_switch_mtu(b, 1500);
        pv_switch_extensions(b, extensions, PV_COUNT(extensions));
    }
    pv_switch_uplinks(b, uplinks[vmware], 2);
    SET_HEALTH(switch, b, PV_HEALTH_OK, NULL);
}

void sim_emit_network(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    const struct sim_net *net = &sim_nets[n % SIM_NETS];
    bool vmware = sim_is_vmware(e);
    uint32_t sw = n / SIM_NETS;
    char id[SIM_ID_MAX], other[SIM_ID_MAX], name[96], uuid[37];
    PV_AUTO(ids_free)
    struct ids hosts =
        vmware ? unit_hosts(e, sw) : ids_range(e, PV_KIND_host, sw, (uint64_t)sw + 1);

    sim_native_id(e, PV_KIND_network, n, id);
    sim_uuid(e, SIM_SITE, n, 0, uuid);
    pv_network_begin(b, id, vmware ? uuid : NULL);
    if (vmware)
        snprintf(name, sizeof(name), "%s %s %02u", sim_unit_site(e, sw), net->name,
                 (unsigned)sw + 1);
    else
        snprintf(name, sizeof(name), "vSwitch-LAN %s", net->name);
    pv_network_name(b, name);
    pv_network_native_type(b,
                           vmware ? "DistributedVirtualPortgroup" : "Msvm_VirtualEthernetSwitch");
    if (vmware)
        pv_network_datacenter(b, datacenter_of(e, sw, other));
    pv_network_network_type(b,
                            vmware ? PV_NETWORK_TYPE_DISTRIBUTED : PV_NETWORK_TYPE_HYPERV_SWITCH);
    sim_native_id(e, PV_KIND_switch, sw, other);
    pv_network_switch_(b, other);
    pv_network_vlan_mode(b, net->vlan ? PV_VLAN_MODE_ACCESS : PV_VLAN_MODE_UNTAGGED);
    if (net->vlan)
        pv_network_vlan_id(b, net->vlan);
    pv_network_accessible(b, 1);
    pv_network_hosts(b, hosts.items, hosts.count);
    SET_HEALTH(network, b, PV_HEALTH_OK, NULL);
}

static void host_health(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    static const char *const warnings[] = { "hardware_sensor", "ntp_not_synced", "reboot_pending",
                                            "path_redundancy_lost" };
    uint64_t roll = sim_roll(e, SIM_HEALTH, 0x1000000000u + n);

    if (sim_chance(roll, 8))
        SET_HEALTH(host, b, PV_HEALTH_CRITICAL, "memory_module_failed");
    else if (sim_chance(roll, 60))
        SET_HEALTH(host, b, PV_HEALTH_WARNING, warnings[roll % PV_COUNT(warnings)]);
    else
        SET_HEALTH(host, b, PV_HEALTH_OK, NULL);
}

static void host_machine(const struct sim_estate *e, struct pv_builder *b, uint32_t n,
                         const char *bios_uuid)
{
    static const char *const features[] = { "aes",  "avx",    "avx2", "nx",
                                            "pcid", "rdrand", "smep", "sse4.2" };
    const struct machine *m = machine_of(e, sim_host_unit(e, n));
    char serial[16];

    snprintf(serial, sizeof(serial), "%07X", (unsigned)(sim_roll(e, SIM_MACHINE, n) & 0xfffffff));
    pv_host_vendor(b, m->vendor);
    pv_host_model(b, m->model);
    pv_host_serial(b, serial);
    pv_host_bios_uuid(b, bios_uuid);
    pv_host_cpu_model(b, m->cpu);
    pv_host_sockets(b, m->sockets);
    pv_host_cores(b, (uint64_t)m->sockets * m->cores);
    pv_host_threads(b, 2ull * m->sockets * m->cores);
    pv_host_cpu_mhz(b, m->mhz);
    pv_host_memory_bytes(b, m->gib * GIB);
    pv_host_numa_nodes(b, m->sockets);
    pv_host_cpu_features(b, features, PV_COUNT(features));
    pv_host_virt_nested(b, PV_SUPPORT_YES);
    pv_host_virt_iommu(b, PV_SUPPORT_YES);
    pv_host_virt_tpm(b, PV_SUPPORT_YES);
}

static void host_places(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    uint32_t unit = sim_host_unit(e, n), sw = sim_host_switch(e, n);
    uint64_t store = (uint64_t)unit * e->stores_per_unit, net = (uint64_t)sw * SIM_NETS;
    PV_AUTO(ids_free)
    struct ids stores = ids_range(e, PV_KIND_datastore, store, store + e->stores_per_unit);
    PV_AUTO(ids_free) struct ids nets = ids_range(e, PV_KIND_network, net, net + SIM_NETS);
    char other[SIM_ID_MAX];
    const char *const other_item = other;

    pv_host_datacenter(b, datacenter_of(e, unit, other));
    if (e->set.clusters) {
        sim_native_id(e, PV_KIND_cluster, unit, other);
        pv_host_cluster(b, other);
    } else {
        PV_CLEAR(b, host, cluster);
    }
    sim_native_id(e, PV_KIND_switch, sw, other);
    pv_host_switches(b, &other_item, 1);
    pv_host_datastores(b, stores.items, stores.count);
    pv_host_networks(b, nets.items, nets.count);
}

void sim_emit_host(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    bool vmware = sim_is_vmware(e), newer = sim_roll(e, SIM_MACHINE, n) % 4 != 0;
    uint64_t roll = sim_roll(e, SIM_TIMES, 0x1000000000u + n);
    char id[SIM_ID_MAX], name[64], uuid[37], ip[24], identity[128];
    const char *const addresses[] = { ip };

    sim_native_id(e, PV_KIND_host, n, id);
    sim_host_name(e, n, name, sizeof(name));
    sim_uuid(e, SIM_MACHINE, 0x2000000000u + n, 0, uuid);
    snprintf(ip, sizeof(ip), "10.%u.%u.%u", 1 + (unsigned)(sim_roll(e, SIM_SITE, 2) % 15),
             (unsigned)n / 200, 11 + (unsigned)n % 200);
    snprintf(identity, sizeof(identity), "%s %s", uuid, name);

    pv_host_begin(b, id, vmware ? identity : uuid);
    pv_host_name(b, name);
    pv_host_native_type(b, vmware ? "HostSystem" : "Msvm_ComputerSystem");
    host_places(e, b, n);
    pv_host_connection_state(b, PV_CONNECTION_STATE_CONNECTED);
    pv_host_maintenance_mode(b, sim_host_in_maintenance(e, n));
    pv_host_power_state(b, PV_HOST_POWER_ON);
    if (vmware) {
        pv_host_product_name(b, "VMware ESXi");
        pv_host_product_version(b, newer ? "8.0.3" : "7.0.3");
        pv_host_product_build(b, newer ? "24280767" : "23307199");
    } else {
        pv_host_product_name(b, "Microsoft Windows Server 2022 Datacenter");
        pv_host_product_version(b, "10.0.20348");
        pv_host_product_build(b, "20348.2700");
    }
    host_machine(e, b, n, uuid);
    pv_host_boot_time(b, SIM_EPOCH_MS - (int64_t)(roll % (90 * (uint64_t)SIM_DAY_MS)));
    pv_host_addresses(b, addresses, PV_COUNT(addresses));
    pv_host_management_ip(b, ip);
    pv_host_limit_live_migrations(b, vmware ? 8 : 2);
    pv_host_limit_storage_migrations(b, 2);
    host_health(e, b, n);
    sim_emit_host_parts(e, b, n);
}

void sim_emit_pool(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    static const struct {
        const char *name;
        uint64_t shares;
    } pools[SIM_POOLS] = {
        { "Resources", 4000 }, { "Production", 8000 }, { "Test", 2000 }, { "Desktops", 4000 }
    };
    uint32_t unit = n / SIM_POOLS, k = n % SIM_POOLS;
    char id[SIM_ID_MAX], other[SIM_ID_MAX];

    sim_native_id(e, PV_KIND_resource_pool, n, id);
    pv_resource_pool_begin(b, id, NULL);
    pv_resource_pool_name(b, pools[k].name);
    pv_resource_pool_native_type(b, "ResourcePool");
    if (k) {
        sim_native_id(e, PV_KIND_resource_pool, n - k, other);
        pv_resource_pool_parent(b, other);
    }
    if (e->set.clusters) {
        sim_native_id(e, PV_KIND_cluster, unit, other);
        pv_resource_pool_cluster(b, other);
    } else {
        sim_native_id(e, PV_KIND_host, unit, other);
        pv_resource_pool_host(b, other);
    }
    pv_resource_pool_cpu_reservation_mhz(b, 0);
    pv_resource_pool_memory_reservation_bytes(b, 0);
    pv_resource_pool_cpu_shares(b, pools[k].shares);
    pv_resource_pool_memory_shares(b, pools[k].shares * 40);
    SET_HEALTH(resource_pool, b, PV_HEALTH_OK, NULL);
}

static uint32_t count_datacenters(const struct sim_estate *e)
{
    return e->set.datacenters;
}

static uint32_t count_clusters(const struct sim_estate *e)
{
    return e->set.clusters;
}

static uint32_t count_datastores(const struct sim_estate *e)
{
    return e->units * e->stores_per_unit;
}

static uint32_t count_networks(const struct sim_estate *e)
{
    return sim_switch_count(e) * SIM_NETS;
}

static uint32_t count_hosts(const struct sim_estate *e)
{
    return e->set.hosts;
}

static uint32_t count_pools(const struct sim_estate *e)
{
    return sim_is_vmware(e) ? e->units * SIM_POOLS : 0;
}

const struct sim_place sim_places[] = {
    { PV_KIND_datacenter, count_datacenters, sim_emit_datacenter },
    { PV_KIND_cluster, count_clusters, sim_emit_cluster },
    { PV_KIND_datastore, count_datastores, sim_emit_datastore },
    { PV_KIND_switch, sim_switch_count, sim_emit_switch },
    { PV_KIND_network, count_networks, sim_emit_network },
    { PV_KIND_host, count_hosts, sim_emit_host },
    { PV_KIND_resource_pool, count_pools, sim_emit_pool },
    { PV_KIND_NONE, NULL, NULL },
};
