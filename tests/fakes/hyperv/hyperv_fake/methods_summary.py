# SPDX-License-Identifier: Apache-2.0
"""GetSummaryInformation: the one call that polls live on."""

from . import build, power, sources, store
from .inst import Inst, properties_xml
from .invoke import Raw, Refused, method
from .model import OFF, RUNNING, Snapshot, VM
from .cimxml import INVALID_PARAMETER
from .schema import cls

SUMMARY = cls("Msvm_SummaryInformation")

# Requested number -> properties that it fills.
REQUEST = {
    0: ("Name",), 1: ("ElementName",), 2: ("CreationTime",), 3: ("Notes",), 4: ("NumberOfProcessors",),
    5: ("ThumbnailImage", "ThumbnailImageWidth", "ThumbnailImageHeight"),
    6: ("ThumbnailImage", "ThumbnailImageWidth", "ThumbnailImageHeight"),
    7: ("ThumbnailImage", "ThumbnailImageWidth", "ThumbnailImageHeight"), 8: ("AllocatedGPU",),
    9: ("VirtualSwitchNames",), 10: ("Version",), 11: ("Shielded",), 100: ("EnabledState",), 101: ("ProcessorLoad",),
    102: ("ProcessorLoadHistory",), 103: ("MemoryUsage",), 104: ("Heartbeat",), 105: ("UpTime",),
    106: ("GuestOperatingSystem",), 107: ("Snapshots",), 108: ("AsynchronousTasks",), 109: ("HealthState",),
    110: ("OperationalStatus",), 111: ("StatusDescriptions",), 112: ("MemoryAvailable",), 113: ("AvailableMemoryBuffer",),
    114: ("ReplicationMode",), 115: ("ReplicationState",), 116: ("ReplicationHealth",), 117: ("ApplicationHealth",),
    118: ("ReplicationStateEx",), 119: ("ReplicationHealthEx",), 120: ("SwapFilesInUse",),
    121: ("IntegrationServicesVersionState",), 122: ("ReplicationProviderId",), 123: ("MemorySpansPhysicalNumaNodes",),
    132: ("OtherEnabledState",),
}
ALWAYS = ("InstanceID", "Name", "VirtualSystemSubType", "HostComputerSystemName", "EnhancedSessionModeState")
_EMPTY = {}


def heartbeat(vm):
    status = next((s for s in vm.of("heartbeat")), None)
    if status is None or vm.state != RUNNING or status.get("EnabledState") != 2:
        return None
    return sources.component_status(vm, "heartbeat")


def demand(vm):
    """MB that the guest uses now."""
    if vm.started is None:
        return None
    size = power.memory_mb(vm)
    settings = vm.of("memory")[0]
    if settings.get("DynamicMemoryEnabled"):
        low = settings.get("Reservation", size)
        return max(low, size * (40 + vm.load) // 120)
    return size


def values(vm, wanted):
    """The properties in wanted, of a VM as it is now."""
    status = sources.status_of(vm) or ([2], sources.computer_system(vm).base["StatusDescriptions"])
    running = vm.started is not None
    row = {
        "InstanceID": vm.vssd.over["InstanceID"], "Name": vm.id, "ElementName": vm.name,
        "CreationTime": vm.vssd.get("CreationTime"), "Notes": (vm.vssd.get("Notes") or [""])[0],
        "NumberOfProcessors": vm.of("processor")[0].get("VirtualQuantity", 1) if vm.of("processor") else 0,
        "Version": vm.vssd.get("Version"), "Shielded": False, "EnabledState": vm.critical or vm.state,
        "OtherEnabledState": vm.other_state, "HealthState": vm.health, "OperationalStatus": status[0],
        "StatusDescriptions": status[1], "ReplicationMode": 0, "ReplicationState": 0, "ReplicationHealth": 0,
        "VirtualSystemSubType": vm.vssd.get("VirtualSystemSubType"), "HostComputerSystemName": vm.host.name,
        "EnhancedSessionModeState": sources.session_state(vm), "SwapFilesInUse": False, "IntegrationServicesVersionState": 1,
        "UpTime": int(power.uptime(vm) * 1000), "MemorySpansPhysicalNumaNodes": False, "ApplicationHealth": 2,
        "AllocatedGPU": ""}
    if running:
        used = demand(vm)
        size = power.memory_mb(vm)
        row.update({
            "ProcessorLoad": sources.load_of(vm), "MemoryUsage": used,
            "Heartbeat": heartbeat(vm), "GuestOperatingSystem": vm.guest["os"] if vm.guest_alive() else None})
        if vm.of("memory")[0].get("DynamicMemoryEnabled"):
            row["MemoryAvailable"] = max(-100, min(100, 100 - used * 100 // max(1, size)))
            row["AvailableMemoryBuffer"] = vm.of("memory")[0].get("TargetMemoryBuffer")
        else:
            row["MemoryAvailable"] = 2147483647
            row["AvailableMemoryBuffer"] = 2147483647
        if "ProcessorLoadHistory" in wanted:
            row["ProcessorLoadHistory"] = sources.history_of(vm)
    elif vm.state == OFF:
        row["MemoryUsage"] = row["ProcessorLoad"] = 0
    if "VirtualSwitchNames" in wanted:
        row["VirtualSwitchNames"] = [s.name for s in (build.switch_of(vm, a) for a in vm.of("allocation")) if s]
    if vm.replication:
        row.update({"ReplicationMode": vm.replication["mode"], "ReplicationState": vm.replication["state"],
                    "ReplicationHealth": vm.replication["health"], "ReplicationStateEx": [vm.replication["state"]],
                    "ReplicationHealthEx": [vm.replication["health"]]})
    if "Snapshots" in wanted:
        row["Snapshots"] = [sources.localised(s.vssd, vm.host) for s in vm.snapshots.values()]
    if "AsynchronousTasks" in wanted:
        row["AsynchronousTasks"] = [j.inst() for j in vm.host.jobs.values() if j.owner is vm]
    if vm.host.behaviour.summary_bad_text:
        row["Notes"] = "bad \x0b text"
    return {name: row[name] for name in wanted if name in row}


def snapshot_values(snapshot, wanted):
    vssd = snapshot.vssd
    processors = [r for r in snapshot.res if sources.kind_of(r) == "processor"]
    row = {"InstanceID": vssd.over["InstanceID"], "Name": snapshot.id, "ElementName": vssd.get("ElementName"),
           "CreationTime": vssd.get("CreationTime"), "Notes": (vssd.get("Notes") or [""])[0],
           "NumberOfProcessors": processors[0].get("VirtualQuantity", 1) if processors else 0, "EnabledState": 3,
           "HealthState": 5, "OperationalStatus": [2], "StatusDescriptions": ["OK"], "Version": vssd.get("Version"),
           "VirtualSystemSubType": vssd.get("VirtualSystemSubType"), "HostComputerSystemName": snapshot.vm.host.name}
    return {name: row[name] for name in wanted if name in row}


@method("Msvm_VirtualSystemManagementService", "GetSummaryInformation")
def get_summary_information(call):
    host = call.host
    numbers = call.arg("RequestedInformation", [])
    wanted = set(ALWAYS)
    picture = None
    for number in numbers:
        if number not in REQUEST:
            raise Refused(INVALID_PARAMETER)
        wanted.update(REQUEST[number])
        if number in (5, 6, 7):
            picture = {5: (80, 60), 6: (160, 120), 7: (320, 240)}[number]
    refs = call.arg("SettingData")
    rows = []
    if refs is None or not refs:
        for vm in host.vms.values():
            rows.append((vm, values(vm, wanted)))
    else:
        for ref in refs:
            inst = store.find(host, ref)
            owner = inst.obj if inst is not None else None
            if isinstance(owner, VM):
                rows.append((owner, values(owner, wanted)))
            elif isinstance(owner, Snapshot):
                rows.append((owner, snapshot_values(owner, wanted)))
            else:
                raise Refused(INVALID_PARAMETER)
    if picture:
        from .screen import thumbnail
        for owner, row in rows:
            if isinstance(owner, VM) and owner.state == RUNNING:
                row["ThumbnailImage"] = list(thumbnail(owner, *picture))
                row["ThumbnailImageWidth"], row["ThumbnailImageHeight"] = picture
    opening = f'<p:SummaryInformation xmlns:q="{SUMMARY.uri}" xsi:type="q:{SUMMARY.name}_Type">'
    call.out["SummaryInformation"] = [
        Raw(f"{opening}{properties_xml(Inst(SUMMARY, _EMPTY, row), 'q')}</p:SummaryInformation>") for _, row in rows]
    return 0
