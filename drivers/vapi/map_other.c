/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/tags.h"

#define PATH_MOST 1025
#define VLAN_TEXT_MOST 1024

enum pv_health map_status(const xmlNode *status)
{
    const char *text = value_text(status);

    if (text && strcmp(text, "green") == 0)
        return PV_HEALTH_OK;
    if (text && strcmp(text, "yellow") == 0)
        return PV_HEALTH_WARNING;
    if (text && strcmp(text, "red") == 0)
        return PV_HEALTH_CRITICAL;
    return PV_HEALTH_UNKNOWN;
}

const struct tree_node *map_datacenter(const struct map *m, const char *id)
{
    return tree_above(m->tree, id, TREE_DATACENTER);
}

size_t map_list(const xmlNode *value, const char **items, size_t most)
{
    size_t n = 0;

    for (const xmlNode *item = xml_first(value); item && n < most; item = xml_next(item))
        if (value_text(item))
            items[n++] = value_text(item);
    return n;
}

void map_health(const struct map *m, enum pv_kind kind, const char *id, const xmlNode *status)
{
    enum pv_health health = map_status(status);
    const char *reason = health == PV_HEALTH_CRITICAL ? "status_red" : "status_yellow";
    struct tree_node *node = tree_find(m->tree, id);

    pv_put_number(m->b, kind, PV_SLOT(vm, health), (uint64_t)health);
    pv_put_list(m->b, kind, PV_SLOT(vm, health_reasons), &reason, health > PV_HEALTH_OK);
    if (node)
        node->health = (int)health;
}

/* The fields all kinds share have the same slots, but setters of their own; hence by number. */
void map_common(const struct map *m, enum pv_kind kind, const struct moref *ref,
                const xmlNode *status)
{
    const char *tags[TAGS_OF_ONE_MOST];
    char path[PATH_MOST];

    pv_put_text(m->b, kind, PV_SLOT(vm, native_type), ref->type);
    tree_path(m->tree, ref->id, path, sizeof(path));
    if (path[0])
        pv_put_text(m->b, kind, PV_SLOT(vm, native_path), path);
    if (m->tags) {
        struct tree_node *node = tree_find(m->tree, ref->id);
        size_t n = tags_of(m->tags, ref->id, tags);

        pv_put_list(m->b, kind, PV_SLOT(vm, native_tags), tags, n);
        if (node)
            node->tags = tree_hash_list(tags, n);
    }
    if (status)
        map_health(m, kind, ref->id, status);
}

/* ------------------------------------------------------------------ what others need to know */

static void learn_host(struct tree *t, const struct moref *ref, const struct prop_values *v)
{
    char key[512], text[128];

    for (const xmlNode *pg = xml_first(v->val[HOST_PORTGROUP]); pg; pg = xml_next(pg)) {
        const xmlNode *spec = xml_child(pg, NULL, "spec");
        const char *name = value_field(spec, "name"), *vlan = value_field(spec, "vlanId");
        const char *sw = value_field(spec, "vswitchName");
        char id[256];

        if (!name || !sw)
            continue;
        (void)snprintf(key, sizeof(key), "pg:%s:%s", ref->id, name);
        (void)snprintf(id, sizeof(id), "%s/%s", ref->id, sw);
        tree_note(t, key, vlan ? vlan : "0", id);
    }
    for (const xmlNode *mount = xml_first(v->val[HOST_MOUNTS]); mount; mount = xml_next(mount)) {
        const xmlNode *volume = xml_child(mount, NULL, "volume");
        const char *name = value_field(volume, "name");
        const char *support = value_field(mount, "vStorageSupport");
        const char *unmap = value_field(volume, "unmapPriority");

        if (!name || !support)
            continue;
        (void)snprintf(key, sizeof(key), "vaai:%s:%s", ref->id, name);
        (void)snprintf(text, sizeof(text), "%s %s", support, unmap ? unmap : "-");
        tree_note(t, key, text, xml_xsi_type(volume));
    }
}

/* A host's distributed switches are only known to the switches. */
static void learn_dvs(struct tree *t, const struct moref *ref, const struct prop_values *v)
{
    for (const xmlNode *host = xml_first(v->val[DVS_MEMBERS]); host; host = xml_next(host)) {
        const struct tree_node *note;
        char key[256], ids[1024];

        if (!value_text(host))
            continue;
        (void)snprintf(key, sizeof(key), "dvs-of:%s", value_text(host));
        note = tree_find(t, key);
        if (note && strstr(note->name, ref->id))
            continue;
        (void)snprintf(ids, sizeof(ids), "%s%s ", note ? note->name : "", ref->id);
        tree_note(t, key, ids, NULL);
    }
}

static void forget_uplink(void *ctx, struct tree_node *n)
{
    if (n->type == TREE_NOTE && str_starts(n->id, "uplink:") && strcmp(n->parent, ctx) == 0)
        n->parent[0] = '\0';
}

/* Which of a host's adapters are uplinks, only the switch knows. */
static void learn_uplinks(struct tree *t, const struct moref *ref, const struct prop_values *v)
{
    if (!v->val[DVS_CONFIG])
        return;
    tree_each(t, forget_uplink, (void *)(uintptr_t)ref->id);
    for (const xmlNode *member = xml_child(v->val[DVS_CONFIG], NULL, "host"); member;
         member = xml_next_named(member, NULL, "host")) {
        const char *host = value_text(value_at(member, "config.host"));
        const xmlNode *backing = value_at(member, "config.backing");
        char key[256];

        for (const xmlNode *spec = xml_child(backing, NULL, "pnicSpec"); host && spec;
             spec = xml_next_named(spec, NULL, "pnicSpec")) {
            if (!value_field(spec, "pnicDevice"))
                continue;
            (void)snprintf(key, sizeof(key), "uplink:%s/%s", host, value_field(spec, "pnicDevice"));
            tree_note(t, key, NULL, ref->id);
        }
    }
}

static void learn_network(struct tree *t, const struct moref *ref, const struct prop_values *v)
{
    const char *key = value_text(v->val[NETWORK_KEY]);
    char name[256];

    if (!key)
        key = value_field(v->val[NETWORK_SUMMARY], "opaqueNetworkId");
    if (!key)
        return;
    (void)snprintf(name, sizeof(name), "key:%s", key);
    tree_note(t, name, NULL, ref->id);
}

void map_learn(struct tree *t, const struct moref *ref, const xmlNode *object)
{
    const struct prop_table *table =
        strcmp(ref->type, "VirtualMachine") == 0 ? &props_vm : props_for(props_listing, ref->type);
    struct prop_values v;
    const char *parent;

    if (!table)
        return;
    props_read(table, object, &v);
    /* Every list begins with name and parent. A VM of a vApp has no parent. */
    parent = value_ref_id(v.val[TREE_PARENT]);
    if (!parent && table == &props_vm)
        parent = value_ref_id(v.val[VM_VAPP]);
    /* The root folder is in no path. */
    if (!tree_put(t, ref->type, ref->id, value_text(v.val[TREE_NAME]), parent ? parent : ""))
        return;
    if (table == &props_host) {
        char key[256];

        learn_host(t, ref, &v);
        (void)snprintf(key, sizeof(key), "host-of:%s", parent ? parent : "");
        tree_note(t, key, NULL, ref->id);
    } else if (tree_type_of(ref->type) == TREE_SWITCH) {
        learn_dvs(t, ref, &v);
        learn_uplinks(t, ref, &v);
    }
    if (tree_type_of(ref->type) == TREE_NETWORK)
        learn_network(t, ref, &v);
}

/* ------------------------------------------------------------------ the kinds */

static const char *name_of(const struct map *m, const struct moref *ref)
{
    const struct tree_node *n = tree_find(m->tree, ref->id);

    return n ? n->name : NULL;
}

static void put_datacenter(const struct map *m, enum pv_kind kind, unsigned slot, const char *id)
{
    const struct tree_node *dc = map_datacenter(m, id);

    if (dc)
        pv_put_text(m->b, kind, slot, dc->id);
}

#define DATACENTER(k) put_datacenter(m, PV_KIND_##k, PV_SLOT(k, datacenter), ref->id)

static enum pv_drs_mode drs_mode(const xmlNode *drs)
{
    const char *mode = value_field(drs, "defaultVmBehavior");
    bool on = false;

    if (!value_field_bool(drs, "enabled", &on) || !on)
        return PV_DRS_MODE_OFF;
    if (mode && strcmp(mode, "manual") == 0)
        return PV_DRS_MODE_MANUAL;
    if (mode && strcmp(mode, "partiallyAutomated") == 0)
        return PV_DRS_MODE_PARTIAL;
    return PV_DRS_MODE_FULL;
}

static void map_cluster(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const xmlNode *summary = v->val[CLUSTER_SUMMARY], *config = v->val[CLUSTER_CONFIG];
    const char *evc = value_field(summary, "currentEVCModeKey");
    bool on = false;
    uint64_t n;

    pv_cluster_begin(m->b, ref->id, NULL);
    pv_cluster_name(m->b, name_of(m, ref));
    DATACENTER(cluster);
    pv_cluster_cluster_type(m->b, PV_CLUSTER_TYPE_DRS_HA);
    if (config) {
        (void)value_field_bool(xml_child(config, NULL, "dasConfig"), "enabled", &on);
        pv_cluster_ha_enabled(m->b, on);
        pv_cluster_drs_mode(m->b, drs_mode(xml_child(config, NULL, "drsConfig")));
        map_cluster_config(m, config);
    }
    if (evc)
        pv_cluster_cpu_compat(m->b, evc);
    else if (summary)
        PV_CLEAR(m->b, cluster, cpu_compat);
    if (value_field_u64(summary, "numHosts", &n))
        pv_cluster_hosts_total(m->b, n);
    if (value_field_u64(summary, "totalCpu", &n))
        pv_cluster_cpu_mhz(m->b, n);
    if (value_field_u64(summary, "numCpuCores", &n))
        pv_cluster_cores(m->b, n);
    if (value_field_u64(summary, "totalMemory", &n))
        pv_cluster_memory_bytes(m->b, n);
    map_common(m, PV_KIND_cluster, ref, v->val[CLUSTER_STATUS]);
    if (config)
        map_cluster_rules(m, config);
}

static enum pv_datastore_type datastore_type(const char *text)
{
    static const struct {
        const char *text;
        enum pv_datastore_type type;
    } types[] = {
        { "VMFS", PV_DATASTORE_TYPE_VMFS },   { "NFS", PV_DATASTORE_TYPE_NFS },
        { "NFS41", PV_DATASTORE_TYPE_NFS41 }, { "vsan", PV_DATASTORE_TYPE_VSAN },
        { "VVOL", PV_DATASTORE_TYPE_VVOL },
    };

    for (size_t i = 0; text && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(types[i].text, text) == 0)
            return types[i].type;
    return text ? PV_DATASTORE_TYPE_OTHER : PV_DATASTORE_TYPE_UNKNOWN;
}

struct offload {
    unsigned yes, no, unknown, unmap_yes, unmap_no;
    bool vmfs;
};

/* "vStorageSupported low": what one host says about the volume. Unknown is what a host says until
 * it has tried. */
static void count_offload(struct offload *o, const struct tree_node *note)
{
    bool yes = note && str_starts(note->name, "vStorageSupported");
    bool no = note && str_starts(note->name, "vStorageUnsupported");

    o->yes += yes;
    o->no += no;
    o->unknown += !yes && !no;
    o->vmfs = o->vmfs || (note && strcmp(note->parent, "HostVmfsVolume") == 0);
    o->unmap_yes += yes && str_ends(note->name, " low");
    o->unmap_no += note && str_ends(note->name, " none");
}

static enum pv_support agreed(unsigned yes, unsigned no, unsigned all)
{
    if (all > 0 && yes == all)
        return PV_SUPPORT_YES;
    if (all > 0 && no == all)
        return PV_SUPPORT_NO;
    return PV_SUPPORT_UNKNOWN;
}

/* vSphere tells only whether a host offloads to the volume at all; the single primitives follow for
 * VMFS. A NAS array that helps does full copies; locks and zeros are not its business. */
static void put_offload(const struct map *m, const char *name, const char *const *hosts,
                        size_t nhosts)
{
    struct offload o = { 0 };
    unsigned all = (unsigned)nhosts;
    enum pv_support any;

    for (size_t i = 0; i < nhosts; i++) {
        char key[512];

        (void)snprintf(key, sizeof(key), "vaai:%s:%s", hosts[i], name ? name : "");
        count_offload(&o, tree_find(m->tree, key));
    }
    any = agreed(o.yes, o.no, all);
    pv_datastore_offload_full_copy(m->b, any);
    pv_datastore_offload_block_zero(m->b, o.vmfs ? any : PV_SUPPORT_UNKNOWN);
    pv_datastore_offload_ats(m->b, o.vmfs ? any : PV_SUPPORT_UNKNOWN);
    pv_datastore_offload_unmap(
        m->b, o.vmfs ? (any == PV_SUPPORT_NO ? PV_SUPPORT_NO : agreed(o.unmap_yes, o.unmap_no, all))
                     : PV_SUPPORT_UNKNOWN);
}

static void map_datastore(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const xmlNode *summary = v->val[DATASTORE_SUMMARY];
    const char *url = value_field(summary, "url"), *mode = value_field(summary, "maintenanceMode");
    const char *hosts[MAP_LIST_MOST];
    uint64_t capacity, free_bytes, uncommitted = 0;
    size_t n = 0;
    bool yes;

    pv_datastore_begin(m->b, ref->id, url);
    pv_datastore_name(m->b, name_of(m, ref));
    DATACENTER(datastore);
    pv_datastore_datastore_type(m->b, datastore_type(value_field(summary, "type")));
    (void)value_field_u64(summary, "uncommitted", &uncommitted);
    if (value_field_u64(summary, "capacity", &capacity) &&
        value_field_u64(summary, "freeSpace", &free_bytes) && free_bytes <= capacity) {
        pv_datastore_capacity_bytes(m->b, capacity);
        pv_datastore_free_bytes(m->b, free_bytes);
        pv_datastore_provisioned_bytes(m->b, capacity - free_bytes + uncommitted);
    }
    if (value_field_bool(summary, "multipleHostAccess", &yes))
        pv_datastore_shared(m->b, yes);
    if (value_field_bool(summary, "accessible", &yes))
        pv_datastore_accessible(m->b, yes);
    pv_datastore_root_path(m->b, url);
    pv_datastore_maintenance(m->b, mode && strcmp(mode, "normal") != 0);
    if (v->val[DATASTORE_THIN] && xml_bool(v->val[DATASTORE_THIN], &yes))
        pv_datastore_supports_thin(m->b, yes ? PV_SUPPORT_YES : PV_SUPPORT_NO);
    pv_datastore_supports_reflink(m->b, PV_SUPPORT_NO);
    for (const xmlNode *h = xml_first(v->val[DATASTORE_MOUNTS]); h && n < MAP_LIST_MOST;
         h = xml_next(h))
        if (value_field(h, "key"))
            hosts[n++] = value_field(h, "key");
    pv_datastore_hosts(m->b, hosts, n);
    put_offload(m, name_of(m, ref), hosts, n);
    map_common(m, PV_KIND_datastore, ref, v->val[DATASTORE_STATUS]);
    map_datastore_usage(m, ref->id, xml_child(summary, NULL, "capacity"),
                        xml_child(summary, NULL, "freeSpace"));
}

static void map_dvs(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const xmlNode *config = v->val[DVS_CONFIG];
    const char *uplinks[64];
    size_t n = 0;
    uint64_t mtu;

    pv_switch_begin(m->b, ref->id, value_field(config, "uuid"));
    pv_switch_name(m->b, name_of(m, ref));
    DATACENTER(switch);
    pv_switch_switch_type(m->b, PV_SWITCH_TYPE_DISTRIBUTED);
    for (const xmlNode *u = xml_first(xml_child(config, NULL, "uplinkPortPolicy")); u && n < 64;
         u = xml_next(u))
        if (xml_is(u, NULL, "uplinkPortName") && value_text(u))
            uplinks[n++] = value_text(u);
    pv_switch_uplinks(m->b, uplinks, n);
    if (value_field_u64(config, "maxMtu", &mtu))
        pv_switch_mtu(m->b, mtu);
    map_common(m, PV_KIND_switch, ref, v->val[DVS_STATUS]);
}

static void put_vlan_ranges(const struct map *m, const xmlNode *vlan)
{
    struct buf text;

    buf_init(&text, VLAN_TEXT_MOST);
    for (const xmlNode *r = xml_child(vlan, NULL, "vlanId"); r;
         r = xml_next_named(r, NULL, "vlanId")) {
        uint64_t first, last;

        if (!value_field_u64(r, "start", &first) || !value_field_u64(r, "end", &last))
            continue;
        buf_printf(&text, first == last ? "%s%u" : "%s%u-%u", text.len ? "," : "", (unsigned)first,
                   (unsigned)last);
    }
    if (buf_ok(&text) && text.data)
        pv_network_vlan_allowed(m->b, text.data);
    buf_free(&text);
}

static void put_distributed_vlan(const struct map *m, const xmlNode *port)
{
    const xmlNode *vlan = xml_child(port, NULL, "vlan");
    const char *type = xml_xsi_type(vlan);
    uint64_t id = 0;

    if (!type)
        return;
    if (strstr(type, "TrunkVlanSpec")) {
        pv_network_vlan_mode(m->b, PV_VLAN_MODE_TRUNK);
        put_vlan_ranges(m, vlan);
    } else if (value_field_u64(vlan, "vlanId", &id) && id > 0) {
        pv_network_vlan_mode(m->b, PV_VLAN_MODE_ACCESS);
        pv_network_vlan_id(m->b, id);
    } else {
        pv_network_vlan_mode(m->b, PV_VLAN_MODE_UNTAGGED);
        PV_CLEAR(m->b, network, vlan_id);
    }
}

/* A standard network is what hosts call by one name. Its VLAN counts when they agree, its switch
 * when there is one. */
static void put_standard_vlan(const struct map *m, const char *name, const char *const *hosts,
                              size_t n)
{
    const struct tree_node *first = NULL;
    uint64_t vlan;

    for (size_t i = 0; i < n; i++) {
        const struct tree_node *note;
        char key[512];

        (void)snprintf(key, sizeof(key), "pg:%s:%s", hosts[i], name ? name : "");
        note = tree_find(m->tree, key);
        if (!note)
            continue;
        if (first && strcmp(first->name, note->name) != 0)
            return;
        first = note;
    }
    if (!first || !str_u64(first->name, strlen(first->name), 4095, &vlan))
        return;
    if (n == 1)
        pv_network_switch_(m->b, first->parent);
    pv_network_vlan_mode(m->b, vlan == 0      ? PV_VLAN_MODE_UNTAGGED
                               : vlan == 4095 ? PV_VLAN_MODE_TRUNK
                                              : PV_VLAN_MODE_ACCESS);
    if (vlan > 0 && vlan < 4095)
        pv_network_vlan_id(m->b, vlan);
    else
        PV_CLEAR(m->b, network, vlan_id);
}

static void map_network(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const char *hosts[MAP_LIST_MOST], *sw = value_ref_id(v->val[NETWORK_DVS]);
    size_t n = map_list(v->val[NETWORK_HOSTS], hosts, MAP_LIST_MOST);
    bool yes;

    pv_network_begin(m->b, ref->id, NULL);
    pv_network_name(m->b, name_of(m, ref));
    DATACENTER(network);
    if (strcmp(ref->type, "DistributedVirtualPortgroup") == 0) {
        pv_network_network_type(m->b, PV_NETWORK_TYPE_DISTRIBUTED);
        pv_network_switch_(m->b, sw);
        put_distributed_vlan(m, v->val[NETWORK_PORT]);
    } else if (strcmp(ref->type, "OpaqueNetwork") == 0) {
        pv_network_network_type(m->b, PV_NETWORK_TYPE_OPAQUE);
    } else {
        pv_network_network_type(m->b, PV_NETWORK_TYPE_STANDARD);
        put_standard_vlan(m, name_of(m, ref), hosts, n);
    }
    if (value_field_bool(v->val[NETWORK_SUMMARY], "accessible", &yes))
        pv_network_accessible(m->b, yes);
    pv_network_hosts(m->b, hosts, n);
    map_common(m, PV_KIND_network, ref, v->val[NETWORK_STATUS]);
}

static void put_share(struct pv_builder *b, const xmlNode *alloc, unsigned shift,
                      const unsigned slots[3])
{
    uint64_t n;

    if (value_field_u64(alloc, "reservation", &n) && n < 1u << 30)
        pv_put_number(b, PV_KIND_resource_pool, slots[0], n << shift);
    if (value_field_u64(alloc, "limit", &n) && n < UINT64_C(1) << 32)
        pv_put_number(b, PV_KIND_resource_pool, slots[1], n << shift);
    else if (alloc)
        pv_put_number(b, PV_KIND_resource_pool, slots[1], PV_NULL);
    if (value_u64(value_at(alloc, "shares.shares"), &n))
        pv_put_number(b, PV_KIND_resource_pool, slots[2], n);
}

static void map_pool(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    static const unsigned cpu[3] = { PV_SLOT(resource_pool, cpu_reservation_mhz),
                                     PV_SLOT(resource_pool, cpu_limit_mhz),
                                     PV_SLOT(resource_pool, cpu_shares) };
    static const unsigned memory[3] = { PV_SLOT(resource_pool, memory_reservation_bytes),
                                        PV_SLOT(resource_pool, memory_limit_bytes),
                                        PV_SLOT(resource_pool, memory_shares) };
    const char *parent = value_ref_id(v->val[POOL_PARENT]);
    const struct tree_node *above = parent ? tree_find(m->tree, parent) : NULL;
    struct moref owner;

    pv_resource_pool_begin(m->b, ref->id, NULL);
    pv_resource_pool_name(m->b, name_of(m, ref));
    if (above && above->type == TREE_POOL)
        pv_resource_pool_parent(m->b, above->id);
    else
        PV_CLEAR(m->b, resource_pool, parent);
    if (value_ref(v->val[POOL_OWNER], &owner)) {
        if (strcmp(owner.type, "ClusterComputeResource") == 0) {
            pv_resource_pool_cluster(m->b, owner.id);
        } else {
            char key[256];
            const struct tree_node *host;

            (void)snprintf(key, sizeof(key), "host-of:%s", owner.id);
            host = tree_find(m->tree, key);
            if (host)
                pv_resource_pool_host(m->b, host->parent);
        }
    }
    put_share(m->b, value_at(v->val[POOL_CONFIG], "cpuAllocation"), 0, cpu);
    put_share(m->b, value_at(v->val[POOL_CONFIG], "memoryAllocation"), 20, memory);
    map_common(m, PV_KIND_resource_pool, ref, v->val[POOL_STATUS]);
}

void map_other(const struct map *m, const struct moref *ref, const xmlNode *object)
{
    const struct prop_table *table = props_for(props_listing, ref->type);
    struct prop_values v;

    if (!table)
        return;
    props_read(table, object, &v);
    switch (tree_type_of(ref->type)) {
    case TREE_DATACENTER:
        pv_datacenter_begin(m->b, ref->id, NULL);
        pv_datacenter_name(m->b, name_of(m, ref));
        map_common(m, PV_KIND_datacenter, ref, NULL);
        break;
    case TREE_CLUSTER:
        map_cluster(m, ref, &v);
        break;
    case TREE_DATASTORE:
        map_datastore(m, ref, &v);
        break;
    case TREE_SWITCH:
        map_dvs(m, ref, &v);
        break;
    case TREE_NETWORK:
        map_network(m, ref, &v);
        break;
    case TREE_HOST:
        map_host(m, ref, object);
        break;
    case TREE_POOL:
        map_pool(m, ref, &v);
        break;
    default:
        break;
    }
}
