/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files on stores that several providers reach. A driver knows who uses a file at its own provider;
 * what stands on it at another one is known here alone: there the same file has a record of its
 * own, with the same native id, on the same store. Before a file is moved or deleted by its path, it is
 * looked for among what VMs have.
 */
#include "server/core/args.h"

#include <ctype.h>
#include <string.h>

#include <polyvisor/filter.h>
#include <polyvisor/str.h>

#define TWINS_MAX 256  /* providers that show one file */
#define BASED_MAX 4096 /* images that differ from one */
#define DISKS_MAX 256
#define DEPTH_MAX 16

struct asking {
    struct core *core;
    const struct subject *subject;
    struct arena *arena;
    const char *but;              /* native id of an image that may stand on it: it goes itself */
    const struct model_row *user; /* found: what stands on it, or uses it */
};

static int row_of(struct asking *q, enum pv_kind kind, const struct pv_id *id,
                  const struct model_row **out, struct pv_err *err)
{
    struct model_row *row = NULL;
    int rc = store_row_get(q->core->store, q->core->kinds[kind].shape, id, q->arena, &row, err);

    *out = row;
    return rc;
}

static const struct pv_id *provider_of(struct asking *q, const struct model_row *row)
{
    return &model_get(row, (unsigned)q->core->kinds[row->kind->number].provider)->id;
}

static bool is_there(struct asking *q, const struct model_row *row)
{
    const struct kind_info *k = &q->core->kinds[row->kind->number];

    return model_number(row, (unsigned)k->presence) != PV_PRESENCE_GONE;
}

/* A VM that has moved away is shown by the old provider's images until that lists them again. */
static int find_user(struct asking *q, const struct model_row *image, struct pv_err *err)
{
    const struct model_value *users = model_get(image, F(disk_image, used_by));

    for (size_t i = 0; i < users->len && !q->user; i++) {
        const struct model_row *vm;
        int rc;

        if (q->subject->vm && id_eq(&users->refs[i].id, &q->subject->vm->id))
            continue;
        rc = row_of(q, PV_KIND_vm, &users->refs[i].id, &vm, err);
        if (rc == PV_ENOENT)
            continue;
        if (rc != PV_OK)
            return rc;
        if (is_there(q, vm) && id_eq(provider_of(q, vm), provider_of(q, image)))
            q->user = vm;
    }
    return PV_OK;
}

/* Does somebody use the image, or one that differs from it? */
static int find_used(struct asking *q, const struct model_row *image, unsigned depth,
                     struct pv_err *err)
{
    struct model_value base = { .set = true, .id = image->id };
    struct pv_id *ids = NULL;
    size_t n = 0;
    int rc = find_user(q, image, err);

    if (rc == PV_OK && !q->user && depth < DEPTH_MAX)
        rc = store_find(q->core->store, PV_KIND_disk_image, F(disk_image, base), &base, BASED_MAX,
                        q->arena, &ids, &n, err);
    for (size_t i = 0; rc == PV_OK && i < n && !q->user; i++) {
        const struct kind_info *k = &q->core->kinds[PV_KIND_disk_image];
        const struct model_row *child;

        rc = row_of(q, PV_KIND_disk_image, &ids[i], &child, err);
        if (rc == PV_ENOENT) {
            rc = PV_OK;
            continue;
        }
        if (rc == PV_OK && is_there(q, child) &&
            !(q->but && str_eq(model_text(child, (unsigned)k->native_id), q->but)))
            rc = find_used(q, child, depth + 1, err);
    }
    return rc;
}

/* The same file, as others show it. */
static int check_image(struct asking *q, const struct model_row *image, struct pv_err *err)
{
    const struct kind_info *k = &q->core->kinds[PV_KIND_disk_image];
    const struct model_value *store = model_get(image, F(disk_image, store));
    const char *native = model_text(image, (unsigned)k->native_id);
    struct model_value v = { .set = true, .text = native, .len = strlen(native) };
    struct pv_id *ids = NULL;
    size_t n = 0;
    int rc;

    if (!store->set || !native[0])
        return PV_OK;
    rc = store_find(q->core->store, PV_KIND_disk_image, (unsigned)k->native_id, &v, TWINS_MAX,
                    q->arena, &ids, &n, err);
    for (size_t i = 0; rc == PV_OK && i < n && !q->user; i++) {
        const struct model_row *twin;

        rc = row_of(q, PV_KIND_disk_image, &ids[i], &twin, err);
        if (rc == PV_ENOENT) {
            rc = PV_OK;
            continue;
        }
        if (rc != PV_OK || id_eq(provider_of(q, twin), provider_of(q, image)) ||
            !is_there(q, twin) || !id_eq(&model_get(twin, F(disk_image, store))->id, &store->id))
            continue;
        rc = find_used(q, twin, 0, err);
    }
    if (rc == PV_OK && q->user) {
        rc = pv_fail(err, PV_ESTATE, "%s is in use by %s at another provider",
                     model_text(image, F(disk_image, file_path)), model_text(q->user, F(vm, name)));
        pv_err_remedy(err, "Keep the file, or remove what stands on it first.");
    }
    return rc;
}

/* A disk names its file by its path; the file's own record has more. */
static int check_disk(struct asking *q, const struct model_row *disk, struct pv_err *err)
{
    struct model_value path = *model_get(disk, F(disk, image_path));
    struct pv_id *ids = NULL;
    size_t n = 0;
    int rc;

    if (!path.set || !model_get(disk, F(disk, image_datastore))->set)
        return PV_OK;
    rc = store_find(q->core->store, PV_KIND_disk_image, F(disk_image, file_path), &path, TWINS_MAX,
                    q->arena, &ids, &n, err);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        const struct model_row *image;

        rc = row_of(q, PV_KIND_disk_image, &ids[i], &image, err);
        if (rc == PV_ENOENT)
            rc = PV_OK;
        else if (rc == PV_OK && id_eq(provider_of(q, image), provider_of(q, q->subject->row)))
            rc = check_image(q, image, err);
    }
    return rc;
}

static int check_disks(struct asking *q, struct pv_err *err)
{
    const struct kind_info *k = &q->core->kinds[PV_KIND_disk];
    struct model_value owner = { .set = true, .id = q->subject->row->id };
    struct pv_id *ids = NULL;
    size_t n = 0;
    int rc = store_find(q->core->store, PV_KIND_disk, (unsigned)k->owner, &owner, DISKS_MAX,
                        q->arena, &ids, &n, err);

    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        const struct model_row *disk;

        rc = row_of(q, PV_KIND_disk, &ids[i], &disk, err);
        if (rc == PV_OK)
            rc = check_disk(q, disk, err);
        else if (rc == PV_ENOENT)
            rc = PV_OK;
    }
    return rc;
}

/* Written into: what differs from that, but by way of this one, would mean something else. */
static int check_base(struct asking *q, const struct model_row *image, struct pv_err *err)
{
    const struct model_value *base = model_get(image, F(disk_image, base));
    const struct kind_info *k = &q->core->kinds[PV_KIND_disk_image];
    const struct model_row *row;
    int rc;

    if (!base->set)
        return PV_OK;
    rc = row_of(q, PV_KIND_disk_image, &base->id, &row, err);
    if (rc != PV_OK)
        return rc == PV_ENOENT ? PV_OK : rc;
    q->but = model_text(image, (unsigned)k->native_id);
    return check_image(q, row, err);
}

/* ---------------------------------------------------------------- by a path in the datastore */

#define PATH_IMAGES_MAX 16

/* What of a datastore an operation changes, and what stands there. */
struct path_asking {
    struct asking *q;
    const char *root, *path;
    size_t len;
    bool used;
    struct pv_id user;                    /* owner of the device */
    struct pv_id images[PATH_IMAGES_MAX]; /* image files there */
    size_t nimages;
};

/* Upper and lower case are the same on one hypervisor and not on the other: here they always are. */
static bool same(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char x = a[i] == '\\' ? '/' : a[i], y = b[i] == '\\' ? '/' : b[i];

        if (!x || tolower((unsigned char)x) != tolower((unsigned char)y))
            return false;
    }
    return true;
}

/* Is the file (as inventory writes it: "[store] web01/web01.vmdk", "D:\\VMs\\web01.vhdx") what the
 * path names, or in it? */
static bool touches(const struct path_asking *p, const char *file)
{
    const char *in = NULL, *end = file[0] == '[' ? strchr(file, ']') : NULL;
    size_t root = strlen(p->root);

    if (end)
        in = end + 1 + strspn(end + 1, " ");
    else if (root && same(file, p->root, root))
        in = file + root + strspn(file + root, "\\/");
    return in && same(in, p->path, p->len) && (!in[p->len] || strchr("/\\", in[p->len]));
}

static int on_device(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct path_asking *p = ctx;
    bool disk = row->kind->number == PV_KIND_disk;

    (void)err;
    if (touches(p, model_text(row, disk ? F(disk, image_path) : F(cdrom, path))) ||
        (disk && touches(p, model_text(row, F(disk, image_parent))))) {
        p->used = true;
        p->user = model_get(row, disk ? F(disk, owner) : F(cdrom, owner))->id;
    }
    return p->used ? 1 : PV_OK;
}

static int on_image(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct path_asking *p = ctx;

    (void)err;
    if (p->nimages < PATH_IMAGES_MAX && touches(p, model_text(row, F(disk_image, file_path))))
        p->images[p->nimages++] = row->id;
    return PV_OK;
}

/* Each object of the kind that lies on the subject. */
static int each_on(struct path_asking *p, enum pv_kind kind, const char *fields, const char *place,
                   store_row_fn fn, struct pv_err *err)
{
    const struct asking *q = p->q;
    struct store_position at = { .len = 0 };
    struct store_query all = { .limit = 1000 };
    char id[PV_ID_TEXT];
    int rc = model_shape_make(model_kind(kind), fields, MODEL_VIEW_SUMMARY, q->arena, &all.shape, err);

    model_id_text(PV_KIND_datastore, &q->subject->row->id, id);
    if (rc == PV_OK)
        rc = filter_equals(model_kind(kind), place, id, 0, q->arena, &all.filter, err);
    do {
        if (rc == PV_OK)
            rc = store_list(q->core->store, &all, fn, p, &at, err);
        all.after = &at;
    } while (rc == PV_OK && at.len && !p->used);
    return rc < 0 ? rc : PV_OK;
}

static int say_used(const struct path_asking *p, const struct model_row *vm, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ESTATE, "%s is used by %s", p->path, vm ? model_text(vm, F(vm, name)) : "a VM");

    pv_err_pointer(err, "/path");
    pv_err_remedy(err, "Detach it from the VM, or delete the VM, first.");
    return rc;
}

/* Nothing of what the parameter names may be in use: a hypervisor asks only for files that are open. */
static int check_path(struct asking *q, const char *path, struct pv_err *err)
{
    struct path_asking p = { .q = q, .path = path, .len = strlen(path) };
    int rc;

    p.root = model_text(q->subject->row, F(datastore, root_path));
    rc = each_on(&p, PV_KIND_disk, "image.path,image.parent,vm", "image.datastore", on_device, err);
    if (rc == PV_OK && !p.used)
        rc = each_on(&p, PV_KIND_cdrom, "image.path,vm", "image.datastore", on_device, err);
    if (rc == PV_OK && p.used) {
        (void)row_of(q, PV_KIND_vm, &p.user, &q->user, NULL);
        return say_used(&p, q->user, err);
    }
    if (rc == PV_OK)
        rc = each_on(&p, PV_KIND_disk_image, "path", "datastore", on_image, err);
    for (size_t i = 0; rc == PV_OK && i < p.nimages && !q->user; i++) {
        const struct model_row *image;

        rc = row_of(q, PV_KIND_disk_image, &p.images[i], &image, err);
        if (rc == PV_OK)
            rc = find_used(q, image, 0, err);
        else if (rc == PV_ENOENT)
            rc = PV_OK;
    }
    return rc == PV_OK && q->user ? say_used(&p, q->user, err) : rc;
}

int subject_check_files(struct core *c, const struct model_operation *op, const struct subject *s,
                        const json_t *params, struct arena *a, struct pv_err *err)
{
    struct asking q = { .core = c, .subject = s, .arena = a };
    int rc = PV_OK;

    if (op->takes_path)
        return check_path(&q, json_string_value(json_object_get(params, op->takes_path)), err);
    if (!op->takes_files ||
        (op->takes_files[0] &&
         !str_eq(json_string_value(json_object_get(params, op->takes_files)), "delete")))
        return PV_OK;
    if (s->row->kind->number == PV_KIND_disk_image) {
        rc = check_image(&q, s->row, err);
        if (rc == PV_OK && op->takes_base)
            rc = check_base(&q, s->row, err);
    } else if (s->row->kind->number == PV_KIND_disk) {
        rc = check_disk(&q, s->row, err);
    } else if (s->row->kind->number == PV_KIND_vm) {
        rc = check_disks(&q, err);
    }
    return rc;
}
