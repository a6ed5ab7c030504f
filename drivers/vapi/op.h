/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op - one operation under way; for the op_*.c files alone.
 *
 * A row of the table in operations.c says which operation it is and runs it:
 * `run` builds the request the operation is about and sends it with
 * op_run_task (vSphere answers a task, which is followed) or op_ask (it
 * answers at once); `then`, where there is one, does what comes after it. In
 * a dry run a request becomes an entry of the plan instead.
 *
 * After a restart `run` is not called again: the task that was told as
 * native_ref is followed, then `then` goes on with what is left. What it has
 * to know is in `note`, which travels with the task's id.
 *
 * Ownership: an operation lives on the caller's stack; what it points to is
 * borrowed, but for `result`. Threads: the call's.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include <polyvisor/enums.h>
#include <polyvisor/err.h>

#include "drivers/sdk/args.h"
#include "drivers/vapi/session.h"
#include "drivers/vapi/values.h"

struct enc;
struct enc_object;
struct fault;
struct method;
struct vapi;

#define OP_NOTE_MAX 300

struct operation {
    struct vapi *v;
    struct call c;
    const struct method *method;
    const json_t *subject, *args; /* borrowed */
    bool dry_run;
    struct moref vm,
        snapshot;       /* snapshot id "" : it is about something else; OP_HOST, OP_STORE: vm is that */
    const char *device; /* native id of a device; NULL: it is about something else */
    const char *name;   /* of the subject, for messages */
    enum pv_power_state state; /* of the VM, as it was read */

    unsigned step;  /* 0: what the operation is called after */
    unsigned done;  /* steps that were done before a restart; 0: this is the first call */
    unsigned begun; /* ... and the one that was about to be sent then: it may have been; 0: none */
    char note[OP_NOTE_MAX]; /* ids and numbers only */
    struct moref made;      /* the last task's result ... */
    char text[512];         /* ... where it is no object */
    char task[160];         /* ... and the task itself */
    bool changed;
    bool unheard;   /* the server has not got the step: nothing is begun */
    json_t *result; /* members of the answer; owned */
};

/* OP_HOST_PART: vm is the host, device the part. */
enum op_about { OP_VM, OP_SNAPSHOT, OP_DEVICE, OP_HOST, OP_HOST_PART, OP_STORE, OP_PLACE };

/* A row of the table in operations.c. */
struct method {
    const char *operation;
    const char *native; /* method of vSphere */
    const char *verb;   /* for messages: "starting" */
    int (*run)(struct operation *o, struct pv_err *err);
    int (*then)(struct operation *o, struct pv_err *err); /* NULL: nothing */
    enum op_about about;                                  /* what its subject is */
    enum pv_power_state target;                           /* UNKNOWN: it is not about power */
    bool removes;                                         /* the subject is gone afterwards */
};

/* ------------------------------------------------------------------ asking (op_send.c) */

enum { LOOK_POWER, LOOK_SNAPSHOT };
struct op_view {
    enum pv_power_state state;
    const char *want_id, *want_name; /* snapshot looked for */
    struct moref found;
};
int op_look(struct operation *o, struct op_view *out, struct pv_err *err);
/* Reads properties of one object; `table` as in values.h, its type is the object's. */
int op_read(struct operation *o, const struct moref *ref, const struct prop_table *table,
            int (*fn)(void *ctx, const struct moref *ref, const xmlNode *object,
                      struct pv_err *err),
            void *ctx, struct pv_err *err);

/* All of them free the request; NULL is out of memory. A dry run sends nothing. */
int op_run_task(struct operation *o, struct enc *e, struct pv_err *err);
int op_ask(struct operation *o, struct enc *e, struct pv_err *err);
/* The answer's value is handed to fn (may be NULL). For what changes nothing: never part of a plan.
 */
int op_query(struct operation *o, struct enc *e,
             int (*fn)(void *ctx, const xmlNode *value, struct pv_err *err), void *ctx,
             struct pv_err *err);
/* Follows a task that was begun before a restart. */
int op_follow(struct operation *o, const char *task, struct pv_err *err);
/* The next step of `then`: false if it was done before a restart. */
bool op_step(struct operation *o, unsigned step);
/* Cleaning up after a failure: what was canceled goes on, its own failure is logged. */
void op_clean(struct operation *o, struct enc *e, const char *what);
/* `rc` is no end: a later call goes on from what the host was told, and nothing is to be undone. */
bool op_goes_on(const struct operation *o, int rc);

/* ------------------------------------------------------------------ refusing */

/* "<verb> <name>: <member>: <why>" as PV_ENOTSUP with the pointer; dots of the member are slashes
 * there. */
int op_no_such(const struct operation *o, const char *member, const char *why, struct pv_err *err);
/* The same as PV_EINVAL. */
int op_bad(const struct operation *o, const char *member, const char *why, struct pv_err *err);
int op_wrong_state(const struct operation *o, struct pv_err *err, const char *why);

/* ------------------------------------------------------------------ arguments, answers
 * (op_result.c) */

bool op_member_int(const json_t *object, const char *path, int64_t *v); /* false: no number */
const char *op_arg_str(const struct operation *o, const char *path);    /* NULL: not given */
bool op_arg_true(const struct operation *o, const char *path);
/* An object that an argument names: {"native_id"}. */
bool op_named(const json_t *args, const char *member, const char *type, struct moref *out);

void op_put_made(struct operation *o, const char *kind, const char *native_id, const char *owner);
void op_warn(struct operation *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void op_differs(struct operation *o, const char *text);
void op_put_list(struct operation *o, const char *list, json_t *item); /* taken */
void op_plan(struct operation *o, const struct enc *e);

/* ------------------------------------------------------------------ what they share */

/* What the arguments say of processors, memory, firmware (op_config.c). */
int op_put_config(struct operation *o, struct enc_object *spec, struct pv_err *err);
int op_put_boot_order(struct operation *o, struct enc_object *options, const json_t *order,
                      struct pv_err *err);
/* Power on as the last step; that it does not start is a warning (op_power.c). */
int op_start_made(struct operation *o, unsigned step, const struct moref *vm, struct pv_err *err);

/* ------------------------------------------------------------------ the operations */

/* op_power.c */
int op_power(struct operation *o, struct pv_err *err);
int op_shutdown(struct operation *o, struct pv_err *err);
int op_shutdown_again(struct operation *o, struct pv_err *err); /* after a restart */
int op_reboot(struct operation *o, struct pv_err *err);
#define OP_SHUTDOWN_REF "shutdown:"
/* op_snapshot.c */
int op_snapshot_create(struct operation *o, struct pv_err *err);
int op_snapshot_made(struct operation *o, struct pv_err *err);
int op_snapshot_revert(struct operation *o, struct pv_err *err);
int op_snapshot_delete(struct operation *o, struct pv_err *err);
int op_snapshot_delete_all(struct operation *o, struct pv_err *err);
int op_rename_snapshot(struct operation *o, struct pv_err *err);
/* op_config.c: what the VM is made of, its name and its end. */
int op_reconfigure(struct operation *o, struct pv_err *err);
int op_rename(struct operation *o, struct pv_err *err);
int op_delete(struct operation *o, struct pv_err *err);
int op_delete_then(struct operation *o, struct pv_err *err);
/* op_create.c */
int op_create(struct operation *o, struct pv_err *err);
int op_create_then(struct operation *o, struct pv_err *err);
int op_import(struct operation *o, struct pv_err *err);
int op_import_then(struct operation *o, struct pv_err *err);
/* op_clone.c */
int op_clone(struct operation *o, struct pv_err *err);
int op_clone_then(struct operation *o, struct pv_err *err);
int op_template(struct operation *o, struct pv_err *err);
int op_move(struct operation *o, struct pv_err *err);
/* op_devices.c */
int op_disk_attach(struct operation *o, struct pv_err *err);
int op_disk_update(struct operation *o, struct pv_err *err);
int op_disk_detach(struct operation *o, struct pv_err *err);
int op_nic_attach(struct operation *o, struct pv_err *err);
int op_nic_update(struct operation *o, struct pv_err *err);
int op_cdrom_attach(struct operation *o, struct pv_err *err);
int op_iso_mount(struct operation *o, struct pv_err *err);
int op_iso_eject(struct operation *o, struct pv_err *err);
int op_controller_attach(struct operation *o, struct pv_err *err);
int op_device_detach(struct operation *o, struct pv_err *err);
int op_device_made(struct operation *o, struct pv_err *err);
/* op_host.c */
int op_maintenance(struct operation *o, struct pv_err *err);
int op_host_service(struct operation *o, struct pv_err *err);
/* Whether the host is as the operation wants it. */
int op_host_rests(struct operation *o, bool *wanted, struct pv_err *err);
/* op_files.c */
int op_files(struct operation *o, struct pv_err *err);
int op_make_folder(struct operation *o, struct pv_err *err);
int op_take_file(struct operation *o, struct pv_err *err);
/* op_content.c */
int op_download(struct operation *o, struct pv_err *err);
int op_upload(struct operation *o, struct pv_err *err);
/* op_screen.c */
int op_console(struct operation *o, struct pv_err *err);
int op_screenshot(struct operation *o, struct pv_err *err);
int op_keystrokes(struct operation *o, struct pv_err *err);
int op_guest_data(struct operation *o, struct pv_err *err);
