/* SPDX-License-Identifier: Apache-2.0 */
/* Every device a VM has, in words of our fields: what making one answers. */
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_device.h"

#define RES(prop) P(Msvm_ResourceAllocationSettingData, prop)

static json_t *device(const char *kind, const struct cim_instance *i)
{
    const struct cim_prop *label = cim_prop_find(i->cls, "ElementName");
    const struct cim_prop *id = cim_prop_find(i->cls, "InstanceID");

    return json_pack("{s:s, s:s?, s:s?}", "kind", kind, "label",
                     cim_str(i, (struct cim_p_str){ label }), "native_id",
                     cim_str(i, (struct cim_p_str){ id }));
}

static void put_seat(struct op *o, json_t *to, const struct cim_list *all,
                     const struct cim_instance *drive)
{
    const char *parent = op_path_id(o, cim_str(drive, RES(Parent))),
               *at = cim_str(drive, RES(AddressOnParent));
    int ide = 0, scsi = 0;
    uint64_t unit = 0;

    (void)(at && str_u64(at, strlen(at), 255, &unit));
    for (size_t i = 0; i < all->count; i++) {
        uint64_t type = cim_uint(all->items[i], RES(ResourceType));

        if (type != 5 && type != 6)
            continue;
        if (op_same(cim_str(all->items[i], RES(InstanceID)), parent))
            json_object_set_new(to, "controller",
                                json_pack("{s:s, s:i, s:i}", "type", type == 5 ? "ide" : "scsi",
                                          "bus", type == 5 ? ide : scsi, "unit", (int)unit));
        ide += type == 5;
        scsi += type == 6;
    }
}

static void put_resource(struct op *o, const struct cim_list *all, const struct cim_list *media,
                         const struct cim_instance *r)
{
    uint64_t type = cim_uint(r, RES(ResourceType));
    const struct cim_instance *medium;
    json_t *d;

    if (type == 5 || type == 6) {
        d = device("controller", r);
        json_object_set_new(d, "bus", json_string(type == 5 ? "ide" : "scsi"));
    } else if (type == 16 || type == 17) {
        d = device(type == 17 ? "disk" : "cdrom", r);
        put_seat(o, d, all, r);
        medium = op_child_of(o, media, cim_str(r, RES(InstanceID)));
        if (medium)
            json_object_set_new(
                d, "image",
                json_pack(
                    "{s:s?}", "path",
                    cim_str_at(medium, P(Msvm_StorageAllocationSettingData, HostResource), 0)));
    } else if (type == 14) {
        d = device("floppy", r);
    } else {
        return;
    }
    op_device(o, d);
}

static int put_nics(struct op *o, const struct cim_class *cls, const char *adapter,
                    struct pv_err *err)
{
    struct cim_list nics = { 0 }, ports = { 0 };
    int rc = op_list(o, cls, o->vm, &nics, err);

    if (rc == PV_OK && nics.count)
        rc = op_list(o, CIM(Msvm_EthernetPortAllocationSettingData), o->vm, &ports, err);
    for (size_t i = 0; rc == PV_OK && i < nics.count; i++) {
        const struct cim_prop *id = cim_prop_find(cls, "InstanceID");
        const struct cim_instance *port =
            op_child_of(o, &ports, cim_str(nics.items[i], (struct cim_p_str){ id }));
        json_t *d = device("nic", nics.items[i]);

        json_object_set_new(d, "adapter", json_string(adapter));
        json_object_set_new(
            d, "connected",
            json_boolean(
                cim_count(port, P(Msvm_EthernetPortAllocationSettingData, HostResource)) > 0 &&
                cim_uint(port, P(Msvm_EthernetPortAllocationSettingData, EnabledState)) == 2));
        op_device(o, d);
    }
    return rc;
}

int op_list_devices(struct op *o, struct pv_err *err)
{
    struct cim_list all = { 0 }, media = { 0 };
    int rc = op_list(o, CIM(Msvm_ResourceAllocationSettingData), o->vm, &all, err);

    if (rc == PV_OK)
        rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), o->vm, &media, err);
    for (size_t i = 0; rc == PV_OK && i < all.count; i++)
        put_resource(o, &all, &media, all.items[i]);
    if (rc == PV_OK)
        rc = put_nics(o, CIM(Msvm_SyntheticEthernetPortSettingData), "synthetic", err);
    if (rc == PV_OK)
        rc = put_nics(o, CIM(Msvm_EmulatedEthernetPortSettingData), "legacy", err);
    return rc;
}
