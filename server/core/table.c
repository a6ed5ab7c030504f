/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/table.h"

#include <stdlib.h>

#define CAP_MAX ((size_t)1 << 26)

void table_free(struct table *t)
{
    free(t->slots);
    *t = (struct table){ 0 };
}

void *table_find(const struct table *t, uint64_t hash,
                 bool (*equal)(const void *item, const void *key), const void *key)
{
    if (t->used == 0)
        return NULL;
    for (size_t at = hash & (t->cap - 1); t->slots[at].item; at = (at + 1) & (t->cap - 1))
        if (t->slots[at].hash == hash && equal(t->slots[at].item, key))
            return t->slots[at].item;
    return NULL;
}

static void put(struct table_slot *slots, size_t cap, uint64_t hash, void *item)
{
    size_t at = hash & (cap - 1);

    while (slots[at].item)
        at = (at + 1) & (cap - 1);
    slots[at] = (struct table_slot){ .hash = hash, .item = item };
}

static bool grow(struct table *t)
{
    size_t cap = t->cap ? t->cap * 2 : 16;
    struct table_slot *slots;

    if (cap > CAP_MAX)
        return false;
    slots = calloc(cap, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].item)
            put(slots, cap, t->slots[i].hash, t->slots[i].item);
    free(t->slots);
    t->slots = slots;
    t->cap = cap;
    return true;
}

bool table_add(struct table *t, uint64_t hash, void *item)
{
    if ((t->used + 1) * 4 > t->cap * 3 && !grow(t))
        return false;
    put(t->slots, t->cap, hash, item);
    t->used++;
    return true;
}

void table_remove(struct table *t, uint64_t hash, const void *item)
{
    size_t mask = t->cap - 1, at, next;

    if (t->used == 0)
        return;
    for (at = hash & mask; t->slots[at].item != item; at = (at + 1) & mask)
        if (!t->slots[at].item)
            return;
    /* Move back what probing would no longer find. */
    for (next = (at + 1) & mask; t->slots[next].item; next = (next + 1) & mask) {
        size_t home = t->slots[next].hash & mask;

        if (((next - home) & mask) >= ((next - at) & mask)) {
            t->slots[at] = t->slots[next];
            at = next;
        }
    }
    t->slots[at].item = NULL;
    t->used--;
}
