/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes, shares, disk files, and the failover cluster. */
#include "drivers/wmi/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#define NODES_MOST 64u
#define JSON_MOST 16384u
#define SHARES_MOST 256u

#define VOLUME(prop) P(Win32_Volume, prop)
#define CSV(prop) P(MSCluster_ClusterSharedVolume, prop)
#define PART(prop) P(MSCluster_DiskPartition, prop)

static const char *lower(const struct map *m, const char *text)
{
    char *out = text ? arena_strdup(m->s->a, text) : NULL;

    for (char *p = out; p && *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return out;
}

/* ------------------------------------------------------------------ volumes */

static enum pv_datastore_type type_of(const char *file_system)
{
    if (sight_same(file_system, "NTFS"))
        return PV_DATASTORE_TYPE_NTFS;
    if (sight_same(file_system, "ReFS"))
        return PV_DATASTORE_TYPE_REFS;
    if (sight_same(file_system, "CSVFS"))
        return PV_DATASTORE_TYPE_CSV;
    return file_system && *file_system ? PV_DATASTORE_TYPE_OTHER : PV_DATASTORE_TYPE_UNKNOWN;
}

/* A full disk stops VMs; thresholds are coarse, so that health does not swing. */
static void put_space(const struct map *m, uint64_t capacity, uint64_t left)
{
    static const char *const low[] = { "space_low" }, *const out[] = { "space_critical" };

    pv_datastore_capacity_bytes(m->b, capacity);
    pv_datastore_free_bytes(m->b, left);
    if (capacity == 0)
        return;
    if (left < capacity / 100) {
        pv_datastore_health(m->b, PV_HEALTH_CRITICAL);
        pv_datastore_health_reasons(m->b, out, 1);
    } else if (left < capacity / 20) {
        pv_datastore_health(m->b, PV_HEALTH_WARNING);
        pv_datastore_health_reasons(m->b, low, 1);
    } else {
        pv_datastore_health(m->b, PV_HEALTH_OK);
        pv_datastore_health_reasons(m->b, NULL, 0);
    }
}

static void put_common(const struct map *m, enum pv_datastore_type type, const char *root)
{
    bool block_clone = type == PV_DATASTORE_TYPE_REFS;

    pv_datastore_datastore_type(m->b, type);
    pv_datastore_root_path(m->b, root);
    pv_datastore_accessible(m->b, true);
    pv_datastore_maintenance(m->b, false);
    pv_datastore_supports_thin(m->b, PV_SUPPORT_YES);
    pv_datastore_supports_reflink(m->b, block_clone                      ? PV_SUPPORT_YES
                                        : type == PV_DATASTORE_TYPE_NTFS ? PV_SUPPORT_NO
                                                                         : PV_SUPPORT_UNKNOWN);
    /* ODX is the array's business; WMI does not tell. */
    pv_datastore_offload_full_copy(m->b, block_clone ? PV_SUPPORT_YES : PV_SUPPORT_UNKNOWN);
    pv_datastore_offload_block_zero(m->b, PV_SUPPORT_UNKNOWN);
    pv_datastore_offload_ats(m->b, PV_SUPPORT_NO);
    pv_datastore_offload_unmap(m->b, PV_SUPPORT_UNKNOWN);
    pv_datastore_hosts(m->b, &m->w->host_id, 1);
}

static const struct cim_instance *csv_of(const struct map *m, const char *volume)
{
    const struct cim_list *l = &m->s->lists[SIGHT_CSV];
    char own[SIGHT_GUID], other[SIGHT_GUID];

    if (!sight_guid(volume, 0, own))
        return NULL;
    for (size_t i = 0; i < l->count; i++)
        if (sight_guid(cim_str(l->items[i], CSV(VolumeName)), 0, other) && strcmp(own, other) == 0)
            return l->items[i];
    return NULL;
}

/* Fixed disks with a file system and a place in the tree; recovery and boot partitions have none.
 */
static bool is_store(const struct cim_instance *o)
{
    const char *name = cim_str(o, VOLUME(Name)), *fs = cim_str(o, VOLUME(FileSystem));
    uint64_t type = 3, capacity = 0;

    (void)cim_get_uint(o, VOLUME(DriveType), &type);
    (void)cim_get_uint(o, VOLUME(Capacity), &capacity);
    return type == 3 && capacity > 0 && fs && *fs && !sight_same(fs, "FAT32") && name &&
           !str_starts(name, "\\\\?\\") && cim_str(o, VOLUME(DeviceID));
}

static void map_volume(const struct map *m, const struct cim_instance *o)
{
    const char *device = cim_str(o, VOLUME(DeviceID)), *name = cim_str(o, VOLUME(Name));
    const char *label = cim_str(o, VOLUME(Label)), *fs = cim_str(o, VOLUME(FileSystem));
    const char *id = lower(m, device);
    uint64_t capacity = 0, left = 0;

    pv_datastore_begin(m->b, id, id);
    pv_datastore_name(m->b, label && *label ? arena_printf(m->s->a, "%s (%s)", label, name) : name);
    pv_datastore_native_type(m->b, "Win32_Volume");
    put_common(m, type_of(fs), name);
    pv_datastore_shared(m->b, false);
    if (cim_get_uint(o, VOLUME(Capacity), &capacity) && cim_get_uint(o, VOLUME(FreeSpace), &left))
        put_space(m, capacity, left);
}

static const struct cim_instance *partition_of(const struct map *m, const struct cim_instance *csv)
{
    const struct cim_list *l = &m->s->lists[SIGHT_PARTITION];
    const char *folder = cim_str(csv, CSV(Name));
    char own[SIGHT_GUID], other[SIGHT_GUID];
    bool has_guid = sight_guid(cim_str(csv, CSV(VolumeName)), 0, own);

    for (size_t i = 0; i < l->count; i++) {
        if (has_guid && sight_guid(cim_str(l->items[i], PART(VolumeGuid)), 0, other) &&
            strcmp(own, other) == 0)
            return l->items[i];
        if (sight_same(cim_str(l->items[i], PART(Path)), folder))
            return l->items[i];
    }
    return NULL;
}

static const char *last_part(const char *path)
{
    const char *at = path ? strrchr(path, '\\') : NULL;

    return at && at[1] ? at + 1 : path;
}

/* Free space of a cluster's partitions is told in MB. */
static void map_csv(const struct map *m, const struct cim_instance *o)
{
    static const char *const redirected[] = { "redirected_access" };
    static const char *const out[] = { "not_available" };
    const struct cim_instance *part = partition_of(m, o);
    const char *folder = cim_str(o, CSV(Name)), *id = lower(m, cim_str(o, CSV(VolumeName)));
    const char *label = cim_str(part, PART(VolumeLabel));
    const char *nodes[NODES_MOST];
    uint64_t capacity, left, fault = 0;

    if (!id || !folder)
        return;
    nodes[0] = m->w->host_id;
    /* Each node reports it. The cluster's name belongs to its identity: copies of a volume have its
     * GUID. */
    pv_datastore_begin(
        m->b, id, m->w->cluster_id ? arena_printf(m->s->a, "%s %s", m->w->cluster_id, id) : id);
    if (m->w->cluster_id)
        pv_put_shared(m->b, PV_KIND_datastore);
    pv_datastore_name(m->b, label && *label
                                ? arena_printf(m->s->a, "%s (%s)", label, last_part(folder))
                                : last_part(folder));
    pv_datastore_native_type(m->b, "MSCluster_ClusterSharedVolume");
    put_common(m, PV_DATASTORE_TYPE_CSV, folder);
    pv_datastore_hosts(m->b, nodes, 1);
    pv_datastore_shared(m->b, true);
    if (cim_get_uint(part, PART(TotalSize), &capacity) &&
        cim_get_uint(part, PART(FreeSpace), &left) && capacity < UINT64_C(1) << 33 &&
        left <= capacity)
        put_space(m, capacity << 20, left << 20);
    (void)cim_get_uint(o, CSV(FaultState), &fault);
    if (fault == 4) {
        pv_datastore_health(m->b, PV_HEALTH_CRITICAL);
        pv_datastore_health_reasons(m->b, out, 1);
        pv_datastore_accessible(m->b, false);
    } else if (fault == 1 || fault == 2 || fault == 3) {
        pv_datastore_health(m->b, PV_HEALTH_WARNING);
        pv_datastore_health_reasons(m->b, redirected, 1);
    }
}

/* ------------------------------------------------------------------ shares that VMs use */

struct shares {
    const char *ids[SHARES_MOST];
    size_t n;
};

static void note_share(const struct map *m, struct shares *s, const char *path)
{
    const char *id = world_share(m->s->a, path);

    if (!id)
        return;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->ids[i], id) == 0)
            return;
    if (s->n < SHARES_MOST)
        s->ids[s->n++] = id;
}

/* Each host that uses it reports it. A server's name without a domain means what the host's domain
 * makes of it. */
static const char *share_identity(const struct map *m, const char *id)
{
    const char *end = strchr(id + 2, '\\'), *domain = strchr(m->w->host_id, '.');
    size_t len = end ? (size_t)(end - id) - 2 : strlen(id + 2);
    bool whole = memchr(id + 2, '.', len) && strspn(id + 2, "0123456789.") < len;

    return whole || !domain ? id : arena_printf(m->s->a, "%s %s", domain + 1, id);
}

/* Nobody lists shares: they are known from the paths of disks, and their space from drives of the
 * host's own. */
static void map_shares(const struct map *m)
{
    const struct cim_list *media = &m->s->lists[SIGHT_STORAGE];
    const struct cim_list *drives = &m->s->lists[SIGHT_SHARE];
    struct shares s = { .n = 0 };

    for (size_t i = 0; i < media->count; i++)
        note_share(
            m, &s,
            cim_str_at(media->items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0));
    for (size_t i = 0; i < s.n; i++) {
        pv_datastore_begin(m->b, s.ids[i], share_identity(m, s.ids[i]));
        pv_put_shared(m->b, PV_KIND_datastore);
        pv_datastore_name(m->b, arena_text(m->s->a, s.ids[i], strlen(s.ids[i]) - 1));
        pv_datastore_native_type(m->b, "share");
        put_common(m, PV_DATASTORE_TYPE_SMB, s.ids[i]);
        pv_datastore_shared(m->b, true);
        pv_datastore_health(m->b, PV_HEALTH_UNKNOWN);
        for (size_t k = 0; k < drives->count; k++) {
            const struct cim_instance *o = drives->items[k];
            const char *id = world_share(m->s->a, cim_str(o, P(Win32_LogicalDisk, ProviderName)));
            uint64_t capacity, left;

            if (id && strcmp(id, s.ids[i]) == 0 &&
                cim_get_uint(o, P(Win32_LogicalDisk, Size), &capacity) &&
                cim_get_uint(o, P(Win32_LogicalDisk, FreeSpace), &left))
                put_space(m, capacity, left);
        }
    }
}

void map_datastores(const struct map *m)
{
    const struct cim_list *volumes = &m->s->lists[SIGHT_VOLUME], *csvs = &m->s->lists[SIGHT_CSV];

    for (size_t i = 0; i < volumes->count; i++)
        if (is_store(volumes->items[i]) &&
            !csv_of(m, cim_str(volumes->items[i], VOLUME(DeviceID))) &&
            !world_shared_volume(m->s, cim_str(volumes->items[i], VOLUME(Name))))
            map_volume(m, volumes->items[i]);
    for (size_t i = 0; i < csvs->count; i++)
        map_csv(m, csvs->items[i]);
    map_shares(m);
}

static void put_usage(const struct map *m, const char *id, uint64_t capacity, uint64_t left)
{
    if (!id || left > capacity)
        return;
    pv_usage_begin(m->b, id, NULL);
    pv_usage_subject_kind(m->b, (uint64_t)PV_KIND_datastore);
    pv_usage_time(m->b, m->now_ms);
    pv_usage_storage_free_bytes(m->b, left);
    pv_usage_storage_used_bytes(m->b, capacity - left);
}

void map_datastore_usage(const struct map *m)
{
    const struct cim_list *volumes = &m->s->lists[SIGHT_VOLUME];
    const struct cim_list *parts = &m->s->lists[SIGHT_PARTITION];
    uint64_t capacity, left;

    for (size_t i = 0; i < volumes->count; i++) {
        const struct cim_instance *o = volumes->items[i];

        if (is_store(o) && cim_get_uint(o, VOLUME(Capacity), &capacity) &&
            cim_get_uint(o, VOLUME(FreeSpace), &left))
            put_usage(m, lower(m, cim_str(o, VOLUME(DeviceID))), capacity, left);
    }
    for (size_t i = 0; i < parts->count; i++) {
        const struct cim_instance *o = parts->items[i];
        const char *path = cim_str(o, PART(Path));

        if (path && cim_get_uint(o, PART(TotalSize), &capacity) &&
            cim_get_uint(o, PART(FreeSpace), &left) && capacity < UINT64_C(1) << 33)
            put_usage(m, world_datastore(m->w, m->s->a, arena_printf(m->s->a, "%s\\", path)),
                      capacity << 20, left << 20);
    }
}

/* ------------------------------------------------------------------ disk files */

void map_image(const struct map *m, const struct image *im)
{
    static const enum pv_disk_format formats[] = { PV_DISK_FORMAT_UNKNOWN, PV_DISK_FORMAT_UNKNOWN,
                                                   PV_DISK_FORMAT_VHD, PV_DISK_FORMAT_VHDX,
                                                   PV_DISK_FORMAT_VHDS };
    static const enum pv_provisioning layouts[] = { PV_PROVISIONING_UNKNOWN,
                                                    PV_PROVISIONING_UNKNOWN, PV_PROVISIONING_FIXED,
                                                    PV_PROVISIONING_DYNAMIC,
                                                    PV_PROVISIONING_DIFFERENCING };
    const char *store = world_datastore(m->w, m->s->a, im->path);
    struct pv_builder *b = m->b;

    pv_disk_image_begin(b, im->key, NULL);
    pv_disk_image_name(b, last_part(im->path));
    pv_disk_image_file_path(b, im->path);
    pv_disk_image_native_path(b, im->path);
    pv_disk_image_store(b, store);
    if (!world_share(m->s->a, im->path))
        pv_disk_image_host(b, m->w->host_id);
    if (!im->known)
        return;
    pv_disk_image_file_format(b, im->format < 5 ? formats[im->format] : PV_DISK_FORMAT_UNKNOWN);
    pv_disk_image_layout(b, im->type < 5 ? layouts[im->type] : PV_PROVISIONING_UNKNOWN);
    pv_disk_image_capacity_bytes(b, im->capacity);
    if (im->bytes > 0)
        pv_disk_image_file_bytes(b, im->bytes);
    if (im->block > 0)
        pv_disk_image_block_bytes(b, im->block);
    if (im->logical > 0)
        pv_disk_image_logical_sector(b, im->logical);
    if (im->physical > 0)
        pv_disk_image_physical_sector(b, im->physical);
    if (im->disk_id[0])
        pv_disk_image_disk_id(b, im->disk_id);
    if (im->parent)
        pv_disk_image_base(b, world_path(m->s->a, im->parent));
    else
        PV_CLEAR(b, disk_image, base);
}

/* ------------------------------------------------------------------ cluster */

const char *map_node_state(uint64_t state)
{
    switch (state) {
    case 0:
        return "up";
    case 1:
        return "down";
    case 2:
        return "paused";
    case 3:
        return "joining";
    default:
        return "unknown";
    }
}

static void put_nodes(const struct map *m)
{
    const struct cim_list *l = &m->s->lists[SIGHT_NODE];
    unsigned down = 0;
    static const char *const reason[] = { "node_down" };
    struct jsonw w;
    struct buf text;

    buf_init(&text, JSON_MOST);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "nodes");
    for (size_t i = 0; i < l->count && i < NODES_MOST; i++) {
        uint64_t state = UINT64_MAX, weight = 0;

        (void)cim_get_uint(l->items[i], P(MSCluster_Node, State), &state);
        down += state == 1;
        jsonw_object(&w, NULL);
        jsonw_str(&w, "name", cim_str(l->items[i], P(MSCluster_Node, Name)));
        jsonw_str(&w, "state", map_node_state(state));
        if (cim_get_uint(l->items[i], P(MSCluster_Node, NodeWeight), &weight))
            jsonw_u64(&w, "votes", weight);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    if (buf_ok(&text))
        pv_cluster_native_extra(m->b, text.data);
    buf_free(&text);
    pv_cluster_hosts_total(m->b, l->count);
    pv_cluster_health(m->b, down ? PV_HEALTH_WARNING : PV_HEALTH_OK);
    pv_cluster_health_reasons(m->b, reason, down ? 1 : 0);
}

/* Common properties of clusters (clusters-autobalancermode, -autobalancerlevel, -drainonshutdown,
 * -clusterenforcedantiaffinity of Microsoft's cluster API). Older systems lack some. */
static void put_failover(const struct map *m, const struct cim_instance *o)
{
    const char *witness = cim_str(o, P(MSCluster_Cluster, QuorumPath));
    uint64_t n;

    if (witness)
        pv_cluster_quorum_resource(m->b, witness);
    if (cim_get_uint(o, P(MSCluster_Cluster, DynamicQuorumEnabled), &n) ||
        cim_get_uint(o, P(MSCluster_Cluster, DynamicQuorum), &n))
        pv_cluster_dynamic_quorum(m->b, n != 0);
    if (cim_get_uint(o, P(MSCluster_Cluster, ClusterEnforcedAntiAffinity), &n))
        pv_cluster_anti_affinity_enforced(m->b, n != 0);
    if (cim_get_uint(o, P(MSCluster_Cluster, DrainOnShutdown), &n))
        pv_cluster_drain_on_shutdown(m->b, n != 0);
    /* 0 disabled, 1 when a node joins, 2 always; 1 low, 2 medium, 3 high. */
    if (cim_get_uint(o, P(MSCluster_Cluster, AutoBalancerMode), &n))
        pv_cluster_auto_balance(m->b, n <= 2 ? PV_AUTO_BALANCE_NEVER + (enum pv_auto_balance)n
                                             : PV_AUTO_BALANCE_UNKNOWN);
    if (cim_get_uint(o, P(MSCluster_Cluster, AutoBalancerLevel), &n))
        pv_cluster_auto_balance_level(m->b, n <= 3 ? (enum pv_auto_balance_level)n
                                                   : PV_AUTO_BALANCE_LEVEL_UNKNOWN);
}

void map_cluster(const struct map *m)
{
    const struct cim_instance *o = sight_first(m->s, SIGHT_CLUSTER);
    const char *quorum = cim_str(o, P(MSCluster_Cluster, QuorumType));

    if (!o || !m->w->cluster_id)
        return;
    pv_cluster_begin(m->b, m->w->cluster_id, m->w->cluster_id);
    pv_put_shared(m->b, PV_KIND_cluster);
    pv_cluster_name(m->b, cim_str(o, P(MSCluster_Cluster, Name)));
    pv_cluster_native_type(m->b, "MSCluster_Cluster");
    pv_cluster_cluster_type(m->b, PV_CLUSTER_TYPE_FAILOVER);
    pv_cluster_ha_enabled(m->b, true);
    pv_cluster_drs_mode(m->b, PV_DRS_MODE_OFF);
    pv_cluster_quorum(m->b, quorum);
    put_failover(m, o);
    if (sight_has(m->s, SIGHT_NODE))
        put_nodes(m);
    map_cluster_rules(m);
}
