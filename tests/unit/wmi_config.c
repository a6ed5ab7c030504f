/* SPDX-License-Identifier: Apache-2.0 */
/* What a Hyper-V provider's configuration may say. */
#include <criterion/criterion.h>

#include <stdio.h>

#include <polyvisor/err.h>

#include "drivers/wmi/config.h"
#include "drivers/wmi/probe_scripts.h"

static int parse(const char *endpoint, const char *settings, struct config *out, struct pv_err *err)
{
    char json[2048];

    snprintf(json, sizeof(json), "{\"endpoint\":\"%s\",\"username\":\"u\",\"settings\":%s}",
             endpoint, settings);
    return config_parse(json, out, err);
}

Test(wmi_config, an_endpoint_may_be_a_name_a_port_or_an_address)
{
    static const struct {
        const char *endpoint, *settings, *url;
        unsigned port;
    } good[] = {
        { "hv1", "{}", "https://hv1:5986/wsman", 5986 },
        { "hv1:443", "{}", "https://hv1:443/wsman", 443 },
        { "HTTPS://hv1.example.com/custom/", "{}", "https://hv1.example.com:5986/custom", 5986 },
        { "[fe80::1]:5986", "{}", "https://[fe80::1]:5986/wsman", 5986 },
        { "http://hv1", "{\"encryption\":\"message\"}", "http://hv1:5985/wsman", 5985 },
        { "http://hv1", "{\"allow_unencrypted\":true}", "http://hv1:5985/wsman", 5985 },
    };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct pv_err err = { 0 };
        struct config c;

        cr_assert_eq(parse(good[i].endpoint, good[i].settings, &c, &err), PV_OK, "%s: %s",
                     good[i].endpoint, err.message);
        cr_expect_str_eq(c.at.url, good[i].url);
        cr_expect_eq(c.at.port, good[i].port);
        config_free(&c);
    }
}

Test(wmi_config, what_is_unsafe_or_unknown_is_refused_where_it_stands)
{
    static const struct {
        const char *endpoint, *settings, *pointer;
    } bad[] = {
        { "http://hv1", "{}", "/endpoint" },
        { "ftp://hv1", "{}", "/endpoint" },
        { "https://u:p@hv1", "{}", "/endpoint" },
        { "hv1:0", "{}", "/endpoint" },
        { "hv1:65536", "{}", "/endpoint" },
        { "hv1/wsman?x", "{}", "/endpoint" },
        { "h v", "{}", "/endpoint" },
        { "hv1", "{\"encryption\":\"message\"}", "/settings/encryption" },
        { "hv1", "{\"encryption\":true}", "/settings/encryption" },
        { "http://hv1", "{\"encryption\":\"message\",\"auth\":\"basic\"}", "/settings/auth" },
        { "http://hv1", "{\"allow_unencrypted\":true,\"auth\":\"basic\"}", "/settings/auth" },
        { "http://hv1", "{\"allow_unencrypted\":true,\"encryption\":\"message\"}",
          "/settings/allow_unencrypted" },
        { "hv1", "{\"auth\":\"credssp\"}", "/settings/auth" },
        { "hv1", "{\"auth\":\"certificate\"}", "/settings/client_certificate" },
        { "hv1", "{\"poll_interval_s\":9}", "/settings/poll_interval_s" },
        { "hv1", "{\"max_connections\":5}", "/settings/max_connections" },
        { "hv1", "{\"operation_timeout_s\":\"60\"}", "/settings/operation_timeout_s" },
        { "hv1", "{\"locale\":\"en\\\" x=\\\"\"}", "/settings/locale" },
        { "hv1", "{\"events\":1}", "/settings/events" },
        { "hv1", "{\"colour\":1}", "/settings/colour" },
        { "hv1", "[]", "/settings" },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pv_err err = { 0 };
        struct config c;

        cr_expect_eq(parse(bad[i].endpoint, bad[i].settings, &c, &err), PV_EINVAL, "%s %s",
                     bad[i].endpoint, bad[i].settings);
        cr_expect_str_eq(err.pointer, bad[i].pointer, "%s %s: %s", bad[i].endpoint, bad[i].settings,
                         err.pointer);
    }
}

Test(wmi_config, names_in_scripts_cannot_break_out_of_their_quotes)
{
    struct config c = { .at.port = 5986 };
    char user[] = "it's\n'; Remove-Item C:\\ #";
    struct buf text;

    snprintf(c.at.host, sizeof(c.at.host), "hv'1");
    c.at.username = user;
    buf_init(&text, SCRIPT_MOST);
    script_https(&text, &c);
    cr_expect_not_null(strstr(text.data, "$name = 'hv''1'\n"));
    buf_reset(&text);
    script_rights(&text, &c);
    cr_expect_not_null(strstr(text.data, "$user = 'it''s''; Remove-Item C:\\ #'\n"));
    buf_free(&text);
}
