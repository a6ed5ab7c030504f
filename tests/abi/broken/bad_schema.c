/* SPDX-License-Identifier: Apache-2.0 */
/* Describes its settings with something that is not JSON. */
#include "tests/abi/plugins/small.h"

static struct pv_driver driver = { SMALL_TABLE("bad_schema") };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    driver.config_schema = "{not json";
    return &driver;
}
