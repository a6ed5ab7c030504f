/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

/* vSphere's managed object references: prefix, and the number of the first one. */
static const struct moref {
    enum pv_kind kind;
    const char *prefix;
    uint64_t first;
} morefs[] = {
    { PV_KIND_datacenter, "datacenter-", 3 },  { PV_KIND_cluster, "domain-c", 8 },
    { PV_KIND_datastore, "datastore-", 11 },   { PV_KIND_switch, "dvs-", 21 },
    { PV_KIND_network, "dvportgroup-", 23 },   { PV_KIND_host, "host-", 12 },
    { PV_KIND_resource_pool, "resgroup-", 9 }, { PV_KIND_vm, "vm-", 1001 },
};

static const struct moref *moref_find(enum pv_kind kind)
{
    for (size_t i = 0; i < sizeof(morefs) / sizeof(morefs[0]); i++)
        if (morefs[i].kind == kind)
            return &morefs[i];
    return NULL;
}

/* Scatter 32 bits so that they can be gathered again: GUIDs look random but name their object. */
static uint32_t scatter(uint32_t x, uint32_t key)
{
    x ^= key;
    x *= 0x9e3779b1u;
    x ^= x >> 15;
    x *= 0x85ebca77u;
    x ^= x >> 16;
    return x;
}

static uint32_t gather(uint32_t x, uint32_t key)
{
    x ^= x >> 16;
    x *= 0xb6c92f47u; /* inverse of 0x85ebca77 modulo 2^32 */
    x ^= (x >> 15) ^ (x >> 30);
    x *= 0x0e8b2f51u; /* inverse of 0x9e3779b1 */
    return x ^ key;
}

/* Hides the second number. */
static uint16_t guid_mask(const struct sim_estate *e, uint32_t key, uint32_t n)
{
    return (uint16_t)(sim_hash(e->set.seed ^ key, SIM_UUID, n) >> 20);
}

static uint32_t guid_key(const struct sim_estate *e, enum sim_guid type)
{
    return (uint32_t)sim_hash(e->set.seed, SIM_UUID, 0xf000000000000000u + (uint64_t)type);
}

/* A version 4 GUID that carries 32 bits `n` and 16 bits `sub`. */
static void guid_write(const struct sim_estate *e, enum sim_guid type, uint32_t n, uint16_t sub,
                       char out[SIM_ID_MAX])
{
    uint32_t key = guid_key(e, type);
    uint64_t rest = sim_hash(e->set.seed ^ key, SIM_UUID, ((uint64_t)sub << 32) | n);

    snprintf(out, SIM_ID_MAX, "%08" PRIX32 "-%04X-4%03X-%04X-%012" PRIX64, scatter(n, key),
             (unsigned)(sub ^ guid_mask(e, key, n)), (unsigned)(rest & 0xfff),
             (unsigned)(0x8000 | ((rest >> 12) & 0x3fff)), rest >> 16 & 0xffffffffffffu);
}

static bool guid_read(const struct sim_estate *e, enum sim_guid type, const char *id, uint32_t *n,
                      uint16_t *sub)
{
    uint32_t key = guid_key(e, type);
    char again[SIM_ID_MAX];
    unsigned first, second;

    if (strlen(id) != 36 || sscanf(id, "%8X-%4X-", &first, &second) != 2)
        return false;
    *n = gather(first, key);
    *sub = (uint16_t)(second ^ guid_mask(e, key, *n));
    guid_write(e, type, *n, *sub, again);
    return strcmp(again, id) == 0;
}

/* Hyper-V: hosts go by name, volumes by device path, networks by switch and VLAN. */
static void hyperv_id(const struct sim_estate *e, enum pv_kind kind, uint64_t n,
                      char out[SIM_ID_MAX])
{
    char guid[SIM_ID_MAX];

    switch (kind) {
    case PV_KIND_vm:
        guid_write(e, SIM_GUID_VM, (uint32_t)n, 0, out);
        break;
    case PV_KIND_switch:
        guid_write(e, SIM_GUID_SWITCH, (uint32_t)n, 0, out);
        break;
    case PV_KIND_network:
        guid_write(e, SIM_GUID_SWITCH, (uint32_t)(n / SIM_NETS), 0, guid);
        snprintf(out, SIM_ID_MAX, "%.36s/%u", guid, sim_nets[n % SIM_NETS].vlan);
        break;
    case PV_KIND_datastore:
        guid_write(e, SIM_GUID_DISK, (uint32_t)n, 0, guid);
        snprintf(out, SIM_ID_MAX, "\\\\?\\Volume{%.36s}\\", guid);
        break;
    case PV_KIND_host:
        sim_host_name(e, (uint32_t)n, out, SIM_ID_MAX);
        break;
    default:
        snprintf(out, SIM_ID_MAX, "CLUSTER-%02" PRIu64, n + 1);
        break;
    }
}

void sim_native_id(const struct sim_estate *e, enum pv_kind kind, uint64_t n, char out[SIM_ID_MAX])
{
    const struct moref *m = moref_find(kind);

    if (sim_is_vmware(e) && m)
        snprintf(out, SIM_ID_MAX, "%s%" PRIu64, m->prefix, m->first + n);
    else
        hyperv_id(e, kind, n, out);
}

static bool moref_number(enum pv_kind kind, const char *id, uint64_t *out)
{
    const struct moref *m = moref_find(kind);
    uint64_t n;

    if (!m || !str_starts(id, m->prefix))
        return false;
    id += strlen(m->prefix);
    if (*id == '0' || !str_u64(id, strlen(id), UINT32_MAX, &n) || n < m->first)
        return false;
    *out = n - m->first;
    return true;
}

static uint32_t place_count(const struct sim_estate *e, enum pv_kind kind)
{
    for (const struct sim_place *p = sim_places; p->emit; p++)
        if (p->kind == kind)
            return p->count(e);
    return 0;
}

bool sim_native_number(const struct sim_estate *e, enum pv_kind kind, const char *id, uint64_t *out)
{
    char again[SIM_ID_MAX];
    uint32_t n, count = place_count(e, kind);
    uint16_t sub;

    if (kind == PV_KIND_vm) {
        if (sim_is_vmware(e))
            return moref_number(kind, id, out);
        if (!guid_read(e, SIM_GUID_VM, id, &n, &sub) || sub)
            return false;
        *out = n;
        return true;
    }
    if (sim_is_vmware(e))
        return moref_number(kind, id, out) && *out < count;
    /* Hyper-V estates have few places: looking at each is simplest. */
    for (n = 0; n < count; n++) {
        sim_native_id(e, kind, n, again);
        if (strcmp(again, id) == 0) {
            *out = n;
            return true;
        }
    }
    return false;
}

#define SNAPS_PER_VM 65536u

void sim_snapshot_id(const struct sim_estate *e, uint64_t vm, uint16_t serial, char out[SIM_ID_MAX])
{
    if (sim_is_vmware(e))
        snprintf(out, SIM_ID_MAX, "snapshot-%" PRIu64, vm * SNAPS_PER_VM + serial);
    else
        guid_write(e, SIM_GUID_SNAPSHOT, (uint32_t)vm, serial, out);
}

bool sim_snapshot_number(const struct sim_estate *e, const char *id, uint64_t *vm, uint16_t *serial)
{
    static const char prefix[] = "snapshot-";
    uint64_t n;
    uint32_t number;
    uint16_t sub;

    if (!sim_is_vmware(e)) {
        if (!guid_read(e, SIM_GUID_SNAPSHOT, id, &number, &sub))
            return false;
        *vm = number;
        *serial = sub;
        return true;
    }
    if (!str_starts(id, prefix))
        return false;
    id += sizeof(prefix) - 1;
    if (!str_u64(id, strlen(id), (uint64_t)UINT32_MAX * SNAPS_PER_VM, &n))
        return false;
    *vm = n / SNAPS_PER_VM;
    *serial = (uint16_t)(n % SNAPS_PER_VM);
    return true;
}

void sim_uuid(const struct sim_estate *e, enum sim_stream stream, uint64_t n, unsigned prefix,
              char out[37])
{
    uint64_t a = sim_roll(e, stream, 2 * n), b = sim_roll(e, stream, 2 * n + 1);

    if (prefix)
        a = (a & 0x00ffffffffffffffu) | (uint64_t)prefix << 56;
    a = (a & ~0xf000ull) | 0x4000u;
    b = (b & 0x3fffffffffffffffu) | 0x8000000000000000u;
    snprintf(out, 37, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned)(a >> 32),
             (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xffff), (unsigned)(b >> 48),
             b & 0xffffffffffffu);
}

void sim_mac(const struct sim_estate *e, uint64_t n, char out[18])
{
    /* An odd factor permutes the numbers: no two adapters of an estate share an address. */
    uint32_t key = (uint32_t)sim_roll(e, SIM_NICS, UINT64_MAX);
    uint32_t x = ((uint32_t)n * 0x2c1b3c6du) ^ key;

    if (sim_is_vmware(e)) /* vCenter gives out 00:50:56:80 to 00:50:56:BF */
        snprintf(out, 18, "00:50:56:%02X:%02X:%02X", 0x80 | (x >> 16 & 0x3f), x >> 8 & 0xff,
                 x & 0xff);
    else
        snprintf(out, 18, "00:15:5D:%02X:%02X:%02X", x >> 16 & 0xff, x >> 8 & 0xff, x & 0xff);
}

void sim_job_id(const struct sim_estate *e, uint64_t n, char out[SIM_ID_MAX])
{
    if (sim_is_vmware(e))
        snprintf(out, SIM_ID_MAX, "task-%" PRIu64, 1000 + n);
    else
        guid_write(e, SIM_GUID_JOB, (uint32_t)n, 0, out);
}
