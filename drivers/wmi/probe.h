/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe - is there what the configuration says, and what will work?
 *
 * Steps in order: name, port, certificate, winrm, sign_in, namespace, service,
 * quotas, version; of a node of a failover cluster also cluster, whose data
 * name the other nodes, so that they can be added together. The first that makes the next ones pointless ends the
 * series. Where the host only lacks a setting, the finding's data.script holds
 * PowerShell to paste on that host. Changes nothing. With "report": {mask,
 * samples} in the configuration a last finding holds a report (report.h).
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
