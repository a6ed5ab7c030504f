/* SPDX-License-Identifier: Apache-2.0 */
/* Disks, CD drives, controllers of a VM. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_device.h"
#include "drivers/wmi/op_modify.h"

#define RES(prop) P(Msvm_ResourceAllocationSettingData, prop)
#define SAN(prop) P(Msvm_StorageAllocationSettingData, prop)
#define SUB "Microsoft:Hyper-V:"
#define NEW_DRIVE "(new drive)"
#define NAMES_MOST 100

static const char *resource_path(struct op *o, const char *id)
{
    return op_path(o, op_by_id(o, CIM(Msvm_ResourceAllocationSettingData), id));
}

/* ------------------------------------------------------------------ drives and what is in them */

struct drive {
    const struct op_slot *slot;
    uint64_t type;
    const char *id; /* found */
};

static int find_drive(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct drive *d = ctx;
    struct cim_list list = { 0 };
    int rc = op_list(o, CIM(Msvm_ResourceAllocationSettingData), o->vm, &list, err);

    *there = false;
    for (size_t i = 0; rc == PV_OK && i < list.count && !*there; i++) {
        const struct cim_instance *r = list.items[i];
        const char *at = cim_str(r, RES(AddressOnParent));
        uint64_t unit;

        if (cim_uint(r, RES(ResourceType)) != d->type || !at ||
            !str_u64(at, strlen(at), 255, &unit) || unit != d->slot->unit ||
            !op_same(op_path_id(o, cim_str(r, RES(Parent))), d->slot->controller))
            continue;
        d->id = cim_str(r, RES(InstanceID));
        *there = true;
    }
    return rc;
}

static int add_drive(struct op *o, const struct op_slot *slot, bool cdrom, const char *key,
                     const char **id, struct pv_err *err)
{
    struct cim_instance *in = cim_new(o->a, CIM(Msvm_ResourceAllocationSettingData));
    struct drive d = { .slot = slot, .type = cdrom ? 16 : 17 };
    int rc;

    cim_set_uint(in, RES(ResourceType), d.type);
    cim_set_str(in, RES(ResourceSubType),
                cdrom ? SUB "Synthetic DVD Drive" : SUB "Synthetic Disk Drive");
    cim_set_str(in, RES(Parent), resource_path(o, slot->controller));
    cim_set_str(in, RES(AddressOnParent), op_text(o, "%u", slot->unit));
    rc = op_add_resource(
        o, op_text(o, "drive %s", key),
        op_what(o, cdrom ? "adding a CD drive to" : "adding a disk drive to", o->name), in,
        find_drive, &d, NULL, err);
    if (rc)
        return rc;
    *id = o->dry_run ? NEW_DRIVE : d.id;
    undo_made(o, UNDO_RESOURCE, *id);
    return PV_OK;
}

struct medium {
    const char *drive, *path;
    const struct cim_instance *found;
};

static int find_medium(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct medium *m = ctx;
    struct cim_list list = { 0 };
    int rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), o->vm, &list, err);

    if (rc)
        return rc;
    m->found = op_child_of(o, &list, m->drive);
    *there =
        m->found && (!m->path || op_same_path(cim_str_at(m->found, SAN(HostResource), 0), m->path));
    return PV_OK;
}

static struct cim_instance *medium_setting(struct op *o, const char *drive, const char *path,
                                           bool cdrom)
{
    struct cim_instance *in = cim_new(o->a, CIM(Msvm_StorageAllocationSettingData));

    cim_set_uint(in, SAN(ResourceType), 31);
    cim_set_str(in, SAN(ResourceSubType),
                cdrom ? SUB "Virtual CD/DVD Disk" : SUB "Virtual Hard Disk");
    cim_set_str(in, SAN(Parent), resource_path(o, drive));
    cim_add_str(in, SAN(HostResource), path);
    return in;
}

static int put_sharing(struct op *o, const json_t *disk, struct cim_instance *in,
                       struct pv_err *err)
{
    const char *sharing = op_member_str(disk, "sharing"), *mode = op_member_str(disk, "mode");
    uint64_t iops;
    int rc;

    if (mode && strcmp(mode, "dependent") != 0) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: Hyper-V's checkpoints include every virtual disk",
                     o->def->verb, o->name);
        pv_err_pointer(err, "/mode");
        return rc;
    }
    if (sharing && strcmp(sharing, "multi_writer") == 0) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: Hyper-V shares disks as shared_vhdx or vhd_set",
                     o->def->verb, o->name);
        pv_err_pointer(err, "/sharing");
        return rc;
    }
    if (sharing)
        cim_set_bool(in, SAN(PersistentReservationsSupported), strcmp(sharing, "none") != 0);
    if (op_member_u64(disk, "qos.iops_limit", &iops))
        cim_set_uint(in, SAN(IOPSLimit), iops);
    else if (json_is_null(op_member(disk, "qos.iops_limit")))
        cim_set_uint(in, SAN(IOPSLimit), 0);
    return PV_OK;
}

/* ------------------------------------------------------------------ a disk more */

static const char *extension(const json_t *disk)
{
    const char *format = op_member_str(disk, "image.format");

    return format && strcmp(format, "vhd") == 0    ? "vhd"
           : format && strcmp(format, "vhds") == 0 ? "vhds"
                                                   : "vhdx";
}

/* The folder of the VM's own files, or a datastore's. */
static int disk_folder(struct op *o, const json_t *disk, const char **out, struct pv_err *err)
{
    const json_t *datastore = op_member(disk, "image.datastore");
    struct cim_instance *settings = NULL;
    const char *config, *root, *kept = journal_get(&o->journal, "root");
    int rc;

    if (json_is_object(datastore)) {
        rc = op_datastore_root(o, datastore, &root, err);
        if (rc == PV_OK)
            *out = root;
        return rc;
    }
    if (kept) {
        *out = kept;
        return PV_OK;
    }
    if (!o->vm[0])
        return op_default_folders(o, &config, out, err);
    rc = op_settings_get(o, o->vm, &settings, err);
    if (rc)
        return rc;
    *out = cim_str(settings, P(Msvm_VirtualSystemSettingData, ConfigurationDataRoot));
    return *out ? PV_OK : op_default_folders(o, &config, out, err);
}

static int free_name(struct op *o, const json_t *disk, const char *key, const char **out,
                     struct pv_err *err)
{
    const char *note = op_text(o, "f%s", key), *folder = NULL,
               *kept = journal_get(&o->journal, note);
    const char *stem = op_file_name(o, o->name);
    bool there = true;
    int rc;

    if (kept) {
        *out = arena_strdup(o->a, kept);
        return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    }
    rc = disk_folder(o, disk, &folder, err);
    for (unsigned n = 0; rc == PV_OK && there; n++) {
        if (n == NAMES_MOST)
            return pv_fail(err, PV_EEXIST, "%s %s: every name for its disk is taken", o->def->verb,
                           o->name);
        *out = op_join(o, folder,
                       n ? op_text(o, "%s-%u.%s", stem, n, extension(disk))
                         : op_text(o, "%s.%s", stem, extension(disk)));
        rc = op_file_exists(o, *out, &there, err);
    }
    if (rc == PV_OK && note)
        journal_note(&o->journal, note, *out);
    return rc;
}

static const char *image_path(const json_t *image)
{
    const char *path = op_member_str(image, "path");

    return path && *path ? path : op_member_str(image, "native_id");
}

static int existing_path(struct op *o, const json_t *disk, const char **out, struct pv_err *err)
{
    const json_t *image = op_member(disk, "image");

    if (json_is_object(op_member(image, "id"))) {
        *out = image_path(op_member(image, "id"));
        if (*out)
            return PV_OK;
    }
    if (!op_member(image, "path"))
        return pv_fail(err, PV_EINVAL, "%s %s: name an image, or capacity_bytes for a new one",
                       o->def->verb, o->name);
    return op_file_path(o, image, "path", out, err);
}

static int disk_file(struct op *o, const json_t *disk, const char *key, const char **path,
                     struct pv_err *err)
{
    const json_t *image = op_member(disk, "image"), *parent = op_member(image, "parent");
    bool is_new = op_member(disk, "capacity_bytes") || json_is_object(parent);
    int rc;

    if (!is_new)
        return existing_path(o, disk, path, err);
    if (op_member(image, "path"))
        rc = op_file_path(o, image, "path", path, err);
    else
        rc = free_name(o, disk, key, path, err);
    if (rc)
        return rc;
    return op_image_create(o, op_text(o, "file %s", key), *path, disk,
                           json_is_object(parent) ? image_path(parent) : NULL, err);
}

int op_disk_add(struct op *o, const json_t *disk, unsigned n, struct pv_err *err)
{
    const char *key = op_text(o, "d%u", n), *path = NULL, *drive = NULL;
    struct cim_instance *in;
    struct medium m = { 0 };
    struct op_slot slot;
    int rc = disk_file(o, disk, key, &path, err);

    if (rc == PV_OK)
        rc = op_slot_choose(o, op_member(disk, "controller"), key, false, &slot, err);
    if (rc == PV_OK)
        rc = add_drive(o, &slot, false, key, &drive, err);
    if (rc)
        return rc;
    in = medium_setting(o, drive, path, false);
    rc = put_sharing(o, disk, in, err);
    m = (struct medium){ .drive = drive, .path = path };
    if (rc == PV_OK)
        rc = op_add_resource(o, op_text(o, "disk %s", key), op_what(o, "adding a disk to", o->name),
                             in, find_medium, &m, path, err);
    if (rc)
        return rc;
    if (o->dry_run)
        op_device(o, json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:i}, s:{s:s}}", "kind", "disk",
                               "label", "Hard Drive", "mode", "dependent", "controller", "type",
                               slot.ide ? "ide" : "scsi", "bus", (int)slot.number, "unit",
                               (int)slot.unit, "image", "path", path));
    else
        op_made(o, "disk", drive, o->vm);
    op_object(o, "disk_image", path);
    return PV_OK;
}

int op_cdrom_add(struct op *o, const json_t *cdrom, unsigned n, struct pv_err *err)
{
    const json_t *image = op_member(cdrom, "image");
    const char *key = op_text(o, "r%u", n), *path = NULL, *drive = NULL;
    struct medium m;
    struct op_slot slot;
    int rc = PV_OK;

    if (json_is_object(image))
        rc = op_file_path(o, image, "path", &path, err);
    if (rc == PV_OK)
        rc = op_slot_choose(o, op_member(cdrom, "controller"), key, true, &slot, err);
    if (rc == PV_OK)
        rc = add_drive(o, &slot, true, key, &drive, err);
    if (rc)
        return rc;
    m = (struct medium){ .drive = drive, .path = path };
    if (path)
        rc = op_add_resource(o, op_text(o, "iso %s", key),
                             op_what(o, "inserting an image into a drive of", o->name),
                             medium_setting(o, drive, path, true), find_medium, &m, path, err);
    if (rc)
        return rc;
    if (o->dry_run)
        op_device(o, json_pack("{s:s, s:s, s:{s:s, s:i, s:i}, s:{s:s?}}", "kind", "cdrom", "label",
                               "DVD Drive", "controller", "type", slot.ide ? "ide" : "scsi", "bus",
                               (int)slot.number, "unit", (int)slot.unit, "image", "path", path));
    else
        op_made(o, "cdrom", drive, o->vm);
    return PV_OK;
}

/* ------------------------------------------------------------------ controllers */

static bool is_scsi(const struct cim_instance *i)
{
    return cim_uint(i, RES(ResourceType)) == 6;
}

int op_controller_add(struct op *o, const json_t *controller, unsigned n, struct pv_err *err)
{
    const char *bus = op_member_str(controller, "bus"), *key = op_text(o, "k%u", n);
    struct cim_instance *in = cim_new(o->a, CIM(Msvm_ResourceAllocationSettingData));
    struct op_added added = { .cls = CIM(Msvm_ResourceAllocationSettingData), .is = is_scsi };
    int rc;

    if (!bus || strcmp(bus, "scsi") != 0) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: only SCSI controllers can be added on Hyper-V",
                     o->def->verb, o->name);
        pv_err_pointer(err, "/bus");
        return rc;
    }
    if (op_member(controller, "model") && !str_eq(op_member_str(controller, "model"), "synthetic"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: model: Hyper-V has one SCSI controller, synthetic",
                       o->def->verb, o->name);
    if (op_member(controller, "sharing") && !str_eq(op_member_str(controller, "sharing"), "none"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: sharing: Hyper-V shares disks, not controllers",
                       o->def->verb, o->name);
    cim_set_uint(in, RES(ResourceType), 6);
    cim_set_str(in, RES(ResourceSubType), SUB "Synthetic SCSI Controller");
    cim_set_str(in, RES(ElementName), "SCSI Controller");
    rc = op_added_begin(o, key, &added, err);
    if (rc == PV_OK)
        rc = op_add_resource(o, op_text(o, "controller %u", n),
                             op_what(o, "adding a SCSI controller to", o->name), in, op_added_look,
                             &added, NULL, err);
    if (rc)
        return rc;
    if (o->dry_run) {
        op_device(o, json_pack("{s:s, s:s, s:s}", "kind", "controller", "label", "SCSI Controller",
                               "bus", "scsi"));
        return PV_OK;
    }
    if (!o->lost)
        undo_made(o, UNDO_RESOURCE, added.id);
    op_made(o, "controller", added.id, o->vm);
    return PV_OK;
}

/* ------------------------------------------------------------------ operations */

static int stable(struct op *o, unsigned *state, struct pv_err *err)
{
    *state = 0;
    return o->resumed ? PV_OK : op_vm_stable(o, state, err);
}

static int run_disk_attach(struct op *o, struct pv_err *err)
{
    unsigned state;
    int rc = stable(o, &state, err);

    o->steps = op_arg(o, "capacity_bytes") ? 3 : 2;
    return rc ? rc : op_disk_add(o, o->args, 0, err);
}

static int run_cdrom_attach(struct op *o, struct pv_err *err)
{
    unsigned state;
    int rc = stable(o, &state, err);

    return rc ? rc : op_cdrom_add(o, o->args, 0, err);
}

static int run_controller_attach(struct op *o, struct pv_err *err)
{
    unsigned state;
    int rc = stable(o, &state, err);

    return rc ? rc : op_controller_add(o, o->args, 0, err);
}

/* IDE cannot be changed while the VM runs. */
static int check_ide(struct op *o, const struct cim_instance *drive, unsigned state,
                     struct pv_err *err)
{
    const char *parent = op_path_id(o, cim_str(drive, RES(Parent)));
    struct cim_instance *controller = NULL;
    int rc;

    if (state == 3 || state == 0 || !parent)
        return PV_OK;
    rc = op_get(o, CIM(Msvm_ResourceAllocationSettingData), parent, &controller, err);
    if (rc)
        return rc;
    if (cim_uint(controller, RES(ResourceType)) == 5)
        return op_wrong_state(o, err,
                              "it hangs on IDE, where nothing can be taken away while the VM runs");
    return PV_OK;
}

static int get_drive(struct op *o, struct cim_instance **out, struct pv_err *err)
{
    int rc = op_get(o, CIM(Msvm_ResourceAllocationSettingData), o->id, out, err);

    return rc == PV_ENOENT
               ? pv_fail(err, PV_ENOENT, "%s %s: the VM has no such device", o->def->verb, o->name)
               : rc;
}

static int get_medium(struct op *o, const struct cim_instance **out, struct pv_err *err)
{
    struct medium m = { .drive = o->id };
    bool there;
    int rc = find_medium(o, &m, &there, err);

    if (rc == PV_OK)
        *out = m.found;
    return rc;
}

static int take_medium(struct op *o, const struct cim_instance *medium, bool cdrom,
                       struct pv_err *err)
{
    const char *path = cim_str_at(medium, SAN(HostResource), 0);
    const struct cim_ref *service = NULL;
    struct medium *back;
    int rc = op_remove_resource(o, "medium", op_what(o, o->def->verb, o->name),
                                CIM(Msvm_StorageAllocationSettingData),
                                cim_str(medium, SAN(InstanceID)), err);

    if (rc || !path)
        return rc;
    /* If the drive cannot be removed, what was in it comes back. */
    rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &service, err);
    back = arena_alloc(o->a, sizeof(*back));
    if (rc == PV_OK && back) {
        *back = (struct medium){ .drive = o->id, .path = path };
        undo_restore(o, "putting the disk back", service,
                     op_add_call(o, medium_setting(o, o->id, path, cdrom)), find_medium, back);
    }
    return rc;
}

static int run_detach(struct op *o, struct pv_err *err)
{
    bool cdrom = strcmp(o->kind, "cdrom") == 0, away = str_eq(op_arg_str(o, "file"), "delete");
    const struct cim_instance *medium = NULL;
    struct cim_instance *drive = NULL;
    const char *path = journal_get(&o->journal, "file");
    unsigned state;
    int rc = stable(o, &state, err);

    if (rc == PV_OK) {
        rc = get_drive(o, &drive, err);
        if (rc == PV_ENOENT && o->resumed) {
            drive = NULL;
            o->changed = true;
            rc = PV_OK;
        } else if (rc == PV_ENOENT) {
            return PV_OK; /* it is gone already */
        }
    }
    if (rc == PV_OK && drive)
        rc = check_ide(o, drive, state, err);
    if (rc == PV_OK && drive)
        rc = get_medium(o, &medium, err);
    if (rc)
        return rc;
    if (medium && !cdrom && away) {
        path = cim_str_at(medium, SAN(HostResource), 0);
        journal_note(&o->journal, "file", path);
    }
    o->steps = 2;
    if (medium)
        rc = take_medium(o, medium, cdrom, err);
    if (rc == PV_OK && drive)
        rc = op_remove_resource(o, "drive", op_what(o, o->def->verb, o->name),
                                CIM(Msvm_ResourceAllocationSettingData), o->id, err);
    if (rc)
        return rc;
    o->journal.restore = NULL; /* from here on there is no drive to put it back to */
    if (path && away) {
        struct pv_err why = { 0 };

        path = arena_strdup(o->a, path);
        if (op_file_delete(o, path, &why))
            op_warn(o, "the disk was removed, but its file is still there: %s", why.message);
        op_object(o, "disk_image", path);
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ changing a disk */

static int resize(struct op *o, const struct cim_instance *medium, uint64_t bytes,
                  struct pv_err *err)
{
    const char *path = cim_str_at(medium, SAN(HostResource), 0);

    if (!path)
        return pv_fail(err, PV_ENOTSUP, "%s %s: it has no file that could be resized", o->def->verb,
                       o->name);
    return op_image_resize(o, path, bytes, err);
}

static int move_drive(struct op *o, const struct cim_instance *drive, struct pv_err *err)
{
    struct cim_instance *want = cim_new(o->a, CIM(Msvm_ResourceAllocationSettingData));
    struct op_slot slot;
    int rc = op_slot_choose(o, op_arg(o, "controller"), "m", false, &slot, err);

    if (rc)
        return rc;
    cim_set_str(want, RES(InstanceID), cim_str(drive, RES(InstanceID)));
    cim_set_str(want, RES(Parent), resource_path(o, slot.controller));
    cim_set_str(want, RES(AddressOnParent), op_text(o, "%u", slot.unit));
    return op_modify(o, "place", want, drive, op_what(o, "moving", o->name), err);
}

static int run_disk_update(struct op *o, struct pv_err *err)
{
    const struct cim_instance *medium = NULL;
    struct cim_instance *drive = NULL,
                        *want = cim_new(o->a, CIM(Msvm_StorageAllocationSettingData));
    uint64_t bytes;
    unsigned state;
    int rc = stable(o, &state, err);

    if (rc == PV_OK)
        rc = get_drive(o, &drive, err);
    if (rc == PV_OK)
        rc = get_medium(o, &medium, err);
    if (rc == PV_OK)
        rc = put_sharing(o, o->args, want, err);
    if (rc)
        return rc;
    if (medium && (op_arg(o, "sharing") || op_arg(o, "qos.iops_limit"))) {
        cim_set_str(want, SAN(InstanceID), cim_str(medium, SAN(InstanceID)));
        rc = op_modify(o, "disk", want, medium, op_what(o, o->def->verb, o->name), err);
    }
    if (rc == PV_OK && op_arg(o, "controller"))
        rc = move_drive(o, drive, err);
    if (rc == PV_OK && op_arg_u64(o, "capacity_bytes", &bytes))
        rc = resize(o, medium, bytes, err);
    return rc;
}

/* ------------------------------------------------------------------ images in drives */

static int run_mount(struct op *o, struct pv_err *err)
{
    const struct cim_instance *medium = NULL;
    struct cim_instance *want;
    const char *path = NULL;
    struct medium m = { .drive = o->id };
    unsigned state;
    int rc = stable(o, &state, err);

    if (rc == PV_OK)
        rc = op_file_path(o, op_arg(o, "image"), "path", &path, err);
    if (rc == PV_OK) {
        struct cim_instance *drive;

        rc = get_drive(o, &drive, err);
    }
    if (rc == PV_OK)
        rc = get_medium(o, &medium, err);
    if (rc)
        return rc;
    m.path = path;
    if (!medium)
        return op_add_resource(o, "iso", op_what(o, o->def->verb, o->name),
                               medium_setting(o, o->id, path, true), find_medium, &m, path, err);
    want = cim_new(o->a, CIM(Msvm_StorageAllocationSettingData));
    cim_set_str(want, SAN(InstanceID), cim_str(medium, SAN(InstanceID)));
    cim_add_str(want, SAN(HostResource), path);
    return op_modify(o, "iso", want, medium, op_what(o, o->def->verb, o->name), err);
}

static int run_eject(struct op *o, struct pv_err *err)
{
    const struct cim_instance *medium = NULL;
    unsigned state;
    int rc = stable(o, &state, err);

    if (rc == PV_OK)
        rc = get_medium(o, &medium, err);
    if (rc || !medium) {
        o->changed = rc == PV_OK && o->resumed;
        return rc; /* it is empty already */
    }
    return op_remove_resource(o, "iso", op_what(o, o->def->verb, o->name),
                              CIM(Msvm_StorageAllocationSettingData),
                              cim_str(medium, SAN(InstanceID)), err);
}

static int run_controller_detach(struct op *o, struct pv_err *err)
{
    struct cim_instance *controller = NULL;
    struct cim_list list = { 0 };
    unsigned state;
    int rc = stable(o, &state, err);

    if (rc == PV_OK) {
        rc = get_drive(o, &controller, err);
        if (rc == PV_ENOENT) {
            o->changed = o->resumed;
            return PV_OK;
        }
    }
    if (rc == PV_OK && cim_uint(controller, RES(ResourceType)) != 6)
        return pv_fail(err, PV_ENOTSUP, "%s %s: only SCSI controllers can be removed", o->def->verb,
                       o->name);
    if (rc == PV_OK)
        rc = op_list(o, CIM(Msvm_ResourceAllocationSettingData), o->vm, &list, err);
    if (rc)
        return rc;
    if (op_child_of(o, &list, o->id))
        return pv_fail(err, PV_ESTATE, "%s %s: drives hang on it; remove them first", o->def->verb,
                       o->name);
    return op_remove_resource(o, "controller", op_what(o, o->def->verb, o->name),
                              CIM(Msvm_ResourceAllocationSettingData), o->id, err);
}

const struct op_def op_disk_defs[] = {
    { "vm.disk.attach", "adding a disk to", run_disk_attach, 0, 0 },
    { "vm.disk.update", "changing disk", run_disk_update, 0, 0 },
    { "vm.disk.detach", "removing disk", run_detach, 0, 0 },
    { "vm.cdrom.attach", "adding a CD drive to", run_cdrom_attach, 0, 0 },
    { "vm.cdrom.detach", "removing CD drive", run_detach, 0, 0 },
    { "vm.iso.mount", "inserting an image into", run_mount, 0, 0 },
    { "vm.iso.eject", "ejecting the image of", run_eject, 0, 0 },
    { "vm.controller.attach", "adding a controller to", run_controller_attach, 0, 0 },
    { "vm.controller.detach", "removing controller", run_controller_detach, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
