/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/op_place.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/tree.h"
#include "drivers/vapi/vapi.h"

#define LEVELS_MOST 64
#define STORES_MOST 256

/* ------------------------------------------------------------------ single references */

struct one {
    const struct prop_table *table;
    struct moref *out;
};

static int on_one(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct one *one = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(one->table, object, &v);
    (void)value_ref(v.val[0], one->out);
    return PV_OK;
}

static int read_ref(struct operation *o, const struct moref *of, const char *path,
                    struct moref *out, struct pv_err *err)
{
    const char *const paths[] = { path };
    const struct prop_table table = { of->type, paths, 1 };
    struct one one = { &table, out };

    memset(out, 0, sizeof(*out));
    return op_read(o, of, &table, on_one, &one, err);
}

int place_parent(struct operation *o, const struct moref *ref, struct moref *out,
                 struct pv_err *err)
{
    return read_ref(o, ref, "parent", out, err);
}

void place_datacenter(struct operation *o, const char *id, struct moref *out)
{
    char at[160];

    memset(out, 0, sizeof(*out));
    (void)str_copy(at, sizeof(at), id);
    pthread_mutex_lock(&o->v->lock);
    for (unsigned i = 0; i < LEVELS_MOST; i++) {
        const struct tree_node *n = tree_find(o->v->tree, at);

        if (!n)
            break;
        if (n->type == TREE_DATACENTER) {
            (void)str_copy(out->type, sizeof(out->type), "Datacenter");
            (void)str_copy(out->id, sizeof(out->id), n->id);
            break;
        }
        (void)str_copy(at, sizeof(at), n->parent);
    }
    pthread_mutex_unlock(&o->v->lock);
}

/* By asking, where the tree does not know. */
static int find_datacenter(struct operation *o, const struct moref *from, struct moref *out,
                           struct pv_err *err)
{
    struct moref at = *from, up;
    int rc = PV_OK;

    place_datacenter(o, from->id, out);
    for (unsigned i = 0; !out->id[0] && i < LEVELS_MOST; i++) {
        if (strcmp(at.type, "Datacenter") == 0) {
            *out = at;
            return PV_OK;
        }
        rc = place_parent(o, &at, &up, err);
        if (rc || !up.id[0])
            break;
        at = up;
    }
    if (rc == PV_OK && !out->id[0])
        rc = pv_fail(err, PV_ENOENT, "%s %s: its place belongs to no datacenter", o->method->verb,
                     o->name);
    return rc;
}

/* ------------------------------------------------------------------ host, cluster, pool */

/* A provider that is a single host names nothing else. */
static void only_host(void *ctx, struct tree_node *n)
{
    struct place *p = ctx;

    if (n->type == TREE_HOST && !p->host.id[0]) {
        (void)str_copy(p->host.type, sizeof(p->host.type), "HostSystem");
        (void)str_copy(p->host.id, sizeof(p->host.id), n->id);
    }
}

static int find_pool(struct operation *o, struct place *p, struct pv_err *err)
{
    bool host = op_named(o->args, "host", "HostSystem", &p->host);
    bool cluster = op_named(o->args, "cluster", "ClusterComputeResource", &p->compute);
    bool pool = op_named(o->args, "resource_pool", "ResourcePool", &p->pool);
    int rc = PV_OK;

    if (!host && !cluster && !pool) {
        if (o->v->session->content.vcenter)
            return op_bad(o, "host",
                          "a vCenter has many hosts: name host, cluster or resource_pool", err);
        pthread_mutex_lock(&o->v->lock);
        tree_each(o->v->tree, only_host, p);
        pthread_mutex_unlock(&o->v->lock);
        if (!p->host.id[0])
            return pv_fail(err, PV_ENOENT, "%s %s: the provider shows no host", o->method->verb,
                           o->name);
    }
    if (pool)
        rc = read_ref(o, &p->pool, "owner", &p->compute, err);
    else if (!cluster)
        rc = place_parent(o, &p->host, &p->compute, err);
    if (rc == PV_OK && !pool)
        rc = read_ref(o, &p->compute, "resourcePool", &p->pool, err);
    return rc;
}

/* ------------------------------------------------------------------ folder */

static int on_found(void *ctx, const xmlNode *value, struct pv_err *err)
{
    struct moref *out = ctx;

    (void)err;
    (void)value_ref(value, out);
    return PV_OK;
}

static int named_folder(struct operation *o, struct moref *out, struct pv_err *err)
{
    const struct content *c = &o->v->session->content;
    const char *path = op_arg_str(o, "native_folder");
    struct enc *e = enc_new("FindByInventoryPath", c->search.type, c->search.id);
    int rc;

    memset(out, 0, sizeof(*out));
    if (e)
        enc_text(enc_root(e), "inventoryPath", path[0] == '/' ? path + 1 : path);
    rc = op_query(o, e, on_found, out, err);
    if (rc == PV_OK && strcmp(out->type, "Folder") != 0)
        rc = op_bad(o, "native_folder",
                    "there is no such VM folder; its path is datacenter/vm/folder", err);
    return rc;
}

/* ------------------------------------------------------------------ datastore */

static const char *const compute_paths[] = { "datastore" };
static const struct prop_table compute_table = { "ComputeResource", compute_paths, 1 };
static const char *const store_paths[] = { "summary", "host" };
static const struct prop_table store_table = { "Datastore", store_paths, 2 };

struct stores {
    struct moref list[STORES_MOST];
    size_t count;
};

static int on_stores(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct stores *s = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&compute_table, object, &v);
    for (const xmlNode *n = xml_first(v.val[0]); n && s->count < STORES_MOST; n = xml_next(n))
        if (value_ref(n, &s->list[s->count]))
            s->count++;
    return PV_OK;
}

struct best {
    struct place *place;
    bool shared;
    uint64_t room;
};

/* Shared before local, then the one with most room. */
static int on_store(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct best *best = ctx;
    bool accessible = false, shared = false;
    const char *mode, *name;
    struct prop_values v;
    uint64_t room = 0;

    (void)err;
    props_read(&store_table, object, &v);
    (void)value_field_bool(v.val[0], "accessible", &accessible);
    (void)value_field_bool(v.val[0], "multipleHostAccess", &shared);
    (void)value_field_u64(v.val[0], "freeSpace", &room);
    mode = value_field(v.val[0], "maintenanceMode");
    name = value_field(v.val[0], "name");
    if (!accessible || !name || (mode && strcmp(mode, "normal") != 0))
        return PV_OK;
    if (best->place->datastore.id[0] &&
        (shared < best->shared || (shared == best->shared && room <= best->room)))
        return PV_OK;
    best->place->datastore = *ref;
    (void)str_copy(best->place->datastore_name, sizeof(best->place->datastore_name), name);
    best->shared = shared;
    best->room = room;
    return PV_OK;
}

static int find_datastore(struct operation *o, struct place *p, struct pv_err *err)
{
    const char *name = op_arg_str(o, "datastore.name");
    struct stores stores = { .count = 0 };
    struct best best = { .place = p };
    int rc;

    if (op_named(o->args, "datastore", "Datastore", &p->datastore)) {
        (void)str_copy(p->datastore_name, sizeof(p->datastore_name), name ? name : "");
        return PV_OK;
    }
    rc =
        op_read(o, p->host.id[0] ? &p->host : &p->compute, &compute_table, on_stores, &stores, err);
    for (size_t i = 0; rc == PV_OK && i < stores.count; i++)
        rc = op_read(o, &stores.list[i], &store_table, on_store, &best, err);
    if (rc == PV_OK && !p->datastore.id[0])
        rc = op_bad(o, "datastore", "the place has no datastore that can be used", err);
    return rc;
}

/* ------------------------------------------------------------------ all of it */

int place_find(struct operation *o, struct place *out, struct pv_err *err)
{
    int rc;

    memset(out, 0, sizeof(*out));
    rc = find_pool(o, out, err);
    if (rc == PV_OK)
        rc = find_datacenter(o, &out->compute, &out->datacenter, err);
    if (rc == PV_OK)
        rc = op_arg_str(o, "native_folder")
                 ? named_folder(o, &out->folder, err)
                 : read_ref(o, &out->datacenter, "vmFolder", &out->folder, err);
    if (rc == PV_OK)
        rc = find_datastore(o, out, err);
    return rc;
}

int place_new(struct operation *o, const struct moref *own_pool, struct place *out,
              struct pv_err *err)
{
    struct moref owner;
    int rc = PV_OK;

    memset(out, 0, sizeof(*out));
    (void)op_named(o->args, "datastore", "Datastore", &out->datastore);
    (void)op_named(o->args, "host", "HostSystem", &out->host);
    if (op_arg_str(o, "native_folder"))
        rc = named_folder(o, &out->folder, err);
    if (rc || op_named(o->args, "resource_pool", "ResourcePool", &out->pool))
        return rc;
    if (op_named(o->args, "cluster", "ClusterComputeResource", &out->compute))
        return read_ref(o, &out->compute, "resourcePool", &out->pool, err);
    if (!out->host.id[0])
        return PV_OK;
    rc = place_parent(o, &out->host, &out->compute, err);
    if (rc == PV_OK && own_pool->id[0])
        rc = read_ref(o, own_pool, "owner", &owner, err);
    if (rc == PV_OK && (!own_pool->id[0] || strcmp(owner.id, out->compute.id) != 0))
        rc = read_ref(o, &out->compute, "resourcePool", &out->pool, err);
    return rc;
}
