/* SPDX-License-Identifier: Apache-2.0 */
/* filter_priv - what the files of the filter language share. */
#pragma once

#include <polyvisor/filter.h>

#define FILTER_TEXT_MAX 4096
#define FILTER_TERMS_MAX 200
#define FILTER_DEPTH_MAX 32
#define FILTER_VALUES_MAX 200   /* of one {a,b,c} */

/* One value as it is written. */
struct filter_word {
    const char *text;
    size_t len;
    unsigned column;
    bool quoted;
};

int filter_error(struct pv_err *err, unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What a word means for a field; *out is filled. `last`: of a span of time (a day), the last moment. */
int filter_value_read(const struct model_field *f, const struct filter_word *w, int64_t now_ms, bool last,
                      struct arena *a, struct filter_value *out, struct pv_err *err);
/* Text and folded text of a value alone. */
int filter_value_text(const struct filter_word *w, struct arena *a, struct filter_value *out, struct pv_err *err);
/* A bare date: means a whole day. */
bool filter_is_day(const struct filter_word *w);
