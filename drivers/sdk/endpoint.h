/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint - what the configuration of every provider that is reached over
 * HTTP says, checked: name, user, address, and how its certificate is judged.
 *
 * The address may be a bare host, host:port or a URL; port and path are added
 * when missing. Settings are the driver's: endpoint_parse gives it one member
 * after the other, and it refuses those it does not know.
 *
 * Ownership: endpoint_free. Threads: immutable after endpoint_parse.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include <polyvisor/httpc.h>

struct pv_err;

struct endpoint {
    char *name, *username;
    char url[512];    /* https://host:port/path */
    char origin[384]; /* https://host:port */
    char host[256];   /* without brackets */
    unsigned port;
    bool plain; /* http:// */
    enum httpc_tls tls;
    char *ca_pem;
    char **pins;
    size_t npins;
};

/* What addresses of a product look like. */
struct endpoint_kind {
    unsigned https_port, http_port;
    const char *path;   /* "/sdk", where none is given */
    const char *remedy; /* how to write one */
    bool http_nearby;   /* http:// for loopback addresses only; else the driver decides */
};

/* One member of `settings`. `pointer`: where it stands, for errors. */
typedef int (*endpoint_setting_fn)(void *ctx, const char *key, const json_t *value,
                                   const char *pointer, struct pv_err *err);

int endpoint_parse(const char *json, const struct endpoint_kind *kind, endpoint_setting_fn setting,
                   void *ctx, struct endpoint *out, struct pv_err *err);
void endpoint_free(struct endpoint *e);
/* Only the address: fills url, origin, host, port, plain. */
int endpoint_address(const char *text, const struct endpoint_kind *kind, struct endpoint *out,
                     struct pv_err *err);
bool endpoint_is_nearby(const struct endpoint *e);
/* Whether the configuration takes this certificate. An authority of its own is judged by the request
 * that follows. */
bool endpoint_accepts(const struct endpoint *e, const struct httpc_certificate *cert);

/* For endpoint_setting_fn. */
int setting_bad(struct pv_err *err, const char *pointer, const char *why);
int setting_flag(const json_t *value, const char *pointer, bool *out, struct pv_err *err);
int setting_number(const json_t *value, const char *pointer, unsigned least, unsigned most,
                   unsigned *out, struct pv_err *err);
