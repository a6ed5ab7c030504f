/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/inventory.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/records.h>
#include <polyvisor/str.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/map.h"
#include "drivers/vapi/tags.h"
#include "drivers/vapi/vapi.h"

#define OTHERS_MOST 200000
#define REREAD_PAGE 500

static const char *const vm_types[] = { "VirtualMachine", NULL };
static const char *const other_types[] = {
    "Folder",  "Datacenter", "ComputeResource", "Datastore", "DistributedVirtualSwitch",
    "Network", "HostSystem", "ResourcePool",    NULL,
};
/* The order in which the model's kinds refer to one another. */
static const enum tree_type order[] = {
    TREE_DATACENTER, TREE_CLUSTER, TREE_DATASTORE, TREE_SWITCH, TREE_NETWORK, TREE_HOST, TREE_POOL,
};
static const struct prop_table *const vm_tables[] = { &props_vm, NULL };

int inventory_make_views(struct vapi *v, const struct call *c, unsigned generation,
                         struct views *out, struct pv_err *err)
{
    struct views views = { .generation = generation };
    const struct moref *root = &v->session->content.root;
    int rc = collect_make_view(v->session, c, generation, root, other_types, &views.others, err);

    if (rc == PV_OK)
        rc = collect_make_view(v->session, c, generation, root, vm_types, &views.vms, err);
    if (rc == PV_OK)
        *out = views;
    return rc;
}

void inventory_drop_views(struct vapi *v, const struct call *c, const struct views *views)
{
    collect_drop_view(v->session, c, views->generation, &views->vms);
    collect_drop_view(v->session, c, views->generation, &views->others);
}

/* ------------------------------------------------------------------ objects kept until all are
 * there */

struct kept {
    struct moref ref;
    xmlNodePtr node; /* in the shelf's document */
};

struct shelf {
    xmlDocPtr doc;
    struct kept *items;
    size_t count, room;
};

static void shelf_free(struct shelf *s)
{
    if (s->doc)
        xmlFreeDoc(s->doc);
    free(s->items);
}

static int keep(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct shelf *s = ctx;
    xmlNodePtr copy;

    if (s->count >= OTHERS_MOST)
        return pv_fail(err, PV_EIO, "the inventory has more than %d objects beside VMs",
                       OTHERS_MOST);
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        struct kept *more = realloc(s->items, room * sizeof(*more));

        if (!more)
            return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
        s->items = more;
        s->room = room;
    }
    if (!s->doc) {
        xmlNodePtr root;

        s->doc = xmlNewDoc(NULL);
        root = s->doc ? xmlNewDocNode(s->doc, NULL, (const xmlChar *)"shelf", NULL) : NULL;
        if (!root)
            return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
        xmlDocSetRootElement(s->doc, root);
    }
    copy = xmlDocCopyNode((xmlNodePtr)(uintptr_t)object, s->doc, 1);
    if (!copy)
        return pv_fail(err, PV_ENOMEM, "no memory for the inventory");
    map_host_fold(copy);
    xmlAddChild(xmlDocGetRootElement(s->doc), copy);
    s->items[s->count++] = (struct kept){ *ref, copy };
    return PV_OK;
}

static void learn_all(struct vapi *v, const struct shelf *s)
{
    struct tree_node *n;

    for (size_t i = 0; i < s->count; i++) {
        map_learn(v->tree, &s->items[i].ref, s->items[i].node);
        n = tree_find(v->tree, s->items[i].ref.id);
        if (n)
            n->seen = v->listing;
    }
    v->have_tree = true;
}

static void put_kept(const struct map *m, const struct kept *k, enum tree_type type)
{
    enum tree_type own = tree_type_of(k->ref.type);

    if (type == TREE_SWITCH && own == TREE_HOST)
        map_host_switches(m, &k->ref, k->node);
    else if (own == type)
        map_other(m, &k->ref, k->node);
}

/* In the model's order. The builder sends with the lock free: emit may wait for the server. */
static int send_kept(struct vapi *v, const struct shelf *s, struct pv_builder *b)
{
    for (size_t t = 0; t < sizeof(order) / sizeof(order[0]); t++) {
        for (size_t i = 0; i < s->count; i++) {
            struct map m = { .b = b };
            int rc;

            pthread_mutex_lock(&v->lock);
            m.tree = v->tree;
            m.tags = v->tags;
            put_kept(&m, &s->items[i], order[t]);
            pthread_mutex_unlock(&v->lock);
            rc = pv_builder_room(b);
            if (rc)
                return rc;
        }
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ VMs, as they come */

struct sending {
    struct vapi *v;
    struct pv_builder *b;
    bool aside; /* not the watch's: a listing may still send an older sight of the object */
};

/* What the tree remembers as sent is the watch's. After others have sent the object it remembers
 * nothing, so that the next the feed says about it counts as news. */
static void forget_sent(struct tree_node *n)
{
    n->state = 0;
    n->mark = 0;
    n->health = -1;
}

static int send_vm(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct sending *s = ctx;
    struct map m = { .b = s->b };
    struct tree_node *n;
    int rc;

    pthread_mutex_lock(&s->v->lock);
    m.tree = s->v->tree;
    m.tags = s->v->tags;
    map_learn(m.tree, ref, object);
    n = tree_find(m.tree, ref->id);
    if (n)
        n->seen = s->v->listing;
    map_vm(&m, ref, object);
    if (n && s->aside)
        forget_sent(n);
    pthread_mutex_unlock(&s->v->lock);
    rc = pv_builder_room(s->b);
    return rc ? pv_fail(err, rc, "the server does not take more objects") : PV_OK;
}

struct sweep {
    uint64_t listing;
    char (*ids)[160];
    size_t count, room;
};

static void find_unseen(void *ctx, struct tree_node *n)
{
    struct sweep *s = ctx;

    if (n->type == TREE_NOTE || n->seen == s->listing || s->count >= OTHERS_MOST)
        return;
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        void *more = realloc(s->ids, room * sizeof(*s->ids));

        if (!more)
            return;
        s->ids = more;
        s->room = room;
    }
    (void)str_copy(s->ids[s->count++], sizeof(*s->ids), n->id);
}

static void drop_unseen(struct vapi *v)
{
    struct sweep s = { .listing = v->listing };

    pthread_mutex_lock(&v->lock);
    tree_each(v->tree, find_unseen, &s);
    for (size_t i = 0; i < s.count; i++)
        tree_remove(v->tree, s.ids[i]);
    pthread_mutex_unlock(&v->lock);
    free(s.ids);
}

int inventory_list(struct vapi *v, const struct call *c, const struct views *views,
                   struct pv_builder *b, struct pv_err *err)
{
    struct sending sending = { .v = v, .b = b };
    struct shelf shelf = { 0 };
    int rc = collect_by_view(v->session, c, views->generation, &views->others, props_listing, keep,
                             &shelf, err);

    if (rc == PV_OK) {
        pthread_mutex_lock(&v->lock);
        v->listing++;
        learn_all(v, &shelf);
        pthread_mutex_unlock(&v->lock);
        rc = send_kept(v, &shelf, b);
        if (rc)
            (void)pv_fail(err, rc, "the server does not take more objects");
    }
    shelf_free(&shelf);
    if (rc == PV_OK)
        rc = collect_by_view(v->session, c, views->generation, &views->vms, vm_tables, send_vm,
                             &sending, err);
    if (rc == PV_OK)
        drop_unseen(v);
    return rc;
}

/* ------------------------------------------------------------------ poll */

static int send_poll(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct sending *s = ctx;
    struct map m = { .b = s->b };
    struct tree_node *n;
    int rc;

    pthread_mutex_lock(&s->v->lock);
    m.tree = s->v->tree;
    n = tree_find(m.tree, ref->id);
    if (n)
        n->seen = s->v->listing;
    map_poll(&m, ref, object);
    pthread_mutex_unlock(&s->v->lock);
    rc = pv_builder_room(s->b);
    return rc ? pv_fail(err, rc, "the server does not take more objects") : PV_OK;
}

int inventory_poll(struct vapi *v, const struct call *c, const struct views *views,
                   struct pv_builder *b, struct pv_err *err)
{
    static const struct prop_table *const few[] = { &props_host_polled, &props_datastore_polled,
                                                    NULL };
    static const struct prop_table *const many[] = { &props_vm_polled, NULL };
    struct sending s = { .v = v, .b = b };
    int rc;

    pthread_mutex_lock(&v->lock);
    v->listing++;
    pthread_mutex_unlock(&v->lock);
    rc = collect_by_view(v->session, c, views->generation, &views->others, few, send_poll, &s, err);
    return rc ? rc
              : collect_by_view(v->session, c, views->generation, &views->vms, many, send_poll, &s,
                                err);
}

/* ------------------------------------------------------------------ tags */

void inventory_tags(struct vapi *v, const struct call *c)
{
    struct tags *fresh = NULL, *old;
    struct pv_err err = { 0 };
    int rc;

    if (!v->session->config.tags || !v->session->content.vcenter)
        return;
    rc = tags_read(&v->rest, v->session, c, &fresh, &err);
    if (rc) {
        if (!v->tags_failed && rc != PV_ECANCELED)
            vapi_log(v, PV_LOG_LEVEL_WARN, "the vCenter's tags cannot be read: %s", err.message);
        v->tags_failed = true;
        return;
    }
    v->tags_failed = false;
    pthread_mutex_lock(&v->lock);
    old = v->tags;
    v->tags = fresh;
    pthread_mutex_unlock(&v->lock);
    tags_free(old);
}

static enum pv_kind kind_of(enum tree_type type)
{
    switch (type) {
    case TREE_DATACENTER:
        return PV_KIND_datacenter;
    case TREE_CLUSTER:
        return PV_KIND_cluster;
    case TREE_DATASTORE:
        return PV_KIND_datastore;
    case TREE_SWITCH:
        return PV_KIND_switch;
    case TREE_NETWORK:
        return PV_KIND_network;
    case TREE_HOST:
        return PV_KIND_host;
    case TREE_POOL:
        return PV_KIND_resource_pool;
    case TREE_VM:
        return PV_KIND_vm;
    default:
        return PV_KIND_NONE;
    }
}

struct retag {
    struct map m;
};

static void send_tags_of(void *ctx, struct tree_node *n)
{
    struct retag *r = ctx;
    enum pv_kind kind = kind_of(n->type);
    const char *items[TAGS_OF_ONE_MOST];
    uint64_t hash;
    size_t count;

    if (kind == PV_KIND_NONE)
        return;
    count = tags_of(r->m.tags, n->id, items);
    hash = tree_hash_list(items, count);
    if (hash == n->tags)
        return;
    n->tags = hash;
    pv_put_begin(r->m.b, kind, n->id, NULL);
    pv_put_list(r->m.b, kind, PV_SLOT(vm, native_tags), items, count);
}

int inventory_send_tags(struct vapi *v, struct pv_builder *b)
{
    struct retag r = { .m = { .b = b } };

    pthread_mutex_lock(&v->lock);
    r.m.tags = v->tags;
    r.m.tree = v->tree;
    if (v->tags)
        tree_each(v->tree, send_tags_of, &r);
    pthread_mutex_unlock(&v->lock);
    return pv_builder_send(b);
}

/* ------------------------------------------------------------------ single objects */

static int send_any(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct sending *s = ctx;
    struct map m = { .b = s->b };
    int rc;

    if (strcmp(ref->type, "VirtualMachine") == 0)
        return send_vm(ctx, ref, object, err);
    pthread_mutex_lock(&s->v->lock);
    m.tree = s->v->tree;
    m.tags = s->v->tags;
    map_learn(m.tree, ref, object);
    if (tree_find(m.tree, ref->id))
        tree_find(m.tree, ref->id)->seen = s->v->listing;
    if (strcmp(ref->type, "HostSystem") == 0)
        map_host_switches(&m, ref, object);
    map_other(&m, ref, object);
    if (s->aside && tree_find(m.tree, ref->id))
        forget_sent(tree_find(m.tree, ref->id));
    pthread_mutex_unlock(&s->v->lock);
    rc = pv_builder_room(s->b);
    return rc ? pv_fail(err, rc, "the server does not take more objects") : PV_OK;
}

static void say_gone(struct vapi *v, const char *id, struct pv_builder *b)
{
    const struct tree_node *n;

    pthread_mutex_lock(&v->lock);
    n = tree_find(v->tree, id);
    if (n && kind_of(n->type) != PV_KIND_NONE)
        pv_builder_gone(b, kind_of(n->type), id);
    tree_remove(v->tree, id);
    pthread_mutex_unlock(&v->lock);
}

/* All of them have to be there for the answer to come; who is not is named, and left out. */
static int reread_page(struct vapi *v, const struct call *c, struct moref *refs, size_t *n,
                       const struct prop_table *const *tables, bool gone, struct pv_builder *b,
                       struct pv_err *err)
{
    struct sending s = { .v = v, .b = b, .aside = !gone };
    struct moref missing;
    int rc;

    while (*n > 0) {
        size_t kept = 0;

        rc = collect_by_refs(v->session, c, refs, *n, tables, send_any, &s, &missing, err);
        if (rc != PV_ENOENT)
            return rc;
        if (!missing.id[0] && *n > 1)
            return rc;
        if (!missing.id[0])
            missing = refs[0];
        for (size_t i = 0; i < *n; i++)
            if (strcmp(refs[i].id, missing.id) != 0)
                refs[kept++] = refs[i];
        if (kept == *n)
            return rc;
        *n = kept;
        if (gone)
            say_gone(v, missing.id, b);
    }
    return gone ? PV_OK : PV_ENOENT;
}

int inventory_reread(struct vapi *v, const struct call *c, struct moref *refs, size_t n, bool gone,
                     struct pv_builder *b, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < n && rc == PV_OK; i += REREAD_PAGE) {
        size_t page = n - i < REREAD_PAGE ? n - i : REREAD_PAGE;

        rc = reread_page(v, c, refs + i, &page, props_all, gone, b, err);
    }
    return rc;
}

/* ------------------------------------------------------------------ refresh */

/* Places come from the tree; without a watch before, it has to be read first. */
static int need_tree(struct vapi *v, const struct call *c, struct pv_err *err)
{
    struct moref view;
    struct shelf shelf = { 0 };
    unsigned generation;
    bool have;
    int rc;

    pthread_mutex_lock(&v->lock);
    have = v->have_tree;
    pthread_mutex_unlock(&v->lock);
    if (have)
        return PV_OK;
    rc = session_login(v->session, c, &generation, err);
    if (rc == PV_OK)
        rc = collect_make_view(v->session, c, generation, &v->session->content.root, other_types,
                               &view, err);
    if (rc)
        return rc;
    rc = collect_by_view(v->session, c, generation, &view, props_listing, keep, &shelf, err);
    collect_drop_view(v->session, c, generation, &view);
    if (rc == PV_OK) {
        pthread_mutex_lock(&v->lock);
        learn_all(v, &shelf);
        pthread_mutex_unlock(&v->lock);
    }
    shelf_free(&shelf);
    return rc;
}

/* The vim25 type of an object of ours; what the tree says is better than the usual one. */
static const char *vim_type_of(struct vapi *v, uint32_t kind, const char *id, struct moref *out)
{
    static const struct {
        uint32_t kind;
        const char *type;
    } usual[] = {
        { PV_KIND_vm, "VirtualMachine" },
        { PV_KIND_host, "HostSystem" },
        { PV_KIND_cluster, "ClusterComputeResource" },
        { PV_KIND_datacenter, "Datacenter" },
        { PV_KIND_datastore, "Datastore" },
        { PV_KIND_network, "Network" },
        { PV_KIND_switch, "VmwareDistributedVirtualSwitch" },
        { PV_KIND_resource_pool, "ResourcePool" },
    };
    const struct tree_node *n;
    bool known = false;

    memset(out, 0, sizeof(*out));
    (void)str_copy(out->id, sizeof(out->id), id);
    /* A standard switch is a part of its host. */
    if (kind == PV_KIND_switch && strchr(out->id, '/')) {
        *strchr(out->id, '/') = '\0';
        kind = PV_KIND_host;
    }
    pthread_mutex_lock(&v->lock);
    n = tree_find(v->tree, out->id);
    if (n && (uint32_t)kind_of(n->type) == kind)
        known = str_copy(out->type, sizeof(out->type), n->vim_type);
    pthread_mutex_unlock(&v->lock);
    for (size_t i = 0; !known && i < sizeof(usual) / sizeof(usual[0]); i++)
        if (usual[i].kind == kind)
            known = str_copy(out->type, sizeof(out->type), usual[i].type);
    return known ? out->type : NULL;
}

int inventory_refresh(struct vapi *v, const struct call *c, uint32_t kind, const char *native_id,
                      struct pv_err *err)
{
    struct pv_builder *b;
    struct tree_node *n;
    struct moref ref;
    int rc;

    if (!vim_type_of(v, kind, native_id, &ref))
        return pv_fail(err, PV_ENOTSUP, "objects of kind %u cannot be read alone", kind);
    rc = need_tree(v, c, err);
    if (rc)
        return rc == SESSION_RENEWED ? pv_fail(err, PV_EAUTH, "the server ended the sign-in") : rc;
    b = pv_builder_new(v->session->host);
    if (!b)
        return pv_fail(err, PV_ENOMEM, "no memory");
    pthread_mutex_lock(&v->order);
    rc = inventory_reread(v, c, &ref, 1, false, b, err);
    if (rc == PV_OK)
        rc = pv_builder_send(b);
    pthread_mutex_lock(&v->lock);
    n = tree_find(v->tree, ref.id);
    if (n)
        n->refreshed = true;
    pthread_mutex_unlock(&v->lock);
    pthread_mutex_unlock(&v->order);
    pv_builder_free(b);
    return rc;
}
