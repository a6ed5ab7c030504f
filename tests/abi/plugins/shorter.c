/* SPDX-License-Identifier: Apache-2.0 */
/* An older driver: its table ends before the newer functions, and what follows in memory is rubbish. */
#include "tests/abi/plugins/small.h"

static struct {
    struct pv_driver driver;
} table = { { SMALL_TABLE("shorter") } };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    table.driver.size = offsetof(struct pv_driver, refresh);
    memset((char *)&table.driver + offsetof(struct pv_driver, refresh), 0x41,
           sizeof(table.driver) - offsetof(struct pv_driver, refresh));
    return &table.driver;
}
