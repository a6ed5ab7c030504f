/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - from vSphere's properties to records of ours.
 *
 * Each function sends one object as it was read. What a property set does not
 * name stays as stored; what the server said has no value is sent as empty,
 * unless it said so for lack of rights or because the object is out of reach.
 * map_learn goes first for every object of a listing: the mapping of one
 * object looks up others in the tree.
 *
 * Threads: the caller holds the tree's lock; builder and tree are one thread's
 * meanwhile.
 */
#pragma once

#include <polyvisor/records.h>

#include "drivers/vapi/props.h"
#include "drivers/vapi/tree.h"

struct tags;

struct map {
    struct pv_builder *b;
    struct tree *tree;
    const struct tags *tags; /* NULL: none were read */
};

/* Put the object and what others need of it into the tree. `tables`: what was asked. */
void map_learn(struct tree *t, const struct moref *ref, const xmlNode *object);

/* `object` holds the properties of props_vm, props_listing. Kinds we do not show are skipped. */
void map_vm(const struct map *m, const struct moref *ref, const xmlNode *object);
void map_other(const struct map *m, const struct moref *ref, const xmlNode *object);
void map_host(const struct map *m, const struct moref *ref, const xmlNode *object);
/* The switches of a host, which are no objects of their own in vSphere. */
void map_host_switches(const struct map *m, const struct moref *ref, const xmlNode *object);

/* What HA and DRS of the cluster that is open in the builder are set to: its configurationEx. */
void map_cluster_config(const struct map *m, const xmlNode *config);
/* Its rules, as records of their own; after everything else of the cluster. */
void map_cluster_rules(const struct map *m, const xmlNode *config);

/* Adapters and services of the host that is open in the builder, and its certificate into its
 * record. */
void map_host_parts(const struct map *m, const struct moref *ref, const struct prop_values *v);
void map_host_certificate(const struct map *m, const xmlNode *value);
/* Makes a certificate, of which each byte is an element, one text: for objects that are kept. */
void map_host_fold(xmlNode *object);

/* Devices and snapshots of the VM that is open in the builder. */
void map_devices(const struct map *m, const xmlNode *hardware, const xmlNode *guest_net);
void map_snapshots(const struct map *m, const xmlNode *snapshot);

/* Does this, which holds all that is watched of a VM, differ from what was last read in full? */
bool map_vm_is_news(const struct map *m, const struct moref *ref, const struct prop_values *v);
/* What a change of a known VM says by itself; false: the VM has to be read again. */
bool map_vm_change(const struct map *m, const struct moref *ref, const struct prop_values *v);
/* The states of a host that a change or a poll names, unless they are as last sent. `whole`: all of
 * them are named. */
void map_host_change(const struct map *m, const struct moref *ref, const xmlNode *object,
                     bool whole);

/* One poll of an object: load as usage, status as health where it differs from what was sent. */
void map_poll(const struct map *m, const struct moref *ref, const xmlNode *object);

/* What says how busy a VM is. */
struct map_load {
    const xmlNode *power, *quick, *storage, *max_cpu;
};
void map_vm_usage(const struct map *m, const char *id, const struct map_load *load);
void map_host_usage(const struct map *m, const char *id, const xmlNode *quick,
                    const xmlNode *hardware);
void map_datastore_usage(const struct map *m, const char *id, const xmlNode *capacity,
                         const xmlNode *free_space);

/* Shared by the above. */
enum pv_power_state map_power(const char *text);
enum pv_health map_status(const xmlNode *status);
void map_vm_health(const struct map *m, const char *id, const xmlNode *status,
                   const xmlNode *connection, const xmlNode *question);
/* What map_vm_health would say, as a number to compare with the node's `health`. */
int map_vm_health_code(const xmlNode *status, const xmlNode *connection, const xmlNode *question);
/* Health of anything but a VM: the server's colour. */
void map_health(const struct map *m, enum pv_kind kind, const char *id, const xmlNode *status);
/* path, native type, health from overallStatus, tags. */
void map_common(const struct map *m, enum pv_kind kind, const struct moref *ref,
                const xmlNode *status);
const struct tree_node *map_datacenter(const struct map *m, const char *id);
/* Texts of a list of references or strings; at most `most`. */
size_t map_list(const xmlNode *value, const char **items, size_t most);
#define MAP_LIST_MOST 512
