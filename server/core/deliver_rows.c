/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the queue: who is told about an alert, and with what. */
#include "server/core/deliver.h"

#include <string.h>

#define BODY_MOST 131072

/* ------------------------------------------------------------------ writing rows */

const char *deliver_body(struct arena *a, const struct pv_id *id, const char *type,
                         const char *member, const char *json, size_t len, const char *notes)
{
    char text_id[PV_ID_TEXT];
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, BODY_MOST);
    jsonw_init(&w, &text);
    model_id_text(PV_KIND_delivery, id, text_id);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "id", text_id);
    jsonw_str(&w, "type", type);
    jsonw_time(&w, "time", clock_wall_ms());
    if (member)
        jsonw_raw(&w, member, json, len);
    if (notes && *notes)
        jsonw_str(&w, "notes", notes);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static void after_commit(void *arg)
{
    deliver_wake(arg);
}

int deliver_put(struct core *c, struct store_tx *tx, struct model_row *row, struct pv_err *err)
{
    int64_t now = clock_wall_ms();
    uint64_t seq;
    int rc = tx_counter_next(tx, "delivery", &seq, err);

    if (rc != PV_OK)
        return rc;
    model_set_number(row, F(delivery, seq), (int64_t)seq);
    if (!model_get(row, F(delivery, state))->set)
        model_set_number(row, F(delivery, state), PV_DELIVERY_STATE_PENDING);
    if (!model_get(row, F(delivery, attempts))->set)
        model_set_number(row, F(delivery, attempts), 0);
    if (model_number(row, F(delivery, state)) == PV_DELIVERY_STATE_PENDING)
        model_set_number(row, F(delivery, next_attempt_at), now);
    model_set_number(row, F(delivery, created_at), now);
    model_set_number(row, F(delivery, updated_at), now);
    model_set_number(row, F(delivery, version), 1);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK ? tx_after_commit(tx, after_commit, c, err) : rc;
}

/* ------------------------------------------------------------------ alerts */

/* The alert as the API shows it, with the names that its reader cannot look up. */
static const char *alert_json(struct core *c, const struct model_row *alert,
                              const struct model_row *rule, struct arena *a, size_t *len)
{
    struct model_row named = *alert;
    struct model_value *values =
        arena_copy(a, alert->values, alert->kind->nfields * sizeof(*values));
    struct buf text;
    struct jsonw w;
    const char *out;

    if (!values)
        return NULL;
    named.values = values;
    if (rule)
        values[F(alert, rule)].text = model_text(rule, F(alert_rule, name));
    if (values[F(alert, provider)].set)
        named.provider = core_provider_ref(c, &values[F(alert, provider)].id, a);
    buf_init(&text, BODY_MOST);
    jsonw_init(&w, &text);
    model_write_json(&w, NULL, c->kinds[PV_KIND_alert].shape, &named);
    *len = text.len;
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static int put_alert(struct core *c, struct store_tx *tx, const struct model_row *alert,
                     const struct pv_id *target, const char *type, const char *json, size_t len,
                     const char *notes, struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    struct model_row *row = model_row_new(a, PV_KIND_delivery);
    const char *body;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    id_make(&row->id);
    body = deliver_body(a, &row->id, type, "alert", json, len, notes);
    if (!body)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    model_set_ref(row, F(delivery, target), target);
    model_set_ref(row, F(delivery, alert), &alert->id);
    model_set_text(row, F(delivery, type), type);
    model_set_text(row, F(delivery, message), model_text(alert, F(alert, message)));
    model_set_text(row, F(delivery, body), body);
    return deliver_put(c, tx, row, err);
}

static bool is_wanted(const struct model_row *target, const struct model_row *alert, bool over)
{
    return target && model_number(target, F(notification_target, enabled)) &&
           model_number(alert, F(alert, severity)) >=
               model_number(target, F(notification_target, severity)) &&
           (!over || model_number(target, F(notification_target, tell_resolved)));
}

/* All that are enabled, none, or those that the rule names. */
static int who_is_named(struct store_tx *tx, const struct model_row *rule, struct pv_id **ids,
                        size_t *n, struct pv_err *err)
{
    const struct model_value *chosen = model_get(rule, F(alert_rule, targets));
    struct model_value yes = value_number(1);

    switch (model_number(rule, F(alert_rule, notify))) {
    case PV_NOTIFY_NONE:
        return PV_OK;
    case PV_NOTIFY_CHOSEN:
        break;
    default:
        return tx_find(tx, PV_KIND_notification_target, F(notification_target, enabled), &yes,
                       CORE_CHANNELS_MAX, tx_arena(tx), ids, n, err);
    }
    *ids = arena_alloc(tx_arena(tx), ((chosen->set ? chosen->len : 0) + 1) * sizeof(**ids));
    if (!*ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    for (size_t i = 0; chosen->set && i < chosen->len; i++)
        (*ids)[(*n)++] = chosen->refs[i].id;
    return PV_OK;
}

/* That it is over is told to whoever was told that it is, whatever the rule says by now. */
static int who_was_told(struct store_tx *tx, const struct pv_id *alert, struct pv_id **ids,
                        size_t *n, struct pv_err *err)
{
    struct arena *a = tx_arena(tx);
    struct model_value v = value_ref(alert);
    struct model_row **rows;
    struct pv_id *found;
    size_t total = 0;
    int rc = tx_find(tx, PV_KIND_delivery, F(delivery, alert), &v, 2 * CORE_CHANNELS_MAX, a, &found,
                     &total, err);

    if (rc != PV_OK || total == 0)
        return rc;
    rows = arena_alloc(a, total * sizeof(struct model_row *));
    *ids = arena_alloc(a, total * sizeof(**ids));
    if (!rows || !*ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    rc = tx_rows_get(tx, PV_KIND_delivery, found, total, false, a, rows, err);
    for (size_t i = 0; i < total && rc == PV_OK; i++) {
        int64_t state =
            rows[i] ? model_number(rows[i], F(delivery, state)) : PV_DELIVERY_STATE_SKIPPED;

        if (state == PV_DELIVERY_STATE_PENDING || state == PV_DELIVERY_STATE_DELIVERED)
            (*ids)[(*n)++] = model_get(rows[i], F(delivery, target))->id;
    }
    return rc;
}

int deliver_alert(struct core *c, struct store_tx *tx, const struct model_row *alert,
                  const struct model_row *rule, const char *type, struct pv_err *err)
{
    bool over = strcmp(type, "alert.resolved") == 0;
    struct arena *a = tx_arena(tx);
    struct model_row **targets;
    const char *json = NULL;
    struct pv_id *ids = NULL;
    size_t n = 0, len = 0;
    int rc;

    if (model_number(alert, F(alert, silenced_until)) > clock_wall_ms())
        return PV_OK;
    rc = over ? who_was_told(tx, &alert->id, &ids, &n, err) : who_is_named(tx, rule, &ids, &n, err);
    if (rc != PV_OK || n == 0)
        return rc;
    targets = arena_alloc(a, n * sizeof(struct model_row *));
    if (!targets || !ids)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    rc = tx_rows_get(tx, PV_KIND_notification_target, ids, n, false, a, targets, err);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        if (!is_wanted(targets[i], alert, over))
            continue;
        if (!json)
            json = alert_json(c, alert, rule, a, &len);
        rc = json ? put_alert(c, tx, alert, &ids[i], type, json, len,
                              rule ? model_text(rule, F(alert_rule, notes)) : NULL, err)
                  : pv_fail(err, PV_ENOMEM, "no memory for a message");
    }
    return rc;
}
