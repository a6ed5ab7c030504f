/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory_sight - what one reading of a host found, joined by owner.
 *
 * A reading asks for whole classes, never for single VMs; which of what came
 * belongs to which VM (or checkpoint, or switch) is found here, by the GUID in
 * its key. Templates, planned systems and recovery checkpoints are kept out of
 * sight_vms and sight_snapshots. Absent answers are empty lists: `refused`
 * says which of them were refused, so that nothing is taken for gone that we
 * may not see.
 *
 * Ownership: everything lives in the arena. Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/wmi/cim.h"

struct arena;
struct pv_err;

enum sight_list {
    /* Of a VM, a checkpoint or a switch: found by its GUID. */
    SIGHT_SYSTEM,
    SIGHT_SETTINGS,
    SIGHT_SUMMARY,
    SIGHT_PROCESSOR,
    SIGHT_MEMORY,
    SIGHT_RESOURCE,
    SIGHT_STORAGE,
    SIGHT_NIC,
    SIGHT_LEGACY_NIC,
    SIGHT_PORT,
    SIGHT_VLAN,
    SIGHT_GUARD,
    SIGHT_BANDWIDTH,
    SIGHT_SECURITY,
    SIGHT_BOOT,
    SIGHT_SERIAL,
    SIGHT_COMPONENT, /* settings of the integration services */
    SIGHT_KVP,
    SIGHT_GUEST_NET,
    SIGHT_METERED,
    SIGHT_BRANCH, /* most current checkpoint */
    SIGHT_SWITCH,
    SIGHT_SWITCH_SETTING,
    SIGHT_GROUPED, /* count of the above */
    /* Of the host. */
    SIGHT_UPLINK = SIGHT_GROUPED,
    SIGHT_EXTENSION,
    SIGHT_OS,
    SIGHT_COMPUTER,
    SIGHT_CPU,
    SIGHT_PRODUCT,
    SIGHT_BIOS,
    SIGHT_ADDRESS,
    SIGHT_NUMA,
    SIGHT_SERVICE,
    SIGHT_MANAGER, /* the management service itself: who may see it, may see VMs */
    SIGHT_SERVICE_SETTING,
    SIGHT_MIGRATION,
    SIGHT_MIGRATION_SERVICE,
    SIGHT_VOLUME,
    SIGHT_SHARE,
    SIGHT_CLUSTER,
    SIGHT_NODE,
    SIGHT_ROLE,
    SIGHT_CLUSTER_RESOURCE,
    SIGHT_PREFERRED, /* nodes of roles, of resources */
    SIGHT_POSSIBLE,
    SIGHT_CSV,
    SIGHT_PARTITION,
    SIGHT_CPU_LOAD,  /* of all logical processors, root and guests */
    SIGHT_DISK_LOAD, /* counters of virtual disks, of adapters */
    SIGHT_NIC_LOAD,
    SIGHT_COUNT
};

#define SIGHT_GUID 37 /* lower case, with NUL */

struct sight_item {
    const struct cim_instance *o;
    const struct sight_item *next;
};

/* What has one GUID in its key. */
struct sight_owner {
    char guid[SIGHT_GUID];
    const struct sight_item *lists[SIGHT_GROUPED];
    const struct sight_owner *vm; /* of a checkpoint's GUID: whose it is; else NULL */
};

struct sight {
    struct arena *a;
    struct cim_list lists[SIGHT_COUNT];
    uint64_t asked, refused;    /* bits by enum sight_list */
    uint64_t lacking;           /* of the refused: those without which the listing is partial */
    struct sight_owner **table; /* open addressing */
    size_t slots, owners;
};

/* An empty sight in the arena; NULL: no memory. */
struct sight *sight_new(struct arena *a);
/* Everything is in its lists: find out what belongs to whom. Called once. */
int sight_join(struct sight *s, struct pv_err *err);
/* NULL: nothing has this GUID (any case, with or without braces). */
const struct sight_owner *sight_owner(const struct sight *s, const char *guid);
/* First item of a list, or NULL. Accepts a NULL owner. */
const struct cim_instance *sight_one(const struct sight_owner *o, enum sight_list list);
/* First instance of a list of the host's. */
const struct cim_instance *sight_first(const struct sight *s, enum sight_list list);
static inline bool sight_has(const struct sight *s, enum sight_list list)
{
    return (s->asked & ~s->refused) >> list & 1;
}

/* The settings of a real VM (not a template, not planned), or NULL. `settings_at`: the nth instance
 * read. */
bool sight_is_vm(const struct cim_instance *settings);
/* A checkpoint people see: not one of a backup under way. */
bool sight_is_snapshot(const struct cim_instance *settings);
/* The settings of the VM that has this GUID; NULL: there is none. */
const struct cim_instance *sight_vm_settings(const struct sight_owner *o);

/* The nth GUID (from 0) in a text, lower case; false: there are fewer. */
bool sight_guid(const char *text, unsigned nth, char out[SIGHT_GUID]);
/* Are these the same key or path, without regard to case? */
bool sight_same(const char *a, const char *b);
/* Value of the key InstanceID (or Name, DeviceID) of an object path in a text; NULL: it is none. */
const char *sight_path_key(struct arena *a, const char *path, const char *key);
/* Sorted by InstanceID, into the arena: the order of enumerations says nothing. */
int sight_sorted(const struct sight *s, const struct sight_owner *o, enum sight_list list,
                 const struct cim_instance ***out, size_t *n);
/* InstanceID of any instance that has one. */
const char *sight_id(const struct cim_instance *o);
