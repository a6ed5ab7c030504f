/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runner - serves one loaded driver over a frame connection.
 *
 * What polyvisor-driverhost does with its socket; the server's in-process
 * isolation runs the same in a thread. Many sessions at once: each watch has
 * a thread to itself, other calls share a pool of at most 32.
 *
 * Ownership: the plugin must outlive the runner; fd stays the caller's.
 */
#pragma once

#include "drivers/sdk/load.h"

struct pv_err;

/* Introduces the driver. */
int sdk_runner_hello(const struct sdk_plugin *plugin, int fd, struct pv_err *err);
/* Says why there is none. */
void sdk_runner_broken(int fd, const struct pv_err *why);
/* Until the other end closes; then everything is cancelled and closed. PV_OK; PV_EFORMAT when the other end broke the
 * protocol; PV_EBUSY when calls were still running `drain_ms` later: memory and threads stay behind, exit. */
int sdk_runner_serve(const struct sdk_plugin *plugin, int fd, unsigned drain_ms,
                     struct pv_err *err);
