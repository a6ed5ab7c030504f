/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

enum value_type { TEXT, SWITCH, NUMBER, LEVEL, ISOLATION };

static const struct key {
    const char *name;
    enum value_type type;
    size_t offset, size;
    const char *doc;
} keys[] = {
#define KEY(name, type, member, doc)                                                               \
    { name, type, offsetof(struct config, member), sizeof(((struct config *)0)->member), doc }
    KEY("data", TEXT, data, "folder of database, keys and certificate"),
    KEY("listen", TEXT, listen, "ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH; port 0 takes a free one"),
    KEY("tls", SWITCH, tls, "off: plain HTTP, for loopback or a unix socket behind a proxy"),
    KEY("tls_cert", TEXT, tls_cert, "PEM file of the certificate; made by itself when not given"),
    KEY("tls_key", TEXT, tls_key, "PEM file of its key"),
    KEY("trusted_proxy", TEXT, trusted_proxy, "address whose X-Forwarded-For counts"),
    KEY("web", TEXT, web, "folder of the browser page, or none"),
    KEY("driver_dir", TEXT, driver_dir, "folder of the drivers"),
    KEY("driver_host", TEXT, driver_host, "the program that runs them"),
    KEY("isolation", ISOLATION, in_process, "process (each driver in its own), or none"),
    KEY("threads", NUMBER, threads, "HTTP threads; 0: by processors"),
    KEY("rate_per_s", NUMBER, rate_per_s, "requests per second of one caller; 0: no limit"),
    KEY("rate_burst", NUMBER, rate_burst, "requests at once above that"),
    KEY("log_level", LEVEL, log_level, "error, warn, info or debug"),
#undef KEY
};

int config_defaults(struct config *c, struct pv_err *err)
{
    const char *home = getenv("HOME");
    const char *xdg = getenv("XDG_DATA_HOME");
    char self[400];
    ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    memset(c, 0, sizeof(*c));
    if (len <= 0)
        return pv_fail_os(err, errno, "finding our own program");
    self[len] = '\0';
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    snprintf(c->driver_host, sizeof(c->driver_host), "%s/polyvisor-driverhost", self);
    slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    snprintf(c->web_default, sizeof(c->web_default), "%s/share/polyvisor/web", self);
    snprintf(c->driver_dir, sizeof(c->driver_dir), "%s/lib/polyvisor/drivers", self);

    if (geteuid() == 0)
        snprintf(c->data, sizeof(c->data), "/var/lib/polyvisor");
    else if (xdg && *xdg)
        snprintf(c->data, sizeof(c->data), "%s/polyvisor", xdg);
    else
        snprintf(c->data, sizeof(c->data), "%s/.local/share/polyvisor", home ? home : ".");
    str_copy(c->listen, sizeof(c->listen), "127.0.0.1:8443");
    c->tls = true;
    c->rate_per_s = 50;
    c->rate_burst = 200;
    c->log_level = PV_LOG_INFO;
    return PV_OK;
}

static int set_number(const struct key *k, void *at, const char *value, struct pv_err *err)
{
    uint64_t v;

    if (!str_u64(value, strlen(value), 1000000, &v))
        return pv_fail(err, PV_EINVAL, "%s = %s: a number is wanted", k->name, value);
    *(int *)at = (int)v;
    return PV_OK;
}

int config_set(struct config *c, const char *key, const char *value, struct pv_err *err)
{
    for (size_t i = 0; i < PV_COUNT(keys); i++) {
        const struct key *k = &keys[i];
        void *at = (char *)c + k->offset;

        if (strcmp(k->name, key) != 0)
            continue;
        switch (k->type) {
        case TEXT:
            if (!str_copy(at, k->size, value))
                return pv_fail(err, PV_EINVAL, "%s: the value is too long", key);
            return PV_OK;
        case NUMBER:
            return set_number(k, at, value, err);
        case SWITCH:
            if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
                return pv_fail(err, PV_EINVAL, "%s = %s: on or off is wanted", key, value);
            *(bool *)at = strcmp(value, "on") == 0;
            return PV_OK;
        case ISOLATION:
            if (strcmp(value, "process") != 0 && strcmp(value, "none") != 0)
                return pv_fail(err, PV_EINVAL, "%s = %s: process or none is wanted", key, value);
            *(bool *)at = strcmp(value, "none") == 0;
            return PV_OK;
        case LEVEL:
            if (!log_level_parse(value, at))
                return pv_fail(err, PV_EINVAL, "%s = %s: error, warn, info or debug is wanted", key, value);
            return PV_OK;
        }
    }
    return pv_fail(err, PV_EINVAL, "there is no setting \"%s\"; polyvisord --help lists them", key);
}

static char *trim(char *text)
{
    size_t len;

    while (isspace((unsigned char)*text))
        text++;
    len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = '\0';
    return text;
}

int config_read_file(struct config *c, const char *path, struct pv_err *err)
{
    PV_AUTO_FREE char *text = NULL;
    size_t len = 0;
    unsigned number = 0;
    char *rest = NULL;
    int rc = str_read_file(path, 64u << 10, &text, &len, err);

    if (rc != PV_OK)
        return rc;
    /* Empty lines count for the numbers in messages, so no strtok here. */
    for (char *line = text; line; line = rest) {
        char *value;

        rest = strchr(line, '\n');
        if (rest)
            *rest++ = '\0';
        number++;
        line = trim(line);
        if (*line == '\0' || *line == '#')
            continue;
        value = strchr(line, '=');
        if (!value)
            return pv_fail(err, PV_EINVAL, "%s:%u: \"key = value\" is wanted", path, number);
        *value++ = '\0';
        rc = config_set(c, trim(line), trim(value), err);
        if (rc != PV_OK) {
            pv_wrap(err, "%s:%u", path, number);
            return rc;
        }
    }
    return PV_OK;
}

void config_print_keys(void)
{
    for (size_t i = 0; i < PV_COUNT(keys); i++)
        printf("  %-14s %s\n", keys[i].name, keys[i].doc);
}
