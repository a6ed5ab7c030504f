/* SPDX-License-Identifier: Apache-2.0 */
/* Power, and asking the guest. */
#include "drivers/vapi/op.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"

#define SHUTDOWN_S 300
#define SHUTDOWN_POLL_MS 2000
#define CANCELED ":canceled"

int op_power(struct operation *o, struct pv_err *err)
{
    bool reset = strcmp(o->method->native, "ResetVM_Task") == 0;

    if (!reset && o->state == o->method->target)
        return PV_OK;
    if (reset && o->state != PV_POWER_STATE_RUNNING)
        return op_wrong_state(o, err, "it does not run");
    if (strcmp(o->method->operation, "vm.resume") == 0 && o->state == PV_POWER_STATE_OFF)
        return op_wrong_state(o, err, "it is off");
    if (strcmp(o->method->operation, "vm.stop") == 0 && o->state == PV_POWER_STATE_SUSPENDED &&
        !op_arg_true(o, "force"))
        return op_wrong_state(o, err,
                              "it is suspended, and its saved state would be lost; use force");
    if (strcmp(o->method->operation, "vm.suspend") == 0 && o->state == PV_POWER_STATE_OFF)
        return op_wrong_state(o, err, "it is off");
    return op_run_task(o, enc_new(o->method->native, o->vm.type, o->vm.id), err);
}

/* The guest is asked, and answers nothing. */
static int ask_guest(struct operation *o, struct pv_err *err)
{
    return op_ask(o, enc_new(o->method->native, o->vm.type, o->vm.id), err);
}

int op_reboot(struct operation *o, struct pv_err *err)
{
    if (o->state != PV_POWER_STATE_RUNNING)
        return op_wrong_state(o, err, "it does not run");
    return ask_guest(o, err);
}

/* `canceled` is said after it, so that a later call knows. */
static void tell_shutdown(const struct operation *o, int64_t until_ms, bool canceled)
{
    const struct pv_host *host = o->c.host;
    char ref[64];
    struct pv_progress p = {
        .size = sizeof(p), .percent = -1, .step_name = "waiting for the guest", .native_ref = ref
    };

    (void)snprintf(ref, sizeof(ref), OP_SHUTDOWN_REF "%" PRId64 "%s", until_ms,
                   canceled ? CANCELED : "");
    if (host->progress)
        (void)host->progress(host->ctx, o->c.number, &p);
}

static int cut_power(struct operation *o, struct pv_err *err)
{
    return op_run_task(o, enc_new("PowerOffVM_Task", o->vm.type, o->vm.id), err);
}

/* Nobody can take back what the guest was asked: it is looked at by a later call until the time is
 * over. */
static int leave_guest(struct operation *o, int64_t until_ms, struct pv_err *err)
{
    if (!call_is_closing(&o->c))
        tell_shutdown(o, until_ms, true);
    return pv_fail(err, PV_EUNKNOWN, "%s %s: the guest may still do what it was asked to",
                   o->method->verb, o->name);
}

static int wait_for_off(struct operation *o, int64_t until_ms, bool canceled, struct pv_err *err)
{
    const char *then = op_arg_str(o, "on_timeout");

    for (;;) {
        struct op_view now = { 0 };
        int rc = op_look(o, &now, err);

        /* The request is out; a look that fails says nothing about the guest. */
        if (rc && rc != PV_EIO && rc != PV_EOFFLINE && rc != PV_ETIMEOUT)
            return rc;
        if (rc == PV_OK && now.state == PV_POWER_STATE_OFF)
            return PV_OK;
        if (clock_wall_ms() >= until_ms)
            break;
        if (call_sleep(&o->c, SHUTDOWN_POLL_MS, NULL))
            return leave_guest(o, until_ms, err);
    }
    if (canceled)
        return pv_fail(err, PV_ECANCELED, "%s %s was canceled, and the guest did not react",
                       o->method->verb, o->name);
    if (then && strcmp(then, "stop") == 0)
        return cut_power(o, err);
    return pv_fail(err, PV_ETIMEOUT, "%s %s: the guest did not shut down in time", o->method->verb,
                   o->name);
}

int op_shutdown(struct operation *o, struct pv_err *err)
{
    int64_t timeout_s = SHUTDOWN_S, until_ms;
    int rc;

    (void)op_member_int(o->args, "timeout_s", &timeout_s);
    until_ms = clock_wall_ms() + timeout_s * 1000;
    if (o->state == PV_POWER_STATE_OFF)
        return PV_OK;
    if (o->state == PV_POWER_STATE_SUSPENDED)
        return op_wrong_state(o, err, "it is suspended");
    rc = ask_guest(o, err);
    if (rc || !o->changed)
        return rc;
    tell_shutdown(o, until_ms, false);
    return wait_for_off(o, until_ms, false, err);
}

int op_shutdown_again(struct operation *o, struct pv_err *err)
{
    int64_t until_ms = clock_wall_ms() + SHUTDOWN_S * 1000;

    o->changed = true;
    (void)str_i64(o->note, strcspn(o->note, ":"), &until_ms);
    return wait_for_off(o, until_ms, str_ends(o->note, CANCELED), err);
}

int op_start_made(struct operation *o, unsigned step, const struct moref *vm, struct pv_err *err)
{
    struct pv_err why = { 0 };
    struct op_view now = { 0 };
    struct moref made = o->made;
    int rc = PV_OK;

    /* Before a restart it may have been asked already. */
    if (o->begun == step && op_look(o, &now, &why) == PV_OK && now.state == PV_POWER_STATE_RUNNING)
        return PV_OK;
    if (op_step(o, step))
        rc = op_run_task(o, enc_new("PowerOnVM_Task", "VirtualMachine", vm->id), &why);
    if (rc && op_goes_on(o, rc)) {
        if (err)
            *err = why;
        return PV_EUNKNOWN;
    }
    /* It is made; that it does not start is told, not undone. */
    if (rc)
        op_warn(o, "it is there, but does not start: %s", why.message);
    o->changed = true;
    o->made = made;
    return PV_OK;
}
