/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/overview.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define ARENA_FIRST (64u << 10)
#define ARENA_LIMIT (64u << 20)
#define FRESH_MS 1000       /* one that is younger is good enough */
#define SHARE 20            /* making them takes at most one part in so many of the time */
#define DEPTH_MAX 32        /* of folders */

struct overview {
    atomic_uint refs;
    struct arena *arena;
    struct overview_node *nodes;
    size_t n, cap;
    const struct overview_node **by_id;
    struct overview_totals totals;
    uint64_t changes, number, unfiled;
    int64_t made_ms, took_ms;   /* monotonic */
};

struct overview_cache {
    pthread_mutex_t lock;
    struct overview *newest;    /* guarded by lock; holds a reference */
    uint64_t made;              /* guarded by lock */
};

/* What a row of a kind above the VMs is read with. A field the kind has not is left out. */
static const struct above {
    enum pv_kind kind;
    const char *fields;
} aboves[] = {
    { PV_KIND_provider, "name,state,family,simulated" },
    { PV_KIND_folder, "name,parent" },
    { PV_KIND_datacenter, "name,provider,health" },
    { PV_KIND_cluster, "name,provider,datacenter,health" },
    { PV_KIND_host, "name,provider,datacenter,cluster,health,connection_state,maintenance_mode,hardware.memory_bytes,"
                    "hardware.cores,hardware.cpu_mhz" },
};

static uint64_t changes_now(struct api *a)
{
    uint64_t sum = store_kind_changes(a->store, PV_KIND_vm);

    for (size_t i = 0; i < PV_COUNT(aboves); i++)
        sum += store_kind_changes(a->store, aboves[i].kind);
    return sum;
}

/* ------------------------------------------------------------------ reading the kinds above */

/* References, until all nodes are there. */
struct pending {
    struct pv_id parents[3];    /* deepest first */
};

struct build {
    struct overview *o;
    struct pending *pending;
    size_t pending_cap;
};

static int grow(struct build *b, struct pv_err *err)
{
    size_t cap = b->o->cap ? 2 * b->o->cap : 256;
    struct overview_node *nodes = arena_alloc(b->o->arena, cap * sizeof(*nodes));
    struct pending *pending = arena_alloc(b->o->arena, cap * sizeof(*pending));

    if (!nodes || !pending)
        return pv_fail(err, PV_ENOMEM, "no memory for an overview");
    if (b->o->n) {
        memcpy(nodes, b->o->nodes, b->o->n * sizeof(*nodes));
        memcpy(pending, b->pending, b->o->n * sizeof(*pending));
    }
    b->o->nodes = nodes;
    b->pending = pending;
    b->o->cap = cap;
    return PV_OK;
}

static int64_t number_of(const struct model_row *row, const char *path)
{
    const struct model_field *f = model_field(row->kind, path, strlen(path));

    return f ? model_number(row, f->index) : 0;
}

static struct pv_id ref_of(const struct model_row *row, const char *path)
{
    const struct model_field *f = model_field(row->kind, path, strlen(path));
    static const struct pv_id none;

    return f && model_get(row, f->index)->set ? model_get(row, f->index)->id : none;
}

static int add_node(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct build *b = ctx;
    enum pv_kind kind = row->kind->number;
    struct overview_node *node;
    struct pending *p;

    if (b->o->n == b->o->cap && grow(b, err) != PV_OK)
        return err->rc;
    p = &b->pending[b->o->n];
    node = &b->o->nodes[b->o->n++];
    memset(node, 0, sizeof(*node));
    memset(p, 0, sizeof(*p));
    node->kind = kind;
    node->id = row->id;
    node->name = arena_strdup(b->o->arena, model_text(row, model_field(row->kind, "name", 4)->index));
    if (!node->name)
        return pv_fail(err, PV_ENOMEM, "no memory for an overview");
    node->health = node->worst = (enum pv_health)number_of(row, "health");
    if (kind == PV_KIND_folder) {
        p->parents[0] = ref_of(row, "parent");
        return PV_OK;
    }
    node->state = number_of(row, kind == PV_KIND_provider ? "state" : "connection_state");
    node->family = (enum pv_family)number_of(row, "family");
    node->simulated = number_of(row, "simulated") != 0;
    node->maintenance = number_of(row, "maintenance_mode") != 0;
    node->memory_bytes = (uint64_t)number_of(row, "hardware.memory_bytes");
    node->cores = (uint64_t)number_of(row, "hardware.cores");
    node->cpu_mhz = (uint64_t)number_of(row, "hardware.cpu_mhz") * node->cores;
    p->parents[0] = ref_of(row, "cluster");
    p->parents[1] = ref_of(row, "datacenter");
    if (kind != PV_KIND_provider)
        p->parents[2] = ref_of(row, "provider");
    return PV_OK;
}

static int read_kind(struct req *r, struct build *b, const struct above *what, struct pv_err *err)
{
    const struct model_kind *k = model_kind(what->kind);
    struct store_sort by_name = { .field = model_field(k, "name", 4)->index };
    struct store_position at = { .len = 0 };
    struct store_query q = { .limit = 1000, .sort = &by_name, .nsort = 1, .access = access_of(r) };
    int rc = model_shape_make(k, what->fields, MODEL_VIEW_FULL, b->o->arena, &q.shape, err);

    do {
        struct store_position last = { .len = 0 };

        if (rc == PV_OK)
            rc = store_list(api_of(r)->store, &q, add_node, b, &last, err);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

/* ------------------------------------------------------------------ putting it together */

static int by_id(const void *a, const void *b)
{
    const struct overview_node *const *x = a, *const *y = b;

    return memcmp((*x)->id.b, (*y)->id.b, sizeof((*x)->id.b));
}

const struct overview_node *overview_find(const struct overview *o, const struct pv_id *id)
{
    struct overview_node key = { .id = *id };
    const struct overview_node *at = &key, *const *found;

    if (id_is_zero(id) || o->n == 0)
        return NULL;
    found = bsearch(&at, o->by_id, o->n, sizeof(at), by_id);
    return found ? *found : NULL;
}

static struct overview_node *own(struct overview *o, const struct pv_id *id)
{
    const struct overview_node *found = overview_find(o, id);

    return found ? &o->nodes[found - o->nodes] : NULL;
}

/* What has no place that the caller may see stands at the top, unless it is nobody's. */
static int link_nodes(struct build *b, struct pv_err *err)
{
    struct overview *o = b->o;

    o->by_id = arena_alloc(o->arena, (o->n + 1) * sizeof(const struct overview_node *));
    if (!o->by_id)
        return pv_fail(err, PV_ENOMEM, "no memory for an overview");
    for (size_t i = 0; i < o->n; i++)
        o->by_id[i] = &o->nodes[i];
    qsort(o->by_id, o->n, sizeof(const struct overview_node *), by_id);
    for (size_t i = 0; i < o->n; i++) {
        struct overview_node *node = &o->nodes[i];

        for (size_t k = 0; k < PV_COUNT(b->pending[i].parents) && !node->parent; k++)
            node->parent = overview_find(o, &b->pending[i].parents[k]);
        node->provider = node->kind == PV_KIND_provider ? node : overview_find(o, &b->pending[i].parents[2]);
        if (node->parent)
            o->nodes[node->parent - o->nodes].children++;
    }
    return PV_OK;
}

static struct overview_node *above(struct overview *o, const struct overview_node *node)
{
    return node->parent ? &o->nodes[node->parent - o->nodes] : NULL;
}

static void worse(struct overview_node *node, enum pv_health health)
{
    if (health > node->worst)
        node->worst = health;
}

/* A host's own numbers count for all that is above it. */
static void count_hosts(struct overview *o)
{
    for (size_t i = 0; i < o->n; i++) {
        const struct overview_node *host = &o->nodes[i];
        unsigned depth = 0;

        for (struct overview_node *at = above(o, host); at && depth < DEPTH_MAX; at = above(o, at), depth++) {
            worse(at, host->worst);
            if (host->kind != PV_KIND_host)
                continue;
            at->hosts++;
            at->memory_bytes += host->memory_bytes;
            at->cores += host->cores;
            at->cpu_mhz += host->cpu_mhz;
        }
    }
}

static const uint16_t group_by[] = { F(vm, provider), F(vm, datacenter), F(vm, cluster),    F(vm, host),
                                     F(vm, folder),   F(vm, power_state), F(vm, health) };
enum { BY_PROVIDER, BY_DATACENTER, BY_CLUSTER, BY_HOST, BY_FOLDER, BY_POWER, BY_HEALTH };
static const uint16_t group_sums[] = { F(vm, cpu_count), F(vm, memory_bytes) };

static void count_in(struct overview_node *node, const struct store_group *g)
{
    node->vms += g->count;
    if (g->numbers[BY_POWER] == PV_POWER_STATE_RUNNING)
        node->running += g->count;
    node->vm_cpus += g->sums[0];
    node->vm_memory_bytes += g->sums[1];
    worse(node, (enum pv_health)g->numbers[BY_HEALTH]);
}

static void count_up(struct overview *o, struct overview_node *at, const struct store_group *g)
{
    for (unsigned depth = 0; at && depth < DEPTH_MAX; at = above(o, at), depth++)
        count_in(at, g);
}

static void count_total(struct overview *o, const struct store_group *g)
{
    const struct overview_node *provider = overview_find(o, &g->refs[BY_PROVIDER]);
    struct overview_totals *t = &o->totals;

    t->vms += g->count;
    t->cpus += g->sums[0];
    t->memory_bytes += g->sums[1];
    t->by_power[g->numbers[BY_POWER] & 15] += g->count;
    t->by_health[g->numbers[BY_HEALTH] & 7] += g->count;
    t->by_family[provider ? provider->family & 7 : 0] += g->count;
}

static int count_group(void *ctx, const struct store_group *g)
{
    struct overview *o = ctx;
    struct overview_node *place = NULL, *folder = own(o, &g->refs[BY_FOLDER]);

    count_total(o, g);
    for (int by = BY_HOST; by >= BY_PROVIDER && !place; by--)
        place = own(o, &g->refs[by]);
    if (place) {
        place->vms_here += g->count;
        if (place->kind != PV_KIND_host)
            place->unhosted += g->count;
        count_up(o, place, g);
    }
    if (folder) {
        folder->vms_here += g->count;
        count_up(o, folder, g);
    } else {
        o->unfiled += g->count;
    }
    return 0;
}

static int build(struct req *r, struct overview *o, struct pv_err *err)
{
    struct build b = { .o = o };
    struct store_query q = { .limit = 1, .access = access_of(r) };
    int rc = PV_OK;

    o->changes = changes_now(api_of(r));
    for (size_t i = 0; i < PV_COUNT(aboves) && rc == PV_OK; i++)
        rc = read_kind(r, &b, &aboves[i], err);
    if (rc == PV_OK)
        rc = link_nodes(&b, err);
    if (rc != PV_OK)
        return rc;
    count_hosts(o);
    rc = model_shape_make(model_kind(PV_KIND_vm), "name", MODEL_VIEW_SUMMARY, o->arena, &q.shape, err);
    if (rc == PV_OK)
        rc = store_groups(api_of(r)->store, &q, group_by, PV_COUNT(group_by), group_sums, PV_COUNT(group_sums),
                          count_group, o, err);
    return rc;
}

/* ------------------------------------------------------------------ keeping it */

int overview_start(struct api *a, struct pv_err *err)
{
    a->overviews = calloc(1, sizeof(*a->overviews));
    if (!a->overviews)
        return pv_fail(err, PV_ENOMEM, "no memory for overviews");
    pthread_mutex_init(&a->overviews->lock, NULL);
    return PV_OK;
}

void overview_stop(struct api *a)
{
    if (!a->overviews)
        return;
    overview_put(a->overviews->newest);
    pthread_mutex_destroy(&a->overviews->lock);
    free(a->overviews);
    a->overviews = NULL;
}

void overview_put(struct overview *o)
{
    if (!o || atomic_fetch_sub(&o->refs, 1) != 1)
        return;
    arena_free(o->arena);
    free(o);
}

static int make(struct req *r, struct overview **out, struct pv_err *err)
{
    struct overview *o = calloc(1, sizeof(*o));
    int64_t began;
    int rc;

    if (o)
        o->arena = arena_new(ARENA_FIRST, ARENA_LIMIT);
    if (!o || !o->arena) {
        free(o);
        return pv_fail(err, PV_ENOMEM, "no memory for an overview");
    }
    atomic_init(&o->refs, 1);
    began = clock_mono_ms();
    rc = build(r, o, err);
    o->made_ms = clock_mono_ms();
    o->took_ms = o->made_ms - began;
    if (rc != PV_OK) {
        overview_put(o);
        return rc;
    }
    *out = o;
    return PV_OK;
}

/* The lock is held while one is made: others who come meanwhile want the same. */
int overview_get(struct req *r, struct overview **out, struct pv_err *err)
{
    struct overview_cache *c = api_of(r)->overviews;
    int rc = PV_OK;

    if (access_of(r)) /* seen through this caller's eyes: nobody else's */
        return make(r, out, err);
    pthread_mutex_lock(&c->lock);
    if (!c->newest || (c->newest->changes != changes_now(api_of(r)) &&
                       clock_mono_ms() - c->newest->made_ms >= FRESH_MS &&
                       clock_mono_ms() - c->newest->made_ms >= SHARE * c->newest->took_ms)) {
        struct overview *made = NULL;

        rc = make(r, &made, err);
        if (rc == PV_OK) {
            made->number = ++c->made;
            overview_put(c->newest);
            c->newest = made;
        }
    }
    if (rc == PV_OK) {
        atomic_fetch_add(&c->newest->refs, 1);
        *out = c->newest;
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

uint64_t overview_number(const struct overview *o)
{
    return o->number;
}

const struct overview_node *overview_nodes(const struct overview *o, size_t *n)
{
    *n = o->n;
    return o->nodes;
}

const struct overview_totals *overview_totals(const struct overview *o)
{
    return &o->totals;
}

uint64_t overview_unfiled(const struct overview *o)
{
    return o->unfiled;
}
