/* SPDX-License-Identifier: Apache-2.0 */
/* Where use is going: ordinary least squares over means of days, so that the time of day does not
 * matter. */
#include "server/core/metrics.h"

#include <math.h>

/* Twice the standard error: chance alone goes beyond that in one of twenty flat series. */
#define ERRORS 2.0

struct sums {
    unsigned n, first, last;
    double x, y, xx, xy, yy;
};

static struct sums sum_up(const double *values)
{
    struct sums s = { .n = 0 };

    for (unsigned d = 0; d < CORE_DAYS; d++) {
        if (isnan(values[d]))
            continue;
        if (s.n++ == 0)
            s.first = d;
        s.last = d;
        s.x += d;
        s.y += values[d];
    }
    /* Around the means: byte counts squared would leave no digits for the difference. */
    for (unsigned d = 0; d < CORE_DAYS && s.n > 0; d++) {
        double dx = d - s.x / s.n, dy = values[d] - s.y / s.n;

        if (isnan(values[d]))
            continue;
        s.xx += dx * dx;
        s.xy += dx * dy;
        s.yy += dy * dy;
    }
    return s;
}

bool core_trend_fit(const double values[CORE_DAYS], double capacity, struct core_trend *out)
{
    struct sums s = sum_up(values);
    struct core_trend t = { .days = s.n ? s.last - s.first + 1 : 0 };
    double slope, rest, now;

    if (s.n < CORE_TREND_LEAST)
        return false;
    slope = s.xy / s.xx;
    rest = s.yy - slope * s.xy;
    t.clear = slope != 0 && fabs(slope) > ERRORS * sqrt(rest > 0 ? rest / (s.n - 2) / s.xx : 0);
    if (t.clear)
        t.per_day = slope;
    if (t.clear && slope > 0 && capacity > 0) {
        /* Today is the day after the last; its middle is as far from the middle of yesterday as any
         * two days are. */
        now = s.y / s.n + slope * (CORE_DAYS - s.x / s.n);
        t.days_until_full = now >= capacity ? 0 : (capacity - now) / slope;
        t.fills = t.days_until_full <= CORE_TREND_MOST;
    }
    *out = t;
    return true;
}
