/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define PINS_MOST 8
#define PORT_HTTPS 5986
#define PORT_HTTP 5985

const char config_schema[] =
    "{\"title\":\"Microsoft Hyper-V\","
    "\"description\":\"A Windows host with the Hyper-V role, by WS-Management (WinRM). Nothing is "
    "installed on it.\","
    "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"auth\":{\"type\":\"string\",\"enum\":[\"negotiate\",\"ntlm\",\"kerberos\",\"basic\","
    "\"certificate\"],\"default\":\"negotiate\",\"title\":\"Sign-in\",\"description\":"
    "\"negotiate: Kerberos where there is a ticket, else NTLM. basic: local accounts, HTTPS only. "
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
    "\"locale\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z]{2,8}(-[A-Za-z0-9]{2,8})?$\","
    "\"maxLength\":15,\"default\":\"en-US\",\"title\":\"Locale\",\"description\":"
    "\"The language to ask the host's texts in.\"}}}";

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || str_starts(host, "127.");
}

static int bad_endpoint(struct pv_err *err, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "the endpoint %s", why);

    pv_err_pointer(err, "/endpoint");
    pv_err_remedy(err, "Give the host's name, or a URL as https://hv1.example.com:5986/wsman.");
    return rc;
}

/* "host", "host:port", "[v6]:port"; *rest is what follows. */
static int read_authority(const char *at, struct config *out, const char **rest, struct pv_err *err)
{
    size_t len = strcspn(at, "/?#"), host_len;
    const char *host = at, *port = NULL, *end = at + len;
    uint64_t number;

    *rest = end;
    if (memchr(at, '@', len))
        return bad_endpoint(err, "must not hold a user name");
    if (len > 0 && *at == '[') {
        const char *close = memchr(at, ']', len);

        if (!close)
            return bad_endpoint(err, "has an unfinished IPv6 address");
        host = at + 1;
        host_len = (size_t)(close - host);
        if (close + 1 < end)
            port = close + 1;
    } else {
        const char *colon = memchr(at, ':', len);

        host_len = colon ? (size_t)(colon - at) : len;
        port = colon;
    }
    if (host_len == 0 || host_len >= sizeof(out->host))
        return bad_endpoint(err, "has no host name");
    (void)str_copy_n(out->host, sizeof(out->host), host, host_len);
    for (const char *p = out->host; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || strchr("\"<>\\^`{|}%", *p))
            return bad_endpoint(err, "has a character that no host name has");
    out->port = out->plain ? PORT_HTTP : PORT_HTTPS;
    if (port) {
        if (*port != ':' || !str_u64(port + 1, (size_t)(end - port - 1), 65535, &number) ||
            number == 0)
            return bad_endpoint(err, "has a port that is none");
        out->port = (unsigned)number;
    }
    return PV_OK;
}

int config_endpoint(const char *endpoint, struct config *out, struct pv_err *err)
{
    const char *at = endpoint, *path, *brackets;
    size_t path_len;
    int rc;

    out->plain = false;
    if (strncasecmp(at, "https://", 8) == 0) {
        at += 8;
    } else if (strncasecmp(at, "http://", 7) == 0) {
        at += 7;
        out->plain = true;
    } else if (strstr(at, "://")) {
        return bad_endpoint(err, "must begin with https:// or http://");
    }
    rc = read_authority(at, out, &path, err);
    if (rc)
        return rc;
    path_len = strlen(path);
    while (path_len > 0 && path[path_len - 1] == '/')
        path_len--;
    if (memchr(path, '?', path_len) || memchr(path, '#', path_len) || path_len > 80)
        return bad_endpoint(err, "must end with the path of WinRM, usually /wsman");
    brackets = strchr(out->host, ':');
    (void)snprintf(out->origin, sizeof(out->origin), "%s://%s%s%s:%u",
                   out->plain ? "http" : "https", brackets ? "[" : "", out->host,
                   brackets ? "]" : "", out->port);
    (void)snprintf(out->url, sizeof(out->url), "%s%.*s", out->origin, path_len ? (int)path_len : 6,
                   path_len ? path : "/wsman");
    return PV_OK;
}

static int bad(struct pv_err *err, const char *pointer, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "%s %s", pointer, why);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int read_flag(const json_t *value, const char *pointer, bool *out, struct pv_err *err)
{
    if (!json_is_boolean(value))
        return bad(err, pointer, "must be true or false");
    *out = json_is_true(value);
    return PV_OK;
}

static int read_number(const json_t *value, const char *pointer, unsigned least, unsigned most,
                       unsigned *out, struct pv_err *err)
{
    json_int_t n = json_integer_value(value);
    char why[64];

    (void)snprintf(why, sizeof(why), "must be a whole number from %u to %u", least, most);
    if (!json_is_integer(value) || n < (json_int_t)least || n > (json_int_t)most)
        return bad(err, pointer, why);
    *out = (unsigned)n;
    return PV_OK;
}

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
    return bad(err, pointer, "must be negotiate, ntlm, kerberos, basic or certificate");
}

static int read_locale(const char *text, const char *pointer, struct config *out,
                       struct pv_err *err)
{
    size_t len = text ? strlen(text) : 0;

    if (len < 2 || len >= sizeof(out->locale) ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") != len)
        return bad(err, pointer, "must be a language as en-US");
    (void)str_copy(out->locale, sizeof(out->locale), text);
    return PV_OK;
}

static int read_setting(const char *key, const json_t *value, struct config *out,
                        struct pv_err *err)
{
    const char *text = json_string_value(value);
    char pointer[96];

    (void)snprintf(pointer, sizeof(pointer), "/settings/%.64s", key);
    if (strcmp(key, "auth") == 0)
        return read_auth(text, pointer, &out->auth, err);
    if (strcmp(key, "encryption") == 0) {
        if (!text || (strcmp(text, "tls") != 0 && strcmp(text, "message") != 0))
            return bad(err, pointer, "must be tls or message");
        out->message_encryption = strcmp(text, "message") == 0;
        return PV_OK;
    }
    if (strcmp(key, "client_certificate") == 0) {
        if (!text || out->client_certificate)
            return bad(err, pointer, "must be a text");
        out->client_certificate = strdup(text);
        return out->client_certificate ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    }
    if (strcmp(key, "allow_unencrypted") == 0)
        return read_flag(value, pointer, &out->allow_unencrypted, err);
    if (strcmp(key, "events") == 0)
        return read_flag(value, pointer, &out->events, err);
    if (strcmp(key, "poll_interval_s") == 0)
        return read_number(value, pointer, 10, 3600, &out->poll_interval_s, err);
    if (strcmp(key, "max_connections") == 0)
        return read_number(value, pointer, 1, 4, &out->max_connections, err);
    if (strcmp(key, "operation_timeout_s") == 0)
        return read_number(value, pointer, 5, 600, &out->operation_timeout_s, err);
    if (strcmp(key, "locale") == 0)
        return read_locale(text, pointer, out, err);
    return bad(err, pointer, "is not a setting of this driver");
}

/* What must not go together. */
static int check_settings(const struct config *c, struct pv_err *err)
{
    int rc = PV_OK;

    if (c->plain && !c->message_encryption && !c->allow_unencrypted) {
        rc = pv_fail(err, PV_EINVAL, "the endpoint is http://, which protects nothing");
        pv_err_pointer(err, "/endpoint");
        pv_err_remedy(err, "Use https:// (port 5986), or set encryption to \"message\".");
    } else if (!c->plain && c->message_encryption) {
        rc = bad(err, "/settings/encryption", "\"message\" is for http:// only; https:// has TLS");
    } else if (c->message_encryption && c->allow_unencrypted) {
        rc = bad(err, "/settings/allow_unencrypted", "does not go with encryption \"message\"");
    } else if (c->message_encryption && (c->auth == AUTH_BASIC || c->auth == AUTH_CERTIFICATE)) {
        rc = bad(err, "/settings/auth", "cannot encrypt messages; use negotiate, ntlm or kerberos");
    } else if (c->plain && c->auth == AUTH_BASIC && !is_loopback(c->host)) {
        rc = bad(err, "/settings/auth", "basic would show the password on an http:// connection");
    } else if (c->auth == AUTH_CERTIFICATE && (c->plain || !c->client_certificate)) {
        rc = bad(err, "/settings/client_certificate",
                 "and https:// are needed for auth certificate");
    }
    return rc;
}

static int read_settings(const json_t *settings, struct config *out, struct pv_err *err)
{
    const char *key;
    json_t *value;

    out->events = true;
    out->poll_interval_s = 60;
    out->max_connections = 4;
    out->operation_timeout_s = 60;
    (void)str_copy(out->locale, sizeof(out->locale), "en-US");
    if (settings && !json_is_null(settings) && !json_is_object(settings))
        return bad(err, "/settings", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)settings, key, value)
    {
        int rc = read_setting(key, value, out, err);

        if (rc)
            return rc;
    }
    return check_settings(out, err);
}

static int read_pins(const json_t *pins, struct config *out, struct pv_err *err)
{
    size_t n = json_array_size(pins);

    if (n > PINS_MOST)
        return bad(err, "/tls/pins", "has too many entries");
    out->pins = n ? calloc(n, sizeof(*out->pins)) : NULL;
    if (n && !out->pins)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(pins, i));
        uint8_t raw[32];

        if (!text || strlen(text) != 64 || !str_unhex(text, 64, raw))
            return bad(err, "/tls/pins", "must hold SHA-256 fingerprints of 64 hex digits");
        out->pins[i] = malloc(65);
        if (!out->pins[i])
            return pv_fail(err, PV_ENOMEM, "no memory");
        str_hex(raw, sizeof(raw), out->pins[i]);
        out->npins++;
    }
    return PV_OK;
}

static int read_tls(const json_t *tls, struct config *out, struct pv_err *err)
{
    const char *mode = json_string_value(json_object_get(tls, "mode"));
    const char *ca = json_string_value(json_object_get(tls, "ca_pem"));
    int rc;

    if (!mode || strcmp(mode, "ca") == 0)
        out->tls = HTTPC_TLS_CA;
    else if (strcmp(mode, "pin") == 0)
        out->tls = HTTPC_TLS_PIN;
    else if (strcmp(mode, "insecure") == 0)
        out->tls = HTTPC_TLS_INSECURE;
    else
        return bad(err, "/tls/mode", "must be ca, pin or insecure");
    if (ca && *ca) {
        out->ca_pem = strdup(ca);
        if (!out->ca_pem)
            return pv_fail(err, PV_ENOMEM, "no memory");
    }
    rc = read_pins(json_object_get(tls, "pins"), out, err);
    if (rc == PV_OK && out->tls == HTTPC_TLS_PIN && out->npins == 0)
        return bad(err, "/tls/pins", "must name a certificate when the mode is pin");
    return rc;
}

static int read_config(const json_t *root, struct config *out, struct pv_err *err)
{
    const char *name = json_string_value(json_object_get(root, "name"));
    const char *endpoint = json_string_value(json_object_get(root, "endpoint"));
    const char *username = json_string_value(json_object_get(root, "username"));
    int rc;

    if (!endpoint || !*endpoint)
        return bad_endpoint(err, "is missing");
    out->name = strdup(name ? name : "");
    out->username = strdup(username ? username : "");
    if (!out->name || !out->username)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = config_endpoint(endpoint, out, err);
    if (rc == PV_OK)
        rc = read_tls(json_object_get(root, "tls"), out, err);
    if (rc == PV_OK)
        rc = read_settings(json_object_get(root, "settings"), out, err);
    return rc;
}

int config_parse(const char *json, struct config *out, struct pv_err *err)
{
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    int rc;

    memset(out, 0, sizeof(*out));
    if (!root)
        return pv_fail(err, PV_EINVAL, "the configuration is not JSON: %s", where.text);
    rc = read_config(root, out, err);
    json_decref(root);
    if (rc)
        config_free(out);
    return rc;
}

void config_free(struct config *c)
{
    free(c->name);
    free(c->username);
    free(c->ca_pem);
    free(c->client_certificate);
    for (size_t i = 0; i < c->npins; i++)
        free(c->pins[i]);
    free(c->pins);
    memset(c, 0, sizeof(*c));
}
