/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading XML: libxml2's push parser calls us for each tag, and we build the
 * wanted subtrees ourselves. So unwanted elements cost no memory, namespaces
 * declared on dropped ancestors still resolve, and limits hold while the text
 * arrives. A whole document is the subtree of its root.
 */
#include <polyvisor/xml.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define PIECE (16u * 1024)
/* libxml2 waits for the end of a tag before it looks at it, and compares its attributes with one
 * another: both bounds keep the work for one tag small. */
#define TAG_MOST (128u * 1024)
#define ATTRIBUTES_MOST 256

#if LIBXML_VERSION >= 21200
typedef const xmlError *raised_error;
#else
typedef xmlErrorPtr raised_error;
#endif

struct xml_stream {
    xmlParserCtxtPtr ctxt; /* owned */
    xmlDocPtr doc;         /* owned; home of the subtree that is being built */
    xmlNodePtr at;         /* element that is being filled; NULL outside subtrees */
    struct buf text;       /* text since the last tag */
    struct buf value;      /* one attribute's value */
    struct xml_limits limits;
    const struct xml_match *matches; /* borrowed; NULL: the root is wanted and kept */
    const struct xml_match *match;   /* what the present subtree was wanted for */
    void *ctx;
    struct pv_err *err; /* borrowed during a call */
    size_t bytes;
    unsigned bom; /* bytes of a byte order mark seen; 3: past it, or there is none */
    unsigned depth, nodes;
    int rc; /* not 0: it has ended, and why */
};

__attribute__((format(printf, 3, 4))) static void stop(struct xml_stream *s, int rc,
                                                       const char *fmt, ...)
{
    char text[256];
    va_list ap;

    if (s->rc)
        return;
    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    s->rc = pv_fail(s->err, rc, "%s", text);
    xmlStopParser(s->ctxt);
}

static void on_error(void *data, raised_error error)
{
    struct xml_stream *s = data;
    int len;

    /* A namespace's name need not be a good address. */
    if (error->level < XML_ERR_ERROR || error->code == XML_WAR_NS_URI)
        return;
    if (error->code == XML_ERR_NO_MEMORY) {
        stop(s, PV_ENOMEM, "no memory for an XML document");
        return;
    }
    len = error->message ? (int)strcspn(error->message, "\r\n") : 0;
    stop(s, PV_EIO, "malformed XML in line %d: %.*s", error->line, len,
         error->message ? error->message : "");
}

/* Without this, what goes wrong outside a parser (an allocation for a node) is written to stderr.
 * libxml2 keeps it for each thread. */
static void on_stray_error(void *data, raised_error error)
{
    (void)data;
    (void)error;
}

static void on_doctype(void *data, const xmlChar *name, const xmlChar *public_id,
                       const xmlChar *system_id)
{
    (void)name;
    (void)public_id;
    (void)system_id;
    stop(data, PV_EIO, "the XML document has a DOCTYPE, which is refused");
}

static bool is_blank(const struct buf *b)
{
    for (size_t i = 0; i < b->len; i++)
        if (!strchr(" \t\r\n", b->data[i]))
            return false;
    return true;
}

/* Hang the text since the last tag below the present element. Blanks between tags are layout. */
static bool flush_text(struct xml_stream *s, bool at_end)
{
    bool is_leaf = at_end && !s->at->children;
    xmlNodePtr text;

    if (!buf_ok(&s->text)) {
        stop(s, PV_ENOMEM, "no memory for the text of an XML element");
        return false;
    }
    if (s->text.len > 0 && (is_leaf || !is_blank(&s->text))) {
        text = xmlNewTextLen((const xmlChar *)s->text.data, (int)s->text.len);
        if (!text || !text->content || !xmlAddChild(s->at, text)) {
            xmlFreeNode(text);
            stop(s, PV_ENOMEM, "no memory for the text of an XML element");
            return false;
        }
    }
    buf_reset(&s->text);
    return true;
}

/* libxml2 hands out nodes whose texts it had no memory for: what was asked for must be there, too.
 */
static xmlNsPtr declare(xmlNodePtr node, const xmlChar *prefix, const xmlChar *uri)
{
    xmlNsPtr ns = xmlNewNs(node, uri, prefix);

    return ns && (!uri || ns->href) && (!prefix || ns->prefix) ? ns : NULL;
}

/* The declaration that gives `prefix` its meaning at `node`; one that is outside the subtree is
 * repeated at the subtree's root. */
static xmlNsPtr namespace_of(struct xml_stream *s, xmlNodePtr node, const xmlChar *prefix,
                             const xmlChar *uri)
{
    xmlNsPtr ns = xmlSearchNs(s->doc, node, prefix);
    xmlNodePtr root = node;

    if (ns && xmlStrEqual(ns->href, uri))
        return ns;
    while (root->parent && root->parent->type == XML_ELEMENT_NODE)
        root = root->parent;
    return declare(ns ? node : root, prefix, uri);
}

static bool add_attributes(struct xml_stream *s, xmlNodePtr node, int count,
                           const xmlChar **attributes)
{
    for (int i = 0; i < count; i++, attributes += 5) {
        xmlNsPtr ns = NULL;
        xmlAttrPtr attr;

        if (attributes[2]) {
            ns = namespace_of(s, node, attributes[1], attributes[2]);
            if (!ns)
                return false;
        }
        buf_reset(&s->value);
        buf_append(&s->value, attributes[3], (size_t)(attributes[4] - attributes[3]));
        if (!buf_ok(&s->value))
            return false;
        /* Names are the dictionary's, which the document shares. */
        attr =
            xmlNewNsPropEatName(node, ns, (xmlChar *)attributes[0], (const xmlChar *)s->value.data);
        if (!attr || !attr->children || !attr->children->content)
            return false;
    }
    return true;
}

static bool add_element(struct xml_stream *s, const xmlChar *name, const xmlChar *prefix,
                        const xmlChar *uri, int nnamespaces, const xmlChar **namespaces,
                        int nattributes, const xmlChar **attributes)
{
    xmlNodePtr node = xmlNewDocNodeEatName(s->doc, NULL, (xmlChar *)name, NULL);

    if (!node)
        return false;
    if (s->at)
        xmlAddChild(s->at, node);
    else
        xmlDocSetRootElement(s->doc, node);
    s->at = node;
    for (int i = 0; i < nnamespaces; i++)
        if (!declare(node, namespaces[2 * i], namespaces[2 * i + 1]))
            return false;
    if (uri) {
        node->ns = namespace_of(s, node, prefix, uri);
        if (!node->ns)
            return false;
    }
    return add_attributes(s, node, nattributes, attributes);
}

static const struct xml_match *find_match(const struct xml_stream *s, const xmlChar *name,
                                          const xmlChar *uri)
{
    for (const struct xml_match *m = s->matches; m->name; m++)
        if (strcmp(m->name, (const char *)name) == 0 &&
            (!m->ns || strcmp(m->ns, uri ? (const char *)uri : "") == 0))
            return m;
    return NULL;
}

static void on_start(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int nnamespaces, const xmlChar **namespaces, int nattributes, int ndefaulted,
                     const xmlChar **attributes)
{
    struct xml_stream *s = data;

    (void)ndefaulted;
    if (s->rc)
        return;
    if (++s->depth > s->limits.max_depth) {
        stop(s, PV_EIO, "XML elements are nested more than %u deep", s->limits.max_depth);
        return;
    }
    if (nattributes + nnamespaces > ATTRIBUTES_MOST) {
        stop(s, PV_EIO, "an XML element has more than %d attributes", ATTRIBUTES_MOST);
        return;
    }
    if (s->at) {
        if (!flush_text(s, false))
            return;
    } else {
        if (s->matches) {
            s->match = find_match(s, name, uri);
            if (!s->match)
                return;
        }
        s->nodes = 0;
        buf_reset(&s->text);
    }
    s->nodes += 1 + (unsigned)nattributes + (unsigned)nnamespaces;
    if (s->nodes > s->limits.max_nodes)
        stop(s, PV_EIO, "an XML answer has more than %u nodes", s->limits.max_nodes);
    else if (!add_element(s, name, prefix, uri, nnamespaces, namespaces, nattributes, attributes))
        stop(s, PV_ENOMEM, "no memory for an XML element");
}

static void on_end(void *data, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    struct xml_stream *s = data;
    xmlNodePtr node = s->at;
    int rc;

    (void)name;
    (void)prefix;
    (void)uri;
    if (s->rc)
        return;
    s->depth--;
    if (!node || !flush_text(s, true))
        return;
    s->at = node->parent && node->parent->type == XML_ELEMENT_NODE ? node->parent : NULL;
    if (s->at || !s->matches)
        return;
    rc = s->match->fn(s->ctx, node, s->err);
    xmlUnlinkNode(node);
    xmlFreeNode(node);
    if (rc) {
        s->rc = rc;
        xmlStopParser(s->ctxt);
    }
}

static void on_text(void *data, const xmlChar *text, int len)
{
    struct xml_stream *s = data;

    if (!s->rc && s->at)
        buf_append(&s->text, text, (size_t)len);
}

static const xmlSAXHandler handler = {
    .internalSubset = on_doctype,
    .characters = on_text,
    .cdataBlock = on_text,
    .initialized = XML_SAX2_MAGIC,
    .startElementNs = on_start,
    .endElementNs = on_end,
    .serror = on_error,
};

int xml_stream_new(const struct xml_limits *limits, const struct xml_match *matches, void *ctx,
                   struct xml_stream **out, struct pv_err *err)
{
    struct xml_stream *s = calloc(1, sizeof(*s));
    xmlSAXHandler sax = handler;

    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory for an XML reader");
    if (limits)
        s->limits = *limits;
    if (!s->limits.max_bytes)
        s->limits.max_bytes = 64u << 20;
    if (!s->limits.max_depth)
        s->limits.max_depth = 64;
    if (!s->limits.max_nodes)
        s->limits.max_nodes = 4000000;
    s->matches = matches;
    s->ctx = ctx;
    /* libxml2 counts in int. */
    buf_init(&s->text, s->limits.max_bytes < (1u << 30) ? s->limits.max_bytes : 1u << 30);
    buf_init(&s->value, 4 * TAG_MOST);
    xmlSetStructuredErrorFunc(NULL, on_stray_error);
    s->ctxt = xmlCreatePushParserCtxt(&sax, s, NULL, 0, NULL);
    s->doc = xmlNewDoc(NULL);
    if (!s->ctxt || !s->doc) {
        xml_stream_free(s);
        return pv_fail(err, PV_ENOMEM, "no memory for an XML reader");
    }
    /* NOENT: attribute values come with &amp; and the like replaced; other entities cannot exist
     * without a DOCTYPE. HUGE: the limits are ours. IGNORE_ENC: what the prolog claims does not
     * matter, it is UTF-8. */
    xmlCtxtUseOptions(s->ctxt, XML_PARSE_NONET | XML_PARSE_NOBLANKS | XML_PARSE_NOENT |
                                   XML_PARSE_HUGE | XML_PARSE_IGNORE_ENC);
    xmlSwitchEncoding(s->ctxt, XML_CHAR_ENCODING_UTF8);
    s->doc->dict = s->ctxt->dict;
    xmlDictReference(s->doc->dict);
    *out = s;
    return PV_OK;
}

static int ended(const struct xml_stream *s, struct pv_err *err)
{
    if (s->rc < 0)
        return pv_fail(err, s->rc, "the XML reader has ended already");
    return s->rc;
}

/* Some servers begin with a byte order mark. */
static void skip_mark(struct xml_stream *s, const char **data, size_t *len)
{
    static const char mark[] = "\xef\xbb\xbf";

    for (; *len > 0 && s->bom < 3; (*data)++, (*len)--) {
        if (**data == mark[s->bom]) {
            s->bom++;
        } else {
            if (s->bom > 0)
                stop(s, PV_EIO, "the XML document begins with half a byte order mark");
            s->bom = 3;
            return;
        }
    }
}

int xml_stream_feed(struct xml_stream *s, const char *data, size_t len, struct pv_err *err)
{
    if (s->rc)
        return ended(s, err);
    s->err = err;
    xmlSetStructuredErrorFunc(NULL, on_stray_error);
    if (len > s->limits.max_bytes - s->bytes)
        stop(s, PV_EIO, "an XML answer is larger than %zu bytes", s->limits.max_bytes);
    else
        s->bytes += len;
    skip_mark(s, &data, &len);
    while (len > 0 && !s->rc) {
        size_t n = len < PIECE ? len : PIECE;
        int code = xmlParseChunk(s->ctxt, data, (int)n, 0);

        if (code != XML_ERR_OK && !s->ctxt->wellFormed)
            stop(s, PV_EIO, "malformed XML (libxml2 error %d)", code);
        else if (!s->rc && s->ctxt->input && s->ctxt->input->end - s->ctxt->input->cur > TAG_MOST)
            stop(s, PV_EIO, "an XML tag, comment or CDATA section is longer than %u bytes",
                 TAG_MOST);
        data += n;
        len -= n;
    }
    s->err = NULL;
    return s->rc;
}

int xml_stream_end(struct xml_stream *s, struct pv_err *err)
{
    int code;

    if (s->rc)
        return ended(s, err);
    s->err = err;
    xmlSetStructuredErrorFunc(NULL, on_stray_error);
    code = xmlParseChunk(s->ctxt, NULL, 0, 1);
    if (!s->ctxt->wellFormed)
        stop(s, PV_EIO, "the XML document is cut off or malformed (libxml2 error %d)", code);
    s->err = NULL;
    return s->rc;
}

void xml_stream_free(struct xml_stream *s)
{
    if (!s)
        return;
    if (s->ctxt)
        xmlFreeParserCtxt(s->ctxt);
    xmlFreeDoc(s->doc);
    buf_free(&s->text);
    buf_free(&s->value);
    free(s);
}

int xml_parse(const char *text, size_t len, const struct xml_limits *limits, xmlDocPtr *out,
              struct pv_err *err)
{
    struct xml_stream *s = NULL;
    int rc = xml_stream_new(limits, NULL, NULL, &s, err);

    if (rc == PV_OK)
        rc = xml_stream_feed(s, text, len, err);
    if (rc == PV_OK)
        rc = xml_stream_end(s, err);
    if (rc == PV_OK) {
        *out = s->doc;
        s->doc = NULL;
    }
    xml_stream_free(s);
    return rc;
}
