/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts and the rules that find them. */
#include "server/api/internal.h"
#include "server/core/alerts.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#define SHOWN 20    /* of what a rule finds, in a test */

static const char *const severities[] = { "info", "warning", "error", NULL };

#define MEANING(of_needed)                                                                         \
    { .name = "of", .type = PARAM_TEXT, .required = of_needed, .min = 1, .max = 32,                \
      .doc = "Kind of the objects: vm, host, datastore, snapshot, provider, task." },              \
    { .name = "filter", .type = PARAM_TEXT, .nullable = true, .max = 4096,                         \
      .doc = "Which of them, in the filter language." },                                           \
    { .name = "metric", .type = PARAM_TEXT, .nullable = true, .max = 64,                           \
      .doc = "A metric that is compared as well, or free_pct of datastores." },                    \
    { .name = "below", .type = PARAM_INT, .nullable = true, .doc = "The metric is below this." },  \
    { .name = "above", .type = PARAM_INT, .nullable = true, .doc = "The metric is above this." }
#define REST                                                                                       \
    { .name = "severity", .type = PARAM_TEXT, .choices = severities, .doc = "How bad it is." },    \
    { .name = "enabled", .type = PARAM_BOOL, .doc = "It is watched for; true unless given." },     \
    { .name = "for_s", .type = PARAM_INT, .max = 86400,                                            \
      .doc = "Seconds it must hold before there is an alert." },                                   \
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096,                          \
      .doc = "What to do about it." },                                                             \
    { .name = "notify", .type = PARAM_ENUM, .enum_id = PV_ENUM_notify,                             \
      .doc = "Who is told: all notification targets (unless given), none, or the chosen ones." },  \
    { .name = "targets", .type = PARAM_LIST, .ref = PV_KIND_notification_target, .max = 100,       \
      .doc = "Ids of the chosen notification targets." },                                          \
    { 0 }

static const struct model_param create_body[] = {
    { .name = "name", .type = PARAM_TEXT, .required = true, .min = 1, .max = 128, .doc = "Name, unique." },
    MEANING(true), REST,
};
static const struct model_param change_body[] = {
    { .name = "name", .type = PARAM_TEXT, .min = 1, .max = 128, .doc = "Name, unique." },
    MEANING(false), REST,
};
#define SILENCE(needed)                                                                            \
    { .name = "name", .type = PARAM_TEXT, .required = needed, .min = 1, .max = 128, .doc = "Name." }, \
    { .name = "of", .type = PARAM_TEXT, .required = needed, .min = 1, .max = 32,                   \
      .doc = "Kind of the objects: vm, host, provider. What is part of them or lies in them is silent " \
             "with them: snapshots of a VM, everything of a provider." },                          \
    { .name = "filter", .type = PARAM_TEXT, .required = needed, .min = 1, .max = 4096,             \
      .doc = "Which of them, in the filter language; looked at again while it lasts." },           \
    { .name = "rule", .type = PARAM_ID, .ref = PV_KIND_alert_rule, .nullable = true,               \
      .doc = "Only what this rule finds; empty: whatever is found." },                             \
    { .name = "starts_at", .type = PARAM_TIME, .doc = "When it begins; now unless given." },       \
    { .name = "ends_at", .type = PARAM_TIME, .required = needed, .doc = "When it ends; within a year." }, \
    { .name = "notes", .type = PARAM_TEXT, .nullable = true, .max = 4096, .doc = "Why." },         \
    { 0 }

static const struct model_param silence_create_body[] = { SILENCE(true) };
static const struct model_param silence_change_body[] = { SILENCE(false) };
static const struct model_param test_body[] = { MEANING(true), { 0 } };
static const struct model_param nothing[] = { { 0 } };
static const struct model_param take_note_body[] = {
    { .name = "owner", .type = PARAM_TEXT, .max = 256, .doc = "Who looks after it; the caller unless given." },
    { .name = "note", .type = PARAM_TEXT, .max = 1024, .doc = "What is to be said about it." },
    { 0 },
};
static const struct model_param silence_body[] = {
    { .name = "until", .type = PARAM_TEXT, .nullable = true, .max = 40, .doc = "Time it ends; null ends it at once." },
    { .name = "for_s", .type = PARAM_INT, .min = 1, .max = 31536000, .doc = "Seconds from now, instead of `until`." },
    { .name = "note", .type = PARAM_TEXT, .max = 1024, .doc = "Why." },
    { 0 },
};

/* ------------------------------------------------------------------ rules */

/* Rules and silences alike. */
static enum req_result create(struct req *r,
                              int (*make)(struct core *, const struct core_actor *, const json_t *,
                                          const struct core_options *, struct pv_id *, struct pv_err *))
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (options_read(r, r->route->kind, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    if (idempotency_replayed(r, &o))
        return REQ_DONE;
    if (make(api_of(r)->core, &by, r->json, &o, &id, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 201, r->route->kind->number, &id);
}

static enum req_result change(struct req *r, const json_t *body,
                              int (*put)(struct core *, const struct core_actor *, const struct pv_id *, const json_t *,
                                         const struct core_options *, struct pv_err *))
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, r->route->kind, &o, &err) != PV_OK ||
        put(api_of(r)->core, &by, &id, body, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return body ? object_reply(r, 200, r->route->kind->number, &id) : reply_empty(r, 204);
}

static enum req_result rule_create(struct req *r)
{
    return create(r, core_alert_rule_create);
}

static enum req_result rule_change(struct req *r)
{
    return change(r, r->json, core_alert_rule_change);
}

static enum req_result rule_delete(struct req *r)
{
    return change(r, NULL, core_alert_rule_change);
}

static enum req_result silence_create(struct req *r)
{
    return create(r, core_alert_silence_create);
}

static enum req_result silence_change(struct req *r)
{
    return change(r, r->json, core_alert_silence_change);
}

static enum req_result silence_delete(struct req *r)
{
    return change(r, NULL, core_alert_silence_change);
}

static enum req_result answer_findings(struct req *r, const struct core_rule *rule)
{
    struct core_finding *found;
    struct pv_err err = { 0 };
    size_t n = 0, seen = 0;
    struct jsonw *w;

    if (core_rule_find(api_of(r)->core, rule, r->arena, &found, &n, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (size_t i = 0; i < n; i++) {
        char id[PV_ID_TEXT];

        if (!access_sees(r->caller.access, rule->of->number, &found[i].id) || seen++ >= SHOWN)
            continue;
        model_id_text(rule->of->number, &found[i].id, id);
        jsonw_object(w, NULL);
        jsonw_str(w, "kind", rule->of->name);
        jsonw_str(w, "id", id);
        jsonw_str(w, "name", found[i].name);
        if (found[i].has_value)
            jsonw_u64(w, "value", found[i].value);
        jsonw_end(w);
    }
    jsonw_end(w);
    jsonw_u64(w, "count", seen);
    jsonw_bool(w, "cut", n == CORE_FINDINGS_MAX);
    jsonw_end(w);
    return reply_send(r);
}

static const char *member(const struct req *r, const char *name)
{
    return json_string_value(json_object_get(r->json, name));
}

/* A rule as it would be. */
static enum req_result rule_try(struct req *r)
{
    const json_t *below = json_object_get(r->json, "below"), *above = json_object_get(r->json, "above");
    struct core_rule rule = { .of = model_kind_by_name(member(r, "of")), .filter = member(r, "filter"),
                              .metric = member(r, "metric"), .has_below = json_is_integer(below),
                              .has_above = json_is_integer(above), .below = (uint64_t)json_integer_value(below),
                              .above = (uint64_t)json_integer_value(above) };

    return answer_findings(r, &rule);
}

/* A stored one, as it is. */
static enum req_result rule_test(struct req *r)
{
    const struct model_shape *shape;
    struct model_row *row;
    struct core_rule rule;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        model_shape_make(r->route->kind, NULL, MODEL_VIEW_FULL, r->arena, &shape, &err) != PV_OK ||
        store_row_get(api_of(r)->store, shape, &id, r->arena, &row, &err) != PV_OK)
        return reply_problem(r, &err);
    rule = (struct core_rule){ .of = model_kind_by_name(model_text(row, F(alert_rule, of))),
                               .filter = model_text(row, F(alert_rule, filter)),
                               .metric = model_text(row, F(alert_rule, metric)),
                               .has_below = model_get(row, F(alert_rule, below))->set,
                               .has_above = model_get(row, F(alert_rule, above))->set,
                               .below = (uint64_t)model_number(row, F(alert_rule, below)),
                               .above = (uint64_t)model_number(row, F(alert_rule, above)) };
    return answer_findings(r, &rule);
}

/* ------------------------------------------------------------------ alerts */

static enum req_result act(struct req *r, enum core_alert_action what, int64_t until_ms)
{
    struct core_actor by = actor_of(r);
    struct core_options o;
    struct pv_err err = { 0 };
    struct pv_id id;

    if (object_resolve(r, r->route->kind, req_param(r, "id"), &id, &err) != PV_OK ||
        options_read(r, r->route->kind, &o, &err) != PV_OK ||
        core_alert_act(api_of(r)->core, &by, &id, what, until_ms, member(r, "owner"), member(r, "note"), &o, &err) != PV_OK)
        return reply_problem(r, &err);
    return object_reply(r, 200, PV_KIND_alert, &id);
}

static enum req_result acknowledge(struct req *r)
{
    return act(r, ALERT_ACKNOWLEDGE, 0);
}

static enum req_result resolve(struct req *r)
{
    return act(r, ALERT_RESOLVE, 0);
}

static enum req_result silence(struct req *r)
{
    const json_t *for_s = json_object_get(r->json, "for_s");
    const char *until = member(r, "until");
    int64_t until_ms = 0;
    struct pv_err err = { 0 };

    if (until && !clock_parse(until, strlen(until), &until_ms)) {
        pv_fail_as(&err, "invalid-request", "until: a time: 2026-01-31T12:00:00Z");
        pv_err_pointer(&err, "/until");
        return reply_problem(r, &err);
    }
    if (!until && for_s)
        until_ms = clock_wall_ms() + json_integer_value(for_s) * 1000;
    return act(r, ALERT_SILENCE, until_ms);
}

#define RULES API_BASE "/alert-rules"
#define ALERTS API_BASE "/alerts"
#define SILENCES API_BASE "/alert-silences"

const struct route alert_routes[] = {
    { .method = "POST", .pattern = RULES, .permission = PERM_ALERT_MANAGE, .handler = rule_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT, .body = create_body, .statuses = "409",
      .doc = "Make a rule." },
    { .method = "PATCH", .pattern = RULES "/{id}", .permission = PERM_ALERT_MANAGE, .handler = rule_change,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .body = change_body,
      .statuses = "404 409 412", .doc = "Change a rule." },
    { .method = "DELETE", .pattern = RULES "/{id}", .permission = PERM_ALERT_MANAGE, .handler = rule_delete,
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 409 412",
      .doc = "Delete a rule of one's own; its alerts are resolved." },
    { .method = "POST", .pattern = RULES "/actions/test", .permission = PERM_ALERT_MANAGE, .handler = rule_try,
      .answer = ANSWER_JSON, .schema = "RuleFindings", .flags = ROUTE_NO_AUDIT, .body = test_body,
      .doc = "What a rule would find now; nothing is stored." },
    { .method = "POST", .pattern = RULES "/{id}/actions/test", .permission = PERM_ALERT_MANAGE, .handler = rule_test,
      .answer = ANSWER_JSON, .schema = "RuleFindings", .flags = ROUTE_NO_AUDIT, .body = nothing,
      .statuses = "404 409", .doc = "What the rule finds now; nothing is stored." },
    { .method = "POST", .pattern = SILENCES, .permission = PERM_ALERT_MANAGE, .handler = silence_create,
      .answer = ANSWER_OBJECT, .flags = ROUTE_CREATES | ROUTE_IDEMPOTENT, .body = silence_create_body,
      .doc = "Keep alerts about some objects quiet for a time." },
    { .method = "PATCH", .pattern = SILENCES "/{id}", .permission = PERM_ALERT_MANAGE, .handler = silence_change,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH | ROUTE_MERGE_PATCH, .body = silence_change_body,
      .statuses = "404 412", .doc = "Change a silence." },
    { .method = "DELETE", .pattern = SILENCES "/{id}", .permission = PERM_ALERT_MANAGE, .handler = silence_delete,
      .answer = ANSWER_NONE, .flags = ROUTE_IF_MATCH, .statuses = "404 412",
      .doc = "End a silence: what is found from then on is told again." },
    { .method = "POST", .pattern = ALERTS "/{id}/actions/acknowledge", .permission = PERM_ALERT_MANAGE,
      .handler = acknowledge, .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH, .body = take_note_body,
      .statuses = "404 409 412", .doc = "Take note of it, and say who looks after it." },
    { .method = "POST", .pattern = ALERTS "/{id}/actions/silence", .permission = PERM_ALERT_MANAGE, .handler = silence,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH, .body = silence_body, .statuses = "404 409 412",
      .doc = "Tell nobody about it before a time." },
    { .method = "POST", .pattern = ALERTS "/{id}/actions/resolve", .permission = PERM_ALERT_MANAGE, .handler = resolve,
      .answer = ANSWER_OBJECT, .flags = ROUTE_IF_MATCH, .body = take_note_body, .statuses = "404 409 412",
      .doc = "Say that it is over; it comes back only after it was not found once." },
    { 0 },
};
