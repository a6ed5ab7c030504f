/* SPDX-License-Identifier: Apache-2.0 */
/*
 * series - how numbers went over time.
 *
 * Each new usage record is added to the mean of its five minutes; whole hours of
 * such means wait to be written, so many a minute, together with their mean for
 * the day's block. Objects somebody looks at keep a ring of single values for an
 * hour. What is in memory is bounded by the number of objects; a crash costs the
 * hour that is not written yet.
 *
 * Everything here is guarded by core.usage_lock, but for storage's own work.
 */
#pragma once

#include "server/core/usage.h"

struct series;

/* A new record of this object is in u. usage_lock held. */
void series_note(struct core *c, struct usage *u, size_t nmetrics);
/* The object goes. usage_lock held. */
void series_free(struct series *s);
void series_start(struct core *c);
/* Nothing is noted any more: writes what is left, frees. */
void series_stop(struct core *c);
