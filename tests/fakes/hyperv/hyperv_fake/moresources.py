# SPDX-License-Identifier: Apache-2.0
"""Further instances of the virtualization namespace: host settings."""

from . import sources
from .inst import Inst
from .schema import cls
from .sources import host_source

READY = True


def _own(host, name, instance_id, values, changed):
    found = cls(name)
    known = {p.name for p in found.props}
    over = {"InstanceID": instance_id, **values, **changed}
    return Inst(found, found.texts, {k: v for k, v in over.items() if k in known}, host)


@host_source("Msvm_VirtualSystemManagementServiceSettingData")
def service_settings(host):
    return [_own(host, "Msvm_VirtualSystemManagementServiceSettingData", f"Microsoft:{host.name}", {
        "DefaultExternalDataRoot": "D:\\VMs", "DefaultVirtualHardDiskPath": "D:\\VMs\\Virtual Hard Disks",
        "MinimumMacAddress": f"00155D{host.index & 0xFF:02X}0000", "MaximumMacAddress": f"00155D{host.index & 0xFF:02X}FFFF",
        "NumaSpanningEnabled": True, "PrimaryOwnerName": "Administrators", "PrimaryOwnerContact": "",
        "BiosLockString": "", "HbaLunTimeout": 30, "MinimumWWPNAddress": "C003FF0000FF0000",
        "MaximumWWPNAddress": "C003FF0000FFFFFF", "CurrentWWNNAddress": "C003FF0000FFFF00",
        "DefaultVirtualHardDiskCachingMode": 0, "HypervisorRootSchedulerEnabled": False,
        "EnhancedSessionModeEnabled": False}, host.service_setting)]


@host_source("Msvm_VirtualSystemMigrationServiceSettingData")
def migration_settings(host):
    return [_own(host, "Msvm_VirtualSystemMigrationServiceSettingData", f"Microsoft:{host.name}\\Migration", {
        "ElementName": "Hyper-V Migration Service", "EnableVirtualSystemMigration": True,
        "MaximumActiveVirtualSystemMigration": 2, "MaximumActiveStorageMigration": 2, "AuthenticationType": 1,
        "EnableCompression": True, "EnableSmbTransport": False}, host.migration_setting)]


assert sources.HOST_SOURCES
