/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/example/estate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/str.h>

PV_DEFINE_AUTO(json_decref, json_t *)

/* Settings come from people: each value is checked, and a member we do not know is a typing mistake that would
 * otherwise silently do nothing. */
static int read_vm(const json_t *in, struct example_vm *vm, unsigned number, struct pv_err *err)
{
    const char *key;
    json_t *value;

    snprintf(vm->id, sizeof(vm->id), "vm-%u", number);
    vm->memory_mb = 1024;
    if (!json_is_object(in))
        return pv_fail(err, PV_EINVAL, "vms[%u] is not an object", number - 1);
    /* jansson's loop macro wants an object it could change. */
    json_object_foreach ((json_t *)(uintptr_t)in, key, value) {
        if (strcmp(key, "name") == 0 && json_is_string(value)) {
            if (!str_copy(vm->name, sizeof(vm->name), json_string_value(value)))
                return pv_fail(err, PV_EINVAL, "the name of vms[%u] is too long", number - 1);
        } else if (strcmp(key, "memory_mb") == 0 && json_is_integer(value) &&
                   json_integer_value(value) > 0 && json_integer_value(value) <= 1 << 24) {
            vm->memory_mb = (uint64_t)json_integer_value(value);
        } else if (strcmp(key, "running") == 0 && json_is_boolean(value)) {
            vm->running = json_is_true(value);
        } else {
            return pv_fail(err, PV_EINVAL, "%.64s of vms[%u] is not known or not acceptable", key,
                           number - 1);
        }
    }
    if (!vm->name[0])
        return pv_fail(err, PV_EINVAL, "vms[%u] has no name", number - 1);
    return PV_OK;
}

static int read_settings(json_t *settings, struct estate *e, struct pv_err *err)
{
    const char *key;
    json_t *value, *vm;
    size_t i;
    int rc;

    json_object_foreach (settings, key, value) {
        if (strcmp(key, "host") == 0 && json_is_string(value)) {
            if (!str_copy(e->host, sizeof(e->host), json_string_value(value)))
                return pv_fail(err, PV_EINVAL, "the host's name is too long");
        } else if (strcmp(key, "vms") == 0 && json_is_array(value)) {
            if (json_array_size(value) > ESTATE_VMS_MAX)
                return pv_fail(err, PV_EINVAL, "there may be %d VMs at most", ESTATE_VMS_MAX);
            json_array_foreach (value, i, vm) {
                rc = read_vm(vm, &e->vms[i], (unsigned)i + 1, err);
                if (rc != PV_OK)
                    return rc;
                e->count = (unsigned)i + 1;
            }
        } else {
            return pv_fail(err, PV_EINVAL, "the setting %.64s is not known or not acceptable",
                           key);
        }
    }
    return PV_OK;
}

/* Nothing was said: a host with two VMs. */
static void set_usual(struct estate *e)
{
    str_copy(e->host, sizeof(e->host), "example-1");
    e->vms[0] = (struct example_vm){ .id = "vm-1", .name = "web", .memory_mb = 2048,
                                     .running = true };
    e->vms[1] = (struct example_vm){ .id = "vm-2", .name = "db", .memory_mb = 4096 };
    e->count = 2;
}

int estate_open(const char *config, struct estate **out, struct pv_err *err)
{
    /* Owned by `all`; borrowed from here on. */
    PV_AUTO(json_decref_p) json_t *all = json_loads(config, JSON_REJECT_DUPLICATES, NULL);
    json_t *settings = json_object_get(all, "settings");
    struct estate *e;
    int rc = PV_OK;

    if (!json_is_object(all) || (settings && !json_is_object(settings)))
        return pv_fail(err, PV_EINVAL, "the provider's configuration is not a JSON object");
    e = calloc(1, sizeof(*e));
    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory for the example estate");
    pthread_mutex_init(&e->lock, NULL);
    set_usual(e);
    if (settings)
        rc = read_settings(settings, e, err);
    if (rc != PV_OK) {
        estate_free(e);
        return rc;
    }
    *out = e;
    return PV_OK;
}

void estate_free(struct estate *e)
{
    if (!e)
        return;
    pthread_mutex_destroy(&e->lock);
    free(e);
}

struct example_vm *estate_find(struct estate *e, const char *id)
{
    for (unsigned i = 0; i < e->count; i++)
        if (strcmp(e->vms[i].id, id) == 0)
            return &e->vms[i];
    return NULL;
}

bool estate_switch(struct estate *e, struct example_vm *vm, bool running)
{
    bool changed;

    pthread_mutex_lock(&e->lock);
    changed = vm->running != running;
    vm->running = running;
    vm->changed = vm->changed || changed;
    pthread_mutex_unlock(&e->lock);
    return changed;
}

bool estate_look(struct estate *e, unsigned i, bool *changed)
{
    bool running;

    pthread_mutex_lock(&e->lock);
    running = e->vms[i].running;
    *changed = e->vms[i].changed;
    e->vms[i].changed = false;
    pthread_mutex_unlock(&e->lock);
    return running;
}
