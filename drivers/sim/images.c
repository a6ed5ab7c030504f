/* SPDX-License-Identifier: Apache-2.0 */
/* Disk files of VMs, and those that nobody uses any more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/records.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/files.h"

#define GIB (1024ull * 1024 * 1024)
#define ORPHANS 3u /* of each datastore */
/* VMs of the seed whose disk files have records: with those of all, listing a large estate takes
 * twice as long. */
#define VMS_WITH_IMAGES 2000u

static uint64_t file_bytes(const struct sim_disk_file *f, uint64_t roll)
{
    if (f->layout == PV_PROVISIONING_FIXED || f->layout == PV_PROVISIONING_THICK_EAGER ||
        f->layout == PV_PROVISIONING_THICK_LAZY)
        return f->capacity;
    return f->capacity / 100 * (f->parent[0] ? 1 + roll % 9 : 25 + roll % 60);
}

/* ------------------------------------------------------------------ of a VM */

struct of_vm {
    const struct sim_estate *e;
    const struct sim_vm *vm;
    char root[128], id[SIM_ID_MAX], name[129];
    uint16_t serial; /* of the snapshot it writes after; 0: none */
    sim_disk_fn fn;
    void *ctx;
};

static void seed_disk(const struct of_vm *o, uint32_t n)
{
    uint64_t roll = sim_roll(o->e, SIM_VOLUME, o->vm->number * 16 + n);
    struct sim_disk_file f = { .vm_id = o->id,
                               .vm_name = o->name,
                               .capacity = sim_disk_bytes(o->e, o->vm, n),
                               .layout = sim_disk_layout(o->e, o->vm, n),
                               .format =
                                   sim_is_vmware(o->e) ? PV_DISK_FORMAT_VMDK : PV_DISK_FORMAT_VHDX,
                               .store = o->vm->store,
                               .modified_ms = SIM_EPOCH_MS - (int64_t)(roll % SIM_DAY_MS) };

    sim_disk_path(o->e, o->vm, o->root, n, 0, f.path, sizeof(f.path));
    f.bytes = file_bytes(&f, roll);
    if (o->serial) { /* the checkpoint has this one, and the VM writes to one that differs from it
                      */
        o->fn(o->ctx, &f);
        memcpy(f.parent, f.path, sizeof(f.parent));
        sim_disk_path(o->e, o->vm, o->root, n, o->serial, f.path, sizeof(f.path));
        if (!sim_is_vmware(o->e))
            f.layout = PV_PROVISIONING_DIFFERENCING;
        f.bytes = file_bytes(&f, roll);
    }
    o->fn(o->ctx, &f);
}

static void own_disks(const struct of_vm *o, const json_t *disks)
{
    const json_t *one;
    size_t i;

    json_array_foreach(disks, i, one)
    {
        const json_t *d = json_object_get(one, "fields");
        const char *format = sim_doc_text(d, "image.format"),
                   *layout = sim_doc_text(d, "image.subformat");
        struct sim_disk_file f = { .vm_id = o->id, .vm_name = o->name };
        uint64_t store = o->vm->store;

        if (!sim_doc_text(d, "image.path")[0])
            continue;
        sim_native_number(o->e, PV_KIND_datastore, sim_doc_text(d, "image.datastore"), &store);
        f.store = (uint32_t)store;
        snprintf(f.path, sizeof(f.path), "%s", sim_doc_text(d, "image.path"));
        snprintf(f.parent, sizeof(f.parent), "%s", sim_doc_text(d, "image.parent"));
        f.capacity = (uint64_t)sim_doc_number(d, "capacity_bytes");
        f.format =
            (enum pv_disk_format)model_enum_value(PV_ENUM_disk_format, format, strlen(format));
        f.layout =
            (enum pv_provisioning)model_enum_value(PV_ENUM_provisioning, layout, strlen(layout));
        f.bytes = file_bytes(&f, o->vm->number + i);
        f.modified_ms = SIM_EPOCH_MS;
        o->fn(o->ctx, &f);
    }
}

void sim_vm_disk_files(const struct sim_estate *e, uint32_t index, sim_disk_fn fn, void *ctx)
{
    const struct sim_vm_state *s = &e->vms[index];
    const json_t *disks = json_object_get(s->doc, "disks");
    struct of_vm o = { .e = e, .fn = fn, .ctx = ctx };
    const struct sim_snaps *snaps;
    struct sim_snaps room;
    struct sim_vm vm;

    sim_vm_traits(e, index, s->generation, &vm);
    o.vm = &vm;
    sim_vm_display(e, &vm, o.name, sizeof(o.name), o.id);
    sim_store_root(e, vm.store, o.root, sizeof(o.root));
    snaps = sim_snaps_get(e, index, &room);
    if (disks || sim_vm_is_made(e, index)) {
        own_disks(&o, disks);
        return;
    }
    o.serial = snaps->count ? snaps->last_serial : 0;
    for (uint32_t i = 0; i < vm.disks; i++)
        seed_disk(&o, i);
}

/* ------------------------------------------------------------------ of nobody */

/* Left over by restores and by VMs that were deleted; the last one differs from a file that is
 * gone. */
void sim_orphan_files(const struct sim_estate *e, sim_disk_fn fn, void *ctx)
{
    static const char *const what[ORPHANS] = { "restore-test", "old-template", "before-upgrade" };
    bool vmware = sim_is_vmware(e);

    for (uint32_t store = 0; store < e->units * e->stores_per_unit; store++) {
        char root[128];

        if (!e->set.vms)
            return;
        sim_store_root(e, store, root, sizeof(root));
        for (uint32_t k = 0; k < ORPHANS; k++) {
            uint64_t roll = sim_roll(e, SIM_STORE, 0x3000000000u + store * ORPHANS + k);
            struct sim_disk_file f = { .vm_id = "", .vm_name = "", .store = store };

            if (k == 2 && (store > 0 || vmware)) /* one broken chain is enough */
                continue;
            f.capacity = (40 + roll % 4 * 20) * GIB;
            f.format = vmware ? PV_DISK_FORMAT_VMDK : PV_DISK_FORMAT_VHDX;
            f.layout = k == 2   ? PV_PROVISIONING_DIFFERENCING
                       : vmware ? PV_PROVISIONING_THIN
                                : PV_PROVISIONING_DYNAMIC;
            f.modified_ms = SIM_EPOCH_MS - (int64_t)(roll % (400 * (uint64_t)SIM_DAY_MS));
            snprintf(f.path, sizeof(f.path),
                     vmware ? "%s_old/%s-%02u.vmdk" : "%s_old\\%s-%02u.%svhdx", root, what[k],
                     (unsigned)(roll % 90 + 10), k == 2 ? "a" : "");
            if (k == 2) {
                snprintf(f.parent, sizeof(f.parent), "%s_old\\%s.vhdx", root, what[k]);
                f.lost_parent = true;
            }
            f.bytes = file_bytes(&f, roll);
            if (!sim_path_away(e, f.path))
                fn(ctx, &f);
        }
    }
}

/* ------------------------------------------------------------------ records */

struct emitting {
    const struct sim_estate *e;
    struct pv_builder *b;
    const char *only; /* native id; NULL: all */
    unsigned n;
    bool gone;
    json_t *fields; /* wanted as a document instead */
    bool used;
};

static bool has_images(const struct sim_estate *e, uint32_t index)
{
    return !sim_is_vmware(e) && (index < VMS_WITH_IMAGES || sim_vm_is_made(e, index));
}

static const char *file_name(const char *path)
{
    const char *back = strrchr(path, '\\');

    return back ? back + 1 : path;
}

static void put_image(void *ctx, const struct sim_disk_file *f)
{
    static const char *const broken[] = { "chain_broken" };
    struct emitting *x = ctx;
    struct pv_builder *b = x->b;
    char store[SIM_ID_MAX];

    if (x->only && strcmp(x->only, f->path) != 0)
        return;
    x->n++;
    if (x->gone) {
        pv_builder_gone(b, PV_KIND_disk_image, f->path);
        return;
    }
    sim_native_id(x->e, PV_KIND_datastore, f->store, store);
    pv_disk_image_begin(b, f->path, NULL);
    pv_disk_image_name(b, file_name(f->path));
    pv_disk_image_file_path(b, f->path);
    pv_disk_image_native_path(b, f->path);
    pv_disk_image_store(b, store);
    pv_disk_image_file_format(b, f->format);
    pv_disk_image_layout(b, f->layout);
    pv_disk_image_capacity_bytes(b, f->capacity);
    pv_disk_image_file_bytes(b, f->bytes);
    pv_disk_image_block_bytes(b, 32u << 20);
    pv_disk_image_logical_sector(b, 512);
    pv_disk_image_physical_sector(b, 4096);
    if (f->parent[0] && !f->lost_parent)
        pv_disk_image_base(b, f->parent);
    else
        PV_CLEAR(b, disk_image, base);
    pv_disk_image_chain_depth(b, f->parent[0] ? 1 : 0);
    pv_disk_image_used_by(b, &f->vm_id, f->vm_id[0] ? 1 : 0);
    pv_disk_image_health(b, f->lost_parent ? PV_HEALTH_CRITICAL : PV_HEALTH_OK);
    pv_disk_image_health_reasons(b, broken, f->lost_parent ? 1 : 0);
    if (f->lost_parent) {
        pv_disk_image_check(b, PV_IMAGE_CHECK_CHAIN_BROKEN);
        pv_disk_image_checked_at(b, SIM_EPOCH_MS);
        pv_disk_image_check_detail(b, "The file it differs from is not there.");
    }
}

void sim_vm_images_emit(const struct sim_estate *e, struct pv_builder *b, uint32_t index)
{
    struct emitting x = { .e = e, .b = b };
    struct sim_snaps room;
    const struct sim_snaps *snaps;
    struct sim_vm vm;
    char root[128], path[512];

    if (!has_images(e, index))
        return;
    sim_vm_disk_files(e, index, put_image, &x);
    /* The file of the snapshot before is not there any more. */
    snaps = sim_snaps_get(e, index, &room);
    sim_vm_traits(e, index, e->vms[index].generation, &vm);
    sim_store_root(e, vm.store, root, sizeof(root));
    for (uint16_t s = snaps->last_serial > 1 ? snaps->last_serial - 1 : 1;
         e->vms[index].snaps && s <= snaps->last_serial; s++) {
        for (uint32_t n = 0; n < vm.disks && (!snaps->count || s < snaps->last_serial); n++) {
            sim_disk_path(e, &vm, root, n, s, path, sizeof(path));
            pv_builder_gone(b, PV_KIND_disk_image, path);
        }
    }
}

void sim_vm_images_gone(const struct sim_estate *e, struct pv_builder *b, uint32_t index)
{
    struct emitting x = { .e = e, .b = b, .gone = true };

    if (has_images(e, index))
        sim_vm_disk_files(e, index, put_image, &x);
}

unsigned sim_images_emit(const struct sim_estate *e, struct pv_builder *b, const char *native_id)
{
    struct emitting x = { .e = e, .b = b, .only = native_id };

    if (sim_is_vmware(e))
        return 0;
    for (uint32_t i = 0; native_id && i < sim_vm_count(e) && !x.n; i++)
        if (!e->vms[i].absent && has_images(e, i))
            sim_vm_disk_files(e, i, put_image, &x);
    sim_orphan_files(e, put_image, &x);
    return x.n;
}

static void note_fields(void *ctx, const struct sim_disk_file *f)
{
    struct emitting *x = ctx;
    char store[SIM_ID_MAX];

    if (strcmp(x->only, f->parent) == 0)
        x->used = true;
    if (x->fields || strcmp(x->only, f->path) != 0)
        return;
    sim_native_id(x->e, PV_KIND_datastore, f->store, store);
    x->used = f->vm_id[0] != '\0';
    x->fields = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "name", file_name(f->path), "path", f->path,
        "datastore", store, "format", model_enum_text(PV_ENUM_disk_format, f->format), "subformat",
        model_enum_text(PV_ENUM_provisioning, f->layout), "capacity_bytes", (json_int_t)f->capacity,
        "file_bytes", (json_int_t)f->bytes, "chain_depth", (json_int_t)(f->parent[0] ? 1 : 0));
    if (f->parent[0] && !f->lost_parent)
        json_object_set_new(x->fields, "parent", json_string(f->parent));
    if (f->vm_id[0])
        json_object_set_new(x->fields, "used_by", json_pack("[s]", f->vm_id));
    if (f->lost_parent)
        json_object_set_new(x->fields, "lost_parent", json_true());
}

json_t *sim_seed_image(const struct sim_estate *e, const char *native_id, bool *used)
{
    struct emitting x = { .e = e, .only = native_id };

    if (sim_is_vmware(e))
        return NULL;
    sim_orphan_files(e, note_fields, &x);
    for (uint32_t i = 0; i < sim_vm_count(e) && !x.fields; i++)
        if (!e->vms[i].absent && has_images(e, i))
            sim_vm_disk_files(e, i, note_fields, &x);
    *used = x.used;
    return x.fields;
}
