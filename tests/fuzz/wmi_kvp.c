/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as what a guest tells its host: items of Msvm_KvpExchangeComponent, several of them,
 * and a list of addresses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>

#include "drivers/wmi/kvp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(struct cim_instance *component, const char *text)
{
    /* As they come from the host: any text, not one that we wrote. */
    struct cim_instance *o = component;
    struct cim_value *v =
        &o->values[P(Msvm_KvpExchangeComponent, GuestIntrinsicExchangeItems).id->slot];

    v->there = true;
    v->items[v->count++].text = text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(65536, 64u << 20);
    struct cim_instance *component = a ? cim_new(a, CIM(Msvm_KvpExchangeComponent)) : NULL;
    char *text = a ? arena_text(a, (const char *)data, size) : NULL;
    struct kvp_addresses set = { .n = 0 };
    struct kvp kvp = { 0 };

    if (component && text) {
        struct cim_value *v =
            &component->values[P(Msvm_KvpExchangeComponent, GuestIntrinsicExchangeItems).id->slot];
        char *line = text;

        v->items = arena_alloc(a, 64 * sizeof(*v->items));
        while (v->items && v->count < 64) {
            char *end = strchr(line, '\n');

            if (end)
                *end = '\0';
            add(component, line);
            if (!end)
                break;
            line = end + 1;
        }
        kvp_read(a, component, &kvp);
        kvp_add_list(a, &set, kvp.ipv4);
        kvp_add_list(a, &set, kvp.ipv6);
        kvp_add_list(a, &set, arena_text(a, (const char *)data, size));
        if (set.n > KVP_ADDRESSES_MOST)
            abort();
    }
    arena_free(a);
    return 0;
}
