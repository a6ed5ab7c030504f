/* SPDX-License-Identifier: Apache-2.0 */
/* The devices a VM has, and the places on its buses. */
#include "drivers/vapi/hw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/map.h"
#include "drivers/vapi/op.h"

#define DEVICES_MOST 512
#define FIRST_NEW_KEY (-101)
#define IDE_KEY 200 /* of the first of the two IDE controllers every VM has */

/* What a bus holds. A SCSI controller itself sits at 7. */
static const struct {
    enum hw_bus bus;
    const char *word, *usual; /* type of a new one */
    int32_t units, reserved, controllers;
} buses[] = {
    { HW_SCSI, "scsi", "ParaVirtualSCSIController", 16, 7, 4 },
    { HW_SATA, "sata", "VirtualAHCIController", 30, -1, 4 },
    { HW_NVME, "nvme", "VirtualNVMEController", 15, -1, 4 },
    { HW_IDE, "ide", "VirtualIDEController", 2, -1, 2 },
};

static const struct {
    const char *type;
    enum hw_bus bus;
} controllers[] = {
    { "ParaVirtualSCSIController", HW_SCSI },    { "VirtualLsiLogicController", HW_SCSI },
    { "VirtualLsiLogicSASController", HW_SCSI }, { "VirtualBusLogicController", HW_SCSI },
    { "VirtualSCSIController", HW_SCSI },        { "VirtualAHCIController", HW_SATA },
    { "VirtualSATAController", HW_SATA },        { "VirtualNVMEController", HW_NVME },
    { "VirtualIDEController", HW_IDE },
};

enum hw_bus hw_bus_of(const char *word)
{
    for (size_t i = 0; word && i < sizeof(buses) / sizeof(buses[0]); i++)
        if (strcmp(buses[i].word, word) == 0)
            return buses[i].bus;
    return HW_NO_BUS;
}

const char *hw_bus_word(enum hw_bus bus)
{
    for (size_t i = 0; i < sizeof(buses) / sizeof(buses[0]); i++)
        if (buses[i].bus == bus)
            return buses[i].word;
    return "";
}

struct hw_device *hw_new(struct hw *hw, enum hw_class cls, const char *type)
{
    struct hw_device *d;

    if (hw->count == DEVICES_MOST)
        return NULL;
    if (hw->count == hw->room) {
        size_t room = hw->room ? 2 * hw->room : 16;
        struct hw_device *more = realloc(hw->list, room * sizeof(*more));

        if (!more)
            return NULL;
        hw->list = more;
        hw->room = room;
    }
    d = &hw->list[hw->count++];
    memset(d, 0, sizeof(*d));
    d->cls = cls;
    d->unit = -1;
    d->iops = -1;
    d->key = hw->next_key--;
    (void)str_copy(d->type, sizeof(d->type), type);
    return d;
}

void hw_free(struct hw *hw)
{
    free(hw->list);
    hw->list = NULL;
    hw->count = hw->room = 0;
}

/* ------------------------------------------------------------------ reading */

enum { GOT_DEVICES, GOT_VMX, GOT_STATE, GOT_HOST, GOT_POOL, GOT_FOLDER, GOT_SNAPSHOT };
static const char *const vm_paths[] = { "config.hardware.device",
                                        "config.files.vmPathName",
                                        "runtime.powerState",
                                        "runtime.host",
                                        "resourcePool",
                                        "parent",
                                        "snapshot.currentSnapshot" };
static const struct prop_table vm_table = { "VirtualMachine", vm_paths, 7 };

static void text(char *out, size_t cap, const xmlNode *node, const char *path)
{
    const char *v = value_text(value_at(node, path));

    (void)str_copy(out, cap, v ? v : "");
}

static int32_t number(const xmlNode *dev, const char *field, int32_t otherwise)
{
    const char *v = value_field(dev, field);
    int64_t n;

    return v && str_i64(v, strlen(v), &n) && n > INT32_MIN && n < INT32_MAX ? (int32_t)n
                                                                            : otherwise;
}

static enum hw_class class_of(const xmlNode *dev, const char *type, enum hw_bus *bus)
{
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++) {
        if (strcmp(controllers[i].type, type) == 0) {
            *bus = controllers[i].bus;
            return HW_CONTROLLER;
        }
    }
    if (strcmp(type, "VirtualDisk") == 0)
        return HW_DISK;
    if (strcmp(type, "VirtualCdrom") == 0)
        return HW_CDROM;
    if (strcmp(type, "VirtualFloppy") == 0)
        return HW_FLOPPY;
    return xml_child(dev, NULL, "macAddress") ? HW_NIC : HW_OTHER;
}

static void read_net(struct hw_device *d, const xmlNode *backing)
{
    struct moref network;

    if (value_field(backing, "opaqueNetworkId")) {
        d->net.way = HW_NET_OPAQUE;
        text(d->net.id, sizeof(d->net.id), backing, "opaqueNetworkId");
        text(d->net.name, sizeof(d->net.name), backing, "opaqueNetworkType");
    } else if (xml_child(backing, NULL, "port")) {
        d->net.way = HW_NET_PORTGROUP;
        text(d->net.id, sizeof(d->net.id), backing, "port.portgroupKey");
        text(d->net.switch_uuid, sizeof(d->net.switch_uuid), backing, "port.switchUuid");
    } else if (backing) {
        d->net.way = HW_NET_STANDARD;
        text(d->net.name, sizeof(d->net.name), backing, "deviceName");
        if (value_ref(xml_child(backing, NULL, "network"), &network))
            (void)str_copy(d->net.id, sizeof(d->net.id), network.id);
    }
}

static void read_disk(struct hw_device *d, const xmlNode *dev, const xmlNode *backing)
{
    const char *limit = value_text(value_at(dev, "storageIOAllocation.limit"));
    uint64_t n;

    text(d->mode, sizeof(d->mode), backing, "diskMode");
    text(d->sharing, sizeof(d->sharing), backing, "sharing");
    text(d->uuid, sizeof(d->uuid), backing, "uuid");
    d->known_layout = value_field_bool(backing, "thinProvisioned", &d->thin);
    (void)value_field_bool(backing, "eagerlyScrub", &d->eager);
    if (value_field_u64(dev, "capacityInBytes", &n) && n < INT64_MAX)
        d->capacity = (int64_t)n;
    else if (value_field_u64(dev, "capacityInKB", &n) && n < INT64_C(1) << 43)
        d->capacity = (int64_t)(n << 10);
    if (!limit || !str_i64(limit, strlen(limit), &d->iops))
        d->iops = -1;
}

static bool read_device(struct hw *hw, const xmlNode *dev)
{
    const xmlNode *backing = xml_child(dev, NULL, "backing"),
                  *connectable = xml_child(dev, NULL, "connectable");
    const char *type = xml_xsi_type(dev);
    enum hw_bus bus = HW_NO_BUS;
    enum hw_class cls = type ? class_of(dev, type, &bus) : HW_OTHER;
    struct hw_device *d = type ? hw_new(hw, cls, type) : NULL;
    struct moref store;

    if (!d)
        return !type;
    d->bus = bus;
    d->key = number(dev, "key", 0);
    d->controller = number(dev, "controllerKey", 0);
    d->number = number(dev, "busNumber", 0);
    d->unit = number(dev, "unitNumber", -1);
    text(d->label, sizeof(d->label), dev, "deviceInfo.label");
    if (xml_xsi_type(backing))
        (void)str_copy(d->backing, sizeof(d->backing), xml_xsi_type(backing));
    text(d->path, sizeof(d->path), backing, "fileName");
    if (value_ref(xml_child(backing, NULL, "datastore"), &store))
        (void)str_copy(d->store, sizeof(d->store), store.id);
    if (cls == HW_CONTROLLER)
        text(d->sharing, sizeof(d->sharing), dev, "sharedBus");
    if (cls == HW_DISK)
        read_disk(d, dev, backing);
    if (cls == HW_NIC) {
        read_net(d, backing);
        text(d->mac, sizeof(d->mac), dev, "macAddress");
        text(d->mac_mode, sizeof(d->mac_mode), dev, "addressType");
    }
    d->guest_control = true;
    (void)value_field_bool(connectable, "connected", &d->connected);
    (void)value_field_bool(connectable, "startConnected", &d->at_start);
    (void)value_field_bool(connectable, "allowGuestControl", &d->guest_control);
    return true;
}

/* "[store] folder/file": the store's name. */
static void store_of(const char *path, char *out, size_t cap)
{
    const char *end = path && path[0] == '[' ? strchr(path, ']') : NULL;

    out[0] = '\0';
    if (end)
        (void)str_copy_n(out, cap, path + 1, (size_t)(end - path - 1));
}

static int on_vm(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct hw *hw = ctx;
    struct prop_values v;

    (void)ref;
    props_read(&vm_table, object, &v);
    for (const xmlNode *d = xml_first(v.val[GOT_DEVICES]); d; d = xml_next(d))
        if (!read_device(hw, d))
            return pv_fail(err, PV_ENOMEM, "no memory, or too many devices");
    store_of(value_text(v.val[GOT_VMX]), hw->store, sizeof(hw->store));
    hw->running = map_power(value_text(v.val[GOT_STATE])) != PV_POWER_STATE_OFF;
    (void)value_ref(v.val[GOT_HOST], &hw->host);
    (void)value_ref(v.val[GOT_POOL], &hw->pool);
    (void)value_ref(v.val[GOT_FOLDER], &hw->folder);
    (void)value_ref(v.val[GOT_SNAPSHOT], &hw->snapshot);
    return PV_OK;
}

int hw_read(struct operation *o, struct hw *out, struct pv_err *err)
{
    int rc;

    memset(out, 0, sizeof(*out));
    rc = op_read(o, &o->vm, &vm_table, on_vm, out, err);
    out->next_key = FIRST_NEW_KEY;
    if (rc)
        hw_free(out);
    return rc;
}

int hw_begin(struct hw *out, const char *store, struct pv_err *err)
{
    memset(out, 0, sizeof(*out));
    out->making = true;
    (void)str_copy(out->store, sizeof(out->store), store);
    for (int32_t i = 0; i < 2; i++) {
        struct hw_device *d = hw_new(out, HW_CONTROLLER, "VirtualIDEController");

        if (!d)
            return pv_fail(err, PV_ENOMEM, "no memory");
        d->key = IDE_KEY + i;
        d->number = i;
        d->bus = HW_IDE;
        (void)snprintf(d->label, sizeof(d->label), "IDE %d", (int)i);
    }
    out->next_key = FIRST_NEW_KEY;
    return PV_OK;
}

struct hw_device *hw_find(struct hw *hw, int32_t key)
{
    for (size_t i = 0; i < hw->count; i++)
        if (hw->list[i].key == key)
            return &hw->list[i];
    return NULL;
}

int hw_subject(struct operation *o, struct hw *hw, enum hw_class cls, struct hw_device **out,
               struct pv_err *err)
{
    int64_t key;

    *out = o->device && str_i64(o->device, strlen(o->device), &key) && key > INT32_MIN &&
                   key < INT32_MAX
               ? hw_find(hw, (int32_t)key)
               : NULL;
    if (!*out || (cls != HW_OTHER && (*out)->cls != cls))
        return pv_fail(err, PV_ENOENT, "%s %s: the VM has no such device", o->method->verb,
                       o->name);
    return PV_OK;
}

/* ------------------------------------------------------------------ places on buses */

static const struct hw_device *at(const struct hw *hw, int32_t controller, int32_t unit)
{
    for (size_t i = 0; i < hw->count; i++)
        if (hw->list[i].cls != HW_CONTROLLER && hw->list[i].controller == controller &&
            hw->list[i].unit == unit)
            return &hw->list[i];
    return NULL;
}

static int32_t free_unit(const struct hw *hw, const struct hw_device *c)
{
    for (size_t b = 0; b < sizeof(buses) / sizeof(buses[0]); b++)
        for (int32_t u = 0; buses[b].bus == c->bus && u < buses[b].units; u++)
            if (u != buses[b].reserved && !at(hw, c->key, u))
                return u;
    return -1;
}

static struct hw_device *controller_at(struct hw *hw, enum hw_bus bus, int64_t number_)
{
    for (size_t i = 0; i < hw->count; i++)
        if (hw->list[i].cls == HW_CONTROLLER && hw->list[i].bus == bus &&
            hw->list[i].number == number_)
            return &hw->list[i];
    return NULL;
}

static struct hw_device *with_room(struct hw *hw, enum hw_bus bus)
{
    for (int32_t n = 0; n < 8; n++) {
        struct hw_device *c = controller_at(hw, bus, n);

        if (c && free_unit(hw, c) >= 0)
            return c;
    }
    return NULL;
}

/* number -1: the first free one. */
static int new_controller(struct operation *o, struct hw *hw, struct enc_object *spec,
                          enum hw_bus bus, int64_t wanted, struct hw_device **out,
                          struct pv_err *err)
{
    json_t *args = json_pack("{s:s}", "bus", hw_bus_word(bus));
    int rc;

    if (wanted >= 0)
        json_object_set_new(args, "number", json_integer(wanted));
    rc = hw_add_controller(o, hw, spec, args, err);
    json_decref(args);
    if (rc == PV_OK)
        *out = &hw->list[hw->count - 1];
    return rc;
}

static int take_unit(struct operation *o, const struct hw *hw, const struct hw_device *c,
                     const json_t *where, int32_t *unit, struct pv_err *err)
{
    const struct hw_device *taken;
    char why[160];
    int64_t wanted;

    if (!op_member_int(where, "unit", &wanted)) {
        *unit = free_unit(hw, c);
        return *unit >= 0 ? PV_OK : op_bad(o, "controller.bus", "there is no room on it", err);
    }
    for (size_t b = 0; b < sizeof(buses) / sizeof(buses[0]); b++)
        if (buses[b].bus == c->bus && (wanted >= buses[b].units || wanted == buses[b].reserved))
            return op_bad(o, "controller.unit", "this bus has no such place", err);
    *unit = (int32_t)wanted;
    taken = at(hw, c->key, *unit);
    if (!taken)
        return PV_OK;
    (void)snprintf(why, sizeof(why), "the place is taken by %s",
                   taken->label[0] ? taken->label : "another device");
    return op_bad(o, "controller.unit", why, err);
}

/* Where it goes when nobody says: disks to the bus the VM has, drives to SATA. */
static int usual_place(struct operation *o, struct hw *hw, struct enc_object *spec,
                       enum hw_class cls, struct hw_device **out, struct pv_err *err)
{
    static const enum hw_bus for_disks[] = { HW_SCSI, HW_NVME, HW_SATA },
                             for_drives[] = { HW_SATA, HW_IDE, HW_NO_BUS };
    const enum hw_bus *order = cls == HW_DISK ? for_disks : for_drives;

    for (size_t i = 0; i < 3; i++) {
        /* IDE takes nothing while the VM runs. */
        if (order[i] == HW_NO_BUS || (order[i] == HW_IDE && (hw->running || hw->making)))
            continue;
        *out = with_room(hw, order[i]);
        if (*out)
            return PV_OK;
    }
    return new_controller(o, hw, spec, order[0], -1, out, err);
}

int hw_place(struct operation *o, struct hw *hw, struct enc_object *spec, const json_t *where,
             enum hw_class cls, int32_t *controller, int32_t *unit, struct pv_err *err)
{
    const char *type = op_member_str(where, "type");
    enum hw_bus bus = hw_bus_of(type);
    struct hw_device *c = NULL;
    int64_t wanted = -1;
    int rc = PV_OK;

    if (type && bus == HW_NO_BUS)
        return op_no_such(o, "controller.type", "vSphere has ide, scsi, sata and nvme", err);
    if (cls == HW_CDROM && (bus == HW_SCSI || bus == HW_NVME))
        return op_no_such(o, "controller.type", "CD drives hang on ide or sata", err);
    if (!type && op_member_int(where, "bus", &wanted))
        bus = cls == HW_DISK ? HW_SCSI : HW_SATA;
    (void)op_member_int(where, "bus", &wanted);
    if (bus == HW_NO_BUS) {
        rc = usual_place(o, hw, spec, cls, &c, err);
    } else {
        c = wanted >= 0 ? controller_at(hw, bus, wanted) : with_room(hw, bus);
        if (!c)
            rc = new_controller(o, hw, spec, bus, wanted, &c, err);
    }
    if (rc)
        return rc;
    if (c->bus == HW_IDE && hw->running)
        return op_wrong_state(o, err,
                              "IDE takes nothing while the VM runs; use sata, or turn it off");
    *controller = c->key;
    return take_unit(o, hw, c, where, unit, err);
}

/* ------------------------------------------------------------------ files */

int hw_file(struct operation *o, const struct hw *hw, const json_t *file, const char *pointer,
            char *out, size_t cap, struct pv_err *err)
{
    const char *path = op_member_str(file, "path"), *store = op_member_str(file, "datastore.name");
    int n;

    if (!path || !*path)
        return op_bad(o, pointer, "the file is not named", err);
    if (path[0] == '[')
        return str_copy(out, cap, path) ? PV_OK : op_bad(o, pointer, "the path is too long", err);
    if (path[0] == '/' || strstr(path, ".."))
        return op_bad(o, pointer, "it is a path in the datastore: folder/file", err);
    if (!store || !*store)
        store = hw->store;
    if (!*store)
        return op_bad(o, pointer, "name the datastore, too", err);
    n = snprintf(out, cap, "[%s] %s", store, path);
    return n > 0 && (size_t)n < cap ? PV_OK : op_bad(o, pointer, "the path is too long", err);
}

/* ------------------------------------------------------------------ in our words */

static json_t *seat(const struct hw *hw, const struct hw_device *d)
{
    for (size_t i = 0; i < hw->count; i++)
        if (hw->list[i].cls == HW_CONTROLLER && hw->list[i].key == d->controller)
            return json_pack("{s:s, s:i, s:i}", "type", hw_bus_word(hw->list[i].bus), "bus",
                             (int)hw->list[i].number, "unit", (int)d->unit);
    return NULL;
}

static const char *adapter_word(const char *type)
{
    static const char *const words[][2] = {
        { "VirtualVmxnet3", "vmxnet3" },
        { "VirtualE1000e", "e1000e" },
        { "VirtualE1000", "e1000" },
        { "VirtualPCNet32", "pcnet" },
        { "VirtualSriovEthernetCard", "sriov" },
        { "VirtualVmxnet2", "vmxnet2" },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i][0], type) == 0)
            return words[i][1];
    return "unknown";
}

void hw_put_devices(struct operation *o, const struct hw *hw)
{
    static const char *const kinds[] = { NULL, "controller", "disk", "cdrom", "nic", "floppy" };

    for (size_t i = 0; i < hw->count; i++) {
        const struct hw_device *d = &hw->list[i];
        json_t *out, *place = d->cls == HW_DISK || d->cls == HW_CDROM ? seat(hw, d) : NULL;
        char id[16];

        if (!kinds[d->cls])
            continue;
        out = json_pack("{s:s, s:s}", "kind", kinds[d->cls], "label", d->label);
        (void)snprintf(id, sizeof(id), "%d", (int)d->key);
        if (d->key > 0)
            json_object_set_new(out, "native_id", json_string(id));
        if (place)
            json_object_set_new(out, "controller", place);
        if (d->path[0])
            json_object_set_new(out, "image", json_pack("{s:s}", "path", d->path));
        if (d->cls == HW_CONTROLLER) {
            json_object_set_new(out, "bus", json_string(hw_bus_word(d->bus)));
            json_object_set_new(out, "number", json_integer(d->number));
        }
        if (d->cls == HW_DISK)
            json_object_set_new(out, "capacity_bytes", json_integer(d->capacity));
        if (d->cls == HW_NIC) {
            json_object_set_new(out, "adapter", json_string(adapter_word(d->type)));
            json_object_set_new(out, "connected", json_boolean(d->at_start));
        }
        op_put_list(o, "devices", out);
    }
}
