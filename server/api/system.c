/* SPDX-License-Identifier: Apache-2.0 */
/* The entry document, version, problem texts; search, tree and summary over the whole inventory. */
#include "server/api/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

static enum req_result entry(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_str(w, "name", "Polyvisor");
    jsonw_str(w, "version", PV_VERSION);
    jsonw_str(w, "openapi", API_BASE "/openapi.json");
    jsonw_object(w, "collections");
    for (size_t i = 0; model_kind_at(i); i++)
        if (!(model_kind_at(i)->flags & MODEL_MEMORY))
            jsonw_strf(w, model_kind_at(i)->plural, API_BASE "/%s", model_kind_at(i)->plural);
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result version(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_str(w, "version", PV_VERSION);
    jsonw_str(w, "api", "v1");
    jsonw_time(w, "started_at", api_of(r)->started_ms);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result openapi(struct req *r)
{
    struct api *a = api_of(r);

    buf_append(reply_body(r, 200, "application/json"), a->openapi.data, a->openapi.len);
    return reply_send(r);
}

static void write_problem(struct jsonw *w, const struct pv_problem *p)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "code", p->code);
    jsonw_strf(w, "type", API_BASE "/problems/%s", p->code);
    jsonw_i64(w, "status", p->status);
    jsonw_str(w, "title", p->title);
    jsonw_str(w, "remedy", p->remedy);
    jsonw_end(w);
}

static enum req_result problems(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (const struct pv_problem *p = pv_problems(); p->code; p++)
        write_problem(w, p);
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result problem(struct req *r)
{
    const struct pv_problem *p = pv_problem_find(req_param(r, "code"));
    struct pv_err err = { 0 };

    if (!p) {
        pv_fail(&err, PV_ENOENT, "there is no problem \"%.64s\"", req_param(r, "code"));
        return reply_problem(r, &err);
    }
    write_problem(reply_json(r, 200), p);
    return reply_send(r);
}

/* ------------------------------------------------------------------ search */

static enum req_result search(struct req *r)
{
    enum pv_kind kinds[PV_KIND_MAX];
    struct store_hit *hits;
    struct pv_err err = { 0 };
    const char *q = req_query(r, "q");
    uint64_t limit = 20;
    size_t nkinds = 0, n = 0;
    struct jsonw *w;

    if (!q || !*q || strlen(q) > 256 || !str_utf8_ok(q, strlen(q), false)) {
        pv_fail_as(&err, "invalid-request", "q: up to 256 characters to look for");
        pv_err_pointer(&err, "q");
        return reply_problem(r, &err);
    }
    if (query_u64(r, "limit", 1, 100, &limit, &err) != PV_OK)
        return reply_problem(r, &err);
    /* Only kinds the caller may read; there is nothing to find in the others. */
    for (size_t i = 0; model_kind_at(i); i++)
        if (model_role_may(r->caller.role, model_kind_at(i)->permission) &&
            ((model_kind_at(i)->flags & MODEL_SYNCED) || model_kind_at(i)->number == PV_KIND_provider ||
             model_kind_at(i)->number == PV_KIND_folder))
            kinds[nkinds++] = model_kind_at(i)->number;
    if (store_search(api_of(r)->store, q, kinds, nkinds, NULL, (size_t)limit, r->arena, &hits, &n, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (size_t i = 0; i < n; i++) {
        const struct model_provider *p = core_provider_ref(api_of(r)->core, &hits[i].provider, r->arena);
        char id[PV_ID_TEXT];

        model_id_text(hits[i].kind, &hits[i].id, id);
        jsonw_object(w, NULL);
        jsonw_str(w, "kind", model_kind(hits[i].kind)->name);
        jsonw_str(w, "id", id);
        jsonw_str(w, "name", hits[i].name);
        jsonw_str(w, "matched", hits[i].matched);
        jsonw_str(w, "provider", p ? p->name : NULL);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ tree: provider > datacenter > cluster > host > vm */

struct branch {
    struct req *r;
    struct jsonw *w;
    enum pv_kind kind;
    struct pv_err *err;
};

/* Which kinds stand below a node, and by which field they point to it. */
static const struct below {
    enum pv_kind parent, kind;
    const char *field;
    const char *without;    /* filter that keeps out what stands deeper in the tree */
} belows[] = {
    { PV_KIND_provider, PV_KIND_datacenter, "provider", NULL },
    { PV_KIND_provider, PV_KIND_cluster, "provider", "datacenter=null" },
    { PV_KIND_provider, PV_KIND_host, "provider", "datacenter=null cluster=null" },
    { PV_KIND_datacenter, PV_KIND_cluster, "datacenter", NULL },
    { PV_KIND_datacenter, PV_KIND_host, "datacenter", "cluster=null" },
    { PV_KIND_cluster, PV_KIND_host, "cluster", NULL },
    { PV_KIND_host, PV_KIND_vm, "host", NULL },
};

/* VMs below a node and the worst health among them. */
static int write_below_counts(struct branch *b, const struct model_row *row, struct pv_err *err)
{
    const struct model_kind *vm = model_kind(PV_KIND_vm);
    struct store_query q = { .limit = 1 };
    const struct filter *here;
    const char *name = row->kind->name;
    char id[PV_ID_TEXT];
    uint64_t vms, critical, warning;
    int rc;

    if (row->kind->number == PV_KIND_vm || !model_field(vm, name, strlen(name)))
        return PV_OK;
    model_id_text(row->kind->number, &row->id, id);
    rc = model_shape_make(vm, "name", MODEL_VIEW_SUMMARY, b->r->arena, &q.shape, err);
    if (rc == PV_OK)
        rc = filter_equals(vm, name, id, 0, b->r->arena, &q.filter, err);
    if (rc == PV_OK)
        rc = store_count(api_of(b->r)->store, &q, &vms, err);
    here = q.filter;
    if (rc == PV_OK)
        rc = filter_equals(vm, "health", "critical", 0, b->r->arena, &q.filter, err);
    q.filter = filter_and(b->r->arena, here, q.filter);
    if (rc == PV_OK)
        rc = store_count(api_of(b->r)->store, &q, &critical, err);
    if (rc == PV_OK)
        rc = filter_equals(vm, "health", "warning", 0, b->r->arena, &q.filter, err);
    q.filter = filter_and(b->r->arena, here, q.filter);
    if (rc == PV_OK)
        rc = store_count(api_of(b->r)->store, &q, &warning, err);
    if (rc != PV_OK)
        return rc;
    jsonw_u64(b->w, "vms", vms);
    jsonw_str(b->w, "worst_health", critical ? "critical" : warning ? "warning" : "ok");
    return PV_OK;
}

static int write_node(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct branch *b = ctx;
    const struct model_field *health = model_field(row->kind, "health", 6);
    const struct model_field *power = model_field(row->kind, "power_state", 11);
    const struct model_field *state = model_field(row->kind, "state", 5);
    bool expands = false;
    char id[PV_ID_TEXT];
    int rc;

    for (size_t i = 0; i < PV_COUNT(belows); i++)
        expands = expands || belows[i].parent == row->kind->number;
    model_id_text(row->kind->number, &row->id, id);
    jsonw_object(b->w, NULL);
    jsonw_str(b->w, "id", id);
    jsonw_str(b->w, "kind", row->kind->name);
    jsonw_str(b->w, "name", model_text(row, model_field(row->kind, "name", 4)->index));
    if (health)
        jsonw_str(b->w, "health", model_enum_text(PV_ENUM_health, model_number(row, health->index)));
    if (power)
        jsonw_str(b->w, "power_state", model_enum_text(power->enum_id, model_number(row, power->index)));
    if (state)
        jsonw_str(b->w, "state", model_enum_text(state->enum_id, model_number(row, state->index)));
    jsonw_bool(b->w, "expands", expands);
    rc = write_below_counts(b, row, err);
    jsonw_end(b->w);
    return rc;
}

static int write_branch(struct branch *b, enum pv_kind kind, const struct below *below, const char *parent, struct pv_err *err)
{
    struct store_sort by_name = { 0 };
    struct store_query q = { .limit = 1000, .sort = &by_name, .nsort = 1 };
    const struct filter *without = NULL;
    int rc = model_shape_make(model_kind(kind), NULL, MODEL_VIEW_SUMMARY, b->r->arena, &q.shape, err);

    by_name.field = model_field(model_kind(kind), "name", 4)->index;
    if (rc == PV_OK && below)
        rc = filter_equals(model_kind(kind), below->field, parent, 0, b->r->arena, &q.filter, err);
    if (rc == PV_OK && below && below->without) {
        rc = filter_parse(model_kind(kind), below->without, 0, b->r->arena, &without, err);
        q.filter = filter_and(b->r->arena, q.filter, without);
    }
    return rc == PV_OK ? store_list(api_of(b->r)->store, &q, write_node, b, NULL, err) : rc;
}

static enum req_result tree(struct req *r)
{
    const char *parent = req_query(r, "parent");
    const struct model_kind *kind = NULL;
    struct branch b = { .r = r };
    struct pv_err err = { 0 };
    struct pv_id id;
    int rc = PV_OK;

    if (parent && *parent && !model_id_parse(parent, strlen(parent), &kind, &id)) {
        pv_fail_as(&err, "invalid-request", "parent must be the id of a provider, datacenter, cluster or host");
        pv_err_pointer(&err, "parent");
        return reply_problem(r, &err);
    }
    b.w = reply_json(r, 200);
    jsonw_object(b.w, NULL);
    jsonw_array(b.w, "items");
    if (!kind)
        rc = write_branch(&b, PV_KIND_provider, NULL, NULL, &err);
    for (size_t i = 0; kind && i < PV_COUNT(belows) && rc == PV_OK; i++)
        if (belows[i].parent == kind->number)
            rc = write_branch(&b, belows[i].kind, &belows[i], parent, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(b.w);
    jsonw_end(b.w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ summary */

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

/* VMs by family of their provider. */
static int write_families(struct req *r, struct jsonw *w, struct pv_err *err)
{
    struct store_tally *rows;
    uint64_t by[8] = { 0 };
    size_t n;
    int rc = tally_get(r, PV_KIND_vm, UINT16_MAX, false, &rows, &n, err);

    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        const struct model_provider *p = core_provider_ref(api_of(r)->core, &rows[i].provider, r->arena);

        if (p)
            by[p->family & 7] += rows[i].count;
    }
    if (rc != PV_OK)
        return rc;
    jsonw_object(w, "vms_by_family");
    for (size_t i = 0; i < model_enum_count(PV_ENUM_family); i++)
        jsonw_u64(w, model_enum_text(PV_ENUM_family, (int64_t)i), by[i]);
    jsonw_end(w);
    return PV_OK;
}

static enum req_result summary(struct req *r)
{
    struct core_stats stats;
    struct pv_err err = { 0 };
    struct jsonw *w = reply_json(r, 200);
    int rc;

    jsonw_object(w, NULL);
    rc = write_split(r, w, "providers", PV_KIND_provider, F(provider, state), &err);
    if (rc == PV_OK)
        rc = write_split(r, w, "vms", PV_KIND_vm, F(vm, power_state), &err);
    if (rc == PV_OK)
        rc = write_families(r, w, &err);
    if (rc == PV_OK)
        rc = write_split(r, w, "vm_health", PV_KIND_vm, F(vm, health), &err);
    if (rc == PV_OK)
        rc = write_split(r, w, "hosts", PV_KIND_host, F(host, connection_state), &err);
    if (rc == PV_OK)
        rc = write_split(r, w, "clusters", PV_KIND_cluster, F(cluster, health), &err);
    if (rc == PV_OK)
        rc = write_split(r, w, "datastores", PV_KIND_datastore, F(datastore, health), &err);
    if (rc == PV_OK)
        rc = write_split(r, w, "networks", PV_KIND_network, F(network, health), &err);
    jsonw_object(w, "capacity");
    if (rc == PV_OK)
        rc = write_sum(r, w, "host_memory_bytes", PV_KIND_host, F(host, memory_bytes), &err);
    if (rc == PV_OK)
        rc = write_sum(r, w, "host_cores", PV_KIND_host, F(host, cores), &err);
    if (rc == PV_OK)
        rc = write_sum(r, w, "vm_memory_bytes", PV_KIND_vm, F(vm, memory_bytes), &err);
    if (rc == PV_OK)
        rc = write_sum(r, w, "vm_cpus", PV_KIND_vm, F(vm, cpu_count), &err);
    if (rc == PV_OK)
        rc = write_sum(r, w, "datastore_capacity_bytes", PV_KIND_datastore, F(datastore, capacity_bytes), &err);
    if (rc == PV_OK)
        rc = write_sum(r, w, "datastore_free_bytes", PV_KIND_datastore, F(datastore, free_bytes), &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    core_get_stats(api_of(r)->core, &stats);
    jsonw_object(w, "tasks");
    jsonw_u64(w, "open", stats.tasks_open);
    jsonw_u64(w, "waiting", stats.tasks_waiting);
    jsonw_u64(w, "running", stats.tasks_running);
    jsonw_end(w);
    jsonw_time(w, "as_of", clock_wall_ms());
    jsonw_u64(w, "event_seq", core_event_seq(api_of(r)->core));
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ the browser page */

static enum req_result page(struct req *r)
{
    return reply_page(r);
}

static const struct model_param search_query[] = {
    { .name = "q", .type = PARAM_TEXT, .required = true, .min = 1, .max = 256, .doc = "What to look for." },
    { .name = "limit", .type = PARAM_INT, .min = 1, .max = 100, .doc = "At most so many; 20 unless given." },
    { 0 },
};
static const struct model_param tree_query[] = {
    { .name = "parent", .type = PARAM_TEXT, .max = 64, .doc = "Id of the node to open; none: the providers." },
    { 0 },
};

const struct route system_routes[] = {
    { .method = "GET", .pattern = API_BASE, .permission = PERM_PUBLIC, .handler = entry, .answer = ANSWER_JSON,
      .schema = "Entry", .doc = "Where everything is." },
    { .method = "GET", .pattern = API_BASE "/version", .permission = PERM_PUBLIC, .handler = version,
      .answer = ANSWER_JSON, .schema = "Version", .doc = "Which version answers here." },
    { .method = "GET", .pattern = API_BASE "/openapi.json", .permission = PERM_PUBLIC, .handler = openapi,
      .answer = ANSWER_JSON, .schema = "Anything", .doc = "This description." },
    { .method = "GET", .pattern = API_BASE "/problems", .permission = PERM_PUBLIC, .handler = problems,
      .answer = ANSWER_JSON, .schema = "Problems", .doc = "Every problem code, with its remedy." },
    { .method = "GET", .pattern = API_BASE "/problems/{code}", .permission = PERM_PUBLIC, .handler = problem,
      .answer = ANSWER_JSON, .schema = "ProblemText", .statuses = "404", .doc = "One problem code." },
    { .method = "GET", .pattern = API_BASE "/search", .permission = PERM_NONE, .handler = search,
      .answer = ANSWER_JSON, .schema = "Hits", .query = search_query, .doc = "Find objects of all kinds by words." },
    { .method = "GET", .pattern = API_BASE "/tree", .permission = PERM_HOST_READ, .handler = tree,
      .answer = ANSWER_JSON, .schema = "Tree", .query = tree_query,
      .doc = "One level of the tree provider, datacenter, cluster, host, VM." },
    { .method = "GET", .pattern = API_BASE "/summary", .permission = PERM_VM_READ, .handler = summary,
      .answer = ANSWER_JSON, .schema = "Summary", .doc = "The numbers of a dashboard." },
    { .method = "GET", .pattern = "/{...}", .permission = PERM_PUBLIC, .handler = page, .answer = ANSWER_TEXT,
      .flags = ROUTE_PAGE, .doc = "The browser page." },
    { 0 },
};
