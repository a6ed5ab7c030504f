/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual disk files, by the host's image management. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define VHD(prop) P(Msvm_VirtualHardDiskSettingData, prop)
#define CHAIN_MOST 64

/* ------------------------------------------------------------------ reading */

static int service(struct op *o, const struct cim_ref **out, struct pv_err *err)
{
    return op_service(o, CIM(Msvm_ImageManagementService), out, err);
}

int op_image_read(struct op *o, const char *path, struct cim_instance **out, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_ImageManagementService, GetVirtualHardDiskSettingData));
    struct cim_instance *answer = NULL;
    const struct cim_ref *on = NULL;
    uint32_t value = 0;
    int rc = service(o, &on, err);

    if (rc)
        return rc;
    cim_set_str(in, A(Msvm_ImageManagementService, GetVirtualHardDiskSettingData, Path), path);
    rc = wsman_invoke(o->w->client, &o->c, on, in, o->a, &answer, err);
    if (rc)
        return rc;
    if (!cim_return_value(answer, &value))
        return pv_fail(err, PV_EIO, "reading %s: the host's answer says nothing", path);
    if (value == 4096) {
        const struct cim_ref *job =
            cim_get_ref(answer, A(Msvm_ImageManagementService, GetVirtualHardDiskSettingData, Job));
        struct job_view v = { 0 };

        /* What is wrong with the file, the job says. */
        rc = job ? job_follow(o->w->client, &o->c, job, op_text(o, "reading %s", path), NULL, NULL,
                              &v, err)
                 : pv_fail(err, PV_EIO, "reading %s: the host named no job", path);
        if (rc)
            return rc;
        if (v.state == JOB_FAILED || v.state == JOB_CANCELED)
            return job_fail(&v, op_text(o, "reading %s", path), err);
    } else if (value != 0) {
        return wsman_fail_return(value, op_text(o, "reading %s", path), err);
    }
    *out = cim_get_emb(
        answer, A(Msvm_ImageManagementService, GetVirtualHardDiskSettingData, SettingData), o->a);
    return *out ? PV_OK : pv_fail(err, PV_EIO, "reading %s: the host says nothing about it", path);
}

static bool is_missing(int rc)
{
    return rc == PV_ENOENT;
}

struct image_wish {
    const char *path;
    uint64_t bytes; /* 0: any */
    const char *gone;
    const char *parent;
};

static int is_made(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct image_wish *w = ctx;
    struct cim_instance *have = NULL;
    int rc = op_image_read(o, w->path, &have, err);

    *there = false;
    if (is_missing(rc))
        return PV_OK;
    if (rc)
        return rc;
    *there = !w->bytes || cim_uint(have, VHD(MaxInternalSize)) == w->bytes;
    return PV_OK;
}

int op_image_look(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct image_wish w = { .path = ctx };

    return is_made(o, &w, there, err);
}

/* ------------------------------------------------------------------ making */

static int codes(struct op *o, const char *format, const char *layout, bool has_parent,
                 const char *path, unsigned *format_code, unsigned *type, struct pv_err *err)
{
    size_t len = strlen(path);

    if (format && strcmp(format, "vhd") != 0 && strcmp(format, "vhdx") != 0 &&
        strcmp(format, "vhds") != 0) {
        int rc = pv_fail(err, PV_ENOTSUP, "%s %s: format: Hyper-V has vhd, vhdx and vhds",
                         o->def->verb, o->name);

        pv_err_pointer(err, "/format");
        return rc;
    }
    *format_code = format ? (strcmp(format, "vhd") == 0    ? 2
                             : strcmp(format, "vhds") == 0 ? 4
                                                           : 3)
                   : len > 4 && strcasecmp(path + len - 4, ".vhd") == 0  ? 2
                   : len > 5 && strcasecmp(path + len - 5, ".vhds") == 0 ? 4
                                                                         : 3;
    *type = has_parent ? 4 : 3;
    if (!layout || strcmp(layout, "dynamic") == 0 || strcmp(layout, "thin") == 0)
        return PV_OK;
    if (strcmp(layout, "differencing") == 0 && has_parent)
        return PV_OK;
    if (strcmp(layout, "fixed") == 0 || strncmp(layout, "thick", 5) == 0) {
        *type = 2;
        return has_parent ? pv_fail(err, PV_EINVAL, "%s %s: an image with a parent is differencing",
                                    o->def->verb, o->name)
                          : PV_OK;
    }
    return strcmp(layout, "differencing") == 0
               ? pv_fail(err, PV_EINVAL, "%s %s: a differencing image needs a parent", o->def->verb,
                         o->name)
               : pv_fail(err, PV_ENOTSUP,
                         "%s %s: subformat: Hyper-V has dynamic, fixed and differencing",
                         o->def->verb, o->name);
}

static const char *either(const json_t *spec, const char *first, const char *second)
{
    const char *text = op_member_str(spec, first);

    return text ? text : op_member_str(spec, second);
}

static int image_setting(struct op *o, const char *path, const json_t *spec, const char *parent,
                         struct cim_instance **out, struct pv_err *err)
{
    struct cim_instance *in = cim_new(o->a, CIM(Msvm_VirtualHardDiskSettingData));
    unsigned format = 3, type = 3;
    uint64_t n;
    int rc = codes(o, either(spec, "format", "image.format"),
                   either(spec, "subformat", "image.subformat"), parent != NULL, path, &format,
                   &type, err);

    if (rc)
        return rc;
    cim_set_str(in, VHD(Path), path);
    cim_set_uint(in, VHD(Type), type);
    cim_set_uint(in, VHD(Format), format);
    if (parent)
        cim_set_str(in, VHD(ParentPath), parent);
    if (op_member_u64(spec, "capacity_bytes", &n)) {
        if (n % 512 != 0)
            return pv_fail(err, PV_EINVAL, "%s %s: capacity_bytes has to be a multiple of 512",
                           o->def->verb, o->name);
        cim_set_uint(in, VHD(MaxInternalSize), n);
    }
    if (op_member_u64(spec, "block_bytes", &n))
        cim_set_uint(in, VHD(BlockSize), n);
    if (op_member_u64(spec, "logical_sector", &n))
        cim_set_uint(in, VHD(LogicalSectorSize), n);
    if (op_member_u64(spec, "physical_sector", &n))
        cim_set_uint(in, VHD(PhysicalSectorSize), n);
    *out = in;
    return PV_OK;
}

/* A job that fails half way leaves a file: that is ours. */
int op_make_file(struct op *o, const struct op_step *s, const char *path, struct pv_err *err)
{
    int rc;

    undo_made(o, UNDO_FILE, path);
    rc = op_do(o, s, NULL, err);
    if (o->lost || op_is_there_already(rc, err))
        undo_forget(o, UNDO_FILE, path);
    return rc;
}

int op_image_create(struct op *o, const char *key, const char *path, const json_t *spec,
                    const char *parent, struct pv_err *err)
{
    struct cim_instance *setting = NULL;
    struct cim_instance *in = cim_call(o->a, M(Msvm_ImageManagementService, CreateVirtualHardDisk));
    struct image_wish w = { .path = path };
    struct op_step s = { .key = key,
                         .what = op_text(o, "making the disk image %s", path),
                         .in = in,
                         .look = is_made,
                         .ctx = &w,
                         .file = path,
                         .remote = op_is_remote(path) ? path : NULL };
    bool there = false;
    int rc = image_setting(o, path, spec, parent, &setting, err);

    if (rc == PV_OK && !parent && !op_member(spec, "capacity_bytes"))
        rc = pv_fail(err, PV_EINVAL, "%s %s: capacity_bytes is missing", o->def->verb, o->name);
    if (rc)
        return rc;
    (void)op_member_u64(spec, "capacity_bytes", &w.bytes);
    if (parent)
        w.bytes = 0;
    if (!undo_has(o, UNDO_FILE, path) && !o->resumed) {
        rc = op_file_exists(o, path, &there, err);
        if (rc)
            return rc;
        if (there)
            return pv_fail_as(err, "conflict-exists", "%s %s: the file %s exists already",
                              o->def->verb, o->name, path);
    }
    cim_set_emb(in, A(Msvm_ImageManagementService, CreateVirtualHardDisk, VirtualDiskSettingData),
                setting);
    rc = service(o, &s.on, err);
    if (rc)
        return rc;
    return op_make_file(o, &s, path, err);
}

/* ------------------------------------------------------------------ operations on one */

static const char *subject_path(struct op *o)
{
    const char *path = op_member_str(o->subject, "path");
    const json_t *datastore = op_member(o->subject, "datastore");
    const char *root = NULL, *clean = path;

    if (!path || !*path)
        return o->id;
    if (json_is_object(datastore) && op_datastore_root(o, datastore, &root, NULL) == PV_OK)
        clean = op_windows_path(o, root, path);
    return clean ? clean : o->id;
}

static int list_media(struct op *o, struct cim_list *out, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_StorageAllocationSettingData) };

    return wsman_list(o->w->client, &o->c, &q, o->a, out, err);
}

/* What a disk stands on must not change: its own file holds only what differs. */
static int check_base(struct op *o, const struct cim_list *media, const char *path, const char *but,
                      struct pv_err *err)
{
    bool used = false;
    int rc = op_chains_hold(o, media, path, but, &used, err);

    return rc == PV_OK && used ? pv_fail(err, PV_ESTATE, "%s %s: the disk of a VM stands on it",
                                         o->def->verb, o->name)
                               : rc;
}

/* An image that a VM names, or that another image stands on, would leave a VM broken. */
static int check_unused(struct op *o, const struct cim_list *media, const char *path,
                        struct pv_err *err)
{
    for (size_t i = 0; i < media->count; i++)
        if (op_same_path(
                cim_str_at(media->items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0),
                path))
            return pv_fail(err, PV_ESTATE, "%s %s: a VM uses it", o->def->verb, o->name);
    return check_base(o, media, path, NULL, err);
}

int op_image_resize(struct op *o, const char *path, uint64_t bytes, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_ImageManagementService, ResizeVirtualHardDisk));
    struct image_wish w = { .path = path, .bytes = bytes };
    struct cim_instance *have = NULL;
    struct cim_list media = { 0 };
    struct op_step s = { .key = "resize",
                         .what = op_text(o, "resizing %s", path),
                         .in = in,
                         .look = is_made,
                         .ctx = &w,
                         .file = path,
                         .remote = op_is_remote(path) ? path : NULL };
    int rc = bytes % 512
                 ? pv_fail(err, PV_EINVAL, "%s %s: capacity_bytes has to be a multiple of 512",
                           o->def->verb, o->name)
                 : op_image_read(o, path, &have, err);

    op_object(o, "disk_image", path);
    if (rc)
        return rc;
    if (cim_uint(have, VHD(MaxInternalSize)) == bytes) {
        o->changed |= o->resumed;
        return PV_OK;
    }
    if (!o->resumed) {
        rc = list_media(o, &media, err);
        if (rc == PV_OK)
            rc = check_base(o, &media, path, NULL, err);
        if (rc)
            return rc;
    }
    cim_set_str(in, A(Msvm_ImageManagementService, ResizeVirtualHardDisk, Path), path);
    cim_set_uint(in, A(Msvm_ImageManagementService, ResizeVirtualHardDisk, MaxInternalSize), bytes);
    rc = service(o, &s.on, err);
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int run_resize(struct op *o, struct pv_err *err)
{
    uint64_t bytes = 0;

    (void)op_arg_u64(o, "capacity_bytes", &bytes);
    return op_image_resize(o, subject_path(o), bytes, err);
}

static int run_create(struct op *o, struct pv_err *err)
{
    const json_t *parent = op_arg(o, "parent");
    const char *path = NULL, *parent_path = NULL;
    json_t *where = json_object();
    int rc;

    if (json_is_object(parent)) {
        parent_path = op_member_str(parent, "path");
        if (!parent_path || !*parent_path)
            parent_path = op_member_str(parent, "native_id");
    }
    /* The place is the subject; a datastore may be named beside a host, too. */
    json_object_set(where, "path", json_object_get(o->args, "path"));
    if (json_is_object(op_arg(o, "datastore")))
        json_object_set(where, "datastore", json_object_get(o->args, "datastore"));
    else if (strcmp(o->kind, "datastore") == 0)
        json_object_set_new(where, "datastore", json_deep_copy(o->subject));
    rc = op_file_path(o, where, "path", &path, err);
    json_decref(where);
    if (rc == PV_OK)
        rc = op_image_create(o, "create", path, o->args, parent_path, err);
    if (rc)
        return rc;
    undo_keep(o);
    op_made(o, "disk_image", path, NULL);
    return PV_OK;
}

static int run_inspect(struct op *o, struct pv_err *err)
{
    const char *path = subject_path(o);
    struct cim_instance *have = NULL;
    json_t *chain = json_array();
    json_t *data = NULL;
    int rc = op_image_read(o, path, &have, err);

    if (rc) {
        json_decref(chain);
        return rc;
    }
    data = op_json(have);
    for (unsigned depth = 0; depth < CHAIN_MOST; depth++) {
        const char *parent = cim_str(have, VHD(ParentPath));

        if (!parent || !*parent)
            break;
        json_array_append_new(chain, json_string(parent));
        if (op_image_read(o, parent, &have, NULL))
            break;
    }
    json_object_set_new(data, "chain", chain);
    json_object_set_new(o->result, "data", data);
    op_object(o, "disk_image", path);
    return PV_OK;
}

static int run_check(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_ImageManagementService, ValidateVirtualHardDisk));
    const char *path = subject_path(o);
    struct op_step s = {
        .key = "check", .what = op_text(o, "checking %s", path), .in = in, .file = path
    };
    struct pv_err found = { 0 };
    int rc;

    cim_set_str(in, A(Msvm_ImageManagementService, ValidateVirtualHardDisk, Path), path);
    rc = service(o, &s.on, err);
    if (rc == PV_OK && o->resumed) {
        o->resumed = false; /* it changes nothing: asked again is asked once */
    }
    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, &found);
    o->changed = false;
    if (rc == PV_EUNKNOWN || rc == PV_ECANCELED || rc == PV_EOFFLINE || rc == PV_EAUTH ||
        rc == PV_EPERM) {
        if (err)
            *err = found;
        return rc;
    }
    op_object(o, "disk_image", path);
    if (!o->dry_run)
        json_object_set_new(o->result, "data",
                            rc ? json_pack("{s:s, s:s, s:s}", "result",
                                           rc == PV_ENOENT ? "chain_broken" : "damaged", "detail",
                                           found.message, "native_code", found.native_code)
                               : json_pack("{s:s}", "result", "ok"));
    return PV_OK;
}

static int run_compact(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_ImageManagementService, CompactVirtualHardDisk));
    const char *path = subject_path(o);
    struct op_step s = { .key = "compact",
                         .what = op_text(o, "compacting %s", path),
                         .in = in,
                         .file = path,
                         .remote = op_is_remote(path) ? path : NULL };
    int rc;

    cim_set_str(in, A(Msvm_ImageManagementService, CompactVirtualHardDisk, Path), path);
    cim_set_uint(in, A(Msvm_ImageManagementService, CompactVirtualHardDisk, Mode),
                 str_eq(op_arg_str(o, "mode"), "quick") ? 1 : 0);
    op_object(o, "disk_image", path);
    rc = service(o, &s.on, err);
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int run_convert(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_ImageManagementService, ConvertVirtualHardDisk));
    const char *path = subject_path(o), *to = NULL;
    struct cim_instance *setting = NULL;
    struct image_wish w = { 0 };
    struct op_step s = { .key = "convert",
                         .what = op_text(o, "converting %s", path),
                         .in = in,
                         .look = is_made,
                         .ctx = &w };
    bool there = false;
    int rc;

    if (!op_arg(o, "datastore") && !strchr(op_arg_str(o, "path"), ':') &&
        op_arg_str(o, "path")[0] != '\\') {
        /* Without a datastore the new file goes where the old one is. */
        const char *slash = strrchr(path, '\\');

        to = op_windows_path(o, slash ? arena_text(o->a, path, (size_t)(slash - path)) : NULL,
                             op_arg_str(o, "path"));
        rc = to ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    } else {
        rc = op_file_path(o, o->args, "path", &to, err);
    }
    if (rc == PV_OK)
        rc = image_setting(o, to, o->args, NULL, &setting, err);
    if (rc == PV_OK && !o->resumed)
        rc = op_file_exists(o, to, &there, err);
    if (rc == PV_OK && there)
        rc = pv_fail_as(err, "conflict-exists", "%s %s: the file %s exists already", o->def->verb,
                        o->name, to);
    if (rc)
        return rc;
    w.path = to;
    s.file = path;
    s.remote = op_is_remote(to) ? to : NULL;
    cim_set_str(in, A(Msvm_ImageManagementService, ConvertVirtualHardDisk, SourcePath), path);
    cim_set_emb(in, A(Msvm_ImageManagementService, ConvertVirtualHardDisk, VirtualDiskSettingData),
                setting);
    rc = service(o, &s.on, err);
    if (rc)
        return rc;
    rc = op_make_file(o, &s, to, err);
    if (rc)
        return rc;
    undo_keep(o);
    op_made(o, "disk_image", to, NULL);
    return PV_OK;
}

/* Merged: its parent has it, and the file is gone. */
static int is_merged(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct image_wish *w = ctx;
    int rc = op_file_exists(o, w->gone, there, err);

    if (rc == PV_OK)
        *there = !*there;
    return rc;
}

static int run_merge(struct op *o, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_ImageManagementService, MergeVirtualHardDisk));
    const char *path = subject_path(o), *into = op_arg_str(o, "into.path");
    struct image_wish w = { .gone = path };
    struct cim_instance *have = NULL;
    struct cim_list media = { 0 };
    struct op_step s = { .key = "merge",
                         .what = op_text(o, "merging %s", path),
                         .in = in,
                         .look = is_merged,
                         .ctx = &w,
                         .file = path };
    int rc = PV_OK;

    if (!into || !*into)
        into = op_arg_str(o, "into.native_id");
    if (!into)
        into = journal_get(&o->journal, "into");
    if (!into) {
        rc = op_image_read(o, path, &have, err);
        into = rc ? NULL : cim_str(have, VHD(ParentPath));
        if (rc == PV_OK && (!into || !*into))
            return pv_fail(err, PV_ENOTSUP, "%s %s: it has no parent to merge into", o->def->verb,
                           o->name);
    }
    if (rc)
        return rc;
    into = arena_strdup(o->a, into);
    journal_note(&o->journal, "into", into);
    if (!o->resumed) {
        rc = list_media(o, &media, err);
        if (rc == PV_OK)
            rc = check_unused(o, &media, path, err);
        if (rc == PV_OK) /* others that stand there would lose what they differ from */
            rc = check_base(o, &media, into, path, err);
        if (rc)
            return rc;
    }
    cim_set_str(in, A(Msvm_ImageManagementService, MergeVirtualHardDisk, SourcePath), path);
    cim_set_str(in, A(Msvm_ImageManagementService, MergeVirtualHardDisk, DestinationPath), into);
    op_object(o, "disk_image", into);
    rc = service(o, &s.on, err);
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int run_delete(struct op *o, struct pv_err *err)
{
    const char *path = subject_path(o);
    struct cim_list media = { 0 };
    bool there = true;
    int rc = op_file_exists(o, path, &there, err);

    if (rc == PV_OK && !there) {
        o->changed = o->resumed;
        return PV_OK;
    }
    /* It was asked for before a restart. What is there now may be another file of this name. */
    if (o->resumed && rc != PV_EOFFLINE) {
        o->resumed = false;
        rc = op_file_look(o, path, "the server was restarted meanwhile", err);
        o->changed = rc == PV_OK;
        return rc;
    }
    if (rc == PV_OK)
        rc = list_media(o, &media, err);
    if (rc == PV_OK)
        rc = check_unused(o, &media, path, err);
    if (rc == PV_OK && !o->dry_run)
        rc = op_begin_step(o, "delete", "deleting the file", err);
    if (rc == PV_OK)
        rc = op_file_delete(o, path, err);
    if (rc == PV_OK)
        o->changed = true;
    return rc;
}

const struct op_def op_image_defs[] = {
    { "disk.create", "making disk image", run_create, 0, 0 },
    { "disk.inspect", "inspecting", run_inspect, 0, 0 },
    { "disk.resize", "resizing", run_resize, 0, 0 },
    { "disk.compact", "compacting", run_compact, 0, 0 },
    { "disk.convert", "converting", run_convert, 0, 0 },
    { "disk.merge", "merging", run_merge, 0, 0 },
    { "disk.check", "checking", run_check, 0, 0 },
    { "disk.delete", "deleting disk image", run_delete, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
