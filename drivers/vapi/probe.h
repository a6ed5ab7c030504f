/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - is there what the configuration says, and what will work?
 *
 * Steps in order: address, port, certificate, product, sign-in, version,
 * privileges. The first that fails ends the series. Changes nothing and signs
 * out again.
 *
 * Threads: any.
 */
#pragma once

#include <stdint.h>

struct pv_err;
struct pv_host;

/* *report is owned by the caller. */
int probe_run(const struct pv_host *host, const char *config, uint64_t call, char **report,
              struct pv_err *err);
