# SPDX-License-Identifier: Apache-2.0
"""What instances of a kind share. Every instance holds only what differs from its template."""

from .schema import cls

MB = 1048576
HYPERV = "Microsoft:Hyper-V:"

PROCESSOR_ID = "b637f346-6a0e-4dec-af52-bd70cb80a21d\\0"
MEMORY_ID = "4764334d-e001-4176-82ee-5594ec9b530e"
IDE_ID = "83F8638B-8DCA-4152-9EDA-2CA8B33039B4"
FLOPPY_ID = "8F0D2762-0B00-4E04-AF4F-19010527CB93"
VIDEO_ID = "53E3C2A8-4F55-4C8B-9A9B-2B0C1B1F7C1D"
KEYBOARD_ID = "58F75A6D-D949-4320-99E1-A2A2576D581C"
MOUSE_ID = "D2C2E5B5-41F3-4C1D-9A57-1D2D3B0A6F10"
SERIAL_ID = "8E3A359F-559A-4B6A-98A9-1690A6100ED7"

SHUTDOWN_ID = "9F8233AC-BE49-4C79-8EE3-E7E1985B2077"
TIMESYNC_ID = "2497F4DE-E9FA-4204-80E4-4B75C46419C0"
HEARTBEAT_ID = "84EAAE65-2F2E-45F5-9BB5-0E857DC8EB47"
KVP_ID = "2A34B1C2-FD73-4043-8A5B-DD2159BC743F"
VSS_ID = "5CED1297-4598-4915-A5FC-AD21BB4D02A4"
GUEST_ID = "6C09BB55-D683-4DA0-8931-C9BF705F6480"

_COUNT = {"AllocationUnits": "count", "VirtualQuantity": 1, "Reservation": 1, "Limit": 1, "Weight": 0,
          "AutomaticAllocation": True, "AutomaticDeallocation": True, "ConsumerVisibility": 3,
          "VirtualQuantityUnits": "count", "PoolID": ""}

_RASD = {
    "processor": ("Msvm_ProcessorSettingData", {
        "ElementName": "Processor", "ResourceType": 3, "ResourceSubType": HYPERV + "Processor",
        "AllocationUnits": "percent / 1000", "VirtualQuantity": 1, "Reservation": 0, "Limit": 100000, "Weight": 100,
        "LimitCPUID": False, "HwThreadsPerCore": 0, "LimitProcessorFeatures": False, "MaxProcessorsPerNumaNode": 64,
        "MaxNumaNodesPerSocket": 1, "EnableHostResourceProtection": False,
        "CpuGroupId": "00000000-0000-0000-0000-000000000000", "HideHypervisorPresent": False,
        "ExposeVirtualizationExtensions": False}),
    "memory": ("Msvm_MemorySettingData", {
        "ElementName": "Memory", "Caption": "Memory", "Description": "Settings for Microsoft Virtual Machine Memory.",
        "ResourceType": 4, "ResourceSubType": HYPERV + "Memory", "AllocationUnits": "byte * 2^20",
        "VirtualQuantity": 1024, "Reservation": 512, "Limit": 1048576, "Weight": 5000,
        "VirtualQuantityUnits": "byte * 2^20", "DynamicMemoryEnabled": False, "TargetMemoryBuffer": 20,
        "IsVirtualized": True, "SwapFilesInUse": False, "MaxMemoryBlocksPerNumaNode": 65536, "SgxSize": 0,
        "SgxEnabled": False, "HugePagesEnabled": False}),
    "ide": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "IDE Controller", "Caption": "IDE Controller",
        "Description": "Settings for the Microsoft Emulated IDE Controller.", "ResourceType": 5,
        "ResourceSubType": HYPERV + "Emulated IDE Controller"}),
    "scsi": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "SCSI Controller", "Caption": "SCSI Controller",
        "Description": "Settings for the Microsoft Virtual SCSI Controller.", "ResourceType": 6,
        "ResourceSubType": HYPERV + "Synthetic SCSI Controller"}),
    "disk_drive": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "Hard Drive", "Caption": "Hard Drive",
        "Description": "Settings for the Microsoft Virtual Hard Drive.", "ResourceType": 17,
        "ResourceSubType": HYPERV + "Synthetic Disk Drive"}),
    "physical_drive": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "Physical Disk Drive", "Caption": "Physical Disk Drive",
        "Description": "Settings for the Microsoft Physical Disk Drive.", "ResourceType": 17,
        "ResourceSubType": HYPERV + "Physical Disk Drive"}),
    "dvd_drive": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "DVD Drive", "Caption": "DVD Drive",
        "Description": "Settings for the Microsoft Virtual DVD Drive.", "ResourceType": 16,
        "ResourceSubType": HYPERV + "Synthetic DVD Drive"}),
    "floppy_drive": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "Diskette Drive", "Caption": "Diskette Drive",
        "Description": "Settings for the Microsoft Virtual Diskette Drive.", "ResourceType": 14,
        "ResourceSubType": HYPERV + "Synthetic Diskette Drive"}),
    "disk": ("Msvm_StorageAllocationSettingData", {
        "ElementName": "Hard Disk Image", "Caption": "Hard Disk Image",
        "Description": "Settings for the Microsoft Hard Disk Image.", "ResourceType": 31,
        "ResourceSubType": HYPERV + "Virtual Hard Disk", "Access": 3, "CachingMode": 0, "IgnoreFlushes": False,
        "IOPSAllocationUnits": "count / 8192", "IOPSLimit": 0, "IOPSReservation": 0,
        "PersistentReservationsSupported": False, "WriteHardeningMethod": 0, "SnapshotId": "",
        "StorageQoSPolicyID": "00000000-0000-0000-0000-000000000000"}),
    "iso": ("Msvm_StorageAllocationSettingData", {
        "ElementName": "ISO Disk Image", "Caption": "ISO Disk Image",
        "Description": "Settings for the Microsoft ISO Disk Image.", "ResourceType": 31,
        "ResourceSubType": HYPERV + "Virtual CD/DVD Disk", "Access": 1, "CachingMode": 0, "IgnoreFlushes": False,
        "IOPSAllocationUnits": "count / 8192", "PersistentReservationsSupported": False}),
    "floppy": ("Msvm_StorageAllocationSettingData", {
        "ElementName": "Floppy Disk Image", "Caption": "Floppy Disk Image",
        "Description": "Settings for the Microsoft Floppy Disk Image.", "ResourceType": 31,
        "ResourceSubType": HYPERV + "Virtual Floppy Disk", "Access": 3}),
    "nic": ("Msvm_SyntheticEthernetPortSettingData", {
        "ElementName": "Network Adapter", "Caption": "Ethernet Port",
        "Description": "Settings for the Microsoft Synthetic Ethernet Port.", "ResourceType": 10,
        "ResourceSubType": HYPERV + "Synthetic Ethernet Port", "DeviceNamingEnabled": False,
        "AllowPacketDirect": False, "StaticMacAddress": False, "ClusterMonitored": True}),
    "legacy_nic": ("Msvm_EmulatedEthernetPortSettingData", {
        "ElementName": "Legacy Network Adapter", "Caption": "Ethernet Port",
        "Description": "Settings for the Microsoft Emulated Ethernet Port.", "ResourceType": 10,
        "ResourceSubType": HYPERV + "Emulated Ethernet Port", "StaticMacAddress": False, "ClusterMonitored": True}),
    "allocation": ("Msvm_EthernetPortAllocationSettingData", {
        "ElementName": "Dynamic Ethernet Switch Port", "ResourceType": 33,
        "ResourceSubType": HYPERV + "Ethernet Connection", "EnabledState": 2,
        "CompartmentGuid": "00000000-0000-0000-0000-000000000000"}),
    "display": ("Msvm_SyntheticDisplayControllerSettingData", {
        "ElementName": "Display Controller", "ResourceType": 24,
        "ResourceSubType": HYPERV + "Synthetic Display Controller", "HorizontalResolution": 1920,
        "VerticalResolution": 1080, "ResolutionType": 2}),
    "s3display": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "S3 Display Controller", "ResourceType": 24,
        "ResourceSubType": HYPERV + "S3 Display Controller"}),
    "keyboard": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "Keyboard", "ResourceType": 13, "ResourceSubType": HYPERV + "Virtual Keyboard"}),
    "mouse": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "Mouse", "ResourceType": 13, "ResourceSubType": HYPERV + "Synthetic Mouse"}),
    "serial_controller": ("Msvm_ResourceAllocationSettingData", {
        "ElementName": "Serial Controller", "ResourceType": 13, "ResourceSubType": HYPERV + "Serial Controller"}),
    "serial": ("Msvm_SerialPortSettingData", {
        "ElementName": "COM 1", "ResourceType": 21, "ResourceSubType": HYPERV + "Serial Port", "Connection": [""]}),
    "shutdown": ("Msvm_ShutdownComponentSettingData", {
        "ElementName": "Shutdown", "ResourceType": 1, "OtherResourceType": HYPERV + "Shutdown Component",
        "EnabledState": 2}),
    "timesync": ("Msvm_TimeSyncComponentSettingData", {
        "ElementName": "Time Synchronization", "ResourceType": 1,
        "OtherResourceType": HYPERV + "Time Sync Component", "EnabledState": 2}),
    "heartbeat": ("Msvm_HeartbeatComponentSettingData", {
        "ElementName": "Heartbeat", "ResourceType": 1, "OtherResourceType": HYPERV + "Heartbeat Component",
        "EnabledState": 2}),
    "kvp": ("Msvm_KvpExchangeComponentSettingData", {
        "ElementName": "Key-Value Pair Exchange", "ResourceType": 1,
        "OtherResourceType": HYPERV + "Key-Value Pair Exchange Component", "EnabledState": 2,
        "DisableHostKVPItems": False}),
    "vss": ("Msvm_VssComponentSettingData", {
        "ElementName": "VSS", "ResourceType": 1, "OtherResourceType": HYPERV + "VSS Component",
        "EnabledState": 2}),
    "guest": ("Msvm_GuestServiceInterfaceComponentSettingData", {
        "ElementName": "Guest Service Interface", "ResourceType": 1,
        "OtherResourceType": HYPERV + "Guest Service Interface Component", "EnabledState": 3}),
}


def _full(name, own):
    found = cls(name)
    base = dict(found.texts)
    known = {p.name for p in found.props}
    for key, value in {**_COUNT, **own}.items():
        if key in known:
            base[key] = value
    return found, base


RASD = {kind: _full(name, own) for kind, (name, own) in _RASD.items()}

# ResourceSubType text -> kind, for what clients add.
BY_SUBTYPE = {base["ResourceSubType"].lower(): kind for kind, (_, base) in RASD.items() if base.get("ResourceSubType")}

VSSD_CLASS = cls("Msvm_VirtualSystemSettingData")
VSSD = {
    "Caption": "Virtual Machine Settings", "Description": "Active settings for the virtual machine.",
    "VirtualSystemType": HYPERV + "System:Realized", "Notes": [""], "ConfigurationDataRoot":
    "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V", "SnapshotDataRoot": "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V",
    "SuspendDataRoot": "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V",
    "SwapFileDataRoot": "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V",
    "LogDataRoot": "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V\\",
    "GuestStateDataRoot": "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V",
    "AutomaticStartupAction": 2, "AutomaticStartupActionDelay": "00000000000000.000000:000",
    "AutomaticStartupActionSequenceNumber": 0, "AutomaticShutdownAction": 3, "AutomaticRecoveryAction": 3,
    "RecoveryFile": "", "BIOSNumLock": False, "BootOrder": [1, 2, 3, 0], "Architecture": "x64",
    "ChassisAssetTag": "7783-7084-3265-9085-8269-3286-77", "UserSnapshotType": 3, "IsSaved": False,
    "AdditionalRecoveryInformation": None, "AllowFullSCSICommandSet": False, "DebugPortEnabled": 0,
    "DebugChannelId": 0, "DebugPort": 0, "Version": "10.0", "IncrementalBackupEnabled": False, "VirtualNumaEnabled": True,
    "AllowReducedFcRedundancy": False, "VirtualSystemSubType": HYPERV + "SubType:1", "PauseAfterBootFailure": False,
    "NetworkBootPreferredProtocol": 4096, "GuestControlledCacheTypes": False, "AutomaticSnapshotsEnabled": False,
    "IsAutomaticSnapshot": False, "LockOnDisconnect": False, "ParentPackage": None,
    "AutomaticCriticalErrorActionTimeout": "00000000003000.000000:000", "AutomaticCriticalErrorAction": 1,
    "ConsoleMode": 0, "SecureBootEnabled": False, "SecureBootTemplateId": "",
    "LowMmioGapSize": 128, "HighMmioGapSize": 512, "EnhancedSessionTransportType": 0,
}
VSSD_GEN2 = {**VSSD, "VirtualSystemSubType": HYPERV + "SubType:2", "SecureBootEnabled": True, "BootOrder": None,
             "SecureBootTemplateId": "1734C6E8-3154-4DDA-BA5F-A874CC483422"}
del VSSD_GEN2["BootOrder"]

REALIZED = HYPERV + "System:Realized"
PLANNED = HYPERV + "System:Planned"
SNAPSHOT = HYPERV + "Snapshot:Realized"
SNAPSHOT_RECOVERY = HYPERV + "Snapshot:Recovery"

FEATURES = {
    "vlan": ("Msvm_EthernetSwitchPortVlanSettingData", "952C5004-4465-451C-8CB8-FA9AB382B773", {
        "ElementName": "Ethernet Switch Port VLAN Settings", "OperationMode": 1, "AccessVlanId": 0, "NativeVlanId": 0,
        "PvlanMode": 0, "PrimaryVlanId": 0, "SecondaryVlanId": 0}),
    "security": ("Msvm_EthernetSwitchPortSecuritySettingData", "776E0BA7-94A1-41C8-8F28-951F524251B5", {
        "ElementName": "Ethernet Switch Port Security Settings", "AllowMacSpoofing": False, "EnableDhcpGuard": False,
        "EnableRouterGuard": False, "MonitorMode": 0, "AllowIeeePriorityTag": False, "AllowTeaming": False}),
    "bandwidth": ("Msvm_EthernetSwitchPortBandwidthSettingData", "24AD3CE1-69BD-4978-B2AC-DAAD389D699C", {
        "ElementName": "Ethernet Switch Port Bandwidth Settings", "BurstLimit": 0, "BurstSize": 0, "Limit": 0,
        "Reservation": 0, "Weight": 0}),
    "offload": ("Msvm_EthernetSwitchPortOffloadSettingData", "C885BFD1-ABB7-418F-8163-9F379C9F7166", {
        "ElementName": "Ethernet Switch Port Hardware Offload Settings", "VMQOffloadWeight": 100,
        "IPSecOffloadLimit": 512, "IOVOffloadWeight": 0, "IOVQueuePairsRequested": 1}),
    "acl": ("Msvm_EthernetSwitchPortAclSettingData", "998BEF4A-5D55-492A-9C43-8B2F5EAE9F2B", {
        "ElementName": "Ethernet Switch Port ACL Settings"}),
    "isolation": ("Msvm_EthernetSwitchPortIsolationSettingData", "EE1D2BA6-4D9D-4F1B-8D4B-7A50D9D6D3F0", {
        "ElementName": "Ethernet Switch Port Isolation Settings"}),
}


def _feature(name, guid, own):
    found = cls(name)
    base = dict(found.texts)
    known = {p.name for p in found.props}
    base.update({k: v for k, v in own.items() if k in known})
    return found, guid, base


FEATURE = {kind: _feature(*row) for kind, row in FEATURES.items()}
FEATURE_BY_CLASS = {found.name: (found, guid, base) for found, guid, base in FEATURE.values()}
