/* SPDX-License-Identifier: Apache-2.0 */
/*
 * touched - what a task may have changed is read again before it ends.
 *
 * Whoever sees that a task has ended must read what it did. Threads: any, no
 * lock held. Ownership: borrows; holds the task as long as it needs it.
 */
#pragma once

#include "server/core/task.h"

/* `then` is called once: on a callback thread of the provider's session or on a worker. fresh: the subject has been read, or
 * is confirmed to be gone. */
typedef void (*touched_fn)(struct task *t, bool changed, bool fresh);

/* Reads the subject and what the result names ({object, objects}, or NULL). within_ms: `then` is called after that much
 * time in any case; 0: as long as the provider takes. When the core stops first, it is not called at all: the row still
 * says running, and the next start looks at it. */
void touched_read(struct task *t, const json_t *result, int64_t within_ms, touched_fn then);

/* It could not be read: its record says that it may be out of date, until it is. It is tried again now and then. */
void touched_unread(struct task *t);
