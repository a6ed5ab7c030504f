/* SPDX-License-Identifier: Apache-2.0 */
/* Calls itself something else than its file. */
#include "tests/abi/plugins/small.h"

static const struct pv_driver driver = { SMALL_TABLE("somebody_else") };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    return &driver;
}
