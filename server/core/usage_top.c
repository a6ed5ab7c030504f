/* SPDX-License-Identifier: Apache-2.0 */
/* Who uses most: over the newest numbers in memory. */
#include "server/core/internal.h"
#include "server/core/usage.h"

#include <string.h>

static void insert(struct core_top *top, size_t *n, size_t most, const struct core_top *one)
{
    size_t at = *n;

    while (at > 0 && top[at - 1].value < one->value)
        at--;
    if (at == most)
        return;
    if (*n < most)
        (*n)++;
    memmove(&top[at + 1], &top[at], (*n - 1 - at) * sizeof(*top));
    top[at] = *one;
}

int core_usage_top(struct core *c, enum pv_kind kind, unsigned metric, size_t most, struct arena *a,
                   struct core_top **out, size_t *n, struct pv_err *err)
{
    struct core_top *top = arena_alloc(a, (most + 1) * sizeof(*top));
    size_t count = 0;

    if (!top)
        return pv_fail(err, PV_ENOMEM, "no memory for the greatest users");
    pthread_mutex_lock(&c->usage_lock);
    for (size_t i = 0; i < c->usage.cap; i++) {
        const struct usage *u = c->usage.slots[i].item;
        struct core_top one;

        if (!u || u->kind != kind || !(u->have >> metric & 1))
            continue;
        one = (struct core_top){ .id = u->id, .value = u->values[metric], .time_ms = u->time_ms };
        insert(top, &count, most, &one);
    }
    pthread_mutex_unlock(&c->usage_lock);
    *out = top;
    *n = count;
    return PV_OK;
}
