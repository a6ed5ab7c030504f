/* SPDX-License-Identifier: Apache-2.0 */
/* What came of an attempt, as it is stored. */
#include "server/core/deliver.h"

#include <string.h>

const char *deliver_name(const struct model_row *receiver)
{
    return model_text(receiver, receiver->kind->number == PV_KIND_webhook
                                    ? F(webhook, name)
                                    : F(notification_target, name));
}

const uint16_t deliver_outcome_fields[DELIVER_OUTCOME_FIELDS] = {
    F(delivery, state),           F(delivery, attempts),     F(delivery, next_attempt_at),
    F(delivery, last_attempt_at), F(delivery, delivered_at), F(delivery, took_ms),
    F(delivery, answer),          F(delivery, error),        F(delivery, updated_at),
    F(delivery, version),
};

/* The receiver's own newest result; no visible change, so neither version nor event. */
static int note_receiver(struct store_tx *tx, const struct deliver_outcome *o, struct pv_err *err)
{
    bool hook = o->receiver->kind->number == PV_KIND_webhook;
    const uint16_t fields[] = {
        hook ? F(webhook, last_sent_at) : F(notification_target, last_sent_at),
        hook ? F(webhook, last_failed_at) : F(notification_target, last_failed_at),
        hook ? F(webhook, last_error) : F(notification_target, last_error)
    };
    struct model_row *row = NULL;
    int rc = tx_rows_get(tx, o->receiver->kind->number, &o->receiver->id, 1, false, tx_arena(tx),
                         &row, err);

    if (rc != PV_OK || !row)
        return rc;
    if (o->result->rc == PV_OK)
        model_set_number(row, fields[0], clock_wall_ms());
    else
        model_set_number(row, fields[1], clock_wall_ms());
    model_set_text(row, fields[2], o->error);
    return tx_row_update(tx, row, fields, PV_COUNT(fields), err);
}

void deliver_write_outcome(struct model_row *row, const struct deliver_outcome *o)
{
    int64_t now = clock_wall_ms();

    model_set_number(row, F(delivery, state), o->state);
    if (o->result) {
        model_set_number(row, F(delivery, attempts), model_number(row, F(delivery, attempts)) + 1);
        model_set_number(row, F(delivery, last_attempt_at), now);
        model_set_number(row, F(delivery, took_ms), o->result->took_ms);
        model_set_text(row, F(delivery, answer), o->result->answer[0] ? o->result->answer : NULL);
    }
    if (o->state == PV_DELIVERY_STATE_PENDING)
        model_set_number(row, F(delivery, next_attempt_at), o->next_ms);
    else
        model_set_null(row, F(delivery, next_attempt_at));
    if (o->state == PV_DELIVERY_STATE_DELIVERED)
        model_set_number(row, F(delivery, delivered_at), now);
    model_set_text(row, F(delivery, error), o->error);
    model_set_number(row, F(delivery, updated_at), now);
    model_set_number(row, F(delivery, version), model_number(row, F(delivery, version)) + 1);
}

static int outcome_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct deliver_outcome *o = arg;
    struct model_row *row = NULL;
    int rc = tx_rows_get(tx, PV_KIND_delivery, &o->id, 1, false, tx_arena(tx), &row, err);

    /* Deleted meanwhile, with its receiver. */
    if (rc != PV_OK || !row)
        return rc;
    deliver_write_outcome(row, o);
    rc = tx_row_update(tx, row, deliver_outcome_fields, DELIVER_OUTCOME_FIELDS, err);
    return rc == PV_OK && o->result ? note_receiver(tx, o, err) : rc;
}

const char *deliver_problem(struct arena *a, const struct pv_err *err)
{
    const char *text = core_problem_json(a, err);

    return text && strlen(text) <= 4096 ? text : NULL;
}

static void count(struct delivery_store *st, const struct deliver_outcome *o)
{
    if (o->result && o->result->rc != PV_OK)
        atomic_fetch_add(&st->failed, 1);
    if (o->state == PV_DELIVERY_STATE_DELIVERED)
        atomic_fetch_add(&st->delivered, 1);
    else if (o->state == PV_DELIVERY_STATE_DEAD)
        atomic_fetch_add(&st->dead, 1);
    else if (o->state == PV_DELIVERY_STATE_SKIPPED)
        atomic_fetch_add(&st->skipped, 1);
}

int deliver_finish(struct core *c, struct deliver_outcome *o, struct pv_err *err)
{
    int rc = store_write(c->store, outcome_tx, o, err);

    if (rc == PV_OK)
        count(c->deliveries, o);
    return rc;
}
