/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How evenly a cluster's hosts are loaded, and which moves would even it out. Advice from what is stored and from the newest
 * numbers; nothing is asked of a hypervisor, and nothing is done.
 */
#include "server/api/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>
#include <polyvisor/texts.h>

#include "server/core/balance.h"
#include "server/core/metrics.h"

PV_DEFINE_AUTO(arena_free, struct arena *)

#define MOST_HOSTS 512u
#define MOST_VMS 20000u
#define MOST_LEFT_OUT 100u
#define OLD_MS (15 * 60 * 1000ll) /* numbers come every 5 minutes at least */
#define THRESHOLD_PCT 10

/* Ids of a list of references, sorted as stored. */
struct set {
    struct pv_id *ids;
    size_t n;
};

struct host {
    struct pv_id id;
    const char *name;
    bool seen;              /* the caller may see it */
    const char *why;        /* it takes no VMs: a word; NULL: it does */
    double mhz;             /* of one core */
    struct set datastores, networks;
    int64_t time_ms;        /* of its numbers; 0: none */
    size_t running;
    uint64_t vm_cpus, vm_memory_bytes;
};

struct machine {
    struct pv_id id;
    const char *name;
    bool seen;
    struct set datastores, networks;
};

struct work {
    struct req *r;
    struct arena *a;
    const char *filter;     /* of this cluster */
    struct host hosts[MOST_HOSTS];
    struct balance_host loads[MOST_HOSTS];
    size_t nhosts;
    struct machine *vms;
    struct balance_vm *moving;
    size_t nvms;
    bool too_many, seeing;  /* seeing: the list is read with the caller's eyes */
    struct balance_rule *rules;
    size_t nrules;
    unsigned cpu_pct, cpu_mhz, memory;  /* numbers of metrics */
    int64_t now, oldest;
    bool missing;           /* of a host that works */
};

/* ------------------------------------------------------------------ reading */

static unsigned metric_at(const char *name)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0)
            return (unsigned)i;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct pv_id *)a)->b, ((const struct pv_id *)b)->b, 16);
}

static struct set set_of(struct work *w, const struct model_value *refs)
{
    struct set s = { .n = refs->set ? refs->len : 0 };

    s.ids = arena_alloc(w->a, (s.n + 1) * sizeof(*s.ids));
    if (!s.ids)
        return (struct set){ .n = 0 };
    for (size_t i = 0; i < s.n; i++)
        s.ids[i] = refs->refs[i].id;
    qsort(s.ids, s.n, sizeof(*s.ids), by_id);
    return s;
}

static bool has_all(const struct set *all, const struct set *part)
{
    for (size_t i = 0; i < part->n; i++)
        if (all->n == 0 || !bsearch(&part->ids[i], all->ids, all->n, sizeof(*all->ids), by_id))
            return false;
    return true;
}

static size_t host_at(const struct work *w, const struct pv_id *id)
{
    size_t i = 0;

    while (i < w->nhosts && !id_eq(&w->hosts[i].id, id))
        i++;
    return i;
}

static int by_machine(const void *key, const void *vm)
{
    return by_id(key, &((const struct machine *)vm)->id);
}

/* Lists come in the order of ids. nvms: it is not among them. */
static size_t vm_at(const struct work *w, const struct pv_id *id)
{
    const struct machine *vm = w->nvms ? bsearch(id, w->vms, w->nvms, sizeof(*vm), by_machine) : NULL;

    return vm ? (size_t)(vm - w->vms) : w->nvms;
}

static const char *rest_of(const struct model_row *row)
{
    if (model_number(row, F(host, presence)) != PV_PRESENCE_PRESENT || model_number(row, F(host, stale)))
        return "stale";
    if (model_number(row, F(host, connection_state)) != PV_CONNECTION_STATE_CONNECTED)
        return "disconnected";
    return model_number(row, F(host, maintenance_mode)) ? "maintenance" : NULL;
}

/* What it has, and what is used of it; numbers that are old do not count. */
static void measure_host(struct work *w, const struct model_row *row, struct host *h, struct balance_host *load)
{
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];

    h->mhz = (double)model_number(row, F(host, cpu_mhz));
    load->capacity[BALANCE_CPU] = h->mhz * (double)model_number(row, F(host, cores));
    load->capacity[BALANCE_MEMORY] = (double)model_number(row, F(host, memory_bytes));
    if (core_usage(api_of(w->r)->core, PV_KIND_host, &row->id, &h->time_ms, values, have) && have[w->cpu_pct] &&
        have[w->memory] && load->capacity[BALANCE_CPU] > 0 && load->capacity[BALANCE_MEMORY] > 0) {
        load->used[BALANCE_CPU] = (double)values[w->cpu_pct] / 100 * load->capacity[BALANCE_CPU];
        load->used[BALANCE_MEMORY] = (double)values[w->memory];
        load->counts = h->why == NULL || strcmp(h->why, "maintenance") == 0;
    } else {
        h->time_ms = 0;
    }
    if (h->why)
        return;
    w->missing = w->missing || !load->counts;
    if (h->time_ms && (!w->oldest || h->time_ms < w->oldest))
        w->oldest = h->time_ms;
}

static int add_host(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct work *w = ctx;
    struct host *h = &w->hosts[w->nhosts];

    (void)err;
    if (w->seeing) {
        size_t at = host_at(w, &row->id);

        if (at < w->nhosts)
            w->hosts[at].seen = true;
        return PV_OK;
    }
    if (w->nhosts == MOST_HOSTS) {
        w->too_many = true;
        return PV_OK;
    }
    *h = (struct host){ .id = row->id, .name = arena_strdup(w->a, model_text(row, F(host, name))), .why = rest_of(row),
                        .datastores = set_of(w, model_get(row, F(host, datastores))),
                        .networks = set_of(w, model_get(row, F(host, networks))) };
    measure_host(w, row, h, &w->loads[w->nhosts]);
    w->nhosts++;
    return PV_OK;
}

static enum balance_why fixed_of(const struct model_row *row, bool measured)
{
    if (model_number(row, F(vm, presence)) != PV_PRESENCE_PRESENT || model_number(row, F(vm, stale)))
        return BALANCE_STALE;
    if (model_number(row, F(vm, activity)) != PV_ACTIVITY_NONE)
        return BALANCE_BUSY;
    return measured ? BALANCE_FREE : BALANCE_NO_USAGE;
}

static bool measure_vm(struct work *w, const struct pv_id *id, const struct host *host, uint64_t cpus,
                       struct balance_vm *out)
{
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];
    int64_t time_ms;

    if (!core_usage(api_of(w->r)->core, PV_KIND_vm, id, &time_ms, values, have) || w->now - time_ms > OLD_MS ||
        !have[w->memory] || (!have[w->cpu_mhz] && !have[w->cpu_pct]))
        return false;
    out->used[BALANCE_MEMORY] = (double)values[w->memory];
    out->used[BALANCE_CPU] = have[w->cpu_mhz] ? (double)values[w->cpu_mhz]
                                              : (double)values[w->cpu_pct] / 100 * (double)cpus * host->mhz;
    return true;
}

static int add_vm(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct work *w = ctx;
    const struct model_value *at = model_get(row, F(vm, host));
    size_t host = at->set ? host_at(w, &at->id) : w->nhosts;
    uint64_t cpus = (uint64_t)model_number(row, F(vm, cpu_count));
    struct balance_vm *m = &w->moving[w->nvms];

    (void)err;
    if (w->seeing) {
        size_t seen = vm_at(w, &row->id);

        if (seen < w->nvms)
            w->vms[seen].seen = true;
        return PV_OK;
    }
    if (host == w->nhosts)
        return PV_OK;
    if (w->nvms == MOST_VMS) {
        w->too_many = true;
        return PV_OK;
    }
    w->hosts[host].running++;
    w->hosts[host].vm_cpus += cpus;
    w->hosts[host].vm_memory_bytes += (uint64_t)model_number(row, F(vm, memory_bytes));
    *m = (struct balance_vm){ .host = host };
    m->fixed = fixed_of(row, measure_vm(w, &row->id, &w->hosts[host], cpus, m));
    w->vms[w->nvms++] = (struct machine){ .id = row->id, .name = arena_strdup(w->a, model_text(row, F(vm, name))),
                                          .datastores = set_of(w, model_get(row, F(vm, datastores))),
                                          .networks = set_of(w, model_get(row, F(vm, networks))) };
    return PV_OK;
}

static int read_all(struct work *w, enum pv_kind kind, const char *fields, const char *filter, bool with_eyes,
                    const struct pv_id *owner, store_row_fn each, struct pv_err *err)
{
    struct store_query q = { .limit = 1000, .access = with_eyes ? access_of(w->r) : NULL, .owner = owner };
    struct store_position at = { .len = 0 };
    int rc = model_shape_make(model_kind(kind), fields, MODEL_VIEW_FULL, w->a, &q.shape, err);

    if (rc == PV_OK && filter)
        rc = filter_parse(model_kind(kind), filter, w->now, w->a, &q.filter, err);
    do {
        struct store_position last = { .len = 0 };

        if (rc == PV_OK)
            rc = store_list(api_of(w->r)->store, &q, each, w, &last, err);
        at = last;
        q.after = &at;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

/* Everything counts for the load and for rules; only what the caller may see is named or moved. */
static int read_both(struct work *w, enum pv_kind kind, const char *fields, const char *filter, store_row_fn each,
                     struct pv_err *err)
{
    int rc = read_all(w, kind, fields, filter, false, NULL, each, err);

    w->seeing = true;
    if (rc == PV_OK)
        rc = read_all(w, kind, "id", filter, true, NULL, each, err);
    w->seeing = false;
    return rc;
}

static int fix_owner(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct work *w = ctx;
    bool disk = row->kind->number == PV_KIND_disk;
    size_t at = vm_at(w, &model_get(row, disk ? F(disk, owner) : F(nic, owner))->id);

    (void)err;
    if (at < w->nvms && w->moving[at].fixed == BALANCE_FREE)
        w->moving[at].fixed = BALANCE_PASSTHROUGH;
    return PV_OK;
}

static size_t *numbers(struct work *w, const struct model_value *refs, bool of_hosts, size_t *n)
{
    size_t *out = arena_alloc(w->a, ((refs->set ? refs->len : 0) + 1) * sizeof(*out));

    *n = 0;
    for (size_t i = 0; out && refs->set && i < refs->len; i++) {
        size_t at = of_hosts ? host_at(w, &refs->refs[i].id) : vm_at(w, &refs->refs[i].id);

        if (at < (of_hosts ? w->nhosts : w->nvms))
            out[(*n)++] = at;
    }
    return out;
}

static int add_rule(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct work *w = ctx;
    struct balance_rule *r = &w->rules[w->nrules];

    (void)err;
    if (!model_number(row, F(cluster_rule, enabled)) || w->nrules == 1000)
        return PV_OK;
    *r = (struct balance_rule){ .type = (enum pv_rule_type)model_number(row, F(cluster_rule, rule_type)),
                                .placement = (enum pv_rule_placement)model_number(row, F(cluster_rule, placement)) };
    r->vms = numbers(w, model_get(row, F(cluster_rule, vms)), false, &r->nvms);
    r->hosts = numbers(w, model_get(row, F(cluster_rule, hosts)), true, &r->nhosts);
    /* Hosts that are not known here would forbid all others. */
    if (r->type == PV_RULE_TYPE_VM_HOST && r->nhosts == 0)
        return PV_OK;
    w->nrules++;
    return PV_OK;
}

/* Where each VM could run. */
static bool reach(struct work *w)
{
    for (size_t v = 0; v < w->nvms; v++) {
        enum balance_why *to = arena_alloc(w->a, (w->nhosts + 1) * sizeof(*to));

        if (!to)
            return false;
        for (size_t h = 0; h < w->nhosts; h++)
            to[h] = !has_all(&w->hosts[h].datastores, &w->vms[v].datastores) ? BALANCE_STORAGE
                    : !has_all(&w->hosts[h].networks, &w->vms[v].networks)   ? BALANCE_NETWORK
                                                                             : BALANCE_FREE;
        w->moving[v].to = to;
    }
    return true;
}

static int read_cluster(struct work *w, const struct pv_id *cluster, struct pv_err *err)
{
    const char *running = arena_printf(w->a, "%s power_state:running template:false", w->filter);
    int rc;

    w->vms = arena_alloc(w->a, MOST_VMS * sizeof(*w->vms));
    w->moving = arena_alloc(w->a, MOST_VMS * sizeof(*w->moving));
    w->rules = arena_alloc(w->a, 1001 * sizeof(*w->rules));
    if (!running || !w->vms || !w->moving || !w->rules)
        return pv_fail(err, PV_ENOMEM, "no memory for what a cluster has");
    rc = read_both(w, PV_KIND_host,
                   "name,presence,stale,connection_state,maintenance_mode,hardware.cpu_mhz,hardware.cores,"
                   "hardware.memory_bytes,datastores,networks",
                   w->filter, add_host, err);
    if (rc == PV_OK)
        rc = read_both(w, PV_KIND_vm, "name,presence,stale,activity,host,cpu.count,memory.bytes,datastores,networks", running,
                       add_vm, err);
    if (rc == PV_OK)
        rc = read_all(w, PV_KIND_disk, "vm", "passthrough.mode:{physical,virtual}", false, NULL, fix_owner, err);
    if (rc == PV_OK)
        rc = read_all(w, PV_KIND_nic, "vm", "adapter:sriov", false, NULL, fix_owner, err);
    if (rc == PV_OK)
        rc = read_all(w, PV_KIND_cluster_rule, "enabled,rule_type,placement,vms,hosts", NULL, false, cluster, add_rule, err);
    if (rc == PV_OK && !reach(w))
        rc = pv_fail(err, PV_ENOMEM, "no memory for what a cluster has");
    return rc;
}

/* ------------------------------------------------------------------ writing */

static double pct(double share)
{
    return round(share * 1000) / 10;
}

static void write_spread(struct jsonw *w, const char *key, const struct balance_spread *s)
{
    static const char *const bounds[] = { "cpu", "memory" };

    jsonw_object(w, key);
    for (int b = 0; b < BALANCE_BOUNDS; b++) {
        jsonw_object(w, bounds[b]);
        jsonw_double(w, "mean_pct", pct(s->mean[b]));
        jsonw_double(w, "deviation_pct", pct(s->deviation[b]));
        jsonw_double(w, "range_pct", pct(s->range[b]));
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_ref(struct jsonw *w, const char *key, enum pv_kind kind, const struct pv_id *id, const char *name)
{
    char text[PV_ID_TEXT];

    model_id_text(kind, id, text);
    jsonw_object(w, key);
    jsonw_str(w, "id", text);
    jsonw_str(w, "name", name);
    jsonw_end(w);
}

static void write_share(struct jsonw *w, const char *key, bool known, double used, double capacity)
{
    if (known && capacity > 0)
        jsonw_double(w, key, pct(used / capacity));
    else
        jsonw_null(w, key);
}

static void write_hosts(struct jsonw *w, const struct work *k, const struct balance_out *out)
{
    jsonw_array(w, "hosts");
    for (size_t i = 0; i < k->nhosts; i++) {
        const struct host *h = &k->hosts[i];
        const struct balance_host *l = &k->loads[i];

        if (!h->seen)
            continue;
        jsonw_object(w, NULL);
        write_ref(w, "host", PV_KIND_host, &h->id, h->name);
        jsonw_str(w, "takes_none", h->why);
        write_share(w, "cpu_pct", l->counts, l->used[BALANCE_CPU], l->capacity[BALANCE_CPU]);
        write_share(w, "memory_pct", l->counts, l->used[BALANCE_MEMORY], l->capacity[BALANCE_MEMORY]);
        write_share(w, "cpu_after_pct", l->counts, out->used_after[BALANCE_CPU][i], l->capacity[BALANCE_CPU]);
        write_share(w, "memory_after_pct", l->counts, out->used_after[BALANCE_MEMORY][i], l->capacity[BALANCE_MEMORY]);
        jsonw_u64(w, "running", h->running);
        jsonw_u64(w, "vm_cpus", h->vm_cpus);
        jsonw_u64(w, "vm_memory_bytes", h->vm_memory_bytes);
        jsonw_time(w, "usage_at", h->time_ms);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_moves(struct jsonw *w, const struct work *k, const struct balance_out *out)
{
    jsonw_array(w, "moves");
    for (size_t i = 0; i < out->nmoves; i++) {
        const struct balance_move *m = &out->moves[i];
        const char *reason = arena_printf(
            k->a, m->bound == BALANCE_CPU ? "the processors of %s are used to %u percent, those of the cluster to %u percent"
                                          : "the memory of %s is used to %u percent, that of the cluster to %u percent",
            k->hosts[m->from].name, (unsigned)round(m->load * 100), (unsigned)round(m->mean * 100));

        jsonw_object(w, NULL);
        write_ref(w, "vm", PV_KIND_vm, &k->vms[m->vm].id, k->vms[m->vm].name);
        write_ref(w, "from", PV_KIND_host, &k->hosts[m->from].id, k->hosts[m->from].name);
        write_ref(w, "to", PV_KIND_host, &k->hosts[m->to].id, k->hosts[m->to].name);
        jsonw_str(w, "bound", m->bound == BALANCE_CPU ? "cpu" : "memory");
        jsonw_str(w, "reason", reason);
        texts_write(w, "reason_text", reason);
        write_spread(w, "after", &m->after);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_left_out(struct jsonw *w, const struct work *k, const struct balance_out *out)
{
    size_t n = 0;

    jsonw_array(w, "left_out");
    for (size_t v = 0; v < k->nvms; v++) {
        const struct machine *vm = &k->vms[v];

        if (out->left_out[v] == BALANCE_FREE || !vm->seen || n++ >= MOST_LEFT_OUT)
            continue;
        jsonw_object(w, NULL);
        write_ref(w, "vm", PV_KIND_vm, &vm->id, vm->name);
        write_ref(w, "host", PV_KIND_host, &k->hosts[k->moving[v].host].id,
                  k->hosts[k->moving[v].host].seen ? k->hosts[k->moving[v].host].name : NULL);
        jsonw_str(w, "why", balance_why_text(out->left_out[v]));
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_u64(w, "left_out_count", n);
}

/* ------------------------------------------------------------------ the answer */

/* Why there is no advice; NULL: there is. */
static const char *obstacle(const struct work *w)
{
    size_t working = 0;

    for (size_t i = 0; i < w->nhosts; i++)
        working += w->hosts[i].why == NULL;
    if (w->too_many)
        return "too_large";
    if (working == 0)
        return "no_hosts";
    if (w->missing)
        return "usage_missing";
    return w->now - w->oldest > OLD_MS ? "usage_old" : working == 1 ? "one_host" : NULL;
}

/* The caller's eyes bound what is advised; what they do not see stays where it is. */
static void hide(struct work *w)
{
    for (size_t i = 0; i < w->nhosts; i++)
        w->loads[i].takes = w->hosts[i].seen && !w->hosts[i].why;
    for (size_t v = 0; v < w->nvms; v++)
        if (!w->vms[v].seen || !w->hosts[w->moving[v].host].seen)
            w->moving[v].fixed = BALANCE_STALE;
}

static int plan(struct work *w, int64_t threshold, const char *why, struct balance_out *out, struct pv_err *err)
{
    struct balance_in in = { .hosts = w->loads, .nhosts = w->nhosts, .vms = w->moving, .nvms = w->nvms, .rules = w->rules,
                             .nrules = w->nrules, .threshold = (double)threshold / 100 };

    out->left_out = arena_alloc(w->a, (w->nvms + 1) * sizeof(*out->left_out));
    for (int b = 0; b < BALANCE_BOUNDS; b++)
        out->used_after[b] = arena_alloc(w->a, (w->nhosts + 1) * sizeof(double));
    if (why)
        in.threshold = HUGE_VAL;    /* how it is, and no advice */
    return out->left_out && out->used_after[BALANCE_CPU] && out->used_after[BALANCE_MEMORY] && balance_plan(&in, out)
               ? PV_OK
               : pv_fail(err, PV_ENOMEM, "no memory for advice on moves");
}

static void answer(const struct work *w, const struct model_row *cluster, uint64_t threshold, const char *why,
                   const struct balance_out *out, struct jsonw *j)
{
    jsonw_object(j, NULL);
    write_ref(j, "cluster", PV_KIND_cluster, &cluster->id, model_text(cluster, F(cluster, name)));
    jsonw_str(j, "no_advice", why);
    jsonw_bool(j, "by_itself", model_number(cluster, F(cluster, drs_mode)) == PV_DRS_MODE_FULL ||
                                   model_number(cluster, F(cluster, auto_balance)) == PV_AUTO_BALANCE_ALWAYS);
    jsonw_u64(j, "threshold_pct", threshold);
    if (why)
        jsonw_null(j, "balanced");
    else
        jsonw_bool(j, "balanced", out->balanced);
    jsonw_time(j, "usage_at", w->oldest);
    write_spread(j, "now", &out->now);
    write_spread(j, "after", &out->after);
    write_hosts(j, w, out);
    write_moves(j, w, out);
    write_left_out(j, w, out);
    jsonw_end(j);
}

static int gather(struct work *w, struct model_row **cluster, struct pv_err *err)
{
    const struct model_shape *shape;
    char text[PV_ID_TEXT];
    struct pv_id id;
    int rc = object_resolve(w->r, model_kind(PV_KIND_cluster), req_param(w->r, "id"), &id, err);

    if (rc == PV_OK)
        rc = model_shape_make(model_kind(PV_KIND_cluster), "name,drs_mode,failover.auto_balance", MODEL_VIEW_FULL, w->a,
                              &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(w->r)->store, shape, &id, w->a, cluster, err);
    if (rc != PV_OK)
        return rc;
    model_id_text(PV_KIND_cluster, &id, text);
    w->filter = arena_printf(w->a, "cluster:%s", text);
    rc = w->filter ? read_cluster(w, &id, err) : pv_fail(err, PV_ENOMEM, "no memory for a cluster");
    if (rc == PV_OK)
        hide(w);
    return rc;
}

static int work_init(struct work **out, struct req *r, struct arena *arena, struct pv_err *err)
{
    struct work *w = arena ? arena_alloc(arena, sizeof(*w)) : NULL;

    if (!w)
        return pv_fail(err, PV_ENOMEM, "no memory for a cluster");
    memset(w, 0, sizeof(*w));
    w->r = r;
    w->a = arena;
    w->now = clock_wall_ms();
    w->cpu_pct = metric_at("cpu.usage_pct");
    w->cpu_mhz = metric_at("cpu.usage_mhz");
    w->memory = metric_at("mem.usage_bytes");
    *out = w;
    return PV_OK;
}

static enum req_result balance(struct req *r)
{
    PV_AUTO(arena_free_p) struct arena *arena = arena_new(1u << 16, 256u << 20);
    struct balance_out out = { .nmoves = 0 };
    struct model_row *cluster = NULL;
    uint64_t threshold = THRESHOLD_PCT;
    struct pv_err err = { 0 };
    struct work *w = NULL;

    if (work_init(&w, r, arena, &err) != PV_OK || query_u64(r, "threshold_pct", 1, 100, &threshold, &err) != PV_OK ||
        gather(w, &cluster, &err) != PV_OK || plan(w, (int64_t)threshold, obstacle(w), &out, &err) != PV_OK)
        return reply_problem(r, &err);
    answer(w, cluster, threshold, obstacle(w), &out, reply_json(r, 200));
    return reply_send(r);
}

static const struct model_param balance_query[] = {
    { .name = "threshold_pct", .type = PARAM_INT, .min = 1, .max = 100,
      .doc = "Hosts may be so far above the mean, in percent of their size; 10 unless given." },
    { 0 },
};

const struct route balance_routes[] = {
    { .method = "GET", .pattern = API_BASE "/clusters/{id}/balance", .permission = PERM_HOST_READ, .handler = balance,
      .answer = ANSWER_JSON, .schema = "Balance", .query = balance_query, .statuses = "404",
      .doc = "How evenly the hosts of a cluster are loaded, and moves that would even it out. Advice: nothing is moved." },
    { 0 },
};
