# SPDX-License-Identifier: Apache-2.0
"""Classes beside the published Hyper-V pages: performance counters, adapters, volumes, failover clusters."""


def _class(keys, text, ancestors=(), flags=""):
    """One declaration: "Name:type Name:type[] …"; key names as list."""
    rows = []
    for word in text.split():
        parts = word.split(":")
        rows.append([parts[0], parts[1]] + parts[2:3])
    row = {"k": keys, "p": rows}
    if ancestors:
        row["a"] = list(ancestors)
    if flags:
        row["f"] = flags
    return row


_PERF = ("Caption:string Description:string Name:string Frequency_Object:uint64 Frequency_PerfTime:uint64 "
         "Frequency_Sys100NS:uint64 Timestamp_Object:uint64 Timestamp_PerfTime:uint64 Timestamp_Sys100NS:uint64 ")
_MANAGED = "Caption:string Description:string ElementName:string InstanceID:string "
_CLUSTER_COMMON = ("Caption:string Description:string InstallDate:datetime Status:string Flags:uint32 "
                   "Characteristics:uint32 Name:string ")

EXTRA = {
    "root/cimv2": {
        "Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor": _class(
            ["Name"], _PERF + "PercentTotalRunTime:uint64 PercentGuestRunTime:uint64 PercentHypervisorRunTime:uint64 "
            "PercentIdleTime:uint64 ContextSwitchesPersec:uint64", ["Win32_PerfFormattedData"]),
        "Win32_PerfFormattedData_HvStats_HyperVHypervisorRootVirtualProcessor": _class(
            ["Name"], _PERF + "PercentTotalRunTime:uint64 PercentGuestRunTime:uint64 PercentHypervisorRunTime:uint64",
            ["Win32_PerfFormattedData"]),
        "Win32_PerfFormattedData_HvStats_HyperVHypervisorVirtualProcessor": _class(
            ["Name"], _PERF + "PercentTotalRunTime:uint64 PercentGuestRunTime:uint64 PercentHypervisorRunTime:uint64",
            ["Win32_PerfFormattedData"]),
        "Win32_PerfFormattedData_HvStats_HyperVHypervisor": _class(
            ["Name"], _PERF + "LogicalProcessors:uint64 VirtualProcessors:uint64 Partitions:uint64",
            ["Win32_PerfFormattedData"]),
        "Win32_PerfRawData_Counters_HyperVVirtualStorageDevice": _class(
            ["Name"], _PERF + "ErrorCount:uint32 FlushCount:uint32 QueueLength:uint32 ReadBytesPersec:uint64 "
            "ReadCount:uint32 ReadOperationsPerSec:uint64 WriteBytesPersec:uint64 WriteCount:uint32 "
            "WriteOperationsPerSec:uint64", ["Win32_PerfRawData"]),
        "Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter": _class(
            ["Name"], _PERF + "BytesPersec:uint64 BytesReceivedPersec:uint64 BytesSentPersec:uint64 "
            "DroppedPacketsIncomingPersec:uint64 DroppedPacketsOutgoingPersec:uint64 PacketsPersec:uint64 "
            "PacketsReceivedPersec:uint64 PacketsSentPersec:uint64", ["Win32_PerfRawData"]),
        "Win32_PerfFormattedData_PerfOS_Processor": _class(
            ["Name"], _PERF + "PercentProcessorTime:uint64 PercentIdleTime:uint64 PercentUserTime:uint64 "
            "PercentPrivilegedTime:uint64", ["Win32_PerfFormattedData"]),
        "Win32_PerfFormattedData_PerfOS_Memory": _class(
            ["Name"], _PERF + "AvailableBytes:uint64 AvailableMBytes:uint64 CommittedBytes:uint64",
            ["Win32_PerfFormattedData"]),
        "Win32_Volume": _class(
            ["DeviceID"], "Automount:boolean BlockSize:uint64 BootVolume:boolean Capacity:uint64 Caption:string "
            "CreationClassName:string Description:string DeviceID:string DirtyBitSet:boolean DriveLetter:string "
            "DriveType:uint32 FileSystem:string FreeSpace:uint64 Label:string Name:string SerialNumber:uint32 "
            "Status:string SystemCreationClassName:string SystemName:string SystemVolume:boolean"),
        "Win32_TimeZone": _class(["StandardName"], "Bias:sint32 Caption:string Description:string StandardName:string "
                                 "DaylightName:string"),
        "Win32_Directory": _class(
            ["Name"], "Caption:string Description:string InstallDate:datetime Status:string CreationDate:datetime "
            "Drive:string FileName:string LastModified:datetime Name:string Path:string Readable:boolean "
            "Writeable:boolean"),
        "__NAMESPACE": _class(["Name"], "Name:string"),
    },
    "root/virtualization/v2": {
        "__InstanceCreationEvent": _class([], "SECURITY_DESCRIPTOR:uint8[] TIME_CREATED:uint64 TargetInstance:embedded",
                                          ["__InstanceOperationEvent", "__Event"], "e"),
        "__InstanceDeletionEvent": _class([], "SECURITY_DESCRIPTOR:uint8[] TIME_CREATED:uint64 TargetInstance:embedded",
                                          ["__InstanceOperationEvent", "__Event"], "e"),
        "__InstanceModificationEvent": _class(
            [], "SECURITY_DESCRIPTOR:uint8[] TIME_CREATED:uint64 TargetInstance:embedded PreviousInstance:embedded",
            ["__InstanceOperationEvent", "__Event"], "e"),
    },
    "root/standardcimv2": {
        "MSFT_NetAdapter": _class(
            ["InstanceID"], _MANAGED + "Name:string InterfaceDescription:string InterfaceIndex:uint32 "
            "InterfaceGuid:string DeviceName:string MediaConnectState:uint32 InterfaceOperationalStatus:uint32 "
            "Speed:uint64 MaxSpeed:uint64 ReceiveLinkSpeed:uint64 TransmitLinkSpeed:uint64 MtuSize:uint32 "
            "PermanentAddress:string NetworkAddresses:string[] HardwareInterface:boolean Virtual:boolean "
            "ConnectorPresent:boolean State:uint32 Status:string VlanID:uint16 DeviceID:string SystemName:string "
            "CreationClassName:string SystemCreationClassName:string NdisPhysicalMedium:uint32 "
            "AdminLocked:boolean iSCSIInterface:boolean"),
        "MSFT_NetIPAddress": _class(
            ["InstanceID"], _MANAGED + "IPAddress:string InterfaceAlias:string InterfaceIndex:uint32 "
            "AddressFamily:uint16 PrefixLength:uint8 PrefixOrigin:uint16 SuffixOrigin:uint16 AddressState:uint16 "
            "SkipAsSource:boolean"),
    },
    "root/mscluster": {
        "MSCluster_Cluster": _class(
            ["Name"], _CLUSTER_COMMON + "Fqdn:string SharedVolumesRoot:string QuorumType:string QuorumPath:string "
            "ClusterFunctionalLevel:uint32 ClusterUpgradeVersion:uint32 DrainOnShutdown:uint32 "
            "DynamicQuorumEnabled:uint32 EnableSharedVolumes:uint32 MaxNumberOfNodes:uint32 "
            "ClusterEnforcedAntiAffinity:uint32 AutoBalancerMode:uint32 AutoBalancerLevel:uint32"),
        "MSCluster_Node": _class(
            ["Name"], _CLUSTER_COMMON + "Id:string State:uint32 NodeWeight:uint32 DynamicWeight:uint32 "
            "MajorVersion:uint32 MinorVersion:uint32 BuildNumber:uint32 NodeDrainStatus:uint32 "
            "NodeDrainTarget:uint32 EnableEventLogReplication:uint32 NodeInstanceID:string StatusInformation:uint32"),
        "MSCluster_ResourceGroup": _class(
            ["Name"], _CLUSTER_COMMON + "Id:string State:uint32 OwnerNode:string GroupType:uint32 "
            "IsCore:boolean Priority:uint32 AutoFailbackType:uint32 DefaultOwner:uint32 StatusInformation:uint64 "
            "FailoverThreshold:uint32 PersistentState:boolean AntiAffinityClassNames:string[]"),
        "MSCluster_Resource": _class(
            ["Name"], _CLUSTER_COMMON + "Id:string Type:string State:uint32 OwnerNode:string OwnerGroup:string "
            "CoreResource:boolean ResourceClass:uint32 IsClusterSharedVolume:boolean PersistentState:boolean "
            "PrivateProperties:embedded:MSCluster_Property_Resource StatusInformation:uint64"),
        "MSCluster_Property_Resource": _class(
            [], "VmID:string VmState:uint32 VmStoreRootPath:string OfflineAction:uint32 "
            "ShutdownAction:uint32 Name:string", (), "e"),
        "MSCluster_ClusterSharedVolume": _class(
            ["Name"], "Name:string VolumeName:string FaultState:uint32 MaintenanceMode:boolean OwnerNode:string"),
        "MSCluster_DiskPartition": _class(
            ["Path"], "Path:string FileSystem:string FreeSpace:uint64 TotalSize:uint64 VolumeLabel:string "
            "VolumeGuid:string MountPoints:string[] PartitionNumber:uint32 SerialNumber:uint32 Flags:uint32"),
        "MSCluster_Network": _class(
            ["Name"], _CLUSTER_COMMON + "ID:string Address:string AddressMask:string Role:uint32 State:uint32 "
            "Metric:uint32 AutoMetric:boolean"),
        "MSCluster_NodeToActiveResource": _class(
            ["GroupComponent", "PartComponent"], "GroupComponent:reference:MSCluster_Node "
            "PartComponent:reference:MSCluster_Resource", (), "s"),
        "MSCluster_NodeToActiveGroup": _class(
            ["GroupComponent", "PartComponent"], "GroupComponent:reference:MSCluster_Node "
            "PartComponent:reference:MSCluster_ResourceGroup", (), "s"),
        "MSCluster_ResourceGroupToResource": _class(
            ["GroupComponent", "PartComponent"], "GroupComponent:reference:MSCluster_ResourceGroup "
            "PartComponent:reference:MSCluster_Resource", (), "s"),
        "MSCluster_ResourceGroupToPreferredNode": _class(
            ["GroupComponent", "PartComponent"], "GroupComponent:reference:MSCluster_ResourceGroup "
            "PartComponent:reference:MSCluster_Node", (), "s"),
        "MSCluster_ResourceToPossibleOwner": _class(
            ["GroupComponent", "PartComponent"], "GroupComponent:reference:MSCluster_Resource "
            "PartComponent:reference:MSCluster_Node", (), "s"),
        "MSCluster_ResourceToDisk": _class(
            ["GroupComponent", "PartComponent"], "GroupComponent:reference:MSCluster_Resource "
            "PartComponent:reference:MSCluster_Disk", (), "s"),
        "MSCluster_Disk": _class(
            ["Signature"], "Id:string Name:string Signature:uint32 Size:uint64 Number:uint32 GptGuid:string"),
        "MSCluster_ClusterToNode": _class(
            ["Antecedent", "Dependent"], "Antecedent:reference:MSCluster_Cluster "
            "Dependent:reference:MSCluster_Node", (), "s"),
    },
}
EXTRA["root/mscluster"]["MSCluster_ResourceGroup"]["m"] = {
    "BringOnline": [["TimeOut", "in", "uint32", ""]],
    "TakeOffline": [["TimeOut", "in", "uint32", ""]],
    "MoveToNewNode": [["NodeName", "in", "string", ""], ["TimeOut", "in", "uint32", ""]],
    "MoveToNewNodeParams": [["NodeName", "in", "string", ""], ["Parameters", "in", "uint8[]", ""],
                            ["TimeOut", "in", "uint32", ""], ["MoveFlags", "in", "uint32", ""]],
}
EXTRA["root/mscluster"]["MSCluster_Resource"]["m"] = {
    "BringOnline": [["TimeOut", "in", "uint32", ""]],
    "TakeOffline": [["TimeOut", "in", "uint32", ""], ["Flags", "in", "uint32", ""]],
    "MigrateVirtualMachine": [["NodeName", "in", "string", ""], ["MigrationType", "in", "uint32", ""]],
}
