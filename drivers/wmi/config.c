/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/config.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

static const struct endpoint_kind kind = {
    .https_port = 5986,
    .http_port = 5985,
    .path = "/wsman",
    .remedy = "Give the host's name, or a URL as https://hv1.example.com:5986/wsman.",
};

const char config_schema[] =
    "{\"title\":\"Microsoft Hyper-V\","
    "\"description\":\"A Windows host with the Hyper-V role, by WS-Management (WinRM). Nothing is "
    "installed on it.\","
    "\"x-account\":\"A local or domain account in the groups Hyper-V Administrators and "
    "Remote Management Users of the host. It need not be an administrator; only the quotas "
    "of WinRM are readable by administrators alone.\","
    "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"auth\":{\"type\":\"string\",\"enum\":[\"negotiate\",\"ntlm\",\"kerberos\",\"basic\","
    "\"certificate\"],\"default\":\"negotiate\",\"title\":\"Sign-in\",\"description\":"
    "\"negotiate: Kerberos where there is a ticket, else NTLM. kerberos: a ticket, a client keytab, or "
    "user@REALM with the password. basic: local accounts, HTTPS only. "
    "certificate: client_certificate with its private key as the password.\"},"
    "\"client_certificate\":{\"type\":\"string\",\"maxLength\":32768,"
    "\"title\":\"Client certificate\",\"description\":"
    "\"PEM, for auth certificate. The private key (PEM) is the provider's password.\"},"
    "\"encryption\":{\"type\":\"string\",\"enum\":[\"tls\",\"message\"],\"default\":\"tls\","
    "\"title\":\"Encryption\",\"description\":"
    "\"message: for http:// (port 5985); NTLM or Kerberos seal each message.\"},"
    "\"allow_unencrypted\":{\"type\":\"boolean\",\"default\":false,"
    "\"title\":\"Allow unencrypted\",\"description\":"
    "\"Unsafe: http:// without any encryption, for laboratories. The host must have "
    "AllowUnencrypted set.\"},"
    "\"events\":{\"type\":\"boolean\",\"default\":true,"
    "\"title\":\"Events\",\"description\":\"Subscribe to the host's events where it grants "
    "that.\"},"
    "\"poll_interval_s\":{\"type\":\"integer\",\"minimum\":10,\"maximum\":3600,\"default\":60,"
    "\"title\":\"Poll interval\",\"description\":"
    "\"Most seconds between two readings; they come more often while something changes.\"},"
    "\"max_connections\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":4,\"default\":4,"
    "\"title\":\"Connections\",\"description\":\"Most connections to the host at a time.\"},"
    "\"operation_timeout_s\":{\"type\":\"integer\",\"minimum\":5,\"maximum\":600,\"default\":60,"
    "\"title\":\"Operation timeout\",\"description\":"
    "\"Seconds the host may take for one request.\"},"
    "\"outcome_wait_s\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":600,\"default\":20,"
    "\"title\":\"Wait for an outcome\",\"description\":"
    "\"When the connection breaks during a change: seconds to look for its effect while the host "
    "is not at work on it. Then it counts as not made.\"},"
    "\"locale\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z]{2,8}(-[A-Za-z0-9]{2,8})?$\","
    "\"maxLength\":15,\"default\":\"en-US\",\"title\":\"Locale\",\"description\":"
    "\"The language to ask the host's texts in.\"}}}";

static int read_auth(const char *text, const char *pointer, enum config_auth *out,
                     struct pv_err *err)
{
    static const char *const names[] = {
        [AUTH_NEGOTIATE] = "negotiate",     [AUTH_NTLM] = "ntlm",
        [AUTH_KERBEROS] = "kerberos",       [AUTH_BASIC] = "basic",
        [AUTH_CERTIFICATE] = "certificate",
    };

    for (unsigned i = 0; text && i < PV_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = (enum config_auth)i;
            return PV_OK;
        }
    }
    return setting_bad(err, pointer, "must be negotiate, ntlm, kerberos, basic or certificate");
}

static int read_locale(const char *text, const char *pointer, struct config *out,
                       struct pv_err *err)
{
    size_t len = text ? strlen(text) : 0;

    if (len < 2 || len >= sizeof(out->locale) ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return setting_bad(err, pointer, "must be a language as en-US");
    (void)str_copy(out->locale, sizeof(out->locale), text);
    return PV_OK;
}

static int read_setting(void *ctx, const char *key, const json_t *value, const char *pointer,
                        struct pv_err *err)
{
    const char *text = json_string_value(value);
    struct config *out = ctx;

    if (strcmp(key, "auth") == 0)
        return read_auth(text, pointer, &out->auth, err);
    if (strcmp(key, "encryption") == 0) {
        if (!text || (strcmp(text, "tls") != 0 && strcmp(text, "message") != 0))
            return setting_bad(err, pointer, "must be tls or message");
        out->message_encryption = strcmp(text, "message") == 0;
        return PV_OK;
    }
    if (strcmp(key, "client_certificate") == 0) {
        if (!text || out->client_certificate)
            return setting_bad(err, pointer, "must be a text");
        out->client_certificate = strdup(text);
        return out->client_certificate ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    }
    if (strcmp(key, "allow_unencrypted") == 0)
        return setting_flag(value, pointer, &out->allow_unencrypted, err);
    if (strcmp(key, "events") == 0)
        return setting_flag(value, pointer, &out->events, err);
    if (strcmp(key, "poll_interval_s") == 0)
        return setting_number(value, pointer, 10, 3600, &out->poll_interval_s, err);
    if (strcmp(key, "max_connections") == 0)
        return setting_number(value, pointer, 1, 4, &out->max_connections, err);
    if (strcmp(key, "operation_timeout_s") == 0)
        return setting_number(value, pointer, 5, 600, &out->operation_timeout_s, err);
    if (strcmp(key, "outcome_wait_s") == 0)
        return setting_number(value, pointer, 1, 600, &out->outcome_wait_s, err);
    if (strcmp(key, "locale") == 0)
        return read_locale(text, pointer, out, err);
    return setting_bad(err, pointer, "is not a setting of this driver");
}

/* What must not go together. */
static int check_settings(const struct config *c, struct pv_err *err)
{
    int rc = PV_OK;

    if (c->at.plain && !c->message_encryption && !c->allow_unencrypted) {
        rc = pv_fail(err, PV_EINVAL, "the endpoint is http://, which protects nothing");
        pv_err_pointer(err, "/endpoint");
        pv_err_remedy(err, "Use https:// (port 5986), or set encryption to \"message\".");
    } else if (!c->at.plain && c->message_encryption) {
        rc = setting_bad(err, "/settings/encryption", "\"message\" is for http:// only; https:// has TLS");
    } else if (c->message_encryption && c->allow_unencrypted) {
        rc = setting_bad(err, "/settings/allow_unencrypted", "does not go with encryption \"message\"");
    } else if (c->message_encryption && (c->auth == AUTH_BASIC || c->auth == AUTH_CERTIFICATE)) {
        rc = setting_bad(err, "/settings/auth", "cannot encrypt messages; use negotiate, ntlm or kerberos");
    } else if (c->at.plain && c->auth == AUTH_BASIC && !endpoint_is_nearby(&c->at)) {
        rc = setting_bad(err, "/settings/auth", "basic would show the password on an http:// connection");
    } else if (c->auth == AUTH_CERTIFICATE && (c->at.plain || !c->client_certificate)) {
        rc = setting_bad(err, "/settings/client_certificate",
                 "and https:// are needed for auth certificate");
    }
    return rc;
}

int config_parse(const char *json, struct config *out, struct pv_err *err)
{
    int rc;

    memset(out, 0, sizeof(*out));
    out->events = true;
    out->poll_interval_s = 60;
    out->max_connections = 4;
    out->operation_timeout_s = 60;
    out->outcome_wait_s = 20;
    (void)str_copy(out->locale, sizeof(out->locale), "en-US");
    rc = endpoint_parse(json, &kind, read_setting, out, &out->at, err);
    if (rc == PV_OK)
        rc = check_settings(out, err);
    /* Each request of Basic shows the password, so they go one after the other: none may wait for
     * events meanwhile. */
    if (out->auth == AUTH_BASIC)
        out->events = false;
    if (rc)
        config_free(out);
    return rc;
}

void config_free(struct config *c)
{
    endpoint_free(&c->at);
    free(c->client_certificate);
    memset(c, 0, sizeof(*c));
}
