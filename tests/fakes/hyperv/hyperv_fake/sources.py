# SPDX-License-Identifier: Apache-2.0
"""Instances of the virtualization namespace, made from the state when they are asked for.

VM_SOURCES: class -> function(vm); HOST_SOURCES: class -> function(host). Both answer lists of instances.
"""

from . import build, cimtime, cimxml, power, templates
from .inst import Inst
from .model import (COMPUTER_CLASS, OFF, PLANNED_CLASS, RUNNING, SWITCH_CLASS)
from .schema import NAMESPACES, V2, cls
from .texts import base_of

HOST_SOURCES = {}
VM_SOURCES = {}


def host_source(*names):
    def register(function):
        for name in names:
            HOST_SOURCES[name] = function
        return function
    return register


def vm_source(*names):
    def register(function):
        for name in names:
            VM_SOURCES[name] = function
        return function
    return register


def device_base(name, **own):
    found = cls(name)
    known = {p.name for p in found.props}
    base = {**found.texts, "HealthState": 5, "OperationalStatus": [2], "StatusDescriptions": ["OK"], "EnabledState": 2,
            "RequestedState": 12, "EnabledDefault": 2, "SystemCreationClassName": "Msvm_ComputerSystem",
            "CreationClassName": name, "AdditionalAvailability": None, "CommunicationStatus": None}
    base.update(own)
    return found, {k: v for k, v in base.items() if k in known}


# Computer systems

NEVER = "16010101000000.000000-000"
_VM_BASE = {
    "Caption": "Virtual Machine", "Description": "Microsoft Virtual Machine", "CreationClassName": "Msvm_ComputerSystem",
    "OperationalStatus": [2], "StatusDescriptions": ["Operating normally"], "HealthState": 5, "EnabledDefault": 3,
    "RequestedState": 5, "ResetCapability": 1, "NumberOfNumaNodes": 1, "ReplicationState": 0, "ReplicationHealth": 0,
    "ReplicationMode": 0, "FailedOverReplicationType": 0, "LastReplicationType": 0, "EnhancedSessionModeState": 3,
    "LastReplicationTime": NEVER, "LastApplicationConsistentReplicationTime": NEVER, "Status": "OK",
}
_HOST_BASE = {
    "Caption": "Hosting Computer System", "Description": "Microsoft Hosting Computer System",
    "CreationClassName": "Msvm_ComputerSystem", "OperationalStatus": [2], "StatusDescriptions": ["OK"], "Status": "OK",
    "HealthState": 5, "EnabledState": 2, "EnabledDefault": 2, "RequestedState": 12, "ResetCapability": 1,
}
_PLANNED_BASE = {**{k: v for k, v in _VM_BASE.items() if PLANNED_CLASS.prop(k)}, "CreationClassName":
                 "Msvm_PlannedComputerSystem", "EnabledState": 3, "Caption": "Planned Virtual Machine"}


def host_system(host) -> Inst:
    return Inst(COMPUTER_CLASS, base_of(host.language, _HOST_BASE), {
        "Name": host.name, "ElementName": host.name, "NumberOfNumaNodes": 2}, host)


def status_of(vm):
    """OperationalStatus and the texts: merging and degraded states show as the second value."""
    if vm.merging:
        return [2, 32772], ["Operating normally", "Merging disks"]
    if vm.status != [2]:
        return vm.status, vm.status_text or ["Degraded"]
    return None


def session_state(vm) -> int:
    """Enhanced sessions: 6 (allowed, not available) for what runs, 3 for what is off, as on recorded hosts."""
    return vm.session if vm.session is not None else 6 if vm.started is not None else 3


def computer_system(vm) -> Inst:
    over = {"Name": vm.id, "ElementName": vm.name, "EnabledState": vm.state,
            "TimeOfLastStateChange": cimtime.cim(vm.changed), "InstallDate": cimtime.cim(vm.created),
            "TimeOfLastConfigurationChange": cimtime.cim(vm.config_changed)}
    if vm.planned:
        return Inst(PLANNED_CLASS, base_of(vm.host.language, _PLANNED_BASE), over, vm)
    if vm.started is not None:
        over["OnTimeInMilliseconds"] = int(power.uptime(vm) * 1000)
        over["ProcessID"] = vm.pid
        over["EnabledDefault"] = 2
    else:
        over["OnTimeInMilliseconds"] = 0 if vm.state == OFF else None
    if vm.critical:
        over["EnabledState"] = vm.critical
    over["EnhancedSessionModeState"] = session_state(vm)
    status = status_of(vm)
    if status:
        over["OperationalStatus"], over["StatusDescriptions"] = status
    if vm.health != 5:
        over["HealthState"] = vm.health
    if vm.other_state:
        over["OtherEnabledState"] = vm.other_state
    if vm.replication:
        over.update({"ReplicationState": vm.replication["state"], "ReplicationHealth": vm.replication["health"],
                     "ReplicationMode": vm.replication["mode"],
                     "LastReplicationTime": cimtime.cim(vm.replication.get("last", vm.created))})
    if vm.backup:
        over["LastSuccessfulBackupTime"] = cimtime.cim(vm.backup)
    return Inst(COMPUTER_CLASS, base_of(vm.host.language, _VM_BASE), over, vm)


@host_source("Msvm_ComputerSystem")
def _hosting(host):
    return [host_system(host)]


@vm_source("Msvm_ComputerSystem")
def _vm(vm):
    return [] if vm.planned else [computer_system(vm)]


@vm_source("Msvm_PlannedComputerSystem")
def _planned(vm):
    return [computer_system(vm)] if vm.planned else []


# Settings: of the VM itself and of its checkpoints

def localised(setting, host):
    if host.language == "en-US":
        return setting
    return Inst(setting.cls, base_of(host.language, setting.base), setting.over, setting.obj)


@vm_source("Msvm_VirtualSystemSettingData")
def _vssd(vm):
    return [localised(vm.vssd, vm.host)] + [localised(s.vssd, vm.host) for s in vm.snapshots.values()]


_SETTING_CLASSES = {found.name for found, _ in templates.RASD.values()} | {"Msvm_ResourceAllocationSettingData"}
_FEATURE_CLASSES = {found.name for found, _, _ in templates.FEATURE.values()}


def _settings_of(name):
    def answer(vm):
        rows = [localised(r, vm.host) for r in vm.res if r.cls.name == name]
        for snapshot in vm.snapshots.values():
            rows += [localised(r, vm.host) for r in snapshot.res if r.cls.name == name]
        return rows
    return answer


def _features_of(name):
    def answer(vm):
        rows = [f for f in vm.features if f.cls.name == name]
        for snapshot in vm.snapshots.values():
            rows += [f for f in snapshot.features if f.cls.name == name]
        return rows
    return answer


def register_settings():
    for name in _SETTING_CLASSES:
        VM_SOURCES[name] = _settings_of(name)
    for found in NAMESPACES[V2].subclasses("Msvm_EthernetSwitchPortFeatureSettingData"):
        if not found.abstract:
            VM_SOURCES[found.name] = _features_of(found.name)


register_settings()

_DEFINITIONS = {}


def definitions(kind):
    """Default, Minimum, Maximum and Increment of a resource: templates that turn up in every enumeration."""
    if kind not in _DEFINITIONS:
        found, base = templates.RASD[kind]
        rows = []
        ident = {"processor": "B637F347-6A0E-4DEC-AF52-BD70CB80A21D", "memory": "4764334D-E001-4176-82EE-5594EC9B530E",
                 "scsi": "D422512D-2BF2-4752-809D-7B82B5FCB1B4", "disk_drive": "4764334E-E001-4176-82EE-5594EC9B530E",
                 "dvd_drive": "118C3BE5-0D31-4804-85F0-5C6074ABEA8F", "disk": "70BB60D2-A9D3-46AA-B654-3DE53004B4F8",
                 "iso": "D422512C-2BF2-4752-809D-7B82B5FCB1B4", "nic": "6A45335D-4C3A-44B7-B61F-C9808BBDF8ED",
                 "legacy_nic": "6A45335E-4C3A-44B7-B61F-C9808BBDF8ED", "ide": "A1A4B5B3-7A1B-4D5B-9C86-1D2D3B0A6F11",
                 "allocation": "72027ECE-E44A-446E-AF2B-8D8C4B8A2279"}[kind]
        edges = {"processor": {"Minimum": {"VirtualQuantity": 1}, "Maximum": {"VirtualQuantity": 2048},
                               "Increment": {"VirtualQuantity": 1}},
                 "memory": {"Minimum": {"VirtualQuantity": 32, "Reservation": 32}, "Increment": {"VirtualQuantity": 2},
                            "Maximum": {"VirtualQuantity": 12582912, "Limit": 12582912}}}.get(kind, {})
        for role in ("Default", "Minimum", "Maximum", "Increment"):
            rows.append((role, Inst(found, base, {"InstanceID": f"Microsoft:Definition\\{ident}\\{role}",
                                                  **edges.get(role, {})})))
        _DEFINITIONS[kind] = rows
    return _DEFINITIONS[kind]


DEFINED = ("processor", "memory", "scsi", "disk_drive", "dvd_drive", "disk", "iso", "nic", "legacy_nic", "ide",
           "allocation")


def _definition_source(name):
    def answer(host):
        rows = []
        for kind in DEFINED:
            if templates.RASD[kind][0].name == name:
                rows += [localised(inst, host) for _, inst in definitions(kind)]
        if name == "Msvm_EthernetPortAllocationSettingData":
            for made in host.switches.values():
                rows += made.ports
        return rows
    return answer


for _name in {templates.RASD[kind][0].name for kind in DEFINED}:
    HOST_SOURCES[_name] = _definition_source(_name)


# Devices of VMs: derived from their settings

def _device(name, **own):
    return device_base(name, **own)


_DEVICES = {
    "processor": _device("Msvm_Processor", ElementName="Processor", Role="Central Processor", Family=0, CPUStatus=1),
    "memory": _device("Msvm_Memory", ElementName="Memory", BlockSize=1048576, Volatile=True, Primordial=False,
                      Purpose="System Memory", Access=3),
    "ide": _device("Msvm_IDEController", ElementName="IDE Controller"),
    "scsi": _device("Msvm_SCSIProtocolController", ElementName="SCSI Controller"),
    "disk_drive": _device("Msvm_DiskDrive", ElementName="Hard Drive", DriveNumber=None),
    "dvd_drive": _device("Msvm_DVDDrive", ElementName="DVD Drive"),
    "floppy_drive": _device("Msvm_DisketteDrive", ElementName="Diskette Drive"),
    "disk": _device("Msvm_LogicalDisk", ElementName="Hard Disk Image"),
    "iso": _device("Msvm_LogicalDisk", ElementName="ISO Disk Image"),
    "nic": _device("Msvm_SyntheticEthernetPort", ElementName="Network Adapter", LinkTechnology=2, FullDuplex=True,
                   ActiveMaximumTransmissionUnit=1500, SupportedMaximumTransmissionUnit=1500, PortType=0),
    "legacy_nic": _device("Msvm_EmulatedEthernetPort", ElementName="Legacy Network Adapter", LinkTechnology=2,
                          FullDuplex=True),
    "keyboard": _device("Msvm_Keyboard", ElementName="Keyboard", UnicodeSupported=True),
    "mouse": _device("Msvm_SyntheticMouse", ElementName="Synthetic Mouse"),
    "display": _device("Msvm_SyntheticDisplayController", ElementName="Synthetic Display Controller"),
    "s3display": _device("Msvm_S3DisplayController", ElementName="S3 Display Controller"),
    "serial_controller": _device("Msvm_SerialController", ElementName="Serial Controller"),
    "serial": _device("Msvm_SerialPort", ElementName="COM Port"),
    "shutdown": _device("Msvm_ShutdownComponent", ElementName="Shutdown"),
    "timesync": _device("Msvm_TimeSyncComponent", ElementName="Time Synchronization"),
    "heartbeat": _device("Msvm_HeartbeatComponent", ElementName="Heartbeat"),
    "kvp": _device("Msvm_KvpExchangeComponent", ElementName="Key-Value Pair Exchange"),
    "vss": _device("Msvm_VssComponent", ElementName="VSS"),
    "guest": _device("Msvm_GuestServiceInterfaceComponent", ElementName="Guest Service Interface"),
}
_COMPONENTS = ("shutdown", "timesync", "heartbeat", "kvp", "vss", "guest")
_KIND_OF_BASE = {id(base): kind for kind, (_, base) in templates.RASD.items()}


def kind_of(setting):
    return _KIND_OF_BASE.get(id(setting.base))


def component_status(vm, kind):
    """OK, error, no contact or lost, as the summary's Heartbeat does."""
    if vm.heartbeat is not None and kind in ("heartbeat", "shutdown"):
        return vm.heartbeat
    if vm.state != RUNNING:
        return 12
    return 2 if vm.guest else 12


def devices(vm, setting):
    """The devices that stand behind one resource setting (several for processors)."""
    kind = kind_of(setting)
    if kind not in _DEVICES or vm.planned:
        return []
    found, base = _DEVICES[kind]
    base = base_of(vm.host.language, base)
    ident = setting.over["InstanceID"]
    over = {"SystemName": vm.id, "DeviceID": ident}
    if kind == "processor":
        if vm.started is None:
            return []
        stem = ident.rsplit("\\", 1)[0]
        count = setting.get("VirtualQuantity", 1)
        return [Inst(found, base, {"SystemName": vm.id, "DeviceID": f"{stem}\\{number}", "Name": f"Processor {number}",
                                   "LoadPercentage": load_of(vm), "LoadPercentageHistory": history_of(vm)}, vm)
                for number in range(count)]
    if kind == "memory":
        if vm.started is None:
            return []
        blocks = setting.get("VirtualQuantity", 0)
        over.update({"NumberOfBlocks": blocks, "ConsumableBlocks": blocks, "EndingAddress": blocks << 20})
    elif kind in ("nic", "legacy_nic"):
        over.update({"PermanentAddress": setting.get("Address"), "ElementName": setting.get("ElementName"),
                     "NetworkAddresses": [setting.get("Address")] if setting.get("Address") else None,
                     "Speed": 10_000_000_000, "EnabledState": 2})
    elif kind in ("ide", "scsi", "serial"):
        over["ElementName"] = setting.get("ElementName")
    elif kind in ("disk", "iso"):
        path = setting.get("HostResource", [""])[0]
        disk = vm.host.file(path)
        over["Name"] = path
        if disk:
            over.update({"BlockSize": 512, "NumberOfBlocks": disk.size // 512})
    elif kind in _COMPONENTS:
        enabled = setting.get("EnabledState", 2)
        status = component_status(vm, kind)
        over["EnabledState"] = enabled
        over["OperationalStatus"] = [status] if enabled == 2 else [12]
        over["StatusDescriptions"] = ["OK" if status == 2 and enabled == 2 else "No Contact"]
        if kind == "kvp":
            over.update(kvp_values(vm, enabled == 2))
        over = {k: v for k, v in over.items() if k.lower() in found.by_lower}
    return [Inst(found, base, over, vm)]


def kvp_values(vm, enabled):
    if not vm.guest_alive() or not enabled:
        return {}
    guest = vm.guest
    linux = not guest["os"].startswith("Windows")
    major, minor, number = (guest["version"].split(".") + ["0", "0"])[:3]
    items = [("FullyQualifiedDomainName", guest["fqdn"]), ("OSName", guest["os"]), ("OSVersion", guest["version"]),
             ("CSDVersion", ""), ("OSBuildNumber", number), ("OSMajorVersion", major), ("OSMinorVersion", minor),
             ("OSPlatformId", "1" if linux else "2"), ("ServicePackMajor", "0"), ("SuiteMask", "400"),
             ("ProductType", "3"), ("OSEditionId", "8"), ("ProcessorArchitecture", "9"),
             ("IntegrationServicesVersion", "3.1" if linux else guest["version"]), ("OSVendor", guest["os"].split(" ")[0]),
             ("NetworkAddressIPv4", ";".join(addresses(vm, 4))), ("NetworkAddressIPv6", ";".join(addresses(vm, 6))),
             ("RDPAddressIPv4", "" if linux else guest["address"]), ("RDPAddressIPv6", "")]
    own = [("VirtualMachineName", vm.name)] + list(vm.kvp_guest.items())
    return {"GuestIntrinsicExchangeItems": [cimxml.kvp_item(n, v) for n, v in items if v or n == "CSDVersion"],
            "GuestExchangeItems": [cimxml.kvp_item(n, v, 1) for n, v in own]}


def addresses(vm, family):
    if vm.guest is None:
        return []
    base = vm.guest["address"]
    rows = []
    for number, _ in enumerate(vm.of("nic") + vm.of("legacy_nic")):
        parts = base.split(".")
        if family == 4:
            parts[1] = str((int(parts[1]) + number) & 0xFF)
            rows.append(".".join(parts))
        else:
            rows.append(f"fe80::215:5dff:fe{int(parts[1]):02x}:{int(parts[2]) + number:x}{int(parts[3]):02x}")
    return rows


def load_of(vm) -> int:
    if vm.state != RUNNING:
        return 0
    step = int(cimtime.now() / 10)
    return max(0, min(100, vm.load + (step * 7 + int(vm.id[:4], 16)) % 11 - 5))


def history_of(vm):
    if vm.state != RUNNING:
        return []
    return [max(0, min(100, vm.load + (k * 5) % 9 - 4)) for k in range(12)]


def _device_source(name):
    kinds = {kind for kind, (found, _) in _DEVICES.items() if found.name == name}

    def answer(vm):
        rows = []
        for setting in vm.res:
            if kind_of(setting) in kinds:
                rows += devices(vm, setting)
        return rows
    return answer


for _name in {found.name for found, _ in _DEVICES.values()}:
    VM_SOURCES[_name] = _device_source(_name)


_GUEST_NET = cls("Msvm_GuestNetworkAdapterConfiguration")
_GUEST_NET_BASE = {**_GUEST_NET.texts, "ProtocolIFType": 4096, "DHCPEnabled": True, "OtherProtocolIFTypeDescription": None}


def guest_network(vm, nic, number):
    """The addresses that a guest reports for one adapter."""
    ident = nic.over["InstanceID"].split("\\", 1)[1]
    values = {"InstanceID": f"Microsoft:GuestNetwork\\{vm.id}\\{ident}"}
    own = vm.guest_network.get(ident)
    if own:
        values.update(own)
    elif vm.guest_alive():
        parts = vm.guest["address"].split(".")
        parts[1] = str((int(parts[1]) + number) & 0xFF)
        four = ".".join(parts)
        six = addresses(vm, 6)[number]
        values.update({"IPAddresses": [four, six], "Subnets": ["255.255.255.0", "/64"],
                       "DefaultGateways": [".".join(parts[:3]) + ".254"], "DNSServers": [f"10.{parts[1]}.0.53"],
                       "IPAddressOrigins": [3, 3]})
    known = _GUEST_NET.by_lower
    return Inst(_GUEST_NET, {k: v for k, v in _GUEST_NET_BASE.items() if k.lower() in known},
                {k: v for k, v in values.items() if k.lower() in known}, vm)


@vm_source("Msvm_GuestNetworkAdapterConfiguration")
def _guest_networks(vm):
    return [] if vm.planned else [guest_network(vm, n, k) for k, n in enumerate(vm.of("nic"))]


# Services and host settings

def service(name, service_name, element, **own):
    found = cls(name)
    known = {p.name for p in found.props}
    base = {**found.texts, "Name": service_name, "ElementName": element, "CreationClassName": name,
            "SystemCreationClassName": "Msvm_ComputerSystem", "OperationalStatus": [2], "HealthState": 5,
            "StatusDescriptions": ["The service is running normally"], "EnabledState": 2, "RequestedState": 12,
            "EnabledDefault": 2, "Started": True, **own}
    return found, {k: v for k, v in base.items() if k in known}


SERVICES = {row[0].name: row for row in (
    service("Msvm_VirtualSystemManagementService", "vmms", "Hyper-V Virtual System Management Service"),
    service("Msvm_VirtualSystemSnapshotService", "vmms", "Hyper-V Virtual System Snapshot Service"),
    service("Msvm_ImageManagementService", "vmms", "Hyper-V Image Management Service"),
    service("Msvm_VirtualEthernetSwitchManagementService", "nvspwmi", "Hyper-V Networking Management Service"),
    service("Msvm_VirtualSystemMigrationService", "vmms", "Hyper-V Migration Service"),
    service("Msvm_MetricService", "vmms", "Metric Service"),
    service("Msvm_ReplicationService", "vmms", "Hyper-V Replication Service"),
    service("Msvm_SecurityService", "vmms", "Security Service"),
    service("Msvm_TerminalService", "vmms", "Terminal Service"),
    service("Msvm_CollectionManagementService", "vmms", "Collection Management Service"),
    service("Msvm_ResourcePoolConfigurationService", "vmms", "Resource Pool Configuration Service"),
    service("Msvm_VirtualSystemReferencePointService", "vmms", "Reference Point Service"),
)}


def service_instance(host, name):
    found, base = SERVICES[name]
    over = {"SystemName": host.name}
    if name == "Msvm_VirtualSystemMigrationService":
        over["MigrationServiceListenerIPAddressList"] = ([n.address for n in host.nics[:1]] if host.migration_addresses is None
                                                         else host.migration_addresses)
        over["ActiveVirtualSystemMigrationCount"] = 0
        over["ActiveStorageMigrationCount"] = 0
        over = {k: v for k, v in over.items() if found.prop(k)}
    return Inst(found, base_of(host.language, base), over, host)


def _service_source(name):
    def answer(host):
        return [service_instance(host, name)] if host.visible else []
    return answer


for _name in SERVICES:
    HOST_SOURCES[_name] = _service_source(_name)


# Jobs

def _job_source(name):
    def answer(host):
        return [job.inst() for job in list(host.jobs.values()) if job.kind == name]
    return answer


for _name in ("Msvm_ConcreteJob", "Msvm_StorageJob", "Msvm_MigrationJob", "Msvm_CopyFileToGuestJob"):
    HOST_SOURCES[_name] = _job_source(_name)


# Switches

_SWITCH_BASE = {**SWITCH_CLASS.texts, "CreationClassName": "Msvm_VirtualEthernetSwitch", "OperationalStatus": [2],
                "StatusDescriptions": ["OK"], "HealthState": 5, "EnabledState": 5, "RequestedState": 12,
                "EnabledDefault": 2, "ResetCapability": 5, "MaxVMQOffloads": 0, "MaxIOVOffloads": 0}


def switch_instance(made):
    return Inst(SWITCH_CLASS, _SWITCH_BASE, {"Name": made.id, "ElementName": made.name,
                                             "InstallDate": cimtime.cim(made.created)}, made)


@host_source("Msvm_VirtualEthernetSwitch")
def _switches(host):
    return [switch_instance(s) for s in host.switches.values()]


@host_source("Msvm_VirtualEthernetSwitchSettingData")
def _switch_settings(host):
    return [s.setting for s in host.switches.values()]


_PORT = device_base("Msvm_EthernetSwitchPort", SystemCreationClassName="Msvm_VirtualEthernetSwitch", FullDuplex=True)


def switch_port(made, setting):
    """The port that a connection stands for: of the switch itself or of a VM's adapter."""
    ident = setting.over["InstanceID"]
    return Inst(_PORT[0], _PORT[1], {
        "SystemName": made.id, "DeviceID": ident, "Name": ident.rsplit("\\", 2)[1] if ident.endswith("\\C")
        else ident.rsplit("\\", 1)[1], "ElementName": setting.get("ElementName")}, made)


@host_source("Msvm_EthernetSwitchPort")
def _switch_ports(host):
    rows = []
    for made in host.switches.values():
        rows += [switch_port(made, p) for p in made.ports]
    return rows


@vm_source("Msvm_EthernetSwitchPort")
def _vm_ports(vm):
    rows = []
    if vm.started is not None:
        for setting in vm.of("allocation"):
            made = build.switch_of(vm, setting)
            if made:
                rows.append(switch_port(made, setting))
    return rows


_EXTERNAL = device_base("Msvm_ExternalEthernetPort", EnabledState=5, LinkTechnology=2, FullDuplex=True, AutoSense=True,
                        ActiveMaximumTransmissionUnit=1500, SupportedMaximumTransmissionUnit=1500, MaxDataSize=1500,
                        PortNumber=0, PortType=53, UsageRestriction=4, Status="OK", AdditionalAvailability=None)
_INTERNAL = device_base("Msvm_InternalEthernetPort", EnabledState=5, FullDuplex=True)


def external_port(host, nic):
    return Inst(_EXTERNAL[0], base_of(host.language, _EXTERNAL[1]), {
        "SystemName": host.name, "DeviceID": f"Microsoft:{{{nic.guid}}}", "ElementName": nic.description,
        "Name": nic.description, "PermanentAddress": nic.mac, "NetworkAddresses": [nic.mac], "Speed": nic.speed,
        "MaxSpeed": nic.speed, "RequestedSpeed": nic.speed, "IsBound": nic.bound, "EnabledState": 2 if nic.up else 3}, nic)


@host_source("Msvm_ExternalEthernetPort")
def _external_ports(host):
    return [external_port(host, n) for n in host.nics]


@host_source("Msvm_InternalEthernetPort")
def _internal_ports(host):
    return [internal_port(host, s.internal) for s in host.switches.values() if s.internal]


def internal_port(host, nic):
    return Inst(_INTERNAL[0], _INTERNAL[1], {
        "SystemName": host.name, "DeviceID": f"Microsoft:{nic.guid}", "ElementName": nic.name.split("(", 1)[1].rstrip(")"),
        "Name": nic.name, "PermanentAddress": nic.mac, "NetworkAddresses": [nic.mac], "Speed": nic.speed,
        "MaxSpeed": nic.speed}, nic)


def nothing(_):
    return []
