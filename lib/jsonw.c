/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/jsonw.h>

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/utf8.h>

#define DEPTH_MOST 32u

void jsonw_init(struct jsonw *w, struct buf *out)
{
    memset(w, 0, sizeof(*w));
    w->out = out;
}

/* The first byte that may not stand as it is: nearly always the end. */
static size_t plain_length(const char *text, size_t len)
{
    size_t i = 0;

    while (i < len && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

static void quoted(struct buf *out, const char *text, size_t len)
{
    size_t from = 0;

    buf_char(out, '"');
    for (size_t i = plain_length(text, len); i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = c >= 0x20 && c < 0x80 ? 1 : c < 0x20 ? 0 : utf8_length(text + i, len - i);

        if (n > 0 && c != '"' && c != '\\') {
            i += n;
            continue;
        }
        buf_append(out, text + from, i - from);
        switch (c) {
        case '"':
        case '\\':
            buf_char(out, '\\');
            buf_char(out, (char)c);
            break;
        case '\n':
            buf_text(out, "\\n");
            break;
        case '\r':
            buf_text(out, "\\r");
            break;
        case '\t':
            buf_text(out, "\\t");
            break;
        default:
            if (c < 0x20)
                buf_printf(out, "\\u%04x", c);
            else
                buf_text(out, "\xef\xbf\xbd");
        }
        from = ++i;
    }
    buf_append(out, text + from, len - from);
    buf_char(out, '"');
}

/* The first level is bit 0; the top itself and what is too deep have none. */
static uint32_t bit_of(unsigned depth)
{
    return depth - 1 < DEPTH_MOST ? 1u << (depth - 1) : 0;
}

/* Comma and key of the next value. */
static void begin(struct jsonw *w, const char *key)
{
    if (w->depth > 0) {
        uint32_t bit = bit_of(w->depth);

        assert(!(w->is_array & bit) == (key != NULL));
        if (w->comma & bit)
            buf_char(w->out, ',');
        w->comma |= bit;
    } else {
        assert(!key);
    }
    if (key) {
        quoted(w->out, key, strlen(key));
        buf_char(w->out, ':');
    }
}

static void open_level(struct jsonw *w, const char *key, bool is_array)
{
    uint32_t bit;

    assert(w->depth < DEPTH_MOST);
    begin(w, key);
    buf_char(w->out, is_array ? '[' : '{');
    w->depth++;
    if (w->depth > DEPTH_MOST) {
        buf_free(w->out);
        w->out->failed = true;
    }
    bit = bit_of(w->depth);
    w->comma &= ~bit;
    w->is_array = is_array ? w->is_array | bit : w->is_array & ~bit;
}

void jsonw_object(struct jsonw *w, const char *key)
{
    open_level(w, key, false);
}

void jsonw_array(struct jsonw *w, const char *key)
{
    open_level(w, key, true);
}

void jsonw_end(struct jsonw *w)
{
    assert(w->depth > 0);
    buf_char(w->out, w->is_array & bit_of(w->depth) ? ']' : '}');
    w->depth--;
}

void jsonw_begin(struct jsonw *w, const char *key)
{
    begin(w, key);
}

void jsonw_raw(struct jsonw *w, const char *key, const char *json, size_t len)
{
    begin(w, key);
    if (len)
        buf_append(w->out, json, len);
    else
        buf_text(w->out, "null");
}

void jsonw_null(struct jsonw *w, const char *key)
{
    jsonw_raw(w, key, "null", 4);
}

void jsonw_strn(struct jsonw *w, const char *key, const char *text, size_t len)
{
    begin(w, key);
    quoted(w->out, text, len);
}

void jsonw_str(struct jsonw *w, const char *key, const char *text)
{
    if (text)
        jsonw_strn(w, key, text, strlen(text));
    else
        jsonw_null(w, key);
}

void jsonw_strf(struct jsonw *w, const char *key, const char *fmt, ...)
{
    struct buf text;
    va_list ap;

    buf_init(&text, w->out->max);
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    if (buf_ok(&text)) {
        jsonw_strn(w, key, text.data, text.len);
    } else {
        buf_free(w->out);
        w->out->failed = true;
    }
    buf_free(&text);
}

static void put_digits(struct buf *out, uint64_t v)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v > 0);
    buf_append(out, digits + at, sizeof(digits) - at);
}

void jsonw_u64(struct jsonw *w, const char *key, uint64_t v)
{
    begin(w, key);
    put_digits(w->out, v);
}

void jsonw_i64(struct jsonw *w, const char *key, int64_t v)
{
    begin(w, key);
    if (v < 0)
        buf_char(w->out, '-');
    put_digits(w->out, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void jsonw_double(struct jsonw *w, const char *key, double v)
{
    char text[32];

    if (!isfinite(v)) {
        jsonw_null(w, key);
        return;
    }
    /* The fewest digits that read back as the same number; 17 always do. */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    jsonw_raw(w, key, text, strlen(text));
}

void jsonw_bool(struct jsonw *w, const char *key, bool v)
{
    jsonw_raw(w, key, v ? "true" : "false", v ? 4 : 5);
}

void jsonw_time(struct jsonw *w, const char *key, int64_t ms)
{
    char text[CLOCK_TEXT_LEN];

    if (ms == 0) {
        jsonw_null(w, key);
        return;
    }
    clock_text(ms, text);
    jsonw_strn(w, key, text, CLOCK_TEXT_LEN - 1);
}
