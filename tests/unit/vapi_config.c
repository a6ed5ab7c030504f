/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>

#include <polyvisor/err.h>

#include "drivers/vapi/config.h"

/* `endpoint` as it stands in JSON. */
static int parse(const char *endpoint, struct config *out, struct pv_err *err)
{
    char json[256];

    snprintf(json, sizeof(json), "{\"endpoint\":\"%s\",\"username\":\"u\"}", endpoint);
    return config_parse(json, out, err);
}

static void good(const char *endpoint, const char *url)
{
    struct pv_err err = { 0 };
    struct config c = { 0 };

    cr_assert_eq(parse(endpoint, &c, &err), PV_OK, "%s: %s", endpoint, err.message);
    cr_expect_str_eq(c.at.url, url, "%s became %s", endpoint, c.at.url);
    config_free(&c);
}

static void bad(const char *endpoint)
{
    struct pv_err err = { 0 };
    struct config c = { 0 };

    cr_expect_eq(parse(endpoint, &c, &err), PV_EINVAL, "%s was taken", endpoint);
    cr_expect_str_eq(err.pointer, "/endpoint");
}

Test(vapi_config, takes_a_host_a_port_or_a_whole_address)
{
    good("vcenter.example.com", "https://vcenter.example.com:443/sdk");
    good("vcenter.example.com:8989", "https://vcenter.example.com:8989/sdk");
    good("https://vcenter.example.com", "https://vcenter.example.com:443/sdk");
    good("https://vcenter.example.com/", "https://vcenter.example.com:443/sdk");
    good("HTTPS://vcenter.example.com/sdk/", "https://vcenter.example.com:443/sdk");
    good("https://10.0.0.1:444/sdk/vimService", "https://10.0.0.1:444/sdk/vimService");
    good("[2001:db8::1]", "https://[2001:db8::1]:443/sdk");
    good("https://[2001:db8::1]:8443/sdk", "https://[2001:db8::1]:8443/sdk");
}

Test(vapi_config, refuses_what_is_no_address)
{
    bad("");
    bad("https://");
    bad("ftp://host/sdk");
    bad("https://user:pw@host/sdk");
    bad("host:0");
    bad("host:70000");
    bad("host:12x");
    bad("ho st");
    bad("[::1");
    bad("https://host/sdk?x=1");
    bad("host\\r\\nX: y");
}

Test(vapi_config, speaks_plain_http_to_this_machine_only)
{
    good("http://127.0.0.1:8989/sdk", "http://127.0.0.1:8989/sdk");
    good("http://localhost", "http://localhost:80/sdk");
    bad("http://vcenter.example.com/sdk");
    bad("http://10.0.0.1");
}

#define CONFIG(more) "{\"name\":\"v\",\"endpoint\":\"h\",\"username\":\"u\"" more "}"

Test(vapi_config, has_usual_settings)
{
    struct pv_err err = { 0 };
    struct config c;

    cr_assert_eq(config_parse(CONFIG(""), &c, &err), PV_OK);
    cr_expect(c.events);
    cr_expect(c.tags);
    cr_expect_eq(c.poll_interval_s, 300);
    cr_expect_eq(c.at.tls, HTTPC_TLS_CA);
    config_free(&c);
    cr_assert_eq(
        config_parse(CONFIG(",\"settings\":{\"events\":false,\"poll_interval_s\":60}"), &c, &err),
        PV_OK);
    cr_expect_not(c.events);
    cr_expect(c.tags);
    cr_expect_eq(c.poll_interval_s, 60);
    config_free(&c);
}

Test(vapi_config, refuses_unknown_settings_and_wrong_values_by_name)
{
    static const char *const configs[][2] = {
        { CONFIG(",\"settings\":{\"evnts\":true}"), "/settings/evnts" },
        { CONFIG(",\"settings\":{\"events\":1}"), "/settings/events" },
        { CONFIG(",\"settings\":{\"poll_interval_s\":5}"), "/settings/poll_interval_s" },
        { CONFIG(",\"settings\":{\"poll_interval_s\":60.5}"), "/settings/poll_interval_s" },
        { CONFIG(",\"settings\":[]"), "/settings" },
        { CONFIG(",\"tls\":{\"mode\":\"none\"}"), "/tls/mode" },
        { CONFIG(",\"tls\":{\"mode\":\"pin\"}"), "/tls/pins" },
        { CONFIG(",\"tls\":{\"mode\":\"pin\",\"pins\":[\"abc\"]}"), "/tls/pins" },
    };

    for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        struct pv_err err = { 0 };
        struct config c;

        cr_expect_eq(config_parse(configs[i][0], &c, &err), PV_EINVAL, "%s", configs[i][0]);
        cr_expect_str_eq(err.pointer, configs[i][1], "%s", configs[i][0]);
    }
}

Test(vapi_config, keeps_pins_in_lower_case)
{
    static const char config[] =
        CONFIG(",\"tls\":{\"mode\":\"pin\",\"pins\":[\"ABCDEF00000000000000000000000000000000000000"
               "00000000000000000012\"]}");
    struct pv_err err = { 0 };
    struct config c;

    cr_assert_eq(config_parse(config, &c, &err), PV_OK, "%s", err.message);
    cr_expect_eq(c.at.npins, 1);
    cr_expect_eq(strncmp(c.at.pins[0], "abcdef", 6), 0);
    config_free(&c);
}
