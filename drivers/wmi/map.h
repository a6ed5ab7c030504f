/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map - from WMI instances to records of ours.
 *
 * Native ids (operations get them back as they are):
 *   vm          GUID as the host writes it (upper case)
 *   host        FQDN in lower case
 *   cluster     name (FQDN) of the failover cluster in lower case
 *   switch      GUID of the switch
 *   network     <switch GUID> untagged, <switch GUID>.<VLAN> with a VLAN
 *   datastore   volume GUID path \\?\volume{...}\, or share \\server\share\, in lower case
 *   disk_image  path of the file, normalised as by world_path
 *   controller, disk, cdrom, nic: InstanceID of the controller, drive, drive, port setting
 *   cluster_rule separate:<class name>, preferred:<role>, possible:<role>
 *   host_adapter DeviceID of the port; host_service: name of the service
 *   snapshot    InstanceID of the checkpoint's settings
 *
 * What the sight does not know (a class that was refused, a part that was not
 * read) is not set, so it stays as stored; what is known to be empty is
 * cleared.
 *
 * Threads: builder and sight are one thread's meanwhile.
 */
#pragma once

#include <polyvisor/httpc.h>
#include <polyvisor/records.h>

#include "drivers/wmi/map_images.h"
#include "drivers/wmi/map_world.h"

struct vm_rates; /* inventory_rates.h */

struct map {
    struct pv_builder *b;
    const struct sight *s;
    const struct world *w;
    struct images *images;                /* may be NULL; files that are named are put in */
    uint64_t listing;                     /* number of the listing, for images */
    bool whole;                           /* everything of the host is in the sight */
    struct httpc_certificate certificate; /* that the host shows; no sha256: not known */
    int64_t now_ms;                       /* wall clock, when the reading began */
    /* What was told of the start of this VM before, if `ms` says the same but for the jitter of two
     * clocks; NULL: `ms` as it is. */
    int64_t (*steady)(void *ctx, const struct sight_owner *o, int64_t ms);
    void *steady_ctx;
};
/* Native id of a VM: its GUID in upper case. */
void map_vm_id(const struct sight_owner *o, char out[SIGHT_GUID]);
/* A GUID in upper case, as the host writes it. */
void map_upper(const char *guid, char out[SIGHT_GUID]);

/* A MAC address in upper case with colons; false: it is none. */
bool map_mac(const char *text, char out[18]);

/* What Hyper-V's one number means in our three words. */
struct map_state {
    enum pv_power_state power;
    enum pv_activity activity;
    bool critical; /* "...Critical": storage of the VM is out of reach */
};
struct map_state map_state(uint64_t enabled_state);
/* What is being done to it, from OperationalStatus; NONE if nothing is said. */
enum pv_activity map_activity(const struct cim_instance *summary,
                              const struct cim_instance *system);

/* A VM with devices and snapshots; false: it is none. */
bool map_vm(const struct map *m, const struct sight_owner *o);
/* Power, activity, health, replication, guest state: what a poll tells of a VM. Into the record
 * that is open. */
void map_vm_state(const struct map *m, const struct sight_owner *o);
/* The same, hashed: equal hashes, equal records. */
uint64_t map_vm_state_hash(const struct map *m, const struct sight_owner *o);
/* What the guest reports. Into the record that is open. */
void map_vm_guest(const struct map *m, const struct sight_owner *o);
/* Its NICs alone (addresses change without the configuration). */
void map_vm_nics(const struct map *m, const struct sight_owner *o);
/* `rates` may be NULL: not known. */
void map_vm_usage(const struct map *m, const struct sight_owner *o, const struct vm_rates *rates);
void map_vm_devices(const struct map *m, const struct sight_owner *o);
void map_vm_snapshots(const struct map *m, const struct sight_owner *o);
/* When it was last started, in wall-clock ms; 0: it does not run, or nobody knows. */
int64_t map_boot_time(const struct map *m, const struct sight_owner *o);

/* The machine, the cluster it is in, its volumes and switches. */
void map_host(const struct map *m);
void map_host_usage(const struct map *m);
/* Adapters and services, and the certificate, of the host whose record is open. */
void map_host_parts(const struct map *m);
/* The switch that the adapter of this name is an uplink of; NULL: none. */
const char *map_uplink_switch(const struct map *m, const char *name);
void map_cluster(const struct map *m);
/* Its rules, as records of their own, after everything else of the cluster. VMs and hosts are those
 * of this node alone; the core adds those of the others. */
void map_cluster_rules(const struct map *m);
/* MSCluster_Node.State in words. */
const char *map_node_state(uint64_t state);
void map_datastores(const struct map *m);
void map_datastore_usage(const struct map *m);
void map_switches(const struct map *m);
/* After map_host: the host's record names them. */
void map_networks(const struct map *m);
/* The network of a port, made if need be; NULL: not connected. Emits it unless m->whole (then
 * map_networks did). */
const char *map_network_of(const struct map *m, const struct cim_instance *port,
                           const struct cim_instance *vlan);
/* A file that is remembered. */
void map_image(const struct map *m, const struct image *im);

/* The instance of a list of an owner whose InstanceID begins with `id` and a backslash (features of
 * a port). */
const struct cim_instance *map_below(const struct sight_owner *o, enum sight_list list,
                                     const char *id);
