/* SPDX-License-Identifier: Apache-2.0 */
/* Export, import, clone. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_planned.h"

#define EXP(prop) P(Msvm_VirtualSystemExportSettingData, prop)
#define ALL_SNAPSHOTS 0u
#define NO_SNAPSHOTS 1u
#define ONE_SNAPSHOT 2u
#define DISKS_MOST 64

struct export
{
    const char *folder;
    unsigned snapshots;
    const char *snapshot; /* GUID; ONE_SNAPSHOT */
    bool memory, subfolder;
};

/* The definition is there: .vmcx since 2016, .xml before. */
static int is_exported(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct export *e = ctx;
    const char *folder = e->subfolder ? op_join(o, e->folder, o->name) : e->folder;
    const char *guid = e->snapshot ? e->snapshot : o->vm;
    int rc;

    rc = op_file_exists(o, op_text(o, "%s\\Virtual Machines\\%s.vmcx", folder, guid), there, err);
    if (rc == PV_OK && !*there)
        rc =
            op_file_exists(o, op_text(o, "%s\\Virtual Machines\\%s.xml", folder, guid), there, err);
    return rc;
}

/* What lies there from another time says nothing. A share cannot be looked at, and what a
 * checkpoint's definition is called there is not told. */
static int can_be_looked_for(struct op *o, struct export *e, bool *can, struct pv_err *err)
{
    bool there = true;
    int rc = PV_OK;

    *can = false;
    if (o->dry_run || op_is_remote(e->folder) || e->snapshot)
        return PV_OK;
    if (!o->resumed && !journal_get(&o->journal, "exported")) {
        rc = is_exported(o, e, &there, err);
        journal_note(&o->journal, "fresh", rc == PV_OK && !there ? "1" : "");
    }
    *can = journal_get(&o->journal, "fresh") != NULL;
    return rc;
}

static int send_export(struct op *o, const char *key, struct export *e, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, ExportSystemDefinition));
    struct cim_instance *set = cim_new(o->a, CIM(Msvm_VirtualSystemExportSettingData));
    struct op_step s = { .key = key,
                         .what = op_what(o, "exporting", o->name),
                         .in = in,
                         .ctx = e,
                         .remote = op_is_remote(e->folder) ? e->folder : NULL };
    bool can = false;
    int rc = can_be_looked_for(o, e, &can, err);

    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc)
        return rc;
    s.lost_look = can ? is_exported : NULL;
    cim_set_uint(set, EXP(CopySnapshotConfiguration), e->snapshots);
    cim_set_bool(set, EXP(CopyVmStorage), true);
    cim_set_bool(set, EXP(CopyVmRuntimeInformation), e->memory);
    cim_set_bool(set, EXP(CreateVmExportSubdirectory), e->subfolder);
    if (e->snapshot)
        cim_set_str(set, EXP(SnapshotVirtualSystem), op_path(o, op_settings_ref(o, e->snapshot)));
    cim_set_ref(in, A(Msvm_VirtualSystemManagementService, ExportSystemDefinition, ComputerSystem),
                op_vm_ref(o, o->vm));
    cim_set_str(in, A(Msvm_VirtualSystemManagementService, ExportSystemDefinition, ExportDirectory),
                e->folder);
    cim_set_emb(
        in, A(Msvm_VirtualSystemManagementService, ExportSystemDefinition, ExportSettingData), set);
    return op_do(o, &s, NULL, err);
}

static int run_export(struct op *o, struct pv_err *err)
{
    struct export e = { .snapshots = str_eq(op_arg_str(o, "snapshots"), "none") ? NO_SNAPSHOTS
                                                                                : ALL_SNAPSHOTS,
                        .memory = op_arg_bool(o, "memory"),
                        .subfolder = true };
    const char *format = op_arg_str(o, "format");
    unsigned state;
    int rc;

    if (format && strcmp(format, "native") != 0) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: format: Hyper-V exports its own files only",
                     o->def->verb, o->name);
        pv_err_pointer(err, "/format");
        return rc;
    }
    rc = op_file_path(o, o->args, "path", &e.folder, err);
    if (rc == PV_OK && !o->resumed)
        rc = op_vm_stable(o, &state, err);
    return rc ? rc : send_export(o, "export", &e, err);
}

static int run_snapshot_export(struct op *o, struct pv_err *err)
{
    struct export e = { .snapshots = ONE_SNAPSHOT, .memory = true, .subfolder = true };
    struct cim_instance *found = NULL;
    char guid[40];
    int rc;

    if (!op_guid(o->id, guid))
        return pv_fail(err, PV_ENOENT, "%s %s: the VM has no such checkpoint", o->def->verb,
                       o->name);
    rc = op_settings_get(o, guid, &found, err);
    if (rc == PV_OK)
        rc = op_file_path(o, o->args, "path", &e.folder, err);
    e.snapshot = guid;
    return rc ? rc : send_export(o, "export", &e, err);
}

/* ------------------------------------------------------------------ import */

static int start_it(struct op *o, struct pv_err *err)
{
    struct pv_err why = { 0 };

    (void)err;
    if (op_arg_bool(o, "start") && op_power_set(o, "start", 2, 2, &why))
        op_warn(o, "it is there, but does not start: %s", why.message);
    return PV_OK;
}

static int finish(struct op *o, struct pv_err *err)
{
    undo_keep(o);
    op_plan_start(o);
    if (o->dry_run)
        return PV_OK;
    op_made(o, "vm", o->vm, NULL);
    if (op_list_devices(o, NULL))
        op_warn(o, "the devices of the VM could not be listed");
    return start_it(o, err);
}

static int target_folder(struct op *o, const char *name, const char **out, struct pv_err *err)
{
    const char *path = op_arg_str(o, "path"), *root = NULL, *disks;
    const json_t *datastore = op_arg(o, "datastore");
    int rc;

    if (path && *path)
        return op_file_path(o, o->args, "path", out, err);
    rc = json_is_object(datastore) ? op_datastore_root(o, datastore, &root, err)
                                   : op_default_folders(o, &root, &disks, err);
    if (rc == PV_OK)
        *out = op_join(o, root, op_file_name(o, name));
    return rc;
}

static int run_import(struct op *o, struct pv_err *err)
{
    const char *mode = op_arg_str(o, "mode"), *name = op_arg_str(o, "name");
    json_t *where = json_pack("{s:O?, s:O?}", "path", op_arg(o, "source"), "datastore",
                              op_arg(o, "source_datastore"));
    struct op_import i = { .new_id = str_eq(mode, "copy"),
                           .name = name,
                           .networks = op_arg(o, "networks") };
    bool in_place = !mode || strcmp(mode, "register") == 0;
    int rc = op_file_path(o, where, "path", &i.file, err);

    json_decref(where);
    o->steps = in_place ? 4 : 6;
    o->vm[0] = '\0';
    o->name = name ? name : i.file ? i.file : "VM";
    i.snapshots = in_place;
    i.new_macs = i.new_id;
    i.copy_disks = !in_place;
    if (rc == PV_OK && !in_place) {
        const char *stem = name;

        if (!stem) { /* the export's folder is named after the VM */
            const char *end = strrchr(i.file, '\\'), *up = NULL;

            for (const char *p = i.file; end && p < end; p++)
                if (*p == '\\')
                    up = p;
            stem = up ? arena_text(o->a, up + 1, (size_t)(end - up) - 1) : "VM";
        }
        rc = target_folder(o, stem, &i.folder, err);
    }
    if (rc == PV_OK)
        rc = op_import(o, &i, err);
    return rc ? rc : finish(o, err);
}

/* ------------------------------------------------------------------ clone */

static bool is_disk(const struct cim_instance *i)
{
    return op_same(cim_str(i, P(Msvm_StorageAllocationSettingData, ResourceSubType)),
                   "Microsoft:Hyper-V:Virtual Hard Disk");
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '\\');

    return slash ? slash + 1 : path;
}

/* What is there already is somebody else's: neither the export nor what takes it back may touch it.
 */
static int note_copy(struct op *o, const char *folder, const char *path, struct pv_err *err)
{
    bool there = false;
    int rc = op_file_exists(o, path, &there, err);

    if (rc == PV_OK && there)
        return pv_fail_as(err, "conflict-exists", "%s %s: there are files of a clone in %s",
                          o->def->verb, o->name, folder);
    if (rc == PV_OK)
        undo_made(o, UNDO_FILE, path);
    return rc;
}

/* Where the export puts the copies, so that they can be taken away if a later step fails. */
static int note_copies(struct op *o, const char *folder, const char *source, struct pv_err *err)
{
    struct cim_list media = { 0 };
    int rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), source, &media, err);

    if (rc == PV_OK)
        rc = note_copy(o, folder, op_text(o, "%s\\Virtual Machines\\%s.vmcx", folder, source), err);
    for (size_t i = 0; rc == PV_OK && i < media.count && i < DISKS_MOST; i++) {
        const char *path =
            cim_str_at(media.items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0);

        if (path && is_disk(media.items[i]))
            rc = note_copy(o, folder,
                           op_text(o, "%s\\Virtual Hard Disks\\%s", folder, base_name(path)), err);
    }
    return rc;
}

static void forget_copies(struct op *o)
{
    const char *path;

    while ((path = undo_nth(o, UNDO_FILE, 0)) != NULL)
        undo_forget(o, UNDO_FILE, path);
}

/* Since 2016 a .vmcx; .xml before. */
static int find_definition(struct op *o, const char *folder, const char *source, const char **out,
                           struct pv_err *err)
{
    bool there = true;
    int rc;

    *out = op_text(o, "%s\\Virtual Machines\\%s.vmcx", folder, source);
    if (o->dry_run)
        return PV_OK;
    rc = op_file_exists(o, *out, &there, err);
    if (rc == PV_OK && !there)
        *out = op_text(o, "%s\\Virtual Machines\\%s.xml", folder, source);
    return rc;
}

static int check_clone(struct op *o, struct pv_err *err)
{
    static const char *const elsewhere[] = { "host", "cluster", "resource_pool", "native_folder" };
    int rc;

    if (op_arg_bool(o, "linked")) {
        rc = pv_fail(
            err, PV_ENOTSUP,
            "%s %s: linked: Hyper-V knows no clone that shares disks with a VM that lives on",
            o->def->verb, o->name);
        pv_err_pointer(err, "/linked");
        return rc;
    }
    if (op_arg_bool(o, "template"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: template: Hyper-V has no templates", o->def->verb,
                       o->name);
    if (op_arg(o, "subformat"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: subformat: an export keeps the disks as they are",
                       o->def->verb, o->name);
    for (size_t i = 0; i < PV_COUNT(elsewhere); i++) {
        if (!op_member(op_arg(o, elsewhere[i]), "provider") && strcmp(elsewhere[i], "host") == 0)
            continue;
        if (op_arg(o, elsewhere[i]))
            return pv_fail(err, PV_ENOTSUP,
                           "%s %s: %s: a clone is made on the VM's own host; move it afterwards",
                           o->def->verb, o->name, elsewhere[i]);
    }
    return PV_OK;
}

/* Exported straight to where it is to live, and imported there with an identity of its own: nothing
 * is copied twice. */
static int run_clone(struct op *o, struct pv_err *err)
{
    const json_t *snapshot = op_arg(o, "snapshot");
    const char *name = op_arg_str(o, "name"), *folder = NULL, *source = arena_strdup(o->a, o->vm);
    struct export e = { .snapshots = NO_SNAPSHOTS };
    struct op_import i = { .new_id = true,
                           .name = name,
                           .new_macs = !str_eq(op_arg_str(o, "mac"), "keep"),
                           .networks = op_arg(o, "networks") };
    char guid[40];
    unsigned state;
    int rc = check_clone(o, err);

    o->steps = 5;
    if (rc == PV_OK && !source)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK && !o->resumed)
        rc = op_vm_stable(o, &state, err);
    if (rc == PV_OK)
        rc = target_folder(o, name, &folder, err);
    if (rc)
        return rc;
    if (json_is_object(snapshot)) {
        if (!op_guid(op_member_str(snapshot, "native_id"), guid))
            return pv_fail(err, PV_ENOENT, "%s %s: the VM has no such checkpoint", o->def->verb,
                           o->name);
        e.snapshots = ONE_SNAPSHOT;
        e.snapshot = guid;
    }
    e.folder = folder;
    if (!o->resumed)
        rc = note_copies(o, folder, source, err);
    if (rc == PV_OK && !journal_get(&o->journal, "exported")) {
        rc = send_export(o, "export", &e, err);
        if (op_is_there_already(rc, err)) /* somebody was quicker: what is there is not ours */
            forget_copies(o);
    }
    journal_note(&o->journal, "exported", "1");
    if (rc == PV_OK)
        rc = find_definition(o, folder, source, &i.file, err);
    if (rc)
        return rc;
    i.folder = folder;
    o->vm[0] = '\0';
    rc = op_import(o, &i, err);
    if (rc)
        return rc;
    if (!o->dry_run) /* the exported description has done its service */
        (void)op_file_delete(o, i.file, NULL);
    op_object(o, "vm", source);
    return finish(o, err);
}

const struct op_def op_export_defs[] = {
    { "vm.export", "exporting", run_export, 0, 0 },
    { "vm.snapshot.export", "exporting checkpoint", run_snapshot_export, 0, 0 },
    { "vm.import", "importing", run_import, 0, 0 },
    { "vm.clone", "cloning", run_clone, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
