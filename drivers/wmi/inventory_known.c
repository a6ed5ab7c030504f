/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/inventory_known.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/rc.h>
#include <polyvisor/str.h>

#define BUCKETS_FIRST 16u
#define OTHERS_MOST 65536u

struct other {
    char *id;
    enum pv_kind kind;
    uint64_t seen;
};

struct known {
    struct known_vm **buckets;
    size_t nbuckets, count;
    struct other *others;
    size_t nothers, room;
};

static size_t hash(const char *text)
{
    uint64_t h = 1469598103934665603u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (size_t)h;
}

struct known *known_new(void)
{
    struct known *k = calloc(1, sizeof(*k));

    if (!k)
        return NULL;
    k->buckets = calloc(BUCKETS_FIRST, sizeof(struct known_vm *));
    k->nbuckets = BUCKETS_FIRST;
    if (!k->buckets) {
        free(k);
        return NULL;
    }
    return k;
}

void known_free(struct known *k)
{
    if (!k)
        return;
    for (size_t b = 0; b < k->nbuckets; b++) {
        while (k->buckets[b]) {
            struct known_vm *next = k->buckets[b]->next;

            free(k->buckets[b]);
            k->buckets[b] = next;
        }
    }
    for (size_t i = 0; i < k->nothers; i++)
        free(k->others[i].id);
    free(k->others);
    free(k->buckets);
    free(k);
}

struct known_vm *known_find(const struct known *k, const char *guid)
{
    struct known_vm *vm = k->buckets[hash(guid) & (k->nbuckets - 1)];

    while (vm && strcmp(vm->guid, guid) != 0)
        vm = vm->next;
    return vm;
}

static void grow(struct known *k)
{
    size_t n = 2 * k->nbuckets;
    struct known_vm **more = calloc(n, sizeof(struct known_vm *));

    if (!more)
        return;
    for (size_t b = 0; b < k->nbuckets; b++) {
        while (k->buckets[b]) {
            struct known_vm *vm = k->buckets[b];
            size_t at = hash(vm->guid) & (n - 1);

            k->buckets[b] = vm->next;
            vm->next = more[at];
            more[at] = vm;
        }
    }
    free(k->buckets);
    k->buckets = more;
    k->nbuckets = n;
}

struct known_vm *known_put(struct known *k, const char *guid)
{
    struct known_vm *vm = known_find(k, guid);
    size_t at;

    if (vm)
        return vm;
    vm = calloc(1, sizeof(*vm));
    if (!vm)
        return NULL;
    (void)str_copy(vm->guid, sizeof(vm->guid), guid);
    if (k->count >= 2 * k->nbuckets)
        grow(k);
    at = hash(vm->guid) & (k->nbuckets - 1);
    vm->next = k->buckets[at];
    k->buckets[at] = vm;
    k->count++;
    return vm;
}

void known_drop(struct known *k, const char *guid)
{
    struct known_vm **at = &k->buckets[hash(guid) & (k->nbuckets - 1)];

    while (*at && strcmp((*at)->guid, guid) != 0)
        at = &(*at)->next;
    if (*at) {
        struct known_vm *vm = *at;

        *at = vm->next;
        free(vm);
        k->count--;
    }
}

void known_each(const struct known *k, void (*fn)(void *ctx, struct known_vm *vm), void *ctx)
{
    for (size_t b = 0; b < k->nbuckets; b++)
        for (struct known_vm *vm = k->buckets[b]; vm; vm = vm->next)
            fn(ctx, vm);
}

size_t known_count(const struct known *k)
{
    return k->count;
}

int known_note(struct known *k, enum pv_kind kind, const char *id, uint64_t seen)
{
    for (size_t i = 0; i < k->nothers; i++) {
        if (k->others[i].kind == kind && strcmp(k->others[i].id, id) == 0) {
            k->others[i].seen = seen;
            return PV_OK;
        }
    }
    if (k->nothers == OTHERS_MOST)
        return PV_OK;
    if (k->nothers == k->room) {
        size_t room = k->room ? 2 * k->room : 16;
        struct other *more = realloc(k->others, room * sizeof(*more));

        if (!more)
            return PV_ENOMEM;
        k->others = more;
        k->room = room;
    }
    k->others[k->nothers] = (struct other){ strdup(id), kind, seen };
    if (!k->others[k->nothers].id)
        return PV_ENOMEM;
    k->nothers++;
    return PV_OK;
}

void known_sweep(struct known *k, uint64_t seen,
                 void (*gone)(void *ctx, enum pv_kind kind, const char *id), void *ctx)
{
    size_t kept = 0;

    for (size_t i = 0; i < k->nothers; i++) {
        if (k->others[i].seen == seen) {
            k->others[kept++] = k->others[i];
            continue;
        }
        gone(ctx, k->others[i].kind, k->others[i].id);
        free(k->others[i].id);
    }
    k->nothers = kept;
}
