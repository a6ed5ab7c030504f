/* SPDX-License-Identifier: Apache-2.0 */
/* Files that the server keeps: GET and PUT below /folder, with the cookie of the SOAP login. */
#include <stdio.h>
#include <string.h>

#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "drivers/vapi/session.h"

#define TRANSFER_MS (24u * 3600 * 1000) /* the whole of it; a stall ends it much earlier */

struct going {
    const struct session_transfer *t;
    uint64_t skip; /* bytes in front of what was asked for */
    bool wanted;   /* what comes is the file, not words about a failure */
};

static int on_status(void *ctx, long status)
{
    struct going *g = ctx;

    g->wanted = status == 200 || status == 206;
    g->skip = status == 200 ? g->t->skip : 0;
    return PV_OK;
}

static int on_body(void *ctx, const void *data, size_t len)
{
    struct going *g = ctx;
    size_t skip = g->skip < len ? (size_t)g->skip : len;

    if (!g->wanted || !g->t->take)
        return PV_OK;
    g->skip -= skip;
    return len > skip ? g->t->take(g->t->ctx, (const char *)data + skip, len - skip) : PV_OK;
}

static int64_t read_body(void *ctx, void *buf, size_t cap)
{
    struct going *g = ctx;

    return g->t->give(g->t->ctx, buf, cap);
}

static int refused(const struct session *s, const struct httpc_response *r, bool puts,
                   struct pv_err *err)
{
    char to[256] = "";
    int rc;

    switch (r->status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
        (void)httpc_header(r, "Location", to, sizeof(to));
        to[strcspn(to, "?")] = '\0';
        rc = pv_fail(err, PV_ENOTSUP, "%s sends the transfer to another address, %s", s->config.at.host,
                     to[0] ? to : "which it does not name");
        pv_err_remedy(err, "Add that host as a provider of its own and transfer the file there.");
        return rc;
    case 401:
        return pv_fail(err, PV_EAUTH, "the server ended the sign-in");
    case 403:
        rc = puts ? pv_fail(err, PV_EPERM, "the account may not write files of the datastore")
                  : pv_fail(err, PV_EPERM, "the account may not read files of the datastore");
        pv_err_needs(err, puts ? "Datastore.FileManagement" : "Datastore.Browse");
        return rc;
    case 404:
        rc = puts ? pv_fail(err, PV_ENOENT, "there is no folder for the file")
                  : pv_fail(err, PV_ENOENT, "there is no such file");
        pv_err_pointer(err, "/path");
        return rc;
    case 507:
        return pv_fail(err, PV_ENOSPC, "the datastore is full");
    default:
        return pv_fail(err, PV_EIO, "the server answers the transfer with HTTP %ld", r->status);
    }
}

int session_transfer(struct session *s, const struct call *c, const struct session_transfer *t,
                     struct pv_err *err)
{
    char url[8192], cookie[sizeof(s->cookie) + 16], range[80];
    const char *headers[3] = { cookie, "Content-Type: application/octet-stream", range };
    struct going g = { .t = t };
    struct httpc_request request = { .method = t->give ? "PUT" : "GET",
                                     .url = url,
                                     .headers = headers,
                                     .nheaders = t->range ? 3 : 2,
                                     .body_len = (size_t)t->size,
                                     .timeout_ms = TRANSFER_MS,
                                     .on_body = on_body,
                                     .on_status = on_status,
                                     .read_body = t->give ? read_body : NULL,
                                     .as_is = true,
                                     .ctx = &g };
    struct httpc_response response = { 0 };
    struct httpc *http = NULL;
    unsigned generation;
    int rc = session_login(s, c, &generation, err);

    if (rc)
        return rc;
    if (snprintf(url, sizeof(url), "%s%s", s->config.at.origin, t->path) >= (int)sizeof(url))
        return pv_fail(err, PV_EINVAL, "the path of the file is too long");
    if (t->range)
        (void)snprintf(range, sizeof(range), "Range: %s", t->range);
    rc = session_new_client(s, c, &http, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&s->lock);
    (void)snprintf(cookie, sizeof(cookie), "Cookie: %s", s->cookie);
    s->requests++;
    pthread_mutex_unlock(&s->lock);
    rc = httpc_send(http, &request, &response, err);
    explicit_bzero(cookie, sizeof(cookie));
    if (rc == PV_OK && response.status != 200 && response.status != 201 && response.status != 204 &&
        response.status != 206)
        rc = refused(s, &response, t->give != NULL, err);
    httpc_response_free(&response);
    httpc_free(http);
    return rc;
}
