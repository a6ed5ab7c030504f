/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every operation, once. Routes, validation, OpenAPI, command line verbs,
 * capabilities and menus follow from this table. Meaning of the power states:
 * docs/architecture.md, "What an operation starts from".
 */
#include <polyvisor/model.h>

static const char *const on_timeout[] = { "fail", "stop", NULL };

static const struct model_param shutdown_params[] = {
    { .name = "timeout_s", .type = PARAM_INT, .min = 1, .max = 3600,
      .doc = "How long the guest may take; 300 unless given." },
    { .name = "on_timeout", .type = PARAM_ENUM, .choices = on_timeout,
      .doc = "What to do when it takes longer: fail (the default), or cut the power." },
    { 0 },
};

static const struct model_param stop_params[] = {
    { .name = "force", .type = PARAM_BOOL,
      .doc = "Needed to drop the saved state of a suspended VM." },
    { 0 },
};

static const struct model_param snapshot_create_params[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 80,
      .doc = "Name of the snapshot." },
    { .name = "description", .type = PARAM_TEXT, .max = 1024, .doc = "What it is made for." },
    { .name = "memory", .type = PARAM_BOOL, .needs = "vm.snapshot.memory",
      .doc = "Include the memory of a running VM." },
    { .name = "quiesce", .type = PARAM_BOOL, .needs = "vm.snapshot.quiesce",
      .doc = "Bring the guest's file systems to rest first." },
    { 0 },
};

static const struct model_param snapshot_delete_params[] = {
    { .name = "children", .type = PARAM_BOOL, .doc = "Delete what follows from it, too." },
    { 0 },
};

static const struct model_param maintenance_params[] = {
    { .name = "reason", .type = PARAM_TEXT, .max = 256, .doc = "Shown to others." },
    { 0 },
};

static const struct model_param trust_params[] = {
    { .name = "sha256", .type = PARAM_TEXT, .required = true, .min = 64, .max = 64,
      .doc = "Fingerprint of the certificate, as a person has compared it." },
    { 0 },
};

const struct model_operation model_operations[] = {
    { .name = "vm.start", .title = "Start", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_OFF | FROM_SUSPENDED | FROM_UNKNOWN, .no_op = FROM_RUNNING,
      .target = PV_POWER_STATE_RUNNING, .activity = PV_ACTIVITY_STARTING,
      .doc = "Power on, or continue a suspended VM." },
    { .name = "vm.shutdown", .title = "Shut down", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_RUNNING | FROM_UNKNOWN, .no_op = FROM_OFF, .target = PV_POWER_STATE_OFF,
      .activity = PV_ACTIVITY_SHUTTING_DOWN, .params = shutdown_params,
      .doc = "Ask the guest to shut down. Needs guest tools." },
    { .name = "vm.stop", .title = "Turn off", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_RUNNING | FROM_PAUSED | FROM_SUSPENDED | FROM_UNKNOWN, .no_op = FROM_OFF,
      .target = PV_POWER_STATE_OFF, .activity = PV_ACTIVITY_STOPPING, .params = stop_params,
      .doc = "Cut the power." },
    { .name = "vm.reboot", .title = "Restart guest", .kind = PV_KIND_vm,
      .permission = PERM_VM_POWER, .from = FROM_RUNNING, .target = PV_POWER_STATE_RUNNING,
      .activity = PV_ACTIVITY_RESETTING, .doc = "Ask the guest to restart. Needs guest tools." },
    { .name = "vm.reset", .title = "Reset", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_RUNNING | FROM_PAUSED, .target = PV_POWER_STATE_RUNNING,
      .activity = PV_ACTIVITY_RESETTING, .doc = "Restart without asking the guest." },
    { .name = "vm.pause", .title = "Pause", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_RUNNING, .no_op = FROM_PAUSED, .target = PV_POWER_STATE_PAUSED,
      .activity = PV_ACTIVITY_PAUSING, .doc = "Stop the virtual processors; memory stays." },
    { .name = "vm.resume", .title = "Resume", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_PAUSED | FROM_SUSPENDED, .no_op = FROM_RUNNING,
      .target = PV_POWER_STATE_RUNNING, .activity = PV_ACTIVITY_RESUMING,
      .doc = "Continue a paused or suspended VM." },
    { .name = "vm.suspend", .title = "Suspend", .kind = PV_KIND_vm, .permission = PERM_VM_POWER,
      .from = FROM_RUNNING | FROM_PAUSED, .no_op = FROM_SUSPENDED,
      .target = PV_POWER_STATE_SUSPENDED, .activity = PV_ACTIVITY_SUSPENDING,
      .doc = "Write the memory to disk and stop." },

    { .name = "vm.snapshot.create", .title = "Take snapshot", .kind = PV_KIND_vm,
      .permission = PERM_VM_SNAPSHOT, .activity = PV_ACTIVITY_SNAPSHOTTING,
      .params = snapshot_create_params, .path = "/vms/{id}/snapshots", .result = PV_KIND_snapshot,
      .doc = "Keep the present state of the VM." },
    { .name = "vm.snapshot.revert", .title = "Revert to snapshot", .kind = PV_KIND_snapshot,
      .permission = PERM_VM_SNAPSHOT, .activity = PV_ACTIVITY_REVERTING,
      .path = "/vms/{owner}/snapshots/{id}/actions/revert",
      .doc = "Take the VM back to this state; what came after is lost unless kept by a snapshot." },
    { .name = "vm.snapshot.delete", .title = "Delete snapshot", .kind = PV_KIND_snapshot,
      .permission = PERM_VM_SNAPSHOT, .activity = PV_ACTIVITY_CONSOLIDATING,
      .params = snapshot_delete_params, .method = "DELETE", .path = "/vms/{owner}/snapshots/{id}",
      .doc = "Forget this state; the VM stays as it is." },

    { .name = "provider.sync", .title = "Sync now", .kind = PV_KIND_provider, .core = true,
      .permission = PERM_PROVIDER_MANAGE, .safe_to_repeat = true,
      .doc = "Read the whole inventory again; also starts again what was stopped by an error." },
    { .name = "provider.test", .title = "Test connection", .kind = PV_KIND_provider, .core = true,
      .permission = PERM_PROVIDER_MANAGE, .safe_to_repeat = true,
      .doc = "Try the connection step by step; the findings are the task's result." },
    { .name = "provider.pause", .title = "Pause", .kind = PV_KIND_provider, .core = true,
      .permission = PERM_PROVIDER_MANAGE, .safe_to_repeat = true, .params = maintenance_params,
      .doc = "Let writes wait; reads go on." },
    { .name = "provider.resume", .title = "Resume", .kind = PV_KIND_provider, .core = true,
      .permission = PERM_PROVIDER_MANAGE, .safe_to_repeat = true,
      .doc = "Let writes go on." },
    { .name = "provider.trust_certificate", .title = "Trust certificate", .core = true,
      .kind = PV_KIND_provider, .permission = PERM_PROVIDER_MANAGE, .safe_to_repeat = true,
      .params = trust_params, .doc = "Pin the certificate with this fingerprint and connect again." },

    { .name = "object.sync", .title = "Refresh", .kind = PV_KIND_NONE, .core = true,
      .permission = PERM_VM_READ, .safe_to_repeat = true, .path = "/{plural}/{id}/actions/sync",
      .doc = "Ask the provider for this object as it is now." },
    { .name = NULL },
};
