/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

Test(str, copies_are_cut_between_characters)
{
    char out[8];

    cr_assert(str_copy(out, sizeof(out), "1234567"));
    cr_assert_not(str_copy(out, sizeof(out), "12345678"));
    cr_assert_str_eq(out, "1234567");
    cr_assert_not(str_copy(out, sizeof(out), "12345\xe2\x82\xac"));
    cr_assert_str_eq(out, "12345");
    cr_assert_not(str_copy(out, sizeof(out), "1234\xf0\x9f\x98\x80"));
    cr_assert_str_eq(out, "1234");
    cr_assert(str_copy(out, sizeof(out), "123\xf0\x9f\x98\x80"));
    cr_assert_not(str_copy(out, sizeof(out), "\x80\x80\x80\x80\x80\x80\x80\x80\x80"));
    cr_assert_eq(strlen(out), 7, "bytes that are no text are not lost");
    cr_assert(str_copy_n(out, sizeof(out), "abcdef", 3));
    cr_assert_str_eq(out, "abc");
    cr_assert_not(str_copy_n(out, 1, "a", 1));
    cr_assert_str_eq(out, "");
    cr_assert_not(str_copy_n(out, 0, "a", 1));
}

Test(str, beginnings_ends_and_equality)
{
    cr_assert(str_eq("a", "a"));
    cr_assert(str_eq(NULL, NULL));
    cr_assert_not(str_eq(NULL, ""));
    cr_assert_not(str_eq("a", "b"));
    cr_assert(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("a", "ab"));
    cr_assert(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("c", "bc"));
    cr_assert(str_eq_const_time("abc", "abc", 3) && !str_eq_const_time("abc", "abd", 3));
    cr_assert(str_eq_const_time("a", "b", 0));
}

Test(str, numbers_are_whole_and_in_range)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1.0", "18446744073709551616", "99999999999999999999999",
        "a"
    };
    uint64_t u = 7;
    int64_t i = 7;

    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
        cr_assert_not(str_u64(bad[n], strlen(bad[n]), UINT64_MAX, &u), "%s", bad[n]);
    cr_assert_not(str_u64("101", 3, 100, &u));
    cr_assert_not(str_u64("1\0002", 3, 100, &u));
    cr_assert_eq(u, 7);
    cr_assert(str_u64("18446744073709551615", 20, UINT64_MAX, &u) && u == UINT64_MAX);
    cr_assert(str_u64("100", 3, 100, &u) && u == 100);
    cr_assert(str_u64("1234", 2, 100, &u) && u == 12);
    cr_assert(str_u64("007", 3, 100, &u) && u == 7);
    cr_assert(str_i64("-9223372036854775808", 20, &i) && i == INT64_MIN);
    cr_assert(str_i64("9223372036854775807", 19, &i) && i == INT64_MAX);
    cr_assert(str_i64("-0", 2, &i) && i == 0);
    cr_assert_not(str_i64("9223372036854775808", 19, &i));
    cr_assert_not(str_i64("-9223372036854775809", 20, &i));
    cr_assert_not(str_i64("-", 1, &i));
    cr_assert_not(str_i64("--1", 3, &i));
    cr_assert_not(str_i64("", 0, &i));
}

Test(str, utf8_is_checked_strictly)
{
    static const struct {
        const char *text;
        bool is_ok;
    } cases[] = {
        { "", true },
        { "abc", true },
        { "\xc3\xa4", true },
        { "\xe2\x82\xac", true },
        { "\xf0\x9f\x98\x80", true },
        { "\xf4\x8f\xbf\xbf", true },
        { "\xed\x9f\xbf", true },
        { "\xc3", false },
        { "\xe2\x82", false },
        { "\xf0\x9f\x98", false },
        { "\x80", false },
        { "\xc0\xaf", false },
        { "\xc1\xbf", false },
        { "\xe0\x9f\xbf", false },
        { "\xf0\x8f\xbf\xbf", false },
        { "\xed\xa0\x80", false },
        { "\xf4\x90\x80\x80", false },
        { "\xf5\x80\x80\x80", false },
        { "\xff", false },
        { "\xc3\x28", false },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(str_utf8_ok(cases[i].text, strlen(cases[i].text), true), cases[i].is_ok, "%zu",
                     i);
    cr_assert_not(str_utf8_ok("a\0b", 3, true));
    cr_assert(str_utf8_ok("a\tb\n", 4, false));
    cr_assert_not(str_utf8_ok("a\rb", 3, false));
    cr_assert(str_utf8_ok("a\rb", 3, true));
    cr_assert_not(str_utf8_ok("\x7f", 1, false));
    cr_assert_not(str_utf8_ok("\xc2\x85", 2, false));
}

Test(str, dirty_text_is_cleaned)
{
    struct buf b;

    buf_init(&b, 100);
    str_utf8_clean(&b,
                   "a\x01"
                   "b\xff\t\n\xc3\xa4\xe2\x82",
                   10);
    cr_assert_str_eq(b.data, "a\xef\xbf\xbd"
                             "b\xef\xbf\xbd\t\n\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd");
    cr_assert(str_utf8_ok(b.data, b.len, false));
    buf_free(&b);
}

static void expect_fold(const char *text, const char *want)
{
    struct buf b;

    buf_init(&b, 100);
    str_fold(&b, text, strlen(text));
    cr_assert_str_eq(b.data, want);
    buf_free(&b);
}

Test(str, case_is_folded_in_the_named_blocks_only)
{
    expect_fold("Web-01 \xc3\x84\xc3\x96\xc3\x9c\xc3\x9f",
                "web-01 \xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f");
    expect_fold("\xc3\x97\xc3\xb7", "\xc3\x97\xc3\xb7"); /* signs are no letters */
    expect_fold("\xc5\xbd\xc4\x8c\xc5\xb8", "\xc5\xbe\xc4\x8d\xc3\xbf");
    expect_fold("\xc5\xbf", "s");
    expect_fold("\xc4\xb0\xc4\xb1", "\xc4\xb0\xc4\xb1"); /* the Turkish i's stay */
    expect_fold("\xce\x91\xce\xa3\xcf\x82", "\xce\xb1\xcf\x83\xcf\x83");
    expect_fold("\xd0\x90\xd0\x81\xd3\x80", "\xd0\xb0\xd1\x91\xd3\x8f");
    expect_fold("\xe1\xb8\x80", "\xe1\xb8\x80"); /* beyond the blocks */
    expect_fold("A\xff\xc3", "a\xff\xc3");
}

Test(str, folding_twice_changes_nothing_more)
{
    for (unsigned c = 0x80; c < 0x800; c++) {
        char two[2] = { (char)(0xc0 | c >> 6), (char)(0x80 | (c & 63)) };
        struct buf once, twice;

        buf_init(&once, 10);
        buf_init(&twice, 10);
        str_fold(&once, two, 2);
        str_fold(&twice, once.data, once.len);
        cr_assert_str_eq(once.data, twice.data, "U+%04X", c);
        buf_free(&once);
        buf_free(&twice);
    }
}

static bool wild(const char *pattern, const char *text)
{
    return str_wildcard(pattern, strlen(pattern), text, strlen(text));
}

Test(str, wildcards_match_whole_texts)
{
    cr_assert(wild("", "") && wild("*", "") && wild("*", "abc") && wild("a*", "a") &&
              wild("a*c", "abbc"));
    cr_assert(wild("*b*", "abc") && wild("?b?", "abc") && wild("a**c", "ac") &&
              wild("*.x", "a.x.x"));
    cr_assert(wild("?", "\xc3\xa4") && wild("*?", "a\xe2\x82\xac") && !wild("??", "\xc3\xa4"));
    cr_assert(!wild("", "a") && !wild("a", "") && !wild("?", "") && !wild("a*c", "abcd") &&
              !wild("b*", "ab"));
    cr_assert(wild("web-*-prod", "web-01-prod") && !wild("web-*-prod", "web-01-prod2"));
}

Test(str, many_stars_do_not_blow_up, .timeout = 10)
{
    char text[5001], pattern[201];

    memset(text, 'a', 5000);
    text[5000] = '\0';
    for (int i = 0; i < 200; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[199] = 'b';
    pattern[200] = '\0';
    cr_assert_not(wild(pattern, text));
}

Test(str, hex_goes_there_and_back)
{
    uint8_t data[4] = { 0x00, 0x9f, 0xab, 0xff }, back[4];
    char text[9];

    str_hex(data, 4, text);
    cr_assert_str_eq(text, "009fabff");
    cr_assert(str_unhex("009FabFf", 8, back));
    cr_assert_arr_eq(back, data, 4);
    cr_assert_not(str_unhex("009", 3, back));
    cr_assert_not(str_unhex("0g", 2, back));
    cr_assert(str_unhex("", 0, back));
}

Test(str, base64_goes_there_and_back_and_is_strict)
{
    static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
    static const char *const coded[] = { "",         "Zg==",     "Zm8=",    "Zm9v",
                                         "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
    static const char *const bad[] = { "Z",    "Zg",     "Zg=", "Zg===", "Zh==", "Zm9=",
                                       "Zm 9", "Zm9v\n", "=",   "====",  "Zm9_", "Zg==Zg==" };
    uint8_t out[16], bytes[256], back[256];
    size_t len = 99;
    struct buf b;

    buf_init(&b, 1000);
    for (size_t i = 0; i < 7; i++) {
        buf_reset(&b);
        str_base64(&b, (const uint8_t *)plain[i], i);
        cr_assert_str_eq(b.data, coded[i]);
        cr_assert(str_unbase64(coded[i], strlen(coded[i]), out, sizeof(out), &len));
        cr_assert(len == i && memcmp(out, plain[i], i) == 0);
    }
    len = 99;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(str_unbase64(bad[i], strlen(bad[i]), out, sizeof(out), &len), "%s", bad[i]);
    cr_assert_not(str_unbase64("Zm9v", 4, out, 2, &len));
    cr_assert_eq(len, 99);
    for (size_t i = 0; i < 256; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t n = 0; n <= 256; n++) {
        buf_reset(&b);
        str_base64url(&b, bytes, n);
        cr_assert_null(strpbrk(b.data, "+/="));
        cr_assert(str_unbase64url(b.data, b.len, back, n, &len));
        cr_assert(len == n && memcmp(back, bytes, n) == 0);
    }
    buf_free(&b);
}

Test(str, distance_counts_edits_up_to_a_limit)
{
    char long_word[200];

    cr_assert_eq(str_distance("", "", 3), 0);
    cr_assert_eq(str_distance("kitten", "sitting", 5), 3);
    cr_assert_eq(str_distance("kitten", "sitting", 2), 3);
    cr_assert_eq(str_distance("abc", "", 2), 3);
    cr_assert_eq(str_distance("", "ab", 2), 2);
    cr_assert_eq(str_distance("memory", "memroy", 2), 2);
    memset(long_word, 'x', 199);
    long_word[199] = '\0';
    cr_assert_eq(str_distance(long_word, "x", 2), 3);
    cr_assert_eq(str_distance(long_word, long_word, 2), 0);
}

static void make_folder(char *out)
{
    snprintf(out, 64, "/tmp/polyvisor-str-XXXXXX");
    cr_assert_not_null(mkdtemp(out));
}

Test(str, files_are_replaced_whole_and_nothing_is_left_beside)
{
    char folder[64], path[100], *text = NULL;
    struct pv_err err = { 0 };
    struct dirent *entry;
    unsigned entries = 0;
    struct stat st;
    size_t len = 0;
    DIR *dir;

    make_folder(folder);
    snprintf(path, sizeof(path), "%s/file", folder);
    cr_assert_eq(str_read_file(path, 10, &text, &len, &err), PV_ENOENT);
    cr_assert_eq(str_write_file(path, "a\0b", 3, 0600, &err), PV_OK, "%s", err.message);
    cr_assert_eq(str_write_file(path, "second", 6, 0600, &err), PV_OK, "%s", err.message);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
    cr_assert_eq(str_read_file(path, 6, &text, &len, &err), PV_OK, "%s", err.message);
    cr_assert_eq(len, 6);
    cr_assert_str_eq(text, "second");
    free(text);
    text = NULL;
    cr_assert_eq(str_read_file(path, 5, &text, &len, &err), PV_EINVAL);
    cr_assert_null(text);
    cr_assert_eq(str_read_file(folder, 5, &text, &len, &err), PV_EINVAL);
    dir = opendir(folder);
    while ((entry = readdir(dir)))
        entries += entry->d_name[0] != '.';
    closedir(dir);
    cr_assert_eq(entries, 1);
    cr_assert_eq(str_write_file("/tmp/no-such-folder-here/file", "x", 1, 0600, &err), PV_ENOENT);
    /* A folder cannot be replaced: the new file goes away again. */
    snprintf(path, sizeof(path), "%s/sub", folder);
    mkdir(path, 0700);
    cr_assert_neq(str_write_file(path, "x", 1, 0600, &err), PV_OK);
    rmdir(path);
    snprintf(path, sizeof(path), "%s/file", folder);
    unlink(path);
    cr_assert_eq(rmdir(folder), 0, "something was left in %s", folder);
}

Test(str, empty_and_kernel_files_are_read)
{
    char *text = NULL;
    size_t len = 9;

    cr_assert_eq(str_read_file("/dev/null", 10, &text, &len, NULL), PV_OK);
    cr_assert_eq(len, 0);
    cr_assert_str_eq(text, "");
    free(text);
    cr_assert_eq(str_read_file("/proc/self/status", 100000, &text, &len, NULL), PV_OK);
    cr_assert_gt(len, 10, "its size says 0");
    free(text);
    cr_assert_eq(str_read_file("/dev/zero", 100000, &text, &len, NULL), PV_EINVAL);
}
