/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operation is checked, waits as long as it would take, and then takes effect. A job lives as
 * long as its call: one that is to be followed after a restart is unknown, and the VM's state
 * decides where it can. As a new session starts from the seed, that is the state the seed gave the
 * VM, not the one it had.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/model.h>

#define GIB (1024ull * 1024 * 1024)
#define STEP_MS 100 /* how often a waiting call looks whether it is canceled */
#define ACCOUNT "svc-polyvisor"

enum native_flag {
    BY_GUEST = 1,  /* needs guest tools */
    BY_MEMORY = 2, /* the more memory, the longer */
};

/* How the families call it and how long it takes. Names, states and effects are the model's. */
static const struct native {
    const char *name, *vim, *hyperv;
    uint32_t min_ms, max_ms;
    unsigned flags;
    enum sim_happening done;
} natives[] = {
    { "vm.start", "PowerOnVM_Task", "RequestStateChange(2)", 1000, 4000, 0, SIM_DID_START },
    { "vm.shutdown", "ShutdownGuest", "InitiateShutdown", 5000, 20000, BY_GUEST, SIM_DID_SHUTDOWN },
    { "vm.stop", "PowerOffVM_Task", "RequestStateChange(3)", 500, 2000, 0, SIM_DID_STOP },
    { "vm.reboot", "RebootGuest", "InitiateReboot", 5000, 20000, BY_GUEST, SIM_DID_REBOOT },
    { "vm.reset", "ResetVM_Task", "RequestStateChange(11)", 1000, 3000, 0, SIM_DID_RESET },
    { "vm.pause", NULL, "RequestStateChange(9)", 300, 1000, 0, SIM_DID_PAUSE },
    { "vm.resume", "PowerOnVM_Task", "RequestStateChange(2)", 1000, 4000, 0, SIM_DID_RESUME },
    { "vm.suspend", "SuspendVM_Task", "RequestStateChange(6)", 2000, 10000, BY_MEMORY,
      SIM_DID_SUSPEND },
    { "vm.snapshot.create", "CreateSnapshotEx_Task", "CreateSnapshot", 2000, 10000, BY_MEMORY,
      SIM_DID_SNAPSHOT },
    { "vm.snapshot.revert", "RevertToSnapshot_Task", "ApplySnapshot", 2000, 8000, BY_MEMORY,
      SIM_DID_REVERT },
    { "vm.snapshot.delete", "RemoveSnapshot_Task", "DestroySnapshot", 2000, 10000, 0,
      SIM_DID_UNSNAPSHOT },
};

struct job {
    struct sim_estate *e;
    const struct sim_call *call;
    const struct model_operation *op;
    const struct native *native;
    json_t *subject, *args; /* owned */
    const char *subject_id; /* borrowed from subject */
    const char *vm_id;      /* the same, or `id` */
    char id[SIM_ID_MAX];
    uint32_t index;
    struct sim_vm vm;
    uint16_t snapshot; /* serial of the subject, or of what was made */
    uint64_t number;
    int64_t duration_ms;
    bool fails, no_op, cut_power;
};

static int fail_native(const struct job *j, struct pv_err *err, int rc, const char *vim,
                       const char *hyperv)
{
    pv_err_native(err, sim_is_vmware(j->e) ? vim : hyperv);
    return rc;
}

static bool flag(const struct job *j, const char *name)
{
    return json_is_true(json_object_get(j->args, name));
}

static const char *text(const struct job *j, const char *name)
{
    const char *v = json_string_value(json_object_get(j->args, name));

    return v ? v : "";
}

/* ------------------------------------------------------------------ what is asked for */

static int read_operation(struct job *j, struct pv_err *err)
{
    const char *name = j->call->operation;

    j->op = model_operation(name);
    for (size_t i = 0; i < PV_COUNT(natives); i++)
        if (strcmp(natives[i].name, name) == 0)
            j->native = &natives[i];
    if (!j->op || !j->native)
        return pv_fail(err, PV_ENOTSUP, "the simulation cannot do %s", name);
    if (sim_is_vmware(j->e) && !j->native->vim) {
        pv_fail(err, PV_ENOTSUP, "vSphere has no pause; use suspend");
        pv_err_native(err, "NotSupported");
        return PV_ENOTSUP;
    }
    return PV_OK;
}

static int gone(const struct job *j, struct pv_err *err, const char *what)
{
    pv_fail(err, PV_ENOENT, "there is no such %s", what);
    return fail_native(j, err, PV_ENOENT, "ManagedObjectNotFound", "0x80041002");
}

static int read_subject(struct job *j, struct pv_err *err)
{
    const char *id;
    uint64_t number;

    j->subject = json_loads(j->call->subject ? j->call->subject : "", 0, NULL);
    j->args = json_loads(j->call->args && *j->call->args ? j->call->args : "{}", 0, NULL);
    id = json_string_value(json_object_get(j->subject, "native_id"));
    if (!id || !json_is_object(j->args))
        return pv_fail(err, PV_EINVAL, "the call names no object, or its arguments are no object");
    j->subject_id = j->vm_id = id;
    if (j->op->kind == PV_KIND_snapshot) {
        if (!sim_snapshot_number(j->e, id, &number, &j->snapshot))
            return gone(j, err, "snapshot");
        sim_native_id(j->e, PV_KIND_vm, number, j->id);
        j->vm_id = j->id;
    }
    if (!sim_vm_find(j->e, j->vm_id, &j->index))
        return gone(j, err, "VM");
    return PV_OK;
}

/* ------------------------------------------------------------------ may it be done (locked) */

static uint32_t from_bit(uint8_t power)
{
    static const uint32_t bits[] = { FROM_UNKNOWN, FROM_OFF, FROM_RUNNING, FROM_PAUSED,
                                     FROM_SUSPENDED };

    return power < PV_COUNT(bits) ? bits[power] : FROM_UNKNOWN;
}

static int check_power(struct job *j, uint8_t power, struct pv_err *err)
{
    uint32_t bit = from_bit(power);

    j->no_op = (j->op->no_op & bit) != 0;
    if (j->no_op || !j->op->from)
        return PV_OK;
    if (!(j->op->from & bit)) {
        pv_fail_as(err, "vm-invalid-state", "%s is not possible while the VM is %s", j->op->title,
                   model_enum_text(PV_ENUM_power_state, power));
        return fail_native(j, err, PV_ESTATE, "InvalidPowerState", "32775");
    }
    if (j->native->done == SIM_DID_STOP && power == PV_POWER_STATE_SUSPENDED && !flag(j, "force")) {
        pv_fail_as(err, "vm-invalid-state", "turning off would drop the VM's saved state");
        pv_err_remedy(err, "Resume the VM first, or set force to drop the saved state.");
        return fail_native(j, err, PV_ESTATE, "InvalidPowerState", "32775");
    }
    return PV_OK;
}

static int check_snapshot(struct job *j, struct pv_err *err)
{
    struct sim_snaps room;

    if (j->op->kind == PV_KIND_snapshot &&
        !sim_snaps_find(sim_snaps_get(j->e, j->index, &room), j->snapshot))
        return gone(j, err, "snapshot");
    return PV_OK;
}

static int check(struct job *j, struct pv_err *err)
{
    const struct sim_vm_state *s = &j->e->vms[j->index];
    char here[SIM_ID_MAX];
    bool guest;
    int rc;

    /* Since it was found, the VM may have been deleted, and its place given to another one. */
    sim_vm_traits(j->e, j->index, s->generation, &j->vm);
    sim_native_id(j->e, PV_KIND_vm, j->vm.number, here);
    if (s->absent || strcmp(here, j->vm_id) != 0)
        return gone(j, err, "VM");
    rc = check_snapshot(j, err);
    if (rc == PV_OK)
        rc = check_power(j, s->power, err);
    if (rc != PV_OK || j->no_op)
        return rc;
    if (j->vm.is_template) {
        pv_fail(err, PV_ENOTSUP, "%s is a template", j->vm.name);
        pv_err_remedy(err, "Deploy a VM from the template, or convert it to a VM.");
        return fail_native(j, err, PV_ENOTSUP, "NotSupported", "");
    }
    guest =
        (j->native->flags & BY_GUEST) || (flag(j, "quiesce") && s->power == PV_POWER_STATE_RUNNING);
    if (guest && !j->vm.tools_installed) {
        pv_fail(err, PV_ESTATE, "the guest tools of %s are not running", j->vm.name);
        pv_err_needs(err, sim_is_vmware(j->e) ? "VMware Tools" : "integration services");
        pv_err_remedy(err, "Install the guest tools, or use an action that does not need them.");
        return fail_native(j, err, PV_ESTATE, "ToolsUnavailable", "0x80070015");
    }
    if (s->activity != PV_ACTIVITY_NONE) {
        pv_fail(err, PV_EBUSY, "something else is done to %s: %s", j->vm.name,
                model_enum_text(PV_ENUM_activity, s->activity));
        return fail_native(j, err, PV_EBUSY, "TaskInProgress", "32775");
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ the job */

static int64_t duration(const struct job *j)
{
    uint64_t span = j->native->max_ms - j->native->min_ms;
    uint64_t ms = sim_roll(j->e, SIM_DURATION, j->number) % (span + 1);
    uint64_t gib = j->vm.memory_bytes < 64 * GIB ? j->vm.memory_bytes / GIB : 64;

    if (j->native->flags & BY_MEMORY) /* half by chance, half by size, the largest from 64 GiB on */
        ms = ms / 2 + span / 2 * gib / 64;
    if (j->e->set.speed <= 0)
        return 0;
    return (int64_t)((double)(j->native->min_ms + ms) / j->e->set.speed);
}

static void set_activity(struct job *j, enum pv_activity activity)
{
    struct sim_change c = { .vm = j->index, .what = SIM_DID_BEGIN, .actor = ACCOUNT };

    j->e->vms[j->index].activity = (uint8_t)activity;
    sim_estate_tell(j->e, &c);
}

static int begin(struct job *j, struct pv_err *err)
{
    int rc;

    pthread_mutex_lock(&j->e->lock);
    rc = check(j, err);
    if (rc == PV_OK && !j->no_op && !j->call->dry_run) {
        uint64_t roll;

        j->number = ++j->e->jobs;
        roll = sim_roll(j->e, SIM_FAIL, j->number);
        j->fails = (double)(roll >> 11) * 0x1p-53 < j->e->set.failure_rate;
        j->duration_ms = duration(j);
        set_activity(j, j->op->activity);
    }
    pthread_mutex_unlock(&j->e->lock);
    return rc;
}

static void call_off(struct job *j)
{
    pthread_mutex_lock(&j->e->lock);
    set_activity(j, PV_ACTIVITY_NONE);
    pthread_mutex_unlock(&j->e->lock);
}

static void progress(const struct job *j, const char *ref, int percent)
{
    struct pv_progress p = {
        .size = sizeof(p),
        .percent = percent,
        .native_ref = ref,
    };

    j->e->host->progress(j->e->host->ctx, j->call->call, &p);
}

static int wait_for(const struct job *j, int64_t ms, struct pv_err *err)
{
    const struct pv_host *host = j->e->host;
    int64_t start = clock_mono_ms(), spent;
    int shown = 0, percent;
    char ref[SIM_ID_MAX];

    sim_job_id(j->e, j->number, ref);
    progress(j, ref, 0);
    for (;;) {
        if (host->cancelled(host->ctx, j->call->call))
            return pv_fail(err, PV_ECANCELED, "canceled");
        spent = clock_mono_ms() - start;
        if (spent >= ms)
            return PV_OK;
        percent = (int)(spent * 100 / j->duration_ms);
        if (percent >= shown + 10) {
            progress(j, ref, percent);
            shown = percent;
        }
        clock_sleep_ms(ms - spent < STEP_MS ? ms - spent : STEP_MS);
    }
}

/* The failure that fits the operation. */
static int go_wrong(const struct job *j, struct pv_err *err)
{
    switch (j->native->done) {
    case SIM_DID_START:
    case SIM_DID_RESUME:
        pv_fail_as(err, "insufficient-resources", "the host has not enough memory to start %s",
                   j->vm.name);
        return fail_native(j, err, PV_ENOSPC, "InsufficientResourcesFault", "0x8007000E");
    case SIM_DID_SHUTDOWN:
    case SIM_DID_REBOOT:
        pv_fail(err, PV_ETIMEOUT, "the guest of %s did not react", j->vm.name);
        return fail_native(j, err, PV_ETIMEOUT, "ToolsUnavailable", "0x80070015");
    case SIM_DID_SNAPSHOT:
        pv_fail(err, PV_EIO, "no snapshot of %s could be taken", j->vm.name);
        return fail_native(j, err, PV_EIO, "ApplicationQuiesceFault", "32768");
    case SIM_DID_REVERT:
    case SIM_DID_UNSNAPSHOT:
        pv_fail(err, PV_EIO, "a file of %s is in use", j->vm.name);
        return fail_native(j, err, PV_EIO, "FileLocked", "0x80070020");
    default:
        pv_fail(err, PV_EIO, "the hypervisor could not do this to %s", j->vm.name);
        return fail_native(j, err, PV_EIO, "GenericVmConfigFault", "0x80041014");
    }
}

/* shutdown: the guest may take longer than the caller wants to wait. */
static int guest_patience(struct job *j, int64_t *wait_ms, struct pv_err *err)
{
    const json_t *v = json_object_get(j->args, "timeout_s");
    int64_t most_s = json_is_integer(v) ? json_integer_value(v) : 300;

    if (j->native->done != SIM_DID_SHUTDOWN || j->duration_ms / 1000 < most_s)
        return PV_OK;
    *wait_ms = most_s * 1000;
    if (strcmp(text(j, "on_timeout"), "stop") == 0) {
        j->cut_power = true;
        return PV_OK;
    }
    return pv_fail(err, PV_ETIMEOUT, "the guest of %s did not shut down in %lld s", j->vm.name,
                   (long long)most_s);
}

/* With the lock held. */
static int take_effect(struct job *j, struct pv_err *err)
{
    struct sim_vm_state *s = &j->e->vms[j->index];
    bool running = s->power == PV_POWER_STATE_RUNNING;

    switch (j->native->done) {
    case SIM_DID_SNAPSHOT:
        return sim_snaps_create(j->e, j->index, text(j, "name"), text(j, "description"),
                                running && flag(j, "memory"), running && flag(j, "quiesce"),
                                &j->snapshot, err);
    case SIM_DID_REVERT:
        return sim_snaps_revert(j->e, j->index, j->snapshot, err);
    case SIM_DID_UNSNAPSHOT:
        return sim_snaps_delete(j->e, j->index, j->snapshot, flag(j, "children"), err);
    default:
        /* A guest that goes on did not start anew. */
        if (j->op->target == PV_POWER_STATE_RUNNING && j->native->done != SIM_DID_RESUME)
            s->boot_ms = clock_wall_ms();
        s->power = (uint8_t)j->op->target;
        return PV_OK;
    }
}

static int finish(struct job *j, struct pv_err *err)
{
    struct sim_change c = { .vm = j->index, .what = j->native->done, .actor = ACCOUNT };
    int rc;

    if (j->cut_power)
        c.what = SIM_DID_STOP;
    pthread_mutex_lock(&j->e->lock);
    rc = take_effect(j, err);
    j->e->vms[j->index].activity = PV_ACTIVITY_NONE;
    if (rc != PV_OK)
        c.what = SIM_DID_BEGIN;
    sim_estate_tell(j->e, &c);
    pthread_mutex_unlock(&j->e->lock);
    return rc;
}

static int run(struct job *j, struct pv_err *err)
{
    struct pv_err late = { 0 };
    int64_t wait_ms = j->duration_ms;
    int rc, end = PV_OK;

    if (j->fails) {
        wait_ms = j->duration_ms * 2 / 5;
        end = go_wrong(j, &late);
    } else {
        end = guest_patience(j, &wait_ms, &late);
    }
    rc = wait_for(j, wait_ms, err);
    if (rc == PV_OK && end == PV_OK)
        return finish(j, err);
    call_off(j);
    if (rc == PV_OK && err)
        *err = late;
    return rc != PV_OK ? rc : end;
}

/* ------------------------------------------------------------------ answers */

static void write_object(struct jsonw *w, const char *kind, const char *native_id)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "kind", kind);
    jsonw_str(w, "native_id", native_id);
    jsonw_end(w);
}

static int write_result(const struct job *j, bool changed, char **result, struct pv_err *err)
{
    char snapshot[SIM_ID_MAX], *out;
    struct buf b;
    struct jsonw w;

    buf_init(&b, 4096);
    jsonw_init(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "changed", changed);
    if (j->call->dry_run) {
        jsonw_array(&w, "plan");
        if (changed) {
            jsonw_object(&w, NULL);
            jsonw_str(&w, "call", sim_is_vmware(j->e) ? j->native->vim : j->native->hyperv);
            jsonw_str(&w, "object", j->subject_id);
            jsonw_end(&w);
        }
        jsonw_end(&w);
    } else if (changed) {
        jsonw_array(&w, "objects");
        write_object(&w, "vm", j->vm_id);
        if (j->native->done == SIM_DID_SNAPSHOT) {
            sim_snapshot_id(j->e, j->vm.number, j->snapshot, snapshot);
            write_object(&w, "snapshot", snapshot);
        }
        jsonw_end(&w);
    }
    jsonw_end(&w);
    out = buf_take(&b);
    if (!out)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer");
    *result = out;
    return PV_OK;
}

/* A job from before a restart. Only where the wanted state is the whole effect can it be told. */
static int reattach(struct job *j, struct pv_err *err)
{
    struct sim_snaps room;
    bool reached = false;

    pthread_mutex_lock(&j->e->lock);
    if (j->op->no_op)
        reached = (j->op->no_op & from_bit(j->e->vms[j->index].power)) != 0;
    else if (j->native->done == SIM_DID_UNSNAPSHOT)
        reached = !sim_snaps_find(sim_snaps_get(j->e, j->index, &room), j->snapshot);
    pthread_mutex_unlock(&j->e->lock);
    if (reached)
        return PV_OK;
    return pv_fail(err, PV_EUNKNOWN, "job %s is not known any more", j->call->native_ref);
}

static int run_job(struct job *j, char **result, struct pv_err *err)
{
    bool changed = true;
    int rc = read_operation(j, err);

    if (rc == PV_OK)
        rc = read_subject(j, err);
    if (rc != PV_OK)
        return rc;
    if (j->call->native_ref) {
        rc = reattach(j, err);
    } else {
        rc = begin(j, err);
        changed = !j->no_op;
        if (rc == PV_OK && changed && !j->call->dry_run)
            rc = run(j, err);
    }
    return rc == PV_OK ? write_result(j, changed, result, err) : rc;
}

int sim_call(struct sim_estate *e, const struct sim_call *c, char **result, struct pv_err *err)
{
    struct job j = { .e = e, .call = c };
    int rc = run_job(&j, result, err);

    json_decref(j.subject);
    json_decref(j.args);
    return rc;
}
