/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of WMI: values, texts, references, times. */
#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/cim.h"
#include "drivers/wmi/cim_inner.h"

static struct arena *arena;

static void set_up(void)
{
    xml_global_init();
    arena = arena_new(65536, 16u << 20);
}

static void tear_down(void)
{
    arena_free(arena);
    xml_global_cleanup();
}

TestSuite(wmi_cim, .init = set_up, .fini = tear_down);

static void expect_xml(const struct cim_instance *o, const char *expected)
{
    struct pv_err err = { 0 };
    struct buf text;

    buf_init(&text, 65536);
    cr_assert_eq(cim_put_xml(&text, o, &err), PV_OK, "%s", err.message);
    cr_expect_str_eq(text.data, expected);
    buf_free(&text);
}

Test(wmi_cim, every_class_method_and_property_of_the_tables_is_found_by_its_name)
{
    unsigned props = 0;

    for (unsigned ns = 0; ns < CIM_NS_COUNT; ns++) {
        for (unsigned i = cim_ranges[ns].first; i < cim_ranges[ns].end; i++) {
            const struct cim_class *cls = &cim_classes[i];

            if (!cls->method)
                cr_assert_eq(cim_class_find((enum cim_ns)ns, cls->name), cls, "%s", cls->name);
            for (unsigned p = 0; p < cls->nprops; p++, props++) {
                cr_assert_eq(cim_prop_find(cls, cls->props[p].name), &cls->props[p], "%s.%s",
                             cls->name, cls->props[p].name);
                cr_assert_eq(cls->props[p].cls, cls);
                cr_assert_eq(cls->props[p].slot, p);
            }
            for (const char *const *name = cls->order; *name; name++)
                cr_assert(cim_prop_find(cls, *name) && cim_prop_find(cls, *name)->in, "%s.%s",
                          cls->name, *name);
        }
    }
    cr_expect_gt(props, 4000u);
    cr_expect_null(cim_class_find(CIM_NS_CIMV2, "Msvm_ComputerSystem"));
    cr_expect_eq(cim_class_find(CIM_NS_VIRTUALIZATION, "MSVM_computersystem"),
                 CIM(Msvm_ComputerSystem));
}

Test(wmi_cim, writes_only_what_was_set_with_the_types_of_the_schema)
{
    struct cim_instance *o = cim_new(arena, CIM(Msvm_MemorySettingData));

    cim_set_str(o, P(Msvm_MemorySettingData, InstanceID), "Microsoft:A\\B");
    cim_set_uint(o, P(Msvm_MemorySettingData, VirtualQuantity), 4096);
    cim_set_bool(o, P(Msvm_MemorySettingData, DynamicMemoryEnabled), false);
    cim_add_str(o, P(Msvm_MemorySettingData, HostResource), "a & b ]]> <c>");
    cim_add_str(o, P(Msvm_MemorySettingData, HostResource), NULL);
    expect_xml(
        o,
        "<INSTANCE CLASSNAME=\"Msvm_MemorySettingData\">"
        "<PROPERTY NAME=\"DynamicMemoryEnabled\" TYPE=\"boolean\"><VALUE>false</VALUE></PROPERTY>"
        "<PROPERTY.ARRAY NAME=\"HostResource\" TYPE=\"string\"><VALUE.ARRAY>"
        "<VALUE>a &amp; b ]]&gt; &lt;c&gt;</VALUE><VALUE.NULL/></VALUE.ARRAY></PROPERTY.ARRAY>"
        "<PROPERTY NAME=\"InstanceID\" TYPE=\"string\"><VALUE>Microsoft:A\\B</VALUE></PROPERTY>"
        "<PROPERTY NAME=\"VirtualQuantity\" TYPE=\"uint64\"><VALUE>4096</VALUE></PROPERTY>"
        "</INSTANCE>");
}

Test(wmi_cim, null_and_empty_arrays_are_told_apart_from_unset)
{
    struct cim_instance *o = cim_new(arena, CIM(Msvm_VirtualSystemSettingData));

    cim_set_empty(o, P(Msvm_VirtualSystemSettingData, Notes));
    cim_set_null(o, P(Msvm_VirtualSystemSettingData, ElementName));
    cim_set_interval(o, P(Msvm_VirtualSystemSettingData, AutomaticStartupActionDelay), 30 * 60000);
    expect_xml(o, "<INSTANCE CLASSNAME=\"Msvm_VirtualSystemSettingData\">"
                  "<PROPERTY NAME=\"AutomaticStartupActionDelay\" TYPE=\"datetime\">"
                  "<VALUE>00000000003000.000000:000</VALUE></PROPERTY>"
                  "<PROPERTY NAME=\"ElementName\" TYPE=\"string\"></PROPERTY>"
                  "<PROPERTY.ARRAY NAME=\"Notes\" TYPE=\"string\"><VALUE.ARRAY></VALUE.ARRAY>"
                  "</PROPERTY.ARRAY></INSTANCE>");
    cr_expect_not(cim_has(o, P(Msvm_VirtualSystemSettingData, Notes)));
    cr_expect(cim_known(o, P(Msvm_VirtualSystemSettingData, Notes)));
    cr_expect_not(cim_known(o, P(Msvm_VirtualSystemSettingData, InstanceID)));
}

Test(wmi_cim, what_does_not_fit_marks_the_object_and_is_never_sent)
{
    struct cim_instance *narrow = cim_new(arena, CIM(Msvm_ComputerSystem));
    struct cim_instance *foreign = cim_new(arena, CIM(Msvm_MemorySettingData));
    struct pv_err err = { 0 };
    struct buf text;

    buf_init(&text, 4096);
    cim_set_uint(narrow, P(Msvm_ComputerSystem, EnabledState), 65536);
    cr_expect_eq(cim_put_xml(&text, narrow, &err), PV_EINTERNAL);
    cim_set_str(foreign, P(Msvm_SummaryInformation, GuestOperatingSystem), "x");
    cr_expect_eq(cim_put_xml(&text, foreign, &err), PV_EINTERNAL);
    cim_set_str(NULL, P(Msvm_ComputerSystem, Name), "no memory");
    buf_free(&text);
}

Test(wmi_cim, reads_cim_xml_as_windows_writes_it)
{
    static const char text[] =
        "<INSTANCE CLASSNAME=\"Msvm_KvpExchangeDataItem\"><QUALIFIER NAME=\"dynamic\" "
        "TYPE=\"boolean\">"
        "<VALUE>TRUE</VALUE></QUALIFIER><PROPERTY NAME=\"Caption\" PROPAGATED=\"true\" "
        "TYPE=\"string\">"
        "</PROPERTY><PROPERTY NAME=\"Data\" "
        "TYPE=\"string\"><VALUE>a&#1;b\x01&amp;\xff</VALUE></PROPERTY>"
        "<PROPERTY NAME=\"Name\" TYPE=\"string\"><VALUE>OSName</VALUE></PROPERTY>"
        "<PROPERTY NAME=\"Source\" TYPE=\"uint16\"><VALUE>2</VALUE></PROPERTY></INSTANCE>";
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(cim_parse_xml(arena, text, CIM_NS_VIRTUALIZATION, &o, &err), PV_OK, "%s",
                 err.message);
    cr_expect_str_eq(cim_str(o, P(Msvm_KvpExchangeDataItem, Name)), "OSName");
    cr_expect_str_eq(cim_str(o, P(Msvm_KvpExchangeDataItem, Data)), "a\xef\xbf\xbd"
                                                                    "b?&?");
    cr_expect_not(cim_has(o, P(Msvm_KvpExchangeDataItem, Caption)));
    cr_expect(cim_known(o, P(Msvm_KvpExchangeDataItem, Caption)));
    cr_expect_eq(cim_uint(o, P(Msvm_KvpExchangeDataItem, Source)), 2u);
    cr_expect_eq(cim_parse_xml(arena, "<!DOCTYPE x><INSTANCE CLASSNAME=\"x\"/>",
                               CIM_NS_VIRTUALIZATION, &o, &err),
                 PV_EIO);
    cr_expect_eq(cim_parse_xml(arena, "no xml", CIM_NS_VIRTUALIZATION, &o, &err), PV_EIO);
}

Test(wmi_cim, what_was_written_reads_back_the_same)
{
    struct cim_instance *o = cim_new(arena, CIM(Msvm_VirtualSystemSettingData)), *back = NULL;
    struct pv_err err = { 0 };
    struct buf text;

    cim_set_str(o, P(Msvm_VirtualSystemSettingData, ElementName), "\xc3\xa4 <&>\"'\r\n\t");
    cim_add_uint(o, P(Msvm_VirtualSystemSettingData, BootOrder), 2);
    cim_add_uint(o, P(Msvm_VirtualSystemSettingData, BootOrder), 0);
    buf_init(&text, 65536);
    cr_assert_eq(cim_put_xml(&text, o, &err), PV_OK);
    cr_assert_eq(cim_parse_xml(arena, text.data, CIM_NS_VIRTUALIZATION, &back, &err), PV_OK, "%s",
                 err.message);
    buf_free(&text);
    cr_expect_str_eq(cim_str(back, P(Msvm_VirtualSystemSettingData, ElementName)),
                     "\xc3\xa4 <&>\"'\r\n\t");
    cr_expect_eq(cim_count(back, P(Msvm_VirtualSystemSettingData, BootOrder)), 2u);
}

static struct cim_instance *read_text(const char *text, const struct cim_class *cls)
{
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };
    xmlDocPtr doc = NULL;

    cr_assert_eq(xml_parse(text, strlen(text), NULL, &doc, &err), PV_OK, "%s", err.message);
    cr_assert_eq(cim_read(arena, xmlDocGetRootElement(doc), cls, CIM_NS_VIRTUALIZATION, &o, &err),
                 PV_OK, "%s", err.message);
    xmlFreeDoc(doc);
    return o;
}

#define XSI "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
#define V2 "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/"

Test(wmi_cim, reads_elements_whatever_their_prefixes)
{
    struct cim_instance *o = read_text(
        "<zz:Msvm_ComputerSystem " XSI "xmlns:zz=\"" V2 "Msvm_ComputerSystem\" "
        "xsi:type=\"zz:Msvm_PlannedComputerSystem_Type\" "
        "xmlns:c=\"http://schemas.dmtf.org/wbem/wscim/1/common\"><zz:Caption xsi:nil=\"true\"/>"
        "<zz:EnabledState> 2 </zz:EnabledState><zz:Name>G</zz:Name>"
        "<zz:OperationalStatus>2</zz:OperationalStatus><zz:OperationalStatus>32772</"
        "zz:OperationalStatus>"
        "<zz:InstallDate><c:Datetime>2026-11-21T10:15:30.5+01:00</c:Datetime></zz:InstallDate>"
        "<zz:NumaNodesOfTomorrow>9</zz:NumaNodesOfTomorrow></zz:Msvm_ComputerSystem>",
        CIM(Msvm_ComputerSystem));
    uint64_t status = 0;
    int64_t ms = 0;

    cr_expect_eq(o->cls, CIM(Msvm_PlannedComputerSystem), "xsi:type says the real class");
    cr_expect_eq(cim_uint(o, P(Msvm_ComputerSystem, EnabledState)), 2u,
                 "a subclass answers for its superclass's properties");
    cr_expect_null(cim_str(o, P(Msvm_ComputerSystem, Caption)));
    cr_expect_eq(cim_count(o, P(Msvm_ComputerSystem, OperationalStatus)), 2u);
    cr_expect(cim_uint_at(o, P(Msvm_ComputerSystem, OperationalStatus), 1, &status) &&
              status == 32772);
    cr_expect(cim_get_time(o, P(Msvm_ComputerSystem, InstallDate), &ms));
    cr_expect_eq(ms, 1795252530500);
}

Test(wmi_cim, numbers_that_do_not_fit_their_type_count_as_absent)
{
    struct cim_instance *o = read_text(
        "<p:Msvm_ComputerSystem xmlns:p=\"" V2 "Msvm_ComputerSystem\"><p:EnabledState>70000"
        "</p:EnabledState><p:OnTimeInMilliseconds>-1</p:OnTimeInMilliseconds>"
        "<p:Name/></p:Msvm_ComputerSystem>",
        CIM(Msvm_ComputerSystem));
    uint64_t value = 7;

    cr_expect_not(cim_get_uint(o, P(Msvm_ComputerSystem, EnabledState), &value));
    cr_expect_eq(value, 7u);
    cr_expect_not(cim_get_uint(o, P(Msvm_ComputerSystem, OnTimeInMilliseconds), &value));
    cr_expect_str_eq(cim_str(o, P(Msvm_ComputerSystem, Name)), "");
}

Test(wmi_cim, octets_come_as_elements_or_as_base64)
{
    static const uint8_t expected[] = { 0, 1, 255 };
    const struct cim_class *m =
        M(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage);
    size_t len = 0;
    struct cim_instance *o =
        read_text("<p:GetVirtualSystemThumbnailImage_OUTPUT xmlns:p=\"" V2
                  "Msvm_VirtualSystemManagementService\"><p:ImageData>0</"
                  "p:ImageData><p:ImageData>1</p:ImageData>"
                  "<p:ImageData>255</p:ImageData><p:ReturnValue>0</p:ReturnValue>"
                  "</p:GetVirtualSystemThumbnailImage_OUTPUT>",
                  m);
    const uint8_t *data = cim_octets(
        o, A(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage, ImageData), &len,
        arena);
    uint32_t value = 9;

    cr_assert(data && len == 3);
    cr_expect_arr_eq(data, expected, 3);
    cr_expect(cim_return_value(o, &value) && value == 0);
    o = read_text("<p:GetVirtualSystemThumbnailImage_OUTPUT xmlns:p=\"" V2
                  "Msvm_VirtualSystemManagementService\"><p:ImageData>AAH/</p:ImageData>"
                  "</p:GetVirtualSystemThumbnailImage_OUTPUT>",
                  m);
    data = cim_octets(
        o, A(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage, ImageData), &len,
        arena);
    cr_assert(data && len == 3);
    cr_expect_arr_eq(data, expected, 3);
    cr_expect_not(cim_return_value(o, &value));
}

Test(wmi_cim, references_are_paths_and_end_points_alike)
{
    struct cim_ref *r = cim_ref_new(arena, CIM(Msvm_ResourceAllocationSettingData));
    const struct cim_ref *back, *epr;
    struct cim_instance *o;
    const char *path;

    cim_ref_add(r, P(Msvm_ResourceAllocationSettingData, InstanceID), "Microsoft:A\\B\"C");
    path = cim_ref_path(arena, r, "HV1");
    cr_expect_str_eq(path, "\\\\HV1\\root\\virtualization\\v2:Msvm_ResourceAllocationSettingData."
                           "InstanceID=\"Microsoft:A\\\\B\\\"C\"");
    back = cim_ref_parse(arena, path, CIM_NS_VIRTUALIZATION);
    cr_assert_not_null(back);
    cr_expect_str_eq(back->host, "HV1");
    cr_expect_str_eq(back->ns, "root/virtualization/v2");
    cr_expect_str_eq(cim_ref_key(back, "instanceid"), "Microsoft:A\\B\"C");
    cr_expect(cim_ref_same(r, back));
    o = read_text(
        "<p:Msvm_SettingsDefineState xmlns:p=\"" V2 "Msvm_SettingsDefineState\" "
        "xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" "
        "xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\"><p:SettingData>"
        "<a:Address>x</a:Address><a:ReferenceParameters><w:ResourceURI>" V2
        "Msvm_ResourceAllocationSettingData</w:ResourceURI><w:SelectorSet>"
        "<w:Selector Name=\"InstanceID\">microsoft:a\\b\"c</w:Selector>"
        "<w:Selector Name=\"__cimnamespace\">root/virtualization/v2</w:Selector>"
        "</w:SelectorSet></a:ReferenceParameters></p:SettingData></p:Msvm_SettingsDefineState>",
        CIM(Msvm_SettingsDefineState));
    epr = cim_get_ref(o, P(Msvm_SettingsDefineState, SettingData));
    cr_assert_not_null(epr);
    cr_expect(cim_ref_same(epr, r), "names without regard to case, __cimnamespace without meaning");
}

Test(wmi_cim, paths_come_in_many_forms_and_some_are_none)
{
    static const char *const good[] = {
        "Msvm_ComputerSystem.CreationClassName='Msvm_ComputerSystem',Name='G'",
        "root\\virtualization\\v2:Msvm_ComputerSystem.CreationClassName=\"Msvm_ComputerSystem\","
        "Name=\"G\"",
        "//./root/virtualization/"
        "v2:Msvm_ComputerSystem.Name=\"G\",CreationClassName=\"msvm_computersystem\"",
    };
    static const char *const bad[] = { "",          "x.",       "x.y",        "x.y=",
                                       "x.y=\"z",   "a b.c=d",  "x.y=\"z\"q", ":x.y=\"\\",
                                       "\\\\h\\n:", "x.y=1,Y=2" };
    struct cim_ref *r = cim_ref_new(arena, CIM(Msvm_ComputerSystem));
    const struct cim_ref *nested;

    cim_ref_add(r, P(Msvm_ComputerSystem, CreationClassName), "Msvm_ComputerSystem");
    cim_ref_add(r, P(Msvm_ComputerSystem, Name), "G");
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(cim_ref_same(cim_ref_parse(arena, good[i], CIM_NS_VIRTUALIZATION), r), "%s",
                  good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_null(cim_ref_parse(arena, bad[i], CIM_NS_VIRTUALIZATION), "%s", bad[i]);
    nested =
        cim_ref_parse(arena,
                      "\\\\H\\root\\virtualization\\v2:Msvm_SettingsDefineState.ManagedElement="
                      "\"\\\\\\\\H\\\\root\\\\virtualization\\\\v2:Msvm_ComputerSystem."
                      "CreationClassName=\\\"Msvm_ComputerSystem\\\",Name=\\\"G\\\"\"",
                      CIM_NS_VIRTUALIZATION);
    cr_assert(nested && nested->nkeys == 1);
    cr_expect(cim_ref_same(nested->keys[0].ref, r));
}

Test(wmi_cim, times_are_read_in_every_form)
{
    static const struct {
        const char *text;
        int64_t ms;
    } times[] = {
        { "2026-11-21T10:15:30Z", 1795256130000 },
        { "2026-11-21T11:15:30.250+01:00", 1795256130250 },
        { "2026-11-21T10:15:30", 1795256130000 },
        { "20261121101530.250000+000", 1795256130250 },
        { "20261121111530.000000+060", 1795256130000 },
        { "20261121051530.000000-300", 1795256130000 },
        { "20261121******.******+000", 1795219200000 },
    };
    static const struct {
        const char *text;
        int64_t ms;
    } spans[] = {
        { "P0DT0H30M0S", 1800000 },   { "00000000003000.000000:000", 1800000 },
        { "P1DT2H3M4.5S", 93784500 }, { "00000001020304.500000:000", 93784500 },
        { "PT60.000S", 60000 },       { "P2W", 1209600000 },
    };
    static const char *const bad[] = {
        "",
        "x",
        "00000000000000.000000+000",
        "20261321101530.000000+000",
        "2026-11-21",
        "20261121101530.000000*000",
        "P",
        "PT",
        "P1Y",
        "PT1X",
        "PT99999999999999H",
        "00000000006000.000000:000",
        "2026112110153.0000000+000",
    };
    int64_t ms;
    char text[26];

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ms = -1;
        cr_expect(cim_time_parse(times[i].text, &ms) && ms == times[i].ms, "%s: %lld",
                  times[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        ms = -1;
        cr_expect(cim_interval_parse(spans[i].text, &ms) && ms == spans[i].ms, "%s: %lld",
                  spans[i].text, (long long)ms);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_not(cim_interval_parse(bad[i], &ms), "%s", bad[i]);
    cr_expect_not(cim_time_parse("00000000000000.000000+000", &ms));
    cim_time_print(1795256130250, text);
    cr_expect_str_eq(text, "20261121101530.250000+000");
    cim_interval_print(93784500, text);
    cr_expect_str_eq(text, "00000001020304.500000:000");
}

Test(wmi_cim, cleaning_leaves_good_text_alone)
{
    char good[] = "<a>\t\r\n&#10;&#x9;&#65;&lt;\xc3\xa4\xf0\x9f\x98\x80</a>";
    char bad[] = "<a>&#0;|&#x1F;|&#xD800;|&#99999999999;|\xed\xa0\x80|\xef\xbf\xbf|\x0b|&#;</a>";
    size_t len = cim_clean(good, sizeof(good) - 1);

    cr_expect_eq(len, sizeof(good) - 1);
    cr_expect_str_eq(good, "<a>\t\r\n&#10;&#x9;&#65;&lt;\xc3\xa4\xf0\x9f\x98\x80</a>");
    len = cim_clean(bad, sizeof(bad) - 1);
    bad[len] = '\0';
    cr_expect_str_eq(bad, "<a>\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd|???|?|?|&#;</a>");
}
