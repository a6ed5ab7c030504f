/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/vapi.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <polyvisor/jsonw.h>

#include "drivers/vapi/tags.h"
#include "drivers/vapi/tasks.h"
#include "drivers/vapi/tree.h"

int vapi_new(const struct pv_host *host, const char *config, struct vapi **out, struct pv_err *err)
{
    struct vapi *v = calloc(1, sizeof(*v));
    int rc;

    if (!v)
        return pv_fail(err, PV_ENOMEM, "no memory");
    pthread_mutex_init(&v->order, NULL);
    pthread_mutex_init(&v->lock, NULL);
    rc = session_new(host, config, &v->session, err);
    if (rc == PV_OK) {
        v->tree = tree_new();
        v->tasks = tasks_new(v->session);
        if (!v->tree || !v->tasks)
            rc = pv_fail(err, PV_ENOMEM, "no memory");
    }
    if (rc) {
        vapi_free(v);
        return rc;
    }
    *out = v;
    return PV_OK;
}

void vapi_free(struct vapi *v)
{
    if (!v)
        return;
    if (v->session)
        rest_close(&v->rest, v->session);
    tasks_free(v->tasks);
    session_free(v->session);
    tree_free(v->tree);
    tags_free(v->tags);
    pthread_mutex_destroy(&v->lock);
    pthread_mutex_destroy(&v->order);
    free(v);
}

void vapi_log(const struct vapi *v, int level, const char *fmt, ...)
{
    const struct pv_host *host = v->session->host;
    char line[768];
    va_list ap;
    int n;

    if (!host->log)
        return;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n >= 0)
        host->log(host->ctx, level, line);
}

struct capability {
    const char *name;
    const char *vcenter, *esxi; /* reason why not; NULL: yes */
};

#define NOT_YET "this driver does not do it"
#define NEEDS_KEYS "a virtual TPM is added where the key provider is known, in the vSphere Client"
#define TO_CLIENT                                                                                  \
    "vSphere hands an export to a client; it writes none to a folder. Clone the VM instead"
#define ALWAYS_METERED "vSphere meters every VM all the time"
#define SWITCHES "switches take their uplinks from hosts and are made in the vSphere Client"
#define IMAGES                                                                                     \
    "disk files without a VM are not listed in vSphere; a VM's own are changed with vm.disk.*"
#define AT_HOST "the order of starting is a setting of the ESXi host, not of the VM"
#define NEEDS_VCENTER "a single ESXi host cannot do it; it needs a vCenter"

static const struct capability capabilities[] = {
    { "inventory.full", NULL, NULL },
    { "inventory.push", NULL, NULL },
    { "events.push", NULL, NULL },
    { "vm.start", NULL, NULL },
    { "vm.stop", NULL, NULL },
    { "vm.shutdown", NULL, NULL },
    { "vm.reboot", NULL, NULL },
    { "vm.reset", NULL, NULL },
    { "vm.pause", "vSphere has no paused state; suspend keeps the memory on disk",
      "vSphere has no paused state; suspend keeps the memory on disk" },
    { "vm.suspend", NULL, NULL },
    { "vm.resume", NULL, NULL },
    { "vm.snapshot.create", NULL, NULL },
    { "vm.snapshot.memory", NULL, NULL },
    { "vm.snapshot.quiesce", NULL, NULL },
    { "vm.snapshot.revert", NULL, NULL },
    { "vm.snapshot.update", NULL, NULL },
    { "vm.snapshot.delete", NULL, NULL },
    { "vm.delete_snapshots", NULL, NULL },
    { "vm.reconfigure", NULL, NULL },
    { "vm.reconfigure.cpu", NULL, NULL },
    { "vm.reconfigure.memory", NULL, NULL },
    { "vm.reconfigure.firmware", NULL, NULL },
    { "vm.hotadd.cpu", NULL, NULL },
    { "vm.hotadd.memory", NULL, NULL },
    { "vm.secure_boot", NULL, NULL },
    { "vm.boot_order", NULL, NULL },
    { "vm.tpm", NEEDS_KEYS, NEEDS_KEYS },
    { "vm.autostart", AT_HOST, AT_HOST },
    { "vm.rename", NULL, NULL },
    { "vm.delete", NULL, NULL },
    { "vm.clone", NULL, NEEDS_VCENTER },
    { "vm.clone_linked", NULL, NEEDS_VCENTER },
    { "vm.template", NULL, NEEDS_VCENTER },
    { "vm.guest.info", NULL, NULL },
    { "vm.create", NULL, NULL },
    { "vm.import", NULL, NULL },
    { "vm.move", NULL, NULL },
    { "vm.move.live", NULL, NEEDS_VCENTER },
    { "vm.move.cold", NULL, NULL },
    { "vm.move.storage", NULL, NULL },
    { "vm.move.shared_nothing", NULL, NEEDS_VCENTER },
    { "vm.disk.attach", NULL, NULL },
    { "vm.disk.detach", NULL, NULL },
    { "vm.disk.update", NULL, NULL },
    { "vm.disk.resize", NULL, NULL },
    { "vm.nic.attach", NULL, NULL },
    { "vm.iso.mount", NULL, NULL },
    { "vm.hotadd.disk", NULL, NULL },
    { "vm.hotadd.nic", NULL, NULL },
    { "vm.hotadd.cdrom", NULL, NULL },
    { "vm.hotadd.controller", NULL, NULL },
    { "vm.guest.set_data", NULL, NULL },
    { "vm.console", NULL, NULL },
    { "vm.console.webmks", NULL, NULL },
    { "vm.console.screenshot", NULL, NULL },
    { "vm.keystrokes", NULL, NULL },
    { "datastore.files", NULL, NULL },
    { "datastore.folder.create", NULL, NULL },
    { "datastore.file.move", NULL, NULL },
    { "datastore.file.delete", NULL, NULL },
    { "datastore.file.download", NULL, NULL },
    { "datastore.file.upload", NULL, NULL },
    { "vm.export", TO_CLIENT, TO_CLIENT },
    { "vm.snapshot.export", TO_CLIENT, TO_CLIENT },
    { "vm.metrics.enable", ALWAYS_METERED, ALWAYS_METERED },
    { "vm.metrics.disable", ALWAYS_METERED, ALWAYS_METERED },
    { "switch.create", SWITCHES, SWITCHES },
    { "switch.update", SWITCHES, SWITCHES },
    { "switch.delete", SWITCHES, SWITCHES },
    { "disk.create", IMAGES, IMAGES },
    { "disk.inspect", IMAGES, IMAGES },
    { "disk.resize", IMAGES, IMAGES },
    { "disk.compact", IMAGES, IMAGES },
    { "disk.convert", IMAGES, IMAGES },
    { "disk.merge", IMAGES, IMAGES },
    { "disk.check", IMAGES, IMAGES },
    { "disk.delete", IMAGES, IMAGES },
    { "tags.read", NULL, "tags belong to a vCenter" },
    { "tags.write", NOT_YET, "tags belong to a vCenter" },
};

static void put_capability(struct jsonw *w, const struct vapi *v, const struct capability *c)
{
    const char *reason = v->session->content.vcenter ? c->vcenter : c->esxi;

    if (!reason && v->tags_failed && c->name[0] == 't')
        reason = "the vCenter's tags could not be read; see the log";
    jsonw_object(w, NULL);
    jsonw_str(w, "name", c->name);
    jsonw_str(w, "state", reason ? "no" : "yes");
    if (reason)
        jsonw_str(w, "reason", reason);
    jsonw_end(w);
}

int vapi_tell_provider(struct vapi *v, unsigned requests, bool push, struct pv_err *err)
{
    const struct pv_host *host = v->session->host;
    const struct content *c = &v->session->content;
    struct jsonw w;
    struct buf text;
    int rc;

    if (!host->provider)
        return PV_OK;
    buf_init(&text, 1 << 16);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "state", "connected");
    jsonw_object(&w, "product");
    jsonw_str(&w, "name", c->product);
    jsonw_str(&w, "version", c->version);
    jsonw_str(&w, "build", c->build);
    jsonw_str(&w, "api_version", c->api_version);
    jsonw_end(&w);
    if (c->instance_uuid[0])
        jsonw_str(&w, "instance_uuid", c->instance_uuid);
    jsonw_str(&w, "family", "vmware");
    jsonw_array(&w, "capabilities");
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        put_capability(&w, v, &capabilities[i]);
    jsonw_end(&w);
    jsonw_object(&w, "sync");
    jsonw_str(&w, "mode", push ? "push" : "poll");
    jsonw_u64(&w, "interval_s", v->session->config.poll_interval_s);
    if (requests)
        jsonw_u64(&w, "requests_last_full", requests);
    jsonw_end(&w);
    jsonw_end(&w);
    rc =
        buf_ok(&text) ? host->provider(host->ctx, text.data) : pv_fail(err, PV_ENOMEM, "no memory");
    buf_free(&text);
    return rc;
}
