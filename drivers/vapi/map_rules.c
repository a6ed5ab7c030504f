/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a cluster: ClusterConfigInfoEx.rule, and the groups of VMs and
 * hosts that some of them name. A rule is known by its key, by which it is
 * changed and removed, too.
 */
#include "drivers/vapi/map.h"

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#define MEMBERS_MOST 4096

static enum pv_rule_type type_of(const char *vim)
{
    return str_eq(vim, "ClusterAffinityRuleSpec")       ? PV_RULE_TYPE_KEEP_TOGETHER
           : str_eq(vim, "ClusterAntiAffinityRuleSpec") ? PV_RULE_TYPE_SEPARATE
           : str_eq(vim, "ClusterVmHostRuleInfo")       ? PV_RULE_TYPE_VM_HOST
           : str_eq(vim, "ClusterDependencyRuleInfo")   ? PV_RULE_TYPE_DEPENDENCY
                                                        : PV_RULE_TYPE_UNKNOWN;
}

/* Repeated elements with references; a group that is not there has none. */
static size_t references(const xmlNode *parent, const char *name, const char **out)
{
    size_t n = 0;

    for (const xmlNode *one = xml_child(parent, NULL, name); one && n < MEMBERS_MOST;
         one = xml_next_named(one, NULL, name))
        if (value_text(one))
            out[n++] = value_text(one);
    return n;
}

static const xmlNode *group_named(const xmlNode *config, const char *name)
{
    for (const xmlNode *g = xml_child(config, NULL, "group"); name && g;
         g = xml_next_named(g, NULL, "group"))
        if (str_eq(value_field(g, "name"), name))
            return g;
    return NULL;
}

static void put_vm_host(const struct map *m, const xmlNode *config, const xmlNode *rule,
                        const char **ids)
{
    const char *vms = value_field(rule, "vmGroupName");
    const char *on = value_field(rule, "affineHostGroupName");
    const char *off = value_field(rule, "antiAffineHostGroupName");
    const char *hosts = on ? on : off;

    pv_cluster_rule_vm_group(m->b, vms);
    pv_cluster_rule_host_group(m->b, hosts);
    pv_cluster_rule_placement(m->b, on    ? PV_RULE_PLACEMENT_ON_HOSTS
                                    : off ? PV_RULE_PLACEMENT_NOT_ON_HOSTS
                                          : PV_RULE_PLACEMENT_UNKNOWN);
    pv_cluster_rule_vms(m->b, ids, references(group_named(config, vms), "vm", ids));
    pv_cluster_rule_hosts(m->b, ids, references(group_named(config, hosts), "host", ids));
}

static void put_dependency(const struct map *m, const xmlNode *config, const xmlNode *rule,
                           const char **ids)
{
    const char *vms = value_field(rule, "vmGroup");
    const char *first = value_field(rule, "dependsOnVmGroup");

    pv_cluster_rule_vm_group(m->b, vms);
    pv_cluster_rule_depends_on_group(m->b, first);
    pv_cluster_rule_vms(m->b, ids, references(group_named(config, vms), "vm", ids));
    pv_cluster_rule_depends_on(m->b, ids, references(group_named(config, first), "vm", ids));
}

static void put_rule(const struct map *m, const xmlNode *config, const xmlNode *rule,
                     const char **ids)
{
    enum pv_rule_type type = type_of(xml_xsi_type(rule));
    const char *key = value_field(rule, "key");
    bool yes = false;

    if (!key)
        return;
    pv_cluster_rule_begin(m->b, key, NULL);
    pv_cluster_rule_name(m->b, value_field(rule, "name"));
    pv_cluster_rule_rule_type(m->b, type);
    if (value_field_bool(rule, "enabled", &yes))
        pv_cluster_rule_enabled(m->b, yes);
    pv_cluster_rule_mandatory(m->b, value_field_bool(rule, "mandatory", &yes) && yes);
    if (value_field_bool(rule, "inCompliance", &yes))
        pv_cluster_rule_in_compliance(m->b, yes);
    else
        PV_CLEAR(m->b, cluster_rule, in_compliance);
    if (type == PV_RULE_TYPE_VM_HOST)
        put_vm_host(m, config, rule, ids);
    else if (type == PV_RULE_TYPE_DEPENDENCY)
        put_dependency(m, config, rule, ids);
    else
        pv_cluster_rule_vms(m->b, ids, references(rule, "vm", ids));
}

void map_cluster_rules(const struct map *m, const xmlNode *config)
{
    static _Thread_local const char *ids[MEMBERS_MOST];
    const xmlNode *rule = xml_child(config, NULL, "rule");

    if (!rule)
        pv_cluster_rule_none(m->b);
    for (; rule; rule = xml_next_named(rule, NULL, "rule"))
        put_rule(m, config, rule, ids);
}
