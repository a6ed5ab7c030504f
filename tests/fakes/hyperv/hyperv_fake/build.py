# SPDX-License-Identifier: Apache-2.0
"""Putting settings together: the devices of a new VM, drives, disks, adapters, features, switch ports."""

from . import templates
from .cimtime import cim
from .inst import Inst, Ref
from .model import Nic, Switch, VM
from .schema import cls
from .templates import FEATURE, RASD, VSSD, VSSD_CLASS, VSSD_GEN2

ICS = (("shutdown", templates.SHUTDOWN_ID), ("timesync", templates.TIMESYNC_ID), ("heartbeat", templates.HEARTBEAT_ID),
       ("kvp", templates.KVP_ID), ("vss", templates.VSS_ID), ("guest", templates.GUEST_ID))


def resource(owner, kind, tail, **values) -> Inst:
    """A resource setting of owner (a VM or anything with id and res)."""
    found, base = RASD[kind]
    inst = Inst(found, base, {"InstanceID": f"Microsoft:{owner.id}\\{tail}", **values}, owner)
    owner.res.append(inst)
    return inst


def new_vm(host, name, generation=1, ident=None, created=None) -> VM:
    """A VM with what DefineSystem gives without resources: no SCSI controller, not even on generation 2."""
    ident = (ident or host.guid()).upper()
    vssd = Inst(VSSD_CLASS, VSSD_GEN2 if generation == 2 else VSSD, {
        "InstanceID": f"Microsoft:{ident}", "ElementName": name, "VirtualSystemIdentifier": ident})
    vm = VM(host, ident, vssd)
    vssd.obj = vm
    if created is not None:
        vm.created = vm.changed = vm.config_changed = created
    bios = host.guid()
    vssd.over.update({
        "CreationTime": cim(vm.created), "ConfigurationID": ident, "BIOSGUID": "{" + bios + "}",
        "ConfigurationFile": f"Virtual Machines\\{ident}.vmcx", "GuestStateFile": f"Virtual Machines\\{ident}.vmgs",
        "BIOSSerialNumber": serial_number(host), "BaseBoardSerialNumber": serial_number(host),
        "ChassisSerialNumber": serial_number(host), "Version": host.build["version"]})
    default_devices(vm, generation)
    return vm


def serial_number(host) -> str:
    digits = f"{host.random.getrandbits(90):026d}"[-26:]
    return "-".join([digits[0:4], digits[4:8], digits[8:12], digits[12:16], digits[16:20], digits[20:24], digits[24:26]])


def default_devices(vm, generation):
    resource(vm, "processor", templates.PROCESSOR_ID)
    resource(vm, "memory", templates.MEMORY_ID)
    if generation == 1:
        resource(vm, "ide", f"{templates.IDE_ID}\\0", Address="0", ElementName="IDE Controller 0")
        resource(vm, "ide", f"{templates.IDE_ID}\\1", Address="1", ElementName="IDE Controller 1")
        resource(vm, "floppy_drive", f"{templates.FLOPPY_ID}\\0\\0\\D", AddressOnParent="0",
                 Parent=path_text(vm, f"{templates.FLOPPY_ID}"))
        controller = resource(vm, "serial_controller", f"{templates.SERIAL_ID}\\0")
        for number in (0, 1):
            resource(vm, "serial", f"{templates.SERIAL_ID}\\{number + 1}", ElementName=f"COM {number + 1}",
                     Parent=setting_path(vm.host, controller))
        resource(vm, "s3display", f"{templates.VIDEO_ID}\\1")
    resource(vm, "display", templates.VIDEO_ID)
    resource(vm, "keyboard", templates.KEYBOARD_ID)
    resource(vm, "mouse", templates.MOUSE_ID)
    for kind, ident in ICS:
        resource(vm, kind, ident)


def path_text(vm, tail) -> str:
    ref = Ref(cls("Msvm_ResourceAllocationSettingData"), {"InstanceID": f"Microsoft:{vm.id}\\{tail}"})
    return ref.path(vm.host.name)


def setting_path(host, setting) -> str:
    return Ref(setting.cls, {"InstanceID": setting.over["InstanceID"]}).path(host.name)


def scsi_controller(vm, guid=None) -> Inst:
    guid = guid or vm.host.guid()
    return resource(vm, "scsi", f"{guid}\\0", VirtualSystemIdentifiers=["{" + guid + "}"])


def drive(vm, kind, controller, slot) -> Inst:
    tail = controller.over["InstanceID"].split("\\", 1)[1]
    return resource(vm, kind, f"{tail}\\{slot}\\D", Parent=setting_path(vm.host, controller),
                    AddressOnParent=str(slot))


def medium(vm, kind, drive_setting, path) -> Inst:
    tail = drive_setting.over["InstanceID"].split("\\", 1)[1]
    tail = tail[:-1] + "L" if tail.endswith("\\D") else tail + "\\L"
    return resource(vm, kind, tail, Parent=setting_path(vm.host, drive_setting), HostResource=[path])


def nic(vm, name="Network Adapter", mac=None, static=False, kind="nic", guid=None) -> Inst:
    guid = guid or vm.host.guid()
    return resource(vm, kind, guid, ElementName=name, Address=mac or vm.host.mac(), StaticMacAddress=static,
                    VirtualSystemIdentifiers=["{" + guid + "}"])


def allocation(vm, nic_setting, switch=None) -> Inst:
    tail = nic_setting.over["InstanceID"].split("\\", 1)[1]
    values = {"Parent": setting_path(vm.host, nic_setting), "EnabledState": 2 if switch else 3}
    if switch is not None:
        values["HostResource"] = [switch.ref().path(vm.host.name)]
        values["LastKnownSwitchName"] = switch.name
    return resource(vm, "allocation", f"{tail}\\C", **values)


def feature(owner, port, kind, host, **values) -> Inst:
    found, guid, base = FEATURE[kind]
    return add_feature(owner, port, found, guid, base, host, values)


def add_feature(owner, port, found, guid, base, host, values) -> Inst:
    inst = Inst(found, base, {"InstanceID": f"{port.over['InstanceID']}\\{guid}\\{host.guid()}", **values}, owner)
    owner.features.append(inst)
    return inst


def switch(host, name, kind, nic=None, notes="", ident=None) -> Switch:
    made = Switch(host, ident or host.guid(), name, notes)
    host.switches[made.id] = made
    if kind == "external":
        bind_external(made, nic)
    if kind == "internal":
        bind_internal(made)
    return made


def switch_port(made, name, resource_path=None) -> Inst:
    values = {"InstanceID": f"Microsoft:{made.id}\\{made.host.guid()}", "ElementName": name}
    if resource_path:
        values["HostResource"] = [resource_path]
    found, base = RASD["allocation"]
    port = Inst(found, base, values, made)
    made.ports.append(port)
    return port


def bind_external(made, nic):
    made.nic = nic
    nic.bound = True
    return switch_port(made, f"{made.name}_External", external_ref(made.host, nic).path(made.host.name))


def bind_internal(made):
    host = made.host
    guid = host.guid()
    made.internal = Nic(guid, f"vEthernet ({made.name})", host.mac(), 10_000_000_000, 20 + len(host.switches),
                        "Hyper-V Virtual Ethernet Adapter", internal=True)
    return switch_port(made, made.name, host.ref().path(host.name))


def external_ref(host, nic) -> Ref:
    return Ref(cls("Msvm_ExternalEthernetPort"), {
        "SystemCreationClassName": "Msvm_ComputerSystem", "SystemName": host.name,
        "CreationClassName": "Msvm_ExternalEthernetPort", "DeviceID": f"Microsoft:{{{nic.guid}}}"})


def internal_ref(host, nic) -> Ref:
    return Ref(cls("Msvm_InternalEthernetPort"), {
        "SystemCreationClassName": "Msvm_ComputerSystem", "SystemName": host.name,
        "CreationClassName": "Msvm_InternalEthernetPort", "DeviceID": f"Microsoft:{nic.guid}"})


def switch_of(vm, allocation_setting):
    """The switch that an allocation is connected to, or None."""
    for path in allocation_setting.over.get("HostResource") or []:
        for made in vm.host.switches.values():
            if made.id.lower() in path.lower():
                return made
    return None


def rename_ids(settings, old, new, owner):
    """Copies of settings with another GUID in InstanceID and Parent (checkpoints, clones)."""
    copies = []
    for setting in settings:
        copy = setting.copy()
        copy.obj = owner
        copy.over["InstanceID"] = copy.over["InstanceID"].replace(old, new)
        parent = copy.over.get("Parent")
        if parent:
            copy.over["Parent"] = parent.replace(old, new)
        copies.append(copy)
    return copies


def bootable(vm):
    """Settings that a generation 2 firmware can start from, in the order in which they were added."""
    kinds = [RASD[k][1] for k in ("disk_drive", "dvd_drive", "physical_drive", "nic")]
    return [r for r in vm.res if any(r.base is base for base in kinds)]


def boot_path(vm, setting) -> str:
    return Ref(cls("Msvm_BootSourceSettingData"), {"InstanceID": setting.over["InstanceID"] + "\\B"}).path(vm.host.name)


def refresh_boot(vm):
    """Keeps BootSourceOrder in step with the devices: gone ones leave it, new ones go to its end."""
    if vm.generation != 2:
        return
    paths = [boot_path(vm, r) for r in bootable(vm)]
    known = {p.split(":", 1)[1].lower(): p for p in paths}
    kept = []
    for path in vm.vssd.over.get("BootSourceOrder") or []:
        found = known.pop(path.split(":", 1)[1].lower(), None)
        if found:
            kept.append(found)
    vm.vssd.over["BootSourceOrder"] = kept + [p for p in paths if p in known.values()]
