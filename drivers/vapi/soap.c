/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/soap.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"

#define NS_ENVELOPE "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_VIM "urn:vim25"
#define REQUEST_MOST (8u << 20)
#define COOKIE "vmware_soap_session="

/* A page is at most 500 objects; real VMs have up to 50 KB each. */
static const struct xml_limits limits = { .max_bytes = 256u << 20, .max_depth = 96 };

static int read_body(const xmlNode *root, struct soap_answer *out, struct pv_err *err)
{
    const xmlNode *body = xml_child(root, NS_ENVELOPE, "Body");
    const xmlNode *first = xml_first(body);

    if (!xml_is(root, NS_ENVELOPE, "Envelope") || !first)
        return pv_fail_as(err, "provider-not-recognized", "the answer is not a SOAP envelope");
    if (xml_is(first, NS_ENVELOPE, "Fault")) {
        fault_read(first, &out->fault);
        out->signed_out = fault_is(&out->fault, "NotAuthenticated");
        return PV_OK;
    }
    out->response = first;
    return PV_OK;
}

int soap_read(const char *text, size_t len, struct soap_answer *out, struct pv_err *err)
{
    int rc = xml_parse(text, len, &limits, &out->doc, err);

    return rc ? rc : read_body(xmlDocGetRootElement(out->doc), out, err);
}

/* One answer on its way through the XML reader. */
struct stream {
    const struct soap_exchange *x;
    struct soap_answer *answer;
    struct xml_stream *xml;
    struct pv_err *err;
    int xml_rc; /* it is no XML: decided when the status is known */
    struct pv_err xml_err;
    int rc; /* a callback's own wish to stop */
};

static int on_element(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    struct stream *st = ctx;

    if (xml_is(element, NS_ENVELOPE, "Fault")) {
        fault_read(element, &st->answer->fault);
        st->answer->signed_out = fault_is(&st->answer->fault, "NotAuthenticated");
        return PV_OK;
    }
    st->rc = st->x->on_element(st->x->stream_ctx, element, err);
    return st->rc;
}

static int on_body(void *ctx, const void *data, size_t len)
{
    struct stream *st = ctx;
    int rc;

    if (st->xml_rc)
        return PV_OK; /* swallow an error page; the status says more */
    rc = xml_stream_feed(st->xml, data, len, &st->xml_err);
    if (st->rc) {
        if (st->err)
            *st->err = st->xml_err;
        return st->rc;
    }
    st->xml_rc = rc;
    return PV_OK;
}

static bool is_cancelled(void *ctx)
{
    const struct stream *st = ctx;

    return st->x->cancelled && st->x->cancelled(st->x->cancel_ctx);
}

static int fail_status(long status, struct soap_answer *out, struct pv_err *err)
{
    char native[16];
    int rc;

    (void)snprintf(native, sizeof(native), "HTTP %ld", status);
    if (status == 503) {
        out->overloaded = true;
        rc = pv_fail(err, PV_ELIMIT, "the server is overloaded or has too many logins (HTTP 503)");
    } else if (status == 404 || status == 405 || (status >= 200 && status < 400)) {
        rc = pv_fail_as(err, "provider-not-recognized",
                        "the address does not answer as vSphere (HTTP %ld)", status);
    } else {
        rc = pv_fail(err, PV_EIO, "the server answered with HTTP %ld", status);
    }
    pv_err_native(err, native);
    return rc;
}

/* The cookie exactly as received, quotes included. */
static void take_cookie(const struct httpc_response *r, struct soap_answer *out)
{
    const char *at = r->headers.data, *end;

    while (at && *at) {
        const char *eol = strchr(at, '\n');

        if (strncasecmp(at, "Set-Cookie:", 11) == 0) {
            at += 11;
            at += strspn(at, " \t");
            if (str_starts(at, COOKIE)) {
                end = at + strcspn(at, ";\r\n");
                if ((size_t)(end - at) < sizeof(out->cookie))
                    (void)str_copy_n(out->cookie, sizeof(out->cookie), at, (size_t)(end - at));
            }
        }
        at = eol ? eol + 1 : NULL;
    }
}

/* What httpc says about a write is said of a read, too: every request is a POST. */
static int connection_failure(const struct soap_exchange *x, const struct httpc_response *r, int rc,
                              struct pv_err *err)
{
    int code = rc;

    if (rc == PV_ECANCELED && !x->changes)
        return rc;
    if (!x->changes && rc == PV_EUNKNOWN)
        code = PV_EIO;
    else if (x->changes && r->sent && (rc == PV_ETIMEOUT || rc == PV_EIO || rc == PV_ECANCELED))
        code = PV_EUNKNOWN;
    if (err && code != rc) {
        err->rc = code;
        err->problem = NULL;
    }
    (void)pv_wrap(err, "%s", enc_method(x->request));
    return code;
}

static int finish(struct stream *st, const struct httpc_response *r, struct pv_err *err)
{
    struct soap_answer *out = st->answer;
    int rc = PV_OK;

    if (r->status == 401) {
        out->signed_out = true;
        return PV_OK;
    }
    if (r->status != 200 && r->status != 500)
        return fail_status(r->status, out, err);
    if (!st->x->stream[0])
        rc = soap_read(r->body.data ? r->body.data : "", r->body.len, out, err);
    else if (!st->xml_rc)
        rc = xml_stream_end(st->xml, err);
    else
        rc = st->xml_rc;
    if (rc && r->status == 500)
        return fail_status(r->status, out, err);
    if (rc && st->xml_rc && err)
        *err = st->xml_err;
    return rc;
}

static int send_request(struct stream *st, struct httpc_request *request, struct pv_err *err)
{
    struct httpc_response response = { 0 };
    int rc = httpc_send(st->x->http, request, &response, err);

    if (rc && st->rc) {
        rc = st->rc;
        if (err)
            *err = st->xml_err;
    } else if (rc) {
        rc = connection_failure(st->x, &response, rc, err);
    } else {
        take_cookie(&response, st->answer);
        rc = finish(st, &response, err);
    }
    httpc_response_free(&response);
    return rc;
}

static int send_streaming(struct stream *st, struct httpc_request *request, struct pv_err *err)
{
    struct xml_match matches[SOAP_STREAM_NAMES + 2] = { 0 };
    size_t n = 0;
    int rc;

    for (; n < SOAP_STREAM_NAMES && st->x->stream[n]; n++)
        matches[n] = (struct xml_match){ NS_VIM, st->x->stream[n], on_element };
    matches[n] = (struct xml_match){ NS_ENVELOPE, "Fault", on_element };
    rc = xml_stream_new(&limits, matches, st, &st->xml, err);
    if (rc)
        return rc;
    request->on_body = on_body;
    rc = send_request(st, request, err);
    xml_stream_free(st->xml);
    return rc;
}

int soap_send(const struct soap_exchange *x, struct soap_answer *out, struct pv_err *err)
{
    struct stream st = { .x = x, .answer = out, .err = err };
    char action[64], cookie[600];
    const char *headers[4] = { "Content-Type: text/xml; charset=utf-8", action, cookie };
    struct httpc_request request = {
        .method = "POST",
        .url = x->url,
        .headers = headers,
        .nheaders = x->cookie ? 3 : 2,
        .timeout_ms = x->timeout_ms,
        .stall_timeout_ms = x->stall_timeout_ms,
        .cancelled = is_cancelled,
        .ctx = &st,
    };
    struct buf body;
    int rc;

    memset(out, 0, sizeof(*out));
    (void)snprintf(action, sizeof(action), "SOAPAction: urn:vim25/%s",
                   x->version ? x->version : "6.0");
    (void)snprintf(cookie, sizeof(cookie), "Cookie: %s", x->cookie ? x->cookie : "");
    buf_init(&body, REQUEST_MOST);
    rc = enc_write(x->request, &body, err);
    if (!rc) {
        request.body = body.data;
        request.body_len = body.len;
        rc = x->stream[0] ? send_streaming(&st, &request, err) : send_request(&st, &request, err);
    }
    if (body.data)
        explicit_bzero(body.data, body.len); /* a Login holds the password */
    buf_free(&body);
    return rc;
}

void soap_answer_free(struct soap_answer *a)
{
    if (a->doc)
        xmlFreeDoc(a->doc);
    a->doc = NULL;
    a->response = NULL;
}

const xmlNode *soap_returnval(const struct soap_answer *a)
{
    return xml_child(a->response, NULL, "returnval");
}
