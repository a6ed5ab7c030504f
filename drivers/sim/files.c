/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sim/files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>

#include "drivers/sdk/limits.h"
#include "drivers/sim/doc.h"

#define MIB (1024ll * 1024)
#define CHANGES_MAX 1000u /* files that people made or moved */

/* Files of one datastore, as JSON: {path, size, ms, vm (its name), folder}. */
struct listing {
    const struct sim_estate *e;
    uint32_t store;
    size_t root;   /* length of what inventory writes before the path */
    json_t *files; /* owned */
    json_t *media; /* owned: paths of installation media */
};

static void json_drop(json_t **j)
{
    json_decref(*j);
}

/* Paths that are no more stand in `away` as inventory writes them. */
bool sim_path_away(const struct sim_estate *e, const char *full)
{
    return json_object_get(json_object_get(e->things, "away"), full) != NULL;
}

void sim_path_leave(struct sim_estate *e, const char *full)
{
    json_object_set_new(json_object_get(e->things, "away"), full, json_true());
}

static void full_path(const struct sim_estate *e, uint32_t store, const char *path, char *out,
                      size_t cap)
{
    char root[128];

    sim_store_root(e, store, root, sizeof(root));
    snprintf(out, cap, "%s%s", root, path);
    for (char *c = out; !sim_is_vmware(e) && *c; c++)
        if (*c == '/')
            *c = '\\';
}

/* ------------------------------------------------------------------ what there is */

static void add(struct listing *l, const char *path, uint64_t size, int64_t ms, const char *vm)
{
    char full[1400];
    json_t *f;

    full_path(l->e, l->store, path, full, sizeof(full));
    if (sim_path_away(l->e, full))
        return;
    f = json_pack("{s:s, s:I, s:I}", "path", path, "size", (json_int_t)size, "ms", (json_int_t)ms);
    if (f && vm && *vm)
        json_object_set_new(f, "vm", json_string(vm));
    json_array_append_new(l->files, f);
}

static void add_full(struct listing *l, const char *full, uint64_t size, int64_t ms, const char *vm)
{
    char path[1024];

    if (strlen(full) <= l->root)
        return;
    snprintf(path, sizeof(path), "%s", full + l->root);
    for (char *c = path; *c; c++)
        if (*c == '\\')
            *c = '/';
    add(l, path, size, ms, vm);
}

static void add_disk(void *ctx, const struct sim_disk_file *f)
{
    struct listing *l = ctx;

    if (f->store == l->store)
        add_full(l, f->path, f->bytes, f->modified_ms, f->vm_name);
}

/* Beside its disks: how it is made up, and what it runs with. */
static void add_vm(struct listing *l, uint32_t index, const struct sim_vm *vm)
{
    uint8_t power = l->e->vms[index].power;
    char name[129], id[SIM_ID_MAX], path[400];
    int64_t ms = SIM_EPOCH_MS - (int64_t)(sim_roll(l->e, SIM_TIMES, ~vm->number) % SIM_DAY_MS);

    sim_vm_display(l->e, vm, name, sizeof(name), id);
    if (sim_is_vmware(l->e)) {
        static const struct {
            const char *ending;
            uint64_t size;
        } parts[] = { { ".vmx", 3200 }, { ".nvram", 8684 }, { ".vmsd", 512 } };

        for (size_t i = 0; i < PV_COUNT(parts); i++) {
            snprintf(path, sizeof(path), "%s/%s%s", vm->name, vm->name, parts[i].ending);
            add(l, path, parts[i].size, ms, name);
        }
        snprintf(path, sizeof(path), "%s/vmware.log", vm->name);
        add(l, path, 250000 + vm->number % 9000, ms, name);
        snprintf(path, sizeof(path), "%s/%s.vswp", vm->name, vm->name);
    } else {
        snprintf(path, sizeof(path), "%s/Virtual Machines/%s.vmcx", vm->name, id);
        add(l, path, 65536, ms, name);
        snprintf(path, sizeof(path), "%s/Virtual Machines/%s.vmrs", vm->name, id);
    }
    if (power == PV_POWER_STATE_RUNNING || power == PV_POWER_STATE_PAUSED)
        add(l, path, vm->memory_bytes, ms, name);
    snprintf(path, sizeof(path), "iso/%s.iso", vm->os->guest_id);
    json_object_set_new(l->media, path, json_integer((json_int_t)vm->os->guest_id[0] * 40 * MIB));
}

static void add_things(struct listing *l)
{
    char store[SIM_ID_MAX];
    const char *path;
    const json_t *one;
    json_t *size;
    size_t i;

    sim_native_id(l->e, PV_KIND_datastore, l->store, store);
    json_array_foreach(json_object_get(l->e->things, "disk-images"), i, one)
    {
        const json_t *f = json_object_get(one, "fields");

        if (strcmp(sim_doc_text(f, "datastore"), store) == 0)
            add_full(l, sim_doc_text(f, "path"), (uint64_t)sim_doc_number(f, "file_bytes"),
                     SIM_EPOCH_MS, NULL);
    }
    json_object_foreach(l->media, path, size) add(l, path, (uint64_t)json_integer_value(size),
                                                  SIM_EPOCH_MS - 30 * (int64_t)SIM_DAY_MS, NULL);
    json_array_foreach(json_object_get(l->e->things, "files"), i, one)
    {
        if (strcmp(sim_doc_text(one, "store"), store) == 0)
            json_array_append(l->files, (json_t *)(uintptr_t)one);
    }
}

/* The datastore the operation is about; its files. */
static int files_of(const struct job *j, struct listing *l, struct pv_err *err)
{
    struct sim_vm vm;
    uint64_t n;
    char root[128];

    if (!sim_native_number(j->e, PV_KIND_datastore, j->subject_id, &n))
        return job_gone(j, err, "datastore");
    sim_store_root(j->e, (uint32_t)n, root, sizeof(root));
    *l = (struct listing){ .e = j->e,
                           .store = (uint32_t)n,
                           .root = strlen(root),
                           .files = json_array(),
                           .media = json_object() };
    for (uint32_t i = 0; i < sim_vm_count(j->e); i++) {
        if (j->e->vms[i].absent)
            continue;
        sim_vm_traits(j->e, i, j->e->vms[i].generation, &vm);
        if (vm.store == l->store)
            add_vm(l, i, &vm);
        if (vm.store == l->store || j->e->vms[i].doc)
            sim_vm_disk_files(j->e, i, add_disk, l);
    }
    sim_orphan_files(j->e, add_disk, l);
    add_things(l);
    return PV_OK;
}

static void listing_free(struct listing *l)
{
    json_decref(l->files);
    json_decref(l->media);
}

/* What of `path` is below `folder`; NULL: nothing. The folder itself: "". */
static const char *below(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    if (!len)
        return path;
    if (strncmp(path, folder, len) != 0 || (path[len] && path[len] != '/'))
        return NULL;
    return path[len] ? path + len + 1 : path + len;
}

/* ------------------------------------------------------------------ listing a folder */

int sim_apply_files(struct job *j, struct pv_err *err)
{
    const char *folder = job_text(j, "path");
    PV_AUTO(json_drop) json_t *names = json_object();
    bool there = !*folder;
    const json_t *f;
    struct listing l;
    json_t *entries, *e;
    const char *name;
    size_t i;
    int rc = files_of(j, &l, err);

    if (rc != PV_OK)
        return rc;
    json_array_foreach(l.files, i, f)
    {
        const char *rest = below(sim_doc_text(f, "path"), folder), *slash;
        bool is_folder = json_is_true(json_object_get(f, "folder"));

        if (!rest || (!*rest && !is_folder))
            continue;
        there = true;
        if (!*rest)
            continue;
        slash = strchr(rest, '/');
        e = slash || is_folder
                ? json_pack("{s:s%, s:b}", "name", rest,
                            slash ? (size_t)(slash - rest) : strlen(rest), "folder", 1)
                : json_pack("{s:s, s:O, s:O}", "name", rest, "size_bytes",
                            json_object_get(f, "size"), "modified_ms", json_object_get(f, "ms"));
        json_object_set_new(names, json_string_value(json_object_get(e, "name")), e);
    }
    listing_free(&l);
    if (!there) {
        rc = pv_fail(err, PV_ENOENT, "there is no folder %s", folder);
        pv_err_pointer(err, "/path");
        return job_native(j, err, rc, "FileNotFound", "0x80070003");
    }
    if (json_object_size(names) > SDK_FILES_MAX) {
        rc =
            pv_fail_as(err, "limit-exceeded", "the folder has more than %d entries", SDK_FILES_MAX);
        pv_err_pointer(err, "/path");
        return rc;
    }
    entries = json_array();
    json_object_foreach(names, name, e) json_array_append(entries, e);
    json_object_set_new(j->answer, "data", json_pack("{s:o}", "entries", entries));
    return PV_OK;
}

/* ------------------------------------------------------------------ changing */

static int no_such(const struct job *j, const char *path, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ENOENT, "there is no file or folder %s", path);

    pv_err_pointer(err, "/path");
    return job_native(j, err, rc, "FileNotFound", "0x80070002");
}

static int is_there(const struct job *j, const char *path, const char *member, struct pv_err *err)
{
    int rc = pv_fail(err, PV_EEXIST, "there is %s already", path);

    pv_err_pointer(err, "/%s", member);
    return job_native(j, err, rc, "FileAlreadyExists", "0x80070050");
}

static const json_t *find(const struct listing *l, const char *path, bool *folder)
{
    const json_t *f, *in = NULL;
    size_t i;

    json_array_foreach(l->files, i, f)
    {
        const char *rest = below(sim_doc_text(f, "path"), path);

        if (rest && !*rest) {
            *folder = json_is_true(json_object_get(f, "folder"));
            return f;
        }
        if (rest)
            in = f;
    }
    *folder = in != NULL;
    return in;
}

/* Where it is to go must be a folder, and nothing may be there. */
static int find_room(const struct job *j, const struct listing *l, const char *path,
                     const char *member, struct pv_err *err)
{
    char parent[1100];
    const char *slash = strrchr(path, '/');
    bool folder = true;
    int rc;

    if (find(l, path, &folder))
        return is_there(j, path, member, err);
    snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
    folder = true;
    if (slash && (!find(l, parent, &folder) || !folder)) {
        rc = pv_fail(err, PV_ENOENT, "there is no folder %s", parent);
        pv_err_pointer(err, "/%s", member);
        return job_native(j, err, rc, "FileNotFound", "0x80070003");
    }
    if (json_array_size(json_object_get(j->e->things, "files")) >= CHANGES_MAX)
        return pv_fail_as(err, "limit-exceeded", "the simulation has no room for more of these");
    return PV_OK;
}

static bool holds(const struct listing *l, const char *folder)
{
    const json_t *f;
    size_t i;

    json_array_foreach(l->files, i, f)
    {
        const char *rest = below(sim_doc_text(f, "path"), folder);

        if (rest && *rest)
            return true;
    }
    return false;
}

static int vms_own(const struct job *j, const struct listing *l, const char *path,
                   struct pv_err *err)
{
    const json_t *f;
    size_t i;
    int rc;

    json_array_foreach(l->files, i, f)
    {
        if (!below(sim_doc_text(f, "path"), path) || !sim_doc_text(f, "vm")[0])
            continue;
        rc = pv_fail(err, PV_ESTATE, "%s is used by %s", path, sim_doc_text(f, "vm"));
        pv_err_pointer(err, "/path");
        pv_err_remedy(err, "Detach it from the VM, or delete the VM, first.");
        return job_native(j, err, rc, "FileLocked", "0x80070020");
    }
    return PV_OK;
}

static json_t *entry(const struct job *j, const char *path, const json_t *like)
{
    const char *as = like ? sim_doc_text(like, "as") : "";
    json_t *e = json_pack("{s:s, s:s, s:I, s:I, s:b}", "store", j->subject_id, "path", path, "size",
                     (json_int_t)sim_doc_number(like, "size"), "ms",
                     like ? (json_int_t)sim_doc_number(like, "ms") : (json_int_t)clock_wall_ms(),
                     "folder", !like || json_is_true(json_object_get(like, "folder")));

    /* What is in it goes along. */
    if (e && like && json_object_get(like, "content"))
        json_object_set(e, "content", json_object_get(like, "content"));
    else if (e && like)
        json_object_set_new(e, "as", json_string(*as ? as : sim_doc_text(like, "path")));
    return e;
}

/* It is not there any more: neither among what people made nor among what the seed has. */
static void forget(struct job *j, const struct listing *l, const char *path)
{
    json_t *files = json_object_get(j->e->things, "files");
    char full[1400];

    for (size_t i = json_array_size(files); i > 0; i--) {
        const json_t *f = json_array_get(files, i - 1);

        if (strcmp(sim_doc_text(f, "store"), j->subject_id) == 0 &&
            strcmp(sim_doc_text(f, "path"), path) == 0) {
            json_array_remove(files, i - 1);
            return;
        }
    }
    full_path(j->e, l->store, path, full, sizeof(full));
    sim_path_leave(j->e, full);
    sim_image_forget(j->e, full);
}

static int move(struct job *j, const struct listing *l, const char *path, const char *to,
                struct pv_err *err)
{
    json_t *files = json_object_get(j->e->things, "files");
    const json_t *f;
    size_t i;
    int rc = PV_OK;

    if (below(to, path)) {
        rc = pv_fail(err, PV_EINVAL, "a folder cannot be moved into itself");
        pv_err_pointer(err, "/to");
        return job_native(j, err, rc, "InvalidArgument", "21 InvalidParameter");
    }
    rc = find_room(j, l, to, "to", err);
    if (rc != PV_OK || j->trial)
        return rc;
    json_array_foreach(l->files, i, f)
    {
        const char *rest = below(sim_doc_text(f, "path"), path);
        char there[2200];

        if (!rest)
            continue;
        snprintf(there, sizeof(there), "%s%s%s", to, *rest ? "/" : "", rest);
        json_array_append_new(files, entry(j, there, f));
        forget(j, l, sim_doc_text(f, "path"));
    }
    return PV_OK;
}

static int work(struct job *j, const struct listing *l, struct pv_err *err)
{
    const char *path = job_text(j, "path");
    bool folder = false;
    const json_t *f;
    int rc;

    if (strcmp(j->op->name, "datastore.folder.create") == 0) {
        rc = find_room(j, l, path, "path", err);
        if (rc == PV_OK && !j->trial)
            json_array_append_new(json_object_get(j->e->things, "files"), entry(j, path, NULL));
        return rc;
    }
    f = find(l, path, &folder);
    if (!f)
        return no_such(j, path, err);
    rc = vms_own(j, l, path, err);
    if (rc != PV_OK)
        return rc;
    if (strcmp(j->op->name, "datastore.file.move") == 0)
        return move(j, l, path, job_text(j, "to"), err);
    if (folder && holds(l, path)) {
        rc = pv_fail_as(err, "conflict", "the folder %s is not empty", path);
        pv_err_pointer(err, "/path");
        pv_err_remedy(err, "Delete or move what is in it first.");
        return job_native(j, err, rc, "CannotDeleteFile", "0x80070091");
    }
    if (!j->trial) {
        sim_content_drop(j->e, sim_doc_number(f, "content"));
        forget(j, l, path);
    }
    return PV_OK;
}

static int with_files(struct job *j, struct pv_err *err)
{
    struct listing l;
    int rc = files_of(j, &l, err);

    if (rc != PV_OK)
        return rc;
    rc = work(j, &l, err);
    listing_free(&l);
    return rc;
}

int sim_check_file(struct job *j, struct pv_err *err)
{
    int rc;

    j->trial = true;
    rc = with_files(j, err);
    j->trial = false;
    return rc;
}

int sim_apply_file(struct job *j, struct pv_err *err)
{
    return with_files(j, err);
}

/* ------------------------------------------------------------------ what is in them (contents.c) */

static int look(const struct job *j, const struct listing *l, const char *path, const json_t **out,
                struct pv_err *err)
{
    bool folder = false;
    int rc;

    *out = find(l, path, &folder);
    if (!*out)
        return no_such(j, path, err);
    if (!folder)
        return PV_OK;
    rc = pv_fail(err, PV_EINVAL, "%s is a folder", path);
    pv_err_pointer(err, "/path");
    return job_native(j, err, rc, "InvalidArgument", "0x80070005");
}

int sim_file_look(const struct job *j, const char *path, json_t **out, struct pv_err *err)
{
    const json_t *f = NULL;
    struct listing l;
    int rc = files_of(j, &l, err);

    if (rc != PV_OK)
        return rc;
    rc = look(j, &l, path, &f, err);
    if (rc == PV_OK)
        *out = json_deep_copy(f);
    listing_free(&l);
    return rc;
}

static int room(const struct job *j, const struct listing *l, const char *path, bool overwrite,
                struct pv_err *err)
{
    bool folder = false;
    const json_t *f = overwrite ? find(l, path, &folder) : NULL;
    int rc;

    if (!f)
        return find_room(j, l, path, "path", err);
    rc = look(j, l, path, &f, err);
    return rc == PV_OK ? vms_own(j, l, path, err) : rc;
}

int sim_file_room(const struct job *j, const char *path, bool overwrite, struct pv_err *err)
{
    struct listing l;
    int rc = files_of(j, &l, err);

    if (rc != PV_OK)
        return rc;
    rc = room(j, &l, path, overwrite, err);
    listing_free(&l);
    return rc;
}

int sim_file_made(struct job *j, const char *path, uint64_t size, int64_t content, struct pv_err *err)
{
    bool folder = false;
    const json_t *old;
    struct listing l;
    json_t *like;
    int rc = files_of(j, &l, err);

    if (rc != PV_OK)
        return rc;
    old = find(&l, path, &folder);
    if (old) {
        sim_content_drop(j->e, sim_doc_number(old, "content"));
        forget(j, &l, path);
    }
    like = json_pack("{s:I, s:I, s:I}", "size", (json_int_t)size, "ms", (json_int_t)clock_wall_ms(),
                     "content", (json_int_t)content);
    json_array_append_new(json_object_get(j->e->things, "files"), entry(j, path, like));
    json_decref(like);
    listing_free(&l);
    return PV_OK;
}
