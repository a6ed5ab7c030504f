/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an answer of a Windows host: an envelope, its fault, its objects. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/wsman_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every value is asked for in each way there is. */
static void look(struct arena *a, const struct cim_instance *o)
{
    int64_t ms;
    size_t len;

    for (unsigned i = 0; o && o->cls && i < o->cls->nprops; i++) {
        const struct cim_prop *p = &o->cls->props[i];

        for (unsigned k = 0; k < o->values[i].count && k < 4; k++) {
            const struct cim_item *item = &o->values[i].items[k];

            (void)cim_ref_path(a, item->ref, "H");
            if (item->text) {
                (void)cim_time_parse(item->text, &ms);
                (void)cim_interval_parse(item->text, &ms);
                (void)cim_ref_path(a, cim_ref_parse(a, item->text, CIM_NS_VIRTUALIZATION), NULL);
            }
            if (item->obj)
                look(a, item->obj);
        }
        if (p->array && p->type == CIM_UINT8)
            (void)cim_octets(o, (struct cim_p_uints){ p }, &len, a);
    }
    (void)cim_ref_path(a, cim_ref_of(a, o), "H");
}

static void envelope(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct arena *a = arena_new(65536, 64u << 20);
    struct message m = { .what = "fuzzing", .changes = size & 1 };
    struct cim_instance *o = NULL;
    struct reply reply = { 0 };
    struct pv_err err = { 0 };

    if (text && a) {
        memcpy(text, data, size);
        text[size] = '\0';
        if (reply_read(text, size, &reply, &err) == PV_OK) {
            (void)reply_check(&reply, &m, &err);
            if (reply.body &&
                cim_read(a, reply.body, NULL, CIM_NS_VIRTUALIZATION, &o, &err) == PV_OK)
                look(a, o);
            for (const xmlNode *n = xml_first(reply.body); n; n = xml_next(n))
                if (cim_read(a, n, CIM(Msvm_ComputerSystem), CIM_NS_CIMV2, &o, &err) == PV_OK)
                    look(a, o);
        }
        reply_free(&reply);
    }
    arena_free(a);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    envelope(data, size);
    return 0;
}
