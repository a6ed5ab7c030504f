/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arena - memory that is given back in one go.
 *
 * For everything that lives as long as one request or one batch. Has a limit;
 * past it every allocation returns NULL. Pointers are aligned to 16 bytes and
 * zeroed. Threads: one at a time.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* `first` bytes are allocated at once, `limit` is the most it may ever hold. NULL: out of memory. */
struct arena *arena_new(size_t first, size_t limit);
void arena_free(struct arena *a);
/* Give back everything but the first block. */
void arena_reset(struct arena *a);
void *arena_alloc(struct arena *a, size_t size);
void *arena_copy(struct arena *a, const void *data, size_t size);
/* Copy `len` bytes and end them with NUL. */
char *arena_text(struct arena *a, const char *text, size_t len);
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t arena_used(const struct arena *a);
