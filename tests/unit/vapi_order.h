/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vapi_order - is a request's XML in the order of the table?
 *
 * Reads the text again and walks it beside enc_types, so that what a request
 * builder really sent is compared with the schema and not with itself.
 */
#pragma once

#include <criterion/criterion.h>

#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"

/* Place of a field among all of a type, base types first; -1: it has none. */
static inline int order_place(const struct enc_type *t, const char *name, const char **declared)
{
    const struct enc_type *base = t->base ? enc_type(t->base) : NULL;
    int place = base ? order_place(base, name, declared) : -1, offset = 0;

    if (place >= 0)
        return place;
    for (const struct enc_type *b = base; b; b = b->base ? enc_type(b->base) : NULL)
        for (size_t i = 0; b->fields[i].name; i++)
            offset++;
    for (int i = 0; t->fields[i].name; i++) {
        if (strcmp(t->fields[i].name, name) == 0) {
            *declared = t->fields[i].type;
            return offset + i;
        }
    }
    return -1;
}

static inline void order_check(const xmlNode *node, const struct enc_type *type)
{
    int last = -1;

    cr_assert_not_null(type, "%s has a type the table does not know", xml_name(node));
    for (const xmlNode *n = xml_first(node); n; n = xml_next(n)) {
        const char *declared = NULL, *own = xml_xsi_type(n);
        int place;

        if (strcmp(xml_name(n), "_this") == 0) {
            cr_assert_eq(n, xml_first(node), "_this is not first");
            continue;
        }
        place = order_place(type, xml_name(n), &declared);
        cr_assert_geq(place, 0, "%s has no %s", type->name, xml_name(n));
        cr_assert_geq(place, last, "%s.%s comes too late", type->name, xml_name(n));
        last = place;
        if (xml_first(n))
            order_check(n, enc_type(own ? own : declared));
    }
}

/* The method's name is copied to `method` when that is not NULL. */
static inline void order_check_text(const char *text, size_t len, char *method, size_t cap)
{
    struct pv_err err = { 0 };
    xmlDocPtr doc = NULL;
    const xmlNode *call;

    cr_assert_eq(xml_parse(text, len, NULL, &doc, &err), PV_OK, "%s", err.message);
    call = xml_first(xml_first(xmlDocGetRootElement(doc)));
    cr_assert_not_null(call);
    order_check(call, enc_type(xml_name(call)));
    if (method)
        (void)snprintf(method, cap, "%s", xml_name(call));
    xmlFreeDoc(doc);
}

static inline void order_check_envelope(const char *text)
{
    order_check_text(text, strlen(text), NULL, 0);
}
