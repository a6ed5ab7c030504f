/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names - what the objects are called that rows refer to.
 *
 * Rows share few of them: looking each up once is cheaper than a join per row,
 * and they change so seldom that a reading connection remembers them over
 * requests. A remembered name holds as long as the kind's change counter; the
 * counters are read before a transaction begins, so that nothing older than
 * them is remembered under them.
 *
 * `names` may be NULL: nothing is remembered. Threads: its connection's.
 */
#pragma once

#include <stdatomic.h>

#include <polyvisor/model.h>

struct arena;
struct conn;
struct names;
struct pv_err;

struct names *names_new(void);
void names_free(struct names *n);
/* Before a transaction: the change counters of all kinds, by number. */
void names_refresh(struct names *n, const _Atomic uint64_t changes[PV_KIND_MAX + 1]);

/* Copied to the arena. NULL: there is no such object. */
int names_get(struct names *n, struct conn *c, const struct model_kind *kind,
              const struct pv_id *id, struct arena *a, const char **out, struct pv_err *err);
/* All that is shown of a provider, in the arena; never NULL. */
int names_provider(struct names *n, struct conn *c, const struct pv_id *id, struct arena *a,
                   const struct model_provider **out, struct pv_err *err);
