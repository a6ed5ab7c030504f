/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/arena.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 16u

struct block {
    struct block *next; /* older one */
    size_t cap, used;   /* bytes after this head */
};

struct arena {
    struct block *newest; /* the list ends with the first block */
    size_t first;         /* size of the first block */
    size_t held, limit;   /* bytes of all blocks, and their most */
    size_t used;          /* bytes handed out */
};

_Static_assert(sizeof(struct block) % 8 == 0, "the head is padded below");
#define HEAD ((sizeof(struct block) + ALIGN - 1) / ALIGN * ALIGN)

static struct block *block_new(size_t cap, struct block *next)
{
    struct block *b = malloc(HEAD + cap);

    if (!b)
        return NULL;
    b->next = next;
    b->cap = cap;
    b->used = 0;
    return b;
}

struct arena *arena_new(size_t first, size_t limit)
{
    struct arena *a = calloc(1, sizeof(*a));

    if (!a)
        return NULL;
    a->limit = limit < SIZE_MAX / 2 ? limit / ALIGN * ALIGN : SIZE_MAX / 2 / ALIGN * ALIGN;
    if (first > a->limit)
        first = a->limit;
    a->first = (first + ALIGN - 1) / ALIGN * ALIGN;
    a->held = a->first;
    a->newest = block_new(a->first, NULL);
    if (!a->newest) {
        free(a);
        return NULL;
    }
    return a;
}

static void drop_blocks(struct arena *a, const struct block *stop)
{
    while (a->newest != stop) {
        struct block *next = a->newest->next;

        free(a->newest);
        a->newest = next;
    }
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    drop_blocks(a, NULL);
    free(a);
}

void arena_reset(struct arena *a)
{
    struct block *first = a->newest;

    while (first->next)
        first = first->next;
    drop_blocks(a, first);
    first->used = 0;
    a->held = a->first;
    a->used = 0;
}

void *arena_alloc(struct arena *a, size_t size)
{
    struct block *b = a->newest;
    size_t need, cap;
    char *place;

    if (size > a->limit)
        return NULL;
    need = size ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    if (need > b->cap - b->used) {
        if (need > a->limit - a->held)
            return NULL;
        cap = a->first > need ? a->first : need;
        if (cap > a->limit - a->held)
            cap = a->limit - a->held;
        b = block_new(cap, b);
        if (!b)
            return NULL;
        a->newest = b;
        a->held += cap;
    }
    place = (char *)b + HEAD + b->used;
    b->used += need;
    a->used += need;
    return memset(place, 0, need);
}

void *arena_copy(struct arena *a, const void *data, size_t size)
{
    void *copy = arena_alloc(a, size);

    if (copy && size)
        memcpy(copy, data, size);
    return copy;
}

char *arena_text(struct arena *a, const char *text, size_t len)
{
    char *copy = len < SIZE_MAX ? arena_alloc(a, len + 1) : NULL;

    if (copy && len)
        memcpy(copy, text, len);
    return copy;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_text(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *text;
    int len;

    va_start(ap, fmt);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0)
        return NULL;
    text = arena_alloc(a, (size_t)len + 1);
    if (!text)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(text, (size_t)len + 1, fmt, ap);
    va_end(ap);
    return text;
}

size_t arena_used(const struct arena *a)
{
    return a->used;
}
