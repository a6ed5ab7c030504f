/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/inventory.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#define SIGHT_FIRST 65536u
#define SIGHT_MOST ((size_t)1 << 30)
/* Host and we have clocks of our own, and UpTime is told in whole seconds. */
#define JITTER_MS 30000

int inventory_of(struct wmi *w, struct inventory **out, struct pv_err *err)
{
    int rc = PV_OK;

    pthread_mutex_lock(&w->lock);
    if (!w->inventory) {
        struct inventory *i = calloc(1, sizeof(*i));

        if (i) {
            i->wmi = w;
            i->images = images_new();
            i->known = known_new();
            i->rates = rates_new();
            i->interval_s = w->config.poll_interval_s;
        }
        if (i && i->images && i->known && i->rates) {
            w->inventory = i;
        } else {
            inventory_free(i);
            rc = pv_fail(err, PV_ENOMEM, "no memory");
        }
    }
    *out = w->inventory;
    pthread_mutex_unlock(&w->lock);
    return rc;
}

void inventory_free(struct inventory *i)
{
    if (!i)
        return;
    world_free(i->world);
    images_free(i->images);
    known_free(i->known);
    rates_free(i->rates);
    free(i);
}

struct arena *inventory_arena(struct pv_err *err)
{
    struct arena *a = arena_new(SIGHT_FIRST, SIGHT_MOST);

    if (!a)
        (void)pv_fail(err, PV_ENOMEM, "no memory for the host's inventory");
    return a;
}

static int64_t steady(void *ctx, const struct sight_owner *o, int64_t ms)
{
    const struct inventory *i = ctx;
    const struct known_vm *vm = known_find(i->known, o->guid);

    if (vm && vm->boot_ms > 0 && llabs(vm->boot_ms - ms) < JITTER_MS)
        return vm->boot_ms;
    return ms;
}

struct map inventory_map(struct inventory *i, struct pv_builder *b, const struct sight *s,
                         bool whole, int64_t began_ms)
{
    struct map m = {
        .b = b,
        .s = s,
        .w = i->world,
        .images = i->images,
        .listing = i->listing,
        .whole = whole,
        .now_ms = began_ms,
        .steady = steady,
        .steady_ctx = i,
    };

    wsman_certificate(i->wmi->client, &m.certificate);
    return m;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    for (; text && *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (h ^ 255) * 1099511628211u;
}

/* Sums: neither items nor adapters have an order. */
uint64_t inventory_guest_hash(const struct sight_owner *o)
{
    const struct cim_instance *kvp = sight_one(o, SIGHT_KVP);
    const struct cim_prop *p = P(Msvm_KvpExchangeComponent, GuestIntrinsicExchangeItems).id;
    uint64_t sum = 1;
    unsigned n = cim_count_of(kvp, p);

    for (unsigned k = 0; k < n; k++)
        sum += mix_text(1469598103934665603u, cim_str_at(kvp, (struct cim_p_strs){ p }, k));
    for (const struct sight_item *item = o->lists[SIGHT_GUEST_NET]; item; item = item->next) {
        unsigned count = cim_count(item->o, P(Msvm_GuestNetworkAdapterConfiguration, IPAddresses));
        uint64_t h = mix_text(1469598103934665603u, sight_id(item->o));

        for (unsigned k = 0; k < count; k++)
            h = mix_text(
                h, cim_str_at(item->o, P(Msvm_GuestNetworkAdapterConfiguration, IPAddresses), k));
        sum += h;
    }
    return sum;
}

void inventory_remember(struct inventory *i, const struct map *m, const struct sight_owner *o)
{
    struct known_vm *vm = known_put(i->known, o->guid);
    int64_t ms;

    if (!vm)
        return;
    if (sight_one(o, SIGHT_SYSTEM)) {
        vm->state = map_vm_state_hash(m, o);
        vm->enabled = cim_uint(sight_one(o, SIGHT_SYSTEM), P(Msvm_ComputerSystem, EnabledState));
        vm->boot_ms = map_boot_time(m, o);
        if (cim_get_time(sight_one(o, SIGHT_SYSTEM),
                         P(Msvm_ComputerSystem, TimeOfLastConfigurationChange), &ms))
            vm->configured = ms;
    }
    if (sight_has(m->s, SIGHT_KVP))
        vm->guest = inventory_guest_hash(o);
    vm->hidden = false;
    vm->read_ms = clock_mono_ms();
}
