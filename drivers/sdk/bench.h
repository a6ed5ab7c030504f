/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench - the host that the conformance suite puts a driver on.
 *
 * Checks and remembers what is emitted: which objects there are (by a hash of
 * what was said of each), which references are still open, what was against
 * the rules. Threads: its functions lock; `host` may be used by the driver's
 * threads.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/driver.h>

/* Hash -> hash. The keys are hashes of (kind, owner, native id): two that collide are once in ten million runs. */
struct bench_map {
    uint64_t *keys, *values;    /* key 0: free */
    size_t count, size;
};

struct bench_object {
    uint32_t kind;
    char native_id[513], name[257], owner[513];
    int power_state;
};

struct bench {
    struct pv_host host;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool cancel;
    atomic_bool refuse;         /* emit and mark answer PV_ECANCELED */
    const char *secrets;
    uint64_t key[2];
    /* guarded by lock */
    struct bench_map objects;   /* of the listing that runs or ran last */
    struct bench_map wanted;    /* references not resolved yet */
    unsigned batches, records, refused, faults, marks, provider_facts, disorder, twins, orphans;
    bool listing, listed, partial, provider_bad;
    size_t last_kind;           /* place in model order of the last kind without owner */
    char first[512];            /* first thing against the rules */
    char cursor[1024];
    struct bench_object vm, other;  /* one to try things with: a VM, and something else */
};

void bench_init(struct bench *b, const char *secrets);
void bench_free(struct bench *b);
/* Forget what was emitted. */
void bench_reset(struct bench *b);
/* Waits until a complete or partial listing has ended, or (any) a mark has come, or *done is set; false: not in time. */
bool bench_wait(struct bench *b, bool any, const bool *done, unsigned seconds);
/* How many references have nothing they refer to. */
size_t bench_open_references(struct bench *b);
/* The same objects with the same content? Says what is different in b->first. */
bool bench_map_equal(const struct bench_map *a, const struct bench_map *b, size_t *missing,
                     size_t *changed);
void bench_map_free(struct bench_map *m);
