/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints: make, rename, apply, delete, export. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_modify.h"

#define FULL 2u
#define DISK 3u
#define PRODUCTION_ONLY 4u
#define STANDARD 5u
#define MARK 8 /* hexadecimal digits that tell checkpoints of one VM apart */

/* ------------------------------------------------------------------ those that are there */

static bool is_snapshot_of(void *ctx, const struct cim_instance *i)
{
    const char *type = cim_str(i, P(Msvm_VirtualSystemSettingData, VirtualSystemType));

    return type && strncasecmp(type, "Microsoft:Hyper-V:Snapshot", 26) == 0 &&
           op_same(cim_str(i, P(Msvm_VirtualSystemSettingData, VirtualSystemIdentifier)), ctx);
}

static int list_snapshots(struct op *o, struct cim_list *out, struct pv_err *err)
{
    char where[160];
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData),
                             .where = where,
                             .match = is_snapshot_of,
                             .match_ctx = o->vm,
                             .most = 4096 };

    (void)snprintf(where, sizeof(where),
                   "VirtualSystemIdentifier = '%s' AND VirtualSystemType LIKE "
                   "'Microsoft:Hyper-V:Snapshot%%'",
                   o->vm);
    return wsman_list(o->w->client, &o->c, &q, o->a, out, err);
}

static int snapshot_guid(struct op *o, char guid[40], struct pv_err *err)
{
    return op_guid(o->id, guid) ? PV_OK
                                : pv_fail(err, PV_ENOENT, "%s %s: the VM has no such checkpoint",
                                          o->def->verb, o->name);
}

static int get_snapshot(struct op *o, const char *guid, struct cim_instance **out,
                        struct pv_err *err)
{
    int rc = op_get(o, CIM(Msvm_VirtualSystemSettingData), op_settings_id(o, guid), out, err);

    if (rc == PV_ENOENT || (rc == PV_OK && !is_snapshot_of(o->vm, *out)))
        return pv_fail(err, PV_ENOENT, "%s %s: the VM has no such checkpoint", o->def->verb,
                       o->name);
    return rc;
}

/* ------------------------------------------------------------------ making one */

struct making {
    const char *before; /* marks of those that were there */
    char made[40];
};

/* The first digits of each one's GUID; what is not among them afterwards is new. */
static int note_before(struct op *o, struct pv_err *err)
{
    struct cim_list list = { 0 };
    struct buf marks;
    int rc;

    if (journal_get(&o->journal, "before"))
        return PV_OK;
    rc = list_snapshots(o, &list, err);
    if (rc)
        return rc;
    buf_init(&marks, 1024);
    buf_char(&marks, '.');
    for (size_t i = 0; i < list.count; i++) {
        char guid[40];

        if (op_guid(cim_str(list.items[i], P(Msvm_VirtualSystemSettingData, InstanceID)), guid))
            buf_printf(&marks, "%.*s.", MARK, guid);
    }
    if (buf_ok(&marks))
        journal_note(&o->journal, "before", marks.data);
    buf_free(&marks);
    return PV_OK;
}

/* What the job of the step has made, when that can be told. */
static bool is_of_job(const struct cim_list *made, const char *guid)
{
    char other[40];

    for (size_t i = 0; i < made->count; i++)
        if (op_guid(cim_str(made->items[i], P(Msvm_VirtualSystemSettingData, InstanceID)), other) &&
            op_same(other, guid))
            return true;
    return false;
}

static void list_of_job(struct op *o, struct cim_list *out)
{
    const struct cim_ref *job = job_parse(o->a, journal_job(&o->journal));
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData),
                             .of = job,
                             .assoc = CIM(Msvm_AffectedJobElement) };

    if (!job || wsman_list(o->w->client, &o->c, &q, o->a, out, NULL))
        out->count = 0;
}

/* Others make checkpoints of it as well: of several new ones ours is what our job has made. */
static int find_made(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct making *m = ctx;
    struct cim_list list = { 0 }, of_job = { 0 };
    unsigned found = 0, sure = 0;
    int rc = list_snapshots(o, &list, err);

    if (rc)
        return rc;
    *there = false;
    for (size_t i = 0; i < list.count && sure == 0; i++) {
        const struct cim_instance *s = list.items[i];
        char guid[40], mark[MARK + 3];

        if (!op_guid(cim_str(s, P(Msvm_VirtualSystemSettingData, InstanceID)), guid))
            continue;
        (void)snprintf(mark, sizeof(mark), ".%.*s.", MARK, guid);
        if (!m->before || strstr(m->before, mark))
            continue;
        if (++found == 2)
            list_of_job(o, &of_job);
        if (found == 1) {
            (void)str_copy(m->made, sizeof(m->made), guid);
            continue;
        }
        sure += is_of_job(&of_job, m->made);
        if (sure == 0 && is_of_job(&of_job, guid)) {
            (void)str_copy(m->made, sizeof(m->made), guid);
            sure++;
        }
    }
    if (found > 1 && sure == 0)
        return pv_fail(
            err, PV_EUNKNOWN,
            "%s %s: somebody else made one at the same time; it cannot be told which is which",
            o->def->verb, o->name);
    *there = found > 0;
    return PV_OK;
}

/* What the VM's own setting has to be for the kind of checkpoint asked for; 0: as it is. */
static unsigned wanted_mode(const struct op *o, unsigned *type)
{
    const char *kind = op_arg_str(o, "snapshot_type");
    bool quiesce = op_arg_bool(o, "quiesce");

    *type = FULL;
    if (kind)
        return strcmp(kind, "standard") == 0 ? STANDARD : PRODUCTION_ONLY;
    if (quiesce)
        return PRODUCTION_ONLY;
    if (op_arg_bool(o, "memory"))
        return STANDARD;
    if (op_arg(o, "memory"))
        *type = DISK;
    return 0;
}

/* The kind is no parameter of the method but a setting of the VM: it is changed for the time being.
 */
static int set_mode(struct op *o, const char *key, unsigned mode, struct pv_err *err)
{
    struct cim_instance *have = NULL, *want = cim_new(o->a, CIM(Msvm_VirtualSystemSettingData));
    int rc = op_settings_get(o, o->vm, &have, err);

    if (rc)
        return rc;
    cim_set_str(want, P(Msvm_VirtualSystemSettingData, InstanceID), op_settings_id(o, o->vm));
    cim_set_uint(want, P(Msvm_VirtualSystemSettingData, UserSnapshotType), mode);
    return op_modify(o, key, want, have, "choosing the kind of checkpoint", err);
}

static int prepare_mode(struct op *o, unsigned mode, unsigned *old, struct pv_err *err)
{
    const char *kept = journal_get(&o->journal, "mode");
    struct cim_instance *have = NULL;
    char text[16];
    uint64_t n = 0;
    int rc;

    *old = 0;
    if (kept && str_u64(kept, strlen(kept), 65535, &n)) {
        *old = (unsigned)n;
    } else {
        rc = op_settings_get(o, o->vm, &have, err);
        if (rc)
            return rc;
        *old = (unsigned)cim_uint(have, P(Msvm_VirtualSystemSettingData, UserSnapshotType));
        if (*old == 2)
            return pv_fail(err, PV_ENOTSUP, "%s %s: checkpoints are turned off for it",
                           o->def->verb, o->name);
    }
    if (mode == 0 || *old == 0 || *old == mode) {
        *old = 0;
        return PV_OK;
    }
    (void)snprintf(text, sizeof(text), "%u", *old);
    journal_note(&o->journal, "mode", text);
    return set_mode(o, "mode", mode, err);
}

/* Whatever became of the checkpoint, the VM is as it was. */
static void set_mode_back(struct op *o, unsigned old)
{
    bool finishing = o->c.must_finish, resumed = o->resumed;
    struct pv_err why = { 0 };

    o->c.must_finish = true;
    o->resumed = false;
    if (set_mode(o, "mode back", old, &why))
        op_warn(o, "the VM's kind of checkpoint could not be set back: %s", why.message);
    o->journal.restore = NULL;
    o->c.must_finish = finishing;
    o->resumed = resumed && str_eq(journal_step_of(&o->journal), "name");
}

static int describe(struct op *o, const char *guid, struct pv_err *err)
{
    const char *text = op_arg_str(o, "description"), *name = op_arg_str(o, "name");
    struct cim_instance *have = NULL, *want = cim_new(o->a, CIM(Msvm_VirtualSystemSettingData));
    int rc = PV_OK;

    cim_set_str(want, P(Msvm_VirtualSystemSettingData, InstanceID), op_settings_id(o, guid));
    if (name)
        cim_set_str(want, P(Msvm_VirtualSystemSettingData, ElementName), name);
    if (op_arg(o, "description"))
        cim_add_str(want, P(Msvm_VirtualSystemSettingData, Notes), text ? text : "");
    if (!o->dry_run || strcmp(guid, "(new)") != 0)
        rc = get_snapshot(o, guid, &have, err);
    return rc ? rc
              : op_modify(o, "name", want, have, op_what(o, "naming the checkpoint of", o->name),
                          err);
}

static int create(struct op *o, unsigned type, struct making *m, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_VirtualSystemSnapshotService, CreateSnapshot));
    struct op_step s = { .key = "create",
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = find_made,
                         .ctx = m };
    int rc = op_service(o, CIM(Msvm_VirtualSystemSnapshotService), &s.on, err);

    cim_set_ref(in, A(Msvm_VirtualSystemSnapshotService, CreateSnapshot, AffectedSystem),
                op_vm_ref(o, o->vm));
    cim_set_uint(in, A(Msvm_VirtualSystemSnapshotService, CreateSnapshot, SnapshotType), type);
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int run_create(struct op *o, struct pv_err *err)
{
    struct making m = { 0 };
    unsigned type, mode = wanted_mode(o, &type), state, old = 0;
    int rc = o->resumed ? PV_OK : op_vm_stable(o, &state, err);

    o->steps = mode ? 4 : 2;
    if (rc == PV_OK)
        rc = note_before(o, err);
    m.before = journal_get(&o->journal, "before");
    if (m.before)
        m.before = arena_strdup(o->a, m.before);
    if (rc == PV_OK)
        rc = prepare_mode(o, mode, &old, err);
    if (rc == PV_OK)
        rc = create(o, type, &m, err);
    o->journal.restore = NULL;
    if (old)
        set_mode_back(o, old);
    if (rc)
        return rc;
    rc = describe(o, o->dry_run ? "(new)" : m.made, err);
    if (rc && !o->dry_run) {
        /* The checkpoint is there; only its name is the host's. */
        op_warn(o, "the checkpoint was made, but not named: %s", err ? err->message : "");
        rc = PV_OK;
    }
    o->journal.restore = NULL;
    if (!o->dry_run)
        op_made(o, "snapshot", op_snapshot_native(o, m.made), o->vm);
    return rc;
}

/* ------------------------------------------------------------------ with one */

static int run_update(struct op *o, struct pv_err *err)
{
    char guid[40];
    int rc = snapshot_guid(o, guid, err);

    return rc ? rc : describe(o, guid, err);
}

struct about {
    const char *guid;
    bool tree;
    const char *parents; /* of a tree: nothing of it may be left */
};

static int is_deleted(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct about *b = ctx;
    struct cim_instance *found;
    int rc = op_get(o, CIM(Msvm_VirtualSystemSettingData), op_settings_id(o, b->guid), &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_ENOENT;
    return PV_OK;
}

static int run_delete(struct op *o, struct pv_err *err)
{
    bool tree = op_arg_bool(o, "children");
    char guid[40];
    struct about b = { .guid = guid, .tree = tree };
    struct op_step s = { .key = "delete",
                         .what = op_what(o, o->def->verb, o->name),
                         .look = is_deleted,
                         .ctx = &b,
                         .repeats = true };
    struct cim_instance *in, *found = NULL;
    const struct cim_ref *ref;
    unsigned state;
    int rc = snapshot_guid(o, guid, err);

    if (rc == PV_OK && !o->resumed) {
        rc = get_snapshot(o, guid, &found, NULL);
        if (rc == PV_ENOENT)
            return PV_OK; /* it is gone already */
        if (rc == PV_OK)
            rc = op_vm_stable(o, &state, err);
        else
            rc = get_snapshot(o, guid, &found, err);
    }
    if (rc)
        return rc;
    ref = op_settings_ref(o, guid);
    if (tree) {
        in = cim_call(o->a, M(Msvm_VirtualSystemSnapshotService, DestroySnapshotTree));
        cim_set_ref(in,
                    A(Msvm_VirtualSystemSnapshotService, DestroySnapshotTree, SnapshotSettingData),
                    ref);
    } else {
        in = cim_call(o->a, M(Msvm_VirtualSystemSnapshotService, DestroySnapshot));
        cim_set_ref(in, A(Msvm_VirtualSystemSnapshotService, DestroySnapshot, AffectedSnapshot),
                    ref);
    }
    s.in = in;
    rc = op_service(o, CIM(Msvm_VirtualSystemSnapshotService), &s.on, err);
    return rc ? rc : op_do(o, &s, NULL, err);
}

/* Nothing of it is left that has no parent but what is being deleted: roots of the trees. */
static bool is_root(struct op *o, const struct cim_list *all, const struct cim_instance *s)
{
    const char *parent = op_path_id(o, cim_str(s, P(Msvm_VirtualSystemSettingData, Parent)));
    char guid[40], other[40];

    if (!parent || !op_guid(parent, guid))
        return true;
    for (size_t i = 0; i < all->count; i++)
        if (op_guid(cim_str(all->items[i], P(Msvm_VirtualSystemSettingData, InstanceID)), other) &&
            op_same(other, guid))
            return false;
    return true;
}

static int destroy_tree(struct op *o, const char *guid, struct pv_err *err)
{
    struct about b = { .guid = guid, .tree = true };
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemSnapshotService, DestroySnapshotTree));
    struct op_step s = { .key = op_text(o, "tree %s", guid),
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_deleted,
                         .ctx = &b,
                         .repeats = true };
    int rc = op_service(o, CIM(Msvm_VirtualSystemSnapshotService), &s.on, err);

    cim_set_ref(in, A(Msvm_VirtualSystemSnapshotService, DestroySnapshotTree, SnapshotSettingData),
                op_settings_ref(o, guid));
    if (rc == PV_OK && !s.key)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    return rc ? rc : op_do(o, &s, NULL, err);
}

/* Tree after tree. Which ones there were is in the journal: what others make meanwhile stays. */
static int note_roots(struct op *o, struct pv_err *err)
{
    struct cim_list list = { 0 };
    struct buf roots;
    unsigned state;
    int rc;

    if (journal_get(&o->journal, "roots"))
        return PV_OK;
    rc = op_vm_stable(o, &state, err);
    if (rc == PV_OK)
        rc = list_snapshots(o, &list, err);
    if (rc)
        return rc;
    buf_init(&roots, 2048);
    for (size_t i = 0; i < list.count; i++) {
        char guid[40];

        if (is_root(o, &list, list.items[i]) &&
            op_guid(cim_str(list.items[i], P(Msvm_VirtualSystemSettingData, InstanceID)), guid))
            buf_printf(&roots, "%s.", guid);
    }
    if (buf_ok(&roots))
        journal_note(&o->journal, "roots", roots.len ? roots.data : ".");
    rc = buf_ok(&roots) ? PV_OK
                        : pv_fail(err, PV_ELIMIT, "%s %s: it has too many trees of checkpoints",
                                  o->def->verb, o->name);
    buf_free(&roots);
    return rc;
}

static int run_delete_all(struct op *o, struct pv_err *err)
{
    const char *roots;
    unsigned n = 0;
    int rc = note_roots(o, err);

    if (rc)
        return rc;
    roots = arena_strdup(o->a, journal_get(&o->journal, "roots"));
    for (const char *at = roots; at && *at; at++)
        n += *at == '.' && at > roots;
    o->steps = n > 1 ? n : 0;
    for (const char *at = roots; rc == PV_OK && at && *at;) {
        size_t len = strcspn(at, ".");
        char guid[40];

        if (len > 0 && str_copy_n(guid, sizeof(guid), at, len))
            rc = destroy_tree(o, guid, err);
        at += len + (at[len] == '.');
    }
    return rc;
}

/* Applied: the VM's settings say which one they come from. */
static int is_applied(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct about *b = ctx;
    struct cim_instance *have = NULL;
    char guid[40];
    int rc = op_settings_get(o, o->vm, &have, err);

    if (rc)
        return rc;
    *there =
        op_guid(op_path_id(o, cim_str(have, P(Msvm_VirtualSystemSettingData, Parent))), guid) &&
        op_same(guid, b->guid);
    return PV_OK;
}

/* Files of its disks, which are new ones when a checkpoint has been applied; "" if it has none. */
static int disk_files(struct op *o, const char **out, struct pv_err *err)
{
    struct cim_list media = { 0 };
    struct buf text;
    int rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), o->vm, &media, err);

    if (rc)
        return rc;
    buf_init(&text, 8192);
    for (size_t i = 0; i < media.count; i++)
        if (op_same(cim_str(media.items[i], P(Msvm_StorageAllocationSettingData, ResourceSubType)),
                    "Microsoft:Hyper-V:Virtual Hard Disk"))
            buf_printf(
                &text, "%s|",
                cim_str_at(media.items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0));
    *out = buf_ok(&text) && text.len ? arena_strdup(o->a, text.data) : "";
    buf_free(&text);
    return PV_OK;
}

/* Of a VM that comes from this checkpoint anyway. */
static int has_new_files(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const char *now = NULL;
    int rc = disk_files(o, &now, err);

    (void)ctx;
    if (rc == PV_OK)
        *there = !str_eq(now, journal_get(&o->journal, "files"));
    return rc;
}

/* What is to be looked for afterwards: nothing that is there already. */
static int choose_look(struct op *o, struct op_step *s, struct pv_err *err)
{
    const char *files = NULL;
    bool already = false;
    int rc = PV_OK;

    if (!o->dry_run && !o->resumed)
        rc = is_applied(o, s->ctx, &already, err);
    if (rc == PV_OK && already)
        rc = disk_files(o, &files, err);
    if (rc)
        return rc;
    if (already) {
        journal_note(&o->journal, "already", "1");
        journal_note(&o->journal, "files", files);
    }
    if (!journal_get(&o->journal, "already"))
        return PV_OK;
    s->look = NULL;
    s->lost_look = journal_get(&o->journal, "files") ? has_new_files : NULL;
    return PV_OK;
}

/* The host applies to VMs that are off or saved only. One that runs is turned off, as reverting on
 * vSphere does. */
static int run_revert(struct op *o, struct pv_err *err)
{
    char guid[40];
    struct about b = { .guid = guid };
    struct cim_instance *in = cim_call(o->a, M(Msvm_VirtualSystemSnapshotService, ApplySnapshot));
    struct cim_instance *found = NULL;
    struct op_step s = { .key = "apply",
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_applied,
                         .ctx = &b };
    unsigned state = 3;
    bool cut = false;
    int rc = snapshot_guid(o, guid, err);

    if (rc == PV_OK && !o->resumed)
        rc = get_snapshot(o, guid, &found, err);
    if (rc == PV_OK && !o->resumed)
        rc = op_vm_stable(o, &state, err);
    if (rc == PV_OK && state != 3 && state != 6) {
        o->steps = 2;
        rc = op_power_set(o, "off", 3, 3, err);
        cut = rc == PV_OK && !o->dry_run;
    }
    if (rc == PV_OK)
        rc = choose_look(o, &s, err);
    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_VirtualSystemSnapshotService), &s.on, err);
    cim_set_ref(in, A(Msvm_VirtualSystemSnapshotService, ApplySnapshot, Snapshot),
                op_settings_ref(o, guid));
    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, err);
    if (rc && cut) /* its memory is gone: that cannot be taken back */
        (void)pv_wrap(err, "it was turned off, and stays off");
    return rc;
}

const struct op_def op_snapshot_defs[] = {
    { "vm.snapshot.create", "taking a checkpoint of", run_create, 0, 0 },
    { "vm.snapshot.update", "renaming checkpoint", run_update, 0, 0 },
    { "vm.snapshot.revert", "applying checkpoint", run_revert, 0, 0 },
    { "vm.snapshot.delete", "deleting checkpoint", run_delete, 0, 0 },
    { "vm.delete_snapshots", "deleting all checkpoints of", run_delete_all, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
