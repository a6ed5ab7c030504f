/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jsonw - writes JSON straight into a buffer.
 *
 * Knows nesting, commas and escaping: UTF-8 passes, `"`, `\` and bytes below
 * 0x20 are escaped, invalid sequences become U+FFFD. The caller closes what it
 * opened; a mismatch is an assertion. Failure is the buffer's (buf_ok).
 * Threads: one at a time. Depth at most 32.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/buf.h>

struct jsonw {
    struct buf *out;        /* borrowed */
    unsigned depth;
    uint32_t comma;         /* bit n: level n already has a member */
    uint32_t is_array;      /* bit n: level n is an array */
};

void jsonw_init(struct jsonw *w, struct buf *out);
/* Every value function takes the member's key, NULL inside arrays and at the top. */
void jsonw_object(struct jsonw *w, const char *key);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_end(struct jsonw *w);
void jsonw_str(struct jsonw *w, const char *key, const char *text);      /* NULL text: null */
void jsonw_strn(struct jsonw *w, const char *key, const char *text, size_t len);
void jsonw_strf(struct jsonw *w, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void jsonw_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_i64(struct jsonw *w, const char *key, int64_t v);
void jsonw_double(struct jsonw *w, const char *key, double v);           /* NaN and infinities: null */
void jsonw_bool(struct jsonw *w, const char *key, bool v);
void jsonw_null(struct jsonw *w, const char *key);
void jsonw_time(struct jsonw *w, const char *key, int64_t ms);           /* RFC 3339 UTC with ms; 0: null */
/* Text that is JSON already (checked by whoever made it). */
void jsonw_raw(struct jsonw *w, const char *key, const char *json, size_t len);
/* Comma and key only: the caller appends the value, as JSON, to w->out itself. */
void jsonw_begin(struct jsonw *w, const char *key);
