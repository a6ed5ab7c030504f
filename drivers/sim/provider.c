/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <string.h>

#include <polyvisor/jsonw.h>

#define TEXT_MAX 65536

/* What both families have. Operations without a line here are yes, too: the driver does them. */
static const char *const capabilities[] = {
    "inventory.full",        "inventory.push",
    "events.push",           "vm.guest.info",
    "vm.snapshot.memory",    "vm.snapshot.quiesce",
    "vm.hotadd.disk",        "vm.hotadd.nic",
    "vm.hotadd.memory",      "vm.reconfigure.cpu",
    "vm.reconfigure.memory", "vm.boot_order",
    "vm.secure_boot",        "vm.tpm",
    "vm.autostart",          "vm.disk.resize",
    "vm.move.live",          "vm.move.cold",
    "vm.move.storage",       "vm.move.shared_nothing",
    "vm.clone_linked",       NULL,
};

/* What one of them lacks. */
static const struct lack {
    bool vmware;
    const char *name, *reason;
} lacks[] = {
    { true, "vm.pause", "vSphere has no pause; use suspend" },
    { true, "vm.metrics.enable", "vSphere meters every VM by itself" },
    { true, "vm.metrics.disable", "vSphere meters every VM by itself" },
    { true, "vm.snapshot.export",
      "vSphere exports no snapshots; clone from the snapshot and export the clone" },
    { true, "disk.merge", "vSphere merges disks by deleting their snapshots" },
    { true, "disk.check", "vSphere checks disks when it opens them" },
    { true, "tags.write", "The simulation has no tagging service" },
    { false, "host.maintenance",
      "A Hyper-V host has no maintenance mode; move its VMs and pause it in the failover cluster" },
    { false, "datastore.folder.create", "WMI has nothing that makes a folder" },
    { false, "datastore.file.download",
      "WS-Management carries no contents of files; copy it from the host's share (SMB)" },
    { false, "datastore.file.upload",
      "WS-Management carries no contents of files; copy it to the host's share (SMB)" },
    { false, "vm.template", "Hyper-V has no templates" },
    { false, "vm.reconfigure.firmware", "The generation of a Hyper-V VM cannot be changed" },
    { false, "vm.hotadd.cpu", "Hyper-V adds no processors to a running VM" },
    { false, "vm.hotadd.cdrom", "Hyper-V adds no drives to a running VM" },
    { false, "vm.hotadd.controller", "Hyper-V adds no controllers to a running VM" },
    { false, "tags.read", "Hyper-V has no tags of its own" },
    { false, NULL, NULL },
};

const char *sim_lacks(const struct sim_estate *e, const char *operation)
{
    for (const struct lack *l = lacks; l->name; l++)
        if (l->vmware == sim_is_vmware(e) && strcmp(l->name, operation) == 0)
            return l->reason;
    return "this hypervisor has no such thing";
}

static void capability(struct jsonw *w, const char *name, const char *state, const char *reason)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_str(w, "state", state);
    if (reason)
        jsonw_str(w, "reason", reason);
    jsonw_end(w);
}

static bool lacking(bool vmware, const char *name)
{
    for (const struct lack *l = lacks; l->name; l++)
        if (l->vmware == vmware && strcmp(l->name, name) == 0)
            return true;
    return false;
}

char *sim_provider_json(const struct sim_estate *e)
{
    static const char *const operations[] = {
        "vm.start",   "vm.stop",       "vm.shutdown",
        "vm.reboot",  "vm.reset",      "vm.pause",
        "vm.suspend", "vm.resume",     "vm.console.screenshot",
        "vm.console", "vm.keystrokes", NULL,
    };
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
    for (const struct lack *l = lacks; l->name; l++)
        if (l->vmware == vmware)
            capability(&w, l->name, "no", l->reason);
    for (const char *const *name = operations; *name; name++)
        if (!lacking(vmware, *name))
            capability(&w, *name, "yes", NULL);
    if (vmware) {
        capability(&w, "vm.hotadd.cpu", "yes", NULL);
        capability(&w, "vm.hotadd.cdrom", "yes", NULL);
        capability(&w, "vm.hotadd.controller", "yes", NULL);
        capability(&w, "vm.reconfigure.firmware", "yes", NULL);
    }
    if (e->set.change_rate > 0)
        capability(&w, "metrics.realtime", "yes", NULL);
    else
        capability(&w, "metrics.realtime", "no", "The simulation stands still: change_rate is 0");
    if (vmware)
        capability(&w, "tags.read", "yes", NULL);
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
