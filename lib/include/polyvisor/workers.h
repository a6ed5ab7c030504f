/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers - a small pool of threads for work that may block.
 *
 * Threads: submit from any; jobs run in order of arrival, at most `threads`
 * at once. workers_free runs what is queued, then joins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct workers;
typedef void (*work_fn)(void *arg);

/* NULL: out of memory or no thread could be started. Stack 512 KiB each. */
struct workers *workers_new(const char *name, unsigned threads, size_t max_queued);
/* false: the queue is full or the pool is ending; fn will not run. */
bool workers_submit(struct workers *w, work_fn fn, void *arg);
void workers_free(struct workers *w);
