/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of vSphere's objects: each test maps a small answer and looks at the records. */
#include <criterion/criterion.h>

#include <polyvisor/err.h>
#include <polyvisor/model.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/events.h"
#include "drivers/vapi/map.h"
#include "tests/unit/map_lines.h"

static void on_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    cr_assert_gt(level, PV_LOG_LEVEL_WARN, "%s", message);
}

static const struct pv_host host = { .size = sizeof(host), .emit = on_emit, .log = on_log };
static struct map m;

static void open_map(void)
{
    nlines = 0;
    m = (struct map){ .b = pv_builder_new(&host), .tree = tree_new() };
    cr_assert_not_null(m.b);
    cr_assert_not_null(m.tree);
    tree_put(m.tree, "Datacenter", "datacenter-1", "DC", "");
    tree_put(m.tree, "Folder", "group-v1", "vm", "datacenter-1");
    tree_put(m.tree, "Folder", "group-h1", "host", "datacenter-1");
    tree_put(m.tree, "ClusterComputeResource", "domain-c1", "C", "group-h1");
    tree_put(m.tree, "HostSystem", "host-1", "H1", "domain-c1");
}

static void close_map(void)
{
    pv_builder_free(m.b);
    tree_free(m.tree);
}

static bool has(const char *line)
{
    for (size_t i = 0; i < nlines; i++)
        if (strcmp(lines[i], line) == 0)
            return true;
    return false;
}

static bool has_start(const char *start)
{
    for (size_t i = 0; i < nlines; i++)
        if (strncmp(lines[i], start, strlen(start)) == 0)
            return true;
    return false;
}

static void expect(const char *line)
{
    if (has(line))
        return;
    for (size_t i = 0; i < nlines; i++)
        cr_log_warn("%s", lines[i]);
    cr_expect_fail("there is no %s", line);
}

#define PROP(name, type, value)                                                                    \
    "<propSet><name>" name "</name><val xsi:type=\"" type "\">" value "</val></propSet>"
#define REF(name, type, id)                                                                        \
    "<propSet><name>" name "</name><val type=\"" type "\" xsi:type=\"ManagedObjectReference\">" id \
    "</val></propSet>"
#define OBJECT(props)                                                                              \
    "<objects xmlns=\"urn:vim25\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">" props  \
    "</objects>"

/* Learn and map one object, send. */
static void map_text(const char *type, const char *id, const char *text)
{
    struct pv_err err = { 0 };
    struct moref ref = { 0 };
    xmlDocPtr doc = NULL;

    snprintf(ref.type, sizeof(ref.type), "%s", type);
    snprintf(ref.id, sizeof(ref.id), "%s", id);
    cr_assert_eq(xml_parse(text, strlen(text), NULL, &doc, &err), PV_OK, "%s", err.message);
    map_learn(m.tree, &ref, xmlDocGetRootElement(doc));
    if (strcmp(type, "VirtualMachine") == 0) {
        map_vm(&m, &ref, xmlDocGetRootElement(doc));
    } else {
        if (strcmp(type, "HostSystem") == 0)
            map_host_switches(&m, &ref, xmlDocGetRootElement(doc));
        map_other(&m, &ref, xmlDocGetRootElement(doc));
    }
    cr_expect_eq(pv_builder_send(m.b), PV_OK);
    xmlFreeDoc(doc);
}

#define VM_BASE                                                                                    \
    PROP("name", "xsd:string", "a%2fb")                                                            \
    REF("parent", "Folder", "group-v1")                                                            \
    PROP("runtime.powerState", "VirtualMachinePowerState", "poweredOn")                            \
    REF("runtime.host", "HostSystem", "host-1")                                                    \
    PROP("config.instanceUuid", "xsd:string", "uuid-1")

TestSuite(vapi_map, .init = open_map, .fini = close_map);

Test(vapi_map, places_a_vm_by_the_tree_alone)
{
    map_text("VirtualMachine", "vm-1",
             OBJECT(VM_BASE PROP("runtime.connectionState", "x", "connected")));
    expect("vm/vm-1/name=a/b");
    expect("vm/vm-1/native.path=/DC/vm/a/b");
    expect("vm/vm-1/datacenter=datacenter-1");
    expect("vm/vm-1/cluster=domain-c1");
    expect("vm/vm-1/host=host-1");
    expect("vm/vm-1/power_state=running");
    expect("vm/vm-1/native.state=poweredOn");
}

Test(vapi_map, finds_the_datacenter_of_a_vm_in_a_vapp)
{
    tree_put(m.tree, "ResourcePool", "resgroup-1", "Resources", "domain-c1");
    tree_put(m.tree, "VirtualApp", "resgroup-v2", "App", "resgroup-1");
    map_text(
        "VirtualMachine", "vm-2",
        OBJECT(PROP("name", "xsd:string", "w") REF("parentVApp", "VirtualApp", "resgroup-v2")));
    expect("vm/vm-2/datacenter=datacenter-1");
    expect("vm/vm-2/native.path=/DC/host/C/Resources/App/w");
}

#define DEVICES                                                                                    \
    "<device xsi:type=\"ParaVirtualSCSIController\"><key>1000</key><deviceInfo><label>SCSI 0"      \
    "</label></deviceInfo><busNumber>0</busNumber><sharedBus>noSharing</sharedBus></device>"       \
    "<device xsi:type=\"VirtualNVMEController\"><key>31000</key><busNumber>2</busNumber></device>" \
    "<device xsi:type=\"VirtualDisk\"><key>2000</key><deviceInfo><label>Hard disk 1</label>"       \
    "</deviceInfo><backing xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>[ds] w/w.vmdk"    \
    "</fileName><datastore type=\"Datastore\">datastore-1</datastore><diskMode>persistent"         \
    "</diskMode><thinProvisioned>true</thinProvisioned><uuid>u</uuid></backing>"                   \
    "<controllerKey>1000</controllerKey><unitNumber>1</unitNumber><capacityInKB>1024"              \
    "</capacityInKB><capacityInBytes>1048577</capacityInBytes></device>"                           \
    "<device xsi:type=\"VirtualDisk\"><key>2001</key><backing "                                    \
    "xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>[ds] w/w-1.vmdk</fileName>"             \
    "<diskMode>independent_persistent</diskMode><eagerlyScrub>true</eagerlyScrub>"                 \
    "<sharing>sharingMultiWriter</sharing></backing><controllerKey>31000</controllerKey>"          \
    "<unitNumber>0</unitNumber><capacityInKB>1024</capacityInKB></device>"                         \
    "<device xsi:type=\"VirtualDisk\"><key>2002</key><backing "                                    \
    "xsi:type=\"VirtualDiskFlatVer2BackingInfo\"><fileName>[ds] w/w-000001.vmdk</fileName>"        \
    "<diskMode>persistent</diskMode><parent><fileName>[ds] w/w.vmdk</fileName></parent></backing>" \
    "<controllerKey>9999</controllerKey></device>"                                                 \
    "<device xsi:type=\"VirtualDisk\"><key>2003</key><backing "                                    \
    "xsi:type=\"VirtualDiskRawDiskMappingVer1BackingInfo\"><fileName>[ds] w/rdm.vmdk</fileName>"   \
    "<compatibilityMode>virtualMode</compatibilityMode><lunUuid>lun-7</lunUuid></backing></"       \
    "device>"                                                                                      \
    "<device xsi:type=\"VirtualVmxnet3\"><key>4000</key><backing "                                 \
    "xsi:type=\"VirtualEthernetCardDistributedVirtualPortBackingInfo\"><port><portgroupKey>"       \
    "pgkey</portgroupKey></port></backing><connectable><startConnected>true</startConnected>"      \
    "<connected>false</connected></connectable><addressType>manual</addressType><macAddress>"      \
    "00:50:56:ab:cd:ef</macAddress></device>"                                                      \
    "<device xsi:type=\"VirtualCdrom\"><key>3000</key><backing "                                   \
    "xsi:type=\"VirtualCdromIsoBackingInfo\"><fileName>[ds] x.iso</fileName><datastore "           \
    "type=\"Datastore\">datastore-1</datastore></backing></device>"                                \
    "<device xsi:type=\"VirtualTPM\"><key>11000</key></device>"                                    \
    "<device xsi:type=\"VirtualThingOfNextYear\"><key>12000</key></device>"

Test(vapi_map, shows_every_device_and_its_backing)
{
    tree_put(m.tree, "DistributedVirtualPortgroup", "dvportgroup-5", "pg", "datacenter-1");
    tree_note(m.tree, "key:pgkey", NULL, "dvportgroup-5");
    map_text(
        "VirtualMachine", "vm-1",
        OBJECT(
            VM_BASE PROP("config.hardware", "VirtualHardware",
                         "<numCPU>6</numCPU><numCoresPerSocket>4</numCoresPerSocket>"
                         "<memoryMB>2048</memoryMB>" DEVICES)
                PROP("guest.net", "ArrayOfGuestNicInfo",
                     "<GuestNicInfo><ipAddress>fe80::1</ipAddress><ipAddress>10.0.0.9</ipAddress>"
                     "<deviceConfigId>4000</deviceConfigId></GuestNicInfo>")));
    expect("vm/vm-1/cpu.count=6");
    expect("vm/vm-1/cpu.sockets=2");
    expect("vm/vm-1/memory.bytes=2147483648");
    expect("vm/vm-1/tpm=1");
    expect("vm/vm-1/guest.ip_addresses=,10.0.0.9,fe80::1,");
    expect("controller/1000/model=pvscsi");
    expect("controller/31000/bus=nvme");
    expect("disk/2000/controller.type=scsi");
    expect("disk/2000/controller.unit=1");
    expect("disk/2000/capacity_bytes=1048577");
    expect("disk/2000/mode=dependent");
    expect("disk/2000/image.subformat=thin");
    expect("disk/2000/image.datastore=datastore-1");
    expect("disk/2001/controller.bus=2");
    expect("disk/2001/capacity_bytes=1048576");
    expect("disk/2001/mode=independent_persistent");
    expect("disk/2001/image.subformat=thick_eager");
    expect("disk/2001/sharing=multi_writer");
    expect("disk/2002/image.subformat=differencing");
    expect("disk/2002/image.parent=[ds] w/w.vmdk");
    expect("disk/2003/passthrough.mode=virtual");
    expect("disk/2003/passthrough.lun=lun-7");
    expect("nic/4000/adapter=vmxnet3");
    expect("nic/4000/mac=00:50:56:AB:CD:EF");
    expect("nic/4000/mac_mode=static");
    expect("nic/4000/network=dvportgroup-5");
    expect("nic/4000/connected=0");
    expect("nic/4000/connect_at_power_on=1");
    expect("nic/4000/ip_addresses=,10.0.0.9,fe80::1,");
    expect("cdrom/3000/image.path=[ds] x.iso");
    cr_expect(has_start("vm/vm-1/other_devices=[{\"type\":\"VirtualThingOfNextYear\""));
}

Test(vapi_map, says_of_a_vm_without_devices_that_it_has_none)
{
    map_text("VirtualMachine", "vm-1",
             OBJECT(VM_BASE PROP("config.hardware", "VirtualHardware", "<numCPU>1</numCPU>")));
    expect("disk/none");
    expect("nic/none");
    expect("cdrom/none");
    expect("controller/none");
    expect("snapshot/none");
}

Test(vapi_map, keeps_what_is_known_of_a_vm_whose_host_is_away)
{
    map_text("VirtualMachine", "vm-1",
             OBJECT(VM_BASE PROP("runtime.connectionState", "x", "disconnected")
                        PROP("overallStatus", "ManagedEntityStatus", "green")));
    cr_expect_not(has_start("disk/"));
    cr_expect_not(has_start("snapshot/"));
    cr_expect_not(has_start("vm/vm-1/annotation"));
    cr_expect_not(has_start("vm/vm-1/guest.ip_addresses"));
    expect("vm/vm-1/health=unknown");
    expect("vm/vm-1/health_reasons=,disconnected,");
}

Test(vapi_map, does_not_take_missing_rights_for_empty_fields)
{
    map_text("VirtualMachine", "vm-1",
             OBJECT(VM_BASE PROP(
                 "config.hardware", "VirtualHardware",
                 "<numCPU>1</numCPU>") "<missingSet><path>config.annotation</path><fault><fault "
                                       "xsi:type=\"NoPermission\"/></fault></missingSet>"));
    cr_expect_not(has_start("vm/vm-1/annotation"));
    cr_expect_not(has_start("vm/vm-1/guest.hostname"));
}

Test(vapi_map, judges_the_health_of_a_vm)
{
    map_text("VirtualMachine", "vm-1",
             OBJECT(VM_BASE PROP("runtime.connectionState", "x", "inaccessible")
                        PROP("overallStatus", "ManagedEntityStatus", "gray")));
    expect("vm/vm-1/health=critical");
    expect("vm/vm-1/health_reasons=,inaccessible,");
    nlines = 0;
    map_text(
        "VirtualMachine", "vm-2",
        OBJECT(VM_BASE PROP("runtime.question", "VirtualMachineQuestionInfo",
                            "<id>q1</id><text>Moved or copied?</text><choice><choiceInfo><key>0"
                            "</key><label>Moved</label></choiceInfo></choice>")
                   PROP("overallStatus", "ManagedEntityStatus", "green")));
    expect("vm/vm-2/health=warning");
    expect("vm/vm-2/health_reasons=,question_pending,");
    expect(
        "vm/vm-2/question={\"id\":\"q1\",\"text\":\"Moved or copied?\",\"choices\":[{\"key\":\"0\","
        "\"label\":\"Moved\"}]}");
}

#define SNAP(id, name, time)                                                                       \
    "<snapshot type=\"VirtualMachineSnapshot\">" id "</snapshot><name>" name                       \
    "</name><createTime>" time "</createTime>"

Test(vapi_map, unrolls_the_tree_of_snapshots)
{
    map_text("VirtualMachine", "vm-1",
             OBJECT(VM_BASE PROP(
                 "snapshot", "VirtualMachineSnapshotInfo",
                 "<currentSnapshot "
                 "type=\"VirtualMachineSnapshot\">snapshot-2</currentSnapshot>"
                 "<rootSnapshotList>" SNAP(
                     "snapshot-1", "base",
                     "2026-01-01T00:00:00Z") "<state>poweredOn</state><quiesced>false</"
                                             "quiesced><childSnapshotList>" SNAP("snapshot-2",
                                                                                 "n%2fx",
                                                                                 "2026-01-02T00:00:"
                                                                                 "00Z") "<state>"
                                                                                        "poweredOff"
                                                                                        "</"
                                                                                        "state><"
                                                                                        "quiesced>"
                                                                                        "true</"
                                                                                        "quiesced><"
                                                                                        "/childSnap"
                                                                                        "shotList>"
                                                                                        "<childSnap"
                                                                                        "shotList"
                                                                                        ">" SNAP(
                                                                                            "snapsh"
                                                                                            "ot-3",
                                                                                            "side",
                                                                                            "2026-"
                                                                                            "01-"
                                                                                            "01T12:"
                                                                                            "00:"
                                                                                            "00Z") "<state>"
                                                                                                   "poweredOff</"
                                                                                                   "state></"
                                                                                                   "childSnapshotLis"
                                                                                                   "t></"
                                                                                                   "rootSnapshotList"
                                                                                                   ">")));
    expect("vm/vm-1/snapshots.count=3");
    expect("vm/vm-1/snapshots.depth=2");
    expect("vm/vm-1/snapshots.newest_at=1767312000000");
    expect("vm/vm-1/snapshots.oldest_at=1767225600000");
    expect("snapshot/snapshot-1/parent=null");
    expect("snapshot/snapshot-1/memory=1");
    expect("snapshot/snapshot-1/current=0");
    expect("snapshot/snapshot-2/parent=snapshot-1");
    expect("snapshot/snapshot-2/name=n/x");
    expect("snapshot/snapshot-2/current=1");
    expect("snapshot/snapshot-2/quiesced=1");
    expect("snapshot/snapshot-2/memory=0");
    expect("snapshot/snapshot-3/parent=snapshot-1");
}

#define MOUNT(type, name, support, more)                                                           \
    "<HostFileSystemMountInfo><mountInfo><path>/vmfs/x</path></mountInfo><volume xsi:type=\"" type \
    "\"><name>" name "</name>" more "</volume><vStorageSupport>" support                           \
    "</vStorageSupport></HostFileSystemMountInfo>"
#define HOST(mounts)                                                                               \
    OBJECT(                                                                                        \
        PROP("name", "xsd:string", "h") REF("parent", "ClusterComputeResource", "domain-c1")       \
            PROP("config.fileSystemVolume.mountInfo", "ArrayOfHostFileSystemMountInfo", mounts))
#define DATASTORE(name, hosts)                                                                     \
    OBJECT(PROP("name", "xsd:string", name) REF("parent", "Folder", "group-v1")                    \
               PROP("summary", "DatastoreSummary",                                                 \
                    "<url>ds:///vmfs/volumes/u/</url><capacity>100</capacity><freeSpace>40"        \
                    "</freeSpace><uncommitted>7</uncommitted><accessible>true</accessible>"        \
                    "<multipleHostAccess>true</multipleHostAccess><type>VMFS</type>"               \
                    "<maintenanceMode>normal</maintenanceMode>")                                   \
                   PROP("host", "ArrayOfDatastoreHostMount", hosts))
#define KEY(id) "<DatastoreHostMount><key type=\"HostSystem\">" id "</key></DatastoreHostMount>"

Test(vapi_map, believes_in_offload_when_all_hosts_agree)
{
    map_text("HostSystem", "host-1",
             HOST(MOUNT("HostVmfsVolume", "all", "vStorageSupported",
                        "<unmapPriority>low</unmapPriority>")
                      MOUNT("HostVmfsVolume", "mixed", "vStorageSupported", "")
                          MOUNT("HostVmfsVolume", "none", "vStorageUnsupported", "")
                              MOUNT("HostVmfsVolume", "fresh", "vStorageUnknown", "")
                                  MOUNT("HostNasVolume", "nas", "vStorageSupported", "")));
    map_text("HostSystem", "host-2",
             HOST(MOUNT("HostVmfsVolume", "all", "vStorageSupported",
                        "<unmapPriority>low</unmapPriority>")
                      MOUNT("HostVmfsVolume", "mixed", "vStorageUnsupported", "")
                          MOUNT("HostVmfsVolume", "none", "vStorageUnsupported", "")
                              MOUNT("HostVmfsVolume", "fresh", "vStorageUnknown", "")
                                  MOUNT("HostNasVolume", "nas", "vStorageSupported", "")));
    map_text("Datastore", "datastore-1", DATASTORE("all", KEY("host-1") KEY("host-2")));
    map_text("Datastore", "datastore-2", DATASTORE("mixed", KEY("host-1") KEY("host-2")));
    map_text("Datastore", "datastore-3", DATASTORE("none", KEY("host-1") KEY("host-2")));
    map_text("Datastore", "datastore-4", DATASTORE("fresh", KEY("host-1") KEY("host-2")));
    map_text("Datastore", "datastore-5", DATASTORE("nas", KEY("host-1") KEY("host-2")));
    expect("datastore/datastore-1/supports.offload.full_copy=yes");
    expect("datastore/datastore-1/supports.offload.ats=yes");
    expect("datastore/datastore-1/supports.offload.unmap=yes");
    expect("datastore/datastore-1/datastore_type=vmfs");
    expect("datastore/datastore-1/provisioned_bytes=67");
    expect("datastore/datastore-1/maintenance=0");
    expect("datastore/datastore-2/supports.offload.full_copy=unknown");
    expect("datastore/datastore-3/supports.offload.full_copy=no");
    expect("datastore/datastore-3/supports.offload.unmap=no");
    expect("datastore/datastore-4/supports.offload.full_copy=unknown");
    expect("datastore/datastore-5/supports.offload.full_copy=yes");
    expect("datastore/datastore-5/supports.offload.ats=unknown");
}

Test(vapi_map, gives_a_standard_network_its_vlan_when_its_hosts_agree)
{
    static const char host_text[] = OBJECT(
        PROP("name", "xsd:string", "h") REF("parent", "ClusterComputeResource", "domain-c1")
            PROP("config.network.portgroup", "ArrayOfHostPortGroup",
                 "<HostPortGroup><spec><name>LAN</name><vlanId>17</vlanId><vswitchName>vSwitch0"
                 "</vswitchName></spec></HostPortGroup>"));
#define NETWORK(hosts)                                                                             \
    OBJECT(PROP("name", "xsd:string", "LAN") REF("parent", "Folder", "group-v1")                   \
               PROP("host", "ArrayOfManagedObjectReference", hosts))

    map_text("HostSystem", "host-1", host_text);
    map_text("HostSystem", "host-2", host_text);
    map_text(
        "Network", "network-1",
        NETWORK("<ManagedObjectReference type=\"HostSystem\">host-1</ManagedObjectReference>"));
    map_text(
        "Network", "network-2",
        NETWORK("<ManagedObjectReference type=\"HostSystem\">host-1</ManagedObjectReference>"
                "<ManagedObjectReference type=\"HostSystem\">host-2</ManagedObjectReference>"));
    expect("network/network-1/vlan.mode=access");
    expect("network/network-1/vlan.id=17");
    expect("network/network-1/switch=host-1/vSwitch0");
    expect("network/network-2/vlan.id=17");
    cr_expect_not(has_start("network/network-2/switch="));
}

Test(vapi_map, reads_trunks_of_port_groups)
{
    map_text(
        "DistributedVirtualPortgroup", "dvportgroup-1",
        OBJECT(PROP("name", "xsd:string", "up") REF("parent", "Folder", "group-v1") PROP(
            "config.defaultPortConfig", "VMwareDVSPortSetting",
            "<vlan xsi:type=\"VmwareDistributedVirtualSwitchTrunkVlanSpec\"><inherited>false"
            "</inherited><vlanId><start>1</start><end>10</end></vlanId><vlanId><start>20</start>"
            "<end>20</end></vlanId></vlan>")));
    expect("network/dvportgroup-1/vlan.mode=trunk");
    expect("network/dvportgroup-1/vlan.allowed=1-10,20");
}

#define UPLINK(host, nic)                                                                          \
    "<host><config><host type=\"HostSystem\">" host "</host><backing "                             \
    "xsi:type=\"DistributedVirtualSwitchHostMemberPnicBacking\"><pnicSpec><pnicDevice>" nic        \
    "</pnicDevice></pnicSpec></backing></config></host>"
#define DVS(members) OBJECT(PROP("name", "xsd:string", "D") PROP("config", "VMwareDVSConfigInfo", members))
#define HBA(type, rest)                                                                            \
    "<HostHostBusAdapter xsi:type=\"" type "\"><key>k</key>" rest "</HostHostBusAdapter>"
#define ADAPTERS                                                                                   \
    OBJECT(PROP("config.network.pnic", "ArrayOfPhysicalNic",                                       \
                "<PhysicalNic><key>p0</key><device>vmnic0</device><pci>0000:3b:00.0</pci>"         \
                "<driver>i40en</driver><linkSpeed><speedMb>25000</speedMb><duplex>true</duplex>"   \
                "</linkSpeed><mac>3c:ec:ef:00:00:0a</mac></PhysicalNic>"                           \
                "<PhysicalNic><key>p1</key><device>vmnic1</device></PhysicalNic>")                 \
           PROP("config.storageDevice.hostBusAdapter", "ArrayOfHostHostBusAdapter",                \
                HBA("HostFibreChannelHba", "<device>vmhba2</device><status>online</status>"        \
                                           "<portWorldWideName>2377900762148635063"                \
                                           "</portWorldWideName><speed>32000000000</speed>")       \
                    HBA("HostInternetScsiHba", "<device>vmhba64</device><status>offline</status>"  \
                                               "<iScsiName>iqn.1998-01.com.vmware:a</iScsiName>"   \
                                               "<currentSpeedMb>10000</currentSpeedMb>")           \
                        HBA("HostSerialAttachedHba",                                               \
                            "<device>vmhba0</device><status>unknown</status>"                      \
                            "<nodeWorldWideName>5005076000000001</nodeWorldWideName>")))

Test(vapi_map, tells_the_physical_adapters_of_a_host)
{
    map_text("VmwareDistributedVirtualSwitch", "dvs-9", DVS(UPLINK("host-1", "vmnic0")));
    map_text("HostSystem", "host-1", ADAPTERS);
    expect("host_adapter/vmnic0/speed_bps=25000000000");
    expect("host_adapter/vmnic0/full_duplex=1");
    expect("host_adapter/vmnic0/mac=3C:EC:EF:00:00:0A");
    expect("host_adapter/vmnic0/switch=dvs-9");
    expect("host_adapter/vmnic1/link_up=0");
    cr_expect(!has_start("host_adapter/vmnic1/switch=dvs"));
    expect("host_adapter/vmhba2/adapter_type=fc");
    expect("host_adapter/vmhba2/wwn=21:00:00:24:ff:00:01:b7");
    expect("host_adapter/vmhba2/speed_bps=32000000000");
    expect("host_adapter/vmhba64/adapter_type=iscsi");
    expect("host_adapter/vmhba64/link_up=0");
    expect("host_adapter/vmhba64/iqn=iqn.1998-01.com.vmware:a");
    expect("host_adapter/vmhba0/wwn=50:05:07:60:00:00:00:01");
}

Test(vapi_map, forgets_an_uplink_that_the_switch_does_not_name_any_more)
{
    map_text("VmwareDistributedVirtualSwitch", "dvs-9", DVS(UPLINK("host-1", "vmnic0")));
    map_text("VmwareDistributedVirtualSwitch", "dvs-9", DVS(UPLINK("host-1", "vmnic7")));
    map_text("HostSystem", "host-1", ADAPTERS);
    cr_expect(!has("host_adapter/vmnic0/switch=dvs-9"));
}

Test(vapi_map, does_not_turn_in_circles_in_a_tree_that_does)
{
    char path[64];

    tree_put(m.tree, "Folder", "group-a", "a", "group-b");
    tree_put(m.tree, "Folder", "group-b", "b", "group-a");
    cr_expect_null(tree_above(m.tree, "group-a", TREE_DATACENTER));
    tree_path(m.tree, "group-a", path, sizeof(path));
    cr_expect_lt(strlen(path), sizeof(path));
}

Test(vapi_map, sees_whether_a_repeated_enter_is_news)
{
    static const char update[] = OBJECT(
        PROP("name", "xsd:string", "a%2fb") PROP("runtime.powerState", "x", "poweredOn")
            REF("runtime.host", "HostSystem", "host-1") PROP("config.changeVersion", "x", "c1"));
    static const char other[] = OBJECT(
        PROP("name", "xsd:string", "a%2fb") PROP("runtime.powerState", "x", "poweredOn")
            REF("runtime.host", "HostSystem", "host-1") PROP("config.changeVersion", "x", "c2"));
    struct moref ref = { "VirtualMachine", "vm-1" };
    struct pv_err err = { 0 };
    struct prop_values v;
    xmlDocPtr doc = NULL;

    map_text("VirtualMachine", "vm-1", OBJECT(VM_BASE PROP("config.changeVersion", "x", "c1")));
    cr_assert_eq(xml_parse(update, strlen(update), NULL, &doc, &err), PV_OK);
    props_read(&props_vm_watched, xmlDocGetRootElement(doc), &v);
    cr_expect_not(map_vm_is_news(&m, &ref, &v));
    xmlFreeDoc(doc);
    cr_assert_eq(xml_parse(other, strlen(other), NULL, &doc, &err), PV_OK);
    props_read(&props_vm_watched, xmlDocGetRootElement(doc), &v);
    cr_expect(map_vm_is_news(&m, &ref, &v));
    xmlFreeDoc(doc);
}

Test(vapi_map, names_events_in_words_of_its_own)
{
    static const char event[] =
        "<returnval xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
        "xsi:type=\"VmPoweredOnEvent\"><key>42</key><createdTime>2026-01-01T00:00:00Z</createdTime>"
        "<userName>VSPHERE\\ann</userName><host><host type=\"HostSystem\">host-1</host></host>"
        "<vm><vm type=\"VirtualMachine\">vm-1</vm></vm><fullFormattedMessage>web is on"
        "</fullFormattedMessage></returnval>";
    struct pv_err err = { 0 };
    xmlDocPtr doc = NULL;
    char name[32];

    cr_assert_eq(xml_parse(event, strlen(event), NULL, &doc, &err), PV_OK);
    events_map(xmlDocGetRootElement(doc), m.b);
    cr_expect_eq(pv_builder_send(m.b), PV_OK);
    xmlFreeDoc(doc);
    expect("event/42/type=external.vm_powered_on");
    expect("event/42/native.type=VmPoweredOnEvent");
    expect("event/42/actor.name=VSPHERE\\ann");
    expect("event/42/native.subject=vm-1");
    expect("event/42/message=web is on");
    events_type("DVPortgroupCreatedEvent", name, sizeof(name));
    cr_expect_str_eq(name, "external.dv_portgroup_created");
    events_type("com.vmware.vc.HA.X", name, sizeof(name));
    cr_expect_str_eq(name, "external.com_vmware_vc_ha_x");
    events_type("AVeryLongNameOfAnEventThatDoesNotFitEvent", name, sizeof(name));
    cr_expect_lt(strlen(name), sizeof(name));
}

#define CONFIG(das, drs)                                                                           \
    OBJECT(PROP("name", "xsd:string", "C") "<propSet><name>configurationEx</name><val xsi:type=\"" \
                                           "ClusterConfigInfoEx\"><dasConfig>" das                 \
                                           "</dasConfig><drsConfig>" drs                           \
                                           "</drsConfig></val></propSet>")

Test(vapi_map, tells_what_ha_is_set_to)
{
    map_text("ClusterComputeResource", "domain-c1",
             CONFIG("<enabled>true</enabled><vmMonitoring>vmMonitoringOnly</vmMonitoring>"
                    "<hostMonitoring>enabled</hostMonitoring><admissionControlPolicy "
                    "xsi:type=\"ClusterFailoverLevelAdmissionControlPolicy\"><failoverLevel>2"
                    "</failoverLevel></admissionControlPolicy><admissionControlEnabled>true"
                    "</admissionControlEnabled><hBDatastoreCandidatePolicy>userSelectedDs"
                    "</hBDatastoreCandidatePolicy>",
                    "<enabled>true</enabled><vmotionRate>3</vmotionRate>"));
    expect("cluster/domain-c1/ha.admission_control=1");
    expect("cluster/domain-c1/ha.admission_policy=slots");
    expect("cluster/domain-c1/ha.host_failures=2");
    expect("cluster/domain-c1/ha.vm_monitoring=vms");
    expect("cluster/domain-c1/ha.host_monitoring=1");
    expect("cluster/domain-c1/ha.heartbeat_datastores=chosen");
    expect("cluster/domain-c1/ha.isolation_response=unknown");
    expect("cluster/domain-c1/drs.migration_threshold=3");
}
