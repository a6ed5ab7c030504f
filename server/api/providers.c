/* SPDX-License-Identifier: Apache-2.0 */
/* Providers and drivers: what is connected, through what, and what works there. */
#include "server/api/internal.h"

#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

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
static const struct model_param create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 256, .doc = "Name, unique." },
    CONNECTION_PARAMS,
    { .name = "limits", .type = PARAM_OBJECT, .members = limit_members, .doc = "Limits of ours towards it." },
    { .name = "notes", .type = PARAM_TEXT, .max = 4096, .doc = "Our notes." },
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
static int seal_password(struct req *r, const struct pv_id *id, char **sealed, struct pv_err *err)
{
    const char *password = json_string_value(json_object_get(r->json, "password"));
    int rc;

    *sealed = NULL;
    if (!password)
        return PV_OK;
    rc = auth_seal(api_of(r)->auth, PV_KIND_provider, id, F(provider, password), password, sealed, err);
    json_object_del(r->json, "password");
    return rc;
}

static enum req_result provider_create(struct req *r)
{
    struct core_actor by = actor_of(r);
    const char *driver = json_string_value(json_object_get(r->json, "driver"));
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;
    char *sealed = NULL;
    int rc;

    if (options_read(r, r->route->kind, &o, &err) != PV_OK || check_connection(r->json, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    id_make(&id);
    rc = seal_password(r, &id, &sealed, &err);
    if (rc == PV_OK)
        rc = core_provider_create(api_of(r)->core, &by, &id, r->json, sealed, strcmp(driver, "sim") == 0, &o, &err);
    auth_wipe_free(sealed);
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
        rc = seal_password(r, &id, &sealed, &err);
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
      .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .statuses = "404 409 412", .max_body = 256u << 10,
      .doc = "Change a connection; it is made again where that matters." },
    { .method = "DELETE", .pattern = API_BASE "/providers/{id}", .permission = PERM_PROVIDER_MANAGE,
      .handler = provider_delete, .answer = ANSWER_NONE, .query = delete_query, .flags = ROUTE_IF_MATCH,
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
