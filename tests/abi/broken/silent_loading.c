/* SPDX-License-Identifier: Apache-2.0 */
/* Never answers when it is asked for its table. */
#include "tests/abi/plugins/small.h"

#include <unistd.h>

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    (void)host_abi_major;
    (void)small_open;
    (void)small_close;
    (void)small_watch;
    for (;;)
        pause();
}
