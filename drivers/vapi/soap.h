/* SPDX-License-Identifier: Apache-2.0 */
/*
 * soap - one exchange with the vim25 end point.
 *
 * Sends a request with a given cookie and reads the answer: as a document, or
 * element by element while it arrives (`stream`), which keeps big listings
 * flat in memory. Knows HTTP statuses and faults, nothing of logins:
 * session.h decides what a missing login means.
 *
 * Ownership: soap_answer_free. Threads: any; one exchange belongs to one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <polyvisor/xml.h>

#include "drivers/vapi/fault.h"

struct enc;
struct httpc;
struct pv_err;

#define SOAP_STREAM_NAMES 4

struct soap_exchange {
    struct httpc *http;
    const char *url;
    const char *version; /* of the interface; NULL: the oldest we know */
    const char *cookie;  /* "name=value", or NULL */
    const struct enc *request;
    bool changes; /* cut off after sending means PV_EUNKNOWN, else PV_EIO */
    unsigned timeout_ms, stall_timeout_ms;
    bool (*cancelled)(void *ctx);
    void *cancel_ctx;
    /* Elements of these names (ended by NULL) go to on_element, the rest of the answer is dropped.
     */
    const char *stream[SOAP_STREAM_NAMES + 1];
    xml_element_fn on_element;
    void *stream_ctx;
};

struct soap_answer {
    xmlDocPtr doc;           /* NULL when streamed */
    const xmlNode *response; /* the "...Response" element, in doc */
    struct fault fault;      /* type "" : none */
    bool signed_out;         /* the server knows no login for this request */
    bool overloaded;         /* HTTP 503 */
    char cookie[512]; /* "vmware_soap_session=..." when the answer set it, exactly as received */
};

/* PV_OK also when the answer is a fault. PV_EIO: no SOAP in it. *out is to be freed in every case.
 */
int soap_send(const struct soap_exchange *x, struct soap_answer *out, struct pv_err *err);
void soap_answer_free(struct soap_answer *a);
/* The first returnval, or NULL: a method may answer nothing. */
const xmlNode *soap_returnval(const struct soap_answer *a);
/* A whole envelope from text; what soap_send does with a body. */
int soap_read(const char *text, size_t len, struct soap_answer *out, struct pv_err *err);
