/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of a failover cluster: roles that have a name in AntiAffinityClassNames in common are to be
 * on different nodes (groups-antiaffinityclassnames of Microsoft's cluster API); preferred owners
 * of a role are a wish, possible owners of its VM (where these are not all nodes) a must.
 */
#include "drivers/wmi/map.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#define GROUP(prop) P(MSCluster_ResourceGroup, prop)
#define VMS_MOST 8000
#define NAMES_MOST 250

struct rules {
    const struct map *m;
    const char **ids; /* VMS_MOST of them */
    size_t count;
};

/* VMs of a role that are on this host; ids are the arena's. */
static size_t add_vms(struct rules *r, const char *group, size_t n)
{
    const struct world *w = r->m->w;

    for (size_t i = 0; i < w->nroles && n < VMS_MOST; i++) {
        char *id;

        if (!w->roles[i].here || !sight_same(w->roles[i].group, group))
            continue;
        id = arena_alloc(r->m->s->a, SIGHT_GUID);
        if (!id)
            return n;
        map_upper(w->roles[i].guid, id);
        r->ids[n++] = id;
    }
    return n;
}

static bool is_vm_role(const struct rules *r, const char *group)
{
    const struct world *w = r->m->w;

    for (size_t i = 0; i < w->nroles; i++)
        if (sight_same(w->roles[i].group, group))
            return true;
    return false;
}

static bool begin(struct rules *r, const char *what, const char *name, enum pv_rule_type type)
{
    char key[512];
    int n = snprintf(key, sizeof(key), "%s:%s", what, name);

    if (n < 0 || (size_t)n >= sizeof(key))
        return false;
    r->count++;
    pv_cluster_rule_begin(r->m->b, key, NULL);
    pv_cluster_rule_name(r->m->b, name);
    pv_cluster_rule_rule_type(r->m->b, type);
    pv_cluster_rule_enabled(r->m->b, 1);
    return true;
}

/* ------------------------------------------------------------------ to be apart */

static bool has_class(const struct cim_instance *group, const char *name, unsigned most)
{
    unsigned n = cim_count(group, GROUP(AntiAffinityClassNames));

    for (unsigned k = 0; k < n && k < most; k++)
        if (sight_same(cim_str_at(group, GROUP(AntiAffinityClassNames), k), name))
            return true;
    return false;
}

/* The class was met before: at another group, or earlier at this one. */
static bool met(const struct cim_list *l, size_t i, unsigned k, const char *name)
{
    for (size_t before = 0; before < i; before++)
        if (has_class(l->items[before], name, UINT32_MAX))
            return true;
    return has_class(l->items[i], name, k);
}

static void put_separate(struct rules *r, const struct cim_list *l, size_t first, const char *name)
{
    uint64_t enforced = 0;
    size_t n = 0;

    if (!begin(r, "separate", name, PV_RULE_TYPE_SEPARATE))
        return;
    (void)cim_get_uint(sight_first(r->m->s, SIGHT_CLUSTER),
                       P(MSCluster_Cluster, ClusterEnforcedAntiAffinity), &enforced);
    pv_cluster_rule_mandatory(r->m->b, enforced != 0);
    for (size_t i = first; i < l->count; i++)
        if (has_class(l->items[i], name, UINT32_MAX))
            n = add_vms(r, cim_str(l->items[i], GROUP(Name)), n);
    pv_cluster_rule_vms(r->m->b, r->ids, n);
}

static void put_classes(struct rules *r)
{
    const struct cim_list *l = &r->m->s->lists[SIGHT_ROLE];

    for (size_t i = 0; i < l->count; i++) {
        unsigned n = cim_count(l->items[i], GROUP(AntiAffinityClassNames));

        for (unsigned k = 0; k < n; k++) {
            const char *name = cim_str_at(l->items[i], GROUP(AntiAffinityClassNames), k);

            if (name && *name && !met(l, i, k, name))
                put_separate(r, l, i, name);
        }
    }
}

/* ------------------------------------------------------------------ where a role belongs */

/* A role, and the nodes that were named with it. */
struct owners {
    const char *role;
    char names[NAMES_MOST];
    size_t count;
    bool here;
};

static void note_owner(struct rules *r, struct owners *o, const char *node)
{
    size_t used = strlen(o->names);

    if (used + strlen(node) + 3 < sizeof(o->names))
        (void)snprintf(o->names + used, sizeof(o->names) - used, used ? ", %s" : "%s", node);
    o->count++;
    o->here = o->here || sight_same(node, r->m->w->host_name);
}

static void put_owners(struct rules *r, const char *what, const struct owners *o, bool mandatory)
{
    if (!begin(r, what, o->role, PV_RULE_TYPE_VM_HOST))
        return;
    pv_cluster_rule_mandatory(r->m->b, mandatory);
    pv_cluster_rule_placement(r->m->b, PV_RULE_PLACEMENT_ON_HOSTS);
    pv_cluster_rule_host_group(r->m->b, o->names);
    pv_cluster_rule_vms(r->m->b, r->ids, add_vms(r, o->role, 0));
    pv_cluster_rule_hosts(r->m->b, &r->m->w->host_id, o->here);
}

/* The role of an association's row: its group, or the group of its resource, if that is a VM. */
static const char *role_of(const struct rules *r, const struct cim_instance *row, bool possible)
{
    const struct cim_list *l = &r->m->s->lists[SIGHT_CLUSTER_RESOURCE];
    const char *name = cim_ref_key(
        possible ? cim_get_ref(row, P(MSCluster_ResourceToPossibleOwner, GroupComponent))
                 : cim_get_ref(row, P(MSCluster_ResourceGroupToPreferredNode, GroupComponent)),
        "Name");

    if (!possible)
        return name && is_vm_role(r, name) ? name : NULL;
    for (size_t i = 0; name && i < l->count; i++)
        if (sight_same(cim_str(l->items[i], P(MSCluster_Resource, Name)), name))
            return sight_same(cim_str(l->items[i], P(MSCluster_Resource, Type)), "Virtual Machine")
                       ? cim_str(l->items[i], P(MSCluster_Resource, OwnerGroup))
                       : NULL;
    return NULL;
}

static const char *node_of(const struct cim_instance *row, bool possible)
{
    return cim_ref_key(
        possible ? cim_get_ref(row, P(MSCluster_ResourceToPossibleOwner, PartComponent))
                 : cim_get_ref(row, P(MSCluster_ResourceGroupToPreferredNode, PartComponent)),
        "Name");
}

static void put_places(struct rules *r, enum sight_list list, bool possible)
{
    const struct cim_list *l = &r->m->s->lists[list];
    size_t nodes = r->m->s->lists[SIGHT_NODE].count, n = 0;
    struct owners *all = arena_alloc(r->m->s->a, (l->count + 1) * sizeof(*all));

    for (size_t i = 0; all && i < l->count; i++) {
        const char *role = role_of(r, l->items[i], possible);
        const char *node = node_of(l->items[i], possible);
        size_t k = 0;

        if (!role || !node)
            continue;
        while (k < n && !sight_same(all[k].role, role))
            k++;
        if (k == n)
            all[n++] = (struct owners){ .role = role };
        note_owner(r, &all[k], node);
    }
    for (size_t k = 0; k < n; k++)
        if (!possible || all[k].count < nodes)
            put_owners(r, possible ? "possible" : "preferred", &all[k], possible);
}

void map_cluster_rules(const struct map *m)
{
    struct rules r = { .m = m };

    if (!sight_has(m->s, SIGHT_ROLE) || !sight_has(m->s, SIGHT_CLUSTER_RESOURCE))
        return;
    r.ids = arena_alloc(m->s->a, VMS_MOST * sizeof(*r.ids));
    if (!r.ids)
        return;
    put_classes(&r);
    put_places(&r, SIGHT_PREFERRED, false);
    put_places(&r, SIGHT_POSSIBLE, true);
    if (r.count == 0)
        pv_cluster_rule_none(m->b);
}
