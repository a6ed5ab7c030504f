/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/map.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#define CONTROLLERS_MOST 64
#define SNAPSHOT_DEPTH_MOST 48
#define OTHER_MOST 16384

struct controller {
    const char *key;
    enum pv_bus bus;
    uint64_t number;
};

struct devices {
    const struct map *m;
    const xmlNode *guest_net;
    struct controller controllers[CONTROLLERS_MOST];
    size_t ncontrollers;
    size_t ndisks, nnics, ncdroms;
    bool tpm;
    struct buf other;
    struct jsonw json;
};

static const struct {
    const char *type;
    enum pv_bus bus;
    const char *model;
} controller_types[] = {
    { "VirtualIDEController", PV_BUS_IDE, "ide" },
    { "VirtualAHCIController", PV_BUS_SATA, "ahci" },
    { "VirtualSATAController", PV_BUS_SATA, "sata" },
    { "VirtualNVMEController", PV_BUS_NVME, "nvme" },
    { "VirtualNVDIMMController", PV_BUS_PMEM, "nvdimm" },
    { "ParaVirtualSCSIController", PV_BUS_SCSI, "pvscsi" },
    { "VirtualLsiLogicController", PV_BUS_SCSI, "lsilogic" },
    { "VirtualLsiLogicSASController", PV_BUS_SCSI, "lsilogic-sas" },
    { "VirtualBusLogicController", PV_BUS_SCSI, "buslogic" },
    { "VirtualSCSIController", PV_BUS_SCSI, "scsi" },
};

static const struct {
    const char *type;
    enum pv_adapter adapter;
} adapter_types[] = {
    { "VirtualVmxnet3", PV_ADAPTER_VMXNET3 },
    { "VirtualVmxnet3Vrdma", PV_ADAPTER_VMXNET3 },
    { "VirtualE1000", PV_ADAPTER_E1000 },
    { "VirtualE1000e", PV_ADAPTER_E1000E },
    { "VirtualPCNet32", PV_ADAPTER_PCNET },
    { "VirtualVmxnet2", PV_ADAPTER_VMXNET2 },
    { "VirtualSriovEthernetCard", PV_ADAPTER_SRIOV },
};

/* What each VM has and nobody asks for. */
static const char *const plain_types[] = {
    "VirtualPCIController",     "VirtualPS2Controller",  "VirtualSIOController",
    "VirtualKeyboard",          "VirtualPointingDevice", "VirtualMachineVideoCard",
    "VirtualMachineVMCIDevice", "VirtualHdAudioCard",    "VirtualSoundBlaster16",
    "VirtualEnsoniq1371",
};

static void put_controller(struct devices *d, const xmlNode *dev, size_t type)
{
    struct pv_builder *b = d->m->b;
    const char *key = value_field(dev, "key"), *sharing = value_field(dev, "sharedBus");
    struct controller *c;

    if (!key || d->ncontrollers >= CONTROLLERS_MOST)
        return;
    c = &d->controllers[d->ncontrollers++];
    *c = (struct controller){ .key = key, .bus = controller_types[type].bus };
    (void)value_field_u64(dev, "busNumber", &c->number);
    pv_controller_begin(b, key, NULL);
    pv_controller_label(b, value_text(value_at(dev, "deviceInfo.label")));
    pv_controller_bus(b, c->bus);
    pv_controller_model(b, controller_types[type].model);
    pv_controller_number(b, c->number);
    if (sharing)
        pv_controller_sharing(b, strcmp(sharing, "noSharing") == 0         ? "none"
                                 : strcmp(sharing, "virtualSharing") == 0  ? "virtual"
                                 : strcmp(sharing, "physicalSharing") == 0 ? "physical"
                                                                           : sharing);
}

static const struct controller *controller_of(const struct devices *d, const xmlNode *dev)
{
    const char *key = value_field(dev, "controllerKey");

    for (size_t i = 0; key && i < d->ncontrollers; i++)
        if (strcmp(d->controllers[i].key, key) == 0)
            return &d->controllers[i];
    return NULL;
}

static enum pv_disk_mode disk_mode(const char *text)
{
    if (!text)
        return PV_DISK_MODE_UNKNOWN;
    if (strcmp(text, "persistent") == 0)
        return PV_DISK_MODE_DEPENDENT;
    if (strcmp(text, "independent_persistent") == 0)
        return PV_DISK_MODE_INDEPENDENT_PERSISTENT;
    if (strcmp(text, "independent_nonpersistent") == 0)
        return PV_DISK_MODE_INDEPENDENT_NONPERSISTENT;
    return PV_DISK_MODE_UNKNOWN;
}

static enum pv_provisioning provisioning(const xmlNode *backing, const char *type)
{
    bool thin = false, eager = false;

    if (xml_child(backing, NULL, "parent"))
        return PV_PROVISIONING_DIFFERENCING;
    (void)value_field_bool(backing, "thinProvisioned", &thin);
    (void)value_field_bool(backing, "eagerlyScrub", &eager);
    if (thin || (type && strstr(type, "Sparse")))
        return PV_PROVISIONING_THIN;
    if (!type || !strstr(type, "Flat"))
        return PV_PROVISIONING_UNKNOWN;
    return eager ? PV_PROVISIONING_THICK_EAGER : PV_PROVISIONING_THICK_LAZY;
}

static void put_disk_backing(struct pv_builder *b, const xmlNode *backing)
{
    const char *type = xml_xsi_type(backing), *sharing = value_field(backing, "sharing");
    const char *compat = value_field(backing, "compatibilityMode"), *lun;

    pv_disk_mode(b, disk_mode(value_field(backing, "diskMode")));
    pv_disk_sharing(b, sharing && strcmp(sharing, "sharingMultiWriter") == 0
                           ? PV_DISK_SHARING_MULTI_WRITER
                           : PV_DISK_SHARING_NONE);
    pv_disk_image_datastore(b, value_ref_id(xml_child(backing, NULL, "datastore")));
    pv_disk_image_path(b, value_field(backing, "fileName"));
    pv_disk_image_format(b, PV_DISK_FORMAT_VMDK);
    pv_disk_image_provisioning(b, provisioning(backing, type));
    pv_disk_image_parent(b, value_text(value_at(backing, "parent.fileName")));
    pv_disk_disk_uuid(b, value_field(backing, "uuid"));
    if (type && strstr(type, "RawDisk")) {
        lun = value_field(backing, "lunUuid");
        pv_disk_passthrough_mode(b, compat && strcmp(compat, "virtualMode") == 0 ? "virtual"
                                                                                 : "physical");
        pv_disk_passthrough_lun(b, lun ? lun : value_field(backing, "deviceName"));
    }
}

static void put_disk(struct devices *d, const xmlNode *dev)
{
    struct pv_builder *b = d->m->b;
    const struct controller *c = controller_of(d, dev);
    uint64_t n;

    d->ndisks++;
    pv_disk_begin(b, value_field(dev, "key"), NULL);
    pv_disk_label(b, value_text(value_at(dev, "deviceInfo.label")));
    if (c) {
        pv_disk_bus(b, c->bus);
        pv_disk_bus_number(b, c->number);
    }
    if (value_field_u64(dev, "unitNumber", &n))
        pv_disk_unit(b, n);
    if (value_field_u64(dev, "capacityInBytes", &n))
        pv_disk_capacity_bytes(b, n);
    else if (value_field_u64(dev, "capacityInKB", &n) && n < UINT64_C(1) << 43)
        pv_disk_capacity_bytes(b, n << 10);
    put_disk_backing(b, xml_child(dev, NULL, "backing"));
    if (value_u64(value_at(dev, "storageIOAllocation.limit"), &n))
        pv_disk_iops_limit(b, n);
}

static void put_connectable(struct pv_builder *b, enum pv_kind kind, unsigned connected,
                            unsigned at_start, const xmlNode *dev)
{
    const xmlNode *connectable = xml_child(dev, NULL, "connectable");
    bool yes;

    if (value_field_bool(connectable, "connected", &yes))
        pv_put_number(b, kind, connected, yes);
    if (value_field_bool(connectable, "startConnected", &yes))
        pv_put_number(b, kind, at_start, yes);
}

static void put_cdrom(struct devices *d, const xmlNode *dev)
{
    struct pv_builder *b = d->m->b;
    const struct controller *c = controller_of(d, dev);
    const xmlNode *backing = xml_child(dev, NULL, "backing");
    const char *file = value_field(backing, "fileName");
    uint64_t n;

    d->ncdroms++;
    pv_cdrom_begin(b, value_field(dev, "key"), NULL);
    pv_cdrom_label(b, value_text(value_at(dev, "deviceInfo.label")));
    if (c) {
        pv_cdrom_bus(b, c->bus);
        pv_cdrom_bus_number(b, c->number);
    }
    if (value_field_u64(dev, "unitNumber", &n))
        pv_cdrom_unit(b, n);
    if (file) {
        pv_cdrom_path(b, file);
        pv_cdrom_datastore(b, value_ref_id(xml_child(backing, NULL, "datastore")));
    } else {
        PV_CLEAR(b, cdrom, path);
        PV_CLEAR(b, cdrom, datastore);
    }
    put_connectable(b, PV_KIND_cdrom, PV_SLOT(cdrom, connected),
                    PV_SLOT(cdrom, connect_at_power_on), dev);
}

/* The network's id is in the backing only for standard networks; the others name a key of the
 * network. */
static const char *network_of(const struct map *m, const xmlNode *backing)
{
    const char *ref = value_ref_id(xml_child(backing, NULL, "network"));
    const char *key = value_text(value_at(backing, "port.portgroupKey"));
    const struct tree_node *note;
    char name[256] = "key:";

    if (ref)
        return ref;
    if (!key)
        key = value_field(backing, "opaqueNetworkId");
    if (!key || !str_copy(name + 4, sizeof(name) - 4, key))
        return NULL;
    note = tree_find(m->tree, name);
    if (note)
        return note->parent;
    note = tree_find(m->tree, key);
    return note && note->type == TREE_NETWORK ? note->id : NULL;
}

static void put_nic_addresses(struct devices *d, const char *key)
{
    const char *ips[64];
    size_t n = 0;

    for (const xmlNode *card = xml_first(d->guest_net); card; card = xml_next(card)) {
        const char *config = value_field(card, "deviceConfigId");

        if (!config || !key || strcmp(config, key) != 0)
            continue;
        for (const xmlNode *ip = xml_child(card, NULL, "ipAddress"); ip && n < 64;
             ip = xml_next_named(ip, NULL, "ipAddress"))
            if (value_text(ip))
                ips[n++] = value_text(ip);
    }
    /* Sorted, so that what is read twice compares equal. */
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && strcmp(ips[j - 1], ips[j]) > 0; j--) {
            const char *t = ips[j];

            ips[j] = ips[j - 1];
            ips[j - 1] = t;
        }
    pv_nic_ip_addresses(d->m->b, ips, n);
}

static void put_nic(struct devices *d, const xmlNode *dev, const char *type)
{
    struct pv_builder *b = d->m->b;
    const char *key = value_field(dev, "key"), *mac = value_field(dev, "macAddress");
    const char *mode = value_field(dev, "addressType");
    const char *network = network_of(d->m, xml_child(dev, NULL, "backing"));
    enum pv_adapter adapter = PV_ADAPTER_UNKNOWN;
    char upper[18];
    size_t i = 0;

    d->nnics++;
    pv_nic_begin(b, key, NULL);
    pv_nic_label(b, value_text(value_at(dev, "deviceInfo.label")));
    for (size_t t = 0; t < sizeof(adapter_types) / sizeof(adapter_types[0]); t++)
        if (strcmp(adapter_types[t].type, type) == 0)
            adapter = adapter_types[t].adapter;
    pv_nic_adapter(b, adapter);
    if (mac && strlen(mac) < sizeof(upper)) {
        for (; mac[i]; i++)
            upper[i] = (char)toupper((unsigned char)mac[i]);
        upper[i] = '\0';
        pv_nic_mac(b, upper);
    }
    if (mode)
        pv_nic_mac_mode(b, strcmp(mode, "manual") == 0 ? PV_MAC_MODE_STATIC : PV_MAC_MODE_AUTO);
    if (network)
        pv_nic_network(b, network);
    else
        PV_CLEAR(b, nic, network);
    put_connectable(b, PV_KIND_nic, PV_SLOT(nic, connected), PV_SLOT(nic, connect_at_power_on),
                    dev);
    put_nic_addresses(d, key);
}

static void put_other(struct devices *d, const xmlNode *dev, const char *type)
{
    for (size_t i = 0; i < sizeof(plain_types) / sizeof(plain_types[0]); i++)
        if (strcmp(plain_types[i], type) == 0)
            return;
    jsonw_object(&d->json, NULL);
    jsonw_str(&d->json, "type", type);
    jsonw_str(&d->json, "key", value_field(dev, "key"));
    jsonw_str(&d->json, "label", value_text(value_at(dev, "deviceInfo.label")));
    jsonw_str(&d->json, "summary", value_text(value_at(dev, "deviceInfo.summary")));
    jsonw_end(&d->json);
}

static void put_device(struct devices *d, const xmlNode *dev)
{
    const char *type = xml_xsi_type(dev);

    if (!type || !value_field(dev, "key"))
        return;
    for (size_t i = 0; i < sizeof(controller_types) / sizeof(controller_types[0]); i++)
        if (strcmp(controller_types[i].type, type) == 0)
            return;
    if (strcmp(type, "VirtualDisk") == 0)
        put_disk(d, dev);
    else if (strcmp(type, "VirtualCdrom") == 0)
        put_cdrom(d, dev);
    else if (xml_child(dev, NULL, "macAddress"))
        put_nic(d, dev, type);
    else if (strcmp(type, "VirtualTPM") == 0)
        d->tpm = true;
    else
        put_other(d, dev, type);
}

static void put_controllers(struct devices *d, const xmlNode *hardware)
{
    for (const xmlNode *dev = xml_first(hardware); dev; dev = xml_next(dev)) {
        const char *type = xml_is(dev, NULL, "device") ? xml_xsi_type(dev) : NULL;

        for (size_t i = 0; type && i < sizeof(controller_types) / sizeof(controller_types[0]); i++)
            if (strcmp(controller_types[i].type, type) == 0)
                put_controller(d, dev, i);
    }
    if (d->ncontrollers == 0)
        pv_controller_none(d->m->b);
}

void map_devices(const struct map *m, const xmlNode *hardware, const xmlNode *guest_net)
{
    struct devices d = { .m = m, .guest_net = guest_net };

    buf_init(&d.other, OTHER_MOST);
    jsonw_init(&d.json, &d.other);
    jsonw_array(&d.json, NULL);
    put_controllers(&d, hardware);
    for (const xmlNode *dev = xml_first(hardware); dev; dev = xml_next(dev))
        if (xml_is(dev, NULL, "device"))
            put_device(&d, dev);
    jsonw_end(&d.json);
    if (d.ndisks == 0)
        pv_disk_none(m->b);
    if (d.nnics == 0)
        pv_nic_none(m->b);
    if (d.ncdroms == 0)
        pv_cdrom_none(m->b);
    pv_vm_tpm(m->b, d.tpm);
    if (buf_ok(&d.other))
        pv_vm_other_devices(m->b, d.other.data);
    buf_free(&d.other);
}

struct snapshots {
    const struct map *m;
    const char *current;
    uint64_t count, depth;
    int64_t newest_ms, oldest_ms;
};

static void put_snapshot(struct snapshots *s, const xmlNode *node, const char *id,
                         const char *parent)
{
    struct pv_builder *b = s->m->b;
    const char *state = value_field(node, "state"), *name = value_field(node, "name");
    char plain[512];
    bool quiesced;
    int64_t ms;

    pv_snapshot_begin(b, id, NULL);
    pv_snapshot_name(b, value_name(name ? name : "", plain, sizeof(plain)));
    if (parent)
        pv_snapshot_parent(b, parent);
    else
        PV_CLEAR(b, snapshot, parent);
    pv_snapshot_description(b, value_field(node, "description"));
    if (value_time(xml_child(node, NULL, "createTime"), &ms)) {
        pv_snapshot_taken_at(b, ms);
        if (ms > s->newest_ms)
            s->newest_ms = ms;
        if (!s->oldest_ms || ms < s->oldest_ms)
            s->oldest_ms = ms;
    }
    pv_snapshot_snapshot_type(b, PV_SNAPSHOT_TYPE_STANDARD);
    if (state) {
        pv_snapshot_power_state(b, map_power(state));
        /* A snapshot without memory keeps a VM that is off, whatever it was doing. */
        pv_snapshot_memory(b, strcmp(state, "poweredOn") == 0);
    }
    if (value_field_bool(node, "quiesced", &quiesced))
        pv_snapshot_quiesced(b, quiesced);
    pv_snapshot_current(b, s->current && strcmp(s->current, id) == 0);
}

/* The tree is as deep as its answer, which the XML reader bounds; the bound here is for the stack.
 */
static void put_level(struct snapshots *s, const xmlNode *list, const char *name,
                      const char *parent, unsigned depth)
{
    if (depth > SNAPSHOT_DEPTH_MOST)
        return;
    for (const xmlNode *n = xml_child(list, NULL, name); n; n = xml_next_named(n, NULL, name)) {
        const char *id = value_ref_id(xml_child(n, NULL, "snapshot"));

        if (!id)
            continue;
        s->count++;
        if (depth > s->depth)
            s->depth = depth;
        put_snapshot(s, n, id, parent);
        put_level(s, n, "childSnapshotList", id, depth + 1);
    }
}

void map_snapshots(const struct map *m, const xmlNode *snapshot)
{
    struct snapshots s = {
        .m = m,
        .current = value_ref_id(xml_child(snapshot, NULL, "currentSnapshot")),
    };

    put_level(&s, snapshot, "rootSnapshotList", NULL, 1);
    if (s.count == 0)
        pv_snapshot_none(m->b);
    pv_vm_snapshots_count(m->b, s.count);
    pv_vm_snapshots_depth(m->b, s.depth);
    if (s.newest_ms) {
        pv_vm_snapshots_newest_at(m->b, s.newest_ms);
        pv_vm_snapshots_oldest_at(m->b, s.oldest_ms);
    } else {
        PV_CLEAR(m->b, vm, snapshots_newest_at);
        PV_CLEAR(m->b, vm, snapshots_oldest_at);
    }
}
