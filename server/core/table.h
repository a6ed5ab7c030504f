/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - a hash table of pointers whose hashes the caller makes.
 *
 * Open addressing with linear probing; several items may have the same hash.
 * The table owns its slots, never the items. Grows, up to 2^26 slots.
 * Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
    uint64_t hash;
    void *item;     /* NULL: free */
};

struct table {
    struct table_slot *slots;
    size_t cap;     /* a power of two, or 0 */
    size_t used;
};

void table_free(struct table *t);
/* First item with this hash that `equal` accepts, or NULL. */
void *table_find(const struct table *t, uint64_t hash,
                 bool (*equal)(const void *item, const void *key), const void *key);
/* false: out of memory; nothing was added. */
bool table_add(struct table *t, uint64_t hash, void *item);
/* Takes out this very item, if it is there. */
void table_remove(struct table *t, uint64_t hash, const void *item);
