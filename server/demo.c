/* SPDX-License-Identifier: Apache-2.0 */
#include "server/demo.h"

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#include "server/core/core.h"

static const struct {
    const char *name, *endpoint, *family;
    int vms, hosts, clusters, datacenters;
} estate[] = {
    { "vCenter Frankfurt", "sim://vcenter-fra", "vmware", 200, 12, 2, 1 },
    { "vCenter Singapore", "sim://vcenter-sin", "vmware", 150, 8, 2, 2 },
    { "hv-ams-01", "sim://hv-ams-01", "hyperv", 25, 1, 0, 0 },
    { "hv-ams-02", "sim://hv-ams-02", "hyperv", 25, 1, 0, 0 },
    { "hv-ams-03", "sim://hv-ams-03", "hyperv", 25, 1, 0, 0 },
    { "hv-osl-01", "sim://hv-osl-01", "hyperv", 25, 1, 0, 0 },
    { "hv-osl-02", "sim://hv-osl-02", "hyperv", 25, 1, 0, 0 },
    { "hv-osl-03", "sim://hv-osl-03", "hyperv", 25, 1, 0, 0 },
};

int demo_add(struct core *core, struct pv_err *err)
{
    const struct core_actor by = { .type = PV_ACTOR_TYPE_SYSTEM, .name = "demo", .address = "", .request_id = "" };
    const struct core_options options = { 0 };

    for (size_t i = 0; i < PV_COUNT(estate); i++) {
        json_t *body = json_pack("{s:s, s:s, s:s, s:{s:s, s:i, s:i, s:i, s:i, s:i, s:f}}", "name", estate[i].name,
                                 "driver", "sim", "endpoint", estate[i].endpoint, "settings", "family",
                                 estate[i].family, "seed", (int)i + 1, "vms", estate[i].vms, "hosts", estate[i].hosts,
                                 "clusters", estate[i].clusters, "datacenters", estate[i].datacenters, "change_rate",
                                 0.1);
        struct pv_err why = { 0 };
        struct pv_id id;
        int rc;

        if (!body)
            return pv_fail(err, PV_ENOMEM, "no memory for the demo");
        id_make(&id);
        rc = core_provider_create(core, &by, &id, body, NULL, true, &options, &why);
        json_decref(body);
        /* There already: the demo was started before. */
        if (rc != PV_OK && rc != PV_EEXIST) {
            if (err)
                *err = why;
            return pv_wrap(err, "adding the simulated %s", estate[i].name);
        }
    }
    return PV_OK;
}
