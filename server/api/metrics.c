/* SPDX-License-Identifier: Apache-2.0 */
/* Volatile numbers: their names, how they went, who uses most. */
#include "server/api/internal.h"
#include "server/api/openapi.h"
#include "server/core/metrics.h"

#include <math.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define REFS_MAX 200            /* a window of a grid, as ids= of lists */
#define NAMES_MAX 20
#define POINTS_MAX 2000
#define VALUES_MAX 2000000      /* in one answer */
#define POINTS_WANTED 400       /* when no step is asked for */
#define RANGE_MS 3600000ll      /* when no beginning is asked for */

/* cpu.usage_pct = 12: the place in model_metrics(), or -1. */
static int metric_at(const char *name, size_t len)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);

    for (size_t i = 0; i < n; i++)
        if (strlen(m[i].name) == len && memcmp(m[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

void metrics_write(struct jsonw *w)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);

    for (size_t i = 0; i < n; i++) {
        jsonw_object(w, m[i].name);
        jsonw_str(w, "unit", model_unit_text(m[i].unit));
        jsonw_str(w, "doc", m[i].doc);
        jsonw_end(w);
    }
}

static enum req_result names(struct req *r)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", m[i].name);
        jsonw_str(w, "unit", model_unit_text(m[i].unit));
        jsonw_str(w, "doc", m[i].doc);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ series */

struct wanted {
    const struct model_kind *kinds[REFS_MAX];
    struct pv_id ids[REFS_MAX];
    size_t nrefs;
    unsigned metrics[NAMES_MAX];
    size_t nmetrics;
    int64_t from_ms, to_ms;
    uint64_t step_s;
    uint32_t npoints;
};

static int refuse(struct pv_err *err, const char *parameter, const char *what)
{
    pv_fail_as(err, "invalid-request", "%s: %s", parameter, what);
    pv_err_pointer(err, "%s", parameter);
    return PV_EINVAL;
}

static int parse_refs(struct req *r, struct wanted *q, struct pv_err *err)
{
    const char *at = req_query(r, "refs");

    if (!at || !*at)
        return refuse(err, "refs", "ids of objects, with commas");
    while (*at) {
        size_t len = strcspn(at, ",");

        if (q->nrefs == REFS_MAX)
            return refuse(err, "refs", "at most 200 objects at once");
        if (!model_id_parse(at, len, &q->kinds[q->nrefs], &q->ids[q->nrefs]))
            return refuse(err, "refs", "ids of objects, with commas");
        /* What the caller does not see is not there. */
        if (access_sees(r->caller.access, q->kinds[q->nrefs]->number, &q->ids[q->nrefs]))
            q->nrefs++;
        at += len + (at[len] == ',');
    }
    return PV_OK;
}

static int parse_names(struct req *r, struct wanted *q, struct pv_err *err)
{
    const char *at = req_query(r, "names");

    if (!at || !*at)
        return refuse(err, "names", "names of metrics, with commas; /metrics/names lists them");
    while (*at) {
        size_t len = strcspn(at, ",");
        int m = metric_at(at, len);

        if (q->nmetrics == NAMES_MAX)
            return refuse(err, "names", "at most 20 metrics at once");
        if (m < 0)
            return refuse(err, "names", "there is no such metric; /metrics/names lists them");
        q->metrics[q->nmetrics++] = (unsigned)m;
        at += len + (at[len] == ',');
    }
    return PV_OK;
}

static int parse_time(struct req *r, const char *name, int64_t *out, struct pv_err *err)
{
    const char *text = req_query(r, name);

    if (text && !clock_parse(text, strlen(text), out))
        return refuse(err, name, "a time: 2026-01-31T12:00:00Z");
    return PV_OK;
}

/* The finest step that is kept for so long and gives a picture. */
static uint64_t step_for(int64_t range_ms)
{
    static const uint64_t steps[] = { 20, 60, 300, 900, 1800, 3600, 2 * 3600, 6 * 3600, 24 * 3600 };

    for (size_t i = 0; i < PV_COUNT(steps); i++)
        if (range_ms / (int64_t)(steps[i] * 1000) <= POINTS_WANTED)
            return steps[i];
    return steps[PV_COUNT(steps) - 1];
}

static int parse_range(struct req *r, struct wanted *q, struct pv_err *err)
{
    int64_t step_ms, now = clock_wall_ms();

    q->to_ms = now;
    if (parse_time(r, "to", &q->to_ms, err) != PV_OK)
        return err->rc;
    q->from_ms = q->to_ms - RANGE_MS;
    if (parse_time(r, "from", &q->from_ms, err) != PV_OK)
        return err->rc;
    if (q->from_ms < 0 || q->from_ms >= q->to_ms)
        return refuse(err, "from", "it must be before `to`");
    q->step_s = step_for(q->to_ms - q->from_ms);
    if (query_u64(r, "step", 20, 86400, &q->step_s, err) != PV_OK)
        return err->rc;
    step_ms = (int64_t)q->step_s * 1000;
    /* Steps begin at whole multiples, so that the same moment is always in the same step. */
    q->from_ms -= q->from_ms % step_ms;
    if ((q->to_ms - q->from_ms + step_ms - 1) / step_ms > POINTS_MAX)
        return refuse(err, "step", "that would be more than 2000 points; ask for a longer step");
    q->npoints = (uint32_t)((q->to_ms - q->from_ms + step_ms - 1) / step_ms);
    if (q->nrefs * q->nmetrics * q->npoints > VALUES_MAX)
        return refuse(err, "refs", "that would be more than 2,000,000 values; ask for fewer objects or a longer step");
    return PV_OK;
}

static void write_one(struct jsonw *w, const struct wanted *q, size_t ref, size_t m, const double *values)
{
    size_t n;
    const struct model_metric *metrics = model_metrics(&n);
    char id[PV_ID_TEXT];

    model_id_text(q->kinds[ref]->number, &q->ids[ref], id);
    jsonw_object(w, NULL);
    jsonw_str(w, "ref", id);
    jsonw_str(w, "name", metrics[q->metrics[m]].name);
    jsonw_str(w, "unit", model_unit_text(metrics[q->metrics[m]].unit));
    jsonw_array(w, "values");
    for (uint32_t i = 0; i < q->npoints; i++)
        jsonw_double(w, NULL, round(values[i] * 100) / 100);
    jsonw_end(w);
    jsonw_end(w);
}

static int write_series(struct req *r, struct jsonw *w, const struct wanted *q, struct pv_err *err)
{
    double *out = arena_alloc(r->arena, q->nmetrics * q->npoints * sizeof(*out));

    if (!out)
        return pv_fail(err, PV_ENOMEM, "no memory for the series");
    for (size_t i = 0; i < q->nrefs; i++) {
        struct core_series s = { .kind = q->kinds[i]->number, .id = q->ids[i], .from_ms = q->from_ms,
                                 .step_s = (uint32_t)q->step_s, .npoints = q->npoints, .metrics = q->metrics,
                                 .nmetrics = q->nmetrics, .out = out };

        if (core_series_read(api_of(r)->core, &s, err) != PV_OK)
            return err->rc;
        for (size_t m = 0; m < q->nmetrics; m++)
            write_one(w, q, i, m, out + m * q->npoints);
    }
    return PV_OK;
}

static enum req_result series(struct req *r)
{
    struct wanted q = { .nrefs = 0 };
    struct pv_err err = { 0 };
    struct jsonw *w;

    if (parse_refs(r, &q, &err) != PV_OK || parse_names(r, &q, &err) != PV_OK || parse_range(r, &q, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_time(w, "from", q.from_ms);
    jsonw_time(w, "to", q.from_ms + (int64_t)q.step_s * 1000 * q.npoints);
    jsonw_u64(w, "step_s", q.step_s);
    jsonw_array(w, "series");
    if (write_series(r, w, &q, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ who uses most */

struct top {
    struct jsonw *w;
    const struct model_shape *shape;
    const struct core_top *list;
    size_t n;
};

static int write_top(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct top *t = ctx;

    (void)err;
    for (size_t i = 0; i < t->n; i++) {
        if (!id_eq(&t->list[i].id, &row->id))
            continue;
        jsonw_object(t->w, NULL);
        model_write_members(t->w, t->shape, row);
        jsonw_u64(t->w, "value", t->list[i].value);
        jsonw_time(t->w, "time", t->list[i].time_ms);
        jsonw_end(t->w);
        break;
    }
    return PV_OK;
}

static int parse_top(struct req *r, const struct model_kind **kind, int *metric, uint64_t *n, struct pv_err *err)
{
    const char *name = req_query(r, "name"), *of = req_query(r, "kind");

    *kind = model_kind_by_name(of ? of : "vm");
    *metric = name ? metric_at(name, strlen(name)) : -1;
    *n = 10;
    if (*metric < 0)
        return refuse(err, "name", "there is no such metric; /metrics/names lists them");
    if (!*kind || !((*kind)->flags & MODEL_SYNCED) || (*kind)->owner != PV_KIND_NONE)
        return refuse(err, "kind", "vm, host or datastore");
    if (!access_anywhere(r->caller.access, (*kind)->permission)) {
        pv_fail_as(err, "forbidden", "this needs the permission %s", model_permission_text((*kind)->permission));
        pv_err_needs(err, model_permission_text((*kind)->permission));
        return err->rc;
    }
    return query_u64(r, "n", 1, 100, n, err);
}

static enum req_result top(struct req *r)
{
    struct store_query q = { .limit = 100, .access = access_of(r) };
    const struct model_kind *kind;
    struct core_top *list;
    struct top t = { .n = 0 };
    struct pv_err err = { 0 };
    struct pv_id ids[100];
    uint64_t n;
    int metric;
    int rc = parse_top(r, &kind, &metric, &n, &err);

    if (rc == PV_OK)
        rc = core_usage_top(api_of(r)->core, kind->number, (unsigned)metric, (size_t)n, r->arena, &list, &t.n, &err);
    if (rc == PV_OK)
        rc = model_shape_make(kind, kind->number == PV_KIND_vm ? "id,name,provider,host" : "id,name,provider",
                              MODEL_VIEW_SUMMARY, r->arena, &q.shape, &err);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    for (size_t i = 0; i < t.n; i++)
        ids[i] = list[i].id;
    t.list = list;
    t.shape = q.shape;
    q.ids = ids;
    q.nids = t.n;
    t.w = reply_json(r, 200);
    jsonw_object(t.w, NULL);
    jsonw_array(t.w, "items");
    if (t.n > 0 && store_list(api_of(r)->store, &q, write_top, &t, NULL, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(t.w);
    jsonw_end(t.w);
    return reply_send(r);
}

static const struct model_param series_query[] = {
    { .name = "refs", .type = PARAM_TEXT, .required = true, .min = 1, .max = 8192, .doc = "Ids of objects, with commas; up to 200." },
    { .name = "names", .type = PARAM_TEXT, .required = true, .min = 1, .max = 1024, .doc = "Names of metrics, with commas; up to 20." },
    { .name = "from", .type = PARAM_TEXT, .max = 40, .doc = "Time it begins; an hour before `to` unless given." },
    { .name = "to", .type = PARAM_TEXT, .max = 40, .doc = "Time it ends; now unless given." },
    { .name = "step", .type = PARAM_INT, .min = 20, .max = 86400, .doc = "Seconds that one value stands for; fitting the range unless given." },
    { 0 },
};
static const struct model_param top_query[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 64, .doc = "Name of the metric." },
    { .name = "kind", .type = PARAM_TEXT, .max = 32, .doc = "Kind of the objects; vm unless given." },
    { .name = "n", .type = PARAM_INT, .min = 1, .max = 100, .doc = "How many; 10 unless given." },
    { 0 },
};

const struct route metric_routes[] = {
    { .method = "GET", .pattern = API_BASE "/metrics/names", .permission = PERM_NONE, .handler = names,
      .answer = ANSWER_JSON, .schema = "MetricNames", .doc = "The metrics there are, with their units." },
    { .method = "GET", .pattern = API_BASE "/metrics/series", .permission = PERM_MONITOR_READ, .handler = series,
      .answer = ANSWER_JSON, .schema = "Series", .query = series_query,
      .doc = "How numbers of objects went: single values for an hour, five minutes for two days, hours for sixty days." },
    { .method = "GET", .pattern = API_BASE "/metrics/top", .permission = PERM_MONITOR_READ, .handler = top,
      .answer = ANSWER_JSON, .schema = "TopList", .query = top_query, .doc = "The objects with the greatest newest value." },
    { 0 },
};
