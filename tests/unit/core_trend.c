/* SPDX-License-Identifier: Apache-2.0 */
/* Where use is going: the line through the days, and days that come from what is stored. */
#include <math.h>

#include "tests/unit/core_fake.h"

#include "db/store_series.h"
#include "server/core/metrics.h"

#define DAY_MS (24 * 3600000ll)
#define GIB (1ull << 30)

TestSuite(trend, .timeout = 120);

static void nothing_known(double *values)
{
    for (size_t d = 0; d < CORE_DAYS; d++)
        values[d] = NAN;
}

static void line(double *values, double first, double each)
{
    for (size_t d = 0; d < CORE_DAYS; d++)
        values[d] = first + each * (double)d;
}

Test(trend, a_straight_line_tells_the_day_it_reaches_the_top)
{
    struct core_trend t;
    double values[CORE_DAYS];

    line(values, 100, 10);
    cr_assert(core_trend_fit(values, 500, &t));
    cr_expect(t.clear);
    cr_expect_eq(t.days, CORE_DAYS);
    cr_expect_float_eq(t.per_day, 10, 1e-6);
    cr_expect(t.fills);
    /* It is at 400 today, the day after the last. */
    cr_expect_float_eq(t.days_until_full, 10, 1e-6);
}

Test(trend, less_than_seven_days_say_nothing)
{
    struct core_trend t = { .days = 99 };
    double values[CORE_DAYS];

    nothing_known(values);
    for (size_t d = CORE_DAYS - 6; d < CORE_DAYS; d++)
        values[d] = (double)d;
    cr_expect_not(core_trend_fit(values, 500, &t));
    cr_expect_eq(t.days, 99, "untouched");
    values[CORE_DAYS - 7] = CORE_DAYS - 7;
    cr_assert(core_trend_fit(values, 500, &t));
    cr_expect_eq(t.days, 7);
    cr_expect_float_eq(t.per_day, 1, 1e-9);
}

Test(trend, days_that_are_not_known_do_not_bend_the_line)
{
    struct core_trend t;
    double values[CORE_DAYS];

    line(values, 1e12, 1e9);
    for (size_t d = 0; d < CORE_DAYS; d += 3)
        values[d] = NAN;
    cr_assert(core_trend_fit(values, 2e12, &t));
    cr_expect_float_eq(t.per_day, 1e9, 1e3);
    cr_expect_float_eq(t.days_until_full, 970, 0.1);
}

Test(trend, what_shrinks_or_stays_never_fills)
{
    struct core_trend t;
    double values[CORE_DAYS];

    line(values, 1000, -3);
    cr_assert(core_trend_fit(values, 5000, &t));
    cr_expect(t.clear);
    cr_expect_float_eq(t.per_day, -3, 1e-9);
    cr_expect_not(t.fills);
    line(values, 1000, 0);
    cr_assert(core_trend_fit(values, 5000, &t));
    cr_expect_not(t.clear);
    cr_expect_eq(t.per_day, 0.0);
    cr_expect_not(t.fills);
}

Test(trend, what_goes_up_and_down_by_chance_is_no_growth)
{
    struct core_trend t;
    double values[CORE_DAYS];

    /* The slope is that of chance: a little more than nothing, with days far off the line. */
    for (size_t d = 0; d < CORE_DAYS; d++)
        values[d] = 1000 + (d * 7919 % 13 < 6 ? -90 : 80) + 0.2 * (double)d;
    cr_assert(core_trend_fit(values, 2000, &t));
    cr_expect_not(t.clear);
    cr_expect_not(t.fills);
}

Test(trend, what_is_full_has_no_days_left)
{
    struct core_trend t;
    double values[CORE_DAYS];

    line(values, 100, 10);
    cr_assert(core_trend_fit(values, 300, &t));
    cr_expect(t.fills);
    cr_expect_eq(t.days_until_full, 0.0);
}

Test(trend, what_takes_longer_than_ten_years_is_not_told)
{
    struct core_trend t;
    double values[CORE_DAYS];

    line(values, 100, 0.001);
    cr_assert(core_trend_fit(values, 500, &t));
    cr_expect(t.clear);
    cr_expect_not(t.fills);
}

/* ------------------------------------------------------------------ days that are stored */

static struct world *w;

static unsigned metric(const char *name)
{
    size_t n;
    const struct model_metric *m = model_metrics(&n);

    for (unsigned i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0)
            return i;
    cr_assert_fail("there is no %s", name);
    return 0;
}

/* A day counts as over a quarter of an hour late, when its last numbers are stored. */
static int64_t today_ms(void)
{
    return (clock_wall_ms() - 15 * 60000) / DAY_MS * DAY_MS;
}

/* Thirty days of hours, each day a GiB more than the one before; the hours of a day go up and down
 * around its mean. */
static int put_history(struct store_tx *tx, void *arg, struct pv_err *err)
{
    int64_t today = today_ms();
    struct store_block *b = calloc(1, sizeof(*b));
    unsigned used = metric("storage.used_bytes");
    int rc = PV_OK;

    cr_assert(b);
    for (int64_t d = 0; d < CORE_DAYS && rc == PV_OK; d++) {
        if (d == 11)
            continue; /* the server was away */
        store_block_clear(b);
        b->object = *(struct pv_id *)arg;
        b->step_s = 3600;
        b->start_ms = today - (CORE_DAYS - d) * DAY_MS;
        b->npoints = 24;
        for (unsigned h = 0; h < 24; h++)
            b->values[used][h] =
                (uint64_t)(100 + d) * GIB + (h % 2 ? GIB / 4 : 0) - (h % 2 ? 0 : GIB / 4);
        rc = tx_block_merge(tx, b, err);
    }
    free(b);
    return rc;
}

static void send_store(struct driver_session *s)
{
    struct pv_builder *b = s->builder;

    pv_datastore_begin(b, "ds-1", "uuid-ds-1");
    pv_datastore_name(b, "vmfs-1");
    pv_datastore_capacity_bytes(b, 200 * GIB);
}

static void send_usage(struct driver_session *s)
{
    struct pv_builder *b = s->builder;

    pv_usage_begin(b, "ds-1", NULL);
    pv_usage_subject_kind(b, PV_KIND_datastore);
    pv_usage_time(b, clock_wall_ms());
    pv_usage_storage_used_bytes(b, 130 * GIB);
}

struct asked {
    struct pv_id id;
    struct core_days days;
};

static bool has_days(const void *arg)
{
    struct asked *a = (struct asked *)(uintptr_t)arg;

    return core_days(w->core, &a->id, &a->days);
}

Test(trend, a_stored_history_becomes_days_and_a_date)
{
    struct asked asked = { 0 };
    struct core_trend t;
    struct driver_session *s;
    struct pv_err err = { 0 };
    struct pv_id *ids;
    double values[CORE_DAYS];

    w = world_new(0, 0);
    add_provider(w, "one", "vmware");
    s = session_of(w, "one");
    listing_begin(s);
    send_store(s);
    listing_end(s);
    cr_assert_eq(find_rows(w, PV_KIND_datastore, F(datastore, native_id), "ds-1", &ids), 1);
    asked.id = ids[0];
    cr_assert_not(core_days(w->core, &asked.id, &asked.days), "nothing was measured yet");
    cr_assert_eq(store_write(w->store, put_history, &asked.id, &err), PV_OK, "%s", err.message);
    send_usage(s);
    changes(s);
    cr_assert(eventually(has_days, &asked), "its days should be read");
    for (size_t d = 0; d < CORE_DAYS; d++) {
        values[d] = (double)asked.days.storage_bytes[d];
        cr_expect(isnan(asked.days.cpu_pct[d]) && isnan(asked.days.memory_bytes[d]));
    }
    cr_expect(isnan(values[11]), "nothing is made up for the day the server was away");
    cr_expect_float_eq(values[CORE_DAYS - 1], 129.0 * (double)GIB, (double)GIB / 1000);
    cr_assert(core_trend_fit(values, 200.0 * (double)GIB, &t));
    cr_expect_float_eq(t.per_day, (double)GIB, (double)GIB / 1000);
    cr_expect_float_eq(t.days_until_full, 70, 0.1);
    world_free(w);
}
