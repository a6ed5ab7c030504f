/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of WMI's objects: each test maps a few instances and looks at the records. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/inventory_known.h"
#include "drivers/wmi/kvp.h"
#include "drivers/wmi/map.h"
#include "tests/unit/map_lines.h"

#define VM "11111111-2222-3333-4444-555555555555"
#define CP1 "aaaaaaaa-0000-0000-0000-000000000001"
#define CP2 "aaaaaaaa-0000-0000-0000-000000000002"
#define SW "99999999-0000-0000-0000-000000000009"

static void on_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    cr_assert_gt(level, PV_LOG_LEVEL_WARN, "%s", message);
}

static const struct pv_host host = { .size = sizeof(host), .emit = on_emit, .log = on_log };
static struct arena *a;
static struct sight *s;
static struct world *w;
static struct pv_builder *b;

static void set_up(void)
{
    xml_global_init();
    nlines = 0;
    a = arena_new(65536, 64u << 20);
    s = sight_new(a);
    b = pv_builder_new(&host);
    s->asked = ~UINT64_C(0);
}

static void tear_down(void)
{
    world_free(w);
    w = NULL;
    pv_builder_free(b);
    arena_free(a);
    xml_global_cleanup();
}

TestSuite(wmi_map, .init = set_up, .fini = tear_down);

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

static struct cim_instance *put(enum sight_list list, const struct cim_class *cls)
{
    struct cim_instance *o = cim_new(a, cls);
    struct pv_err err = { 0 };

    cr_assert_eq(cim_list_add(&s->lists[list], a, o, &err), PV_OK);
    return o;
}

#define VSSD(prop) P(Msvm_VirtualSystemSettingData, prop)
#define RES(prop) P(Msvm_ResourceAllocationSettingData, prop)

static struct cim_instance *settings(const char *id, const char *type, const char *name)
{
    struct cim_instance *o = put(SIGHT_SETTINGS, CIM(Msvm_VirtualSystemSettingData));

    cim_set_str(o, VSSD(InstanceID), arena_printf(a, "Microsoft:%s", id));
    cim_set_str(o, VSSD(VirtualSystemIdentifier), VM);
    cim_set_str(o, VSSD(VirtualSystemType), arena_printf(a, "Microsoft:Hyper-V:%s", type));
    cim_set_str(o, VSSD(ElementName), name);
    return o;
}

static const char *path_of(const char *cls, const char *id)
{
    char doubled[256];
    size_t n = 0;

    for (; *id && n + 2 < sizeof(doubled); id++) {
        if (*id == '\\')
            doubled[n++] = '\\';
        doubled[n++] = *id;
    }
    doubled[n] = '\0';
    return arena_printf(a, "\\\\HOST\\root\\virtualization\\v2:%s.InstanceID=\"%s\"", cls, doubled);
}

static struct cim_instance *resource(uint64_t type, const char *tail, const char *parent,
                                     const char *slot)
{
    struct cim_instance *o = put(SIGHT_RESOURCE, CIM(Msvm_ResourceAllocationSettingData));

    cim_set_str(o, RES(InstanceID), arena_printf(a, "Microsoft:" VM "\\%s", tail));
    cim_set_uint(o, RES(ResourceType), type);
    if (parent)
        cim_set_str(o, RES(Parent),
                    path_of("Msvm_ResourceAllocationSettingData",
                            arena_printf(a, "Microsoft:" VM "\\%s", parent)));
    if (slot)
        cim_set_str(o, RES(AddressOnParent), slot);
    return o;
}

static void medium(const char *drive, const char *file)
{
    struct cim_instance *o = put(SIGHT_STORAGE, CIM(Msvm_StorageAllocationSettingData));

    cim_set_str(o, P(Msvm_StorageAllocationSettingData, InstanceID),
                arena_printf(a, "Microsoft:" VM "\\%sL", drive));
    cim_set_str(o, P(Msvm_StorageAllocationSettingData, Parent),
                path_of("Msvm_ResourceAllocationSettingData",
                        arena_printf(a, "Microsoft:" VM "\\%s", drive)));
    cim_add_str(o, P(Msvm_StorageAllocationSettingData, HostResource), file);
}

static void volume(const char *guid, const char *name)
{
    struct cim_instance *o = put(SIGHT_VOLUME, CIM(Win32_Volume));

    cim_set_str(o, P(Win32_Volume, DeviceID), arena_printf(a, "\\\\?\\Volume{%s}\\", guid));
    cim_set_str(o, P(Win32_Volume, Name), name);
    cim_set_str(o, P(Win32_Volume, FileSystem), "NTFS");
    cim_set_uint(o, P(Win32_Volume, DriveType), 3);
    cim_set_uint(o, P(Win32_Volume, Capacity), 1000);
    cim_set_uint(o, P(Win32_Volume, FreeSpace), 20);
}

static struct map open_map(void)
{
    struct cim_instance *o = put(SIGHT_SWITCH, CIM(Msvm_VirtualEthernetSwitch));
    struct pv_err err = { 0 };

    cim_set_str(o, P(Msvm_VirtualEthernetSwitch, Name), SW);
    cim_set_str(o, P(Msvm_VirtualEthernetSwitch, ElementName), "Lab");
    o = put(SIGHT_CPU, CIM(Win32_Processor));
    cim_set_uint(o, P(Win32_Processor, MaxClockSpeed), 2000);
    cr_assert_eq(sight_join(s, &err), PV_OK, "%s", err.message);
    cr_assert_eq(world_new(s, "hv", &w, &err), PV_OK, "%s", err.message);
    return (struct map){ .b = b, .s = s, .w = w, .now_ms = 1000000, .whole = true };
}

static void map_it(void)
{
    struct map m = open_map();

    cr_assert(map_vm(&m, sight_owner(s, VM)));
    cr_assert_eq(pv_builder_send(b), PV_OK);
}

Test(wmi_map, a_vm_of_which_nothing_else_is_known_is_still_a_vm)
{
    settings(VM, "System:Realized", "bare");
    map_it();
    expect("vm/" VM "/name=bare");
    expect("vm/" VM "/firmware=bios");
    expect("vm/" VM "/host=hv");
    expect("vm/" VM "/snapshots.count=0");
    expect("disk/none");
    expect("nic/none");
    expect("controller/none");
    expect("cdrom/none");
    /* Nobody said anything about its state: it stays as it was. */
    cr_expect_not(has_start("vm/" VM "/power_state"));
    cr_expect_not(has_start("vm/" VM "/memory.bytes"));
}

Test(wmi_map, planned_systems_templates_and_recovery_checkpoints_are_left_out)
{
    settings(VM, "System:Planned", "planned");
    settings("Definition\\aaaaaaaa-1111-1111-1111-111111111111\\Default", "System:Definition", "x");
    struct map m = open_map();

    cr_expect_not(map_vm(&m, sight_owner(s, VM)));
    cr_expect(sight_is_snapshot(settings(CP1, "Snapshot:Realized", "one")));
    cr_expect_not(sight_is_snapshot(settings(CP2, "Snapshot:Recovery", "backup")));
    cr_expect_not(sight_is_snapshot(settings(CP2, "Snapshot:Planned", "planned")));
    cr_expect_not(sight_is_snapshot(settings(CP2, "Snapshot:Missing", "missing")));
    cr_expect(sight_is_snapshot(settings(CP2, "Snapshot:Replica:Standard", "replica")));
}

Test(wmi_map, checkpoints_are_a_tree_with_one_current)
{
    struct cim_instance *vm = settings(VM, "System:Realized", "web");
    struct cim_instance *first = settings(CP1, "Snapshot:Realized", "one");
    struct cim_instance *second = settings(CP2, "Snapshot:Realized", "two");

    cim_set_str(second, VSSD(Parent), path_of("Msvm_VirtualSystemSettingData", "Microsoft:" CP1));
    cim_set_str(vm, VSSD(Parent), path_of("Msvm_VirtualSystemSettingData", "Microsoft:" CP1));
    cim_set_bool(first, VSSD(IsSaved), true);
    cim_set_uint(second, VSSD(UserSnapshotType), 3);
    map_it();
    expect("snapshot/Microsoft:" CP1 "/parent=null");
    expect("snapshot/Microsoft:" CP1 "/current=1");
    expect("snapshot/Microsoft:" CP1 "/memory=1");
    expect("snapshot/Microsoft:" CP1 "/snapshot_type=standard");
    expect("snapshot/Microsoft:" CP2 "/parent=Microsoft:" CP1);
    expect("snapshot/Microsoft:" CP2 "/current=0");
    expect("snapshot/Microsoft:" CP2 "/snapshot_type=production");
    expect("vm/" VM "/snapshots.count=2");
    expect("vm/" VM "/snapshots.depth=2");
}

Test(wmi_map, checkpoints_that_are_each_others_parent_come_to_an_end)
{
    settings(VM, "System:Realized", "web");
    cim_set_str(settings(CP1, "Snapshot:Realized", "one"), VSSD(Parent),
                path_of("Msvm_VirtualSystemSettingData", "Microsoft:" CP2));
    cim_set_str(settings(CP2, "Snapshot:Realized", "two"), VSSD(Parent),
                path_of("Msvm_VirtualSystemSettingData", "Microsoft:" CP1));
    map_it();
    expect("vm/" VM "/snapshots.count=2");
}

Test(wmi_map, controllers_are_numbered_by_their_ids_whatever_the_order)
{
    settings(VM, "System:Realized", "web");
    resource(17, "BBB\\0\\3\\D", "bbb\\0", "3");
    resource(6, "BBB\\0", NULL, NULL);
    resource(6, "AAA\\0", NULL, NULL);
    resource(5, "III\\1", NULL, NULL);
    resource(16, "III\\1\\0\\D", "III\\1", "0");
    map_it();
    expect("controller/Microsoft:" VM "\\AAA\\0/number=0");
    expect("controller/Microsoft:" VM "\\BBB\\0/number=1");
    expect("disk/Microsoft:" VM "\\BBB\\0\\3\\D/controller.type=scsi");
    expect("disk/Microsoft:" VM "\\BBB\\0\\3\\D/controller.bus=1");
    expect("disk/Microsoft:" VM "\\BBB\\0\\3\\D/controller.unit=3");
    expect("cdrom/Microsoft:" VM "\\III\\1\\0\\D/controller.type=ide");
    expect("cdrom/Microsoft:" VM "\\III\\1\\0\\D/image.path=null");
}

Test(wmi_map, a_disk_lies_on_the_volume_with_the_longest_name)
{
    settings(VM, "System:Realized", "web");
    volume("aaaaaaaa-0000-0000-0000-00000000000c", "C:\\");
    volume("aaaaaaaa-0000-0000-0000-00000000000d", "C:\\Mounts\\Fast\\");
    resource(6, "S\\0", NULL, NULL);
    resource(17, "S\\0\\0\\D", "S\\0", "0");
    resource(17, "S\\0\\1\\D", "S\\0", "1");
    resource(17, "S\\0\\2\\D", "S\\0", "2");
    medium("S\\0\\0\\D", "\\\\?\\c:\\mounts\\FAST\\a.vhdx");
    medium("S\\0\\1\\D", "C:/other/b.VHD");
    medium("S\\0\\2\\D", "\\\\Filer\\Share\\c.vhds");
    map_it();
    expect("disk/Microsoft:" VM
           "\\S\\0\\0\\D/image.datastore=\\\\?\\volume{aaaaaaaa-0000-0000-0000-00000000000d}\\");
    expect("disk/Microsoft:" VM "\\S\\0\\0\\D/image.format=vhdx");
    expect("disk/Microsoft:" VM
           "\\S\\0\\1\\D/image.datastore=\\\\?\\volume{aaaaaaaa-0000-0000-0000-00000000000c}\\");
    expect("disk/Microsoft:" VM "\\S\\0\\1\\D/image.format=vhd");
    expect("disk/Microsoft:" VM "\\S\\0\\2\\D/image.datastore=\\\\filer\\share\\");
    expect("disk/Microsoft:" VM "\\S\\0\\2\\D/sharing=vhd_set");
}

Test(wmi_map, a_volume_that_is_nearly_full_says_so)
{
    struct map m;

    volume("aaaaaaaa-0000-0000-0000-00000000000c", "C:\\");
    m = open_map();
    map_datastores(&m);
    cr_assert_eq(pv_builder_send(b), PV_OK);
    expect("datastore/\\\\?\\volume{aaaaaaaa-0000-0000-0000-00000000000c}\\/health=warning");
    expect("datastore/\\\\?\\volume{aaaaaaaa-0000-0000-0000-00000000000c}\\/"
           "health_reasons=,space_low,");
}

static void nic(uint64_t mode, const char *mac)
{
    struct cim_instance *o = put(SIGHT_NIC, CIM(Msvm_SyntheticEthernetPortSettingData));

    cim_set_str(o, P(Msvm_SyntheticEthernetPortSettingData, InstanceID), "Microsoft:" VM "\\" CP1);
    cim_set_str(o, P(Msvm_SyntheticEthernetPortSettingData, Address), mac);
    o = put(SIGHT_PORT, CIM(Msvm_EthernetPortAllocationSettingData));
    cim_set_str(o, P(Msvm_EthernetPortAllocationSettingData, InstanceID),
                "Microsoft:" VM "\\" CP1 "\\C");
    cim_set_str(o, P(Msvm_EthernetPortAllocationSettingData, Parent),
                path_of("Msvm_SyntheticEthernetPortSettingData", "Microsoft:" VM "\\" CP1));
    cim_add_str(o, P(Msvm_EthernetPortAllocationSettingData, HostResource),
                "\\\\HOST\\root\\virtualization\\v2:Msvm_VirtualEthernetSwitch."
                "CreationClassName=\"Msvm_VirtualEthernetSwitch\",Name=\"" SW "\"");
    o = put(SIGHT_VLAN, CIM(Msvm_EthernetSwitchPortVlanSettingData));
    cim_set_str(o, P(Msvm_EthernetSwitchPortVlanSettingData, InstanceID),
                "Microsoft:" VM "\\" CP1 "\\C\\952C5004\\1");
    cim_set_uint(o, P(Msvm_EthernetSwitchPortVlanSettingData, OperationMode), mode);
    cim_set_uint(o, P(Msvm_EthernetSwitchPortVlanSettingData, AccessVlanId), 42);
    cim_set_uint(o, P(Msvm_EthernetSwitchPortVlanSettingData, NativeVlanId), 7);
    cim_set_uint(o, P(Msvm_EthernetSwitchPortVlanSettingData, PrimaryVlanId), 100);
    for (unsigned id = 10; id <= 12; id++)
        cim_add_uint(o, P(Msvm_EthernetSwitchPortVlanSettingData, TrunkVlanIdArray), id);
    cim_add_uint(o, P(Msvm_EthernetSwitchPortVlanSettingData, TrunkVlanIdArray), 20);
}

Test(wmi_map, an_adapter_in_access_mode_attaches_to_the_network_of_its_vlan)
{
    struct map m;

    settings(VM, "System:Realized", "web");
    nic(1, "00155d0a0B0c");
    m = open_map();
    map_host(&m);
    map_networks(&m);
    cr_assert(map_vm(&m, sight_owner(s, VM)));
    cr_assert_eq(pv_builder_send(b), PV_OK);
    expect("network/" SW ".42/name=Lab VLAN 42");
    expect("network/" SW ".42/vlan.id=42");
    expect("network/" SW "/vlan.mode=untagged");
    expect("nic/Microsoft:" VM "\\" CP1 "/network=" SW ".42");
    expect("nic/Microsoft:" VM "\\" CP1 "/mac=00:15:5D:0A:0B:0C");
    expect("nic/Microsoft:" VM "\\" CP1 "/vlan.id=42");
}

Test(wmi_map, a_trunk_attaches_to_the_switch_and_says_what_it_carries)
{
    settings(VM, "System:Realized", "web");
    nic(2, "000000000000");
    map_it();
    expect("nic/Microsoft:" VM "\\" CP1 "/network=" SW);
    expect("nic/Microsoft:" VM "\\" CP1 "/vlan.mode=trunk");
    expect("nic/Microsoft:" VM "\\" CP1 "/vlan.id=7");
    expect("nic/Microsoft:" VM "\\" CP1 "/vlan.allowed=10-12,20");
    expect("nic/Microsoft:" VM "\\" CP1 "/mac=null");
}

Test(wmi_map, a_private_vlan_counts_as_its_primary)
{
    settings(VM, "System:Realized", "web");
    nic(3, "00155d0a0b0c");
    map_it();
    expect("nic/Microsoft:" VM "\\" CP1 "/vlan.id=100");
    expect("nic/Microsoft:" VM "\\" CP1 "/network=" SW ".100");
}

Test(wmi_map, what_the_account_may_not_see_stays_as_stored)
{
    settings(VM, "System:Realized", "web");
    nic(1, "00155d0a0b0c");
    s->refused = UINT64_C(1) << SIGHT_VLAN | UINT64_C(1) << SIGHT_GUARD | UINT64_C(1) << SIGHT_KVP |
                 UINT64_C(1) << SIGHT_GUEST_NET;
    map_it();
    cr_expect_not(has_start("nic/Microsoft:" VM "\\" CP1 "/vlan."));
    cr_expect_not(has_start("nic/Microsoft:" VM "\\" CP1 "/security."));
    cr_expect_not(has_start("nic/Microsoft:" VM "\\" CP1 "/ip_addresses"));
    cr_expect_not(has_start("vm/" VM "/guest.ip_addresses"));
}

Test(wmi_map, memory_and_processors_are_told_in_our_units)
{
    struct cim_instance *o;

    settings(VM, "System:Realized", "web");
    o = put(SIGHT_MEMORY, CIM(Msvm_MemorySettingData));
    cim_set_str(o, P(Msvm_MemorySettingData, InstanceID), "Microsoft:" VM "\\m");
    cim_set_uint(o, P(Msvm_MemorySettingData, VirtualQuantity), 1024);
    cim_set_uint(o, P(Msvm_MemorySettingData, Reservation), 512);
    cim_set_uint(o, P(Msvm_MemorySettingData, Limit), 2048);
    cim_set_bool(o, P(Msvm_MemorySettingData, DynamicMemoryEnabled), true);
    o = put(SIGHT_PROCESSOR, CIM(Msvm_ProcessorSettingData));
    cim_set_str(o, P(Msvm_ProcessorSettingData, InstanceID), "Microsoft:" VM "\\p");
    cim_set_uint(o, P(Msvm_ProcessorSettingData, VirtualQuantity), 4);
    cim_set_uint(o, P(Msvm_ProcessorSettingData, Limit), 50000);
    cim_set_uint(o, P(Msvm_ProcessorSettingData, Reservation), 10000);
    map_it();
    expect("vm/" VM "/memory.bytes=1073741824");
    expect("vm/" VM "/memory.min_bytes=536870912");
    expect("vm/" VM "/memory.max_bytes=2147483648");
    expect("vm/" VM "/cpu.count=4");
    expect("vm/" VM "/cpu.limit_mhz=4000");
    expect("vm/" VM "/cpu.reservation_mhz=800");
}

Test(wmi_map, a_vm_that_is_off_has_no_start_and_a_running_one_has)
{
    struct cim_instance *o;

    settings(VM, "System:Realized", "web");
    o = put(SIGHT_SYSTEM, CIM(Msvm_ComputerSystem));
    cim_set_str(o, P(Msvm_ComputerSystem, Name), VM);
    cim_set_uint(o, P(Msvm_ComputerSystem, EnabledState), 3);
    cim_set_uint(o, P(Msvm_ComputerSystem, HealthState), 5);
    map_it();
    expect("vm/" VM "/power_state=off");
    expect("vm/" VM "/boot_time=null");
    expect("vm/" VM "/health=ok");
    cr_expect_eq(map_state(32785).power, PV_POWER_STATE_PAUSED);
    cr_expect(map_state(32785).critical);
    cr_expect_eq(map_state(77).power, PV_POWER_STATE_UNKNOWN);
}

#define ITEM(name, data)                                                                           \
    "<INSTANCE CLASSNAME=\"Msvm_KvpExchangeDataItem\"><PROPERTY NAME=\"Name\" TYPE=\"string\">"    \
    "<VALUE>" name "</VALUE></PROPERTY><PROPERTY NAME=\"Data\" TYPE=\"string\"><VALUE>" data       \
    "</VALUE></PROPERTY></INSTANCE>"

Test(wmi_map, a_guest_tells_what_it_likes_and_only_the_readable_part_counts)
{
    static const char *const items[] = { ITEM("OSName", "Debian GNU/Linux 12"),
                                         ITEM("FullyQualifiedDomainName", "web.example"),
                                         ITEM("NetworkAddressIPv4",
                                              "10.0.0.2;127.0.0.1; 10.0.0.2 ;&lt;script&gt;;"),
                                         ITEM("NetworkAddressIPv6", "fe80::1%2;;"),
                                         "<INSTANCE",
                                         "",
                                         "nothing",
                                         ITEM("", "x"),
                                         ITEM("OSVersion", "") };
    struct cim_instance *kvp = cim_new(a, CIM(Msvm_KvpExchangeComponent));
    struct cim_value *v =
        &kvp->values[P(Msvm_KvpExchangeComponent, GuestIntrinsicExchangeItems).id->slot];
    struct kvp_addresses set = { .n = 0 };
    struct kvp out;

    v->there = true;
    v->count = sizeof(items) / sizeof(items[0]);
    v->items = arena_alloc(a, v->count * sizeof(*v->items));
    for (uint32_t i = 0; i < v->count; i++)
        v->items[i].text = items[i];
    kvp_read(a, kvp, &out);
    cr_expect_str_eq(out.os_name, "Debian GNU/Linux 12");
    cr_expect_str_eq(out.fqdn, "web.example");
    cr_expect_null(out.os_version);
    kvp_add_list(a, &set, out.ipv4);
    kvp_add_list(a, &set, out.ipv6);
    for (size_t i = 0; i < set.n; i++)
        cr_expect_null(strchr(set.items[i], '<'));
    cr_expect_str_eq(set.items[0], "10.0.0.2");
    cr_expect_str_eq(set.items[set.n - 1], "fe80::1%2");
}

Test(wmi_map, paths_that_mean_one_file_have_one_form)
{
    cr_expect_str_eq(world_path(a, "\\\\?\\C:\\VMs\\A.vhdx"), "c:\\vms\\a.vhdx");
    cr_expect_str_eq(world_path(a, "C:/VMs/a.VHDX"), "c:\\vms\\a.vhdx");
    cr_expect_str_eq(world_path(a, "\\\\?\\UNC\\Srv\\S\\a"), "\\\\srv\\s\\a");
    cr_expect_str_eq(world_path(a, "\\\\?\\Volume{AB}\\x"), "\\\\?\\volume{ab}\\x");
    cr_expect_str_eq(world_share(a, "\\\\Srv\\Share"), "\\\\srv\\share\\");
    cr_expect_null(world_share(a, "C:\\x"));
    cr_expect_null(world_share(a, "\\\\srv"));
    cr_expect_null(world_share(a, "\\\\?\\Volume{AB}\\x"));
    cr_expect_null(world_path(a, NULL));
}

Test(wmi_map, guids_are_found_wherever_they_stand_and_nowhere_else)
{
    char guid[SIGHT_GUID];

    cr_expect(sight_guid("Microsoft:GuestNetwork\\" VM "\\{" CP1 "}", 1, guid));
    cr_expect_str_eq(guid, CP1);
    cr_expect_not(sight_guid("Microsoft:GuestNetwork\\" VM, 1, guid));
    cr_expect_not(sight_guid(VM "-7", 0, guid));
    cr_expect_not(sight_guid("HV01", 0, guid));
    cr_expect_not(sight_guid(NULL, 0, guid));
}

struct swept {
    char text[256];
};

static void on_gone(void *ctx, enum pv_kind kind, const char *id)
{
    struct swept *x = ctx;
    size_t at = strlen(x->text);

    snprintf(x->text + at, sizeof(x->text) - at, "%u:%s ", (unsigned)kind, id);
}

Test(wmi_map, what_a_listing_did_not_see_again_is_gone_once)
{
    struct known *k = known_new();
    struct swept x = { "" };

    cr_assert_eq(known_note(k, PV_KIND_switch, "a", 1), PV_OK);
    cr_assert_eq(known_note(k, PV_KIND_switch, "b", 1), PV_OK);
    cr_assert_eq(known_note(k, PV_KIND_switch, "a", 2), PV_OK);
    known_sweep(k, 2, on_gone, &x);
    cr_expect_str_eq(x.text, "6:b ");
    known_sweep(k, 2, on_gone, &x);
    cr_expect_str_eq(x.text, "6:b ");
    for (unsigned i = 0; i < 500; i++) {
        char guid[SIGHT_GUID];

        snprintf(guid, sizeof(guid), "%08x-0000-0000-0000-000000000000", i);
        cr_assert_not_null(known_put(k, guid));
    }
    cr_expect_eq(known_count(k), 500);
    known_drop(k, "00000007-0000-0000-0000-000000000000");
    cr_expect_null(known_find(k, "00000007-0000-0000-0000-000000000000"));
    cr_expect_not_null(known_find(k, "000001f3-0000-0000-0000-000000000000"));
    known_free(k);
}

static void count_gone(void *ctx, const struct image *im)
{
    (void)im;
    ++*(unsigned *)ctx;
}

Test(wmi_map, files_are_remembered_looked_up_and_forgotten)
{
    struct images *i = images_new();
    unsigned gone = 0;

    for (unsigned n = 0; n < 1000; n++) {
        char path[32];
        struct image *im;

        snprintf(path, sizeof(path), "c:\\%u.vhdx", n);
        im = images_put(i, path, path);
        cr_assert_not_null(im);
        im->seen = n % 2;
        im->looked_ms = n == 500 ? 0 : 100;
    }
    cr_expect_str_eq(images_oldest(i, 50)->key, "c:\\500.vhdx");
    cr_expect_null(images_oldest(i, 0));
    cr_expect_eq(images_put(i, "c:\\3.vhdx", "C:\\3.vhdx"), images_find(i, "c:\\3.vhdx"));
    images_sweep(i, 1, count_gone, &gone);
    cr_expect_eq(gone, 500u);
    cr_expect_null(images_find(i, "c:\\4.vhdx"));
    images_free(i);
}
