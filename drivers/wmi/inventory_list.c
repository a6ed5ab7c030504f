/* SPDX-License-Identifier: Apache-2.0 */
/* The full listing. */
#include "drivers/wmi/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define CURSOR "1"
#define CONFIRM_MOST 64u
#define USERS_MOST 256u
#define ARRIVALS_MOST                                                                              \
    16u /* more than so many new VMs are told whole when their files have been looked up */

struct listing {
    struct inventory *i;
    const struct call *c;
    struct pv_builder *b;
    struct map m;
    struct sight *s;
    bool complete;
    bool first; /* nothing was listed before: no VM is new */
    unsigned arrivals;
};

static int room(struct listing *l, struct pv_err *err)
{
    int rc = pv_builder_room(l->b);

    return rc ? pv_fail(err, rc, "the server does not take more objects") : PV_OK;
}

/* ------------------------------------------------------------------ disk files and their users */

struct user {
    char vm[SIGHT_GUID];
    const struct user *next;
};

static void add_user(struct listing *l, struct image *im, const struct sight_owner *vm)
{
    char id[SIGHT_GUID];
    struct user *u;

    map_vm_id(vm, id);
    for (const struct user *at = im->users; at; at = at->next)
        if (strcmp(at->vm, id) == 0)
            return;
    u = arena_alloc(l->s->a, sizeof(*u));
    if (!u)
        return;
    memcpy(u->vm, id, sizeof(u->vm));
    u->next = im->users;
    im->users = u;
}

/* Disks of VMs and of their checkpoints: those are other files of the same chain. */
static void note_images(struct listing *l)
{
    const struct cim_list *media = &l->s->lists[SIGHT_STORAGE];

    for (size_t k = 0; k < media->count; k++) {
        const struct cim_instance *o = media->items[k];
        const char *path = cim_str_at(o, P(Msvm_StorageAllocationSettingData, HostResource), 0);
        const struct sight_owner *owner = sight_owner(l->s, sight_id(o));
        struct image *im;

        if (!path || !*path ||
            !sight_same(cim_str(o, P(Msvm_StorageAllocationSettingData, ResourceSubType)),
                        "Microsoft:Hyper-V:Virtual Hard Disk"))
            continue;
        if (owner && owner->vm)
            owner = owner->vm;
        if (!owner || !sight_vm_settings(owner))
            continue;
        im = images_put(l->i->images, world_path(l->s->a, path), path);
        if (!im)
            continue;
        im->seen = l->i->listing;
        add_user(l, im, owner);
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void send_image(void *ctx, const struct image *im)
{
    struct listing *l = ctx;
    const char *users[USERS_MOST];
    size_t n = 0;

    if (im->seen != l->i->listing)
        return;
    map_image(&l->m, im);
    for (const struct user *u = im->users; u && n < USERS_MOST; u = u->next)
        users[n++] = u->vm;
    qsort(users, n, sizeof(users[0]), by_text);
    pv_disk_image_used_by(l->b, users, n);
    ((struct image *)(uintptr_t)im)->users = NULL;
    (void)pv_builder_room(l->b);
}

/* A chain's lower files are not named by any VM, but known from looking one up. */
static void note_parents(void *ctx, const struct image *im)
{
    struct listing *l = ctx;
    const struct image *at = im;

    for (unsigned depth = 0; depth < 64 && at && at->known && at->parent; depth++) {
        struct image *parent = images_find(l->i->images, world_path(l->s->a, at->parent));

        if (im->seen != l->i->listing || !parent)
            return;
        parent->seen = l->i->listing;
        at = parent;
    }
}

static void image_gone(void *ctx, const struct image *im)
{
    struct listing *l = ctx;

    pv_builder_gone(l->b, PV_KIND_disk_image, im->key);
}

static void forget_users(void *ctx, const struct image *im)
{
    (void)ctx;
    ((struct image *)(uintptr_t)im)->users = NULL;
}

static int send_images(struct listing *l, struct pv_err *err)
{
    images_each(l->i->images, note_parents, l);
    images_each(l->i->images, send_image, l);
    images_each(l->i->images, forget_users, NULL);
    if (l->complete)
        images_sweep(l->i->images, l->i->listing, image_gone, l);
    return room(l, err);
}

/* ------------------------------------------------------------------ places */

static void other_gone(void *ctx, enum pv_kind kind, const char *id)
{
    struct listing *l = ctx;

    pv_builder_gone(l->b, kind, id);
}

/* Switches, volumes and shares that were there at the last listing and are not now. */
static int sweep_places(struct listing *l, struct pv_err *err)
{
    const struct cim_list *media = &l->s->lists[SIGHT_STORAGE];
    const struct world *w = l->i->world;
    uint64_t seen = l->i->listing;
    int rc = PV_OK;

    for (size_t k = 0; k < w->nswitches && rc == PV_OK; k++) {
        rc = known_note(l->i->known, PV_KIND_switch, w->switches[k].id, seen);
        if (rc == PV_OK)
            rc = known_note(l->i->known, PV_KIND_network, w->switches[k].id, seen);
    }
    for (size_t k = 0; k < w->nplaces && rc == PV_OK; k++)
        rc = known_note(l->i->known, PV_KIND_datastore, w->places[k].id, seen);
    for (size_t k = 0; k < media->count && rc == PV_OK; k++) {
        const char *share =
            world_share(l->s->a, cim_str_at(media->items[k],
                                            P(Msvm_StorageAllocationSettingData, HostResource), 0));

        if (share)
            rc = known_note(l->i->known, PV_KIND_datastore, share, seen);
    }
    if (rc)
        return pv_fail(err, rc, "no memory");
    known_sweep(l->i->known, seen, other_gone, l);
    return room(l, err);
}

static int send_places(struct listing *l, struct pv_err *err)
{
    map_cluster(&l->m);
    map_datastores(&l->m);
    map_switches(&l->m);
    map_host(&l->m);
    map_networks(&l->m);
    map_host_usage(&l->m);
    map_datastore_usage(&l->m);
    if (l->complete && inventory_complete(l->s)) {
        int rc = sweep_places(l, err);

        if (rc)
            return rc;
    }
    return room(l, err);
}

/* ------------------------------------------------------------------ VMs */

static int send_vm(struct listing *l, const struct sight_owner *o, struct pv_err *err)
{
    bool arrived = !l->first && !known_find(l->i->known, o->guid) && l->arrivals++ < ARRIVALS_MOST;
    struct known_vm *vm = known_put(l->i->known, o->guid);

    if (!vm)
        return pv_fail(err, PV_ENOMEM, "no memory");
    vm->seen = l->i->listing;
    /* Read aside meanwhile: what we saw may be the older sight. Made meanwhile: half of it was not
     * there yet. New: it is told with the sizes of its disks at once. */
    if (arrived || vm->refreshed == l->i->listing ||
        (!sight_one(o, SIGHT_SYSTEM) && sight_has(l->s, SIGHT_SYSTEM))) {
        int rc = inventory_reread(l->i, l->c, o->guid, false, l->b, err);

        if (rc != PV_ENOENT)
            return rc ? rc : room(l, err);
        *err = (struct pv_err){ 0 };
        return PV_OK;
    }
    if (map_vm(&l->m, o)) {
        rates_usage(l->i, &l->m, o);
        inventory_remember(l->i, &l->m, o);
    }
    return room(l, err);
}

static int send_vms(struct listing *l, struct pv_err *err)
{
    const struct cim_list *settings = &l->s->lists[SIGHT_SETTINGS];
    int rc = PV_OK;

    for (size_t k = 0; k < settings->count && rc == PV_OK; k++) {
        const struct cim_instance *o = settings->items[k];
        const struct sight_owner *owner = sight_is_vm(o) ? sight_owner(l->s, sight_id(o)) : NULL;

        if (owner && sight_vm_settings(owner) == o)
            rc = send_vm(l, owner, err);
    }
    return rc;
}

struct missing {
    uint64_t listing;
    char guids[CONFIRM_MOST][SIGHT_GUID];
    size_t n;
};

static void find_missing(void *ctx, struct known_vm *vm)
{
    struct missing *x = ctx;

    if (vm->seen != x->listing && x->n < CONFIRM_MOST)
        memcpy(x->guids[x->n++], vm->guid, SIGHT_GUID);
}

/* VMs that were there before: made meanwhile, or really gone. Asked one by one, and only so many:
 * when a whole host is cleared, absence from the listing says enough. */
static int confirm_missing(struct listing *l, struct pv_err *err)
{
    struct missing x = { .listing = l->i->listing };
    int rc = PV_OK;

    known_each(l->i->known, find_missing, &x);
    for (size_t k = 0; k < x.n && rc == PV_OK; k++) {
        rc = inventory_reread(l->i, l->c, x.guids[k], true, l->b, err);
        if (rc == PV_ENOENT) {
            *err = (struct pv_err){ 0 };
            rc = PV_OK;
        }
        if (rc == PV_OK)
            rc = room(l, err);
    }
    return rc;
}

/* ------------------------------------------------------------------ all */

static void say_why(struct inventory *i, const struct sight *s, const struct pv_err *why)
{
    if (!inventory_vmms_runs(s))
        (void)str_copy(i->reason, sizeof(i->reason),
                       "the Hyper-V management service (vmms) of the host does not run; its VMs "
                       "cannot be seen");
    else if (why->rc)
        (void)str_copy(i->reason, sizeof(i->reason), why->message);
    else
        i->reason[0] = '\0';
}

static int send_all(struct listing *l, struct pv_err *err)
{
    int rc = send_places(l, err);

    if (rc == PV_OK) {
        note_images(l);
        rates_learn(l->i, l->s, l->complete);
        rates_take(l->i, l->s);
        rc = send_vms(l, err);
    }
    if (rc == PV_OK && l->complete)
        rc = confirm_missing(l, err);
    if (rc == PV_OK)
        rc = send_images(l, err);
    return rc;
}

static int mark(struct listing *l, enum pv_mark what, struct pv_err *err)
{
    int rc = pv_builder_mark(l->b, what, CURSOR);

    return rc ? pv_fail(err, rc, "the server does not take more objects") : PV_OK;
}

static int send_listing(struct listing *l, int64_t began_ms, struct pv_err *err)
{
    struct world *fresh = NULL;
    /* A host that does not tell its name any more is still the same. */
    int rc = world_new(l->s, l->i->world ? l->i->world->host_id : l->i->wmi->config.at.host, &fresh,
                       err);

    if (rc)
        return rc;
    world_free(l->i->world);
    l->i->world = fresh;
    l->m = inventory_map(l->i, l->b, l->s, true, began_ms);
    rc = mark(l, PV_MARK_FULL_BEGIN, err);
    if (rc)
        return rc;
    rc = send_all(l, err);
    if (rc == PV_OK)
        rc = inventory_tell(l->i, err);
    if (rc) {
        (void)mark(l, PV_MARK_FULL_PARTIAL, &(struct pv_err){ 0 });
        return rc;
    }
    return mark(l, l->complete ? PV_MARK_FULL_END : PV_MARK_FULL_PARTIAL, err);
}

static int list_now(struct inventory *i, const struct call *c, struct pv_builder *b,
                    struct pv_err *err)
{
    struct listing l = { .i = i, .c = c, .b = b };
    struct arena *a = inventory_arena(err);
    int64_t began_ms = clock_wall_ms();
    struct pv_err why = { 0 };
    uint64_t before;
    int rc;

    if (!a)
        return PV_ENOMEM;
    pthread_mutex_lock(&i->wmi->order);
    i->listing++;
    l.first = !i->world;
    pthread_mutex_unlock(&i->wmi->order);
    before = wsman_requests(i->wmi->client);
    l.s = sight_new(a);
    rc = l.s ? inventory_read(i->wmi->client, c, READ_ALL, NULL, &i->limits, l.s, &why, err)
             : pv_fail(err, PV_ENOMEM, "no memory for the host's inventory");
    if (rc == PV_OK) {
        pthread_mutex_lock(&i->wmi->order);
        i->requests = wsman_requests(i->wmi->client) - before;
        l.complete = inventory_complete(l.s);
        i->partial = !l.complete;
        i->blind = !inventory_vmms_runs(l.s) || !sight_has(l.s, SIGHT_MANAGER) ||
                   !sight_has(l.s, SIGHT_SYSTEM) || !sight_has(l.s, SIGHT_SETTINGS);
        say_why(i, l.s, &why);
        rc = send_listing(&l, began_ms, err);
        pthread_mutex_unlock(&i->wmi->order);
    }
    arena_free(a);
    return rc;
}

/* A host that is not there shall not keep others waiting: it is asked first, and takes its turn
 * when it answers. */
int inventory_list(struct inventory *i, const struct call *c, struct pv_builder *b,
                   struct pv_err *err)
{
    struct wsman_identity who;
    int rc = wsman_identify(i->wmi->client, c, true, &who, err);

    if (rc == PV_OK)
        rc = inventory_take_turn(c, err);
    if (rc)
        return rc;
    rc = list_now(i, c, b, err);
    inventory_give_turn();
    return rc;
}
