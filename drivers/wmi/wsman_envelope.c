/* SPDX-License-Identifier: Apache-2.0 */
/* Writing envelopes, and reading them. */
#include "drivers/wmi/wsman_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/cim_inner.h"
#include "drivers/wmi/names.h"

#define NESTED_MOST 3

void envelope_uri(char *out, size_t cap, const char *ns, const char *cls)
{
    (void)snprintf(out, cap, "%s%s/%s", URI_WMI, ns, cls);
}

static void put_selectors(struct buf *out, const struct cim_ref *r, unsigned depth);

static void put_params(struct buf *out, const struct cim_ref *r, unsigned depth)
{
    char uri[URI_CAP];

    envelope_uri(uri, sizeof(uri), r->ns, r->cls);
    buf_text(out, "<a:Address>" URI_ANONYMOUS "</a:Address><a:ReferenceParameters>");
    xml_put_element(out, "w:ResourceURI", uri);
    put_selectors(out, r, depth);
    buf_text(out, "</a:ReferenceParameters>");
}

static void put_selectors(struct buf *out, const struct cim_ref *r, unsigned depth)
{
    if (r->nkeys == 0)
        return;
    buf_text(out, "<w:SelectorSet>");
    for (unsigned i = 0; i < r->nkeys; i++) {
        const struct cim_key *k = &r->keys[i];

        buf_text(out, "<w:Selector Name=\"");
        xml_put_text(out, k->name);
        buf_text(out, "\">");
        if (k->value) {
            xml_put_text(out, k->value);
        } else if (k->ref && depth < NESTED_MOST) {
            buf_text(out, "<a:EndpointReference>");
            put_params(out, k->ref, depth + 1);
            buf_text(out, "</a:EndpointReference>");
        }
        buf_text(out, "</w:Selector>");
    }
    buf_text(out, "</w:SelectorSet>");
}

void envelope_ref(struct buf *out, const struct cim_ref *r)
{
    put_params(out, r, 0);
}

#define OPEN                                                                                       \
    "<s:Envelope xmlns:s=\"" NS_SOAP "\" xmlns:a=\"" NS_ADDRESSING "\" xmlns:w=\"" NS_WSMAN        \
    "\" xmlns:p=\"" NS_MS "\" xmlns:n=\"" NS_ENUMERATION "\" xmlns:b=\"" NS_BINDING                \
    "\" xmlns:e=\"" NS_EVENTING "\" xmlns:xsi=\"" XML_NS_XSI "\">"

void envelope_write(struct buf *out, const struct wsman *w, const struct message *m,
                    const char *message_id, unsigned envelope, unsigned timeout_ms)
{
    if (m->identify) {
        buf_printf(out,
                   "<s:Envelope xmlns:s=\"%s\" xmlns:i=\"%s\"><s:Header/><s:Body>%s</s:Body>"
                   "</s:Envelope>",
                   NS_SOAP, NS_IDENTITY, m->body);
        return;
    }
    buf_text(out, OPEN "<s:Header>");
    xml_put_element(out, "a:To", w->config->at.url);
    buf_text(out, "<w:ResourceURI s:mustUnderstand=\"true\">");
    xml_put_text(out, m->uri);
    buf_text(out, "</w:ResourceURI><a:ReplyTo><a:Address s:mustUnderstand=\"true\">" URI_ANONYMOUS
                  "</a:Address></a:ReplyTo><a:Action s:mustUnderstand=\"true\">");
    xml_put_text(out, m->action);
    buf_printf(out,
               "</a:Action><w:MaxEnvelopeSize s:mustUnderstand=\"true\">%u</w:MaxEnvelopeSize>"
               "<a:MessageID>%s</a:MessageID>"
               "<w:Locale xml:lang=\"%s\" s:mustUnderstand=\"false\"/>"
               "<p:DataLocale xml:lang=\"%s\" s:mustUnderstand=\"false\"/>"
               "<p:SessionId s:mustUnderstand=\"false\">%s</p:SessionId>"
               "<w:OperationTimeout>PT%u.%03uS</w:OperationTimeout>",
               envelope, message_id, w->config->locale, w->config->locale, w->session_id,
               timeout_ms / 1000, timeout_ms % 1000);
    if (m->ref)
        put_selectors(out, m->ref, 0);
    if (m->identifier && *m->identifier)
        xml_put_element(out, "e:Identifier", m->identifier);
    buf_printf(out, "</s:Header><s:Body>%s</s:Body></s:Envelope>", m->body);
}

/* ------------------------------------------------------------------ methods */

/* Times are kept as they came: XML Schema's forms, or CIM's own. */
static const char *time_element(const char *text)
{
    if (*text == 'P')
        return "Interval";
    return strchr(text, 'T') ? "Datetime" : "CIM_DateTime";
}

static void put_item(struct buf *out, const struct cim_prop *p, const struct cim_item *item)
{
    if (!item || (!item->text && !item->ref)) {
        buf_printf(out, "<q:%s xsi:nil=\"true\"/>", p->name);
        return;
    }
    buf_printf(out, "<q:%s>", p->name);
    if (item->ref) {
        envelope_ref(out, item->ref);
    } else if (p->type == CIM_DATETIME) {
        buf_printf(out, "<c:%s xmlns:c=\"" NS_CIM "\">", time_element(item->text));
        xml_put_text(out, item->text);
        buf_printf(out, "</c:%s>", time_element(item->text));
    } else {
        xml_put_text(out, item->text);
    }
    buf_printf(out, "</q:%s>", p->name);
}

void envelope_value(struct buf *out, const struct cim_prop *p, const struct cim_value *v)
{
    if (v->count == 0)
        put_item(out, p, NULL);
    for (uint32_t i = 0; i < v->count; i++)
        put_item(out, p, &v->items[i]);
}

int envelope_input(struct buf *out, const struct cim_instance *in, const char *uri,
                   struct pv_err *err)
{
    buf_printf(out, "<q:%s_INPUT xmlns:q=\"%s\">", in->cls->name, uri);
    for (const char *const *name = in->cls->order; *name; name++) {
        const struct cim_prop *p = cim_prop_find(in->cls, *name);
        const struct cim_value *v = p ? &in->values[p->slot] : NULL;

        if (!v || !v->there)
            continue;
        if (p->type == CIM_OBJECT)
            return pv_fail(err, PV_EINTERNAL, "%s.%s cannot be sent", in->cls->name, p->name);
        envelope_value(out, p, v);
    }
    buf_printf(out, "</q:%s_INPUT>", in->cls->name);
    return buf_ok(out) ? PV_OK : pv_fail(err, PV_ENOMEM, "the request is too large");
}

/* ------------------------------------------------------------------ replies */

void reply_free(struct reply *r)
{
    if (r->doc)
        xmlFreeDoc(r->doc);
    memset(r, 0, sizeof(*r));
}

int reply_read(char *text, size_t len, struct reply *out, struct pv_err *err)
{
    static const struct xml_limits limits = { .max_bytes = 64u << 20, .max_depth = 96 };
    const xmlNode *root, *body;
    int rc;

    memset(out, 0, sizeof(*out));
    len = cim_clean(text, len);
    rc = xml_parse(text, len, &limits, &out->doc, err);
    if (rc)
        return rc;
    root = xmlDocGetRootElement(out->doc);
    body = xml_child(root, NS_SOAP, "Body");
    if (!xml_is(root, NS_SOAP, "Envelope") || !body)
        return pv_fail_as(err, "provider-not-recognized", "the answer is not a SOAP envelope");
    out->header = xml_child(root, NS_SOAP, "Header");
    out->body = xml_first(body);
    if (xml_is(out->body, NS_SOAP, "Fault"))
        fault_read(out->body, &out->fault);
    return PV_OK;
}

int reply_check(const struct reply *r, const struct message *m, struct pv_err *err)
{
    return r->fault.there ? fault_fail(&r->fault, m->what, m->changes, err) : PV_OK;
}
