/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - what a provider's configuration says, checked.
 *
 * The endpoint (endpoint.h) gets port 5986 and "/wsman" where they are missing.
 * http:// (port 5985) needs one of the settings
 * encryption "message" or allow_unencrypted true. Settings are strict: an
 * unknown member is PV_EINVAL.
 *
 * Ownership: config_free. Threads: immutable after config_parse.
 */
#pragma once

#include <stdbool.h>

#include "drivers/sdk/endpoint.h"

struct pv_err;

enum config_auth {
    AUTH_NEGOTIATE, /* Kerberos where there is a ticket, else NTLM */
    AUTH_NTLM,
    AUTH_KERBEROS,
    AUTH_BASIC,
    AUTH_CERTIFICATE
};

struct config {
    struct endpoint at;
    bool message_encryption; /* settings encryption: "message" */
    bool allow_unencrypted;
    enum config_auth auth;
    char *client_certificate; /* PEM, or NULL */
    bool events;
    unsigned poll_interval_s;     /* between two readings while nothing happens, 10 to 3600 */
    unsigned max_connections;     /* 1 to 4 */
    unsigned operation_timeout_s; /* w:OperationTimeout, 5 to 600 */
    unsigned outcome_wait_s;      /* how long the effect of a lost change is looked for, 1 to 600 */
    char locale[16];              /* w:Locale, "en-US" */
};

extern const char config_schema[];

int config_parse(const char *json, struct config *out, struct pv_err *err);
void config_free(struct config *c);
