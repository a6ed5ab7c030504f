/* SPDX-License-Identifier: Apache-2.0 */
/* From and to the host: which operation, its arguments, its result. */
#include "drivers/wmi/op.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#define ARENA_FIRST (64u << 10)
#define ARENA_MOST (64u << 20)
#define LIST_MOST 512u

PV_DEFINE_AUTO(arena_free, struct arena *)
PV_DEFINE_AUTO(json_decref, json_t *)

/* Nothing is kept between calls; the place is there because the driver's other parts name it. */
struct operations {
    char unused;
};

void operations_free(struct operations *o)
{
    free(o);
}

static const struct op_def *const families[] = {
    op_power_defs,  op_snapshot_defs, op_config_defs, op_vm_defs,    op_disk_defs,
    op_nic_defs,    op_image_defs,    op_switch_defs, op_guest_defs, op_screen_defs,
    op_export_defs, op_move_defs,     op_files_defs, op_host_defs,
};

const char wmi_operations[] =
    "[\"vm.start\",\"vm.stop\",\"vm.shutdown\",\"vm.reboot\",\"vm.reset\",\"vm.pause\","
    "\"vm.resume\",\"vm.suspend\","
    "\"vm.snapshot.create\",\"vm.snapshot.update\",\"vm.snapshot.revert\",\"vm.snapshot.delete\","
    "\"vm.delete_snapshots\",\"vm.snapshot.export\","
    "\"vm.reconfigure\",\"vm.rename\",\"vm.create\",\"vm.delete\",\"vm.import\",\"vm.export\","
    "\"vm.clone\",\"vm.move\","
    "\"vm.disk.attach\",\"vm.disk.update\",\"vm.disk.detach\",\"vm.nic.attach\",\"vm.nic.update\","
    "\"vm.nic.detach\",\"vm.cdrom.attach\",\"vm.cdrom.detach\",\"vm.iso.mount\",\"vm.iso.eject\","
    "\"vm.controller.attach\",\"vm.controller.detach\","
    "\"vm.guest.set_data\",\"vm.metrics.enable\",\"vm.metrics.disable\",\"vm.screenshot\","
    "\"vm.keystrokes\",\"vm.console\","
    "\"switch.create\",\"switch.update\",\"switch.delete\","
    "\"disk.create\",\"disk.inspect\",\"disk.resize\",\"disk.compact\",\"disk.convert\","
    "\"disk.merge\",\"disk.check\",\"disk.delete\",\"datastore.files\",\"datastore.file.move\","
    "\"datastore.file.delete\",\"host.service.start\",\"host.service.stop\","
    "\"host.service.restart\",\"host.service.set_start\"]";

static const struct op_def *find_def(const char *name)
{
    for (size_t f = 0; f < PV_COUNT(families); f++)
        for (const struct op_def *d = families[f]; d->name; d++)
            if (strcmp(d->name, name) == 0)
                return d;
    return NULL;
}

/* ------------------------------------------------------------------ arguments */

bool op_member_u64(const json_t *object, const char *path, uint64_t *v)
{
    const json_t *member = op_member(object, path);

    if (!json_is_integer(member) || json_integer_value(member) < 0)
        return false;
    *v = (uint64_t)json_integer_value(member);
    return true;
}

const json_t *op_arg(const struct op *o, const char *path)
{
    return op_member(o->args, path);
}

const char *op_arg_str(const struct op *o, const char *path)
{
    return op_member_str(o->args, path);
}

bool op_arg_bool(const struct op *o, const char *path)
{
    return json_is_true(op_arg(o, path));
}

bool op_arg_u64(const struct op *o, const char *path, uint64_t *v)
{
    return op_member_u64(o->args, path, v);
}

/* ------------------------------------------------------------------ results */

static void append(struct op *o, const char *list, json_t *item)
{
    json_t *to = json_object_get(o->result, list);

    if (!to) {
        to = json_array();
        json_object_set_new(o->result, list, to);
    }
    if (json_array_size(to) < LIST_MOST)
        json_array_append_new(to, item);
    else
        json_decref(item);
}

void op_object(struct op *o, const char *kind, const char *native_id)
{
    json_t *there, *list = json_object_get(o->result, "objects");
    size_t i;

    json_array_foreach(list, i,
                       there) if (str_eq(op_member_str(there, "kind"), kind) &&
                                  op_same(op_member_str(there, "native_id"), native_id)) return;
    append(o, "objects", json_pack("{s:s, s:s}", "kind", kind, "native_id", native_id));
}

void op_made(struct op *o, const char *kind, const char *native_id, const char *owner)
{
    json_t *made = json_pack("{s:s, s:s}", "kind", kind, "native_id", native_id);

    if (owner)
        json_object_set_new(made, "owner", json_string(owner));
    json_object_set_new(o->result, "object", made);
}

void op_warn(struct op *o, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    append(o, "warnings", json_string(text));
}

void op_differs(struct op *o, const char *text)
{
    append(o, "differences", json_string(text));
}

void op_device(struct op *o, json_t *device)
{
    append(o, "devices", device);
}

/* ------------------------------------------------------------------ running */

static bool is_child(const char *kind)
{
    return str_eq(kind, "disk") || str_eq(kind, "nic") || str_eq(kind, "cdrom") ||
           str_eq(kind, "controller") || str_eq(kind, "snapshot");
}

/* Devices have labels, which say little, and long ids, which say nothing to people. */
static const char *device_word(const char *kind)
{
    return str_eq(kind, "disk")         ? "the disk"
           : str_eq(kind, "nic")        ? "the network adapter"
           : str_eq(kind, "cdrom")      ? "the CD drive"
           : str_eq(kind, "controller") ? "the controller"
                                        : "the checkpoint";
}

static int read_subject(struct op *o, struct pv_err *err)
{
    const json_t *owner = op_member(o->subject, "owner");
    const char *of =
        json_is_object(owner) ? op_member_str(owner, "native_id") : json_string_value(owner);
    const char *name = op_member_str(o->subject, "name");

    o->id = op_member_str(o->subject, "native_id");
    o->kind = op_member_str(o->subject, "kind");
    o->name = name && *name ? name : o->id ? o->id : "it";
    if (!o->id || !o->kind)
        return pv_fail(err, PV_EINVAL, "%s: the subject is not named", o->def->name);
    if (is_child(o->kind) && str_starts(o->name, "Microsoft:"))
        o->name = device_word(o->kind);
    if (is_child(o->kind)) {
        if (!of || !op_guid(of, o->vm))
            return pv_fail(err, PV_EINVAL, "%s: the VM of the subject is not named", o->def->name);
    } else if (strcmp(o->kind, "vm") == 0) {
        if (!op_guid(o->id, o->vm))
            return pv_fail(err, PV_ENOENT, "%s %s: the host has no such VM", o->def->verb, o->name);
    }
    return PV_OK;
}

static void add_text(struct pv_err *err, const char *text)
{
    size_t len = err ? strlen(err->message) : 0;

    if (err)
        (void)str_copy(err->message + len, sizeof(err->message) - len, text);
}

/* What was made is taken back. If nothing of it is left the outcome is known, whatever the last
 * step's was. */
static int fail(struct op *o, int rc, struct pv_err *err)
{
    bool made = json_array_size(json_object_get(o->journal.root, "m")) > 0 || o->journal.restore;
    struct pv_err why = { 0 };

    /* A host that is away when the work is to be gone on with: that waits, it is no reason to take
     * back. */
    if (!made || o->dry_run ||
        (o->resumed && (rc == PV_EOFFLINE || rc == PV_ELIMIT || rc == PV_ECERT)) ||
        call_is_closing(&o->c) || o->orphan)
        return rc;
    if (err)
        why = *err;
    why.rc = rc;
    o->steps = 0;
    /* Whoever goes on comes to the same end, and takes back. */
    if (op_begin_step(o, "undo", "taking back what was made", NULL))
        return rc;
    switch (undo_run(o)) {
    case UNDO_WHOLE:
        if (rc == PV_EUNKNOWN)
            why.rc = PV_EIO;
        add_text(&why, "; what was done before is taken back");
        break;
    case UNDO_PARTLY:
        add_text(&why, "; not all that was done before could be taken back");
        break;
    case UNDO_LATER: /* the server asks again, with the journal as it is now */
        why.rc = PV_EUNKNOWN;
        add_text(&why, "; the host is away, and what was done before is still to be taken back");
        break;
    }
    op_tell(o, "taking back what was made", -1);
    if (err)
        *err = why;
    return why.rc;
}

static int put_result(struct op *o, char **result, struct pv_err *err)
{
    bool with_plan = json_object_get(o->result, "plan") != NULL;

    if (o->dry_run && !with_plan)
        json_object_set_new(o->result, "plan", json_array());
    json_object_set_new(o->result, "changed", json_boolean(o->dry_run ? with_plan : o->changed));
    if (o->vm[0] && !o->dry_run && strcmp(o->def->name, "vm.delete") != 0)
        op_object(o, "vm", o->vm);
    *result = json_dumps(o->result, JSON_COMPACT);
    return *result ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

static int run(struct op *o, const char *native_ref, char **result, struct pv_err *err)
{
    int rc =
        native_ref ? journal_parse(&o->journal, native_ref, err) : journal_new(&o->journal, err);

    o->resumed = o->again = native_ref != NULL;
    if (rc == PV_OK)
        rc = read_subject(o, err);
    /* It failed before the restart, and was being taken back. */
    if (rc == PV_OK && o->resumed && str_eq(journal_step_of(&o->journal), "undo"))
        return fail(o,
                    pv_fail(err, PV_EIO,
                            "%s %s failed before a restart; what it made was taken back",
                            o->def->verb, o->name),
                    err);
    if (rc == PV_OK)
        rc = o->def->run(o, err);
    if (rc)
        return fail(o, rc, err);
    return put_result(o, result, err);
}

int wmi_call(struct wmi *w, const struct call *c, const char *operation, const char *subject,
             const char *args, const char *native_ref, uint32_t flags, char **result,
             struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *subject_json = json_loads(subject ? subject : "{}", 0, NULL);
    PV_AUTO(json_decref_p) json_t *args_json = json_loads(args && *args ? args : "{}", 0, NULL);
    PV_AUTO(arena_free_p) struct arena *a = arena_new(ARENA_FIRST, ARENA_MOST);
    struct op o = {
        .w = w,
        .c = *c,
        .def = find_def(operation),
        .a = a,
        .subject = subject_json,
        .args = args_json,
        .dry_run = (flags & PV_CALL_DRY_RUN) != 0,
        .result = json_object(),
    };
    int rc;

    if (!o.def)
        rc = pv_fail(err, PV_ENOTSUP, "Hyper-V has no %s", operation);
    else if (!a || !o.result)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    else
        rc = run(&o, native_ref && *native_ref && !o.dry_run ? native_ref : NULL, result, err);
    journal_free(&o.journal);
    json_decref(o.result);
    return rc;
}
