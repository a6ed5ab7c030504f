/* SPDX-License-Identifier: Apache-2.0 */
/* Any instances as the answers of a host's enumerations: a line is one, its first byte says of which class's. All of
 * them are joined and mapped as a listing does, and every batch has to pass the receiver's check. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/driver.h>
#include <polyvisor/err.h>
#include <polyvisor/records.h>
#include <polyvisor/xml.h>

#include "drivers/sdk/check.h"
#include "drivers/wmi/cim.h"
#include "drivers/wmi/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES_MOST 256u
#define FIRST '0'

/* Which class a list holds, mostly: the lists of several classes get one of them. */
static const struct {
    enum sight_list list;
    const struct cim_class *cls;
} answers[] = {
    { SIGHT_SYSTEM, CIM(Msvm_ComputerSystem) },
    { SIGHT_SETTINGS, CIM(Msvm_VirtualSystemSettingData) },
    { SIGHT_SUMMARY, CIM(Msvm_SummaryInformation) },
    { SIGHT_PROCESSOR, CIM(Msvm_ProcessorSettingData) },
    { SIGHT_MEMORY, CIM(Msvm_MemorySettingData) },
    { SIGHT_RESOURCE, CIM(Msvm_ResourceAllocationSettingData) },
    { SIGHT_STORAGE, CIM(Msvm_StorageAllocationSettingData) },
    { SIGHT_NIC, CIM(Msvm_SyntheticEthernetPortSettingData) },
    { SIGHT_LEGACY_NIC, CIM(Msvm_EmulatedEthernetPortSettingData) },
    { SIGHT_PORT, CIM(Msvm_EthernetPortAllocationSettingData) },
    { SIGHT_VLAN, CIM(Msvm_EthernetSwitchPortVlanSettingData) },
    { SIGHT_GUARD, CIM(Msvm_EthernetSwitchPortSecuritySettingData) },
    { SIGHT_BANDWIDTH, CIM(Msvm_EthernetSwitchPortBandwidthSettingData) },
    { SIGHT_SECURITY, CIM(Msvm_SecuritySettingData) },
    { SIGHT_BOOT, CIM(Msvm_BootSourceSettingData) },
    { SIGHT_SERIAL, CIM(Msvm_SerialPortSettingData) },
    { SIGHT_COMPONENT, CIM(Msvm_KvpExchangeComponentSettingData) },
    { SIGHT_KVP, CIM(Msvm_KvpExchangeComponent) },
    { SIGHT_GUEST_NET, CIM(Msvm_GuestNetworkAdapterConfiguration) },
    { SIGHT_METERED, CIM(Msvm_MetricDefForME) },
    { SIGHT_BRANCH, CIM(Msvm_MostCurrentSnapshotInBranch) },
    { SIGHT_SWITCH, CIM(Msvm_VirtualEthernetSwitch) },
    { SIGHT_SWITCH_SETTING, CIM(Msvm_VirtualEthernetSwitchSettingData) },
    { SIGHT_UPLINK, CIM(Msvm_ExternalEthernetPort) },
    { SIGHT_EXTENSION, CIM(Msvm_EthernetSwitchExtension) },
    { SIGHT_OS, CIM(Win32_OperatingSystem) },
    { SIGHT_COMPUTER, CIM(Win32_ComputerSystem) },
    { SIGHT_CPU, CIM(Win32_Processor) },
    { SIGHT_PRODUCT, CIM(Win32_ComputerSystemProduct) },
    { SIGHT_BIOS, CIM(Win32_BIOS) },
    { SIGHT_ADDRESS, CIM(Win32_NetworkAdapterConfiguration) },
    { SIGHT_NUMA, CIM(Msvm_NumaNode) },
    { SIGHT_SERVICE, CIM(Win32_Service) },
    { SIGHT_MANAGER, CIM(Msvm_VirtualSystemManagementService) },
    { SIGHT_MIGRATION, CIM(Msvm_VirtualSystemMigrationServiceSettingData) },
    { SIGHT_VOLUME, CIM(Win32_Volume) },
    { SIGHT_SHARE, CIM(Win32_LogicalDisk) },
    { SIGHT_CLUSTER, CIM(MSCluster_Cluster) },
    { SIGHT_NODE, CIM(MSCluster_Node) },
    { SIGHT_ROLE, CIM(MSCluster_ResourceGroup) },
    { SIGHT_CLUSTER_RESOURCE, CIM(MSCluster_Resource) },
    { SIGHT_CSV, CIM(MSCluster_ClusterSharedVolume) },
    { SIGHT_PARTITION, CIM(MSCluster_DiskPartition) },
    { SIGHT_CPU_LOAD, CIM(Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor) },
};

/* What the driver makes of anything has to be well-formed: the server drops what is not. Only a host that tells of the
 * same thing twice is left to the server, which takes the first. */
static int emit(void *ctx, const struct pv_batch *batch)
{
    struct sdk_batch_faults faults;
    struct sdk_batch *checked = NULL;
    struct pv_err err = { 0 };

    (void)ctx;
    if (sdk_batch_check(batch, &faults, &checked, &err) != PV_OK || faults.values ||
        (faults.records && !strstr(faults.first, "was there before"))) {
        fprintf(stderr, "a batch of kind %u: %s %s\n", batch->kind, err.message, faults.first);
        abort();
    }
    sdk_batch_free(checked);
    return PV_OK;
}

static int mark(void *ctx, uint32_t what, const char *cursor)
{
    (void)ctx;
    (void)what;
    (void)cursor;
    return PV_OK;
}

static void hear(void *ctx, int level, const char *message)
{
    (void)ctx;
    (void)level;
    (void)message;
}

static void take_line(struct sight *s, unsigned char first, const char *text, size_t len)
{
    size_t which = (size_t)(first - FIRST) % (sizeof(answers) / sizeof(answers[0]));
    const struct cim_class *cls = answers[which].cls;
    struct cim_instance *o = NULL;
    xmlDocPtr doc = NULL;

    s->asked |= UINT64_C(1) << answers[which].list;
    if (xml_parse(text, len, NULL, &doc, NULL) != PV_OK)
        return;
    if (cim_read(s->a, xmlDocGetRootElement(doc), cls, cls->ns, &o, NULL) == PV_OK && o && o->cls == cls)
        (void)cim_list_add(&s->lists[answers[which].list], s->a, o, NULL);
    xmlFreeDoc(doc);
}

static void map_all(const struct map *m)
{
    const struct cim_list *settings = &m->s->lists[SIGHT_SETTINGS];

    map_cluster(m);
    map_datastores(m);
    map_switches(m);
    map_host(m);
    map_networks(m);
    map_host_usage(m);
    map_datastore_usage(m);
    for (size_t i = 0; i < settings->count; i++) {
        const struct sight_owner *o = sight_owner(m->s, sight_id(settings->items[i]));

        if (o && sight_vm_settings(o) == settings->items[i] && map_vm(m, o)) {
            (void)map_vm_state_hash(m, o);
            map_vm_usage(m, o, NULL);
        }
        (void)pv_builder_room(m->b);
    }
    (void)pv_builder_send(m->b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pv_host host = {
        .size = sizeof(host), .emit = emit, .mark = mark, .log = hear
    };
    struct arena *a = arena_new(65536, 64u << 20);
    struct sight *s = a ? sight_new(a) : NULL;
    struct pv_builder *b = pv_builder_new(&host);
    struct images *images = images_new();
    struct world *world = NULL;
    struct pv_err err = { 0 };
    const uint8_t *end = data + size;
    unsigned lines = 0;

    for (const uint8_t *at = data; s && at < end && lines < LINES_MOST; lines++) {
        const uint8_t *next = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((next ? next : end) - at);

        if (len > 1)
            take_line(s, at[0], (const char *)at + 1, len - 1);
        at = next ? next + 1 : end;
    }
    if (s && b && images && sight_join(s, &err) == PV_OK &&
        world_new(s, "host.example", &world, &err) == PV_OK) {
        const struct map m = { .b = b, .s = s, .w = world, .images = images, .listing = 1,
                               .whole = true, .now_ms = 1700000000000 };

        map_all(&m);
    }
    world_free(world);
    images_free(images);
    pv_builder_free(b);
    arena_free(a);
    return 0;
}
