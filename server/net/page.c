/* SPDX-License-Identifier: Apache-2.0 */
/* Answers with the files of the browser page. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/net/assets.h"
#include "server/net/inside.h"

/* Scripts and styles come from our own files alone; styles set by scripts are no matter of this policy. */
#define PAGE_CSP                                                                                   \
    "default-src 'self'; connect-src 'self'; img-src 'self' data:; object-src 'none'; "            \
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

static const char missing_page[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head><meta charset=\"utf-8\"><title>Polyvisor</title></head>\n"
    "<body>\n"
    "<h1>Polyvisor is running</h1>\n"
    "<p>Its browser page is not installed here: the server found no built page at start.</p>\n"
    "<ul>\n"
    "<li>From the source: <code>deploy/run</code> builds the page; or build it with "
    "<code>npm ci &amp;&amp; npm run build</code> in <code>web</code> and start "
    "<code>polyvisord --web web/dist</code>.</li>\n"
    "<li>From a package: install it again; the page belongs into "
    "<code>share/polyvisor/web</code> beside the program's <code>bin</code>.</li>\n"
    "</ul>\n"
    "<p>The API answers all the same: <a href=\"/api/v1\">/api/v1</a>, described at "
    "<a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>. "
    "The command <code>polyvisor</code> needs no page.</p>\n"
    "</body>\n"
    "</html>\n";

/* What other programs answer under this address, or will: never the page. */
static bool is_reserved(const char *path)
{
    static const char *const names[] = { "/api", "/agent", "/console", "/metrics", "/healthz", "/readyz" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);

        if (strncmp(path, names[i], len) == 0 && (path[len] == '/' || path[len] == '\0'))
            return true;
    }
    return false;
}

static enum req_result nothing_there(struct req *r)
{
    struct pv_err err = { 0 };

    pv_fail(&err, PV_ENOENT, "there is nothing at %s", r->path);
    return reply_problem(r, &err);
}

static enum req_result not_installed(struct req *r)
{
    const char *accept = req_header(r, "Accept");
    struct pv_err err = { 0 };

    if (accept && strstr(accept, "text/html")) {
        reply_header(r, "Cache-Control", "no-store");
        reply_still(r, 404, "text/html; charset=utf-8", missing_page, sizeof(missing_page) - 1);
        return REQ_DONE;
    }
    pv_fail(&err, PV_ENOENT, "there is nothing at %s; the browser page is not installed", r->path);
    return reply_problem(r, &err);
}

/* If-None-Match compares weakly, and other forms of a file are other answers. */
static bool has_it(const struct req *r, const char *etag)
{
    const char *known = req_header(r, "If-None-Match");

    return known && (strcmp(known, "*") == 0 || strstr(known, etag) != NULL);
}

static enum asset_form choose_form(const struct req *r, const struct asset *a)
{
    if (a->forms[ASSET_BR].data && encoding_accepted(r, "br"))
        return ASSET_BR;
    if (a->forms[ASSET_GZ].data && encoding_accepted(r, "gzip"))
        return ASSET_GZ;
    return ASSET_PLAIN;
}

static enum req_result send_asset(struct req *r, const struct asset *a)
{
    enum asset_form form = choose_form(r, a);
    const struct asset_body *body = &a->forms[form];

    reply_header(r, "ETag", body->etag);
    reply_header(r, "Cache-Control", a->for_ever ? "public, max-age=31536000, immutable" : "no-cache");
    reply_header(r, "Content-Security-Policy", PAGE_CSP);
    reply_header(r, "Permissions-Policy", "camera=(), geolocation=(), microphone=()");
    if (a->forms[ASSET_BR].data || a->forms[ASSET_GZ].data)
        reply_header(r, "Vary", "Accept-Encoding");
    if (has_it(r, body->etag))
        return reply_empty(r, 304);
    if (form != ASSET_PLAIN)
        reply_header(r, "Content-Encoding", form == ASSET_BR ? "br" : "gzip");
    reply_still(r, 200, a->type, body->data, body->len);
    return REQ_DONE;
}

enum req_result reply_page(struct req *r)
{
    const struct assets *all = request_of(r)->net->assets;
    const struct asset *a;

    if (is_reserved(r->path))
        return nothing_there(r);
    if (!all)
        return not_installed(r);
    a = assets_find(all, r->path);
    /* An address of the page's own: the page looks at it and shows what belongs there. */
    if (!a && !strchr(r->path, '.'))
        a = assets_find(all, "/index.html");
    return a ? send_asset(r, a) : nothing_there(r);
}
