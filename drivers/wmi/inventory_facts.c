/* SPDX-License-Identifier: Apache-2.0 */
/* What the server is told about the provider: product, capabilities, sync. */
#include "drivers/wmi/inventory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/jsonw.h>

#define FACTS_MOST (1u << 16)
#define BUILD_2016 14393u

/* What may stand in the way of a capability. */
enum hurdle {
    HURDLE_NEVER,     /* Hyper-V has no such thing */
    HURDLE_EVENTS,    /* the host grants no events */
    HURDLE_SERVER,    /* client editions cannot */
    HURDLE_MIGRATION, /* live migration is turned off */
    HURDLE_CREDSSP,   /* ... or signs in as people at the host do */
    HURDLE_2012_R2,   /* too old */
    HURDLE_2016,
};

struct capability {
    const char *name, *state, *reason, *needs;
    enum hurdle hurdle;
};

static const struct capability capabilities[] = {
    { "inventory.push", "limited", "the host grants no event subscription; it is polled", NULL,
      HURDLE_EVENTS },
    { "vm.move.live", "no", "client editions of Windows cannot move running VMs", "Windows Server",
      HURDLE_SERVER },
    { "vm.move.shared_nothing", "no", "client editions of Windows cannot move running VMs",
      "Windows Server", HURDLE_SERVER },
    { "vm.move.live", "no", "live migration is turned off on the host", "live migration",
      HURDLE_MIGRATION },
    { "vm.move.shared_nothing", "no", "live migration is turned off on the host", "live migration",
      HURDLE_MIGRATION },
    { "vm.move.live", "no",
      "live migration on the host signs in by CredSSP, which cannot be used from afar",
      "Kerberos for live migration", HURDLE_CREDSSP },
    { "vm.move.shared_nothing", "no",
      "live migration on the host signs in by CredSSP, which cannot be used from afar",
      "Kerberos for live migration", HURDLE_CREDSSP },
    { "vm.clone", "limited", "a clone is an export and an import: all of its disks are copied",
      NULL, HURDLE_NEVER },
    { "vm.clone_linked", "no", "Hyper-V knows no clone that shares disks with a VM that lives on",
      NULL, HURDLE_NEVER },
    { "vm.replication", "no", "client editions of Windows do not replicate VMs", "Windows Server",
      HURDLE_SERVER },
    { "vm.secure_boot", "no", "VMs of generation 2 came with Windows Server 2012 R2",
      "Windows Server 2012 R2", HURDLE_2012_R2 },
    { "vm.snapshot.quiesce", "no", "production checkpoints came with Windows Server 2016",
      "Windows Server 2016", HURDLE_2016 },
    { "vm.tpm", "no", "virtual TPMs came with Windows Server 2016", "Windows Server 2016",
      HURDLE_2016 },
    { "vm.hotadd.memory", "no", "changing the memory of a running VM came with Windows Server 2016",
      "Windows Server 2016", HURDLE_2016 },
    { "vm.hotadd.nic", "no", "adding adapters to a running VM came with Windows Server 2016",
      "Windows Server 2016", HURDLE_2016 },
    { "vm.hotadd.cpu", "no", "Hyper-V adds no processors to a running VM", NULL, HURDLE_NEVER },
    { "vm.hotadd.controller", "no", "Hyper-V adds no controllers to a running VM", NULL,
      HURDLE_NEVER },
    { "datastore.file.download", "no",
      "WS-Management carries no contents of files; copy it from the host's share (SMB)", NULL,
      HURDLE_NEVER },
    { "datastore.file.upload", "no",
      "WS-Management carries no contents of files; copy it to the host's share (SMB)", NULL,
      HURDLE_NEVER },
    { "vm.template", "no", "Hyper-V has no templates of its own", NULL, HURDLE_NEVER },
    { "vm.guest.exec", "no", "PowerShell Direct works on the host alone, not over the network",
      NULL, HURDLE_NEVER },
    { "tags.read", "no", "Hyper-V has no tags of its own", NULL, HURDLE_NEVER },
    { "tags.write", "no", "Hyper-V has no tags of its own", NULL, HURDLE_NEVER },
    { "events.push", "no", "Hyper-V's event log is not read", NULL, HURDLE_NEVER },
};

/* Capabilities that every host has. */
static const char *const always[] = { "inventory.full", "vm.guest.info", "vm.snapshot.memory",
                                      "vm.console.screenshot" };

static bool stands(const struct inventory *i, enum hurdle hurdle)
{
    const struct world *w = i->world;

    switch (hurdle) {
    case HURDLE_NEVER:
        return true;
    case HURDLE_EVENTS:
        return !i->push;
    case HURDLE_SERVER:
        return w->product_type == 1;
    case HURDLE_MIGRATION:
        return w->product_type != 1 && w->migration_off;
    case HURDLE_CREDSSP:
        return w->product_type != 1 && !w->migration_off && w->migration_credssp;
    case HURDLE_2012_R2:
        return w->major > 0 && w->major * 100 + w->minor < 603;
    case HURDLE_2016:
        return w->build > 0 && w->build < BUILD_2016;
    default:
        return false;
    }
}

/* Of several hurdles of one capability the first that stands is told; else it is there. */
static bool is_told_elsewhere(const struct inventory *i, const struct capability *c, bool hindered)
{
    size_t at = (size_t)(c - capabilities);

    for (size_t k = 0; k < PV_COUNT(capabilities); k++) {
        if (k == at || strcmp(capabilities[k].name, c->name) != 0)
            continue;
        if (stands(i, capabilities[k].hurdle) ? k < at || !hindered : k < at && !hindered)
            return true;
    }
    return false;
}

static void put_capability(struct jsonw *w, const struct inventory *i, const struct capability *c)
{
    bool hindered = stands(i, c->hurdle);

    if (is_told_elsewhere(i, c, hindered))
        return;
    jsonw_object(w, NULL);
    jsonw_str(w, "name", c->name);
    jsonw_str(w, "state", hindered ? c->state : "yes");
    if (hindered)
        jsonw_str(w, "reason", c->reason);
    if (hindered && c->needs) {
        jsonw_array(w, "needs");
        jsonw_str(w, NULL, c->needs);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static void put_capabilities(struct jsonw *w, const struct inventory *i)
{
    jsonw_array(w, "capabilities");
    for (size_t k = 0; k < sizeof(always) / sizeof(always[0]); k++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "name", always[k]);
        jsonw_str(w, "state", "yes");
        jsonw_end(w);
    }
    for (size_t k = 0; k < sizeof(capabilities) / sizeof(capabilities[0]); k++)
        put_capability(w, i, &capabilities[k]);
    jsonw_end(w);
}

static void put_product(struct jsonw *w, const struct world *world)
{
    jsonw_object(w, "product");
    jsonw_str(w, "name", world->product ? world->product : "Hyper-V");
    jsonw_strf(w, "version", "%u.%u.%u", world->major, world->minor, (unsigned)world->build);
    jsonw_strf(w, "build", "%u", (unsigned)world->build);
    jsonw_str(w, "api_version", "WMI root/virtualization/v2");
    jsonw_end(w);
}

int inventory_tell(struct inventory *i, struct pv_err *err)
{
    const struct pv_host *host = i->wmi->host;
    bool open = i->wmi->config.allow_unencrypted;
    struct jsonw w;
    struct buf text;
    int rc;

    if (!host->provider || !i->world)
        return PV_OK;
    buf_init(&text, FACTS_MOST);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "state", i->partial || open ? "degraded" : "connected");
    if (i->partial)
        jsonw_str(&w, "reason", i->reason[0] ? i->reason : "part of the host cannot be read");
    else if (open)
        jsonw_str(&w, "reason", "the connection is not encrypted (allow_unencrypted)");
    put_product(&w, i->world);
    if (i->world->host_uuid)
        jsonw_str(&w, "instance_uuid", i->world->host_uuid);
    jsonw_str(&w, "family", "hyperv");
    put_capabilities(&w, i);
    jsonw_object(&w, "sync");
    jsonw_str(&w, "mode", i->push ? "push" : "poll");
    jsonw_u64(&w, "interval_s", i->interval_s);
    if (i->requests)
        jsonw_u64(&w, "requests_last_full", i->requests);
    jsonw_end(&w);
    jsonw_end(&w);
    rc =
        buf_ok(&text) ? host->provider(host->ctx, text.data) : pv_fail(err, PV_ENOMEM, "no memory");
    buf_free(&text);
    return rc;
}
