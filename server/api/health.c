/* SPDX-License-Identifier: Apache-2.0 */
/* For monitoring: liveness, health in the forms of Nagios and Zabbix, Prometheus. Never waits for a provider. */
#include "server/api/internal.h"
#include "server/core/deliveries.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>

/* What monitoring can ask about, one by one or all of a kind. */
static const enum pv_kind watched[] = { PV_KIND_provider, PV_KIND_cluster, PV_KIND_host, PV_KIND_vm, PV_KIND_datastore };

static enum req_result text(struct req *r, int status, const char *line)
{
    buf_text(reply_body(r, status, "text/plain; charset=utf-8"), line);
    return reply_send(r);
}

static enum req_result healthz(struct req *r)
{
    return text(r, 200, "ok\n");
}

static enum req_result readyz(struct req *r)
{
    uint64_t oldest, newest;

    if (__atomic_load_n(&api_of(r)->draining, __ATOMIC_RELAXED))
        return text(r, 503, "draining\n");
    if (store_event_bounds(api_of(r)->store, &oldest, &newest, NULL) != PV_OK)
        return text(r, 503, "database away\n");
    return text(r, 200, "ready\n");
}

/* ------------------------------------------------------------------ tallies */

struct tally {
    uint64_t total, by[8];
};

static int count_by(struct req *r, enum pv_kind kind, uint16_t field, struct tally *out, struct pv_err *err)
{
    struct store_tally *rows;
    size_t n;
    int rc = tally_get(r, kind, field, false, &rows, &n, err);

    if (rc != PV_OK)
        return rc;
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n; i++) {
        out->total += rows[i].count;
        if (rows[i].value >= 0 && rows[i].value < 8)
            out->by[rows[i].value] += rows[i].count;
    }
    return PV_OK;
}

struct overview {
    struct tally vm_power, vm_health, host_health, datastore_health;
    struct core_provider_health *providers;
    size_t nproviders, down, degraded;
    struct core_stats core;
    struct core_delivery_stats deliveries;
};

/* Keeps the providers that the caller may see. */
static size_t drop_unseen(struct req *r, struct core_provider_health *list, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (access_may(r->caller.access, PERM_MONITOR_READ, PV_KIND_provider, &list[i].id))
            list[kept++] = list[i];
    return kept;
}

static int look(struct req *r, struct overview *o, struct pv_err *err)
{
    int rc = count_by(r, PV_KIND_vm, F(vm, power_state), &o->vm_power, err);

    if (rc == PV_OK)
        rc = count_by(r, PV_KIND_vm, F(vm, health), &o->vm_health, err);
    if (rc == PV_OK)
        rc = count_by(r, PV_KIND_host, F(host, health), &o->host_health, err);
    if (rc == PV_OK)
        rc = count_by(r, PV_KIND_datastore, F(datastore, health), &o->datastore_health, err);
    if (rc == PV_OK)
        rc = core_providers_health(api_of(r)->core, r->arena, &o->providers, &o->nproviders, err);
    if (rc != PV_OK)
        return rc;
    o->nproviders = drop_unseen(r, o->providers, o->nproviders);
    if (access_everywhere(r->caller.access, PERM_MONITOR_READ)) {
        core_get_stats(api_of(r)->core, &o->core);
        core_delivery_stats(api_of(r)->core, &o->deliveries);
    }
    o->down = o->degraded = 0;
    for (size_t i = 0; i < o->nproviders; i++) {
        if (o->providers[i].state == PV_PROVIDER_STATE_DEGRADED)
            o->degraded++;
        else if (o->providers[i].state != PV_PROVIDER_STATE_CONNECTED)
            o->down++;
    }
    return PV_OK;
}

/* Codes of the monitoring plugin interface. */
enum verdict { VERDICT_OK, VERDICT_WARNING, VERDICT_CRITICAL, VERDICT_UNKNOWN };
static const char *const verdicts[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

static enum verdict judge(const struct overview *o)
{
    if (o->down || o->vm_health.by[PV_HEALTH_CRITICAL] || o->host_health.by[PV_HEALTH_CRITICAL] ||
        o->datastore_health.by[PV_HEALTH_CRITICAL])
        return VERDICT_CRITICAL;
    if (o->degraded || o->vm_health.by[PV_HEALTH_WARNING] || o->host_health.by[PV_HEALTH_WARNING] ||
        o->datastore_health.by[PV_HEALTH_WARNING])
        return VERDICT_WARNING;
    return VERDICT_OK;
}

static enum req_result nagios(struct req *r, enum verdict v, const char *line)
{
    reply_headerf(r, "X-Exit-Code", "%d", (int)v);
    return text(r, v >= VERDICT_CRITICAL ? 503 : 200, line);
}

static void write_tally(struct jsonw *w, const char *key, const struct tally *t, enum pv_enum_id names)
{
    jsonw_object(w, key);
    jsonw_u64(w, "total", t->total);
    for (size_t i = 0; i < model_enum_count(names) && i < 8; i++)
        jsonw_u64(w, model_enum_text(names, (int64_t)i), t->by[i]);
    jsonw_end(w);
}

static void write_overview(struct jsonw *w, const struct overview *o)
{
    int64_t now = clock_wall_ms();

    jsonw_object(w, NULL);
    jsonw_str(w, "status", verdicts[judge(o)]);
    write_tally(w, "vms", &o->vm_power, PV_ENUM_power_state);
    write_tally(w, "vm_health", &o->vm_health, PV_ENUM_health);
    write_tally(w, "host_health", &o->host_health, PV_ENUM_health);
    write_tally(w, "datastore_health", &o->datastore_health, PV_ENUM_health);
    jsonw_array(w, "providers");
    for (size_t i = 0; i < o->nproviders; i++) {
        const struct core_provider_health *p = &o->providers[i];
        char id[PV_ID_TEXT];

        model_id_text(PV_KIND_provider, &p->id, id);
        jsonw_object(w, NULL);
        jsonw_str(w, "id", id);
        jsonw_str(w, "name", p->name);
        jsonw_str(w, "driver", p->driver);
        jsonw_str(w, "family", model_enum_text(PV_ENUM_family, p->family));
        jsonw_str(w, "state", model_enum_text(PV_ENUM_provider_state, p->state));
        jsonw_str(w, "reason", p->reason);
        if (p->confirmed_ms)
            jsonw_i64(w, "age_ms", now - p->confirmed_ms);
        else
            jsonw_null(w, "age_ms");
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_object(w, "tasks");
    jsonw_u64(w, "waiting", o->core.tasks_waiting);
    jsonw_u64(w, "running", o->core.tasks_running);
    jsonw_end(w);
    jsonw_end(w);
}

static int wanted_format(struct req *r, const char **out, struct pv_err *err)
{
    const char *format = req_query(r, "format");

    *out = format ? format : "json";
    if (strcmp(*out, "json") == 0 || strcmp(*out, "nagios") == 0 || strcmp(*out, "zabbix") == 0)
        return PV_OK;
    pv_fail_as(err, "invalid-request", "format must be json, nagios or zabbix");
    pv_err_pointer(err, "format");
    return PV_EINVAL;
}

/* Objects of the watched kinds, keyed by id: what Zabbix picks its items from with one request. */
struct keyed {
    struct req *r;
    struct jsonw *w;
};

static int write_keyed(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct keyed *k = ctx;
    const struct model_field *health = model_field(row->kind, "health", 6);
    const struct model_field *power = model_field(row->kind, "power_state", 11);
    const struct model_field *state = model_field(row->kind, "state", 5);
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];
    int64_t time_ms;
    char id[PV_ID_TEXT];
    size_t n;
    const struct model_metric *metrics = model_metrics(&n);

    (void)err;
    model_id_text(row->kind->number, &row->id, id);
    jsonw_object(k->w, id);
    jsonw_str(k->w, "kind", row->kind->name);
    jsonw_str(k->w, "name", model_text(row, model_field(row->kind, "name", 4)->index));
    if (health)
        jsonw_i64(k->w, "health", model_number(row, health->index));
    if (power)
        jsonw_str(k->w, "power_state", model_enum_text(power->enum_id, model_number(row, power->index)));
    if (state)
        jsonw_str(k->w, "state", model_enum_text(state->enum_id, model_number(row, state->index)));
    if (core_usage(api_of(k->r)->core, row->kind->number, &row->id, &time_ms, values, have))
        for (size_t i = 0; i < n; i++)
            if (have[i])
                jsonw_u64(k->w, metrics[i].name, values[i]);
    jsonw_end(k->w);
    return PV_OK;
}

/* All rows, in blocks, so that no transaction lasts. */
static int each_row(struct req *r, const struct model_shape *shape, const struct filter *filter, store_row_fn each,
                    void *ctx, struct pv_err *err)
{
    struct store_position at = { .len = 0 }, last;
    struct store_query q = { .limit = 1000, .shape = shape, .filter = filter, .access = access_of(r) };
    int rc;

    do {
        q.after = at.len > 0 ? &at : NULL;
        last.len = 0;
        rc = store_list(api_of(r)->store, &q, each, ctx, &last, err);
        at = last;
    } while (rc == PV_OK && last.len > 0);
    return rc;
}

static int each_of_kind(struct req *r, enum pv_kind kind, store_row_fn each, void *ctx, struct pv_err *err)
{
    const struct model_shape *shape;
    int rc = model_shape_make(model_kind(kind), NULL, MODEL_VIEW_SUMMARY, r->arena, &shape, err);

    return rc == PV_OK ? each_row(r, shape, NULL, each, ctx, err) : rc;
}

static enum req_result zabbix(struct req *r)
{
    const char *only = req_query(r, "kind");
    struct keyed k = { .r = r, .w = reply_json(r, 200) };
    struct pv_err err = { 0 };

    jsonw_object(k.w, NULL);
    for (size_t i = 0; i < PV_COUNT(watched); i++)
        if ((!only || strcmp(only, model_kind(watched[i])->name) == 0) &&
            each_of_kind(r, watched[i], write_keyed, &k, &err) != PV_OK)
            return reply_problem(r, &err);
    jsonw_end(k.w);
    return reply_send(r);
}

static enum req_result health(struct req *r)
{
    struct overview o = { .nproviders = 0 };
    struct pv_err err = { 0 };
    const char *format;
    char line[512];

    if (wanted_format(r, &format, &err) != PV_OK)
        return reply_problem(r, &err);
    if (strcmp(format, "zabbix") == 0)
        return zabbix(r);
    if (look(r, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (strcmp(format, "nagios") == 0) {
        enum verdict v = judge(&o);

        snprintf(line, sizeof(line),
                 "%s - %" PRIu64 " VMs, %" PRIu64 " hosts, %" PRIu64 " critical, %" PRIu64 " warning, %zu of %zu providers down"
                 " | vms=%" PRIu64 " vms_running=%" PRIu64 " hosts=%" PRIu64 " vms_critical=%" PRIu64
                 " hosts_critical=%" PRIu64 " datastores_critical=%" PRIu64 " providers_down=%zu tasks_waiting=%" PRIu64
                 "\n",
                 verdicts[v], o.vm_power.total, o.host_health.total,
                 o.vm_health.by[PV_HEALTH_CRITICAL] + o.host_health.by[PV_HEALTH_CRITICAL] +
                     o.datastore_health.by[PV_HEALTH_CRITICAL],
                 o.vm_health.by[PV_HEALTH_WARNING] + o.host_health.by[PV_HEALTH_WARNING] +
                     o.datastore_health.by[PV_HEALTH_WARNING],
                 o.down, o.nproviders, o.vm_power.total, o.vm_power.by[PV_POWER_STATE_RUNNING], o.host_health.total,
                 o.vm_health.by[PV_HEALTH_CRITICAL], o.host_health.by[PV_HEALTH_CRITICAL],
                 o.datastore_health.by[PV_HEALTH_CRITICAL], o.down, o.core.tasks_waiting);
        return nagios(r, v, line);
    }
    write_overview(reply_json(r, 200), &o);
    return reply_send(r);
}

static enum req_result health_one(struct req *r)
{
    const struct model_kind *kind = model_kind_by_name(req_param(r, "kind"));
    struct list_query l = { 0 };
    struct keyed k = { .r = r };
    struct pv_err err = { 0 };
    const struct model_field *state;
    struct model_row *row;
    struct pv_id id;
    const char *format;
    char line[512];
    enum verdict v;

    if (!kind)
        kind = model_kind_by_plural(req_param(r, "kind"));
    if (!kind || !model_field(kind, "name", 4) || (kind->flags & MODEL_MEMORY)) {
        pv_fail(&err, PV_ENOENT, "there is no kind \"%.64s\"", req_param(r, "kind"));
        return reply_problem(r, &err);
    }
    if (wanted_format(r, &format, &err) != PV_OK || object_resolve(r, kind, req_param(r, "id"), &id, &err) != PV_OK ||
        model_shape_make(kind, NULL, MODEL_VIEW_SUMMARY, r->arena, &l.q.shape, &err) != PV_OK ||
        store_row_get(api_of(r)->store, l.q.shape, &id, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);

    if (strcmp(format, "nagios") != 0) {
        k.w = reply_json(r, 200);
        jsonw_object(k.w, NULL);
        write_keyed(&k, row, NULL);
        jsonw_end(k.w);
        return reply_send(r);
    }
    state = model_field(kind, "health", 6);
    if (state) {
        static const enum verdict of_health[] = { VERDICT_UNKNOWN, VERDICT_OK, VERDICT_WARNING, VERDICT_CRITICAL };

        v = of_health[model_number(row, state->index) & 3];
    } else {
        v = VERDICT_OK;
    }
    if (kind->number == PV_KIND_provider)
        v = model_number(row, F(provider, state)) == PV_PROVIDER_STATE_CONNECTED  ? VERDICT_OK
            : model_number(row, F(provider, state)) == PV_PROVIDER_STATE_DEGRADED ? VERDICT_WARNING
                                                                                  : VERDICT_CRITICAL;
    snprintf(line, sizeof(line), "%s - %s %s%s%s\n", verdicts[v], kind->name,
             model_text(row, model_field(kind, "name", 4)->index),
             kind->number == PV_KIND_vm ? " is " : "",
             kind->number == PV_KIND_vm ? model_enum_text(PV_ENUM_power_state, model_number(row, F(vm, power_state))) : "");
    return nagios(r, v, line);
}

static int write_discovered(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct keyed *k = ctx;
    const struct model_field *provider = model_field_by_name(row->kind, "provider");
    char id[PV_ID_TEXT];

    (void)err;
    model_id_text(row->kind->number, &row->id, id);
    jsonw_object(k->w, NULL);
    jsonw_str(k->w, "{#ID}", id);
    jsonw_str(k->w, "{#KIND}", row->kind->name);
    jsonw_str(k->w, "{#NAME}", model_text(row, model_field(row->kind, "name", 4)->index));
    jsonw_str(k->w, "{#PROVIDER}", provider ? model_text(row, provider->index) : "");
    jsonw_end(k->w);
    return PV_OK;
}

static enum req_result discovery(struct req *r)
{
    const char *name = req_query(r, "kind");
    const struct model_kind *kind = model_kind_by_name(name ? name : "vm");
    struct keyed k = { .r = r };
    struct pv_err err = { 0 };
    bool known = false;

    for (size_t i = 0; kind && i < PV_COUNT(watched); i++)
        known = known || watched[i] == kind->number;
    if (!known) {
        pv_fail_as(&err, "invalid-request", "kind must be provider, cluster, host, vm or datastore");
        pv_err_pointer(&err, "kind");
        return reply_problem(r, &err);
    }
    k.w = reply_json(r, 200);
    jsonw_array(k.w, NULL);
    if (each_of_kind(r, kind->number, write_discovered, &k, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(k.w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ Prometheus (text format 0.0.4) */

static void label(struct buf *out, const char *value)
{
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == '"')
            buf_char(out, '\\');
        if (*p == '\n')
            buf_text(out, "\\n");
        else
            buf_char(out, *p);
    }
}

static void family(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct buf *out, const char *name, const char *type, const char *help, uint64_t v)
{
    family(out, name, type, help);
    buf_printf(out, "%s %" PRIu64 "\n", name, v);
}

static void by_value(struct buf *out, const char *name, const char *help, const char *key, const struct tally *t,
                     enum pv_enum_id names)
{
    family(out, name, "gauge", help);
    for (size_t i = 0; i < model_enum_count(names) && i < 8; i++)
        buf_printf(out, "%s{%s=\"%s\"} %" PRIu64 "\n", name, key, model_enum_text(names, (int64_t)i), t->by[i]);
}

static uint64_t resident_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f) {
        if (fscanf(f, "%*u %lu", &pages) != 1)
            pages = 0;
        fclose(f);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (!folder)
        return 0;
    while (readdir(folder))
        n++;
    closedir(folder);
    return n > 3 ? n - 3 : 0;   /* ".", ".." and the folder itself */
}

/* The names every Prometheus client uses. */
static void write_process(struct req *r, struct buf *out)
{
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) == 0) {
        family(out, "process_cpu_seconds_total", "counter", "CPU time of the server.");
        buf_printf(out, "process_cpu_seconds_total %.3f\n",
                   (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    }
    single(out, "process_resident_memory_bytes", "gauge", "Memory of the server.", resident_bytes());
    single(out, "process_open_fds", "gauge", "Open files.", open_files());
    family(out, "process_start_time_seconds", "gauge", "When the server was started.");
    buf_printf(out, "process_start_time_seconds %.3f\n", (double)api_of(r)->started_ms / 1000);
}

static void write_providers(struct buf *out, const struct overview *o)
{
    int64_t now = clock_wall_ms();

    family(out, "polyvisor_provider_up", "gauge", "1 if the provider is connected or degraded.");
    for (size_t i = 0; i < o->nproviders; i++) {
        bool up = o->providers[i].state == PV_PROVIDER_STATE_CONNECTED ||
                  o->providers[i].state == PV_PROVIDER_STATE_DEGRADED;

        buf_text(out, "polyvisor_provider_up{provider=\"");
        label(out, o->providers[i].name);
        buf_printf(out, "\",driver=\"%s\"} %d\n", o->providers[i].driver, up);
    }
    family(out, "polyvisor_provider_sync_age_seconds", "gauge", "Age of what the provider last confirmed.");
    for (size_t i = 0; i < o->nproviders; i++) {
        if (!o->providers[i].confirmed_ms)
            continue;
        buf_text(out, "polyvisor_provider_sync_age_seconds{provider=\"");
        label(out, o->providers[i].name);
        buf_printf(out, "\"} %.3f\n", (double)(now - o->providers[i].confirmed_ms) / 1000);
    }
}

static enum req_result metrics(struct req *r)
{
    struct net_stats net = { 0 };
    struct overview o = { .nproviders = 0 };
    struct pv_err err = { 0 };
    struct buf *out;

    if (look(r, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (api_of(r)->net)
        net_get_stats(api_of(r)->net, &net);
    out = reply_body(r, 200, "text/plain; version=0.0.4; charset=utf-8");
    family(out, "polyvisor_build_info", "gauge", "Version of the server.");
    buf_printf(out, "polyvisor_build_info{version=\"%s\"} 1\n", PV_VERSION);
    by_value(out, "polyvisor_vms", "VMs by power state.", "power_state", &o.vm_power, PV_ENUM_power_state);
    by_value(out, "polyvisor_vms_by_health", "VMs by health.", "health", &o.vm_health, PV_ENUM_health);
    by_value(out, "polyvisor_hosts_by_health", "Hosts by health.", "health", &o.host_health, PV_ENUM_health);
    by_value(out, "polyvisor_datastores_by_health", "Datastores by health.", "health", &o.datastore_health, PV_ENUM_health);
    write_providers(out, &o);
    /* What follows is about the whole server. */
    if (!access_everywhere(r->caller.access, PERM_MONITOR_READ))
        return reply_send(r);
    single(out, "polyvisor_tasks_waiting", "gauge", "Tasks that wait.", o.core.tasks_waiting);
    single(out, "polyvisor_tasks_running", "gauge", "Tasks that run.", o.core.tasks_running);
    single(out, "polyvisor_tasks_done_total", "counter", "Tasks that succeeded since the start; of tasks of several parts the parts.", o.core.tasks_done);
    single(out, "polyvisor_tasks_failed_total", "counter", "Tasks that failed since the start; of tasks of several parts the parts.", o.core.tasks_failed);
    single(out, "polyvisor_events_total", "counter", "Events written since the start.", o.core.events);
    single(out, "polyvisor_records_total", "counter", "Records taken from drivers since the start.", o.core.records);
    single(out, "polyvisor_records_dropped_total", "counter", "Values of records that were not acceptable.", o.core.records_dropped);
    single(out, "polyvisor_rows_written_total", "counter", "Rows written since the start.", o.core.rows_written);
    family(out, "polyvisor_deliveries_total", "counter",
           "What was told to notification targets and webhooks since the start, by outcome; failed: attempts.");
    buf_printf(out, "polyvisor_deliveries_total{outcome=\"delivered\"} %llu\n", (unsigned long long)o.deliveries.delivered);
    buf_printf(out, "polyvisor_deliveries_total{outcome=\"failed\"} %llu\n", (unsigned long long)o.deliveries.failed);
    buf_printf(out, "polyvisor_deliveries_total{outcome=\"dead\"} %llu\n", (unsigned long long)o.deliveries.dead);
    buf_printf(out, "polyvisor_deliveries_total{outcome=\"skipped\"} %llu\n", (unsigned long long)o.deliveries.skipped);
    single(out, "polyvisor_http_requests_total", "counter", "Requests since the start.", net.requests);
    single(out, "polyvisor_http_client_errors_total", "counter", "Answers 4xx.", net.problems_4xx);
    single(out, "polyvisor_http_server_errors_total", "counter", "Answers 5xx.", net.problems_5xx);
    single(out, "polyvisor_http_connections", "gauge", "Open connections.", net.connections);
    single(out, "polyvisor_event_streams", "gauge", "Open event streams.", net.streams);
    single(out, "polyvisor_database_bytes", "gauge", "Size of the database.", store_size_bytes(api_of(r)->store));
    write_process(r, out);
    return reply_send(r);
}

/* Per-VM series: labelled by id alone, names in polyvisor_vm_info. One walk over the database, then memory only. */
struct vm_scrape {
    struct buf *out;
    struct buf ids;     /* struct pv_id after struct pv_id */
};

static int scrape_vm(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct vm_scrape *s = ctx;
    char id[PV_ID_TEXT];

    model_id_text(PV_KIND_vm, &row->id, id);
    buf_printf(s->out, "polyvisor_vm_info{vm=\"%s\",power_state=\"%s\",provider=\"", id,
               model_enum_text(PV_ENUM_power_state, model_number(row, F(vm, power_state))));
    label(s->out, model_text(row, F(vm, provider)));
    buf_text(s->out, "\",name=\"");
    label(s->out, model_text(row, F(vm, name)));
    buf_text(s->out, "\"} 1\n");
    buf_append(&s->ids, &row->id, sizeof(row->id));
    return buf_ok(s->out) && buf_ok(&s->ids)
               ? PV_OK
               : pv_fail_as(err, "too-large", "too many VMs for one scrape; use provider=");
}

static void scrape_metric(struct req *r, const struct vm_scrape *s, const struct model_metric *m, size_t index)
{
    uint64_t values[PV_RECORD_SLOTS];
    bool have[PV_RECORD_SLOTS];
    int64_t time_ms;
    char name[96], text[PV_ID_TEXT];

    snprintf(name, sizeof(name), "polyvisor_vm_%s", m->c_name);
    family(s->out, name, "gauge", m->doc);
    for (size_t at = 0; at + sizeof(struct pv_id) <= s->ids.len; at += sizeof(struct pv_id)) {
        struct pv_id id;

        memcpy(&id, s->ids.data + at, sizeof(id));
        if (!core_usage(api_of(r)->core, PV_KIND_vm, &id, &time_ms, values, have) || !have[index])
            continue;
        model_id_text(PV_KIND_vm, &id, text);
        buf_printf(s->out, "%s{vm=\"%s\"} %" PRIu64 "\n", name, text, values[index]);
    }
}

static enum req_result metrics_vms(struct req *r)
{
    const char *provider = req_query(r, "provider");
    const struct model_shape *shape;
    const struct filter *filter = NULL;
    struct vm_scrape s;
    struct pv_err err = { 0 };
    size_t n;
    const struct model_metric *all = model_metrics(&n);
    int rc = model_shape_make(model_kind(PV_KIND_vm), "name,power_state,provider", MODEL_VIEW_SUMMARY, r->arena, &shape, &err);

    if (rc == PV_OK && provider)
        rc = filter_equals(model_kind(PV_KIND_vm), "provider", provider, 0, r->arena, &filter, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    s.out = reply_body(r, 200, "text/plain; version=0.0.4; charset=utf-8");
    buf_init(&s.ids, 16u << 20);
    family(s.out, "polyvisor_vm_info", "gauge", "Names and states of the VMs.");
    rc = each_row(r, shape, filter, scrape_vm, &s, &err);
    for (size_t i = 0; i < n && rc == PV_OK; i++)
        scrape_metric(r, &s, &all[i], i);
    buf_free(&s.ids);
    return rc == PV_OK ? reply_send(r) : reply_problem(r, &err);
}

static const char *const formats[] = { "json", "nagios", "zabbix", NULL };
static const struct model_param health_query[] = {
    { .name = "format", .type = PARAM_ENUM, .choices = formats, .doc = "json; nagios: one line, status in X-Exit-Code; zabbix: objects by id." },
    { .name = "kind", .type = PARAM_TEXT, .max = 32, .doc = "zabbix: only this kind." },
    { 0 },
};
static const struct model_param discovery_query[] = {
    { .name = "kind", .type = PARAM_TEXT, .max = 32, .doc = "provider, cluster, host, vm or datastore." },
    { 0 },
};
static const struct model_param vms_query[] = {
    { .name = "provider", .type = PARAM_TEXT, .max = 256, .doc = "Only VMs of this provider, by id or name." },
    { 0 },
};

const struct route health_routes[] = {
    { .method = "GET", .pattern = "/healthz", .permission = PERM_PUBLIC, .handler = healthz, .answer = ANSWER_TEXT,
      .doc = "The process lives." },
    { .method = "GET", .pattern = "/readyz", .permission = PERM_PUBLIC, .handler = readyz, .answer = ANSWER_TEXT,
      .statuses = "503", .doc = "It can serve." },
    { .method = "GET", .pattern = "/metrics", .permission = PERM_MONITOR_READ, .handler = metrics,
      .answer = ANSWER_TEXT, .doc = "Numbers of the server and the inventory, for Prometheus." },
    { .method = "GET", .pattern = "/metrics/vms", .permission = PERM_MONITOR_READ, .handler = metrics_vms,
      .answer = ANSWER_TEXT, .query = vms_query, .doc = "Numbers of each VM, for Prometheus." },
    { .method = "GET", .pattern = API_BASE "/health", .permission = PERM_MONITOR_READ, .handler = health,
      .answer = ANSWER_JSON, .schema = "Health", .query = health_query, .statuses = "503",
      .doc = "How everything is, in one look." },
    { .method = "GET", .pattern = API_BASE "/health/discovery", .permission = PERM_MONITOR_READ, .handler = discovery,
      .answer = ANSWER_JSON, .schema = "Discovery", .query = discovery_query, .doc = "Zabbix low-level discovery." },
    { .method = "GET", .pattern = API_BASE "/health/{kind}/{id}", .permission = PERM_MONITOR_READ,
      .handler = health_one, .answer = ANSWER_JSON, .schema = "Health", .query = health_query,
      .statuses = "404 409 503", .doc = "How one object is." },
    { 0 },
};
