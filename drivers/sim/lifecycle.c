/* SPDX-License-Identifier: Apache-2.0 */
/* VMs come and go, and the small changes that have no file of their own. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/job.h"

/* ------------------------------------------------------------------ what there will be */

static void set_path(json_t *to, const char *path, json_t *v)
{
    const char *dot = strchr(path, '.');
    char first[64];
    json_t *sub;

    if (!dot) {
        json_object_set(to, path, v);
        return;
    }
    snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
    sub = json_object_get(to, first);
    if (!sub) {
        json_object_set_new(to, first, json_object());
        sub = json_object_get(to, first);
    }
    set_path(sub, dot + 1, v);
}

/* Every device, in words of its fields. */
static void list_devices(struct job *j, const json_t *doc)
{
    json_t *all = json_array(), *one, *v;
    const char *path;
    size_t i;

    for (size_t k = 0; k < SIM_DEVICE_KINDS; k++) {
        const struct model_kind *kind = model_kind(sim_device_kinds[k]);

        json_array_foreach(json_object_get(doc, kind->plural), i, one)
        {
            json_t *device = json_pack("{s:s}", "kind", kind->name);

            json_object_foreach(json_object_get(one, "fields"), path, v) if (!json_is_null(v))
                set_path(device, path, v);
            json_array_append_new(all, device);
        }
    }
    json_object_set_new(j->answer, "devices", all);
}

/* ------------------------------------------------------------------ making one */

static void name_it(struct job *j, json_t *doc, const char *name)
{
    uint64_t number = SIM_MADE_FIRST + j->e->made;
    char id[SIM_ID_MAX], uuid[37];

    sim_native_id(j->e, PV_KIND_vm, number, id);
    sim_uuid(j->e, SIM_INSTANCE, number, 0x50, uuid);
    if (!sim_is_vmware(j->e))
        for (size_t i = 0; i < sizeof(uuid); i++)
            uuid[i] = (char)tolower((unsigned char)id[i]);
    json_object_set_new(doc, "native_id", json_string(id));
    json_object_set_new(doc, "identity", json_string(uuid));
    json_object_set_new(doc, "first_name", json_string(name));
    json_object_set_new(json_object_get(doc, "fields"), "name", json_string(name));
    json_object_set_new(json_object_get(doc, "fields"), "uuid", json_string(uuid));
    json_object_set_new(json_object_get(doc, "fields"), "created_natively_at",
                        json_integer(clock_wall_ms()));
}

static int add_list(struct job *j, json_t *doc, enum pv_kind number, const json_t *list,
                    struct pv_err *err)
{
    const struct model_kind *kind = model_kind(number);
    char key[SIM_ID_MAX];
    const json_t *one;
    size_t i;

    json_array_foreach(list, i, one)
    {
        int rc = sim_add_device(j, doc, kind, one, key, err);

        if (rc != PV_OK) {
            char inner[128];

            snprintf(inner, sizeof(inner), "%s", err ? err->pointer : "");
            pv_err_pointer(err, "/%s/%zu%s", kind->plural, i, inner);
            return rc;
        }
    }
    return PV_OK;
}

static int add_one(struct job *j, json_t *doc, enum pv_kind number, const char *args,
                   struct pv_err *err)
{
    json_t *list = json_pack("[o]", json_loads(args, 0, NULL));
    int rc = add_list(j, doc, number, list, err);

    json_decref(list);
    return rc;
}

static bool wants_bus(const json_t *list, const char *bus)
{
    const json_t *one;
    size_t i;

    json_array_foreach(list, i,
                       one) if (strcmp(sim_doc_text(json_object_get(one, "controller"), "type"),
                                       bus) == 0) return true;
    return false;
}

/* Controllers nobody asked for, but without which the rest has nowhere to hang. */
static int usual_controllers(struct job *j, json_t *doc, bool server, struct pv_err *err)
{
    const json_t *disks = json_object_get(j->args, "disks"),
                 *cds = json_object_get(j->args, "cdroms");
    bool vmware = sim_is_vmware(j->e), cd = json_array_size(cds) > 0 || (server && !cds);
    bool bios = strcmp(job_text(j, "firmware"), "bios") == 0;
    int rc = PV_OK;

    if (!vmware && bios) {
        rc = add_one(j, doc, PV_KIND_controller, "{\"bus\":\"ide\"}", err);
        if (rc == PV_OK)
            rc = add_one(j, doc, PV_KIND_controller, "{\"bus\":\"ide\"}", err);
        job_difference(j, "A VM of Hyper-V with BIOS firmware always has two IDE controllers, and "
                          "starts from them.");
    }
    if (rc == PV_OK && (server || json_array_size(disks) > 0 || (!vmware && !bios && cd)))
        rc = add_one(j, doc, PV_KIND_controller, "{\"bus\":\"scsi\"}", err);
    if (rc == PV_OK && vmware && (cd || wants_bus(disks, "sata") || wants_bus(cds, "sata"))) {
        rc = add_one(j, doc, PV_KIND_controller, "{\"bus\":\"sata\"}", err);
        job_difference(
            j, "CD drives of vSphere hang on a SATA controller, those of Hyper-V on SCSI or IDE.");
    }
    if (rc == PV_OK && wants_bus(disks, "nvme"))
        rc = add_one(j, doc, PV_KIND_controller, "{\"bus\":\"nvme\"}", err);
    return rc;
}

static int build(struct job *j, json_t *doc, struct pv_err *err)
{
    bool server = strcmp(job_text(j, "profile"), "minimal") != 0;
    const json_t *nics = json_object_get(j->args, "nics"),
                 *cds = json_object_get(j->args, "cdroms");
    json_t *fields = json_object_get(doc, "fields");
    int rc;

    sim_doc_merge(j->e, model_kind(PV_KIND_vm), fields, j->args);
    json_object_del(fields, "host");
    json_object_del(fields, "cluster");
    if (!json_object_get(fields, "hardware_version"))
        json_object_set_new(fields, "hardware_version",
                            json_string(sim_is_vmware(j->e) ? "vmx-21" : "12.0"));
    if (!json_object_get(fields, "tpm"))
        json_object_set_new(fields, "tpm", json_false());
    if (!json_object_get(fields, "secure_boot.on"))
        json_object_set_new(fields, "secure_boot.on", json_false());
    json_object_set_new(fields, "template", json_false());
    rc = usual_controllers(j, doc, server, err);
    if (rc == PV_OK)
        rc = add_list(j, doc, PV_KIND_controller, json_object_get(j->args, "controllers"), err);
    if (rc == PV_OK)
        rc = add_list(j, doc, PV_KIND_disk, json_object_get(j->args, "disks"), err);
    if (rc == PV_OK)
        rc = nics || !server ? add_list(j, doc, PV_KIND_nic, nics, err)
                             : add_one(j, doc, PV_KIND_nic, "{\"connected\":false}", err);
    if (rc == PV_OK)
        rc = cds || !server ? add_list(j, doc, PV_KIND_cdrom, cds, err)
                            : add_one(j, doc, PV_KIND_cdrom, "{}", err);
    if (rc == PV_OK)
        sim_doc_totals(j->e, doc);
    return rc;
}

int sim_check_create(struct job *j, struct pv_err *err)
{
    const char *kind = json_string_value(json_object_get(j->subject, "kind"));
    const struct model_kind *k = kind ? model_kind_by_name(kind) : NULL;
    int rc;

    if (!k || !sim_host_of(j->e, k->number, j->subject_id, &j->place_host))
        return job_gone(j, err, kind ? kind : "place");
    rc = sim_named_place(j, j->e, &j->place_host, err);
    if (rc == PV_OK)
        rc = sim_named_store(j, j->e, j->place_host, &j->vm.store, err);
    if (rc != PV_OK || strcmp(j->op->name, "vm.create") != 0)
        return rc;
    if (j->e->made == SIM_MADE_MAX)
        return pv_fail_as(err, "limit-exceeded", "the simulation has no room for another VM");
    rc = sim_check_reconfigure(j, err);
    if (rc != PV_OK)
        return rc;
    j->doc = sim_doc_new();
    if (!j->doc)
        return pv_fail(err, PV_ENOMEM, "no memory for a VM");
    j->vm.number = SIM_MADE_FIRST + j->e->made;
    snprintf(j->vm.name, sizeof(j->vm.name), "%.47s", job_text(j, "name"));
    rc = build(j, j->doc, err);
    if (rc == PV_OK)
        list_devices(j, j->doc);
    return rc;
}

/* Puts the document into the estate. */
static int settle(struct job *j, const char *name, struct pv_err *err)
{
    struct sim_change c = { .what = SIM_DID_CREATE, .actor = "svc-polyvisor" };
    bool start = job_flag(j, "start");

    name_it(j, j->doc, name);
    if (!sim_vm_make(j->e, j->doc, j->place_host, j->vm.store,
                     start ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF, &c.vm))
        return pv_fail_as(err, "limit-exceeded", "the simulation has no room for another VM");
    if (start)
        j->e->vms[c.vm].boot_ms = clock_wall_ms();
    job_made(j, "vm", sim_doc_text(j->doc, "native_id"), NULL);
    j->doc = NULL;
    sim_estate_tell(j->e, &c);
    return PV_OK;
}

int sim_apply_create(struct job *j, struct pv_err *err)
{
    return settle(j, job_text(j, "name"), err);
}

/* What the files describe is made up; it is the same for the same path. */
int sim_apply_import(struct job *j, struct pv_err *err)
{
    const char *source = job_text(j, "source"), *slash = strrchr(source, '/');
    const char *back = strrchr(source, '\\');
    char name[81];
    int rc;

    if (back > slash)
        slash = back;
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(slash ? slash + 1 : source, "."),
             slash ? slash + 1 : source);
    j->doc = sim_doc_new();
    if (!j->doc)
        return pv_fail(err, PV_ENOMEM, "no memory for a VM");
    json_object_update_new(j->args,
                           json_pack("{s:{s:i}, s:{s:I}, s:s, s:[{s:I}]}", "cpu", "count", 2,
                                     "memory", "bytes", (json_int_t)4 << 30, "firmware", "uefi",
                                     "disks", "capacity_bytes", (json_int_t)40 << 30));
    rc = build(j, j->doc, err);
    if (rc == PV_OK)
        list_devices(j, j->doc);
    return rc == PV_OK ? settle(j, job_text(j, "name")[0] ? job_text(j, "name") : name, err) : rc;
}

/* ------------------------------------------------------------------ copies */

void sim_map_networks(const struct job *j, json_t *doc)
{
    const json_t *map;
    json_t *one;
    size_t i, n;

    json_array_foreach(json_object_get(doc, "nics"), i, one)
    {
        json_t *fields = json_object_get(one, "fields");

        json_array_foreach(json_object_get(j->args, "networks"), n, map)
        {
            const char *nic = sim_doc_text(map, "nic");
            json_t *network = json_object_get(map, "network");

            if (strcmp(nic, "*") != 0 && strcmp(nic, sim_doc_text(fields, "label")) != 0)
                continue;
            json_object_set_new(fields, "network",
                                json_is_null(network) ? json_null()
                                                      : json_string(job_ref(map, "network")));
        }
    }
}

/* Files and addresses of its own. */
static void make_own(struct job *j, json_t *doc, const char *name)
{
    bool linked = job_flag(j, "linked"), vmware = sim_is_vmware(j->e);
    const char *layout = job_text(j, "subformat");
    char root[128], path[512], mac[18], store[SIM_ID_MAX];
    json_t *one;
    size_t i;

    sim_store_root(j->e, j->vm.store, root, sizeof(root));
    sim_native_id(j->e, PV_KIND_datastore, j->vm.store, store);
    json_array_foreach(json_object_get(doc, "disks"), i, one)
    {
        json_t *fields = json_object_get(one, "fields");

        json_object_set(fields, "image.parent",
                        linked ? json_object_get(fields, "image.path") : json_null());
        snprintf(path, sizeof(path),
                 vmware ? "%s%.64s/%.64s_%zu.vmdk" : "%s%.64s\\%.64s-disk%zu.vhdx", root, name,
                 name, i + 1);
        json_object_set_new(fields, "image.path", json_string(path));
        json_object_set_new(fields, "image.datastore", json_string(store));
        if (linked && !vmware)
            json_object_set_new(fields, "image.subformat", json_string("differencing"));
        else if (layout[0])
            json_object_set_new(fields, "image.subformat", json_string(layout));
    }
    json_array_foreach(json_object_get(doc, "nics"), i, one)
    {
        json_t *fields = json_object_get(one, "fields");

        json_object_set_new(fields, "ip_addresses", json_array());
        if (strcmp(job_text(j, "mac"), "keep") == 0)
            continue;
        sim_mac(j->e, (SIM_MADE_FIRST + j->e->made) * 16ull + i, mac);
        json_object_set_new(fields, "mac", json_string(mac));
        json_object_set_new(fields, "mac_mode", json_string("auto"));
    }
}

void sim_doc_forget(json_t *fields)
{
    static const char *const volatile_fields[] = {
        "power_state",
        "activity",
        "native.state",
        "boot_time",
        "guest.ip_addresses",
        "guest.state",
        "guest.tools.state",
        "snapshots.count",
        "snapshots.depth",
        "snapshots.bytes",
        "snapshots.newest_at",
        "snapshots.oldest_at",
        "health",
        "health_reasons",
        "question",
        "host",
        "cluster",
        "datacenter",
        "datastores",
        "native.path",
        "bios_uuid",
        "consolidation_needed",
        "resource_pool",
    };

    for (size_t i = 0; i < PV_COUNT(volatile_fields); i++)
        json_object_del(fields, volatile_fields[i]);
}

int sim_check_clone(struct job *j, struct pv_err *err)
{
    const char *snapshot = job_ref(j->args, "snapshot");
    struct sim_snaps room;
    const struct sim_snaps *snaps = sim_snaps_get(j->e, j->index, &room);
    uint64_t number;
    uint16_t serial;
    int rc;

    j->place_host = j->e->vms[j->index].host;
    rc = sim_named_place(j, j->e, &j->place_host, err);
    if (rc == PV_OK)
        rc = sim_named_store(j, j->e, j->place_host, &j->vm.store, err);
    if (rc != PV_OK)
        return rc;
    if (snapshot[0] && (!sim_snapshot_number(j->e, snapshot, &number, &serial) ||
                        !sim_snaps_find(snaps, serial))) {
        pv_err_pointer(err, "/snapshot");
        return job_gone(j, err, "snapshot");
    }
    if (job_flag(j, "linked") && snaps->count == 0) {
        rc = pv_fail_as(err, "conflict",
                        "a linked clone shares the disks of a snapshot, and %s has none",
                        j->vm.name);
        pv_err_remedy(err, "Take a snapshot first.");
        return job_native(j, err, rc, "InvalidState", "32775");
    }
    if (sim_is_vmware(j->e) && job_flag(j, "template") && job_flag(j, "start"))
        return pv_fail(err, PV_EINVAL, "a template cannot be started");
    j->doc = sim_doc_capture(j->e, j->index);
    if (!j->doc)
        return pv_fail(err, PV_ENOMEM, "no memory for a VM");
    sim_doc_forget(json_object_get(j->doc, "fields"));
    json_object_set_new(json_object_get(j->doc, "fields"), "template",
                        json_boolean(job_flag(j, "template")));
    json_object_set_new(j->doc, "tools", json_boolean(j->vm.tools_installed));
    make_own(j, j->doc, job_text(j, "name"));
    sim_map_networks(j, j->doc);
    sim_doc_totals(j->e, j->doc);
    list_devices(j, j->doc);
    return PV_OK;
}

int sim_apply_clone(struct job *j, struct pv_err *err)
{
    return settle(j, job_text(j, "name"), err);
}

/* ------------------------------------------------------------------ going */

int sim_apply_delete(struct job *j, struct pv_err *err)
{
    struct sim_vm_state *s = &j->e->vms[j->index];
    const json_t *disks = NULL, *one;
    size_t i;

    (void)err;
    if (strcmp(job_text(j, "disks"), "delete") != 0)
        disks = sim_doc_devices(j->e, j->index, model_kind(PV_KIND_disk));
    json_array_foreach(disks, i, one) sim_keep_file(j, json_object_get(one, "fields"));
    s->absent = true;
    sim_snaps_drop(s);
    return PV_OK;
}

/* ------------------------------------------------------------------ small ones */

int sim_apply_template(struct job *j, struct pv_err *err)
{
    json_t *doc = sim_doc_of(j->e, j->index);

    if (!doc)
        return pv_fail(err, PV_ENOMEM, "no memory to change the VM");
    json_object_set_new(json_object_get(doc, "fields"), "template",
                        json_boolean(job_flag(j, "template")));
    return PV_OK;
}

int sim_apply_nothing(struct job *j, struct pv_err *err)
{
    (void)j;
    (void)err;
    return PV_OK;
}

int sim_apply_data(struct job *j, struct pv_err *err)
{
    json_t *doc = sim_doc_of(j->e, j->index), *all, *v;
    json_t *fields = json_object_get(doc, "fields");
    const char *old = sim_doc_text(fields, "guest.data"), *name;
    char *text;

    all = old[0] ? json_loads(old, 0, NULL) : json_object();
    json_object_foreach(json_object_get(j->args, "data"), name, v)
    {
        if (json_is_null(v))
            json_object_del(all, name);
        else
            json_object_set(all, name, v);
    }
    text = all ? json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(all);
    if (!text || !doc)
        return pv_fail(err, PV_ENOMEM, "no memory to change the VM");
    json_object_set_new(fields, "guest.data", json_string(text));
    free(text);
    return PV_OK;
}

int sim_apply_metrics(struct job *j, struct pv_err *err)
{
    json_t *doc = sim_doc_of(j->e, j->index);

    if (!doc)
        return pv_fail(err, PV_ENOMEM, "no memory to change the VM");
    json_object_set_new(json_object_get(doc, "fields"), "metrics.on",
                        json_boolean(strcmp(j->op->name, "vm.metrics.enable") == 0));
    return PV_OK;
}
