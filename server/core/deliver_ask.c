/* SPDX-License-Identifier: Apache-2.0 */
/* What people ask for: a test, to send something again, figures; and what age takes out of the log.
 */
#include "server/core/deliver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/filter.h>

#define DAY_MS (24ll * 3600 * 1000)

static unsigned receiver_field(enum pv_kind kind)
{
    return kind == PV_KIND_webhook ? F(delivery, webhook) : F(delivery, target);
}

/* ------------------------------------------------------------------ a test, and again */

struct test {
    struct core *core;
    enum pv_kind kind;
    struct pv_id id;
    core_json_fn done;
    void *ctx;
};

struct test_row {
    struct core *core;
    struct model_row *row;
};

static int test_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct test_row *t = arg;

    return deliver_put(t->core, tx, t->row, err);
}

static const char *test_answer(struct arena *a, const struct model_row *row,
                               const struct deliver_result *result, const char *problem)
{
    char id[PV_ID_TEXT];
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 16384);
    jsonw_init(&w, &text);
    model_id_text(PV_KIND_delivery, &row->id, id);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "ok", result->rc == PV_OK);
    jsonw_i64(&w, "took_ms", result->took_ms);
    jsonw_str(&w, "answer", result->answer[0] ? result->answer : NULL);
    if (problem)
        jsonw_raw(&w, "error", problem, strlen(problem));
    else
        jsonw_null(&w, "error");
    jsonw_str(&w, "delivery", id);
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static int fill_test(const struct test *t, const struct model_row *receiver, struct model_row *row,
                     struct arena *a, struct pv_err *err)
{
    static const char text[] = "This is a test: what you read here arrived.";
    char quoted[sizeof(text) + 2];
    const char *body;

    id_make(&row->id);
    snprintf(quoted, sizeof(quoted), "\"%s\"", text);
    body = deliver_body(a, &row->id, "test", "message", quoted, strlen(quoted), NULL);
    if (!body)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    model_set_ref(row, receiver_field(t->kind), &receiver->id);
    model_set_text(row, F(delivery, type), "test");
    model_set_text(row, F(delivery, message), text);
    model_set_text(row, F(delivery, body), body);
    model_set_number(row, F(delivery, created_at), clock_wall_ms());
    return PV_OK;
}

/* Sent first and written then: a test is about now, and is not tried again by itself. */
static void run_test(void *arg)
{
    struct test *t = arg;
    struct core *c = t->core;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(65536, 8u << 20);
    struct model_row *row = a ? model_row_new(a, PV_KIND_delivery) : NULL, *receiver = NULL;
    struct deliver_link link = { .http = NULL };
    struct deliver_result result;
    struct deliver_outcome o = { .result = &result };
    struct pv_err err = { 0 };
    const char *json = NULL;
    int rc = row ? store_row_get(c->store, c->kinds[t->kind].shape, &t->id, a, &receiver, &err)
                 : pv_fail(&err, PV_ENOMEM, "no memory for a message");

    if (rc == PV_OK)
        rc = fill_test(t, receiver, row, a, &err);
    if (rc == PV_OK) {
        struct test_row tr = { c, row };

        deliver_attempt(c, receiver, row, &link, &result);
        deliver_link_free(&link);
        o.receiver = receiver;
        o.id = row->id;
        o.error = result.rc == PV_OK ? NULL : deliver_problem(a, &result.err);
        o.state = result.rc == PV_OK ? PV_DELIVERY_STATE_DELIVERED : PV_DELIVERY_STATE_DEAD;
        model_set_number(row, F(delivery, state), o.state);
        rc = store_write(c->store, test_tx, &tr, &err);
        if (rc == PV_OK)
            rc = deliver_finish(c, &o, &err);
        json = rc == PV_OK ? test_answer(a, row, &result, o.error) : NULL;
        if (rc == PV_OK && !json)
            rc = pv_fail(&err, PV_ENOMEM, "no memory for an answer");
        /* Whoever sees a test arrive need not wait for the back-off. */
        if (rc == PV_OK && result.rc == PV_OK)
            deliver_refresh(c);
    }
    t->done(t->ctx, rc, json, &err);
    free(t);
}

int core_channel_test(struct core *c, enum pv_kind kind, const struct pv_id *id, core_json_fn done,
                      void *ctx, struct pv_err *err)
{
    struct delivery_store *st = c->deliveries;
    struct test *t = malloc(sizeof(*t));
    bool taken = false;

    if (!t)
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    *t = (struct test){ c, kind, *id, done, ctx };
    pthread_mutex_lock(&st->lock);
    taken = st->senders && workers_submit(st->senders, run_test, t);
    pthread_mutex_unlock(&st->lock);
    if (taken)
        return PV_OK;
    free(t);
    return pv_fail(err, PV_ENOMEM, "too much is being sent at once");
}

struct resend {
    struct core *core;
    const struct core_options *options;
    struct pv_id id;
};

static int resend_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    static const uint16_t seq_field[] = { F(delivery, seq), F(delivery, created_at) };
    const struct resend *r = arg;
    struct deliver_outcome o = { .state = PV_DELIVERY_STATE_PENDING, .next_ms = clock_wall_ms() };
    struct model_row *row = NULL;
    uint64_t seq;
    int rc = tx_rows_get(tx, PV_KIND_delivery, &r->id, 1, false, tx_arena(tx), &row, err);

    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", model_kind(PV_KIND_delivery)->name);
    if (rc == PV_OK)
        rc = core_check_version(r->options, (uint64_t)model_number(row, F(delivery, version)), err);
    if (rc != PV_OK)
        return rc;
    if (model_number(row, F(delivery, state)) != PV_DELIVERY_STATE_PENDING) {
        rc = tx_counter_next(tx, "delivery", &seq, err);
        if (rc != PV_OK)
            return rc;
        model_set_number(row, F(delivery, seq), (int64_t)seq);
        /* Its age begins anew, or it would be given up at the first failure. */
        model_set_number(row, F(delivery, created_at), clock_wall_ms());
        rc = tx_row_update(tx, row, seq_field, PV_COUNT(seq_field), err);
        if (rc != PV_OK)
            return rc;
    }
    deliver_write_outcome(row, &o);
    rc = tx_row_update(tx, row, deliver_outcome_fields, DELIVER_OUTCOME_FIELDS, err);
    return rc;
}

int core_delivery_resend(struct core *c, const struct pv_id *id, const struct core_options *o,
                         struct pv_err *err)
{
    struct resend r = { .core = c, .options = o, .id = *id };
    int rc = store_write(c->store, resend_tx, &r, err);

    if (rc == PV_OK)
        deliver_refresh(c);
    return rc;
}

void core_delivery_stats(struct core *c, struct core_delivery_stats *out)
{
    struct delivery_store *st = c->deliveries;

    *out = (struct core_delivery_stats){ .delivered = atomic_load(&st->delivered),
                                         .failed = atomic_load(&st->failed),
                                         .dead = atomic_load(&st->dead),
                                         .skipped = atomic_load(&st->skipped) };
}

/* ------------------------------------------------------------------ old rows */

struct clean {
    struct pv_id ids[1000];
    size_t n;
};

static int see_old(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct clean *cl = ctx;

    (void)err;
    if (cl->n < PV_COUNT(cl->ids))
        cl->ids[cl->n++] = row->id;
    return PV_OK;
}

static int clean_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct clean *cl = arg;
    int rc = PV_OK;

    for (size_t i = 0; i < cl->n && rc == PV_OK; i++)
        rc = tx_row_delete(tx, PV_KIND_delivery, &cl->ids[i], err);
    return rc;
}

/* Answers whether there may be more. */
static bool clean_some(struct core *c, const char *what)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 1u << 20);
    struct store_query q = { .limit = 1000 };
    struct clean *cl = a ? arena_alloc(a, sizeof(*cl)) : NULL;
    struct pv_err err = { 0 };

    if (!cl)
        return false;
    cl->n = 0;
    if (model_shape_make(model_kind(PV_KIND_delivery), "id", MODEL_VIEW_FULL, a, &q.shape, &err) !=
            PV_OK ||
        filter_parse(model_kind(PV_KIND_delivery), what, clock_wall_ms(), a, &q.filter, &err) !=
            PV_OK ||
        store_list(c->store, &q, see_old, cl, NULL, &err) != PV_OK ||
        (cl->n > 0 && store_write(c->store, clean_tx, cl, &err) != PV_OK))
        log_msg(PV_LOG_ERROR, "deliver.clean", "%s", err.message);
    else
        return cl->n == PV_COUNT(cl->ids);
    return false;
}

void deliver_clean(struct core *c)
{
    char text[CLOCK_TEXT_LEN], old[80];

    /* Also what waits for a receiver that is disabled, or was deleted with more than one
     * transaction takes. */
    clock_text(clock_wall_ms() - core_setting(c, CORE_SETTING_retention_deliveries_days) * DAY_MS,
               text);
    snprintf(old, sizeof(old), "updated_at<%s", text);
    while (!atomic_load(&c->stopping) && clean_some(c, old))
        ;
}
