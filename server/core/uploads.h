/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uploads - files that people send to datastores.
 *
 * The bytes come piece by piece into a file of the spool, each on disk before
 * it is acknowledged. When all are there, an ordinary task hands the file to
 * the driver; it is sent again from its beginning as often as that has to be.
 * Rows say where each stands, so everything goes on after a restart.
 *
 * Threads: any that may wait for the disk.
 */
#pragma once

#include "server/core/core.h"

struct task;

struct core_upload_piece {
    bool none;                      /* nothing: is it complete? */
    uint64_t from, to, total;       /* bytes [from, to) of total */
    const void *data;
};

/* `t`: of datastore.file.upload, checked against its table. What is refused at once: capability, a file that a VM uses, no
 * room in the datastore or the spool. Whether the name is taken the caller has looked. */
int core_upload_create(struct core *c, const struct core_actor *by, const struct pv_id *user,
                       const struct core_task_request *t, const struct core_options *o, struct pv_id *id,
                       struct pv_err *err);
/* *offset: how much is here. PV_ESTATE conflict: the piece does not begin there. With the last one the task begins. */
int core_upload_put(struct core *c, const struct core_actor *by, const struct pv_id *id,
                    const struct core_upload_piece *piece, uint64_t *offset, struct pv_err *err);
/* Sends what has failed once more. */
int core_upload_retry(struct core *c, const struct core_actor *by, const struct pv_id *id, struct pv_err *err);
/* Gives it up: its task is canceled, its bytes go. */
int core_upload_delete(struct core *c, const struct core_actor *by, const struct pv_id *id, struct pv_err *err);

/* ---- core alone */
int uploads_start(struct core *c, struct pv_err *err);
/* The bytes that the task sends, opened for reading; -1 and why. */
int uploads_open(struct core *c, const struct task *t, struct pv_err *err);
