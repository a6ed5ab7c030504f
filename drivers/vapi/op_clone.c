/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that make a VM of a VM, a template of it, or take it elsewhere. */
#include "drivers/vapi/op.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/hw.h"
#include "drivers/vapi/op_place.h"

/* ------------------------------------------------------------------ what both have */

/* The new network of an adapter: by its label, or by * for all that are not named. NULL: it keeps
 * its own. */
static const json_t *network_for(const struct operation *o, const struct hw_device *d)
{
    const json_t *list = op_member(o->args, "networks"), *one, *any = NULL;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *nic = op_member_str(one, "nic");

        if (nic && strcmp(nic, d->label) == 0)
            return json_object_get(one, "network");
        if (nic && strcmp(nic, "*") == 0)
            any = json_object_get(one, "network");
    }
    return any;
}

static int check_labels(struct operation *o, const struct hw *hw, struct pv_err *err)
{
    const json_t *list = op_member(o->args, "networks"), *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const char *nic = op_member_str(one, "nic");
        bool found = nic && strcmp(nic, "*") == 0;

        for (size_t d = 0; nic && d < hw->count; d++)
            found |= hw->list[d].cls == HW_NIC && strcmp(hw->list[d].label, nic) == 0;
        if (!found)
            return op_bad(o, "networks", "the VM has no adapter of this label", err);
    }
    return PV_OK;
}

/* Adapters whose network, or address (`keep_mac`), is said. */
static int put_adapters(struct operation *o, struct hw *hw, struct enc_object *spec, bool keep_mac,
                        struct pv_err *err)
{
    int rc = check_labels(o, hw, err);

    for (size_t i = 0; rc == PV_OK && i < hw->count; i++) {
        const json_t *network = hw->list[i].cls == HW_NIC ? network_for(o, &hw->list[i]) : NULL;
        json_t *args;

        if (hw->list[i].cls != HW_NIC || (!network && !keep_mac))
            continue;
        args = json_object();
        if (network)
            json_object_set(args, "network", (json_t *)(uintptr_t)network);
        if (keep_mac)
            json_object_set_new(args, "mac", json_string(hw->list[i].mac));
        rc = hw_edit_nic(o, &hw->list[i], spec, args, err);
        json_decref(args);
    }
    return rc;
}

static const struct hw_device *disk_of(struct hw *hw, const json_t *one)
{
    const char *id = op_member_str(one, "disk.native_id");
    int64_t key;
    struct hw_device *d = id && str_i64(id, strlen(id), &key) && key > 0 && key < INT32_MAX
                              ? hw_find(hw, (int32_t)key)
                              : NULL;

    return d && d->cls == HW_DISK ? d : NULL;
}

/* Disks that go elsewhere than the rest, or take space in another way. */
static int put_disks(struct operation *o, struct hw *hw, struct enc_object *location,
                     const struct place *place, struct pv_err *err)
{
    const json_t *list = op_member(o->args, "disks"), *one;
    const char *subformat = op_arg_str(o, "subformat");
    size_t n;

    json_array_foreach(list, n, one) if (!disk_of(hw, one)) return op_bad(
        o, "disks", "it is no disk of this VM", err);
    for (size_t i = 0; i < hw->count; i++) {
        struct hw_device *d = &hw->list[i];
        struct enc_object *locator, *backing;
        const char *to = NULL;

        if (d->cls != HW_DISK)
            continue;
        json_array_foreach(list, n, one) if (disk_of(hw, one) == d) to =
            op_member_str(one, "datastore.native_id");
        if (!to && !subformat)
            continue;
        if (!to)
            to = place->datastore.id[0] ? place->datastore.id : d->store;
        if (!*to)
            return op_bad(o, "datastore", "name the datastore for the disks", err);
        locator = enc_child(location, "disk", "VirtualMachineRelocateSpecDiskLocator");
        enc_int(locator, "diskId", d->key);
        enc_ref(locator, "datastore", "Datastore", to);
        if (!subformat)
            continue;
        backing = enc_child(locator, "diskBackingInfo", "VirtualDiskFlatVer2BackingInfo");
        enc_text(backing, "fileName", "");
        enc_text(backing, "diskMode", d->mode[0] ? d->mode : "persistent");
        if (!hw_put_layout(backing, subformat))
            return op_no_such(o, "subformat", "vSphere has thin, thick_lazy and thick_eager", err);
    }
    return PV_OK;
}

static void put_place(const struct place *p, struct enc_object *location)
{
    if (p->datastore.id[0])
        enc_ref(location, "datastore", p->datastore.type, p->datastore.id);
    if (p->pool.id[0])
        enc_ref(location, "pool", p->pool.type, p->pool.id);
    if (p->host.id[0])
        enc_ref(location, "host", p->host.type, p->host.id);
}

/* ------------------------------------------------------------------ clone */

static int find_clone_place(struct operation *o, struct hw *hw, struct place *p, struct pv_err *err)
{
    int rc = place_new(o, &hw->pool, p, err);

    if (rc)
        return rc;
    if (!p->pool.id[0])
        p->pool = hw->pool;
    if (!p->folder.id[0])
        p->folder = hw->folder;
    if (!p->pool.id[0])
        return op_bad(o, "resource_pool",
                      "a template has none; name resource_pool, host or cluster", err);
    if (!p->folder.id[0])
        return op_no_such(o, "native_folder", "it is part of a vApp and has no folder; name one",
                          err);
    return PV_OK;
}

static int put_clone(struct operation *o, struct hw *hw, struct enc *e, struct pv_err *err)
{
    bool linked = op_arg_true(o, "linked");
    const char *mac = op_arg_str(o, "mac");
    struct enc_object *spec, *location;
    struct moref snapshot = { 0 };
    struct place place;
    int rc = find_clone_place(o, hw, &place, err);

    if (rc)
        return rc;
    if (!op_named(o->args, "snapshot", "VirtualMachineSnapshot", &snapshot) && linked)
        snapshot = hw->snapshot;
    if (linked && !snapshot.id[0])
        return op_wrong_state(o, err,
                              "a linked clone shares the disks of a snapshot, and it has none");
    enc_ref(enc_root(e), "folder", place.folder.type, place.folder.id);
    enc_text(enc_root(e), "name", op_arg_str(o, "name"));
    spec = enc_child(enc_root(e), "spec", "VirtualMachineCloneSpec");
    location = enc_child(spec, "location", "VirtualMachineRelocateSpec");
    put_place(&place, location);
    if (linked)
        enc_text(location, "diskMoveType", "createNewChildDiskBacking");
    rc = put_disks(o, hw, location, &place, err);
    if (rc == PV_OK && (op_member(o->args, "networks") || (mac && strcmp(mac, "keep") == 0)))
        rc = put_adapters(o, hw, enc_child(spec, "config", "VirtualMachineConfigSpec"),
                          mac && strcmp(mac, "keep") == 0, err);
    enc_bool(spec, "template", op_arg_true(o, "template"));
    enc_bool(spec, "powerOn", op_arg_true(o, "start"));
    if (snapshot.id[0])
        enc_ref(spec, "snapshot", snapshot.type, snapshot.id);
    return rc;
}

int op_clone(struct operation *o, struct pv_err *err)
{
    struct hw hw;
    struct enc *e;
    int rc = hw_read(o, &hw, err);

    if (rc)
        return rc;
    e = enc_new("CloneVM_Task", o->vm.type, o->vm.id);
    rc = e ? put_clone(o, &hw, e, err) : pv_fail(err, PV_ENOMEM, "no memory");
    hw_free(&hw);
    if (rc == PV_OK)
        return op_run_task(o, e, err);
    enc_free(e);
    return rc;
}

int op_clone_then(struct operation *o, struct pv_err *err)
{
    struct moref source = o->vm;
    struct pv_err why = { 0 };
    struct hw hw;

    (void)err;
    if (o->dry_run || !o->made.id[0])
        return PV_OK;
    op_put_made(o, "vm", o->made.id, NULL);
    o->vm = o->made;
    if (hw_read(o, &hw, &why) == PV_OK) {
        hw_put_devices(o, &hw);
        hw_free(&hw);
    } else {
        op_warn(o, "the devices of the new VM could not be listed");
    }
    o->vm = source;
    return PV_OK;
}

/* ------------------------------------------------------------------ template */

int op_template(struct operation *o, struct pv_err *err)
{
    struct place place;
    struct hw hw;
    struct enc *e;
    int rc;

    if (op_arg_true(o, "template"))
        return op_ask(o, enc_new("MarkAsTemplate", o->vm.type, o->vm.id), err);
    rc = hw_read(o, &hw, err);
    if (rc)
        return rc;
    rc = find_clone_place(o, &hw, &place, err);
    hw_free(&hw);
    if (rc)
        return rc;
    e = enc_new("MarkAsVirtualMachine", o->vm.type, o->vm.id);
    if (e) {
        enc_ref(enc_root(e), "pool", place.pool.type, place.pool.id);
        if (place.host.id[0])
            enc_ref(enc_root(e), "host", place.host.type, place.host.id);
    }
    return op_ask(o, e, err);
}

/* ------------------------------------------------------------------ move */

static int check_move(struct operation *o, struct pv_err *err)
{
    const json_t *live = op_member(o->args, "live");
    bool off = o->state == PV_POWER_STATE_OFF;

    if (op_member(o->args, "host.provider") || op_member(o->args, "provider"))
        return op_no_such(
            o, op_member(o->args, "provider") ? "provider" : "host",
            "a VM is moved within its vCenter; export and import it, or link the vCenters", err);
    if (op_member(o->args, "path"))
        return op_no_such(o, "path", "vSphere names the folder itself", err);
    if (json_is_true(live) && off)
        return op_wrong_state(o, err, "it is off, and a live move was asked for");
    if (json_is_false(live) && !off)
        return op_wrong_state(o, err, "it runs, and a move without stopping it was not asked for");
    if (!op_member(o->args, "host") && !op_member(o->args, "cluster") &&
        !op_member(o->args, "resource_pool") && !op_member(o->args, "datastore") &&
        !json_array_size(op_member(o->args, "disks")) && !op_arg_str(o, "subformat"))
        return op_bad(o, "host", "say where to: host, cluster, resource_pool, datastore or disks",
                      err);
    return PV_OK;
}

int op_move(struct operation *o, struct pv_err *err)
{
    struct enc_object *spec;
    struct place place;
    struct enc *e;
    struct hw hw;
    int rc = check_move(o, err);

    if (rc == PV_OK)
        rc = hw_read(o, &hw, err);
    if (rc)
        return rc;
    rc = place_new(o, &hw.pool, &place, err);
    e = rc == PV_OK ? enc_new("RelocateVM_Task", o->vm.type, o->vm.id) : NULL;
    if (e) {
        spec = enc_child(enc_root(e), "spec", "VirtualMachineRelocateSpec");
        put_place(&place, spec);
        rc = put_disks(o, &hw, spec, &place, err);
        if (rc == PV_OK && op_member(o->args, "networks"))
            rc = put_adapters(o, &hw, spec, false, err);
        enc_text(enc_root(e), "priority", "defaultPriority");
    } else if (rc == PV_OK) {
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    }
    hw_free(&hw);
    if (rc == PV_OK)
        return op_run_task(o, e, err);
    enc_free(e);
    return rc;
}
