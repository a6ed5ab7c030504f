/* SPDX-License-Identifier: Apache-2.0 */
/*
 * id - our own identifiers: UUIDv7, 16 bytes, `vm_` + 26 characters of
 * Crockford's base32 (lower case) at the API edge.
 *
 * Ids made by one process increase strictly, also within a millisecond
 * (RFC 9562, section 6.2, method 1 with a 12 bit counter). Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pv_id {
    uint8_t b[16];
};

#define PV_ID_TEXT 32   /* prefix up to 4, '_', 26 characters, NUL */

void id_make(struct pv_id *out);
bool id_is_zero(const struct pv_id *id);
static inline bool id_eq(const struct pv_id *a, const struct pv_id *b)
{
    return __builtin_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
/* Writes "vm_01jd3w...". */
void id_text(const char *prefix, const struct pv_id *id, char out[PV_ID_TEXT]);
/* Wants exactly this prefix; upper case accepted; false leaves *out alone. */
bool id_parse(const char *prefix, const char *text, size_t len, struct pv_id *out);
/* Random bytes from the kernel; never fails. */
void id_random(void *out, size_t len);
