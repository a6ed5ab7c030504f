/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that make a VM of a VM, or a template of it. */
#include "drivers/vapi/op.h"

#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/props.h"
#include "drivers/vapi/vapi.h"

enum { PLACE_PARENT, PLACE_POOL, PLACE_SNAPSHOT };
static const char *const place_paths[] = { "parent", "resourcePool", "snapshot.currentSnapshot" };
static const struct prop_table place_table = { "VirtualMachine", place_paths, 3 };
static const struct prop_table *const place_tables[] = { &place_table, NULL };

static const char *const pool_paths[] = { "resourcePool" };
static const struct prop_table pool_table = { "ComputeResource", pool_paths, 1 };
static const struct prop_table cluster_pool_table = { "ClusterComputeResource", pool_paths, 1 };
static const struct prop_table *const pool_tables[] = { &pool_table, &cluster_pool_table, NULL };

struct place {
    struct moref folder, pool, snapshot;
};

static int on_place(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct place *out = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&place_table, object, &v);
    (void)value_ref(v.val[PLACE_PARENT], &out->folder);
    (void)value_ref(v.val[PLACE_POOL], &out->pool);
    (void)value_ref(v.val[PLACE_SNAPSHOT], &out->snapshot);
    return PV_OK;
}

static int on_pool(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&pool_table, object, &v);
    (void)value_ref(v.val[0], ctx);
    return PV_OK;
}

static int said(int rc, struct pv_err *err)
{
    return rc == SESSION_RENEWED ? pv_fail(err, PV_EAUTH, "the server ended the sign-in") : rc;
}

/* An object of the arguments. */
static bool named(const json_t *args, const char *member, const char *type, struct moref *out)
{
    const char *id = json_string_value(json_object_get(json_object_get(args, member), "native_id"));

    return id && str_copy(out->type, sizeof(out->type), type) &&
           str_copy(out->id, sizeof(out->id), id);
}

/* The pool that was named, else the named cluster's, else the VM's own. */
static int choose_pool(struct operation *o, struct place *p, struct pv_err *err)
{
    struct moref cluster;

    if (named(o->args, "resource_pool", "ResourcePool", &p->pool))
        return PV_OK;
    if (!named(o->args, "cluster", "ClusterComputeResource", &cluster))
        return PV_OK;
    p->pool.id[0] = '\0';
    return said(collect_by_refs(o->v->session, &o->c, &cluster, 1, pool_tables, on_pool, &p->pool,
                                NULL, err),
                err);
}

static int find_place(struct operation *o, struct place *p, struct pv_err *err)
{
    int rc =
        said(collect_by_refs(o->v->session, &o->c, &o->vm, 1, place_tables, on_place, p, NULL, err),
             err);

    if (rc == PV_OK)
        rc = choose_pool(o, p, err);
    if (rc)
        return rc;
    if (!p->pool.id[0])
        return pv_fail_as(err, "validation-failed",
                          "%s %s: a template has no resource pool; name resource_pool or cluster",
                          o->method->verb, o->name);
    if (!p->folder.id[0])
        return pv_fail(err, PV_ENOTSUP, "%s %s: it is part of a vApp and has no folder",
                       o->method->verb, o->name);
    return PV_OK;
}

static int refuse(const struct operation *o, struct pv_err *err)
{
    static const char *const not_here[] = { "native_folder", "networks", "subformat", NULL };
    const char *mac = json_string_value(json_object_get(o->args, "mac"));

    for (size_t i = 0; not_here[i]; i++)
        if (json_object_get(o->args, not_here[i]))
            return op_no_such(o, not_here[i], "a clone is made beside its source, with its devices",
                              err);
    if (mac && strcmp(mac, "keep") == 0)
        return op_no_such(o, "mac", "vSphere gives a clone new addresses", err);
    return PV_OK;
}

int op_clone(struct operation *o, struct pv_err *err)
{
    bool linked = json_is_true(json_object_get(o->args, "linked"));
    struct place place = { 0 };
    struct moref datastore, host;
    struct enc_object *spec, *location;
    struct enc *e;
    int rc = refuse(o, err);

    if (rc == PV_OK)
        rc = find_place(o, &place, err);
    if (rc)
        return rc;
    if (!named(o->args, "snapshot", "VirtualMachineSnapshot", &place.snapshot) && !linked)
        place.snapshot.id[0] = '\0';
    if (linked && !place.snapshot.id[0])
        return pv_fail_as(err, "vm-invalid-state",
                          "%s %s: a linked clone shares the disks of a snapshot, and it has none",
                          o->method->verb, o->name);
    e = enc_new("CloneVM_Task", o->vm.type, o->vm.id);
    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory");
    enc_ref(enc_root(e), "folder", place.folder.type, place.folder.id);
    enc_text(enc_root(e), "name", json_string_value(json_object_get(o->args, "name")));
    spec = enc_child(enc_root(e), "spec", "VirtualMachineCloneSpec");
    location = enc_child(spec, "location", "VirtualMachineRelocateSpec");
    if (named(o->args, "datastore", "Datastore", &datastore))
        enc_ref(location, "datastore", datastore.type, datastore.id);
    if (linked)
        enc_text(location, "diskMoveType", "createNewChildDiskBacking");
    enc_ref(location, "pool", place.pool.type, place.pool.id);
    if (named(o->args, "host", "HostSystem", &host))
        enc_ref(location, "host", host.type, host.id);
    enc_bool(spec, "template", json_is_true(json_object_get(o->args, "template")));
    enc_bool(spec, "powerOn", json_is_true(json_object_get(o->args, "start")));
    if (place.snapshot.id[0])
        enc_ref(spec, "snapshot", place.snapshot.type, place.snapshot.id);
    return op_run_task(o, e, err);
}

int op_template(struct operation *o, struct pv_err *err)
{
    struct place place = { 0 };
    struct moref host;
    struct enc *e;
    int rc;

    if (json_is_true(json_object_get(o->args, "template")))
        return op_ask(o, enc_new("MarkAsTemplate", o->vm.type, o->vm.id), err);
    rc = find_place(o, &place, err);
    if (rc)
        return rc;
    e = enc_new("MarkAsVirtualMachine", o->vm.type, o->vm.id);
    if (e) {
        enc_ref(enc_root(e), "pool", place.pool.type, place.pool.id);
        if (named(o->args, "host", "HostSystem", &host))
            enc_ref(enc_root(e), "host", host.type, host.id);
    }
    return op_ask(o, e, err);
}
