/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/probe.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/xml.h>

#include "drivers/sdk/finding.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/session.h"

#define REPORT_MOST 65536
#define OLDEST "6.5"

struct probing {
    struct session *s;
    struct call c;
    struct findings f;
};

static bool check_port(struct probing *p)
{
    unsigned port = p->s->config.at.port;
    int code = findings_connect(&p->f, port);
    char detail[320];

    if (code) {
        (void)snprintf(detail, sizeof(detail), "port %u: %s", port, strerrordesc_np(code));
        finding_failed(&p->f, "port", "provider-offline", detail,
                       "Check the port, that the server is running, and firewalls on the way.",
                       NULL);
        return false;
    }
    (void)snprintf(detail, sizeof(detail), "port %u is open", port);
    finding_fine(&p->f, "port", detail);
    return true;
}

static bool check_certificate(struct probing *p)
{
    static const struct certificate_help help = {
        .no_tls = "Check that the port speaks HTTPS.",
        .not_taken =
            "Compare the fingerprint with the one the server's own console shows; if they are "
            "the same, pin it. Or give the authority that issued it.",
    };

    return p->s->config.at.plain || findings_certificate(&p->f, &p->s->config.at, &help);
}

static bool check_product(struct probing *p)
{
    const struct content *c = &p->s->content;
    struct pv_err err = { 0 };
    char detail[320];

    if (session_content(p->s, &p->c, &err)) {
        finding_failed_err(&p->f, "product", &err, NULL);
        return false;
    }
    (void)snprintf(detail, sizeof(detail), "%s", c->full_name[0] ? c->full_name : c->product);
    finding_begin(&p->f, "product", true, detail);
    jsonw_object(&p->f.w, "data");
    jsonw_str(&p->f.w, "name", c->product);
    jsonw_str(&p->f.w, "version", c->version);
    jsonw_str(&p->f.w, "build", c->build);
    jsonw_str(&p->f.w, "api_version", c->api_version);
    jsonw_str(&p->f.w, "instance_uuid", c->instance_uuid);
    jsonw_end(&p->f.w);
    jsonw_end(&p->f.w);
    return true;
}

static bool check_sign_in(struct probing *p)
{
    struct pv_err err = { 0 };
    unsigned generation;

    if (session_login(p->s, &p->c, &generation, &err)) {
        finding_failed_err(&p->f, "sign_in", &err, NULL);
        return false;
    }
    finding_fine(&p->f, "sign_in", p->s->config.at.username);
    return true;
}

static void check_version(struct probing *p)
{
    const char *version = p->s->content.api_version;
    bool ok = session_version_cmp(version, OLDEST) >= 0;
    char detail[160];

    (void)snprintf(detail, sizeof(detail), "API version %s, %s", version,
                   p->s->content.vcenter ? "vCenter Server" : "a single ESXi host");
    if (ok)
        finding_fine(&p->f, "version", detail);
    else
        finding_failed(&p->f, "version", "not-supported", detail,
                       "Versions before " OLDEST " are not tested with; update the server.", NULL);
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
    enc_text(enc_root(r.request), "userName", p->s->config.at.username);
    rc = session_call(p->s, &p->c, &r, &answer, &err);
    for (size_t i = 0; rc == PV_OK && i < PV_COUNT(privileges); i++) {
        const char *name = privileges[i].privilege;

        if (has_privilege(soap_returnval(&answer), name))
            finding_fine(&p->f, privileges[i].step, name);
        else
            finding_failed(&p->f, privileges[i].step, "provider-permission", name,
                           privileges[i].remedy, NULL);
    }
    /* Asking is a privilege, too; what the account may do shows when it does it. */
    if (rc)
        finding_fine(&p->f, "privileges",
                     "the server does not say which privileges the account has");
    soap_answer_free(&answer);
    enc_free(r.request);
}

static void run(struct probing *p)
{
    if (!findings_name(&p->f, &p->s->config.at) || !check_port(p) || !check_certificate(p) || !check_product(p) ||
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
    findings_init(&p.f, &p.c, REPORT_MOST);
    run(&p);
    session_free(p.s);
    return findings_take(&p.f, report, err);
}
