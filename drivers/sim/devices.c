/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that a VM gets: what was asked for, and what it is given where nothing was said. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/job.h"

#define DISKS_MAX 64
#define NICS_MAX 10

/* ------------------------------------------------------------------ places on buses */

static bool slot_taken(const json_t *list, const char *bus, int64_t number, int64_t unit)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        const json_t *f = json_object_get(one, "fields");

        if (strcmp(sim_doc_text(f, "controller.type"), bus) == 0 &&
            sim_doc_number(f, "controller.bus") == number &&
            sim_doc_number(f, "controller.unit") == unit)
            return true;
    }
    return false;
}

static bool has_controller(const json_t *doc, const char *bus, int64_t number)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(doc, "controllers"), i, one)
    {
        const json_t *f = json_object_get(one, "fields");

        if (strcmp(sim_doc_text(f, "bus"), bus) == 0 && sim_doc_number(f, "number") == number)
            return true;
    }
    return false;
}

static int units_of(const char *bus)
{
    return strcmp(bus, "ide") == 0 ? 2 : strcmp(bus, "sata") == 0 ? 30 : 64;
}

/* SCSI unit 7 is the controller's own in vSphere. */
static bool unit_usable(const struct job *j, const char *bus, int64_t unit)
{
    return unit < units_of(bus) && !(sim_is_vmware(j->e) && strcmp(bus, "scsi") == 0 && unit == 7);
}

static bool slot_free(const struct job *j, const json_t *doc, const char *bus, int64_t number,
                      int64_t unit)
{
    return unit_usable(j, bus, unit) &&
           !slot_taken(json_object_get(doc, "disks"), bus, number, unit) &&
           !slot_taken(json_object_get(doc, "cdroms"), bus, number, unit);
}

/* Where it goes: what was asked for, else the first place that is free. */
int sim_find_slot(const struct job *j, const json_t *doc, const char *usual, json_t *fields,
                  struct pv_err *err)
{
    const char *bus = sim_doc_text(fields, "controller.type");
    bool has_bus = json_is_integer(json_object_get(fields, "controller.bus"));
    bool has_unit = json_is_integer(json_object_get(fields, "controller.unit"));
    int64_t number = sim_doc_number(fields, "controller.bus"),
            unit = sim_doc_number(fields, "controller.unit");
    int rc;

    if (!bus[0])
        bus = usual;
    for (; !has_bus && number < 4 && !has_controller(doc, bus, number); number++)
        ;
    if (!has_controller(doc, bus, number)) {
        rc = pv_fail(err, PV_ENOENT, "the VM has no %s controller %d", bus,
                     has_bus ? (int)number : 0);
        pv_err_pointer(err, "/controller");
        pv_err_remedy(err, "Add the controller first.");
        return job_native(j, err, rc, "InvalidController", "0x80041002");
    }
    for (; !has_unit && unit < units_of(bus) && !slot_free(j, doc, bus, number, unit); unit++)
        ;
    if (!slot_free(j, doc, bus, number, unit)) {
        rc = has_unit
                 ? pv_fail_as(err, "conflict-exists", "%s %d:%d is taken", bus, (int)number,
                              (int)unit)
                 : pv_fail_as(err, "limit-exceeded",
                              "there is no free place on the %s controller %d", bus, (int)number);
        pv_err_pointer(err, "/controller");
        return job_native(j, err, rc, "InvalidDeviceSpec", "32773");
    }
    json_object_set_new(fields, "controller.type", json_string(bus));
    json_object_set_new(fields, "controller.bus", json_integer(number));
    json_object_set_new(fields, "controller.unit", json_integer(unit));
    return PV_OK;
}

/* ------------------------------------------------------------------ new devices */

static bool key_taken(const json_t *list, const char *key)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one) if (strcmp(sim_doc_text(one, "key"), key) == 0) return true;
    return false;
}

static unsigned next_key(const struct job *j, const json_t *list, const char *word, unsigned first,
                         char *key)
{
    unsigned n = 0;

    do {
        if (sim_is_vmware(j->e))
            snprintf(key, SIM_ID_MAX, "%u", first + n);
        else
            snprintf(key, SIM_ID_MAX, "%s-%u", word, n);
        n++;
    } while (key_taken(list, key));
    return n;
}

static bool uefi(const json_t *doc, const struct job *j)
{
    const char *firmware = sim_doc_text(json_object_get(doc, "fields"), "firmware");

    return firmware[0] ? strcmp(firmware, "uefi") == 0
                       : j->has_vm && j->vm.firmware == PV_FIRMWARE_UEFI;
}

void sim_store_path(const struct job *j, const json_t *image, uint32_t store, const char *name,
                    char *out, size_t cap)
{
    const char *path = json_string_value(json_object_get(image, "path"));
    char root[128];

    sim_store_root(j->e, store, root, sizeof(root));
    if (!path)
        snprintf(out, cap, sim_is_vmware(j->e) ? "%s%s/%s" : "%s%s\\%s", root, j->vm.name, name);
    else if (strchr(path, '[') || strchr(path, ':'))
        snprintf(out, cap, "%s", path);
    else
        snprintf(out, cap, "%s%s", root, path);
    for (char *c = out; !sim_is_vmware(j->e) && *c; c++)
        if (*c == '/')
            *c = '\\';
}

/* Number of the datastore that was named, else the VM's own. */
int sim_store_of(const struct job *j, const json_t *image, uint32_t *store, struct pv_err *err)
{
    const char *id = job_ref(image, "datastore");
    uint64_t n = j->vm.store;
    int rc;

    if (id[0] && !sim_native_number(j->e, PV_KIND_datastore, id, &n)) {
        rc = job_gone(j, err, "datastore");
        pv_err_pointer(err, "/image/datastore");
        return rc;
    }
    *store = (uint32_t)n;
    return PV_OK;
}

static int add_disk(struct job *j, json_t *doc, json_t *fields, const json_t *args, unsigned n,
                    struct pv_err *err)
{
    const json_t *image = json_object_get(args, "image");
    const char *existing = sim_doc_text(json_object_get(image, "id"), "path");
    bool fresh = json_object_get(args, "capacity_bytes") != NULL;
    char path[512], name[128], id[SIM_ID_MAX];
    uint32_t store;
    int rc;

    if (json_array_size(json_object_get(doc, "disks")) >= DISKS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a VM has at most %d disks", DISKS_MAX);
    if (!fresh && !existing[0] && !json_object_get(image, "path"))
        return sim_bad(j, err, "/capacity_bytes",
                       "is needed for a new disk, or image.path or image.id for an existing one");
    rc = sim_store_of(j, image, &store, err);
    if (rc == PV_OK)
        rc = sim_find_slot(j, doc, !sim_is_vmware(j->e) && !uefi(doc, j) && n == 1 ? "ide" : "scsi",
                           fields, err);
    if (rc != PV_OK)
        return rc;
    if (j->has_vm && j->e->vms[j->index].power != PV_POWER_STATE_OFF &&
        strcmp(sim_doc_text(fields, "controller.type"), "ide") == 0)
        return sim_not_while_running(j, err, "adding a disk to an IDE controller");
    if (!fresh)
        json_object_set_new(fields, "capacity_bytes", json_integer((json_int_t)40 << 30));
    if (sim_is_vmware(j->e) && n > 1)
        snprintf(name, sizeof(name), "%.40s_%u.vmdk", j->vm.name, n - 1);
    else
        snprintf(name, sizeof(name), sim_is_vmware(j->e) ? "%.40s%.0u.vmdk" : "%.40s-disk%u.vhdx",
                 j->vm.name, sim_is_vmware(j->e) ? 0 : n);
    sim_store_path(j, image, store, name, path, sizeof(path));
    sim_native_id(j->e, PV_KIND_datastore, store, id);
    json_object_set_new(fields, "image.path", json_string(existing[0] ? existing : path));
    json_object_set_new(fields, "image.datastore", json_string(id));
    if (!json_object_get(fields, "image.format"))
        json_object_set_new(fields, "image.format",
                            json_string(sim_is_vmware(j->e) ? "vmdk" : "vhdx"));
    if (!json_object_get(fields, "image.subformat"))
        json_object_set_new(fields, "image.subformat",
                            json_string(sim_is_vmware(j->e) ? "thin" : "dynamic"));
    if (!json_object_get(fields, "mode"))
        json_object_set_new(fields, "mode", json_string("dependent"));
    if (!json_object_get(fields, "sharing"))
        json_object_set_new(fields, "sharing", json_string("none"));
    json_object_del(fields, "image.parent");
    if (json_object_get(image, "parent"))
        json_object_set_new(fields, "image.parent",
                            json_string(sim_doc_text(json_object_get(image, "parent"), "path")));
    json_object_set_new(fields, "boot", json_boolean(n == 1));
    snprintf(name, sizeof(name), sim_is_vmware(j->e) ? "Hard disk %u" : "Hard Drive %u", n);
    json_object_set_new(fields, "label", json_string(name));
    return PV_OK;
}

/* "00155D0A0B0C" and the like in the form inventory has. */
bool sim_set_mac(json_t *fields, const char *text)
{
    char clean[13], out[18];
    size_t n = 0;

    for (; *text && n < sizeof(clean); text++)
        if (isxdigit((unsigned char)*text))
            clean[n++] = (char)toupper((unsigned char)*text);
        else if (!strchr(":-.", *text))
            return false;
    if (n != 12)
        return false;
    for (n = 0; n < 6; n++)
        snprintf(out + n * 3, 4, "%c%c%s", clean[n * 2], clean[n * 2 + 1], n < 5 ? ":" : "");
    json_object_set_new(fields, "mac", json_string(out));
    json_object_set_new(fields, "mac_mode", json_string("static"));
    return true;
}

static int add_nic(struct job *j, json_t *doc, json_t *fields, const json_t *args, unsigned n,
                   struct pv_err *err)
{
    const char *mac = json_string_value(json_object_get(args, "mac"));
    char text[64];

    if (json_array_size(json_object_get(doc, "nics")) >= NICS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a VM has at most %d network adapters", NICS_MAX);
    if (mac && !sim_set_mac(fields, mac))
        return sim_bad(j, err, "/mac", "is no MAC address");
    if (!mac) {
        sim_mac(j->e, (j->vm.number + 7) * 16 + n, text);
        json_object_set_new(fields, "mac", json_string(text));
        json_object_set_new(fields, "mac_mode", json_string("auto"));
    }
    if (!json_object_get(fields, "adapter"))
        json_object_set_new(fields, "adapter",
                            json_string(sim_is_vmware(j->e) ? "vmxnet3" : "synthetic"));
    if (!json_object_get(fields, "label")) {
        snprintf(text, sizeof(text),
                 sim_is_vmware(j->e) ? "Network adapter %u" : "Network Adapter %u", n);
        json_object_set_new(fields, "label", json_string(text));
    }
    if (!json_object_get(fields, "connect_at_power_on"))
        json_object_set_new(fields, "connect_at_power_on", json_true());
    if (!json_object_get(fields, "connected"))
        json_object_set_new(
            fields, "connected",
            json_boolean(j->has_vm && j->e->vms[j->index].power == PV_POWER_STATE_RUNNING));
    if (!sim_is_vmware(j->e) && !json_object_get(fields, "vlan.mode"))
        json_object_set_new(fields, "vlan.mode", json_string("untagged"));
    json_object_set_new(fields, "ip_addresses", json_array());
    return PV_OK;
}

static int add_cdrom(struct job *j, json_t *doc, json_t *fields, const json_t *args, unsigned n,
                     struct pv_err *err)
{
    const json_t *image = json_object_get(args, "image");
    char path[512], label[32];
    uint32_t store;
    int rc = sim_store_of(j, image, &store, err);

    if (rc == PV_OK)
        rc = sim_find_slot(j, doc,
                           sim_is_vmware(j->e) ? "sata"
                           : uefi(doc, j)      ? "scsi"
                                               : "ide",
                           fields, err);
    if (rc != PV_OK)
        return rc;
    if (image) {
        sim_store_path(j, image, store, "", path, sizeof(path));
        json_object_set_new(fields, "image.path", json_string(path));
    } else {
        json_object_set_new(fields, "image.path", json_null());
    }
    snprintf(label, sizeof(label), sim_is_vmware(j->e) ? "CD/DVD drive %u" : "DVD Drive %u", n);
    json_object_set_new(fields, "label", json_string(label));
    if (!json_object_get(fields, "connected"))
        json_object_set_new(fields, "connected", json_boolean(image != NULL));
    if (!json_object_get(fields, "connect_at_power_on"))
        json_object_set_new(fields, "connect_at_power_on", json_boolean(image != NULL));
    return PV_OK;
}

static int add_controller(struct job *j, json_t *doc, json_t *fields, const json_t *args,
                          struct pv_err *err)
{
    const char *bus = sim_doc_text(fields, "bus"), *model = sim_doc_text(fields, "model");
    int64_t number = sim_doc_number(fields, "number");
    bool known = strcmp(bus, "scsi") == 0 || strcmp(bus, "ide") == 0 ||
                 (sim_is_vmware(j->e) && (strcmp(bus, "sata") == 0 || strcmp(bus, "nvme") == 0));
    char label[64];
    int rc;

    if (!known || (!sim_is_vmware(j->e) && strcmp(bus, "ide") == 0 && uefi(doc, j))) {
        rc = pv_fail(err, PV_ENOTSUP, "bus: %s",
                     sim_is_vmware(j->e) ? "vSphere has IDE, SATA, SCSI and NVMe controllers"
                                         : "this VM of Hyper-V has SCSI controllers alone");
        pv_err_pointer(err, "/bus");
        return job_native(j, err, rc, "NotSupported", "32775");
    }
    for (; !json_object_get(args, "number") && has_controller(doc, bus, number); number++)
        ;
    if (has_controller(doc, bus, number) || number > 3) {
        rc = number > 3
                 ? pv_fail_as(err, "limit-exceeded", "a VM has at most 4 %s controllers", bus)
                 : pv_fail_as(err, "conflict-exists", "there is a %s controller %d", bus,
                              (int)number);
        pv_err_pointer(err, "/number");
        return job_native(j, err, rc, "InvalidDeviceSpec", "32773");
    }
    json_object_set_new(fields, "number", json_integer(number));
    if (!model[0])
        json_object_set_new(fields, "model",
                            json_string(!sim_is_vmware(j->e)
                                            ? strcmp(bus, "ide") == 0 ? "ide" : "synthetic-scsi"
                                        : strcmp(bus, "scsi") == 0 ? "pvscsi"
                                        : strcmp(bus, "sata") == 0 ? "ahci"
                                                                   : bus));
    if (!json_object_get(fields, "sharing"))
        json_object_set_new(fields, "sharing", json_string("none"));
    snprintf(label, sizeof(label), "%s controller %d", bus, (int)number);
    for (char *c = label; *c && *c != ' '; c++)
        *c = (char)toupper((unsigned char)*c);
    json_object_set_new(fields, "label", json_string(label));
    return PV_OK;
}

int sim_add_device(struct job *j, json_t *doc, const struct model_kind *kind, const json_t *args,
                   char *key, struct pv_err *err)
{
    json_t *list = json_object_get(doc, kind->plural), *fields = json_object();
    unsigned n;
    int rc;

    sim_doc_merge(j->e, kind, fields, args);
    switch (kind->number) {
    case PV_KIND_disk:
        n = next_key(j, list, "disk", 2000, key);
        rc = add_disk(j, doc, fields, args, n, err);
        break;
    case PV_KIND_nic:
        n = next_key(j, list, "nic", 4000, key);
        rc = add_nic(j, doc, fields, args, n, err);
        break;
    case PV_KIND_cdrom:
        n = next_key(j, list, "dvd", 16000, key);
        rc = add_cdrom(j, doc, fields, args, n, err);
        break;
    default:
        next_key(j, list, "ctl", 1000, key);
        rc = add_controller(j, doc, fields, args, err);
    }
    if (rc == PV_OK)
        json_array_append_new(list, json_pack("{s:s, s:O}", "key", key, "fields", fields));
    json_decref(fields);
    return rc;
}
