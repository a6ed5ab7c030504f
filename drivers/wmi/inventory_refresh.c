/* SPDX-License-Identifier: Apache-2.0 */
/* Single objects read again, and disk files looked up. */
#include "drivers/wmi/inventory.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/job.h"

#define IMAGES_OF_ONE 16u
#define LOOK_AGAIN_MS (60 * 60 * 1000) /* files grow */

/* ------------------------------------------------------------------ disk files */

#define JOB_STARTED 4096u

/* What is wrong with a file (that it is not there, say) the job tells that the question started. */
static int ask_job(struct inventory *i, const struct call *c, const struct cim_instance *answer,
                   struct pv_err *err)
{
    const struct cim_prop *p = cim_prop_find(answer->cls, "Job");
    const struct cim_ref *job = p ? cim_get_ref(answer, (struct cim_p_ref){ p }) : NULL;
    struct job_view v = { .state = JOB_FAILED };
    int rc;

    if (!job)
        return wsman_fail_return(JOB_STARTED, "asking for a disk file", err);
    rc = job_follow(i->wmi->client, c, job, "asking for a disk file", NULL, NULL, &v, err);
    return rc ? rc
           : v.state == JOB_SUCCEEDED || v.state == JOB_WARNED
               ? PV_OK
               : job_fail(&v, "asking for a disk file", err);
}

static int ask_image(struct inventory *i, const struct call *c, struct arena *a,
                     const struct cim_class *method, struct cim_p_str path, const struct image *im,
                     struct cim_instance **out, struct pv_err *err)
{
    struct cim_instance *in = cim_call(a, method);
    const struct cim_ref *service;
    uint32_t value = 0;
    int rc = wsman_service(i->wmi->client, c, CIM(Msvm_ImageManagementService), &service, err);

    if (rc)
        return rc;
    cim_set_str(in, path, im->path);
    rc = wsman_invoke(i->wmi->client, c, service, in, a, out, err);
    if (rc == PV_OK && cim_return_value(*out, &value) && value != 0)
        rc = value == JOB_STARTED ? ask_job(i, c, *out, err)
                                  : wsman_fail_return(value, "asking for a disk file", err);
    return rc;
}

static void take_image(struct image *im, const struct cim_instance *data,
                       const struct cim_instance *state)
{
    const char *parent = cim_str(data, P(Msvm_VirtualHardDiskSettingData, ParentPath));
    char guid[SIGHT_GUID];

    im->known = true;
    im->capacity = cim_uint(data, P(Msvm_VirtualHardDiskSettingData, MaxInternalSize));
    im->block = cim_uint(data, P(Msvm_VirtualHardDiskSettingData, BlockSize));
    im->type = (unsigned)cim_uint(data, P(Msvm_VirtualHardDiskSettingData, Type));
    im->format = (unsigned)cim_uint(data, P(Msvm_VirtualHardDiskSettingData, Format));
    im->logical = (uint32_t)cim_uint(data, P(Msvm_VirtualHardDiskSettingData, LogicalSectorSize));
    im->physical = (uint32_t)cim_uint(data, P(Msvm_VirtualHardDiskSettingData, PhysicalSectorSize));
    if (cim_has(state, P(Msvm_VirtualHardDiskState, FileSize)))
        im->bytes = cim_uint(state, P(Msvm_VirtualHardDiskState, FileSize));
    if (sight_guid(cim_str(data, P(Msvm_VirtualHardDiskSettingData, VirtualDiskId)), 0, guid))
        (void)str_copy(im->disk_id, sizeof(im->disk_id), guid);
    free(im->parent);
    im->parent = parent && *parent ? strdup(parent) : NULL;
}

/* PV_ENOENT: there is no such file. Whatever else a file is refused for (a share out of reach, a
 * lock) leaves it unknown. */
static int look_up(struct inventory *i, const struct call *c, struct image *im, struct pv_err *err)
{
    struct arena *a = inventory_arena(err);
    struct cim_instance *data = NULL, *state = NULL;
    struct pv_err ignored = { 0 };
    int rc;

    if (!a)
        return PV_ENOMEM;
    im->looked_ms = clock_mono_ms();
    rc = ask_image(i, c, a, M(Msvm_ImageManagementService, GetVirtualHardDiskSettingData),
                   A(Msvm_ImageManagementService, GetVirtualHardDiskSettingData, Path), im, &data,
                   err);
    if (rc == PV_OK && ask_image(i, c, a, M(Msvm_ImageManagementService, GetVirtualHardDiskState),
                                 A(Msvm_ImageManagementService, GetVirtualHardDiskState, Path), im,
                                 &state, &ignored) != PV_OK)
        state = NULL;
    if (rc == PV_OK)
        take_image(
            im,
            cim_get_emb(data,
                        A(Msvm_ImageManagementService, GetVirtualHardDiskSettingData, SettingData),
                        a),
            cim_get_emb(state, A(Msvm_ImageManagementService, GetVirtualHardDiskState, State), a));
    arena_free(a);
    if (rc == PV_OK && im->parent) {
        struct arena *keys = inventory_arena(err);
        const char *key = keys ? world_path(keys, im->parent) : NULL;
        struct image *parent = images_put(i->images, key, im->parent);

        if (parent && parent->seen < im->seen)
            parent->seen = im->seen;
        if (keys)
            arena_free(keys);
    }
    return rc;
}

/* The host itself cannot be talked to: no use in asking for the next file. */
static bool is_host_trouble(int rc)
{
    return rc == PV_ECANCELED || rc == PV_EOFFLINE || rc == PV_EAUTH || rc == PV_ECERT ||
           rc == PV_ETIMEOUT || rc == PV_ENOMEM;
}

int inventory_look(struct inventory *i, const struct call *c, unsigned most, struct pv_builder *b,
                   unsigned *looked, struct pv_err *err)
{
    int64_t before = clock_mono_ms() - LOOK_AGAIN_MS;
    struct arena *a = inventory_arena(err);
    struct sight *s = a ? sight_new(a) : NULL;
    int rc = s ? PV_OK : PV_ENOMEM;

    for (*looked = 0; *looked < most && rc == PV_OK; (*looked)++) {
        struct image *im;

        pthread_mutex_lock(&i->wmi->order);
        im = images_oldest(i->images, before > 0 ? before : 1);
        if (im) {
            rc = look_up(i, c, im, err);
            if (rc == PV_OK && i->world) {
                struct map m = inventory_map(i, b, s, false, clock_wall_ms());

                map_image(&m, im);
                rc = pv_builder_send(b);
            } else if (rc && !is_host_trouble(rc)) {
                *err = (struct pv_err){ 0 };
                rc = PV_OK;
            }
        }
        pthread_mutex_unlock(&i->wmi->order);
        if (!im)
            break;
    }
    if (a)
        arena_free(a);
    return rc;
}

/* ------------------------------------------------------------------ surroundings */

/* Without a listing before, what a VM stands in has to be read first. */
static int need_world(struct inventory *i, const struct call *c, struct pv_err *err)
{
    struct arena *a;
    struct sight *s;
    int rc;

    if (i->world)
        return PV_OK;
    a = inventory_arena(err);
    if (!a)
        return PV_ENOMEM;
    s = sight_new(a);
    rc = s ? inventory_read(i->wmi->client, c, READ_HOST | READ_PLACES, NULL, &i->limits, s, NULL,
                            err)
           : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK)
        rc = world_new(s, i->wmi->config.at.host, &i->world, err);
    arena_free(a);
    return rc;
}

/* ------------------------------------------------------------------ one VM */

/* Disks whose files are not known, so that a new VM is told whole; all of them when asked for
 * (`fresh`). */
static int look_at_disks(struct inventory *i, const struct call *c, const struct sight *s,
                         const struct sight_owner *o, bool fresh, struct pv_builder *b,
                         struct pv_err *err)
{
    struct map m = inventory_map(i, b, s, false, clock_wall_ms());
    unsigned n = 0;

    for (const struct sight_item *k = o->lists[SIGHT_STORAGE]; k && n < IMAGES_OF_ONE;
         k = k->next) {
        const char *path = cim_str_at(k->o, P(Msvm_StorageAllocationSettingData, HostResource), 0);
        struct image *im;
        int rc;

        if (!path || !*path ||
            !sight_same(cim_str(k->o, P(Msvm_StorageAllocationSettingData, ResourceSubType)),
                        "Microsoft:Hyper-V:Virtual Hard Disk"))
            continue;
        im = images_put(i->images, world_path(s->a, path), path);
        if (!im || (im->looked_ms > 0 && !fresh))
            continue;
        n++;
        rc = look_up(i, c, im, err);
        if (rc && is_host_trouble(rc))
            return rc;
        *err = (struct pv_err){ 0 };
        map_image(&m, im);
    }
    return PV_OK;
}

static int map_again(struct inventory *i, const struct call *c, const struct sight *s,
                     const char *guid, bool fresh, struct pv_builder *b, int64_t began_ms,
                     struct pv_err *err)
{
    const struct sight_owner *o = sight_owner(s, guid);
    struct map m = inventory_map(i, b, s, false, began_ms);
    int rc;

    /* A planned system has the same GUID, and nothing else of a VM. */
    if (!sight_vm_settings(o))
        return pv_fail(err, PV_ENOENT, "the VM %s does not exist", guid);
    rc = look_at_disks(i, c, s, o, fresh, b, err);
    if (rc)
        return rc;
    (void)map_vm(&m, o);
    rates_learn(i, s, false);
    rates_usage(i, &m, o);
    inventory_remember(i, &m, o);
    return PV_OK;
}

static int read_again(struct inventory *i, const struct call *c, const char *guid, bool fresh,
                      struct pv_builder *b, struct pv_err *err)
{
    struct arena *a = inventory_arena(err);
    int64_t began_ms = clock_wall_ms();
    char upper[SIGHT_GUID], low[SIGHT_GUID];
    struct sight *s;
    int rc;

    if (!a)
        return PV_ENOMEM;
    if (!sight_guid(guid, 0, low)) {
        arena_free(a);
        return pv_fail(err, PV_ENOENT, "%s is no VM of Hyper-V", guid);
    }
    map_upper(low, upper);
    s = sight_new(a);
    rc = s ? inventory_read(i->wmi->client, c, READ_STATE | READ_CONFIG | READ_GUEST, upper,
                            &i->limits, s, NULL, err)
           : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK)
        rc = map_again(i, c, s, low, fresh, b, began_ms, err);
    arena_free(a);
    return rc;
}

int inventory_reread(struct inventory *i, const struct call *c, const char *guid, bool gone,
                     struct pv_builder *b, struct pv_err *err)
{
    char low[SIGHT_GUID], upper[SIGHT_GUID];
    int rc = need_world(i, c, err);

    if (rc == PV_OK)
        rc = read_again(i, c, guid, false, b, err);
    if (rc == PV_ENOENT && sight_guid(guid, 0, low)) {
        known_drop(i->known, low);
        map_upper(low, upper);
        if (gone)
            pv_builder_gone(b, PV_KIND_vm, upper);
    }
    return rc;
}

/* After switching it on or off nothing but its state has changed: the settings bear the time of
 * their last change. Merging disks, say, is another matter: that goes with a checkpoint that is
 * gone, and the time of the settings follows when the merge is over. */
static int refresh_state(struct inventory *i, const struct call *c, const char *guid,
                         struct pv_builder *b, bool *done, struct pv_err *err)
{
    struct known_vm *vm = known_find(i->known, guid);
    struct arena *a = inventory_arena(err);
    int64_t configured = 0, began_ms = clock_wall_ms();
    char upper[SIGHT_GUID];
    struct sight *s;
    struct map m;
    int rc;

    *done = false;
    if (!a)
        return PV_ENOMEM;
    map_upper(guid, upper);
    s = sight_new(a);
    rc = s ? inventory_read(i->wmi->client, c, READ_STATE, upper, &i->limits, s, NULL, err)
           : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK) {
        const struct sight_owner *o = sight_owner(s, guid);
        uint64_t enabled =
            cim_uint(sight_one(o, SIGHT_SYSTEM), P(Msvm_ComputerSystem, EnabledState));

        m = inventory_map(i, b, s, false, began_ms);
        (void)cim_get_time(sight_one(o, SIGHT_SYSTEM),
                           P(Msvm_ComputerSystem, TimeOfLastConfigurationChange), &configured);
        *done = o && configured > 0 && configured == vm->configured && enabled != vm->enabled;
        if (*done) {
            pv_vm_begin(b, upper, guid);
            map_vm_state(&m, o);
            if (map_boot_time(&m, o) > 0)
                pv_vm_boot_time(b, map_boot_time(&m, o));
            else
                PV_CLEAR(b, vm, boot_time);
            rates_usage(i, &m, o);
            vm->state = map_vm_state_hash(&m, o);
            vm->enabled = enabled;
            vm->boot_ms = map_boot_time(&m, o);
        }
    }
    arena_free(a);
    return rc;
}

static int refresh_vm(struct inventory *i, const struct call *c, const char *native_id,
                      struct pv_builder *b, struct pv_err *err)
{
    struct known_vm *vm;
    char guid[SIGHT_GUID];
    bool done = false;
    int rc = PV_OK;

    if (!sight_guid(native_id, 0, guid))
        return pv_fail(err, PV_ENOENT, "%s is no VM of Hyper-V", native_id);
    vm = known_find(i->known, guid);
    if (vm && vm->configured > 0)
        rc = refresh_state(i, c, guid, b, &done, err);
    if (rc == PV_OK && !done)
        rc = read_again(i, c, guid, true, b, err);
    if (rc == PV_ENOENT) {
        known_drop(i->known, guid);
        return rc;
    }
    vm = rc == PV_OK ? known_find(i->known, guid) : NULL;
    if (vm)
        vm->refreshed = i->listing;
    return rc;
}

/* ------------------------------------------------------------------ the host's own things */

static bool is_there(const struct world *w, uint32_t kind, const char *id)
{
    switch (kind) {
    case PV_KIND_host:
        return sight_same(w->host_id, id);
    case PV_KIND_cluster:
        return sight_same(w->cluster_id, id);
    case PV_KIND_switch:
    case PV_KIND_network:
        return world_switch(w, id) != NULL;
    default:
        break;
    }
    for (size_t k = 0; k < w->nplaces; k++)
        if (sight_same(w->places[k].id, id))
            return true;
    /* Shares are known from paths alone. */
    return kind == PV_KIND_datastore && str_starts(id, "\\\\") && !str_starts(id, "\\\\?\\");
}

static int refresh_place(struct inventory *i, const struct call *c, uint32_t kind, const char *id,
                         struct pv_builder *b, struct pv_err *err)
{
    struct arena *a = inventory_arena(err);
    int64_t began_ms = clock_wall_ms();
    struct world *fresh = NULL;
    struct sight *s;
    int rc;

    if (!a)
        return PV_ENOMEM;
    s = sight_new(a);
    rc = s ? inventory_read(i->wmi->client, c, READ_HOST | READ_PLACES | READ_PORTS, NULL,
                            &i->limits, s, NULL, err)
           : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK)
        rc = world_new(s, i->world ? i->world->host_id : i->wmi->config.at.host, &fresh, err);
    if (rc == PV_OK) {
        struct map m;

        world_free(i->world);
        i->world = fresh;
        m = inventory_map(i, b, s, true, began_ms);
        map_cluster(&m);
        map_datastores(&m);
        map_switches(&m);
        map_host(&m);
        map_networks(&m);
        if (!is_there(i->world, kind, id))
            rc = pv_fail(err, PV_ENOENT, "%s does not exist", id);
    }
    arena_free(a);
    return rc;
}

static int refresh_image(struct inventory *i, const struct call *c, const char *id,
                         struct pv_builder *b, struct pv_err *err)
{
    struct arena *a = inventory_arena(err);
    struct image *im;
    struct sight *s;
    int rc = need_world(i, c, err);

    if (!a)
        return PV_ENOMEM;
    s = sight_new(a);
    im = rc == PV_OK ? images_put(i->images, world_path(a, id), id) : NULL;
    if (rc == PV_OK && (!s || !im))
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK)
        rc = look_up(i, c, im, err);
    if (rc == PV_OK) {
        struct map m = inventory_map(i, b, s, false, clock_wall_ms());

        im->seen = i->listing;
        map_image(&m, im);
    }
    arena_free(a);
    return rc;
}

int wmi_refresh(struct wmi *w, const struct call *c, uint32_t kind, const char *native_id,
                struct pv_err *err)
{
    struct inventory *i;
    struct pv_builder *b;
    int rc = inventory_of(w, &i, err);

    if (rc)
        return rc;
    b = pv_builder_new(w->host);
    if (!b)
        return pv_fail(err, PV_ENOMEM, "no memory");
    pthread_mutex_lock(&w->order);
    switch (kind) {
    case PV_KIND_vm:
        rc = need_world(i, c, err);
        if (rc == PV_OK)
            rc = refresh_vm(i, c, native_id, b, err);
        break;
    case PV_KIND_disk_image:
        rc = refresh_image(i, c, native_id, b, err);
        break;
    case PV_KIND_host:
    case PV_KIND_cluster:
    case PV_KIND_switch:
    case PV_KIND_network:
    case PV_KIND_datastore:
        rc = refresh_place(i, c, kind, native_id, b, err);
        break;
    default:
        rc = pv_fail(err, PV_ENOTSUP, "objects of kind %u cannot be read alone", kind);
        break;
    }
    /* What was seen on the way counts also when the object itself is gone. */
    if ((rc == PV_OK || rc == PV_ENOENT) && pv_builder_send(b) != PV_OK && rc == PV_OK)
        rc = pv_fail(err, PV_EINTERNAL, "the server does not take more objects");
    pthread_mutex_unlock(&w->order);
    pv_builder_free(b);
    return rc;
}
