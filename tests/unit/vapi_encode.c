/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "tests/unit/vapi_order.h"

static char *encoded(struct enc *e)
{
    struct pv_err err = { 0 };
    struct buf out;

    buf_init(&out, 1 << 20);
    cr_assert_eq(enc_write(e, &out, &err), PV_OK, "%s", err.message);
    enc_free(e);
    return buf_take(&out);
}

Test(vapi_encode, writes_fields_in_the_schemas_order_whatever_the_order_they_were_set_in)
{
    struct enc *e = enc_new("CreateSnapshot_Task", "VirtualMachine", "vm-1");
    struct enc_object *o = enc_root(e);
    const char *places[5];
    char *text;

    enc_bool(o, "quiesce", false);
    enc_bool(o, "memory", true);
    enc_text(o, "description", "d");
    enc_text(o, "name", "n");
    text = encoded(e);
    places[0] = strstr(text, "<_this type=\"VirtualMachine\">vm-1</_this>");
    places[1] = strstr(text, "<name>n</name>");
    places[2] = strstr(text, "<description>d</description>");
    places[3] = strstr(text, "<memory>true</memory>");
    places[4] = strstr(text, "<quiesce>false</quiesce>");
    for (size_t i = 0; i < 5; i++) {
        cr_assert_not_null(places[i], "part %zu is missing in %s", i, text);
        cr_assert(i == 0 || places[i - 1] < places[i], "part %zu is out of order", i);
    }
    order_check_envelope(text);
    free(text);
}

Test(vapi_encode, writes_the_base_types_fields_before_its_own)
{
    struct enc *e = enc_new("RetrievePropertiesEx", "PropertyCollector", "pc");
    struct enc_object *spec = enc_child(enc_root(e), "specSet", "PropertyFilterSpec");
    struct enc_object *object = enc_child(spec, "objectSet", "ObjectSpec");
    struct enc_object *step = enc_child(object, "selectSet", "TraversalSpec");
    char *text;

    enc_bool(step, "skip", false);
    enc_text(step, "path", "view");
    enc_text(step, "type", "ContainerView");
    enc_text(step, "name", "view");
    text = encoded(e);
    cr_expect_not_null(strstr(text, "<name>view</name><type>ContainerView</type><path>view</path>"
                                    "<skip>false</skip>"));
    order_check_envelope(text);
    free(text);
}

Test(vapi_encode, names_the_type_where_it_is_not_the_declared_one)
{
    struct enc *e = enc_new("RetrievePropertiesEx", "PropertyCollector", "pc");
    struct enc_object *spec = enc_child(enc_root(e), "specSet", "PropertyFilterSpec");
    char *text;

    enc_child(enc_child(spec, "objectSet", "ObjectSpec"), "selectSet", "TraversalSpec");
    text = encoded(e);
    cr_expect_not_null(strstr(text, "<selectSet xsi:type=\"TraversalSpec\">"));
    cr_expect_not_null(strstr(text, "<objectSet>"));
    cr_expect_null(strstr(text, "<specSet xsi:type"));
    free(text);
}

Test(vapi_encode, repeats_an_element_for_each_value_in_the_order_given)
{
    struct enc *e = enc_new("CreateContainerView", "ViewManager", "ViewManager");
    char *text;

    enc_bool(enc_root(e), "recursive", true);
    enc_text(enc_root(e), "type", "VirtualMachine");
    enc_text(enc_root(e), "type", "HostSystem");
    enc_ref(enc_root(e), "container", "Folder", "group-d1");
    text = encoded(e);
    cr_expect_not_null(strstr(text, "<container type=\"Folder\">group-d1</container>"
                                    "<type>VirtualMachine</type><type>HostSystem</type>"
                                    "<recursive>true</recursive>"));
    free(text);
}

Test(vapi_encode, escapes_what_people_write)
{
    struct enc *e = enc_new("Login", "SessionManager", "SessionManager");
    char *text;

    enc_text(enc_root(e), "userName", "a<b>&\"\r");
    enc_text(enc_root(e), "password", "]]>");
    text = encoded(e);
    cr_expect_not_null(strstr(text, "<userName>a&lt;b&gt;&amp;"));
    cr_expect_not_null(strstr(text, "&#13;"));
    cr_expect_not_null(strstr(text, "<password>]]&gt;</password>"));
    free(text);
}

Test(vapi_encode, refuses_a_field_the_schema_does_not_have)
{
    struct enc *e = enc_new("Login", "SessionManager", "SessionManager");
    struct pv_err err = { 0 };
    struct buf out;

    buf_init(&out, 1 << 20);
    enc_text(enc_root(e), "username", "u");
    cr_expect_eq(enc_write(e, &out, &err), PV_EINTERNAL);
    cr_expect_not_null(strstr(err.message, "Login.username"));
    enc_free(e);
    buf_free(&out);
}

Test(vapi_encode, refuses_a_method_and_a_structure_it_does_not_know)
{
    struct pv_err err = { 0 };
    struct enc *e = enc_new("FormatEverything", "ServiceInstance", "ServiceInstance");
    struct buf out;

    buf_init(&out, 1 << 20);
    cr_expect_eq(enc_write(e, &out, &err), PV_EINTERNAL);
    enc_free(e);
    e = enc_new("WaitForUpdatesEx", "PropertyCollector", "pc");
    enc_int(enc_child(enc_root(e), "options", "WaitingOptions"), "maxWaitSeconds", 1);
    cr_expect_eq(enc_write(e, &out, &err), PV_EINTERNAL);
    enc_free(e);
    buf_free(&out);
}

Test(vapi_encode, has_a_table_without_doubles_and_with_known_bases)
{
    for (const struct enc_type *t = enc_types; t->name; t++) {
        cr_expect_eq(enc_type(t->name), t, "%s stands twice", t->name);
        cr_expect(!t->base || enc_type(t->base), "%s extends an unknown type", t->name);
        for (size_t i = 0; t->fields[i].name; i++)
            for (size_t j = 0; j < i; j++)
                cr_expect_str_neq(t->fields[i].name, t->fields[j].name, "%s", t->name);
    }
}
