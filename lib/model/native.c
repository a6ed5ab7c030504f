/* SPDX-License-Identifier: Apache-2.0 */
/* What the hypervisors themselves call the fields that people change. Shown beside our names, never
 * used to act. */
#include <polyvisor/model.h>

#include <string.h>

#include <polyvisor/cleanup.h>

#define PROCESSOR "Msvm_ProcessorSettingData."
#define MEMORY "Msvm_MemorySettingData."
#define SYSTEM "Msvm_VirtualSystemSettingData."
#define SECURITY "Msvm_SecuritySettingData."
#define STORAGE "Msvm_StorageAllocationSettingData."
#define DRIVE "Msvm_ResourceAllocationSettingData."
#define PORT "Msvm_SyntheticEthernetPortSettingData."
#define LINK "Msvm_EthernetPortAllocationSettingData."
#define SWITCH_PORT "Msvm_EthernetSwitchPort"

static const struct {
    enum pv_kind kind;
    const char *path;
    struct model_native names;
} natives[] = {
    { PV_KIND_vm, "name", { SYSTEM "ElementName", "config.name" } },
    { PV_KIND_vm, "hardware_version", { SYSTEM "Version", "config.version" } },
    { PV_KIND_vm, "uuid", { SYSTEM "VirtualSystemIdentifier", "config.instanceUuid" } },
    { PV_KIND_vm, "bios_uuid", { SYSTEM "BIOSGUID", "config.uuid" } },
    { PV_KIND_vm, "annotation", { SYSTEM "Notes", "config.annotation" } },
    { PV_KIND_vm, "firmware", { SYSTEM "VirtualSystemSubType", "config.firmware" } },
    { PV_KIND_vm,
      "secure_boot.on",
      { SYSTEM "SecureBootEnabled", "config.bootOptions.efiSecureBootEnabled" } },
    { PV_KIND_vm, "secure_boot.template", { SYSTEM "SecureBootTemplateId", NULL } },
    { PV_KIND_vm, "tpm", { SECURITY "TpmEnabled", "VirtualTPM" } },
    { PV_KIND_vm, "boot.order", { SYSTEM "BootSourceOrder", "config.bootOptions.bootOrder" } },
    { PV_KIND_vm, "guest.os_id", { NULL, "config.guestId" } },
    { PV_KIND_vm, "change_tracking", { NULL, "config.changeTrackingEnabled" } },
    { PV_KIND_vm,
      "autostart.start",
      { SYSTEM "AutomaticStartupAction", "AutoStartPowerInfo.startAction" } },
    { PV_KIND_vm,
      "autostart.stop",
      { SYSTEM "AutomaticShutdownAction", "AutoStartPowerInfo.stopAction" } },
    { PV_KIND_vm,
      "autostart.delay_s",
      { SYSTEM "AutomaticStartupActionDelay", "AutoStartPowerInfo.startDelay" } },
    { PV_KIND_vm, "autostart.order", { NULL, "AutoStartPowerInfo.startOrder" } },
    { PV_KIND_vm, "snapshots.mode", { SYSTEM "UserSnapshotType", NULL } },
    { PV_KIND_vm, "snapshots.automatic", { SYSTEM "AutomaticSnapshotsEnabled", NULL } },
    { PV_KIND_vm, "cpu.count", { PROCESSOR "VirtualQuantity", "config.hardware.numCPU" } },
    { PV_KIND_vm, "cpu.cores_per_socket", { NULL, "config.hardware.numCoresPerSocket" } },
    { PV_KIND_vm, "cpu.threads_per_core", { PROCESSOR "HwThreadsPerCore", NULL } },
    { PV_KIND_vm,
      "cpu.reservation_mhz",
      { PROCESSOR "Reservation", "config.cpuAllocation.reservation" } },
    { PV_KIND_vm, "cpu.limit_mhz", { PROCESSOR "Limit", "config.cpuAllocation.limit" } },
    { PV_KIND_vm, "cpu.weight", { PROCESSOR "Weight", "config.cpuAllocation.shares" } },
    { PV_KIND_vm, "cpu.hot_add", { NULL, "config.cpuHotAddEnabled" } },
    { PV_KIND_vm,
      "cpu.nested",
      { PROCESSOR "ExposeVirtualizationExtensions", "config.nestedHVEnabled" } },
    { PV_KIND_vm, "memory.bytes", { MEMORY "VirtualQuantity", "config.hardware.memoryMB" } },
    { PV_KIND_vm, "memory.dynamic", { MEMORY "DynamicMemoryEnabled", NULL } },
    { PV_KIND_vm, "memory.min_bytes", { MEMORY "Reservation", NULL } },
    { PV_KIND_vm, "memory.max_bytes", { MEMORY "Limit", NULL } },
    { PV_KIND_vm, "memory.buffer_pct", { MEMORY "TargetMemoryBuffer", NULL } },
    { PV_KIND_vm, "memory.weight", { MEMORY "Weight", "config.memoryAllocation.shares" } },
    { PV_KIND_vm, "memory.reservation_bytes", { NULL, "config.memoryAllocation.reservation" } },
    { PV_KIND_vm, "memory.limit_bytes", { NULL, "config.memoryAllocation.limit" } },
    { PV_KIND_vm, "memory.hot_add", { NULL, "config.memoryHotAddEnabled" } },
    { PV_KIND_disk,
      "capacity_bytes",
      { "Msvm_VirtualHardDiskSettingData.MaxInternalSize", "VirtualDisk.capacityInBytes" } },
    { PV_KIND_disk, "mode", { NULL, "VirtualDisk.backing.diskMode" } },
    { PV_KIND_disk, "image.path", { STORAGE "HostResource", "VirtualDisk.backing.fileName" } },
    { PV_KIND_disk, "controller.unit", { DRIVE "AddressOnParent", "VirtualDisk.unitNumber" } },
    { PV_KIND_disk,
      "qos.iops_limit",
      { STORAGE "IOPSLimit", "VirtualDisk.storageIOAllocation.limit" } },
    { PV_KIND_cdrom, "image.path", { STORAGE "HostResource", "VirtualCdrom.backing.fileName" } },
    { PV_KIND_cdrom, "connected", { NULL, "VirtualCdrom.connectable.connected" } },
    { PV_KIND_cdrom, "connect_at_power_on", { NULL, "VirtualCdrom.connectable.startConnected" } },
    { PV_KIND_nic, "label", { PORT "ElementName", "deviceInfo.label" } },
    { PV_KIND_nic, "mac", { PORT "Address", "VirtualEthernetCard.macAddress" } },
    { PV_KIND_nic, "mac_mode", { PORT "StaticMacAddress", "VirtualEthernetCard.addressType" } },
    { PV_KIND_nic, "network", { LINK "HostResource", "VirtualEthernetCard.backing" } },
    { PV_KIND_nic, "connected", { LINK "EnabledState", "connectable.connected" } },
    { PV_KIND_nic, "connect_at_power_on", { NULL, "connectable.startConnected" } },
    { PV_KIND_nic, "vlan.mode", { SWITCH_PORT "VlanSettingData.OperationMode", NULL } },
    { PV_KIND_nic, "vlan.id", { SWITCH_PORT "VlanSettingData.AccessVlanId", NULL } },
    { PV_KIND_nic, "vlan.allowed", { SWITCH_PORT "VlanSettingData.TrunkVlanIdArray", NULL } },
    { PV_KIND_nic,
      "security.mac_spoofing",
      { SWITCH_PORT "SecuritySettingData.AllowMacSpoofing", NULL } },
    { PV_KIND_nic,
      "security.dhcp_guard",
      { SWITCH_PORT "SecuritySettingData.EnableDhcpGuard", NULL } },
    { PV_KIND_nic,
      "security.router_guard",
      { SWITCH_PORT "SecuritySettingData.EnableRouterGuard", NULL } },
    { PV_KIND_nic,
      "bandwidth.limit_bps",
      { SWITCH_PORT "BandwidthSettingData.Limit", "resourceAllocation.limit" } },
    { PV_KIND_nic,
      "bandwidth.reservation_bps",
      { SWITCH_PORT "BandwidthSettingData.Reservation", "resourceAllocation.reservation" } },
};

const struct model_native *model_native_of(enum pv_kind kind, const char *path)
{
    for (size_t i = 0; i < PV_COUNT(natives); i++)
        if (natives[i].kind == kind && strcmp(natives[i].path, path) == 0)
            return &natives[i].names;
    return NULL;
}

bool model_native_at(size_t i, enum pv_kind *kind, const char **path)
{
    if (i >= PV_COUNT(natives))
        return false;
    *kind = natives[i].kind;
    *path = natives[i].path;
    return true;
}
