/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks as rows and events.
 */
#include "server/core/activity.h"
#include "server/core/bulk.h"

#include <stdlib.h>
#include <string.h>

static const char *subjects_json(const struct task *t, struct arena *a)
{
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 4096);
    jsonw_init(&w, &text);
    jsonw_array(&w, NULL);
    if (t->kind != PV_KIND_NONE)
        core_write_ref(&w, NULL, t->kind, &t->subject, t->name);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

struct model_row *task_row(struct task *t, const struct core_actor *by, const json_t *params,
                           enum pv_task_state state, struct arena *a)
{
    struct model_row *row = model_row_new(a, PV_KIND_task);
    char *subject = arena_alloc(a, PV_ID_TEXT), *actor = arena_alloc(a, PV_ID_TEXT);
    int64_t now = clock_wall_ms();
    const char *text;

    if (!row || !subject || !actor)
        return NULL;
    row->id = t->id;
    model_set_text(row, F(task, action), t->op->name);
    model_set_number(row, F(task, state), state);
    if (t->provider)
        model_set_ref(row, F(task, provider), &t->provider->id);
    if (t->kind != PV_KIND_NONE) {
        model_id_text(t->kind, &t->subject, subject);
        model_set_text(row, F(task, subject_id), subject);
    }
    model_set_text(row, F(task, subjects), subjects_json(t, a));
    text = params ? core_json_text(a, params) : NULL;
    if (text && strlen(text) <= row->kind->fields[F(task, params)].max)
        model_set_text(row, F(task, params), text);
    model_set_ref(row, F(task, parent), &t->parent);
    if (by) {
        enum pv_kind kind = by->type == PV_ACTOR_TYPE_TOKEN ? PV_KIND_token : PV_KIND_user;

        model_set_number(row, F(task, actor_type), by->type);
        if (!id_is_zero(&by->id)) {
            model_id_text(kind, &by->id, actor);
            model_set_text(row, F(task, actor_id), actor);
        }
        model_set_text(row, F(task, actor_name), by->name);
        model_set_number(row, F(task, source), by->source);
        if (by->request_id && strlen(by->request_id) <= 64)
            model_set_text(row, F(task, correlation_id), by->request_id);
    } else {
        model_set_number(row, F(task, actor_type), PV_ACTOR_TYPE_SYSTEM);
    }
    model_set_number(row, F(task, cancelable), !task_state_final(state));
    if (task_state_final(state)) {
        model_set_number(row, F(task, changed), 0);
        model_set_number(row, F(task, finished_at), now);
    }
    model_set_number(row, F(task, created_at), now);
    model_set_number(row, F(task, updated_at), now);
    model_set_number(row, F(task, version), 1);
    return row;
}

static int task_event(struct task *t, struct store_tx *tx, struct event_set *events,
                      const char *type, enum pv_severity severity, uint64_t version,
                      const char *changes, const char *message, struct pv_err *err)
{
    struct event_draft e = { .type = type, .severity = severity, .kind = PV_KIND_task,
                             .subject = t->id, .name = t->op->name, .object_version = version,
                             .changes = changes, .task = t->id, .actor_type = t->actor_type,
                             .actor_name = t->actor_name[0] ? t->actor_name : NULL,
                             .message = message };
    char name[NAME_CAP];

    if (t->provider) {
        provider_copy_name(t->provider, name, sizeof(name));
        e.provider = t->provider->id;
        e.provider_name = arena_strdup(tx_arena(tx), name);
    }
    return events_add(events, tx, &e, err);
}

/* Of one object, or of many. */
static const char *of_what(const struct task *t, struct arena *a)
{
    if (t->bulk && t->is_parent && !t->name[0])
        return arena_printf(a, "%s of %u objects", t->op->name, t->bulk->total);
    return arena_printf(a, "%s of %s", t->op->name, t->name);
}

int task_insert_tx(struct task *t, const struct model_row *row, struct store_tx *tx,
                   struct event_set *events, struct pv_err *err)
{
    bool final = task_state_final(model_number(row, F(task, state)));
    int rc = tx_row_insert(tx, row, err);

    if (rc != PV_OK)
        return rc;
    return task_event(t, tx, events, final ? "task.finished" : "task.created", PV_SEVERITY_INFO, 1,
                      NULL, of_what(t, tx_arena(tx)), err);
}

static void diff_text(struct row_diff *d, unsigned field, const char *text)
{
    struct model_value v = value_text(text);

    if (text && strlen(text) <= d->row->kind->fields[field].max)
        diff_set(d, field, &v);
}

static void diff_number(struct row_diff *d, unsigned field, int64_t number)
{
    struct model_value v = value_number(number);

    diff_set(d, field, &v);
}

static void name_provider(const struct task *t, json_t *json)
{
    json_t *provider = json_object_get(json, "provider");
    char id[PV_ID_TEXT], name[NAME_CAP];

    if (!json_is_object(provider)) {
        provider = json_object();
        json_object_set_new(json, "provider", provider);
    }
    model_id_text(PV_KIND_provider, &t->provider->id, id);
    provider_copy_name(t->provider, name, sizeof(name));
    json_object_set_new(provider, "id", json_string(id));
    json_object_set_new(provider, "name", json_string(name));
    json_object_set_new(provider, "operation", json_string(t->op->name));
}

/* As a problem document that names the provider and what was asked of it; of a task of several parts with the numbers and
 * the first reasons. */
const char *task_error_json(const struct task *t, const struct pv_err *error, struct arena *a)
{
    const char *text = core_problem_json(a, error), *full;
    PV_AUTO(json_decref_p) json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    bool parts = t->is_parent && t->bulk && t->bulk->reasons, provider = t->provider && !t->op->core;

    if (!json || (!parts && !provider))
        return text;
    if (provider)
        name_provider(t, json);
    if (parts) {
        json_object_set_new(json, "children", bulk_numbers_json(t->bulk));
        json_object_set(json, "reasons", t->bulk->reasons);
    }
    full = core_json_text(a, json);
    return full && strlen(full) <= model_kind(PV_KIND_task)->fields[F(task, error)].max ? full : text;
}

static void diff_change(struct row_diff *d, const struct task *t, const struct task_change *ch, struct arena *a)
{
    struct model_value none = value_null();
    bool final = !ch->keep_state && task_state_final(ch->state);

    if (!ch->keep_state)
        diff_number(d, F(task, state), ch->state);
    if (!ch->keep_state) {
        if (ch->wait_reason)
            diff_text(d, F(task, wait_reason), ch->wait_reason);
        else
            diff_set(d, F(task, wait_reason), &none);
    }
    if (ch->set_started && !model_get(d->row, F(task, started_at))->set)
        diff_number(d, F(task, started_at), clock_wall_ms());
    diff_text(d, F(task, native_id), ch->native_id);
    diff_text(d, F(task, journal), ch->journal);
    if (ch->set_progress && ch->percent >= 0 && ch->percent <= 100)
        diff_number(d, F(task, progress), ch->percent);
    diff_text(d, F(task, step), ch->step);
    diff_text(d, F(task, bytes), ch->bytes);
    diff_text(d, F(task, children), ch->children);
    if (ch->has_changed)
        diff_number(d, F(task, changed), ch->changed);
    diff_text(d, F(task, result), ch->result);
    diff_text(d, F(task, undo), ch->undo);
    /* What did not happen cannot be taken back. */
    if (final && (ch->state != PV_TASK_STATE_SUCCEEDED || (ch->has_changed && !ch->changed)))
        diff_set(d, F(task, undo), &none);
    if (ch->error) {
        diff_text(d, F(task, error), task_error_json(t, ch->error, a));
        diff_text(d, F(task, error_code), pv_err_problem(ch->error)->code);
    }
    if (final) {
        diff_number(d, F(task, finished_at), clock_wall_ms());
        diff_number(d, F(task, cancelable), 0);
        if (ch->state == PV_TASK_STATE_SUCCEEDED)
            diff_number(d, F(task, progress), 100);
    }
}

int task_change_tx(struct task *t, struct store_tx *tx, struct event_set *events,
                   const struct task_change *ch, struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    bool final = !ch->keep_state && task_state_final(ch->state);
    struct task_change now = *ch;
    struct model_row *row;
    struct row_diff d;
    uint64_t version;
    int rc = tx_rows_get(tx, PV_KIND_task, &t->id, 1, false, a, &row, err);

    if (rc != PV_OK || !row || task_state_final(model_number(row, F(task, state))))
        return rc;
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    if (t->is_parent && t->bulk && ch->children)
        bulk_numbers(t, &now, a);
    diff_change(&d, t, &now, a);
    if (d.n > 0) {
        const char *changes = diff_changes(&d, a);
        const char *word = model_enum_text(PV_ENUM_task_state, model_number(row, F(task, state)));
        bool bad = final && (ch->state == PV_TASK_STATE_FAILED || ch->state == PV_TASK_STATE_LOST);
        /* Nothing went wrong where parts were left out only. */
        bool left_out = bad && t->is_parent && t->bulk && t->bulk->failed == 0;

        rc = diff_write(&d, tx, &t->core->kinds[PV_KIND_task], clock_wall_ms(), &version, err);
        if (rc == PV_OK)
            rc = task_event(t, tx, events, final ? "task.finished" : "task.updated",
                            left_out ? PV_SEVERITY_WARNING
                            : bad    ? PV_SEVERITY_ERROR
                                     : PV_SEVERITY_INFO,
                            version, changes,
                            ch->error ? arena_printf(a, "%s %s: %s", of_what(t, a), word,
                                                     ch->error->message)
                                      : arena_printf(a, "%s is %s", of_what(t, a), word),
                            err);
    }
    diff_free(&d);
    if (rc == PV_OK && final)
        rc = activity_end_tx(t, tx, events, err);
    return rc;
}

struct one_write {
    struct task *task;
    const struct task_change *change;
    struct event_set events;
};

static int write_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct one_write *w = arg;
    int rc = events_begin(&w->events, tx, err);

    return rc == PV_OK ? task_change_tx(w->task, tx, &w->events, w->change, err) : rc;
}

int task_write(struct task *t, const struct task_change *ch, struct pv_err *err)
{
    struct one_write w = { .task = t, .change = ch };
    int rc;

    events_init(&w.events, t->core);
    rc = store_write(t->core->store, write_tx, &w, err);
    events_free(&w.events);
    return rc;
}
