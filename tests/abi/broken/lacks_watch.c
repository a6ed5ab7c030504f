/* SPDX-License-Identifier: Apache-2.0 */
/* Lacks a function that every driver must have. */
#include "tests/abi/plugins/small.h"

static struct pv_driver driver = { SMALL_TABLE("lacks_watch") };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    driver.watch = NULL;
    return &driver;
}
