/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/buf.h>

#include "db/store_series.h"
#include "tests/unit/db_store.h"

TestSuite(series);

#define HOUR 3600000

static struct store_block *block(const struct pv_id *object, int64_t start_ms)
{
    struct store_block *b = calloc(1, sizeof(*b));

    cr_assert(b);
    store_block_clear(b);
    b->object = *object;
    b->step_s = 300;
    b->start_ms = start_ms;
    b->npoints = 12;
    return b;
}

static int merge(struct store_tx *tx, void *arg, struct pv_err *err)
{
    return tx_block_merge(tx, arg, err);
}

static void put(struct fixture *f, struct store_block *b)
{
    struct pv_err err = { 0 };

    cr_assert_eq(store_write(f->store, merge, b, &err), PV_OK, "%s", err.message);
    free(b);
}

struct seen {
    size_t n;
    struct store_block last;
};

static void see(void *ctx, const struct store_block *b)
{
    struct seen *s = ctx;

    s->n++;
    s->last = *b;
}

Test(series, what_is_packed_comes_back)
{
    static const uint64_t values[] = { 0, 1, STORE_VALUE_MAX, 5, 5, STORE_NO_VALUE, 1000000007, 3, 0, STORE_VALUE_MAX - 1, 77, 76 };
    struct pv_id id;
    struct store_block *a, *b;
    struct buf packed;

    id_make(&id);
    a = block(&id, HOUR);
    b = block(&id, HOUR);
    memcpy(a->values[0], values, sizeof(values));
    memcpy(a->values[19], values, sizeof(values));
    a->values[3][11] = 4;
    buf_init(&packed, 1u << 20);
    store_block_pack(a, &packed);
    store_block_unpack((const uint8_t *)packed.data, packed.len, b);
    cr_assert_arr_eq(a->values, b->values, sizeof(a->values));
    cr_assert_lt(packed.len, 160);
    buf_free(&packed);
    free(a);
    free(b);
}

Test(series, flat_numbers_take_a_byte_a_point)
{
    struct pv_id id;
    struct store_block *a;
    struct buf packed;

    id_make(&id);
    a = block(&id, HOUR);
    for (unsigned m = 0; m < 12; m++)
        for (unsigned i = 0; i < 12; i++)
            a->values[m][i] = 40 + i;
    buf_init(&packed, 1u << 20);
    store_block_pack(a, &packed);
    cr_assert_leq(packed.len, 2 + 12 * (1 + 12));
    buf_free(&packed);
    free(a);
}

Test(series, damaged_bytes_are_no_harm)
{
    struct pv_id id;
    struct store_block *a;
    uint8_t bytes[64];

    id_make(&id);
    a = block(&id, HOUR);
    for (unsigned seed = 0; seed < 20000; seed++) {
        size_t len = seed % sizeof(bytes);

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)((seed * 2654435761u >> (i % 24)) + i * seed);
        if (len > 0 && seed % 2)
            bytes[0] = 1;
        store_block_unpack(bytes, len, a);
    }
    cr_assert_leq(a->npoints, STORE_BLOCK_POINTS);
    free(a);
}

Test(series, a_block_that_is_written_twice_has_both)
{
    struct fixture f = fixture_make();
    struct seen s = { .n = 0 };
    struct pv_err err = { 0 };
    struct store_block *b;
    struct pv_id id;

    fixture_open(&f);
    id_make(&id);
    b = block(&id, HOUR);
    b->values[0][0] = 10;
    b->values[1][0] = 11;
    put(&f, b);
    b = block(&id, HOUR);
    b->values[0][1] = 20;
    b->values[1][0] = 12;
    put(&f, b);
    cr_assert_eq(store_blocks(f.store, &id, 300, 0, 2 * HOUR, see, &s, &err), PV_OK);
    cr_assert_eq(s.n, 1);
    cr_assert_eq(s.last.values[0][0], 10);
    cr_assert_eq(s.last.values[0][1], 20);
    cr_assert_eq(s.last.values[1][0], 12);
    cr_assert_eq(s.last.values[2][0], STORE_NO_VALUE);
    fixture_end(&f);
}

struct purge {
    size_t deleted;
};

static int purge(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct purge *p = arg;

    return tx_purge_blocks(tx, 300, 3 * HOUR, &p->deleted, err);
}

Test(series, old_blocks_go_and_others_stay)
{
    struct fixture f = fixture_make();
    struct seen s = { .n = 0 };
    struct purge p = { 0 };
    struct pv_err err = { 0 };
    struct pv_id one, other;

    fixture_open(&f);
    id_make(&one);
    id_make(&other);
    for (int64_t hour = 1; hour <= 4; hour++) {
        struct store_block *b = block(&one, hour * HOUR);

        b->values[0][0] = (uint64_t)hour;
        put(&f, b);
        b = block(&other, hour * HOUR);
        b->values[0][0] = 1;
        put(&f, b);
    }
    cr_assert_eq(store_write(f.store, purge, &p, &err), PV_OK, "%s", err.message);
    cr_assert_eq(p.deleted, 4);
    cr_assert_eq(store_blocks(f.store, &one, 300, 0, 10 * HOUR, see, &s, &err), PV_OK);
    cr_assert_eq(s.n, 2);
    cr_assert_eq(s.last.values[0][0], 4);
    cr_assert_eq(store_blocks(f.store, &one, 3600, 0, 10 * HOUR, see, &s, &err), PV_OK);
    cr_assert_eq(s.n, 2, "another step is another series");
    fixture_end(&f);
}
