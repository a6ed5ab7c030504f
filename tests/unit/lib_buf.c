/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>

Test(buf, text_is_collected_and_ended)
{
    struct buf b;

    buf_init(&b, 1000);
    cr_assert(buf_ok(&b));
    buf_text(&b, "one ");
    buf_append(&b, "two!", 3);
    buf_char(&b, ' ');
    buf_printf(&b, "%d %s", 3, "four");
    cr_assert_str_eq(b.data, "one two 3 four");
    cr_assert_eq(b.len, 14);
    buf_free(&b);
    cr_assert_null(b.data);
}

Test(buf, it_takes_exactly_its_maximum)
{
    struct buf b;

    buf_init(&b, 100);
    for (int i = 0; i < 100; i++)
        buf_char(&b, 'x');
    cr_assert(buf_ok(&b));
    cr_assert_eq(b.len, 100);
    buf_append(&b, "", 0);
    cr_assert(buf_ok(&b));
    buf_char(&b, 'x');
    cr_assert_not(buf_ok(&b));
    cr_assert_null(b.data);
    buf_text(&b, "y");
    cr_assert_eq(b.len, 0);
    cr_assert_null(buf_take(&b));
    buf_reset(&b);
    buf_text(&b, "again");
    cr_assert(buf_ok(&b));
    cr_assert_str_eq(b.data, "again");
    buf_free(&b);
}

Test(buf, printf_grows_and_stops_at_the_maximum_too)
{
    struct buf b;
    char long_text[301];

    memset(long_text, 'x', 300);
    long_text[300] = '\0';
    buf_init(&b, 300);
    buf_printf(&b, "%s", long_text);
    cr_assert(buf_ok(&b));
    cr_assert_eq(b.len, 300);
    buf_reset(&b);
    buf_printf(&b, "%sy", long_text);
    cr_assert_not(buf_ok(&b));
    buf_free(&b);
}

Test(buf, lengths_that_overflow_are_refused)
{
    struct buf b;

    buf_init(&b, SIZE_MAX);
    buf_text(&b, "x");
    cr_assert_null(buf_reserve(&b, SIZE_MAX));
    cr_assert_not(buf_ok(&b));
    buf_reset(&b);
    buf_text(&b, "x");
    cr_assert_null(buf_reserve(&b, SIZE_MAX - 1));
    buf_free(&b);
}

Test(buf, reserved_room_can_be_used_in_part)
{
    struct buf b;
    char *room;

    buf_init(&b, 64);
    buf_text(&b, "ab");
    room = buf_reserve(&b, 62);
    cr_assert_not_null(room);
    memcpy(room, "cd", 2);
    b.len += 2;
    cr_assert_str_eq(b.data, "abcd");
    cr_assert_null(buf_reserve(&b, 61));
    buf_free(&b);
}

Test(buf, what_is_taken_belongs_to_the_taker)
{
    struct buf b;
    char *text;

    buf_init(&b, 10);
    text = buf_take(&b);
    cr_assert_str_eq(text, "");
    free(text);
    buf_text(&b, "abc");
    text = buf_take(&b);
    cr_assert_str_eq(text, "abc");
    cr_assert_eq(b.len, 0);
    buf_text(&b, "next");
    cr_assert_str_eq(b.data, "next");
    cr_assert_str_eq(text, "abc");
    free(text);
    buf_free(&b);
}

Test(arena, memory_is_aligned_zeroed_and_apart)
{
    struct arena *a = arena_new(256, 4096);
    char *before = NULL;

    for (size_t size = 0; size < 40; size++) {
        char *p = arena_alloc(a, size);

        cr_assert_eq((uintptr_t)p % 16, 0);
        cr_assert_neq(p, before);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(p[i], 0);
        memset(p, 'x', size);
        before = p;
    }
    arena_reset(a);
    before = arena_alloc(a, 100);
    for (size_t i = 0; i < 100; i++)
        cr_assert_eq(before[i], 0, "zeroed again after a reset");
    arena_free(a);
    arena_free(NULL);
}

Test(arena, it_ends_at_its_limit_and_lives_on)
{
    struct arena *a = arena_new(64, 1024);
    size_t got = 0;

    cr_assert_null(arena_alloc(a, 1025));
    cr_assert_null(arena_alloc(a, SIZE_MAX));
    while (arena_alloc(a, 16))
        got += 16;
    cr_assert_eq(got, 1024);
    cr_assert_eq(arena_used(a), 1024);
    cr_assert_null(arena_alloc(a, 1));
    arena_reset(a);
    cr_assert_eq(arena_used(a), 0);
    cr_assert_not_null(arena_alloc(a, 900));
    arena_free(a);
}

Test(arena, texts_are_copied)
{
    struct arena *a = arena_new(32, 1024);

    cr_assert_str_eq(arena_text(a, "abcdef", 3), "abc");
    cr_assert_str_eq(arena_strdup(a, ""), "");
    cr_assert_str_eq(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    cr_assert_arr_eq(arena_copy(a, "\x01\x00\x02", 3), "\x01\x00\x02", 3);
    cr_assert_null(arena_text(a, "", SIZE_MAX));
    cr_assert_null(arena_printf(a, "%2000d", 1));
    arena_free(a);
}
