/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/map_world.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define WORLD_MOST (32u << 20)
#define WORLD_FIRST 4096u

/* ------------------------------------------------------------------ paths */

const char *world_path(struct arena *a, const char *path)
{
    char *out;

    if (!path)
        return NULL;
    /* \\?\C:\x is C:\x, \\?\UNC\server\share is \\server\share; \\?\Volume{...}\ is a name of its
     * own. */
    if (strncmp(path, "\\\\?\\", 4) == 0 && strncasecmp(path + 4, "Volume{", 7) != 0) {
        if (strncasecmp(path + 4, "UNC\\", 4) == 0)
            out = arena_printf(a, "\\\\%s", path + 8);
        else
            out = arena_strdup(a, path + 4);
    } else {
        out = arena_strdup(a, path);
    }
    for (char *p = out; p && *p; p++)
        *p = *p == '/' ? '\\' : (char)tolower((unsigned char)*p);
    return out;
}

static const char *folder(struct arena *a, const char *path)
{
    const char *clean = world_path(a, path);

    return clean && !str_ends(clean, "\\") ? arena_printf(a, "%s\\", clean) : clean;
}

const char *world_share(struct arena *a, const char *path)
{
    const char *clean = world_path(a, path), *at;

    if (!clean || strncmp(clean, "\\\\", 2) != 0 || clean[2] == '?' || clean[2] == '.')
        return NULL;
    at = strchr(clean + 2, '\\');
    if (!at || at == clean + 2 || !at[1] || at[1] == '\\')
        return NULL;
    at = strchr(at + 1, '\\');
    return at ? arena_text(a, clean, (size_t)(at - clean) + 1) : arena_printf(a, "%s\\", clean);
}

const char *world_datastore(const struct world *w, struct arena *a, const char *path)
{
    const char *clean = world_path(a, path);

    for (size_t i = 0; clean && i < w->nplaces; i++)
        if (str_starts(clean, w->places[i].prefix))
            return w->places[i].id;
    return world_share(a, path);
}

/* ------------------------------------------------------------------ the host itself */

static const char *lower(struct arena *a, const char *text)
{
    char *out = text ? arena_strdup(a, text) : NULL;

    for (char *p = out; p && *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return out;
}

static void read_version(struct world *w, const char *version)
{
    char *end;

    if (!version)
        return;
    w->major = (unsigned)strtoul(version, &end, 10);
    if (*end == '.')
        w->minor = (unsigned)strtoul(end + 1, &end, 10);
    if (*end == '.')
        w->build = (uint32_t)strtoul(end + 1, NULL, 10);
}

static bool plausible_uuid(const char *text, char out[SIGHT_GUID])
{
    /* Boards without one say all zeros or all ones. */
    return sight_guid(text, 0, out) && strspn(out, "0-") != strlen(out) &&
           strspn(out, "f-") != strlen(out);
}

static void read_host(struct world *w, const struct sight *s, const char *fallback)
{
    const struct cim_instance *computer = sight_first(s, SIGHT_COMPUTER);
    const struct cim_instance *os = sight_first(s, SIGHT_OS), *cpu = sight_first(s, SIGHT_CPU);
    const struct cim_instance *product = sight_first(s, SIGHT_PRODUCT);
    const struct cim_instance *migration = sight_first(s, SIGHT_MIGRATION);
    const char *name = cim_str(computer, P(Win32_ComputerSystem, DNSHostName));
    const char *domain = cim_str(computer, P(Win32_ComputerSystem, Domain));
    char uuid[SIGHT_GUID];

    if (!name || !*name)
        name = cim_str(computer, P(Win32_ComputerSystem, Name));
    if (!name || !*name)
        name = cim_str(os, P(Win32_OperatingSystem, CSName));
    if (!name || !*name)
        name = fallback;
    w->host_name = arena_strdup(w->a, name);
    if (cim_bool(computer, P(Win32_ComputerSystem, PartOfDomain)) && domain && *domain &&
        !strchr(name, '.'))
        name = arena_printf(w->a, "%s.%s", name, domain);
    w->host_id = lower(w->a, name);
    if (plausible_uuid(cim_str(product, P(Win32_ComputerSystemProduct, UUID)), uuid))
        w->host_uuid = arena_strdup(w->a, uuid);
    w->mhz = cim_uint(cpu, P(Win32_Processor, MaxClockSpeed));
    w->threads = cim_uint(computer, P(Win32_ComputerSystem, NumberOfLogicalProcessors));
    w->memory_bytes = cim_uint(computer, P(Win32_ComputerSystem, TotalPhysicalMemory));
    w->sku = (uint32_t)cim_uint(os, P(Win32_OperatingSystem, OperatingSystemSKU));
    w->product_type = (uint32_t)cim_uint(os, P(Win32_OperatingSystem, ProductType));
    if (migration) {
        w->migration_off = !cim_bool(migration, P(Msvm_VirtualSystemMigrationServiceSettingData,
                                                  EnableVirtualSystemMigration));
        w->migration_credssp = cim_uint(migration, P(Msvm_VirtualSystemMigrationServiceSettingData,
                                                     AuthenticationType)) == 0;
    }
    if (cim_has(os, P(Win32_OperatingSystem, Caption)))
        w->product = arena_strdup(w->a, cim_str(os, P(Win32_OperatingSystem, Caption)));
    read_version(w, cim_str(os, P(Win32_OperatingSystem, Version)));
}

/* ------------------------------------------------------------------ places */

struct places {
    struct place *items;
    size_t n, room;
};

static void add_place(struct world *w, struct places *p, const char *prefix, const char *id)
{
    const char *clean = prefix && *prefix ? folder(w->a, prefix) : NULL;

    if (!clean || !id || p->n == p->room)
        return;
    p->items[p->n++] = (struct place){ clean, id };
}

static int longest_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    size_t i = strlen(x->prefix), j = strlen(y->prefix);

    return i > j ? -1 : i < j ? 1 : strcmp(x->prefix, y->prefix);
}

static bool same_folder(const char *a, const char *b)
{
    size_t i = a ? strlen(a) : 0, k = b ? strlen(b) : 0;

    while (i > 0 && a[i - 1] == '\\')
        i--;
    while (k > 0 && b[k - 1] == '\\')
        k--;
    return i > 0 && i == k && strncasecmp(a, b, i) == 0;
}

const struct cim_instance *world_shared_volume(const struct sight *s, const char *folder)
{
    const struct cim_list *l = &s->lists[SIGHT_CSV];

    for (size_t i = 0; i < l->count; i++)
        if (same_folder(cim_str(l->items[i], P(MSCluster_ClusterSharedVolume, Name)), folder))
            return l->items[i];
    return NULL;
}

/* Volumes by their GUID path, drive letter or folder; shared volumes of a cluster have a folder on
 * every node. */
static int read_places(struct world *w, const struct sight *s, struct pv_err *err)
{
    const struct cim_list *volumes = &s->lists[SIGHT_VOLUME], *csvs = &s->lists[SIGHT_CSV];
    const struct cim_list *shares = &s->lists[SIGHT_SHARE];
    struct places p = { .room = 2 * (volumes->count + csvs->count + shares->count) + 1 };

    p.items = arena_alloc(w->a, p.room * sizeof(*p.items));
    if (!p.items)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (size_t i = 0; i < volumes->count; i++) {
        const struct cim_instance *o = volumes->items[i];
        const char *id = lower(w->a, cim_str(o, P(Win32_Volume, DeviceID)));

        /* A node may know a shared volume by a GUID of its own; the folder is the same on all of
         * them. */
        if (world_shared_volume(s, cim_str(o, P(Win32_Volume, Name))))
            continue;
        add_place(w, &p, cim_str(o, P(Win32_Volume, DeviceID)), id);
        add_place(w, &p, cim_str(o, P(Win32_Volume, Name)), id);
    }
    for (size_t i = 0; i < csvs->count; i++) {
        const struct cim_instance *o = csvs->items[i];
        const char *id = lower(w->a, cim_str(o, P(MSCluster_ClusterSharedVolume, VolumeName)));

        add_place(w, &p, cim_str(o, P(MSCluster_ClusterSharedVolume, VolumeName)), id);
        add_place(w, &p, cim_str(o, P(MSCluster_ClusterSharedVolume, Name)), id);
    }
    for (size_t i = 0; i < shares->count; i++) {
        const struct cim_instance *o = shares->items[i];
        const char *id = world_share(w->a, cim_str(o, P(Win32_LogicalDisk, ProviderName)));

        add_place(w, &p, cim_str(o, P(Win32_LogicalDisk, DeviceID)), id);
    }
    qsort(p.items, p.n, sizeof(*p.items), longest_first);
    w->places = p.items;
    w->nplaces = p.n;
    return PV_OK;
}

/* ------------------------------------------------------------------ switches and roles */

static int by_switch_guid(const void *a, const void *b)
{
    return strcmp(((const struct world_switch *)a)->guid, ((const struct world_switch *)b)->guid);
}

static int by_role_guid(const void *a, const void *b)
{
    return strcmp(((const struct world_role *)a)->guid, ((const struct world_role *)b)->guid);
}

static int read_switches(struct world *w, const struct sight *s, struct pv_err *err)
{
    const struct cim_list *l = &s->lists[SIGHT_SWITCH];
    struct world_switch *all = arena_alloc(w->a, (l->count + 1) * sizeof(*all));
    size_t n = 0;

    if (!all)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (size_t i = 0; i < l->count; i++) {
        const char *id = cim_str(l->items[i], P(Msvm_VirtualEthernetSwitch, Name));
        const char *name = cim_str(l->items[i], P(Msvm_VirtualEthernetSwitch, ElementName));

        if (!sight_guid(id, 0, all[n].guid))
            continue;
        all[n].id = arena_strdup(w->a, id);
        all[n].name = arena_strdup(w->a, name ? name : id);
        n++;
    }
    qsort(all, n, sizeof(*all), by_switch_guid);
    w->switches = all;
    w->nswitches = n;
    return PV_OK;
}

static const struct cim_instance *group_named(const struct sight *s, const char *name)
{
    const struct cim_list *l = &s->lists[SIGHT_ROLE];

    for (size_t i = 0; name && i < l->count; i++)
        if (sight_same(cim_str(l->items[i], P(MSCluster_ResourceGroup, Name)), name))
            return l->items[i];
    return NULL;
}

static int read_roles(struct world *w, const struct sight *s, struct pv_err *err)
{
    const struct cim_list *l = &s->lists[SIGHT_CLUSTER_RESOURCE];
    struct world_role *all = arena_alloc(w->a, (l->count + 1) * sizeof(*all));
    size_t n = 0;

    if (!all)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (size_t i = 0; i < l->count; i++) {
        const struct cim_instance *o = l->items[i], *group;
        const struct cim_instance *more = cim_get_obj(o, P(MSCluster_Resource, PrivateProperties));
        const char *name = cim_str(o, P(MSCluster_Resource, OwnerGroup));
        uint64_t priority;

        if (!sight_same(cim_str(o, P(MSCluster_Resource, Type)), "Virtual Machine") ||
            !sight_guid(cim_str(more, P(MSCluster_Property, VmID)), 0, all[n].guid))
            continue;
        group = group_named(s, name);
        all[n].group = arena_strdup(w->a, name ? name : "");
        all[n].here =
            sight_same(cim_str(group, P(MSCluster_ResourceGroup, OwnerNode)), w->host_name);
        all[n].priority = cim_get_uint(group, P(MSCluster_ResourceGroup, Priority), &priority)
                              ? (uint32_t)priority
                              : UINT32_MAX;
        n++;
    }
    qsort(all, n, sizeof(*all), by_role_guid);
    w->roles = all;
    w->nroles = n;
    return PV_OK;
}

const struct world_switch *world_switch(const struct world *w, const char *guid)
{
    struct world_switch key = { .id = NULL };

    if (!sight_guid(guid, 0, key.guid) || w->nswitches == 0)
        return NULL;
    return bsearch(&key, w->switches, w->nswitches, sizeof(key), by_switch_guid);
}

const struct world_role *world_role(const struct world *w, const char *guid)
{
    struct world_role key = { .group = NULL };

    if (!sight_guid(guid, 0, key.guid) || w->nroles == 0)
        return NULL;
    return bsearch(&key, w->roles, w->nroles, sizeof(key), by_role_guid);
}

int world_new(const struct sight *s, const char *fallback_name, struct world **out,
              struct pv_err *err)
{
    const struct cim_instance *cluster = sight_first(s, SIGHT_CLUSTER);
    struct arena *a = arena_new(WORLD_FIRST, WORLD_MOST);
    struct world *w = a ? arena_alloc(a, sizeof(*w)) : NULL;
    const char *name;
    int rc;

    if (!w) {
        if (a)
            arena_free(a);
        return pv_fail(err, PV_ENOMEM, "no memory");
    }
    w->a = a;
    read_host(w, s, fallback_name);
    name = cim_str(cluster, P(MSCluster_Cluster, Fqdn));
    if (!name || !*name)
        name = cim_str(cluster, P(MSCluster_Cluster, Name));
    w->cluster_id = lower(a, name);
    rc = w->host_id && *w->host_id ? PV_OK : pv_fail(err, PV_EIO, "the host has no name");
    if (rc == PV_OK)
        rc = read_places(w, s, err);
    if (rc == PV_OK)
        rc = read_switches(w, s, err);
    if (rc == PV_OK)
        rc = read_roles(w, s, err);
    if (rc) {
        arena_free(a);
        return rc;
    }
    *out = w;
    return PV_OK;
}

void world_free(struct world *w)
{
    if (w)
        arena_free(w->a);
}
