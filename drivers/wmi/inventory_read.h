/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory_read - asks a host for what an inventory needs.
 *
 * A constant number of enumerations, whatever the number of VMs (one VM's
 * read has the same classes, filtered). What the account may not see, or what
 * the host's version does not have, makes the sight poorer, not an error; what
 * keeps us from the host at all is one.
 *
 * Threads: any; the sight belongs to the caller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/wmi/inventory_sight.h"
#include "drivers/wmi/wsman.h"

enum read_part {
    READ_STATE = 1,   /* systems and their summary: every poll */
    READ_CONFIG = 2,  /* settings, devices, checkpoints */
    READ_GUEST = 4,   /* what guests report */
    READ_PLACES = 8,  /* switches, volumes, cluster */
    READ_HOST = 16,   /* the machine itself */
    READ_LOAD = 32,   /* volumes and memory, for usage */
    READ_EXTRA = 64,  /* integration services, metering: with full readings alone */
    READ_ALL = 127,
    READ_PORTS = 128 /* what switches lead to, without the rest of the configuration */
};

/* How many VMs' summaries fit into one answer: learnt per host. Zero: all. */
struct read_limits {
    unsigned summaries;
};

/* Fills the sight and joins it. `vm`: only of this VM (GUID); PV_ENOENT: it does not exist. `refused` of the sight
 * says what was not answered, *why (may be NULL) the first reason. */
int inventory_read(struct wsman *w, const struct call *c, unsigned parts, const char *vm,
                   struct read_limits *limits, struct sight *s, struct pv_err *why,
                   struct pv_err *err);
/* Without this service of the host nothing of Hyper-V can be seen or done from here. */
bool inventory_service_needed(const char *service);
/* The host's `vmms` runs, as far as can be told. */
bool inventory_vmms_runs(const struct sight *s);
/* All of what makes VMs was answered. */
bool inventory_complete(const struct sight *s);
