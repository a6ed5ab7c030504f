/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/jsonw.h>

static void start(struct jsonw *w, struct buf *b)
{
    buf_init(b, 1 << 20);
    jsonw_init(w, b);
}

Test(jsonw, every_kind_of_value_is_written)
{
    struct jsonw w;
    struct buf b;

    start(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "a", "text");
    jsonw_str(&w, "b", NULL);
    jsonw_strn(&w, "c", "cut here", 3);
    jsonw_strf(&w, "d", "%d%%", 50);
    jsonw_u64(&w, "e", UINT64_MAX);
    jsonw_i64(&w, "f", INT64_MIN);
    jsonw_double(&w, "g", 0.1);
    jsonw_bool(&w, "h", true);
    jsonw_bool(&w, "i", false);
    jsonw_null(&w, "j");
    jsonw_time(&w, "k", 1769860800123);
    jsonw_time(&w, "l", 0);
    jsonw_raw(&w, "m", "{\"x\":1}", 7);
    jsonw_raw(&w, "n", "", 0);
    jsonw_object(&w, "o");
    jsonw_end(&w);
    jsonw_array(&w, "p");
    jsonw_u64(&w, NULL, 1);
    jsonw_array(&w, NULL);
    jsonw_end(&w);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "q", true);
    jsonw_end(&w);
    jsonw_str(&w, NULL, "z");
    jsonw_end(&w);
    jsonw_end(&w);
    cr_assert(buf_ok(&b));
    cr_assert_str_eq(
        b.data, "{\"a\":\"text\",\"b\":null,\"c\":\"cut\",\"d\":\"50%\",\"e\":18446744073709551615,"
                "\"f\":-9223372036854775808,\"g\":0.1,\"h\":true,\"i\":false,\"j\":null,"
                "\"k\":\"2026-01-31T12:00:00.123Z\",\"l\":null,\"m\":{\"x\":1},\"n\":null,\"o\":{},"
                "\"p\":[1,[],{\"q\":true},\"z\"]}");
    buf_free(&b);
}

Test(jsonw, texts_are_escaped_and_invalid_bytes_replaced)
{
    struct jsonw w;
    struct buf b;

    start(&w, &b);
    jsonw_str(&w, NULL, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa4\xf0\x9f\x98\x80");
    cr_assert_str_eq(
        b.data,
        "\"a\\\"b\\\\c/\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa4\xf0\x9f\x98\x80\"");
    buf_reset(&b);
    jsonw_strn(&w, NULL, "x\xffy\xed\xa0\x80z\xe2\x82\0", 10);
    cr_assert_str_eq(
        b.data,
        "\"x\xef\xbf\xbdy\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\\u0000\"");
    buf_reset(&b);
    jsonw_object(&w, NULL);
    jsonw_null(&w, "k\"\n");
    jsonw_end(&w);
    cr_assert_str_eq(b.data, "{\"k\\\"\\n\":null}");
    buf_free(&b);
}

Test(jsonw, any_bytes_make_json_that_another_parser_takes)
{
    uint32_t dice = 1;

    for (int round = 0; round < 2000; round++) {
        char noise[64];
        struct jsonw w;
        struct buf b;
        json_t *json;

        for (size_t i = 0; i < sizeof(noise); i++) {
            dice = dice * 1664525 + 1013904223;
            noise[i] = (char)(dice >> 24);
        }
        start(&w, &b);
        jsonw_array(&w, NULL);
        jsonw_strn(&w, NULL, noise, sizeof(noise));
        jsonw_end(&w);
        json = json_loadb(b.data, b.len, JSON_ALLOW_NUL, NULL);
        cr_assert_not_null(json, "%s", b.data);
        json_decref(json);
        buf_free(&b);
    }
}

Test(jsonw, doubles_read_back_as_they_were_in_few_digits)
{
    static const double values[] = { 0,       -0.0,
                                     1,       0.1,
                                     1.0 / 3, 1e300,
                                     DBL_MIN, DBL_MAX,
                                     5e-324,  123456789.123456789,
                                     -2.5,    1e15,
                                     1e17,    4503599627370497.5 };
    struct jsonw w;
    struct buf b;

    start(&w, &b);
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        buf_reset(&b);
        jsonw_double(&w, NULL, values[i]);
        cr_assert_eq(strtod(b.data, NULL), values[i], "%s", b.data);
    }
    buf_reset(&b);
    jsonw_double(&w, NULL, 0.3);
    cr_assert_str_eq(b.data, "0.3");
    buf_reset(&b);
    jsonw_double(&w, NULL, (double)NAN);
    cr_assert_str_eq(b.data, "null");
    buf_reset(&b);
    jsonw_double(&w, NULL, -(double)INFINITY);
    cr_assert_str_eq(b.data, "null");
    buf_free(&b);
}

Test(jsonw, depth_32_is_the_most)
{
    struct jsonw w;
    struct buf b;

    start(&w, &b);
    for (int i = 0; i < 32; i++)
        jsonw_array(&w, NULL);
    jsonw_u64(&w, NULL, 1);
    jsonw_u64(&w, NULL, 2);
    for (int i = 0; i < 32; i++)
        jsonw_end(&w);
    cr_assert_eq(w.depth, 0);
    cr_assert_eq(b.len, 67);
    buf_free(&b);
}

Test(jsonw, one_level_more_is_an_assertion, .signal = SIGABRT)
{
    struct jsonw w;
    struct buf b;

    start(&w, &b);
    for (int i = 0; i < 33; i++)
        jsonw_array(&w, NULL);
}

Test(jsonw, a_missing_key_is_an_assertion, .signal = SIGABRT)
{
    struct jsonw w;
    struct buf b;

    start(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, NULL, 1);
}

Test(jsonw, a_full_buffer_is_noticed_once_at_the_end)
{
    struct jsonw w;
    struct buf b;

    buf_init(&b, 20);
    jsonw_init(&w, &b);
    jsonw_array(&w, NULL);
    for (int i = 0; i < 100; i++)
        jsonw_strf(&w, NULL, "number %d", i);
    jsonw_end(&w);
    cr_assert_not(buf_ok(&b));
    buf_free(&b);
}
