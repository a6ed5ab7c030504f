/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers over time. A block of an object holds up to STORE_BLOCK_POINTS values of each metric, packed:
 *
 *   version (1), number of points, then for each metric that has any: its slot, then a varint for each point:
 *   0 for "not known", else 1 + the zigzag form of the difference to the value before
 *
 * A metric is named by its slot, which is for ever; what a newer program wrote of metrics unknown here is left out.
 * Every byte read is checked: a damaged block reads as far as it makes sense.
 */
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#include "db/store_priv.h"
#include "db/store_series.h"

#define VERSION 1
#define PACKED_MAX 32768

static void put_varint(struct buf *out, uint64_t v)
{
    while (v >= 0x80) {
        buf_char(out, (char)(v | 0x80));
        v >>= 7;
    }
    buf_char(out, (char)v);
}

static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *out)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static bool any_known(const uint64_t *values, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (values[i] != STORE_NO_VALUE)
            return true;
    return false;
}

void store_block_pack(const struct store_block *b, struct buf *out)
{
    size_t n;
    const struct model_metric *metrics = model_metrics(&n);

    buf_char(out, VERSION);
    buf_char(out, (char)b->npoints);
    for (size_t m = 0; m < n && m < STORE_BLOCK_METRICS; m++) {
        const uint64_t *values = b->values[m];
        uint64_t before = 0;

        if (!any_known(values, b->npoints))
            continue;
        buf_char(out, (char)metrics[m].slot);
        for (unsigned i = 0; i < b->npoints; i++) {
            uint64_t difference;

            if (values[i] == STORE_NO_VALUE) {
                buf_char(out, 0);
                continue;
            }
            difference = values[i] - before;
            before = values[i];
            /* Values are below 2^53, so the sign is the top bit, and one more never wraps. */
            put_varint(out, 1 + (difference >> 63 ? ~(difference << 1) : difference << 1));
        }
    }
}

static int metric_of_slot(unsigned slot)
{
    size_t n;
    const struct model_metric *metrics = model_metrics(&n);

    for (size_t m = 0; m < n && m < STORE_BLOCK_METRICS; m++)
        if (metrics[m].slot == slot)
            return (int)m;
    return -1;
}

/* What the block has already stays where the bytes say nothing. */
void store_block_unpack(const uint8_t *data, size_t len, struct store_block *b)
{
    const uint8_t *at = data, *end = data + len;
    unsigned npoints;

    if (len < 2 || *at++ != VERSION)
        return;
    npoints = *at++;
    while (at < end) {
        int m = metric_of_slot(*at++);
        uint64_t before = 0;

        for (unsigned i = 0; i < npoints; i++) {
            uint64_t v;

            if (!get_varint(&at, end, &v))
                return;
            if (v == 0)
                continue;
            v--;
            before += (v & 1) ? ~(v >> 1) : v >> 1;
            if (m >= 0 && i < STORE_BLOCK_POINTS && b->values[m][i] == STORE_NO_VALUE && before <= STORE_VALUE_MAX)
                b->values[m][i] = before;
        }
    }
    if (npoints > b->npoints)
        b->npoints = npoints < STORE_BLOCK_POINTS ? npoints : STORE_BLOCK_POINTS;
}

void store_block_clear(struct store_block *b)
{
    b->npoints = 0;
    memset(b->values, 0xff, sizeof(b->values)); /* STORE_NO_VALUE everywhere */
}

static void bind_key(struct stmt *st, const struct store_block *b)
{
    stmt_id(st, 1, &b->object);
    stmt_int(st, 2, b->step_s);
    stmt_int(st, 3, b->start_ms);
}

static int read_before(struct store_tx *tx, struct store_block *b, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = false;
    int rc = store_named(tx->store, tx->conn, "series_get", &st, err);

    if (rc != PV_OK)
        return rc;
    bind_key(st, b);
    rc = stmt_step(st, &row, err);
    if (rc == PV_OK && row) {
        size_t len = 0;
        const uint8_t *data = col_blob(st, 0, &len);

        store_block_unpack(data, data ? len : 0, b);
    }
    return rc;
}

int tx_block_merge(struct store_tx *tx, struct store_block *b, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct buf packed;
    int rc = read_before(tx, b, err);

    buf_init(&packed, PACKED_MAX);
    store_block_pack(b, &packed);
    if (rc == PV_OK && !buf_ok(&packed))
        rc = pv_fail(err, PV_ENOMEM, "no memory to pack numbers");
    if (rc == PV_OK)
        rc = store_named(tx->store, tx->conn, "series_put", &st, err);
    if (rc == PV_OK) {
        bind_key(st, b);
        stmt_blob(st, 4, packed.data, packed.len);
        rc = stmt_run(st, err);
    }
    buf_free(&packed);
    return rc;
}

int store_blocks(struct store *s, const struct pv_id *object, uint32_t step_s, int64_t from_ms, int64_t to_ms,
                 store_block_fn each, void *ctx, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    PV_AUTO_FREE struct store_block *b = malloc(sizeof(*b));
    struct conn *c;
    bool row = true;
    int rc = b ? store_reader(s, &c, err) : pv_fail(err, PV_ENOMEM, "no memory for numbers");

    if (rc == PV_OK)
        rc = store_named(s, c, "series_read", &st, err);
    if (rc != PV_OK)
        return rc;
    b->object = *object;
    b->step_s = step_s;
    stmt_id(st, 1, object);
    stmt_int(st, 2, step_s);
    stmt_int(st, 3, from_ms);
    stmt_int(st, 4, to_ms);
    while ((rc = stmt_step(st, &row, err)) == PV_OK && row) {
        size_t len = 0;
        const uint8_t *data = col_blob(st, 1, &len);

        store_block_clear(b);
        b->start_ms = col_int(st, 0);
        store_block_unpack(data, data ? len : 0, b);
        each(ctx, b);
    }
    return rc;
}

int tx_purge_blocks(struct store_tx *tx, uint32_t step_s, int64_t before_ms, size_t *deleted, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "series_purge", &st, err);

    *deleted = 0;
    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, step_s);
    stmt_int(st, 2, before_ms);
    stmt_int(st, 3, 5000);
    rc = stmt_run(st, err);
    if (rc == PV_OK)
        *deleted = conn_changes(tx->conn);
    return rc;
}
