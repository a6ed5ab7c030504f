/* SPDX-License-Identifier: Apache-2.0 */
/* The least a driver can be: what the plugins with a wrong table begin with. */
#pragma once

#include <string.h>

#include <polyvisor/driver.h>

static int small_open(const struct pv_host *host, const char *config, void **session,
                      struct pv_failure *fail)
{
    (void)host;
    (void)config;
    (void)fail;
    *session = NULL;
    return PV_OK;
}

static void small_close(void *session)
{
    (void)session;
}

static int small_watch(void *session, uint64_t call, const char *cursor, struct pv_failure *fail)
{
    (void)session;
    (void)call;
    (void)cursor;
    (void)fail;
    return PV_ECANCELED;
}

#define SMALL_TABLE(its_name)                                                                      \
    .size = sizeof(struct pv_driver), .abi_major = PV_ABI_MAJOR, .abi_minor = PV_ABI_MINOR,        \
    .name = its_name, .version = "1", .config_schema = "{}", .operations = "[]",                   \
    .open = small_open, .close = small_close, .watch = small_watch
