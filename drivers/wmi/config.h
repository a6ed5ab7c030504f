/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what a provider's configuration says, checked.
 *
 * The endpoint may be a bare host, host:port or a URL; port 5986 and "/wsman"
 * are added when missing. http:// (port 5985) needs one of the settings
 * encryption "message" or allow_unencrypted true. Settings are strict: an
 * unknown member is PV_EINVAL.
 *
 * Ownership: config_free. Threads: immutable after config_parse.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <polyvisor/httpc.h>

struct pv_err;

enum config_auth {
    AUTH_NEGOTIATE, /* Kerberos where there is a ticket, else NTLM */
    AUTH_NTLM,
    AUTH_KERBEROS,
    AUTH_BASIC,
    AUTH_CERTIFICATE
};

struct config {
    char *name, *username;
    char url[512];    /* https://host:port/wsman */
    char origin[384]; /* https://host:port */
    char host[256];   /* without brackets */
    unsigned port;
    bool plain;              /* http:// */
    bool message_encryption; /* settings encryption: "message" */
    bool allow_unencrypted;
    enum config_auth auth;
    enum httpc_tls tls;
    char *ca_pem;
    char *client_certificate; /* PEM, or NULL */
    char **pins;
    size_t npins;
    bool events;
    unsigned poll_interval_s;     /* between two readings while nothing happens, 10 to 3600 */
    unsigned max_connections;     /* 1 to 4 */
    unsigned operation_timeout_s; /* w:OperationTimeout, 5 to 600 */
    char locale[16];              /* w:Locale, "en-US" */
};

extern const char config_schema[];

int config_parse(const char *json, struct config *out, struct pv_err *err);
void config_free(struct config *c);
/* Fills url, origin, host, port, plain. */
int config_endpoint(const char *endpoint, struct config *out, struct pv_err *err);
