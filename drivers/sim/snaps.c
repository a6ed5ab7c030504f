/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#define GIB (1024ull * 1024 * 1024)

static void snap_free(struct sim_snap *s)
{
    if (!s->owned)
        return;
    free((char *)(uintptr_t)s->name);
    free((char *)(uintptr_t)s->description);
}

void sim_snaps_drop(struct sim_vm_state *s)
{
    if (!s->snaps)
        return;
    for (uint16_t i = 0; i < s->snaps->count; i++)
        snap_free(&s->snaps->items[i]);
    free(s->snaps);
    s->snaps = NULL;
}

const struct sim_snaps *sim_snaps_get(const struct sim_estate *e, uint32_t vm,
                                      struct sim_snaps *room)
{
    struct sim_vm traits;

    if (e->vms[vm].snaps)
        return e->vms[vm].snaps;
    sim_vm_traits(e, vm, e->vms[vm].generation, &traits);
    sim_vm_first_snaps(e, &traits, room);
    return room;
}

/* The list of a VM, as its own from now on. NULL: out of memory. */
static struct sim_snaps *own(struct sim_estate *e, uint32_t vm)
{
    struct sim_vm_state *s = &e->vms[vm];
    struct sim_snaps *mine;

    if (s->snaps)
        return s->snaps;
    mine = calloc(1, sizeof(*mine));
    if (!mine)
        return NULL;
    sim_snaps_get(e, vm, mine);
    s->snaps = mine;
    return mine;
}

const struct sim_snap *sim_snaps_find(const struct sim_snaps *s, uint16_t serial)
{
    for (uint16_t i = 0; i < s->count; i++)
        if (s->items[i].serial == serial)
            return &s->items[i];
    return NULL;
}

static int not_found(const struct sim_estate *e, struct pv_err *err)
{
    pv_fail(err, PV_ENOENT, "there is no such snapshot");
    pv_err_native(err, sim_is_vmware(e) ? "ManagedObjectNotFound" : "0x80041002");
    return PV_ENOENT;
}

int sim_snaps_create(struct sim_estate *e, uint32_t vm, const char *name, const char *description,
                     bool memory, bool quiesced, uint16_t *serial, struct pv_err *err)
{
    struct sim_snaps *l = own(e, vm);
    struct sim_vm traits;
    struct sim_snap s;

    if (!l)
        return pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
    if (l->count == SIM_SNAPS_MAX || l->last_serial == UINT16_MAX) {
        pv_fail(err, PV_EQUOTA, "the VM has %u snapshots already, more are not possible",
                (unsigned)l->count);
        pv_err_native(err, sim_is_vmware(e) ? "TooManySnapshotLevels" : "32768");
        return PV_EQUOTA;
    }
    sim_vm_traits(e, vm, e->vms[vm].generation, &traits);
    s = (struct sim_snap){
        .name = strdup(name),
        .description = strdup(description),
        .taken_ms = clock_wall_ms(),
        .size_bytes = GIB / 64 + (memory ? traits.memory_bytes : 0),
        .serial = (uint16_t)(l->last_serial + 1),
        .parent = l->current,
        .power = memory ? e->vms[vm].power : PV_POWER_STATE_OFF,
        .memory = memory,
        .quiesced = quiesced,
        .owned = true,
    };
    if (!s.name || !s.description) {
        snap_free(&s);
        return pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
    }
    l->items[l->count++] = s;
    l->last_serial = l->current = s.serial;
    *serial = s.serial;
    return PV_OK;
}

int sim_snaps_revert(struct sim_estate *e, uint32_t vm, uint16_t serial, struct pv_err *err)
{
    struct sim_snaps *l = own(e, vm);
    const struct sim_snap *s;

    if (!l)
        return pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
    s = sim_snaps_find(l, serial);
    if (!s)
        return not_found(e, err);
    l->current = serial;
    e->vms[vm].power = (uint8_t)s->power;
    e->vms[vm].boot_ms = s->power == PV_POWER_STATE_RUNNING ? clock_wall_ms() : 0;
    return PV_OK;
}

/* Does `s` follow from `serial`, through however many others? Parents are older, so this ends. */
static bool follows(const struct sim_snaps *l, const struct sim_snap *s, uint16_t serial)
{
    while (s && s->parent) {
        if (s->parent == serial)
            return true;
        s = sim_snaps_find(l, s->parent);
    }
    return false;
}

int sim_snaps_delete(struct sim_estate *e, uint32_t vm, uint16_t serial, bool children,
                     struct pv_err *err)
{
    struct sim_snaps *l = own(e, vm), kept = { 0 };
    const struct sim_snap *gone;
    uint16_t parent;

    if (!l)
        return pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
    gone = sim_snaps_find(l, serial);
    if (!gone)
        return not_found(e, err);
    parent = gone->parent;
    kept.last_serial = l->last_serial;
    kept.current = l->current;
    for (uint16_t i = 0; i < l->count; i++) {
        struct sim_snap *s = &l->items[i];

        if (s->serial == serial || (children && follows(l, s, serial))) {
            if (l->current == s->serial)
                kept.current = parent;
            continue;
        }
        kept.items[kept.count++] = *s;
    }
    for (uint16_t i = 0; i < l->count; i++)
        if (!sim_snaps_find(&kept, l->items[i].serial))
            snap_free(&l->items[i]);
    for (uint16_t i = 0; i < kept.count; i++)
        if (kept.items[i].parent == serial)
            kept.items[i].parent = parent;
    *l = kept;
    return PV_OK;
}

int sim_snaps_clear(struct sim_estate *e, uint32_t vm, struct pv_err *err)
{
    struct sim_snaps *l = own(e, vm);

    if (!l)
        return pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
    for (uint16_t i = 0; i < l->count; i++)
        snap_free(&l->items[i]);
    *l = (struct sim_snaps){ .last_serial = l->last_serial };
    return PV_OK;
}

int sim_snaps_rename(struct sim_estate *e, uint32_t vm, uint16_t serial, const char *name,
                     const char *description, struct pv_err *err)
{
    struct sim_snaps *l = own(e, vm);
    char *texts[2];

    for (uint16_t i = 0; l && i < l->count; i++) {
        struct sim_snap *s = &l->items[i];

        if (s->serial != serial)
            continue;
        texts[0] = strdup(name ? name : s->name);
        texts[1] = strdup(description ? description : s->description);
        if (!texts[0] || !texts[1]) {
            free(texts[0]);
            free(texts[1]);
            return pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
        }
        snap_free(s);
        s->name = texts[0];
        s->description = texts[1];
        s->owned = true;
        return PV_OK;
    }
    return l ? not_found(e, err) : pv_fail(err, PV_ENOMEM, "no memory for a snapshot");
}
