/* SPDX-License-Identifier: Apache-2.0 */
/* Settings of the server that are kept in storage: how long a sign-in of the browser rests and lasts. */
#include "server/api/access.h"

#include <string.h>

#include <polyvisor/err.h>

#define MINUTE_MS 60000

static enum req_result settings(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);
    int64_t idle_ms, most_ms;

    auth_login_times_get(api_of(r)->auth, &idle_ms, &most_ms);
    jsonw_object(w, NULL);
    jsonw_object(w, "sign_in");
    jsonw_u64(w, "idle_minutes", (uint64_t)(idle_ms / MINUTE_MS));
    jsonw_u64(w, "most_minutes", (uint64_t)(most_ms / MINUTE_MS));
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

static enum req_result settings_change(struct req *r)
{
    const json_t *sign_in = json_object_get(r->json, "sign_in");
    int64_t idle = json_integer_value(json_object_get(sign_in, "idle_minutes")) * MINUTE_MS;
    int64_t most = json_integer_value(json_object_get(sign_in, "most_minutes")) * MINUTE_MS;
    struct pv_err err = { 0 };

    if ((idle || most) && auth_login_times(api_of(r)->auth, idle, most, &err) != PV_OK)
        return reply_problem(r, &err);
    return settings(r);
}

static const struct model_param sign_in_members[] = {
    { .name = "idle_minutes", .type = PARAM_INT, .min = 1, .max = 43200, .doc = "A sign-in that is not used ends after this." },
    { .name = "most_minutes", .type = PARAM_INT, .min = 1, .max = 43200, .doc = "A new sign-in ends after this in any case." },
    { 0 },
};
static const struct model_param settings_body[] = {
    { .name = "sign_in", .type = PARAM_OBJECT, .members = sign_in_members, .doc = "Of the browser." },
    { 0 },
};

const struct route settings_routes[] = {
    { .method = "GET", .pattern = API_BASE "/settings", .permission = PERM_SYSTEM_MANAGE, .handler = settings,
      .answer = ANSWER_JSON, .schema = "Settings", .doc = "Settings of the server." },
    { .method = "PATCH", .pattern = API_BASE "/settings", .permission = PERM_SYSTEM_MANAGE, .handler = settings_change,
      .answer = ANSWER_JSON, .schema = "Settings", .flags = ROUTE_MERGE_PATCH, .body = settings_body,
      .doc = "Change settings of the server." },
    { 0 },
};
