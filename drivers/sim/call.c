/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation is checked, waits as long as it would take, and then takes effect. A job lives as
 * long as its call: one that is to be followed after a restart is unknown, and the VM's state
 * decides where it can. As a new session starts from the seed, that is the state the seed gave the
 * VM, not the one it had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/jsonw.h>

#include "drivers/sim/files.h"

#define GIB (1024ull * 1024 * 1024)
#define STEP_MS 100         /* how often a waiting call looks whether it is canceled */
#define BYTES_PER_MS 400000 /* copied */
#define COPY_MAX_MS 60000
#define ACCOUNT "svc-polyvisor"

enum native_flag {
    BY_GUEST = 1,  /* needs guest tools */
    BY_MEMORY = 2, /* the more memory, the longer */
    TEMPLATES = 4, /* works on them, too */
    NO_JOB = 8,    /* answered at once */
    STREAMS = 16,  /* bytes go through a stream */
};

static const char *const create_steps[] = { "Make the configuration", "Make the disks",
                                            "Register the VM", NULL };
static const char *const clone_steps[] = { "Copy the configuration", "Copy the disks",
                                           "Register the VM", NULL };
static const char *const move_steps[] = { "Check the target", "Copy", "Switch over", NULL };
static const char *const export_steps[] = { "Write the configuration", "Copy the disks", NULL };
static const char *const rest_steps[] = { "Move the VMs", "Enter maintenance mode", NULL };
static const char *const image_steps[] = { "Make the file", "Copy", NULL };

const char sim_operations[] =
    "[\"vm.start\",\"vm.shutdown\",\"vm.stop\",\"vm.reboot\",\"vm.reset\",\"vm.pause\","
    "\"vm.resume\",\"vm.suspend\",\"vm.snapshot.create\",\"vm.snapshot.revert\","
    "\"vm.snapshot.delete\",\"vm.delete_snapshots\",\"vm.snapshot.update\",\"vm.snapshot.export\",\"vm.create\","
    "\"vm.import\",\"vm.delete\",\"vm.rename\",\"vm.reconfigure\",\"vm.clone\",\"vm.move\","
    "\"vm.export\",\"vm.template\",\"vm.disk.attach\",\"vm.disk.update\",\"vm.disk.detach\","
    "\"vm.nic.attach\",\"vm.nic.update\",\"vm.nic.detach\",\"vm.cdrom.attach\","
    "\"vm.cdrom.detach\",\"vm.iso.mount\",\"vm.iso.eject\",\"vm.controller.attach\","
    "\"vm.controller.detach\",\"vm.guest.set_data\",\"vm.metrics.enable\","
    "\"vm.metrics.disable\",\"vm.screenshot\",\"vm.keystrokes\",\"vm.console\","
    "\"datastore.files\",\"datastore.folder.create\",\"datastore.file.move\","
    "\"datastore.file.delete\",\"datastore.file.download\",\"datastore.file.upload\",\"host.enter_maintenance\",\"host.exit_maintenance\","
    "\"host.service.start\",\"host.service.stop\",\"host.service.restart\",\"host.service.set_start\","
    "\"switch.create\",\"switch.update\",\"switch.delete\",\"disk.create\",\"disk.inspect\","
    "\"disk.resize\",\"disk.compact\",\"disk.convert\",\"disk.merge\",\"disk.check\","
    "\"disk.delete\"]";

int job_native(const struct job *j, struct pv_err *err, int rc, const char *vim, const char *hyperv)
{
    pv_err_native(err, sim_is_vmware(j->e) ? vim : hyperv);
    return rc;
}

void job_made(struct job *j, const char *kind, const char *native_id, const char *owner)
{
    json_t *object = json_pack("{s:s, s:s}", "kind", kind, "native_id", native_id);

    if (object && owner)
        json_object_set_new(object, "owner", json_string(owner));
    json_object_set_new(j->answer, "object", object);
}

static void add_to(json_t *answer, const char *list, json_t *one)
{
    if (!json_object_get(answer, list))
        json_object_set_new(answer, list, json_array());
    json_array_append_new(json_object_get(answer, list), one);
}

void job_touched(struct job *j, const char *kind, const char *native_id, bool abroad)
{
    add_to(j->answer, "objects",
           json_pack("{s:s, s:s, s:b}", "kind", kind, "native_id", native_id, "abroad", abroad));
}

void job_difference(struct job *j, const char *text)
{
    add_to(j->answer, "differences", json_string(text));
}

static int delete_snapshots(struct job *j, struct pv_err *err)
{
    return sim_snaps_clear(j->e, j->index, err);
}

static int rename_snapshot(struct job *j, struct pv_err *err)
{
    const json_t *description = json_object_get(j->args, "description");

    return sim_snaps_rename(j->e, j->index, j->snapshot,
                            json_string_value(json_object_get(j->args, "name")),
                            json_is_null(description) ? "" : json_string_value(description), err);
}

/* By family: vSphere's method, Hyper-V's. NULL: it has none. */
static const struct sim_native natives[] = {
    { "vm.start", "PowerOnVM_Task", "RequestStateChange(2)", 1000, 4000, 0, SIM_DID_START, 0, 0, 0,
      0 },
    { "vm.shutdown", "ShutdownGuest", "InitiateShutdown", 5000, 20000, BY_GUEST, SIM_DID_SHUTDOWN,
      0, 0, 0, 0 },
    { "vm.stop", "PowerOffVM_Task", "RequestStateChange(3)", 500, 2000, 0, SIM_DID_STOP, 0, 0, 0,
      0 },
    { "vm.reboot", "RebootGuest", "InitiateReboot", 5000, 20000, BY_GUEST, SIM_DID_REBOOT, 0, 0, 0,
      0 },
    { "vm.reset", "ResetVM_Task", "RequestStateChange(11)", 1000, 3000, 0, SIM_DID_RESET, 0, 0, 0,
      0 },
    { "vm.pause", NULL, "RequestStateChange(9)", 300, 1000, 0, SIM_DID_PAUSE, 0, 0, 0, 0 },
    { "vm.resume", "PowerOnVM_Task", "RequestStateChange(2)", 1000, 4000, 0, SIM_DID_RESUME, 0, 0,
      0, 0 },
    { "vm.suspend", "SuspendVM_Task", "RequestStateChange(6)", 2000, 10000, BY_MEMORY,
      SIM_DID_SUSPEND, 0, 0, 0, 0 },
    { "vm.snapshot.create", "CreateSnapshotEx_Task", "CreateSnapshot", 2000, 10000, BY_MEMORY,
      SIM_DID_SNAPSHOT, 0, 0, 0, 0 },
    { "vm.snapshot.revert", "RevertToSnapshot_Task", "ApplySnapshot", 2000, 8000, BY_MEMORY,
      SIM_DID_REVERT, 0, 0, 0, 0 },
    { "vm.snapshot.delete", "RemoveSnapshot_Task", "DestroySnapshot", 2000, 10000, 0,
      SIM_DID_UNSNAPSHOT, 0, 0, 0, 0 },
    { "vm.delete_snapshots", "RemoveAllSnapshots_Task", "DestroySnapshotTree", 2000, 10000, TEMPLATES,
      SIM_DID_UNSNAPSHOT, 0, delete_snapshots, 0, 0 },
    { "vm.snapshot.update", "RenameSnapshot", "ModifySystemSettings", 200, 600, 0, SIM_DID_SNAPSHOT,
      0, rename_snapshot, 0, 0 },
    { "vm.snapshot.export", NULL, "ExportSystemDefinition", 2000, 4000, 0, SIM_DID_NOTHING, 0,
      sim_apply_nothing, sim_bytes_disks, export_steps },
    { "vm.create", "CreateVM_Task", "DefineSystem", 1000, 3000, 0, SIM_DID_PLACE, sim_check_create,
      sim_apply_create, 0, create_steps },
    { "vm.import", "RegisterVM_Task", "ImportSystemDefinition", 1000, 5000, 0, SIM_DID_PLACE,
      sim_check_create, sim_apply_import, 0, create_steps },
    { "vm.delete", "Destroy_Task", "DestroySystem", 1000, 3000, TEMPLATES, SIM_DID_DELETE, 0,
      sim_apply_delete, 0, 0 },
    { "vm.rename", "Rename_Task", "ModifySystemSettings", 200, 1000, TEMPLATES, SIM_DID_RENAME, 0,
      sim_apply_reconfigure, 0, 0 },
    { "vm.reconfigure", "ReconfigVM_Task", "ModifyResourceSettings", 500, 2000, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_reconfigure, sim_apply_reconfigure, 0, 0 },
    { "vm.clone", "CloneVM_Task", "ExportSystemDefinition, ImportSystemDefinition", 2000, 5000,
      TEMPLATES, SIM_DID_NOTHING, sim_check_clone, sim_apply_clone, sim_bytes_disks, clone_steps },
    { "vm.move", "RelocateVM_Task", "MigrateVirtualSystemToHost", 2000, 6000, TEMPLATES,
      SIM_DID_MOVE, sim_check_move, sim_apply_move, sim_bytes_move, move_steps },
    { "vm.export", "ExportVm", "ExportSystemDefinition", 2000, 4000, TEMPLATES, SIM_DID_NOTHING, 0,
      sim_apply_nothing, sim_bytes_disks, export_steps },
    { "vm.template", "MarkAsTemplate", NULL, 300, 1000, TEMPLATES, SIM_DID_RECONFIGURE, 0,
      sim_apply_template, 0, 0 },
    { "vm.disk.attach", "ReconfigVM_Task", "AddResourceSettings", 500, 2000, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.disk.update", "ReconfigVM_Task", "ModifyResourceSettings", 500, 2000, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.disk.detach", "ReconfigVM_Task", "RemoveResourceSettings", 500, 2000, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.nic.attach", "ReconfigVM_Task", "AddResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.nic.update", "ReconfigVM_Task", "ModifyResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.nic.detach", "ReconfigVM_Task", "RemoveResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.cdrom.attach", "ReconfigVM_Task", "AddResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.cdrom.detach", "ReconfigVM_Task", "RemoveResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.iso.mount", "ReconfigVM_Task", "AddResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.iso.eject", "ReconfigVM_Task", "RemoveResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.controller.attach", "ReconfigVM_Task", "AddResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.controller.detach", "ReconfigVM_Task", "RemoveResourceSettings", 500, 1500, TEMPLATES,
      SIM_DID_RECONFIGURE, sim_check_device, sim_apply_device, 0, 0 },
    { "vm.guest.set_data", "ReconfigVM_Task", "AddKvpItems", 200, 800, 0, SIM_DID_RECONFIGURE, 0,
      sim_apply_data, 0, 0 },
    { "vm.metrics.enable", NULL, "ControlMetrics(2)", 200, 800, 0, SIM_DID_RECONFIGURE, 0,
      sim_apply_metrics, 0, 0 },
    { "vm.metrics.disable", NULL, "ControlMetrics(3)", 200, 800, 0, SIM_DID_RECONFIGURE, 0,
      sim_apply_metrics, 0, 0 },
    { "vm.screenshot", "CreateScreenshot_Task", "GetVirtualSystemThumbnailImage", 0, 0, NO_JOB,
      SIM_DID_NOTHING, 0, sim_apply_screenshot, 0, 0 },
    { "vm.keystrokes", "PutUsbScanCodes", "TypeText", 0, 0, NO_JOB, SIM_DID_NOTHING,
      sim_check_keystrokes, sim_apply_nothing, 0, 0 },
    { "vm.console", "AcquireTicket", "Msvm_TerminalServiceSettingData", 0, 0, NO_JOB,
      SIM_DID_NOTHING, 0, sim_apply_console, 0, 0 },
    { "host.enter_maintenance", "EnterMaintenanceMode_Task", NULL, 2000, 6000, 0, SIM_DID_PLACE,
      sim_check_rest, sim_apply_rest, 0, rest_steps },
    { "host.exit_maintenance", "ExitMaintenanceMode_Task", NULL, 500, 2000, 0, SIM_DID_PLACE,
      sim_check_rest, sim_apply_rest, 0, 0 },
    { "host.service.start", "StartService", "Win32_Service.StartService", 300, 1500, 0,
      SIM_DID_PLACE, sim_check_service, sim_apply_service, 0, 0 },
    { "host.service.stop", "StopService", "Win32_Service.StopService", 300, 1500, 0, SIM_DID_PLACE,
      sim_check_service, sim_apply_service, 0, 0 },
    { "host.service.restart", "RestartService", "Win32_Service.StopService", 600, 3000, 0,
      SIM_DID_PLACE, sim_check_service, sim_apply_service, 0, 0 },
    { "host.service.set_start", "UpdateServicePolicy", "Win32_Service.ChangeStartMode", 100, 400, 0,
      SIM_DID_PLACE, sim_check_service, sim_apply_service, 0, 0 },
    { "datastore.files", "SearchDatastore_Task", "CIM_DataFile", 0, 0, NO_JOB, SIM_DID_PLACE, 0,
      sim_apply_files, 0, 0 },
    { "datastore.folder.create", "MakeDirectory", NULL, 100, 300, 0,
      SIM_DID_PLACE, sim_check_file, sim_apply_file, 0, 0 },
    { "datastore.file.move", "MoveDatastoreFile_Task", "CIM_DataFile.Rename", 200, 600, 0,
      SIM_DID_PLACE, sim_check_file, sim_apply_file, 0, 0 },
    { "datastore.file.delete", "DeleteDatastoreFile_Task", "CIM_DataFile.Delete", 200, 600, 0,
      SIM_DID_PLACE, sim_check_file, sim_apply_file, 0, 0 },
    { "datastore.file.download", "GET /folder", NULL, 0, 0, NO_JOB | STREAMS, SIM_DID_PLACE, 0, 0, 0,
      0 },
    { "datastore.file.upload", "PUT /folder", NULL, 500, 1000, STREAMS, SIM_DID_PLACE,
      sim_check_upload, sim_apply_upload, 0, 0 },
    { "switch.create", "AddVirtualSwitch", "DefineSystem", 500, 2000, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, 0, 0 },
    { "switch.update", "UpdateVirtualSwitch", "ModifySystemSettings", 500, 2000, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, 0, 0 },
    { "switch.delete", "RemoveVirtualSwitch", "DestroySystem", 500, 2000, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, 0, 0 },
    { "disk.create", "CreateVirtualDisk_Task", "CreateVirtualHardDisk", 300, 1000, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, sim_bytes_image, image_steps },
    { "disk.inspect", "QueryVirtualDiskInfo_Task", "GetVirtualHardDiskSettingData", 200, 600, 0,
      SIM_DID_PLACE, sim_check_thing, sim_apply_thing, 0, 0 },
    { "disk.resize", "ExtendVirtualDisk_Task", "ResizeVirtualHardDisk", 300, 1000, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, 0, 0 },
    { "disk.compact", "ShrinkVirtualDisk_Task", "CompactVirtualHardDisk", 500, 2000, 0,
      SIM_DID_PLACE, sim_check_thing, sim_apply_thing, sim_bytes_image, 0 },
    { "disk.convert", "CopyVirtualDisk_Task", "ConvertVirtualHardDisk", 500, 2000, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, sim_bytes_image, image_steps },
    { "disk.merge", NULL, "MergeVirtualHardDisk", 500, 2000, 0, SIM_DID_PLACE, sim_check_thing,
      sim_apply_thing, sim_bytes_image, 0 },
    { "disk.check", NULL, "ValidateVirtualHardDisk", 500, 2000, 0, SIM_DID_PLACE, sim_check_thing,
      sim_apply_thing, sim_bytes_image, 0 },
    { "disk.delete", "DeleteVirtualDisk_Task", "CIM_DataFile.Delete", 200, 600, 0, SIM_DID_PLACE,
      sim_check_thing, sim_apply_thing, 0, 0 },
};

/* ------------------------------------------------------------------ what is asked for */

static int read_operation(struct job *j, struct pv_err *err)
{
    const char *name = j->call->operation;

    j->op = model_operation(name);
    for (size_t i = 0; i < PV_COUNT(natives); i++)
        if (strcmp(natives[i].name, name) == 0)
            j->native = &natives[i];
    if (!j->op || !j->native)
        return pv_fail(err, PV_ENOTSUP, "the simulation cannot do %s", name);
    if (!(sim_is_vmware(j->e) ? j->native->vim : j->native->hyperv)) {
        pv_fail(err, PV_ENOTSUP, "%s",
                sim_lacks(j->e, j->op->capability ? j->op->capability : name));
        return job_native(j, err, PV_ENOTSUP, "NotSupported", "32775");
    }
    return PV_OK;
}

int job_gone(const struct job *j, struct pv_err *err, const char *what)
{
    pv_fail(err, PV_ENOENT, "there is no such %s", what);
    return job_native(j, err, PV_ENOENT, "ManagedObjectNotFound", "0x80041002");
}

static int read_subject(struct job *j, struct pv_err *err)
{
    const char *id, *owner;
    uint64_t number;

    j->subject = json_loads(j->call->subject ? j->call->subject : "", 0, NULL);
    j->args = json_loads(j->call->args && *j->call->args ? j->call->args : "{}", 0, NULL);
    id = json_string_value(json_object_get(j->subject, "native_id"));
    owner = json_string_value(json_object_get(j->subject, "owner"));
    j->answer = json_object();
    if (!id || !json_is_object(j->args) || !j->answer)
        return pv_fail(err, PV_EINVAL, "the call names no object, or its arguments are no object");
    j->subject_id = id;
    j->owner_id = owner ? owner : "";
    j->vm_id = owner ? owner : id;
    if (j->native->done == SIM_DID_PLACE) {
        j->vm_id = "";
        return PV_OK;
    }
    if (j->op->kind == PV_KIND_snapshot) {
        if (!sim_snapshot_number(j->e, id, &number, &j->snapshot))
            return job_gone(j, err, "snapshot");
        sim_vm_id_of(j->e, number, j->id);
        j->vm_id = j->id;
    }
    j->has_vm = true;
    if (!sim_vm_find(j->e, j->vm_id, &j->index))
        return job_gone(j, err, "VM");
    return PV_OK;
}

/* ------------------------------------------------------------------ may it be done (locked) */

static uint32_t from_bit(uint8_t power)
{
    static const uint32_t bits[] = { FROM_UNKNOWN, FROM_OFF, FROM_RUNNING, FROM_PAUSED,
                                     FROM_SUSPENDED };

    return power < PV_COUNT(bits) ? bits[power] : FROM_UNKNOWN;
}

static int check_power(struct job *j, uint8_t power, struct pv_err *err)
{
    uint32_t bit = from_bit(power);

    j->no_op = (j->op->no_op & bit) != 0;
    if (j->no_op || !j->op->from)
        return PV_OK;
    if (!(j->op->from & bit) && !((j->op->from_force & bit) && job_flag(j, "force"))) {
        pv_fail_as(err, "vm-invalid-state", "%s is not possible while the VM is %s", j->op->title,
                   model_enum_text(PV_ENUM_power_state, power));
        return job_native(j, err, PV_ESTATE, "InvalidPowerState", "32775");
    }
    if (j->native->done == SIM_DID_STOP && power == PV_POWER_STATE_SUSPENDED &&
        !job_flag(j, "force")) {
        pv_fail_as(err, "vm-invalid-state", "turning off would drop the VM's saved state");
        pv_err_remedy(err, "Resume the VM first, or set force to drop the saved state.");
        return job_native(j, err, PV_ESTATE, "InvalidPowerState", "32775");
    }
    return PV_OK;
}

static int check_snapshot(struct job *j, struct pv_err *err)
{
    struct sim_snaps room;

    if (j->op->kind == PV_KIND_snapshot &&
        !sim_snaps_find(sim_snaps_get(j->e, j->index, &room), j->snapshot))
        return job_gone(j, err, "snapshot");
    return PV_OK;
}

static bool is_template(const struct job *j)
{
    const json_t *own =
        json_object_get(json_object_get(j->e->vms[j->index].doc, "fields"), "template");

    return own ? json_is_true(own) : j->vm.is_template;
}

static bool quiesces(const struct job *j)
{
    return job_flag(j, "quiesce") || strcmp(job_text(j, "snapshot_type"), "production") == 0;
}

static int check_vm(struct job *j, struct pv_err *err)
{
    const struct sim_vm_state *s = &j->e->vms[j->index];
    char here[SIM_ID_MAX], name[129];
    bool guest;
    int rc;

    /* Since it was found, the VM may have been deleted, and its place given to another one. */
    sim_vm_traits(j->e, j->index, s->generation, &j->vm);
    sim_vm_display(j->e, &j->vm, name, sizeof(name), here);
    if (s->absent || strcmp(here, j->vm_id) != 0)
        return job_gone(j, err, "VM");
    rc = check_snapshot(j, err);
    if (rc == PV_OK)
        rc = check_power(j, s->power, err);
    if (rc != PV_OK || j->no_op)
        return rc;
    if (is_template(j) && !(j->native->flags & TEMPLATES)) {
        pv_fail(err, PV_ENOTSUP, "%s is a template", j->vm.name);
        pv_err_remedy(err, "Deploy a VM from the template, or convert it to a VM.");
        return job_native(j, err, PV_ENOTSUP, "NotSupported", "");
    }
    guest = (j->native->flags & BY_GUEST) || (quiesces(j) && s->power == PV_POWER_STATE_RUNNING);
    if (guest && !j->vm.tools_installed) {
        pv_fail(err, PV_ESTATE, "the guest tools of %s are not running", j->vm.name);
        pv_err_needs(err, sim_is_vmware(j->e) ? "VMware Tools" : "integration services");
        pv_err_remedy(err, "Install the guest tools, or use an action that does not need them.");
        return job_native(j, err, PV_ESTATE, "ToolsUnavailable", "0x80070015");
    }
    if (s->activity != PV_ACTIVITY_NONE && !(j->native->flags & NO_JOB)) {
        pv_fail(err, PV_EBUSY, "something else is done to %s: %s", j->vm.name,
                model_enum_text(PV_ENUM_activity, s->activity));
        return job_native(j, err, PV_EBUSY, "TaskInProgress", "32775");
    }
    return PV_OK;
}

static int check(struct job *j, struct pv_err *err)
{
    int rc = j->has_vm ? check_vm(j, err) : PV_OK;

    if (rc == PV_OK && !j->no_op && j->native->check)
        rc = j->native->check(j, err);
    return rc;
}

/* ------------------------------------------------------------------ the job */

static int64_t duration(const struct job *j)
{
    uint64_t span = j->native->max_ms - j->native->min_ms;
    uint64_t ms = sim_roll(j->e, SIM_DURATION, j->number) % (span + 1);
    uint64_t gib = j->vm.memory_bytes < 64 * GIB ? j->vm.memory_bytes / GIB : 64;

    if (j->native->flags & BY_MEMORY) /* half by chance, half by size, the largest from 64 GiB on */
        ms = ms / 2 + span / 2 * gib / 64;
    if (j->e->set.speed <= 0)
        return 0;
    ms += j->bytes / BYTES_PER_MS < COPY_MAX_MS ? j->bytes / BYTES_PER_MS : COPY_MAX_MS;
    return (int64_t)((double)(j->native->min_ms + ms) / j->e->set.speed);
}

static void set_activity(struct job *j, enum pv_activity activity)
{
    struct sim_change c = { .vm = j->index, .what = SIM_DID_BEGIN, .actor = ACCOUNT };

    if (!j->has_vm || (j->native->flags & NO_JOB) || j->op->activity == PV_ACTIVITY_NONE)
        return;
    j->e->vms[j->index].activity = (uint8_t)activity;
    sim_estate_tell(j->e, &c);
}

static int begin(struct job *j, struct pv_err *err)
{
    int rc;

    pthread_mutex_lock(&j->e->lock);
    rc = check(j, err);
    if (rc == PV_OK && !j->no_op && !j->call->dry_run) {
        uint64_t roll;

        j->number = ++j->e->jobs;
        roll = sim_roll(j->e, SIM_FAIL, j->number);
        j->fails = (double)(roll >> 11) * 0x1p-53 < j->e->set.failure_rate;
        j->bytes = j->native->bytes ? j->native->bytes(j) : 0;
        j->duration_ms = duration(j);
        set_activity(j, j->op->activity);
    }
    pthread_mutex_unlock(&j->e->lock);
    return rc;
}

static void call_off(struct job *j)
{
    pthread_mutex_lock(&j->e->lock);
    set_activity(j, PV_ACTIVITY_NONE);
    pthread_mutex_unlock(&j->e->lock);
}

static void progress(const struct job *j, const char *ref, int percent)
{
    struct pv_progress p = {
        .size = sizeof(p),
        .percent = percent,
        .native_ref = ref,
        .job = ref,
        .bytes_total = j->bytes,
        .bytes_done = j->bytes / 100 * (uint64_t)percent,
    };

    for (p.steps = 0; j->native->steps && j->native->steps[p.steps]; p.steps++)
        ;
    if (p.steps) {
        p.step = 1 + (uint32_t)percent * p.steps / 101;
        p.step_name = j->native->steps[p.step - 1];
    }
    j->e->host->progress(j->e->host->ctx, j->call->call, &p);
}

static int wait_for(const struct job *j, int64_t ms, struct pv_err *err)
{
    const struct pv_host *host = j->e->host;
    int64_t start = clock_mono_ms(), spent;
    int shown = 0, percent;
    char ref[SIM_ID_MAX];

    sim_job_id(j->e, j->number, ref);
    /* What is sent again needs no job that is followed. */
    if (!(j->native->flags & STREAMS))
        progress(j, ref, 0);
    for (;;) {
        if (host->cancelled(host->ctx, j->call->call))
            return pv_fail(err, PV_ECANCELED, "canceled");
        spent = clock_mono_ms() - start;
        if (spent >= ms)
            return PV_OK;
        percent = (int)(spent * 100 / j->duration_ms);
        if (percent >= shown + 10 && !(j->native->flags & STREAMS)) {
            progress(j, ref, percent);
            shown = percent;
        }
        clock_sleep_ms(ms - spent < STEP_MS ? ms - spent : STEP_MS);
    }
}

/* The failure that fits the operation. */
static int go_wrong(const struct job *j, struct pv_err *err)
{
    if (j->bytes) {
        pv_fail(err, PV_ENOSPC, "the disk is full");
        return job_native(j, err, PV_ENOSPC, "NoDiskSpace", "0x80070070");
    }
    switch (j->native->done) {
    case SIM_DID_START:
    case SIM_DID_RESUME:
        pv_fail_as(err, "insufficient-resources", "the host has not enough memory to start %s",
                   j->vm.name);
        return job_native(j, err, PV_ENOSPC, "InsufficientResourcesFault", "0x8007000E");
    case SIM_DID_SHUTDOWN:
    case SIM_DID_REBOOT:
        pv_fail(err, PV_ETIMEOUT, "the guest of %s did not react", j->vm.name);
        return job_native(j, err, PV_ETIMEOUT, "ToolsUnavailable", "0x80070015");
    case SIM_DID_SNAPSHOT:
        pv_fail(err, PV_EIO, "no snapshot of %s could be taken", j->vm.name);
        return job_native(j, err, PV_EIO, "ApplicationQuiesceFault", "32768");
    case SIM_DID_REVERT:
    case SIM_DID_UNSNAPSHOT:
        pv_fail(err, PV_EIO, "a file of %s is in use", j->vm.name);
        return job_native(j, err, PV_EIO, "FileLocked", "0x80070020");
    default:
        pv_fail(err, PV_EIO, "the hypervisor could not do this to %s", j->vm.name);
        return job_native(j, err, PV_EIO, "GenericVmConfigFault", "0x80041014");
    }
}

/* shutdown: the guest may take longer than the caller wants to wait. */
static int guest_patience(struct job *j, int64_t *wait_ms, struct pv_err *err)
{
    const json_t *v = json_object_get(j->args, "timeout_s");
    int64_t most_s = json_is_integer(v) ? json_integer_value(v) : 300;

    if (j->native->done != SIM_DID_SHUTDOWN || j->duration_ms / 1000 < most_s)
        return PV_OK;
    *wait_ms = most_s * 1000;
    if (strcmp(job_text(j, "on_timeout"), "stop") == 0) {
        j->cut_power = true;
        return PV_OK;
    }
    return pv_fail(err, PV_ETIMEOUT, "the guest of %s did not shut down in %lld s", j->vm.name,
                   (long long)most_s);
}

/* With the lock held. */
static int take_effect(struct job *j, struct pv_err *err)
{
    struct sim_vm_state *s = &j->e->vms[j->index];
    bool running = j->has_vm && s->power == PV_POWER_STATE_RUNNING;
    bool production = strcmp(job_text(j, "snapshot_type"), "production") == 0;

    if (j->native->apply)
        return j->native->apply(j, err);
    switch (j->native->done) {
    case SIM_DID_SNAPSHOT:
        return sim_snaps_create(j->e, j->index, job_text(j, "name"), job_text(j, "description"),
                                running && !production && job_flag(j, "memory"),
                                running && quiesces(j), &j->snapshot, err);
    case SIM_DID_REVERT:
        return sim_snaps_revert(j->e, j->index, j->snapshot, err);
    case SIM_DID_UNSNAPSHOT:
        return sim_snaps_delete(j->e, j->index, j->snapshot, job_flag(j, "children"), err);
    default:
        /* A guest that goes on did not start anew. */
        if (j->op->target == PV_POWER_STATE_RUNNING && j->native->done != SIM_DID_RESUME)
            s->boot_ms = clock_wall_ms();
        s->power = (uint8_t)j->op->target;
        if (s->power == PV_POWER_STATE_RUNNING)
            s->host = sim_host_to_run(j->e, s->host);
        return PV_OK;
    }
}

static int finish(struct job *j, struct pv_err *err)
{
    struct sim_change c = { .vm = j->index, .what = j->native->done, .actor = ACCOUNT };
    int rc;

    if (j->cut_power)
        c.what = SIM_DID_STOP;
    pthread_mutex_lock(&j->e->lock);
    rc = take_effect(j, err);
    if (j->has_vm) {
        if (!(j->native->flags & NO_JOB))
            j->e->vms[j->index].activity = PV_ACTIVITY_NONE;
        if (rc != PV_OK)
            c.what = SIM_DID_BEGIN;
        else if (j->left)
            c.what = SIM_DID_DELETE;
        sim_estate_tell(j->e, &c);
    }
    pthread_mutex_unlock(&j->e->lock);
    return rc;
}

static int run(struct job *j, struct pv_err *err)
{
    struct pv_err late = { 0 };
    int64_t wait_ms = j->duration_ms;
    int rc = PV_OK, end = PV_OK;

    if (j->native->flags & STREAMS)
        rc = (j->native->flags & NO_JOB) ? sim_download(j, err) : sim_receive(j, err);
    if (rc != PV_OK || ((j->native->flags & STREAMS) && (j->native->flags & NO_JOB)))
        return rc;
    if (j->native->flags & NO_JOB)
        return finish(j, err);
    if (j->fails) {
        wait_ms = j->duration_ms * 2 / 5;
        end = go_wrong(j, &late);
    } else {
        end = guest_patience(j, &wait_ms, &late);
    }
    rc = wait_for(j, wait_ms, err);
    if (rc == PV_OK && end == PV_OK)
        return finish(j, err);
    call_off(j);
    if (rc == PV_OK && err)
        *err = late;
    return rc != PV_OK ? rc : end;
}

/* ------------------------------------------------------------------ answers */

/* The calls that would be made, as one would read them in a log. */
static json_t *plan(const struct job *j)
{
    json_t *calls = json_pack("[{s:s, s:s, s:O}]", "operation",
                              sim_is_vmware(j->e) ? j->native->vim : j->native->hyperv, "object",
                              j->subject_id, "args", j->args);

    if (calls && j->calls)
        json_array_extend(calls, j->calls);
    return calls;
}

static int write_result(struct job *j, bool changed, char **result, struct pv_err *err)
{
    char snapshot[SIM_ID_MAX];

    json_object_set_new(j->answer, "changed", json_boolean(changed));
    if (j->call->dry_run) {
        json_object_set_new(j->answer, "plan", changed ? plan(j) : json_array());
    } else if (changed && j->has_vm && !(j->native->flags & NO_JOB)) {
        if (!j->left)
            job_touched(j, "vm", j->vm_id, false);
        if (j->native->done == SIM_DID_SNAPSHOT && j->op->result == PV_KIND_snapshot) {
            sim_snapshot_id(j->e, j->vm.number, j->snapshot, snapshot);
            job_made(j, "snapshot", snapshot, j->vm_id);
        }
    }
    *result = json_dumps(j->answer, JSON_COMPACT);
    return *result ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the answer");
}

/* A job from before a restart. Only where the wanted state is the whole effect can it be told. */
static int reattach(struct job *j, struct pv_err *err)
{
    struct sim_snaps room;
    bool reached = false;

    pthread_mutex_lock(&j->e->lock);
    if (j->has_vm && j->op->no_op)
        reached = (j->op->no_op & from_bit(j->e->vms[j->index].power)) != 0;
    else if (j->native->apply == delete_snapshots)
        reached = sim_snaps_get(j->e, j->index, &room)->count == 0;
    else if (j->native->done == SIM_DID_UNSNAPSHOT)
        reached = !sim_snaps_find(sim_snaps_get(j->e, j->index, &room), j->snapshot);
    pthread_mutex_unlock(&j->e->lock);
    if (reached)
        return PV_OK;
    return pv_fail(err, PV_EUNKNOWN, "job %s is not known any more", j->call->native_ref);
}

static int run_job(struct job *j, char **result, struct pv_err *err)
{
    bool changed = true;
    int rc = read_operation(j, err);

    if (rc == PV_OK)
        rc = read_subject(j, err);
    if (rc == PV_OK)
        rc = sim_check_family(j, j->op->params, j->args, "", err);
    if (rc != PV_OK)
        return rc;
    if (j->call->native_ref) {
        rc = reattach(j, err);
    } else {
        rc = begin(j, err);
        changed = !j->no_op;
        if (rc == PV_OK && changed && !j->call->dry_run)
            rc = run(j, err);
    }
    return rc == PV_OK ? write_result(j, changed, result, err) : rc;
}

int sim_call(struct sim_estate *e, const struct sim_call *c, char **result, struct pv_err *err)
{
    struct job j = { .e = e, .call = c };
    int rc = run_job(&j, result, err);

    sim_content_forget(&j);
    json_decref(j.subject);
    json_decref(j.args);
    json_decref(j.answer);
    json_decref(j.doc);
    json_decref(j.calls);
    return rc;
}
