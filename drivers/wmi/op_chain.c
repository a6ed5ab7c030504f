/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that disks of VMs stand on. A VM names the top of its chain alone; what is below is known
 * from looking at the files one by one, which the inventory has mostly done already.
 */
#include <string.h>

#include "drivers/wmi/inventory.h"
#include "drivers/wmi/op.h"

#define VHD(prop) P(Msvm_VirtualHardDiskSettingData, prop)
#define SAN(prop) P(Msvm_StorageAllocationSettingData, prop)
#define DEPTH_MOST 64
#define ASKED_MOST 64u

struct chains {
    struct op *o;
    struct inventory *inventory;
    unsigned asked;
};

/* What the inventory knows; PV_ENOENT: nothing. *parent is NULL for a file that has none. */
static int recall(struct chains *c, const char *path, const char **parent)
{
    struct inventory *i = c->inventory;
    const struct image *im;
    int rc = PV_ENOENT;

    pthread_mutex_lock(&i->wmi->order);
    im = images_find(i->images, world_path(c->o->a, path));
    if (im && im->known) {
        *parent = im->parent ? arena_strdup(c->o->a, im->parent) : NULL;
        rc = im->parent && !*parent ? PV_ENOMEM : PV_OK;
    }
    pthread_mutex_unlock(&i->wmi->order);
    return rc;
}

static int parent_of(struct chains *c, const char *path, const char **parent, struct pv_err *err)
{
    struct cim_instance *have = NULL;
    int rc = recall(c, path, parent);

    if (rc != PV_ENOENT)
        return rc ? pv_fail(err, rc, "no memory") : PV_OK;
    *parent = NULL;
    if (++c->asked > ASKED_MOST)
        return pv_fail(
            err, PV_EBUSY,
            "%s %s: it is not known yet which disks of the host's VMs stand on which files",
            c->o->def->verb, c->o->name);
    rc = op_image_read(c->o, path, &have, err);
    /* A VM whose file is not there stands on nothing. */
    if (rc == PV_ENOENT) {
        *err = (struct pv_err){ 0 };
        return PV_OK;
    }
    if (rc == PV_OK) {
        const char *text = cim_str(have, VHD(ParentPath));

        *parent = text && *text ? text : NULL;
    }
    return rc;
}

int op_chains_hold(struct op *o, const struct cim_list *media, const char *path, const char *but,
                   bool *held, struct pv_err *err)
{
    struct chains c = { .o = o };
    int rc = inventory_of(o->w, &c.inventory, err);

    *held = false;
    for (size_t i = 0; rc == PV_OK && i < media->count && !*held; i++) {
        const char *at = cim_str_at(media->items[i], SAN(HostResource), 0);

        if (!at || !*at ||
            !op_same(cim_str(media->items[i], SAN(ResourceSubType)),
                     "Microsoft:Hyper-V:Virtual Hard Disk"))
            continue;
        for (unsigned depth = 0; rc == PV_OK && at && depth < DEPTH_MOST && !*held; depth++) {
            if (op_same_path(at, but))
                break;
            rc = parent_of(&c, at, &at, err);
            *held = rc == PV_OK && op_path_within(at, path);
        }
    }
    return rc;
}
