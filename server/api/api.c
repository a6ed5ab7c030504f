/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/internal.h"
#include "server/api/overview.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>
#include <polyvisor/workers.h>

int api_start(const struct api_config *config, struct api **out, struct pv_err *err)
{
    struct api *a = calloc(1, sizeof(*a));
    uint8_t nonce[8];
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for the API");
    a->store = config->store;
    a->core = config->core;
    a->auth = config->auth;
    a->data = config->data;
    a->started_ms = clock_wall_ms();
    id_random(nonce, sizeof(nonce));
    str_hex(nonce, sizeof(nonce), a->nonce);
    auth_derive_key(a->auth, "cursor", a->cursor_key);
    buf_init(&a->openapi, 8u << 20);
    a->arena = arena_new(256u << 10, 4u << 20);
    a->slow = workers_new("api-slow", 4, 64);
    rc = a->arena && a->slow ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the API");
    if (rc == PV_OK)
        rc = routes_build(a, err);
    if (rc == PV_OK)
        rc = openapi_build(a, err);
    if (rc == PV_OK)
        rc = tally_start(a, err);
    if (rc == PV_OK)
        rc = overview_start(a, err);
    if (rc == PV_OK)
        rc = summary_start(a, err);
    if (rc == PV_OK)
        rc = events_start(a, err);
    if (rc != PV_OK) {
        api_stop(a);
        return rc;
    }
    *out = a;
    return PV_OK;
}

void api_stop(struct api *a)
{
    if (!a)
        return;
    events_stop(a);
    tally_stop(a);
    summary_stop(a);
    overview_stop(a);
    workers_free(a->slow);
    buf_free(&a->openapi);
    arena_free(a->arena);
    free(a);
}

int api_describe(struct buf *out, struct pv_err *err)
{
    struct api a = { .arena = arena_new(256u << 10, 4u << 20) };
    int rc = a.arena ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the API");

    buf_init(&a.openapi, 8u << 20);
    if (rc == PV_OK)
        rc = routes_build(&a, err);
    if (rc == PV_OK)
        rc = openapi_build(&a, err);
    if (rc == PV_OK) {
        buf_append(out, a.openapi.data, a.openapi.len);
        rc = buf_ok(out) ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the API description");
    }
    buf_free(&a.openapi);
    arena_free(a.arena);
    return rc;
}

const struct route *api_routes(const struct api *a)
{
    return a->routes;
}

void api_set_net(struct api *a, struct net *net, const char *certificate)
{
    a->net = net;
    a->certificate = certificate;
}

void api_drain(struct api *a)
{
    __atomic_store_n(&a->draining, true, __ATOMIC_RELAXED);
}

struct slow {
    struct req *r;
    void (*work)(struct req *r);
};

static void run_slow(void *arg)
{
    struct slow *s = arg;

    s->work(s->r);
    req_finish(s->r);
}

enum req_result req_run_slow(struct req *r, void (*work)(struct req *r))
{
    struct slow *s = arena_alloc(r->arena, sizeof(*s));
    struct pv_err err = { 0 };

    if (s) {
        *s = (struct slow){ r, work };
        if (workers_submit(api_of(r)->slow, run_slow, s))
            return REQ_LATER;
    }
    pv_fail_as(&err, "rate-limited", "too many requests of this sort at once");
    return reply_problem(r, &err);
}

static bool is_safe(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 || strcmp(method, "OPTIONS") == 0;
}

/* A write that comes with a cookie must prove that our own page sent it. */
static int check_csrf(struct req *r, const struct auth_identity *who, struct pv_err *err)
{
    const char *token = req_header(r, "X-CSRF-Token");
    const char *origin = req_header(r, "Origin");
    const char *host = req_header(r, "Host");
    size_t len = strlen(who->csrf);

    if (!token || strlen(token) != len || !str_eq_const_time(token, who->csrf, len))
        return pv_fail_as(err, "forbidden", "the header X-CSRF-Token is missing or wrong; /api/v1/me tells it");
    if (origin && host) {
        const char *authority = strstr(origin, "://");

        if (!authority || strcmp(authority + 3, host) != 0)
            return pv_fail_as(err, "forbidden", "the request comes from another origin");
    }
    return PV_OK;
}

static void fill_caller(struct req *r, const struct auth_identity *who)
{
    r->caller.type = who->type;
    r->caller.id = who->id;
    r->caller.user = who->user;
    r->caller.limited = who->limited;
    r->caller.by_cookie = who->by_cookie;
    memcpy(r->caller.login_hash, who->login_hash, sizeof(who->login_hash));
    str_copy(r->caller.name, sizeof(r->caller.name), who->name);
}

static bool is_among(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

/* What the query of this route may say; lists judge their own, which has fields among it. */
static bool takes_query(const struct route *route, bool safe, const char *name)
{
    static const char *const writing[] = { "dry_run", NULL };
    static const char *const reading[] = { "fields", "view", "expand", NULL };

    for (const struct model_param *p = route->query; p && p->name; p++)
        if (strcmp(name, p->name) == 0)
            return true;
    if (strcmp(name, "fail_if_busy") == 0)
        return route->operation && !safe;
    return strcmp(name, "native") == 0 || is_among(name, safe ? reading : writing);
}

struct query_check {
    const struct req *r;
    const char *unknown;
};

static void check_word(void *ctx, const char *name, const char *value)
{
    struct query_check *c = ctx;

    (void)value;
    if (!c->unknown && !takes_query(c->r->route, is_safe(c->r->method), name))
        c->unknown = name;
}

/* A typo is not ignored: who wrote dryrun=true did not want it done. And what has no preview is not done instead of one. */
static int check_query(struct req *r, struct pv_err *err)
{
    struct query_check c = { .r = r };
    bool dry_run = false;

    if (!is_safe(r->method) || r->route->answer == ANSWER_OBJECT)
        req_query_each(r, check_word, &c);
    if (c.unknown) {
        pv_fail_as(err, "unknown-field", "%.64s: there is no such parameter here", c.unknown);
        pv_err_pointer(err, "%.64s", c.unknown);
        return err->rc;
    }
    if (is_safe(r->method) || (r->route->flags & ROUTE_DRY_RUN))
        return PV_OK;
    if (query_bool(r, "dry_run", &dry_run, err) != PV_OK)
        return err->rc;
    if (dry_run) {
        pv_fail_as(err, "invalid-request", "dry_run: there is no preview of this; nothing was done");
        pv_err_pointer(err, "dry_run");
        return err->rc;
    }
    return PV_OK;
}

int api_authorise(struct req *r, struct pv_err *err)
{
    struct api *a = api_of(r);
    struct auth_identity who = { 0 };
    struct auth_quota quota;
    int rc;

    if (r->route->permission == PERM_PUBLIC)
        return check_query(r, err);
    rc = auth_identify(a->auth, req_header(r, "Authorization"), req_cookie(r, "__Host-polyvisor"), r->address, &who, err);
    if (rc == PV_OK || who.type == PV_ACTOR_TYPE_TOKEN)
        fill_caller(r, &who);
    if (rc == PV_OK)
        rc = access_get(a->auth, &who, &r->caller.access, err);
    if (rc != PV_OK)
        return rc;
    rc = auth_rate(a->auth, &who, access_permissions(r->caller.access) == UINT64_C(1) << PERM_MONITOR_READ, &quota,
                   err);
    if (quota.burst > 0) {
        reply_headerf(r, "RateLimit-Policy", "\"caller\";q=%u;w=%u", quota.burst, quota.window_s);
        reply_headerf(r, "RateLimit", "\"caller\";r=%u;t=%u", quota.left, quota.full_s);
    }
    if (rc != PV_OK) {
        reply_headerf(r, "Retry-After", "%u", quota.retry_s);
        return rc;
    }
    if (who.by_cookie && !is_safe(r->method)) {
        rc = check_csrf(r, &who, err);
        if (rc != PV_OK)
            return rc;
    }
    rc = need_anywhere(r, r->route->permission, err);
    /* What is made and belongs nowhere needs the right on everything; the rest is asked again about its object. */
    if (rc == PV_OK && !is_safe(r->method) && !r->route->operation && !strchr(r->route->pattern, '{') &&
        !(r->route->flags & ROUTE_PLACED))
        rc = need_everywhere(r, r->route->permission, err);
    return rc == PV_OK ? check_query(r, err) : rc;
}

void api_ended(struct req *r)
{
    access_put(r->caller.access);
    r->caller.access = NULL;
}

/* The operation that a request asks for, also of many at once: the same name in tasks, rights and records. */
static const struct model_operation *asked_operation(const struct req *r)
{
    const char *action = str_ends(r->route->pattern, "/bulk") ? json_string_value(json_object_get(r->json, "action")) : NULL;

    return r->route->operation ? r->route->operation : action ? model_operation(action) : NULL;
}

/* Writes that core or auth record in their own transaction are not recorded again; refusals are. */
static void audit(struct req *r, int status)
{
    const struct model_operation *op = asked_operation(r);
    bool dry_run = false;
    struct api *a = api_of(r);
    char id[PV_ID_TEXT] = "", session[AUDIT_SESSION];
    struct audit_entry e = {
        .actor_type = r->caller.type,
        .actor_id = id,
        .actor_name = r->caller.name,
        .address = r->address,
        .action = op ? op->name : arena_printf(r->arena, "%s %s", r->method, r->route->pattern),
        .subject = r->path,
        .request_id = r->request_id,
        .outcome = status < 400 ? PV_OUTCOME_ALLOWED
                   : status == 401 || status == 403 || r->caller.denied ? PV_OUTCOME_DENIED : PV_OUTCOME_FAILED,
        .detail_json = r->made ? arena_printf(r->arena, "{\"status\":%d,\"made\":\"%s\"}", status, r->made)
                               : arena_printf(r->arena, "{\"status\":%d}", status),
        .session = session,
    };

    /* Nothing but a route that takes it obeys it, and what cannot be read was refused. */
    e.dry_run = (r->route->flags & ROUTE_DRY_RUN) && query_bool(r, "dry_run", &dry_run, NULL) == PV_OK && dry_run;
    audit_session_text(r->caller.by_cookie, r->caller.login_hash, session);
    if (!id_is_zero(&r->caller.id))
        model_id_text(r->caller.type == PV_ACTOR_TYPE_TOKEN ? PV_KIND_token : PV_KIND_user, &r->caller.id, id);
    if (e.action && e.detail_json && audit_write_later(a->auth, &e, NULL) != PV_OK)
        log_msg(PV_LOG_ERROR, "audit.lost", "action=\"%s\" status=%d", e.action, status);
}

void api_finished(struct req *r, int status, int64_t took_us)
{
    (void)took_us;
    if (!r->route || r->recorded)
        return;
    /* Strangers without credentials cannot fill the database: only sign-ins and callers we know are recorded. */
    if (status == 401 && r->route->permission != PERM_PUBLIC)
        return;
    if ((!is_safe(r->method) && !(r->route->flags & ROUTE_NO_AUDIT)) || (r->route->flags & ROUTE_AUDIT) || status == 403 || r->caller.denied)
        audit(r, status);
}
