/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks - following vSphere's tasks to their end.
 *
 * All tasks of a provider hang on one ListView with one filter. Whichever
 * call has nothing else to do asks the server for all of them; the others
 * sleep until it has news. Where views of tasks are refused, each task is
 * read by itself.
 *
 * Ownership: tasks_free when no call is left. Threads: tasks_follow from any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/vapi/fault.h"
#include "drivers/vapi/values.h"

struct call;
struct pv_err;
struct session;
struct task_hub;

enum task_state { TASK_QUEUED, TASK_RUNNING, TASK_SUCCESS, TASK_ERROR };

struct task_info {
    enum task_state state;
    int percent; /* -1: unknown */
    bool cancelable, cancelled;
    struct moref result; /* id "" : none */
    char text[512];      /* a result that is no object: a path; "" : none */
    struct fault fault;  /* of TASK_ERROR */
};

struct task_hub *tasks_new(struct session *s);
void tasks_free(struct task_hub *h);

/* Until the task has ended: PV_OK and *out has how. Hands its id, with `prefix` (NULL: none) before it, and its progress
 * to the host. A cancelled call cancels the task if that can be, and goes on until the server says what became of
 * it (PV_ECANCELED if it does not). PV_ENOENT: the server does not know the task (any more). */
int tasks_follow(struct task_hub *h, const struct call *c, const char *prefix, const char *task,
                 struct task_info *out, struct pv_err *err);
/* A TaskInfo's parts, from `info` or from properties "info.state" and so on. */
void tasks_read(const xmlNode *object, struct task_info *out);
