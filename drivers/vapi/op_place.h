/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_place - where a VM goes: host, pool, folder and datastore, from what the
 * arguments name and what follows from it.
 *
 * Ownership: none. Threads: the call's.
 */
#pragma once

#include "drivers/vapi/values.h"

struct operation;
struct pv_err;

struct place {
    struct moref host, compute; /* host id "" : the cluster chooses */
    struct moref pool, folder, datacenter, datastore;
    char datastore_name[256];
};

/* For a VM that is made: everything is found, or the error says what to name. */
int place_find(struct operation *o, struct place *out, struct pv_err *err);
/* For a VM that exists: pool, host, folder and datastore that the arguments name, id "" where they
 * do not; the pool of another cluster follows from its host. */
int place_new(struct operation *o, const struct moref *own_pool, struct place *out,
              struct pv_err *err);
/* The datacenter an object lies in; id "" : it is not known. */
void place_datacenter(struct operation *o, const char *id, struct moref *out);
/* The parent of an object, by its property. */
int place_parent(struct operation *o, const struct moref *ref, struct moref *out,
                 struct pv_err *err);
