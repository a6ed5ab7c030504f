/* SPDX-License-Identifier: Apache-2.0 */
/* The entry document, version, problem texts; search over the whole inventory; the browser page. */
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
        if (access_anywhere(r->caller.access, model_kind_at(i)->permission) &&
            ((model_kind_at(i)->flags & MODEL_SYNCED) || model_kind_at(i)->number == PV_KIND_provider ||
             model_kind_at(i)->number == PV_KIND_folder))
            kinds[nkinds++] = model_kind_at(i)->number;
    if (store_search(api_of(r)->store, q, kinds, nkinds, access_of(r), (size_t)limit, r->arena, &hits, &n, &err) != PV_OK)
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
    { .method = "GET", .pattern = "/{...}", .permission = PERM_PUBLIC, .handler = page, .answer = ANSWER_TEXT,
      .flags = ROUTE_PAGE, .doc = "The browser page." },
    { 0 },
};
