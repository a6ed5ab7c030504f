/* SPDX-License-Identifier: Apache-2.0 */
/*
 * props - which properties are asked of which type of object.
 *
 * Each list is written once; from it follow the paths of the request and the
 * numbers by which a value is found in the answer: v.val[VM_NAME]. A type
 * that extends another repeats its base type's properties: servers differ in
 * what they do when two lists fit an object.
 *
 * Threads: immutable tables.
 */
#pragma once

#include "drivers/vapi/values.h"

#define PROPS_TREE(P, k) P(k, NAME, "name") P(k, PARENT, "parent")

#define PROPS_CLUSTER(P, k)                                                                        \
    PROPS_TREE(P, k)                                                                               \
    P(k, CONFIG, "configurationEx") P(k, SUMMARY, "summary") P(k, STATUS, "overallStatus")

#define PROPS_DATASTORE(P, k)                                                                      \
    PROPS_TREE(P, k)                                                                               \
    P(k, SUMMARY, "summary") P(k, MOUNTS, "host")                                                  \
        P(k, THIN, "capability.perFileThinProvisioningSupported") P(k, STATUS, "overallStatus")

#define PROPS_NETWORK(P, k)                                                                        \
    PROPS_TREE(P, k) P(k, SUMMARY, "summary") P(k, HOSTS, "host") P(k, STATUS, "overallStatus")

#define PROPS_PORTGROUP(P, k)                                                                      \
    PROPS_NETWORK(P, k)                                                                            \
    P(k, KEY, "key") P(k, DVS, "config.distributedVirtualSwitch")                                  \
        P(k, PORT, "config.defaultPortConfig")

#define PROPS_DVS(P, k)                                                                            \
    PROPS_TREE(P, k)                                                                               \
    P(k, CONFIG, "config") P(k, MEMBERS, "summary.hostMember") P(k, STATUS, "overallStatus")

#define PROPS_HOST(P, k)                                                                           \
    PROPS_TREE(P, k)                                                                               \
    P(k, CONNECTION, "runtime.connectionState") P(k, MAINTENANCE, "runtime.inMaintenanceMode")     \
        P(k, POWER, "runtime.powerState") P(k, BOOT, "runtime.bootTime")                           \
            P(k, PRODUCT, "summary.config.product") P(k, HARDWARE, "summary.hardware")             \
                P(k, NUMA, "hardware.numaInfo.numNodes") P(k, VNIC, "config.network.vnic")         \
                    P(k, VSWITCH, "config.network.vswitch")                                        \
                        P(k, PORTGROUP, "config.network.portgroup")                                \
                            P(k, PNIC, "config.network.pnic")                                      \
                                P(k, HBA, "config.storageDevice.hostBusAdapter")               \
                                P(k, SERVICE, "config.service.service")                        \
                                P(k, CERTIFICATE, "config.certificate")                        \
                                P(k, MOUNTS, "config.fileSystemVolume.mountInfo")                  \
                                    P(k, DATASTORES, "datastore") P(k, NETWORKS, "network")        \
                                        P(k, NESTED, "capability.nestedHVSupported")               \
                                            P(k, TPM, "capability.tpmSupported")                   \
                                                P(k, STATUS, "overallStatus")                      \
                                                    P(k, QUICK, "summary.quickStats")

#define PROPS_POOL(P, k)                                                                           \
    PROPS_TREE(P, k) P(k, OWNER, "owner") P(k, CONFIG, "config") P(k, STATUS, "overallStatus")

/* Everything the model shows of a VM, in one pass; the load, too, which saves the first poll. */
#define PROPS_VM(P, k)                                                                             \
    PROPS_TREE(P, k)                                                                               \
    P(k, VAPP, "parentVApp") P(k, POWER, "runtime.powerState") P(                                  \
        k, CONNECTION, "runtime.connectionState") P(k, HOST, "runtime.host") P(k, QUESTION,        \
                                                                               "runtime.question") \
        P(k, BOOT, "runtime.bootTime") P(k, CONSOLIDATION, "runtime.consolidationNeeded") P(       \
            k, POOL, "resourcePool") P(k, DATASTORES, "datastore") P(k, NETWORKS, "network")       \
            P(k, UUID, "config.uuid") P(k, INSTANCE, "config.instanceUuid") P(                     \
                k, TEMPLATE, "config.template") P(k, VERSION, "config.version")                    \
                P(k, GUEST_ID, "config.guestId") P(k, GUEST_NAME, "config.guestFullName") P(       \
                    k, ANNOTATION, "config.annotation") P(k, FIRMWARE, "config.firmware")          \
                    P(k, BOOT_OPTIONS, "config.bootOptions") P(k, KEY_ID, "config.keyId") P(       \
                        k, CBT, "config.changeTrackingEnabled") P(k, CREATED, "config.createDate") \
                        P(k, HARDWARE, "config.hardware") P(k, CPU_ALLOC, "config.cpuAllocation")  \
                            P(k, MEM_ALLOC,                                                        \
                              "config.memoryAllocation") P(k, CPU_HOT, "config.cpuHotAddEnabled")  \
                                P(k, MEM_HOT, "config.memoryHotAddEnabled") P(                     \
                                    k, NESTED,                                                     \
                                    "config.nestedHVEnabled") P(k, CHANGE, "config.changeVersion") \
                                    P(k, VMX, "config.files.vmPathName")                           \
                                        P(k, GUEST_HOST,                                           \
                                          "guest.hostName") P(k, GUEST_IP, "guest.ipAddress")      \
                                            P(k, GUEST_NET,                                        \
                                              "guest.net") P(k, TOOLS, "guest.toolsRunningStatus") \
                                                P(k, TOOLS_VERSION, "guest.toolsVersion") P(       \
                                                    k, TOOLS_STATUS, "guest.toolsVersionStatus2")  \
                                                    P(k, GUEST_STATE, "guest.guestState") P(       \
                                                        k, GUEST_FULL, "guest.guestFullName")      \
                                                        P(k, GUEST_FAMILY, "guest.guestFamily") P( \
                                                            k, SNAPSHOT, "snapshot")               \
                                                            P(k, STORAGE, "summary.storage") P(    \
                                                                k, STATUS, "overallStatus")        \
                                                                P(k, QUICK, "summary.quickStats")  \
                                                                    P(k, MAX_CPU,                  \
                                                                      "runtime.maxCpuUsage")

/* What the change feed tells at once; a change of anything else of a VM shows in
 * config.changeVersion. */
#define PROPS_VM_WATCHED(P, k)                                                                     \
    PROPS_TREE(P, k)                                                                               \
    P(k, VAPP, "parentVApp") P(k, POWER, "runtime.powerState") P(k, CONNECTION,                    \
                                                                 "runtime.connectionState")        \
        P(k, HOST, "runtime.host") P(k, QUESTION, "runtime.question") P(k, POOL, "resourcePool")   \
            P(k, DATASTORES, "datastore") P(k, NETWORKS, "network")                                \
                P(k, INSTANCE, "config.instanceUuid") P(k, TEMPLATE, "config.template")            \
                    P(k, CHANGE, "config.changeVersion") P(k, GUEST_HOST, "guest.hostName")        \
                        P(k, GUEST_IP, "guest.ipAddress") P(k, TOOLS, "guest.toolsRunningStatus")  \
                            P(k, GUEST_STATE, "guest.guestState") P(k, SNAPSHOT, "snapshot")       \
                                P(k, CPUS, "config.hardware.numCPU")                               \
                                    P(k, MEMORY, "config.hardware.memoryMB")                       \
                                        P(k, ANNOTATION, "config.annotation")

#define PROPS_HOST_WATCHED(P, k)                                                                   \
    PROPS_TREE(P, k)                                                                               \
    P(k, CONNECTION, "runtime.connectionState") P(k, MAINTENANCE, "runtime.inMaintenanceMode")     \
        P(k, POWER, "runtime.powerState") P(k, HARDWARE, "summary.hardware")                       \
            P(k, PRODUCT, "summary.config.product") P(k, DATASTORES, "datastore")                  \
                P(k, NETWORKS, "network")
#define PROPS_CLUSTER_WATCHED(P, k) PROPS_TREE(P, k) P(k, CONFIG, "configurationEx")
#define PROPS_DATASTORE_WATCHED(P, k)                                                              \
    PROPS_TREE(P, k)                                                                               \
    P(k, ACCESSIBLE, "summary.accessible") P(k, MAINTENANCE, "summary.maintenanceMode")            \
        P(k, CAPACITY, "summary.capacity") P(k, MOUNTS, "host")
#define PROPS_NETWORK_WATCHED(P, k) PROPS_TREE(P, k) P(k, HOSTS, "host")
#define PROPS_PORTGROUP_WATCHED(P, k)                                                              \
    PROPS_NETWORK_WATCHED(P, k) P(k, PORT, "config.defaultPortConfig")
#define PROPS_DVS_WATCHED(P, k) PROPS_TREE(P, k) P(k, MEMBERS, "summary.hostMember")
#define PROPS_POOL_WATCHED(P, k) PROPS_TREE(P, k) P(k, CONFIG, "config")

/* What servers need not announce, read in pages now and then. */
#define PROPS_VM_POLLED(P, k)                                                                      \
    P(k, QUICK, "summary.quickStats")                                                              \
    P(k, STORAGE, "summary.storage") P(k, MAX_CPU, "runtime.maxCpuUsage")                          \
        P(k, STATUS, "overallStatus") P(k, CONNECTION, "runtime.connectionState")                  \
            P(k, QUESTION, "runtime.question") P(k, CONSOLIDATION, "runtime.consolidationNeeded")  \
                P(k, POWER, "runtime.powerState")
#define PROPS_HOST_POLLED(P, k)                                                                    \
    P(k, QUICK, "summary.quickStats")                                                              \
    P(k, HARDWARE, "summary.hardware") P(k, STATUS, "overallStatus")                               \
        P(k, CONNECTION, "runtime.connectionState") P(k, MAINTENANCE, "runtime.inMaintenanceMode") \
            P(k, POWER, "runtime.powerState")
#define PROPS_DATASTORE_POLLED(P, k)                                                               \
    P(k, FREE, "summary.freeSpace")                                                                \
    P(k, CAPACITY, "summary.capacity") P(k, UNCOMMITTED, "summary.uncommitted")                    \
        P(k, ACCESSIBLE, "summary.accessible") P(k, STATUS, "overallStatus")

#define PROPS_NUMBER(k, name, path) k##_##name,
enum { PROPS_CLUSTER(PROPS_NUMBER, CLUSTER) };
enum { PROPS_DATASTORE(PROPS_NUMBER, DATASTORE) };
enum { PROPS_PORTGROUP(PROPS_NUMBER, NETWORK) }; /* a Network has the first of them */
enum { PROPS_DVS(PROPS_NUMBER, DVS) };
enum { PROPS_HOST(PROPS_NUMBER, HOST) };
enum { PROPS_POOL(PROPS_NUMBER, POOL) };
enum { PROPS_VM(PROPS_NUMBER, VM) };
enum { PROPS_VM_WATCHED(PROPS_NUMBER, WVM) };
enum { PROPS_VM_POLLED(PROPS_NUMBER, PVM) };
enum { PROPS_HOST_POLLED(PROPS_NUMBER, PHOST) };
enum { PROPS_DATASTORE_POLLED(PROPS_NUMBER, PDS) };
enum { PROPS_TREE(PROPS_NUMBER, TREE) };

extern const struct prop_table props_vm, props_host, props_cluster, props_datastore, props_network,
    props_portgroup, props_dvs, props_pool, props_datacenter;
extern const struct prop_table props_vm_watched, props_vm_polled, props_host_polled,
    props_datastore_polled;

/* Lists ended by NULL. */
extern const struct prop_table *const props_listing[]; /* everything but VMs */
extern const struct prop_table *const props_all[];     /* everything, as the listing asks it */
extern const struct prop_table *const props_watched[]; /* everything */
extern const struct prop_table *const props_polled[];

/* The table of `tables` for objects of this type; NULL if there is none. */
const struct prop_table *props_for(const struct prop_table *const *tables, const char *vim_type);
