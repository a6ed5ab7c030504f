/* SPDX-License-Identifier: Apache-2.0 */
/* Has what it must have and nothing else: can do little, but loads. */
#include "tests/abi/plugins/small.h"

static const struct pv_driver driver = { SMALL_TABLE("no_callbacks") };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    return &driver;
}
