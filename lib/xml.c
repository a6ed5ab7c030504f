/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at nodes and writing text; reading is in xml_read.c. */
#include <polyvisor/xml.h>

#include <string.h>

#include <libxml/parser.h>

#include <polyvisor/str.h>
#include <polyvisor/utf8.h>

static const char *href(const xmlNs *ns)
{
    return ns && ns->href ? (const char *)ns->href : "";
}

bool xml_is(const xmlNode *node, const char *ns, const char *name)
{
    return node && node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0 &&
           (!ns || strcmp(href(node->ns), ns) == 0);
}

static xmlNodePtr element_from(xmlNodePtr node)
{
    while (node && node->type != XML_ELEMENT_NODE)
        node = node->next;
    return node;
}

xmlNodePtr xml_first(const xmlNode *parent)
{
    return parent ? element_from(parent->children) : NULL;
}

xmlNodePtr xml_next(const xmlNode *node)
{
    return node ? element_from(node->next) : NULL;
}

xmlNodePtr xml_next_named(const xmlNode *node, const char *ns, const char *name)
{
    xmlNodePtr next = xml_next(node);

    while (next && !xml_is(next, ns, name))
        next = xml_next(next);
    return next;
}

xmlNodePtr xml_child(const xmlNode *parent, const char *ns, const char *name)
{
    xmlNodePtr child = xml_first(parent);

    return !child || xml_is(child, ns, name) ? child : xml_next_named(child, ns, name);
}

const char *xml_name(const xmlNode *node)
{
    return node ? (const char *)node->name : NULL;
}

/* The reader makes one text node of all text in a row, so a leaf has at most one. */
const char *xml_text(const xmlNode *node)
{
    const xmlNode *text = node ? node->children : NULL;

    if (!node)
        return NULL;
    if (!text || text->next || text->type != XML_TEXT_NODE || !text->content)
        return "";
    return (const char *)text->content;
}

const char *xml_child_text(const xmlNode *parent, const char *ns, const char *name)
{
    return xml_text(xml_child(parent, ns, name));
}

/* Text without the white space around it: XML Schema's numbers and booleans allow it. */
static size_t trimmed(const xmlNode *node, const char **text)
{
    const char *at = xml_text(node);
    size_t len;

    if (!at)
        at = "";
    at += strspn(at, " \t\r\n");
    len = strlen(at);
    while (len > 0 && strchr(" \t\r\n", at[len - 1]))
        len--;
    *text = at;
    return len;
}

bool xml_u64(const xmlNode *node, uint64_t *out)
{
    const char *text;
    size_t len = trimmed(node, &text);

    return str_u64(text, len, UINT64_MAX, out);
}

bool xml_i64(const xmlNode *node, int64_t *out)
{
    const char *text;
    size_t len = trimmed(node, &text);

    return str_i64(text, len, out);
}

bool xml_bool(const xmlNode *node, bool *out)
{
    const char *text;
    size_t len = trimmed(node, &text);

    if ((len == 4 && memcmp(text, "true", 4) == 0) || (len == 1 && *text == '1'))
        *out = true;
    else if ((len == 5 && memcmp(text, "false", 5) == 0) || (len == 1 && *text == '0'))
        *out = false;
    else
        return false;
    return true;
}

const char *xml_attr(const xmlNode *node, const char *ns, const char *name)
{
    const xmlAttr *attr = node && node->type == XML_ELEMENT_NODE ? node->properties : NULL;

    for (; attr; attr = attr->next) {
        if (strcmp((const char *)attr->name, name) != 0)
            continue;
        if (ns ? strcmp(href(attr->ns), ns) != 0 : attr->ns != NULL)
            continue;
        return attr->children && attr->children->content ? (const char *)attr->children->content
                                                         : "";
    }
    return NULL;
}

const char *xml_xsi_type(const xmlNode *node)
{
    const char *type = xml_attr(node, XML_NS_XSI, "type");
    const char *colon = type ? strchr(type, ':') : NULL;

    return colon ? colon + 1 : type;
}

/* What XML 1.0 cannot hold in any form becomes U+FFFD: control bytes, U+FFFE, U+FFFF, invalid
 * sequences. */
static const char *instead_of(const char *text, size_t n)
{
    switch (n == 1 ? text[0] : 0) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\r':
        return "&#13;";
    case '\t':
    case '\n':
        return NULL;
    default:
        break;
    }
    if (n == 0 || (n == 1 && (unsigned char)text[0] < 0x20) ||
        (n == 3 && (memcmp(text, "\xef\xbf\xbe", 3) == 0 || memcmp(text, "\xef\xbf\xbf", 3) == 0)))
        return "\xef\xbf\xbd";
    return NULL;
}

void xml_put_text(struct buf *out, const char *text)
{
    size_t len = strlen(text), from = 0;

    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(text + i, len - i);
        const char *instead = instead_of(text + i, n);

        if (instead) {
            buf_append(out, text + from, i - from);
            buf_text(out, instead);
            from = i + (n ? n : 1);
        }
        i += n ? n : 1;
    }
    buf_append(out, text + from, len - from);
}

void xml_put_element(struct buf *out, const char *name, const char *text)
{
    if (!text)
        return;
    buf_printf(out, "<%s>", name);
    xml_put_text(out, text);
    buf_printf(out, "</%s>", name);
}

void xml_global_init(void)
{
    xmlInitParser();
}

void xml_global_cleanup(void)
{
    xmlCleanupParser();
}
