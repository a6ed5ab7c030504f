/* SPDX-License-Identifier: Apache-2.0 */
/*
 * job - following a job of the host to its end.
 *
 * A method that answers 4096 has started a job: Msvm_ConcreteJob,
 * Msvm_StorageJob, Msvm_MigrationJob ... Its class is taken from the reference
 * that came with the answer, never assumed. A job that ended is kept for five
 * minutes and then vanishes: whoever comes later has to look at the object.
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/wmi/cim.h"

struct arena;
struct call;
struct pv_err;
struct wsman;

enum job_state {
    JOB_RUNNING,
    JOB_SUCCEEDED,
    JOB_WARNED, /* done, and something did not go as asked */
    JOB_CANCELED,
    JOB_FAILED,
    JOB_VANISHED /* it is over, and forgotten */
};

struct job_view {
    enum job_state state;
    int percent; /* -1: not said */
    bool cancellable;
    uint32_t code;  /* ErrorCode */
    char text[400]; /* the host's words on what went wrong; "" if none */
};

/* What a job object says. */
void job_read(const struct cim_instance *job, struct job_view *out);
/* What a failed job becomes as an error: code, native code and the host's words. */
int job_fail(const struct job_view *v, const char *what, struct pv_err *err);

/* "Class:InstanceID", which is enough to find it again. NULL: no memory, or not a job's reference.
 */
const char *job_text(struct arena *a, const struct cim_ref *job);
/* The other way. NULL: it is none. */
const struct cim_ref *job_parse(struct arena *a, const char *text);

/* Called with each new percentage. */
typedef void (*job_tell_fn)(void *ctx, int percent);

/* Until it has ended: PV_OK, and *out says how. A cancelled call cancels the job if that can be,
 * and goes on until the host says what became of it. PV_EUNKNOWN: the host cannot be asked for too
 * long. PV_ECANCELED: the session is being closed. */
int job_follow(struct wsman *w, const struct call *c, const struct cim_ref *job, const char *what,
               job_tell_fn tell, void *ctx, struct job_view *out, struct pv_err *err);
