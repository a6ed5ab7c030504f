# SPDX-License-Identifier: Apache-2.0
"""Defining, changing and destroying VMs; planned systems."""

import re

from . import build, cimtime, methods_resources as resources, power, templates
from .cimxml import FAILED, INVALID_PARAMETER, INVALID_STATE, NOT_SUPPORTED, JobError
from .invoke import Refused, method
from .model import OFF, SAVED, Snapshot, VM
from .store import setting as find_setting

VSMS = "Msvm_VirtualSystemManagementService"

# Written by nobody: sending them back as they were read makes the whole change fail.
READ_ONLY = {"VirtualSystemType", "VirtualSystemIdentifier", "CreationTime", "ConfigurationID", "IsSaved", "Parent",
             "RecoveryFile", "IsAutomaticSnapshot", "Caption", "Description", "Architecture"}
# May be changed while the VM runs.
ANYTIME = {"InstanceID", "ElementName", "Notes", "AutomaticStartupAction", "AutomaticStartupActionDelay",
           "AutomaticStartupActionSequenceNumber", "AutomaticShutdownAction", "AutomaticRecoveryAction", "UserSnapshotType",
           "AutomaticSnapshotsEnabled", "AutomaticCriticalErrorAction", "AutomaticCriticalErrorActionTimeout",
           "IncrementalBackupEnabled", "LockOnDisconnect", "EnhancedSessionTransportType", "SnapshotDataRoot",
           "AdditionalRecoveryInformation", "ChassisAssetTag"}
CHOICES = {"AutomaticStartupAction": (2, 3, 4), "AutomaticShutdownAction": (2, 3, 4), "AutomaticRecoveryAction": (2, 3, 4),
           "UserSnapshotType": (2, 3, 4, 5), "AutomaticCriticalErrorAction": (0, 1), "ConsoleMode": (0, 1, 2, 3),
           "NetworkBootPreferredProtocol": (4096, 4097)}
TEMPLATES = ("1734C6E8-3154-4DDA-BA5F-A874CC483422", "272E7447-90A4-4563-A4B9-8E4AB00526CE",
             "4292AE2B-EE2C-42B5-A969-DD8F8689F6F3")


def wrong(text):
    return JobError(INVALID_PARAMETER, text)


def check_vssd(vm, given, new=False):
    """The values of given that may be written to the settings of vm; JobError for what may not."""
    values = {}
    for name, value in given.values.items():
        if name in ("InstanceID",):
            continue
        if name in READ_ONLY:
            if new and value in (None, "", templates.REALIZED) or name == "Parent" and value is None:
                continue
            raise JobError(FAILED, f"{name} is read-only")
        if name in CHOICES and value not in CHOICES[name]:
            raise wrong(f"{name} is {value}")
        if name == "ElementName" and (not value or len(value) > 100):
            raise wrong("The name is empty or too long.")
        if name == "VirtualSystemSubType":
            if value not in (templates.HYPERV + "SubType:1", templates.HYPERV + "SubType:2"):
                raise wrong(f"VirtualSystemSubType is {value!r}")
            if not new and value != vm.vssd.get("VirtualSystemSubType"):
                raise JobError(FAILED, "The generation of a virtual machine cannot be changed.")
        if name in ("LowMmioGapSize", "HighMmioGapSize") and not 128 <= value <= (3584 if name[0] == "L" else 16777216):
            raise wrong(f"{name} is {value} MB")
        if name == "Version" and not re.fullmatch(r"\d+\.\d+", value or ""):
            raise wrong(f"Version is {value!r}")
        if name == "SecureBootTemplateId" and value and value.upper() not in TEMPLATES:
            raise wrong(f"There is no secure boot template {value}.")
        if value is not None:
            values[name] = value
    generation = 2 if (values.get("VirtualSystemSubType") or (vm.vssd.get("VirtualSystemSubType") if vm else "")
                       ).endswith(":2") else 1
    if "BootOrder" in values:
        if generation == 2 or sorted(values["BootOrder"]) != sorted(set(values["BootOrder"])) or any(
                b not in (0, 1, 2, 3, 4) for b in values["BootOrder"]):
            raise wrong(f"BootOrder is {values['BootOrder']}")
    if "BootSourceOrder" in values:
        if generation != 2:
            raise wrong("BootSourceOrder needs generation 2")
        if vm is not None:
            values["BootSourceOrder"] = boot_order(vm, values["BootSourceOrder"])
    if generation == 1 and (values.get("SecureBootEnabled") or values.get("SecureBootTemplateId")):
        raise wrong("Secure boot needs generation 2")
    if vm is not None and vm.state != OFF and not vm.planned:
        changed = [n for n, v in values.items() if n not in ANYTIME and vm.vssd.get(n) != v]
        if changed:
            raise JobError(INVALID_STATE, f"{', '.join(changed)} cannot be changed while '{vm.name}' is not off.")
    return values


def boot_order(vm, paths):
    known = {build.boot_path(vm, r).split(":", 1)[1].lower(): build.boot_path(vm, r) for r in build.bootable(vm)}
    order = []
    for path in paths:
        ref = resources.path_of(path)
        text = ref.path(vm.host.name).split(":", 1)[1].lower()
        if text not in known or known[text] in order:
            raise wrong(f"{path} is no boot source of '{vm.name}'")
        order.append(known[text])
    return order


@method(VSMS, "DefineSystem", "DefinePlannedSystem")
def define_system(call):
    host = call.host
    given = call.arg("SystemSettings")
    parts = call.arg("ResourceSettings", [])
    if call.arg("ReferenceConfiguration") is not None:
        return NOT_SUPPORTED
    values = check_vssd(None, given, new=True) if given else {}
    planned = call.name == "DefinePlannedSystem"

    def done():
        generation = 2 if values.get("VirtualSystemSubType", "").endswith(":2") else 1
        vm = build.new_vm(host, values.get("ElementName", "New Virtual Machine"), generation)
        vm.vssd.over.update({k: v for k, v in values.items() if k != "VirtualSystemSubType"})
        vm.guest = None
        vm.planned = planned
        if planned:
            vm.vssd.over["VirtualSystemType"] = templates.PLANNED
        for part in parts:
            kind = resources.kind_of_given(part)
            existing = vm.of(kind) if kind in ("processor", "memory") else []
            if existing:
                resources.modify_one(vm, existing[0], part)
            else:
                resources.add_one(vm, part)
        build.refresh_boot(vm)
        (host.planned if planned else host.vms)[vm.id] = vm
        host.note("vm created", vm.id, name=vm.name, cause=call.cause)
        host.estate.appeared(vm)
        call.out["ResultingSystem"] = vm.ref()
        call.created.append(vm.ref())

    return call.job(0.3, done)


@method(VSMS, "ModifySystemSettings")
def modify_system_settings(call):
    given = call.need("SystemSettings")
    owner, live = find_setting(call.host, given.id)
    if isinstance(owner, Snapshot) and live is owner.vssd:
        return modify_snapshot(call, owner, given)
    if not isinstance(owner, VM) or live is not owner.vssd:
        raise wrong(f"There are no settings {given.id!r}.")
    power.check_idle(owner)
    values = check_vssd(owner, given)
    return call.job(0.1, lambda: apply_vssd(owner, values, call.cause), [owner.ref()])


def apply_vssd(vm, values, cause):
    previous = vm.host.estate.before(vm)
    before = {name: vm.vssd.get(name) for name in values}
    vm.vssd.over.update(values)
    vm.config_changed = cimtime.now()
    vm.host.note("vm changed", vm.id, name=vm.name, cause=cause,
                 changes={n: [before[n], v] for n, v in values.items() if before[n] != v})
    vm.host.estate.changed(vm, previous)
    vm.host.estate.tell(vm.host, "modified", lambda: vm.vssd)


def modify_snapshot(call, snapshot, given):
    allowed = {k: v for k, v in given.values.items() if k in ("ElementName", "Notes") and v is not None}
    if set(given.values) - set(allowed) - {"InstanceID"}:
        raise JobError(FAILED, "Only name and notes of a checkpoint can be changed.")

    def done():
        snapshot.vssd.over.update(allowed)
        call.host.note("checkpoint changed", snapshot.id, name=snapshot.vssd.get("ElementName"), cause=call.cause)

    return call.job(0.1, done, [snapshot.vm.ref()])


@method(VSMS, "DestroySystem")
def destroy_system(call):
    vm = call.vm("AffectedSystem", planned=True)
    if vm.planned:
        def drop():
            call.host.planned.pop(vm.id, None)
            call.host.note("planned removed", vm.id, name=vm.name, cause=call.cause)
        return call.job(0.1, drop)
    if vm.job is not None or vm.state not in (OFF, SAVED):
        return INVALID_STATE
    vm.job = power.GUEST_BUSY

    def done():
        vm.job = None
        remove(vm, call.cause)

    def failed():
        vm.job = None

    return call.job(0.3, done, [vm.ref()], failed=failed, owner=vm)


def remove(vm, cause):
    """The VM goes; what checkpoints put above the disks is merged, the disks themselves stay."""
    host = vm.host
    for owner in (vm, *vm.snapshots.values()):
        for setting in owner.res:
            if setting.base is templates.RASD["disk"][1]:
                for disk in host.chain((setting.get("HostResource") or [""])[0]):
                    if disk.path.lower().endswith((".avhdx", ".avhd")):
                        host.drop_file(disk.path)
    host.vms.pop(vm.id, None)
    for collection in host.collections.values():
        collection.members.discard(vm.id)
    host.note("vm removed", vm.id, name=vm.name, cause=cause)
    host.estate.gone(vm)


@method(VSMS, "ModifyServiceSettings")
def modify_service_settings(call):
    given = call.need("SettingData")
    if not given.cls.isa("Msvm_VirtualSystemManagementServiceSettingData"):
        raise Refused(INVALID_PARAMETER)

    def done():
        call.host.service_setting.update({k: v for k, v in given.values.items() if k != "InstanceID" and v is not None})
        call.host.note("host settings", call.host.name, cause=call.cause)

    return call.job(0.1, done)


@method("Msvm_VirtualSystemMigrationService", "ModifyServiceSettings")
def modify_migration_settings(call):
    given = call.need("ServiceSettingData")
    if not given.cls.isa("Msvm_VirtualSystemMigrationServiceSettingData"):
        raise Refused(INVALID_PARAMETER)
    call.host.migration_setting.update({k: v for k, v in given.values.items() if k != "InstanceID" and v is not None})
    call.host.note("host settings", call.host.name, cause=call.cause)
    return 0


@method(VSMS, "UpgradeSystemVersion")
def upgrade(call):
    vm = call.vm()
    if vm.state != OFF:
        return INVALID_STATE
    newest = call.host.build["version"]
    return call.job(0.1, lambda: apply_vssd(vm, {"Version": newest}, call.cause), [vm.ref()])


@method(VSMS, "GetSizeOfSystemFiles")
def size_of_files(call):
    inst = call.live("Vssd", "Msvm_VirtualSystemSettingData")
    owner = inst.obj
    memory = next((r for r in owner.res if r.base is templates.RASD["memory"][1]), None)
    call.out["Size"] = (memory.get("VirtualQuantity", 0) << 20) if memory is not None else 0
    return 0


@method(VSMS, "FormatError")
def format_error(call):
    call.out["ErrorMessage"] = " ".join(e.get("Message", "") for e in call.arg("Errors", []))
    return 0


@method(VSMS, "GenerateWwpn")
def generate_wwpn(call):
    rows = []
    for _ in range(call.need("NumberOfWwpns")):
        call.host.wwpn += 1
        rows.append(f"{call.host.wwpn:016X}")
    call.out["GeneratedWwpn"] = rows
    return 0


@method(VSMS, "GetCurrentWwpnFromGenerator")
def current_wwpn(call):
    call.out["CurrentWwpn"] = f"{call.host.wwpn:016X}"
    return 0
