/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services of a host. Win32_Service answers as soon as the service manager has taken the request;
 * what becomes of it is followed in State, which may take minutes.
 */
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define SVC(prop) P(Win32_Service, prop)
#define PENDING_MS 120000 /* how long a service may take to start or stop */

/* Without them nobody could start them again from here. */
static bool is_our_way(const char *service)
{
    return op_same(service, "WinRM") || op_same(service, "Winmgmt");
}

static const struct cim_ref *service_ref(struct op *o)
{
    struct cim_ref *r = cim_ref_new(o->a, CIM(Win32_Service));

    cim_ref_add(r, SVC(Name), o->id);
    return r;
}

/* ------------------------------------------------------------------ what the methods answer */

/* Return values of StartService, StopService and ChangeStartMode. [Microsoft, Win32_Service class]
 */
static const struct meaning {
    uint32_t value;
    int rc;
    const char *native, *words, *remedy;
} meanings[] = {
    { 1, PV_ENOTSUP, "1 Not Supported", "Windows does not allow it for this service", NULL },
    { 2, PV_EPERM, "2 Access Denied", "access is denied",
      "Give the account of the provider the right to control this service, or choose another "
      "account." },
    { 3, PV_ESTATE, "3 Dependent Services Running", "other services that run depend on it",
      "Stop the services that depend on it first." },
    { 4, PV_EINVAL, "4 Invalid Service Control", "the service does not understand the request",
      NULL },
    { 5, PV_ESTATE, "5 Service Cannot Accept Control",
      "the service does not take requests in the state it is in",
      "Wait until it has started or stopped, and try again." },
    { 6, PV_ESTATE, "6 Service Not Active", "the service does not run", NULL },
    { 7, PV_ETIMEOUT, "7 Service Request Timeout", "the service did not answer in time",
      "Look into the event log of the host for why it hangs." },
    { 8, PV_EIO, "8 Unknown Failure", "the host reports a failure",
      "Look into the event log of the host for why." },
    { 9, PV_EIO, "9 Path Not Found", "its program is not there",
      "Repair the service on the host." },
    { 11, PV_EBUSY, "11 Service Database Locked", "the service manager of the host is locked",
      "Try again in a moment." },
    { 12, PV_EIO, "12 Service Dependency Deleted", "a service that it depends on is not there",
      "Repair the service on the host." },
    { 13, PV_ESTATE, "13 Service Dependency Failure", "a service that it depends on does not start",
      "Start the services that it depends on first." },
    { 14, PV_ESTATE, "14 Service Disabled", "the service is disabled",
      "Change how it starts to manual or automatic first." },
    { 15, PV_EPERM, "15 Service Logon Failure", "it cannot sign in with its own account",
      "Correct the account that the service signs in with, on the host." },
    { 16, PV_ESTATE, "16 Service Marked For Deletion", "it is about to be deleted", NULL },
    { 17, PV_EIO, "17 Service No Thread", "it could not be started", NULL },
    { 18, PV_EIO, "18 Status Circular Dependency", "services depend on each other in a circle",
      NULL },
    { 21, PV_EINVAL, "21 Status Invalid Parameter", "a value is not acceptable", NULL },
    { 22, PV_EPERM, "22 Status Invalid Service Account",
      "its account does not exist, or may not run services",
      "Correct the account that the service signs in with, on the host." },
    { 24, PV_ESTATE, "24 Status Service Already Paused", "the service is paused", NULL },
};

static int refused(struct op *o, const struct op_step *s, uint32_t value, struct pv_err *err)
{
    bool starts = strcmp(s->in->cls->name, "StartService") == 0, there = false;
    int rc;

    /* Somebody else was quicker; hosts say 5, too, of what is stopped. */
    if ((value == 10 && starts) || (value == 6 && !starts) ||
        (value == 5 && s->look(o, s->ctx, &there, NULL) == PV_OK && there))
        return PV_OK;
    for (size_t i = 0; i < PV_COUNT(meanings); i++) {
        if (meanings[i].value != value)
            continue;
        rc = pv_fail(err, meanings[i].rc, "%s: %s", s->what, meanings[i].words);
        pv_err_native(err, meanings[i].native);
        if (meanings[i].remedy)
            pv_err_remedy(err, "%s", meanings[i].remedy);
        return rc;
    }
    return pv_fail(err, PV_EIO, "%s: the host refused (%u)", s->what, value);
}

/* ------------------------------------------------------------------ what it is doing */

static int get_service(struct op *o, struct cim_instance **out, struct pv_err *err)
{
    return wsman_get(o->w->client, &o->c, service_ref(o), o->a, out, err);
}

struct wish {
    const char *state, *pending; /* of State */
    const char *mode;            /* of StartMode; NULL: it is about State */
};

static const struct wish running = { "Running", "Start Pending", NULL };
static const struct wish stopped = { "Stopped", "Stop Pending", NULL };

/* op_look_fn: it is there, or on its way there. */
static int on_its_way(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct wish *w = ctx;
    struct cim_instance *service = NULL;
    int rc = get_service(o, &service, err);
    const char *state;

    if (rc)
        return rc;
    state = cim_str(service, SVC(State));
    *there = w->mode ? op_same(cim_str(service, SVC(StartMode)), w->mode)
                     : op_same(state, w->state) || op_same(state, w->pending);
    return PV_OK;
}

/* Until it is no longer pending. */
static int wait_until(struct op *o, const struct wish *w, const char *what, struct pv_err *err)
{
    struct backoff pause = { .first_ms = 200, .most_ms = 2000 };
    int64_t until = clock_mono_ms() + PENDING_MS;

    for (;;) {
        struct cim_instance *service = NULL;
        int rc = get_service(o, &service, err);
        const char *state = rc ? NULL : cim_str(service, SVC(State));

        if (rc)
            return rc;
        if (op_same(state, w->state))
            return PV_OK;
        if (!op_same(state, w->pending))
            return pv_fail(err, PV_EIO, "%s: the service is %s again", what,
                           state ? state : "unknown");
        if (clock_mono_ms() >= until)
            return pv_fail(err, PV_ETIMEOUT, "%s: it still says \"%s\"", what, state);
        rc = call_sleep(&o->c, backoff_next_ms(&pause), err);
        if (rc)
            return rc;
    }
}

static int change_state(struct op *o, const char *key, const char *verb, const struct wish *w,
                        struct cim_instance *in, struct pv_err *err)
{
    struct op_step s = { .key = key,
                         .what = op_what(o, verb, o->name),
                         .on = service_ref(o),
                         .in = in,
                         .look = on_its_way,
                         .ctx = (void *)(uintptr_t)w,
                         .refused = refused };
    int rc = op_do(o, &s, NULL, err);

    return rc || o->dry_run ? rc : wait_until(o, w, s.what, err);
}

/* ------------------------------------------------------------------ operations */

static int refuse_our_way(struct op *o, struct pv_err *err)
{
    int rc = pv_fail(
        err, PV_ENOTSUP,
        "%s %s: the host is managed through this service; nobody could start it again from here",
        o->def->verb, o->name);

    pv_err_remedy(err, "Do it at the host itself.");
    return rc;
}

static int run_start(struct op *o, struct pv_err *err)
{
    return change_state(o, "start", "starting", &running,
                        cim_call(o->a, M(Win32_Service, StartService)), err);
}

static int run_stop(struct op *o, struct pv_err *err)
{
    if (is_our_way(o->id))
        return refuse_our_way(o, err);
    return change_state(o, "stop", "stopping", &stopped,
                        cim_call(o->a, M(Win32_Service, StopService)), err);
}

static int run_restart(struct op *o, struct pv_err *err)
{
    struct cim_instance *service = NULL;
    int rc = PV_OK;

    if (is_our_way(o->id))
        return refuse_our_way(o, err);
    o->steps = o->dry_run ? 0 : 2;
    rc = get_service(o, &service, err);
    if (rc == PV_OK && (o->again || !op_same(cim_str(service, SVC(State)), stopped.state)))
        rc = run_stop(o, err);
    return rc ? rc : run_start(o, err);
}

static int run_set_start(struct op *o, struct pv_err *err)
{
    const char *mode = op_arg_str(o, "start_mode");
    /* StartMode is read as "Auto", and written as "Automatic". [Microsoft, ChangeStartMode] */
    bool automatic = op_same(mode, "automatic"), manual = op_same(mode, "manual");
    struct wish w = { .mode = automatic ? "Auto" : manual ? "Manual" : "Disabled" };
    struct cim_instance *in = cim_call(o->a, M(Win32_Service, ChangeStartMode));
    struct op_step s = { .key = "start mode",
                         .what = op_what(o, o->def->verb, o->name),
                         .on = service_ref(o),
                         .in = in,
                         .look = on_its_way,
                         .ctx = &w,
                         .refused = refused };

    if (is_our_way(o->id) && !automatic && !manual)
        return refuse_our_way(o, err);
    cim_set_str(in, A(Win32_Service, ChangeStartMode, StartMode), automatic ? "Automatic" : w.mode);
    return op_do(o, &s, NULL, err);
}

const struct op_def op_host_defs[] = {
    { "host.service.start", "starting", run_start, 0, 0 },
    { "host.service.stop", "stopping", run_stop, 0, 0 },
    { "host.service.restart", "restarting", run_restart, 0, 0 },
    { "host.service.set_start", "changing the start of", run_set_start, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
