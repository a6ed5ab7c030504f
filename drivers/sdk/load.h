/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - brings one driver into this process.
 *
 * Loads <dir>/<name>.so after making sure that nobody else can have written
 * it, asks it for its table and checks that. Every reason not to load is one
 * sentence with a remedy. A loaded driver stays until the process ends.
 *
 * Ownership: plain values; texts belong to the driver. Threads: any.
 */
#pragma once

#include <stdbool.h>

#include <polyvisor/driver.h>

struct pv_err;

/* The driver's table as we know it: what an older driver does not have is NULL, what a newer one has is cut off. */
struct sdk_plugin {
    struct pv_driver driver;
};

/* [a-z0-9_]{1,32} */
bool sdk_name_ok(const char *name);
/* PV_ENOENT or PV_EINVAL driver-broken; message and remedy are set. */
int sdk_load(const char *dir, const char *name, struct sdk_plugin *out, struct pv_err *err);
/* Every text that is a folder's driver, without .so: calls `each` in any order. */
int sdk_load_list(const char *dir, int (*each)(void *ctx, const char *name, struct pv_err *err),
                  void *ctx, struct pv_err *err);
