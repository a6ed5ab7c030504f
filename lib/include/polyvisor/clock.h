/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - time, and back-off.
 *
 * Wall time is Unix milliseconds (int64_t); durations and deadlines use the
 * monotonic clock. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_ns(void);
/* CPU time of the calling thread, for measuring without noise. */
int64_t clock_cpu_ns(void);
void clock_sleep_ms(int64_t ms);

#define CLOCK_TEXT_LEN 25   /* "2026-01-31T12:00:00.123Z" and NUL */
/* RFC 3339 UTC with milliseconds. Times outside the years 0..9999 are clamped. */
void clock_text(int64_t ms, char out[CLOCK_TEXT_LEN]);
/* RFC 3339 date-time (any offset, 0 to 9 digits of fraction) or a bare date; false if it is neither. */
bool clock_parse(const char *text, size_t len, int64_t *out_ms);

/* Exponential back-off with full jitter: delay n is between half of and the whole min(first << n, most). */
struct backoff {
    int64_t first_ms, most_ms;
    unsigned tries;
};
int64_t backoff_next_ms(struct backoff *b);
void backoff_reset(struct backoff *b);
