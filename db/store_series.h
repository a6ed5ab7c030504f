/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_series - numbers of objects over time, in packed blocks.
 *
 * A block is all metrics of one object for up to STORE_BLOCK_POINTS steps from
 * its start, which the caller aligns; values are indexed by the metric's place
 * in model_metrics() and by step. Same rules as store.h.
 */
#pragma once

#include "db/store.h"

struct buf;

#define STORE_BLOCK_POINTS 24
#define STORE_BLOCK_METRICS 32
#define STORE_VALUE_MAX (UINT64_C(1) << 53)
#define STORE_NO_VALUE UINT64_MAX

struct store_block {
    struct pv_id object;
    uint32_t step_s;
    int64_t start_ms;
    unsigned npoints;           /* of values[m] that count */
    uint64_t values[STORE_BLOCK_METRICS][STORE_BLOCK_POINTS];
};

/* Nothing known. */
void store_block_clear(struct store_block *b);
void store_block_pack(const struct store_block *b, struct buf *out);
/* Fills in what the block does not know yet. Bytes that make no sense are ignored. */
void store_block_unpack(const uint8_t *data, size_t len, struct store_block *b);

/* Writes the block; what is stored of it already and not known here stays. */
int tx_block_merge(struct store_tx *tx, struct store_block *b, struct pv_err *err);
/* Blocks of one object that start in [from, to), oldest first. */
typedef void (*store_block_fn)(void *ctx, const struct store_block *b);
int store_blocks(struct store *s, const struct pv_id *object, uint32_t step_s, int64_t from_ms, int64_t to_ms,
                 store_block_fn each, void *ctx, struct pv_err *err);
/* At most 5,000. */
int tx_purge_blocks(struct store_tx *tx, uint32_t step_s, int64_t before_ms, size_t *deleted, struct pv_err *err);
