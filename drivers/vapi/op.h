/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op - one operation under way: what its subject is, and how vSphere is asked.
 *
 * A method says which operation it is, and runs it; operations.c has the
 * table and what all of them share, op_*.c the rest. A run function sends
 * its request with op_run_task (vSphere answers a task, which is followed) or
 * op_ask (it answers at once).
 *
 * Ownership: an operation lives on the caller's stack; what it points to is
 * borrowed. Threads: the call's.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include <polyvisor/enums.h>

#include "drivers/vapi/session.h"
#include "drivers/vapi/values.h"

struct enc;
struct method;
struct pv_err;
struct vapi;

struct operation {
    struct vapi *v;
    struct call c;
    const struct method *method;
    const json_t *args;     /* borrowed */
    const char *native_ref; /* NULL: begin it */
    bool dry_run;
    struct moref vm, snapshot; /* snapshot id "" : the subject is the VM */
    const char *name;          /* of the subject, for messages */
    enum pv_power_state state; /* of the VM, as it was read */
    struct moref made;         /* the task's result */
    bool changed;
};

enum op_about { OP_VM, OP_SNAPSHOT };

/* A row of the table in operations.c. */
struct method {
    const char *operation;
    const char *native; /* method of vSphere */
    int (*run)(struct operation *o, struct pv_err *err);
    enum pv_power_state target; /* UNKNOWN: it is not about power */
    const char *verb;           /* for messages: "starting" */
    enum op_about about;        /* what its subject is */
    enum pv_kind makes;         /* kind of the task's result, NONE: nothing to name */
    bool removes;               /* the VM is gone afterwards */
};

/* Both free the request; NULL is out of memory. A dry run sends nothing. */
int op_run_task(struct operation *o, struct enc *e, struct pv_err *err);
int op_ask(struct operation *o, struct enc *e, struct pv_err *err);
/* "<verb> <name>: this member is not possible with vSphere" as PV_ENOTSUP. */
int op_no_such(const struct operation *o, const char *member, const char *why, struct pv_err *err);

/* op_config.c: what the VM is made of, its name and its end. */
int op_reconfigure(struct operation *o, struct pv_err *err);
int op_rename(struct operation *o, struct pv_err *err);
int op_rename_snapshot(struct operation *o, struct pv_err *err);
int op_delete(struct operation *o, struct pv_err *err);
/* op_clone.c */
int op_clone(struct operation *o, struct pv_err *err);
int op_template(struct operation *o, struct pv_err *err);
