/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "drivers/wmi/probe_scripts.h"
#include "drivers/wmi/report.h"
#include "drivers/wmi/wmi.h"

#define FINDINGS_MOST 131072
#define REPORT_MOST (512u << 20)
#define SAMPLES_USUAL 3
#define SAMPLES_MOST 100000
#define CONNECT_MS 10000
#define CERTIFICATE_MS 10000
#define ENVELOPE_LEAST_KB 150
#define OPERATIONS_LEAST 15
#define OLDEST_BUILD 9600 /* Windows Server 2012 R2 */

struct probing {
    struct wmi *wmi;
    struct call c;
    struct jsonw w;
    struct buf out;
    struct arena *arena;
    struct addrinfo *addresses; /* owned */
    bool wants_report;
    struct report_options report;
};

static void begin(struct probing *p, const char *step, bool ok, const char *detail)
{
    jsonw_object(&p->w, NULL);
    jsonw_str(&p->w, "step", step);
    jsonw_bool(&p->w, "ok", ok);
    jsonw_str(&p->w, "detail", detail);
}

static void script(struct probing *p, script_fn write)
{
    struct buf text;

    buf_init(&text, SCRIPT_MOST);
    write(&text, &p->wmi->config);
    if (buf_ok(&text) && text.data)
        jsonw_str(&p->w, "script", text.data);
    buf_free(&text);
}

/* `code`: problem code of a step that failed. `write`: what to paste on the host, or NULL. */
static void failed(struct probing *p, const char *step, const char *code, const char *detail,
                   const char *remedy, script_fn write)
{
    begin(p, step, false, detail);
    if (code)
        jsonw_str(&p->w, "code", code);
    if (remedy && *remedy)
        jsonw_str(&p->w, "remedy", remedy);
    if (write) {
        jsonw_object(&p->w, "data");
        script(p, write);
        jsonw_end(&p->w);
    }
    jsonw_end(&p->w);
}

static void failed_err(struct probing *p, const char *step, const struct pv_err *err,
                       script_fn write)
{
    const struct pv_problem *problem = pv_err_problem(err);
    char detail[700];

    (void)snprintf(detail, sizeof(detail), "%s%s%s%s", err->message,
                   err->native_code[0] ? " (" : "", err->native_code,
                   err->native_code[0] ? ")" : "");
    failed(p, step, problem->code, detail, err->remedy[0] ? err->remedy : problem->remedy, write);
}

static void fine(struct probing *p, const char *step, const char *detail)
{
    begin(p, step, true, detail);
    jsonw_end(&p->w);
}

/* ------------------------------------------------------------------ reaching it */

static bool check_name(struct probing *p)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    const struct config *config = &p->wmi->config;
    char port[8], detail[1400], text[NI_MAXHOST] = "";
    int code;

    (void)snprintf(port, sizeof(port), "%u", config->port);
    code = getaddrinfo(config->host, port, &hints, &p->addresses);
    if (code) {
        (void)snprintf(detail, sizeof(detail), "%s: %s", config->host, gai_strerror(code));
        failed(p, "name", "provider-offline", detail,
               "Check the spelling, and that this server's DNS knows the name.", NULL);
        return false;
    }
    (void)getnameinfo(p->addresses->ai_addr, p->addresses->ai_addrlen, text, sizeof(text), NULL, 0,
                      NI_NUMERICHOST);
    (void)snprintf(detail, sizeof(detail), "%s is %s", config->host, text);
    fine(p, "name", detail);
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
    for (unsigned waited = 0; waited < CONNECT_MS; waited += 250) {
        if (poll(&wait, 1, 250) > 0)
            return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) ? errno : code;
        if (call_cancelled((void *)(uintptr_t)c))
            return ECANCELED;
    }
    return ETIMEDOUT;
}

static int connect_any(struct probing *p, unsigned port)
{
    int code = EHOSTUNREACH;

    for (const struct addrinfo *a = p->addresses; a; a = a->ai_next) {
        code = try_connect(a, port, &p->c);
        if (code == 0)
            break;
    }
    return code;
}

static bool check_port(struct probing *p)
{
    const struct config *config = &p->wmi->config;
    int code = connect_any(p, config->port);
    char detail[320];

    if (code == 0) {
        (void)snprintf(detail, sizeof(detail), "port %u is open", config->port);
        fine(p, "port", detail);
        return true;
    }
    (void)snprintf(detail, sizeof(detail), "port %u: %s", config->port, strerrordesc_np(code));
    if (!config->plain && config->port == 5986 && connect_any(p, 5985) == 0) {
        (void)snprintf(detail, sizeof(detail),
                       "port 5986: %s; WinRM answers at 5985, but has no HTTPS listener",
                       strerrordesc_np(code));
        failed(p, "port", "provider-offline", detail,
               "Switch HTTPS on: run the script in an elevated PowerShell on the host.",
               script_https);
    } else if (!config->plain) {
        failed(p, "port", "provider-offline", detail,
               "Check that the host runs and firewalls on the way. If WinRM has no HTTPS listener "
               "yet, run the "
               "script in an elevated PowerShell on the host.",
               script_https);
    } else {
        failed(
            p, "port", "provider-offline", detail,
            "Check that the host runs, that WinRM is on (winrm quickconfig) and firewalls on the "
            "way.",
            script_http);
    }
    return false;
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

/* An authority of the configuration's own is judged by the request that follows. */
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
    const struct config *config = &p->wmi->config;
    struct httpc_certificate cert = { 0 };
    struct pv_err err = { 0 };
    char detail[800];
    bool ok;

    if (config->plain) {
        if (config->allow_unencrypted)
            fine(p, "certificate", "no TLS, and messages are not encrypted: for laboratories only");
        else
            fine(p, "certificate", "no TLS; each message is encrypted by the sign-in's key");
        return true;
    }
    if (httpc_certificate(config->host, config->port, CERTIFICATE_MS, &cert, &err)) {
        failed(
            p, "certificate", pv_err_problem(&err)->code, err.message,
            "Check that the port speaks HTTPS (WinRM: 5986). The script makes an HTTPS listener.",
            script_https);
        return false;
    }
    ok = accepted(config, &cert);
    (void)snprintf(detail, sizeof(detail), "%s, issued by %s%s%s", cert.subject, cert.issuer,
                   ok ? "" : ": ",
                   ok                             ? ""
                   : config->tls == HTTPC_TLS_PIN ? "its fingerprint is not the pinned one"
                                                  : cert.problem);
    begin(p, "certificate", ok, detail);
    if (!ok) {
        jsonw_str(&p->w, "code", "provider-certificate-changed");
        jsonw_str(&p->w, "remedy",
                  "Certificates of WinRM are mostly self-signed. Compare the fingerprint with the "
                  "one the "
                  "host's console shows; if they are the same, pin it. Or give the authority that "
                  "issued it.");
    }
    put_certificate(p, &cert);
    jsonw_end(&p->w);
    return ok;
}

/* ------------------------------------------------------------------ WinRM and the account */

static bool check_product(struct probing *p)
{
    struct wsman_identity id = { 0 };
    struct pv_err err = { 0 };
    int rc = wsman_identify(p->wmi->client, &p->c, false, &id, &err);
    char detail[320];

    /* A path of one's own, or a host that tells strangers nothing: the sign-in will show. */
    if (rc && rc != PV_EAUTH && (rc != PV_EIO || !err.problem)) {
        failed_err(p, "product", &err, NULL);
        return false;
    }
    if (rc) {
        fine(p, "product", "the host tells nothing without a sign-in");
        return true;
    }
    (void)snprintf(detail, sizeof(detail), "%s, WinRM stack %s", id.vendor, id.stack);
    begin(p, "product", true, detail);
    jsonw_object(&p->w, "data");
    jsonw_str(&p->w, "vendor", id.vendor);
    jsonw_str(&p->w, "product", id.product);
    jsonw_str(&p->w, "protocol", id.protocol);
    jsonw_end(&p->w);
    jsonw_end(&p->w);
    return true;
}

static bool check_sign_in(struct probing *p)
{
    struct wsman_identity id = { 0 };
    struct pv_err err = { 0 };
    char detail[400], how[16];

    if (wsman_identify(p->wmi->client, &p->c, true, &id, &err)) {
        failed_err(p, "sign_in", &err, err.rc == PV_EPERM ? script_rights : NULL);
        return false;
    }
    wsman_mechanism(p->wmi->client, how);
    (void)snprintf(detail, sizeof(detail), "%s by %s", p->wmi->config.username, how);
    begin(p, "sign_in", true, detail);
    jsonw_object(&p->w, "data");
    jsonw_str(&p->w, "mechanism", how);
    jsonw_end(&p->w);
    jsonw_end(&p->w);
    return true;
}

static bool check_namespace(struct probing *p)
{
    const struct cim_ref *ref;
    struct pv_err err = { 0 };
    int rc =
        wsman_service(p->wmi->client, &p->c, CIM(Msvm_VirtualSystemManagementService), &ref, &err);

    if (rc == PV_OK) {
        fine(p, "namespace", "root/virtualization/v2 is visible");
        return true;
    }
    if (rc == PV_ENOTSUP || rc == PV_ENOENT)
        failed(p, "namespace", "not-supported", "the host has no namespace root/virtualization/v2",
               "Install the Hyper-V role: run the script in an elevated PowerShell on the host; it "
               "restarts the host.",
               script_role);
    else
        failed_err(p, "namespace", &err, rc == PV_EPERM ? script_rights : NULL);
    return false;
}

static bool is_vmms(void *ctx, const struct cim_instance *o)
{
    const char *name = cim_str(o, P(Win32_Service, Name));

    (void)ctx;
    return name && strcasecmp(name, "vmms") == 0;
}

/* Yields whether it runs; also when nobody can say. */
static bool check_service(struct probing *p)
{
    struct wsman_query q = { .cls = CIM(Win32_Service),
                             .where = "Name = 'vmms'",
                             .match = is_vmms };
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };
    int rc = wsman_first(p->wmi->client, &p->c, &q, p->arena, &o, &err);
    const char *state = cim_str(o, P(Win32_Service, State));
    char detail[160];

    if (rc == PV_ENOENT) {
        failed(p, "service", "not-supported",
               "the host has no service vmms (Hyper-V Virtual Machine Management)",
               "Install the Hyper-V role: run the script in an elevated PowerShell on the host; it "
               "restarts the host.",
               script_role);
        return false;
    }
    if (rc) {
        (void)snprintf(detail, sizeof(detail), "services are not visible to this account (%s)",
                       err.native_code);
        fine(p, "service", detail);
        return true;
    }
    (void)snprintf(detail, sizeof(detail), "vmms is %s", state ? state : "in an unknown state");
    if (!state || strcmp(state, "Running") != 0) {
        failed(p, "service", "provider-error", detail,
               "Start the service Hyper-V Virtual Machine Management on the host.", script_service);
        return false;
    }
    fine(p, "service", detail);
    return true;
}

static void put_quotas(struct probing *p, const struct wsman_quotas *q)
{
    jsonw_u64(&p->w, "max_envelope_kb", q->max_envelope_kb);
    jsonw_u64(&p->w, "max_timeout_ms", q->max_timeout_ms);
    jsonw_u64(&p->w, "max_batch_items", q->max_batch_items);
    jsonw_u64(&p->w, "max_operations_per_user", q->max_operations_per_user);
    jsonw_u64(&p->w, "max_connections", q->max_connections);
}

static void check_quotas(struct probing *p)
{
    struct wsman_quotas q = { 0 };
    struct pv_err err = { 0 };
    char detail[200];
    bool low;

    if (wsman_quotas(p->wmi->client, &p->c, &q, &err)) {
        if (err.rc == PV_EPERM)
            (void)snprintf(detail, sizeof(detail),
                           "not readable with this account, which is no administrator; the usual "
                           "ones are assumed");
        else
            (void)snprintf(detail, sizeof(detail), "not readable: %.160s", err.message);
        fine(p, "quotas", detail);
        return;
    }
    low = (q.max_envelope_kb && q.max_envelope_kb < ENVELOPE_LEAST_KB) ||
          (q.max_operations_per_user && q.max_operations_per_user < OPERATIONS_LEAST);
    (void)snprintf(detail, sizeof(detail),
                   "envelopes of %llu KB, %llu operations of a user at a time, %llu connections",
                   (unsigned long long)q.max_envelope_kb,
                   (unsigned long long)q.max_operations_per_user,
                   (unsigned long long)q.max_connections);
    begin(p, "quotas", !low, detail);
    if (low) {
        jsonw_str(&p->w, "code", "provider-limit");
        jsonw_str(&p->w, "remedy",
                  "Raise WinRM's quotas: run the script in an elevated PowerShell on the host.");
    }
    jsonw_object(&p->w, "data");
    put_quotas(p, &q);
    if (low)
        script(p, script_quotas);
    jsonw_end(&p->w);
    jsonw_end(&p->w);
}

static void check_version(struct probing *p)
{
    struct wsman_query q = { .cls = CIM(Win32_OperatingSystem) };
    struct cim_instance *o = NULL;
    struct pv_err err = { 0 };
    const char *caption, *version, *build;
    uint64_t number = 0;
    char detail[320];

    if (wsman_first(p->wmi->client, &p->c, &q, p->arena, &o, &err)) {
        failed_err(p, "version", &err, err.rc == PV_EPERM ? script_rights : NULL);
        return;
    }
    caption = cim_str(o, P(Win32_OperatingSystem, Caption));
    version = cim_str(o, P(Win32_OperatingSystem, Version));
    build = cim_str(o, P(Win32_OperatingSystem, BuildNumber));
    if (build)
        (void)str_u64(build, strlen(build), 1000000, &number);
    (void)snprintf(detail, sizeof(detail), "%.200s, version %.64s", caption ? caption : "Windows",
                   version ? version : "unknown");
    begin(p, "version", number >= OLDEST_BUILD, detail);
    if (number < OLDEST_BUILD) {
        jsonw_str(&p->w, "code", "not-supported");
        jsonw_str(&p->w, "remedy",
                  "Hosts before Windows Server 2012 R2 have another interface; update the host.");
    }
    jsonw_object(&p->w, "data");
    jsonw_str(&p->w, "name", caption ? caption : "");
    jsonw_str(&p->w, "version", version ? version : "");
    jsonw_str(&p->w, "build", build ? build : "");
    jsonw_end(&p->w);
    jsonw_end(&p->w);
}

/* Whoever asked for a report of the host gets it as the last finding's data. */
static void make_report(struct probing *p)
{
    struct pv_err err = { 0 };

    begin(p, "report", true, "everything this driver can read of the host");
    if (report_write(p->wmi, &p->c, &p->report, &p->w, "data", &err))
        jsonw_str(&p->w, "remedy", err.message);
    jsonw_end(&p->w);
}

static void run(struct probing *p)
{
    if (!check_name(p) || !check_port(p) || !check_certificate(p) || !check_product(p) ||
        !check_sign_in(p))
        return;
    /* A stopped vmms hides the namespace's objects: its finding says more than theirs. */
    if (!check_namespace(p)) {
        (void)check_service(p);
        return;
    }
    if (!check_service(p))
        return;
    check_quotas(p);
    check_version(p);
    if (p->wants_report)
        make_report(p);
}

/* "report": {"mask": true, "samples": 5} beside the settings. */
static void read_wish(struct probing *p, const char *config)
{
    json_t *root = json_loads(config, 0, NULL);
    const json_t *wish = json_object_get(root, "report");
    json_int_t samples = json_integer_value(json_object_get(wish, "samples"));

    p->wants_report = json_is_object(wish);
    p->report.mask = json_is_true(json_object_get(wish, "mask"));
    p->report.samples = samples > 0 && samples <= SAMPLES_MOST ? (unsigned)samples : SAMPLES_USUAL;
    json_decref(root);
}

int probe_run(const struct pv_host *host, const char *config, uint64_t call, char **report,
              struct pv_err *err)
{
    struct probing p = { .c = { .host = host, .number = call, .timeout_ms = 30000 } };
    int rc = wmi_new(host, config, &p.wmi, err);

    if (rc)
        return rc;
    p.arena = arena_new(16384, 16u << 20);
    read_wish(&p, config);
    buf_init(&p.out, p.wants_report ? REPORT_MOST : FINDINGS_MOST);
    jsonw_init(&p.w, &p.out);
    jsonw_array(&p.w, NULL);
    if (p.arena)
        run(&p);
    jsonw_end(&p.w);
    if (p.addresses)
        freeaddrinfo(p.addresses);
    wmi_free(p.wmi);
    if (!p.arena)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    else if (call_cancelled(&p.c))
        rc = pv_fail(err, PV_ECANCELED, "canceled");
    arena_free(p.arena);
    if (rc) {
        buf_free(&p.out);
        return rc;
    }
    *report = buf_take(&p.out);
    return *report ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}
