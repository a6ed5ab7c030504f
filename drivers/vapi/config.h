/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what a provider's configuration says, checked.
 *
 * The endpoint may be a bare host, host:port or a URL; "/sdk" is added when
 * there is no path. Plain http is accepted for loopback addresses only.
 * Settings are strict: an unknown member is PV_EINVAL.
 *
 * Ownership: config_free. Threads: immutable after config_parse.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <polyvisor/httpc.h>

struct pv_err;

struct config {
    char *name, *username;
    char url[512];    /* https://host[:port]/sdk */
    char origin[384]; /* https://host[:port] */
    char host[256];   /* without brackets */
    unsigned port;
    bool plain; /* http on loopback */
    enum httpc_tls tls;
    char *ca_pem;
    char **pins;
    size_t npins;
    bool events, tags;
    unsigned poll_interval_s;
};

extern const char config_schema[];

int config_parse(const char *json, struct config *out, struct pv_err *err);
void config_free(struct config *c);
/* Fills url, origin, host, port, plain. */
int config_endpoint(const char *endpoint, struct config *out, struct pv_err *err);
