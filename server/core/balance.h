/* SPDX-License-Identifier: Apache-2.0 */
/*
 * balance - whether rules of a cluster are kept, and which moves would even out the load of its hosts.
 *
 * Pure: what is known goes in, advice comes out; nothing is read, kept or
 * done. The same input has the same output. Numbers of hosts and VMs are
 * indices into the caller's arrays.
 *
 * Load is a share (0 to 1 and beyond) of a host's processor and of its memory.
 * A host is above when one of the two is more than `threshold` above the mean
 * of the hosts that take part. Greedy: of the host that is furthest above, the
 * move is taken that leaves the worse of both hosts lowest, as long as that
 * helps; no VM moves twice, so nothing goes back and forth.
 *
 * Threads: none kept; any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <polyvisor/enums.h>
#include <polyvisor/id.h>

/* ---------------------------------------------------------------- rules */

struct rule_vm {
    struct pv_id id, host;          /* host: where it runs */
};

struct rule_look {
    enum pv_rule_type type;
    enum pv_rule_placement placement;
    const struct rule_vm *vms;      /* those that run */
    size_t nvms;
    const struct pv_id *hosts;
    size_t nhosts;
};

/* Can it be seen from where VMs are whether the rule is kept? */
bool rule_judged(const struct rule_look *r);
/* Does this VM of the rule stand where it should not? Of two that belong apart both do. */
bool rule_breaks(const struct rule_look *r, size_t vm);

/* ---------------------------------------------------------------- balance */

#define BALANCE_MOVES_MAX 20u

enum balance_bound { BALANCE_CPU, BALANCE_MEMORY, BALANCE_BOUNDS };

/* Why a VM is left out; the words of the API are in balance_why_text. */
enum balance_why {
    BALANCE_FREE,
    BALANCE_NO_USAGE,       /* what it uses is not known, or was long ago */
    BALANCE_PASSTHROUGH,    /* it uses a device of its host */
    BALANCE_STALE,          /* nobody knows whether it is still there */
    BALANCE_BUSY,           /* something is done to it right now */
    BALANCE_RULE,           /* each host is forbidden by a rule */
    BALANCE_STORAGE,        /* ... or lacks a datastore of it */
    BALANCE_NETWORK,        /* ... or a network */
    BALANCE_NO_HOST,        /* no other host takes VMs, or for different reasons */
    BALANCE_NO_GAIN,        /* it could move, and nothing would be better */
};
const char *balance_why_text(enum balance_why why);

struct balance_host {
    double capacity[BALANCE_BOUNDS]; /* MHz, bytes */
    double used[BALANCE_BOUNDS];
    bool counts;            /* capacity and use are known */
    bool takes;             /* VMs may go to it: connected, not in maintenance, seen */
};

struct balance_vm {
    size_t host;
    double used[BALANCE_BOUNDS];    /* of the host it is on */
    enum balance_why fixed;         /* BALANCE_FREE: it may move */
    const enum balance_why *to;     /* for each host: FREE, or what it lacks; NULL: all are free */
};

struct balance_rule {
    enum pv_rule_type type;
    enum pv_rule_placement placement;
    const size_t *vms, *hosts;
    size_t nvms, nhosts;
};

struct balance_in {
    const struct balance_host *hosts;
    size_t nhosts;
    const struct balance_vm *vms;
    size_t nvms;
    const struct balance_rule *rules;   /* those that are heeded */
    size_t nrules;
    double threshold;                   /* share above the mean that is let be */
};

/* Standard deviation, and greatest less least, of the hosts' loads. */
struct balance_spread {
    double deviation[BALANCE_BOUNDS], range[BALANCE_BOUNDS], mean[BALANCE_BOUNDS];
};

struct balance_move {
    size_t vm, from, to;
    enum balance_bound bound;           /* of what its host has too much */
    double load, mean;                  /* of that, before the move */
    struct balance_spread after;
};

struct balance_out {
    struct balance_spread now, after;
    struct balance_move moves[BALANCE_MOVES_MAX];
    size_t nmoves;
    double *used_after[BALANCE_BOUNDS]; /* of each host; the caller's, NULL: not wanted */
    enum balance_why *left_out;         /* of each VM: FREE where nothing is to be said; the caller's, NULL: not wanted */
    bool balanced;                      /* no host is above, after the moves */
};

/* false: no memory. */
bool balance_plan(const struct balance_in *in, struct balance_out *out);
