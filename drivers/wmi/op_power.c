/* SPDX-License-Identifier: Apache-2.0 */
/* Power: on, off, saved, paused; asking the guest. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define RUNNING 2u
#define OFF 3u
#define STOPPING 4u
#define SAVED 6u
#define PAUSED 9u
#define RESET 11u
#define SHUTDOWN_S 300
#define SHUTDOWN_POLL_MS 1000
#define NOT_READY 32780u
#define LOCKED 32781u
#define UNDER_WAY 32782u

struct wanted {
    unsigned state;
    int64_t began; /* a reset: OnTime has to be less than the time since */
};

/* Critical states (storage lost) and those of the first version mean the same as the plain ones. */
static unsigned plain(unsigned state)
{
    switch (state) {
    case 32768:
    case 32785:
        return PAUSED;
    case 32769:
    case 32779:
    case 32784:
    case 32791:
        return SAVED;
    case 32781:
        return RUNNING;
    case 32782:
        return OFF;
    default:
        return state;
    }
}

static int is_in_state(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct wanted *w = ctx;
    unsigned state;
    int rc = op_vm_state(o, &state, err);

    if (rc == PV_OK)
        *there = plain(state) == w->state;
    return rc;
}

/* A VM that was reset runs as before; its clock of being on began anew. */
static int was_reset(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct wanted *w = ctx;
    struct cim_instance *vm;
    uint64_t on_ms = 0;
    int rc = op_vm_get(o, o->vm, &vm, err);

    if (rc)
        return rc;
    *there = plain((unsigned)cim_uint(vm, P(Msvm_ComputerSystem, EnabledState))) == RUNNING &&
             cim_get_uint(vm, P(Msvm_ComputerSystem, OnTimeInMilliseconds), &on_ms) &&
             (int64_t)on_ms <= clock_wall_ms() - w->began + 1000;
    return PV_OK;
}

static int request(struct op *o, const char *key, unsigned requested, op_look_fn look,
                   struct wanted *w, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_ComputerSystem, RequestStateChange));
    struct op_step s = {
        .key = key,
        .what = op_what(o, o->def->verb, o->name),
        .on = op_vm_ref(o, o->vm),
        .in = in,
        .look = look,
        .ctx = w,
    };

    cim_set_uint(in, A(Msvm_ComputerSystem, RequestStateChange, RequestedState), requested);
    return op_do(o, &s, NULL, err);
}

int op_power_set(struct op *o, const char *key, unsigned requested, unsigned state,
                 struct pv_err *err)
{
    struct wanted w = { .state = state };
    unsigned now = 0;
    int rc = PV_OK;

    if (!o->resumed && !o->dry_run) {
        rc = op_vm_stable(o, &now, err);
        if (rc == PV_OK && plain(now) == state)
            return PV_OK;
    }
    return rc ? rc : request(o, key, requested, is_in_state, &w, err);
}

/* ------------------------------------------------------------------ the plain ones */

static int check_from(struct op *o, unsigned state, struct pv_err *err)
{
    unsigned to = o->def->state;

    if (to == RUNNING && strcmp(o->def->name, "vm.start") == 0 && state == PAUSED)
        return op_wrong_state(o, err, "it is paused; resume it");
    if (to == RUNNING && strcmp(o->def->name, "vm.resume") == 0 && state == OFF)
        return op_wrong_state(o, err, "it is off");
    if (to == OFF && state == SAVED && !op_arg_bool(o, "force"))
        return op_wrong_state(o, err,
                              "it is suspended, and its saved state would be lost; use force");
    if ((to == SAVED || to == PAUSED) && state == OFF)
        return op_wrong_state(o, err, "it is off");
    if (to == PAUSED && state == SAVED)
        return op_wrong_state(o, err, "it is suspended");
    return PV_OK;
}

static int run_power(struct op *o, struct pv_err *err)
{
    struct wanted w = { .state = o->def->state };
    unsigned now = 0;
    int rc = PV_OK;

    if (!o->resumed) {
        rc = op_vm_stable(o, &now, err);
        now = plain(now);
        if (rc == PV_OK && now == w.state)
            return PV_OK;
        if (rc == PV_OK)
            rc = check_from(o, now, err);
    }
    return rc ? rc : request(o, "power", o->def->requested, is_in_state, &w, err);
}

static int run_reset(struct op *o, struct pv_err *err)
{
    struct wanted w = { .state = RUNNING, .began = journal_began(&o->journal) };
    unsigned now = RUNNING;
    int rc = PV_OK;

    if (!o->resumed)
        rc = op_vm_stable(o, &now, err);
    if (rc)
        return rc;
    if (plain(now) != RUNNING && plain(now) != PAUSED)
        return op_wrong_state(o, err, "it does not run");
    return request(o, "power", RESET, was_reset, &w, err);
}

/* ------------------------------------------------------------------ the guest is asked */

static int find_component(struct op *o, const struct cim_ref **out, struct pv_err *err)
{
    int rc = op_component(o, CIM(Msvm_ShutdownComponent), out, err);

    if (rc != PV_ENOENT)
        return rc;
    rc = pv_fail(err, PV_ENOTSUP, "%s %s: the guest offers no shutdown", o->def->verb, o->name);
    pv_err_needs(err, "integration services");
    pv_err_remedy(err, "Install and start the guest's integration services, or turn the VM off.");
    return rc;
}

static int guest_refused(struct op *o, uint32_t value, struct pv_err *err)
{
    int rc;

    switch (value) {
    case 0:
    case 4096:
    case UNDER_WAY:
        return PV_OK;
    case NOT_READY:
        rc = pv_fail(err, PV_ESTATE, "%s %s: the guest is not ready for it", o->def->verb, o->name);
        pv_err_native(err, "32780 NotReady");
        pv_err_needs(err, "integration services");
        pv_err_remedy(err, "Wait until the guest's integration services run, or turn the VM off.");
        return rc;
    case LOCKED:
        rc = pv_fail(err, PV_ESTATE, "%s %s: somebody is signed in and has locked the screen",
                     o->def->verb, o->name);
        pv_err_native(err, "32781 SystemLocked");
        pv_err_remedy(err, "Sign out in the guest, or turn the VM off.");
        return rc;
    default:
        return wsman_fail_return(value, op_what(o, o->def->verb, o->name), err);
    }
}

/* The component's methods answer codes of their own and start no job, so they go past op_do. */
static int ask_guest(struct op *o, const struct cim_ref *component, struct cim_instance *in,
                     struct pv_err *err)
{
    struct call whole = o->c;
    struct cim_instance *answer = NULL;
    uint32_t value = 0;
    int rc;

    if (o->dry_run) {
        op_plan_call(o, component, in);
        return PV_OK;
    }
    if (call_cancelled(&o->c))
        return pv_fail(err, PV_ECANCELED, "%s %s was canceled", o->def->verb, o->name);
    whole.must_finish = true;
    rc = op_begin_step(o, "guest", "asking the guest", err);
    if (rc)
        return rc;
    rc = wsman_invoke(o->w->client, &whole, component, in, o->a, &answer, err);
    if (rc == PV_OK && !cim_return_value(answer, &value))
        rc = pv_fail(err, PV_EUNKNOWN, "%s %s: the host's answer does not say what it did",
                     o->def->verb, o->name);
    if (rc == PV_OK)
        rc = guest_refused(o, value, err);
    if (rc == PV_OK) {
        o->changed = true;
        journal_note(&o->journal, "asked", "1");
        op_tell(o, "asking the guest", -1);
    }
    return rc;
}

static int run_reboot(struct op *o, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_ShutdownComponent, InitiateReboot));
    const struct cim_ref *component = NULL;
    unsigned now = 0;
    int rc;

    /* There is nothing to wait for; and nothing shows whether a request that got no answer arrived. */
    if (o->resumed && !journal_get(&o->journal, "asked"))
        return pv_fail(err, PV_EUNKNOWN, "%s %s: whether the guest was asked is not known",
                       o->def->verb, o->name);
    if (o->resumed) {
        o->changed = true;
        return PV_OK;
    }
    rc = op_vm_stable(o, &now, err);
    if (rc == PV_OK && plain(now) != RUNNING)
        return op_wrong_state(o, err, "it does not run");
    if (rc == PV_OK)
        rc = find_component(o, &component, err);
    if (rc)
        return rc;
    cim_set_bool(in, A(Msvm_ShutdownComponent, InitiateReboot, Force), false);
    cim_set_str(in, A(Msvm_ShutdownComponent, InitiateReboot, Reason), "Polyvisor");
    return ask_guest(o, component, in, err);
}

static int wait_for_off(struct op *o, int64_t until_ms, struct pv_err *err)
{
    for (;;) {
        unsigned now = 0;
        int rc = op_vm_state(o, &now, err);

        /* The request is out; a look that fails says nothing about the guest. */
        if (rc && rc != PV_EIO && rc != PV_EOFFLINE && rc != PV_ETIMEOUT && rc != PV_ELIMIT)
            return rc;
        if (rc == PV_OK && plain(now) == OFF)
            return PV_OK;
        if (clock_wall_ms() >= until_ms)
            return PV_ETIMEOUT;
        rc = call_sleep(&o->c, SHUTDOWN_POLL_MS, err);
        if (rc)
            return rc;
    }
}

/* Nobody can take back what the guest was asked: a later call looks until the time is over. */
static int leave_guest(struct op *o, struct pv_err *err)
{
    if (!call_is_closing(&o->c)) {
        journal_note(&o->journal, "canceled", "1");
        op_tell(o, "waiting for the guest", -1);
    }
    return pv_fail(err, PV_EUNKNOWN, "%s %s: the guest may still do what it was asked to",
                   o->def->verb, o->name);
}

static int cut_power(struct op *o, struct pv_err *err)
{
    struct wanted w = { .state = OFF };

    return request(o, "cut", OFF, is_in_state, &w, err);
}

static int begin_shutdown(struct op *o, bool *done, struct pv_err *err)
{
    struct cim_instance *in = cim_call(o->a, M(Msvm_ShutdownComponent, InitiateShutdown));
    const struct cim_ref *component = NULL;
    unsigned now = 0;
    int rc = op_vm_state(o, &now, err);

    *done = false;
    if (rc)
        return rc;
    if (plain(now) == OFF) {
        *done = true;
        return PV_OK;
    }
    if (now == STOPPING)
        return PV_OK; /* it is under way */
    if (plain(now) == SAVED)
        return op_wrong_state(o, err, "it is suspended");
    if (plain(now) == PAUSED)
        return op_wrong_state(o, err, "it is paused");
    rc = find_component(o, &component, err);
    if (rc)
        return rc;
    cim_set_bool(in, A(Msvm_ShutdownComponent, InitiateShutdown, Force), false);
    cim_set_str(in, A(Msvm_ShutdownComponent, InitiateShutdown, Reason), "Polyvisor");
    return ask_guest(o, component, in, err);
}

static int run_shutdown(struct op *o, struct pv_err *err)
{
    const char *then = op_arg_str(o, "on_timeout"), *until = journal_get(&o->journal, "until");
    uint64_t timeout_s = SHUTDOWN_S;
    int64_t until_ms;
    char text[32];
    bool done = false;
    int rc = PV_OK;

    (void)op_arg_u64(o, "timeout_s", &timeout_s);
    until_ms = clock_wall_ms() + (int64_t)timeout_s * 1000;
    if (o->resumed && until) {
        (void)str_i64(until, strlen(until), &until_ms);
        o->changed = true;
    } else {
        (void)snprintf(text, sizeof(text), "%" PRId64, until_ms);
        journal_note(&o->journal, "until", text);
        rc = begin_shutdown(o, &done, err);
        if (rc == PV_EUNKNOWN && !o->orphan)
            rc = PV_OK; /* what the guest does from now on says whether it was asked */
    }
    if (rc || done || o->dry_run)
        return rc;
    if (o->resumed && str_eq(journal_step_of(&o->journal), "cut"))
        return cut_power(o, err);
    op_tell(o, "waiting for the guest", -1);
    rc = wait_for_off(o, until_ms, err);
    if (rc == PV_ECANCELED)
        return leave_guest(o, err);
    if (rc != PV_ETIMEOUT)
        return rc;
    if (journal_get(&o->journal, "canceled"))
        return pv_fail(err, PV_ECANCELED, "%s %s was canceled, and the guest did not react",
                       o->def->verb, o->name);
    if (then && strcmp(then, "stop") == 0) {
        o->resumed = false;
        return cut_power(o, err);
    }
    return pv_fail(err, PV_ETIMEOUT, "%s %s: the guest did not shut down in time", o->def->verb,
                   o->name);
}

const struct op_def op_power_defs[] = {
    { "vm.start", "starting", run_power, RUNNING, RUNNING },
    { "vm.stop", "turning off", run_power, OFF, OFF },
    { "vm.suspend", "suspending", run_power, SAVED, SAVED },
    { "vm.resume", "resuming", run_power, RUNNING, RUNNING },
    { "vm.pause", "pausing", run_power, PAUSED, PAUSED },
    { "vm.reset", "resetting", run_reset, RUNNING, RESET },
    { "vm.shutdown", "shutting down", run_shutdown, OFF, 0 },
    { "vm.reboot", "restarting the guest of", run_reboot, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
