/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that are taken out of use and back. vSphere empties a host by DRS where that is fully
 * automated; elsewhere its task waits until somebody has moved or stopped what runs there.
 */
#include <string.h>

#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/props.h"

static const char *const rest_paths[] = { "runtime.inMaintenanceMode" };
static const struct prop_table rest_table = { "HostSystem", rest_paths, 1 };

static bool enters(const struct operation *o)
{
    return strcmp(o->method->operation, "host.enter_maintenance") == 0;
}

static int on_rest(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct prop_values v;
    bool *rests = ctx;

    (void)ref;
    (void)err;
    props_read(&rest_table, object, &v);
    if (v.val[0])
        (void)xml_bool(v.val[0], rests);
    return PV_OK;
}

int op_host_rests(struct operation *o, bool *wanted, struct pv_err *err)
{
    bool rests = false;
    int rc = op_read(o, &o->vm, &rest_table, on_rest, &rests, err);

    if (rc == PV_OK)
        *wanted = rests == enters(o);
    return rc;
}

int op_maintenance(struct operation *o, struct pv_err *err)
{
    int64_t timeout_s = 0;
    struct enc *e;
    bool there = false;
    int rc = op_host_rests(o, &there, err);

    if (rc || there)
        return rc;
    e = enc_new(o->method->native, o->vm.type, o->vm.id);
    (void)op_member_int(o->args, "timeout_s", &timeout_s);
    if (e)
        enc_int(enc_root(e), "timeout", timeout_s);
    if (e && enters(o) && op_arg_true(o, "evacuate_off"))
        enc_bool(enc_root(e), "evacuatePoweredOffVms", true);
    return op_run_task(o, e, err);
}
