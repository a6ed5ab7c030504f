# SPDX-License-Identifier: Apache-2.0
"""Export, import, planned systems, and migration between the hosts of the estate."""

import ntpath
from types import SimpleNamespace

from . import build, cimtime, power, templates
from .cimxml import FAILED, INVALID_PARAMETER, INVALID_STATE, JobError
from .inst import Inst
from .invoke import Refused, method
from .methods_system import wrong
from .model import OFF, RUNNING, SAVED, Disk, Snapshot, VM

VSMS = "Msvm_VirtualSystemManagementService"
MIG = "Msvm_VirtualSystemMigrationService"
DISK = templates.RASD["disk"][1]


def copy_settings(owner, holder):
    return [Inst(r.cls, r.base, dict(r.over), holder) for r in owner]


def frozen(vm, only=None, with_snapshots=True):
    """A copy of a VM's definition as it stands in files."""
    source = only or vm
    data = SimpleNamespace(
        id=vm.id, owner_id=source.id, host=vm.host.name, vssd=Inst(source.vssd.cls, source.vssd.base, dict(source.vssd.over)),
        res=copy_settings(source.res, None), features=copy_settings(source.features, None), guest=vm.guest, load=vm.load,
        saved=(only.saved if only else vm.state == SAVED), snapshots=[], applied=None, name=vm.name)
    if with_snapshots and only is None:
        data.snapshots = [SimpleNamespace(id=s.id, parent=s.parent, created=s.created, saved=s.saved, kind=s.kind,
                                          vssd=Inst(s.vssd.cls, s.vssd.base, dict(s.vssd.over)),
                                          res=copy_settings(s.res, None), features=copy_settings(s.features, None))
                          for s in vm.snapshots.values()]
        data.applied = vm.applied
    return data


@method(VSMS, "ExportSystemDefinition")
def export(call):
    host = call.host
    vm = call.vm()
    folder = call.need("ExportDirectory")
    given = call.arg("ExportSettingData")
    option = {"CopySnapshotConfiguration": 1, "CopyVmStorage": False, "CopyVmRuntimeInformation": False,
              "CreateVmExportSubdirectory": False}
    if given is not None:
        option.update({k: v for k, v in given.values.items() if v is not None})
    if option["CopySnapshotConfiguration"] not in (0, 1, 2):
        raise wrong("CopySnapshotConfiguration is 0, 1 or 2.")
    if folder.startswith("\\\\"):
        raise JobError(FAILED, f"'{folder}': General access denied error. (0x80070005)")
    only = None
    if option["CopySnapshotConfiguration"] == 2:
        from .methods_resources import path_of
        ref = path_of(option.get("SnapshotVirtualSystem") or "")
        only = host.snapshot(ref.keys.get("InstanceID", "").rpartition(":")[2])
        if only is None or only.vm is not vm:
            raise wrong("SnapshotVirtualSystem is no checkpoint of the virtual machine.")
    root = folder.rstrip("\\") + (f"\\{vm.name}" if option["CreateVmExportSubdirectory"] else "")

    def done():
        if option["CreateVmExportSubdirectory"] and any(f.startswith(host.norm(root) + "\\") for f in host.files):
            raise JobError(FAILED, f"The directory '{root}' exists already. (0x80070050)")
        data = frozen(vm, only, option["CopySnapshotConfiguration"] == 0)
        if not option["CopyVmRuntimeInformation"]:
            data.saved = False
        if option["CopyVmStorage"]:
            copy_storage(host, data, root)
        file = f"{root}\\Virtual Machines\\{vm.id}.vmcx"
        host.add_file(Disk(file, 0, 0, 49152, 49152))
        host.exports[host.norm(file)] = data
        for snapshot in data.snapshots:
            host.add_file(Disk(f"{root}\\Snapshots\\{snapshot.id}.vmcx", 0, 0, 49152, 49152))
        data.snapshot_folder = host.norm(f"{root}\\Snapshots")
        host.note("exported", vm.id, name=vm.name, folder=root, cause=call.cause)

    return call.job(1.0 if option["CopyVmStorage"] else 0.4, done, [vm.ref()], owner=vm)


def copy_storage(host, data, root):
    """Every file of the chains goes to the export's own folder."""
    moved = {}

    def copied(path):
        key = host.norm(path)
        if key in moved:
            return moved[key]
        disk = host.file(path)
        if disk is None:
            return path
        target = f"{root}\\Virtual Hard Disks\\{ntpath.basename(disk.path)}"
        moved[key] = target
        twin = Disk(target, disk.kind, disk.format, disk.size, disk.used, copied(disk.parent) if disk.parent else "",
                    disk.block, disk.logical, disk.physical, disk.ident)
        twin.parent_ident = disk.parent_ident
        host.add_file(twin)
        return target

    for owner in (data, *data.snapshots):
        for setting in owner.res:
            if setting.base is DISK:
                setting.over["HostResource"] = [copied(p) for p in setting.get("HostResource") or []]


@method(VSMS, "ImportSystemDefinition")
def import_definition(call):
    host = call.host
    path = call.need("SystemDefinitionFile")
    fresh = call.arg("GenerateNewSystemIdentifier", False)
    data = host.exports.get(host.norm(path))
    if data is None or host.file(path) is None:
        raise JobError(32779, f"The system cannot find the file specified: '{path}'. (0x80070002)")

    def done():
        ident = host.guid() if fresh else data.id
        if ident in host.planned:
            raise JobError(FAILED, "A planned virtual machine of this identifier exists already.")
        vm = VM(host, ident, Inst(data.vssd.cls, data.vssd.base, dict(data.vssd.over)))
        vm.vssd.obj = vm
        vm.planned = True
        vm.vssd.over.update({"InstanceID": f"Microsoft:{ident}", "VirtualSystemIdentifier": ident, "Parent": None,
                             "VirtualSystemType": templates.PLANNED, "ElementName": data.name, "ConfigurationID": ident,
                             "ConfigurationFile": f"Virtual Machines\\{ident}.vmcx"})
        vm.res = build.rename_ids(data.res, data.owner_id, ident, vm)
        vm.features = build.rename_ids(data.features, data.owner_id, ident, vm)
        rehost(vm, data.host, host)
        vm.guest, vm.load = data.guest, data.load
        vm.image_source = data
        if fresh:
            vm.vssd.over["BIOSGUID"] = "{" + host.guid() + "}"
        build.refresh_boot(vm)
        host.planned[ident] = vm
        host.note("imported", ident, name=vm.name, source=path, cause=call.cause)
        call.out["ImportedSystem"] = vm.ref()
        call.created.append(vm.ref())

    return call.job(0.4, done)


def rehost(vm, old_name, host):
    """Paths in settings name the host that they are on; connections follow the name of the switch."""
    for owner in (vm, *vm.snapshots.values()):
        for setting in owner.res:
            parent = setting.over.get("Parent")
            if parent:
                setting.over["Parent"] = parent.replace(f"\\\\{old_name}\\", f"\\\\{host.name}\\", 1)
            if setting.base is templates.RASD["allocation"][1] and setting.get("HostResource") and old_name != host.name:
                twin = next((s for s in host.switches.values() if s.name == setting.get("LastKnownSwitchName")), None)
                setting.over["HostResource"] = [twin.ref().path(host.name)] if twin else None
        parent = owner.vssd.over.get("Parent")
        if parent:
            owner.vssd.over["Parent"] = parent.replace(f"\\\\{old_name}\\", f"\\\\{host.name}\\", 1)


def planned_of(call):
    vm = call.vm("PlannedSystem", planned=True)
    if not vm.planned:
        raise Refused(INVALID_PARAMETER)
    return vm


@method(VSMS, "ImportSnapshotDefinitions")
def import_snapshots(call):
    vm = planned_of(call)
    folder = call.host.norm(call.need("SnapshotFolder"))
    data = vm.image_source
    if data is None or getattr(data, "snapshot_folder", None) != folder:
        raise JobError(32779, "There are no checkpoints in this folder.")

    def done():
        names = {}
        for one in data.snapshots:
            names[one.id] = call.host.guid() if vm.id != data.id else one.id
        for one in data.snapshots:
            ident = names[one.id]
            vssd = Inst(one.vssd.cls, one.vssd.base, dict(one.vssd.over))
            made = Snapshot(vm, ident, vssd, [], [], names.get(one.parent), one.created, one.saved)
            made.kind = one.kind
            vssd.obj = made
            made.res = build.rename_ids(one.res, one.id, ident, made)
            made.features = build.rename_ids(one.features, one.id, ident, made)
            vssd.over.update({"InstanceID": f"Microsoft:{ident}", "VirtualSystemIdentifier": vm.id,
                              "VirtualSystemType": templates.HYPERV + "Snapshot:Planned"})
            vm.snapshots[ident] = made
        for made in vm.snapshots.values():
            above = vm.snapshots.get(made.parent)
            made.vssd.over["Parent"] = build.setting_path(call.host, above.vssd) if above else None
        vm.applied = names.get(data.applied)
        if vm.applied:
            vm.vssd.over["Parent"] = build.setting_path(call.host, vm.snapshots[vm.applied].vssd)
        call.out["ImportedSnapshots"] = [s.vssd.ref() for s in vm.snapshots.values()]
        call.created += call.out["ImportedSnapshots"]

    return call.job(0.2, done)


def planned_trouble(vm):
    """Everything that keeps a planned system from becoming real."""
    found = []
    for setting in vm.of("disk") + vm.of("iso"):
        for path in setting.get("HostResource") or []:
            if vm.host.file(path) is None:
                found.append(f"Virtual hard disk or image '{path}' is missing. (0x80070002)")
    for setting in vm.of("allocation"):
        if setting.get("EnabledState") == 2 and build.switch_of(vm, setting) is None:
            found.append(f"Could not find Ethernet switch '{setting.get('LastKnownSwitchName', '')}'.")
    return found


@method(VSMS, "ValidatePlannedSystem")
def validate_planned(call):
    vm = planned_of(call)

    def done():
        found = planned_trouble(vm)
        if found:
            raise JobError(FAILED, " ".join(found))

    return call.job(0.2, done, [vm.ref()])


@method(VSMS, "RealizePlannedSystem")
def realize(call):
    host = call.host
    vm = planned_of(call)

    def done():
        if vm.id in host.vms:
            raise JobError(FAILED, "A virtual machine of this identifier exists already. (0x800700B7)")
        found = planned_trouble(vm)
        if found:
            raise JobError(FAILED, " ".join(found))
        host.planned.pop(vm.id, None)
        vm.planned = False
        vm.vssd.over["VirtualSystemType"] = templates.REALIZED
        for snapshot in vm.snapshots.values():
            snapshot.vssd.over["VirtualSystemType"] = templates.SNAPSHOT
        vm.state = SAVED if vm.image_source is not None and vm.image_source.saved else OFF
        vm.image_source = None
        vm.created = vm.changed = vm.config_changed = cimtime.now()
        vm.vssd.over["CreationTime"] = cimtime.cim(vm.created)
        host.vms[vm.id] = vm
        host.note("vm created", vm.id, name=vm.name, cause=call.cause)
        host.estate.appeared(vm)
        call.out["ResultingSystem"] = vm.ref()
        call.created.append(vm.ref())

    return call.job(0.3, done)


# Migration

def migration_on(host):
    return host.migration_setting.get("EnableVirtualSystemMigration", True)


def check_migration(vm, target, kind, new_settings):
    """Why a VM cannot go to target (None: storage only); (code, text, errors) or None."""
    host = vm.host
    if kind not in (32768, 32769, 32770, 32771):
        return INVALID_PARAMETER, f"MigrationType is {kind}", None
    if kind == 32769:
        return None
    start = f"Virtual machine migration operation for '{vm.name}' failed at migration source '{host.name}'. "
    if target is None:
        return FAILED, start + "Could not establish a connection with the destination host. (0x80072EE7)", None
    if target is host:
        return FAILED, start + "Source and destination are the same.", None
    if not migration_on(host) or not migration_on(target):
        return FAILED, start + "Live migration is not enabled on source or destination. (0x80070005)", None
    if target.migration_addresses == []:
        return FAILED, start + "The destination does not listen for live migrations. (0x8007274D)", None
    if any(side.migration_setting.get("AuthenticationType", 1) != 1 for side in (host, target)):
        return FAILED, start + ("Failed to authenticate the connection at the source host: no suitable credentials available. "
                                "(0x8009030E)"), None
    if vm.id in target.vms:
        return FAILED, start + "The destination has a virtual machine of this identifier.", None
    if vm.snapshots and any(s.saved for s in vm.snapshots.values()) and host.processor != target.processor:
        return FAILED, start + "The processors are not compatible.", None
    if vm.started is not None:
        used = sum(power.memory_mb(v) for v in target.vms.values() if v.started is not None)
        if (used + power.memory_mb(vm)) << 20 > target.memory:
            return FAILED, start + "There is not enough memory on the destination.", None
    issues = []
    chosen = {g.id.lower(): g for g in new_settings}
    for setting in vm.of("allocation"):
        made = build.switch_of(vm, setting)
        if made is None:
            continue
        given = chosen.get(setting.id.lower())
        paths = given.get("HostResource") if given else None
        if given is not None and given.get("EnabledState") == 3:
            continue
        names = [s for s in target.switches.values() if (paths and s.id.lower() in paths[0].lower()) or
                 (not paths and s.name == made.name)]
        if not names:
            issues.append(f"Could not find Ethernet switch '{made.name}'.")
    if kind == 32768:
        for setting in vm.of("disk"):
            for path in setting.get("HostResource") or []:
                if target.file(path) is None:
                    issues.append(f"Storage '{path}' is not available on the destination.")
    if issues:
        return FAILED, start + " ".join(issues), issues
    return None


def migration_arguments(call):
    vm = call.vm()
    given = call.arg("MigrationSettingData")
    kind = given.get("MigrationType", 32768) if given else 32768
    name = call.arg("DestinationHost")
    target = call.host.estate.host(name) if name else None
    return vm, given, kind, target, call.arg("NewResourceSettingData", [])


@method(MIG, "CheckVirtualSystemIsMigratableToHost")
def check_to_host(call):
    vm, _, kind, target, new_settings = migration_arguments(call)
    trouble = check_migration(vm, target, kind, new_settings)
    call.out["IsMigratable"] = trouble is None
    return trouble[0] if trouble else 0


@method(MIG, "CheckVirtualSystemIsMigratable")
def check_migratable(call):
    vm, _, kind, target, new_settings = migration_arguments(call)
    trouble = check_migration(vm, target, kind, new_settings)
    if trouble:
        raise JobError(trouble[0], trouble[1])
    return 0


@method(MIG, "GetSystemCompatibilityInfo")
def compatibility_info(call):
    vm = call.vm()
    call.out["CompatibilityInfo"] = list(bytes.fromhex(vm.id.replace("-", "")))
    return 0


@method(MIG, "CheckSystemCompatibilityInfo")
def check_compatibility(call):
    call.need("CompatibilityInfo")
    return 0


@method(MIG, "MigrateVirtualSystemToHost")
def migrate(call):
    vm, given, kind, target, new_settings = migration_arguments(call)
    host = call.host
    if vm.job is not None or vm.state not in power.STABLE or vm.merging:
        return INVALID_STATE
    if kind == 32769:
        if call.arg("DestinationHost"):
            raise Refused(INVALID_PARAMETER)
        if not new_settings:
            raise Refused(INVALID_PARAMETER)
    chosen = {}
    for one in new_settings:
        live = vm.find(one.id)
        if live is None:
            for snapshot in vm.snapshots.values():
                live = live or next((r for r in snapshot.res if r.id.lower() == one.id.lower()), None)
        if live is None:
            raise JobError(INVALID_PARAMETER, f"There is no resource {one.id!r}.")
        chosen[one.id.lower()] = one
    error = check_migration(vm, target, kind, new_settings)

    def done():
        vm.job = None
        if kind == 32769:
            move_storage(vm, host, host, chosen)
            host.note("storage moved", vm.id, cause=call.cause)
        else:
            again = check_migration(vm, target, kind, new_settings)
            if again:
                raise JobError(again[0], again[1])
            move(vm, target, kind, chosen, call.cause)
        call.created.append(vm.ref())

    def failed():
        vm.job = None

    text = call.arg("DestinationHost", "")
    job = host.estate.jobs.start(
        host, {32769: 307, 32771: 306}.get(kind, 305), 2.0 if kind != 32768 else 1.2, done, [vm.ref()], failed=failed, owner=vm,
        name=call.cause, kind="Msvm_MigrationJob", error=error,
        extra={"MigrationType": kind, "VirtualSystemName": vm.id, "DestinationHost": text})
    if job.running:
        vm.job = job
    return call.started(job)


def move_storage(vm, source, target, chosen):
    """Files of a VM go from source to target, to the paths that were chosen; parents go beside them."""
    taken = {}

    def go(path, wanted=None, folder=None):
        key = source.norm(path)
        if key in taken:
            return taken[key]
        disk = source.file(path)
        if disk is None:
            return wanted or path
        new = wanted or (f"{folder}\\{ntpath.basename(disk.path)}" if folder else disk.path)
        taken[key] = new
        if disk.parent:
            disk.parent = go(disk.parent, None, ntpath.dirname(new))
        source.drop_file(path)
        disk.path = new
        target.add_file(disk)
        return new

    live = [(r, chosen.get(r.id.lower())) for owner in (vm, *vm.snapshots.values()) for r in owner.res if r.base is DISK]
    for setting, given in sorted(live, key=lambda row: row[1] is None):
        paths = setting.get("HostResource") or []
        wanted = (given.get("HostResource") or [None])[0] if given else None
        setting.over["HostResource"] = [go(p, wanted) for p in paths]


def move(vm, target, kind, chosen, cause):
    source = vm.host
    running = vm.state == RUNNING
    if kind in (32771,):
        move_storage(vm, source, target, chosen)
    for setting in vm.of("allocation"):
        given = chosen.get(setting.id.lower())
        made = build.switch_of(vm, setting)
        twin = None
        if given is not None and given.get("HostResource"):
            twin = next((s for s in target.switches.values() if s.id.lower() in given.get("HostResource")[0].lower()), None)
        elif made is not None:
            twin = next((s for s in target.switches.values() if s.name == made.name), None)
        setting.over["HostResource"] = [twin.ref().path(target.name)] if twin else None
        if twin:
            setting.over["LastKnownSwitchName"] = twin.name
    for setting in vm.of("iso"):
        if target.file((setting.get("HostResource") or [""])[0]) is None:
            vm.res.remove(setting)
    source.vms.pop(vm.id)
    source.estate.gone(vm)
    rename_host(vm, source, target)
    vm.host = target
    target.vms[vm.id] = vm
    if vm.clustered and source.cluster is not None:
        source.cluster.owner_changed(vm, target)
    source.note("migrated away", vm.id, name=vm.name, to=target.name, cause=cause)
    target.note("migrated here", vm.id, name=vm.name, source=source.name, running=running, cause=cause)
    target.estate.appeared(vm)


def rename_host(vm, source, target):
    for owner in (vm, *vm.snapshots.values()):
        for setting in [owner.vssd, *owner.res]:
            parent = setting.over.get("Parent")
            if parent:
                setting.over["Parent"] = parent.replace(f"\\\\{source.name}\\", f"\\\\{target.name}\\", 1)
        order = owner.vssd.over.get("BootSourceOrder")
        if order:
            owner.vssd.over["BootSourceOrder"] = [p.replace(f"\\\\{source.name}\\", f"\\\\{target.name}\\", 1) for p in order]
