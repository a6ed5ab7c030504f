/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI 3.1 document, written from the route table and the model's tables. */
#include "server/api/openapi.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/texts.h>


struct parameter {
    const char *name, *in, *type, *doc;
    int64_t least, most; /* integers; 0, 0: none */
};

static void write_parameter(struct jsonw *w, const struct parameter *p)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", p->name);
    jsonw_str(w, "in", p->in);
    if (strcmp(p->in, "path") == 0)
        jsonw_bool(w, "required", true);
    jsonw_object(w, "schema");
    jsonw_str(w, "type", p->type);
    if (p->most > 0) {
        jsonw_i64(w, "minimum", p->least);
        jsonw_i64(w, "maximum", p->most);
    }
    jsonw_end(w);
    jsonw_str(w, "description", p->doc);
    jsonw_end(w);
}

static const struct parameter shape_parameters[] = {
    { "fields", "query", "string", "Only these fields, by path, with commas.", 0, 0 },
    { "view", "query", "string", "summary or full.", 0, 0 },
    { "expand", "query", "string", "References to show in full, too.", 0, 0 },
};
static const struct parameter list_parameters[] = {
    { "limit", "query", "integer", "Objects on a page; 100 unless given.", 1, 1000 },
    { "cursor", "query", "string", "Where to go on: `next` of the page before.", 0, 0 },
    { "sort", "query", "string", "Fields to sort by, with commas; - before one turns it round.", 0,
      0 },
    { "filter", "query", "string", "Which objects, in the filter language.", 0, 0 },
    { "ids", "query", "string", "Exactly these, in this order; up to 200.", 0, 0 },
    { "count", "query", "string", "exact adds `count`, the number of all that match.", 0, 0 },
    { "facets", "query", "string", "Fields whose values to count.", 0, 0 },
    { "facet_limit", "query", "integer", "Values to count of each, most first; 100 unless given.",
      1, 5000 },
    { "sums", "query", "string", "Numbers to add up over all that match.", 0, 0 },
};
static const struct parameter dry_run = { "dry_run", "query",
                                          "boolean", "Check everything, change nothing.",
                                          0,         0 };
static const struct parameter fail_if_busy = {
    "fail_if_busy", "query", "boolean",
    "Refuse it while something else works on the object, instead of waiting.", 0, 0
};
static const struct parameter if_match = { "If-Match", "header",
                                           "string",   "ETag of the version that is meant.",
                                           0,          0 };
static const struct parameter range = { "Range", "header", "string", "The part that is wanted: bytes=100-", 0, 0 };
static const struct parameter content_range = {
    "Content-Range", "header", "string", "Which bytes these are: bytes FIRST-LAST/TOTAL, or without any bytes */TOTAL.", 0, 0
};
static const struct parameter if_range = {
    "If-Range", "header", "string", "ETag of an earlier answer: if the file is another one now, all of it is sent.", 0, 0
};
static const struct parameter key = {
    "Idempotency-Key", "header", "string", "Repeated requests with one key act once.", 0, 0
};
static const struct parameter prefer = { "Prefer", "header",
                                         "string", "wait=30 waits up to 30 s for the end.",
                                         0,        0 };

static void write_path_parameters(struct jsonw *w, const struct route *r)
{
    for (const char *p = strchr(r->pattern, '{'); p; p = strchr(p + 1, '{')) {
        char name[32];

        str_copy_n(name, sizeof(name), p + 1, strcspn(p + 1, "}"));
        write_parameter(
            w, &(struct parameter){ name, "path", "string",
                                    strcmp(name, "id") == 0 || strcmp(name, "owner") == 0
                                        ? "Id, name:<name> or native:<provider>:<native id>."
                                        : "Which one.",
                                    0, 0 });
    }
}

static void write_query_table(struct jsonw *w, const struct model_param *table)
{
    for (const struct model_param *p = table; p && p->name; p++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", p->name);
        jsonw_str(w, "in", "query");
        if (p->required)
            jsonw_bool(w, "required", true);
        jsonw_object(w, "schema");
        jsonw_str(w, "type",
                  p->type == PARAM_BOOL  ? "boolean"
                  : p->type == PARAM_INT ? "integer"
                                         : "string");
        if (p->type == PARAM_INT) {
            jsonw_i64(w, "minimum", p->min);
            jsonw_i64(w, "maximum", p->max > 0 ? p->max : INT64_C(1) << 53);
        }
        if (p->type == PARAM_TEXT && p->required)
            jsonw_i64(w, "minLength", p->min);
        if (p->choices) {
            jsonw_array(w, "enum");
            for (size_t i = 0; p->choices[i]; i++)
                jsonw_str(w, NULL, p->choices[i]);
            jsonw_end(w);
        }
        if (p->preset)
            jsonw_raw(w, "default", p->preset, strlen(p->preset));
        jsonw_end(w);
        jsonw_str(w, "description", p->doc);
        jsonw_end(w);
    }
}

static void write_parameters(struct jsonw *w, const struct route *r)
{
    jsonw_array(w, "parameters");
    write_path_parameters(w, r);
    if (r->answer == ANSWER_LIST || (r->answer == ANSWER_OBJECT && strcmp(r->method, "GET") == 0))
        for (size_t i = 0; i < PV_COUNT(shape_parameters); i++)
            write_parameter(w, &shape_parameters[i]);
    if (r->answer == ANSWER_LIST)
        for (size_t i = 0; i < PV_COUNT(list_parameters); i++)
            write_parameter(w, &list_parameters[i]);
    write_query_table(w, r->query);
    if (r->flags & ROUTE_DRY_RUN)
        write_parameter(w, &dry_run);
    if (r->operation && strcmp(r->method, "GET") != 0)
        write_parameter(w, &fail_if_busy);
    if (r->flags & ROUTE_IF_MATCH)
        write_parameter(w, &if_match);
    if (r->flags & ROUTE_BYTES)
        write_parameter(w, &content_range);
    if (r->flags & ROUTE_RANGE) {
        write_parameter(w, &range);
        write_parameter(w, &if_range);
    }
    if (r->flags & ROUTE_IDEMPOTENT)
        write_parameter(w, &key);
    if (r->answer == ANSWER_TASK || (r->operation && !r->operation->streams && r->answer == ANSWER_OBJECT))
        write_parameter(w, &prefer);
    jsonw_end(w);
}

static void write_body(struct jsonw *w, const struct route *r)
{
    bool required = false;

    if (r->flags & ROUTE_BYTES) {
        jsonw_object(w, "requestBody");
        jsonw_object(w, "content");
        jsonw_object(w, "application/octet-stream");
        jsonw_object(w, "schema");
        jsonw_str(w, "type", "string");
        jsonw_str(w, "format", "binary");
        for (int i = 0; i < 4; i++)
            jsonw_end(w);
    }
    if (!r->body)
        return;
    for (const struct model_param *p = r->body; p->name; p++)
        required = required || p->required;
    jsonw_object(w, "requestBody");
    jsonw_bool(w, "required", required);
    jsonw_object(w, "content");
    jsonw_object(w, r->flags & ROUTE_MERGE_PATCH ? "application/merge-patch+json"
                                                 : "application/json");
    model_params_schema(w, "schema", r->body);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
}

static void response_open(struct jsonw *w, const char *status, const char *description,
                          const char *type)
{
    jsonw_object(w, status);
    jsonw_str(w, "description", description);
    if (!type)
        return;
    jsonw_object(w, "content");
    jsonw_object(w, type);
}

static void response(struct jsonw *w, const char *status, const char *description, const char *type,
                     const char *schema)
{
    response_open(w, status, description, type);
    if (type) {
        openapi_ref(w, "schema", schema);
        jsonw_end(w);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void write_page(struct jsonw *w, const struct model_kind *k)
{
    char name[64];

    response_open(w, "200", "A page of them.", "application/json");
    jsonw_object(w, "schema");
    jsonw_str(w, "type", "object");
    jsonw_array(w, "required");
    jsonw_str(w, NULL, "items");
    jsonw_str(w, NULL, "next");
    jsonw_end(w);
    jsonw_object(w, "properties");
    jsonw_object(w, "items");
    jsonw_str(w, "type", "array");
    openapi_ref(w, "items", openapi_name(k, name));
    jsonw_end(w);
    jsonw_object(w, "next");
    openapi_nullable(w, "string");
    jsonw_end(w);
    jsonw_object(w, "count");
    jsonw_str(w, "type", "integer");
    jsonw_end(w);
    jsonw_object(w, "facets");
    jsonw_str(w, "type", "object");
    jsonw_end(w);
    jsonw_object(w, "sums");
    jsonw_str(w, "type", "object");
    jsonw_object(w, "additionalProperties");
    jsonw_str(w, "type", "integer");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_object(w, "as_of");
    jsonw_str(w, "type", "string");
    jsonw_str(w, "format", "date-time");
    jsonw_end(w);
    jsonw_object(w, "event_seq");
    jsonw_str(w, "type", "integer");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_object(w, "application/x-ndjson");
    jsonw_end(w);
    jsonw_object(w, "text/csv");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
}

/* Lists of things about a kind show another one. */
static const struct model_kind *listed_kind(const struct route *r)
{
    const char *last = strrchr(r->pattern, '/');
    const struct model_kind *k = last ? model_kind_by_plural(last + 1) : NULL;

    if (k)
        return k;
    if (str_ends(r->pattern, "/history"))
        return model_kind(PV_KIND_event);
    return str_ends(r->pattern, "/children") ? model_kind(PV_KIND_task) : r->kind;
}

/* One of two schemas, under one status. */
static void either(struct jsonw *w, const char *status, const char *description, const char *one,
                   const char *other)
{
    response_open(w, status, description, "application/json");
    jsonw_object(w, "schema");
    jsonw_array(w, "anyOf");
    openapi_ref(w, NULL, one);
    openapi_ref(w, NULL, other);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
}

/* Health speaks JSON or, for Nagios, one line of text. */
static void write_health(struct jsonw *w, const char *status)
{
    response_open(w, status, "How it is.", "application/json");
    openapi_ref(w, "schema", "Health");
    jsonw_end(w);
    jsonw_object(w, "text/plain");
    openapi_ref(w, "schema", "Anything");
    jsonw_end(w);
    jsonw_object(w, "application/problem+json");
    openapi_ref(w, "schema", "Problem");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
}

static bool is_health(const struct route *r)
{
    return r->answer == ANSWER_JSON && strcmp(r->schema, "Health") == 0;
}

/* The object, what would be done, or where a patch may be a task that, finished. */
static void patched(struct jsonw *w, const struct route *r, const char *status, const char *schema)
{
    response_open(
        w, status,
        r->operation
            ? "The object, the finished task (Prefer: wait), or what would be done (dry_run)."
            : "The object, or what would be done (dry_run).",
        "application/json");
    jsonw_object(w, "schema");
    jsonw_array(w, "anyOf");
    openapi_ref(w, NULL, schema);
    openapi_ref(w, NULL, "Plan");
    if (r->operation)
        openapi_ref(w, NULL, "Task");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
}

static void write_good_answer(struct jsonw *w, const struct route *r)
{
    const char *ok = r->flags & ROUTE_CREATES ? "201" : "200";
    char name[64];

    switch (r->answer) {
    case ANSWER_LIST:
        write_page(w, listed_kind(r));
        response(w, "304", "Nothing has changed.", NULL, NULL);
        break;
    case ANSWER_OBJECT:
        if ((r->flags & ROUTE_DRY_RUN) && !(r->flags & ROUTE_CREATES))
            patched(w, r, ok, openapi_name(r->kind, name));
        else
            response(w, ok, "The object.", "application/json", openapi_name(r->kind, name));
        if (r->flags & ROUTE_ETAG)
            response(w, "304", "Nothing has changed.", NULL, NULL);
        if (r->operation && !r->operation->streams)
            response(w, "202", "The task, which goes on.", "application/json", "Task");
        if ((r->flags & ROUTE_CREATES) && (r->flags & ROUTE_DRY_RUN))
            response(w, "200", "What would be done.", "application/json", "Plan");
        break;
    case ANSWER_TASK:
        response(w, "202", "The task, which goes on.", "application/json", "Task");
        either(w, "200", "The finished task (Prefer: wait), or what would be done (dry_run).",
               "Task", "Plan");
        break;
    case ANSWER_NONE:
        response(w, "204", "Done.", NULL, NULL);
        if (r->flags & ROUTE_DRY_RUN)
            response(w, "200", "What would be done.", "application/json", "Plan");
        break;
    case ANSWER_TEXT:
        response(w, "200", "Text.", "text/plain", "Anything");
        break;
    case ANSWER_STREAM:
        response(w, "200", "Events.", "text/event-stream", "Anything");
        break;
    case ANSWER_FILE:
        response(w, "200", "The file.", "application/octet-stream", "Anything");
        if (r->flags & ROUTE_RANGE)
            response(w, "206", "The part of it that was asked for.", "application/octet-stream", "Anything");
        break;
    case ANSWER_IMAGE:
        response(w, "200", "The image.", "image/png", "Anything");
        break;
    case ANSWER_JSON:
        if (is_health(r))
            write_health(w, ok);
        else
            response(w, ok, "The answer.", "application/json", r->schema);
        if (r->flags & ROUTE_ETAG)
            response(w, "304", "Nothing has changed.", NULL, NULL);
        break;
    }
}

/* Statuses of problems that any route of this form can answer with, beside its own. */
static void write_problems(struct jsonw *w, const struct route *r)
{
    char all[96], status[4];
    const char *more = r->statuses ? r->statuses : "";

    snprintf(all, sizeof(all), "400 %s%s%s500 503 ",
             r->permission == PERM_PUBLIC ? "" : "401 403 429 ", r->body ? "413 415 422 " : "",
             r->flags & ROUTE_IDEMPOTENT ? "409 422 " : "");
    for (int pass = 0; pass < 2; pass++) {
        for (const char *p = pass ? more : all; strlen(p) >= 3; p += 4) {
            const char *said = strstr(all, (memcpy(status, p, 3), status[3] = '\0', status));

            if ((pass == 0 && said == p) || (pass == 1 && !said)) {
                if (r->answer == ANSWER_TEXT && strcmp(status, "503") == 0)
                    response(w, status, "Not now.", NULL, NULL);
                else if (is_health(r) && strcmp(status, "503") == 0)
                    write_health(w, status);
                else
                    response(w, status, "Problem.", "application/problem+json", "Problem");
            }
            if (p[3] == '\0')
                break;
        }
    }
}

static void operation_id(const struct route *r, char out[160])
{
    size_t n = 0;
    bool upper = false;

    for (const char *p = r->method; *p; p++)
        out[n++] = (char)tolower((unsigned char)*p);
    for (const char *p = str_starts(r->pattern, API_BASE) ? r->pattern + strlen(API_BASE)
                                                          : r->pattern;
         *p && n < 158; p++) {
        if (!isalnum((unsigned char)*p)) {
            upper = true;
            continue;
        }
        out[n++] = (char)(upper ? toupper((unsigned char)*p) : *p);
        upper = false;
    }
    out[n] = '\0';
}

static void write_route(struct jsonw *w, const struct route *r)
{
    char method[8] = "", id[160];

    for (size_t i = 0; r->method[i] && i < sizeof(method) - 1; i++)
        method[i] = (char)tolower((unsigned char)r->method[i]);
    operation_id(r, id);
    jsonw_object(w, method);
    jsonw_str(w, "operationId", id);
    jsonw_str(w, "summary", r->doc);
    if (r->operation) {
        jsonw_str(w, "x-operation", r->operation->name);
        jsonw_str(w, "x-title", r->operation->title);
    }
    if (r->permission == PERM_PUBLIC) {
        jsonw_array(w, "security");
        jsonw_end(w);
    } else {
        jsonw_str(w, "x-permission", model_permission_text(r->permission));
    }
    if (r->flags & ROUTE_LIVE)
        jsonw_bool(w, "x-live", true);
    write_parameters(w, r);
    write_body(w, r);
    jsonw_object(w, "responses");
    write_good_answer(w, r);
    write_problems(w, r);
    jsonw_end(w);
    jsonw_end(w);
}

static int by_pattern(const void *a, const void *b)
{
    const struct route *const *x = a, *const *y = b;
    int c = strcmp((*x)->pattern, (*y)->pattern);

    return c ? c : strcmp((*x)->method, (*y)->method);
}

static int write_paths(struct jsonw *w, struct api *a, struct pv_err *err)
{
    const struct route **sorted = arena_alloc(a->arena, a->nroutes * sizeof(const struct route *));
    size_t n = 0;

    if (!sorted)
        return pv_fail(err, PV_ENOMEM, "no memory for the API description");
    for (size_t i = 0; i < a->nroutes; i++)
        if (!(a->routes[i].flags & ROUTE_PAGE))
            sorted[n++] = &a->routes[i];
    qsort(sorted, n, sizeof(const struct route *), by_pattern);
    jsonw_object(w, "paths");
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || strcmp(sorted[i]->pattern, sorted[i - 1]->pattern) != 0) {
            if (i > 0)
                jsonw_end(w);
            jsonw_object(w, sorted[i]->pattern);
        }
        write_route(w, sorted[i]);
    }
    jsonw_end(w);
    jsonw_end(w);
    return PV_OK;
}

/* What people are told, for whoever shows it in another language: titles of problems, and sentences
 * (members *_text). */
static void write_texts(struct jsonw *w)
{
    jsonw_object(w, "x-problems");
    for (const struct pv_problem *p = pv_problems(); p->code; p++)
        jsonw_str(w, p->code, p->title);
    jsonw_end(w);
    jsonw_object(w, "x-metrics");
    metrics_write(w);
    jsonw_end(w);
    jsonw_object(w, "x-texts");
    for (const struct text *t = texts_all(); t->code; t++)
        if (t->english[0])
            texts_write_named(w, t->code, t);
    jsonw_end(w);
}

int openapi_build(struct api *a, struct pv_err *err)
{
    struct jsonw w;
    int rc;

    jsonw_init(&w, &a->openapi);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "openapi", "3.1.0");
    jsonw_object(&w, "info");
    jsonw_str(&w, "title", "Polyvisor");
    jsonw_str(&w, "version", PV_VERSION);
    jsonw_str(&w, "description", "Hyper-V and VMware vSphere side by side.");
    jsonw_object(&w, "license");
    jsonw_str(&w, "name", "Apache-2.0");
    jsonw_str(&w, "identifier", "Apache-2.0");
    jsonw_end(&w);
    jsonw_end(&w);
    jsonw_array(&w, "security");
    jsonw_object(&w, NULL);
    jsonw_array(&w, "token");
    jsonw_end(&w);
    jsonw_end(&w);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "cookie");
    jsonw_end(&w);
    jsonw_end(&w);
    jsonw_end(&w);
    rc = write_paths(&w, a, err);
    if (rc == PV_OK)
        rc = openapi_components(&w, a->arena, err);
    if (rc != PV_OK)
        return rc;
    write_texts(&w);
    jsonw_end(&w);
    return buf_ok(&a->openapi) ? PV_OK : pv_fail(err, PV_ENOMEM, "the API description is too long");
}
