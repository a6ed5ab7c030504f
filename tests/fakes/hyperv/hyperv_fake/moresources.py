# SPDX-License-Identifier: Apache-2.0
"""Further instances of the virtualization namespace: host settings, pools, NUMA, metrics, security, boot sources,
replication, collections, consoles, endpoints."""

from . import build, cimtime, power, sources
from .inst import Inst
from .model import RUNNING
from .schema import cls
from .sources import device_base, host_source, vm_source


def register():
    """Importing this module registers its sources; calling it says that this is wanted."""


def own(name, instance_id, values, obj, changed=()):
    found = cls(name)
    over = {"InstanceID": instance_id, **values, **dict(changed)}
    return Inst(found, found.texts, {k: v for k, v in over.items() if k.lower() in found.by_lower}, obj)


@host_source("Msvm_VirtualSystemManagementServiceSettingData")
def service_settings(host):
    if not host.visible:
        return []
    return [own("Msvm_VirtualSystemManagementServiceSettingData", f"Microsoft:{host.name}", {
        "DefaultExternalDataRoot": "D:\\VMs", "DefaultVirtualHardDiskPath": "D:\\VMs\\Virtual Hard Disks",
        "MinimumMacAddress": f"00155D{host.index & 0xFF:02X}0000", "MaximumMacAddress": f"00155D{host.index & 0xFF:02X}FFFF",
        "NumaSpanningEnabled": True, "PrimaryOwnerName": "Administrators", "PrimaryOwnerContact": "",
        "BiosLockString": "", "HbaLunTimeout": 30, "MinimumWWPNAddress": "C003FF0000FF0000",
        "MaximumWWPNAddress": "C003FF0000FFFFFF", "CurrentWWNNAddress": "C003FF0000FFFF00",
        "DefaultVirtualHardDiskCachingMode": 0, "HypervisorRootSchedulerEnabled": False,
        "EnhancedSessionModeEnabled": False}, host, host.service_setting)]


@host_source("Msvm_VirtualSystemMigrationServiceSettingData")
def migration_settings(host):
    if not host.visible:
        return []
    return [own("Msvm_VirtualSystemMigrationServiceSettingData", f"Microsoft:{host.name}\\Migration", {
        "ElementName": "Hyper-V Migration Service", "EnableVirtualSystemMigration": True,
        "MaximumActiveVirtualSystemMigration": 2, "MaximumActiveStorageMigration": 2, "AuthenticationType": 1,
        "EnableCompression": True, "EnableSmbTransport": False}, host, host.migration_setting)]


@host_source("Msvm_VirtualSystemMigrationNetworkSettingData")
def migration_networks(host):
    return [own("Msvm_VirtualSystemMigrationNetworkSettingData", f"Microsoft:{host.name}\\Migration\\{host.nics[0].address}", {
        "SubnetNumber": host.nics[0].address.rsplit(".", 1)[0] + ".0", "PrefixLength": 24, "Metric": 5000,
        "Tags": ["Microsoft:UserManagedAllNetworks"]}, host)]


@host_source("Msvm_MetricServiceSettingData")
def metric_settings(host):
    return [own("Msvm_MetricServiceSettingData", f"Microsoft:{host.name}\\Metric", {
        "MetricsFlushInterval": "00000000010000.000000:000"}, host, host.metric_settings)]


@host_source("Msvm_ReplicationServiceSettingData")
def replication_settings(host):
    return [own("Msvm_ReplicationServiceSettingData", f"Microsoft:{host.name}\\Replication", {
        "RecoveryServerEnabled": False, "AllowedAuthenticationType": 0, "HttpPort": 80, "HttpsPort": 443,
        "MonitoringInterval": 43200}, host, host.replication_setting)]


@host_source("Msvm_TerminalServiceSettingData")
def terminal_settings(host):
    return [own("Msvm_TerminalServiceSettingData", f"Microsoft:{host.name}\\Terminal", {
        "ListenerPort": 2179, "DisableSelfSignedCertificateGeneration": False, "AuthCertificateHash": [1, 2, 3, 4],
        "TrustedIssuerCertificateHashes": [], "AllowedHashAlgorithms": []}, host, host.terminal_setting)]


@host_source("Msvm_VirtualSystemManagementCapabilities")
def management_capabilities(host):
    return [own("Msvm_VirtualSystemManagementCapabilities", f"Microsoft:{host.name}\\Capabilities", {
        "ElementNameEditSupported": True, "MaxElementNameLen": None, "VirtualSystemTypesSupported": [
            "Microsoft:Hyper-V:System:Realized"], "SynchronousMethodsSupported": [1, 2],
        "AsynchronousMethodsSupported": [1, 2, 3, 4], "IndicationsSupported": [], "RequestedStatesSupported": None}, host)]


@host_source("Msvm_VirtualSystemMigrationCapabilities")
def migration_capabilities(host):
    return [own("Msvm_VirtualSystemMigrationCapabilities", f"Microsoft:{host.name}\\MigrationCapabilities", {}, host)]


# Pools, with the capabilities that lead to the default settings

_POOLS = (("processor", "Processor", 3), ("memory", "Memory", 4), ("scsi", "Synthetic SCSI Controller", 6),
          ("disk_drive", "Synthetic Disk Drive", 17), ("dvd_drive", "Synthetic DVD Drive", 16),
          ("disk", "Virtual Hard Disk", 31), ("iso", "Virtual CD/DVD Disk", 31), ("nic", "Synthetic Ethernet Port", 10),
          ("legacy_nic", "Emulated Ethernet Port", 10), ("ide", "Emulated IDE Controller", 5),
          ("allocation", "Ethernet Connection", 33))


def _pool(host, kind, name, number):
    running = [v for v in host.vms.values() if v.started is not None]
    values = {"PoolID": "", "Primordial": True, "ResourceType": number, "ResourceSubType": f"Microsoft:Hyper-V:{name}",
              "ElementName": "Primordial", "Name": name, "HealthState": 5, "OperationalStatus": [2]}
    if kind == "memory":
        values.update({"Capacity": host.memory >> 20, "Reserved": sum(power.memory_mb(v) for v in running),
                       "AllocationUnits": "byte * 2^20"})
    if kind == "processor":
        values.update({"Capacity": host.cpus, "Reserved": 0, "AllocationUnits": "percent / 1000"})
    known = "Msvm_ProcessorPool" if kind == "processor" else "Msvm_ResourcePool"
    return own(known, f"Microsoft:{kind.upper()}-POOL\\Root", values, kind)


@host_source("Msvm_ResourcePool")
def pools(host):
    return [_pool(host, *row) for row in _POOLS if row[0] != "processor"]


@host_source("Msvm_ProcessorPool")
def processor_pool(host):
    return [_pool(host, *_POOLS[0])]


@host_source("Msvm_AllocationCapabilities")
def allocation_capabilities(_host):
    return [own("Msvm_AllocationCapabilities", f"Microsoft:{kind.upper()}-CAPABILITIES", {
        "ResourceType": number, "ResourceSubType": f"Microsoft:Hyper-V:{name}", "RequestTypesSupported": 2,
        "SharingMode": 3, "ElementName": f"{name} capabilities"}, kind) for kind, name, number in _POOLS]


_NUMA = cls("Msvm_NumaNode")


@host_source("Msvm_NumaNode")
def numa_nodes(host):
    return [Inst(_NUMA, _NUMA.texts, {
        "InstanceID": f"Microsoft:{host.name}\\Numa\\{n}", "SystemCreationClassName": "Msvm_ComputerSystem",
        "SystemName": host.name, "CreationClassName": "Msvm_NumaNode", "NodeID": f"Microsoft:PhysicalNode\\{n}",
        "ElementName": f"NUMA node {n}", "NumberOfProcessorCores": host.cpus // 4, "NumberOfLogicalProcessors": host.cpus // 2,
        "CurrentlyConsumableMemoryBlocks": host.memory >> 21, "HealthState": 5, "EnabledState": 2,
        "OperationalStatus": [2]}, host) for n in range(2)]


# Physical disks of the host, for pass-through

_DRIVE = device_base("Msvm_DiskDrive", ElementName="Disk Drive")


@host_source("Msvm_DiskDrive")
def host_drives(host):
    return [Inst(_DRIVE[0], _DRIVE[1], {"SystemName": host.name, "DeviceID": f"Microsoft:{host.uuid}\\{n}", "DriveNumber": n,
                                        "ElementName": f"Disk {n} {v.size >> 30}.00 GB Bus 0 Lun 0 Target {n}",
                                        "MaxMediaSize": v.size >> 10}, v) for n, v in enumerate(host.volumes)]


@host_source("Msvm_MountedStorageImage")
def mounted(host):
    return list(host.mounted.values())


# Boot sources of generation 2

@vm_source("Msvm_BootSourceSettingData")
def boot_sources(vm):
    if vm.generation != 2:
        return []
    rows = []
    for number, setting in enumerate(build.bootable(vm)):
        nic = sources.kind_of(setting) == "nic"
        kind = sources.kind_of(setting)
        rows.append(own("Msvm_BootSourceSettingData", setting.id + "\\B", {
            "BootSourceType": 2 if nic else 1, "ElementName": setting.get("ElementName"),
            "BootSourceDescription": "EFI Network" if nic else "EFI SCSI Device",
            "FirmwareDevicePath": "\\AcpiEx(VMBus,0,0)\\VenHw(9B17E5A2-0891-42DD-B653-80B5C22809BA)\\" +
            (f"MAC({setting.get('Address')},0)" if nic else f"Scsi(0,{setting.get('AddressOnParent')})"),
            "OtherLocation": None, "Caption": f"{kind} {number}"}, setting))
    return rows


# Security of generation 2

@vm_source("Msvm_SecuritySettingData")
def security(vm):
    if vm.generation != 2:
        return []
    values = {"ElementName": "Security", "TpmEnabled": False, "KsdEnabled": False, "ShieldingRequested": False,
              "DataProtectionRequested": False, "EncryptStateAndVmMigrationTraffic": False,
              "VirtualizationBasedSecurityOptOut": False}
    changed = {k: v for k, v in (vm.security or {}).items() if k != "key_protector"}
    return [own("Msvm_SecuritySettingData", f"Microsoft:{vm.id}\\EC8B4B4F-1E5A-4C7B-9A57-2D3B0A6F1044", values, vm, changed)]


# Metrics

METRICS = [
    {"Id": "Microsoft:Hyper-V:CPU:Average", "ElementName": "Aggregated Average CPU Utilization", "Units": "megahertz", "agg": True},
    {"Id": "Microsoft:Hyper-V:Memory:Average", "ElementName": "Aggregated Average Memory Utilization", "Units": "megabytes",
     "agg": True},
    {"Id": "Microsoft:Hyper-V:Memory:Maximum", "ElementName": "Aggregated Maximum Memory Utilization", "Units": "megabytes",
     "agg": True},
    {"Id": "Microsoft:Hyper-V:Memory:Minimum", "ElementName": "Aggregated Minimum Memory Utilization", "Units": "megabytes",
     "agg": True},
    {"Id": "Microsoft:Hyper-V:Disk:Maximum", "ElementName": "Aggregated Disk Allocation", "Units": "megabytes", "agg": True},
    {"Id": "Microsoft:Hyper-V:Disk:Normalized", "ElementName": "Aggregated Average Normalized Disk Throughput",
     "Units": "count per second", "agg": True},
    {"Id": "Microsoft:Hyper-V:Disk:Latency", "ElementName": "Aggregated Average Disk Latency", "Units": "microseconds",
     "agg": True},
    {"Id": "Microsoft:Hyper-V:Disk:Read", "ElementName": "Aggregated Disk Data Read", "Units": "megabytes", "agg": True},
    {"Id": "Microsoft:Hyper-V:Disk:Written", "ElementName": "Aggregated Disk Data Written", "Units": "megabytes", "agg": True},
    {"Id": "Microsoft:Hyper-V:Network:Incoming", "ElementName": "Aggregated Filtered Incoming Network Traffic",
     "Units": "megabytes", "agg": True},
    {"Id": "Microsoft:Hyper-V:Network:Outgoing", "ElementName": "Aggregated Filtered Outgoing Network Traffic",
     "Units": "megabytes", "agg": True},
]


def metric_definition(row):
    found = cls("Msvm_AggregationMetricDefinition")
    return Inst(found, found.texts, {"Id": row["Id"], "InstanceID": row["Id"], "ElementName": row["ElementName"],
                                     "Caption": row["ElementName"], "Name": row["ElementName"], "Units": row["Units"],
                                     "DataType": 14, "Calculable": 3, "IsContinuous": True, "ChangeType": 4, "TimeScope": 3,
                                     "GatheringType": 3, "SimpleFunction": 2}, row)


@host_source("Msvm_AggregationMetricDefinition")
def definitions(_host):
    return [metric_definition(row) for row in METRICS]


def metric_number(vm, row):
    size = power.memory_mb(vm)
    seed = int(vm.id[:6], 16)
    what = row["Id"].split(":", 2)[2]
    disks = [d for r in vm.of("disk") for d in vm.host.chain((r.get("HostResource") or [""])[0])]
    on = vm.state == RUNNING
    return {"CPU:Average": sources.load_of(vm) * 20, "Memory:Average": size if on else 0, "Memory:Maximum": size,
            "Memory:Minimum": size // 2, "Disk:Maximum": sum(d.size for d in disks) >> 20,
            "Disk:Normalized": seed % 400 if on else 0, "Disk:Latency": seed % 900 if on else 0,
            "Disk:Read": seed % 5000, "Disk:Written": seed % 3000, "Network:Incoming": seed % 2000,
            "Network:Outgoing": seed % 1000}[what]


@vm_source("Msvm_AggregationMetricValue")
def metric_values(vm):
    rows = []
    now = cimtime.now()
    for row in METRICS:
        since = (vm.metrics or {}).get(row["Id"])
        if since is None:
            continue
        rows.append(own("Msvm_AggregationMetricValue", f"Microsoft:{vm.id}\\{row['Id'].split(':', 1)[1]}", {
            "MetricDefinitionId": row["Id"], "ElementName": row["ElementName"], "MeasuredElementName": vm.name,
            "TimeStamp": cimtime.cim(now), "Duration": cimtime.interval(now - since), "MetricValue":
            str(metric_number(vm, row)), "Volatile": False, "AggregationTimeStamp": cimtime.cim(now),
            "AggregationDuration": cimtime.interval(now - since)}, vm))
    return rows


# Replication

_REPLICATION = cls("Msvm_ReplicationRelationship")


@vm_source("Msvm_ReplicationRelationship")
def relationships(vm):
    if vm.replication is None:
        return []
    values = {"ReplicationState": vm.replication["state"], "ReplicationHealth": vm.replication["health"],
              "ReplicationMode": vm.replication["mode"], "LastReplicationTime": cimtime.cim(vm.replication.get("last", vm.created)),
              "FailedOverReplicationType": 0, "LastReplicationType": 1, "ElementName": vm.name}
    over = {"InstanceID": f"Microsoft:{vm.id}\\0", **values}
    return [Inst(_REPLICATION, _REPLICATION.texts, {k: v for k, v in over.items() if k.lower() in _REPLICATION.by_lower}, vm)]


@vm_source("Msvm_ReplicationSettingData")
def replication_setting(vm):
    if vm.replication is None:
        return []
    return [own("Msvm_ReplicationSettingData", f"Microsoft:{vm.id}\\Replication\\0", {
        "RecoveryConnectionPoint": vm.replication.get("server", "replica.example"), "RecoveryServerPortNumber": 80,
        "AuthenticationType": 1, "ReplicationInterval": 300, "CompressionEnabled": True,
        "VirtualSystemIdentifier": vm.id}, vm)]


# Collections

def collection(made):
    found = cls("Msvm_ManagementCollection" if made.management else "Msvm_VirtualSystemCollection")
    return Inst(found, found.texts, {"CollectionID": made.id, "ElementName": made.name}, made)


@host_source("Msvm_VirtualSystemCollection")
def vm_collections(host):
    return [collection(c) for c in host.collections.values() if not c.management]


@host_source("Msvm_ManagementCollection")
def management_collections(host):
    return [collection(c) for c in host.collections.values() if c.management]


# LAN endpoints: the adapter's and the port's, connected to each other

_ENDPOINT = device_base("Msvm_LANEndpoint", Connected=True)


def endpoints(vm):
    """(adapter endpoint, port endpoint, adapter setting, port) of connected adapters of a running VM."""
    rows = []
    if vm.started is None:
        return rows
    for setting in vm.of("allocation"):
        made = build.switch_of(vm, setting)
        nic = next((n for n in vm.of("nic") + vm.of("legacy_nic") if setting in vm.children(n)), None)
        if made is None or nic is None:
            continue
        mac = nic.get("Address")
        rows.append((Inst(_ENDPOINT[0], _ENDPOINT[1], {"SystemName": vm.id, "Name": nic.id, "ElementName": nic.get("ElementName"),
                                                       "MACAddress": mac}, vm),
                     Inst(_ENDPOINT[0], _ENDPOINT[1], {"SystemCreationClassName": "Msvm_VirtualEthernetSwitch",
                                                       "SystemName": made.id, "Name": setting.id, "ElementName": made.name,
                                                       "MACAddress": mac}, vm), nic, sources.switch_port(made, setting)))
    return rows


@vm_source("Msvm_LANEndpoint")
def lan_endpoints(vm):
    return [e for row in endpoints(vm) for e in row[:2]]


@vm_source("Msvm_VideoHead")
def video_heads(vm):
    if vm.state != RUNNING:
        return []
    return [Inst(_HEAD[0], _HEAD[1], {"SystemName": vm.id, "DeviceID": f"Microsoft:{vm.id}\\Head\\0",
                                      "CurrentHorizontalResolution": 1024, "CurrentVerticalResolution": 768,
                                      "CurrentBitsPerPixel": 32}, vm)]


_HEAD = device_base("Msvm_VideoHead", ElementName="Video Head")


@vm_source("Msvm_GuestFileService")
def guest_file_service(vm):
    guest = vm.of("guest")
    if not vm.guest_alive() or not guest or guest[0].get("EnabledState") != 2:
        return []
    found = cls("Msvm_GuestFileService")
    return [Inst(found, found.texts, {"CreationClassName": "Msvm_GuestFileService", "Name": "Guest File Service",
                                      "SystemCreationClassName": "Msvm_ComputerSystem", "SystemName": vm.id, "Started": True,
                                      "Status": "OK"}, vm)]


@vm_source("Msvm_SummaryInformation")
def summaries(vm):
    from .methods_summary import ALWAYS, REQUEST, SUMMARY, values
    if vm.planned:
        return []
    wanted = {n for names in REQUEST.values() for n in names} | set(ALWAYS)
    wanted -= {"ThumbnailImage", "Snapshots", "AsynchronousTasks"}
    return [Inst(SUMMARY, _NONE, values(vm, wanted), vm)]


_NONE = {}
