/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvp - what a guest tells its host through key-value pair exchange.
 *
 * The items are CIM-XML texts whose content is the guest's: hostile, of any
 * size, and often with characters that XML forbids. What cannot be read is
 * left out; at most KVP_ITEMS_MOST are looked at.
 *
 * Ownership: texts live in the arena. Threads: as the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "drivers/wmi/cim.h"

#define KVP_ITEMS_MOST 256u
#define KVP_ADDRESSES_MOST 64u

/* What every guest is expected to tell; NULL where it did not. */
struct kvp {
    const char *fqdn, *os_name, *os_version, *os_build, *os_platform, *services_version;
    const char *ipv4, *ipv6; /* separated by ';' */
};

void kvp_read(struct arena *a, const struct cim_instance *component, struct kvp *out);
/* One item (cim_emb_at): false if it is none, or has no name. */
bool kvp_item(const struct cim_instance *o, const char **name, const char **data);
/* A sorted set of addresses. */
struct kvp_addresses {
    const char *items[KVP_ADDRESSES_MOST];
    size_t n;
};
void kvp_add_address(struct kvp_addresses *set, const char *address);
void kvp_add_list(struct arena *a, struct kvp_addresses *set, const char *list);
