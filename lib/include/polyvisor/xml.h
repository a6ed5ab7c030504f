/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xml - namespace-aware XML, in and out, on libxml2.
 *
 * Reading: UTF-8 only, XML_PARSE_NONET | XML_PARSE_NOBLANKS, DTDs refused, no
 * entities beyond the five, no network; bounded depth, size and number of nodes. Two
 * ways: a whole small document (xml_parse: SOAP faults, single answers), and
 * a pull reader that hands out one subtree at a time for big answers (10,000
 * VMs are 10-60 MB).
 *
 * Names are compared as (namespace URI, local name); a NULL namespace
 * argument means "any". Threads: each object belongs to one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxml/tree.h>

#include <polyvisor/buf.h>

struct pv_err;

#define XML_NS_XSI "http://www.w3.org/2001/XMLSchema-instance"
#define XML_NS_XSD "http://www.w3.org/2001/XMLSchema"

struct xml_limits {
    size_t max_bytes;       /* 0: 64 MiB */
    unsigned max_depth;     /* 0: 64 */
    unsigned max_nodes;     /* elements and attributes kept at once (a stream: of one subtree); 0: 4,000,000 */
};

/* *out is owned (xmlFreeDoc). PV_EIO for anything malformed or over a limit. */
int xml_parse(const char *text, size_t len, const struct xml_limits *limits, xmlDocPtr *out,
              struct pv_err *err);

/* First element child with that name; NULL in, NULL out. */
xmlNodePtr xml_child(const xmlNode *parent, const char *ns, const char *name);
xmlNodePtr xml_first(const xmlNode *parent);            /* first element child */
xmlNodePtr xml_next(const xmlNode *node);               /* next element sibling, any name */
xmlNodePtr xml_next_named(const xmlNode *node, const char *ns, const char *name);
bool xml_is(const xmlNode *node, const char *ns, const char *name);
const char *xml_name(const xmlNode *node);              /* local name */
/* Text of a node without child elements, borrowed until the document is freed; "" if empty, NULL for NULL. */
const char *xml_text(const xmlNode *node);
const char *xml_child_text(const xmlNode *parent, const char *ns, const char *name);
bool xml_u64(const xmlNode *node, uint64_t *out);       /* whole text is a number */
bool xml_i64(const xmlNode *node, int64_t *out);
bool xml_bool(const xmlNode *node, bool *out);          /* true false 1 0 */
/* Attribute of that namespace (NULL: unprefixed only), borrowed; NULL if absent. */
const char *xml_attr(const xmlNode *node, const char *ns, const char *name);
/* Local part of the QName in xsi:type ("xsd:string" -> "string"), whatever the prefix; NULL if absent. */
const char *xml_xsi_type(const xmlNode *node);

/* Pull reader: calls `on_element` for each element that matches (ns, name) anywhere, with its whole subtree
 * expanded and valid during the call; nested matches inside it are not reported again. Nonzero stops. Feed in
 * pieces, end with xml_stream_end. */
struct xml_stream;
typedef int (*xml_element_fn)(void *ctx, xmlNodePtr element, struct pv_err *err);
struct xml_match {
    const char *ns, *name;
    xml_element_fn fn;
};
/* `matches` is ended by name == NULL and must outlive the stream. */
int xml_stream_new(const struct xml_limits *limits, const struct xml_match *matches, void *ctx,
                   struct xml_stream **out, struct pv_err *err);
int xml_stream_feed(struct xml_stream *s, const char *data, size_t len, struct pv_err *err);
int xml_stream_end(struct xml_stream *s, struct pv_err *err);
void xml_stream_free(struct xml_stream *s);

/* Writing: text appended to a buffer, escaped (& < > " and CR). */
void xml_put_text(struct buf *out, const char *text);
void xml_put_element(struct buf *out, const char *name, const char *text);  /* <name>text</name>; NULL text: nothing */
/* Once per program, before threads, and at its end. */
void xml_global_init(void);
void xml_global_cleanup(void);
