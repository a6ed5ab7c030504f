/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor of Hyper-V hosts: what is found, in which order, with which remedy. */
#include <jansson.h>

#include "tests/unit/wmi_fake.h"

#include "drivers/wmi/probe.h"

#define CIMV2 "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/cimv2/"
#define V2 "http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/"
#define LIST(items)                                                                                \
    "<n:EnumerateResponse><w:Items>" items "</w:Items><w:EndOfSequence/></n:EnumerateResponse>"

static struct {
    bool no_namespace, no_rights, stopped, low, stranger;
} host;

static struct fake_reply healthy(const char *action, unsigned nth, const char *request)
{
    struct fake_reply r = { 0 };

    (void)nth;
    if (strcmp(action, "Identify") == 0)
        r.body =
            host.stranger
                ? "<x/>"
                : "<i:IdentifyResponse xmlns:i=\"http://schemas.dmtf.org/wbem/wsman/identity/1/"
                  "wsmanidentity.xsd\"><i:ProductVendor>Microsoft Corporation</i:ProductVendor>"
                  "<i:ProductVersion>OS: 10.0.20348 SP: 0.0 Stack: 3.0</i:ProductVersion>"
                  "</i:IdentifyResponse>";
    else if (strstr(request, "Msvm_VirtualSystemManagementService"))
        r.body =
            host.no_namespace ? FAKE_FAULT("a:DestinationUnreachable", "2147749902")
            : host.no_rights
                ? LIST("")
                : LIST("<p:Msvm_VirtualSystemManagementService xmlns:p=\"" V2
                       "Msvm_VirtualSystemManagementService\"><p:CreationClassName>M"
                       "</p:CreationClassName><p:Name>vmms</p:Name><p:SystemCreationClassName>S"
                       "</p:SystemCreationClassName><p:SystemName>HV</p:SystemName>"
                       "</p:Msvm_VirtualSystemManagementService>");
    else if (strstr(request, "Win32_Service"))
        r.body = host.stopped
                     ? LIST("<p:Win32_Service xmlns:p=\"" CIMV2 "Win32_Service\"><p:Name>vmms"
                            "</p:Name><p:State>Stopped</p:State></p:Win32_Service>")
                     : LIST("<p:Win32_Service xmlns:p=\"" CIMV2 "Win32_Service\"><p:Name>vmms"
                            "</p:Name><p:State>Running</p:State></p:Win32_Service>");
    else if (strstr(request, "wsman/1/config<"))
        r.body = host.low
                     ? "<c:Config xmlns:c=\"http://schemas.microsoft.com/wbem/wsman/1/config\">"
                       "<c:MaxEnvelopeSizekb>50</c:MaxEnvelopeSizekb></c:Config>"
                     : FAKE_FAULT("w:AccessDenied", "5");
    else
        r.body = LIST("<p:Win32_OperatingSystem xmlns:p=\"" CIMV2 "Win32_OperatingSystem\">"
                      "<p:BuildNumber>20348</p:BuildNumber><p:Caption>Windows</p:Caption>"
                      "<p:Version>10.0.20348</p:Version></p:Win32_OperatingSystem>");
    return r;
}

static json_t *probe(const char *endpoint)
{
    char config[512], *report = NULL;
    struct pv_err err = { 0 };
    json_t *findings;

    snprintf(config, sizeof(config),
             "{\"endpoint\":\"%s\",\"username\":\"u\",\"settings\":{\"auth\":\"basic\","
             "\"allow_unencrypted\":true}}",
             endpoint ? endpoint : fake.server.url);
    cr_assert_eq(probe_run(&fake.host, config, 1, &report, &err), PV_OK, "%s", err.message);
    findings = json_loads(report, 0, NULL);
    cr_assert(json_is_array(findings), "%s", report);
    free(report);
    return findings;
}

static const json_t *last(const json_t *findings)
{
    return json_array_get(findings, json_array_size(findings) - 1);
}

static void expect_last(const json_t *findings, const char *step, const char *code,
                        const char *script)
{
    const json_t *f = last(findings);
    const char *text = json_string_value(json_object_get(json_object_get(f, "data"), "script"));

    cr_expect_str_eq(json_string_value(json_object_get(f, "step")), step);
    cr_expect(json_is_false(json_object_get(f, "ok")));
    cr_expect_str_eq(json_string_value(json_object_get(f, "code")), code);
    cr_expect(json_is_string(json_object_get(f, "remedy")));
    if (script)
        cr_expect(text && strstr(text, script), "%s", text ? text : "no script");
    else
        cr_expect_null(text);
}

static void start(void)
{
    memset(&host, 0, sizeof(host));
    fake_start(healthy);
}

Test(wmi_probe, a_healthy_host_passes_every_step_in_order)
{
    static const char *const steps[] = { "name",    "port",    "certificate",
                                         "product", "sign_in", "namespace",
                                         "service", "quotas",  "version" };
    json_t *findings;

    start();
    findings = probe(NULL);
    cr_expect_eq(json_array_size(findings), sizeof(steps) / sizeof(steps[0]));
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *f = json_array_get(findings, i);

        cr_expect_str_eq(json_string_value(json_object_get(f, "step")), steps[i]);
        cr_expect(json_is_true(json_object_get(f, "ok")), "%s: %s", steps[i],
                  json_string_value(json_object_get(f, "detail")));
    }
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, a_closed_port_comes_with_a_script)
{
    json_t *findings;

    start();
    findings = probe("http://127.0.0.1:1");
    expect_last(findings, "port", "provider-offline", "Enable-PSRemoting");
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, a_name_that_does_not_exist_is_told_first)
{
    json_t *findings;

    start();
    findings = probe("http://127.0.0.1.invalid./");
    cr_expect_eq(json_array_size(findings), 1u);
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, a_wrong_password_is_tried_once_and_ends_it)
{
    json_t *findings;

    start();
    fake.password_wrong = true;
    findings = probe(NULL);
    expect_last(findings, "sign_in", "provider-auth-failed", NULL);
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, an_account_that_sees_nothing_lacks_a_right)
{
    json_t *findings;

    start();
    host.no_rights = true;
    findings = probe(NULL);
    cr_expect_str_eq(json_string_value(json_object_get(json_array_get(findings, 5), "code")),
                     "provider-permission");
    cr_expect_not_null(strstr(json_string_value(json_object_get(
                                  json_object_get(json_array_get(findings, 5), "data"), "script")),
                              "S-1-5-32-578"));
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, a_host_without_the_role_is_told_how_to_get_it)
{
    json_t *findings;

    start();
    host.no_namespace = true;
    findings = probe(NULL);
    cr_expect_not_null(strstr(json_string_value(json_object_get(
                                  json_object_get(json_array_get(findings, 5), "data"), "script")),
                              "Install-WindowsFeature"));
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, a_stopped_service_is_named)
{
    json_t *findings;

    start();
    host.stopped = true;
    findings = probe(NULL);
    expect_last(findings, "service", "provider-error", "Start-Service -Name vmms");
    json_decref(findings);
    fake_stop();
}

Test(wmi_probe, quotas_that_are_too_low_are_named)
{
    const json_t *f;
    json_t *findings;

    start();
    host.low = true;
    findings = probe(NULL);
    f = json_array_get(findings, 7);
    cr_expect_str_eq(json_string_value(json_object_get(f, "code")), "provider-limit");
    cr_expect_str_eq(json_string_value(json_object_get(last(findings), "step")), "version");
    json_decref(findings);
    fake_stop();
}
