# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: create, apply, destroy one or a tree; merging of disks goes on after the job."""

from . import build, cimtime, power, seed, templates
from .cimxml import FAILED, INVALID_PARAMETER, INVALID_STATE, NOT_SUPPORTED, JobError
from .invoke import Refused, method
from .model import OFF, RUNNING, SAVED, Snapshot

SNAP = "Msvm_VirtualSystemSnapshotService"
MERGE_SECONDS = 1.0
SETTINGS_STAY = {"InstanceID", "ElementName", "VirtualSystemType", "VirtualSystemIdentifier", "ConfigurationID", "Parent",
                 "CreationTime", "ConfigurationFile", "Caption", "Description", "IsSaved", "ConfigurationDataRoot",
                 "SnapshotDataRoot", "SuspendDataRoot"}


@method(SNAP, "CreateSnapshot")
def create_snapshot(call):
    vm = call.vm("AffectedSystem")
    kind = call.need("SnapshotType")
    if kind not in (2, 3):
        raise Refused(INVALID_PARAMETER if kind not in (32768, 32769) else NOT_SUPPORTED)
    try:
        power.check_idle(vm)
    except JobError as error:
        return error.code
    if vm.vssd.get("UserSnapshotType") == 2:
        raise JobError(FAILED, f"Checkpoints have been disabled for '{vm.name}'.")
    if len(vm.snapshots) >= 50:
        raise JobError(FAILED, f"'{vm.name}' has 50 checkpoints, more are not possible.")
    vm.job = power.GUEST_BUSY

    def done():
        vm.job = None
        now = cimtime.now()
        name = f"{vm.name} - ({cimtime.cim(now)[4:6]}/{cimtime.cim(now)[6:8]}/{cimtime.cim(now)[:4]} - {len(vm.snapshots) + 1})"
        made = seed.snapshot(vm, name, vm.snapshots.get(vm.applied), now)
        production = vm.vssd.get("UserSnapshotType") in (3, 4) and vm.state == RUNNING and vm.guest is not None
        made.kind = "production" if production or kind == 3 else "standard"
        made.saved = made.saved and made.kind == "standard"
        made.vssd.over["IsSaved"] = made.saved
        set_applied(vm, made)
        vm.host.estate.tell(vm.host, "created", lambda: made.vssd)
        vm.host.note("checkpoint", made.id, vm=vm.id, name=made.vssd.get("ElementName"), cause=call.cause)
        call.out["ResultingSnapshot"] = made.vssd.ref()
        call.created.append(made.vssd.ref())

    def failed():
        vm.job = None

    return call.job(0.5, done, [vm.ref()], failed=failed, owner=vm)


def set_applied(vm, snapshot):
    vm.applied = snapshot.id if snapshot else None
    vm.vssd.over["Parent"] = build.setting_path(vm.host, snapshot.vssd) if snapshot else None


def snapshot_of(call, name):
    inst = call.live(name, "Msvm_VirtualSystemSettingData")
    if not isinstance(inst.obj, Snapshot):
        raise Refused(INVALID_PARAMETER)
    return inst.obj


@method(SNAP, "ApplySnapshot")
def apply_snapshot(call):
    snapshot = snapshot_of(call, "Snapshot")
    vm = snapshot.vm
    if vm.job is not None or vm.state not in (OFF, SAVED) or vm.merging:
        return INVALID_STATE
    vm.job = power.GUEST_BUSY

    def done():
        vm.job = None
        if snapshot.id not in vm.snapshots:
            raise JobError(FAILED, "The checkpoint is gone.")
        old = [p for r in vm.of("disk") for p in r.get("HostResource") or []]
        vm.res = build.rename_ids(snapshot.res, snapshot.id, vm.id, vm)
        vm.features = build.rename_ids(snapshot.features, snapshot.id, vm.id, vm)
        for name, value in snapshot.vssd.values().items():
            if name not in SETTINGS_STAY:
                vm.vssd.over[name] = value
        seed.difference(vm)
        set_applied(vm, snapshot)
        for path in old:
            drop_unused(vm, path)
        build.refresh_boot(vm)
        vm.config_changed = cimtime.now()
        power.set_state(vm, SAVED if snapshot.saved else OFF, call.cause)
        vm.host.note("checkpoint applied", snapshot.id, vm=vm.id, cause=call.cause)

    def failed():
        vm.job = None

    return call.job(0.5, done, [vm.ref(), snapshot.vssd.ref()], failed=failed, owner=vm)


def references(vm, path):
    """Settings of the VM and its checkpoints, and disks, that need this very file."""
    wanted = vm.host.norm(path)
    users = []
    for owner in (vm, *vm.snapshots.values()):
        for setting in owner.res:
            if setting.base is templates.RASD["disk"][1] and vm.host.norm((setting.get("HostResource") or [""])[0]) == wanted:
                users.append(setting)
    below = [d for d in list(vm.host.files.values()) + (list(vm.host.cluster.files.values()) if vm.host.cluster else [])
             if d.parent and vm.host.norm(d.parent) == wanted]
    return users, below


def drop_unused(vm, path):
    """A differencing disk that nothing needs any more goes, and its parents likewise."""
    while path:
        disk = vm.host.file(path)
        if disk is None or not disk.path.lower().endswith((".avhdx", ".avhd")):
            return
        users, below = references(vm, path)
        if users or below:
            return
        vm.host.drop_file(path)
        path = disk.parent


def destroy(vm, doomed, cause):
    """Takes checkpoints out of the tree; their disks are merged afterwards."""
    gone = {s.id for s in doomed}
    for snapshot in vm.snapshots.values():
        while snapshot.parent in gone:
            snapshot.parent = vm.snapshots[snapshot.parent].parent
    applied = vm.applied
    while applied in gone:
        applied = vm.snapshots[applied].parent
    for ident in gone:
        vssd = vm.snapshots.pop(ident).vssd
        vm.host.estate.tell(vm.host, "deleted", lambda gone_one=vssd: gone_one)
        vm.host.note("checkpoint removed", ident, vm=vm.id, cause=cause)
    for snapshot in vm.snapshots.values():
        above = vm.snapshots.get(snapshot.parent)
        snapshot.vssd.over["Parent"] = build.setting_path(vm.host, above.vssd) if above else None
    set_applied(vm, vm.snapshots.get(applied))
    paths = [p for s in doomed for r in s.res if r.base is templates.RASD["disk"][1] for p in r.get("HostResource") or []]
    vm.merging += 1
    vm.host.estate.later(MERGE_SECONDS / vm.host.estate.speed, merged, vm, paths, cause)


def merged(vm, paths, cause):
    vm.merging -= 1
    for path in sorted(paths, key=len, reverse=True):
        merge_into(vm, path)
    vm.config_changed = cimtime.now()
    vm.host.note("merged", vm.id, cause=cause, disks=[(r.get("HostResource") or [""])[0] for r in vm.of("disk")])


def merge_into(vm, path):
    """One child of a file that no settings use is merged into it; a file nobody needs is dropped."""
    disk = vm.host.file(path)
    if disk is None:
        return
    users, below = references(vm, path)
    if users:
        return
    if not below:
        drop_unused(vm, path)
    elif len(below) == 1 and below[0].path.lower().endswith((".avhdx", ".avhd")):
        child = below[0]
        uses, grand = references(vm, child.path)
        for setting in uses:
            setting.over["HostResource"] = [disk.path]
        for one in grand:
            one.parent = disk.path
            one.parent_ident = disk.ident
        disk.used = min(disk.size, disk.used + child.used)
        vm.host.drop_file(child.path)


def _destroy(call, snapshot, tree):
    vm = snapshot.vm
    if vm.job is not None or vm.state not in power.STABLE:
        return INVALID_STATE

    def done():
        if snapshot.id not in vm.snapshots:
            raise JobError(FAILED, "The checkpoint is gone.")
        doomed = [snapshot]
        if tree:
            for one in doomed:
                doomed += [s for s in vm.snapshots.values() if s.parent == one.id]
        destroy(vm, doomed, call.cause)

    return call.job(0.3, done, [vm.ref()], owner=vm)


@method(SNAP, "DestroySnapshot")
def destroy_snapshot(call):
    return _destroy(call, snapshot_of(call, "AffectedSnapshot"), False)


@method(SNAP, "DestroySnapshotTree")
def destroy_snapshot_tree(call):
    return _destroy(call, snapshot_of(call, "SnapshotSettingData"), True)


@method(SNAP, "ClearSnapshotState")
def clear_snapshot_state(call):
    snapshot = snapshot_of(call, "SnapshotSettingData")
    if not snapshot.saved:
        return INVALID_STATE

    def done():
        snapshot.saved = False
        snapshot.vssd.over["IsSaved"] = False

    return call.job(0.1, done)
