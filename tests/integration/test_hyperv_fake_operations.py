# SPDX-License-Identifier: Apache-2.0
"""The Hyper-V fake: operations on VMs, disks, checkpoints, switches, and moving VMs."""

import pytest

from support.hyperv import HypervFake
from support.wait import wait_equal, wait_for
from support.wsman import V2, Ref, WsMan, instance, object_path, setting_ref, vm_ref

VSMS = "Msvm_VirtualSystemManagementService"
SNAP = "Msvm_VirtualSystemSnapshotService"
IMG = "Msvm_ImageManagementService"
MIG = "Msvm_VirtualSystemMigrationService"
VESMS = "Msvm_VirtualEthernetSwitchManagementService"


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    with HypervFake(tmp_path_factory.mktemp("fake"), hosts=2, vms=20, speed=20) as running:
        yield running


@pytest.fixture
def host(fake):
    return fake.hosts[0]


@pytest.fixture
def client(host):
    return WsMan(host)


def vssd(ident):
    return setting_ref("Msvm_VirtualSystemSettingData", f"Microsoft:{ident}")


def settings_path(cls, instance_id):
    return object_path(cls, InstanceID=instance_id)


def define(client, host, name, generation=2):
    text = instance("Msvm_VirtualSystemSettingData", ElementName=("string", name),
                    VirtualSystemSubType=("string", f"Microsoft:Hyper-V:SubType:{generation}"))
    answer = client.service(VSMS, "DefineSystem", {"SystemSettings": text})
    assert answer.returned == 4096 and answer.out["ResultingSystem"] is None
    job = answer.job
    client.done(answer)
    made = client.query("ASSOCIATORS OF {Msvm_ConcreteJob.InstanceID='%s'} WHERE AssocClass = Msvm_AffectedJobElement"
                        % job[1]["InstanceID"])
    return host.vm(made[0]["Name"])


def add(client, vm, text):
    return client.service(VSMS, "AddResourceSettings", {"AffectedConfiguration": vssd(vm.id), "ResourceSettings": text})


def rasd(kind, subtype, **more):
    return instance("Msvm_ResourceAllocationSettingData", ResourceType=("uint16", kind),
                    ResourceSubType=("string", f"Microsoft:Hyper-V:{subtype}"), **more)


def with_disk(client, host, name, path):
    vm = define(client, host, name)
    client.done(add(client, vm, rasd(6, "Synthetic SCSI Controller")))
    controller = host.vm(vm.id).controllers[0]
    client.done(add(client, vm, rasd(17, "Synthetic Disk Drive", AddressOnParent=("string", "0"), Parent=(
        "string", settings_path("Msvm_ResourceAllocationSettingData", controller)))))
    drive = host.vm(vm.id).drives[0]
    client.done(client.service(IMG, "CreateVirtualHardDisk", {"VirtualDiskSettingData": instance(
        "Msvm_VirtualHardDiskSettingData", Path=("string", path), Type=("uint16", 3), Format=("uint16", 3),
        MaxInternalSize=("uint64", 10 << 30))}))
    client.done(add(client, vm, instance(
        "Msvm_StorageAllocationSettingData", ResourceType=("uint16", 31),
        ResourceSubType=("string", "Microsoft:Hyper-V:Virtual Hard Disk"), HostResource=("string", [path]),
        Parent=("string", settings_path("Msvm_ResourceAllocationSettingData", drive)))))
    return host.vm(vm.id)


def start(client, vm, state=2):
    client.done(client.invoke("Msvm_ComputerSystem", "RequestStateChange", {"RequestedState": state}, vm_ref(vm.id).keys))


def test_a_new_vm_of_generation_2_has_no_scsi_controller(client, host):
    vm = define(client, host, "plain")
    assert (vm.generation, vm.controllers, vm.state) == (2, [], "off")
    assert len(define(client, host, "old", 1).controllers) == 2


def test_a_disk_needs_controller_drive_and_file_in_that_order(client, host):
    vm = with_disk(client, host, "disky", "D:\\VMs\\disky.vhdx")
    assert [d["path"] for d in vm.disks] == ["D:\\VMs\\disky.vhdx"]
    start(client, vm)
    assert host.vm(vm.id).state == "running"


def test_a_drive_that_holds_a_disk_cannot_be_removed_even_together_with_it(client, host):
    vm = with_disk(client, host, "detach", "D:\\VMs\\detach.vhdx")
    drive = setting_ref("Msvm_ResourceAllocationSettingData", vm.drives[0])
    disk = setting_ref("Msvm_StorageAllocationSettingData", vm.disks[0]["id"])
    for both in ([drive], [disk, drive]):
        assert client.service(VSMS, "RemoveResourceSettings", {"ResourceSettings": both}).code == 0x80041001
    client.done(client.service(VSMS, "RemoveResourceSettings", {"ResourceSettings": [disk]}))
    client.done(client.service(VSMS, "RemoveResourceSettings", {"ResourceSettings": [drive]}))
    assert host.vm(vm.id).drives == []


def test_a_missing_file_fails_in_the_job(client, host):
    vm = with_disk(client, host, "nofile", "D:\\VMs\\nofile.vhdx")
    client.done(add(client, vm, rasd(17, "Synthetic Disk Drive", AddressOnParent=("string", "5"), Parent=(
        "string", settings_path("Msvm_ResourceAllocationSettingData", vm.controllers[0])))))
    drive = [d for d in host.vm(vm.id).drives if d.endswith("\\5\\D")][0]
    answer = add(client, vm, instance(
        "Msvm_StorageAllocationSettingData", ResourceType=("uint16", 31),
        ResourceSubType=("string", "Microsoft:Hyper-V:Virtual Hard Disk"), HostResource=("string", ["D:\\none.vhdx"]),
        Parent=("string", settings_path("Msvm_ResourceAllocationSettingData", drive))))
    job = client.finish(answer)
    assert job["JobState"] == "10" and "0x80070002" in job["ErrorDescription"]
    errors = client.invoke("Msvm_ConcreteJob", "GetErrorEx", {}, answer.job[1])
    assert "Msvm_Error" in errors.out["Errors"]


def test_cpu_and_memory_follow_the_rules(client, host):
    vm = define(client, host, "resized")
    cpu = client.query(f"SELECT * FROM Msvm_ProcessorSettingData WHERE InstanceID LIKE 'Microsoft:{vm.id}%'")[0]["InstanceID"]
    memory = client.query(f"SELECT * FROM Msvm_MemorySettingData WHERE InstanceID LIKE 'Microsoft:{vm.id}%'")[0]["InstanceID"]

    def modify(text):
        return client.service(VSMS, "ModifyResourceSettings", {"ResourceSettings": text})

    client.done(modify(instance("Msvm_ProcessorSettingData", InstanceID=("string", cpu), VirtualQuantity=("uint64", 4))))
    assert host.vm(vm.id).cpus == 4
    odd = instance("Msvm_MemorySettingData", InstanceID=("string", memory), VirtualQuantity=("uint64", 1023))
    assert client.refused(modify(odd)) == 32773
    client.done(modify(instance("Msvm_MemorySettingData", InstanceID=("string", memory), VirtualQuantity=("uint64", 2048),
                                DynamicMemoryEnabled=("boolean", True), Reservation=("uint64", 512),
                                Limit=("uint64", 4096))))
    seen = host.vm(vm.id)
    assert (seen.memory_mb, seen.memory_min_mb, seen.memory_max_mb, seen.dynamic_memory) == (2048, 512, 4096, True)
    start(client, vm)
    busy = instance("Msvm_ProcessorSettingData", InstanceID=("string", cpu), VirtualQuantity=("uint64", 2))
    assert client.refused(modify(busy)) == 32775


def test_a_network_adapter_takes_its_connection_and_vlan_with_it(client, host):
    vm = define(client, host, "netty")
    guid = "0A0B0C0D-1111-4222-8333-444455556666"
    client.done(add(client, vm, instance(
        "Msvm_SyntheticEthernetPortSettingData", ResourceType=("uint16", 10),
        ResourceSubType=("string", "Microsoft:Hyper-V:Synthetic Ethernet Port"), ElementName=("string", "lan"),
        VirtualSystemIdentifiers=("string", ["{" + guid + "}"]), StaticMacAddress=("boolean", True),
        Address=("string", "00155D010203"))))
    nic = host.vm(vm.id).nics[0]
    assert guid in nic["id"] and nic["mac"] == "00155D010203"
    switch = client.enumerate("Msvm_VirtualEthernetSwitch")[0]
    client.done(add(client, vm, instance(
        "Msvm_EthernetPortAllocationSettingData", ResourceType=("uint16", 33),
        ResourceSubType=("string", "Microsoft:Hyper-V:Ethernet Connection"), EnabledState=("uint16", 2),
        Parent=("string", settings_path("Msvm_SyntheticEthernetPortSettingData", nic["id"])),
        HostResource=("string", [object_path("Msvm_VirtualEthernetSwitch", CreationClassName="Msvm_VirtualEthernetSwitch",
                                             Name=switch["Name"])]))))
    port = setting_ref("Msvm_EthernetPortAllocationSettingData", nic["id"] + "\\C")
    client.done(client.service(VSMS, "AddFeatureSettings", {"AffectedConfiguration": port, "FeatureSettings": instance(
        "Msvm_EthernetSwitchPortVlanSettingData", OperationMode=("uint32", 1), AccessVlanId=("uint16", 77))}))
    assert (host.vm(vm.id).nics[0]["switch"], host.vm(vm.id).nics[0]["vlan"]) == (switch["ElementName"], 77)
    client.done(client.service(VSMS, "RemoveResourceSettings", {
        "ResourceSettings": [setting_ref("Msvm_SyntheticEthernetPortSettingData", nic["id"])]}))
    assert host.vm(vm.id).nics == []
    assert not client.query(f"SELECT * FROM Msvm_EthernetSwitchPortVlanSettingData WHERE InstanceID LIKE '%{guid}%'")


def test_a_rename_leaves_everything_else(client, host):
    vm = define(client, host, "before")
    client.done(client.service(VSMS, "ModifySystemSettings", {"SystemSettings": instance(
        "Msvm_VirtualSystemSettingData", InstanceID=("string", f"Microsoft:{vm.id}"), ElementName=("string", "after"))}))
    seen = host.vm(vm.id)
    assert seen.name == "after" and seen.settings["CreationTime"] == vm.settings["CreationTime"]


def test_read_only_properties_fail_the_whole_change(client, host):
    vm = define(client, host, "readonly")
    answer = client.service(VSMS, "ModifySystemSettings", {"SystemSettings": instance(
        "Msvm_VirtualSystemSettingData", InstanceID=("string", f"Microsoft:{vm.id}"), ElementName=("string", "x"),
        CreationTime=("datetime", "20260101000000.000000-000"))})
    assert client.refused(answer) == 32768 and host.vm(vm.id).name == "readonly"


def test_deleting_leaves_the_disk(client, host):
    vm = with_disk(client, host, "doomed", "D:\\VMs\\doomed.vhdx")
    client.done(client.service(VSMS, "DestroySystem", {"AffectedSystem": vm_ref(vm.id)}))
    state = host.state()
    assert vm.id not in state["vms"] and "D:\\VMs\\doomed.vhdx" in state["files"]


def checkpoint(client, vm, kind=2):
    client.done(client.service(SNAP, "CreateSnapshot", {"AffectedSystem": vm_ref(vm.id), "SnapshotSettings": "",
                                                        "SnapshotType": kind}))


def test_checkpoints_make_a_chain_and_a_tree(client, host):
    vm = with_disk(client, host, "tree", "D:\\VMs\\tree.vhdx")
    checkpoint(client, vm)
    checkpoint(client, vm)
    seen = host.vm(vm.id)
    first, second = seen.snapshots
    assert second["parent"] == first["id"] and seen.applied == second["id"]
    assert first["disks"] == ["D:\\VMs\\tree.vhdx"] and seen.disks[0]["path"].endswith(".avhdx")
    rows = client.query("ASSOCIATORS OF {Msvm_ComputerSystem.CreationClassName='Msvm_ComputerSystem',Name='%s'} WHERE "
                        "AssocClass = Msvm_SnapshotOfVirtualSystem ResultClass = Msvm_VirtualSystemSettingData" % vm.id)
    assert {r["VirtualSystemType"] for r in rows} == {"Microsoft:Hyper-V:Snapshot:Realized"}
    client.done(client.service(SNAP, "ApplySnapshot", {"Snapshot": vssd(first["id"])}))
    assert host.vm(vm.id).applied == first["id"]
    checkpoint(client, vm)
    assert [s["parent"] for s in host.vm(vm.id).snapshots] == [None, first["id"], first["id"]]
    client.done(client.service(SNAP, "DestroySnapshotTree", {"SnapshotSettingData": vssd(first["id"])}))
    assert host.vm(vm.id).snapshots == []
    wait_equal(lambda: [d["path"] for d in host.vm(vm.id).disks], ["D:\\VMs\\tree.vhdx"], "the chain should be merged")
    assert not [f for f in host.state()["files"] if "tree_" in f]


def test_a_deleted_checkpoint_is_merged_after_its_job(client, host):
    vm = with_disk(client, host, "merge", "D:\\VMs\\merge.vhdx")
    start(client, vm)
    checkpoint(client, vm)
    client.done(client.service(SNAP, "DestroySnapshot", {"AffectedSnapshot": vssd(host.vm(vm.id).snapshots[0]["id"])}))
    wait_equal(lambda: host.vm(vm.id).disks[0]["path"], "D:\\VMs\\merge.vhdx", "the disk should be merged")
    wait_for(lambda: len(host.vm(vm.id).snapshots) == 0, "no checkpoint is left")


def test_applying_needs_a_vm_that_is_off(client, host):
    vm = with_disk(client, host, "apply", "D:\\VMs\\apply.vhdx")
    checkpoint(client, vm)
    start(client, vm)
    answer = client.service(SNAP, "ApplySnapshot", {"Snapshot": vssd(host.vm(vm.id).snapshots[0]["id"])})
    assert answer.returned == 32775


def test_export_and_import_make_a_clone(client, host):
    vm = with_disk(client, host, "source", "D:\\VMs\\source.vhdx")
    client.done(client.service(VSMS, "ExportSystemDefinition", {
        "ComputerSystem": vm_ref(vm.id), "ExportDirectory": "D:\\Export", "ExportSettingData": instance(
            "Msvm_VirtualSystemExportSettingData", CopySnapshotConfiguration=("uint8", 1), CopyVmStorage=("boolean", True),
            CreateVmExportSubdirectory=("boolean", True))}))
    client.done(client.service(VSMS, "ImportSystemDefinition", {
        "SystemDefinitionFile": f"D:\\Export\\source\\Virtual Machines\\{vm.id}.vmcx", "SnapshotFolder": "",
        "GenerateNewSystemIdentifier": True}))
    planned = client.enumerate("Msvm_PlannedComputerSystem")[0]
    ref = Ref("Msvm_PlannedComputerSystem", CreationClassName="Msvm_PlannedComputerSystem", Name=planned["Name"])
    client.done(client.service(VSMS, "ValidatePlannedSystem", {"PlannedSystem": ref}))
    client.done(client.service(VSMS, "RealizePlannedSystem", {"PlannedSystem": ref}))
    clone = host.vm(planned["Name"])
    assert clone.id != vm.id and clone.name == "source"
    assert clone.disks[0]["path"] == "D:\\Export\\source\\Virtual Hard Disks\\source.vhdx"


def test_a_vm_moves_to_the_other_host_with_its_storage(client, fake, host):
    vm = with_disk(client, host, "mover", "D:\\VMs\\mover.vhdx")
    start(client, vm)
    answer = client.service(MIG, "MigrateVirtualSystemToHost", {
        "ComputerSystem": vm_ref(vm.id), "DestinationHost": fake.hosts[1].name, "MigrationSettingData": instance(
            "Msvm_VirtualSystemMigrationSettingData", MigrationType=("uint16", 32771))})
    assert answer.job[0].endswith("Msvm_MigrationJob")
    client.done(answer)
    there = fake.hosts[1].vm(vm.id)
    assert (there.state, there.disks[0]["path"]) == ("running", "D:\\VMs\\mover.vhdx")
    assert vm.id not in host.state()["vms"] and "D:\\VMs\\mover.vhdx" not in host.state()["files"]
    assert WsMan(fake.hosts[1]).query(f"SELECT * FROM Msvm_StorageAllocationSettingData WHERE InstanceID LIKE '%{vm.id}%'")


def test_storage_moves_alone(client, host):
    vm = with_disk(client, host, "storage", "D:\\VMs\\storage.vhdx")
    client.done(client.service(MIG, "MigrateVirtualSystemToHost", {
        "ComputerSystem": vm_ref(vm.id), "DestinationHost": None, "MigrationSettingData": instance(
            "Msvm_VirtualSystemMigrationSettingData", MigrationType=("uint16", 32769)),
        "NewResourceSettingData": [instance("Msvm_StorageAllocationSettingData", InstanceID=(
            "string", vm.disks[0]["id"]), HostResource=("string", ["C:\\Fast\\storage.vhdx"]))]}))
    assert host.vm(vm.id).disks[0]["path"] == "C:\\Fast\\storage.vhdx"


def test_switches_are_made_and_kept_while_in_use(client, host):
    def switch(name, *resources):
        return client.service(VESMS, "DefineSystem", {"SystemSettings": instance(
            "Msvm_VirtualEthernetSwitchSettingData", ElementName=("string", name)), "ResourceSettings": list(resources)})

    ports = client.enumerate("Msvm_ExternalEthernetPort")
    free = next(p for p in ports if p["IsBound"] == "false")
    bound = next(p for p in ports if p["IsBound"] == "true")

    def port(row):
        return object_path("Msvm_ExternalEthernetPort", SystemCreationClassName="Msvm_ComputerSystem", SystemName=host.name,
                           CreationClassName="Msvm_ExternalEthernetPort", DeviceID=row["DeviceID"])

    def allocation(value):
        return instance("Msvm_EthernetPortAllocationSettingData", HostResource=("string", value))

    assert client.refused(switch("bad", instance("Msvm_EthernetPortAllocationSettingData"))) == 32773
    assert client.refused(switch("bad", allocation(port(free)))) == 32776
    assert client.refused(switch("bad", allocation([port(bound)]))) == 32773
    client.done(switch("uplink2", allocation([port(free)])))
    kinds = {s["name"]: s["kind"] for s in host.state()["switches"].values()}
    assert kinds["uplink2"] == "external"
    client.done(switch("island"))
    island = next(s for s in client.enumerate("Msvm_VirtualEthernetSwitch") if s["ElementName"] == "island")
    client.done(client.service(VESMS, "DestroySystem", {"AffectedSystem": Ref(
        "Msvm_VirtualEthernetSwitch", CreationClassName="Msvm_VirtualEthernetSwitch", Name=island["Name"])}))
    used = next(s for s in client.enumerate("Msvm_VirtualEthernetSwitch") if s["ElementName"] == "External")
    answer = client.service(VESMS, "DestroySystem", {"AffectedSystem": Ref(
        "Msvm_VirtualEthernetSwitch", CreationClassName="Msvm_VirtualEthernetSwitch", Name=used["Name"])})
    assert client.refused(answer) == 32768


def test_virtual_disks_have_storage_jobs_and_a_chain(client, host):
    def disk(**more):
        return client.service(IMG, "CreateVirtualHardDisk", {"VirtualDiskSettingData": instance(
            "Msvm_VirtualHardDiskSettingData", **more)})

    made = disk(Path=("string", "D:\\base.vhdx"), Type=("uint16", 3), Format=("uint16", 3), MaxInternalSize=("uint64", 1 << 30))
    assert made.job[0].endswith("Msvm_StorageJob")
    client.done(made)
    assert client.get(V2 + "Msvm_ConcreteJob", made.job[1]).fault == "a:DestinationUnreachable"
    client.done(disk(Path=("string", "D:\\child.vhdx"), Type=("uint16", 4), Format=("uint16", 3),
                     ParentPath=("string", "D:\\base.vhdx")))
    text = client.service(IMG, "GetVirtualHardDiskSettingData", {"Path": "d:/CHILD.vhdx"}).out["SettingData"]
    assert '<PROPERTY NAME="ParentPath" TYPE="string"><VALUE>D:\\base.vhdx</VALUE>' in text
    assert client.refused(client.service(IMG, "ResizeVirtualHardDisk", {"Path": "D:\\base.vhdx", "MaxInternalSize": 2 << 30})) \
        == 32768
    client.done(client.service(IMG, "MergeVirtualHardDisk", {"SourcePath": "D:\\child.vhdx", "DestinationPath": "D:\\base.vhdx"}))
    client.done(client.service(IMG, "ResizeVirtualHardDisk", {"Path": "D:\\base.vhdx", "MaxInternalSize": 2 << 30}))
    assert host.state()["files"]["D:\\base.vhdx"]["size"] == 2 << 30
    assert client.refused(client.service(IMG, "ValidateVirtualHardDisk", {"Path": "D:\\none.vhdx"})) == 32779


def test_the_boot_order_of_generation_2_is_a_list_of_paths(client, host):
    vm = with_disk(client, host, "boot", "D:\\VMs\\boot.vhdx")
    client.done(add(client, vm, instance(
        "Msvm_SyntheticEthernetPortSettingData", ResourceType=("uint16", 10),
        ResourceSubType=("string", "Microsoft:Hyper-V:Synthetic Ethernet Port"))))
    order = host.vm(vm.id).settings["BootSourceOrder"]
    assert len(order) == 2 and all(p.endswith('\\\\B"') for p in order)

    def boot(value):
        return client.service(VSMS, "ModifySystemSettings", {"SystemSettings": instance(
            "Msvm_VirtualSystemSettingData", InstanceID=("string", f"Microsoft:{vm.id}"), BootSourceOrder=("string", value))})

    client.done(boot(order[::-1]))
    assert host.vm(vm.id).settings["BootSourceOrder"] == order[::-1]
    assert client.refused(boot(["Microsoft:nonsense"])) == 32773
    assert client.refused(boot([order[0].replace("\\\\", "\\")])) == 32773


def test_keyboard_exchange_items_and_metrics_reach_the_vm(client, host):
    vm = next(v for v in host.vms() if v.state == "running")
    keyboard = client.query(f"SELECT * FROM Msvm_Keyboard WHERE SystemName = '{vm.id}'")[0]
    keys = {k: keyboard[k] for k in ("SystemCreationClassName", "SystemName", "CreationClassName", "DeviceID")}
    assert client.invoke("Msvm_Keyboard", "TypeText", {"asciiText": "ls"}, keys).returned == 0
    assert client.invoke("Msvm_Keyboard", "TypeScancodes", {"Scancodes": [30, 158]}, keys).returned == 0
    client.done(client.service(VSMS, "AddKvpItems", {"TargetSystem": vm_ref(vm.id), "DataItems": instance(
        "Msvm_KvpExchangeDataItem", Name=("string", "role"), Data=("string", "web"), Source=("uint16", 0))}))
    seen = host.vm(vm.id)
    assert seen.keys == [{"text": "ls"}, {"scancodes": [30, 158]}] and seen.kvp_host == {"role": "web"}
    client.done(client.service("Msvm_MetricService", "ControlMetrics", {"Subject": vm_ref(vm.id), "Definition": None,
                                                                       "MetricCollectionEnabled": 2}))
    values = client.query("ASSOCIATORS OF {Msvm_ComputerSystem.CreationClassName='Msvm_ComputerSystem',Name='%s'} WHERE "
                          "AssocClass = Msvm_MetricForME" % vm.id)
    assert len(values) == 11


def test_a_thumbnail_is_one_element_per_octet_and_may_be_too_large(client, host):
    vm = next(v for v in host.vms() if v.state == "running")
    size = {"TargetSystem": vssd(vm.id), "WidthPixels": 80, "HeightPixels": 60}
    answer = client.service(VSMS, "GetVirtualSystemThumbnailImage", size)
    assert answer.returned == 0 and len(answer.out["ImageData"]) == 9600
    large = client.service(VSMS, "GetVirtualSystemThumbnailImage", {**size, "WidthPixels": 320, "HeightPixels": 240})
    assert large.fault == "w:EncodingLimit"


def test_collections_hold_vms(client, host):
    vm = host.vms()[0]
    answer = client.service("Msvm_CollectionManagementService", "DefineCollection", {"Name": "group", "Type": 0})
    assert answer.returned == 0
    ref = Ref("Msvm_VirtualSystemCollection", CollectionID=answer.out["DefinedCollection"]["CollectionID"])
    client.done(client.service("Msvm_CollectionManagementService", "AddMember", {"Member": vm_ref(vm.id), "Collection": ref}))
    rows = client.query("ASSOCIATORS OF {Msvm_ComputerSystem.CreationClassName='Msvm_ComputerSystem',Name='%s'} WHERE "
                        "AssocClass = Msvm_CollectedVirtualSystems" % vm.id)
    assert rows[0]["ElementName"] == "group"
