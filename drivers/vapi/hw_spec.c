/* SPDX-License-Identifier: Apache-2.0 */
/* Devices as vSphere is asked for them. */
#include "drivers/vapi/hw.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/tree.h"
#include "drivers/vapi/vapi.h"

#define KIB 1024
#define MBIT INT64_C(1000000)
#define UNLIMITED (-1)

static struct enc_object *change(struct enc_object *spec, const char *operation, const char *files,
                                 const struct hw_device *d)
{
    struct enc_object *c = enc_child(spec, "deviceChange", "VirtualDeviceConfigSpec"), *device;

    enc_text(c, "operation", operation);
    enc_text(c, "fileOperation", files);
    device = enc_child(c, "device", d->type);
    enc_int(device, "key", d->key);
    if (d->cls != HW_CONTROLLER && d->controller)
        enc_int(device, "controllerKey", d->controller);
    if (d->cls != HW_CONTROLLER && d->unit >= 0)
        enc_int(device, "unitNumber", d->unit);
    return device;
}

static void put_connectable(struct enc_object *device, const struct hw_device *d)
{
    struct enc_object *c = enc_child(device, "connectable", "VirtualDeviceConnectInfo");

    enc_bool(c, "startConnected", d->at_start);
    enc_bool(c, "allowGuestControl", d->guest_control);
    enc_bool(c, "connected", d->connected);
}

static void read_connected(struct hw_device *d, const json_t *args, bool running)
{
    const json_t *now = op_member(args, "connected"),
                 *start = op_member(args, "connect_at_power_on");

    if (start)
        d->at_start = json_is_true(start);
    if (now)
        d->connected = json_is_true(now) && running;
    /* "Connected" of a VM that is off is what it will be when it starts. */
    if (now && !start && !running)
        d->at_start = json_is_true(now);
}

void hw_remove(const struct hw_device *d, struct enc_object *spec, bool with_file)
{
    struct enc_object *device = change(spec, "remove", with_file ? "destroy" : NULL, d);

    if (d->cls == HW_CONTROLLER) {
        enc_int(device, "busNumber", d->number);
        if (d->bus == HW_SCSI)
            enc_text(device, "sharedBus", d->sharing[0] ? d->sharing : "noSharing");
    }
    if (d->cls == HW_DISK)
        enc_int(device, "capacityInKB", d->capacity / KIB);
}

/* ------------------------------------------------------------------ controllers */

static const struct {
    const char *word, *type;
    enum hw_bus bus;
} models[] = {
    { "pvscsi", "ParaVirtualSCSIController", HW_SCSI },
    { "lsilogic", "VirtualLsiLogicController", HW_SCSI },
    { "lsilogic_sas", "VirtualLsiLogicSASController", HW_SCSI },
    { "buslogic", "VirtualBusLogicController", HW_SCSI },
    { "ahci", "VirtualAHCIController", HW_SATA },
    { "nvme", "VirtualNVMEController", HW_NVME },
};

static int choose_model(struct operation *o, const json_t *args, enum hw_bus bus, const char **type,
                        struct pv_err *err)
{
    const char *word = op_member_str(args, "model");

    for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++) {
        if (models[i].bus == bus && (!word || strcmp(models[i].word, word) == 0)) {
            *type = models[i].type;
            return PV_OK;
        }
    }
    return op_no_such(o, "model", "on scsi vSphere has pvscsi, lsilogic, lsilogic_sas, buslogic",
                      err);
}

static int choose_number(struct operation *o, struct hw *hw, const json_t *args, enum hw_bus bus,
                         int32_t *number, struct pv_err *err)
{
    int64_t wanted = -1;
    unsigned taken = 0;

    (void)op_member_int(args, "number", &wanted);
    for (size_t i = 0; i < hw->count; i++)
        if (hw->list[i].cls == HW_CONTROLLER && hw->list[i].bus == bus && hw->list[i].number >= 0 &&
            hw->list[i].number < 4)
            taken |= 1u << hw->list[i].number;
    if (wanted > 3)
        return op_bad(o, "number", "a VM has buses 0 to 3 of a kind", err);
    if (wanted >= 0 && taken & (1u << wanted))
        return op_bad(o, "number", "the VM has this bus already", err);
    for (int32_t n = 0; wanted < 0 && n < 4; n++)
        if (!(taken & (1u << n)))
            wanted = n;
    if (wanted < 0)
        return op_bad(o, "bus", "the VM has four controllers of this kind, which is the most", err);
    *number = (int32_t)wanted;
    return PV_OK;
}

void hw_put_controller(struct enc_object *spec, const struct hw_device *d)
{
    struct enc_object *device = change(spec, "add", NULL, d);

    enc_int(device, "busNumber", d->number);
    if (d->bus == HW_SCSI) {
        enc_bool(device, "hotAddRemove", true);
        enc_text(device, "sharedBus", d->sharing);
    }
}

int hw_add_controller(struct operation *o, struct hw *hw, struct enc_object *spec,
                      const json_t *args, struct pv_err *err)
{
    static const char *const sharings[][2] = { { "none", "noSharing" },
                                               { "virtual", "virtualSharing" },
                                               { "physical", "physicalSharing" } };
    const char *word = op_member_str(args, "bus"), *sharing = op_member_str(args, "sharing");
    enum hw_bus bus = hw_bus_of(word);
    const char *type = NULL, *shared = NULL;
    struct hw_device *d;
    int32_t number = 0;
    int rc;

    if (bus == HW_NO_BUS || bus == HW_IDE)
        return op_no_such(o, "bus",
                          "scsi, sata and nvme controllers can be added; IDE is always there", err);
    for (size_t i = 0; i < 3; i++)
        if (strcmp(sharings[i][0], sharing ? sharing : "none") == 0)
            shared = sharings[i][1];
    if (!shared || (bus != HW_SCSI && sharing && strcmp(sharing, "none") != 0))
        return op_no_such(o, "sharing", "a scsi bus has none, virtual or physical", err);
    rc = choose_model(o, args, bus, &type, err);
    if (rc == PV_OK)
        rc = choose_number(o, hw, args, bus, &number, err);
    if (rc)
        return rc;
    d = hw_new(hw, HW_CONTROLLER, type);
    if (!d)
        return pv_fail(err, PV_ENOMEM, "no memory, or too many devices");
    d->bus = bus;
    d->number = number;
    (void)str_copy(d->sharing, sizeof(d->sharing), shared);
    hw_put_controller(spec, d);
    return PV_OK;
}

/* ------------------------------------------------------------------ disks */

static const char *const disk_modes[][2] = {
    { "dependent", "persistent" },
    { "independent_persistent", "independent_persistent" },
    { "independent_nonpersistent", "independent_nonpersistent" },
};

static int read_disk_words(struct operation *o, struct hw_device *d, const json_t *args,
                           struct pv_err *err)
{
    const char *mode = op_member_str(args, "mode"), *sharing = op_member_str(args, "sharing");
    const json_t *iops = op_member(args, "qos.iops_limit");
    bool known = !mode;

    for (size_t i = 0; mode && i < 3; i++) {
        if (strcmp(disk_modes[i][0], mode) != 0)
            continue;
        known = true;
        (void)str_copy(d->mode, sizeof(d->mode), disk_modes[i][1]);
    }
    if (!known)
        return op_no_such(o, "mode", "vSphere has no such mode", err);
    if (sharing && strcmp(sharing, "none") != 0 && strcmp(sharing, "multi_writer") != 0)
        return op_no_such(o, "sharing", "vSphere has none and multi_writer", err);
    if (sharing)
        (void)str_copy(d->sharing, sizeof(d->sharing),
                       strcmp(sharing, "none") == 0 ? "sharingNone" : "sharingMultiWriter");
    if (iops)
        d->iops = json_is_integer(iops) ? json_integer_value(iops) : UNLIMITED;
    return PV_OK;
}

static struct enc_object *put_disk(struct hw_device *d, struct enc_object *device)
{
    bool sparse = strstr(d->backing, "SeSparse") != NULL;
    struct enc_object *backing =
        enc_child(device, "backing",
                  sparse ? "VirtualDiskSeSparseBackingInfo" : "VirtualDiskFlatVer2BackingInfo");

    enc_text(backing, "fileName", d->path);
    if (d->store[0])
        enc_ref(backing, "datastore", "Datastore", d->store);
    enc_text(backing, "diskMode", d->mode[0] ? d->mode : "persistent");
    if (d->uuid[0])
        enc_text(backing, "uuid", d->uuid);
    if (d->sharing[0] && !sparse)
        enc_text(backing, "sharing", d->sharing);
    enc_int(device, "capacityInKB", d->capacity / KIB);
    if (d->capacity)
        enc_int(device, "capacityInBytes", d->capacity);
    return backing;
}

static void put_iops(struct enc_object *device, int64_t iops)
{
    struct enc_object *a = enc_child(device, "storageIOAllocation", "StorageIOAllocationInfo");

    enc_int(a, "limit", iops);
}

bool hw_put_layout(struct enc_object *backing, const char *subformat)
{
    static const struct {
        const char *word;
        bool thin, eager;
    } ways[] = { { "dynamic", true, false },
                 { "thin", true, false },
                 { "fixed", false, true },
                 { "thick_eager", false, true },
                 { "thick_lazy", false, false } };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        if (strcmp(ways[i].word, subformat) != 0)
            continue;
        enc_bool(backing, "thinProvisioned", ways[i].thin);
        enc_bool(backing, "eagerlyScrub", ways[i].eager);
        return true;
    }
    return false;
}

static int new_disk_path(struct operation *o, const struct hw *hw, struct hw_device *d,
                         const json_t *args, struct pv_err *err)
{
    const json_t *image = op_member(args, "image");
    const char *store = op_member_str(image, "datastore.name");

    if (op_member_str(image, "path"))
        return hw_file(o, hw, image, "image.path", d->path, sizeof(d->path), err);
    (void)snprintf(d->path, sizeof(d->path), "[%s]", store ? store : hw->store);
    return PV_OK;
}

static int old_disk_path(struct operation *o, const struct hw *hw, struct hw_device *d,
                         const json_t *args, struct pv_err *err)
{
    const json_t *image = op_member(args, "image"), *known = op_member(image, "id");

    if (!image)
        return op_bad(o, "capacity_bytes", "name a size for a new disk, or an image", err);
    return hw_file(o, hw, known ? known : image, "image", d->path, sizeof(d->path), err);
}

static int check_image(struct operation *o, const json_t *args, struct pv_err *err)
{
    const char *format = op_member_str(args, "image.format");

    if (format && strcmp(format, "vmdk") != 0)
        return op_no_such(o, "image.format", "vSphere has vmdk", err);
    if (op_member(args, "image.parent"))
        return op_no_such(o, "image.parent",
                          "vSphere makes disks that differ from others by "
                          "snapshots and linked clones only",
                          err);
    return PV_OK;
}

int hw_add_disk(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *args,
                struct pv_err *err)
{
    const char *subformat = op_member_str(args, "image.subformat");
    struct hw_device disk = { .cls = HW_DISK, .iops = UNLIMITED, .type = "VirtualDisk" }, *d;
    bool fresh = op_member_int(args, "capacity_bytes", &disk.capacity);
    struct enc_object *device;
    int rc = check_image(o, args, err);

    if (rc == PV_OK && fresh && disk.capacity % KIB != 0)
        rc = op_bad(o, "capacity_bytes", "a whole number of KiB", err);
    if (rc == PV_OK)
        rc = read_disk_words(o, &disk, args, err);
    if (rc == PV_OK)
        rc =
            fresh ? new_disk_path(o, hw, &disk, args, err) : old_disk_path(o, hw, &disk, args, err);
    if (rc == PV_OK)
        rc = hw_place(o, hw, spec, op_member(args, "controller"), HW_DISK, &disk.controller,
                      &disk.unit, err);
    d = rc == PV_OK ? hw_new(hw, HW_DISK, "VirtualDisk") : NULL;
    if (!d)
        return rc ? rc : pv_fail(err, PV_ENOMEM, "no memory, or too many devices");
    disk.key = d->key;
    *d = disk;
    device = change(spec, "add", fresh ? "create" : NULL, d);
    if (fresh && !hw_put_layout(put_disk(d, device), subformat ? subformat : "thin"))
        return op_no_such(o, "image.subformat", "vSphere has thin, thick_lazy and thick_eager",
                          err);
    if (!fresh)
        (void)put_disk(d, device);
    if (d->iops != UNLIMITED)
        put_iops(device, d->iops);
    return PV_OK;
}

int hw_edit_disk(struct operation *o, struct hw_device *d, struct enc_object *spec,
                 const json_t *args, struct pv_err *err)
{
    int64_t wanted = d->capacity;
    struct enc_object *device, *backing;
    int rc = read_disk_words(o, d, args, err);

    if (rc)
        return rc;
    if (strstr(d->backing, "RawDisk"))
        return op_no_such(o, "image", "a disk of the storage itself is changed there", err);
    (void)op_member_int(args, "capacity_bytes", &wanted);
    if (wanted < d->capacity)
        return op_no_such(o, "capacity_bytes", "vSphere does not shrink disks", err);
    if (wanted % KIB != 0)
        return op_bad(o, "capacity_bytes", "a whole number of KiB", err);
    d->capacity = wanted;
    device = change(spec, "edit", NULL, d);
    backing = put_disk(d, device);
    if (d->known_layout) {
        enc_bool(backing, "thinProvisioned", d->thin);
        enc_bool(backing, "eagerlyScrub", d->eager);
    }
    if (op_member(args, "qos.iops_limit"))
        put_iops(device, d->iops);
    return PV_OK;
}

/* ------------------------------------------------------------------ CD drives */

static void put_cdrom(struct hw_device *d, struct enc_object *device)
{
    struct enc_object *backing;

    if (d->path[0]) {
        backing = enc_child(device, "backing", "VirtualCdromIsoBackingInfo");
        enc_text(backing, "fileName", d->path);
    } else {
        backing = enc_child(device, "backing", "VirtualCdromRemotePassthroughBackingInfo");
        enc_text(backing, "deviceName", "");
        enc_bool(backing, "exclusive", false);
    }
    put_connectable(device, d);
}

void hw_edit_cdrom(struct hw_device *d, struct enc_object *spec, const char *path)
{
    (void)str_copy(d->path, sizeof(d->path), path);
    put_cdrom(d, change(spec, "edit", NULL, d));
}

int hw_add_cdrom(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *args,
                 struct pv_err *err)
{
    struct hw_device drive = { .cls = HW_CDROM, .type = "VirtualCdrom", .guest_control = true }, *d;
    const json_t *image = op_member(args, "image");
    int rc = PV_OK;

    if (image)
        rc = hw_file(o, hw, image, "image.path", drive.path, sizeof(drive.path), err);
    drive.at_start = image != NULL;
    drive.connected = image && hw->running;
    read_connected(&drive, args, hw->running);
    if (rc == PV_OK)
        rc = hw_place(o, hw, spec, op_member(args, "controller"), HW_CDROM, &drive.controller,
                      &drive.unit, err);
    d = rc == PV_OK ? hw_new(hw, HW_CDROM, "VirtualCdrom") : NULL;
    if (!d)
        return rc ? rc : pv_fail(err, PV_ENOMEM, "no memory, or too many devices");
    drive.key = d->key;
    *d = drive;
    put_cdrom(d, change(spec, "add", NULL, d));
    return PV_OK;
}

/* ------------------------------------------------------------------ network adapters */

enum { NET_NAME, NET_KEY, NET_SWITCH, NET_SUMMARY };
static const char *const standard_paths[] = { "name" };
static const struct prop_table standard_table = { "Network", standard_paths, 1 };
static const char *const portgroup_paths[] = { "name", "key", "config.distributedVirtualSwitch" };
static const struct prop_table portgroup_table = { "DistributedVirtualPortgroup", portgroup_paths,
                                                   3 };
static const char *const opaque_paths[] = { "summary" };
static const struct prop_table opaque_table = { "OpaqueNetwork", opaque_paths, 1 };
static const char *const switch_paths[] = { "uuid" };
static const struct prop_table switch_table = { "VmwareDistributedVirtualSwitch", switch_paths, 1 };

struct reading {
    const struct prop_table *table;
    struct hw_net *net;
    struct moref uplink;
};

static void copy(char *out, size_t cap, const char *text)
{
    (void)str_copy(out, cap, text ? text : "");
}

static int on_net(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct reading *r = ctx;
    struct prop_values v;

    (void)err;
    props_read(r->table, object, &v);
    if (r->table == &portgroup_table) {
        copy(r->net->id, sizeof(r->net->id), value_text(v.val[NET_KEY]));
        (void)value_ref(v.val[NET_SWITCH], &r->uplink);
    } else if (r->table == &opaque_table) {
        copy(r->net->id, sizeof(r->net->id), value_field(v.val[0], "opaqueNetworkId"));
        copy(r->net->name, sizeof(r->net->name), value_field(v.val[0], "opaqueNetworkType"));
    } else if (r->table == &switch_table) {
        copy(r->net->switch_uuid, sizeof(r->net->switch_uuid), value_text(v.val[0]));
    } else {
        copy(r->net->id, sizeof(r->net->id), ref->id);
        copy(r->net->name, sizeof(r->net->name), value_text(v.val[NET_NAME]));
    }
    return PV_OK;
}

int hw_net_of(struct operation *o, const char *id, struct hw_net *out, struct pv_err *err)
{
    struct reading r = { .table = &standard_table, .net = out };
    struct moref ref = { .type = "Network" };
    const struct tree_node *n;
    int rc;

    memset(out, 0, sizeof(*out));
    (void)str_copy(ref.id, sizeof(ref.id), id);
    pthread_mutex_lock(&o->v->lock);
    n = tree_find(o->v->tree, id);
    if (n && n->type == TREE_NETWORK && n->vim_type[0])
        (void)str_copy(ref.type, sizeof(ref.type), n->vim_type);
    else if (str_starts(id, "dvportgroup-"))
        (void)str_copy(ref.type, sizeof(ref.type), "DistributedVirtualPortgroup");
    pthread_mutex_unlock(&o->v->lock);
    out->way = HW_NET_STANDARD;
    if (strcmp(ref.type, "DistributedVirtualPortgroup") == 0) {
        r.table = &portgroup_table;
        out->way = HW_NET_PORTGROUP;
    } else if (strcmp(ref.type, "OpaqueNetwork") == 0) {
        r.table = &opaque_table;
        out->way = HW_NET_OPAQUE;
    }
    rc = op_read(o, &ref, r.table, on_net, &r, err);
    if (rc == PV_OK && out->way == HW_NET_PORTGROUP) {
        r.table = &switch_table;
        rc = op_read(o, &r.uplink, &switch_table, on_net, &r, err);
    }
    return rc;
}

static void put_net(const struct hw_net *net, struct enc_object *device)
{
    struct enc_object *backing, *port;

    switch (net->way) {
    case HW_NET_STANDARD:
        backing = enc_child(device, "backing", "VirtualEthernetCardNetworkBackingInfo");
        enc_text(backing, "deviceName", net->name);
        if (net->id[0])
            enc_ref(backing, "network", "Network", net->id);
        return;
    case HW_NET_PORTGROUP:
        backing =
            enc_child(device, "backing", "VirtualEthernetCardDistributedVirtualPortBackingInfo");
        port = enc_child(backing, "port", "DistributedVirtualSwitchPortConnection");
        enc_text(port, "switchUuid", net->switch_uuid);
        enc_text(port, "portgroupKey", net->id);
        return;
    case HW_NET_OPAQUE:
        backing = enc_child(device, "backing", "VirtualEthernetCardOpaqueNetworkBackingInfo");
        enc_text(backing, "opaqueNetworkId", net->id);
        enc_text(backing, "opaqueNetworkType", net->name);
        return;
    default:
        return;
    }
}

/* "005056010203", "00-50-56-..." as 00:50:56:01:02:03. */
static bool read_mac(const char *text, char out[20])
{
    size_t n = 0;

    for (; *text; text++) {
        if (*text == ':' || *text == '-' || *text == '.')
            continue;
        if (!isxdigit((unsigned char)*text) || n == 17)
            return false;
        if (n % 3 == 2)
            out[n++] = ':';
        out[n++] = (char)tolower((unsigned char)*text);
    }
    out[n] = '\0';
    return n == 17;
}

static int read_nic_words(struct operation *o, struct hw_device *d, const json_t *args,
                          struct pv_err *err)
{
    const char *mac = op_member_str(args, "mac"), *mode = op_member_str(args, "mac_mode");

    if (mac && !read_mac(mac, d->mac))
        return op_bad(o, "mac", "it is no MAC address", err);
    if (mac) {
        copy(d->mac_mode, sizeof(d->mac_mode), "manual");
    } else if (mode && strcmp(mode, "auto") == 0) {
        d->mac[0] = '\0';
        copy(d->mac_mode, sizeof(d->mac_mode),
             o->v->session->content.vcenter ? "assigned" : "generated");
    } else if (mode && !d->mac[0]) {
        return op_bad(o, "mac", "name the address that is to be static", err);
    } else if (mode) {
        copy(d->mac_mode, sizeof(d->mac_mode), "manual");
    }
    return PV_OK;
}

static void put_bandwidth(struct enc_object *device, const json_t *args)
{
    const json_t *limit = op_member(args, "bandwidth.limit_bps"),
                 *keep = op_member(args, "bandwidth.reservation_bps");
    struct enc_object *a, *shares;

    if (!limit && !keep)
        return;
    a = enc_child(device, "resourceAllocation", "VirtualEthernetCardResourceAllocation");
    enc_int(a, "reservation", json_integer_value(keep) / MBIT);
    shares = enc_child(a, "share", "SharesInfo");
    enc_int(shares, "shares", 50);
    enc_text(shares, "level", "normal");
    enc_int(a, "limit", json_is_integer(limit) ? json_integer_value(limit) / MBIT : UNLIMITED);
}

static void put_nic(const struct hw_device *d, struct enc_object *device, const json_t *args)
{
    put_net(&d->net, device);
    put_connectable(device, d);
    if (d->mac_mode[0])
        enc_text(device, "addressType", d->mac_mode);
    if (d->mac[0])
        enc_text(device, "macAddress", d->mac);
    put_bandwidth(device, args);
}

static int choose_adapter(struct operation *o, const json_t *args, const char **type,
                          struct pv_err *err)
{
    static const char *const words[][2] = {
        { "vmxnet3", "VirtualVmxnet3" },
        { "e1000e", "VirtualE1000e" },
        { "e1000", "VirtualE1000" },
        { "pcnet", "VirtualPCNet32" },
        { "sriov", "VirtualSriovEthernetCard" },
        { "vmxnet2", "VirtualVmxnet2" },
    };
    const char *word = op_member_str(args, "adapter");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!word || strcmp(words[i][0], word) == 0) {
            *type = words[i][1];
            return PV_OK;
        }
    }
    return op_no_such(o, "adapter", "vSphere has vmxnet3, e1000e, e1000, pcnet, sriov", err);
}

/* The first network the host has: adapters of vSphere always belong to one. */
static const char *const host_net_paths[] = { "network" };
static const struct prop_table host_net_table = { "HostSystem", host_net_paths, 1 };

static int on_host_net(void *ctx, const struct moref *ref, const xmlNode *object,
                       struct pv_err *err)
{
    struct moref *first = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&host_net_table, object, &v);
    for (const xmlNode *n = xml_first(v.val[0]); n; n = xml_next(n)) {
        struct moref one;

        if (value_ref(n, &one) && (!first->id[0] || strcmp(one.type, "Network") == 0)) {
            *first = one;
            if (strcmp(one.type, "Network") == 0)
                return PV_OK;
        }
    }
    return PV_OK;
}

static int any_network(struct operation *o, const struct hw *hw, struct hw_net *out,
                       struct pv_err *err)
{
    struct moref first = { 0 };
    int rc = op_read(o, &hw->host, &host_net_table, on_host_net, &first, err);

    if (rc == PV_OK && !first.id[0])
        rc = op_bad(o, "network", "there is no network an adapter could belong to", err);
    return rc == PV_OK ? hw_net_of(o, first.id, out, err) : rc;
}

int hw_add_nic(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *args,
               struct pv_err *err)
{
    const char *network = op_member_str(args, "network.native_id"), *type = NULL;
    struct hw_device nic = { .cls = HW_NIC, .unit = -1, .guest_control = true }, *d;
    int rc = choose_adapter(o, args, &type, err);

    if (rc == PV_OK)
        rc = read_nic_words(o, &nic, args, err);
    if (rc == PV_OK)
        rc = network ? hw_net_of(o, network, &nic.net, err) : any_network(o, hw, &nic.net, err);
    d = rc == PV_OK ? hw_new(hw, HW_NIC, type) : NULL;
    if (!d)
        return rc ? rc : pv_fail(err, PV_ENOMEM, "no memory, or too many devices");
    if (!network)
        op_differs(o, "An adapter of vSphere always belongs to a network; where none is asked for "
                      "it is not connected to the one it belongs to.");
    nic.at_start = network != NULL;
    nic.connected = network && hw->running;
    if (network)
        read_connected(&nic, args, hw->running);
    nic.key = d->key;
    copy(nic.type, sizeof(nic.type), type);
    *d = nic;
    put_nic(d, change(spec, "add", NULL, d), args);
    return PV_OK;
}

int hw_edit_nic(struct operation *o, struct hw_device *d, struct enc_object *spec,
                const json_t *args, struct pv_err *err)
{
    const json_t *network = op_member(args, "network");
    const char *id = op_member_str(args, "network.native_id");
    bool running = o->state != PV_POWER_STATE_OFF;
    int rc = read_nic_words(o, d, args, err);

    if (rc == PV_OK && id)
        rc = hw_net_of(o, id, &d->net, err);
    if (rc)
        return rc;
    if (id) {
        d->at_start = true;
        d->connected = running;
    }
    read_connected(d, args, running);
    if (network && !id) {
        d->at_start = d->connected = false;
        op_differs(o, "An adapter of vSphere always belongs to a network: it is disconnected, and "
                      "still shows it.");
    }
    put_nic(d, change(spec, "edit", NULL, d), args);
    return PV_OK;
}
