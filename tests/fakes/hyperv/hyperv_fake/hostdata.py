# SPDX-License-Identifier: Apache-2.0
"""Host data: root/cimv2 and root/standardcimv2."""

from . import cimtime, power, sources
from .inst import Inst
from .schema import CIMV2, STANDARD, cls
from .texts import OS_NAMES, local

CIMV2_SOURCES = {}
STANDARD_SOURCES = {}
_bases = {}


def _register(table, namespace, *names):
    def register(function):
        for name in names:
            table[name] = lambda host, n=name: [make(namespace, n, row) for row in function(host)]
        return function
    return register


def cim(*names):
    return _register(CIMV2_SOURCES, CIMV2, *names)


def standard(*names):
    return _register(STANDARD_SOURCES, STANDARD, *names)


def make(namespace, name, values):
    found = cls(name, namespace)
    base = _bases.setdefault((namespace, name), {})
    known = found.by_lower
    return Inst(found, base, {k: v for k, v in values.items() if k.lower() in known}, values.get("obj"))


def memory_in_use(host) -> int:
    used = 4 << 30
    for vm in host.vms.values():
        if vm.started is not None:
            used += power.memory_mb(vm) << 20
    return min(used, host.memory - (1 << 30))


@cim("Win32_OperatingSystem")
def _os(host):
    total, used = host.memory >> 10, memory_in_use(host) >> 10
    lcid, country, code = OS_NAMES.get(host.language, OS_NAMES["en-US"])
    return [{
        "BootDevice": "\\Device\\HarddiskVolume1", "BuildNumber": host.build["number"], "BuildType": "Multiprocessor Free",
        "Caption": host.build["os"], "CodeSet": "1252", "CountryCode": country.lstrip("0"), "CreationClassName":
        "Win32_OperatingSystem", "CSCreationClassName": "Win32_ComputerSystem", "CSName": host.name, "CurrentTimeZone": 60,
        "Debug": False, "Description": "", "Distributed": False, "EncryptionLevel": 256, "FreePhysicalMemory": total - used,
        "FreeVirtualMemory": total - used, "InstallDate": "20240115103000.000000+060",
        "LastBootUpTime": cimtime.cim(host.booted), "LocalDateTime": cimtime.cim(cimtime.now()), "Locale": code,
        "Manufacturer": "Microsoft Corporation", "MaxNumberOfProcesses": 4294967295, "MUILanguages": [host.language],
        "Name": f"{host.build['os']}|C:\\Windows|\\Device\\Harddisk0\\Partition4", "NumberOfProcesses": 112,
        "NumberOfUsers": 2, "OperatingSystemSKU": 8, "OSArchitecture": "64-bit", "OSLanguage": int(lcid),
        "OSProductSuite": 400, "OSType": 18, "Primary": True, "ProductType": host.build.get("product", 3), "RegisteredUser": "Windows User",
        "SerialNumber": "00454-60000-00001-AA113", "ServicePackMajorVersion": 0, "ServicePackMinorVersion": 0,
        "SizeStoredInPagingFiles": 4194304, "Status": "OK", "SuiteMask": 400, "SystemDevice": "\\Device\\HarddiskVolume4",
        "SystemDirectory": "C:\\Windows\\system32", "SystemDrive": "C:", "TotalVirtualMemorySize": total + 4194304,
        "TotalVisibleMemorySize": total, "Version": f"{host.build.get('nt', '10.0')}.{host.build['number']}", "WindowsDirectory": "C:\\Windows"}]


@cim("Win32_ComputerSystem")
def _computer(host):
    joined = host.domain != "WORKGROUP"
    return [{
        "Name": host.name, "Caption": host.name, "DNSHostName": host.name, "Domain": host.domain,
        "DomainRole": 3 if joined else 2, "PartOfDomain": joined, "Workgroup": None if joined else host.domain,
        "Manufacturer": host.maker, "Model": host.machine, "NumberOfLogicalProcessors": host.cpus,
        "NumberOfProcessors": 2, "TotalPhysicalMemory": host.memory, "HypervisorPresent": True, "BootupState": "Normal boot",
        "CreationClassName": "Win32_ComputerSystem", "Description": "AT/AT COMPATIBLE", "Status": "OK",
        "SystemType": "x64-based PC", "PowerState": 0, "PCSystemType": 4, "Roles": ["LM_Workstation", "LM_Server", "NT",
                                                                                   "Server_NT"],
        "UserName": None, "ThermalState": 3, "PrimaryOwnerName": "Windows User", "CurrentTimeZone": 60,
        "SystemFamily": host.machine, "SystemSKUNumber": host.serial}]


@cim("Win32_ComputerSystemProduct")
def _product(host):
    return [{"Caption": "Computer System Product", "Description": "Computer System Product",
             "IdentifyingNumber": host.serial, "Name": host.machine, "UUID": host.uuid, "Vendor": host.maker,
             "Version": "1.0"}]


@cim("Win32_Processor")
def _processors(host):
    load = host_load(host)
    half = host.cpus // 2
    return [{
        "DeviceID": f"CPU{n}", "Name": host.processor, "Caption": "Intel64 Family 6 Model 106 Stepping 6",
        "Manufacturer": "GenuineIntel", "NumberOfCores": half // 2 or 1, "NumberOfEnabledCore": half // 2 or 1,
        "NumberOfLogicalProcessors": half, "MaxClockSpeed": 2000, "CurrentClockSpeed": 2000, "LoadPercentage": load,
        "SocketDesignation": f"CPU {n}", "AddressWidth": 64, "DataWidth": 64, "Architecture": 9, "Availability": 3,
        "CreationClassName": "Win32_Processor", "SystemName": host.name, "ProcessorId": "BFEBFBFF000606A6",
        "Role": "CPU", "Status": "OK", "StatusInfo": 3, "SecondLevelAddressTranslationExtensions": False,
        "VirtualizationFirmwareEnabled": False, "VMMonitorModeExtensions": False, "ThreadCount": half} for n in range(2)]


def host_load(host) -> int:
    used = sum(sources.load_of(v) * v.of("processor")[0].get("VirtualQuantity", 1) for v in host.vms.values()
               if v.started is not None and v.of("processor"))
    return max(1, min(100, 2 + used // max(1, host.cpus)))


@cim("Win32_LogicalDisk")
def _logical_disks(host):
    return [{
        "DeviceID": f"{v.letter}:", "Name": f"{v.letter}:", "Caption": f"{v.letter}:", "DriveType": 3, "FileSystem":
        "ReFS" if v.letter == "D" else "NTFS", "FreeSpace": v.free, "Size": v.size, "VolumeName": v.label,
        "Description": local(host.language, "Local Fixed Disk"), "CreationClassName": "Win32_LogicalDisk",
        "SystemName": host.name, "SystemCreationClassName": "Win32_ComputerSystem", "MediaType": 12, "Access": 0,
        "VolumeSerialNumber": v.guid[:8].upper(), "VolumeDirty": False, "Compressed": False,
        "MaximumComponentLength": 255} for v in host.volumes if v.letter] + [{
            "DeviceID": "Z:", "Name": "Z:", "Caption": "Z:", "DriveType": 5, "Description": "CD-ROM Disc",
            "CreationClassName": "Win32_LogicalDisk", "SystemName": host.name, "MediaType": 11}]


@cim("Win32_Volume")
def _volumes(host):
    rows = []
    for v in host.volumes:
        rows.append({
            "DeviceID": f"\\\\?\\Volume{{{v.guid}}}\\", "DriveLetter": f"{v.letter}:" if v.letter else None,
            "Name": f"{v.letter}:\\" if v.letter else v.cluster_name or f"\\\\?\\Volume{{{v.guid}}}\\", "Label": v.label,
            "Capacity": v.size, "FreeSpace": v.free, "BlockSize": 4096, "DriveType": 3,
            "FileSystem": "CSVFS" if v.cluster_name else "NTFS", "BootVolume": v.letter == "C",
            "SystemVolume": False, "SystemName": host.name, "Automount": True, "DirtyBitSet": False})
    return rows


SERVICES = (("vmms", "Hyper-V Virtual Machine Management", True), ("vmcompute", "Hyper-V Host Compute Service", True),
            ("WinRM", "Windows Remote Management (WS-Management)", True), ("nvspwmi", "Hyper-V Networking", True),
            ("MSiSCSI", "Microsoft iSCSI Initiator Service", False), ("W32Time", "Windows Time", True),
            ("ClusSvc", "Cluster Service", None))


def service_now(host, name, state, mode):
    """As somebody made it; a change of state takes a moment."""
    own = host.services.get(name)
    if own is None:
        return state, mode
    pending = own.get("until") and cimtime.now() < own["until"]
    return own["pending"] if pending else state if name == "vmms" else own["state"], own["mode"]


@cim("Win32_Service")
def _services(host):
    rows = []
    for number, (name, shown, running) in enumerate(SERVICES):
        if running is None:
            if host.cluster is None:
                continue
            running = True
        if name in ("vmms", "nvspwmi"):
            running = host.vmms_running
        mode = "Auto" if running else "Manual"
        state, mode = service_now(host, name, "Running" if running else "Stopped", mode)
        running = state != "Stopped"
        rows.append({
            "Name": name, "DisplayName": local(host.language, shown), "Caption": local(host.language, shown), "Started": running,
            "State": state, "StartMode": mode, "Status": "OK",
            "StartName": "LocalSystem", "ProcessId": 1000 + number * 4 if running else 0, "AcceptStop": running,
            "AcceptPause": False, "ServiceType": "Own Process", "SystemName": host.name,
            "CreationClassName": "Win32_Service", "SystemCreationClassName": "Win32_ComputerSystem", "ExitCode": 0,
            "PathName": f"C:\\Windows\\system32\\{name}.exe", "DesktopInteract": False, "ErrorControl": "Normal"})
    return rows


@cim("Win32_BIOS")
def _bios(host):
    return [{"Name": "2.19.1", "Caption": "2.19.1", "Manufacturer": host.maker, "SerialNumber": host.serial,
             "SMBIOSBIOSVersion": "2.19.1", "SMBIOSMajorVersion": 3, "SMBIOSMinorVersion": 3, "SMBIOSPresent": True,
             "ReleaseDate": "20230606000000.000000+000", "PrimaryBIOS": True, "SoftwareElementID": "2.19.1",
             "SoftwareElementState": 3, "TargetOperatingSystem": 0, "Version": f"{host.maker.upper()} - 2", "Status": "OK",
             "BIOSVersion": [f"{host.maker.upper()} - 2", "2.19.1"]}]


def _colons(mac):
    return ":".join(mac[k:k + 2] for k in range(0, 12, 2))


def adapters(host):
    return host.nics + [s.internal for s in host.switches.values() if s.internal]


@cim("Win32_NetworkAdapter")
def _adapters(host):
    return [{
        "DeviceID": str(n.index), "Index": n.index, "InterfaceIndex": n.index, "GUID": f"{{{n.guid}}}", "Name": n.description,
        "Description": n.description, "ProductName": n.description, "MACAddress": _colons(n.mac),
        "NetConnectionID": n.name, "NetConnectionStatus": 2 if n.up else 7, "NetEnabled": n.up, "PhysicalAdapter": True,
        "Speed": n.speed, "AdapterType": "Ethernet 802.3", "AdapterTypeID": 0, "Installed": True, "SystemName": host.name,
        "Manufacturer": "Microsoft" if n.internal else "Intel", "CreationClassName": "Win32_NetworkAdapter",
        "Caption": f"[{n.index:08d}] {n.description}", "Availability": 3} for n in adapters(host)]


@cim("Win32_NetworkAdapterConfiguration")
def _configurations(host):
    return [{
        "Index": n.index, "InterfaceIndex": n.index, "Caption": f"[{n.index:08d}] {n.description}", "Description":
        n.description, "SettingID": f"{{{n.guid}}}", "MACAddress": _colons(n.mac), "IPEnabled": bool(n.address) and n.up,
        "IPAddress": [n.address] if n.address and n.up else None, "IPSubnet": ["255.255.255.0"] if n.address else None,
        "DefaultIPGateway": None, "DHCPEnabled": False, "DNSHostName": host.name,
        "DNSDomain": "" if host.domain == "WORKGROUP" else host.domain} for n in adapters(host)]


@cim("Win32_PhysicalMemory")
def _dimms(host):
    count = 8
    return [{
        "Tag": f"Physical Memory {n}", "CreationClassName": "Win32_PhysicalMemory", "Capacity": host.memory // count,
        "DeviceLocator": f"DIMM_A{n + 1}", "BankLabel": f"BANK {n}", "Manufacturer": "Contoso", "Speed": 3200,
        "ConfiguredClockSpeed": 3200, "FormFactor": 8, "MemoryType": 0, "SMBIOSMemoryType": 26, "DataWidth": 64,
        "TotalWidth": 72, "SerialNumber": f"{host.index:04X}{n:04X}", "PartNumber": "M393A8G40AB2"} for n in range(count)]


@cim("Win32_DiskDrive")
def _drives(host):
    return [{
        "DeviceID": f"\\\\.\\PHYSICALDRIVE{n}", "Name": f"\\\\.\\PHYSICALDRIVE{n}", "Index": n, "Model": "NVMe Contoso U.2",
        "Caption": "NVMe Contoso U.2", "Size": v.size, "InterfaceType": "SCSI", "MediaType": "Fixed hard disk media",
        "Partitions": 1, "SerialNumber": v.guid[:12].upper(), "Status": "OK", "BytesPerSector": 512, "SystemName": host.name,
        "CreationClassName": "Win32_DiskDrive", "TotalSectors": v.size // 512} for n, v in enumerate(host.volumes)]


@cim("Win32_QuickFixEngineering")
def _fixes(host):
    return [{"HotFixID": name, "Caption": f"http://support.microsoft.com/?kbid={name[2:]}", "CSName": host.name,
             "Description": "Update", "InstalledBy": "NT AUTHORITY\\SYSTEM", "InstalledOn": "10/14/2026",
             "ServicePackInEffect": ""} for name in ("KB5046616", "KB5044281")]


@cim("Win32_Process")
def _processes(host):
    rows = [{"Handle": str(1000 + k * 4), "ProcessId": 1000 + k * 4, "Name": name} for k, name in enumerate(
        ("System", "vmms.exe", "svchost.exe", "vmcompute.exe"))]
    for vm in host.vms.values():
        if vm.started is not None:
            rows.append({"Handle": str(vm.pid), "ProcessId": vm.pid, "Name": "vmwp.exe",
                         "CommandLine": f"vmwp.exe {vm.id}", "CreationDate": cimtime.cim(vm.started)})
    for row in rows:
        row.update({"Caption": row["Name"], "Description": row["Name"], "CSName": host.name, "CreationClassName":
                    "Win32_Process", "CSCreationClassName": "Win32_ComputerSystem", "OSName": host.build["os"],
                    "Priority": 8, "ThreadCount": 12})
    return rows


@cim("CIM_DataFile")
def _files(host):
    rows = []
    for disk in host.all_files():
        folder, _, name = disk.path.rpartition("\\")
        stem, _, extension = name.rpartition(".")
        rows.append({
            "obj": disk, "Name": disk.path.lower(), "Caption": disk.path.lower(), "Description": disk.path.lower(),
            "CreationClassName": "CIM_LogicalFile", "CSCreationClassName": "Win32_ComputerSystem", "CSName": host.name,
            "Drive": disk.path[:2].lower(), "FileName": stem.lower(), "Extension": extension.lower(),
            "FileSize": disk.used, "FileType": f"{extension} File", "FSName": "NTFS",
            "FSCreationClassName": "Win32_FileSystem", "Path": folder[2:].lower() + "\\", "Hidden": False, "Readable": True,
            "Writeable": True, "Archive": True, "System": False, "Status": "OK",
            "CreationDate": cimtime.cim(disk.stamp), "LastModified": cimtime.cim(disk.stamp),
            "LastAccessed": cimtime.cim(disk.stamp), "InstallDate": cimtime.cim(disk.stamp)})
    return rows


@cim("Win32_Directory")
def _folders(host):
    found = set(host.folders)
    for disk in host.all_files():
        parts = disk.path.split("\\")[:-1]
        for length in range(2, len(parts) + 1):
            found.add("\\".join(parts[:length]).lower())
    roots = [{"Name": f"{v.letter}:\\".lower(), "Drive": f"{v.letter}:".lower(), "FileName": "", "Status": "OK"}
             for v in host.volumes if v.letter]
    return roots + [
        {"Name": f, "Caption": f, "Description": f, "Drive": f[:2], "FileName": f.rsplit("\\", 1)[1],
         "Path": f.rsplit("\\", 1)[0][2:] + "\\", "Readable": True, "Writeable": True, "Status": "OK",
         "LastModified": cimtime.cim(host.booted), "CreationDate": cimtime.cim(host.booted)} for f in sorted(found)]


@cim("Win32_TimeZone")
def _zone(_host):
    return [{"Bias": 60, "StandardName": "W. Europe Standard Time", "DaylightName": "W. Europe Daylight Time",
             "Caption": "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna"}]


@cim("Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor")
def _hv_logical(host):
    load = host_load(host)
    return [{"Name": "_Total", "PercentTotalRunTime": load, "PercentGuestRunTime": load - 1,
             "PercentHypervisorRunTime": 1, "PercentIdleTime": 100 - load, "ContextSwitchesPersec": 20000}]


@cim("Win32_PerfFormattedData_HvStats_HyperVHypervisorRootVirtualProcessor")
def _hv_root(host):
    return [{"Name": "_Total", "PercentTotalRunTime": 2, "PercentGuestRunTime": 2, "PercentHypervisorRunTime": 0}]


@cim("Win32_PerfFormattedData_HvStats_HyperVHypervisorVirtualProcessor")
def _hv_virtual(host):
    rows = []
    for vm in host.vms.values():
        if vm.started is not None:
            for number in range(vm.of("processor")[0].get("VirtualQuantity", 1)):
                load = sources.load_of(vm)
                rows.append({"Name": f"{vm.name}:Hv VP {number}", "PercentTotalRunTime": load,
                             "PercentGuestRunTime": load, "PercentHypervisorRunTime": 0})
    return rows


@cim("Win32_PerfFormattedData_HvStats_HyperVHypervisor")
def _hv(host):
    running = [v for v in host.vms.values() if v.started is not None]
    return [{"Name": "_Total", "LogicalProcessors": host.cpus, "Partitions": 1 + len(running),
             "VirtualProcessors": sum(v.of("processor")[0].get("VirtualQuantity", 1) for v in running)}]


# What runs reads and sends at a constant rate, each disk and adapter of a VM more than the one before.
DISK_RATES = {"ReadBytesPersec": 3_000_000, "WriteBytesPersec": 1_000_000, "ReadOperationsPerSec": 400, "WriteOperationsPerSec": 150}
NIC_RATES = {"BytesReceivedPersec": 250_000, "BytesSentPersec": 90_000, "BytesPersec": 340_000, "PacketsReceivedPersec": 300,
             "PacketsSentPersec": 200, "PacketsPersec": 500, "DroppedPacketsIncomingPersec": 30, "DroppedPacketsOutgoingPersec": 20}
_FILETIME = 11644473600  # seconds from 1601 to 1970


def _counted(vm, number, rates):
    now = cimtime.now()
    return {**{name: int(rate * (number + 1) * (now - vm.started)) for name, rate in rates.items()},
            "Timestamp_Sys100NS": int((now + _FILETIME) * 1e7), "Frequency_Sys100NS": 10_000_000,
            "Timestamp_PerfTime": int(now * 1e7), "Frequency_PerfTime": 10_000_000, "Timestamp_Object": 0, "Frequency_Object": 0}


@cim("Win32_PerfRawData_Counters_HyperVVirtualStorageDevice")
def _disk_counters(host):
    return [{"Name": (disk.get("HostResource") or [""])[0].replace("\\", "-"), "ErrorCount": 0, "QueueLength": 0,
             **_counted(vm, number, DISK_RATES)}
            for vm in host.vms.values() if vm.started is not None for number, disk in enumerate(vm.of("disk"))]


@cim("Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter")
def _nic_counters(host):
    rows = [{"Name": f"{vm.name}_{nic.get('ElementName')}_{nic.id.removeprefix('Microsoft:').replace(chr(92), '--')}",
             **_counted(vm, number, NIC_RATES)}
            for vm in host.vms.values() if vm.started is not None for number, nic in enumerate(vm.of("nic"))]
    # The host's own, of which no VM has anything.
    return rows + [{"Name": f"{s.name}_Internal_{s.id}", "BytesReceivedPersec": 10 ** 12, "BytesSentPersec": 10 ** 12,
                    "Timestamp_Sys100NS": 1} for s in host.switches.values() if s.internal]


@cim("Win32_PerfFormattedData_PerfOS_Processor")
def _perf_cpu(host):
    load = host_load(host)
    return [{"Name": "_Total", "PercentProcessorTime": load, "PercentIdleTime": 100 - load, "PercentUserTime": 1,
             "PercentPrivilegedTime": 1}]


@cim("Win32_PerfFormattedData_PerfOS_Memory")
def _perf_memory(host):
    free = host.memory - memory_in_use(host)
    return [{"Name": "", "AvailableBytes": free, "AvailableMBytes": free >> 20, "CommittedBytes": host.memory - free}]


@cim("__NAMESPACE")
def _spaces(host):
    rows = [{"Name": "virtualization"}, {"Name": "StandardCimv2"}]
    return rows + ([{"Name": "MSCluster"}] if host.cluster else [])


@standard("MSFT_NetAdapter")
def _net_adapters(host):
    return [{
        "InstanceID": f"{{{n.guid}}}", "DeviceID": f"{{{n.guid}}}", "InterfaceGuid": f"{{{n.guid}}}", "Name": n.name,
        "ElementName": n.name, "InterfaceDescription": n.description, "InterfaceIndex": n.index,
        "MediaConnectState": 1 if n.up else 2, "InterfaceOperationalStatus": 1 if n.up else 2, "Speed": n.speed,
        "MaxSpeed": n.speed, "ReceiveLinkSpeed": n.speed if n.up else 0, "TransmitLinkSpeed": n.speed if n.up else 0,
        "MtuSize": 1500, "PermanentAddress": n.mac, "NetworkAddresses": [n.mac], "HardwareInterface": not n.internal,
        "Virtual": n.internal, "ConnectorPresent": not n.internal, "State": 2, "SystemName": host.name,
        "CreationClassName": "MSFT_NetAdapter", "SystemCreationClassName": "CIM_NetworkPort",
        "NdisPhysicalMedium": 14} for n in adapters(host)]


@standard("MSFT_NetIPAddress")
def _net_addresses(host):
    return [{"InstanceID": f"{n.index};{n.address}", "IPAddress": n.address, "InterfaceAlias": n.name, "InterfaceIndex":
             n.index, "AddressFamily": 2, "PrefixLength": n.prefix, "PrefixOrigin": 1, "SuffixOrigin": 1,
             "AddressState": 4, "SkipAsSource": False} for n in adapters(host) if n.address and n.up]
