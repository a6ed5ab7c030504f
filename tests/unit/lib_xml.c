/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include <libxml/parser.h>

#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#define VIM "urn:vim25"

static const char soap[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    "<e:Envelope xmlns:e=\"urn:env\" xmlns:xsi=\"" XML_NS_XSI "\" xmlns:xsd=\"" XML_NS_XSD "\">\n"
    "  <e:Body><Answer xmlns=\"" VIM "\">\n"
    "    <vm type=\"VirtualMachine\" note='a &gt; b \"&amp;\" > c'>vm-1<!-- no --></vm>\n"
    "    <vm type=\"VirtualMachine\"><name xsi:type=\"xsd:string\">A &amp; B<![CDATA[ "
    "<C>]]></name>\n"
    "      <cpus xsi:type=\"xsd:int\"> 4 </cpus><on>true</on><blank>  </blank><empty a=''/></vm>\n"
    "    <other><vm>inner</vm></other>\n"
    "  </Answer></e:Body>\n"
    "</e:Envelope>\n";

static xmlDocPtr parse(const char *text)
{
    xmlDocPtr doc = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(xml_parse(text, strlen(text), NULL, &doc, &err), PV_OK, "%s", err.message);
    return doc;
}

static xmlNodePtr answer_of(xmlDocPtr doc)
{
    return xml_first(xml_child(xmlDocGetRootElement(doc), "urn:env", "Body"));
}

Test(xml, a_document_can_be_walked_by_namespace_and_name)
{
    xmlDocPtr doc = parse(soap);
    xmlNodePtr answer = answer_of(doc), vm = xml_child(answer, VIM, "vm");
    uint64_t cpus = 0;
    int64_t signed_cpus = 0;
    bool on = false;

    cr_assert(xml_is(answer, VIM, "Answer"));
    cr_assert_not(xml_is(answer, "urn:env", "Answer"));
    cr_assert(xml_is(answer, NULL, "Answer"));
    cr_assert_str_eq(xml_text(vm), "vm-1");
    cr_assert_str_eq(xml_attr(vm, NULL, "type"), "VirtualMachine");
    cr_assert_str_eq(xml_attr(vm, NULL, "note"), "a > b \"&\" > c");
    cr_assert_null(xml_attr(vm, NULL, "none"));
    vm = xml_next_named(vm, VIM, "vm");
    cr_assert_str_eq(xml_child_text(vm, VIM, "name"), "A & B <C>");
    cr_assert_str_eq(xml_xsi_type(xml_child(vm, VIM, "name")), "string");
    cr_assert_null(xml_attr(xml_child(vm, VIM, "name"), NULL, "type"));
    cr_assert(xml_u64(xml_child(vm, VIM, "cpus"), &cpus));
    cr_assert_eq(cpus, 4);
    cr_assert(xml_i64(xml_child(vm, VIM, "cpus"), &signed_cpus));
    cr_assert_eq(signed_cpus, 4);
    cr_assert(xml_bool(xml_child(vm, VIM, "on"), &on));
    cr_assert(on);
    cr_assert_not(xml_bool(xml_child(vm, VIM, "name"), &on));
    cr_assert_not(xml_u64(xml_child(vm, VIM, "on"), &cpus));
    cr_assert_str_eq(xml_child_text(vm, VIM, "blank"), "  ");
    cr_assert_str_eq(xml_child_text(vm, VIM, "empty"), "");
    cr_assert_null(xml_child_text(vm, VIM, "nothing"));
    cr_assert_str_eq(xml_text(vm), "", "text of an element with children");
    cr_assert_null(xml_next_named(vm, VIM, "vm"));
    cr_assert_str_eq(xml_name(xml_next(vm)), "other");
    xmlFreeDoc(doc);
}

Test(xml, nothing_in_is_nothing_out)
{
    uint64_t n = 7;
    bool b = true;

    cr_assert_null(xml_child(NULL, NULL, "x"));
    cr_assert_null(xml_first(NULL));
    cr_assert_null(xml_next(NULL));
    cr_assert_null(xml_next_named(NULL, NULL, "x"));
    cr_assert_null(xml_name(NULL));
    cr_assert_null(xml_text(NULL));
    cr_assert_null(xml_attr(NULL, NULL, "x"));
    cr_assert_null(xml_xsi_type(NULL));
    cr_assert_not(xml_is(NULL, NULL, "x"));
    cr_assert_not(xml_u64(NULL, &n));
    cr_assert_not(xml_bool(NULL, &b));
    cr_assert_eq(n, 7);
}

Test(xml, malformed_documents_are_refused_and_out_stays_alone)
{
    static const char *const bad[] = {
        "",
        " ",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "text",
        "<a b=1/>",
        "<a b='1' b='2'/>",
        "<a>&x;</a>",
        "<p:a/>",
        "<a p:b='1'/>",
        "<a>\x01</a>",
        "<a>\xff</a>",
        "<a><![CDATA[x</a>",
        "<a/>trailing",
        "<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        xmlDocPtr doc = (xmlDocPtr)(void *)&doc;
        struct pv_err err = { 0 };

        cr_assert_eq(xml_parse(bad[i], strlen(bad[i]), NULL, &doc, &err), PV_EIO, "%s", bad[i]);
        cr_assert_eq(doc, (xmlDocPtr)(void *)&doc);
        cr_assert_neq(err.message[0], '\0');
    }
}

Test(xml, doctypes_and_their_entities_are_refused)
{
    static const char *const bad[] = {
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a SYSTEM \"http://127.0.0.1/a.dtd\"><a/>",
        "<!DOCTYPE a [<!ENTITY b \"x\">]><a>&b;</a>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
        "<!DOCTYPE a [<!ENTITY b \"xx\"><!ENTITY c \"&b;&b;\"><!ENTITY d \"&c;&c;\">]><a>&d;</a>",
        "<!DOCTYPE a [<!ATTLIST a b CDATA \"default\">]><a/>",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        xmlDocPtr doc = NULL;
        struct pv_err err = { 0 };

        cr_assert_eq(xml_parse(bad[i], strlen(bad[i]), NULL, &doc, &err), PV_EIO, "%s", bad[i]);
        cr_assert_not_null(strstr(err.message, "DOCTYPE"), "%s", err.message);
    }
}

/* <a><a>...</a></a> */
static char *nested(unsigned depth)
{
    struct buf b;

    buf_init(&b, 1 << 20);
    for (unsigned i = 0; i < depth; i++)
        buf_text(&b, "<a>");
    for (unsigned i = 0; i < depth; i++)
        buf_text(&b, "</a>");
    return buf_take(&b);
}

Test(xml, depth_size_and_number_of_nodes_are_bounded)
{
    struct xml_limits limits = { .max_bytes = 1000, .max_depth = 5, .max_nodes = 10 };
    char *fits = nested(5), *deep = nested(6), *deeper = nested(10000);
    static const char ten[] = "<a><b c='1' d='2'/><b/><b/><b/><b/><b/><b/></a>";
    static const char eleven[] = "<a><b c='1' d='2'/><b/><b/><b/><b/><b/><b/><b/></a>";
    char many[1100];
    xmlDocPtr doc = NULL;

    cr_assert_eq(xml_parse(fits, strlen(fits), &limits, &doc, NULL), PV_OK);
    xmlFreeDoc(doc);
    cr_assert_eq(xml_parse(deep, strlen(deep), &limits, &doc, NULL), PV_EIO);
    cr_assert_eq(xml_parse(deeper, strlen(deeper), NULL, &doc, NULL), PV_EIO);
    cr_assert_eq(xml_parse(ten, strlen(ten), &limits, &doc, NULL), PV_OK);
    xmlFreeDoc(doc);
    cr_assert_eq(xml_parse(eleven, strlen(eleven), &limits, &doc, NULL), PV_EIO);
    memset(many, ' ', sizeof(many));
    memcpy(many, "<a/>", 4);
    cr_assert_eq(xml_parse(many, 1000, &limits, &doc, NULL), PV_OK);
    xmlFreeDoc(doc);
    cr_assert_eq(xml_parse(many, 1001, &limits, &doc, NULL), PV_EIO);
    free(fits);
    free(deep);
    free(deeper);
}

Test(xml, a_tag_without_end_and_a_crowd_of_attributes_are_refused_early)
{
    struct buf b;
    xmlDocPtr doc = NULL;

    buf_init(&b, 1 << 20);
    buf_text(&b, "<a>");
    for (int i = 0; i < 257; i++)
        buf_printf(&b, "%s x%d='1'", i ? "" : "<b", i);
    buf_text(&b, "/></a>");
    cr_assert_eq(xml_parse(b.data, b.len, NULL, &doc, NULL), PV_EIO);
    buf_reset(&b);
    buf_text(&b, "<a><b x='");
    while (b.len < 600000)
        buf_text(&b, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    buf_text(&b, "'/></a>");
    cr_assert_eq(xml_parse(b.data, b.len, NULL, &doc, NULL), PV_EIO);
    buf_free(&b);
}

Test(xml, long_text_is_one_node)
{
    struct buf b;
    xmlDocPtr doc;

    buf_init(&b, 4 << 20);
    buf_text(&b, "<a>");
    for (int i = 0; i < 100000; i++)
        buf_text(&b, "0123456789&lt;");
    buf_text(&b, "</a>");
    doc = parse(b.data);
    cr_assert_eq(strlen(xml_text(xmlDocGetRootElement(doc))), 1100000);
    xmlFreeDoc(doc);
    buf_free(&b);
}

struct seen {
    struct buf text;
    unsigned calls;
    int stop_at; /* number of the call that answers stop_rc */
    int stop_rc;
};

static void describe(struct buf *out, xmlNodePtr node)
{
    buf_printf(out, "<%s|%s", node->ns ? (const char *)node->ns->href : "", xml_name(node));
    for (const xmlAttr *a = node->properties; a; a = a->next)
        buf_printf(out, " %s|%s=%s", a->ns ? (const char *)a->ns->href : "", a->name,
                   a->children ? (const char *)a->children->content : "");
    buf_text(out, ">");
    for (xmlNodePtr child = node->children; child; child = child->next) {
        if (child->type == XML_TEXT_NODE)
            buf_printf(out, "'%s'", child->content);
        else
            describe(out, child);
    }
    buf_text(out, "</>");
}

static int take(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    struct seen *s = ctx;

    (void)err;
    describe(&s->text, element);
    return (int)++s->calls == s->stop_at ? s->stop_rc : 0;
}

static const struct xml_match vms[] = { { VIM, "vm", take }, { "urn:none", "other", take }, { 0 } };

static int stream(const char *text, size_t len, size_t piece, struct seen *s, struct pv_err *err)
{
    struct xml_stream *x = NULL;
    int rc = xml_stream_new(NULL, vms, s, &x, err);

    buf_init(&s->text, 1 << 20);
    for (size_t i = 0; i < len && rc == PV_OK; i += piece)
        rc = xml_stream_feed(x, text + i, len - i < piece ? len - i : piece, err);
    if (rc == PV_OK)
        rc = xml_stream_end(x, err);
    xml_stream_free(x);
    return rc;
}

Test(xml, a_stream_hands_out_each_match_with_its_subtree)
{
    struct seen s = { 0 };
    struct pv_err err = { 0 };

    cr_assert_eq(stream(soap, sizeof(soap) - 1, sizeof(soap), &s, &err), PV_OK, "%s", err.message);
    cr_assert_eq(s.calls, 3);
    cr_assert_str_eq(s.text.data,
                     "<urn:vim25|vm |type=VirtualMachine |note=a > b \"&\" > c>'vm-1'</>"
                     "<urn:vim25|vm |type=VirtualMachine>"
                     "<urn:vim25|name " XML_NS_XSI "|type=xsd:string>'A & B <C>'</>"
                     "<urn:vim25|cpus " XML_NS_XSI "|type=xsd:int>' 4 '</>"
                     "<urn:vim25|on>'true'</><urn:vim25|blank>'  '</><urn:vim25|empty |a=></></>"
                     "<urn:vim25|vm>'inner'</>");
    buf_free(&s.text);
}

Test(xml, it_does_not_matter_where_the_pieces_are_cut)
{
    struct seen whole = { 0 };

    cr_assert_eq(stream(soap, sizeof(soap) - 1, sizeof(soap), &whole, NULL), PV_OK);
    for (size_t piece = 1; piece < 40; piece++) {
        struct seen s = { 0 };

        cr_assert_eq(stream(soap, sizeof(soap) - 1, piece, &s, NULL), PV_OK, "%zu", piece);
        cr_assert_str_eq(s.text.data, whole.text.data, "%zu", piece);
        buf_free(&s.text);
    }
    buf_free(&whole.text);
}

Test(xml, it_is_utf8_with_or_without_a_mark_whatever_the_prolog_claims)
{
    static const char marked[] =
        "\xef\xbb\xbf<?xml version='1.0'?><vm xmlns='urn:vim25'>\xc3\xa4</vm>";
    static const char claims[] =
        "<?xml version='1.0' encoding='ISO-8859-1'?><vm xmlns='urn:vim25'>\xc3\xa4</vm>";
    static const char latin[] = "<?xml version='1.0' encoding='ISO-8859-1'?><vm>\xe4</vm>";
    static const char utf16[] = "\xff\xfe<\0a\0/\0>\0";
    xmlDocPtr doc;

    for (size_t piece = 1; piece < 5; piece++) {
        struct seen s = { 0 };

        cr_assert_eq(stream(marked, sizeof(marked) - 1, piece, &s, NULL), PV_OK, "%zu", piece);
        cr_assert_str_eq(s.text.data, "<urn:vim25|vm>'\xc3\xa4'</>");
        buf_free(&s.text);
        cr_assert_eq(stream(marked + 1, sizeof(marked) - 2, piece, &s, NULL), PV_EIO);
        buf_free(&s.text);
    }
    doc = parse(claims);
    cr_assert_str_eq(xml_text(xmlDocGetRootElement(doc)), "\xc3\xa4");
    xmlFreeDoc(doc);
    cr_assert_eq(xml_parse(latin, sizeof(latin) - 1, NULL, &doc, NULL), PV_EIO);
    cr_assert_eq(xml_parse(utf16, sizeof(utf16) - 1, NULL, &doc, NULL), PV_EIO);
    cr_assert_eq(xml_parse("\xef<a/>", 5, NULL, &doc, NULL), PV_EIO);
    cr_assert_eq(xml_parse("\xef\xbb", 2, NULL, &doc, NULL), PV_EIO);
}

Test(xml, a_match_inside_a_match_belongs_to_the_outer_one)
{
    static const char text[] = "<vm xmlns='urn:vim25'><vm>1</vm><x xmlns=''><vm>2</vm></x></vm>";
    struct seen s = { 0 };

    cr_assert_eq(stream(text, sizeof(text) - 1, 5, &s, NULL), PV_OK);
    cr_assert_eq(s.calls, 1);
    cr_assert_str_eq(s.text.data, "<urn:vim25|vm><urn:vim25|vm>'1'</><|x><|vm>'2'</></></>");
    buf_free(&s.text);
}

Test(xml, a_callback_can_stop_the_stream)
{
    struct seen s = { .stop_at = 2, .stop_rc = PV_ECANCELED };
    struct xml_stream *x = NULL;

    buf_init(&s.text, 1 << 20);
    cr_assert_eq(xml_stream_new(NULL, vms, &s, &x, NULL), PV_OK);
    cr_assert_eq(xml_stream_feed(x, soap, sizeof(soap) - 1, NULL), PV_ECANCELED);
    cr_assert_eq(s.calls, 2);
    cr_assert_eq(xml_stream_feed(x, soap, sizeof(soap) - 1, NULL), PV_ECANCELED);
    cr_assert_eq(xml_stream_end(x, NULL), PV_ECANCELED);
    cr_assert_eq(s.calls, 2);
    xml_stream_free(x);
    buf_free(&s.text);
}

Test(xml, a_cut_off_stream_is_an_error_at_its_end)
{
    struct seen s = { 0 };
    struct pv_err err = { 0 };

    cr_assert_eq(stream(soap, sizeof(soap) - 30, 100, &s, &err), PV_EIO);
    cr_assert_eq(s.calls, 3);
    buf_free(&s.text);
    cr_assert_eq(stream("", 0, 1, &s, &err), PV_EIO);
    buf_free(&s.text);
}

static int count(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    unsigned *calls = ctx;
    uint64_t n = 0;

    (void)err;
    cr_assert(xml_u64(xml_child(element, VIM, "id"), &n));
    cr_assert_eq(n, *calls);
    (*calls)++;
    return 0;
}

Test(xml, a_large_answer_needs_no_more_nodes_than_one_element, .timeout = 60)
{
    static const struct xml_match matches[] = { { VIM, "vm", count }, { 0 } };
    struct xml_limits limits = { .max_nodes = 8 };
    struct xml_stream *x = NULL;
    struct pv_err err = { 0 };
    unsigned calls = 0;

    cr_assert_eq(xml_stream_new(&limits, matches, &calls, &x, &err), PV_OK);
    cr_assert_eq(xml_stream_feed(x, "<a xmlns='urn:vim25'>", 21, &err), PV_OK);
    for (int i = 0; i < 20000; i++) {
        char text[200];
        int n = snprintf(text, sizeof(text),
                         "<vm><id>%d</id><name>vm %d</name><junk a='%d'/></vm>\n<b/>", i, i, i);

        cr_assert_eq(xml_stream_feed(x, text, (size_t)n, &err), PV_OK, "%s", err.message);
    }
    cr_assert_eq(xml_stream_feed(x, "</a>", 4, &err), PV_OK);
    cr_assert_eq(xml_stream_end(x, &err), PV_OK, "%s", err.message);
    cr_assert_eq(calls, 20000);
    xml_stream_free(x);
}

/* libxml2's allocations; the one that brings `until_failure` to 0 fails. */
static unsigned until_failure;

static void *maybe_malloc(size_t size)
{
    return until_failure > 0 && --until_failure == 0 ? NULL : malloc(size);
}

static void *maybe_realloc(void *old, size_t size)
{
    return until_failure > 0 && --until_failure == 0 ? NULL : realloc(old, size);
}

static char *maybe_strdup(const char *text)
{
    return until_failure > 0 && --until_failure == 0 ? NULL : strdup(text);
}

Test(xml, any_allocation_may_fail, .timeout = 60)
{
    unsigned failures = 0;

    cr_assert_eq(xmlMemSetup(free, maybe_malloc, maybe_realloc, maybe_strdup), 0);
    xml_global_init();
    for (unsigned nth = 1; nth < 1000; nth++) {
        xmlDocPtr doc = NULL;
        struct pv_err err = { 0 };
        bool was_reached;
        int rc;

        until_failure = nth;
        rc = xml_parse(soap, sizeof(soap) - 1, NULL, &doc, &err);
        was_reached = until_failure == 0;
        until_failure = 0;
        if (rc == PV_OK) {
            cr_assert_str_eq(xml_child_text(answer_of(doc), VIM, "vm"), "vm-1");
            xmlFreeDoc(doc);
        } else {
            cr_assert(rc == PV_ENOMEM || rc == PV_EIO, "allocation %u: %s", nth, pv_rc_name(rc));
            cr_assert_null(doc);
            failures++;
        }
        if (!was_reached)
            break;
    }
    cr_assert_gt(failures, 50);
    xml_global_cleanup();
}

Test(xml, written_text_reads_back_as_it_was)
{
    static const char text[] =
        "a & b < c > \"d\" 'e' \r\n\t \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 ]]>";
    struct buf b;
    xmlDocPtr doc;

    buf_init(&b, 4096);
    xml_put_element(&b, "none", NULL);
    xml_put_element(&b, "a", text);
    doc = parse(b.data);
    cr_assert_str_eq(xml_text(xmlDocGetRootElement(doc)), text);
    xmlFreeDoc(doc);
    buf_reset(&b);
    xml_put_text(&b, "x\x01y\xffz\xef\xbf\xbf");
    cr_assert_str_eq(b.data, "x\xef\xbf\xbdy\xef\xbf\xbdz\xef\xbf\xbd");
    buf_free(&b);
}
