/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview - the inventory from above: providers, datacenters, clusters, hosts
 * and folders with what stands below each of them, counted.
 *
 * Made in one grouped pass over the VMs and one over each of the few kinds
 * above them; kept until one of these kinds changes, and made anew at most once
 * a second, and so seldom that it takes a twentieth of the time. The tree and the summary read the same overview, so they cannot
 * disagree.
 *
 * Ownership: overview_get() lends a reference, overview_put() gives it back;
 * an overview never changes. Threads: any.
 */
#pragma once

#include "server/api/internal.h"

struct overview_node {
    enum pv_kind kind;
    struct pv_id id;
    const char *name;
    const struct overview_node *parent;     /* in the tree; NULL: top. Folders: the folder it is in */
    const struct overview_node *provider;   /* NULL for folders */
    enum pv_health health;                  /* its own */
    int64_t state;                          /* provider: its state; host: connection_state */
    enum pv_family family;                  /* provider */
    bool simulated, maintenance;
    uint64_t memory_bytes, cores, cpu_mhz;  /* host: its own; above: sums of hosts */
    /* What is below, at any depth. */
    uint64_t hosts, vms, running, vm_cpus, vm_memory_bytes;
    enum pv_health worst;                   /* its own, too */
    /* What is directly below. */
    uint64_t children;
    uint64_t vms_here;
    uint64_t unhosted;                      /* VMs whose deepest known place this is */
};

/* All VMs, by what they have in common. */
struct overview_totals {
    uint64_t vms, cpus, memory_bytes;
    uint64_t by_power[16], by_health[8], by_family[8];  /* by number of the enum's value */
};

struct overview;

int overview_start(struct api *a, struct pv_err *err);
void overview_stop(struct api *a);
int overview_get(struct req *r, struct overview **out, struct pv_err *err);
void overview_put(struct overview *o);
/* Different for every overview that was made. */
uint64_t overview_number(const struct overview *o);
/* In the order of their names within their kind: providers, folders, datacenters, clusters, hosts. */
const struct overview_node *overview_nodes(const struct overview *o, size_t *n);
/* NULL: there is none. */
const struct overview_node *overview_find(const struct overview *o, const struct pv_id *id);
const struct overview_totals *overview_totals(const struct overview *o);
/* VMs in no folder. */
uint64_t overview_unfiled(const struct overview *o);
