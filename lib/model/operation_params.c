/* SPDX-License-Identifier: Apache-2.0 */
/* What a VM, a switch and a disk image take when they are made or changed. */
#include "model/operation_params.h"

/* Largest disk of any format in use (VHDX and VMDK: 64 TiB); least: what every format can hold. */
#define DISK_MIN (INT64_C(1) << 20)
#define DISK_MAX (INT64_C(64) << 40)
#define NAME_MAX_CHARS 80
#define PATH_MAX_CHARS 1024

static const char *const keep_or_delete[] = { "keep", "delete", NULL };
static const char *const profiles[] = { "server", "minimal", NULL };
static const char *const firmwares[] = { "bios", "uefi", NULL };

/* ------------------------------------------------------------------ places */

#define PLACE_HOST                                                                                 \
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host, .subject = true,                      \
      .doc = "Host to use. Of host, cluster, resource_pool and provider at least one is needed." }
#define PLACE_CLUSTER                                                                              \
    { .name = "cluster", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_cluster, .subject = true,                \
      .doc = "Cluster to use; it chooses the host unless one is named." }
#define PLACE_POOL                                                                                 \
    { .name = "resource_pool", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_resource_pool, .subject = true,    \
      .doc = "Resource pool to draw from (vSphere)." }
#define PLACE_PROVIDER                                                                             \
    { .name = "provider", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_provider, .subject = true,              \
      .doc = "Provider, where it is a single host." }
#define A_DATASTORE(text)                                                                          \
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .doc = text }
#define A_PATH(text)                                                                               \
    { .name = "path", .type = PARAM_TEXT, .min = 1, .max = PATH_MAX_CHARS, .doc = text }
/* Only the other family has it. */
#define NOT_IN(family, text) .lacks = PV_FAMILY_##family, .why = text
#define A_NAME(text)                                                                               \
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = NAME_MAX_CHARS, .doc = text }

/* ------------------------------------------------------------------ what a family has of it */

static const struct model_has buses_of[] = {
    HAS(VMWARE, "ide scsi sata nvme", "vSphere has ide, scsi, sata and nvme"),
    HAS_END,
};

static const struct model_has formats_of[] = {
    HAS(VMWARE, "vmdk", "vSphere has vmdk"),
    HAS_END,
};

const struct model_has params_layouts_of[] = {
    HAS(VMWARE, "thin dynamic thick_lazy thick_eager fixed", "vSphere has thin, thick_lazy and thick_eager"),
    HAS_END,
};

static const struct model_has disk_sharings_of[] = {
    HAS(VMWARE, "none multi_writer", "vSphere has none and multi_writer"),
    HAS(HYPERV, "none shared_vhdx vhd_set", "Hyper-V shares disks as shared_vhdx or vhd_set"),
    HAS_END,
};

static const struct model_has disk_modes_of[] = {
    HAS(VMWARE, "dependent independent_persistent independent_nonpersistent", "vSphere has no such mode"),
    HAS_END,
};

/* Words of the other family that mean the same are taken, too. */
static const struct model_has adapters_of[] = {
    HAS(VMWARE, "vmxnet3 e1000e e1000 pcnet sriov vmxnet2", "vSphere has vmxnet3, e1000e, e1000, pcnet, sriov"),
    HAS(HYPERV, "synthetic legacy vmxnet3 vmxnet2 e1000e e1000 pcnet", "Hyper-V has synthetic and legacy adapters"),
    HAS_END,
};

static const struct model_has controllers_of[] = {
    HAS(VMWARE, "scsi sata nvme", "scsi, sata and nvme controllers can be added; IDE is always there"),
    HAS(HYPERV, "scsi", "only SCSI controllers can be added on Hyper-V"),
    HAS_END,
};

static const struct model_has models_of[] = {
    HAS(VMWARE, "pvscsi lsilogic lsilogic_sas buslogic ahci nvme",
        "on scsi vSphere has pvscsi, lsilogic, lsilogic_sas, buslogic"),
    HAS_END,
};

static const struct model_has bus_sharings_of[] = {
    HAS(VMWARE, "none virtual physical", "a scsi bus has none, virtual or physical"),
    HAS_END,
};

/* ------------------------------------------------------------------ devices */

static const struct model_param slot[] = {
    { .name = "type", .type = PARAM_ENUM, .enum_id = PV_ENUM_bus, .has = buses_of,
      .doc = "Kind of bus; unless given, the driver takes what suits the firmware and says which." },
    { .name = "bus", .type = PARAM_INT, .max = 31, .doc = "Number of the bus; unless given, the first with room." },
    { .name = "unit", .type = PARAM_INT, .max = 255, .doc = "Place on the bus; unless given, the first free one." },
    { 0 },
};

static const struct model_param qos[] = {
    { .name = "iops_limit", .type = PARAM_INT, .nullable = true, .min = 1,
      .doc = "Most accesses per second; null: no limit." },
    { 0 },
};

static const struct model_param disk_file[] = {
    { .name = "id", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_disk_image, .doc = "An existing disk image." },
    A_DATASTORE("Datastore of the file; unless given, the VM's own."),
    A_PATH("The file: with capacity_bytes the new one's (unless given, one named after the VM), else an existing one."),
    { .name = "format", .type = PARAM_ENUM, .enum_id = PV_ENUM_disk_format, .has = formats_of,
      .doc = "Format of a new file; unless given, the family's: vhdx or vmdk." },
    { .name = "subformat", .type = PARAM_ENUM, .enum_id = PV_ENUM_provisioning, .has = params_layouts_of,
      .doc = "How a new file takes space. dynamic and thin mean the same, and so do fixed and thick_eager." },
    { .name = "parent", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_disk_image,
      NOT_IN(VMWARE, "vSphere makes disks that differ from others by snapshots and linked clones only"),
      .doc = "Image that a new differencing one builds on." },
    { 0 },
};

#define NO_INDEPENDENT                                                                             \
    NOT_IN(HYPERV, "Hyper-V's checkpoints include every virtual disk"), .lacks_but = "dependent"
#define DISK_MODE                                                                                  \
    { .name = "mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_disk_mode, .has = disk_modes_of, NO_INDEPENDENT,            \
      .doc = "Whether snapshots include it." }
#define DISK_SHARING                                                                               \
    { .name = "sharing", .type = PARAM_ENUM, .enum_id = PV_ENUM_disk_sharing, .has = disk_sharings_of,                      \
      .doc = "Whether other VMs may use it, too." }
#define DISK_QOS { .name = "qos", .type = PARAM_OBJECT, .members = qos, .doc = "Limits." }

const struct model_param params_attach_disk[] = {
    { .name = "capacity_bytes", .type = PARAM_INT, .min = DISK_MIN, .max = DISK_MAX,
      .doc = "Makes a new file of this size. Without it an existing image is attached." },
    { .name = "image", .type = PARAM_OBJECT, .members = disk_file, .doc = "The file, new or existing." },
    { .name = "controller", .type = PARAM_OBJECT, .members = slot, .doc = "Where it hangs." },
    DISK_MODE,
    DISK_SHARING,
    DISK_QOS,
    { 0 },
};

const struct model_param params_update_disk[] = {
    { .name = "capacity_bytes", .type = PARAM_INT, .min = DISK_MIN, .max = DISK_MAX, .needs = "vm.disk.resize", .one_way = true,
      .doc = "New size. Growing is possible nearly everywhere, shrinking where the format allows." },
    { .name = "mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_disk_mode, .has = disk_modes_of, .off_unless = "", NO_INDEPENDENT,
      .doc = "Whether snapshots include it." },
    { .name = "sharing", .type = PARAM_ENUM, .enum_id = PV_ENUM_disk_sharing, .has = disk_sharings_of, .off_unless = "",
      .doc = "Whether other VMs may use it, too." },
    { .name = "controller", .type = PARAM_OBJECT, .members = slot, .off_unless = "", .doc = "Where it is to hang." },
    DISK_QOS,
    { 0 },
};

const struct model_param params_detach_disk[] = {
    { .name = "file", .type = PARAM_ENUM, .choices = keep_or_delete, .preset = "\"keep\"",
      .doc = "What becomes of the file." },
    { 0 },
};

#define NO_NIC_VLAN NOT_IN(VMWARE, "in vSphere the VLAN belongs to the port group; choose another network")

static const struct model_param vlan[] = {
    { .name = "mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_vlan_mode, NO_NIC_VLAN, .doc = "How frames are tagged." },
    { .name = "id", .type = PARAM_INT, .nullable = true, .min = 1, .max = 4094, NO_NIC_VLAN,
      .doc = "VLAN in access mode, native VLAN of a trunk." },
    { .name = "allowed", .type = PARAM_TEXT, .nullable = true, .max = 1024, NO_NIC_VLAN, .doc = "VLANs of a trunk: 1-10,20." },
    { 0 },
};

static const struct model_param security[] = {
    { .name = "mac_spoofing", .type = PARAM_BOOL, NOT_IN(VMWARE, "in vSphere it is a rule of the port group"),
      .doc = "The guest may use other MAC addresses." },
    { .name = "dhcp_guard", .type = PARAM_BOOL, NOT_IN(VMWARE, "vSphere has no DHCP guard"), .doc = "Drop DHCP answers of the guest (Hyper-V)." },
    { .name = "router_guard", .type = PARAM_BOOL, NOT_IN(VMWARE, "vSphere has no router guard"),
      .doc = "Drop router advertisements of the guest (Hyper-V)." },
    { 0 },
};

static const struct model_param bandwidth[] = {
    { .name = "limit_bps", .type = PARAM_INT, .nullable = true, .min = 1, .doc = "Most bits per second; null: no limit." },
    { .name = "reservation_bps", .type = PARAM_INT, .nullable = true, .min = 1,
      .doc = "Bits per second kept for it; null: none." },
    { 0 },
};

#define NIC_NETWORK                                                                                \
    { .name = "network", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_network, .nullable = true,               \
      .doc = "Network to attach to; null: none." }
#define NIC_MAC                                                                                    \
    { .name = "mac", .type = PARAM_TEXT, .min = 12, .max = 17,                                     \
      .doc = "A MAC address, which makes it static." }
#define NIC_MAC_MODE                                                                               \
    { .name = "mac_mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_mac_mode,                         \
      .doc = "auto: the hypervisor chooses the MAC address." }
#define NIC_COMMON                                                                                 \
    { .name = "connected", .type = PARAM_BOOL, .doc = "Connected now." },                          \
    { .name = "connect_at_power_on", .type = PARAM_BOOL, .doc = "Connected when the VM starts." }, \
    { .name = "vlan", .type = PARAM_OBJECT, .members = vlan,                                       \
      .doc = "Tagging, where the network leaves it to the adapter (Hyper-V)." },                   \
    { .name = "security", .type = PARAM_OBJECT, .members = security,                               \
      .doc = "What the guest may do on the network." },                                            \
    { .name = "bandwidth", .type = PARAM_OBJECT, .members = bandwidth, .doc = "Limits." }

const struct model_param params_attach_nic[] = {
    { .name = "label", .type = PARAM_TEXT, .min = 1, .max = 100, NOT_IN(VMWARE, "vSphere names adapters itself"),
      .doc = "Name of the device, where it can be chosen (Hyper-V)." },
    { .name = "adapter", .type = PARAM_ENUM, .enum_id = PV_ENUM_adapter, .has = adapters_of,
      .doc = "Device the guest sees; unless given, the family's usual one: synthetic or vmxnet3." },
    NIC_NETWORK,
    NIC_MAC,
    NIC_MAC_MODE,
    NIC_COMMON,
    { 0 },
};

const struct model_param params_update_nic[] = {
    { .name = "label", .type = PARAM_TEXT, .min = 1, .max = 100, NOT_IN(VMWARE, "vSphere names adapters itself"),
      .doc = "New name of the device (Hyper-V)." },
    NIC_NETWORK,
    { .name = "mac", .type = PARAM_TEXT, .min = 12, .max = 17, .off_unless = "",
      .doc = "A MAC address, which makes it static." },
    { .name = "mac_mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_mac_mode, .off_unless = "",
      .doc = "auto: the hypervisor chooses the MAC address." },
    NIC_COMMON,
    { 0 },
};

static const struct model_param iso_file[] = {
    A_DATASTORE("Datastore of the image."),
    { .name = "path", .type = PARAM_TEXT, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "The image: a path in the datastore, or where there is none the host's own." },
    { 0 },
};

const struct model_param params_attach_cdrom[] = {
    { .name = "image", .type = PARAM_OBJECT, .members = iso_file, .doc = "Image to put in; without it the drive is empty." },
    { .name = "controller", .type = PARAM_OBJECT, .members = slot, .doc = "Where it hangs." },
    { .name = "connected", .type = PARAM_BOOL, .doc = "Connected now." },
    { .name = "connect_at_power_on", .type = PARAM_BOOL, .doc = "Connected when the VM starts." },
    { 0 },
};

const struct model_param params_mount_iso[] = {
    { .name = "image", .type = PARAM_OBJECT, .required = true, .members = iso_file, .doc = "Image to put in." },
    { 0 },
};

const struct model_param params_attach_controller[] = {
    { .name = "bus", .type = PARAM_ENUM, .required = true, .enum_id = PV_ENUM_bus, .has = controllers_of,
      .doc = "Kind of bus." },
    { .name = "model", .type = PARAM_TEXT, .min = 1, .max = 64, .has = models_of,
      NOT_IN(HYPERV, "Hyper-V has one SCSI controller"), .lacks_but = "synthetic",
      .doc = "Device the guest sees (vSphere: pvscsi, lsilogic, lsilogic_sas, buslogic)." },
    { .name = "number", .type = PARAM_INT, .max = 31, .doc = "Number of the bus; unless given, the first free one." },
    { .name = "sharing", .type = PARAM_TEXT, .min = 1, .max = 32, .has = bus_sharings_of,
      NOT_IN(HYPERV, "Hyper-V shares disks, not controllers"), .lacks_but = "none",
      .doc = "Bus sharing with other VMs (vSphere: none, virtual, physical)." },
    { 0 },
};

/* ------------------------------------------------------------------ the VM itself */

/* `hot(x)` is what lets a running VM take the change: nothing when it is made. */
#define CPU_MEMBERS(preset_, hot_count, hot_field_, hot_other)                                     \
    { .name = "count", .type = PARAM_INT, .min = 1, .max = 2048, .off_unless = hot_count,          \
      .hot_field = hot_field_, .preset = preset_, .doc = "Virtual processors." },                                     \
    { .name = "cores_per_socket", .type = PARAM_INT, .min = 1, .max = 2048, .off_unless = hot_other, \
      NOT_IN(HYPERV, "Hyper-V derives sockets from the number of processors"),                     \
      .doc = "Cores of one package (vSphere); Hyper-V derives it." },                              \
    { .name = "threads_per_core", .type = PARAM_INT, .max = 2, .off_unless = hot_other,            \
      NOT_IN(VMWARE, "vSphere chooses the threads of a core itself"), .lacks_but = "0",            \
      .doc = "Threads of one core (Hyper-V); 0: as the host." },                                   \
    { .name = "reservation_mhz", .type = PARAM_INT, .doc = "Processor capacity kept for it." },    \
    { .name = "limit_mhz", .type = PARAM_INT, .nullable = true, .min = 1,                          \
      .doc = "Most it may use; null: no limit." },                                                 \
    { .name = "weight", .type = PARAM_INT, .min = 1, .max = 1000000,                               \
      .doc = "Weight against others (Hyper-V: 1 to 10000, usually 100; vSphere: shares)." },       \
    { .name = "hot_add", .type = PARAM_BOOL, .off_unless = hot_other,                              \
      NOT_IN(HYPERV, "Hyper-V cannot add processors to a VM that runs"),                           \
      .doc = "Processors can be added while it runs (vSphere)." },                                 \
    { .name = "nested", .type = PARAM_BOOL, .off_unless = hot_other, .doc = "The guest can run VMs." }

#define NO_DYNAMIC NOT_IN(VMWARE, "vSphere has no dynamic memory; it takes what a guest does not use by itself")
#define USE_MIN_MAX "Hyper-V bounds memory by memory.min_bytes and memory.max_bytes"
#define MEMORY_MEMBERS(preset_, hot_bytes, hot_field_, hot_other)                                  \
    { .name = "bytes", .type = PARAM_INT, .min = INT64_C(32) << 20, .max = INT64_C(24) << 40,      \
      .off_unless = hot_bytes, .hot_field = hot_field_, .preset = preset_,                         \
      .doc = "Memory given to the guest at start, whole MiB." },                                   \
    { .name = "dynamic", .type = PARAM_BOOL, .off_unless = hot_other, NO_DYNAMIC,                  \
      .doc = "Memory grows and shrinks (Hyper-V)." },                                              \
    { .name = "min_bytes", .type = PARAM_INT, .min = INT64_C(32) << 20, .max = INT64_C(24) << 40,  \
      NO_DYNAMIC,                                                                                  \
      .doc = "Least dynamic memory." },                                                            \
    { .name = "max_bytes", .type = PARAM_INT, .min = INT64_C(32) << 20, .max = INT64_C(24) << 40,  \
      NO_DYNAMIC,                                                                                  \
      .doc = "Most dynamic memory." },                                                             \
    { .name = "buffer_pct", .type = PARAM_INT, .min = 5, .max = 2000, NO_DYNAMIC,                  \
      .doc = "Spare dynamic memory." },                                                            \
    { .name = "weight", .type = PARAM_INT, .max = 1000000, .doc = "Weight against others." },      \
    { .name = "reservation_bytes", .type = PARAM_INT, NOT_IN(HYPERV, USE_MIN_MAX),                 \
      .doc = "Memory kept for it (vSphere)." },                                                    \
    { .name = "limit_bytes", .type = PARAM_INT, .nullable = true, .min = 1,                        \
      NOT_IN(HYPERV, USE_MIN_MAX),                                                                 \
      .doc = "Most it may use (vSphere); null: no limit." },                                       \
    { .name = "hot_add", .type = PARAM_BOOL, .off_unless = hot_other,                              \
      .doc = "Memory can be added while it runs (vSphere)." }

static const struct model_param new_cpu[] = { CPU_MEMBERS("1", NULL, NULL, NULL), { 0 } };
static const struct model_param set_cpu[] = { CPU_MEMBERS(NULL, "vm.hotadd.cpu", "cpu.hot_add", ""), { 0 } };
static const struct model_param new_memory[] = { MEMORY_MEMBERS("1073741824", NULL, NULL, NULL), { 0 } };
static const struct model_param set_memory[] = { MEMORY_MEMBERS(NULL, "vm.hotadd.memory", "memory.hot_add", ""), { 0 } };

static const struct model_param secure_boot[] = {
    { .name = "on", .type = PARAM_BOOL, .doc = "Secure Boot is on; needs uefi." },
    { .name = "template", .type = PARAM_TEXT, .min = 1, .max = 64, NOT_IN(VMWARE, "vSphere has one set of keys"),
      .doc = "Set of keys (Hyper-V): MicrosoftWindows, MicrosoftUEFICertificateAuthority, OpenSourceShieldedVM." },
    { 0 },
};

static const struct model_param boot[] = {
    { .name = "order", .type = PARAM_LIST, .max = 32, .device_ids = true,
      .doc = "Devices in the order they are tried, as the VM's boot.order shows them; also the words disk, cdrom, "
             "network and floppy for all of their kind, and ids of devices." },
    { 0 },
};

static const struct model_param autostart[] = {
    { .name = "start", .type = PARAM_ENUM, .enum_id = PV_ENUM_autostart, .doc = "Whether it starts with its host." },
    { .name = "stop", .type = PARAM_ENUM, .enum_id = PV_ENUM_autostop, .doc = "What happens to it when the host stops." },
    { .name = "delay_s", .type = PARAM_INT, .max = 86400, .doc = "After how long it starts." },
    { .name = "order", .type = PARAM_INT, .nullable = true, .min = 1, .max = 10000,
      NOT_IN(HYPERV, "Hyper-V has no order; use delay_s"),
      .doc = "Its turn (vSphere); null: any." },
    { 0 },
};

static const struct model_param snapshot_settings[] = {
    { .name = "mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_checkpoint_mode,
      NOT_IN(VMWARE, "vSphere asks at each snapshot what it is to hold"),
      .doc = "What a snapshot is unless asked otherwise (Hyper-V: checkpoint type)." },
    { .name = "automatic", .type = PARAM_BOOL, NOT_IN(VMWARE, "vSphere takes no snapshots by itself"), .doc = "Take one at each start (Hyper-V on Windows clients)." },
    { 0 },
};

static const struct model_param guest[] = {
    { .name = "os_id", .type = PARAM_TEXT, .min = 1, .max = 64,
      NOT_IN(HYPERV, "Hyper-V does not keep what runs in a VM"),
      .doc = "The hypervisor's identifier of the guest's system (vSphere: ubuntu64Guest)." },
    { 0 },
};

#define VM_ANNOTATION                                                                              \
    { .name = "annotation", .type = PARAM_TEXT, .nullable = true, .max = 4096,                     \
      .doc = "Notes kept in the hypervisor." }

const struct model_param params_create_vm[] = {
    A_NAME("Name of the VM."),
    PLACE_HOST,
    PLACE_CLUSTER,
    PLACE_POOL,
    PLACE_PROVIDER,
    A_DATASTORE("Where its files go; unless given, the place's usual store."),
    A_PATH("Folder for its files in the datastore; unless given, one named after the VM."),
    { .name = "native_folder", .type = PARAM_TEXT, .min = 1, .max = PATH_MAX_CHARS,
      NOT_IN(HYPERV, "Hyper-V has no tree of VMs"),
      .doc = "Place in the hypervisor's own tree (vSphere: path of a VM folder)." },
    { .name = "profile", .type = PARAM_ENUM, .choices = profiles, .preset = "\"server\"",
      .doc = "server: with the devices a server usually has (a disk controller, a network adapter, a CD drive). "
             "minimal: with what is asked for and what it cannot be without." },
    { .name = "firmware", .type = PARAM_ENUM, .choices = firmwares, .preset = "\"uefi\"",
      .doc = "Firmware (Hyper-V: bios is generation 1, uefi generation 2); cannot be changed later there." },
    { .name = "hardware_version", .type = PARAM_TEXT, .min = 1, .max = 32,
      .doc = "Version of the virtual hardware: vmx-19, 9.0; unless given, the place's newest." },
    { .name = "cpu", .type = PARAM_OBJECT, .members = new_cpu, .preset = "{}", .doc = "Processors." },
    { .name = "memory", .type = PARAM_OBJECT, .members = new_memory, .preset = "{}",
      .doc = "Memory." },
    { .name = "secure_boot", .type = PARAM_OBJECT, .members = secure_boot, .needs = "vm.secure_boot",
      .doc = "Secure Boot; off unless given." },
    { .name = "tpm", .type = PARAM_BOOL, .needs = "vm.tpm", .doc = "With a virtual TPM." },
    { .name = "boot", .type = PARAM_OBJECT, .members = boot, .needs = "vm.boot_order", .doc = "How it starts." },
    { .name = "disks", .type = PARAM_LIST, .max = 64, .members = params_attach_disk, .doc = "Its disks, the first is booted." },
    { .name = "nics", .type = PARAM_LIST, .max = 16, .members = params_attach_nic,
      .doc = "Its network adapters; with the profile server one that is not connected unless given." },
    { .name = "cdroms", .type = PARAM_LIST, .max = 8, .members = params_attach_cdrom,
      .doc = "Its CD drives; with the profile server an empty one unless given." },
    { .name = "controllers", .type = PARAM_LIST, .max = 16, .members = params_attach_controller,
      .doc = "Its disk controllers beside those that its disks and drives need." },
    { .name = "guest", .type = PARAM_OBJECT, .members = guest, .doc = "What will run in it." },
    { .name = "autostart", .type = PARAM_OBJECT, .members = autostart, .needs = "vm.autostart",
      .doc = "What happens when its host starts and stops." },
    { .name = "snapshots", .type = PARAM_OBJECT, .members = snapshot_settings, .doc = "How snapshots of it are made." },
    VM_ANNOTATION,
    { .name = "start", .type = PARAM_BOOL, .preset = "false", .doc = "Start it when it is made." },
    { 0 },
};

const struct model_param params_reconfigure_vm[] = {
    { .name = "cpu", .type = PARAM_OBJECT, .members = set_cpu, .needs = "vm.reconfigure.cpu", .doc = "Processors." },
    { .name = "memory", .type = PARAM_OBJECT, .members = set_memory, .needs = "vm.reconfigure.memory", .doc = "Memory." },
    { .name = "firmware", .type = PARAM_ENUM, .choices = firmwares, .off_unless = "", .needs = "vm.reconfigure.firmware",
      .doc = "Firmware; the guest may not start after a change." },
    { .name = "secure_boot", .type = PARAM_OBJECT, .members = secure_boot, .off_unless = "", .needs = "vm.secure_boot",
      .doc = "Secure Boot." },
    { .name = "tpm", .type = PARAM_BOOL, .off_unless = "", .needs = "vm.tpm",
      .doc = "With a virtual TPM; taking it away loses the keys in it." },
    { .name = "boot", .type = PARAM_OBJECT, .members = boot, .needs = "vm.boot_order", .doc = "How it starts." },
    { .name = "guest", .type = PARAM_OBJECT, .members = guest, .off_unless = "", .doc = "What runs in it." },
    { .name = "autostart", .type = PARAM_OBJECT, .members = autostart, .needs = "vm.autostart",
      .doc = "What happens when its host starts and stops." },
    { .name = "snapshots", .type = PARAM_OBJECT, .members = snapshot_settings, .doc = "How snapshots of it are made." },
    VM_ANNOTATION,
    { 0 },
};

const struct model_param params_rename_vm[] = { A_NAME("New name."), { 0 } };

const struct model_param params_delete_vm[] = {
    { .name = "disks", .type = PARAM_ENUM, .choices = keep_or_delete, .preset = "\"keep\"",
      .doc = "What becomes of its disk files." },
    { .name = "force", .type = PARAM_BOOL, .doc = "Turn it off first if it runs." },
    { 0 },
};

/* ------------------------------------------------------------------ switches */

static const char *const switch_types[] = { "external", "internal", "private", "standard", NULL };

#define SWITCH_MEMBERS                                                                             \
    { .name = "uplinks", .type = PARAM_LIST, .max = 32,                                            \
      .doc = "Physical adapters by name; an external switch needs one (Hyper-V)." },               \
    { .name = "management_os", .type = PARAM_BOOL,                                                 \
      .doc = "The host itself has an adapter on it (Hyper-V)." },                                  \
    { .name = "mtu", .type = PARAM_INT, .min = 1280, .max = 9216, .doc = "Largest packet (vSphere)." }, \
    { .name = "annotation", .type = PARAM_TEXT, .nullable = true, .max = 1024,                     \
      .doc = "Notes kept in the hypervisor." }

const struct model_param params_create_switch[] = {
    A_NAME("Name of the switch."),
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host, .subject = true,
      .doc = "Host it is made on. Of host and provider one is needed." },
    PLACE_PROVIDER,
    { .name = "switch_type", .type = PARAM_ENUM, .required = true, .choices = switch_types,
      .doc = "external, internal or private (Hyper-V), standard (vSphere)." },
    SWITCH_MEMBERS,
    { 0 },
};

const struct model_param params_update_switch[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = NAME_MAX_CHARS, .doc = "New name (Hyper-V)." },
    { .name = "switch_type", .type = PARAM_ENUM, .choices = switch_types, .doc = "Another type (Hyper-V)." },
    SWITCH_MEMBERS,
    { 0 },
};

/* ------------------------------------------------------------------ disk images */

static const char *const compact_modes[] = { "quick", "full", NULL };

#define IMAGE_LAYOUT                                                                               \
    { .name = "format", .type = PARAM_ENUM, .enum_id = PV_ENUM_disk_format,                        \
      .doc = "Format; unless given, the family's: vhdx or vmdk." },                                \
    { .name = "subformat", .type = PARAM_ENUM, .enum_id = PV_ENUM_provisioning,                    \
      .doc = "How it takes space; unless given, as it is used (dynamic, thin)." },                 \
    { .name = "block_bytes", .type = PARAM_INT, .min = 1 << 19, .max = INT64_C(256) << 20,         \
      .doc = "Size of its blocks (VHDX)." },                                                       \
    { .name = "logical_sector", .type = PARAM_INT, .min = 512, .max = 4096, .doc = "Sector the guest sees: 512 or 4096." }, \
    { .name = "physical_sector", .type = PARAM_INT, .min = 512, .max = 4096,                       \
      .doc = "Sector the guest is told of: 512 or 4096." }

#define IMAGE_PATH                                                                                 \
    { .name = "path", .type = PARAM_TEXT, .required = true, .min = 1, .max = PATH_MAX_CHARS,       \
      .doc = "The file: a path in the datastore, or where there is none the host's own." }

const struct model_param params_create_image[] = {
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .subject = true,
      .doc = "Datastore of the file. Of datastore, host and provider at least one is needed." },
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host, .subject = true, .doc = "Host that makes it." },
    PLACE_PROVIDER,
    IMAGE_PATH,
    { .name = "capacity_bytes", .type = PARAM_INT, .min = DISK_MIN, .max = DISK_MAX,
      .doc = "Size; a differencing image takes its parent's." },
    { .name = "parent", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_disk_image, .doc = "Image a differencing one builds on." },
    IMAGE_LAYOUT,
    { 0 },
};

/* ------------------------------------------------------------------ files of a datastore */

const struct model_param params_browse[] = {
    { .name = "path", .type = PARAM_TEXT, .inside = true, .max = PATH_MAX_CHARS, .preset = "\"\"",
      .doc = "Folder: a path in the datastore, like iso/linux; unless given, its root." },
    { 0 },
};

const struct model_param params_a_file[] = {
    { .name = "path", .type = PARAM_TEXT, .inside = true, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "A path in the datastore, like iso/linux.iso." },
    { 0 },
};

const struct model_param params_upload_file[] = {
    { .name = "path", .type = PARAM_TEXT, .inside = true, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "Where the file is to be: a path in the datastore, like iso/linux.iso; its folder must be there." },
    { .name = "size_bytes", .type = PARAM_INT, .required = true, .doc = "How many bytes the file has." },
    { .name = "sha256", .type = PARAM_TEXT, .min = 64, .max = 64,
      .doc = "SHA-256 of the file, 64 hex digits: what arrives is compared with it." },
    { .name = "overwrite", .type = PARAM_BOOL, .doc = "Put it in the place of a file that no VM uses." },
    { 0 },
};

const struct model_param params_move_file[] = {
    { .name = "path", .type = PARAM_TEXT, .inside = true, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "What is moved: a path in the datastore." },
    { .name = "to", .type = PARAM_TEXT, .inside = true, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "Its new path in the datastore; nothing may be there." },
    { 0 },
};

const struct model_param params_resize_image[] = {
    { .name = "capacity_bytes", .type = PARAM_INT, .required = true, .min = DISK_MIN, .max = DISK_MAX,
      .doc = "New size. Growing is possible nearly everywhere, shrinking where the format allows." },
    { 0 },
};

const struct model_param params_compact_image[] = {
    { .name = "mode", .type = PARAM_ENUM, .choices = compact_modes, .preset = "\"full\"",
      .doc = "full looks for zeros, quick only for what is known to be unused." },
    { 0 },
};

const struct model_param params_convert_image[] = {
    A_DATASTORE("Datastore of the new file; unless given, that of the old one."),
    IMAGE_PATH,
    IMAGE_LAYOUT,
    { 0 },
};

const struct model_param params_merge_image[] = {
    { .name = "into", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_disk_image,
      .doc = "Image of its chain to merge into; unless given, its parent." },
    { 0 },
};
