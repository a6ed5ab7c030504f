/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plain - is a text nothing but printable ASCII?
 *
 * Nearly all that drivers report is, and then nothing has to be looked at
 * character by character. Eight bytes at a time. Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PLAIN_HIGH 0x8080808080808080ull

static inline bool plain_word(uint64_t w)
{
    /* Bit 7 of a byte: it is above 0x7f, is 0x7f, or (0x20 or more) lacks a carry. */
    return ((w | (w + 0x0101010101010101ull)) & PLAIN_HIGH) == 0 &&
           ((w + 0x6060606060606060ull) & PLAIN_HIGH) == PLAIN_HIGH;
}

static inline bool plain_text(const char *text, size_t len)
{
    uint64_t w;

    for (; len >= 8; text += 8, len -= 8) {
        memcpy(&w, text, 8);
        if (!plain_word(w))
            return false;
    }
    w = 0x2020202020202020ull;
    memcpy(&w, text, len);
    return plain_word(w);
}
