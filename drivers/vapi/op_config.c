/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on what a VM is made of, its name and its end. */
#include "drivers/vapi/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/props.h"
#include "drivers/vapi/vapi.h"

#define MIB (INT64_C(1) << 20)
#define UNLIMITED (-1)
#define DEVICES_MOST 256
#define LOOKS 6
#define LOOK_EVERY_MS 2000

/* ------------------------------------------------------------------ devices, for the boot order */

struct boot_device {
    int64_t key;
    char word[8]; /* what boot.order calls its kind */
};

struct boot_devices {
    struct boot_device list[DEVICES_MOST];
    size_t count;
};

static const char *const device_paths[] = { "config.hardware.device" };
static const struct prop_table device_table = { "VirtualMachine", device_paths, 1 };

static const char *word_of(const char *type)
{
    static const char *const cards[] = { "VirtualVmxnet",           "VirtualVmxnet2",
                                         "VirtualVmxnet3",          "VirtualE1000",
                                         "VirtualE1000e",           "VirtualPCNet32",
                                         "VirtualSriovEthernetCard" };

    if (!type)
        return NULL;
    if (strcmp(type, "VirtualDisk") == 0)
        return "disk";
    if (strcmp(type, "VirtualCdrom") == 0)
        return "cdrom";
    if (strcmp(type, "VirtualFloppy") == 0)
        return "floppy";
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++)
        if (strcmp(type, cards[i]) == 0)
            return "network";
    return NULL;
}

static int on_devices(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct boot_devices *out = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&device_table, object, &v);
    for (const xmlNode *d = xml_first(v.val[0]); d; d = xml_next(d)) {
        const char *word = word_of(xml_xsi_type(d));
        uint64_t key;

        if (!word || out->count == DEVICES_MOST || !value_field_u64(d, "key", &key) ||
            key > INT32_MAX)
            continue;
        out->list[out->count].key = (int64_t)key;
        (void)str_copy(out->list[out->count++].word, sizeof(out->list[0].word), word);
    }
    return PV_OK;
}

static void boot_from(struct enc_object *options, const struct boot_device *d)
{
    static const char *const types[][2] = {
        { "disk", "VirtualMachineBootOptionsBootableDiskDevice" },
        { "network", "VirtualMachineBootOptionsBootableEthernetDevice" },
        { "cdrom", "VirtualMachineBootOptionsBootableCdromDevice" },
        { "floppy", "VirtualMachineBootOptionsBootableFloppyDevice" },
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strcmp(types[i][0], d->word) == 0) {
            struct enc_object *device = enc_child(options, "bootOrder", types[i][1]);

            /* vSphere tells CD and floppy drives by their kind alone. */
            if (i < 2)
                enc_int(device, "deviceKey", d->key);
        }
    }
}

/* A word stands for all devices of the kind, a number for one. */
int op_put_boot_order(struct operation *o, struct enc_object *options, const json_t *order,
                      struct pv_err *err)
{
    struct boot_devices *found = calloc(1, sizeof(*found));
    const json_t *item;
    size_t i;
    int rc = found ? op_read(o, &o->vm, &device_table, on_devices, found, err)
                   : pv_fail(err, PV_ENOMEM, "no memory");

    json_array_foreach(order, i, item)
    {
        const char *text = json_string_value(item);
        bool any = false;
        int64_t key = -1;

        if (rc || !text)
            break;
        (void)str_i64(text, strlen(text), &key);
        for (size_t d = 0; d < found->count; d++) {
            bool by_word = strcmp(found->list[d].word, text) == 0;

            if (!by_word && found->list[d].key != key)
                continue;
            if (!(by_word && any && found->list[d].word[0] != 'd' && found->list[d].word[0] != 'n'))
                boot_from(options, &found->list[d]);
            any = true;
        }
        if (!any)
            rc = pv_fail_as(err, "validation-failed", "%s has no device \"%s\" to boot from",
                            o->name, text);
    }
    free(found);
    return rc;
}

/* ------------------------------------------------------------------ members */

/* Members of `part` that only another family has; false and 0 say what is so. */
static int refuse(const struct operation *o, const char *part, const char *const *names,
                  struct pv_err *err)
{
    for (; *names; names++) {
        char member[64];
        const json_t *v;

        (void)snprintf(member, sizeof(member), "%s.%s", part, *names);
        v = op_member(o->args, member);
        if (v && !json_is_false(v) && !json_is_null(v) &&
            !(json_is_integer(v) && json_integer_value(v) == 0))
            return op_no_such(o, member, "vSphere has no such setting", err);
    }
    return PV_OK;
}

static void put_int(struct enc_object *o, const char *field, const json_t *v)
{
    if (json_is_integer(v))
        enc_int(o, field, json_integer_value(v));
}

static void put_bool(struct enc_object *o, const char *field, const json_t *v)
{
    if (json_is_boolean(v))
        enc_bool(o, field, json_is_true(v));
}

/* Reservation, limit and weight; `unit` is what one of vSphere's is in ours. */
static void put_allocation(struct enc_object *spec, const char *field, const json_t *part,
                           const char *reservation, const char *limit, int64_t unit)
{
    const json_t *keep = json_object_get(part, reservation), *most = json_object_get(part, limit),
                 *weight = json_object_get(part, "weight");
    struct enc_object *a, *shares;

    if (!keep && !most && !weight)
        return;
    a = enc_child(spec, field, "ResourceAllocationInfo");
    if (json_is_integer(keep))
        enc_int(a, "reservation", json_integer_value(keep) / unit);
    if (most)
        enc_int(a, "limit", json_is_null(most) ? UNLIMITED : json_integer_value(most) / unit);
    if (json_is_integer(weight)) {
        shares = enc_child(a, "shares", "SharesInfo");
        enc_int(shares, "shares", json_integer_value(weight));
        enc_text(shares, "level", "custom");
    }
}

static int put_cpu(const struct operation *o, struct enc_object *spec, const json_t *cpu,
                   struct pv_err *err)
{
    static const char *const not_here[] = { "threads_per_core", NULL };

    put_int(spec, "numCPUs", json_object_get(cpu, "count"));
    put_int(spec, "numCoresPerSocket", json_object_get(cpu, "cores_per_socket"));
    put_bool(spec, "cpuHotAddEnabled", json_object_get(cpu, "hot_add"));
    put_bool(spec, "nestedHVEnabled", json_object_get(cpu, "nested"));
    put_allocation(spec, "cpuAllocation", cpu, "reservation_mhz", "limit_mhz", 1);
    return refuse(o, "cpu", not_here, err);
}

static int put_memory(const struct operation *o, struct enc_object *spec, const json_t *memory,
                      struct pv_err *err)
{
    static const char *const not_here[] = { "dynamic", "min_bytes", "max_bytes", "buffer_pct",
                                            NULL };
    const json_t *bytes = json_object_get(memory, "bytes");

    if (bytes && json_integer_value(bytes) % MIB != 0)
        return pv_fail_as(err, "validation-failed", "%s %s: memory.bytes is whole MiB",
                          o->method->verb, o->name);
    if (bytes)
        enc_int(spec, "memoryMB", json_integer_value(bytes) / MIB);
    put_bool(spec, "memoryHotAddEnabled", json_object_get(memory, "hot_add"));
    put_allocation(spec, "memoryAllocation", memory, "reservation_bytes", "limit_bytes", MIB);
    return refuse(o, "memory", not_here, err);
}

static int put_boot(struct operation *o, struct enc_object *spec, struct pv_err *err)
{
    static const char *const not_here[] = { "template", NULL };
    const json_t *secure = json_object_get(o->args, "secure_boot"),
                 *order = json_object_get(json_object_get(o->args, "boot"), "order");
    bool fresh = o->method->about == OP_PLACE;
    struct enc_object *options;
    int rc;

    if (!secure && !order && !fresh)
        return PV_OK;
    options = enc_child(spec, "bootOptions", "VirtualMachineBootOptions");
    /* Of a new VM it is off unless asked for, whatever the server would choose. */
    if (fresh)
        enc_bool(options, "efiSecureBootEnabled", op_arg_true(o, "secure_boot.on"));
    else
        put_bool(options, "efiSecureBootEnabled", json_object_get(secure, "on"));
    rc = refuse(o, "secure_boot", not_here, err);
    /* Of a VM that is made the devices have no keys yet. */
    if (rc || !order || fresh)
        return rc;
    return op_put_boot_order(o, options, order, err);
}

int op_put_config(struct operation *o, struct enc_object *spec, struct pv_err *err)
{
    const json_t *note = op_member(o->args, "annotation");
    const char *firmware = json_string_value(json_object_get(o->args, "firmware"));
    int rc = put_cpu(o, spec, json_object_get(o->args, "cpu"), err);

    if (rc == PV_OK && op_arg_true(o, "tpm"))
        rc = op_no_such(o, "tpm", "it is added where the key provider is known", err);
    if (rc == PV_OK && op_member(o->args, "autostart"))
        rc = op_no_such(o, "autostart", "it is a setting of the ESXi host", err);
    if (rc == PV_OK)
        rc = put_memory(o, spec, json_object_get(o->args, "memory"), err);
    if (rc)
        return rc;
    if (note)
        enc_text(spec, "annotation", json_is_null(note) ? "" : json_string_value(note));
    enc_text(spec, "guestId",
             json_string_value(json_object_get(json_object_get(o->args, "guest"), "os_id")));
    if (firmware)
        enc_text(spec, "firmware", strcmp(firmware, "uefi") == 0 ? "efi" : firmware);
    return put_boot(o, spec, err);
}

int op_reconfigure(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("ReconfigVM_Task", o->vm.type, o->vm.id);
    int rc = PV_OK;

    if (e)
        rc = op_put_config(o, enc_child(enc_root(e), "spec", "VirtualMachineConfigSpec"), err);
    if (rc) {
        enc_free(e);
        return rc;
    }
    return op_run_task(o, e, err);
}

/* ------------------------------------------------------------------ names and the end */

int op_rename(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("Rename_Task", o->vm.type, o->vm.id);

    if (e)
        enc_text(enc_root(e), "newName", json_string_value(json_object_get(o->args, "name")));
    return op_run_task(o, e, err);
}

int op_delete(struct operation *o, struct pv_err *err)
{
    if (o->state == PV_POWER_STATE_OFF || !op_arg_true(o, "force"))
        return PV_OK;
    return op_run_task(o, enc_new("PowerOffVM_Task", o->vm.type, o->vm.id), err);
}

/* The request may have been sent before a restart, and still be on its way. */
static bool goes_away(struct operation *o)
{
    for (unsigned i = 0; i < LOOKS; i++) {
        struct op_view now = { 0 };
        struct pv_err why = { 0 };

        if (op_look(o, &now, &why) == PV_ENOENT)
            return true;
        if (call_sleep(&o->c, LOOK_EVERY_MS, &why))
            break;
    }
    return false;
}

/* Kept disks keep the VM's other files, too: vSphere forgets the VM, no more. */
int op_delete_then(struct operation *o, struct pv_err *err)
{
    const char *disks = op_arg_str(o, "disks");
    bool all = disks && strcmp(disks, "delete") == 0;
    struct pv_err why = { 0 };
    int rc;

    if (!op_step(o, 1))
        return PV_OK;
    if (o->begun == 1 && goes_away(o)) {
        o->changed = true;
        return PV_OK;
    }
    rc = all ? op_run_task(o, enc_new("Destroy_Task", o->vm.type, o->vm.id), &why)
             : op_ask(o, enc_new("UnregisterVM", o->vm.type, o->vm.id), &why);
    if (rc == PV_ENOENT) {
        o->changed = true;
        return PV_OK;
    }
    /* What was done before is no "canceled". */
    if (rc == PV_ECANCELED && o->changed && !op_goes_on(o, rc))
        return pv_fail_as(err, "vm-invalid-state",
                          "%s %s was canceled when it was turned off already; it is still there",
                          o->method->verb, o->name);
    if (rc && err)
        *err = why;
    return rc;
}
