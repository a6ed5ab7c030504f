/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_device - adding and removing parts of a VM; where drives hang.
 *
 * What was added is found by what was not there before: the host names it
 * only when it did not start a job. The marks of what was there are kept in
 * the journal, so that it is found after a restart as well. What others added
 * at the same time bears another identifier, where the class has them; where
 * nobody can tell which of two is ours, the outcome is unknown.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

#include "drivers/wmi/cim.h"

struct op;
struct pv_err;

struct op_added {
    const struct cim_class *cls;
    bool (*is)(const struct cim_instance *i); /* NULL: any of the class */
    const char *mark;   /* VirtualSystemIdentifiers that were asked for; or NULL */
    const char *before; /* marks */
    const char *id;     /* of what was found */
};
/* Notes what is there now, unless the journal knows it already. */
int op_added_begin(struct op *o, const char *key, struct op_added *added, struct pv_err *err);
/* op_look_fn */
int op_added_look(struct op *o, void *ctx, bool *there, struct pv_err *err);

/* To the VM's settings. `look` fills `ctx`. */
int op_add_resource(struct op *o, const char *key, const char *what, const struct cim_instance *in,
                    int (*look)(struct op *, void *, bool *, struct pv_err *), void *ctx,
                    const char *remote, struct pv_err *err);
/* Waits until it is gone; nothing happens if it is. */
int op_remove_resource(struct op *o, const char *key, const char *what, const struct cim_class *cls,
                       const char *id, struct pv_err *err);
/* What is added when it is to be put back. */
const struct cim_instance *op_add_call(struct op *o, const struct cim_instance *in);

/* The resource of `list` whose Parent is `id`; NULL: none. */
const struct cim_instance *op_child_of(struct op *o, const struct cim_list *list, const char *id);

struct op_slot {
    const char *controller; /* InstanceID */
    bool ide;
    unsigned number, unit;
};
/* `where`: {type, bus, unit} or NULL. Adds a SCSI controller where one is needed. */
int op_slot_choose(struct op *o, const json_t *where, const char *key, bool cdrom,
                   struct op_slot *out, struct pv_err *err);
