/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/finding.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#define CONNECT_MS 10000
#define CERTIFICATE_MS 10000
#define ASK_MS 250 /* between two looks at whether the call was cancelled */

void findings_init(struct findings *f, const struct call *call, size_t most)
{
    memset(f, 0, sizeof(*f));
    f->call = call;
    buf_init(&f->out, most);
    jsonw_init(&f->w, &f->out);
    jsonw_array(&f->w, NULL);
}

void findings_drop(struct findings *f)
{
    if (f->addresses)
        freeaddrinfo(f->addresses);
    f->addresses = NULL;
    buf_free(&f->out);
}

int findings_take(struct findings *f, char **report, struct pv_err *err)
{
    int rc = PV_OK;

    jsonw_end(&f->w);
    if (call_cancelled((void *)(uintptr_t)f->call))
        rc = pv_fail(err, PV_ECANCELED, "canceled");
    else if (!(*report = buf_take(&f->out)))
        rc = pv_fail(err, PV_ENOMEM, "no memory for the findings");
    findings_drop(f);
    return rc;
}

void finding_begin(struct findings *f, const char *step, bool ok, const char *detail)
{
    jsonw_object(&f->w, NULL);
    jsonw_str(&f->w, "step", step);
    jsonw_bool(&f->w, "ok", ok);
    jsonw_str(&f->w, "detail", detail);
}

void finding_fine(struct findings *f, const char *step, const char *detail)
{
    finding_begin(f, step, true, detail);
    jsonw_end(&f->w);
}

void finding_failed(struct findings *f, const char *step, const char *code, const char *detail,
                    const char *remedy, const char *script)
{
    finding_begin(f, step, false, detail);
    if (code)
        jsonw_str(&f->w, "code", code);
    if (remedy && *remedy)
        jsonw_str(&f->w, "remedy", remedy);
    if (script) {
        jsonw_object(&f->w, "data");
        jsonw_str(&f->w, "script", script);
        jsonw_end(&f->w);
    }
    jsonw_end(&f->w);
}

void finding_failed_err(struct findings *f, const char *step, const struct pv_err *err,
                        const char *script)
{
    const struct pv_problem *problem = pv_err_problem(err);
    char detail[700];

    (void)snprintf(detail, sizeof(detail), "%s%s%s%s", err->message,
                   err->native_code[0] ? " (" : "", err->native_code,
                   err->native_code[0] ? ")" : "");
    finding_failed(f, step, problem->code, detail, err->remedy[0] ? err->remedy : problem->remedy,
                   script);
}

/* ------------------------------------------------------------------ name and port */

bool findings_name(struct findings *f, const struct endpoint *e)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    char port[8], detail[1400], text[NI_MAXHOST] = "";
    int code;

    (void)snprintf(port, sizeof(port), "%u", e->port);
    code = getaddrinfo(e->host, port, &hints, &f->addresses);
    if (code) {
        f->addresses = NULL;
        (void)snprintf(detail, sizeof(detail), "%s: %s", e->host, gai_strerror(code));
        finding_failed(f, "name", "provider-offline", detail,
                       "Check the spelling, and that this server's DNS knows the name.", NULL);
        return false;
    }
    (void)getnameinfo(f->addresses->ai_addr, f->addresses->ai_addrlen, text, sizeof(text), NULL, 0,
                      NI_NUMERICHOST);
    (void)snprintf(detail, sizeof(detail), "%s is %s", e->host, text);
    finding_fine(f, "name", detail);
    return true;
}

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
}

/* 0, or an errno value. */
static int try_connect(const struct addrinfo *a, unsigned port, const struct call *c)
{
    PV_AUTO_CLOSE int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    struct sockaddr_storage address = { 0 };
    int code = 0;
    socklen_t len = sizeof(code);

    if (fd < 0)
        return errno;
    memcpy(&address, a->ai_addr, a->ai_addrlen);
    set_port(&address, port);
    if (connect(fd, (const struct sockaddr *)&address, a->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    for (unsigned waited = 0; waited < CONNECT_MS; waited += ASK_MS) {
        if (poll(&wait, 1, ASK_MS) > 0)
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) ? errno : code;
        if (call_cancelled((void *)(uintptr_t)c))
            return ECANCELED;
    }
    return ETIMEDOUT;
}

int findings_connect(struct findings *f, unsigned port)
{
    int code = EHOSTUNREACH;

    for (const struct addrinfo *a = f->addresses; a; a = a->ai_next) {
        code = try_connect(a, port, f->call);
        if (code == 0)
            break;
    }
    return code;
}

/* ------------------------------------------------------------------ certificate */

static void put_certificate(struct jsonw *w, const struct httpc_certificate *cert)
{
    jsonw_object(w, "data");
    jsonw_str(w, "sha256", cert->sha256);
    jsonw_str(w, "subject", cert->subject);
    jsonw_str(w, "issuer", cert->issuer);
    jsonw_time(w, "not_before", cert->not_before_ms);
    jsonw_time(w, "not_after", cert->not_after_ms);
    jsonw_bool(w, "trusted", cert->trusted);
    jsonw_end(w);
}

bool findings_certificate(struct findings *f, const struct endpoint *e,
                          const struct certificate_help *help)
{
    struct httpc_certificate cert = { 0 };
    struct pv_err err = { 0 };
    const char *why = "";
    char detail[800];
    bool ok;

    if (httpc_certificate(e->host, e->port, CERTIFICATE_MS, &cert, &err)) {
        finding_failed(f, "certificate", pv_err_problem(&err)->code, err.message, help->no_tls,
                       help->no_tls_script);
        return false;
    }
    ok = endpoint_accepts(e, &cert);
    if (!ok)
        why = e->tls == HTTPC_TLS_PIN ? "its fingerprint is not the pinned one" : cert.problem;
    (void)snprintf(detail, sizeof(detail), "%s, issued by %s%s%s", cert.subject, cert.issuer,
                   ok ? "" : ": ", why);
    finding_begin(f, "certificate", ok, detail);
    if (!ok) {
        jsonw_str(&f->w, "code", "provider-certificate-changed");
        jsonw_str(&f->w, "remedy", help->not_taken);
    }
    put_certificate(&f->w, &cert);
    jsonw_end(&f->w);
    return ok;
}
