/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/buf.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max)
{
    memset(b, 0, sizeof(*b));
    b->max = max < SIZE_MAX / 2 ? max : SIZE_MAX / 2;
}

void buf_free(struct buf *b)
{
    free(b->data);
    b->data = NULL;
    b->len = b->cap = 0;
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->data)
        b->data[0] = '\0';
}

static bool give_up(struct buf *b)
{
    buf_free(b);
    b->failed = true;
    return false;
}

/* Room for `len` more bytes and a NUL. */
static bool grow(struct buf *b, size_t len)
{
    size_t need, cap;
    char *data;

    if (b->failed)
        return false;
    if (b->len > b->max || len > b->max - b->len)
        return give_up(b);
    need = b->len + len + 1;
    if (need <= b->cap)
        return true;
    cap = b->cap < 64 ? 64 : b->cap * 2;
    if (cap > b->max + 1)
        cap = b->max + 1;
    if (cap < need)
        cap = need;
    data = realloc(b->data, cap);
    if (!data)
        return give_up(b);
    b->data = data;
    b->cap = cap;
    return true;
}

/* What most appends find: room. A buffer that failed has none. */
static inline bool has_room(const struct buf *b, size_t len)
{
    return len < b->cap - b->len;
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (!has_room(b, len) && !grow(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    if (!has_room(b, 1) && !grow(b, 1))
        return;
    b->data[b->len++] = c;
    b->data[b->len] = '\0';
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    int len;

    if (!grow(b, 0))
        return;
    va_copy(again, ap);
    len = vsnprintf(b->data + b->len, b->cap - b->len, fmt, ap);
    if (len < 0) {
        give_up(b);
    } else if ((size_t)len < b->cap - b->len) {
        b->len += (size_t)len;
    } else {
        b->data[b->len] = '\0';
        if (grow(b, (size_t)len)) {
            vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
            b->len += (size_t)len;
        }
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

char *buf_reserve(struct buf *b, size_t len)
{
    if (!grow(b, len))
        return NULL;
    /* Zeroed, so that the text is ended whatever part of it the caller fills. */
    memset(b->data + b->len, 0, len + 1);
    return b->data + b->len;
}

char *buf_take(struct buf *b)
{
    char *data;

    if (!grow(b, 0))
        return NULL;
    data = b->data;
    data[b->len] = '\0';
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}
