/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bulk - tasks of several parts: one operation on many objects, or several steps on one.
 *
 * A parent task and its children are stored in one transaction, so that what was accepted is
 * complete. What is asked for is judged here once more, whatever a preview said; a child that
 * cannot be done is born `skipped` with the reason, one that has nothing to do is born `succeeded`.
 * After that each child decides for itself.
 *
 * Ownership: bulk_submit lives on its caller's stack, its children in the caller's arena. Threads:
 * any, no lock held.
 */
#pragma once

#include "server/core/task.h"

struct bulk_child {
    struct task *task;
    struct model_row *row;
};

struct bulk_submit {
    struct core *core;
    struct task *parent;
    struct model_row *row;
    struct bulk_child *children;
    size_t n;
    const struct core_options *options;
    struct event_set events;
};

/* Who asked may see the object and do this to it; else not-found or forbidden. */
int bulk_allowed(struct core *c, const struct core_actor *by, const struct model_operation *op,
                 const struct pv_id *id, struct pv_err *why);
/* The parent: of no object (subject NULL), or of the one all steps are about. params are taken. */
int bulk_make_parent(struct bulk_submit *s, const struct core_actor *by,
                     const struct model_operation *op, enum pv_kind kind,
                     const struct subject *subject, const struct bulk *like, json_t *params,
                     struct arena *a, struct pv_err *err);
/* One child in the state it is born with; `why` says why it is skipped. subject is not freed. */
int bulk_make_child(struct bulk_submit *s, const struct core_actor *by,
                    const struct model_operation *op, const struct subject *subject,
                    const struct pv_id *id, const json_t *params, enum pv_task_state state,
                    bool busy, const struct pv_err *why, struct arena *a, struct bulk_child *out);
/* Stores all of it, and begins. locks[i] is what child i works on. */
int bulk_accept(struct bulk_submit *s, const struct pv_id *locks, struct arena *a,
                struct pv_err *err);
void bulk_begin(struct bulk_submit *s);
void bulk_submit_free(struct bulk_submit *s);

/* What came of it, when the last child has ended. */
struct bulk_outcome {
    enum pv_task_state state;
    const char *result;     /* JSON text in the arena, or NULL: no memory */
    struct pv_err error;    /* rc PV_OK: none */
};
/* `succeeded` only if all children have; `canceled` if that was asked of the whole; else `failed`, and the error has the
 * numbers and the first reasons. The arena may be NULL. tasks_lock not held. */
void bulk_judge(struct task *parent, struct arena *a, struct bulk_outcome *out);

/* The present numbers, owned; or as JSON text, in the arena. tasks_lock held, or all is over. */
json_t *bulk_numbers_json(const struct bulk *b);
const char *bulk_numbers_text(const struct bulk *b, struct arena *a);
/* The parent's numbers, and its end when the last child has ended. tasks_lock not held. */
void bulk_parent_ended(struct task *parent, const char *json, bool final);
static inline unsigned bulk_done(const struct bulk *b)
{
    return b->succeeded + b->failed + b->canceled + b->skipped;
}
