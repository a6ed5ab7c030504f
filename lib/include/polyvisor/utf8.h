/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - the one decoder of UTF-8.
 *
 * Strict (RFC 3629): no overlong forms, no surrogates, nothing above
 * U+10FFFF. Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Length 1..4 of the valid sequence at the start of `text`, 0 if there is none. `len` must not be 0. */
static inline size_t utf8_length(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    if (len < 2 || (p[1] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xe0)
        return 2;
    if (len < 3 || (p[2] & 0xc0) != 0x80)
        return 0;
    if (p[0] < 0xf0) {
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (len < 4 || (p[3] & 0xc0) != 0x80)
        return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return 4;
}

/* The longest start of `text` that is at most `most` bytes and splits no character. */
static inline size_t utf8_cut(const char *text, size_t len, size_t most)
{
    size_t end = most;

    if (len <= most)
        return len;
    /* At most three continuation bytes can precede the place; more are not UTF-8 anyway. */
    for (int i = 0; i < 3 && end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80; i++)
        end--;
    return ((unsigned char)text[end] & 0xc0) == 0x80 ? most : end;
}
