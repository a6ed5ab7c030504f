/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <string.h>

#include <polyvisor/jsonw.h>

#define TEXT_MAX 65536

static const char *const capabilities[] = {
    "inventory.full",
    "inventory.push",
    "events.push",
    "vm.guest.info",
    "vm.start",
    "vm.stop",
    "vm.shutdown",
    "vm.reboot",
    "vm.reset",
    "vm.suspend",
    "vm.resume",
    "vm.snapshot.create",
    "vm.snapshot.memory",
    "vm.snapshot.quiesce",
    "vm.snapshot.revert",
    "vm.snapshot.delete",
    NULL,
};

static void capability(struct jsonw *w, const char *name, const char *state, const char *reason)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_str(w, "state", state);
    if (reason)
        jsonw_str(w, "reason", reason);
    jsonw_end(w);
}

char *sim_provider_json(const struct sim_estate *e)
{
    bool vmware = sim_is_vmware(e);
    char uuid[37];
    struct buf out;
    struct jsonw w;

    sim_uuid(e, SIM_INSTANCE, UINT32_MAX, 0, uuid);
    buf_init(&out, TEXT_MAX);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "state", "connected");
    jsonw_str(&w, "family", vmware ? "vmware" : "hyperv");
    jsonw_str(&w, "instance_uuid", uuid);
    jsonw_object(&w, "product");
    jsonw_str(&w, "name", vmware ? "VMware vCenter Server" : "Microsoft Hyper-V");
    jsonw_str(&w, "version", vmware ? "8.0.3" : "2022");
    jsonw_str(&w, "build", vmware ? "24322831" : "20348.2700");
    jsonw_str(&w, "api_version", vmware ? "8.0.3.0" : "root/virtualization/v2");
    jsonw_end(&w);
    jsonw_array(&w, "capabilities");
    for (const char *const *name = capabilities; *name; name++)
        capability(&w, *name, "yes", NULL);
    if (vmware)
        capability(&w, "vm.pause", "no", "vSphere has no pause; use suspend");
    else
        capability(&w, "vm.pause", "yes", NULL);
    if (e->set.change_rate > 0)
        capability(&w, "metrics.realtime", "yes", NULL);
    else
        capability(&w, "metrics.realtime", "no", "The simulation stands still: change_rate is 0");
    if (vmware)
        capability(&w, "tags.read", "yes", NULL);
    else
        capability(&w, "tags.read", "no", "Hyper-V has no tags of its own");
    jsonw_end(&w);
    jsonw_object(&w, "sync");
    jsonw_str(&w, "mode", "push");
    jsonw_end(&w);
    jsonw_end(&w);
    return buf_take(&out);
}

static void finding(struct jsonw *w, const char *step, const char *detail)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "step", step);
    jsonw_bool(w, "ok", true);
    jsonw_str(w, "detail", detail);
    jsonw_end(w);
}

char *sim_probe_json(const struct sim_settings *set)
{
    bool vmware = set->family == PV_FAMILY_VMWARE;
    struct buf out;
    struct jsonw w;

    buf_init(&out, TEXT_MAX);
    jsonw_init(&w, &out);
    jsonw_array(&w, NULL);
    finding(&w, "settings", "The settings are complete.");
    finding(&w, "connect", "Nothing to connect to: everything here is made up.");
    finding(&w, "product",
            vmware ? "It plays VMware vCenter Server 8.0.3." : "It plays Microsoft Hyper-V 2022.");
    jsonw_object(&w, NULL);
    jsonw_str(&w, "step", "inventory");
    jsonw_bool(&w, "ok", true);
    jsonw_strf(&w, "detail", "%u VMs on %u hosts in %u clusters.", set->vms, set->hosts,
               set->clusters);
    jsonw_object(&w, "data");
    jsonw_u64(&w, "vms", set->vms);
    jsonw_u64(&w, "hosts", set->hosts);
    jsonw_u64(&w, "clusters", set->clusters);
    jsonw_u64(&w, "datacenters", set->datacenters);
    jsonw_end(&w);
    jsonw_end(&w);
    jsonw_end(&w);
    return buf_take(&out);
}
