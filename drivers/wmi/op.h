/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op - one operation under way; for the op_* files alone.
 *
 * An operation is a function that walks through steps. Each step that changes
 * something goes through op_do: in a dry run it becomes an entry of the plan;
 * else its method is sent, its job followed, and what it was to bring about
 * is looked for. A step whose outcome is not known is looked for, too, and
 * never sent again.
 *
 * After a restart the same function runs again: steps whose effect is there
 * are passed over, the one that was under way is followed or looked for, the
 * rest is done. What has to be remembered for that (what was made, which slot
 * was chosen) is in the journal (undo.h), which travels as native_ref.
 *
 * When a step fails, what earlier steps made is taken away again.
 *
 * Ownership: all of it is the call's arena. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#include "drivers/sdk/args.h"
#include "drivers/wmi/job.h"
#include "drivers/wmi/undo.h"
#include "drivers/wmi/wmi.h"

struct op;

struct op_def {
    const char *name;
    const char *verb; /* for messages: "starting" */
    int (*run)(struct op *o, struct pv_err *err);
    unsigned state;     /* EnabledState it leads to; 0: it is not about power */
    unsigned requested; /* what RequestStateChange is asked for */
};

struct op {
    struct wmi *w;
    struct call c;
    const struct op_def *def;
    struct arena *a;
    const json_t *subject, *args; /* borrowed */
    bool dry_run;

    const char *name; /* of the subject, for messages */
    char vm[40];      /* GUID of the VM it is about, upper case; "" if none */
    const char *id;   /* native id of the subject */
    const char *kind; /* kind of the subject */

    struct journal journal;
    bool again;      /* this is not the first call of the operation */
    bool resumed;    /* after a restart: the step named in the journal has been sent already */
    int64_t sent_ms; /* wall clock: when the step under way was sent, or a moment earlier */
    bool late;       /* ... before a restart */
    bool lost;       /* ... and its answer never came */
    bool orphan;     /* the server has not got the journal: nothing is begun, nothing taken back */
    const struct cim_ref *job; /* of the step under way, once the host has named it */
    const char *last_job;      /* InstanceID of the job of an earlier step */
    unsigned step, steps;

    bool gen2;                  /* of a VM that is made; of others where it was looked at */
    unsigned new_ide, new_scsi; /* slots given out in a dry run of making a VM */

    bool changed;
    json_t *result; /* members of the result, beside `changed`; owned */
};

extern const struct op_def op_power_defs[], op_snapshot_defs[], op_config_defs[], op_vm_defs[],
    op_disk_defs[], op_nic_defs[], op_image_defs[], op_switch_defs[], op_guest_defs[],
    op_screen_defs[], op_export_defs[], op_move_defs[],
    op_files_defs[], op_host_defs[]; /* each ended by name == NULL */

/* ------------------------------------------------------------------ steps (op_do.c) */

/* Is what the step brings about there? May note in ctx what was found. */
typedef int (*op_look_fn)(struct op *o, void *ctx, bool *there, struct pv_err *err);

struct op_step {
    const char *key;  /* the same at every run: "memory", "disk 0" */
    const char *what; /* for messages, progress: "adding a disk drive to web01" */
    const struct cim_ref *on;
    const struct cim_instance *in;
    op_look_fn look;      /* NULL: nothing can be looked for; a lost outcome stays unknown */
    op_look_fn lost_look; /* instead of `look`: only where neither answer nor job say anything; a
                             host that says it is done is believed */
    void *ctx;
    const char *remote; /* a path or host that the host reaches out to: errors get the hint about
                           delegation */
    bool any_state;     /* 32775 is not waited for */
    bool repeats; /* however often it is done the host ends up the same: after a restart it is sent
                     again if nothing is to be seen of it */
    /* What an answer other than 0 and 4096 means, where the method has codes of its own; PV_OK: it is
     * as if it were done. */
    int (*refused)(struct op *o, const struct op_step *s, uint32_t value, struct pv_err *err);
    const char *
        file; /* the virtual disk a step of the image service is about: tells its job from others */
};
/* PV_OK: done and seen. *out (may be NULL) is the method's answer; NULL if it was not the one who
 * sent it. */
int op_do(struct op *o, const struct op_step *s, struct cim_instance **out, struct pv_err *err);
/* What the host's jobs begun since the last step was sent tell of it (op_trace.c). */
struct op_trace {
    unsigned running; /* jobs that run and may be its */
    unsigned ours;    /* jobs that are its, as far as can be told: those of its VM, of its file */
    unsigned others;  /* jobs of which nobody can say that they are not */
    const struct cim_ref *job; /* the last one of `ours` */
};
int op_trace(struct op *o, const struct op_step *s, struct op_trace *out, struct pv_err *err);
/* GUID of the system of this class that the job of the step under way made or changed. PV_ENOENT:
 * it has no job, or the host does not say. */
int op_job_system(struct op *o, const struct cim_class *cls, char guid[40], struct pv_err *err);
/* The service's method. */
int op_service(struct op *o, const struct cim_class *cls, const struct cim_ref **out,
               struct pv_err *err);
/* "verb name", for messages. */
const char *op_what(struct op *o, const char *verb, const char *name);
/* Before something is sent that must not be sent twice: returns when the server has stored that it
 * begins. PV_EUNKNOWN: it could not; nothing may be sent, a later call goes on. */
int op_begin_step(struct op *o, const char *key, const char *what, struct pv_err *err);
/* Told to the host: percentage, and the journal as native_ref. */
void op_tell(struct op *o, const char *step_name, int percent);
/* In an order that is wrong: what to do. */
int op_wrong_state(struct op *o, struct pv_err *err, const char *why);

/* ------------------------------------------------------------------ arguments and results (op.c)
 */

/* A member by path "cpu.count"; NULL: not given. */
const json_t *op_arg(const struct op *o, const char *path);
const char *op_arg_str(const struct op *o, const char *path);       /* NULL: not given */
bool op_arg_bool(const struct op *o, const char *path);             /* false */
bool op_arg_u64(const struct op *o, const char *path, uint64_t *v); /* false: not given */
bool op_member_u64(const json_t *object, const char *path, uint64_t *v);

void op_object(struct op *o, const char *kind, const char *native_id); /* to be read again */
void op_made(struct op *o, const char *kind, const char *native_id, const char *owner);
void op_warn(struct op *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void op_differs(struct op *o, const char *text);
void op_device(struct op *o, json_t *device); /* taken */
/* Plan entry of a call that is no method of the host. */
void op_plan(struct op *o, const char *operation, json_t *args);
/* Dry run: what is made would be started, if that is asked for. */
void op_plan_start(struct op *o);
/* The method as an entry of the plan. */
void op_plan_call(struct op *o, const struct cim_ref *on, const struct cim_instance *in);
/* A value set in an instance, as JSON. */
json_t *op_json(const struct cim_instance *o);

/* ------------------------------------------------------------------ finding (op_find.c) */

/* Upper-case GUID in a text (with "Microsoft:" or braces around it); false: there is none. */
bool op_guid(const char *text, char out[40]);
const char *op_text(struct op *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Msvm_ComputerSystem of a VM. */
const struct cim_ref *op_vm_ref(struct op *o, const char *guid);
const struct cim_ref *op_planned_ref(struct op *o, const char *guid);
int op_vm_get(struct op *o, const char *guid, struct cim_instance **out, struct pv_err *err);
int op_vm_state(struct op *o, unsigned *state, struct pv_err *err);
/* Waits until the VM is in no transition. */
int op_vm_stable(struct op *o, unsigned *state, struct pv_err *err);
/* A reference by InstanceID. */
const struct cim_ref *op_by_id(struct op *o, const struct cim_class *cls, const char *instance_id);
/* The VM's (checkpoint's) settings "Microsoft:<GUID>". */
const char *op_settings_id(struct op *o, const char *guid);
const struct cim_ref *op_settings_ref(struct op *o, const char *guid);
int op_settings_get(struct op *o, const char *guid, struct cim_instance **out, struct pv_err *err);
/* Any setting by InstanceID; PV_ENOENT. */
int op_get(struct op *o, const struct cim_class *cls, const char *instance_id,
           struct cim_instance **out, struct pv_err *err);
/* All instances of cls that belong to the system with this GUID, sorted by InstanceID. */
int op_list(struct op *o, const struct cim_class *cls, const char *guid, struct cim_list *out,
            struct pv_err *err);
/* The VM's device or component of this class (it has SystemName); PV_ENOENT: it has none now. */
int op_component(struct op *o, const struct cim_class *cls, const struct cim_ref **out,
                 struct pv_err *err);
/* The text form of a reference, as settings hold it. */
const char *op_path(struct op *o, const struct cim_ref *ref);
/* InstanceID that a path in a setting names; NULL: none. */
const char *op_path_id(struct op *o, const char *path);
bool op_same(const char *x, const char *y); /* without regard to case; NULLs differ */
/* Same file: case, slashes and \\?\ do not count. */
bool op_same_path(const char *x, const char *y);
/* ... or a file in that folder, at any depth. */
bool op_path_within(const char *file, const char *path);
/* Windows path of a member of args that names a file: {"path", "datastore": {...}}. NULL and *err:
 * it cannot be. */
int op_file_path(struct op *o, const json_t *object, const char *member, const char **out,
                 struct pv_err *err);
int op_datastore_root(struct op *o, const json_t *datastore, const char **out, struct pv_err *err);
/* Default folders of the host: configuration, virtual disks. */
int op_default_folders(struct op *o, const char **config, const char **disks, struct pv_err *err);
const char *op_join(struct op *o, const char *folder, const char *name);
/* Not absolute: below `folder`. Slashes become backslashes. */
const char *op_windows_path(struct op *o, const char *folder, const char *path);
/* A name as part of a file name. */
const char *op_file_name(struct op *o, const char *name);
bool op_is_remote(const char *path); /* \\server\share */
/* An error that says that there is a file (or object) of this name: somebody else's. */
bool op_is_there_already(int rc, const struct pv_err *err);

/* ------------------------------------------------------------------ whose it is (op_mark.c) */

/* The nth GUID (from 0) that is this operation's alone, in braces; the same after a restart. */
const char *op_mark_guid(struct op *o, unsigned n);
/* Notes that a new object bears until it is found, and whether these are they. */
const char *op_mark_notes(struct op *o);
bool op_marked(struct op *o, const char *notes);

/* ------------------------------------------------------------------ shared by operations */

/* op_power.c: brings the VM into the EnabledState; nothing is done if it is there. */
int op_power_set(struct op *o, const char *key, unsigned requested, unsigned state,
                 struct pv_err *err);

/* op_config.c: what `args` say of processors, memory, firmware and how it starts; only what differs
 * is written. */
int op_config_apply(struct op *o, const json_t *args, struct pv_err *err);
int op_boot_apply(struct op *o, const json_t *order, struct pv_err *err);

/* op_disk.c. `n` numbers the steps. */
int op_disk_add(struct op *o, const json_t *disk, unsigned n, struct pv_err *err);
int op_cdrom_add(struct op *o, const json_t *cdrom, unsigned n, struct pv_err *err);
int op_controller_add(struct op *o, const json_t *controller, unsigned n, struct pv_err *err);
/* op_nic.c */
int op_nic_add(struct op *o, const json_t *nic, unsigned n, struct pv_err *err);
/* op_file.c */
int op_file_delete(struct op *o, const char *path, struct pv_err *err);
/* After its deletion was asked for and nobody knows what came of it (`why`): is it gone? Else
 * PV_EIO, or PV_EUNKNOWN where the host cannot be asked. */
int op_file_look(struct op *o, const char *path, const char *why, struct pv_err *err);
/* What the methods of files answer; `what` they were asked for. */
int op_file_refused(struct op *o, const char *what, uint32_t value, struct pv_err *err);
int op_file_exists(struct op *o, const char *path, bool *there, struct pv_err *err);
/* op_image.c: a step that makes the file `path`; it goes if a later step fails, unless somebody
 * else may have made it meanwhile. */
int op_make_file(struct op *o, const struct op_step *s, const char *path, struct pv_err *err);
/* op_look_fn; ctx is the path: is there a disk file that the host can read? */
int op_image_look(struct op *o, void *ctx, bool *there, struct pv_err *err);
/* A new virtual disk. `spec`: capacity_bytes, format, subformat ... as in the tables.
 */
int op_image_create(struct op *o, const char *key, const char *path, const json_t *spec,
                    const char *parent, struct pv_err *err);
/* What the host tells of a disk file; PV_ENOENT: there is none. */
int op_image_read(struct op *o, const char *path, struct cim_instance **out, struct pv_err *err);
/* op_chain.c. Does a disk of `media` (Msvm_StorageAllocationSettingData) stand on this file (or one
 * in this folder), at any depth? Chains that lead there by way of `but` (may be NULL) do not count.
 */
int op_chains_hold(struct op *o, const struct cim_list *media, const char *path, const char *but,
                   bool *held, struct pv_err *err);
int op_image_resize(struct op *o, const char *path, uint64_t bytes, struct pv_err *err);
/* op_devices.c: every device the VM has, into the result. */
int op_list_devices(struct op *o, struct pv_err *err);
