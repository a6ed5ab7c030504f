/* SPDX-License-Identifier: Apache-2.0 */
/* Cannot live with this program, and says so. */
#include "tests/abi/plugins/small.h"

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    (void)small_open;
    (void)small_close;
    (void)small_watch;
    return NULL;
}
