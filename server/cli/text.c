/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the server made fit for a terminal, and sizes and times for people. */
#include "server/cli/term.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <polyvisor/buf.h>
#include <polyvisor/utf8.h>

#define REPLACED "\xef\xbf\xbd"

static uint32_t code_point(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    switch (len) {
    case 1:
        return p[0];
    case 2:
        return (uint32_t)(p[0] & 0x1f) << 6 | (p[1] & 0x3f);
    case 3:
        return (uint32_t)(p[0] & 0x0f) << 12 | (uint32_t)(p[1] & 0x3f) << 6 | (p[2] & 0x3f);
    default:
        return (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3f) << 12 |
               (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    }
}

/* C0, DEL, C1, and what turns the direction of writing or hides: all can forge what a terminal
 * shows. */
static bool is_hostile(uint32_t cp)
{
    return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || (cp >= 0x202a && cp <= 0x202e) ||
           (cp >= 0x2066 && cp <= 0x2069) || cp == 0x200e || cp == 0x200f || cp == 0x2028 ||
           cp == 0x2029 || cp == 0xfeff;
}

static void clean(struct buf *out, const char *text, size_t len, bool keep_lines)
{
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        if (n == 1 && (text[i] == '\n' || text[i] == '\t' || text[i] == '\r'))
            buf_char(out, keep_lines && text[i] == '\n' ? '\n' : ' ');
        else if (n == 0 || is_hostile(code_point(text + i, n)))
            buf_text(out, REPLACED);
        else
            buf_append(out, text + i, n);
        i += n ? n : 1;
    }
}

void term_clean(struct buf *out, const char *text, size_t len)
{
    clean(out, text, len, false);
}

void term_clean_lines(struct buf *out, const char *text, size_t len)
{
    clean(out, text, len, true);
}

/* Enough of Unicode's widths for names of machines: East Asian scripts and emoji take two columns.
 */
static size_t width_of(uint32_t cp)
{
    static const struct {
        uint32_t from, to;
        size_t width;
    } ranges[] = {
        { 0x0300, 0x036f, 0 },   { 0x0483, 0x0489, 0 },   { 0x0591, 0x05bd, 0 },
        { 0x0610, 0x061a, 0 },   { 0x064b, 0x065f, 0 },   { 0x1100, 0x115f, 2 },
        { 0x1ab0, 0x1aff, 0 },   { 0x200b, 0x200d, 0 },   { 0x20d0, 0x20f0, 0 },
        { 0x2e80, 0x303e, 2 },   { 0x3041, 0x33ff, 2 },   { 0x3400, 0x4dbf, 2 },
        { 0x4e00, 0x9fff, 2 },   { 0xa000, 0xa4cf, 2 },   { 0xac00, 0xd7a3, 2 },
        { 0xf900, 0xfaff, 2 },   { 0xfe00, 0xfe0f, 0 },   { 0xfe30, 0xfe6f, 2 },
        { 0xff00, 0xff60, 2 },   { 0xffe0, 0xffe6, 2 },   { 0x1f300, 0x1f64f, 2 },
        { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1f9ff, 2 }, { 0x20000, 0x3fffd, 2 },
    };

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (cp >= ranges[i].from && cp <= ranges[i].to)
            return ranges[i].width;
    return 1;
}

size_t term_cut(const char *text, size_t most)
{
    size_t len = strlen(text), width = 0, i = 0;

    while (i < len) {
        size_t n = utf8_length(text + i, len - i);
        size_t w = n ? width_of(code_point(text + i, n)) : 1;

        if (width + w > most)
            break;
        width += w;
        i += n ? n : 1;
    }
    return i;
}

size_t term_width(const char *text)
{
    size_t len = strlen(text), width = 0;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);

        width += n ? width_of(code_point(text + i, n)) : 1;
        i += n ? n : 1;
    }
    return width;
}

void term_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)bytes;
    size_t u = 0;

    if (bytes < 1024) {
        buf_printf(out, "%" PRIu64 " B", bytes);
        return;
    }
    for (v /= 1024; v >= 1023.95 && u < 5; u++)
        v /= 1024;
    buf_printf(out, "%.1f %s", v, units[u]);
}

void term_time(struct buf *out, int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    if (!localtime_r(&seconds, &tm))
        return;
    buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void term_duration(struct buf *out, int64_t ms)
{
    if (ms < 10000)
        buf_printf(out, "%.1f s", (double)ms / 1000);
    else if (ms < 120000)
        buf_printf(out, "%" PRId64 " s", ms / 1000);
    else if (ms < 7200000)
        buf_printf(out, "%" PRId64 " min", ms / 60000);
    else if (ms < INT64_C(172800000))
        buf_printf(out, "%" PRId64 " h", ms / 3600000);
    else
        buf_printf(out, "%" PRId64 " d", ms / 86400000);
}
