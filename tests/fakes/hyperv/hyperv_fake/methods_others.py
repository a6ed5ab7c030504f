# SPDX-License-Identifier: Apache-2.0
"""Metrics, replication, security, console rights, collections, services."""

import re

from . import cimtime, hostdata, moresources
from .cimxml import FAILED, INVALID_PARAMETER, INVALID_STATE, NOT_SUPPORTED, JobError
from .inst import Inst
from .invoke import HANDLERS, Refused, method
from .model import OFF, VM
from .schema import cls

METRIC = "Msvm_MetricService"
REPLICATION = "Msvm_ReplicationService"


@method(METRIC, "ControlMetrics", "ControlMetricsByClass")
def control_metrics(call):
    wanted = call.need("MetricCollectionEnabled")
    if wanted not in (2, 3, 4):
        raise Refused(INVALID_PARAMETER)
    names = None
    if call.arg("Definition") is not None:
        ident = call.arg("Definition").keys.get("Id", "")
        found = [d for d in moresources.METRICS if d["Id"].lower() == ident.lower()]
        if not found:
            raise Refused(INVALID_PARAMETER)
        names = {d["Id"] for d in found}
    if call.arg("Subject") is None:
        subjects = list(call.host.vms.values())
    else:
        inst = call.live("Subject")
        if not isinstance(inst.obj, VM):
            raise Refused(INVALID_PARAMETER)
        subjects = [inst.obj]
    every = names or {d["Id"] for d in moresources.METRICS}
    for vm in subjects:
        now = cimtime.now()
        if wanted == 2:
            vm.metrics = {**{i: now for i in every}, **(vm.metrics or {})}
        elif wanted == 3:
            vm.metrics = {i: at for i, at in (vm.metrics or {}).items() if i not in every} or None
        elif vm.metrics:
            vm.metrics = {i: now if i in every else at for i, at in vm.metrics.items()}
        vm.host.note("metrics", vm.id, enabled=sorted(vm.metrics or {}), cause=call.cause)
    return 0


@method(METRIC, "ModifyServiceSettings")
def modify_metric_settings(call):
    given = call.need("SettingData")
    call.host.metric_settings.update({k: v for k, v in given.values.items() if k != "InstanceID" and v is not None})
    return 0


@method(METRIC, "ShowMetrics")
def show_metrics(call):
    vms = [call.live("Subject").obj] if call.arg("Subject") is not None else list(call.host.vms.values())
    elements, definitions, names, states = [], [], [], []
    for vm in vms:
        for row in moresources.METRICS:
            elements.append(vm.ref())
            definitions.append(moresources.metric_definition(row).ref())
            names.append(row["ElementName"])
            states.append(2 if row["Id"] in (vm.metrics or {}) else 3)
    call.out.update({"ManagedElements": elements, "DefinitionList": definitions, "MetricNames": names,
                     "MetricCollectionEnabled": states})
    return 0


# Replication: states 1 ready, 2 waiting, 3 replicating, 4 synced, 5 recovered, 6 committed, 7 suspended, 8 critical

def replicating(call):
    vm = call.vm()
    if vm.replication is None:
        raise JobError(INVALID_STATE, f"Replication is not enabled for '{vm.name}'.")
    return vm


def replication_job(call, vm, change, seconds=0.4):
    def done():
        if change is None:
            vm.replication = None
        else:
            vm.replication = {**(vm.replication or {}), **change}
        vm.host.note("replication", vm.id, now=vm.replication, cause=call.cause)

    return call.job(seconds, done, [vm.ref()], owner=vm)


@method(REPLICATION, "CreateReplicationRelationship")
def create_replication(call):
    vm = call.vm()
    if vm.replication is not None:
        raise JobError(INVALID_STATE, f"Replication is enabled for '{vm.name}' already.")
    given = call.need("ReplicationSettingData")
    server = given.get("RecoveryConnectionPoint") or given.get("RecoveryHostSystem")
    if not server:
        raise JobError(INVALID_PARAMETER, "The replica server is missing.")
    return replication_job(call, vm, {"mode": 1, "state": 1, "health": 1, "server": server, "last": cimtime.now()})


@method(REPLICATION, "StartReplication")
def start_replication(call):
    vm = replicating(call)
    if vm.replication["state"] not in (1, 7, 8):
        raise JobError(INVALID_STATE, "Initial replication is under way or done.")
    return replication_job(call, vm, {"state": 3, "health": 1, "last": cimtime.now()})


@method(REPLICATION, "RemoveReplicationRelationship", "RemoveReplicationRelationshipEx")
def remove_replication(call):
    return replication_job(call, replicating(call), None)


@method(REPLICATION, "ModifyReplicationSettings", "ResetReplicationStatistics", "ResetReplicationStatisticsEx")
def modify_replication(call):
    return replication_job(call, replicating(call), {})


@method(REPLICATION, "Resynchronize")
def resynchronize(call):
    return replication_job(call, replicating(call), {"state": 3, "health": 1, "last": cimtime.now()}, 0.8)


@method(REPLICATION, "InitiateFailover")
def initiate_failover(call):
    vm = replicating(call)
    if vm.state != OFF:
        raise JobError(INVALID_STATE, f"'{vm.name}' is not off.")
    return replication_job(call, vm, {"state": 5})


@method(REPLICATION, "CommitFailover", "RevertFailover")
def end_failover(call):
    vm = replicating(call)
    if vm.replication["state"] != 5:
        raise JobError(INVALID_STATE, f"'{vm.name}' is not failed over.")
    return replication_job(call, vm, {"state": 3 if call.name == "RevertFailover" else 6})


@method(REPLICATION, "ReverseReplicationRelationship")
def reverse_replication(call):
    vm = replicating(call)
    return replication_job(call, vm, {"mode": 1 if vm.replication["mode"] == 2 else 2, "state": 3})


@method("Msvm_ComputerSystem", "RequestReplicationStateChange", "RequestReplicationStateChangeEx")
def replication_state_change(call):
    vm = call.target.obj
    if not isinstance(vm, VM) or vm.replication is None:
        return INVALID_STATE
    wanted = call.need("RequestedState")
    now = vm.replication["state"]
    if wanted not in (3, 7):
        return INVALID_PARAMETER
    if wanted == now or wanted == 3 and now not in (7, 8):
        return INVALID_STATE
    return replication_job(call, vm, {"state": wanted, "health": 2 if wanted == 7 else 1})


# Security

@method("Msvm_SecurityService", "ModifySecuritySettings")
def modify_security(call):
    given = call.need("SecuritySettingData")
    vm = security_vm(call, given)
    values = {k: v for k, v in given.values.items() if k != "InstanceID" and v is not None}
    if vm.generation != 2:
        raise JobError(NOT_SUPPORTED, "A TPM needs generation 2.")
    if vm.state != OFF and not vm.planned:
        raise JobError(INVALID_STATE, f"'{vm.name}' is not off.")
    if values.get("TpmEnabled") and not (vm.security or {}).get("key_protector"):
        raise JobError(FAILED, "The virtual machine has no key protector. (0x80090016)")

    def done():
        vm.security = {**(vm.security or {}), **values}
        vm.host.note("security", vm.id, now={k: v for k, v in vm.security.items() if k != "key_protector"}, cause=call.cause)

    return call.job(0.1, done, [vm.ref()])


def security_vm(call, given):
    from .store import _GUID
    match = _GUID.search(given.id)
    vm = (call.host.vms.get(match.group().upper()) or call.host.planned.get(match.group().upper())) if match else None
    if vm is None:
        raise JobError(INVALID_PARAMETER, f"There are no security settings {given.id!r}.")
    return vm


@method("Msvm_SecurityService", "SetKeyProtector")
def set_key_protector(call):
    vm = security_vm(call, call.need("SecuritySettingData"))
    data = call.need("KeyProtector")
    vm.security = {**(vm.security or {}), "key_protector": list(data)}
    return 0


@method("Msvm_SecurityService", "GetKeyProtector")
def get_key_protector(call):
    vm = security_vm(call, call.need("SecuritySettingData"))
    call.out["KeyProtector"] = (vm.security or {}).get("key_protector", [0, 0, 0, 4])
    return 0


# Console

ACE = cls("Msvm_InteractiveSessionACE")


@method("Msvm_TerminalService", "GrantInteractiveSessionAccess", "RevokeInteractiveSessionAccess")
def session_access(call):
    vm = call.vm()
    for trustee in call.need("Trustees"):
        row = (vm.id, trustee.lower())
        if call.name.startswith("Grant"):
            call.host.terminal_acl.append((*row, trustee))
        else:
            call.host.terminal_acl = [r for r in call.host.terminal_acl if r[:2] != row]
        vm.host.note("console right", vm.id, trustee=trustee, cause=call.cause)
    return 0


@method("Msvm_TerminalService", "GetInteractiveSessionACL")
def session_acl(call):
    vm = call.vm()
    call.out["AccessControlList"] = [Inst(ACE, None, {"Trustee": trustee, "AccessType": 0})
                                     for ident, _, trustee in call.host.terminal_acl if ident == vm.id]
    return 0


@method("Msvm_TerminalService", "ModifyServiceSettings")
def modify_terminal(call):
    given = call.need("ServiceSettingData")
    call.host.terminal_setting.update({k: v for k, v in given.values.items() if k != "InstanceID" and v is not None})
    return 0


# Collections

class Collection:
    def __init__(self, ident, name, management):
        self.id = ident
        self.name = name
        self.management = management
        self.members = set()


COLLECTIONS = "Msvm_CollectionManagementService"


@method(COLLECTIONS, "DefineCollection")
def define_collection(call):
    name = call.need("Name")
    kind = call.arg("Type", 0)
    if kind not in (0, 1):
        raise Refused(INVALID_PARAMETER)
    ident = (call.arg("Id") or call.host.guid()).upper()
    if ident in call.host.collections:
        raise JobError(FAILED, "The collection exists already.")
    made = Collection(ident, name, kind == 1)
    call.host.collections[ident] = made
    call.out["DefinedCollection"] = moresources.collection(made).ref()
    call.host.note("collection created", ident, name=name, cause=call.cause)
    return 0


def collection_of(call):
    inst = call.live("Collection")
    if not isinstance(inst.obj, Collection):
        raise Refused(INVALID_PARAMETER)
    return inst.obj


@method(COLLECTIONS, "DestroyCollection")
def destroy_collection(call):
    made = collection_of(call)
    if made.members:
        raise JobError(FAILED, "The collection is not empty.")
    call.host.collections.pop(made.id)
    return 0


@method(COLLECTIONS, "RenameCollection")
def rename_collection(call):
    collection_of(call).name = call.need("NewName")
    return 0


@method(COLLECTIONS, "AddMember", "RemoveMember", "RemoveMemberById")
def change_members(call):
    if call.name == "RemoveMemberById":
        made = call.host.collections.get(call.need("CollectionId").upper())
        if made is None:
            raise Refused(INVALID_PARAMETER)
    else:
        made = collection_of(call)
    member = call.live("Member").obj
    ident = getattr(member, "id", None)
    if isinstance(member, VM) == made.management or ident is None:
        raise Refused(INVALID_PARAMETER)
    if (ident in made.members) == (call.name == "AddMember"):
        raise JobError(FAILED, "The element is, or is not, a member already.")
    made.members ^= {ident}
    call.host.note("collection changed", made.id, members=sorted(made.members), cause=call.cause)
    return 0


# What no service of a host does for a remote caller

def refuse_service_control(_call):
    return 1


for _name in ("startservice", "stopservice"):
    HANDLERS[("cim_service", _name)] = refuse_service_control


@method("CIM_DataFile", "Delete")
def delete_file(call):
    disk = call.host.file(call.target.get("Name"))
    from .methods_image import in_use
    if disk is None:
        return 9
    if disk.kind and in_use(call.host, disk):
        return 15
    call.host.drop_file(disk.path)
    keep_folder(call.host, disk.path)
    call.host.note("file deleted", disk.path, cause=call.cause)
    return 0


def keep_folder(host, path):
    """A folder is still there when its last file is gone."""
    above = host.norm(path).rpartition("\\")[0]
    if "\\" in above:
        host.folders.add(above)


def lies_in(host, path, folder):
    return host.norm(path).startswith(host.norm(folder) + "\\")


def new_place(call, old):
    """The whole new path that Rename takes; or what it answers."""
    host, to = call.host, call.need("FileName")
    if not re.match(r"[A-Za-z]:\\[^\\]", to) or re.search(r'[*?"<>|/]', to) or to.endswith("\\"):
        raise Refused(21)
    if to[:2].lower() != old[:2].lower():
        raise Refused(13)
    folders = {row.get("Name") for row in hostdata.CIMV2_SOURCES["Win32_Directory"](host)}
    if host.file(to) is not None or host.norm(to) in folders:
        raise Refused(10)
    above = host.norm(to).rpartition("\\")[0]
    if above not in folders and len(above) > 2:
        raise Refused(9)
    return to


@method("CIM_DataFile", "Rename")
def rename_file(call):
    from .methods_image import in_use
    disk = call.host.file(call.target.get("Name"))
    if disk is None:
        return 9
    to = new_place(call, disk.path)
    if disk.kind and in_use(call.host, disk):
        return 15
    old = disk.path
    call.host.drop_file(old)
    keep_folder(call.host, old)
    disk.path = to
    call.host.add_file(disk)
    call.host.note("file renamed", old, to=to, cause=call.cause)
    return 0


@method("Win32_Directory", "Delete", "Rename")
def change_folder(call):
    """Deleting takes everything that is in it, too."""
    from .methods_image import in_use
    host, name = call.host, call.target.get("Name")
    inside = [f for f in host.all_files() if lies_in(host, f.path, name)]
    to = new_place(call, name) if call.name == "Rename" else None
    if any(f.kind and in_use(host, f) for f in inside):
        return 15
    for file in inside:
        host.drop_file(file.path)
        if to:
            file.path = to + file.path[len(name):]
            host.add_file(file)
    moved = {f for f in host.folders if f == host.norm(name) or lies_in(host, f, name)}
    host.folders -= moved
    if to:
        host.folders |= {host.norm(to) + f[len(name):] for f in moved} | {host.norm(to)}
    keep_folder(host, name)
    host.note("folder renamed" if to else "folder deleted", name, to=to, files=len(inside), cause=call.cause)
    return 0


@method("Win32_Process", "Create")
def create_process(call):
    command = call.need("CommandLine")
    call.out["ProcessId"] = 4000 + (call.host.random.getrandbits(12) & ~3)
    call.host.note("process", command, cause=call.cause)
    return 0
