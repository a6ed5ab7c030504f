/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/fault.h"
#include "drivers/vapi/props.h"
#include "drivers/vapi/session.h"
#include "drivers/vapi/soap.h"

static xmlDocPtr parse(const char *text)
{
    struct pv_err err = { 0 };
    xmlDocPtr doc = NULL;

    cr_assert_eq(xml_parse(text, strlen(text), NULL, &doc, &err), PV_OK, "%s", err.message);
    return doc;
}

/* The same object under the prefixes servers have been seen to use, declared where they declare
 * them. */
static const char object_form[] =
    "<objects xmlns=\"urn:vim25\"><obj type=\"VirtualMachine\">vm-1</obj>"
    "<propSet><name>name</name><val xmlns:%1$s=\"http://www.w3.org/2001/XMLSchema-instance\" "
    "%1$s:type=\"xsd:string\">web</val></propSet>"
    "<propSet><name>resourcePool</name><val "
    "xmlns:%1$s=\"http://www.w3.org/2001/XMLSchema-instance\" type=\"ResourcePool\" "
    "%1$s:type=\"ManagedObjectReference\">resgroup-8</val></propSet>"
    "<propSet><name>datastore</name><val "
    "xmlns:%1$s=\"http://www.w3.org/2001/XMLSchema-instance\" "
    "%1$s:type=\"ArrayOfManagedObjectReference\"><ManagedObjectReference type=\"Datastore\" "
    "%1$s:type=\"ManagedObjectReference\">datastore-1</ManagedObjectReference>"
    "<ManagedObjectReference "
    "type=\"Datastore\">datastore-2</ManagedObjectReference></val></propSet>"
    "<propSet><name>config.hardware</name><val "
    "xmlns:%1$s=\"http://www.w3.org/2001/XMLSchema-instance\" %1$s:type=\"VirtualHardware\">"
    "<device %1$s:type=\"VirtualDisk\"><key>2000</key></device></val></propSet></objects>";

static void check_object(const char *prefix)
{
    struct prop_values v;
    struct moref ref;
    char text[4096];
    xmlDocPtr doc;
    const xmlNode *first;

    snprintf(text, sizeof(text), object_form, prefix);
    doc = parse(text);
    props_read(&props_vm, xmlDocGetRootElement(doc), &v);
    cr_expect_str_eq(value_text(v.val[VM_NAME]), "web", "prefix %s", prefix);
    cr_expect_str_eq(xml_xsi_type(v.val[VM_NAME]), "string", "prefix %s", prefix);
    cr_assert(value_ref(v.val[VM_POOL], &ref), "prefix %s", prefix);
    cr_expect_str_eq(ref.type, "ResourcePool", "the unprefixed type is the object's");
    cr_expect_str_eq(ref.id, "resgroup-8");
    cr_expect_str_eq(xml_xsi_type(v.val[VM_POOL]), "ManagedObjectReference");
    first = xml_first(v.val[VM_DATASTORES]);
    cr_expect_str_eq(value_ref_id(first), "datastore-1");
    cr_expect_str_eq(value_ref_id(xml_next(first)), "datastore-2");
    cr_expect_str_eq(xml_xsi_type(xml_first(v.val[VM_HARDWARE])), "VirtualDisk");
    xmlFreeDoc(doc);
}

Test(vapi_values, reads_the_same_object_under_every_prefix)
{
    check_object("xsi");
    check_object("XMLSchema-instance");
    check_object("_XMLSchema-instance");
    check_object("ns3");
}

Test(vapi_values, takes_a_prefix_that_an_ancestor_declared)
{
    xmlDocPtr doc = parse("<val xmlns:q=\"http://www.w3.org/2001/XMLSchema-instance\" q:type=\"A\">"
                          "<x><y q:type=\"B\" type=\"C\">1</y></x></val>");
    const xmlNode *y = value_at(xmlDocGetRootElement(doc), "x.y");

    cr_expect_str_eq(xml_xsi_type(y), "B");
    cr_expect_str_eq(xml_attr(y, NULL, "type"), "C");
    xmlFreeDoc(doc);
}

Test(vapi_values, tells_absent_from_empty_and_from_zero)
{
    xmlDocPtr doc = parse("<a><b/><c>0</c><d>-1</d><e> 7 </e></a>");
    const xmlNode *a = xmlDocGetRootElement(doc);
    uint64_t n = 99;

    cr_expect_null(value_field(a, "b"));
    cr_expect_null(value_field(a, "z"));
    cr_expect_not(value_field_u64(a, "z", &n));
    cr_expect_not(value_field_u64(a, "d", &n), "-1 means no limit, and no sample");
    cr_expect_eq(n, 99, "a failure must leave the number alone");
    cr_expect(value_field_u64(a, "c", &n) && n == 0);
    cr_expect(value_field_u64(a, "e", &n) && n == 7);
    xmlFreeDoc(doc);
}

Test(vapi_values, skips_properties_it_did_not_ask_for)
{
    xmlDocPtr doc = parse("<objects><propSet><name>newThing</name><val>1</val></propSet><future/>"
                          "<propSet><name>name</name><val>n</val></propSet></objects>");
    struct prop_values v;

    props_read(&props_vm, xmlDocGetRootElement(doc), &v);
    cr_expect_eq(v.nknown, 1);
    cr_expect_str_eq(value_text(v.val[VM_NAME]), "n");
    xmlFreeDoc(doc);
}

Test(vapi_values, knows_a_property_that_was_changed_to_nothing)
{
    xmlDocPtr doc = parse("<objectSet><changeSet><name>snapshot</name><op>assign</op></changeSet>"
                          "</objectSet>");
    struct prop_values v;

    props_read(&props_vm_watched, xmlDocGetRootElement(doc), &v);
    cr_expect(v.known[WVM_SNAPSHOT]);
    cr_expect_null(v.val[WVM_SNAPSHOT]);
    xmlFreeDoc(doc);
}

Test(vapi_values, sees_in_a_missing_set_that_the_login_is_over)
{
    xmlDocPtr doc =
        parse("<objects xmlns:i=\"http://www.w3.org/2001/XMLSchema-instance\"><missingSet>"
              "<path>name</path><fault><fault i:type=\"NotAuthenticated\"/></fault></missingSet>"
              "<missingSet><path>config</path><fault><fault i:type=\"NoPermission\"/></fault>"
              "</missingSet></objects>");
    struct prop_values v;

    props_read(&props_vm, xmlDocGetRootElement(doc), &v);
    cr_expect(v.signed_out);
    cr_expect(v.forbidden);
    xmlFreeDoc(doc);
}

Test(vapi_values, shows_names_as_people_wrote_them)
{
    char out[64];

    cr_expect_str_eq(value_name("a%2fb%5cc%25d", out, sizeof(out)), "a/b\\c%d");
    cr_expect_str_eq(value_name("%2F%", out, sizeof(out)), "/%");
    cr_expect_str_eq(value_name("100%25252f", out, sizeof(out)), "100%252f", "only once");
    cr_expect_null(value_name(NULL, out, sizeof(out)));
    cr_expect_str_eq(value_name("abcdef", out, 4), "abc");
}

Test(vapi_values, compares_versions_by_their_numbers)
{
    cr_expect_lt(session_version_cmp("6.7.3", "8.0.3.0"), 0);
    cr_expect_gt(session_version_cmp("10.0", "9.1.0.0"), 0);
    cr_expect_eq(session_version_cmp("7.0", "7.0.0.0"), 0);
    cr_expect_lt(session_version_cmp("7.0.1.0", "7.0.2"), 0);
}

static void read_envelope(const char *body, struct soap_answer *out)
{
    char text[4096];
    struct pv_err err = { 0 };

    snprintf(
        text, sizeof(text),
        "<?xml version=\"1.0\"?><e:Envelope "
        "xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body>%s</e:Body></e:Envelope>",
        body);
    memset(out, 0, sizeof(*out));
    cr_assert_eq(soap_read(text, strlen(text), out, &err), PV_OK, "%s", err.message);
}

Test(vapi_values, reads_a_faults_type_and_fields)
{
    struct soap_answer a;
    struct pv_err err = { 0 };

    read_envelope("<e:Fault><faultcode>ServerFaultCode</faultcode><faultstring>no</faultstring>"
                  "<detail><NoPermissionFault xmlns=\"urn:vim25\" "
                  "xmlns:q=\"http://www.w3.org/2001/XMLSchema-instance\" q:type=\"NoPermission\">"
                  "<object type=\"VirtualMachine\">vm-1</object>"
                  "<privilegeId>VirtualMachine.Interact.PowerOn</privilegeId></NoPermissionFault>"
                  "</detail></e:Fault>",
                  &a);
    cr_expect_str_eq(a.fault.type, "NoPermission");
    cr_expect_eq(fault_fail(&a.fault, "starting web", &err), PV_EPERM);
    cr_expect_str_eq(err.native_code, "NoPermission");
    cr_expect_str_eq(err.needs, "VirtualMachine.Interact.PowerOn");
    cr_expect_not_null(strstr(err.message, "starting web"));
    soap_answer_free(&a);
}

Test(vapi_values, falls_back_to_the_name_of_the_faults_element)
{
    struct soap_answer a;

    read_envelope("<e:Fault><faultstring>x</faultstring><detail>"
                  "<ManagedObjectNotFoundFault xmlns=\"urn:vim25\"><obj type=\"Task\">task-1</obj>"
                  "</ManagedObjectNotFoundFault></detail></e:Fault>",
                  &a);
    cr_expect_str_eq(a.fault.type, "ManagedObjectNotFound");
    cr_expect_str_eq(a.fault.object, "task-1");
    soap_answer_free(&a);
    read_envelope("<e:Fault><faultstring>x</faultstring></e:Fault>", &a);
    cr_expect_str_eq(a.fault.type, "Fault");
    soap_answer_free(&a);
}

Test(vapi_values, keeps_the_state_a_vm_was_in_and_drops_the_simulators_words)
{
    xmlDocPtr doc = parse("<error xmlns:x=\"http://www.w3.org/2001/XMLSchema-instance\"><fault "
                          "x:type=\"InvalidPowerState\"><requestedState>poweredOn</requestedState>"
                          "<existingState>poweredOn</existingState></fault>"
                          "<localizedMessage>*types.InvalidPowerState</localizedMessage></error>");
    struct pv_err err = { 0 };
    struct fault f;

    fault_read_localized(xmlDocGetRootElement(doc), &f);
    cr_expect_str_eq(f.existing, "poweredOn");
    cr_expect_eq(fault_fail(&f, "starting web", &err), PV_ESTATE);
    cr_expect_null(strstr(err.message, "*types"));
    xmlFreeDoc(doc);
}

Test(vapi_values, knows_what_each_fault_means)
{
    static const struct {
        const char *type;
        int rc;
    } cases[] = {
        { "InvalidLogin", PV_EAUTH },           { "NoPermission", PV_EPERM },
        { "ManagedObjectNotFound", PV_ENOENT }, { "InvalidPowerState", PV_ESTATE },
        { "ToolsUnavailable", PV_ESTATE },      { "DuplicateName", PV_EEXIST },
        { "TaskInProgress", PV_EBUSY },         { "InvalidProperty", PV_EINVAL },
        { "RestrictedVersion", PV_ENOTSUP },    { "MethodNotFound", PV_ENOTSUP },
        { "NoDiskSpace", PV_ENOSPC },           { "InsufficientResourcesFault", PV_ENOSPC },
        { "HostNotConnected", PV_EIO },         { "SomethingOfNextYear", PV_EIO },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(fault_rc(cases[i].type), cases[i].rc, "%s", cases[i].type);
}

Test(vapi_values, refuses_an_answer_that_is_no_envelope)
{
    struct soap_answer a = { 0 };
    struct pv_err err = { 0 };

    cr_expect_eq(soap_read("<html/>", 7, &a, &err), PV_EIO);
    cr_expect_str_eq(err.problem, "provider-not-recognized");
    soap_answer_free(&a);
}

Test(vapi_values, answers_no_value_for_a_method_without_result)
{
    struct soap_answer a;

    read_envelope("<WaitForUpdatesExResponse xmlns=\"urn:vim25\"></WaitForUpdatesExResponse>", &a);
    cr_expect_null(soap_returnval(&a));
    soap_answer_free(&a);
}
