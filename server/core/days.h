/* SPDX-License-Identifier: Apache-2.0 */
/*
 * days - means of whole days of hosts and datastores, for core_days of
 * metrics.h.
 *
 * A day's mean is that of the hours that are stored of it (series.c). They are
 * read on a worker, so many objects at a time: a day that is over does not
 * change any more.
 *
 * Threads: days_start from core_start; days_free with usage_lock held or when
 * nobody else is there any more.
 */
#pragma once

struct core;
struct days;

void days_start(struct core *c);
void days_free(struct days *d);
