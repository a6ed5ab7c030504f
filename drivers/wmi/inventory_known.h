/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory_known - what was last said of each VM, and which other objects
 * there were: so that a poll says only what is new, and what is gone.
 *
 * Ownership: known_free. Threads: the caller's lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/enums.h>

#include "drivers/wmi/inventory_rates.h"
#include "drivers/wmi/inventory_sight.h"

struct known_vm {
    char guid[SIGHT_GUID];
    uint64_t state;     /* hash of what a poll tells */
    uint64_t enabled;   /* EnabledState, as last told */
    uint64_t guest;     /* hash of what the guest tells */
    int64_t configured; /* TimeOfLastConfigurationChange */
    int64_t read_ms;    /* monotonic: when its settings were read */
    int64_t boot_ms;    /* as last sent */
    uint64_t seen;      /* number of the listing or poll that saw it */
    bool hidden; /* a system whose settings cannot be seen: no VM of ours, until it changes */
    uint64_t refreshed;    /* number of the listing during which it was read aside */
    struct vm_rates rates; /* between the last two readings of the host's counters */
    struct known_vm *next;
};

struct known;

struct known *known_new(void);
void known_free(struct known *k);
/* NULL: not there. Guid in lower case. */
struct known_vm *known_find(const struct known *k, const char *guid);
/* Finds or makes; NULL: no memory. */
struct known_vm *known_put(struct known *k, const char *guid);
void known_drop(struct known *k, const char *guid);
void known_each(const struct known *k, void (*fn)(void *ctx, struct known_vm *vm), void *ctx);
size_t known_count(const struct known *k);

/* Other objects: by kind and native id. */
int known_note(struct known *k, enum pv_kind kind, const char *id, uint64_t seen);
/* Calls for each that `seen` did not note, and forgets it. */
void known_sweep(struct known *k, uint64_t seen,
                 void (*gone)(void *ctx, enum pv_kind kind, const char *id), void *ctx);
