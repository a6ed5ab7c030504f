/* SPDX-License-Identifier: Apache-2.0 */
/* Providers and drivers: what is connected, through what, and what works there. */
#include "server/api/internal.h"

#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define MEMBERS_MAX 64

static const struct model_param tls_members[] = {
    { .name = "mode", .type = PARAM_ENUM, .enum_id = PV_ENUM_tls_mode, .doc = "How the certificate is checked." },
    { .name = "ca_pem", .type = PARAM_TEXT, .nullable = true, .max = 65536, .doc = "Authorities to trust instead of the system's." },
    { .name = "pins", .type = PARAM_LIST, .max = 8, .doc = "SHA-256 of certificates to trust, hex." },
    { 0 },
};

#define CONNECTION_PARAMS                                                                                   \
    { .name = "driver", .type = PARAM_TEXT, .required = true, .min = 1, .max = 32, .doc = "Driver: vapi, sim ..." },   \
    { .name = "endpoint", .type = PARAM_TEXT, .max = 1024, .doc = "Address: https://vcenter.example.com/sdk" },        \
    { .name = "username", .type = PARAM_TEXT, .nullable = true, .max = 256, .doc = "Account to sign in with." },       \
    { .name = "password", .type = PARAM_SECRET, .nullable = true, .max = 2900, .doc = "Its password, or the private key (PEM) of a client certificate; never read out." }, \
    { .name = "settings", .type = PARAM_OBJECT, .doc = "Settings by the driver's schema." },                           \
    { .name = "tls", .type = PARAM_OBJECT, .members = tls_members, .doc = "How its certificate is checked." }

static const struct model_param limit_members[] = {
    { .name = "max_concurrent_tasks", .type = PARAM_INT, .min = 1, .max = 256, .doc = "Writes at once." },
    { 0 },
};
static const struct model_param other_members[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 256, .doc = "Name, unique." },
    { .name = "endpoint", .type = PARAM_TEXT, .required = true, .min = 1, .max = 1024, .doc = "Its address." },
    { .name = "tls", .type = PARAM_OBJECT, .members = tls_members, .doc = "How its certificate is checked; else as the first's." },
    { 0 },
};
static const struct model_param create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 256, .doc = "Name, unique." },
    CONNECTION_PARAMS,
    { .name = "limits", .type = PARAM_OBJECT, .members = limit_members, .doc = "Limits of ours towards it." },
    { .name = "notes", .type = PARAM_TEXT, .max = 4096, .doc = "Our notes." },
    { .name = "members", .type = PARAM_LIST, .max = MEMBERS_MAX, .members = other_members,
      .doc = "Providers to add with it, with the same driver, account and settings: the other nodes of its cluster. All or none." },
    { 0 },
};
static const struct model_param change_body[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 256, .doc = "Name, unique." },
    { .name = "endpoint", .type = PARAM_TEXT, .max = 1024, .doc = "Address." },
    { .name = "username", .type = PARAM_TEXT, .nullable = true, .max = 256, .doc = "Account to sign in with." },
    { .name = "password", .type = PARAM_SECRET, .nullable = true, .max = 2900, .doc = "Its password, or the private key (PEM) of a client certificate; never read out." },
    { .name = "settings", .type = PARAM_OBJECT, .doc = "Settings, merged." },
    { .name = "tls", .type = PARAM_OBJECT, .members = tls_members, .doc = "How its certificate is checked." },
    { .name = "limits", .type = PARAM_OBJECT, .members = limit_members, .doc = "Limits of ours towards it." },
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "Our notes." },
    { 0 },
};
static const struct model_param probe_body[] = {
    { .name = "name", .type = PARAM_TEXT, .max = 256, .doc = "Name it shall have." },
    CONNECTION_PARAMS,
    { 0 },
};
static const struct model_param delete_query[] = {
    { .name = "force", .type = PARAM_BOOL, .doc = "Also while tasks run." },
    { 0 },
};

/* pins[] must be 64 hex digits; they are kept in lower case. */
static int check_pins(const json_t *body, struct pv_err *err)
{
    json_t *pins = json_object_get(json_object_get(body, "tls"), "pins");

    for (size_t i = 0; i < json_array_size(pins); i++) {
        const char *pin = json_string_value(json_array_get(pins, i));
        char lower[65];

        if (!pin || strlen(pin) != 64 || strspn(pin, "0123456789abcdefABCDEF") != 64) {
            pv_fail_as(err, "validation-failed", "pins: a pin is the SHA-256 of a certificate, 64 hex digits");
            pv_err_pointer(err, "/tls/pins/%zu", i);
            return PV_EINVAL;
        }
        for (size_t k = 0; k <= 64; k++)
            lower[k] = pin[k] >= 'A' && pin[k] <= 'F' ? (char)(pin[k] + 32) : pin[k];
        json_array_set_new(pins, i, json_string(lower));
    }
    return PV_OK;
}

/* A URL of a scheme that drivers speak, or a bare host; never an address where machines keep their own secrets. */
static int check_endpoint(const json_t *body, struct pv_err *err)
{
    static const char *const schemes[] = { "https://", "http://", "sim://", "example://" };
    static const char *const never[] = { "169.254.", "[fe80:", "metadata.google.internal", "100.100.100.200" };
    const char *endpoint = json_string_value(json_object_get(body, "endpoint"));
    const char *host = endpoint;
    const char *why = NULL;

    if (!endpoint || !*endpoint)
        return PV_OK;
    if (strstr(endpoint, "://")) {
        host = NULL;
        for (size_t i = 0; i < PV_COUNT(schemes); i++)
            if (str_starts(endpoint, schemes[i]))
                host = endpoint + strlen(schemes[i]);
        if (!host)
            why = "this kind of address is not supported; say https://host/...";
    }
    if (!why && (!*host || strpbrk(endpoint, " \t\"<>\\^`{|}")))
        why = "this is not an address; say https://host/... or a host name";
    for (size_t i = 0; !why && i < PV_COUNT(never); i++)
        if (strncasecmp(host, never[i], strlen(never[i])) == 0)
            why = "link-local and metadata addresses are refused: they may hold secrets of this machine";
    if (!why)
        return PV_OK;
    pv_fail_as(err, "validation-failed", "endpoint: %s", why);
    pv_err_pointer(err, "/endpoint");
    return PV_EINVAL;
}

/* What the tables of members cannot say. */
static int check_connection(const json_t *body, struct pv_err *err)
{
    int rc = check_pins(body, err);

    return rc == PV_OK ? check_endpoint(body, err) : rc;
}

/* The password leaves the body for good; *sealed is NULL when there is none. */
static int seal_password(struct req *r, json_t *body, const struct pv_id *id, char **sealed, struct pv_err *err)
{
    const char *password = json_string_value(json_object_get(body, "password"));
    int rc;

    *sealed = NULL;
    if (!password)
        return PV_OK;
    rc = auth_seal(api_of(r)->auth, PV_KIND_provider, id, F(provider, password), password, sealed, err);
    json_object_del(body, "password");
    return rc;
}

static int create_one(struct req *r, json_t *body, const struct pv_id *id, const struct core_options *o,
                      struct pv_err *err)
{
    struct core_actor by = actor_of(r);
    const char *driver = json_string_value(json_object_get(body, "driver"));
    char *sealed = NULL;
    int rc = seal_password(r, body, id, &sealed, err);

    if (rc == PV_OK)
        rc = core_provider_create(api_of(r)->core, &by, id, body, sealed, strcmp(driver, "sim") == 0, o, err);
    auth_wipe_free(sealed);
    return rc;
}

/* The body of a member: that of the first with its own name and address. */
static json_t *member_body(const json_t *first, const json_t *member)
{
    json_t *body = json_deep_copy(first);
    const char *name;
    json_t *v;

    json_object_del(body, "members");
    json_object_foreach ((json_t *)member, name, v)
        json_object_set(body, name, v);
    return body;
}

static bool name_twice(const json_t *body, const json_t *members, size_t nth)
{
    const char *name = json_string_value(json_object_get(json_array_get(members, nth), "name"));

    for (size_t i = 0; i < nth; i++)
        if (strcasecmp(name, json_string_value(json_object_get(json_array_get(members, i), "name"))) == 0)
            return true;
    return strcasecmp(name, json_string_value(json_object_get(body, "name"))) == 0;
}

/* Would all of them be accepted? Nothing is made. */
static int check_members(struct req *r, const json_t *members, struct pv_err *err)
{
    struct core_options o = { .dry_run = true };
    int rc = PV_OK;

    for (size_t i = 0; i < json_array_size(members) && rc == PV_OK; i++) {
        json_t *body = member_body(r->json, json_array_get(members, i));
        struct pv_id id;

        id_make(&id);
        rc = check_connection(body, err);
        if (rc == PV_OK && name_twice(r->json, members, i))
            rc = pv_fail(err, PV_EEXIST, "two of them have the name %s", json_string_value(json_object_get(body, "name")));
        if (rc == PV_OK)
            rc = create_one(r, body, &id, &o, err);
        if (rc != PV_OK)
            pv_err_pointer(err, "/members/%zu", i);
        json_decref(body);
    }
    return rc;
}

/* The members first, then the one that was asked for; when one fails, those made before go again. */
static int create_all(struct req *r, json_t *members, const struct pv_id *first, const struct core_options *o,
                      struct pv_err *err)
{
    struct core_options plain = { .dry_run = o->dry_run };
    struct core_actor by = actor_of(r);
    struct pv_id made[MEMBERS_MAX];
    size_t n = 0;
    int rc = check_members(r, members, err);

    for (; n < json_array_size(members) && rc == PV_OK; n++) {
        json_t *body = member_body(r->json, json_array_get(members, n));

        id_make(&made[n]);
        rc = create_one(r, body, &made[n], &plain, err);
        json_decref(body);
        if (rc != PV_OK)
            break;
    }
    if (rc == PV_OK)
        rc = create_one(r, r->json, first, o, err);
    while (rc != PV_OK && !o->dry_run && n > 0)
        (void)core_provider_delete(api_of(r)->core, &by, &made[--n], true, &plain, NULL);
    return rc;
}

static enum req_result provider_create(struct req *r)
{
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;
    json_t *members;
    int rc;

    if (options_read(r, r->route->kind, &o, &err) != PV_OK || check_connection(r->json, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    id_make(&id);
    members = json_incref(json_object_get(r->json, "members"));
    json_object_del(r->json, "members");
    rc = create_all(r, members, &id, &o, &err);
    json_decref(members);
    if (rc != PV_OK)
        return reply_problem(r, &err);
    if (o.dry_run) {
        struct jsonw *w = reply_json(r, 200);

        jsonw_object(w, NULL);
        jsonw_bool(w, "ok", true);
        jsonw_bool(w, "changed", true);
        jsonw_array(w, "findings");
        jsonw_end(w);
        jsonw_array(w, "plan");
        jsonw_end(w);
        jsonw_end(w);
        return reply_send(r);
    }
    return object_reply(r, 201, PV_KIND_provider, &id);
}

static enum req_result provider_change(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;
    char *sealed = NULL;
    int rc = object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err);

    if (rc == PV_OK)
        rc = options_read(r, r->route->kind, &o, &err);
    if (rc == PV_OK)
        rc = check_connection(r->json, &err);
    if (rc == PV_OK)
        rc = seal_password(r, r->json, &id, &sealed, &err);
    if (rc == PV_OK)
        rc = core_provider_change(api_of(r)->core, &by, &id, r->json, sealed, &o, &err);
    auth_wipe_free(sealed);
    return rc == PV_OK ? object_reply(r, 200, PV_KIND_provider, &id) : reply_problem(r, &err);
}

static void provider_delete_work(struct req *r)
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;
    bool force = false;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, r->route->kind, &o, &err) != PV_OK || query_bool(r, "force", &force, &err) != PV_OK ||
        core_provider_delete(api_of(r)->core, &by, &id, force, &o, &err) != PV_OK)
        reply_problem(r, &err);
    else
        reply_empty(r, 204);
}

/* A large inventory takes seconds to delete. */
static enum req_result provider_delete(struct req *r)
{
    return req_run_slow(r, provider_delete_work);
}

/* Findings of a probe are an array; the answer says first whether all went well. */
static void probed(void *ctx, int rc, const char *json, const struct pv_err *err)
{
    struct req *r = ctx;
    json_t *findings = rc == PV_OK ? json_loads(json, 0, NULL) : NULL;
    bool ok = true;

    if (rc != PV_OK) {
        reply_problem(r, err);
    } else {
        struct jsonw *w = reply_json(r, 200);
        size_t i;
        json_t *f;

        json_array_foreach(findings, i, f)
            ok = ok && json_is_true(json_object_get(f, "ok"));
        jsonw_object(w, NULL);
        jsonw_bool(w, "ok", ok);
        jsonw_raw(w, "findings", json, strlen(json));
        jsonw_end(w);
        reply_send(r);
    }
    json_decref(findings);
    req_finish(r);
}

static enum req_result provider_probe(struct req *r)
{
    struct pv_err err = { 0 };

    if (check_connection(r->json, &err) != PV_OK || core_probe(api_of(r)->core, r->json, probed, r, &err) != PV_OK)
        return reply_problem(r, &err);
    return REQ_LATER;
}

static enum req_result provider_doctor(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        core_provider_doctor(api_of(r)->core, &id, probed, r, &err) != PV_OK)
        return reply_problem(r, &err);
    return REQ_LATER;
}

static enum req_result provider_capabilities(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;
    struct jsonw *w;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    if (core_capabilities_json(api_of(r)->core, &id, w, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result drivers_list(struct req *r)
{
    struct pv_err err = { 0 };
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    if (core_drivers_json(api_of(r)->core, NULL, w, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result driver_get(struct req *r)
{
    struct pv_err err = { 0 };

    if (core_drivers_json(api_of(r)->core, req_param(r, "name"), reply_json(r, 200), &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_send(r);
}

const struct route provider_routes[] = {
    { .method = "GET", .pattern = API_BASE "/drivers", .permission = PERM_PROVIDER_READ, .handler = drivers_list,
      .answer = ANSWER_JSON, .schema = "Drivers", .doc = "Drivers that are there, with what they can do." },
    { .method = "GET", .pattern = API_BASE "/drivers/{name}", .permission = PERM_PROVIDER_READ, .handler = driver_get,
      .answer = ANSWER_JSON, .schema = "Driver", .statuses = "404", .doc = "One driver." },
    { .method = "POST", .pattern = API_BASE "/providers", .permission = PERM_PROVIDER_MANAGE,
      .handler = provider_create, .answer = ANSWER_OBJECT, .body = create_body,
      .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN, .statuses = "409", .max_body = 256u << 10,
      .doc = "Connect to a vCenter, a host, a simulation. Reading its inventory starts at once." },
    { .method = "PATCH", .pattern = API_BASE "/providers/{id}", .permission = PERM_PROVIDER_MANAGE,
      .handler = provider_change, .answer = ANSWER_OBJECT, .body = change_body,
      .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH | ROUTE_DRY_RUN, .statuses = "404 409 412", .max_body = 256u << 10,
      .doc = "Change a connection; it is made again where that matters." },
    { .method = "DELETE", .pattern = API_BASE "/providers/{id}", .permission = PERM_PROVIDER_MANAGE,
      .handler = provider_delete, .answer = ANSWER_NONE, .query = delete_query, .flags = ROUTE_IF_MATCH | ROUTE_DRY_RUN,
      .statuses = "404 409 412", .doc = "Forget a provider and its inventory; nothing is changed there." },
    { .method = "POST", .pattern = API_BASE "/providers/probe", .permission = PERM_PROVIDER_MANAGE,
      .handler = provider_probe, .answer = ANSWER_JSON, .schema = "Findings", .body = probe_body,
      .flags = ROUTE_LIVE | ROUTE_NO_AUDIT, .statuses = "502 503 504", .max_body = 256u << 10,
      .doc = "Try a connection step by step; nothing is stored." },
    { .method = "GET", .pattern = API_BASE "/providers/{id}/doctor", .permission = PERM_PROVIDER_MANAGE,
      .handler = provider_doctor, .answer = ANSWER_JSON, .schema = "Findings", .flags = ROUTE_LIVE,
      .statuses = "404 409 502 503 504", .doc = "The same for a provider that is stored." },
    { .method = "GET", .pattern = API_BASE "/providers/{id}/capabilities", .permission = PERM_PROVIDER_READ,
      .handler = provider_capabilities, .answer = ANSWER_JSON, .schema = "Capabilities", .statuses = "404 409",
      .doc = "What can be done there, and why not." },
    { 0 },
};
