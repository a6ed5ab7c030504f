/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory_rates - bytes and operations per second of VMs' adapters and disks.
 *
 * The host counts up; two readings make a rate. Counters come as two classes
 * for the whole host. An adapter's counter bears the GUIDs of VM and adapter in
 * its name; a disk's is called after its file, so which VM that belongs to is
 * learnt from the VMs' settings. The rates are those between the last two
 * readings; one that was not there both times has none.
 *
 * Ownership: rates_free. Threads: under wmi.order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct inventory;
struct map;
struct rates;
struct sight;
struct sight_owner;

/* Of all adapters and all disks of a VM. */
struct vm_rates {
    bool net, disk;                                /* known */
    uint64_t received, sent, drops;                /* per second */
    uint64_t read, written, read_ops, written_ops; /* per second */
};

struct rates *rates_new(void);
void rates_free(struct rates *r);
/* Which files are whose, from a sight that has disks. `whole`: of all VMs. */
void rates_learn(struct inventory *i, const struct sight *s, bool whole);
/* The counters of a sight that has them; the known VMs have their rates afterwards. */
void rates_take(struct inventory *i, const struct sight *s);
/* Usage of a VM, with its rates. */
void rates_usage(struct inventory *i, const struct map *m, const struct sight_owner *o);
