/* SPDX-License-Identifier: Apache-2.0 */
/* Switches, and networks: one for each VLAN in use on a switch, and one without a VLAN. */
#include "drivers/wmi/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>

#define NETWORK_ID 64
#define UPLINKS_MOST 64
#define EXTENSIONS_MOST 32
#define NETWORKS_MOST 1024
#define NOTES_MOST 4096
#define VLAN_MOST 4094u

#define PORT(prop) P(Msvm_EthernetPortAllocationSettingData, prop)
#define VLAN(prop) P(Msvm_EthernetSwitchPortVlanSettingData, prop)

/* Trunks carry many VLANs: such a port stands in the network without one, and says itself which it carries. */
static unsigned vlan_of(const struct cim_instance *vlan)
{
    uint64_t mode = cim_uint(vlan, VLAN(OperationMode)), id = 0;

    if (mode == 1)
        id = cim_uint(vlan, VLAN(AccessVlanId));
    else if (mode == 3)
        id = cim_uint(vlan, VLAN(PrimaryVlanId));
    return id <= VLAN_MOST ? (unsigned)id : 0;
}

/* The switch that a port's HostResource names, or NULL. */
static const struct world_switch *switch_of(const struct map *m, const struct cim_instance *port)
{
    unsigned n = cim_count(port, PORT(HostResource));

    for (unsigned i = 0; i < n; i++) {
        const char *path = cim_str_at(port, PORT(HostResource), i);
        const struct cim_ref *ref =
            path && *path ? cim_ref_parse(m->s->a, path, CIM_NS_VIRTUALIZATION) : NULL;

        if (ref && cim_ref_is(ref, CIM(Msvm_VirtualEthernetSwitch)))
            return world_switch(m->w, cim_ref_key(ref, "Name"));
    }
    return NULL;
}

static void network_id(const struct world_switch *sw, unsigned vlan, char out[NETWORK_ID])
{
    if (vlan > 0)
        (void)snprintf(out, NETWORK_ID, "%s.%u", sw->id, vlan);
    else
        (void)snprintf(out, NETWORK_ID, "%s", sw->id);
}

static void put_network(const struct map *m, const struct world_switch *sw, unsigned vlan)
{
    char id[NETWORK_ID], name[300];

    network_id(sw, vlan, id);
    if (vlan > 0)
        (void)snprintf(name, sizeof(name), "%s VLAN %u", sw->name, vlan);
    else
        (void)snprintf(name, sizeof(name), "%s", sw->name);
    pv_network_begin(m->b, id, NULL);
    pv_network_name(m->b, name);
    pv_network_network_type(m->b, PV_NETWORK_TYPE_HYPERV_SWITCH);
    pv_network_native_type(m->b, "Msvm_VirtualEthernetSwitch");
    pv_network_switch_(m->b, sw->id);
    pv_network_vlan_mode(m->b, vlan > 0 ? PV_VLAN_MODE_ACCESS : PV_VLAN_MODE_UNTAGGED);
    if (vlan > 0)
        pv_network_vlan_id(m->b, vlan);
    else
        PV_CLEAR(m->b, network, vlan_id);
    pv_network_accessible(m->b, true);
    pv_network_hosts(m->b, &m->w->host_id, 1);
    pv_network_health(m->b, PV_HEALTH_OK);
}

const char *map_network_of(const struct map *m, const struct cim_instance *port,
                           const struct cim_instance *vlan)
{
    const struct world_switch *sw = port ? switch_of(m, port) : NULL;
    char id[NETWORK_ID];

    if (!sw)
        return NULL;
    network_id(sw, vlan_of(vlan), id);
    if (!m->whole && vlan_of(vlan) > 0)
        put_network(m, sw, vlan_of(vlan));
    return arena_strdup(m->s->a, id);
}

/* ------------------------------------------------------------------ networks in use */

struct used {
    uint64_t vlans[64]; /* bits 0 to 4095 */
};

static void mark_used(const struct map *m, struct used *used)
{
    const struct cim_list *ports = &m->s->lists[SIGHT_PORT];

    for (size_t i = 0; i < ports->count; i++) {
        const struct cim_instance *port = ports->items[i];
        const struct world_switch *sw = switch_of(m, port);
        const struct sight_owner *o = sw ? sight_owner(m->s, sight_id(port)) : NULL;
        unsigned vlan;

        /* Ports of checkpoints name VLANs that no adapter is in now. */
        if (!o || (sight_has(m->s, SIGHT_SETTINGS) && !sight_vm_settings(o)))
            continue;
        vlan = vlan_of(map_below(o, SIGHT_VLAN, sight_id(port)));
        used[sw - m->w->switches].vlans[vlan / 64] |= UINT64_C(1) << vlan % 64;
    }
}

void map_networks(const struct map *m)
{
    struct used *used = arena_alloc(m->s->a, (m->w->nswitches + 1) * sizeof(*used));
    const char *all[NETWORKS_MOST];
    size_t n = 0;

    if (!used)
        return;
    mark_used(m, used);
    for (size_t i = 0; i < m->w->nswitches; i++) {
        used[i].vlans[0] |= 1;
        for (unsigned vlan = 0; vlan <= VLAN_MOST; vlan++) {
            char id[NETWORK_ID];

            if (!(used[i].vlans[vlan / 64] >> vlan % 64 & 1))
                continue;
            put_network(m, &m->w->switches[i], vlan);
            network_id(&m->w->switches[i], vlan, id);
            if (n < NETWORKS_MOST)
                all[n++] = arena_strdup(m->s->a, id);
        }
    }
    if (sight_has(m->s, SIGHT_SWITCH))
        pv_host_networks(m->b, all, n);
}

/* ------------------------------------------------------------------ switches */

struct switch_ports {
    bool internal;
    const char *uplinks[UPLINKS_MOST];
    size_t nuplinks;
};

static const char *uplink_name(const struct map *m, const struct cim_ref *ref)
{
    const struct cim_list *l = &m->s->lists[SIGHT_UPLINK];
    const char *device = cim_ref_key(ref, "DeviceID");

    for (size_t i = 0; i < l->count; i++)
        if (sight_same(cim_str(l->items[i], P(Msvm_ExternalEthernetPort, DeviceID)), device))
            return cim_str(l->items[i], P(Msvm_ExternalEthernetPort, ElementName));
    return device;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What its own ports lead to says what a switch is: a physical adapter, the host itself, or nothing but VMs. */
static void look_at_ports(const struct map *m, const struct sight_owner *o,
                          struct switch_ports *out)
{
    *out = (struct switch_ports){ .internal = false };
    for (const struct sight_item *i = o ? o->lists[SIGHT_PORT] : NULL; i; i = i->next) {
        unsigned n = cim_count(i->o, PORT(HostResource));

        for (unsigned k = 0; k < n; k++) {
            const char *path = cim_str_at(i->o, PORT(HostResource), k);
            const struct cim_ref *ref =
                path && *path ? cim_ref_parse(m->s->a, path, CIM_NS_VIRTUALIZATION) : NULL;

            if (!ref)
                continue;
            if (cim_ref_is(ref, CIM(Msvm_ComputerSystem)))
                out->internal = true;
            else if (strstr(ref->cls, "EthernetPort") && out->nuplinks < UPLINKS_MOST)
                out->uplinks[out->nuplinks++] = uplink_name(m, ref);
        }
    }
    qsort(out->uplinks, out->nuplinks, sizeof(out->uplinks[0]), by_text);
}

static void put_extensions(const struct map *m, const char *guid)
{
    const struct cim_list *l = &m->s->lists[SIGHT_EXTENSION];
    const char *names[EXTENSIONS_MOST];
    char own[SIGHT_GUID];
    size_t n = 0;

    if (!sight_has(m->s, SIGHT_EXTENSION))
        return;
    for (size_t i = 0; i < l->count && n < EXTENSIONS_MOST; i++) {
        const struct cim_instance *o = l->items[i];
        const char *name = cim_str(o, P(Msvm_EthernetSwitchExtension, ElementName));

        if (sight_guid(cim_str(o, P(Msvm_EthernetSwitchExtension, SystemName)), 0, own) &&
            strcmp(own, guid) == 0 && name && *name)
            names[n++] = name;
    }
    qsort(names, n, sizeof(names[0]), by_text);
    pv_switch_extensions(m->b, names, n);
}

static void put_notes(const struct map *m, const struct cim_instance *settings)
{
    unsigned n = cim_count(settings, P(Msvm_VirtualEthernetSwitchSettingData, Notes));
    struct buf text;

    if (!settings)
        return;
    buf_init(&text, NOTES_MOST);
    for (unsigned i = 0; i < n; i++) {
        const char *line = cim_str_at(settings, P(Msvm_VirtualEthernetSwitchSettingData, Notes), i);

        if (line && *line)
            buf_printf(&text, text.len ? "\n%s" : "%s", line);
    }
    if (buf_ok(&text))
        pv_switch_annotation(m->b, text.data ? text.data : "");
    buf_free(&text);
}

static void put_mtu(const struct map *m, const struct switch_ports *ports)
{
    const struct cim_list *l = &m->s->lists[SIGHT_UPLINK];
    uint64_t mtu, least = 0;

    for (size_t i = 0; i < l->count; i++)
        for (size_t k = 0; k < ports->nuplinks; k++)
            if (sight_same(cim_str(l->items[i], P(Msvm_ExternalEthernetPort, ElementName)),
                           ports->uplinks[k]) &&
                cim_get_uint(l->items[i],
                             P(Msvm_ExternalEthernetPort, ActiveMaximumTransmissionUnit), &mtu) &&
                mtu > 0 && (least == 0 || mtu < least))
                least = mtu;
    if (least > 0)
        pv_switch_mtu(m->b, least);
}

static void map_switch(const struct map *m, const struct world_switch *sw)
{
    const struct sight_owner *o = sight_owner(m->s, sw->guid);
    const struct cim_instance *own = sight_one(o, SIGHT_SWITCH);
    const struct cim_instance *settings = sight_one(o, SIGHT_SWITCH_SETTING);
    struct switch_ports ports;
    uint64_t health;

    look_at_ports(m, o, &ports);
    pv_switch_begin(m->b, sw->id, NULL);
    pv_switch_name(m->b, sw->name);
    pv_switch_native_type(m->b, "Msvm_VirtualEthernetSwitch");
    pv_switch_host(m->b, m->w->host_id);
    if (sight_has(m->s, SIGHT_PORT)) {
        pv_switch_switch_type(m->b, ports.nuplinks > 0 ? PV_SWITCH_TYPE_EXTERNAL
                                    : ports.internal   ? PV_SWITCH_TYPE_INTERNAL
                                                       : PV_SWITCH_TYPE_PRIVATE);
        pv_switch_uplinks(m->b, ports.uplinks, ports.nuplinks);
        pv_switch_management_os(m->b, ports.internal);
    }
    put_mtu(m, &ports);
    if (cim_bool(settings, P(Msvm_VirtualEthernetSwitchSettingData, TeamingEnabled)))
        pv_switch_teaming(m->b, "switch_embedded");
    else if (settings)
        PV_CLEAR(m->b, switch, teaming);
    put_extensions(m, sw->guid);
    put_notes(m, settings);
    if (cim_get_uint(own, P(Msvm_VirtualEthernetSwitch, HealthState), &health))
        pv_switch_health(m->b, health >= 25   ? PV_HEALTH_CRITICAL
                               : health >= 10 ? PV_HEALTH_WARNING
                                              : PV_HEALTH_OK);
}

void map_switches(const struct map *m)
{
    for (size_t i = 0; i < m->w->nswitches; i++)
        map_switch(m, &m->w->switches[i]);
}

const char *map_uplink_switch(const struct map *m, const char *name)
{
    struct switch_ports ports;

    for (size_t i = 0; i < m->w->nswitches; i++) {
        look_at_ports(m, sight_owner(m->s, m->w->switches[i].guid), &ports);
        for (size_t k = 0; k < ports.nuplinks; k++)
            if (sight_same(ports.uplinks[k], name))
                return m->w->switches[i].id;
    }
    return NULL;
}
