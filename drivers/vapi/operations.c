/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/operations.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/str.h>

#include "drivers/vapi/op.h"
#include "drivers/vapi/vapi.h"

#define POWER(op, native_, run_, state, verb_)                                                     \
    {                                                                                              \
        .operation = (op), .native = (native_), .run = (run_), .verb = (verb_),                    \
        .target = PV_POWER_STATE_##state                                                           \
    }
#define DOES(op, native_, run_, then_, about_, verb_)                                              \
    {                                                                                              \
        .operation = (op), .native = (native_), .run = (run_), .then = (then_), .about = (about_), \
        .verb = (verb_)                                                                            \
    }
#define REMOVES(op, native_, run_, then_, about_, verb_)                                           \
    {                                                                                              \
        .operation = (op), .native = (native_), .run = (run_), .then = (then_), .about = (about_), \
        .verb = (verb_), .removes = true                                                           \
    }

static const struct method methods[] = {
    POWER("vm.start", "PowerOnVM_Task", op_power, RUNNING, "starting"),
    POWER("vm.stop", "PowerOffVM_Task", op_power, OFF, "turning off"),
    POWER("vm.suspend", "SuspendVM_Task", op_power, SUSPENDED, "suspending"),
    POWER("vm.resume", "PowerOnVM_Task", op_power, RUNNING, "resuming"),
    POWER("vm.reset", "ResetVM_Task", op_power, UNKNOWN, "resetting"),
    POWER("vm.shutdown", "ShutdownGuest", op_shutdown, OFF, "shutting down"),
    POWER("vm.reboot", "RebootGuest", op_reboot, UNKNOWN, "restarting the guest of"),

    DOES("vm.snapshot.create", "CreateSnapshot_Task", op_snapshot_create, op_snapshot_made, OP_VM,
         "taking a snapshot of"),
    DOES("vm.snapshot.update", "RenameSnapshot", op_rename_snapshot, NULL, OP_SNAPSHOT,
         "renaming snapshot"),
    DOES("vm.snapshot.revert", "RevertToSnapshot_Task", op_snapshot_revert, NULL, OP_SNAPSHOT,
         "reverting to snapshot"),
    REMOVES("vm.snapshot.delete", "RemoveSnapshot_Task", op_snapshot_delete, NULL, OP_SNAPSHOT,
            "deleting snapshot"),
    DOES("vm.delete_snapshots", "RemoveAllSnapshots_Task", op_snapshot_delete_all, NULL, OP_VM,
         "deleting all snapshots of"),

    DOES("vm.create", "CreateVM_Task", op_create, op_create_then, OP_PLACE, "making"),
    DOES("vm.import", "RegisterVM_Task", op_import, op_import_then, OP_PLACE, "importing"),
    DOES("vm.reconfigure", "ReconfigVM_Task", op_reconfigure, NULL, OP_VM, "changing"),
    DOES("vm.rename", "Rename_Task", op_rename, NULL, OP_VM, "renaming"),
    REMOVES("vm.delete", "Destroy_Task", op_delete, op_delete_then, OP_VM, "deleting"),
    DOES("vm.clone", "CloneVM_Task", op_clone, op_clone_then, OP_VM, "cloning"),
    DOES("vm.template", "MarkAsTemplate", op_template, NULL, OP_VM, "turning the use of"),
    DOES("vm.move", "RelocateVM_Task", op_move, NULL, OP_VM, "moving"),

    DOES("vm.disk.attach", "ReconfigVM_Task", op_disk_attach, op_device_made, OP_VM,
         "adding a disk to"),
    DOES("vm.disk.update", "ReconfigVM_Task", op_disk_update, NULL, OP_DEVICE, "changing disk"),
    REMOVES("vm.disk.detach", "ReconfigVM_Task", op_disk_detach, NULL, OP_DEVICE, "removing disk"),
    DOES("vm.nic.attach", "ReconfigVM_Task", op_nic_attach, op_device_made, OP_VM,
         "adding a network adapter to"),
    DOES("vm.nic.update", "ReconfigVM_Task", op_nic_update, NULL, OP_DEVICE,
         "changing network adapter"),
    REMOVES("vm.nic.detach", "ReconfigVM_Task", op_device_detach, NULL, OP_DEVICE,
            "removing network adapter"),
    DOES("vm.cdrom.attach", "ReconfigVM_Task", op_cdrom_attach, op_device_made, OP_VM,
         "adding a CD drive to"),
    REMOVES("vm.cdrom.detach", "ReconfigVM_Task", op_device_detach, NULL, OP_DEVICE,
            "removing CD drive"),
    DOES("vm.iso.mount", "ReconfigVM_Task", op_iso_mount, NULL, OP_DEVICE,
         "inserting an image into"),
    DOES("vm.iso.eject", "ReconfigVM_Task", op_iso_eject, NULL, OP_DEVICE, "ejecting the image of"),
    DOES("vm.controller.attach", "ReconfigVM_Task", op_controller_attach, op_device_made, OP_VM,
         "adding a controller to"),
    REMOVES("vm.controller.detach", "ReconfigVM_Task", op_device_detach, NULL, OP_DEVICE,
            "removing controller"),

    DOES("datastore.files", "SearchDatastore_Task", op_files, NULL, OP_STORE, "browsing"),
    DOES("datastore.folder.create", "MakeDirectory", op_make_folder, NULL, OP_STORE,
         "making a folder in"),
    DOES("datastore.file.move", "MoveDatastoreFile_Task", op_take_file, NULL, OP_STORE,
         "moving a file of"),
    DOES("datastore.file.delete", "DeleteDatastoreFile_Task", op_take_file, NULL, OP_STORE,
         "deleting a file of"),
    DOES("datastore.file.download", "GET /folder", op_download, NULL, OP_STORE,
         "downloading a file of"),
    DOES("datastore.file.upload", "PUT /folder", op_upload, NULL, OP_STORE, "uploading a file to"),
    DOES("host.enter_maintenance", "EnterMaintenanceMode_Task", op_maintenance, NULL, OP_HOST,
         "entering maintenance mode of"),
    DOES("host.exit_maintenance", "ExitMaintenanceMode_Task", op_maintenance, NULL, OP_HOST,
         "leaving maintenance mode of"),

    DOES("host.service.start", "StartService", op_host_service, NULL, OP_HOST_PART, "starting"),
    DOES("host.service.stop", "StopService", op_host_service, NULL, OP_HOST_PART, "stopping"),
    DOES("host.service.restart", "RestartService", op_host_service, NULL, OP_HOST_PART,
         "restarting"),
    DOES("host.service.set_start", "UpdateServicePolicy", op_host_service, NULL, OP_HOST_PART,
         "changing the start of"),

    DOES("vm.guest.set_data", "ReconfigVM_Task", op_guest_data, NULL, OP_VM,
         "writing guest data of"),
    DOES("vm.screenshot", "CreateScreenshot_Task", op_screenshot, NULL, OP_VM,
         "taking a screenshot of"),
    DOES("vm.keystrokes", "PutUsbScanCodes", op_keystrokes, NULL, OP_VM,
         "typing on the keyboard of"),
    DOES("vm.console", "AcquireTicket", op_console, NULL, OP_VM, "opening the console of"),
};

const char operations_list[] =
    "[\"vm.start\",\"vm.stop\",\"vm.shutdown\",\"vm.reboot\",\"vm.reset\",\"vm.suspend\","
    "\"vm.resume\",\"vm.snapshot.create\",\"vm.snapshot.update\",\"vm.snapshot.revert\","
    "\"vm.snapshot.delete\",\"vm.delete_snapshots\",\"vm.create\",\"vm.import\",\"vm.reconfigure\",\"vm.rename\","
    "\"vm.delete\",\"vm.clone\",\"vm.template\",\"vm.move\","
    "\"vm.disk.attach\",\"vm.disk.update\",\"vm.disk.detach\",\"vm.nic.attach\",\"vm.nic.update\","
    "\"vm.nic.detach\",\"vm.cdrom.attach\",\"vm.cdrom.detach\",\"vm.iso.mount\",\"vm.iso.eject\","
    "\"vm.controller.attach\",\"vm.controller.detach\",\"vm.guest.set_data\",\"vm.screenshot\","
    "\"vm.keystrokes\",\"vm.console\",\"datastore.files\","
    "\"datastore.folder.create\",\"datastore.file.move\",\"datastore.file.delete\","
    "\"datastore.file.download\",\"datastore.file.upload\","
    "\"host.enter_maintenance\",\"host.exit_maintenance\","
    "\"host.service.start\",\"host.service.stop\","
    "\"host.service.restart\",\"host.service.set_start\"]";

/* ------------------------------------------------------------------ from and to the host */

static const char *owner_id(const json_t *subject)
{
    const json_t *owner = json_object_get(subject, "owner");

    return json_string_value(json_is_object(owner) ? json_object_get(owner, "native_id") : owner);
}

static int not_named(const struct operation *o, struct pv_err *err)
{
    return pv_fail(err, PV_EINVAL, "%s: the subject is not named", o->method->operation);
}

static int read_subject(struct operation *o, struct pv_err *err)
{
    const char *id = op_member_str(o->subject, "native_id");
    const char *name = op_member_str(o->subject, "name"), *vm = id;
    enum op_about about = o->method->about;

    o->name = name && *name ? name : id ? id : "it";
    if (about == OP_PLACE) {
        if (op_arg_str(o, "name"))
            o->name = op_arg_str(o, "name");
        return PV_OK;
    }
    if (about != OP_VM && about != OP_HOST && about != OP_STORE)
        vm = owner_id(o->subject);
    (void)str_copy(o->vm.type, sizeof(o->vm.type),
                   about == OP_HOST || about == OP_HOST_PART ? "HostSystem"
                   : about == OP_STORE                       ? "Datastore"
                                                             : "VirtualMachine");
    if (!id || !*id || !vm || !*vm || !str_copy(o->vm.id, sizeof(o->vm.id), vm))
        return not_named(o, err);
    if (about == OP_DEVICE || about == OP_HOST_PART)
        o->device = id;
    if (about == OP_SNAPSHOT) {
        (void)str_copy(o->snapshot.type, sizeof(o->snapshot.type), "VirtualMachineSnapshot");
        if (!str_copy(o->snapshot.id, sizeof(o->snapshot.id), id))
            return not_named(o, err);
    }
    return PV_OK;
}

static int put_result(struct operation *o, char **result, struct pv_err *err)
{
    if (o->dry_run) {
        bool plans = json_object_get(o->result, "plan") != NULL;

        if (!plans)
            json_object_set_new(o->result, "plan", json_array());
        json_object_set_new(o->result, "changed", json_boolean(plans));
    } else {
        json_object_set_new(o->result, "changed", json_boolean(o->changed));
    }
    *result = json_dumps(o->result, JSON_COMPACT);
    return *result ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

static int begin(struct operation *o, struct pv_err *err)
{
    struct op_view now = { .want_id = o->snapshot.id[0] ? o->snapshot.id : NULL };
    int rc = PV_OK;

    if (o->method->about == OP_VM || o->method->about == OP_SNAPSHOT || o->method->about == OP_DEVICE)
        rc = op_look(o, &now, err);
    if (rc)
        return rc;
    o->state = now.state;
    if (o->snapshot.id[0] && !now.found.id[0]) {
        if (o->method->removes)
            return PV_OK; /* it is gone already */
        return pv_fail(err, PV_ENOENT, "%s %s: the VM has no such snapshot", o->method->verb,
                       o->name);
    }
    rc = o->method->run(o, err);
    if (rc == PV_OK && o->method->then)
        rc = o->method->then(o, err);
    return rc;
}

/* "task-1", or "<step>|<note>|<task>"; without a task the step was only about to begin. */
static int resume(struct operation *o, const char *ref, struct pv_err *err)
{
    const char *note = strchr(ref, '|'), *task = note ? strchr(note + 1, '|') : NULL;
    uint64_t step = 0;
    int rc = PV_OK;

    if (strncmp(ref, OP_SHUTDOWN_REF, strlen(OP_SHUTDOWN_REF)) == 0) {
        (void)str_copy(o->note, sizeof(o->note), ref + strlen(OP_SHUTDOWN_REF));
        return op_shutdown_again(o, err);
    }
    if (task) {
        (void)str_u64(ref, (size_t)(note - ref), 99, &step);
        (void)str_copy_n(o->note, sizeof(o->note), note + 1, (size_t)(task - note - 1));
        task++;
    } else {
        task = ref;
    }
    o->step = (unsigned)step;
    o->changed = true;
    if (*task)
        rc = op_follow(o, task, err);
    o->done = *task || !step ? o->step : o->step - 1;
    o->begun = *task ? 0 : o->step;
    if (rc == PV_OK && o->method->then)
        rc = o->method->then(o, err);
    return rc;
}

static int run(struct operation *o, const char *native_ref, char **result, struct pv_err *err)
{
    int rc = read_subject(o, err);

    if (rc == PV_OK)
        rc = native_ref && *native_ref ? resume(o, native_ref, err) : begin(o, err);
    return rc == PV_OK ? put_result(o, result, err) : rc;
}

int operations_call(struct vapi *v, uint64_t call, const char *operation, const char *subject,
                    const char *args, const char *native_ref, uint32_t flags, char **result,
                    struct pv_err *err)
{
    json_t *subject_json = json_loads(subject ? subject : "{}", 0, NULL);
    json_t *args_json = json_loads(args && *args ? args : "{}", 0, NULL);
    struct operation o = {
        .v = v,
        .c = { .host = v->session->host, .number = call },
        .subject = subject_json,
        .args = args_json,
        .dry_run = (flags & PV_CALL_DRY_RUN) != 0,
        .result = json_object(),
    };
    int rc;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].operation, operation) == 0)
            o.method = &methods[i];
    if (!o.method)
        rc = pv_fail(err, PV_ENOTSUP, "vSphere has no %s", operation);
    else if (!o.result)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    else
        rc = run(&o, native_ref, result, err);
    json_decref(o.result);
    json_decref(subject_json);
    json_decref(args_json);
    return rc;
}
