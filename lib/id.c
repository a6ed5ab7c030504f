/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/id.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <polyvisor/clock.h>

#define ID_CHARS 26

static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

void id_random(void *out, size_t len)
{
    char *at = out;

    while (len) {
        ssize_t n = getrandom(at, len, 0);

        if (n < 0) {
            if (errno == EINTR)
                continue;
            abort(); /* ids and keys without randomness are worse than no server */
        }
        at += n;
        len -= (size_t)n;
    }
}

/* Milliseconds and counter as one number that only grows: a full counter, or a clock set back,
 * borrows from the milliseconds to come (RFC 9562, 6.2). A new millisecond starts in the counter's
 * lower half. */
static uint64_t next_tick(uint16_t dice)
{
    static _Atomic uint64_t last;
    uint64_t now = ((uint64_t)clock_wall_ms() << 12) | (dice & 0x7ffu);
    uint64_t seen = atomic_load_explicit(&last, memory_order_relaxed);
    uint64_t next;

    do
        next = now > seen ? now : seen + 1;
    while (!atomic_compare_exchange_weak_explicit(&last, &seen, next, memory_order_relaxed,
                                                  memory_order_relaxed));
    return next;
}

void id_make(struct pv_id *out)
{
    uint8_t dice[10];
    uint64_t tick;

    id_random(dice, sizeof(dice));
    tick = next_tick((uint16_t)(dice[0] << 8 | dice[1]));
    for (int i = 0; i < 6; i++)
        out->b[i] = (uint8_t)(tick >> (52 - 8 * i));
    out->b[6] = (uint8_t)(0x70 | ((tick >> 8) & 0x0f));
    out->b[7] = (uint8_t)tick;
    memcpy(out->b + 8, dice + 2, 8);
    out->b[8] = (uint8_t)(0x80 | (out->b[8] & 0x3f));
}

bool id_is_zero(const struct pv_id *id)
{
    static const struct pv_id zero;

    return id_eq(id, &zero);
}

void id_text(const char *prefix, const struct pv_id *id, char out[PV_ID_TEXT])
{
    size_t at = 0;
    uint64_t high = 0, low = 0;

    while (prefix[at] && at < 4) {
        out[at] = prefix[at];
        at++;
    }
    out[at++] = '_';
    for (int i = 0; i < 8; i++) {
        high = high << 8 | id->b[i];
        low = low << 8 | id->b[i + 8];
    }
    /* 26 characters hold 130 bits: two zeros lead. One character has bits of both halves. */
    for (size_t i = 0; i < 13; i++)
        out[at + i] = alphabet[(high >> (61 - 5 * i)) & 31];
    out[at + 13] = alphabet[(high << 4 | low >> 60) & 31];
    for (size_t i = 0; i < 12; i++)
        out[at + 14 + i] = alphabet[(low >> (55 - 5 * i)) & 31];
    out[at + ID_CHARS] = '\0';
}

bool id_parse(const char *prefix, const char *text, size_t len, struct pv_id *out)
{
    size_t plen = strlen(prefix), byte = 0;
    unsigned bits = 0, value = 0;
    struct pv_id id;

    if (len != plen + 1 + ID_CHARS || memcmp(text, prefix, plen) != 0 || text[plen] != '_')
        return false;
    for (int i = 0; i < ID_CHARS; i++) {
        char c = text[plen + 1 + (size_t)i];
        const char *found;

        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        found = c ? strchr(alphabet, c) : NULL;
        if (!found)
            return false;
        if (i == 0) {
            if (found - alphabet > 7)
                return false;
            value = (unsigned)(found - alphabet);
            bits = 3;
            continue;
        }
        value = (value << 5) | (unsigned)(found - alphabet);
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            id.b[byte++] = (uint8_t)(value >> bits);
            value &= (1u << bits) - 1;
        }
    }
    *out = id;
    return true;
}
