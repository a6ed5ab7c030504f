/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/sdk/finding.h"
#include "drivers/wmi/probe_cluster.h"
#include "drivers/wmi/probe_scripts.h"
#include "drivers/wmi/report.h"
#include "drivers/wmi/wmi.h"

#define FINDINGS_MOST 131072
#define REPORT_MOST (512u << 20)
#define SAMPLES_USUAL 3
#define SAMPLES_MOST 100000
#define ENVELOPE_LEAST_KB 150
#define OPERATIONS_LEAST 15
#define OLDEST_BUILD 9600 /* Windows Server 2012 R2 */

struct probing {
    struct wmi *wmi;
    struct call c;
    struct findings f;
    struct arena *arena;
    bool wants_report;
    struct report_options report;
};

/* What to paste on the host; owned. NULL: nothing, or no memory. */
static char *script_text(struct probing *p, script_fn write)
{
    struct buf text;

    if (!write)
        return NULL;
    buf_init(&text, SCRIPT_MOST);
    write(&text, &p->wmi->config);
    return buf_take(&text);
}

static void failed(struct probing *p, const char *step, const char *code, const char *detail,
                   const char *remedy, script_fn write)
{
    PV_AUTO_FREE char *script = script_text(p, write);

    finding_failed(&p->f, step, code, detail, remedy, script);
}

static void failed_err(struct probing *p, const char *step, const struct pv_err *err,
                       script_fn write)
{
    PV_AUTO_FREE char *script = script_text(p, write);

    finding_failed_err(&p->f, step, err, script);
}

static void fine(struct probing *p, const char *step, const char *detail)
{
    finding_fine(&p->f, step, detail);
}

/* ------------------------------------------------------------------ reaching it */

static bool check_port(struct probing *p)
{
    const struct endpoint *at = &p->wmi->config.at;
    int code = findings_connect(&p->f, at->port);
    char detail[320];

    if (code == 0) {
        (void)snprintf(detail, sizeof(detail), "port %u is open", at->port);
        fine(p, "port", detail);
        return true;
    }
    (void)snprintf(detail, sizeof(detail), "port %u: %s", at->port, strerrordesc_np(code));
    if (!at->plain && at->port == 5986 && findings_connect(&p->f, 5985) == 0) {
        (void)snprintf(detail, sizeof(detail),
                       "port 5986: %s; WinRM answers at 5985, but has no HTTPS listener",
                       strerrordesc_np(code));
        failed(p, "port", "provider-offline", detail,
               "Switch HTTPS on: run the script in an elevated PowerShell on the host.",
               script_https);
    } else if (!at->plain) {
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

static bool check_certificate(struct probing *p)
{
    const struct config *config = &p->wmi->config;
    PV_AUTO_FREE char *script = NULL;
    struct certificate_help help = {
        .no_tls =
            "Check that the port speaks HTTPS (WinRM: 5986). The script makes an HTTPS listener.",
        .not_taken = "Certificates of WinRM are mostly self-signed. Compare the fingerprint with the "
                     "one the host's console shows; if they are the same, pin it. Or give the "
                     "authority that issued it.",
    };

    if (config->at.plain) {
        if (config->allow_unencrypted)
            fine(p, "certificate", "no TLS, and messages are not encrypted: for laboratories only");
        else
            fine(p, "certificate", "no TLS; each message is encrypted by the sign-in's key");
        return true;
    }
    script = script_text(p, script_https);
    help.no_tls_script = script;
    return findings_certificate(&p->f, &config->at, &help);
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
    finding_begin(&p->f, "product", true, detail);
    jsonw_object(&p->f.w, "data");
    jsonw_str(&p->f.w, "vendor", id.vendor);
    jsonw_str(&p->f.w, "product", id.product);
    jsonw_str(&p->f.w, "protocol", id.protocol);
    jsonw_end(&p->f.w);
    jsonw_end(&p->f.w);
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
    (void)snprintf(detail, sizeof(detail), "%s by %s", p->wmi->config.at.username, how);
    finding_begin(&p->f, "sign_in", true, detail);
    jsonw_object(&p->f.w, "data");
    jsonw_str(&p->f.w, "mechanism", how);
    jsonw_end(&p->f.w);
    jsonw_end(&p->f.w);
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
    jsonw_u64(&p->f.w, "max_envelope_kb", q->max_envelope_kb);
    jsonw_u64(&p->f.w, "max_timeout_ms", q->max_timeout_ms);
    jsonw_u64(&p->f.w, "max_batch_items", q->max_batch_items);
    jsonw_u64(&p->f.w, "max_operations_per_user", q->max_operations_per_user);
    jsonw_u64(&p->f.w, "max_connections", q->max_connections);
}

static void check_quotas(struct probing *p)
{
    PV_AUTO_FREE char *script = NULL;
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
    finding_begin(&p->f, "quotas", !low, detail);
    if (low) {
        jsonw_str(&p->f.w, "code", "provider-limit");
        jsonw_str(&p->f.w, "remedy",
                  "Raise WinRM's quotas: run the script in an elevated PowerShell on the host.");
    }
    jsonw_object(&p->f.w, "data");
    put_quotas(p, &q);
    if (low && (script = script_text(p, script_quotas)))
        jsonw_str(&p->f.w, "script", script);
    jsonw_end(&p->f.w);
    jsonw_end(&p->f.w);
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
    finding_begin(&p->f, "version", number >= OLDEST_BUILD, detail);
    if (number < OLDEST_BUILD) {
        jsonw_str(&p->f.w, "code", "not-supported");
        jsonw_str(&p->f.w, "remedy",
                  "Hosts before Windows Server 2012 R2 have another interface; update the host.");
    }
    jsonw_object(&p->f.w, "data");
    jsonw_str(&p->f.w, "name", caption ? caption : "");
    jsonw_str(&p->f.w, "version", version ? version : "");
    jsonw_str(&p->f.w, "build", build ? build : "");
    jsonw_end(&p->f.w);
    jsonw_end(&p->f.w);
}

/* Whoever asked for a report of the host gets it as the last finding's data. */
static void make_report(struct probing *p)
{
    struct pv_err err = { 0 };

    finding_begin(&p->f, "report", true, "everything this driver can read of the host");
    if (report_write(p->wmi, &p->c, &p->report, &p->f.w, "data", &err))
        jsonw_str(&p->f.w, "remedy", err.message);
    jsonw_end(&p->f.w);
}

static void run(struct probing *p)
{
    if (!findings_name(&p->f, &p->wmi->config.at) || !check_port(p) || !check_certificate(p) || !check_product(p) ||
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
    probe_cluster(&p->f, p->wmi, &p->c);
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
    findings_init(&p.f, &p.c, p.wants_report ? REPORT_MOST : FINDINGS_MOST);
    if (p.arena)
        run(&p);
    wmi_free(p.wmi);
    if (p.arena) {
        rc = findings_take(&p.f, report, err);
    } else {
        findings_drop(&p.f);
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    }
    arena_free(p.arena);
    return rc;
}
