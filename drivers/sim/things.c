/* SPDX-License-Identifier: Apache-2.0 */
/* Switches and disk images that people made. Those of the seed are in places_emit.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/records.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/files.h"

#define BLOCK (2 << 20)

static json_t *things_of(const struct sim_estate *e, enum pv_kind kind)
{
    return json_object_get(e->things, model_kind(kind)->plural);
}

static json_t *thing_find(const struct sim_estate *e, enum pv_kind kind, const char *id, size_t *at)
{
    json_t *one;
    size_t i;

    json_array_foreach(things_of(e, kind), i, one)
    {
        if (strcmp(sim_doc_text(one, "native_id"), id) == 0) {
            *at = i;
            return one;
        }
    }
    return NULL;
}

static int thing_add(struct sim_estate *e, enum pv_kind kind, const char *id, json_t *fields,
                     struct pv_err *err)
{
    if (json_array_size(things_of(e, kind)) >= SIM_THINGS_MAX) {
        json_decref(fields);
        return pv_fail_as(err, "limit-exceeded", "the simulation has no room for more of these");
    }
    json_array_append_new(things_of(e, kind),
                          json_pack("{s:s, s:o}", "native_id", id, "fields", fields));
    e->things_changed = true;
    return PV_OK;
}

static void thing_remove(struct sim_estate *e, enum pv_kind kind, size_t at)
{
    json_t *one = json_array_get(things_of(e, kind), at);

    json_array_append_new(
        json_object_get(e->things, "gone"),
        json_pack("{s:i, s:s}", "kind", (int)kind, "native_id", sim_doc_text(one, "native_id")));
    json_array_remove(things_of(e, kind), at);
    e->things_changed = true;
}

/* ------------------------------------------------------------------ records */

/* What an adapter attaches to at a switch that people made. */
static void put_network(struct pv_builder *b, const json_t *sw)
{
    const json_t *fields = json_object_get(sw, "fields");
    char id[SIM_ID_MAX];

    if (!json_is_true(json_object_get(sw, "made")))
        return;
    snprintf(id, sizeof(id), "%.80s/0", sim_doc_text(sw, "native_id"));
    pv_network_begin(b, id, NULL);
    pv_network_name(b, sim_doc_text(fields, "name"));
    pv_network_switch_(b, sim_doc_text(sw, "native_id"));
    pv_network_network_type(b, PV_NETWORK_TYPE_HYPERV_SWITCH);
    pv_network_vlan_mode(b, PV_VLAN_MODE_UNTAGGED);
    pv_network_accessible(b, 1);
}

static unsigned emit(const struct sim_estate *e, struct pv_builder *b, enum pv_kind kind,
                     const char *native_id)
{
    const json_t *one;
    unsigned n = 0;
    size_t i;

    json_array_foreach(things_of(e, kind), i, one)
    {
        if (native_id && strcmp(native_id, sim_doc_text(one, "native_id")) != 0)
            continue;
        pv_put_begin(b, kind, sim_doc_text(one, "native_id"), NULL);
        sim_doc_put(b, model_kind(kind), json_object_get(one, "fields"));
        if (kind == PV_KIND_switch && !sim_is_vmware(e))
            put_network(b, one);
        n++;
    }
    return n;
}

unsigned sim_things_emit(struct sim_estate *e, struct pv_builder *b, enum pv_kind kind,
                         const char *native_id)
{
    unsigned n;

    pthread_mutex_lock(&e->lock);
    n = emit(e, b, kind, native_id);
    pthread_mutex_unlock(&e->lock);
    return n;
}

bool sim_things_send(struct sim_estate *e, struct pv_builder *b)
{
    json_t *gone, *one;
    bool changed;
    size_t i;

    pthread_mutex_lock(&e->lock);
    changed = e->things_changed;
    e->things_changed = false;
    if (changed) {
        emit(e, b, PV_KIND_switch, NULL);
        emit(e, b, PV_KIND_disk_image, NULL);
        gone = json_object_get(e->things, "gone");
        json_array_foreach(gone, i, one)
            pv_builder_gone(b, (enum pv_kind)json_integer_value(json_object_get(one, "kind")),
                            sim_doc_text(one, "native_id"));
        json_array_clear(gone);
    }
    pthread_mutex_unlock(&e->lock);
    return changed;
}

/* ------------------------------------------------------------------ disk images */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *back = strrchr(path, '\\');

    if (back > slash)
        slash = back;
    return slash ? slash + 1 : path;
}

void sim_keep_file(struct job *j, const json_t *disk)
{
    const char *path = sim_doc_text(disk, "image.path");
    int64_t size = sim_doc_number(disk, "capacity_bytes");
    size_t at;

    if (!path[0] || thing_find(j->e, PV_KIND_disk_image, path, &at))
        return;
    job_touched(j, "disk_image", path, false);
    thing_add(j->e, PV_KIND_disk_image, path,
              json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "name", file_name(path),
                        "path", path, "datastore", sim_doc_text(disk, "image.datastore"), "format",
                        sim_doc_text(disk, "image.format"), "subformat",
                        sim_doc_text(disk, "image.subformat"), "capacity_bytes", (json_int_t)size,
                        "file_bytes", (json_int_t)(size / 3), "chain_depth", (json_int_t)0,
                        "health", "ok"),
              NULL);
}

void sim_image_forget(struct sim_estate *e, const char *full)
{
    size_t at;

    if (thing_find(e, PV_KIND_disk_image, full, &at)) {
        thing_remove(e, PV_KIND_disk_image, at);
        return;
    }
    json_array_append_new(
        json_object_get(e->things, "gone"),
        json_pack("{s:i, s:s}", "kind", (int)PV_KIND_disk_image, "native_id", full));
    e->things_changed = true;
}

/* One of the seed gets an entry of its own beside it, that is changed. *seed: to be freed; *used: a
 * VM stands on it. */
static json_t *image_fields(struct job *j, size_t *at, json_t **seed, bool *used)
{
    json_t *image = thing_find(j->e, PV_KIND_disk_image, j->subject_id, at);
    bool known = image != NULL;

    *used = false;
    *seed = sim_seed_image(j->e, j->subject_id, used);
    if (known)
        return json_object_get(image, "fields");
    if (!*seed || j->trial)
        return *seed; /* looked at alone */
    if (thing_add(j->e, PV_KIND_disk_image, j->subject_id, json_incref(*seed), NULL) != PV_OK)
        return NULL;
    image = thing_find(j->e, PV_KIND_disk_image, j->subject_id, at);
    return json_object_get(image, "fields");
}

/* Where a new file goes: the datastore's root, and what was asked for. */
static int full_path(const struct job *j, uint64_t store, char *out, size_t cap)
{
    const char *path = job_text(j, "path");
    char root[128];

    sim_store_root(j->e, (uint32_t)store, root, sizeof(root));
    if (strchr(path, ':') || strchr(path, '['))
        snprintf(out, cap, "%s", path);
    else
        snprintf(out, cap, "%s%s", root, path);
    for (char *c = out; !sim_is_vmware(j->e) && *c; c++)
        if (*c == '/')
            *c = '\\';
    return PV_OK;
}

static int name_taken(const struct job *j, const char *path, struct pv_err *err)
{
    size_t at;
    int rc;

    if (!thing_find(j->e, PV_KIND_disk_image, path, &at))
        return PV_OK;
    rc = pv_fail(err, PV_EEXIST, "there is a file %s", path);
    pv_err_pointer(err, "/path");
    return job_native(j, err, rc, "FileAlreadyExists", "0x80070050");
}

static uint64_t store_number(const struct job *j)
{
    const char *id = job_ref(j->args, "datastore");
    uint64_t n = 0;

    if (id[0])
        sim_native_number(j->e, PV_KIND_datastore, id, &n);
    return n;
}

static int create_image(struct job *j, struct pv_err *err)
{
    const json_t *parent = json_object_get(j->args, "parent");
    json_t *fields = json_object();
    char path[1100], store[SIM_ID_MAX];
    size_t at;
    json_t *below;
    int rc;

    full_path(j, store_number(j), path, sizeof(path));
    rc = name_taken(j, path, err);
    if (rc == PV_OK && !parent && !json_object_get(j->args, "capacity_bytes")) {
        rc = pv_fail(err, PV_EINVAL, "capacity_bytes: is needed unless there is a parent");
        pv_err_pointer(err, "/capacity_bytes");
    }
    if (rc != PV_OK || j->trial) {
        json_decref(fields);
        return rc;
    }
    sim_doc_merge(j->e, model_kind(PV_KIND_disk_image), fields, j->args);
    sim_native_id(j->e, PV_KIND_datastore, store_number(j), store);
    json_object_del(fields, "host");
    json_object_set_new(fields, "name", json_string(file_name(path)));
    json_object_set_new(fields, "path", json_string(path));
    json_object_set_new(fields, "datastore", json_string(store));
    if (!json_object_get(fields, "format"))
        json_object_set_new(fields, "format", json_string(sim_is_vmware(j->e) ? "vmdk" : "vhdx"));
    if (!json_object_get(fields, "subformat"))
        json_object_set_new(fields, "subformat",
                            json_string(parent                ? "differencing"
                                        : sim_is_vmware(j->e) ? "thin"
                                                              : "dynamic"));
    json_object_set_new(fields, "chain_depth", json_integer(0));
    below = parent ? thing_find(j->e, PV_KIND_disk_image, sim_doc_text(parent, "native_id"), &at)
                   : NULL;
    if (below) {
        const json_t *f = json_object_get(below, "fields");

        json_object_set(fields, "capacity_bytes", json_object_get(f, "capacity_bytes"));
        json_object_set_new(fields, "chain_depth",
                            json_integer(sim_doc_number(f, "chain_depth") + 1));
    }
    json_object_set_new(fields, "file_bytes",
                        json_integer(strcmp(sim_doc_text(fields, "subformat"), "fixed") == 0
                                         ? sim_doc_number(fields, "capacity_bytes")
                                         : BLOCK * 2));
    json_object_set_new(fields, "health", json_string("ok"));
    job_made(j, "disk_image", path, NULL);
    return thing_add(j->e, PV_KIND_disk_image, path, fields, err);
}

static bool has_children(const struct job *j)
{
    const json_t *one;
    size_t i;

    json_array_foreach(things_of(j->e, PV_KIND_disk_image), i,
                       one) if (strcmp(sim_doc_text(json_object_get(one, "fields"), "parent"),
                                       j->subject_id) == 0) return true;
    return false;
}

static int convert_image(struct job *j, const json_t *from, struct pv_err *err)
{
    json_t *fields;
    char path[1100], store[SIM_ID_MAX];
    uint64_t n = store_number(j);
    int rc;

    if (!job_ref(j->args, "datastore")[0])
        sim_native_number(j->e, PV_KIND_datastore, sim_doc_text(from, "datastore"), &n);
    full_path(j, n, path, sizeof(path));
    rc = name_taken(j, path, err);
    if (rc != PV_OK || j->trial)
        return rc;
    fields = json_deep_copy(from);
    sim_doc_merge(j->e, model_kind(PV_KIND_disk_image), fields, j->args);
    sim_native_id(j->e, PV_KIND_datastore, n, store);
    json_object_set_new(fields, "name", json_string(file_name(path)));
    json_object_set_new(fields, "path", json_string(path));
    json_object_set_new(fields, "datastore", json_string(store));
    json_object_set_new(fields, "parent", json_null());
    json_object_set_new(fields, "chain_depth", json_integer(0));
    job_made(j, "disk_image", path, NULL);
    return thing_add(j->e, PV_KIND_disk_image, path, fields, err);
}

static int resize_image(struct job *j, json_t *fields, struct pv_err *err)
{
    int64_t wanted = json_integer_value(json_object_get(j->args, "capacity_bytes"));
    int rc;

    if (has_children(j)) {
        rc = pv_fail_as(err, "conflict", "other images build on this one");
        return job_native(j, err, rc, "FileLocked", "32775");
    }
    if (wanted < sim_doc_number(fields, "file_bytes")) {
        rc = pv_fail(err, PV_EINVAL, "capacity_bytes: the image holds more than that");
        pv_err_pointer(err, "/capacity_bytes");
        return job_native(j, err, rc, "InvalidArgument", "32773");
    }
    if (!j->trial)
        json_object_set_new(fields, "capacity_bytes", json_integer(wanted));
    return PV_OK;
}

static int merge_image(struct job *j, size_t at, const json_t *fields, struct pv_err *err)
{
    const char *into = job_ref(j->args, "into");
    int rc;

    if (!into[0])
        into = sim_doc_text(fields, "parent");
    if (!into[0]) {
        rc = pv_fail(err, PV_ESTATE, "this image differs from none");
        return job_native(j, err, rc, "InvalidArgument", "32773");
    }
    if (has_children(j))
        return pv_fail_as(err, "conflict", "other images build on this one");
    if (j->trial)
        return PV_OK;
    job_touched(j, "disk_image", into, false);
    thing_remove(j->e, PV_KIND_disk_image, at);
    return PV_OK;
}

static int check_image(struct job *j, json_t *fields)
{
    bool lost = json_is_true(json_object_get(fields, "lost_parent"));
    const char *found = lost ? "chain_broken" : "ok";

    if (j->trial)
        return PV_OK;
    json_object_set_new(fields, "check.result", json_string(found));
    json_object_set_new(fields, "check.at", json_integer(clock_wall_ms()));
    if (lost)
        json_object_set_new(fields, "check.detail",
                            json_string("The file it differs from is not there."));
    json_object_set_new(j->answer, "data",
                        json_pack("{s:s, s:O, s:O, s:O}", "result", found, "format",
                                  json_object_get(fields, "format"), "capacity_bytes",
                                  json_object_get(fields, "capacity_bytes"), "file_bytes",
                                  json_object_get(fields, "file_bytes")));
    return PV_OK;
}

static int delete_image(struct job *j, size_t at, struct pv_err *err)
{
    if (has_children(j))
        return pv_fail_as(err, "conflict", "other images build on this one");
    if (!j->trial) {
        sim_path_leave(j->e, j->subject_id);
        thing_remove(j->e, PV_KIND_disk_image, at);
    }
    return PV_OK;
}

static int image_in_use(const struct job *j, struct pv_err *err)
{
    int rc = pv_fail_as(err, "conflict", "a VM uses the image");

    return job_native(j, err, rc, "FileLocked", "0x80070020");
}

/* What does not change the image, or not for whoever uses it. */
static bool harmless(const char *verb)
{
    return strcmp(verb, "check") == 0 || strcmp(verb, "inspect") == 0 ||
           strcmp(verb, "convert") == 0;
}

static int change_image(struct job *j, const char *verb, json_t *fields, size_t at,
                        struct pv_err *err)
{
    int rc = PV_OK;

    if (strcmp(verb, "convert") == 0)
        return convert_image(j, fields, err);
    if (strcmp(verb, "merge") == 0)
        return merge_image(j, at, fields, err);
    if (strcmp(verb, "delete") == 0)
        return delete_image(j, at, err);
    if (strcmp(verb, "resize") == 0)
        rc = resize_image(j, fields, err);
    else if (strcmp(verb, "compact") != 0)
        rc = check_image(j, fields);
    else if (!j->trial)
        json_object_set_new(fields, "file_bytes",
                            json_integer(sim_doc_number(fields, "file_bytes") * 3 / 4));
    if (rc == PV_OK && !j->trial)
        j->e->things_changed = true;
    return rc;
}

static int work_image(struct job *j, struct pv_err *err)
{
    const char *verb = strrchr(j->op->name, '.') + 1;
    json_t *seed = NULL, *fields;
    bool used = false;
    size_t at = 0;
    int rc;

    if (strcmp(verb, "create") == 0)
        return create_image(j, err);
    fields = image_fields(j, &at, &seed, &used);
    if (!fields)
        rc = job_gone(j, err, "disk image");
    else if (used && !harmless(verb))
        rc = image_in_use(j, err);
    else
        rc = change_image(j, verb, fields, at, err);
    json_decref(seed);
    return rc;
}

uint64_t sim_bytes_image(struct job *j)
{
    size_t at;
    const json_t *image = thing_find(j->e, PV_KIND_disk_image, j->subject_id, &at);

    if (!image && strcmp(j->op->name, "disk.create") != 0) {
        bool used = false;
        json_t *seed = sim_seed_image(j->e, j->subject_id, &used);
        uint64_t bytes = (uint64_t)sim_doc_number(seed, "file_bytes");

        json_decref(seed);
        return bytes;
    }
    if (strcmp(j->op->name, "disk.create") == 0)
        return strcmp(job_text(j, "subformat"), "fixed") == 0 ||
                       strcmp(job_text(j, "subformat"), "thick_eager") == 0
                   ? (uint64_t)json_integer_value(json_object_get(j->args, "capacity_bytes"))
                   : 0;
    return (uint64_t)sim_doc_number(json_object_get(image, "fields"), "file_bytes");
}

/* ------------------------------------------------------------------ switches */

static int type_ok(const struct job *j, struct pv_err *err)
{
    const char *type = job_text(j, "switch_type");
    bool standard = strcmp(type, "standard") == 0;
    int rc;

    if (type[0] && standard != sim_is_vmware(j->e)) {
        rc = pv_fail(err, PV_ENOTSUP, "switch_type: %s",
                     sim_is_vmware(j->e) ? "vSphere makes standard switches"
                                         : "Hyper-V makes external, internal and private switches");
        pv_err_pointer(err, "/switch_type");
        return job_native(j, err, rc, "NotSupported", "32775");
    }
    if (strcmp(type, "external") == 0 &&
        json_array_size(json_object_get(j->args, "uplinks")) == 0 &&
        strcmp(j->op->name, "switch.create") == 0) {
        rc = pv_fail(err, PV_EINVAL, "uplinks: an external switch needs a physical adapter");
        pv_err_pointer(err, "/uplinks");
        return job_native(j, err, rc, "InvalidArgument", "32773");
    }
    if (sim_is_vmware(j->e) && json_object_get(j->args, "management_os"))
        return pv_fail(err, PV_ENOTSUP,
                       "management_os: vSphere gives the host adapters of its own");
    if (!sim_is_vmware(j->e) && json_object_get(j->args, "mtu"))
        return pv_fail(err, PV_ENOTSUP, "mtu: Hyper-V's switches have no packet size of their own");
    return PV_OK;
}

static int create_switch(struct job *j, struct pv_err *err)
{
    const char *id = job_ref(j->args, "host"), *host = id;
    size_t n = json_array_size(things_of(j->e, PV_KIND_switch));
    char native[SIM_ID_MAX], first[SIM_ID_MAX];
    const json_t *one;
    json_t *fields;
    size_t i;
    int rc = type_ok(j, err);

    if (rc != PV_OK)
        return rc;
    json_array_foreach(things_of(j->e, PV_KIND_switch), i, one)
    {
        if (strcmp(sim_doc_text(json_object_get(one, "fields"), "name"), job_text(j, "name")) ==
            0) {
            rc = pv_fail(err, PV_EEXIST, "there is a switch %s", job_text(j, "name"));
            pv_err_pointer(err, "/name");
            return job_native(j, err, rc, "AlreadyExists", "32773");
        }
    }
    if (j->trial)
        return PV_OK;
    if (!host[0]) {
        sim_native_id(j->e, PV_KIND_host, 0, first);
        host = first;
    }
    fields = json_object();
    sim_doc_merge(j->e, model_kind(PV_KIND_switch), fields, j->args);
    json_object_set_new(fields, "host", json_string(host));
    json_object_set_new(fields, "health", json_string("ok"));
    if (sim_is_vmware(j->e))
        snprintf(native, sizeof(native), "key-vim.host.VirtualSwitch-%.40s-%.20s", host,
                 job_text(j, "name"));
    else
        sim_uuid(j->e, SIM_UUID, 0x700000000u + (++j->e->jobs), 0, native);
    job_made(j, "switch", native, NULL);
    rc = thing_add(j->e, PV_KIND_switch, native, fields, err);
    if (rc == PV_OK)
        json_object_set_new(json_array_get(things_of(j->e, PV_KIND_switch), n), "made",
                            json_true());
    return rc;
}

/* One of the seed gets an entry beside it that says what is different. */
static json_t *switch_entry(struct job *j, size_t *at, struct pv_err *err)
{
    json_t *sw = thing_find(j->e, PV_KIND_switch, j->subject_id, at);

    if (sw || j->trial)
        return sw;
    if (thing_add(j->e, PV_KIND_switch, j->subject_id, json_object(), err) != PV_OK)
        return NULL;
    return thing_find(j->e, PV_KIND_switch, j->subject_id, at);
}

static int work_switch(struct job *j, struct pv_err *err)
{
    const char *verb = strrchr(j->op->name, '.') + 1;
    uint64_t number;
    size_t at = 0;
    json_t *sw;
    bool seed;
    int rc;

    if (strcmp(verb, "create") == 0)
        return create_switch(j, err);
    seed = sim_native_number(j->e, PV_KIND_switch, j->subject_id, &number);
    if (!seed && !thing_find(j->e, PV_KIND_switch, j->subject_id, &at))
        return job_gone(j, err, "switch");
    if (strcmp(verb, "delete") == 0) {
        if (seed) {
            pv_fail_as(err, "conflict", "network adapters of VMs are attached to the switch");
            pv_err_remedy(err, "Attach them elsewhere first.");
            return job_native(j, err, PV_ESTATE, "ResourceInUse", "32775");
        }
        if (!j->trial)
            thing_remove(j->e, PV_KIND_switch, at);
        return PV_OK;
    }
    rc = type_ok(j, err);
    if (rc != PV_OK || j->trial)
        return rc;
    sw = switch_entry(j, &at, err);
    if (!sw)
        return PV_ENOMEM;
    sim_doc_merge(j->e, model_kind(PV_KIND_switch), json_object_get(sw, "fields"), j->args);
    j->e->things_changed = true;
    return PV_OK;
}

static int work(struct job *j, struct pv_err *err)
{
    return strncmp(j->op->name, "disk.", 5) == 0 ? work_image(j, err) : work_switch(j, err);
}

int sim_check_thing(struct job *j, struct pv_err *err)
{
    int rc;

    j->trial = true;
    rc = work(j, err);
    j->trial = false;
    return rc;
}

int sim_apply_thing(struct job *j, struct pv_err *err)
{
    return work(j, err);
}
