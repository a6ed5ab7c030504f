/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/str.h>

#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/utf8.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

bool str_copy_n(char *dst, size_t cap, const char *src, size_t len)
{
    size_t n;

    if (cap == 0)
        return false;
    n = utf8_cut(src, len, cap - 1);
    memcpy(dst, src, n);
    dst[n] = '\0';
    return n == len;
}

bool str_copy(char *dst, size_t cap, const char *src)
{
    return str_copy_n(dst, cap, src, strlen(src));
}

bool str_eq(const char *a, const char *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0;
}

bool str_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *text, const char *suffix)
{
    size_t len = strlen(text), slen = strlen(suffix);

    return len >= slen && memcmp(text + len - slen, suffix, slen) == 0;
}

bool str_u64(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}

bool str_i64(const char *text, size_t len, int64_t *out)
{
    bool negative = len > 0 && text[0] == '-';
    uint64_t most = (uint64_t)INT64_MAX + (negative ? 1 : 0), value;

    if (!str_u64(text + negative, len - negative, most, &value))
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static bool is_control(const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];

    if (len == 1)
        return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
    return len == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0;
}

bool str_utf8_ok(const char *text, size_t len, bool allow_control)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        if (n == 0 || text[i] == '\0')
            return false;
        if (!allow_control && is_control(text + i, n))
            return false;
        i += n;
    }
    return true;
}

void str_utf8_clean(struct buf *out, const char *text, size_t len)
{
    size_t from = 0;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        if (n > 0 && !is_control(text + i, n)) {
            i += n;
            continue;
        }
        buf_append(out, text + from, i - from);
        buf_text(out, REPLACEMENT);
        i += n ? n : 1;
        from = i;
    }
    buf_append(out, text + from, len - from);
}

/* Start of the character after the one at `i`; stray continuation bytes stick to what is before
 * them. */
static size_t next_char(const char *text, size_t len, size_t i)
{
    i++;
    while (i < len && ((unsigned char)text[i] & 0xc0) == 0x80)
        i++;
    return i;
}

/* Only the last star is ever tried again, so the work is at most plen * tlen. */
bool str_wildcard(const char *pattern, size_t plen, const char *text, size_t tlen)
{
    size_t p = 0, t = 0, star = SIZE_MAX, retry = 0;

    while (t < tlen) {
        if (p < plen && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < plen && pattern[p] == '?') {
            p++;
            t = next_char(text, tlen, t);
        } else if (p < plen && pattern[p] == text[t]) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            retry = next_char(text, tlen, retry);
            t = retry;
        } else {
            return false;
        }
    }
    while (p < plen && pattern[p] == '*')
        p++;
    return p == plen;
}

bool str_eq_const_time(const void *a, const void *b, size_t len)
{
    const volatile unsigned char *x = a, *y = b;
    unsigned differ = 0;

    for (size_t i = 0; i < len; i++)
        differ |= (unsigned)(x[i] ^ y[i]);
    return differ == 0;
}

#define DISTANCE_MOST 127 /* bytes; longer words are nobody's typing error */

unsigned str_distance(const char *a, const char *b, unsigned limit)
{
    size_t alen = strlen(a), blen = strlen(b);
    unsigned row[DISTANCE_MOST + 1];

    if (alen > DISTANCE_MOST || blen > DISTANCE_MOST)
        return strcmp(a, b) == 0 ? 0 : limit + 1;
    for (size_t j = 0; j <= blen; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= alen; i++) {
        unsigned diagonal = row[0], least;

        row[0] = least = (unsigned)i;
        for (size_t j = 1; j <= blen; j++) {
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            if (best < least)
                least = best;
        }
        if (least > limit)
            return limit + 1;
    }
    return row[blen] > limit ? limit + 1 : row[blen];
}
