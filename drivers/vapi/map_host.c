/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/map.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

static enum pv_connection_state connection_state(const char *text)
{
    if (text && strcmp(text, "connected") == 0)
        return PV_CONNECTION_STATE_CONNECTED;
    if (text && strcmp(text, "disconnected") == 0)
        return PV_CONNECTION_STATE_DISCONNECTED;
    if (text && strcmp(text, "notResponding") == 0)
        return PV_CONNECTION_STATE_NOT_RESPONDING;
    return PV_CONNECTION_STATE_UNKNOWN;
}

static enum pv_host_power host_power(const char *text)
{
    if (text && strcmp(text, "poweredOn") == 0)
        return PV_HOST_POWER_ON;
    if (text && strcmp(text, "poweredOff") == 0)
        return PV_HOST_POWER_OFF;
    if (text && strcmp(text, "standBy") == 0)
        return PV_HOST_POWER_STANDBY;
    return PV_HOST_POWER_UNKNOWN;
}

static uint64_t state_of(const struct prop_values *v)
{
    const char *const state[] = { value_text(v->val[HOST_CONNECTION]),
                                  value_text(v->val[HOST_MAINTENANCE]),
                                  value_text(v->val[HOST_POWER]) };

    return tree_hash_list(state, sizeof(state) / sizeof(state[0]));
}

static void remember(const struct map *m, const struct moref *ref, uint64_t state)
{
    struct tree_node *node = tree_find(m->tree, ref->id);

    if (node)
        node->state = state;
}

/* Makers disagree about where the serial number is; these are the keys seen, best first. */
static const char *serial_number(const xmlNode *hardware)
{
    static const char *const keys[] = { "SerialNumberTag", "EnclosureSerialNumberTag",
                                        "ServiceTag" };

    if (value_field(hardware, "serialNumber"))
        return value_field(hardware, "serialNumber");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        for (const xmlNode *info = xml_child(hardware, NULL, "otherIdentifyingInfo"); info;
             info = xml_next_named(info, NULL, "otherIdentifyingInfo")) {
            const char *key = value_text(value_at(info, "identifierType.key"));

            if (key && strcmp(key, keys[i]) == 0)
                return value_field(info, "identifierValue");
        }
    }
    return NULL;
}

static void put_hardware(const struct map *m, const xmlNode *hardware)
{
    uint64_t n;

    pv_host_vendor(m->b, value_field(hardware, "vendor"));
    pv_host_model(m->b, value_field(hardware, "model"));
    pv_host_serial(m->b, serial_number(hardware));
    pv_host_bios_uuid(m->b, value_field(hardware, "uuid"));
    pv_host_cpu_model(m->b, value_field(hardware, "cpuModel"));
    if (value_field_u64(hardware, "numCpuPkgs", &n))
        pv_host_sockets(m->b, n);
    if (value_field_u64(hardware, "numCpuCores", &n))
        pv_host_cores(m->b, n);
    if (value_field_u64(hardware, "numCpuThreads", &n))
        pv_host_threads(m->b, n);
    if (value_field_u64(hardware, "cpuMhz", &n))
        pv_host_cpu_mhz(m->b, n);
    if (value_field_u64(hardware, "memorySize", &n))
        pv_host_memory_bytes(m->b, n);
}

static void put_addresses(const struct map *m, const xmlNode *vnics)
{
    const char *all[32], *management = NULL;
    size_t n = 0;

    for (const xmlNode *nic = xml_first(vnics); nic && n < 32; nic = xml_next(nic)) {
        const char *ip = value_text(value_at(nic, "spec.ip.ipAddress"));
        const char *device = value_field(nic, "device");

        if (!ip)
            continue;
        all[n++] = ip;
        if (device && strcmp(device, "vmk0") == 0)
            management = ip;
    }
    if (!vnics)
        return;
    pv_host_addresses(m->b, all, n);
    pv_host_management_ip(m->b, management ? management : n > 0 ? all[0] : NULL);
}

static void put_support(const struct map *m, unsigned slot, const xmlNode *value)
{
    bool yes;

    if (value && xml_bool(value, &yes))
        pv_put_number(m->b, PV_KIND_host, slot, yes ? PV_SUPPORT_YES : PV_SUPPORT_NO);
}

static void switch_id(char *out, size_t cap, const char *host, const char *name)
{
    (void)snprintf(out, cap, "%s/%s", host, name);
}

static void put_switches(const struct map *m, const char *host, const xmlNode *vswitches)
{
    char ids[32][256], key[256], dvs[1024];
    const char *items[48];
    const struct tree_node *note;
    size_t n = 0;

    for (const xmlNode *sw = xml_first(vswitches); sw && n < 32; sw = xml_next(sw)) {
        const char *name = value_field(sw, "name");

        if (!name)
            continue;
        switch_id(ids[n], sizeof(ids[n]), host, name);
        items[n] = ids[n];
        n++;
    }
    (void)snprintf(key, sizeof(key), "dvs-of:%s", host);
    note = tree_find(m->tree, key);
    (void)str_copy(dvs, sizeof(dvs), note ? note->name : "");
    for (char *at = dvs; *at && n < 48;) {
        size_t len = strcspn(at, " ");
        char *next = at[len] ? at + len + 1 : at + len;

        at[len] = '\0';
        items[n++] = at;
        at = next;
    }
    if (vswitches || note)
        pv_host_switches(m->b, items, n);
}

void map_host(const struct map *m, const struct moref *ref, const xmlNode *object)
{
    const struct tree_node *node = tree_find(m->tree, ref->id);
    const struct tree_node *cluster = tree_above(m->tree, ref->id, TREE_CLUSTER);
    const struct tree_node *dc = map_datacenter(m, ref->id);
    const char *items[MAP_LIST_MOST];
    const xmlNode *product;
    struct prop_values v;
    uint64_t number;
    int64_t ms;
    bool yes;

    props_read(&props_host, object, &v);
    product = v.val[HOST_PRODUCT];
    pv_host_begin(m->b, ref->id, NULL);
    pv_host_name(m->b, node ? node->name : NULL);
    pv_host_datacenter(m->b, dc ? dc->id : NULL);
    if (cluster)
        pv_host_cluster(m->b, cluster->id);
    else
        PV_CLEAR(m->b, host, cluster);
    pv_host_connection_state(m->b, connection_state(value_text(v.val[HOST_CONNECTION])));
    if (v.val[HOST_MAINTENANCE] && xml_bool(v.val[HOST_MAINTENANCE], &yes))
        pv_host_maintenance_mode(m->b, yes);
    pv_host_power_state(m->b, host_power(value_text(v.val[HOST_POWER])));
    pv_host_product_name(m->b, value_field(product, "name"));
    pv_host_product_version(m->b, value_field(product, "version"));
    pv_host_product_build(m->b, value_field(product, "build"));
    put_hardware(m, v.val[HOST_HARDWARE]);
    if (value_u64(v.val[HOST_NUMA], &number))
        pv_host_numa_nodes(m->b, number);
    if (value_time(v.val[HOST_BOOT], &ms))
        pv_host_boot_time(m->b, ms);
    put_addresses(m, v.val[HOST_VNIC]);
    put_support(m, PV_SLOT(host, virt_nested), v.val[HOST_NESTED]);
    put_support(m, PV_SLOT(host, virt_tpm), v.val[HOST_TPM]);
    put_switches(m, ref->id, v.val[HOST_VSWITCH]);
    if (v.val[HOST_DATASTORES])
        pv_host_datastores(m->b, items, map_list(v.val[HOST_DATASTORES], items, MAP_LIST_MOST));
    if (v.val[HOST_NETWORKS])
        pv_host_networks(m->b, items, map_list(v.val[HOST_NETWORKS], items, MAP_LIST_MOST));
    map_host_certificate(m, v.val[HOST_CERTIFICATE]);
    map_common(m, PV_KIND_host, ref, v.val[HOST_STATUS]);
    map_host_parts(m, ref, &v);
    remember(m, ref, state_of(&v));
    map_host_usage(m, ref->id, v.val[HOST_QUICK], v.val[HOST_HARDWARE]);
}

void map_host_change(const struct map *m, const struct moref *ref, const xmlNode *object,
                     bool whole)
{
    const struct tree_node *node = tree_find(m->tree, ref->id);
    struct prop_values v;
    bool yes;

    props_read(&props_host, object, &v);
    if (whole && node && node->state == state_of(&v))
        return;
    if (!v.known[HOST_CONNECTION] && !v.known[HOST_MAINTENANCE] && !v.known[HOST_POWER])
        return;
    remember(m, ref, whole ? state_of(&v) : 0);
    pv_host_begin(m->b, ref->id, NULL);
    if (v.val[HOST_CONNECTION])
        pv_host_connection_state(m->b, connection_state(value_text(v.val[HOST_CONNECTION])));
    if (v.val[HOST_MAINTENANCE] && xml_bool(v.val[HOST_MAINTENANCE], &yes))
        pv_host_maintenance_mode(m->b, yes);
    if (v.val[HOST_POWER])
        pv_host_power_state(m->b, host_power(value_text(v.val[HOST_POWER])));
}

/* "key-vim.host.PhysicalNic-vmnic0": people know it as vmnic0. */
static const char *pnic_name(const xmlNode *pnics, const char *key)
{
    for (const xmlNode *nic = xml_first(pnics); nic; nic = xml_next(nic)) {
        const char *own = value_field(nic, "key");

        if (own && strcmp(own, key) == 0 && value_field(nic, "device"))
            return value_field(nic, "device");
    }
    return key;
}

void map_host_switches(const struct map *m, const struct moref *ref, const xmlNode *object)
{
    const struct tree_node *node = tree_find(m->tree, ref->id);
    const struct tree_node *dc = map_datacenter(m, ref->id);
    struct prop_values v;

    props_read(&props_host, object, &v);
    for (const xmlNode *sw = xml_first(v.val[HOST_VSWITCH]); sw; sw = xml_next(sw)) {
        const char *name = value_field(sw, "name"), *uplinks[64];
        const char *teaming = value_text(value_at(sw, "spec.policy.nicTeaming.policy"));
        char id[256], path[1100];
        uint64_t mtu;
        size_t n = 0;

        if (!name)
            continue;
        switch_id(id, sizeof(id), ref->id, name);
        pv_switch_begin(m->b, id, NULL);
        pv_switch_name(m->b, name);
        pv_switch_native_type(m->b, "HostVirtualSwitch");
        pv_switch_datacenter(m->b, dc ? dc->id : NULL);
        pv_switch_switch_type(m->b, PV_SWITCH_TYPE_STANDARD);
        pv_switch_host(m->b, ref->id);
        for (const xmlNode *p = xml_child(sw, NULL, "pnic"); p && n < 64;
             p = xml_next_named(p, NULL, "pnic"))
            if (value_text(p))
                uplinks[n++] = pnic_name(v.val[HOST_PNIC], value_text(p));
        pv_switch_uplinks(m->b, uplinks, n);
        if (value_field_u64(sw, "mtu", &mtu))
            pv_switch_mtu(m->b, mtu);
        pv_switch_teaming(m->b, teaming);
        if (node) {
            tree_path(m->tree, ref->id, path, sizeof(path) - 70);
            (void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%.64s", name);
            pv_switch_native_path(m->b, path);
        }
    }
}
