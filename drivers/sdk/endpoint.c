/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/endpoint.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define PINS_MOST 8

/* ------------------------------------------------------------------ settings */

int setting_bad(struct pv_err *err, const char *pointer, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "%s %s", pointer, why);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

int setting_flag(const json_t *value, const char *pointer, bool *out, struct pv_err *err)
{
    if (!json_is_boolean(value))
        return setting_bad(err, pointer, "must be true or false");
    *out = json_is_true(value);
    return PV_OK;
}

int setting_number(const json_t *value, const char *pointer, unsigned least, unsigned most,
                   unsigned *out, struct pv_err *err)
{
    json_int_t n = json_integer_value(value);
    char why[64];

    (void)snprintf(why, sizeof(why), "must be a whole number from %u to %u", least, most);
    if (!json_is_integer(value) || n < (json_int_t)least || n > (json_int_t)most)
        return setting_bad(err, pointer, why);
    *out = (unsigned)n;
    return PV_OK;
}

/* ------------------------------------------------------------------ the address */

bool endpoint_is_nearby(const struct endpoint *e)
{
    return strcmp(e->host, "localhost") == 0 || strcmp(e->host, "::1") == 0 ||
           str_starts(e->host, "127.");
}

static int bad_address(const struct endpoint_kind *kind, struct pv_err *err, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "the endpoint %s", why);

    pv_err_pointer(err, "/endpoint");
    pv_err_remedy(err, "%s", kind->remedy);
    return rc;
}

/* "host", "host:port", "[v6]:port"; *rest is what follows. */
static int read_authority(const char *at, const struct endpoint_kind *kind, struct endpoint *out,
                          const char **rest, struct pv_err *err)
{
    size_t len = strcspn(at, "/?#"), host_len;
    const char *host = at, *port = NULL, *end = at + len;
    uint64_t number;

    *rest = end;
    if (memchr(at, '@', len))
        return bad_address(kind, err, "must not hold a user name");
    if (len > 0 && *at == '[') {
        const char *close = memchr(at, ']', len);

        if (!close)
            return bad_address(kind, err, "has an unfinished IPv6 address");
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
        return bad_address(kind, err, "has no host name");
    (void)str_copy_n(out->host, sizeof(out->host), host, host_len);
    for (const char *p = out->host; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 127 || strchr("\"<>\\^`{|}%", *p))
            return bad_address(kind, err, "has a character that no host name has");
    out->port = out->plain ? kind->http_port : kind->https_port;
    if (port) {
        if (*port != ':' || !str_u64(port + 1, (size_t)(end - port - 1), 65535, &number) ||
            number == 0)
            return bad_address(kind, err, "has a port that is none");
        out->port = (unsigned)number;
    }
    return PV_OK;
}

int endpoint_address(const char *text, const struct endpoint_kind *kind, struct endpoint *out,
                     struct pv_err *err)
{
    const char *at = text, *path, *brackets;
    size_t path_len;
    char why[96];
    int rc;

    out->plain = false;
    if (strncasecmp(at, "https://", 8) == 0) {
        at += 8;
    } else if (strncasecmp(at, "http://", 7) == 0) {
        at += 7;
        out->plain = true;
    } else if (strstr(at, "://")) {
        return bad_address(kind, err,
                           kind->http_nearby ? "must begin with https://"
                                             : "must begin with https:// or http://");
    }
    rc = read_authority(at, kind, out, &path, err);
    if (rc)
        return rc;
    if (out->plain && kind->http_nearby && !endpoint_is_nearby(out))
        return bad_address(kind, err,
                           "must begin with https:// (plain http works on this machine only)");
    path_len = strlen(path);
    while (path_len > 0 && path[path_len - 1] == '/')
        path_len--;
    (void)snprintf(why, sizeof(why), "must end with a path, usually %s", kind->path);
    if (memchr(path, '?', path_len) || memchr(path, '#', path_len) || path_len > 80)
        return bad_address(kind, err, why);
    brackets = strchr(out->host, ':');
    (void)snprintf(out->origin, sizeof(out->origin), "%s://%s%s%s:%u",
                   out->plain ? "http" : "https", brackets ? "[" : "", out->host,
                   brackets ? "]" : "", out->port);
    (void)snprintf(out->url, sizeof(out->url), "%s%.*s", out->origin,
                   (int)(path_len ? path_len : strlen(kind->path)), path_len ? path : kind->path);
    return PV_OK;
}

/* ------------------------------------------------------------------ its certificate */

bool endpoint_accepts(const struct endpoint *e, const struct httpc_certificate *cert)
{
    if (e->tls == HTTPC_TLS_INSECURE || (e->tls == HTTPC_TLS_CA && e->ca_pem))
        return true;
    for (size_t i = 0; e->tls == HTTPC_TLS_PIN && i < e->npins; i++)
        if (strcmp(e->pins[i], cert->sha256) == 0)
            return true;
    return e->tls == HTTPC_TLS_CA && cert->trusted;
}

static int read_pins(const json_t *pins, struct endpoint *out, struct pv_err *err)
{
    size_t n = json_array_size(pins);

    if (n > PINS_MOST)
        return setting_bad(err, "/tls/pins", "has too many entries");
    out->pins = n ? calloc(n, sizeof(*out->pins)) : NULL;
    if (n && !out->pins)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(pins, i));
        uint8_t raw[32];

        if (!text || strlen(text) != 64 || !str_unhex(text, 64, raw))
            return setting_bad(err, "/tls/pins", "must hold SHA-256 fingerprints of 64 hex digits");
        out->pins[i] = malloc(65);
        if (!out->pins[i])
            return pv_fail(err, PV_ENOMEM, "no memory");
        str_hex(raw, sizeof(raw), out->pins[i]);
        out->npins++;
    }
    return PV_OK;
}

static int read_tls(const json_t *tls, struct endpoint *out, struct pv_err *err)
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
        return setting_bad(err, "/tls/mode", "must be ca, pin or insecure");
    if (ca && *ca) {
        out->ca_pem = strdup(ca);
        if (!out->ca_pem)
            return pv_fail(err, PV_ENOMEM, "no memory");
    }
    rc = read_pins(json_object_get(tls, "pins"), out, err);
    if (rc == PV_OK && out->tls == HTTPC_TLS_PIN && out->npins == 0)
        return setting_bad(err, "/tls/pins", "must name a certificate when the mode is pin");
    return rc;
}

/* ------------------------------------------------------------------ all of it */

static int read_settings(const json_t *settings, endpoint_setting_fn setting, void *ctx,
                         struct pv_err *err)
{
    const char *key;
    json_t *value;

    if (settings && !json_is_null(settings) && !json_is_object(settings))
        return setting_bad(err, "/settings", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)settings, key, value)
    {
        char pointer[96];
        int rc;

        (void)snprintf(pointer, sizeof(pointer), "/settings/%.64s", key);
        rc = setting(ctx, key, value, pointer, err);
        if (rc)
            return rc;
    }
    return PV_OK;
}

static int read_all(const json_t *root, const struct endpoint_kind *kind,
                    endpoint_setting_fn setting, void *ctx, struct endpoint *out,
                    struct pv_err *err)
{
    const char *name = json_string_value(json_object_get(root, "name"));
    const char *address = json_string_value(json_object_get(root, "endpoint"));
    const char *username = json_string_value(json_object_get(root, "username"));
    int rc;

    if (!address || !*address)
        return bad_address(kind, err, "is missing");
    out->name = strdup(name ? name : "");
    out->username = strdup(username ? username : "");
    if (!out->name || !out->username)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = endpoint_address(address, kind, out, err);
    if (rc == PV_OK)
        rc = read_tls(json_object_get(root, "tls"), out, err);
    if (rc == PV_OK)
        rc = read_settings(json_object_get(root, "settings"), setting, ctx, err);
    return rc;
}

int endpoint_parse(const char *json, const struct endpoint_kind *kind, endpoint_setting_fn setting,
                   void *ctx, struct endpoint *out, struct pv_err *err)
{
    json_error_t where;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    int rc;

    memset(out, 0, sizeof(*out));
    if (!root)
        return pv_fail(err, PV_EINVAL, "the configuration is not JSON: %s", where.text);
    rc = read_all(root, kind, setting, ctx, out, err);
    json_decref(root);
    if (rc)
        endpoint_free(out);
    return rc;
}

void endpoint_free(struct endpoint *e)
{
    free(e->name);
    free(e->username);
    free(e->ca_pem);
    for (size_t i = 0; i < e->npins; i++)
        free(e->pins[i]);
    free(e->pins);
    memset(e, 0, sizeof(*e));
}
