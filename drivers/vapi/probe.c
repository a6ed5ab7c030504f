/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/session.h"

#define REPORT_MOST 65536
#define CONNECT_MS 10000
#define CERTIFICATE_MS 10000
#define OLDEST "6.5"

struct probing {
    struct session *s;
    struct call c;
    struct jsonw w;
    struct buf out;
    struct addrinfo *addresses; /* owned */
    char user[256];             /* as the server calls us */
};

static void begin(struct probing *p, const char *step, bool ok, const char *detail)
{
    jsonw_object(&p->w, NULL);
    jsonw_str(&p->w, "step", step);
    jsonw_bool(&p->w, "ok", ok);
    jsonw_str(&p->w, "detail", detail);
}

/* `code`: problem code of a step that failed. */
static void finding(struct probing *p, const char *step, bool ok, const char *code,
                    const char *detail, const char *remedy)
{
    begin(p, step, ok, detail);
    if (!ok && code)
        jsonw_str(&p->w, "code", code);
    if (!ok && remedy && *remedy)
        jsonw_str(&p->w, "remedy", remedy);
    jsonw_end(&p->w);
}

static bool check_name(struct probing *p)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    char port[8], detail[1400], text[NI_MAXHOST] = "";
    int code;

    (void)snprintf(port, sizeof(port), "%u", p->s->config.port);
    code = getaddrinfo(p->s->config.host, port, &hints, &p->addresses);
    if (code) {
        (void)snprintf(detail, sizeof(detail), "%s: %s", p->s->config.host, gai_strerror(code));
        finding(p, "name", false, "provider-offline", detail,
                "Check the spelling, and that the server's DNS knows the name.");
        return false;
    }
    (void)getnameinfo(p->addresses->ai_addr, p->addresses->ai_addrlen, text, sizeof(text), NULL, 0,
                      NI_NUMERICHOST);
    (void)snprintf(detail, sizeof(detail), "%s is %s", p->s->config.host, text);
    finding(p, "name", true, NULL, detail, NULL);
    return true;
}

/* 0, or an errno value. */
static int try_connect(const struct addrinfo *a, const struct call *c)
{
    PV_AUTO_CLOSE int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    int code = 0;
    socklen_t len = sizeof(code);

    if (fd < 0)
        return errno;
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    for (unsigned waited = 0; waited < CONNECT_MS; waited += 250) {
        if (poll(&wait, 1, 250) > 0)
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) ? errno : code;
        if (call_cancelled((void *)(uintptr_t)c))
            return ECANCELED;
    }
    return ETIMEDOUT;
}

static bool check_port(struct probing *p)
{
    char detail[320];
    int code = 0;

    for (const struct addrinfo *a = p->addresses; a; a = a->ai_next) {
        code = try_connect(a, &p->c);
        if (code == 0)
            break;
    }
    (void)snprintf(detail, sizeof(detail), code ? "port %u: %s" : "port %u is open",
                   p->s->config.port, strerrordesc_np(code));
    finding(p, "port", code == 0, "provider-offline", detail,
            "Check the port, that the server is running, and firewalls on the way.");
    return code == 0;
}

static void put_certificate(struct probing *p, const struct httpc_certificate *cert)
{
    jsonw_object(&p->w, "data");
    jsonw_str(&p->w, "sha256", cert->sha256);
    jsonw_str(&p->w, "subject", cert->subject);
    jsonw_str(&p->w, "issuer", cert->issuer);
    jsonw_time(&p->w, "not_before", cert->not_before_ms);
    jsonw_time(&p->w, "not_after", cert->not_after_ms);
    jsonw_bool(&p->w, "trusted", cert->trusted);
    jsonw_end(&p->w);
}

/* Ours are the words of the configuration: an authority of its own is judged by the request that
 * follows. */
static bool accepted(const struct config *c, const struct httpc_certificate *cert)
{
    if (c->tls == HTTPC_TLS_INSECURE || (c->tls == HTTPC_TLS_CA && c->ca_pem))
        return true;
    for (size_t i = 0; c->tls == HTTPC_TLS_PIN && i < c->npins; i++)
        if (strcmp(c->pins[i], cert->sha256) == 0)
            return true;
    return c->tls == HTTPC_TLS_CA && cert->trusted;
}

static bool check_certificate(struct probing *p)
{
    const struct config *config = &p->s->config;
    struct httpc_certificate cert = { 0 };
    struct pv_err err = { 0 };
    char detail[800];
    bool ok;

    if (config->plain)
        return true;
    if (httpc_certificate(config->host, config->port, CERTIFICATE_MS, &cert, &err)) {
        finding(p, "certificate", false, pv_err_problem(&err)->code, err.message,
                "Check that the port speaks HTTPS.");
        return false;
    }
    ok = accepted(config, &cert);
    (void)snprintf(detail, sizeof(detail), "%s, issued by %s%s%s", cert.subject, cert.issuer,
                   ok ? "" : ": ",
                   ok                             ? ""
                   : config->tls == HTTPC_TLS_PIN ? "its fingerprint is not the pinned one"
                                                  : cert.problem);
    begin(p, "certificate", ok, detail);
    if (!ok)
        jsonw_str(&p->w, "code", "provider-certificate-changed");
    if (!ok)
        jsonw_str(
            &p->w, "remedy",
            "Compare the fingerprint with the one the server's own console shows; if they are "
            "the same, pin it. Or give the authority that issued it.");
    put_certificate(p, &cert);
    jsonw_end(&p->w);
    return ok;
}

static bool check_product(struct probing *p)
{
    const struct content *c = &p->s->content;
    struct pv_err err = { 0 };
    char detail[320];

    if (session_content(p->s, &p->c, &err)) {
        const char *remedy = pv_err_problem(&err)->remedy;

        finding(p, "product", false, pv_err_problem(&err)->code, err.message,
                err.remedy[0] ? err.remedy : remedy);
        return false;
    }
    (void)snprintf(detail, sizeof(detail), "%s", c->full_name[0] ? c->full_name : c->product);
    begin(p, "product", true, detail);
    jsonw_object(&p->w, "data");
    jsonw_str(&p->w, "name", c->product);
    jsonw_str(&p->w, "version", c->version);
    jsonw_str(&p->w, "build", c->build);
    jsonw_str(&p->w, "api_version", c->api_version);
    jsonw_str(&p->w, "instance_uuid", c->instance_uuid);
    jsonw_end(&p->w);
    jsonw_end(&p->w);
    return true;
}

static bool check_sign_in(struct probing *p)
{
    struct pv_err err = { 0 };
    unsigned generation;

    if (session_login(p->s, &p->c, &generation, &err)) {
        const char *remedy = pv_err_problem(&err)->remedy;

        finding(p, "sign_in", false, pv_err_problem(&err)->code, err.message,
                err.remedy[0] ? err.remedy : remedy);
        return false;
    }
    finding(p, "sign_in", true, NULL, p->s->config.username, NULL);
    return true;
}

static void check_version(struct probing *p)
{
    const char *version = p->s->content.api_version;
    bool ok = session_version_cmp(version, OLDEST) >= 0;
    char detail[160];

    (void)snprintf(detail, sizeof(detail), "API version %s, %s", version,
                   p->s->content.vcenter ? "vCenter Server" : "a single ESXi host");
    finding(p, "version", ok, "not-supported", detail,
            "Versions before " OLDEST " are not tested with; update the server.");
}

/* Which of these the account has at the root, which is where a right for everything stands. */
static const struct {
    const char *step, *privilege, *remedy;
} privileges[] = {
    { "privilege_read", "System.Read",
      "Give the account the role Read-only at the root of the inventory, with propagation." },
    { "privilege_power", "VirtualMachine.Interact.PowerOn",
      "Give the account Virtual machine > Interaction > Power on, Power off, Suspend, Reset." },
    { "privilege_snapshot", "VirtualMachine.State.CreateSnapshot",
      "Give the account Virtual machine > Snapshot management > Create, Revert, Remove." },
};

static bool has_privilege(const xmlNode *answer, const char *name)
{
    for (const xmlNode *list = xml_child(answer, NULL, "privileges"); list;
         list = xml_next_named(list, NULL, "privileges"))
        if (value_text(list) && strcmp(value_text(list), name) == 0)
            return true;
    return false;
}

static void check_privileges(struct probing *p)
{
    const struct content *c = &p->s->content;
    struct session_request r = { .what = "asking for privileges" };
    struct soap_answer answer = { 0 };
    struct pv_err err = { 0 };
    int rc;

    r.request = enc_new("FetchUserPrivilegeOnEntities", c->authorization.type, c->authorization.id);
    if (!r.request)
        return;
    enc_ref(enc_root(r.request), "entities", c->root.type, c->root.id);
    enc_text(enc_root(r.request), "userName", p->s->config.username);
    rc = session_call(p->s, &p->c, &r, &answer, &err);
    for (size_t i = 0; rc == PV_OK && i < PV_COUNT(privileges); i++) {
        bool has = has_privilege(soap_returnval(&answer), privileges[i].privilege);

        finding(p, privileges[i].step, has, "provider-permission", privileges[i].privilege, privileges[i].remedy);
    }
    /* Asking is a privilege, too; what the account may do shows when it does it. */
    if (rc)
        finding(p, "privileges", true, NULL, "the server does not say which privileges the account has",
                NULL);
    soap_answer_free(&answer);
    enc_free(r.request);
}

static void run(struct probing *p)
{
    if (!check_name(p) || !check_port(p) || !check_certificate(p) || !check_product(p) ||
        !check_sign_in(p))
        return;
    check_version(p);
    if (p->s->content.authorization.id[0])
        check_privileges(p);
}

int probe_run(const struct pv_host *host, const char *config, uint64_t call, char **report,
              struct pv_err *err)
{
    struct probing p = { .c = { .host = host, .number = call } };
    int rc = session_new(host, config, &p.s, err);

    if (rc)
        return rc;
    buf_init(&p.out, REPORT_MOST);
    jsonw_init(&p.w, &p.out);
    jsonw_array(&p.w, NULL);
    run(&p);
    jsonw_end(&p.w);
    if (p.addresses)
        freeaddrinfo(p.addresses);
    session_free(p.s);
    if (call_cancelled(&p.c)) {
        buf_free(&p.out);
        return pv_fail(err, PV_ECANCELED, "canceled");
    }
    *report = buf_take(&p.out);
    return *report ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}
