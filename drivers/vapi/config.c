/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define PINS_MOST 8
#define POLL_LEAST 20
#define POLL_MOST 86400
#define POLL_USUAL 300

const char config_schema[] =
    "{\"title\":\"VMware vSphere\","
    "\"description\":\"A vCenter Server or a single ESXi host, by its own API.\","
    "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"events\":{\"type\":\"boolean\",\"default\":true,"
    "\"title\":\"Events\",\"description\":\"Read the server's own events.\"},"
    "\"tags\":{\"type\":\"boolean\",\"default\":true,"
    "\"title\":\"Tags\",\"description\":\"Read the tags of a vCenter.\"},"
    "\"poll_interval_s\":{\"type\":\"integer\",\"minimum\":20,\"maximum\":86400,\"default\":300,"
    "\"title\":\"Poll interval\",\"description\":"
    "\"Seconds between two readings of what the server does not announce: load, free space, "
    "status.\"}}}";

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 || str_starts(host, "127.");
}

static int bad_endpoint(struct pv_err *err, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "the endpoint %s", why);

    pv_err_pointer(err, "/endpoint");
    pv_err_remedy(
        err, "Give the vCenter's or host's name, or a URL as https://vcenter.example.com/sdk.");
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
    out->port = out->plain ? 80 : 443;
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
        return bad_endpoint(err, "must begin with https://");
    }
    rc = read_authority(at, out, &path, err);
    if (rc)
        return rc;
    if (out->plain && !is_loopback(out->host))
        return bad_endpoint(err,
                            "must begin with https:// (plain http works on this machine only)");
    path_len = strlen(path);
    while (path_len > 0 && path[path_len - 1] == '/')
        path_len--;
    if (memchr(path, '?', path_len) || memchr(path, '#', path_len) || path_len > 80)
        return bad_endpoint(err, "must end with /sdk");
    brackets = strchr(out->host, ':');
    (void)snprintf(out->origin, sizeof(out->origin), "%s://%s%s%s:%u",
                   out->plain ? "http" : "https", brackets ? "[" : "", out->host,
                   brackets ? "]" : "", out->port);
    (void)snprintf(out->url, sizeof(out->url), "%s%.*s", out->origin, path_len ? (int)path_len : 4,
                   path_len ? path : "/sdk");
    return PV_OK;
}

static int bad(struct pv_err *err, const char *pointer, const char *why)
{
    int rc = pv_fail(err, PV_EINVAL, "%s %s", pointer, why);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int read_settings(const json_t *settings, struct config *out, struct pv_err *err)
{
    const char *key;
    json_t *value;

    out->events = true;
    out->tags = true;
    out->poll_interval_s = POLL_USUAL;
    if (!settings || json_is_null(settings))
        return PV_OK;
    if (!json_is_object(settings))
        return bad(err, "/settings", "must be an object");
    json_object_foreach((json_t *)(uintptr_t)settings, key, value)
    {
        char pointer[96];

        (void)snprintf(pointer, sizeof(pointer), "/settings/%.64s", key);
        if (strcmp(key, "events") == 0 || strcmp(key, "tags") == 0) {
            if (!json_is_boolean(value))
                return bad(err, pointer, "must be true or false");
            *(key[0] == 'e' ? &out->events : &out->tags) = json_is_true(value);
        } else if (strcmp(key, "poll_interval_s") == 0) {
            json_int_t n = json_integer_value(value);

            if (!json_is_integer(value) || n < POLL_LEAST || n > POLL_MOST)
                return bad(err, pointer, "must be a whole number from 20 to 86400");
            out->poll_interval_s = (unsigned)n;
        } else {
            return bad(err, pointer, "is not a setting of this driver");
        }
    }
    return PV_OK;
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
    for (size_t i = 0; i < c->npins; i++)
        free(c->pins[i]);
    free(c->pins);
    memset(c, 0, sizeof(*c));
}
