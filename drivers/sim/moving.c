/* SPDX-License-Identifier: Apache-2.0 */
/* Where VMs stand: the places that parameters name, and the way to another one. */
#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/job.h"

/* ------------------------------------------------------------------ places */

/* A host of the place with this native id; false: there is no such place. */
bool sim_host_of(const struct sim_estate *e, enum pv_kind kind, const char *id, uint32_t *host)
{
    uint64_t n;

    if (!e->set.hosts)
        return false;
    if (kind == PV_KIND_provider) {
        *host = sim_unit_host(e, 0, 0);
        return true;
    }
    if (!sim_native_number(e, kind, id, &n))
        return false;
    if (kind == PV_KIND_host)
        *host = (uint32_t)n;
    else if (kind == PV_KIND_cluster)
        *host = sim_unit_host(e, (uint32_t)n, 0);
    else if (kind == PV_KIND_resource_pool)
        *host = sim_unit_host(e, (uint32_t)(n / SIM_POOLS), 0);
    else
        return false;
    return true;
}

/* The most exact place that parameters name; `host` stays when they name none. */
int sim_named_place(const struct job *j, const struct sim_estate *e, uint32_t *host,
                    struct pv_err *err)
{
    static const enum pv_kind kinds[] = { PV_KIND_resource_pool, PV_KIND_cluster, PV_KIND_host };

    for (size_t i = 0; i < PV_COUNT(kinds); i++) {
        const char *name = model_kind(kinds[i])->name, *id = job_ref(j->args, name);
        int rc;

        if (!id[0] || sim_host_of(e, kinds[i], id, host))
            continue;
        rc = job_gone(j, err, name);
        pv_err_pointer(err, "/%s", name);
        return rc;
    }
    return PV_OK;
}

int sim_named_store(const struct job *j, const struct sim_estate *e, uint32_t host, uint32_t *store,
                    struct pv_err *err)
{
    const char *id = job_ref(j->args, "datastore");
    uint64_t n;
    int rc;

    *store = sim_host_unit(e, host) * e->stores_per_unit;
    if (!id[0])
        return PV_OK;
    if (!sim_native_number(e, PV_KIND_datastore, id, &n)) {
        rc = job_gone(j, err, "datastore");
        pv_err_pointer(err, "/datastore");
        return rc;
    }
    *store = (uint32_t)n;
    if (*store / e->stores_per_unit == sim_host_unit(e, host))
        return PV_OK;
    rc = pv_fail(err, PV_EINVAL, "the host does not mount this datastore");
    pv_err_pointer(err, "/datastore");
    return job_native(j, err, rc, "InvalidDatastore", "0x80070003");
}

/* ------------------------------------------------------------------ moving */

static struct sim_estate *other_of(const struct job *j)
{
    static const char *const names[] = { "host", "cluster", "resource_pool", "provider",
                                         "datastore" };

    for (size_t i = 0; i < PV_COUNT(names); i++) {
        const json_t *p = json_object_get(json_object_get(j->args, names[i]), "provider");

        if (p)
            return sim_estate_other(j->e, sim_doc_text(p, "name"));
    }
    return NULL;
}

static bool goes_abroad(const struct job *j)
{
    static const char *const names[] = { "host", "cluster", "resource_pool", "provider" };

    for (size_t i = 0; i < PV_COUNT(names); i++)
        if (json_object_get(json_object_get(j->args, names[i]), "provider"))
            return true;
    return false;
}

int sim_check_move(struct job *j, struct pv_err *err)
{
    const struct sim_vm_state *s = &j->e->vms[j->index];
    const json_t *live = json_object_get(j->args, "live");
    uint32_t host = s->host, store;
    int rc;

    if (json_is_false(live) && s->power == PV_POWER_STATE_RUNNING) {
        pv_fail_as(err, "vm-invalid-state", "%s runs, and was to be moved only while it is off",
                   j->vm.name);
        return job_native(j, err, PV_ESTATE, "InvalidPowerState", "32775");
    }
    if (goes_abroad(j))
        return PV_OK;
    if (!json_object_get(j->args, "host") && !json_object_get(j->args, "cluster") &&
        !json_object_get(j->args, "resource_pool") && !json_object_get(j->args, "datastore") &&
        !json_object_get(j->args, "disks"))
        return pv_fail(err, PV_EINVAL, "say where it is to go: host, cluster, datastore or disks");
    rc = sim_named_place(j, j->e, &host, err);
    if (rc == PV_OK && sim_host_unit(j->e, host) != sim_host_unit(j->e, s->host) &&
        !job_ref(j->args, "datastore")[0]) {
        rc = pv_fail(err, PV_EINVAL,
                     "the host does not reach the VM's datastore; name one that it does");
        pv_err_pointer(err, "/datastore");
        return job_native(j, err, rc, "InaccessibleDatastore", "0x80070003");
    }
    return rc == PV_OK ? sim_named_store(j, j->e, host, &store, err) : rc;
}

static void move_files(struct job *j, json_t *doc, uint32_t store)
{
    char root[128], id[SIM_ID_MAX], path[512];
    json_t *one;
    size_t i;

    sim_store_root(j->e, store, root, sizeof(root));
    sim_native_id(j->e, PV_KIND_datastore, store, id);
    json_array_foreach(json_object_get(doc, "disks"), i, one)
    {
        json_t *fields = json_object_get(one, "fields");
        const char *old = sim_doc_text(fields, "image.path");
        const char *name = strrchr(old, sim_is_vmware(j->e) ? '/' : '\\');

        snprintf(path, sizeof(path), "%s%.47s%c%.128s", root, j->vm.name,
                 sim_is_vmware(j->e) ? '/' : '\\', name ? name + 1 : old);
        json_object_set_new(fields, "image.path", json_string(path));
        json_object_set_new(fields, "image.datastore", json_string(id));
    }
    json_object_set_new(json_object_get(doc, "fields"), "datastores", json_pack("[s]", id));
}

static int move_here(struct job *j, struct pv_err *err)
{
    struct sim_vm_state *s = &j->e->vms[j->index];
    const char *id = job_ref(j->args, "datastore");
    uint64_t store;
    json_t *doc;
    int rc = sim_named_place(j, j->e, &s->host, err);

    if (rc != PV_OK || !id[0] || !sim_native_number(j->e, PV_KIND_datastore, id, &store))
        return rc;
    doc = sim_doc_devices(j->e, j->index, model_kind(PV_KIND_disk)) ? sim_doc_of(j->e, j->index)
                                                                    : NULL;
    if (!doc)
        return pv_fail(err, PV_ENOMEM, "no memory to move the VM");
    move_files(j, doc, (uint32_t)store);
    if (sim_vm_is_made(j->e, j->index))
        json_object_set_new(doc, "store", json_integer((json_int_t)store));
    return PV_OK;
}

/* Into the estate of another session. The own lock is given up meanwhile: two moves may cross.
 * Nobody else changes the VM, because it is marked as moving. */
static int move_abroad(struct job *j, struct pv_err *err)
{
    json_t *doc = sim_doc_capture(j->e, j->index);
    struct sim_change came = { .what = SIM_DID_CREATE, .actor = "svc-polyvisor" };
    enum pv_power_state power = (enum pv_power_state)j->e->vms[j->index].power;
    struct sim_estate *self = j->e, *other;
    uint32_t host = 0, store = 0;
    char id[SIM_ID_MAX];
    int rc = doc ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to move the VM");

    if (rc != PV_OK)
        return rc;
    sim_doc_forget(json_object_get(doc, "fields"));
    json_object_set_new(doc, "tools", json_boolean(j->vm.tools_installed));
    json_object_set_new(doc, "first_name", json_string(j->vm.name));
    pthread_mutex_unlock(&self->lock);
    other = other_of(j);
    if (!other) {
        rc = pv_fail(err, PV_EOFFLINE, "the other provider cannot be reached from here");
    } else {
        host = other->set.hosts ? sim_unit_host(other, 0, 0) : 0;
        rc = other->set.hosts ? sim_named_place(j, other, &host, err)
                              : pv_fail(err, PV_ENOTSUP, "the other provider has no hosts");
        if (rc == PV_OK)
            rc = sim_named_store(j, other, host, &store, err);
        if (rc == PV_OK && sim_is_vmware(other)) {
            sim_native_id(other, PV_KIND_vm, SIM_MADE_FIRST + other->made, id);
            json_object_set_new(doc, "native_id", json_string(id));
        }
        j->e = other;
        if (rc == PV_OK) {
            sim_map_networks(j, doc);
            move_files(j, doc, store);
            sim_doc_totals(other, doc);
        }
        j->e = self;
        if (rc == PV_OK && !sim_vm_make(other, doc, host, store, power, &came.vm))
            rc = pv_fail_as(err, "limit-exceeded", "the other provider has no room for another VM");
        if (rc == PV_OK) {
            job_touched(j, "vm", sim_doc_text(doc, "native_id"), true);
            doc = NULL;
            sim_estate_tell(other, &came);
        }
        sim_estate_leave(other);
    }
    pthread_mutex_lock(&self->lock);
    json_decref(doc);
    if (rc == PV_OK) {
        j->left = true;
        self->vms[j->index].absent = true;
        sim_snaps_drop(&self->vms[j->index]);
    }
    return rc;
}

int sim_apply_move(struct job *j, struct pv_err *err)
{
    return goes_abroad(j) ? move_abroad(j, err) : move_here(j, err);
}

/* ------------------------------------------------------------------ how much is copied */

static uint64_t disks_bytes(const json_t *doc)
{
    const json_t *one;
    uint64_t sum = 0;
    size_t i;

    /* Of thin disks a third is written, say. */
    json_array_foreach(json_object_get(doc, "disks"), i, one) sum +=
        (uint64_t)sim_doc_number(json_object_get(one, "fields"), "capacity_bytes") / 3;
    return sum;
}

uint64_t sim_bytes_disks(struct job *j)
{
    json_t *doc;
    uint64_t bytes;

    if (job_flag(j, "linked"))
        return 0;
    if (j->doc)
        return disks_bytes(j->doc);
    doc = sim_doc_capture(j->e, j->index);
    bytes = disks_bytes(doc);
    json_decref(doc);
    return bytes;
}

uint64_t sim_bytes_move(struct job *j)
{
    if (json_object_get(j->args, "datastore") || json_object_get(j->args, "disks") ||
        goes_abroad(j))
        return sim_bytes_disks(j);
    return j->e->vms[j->index].power == PV_POWER_STATE_RUNNING ? j->vm.memory_bytes : 0;
}
