/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_planned - VMs that are being imported: planned by the host, not yet real.
 *
 * A definition file becomes a planned VM; what does not fit here is put right
 * on it (name, places, adapters); then it is checked and made real. If one of
 * these steps fails the planned VM is destroyed.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

struct op;
struct pv_err;

struct op_import {
    const char *file; /* definition on the host */
    bool new_id;      /* a copy, with an identity of its own */
    bool new_macs;
    const char *name;       /* NULL: as it is called */
    const char *folder;     /* where its configuration goes; NULL: where it is */
    bool copy_disks;        /* into folder */
    bool snapshots;         /* those beside the definition come along */
    const json_t *networks; /* [{nic, network}] or NULL */
};
/* o->vm is the VM's GUID afterwards. */
int op_import(struct op *o, const struct op_import *i, struct pv_err *err);
