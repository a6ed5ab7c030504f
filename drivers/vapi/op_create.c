/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that make a VM of nothing, or of files. */
#include "drivers/vapi/op.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/hw.h"
#include "drivers/vapi/op_place.h"

#define USUAL_GUEST "otherGuest64"

enum { STEP_MAKE, STEP_BOOT, STEP_START };

/* A list of the arguments, or what the profile says when it is not given. */
static int each(struct operation *o, struct hw *hw, struct enc_object *spec, const char *list,
                const char *usual,
                int (*add)(struct operation *, struct hw *, struct enc_object *, const json_t *,
                           struct pv_err *),
                struct pv_err *err)
{
    const json_t *items = op_member(o->args, list);
    const char *profile = op_arg_str(o, "profile");
    bool server = !profile || strcmp(profile, "minimal") != 0;
    int rc = PV_OK;

    if (!items && usual && server) {
        json_t *one = json_loads(usual, 0, NULL);

        rc = add(o, hw, spec, one, err);
        json_decref(one);
        return rc;
    }
    for (size_t i = 0; rc == PV_OK && i < json_array_size(items); i++)
        rc = add(o, hw, spec, json_array_get(items, i), err);
    return rc;
}

static int put_devices(struct operation *o, struct hw *hw, struct enc_object *spec,
                       struct pv_err *err)
{
    /* Disks bring the controller they need along. */
    const char *usual = json_array_size(op_member(o->args, "disks")) ? NULL : "{\"bus\":\"scsi\"}";
    int rc = each(o, hw, spec, "controllers", usual, hw_add_controller, err);

    if (rc == PV_OK)
        rc = each(o, hw, spec, "disks", NULL, hw_add_disk, err);
    if (rc == PV_OK)
        rc = each(o, hw, spec, "cdroms", "{}", hw_add_cdrom, err);
    if (rc == PV_OK)
        rc = each(o, hw, spec, "nics", "{}", hw_add_nic, err);
    return rc;
}

/* "[store]", or "[store] folder/name.vmx". */
static int put_files(struct operation *o, const struct place *place, struct enc_object *spec,
                     struct pv_err *err)
{
    const char *folder = op_arg_str(o, "path");
    struct enc_object *files = enc_child(spec, "files", "VirtualMachineFileInfo");
    char path[1600], plain[96];
    size_t n = 0;

    (void)snprintf(path, sizeof(path), "[%s]", place->datastore_name);
    if (folder) {
        size_t len = strlen(folder);

        if (folder[0] == '/' || folder[0] == '[' || strstr(folder, ".."))
            return op_bad(o, "path", "it is a folder in the datastore", err);
        for (const char *at = op_arg_str(o, "name"); at && *at && n + 1 < sizeof(plain); at++)
            plain[n++] = strchr("/\\:*?\"<>|%", *at) ? '_' : *at;
        plain[n] = '\0';
        while (len && folder[len - 1] == '/')
            len--;
        (void)snprintf(path, sizeof(path), "[%s] %.*s/%s.vmx", place->datastore_name, (int)len,
                       folder, plain);
    }
    enc_text(files, "vmPathName", path);
    return PV_OK;
}

static int put_vm(struct operation *o, const struct place *place, struct hw *hw,
                  struct enc_object *spec, struct pv_err *err)
{
    int rc;

    enc_text(spec, "name", op_arg_str(o, "name"));
    enc_text(spec, "version", op_arg_str(o, "hardware_version"));
    if (!op_arg_str(o, "guest.os_id"))
        enc_text(spec, "guestId", USUAL_GUEST);
    rc = put_files(o, place, spec, err);
    if (rc == PV_OK)
        rc = op_put_config(o, spec, err);
    if (rc == PV_OK)
        rc = put_devices(o, hw, spec, err);
    return rc;
}

int op_create(struct operation *o, struct pv_err *err)
{
    const char *firmware = op_arg_str(o, "firmware");
    struct place place;
    struct hw hw = { 0 };
    struct enc *e;
    int rc;

    if (firmware && strcmp(firmware, "bios") == 0 && op_arg_true(o, "secure_boot.on"))
        return op_no_such(o, "secure_boot", "bios has none; use uefi", err);
    rc = place_find(o, &place, err);
    if (rc == PV_OK)
        rc = hw_begin(&hw, place.datastore_name, err);
    if (rc)
        return rc;
    hw.host = place.host.id[0] ? place.host : place.compute; /* whose networks are looked through */
    e = enc_new("CreateVM_Task", place.folder.type, place.folder.id);
    if (e) {
        enc_ref(enc_root(e), "pool", place.pool.type, place.pool.id);
        if (place.host.id[0])
            enc_ref(enc_root(e), "host", place.host.type, place.host.id);
        rc = put_vm(o, &place, &hw, enc_child(enc_root(e), "config", "VirtualMachineConfigSpec"),
                    err);
    }
    if (rc == PV_OK && o->dry_run)
        hw_put_devices(o, &hw);
    hw_free(&hw);
    if (rc == PV_OK)
        return op_run_task(o, e, err);
    enc_free(e);
    return rc;
}

/* ------------------------------------------------------------------ after it */

/* Devices have keys only now. */
static int put_boot_order(struct operation *o, struct pv_err *err)
{
    const json_t *order = op_member(o->args, "boot.order");
    struct enc *e;
    int rc;

    if (!order || !json_array_size(order) || !op_step(o, STEP_BOOT))
        return PV_OK;
    if (o->dry_run)
        return PV_OK;
    e = enc_new("ReconfigVM_Task", o->vm.type, o->vm.id);
    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = op_put_boot_order(o,
                           enc_child(enc_child(enc_root(e), "spec", "VirtualMachineConfigSpec"),
                                     "bootOptions", "VirtualMachineBootOptions"),
                           order, err);
    if (rc == PV_OK)
        return op_run_task(o, e, err);
    enc_free(e);
    return rc;
}

/* What was made has the note's id after the first step. */
static int take_made(struct operation *o, struct pv_err *err)
{
    if (o->step == STEP_MAKE && o->made.id[0])
        (void)str_copy(o->note, sizeof(o->note), o->made.id);
    if (!o->note[0] && !o->dry_run)
        return pv_fail(err, PV_EUNKNOWN, "%s %s: the server does not say what it made",
                       o->method->verb, o->name);
    (void)str_copy(o->vm.type, sizeof(o->vm.type), "VirtualMachine");
    (void)str_copy(o->vm.id, sizeof(o->vm.id), o->note);
    return PV_OK;
}

static void tell_made(struct operation *o)
{
    struct pv_err why = { 0 };
    struct hw hw;

    o->changed = true;
    op_put_made(o, "vm", o->vm.id, NULL);
    if (hw_read(o, &hw, &why)) {
        op_warn(o, "the devices of the new VM could not be listed");
        return;
    }
    hw_put_devices(o, &hw);
    hw_free(&hw);
}

int op_create_then(struct operation *o, struct pv_err *err)
{
    int rc = take_made(o, err);

    if (rc || o->dry_run)
        return rc;
    rc = put_boot_order(o, err);
    if (rc && op_goes_on(o, rc))
        return PV_EUNKNOWN;
    if (rc) {
        op_clean(o, enc_new("Destroy_Task", o->vm.type, o->vm.id), "what was made is still there");
        return rc;
    }
    if (op_arg_true(o, "start"))
        rc = op_start_made(o, STEP_START, &o->vm, err);
    if (rc == PV_OK)
        tell_made(o);
    return rc;
}

/* ------------------------------------------------------------------ import */

int op_import(struct operation *o, struct pv_err *err)
{
    const char *mode = op_arg_str(o, "mode"), *source = op_arg_str(o, "source");
    json_t *file = json_object();
    struct hw hw = { 0 };
    struct place place;
    char path[1600];
    struct enc *e;
    int rc = PV_OK;

    if (mode && strcmp(mode, "register") != 0)
        rc = op_no_such(o, "mode",
                        "vSphere registers what lies in a datastore; clone it afterwards", err);
    else if (!source || !str_ends(source, ".vmx"))
        rc = op_no_such(o, "source", "vSphere registers .vmx files", err);
    else if (op_member(o->args, "networks"))
        rc = op_no_such(o, "networks",
                        "the VM is registered as it is; change its adapters afterwards", err);
    json_object_set_new(file, "path", json_string(source ? source : ""));
    if (op_member(o->args, "source_datastore"))
        json_object_set(file, "datastore", json_object_get(o->args, "source_datastore"));
    if (rc == PV_OK)
        rc = place_find(o, &place, err);
    if (rc == PV_OK) {
        (void)str_copy(hw.store, sizeof(hw.store), place.datastore_name);
        rc = hw_file(o, &hw, file, "source", path, sizeof(path), err);
    }
    json_decref(file);
    if (rc)
        return rc;
    e = enc_new("RegisterVM_Task", place.folder.type, place.folder.id);
    if (e) {
        enc_text(enc_root(e), "path", path);
        enc_text(enc_root(e), "name", op_arg_str(o, "name"));
        enc_bool(enc_root(e), "asTemplate", false);
        enc_ref(enc_root(e), "pool", place.pool.type, place.pool.id);
        if (place.host.id[0])
            enc_ref(enc_root(e), "host", place.host.type, place.host.id);
    }
    return op_run_task(o, e, err);
}

int op_import_then(struct operation *o, struct pv_err *err)
{
    int rc = take_made(o, err);

    if (rc || o->dry_run)
        return rc;
    if (op_arg_true(o, "start"))
        rc = op_start_made(o, STEP_START, &o->vm, err);
    if (rc == PV_OK)
        tell_made(o);
    return rc;
}
