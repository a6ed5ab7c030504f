/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed - the watch: a full listing, then changes as the server tells them.
 *
 * Collectors, views and versions belong to a login, so a new login (and a
 * restart of ours) begins with a full listing; the cursor brings back only the
 * place in the event history. A cursor that cannot be read is like none.
 *
 * Threads: one watch per provider, on a thread of its own.
 */
#pragma once

#include <stdint.h>

struct pv_err;
struct vapi;

int feed_watch(struct vapi *v, uint64_t call, const char *cursor, struct pv_err *err);
