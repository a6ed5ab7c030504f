/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked for when something is done with a VM as a whole. */
#include "model/operation_params.h"

#define PATH_MAX_CHARS 1024

static const char *const on_timeout[] = { "fail", "stop", NULL };
static const char *const snapshot_types[] = { "standard", "production", NULL };
static const char *const import_modes[] = { "register", "restore", "copy", NULL };
static const struct model_has import_modes_of[] = {
    HAS(VMWARE, "register", "vSphere registers what lies in a datastore; clone it afterwards"),
    HAS_END,
};
static const char *const export_formats[] = { "native", "ovf", NULL };
static const char *const keep_or_new[] = { "keep", "new", NULL };
static const char *const all_or_none[] = { "all", "none", NULL };

const struct model_param params_shutdown[] = {
    { .name = "timeout_s", .type = PARAM_INT, .min = 1, .max = 3600,
      .doc = "How long the guest may take; 300 unless given." },
    { .name = "on_timeout", .type = PARAM_ENUM, .choices = on_timeout,
      .doc = "What to do when it takes longer: fail (the default), or cut the power." },
    { 0 },
};

const struct model_param params_stop[] = {
    { .name = "force", .type = PARAM_BOOL, .doc = "Needed to drop the saved state of a suspended VM." },
    { 0 },
};

/* ------------------------------------------------------------------ snapshots */

const struct model_param params_create_snapshot[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 80, .doc = "Name of the snapshot." },
    { .name = "description", .type = PARAM_TEXT, .max = 1024, .doc = "What it is made for." },
    { .name = "snapshot_type", .type = PARAM_ENUM, .choices = snapshot_types,
      .doc = "standard: as the VM is. production: consistent inside the guest, without memory (Hyper-V: production "
             "checkpoint; vSphere: quiesced). Unless given, as memory and quiesce say." },
    { .name = "memory", .type = PARAM_BOOL, .needs = "vm.snapshot.memory", .doc = "Include the memory of a running VM." },
    { .name = "quiesce", .type = PARAM_BOOL, .needs = "vm.snapshot.quiesce",
      .doc = "Bring the guest's file systems to rest first." },
    { .name = "expires_at", .type = PARAM_TIME, .nullable = true, .own = true,
      .doc = "When the server deletes it again; unless given, it stays." },
    { 0 },
};

const struct model_param params_update_snapshot[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 80, .doc = "New name." },
    { .name = "description", .type = PARAM_TEXT, .nullable = true, .max = 1024, .doc = "What it was made for." },
    { .name = "expires_at", .type = PARAM_TIME, .nullable = true, .own = true,
      .doc = "When the server deletes it; null: it stays." },
    { 0 },
};

const struct model_param params_delete_snapshot[] = {
    { .name = "children", .type = PARAM_BOOL, .doc = "Delete what follows from it, too." },
    { 0 },
};

/* ------------------------------------------------------------------ copies and places */

/* Only the other family has it. */
#define NOT_IN(family, text) .lacks = PV_FAMILY_##family, .why = text

/* Which network an adapter gets in its new place. */
static const struct model_param network_map[] = {
    { .name = "nic", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128,
      .doc = "Label of the adapter, or * for every adapter that is not named." },
    { .name = "network", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_network, .required = true, .nullable = true,
      .doc = "Network it is to attach to; null: none." },
    { 0 },
};

static const struct model_param disk_map[] = {
    { .name = "disk", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_disk, .required = true, .doc = "One of the VM's disks." },
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .required = true, .doc = "Where it goes." },
    { 0 },
};

#define NETWORKS                                                                                   \
    { .name = "networks", .type = PARAM_LIST, .max = 16, .members = network_map,                   \
      .doc = "Networks of its adapters there; unless given, those of the same name." }

const struct model_param params_clone_vm[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 80, .doc = "Name of the new VM." },
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host, .doc = "Host of the new VM; unless given, the same." },
    { .name = "cluster", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_cluster, .doc = "Cluster of the new VM." },
    { .name = "resource_pool", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_resource_pool,
      .doc = "Resource pool of the new VM (vSphere); needed to deploy from a template." },
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore,
      .doc = "Where its files go; unless given, beside the source's." },
    { .name = "native_folder", .type = PARAM_TEXT, .min = 1, .max = PATH_MAX_CHARS,
      NOT_IN(HYPERV, "Hyper-V has no tree of VMs"),
      .doc = "Place in the hypervisor's own tree (vSphere: path of a VM folder)." },
    { .name = "linked", .type = PARAM_BOOL, .needs = "vm.clone_linked",
      .doc = "Share the disks of the source's snapshot and keep only differences." },
    { .name = "snapshot", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_snapshot,
      .doc = "State to copy; unless given, the present one." },
    { .name = "subformat", .type = PARAM_ENUM, .enum_id = PV_ENUM_provisioning, .has = params_layouts_of,
      NOT_IN(HYPERV, "a clone keeps the disks as they are"),
      .doc = "How its disks take space; unless given, as the source's." },
    { .name = "mac", .type = PARAM_ENUM, .choices = keep_or_new, .preset = "\"new\"", .doc = "MAC addresses of its adapters." },
    NETWORKS,
    { .name = "template", .type = PARAM_BOOL, .needs = "vm.template", .doc = "Make a template of it." },
    { .name = "start", .type = PARAM_BOOL, .preset = "false", .doc = "Start it when it is made." },
    { 0 },
};

const struct model_param params_move_vm[] = {
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host,
      .doc = "Host to go to; of another provider of the family, too. Without it the VM stays on its host." },
    { .name = "cluster", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_cluster, .doc = "Cluster to go to; it chooses the host." },
    { .name = "resource_pool", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_resource_pool, .doc = "Resource pool to go to (vSphere)." },
    { .name = "provider", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_provider,
      .doc = "Provider to go to, where it is a single host; of the same family." },
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .needs = "vm.move.storage",
      .doc = "Datastore for all its files; without it they stay where they are." },
    { .name = "path", .type = PARAM_TEXT, .min = 1, .max = PATH_MAX_CHARS, .needs = "vm.move.storage",
      NOT_IN(VMWARE, "vSphere names the folder itself"),
      .doc = "Folder for its files there (Hyper-V)." },
    { .name = "disks", .type = PARAM_LIST, .max = 256, .members = disk_map, .needs = "vm.move.storage",
      .doc = "Disks that go elsewhere than the rest." },
    { .name = "subformat", .type = PARAM_ENUM, .enum_id = PV_ENUM_provisioning, .has = params_layouts_of,
      NOT_IN(HYPERV, "a move keeps the disks as they are"),
      .doc = "How its disks take space afterwards; unless given, as now." },
    NETWORKS,
    { .name = "live", .type = PARAM_BOOL,
      .doc = "true: only without stopping it, false: only while it is off; unless given, live if it runs." },
    { 0 },
};

const struct model_param params_export_vm[] = {
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .doc = "Datastore to write to." },
    { .name = "path", .type = PARAM_TEXT, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "Folder to write to: in the datastore, or where there is none the host's own or a share." },
    { .name = "format", .type = PARAM_ENUM, .choices = export_formats, .preset = "\"native\"",
      .doc = "native: the hypervisor's own files. ovf: an OVF package (vSphere)." },
    { .name = "snapshots", .type = PARAM_ENUM, .choices = all_or_none, .preset = "\"all\"",
      .doc = "Whether its snapshots are exported, too." },
    { .name = "memory", .type = PARAM_BOOL, .doc = "With the memory of a running or suspended VM (Hyper-V)." },
    { 0 },
};

const struct model_param params_export_snapshot[] = {
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .doc = "Datastore to write to." },
    { .name = "path", .type = PARAM_TEXT, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "Folder to write to: in the datastore, or where there is none the host's own or a share." },
    { 0 },
};

const struct model_param params_import_vm[] = {
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host, .subject = true,
      .doc = "Host to use. Of host, cluster, resource_pool and provider at least one is needed." },
    { .name = "cluster", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_cluster, .subject = true, .doc = "Cluster to use." },
    { .name = "resource_pool", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_resource_pool, .subject = true,
      .doc = "Resource pool to draw from (vSphere)." },
    { .name = "provider", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_provider, .subject = true,
      .doc = "Provider, where it is a single host." },
    { .name = "source", .type = PARAM_TEXT, .required = true, .min = 1, .max = PATH_MAX_CHARS,
      .doc = "Description to import: path of a .vmcx, .xml, .vmx or .ovf file, in source_datastore or on the host." },
    { .name = "source_datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .doc = "Datastore of the description." },
    { .name = "mode", .type = PARAM_ENUM, .choices = import_modes, .has = import_modes_of, .preset = "\"register\"",
      .doc = "register: use the files where they are. restore: copy them, same identity. copy: copy them, new identity." },
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 80, .doc = "Name of the VM; unless given, as exported." },
    { .name = "datastore", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_datastore, .doc = "Where copied files go." },
    { .name = "path", .type = PARAM_TEXT, .min = 1, .max = PATH_MAX_CHARS, .doc = "Folder for copied files." },
    { .name = "native_folder", .type = PARAM_TEXT, .min = 1, .max = PATH_MAX_CHARS,
      NOT_IN(HYPERV, "Hyper-V has no tree of VMs"),
      .doc = "Place in the hypervisor's own tree (vSphere: path of a VM folder)." },
    NETWORKS,
    { .name = "start", .type = PARAM_BOOL, .preset = "false", .doc = "Start it when it is there." },
    { 0 },
};

const struct model_param params_template_vm[] = {
    { .name = "template", .type = PARAM_BOOL, .required = true, .doc = "true: make a template of it; false: a VM again." },
    { .name = "resource_pool", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_resource_pool,
      .doc = "Resource pool of the VM when it ceases to be a template." },
    { .name = "host", .type = PARAM_ID, .by_name = true, .ref = PV_KIND_host, .doc = "Host of the VM then." },
    { 0 },
};

/* ------------------------------------------------------------------ guest, screen, keyboard */

const struct model_param params_set_guest_data[] = {
    { .name = "data", .type = PARAM_OBJECT, .required = true,
      .doc = "Key to text that the guest can read (Hyper-V: key-value pairs; vSphere: guestinfo.*); null removes a key." },
    { 0 },
};

const struct model_param params_screenshot[] = {
    { .name = "width", .type = PARAM_INT, .min = 16, .max = 1920, .doc = "Width in pixels; unless given, as the screen." },
    { .name = "height", .type = PARAM_INT, .min = 16, .max = 1200, .doc = "Height in pixels." },
    { 0 },
};

const struct model_param params_keystrokes[] = {
    { .name = "text", .type = PARAM_TEXT, .min = 1, .max = 1024, .doc = "Text to type, as on a US keyboard." },
    { .name = "keys", .type = PARAM_LIST, .min = 1, .max = 64,
      .doc = "Keys to press one after the other; those held together are joined by +: ctrl+c, alt+f4, enter, f2." },
    { .name = "ctrl_alt_del", .type = PARAM_BOOL, .doc = "Press Ctrl, Alt and Del." },
    { 0 },
};

static const char *const console_protocols[] = { "rdp", "vmrc", "webmks", "vnc", NULL };

const struct model_param params_console[] = {
    { .name = "protocol", .type = PARAM_ENUM, .choices = console_protocols,
      .doc = "Protocol wanted; unless given, the one that is usual there." },
    { 0 },
};

/* ------------------------------------------------------------------ what is ours */

const struct model_param params_tag_vm[] = {
    { .name = "add", .type = PARAM_LIST, .max = 64, .doc = "Tags it gets, each key or key=value." },
    { .name = "remove", .type = PARAM_LIST, .max = 64, .doc = "Tags it loses; those it has not are left out." },
    { 0 },
};

const struct model_param params_file_vm[] = {
    { .name = "folder", .type = PARAM_ID, .ref = PV_KIND_folder, .required = true, .nullable = true,
      .doc = "Folder it goes into; null: out of all folders." },
    { 0 },
};

/* ------------------------------------------------------------------ hosts */

const struct model_param params_stop_service[] = {
    { .name = "force", .type = PARAM_BOOL, .doc = "Needed where the host, or managing it, needs the service." },
    { 0 },
};

static const char *const service_starts[] = { "automatic", "manual", "disabled", "on_demand", NULL };
static const struct model_has has_service_starts[] = {
    { PV_FAMILY_HYPERV, "automatic manual disabled", "Windows starts a service with the host, when somebody asks, or not at all" },
    { PV_FAMILY_VMWARE, "automatic manual on_demand", "ESXi cannot keep a service from being started" },
    { 0 },
};
const struct model_param params_start_service[] = {
    { .name = "start_mode", .type = PARAM_ENUM, .choices = service_starts, .has = has_service_starts, .required = true,
      .doc = "With the host, only when somebody starts it, not at all (Hyper-V), or when something needs it (vSphere)." },
    { 0 },
};

const struct model_param params_enter_maintenance[] = {
    { .name = "evacuate_off", .type = PARAM_BOOL, .doc = "Take VMs that are off to other hosts, too." },
    { .name = "timeout_s", .type = PARAM_INT, .min = 0, .max = 86400, .preset = "0",
      .doc = "Seconds to wait until no VM runs there; 0: as long as it takes." },
    { 0 },
};

/* ------------------------------------------------------------------ providers */

const struct model_param params_maintenance[] = {
    { .name = "reason", .type = PARAM_TEXT, .max = 256, .doc = "Shown to others." },
    { 0 },
};

const struct model_param params_trust[] = {
    { .name = "sha256", .type = PARAM_TEXT, .required = true, .min = 64, .max = 64,
      .doc = "Fingerprint of the certificate, as a person has compared it." },
    { 0 },
};
