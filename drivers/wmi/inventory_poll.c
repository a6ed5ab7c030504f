/* SPDX-License-Identifier: Apache-2.0 */
/* Between listings: states, guests, loads, and what has changed read again. */
#include "drivers/wmi/inventory.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

/* More than so many changed VMs are cheaper to list than to read. */
#define REREAD_MOST 8u

struct polling {
    struct inventory *i;
    const struct call *c;
    struct pv_builder *b;
    struct map m;
    struct sight *s;
    struct poll_result *out;
    char dirty[REREAD_MOST][SIGHT_GUID];
    size_t ndirty;
};

static void mark_dirty(struct polling *p, const char *guid)
{
    for (size_t k = 0; k < p->ndirty && k < REREAD_MOST; k++)
        if (strcmp(p->dirty[k], guid) == 0)
            return;
    if (p->ndirty < REREAD_MOST)
        memcpy(p->dirty[p->ndirty], guid, SIGHT_GUID);
    p->ndirty++;
}

/* ------------------------------------------------------------------ one VM */

static void send_state(struct polling *p, const struct sight_owner *o)
{
    const char *name = cim_str(sight_one(o, SIGHT_SYSTEM), P(Msvm_ComputerSystem, ElementName));
    int64_t boot = map_boot_time(&p->m, o);
    char id[SIGHT_GUID];

    map_vm_id(o, id);
    pv_vm_begin(p->b, id, o->guid);
    if (name && *name)
        pv_vm_name(p->b, name);
    map_vm_state(&p->m, o);
    if (boot > 0)
        pv_vm_boot_time(p->b, boot);
    else
        PV_CLEAR(p->b, vm, boot_time);
}

static void poll_guest(struct polling *p, const struct sight_owner *o, struct known_vm *vm)
{
    uint64_t hash;
    char id[SIGHT_GUID];

    if (!sight_has(p->s, SIGHT_KVP))
        return;
    hash = inventory_guest_hash(o);
    if (hash == vm->guest)
        return;
    vm->guest = hash;
    map_vm_id(o, id);
    pv_vm_begin(p->b, id, o->guid);
    map_vm_guest(&p->m, o);
    /* Addresses stand at its adapters, too. */
    if (o->lists[SIGHT_GUEST_NET])
        mark_dirty(p, o->guid);
}

static void poll_vm(struct polling *p, const struct sight_owner *o)
{
    const struct cim_instance *system = sight_one(o, SIGHT_SYSTEM);
    struct known_vm *vm = known_find(p->i->known, o->guid);
    struct map_state words = map_state(cim_uint(system, P(Msvm_ComputerSystem, EnabledState)));
    int64_t configured = 0;
    uint64_t hash;

    if (words.activity != PV_ACTIVITY_NONE || map_activity(NULL, system) != PV_ACTIVITY_NONE)
        p->out->changed = true;
    if (!vm) {
        mark_dirty(p, o->guid);
        return;
    }
    vm->seen = p->i->poll;
    (void)cim_get_time(system, P(Msvm_ComputerSystem, TimeOfLastConfigurationChange), &configured);
    if (vm->hidden && configured == vm->configured)
        return;
    if (configured != vm->configured)
        mark_dirty(p, o->guid);
    hash = map_vm_state_hash(&p->m, o);
    if (hash != vm->state || (map_boot_time(&p->m, o) != vm->boot_ms)) {
        send_state(p, o);
        vm->state = hash;
        vm->enabled = cim_uint(system, P(Msvm_ComputerSystem, EnabledState));
        vm->boot_ms = map_boot_time(&p->m, o);
        p->out->changed = true;
    }
    poll_guest(p, o, vm);
    rates_usage(p->i, &p->m, o);
}

static int poll_vms(struct polling *p, struct pv_err *err)
{
    const struct cim_list *systems = &p->s->lists[SIGHT_SYSTEM];
    int rc = PV_OK;

    for (size_t k = 0; k < systems->count && rc == PV_OK; k++) {
        const struct sight_owner *o =
            sight_owner(p->s, cim_str(systems->items[k], P(Msvm_ComputerSystem, Name)));

        if (!o || sight_one(o, SIGHT_SYSTEM) != systems->items[k])
            continue;
        poll_vm(p, o);
        rc = pv_builder_room(p->b);
    }
    return rc ? pv_fail(err, rc, "the server does not take more objects") : PV_OK;
}

/* ------------------------------------------------------------------ what is gone, what has changed
 */

struct unseen {
    uint64_t poll;
    char guids[REREAD_MOST][SIGHT_GUID];
    size_t n;
};

static void find_unseen(void *ctx, struct known_vm *vm)
{
    struct unseen *x = ctx;

    if (vm->seen == x->poll)
        return;
    if (x->n < REREAD_MOST)
        memcpy(x->guids[x->n], vm->guid, SIGHT_GUID);
    x->n++;
}

static int reread(struct polling *p, const char *guid, bool gone, struct pv_err *err)
{
    int rc = inventory_reread(p->i, p->c, guid, gone, p->b, err);

    if (rc == PV_ENOENT) {
        *err = (struct pv_err){ 0 };
        rc = PV_OK;
    }
    return rc;
}

/* Not to be read at each poll for ever. */
static void hide(struct polling *p, const char *guid)
{
    struct known_vm *vm = known_put(p->i->known, guid);

    if (!vm)
        return;
    vm->hidden = true;
    vm->seen = p->i->poll;
    (void)cim_get_time(sight_one(sight_owner(p->s, guid), SIGHT_SYSTEM),
                       P(Msvm_ComputerSystem, TimeOfLastConfigurationChange), &vm->configured);
}

static int settle(struct polling *p, struct pv_err *err)
{
    struct unseen x = { .poll = p->i->poll };
    int rc = PV_OK;

    known_each(p->i->known, find_unseen, &x);
    /* No VM at all is what an account without rights sees; a listing finds out. */
    if ((x.n > 0 && x.n == known_count(p->i->known)) || p->s->lacking) {
        p->out->relist = p->out->relist || !p->i->partial;
        return PV_OK;
    }
    if (p->ndirty + x.n > 0)
        p->out->changed = true;
    if (p->ndirty > REREAD_MOST || x.n > REREAD_MOST) {
        p->out->relist = true;
        return PV_OK;
    }
    for (size_t k = 0; k < x.n && rc == PV_OK; k++)
        rc = reread(p, x.guids[k], true, err);
    for (size_t k = 0; k < p->ndirty && rc == PV_OK; k++) {
        rc = reread(p, p->dirty[k], false, err);
        if (rc == PV_OK && !known_find(p->i->known, p->dirty[k]))
            hide(p, p->dirty[k]);
    }
    return rc;
}

/* Switches bear no time of their last change; there are few. */
static bool switches_differ(const struct polling *p)
{
    const struct cim_list *l = &p->s->lists[SIGHT_SWITCH];

    if (!sight_has(p->s, SIGHT_SWITCH))
        return false;
    if (l->count != p->i->world->nswitches)
        return true;
    for (size_t k = 0; k < l->count; k++) {
        const struct world_switch *sw =
            world_switch(p->i->world, cim_str(l->items[k], P(Msvm_VirtualEthernetSwitch, Name)));
        const char *name = cim_str(l->items[k], P(Msvm_VirtualEthernetSwitch, ElementName));

        if (!sw || (name && strcmp(sw->name, name) != 0))
            return true;
    }
    return false;
}

static int poll_locked(struct polling *p, unsigned parts, struct pv_err *err)
{
    int64_t began_ms = clock_wall_ms();
    int rc;

    p->i->poll = ++p->i->listing;
    rc = inventory_read(p->i->wmi->client, p->c, READ_STATE | parts, NULL, &p->i->limits, p->s,
                        NULL, err);
    if (rc)
        return rc;
    p->m = inventory_map(p->i, p->b, p->s, false, began_ms);
    rates_take(p->i, p->s);
    rc = poll_vms(p, err);
    if (rc == PV_OK && (parts & READ_LOAD)) {
        map_host_usage(&p->m);
        map_datastore_usage(&p->m);
        p->out->relist = p->out->relist || switches_differ(p);
    }
    if (rc == PV_OK)
        rc = settle(p, err);
    return rc;
}

int inventory_poll(struct inventory *i, const struct call *c, unsigned parts, struct pv_builder *b,
                   struct poll_result *out, struct pv_err *err)
{
    struct polling p = { .i = i, .c = c, .b = b, .out = out };
    struct arena *a = inventory_arena(err);
    int rc;

    *out = (struct poll_result){ .changed = false };
    if (!a)
        return PV_ENOMEM;
    p.s = sight_new(a);
    pthread_mutex_lock(&i->wmi->order);
    rc = p.s ? poll_locked(&p, parts, err) : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK) {
        rc = pv_builder_mark(b, PV_MARK_CHANGES, "1");
        if (rc)
            (void)pv_fail(err, rc, "the server does not take more objects");
    }
    pthread_mutex_unlock(&i->wmi->order);
    arena_free(a);
    return rc;
}
