/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/call.h"

#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#define PIECE_MS 250

bool call_cancelled(void *call)
{
    const struct call *c = call;

    return c && !c->must_finish && c->host->cancelled &&
           c->host->cancelled(c->host->ctx, c->number);
}

bool call_is_closing(const struct call *c)
{
    return c->host->cancelled && c->host->cancelled(c->host->ctx, 0);
}

int call_sleep(const struct call *c, int64_t ms, struct pv_err *err)
{
    int64_t until = clock_mono_ms() + ms, left;

    while ((left = until - clock_mono_ms()) > 0) {
        if (call_cancelled((void *)(uintptr_t)c))
            return pv_fail(err, PV_ECANCELED, "canceled");
        clock_sleep_ms(left < PIECE_MS ? left : PIECE_MS);
    }
    return PV_OK;
}
