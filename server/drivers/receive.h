/* SPDX-License-Identifier: Apache-2.0 */
/*
 * receive - what a frame of a host means.
 *
 * Called by the driver's thread with the driver's lock held.
 */
#pragma once

#include "server/drivers/link.h"

/* May take the frame's payload. PV_EINVAL: the host says that the driver is broken (err tells why); any other failure:
 * the host does not keep to the protocol. */
int receive_frame(struct driver *dr, struct frame *f, struct pv_err *err);
