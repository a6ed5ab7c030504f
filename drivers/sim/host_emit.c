/* SPDX-License-Identifier: Apache-2.0 */
/* What a host consists of: physical adapters, services, its certificate. */
#include "drivers/sim/job.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/records.h>
#include <polyvisor/str.h>

#define GBIT 1000000000ull
#define PART 0x3000000000u /* of the machine's numbers: those of its parts */

static void put_nic(const struct sim_estate *e, struct pv_builder *b, uint32_t n, unsigned k)
{
    bool vmware = sim_is_vmware(e), spare = k == 2;
    uint64_t roll = sim_roll(e, SIM_MACHINE, PART + 8ull * n + k);
    bool fast = sim_roll(e, SIM_MACHINE, sim_host_unit(e, n)) % 2;
    char name[16], mac[18], pci[24], sw[SIM_ID_MAX];

    snprintf(name, sizeof(name), vmware ? "vmnic%u" : "NIC%u", vmware ? k : k + 1);
    snprintf(mac, sizeof(mac), "3C:EC:EF:%02X:%02X:%02X", (unsigned)(roll >> 16) & 0xff,
             (unsigned)(roll >> 8) & 0xff, (unsigned)roll & 0xff);
    snprintf(pci, sizeof(pci), "0000:%02x:00.%u", spare ? 0x18u : 0x3bu, spare ? 0 : k);
    pv_host_adapter_begin(b, name, NULL);
    pv_host_adapter_name(b, name);
    pv_host_adapter_adapter_type(b, PV_HOST_ADAPTER_TYPE_NIC);
    pv_host_adapter_model(b, spare  ? "Intel(R) Ethernet Controller I350"
                             : fast ? "Mellanox ConnectX-5 EN 25GbE"
                                    : "Intel(R) Ethernet Controller X710");
    pv_host_adapter_driver(b, spare ? "igbn" : fast ? "nmlx5_core" : "i40en");
    pv_host_adapter_pci(b, pci);
    pv_host_adapter_mac(b, mac);
    pv_host_adapter_link_up(b, !spare);
    if (spare)
        return;
    pv_host_adapter_speed_bps(b, (fast ? 25 : 10) * GBIT);
    pv_host_adapter_full_duplex(b, 1);
    sim_native_id(e, PV_KIND_switch, sim_host_switch(e, n), sw);
    pv_host_adapter_switch_(b, sw);
}

static void put_hba(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    uint64_t roll = sim_roll(e, SIM_MACHINE, PART + 8ull * n + 7);
    char wwn[24];

    snprintf(wwn, sizeof(wwn), "21:00:00:24:ff:%02x:%02x:%02x", (unsigned)(roll >> 16) & 0xff,
             (unsigned)(roll >> 8) & 0xff, (unsigned)roll & 0xff);
    pv_host_adapter_begin(b, "vmhba1", NULL);
    pv_host_adapter_name(b, "vmhba1");
    pv_host_adapter_adapter_type(b, PV_HOST_ADAPTER_TYPE_FC);
    pv_host_adapter_model(b, "QLogic QLE2772 32Gb FC");
    pv_host_adapter_driver(b, "qlnativefc");
    pv_host_adapter_pci(b, "0000:5e:00.0");
    pv_host_adapter_link_up(b, 1);
    pv_host_adapter_speed_bps(b, 32 * GBIT);
    pv_host_adapter_wwn(b, wwn);
}

static const struct service {
    const char *name, *label;
    bool runs, required;
    enum pv_service_start start;
} vmware_services[] = {
    { "TSM-SSH", "SSH", false, false, PV_SERVICE_START_MANUAL },
    { "lbtd", "Load-Based Teaming Daemon", true, false, PV_SERVICE_START_AUTOMATIC },
    { "ntpd", "NTP Daemon", true, false, PV_SERVICE_START_AUTOMATIC },
    { "snmpd", "SNMP Server", false, false, PV_SERVICE_START_AUTOMATIC },
    { "vmsyslogd", "Syslog Server", true, true, PV_SERVICE_START_AUTOMATIC },
    { "vpxa", "VMware vCenter Agent", true, true, PV_SERVICE_START_AUTOMATIC },
}, hyperv_services[] = {
    { "MSiSCSI", "Microsoft iSCSI Initiator Service", false, false, PV_SERVICE_START_MANUAL },
    { "W32Time", "Windows Time", true, false, PV_SERVICE_START_AUTOMATIC },
    { "WinRM", "Windows Remote Management (WS-Management)", true, true, PV_SERVICE_START_AUTOMATIC },
    { "hns", "Host Network Service", true, false, PV_SERVICE_START_MANUAL },
    { "vmcompute", "Hyper-V Host Compute Service", true, false, PV_SERVICE_START_MANUAL },
    { "vmms", "Hyper-V Virtual Machine Management", true, true, PV_SERVICE_START_AUTOMATIC },
};

#define SERVICES PV_COUNT(vmware_services)
_Static_assert(PV_COUNT(vmware_services) == PV_COUNT(hyperv_services), "as many of each");

static const struct service *services_of(const struct sim_estate *e)
{
    return sim_is_vmware(e) ? vmware_services : hyperv_services;
}

/* What people made of it: things.services is {"<host>/<name>": {"runs", "start"}}; guarded by the estate's lock. */
static const json_t *changed_service(const struct sim_estate *e, uint32_t n, const char *name)
{
    char key[96];

    snprintf(key, sizeof(key), "%u/%s", n, name);
    return json_object_get(json_object_get(e->things, "services"), key);
}

static struct service service_now(const struct sim_estate *e, uint32_t n, const struct service *preset)
{
    const json_t *own = changed_service(e, n, preset->name);
    struct service s = *preset;

    if (own) {
        s.runs = json_is_true(json_object_get(own, "runs"));
        s.start = (enum pv_service_start)json_integer_value(json_object_get(own, "start"));
    }
    return s;
}

static void put_service(struct pv_builder *b, const struct service *s)
{
    pv_host_service_begin(b, s->name, NULL);
    pv_host_service_name(b, s->name);
    pv_host_service_label(b, s->label);
    pv_host_service_state(b, s->runs ? PV_SERVICE_STATE_RUNNING : PV_SERVICE_STATE_STOPPED);
    pv_host_service_start_mode(b, s->start);
    pv_host_service_required(b, s->required);
}

/* Of an authority of the company's own; they last for years. */
static void put_certificate(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    uint64_t roll = sim_roll(e, SIM_MACHINE, PART + 8ull * n + 6);
    char name[64], subject[160], sha256[65];
    uint64_t digest[4];

    for (unsigned i = 0; i < 4; i++)
        digest[i] = sim_hash(roll, SIM_UUID, i);
    str_hex((const uint8_t *)digest, sizeof(digest), sha256);
    sim_host_name(e, n, name, sizeof(name));
    snprintf(subject, sizeof(subject), "CN=%s,O=Example", name);
    pv_host_cert_subject(b, subject);
    pv_host_cert_issuer(b, sim_is_vmware(e) ? "CN=CA,O=vcenter.example"
                                            : "CN=Example Issuing CA 2,O=Example");
    pv_host_cert_expires_at(b, SIM_EPOCH_MS + (int64_t)(1100 + roll % 1500) * SIM_DAY_MS);
    pv_host_cert_sha256(b, sha256);
}

void sim_emit_host_parts(const struct sim_estate *e, struct pv_builder *b, uint32_t n)
{
    put_certificate(e, b, n);
    for (unsigned k = 0; k < 3; k++)
        put_nic(e, b, n, k);
    if (sim_is_vmware(e))
        put_hba(e, b, n);
    for (size_t i = 0; i < SERVICES; i++) {
        struct service s = service_now(e, n, &services_of(e)[i]);

        put_service(b, &s);
    }
}

/* ------------------------------------------------------------------ changing services */

static int find_service(struct job *j, uint32_t *host, const struct service **out, struct pv_err *err)
{
    uint64_t n;

    if (!sim_native_number(j->e, PV_KIND_host, j->owner_id, &n) || n >= j->e->set.hosts)
        return job_gone(j, err, "host");
    *host = (uint32_t)n;
    for (size_t i = 0; i < SERVICES; i++) {
        *out = &services_of(j->e)[i];
        if (strcmp((*out)->name, j->subject_id) == 0)
            return PV_OK;
    }
    return job_gone(j, err, "service");
}

static bool does(const struct job *j, const char *what)
{
    return strcmp(j->op->name + strlen("host.service."), what) == 0;
}

int sim_check_service(struct job *j, struct pv_err *err)
{
    const struct service *preset;
    struct service now;
    uint32_t host;
    int rc = find_service(j, &host, &preset, err);

    if (rc != PV_OK)
        return rc;
    now = service_now(j->e, host, preset);
    /* As a real host is reached. */
    if (!sim_is_vmware(j->e) && strcmp(now.name, "WinRM") == 0 && (does(j, "stop") || does(j, "restart"))) {
        pv_fail(err, PV_ENOTSUP, "%s %s: the host is managed through this service; nobody could start it again from here",
                does(j, "stop") ? "stopping" : "restarting", now.label);
        pv_err_remedy(err, "Do it at the host itself.");
        return PV_ENOTSUP;
    }
    if (now.start == PV_SERVICE_START_DISABLED && does(j, "start")) {
        pv_fail(err, PV_ESTATE, "starting %s: the service is disabled", now.label);
        pv_err_remedy(err, "Change how it starts to manual or automatic first.");
        return job_native(j, err, PV_ESTATE, "InvalidState", "14 Service Disabled");
    }
    j->no_op = (does(j, "start") && now.runs) || (does(j, "stop") && !now.runs);
    return PV_OK;
}

int sim_apply_service(struct job *j, struct pv_err *err)
{
    json_t *services = json_object_get(j->e->things, "services");
    const struct service *preset;
    struct service now;
    char key[96];
    uint32_t host;
    int64_t start;
    int rc = find_service(j, &host, &preset, err);

    if (rc != PV_OK)
        return rc;
    now = service_now(j->e, host, preset);
    start = does(j, "set_start") ? model_enum_value(PV_ENUM_service_start, job_text(j, "start_mode"),
                                                    strlen(job_text(j, "start_mode")))
                                 : (int64_t)now.start;
    if (!services) {
        services = json_object();
        json_object_set_new(j->e->things, "services", services);
    }
    snprintf(key, sizeof(key), "%u/%s", host, now.name);
    if (json_object_set_new(services, key,
                            json_pack("{s:b, s:I}", "runs", does(j, "set_start") ? now.runs : !does(j, "stop"),
                                      "start", (json_int_t)start)) != 0)
        return pv_fail(err, PV_ENOMEM, "no memory for a service");
    return PV_OK;
}
