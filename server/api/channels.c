/* SPDX-License-Identifier: Apache-2.0 */
/* Who is told: notification targets, webhooks, and what was sent to them. */
#include "server/api/internal.h"
#include "server/core/deliveries.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#define SECRET_LEAST 16

#define COMMON                                                                                                         \
    { .name = "enabled", .type = PARAM_BOOL, .doc = "It is told; true unless given." },                                \
    { .name = "ca_pem", .type = PARAM_TEXT, .nullable = true, .max = 65536,                                            \
      .doc = "Authorities (PEM) to trust instead of the system's." },                                                  \
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "Our notes." }
#define TARGET_REST                                                                                                    \
    { .name = "severity", .type = PARAM_ENUM, .enum_id = PV_ENUM_severity, .doc = "Only alerts at least this bad." },  \
    { .name = "tell_resolved", .type = PARAM_BOOL, .doc = "The end of an alert is told, too; true unless given." },    \
    { .name = "server", .type = PARAM_TEXT, .nullable = true, .max = 256,                                              \
      .doc = "Mail, syslog: host name or address of the server." },                                                    \
    { .name = "port", .type = PARAM_INT, .nullable = true, .max = 65535,                                               \
      .doc = "Mail, syslog: its port; the usual one for the protection unless given." },                               \
    { .name = "security", .type = PARAM_ENUM, .enum_id = PV_ENUM_channel_security,                                     \
      .doc = "Mail, syslog: how the connection is protected; mail: starttls unless given, syslog: tls." },             \
    { .name = "transport", .type = PARAM_ENUM, .enum_id = PV_ENUM_syslog_transport,                                    \
      .doc = "Syslog without TLS: over TCP or UDP." },                                                                 \
    { .name = "facility", .type = PARAM_INT, .max = 23, .doc = "Syslog: number of the facility; 16 (local0) unless given." }, \
    { .name = "username", .type = PARAM_TEXT, .nullable = true, .max = 256, .doc = "Mail: account to sign in with." }, \
    { .name = "password", .type = PARAM_SECRET, .nullable = true, .max = 1024,                                         \
      .doc = "Mail: its password; never read out." },                                                                  \
    { .name = "from", .type = PARAM_TEXT, .nullable = true, .max = 320, .doc = "Mail: address it comes from." },       \
    { .name = "to", .type = PARAM_LIST, .nullable = true, .max = 32, .doc = "Mail: addresses it goes to." },           \
    { .name = "url", .type = PARAM_TEXT, .nullable = true, .max = 2048, .doc = "Webhook: address that is posted to." }, \
    { .name = "secret", .type = PARAM_SECRET, .nullable = true, .min = SECRET_LEAST, .max = 256,                       \
      .doc = "Webhook: key that requests are signed with; never read out." },                                          \
    COMMON, { 0 }
#define HOOK_REST                                                                                                      \
    { .name = "event_types", .type = PARAM_LIST, .nullable = true, .max = 16,                                          \
      .doc = "Types of events, with wildcards: vm.*, task.finished; all unless given." },                              \
    { .name = "selector", .type = PARAM_TEXT, .nullable = true, .max = 4096,                                           \
      .doc = "Which events, in the filter language of the event list." },                                              \
    COMMON, { 0 }

static const struct model_param target_create[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name, unique." },
    { .name = "type", .type = PARAM_ENUM, .required = true, .enum_id = PV_ENUM_target_type, .doc = "How it is told; it stays." },
    TARGET_REST,
};
static const struct model_param target_change[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Name, unique." },
    TARGET_REST,
};
static const struct model_param hook_create[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name, unique." },
    { .name = "url", .type = PARAM_TEXT, .required = true, .min = 1, .max = 2048, .doc = "Address that is posted to." },
    { .name = "secret", .type = PARAM_SECRET, .required = true, .min = SECRET_LEAST, .max = 256,
      .doc = "Key that requests are signed with; never read out." },
    HOOK_REST,
};
static const struct model_param hook_change[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Name, unique." },
    { .name = "url", .type = PARAM_TEXT, .min = 1, .max = 2048, .doc = "Address that is posted to." },
    { .name = "secret", .type = PARAM_SECRET, .min = SECRET_LEAST, .max = 256,
      .doc = "Another key that requests are signed with." },
    HOOK_REST,
};
static const struct model_param nothing[] = { { 0 } };

/* ------------------------------------------------------------------ secrets */

static const char *const secret_names[] = { "password", "secret" };

/* Clear text leaves the body for good: what is handed on is sealed for this row and field. */
static int seal_secrets(struct req *r, const struct pv_id *id, struct pv_err *err)
{
    const struct model_kind *kind = r->route->kind;
    int rc = PV_OK;

    for (size_t i = 0; i < PV_COUNT(secret_names) && rc == PV_OK; i++) {
        const char *clear = json_string_value(json_object_get(r->json, secret_names[i]));
        const struct model_field *f = model_field(kind, secret_names[i], strlen(secret_names[i]));
        char *sealed = NULL;

        if (!clear || !f)
            continue;
        rc = auth_seal(api_of(r)->auth, kind->number, id, f->index, clear, &sealed, err);
        if (rc == PV_OK && json_object_set_new(r->json, secret_names[i], json_string(sealed)) != 0)
            rc = pv_fail(err, PV_ENOMEM, "no memory for a secret");
        free(sealed);
    }
    return rc;
}

/* ------------------------------------------------------------------ previews */

static void write_after(struct jsonw *w, const struct req *r)
{
    const char *name;
    json_t *value;

    jsonw_object(w, "after");
    json_object_foreach(r->json, name, value) {
        bool hidden = false;
        char *dump;

        for (size_t i = 0; i < PV_COUNT(secret_names); i++)
            hidden = hidden || strcmp(name, secret_names[i]) == 0;
        dump = hidden ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (dump)
            jsonw_raw(w, name, dump, strlen(dump));
        free(dump);
    }
    jsonw_end(w);
}

static void write_before(struct jsonw *w, const struct req *r, const struct model_row *row)
{
    const char *name;
    json_t *value;

    jsonw_object(w, "before");
    json_object_foreach(r->json, name, value) {
        const struct model_field *f = model_field(row->kind, name, strlen(name));

        if (f && !(f->flags & MODEL_SECRET))
            model_write_value(w, name, f, model_get(row, f->index));
    }
    jsonw_end(w);
}

/* id NULL: it would be made. */
static enum req_result plan_reply(struct req *r, const struct pv_id *id, const char *verb, bool changed)
{
    const struct model_kind *kind = r->route->kind;
    const struct model_shape *shape;
    struct model_row *row = NULL;
    struct pv_err err = { 0 };
    char text[PV_ID_TEXT];
    struct jsonw *w;

    if (id && (model_shape_make(kind, NULL, MODEL_VIEW_FULL, r->arena, &shape, &err) != PV_OK ||
               store_row_get(api_of(r)->store, shape, id, r->arena, &row, &err) != PV_OK))
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_bool(w, "ok", true);
    jsonw_bool(w, "changed", changed);
    jsonw_array(w, "findings");
    jsonw_end(w);
    jsonw_array(w, "plan");
    jsonw_object(w, NULL);
    jsonw_strf(w, "operation", "%s.%s", kind->name, verb);
    if (row) {
        model_id_text(kind->number, id, text);
        jsonw_object(w, "ref");
        jsonw_str(w, "kind", kind->name);
        jsonw_str(w, "id", text);
        jsonw_str(w, "name", model_text(row, model_field(kind, "name", 4)->index));
        jsonw_end(w);
    }
    if (row && r->json)
        write_before(w, r, row);
    if (r->json)
        write_after(w, r);
    jsonw_array(w, "native_calls");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ targets and webhooks */

static enum req_result channel_create(struct req *r)
{
    const struct model_kind *kind = r->route->kind;
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (options_read(r, kind, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    id_make(&id);
    if (seal_secrets(r, &id, &err) != PV_OK ||
        core_channel_create(api_of(r)->core, &by, kind->number, &id, r->json, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return o.dry_run ? plan_reply(r, NULL, "create", true) : object_reply(r, 201, kind->number, &id);
}

static enum req_result channel_change(struct req *r)
{
    const struct model_kind *kind = r->route->kind;
    struct core_actor by = actor_of(r);
    bool changed = false;
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, kind, &o, &err) != PV_OK || seal_secrets(r, &id, &err) != PV_OK ||
        core_channel_change(api_of(r)->core, &by, kind->number, &id, r->json, &o, &changed, &err) != PV_OK)
        return reply_problem(r, &err);
    return o.dry_run ? plan_reply(r, &id, "update", changed) : object_reply(r, 200, kind->number, &id);
}

static enum req_result channel_delete(struct req *r)
{
    const struct model_kind *kind = r->route->kind;
    struct core_actor by = actor_of(r);
    bool changed = false;
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, kind, &o, &err) != PV_OK ||
        core_channel_change(api_of(r)->core, &by, kind->number, &id, NULL, &o, &changed, &err) != PV_OK)
        return reply_problem(r, &err);
    return o.dry_run ? plan_reply(r, &id, "delete", true) : reply_empty(r, 204);
}

static enum req_result channel_test(struct req *r)
{
    const struct model_kind *kind = r->route->kind;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_find(r, kind, req_param(r, "id"), &id, &err) != PV_OK ||
        core_channel_test(api_of(r)->core, kind->number, &id, live_done, r, &err) != PV_OK)
        return reply_problem(r, &err);
    return REQ_LATER;
}

/* ------------------------------------------------------------------ the log */

/* What is told through targets is for who looks after alerts, what goes to webhooks for who looks after those. */
static int log_filter(struct req *r, const struct filter **out, struct pv_err *err)
{
    bool alerts = access_everywhere(r->caller.access, PERM_ALERT_MANAGE);
    bool hooks = access_everywhere(r->caller.access, PERM_WEBHOOK_MANAGE);

    *out = NULL;
    if (!alerts && !hooks)
        return need_everywhere(r, PERM_ALERT_MANAGE, err);
    if (alerts && hooks)
        return PV_OK;
    return filter_parse(model_kind(PV_KIND_delivery), alerts ? "webhook:null" : "target:null", 0, r->arena, out, err);
}

static enum req_result reply_log(struct req *r, const struct filter *also)
{
    const struct filter *mine = NULL;
    struct pv_err err = { 0 };
    struct list_query l;

    if (log_filter(r, &mine, &err) != PV_OK || query_parse(r, model_kind(PV_KIND_delivery), NULL, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    l.q.filter = filter_and(r->arena, filter_and(r->arena, l.q.filter, mine), also);
    /* Seen by its own rule, which has been asked. */
    l.q.access = NULL;
    l.no_etag = true;
    return list_reply(r, &l);
}

static enum req_result delivery_list(struct req *r)
{
    return reply_log(r, NULL);
}

static enum req_result delivery_list_of(struct req *r)
{
    bool hook = strstr(r->route->pattern, "/webhooks/") != NULL;
    const struct model_kind *kind = model_kind(hook ? PV_KIND_webhook : PV_KIND_notification_target);
    const struct filter *of = NULL;
    struct pv_err err = { 0 };
    char text[PV_ID_TEXT];
    struct pv_id id;

    if (object_find(r, kind, req_param(r, "id"), &id, &err) != PV_OK)
        return reply_problem(r, &err);
    model_id_text(kind->number, &id, text);
    if (filter_equals(model_kind(PV_KIND_delivery), hook ? "webhook" : "target", text, 0, r->arena, &of, &err) != PV_OK)
        return reply_problem(r, &err);
    return reply_log(r, of);
}

/* One that the caller may see. */
static int delivery_id(struct req *r, struct pv_id *id, struct pv_err *err)
{
    const char *text = req_param(r, "id");
    const struct filter *mine = NULL;
    const struct model_shape *shape;
    struct model_row *row;
    int rc = log_filter(r, &mine, err);

    if (rc != PV_OK)
        return rc;
    if (!id_parse(model_kind(PV_KIND_delivery)->prefix, text, strlen(text), id))
        return pv_fail(err, PV_ENOENT, "there is no delivery %.64s", text);
    rc = model_shape_make(model_kind(PV_KIND_delivery), NULL, MODEL_VIEW_FULL, r->arena, &shape, err);
    if (rc == PV_OK)
        rc = store_row_get(api_of(r)->store, shape, id, r->arena, &row, err);
    if (rc == PV_OK && mine && !filter_match(mine, row))
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", model_kind(PV_KIND_delivery)->name);
    return rc;
}

static enum req_result delivery_get(struct req *r)
{
    struct pv_err err = { 0 };
    struct pv_id id;

    return delivery_id(r, &id, &err) == PV_OK ? object_reply(r, 200, PV_KIND_delivery, &id) : reply_problem(r, &err);
}

static enum req_result delivery_resend(struct req *r)
{
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (delivery_id(r, &id, &err) != PV_OK || options_read(r, model_kind(PV_KIND_delivery), &o, &err) != PV_OK ||
        core_delivery_resend(api_of(r)->core, &id, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 200, PV_KIND_delivery, &id);
}

#define LOG API_BASE "/deliveries"

/* What a notification target and a webhook both have. */
#define CHANNEL(path, may, made, changed, list_doc, create_doc, get_doc, change_doc, delete_doc, test_doc, log_doc)        \
    { .method = "GET", .pattern = path, .permission = may, .handler = object_list, .answer = ANSWER_LIST,                 \
      .doc = list_doc },                                                                                                 \
    { .method = "POST", .pattern = path, .permission = may, .handler = channel_create, .answer = ANSWER_OBJECT,           \
      .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT | ROUTE_DRY_RUN, .body = made, .statuses = "409", .doc = create_doc },     \
    { .method = "GET", .pattern = path "/{id}", .permission = may, .handler = object_get, .answer = ANSWER_OBJECT,        \
      .flags = ROUTE_ETAG, .statuses = "404 409", .doc = get_doc },                                                      \
    { .method = "PATCH", .pattern = path "/{id}", .permission = may, .handler = channel_change,                          \
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH | ROUTE_DRY_RUN, .body = changed,              \
      .statuses = "404 409 412", .doc = change_doc },                                                                    \
    { .method = "DELETE", .pattern = path "/{id}", .permission = may, .handler = channel_delete, .answer = ANSWER_NONE,   \
      .flags = ROUTE_IF_MATCH | ROUTE_DRY_RUN, .statuses = "404 409 412", .doc = delete_doc },                            \
    { .method = "POST", .pattern = path "/{id}/actions/test", .permission = may, .handler = channel_test,                \
      .answer = ANSWER_JSON, .schema = "DeliveryTest", .flags = ROUTE_LIVE, .body = nothing, .statuses = "404 409",       \
      .doc = test_doc },                                                                                                 \
    { .method = "GET", .pattern = path "/{id}/deliveries", .permission = may, .handler = delivery_list_of,                \
      .answer = ANSWER_LIST, .statuses = "404 409", .doc = log_doc }

const struct route channel_routes[] = {
    CHANNEL(API_BASE "/notification-targets", PERM_ALERT_MANAGE, target_create, target_change,
            "Channels that alerts are told through.", "Make a notification target.", "One notification target.",
            "Change a notification target.", "Delete a notification target with its log; not while a rule names it.",
            "Send a test at once, and say what became of it.", "What was sent to it."),
    CHANNEL(API_BASE "/webhooks", PERM_WEBHOOK_MANAGE, hook_create, hook_change,
            "Addresses that events are posted to.", "Make a webhook; it begins with the next event.", "One webhook.",
            "Change a webhook.", "Delete a webhook with its log.", "Post a test at once, and say what became of it.",
            "What was posted to it."),
    { .method = "GET", .pattern = LOG, .permission = PERM_NONE, .handler = delivery_list, .answer = ANSWER_LIST,
      .statuses = "403", .doc = "What was sent to targets and webhooks, as far as the caller manages them." },
    { .method = "GET", .pattern = LOG "/{id}", .permission = PERM_NONE, .handler = delivery_get,
      .answer = ANSWER_OBJECT, .flags = ROUTE_ETAG, .statuses = "403 404", .doc = "One delivery, with what was sent." },
    { .method = "POST", .pattern = LOG "/{id}/actions/resend", .permission = PERM_NONE, .handler = delivery_resend,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH, .body = nothing, .statuses = "403 404 412",
      .doc = "Send it again, after what waits; one that waits is tried now." },
    { 0 },
};
