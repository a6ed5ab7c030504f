/* SPDX-License-Identifier: Apache-2.0 */
/* Settings that are kept in storage: sign-ins of the browser, retention, defaults of syncs, how much is logged. */
#include "server/api/access.h"
#include "server/core/settings.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>

#include "server/net/router.h"

#define MINUTE_MS 60000

PV_DEFINE_AUTO(json_decref, json_t *)

static const char *const levels[] = { "error", "warn", "info", "debug", NULL };

/* The groups of settings.def, which stand together there. */
static void write_listed(struct jsonw *w, const struct core *c)
{
    const char *open = NULL;

    for (int i = 0; i < CORE_SETTING_COUNT; i++) {
        const struct core_setting_info *s = core_setting_info((enum core_setting)i);

        if (!open || strcmp(open, s->group) != 0) {
            if (open)
                jsonw_end(w);
            jsonw_object(w, s->group);
            open = s->group;
        }
        if (s->flag)
            jsonw_bool(w, s->name, core_setting(c, (enum core_setting)i));
        else
            jsonw_i64(w, s->name, core_setting(c, (enum core_setting)i));
    }
    if (open)
        jsonw_end(w);
}

void settings_write(struct jsonw *w, struct api *a)
{
    int64_t idle_ms, most_ms;

    auth_login_times_get(a->auth, &idle_ms, &most_ms);
    jsonw_object(w, "sign_in");
    jsonw_i64(w, "idle_minutes", idle_ms / MINUTE_MS);
    jsonw_i64(w, "most_minutes", most_ms / MINUTE_MS);
    jsonw_end(w);
    write_listed(w, a->core);
    jsonw_object(w, "log");
    jsonw_str(w, "level", log_level_text(log_level_get()));
    jsonw_end(w);
}

static enum req_result settings(struct req *r)
{
    struct jsonw *w = reply_json(r, 200);

    jsonw_object(w, NULL);
    settings_write(w, api_of(r));
    jsonw_end(w);
    return reply_send(r);
}

static json_t *as_json(struct api *a)
{
    struct buf text;
    struct jsonw w;
    json_t *out;

    buf_init(&text, 65536);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    settings_write(&w, a);
    jsonw_end(&w);
    out = buf_ok(&text) ? json_loads(text.data, 0, NULL) : NULL;
    buf_free(&text);
    return out;
}

/* Each setting that is another one now, with what it was. */
static json_t *differences(const json_t *before, const json_t *after)
{
    json_t *changes = json_array(), *members, *v;
    const char *group, *name;

    json_object_foreach ((json_t *)after, group, members) {
        json_object_foreach (members, name, v) {
            json_t *old = json_object_get(json_object_get(before, group), name);

            if (!json_equal(old, v))
                json_array_append_new(changes, json_pack("{s:o, s:O?, s:O}", "field",
                                                         json_sprintf("%s.%s", group, name), "from", old, "to", v));
        }
    }
    return changes;
}

/* As every write, and with what was changed. */
static void record(struct req *r, const json_t *before, const json_t *after)
{
    PV_AUTO(json_decref_p) json_t *changes = differences(before, after);
    PV_AUTO(json_decref_p) json_t *detail = changes ? json_pack("{s:O}", "changes", changes) : NULL;
    PV_AUTO_FREE char *text = detail ? json_dumps(detail, JSON_COMPACT) : NULL;
    char id[PV_ID_TEXT] = "", session[AUDIT_SESSION];
    struct audit_entry e = { .actor_type = r->caller.type, .actor_id = id, .actor_name = r->caller.name,
                             .address = r->address, .action = "settings.update", .subject = "settings",
                             .request_id = r->request_id, .outcome = PV_OUTCOME_ALLOWED, .detail_json = text,
                             .session = session };

    audit_session_text(r->caller.by_cookie, r->caller.login_hash, session);
    if (!text)
        return;
    if (!id_is_zero(&r->caller.id))
        model_id_text(r->caller.type == PV_ACTOR_TYPE_TOKEN ? PV_KIND_token : PV_KIND_user, &r->caller.id, id);
    r->recorded = audit_write_later(api_of(r)->auth, &e, NULL) == PV_OK;
}

static int change(struct req *r, struct pv_err *err)
{
    const json_t *sign_in = json_object_get(r->json, "sign_in");
    int64_t idle = json_integer_value(json_object_get(sign_in, "idle_minutes")) * MINUTE_MS;
    int64_t most = json_integer_value(json_object_get(sign_in, "most_minutes")) * MINUTE_MS;
    struct core_settings_change asked = {
        .log_level = json_string_value(json_object_get(json_object_get(r->json, "log"), "level")),
    };
    int rc;

    for (int i = 0; i < CORE_SETTING_COUNT; i++) {
        const struct core_setting_info *s = core_setting_info((enum core_setting)i);
        const json_t *v = json_object_get(json_object_get(r->json, s->group), s->name);

        asked.values[i] = !v ? CORE_SETTING_KEEP : s->flag ? json_is_true(v) : json_integer_value(v);
    }
    rc = core_settings_change(api_of(r)->core, &asked, err);
    if (rc == PV_OK && (idle || most))
        rc = auth_login_times(api_of(r)->auth, idle, most, err);
    return rc;
}

static enum req_result settings_change(struct req *r)
{
    PV_AUTO(json_decref_p) json_t *before = as_json(api_of(r)), *after = NULL;
    struct pv_err err = { 0 };

    if (change(r, &err) != PV_OK)
        return reply_problem(r, &err);
    after = as_json(api_of(r));
    if (before && after)
        record(r, before, after);
    return settings(r);
}

static const struct model_param sign_in_members[] = {
    { .name = "idle_minutes", .type = PARAM_INT, .min = 1, .max = 43200, .doc = "Minutes without any use after which a person is asked to sign in again, with a warning one minute before. Longer is more comfortable, shorter is safer at desks that others reach. 1 to 43200; 30 unless changed." },
    { .name = "most_minutes", .type = PARAM_INT, .min = 1, .max = 43200, .doc = "Minutes after which a sign-in ends even where it is used all the time. It counts for sign-ins from now on; those that are open keep theirs. 1 to 43200; 720 unless changed." },
    { 0 },
};
static const struct model_param log_members[] = {
    { .name = "level", .type = PARAM_ENUM, .choices = levels, .doc = "How much the server tells in its log: error is failures only, warn adds what may become one, info adds starts, sign-ins and connections, debug adds each request and is for looking into a fault. info unless changed." },
    { 0 },
};
#define SETTING_GROUP(group, doc) static const struct model_param group##_members[] = {
#define SETTING(group, name_, preset, least, most_, doc_) \
    { .name = #name_, .type = PARAM_INT, .min = least, .max = most_,              \
      .doc = doc_ " " #least " to " #most_ "; " #preset " unless changed." },
#define SETTING_FLAG(group, name_, preset, doc_) { .name = #name_, .type = PARAM_BOOL, .doc = doc_ },
#define SETTING_GROUP_END(group) \
    { 0 }                        \
    }                            \
    ;
#include "server/core/settings.def"
#undef SETTING_GROUP
#undef SETTING
#undef SETTING_FLAG
#undef SETTING_GROUP_END

static const struct model_param settings_body[] = {
    { .name = "sign_in", .type = PARAM_OBJECT, .members = sign_in_members, .doc = "Of the browser." },
#define SETTING_GROUP(group, doc_) { .name = #group, .type = PARAM_OBJECT, .members = group##_members, .doc = doc_ },
#define SETTING(group, name, preset, least, most, doc)
#define SETTING_FLAG(group, name, preset, doc)
#define SETTING_GROUP_END(group)
#include "server/core/settings.def"
#undef SETTING_GROUP
#undef SETTING
#undef SETTING_FLAG
#undef SETTING_GROUP_END
    { .name = "log", .type = PARAM_OBJECT, .members = log_members, .doc = "What the server writes to its log." },
    { 0 },
};

const struct route settings_routes[] = {
    { .method = "GET", .pattern = API_BASE "/settings", .permission = PERM_SYSTEM_MANAGE, .handler = settings,
      .answer = ANSWER_JSON, .schema = "Settings", .doc = "Settings of the server." },
    { .method = "PATCH", .pattern = API_BASE "/settings", .permission = PERM_SYSTEM_MANAGE, .handler = settings_change,
      .answer = ANSWER_JSON, .schema = "Settings", .flags = ROUTE_MERGE_PATCH, .body = settings_body,
      .doc = "Change settings of the server; they are in force at once." },
    { 0 },
};
