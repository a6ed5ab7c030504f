# SPDX-License-Identifier: Apache-2.0
"""Msvm_ImageManagementService: virtual disks and their chains. Its jobs are Msvm_StorageJob."""

import ntpath

from . import cimtime
from .cimxml import FAILED, INVALID_PARAMETER, IN_USE, JobError
from .inst import Inst
from .invoke import Refused, method
from .model import Disk
from .schema import cls

IMG = "Msvm_ImageManagementService"
SETTING = cls("Msvm_VirtualHardDiskSettingData")
STATE = cls("Msvm_VirtualHardDiskState")
MOUNTED = cls("Msvm_MountedStorageImage")
NOT_FOUND = 32779
SUFFIX = {2: (".vhd", ".avhd"), 3: (".vhdx", ".avhdx"), 4: (".vhds",)}
LIMIT = {2: 2040 << 30, 3: 64 << 40, 4: 64 << 40}


def wrong(text):
    return JobError(INVALID_PARAMETER, text)


def storage(call, seconds, done, path):
    return call.job(seconds, done, kind="Msvm_StorageJob", extra={"JobCompletionStatusCode": 0, "Child": path})


def disk_of(call, name="Path"):
    path = call.need(name)
    check_remote(path)
    found = call.host.file(path)
    if found is None:
        raise JobError(NOT_FOUND, f"The system cannot find the file specified: '{path}'. (0x80070002)")
    if found.kind == 0:
        raise JobError(FAILED, f"'{path}' is no virtual hard disk. (0xC03A0014)")
    return found


def check_remote(path):
    if path.startswith("\\\\") and not path.startswith("\\\\?\\"):
        raise JobError(FAILED, f"'{path}': General access denied error. (0x80070005)")


def check_new(host, path, kind_format=None):
    check_remote(path)
    drive = ntpath.splitdrive(path.replace("\\\\?\\", ""))[0].upper()
    if len(drive) != 2 or not any(v.letter and drive == f"{v.letter}:" for v in host.volumes):
        raise JobError(FAILED, f"The system cannot find the path specified: '{path}'. (0x80070003)")
    if kind_format and not path.lower().endswith(SUFFIX[kind_format]):
        raise wrong(f"'{path}' has not the ending of its format.")
    if host.file(path):
        raise JobError(FAILED, f"The file exists: '{path}'. (0x80070050)")


def volume_of(host, path):
    letter = path.replace("\\\\?\\", "")[:1].upper()
    return next((v for v in host.volumes if v.letter == letter), None)


def in_use(host, disk):
    """Running VMs hold their disks and everything below them."""
    for vm in host.vms.values():
        if vm.started is None:
            continue
        for setting in vm.of("disk"):
            for path in setting.get("HostResource") or []:
                if any(d is disk for d in host.chain(path)):
                    return True
    return disk.attached


def need_free(host, disk):
    if in_use(host, disk):
        raise JobError(IN_USE, f"'{disk.path}' is in use. (0x80070020)")


@method(IMG, "CreateVirtualHardDisk")
def create_disk(call):
    host = call.host
    given = call.need("VirtualDiskSettingData")
    kind, form, path = given.get("Type"), given.get("Format"), given.get("Path")
    if kind not in (2, 3, 4) or form not in (2, 3, 4) or not path:
        raise wrong("Type, Format and Path are needed.")
    if "\\" not in path:
        raise wrong(f"'{path}' is no full path.")
    size = given.get("MaxInternalSize", 0)
    logical = given.get("LogicalSectorSize", 512) or 512
    physical = given.get("PhysicalSectorSize", 4096 if form != 2 else 512) or 4096
    block = given.get("BlockSize", 0) or (33554432 if form != 2 else 2097152)
    if logical not in (512, 4096) or physical not in (512, 4096):
        raise wrong("Sector sizes are 512 or 4096.")
    if block & (block - 1) or not 524288 <= block <= 268435456:
        raise wrong(f"BlockSize is {block}")
    parent = given.get("ParentPath", "")
    if kind == 4:
        if not parent:
            raise wrong("A differencing disk needs ParentPath.")
    elif size < 3 << 20 or size > LIMIT[form] or size % logical:
        raise wrong(f"MaxInternalSize is {size}")

    def done():
        check_new(host, path, form)
        below = None
        full = size
        if kind == 4:
            below = host.file(parent)
            if below is None:
                raise JobError(NOT_FOUND, f"The system cannot find the file specified: '{parent}'. (0x80070002)")
            full = below.size
        volume = volume_of(host, path)
        if kind == 2 and full > volume.free:
            raise JobError(FAILED, "There is not enough space on the disk. (0x80070070)")
        made = Disk(path, kind, form, full, full if kind == 2 else 4 << 20, parent, block, logical, physical, host.guid())
        made.parent_ident = below.ident if below else ""
        volume.free -= made.used
        host.add_file(made)
        host.note("disk created", path, size=full, cause=call.cause)

    return storage(call, 1.5 if kind == 2 else 0.3, done, path)


def setting_of(disk) -> Inst:
    return Inst(SETTING, None, {
        "ElementName": ntpath.basename(disk.path), "InstanceID": None, "Type": disk.kind, "Format": disk.format,
        "Path": disk.path, "ParentPath": disk.parent or None, "ParentTimestamp": None,
        "ParentIdentifier": disk.parent_ident or None, "MaxInternalSize": disk.size, "BlockSize":
        0 if disk.kind == 2 else disk.block, "LogicalSectorSize": disk.logical, "PhysicalSectorSize": disk.physical,
        "VirtualDiskId": disk.ident, "DataAlignment": 0, "PmemAddressAbstractionType": 0, "IsPmemCompatible": False})


@method(IMG, "GetVirtualHardDiskSettingData")
def get_setting(call):
    call.out["SettingData"] = setting_of(disk_of(call))
    return 0


@method(IMG, "GetVirtualHardDiskState")
def get_state(call):
    disk = disk_of(call)
    call.out["State"] = Inst(STATE, None, {
        "FileSize": disk.used, "InUse": in_use(call.host, disk), "MinInternalSize": min(disk.size, disk.used + (1 << 20)),
        "PhysicalSectorSize": disk.physical, "Alignment": 1, "FragmentationPercentage": 3 if disk.kind != 2 else None,
        "Timestamp": cimtime.cim(disk.stamp)})
    return 0


@method(IMG, "ResizeVirtualHardDisk")
def resize(call):
    disk = disk_of(call)
    size = call.need("MaxInternalSize")
    if size < 3 << 20 or size > LIMIT[disk.format] or size % disk.logical:
        raise wrong(f"MaxInternalSize is {size}")

    def done():
        online = any(sources_kind == 6 for sources_kind in controllers(call.host, disk))
        if size < disk.size:
            need_free(call.host, disk)
            if size < disk.used:
                raise JobError(FAILED, "The disk holds data beyond the new size. (0xC03A0029)")
        elif not online:
            need_free(call.host, disk)
        if disk.kind == 4 or any(d.parent and call.host.norm(d.parent) == call.host.norm(disk.path)
                                 for d in call.host.all_files()):
            raise JobError(FAILED, f"'{disk.path}' belongs to a chain of differencing disks. (0xC03A0023)")
        before = disk.size
        disk.size = size
        if disk.kind == 2:
            disk.used = size
        call.host.note("disk resized", disk.path, before=before, after=size, cause=call.cause)

    return storage(call, 0.4, done, disk.path)


def controllers(host, disk):
    """Resource types of the controllers through which running VMs use this disk."""
    for vm in host.vms.values():
        if vm.started is None:
            continue
        for setting in vm.of("disk"):
            if host.norm((setting.get("HostResource") or [""])[0]) == host.norm(disk.path):
                for scsi in vm.of("scsi"):
                    if setting.id.startswith(scsi.id + "\\"):
                        yield 6


@method(IMG, "CompactVirtualHardDisk")
def compact(call):
    disk = disk_of(call)
    if call.arg("Mode", 0) not in (0, 1, 2, 3, 4):
        raise wrong("Mode is 0 to 4.")

    def done():
        need_free(call.host, disk)
        if disk.kind == 2:
            raise JobError(FAILED, "A disk of fixed size cannot be compacted.")
        disk.used = max(4 << 20, disk.used * 3 // 4)
        call.host.note("disk compacted", disk.path, cause=call.cause)

    return storage(call, 0.8, done, disk.path)


@method(IMG, "ConvertVirtualHardDisk")
def convert(call):
    host = call.host
    source = disk_of(call, "SourcePath")
    given = call.need("VirtualDiskSettingData")
    kind, form, path = given.get("Type"), given.get("Format"), given.get("Path")
    if kind not in (2, 3, 4) or form not in (2, 3, 4) or not path:
        raise wrong("Type, Format and Path are needed.")
    if source.size > LIMIT[form]:
        raise wrong("The disk is too large for this format.")

    def done():
        check_new(host, path, form)
        need_free(host, source)
        made = Disk(path, kind, form, source.size, source.size if kind == 2 else source.used,
                    given.get("ParentPath", "") if kind == 4 else "", given.get("BlockSize") or (
                        33554432 if form != 2 else 2097152), source.logical, 512 if form == 2 else source.physical, host.guid())
        host.add_file(made)
        host.note("disk converted", path, source=source.path, cause=call.cause)

    return storage(call, 1.5, done, source.path)


@method(IMG, "MergeVirtualHardDisk")
def merge(call):
    host = call.host
    child = disk_of(call, "SourcePath")
    target_path = call.need("DestinationPath")
    if child.kind != 4:
        raise wrong(f"'{child.path}' is no differencing disk.")

    def done():
        need_free(host, child)
        target = host.file(target_path)
        if target is None:
            check_new(host, target_path)
            whole = sum(d.used for d in host.chain(child.path))
            host.add_file(Disk(target_path, 3, 3 if target_path.lower().endswith("x") else 2, child.size,
                               min(whole, child.size), ident=host.guid()))
        else:
            chain = host.chain(child.path)
            if target not in chain[1:]:
                raise JobError(FAILED, f"'{target_path}' is no parent of '{child.path}'. (0xC03A000E)")
            for one in chain[:chain.index(target)]:
                target.used = min(target.size, target.used + one.used)
                host.drop_file(one.path)
        host.note("disk merged", target_path, source=child.path, cause=call.cause)

    return storage(call, 1.0, done, child.path)


@method(IMG, "ValidateVirtualHardDisk")
def validate(call):
    disk = disk_of(call)

    def done():
        last = call.host.chain(disk.path)[-1]
        if last.kind == 4:
            raise JobError(FAILED, f"The chain of virtual hard disks is broken: '{last.parent}' is missing. (0xC03A000D)")
        for one in call.host.chain(disk.path):
            below = call.host.file(one.parent) if one.parent else None
            if below is not None and one.parent_ident and one.parent_ident != below.ident:
                raise JobError(FAILED, f"'{one.path}' does not belong to its parent '{below.path}'. (0xC03A000E)")

    return storage(call, 0.2, done, disk.path)


@method(IMG, "SetParentVirtualHardDisk")
def reparent(call):
    child = disk_of(call, "ChildPath")
    parent = disk_of(call, "ParentPath")
    if child.kind != 4:
        raise wrong(f"'{child.path}' is no differencing disk.")

    def done():
        need_free(call.host, child)
        if child.parent_ident and child.parent_ident != parent.ident and not call.arg("IgnoreIDMismatch", False):
            raise JobError(FAILED, "The identifiers of parent and child do not match. (0xC03A000E)")
        child.parent = parent.path
        child.parent_ident = parent.ident
        call.host.note("disk reparented", child.path, parent=parent.path, cause=call.cause)

    return storage(call, 0.2, done, child.path)


@method(IMG, "SetVirtualHardDiskSettingData")
def set_setting(call):
    given = call.need("VirtualDiskSettingData")
    disk = call.host.file(given.get("Path", ""))
    if disk is None:
        raise JobError(NOT_FOUND, f"The system cannot find the file specified: '{given.get('Path')}'. (0x80070002)")

    def done():
        need_free(call.host, disk)
        disk.physical = given.get("PhysicalSectorSize", disk.physical)
        disk.ident = given.get("VirtualDiskId", disk.ident)

    return storage(call, 0.1, done, disk.path)


@method(IMG, "CreateVirtualFloppyDisk")
def create_floppy(call):
    path = call.need("Path")

    def done():
        check_new(call.host, path)
        call.host.add_file(Disk(path, 0, 0, 1474560, 1474560))

    return storage(call, 0.1, done, path)


@method(IMG, "AttachVirtualHardDisk")
def attach(call):
    host = call.host
    path = call.need("Path")
    check_remote(path)
    disk = host.file(path)
    if disk is None:
        raise JobError(NOT_FOUND, f"The system cannot find the file specified: '{path}'. (0x80070002)")

    def done():
        need_free(host, disk)
        disk.attached = True
        lun = len(host.mounted)
        inst = Inst(MOUNTED, None, {"InstanceID": disk.path, "Name": disk.path, "PortNumber": 2, "PathId": 0, "TargetId": 0,
                                    "Lun": lun, "Type": 0 if disk.kind else 1, "Access": 1 if call.arg("ReadOnly", False) else 3,
                                    "OperationalStatus": [2], "StatusDescriptions": ["OK"]}, disk)
        host.mounted[host.norm(disk.path)] = inst
        host.note("disk mounted", disk.path, cause=call.cause)

    return storage(call, 0.2, done, path)


@method(IMG, "FindMountedStorageImageInstance")
def find_mounted(call):
    if call.arg("CriterionType", 2) != 2:
        raise Refused(INVALID_PARAMETER)
    found = call.host.mounted.get(call.host.norm(call.need("SelectionCriterion")))
    if found is None:
        raise Refused(32789)
    call.out["Image"] = found.ref()
    return 0


@method("Msvm_MountedStorageImage", "DetachVirtualHardDisk")
def detach(call):
    disk = call.target.obj
    disk.attached = False
    call.host.mounted.pop(call.host.norm(disk.path), None)
    call.host.note("disk unmounted", disk.path, cause=call.cause)
    return 0
