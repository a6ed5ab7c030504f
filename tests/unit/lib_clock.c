/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>
#include <time.h>

#include <polyvisor/clock.h>

static void expect(const char *text, int64_t want)
{
    int64_t ms = -1;

    cr_assert(clock_parse(text, strlen(text), &ms), "%s", text);
    cr_assert_eq(ms, want, "%s: %lld", text, (long long)ms);
}

Test(clock, times_are_written_with_milliseconds)
{
    char text[CLOCK_TEXT_LEN];

    clock_text(0, text);
    cr_assert_str_eq(text, "1970-01-01T00:00:00.000Z");
    clock_text(1769860800123, text);
    cr_assert_str_eq(text, "2026-01-31T12:00:00.123Z");
    clock_text(-1, text);
    cr_assert_str_eq(text, "1969-12-31T23:59:59.999Z");
    clock_text(INT64_MAX, text);
    cr_assert_str_eq(text, "9999-12-31T23:59:59.999Z");
    clock_text(INT64_MIN, text);
    cr_assert_str_eq(text, "0000-01-01T00:00:00.000Z");
}

Test(clock, the_calendar_is_the_systems)
{
    for (int64_t day = -200000; day < 200000; day += 37) {
        time_t seconds = (time_t)day * 86400 + 45296;
        char text[CLOCK_TEXT_LEN], want[CLOCK_TEXT_LEN];
        struct tm tm;
        int64_t ms;

        gmtime_r(&seconds, &tm);
        strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.007Z", &tm);
        clock_text((int64_t)seconds * 1000 + 7, text);
        cr_assert_str_eq(text, want);
        cr_assert(clock_parse(text, strlen(text), &ms));
        cr_assert_eq(ms, (int64_t)seconds * 1000 + 7);
    }
}

Test(clock, times_of_all_usual_forms_are_read)
{
    expect("2026-01-31T12:00:00.123Z", 1769860800123);
    expect("2026-01-31T12:00:00Z", 1769860800000);
    expect("2026-01-31t12:00:00.1z", 1769860800100);
    expect("2026-01-31 12:00:00.123456789Z", 1769860800123);
    expect("2026-01-31T14:30:00.5+02:30", 1769860800500);
    expect("2026-01-31T05:00:00-07:00", 1769860800000);
    expect("2026-01-31", 1769817600000);
    expect("2024-02-29", 1709164800000);
    expect("2016-12-31T23:59:60Z", 1483228800000);
}

Test(clock, what_is_no_time_is_refused)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-1-31",
        "2026-13-01",
        "2026-00-01",
        "2026-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-01-31T",
        "2026-01-31T12:00:00",
        "2026-01-31T24:00:00Z",
        "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z",
        "2026-01-31T12:00:00.Z",
        "2026-01-31T12:00:00.1234567890Z",
        "2026-01-31T12:00:00+0200",
        "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00Zx",
        "2026-01-31T12:00Z",
        "+026-01-31",
        " 2026-01-31",
        "2026-01-31 ",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t ms = 42;

        cr_assert_not(clock_parse(bad[i], strlen(bad[i]), &ms), "%s", bad[i]);
        cr_assert_eq(ms, 42);
    }
    cr_assert_not(clock_parse("2026-01-31", 9, &(int64_t){ 0 }), "only len bytes count");
}

Test(clock, clocks_run_forward)
{
    int64_t mono = clock_mono_ns(), cpu = clock_cpu_ns();

    clock_sleep_ms(2);
    clock_sleep_ms(-5);
    cr_assert_geq(clock_mono_ns() - mono, 2000000);
    cr_assert_geq(clock_cpu_ns(), cpu);
    cr_assert_gt(clock_wall_ms(), 1700000000000);
    cr_assert_geq(clock_mono_ms(), mono / 1000000);
}

Test(clock, back_off_doubles_with_jitter_up_to_its_most)
{
    struct backoff b = { .first_ms = 200, .most_ms = 30000 };
    int64_t whole = 200;

    for (int i = 0; i < 200; i++) {
        int64_t ms = backoff_next_ms(&b);

        cr_assert(ms >= whole / 2 && ms <= whole, "%lld of %lld", (long long)ms, (long long)whole);
        whole = whole * 2 < 30000 ? whole * 2 : 30000;
    }
    backoff_reset(&b);
    cr_assert_leq(backoff_next_ms(&b), 200);
    b = (struct backoff){ .first_ms = 1, .most_ms = INT64_MAX };
    for (int i = 0; i < 200; i++)
        cr_assert_geq(backoff_next_ms(&b), 0);
    b = (struct backoff){ 0 };
    cr_assert_leq(backoff_next_ms(&b), 1);
}
