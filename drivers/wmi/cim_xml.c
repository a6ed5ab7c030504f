/* SPDX-License-Identifier: Apache-2.0 */
/* Instances as text (CIM-XML, DSP0201), which is how settings travel in string parameters. */
#include "drivers/wmi/cim.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/cim_inner.h"

#define TEXT_MOST (8u << 20)
#define SEARCH_MOST 8 /* how deep the INSTANCE may be hidden in a declaration */

static void free_doc(xmlDocPtr doc)
{
    if (doc)
        xmlFreeDoc(doc);
}
PV_DEFINE_AUTO(free_doc, xmlDocPtr)

const char *cim_type_name(uint8_t type)
{
    static const char *const names[] = {
        [CIM_BOOL] = "boolean",    [CIM_UINT8] = "uint8",       [CIM_UINT16] = "uint16",
        [CIM_UINT32] = "uint32",   [CIM_UINT64] = "uint64",     [CIM_SINT8] = "sint8",
        [CIM_SINT16] = "sint16",   [CIM_SINT32] = "sint32",     [CIM_SINT64] = "sint64",
        [CIM_REAL32] = "real32",   [CIM_REAL64] = "real64",     [CIM_STRING] = "string",
        [CIM_CHAR16] = "char16",   [CIM_DATETIME] = "datetime", [CIM_REF] = "reference",
        [CIM_EMBEDDED] = "string", [CIM_OBJECT] = "object",
    };

    return type < PV_COUNT(names) ? names[type] : "string";
}

/* ------------------------------------------------------------------ writing */

static void put_array(struct buf *out, const struct cim_prop *p, const struct cim_value *v)
{
    buf_printf(out, "<PROPERTY.ARRAY NAME=\"%s\" TYPE=\"%s\">", p->name, cim_type_name(p->type));
    if (!v->null)
        buf_text(out, "<VALUE.ARRAY>");
    for (uint32_t i = 0; i < v->count; i++) {
        if (v->items[i].text)
            xml_put_element(out, "VALUE", v->items[i].text);
        else
            buf_text(out, "<VALUE.NULL/>");
    }
    if (!v->null)
        buf_text(out, "</VALUE.ARRAY>");
    buf_text(out, "</PROPERTY.ARRAY>");
}

static void put_scalar(struct buf *out, const struct cim_prop *p, const struct cim_value *v)
{
    buf_printf(out, "<PROPERTY NAME=\"%s\" TYPE=\"%s\">", p->name, cim_type_name(p->type));
    if (v->count)
        xml_put_element(out, "VALUE", v->items[0].text);
    buf_text(out, "</PROPERTY>");
}

int cim_put_xml(struct buf *out, const struct cim_instance *o, struct pv_err *err)
{
    if (!o || !o->cls)
        return pv_fail(err, PV_ENOMEM, "no memory for a request");
    if (o->failed)
        return pv_fail(err, PV_EINTERNAL, "a value for %s could not be set", o->name);
    buf_printf(out, "<INSTANCE CLASSNAME=\"%s\">", o->cls->name);
    for (unsigned i = 0; i < o->cls->nprops; i++) {
        const struct cim_prop *p = &o->cls->props[i];
        const struct cim_value *v = &o->values[i];

        if (!v->there)
            continue;
        if (p->type == CIM_REF || p->type == CIM_OBJECT)
            return pv_fail(err, PV_EINTERNAL, "%s.%s cannot travel as text", o->name, p->name);
        if (p->array)
            put_array(out, p, v);
        else
            put_scalar(out, p, v);
    }
    buf_text(out, "</INSTANCE>");
    return buf_ok(out) ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a request");
}

/* ------------------------------------------------------------------ reading */

static const xmlNode *find_instance(const xmlNode *node, unsigned depth)
{
    const xmlNode *found = NULL;

    if (!node || depth > SEARCH_MOST)
        return NULL;
    if (xml_is(node, NULL, "INSTANCE"))
        return node;
    for (const xmlNode *n = xml_first(node); n && !found; n = xml_next(n))
        found = find_instance(n, depth + 1);
    return found;
}

static bool put_item(struct cim_instance *o, struct cim_value *v, const xmlNode *value)
{
    struct cim_item *item = cim_value_add(v, o->arena);

    if (!item)
        return false;
    if (xml_is(value, NULL, "VALUE")) {
        const char *text = xml_text(value);

        item->text = arena_strdup(o->arena, text ? text : "");
        return item->text != NULL;
    }
    return true; /* VALUE.NULL */
}

static int read_property(struct cim_instance *o, const xmlNode *node, struct pv_err *err)
{
    const char *name = xml_attr(node, NULL, "NAME");
    const struct cim_prop *p = name ? cim_prop_find(o->cls, name) : NULL;
    struct cim_value *v = p ? &o->values[p->slot] : NULL;
    const xmlNode *value = xml_child(node, NULL, "VALUE");
    const xmlNode *array = xml_child(node, NULL, "VALUE.ARRAY");
    bool ok = true;

    if (!v || v->there)
        return PV_OK;
    v->there = true;
    v->null = !value && !array;
    if (array && p->array) {
        for (const xmlNode *n = xml_first(array); n && ok; n = xml_next(n))
            ok = put_item(o, v, n);
    } else if (value) {
        ok = put_item(o, v, value);
    }
    if (ok && v->count && (p->type == CIM_REF || p->type == CIM_OBJECT)) {
        v->items[0].ref = cim_ref_parse(o->arena, v->items[0].text, (enum cim_ns)o->cls->ns);
        v->items[0].text = NULL;
    }
    return ok ? PV_OK : pv_fail(err, PV_ENOMEM, "an instance in the host's answer is too large");
}

static int read_instance(struct arena *a, const xmlNode *node, enum cim_ns ns,
                         struct cim_instance **out, struct pv_err *err)
{
    const char *name = xml_attr(node, NULL, "CLASSNAME");
    const struct cim_class *cls = name ? cim_class_find(ns, name) : NULL;
    struct cim_instance *o;
    int rc = PV_OK;

    if (!name)
        return pv_fail(err, PV_EIO, "an instance in the host's answer has no class");
    o = cls ? cim_new(a, cls) : arena_alloc(a, sizeof(*o));
    if (o)
        o->name = arena_strdup(a, name);
    if (!o || !o->name)
        return pv_fail(err, PV_ENOMEM, "an instance in the host's answer is too large");
    o->arena = a;
    for (const xmlNode *n = xml_first(node); n && cls && rc == PV_OK; n = xml_next(n))
        if (xml_is(n, NULL, "PROPERTY") || xml_is(n, NULL, "PROPERTY.ARRAY"))
            rc = read_property(o, n, err);
    if (rc == PV_OK)
        *out = o;
    return rc;
}

int cim_parse_xml(struct arena *a, const char *text, enum cim_ns ns, struct cim_instance **out,
                  struct pv_err *err)
{
    static const struct xml_limits limits = { .max_bytes = TEXT_MOST, .max_depth = 32 };
    PV_AUTO(free_doc_p) xmlDocPtr doc = NULL;
    PV_AUTO_FREE char *clean = NULL;
    size_t len = strlen(text);
    const xmlNode *node;
    int rc;

    if (len > TEXT_MOST)
        return pv_fail(err, PV_EIO, "an instance in the host's answer is too large");
    clean = strdup(text);
    if (!clean)
        return pv_fail(err, PV_ENOMEM, "no memory");
    len = cim_clean(clean, len);
    rc = xml_parse(clean, len, &limits, &doc, err);
    if (rc)
        return rc;
    node = find_instance(xmlDocGetRootElement(doc), 0);
    if (!node)
        return pv_fail(err, PV_EIO, "an instance in the host's answer cannot be read");
    return read_instance(a, node, ns, out, err);
}
