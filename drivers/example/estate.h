/* SPDX-License-Identifier: Apache-2.0 */
/*
 * estate - the pretended hypervisor that the example driver manages.
 *
 * A real driver has its protocol here: requests, answers, sessions. This one
 * keeps a list of VMs in memory, made from the provider's settings:
 *
 *     { "host": "lab-1", "vms": [ { "name": "web", "memory_mb": 2048, "running": true } ] }
 *
 * Ownership: the estate owns its texts. Threads: any, everything goes through
 * the lock, because call() runs beside watch().
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <polyvisor/err.h>

#define ESTATE_VMS_MAX 64

struct example_vm {
    char id[16];            /* "vm-1": what the hypervisor would call it */
    char name[128];
    uint64_t memory_mb;
    bool running;           /* guarded by estate.lock */
    bool changed;           /* guarded by estate.lock: not reported yet */
};

struct estate {
    pthread_mutex_t lock;
    char host[128];
    struct example_vm vms[ESTATE_VMS_MAX];
    unsigned count;
};

/* Reads the provider's configuration as pv_driver.open gets it. PV_EINVAL says what is wrong with it. */
int estate_open(const char *config, struct estate **out, struct pv_err *err);
void estate_free(struct estate *e);
/* NULL: there is no such VM. */
struct example_vm *estate_find(struct estate *e, const char *id);
/* true: it was in the other state before. */
bool estate_switch(struct estate *e, struct example_vm *vm, bool running);
/* The state of VM i now, and forget that it changed. *changed: whether it had. */
bool estate_look(struct estate *e, unsigned i, bool *changed);
