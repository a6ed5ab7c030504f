/* SPDX-License-Identifier: Apache-2.0 */
/* Controllers, disks, DVD drives and network adapters of a VM. */
#include "drivers/wmi/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "drivers/wmi/kvp.h"

#define STORES_MOST 64
#define NETS_MOST 64
#define VLAN_TEXT_MOST 1024
#define DEVICES_JSON_MOST 16384

#define RES(prop) P(Msvm_ResourceAllocationSettingData, prop)
#define SAN(prop) P(Msvm_StorageAllocationSettingData, prop)

enum { IDE = 5, SCSI = 6, FLOPPY = 14, CD = 15, DVD = 16, DISK = 17 };

struct devices {
    const struct map *m;
    const struct sight_owner *o;
    const struct cim_instance **resources, **media;
    size_t nresources, nmedia;
    const char *stores[STORES_MOST], *nets[NETS_MOST];
    size_t nstores, nnets;
    uint64_t provisioned, used;
    bool sizes_known, bytes_known, tracked;
};

static uint64_t type_of(const struct cim_instance *o)
{
    return cim_uint(o, RES(ResourceType));
}

static void add_text(const char **list, size_t *n, size_t most, const char *text)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(list[i], text) == 0)
            return;
    if (text && *n < most)
        list[(*n)++] = text;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ------------------------------------------------------------------ where a device hangs */

struct seat {
    bool found;
    enum pv_bus bus;
    uint64_t number, unit;
};

/* Host and namespace of a path do not count: only the key tells which object is meant. */
static const char *parent_id(const struct devices *d, const struct cim_instance *o)
{
    return sight_path_key(d->m->s->a, cim_str(o, RES(Parent)), "InstanceID");
}

/* Controllers of one type are numbered by InstanceID, for an enumeration has no order. */
static struct seat seat_of(const struct devices *d, const struct cim_instance *drive)
{
    const char *parent = parent_id(d, drive), *at = cim_str(drive, RES(AddressOnParent));
    struct seat s = { .found = false };
    uint64_t ide = 0, scsi = 0;

    for (size_t i = 0; parent && i < d->nresources; i++) {
        uint64_t type = type_of(d->resources[i]);

        if (type != IDE && type != SCSI)
            continue;
        if (sight_same(sight_id(d->resources[i]), parent)) {
            s.found = true;
            s.bus = type == IDE ? PV_BUS_IDE : PV_BUS_SCSI;
            s.number = type == IDE ? ide : scsi;
        }
        ide += type == IDE;
        scsi += type == SCSI;
    }
    if (!at || !str_u64(at, strlen(at), 255, &s.unit))
        s.unit = 0;
    return s;
}

static const struct cim_instance *medium_of(const struct devices *d,
                                            const struct cim_instance *drive)
{
    const char *id = sight_id(drive);

    for (size_t i = 0; i < d->nmedia; i++)
        if (sight_same(parent_id(d, d->media[i]), id))
            return d->media[i];
    return NULL;
}

/* ------------------------------------------------------------------ controllers */

static void map_controllers(struct devices *d)
{
    uint64_t ide = 0, scsi = 0;
    bool any = false;

    for (size_t i = 0; i < d->nresources; i++) {
        const struct cim_instance *o = d->resources[i];
        uint64_t type = type_of(o);

        if (type != IDE && type != SCSI)
            continue;
        any = true;
        pv_controller_begin(d->m->b, sight_id(o), NULL);
        pv_controller_label(d->m->b, cim_str(o, RES(ElementName)));
        pv_controller_bus(d->m->b, type == IDE ? PV_BUS_IDE : PV_BUS_SCSI);
        pv_controller_model(d->m->b, type == IDE ? "emulated" : "synthetic");
        pv_controller_number(d->m->b, type == IDE ? ide++ : scsi++);
    }
    if (!any)
        pv_controller_none(d->m->b);
}

/* ------------------------------------------------------------------ disks */

static enum pv_disk_format format_of(const char *path, unsigned told)
{
    if (told == 2)
        return PV_DISK_FORMAT_VHD;
    if (told == 3)
        return PV_DISK_FORMAT_VHDX;
    if (told == 4)
        return PV_DISK_FORMAT_VHDS;
    if (str_ends(path, ".vhdx") || str_ends(path, ".avhdx"))
        return PV_DISK_FORMAT_VHDX;
    if (str_ends(path, ".vhds"))
        return PV_DISK_FORMAT_VHDS;
    if (str_ends(path, ".vhd") || str_ends(path, ".avhd"))
        return PV_DISK_FORMAT_VHD;
    return PV_DISK_FORMAT_UNKNOWN;
}

static enum pv_provisioning layout_of(const char *path, unsigned told)
{
    switch (told) {
    case 2:
        return PV_PROVISIONING_FIXED;
    case 3:
        return PV_PROVISIONING_DYNAMIC;
    case 4:
        return PV_PROVISIONING_DIFFERENCING;
    default:
        return str_ends(path, ".avhdx") || str_ends(path, ".avhd") ? PV_PROVISIONING_DIFFERENCING
                                                                   : PV_PROVISIONING_UNKNOWN;
    }
}

static struct image *remember(const struct devices *d, const char *key, const char *path)
{
    struct image *im = d->m->images ? images_put(d->m->images, key, path) : NULL;

    if (im && d->m->whole)
        im->seen = d->m->listing;
    return im;
}

static void put_file(struct devices *d, const struct cim_instance *medium, const char *path)
{
    const char *key = world_path(d->m->s->a, path);
    const char *store = world_datastore(d->m->w, d->m->s->a, path);
    const struct image *im = key ? remember(d, key, path) : NULL;
    struct pv_builder *b = d->m->b;
    uint64_t n;

    if (!key)
        return;
    pv_disk_image_path(b, path);
    pv_disk_image_format(b, format_of(key, im ? im->format : 0));
    if (store) {
        pv_disk_image_datastore(b, store);
        add_text(d->stores, &d->nstores, STORES_MOST, store);
    } else {
        PV_CLEAR(b, disk, image_datastore);
    }
    d->tracked = d->tracked && format_of(key, im ? im->format : 0) == PV_DISK_FORMAT_VHDX;
    if (im && im->known) {
        pv_disk_image_provisioning(b, layout_of(key, im->type));
        pv_disk_capacity_bytes(b, im->capacity);
        if (im->disk_id[0])
            pv_disk_disk_uuid(b, im->disk_id);
        if (im->parent)
            pv_disk_image_parent(b, im->parent);
        else
            PV_CLEAR(b, disk, image_parent);
        d->provisioned += im->capacity;
        d->used += im->bytes;
        d->bytes_known = d->bytes_known && im->bytes > 0;
    } else {
        d->sizes_known = false;
        if (layout_of(key, 0) != PV_PROVISIONING_UNKNOWN)
            pv_disk_image_provisioning(b, layout_of(key, 0));
    }
    if (cim_get_uint(medium, SAN(IOPSLimit), &n) && n > 0)
        pv_disk_iops_limit(b, n);
    else
        PV_CLEAR(b, disk, iops_limit);
}

static void put_sharing(const struct devices *d, const struct cim_instance *medium, const char *key)
{
    if (key && str_ends(key, ".vhds"))
        pv_disk_sharing(d->m->b, PV_DISK_SHARING_VHD_SET);
    else if (cim_bool(medium, SAN(PersistentReservationsSupported)))
        pv_disk_sharing(d->m->b, PV_DISK_SHARING_SHARED_VHDX);
    else
        pv_disk_sharing(d->m->b, PV_DISK_SHARING_NONE);
}

static void put_seat(const struct devices *d, const struct cim_instance *drive, bool cdrom)
{
    struct seat s = seat_of(d, drive);

    if (cdrom) {
        pv_cdrom_bus(d->m->b, s.found ? s.bus : PV_BUS_UNKNOWN);
        pv_cdrom_unit(d->m->b, s.unit);
        if (s.found)
            pv_cdrom_bus_number(d->m->b, s.number);
        return;
    }
    pv_disk_bus(d->m->b, s.found ? s.bus : PV_BUS_UNKNOWN);
    pv_disk_unit(d->m->b, s.unit);
    if (s.found)
        pv_disk_bus_number(d->m->b, s.number);
}

static bool map_disk(struct devices *d, const struct cim_instance *drive)
{
    const struct cim_instance *medium = medium_of(d, drive);
    const char *subtype = cim_str(drive, RES(ResourceSubType));
    const char *path = cim_str_at(medium, SAN(HostResource), 0);
    struct pv_builder *b = d->m->b;

    pv_disk_begin(b, sight_id(drive), NULL);
    pv_disk_label(b, cim_str(drive, RES(ElementName)));
    put_seat(d, drive, false);
    pv_disk_mode(b, PV_DISK_MODE_DEPENDENT);
    if (sight_same(subtype, "Microsoft:Hyper-V:Physical Disk Drive")) {
        const char *lun = cim_str_at(drive, RES(HostResource), 0);
        const char *device = sight_path_key(d->m->s->a, lun, "DeviceID");

        pv_disk_passthrough_mode(b, "physical");
        pv_disk_passthrough_lun(b, device ? device : lun);
        pv_disk_mode(b, PV_DISK_MODE_INDEPENDENT_PERSISTENT);
        d->tracked = false;
        d->sizes_known = false;
    } else if (path && *path) {
        put_file(d, medium, path);
        put_sharing(d, medium, world_path(d->m->s->a, path));
    }
    return true;
}

static void map_disks(struct devices *d)
{
    bool any = false;

    for (size_t i = 0; i < d->nresources; i++)
        if (type_of(d->resources[i]) == DISK)
            any = map_disk(d, d->resources[i]);
    if (!any)
        pv_disk_none(d->m->b);
}

static void map_cdroms(struct devices *d)
{
    bool any = false;

    for (size_t i = 0; i < d->nresources; i++) {
        const struct cim_instance *drive = d->resources[i], *medium;
        const char *path, *store;

        if (type_of(drive) != DVD && type_of(drive) != CD)
            continue;
        any = true;
        medium = medium_of(d, drive);
        path = cim_str_at(medium, SAN(HostResource), 0);
        store = path && *path ? world_datastore(d->m->w, d->m->s->a, path) : NULL;
        pv_cdrom_begin(d->m->b, sight_id(drive), NULL);
        pv_cdrom_label(d->m->b, cim_str(drive, RES(ElementName)));
        put_seat(d, drive, true);
        if (path && *path)
            pv_cdrom_path(d->m->b, path);
        else
            PV_CLEAR(d->m->b, cdrom, path);
        if (store) {
            pv_cdrom_datastore(d->m->b, store);
            add_text(d->stores, &d->nstores, STORES_MOST, store);
        } else {
            PV_CLEAR(d->m->b, cdrom, datastore);
        }
        pv_cdrom_connected(d->m->b, path && *path);
        pv_cdrom_connect_at_power_on(d->m->b, path && *path);
    }
    if (!any)
        pv_cdrom_none(d->m->b);
}

/* ------------------------------------------------------------------ network adapters */

const struct cim_instance *map_below(const struct sight_owner *o, enum sight_list list,
                                     const char *id)
{
    size_t len = id ? strlen(id) : 0;

    for (const struct sight_item *i = o && id ? o->lists[list] : NULL; i; i = i->next) {
        const char *own = sight_id(i->o);

        if (own && strncasecmp(own, id, len) == 0 && own[len] == '\\')
            return i->o;
    }
    return NULL;
}

static const struct cim_instance *port_of(const struct devices *d, const struct cim_instance *nic)
{
    for (const struct sight_item *i = d->o->lists[SIGHT_PORT]; i; i = i->next)
        if (sight_same(parent_id(d, i->o), sight_id(nic)))
            return i->o;
    return NULL;
}

bool map_mac(const char *text, char out[18])
{
    char *to = out;
    size_t digits = 0;

    for (const char *p = text; p && *p && digits < 12; p++) {
        char c = *p >= 'a' && *p <= 'f' ? (char)(*p - 32) : *p;

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'F')))
            continue;
        if (digits > 0 && digits % 2 == 0)
            *to++ = ':';
        *to++ = c;
        digits++;
    }
    *to = '\0';
    return digits == 12;
}

static void put_mac(const struct devices *d, const struct cim_instance *nic)
{
    bool fixed = cim_bool(nic, P(Msvm_SyntheticEthernetPortSettingData, StaticMacAddress));
    char mac[18];

    pv_nic_mac_mode(d->m->b, fixed ? PV_MAC_MODE_STATIC : PV_MAC_MODE_AUTO);
    /* All zeros: the host chooses one when the VM first starts. */
    if (map_mac(cim_str(nic, RES(Address)), mac) && strcmp(mac, "00:00:00:00:00:00") != 0)
        pv_nic_mac(d->m->b, mac);
    else
        PV_CLEAR(d->m->b, nic, mac);
}

/* 1,2,3,10 as 1-3,10. */
static void put_trunk(const struct devices *d, const struct cim_instance *vlan)
{
    uint64_t first = 0, last = 0, id;
    struct buf text;
    unsigned n = cim_count(vlan, P(Msvm_EthernetSwitchPortVlanSettingData, TrunkVlanIdArray));

    buf_init(&text, VLAN_TEXT_MOST);
    for (unsigned i = 0; i <= n; i++) {
        bool more = i < n && cim_uint_at(vlan, P(Msvm_EthernetSwitchPortVlanSettingData,
                                                 TrunkVlanIdArray), i, &id);

        if (more && first > 0 && id == last + 1) {
            last = id;
            continue;
        }
        if (first > 0)
            buf_printf(&text, first == last ? "%s%u" : "%s%u-%u", text.len ? "," : "",
                       (unsigned)first, (unsigned)last);
        first = last = more ? id : 0;
    }
    if (buf_ok(&text))
        pv_nic_vlan_allowed(d->m->b, text.data ? text.data : "");
    buf_free(&text);
}

static void put_vlan(const struct devices *d, const struct cim_instance *vlan)
{
    uint64_t mode = cim_uint(vlan, P(Msvm_EthernetSwitchPortVlanSettingData, OperationMode));
    uint64_t id = cim_uint(vlan, P(Msvm_EthernetSwitchPortVlanSettingData, AccessVlanId));

    if (!sight_has(d->m->s, SIGHT_VLAN))
        return;
    if (mode == 2) {
        pv_nic_vlan_mode(d->m->b, PV_VLAN_MODE_TRUNK);
        pv_nic_vlan_id(d->m->b,
                       cim_uint(vlan, P(Msvm_EthernetSwitchPortVlanSettingData, NativeVlanId)));
        put_trunk(d, vlan);
        return;
    }
    PV_CLEAR(d->m->b, nic, vlan_allowed);
    if (mode == 3)
        id = cim_uint(vlan, P(Msvm_EthernetSwitchPortVlanSettingData, PrimaryVlanId));
    if (id == 0) {
        pv_nic_vlan_mode(d->m->b, PV_VLAN_MODE_UNTAGGED);
        PV_CLEAR(d->m->b, nic, vlan_id);
        return;
    }
    pv_nic_vlan_mode(d->m->b, PV_VLAN_MODE_ACCESS);
    pv_nic_vlan_id(d->m->b, id);
}

static void put_guards(const struct devices *d, const char *port)
{
    const struct cim_instance *guard = map_below(d->o, SIGHT_GUARD, port);
    const struct cim_instance *band = map_below(d->o, SIGHT_BANDWIDTH, port);
    uint64_t n;

    if (sight_has(d->m->s, SIGHT_GUARD)) {
        pv_nic_mac_spoofing(
            d->m->b, cim_bool(guard, P(Msvm_EthernetSwitchPortSecuritySettingData, AllowMacSpoofing)));
        pv_nic_dhcp_guard(
            d->m->b, cim_bool(guard, P(Msvm_EthernetSwitchPortSecuritySettingData, EnableDhcpGuard)));
        pv_nic_router_guard(d->m->b, cim_bool(guard, P(Msvm_EthernetSwitchPortSecuritySettingData,
                                                       EnableRouterGuard)));
    }
    if (!sight_has(d->m->s, SIGHT_BANDWIDTH))
        return;
    if (cim_get_uint(band, P(Msvm_EthernetSwitchPortBandwidthSettingData, Limit), &n) && n > 0)
        pv_nic_bandwidth_limit_bps(d->m->b, n);
    else
        PV_CLEAR(d->m->b, nic, bandwidth_limit_bps);
    if (cim_get_uint(band, P(Msvm_EthernetSwitchPortBandwidthSettingData, Reservation), &n) && n > 0)
        pv_nic_bandwidth_reservation_bps(d->m->b, n);
    else
        PV_CLEAR(d->m->b, nic, bandwidth_reservation_bps);
}

/* The configuration of a guest's adapter bears the GUIDs of VM and adapter. */
static void put_nic_addresses(const struct devices *d, const struct cim_instance *nic)
{
    struct kvp_addresses set = { .n = 0 };
    char own[SIGHT_GUID], other[SIGHT_GUID];

    if (!sight_has(d->m->s, SIGHT_GUEST_NET) || !sight_guid(sight_id(nic), 1, own))
        return;
    for (const struct sight_item *i = d->o->lists[SIGHT_GUEST_NET]; i; i = i->next) {
        unsigned n = cim_count(i->o, P(Msvm_GuestNetworkAdapterConfiguration, IPAddresses));

        if (!sight_guid(sight_id(i->o), 1, other) || strcmp(own, other) != 0)
            continue;
        for (unsigned k = 0; k < n; k++)
            kvp_add_address(&set, cim_str_at(i->o, P(Msvm_GuestNetworkAdapterConfiguration,
                                                     IPAddresses), k));
    }
    pv_nic_ip_addresses(d->m->b, set.items, set.n);
}

static void map_nic(struct devices *d, const struct cim_instance *nic, enum pv_adapter adapter)
{
    const struct cim_instance *port = port_of(d, nic);
    const struct cim_instance *vlan = map_below(d->o, SIGHT_VLAN, sight_id(port));
    const char *network = map_network_of(d->m, port, vlan);
    bool connected = network && (!cim_has(port, P(Msvm_EthernetPortAllocationSettingData,
                                                  EnabledState)) ||
                                 cim_uint(port, P(Msvm_EthernetPortAllocationSettingData,
                                                  EnabledState)) == 2);

    pv_nic_begin(d->m->b, sight_id(nic), NULL);
    pv_nic_label(d->m->b, cim_str(nic, RES(ElementName)));
    pv_nic_adapter(d->m->b, adapter);
    put_mac(d, nic);
    pv_nic_connected(d->m->b, connected);
    pv_nic_connect_at_power_on(d->m->b, connected);
    if (network) {
        pv_nic_network(d->m->b, network);
        add_text(d->nets, &d->nnets, NETS_MOST, network);
    } else {
        PV_CLEAR(d->m->b, nic, network);
    }
    put_vlan(d, vlan);
    put_guards(d, sight_id(port));
    put_nic_addresses(d, nic);
}

static void map_nics(struct devices *d)
{
    static const struct {
        enum sight_list list;
        enum pv_adapter adapter;
    } sorts[] = { { SIGHT_NIC, PV_ADAPTER_SYNTHETIC }, { SIGHT_LEGACY_NIC, PV_ADAPTER_LEGACY } };
    bool any = false;

    for (size_t k = 0; k < PV_COUNT(sorts); k++) {
        const struct cim_instance **nics;
        size_t n;

        if (sight_sorted(d->m->s, d->o, sorts[k].list, &nics, &n))
            return;
        for (size_t i = 0; i < n; i++) {
            map_nic(d, nics[i], sorts[k].adapter);
            any = true;
        }
    }
    if (!any)
        pv_nic_none(d->m->b);
}

/* ------------------------------------------------------------------ the rest */

static void put_other_devices(const struct devices *d)
{
    const struct cim_instance **serials;
    struct jsonw w;
    struct buf text;
    size_t n;

    if (!sight_has(d->m->s, SIGHT_SERIAL) ||
        sight_sorted(d->m->s, d->o, SIGHT_SERIAL, &serials, &n))
        return;
    buf_init(&text, DEVICES_JSON_MOST);
    jsonw_init(&w, &text);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < d->nresources; i++) {
        const struct cim_instance *o = d->resources[i];

        if (type_of(o) != FLOPPY)
            continue;
        jsonw_object(&w, NULL);
        jsonw_str(&w, "type", "floppy");
        jsonw_str(&w, "label", cim_str(o, RES(ElementName)));
        jsonw_str(&w, "image", cim_str_at(medium_of(d, o), SAN(HostResource), 0));
        jsonw_end(&w);
    }
    for (size_t i = 0; i < n; i++) {
        const char *to = cim_str_at(serials[i], P(Msvm_SerialPortSettingData, Connection), 0);

        jsonw_object(&w, NULL);
        jsonw_str(&w, "type", "serial_port");
        jsonw_str(&w, "label", cim_str(serials[i], P(Msvm_SerialPortSettingData, ElementName)));
        jsonw_str(&w, "pipe", to && *to ? to : NULL);
        jsonw_end(&w);
    }
    jsonw_end(&w);
    if (buf_ok(&text))
        pv_vm_other_devices(d->m->b, text.data);
    buf_free(&text);
}

static void put_totals(struct devices *d)
{
    const struct cim_instance *settings = sight_vm_settings(d->o);
    const char *version = cim_str(settings, P(Msvm_VirtualSystemSettingData, Version));

    qsort(d->stores, d->nstores, sizeof(d->stores[0]), by_text);
    qsort(d->nets, d->nnets, sizeof(d->nets[0]), by_text);
    pv_vm_datastores(d->m->b, d->stores, d->nstores);
    pv_vm_networks(d->m->b, d->nets, d->nnets);
    if (d->sizes_known) {
        pv_vm_storage_provisioned_bytes(d->m->b, d->provisioned);
        if (d->bytes_known)
            pv_vm_storage_used_bytes(d->m->b, d->used);
    }
    /* Changed blocks are tracked in VHDX files, from Windows Server 2016 on. */
    pv_vm_change_tracking(d->m->b, d->tracked && version && strtod(version, NULL) >= 6.2);
}

void map_vm_nics(const struct map *m, const struct sight_owner *o)
{
    struct devices d = { .m = m, .o = o };

    map_nics(&d);
}

void map_vm_devices(const struct map *m, const struct sight_owner *o)
{
    struct devices d = {
        .m = m, .o = o, .sizes_known = true, .bytes_known = true, .tracked = true
    };

    if (sight_sorted(m->s, o, SIGHT_RESOURCE, &d.resources, &d.nresources) ||
        sight_sorted(m->s, o, SIGHT_STORAGE, &d.media, &d.nmedia))
        return;
    map_controllers(&d);
    map_disks(&d);
    map_nics(&d);
    map_cdroms(&d);
    put_totals(&d);
    put_other_devices(&d);
}
