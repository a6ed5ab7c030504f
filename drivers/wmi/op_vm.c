/* SPDX-License-Identifier: Apache-2.0 */
/* Making VMs and removing them. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_modify.h"

#define SET(prop) P(Msvm_VirtualSystemSettingData, prop)
#define FILES_MOST 64

/* ------------------------------------------------------------------ finding what was made */

struct named {
    struct op *o;
    const char *name;
    char guid[40];
};

/* Names are not unique: others may make a VM of this name at the same time. Ours bears our mark. */
static bool is_named(void *ctx, const struct cim_instance *i)
{
    const struct named *n = ctx;

    return op_same(cim_str(i, SET(ElementName)), n->name) &&
           op_same(cim_str(i, SET(VirtualSystemType)), "Microsoft:Hyper-V:System:Realized") &&
           op_marked(n->o, cim_str_at(i, SET(Notes), 0));
}

static int find_named(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct named *n = ctx;
    struct wsman_query q = {
        .cls = CIM(Msvm_VirtualSystemSettingData), .match = is_named, .match_ctx = n, .most = 100000
    };
    struct cim_list list = { 0 };
    struct buf where;
    int rc;

    buf_init(&where, 4096);
    buf_text(&where, "VirtualSystemType = 'Microsoft:Hyper-V:System:Realized' AND ElementName = ");
    wsman_quote(&where, n->name);
    q.where = where.data;
    rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);
    buf_free(&where);
    *there = false;
    for (size_t i = 0; rc == PV_OK && i < list.count && !*there; i++)
        *there =
            is_named(n, list.items[i]) && op_guid(cim_str(list.items[i], SET(InstanceID)), n->guid);
    return rc;
}

/* ------------------------------------------------------------------ making */

/* Where its files go: a folder of the datastore, of the host's default, named after the VM unless
 * said otherwise. */
static int vm_folder(struct op *o, const char **out, struct pv_err *err)
{
    const json_t *datastore = op_arg(o, "datastore");
    const char *root = NULL, *disks = NULL, *path = op_arg_str(o, "path"),
               *kept = journal_get(&o->journal, "root");
    int rc = PV_OK;

    if (kept) {
        *out = arena_strdup(o->a, kept);
        return PV_OK;
    }
    if (path && *path)
        rc = op_file_path(o, o->args, "path", out, err);
    else if (json_is_object(datastore))
        rc = op_datastore_root(o, datastore, &root, err);
    else
        rc = op_default_folders(o, &root, &disks, err);
    if (rc == PV_OK && root)
        *out = op_join(o, root, op_file_name(o, op_arg_str(o, "name")));
    if (rc == PV_OK)
        journal_note(&o->journal, "root", *out);
    return rc;
}

static struct cim_instance *new_settings(struct op *o, const char *folder)
{
    struct cim_instance *s = cim_new(o->a, CIM(Msvm_VirtualSystemSettingData));
    const char *version = op_arg_str(o, "hardware_version"),
               *annotation = op_arg_str(o, "annotation");

    cim_set_str(s, SET(ElementName), op_arg_str(o, "name"));
    cim_set_str(s, SET(VirtualSystemSubType),
                o->gen2 ? "Microsoft:Hyper-V:SubType:2" : "Microsoft:Hyper-V:SubType:1");
    cim_set_str(s, SET(ConfigurationDataRoot), folder);
    cim_set_str(s, SET(SnapshotDataRoot), folder);
    cim_set_str(s, SET(SwapFileDataRoot), folder);
    if (version)
        cim_set_str(s, SET(Version), version);
    if (!o->dry_run)
        cim_add_str(s, SET(Notes), op_mark_notes(o));
    else if (annotation)
        cim_add_str(s, SET(Notes), annotation);
    return s;
}

static int define(struct op *o, struct pv_err *err)
{
    struct named n = { .o = o, .name = op_arg_str(o, "name") };
    struct cim_instance *in = cim_call(o->a, M(Msvm_VirtualSystemManagementService, DefineSystem));
    struct op_step s = { .key = "define",
                         .what = op_what(o, "making", o->name),
                         .in = in,
                         .look = find_named,
                         .ctx = &n };
    const char *folder = NULL, *known = undo_nth(o, UNDO_VM, 0);
    int rc;

    if (known) { /* before the restart */
        (void)str_copy(o->vm, sizeof(o->vm), known);
        return PV_OK;
    }
    rc = vm_folder(o, &folder, err);
    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc)
        return rc;
    s.remote = op_is_remote(folder) ? folder : NULL;
    cim_set_emb(in, A(Msvm_VirtualSystemManagementService, DefineSystem, SystemSettings),
                new_settings(o, folder));
    rc = op_do(o, &s, NULL, err);
    if (rc || o->dry_run)
        return rc;
    undo_made(o, UNDO_VM, n.guid);
    (void)str_copy(o->vm, sizeof(o->vm), n.guid);
    return PV_OK;
}

/* A list of the arguments, or what the profile says when it is not given. */
static int each(struct op *o, const char *list, const char *usual,
                int (*add)(struct op *, const json_t *, unsigned, struct pv_err *),
                struct pv_err *err)
{
    const json_t *items = op_arg(o, list);
    bool server = !str_eq(op_arg_str(o, "profile"), "minimal");
    int rc = PV_OK;

    if (!items && usual && server) {
        json_t *one = json_loads(usual, 0, NULL);

        rc = add(o, one, 0, err);
        json_decref(one);
        return rc;
    }
    for (size_t i = 0; rc == PV_OK && i < json_array_size(items); i++)
        rc = add(o, json_array_get(items, i), (unsigned)i, err);
    return rc;
}

static int add_devices(struct op *o, struct pv_err *err)
{
    /* The server profile has a SCSI controller on both generations; of generation 2 it is the only
     * kind there is. */
    bool needs = o->gen2 && !op_arg(o, "disks") && op_arg(o, "cdroms") &&
                 json_array_size(op_arg(o, "cdroms")) == 0;
    int rc = each(o, "controllers", needs ? "{\"bus\":\"scsi\"}" : NULL, op_controller_add, err);

    if (rc == PV_OK)
        rc = each(o, "disks", NULL, op_disk_add, err);
    if (rc == PV_OK)
        rc = each(o, "cdroms", "{}", op_cdrom_add, err);
    if (rc == PV_OK)
        rc = each(o, "nics", "{}", op_nic_add, err);
    return rc;
}

static void say_differences(struct op *o)
{
    if (o->gen2)
        return;
    op_differs(
        o, "Generation 1 always has two IDE controllers, a diskette drive and two serial ports.");
}

/* What every new VM has before anything is asked for. */
static void plan_fixed(struct op *o)
{
    for (int i = 0; !o->gen2 && i < 2; i++)
        op_device(o, json_pack("{s:s, s:s, s:s, s:i}", "kind", "controller", "label",
                               "IDE Controller", "bus", "ide", "number", i));
    if (o->new_scsi)
        op_device(o, json_pack("{s:s, s:s, s:s}", "kind", "controller", "label", "SCSI Controller",
                               "bus", "scsi"));
}

/* Secure Boot is off unless asked for, as on other families; generation 2 has it on by itself. */
static json_t *config_of(struct op *o)
{
    json_t *config = json_deep_copy(o->args), *secure;

    json_object_del(config, "firmware");
    if (o->dry_run)
        json_object_del(config, "annotation"); /* given with the making */
    else if (!json_object_get(config, "annotation"))
        json_object_set_new(config, "annotation", json_string("")); /* in place of our mark */
    if (!o->gen2)
        return config;
    secure = json_object_get(config, "secure_boot");
    if (!json_is_object(secure)) {
        secure = json_object();
        json_object_set_new(config, "secure_boot", secure);
    }
    if (!json_object_get(secure, "on"))
        json_object_set_new(secure, "on",
                            json_boolean(json_object_get(secure, "template") != NULL));
    return config;
}

static int configure(struct op *o, struct pv_err *err)
{
    json_t *config = config_of(o);
    int rc = config ? op_config_apply(o, config, err) : pv_fail(err, PV_ENOMEM, "no memory");

    json_decref(config);
    return rc;
}

static int check_create(struct op *o, struct pv_err *err)
{
    if (!o->gen2 && op_arg_bool(o, "secure_boot.on"))
        return pv_fail(err, PV_ENOTSUP,
                       "%s %s: secure_boot: bios (generation 1) has none; use uefi", o->def->verb,
                       o->name);
    if (!o->gen2 && op_arg_bool(o, "tpm"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: tpm: bios (generation 1) has none; use uefi",
                       o->def->verb, o->name);
    if (op_arg_bool(o, "tpm")) {
        int rc =
            pv_fail(err, PV_ENOTSUP,
                    "%s %s: tpm: a new VM has no key protector, and only the host can make one",
                    o->def->verb, o->name);

        pv_err_pointer(err, "/tpm");
        pv_err_needs(err, "key protector");
        pv_err_remedy(err,
                      "Make it without, then on the host: Set-VMKeyProtector -VMName '%.60s' "
                      "-NewLocalKeyProtector; then turn its TPM on.",
                      o->name);
        return rc;
    }
    if (op_arg(o, "native_folder"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: native_folder: Hyper-V has no tree of VMs",
                       o->def->verb, o->name);
    return PV_OK;
}

static int run_create(struct op *o, struct pv_err *err)
{
    int rc;

    o->vm[0] = '\0';
    o->name = op_arg_str(o, "name");
    o->gen2 = !str_eq(op_arg_str(o, "firmware"), "bios");
    o->steps = 4 + (unsigned)json_array_size(op_arg(o, "disks")) * 3 +
               (unsigned)json_array_size(op_arg(o, "nics")) * 2 + (op_arg_bool(o, "start") ? 1 : 0);
    rc = check_create(o, err);
    if (rc == PV_OK)
        rc = define(o, err);
    if (rc == PV_OK)
        rc = configure(o, err);
    if (rc == PV_OK)
        rc = add_devices(o, err);
    if (rc == PV_OK && json_array_size(op_arg(o, "boot.order")) > 0)
        rc = op_boot_apply(o, op_arg(o, "boot.order"), err);
    if (rc)
        return rc;
    say_differences(o);
    if (o->dry_run) {
        plan_fixed(o);
        op_plan_start(o);
        return PV_OK;
    }
    undo_keep(o);
    op_made(o, "vm", o->vm, NULL);
    rc = op_list_devices(o, NULL);
    if (rc)
        op_warn(o, "the devices of the new VM could not be listed");
    if (op_arg_bool(o, "start")) {
        struct pv_err why = { 0 };

        /* It is made; that it does not start is told, not undone. */
        if (op_power_set(o, "start", 2, 2, &why))
            op_warn(o, "it was made, but does not start: %s", why.message);
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ removing */

static int is_removed(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct cim_instance *found;
    int rc = wsman_get(o->w->client, &o->c, op_vm_ref(o, ctx), o->a, &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_ENOENT;
    return PV_OK;
}

struct files {
    const char *paths[FILES_MOST];
    size_t n;
};

static void add_file(struct op *o, struct files *f, const char *path)
{
    for (size_t i = 0; i < f->n; i++)
        if (op_same_path(f->paths[i], path))
            return;
    if (path && *path && f->n < FILES_MOST)
        f->paths[f->n++] = arena_strdup(o->a, path);
}

static bool is_disk(const struct cim_instance *i)
{
    return op_same(cim_str(i, P(Msvm_StorageAllocationSettingData, ResourceSubType)),
                   "Microsoft:Hyper-V:Virtual Hard Disk");
}

/* Disks of the VM and of its checkpoints; the chain below them merges away when the checkpoints go.
 */
static int list_files(struct op *o, struct files *f, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_StorageAllocationSettingData) };
    struct cim_list list = { 0 };
    const char *kept;
    int rc;

    for (unsigned i = 0; (kept = undo_nth(o, UNDO_TODO, i)) != NULL; i++)
        add_file(o, f, kept);
    if (f->n)
        return PV_OK;
    rc = op_list(o, q.cls, o->vm, &list, err);
    for (size_t i = 0; rc == PV_OK && i < list.count; i++)
        if (is_disk(list.items[i]))
            add_file(
                o, f,
                cim_str_at(list.items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0));
    return rc;
}

static bool is_snapshot_of(void *ctx, const struct cim_instance *i)
{
    const char *type = cim_str(i, SET(VirtualSystemType));

    return type && strncasecmp(type, "Microsoft:Hyper-V:Snapshot", 26) == 0 &&
           op_same(cim_str(i, SET(VirtualSystemIdentifier)), ctx);
}

static int snapshot_files(struct op *o, struct files *f, struct pv_err *err)
{
    char where[96];
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData),
                             .where = where,
                             .match = is_snapshot_of,
                             .match_ctx = o->vm };
    struct cim_list list = { 0 };
    int rc;

    (void)snprintf(where, sizeof(where), "VirtualSystemIdentifier = '%s'", o->vm);
    rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);
    for (size_t i = 0; rc == PV_OK && i < list.count; i++) {
        struct cim_list media = { 0 };
        char guid[40];

        if (!is_snapshot_of(o->vm, list.items[i]) ||
            !op_guid(cim_str(list.items[i], SET(InstanceID)), guid))
            continue;
        rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), guid, &media, err);
        for (size_t k = 0; rc == PV_OK && k < media.count; k++)
            if (is_disk(media.items[k]))
                add_file(o, f,
                         cim_str_at(media.items[k],
                                    P(Msvm_StorageAllocationSettingData, HostResource), 0));
    }
    return rc;
}

static bool is_used_elsewhere(struct op *o, const struct cim_list *all, const char *path)
{
    char prefix[64];

    (void)snprintf(prefix, sizeof(prefix), "Microsoft:%s", o->vm);
    for (size_t i = 0; i < all->count; i++) {
        const char *id = cim_str(all->items[i], P(Msvm_StorageAllocationSettingData, InstanceID));

        if (id && strncasecmp(id, prefix, strlen(prefix)) != 0 &&
            op_same_path(
                cim_str_at(all->items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0),
                path))
            return true;
    }
    return false;
}

static void delete_files(struct op *o, const struct files *f)
{
    struct wsman_query q = { .cls = CIM(Msvm_StorageAllocationSettingData) };
    struct cim_list all = { 0 };
    bool finishing = o->c.must_finish;

    o->c.must_finish = true; /* the VM is gone: nobody else will look after its files */
    if (!o->dry_run && wsman_list(o->w->client, &o->c, &q, o->a, &all, NULL)) {
        op_warn(o, "its disk files were kept, for it could not be seen whether other VMs use them");
        o->c.must_finish = finishing;
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        struct pv_err why = { 0 };
        bool held = false;

        if (!o->dry_run && is_used_elsewhere(o, &all, f->paths[i]))
            op_warn(o, "%s was kept: another VM uses it", f->paths[i]);
        else if (!o->dry_run && op_chains_hold(o, &all, f->paths[i], NULL, &held, &why))
            op_warn(
                o,
                "%s was kept, for it could not be seen whether disks of other VMs stand on it: %s",
                f->paths[i], why.message);
        else if (held)
            op_warn(o, "%s was kept: the disk of another VM stands on it", f->paths[i]);
        else if (op_file_delete(o, f->paths[i], &why))
            op_warn(o, "%s is still there: %s", f->paths[i], why.message);
        op_object(o, "disk_image", f->paths[i]);
    }
    o->c.must_finish = finishing;
}

static int destroy(struct op *o, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_VirtualSystemManagementService, DestroySystem));
    struct op_step s = { .key = "destroy",
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_removed,
                         .ctx = o->vm,
                         .repeats = true };
    int rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);

    cim_set_ref(in, A(Msvm_VirtualSystemManagementService, DestroySystem, AffectedSystem),
                op_vm_ref(o, o->vm));
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int run_delete(struct op *o, struct pv_err *err)
{
    bool away = str_eq(op_arg_str(o, "disks"), "delete"), gone = false, cut = false;
    struct files f = { .n = 0 };
    unsigned state = 3;
    int rc = is_removed(o, o->vm, &gone, err);

    o->steps = 2;
    if (rc)
        return rc;
    if (gone && !o->resumed)
        return PV_OK;
    if (!gone) {
        rc = op_vm_stable(o, &state, err);
        if (rc == PV_OK && state != 3 && state != 6 && !o->resumed && !op_arg_bool(o, "force"))
            return op_wrong_state(o, err, "it runs; turn it off, or use force");
    }
    if (rc == PV_OK && away)
        rc = list_files(o, &f, err);
    if (rc == PV_OK && away && !gone)
        rc = snapshot_files(o, &f, err);
    if (rc)
        return rc;
    /* After a restart the VM may be gone, and nobody knows its files any more. */
    for (size_t i = 0; away && i < f.n; i++)
        undo_made(o, UNDO_TODO, f.paths[i]);
    if (!gone && state != 3 && (state != 6 || o->resumed)) {
        rc = op_power_set(o, "off", 3, 3, err);
        cut = rc == PV_OK && !o->dry_run;
    }
    if (rc == PV_OK && !gone)
        rc = destroy(o, err);
    if (rc && cut) /* its memory is gone: that cannot be taken back */
        (void)pv_wrap(err, "it was turned off, and stays off");
    if (rc)
        return rc;
    o->changed = true;
    if (away)
        delete_files(o, &f);
    undo_keep(o);
    return PV_OK;
}

const struct op_def op_vm_defs[] = {
    { "vm.create", "making", run_create, 0, 0 },
    { "vm.delete", "deleting", run_delete, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
