/* SPDX-License-Identifier: Apache-2.0 */
/* A newer driver: its table goes on after what we know. */
#include "tests/abi/plugins/small.h"

static struct {
    struct pv_driver driver;
    int (*newer[8])(void);
} table = { .driver = { SMALL_TABLE("longer") } };

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    table.driver.size = sizeof(table);
    memset(table.newer, 0x42, sizeof(table.newer));
    return &table.driver;
}
