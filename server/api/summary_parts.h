/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_parts - what the files that make the dashboard's answer share.
 *
 * Members are written into the open object of `w`; nothing is kept. Threads:
 * that of the request.
 */
#pragma once

#include "server/api/overview.h"
#include "server/core/metrics.h"

/* Newest numbers of a host; what is not known is 0. */
struct host_use {
    bool has_cpu, has_memory;
    uint64_t cpu_pct, memory_bytes;
};
struct host_use summary_host_use(struct req *r, const struct overview_node *host);

/* Opens {id, name, ...}. */
void summary_open_ref(struct jsonw *w, enum pv_kind kind, const struct pv_id *id, const char *name);
/* {id, name} or null. */
void summary_member_ref(struct jsonw *w, const char *key, const struct overview_node *node);

/* capacity.c: cluster_items, with where their use is going. */
int capacity_write(struct req *r, struct jsonw *w, const struct overview *o, struct pv_err *err);
