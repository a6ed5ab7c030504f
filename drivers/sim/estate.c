/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sim/files.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/id.h>
#include <polyvisor/str.h>

/* All sessions of this process, so that VMs can move between them. */
static struct {
    pthread_mutex_t lock;
    struct sim_estate *first;
} estates = { .lock = PTHREAD_MUTEX_INITIALIZER };

void sim_vm_state_reset(const struct sim_estate *e, uint32_t index)
{
    struct sim_vm_state *s = &e->vms[index];
    struct sim_vm vm;

    sim_snaps_drop(s);
    json_decref(s->doc);
    s->doc = NULL;
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
    e->vms = calloc((size_t)set->vms + SIM_MADE_MAX, sizeof(*e->vms));
    e->rests = calloc((size_t)set->hosts + 1, sizeof(*e->rests));
    e->things = json_pack("{s:[], s:[], s:[], s:[], s:{}}", "switches", "disk-images", "gone",
                          "files", "away");
    if (!e->vms || !e->rests || !e->things || pthread_mutex_init(&e->lock, NULL) != 0) {
        json_decref(e->things);
        free(e->rests);
        free(e->vms);
        free(e);
        return NULL;
    }
    id_random(e->nonce, sizeof(e->nonce));
    for (uint32_t i = 0; i < set->vms; i++)
        sim_vm_state_reset(e, i);
    pthread_mutex_lock(&estates.lock);
    e->next = estates.first;
    estates.first = e;
    pthread_mutex_unlock(&estates.lock);
    return e;
}

struct sim_estate *sim_estate_other(const struct sim_estate *self, const char *name)
{
    struct sim_estate *e;

    pthread_mutex_lock(&estates.lock);
    for (e = estates.first; e && (e == self || strcmp(e->set.name, name) != 0); e = e->next)
        ;
    if (!e) {
        pthread_mutex_unlock(&estates.lock);
        return NULL;
    }
    pthread_mutex_lock(&e->lock);
    return e;
}

void sim_estate_leave(struct sim_estate *other)
{
    pthread_mutex_unlock(&other->lock);
    pthread_mutex_unlock(&estates.lock);
}

bool sim_vm_make(struct sim_estate *e, json_t *doc, uint32_t host, uint32_t store,
                 enum pv_power_state power, uint32_t *index)
{
    uint32_t i = e->set.vms + e->made;

    if (e->made == SIM_MADE_MAX)
        return false;
    e->vms[i] = (struct sim_vm_state){ .doc = doc, .host = host, .power = (uint8_t)power };
    json_object_set_new(doc, "store", json_integer(store));
    e->made++;
    *index = i;
    return true;
}

void sim_estate_free(struct sim_estate *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&estates.lock);
    for (struct sim_estate **at = &estates.first; *at; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            break;
        }
    }
    pthread_mutex_unlock(&estates.lock);
    for (uint32_t i = 0; i < sim_vm_count(e); i++) {
        sim_snaps_drop(&e->vms[i]);
        json_decref(e->vms[i].doc);
    }
    json_decref(e->things);
    sim_contents_free(e);
    pthread_mutex_destroy(&e->lock);
    free(e->rests);
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

static bool made_find(struct sim_estate *e, const char *native_id, uint32_t *index)
{
    bool here = false;

    pthread_mutex_lock(&e->lock);
    for (uint32_t i = e->set.vms; i < sim_vm_count(e) && !here; i++) {
        const char *id = json_string_value(json_object_get(e->vms[i].doc, "native_id"));

        here = !e->vms[i].absent && id && strcmp(id, native_id) == 0;
        if (here)
            *index = i;
    }
    pthread_mutex_unlock(&e->lock);
    return here;
}

bool sim_vm_find(struct sim_estate *e, const char *native_id, uint32_t *index)
{
    uint64_t number;
    uint32_t i;
    bool here;

    if (!e->set.vms || !sim_native_number(e, PV_KIND_vm, native_id, &number))
        return made_find(e, native_id, index);
    i = (uint32_t)(number % e->set.vms);
    pthread_mutex_lock(&e->lock);
    here = !e->vms[i].absent && e->vms[i].generation == number / e->set.vms;
    pthread_mutex_unlock(&e->lock);
    if (here)
        *index = i;
    return here || made_find(e, native_id, index);
}

void sim_vm_id_of(struct sim_estate *e, uint64_t number, char out[SIM_ID_MAX])
{
    const char *id = NULL;

    if (number < SIM_MADE_FIRST) {
        sim_native_id(e, PV_KIND_vm, number, out);
        return;
    }
    number -= SIM_MADE_FIRST;
    pthread_mutex_lock(&e->lock);
    if (number < e->made)
        id = json_string_value(json_object_get(e->vms[e->set.vms + number].doc, "native_id"));
    str_copy(out, SIM_ID_MAX, id ? id : "");
    pthread_mutex_unlock(&e->lock);
}
