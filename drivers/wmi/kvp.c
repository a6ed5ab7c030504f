/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/kvp.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#define ADDRESS_MOST 63u

bool kvp_item(const struct cim_instance *o, const char **name, const char **data)
{
    *name = cim_str(o, P(Msvm_KvpExchangeDataItem, Name));
    *data = cim_str(o, P(Msvm_KvpExchangeDataItem, Data));
    return *name && **name;
}

void kvp_read(struct arena *a, const struct cim_instance *component, struct kvp *out)
{
    const struct {
        const char *name;
        const char **to;
    } wanted[] = {
        { "FullyQualifiedDomainName", &out->fqdn },
        { "OSName", &out->os_name },
        { "OSVersion", &out->os_version },
        { "OSBuildNumber", &out->os_build },
        { "OSPlatformId", &out->os_platform },
        { "IntegrationServicesVersion", &out->services_version },
        { "NetworkAddressIPv4", &out->ipv4 },
        { "NetworkAddressIPv6", &out->ipv6 },
    };
    unsigned n = cim_count(component, P(Msvm_KvpExchangeComponent, GuestIntrinsicExchangeItems));

    *out = (struct kvp){ 0 };
    for (unsigned i = 0; i < n && i < KVP_ITEMS_MOST; i++) {
        const char *name, *data;

        if (!kvp_item(cim_emb_at(component,
                                 P(Msvm_KvpExchangeComponent, GuestIntrinsicExchangeItems), i, a),
                      &name, &data) ||
            !data || !*data)
            continue;
        for (size_t w = 0; w < PV_COUNT(wanted); w++)
            if (strcmp(wanted[w].name, name) == 0)
                *wanted[w].to = data;
    }
}

void kvp_add_address(struct kvp_addresses *set, const char *address)
{
    size_t at = 0;

    /* A guest may write anything there: letters of addresses alone. */
    if (!address || !*address || strlen(address) > ADDRESS_MOST ||
        strspn(address, "0123456789abcdefABCDEF.:%") != strlen(address) ||
        set->n == KVP_ADDRESSES_MOST)
        return;
    while (at < set->n && strcmp(set->items[at], address) < 0)
        at++;
    if (at < set->n && strcmp(set->items[at], address) == 0)
        return;
    memmove(&set->items[at + 1], &set->items[at], (set->n - at) * sizeof(set->items[0]));
    set->items[at] = address;
    set->n++;
}

void kvp_add_list(struct arena *a, struct kvp_addresses *set, const char *list)
{
    while (list && *list) {
        size_t len = strcspn(list, ";");
        size_t skip = strspn(list, " ");

        if (skip < len)
            kvp_add_address(set, arena_text(a, list + skip, len - skip));
        list += len + (list[len] == ';');
    }
}
