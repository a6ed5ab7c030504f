/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that are taken out of use and back. vSphere empties a host by DRS where that is fully
 * automated; elsewhere its task waits until somebody has moved or stopped what runs there.
 */
#include <string.h>

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/props.h"

static const char *const rest_paths[] = { "runtime.inMaintenanceMode" };
static const struct prop_table rest_table = { "HostSystem", rest_paths, 1 };

static const char *const services_paths[] = { "configManager.serviceSystem" };
static const struct prop_table services_table = { "HostSystem", services_paths, 1 };

static int on_services(void *ctx, const struct moref *ref, const xmlNode *object,
                       struct pv_err *err)
{
    struct moref *system = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&services_table, object, &v);
    (void)value_ref(v.val[0], system);
    return PV_OK;
}

/* HostServicePolicy. [vSphere Web Services API, HostServiceSystem.UpdateServicePolicy] */
static const char *policy_of(const char *start_mode)
{
    return str_eq(start_mode, "automatic")   ? "on"
           : str_eq(start_mode, "manual")    ? "off"
           : str_eq(start_mode, "on_demand") ? "automatic"
                                             : NULL;
}

/* Services of a host answer when it is done; what they are doing is read again by the server. */
int op_host_service(struct operation *o, struct pv_err *err)
{
    const char *mode = op_arg_str(o, "start_mode");
    struct moref system = { .type = "" };
    struct enc *e;
    int rc = op_read(o, &o->vm, &services_table, on_services, &system, err);

    if (rc)
        return rc;
    if (!system.id[0])
        return pv_fail(err, PV_ENOTSUP, "%s %s: the host lets nobody change its services from here",
                       o->method->verb, o->name);
    if (mode && !policy_of(mode))
        return op_no_such(o, "start_mode", "ESXi has automatic, manual and on_demand", err);
    e = enc_new(o->method->native, system.type, system.id);
    if (e)
        enc_text(enc_root(e), "id", o->device);
    if (e && mode)
        enc_text(enc_root(e), "policy", policy_of(mode));
    return op_ask(o, e, err);
}

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
