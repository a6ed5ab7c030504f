/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - a byte buffer that grows up to a maximum.
 *
 * Appending past the maximum, or without memory, sets `failed` and drops the
 * data; all later appends do nothing. So a writer appends without checking
 * and asks once at the end (buf_ok). `data` is always NUL-terminated when
 * not NULL. Threads: one at a time.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data;     /* owned by the buffer; may be NULL while len is 0 */
    size_t len;
    size_t cap;
    size_t max;     /* most bytes it may hold */
    bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);
/* Empty it, keep the memory, forget `failed`. */
void buf_reset(struct buf *b);
void buf_append(struct buf *b, const void *data, size_t len);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Room for `len` more bytes; the caller writes at the returned place and adds to b->len. NULL: failed. */
char *buf_reserve(struct buf *b, size_t len);
/* The text, owned by the caller from now on (free); NULL if it failed. Never NULL otherwise. The buffer is empty after. */
char *buf_take(struct buf *b);

static inline bool buf_ok(const struct buf *b)
{
    return !b->failed;
}
