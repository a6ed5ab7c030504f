/* SPDX-License-Identifier: Apache-2.0 */
/* Changing a VM: its own fields, and the devices on it. */
#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/job.h"

#define MIB (1024 * 1024)
#define PATH_CAP 128

/* ------------------------------------------------------------------ what a family has no idea of
 */

static const struct model_param *param_of(const struct model_param *table, const char *name)
{
    for (const struct model_param *p = table; p && p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

int sim_check_family(const struct job *j, const struct model_param *table, const json_t *args,
                     const char *pointer, struct pv_err *err)
{
    enum pv_family family = sim_is_vmware(j->e) ? PV_FAMILY_VMWARE : PV_FAMILY_HYPERV;
    const char *name, *why;
    json_t *v, *one;
    size_t i;
    int rc = PV_OK;

    json_object_foreach((json_t *)(uintptr_t)args, name, v)
    {
        const struct model_param *p = param_of(table, name);
        char at[PATH_CAP];

        if (!p)
            continue;
        snprintf(at, sizeof(at), "%s/%s", pointer, name);
        why = model_param_lacking(p, family, v);
        if (why) {
            rc = pv_fail(err, PV_ENOTSUP, "%s: %s", at + 1, why);
            pv_err_pointer(err, "%s", at);
            return job_native(j, err, rc, "NotSupported", "32775");
        }
        if (p->type == PARAM_OBJECT)
            rc = sim_check_family(j, p->members, v, at, err);
        if (p->type == PARAM_LIST && p->members)
            json_array_foreach(v, i, one) rc =
                rc == PV_OK ? sim_check_family(j, p->members, one, at, err) : rc;
        if (rc != PV_OK)
            return rc;
    }
    return PV_OK;
}

int sim_bad(const struct job *j, struct pv_err *err, const char *pointer, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "%s: %s", pointer + 1, why);

    pv_err_pointer(err, "%s", pointer);
    return job_native(j, err, rc, "InvalidArgument", "32773");
}

int sim_not_while_running(const struct job *j, struct pv_err *err, const char *what)
{
    pv_fail_as(err, "vm-invalid-state", "%s is possible only while the VM is off", what);
    return job_native(j, err, PV_ESTATE, "InvalidPowerState", "32775");
}

/* ------------------------------------------------------------------ the VM itself */

int sim_check_reconfigure(struct job *j, struct pv_err *err)
{
    const json_t *memory = json_object_get(j->args, "memory"),
                 *cpu = json_object_get(j->args, "cpu");
    int64_t bytes = json_integer_value(json_object_get(memory, "bytes"));
    int64_t count = json_integer_value(json_object_get(cpu, "count"));
    int64_t cores = json_integer_value(json_object_get(cpu, "cores_per_socket"));
    uint64_t host = j->e->set.hosts ? sim_host_memory(j->e, j->has_vm ? j->e->vms[j->index].host
                                                                      : j->place_host)
                                    : UINT64_MAX;
    int rc;

    if (bytes % (2 * MIB) != 0)
        return sim_bad(j, err, "/memory/bytes", "must be a multiple of 2 MiB");
    if ((uint64_t)bytes > host) {
        rc = pv_fail_as(err, "insufficient-resources", "the host has %llu GiB of memory",
                        (unsigned long long)(host >> 30));
        return job_native(j, err, rc, "InsufficientHostMemoryCapacityFault", "0x8007000E");
    }
    if (count > 0 && cores > 0 && count % cores != 0)
        return sim_bad(j, err, "/cpu/cores_per_socket", "must divide the number of processors");
    if (j->has_vm && !sim_is_vmware(j->e) && json_object_get(j->args, "firmware"))
        return pv_fail(err, PV_ENOTSUP, "firmware: Hyper-V cannot change the generation of a VM");
    return PV_OK;
}

/* What follows from other fields. */
static void derive(const struct sim_estate *e, json_t *fields)
{
    int64_t count = sim_doc_number(fields, "cpu.count"),
            cores = sim_doc_number(fields, "cpu.cores_per_socket");

    if (count > 0 && (cores <= 0 || count % cores != 0)) {
        cores = count;
        json_object_set_new(fields, "cpu.cores_per_socket", json_integer(cores));
    }
    if (count > 0)
        json_object_set_new(fields, "cpu.sockets", json_integer(count / cores));
    if (json_object_get(fields, "autostart.start"))
        json_object_set_new(
            fields, "autostart.on",
            json_boolean(strcmp(sim_doc_text(fields, "autostart.start"), "always") == 0 ||
                         strcmp(sim_doc_text(fields, "autostart.start"), "if_running") == 0));
    if (!sim_is_vmware(e) && json_is_true(json_object_get(fields, "secure_boot.on")) &&
        !json_object_get(fields, "secure_boot.template"))
        json_object_set_new(fields, "secure_boot.template", json_string("MicrosoftWindows"));
}

int sim_apply_reconfigure(struct job *j, struct pv_err *err)
{
    json_t *doc = sim_doc_of(j->e, j->index);

    if (!doc)
        return pv_fail(err, PV_ENOMEM, "no memory to change the VM");
    sim_doc_merge(j->e, model_kind(PV_KIND_vm), json_object_get(doc, "fields"), j->args);
    derive(j->e, json_object_get(doc, "fields"));
    return PV_OK;
}

/* ------------------------------------------------------------------ changing and removing */

static json_t *find_device(json_t *list, const char *key, size_t *at)
{
    json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        if (strcmp(sim_doc_text(one, "key"), key) == 0) {
            *at = i;
            return json_object_get(one, "fields");
        }
    }
    return NULL;
}

static int update_disk(struct job *j, json_t *doc, json_t *fields, struct pv_err *err)
{
    int64_t wanted = json_integer_value(json_object_get(j->args, "capacity_bytes"));
    json_t *moved = NULL;
    struct sim_snaps room;
    int rc;

    if (wanted && wanted < sim_doc_number(fields, "capacity_bytes")) {
        rc = pv_fail(err, PV_ENOTSUP, "capacity_bytes: a disk in use cannot be made smaller");
        pv_err_pointer(err, "/capacity_bytes");
        return job_native(j, err, rc, "InvalidDiskSize", "32773");
    }
    if (wanted && sim_snaps_get(j->e, j->index, &room)->count > 0) {
        rc = pv_fail_as(err, "conflict",
                        "the VM has snapshots, so its disks cannot change their size");
        pv_err_remedy(err, "Delete the snapshots first.");
        return job_native(j, err, rc, "InvalidDeviceOperation", "32775");
    }
    if (json_object_get(j->args, "controller")) {
        moved = json_object();
        sim_doc_merge(j->e, model_kind(PV_KIND_disk), moved, j->args);
        rc = sim_find_slot(j, doc, sim_doc_text(fields, "controller.type"), moved, err);
        if (rc == PV_OK)
            json_object_update(fields, moved);
        json_decref(moved);
        if (rc != PV_OK)
            return rc;
    }
    sim_doc_merge(j->e, model_kind(PV_KIND_disk), fields, j->args);
    return PV_OK;
}

static int update_nic(struct job *j, json_t *fields, struct pv_err *err)
{
    const char *mac = job_text(j, "mac");
    char text[18];

    sim_doc_merge(j->e, model_kind(PV_KIND_nic), fields, j->args);
    if (mac[0] && !sim_set_mac(fields, mac))
        return sim_bad(j, err, "/mac", "is no MAC address");
    if (!mac[0] && strcmp(job_text(j, "mac_mode"), "auto") == 0) {
        sim_mac(j->e, (j->vm.number + 11) * 16, text);
        json_object_set_new(fields, "mac", json_string(text));
    }
    return PV_OK;
}

static int mount_iso(struct job *j, json_t *fields, bool eject, struct pv_err *err)
{
    const json_t *image = json_object_get(j->args, "image");
    char path[512], id[SIM_ID_MAX];
    uint32_t store;
    int rc = sim_store_of(j, image, &store, err);

    if (rc != PV_OK)
        return rc;
    sim_store_path(j, image, store, "", path, sizeof(path));
    sim_native_id(j->e, PV_KIND_datastore, store, id);
    json_object_set_new(fields, "image.path", eject ? json_null() : json_string(path));
    json_object_set_new(fields, "image.datastore", eject ? json_null() : json_string(id));
    json_object_set_new(
        fields, "connected",
        json_boolean(!eject && j->e->vms[j->index].power == PV_POWER_STATE_RUNNING));
    json_object_set_new(fields, "connect_at_power_on", json_boolean(!eject));
    return PV_OK;
}

/* Something hangs on it. */
static bool controller_used(const json_t *doc, const json_t *fields)
{
    static const char *const lists[] = { "disks", "cdroms" };
    const json_t *one;
    size_t i;

    for (size_t l = 0; l < PV_COUNT(lists); l++)
        json_array_foreach(json_object_get(doc, lists[l]), i, one)
        {
            const json_t *f = json_object_get(one, "fields");

            if (strcmp(sim_doc_text(f, "controller.type"), sim_doc_text(fields, "bus")) == 0 &&
                sim_doc_number(f, "controller.bus") == sim_doc_number(fields, "number"))
                return true;
        }
    return false;
}

static int detach(struct job *j, json_t *doc, json_t *list, size_t at, json_t *fields,
                  struct pv_err *err)
{
    if (j->op->kind == PV_KIND_controller && controller_used(doc, fields)) {
        pv_fail_as(err, "conflict", "something hangs on %s", sim_doc_text(fields, "label"));
        pv_err_remedy(err, "Remove or move its disks and drives first.");
        return job_native(j, err, PV_ESTATE, "InvalidDeviceOperation", "32775");
    }
    if (j->e->vms[j->index].power != PV_POWER_STATE_OFF &&
        strcmp(sim_doc_text(fields, "controller.type"), "ide") == 0)
        return sim_not_while_running(j, err, "removing a device from an IDE controller");
    if (!j->trial && j->op->kind == PV_KIND_disk && strcmp(job_text(j, "file"), "keep") == 0)
        sim_keep_file(j, fields);
    json_array_remove(list, at);
    return PV_OK;
}

void sim_doc_totals(const struct sim_estate *e, json_t *doc)
{
    json_t *fields = json_object_get(doc, "fields"), *one, *networks;
    int64_t promised = 0;
    size_t i;

    (void)e;
    if (json_object_get(doc, "disks")) {
        json_array_foreach(json_object_get(doc, "disks"), i, one) promised +=
            sim_doc_number(json_object_get(one, "fields"), "capacity_bytes");
        json_object_set_new(fields, "storage.provisioned_bytes", json_integer(promised));
    }
    if (!json_object_get(doc, "nics"))
        return;
    networks = json_array();
    json_array_foreach(json_object_get(doc, "nics"), i, one)
    {
        const char *id = sim_doc_text(json_object_get(one, "fields"), "network");

        if (id[0])
            json_array_append_new(networks, json_string(id));
    }
    json_object_set_new(fields, "networks", networks);
}

/* On a copy of the documents, or on them. */
static int work(struct job *j, json_t *doc, struct pv_err *err)
{
    const char *verb = strrchr(j->op->name, '.') + 1;
    enum pv_kind number = j->op->result != PV_KIND_NONE ? j->op->result : j->op->kind;
    const struct model_kind *kind = model_kind(number);
    json_t *list = json_object_get(doc, kind->plural), *fields;
    char key[SIM_ID_MAX];
    size_t at = 0;
    int rc;

    if (strcmp(verb, "attach") == 0) {
        rc = sim_add_device(j, doc, kind, j->args, key, err);
        if (rc == PV_OK && !j->trial)
            job_made(j, kind->name, key, j->vm_id);
        return rc;
    }
    fields = find_device(list, j->subject_id, &at);
    if (!fields)
        return job_gone(j, err, kind->name);
    if (strcmp(verb, "detach") == 0)
        return detach(j, doc, list, at, fields, err);
    if (strcmp(verb, "mount") == 0 || strcmp(verb, "eject") == 0)
        return mount_iso(j, fields, strcmp(verb, "eject") == 0, err);
    return number == PV_KIND_disk ? update_disk(j, doc, fields, err) : update_nic(j, fields, err);
}

static json_t *load_all(struct job *j)
{
    for (size_t i = 0; i < SIM_DEVICE_KINDS; i++)
        if (!sim_doc_devices(j->e, j->index, model_kind(sim_device_kinds[i])))
            return NULL;
    return sim_doc_of(j->e, j->index);
}

/* Tried on a copy, so that nothing is begun that cannot end well. */
int sim_check_device(struct job *j, struct pv_err *err)
{
    json_t *doc = sim_doc_capture(j->e, j->index);
    struct job trial = *j;
    int rc;

    if (!doc)
        return pv_fail(err, PV_ENOMEM, "no memory to change the VM");
    trial.trial = true;
    rc = work(&trial, doc, err);
    json_decref(doc);
    return rc;
}

int sim_apply_device(struct job *j, struct pv_err *err)
{
    json_t *doc = load_all(j);
    int rc = doc ? work(j, doc, err) : pv_fail(err, PV_ENOMEM, "no memory to change the VM");

    if (rc == PV_OK)
        sim_doc_totals(j->e, doc);
    return rc;
}
