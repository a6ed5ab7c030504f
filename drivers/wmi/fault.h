/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault - what a Windows host says went wrong, and which of our codes that is.
 *
 * The innermost code and text of a SOAP fault count: a WSManFault may hold a
 * ProviderFault, which holds another WSManFault or an extended error of WMI.
 * The table of code names is made from schema/wsman-errors.json at build time;
 * what a code means for us and what to do about it stands in fault.c. Numbers
 * decide, texts (often in the host's language) are only passed on.
 *
 * Ownership: plain values. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <libxml/tree.h>

struct pv_err;

struct fault_code {
    uint32_t code;
    const char *name;
};
/* Sorted by code; made by schema/generate.py. */
extern const struct fault_code fault_codes[], fault_returns[];
extern const unsigned fault_codes_count, fault_returns_count;

struct fault {
    bool there;
    bool has_code;
    uint32_t code;    /* innermost */
    uint32_t outer;   /* outermost WSManFault code; 0: none */
    char subcode[64]; /* local part of s:Subcode: "TimedOut" */
    char detail[64];  /* last part of w:FaultDetail: "MaxEnvelopeSize" */
    char text[256];   /* the host's own words */
};

/* An s:Fault element. */
void fault_read(const xmlNode *fault, struct fault *out);
bool fault_is(const struct fault *f, const char *subcode);
/* The code is in it, innermost or outermost. */
bool fault_has(const struct fault *f, uint32_t code);
/* No event or answer within OperationTimeout. */
bool fault_timed_out(const struct fault *f);
/* The answer did not fit MaxEnvelopeSize. */
bool fault_too_large(const struct fault *f);
/* Filters, or their dialect, are refused. */
bool fault_no_filter(const struct fault *f);
/* A quota of the host is used up. */
bool fault_quota(const struct fault *f);
/* Symbolic name of a code, or NULL. */
const char *fault_name(uint32_t code);
/* Fills *err and yields the code. `what` names what was tried; `changes`: it may have taken effect. */
int fault_fail(const struct fault *f, const char *what, bool changes, struct pv_err *err);
/* The same for a code alone, as jobs and their errors carry it. */
int fault_fail_code(uint32_t code, const char *what, const char *text, struct pv_err *err);
