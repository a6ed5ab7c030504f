/* SPDX-License-Identifier: Apache-2.0 */
/*
 * finding - the findings of a probe: an array of {step, ok, detail, code?,
 * remedy?, data?}, and the steps that are the same for everything reached over
 * HTTPS: name, port, certificate.
 *
 * findings_init, steps, then findings_take or findings_drop. finding_begin
 * leaves the object open for more members: jsonw_* on `w`, then jsonw_end.
 * Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <polyvisor/jsonw.h>

#include "drivers/sdk/call.h"
#include "drivers/sdk/endpoint.h"

struct addrinfo;

struct findings {
    struct jsonw w;
    struct buf out;
    const struct call *call;    /* borrowed */
    struct addrinfo *addresses; /* owned; of findings_name */
};

void findings_init(struct findings *f, const struct call *call, size_t most);
/* Ends the array. PV_ECANCELED if the call was cancelled meanwhile. */
int findings_take(struct findings *f, char **report, struct pv_err *err);
void findings_drop(struct findings *f);

void finding_begin(struct findings *f, const char *step, bool ok, const char *detail);
void finding_fine(struct findings *f, const char *step, const char *detail);
/* `code`: problem code, or NULL. `script`: what to paste on the provider's console, or NULL. */
void finding_failed(struct findings *f, const char *step, const char *code, const char *detail,
                    const char *remedy, const char *script);
void finding_failed_err(struct findings *f, const char *step, const struct pv_err *err,
                        const char *script);

/* Steps yield whether the next one makes sense. */
bool findings_name(struct findings *f, const struct endpoint *e);
/* 0: something listens there; else an errno value. */
int findings_connect(struct findings *f, unsigned port);
/* What to do where the port speaks no TLS, and where the certificate is not taken. */
struct certificate_help {
    const char *no_tls, *no_tls_script, *not_taken;
};
bool findings_certificate(struct findings *f, const struct endpoint *e,
                          const struct certificate_help *help);
