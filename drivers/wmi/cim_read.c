/* SPDX-License-Identifier: Apache-2.0 */
/* From the elements of an answer to objects. */
#include "drivers/wmi/cim.h"

#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/utf8.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/cim_inner.h"
#include "drivers/wmi/names.h"

#define NESTED_MOST 8 /* objects in objects */
#define NAME_MOST 192

/* ------------------------------------------------------------------ characters */

/* "&#1;" at `at`: its length, if it means a character that XML does not have; else 0. */
static size_t bad_reference(const char *at, size_t len)
{
    uint32_t value = 0;
    size_t i = 2;
    bool hex;

    if (len < 4 || at[0] != '&' || at[1] != '#')
        return 0;
    hex = at[2] == 'x';
    i += hex;
    for (; i < len && i < 14 && at[i] != ';'; i++) {
        char c = at[i];
        uint32_t digit = c >= '0' && c <= '9'          ? (uint32_t)(c - '0')
                         : hex && c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10
                         : hex && c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A') + 10
                                                       : 99;

        if (digit == 99)
            return 0;
        value = value > 0x110000 ? value : value * (hex ? 16u : 10u) + digit;
    }
    if (i >= len || at[i] != ';' || i == 2u + hex)
        return 0;
    if ((value < 0x20 && value != 9 && value != 10 && value != 13) ||
        (value >= 0xd800 && value <= 0xdfff) || value == 0xfffe || value == 0xffff ||
        value > 0x10ffff)
        return i + 1;
    return 0;
}

static bool is_bad_char(const char *at, size_t n)
{
    unsigned char c = (unsigned char)*at;

    return n == 0 || (n == 1 && c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
           (n == 3 && (memcmp(at, "\xef\xbf\xbe", 3) == 0 || memcmp(at, "\xef\xbf\xbf", 3) == 0));
}

size_t cim_clean(char *text, size_t len)
{
    size_t to = 0;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i), bad = bad_reference(text + i, len - i);

        if (bad) {
            memcpy(text + to, "\xef\xbf\xbd", 3);
            to += 3;
            i += bad;
        } else if (is_bad_char(text + i, n)) {
            text[to++] = '?';
            i += n ? n : 1;
        } else {
            memmove(text + to, text + i, n);
            to += n;
            i += n;
        }
    }
    return to;
}

/* ------------------------------------------------------------------ elements */

static bool is_nil(const xmlNode *node)
{
    const char *nil = xml_attr(node, XML_NS_XSI, "nil");

    return nil && (strcasecmp(nil, "true") == 0 || strcmp(nil, "1") == 0);
}

/* The namespace that an address of a class names; `fallback` if it is none of ours. */
static enum cim_ns ns_of(const xmlNode *node, enum cim_ns fallback)
{
    const char *uri = node && node->ns ? (const char *)node->ns->href : NULL;
    const char *at = uri ? strcasestr(uri, "/wmi/") : NULL;

    if (!at)
        return fallback;
    at += 5;
    for (unsigned i = 0; i < CIM_NS_COUNT; i++) {
        size_t len = strlen(cim_ns_path(i));

        if (strncasecmp(at, cim_ns_path(i), len) == 0 && (at[len] == '/' || !at[len]))
            return i;
    }
    return fallback;
}

/* xsi:type="p:Msvm_StorageJob_Type" says the real class, the element's name the one asked for. */
static bool class_name(const xmlNode *node, char out[NAME_MOST])
{
    const char *type = xml_xsi_type(node), *name = xml_name(node);

    if (type && str_ends(type, "_Type"))
        return str_copy_n(out, NAME_MOST, type, strlen(type) - 5);
    return str_copy(out, NAME_MOST, name);
}

/* <cim:Datetime>, <cim:Interval>, <cim:CIM_DateTime> inside; or plain text. */
static const char *time_text(const xmlNode *node)
{
    const xmlNode *inner = xml_first(node);

    return xml_text(inner ? inner : node);
}

static int read_object(struct arena *a, const xmlNode *node, const struct cim_class *expected,
                       enum cim_ns ns, unsigned depth, struct cim_instance **out,
                       struct pv_err *err);

static int read_item(struct arena *a, const xmlNode *node, const struct cim_prop *p, enum cim_ns ns,
                     unsigned depth, struct cim_item *item, struct pv_err *err)
{
    struct cim_instance *object = NULL;
    const char *text;
    int rc;

    switch (p->type) {
    case CIM_REF:
        item->ref = cim_read_ref(a, node);
        if (!item->ref && !xml_first(node))
            item->ref = cim_ref_parse(a, xml_text(node), ns);
        return PV_OK;
    case CIM_OBJECT:
        item->ref = cim_read_ref(a, node);
        if (item->ref || depth >= NESTED_MOST)
            return PV_OK;
        rc = read_object(a, node, cim_class_find(ns, p->of), ns, depth + 1, &object, err);
        item->obj = object;
        return rc;
    default:
        text = p->type == CIM_DATETIME ? time_text(node) : xml_text(node);
        item->text = arena_strdup(a, text ? text : "");
        return item->text ? PV_OK : pv_fail(err, PV_ENOMEM, "the host's answer is too large");
    }
}

static int read_value(struct cim_instance *o, const xmlNode *node, enum cim_ns ns, unsigned depth,
                      struct pv_err *err)
{
    const struct cim_prop *p = cim_prop_find(o->cls, xml_name(node));
    struct cim_value *v = p ? &o->values[p->slot] : NULL;
    struct cim_item *item;
    bool nil = is_nil(node);

    if (!v || (v->count && !p->array))
        return PV_OK;
    v->there = true;
    if (nil && (!p->array || !v->count)) {
        v->null = true;
        return PV_OK;
    }
    v->null = false;
    item = cim_value_add(v, o->arena);
    if (!item)
        return pv_fail(err, PV_ENOMEM, "the host's answer is too large");
    return nil ? PV_OK : read_item(o->arena, node, p, ns, depth, item, err);
}

/* An object that nobody expects: its class by name, its fields by the table. */
static int read_object(struct arena *a, const xmlNode *node, const struct cim_class *expected,
                       enum cim_ns ns, unsigned depth, struct cim_instance **out,
                       struct pv_err *err)
{
    const xmlNode *first = xml_first(node);
    const struct cim_class *cls = expected;
    struct cim_instance *o;
    char name[NAME_MOST];
    int rc = PV_OK;

    ns = ns_of(first && first->ns && first->ns->href ? first : node, ns);
    if (!class_name(node, name))
        return pv_fail(err, PV_EIO, "the host's answer names a class that is none");
    if (!cls || !cls->method) {
        const struct cim_class *real = cim_class_find(ns, name);

        cls = real ? real : cls;
    }
    if (cls) {
        o = cim_new(a, cls);
    } else {
        o = arena_alloc(a, sizeof(*o));
        if (o)
            o->arena = a;
    }
    if (o && (!cls || !cls->method))
        o->name = arena_strdup(a, name);
    if (!o || !o->name)
        return pv_fail(err, PV_ENOMEM, "the host's answer is too large");
    for (const xmlNode *n = first; n && cls && rc == PV_OK; n = xml_next(n))
        rc = read_value(o, n, ns, depth, err);
    if (rc == PV_OK)
        *out = o;
    return rc;
}

int cim_read(struct arena *a, const xmlNode *node, const struct cim_class *expected, enum cim_ns ns,
             struct cim_instance **out, struct pv_err *err)
{
    if (!node)
        return pv_fail(err, PV_EIO, "the host's answer is empty");
    return read_object(a, node, expected, ns, 0, out, err);
}
