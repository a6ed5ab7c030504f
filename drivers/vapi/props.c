/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/props.h"

#include <string.h>

#define PATH(k, name, path) path,
#define LIST(var, list) static const char *const var[] = { list(PATH, unused) }
#define TABLE(type, var)                                                                           \
    {                                                                                              \
        type, var, sizeof(var) / sizeof((var)[0])                                                  \
    }

LIST(tree_paths, PROPS_TREE);
LIST(vm_paths, PROPS_VM);
LIST(host_paths, PROPS_HOST);
LIST(cluster_paths, PROPS_CLUSTER);
LIST(datastore_paths, PROPS_DATASTORE);
LIST(network_paths, PROPS_NETWORK);
LIST(portgroup_paths, PROPS_PORTGROUP);
LIST(dvs_paths, PROPS_DVS);
LIST(pool_paths, PROPS_POOL);
LIST(vm_watched_paths, PROPS_VM_WATCHED);
LIST(host_watched_paths, PROPS_HOST_WATCHED);
LIST(cluster_watched_paths, PROPS_CLUSTER_WATCHED);
LIST(datastore_watched_paths, PROPS_DATASTORE_WATCHED);
LIST(network_watched_paths, PROPS_NETWORK_WATCHED);
LIST(portgroup_watched_paths, PROPS_PORTGROUP_WATCHED);
LIST(dvs_watched_paths, PROPS_DVS_WATCHED);
LIST(pool_watched_paths, PROPS_POOL_WATCHED);
LIST(vm_polled_paths, PROPS_VM_POLLED);
LIST(host_polled_paths, PROPS_HOST_POLLED);
LIST(datastore_polled_paths, PROPS_DATASTORE_POLLED);

_Static_assert(sizeof(vm_paths) / sizeof(vm_paths[0]) <= PROPS_MAX, "prop_values has no room");

const struct prop_table props_vm = TABLE("VirtualMachine", vm_paths);
const struct prop_table props_host = TABLE("HostSystem", host_paths);
const struct prop_table props_cluster = TABLE("ClusterComputeResource", cluster_paths);
const struct prop_table props_datastore = TABLE("Datastore", datastore_paths);
const struct prop_table props_network = TABLE("Network", network_paths);
const struct prop_table props_portgroup = TABLE("DistributedVirtualPortgroup", portgroup_paths);
const struct prop_table props_dvs = TABLE("VmwareDistributedVirtualSwitch", dvs_paths);
const struct prop_table props_pool = TABLE("ResourcePool", pool_paths);
const struct prop_table props_datacenter = TABLE("Datacenter", tree_paths);
static const struct prop_table opaque = TABLE("OpaqueNetwork", network_paths);
static const struct prop_table plain_dvs = TABLE("DistributedVirtualSwitch", dvs_paths);
static const struct prop_table vapp = TABLE("VirtualApp", pool_paths);
static const struct prop_table folder = TABLE("Folder", tree_paths);
static const struct prop_table pod = TABLE("StoragePod", tree_paths);
static const struct prop_table compute = TABLE("ComputeResource", tree_paths);

const struct prop_table props_vm_watched = TABLE("VirtualMachine", vm_watched_paths);
static const struct prop_table host_watched = TABLE("HostSystem", host_watched_paths);
static const struct prop_table cluster_watched =
    TABLE("ClusterComputeResource", cluster_watched_paths);
static const struct prop_table datastore_watched = TABLE("Datastore", datastore_watched_paths);
static const struct prop_table network_watched = TABLE("Network", network_watched_paths);
static const struct prop_table opaque_watched = TABLE("OpaqueNetwork", network_watched_paths);
static const struct prop_table portgroup_watched =
    TABLE("DistributedVirtualPortgroup", portgroup_watched_paths);
static const struct prop_table dvs_watched =
    TABLE("VmwareDistributedVirtualSwitch", dvs_watched_paths);
static const struct prop_table plain_dvs_watched =
    TABLE("DistributedVirtualSwitch", dvs_watched_paths);
static const struct prop_table pool_watched = TABLE("ResourcePool", pool_watched_paths);
static const struct prop_table vapp_watched = TABLE("VirtualApp", pool_watched_paths);

const struct prop_table props_vm_polled = TABLE("VirtualMachine", vm_polled_paths);
const struct prop_table props_host_polled = TABLE("HostSystem", host_polled_paths);
const struct prop_table props_datastore_polled = TABLE("Datastore", datastore_polled_paths);

/* Derived types before their bases. */
const struct prop_table *const props_listing[] = {
    &props_datacenter, &pod,        &folder,    &props_cluster,   &compute,
    &props_datastore,  &props_dvs,  &plain_dvs, &props_portgroup, &opaque,
    &props_network,    &props_host, &vapp,      &props_pool,      NULL,
};
const struct prop_table *const props_all[] = {
    &props_datacenter,
    &pod,
    &folder,
    &props_cluster,
    &compute,
    &props_datastore,
    &props_dvs,
    &plain_dvs,
    &props_portgroup,
    &opaque,
    &props_network,
    &props_host,
    &vapp,
    &props_pool,
    &props_vm,
    NULL,
};
const struct prop_table *const props_watched[] = {
    &props_datacenter,
    &pod,
    &folder,
    &cluster_watched,
    &compute,
    &datastore_watched,
    &dvs_watched,
    &plain_dvs_watched,
    &portgroup_watched,
    &opaque_watched,
    &network_watched,
    &host_watched,
    &vapp_watched,
    &pool_watched,
    &props_vm_watched,
    NULL,
};
const struct prop_table *const props_polled[] = {
    &props_host_polled,
    &props_datastore_polled,
    &props_vm_polled,
    NULL,
};

const struct prop_table *props_for(const struct prop_table *const *tables, const char *vim_type)
{
    for (; *tables; tables++)
        if (strcmp((*tables)->type, vim_type) == 0)
            return *tables;
    return NULL;
}
