/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/inventory_rates.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/str.h>

#include "drivers/wmi/inventory.h"

#define BUCKETS 1024u
#define COUNTERS_MOST 65536u
#define VALUES 4
#define TICKS_PER_S 10000000.0
#define LEAST_TICKS 5000000u /* what is counted in less than half a second says nothing */

#define DISK(prop) P(Win32_PerfRawData_Counters_HyperVVirtualStorageDevice, prop)
#define NIC(prop) P(Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter, prop)

struct counter {
    char *name;          /* normalised */
    char vm[SIGHT_GUID]; /* whose it is; "": nobody's we know */
    uint64_t values[VALUES], ticks;
    uint64_t taken;  /* number of the reading that had it; 0: none */
    uint64_t learnt; /* number of the listing that named its VM; 0: an adapter */
    struct counter *next;
};

struct rates {
    struct counter *buckets[BUCKETS];
    size_t count;
    uint64_t reading, listing;
};

struct rates *rates_new(void)
{
    return calloc(1, sizeof(struct rates));
}

static void counter_free(struct counter *c)
{
    free(c->name);
    free(c);
}

void rates_free(struct rates *r)
{
    for (size_t b = 0; r && b < BUCKETS; b++) {
        while (r->buckets[b]) {
            struct counter *next = r->buckets[b]->next;

            counter_free(r->buckets[b]);
            r->buckets[b] = next;
        }
    }
    free(r);
}

static struct counter **bucket_of(struct rates *r, const char *name)
{
    uint64_t h = 1469598103934665603u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return &r->buckets[h % BUCKETS];
}

/* NULL: not there; no memory, or too many. */
static struct counter *counter_at(struct rates *r, const char *name, bool make)
{
    struct counter **bucket = bucket_of(r, name), *c = *bucket;

    while (c && strcmp(c->name, name) != 0)
        c = c->next;
    if (c || !make || r->count >= COUNTERS_MOST)
        return c;
    c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->name = strdup(name);
    if (!c->name) {
        free(c);
        return NULL;
    }
    c->next = *bucket;
    *bucket = c;
    r->count++;
    return c;
}

static void drop_unless(struct rates *r,
                        bool (*kept)(const struct rates *r, const struct counter *c))
{
    for (size_t b = 0; b < BUCKETS; b++) {
        struct counter **at = &r->buckets[b];

        while (*at) {
            struct counter *c = *at;

            if (kept(r, c)) {
                at = &c->next;
                continue;
            }
            *at = c->next;
            r->count--;
            counter_free(c);
        }
    }
}

/* ------------------------------------------------------------------ names */

/* A disk's counter is its path with '-' for each '\': the name of a counter's instance may hold
 * none. Nor may it hold these others, which are compared as what they become. */
static const char *name_of_path(struct arena *a, const char *path)
{
    const char *clean = world_path(a, path);
    char *name = clean ? arena_strdup(a, clean) : NULL;

    for (char *p = name; p && *p; p++)
        *p = *p == '\\' ? '-' : *p == '(' ? '[' : *p == ')' ? ']' : *p == '#' ? '_' : *p;
    return name;
}

static const char *name_of_counter(struct arena *a, const char *text)
{
    static const char unc[] = "--?-unc-", local[] = "--?-";
    const char *name = name_of_path(a, text);

    if (!name)
        return NULL;
    if (str_starts(name, unc))
        return arena_printf(a, "--%s", name + sizeof(unc) - 1);
    return str_starts(name, local) && !str_starts(name, "--?-volume{") ? name + sizeof(local) - 1
                                                                       : name;
}

static bool is_learnt(const struct rates *r, const struct counter *c)
{
    return c->learnt == 0 || c->learnt == r->listing;
}

void rates_learn(struct inventory *i, const struct sight *s, bool whole)
{
    const struct cim_list *media = &s->lists[SIGHT_STORAGE];
    struct rates *r = i->rates;

    if (!sight_has(s, SIGHT_STORAGE))
        return;
    if (whole || r->listing == 0)
        r->listing++;
    for (size_t k = 0; k < media->count; k++) {
        const struct cim_instance *o = media->items[k];
        const char *path = cim_str_at(o, P(Msvm_StorageAllocationSettingData, HostResource), 0);
        const struct sight_owner *owner = sight_owner(s, sight_id(o));
        const char *name =
            path && *path && sight_vm_settings(owner) ? name_of_path(s->a, path) : NULL;
        struct counter *c = name ? counter_at(r, name, true) : NULL;

        if (!c)
            continue;
        (void)str_copy(c->vm, sizeof(c->vm), owner->guid);
        c->learnt = r->listing;
    }
    if (whole)
        drop_unless(r, is_learnt);
}

/* ------------------------------------------------------------------ rates */

/* What was counted since the reading before; false: there was none. Remembers the new values. */
static bool count(struct rates *r, struct counter *c, const uint64_t values[VALUES], uint64_t ticks,
                  uint64_t rates[VALUES])
{
    bool known = c->taken > 0 && c->taken + 1 == r->reading && ticks > c->ticks;

    /* Too soon: the next one counts from the older values. */
    if (known && ticks - c->ticks < LEAST_TICKS) {
        c->taken = r->reading;
        return false;
    }
    for (unsigned k = 0; k < VALUES; k++) {
        known = known && values[k] >= c->values[k]; /* it was restarted */
        if (known)
            rates[k] = (uint64_t)((double)(values[k] - c->values[k]) * TICKS_PER_S /
                                      (double)(ticks - c->ticks) +
                                  0.5);
    }
    memcpy(c->values, values, sizeof(c->values));
    c->ticks = ticks;
    c->taken = r->reading;
    return known;
}

static void take_disk(struct inventory *i, const struct sight *s, const struct cim_instance *o)
{
    const char *text = cim_str(o, DISK(Name)), *name = text ? name_of_counter(s->a, text) : NULL;
    struct counter *c = name ? counter_at(i->rates, name, false) : NULL;
    struct known_vm *vm = c ? known_find(i->known, c->vm) : NULL;
    uint64_t values[VALUES] = { cim_uint(o, DISK(ReadBytesPersec)),
                                cim_uint(o, DISK(WriteBytesPersec)),
                                cim_uint(o, DISK(ReadOperationsPerSec)),
                                cim_uint(o, DISK(WriteOperationsPerSec)) };
    uint64_t rates[VALUES];

    if (!c || !count(i->rates, c, values, cim_uint(o, DISK(Timestamp_Sys100NS)), rates) || !vm)
        return;
    vm->rates.disk = true;
    vm->rates.read += rates[0];
    vm->rates.written += rates[1];
    vm->rates.read_ops += rates[2];
    vm->rates.written_ops += rates[3];
}

/* "<VM's name>_<adapter's name>_<VM's GUID>--<adapter's GUID>"; people choose the names, which may
 * hold anything. */
static struct known_vm *vm_of_nic(struct inventory *i, const char *name)
{
    struct known_vm *found = NULL;
    const char *at = name;

    while (at && (at = strstr(at, "--")) != NULL) {
        char text[SIGHT_GUID], guid[SIGHT_GUID];

        if (at - name >= SIGHT_GUID - 1 &&
            str_copy_n(text, sizeof(text), at - (SIGHT_GUID - 1), SIGHT_GUID - 1) &&
            sight_guid(text, 0, guid) && known_find(i->known, guid))
            found = known_find(i->known, guid);
        at++;
    }
    return found;
}

static void take_nic(struct inventory *i, const struct sight *s, const struct cim_instance *o)
{
    const char *name = cim_str(o, NIC(Name));
    struct known_vm *vm = vm_of_nic(i, name);
    struct counter *c = vm ? counter_at(i->rates, arena_printf(s->a, "nic %s", name), true) : NULL;
    uint64_t values[VALUES] = { cim_uint(o, NIC(BytesReceivedPersec)),
                                cim_uint(o, NIC(BytesSentPersec)),
                                cim_uint(o, NIC(DroppedPacketsIncomingPersec)),
                                cim_uint(o, NIC(DroppedPacketsOutgoingPersec)) };
    uint64_t rates[VALUES];

    if (!c || !count(i->rates, c, values, cim_uint(o, NIC(Timestamp_Sys100NS)), rates))
        return;
    vm->rates.net = true;
    vm->rates.received += rates[0];
    vm->rates.sent += rates[1];
    vm->rates.drops += rates[2] + rates[3];
}

static void forget_rates(void *ctx, struct known_vm *vm)
{
    (void)ctx;
    vm->rates = (struct vm_rates){ .net = false };
}

static bool is_wanted(const struct rates *r, const struct counter *c)
{
    return c->learnt > 0 || c->taken == r->reading;
}

void rates_take(struct inventory *i, const struct sight *s)
{
    if (!sight_has(s, SIGHT_DISK_LOAD) && !sight_has(s, SIGHT_NIC_LOAD))
        return;
    i->rates->reading++;
    known_each(i->known, forget_rates, NULL);
    for (size_t k = 0; k < s->lists[SIGHT_DISK_LOAD].count; k++)
        take_disk(i, s, s->lists[SIGHT_DISK_LOAD].items[k]);
    for (size_t k = 0; k < s->lists[SIGHT_NIC_LOAD].count; k++)
        take_nic(i, s, s->lists[SIGHT_NIC_LOAD].items[k]);
    drop_unless(i->rates, is_wanted);
}

void rates_usage(struct inventory *i, const struct map *m, const struct sight_owner *o)
{
    const struct known_vm *vm = known_find(i->known, o->guid);

    map_vm_usage(m, o, vm ? &vm->rates : NULL);
}
