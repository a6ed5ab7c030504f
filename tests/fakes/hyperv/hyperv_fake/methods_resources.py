# SPDX-License-Identifier: Apache-2.0
"""Adding, changing and removing resources and feature settings of VMs, with the rules of a host."""

import re

from . import build, cimtime, power, sources, templates
from .cimxml import FAILED, INVALID_PARAMETER, INVALID_STATE, NOT_SUPPORTED, JobError
from .inst import BadPath, Inst, parse_path
from .invoke import Refused, method
from .model import OFF, RUNNING, Switch, VM, children_of
from .store import find, setting as find_setting
from .wire import wmi_fault

VSMS = "Msvm_VirtualSystemManagementService"
SLOTS = {"ide": 2, "scsi": 64}
MEDIA = {"disk": ("disk_drive",), "iso": ("dvd_drive",), "floppy": ("floppy_drive",)}
DRIVES = ("disk_drive", "dvd_drive", "physical_drive")
_MAC = re.compile(r"[0-9A-Fa-f]{12}")
_CLASS_KIND = {}
for _kind, (_cls, _) in templates.RASD.items():
    _CLASS_KIND.setdefault(_cls.name, []).append(_kind)


def wrong(text):
    return JobError(INVALID_PARAMETER, text)


def path_of(text):
    """A path in a property: object path text, never an EPR; everything else is 32773."""
    try:
        return parse_path(str(text))[0]
    except BadPath as error:
        raise wrong(str(error)) from None


def kind_of_given(given):
    """What a sent setting wants to be, by class and sub-type."""
    kinds = _CLASS_KIND.get(given.cls.name)
    if not kinds:
        raise JobError(NOT_SUPPORTED, f"{given.cls.name} is not supported")
    subtype = given.get("ResourceSubType")
    if subtype:
        kind = templates.BY_SUBTYPE.get(subtype.lower())
        if kind not in kinds:
            raise wrong(f"{given.cls.name} with ResourceSubType {subtype!r}")
    elif len(kinds) == 1:
        kind = kinds[0]
    else:
        raise wrong(f"{given.cls.name} without ResourceSubType")
    wanted = templates.RASD[kind][1].get("ResourceType")
    if given.get("ResourceType") is not None and given.get("ResourceType") != wanted:
        raise wrong(f"{kind} has ResourceType {wanted}, not {given.get('ResourceType')}")
    return kind


def parent_of(vm, given, kinds):
    """The setting of this VM that Parent names."""
    text = given.get("Parent")
    if not text:
        raise wrong("Parent is missing")
    ref = path_of(text)
    live = vm.find(ref.keys.get("InstanceID", ""))
    if live is None or sources.kind_of(live) not in kinds or not ref.cls.isa(live.cls.name) and not live.cls.isa(ref.cls.name):
        raise wrong(f"Parent {text!r} is no {' or '.join(kinds)} of '{vm.name}'")
    return live


def extra_values(given, *without):
    skip = {"InstanceID", "Parent", "HostResource", "AddressOnParent", "ResourceType", "ResourceSubType", "Caption",
            "Description", "VirtualSystemIdentifiers", *without}
    return {k: v for k, v in given.values.items() if k not in skip and v is not None}


def add_one(vm, given) -> Inst:
    """One new resource; JobError leaves the VM as it was."""
    kind = kind_of_given(given)
    if kind == "scsi":
        if len(vm.of("scsi")) >= 4:
            raise wrong("There are four SCSI controllers already.")
        need_off(vm, "a controller")
        made = build.scsi_controller(vm, guid_of(vm, given))
    elif kind in DRIVES or kind == "floppy_drive":
        made = add_drive(vm, kind, given)
    elif kind in MEDIA:
        made = add_medium(vm, kind, given)
    elif kind in ("nic", "legacy_nic"):
        made = add_nic(vm, kind, given)
    elif kind == "allocation":
        nic = parent_of(vm, given, ("nic", "legacy_nic"))
        if vm.children(nic):
            raise wrong("The adapter has a connection already.")
        switch = switch_in(vm, given.get("HostResource") or [])
        made = build.allocation(vm, nic, switch)
    else:
        raise JobError(NOT_SUPPORTED, f"A {kind} cannot be added.")
    made.over.update(extra_values(given))
    return made


def need_off(vm, what):
    if vm.state != OFF and not vm.planned:
        raise JobError(INVALID_STATE, f"'{vm.name}': {what} cannot be changed while the virtual machine is not off.")


def guid_of(vm, given):
    """The GUID that a client chose in VirtualSystemIdentifiers; None when it chose none."""
    chosen = given.get("VirtualSystemIdentifiers")
    if not chosen:
        return None
    match = re.fullmatch(r"\{?([0-9A-Fa-f-]{36})\}?", chosen[0])
    if not match or len(chosen) != 1:
        raise wrong(f"VirtualSystemIdentifiers is {chosen}")
    guid = match.group(1).upper()
    if any(guid in r.over["InstanceID"].upper() for r in vm.res):
        raise wrong(f"{guid} is in use")
    return guid


def add_drive(vm, kind, given):
    if kind == "floppy_drive":
        raise JobError(NOT_SUPPORTED, "There is one floppy drive.")
    controller = parent_of(vm, given, ("ide", "scsi"))
    bus = sources.kind_of(controller)
    if bus == "ide":
        need_off(vm, "a drive of an IDE controller")
    elif vm.state not in (OFF, RUNNING) and not vm.planned:
        raise JobError(INVALID_STATE, f"'{vm.name}' is not off or running.")
    if kind == "dvd_drive" and vm.state == RUNNING:
        raise JobError(INVALID_STATE, "A DVD drive cannot be added to a running virtual machine.")
    taken = {r.over.get("AddressOnParent") for r in vm.children(controller)}
    slot = given.get("AddressOnParent")
    if slot is None or slot == "":
        slot = next((str(n) for n in range(SLOTS[bus]) if str(n) not in taken), None)
    if slot is None or not slot.isdigit() or int(slot) >= SLOTS[bus] or slot in taken:
        raise wrong(f"Location {slot} of the controller is in use or does not exist.")
    if kind == "physical_drive":
        paths = given.get("HostResource") or []
        inst = find(vm.host, path_of(paths[0])) if len(paths) == 1 else None
        if inst is None or not inst.cls.isa("Msvm_DiskDrive"):
            raise wrong("HostResource is no physical disk of the host.")
    made = build.drive(vm, kind, controller, int(slot))
    if kind == "physical_drive":
        made.over["HostResource"] = list(given.get("HostResource"))
    return made


def check_file(vm, path, kind):
    """Why a path cannot be attached."""
    name = "ISO" if kind == "iso" else "Virtual Hard Disk"
    start = f"'{vm.name}' failed to add device '{name}'. "
    if path.startswith("\\\\") and not path.startswith("\\\\?\\"):
        raise JobError(FAILED, start + f"'{path}': General access denied error. (0x80070005)")
    found = vm.host.file(path)
    if found is None:
        raise JobError(FAILED, start + f"Attachment '{path}' not found. The system cannot find the file specified. "
                                       "(0x80070002)")
    if kind == "disk" and found.kind == 0 or kind == "iso" and found.kind != 0:
        raise JobError(FAILED, start + f"'{path}' is not of the right type. (0xC03A0014)")
    for owner, _ in vm.host.used_by(path):
        if isinstance(owner, VM) and kind == "disk" and owner is not vm and owner.started is not None and vm.started is not None:
            raise JobError(FAILED, start + f"'{path}' is in use by '{owner.name}'. (0x80070020)")
        if owner is vm and kind == "disk":
            raise JobError(FAILED, start + f"'{path}' is attached already. (0x80070020)")
    if found.attached:
        raise JobError(FAILED, start + f"'{path}' is mounted on the host. (0x80070020)")


def add_medium(vm, kind, given):
    drive = parent_of(vm, given, MEDIA[kind])
    if vm.children(drive):
        raise wrong("The drive holds a medium already.")
    paths = given.get("HostResource")
    if not paths or len(paths) != 1 or not paths[0]:
        raise wrong("HostResource holds no path.")
    check_file(vm, paths[0], kind)
    controller = vm.find(path_of(drive.over["Parent"]).keys["InstanceID"])
    if kind == "disk" and controller is not None and sources.kind_of(controller) == "ide":
        need_off(vm, "a disk of an IDE controller")
    return build.medium(vm, kind, drive, paths[0])


def add_nic(vm, kind, given):
    if kind == "legacy_nic" and vm.generation == 2:
        raise wrong("Generation 2 has no legacy network adapters.")
    if len(vm.of(kind)) >= (8 if kind == "nic" else 4):
        raise wrong("There are too many adapters.")
    if vm.generation == 1 or kind == "legacy_nic":
        need_off(vm, "a network adapter")
    mac, static = mac_of(given, None)
    made = build.nic(vm, given.get("ElementName") or "Network Adapter", mac, static, kind, guid_of(vm, given))
    return made


def mac_of(given, now):
    static = given.get("StaticMacAddress", now.get("StaticMacAddress") if now is not None else False)
    address = given.get("Address")
    if address is not None and address != "":
        address = address.upper()
        if not _MAC.fullmatch(address):
            raise wrong(f"Address {address!r} is not twelve hexadecimal digits.")
        if int(address[:2], 16) & 1:
            raise wrong(f"Address {address} is a group address.")
    if static and not address and now is None:
        raise wrong("A static address is missing.")
    return (address if static else None), bool(static)


def switch_in(vm, paths):
    """The switch that HostResource names; an empty list is no connection."""
    if not paths:
        return None
    if len(paths) != 1:
        raise wrong("A connection has one HostResource.")
    inst = find(vm.host, path_of(paths[0]))
    if inst is None or not isinstance(inst.obj, Switch):
        raise wrong(f"{paths[0]!r} is no switch.")
    return inst.obj


# Changing

def modify_one(vm, live, given):
    """Checks and writes what given names into the live setting."""
    kind = sources.kind_of(live)
    if given.get("ResourceType") is not None and given.get("ResourceType") != live.get("ResourceType"):
        raise JobError(FAILED, "ResourceType is read-only")
    values = {k: v for k, v in given.values.items() if k not in ("InstanceID", "ResourceType", "ResourceSubType") and v is not None}
    for name in ("Caption", "Description"):
        if name in values:
            raise JobError(FAILED, f"{name} is read-only")
    checker = CHECKS.get(kind)
    if checker:
        checker(vm, live, given, values)
    elif kind in ("ide", "scsi", "keyboard", "mouse", "s3display", "serial_controller"):
        raise JobError(NOT_SUPPORTED, f"A {kind} has nothing that can be changed.")
    live.over.update(values)


def _check_processor(vm, live, given, values):
    count = values.get("VirtualQuantity", live.get("VirtualQuantity"))
    if not 1 <= count <= min(vm.host.cpus, 2048):
        raise wrong(f"{count} processors are more than the host has, or none.")
    limit = values.get("Limit", live.get("Limit"))
    reservation = values.get("Reservation", live.get("Reservation"))
    if limit > 100000 or limit < 1 or reservation > limit:
        raise wrong(f"Limit is {limit}, Reservation {reservation}")
    if not 1 <= values.get("Weight", live.get("Weight")) <= 10000:
        raise wrong(f"Weight is {values['Weight']}")
    hard = [n for n in values if n not in ("Limit", "Reservation", "Weight", "ElementName") and values[n] != live.get(n)]
    if hard:
        need_off(vm, ", ".join(hard))


def _check_memory(vm, live, given, values):
    size = values.get("VirtualQuantity", live.get("VirtualQuantity"))
    low = values.get("Reservation", live.get("Reservation"))
    high = values.get("Limit", live.get("Limit"))
    dynamic = values.get("DynamicMemoryEnabled", live.get("DynamicMemoryEnabled"))
    for name, number in (("VirtualQuantity", size), ("Reservation", low), ("Limit", high)):
        if number % 2 or number < 32:
            raise wrong(f"{name} is {number} MB: memory comes in pairs of MB, at least 32.")
    if size > 12582912 or size << 20 > vm.host.memory * 4:
        raise wrong(f"{size} MB are more than a virtual machine can have.")
    if dynamic:
        if not low <= size <= high:
            raise wrong(f"Minimum {low}, start {size} and maximum {high} MB do not fit together.")
    else:
        values["Reservation"] = values["Limit"] = size
    if not 5 <= values.get("TargetMemoryBuffer", 20) <= 2000 or not 0 <= values.get("Weight", 0) <= 10000:
        raise wrong("TargetMemoryBuffer or Weight is out of range.")
    if vm.state == OFF or vm.planned:
        return
    if dynamic != live.get("DynamicMemoryEnabled") or vm.state != RUNNING:
        need_off(vm, "the kind of memory")
    if dynamic and (size != live.get("VirtualQuantity") or low > live.get("Reservation") or high < live.get("Limit")):
        raise JobError(INVALID_STATE, "While it runs, only a smaller minimum and a larger maximum can be set.")
    if not dynamic and size != live.get("VirtualQuantity") and power.start_room(vm, size) is not None:
        raise JobError(32778, power.start_room(vm, size))


def _check_nic(vm, live, given, values):
    if "Address" in values or "StaticMacAddress" in values:
        mac, static = mac_of(given, live)
        if (mac and mac != live.get("Address") or static != live.get("StaticMacAddress")) and vm.state != OFF and not vm.planned:
            need_off(vm, "the address")
        if not static and live.get("StaticMacAddress"):
            values["Address"] = vm.host.mac()
        elif mac:
            values["Address"] = mac
        else:
            values.pop("Address", None)
    values.pop("VirtualSystemIdentifiers", None)


def _check_allocation(vm, live, given, values):
    if "HostResource" in values or "HostResource" in given.values:
        switch = switch_in(vm, given.get("HostResource") or [])
        values["HostResource"] = [switch.ref().path(vm.host.name)] if switch else None
        if switch:
            values["LastKnownSwitchName"] = switch.name
            values.setdefault("EnabledState", 2)
    if "Parent" in values and path_of(values["Parent"]).ident() != path_of(live.over["Parent"]).ident():
        raise wrong("Parent cannot be changed.")
    values.pop("Parent", None)
    if values.get("EnabledState", 2) not in (2, 3):
        raise wrong(f"EnabledState is {values['EnabledState']}")


def _check_medium(vm, live, given, values):
    kind = sources.kind_of(live)
    paths = given.get("HostResource")
    if paths is not None:
        if len(paths) != 1 or not paths[0]:
            raise wrong("HostResource holds no path.")
        if vm.host.norm(paths[0]) != vm.host.norm((live.get("HostResource") or [""])[0]):
            if kind == "disk":
                need_off(vm, "the file of a disk")
            check_file(vm, paths[0], kind)
    if "Parent" in values and vm.find(path_of(values["Parent"]).keys.get("InstanceID", "")) is None:
        raise wrong("Parent is no drive.")


def _check_drive(vm, live, given, values):
    """A drive moves to another place: Parent and AddressOnParent."""
    if "Parent" in values or "AddressOnParent" in values:
        need_off(vm, "the place of a drive")
        controller = parent_of(vm, given, ("ide", "scsi")) if "Parent" in values else vm.find(
            path_of(live.over["Parent"]).keys["InstanceID"])
        slot = values.get("AddressOnParent", live.get("AddressOnParent"))
        taken = {r.over.get("AddressOnParent") for r in vm.children(controller) if r is not live}
        if not str(slot).isdigit() or int(slot) >= SLOTS[sources.kind_of(controller)] or str(slot) in taken:
            raise wrong(f"Location {slot} is in use or does not exist.")
        values["Parent"] = build.setting_path(vm.host, controller)


def _check_component(vm, live, given, values):
    if values.get("EnabledState", 2) not in (2, 3):
        raise wrong(f"EnabledState is {values['EnabledState']}")


CHECKS = {"processor": _check_processor, "memory": _check_memory, "nic": _check_nic, "legacy_nic": _check_nic,
          "allocation": _check_allocation, "disk": _check_medium, "iso": _check_medium, "floppy": _check_medium,
          "disk_drive": _check_drive, "dvd_drive": _check_drive, **{k: _check_component for k in (
              "shutdown", "timesync", "heartbeat", "kvp", "vss", "guest")}}


# The methods

def affected_vm(call, name):
    """The VM whose settings a reference names; checkpoints are refused."""
    inst = call.live(name, "Msvm_VirtualSystemSettingData")
    if not isinstance(inst.obj, VM):
        raise Refused(INVALID_PARAMETER)
    power.check_idle(inst.obj) if not inst.obj.planned else None
    return inst.obj


@method(VSMS, "AddResourceSettings")
def add_resource_settings(call):
    vm = affected_vm(call, "AffectedConfiguration")
    given = call.need("ResourceSettings")
    for one in given:
        kind_of_given(one)

    def done():
        before = list(vm.res)
        made = []
        try:
            for one in given:
                made.append(add_one(vm, one))
        except JobError:
            vm.res[:] = before
            raise
        build.refresh_boot(vm)
        vm.config_changed = cimtime.now()
        for inst in made:
            vm.host.note("resource added", inst.id, vm=vm.id, kind=sources.kind_of(inst), cause=call.cause)
        call.out["ResultingResourceSettings"] = [m.ref() for m in made]
        call.created += [m.ref() for m in made]

    return call.job(0.15, done, [vm.ref()])


@method(VSMS, "ModifyResourceSettings")
def modify_resource_settings(call):
    given = call.need("ResourceSettings")
    pairs = []
    for one in given:
        if not one.id:
            raise wrong("InstanceID is missing")
        owner, live = find_setting(call.host, one.id)
        if not isinstance(owner, VM) or live is owner.vssd:
            raise wrong(f"There is no resource {one.id!r}.")
        if live.cls.name != one.cls.name:
            raise wrong(f"{one.id} is a {live.cls.name}")
        if not owner.planned:
            power.check_idle(owner)
        pairs.append((owner, live, one))
    if call.host.behaviour.flaky_modify > 0:
        call.host.behaviour.flaky_modify -= 1
        raise JobError(INVALID_STATE, "The operation cannot be performed while the object is in its current state.")

    def done():
        before = [(live, dict(live.over)) for _, live, _ in pairs]
        try:
            for vm, live, one in pairs:
                modify_one(vm, live, one)
        except JobError:
            for live, over in before:
                live.over.clear()
                live.over.update(over)
            raise
        for (vm, live, one), (_, over) in zip(pairs, before):
            vm.config_changed = cimtime.now()
            vm.host.note("resource changed", live.id, vm=vm.id, kind=sources.kind_of(live), cause=call.cause,
                         changes={n: [over.get(n, live.base.get(n)), live.get(n)] for n in one.values
                                  if over.get(n, live.base.get(n)) != live.get(n)})
        call.out["ResultingResourceSettings"] = [live.ref() for _, live, _ in pairs]

    return call.job(0.15, done, [vm.ref() for vm, _, _ in pairs])


@method(VSMS, "RemoveResourceSettings")
def remove_resource_settings(call):
    doomed = []
    for ref in call.need("ResourceSettings"):
        owner, live = find_setting(call.host, ref.keys.get("InstanceID", ""))
        if not isinstance(owner, VM) or live is owner.vssd or not live.cls.isa(ref.cls.name):
            raise Refused(INVALID_PARAMETER)
        if not owner.planned:
            power.check_idle(owner)
        doomed.append((owner, live))
    for owner, live in doomed:
        kind = sources.kind_of(live)
        if kind in DRIVES and children_of(owner.res, live):
            # Also when the medium is in the same call: one after the other is the only way.
            raise wmi_fault("WBEM_E_FAILED", "The WMI service or provider returned an unknown error: HRESULT 0x80041001.")
        if kind not in DRIVES and kind not in MEDIA and kind not in ("nic", "legacy_nic", "allocation", "scsi"):
            raise JobError(NOT_SUPPORTED, f"A {kind} cannot be removed.")

    def done():
        for vm, live in doomed:
            remove_one(vm, live, call.cause)

    return call.job(0.15, done, [vm.ref() for vm, _ in doomed])


def remove_one(vm, live, cause):
    kind = sources.kind_of(live)
    if live not in vm.res:
        raise wrong("The resource is gone.")
    if kind == "scsi":
        need_off(vm, "a controller")
        if vm.children(live):
            raise JobError(FAILED, "The controller has drives.")
    if kind in DRIVES or kind == "disk":
        parent = vm.find(path_of(live.over["Parent"]).keys["InstanceID"])
        while parent is not None and sources.kind_of(parent) not in ("ide", "scsi"):
            parent = vm.find(path_of(parent.over["Parent"]).keys["InstanceID"])
        if parent is not None and sources.kind_of(parent) == "ide":
            need_off(vm, "a drive of an IDE controller")
    if kind in ("nic", "legacy_nic"):
        if vm.generation == 1:
            need_off(vm, "a network adapter")
        for child in vm.children(live):
            drop_setting(vm, child)
    drop_setting(vm, live)
    build.refresh_boot(vm)
    vm.config_changed = cimtime.now()
    vm.host.note("resource removed", live.id, vm=vm.id, kind=kind, cause=cause)


def drop_setting(vm, live):
    vm.res.remove(live)
    start = live.over["InstanceID"].lower() + "\\"
    vm.features[:] = [f for f in vm.features if not f.over["InstanceID"].lower().startswith(start)]
