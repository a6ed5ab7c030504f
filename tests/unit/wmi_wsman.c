/* SPDX-License-Identifier: Apache-2.0 */
/* The WS-Man client against a scripted WinRM. */
#include "tests/unit/wmi_fake.h"

#define V2 "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/"
#define SYSTEM(name)                                                                               \
    "<p:Msvm_ComputerSystem xmlns:p=\"" V2 "Msvm_ComputerSystem\"><p:CreationClassName>"           \
    "Msvm_ComputerSystem</p:CreationClassName><p:Name>" name "</p:Name></p:Msvm_ComputerSystem>"
#define MORE(context) "<n:EnumerationContext>" context "</n:EnumerationContext>"

static struct fake_reply body(const char *text)
{
    return (struct fake_reply){ .body = text };
}

static int list(const struct wsman_query *q, struct cim_list *out, struct pv_err *err)
{
    return wsman_list(fake.client, &fake.call, q, fake.arena, out, err);
}

static const char *name_at(const struct cim_list *l, size_t i)
{
    return i < l->count ? cim_str(l->items[i], P(Msvm_ComputerSystem, Name)) : "none";
}

/* ------------------------------------------------------------------ enumeration */

static struct fake_reply three_pages(const char *action, unsigned nth, const char *request)
{
    (void)request;
    if (strcmp(action, "Enumerate") == 0)
        return body(
            "<n:EnumerateResponse>" MORE("c1") "<w:Items>" SYSTEM("a") "</w:Items>"
                                                                       "</n:EnumerateResponse>");
    return nth == 0 ? body("<n:PullResponse>" MORE("c2") "<n:Items>" SYSTEM("b")
                               SYSTEM("c") "</n:Items></n:PullResponse>")
                    : body("<n:PullResponse><n:Items>" SYSTEM("d") "</n:Items><n:EndOfSequence/>"
                                                                   "</n:PullResponse>");
}

Test(wmi_wsman, pulls_to_the_end_with_the_newest_context)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(three_pages);
    cr_assert_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    cr_expect_eq(l.count, 4u);
    cr_expect_str_eq(name_at(&l, 3), "d");
    cr_expect_not_null(strstr(fake_request("Pull", 0), ">c1</n:EnumerationContext>"));
    cr_expect_not_null(strstr(fake_request("Pull", 1), ">c2</n:EnumerationContext>"));
    cr_expect_not_null(strstr(fake_request("Pull", 1), V2 "Msvm_ComputerSystem</w:ResourceURI>"));
    cr_expect_not_null(strstr(fake_request("Enumerate", 0), "<w:OptimizeEnumeration/>"));
    cr_expect_eq(fake_count("Release"), 0u);
    fake_stop();
}

Test(wmi_wsman, gives_the_context_back_when_it_stops_early)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };

    fake_start(three_pages);
    cr_assert_eq(wsman_first(fake.client, &fake.call, &q, fake.arena, &o, &err), PV_OK, "%s",
                 err.message);
    cr_expect_str_eq(cim_str(o, P(Msvm_ComputerSystem, Name)), "a");
    cr_expect_eq(fake_count("Release"), 1u);
    cr_expect_not_null(strstr(fake_request("Release", 0), ">c1</n:EnumerationContext>"));
    fake_stop();
}

static struct fake_reply empty(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body("<n:EnumerateResponse><w:Items/><w:EndOfSequence/></n:EnumerateResponse>");
}

Test(wmi_wsman, no_visible_service_means_a_missing_right)
{
    const struct cim_ref *ref = NULL;
    struct pv_err err = { 0 };

    fake_start(empty);
    cr_expect_eq(wsman_service(fake.client, &fake.call, CIM(Msvm_VirtualSystemManagementService),
                               &ref, &err),
                 PV_EPERM);
    cr_expect_str_eq(err.needs, "Hyper-V Administrators");
    fake_stop();
}

static struct fake_reply neither_nor(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body("<n:EnumerateResponse><w:Items>" SYSTEM("a") "</w:Items></n:EnumerateResponse>");
}

Test(wmi_wsman, a_host_that_neither_goes_on_nor_ends_is_an_error)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(neither_nor);
    cr_expect_eq(list(&q, &l, &err), PV_EIO);
    fake_stop();
}

/* ------------------------------------------------------------------ filters */

static bool is_b(void *ctx, const struct cim_instance *o)
{
    const char *name = cim_str(o, P(Msvm_ComputerSystem, Name));

    (void)ctx;
    return name && strcmp(name, "b") == 0;
}

static struct fake_reply no_filters(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    if (strstr(request, "<w:Filter"))
        return body(FAKE_FAULT("n:CannotProcessFilter", "2150858778"));
    return body("<n:EnumerateResponse><w:Items>" SYSTEM("a") SYSTEM("b")
                    SYSTEM("c") "</w:Items><w:EndOfSequence/></n:EnumerateResponse>");
}

Test(wmi_wsman, a_host_without_filters_is_asked_without_them_from_then_on)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem),
                             .where = "Name = 'b'",
                             .match = is_b };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(no_filters);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
        cr_expect_eq(l.count, 1u);
        cr_expect_str_eq(name_at(&l, 0), "b");
    }
    cr_expect_eq(fake_count("Enumerate"), 4u, "the filter is tried once");
    cr_expect_not_null(strstr(fake_request("Enumerate", 0),
                              "SELECT * FROM Msvm_ComputerSystem WHERE "
                              "Name = 'b'</w:Filter>"));
    cr_expect_not_null(strstr(fake_request("Enumerate", 0), "virtualization/v2/*</w:ResourceURI>"),
                       "WQL goes to the wildcard");
    cr_expect_not(wsman_filters(fake.client, CIM_NS_VIRTUALIZATION, false));
    cr_expect(wsman_filters(fake.client, CIM_NS_CIMV2, false));
    fake_stop();
}

#define END(name, cls, keys)                                                                       \
    "<p:" name "><a:Address>x</a:Address><a:ReferenceParameters><w:ResourceURI>" V2 cls            \
    "</w:ResourceURI><w:SelectorSet>" keys "</w:SelectorSet></a:ReferenceParameters></p:" name ">"
#define LINK(vm, setting)                                                                          \
    "<p:Msvm_SettingsDefineState xmlns:p=\"" V2 "Msvm_SettingsDefineState\">" END(                 \
        "ManagedElement", "Msvm_ComputerSystem",                                                   \
        "<w:Selector Name=\"CreationClassName\">Msvm_ComputerSystem</w:Selector>"                  \
        "<w:Selector Name=\"Name\">" vm "</w:Selector>")                                           \
        END("SettingData", "Msvm_VirtualSystemSettingData",                                        \
            "<w:Selector Name=\"InstanceID\">" setting                                             \
            "</w:Selector>") "</p:Msvm_SettingsDefineState>"

static struct fake_reply no_associations(const char *action, unsigned nth, const char *request)
{
    (void)nth;
    if (strstr(request, "associationFilter"))
        return body(FAKE_FAULT("n:FilterDialectRequestedUnavailable", "2150858777"));
    if (strcmp(action, "Get") == 0)
        return body("<p:Msvm_VirtualSystemSettingData xmlns:p=\"" V2
                    "Msvm_VirtualSystemSettingData\"><p:InstanceID>Microsoft:B</p:InstanceID>"
                    "</p:Msvm_VirtualSystemSettingData>");
    return body("<n:EnumerateResponse><w:Items>" LINK("a", "Microsoft:A")
                    LINK("b", "Microsoft:B") "</w:Items><w:EndOfSequence/></n:EnumerateResponse>");
}

Test(wmi_wsman, associations_are_joined_here_where_the_host_does_not)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData),
                             .assoc = CIM(Msvm_SettingsDefineState) };
    struct pv_err err = { 0 };
    struct cim_ref *vm;
    struct cim_list l;

    fake_start(no_associations);
    vm = cim_ref_new(fake.arena, CIM(Msvm_ComputerSystem));
    cim_ref_add(vm, P(Msvm_ComputerSystem, CreationClassName), "Msvm_ComputerSystem");
    cim_ref_add(vm, P(Msvm_ComputerSystem, Name), "B");
    q.of = vm;
    cr_assert_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    cr_expect_eq(l.count, 1u);
    cr_expect_not_null(strstr(fake_request("Get", 0), ">Microsoft:B</w:Selector>"));
    fake_stop();
}

static struct fake_reply too_large(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    if (!strstr(request, "<w:MaxElements>25</w:MaxElements>"))
        return body(FAKE_FAULT("w:EncodingLimit", "2150858823"));
    return body("<n:EnumerateResponse><w:Items>" SYSTEM("a") "</w:Items><w:EndOfSequence/>"
                                                             "</n:EnumerateResponse>");
}

Test(wmi_wsman, answers_that_are_too_large_are_asked_for_in_smaller_pieces)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(too_large);
    cr_assert_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    cr_expect_eq(fake_count("Enumerate"), 4u, "200, 100, 50, 25");
    cr_assert_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    cr_expect_eq(fake_count("Enumerate"), 5u, "and remembered");
    fake_stop();
}

Test(wmi_wsman, quotes_wql_literals)
{
    struct buf text;

    buf_init(&text, 256);
    wsman_quote(&text, "C:\\it's");
    cr_expect_str_eq(text.data, "'C:\\\\it\\'s'");
    buf_free(&text);
}

/* ------------------------------------------------------------------ methods and faults */

static struct cim_ref *service(void)
{
    struct cim_ref *r = cim_ref_new(fake.arena, CIM(Msvm_VirtualSystemManagementService));

    cim_ref_add(r, P(Msvm_VirtualSystemManagementService, CreationClassName),
                "Msvm_VirtualSystemManagementService");
    return r;
}

static int define(struct cim_instance **out, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(fake.arena, M(Msvm_VirtualSystemManagementService, DefineSystem));
    struct cim_instance *system = cim_new(fake.arena, CIM(Msvm_VirtualSystemSettingData));

    cim_set_str(system, P(Msvm_VirtualSystemSettingData, ElementName), "a<b");
    cim_set_null(in, A(Msvm_VirtualSystemManagementService, DefineSystem, ReferenceConfiguration));
    cim_set_emb(in, A(Msvm_VirtualSystemManagementService, DefineSystem, SystemSettings), system);
    cim_add_emb(in, A(Msvm_VirtualSystemManagementService, DefineSystem, ResourceSettings), system);
    cim_add_emb(in, A(Msvm_VirtualSystemManagementService, DefineSystem, ResourceSettings), system);
    return wsman_invoke(fake.client, &fake.call, service(), in, fake.arena, out, err);
}

static struct fake_reply job_started(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body("<p:DefineSystem_OUTPUT xmlns:p=\"" V2 "Msvm_VirtualSystemManagementService\">"
                "<p:ReturnValue>4096</p:ReturnValue>"
                "<p:Job><a:Address>x</a:Address><a:ReferenceParameters><w:ResourceURI>" V2
                "Msvm_StorageJob</w:ResourceURI><w:SelectorSet><w:Selector Name=\"InstanceID\">J"
                "</w:Selector></w:SelectorSet></a:ReferenceParameters></p:Job>"
                "<p:ResultingSystem xsi:nil=\"true\"/></p:DefineSystem_OUTPUT>");
}

Test(wmi_wsman, parameters_go_out_in_the_schemas_order_and_settings_as_text)
{
    const char *request, *system, *resource, *reference;
    struct cim_instance *out = NULL;
    const struct cim_ref *job;
    struct pv_err err = { 0 };
    uint32_t value = 0;

    fake_start(job_started);
    cr_assert_eq(define(&out, &err), PV_OK, "%s", err.message);
    cr_expect(cim_return_value(out, &value) && value == 4096);
    job = cim_get_ref(out, A(Msvm_VirtualSystemManagementService, DefineSystem, Job));
    cr_assert_not_null(job);
    cr_expect(cim_ref_is(job, CIM(Msvm_StorageJob)), "a job of any class");
    cr_expect_null(
        cim_get_ref(out, A(Msvm_VirtualSystemManagementService, DefineSystem, ResultingSystem)));
    request = fake_request("DefineSystem", 0);
    system = strstr(request, "<q:SystemSettings>&lt;INSTANCE CLASSNAME=");
    resource = strstr(request, "<q:ResourceSettings>");
    reference = strstr(request, "<q:ReferenceConfiguration xsi:nil=\"true\"/>");
    cr_expect(system && resource && reference && system < resource && resource < reference);
    cr_expect_not_null(strstr(request, "a&amp;lt;b"));
    cr_expect_not_null(strstr(resource + 20, "<q:ResourceSettings>"), "once for each item");
    cr_expect_not_null(
        strstr(request, V2 "Msvm_VirtualSystemManagementService/DefineSystem</a:Action>"));
    fake_stop();
}

static struct fake_reply timed_out(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body(FAKE_FAULT("w:TimedOut", "2150858793"));
}

Test(wmi_wsman, a_method_that_times_out_may_have_worked)
{
    struct cim_instance *out = NULL;
    struct pv_err err = { 0 };

    fake_start(timed_out);
    cr_expect_eq(define(&out, &err), PV_EUNKNOWN);
    cr_expect_str_eq(err.native_code, "0x80338029 ERROR_WSMAN_OPERATION_TIMEDOUT");
    cr_expect_eq(fake_count("DefineSystem"), 1u, "and is never asked again");
    fake_stop();
}

static struct fake_reply cut(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)request;
    if (nth == 0)
        return (struct fake_reply){ .cut = true };
    return body("<n:EnumerateResponse><w:Items/><w:EndOfSequence/></n:EnumerateResponse>");
}

Test(wmi_wsman, a_cut_connection_is_bridged_for_reads_and_unknown_for_writes)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct cim_instance *out = NULL;
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(cut);
    cr_expect_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    cr_expect_eq(define(&out, &err), PV_EUNKNOWN, "%s", err.message);
    cr_expect_eq(fake_count("DefineSystem"), 1u);
    fake_stop();
}

static struct fake_reply nested(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError"
        "</s:Value></s:Subcode></s:Code><s:Reason><s:Text>outer</s:Text></s:Reason><s:Detail>"
        "<f:WSManFault Code=\"1726\"><f:Message><f:ProviderFault provider=\"x\"><f:WSManFault "
        "Code=\"2147749890\"><f:Message>Nicht gefunden</f:Message></f:WSManFault></f:ProviderFault>"
        "</f:Message></f:WSManFault></s:Detail></s:Fault>");
}

Test(wmi_wsman, the_innermost_fault_counts)
{
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };

    fake_start(nested);
    cr_expect_eq(wsman_get(fake.client, &fake.call, service(), fake.arena, &o, &err), PV_ENOENT);
    cr_expect_str_eq(err.native_code, "0x80041002 WBEM_E_NOT_FOUND");
    cr_expect_not_null(strstr(err.message, "Nicht gefunden"));
    fake_stop();
}

static struct fake_reply quota_once(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)request;
    return nth == 0
               ? body(FAKE_FAULT("w:QuotaLimit", "2150859174"))
               : body("<n:EnumerateResponse><w:Items/><w:EndOfSequence/></n:EnumerateResponse>");
}

Test(wmi_wsman, a_used_up_quota_is_waited_for)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(quota_once);
    cr_expect_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    cr_expect_eq(fake_count("Enumerate"), 2u);
    fake_stop();
}

static struct fake_reply other_relation(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return (struct fake_reply){ .body = "<p:X/>", .relates = "uuid:0" };
}

Test(wmi_wsman, an_answer_to_another_request_is_not_taken)
{
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };

    fake_start(other_relation);
    cr_expect_eq(wsman_get(fake.client, &fake.call, service(), fake.arena, &o, &err), PV_EIO);
    fake_stop();
}

static struct fake_reply html(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return (struct fake_reply){ .raw = "<html><body>It works!</body></html>" };
}

Test(wmi_wsman, a_web_server_is_not_taken_for_winrm)
{
    struct wsman_identity id;
    struct pv_err err = { 0 };

    fake_start(html);
    cr_expect_eq(wsman_identify(fake.client, &fake.call, true, &id, &err), PV_EIO);
    cr_expect_str_eq(pv_err_problem(&err)->code, "provider-not-recognized");
    fake_stop();
}

Test(wmi_wsman, a_wrong_password_is_tried_once)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(empty);
    fake.password_wrong = true;
    for (int i = 0; i < 5; i++)
        cr_expect_eq(list(&q, &l, &err), PV_EAUTH);
    cr_expect_eq(fake.refused, 1u);
    /* The server opens a new session when somebody asks for it. */
    fake.password_wrong = false;
    cr_expect_eq(list(&q, &l, &err), PV_EAUTH);
    wsman_free(fake.client);
    cr_assert_eq(wsman_new(&fake.host, &fake.config, &fake.client, &err), PV_OK);
    cr_expect_eq(list(&q, &l, &err), PV_OK, "%s", err.message);
    fake_stop();
}

#define VOLUME "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/Win32_Volume"

static struct fake_reply volume(const char *action, unsigned nth, const char *request)
{
    struct fake_reply cut = { .cut = true };

    (void)nth;
    if (strcmp(action, "Get") == 0)
        return body("<v:Win32_Volume xmlns:v=\"" VOLUME "\"><v:DeviceID>\\\\?\\Volume{1}\\</v:DeviceID>"
                    "<v:Label>old</v:Label><v:Capacity>1000</v:Capacity>"
                    "<v:DriveLetter xsi:nil=\"true\"/></v:Win32_Volume>");
    if (strstr(request, ">cut<"))
        return cut;
    if (strstr(request, ">forbidden<"))
        return body(FAKE_FAULT("w:AccessDenied", "5"));
    return body("");
}

static int put_label(const char *label, struct pv_err *err)
{
    struct cim_ref *ref = cim_ref_new(fake.arena, CIM(Win32_Volume));
    struct cim_instance *o = cim_new(fake.arena, CIM(Win32_Volume));

    cim_ref_add(ref, P(Win32_Volume, DeviceID), "\\\\?\\Volume{1}\\");
    cim_set_str(o, P(Win32_Volume, Label), label);
    return wsman_put(fake.client, &fake.call, ref, o, err);
}

Test(wmi_wsman, a_put_writes_the_whole_object_with_what_is_new)
{
    struct pv_err err = { 0 };
    const char *sent;

    fake_start(volume);
    cr_assert_eq(put_label("a < b", &err), PV_OK, "%s", err.message);
    cr_expect_eq(fake_count("Get"), 1u);
    sent = fake_request("Put", 0);
    cr_expect_not_null(strstr(sent, "<q:Win32_Volume xmlns:q=\"" VOLUME "\">"));
    cr_expect_not_null(strstr(sent, "<q:Label>a &lt; b</q:Label>"));
    cr_expect_not_null(strstr(sent, "<q:Capacity>1000</q:Capacity>"));
    cr_expect_not_null(strstr(sent, "<q:DeviceID>\\\\?\\Volume{1}\\</q:DeviceID>"));
    cr_expect_null(strstr(sent, ">old<"));
    cr_expect_not_null(strstr(sent, "Name=\"DeviceID\">\\\\?\\Volume{1}\\</w:Selector>"));
    fake_stop();
}

Test(wmi_wsman, a_put_that_is_cut_is_unknown_and_one_that_is_refused_an_error)
{
    struct pv_err err = { 0 };

    fake_start(volume);
    cr_expect_eq(put_label("cut", &err), PV_EUNKNOWN, "%s", err.message);
    cr_expect_eq(fake_count("Put"), 1u, "never sent twice");
    cr_expect_eq(put_label("forbidden", &err), PV_EPERM, "%s", err.message);
    fake_stop();
}

static struct fake_reply identity(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body("<i:IdentifyResponse xmlns:i=\"http://schemas.dmtf.org/wbem/wsman/identity/1/"
                "wsmanidentity.xsd\"><i:ProtocolVersion>p</i:ProtocolVersion><i:ProductVendor>"
                "Microsoft Corporation</i:ProductVendor><i:ProductVersion>OS: 10.0.20348 SP: 0.0 "
                "Stack: 3.0</i:ProductVersion></i:IdentifyResponse>");
}

Test(wmi_wsman, identify_tells_version_and_stack)
{
    struct wsman_identity id;
    struct pv_err err = { 0 };

    fake_start(identity);
    cr_assert_eq(wsman_identify(fake.client, &fake.call, true, &id, &err), PV_OK, "%s",
                 err.message);
    cr_expect_str_eq(id.os, "10.0.20348");
    cr_expect_str_eq(id.stack, "3.0");
    fake_stop();
}

Test(wmi_wsman, a_canceled_call_sends_nothing)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct pv_err err = { 0 };
    struct cim_list l;

    fake_start(empty);
    fake.cancelled = true;
    cr_expect_eq(list(&q, &l, &err), PV_ECANCELED);
    cr_expect_eq(fake.count, 0u);
    fake_stop();
}

/* ------------------------------------------------------------------ events */

static struct fake_reply events(const char *action, unsigned nth, const char *request)
{
    (void)request;
    if (strcmp(action, "Subscribe") == 0)
        return body(
            "<e:SubscribeResponse><e:SubscriptionManager><a:Address>x</a:Address>"
            "<a:ReferenceParameters><e:Identifier>uuid:S</e:Identifier></a:ReferenceParameters>"
            "</e:SubscriptionManager><e:Expires>PT600S</e:Expires>" MORE(
                "s1") "</e:SubscribeResponse>");
    if (strcmp(action, "Pull") == 0 && nth == 0)
        return body("<n:PullResponse>" MORE(
            "s2") "<n:Items><p:__InstanceModificationEvent xmlns:p=\"" V2
                  "__InstanceModificationEvent\"><p:TargetInstance xmlns:q=\"" V2
                  "Msvm_ComputerSystem\" "
                  "xsi:type=\"q:Msvm_ComputerSystem_Type\"><q:Name>G</q:Name><q:EnabledState>3</"
                  "q:EnabledState>"
                  "</p:TargetInstance><p:TIME_CREATED>1</p:TIME_CREATED></"
                  "p:__InstanceModificationEvent>"
                  "</n:Items></n:PullResponse>");
    if (strcmp(action, "Pull") == 0)
        return nth == 1 ? body(FAKE_FAULT("w:TimedOut", "2150858793"))
                        : body(FAKE_FAULT("n:InvalidEnumerationContext", "2150858779"));
    return body("");
}

static int on_event(void *ctx, enum wsman_event event, struct cim_instance *target,
                    struct pv_err *err)
{
    unsigned *seen = ctx;

    (void)err;
    cr_expect_eq(event, WSMAN_MODIFIED);
    cr_expect_str_eq(cim_str(target, P(Msvm_ComputerSystem, Name)), "G");
    (*seen)++;
    return PV_OK;
}

Test(wmi_wsman, events_are_pulled_and_silence_is_no_error)
{
    struct wsman_subscription *s = NULL;
    struct pv_err err = { 0 };
    unsigned seen = 0;

    fake_start(events);
    cr_assert_eq(
        wsman_subscribe(fake.client, &fake.call, CIM_NS_VIRTUALIZATION, "SELECT <1>", &s, &err),
        PV_OK, "%s", err.message);
    cr_expect_eq(wsman_pull(fake.client, &fake.call, s, 1000, on_event, &seen, &err), PV_OK, "%s",
                 err.message);
    cr_expect_eq(seen, 1u);
    cr_expect_eq(wsman_pull(fake.client, &fake.call, s, 1000, on_event, &seen, &err), PV_OK, "%s",
                 err.message);
    cr_expect_eq(wsman_pull(fake.client, &fake.call, s, 1000, on_event, &seen, &err), PV_ENOENT);
    cr_expect_eq(seen, 1u);
    wsman_unsubscribe(fake.client, s);
    cr_expect_not_null(
        strstr(fake_request("Unsubscribe", 0), "<e:Identifier>uuid:S</e:Identifier>"));
    cr_expect_not_null(strstr(fake_request("Pull", 1), ">s2</n:EnumerationContext>"));
    fake_stop();
}

static struct fake_reply no_events(const char *action, unsigned nth, const char *request)
{
    (void)action;
    (void)nth;
    (void)request;
    return body(FAKE_FAULT("e:DeliveryModeRequestedUnavailable", "2150858782"));
}

Test(wmi_wsman, a_host_without_events_is_asked_once)
{
    struct wsman_subscription *s = NULL;
    struct pv_err err = { 0 };

    fake_start(no_events);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(wsman_subscribe(fake.client, &fake.call, CIM_NS_VIRTUALIZATION, "x", &s, &err),
                     PV_ENOTSUP);
    cr_expect_eq(fake_count("Subscribe"), 1u);
    fake_stop();
}
