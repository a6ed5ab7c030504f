/* SPDX-License-Identifier: Apache-2.0 */
/* Was made for an interface that does not exist yet. */
#include "tests/abi/plugins/small.h"

static struct pv_driver driver = { SMALL_TABLE("wrong_major") };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    driver.abi_major = (uint16_t)(host_abi_major + 1);
    return &driver;
}
