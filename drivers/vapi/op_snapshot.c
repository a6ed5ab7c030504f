/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots. */
#include "drivers/vapi/op.h"

#include <string.h>

#include "drivers/vapi/encode.h"

int op_snapshot_create(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("CreateSnapshot_Task", o->vm.type, o->vm.id);
    const char *text = op_arg_str(o, "description"), *type = op_arg_str(o, "snapshot_type");
    const json_t *memory = op_member(o->args, "memory");
    bool quiesce = op_arg_true(o, "quiesce") || (type && strcmp(type, "production") == 0);
    /* As it is: a VM that runs is kept with what it has in memory. */
    bool as_is = type && strcmp(type, "standard") == 0 && o->state == PV_POWER_STATE_RUNNING;

    if (e) {
        enc_text(enc_root(e), "name", op_arg_str(o, "name"));
        enc_text(enc_root(e), "description", text ? text : "");
        enc_bool(enc_root(e), "memory", memory ? json_is_true(memory) : as_is);
        enc_bool(enc_root(e), "quiesce", quiesce);
    }
    return op_run_task(o, e, err);
}

int op_snapshot_made(struct operation *o, struct pv_err *err)
{
    (void)err;
    if (o->made.id[0])
        op_put_made(o, "snapshot", o->made.id, o->vm.id);
    return PV_OK;
}

int op_snapshot_revert(struct operation *o, struct pv_err *err)
{
    return op_run_task(o, enc_new("RevertToSnapshot_Task", o->snapshot.type, o->snapshot.id), err);
}

int op_snapshot_delete(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("RemoveSnapshot_Task", o->snapshot.type, o->snapshot.id);

    if (e) {
        enc_bool(enc_root(e), "removeChildren", op_arg_true(o, "children"));
        enc_bool(enc_root(e), "consolidate", true);
    }
    return op_run_task(o, e, err);
}

int op_snapshot_delete_all(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("RemoveAllSnapshots_Task", o->vm.type, o->vm.id);

    if (e)
        enc_bool(enc_root(e), "consolidate", true);
    return op_run_task(o, e, err);
}

int op_rename_snapshot(struct operation *o, struct pv_err *err)
{
    const json_t *text = op_member(o->args, "description");
    struct enc *e = enc_new("RenameSnapshot", o->snapshot.type, o->snapshot.id);

    if (e) {
        enc_text(enc_root(e), "name", op_arg_str(o, "name"));
        if (text)
            enc_text(enc_root(e), "description", json_is_null(text) ? "" : json_string_value(text));
    }
    return op_ask(o, e, err);
}
