/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe_scripts - PowerShell to paste into an elevated window on the host.
 *
 * Each script says what it is for, changes one thing, may be run twice, and
 * names groups by their SIDs (their names are translated on localised hosts).
 * Threads: any.
 */
#pragma once

#include <polyvisor/buf.h>

#include "drivers/wmi/config.h"

#define SCRIPT_MOST 16384u

typedef void (*script_fn)(struct buf *out, const struct config *config);

void script_https(struct buf *out, const struct config *config);   /* an HTTPS listener */
void script_http(struct buf *out, const struct config *config);    /* WinRM itself */
void script_rights(struct buf *out, const struct config *config);  /* groups of the account */
void script_role(struct buf *out, const struct config *config);    /* Hyper-V */
void script_service(struct buf *out, const struct config *config); /* vmms */
void script_quotas(struct buf *out, const struct config *config);
