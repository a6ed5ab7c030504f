/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdlib.h>

#include <polyvisor/id.h>

void sim_vm_state_reset(const struct sim_estate *e, uint32_t index)
{
    struct sim_vm_state *s = &e->vms[index];
    struct sim_vm vm;

    sim_snaps_drop(s);
    sim_vm_traits(e, index, s->generation, &vm);
    *s = (struct sim_vm_state){
        .generation = s->generation,
        .host = sim_unit_host(e, vm.unit, sim_roll(e, SIM_HOST, vm.number) >> 32),
        .power = (uint8_t)sim_vm_first_power(e, &vm),
    };
}

struct sim_estate *sim_estate_new(const struct sim_settings *set, const struct pv_host *host)
{
    struct sim_estate *e = calloc(1, sizeof(*e));
    uint32_t per_unit;

    if (!e)
        return NULL;
    e->set = *set;
    e->host = host;
    e->units = set->clusters ? set->clusters : set->hosts;
    per_unit = e->units ? set->vms / e->units : 0;
    e->stores_per_unit = per_unit < 100 ? 2 : per_unit < 1000 ? 2 + per_unit / 50 : 22;
    if (set->clusters && e->stores_per_unit < 4)
        e->stores_per_unit = 4;
    e->vms = calloc(set->vms ? set->vms : 1, sizeof(*e->vms));
    if (!e->vms || pthread_mutex_init(&e->lock, NULL) != 0) {
        free(e->vms);
        free(e);
        return NULL;
    }
    id_random(e->nonce, sizeof(e->nonce));
    for (uint32_t i = 0; i < set->vms; i++)
        sim_vm_state_reset(e, i);
    return e;
}

void sim_estate_free(struct sim_estate *e)
{
    if (!e)
        return;
    for (uint32_t i = 0; i < e->set.vms; i++)
        sim_snaps_drop(&e->vms[i]);
    pthread_mutex_destroy(&e->lock);
    free(e->vms);
    free(e);
}

void sim_estate_tell(struct sim_estate *e, const struct sim_change *change)
{
    if (e->queue_count == SIM_QUEUE_MAX)
        e->queue_lost = true;
    else
        e->queue[(e->queue_first + e->queue_count++) % SIM_QUEUE_MAX] = *change;
}

bool sim_estate_told(struct sim_estate *e, struct sim_change *out)
{
    bool any;

    pthread_mutex_lock(&e->lock);
    any = e->queue_count > 0;
    if (any) {
        *out = e->queue[e->queue_first];
        e->queue_first = (e->queue_first + 1) % SIM_QUEUE_MAX;
        e->queue_count--;
    }
    pthread_mutex_unlock(&e->lock);
    return any;
}

void sim_estate_forget(struct sim_estate *e)
{
    pthread_mutex_lock(&e->lock);
    e->queue_lost = false;
    e->queue_count = 0;
    pthread_mutex_unlock(&e->lock);
}

bool sim_vm_find(struct sim_estate *e, const char *native_id, uint32_t *index)
{
    uint64_t number;
    uint32_t i;
    bool here;

    if (!e->set.vms || !sim_native_number(e, PV_KIND_vm, native_id, &number))
        return false;
    i = (uint32_t)(number % e->set.vms);
    pthread_mutex_lock(&e->lock);
    here = !e->vms[i].absent && e->vms[i].generation == number / e->set.vms;
    pthread_mutex_unlock(&e->lock);
    if (here)
        *index = i;
    return here;
}
