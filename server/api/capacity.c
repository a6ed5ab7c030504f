/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What there is room for: each cluster, and each provider's hosts that are in none, with what they
 * have, what is used of it and promised of it, and when it will be full if it goes on like this.
 */
#include "server/api/summary_parts.h"

#include <math.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#define MOST_PLACES 500

/* Use on each of the last days, and of how many it is known. */
struct history {
    double sum[CORE_DAYS];
    uint32_t known[CORE_DAYS], there[CORE_DAYS];
};

struct place {
    const struct overview_node *node; /* cluster, or provider: its hosts in no cluster */
    uint64_t hosts, vms, running, vm_cpus, vm_memory_bytes;
    uint64_t cores, cpu_mhz, memory_bytes;
    uint64_t cpu_used_mhz, memory_used_bytes;
    bool has_cpu, has_memory;
    uint64_t stores, storage_bytes, storage_free_bytes, storage_promised_bytes;
    uint64_t storage_shared_bytes; /* of these, what other places use, too */
    uint64_t last_store;           /* number of the datastore that was counted last */
    enum pv_health worst;
    struct history cpu, memory, storage;
};

struct capacity {
    struct req *r;
    const struct overview *o;
    const struct overview_node *nodes;
    size_t nnodes;
    struct place *places;
    size_t n;
    uint16_t *place_of; /* by node: 1 + its place, 0: none */
    uint64_t stores;
};

/* ------------------------------------------------------------------ adding up */

/* Who was there once and is not known for a day counts as before: the server was away, not the
 * host. */
static void add_days(struct history *h, const float *days, double each)
{
    float last = NAN;

    for (size_t d = 0; d < CORE_DAYS; d++) {
        if (!isnan(days[d])) {
            last = days[d];
            h->known[d]++;
        }
        if (isnan(last))
            continue;
        h->sum[d] += (double)last * each;
        h->there[d]++;
    }
}

static struct place *place_for(struct capacity *c, const struct overview_node *node)
{
    uint16_t *at = node ? &c->place_of[node - c->nodes] : NULL;

    if (!at || (!*at && c->n == MOST_PLACES))
        return NULL;
    if (!*at) {
        c->places[c->n] = (struct place){ .node = node };
        *at = (uint16_t)++c->n;
    }
    return &c->places[*at - 1];
}

static const struct overview_node *home_of(const struct overview_node *host)
{
    return host->parent && host->parent->kind == PV_KIND_cluster ? host->parent : host->provider;
}

static void add_host(struct capacity *c, const struct overview_node *host)
{
    struct place *p = place_for(c, home_of(host));
    struct host_use use = summary_host_use(c->r, host);
    struct core_days days;

    if (!p)
        return;
    p->hosts++;
    p->vms += host->vms;
    p->running += host->running;
    p->vm_cpus += host->vm_cpus;
    p->vm_memory_bytes += host->vm_memory_bytes;
    p->cores += host->cores;
    p->cpu_mhz += host->cpu_mhz;
    p->memory_bytes += host->memory_bytes;
    p->has_cpu = p->has_cpu || use.has_cpu;
    p->has_memory = p->has_memory || use.has_memory;
    p->cpu_used_mhz += host->cpu_mhz * use.cpu_pct / 100;
    p->memory_used_bytes += use.memory_bytes;
    if (host->worst > p->worst)
        p->worst = host->worst;
    if (core_days(api_of(c->r)->core, &host->id, &days)) {
        add_days(&p->cpu, days.cpu_pct, (double)host->cpu_mhz / 100);
        add_days(&p->memory, days.memory_bytes, 1);
    }
}

/* A cluster has VMs that no host of it has yet. */
static void take_cluster(struct place *p)
{
    p->vms = p->node->vms;
    p->running = p->node->running;
    p->vm_cpus = p->node->vm_cpus;
    p->vm_memory_bytes = p->node->vm_memory_bytes;
    p->worst = p->node->worst;
}

/* Its size counts as shared for each place that uses it. */
static void note_shared(struct capacity *c, const struct model_row *row)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->places[i].last_store == c->stores)
            c->places[i].storage_shared_bytes +=
                (uint64_t)model_number(row, F(datastore, capacity_bytes));
}

/* One that hosts of several clusters mount is there for each of them; that it is one and the same
 * is told, so that nobody adds it up twice. */
static int add_store(void *ctx, const struct model_row *row, struct pv_err *err)
{
    const struct model_value *hosts = model_get(row, F(datastore, hosts));
    struct capacity *c = ctx;
    struct core_days days;
    bool has_days = core_days(api_of(c->r)->core, &row->id, &days);
    size_t users = 0;

    (void)err;
    c->stores++;
    for (size_t i = 0; hosts->set && i < hosts->len; i++) {
        const struct overview_node *host = overview_find(c->o, &hosts->refs[i].id);
        struct place *p = host ? place_for(c, home_of(host)) : NULL;

        if (!p || p->last_store == c->stores)
            continue;
        p->last_store = c->stores;
        users++;
        p->stores++;
        p->storage_bytes += (uint64_t)model_number(row, F(datastore, capacity_bytes));
        p->storage_free_bytes += (uint64_t)model_number(row, F(datastore, free_bytes));
        p->storage_promised_bytes += (uint64_t)model_number(row, F(datastore, provisioned_bytes));
        if (has_days)
            add_days(&p->storage, days.storage_bytes, 1);
    }
    if (users > 1)
        note_shared(c, row);
    return 0;
}

static int read_stores(struct capacity *c, struct pv_err *err)
{
    struct store_position at = { .len = 0 };
    struct store_query q = { .limit = 1000, .access = access_of(c->r) };
    int rc = model_shape_make(model_kind(PV_KIND_datastore),
                              "capacity_bytes,free_bytes,provisioned_bytes,hosts", MODEL_VIEW_FULL,
                              c->r->arena, &q.shape, err);

    do {
        struct store_position last = { .len = 0 };

        if (rc == PV_OK)
            rc = store_list(api_of(c->r)->store, &q, add_store, c, &last, err);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

/* ------------------------------------------------------------------ writing */

static void write_trend(struct jsonw *w, const char *key, const struct history *h,
                        uint64_t capacity)
{
    struct core_trend t;
    double values[CORE_DAYS];

    /* A day on which most are guessed says nothing. */
    for (size_t d = 0; d < CORE_DAYS; d++)
        values[d] = h->known[d] > 0 && 2 * h->known[d] >= h->there[d] ? h->sum[d] : NAN;
    if (!core_trend_fit(values, (double)capacity, &t)) {
        jsonw_null(w, key);
        return;
    }
    jsonw_object(w, key);
    jsonw_u64(w, "history_days", t.days);
    jsonw_double(w, "per_day", round(t.per_day));
    if (t.fills)
        jsonw_u64(w, "days_until_full", (uint64_t)t.days_until_full);
    else
        jsonw_null(w, "days_until_full");
    jsonw_end(w);
}

static void write_known(struct jsonw *w, const char *key, bool known, uint64_t value)
{
    if (known)
        jsonw_u64(w, key, value);
    else
        jsonw_null(w, key);
}

static void write_place(struct jsonw *w, const struct place *p)
{
    uint64_t used =
        p->storage_bytes > p->storage_free_bytes ? p->storage_bytes - p->storage_free_bytes : 0;

    summary_open_ref(w, p->node->kind, &p->node->id, p->node->name);
    jsonw_str(w, "kind", model_kind(p->node->kind)->name);
    summary_member_ref(w, "provider", p->node->provider);
    jsonw_str(w, "worst_health", model_enum_text(PV_ENUM_health, p->worst));
    jsonw_u64(w, "hosts", p->hosts);
    jsonw_u64(w, "vms", p->vms);
    jsonw_u64(w, "running", p->running);
    jsonw_u64(w, "cores", p->cores);
    jsonw_u64(w, "vm_cpus", p->vm_cpus);
    jsonw_u64(w, "cpu_mhz", p->cpu_mhz);
    write_known(w, "cpu_used_mhz", p->has_cpu, p->cpu_used_mhz);
    jsonw_u64(w, "memory_bytes", p->memory_bytes);
    write_known(w, "memory_used_bytes", p->has_memory, p->memory_used_bytes);
    jsonw_u64(w, "vm_memory_bytes", p->vm_memory_bytes);
    jsonw_u64(w, "datastores", p->stores);
    write_known(w, "storage_bytes", p->stores > 0, p->storage_bytes);
    write_known(w, "storage_used_bytes", p->stores > 0, used);
    write_known(w, "storage_provisioned_bytes", p->stores > 0, p->storage_promised_bytes);
    write_known(w, "storage_shared_bytes", p->stores > 0, p->storage_shared_bytes);
    jsonw_object(w, "trends");
    write_trend(w, "cpu", &p->cpu, p->cpu_mhz);
    write_trend(w, "memory", &p->memory, p->memory_bytes);
    write_trend(w, "storage", &p->storage, p->storage_bytes);
    jsonw_end(w);
    jsonw_end(w);
}

int capacity_write(struct req *r, struct jsonw *w, const struct overview *o, struct pv_err *err)
{
    struct capacity c = { .r = r, .o = o };
    int rc;

    c.nodes = overview_nodes(o, &c.nnodes);
    c.places = arena_alloc(r->arena, MOST_PLACES * sizeof(*c.places));
    c.place_of = arena_alloc(r->arena, (c.nnodes + 1) * sizeof(*c.place_of));
    if (!c.places || !c.place_of)
        return pv_fail(err, PV_ENOMEM, "no memory for what there is room for");
    memset(c.place_of, 0, (c.nnodes + 1) * sizeof(*c.place_of));
    /* Clusters first: also those without a host, and in the order of their names. */
    for (size_t i = 0; i < c.nnodes; i++)
        if (c.nodes[i].kind == PV_KIND_cluster)
            place_for(&c, &c.nodes[i]);
    for (size_t i = 0; i < c.nnodes; i++)
        if (c.nodes[i].kind == PV_KIND_host)
            add_host(&c, &c.nodes[i]);
    for (size_t i = 0; i < c.n; i++)
        if (c.places[i].node->kind == PV_KIND_cluster)
            take_cluster(&c.places[i]);
    rc = read_stores(&c, err);
    jsonw_array(w, "cluster_items");
    for (size_t i = 0; i < c.n && rc == PV_OK; i++)
        write_place(w, &c.places[i]);
    jsonw_end(w);
    return rc;
}
