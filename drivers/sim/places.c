/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code, *city;
} sites[] = {
    { "fra", "Frankfurt" }, { "ams", "Amsterdam" },  { "ber", "Berlin" },   { "vie", "Vienna" },
    { "zrh", "Zurich" },    { "lon", "London" },     { "par", "Paris" },    { "mad", "Madrid" },
    { "mil", "Milan" },     { "cph", "Copenhagen" }, { "osl", "Oslo" },     { "waw", "Warsaw" },
    { "prg", "Prague" },    { "dub", "Dublin" },     { "hel", "Helsinki" }, { "lis", "Lisbon" },
    { "sin", "Singapore" },
};
#define SITES (sizeof(sites) / sizeof(sites[0]))

const struct sim_net sim_nets[SIM_NETS] = {
    [SIM_NET_MGMT] = { "Management", 0 }, [SIM_NET_PROD] = { "Production", 110 },
    [SIM_NET_DMZ] = { "DMZ", 120 },       [SIM_NET_DB] = { "Database", 130 },
    [SIM_NET_VDI] = { "Desktops", 140 },  [SIM_NET_BACKUP] = { "Backup", 199 },
};

/* Units are shared out to datacenters, hosts to units, in runs of about the same length. */
uint32_t sim_host_unit(const struct sim_estate *e, uint32_t host)
{
    return (uint32_t)((uint64_t)host * e->units / e->set.hosts);
}

uint32_t sim_unit_first(const struct sim_estate *e, uint32_t unit)
{
    return (uint32_t)(((uint64_t)unit * e->set.hosts + e->units - 1) / e->units);
}

uint32_t sim_unit_datacenter(const struct sim_estate *e, uint32_t unit)
{
    return e->set.datacenters ? (uint32_t)((uint64_t)unit * e->set.datacenters / e->units) : 0;
}

/* "ams" in "hv-ams-01"; SITES: none. */
static size_t site_named(const char *label)
{
    for (size_t i = 0; i < SITES; i++) {
        const char *at = strstr(label, sites[i].code);

        if (at && (at == label || at[-1] == '-') && (at[3] == '-' || at[3] == '\0'))
            return i;
    }
    return SITES;
}

static size_t site_of(const struct sim_estate *e, uint32_t datacenter)
{
    size_t first = site_named(e->set.label);

    if (first == SITES)
        first = (size_t)(sim_roll(e, SIM_SITE, 0) % SITES);
    return (first + datacenter) % SITES;
}

const char *sim_unit_site(const struct sim_estate *e, uint32_t unit)
{
    return sites[site_of(e, sim_unit_datacenter(e, unit))].code;
}

void sim_datacenter_name(const struct sim_estate *e, uint32_t n, char *out, size_t cap)
{
    const char *city = sites[site_of(e, n)].city;

    if (n < SITES)
        snprintf(out, cap, "%s", city);
    else
        snprintf(out, cap, "%s %u", city, (unsigned)(n / SITES + 1));
}

static bool rests_by_seed(const struct sim_estate *e, uint32_t host)
{
    uint32_t unit = sim_host_unit(e, host);
    uint32_t first = sim_unit_first(e, unit), count = sim_unit_first(e, unit + 1) - first;

    /* At most one of a cluster, and only where others can take its VMs. */
    return count >= 4 && sim_chance(sim_roll(e, SIM_MACHINE, (uint64_t)unit << 32), 200) &&
           host == first + sim_roll(e, SIM_MACHINE, (uint64_t)unit << 32) % count;
}

bool sim_host_in_maintenance(const struct sim_estate *e, uint32_t host)
{
    uint8_t rest = e->rests[host];

    return rest == SIM_REST_SEED ? rests_by_seed(e, host) : rest == SIM_REST_ON;
}

uint32_t sim_unit_host(const struct sim_estate *e, uint32_t unit, uint64_t start)
{
    uint32_t first = sim_unit_first(e, unit), count = sim_unit_first(e, unit + 1) - first;
    uint32_t host = first + (uint32_t)(start % count);

    /* Where all rest, it stays where it is. */
    for (uint32_t i = 0; i < count && sim_host_in_maintenance(e, host); i++)
        host = first + (uint32_t)((start + i + 1) % count);
    return host;
}

uint32_t sim_host_to_run(const struct sim_estate *e, uint32_t host)
{
    uint32_t unit = sim_host_unit(e, host);

    return sim_host_in_maintenance(e, host) ? sim_unit_host(e, unit, host - sim_unit_first(e, unit))
                                            : host;
}

uint32_t sim_switch_count(const struct sim_estate *e)
{
    return sim_is_vmware(e) ? e->units : e->set.hosts;
}

uint32_t sim_host_switch(const struct sim_estate *e, uint32_t host)
{
    return sim_is_vmware(e) ? sim_host_unit(e, host) : host;
}

void sim_host_name(const struct sim_estate *e, uint32_t n, char *out, size_t cap)
{
    const char *site = sim_unit_site(e, sim_host_unit(e, n));

    if (sim_is_vmware(e))
        snprintf(out, cap, "esx-%s-%02u.corp.example", site, (unsigned)n + 1);
    else if (e->set.hosts == 1 && e->set.label[0])
        snprintf(out, cap, "%s.corp.example", e->set.label);
    else /* Hyper-V hosts of several providers stand side by side: the seed tells them apart. */
        snprintf(out, cap, "hv-%s-%02u.corp.example", site,
                 (unsigned)(sim_roll(e, SIM_SITE, 1) % 90 + 10 + n));
}

void sim_store_name(const struct sim_estate *e, uint32_t n, char *out, size_t cap)
{
    uint32_t unit = n / e->stores_per_unit, k = n % e->stores_per_unit;

    if (sim_is_vmware(e))
        snprintf(out, cap, "%s-%s-%02u", sim_unit_site(e, unit), k % 4 == 3 ? "nfs" : "vmfs",
                 (unsigned)n + 1);
    else if (e->set.clusters)
        snprintf(out, cap, "Volume%u", (unsigned)n + 1);
    else
        snprintf(out, cap, "VMs (%c:)", (int)('D' + k % 20));
}

void sim_store_root(const struct sim_estate *e, uint32_t n, char *out, size_t cap)
{
    char name[64];

    sim_store_name(e, n, name, sizeof(name));
    if (sim_is_vmware(e))
        snprintf(out, cap, "[%s] ", name);
    else if (e->set.clusters)
        snprintf(out, cap, "C:\\ClusterStorage\\%s\\", name);
    else
        snprintf(out, cap, "%c:\\VMs\\", (int)('D' + n % e->stores_per_unit % 20));
}
