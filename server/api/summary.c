/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dashboard in one request. Counts are kept until something changes (tally.c, overview.c), lists are short, and the
 * whole answer is kept for a moment: a hundred open pages cost as much as one.
 */
#include "server/api/summary_parts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include <openssl/sha.h>

#include <polyvisor/str.h>
#include <polyvisor/texts.h>

#define TOP 10              /* of what uses most, is oldest, was last */
#define TOP_PAGE 200        /* the greatest users, looked at in pages by those who do not see all */
#define TOP_PAGES 10
#define MOST_HOSTS 4000     /* on the health map */
#define MOST_DATASTORES 200
#define FRESH_MS 1000       /* an answer this young is good enough although something has changed */
#define KEEP_MS 5000        /* numbers of use change without an event */
#define SHARE 20            /* making answers takes at most one part in so many of the time */
#define DAY_MS (24 * 3600 * 1000LL)
#define BODY_MAX (8u << 20)

struct summary_cache {
    pthread_mutex_t lock;
    struct buf body;        /* guarded by lock: the answer without its last members */
    char etag[32];          /* guarded by lock */
    uint64_t changes;       /* guarded by lock */
    int64_t made_ms, took_ms;   /* guarded by lock; monotonic, 0: never */
};


/* Counts of one field over all providers, as {value: count}. */
static int write_split(struct req *r, struct jsonw *w, const char *key, enum pv_kind kind, unsigned field, struct pv_err *err)
{
    const struct model_field *f = &model_kind(kind)->fields[field];
    struct store_tally *rows;
    uint64_t by[32] = { 0 }, total = 0;
    size_t n;
    int rc = tally_get(r, kind, (uint16_t)field, false, &rows, &n, err);

    if (rc != PV_OK)
        return rc;
    for (size_t i = 0; i < n; i++) {
        total += rows[i].count;
        if (rows[i].value >= 0 && rows[i].value < 32)
            by[rows[i].value] += rows[i].count;
    }
    jsonw_object(w, key);
    jsonw_u64(w, "total", total);
    jsonw_object(w, f->path);
    for (size_t i = 0; i < model_enum_count(f->enum_id) && i < 32; i++)
        jsonw_u64(w, model_enum_text(f->enum_id, (int64_t)i), by[i]);
    jsonw_end(w);
    jsonw_end(w);
    return PV_OK;
}

static int write_sum(struct req *r, struct jsonw *w, const char *key, enum pv_kind kind, unsigned field, struct pv_err *err)
{
    struct store_tally *rows;
    uint64_t sum = 0;
    size_t n;
    int rc = tally_get(r, kind, (uint16_t)field, true, &rows, &n, err);

    for (size_t i = 0; rc == PV_OK && i < n; i++)
        sum += (uint64_t)rows[i].value;
    if (rc == PV_OK)
        jsonw_u64(w, key, sum);
    return rc;
}

static void write_words(struct jsonw *w, const char *key, enum pv_enum_id words, const uint64_t *by, size_t most)
{
    jsonw_object(w, key);
    for (size_t i = 0; i < model_enum_count(words) && i < most; i++)
        jsonw_u64(w, model_enum_text(words, (int64_t)i), by[i]);
    jsonw_end(w);
}

/* VMs come from the overview's one pass over them. */
static void write_vms(struct jsonw *w, const struct overview_totals *t)
{
    jsonw_object(w, "vms");
    jsonw_u64(w, "total", t->vms);
    write_words(w, "power_state", PV_ENUM_power_state, t->by_power, PV_COUNT(t->by_power));
    jsonw_end(w);
    jsonw_object(w, "vm_health");
    jsonw_u64(w, "total", t->vms);
    write_words(w, "health", PV_ENUM_health, t->by_health, PV_COUNT(t->by_health));
    jsonw_end(w);
    write_words(w, "vms_by_family", PV_ENUM_family, t->by_family, PV_COUNT(t->by_family));
}

/* ------------------------------------------------------------------ lists */

void summary_open_ref(struct jsonw *w, enum pv_kind kind, const struct pv_id *id, const char *name)
{
    char text[PV_ID_TEXT];

    model_id_text(kind, id, text);
    jsonw_object(w, NULL);
    jsonw_str(w, "id", text);
    jsonw_str(w, "name", name);
}

void summary_member_ref(struct jsonw *w, const char *key, const struct overview_node *node)
{
    char text[PV_ID_TEXT];

    if (!node) {
        jsonw_null(w, key);
        return;
    }
    model_id_text(node->kind, &node->id, text);
    jsonw_object(w, key);
    jsonw_str(w, "id", text);
    jsonw_str(w, "name", node->name);
    jsonw_end(w);
}

static unsigned metric_at(const char *name)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);

    for (unsigned i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0)
            return i;
    return 0;
}

struct host_use summary_host_use(struct req *r, const struct overview_node *host)
{
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];
    int64_t time_ms;
    unsigned cpu = metric_at("cpu.usage_pct"), memory = metric_at("mem.usage_bytes");

    if (!core_usage(api_of(r)->core, PV_KIND_host, &host->id, &time_ms, values, have))
        return (struct host_use){ .has_cpu = false };
    return (struct host_use){ have[cpu], have[memory], values[cpu], values[memory] };
}

static void write_pct(struct jsonw *w, const char *key, bool known, uint64_t part, uint64_t whole)
{
    if (known && whole > 0)
        jsonw_u64(w, key, part * 100 / whole);
    else
        jsonw_null(w, key);
}

static void write_providers(struct req *r, struct jsonw *w, const struct overview *o)
{
    struct core_provider_health *list;
    struct pv_err err = { 0 };
    size_t n = 0;

    jsonw_array(w, "provider_items");
    if (core_providers_health(api_of(r)->core, r->arena, &list, &n, &err) != PV_OK)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct overview_node *node = overview_find(o, &list[i].id);

        if (!node)
            continue;
        summary_open_ref(w, PV_KIND_provider, &list[i].id, list[i].name);
        jsonw_str(w, "driver", list[i].driver);
        jsonw_str(w, "family", model_enum_text(PV_ENUM_family, list[i].family));
        jsonw_bool(w, "simulated", node->simulated);
        jsonw_str(w, "state", model_enum_text(PV_ENUM_provider_state, list[i].state));
        jsonw_str(w, "reason", list[i].reason[0] ? list[i].reason : NULL);
        texts_write(w, "reason_text", list[i].reason);
        jsonw_time(w, "confirmed_at", list[i].confirmed_ms);
        jsonw_u64(w, "hosts", node->hosts);
        jsonw_u64(w, "vms", node->vms);
        jsonw_u64(w, "running", node->running);
        jsonw_str(w, "worst_health", model_enum_text(PV_ENUM_health, node->worst));
        jsonw_end(w);
    }
    jsonw_end(w);
}

/* The health map. */
static void write_hosts(struct req *r, struct jsonw *w, const struct overview *o)
{
    const struct overview_node *nodes;
    size_t n, written = 0, hosts = 0;

    nodes = overview_nodes(o, &n);
    jsonw_array(w, "host_items");
    for (size_t i = 0; i < n; i++) {
        const struct overview_node *node = &nodes[i];
        struct host_use use;

        if (node->kind != PV_KIND_host || hosts++ >= MOST_HOSTS)
            continue;
        written++;
        use = summary_host_use(r, node);
        summary_open_ref(w, node->kind, &node->id, node->name);
        summary_member_ref(w, "provider", node->provider);
        summary_member_ref(w, "cluster", node->parent && node->parent->kind == PV_KIND_cluster ? node->parent : NULL);
        jsonw_str(w, "state", model_enum_text(PV_ENUM_connection_state, node->state));
        jsonw_bool(w, "maintenance", node->maintenance);
        jsonw_str(w, "health", model_enum_text(PV_ENUM_health, node->health));
        jsonw_str(w, "worst_health", model_enum_text(PV_ENUM_health, node->worst));
        jsonw_u64(w, "memory_bytes", node->memory_bytes);
        write_pct(w, "cpu_pct", use.has_cpu, use.cpu_pct, 100);
        write_pct(w, "memory_pct", use.has_memory, use.memory_bytes, node->memory_bytes);
        jsonw_u64(w, "vms", node->vms);
        jsonw_u64(w, "running", node->running);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_bool(w, "host_items_cut", hosts > written);
}

/* ------------------------------------------------------------------ rows of lists */

struct rows {
    struct req *r;
    struct jsonw *w;
    const struct model_shape *shape;
};

static int write_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct rows *l = ctx;

    (void)err;
    model_write_json(l->w, NULL, l->shape, row);
    return PV_OK;
}

/* The first few of a list, as its own address would answer them. */
static int write_list(struct req *r, struct jsonw *w, const char *key, enum pv_kind kind, const char *fields,
                      const char *filter, unsigned sort, bool descending, unsigned limit, struct pv_err *err)
{
    struct store_sort by = { .field = (uint16_t)sort, .descending = descending };
    struct store_query q = { .limit = limit, .sort = &by, .nsort = 1, .access = access_of(r) };
    struct rows l = { .r = r, .w = w };
    int rc = model_shape_make(model_kind(kind), fields, MODEL_VIEW_SUMMARY, r->arena, &q.shape, err);

    if (rc == PV_OK)
        rc = shape_guard(r, &q.shape, err);
    if (rc == PV_OK)
        rc = filter_parse(model_kind(kind), filter, clock_wall_ms(), r->arena, &q.filter, err);
    if (rc != PV_OK)
        return rc;
    l.shape = q.shape;
    jsonw_array(w, key);
    rc = store_list(api_of(r)->store, &q, write_row, &l, NULL, err);
    jsonw_end(w);
    return rc;
}

static int write_count(struct req *r, struct jsonw *w, const char *key, enum pv_kind kind, const char *filter,
                       struct pv_err *err)
{
    struct store_query q = { .limit = 1, .access = access_of(r) };
    uint64_t count = 0;
    int rc = model_shape_make(model_kind(kind), "id", MODEL_VIEW_SUMMARY, r->arena, &q.shape, err);

    if (rc == PV_OK)
        rc = filter_parse(model_kind(kind), filter, clock_wall_ms(), r->arena, &q.filter, err);
    if (rc == PV_OK)
        rc = store_count(api_of(r)->store, &q, &count, err);
    if (rc == PV_OK)
        jsonw_u64(w, key, count);
    return rc;
}

/* ------------------------------------------------------------------ who uses most */

struct top_writer {
    struct rows rows;
    const struct core_top *top;
    size_t n, written;
};

static int write_top_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct top_writer *t = ctx;

    (void)err;
    for (size_t i = 0; i < t->n && t->written < TOP; i++) {
        if (!id_eq(&t->top[i].id, &row->id))
            continue;
        jsonw_object(t->rows.w, NULL);
        model_write_members(t->rows.w, t->rows.shape, row);
        jsonw_u64(t->rows.w, "value", t->top[i].value);
        jsonw_end(t->rows.w);
        t->written++;
        break;
    }
    return PV_OK;
}

/* Who sees a part of the estate gets the first ten of what he sees, so more of the greatest are looked at. */
static int write_top(struct req *r, struct jsonw *w, const char *key, const char *metric, struct pv_err *err)
{
    struct top_writer t = { .rows = { .r = r, .w = w } };
    struct store_query q = { .access = access_of(r) };
    struct core_top *top;
    struct pv_id ids[TOP_PAGE];
    size_t n, page = q.access ? TOP_PAGE : TOP;
    int rc = core_usage_top(api_of(r)->core, PV_KIND_vm, metric_at(metric), q.access ? TOP_PAGES * TOP_PAGE : TOP,
                            r->arena, &top, &n, err);

    if (rc == PV_OK)
        rc = model_shape_make(model_kind(PV_KIND_vm), "id,name,provider,host", MODEL_VIEW_SUMMARY, r->arena, &q.shape, err);
    if (rc == PV_OK)
        rc = shape_guard(r, &q.shape, err);
    if (rc != PV_OK)
        return rc;
    t.rows.shape = q.shape;
    q.ids = ids;
    jsonw_array(w, key);
    for (size_t at = 0; at < n && t.written < TOP && rc == PV_OK; at += t.n) {
        t.top = top + at;
        t.n = n - at < page ? n - at : page;
        for (size_t i = 0; i < t.n; i++)
            ids[i] = t.top[i].id;
        q.nids = t.n;
        q.limit = (unsigned)t.n;
        rc = store_list(api_of(r)->store, &q, write_top_row, &t, NULL, err);
    }
    jsonw_end(w);
    return rc;
}

/* ------------------------------------------------------------------ all of it */

static int write_counts(struct req *r, struct jsonw *w, const struct overview *o, struct pv_err *err)
{
    static const struct {
        const char *key;
        enum pv_kind kind;
        unsigned field;
    } splits[] = {
        { "providers", PV_KIND_provider, F(provider, state) },
        { "hosts", PV_KIND_host, F(host, connection_state) },
        { "clusters", PV_KIND_cluster, F(cluster, health) },
        { "datastores", PV_KIND_datastore, F(datastore, health) },
        { "networks", PV_KIND_network, F(network, health) },
    };
    static const struct {
        const char *key;
        enum pv_kind kind;
        unsigned field;
    } sums[] = {
        { "host_memory_bytes", PV_KIND_host, F(host, memory_bytes) },
        { "host_cores", PV_KIND_host, F(host, cores) },
        { "datastore_capacity_bytes", PV_KIND_datastore, F(datastore, capacity_bytes) },
        { "datastore_free_bytes", PV_KIND_datastore, F(datastore, free_bytes) },
    };
    int rc = PV_OK;

    for (size_t i = 0; i < PV_COUNT(splits) && rc == PV_OK; i++)
        rc = write_split(r, w, splits[i].key, splits[i].kind, splits[i].field, err);
    write_vms(w, overview_totals(o));
    jsonw_object(w, "capacity");
    jsonw_u64(w, "vm_memory_bytes", overview_totals(o)->memory_bytes);
    jsonw_u64(w, "vm_cpus", overview_totals(o)->cpus);
    for (size_t i = 0; i < PV_COUNT(sums) && rc == PV_OK; i++)
        rc = write_sum(r, w, sums[i].key, sums[i].kind, sums[i].field, err);
    jsonw_end(w);
    return rc;
}

static int write_work(struct req *r, struct jsonw *w, struct pv_err *err)
{
    struct core_stats stats;
    int rc;

    core_get_stats(api_of(r)->core, &stats);
    jsonw_object(w, "tasks");
    jsonw_u64(w, "open", stats.tasks_open);
    jsonw_u64(w, "waiting", stats.tasks_waiting);
    jsonw_u64(w, "running", stats.tasks_running);
    rc = write_count(r, w, "failed_24h", PV_KIND_task, "state:{failed,lost} finished_at>now-24h", err);
    jsonw_end(w);
    jsonw_object(w, "alerts");
    if (rc == PV_OK)
        rc = write_count(r, w, "firing", PV_KIND_alert, "state:firing", err);
    if (rc == PV_OK)
        rc = write_count(r, w, "acknowledged", PV_KIND_alert, "state:acknowledged", err);
    if (rc == PV_OK)
        rc = write_count(r, w, "errors", PV_KIND_alert, "state:firing severity:error", err);
    if (rc == PV_OK)
        rc = write_count(r, w, "warnings", PV_KIND_alert, "state:firing severity:warning", err);
    if (rc == PV_OK)
        rc = write_count(r, w, "infos", PV_KIND_alert, "state:firing severity:info", err);
    jsonw_end(w);
    if (rc == PV_OK)
        rc = write_list(r, w, "alert_items", PV_KIND_alert, "id,state,severity,message,builtin,ref,provider,rule,fired_at,owner",
                        "state:firing", F(alert, fired_at), true, TOP, err);
    if (rc == PV_OK)
        rc = write_list(r, w, "recent_failures", PV_KIND_task, "id,action,subjects,provider,actor.name,finished_at,error",
                        "state:{failed,lost} finished_at>now-24h", F(task, finished_at), true, TOP, err);
    if (rc == PV_OK)
        rc = write_list(r, w, "recent_changes", PV_KIND_event, "seq,time,type,severity,ref,provider,actor,message,changes",
                        "", F(event, seq), true, 2 * TOP, err);
    return rc;
}

static int write_hot_spots(struct req *r, struct jsonw *w, struct pv_err *err)
{
    static const struct {
        const char *key, *metric;
    } tops[] = { { "cpu", "cpu.usage_pct" }, { "memory", "mem.usage_bytes" }, { "disk_latency", "disk.latency_ms" },
                 { "network", "net.rx_bps" } };
    int rc = PV_OK;

    jsonw_object(w, "top");
    for (size_t i = 0; i < PV_COUNT(tops) && rc == PV_OK; i++)
        rc = write_top(r, w, tops[i].key, tops[i].metric, err);
    jsonw_end(w);
    if (rc == PV_OK)
        rc = write_list(r, w, "oldest_snapshots", PV_KIND_snapshot, "id,name,vm,provider,taken_at,size_bytes",
                        "-taken_at:null", F(snapshot, taken_at), false, TOP, err);
    if (rc == PV_OK)
        rc = write_list(r, w, "datastore_items", PV_KIND_datastore,
                        "id,name,provider,datastore_type,capacity_bytes,free_bytes,provisioned_bytes,health,accessible", "",
                        F(datastore, free_bytes), false, MOST_DATASTORES, err);
    return rc;
}

static int write_all(struct req *r, struct jsonw *w, struct pv_err *err)
{
    struct overview *o = NULL;
    int rc = overview_get(r, &o, err);

    if (rc != PV_OK)
        return rc;
    rc = write_counts(r, w, o, err);
    write_providers(r, w, o);
    if (rc == PV_OK)
        rc = capacity_write(r, w, o, err);
    write_hosts(r, w, o);
    overview_put(o);
    if (rc == PV_OK)
        rc = write_work(r, w, err);
    return rc == PV_OK ? write_hot_spots(r, w, err) : rc;
}

/* ------------------------------------------------------------------ keeping it */

int summary_start(struct api *a, struct pv_err *err)
{
    a->summaries = calloc(1, sizeof(*a->summaries));
    if (!a->summaries)
        return pv_fail(err, PV_ENOMEM, "no memory for summaries");
    pthread_mutex_init(&a->summaries->lock, NULL);
    buf_init(&a->summaries->body, BODY_MAX);
    return PV_OK;
}

void summary_stop(struct api *a)
{
    if (!a->summaries)
        return;
    buf_free(&a->summaries->body);
    pthread_mutex_destroy(&a->summaries->lock);
    free(a->summaries);
    a->summaries = NULL;
}

static uint64_t changes_now(struct api *a)
{
    uint64_t sum = 0;

    for (size_t i = 0; model_kind_at(i); i++)
        if (!(model_kind_at(i)->flags & MODEL_MEMORY) && model_kind_at(i)->number != PV_KIND_audit)
            sum += store_kind_changes(a->store, model_kind_at(i)->number);
    return sum;
}

/* Members without the braces, and what tells whether they are others than before. */
static int render(struct req *r, struct buf *out, char etag[32], struct pv_err *err)
{
    uint8_t hash[SHA256_DIGEST_LENGTH];
    char text[17];
    struct jsonw w;
    int rc;

    buf_reset(out);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    rc = write_all(r, &w, err);
    if (rc == PV_OK && !buf_ok(out))
        rc = pv_fail(err, PV_ENOMEM, "the summary is too long");
    if (rc != PV_OK)
        return rc;
    SHA256((const uint8_t *)out->data, out->len, hash);
    str_hex(hash, 8, text);
    snprintf(etag, 32, "W/\"sum-%s\"", text);
    return PV_OK;
}

static enum req_result send(struct req *r, const struct buf *body, const char *etag)
{
    const char *known = req_header(r, "If-None-Match");
    char time[CLOCK_TEXT_LEN];
    struct buf *out;

    reply_header(r, "ETag", etag);
    if (known && strstr(known, etag))
        return reply_empty(r, 304);
    clock_text(clock_wall_ms(), time);
    out = reply_body(r, 200, "application/json");
    buf_append(out, body->data, body->len);
    buf_printf(out, ",\"as_of\":\"%s\",\"event_seq\":%" PRIu64 "}", time, core_event_seq(api_of(r)->core));
    return reply_send(r);
}

/* Seen through the eyes of one caller: made for him alone. */
static enum req_result own_summary(struct req *r)
{
    struct pv_err err = { 0 };
    char etag[32];
    struct buf body;
    enum req_result result;

    buf_init(&body, BODY_MAX);
    result = render(r, &body, etag, &err) == PV_OK ? send(r, &body, etag) : reply_problem(r, &err);
    buf_free(&body);
    return result;
}

/* Whoever may read a part of the estate sees that part. */
static int need_some(struct req *r, struct pv_err *err)
{
    static const int some[] = { PERM_HOST_READ, PERM_DATASTORE_READ, PERM_NETWORK_READ,
                                PERM_PROVIDER_READ };

    for (size_t i = 0; i < PV_COUNT(some); i++)
        if (access_anywhere(r->caller.access, some[i]))
            return PV_OK;
    return need_anywhere(r, PERM_VM_READ, err);
}

static enum req_result summary(struct req *r)
{
    struct summary_cache *c = api_of(r)->summaries;
    uint64_t changes = changes_now(api_of(r));
    struct pv_err err = { 0 };
    enum req_result result;
    int64_t age;
    int rc = PV_OK;

    if (need_some(r, &err) != PV_OK)
        return reply_problem(r, &err);
    if (access_of(r))
        return own_summary(r);
    pthread_mutex_lock(&c->lock);
    age = clock_mono_ms() - c->made_ms;
    if (c->made_ms == 0 ||
        (age >= SHARE * c->took_ms && (age >= KEEP_MS || (age >= FRESH_MS && changes != c->changes)))) {
        int64_t began = clock_mono_ms();

        rc = render(r, &c->body, c->etag, &err);
        c->made_ms = rc == PV_OK ? clock_mono_ms() : 0;
        c->took_ms = clock_mono_ms() - began;
        c->changes = changes;
    }
    result = rc == PV_OK ? send(r, &c->body, c->etag) : reply_problem(r, &err);
    pthread_mutex_unlock(&c->lock);
    return result;
}

const struct route summary_routes[] = {
    { .method = "GET", .pattern = API_BASE "/summary", .permission = PERM_NONE, .handler = summary,
      .answer = ANSWER_JSON, .flags = ROUTE_ETAG, .schema = "Summary", .doc = "All that a dashboard shows." },
    { 0 },
};
