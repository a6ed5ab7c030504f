/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo - what an operation has to remember: for taking back what it made when
 * a later step fails, and for going on after a restart.
 *
 * The journal is a small JSON object that the server keeps as the task's
 * native reference. It is told before each step that changes something (so
 * that a step whose answer never came is known to have been sent) and again
 * with its job:
 *
 *   {"s": "disk 0", "a": 1700000000900, "j": "Msvm_ConcreteJob:GUID",
 *    "t": 1700000000000, "d": ["file 0"], "n": {"slot": "0"},
 *    "m": ["F:C:\\x.vhdx", "R:Microsoft:...\\D"]}
 *
 * "s" is the step under way since "a", "d" are those done, "t" is when the
 * operation began.
 *
 * "m" is what was made, in order: F a file, R a resource setting, S a VM, P a
 * planned VM, W a switch; and T, a file that is to go at the end and stays if
 * it does not come to that. Settings that were changed can be put back as well,
 * but only by the same run: they are not in the journal.
 *
 * Ownership: the op's arena and journal_free. Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct cim_instance;
struct cim_ref;
struct op;
struct pv_err;

struct undo_call {
    struct undo_call *next; /* the one before */
    size_t after;           /* number of things made before it */
    const char *what;
    const struct cim_ref *on;
    const struct cim_instance *in;
    int (*look)(struct op *o, void *ctx, bool *there, struct pv_err *err);
    void *ctx;
};

struct journal {
    json_t *root; /* owned */
    struct undo_call *restore;
    bool off; /* nothing is taken back: what was done is wanted */
};

int journal_new(struct journal *j, struct pv_err *err);
/* PV_EUNKNOWN: it is none of ours. */
int journal_parse(struct journal *j, const char *text, struct pv_err *err);
void journal_free(struct journal *j);
/* At most 16 KiB; what is least needed is left out. Owned by the caller; NULL: no memory. */
char *journal_text(const struct journal *j);

/* Notes: "" removes. NULL: there is none. */
void journal_note(struct journal *j, const char *key, const char *value);
const char *journal_get(const struct journal *j, const char *key);
/* The step under way, and its job ("Class:ID" or NULL). */
void journal_step(struct journal *j, const char *step, const char *job);
const char *journal_step_of(const struct journal *j);
const char *journal_job(const struct journal *j);
/* Wall clock, ms: when the operation began, and the step under way. */
int64_t journal_began(const struct journal *j);
int64_t journal_step_began(const struct journal *j);
/* The step has been done and is not to be sent again, whatever became of what it made. */
void journal_step_done(struct journal *j, const char *step);
bool journal_is_done(const struct journal *j, const char *step);

enum undo_kind {
    UNDO_FILE = 'F',
    UNDO_RESOURCE = 'R',
    UNDO_VM = 'S',
    UNDO_PLANNED = 'P',
    UNDO_SWITCH = 'W',
    UNDO_TODO = 'T'
};
/* Was made: is taken away if a later step fails. Twice is once. */
void undo_made(struct op *o, enum undo_kind kind, const char *id);
/* It is not ours after all, or nobody can say that it is: it stays. */
void undo_forget(struct op *o, enum undo_kind kind, const char *id);
bool undo_has(const struct op *o, enum undo_kind kind, const char *id);
/* nth thing made of this kind, or NULL. */
const char *undo_nth(const struct op *o, enum undo_kind kind, unsigned n);
/* Was changed: this call puts it back. `look` (may be NULL) tells whether it is back. */
void undo_restore(struct op *o, const char *what, const struct cim_ref *on,
                  const struct cim_instance *in,
                  int (*look)(struct op *o, void *ctx, bool *there, struct pv_err *err), void *ctx);
/* What was made so far is wanted whatever comes. */
void undo_keep(struct op *o);
enum undo_end { UNDO_WHOLE, UNDO_PARTLY, UNDO_LATER };
/* Takes everything back, newest first. PARTLY: something is left (and logged). LATER: the host
 * cannot be reached, what is left is still in the journal. */
enum undo_end undo_run(struct op *o);
