/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as XML, read whole and in pieces: no crash, limits hold, and both ways agree on what is
 * well-formed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/xml.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tally {
    unsigned matches, stop_at;
};

/* Everything a reader may ask of a node. */
static void look(xmlNodePtr node, unsigned depth)
{
    uint64_t u;
    int64_t i;
    bool b;

    if (depth > 16)
        abort();
    if (!xml_text(node) || !xml_name(node))
        abort();
    (void)xml_u64(node, &u);
    (void)xml_i64(node, &i);
    (void)xml_bool(node, &b);
    (void)xml_xsi_type(node);
    (void)xml_attr(node, NULL, "a");
    for (xmlNodePtr child = xml_first(node); child; child = xml_next(child))
        look(child, depth + 1);
}

static int on_element(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    struct tally *t = ctx;

    look(element, 1);
    if (++t->matches == t->stop_at)
        return pv_fail(err, PV_ECANCELED, "enough");
    return 0;
}

static const struct xml_match matches[] = { { "u", "a", on_element },
                                            { NULL, "b", on_element },
                                            { 0 } };

static int read_in_pieces(const struct xml_limits *limits, const char *text, size_t len,
                          size_t piece, struct tally *t)
{
    struct xml_stream *s = NULL;
    struct pv_err err;
    int rc = xml_stream_new(limits, matches, t, &s, &err);

    for (size_t i = 0; i < len && rc == PV_OK; i += piece)
        rc = xml_stream_feed(s, text + i, len - i < piece ? len - i : piece, &err);
    if (rc == PV_OK)
        rc = xml_stream_end(s, &err);
    xml_stream_free(s);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct xml_limits limits = { .max_bytes = 1 << 20, .max_depth = 16, .max_nodes = 1000 };
    struct tally once = { 0 }, pieces = { 0 };
    const char *text = (const char *)data + 2;
    xmlDocPtr doc = NULL;
    int rc_once, rc_pieces;

    if (size < 2)
        return 0;
    size -= 2;
    if (xml_parse(text, size, &limits, &doc, NULL) == PV_OK) {
        look(xmlDocGetRootElement(doc), 1);
        xmlFreeDoc(doc);
        if (read_in_pieces(&limits, text, size, size ? size : 1, &once) != PV_OK)
            abort();
    }
    pieces.stop_at = data[1];
    rc_once = read_in_pieces(&limits, text, size, size ? size : 1, &once);
    rc_pieces = read_in_pieces(&limits, text, size, 1u + data[0], &pieces);
    if (!pieces.stop_at && (rc_once == PV_OK) != (rc_pieces == PV_OK))
        abort();
    return 0;
}
