/* SPDX-License-Identifier: Apache-2.0 */
/* The host: product, hardware, addresses, limits, load. */
#include "drivers/wmi/map.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "drivers/wmi/inventory_read.h"
#include "drivers/wmi/kvp.h"

#define LISTS_MOST 512
#define JSON_MOST 16384u

#define OS(prop) P(Win32_OperatingSystem, prop)
#define CPU(prop) P(Win32_Processor, prop)
#define BOX(prop) P(Win32_ComputerSystem, prop)

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_product(const struct map *m, const struct cim_instance *os)
{
    const char *caption = cim_str(os, OS(Caption));

    if (!os)
        return;
    pv_host_product_name(m->b, caption);
    pv_host_product_version(m->b, cim_str(os, OS(Version)));
    pv_host_product_build(m->b, cim_str(os, OS(BuildNumber)));
}

static void put_hardware(const struct map *m)
{
    const struct cim_instance *box = sight_first(m->s, SIGHT_COMPUTER);
    const struct cim_instance *cpu = sight_first(m->s, SIGHT_CPU);
    const struct cim_instance *product = sight_first(m->s, SIGHT_PRODUCT);
    const char *serial = cim_str(sight_first(m->s, SIGHT_BIOS), P(Win32_BIOS, SerialNumber));
    const struct cim_list *cpus = &m->s->lists[SIGHT_CPU];
    const char *name = cim_str(cpu, CPU(Name));
    uint64_t cores = 0, threads = 0, n;

    pv_host_vendor(m->b, cim_str(box, BOX(Manufacturer)));
    pv_host_model(m->b, cim_str(box, BOX(Model)));
    if (!serial || !*serial)
        serial = cim_str(product, P(Win32_ComputerSystemProduct, IdentifyingNumber));
    pv_host_serial(m->b, serial);
    pv_host_bios_uuid(m->b, m->w->host_uuid);
    if (name)
        pv_host_cpu_model(m->b, name + strspn(name, " "));
    for (size_t i = 0; i < cpus->count; i++) {
        cores += cim_uint(cpus->items[i], CPU(NumberOfCores));
        threads += cim_uint(cpus->items[i], CPU(NumberOfLogicalProcessors));
    }
    if (cpus->count > 0) {
        pv_host_sockets(m->b, cpus->count);
        pv_host_cores(m->b, cores);
    }
    if (cim_get_uint(box, BOX(NumberOfLogicalProcessors), &n) || (n = threads) > 0)
        pv_host_threads(m->b, n);
    if (m->w->mhz > 0)
        pv_host_cpu_mhz(m->b, m->w->mhz);
    if (cim_get_uint(box, BOX(TotalPhysicalMemory), &n))
        pv_host_memory_bytes(m->b, n);
    if (sight_has(m->s, SIGHT_NUMA) && m->s->lists[SIGHT_NUMA].count > 0)
        pv_host_numa_nodes(m->b, m->s->lists[SIGHT_NUMA].count);
}

static bool link_local(const char *address)
{
    return str_starts(address, "fe80:") || str_starts(address, "FE80:") ||
           str_starts(address, "169.254.");
}

/* The management address is the one of an interface with a way out. */
static void put_addresses(const struct map *m)
{
    const struct cim_list *l = &m->s->lists[SIGHT_ADDRESS];
    struct kvp_addresses set = { .n = 0 };
    const char *first = NULL, *routed = NULL;

    if (!sight_has(m->s, SIGHT_ADDRESS))
        return;
    for (size_t i = 0; i < l->count; i++) {
        const struct cim_instance *o = l->items[i];
        unsigned n = cim_count(o, P(Win32_NetworkAdapterConfiguration, IPAddress));
        bool way_out = cim_has(o, P(Win32_NetworkAdapterConfiguration, DefaultIPGateway));

        for (unsigned k = 0; k < n; k++) {
            const char *a = cim_str_at(o, P(Win32_NetworkAdapterConfiguration, IPAddress), k);

            if (!a || link_local(a))
                continue;
            kvp_add_address(&set, a);
            if (!strchr(a, ':') && way_out && !routed)
                routed = a;
        }
    }
    for (size_t i = 0; i < set.n && !first; i++)
        if (!strchr(set.items[i], ':'))
            first = set.items[i];
    pv_host_addresses(m->b, set.items, set.n);
    pv_host_management_ip(m->b, routed ? routed : first ? first : set.n ? set.items[0] : NULL);
}

static void put_limits(const struct map *m)
{
    const struct cim_instance *o = sight_first(m->s, SIGHT_MIGRATION);
    uint64_t n;

    /* Nested virtualisation came with Windows Server 2016. */
    pv_host_virt_nested(m->b, m->w->build == 0       ? PV_SUPPORT_UNKNOWN
                              : m->w->build >= 14393 ? PV_SUPPORT_YES
                                                     : PV_SUPPORT_NO);
    if (!o)
        return;
    if (!cim_bool(o, P(Msvm_VirtualSystemMigrationServiceSettingData, EnableVirtualSystemMigration)))
        pv_host_limit_live_migrations(m->b, 0);
    else if (cim_get_uint(o, P(Msvm_VirtualSystemMigrationServiceSettingData,
                               MaximumActiveVirtualSystemMigration), &n))
        pv_host_limit_live_migrations(m->b, n);
    if (cim_get_uint(o, P(Msvm_VirtualSystemMigrationServiceSettingData,
                          MaximumActiveStorageMigration), &n))
        pv_host_limit_storage_migrations(m->b, n);
}

/* Whoever moves a VM here from another host wants to know why that would fail (op_move.c). */
static void put_migration(const struct map *m)
{
    const struct cim_instance *set = sight_first(m->s, SIGHT_MIGRATION);
    const struct cim_instance *service = sight_first(m->s, SIGHT_MIGRATION_SERVICE);
    const char *at;
    struct jsonw w;
    struct buf text;

    if (!set)
        return;
    buf_init(&text, JSON_MOST);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_object(&w, "live_migration");
    jsonw_bool(&w, "enabled",
               cim_bool(set, P(Msvm_VirtualSystemMigrationServiceSettingData,
                               EnableVirtualSystemMigration)));
    jsonw_str(&w, "authentication",
              cim_uint(set, P(Msvm_VirtualSystemMigrationServiceSettingData, AuthenticationType))
                  ? "kerberos"
                  : "credssp");
    if (service) {
        jsonw_array(&w, "addresses");
        for (unsigned i = 0; i < LISTS_MOST; i++) {
            at = cim_str_at(service, P(Msvm_VirtualSystemMigrationService,
                                       MigrationServiceListenerIPAddressList), i);
            if (!at)
                break;
            jsonw_str(&w, NULL, at);
        }
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    if (buf_ok(&text))
        pv_host_native_extra(m->b, text.data);
    buf_free(&text);
}

/* Paused is what a node is while its VMs are elsewhere for maintenance. */
static void put_cluster(const struct map *m)
{
    const struct cim_list *l = &m->s->lists[SIGHT_NODE];
    bool paused = false;

    if (m->w->cluster_id)
        pv_host_cluster(m->b, m->w->cluster_id);
    else if (sight_has(m->s, SIGHT_COMPUTER))
        PV_CLEAR(m->b, host, cluster);
    for (size_t i = 0; i < l->count; i++)
        if (sight_same(cim_str(l->items[i], P(MSCluster_Node, Name)), m->w->host_name))
            paused = cim_uint(l->items[i], P(MSCluster_Node, State)) == 2;
    pv_host_maintenance_mode(m->b, paused);
}

static void put_places(const struct map *m)
{
    const char *items[LISTS_MOST];
    size_t n = 0;

    for (size_t i = 0; i < m->w->nswitches && n < LISTS_MOST; i++)
        items[n++] = m->w->switches[i].id;
    if (sight_has(m->s, SIGHT_SWITCH))
        pv_host_switches(m->b, items, n);
    n = 0;
    for (size_t i = 0; i < m->w->nplaces && n < LISTS_MOST; i++) {
        size_t k = 0;

        /* Each volume has several names; those without a place in the tree are no datastores. */
        if (str_starts(m->w->places[i].prefix, "\\\\?\\"))
            continue;
        while (k < n && strcmp(items[k], m->w->places[i].id) != 0)
            k++;
        if (k == n)
            items[n++] = m->w->places[i].id;
    }
    qsort(items, n, sizeof(items[0]), by_text);
    if (sight_has(m->s, SIGHT_VOLUME))
        pv_host_datastores(m->b, items, n);
}

static void put_health(const struct map *m)
{
    static const char *const stopped[] = { "vmms_stopped" };
    bool runs = inventory_vmms_runs(m->s);

    pv_host_health(m->b, runs ? PV_HEALTH_OK : PV_HEALTH_CRITICAL);
    pv_host_health_reasons(m->b, stopped, runs ? 0 : 1);
}

void map_host(const struct map *m)
{
    const struct cim_instance *os = sight_first(m->s, SIGHT_OS);
    int64_t ms;

    pv_host_begin(m->b, m->w->host_id, m->w->host_uuid);
    pv_host_name(m->b, m->w->host_name);
    pv_host_native_type(m->b, "Win32_ComputerSystem");
    pv_host_connection_state(m->b, PV_CONNECTION_STATE_CONNECTED);
    pv_host_power_state(m->b, PV_HOST_POWER_ON);
    put_product(m, os);
    put_hardware(m);
    put_addresses(m);
    put_limits(m);
    put_migration(m);
    put_cluster(m);
    put_places(m);
    put_health(m);
    if (cim_get_time(os, OS(LastBootUpTime), &ms))
        pv_host_boot_time(m->b, ms);
    map_host_parts(m);
}

void map_host_usage(const struct map *m)
{
    const struct cim_instance *os = sight_first(m->s, SIGHT_OS);
    const struct cim_instance *cpu = sight_first(m->s, SIGHT_CPU_LOAD);
    uint64_t total, left, pct;
    int64_t boot;

    if (!os)
        return;
    pv_usage_begin(m->b, m->w->host_id, NULL);
    pv_usage_subject_kind(m->b, (uint64_t)PV_KIND_host);
    pv_usage_time(m->b, m->now_ms);
    /* What Windows counts itself (Win32_Processor) is the root partition's share alone. */
    if (cim_get_uint(cpu,
                     P(Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor,
                       PercentTotalRunTime),
                     &pct))
        pv_usage_cpu_usage_pct(m->b, pct < 100 ? pct : 100);
    if (cim_get_uint(os, OS(TotalVisibleMemorySize), &total) &&
        cim_get_uint(os, OS(FreePhysicalMemory), &left) && left <= total &&
        total < UINT64_C(1) << 43)
        pv_usage_mem_usage_bytes(m->b, (total - left) << 10);
    if (cim_get_time(os, OS(LastBootUpTime), &boot) && boot > 0 && boot < m->now_ms)
        pv_usage_uptime_s(m->b, (uint64_t)(m->now_ms - boot) / 1000);
}
