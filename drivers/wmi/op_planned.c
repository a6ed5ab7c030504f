/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/op_planned.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_device.h"
#include "drivers/wmi/op_modify.h"

#define SET(prop) P(Msvm_VirtualSystemSettingData, prop)
#define SAN(prop) P(Msvm_StorageAllocationSettingData, prop)
#define PORT(prop) P(Msvm_EthernetPortAllocationSettingData, prop)
#define IMPORTED A(Msvm_VirtualSystemManagementService, ImportSystemDefinition, ImportedSystem)
#define MARK 8

/* ------------------------------------------------------------------ the definition becomes a
 * planned VM */

struct planned {
    const char *before; /* marks of those that were there */
    struct cim_instance *answer;
    char guid[40];
};

static int list_planned(struct op *o, struct cim_list *out, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_PlannedComputerSystem), .most = 10000 };

    return wsman_list(o->w->client, &o->c, &q, o->a, out, err);
}

static int note_before(struct op *o, struct planned *p, struct pv_err *err)
{
    const char *kept = journal_get(&o->journal, "planned");
    struct cim_list list = { 0 };
    struct buf marks;
    int rc;

    if (kept) {
        p->before = arena_strdup(o->a, kept);
        return PV_OK;
    }
    rc = list_planned(o, &list, err);
    if (rc)
        return rc;
    buf_init(&marks, 800);
    buf_char(&marks, '.');
    for (size_t i = 0; i < list.count; i++)
        buf_printf(&marks, "%.*s.", MARK,
                   cim_str(list.items[i], P(Msvm_PlannedComputerSystem, Name)));
    p->before = arena_strdup(o->a, buf_ok(&marks) ? marks.data : ".");
    buf_free(&marks);
    journal_note(&o->journal, "planned", p->before);
    return PV_OK;
}

/* The host names it in its answer or by its job; whose both are lost is the one that is new. */
static int find_planned(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct planned *p = ctx;
    const struct cim_ref *named = p->answer ? cim_get_ref(p->answer, IMPORTED) : NULL;
    struct cim_list list = { 0 };
    unsigned found = 0;
    int rc;

    *there = named && op_guid(cim_ref_key(named, "Name"), p->guid);
    if (*there)
        return PV_OK;
    rc = op_job_system(o, CIM(Msvm_PlannedComputerSystem), p->guid, err);
    *there = rc == PV_OK;
    if (rc != PV_ENOENT)
        return rc;
    rc = list_planned(o, &list, err);
    for (size_t i = 0; rc == PV_OK && i < list.count; i++) {
        const char *id = cim_str(list.items[i], P(Msvm_PlannedComputerSystem, Name));
        char mark[MARK + 3], guid[40];

        if (!op_guid(id, guid))
            continue;
        (void)snprintf(mark, sizeof(mark), ".%.*s.", MARK, id);
        if (strstr(p->before, mark))
            continue;
        (void)str_copy(p->guid, sizeof(p->guid), guid);
        found++;
    }
    *there = found == 1;
    /* Another program imports, too: to take one of them would be to guess. */
    return found > 1
               ? pv_fail(
                     err, PV_EUNKNOWN,
                     "%s %s: %u planned VMs are new on the host, and nobody can say which is ours",
                     o->def->verb, o->name, found)
               : rc;
}

static const char *folder_of(struct op *o, const char *path)
{
    const char *slash = strrchr(path, '\\');

    return slash ? arena_text(o->a, path, (size_t)(slash - path)) : path;
}

/* Beside "Virtual Machines", where the definition is. */
static const char *snapshot_folder(struct op *o, const char *file)
{
    return op_join(o, folder_of(o, folder_of(o, file)), "Snapshots");
}

static int plan_alone(struct op *o, const struct op_import *i, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, ImportSystemDefinition));
    struct planned p = { 0 };
    const char *known = undo_nth(o, UNDO_PLANNED, 0);
    struct op_step s = { .key = "import",
                         .what = op_text(o, "reading %s", i->file),
                         .in = in,
                         .look = find_planned,
                         .ctx = &p,
                         .remote = op_is_remote(i->file) ? i->file : NULL };
    int rc;

    if (known) {
        (void)str_copy(o->vm, sizeof(o->vm), known);
        return PV_OK;
    }
    rc = note_before(o, &p, err);
    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc)
        return rc;
    cim_set_str(
        in, A(Msvm_VirtualSystemManagementService, ImportSystemDefinition, SystemDefinitionFile),
        i->file);
    cim_set_str(in, A(Msvm_VirtualSystemManagementService, ImportSystemDefinition, SnapshotFolder),
                i->snapshots ? snapshot_folder(o, i->file) : "");
    cim_set_bool(
        in,
        A(Msvm_VirtualSystemManagementService, ImportSystemDefinition, GenerateNewSystemIdentifier),
        i->new_id);
    rc = op_do(o, &s, &p.answer, err);
    if (rc || o->dry_run)
        return rc;
    undo_made(o, UNDO_PLANNED, p.guid);
    (void)str_copy(o->vm, sizeof(o->vm), p.guid);
    return PV_OK;
}

/* One at a time: what is new on the host is then this one's. */
static int plan_it(struct op *o, const struct op_import *i, struct pv_err *err)
{
    int rc;

    while (pthread_mutex_trylock(&o->w->importing) != 0) {
        rc = call_sleep(&o->c, 50, err);
        if (rc)
            return rc;
    }
    rc = plan_alone(o, i, err);
    pthread_mutex_unlock(&o->w->importing);
    return rc;
}

/* ------------------------------------------------------------------ what does not fit is put right
 */

/* A planned VM shares its GUID with the one it was exported from, should that be here: the one of
 * the right type. */
static bool is_planned(void *ctx, const struct cim_instance *s)
{
    return op_same(cim_str(s, SET(VirtualSystemType)), "Microsoft:Hyper-V:System:Planned") &&
           op_same(cim_str(s, SET(VirtualSystemIdentifier)), ctx);
}

static int planned_settings(struct op *o, struct cim_instance **out, struct pv_err *err)
{
    char where[160];
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData),
                             .where = where,
                             .match = is_planned,
                             .match_ctx = o->vm };
    int rc;

    (void)snprintf(
        where, sizeof(where),
        "VirtualSystemType = 'Microsoft:Hyper-V:System:Planned' AND VirtualSystemIdentifier = '%s'",
        o->vm);
    rc = wsman_first(o->w->client, &o->c, &q, o->a, out, err);
    return rc == PV_ENOENT ? pv_fail(err, PV_EIO, "%s %s: the host does not show what it read",
                                     o->def->verb, o->name)
                           : rc;
}

static int put_places(struct op *o, const struct op_import *i, struct pv_err *err)
{
    struct cim_instance *have = NULL, *want = cim_new(o->a, CIM(Msvm_VirtualSystemSettingData));
    int rc;

    if (!i->name && !i->folder)
        return PV_OK;
    rc = planned_settings(o, &have, err);
    if (rc)
        return rc;
    cim_set_str(want, SET(InstanceID), cim_str(have, SET(InstanceID)));
    if (i->name)
        cim_set_str(want, SET(ElementName), i->name);
    if (i->folder) {
        cim_set_str(want, SET(ConfigurationDataRoot), i->folder);
        cim_set_str(want, SET(SnapshotDataRoot), i->folder);
        cim_set_str(want, SET(SwapFileDataRoot), i->folder);
    }
    rc = op_modify(o, "places", want, have, op_what(o, "placing", o->name), err);
    o->journal.restore = NULL; /* it goes as a whole if something fails */
    return rc;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '\\');

    return slash ? slash + 1 : path;
}

/* A copy is a conversion into what it is: the host has no other way to copy a disk. */
static int copy_disk(struct op *o, const char *from, const char *to, unsigned n, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_ImageManagementService, ConvertVirtualHardDisk));
    struct cim_instance *set = cim_new(o->a, CIM(Msvm_VirtualHardDiskSettingData));
    struct op_step s = { .key = op_text(o, "copy %u", n),
                         .what = op_text(o, "copying %s", from),
                         .in = in,
                         .look = op_image_look,
                         .ctx = (void *)(uintptr_t)to, /* only read */
                         .file = from,
                         .remote = op_is_remote(from) ? from
                                   : op_is_remote(to) ? to
                                                      : NULL };
    size_t len = strlen(to);
    bool there = false;
    int rc = PV_OK;

    if (!undo_has(o, UNDO_FILE, to) && !o->resumed) {
        rc = op_file_exists(o, to, &there, err);
        if (rc == PV_OK && there)
            rc = pv_fail_as(err, "conflict-exists", "%s %s: the file %s exists already",
                            o->def->verb, o->name, to);
    }
    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_ImageManagementService), &s.on, err);
    if (rc)
        return rc;
    cim_set_str(set, P(Msvm_VirtualHardDiskSettingData, Path), to);
    cim_set_uint(set, P(Msvm_VirtualHardDiskSettingData, Format),
                 len > 4 && strcasecmp(to + len - 4, ".vhd") == 0 ? 2 : 3);
    cim_set_uint(set, P(Msvm_VirtualHardDiskSettingData, Type), 3);
    cim_set_str(in, A(Msvm_ImageManagementService, ConvertVirtualHardDisk, SourcePath), from);
    cim_set_emb(in, A(Msvm_ImageManagementService, ConvertVirtualHardDisk, VirtualDiskSettingData),
                set);
    return op_make_file(o, &s, to, err);
}

/* Files of checkpoints carry a suffix of their own: the copy is a plain disk. */
static const char *copied_name(struct op *o, const char *path)
{
    const char *name = base_name(path), *dot = strrchr(name, '.');

    if (dot && (strcasecmp(dot, ".avhdx") == 0 || strcasecmp(dot, ".avhd") == 0))
        return op_text(o, "%.*s.%s", (int)(dot - name), name, dot + 2);
    return name;
}

static int copy_disks(struct op *o, const struct op_import *i, struct pv_err *err)
{
    struct cim_list media = { 0 };
    int rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), o->vm, &media, err);

    for (size_t k = 0; rc == PV_OK && k < media.count; k++) {
        const struct cim_instance *m = media.items[k];
        struct cim_instance *want = cim_new(o->a, CIM(Msvm_StorageAllocationSettingData));
        const char *from = cim_str_at(m, SAN(HostResource), 0), *to;

        if (!from ||
            !op_same(cim_str(m, SAN(ResourceSubType)), "Microsoft:Hyper-V:Virtual Hard Disk"))
            continue;
        to = op_join(o, i->folder, copied_name(o, from));
        if (op_same_path(from, to))
            continue;
        rc = copy_disk(o, from, to, (unsigned)k, err);
        cim_set_str(want, SAN(InstanceID), cim_str(m, SAN(InstanceID)));
        cim_add_str(want, SAN(HostResource), to);
        if (rc == PV_OK)
            rc = op_modify(o, op_text(o, "disk %zu", k), want, m,
                           op_what(o, "giving its disks to", o->name), err);
        o->journal.restore = NULL;
    }
    return rc;
}

/* ------------------------------------------------------------------ adapters */

static const char *switch_of(struct op *o, const json_t *network)
{
    struct cim_ref *ref = cim_ref_new(o->a, CIM(Msvm_VirtualEthernetSwitch));
    char guid[40];

    if (!op_guid(op_member_str(network, "native_id"), guid))
        return NULL;
    cim_ref_add(ref, P(Msvm_VirtualEthernetSwitch, CreationClassName),
                "Msvm_VirtualEthernetSwitch");
    cim_ref_add(ref, P(Msvm_VirtualEthernetSwitch, Name), guid);
    return op_path(o, ref);
}

static const json_t *mapped(const json_t *networks, const char *label)
{
    const json_t *any = NULL;

    for (size_t i = 0; i < json_array_size(networks); i++) {
        const json_t *entry = json_array_get(networks, i);
        const char *nic = op_member_str(entry, "nic");

        if (op_same(nic, label))
            return op_member(entry, "network");
        if (str_eq(nic, "*"))
            any = op_member(entry, "network");
    }
    return any;
}

/* The switch a port names, or one of the name it last had. */
static const struct cim_instance *known_switch(struct op *o, const struct cim_list *switches,
                                               const struct cim_instance *port)
{
    const struct cim_ref *ref = cim_str_path_at(port, PORT(HostResource), 0, o->a);
    const char *guid = ref ? cim_ref_key(ref, "Name") : NULL,
               *name = cim_str(port, PORT(LastKnownSwitchName));

    for (size_t i = 0; i < switches->count; i++)
        if (op_same(cim_str(switches->items[i], P(Msvm_VirtualEthernetSwitch, Name)), guid))
            return switches->items[i];
    for (size_t i = 0; name && *name && i < switches->count; i++)
        if (op_same(cim_str(switches->items[i], P(Msvm_VirtualEthernetSwitch, ElementName)), name))
            return switches->items[i];
    return NULL;
}

static int put_port(struct op *o, const struct op_import *i, const struct cim_list *switches,
                    const struct cim_instance *port, const char *label, unsigned n,
                    struct pv_err *err)
{
    struct cim_instance *want = cim_new(o->a, CIM(Msvm_EthernetPortAllocationSettingData));
    const json_t *network = mapped(i->networks, label);
    const struct cim_instance *sw = known_switch(o, switches, port);
    const char *path = NULL;
    int rc;

    if (json_is_object(network))
        path = switch_of(o, network);
    else if (!network && sw)
        path = op_path(o, cim_ref_of(o->a, sw));
    else if (!network && cim_count(port, PORT(HostResource)) > 0)
        op_warn(o, "its adapter %s is not connected: the host has no switch of that name",
                label ? label : "");
    if (!path && cim_count(port, PORT(HostResource)) == 0)
        return PV_OK;
    cim_set_str(want, PORT(InstanceID), cim_str(port, PORT(InstanceID)));
    if (path)
        cim_add_str(want, PORT(HostResource), path);
    else
        cim_set_empty(want, PORT(HostResource));
    cim_set_uint(want, PORT(EnabledState), path ? 2 : 3);
    rc = op_modify(o, op_text(o, "port %u", n), want, port,
                   op_what(o, "connecting the adapters of", o->name), err);
    o->journal.restore = NULL;
    return rc;
}

static int put_mac_mode(struct op *o, const struct cim_instance *nic, const char *key, bool fixed,
                        struct pv_err *err)
{
    struct cim_instance *want = cim_new(o->a, nic->cls);
    struct cim_p_str address = { cim_prop_find(nic->cls, "Address") };
    struct cim_p_str id = { cim_prop_find(nic->cls, "InstanceID") };
    int rc;

    if (!want)
        return pv_fail(err, PV_ENOMEM, "no memory");
    cim_set_str(want, id, cim_str(nic, id));
    cim_set_bool(want, (struct cim_p_bool){ cim_prop_find(nic->cls, "StaticMacAddress") }, fixed);
    if (fixed)
        cim_set_str(want, address, cim_str(nic, address));
    rc = op_modify(o, key, want, NULL, op_what(o, "choosing addresses for", o->name), err);
    o->journal.restore = NULL;
    return rc;
}

/* The host chooses an address when an adapter ceases to have a fixed one: one it chose before came
 * along with the copy and is fixed for a moment. */
static int put_mac(struct op *o, const struct cim_instance *nic, unsigned n, struct pv_err *err)
{
    const char *mac = cim_str(nic, (struct cim_p_str){ cim_prop_find(nic->cls, "Address") });
    bool fixed = cim_bool(nic, (struct cim_p_bool){ cim_prop_find(nic->cls, "StaticMacAddress") });
    int rc = PV_OK;

    if (!fixed && (!mac || strspn(mac, "0:-") == strlen(mac)))
        return PV_OK; /* none was chosen yet */
    if (!fixed)
        rc = put_mac_mode(o, nic, op_text(o, "mac %u fixed", n), true, err);
    return rc ? rc : put_mac_mode(o, nic, op_text(o, "mac %u", n), false, err);
}

static int put_nics(struct op *o, const struct op_import *i, const struct cim_class *cls,
                    unsigned *n, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualEthernetSwitch),
                             .with_refs = true,
                             .most = 10000 };
    struct cim_list nics = { 0 }, ports = { 0 }, switches = { 0 };
    int rc = op_list(o, cls, o->vm, &nics, err);

    if (rc == PV_OK && nics.count)
        rc = op_list(o, CIM(Msvm_EthernetPortAllocationSettingData), o->vm, &ports, err);
    if (rc == PV_OK && nics.count)
        rc = wsman_list(o->w->client, &o->c, &q, o->a, &switches, err);
    for (size_t k = 0; rc == PV_OK && k < nics.count; k++, (*n)++) {
        const struct cim_instance *nic = nics.items[k], *port;
        const char *label = cim_str(nic, (struct cim_p_str){ cim_prop_find(cls, "ElementName") });

        port = op_child_of(o, &ports,
                           cim_str(nic, (struct cim_p_str){ cim_prop_find(cls, "InstanceID") }));
        if (port)
            rc = put_port(o, i, &switches, port, label, *n, err);
        if (rc == PV_OK && i->new_macs)
            rc = put_mac(o, nic, *n, err);
    }
    return rc;
}

/* ------------------------------------------------------------------ and becomes real */

static int validate(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, ValidatePlannedSystem));
    struct op_step s = { .key = "validate", .what = op_what(o, "checking", o->name), .in = in };
    int rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);

    cim_set_ref(in, A(Msvm_VirtualSystemManagementService, ValidatePlannedSystem, PlannedSystem),
                op_planned_ref(o, o->vm[0] ? o->vm : "(new)"));
    if (rc == PV_OK && o->resumed && str_eq(journal_step_of(&o->journal), "realize"))
        return PV_OK;
    if (rc == PV_OK && o->resumed)
        o->resumed = false; /* it changes nothing: asked again is asked once */
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int is_real(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct cim_instance *found;
    int rc = wsman_get(o->w->client, &o->c, op_vm_ref(o, ctx), o->a, &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_OK;
    return PV_OK;
}

static int realize(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, RealizePlannedSystem));
    struct op_step s = { .key = "realize",
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_real,
                         .ctx = o->vm,
                         .repeats = true };
    int rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);

    cim_set_ref(in, A(Msvm_VirtualSystemManagementService, RealizePlannedSystem, PlannedSystem),
                op_planned_ref(o, o->vm[0] ? o->vm : "(new)"));
    return rc ? rc : op_do(o, &s, NULL, err);
}

static bool is_planned_snapshot(void *ctx, const struct cim_instance *s)
{
    return op_same(cim_str(s, SET(VirtualSystemType)), "Microsoft:Hyper-V:Snapshot:Planned") &&
           op_same(cim_str(s, SET(VirtualSystemIdentifier)), ctx);
}

static int has_snapshots(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    char where[160];
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData),
                             .where = where,
                             .match = is_planned_snapshot,
                             .match_ctx = ctx };
    struct cim_list list = { 0 };
    int rc;

    (void)snprintf(where, sizeof(where),
                   "VirtualSystemType = 'Microsoft:Hyper-V:Snapshot:Planned' AND "
                   "VirtualSystemIdentifier = '%s'",
                   o->vm);
    rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);
    *there = false;
    for (size_t i = 0; rc == PV_OK && i < list.count && !*there; i++)
        *there = is_planned_snapshot(ctx, list.items[i]);
    return rc;
}

static int bring_snapshots(struct op *o, const struct op_import *i, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, ImportSnapshotDefinitions));
    struct op_step s = { .key = "snapshots",
                         .what = op_what(o, "reading the checkpoints of", o->name),
                         .in = in,
                         .lost_look = has_snapshots,
                         .ctx = o->vm };
    struct cim_ref *folder = cim_ref_new(o->a, CIM(Win32_Directory));
    struct cim_instance *found;
    struct pv_err why = { 0 };
    int rc;

    cim_ref_add(folder, P(Win32_Directory, Name), snapshot_folder(o, i->file));
    if (!i->snapshots || wsman_get(o->w->client, &o->c, folder, o->a, &found, NULL))
        return PV_OK;
    cim_set_ref(in,
                A(Msvm_VirtualSystemManagementService, ImportSnapshotDefinitions, PlannedSystem),
                op_planned_ref(o, o->vm));
    cim_set_str(in,
                A(Msvm_VirtualSystemManagementService, ImportSnapshotDefinitions, SnapshotFolder),
                snapshot_folder(o, i->file));
    rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, &why);
    if (rc == PV_EUNKNOWN || rc == PV_ECANCELED) {
        if (err)
            *err = why;
        return rc;
    }
    if (rc)
        op_warn(o, "its checkpoints did not come along: %s", why.message);
    return PV_OK;
}

int op_import(struct op *o, const struct op_import *i, struct pv_err *err)
{
    unsigned n = 0;
    bool real = false;
    const char *known = undo_nth(o, UNDO_PLANNED, 0);
    int rc;

    if (known && o->resumed && is_real(o, (void *)(uintptr_t)known, &real, NULL) == PV_OK && real &&
        i->new_id) {
        (void)str_copy(o->vm, sizeof(o->vm), known);
        o->changed = true;
        return PV_OK;
    }
    rc = plan_it(o, i, err);
    if (rc == PV_OK && !o->dry_run)
        rc = bring_snapshots(o, i, err);
    if (rc == PV_OK && !o->dry_run)
        rc = put_places(o, i, err);
    if (rc == PV_OK && i->copy_disks && !o->dry_run)
        rc = copy_disks(o, i, err);
    if (rc == PV_OK && !o->dry_run)
        rc = put_nics(o, i, CIM(Msvm_SyntheticEthernetPortSettingData), &n, err);
    if (rc == PV_OK && !o->dry_run)
        rc = put_nics(o, i, CIM(Msvm_EmulatedEthernetPortSettingData), &n, err);
    if (rc == PV_OK)
        rc = validate(o, err);
    if (rc == PV_OK)
        rc = realize(o, err);
    return rc;
}
