/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doc - what of a VM is not as the seed says, by paths of the model.
 *
 *   {"fields": {"cpu.count": 4}, "disks": [{"key": "2000", "fields": {...}}], ...}
 *
 * Lists of devices are there once one of their kind was changed; then they
 * are all the VM has. Values are as the API shows them, references are native
 * ids. All with the estate's lock held.
 */
#pragma once

#include <jansson.h>

#include "drivers/sim/sim.h"

struct model_kind;

#define SIM_DEVICE_KINDS 4
extern const enum pv_kind sim_device_kinds[SIM_DEVICE_KINDS];

/* A new document with empty lists. */
json_t *sim_doc_new(void);
/* The VM's own, made when it is not there; NULL: out of memory. */
json_t *sim_doc_of(struct sim_estate *e, uint32_t index);
/* Its devices of this kind, read from the seed when they are not there. */
json_t *sim_doc_devices(struct sim_estate *e, uint32_t index, const struct model_kind *kind);
/* Everything that a driver would report of the VM, as a document; owned. */
json_t *sim_doc_capture(struct sim_estate *e, uint32_t index);
/* Fields that stand in `args` by the paths of the kind; references become native ids, words the
 * family's. */
void sim_doc_merge(const struct sim_estate *e, const struct model_kind *kind, json_t *fields,
                   const json_t *args);
/* Into the open record. */
void sim_doc_put(struct pv_builder *b, const struct model_kind *kind, const json_t *fields);
/* The records of one kind of devices; false: the document has no such list. */
bool sim_doc_put_devices(struct pv_builder *b, const struct model_kind *kind, const json_t *doc);
const char *sim_doc_text(const json_t *fields, const char *path);
int64_t sim_doc_number(const json_t *fields, const char *path);
