/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim - a believable estate that does not exist.
 *
 * One session plays one vCenter or one Hyper-V host (or failover cluster).
 * Everything that does not change is computed from (seed, index) when it is
 * asked for: names, ids, devices. Kept is only what can change, 48 bytes a VM,
 * and a document for each VM that people changed or made.
 * So the same settings give the same estate, at any size, and a new session
 * starts from the seed again: power states and snapshots changed in the last
 * one are forgotten.
 *
 * Threads: the changing state is guarded by `lock`; places and traits are pure
 * functions of immutable settings. Nothing is sent to the host under the lock.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/driver.h>

struct json_t;
struct sim_content;
struct pv_builder;
struct pv_err;

struct sim_settings {
    enum pv_family family;
    uint64_t seed;
    uint32_t vms, hosts, clusters, datacenters;
    double change_rate;  /* changes per second */
    double failure_rate; /* share of operations that fail */
    double speed;        /* durations are divided by it; 0: everything at once */
    bool churn;          /* VMs come and go */
    char label[40];      /* NAME of an endpoint sim://NAME, or "" */
    char name[129];      /* of the provider */
};

/* JSON Schema of the settings. */
extern const char sim_settings_schema[];
/* Reads `settings` of a provider's configuration (the JSON text driver.h describes). An endpoint
 * sim://hv-ams-01 names the machine that is played, and by a part of the name the city it stands
 * in. */
int sim_settings_read(const char *config, struct sim_settings *out, struct pv_err *err);

/* ------------------------------------------------------------------ chance */

/* What a number is for; each stream is independent of the others. Never renumber: estates would
 * change. */
enum sim_stream {
    SIM_ROLE = 1,
    SIM_OS,
    SIM_SITE,
    SIM_SIZE,
    SIM_DISKS,
    SIM_NICS,
    SIM_POWER,
    SIM_HEALTH,
    SIM_TOOLS,
    SIM_SNAPS,
    SIM_HOST,
    SIM_STORE,
    SIM_UUID,
    SIM_BIOS,
    SIM_TIMES,
    SIM_CDROM,
    SIM_FIRMWARE,
    SIM_MACHINE,
    SIM_VOLUME,
    SIM_LOAD,
    SIM_CHANGE,
    SIM_FAIL,
    SIM_DURATION,
    SIM_TAGS,
    SIM_NAME_FORM,
    SIM_INSTANCE,
};

/* The n-th random number of a stream (SplitMix64's finalizer over a counter). */
static inline uint64_t sim_hash(uint64_t seed, enum sim_stream stream, uint64_t n)
{
    uint64_t x = seed + (uint64_t)stream * 0x9e3779b97f4a7c15u + n * 0xd1342543de82ef95u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* ------------------------------------------------------------------ the estate */

struct sim_snap {
    const char *name, *description; /* owned if `owned`, else static */
    int64_t taken_ms;
    uint64_t size_bytes;
    uint16_t serial;           /* of this VM's snapshots, from 1, never used again */
    uint16_t parent;           /* serial, 0: none */
    enum pv_power_state power; /* of the VM it keeps */
    bool memory, quiesced, owned;
};

#define SIM_SNAPS_MAX 32u /* as many as vSphere keeps */
struct sim_snaps {
    uint16_t count, last_serial, current; /* current: serial, 0: none */
    struct sim_snap items[SIM_SNAPS_MAX];
};

/* What of a VM can change. */
struct sim_vm_state {
    struct sim_snaps *snaps; /* owned; NULL: still those the seed gave it */
    struct json_t *doc;      /* owned; what people changed (doc.h); NULL: nothing */
    int64_t boot_ms;         /* 0: as the seed says */
    uint32_t host;
    uint32_t generation; /* how often this place was filled anew */
    uint16_t ip_moves;
    uint8_t renames;
    uint8_t power;    /* enum pv_power_state */
    uint8_t activity; /* enum pv_activity */
    uint8_t unsent;   /* enum sim_part: changed and not yet in the feed */
    bool absent;      /* deleted, place free */
};

/* Parts of a VM's record, so that a change sends only what it touched. */
enum sim_part {
    SIM_PART_POWER = 1,
    SIM_PART_PLACE = 2, /* host, and networks where they belong to hosts */
    SIM_PART_GUEST = 4, /* addresses, tools */
    SIM_PART_NAME = 8,
    SIM_PART_SNAPS = 16, /* snapshots, and the disks whose files they change */
    SIM_PART_FIXED = 32, /* what never changes */
    SIM_PART_ALL = 63,
};

/* What can happen to a VM; what it is called and what it touches: changes.c. */
enum sim_happening {
    SIM_DID_BEGIN, /* an operation begins or was called off: `activity` changed */
    SIM_DID_START,
    SIM_DID_SHUTDOWN,
    SIM_DID_STOP,
    SIM_DID_REBOOT,
    SIM_DID_RESET,
    SIM_DID_PAUSE,
    SIM_DID_RESUME,
    SIM_DID_SUSPEND,
    SIM_DID_SNAPSHOT,
    SIM_DID_REVERT,
    SIM_DID_UNSNAPSHOT,
    SIM_DID_MOVE,
    SIM_DID_LEASE,
    SIM_DID_RENAME,
    SIM_DID_CREATE,
    SIM_DID_DELETE,
    SIM_DID_RECONFIGURE,
    SIM_DID_NOTHING, /* that inventory shows */
    SIM_DID_PLACE,   /* a switch or a disk image: no VM */
};

struct sim_change {
    uint32_t vm;
    enum sim_happening what;
    const char *actor; /* static: an account's name without its domain */
};

/* Whether a host is in maintenance. */
enum sim_rest { SIM_REST_SEED, SIM_REST_ON, SIM_REST_OFF };

#define SIM_MADE_MAX 1024u  /* VMs that people made */
#define SIM_THINGS_MAX 512u /* switches and disk images that people made, of each kind */
#define SIM_QUEUE_MAX 1024u
#define SIM_TICK_MAX 1000u /* changes of one tick of the feed */
#define SIM_FREE_MAX 64u
struct sim_estate {
    struct sim_settings set;
    const struct pv_host *host; /* borrowed from open */
    uint32_t units;             /* clusters, or hosts where there are none */
    uint32_t stores_per_unit;
    uint32_t nonce[2]; /* of this session; cursors of another are worthless */
    pthread_mutex_t lock;
    struct sim_vm_state
        *vms;      /* set.vms of the seed, then those that people made; guarded by lock */
    uint32_t made; /* of these; places are not used again; guarded by lock */
    _Atomic uint8_t *rests; /* enum sim_rest of each host */
    struct json_t
        *things; /* {"switches": [...], "disk-images": [...], "gone": [...]}; guarded by lock */
    struct sim_content *contents;      /* of uploaded files (contents.c); guarded by lock */
    uint64_t content_bytes;            /* of them; guarded by lock */
    bool things_changed;               /* and not yet in the feed; guarded by lock */
    struct sim_estate *next;           /* of all in this process (estate.c) */
    uint64_t jobs;                     /* operations so far; guarded by lock */
    bool queue_lost;                   /* a change found no room in the queue; guarded by lock */
    uint32_t queue_first, queue_count; /* guarded by lock */
    struct sim_change queue[SIM_QUEUE_MAX]; /* what operations did, for watch; guarded by lock */
    /* Of the thread in watch() alone: */
    uint64_t feed;            /* number of the last position in the feed */
    uint64_t events, changes; /* so many so far */
    uint32_t touched_count, free_count;
    uint32_t touched[SIM_QUEUE_MAX + SIM_TICK_MAX]; /* VMs with something unsent */
    uint32_t free[SIM_FREE_MAX];                    /* places of deleted VMs */
};

/* VMs of the seed and those that people made. With the lock held. */
static inline uint32_t sim_vm_count(const struct sim_estate *e)
{
    return e->set.vms + e->made;
}

static inline bool sim_vm_is_made(const struct sim_estate *e, uint32_t index)
{
    return index >= e->set.vms;
}

/* A place for a VM that people make; false: there are too many. With the lock held. */
bool sim_vm_make(struct sim_estate *e, struct json_t *doc, uint32_t host, uint32_t store,
                 enum pv_power_state power, uint32_t *index);
/* The estate of another session in this process, by its provider's name, locked; NULL: there is
 * none. */
struct sim_estate *sim_estate_other(const struct sim_estate *self, const char *name);
void sim_estate_leave(struct sim_estate *other);

struct sim_estate *sim_estate_new(const struct sim_settings *set, const struct pv_host *host);
void sim_estate_free(struct sim_estate *e);
/* Hand a change to the feed. With the lock held. */
void sim_estate_tell(struct sim_estate *e, const struct sim_change *change);
/* Take the next change out of the queue; false: there is none. Takes the lock. */
bool sim_estate_told(struct sim_estate *e, struct sim_change *out);
/* Empty the queue. Takes the lock. */
void sim_estate_forget(struct sim_estate *e);
/* Back to what the seed says of the place's present generation. With the lock held. */
void sim_vm_state_reset(const struct sim_estate *e, uint32_t index);

static inline bool sim_is_vmware(const struct sim_estate *e)
{
    return e->set.family == PV_FAMILY_VMWARE;
}

static inline uint64_t sim_roll(const struct sim_estate *e, enum sim_stream stream, uint64_t n)
{
    return sim_hash(e->set.seed, stream, n);
}

/* Of a number of a stream: does the thing happen that happens `permille` times in a thousand? */
static inline bool sim_chance(uint64_t roll, unsigned permille)
{
    return (roll >> 40) % 1000 < permille;
}

/* All times of the seed lie before this moment, so that they are the same in every session. */
#define SIM_EPOCH_MS 1767225600000 /* 2026-01-01T00:00:00Z */
#define SIM_DAY_MS 86400000

/* ------------------------------------------------------------------ ids (ids.c) */

#define SIM_ID_MAX 96
enum sim_guid { SIM_GUID_VM = 1, SIM_GUID_SNAPSHOT, SIM_GUID_SWITCH, SIM_GUID_JOB, SIM_GUID_DISK };

/* Numbers from here on are of VMs that people made; the seed's never get so far. */
#define SIM_MADE_FIRST 0x40000000u
/* Native id of the n-th object of a kind. VMs: number = index + generation * vms. */
void sim_native_id(const struct sim_estate *e, enum pv_kind kind, uint64_t n, char out[SIM_ID_MAX]);
/* The number of a native id; false if no object of this estate can have it. */
bool sim_native_number(const struct sim_estate *e, enum pv_kind kind, const char *id,
                       uint64_t *out);
void sim_snapshot_id(const struct sim_estate *e, uint64_t vm, uint16_t serial,
                     char out[SIM_ID_MAX]);
bool sim_snapshot_number(const struct sim_estate *e, const char *id, uint64_t *vm,
                         uint16_t *serial);
/* Any UUID of the seed, lower case. `prefix`: first byte, 0 for any. */
void sim_uuid(const struct sim_estate *e, enum sim_stream stream, uint64_t n, unsigned prefix,
              char out[37]);
/* Unique within the estate; the vendor's prefix. */
void sim_mac(const struct sim_estate *e, uint64_t n, char out[18]);
/* "task-1234" or a GUID. */
void sim_job_id(const struct sim_estate *e, uint64_t n, char out[SIM_ID_MAX]);

/* ------------------------------------------------------------------ places (places.c) */

#define SIM_NETS 6u  /* networks of each switch */
#define SIM_POOLS 4u /* resource pools of each unit */
struct sim_net {
    const char *name;
    uint16_t vlan; /* 0: untagged */
};
extern const struct sim_net sim_nets[SIM_NETS];
enum sim_net_number {
    SIM_NET_MGMT,
    SIM_NET_PROD,
    SIM_NET_DMZ,
    SIM_NET_DB,
    SIM_NET_VDI,
    SIM_NET_BACKUP
};

uint32_t sim_host_unit(const struct sim_estate *e, uint32_t host);
/* First host of a unit; of `units`: the number of hosts. */
uint32_t sim_unit_first(const struct sim_estate *e, uint32_t unit);
uint32_t sim_unit_datacenter(const struct sim_estate *e, uint32_t unit);
/* "fra": where a unit stands. */
const char *sim_unit_site(const struct sim_estate *e, uint32_t unit);
bool sim_host_in_maintenance(const struct sim_estate *e, uint32_t host);
/* A host of the unit that takes VMs, `start` steps on from its first. */
uint32_t sim_unit_host(const struct sim_estate *e, uint32_t unit, uint64_t start);
/* Where a VM of this host starts: there, unless it is in maintenance. */
uint32_t sim_host_to_run(const struct sim_estate *e, uint32_t host);
/* Switches belong to units (vmware) or to hosts (hyperv). */
uint32_t sim_switch_count(const struct sim_estate *e);
uint32_t sim_host_switch(const struct sim_estate *e, uint32_t host);
void sim_datacenter_name(const struct sim_estate *e, uint32_t n, char *out, size_t cap);
void sim_host_name(const struct sim_estate *e, uint32_t n, char *out, size_t cap);
/* Name, and what paths of its files begin with: "[fra-vmfs-01] ", "C:\ClusterStorage\Volume1\". */
void sim_store_name(const struct sim_estate *e, uint32_t n, char *out, size_t cap);
void sim_store_root(const struct sim_estate *e, uint32_t n, char *out, size_t cap);
uint64_t sim_host_memory(const struct sim_estate *e, uint32_t n);

/* ------------------------------------------------------------------ traits (traits.c) */

struct sim_os {
    enum pv_os_family family;
    const char *guest_id, *vmware_name, *name;
    bool uefi;
};

struct sim_role {
    const char *name;
    uint8_t weight, cpus, gib, disks; /* cpus and GiB are the least; up to four times as much */
    uint8_t net;
    uint8_t os[4];
    uint16_t off_permille;
    bool desktop; /* many alike: "vdi-0123" */
};

/* What never changes of a VM. */
struct sim_vm {
    uint64_t number;
    const struct sim_role *role;
    const struct sim_os *os;
    uint32_t index, unit, store;
    uint32_t cpus, disks, nics;
    uint64_t memory_bytes;
    int64_t created_ms;
    enum pv_firmware firmware;
    bool secure_boot, tpm, is_template, production, tools_installed, tools_old, question;
    char name[48]; /* when it was made; its files keep it */
};

/* `generation` as in its state. */
void sim_vm_traits(const struct sim_estate *e, uint32_t index, uint32_t generation,
                   struct sim_vm *out);
void sim_vm_name(const struct sim_vm *vm, unsigned renames, char *out, size_t cap);
/* As it is called now, and its native id. With the lock held. */
void sim_vm_display(const struct sim_estate *e, const struct sim_vm *vm, char *name, size_t cap,
                    char id[SIM_ID_MAX]);
enum pv_power_state sim_vm_first_power(const struct sim_estate *e, const struct sim_vm *vm);
uint64_t sim_disk_bytes(const struct sim_estate *e, const struct sim_vm *vm, uint32_t disk);
/* Snapshots as the seed has them. */
void sim_vm_first_snaps(const struct sim_estate *e, const struct sim_vm *vm, struct sim_snaps *out);

/* The place of a VM by its native id; false if there is no such VM (any more). Takes the lock. */
bool sim_vm_find(struct sim_estate *e, const char *native_id, uint32_t *index);
/* The native id of the VM with this number, made by people or not. Takes the lock. */
void sim_vm_id_of(struct sim_estate *e, uint64_t number, char out[SIM_ID_MAX]);

/* ------------------------------------------------------------------ snapshots (snaps.c) */

/* All with the lock held. */
const struct sim_snaps *sim_snaps_get(const struct sim_estate *e, uint32_t vm,
                                      struct sim_snaps *room);
void sim_snaps_drop(struct sim_vm_state *s);
/* The new snapshot follows the current one and becomes it. */
int sim_snaps_create(struct sim_estate *e, uint32_t vm, const char *name, const char *description,
                     bool memory, bool quiesced, uint16_t *serial, struct pv_err *err);
int sim_snaps_revert(struct sim_estate *e, uint32_t vm, uint16_t serial, struct pv_err *err);
int sim_snaps_delete(struct sim_estate *e, uint32_t vm, uint16_t serial, bool children,
                     struct pv_err *err);
int sim_snaps_clear(struct sim_estate *e, uint32_t vm, struct pv_err *err);
/* NULL: as it is. */
int sim_snaps_rename(struct sim_estate *e, uint32_t vm, uint16_t serial, const char *name,
                     const char *description, struct pv_err *err);
const struct sim_snap *sim_snaps_find(const struct sim_snaps *s, uint16_t serial);

/* ------------------------------------------------------------------ records */

/* One object into the builder (places_emit.c, vm_emit.c). VMs: with the lock held. */
void sim_emit_datacenter(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
void sim_emit_cluster(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
void sim_emit_datastore(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
/* How big a datastore is, and how full. */
void sim_store_space(const struct sim_estate *e, uint32_t n, uint64_t *capacity, unsigned *used_pct);
void sim_emit_switch(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
void sim_emit_network(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
/* What HA, DRS or failover of the cluster whose record is open is set to. */
void sim_emit_cluster_settings(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
/* Its rules, after everything else of it. Takes the lock. */
void sim_emit_cluster_rules(struct sim_estate *e, struct pv_builder *b, uint32_t n);
/* Rules of all clusters (rules.c): [{"cluster", "native_id", "fields"}]; sim_rules_seed makes them
 * when they are not there. With the lock held. */
void sim_rules_seed(struct sim_estate *e);
struct json_t *sim_rules(const struct sim_estate *e);
/* Adapters and services, and the certificate, of the host whose record is open. */
void sim_emit_host_parts(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
void sim_emit_host(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
/* A VM's disk file as inventory writes it, `serial`: of the snapshot it is written after, 0: none (vm_emit.c). */
void sim_disk_path(const struct sim_estate *e, const struct sim_vm *vm, const char *root, uint32_t n,
                   uint16_t serial, char *out, size_t cap);
enum pv_provisioning sim_disk_layout(const struct sim_estate *e, const struct sim_vm *vm, uint32_t n);
void sim_emit_pool(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
void sim_emit_vm(const struct sim_estate *e, struct pv_builder *b, uint32_t index, uint32_t parts);

/* How many of a kind there are, and how one is sent. In model order; ended by emit == NULL. */
struct sim_place {
    enum pv_kind kind;
    uint32_t (*count)(const struct sim_estate *e);
    void (*emit)(const struct sim_estate *e, struct pv_builder *b, uint32_t n);
};
extern const struct sim_place sim_places[];

/* ------------------------------------------------------------------ the driver's calls */

/* Switches and disk images that people made; `native_id`: only this one, NULL: all. Answers how
 * many. Takes the lock. */
unsigned sim_things_emit(struct sim_estate *e, struct pv_builder *b, enum pv_kind kind,
                         const char *native_id);
/* What came and went of them since the last time; false: nothing. Takes the lock. */
bool sim_things_send(struct sim_estate *e, struct pv_builder *b);

/* JSON about the provider for pv_host.provider (provider.c). Owned text; NULL: out of memory. */
/* Why the family cannot do an operation, in words. */
const char *sim_lacks(const struct sim_estate *e, const char *operation);
char *sim_provider_json(const struct sim_estate *e);
char *sim_probe_json(const struct sim_settings *set);

int sim_watch(struct sim_estate *e, uint64_t call, const char *cursor, struct pv_err *err);
int sim_refresh(struct sim_estate *e, uint64_t call, enum pv_kind kind, const char *native_id,
                struct pv_err *err);

/* One random change to one VM; false: nothing could be changed. Takes the lock; watch() alone
 * (changes.c). */
bool sim_change_make(struct sim_estate *e, struct sim_change *out);
/* Sends the event of a change and notes what of the VM is to be sent. Takes the lock; watch()
 * alone. */
void sim_change_note(struct sim_estate *e, struct pv_builder *b, const struct sim_change *change);
/* Sends what was noted, each VM once. Takes the lock; watch() alone. */
void sim_changes_send(struct sim_estate *e, struct pv_builder *b);
/* Usage of the running VMs, then hosts, then datastores, number `from` up to `to`. Takes the lock (usage.c). */
void sim_usage_send(struct sim_estate *e, struct pv_builder *b, uint32_t from, uint32_t to);
uint32_t sim_usage_count(const struct sim_estate *e);

/* JSON array of the operations. */
extern const char sim_operations[];
struct sim_call {
    uint64_t call;
    const char *operation, *subject, *args, *native_ref;
    bool dry_run;
};
/* *result: owned JSON text, or NULL. */
int sim_call(struct sim_estate *e, const struct sim_call *c, char **result, struct pv_err *err);
