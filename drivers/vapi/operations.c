/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/operations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/jsonw.h>
#include <polyvisor/records.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/map.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/tasks.h"
#include "drivers/vapi/vapi.h"

#define RESULT_MOST 65536
#define BUSY_TRIES 6
#define SHUTDOWN_S 300
#define SHUTDOWN_POLL_MS 2000
#define SHUTDOWN_REF "shutdown:"

/* ------------------------------------------------------------------ looking at the VM */

enum { LOOK_POWER, LOOK_SNAPSHOT };
static const char *const look_paths[] = { "runtime.powerState", "snapshot" };
static const struct prop_table look_table = { "VirtualMachine", look_paths, 2 };
static const struct prop_table *const look_tables[] = { &look_table, NULL };

struct view {
    enum pv_power_state state;
    const char *want_id, *want_name; /* snapshot looked for */
    struct moref found;
};

/* Depth is bounded by the XML reader. */
static void find_snapshot(const xmlNode *list, const char *element, struct view *out)
{
    for (const xmlNode *n = xml_child(list, NULL, element); n;
         n = xml_next_named(n, NULL, element)) {
        const char *name = value_field(n, "name");
        struct moref ref;

        if (value_ref(xml_child(n, NULL, "snapshot"), &ref) &&
            ((out->want_id && strcmp(ref.id, out->want_id) == 0) ||
             (out->want_name && name && strcmp(name, out->want_name) == 0)))
            out->found = ref;
        find_snapshot(n, "childSnapshotList", out);
    }
}

static int on_look(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct view *out = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&look_table, object, &v);
    out->state = map_power(value_text(v.val[LOOK_POWER]));
    find_snapshot(v.val[LOOK_SNAPSHOT], "rootSnapshotList", out);
    return PV_OK;
}

static int look(struct operation *o, struct view *out, struct pv_err *err)
{
    int rc = collect_by_refs(o->v->session, &o->c, &o->vm, 1, look_tables, on_look, out, NULL, err);

    return rc == SESSION_RENEWED ? pv_fail(err, PV_EAUTH, "the server ended the sign-in") : rc;
}

/* ------------------------------------------------------------------ sending */

/* A busy object is asked again for a while; anything else is the answer. */
static int send_request(struct operation *o, struct enc *e, struct moref *task, struct fault *fault,
                        struct pv_err *err)
{
    struct backoff busy = { .first_ms = 1000, .most_ms = 8000 };
    char what[320];
    int rc = PV_OK;

    (void)snprintf(what, sizeof(what), "%s %s", o->method->verb, o->name);
    for (unsigned tries = 0; tries < BUSY_TRIES; tries++) {
        struct session_request r = { .request = e, .what = what, .changes = true };
        struct soap_answer answer = { 0 };

        rc = e ? session_call(o->v->session, &o->c, &r, &answer, err)
               : pv_fail(err, PV_ENOMEM, "no memory");
        if (rc == PV_OK && task && !value_ref(soap_returnval(&answer), task))
            rc = pv_fail(err, PV_EUNKNOWN, "%s: the server named no task", what);
        *fault = answer.fault;
        soap_answer_free(&answer);
        if (!fault_is(fault, "TaskInProgress"))
            break;
        if (tries + 1 < BUSY_TRIES && call_sleep(&o->c, backoff_next_ms(&busy), err))
            return PV_ECANCELED;
    }
    return rc;
}

/* The wanted state being there already is success, whoever says so and when. */
static int judge_fault(struct operation *o, const struct fault *fault, int rc)
{
    if (o->method->target != PV_POWER_STATE_UNKNOWN && fault_is(fault, "InvalidPowerState") &&
        map_power(fault->existing) == o->method->target) {
        o->changed = false;
        return PV_OK;
    }
    return rc;
}

/* The task is over and forgotten: what the VM looks like now has to say what it did. */
static int decide_without_task(struct operation *o, struct pv_err *err)
{
    struct view now = { 0 };
    int rc;

    if (strcmp(o->method->operation, "vm.snapshot.create") == 0)
        now.want_name = json_string_value(json_object_get(o->args, "name"));
    else
        now.want_id = o->snapshot.id[0] ? o->snapshot.id : NULL;
    rc = look(o, &now, err);
    if (rc == PV_ENOENT && o->method->removes) {
        o->changed = true;
        return PV_OK;
    }
    if (rc)
        return rc;
    o->changed = true;
    o->made = now.found;
    /* Restarts leave the state that was there before. */
    if (o->method->target != PV_POWER_STATE_UNKNOWN &&
        strcmp(o->method->native, "ResetVM_Task") != 0 && now.state == o->method->target)
        return PV_OK;
    if (strcmp(o->method->operation, "vm.snapshot.create") == 0 && now.found.id[0])
        return PV_OK;
    if (strcmp(o->method->operation, "vm.snapshot.delete") == 0 && !now.found.id[0])
        return PV_OK;
    return pv_fail(err, PV_EUNKNOWN, "%s %s: the server has forgotten its task", o->method->verb,
                   o->name);
}

static int follow(struct operation *o, const char *task, struct pv_err *err)
{
    struct task_info info = { 0 };
    char what[320];
    int rc = tasks_follow(o->v->tasks, &o->c, task, &info, err);

    if (rc == PV_ENOENT)
        return decide_without_task(o, err);
    if (rc)
        return rc;
    o->changed = true;
    o->made = info.result;
    if (info.state == TASK_SUCCESS)
        return PV_OK;
    if (info.cancelled || fault_is(&info.fault, "RequestCanceled"))
        return pv_fail(err, PV_ECANCELED, "%s %s was canceled", o->method->verb, o->name);
    (void)snprintf(what, sizeof(what), "%s %s", o->method->verb, o->name);
    return judge_fault(o, &info.fault, fault_fail(&info.fault, what, err));
}

int op_run_task(struct operation *o, struct enc *e, struct pv_err *err)
{
    struct moref task = { 0 };
    struct fault fault = { 0 };
    int rc;

    if (o->dry_run) {
        enc_free(e);
        return PV_OK;
    }
    rc = send_request(o, e, &task, &fault, err);
    enc_free(e);
    if (rc)
        return judge_fault(o, &fault, rc);
    return follow(o, task.id, err);
}

int op_ask(struct operation *o, struct enc *e, struct pv_err *err)
{
    struct fault fault = { 0 };
    int rc;

    if (o->dry_run) {
        enc_free(e);
        return PV_OK;
    }
    rc = send_request(o, e, NULL, &fault, err);
    enc_free(e);
    if (rc == PV_OK)
        o->changed = true;
    return judge_fault(o, &fault, rc);
}

int op_no_such(const struct operation *o, const char *member, const char *why, struct pv_err *err)
{
    return pv_fail(err, PV_ENOTSUP, "%s %s: %s: %s", o->method->verb, o->name, member, why);
}

/* ------------------------------------------------------------------ the operations */

static int wrong_state(const struct operation *o, struct pv_err *err, const char *why)
{
    return pv_fail_as(err, "vm-invalid-state", "%s %s: %s", o->method->verb, o->name, why);
}

static int run_power(struct operation *o, struct pv_err *err)
{
    bool reset = strcmp(o->method->native, "ResetVM_Task") == 0;

    if (!reset && o->state == o->method->target)
        return PV_OK;
    if (reset && o->state != PV_POWER_STATE_RUNNING)
        return wrong_state(o, err, "it does not run");
    if (strcmp(o->method->operation, "vm.resume") == 0 && o->state == PV_POWER_STATE_OFF)
        return wrong_state(o, err, "it is off");
    if (strcmp(o->method->operation, "vm.stop") == 0 && o->state == PV_POWER_STATE_SUSPENDED &&
        !json_is_true(json_object_get(o->args, "force")))
        return wrong_state(o, err, "it is suspended, and its saved state would be lost; use force");
    if (strcmp(o->method->operation, "vm.suspend") == 0 && o->state == PV_POWER_STATE_OFF)
        return wrong_state(o, err, "it is off");
    return op_run_task(o, enc_new(o->method->native, o->vm.type, o->vm.id), err);
}

/* The guest is asked, and answers nothing. */
static int ask_guest(struct operation *o, struct pv_err *err)
{
    return op_ask(o, enc_new(o->method->native, o->vm.type, o->vm.id), err);
}

static int run_reboot(struct operation *o, struct pv_err *err)
{
    if (o->native_ref) {
        o->changed = true;
        return PV_OK; /* the guest was asked before the restart; there is nothing to wait for */
    }
    if (o->state != PV_POWER_STATE_RUNNING)
        return wrong_state(o, err, "it does not run");
    return ask_guest(o, err);
}

static void tell_shutdown(const struct operation *o, int64_t until_ms)
{
    const struct pv_host *host = o->c.host;
    char ref[64];
    struct pv_progress p = {
        .size = sizeof(p), .percent = -1, .step_name = "waiting for the guest", .native_ref = ref
    };

    (void)snprintf(ref, sizeof(ref), SHUTDOWN_REF "%" PRId64, until_ms);
    if (host->progress)
        (void)host->progress(host->ctx, o->c.number, &p);
}

static int cut_power(struct operation *o, struct pv_err *err)
{
    return op_run_task(o, enc_new("PowerOffVM_Task", o->vm.type, o->vm.id), err);
}

static int wait_for_off(struct operation *o, int64_t until_ms, struct pv_err *err)
{
    const char *then = json_string_value(json_object_get(o->args, "on_timeout"));

    for (;;) {
        struct view now = { 0 };
        int rc = look(o, &now, err);

        /* The request is out; a look that fails says nothing about the guest. */
        if (rc && rc != PV_EIO && rc != PV_EOFFLINE && rc != PV_ETIMEOUT)
            return rc;
        if (rc == PV_OK && now.state == PV_POWER_STATE_OFF)
            return PV_OK;
        if (clock_wall_ms() >= until_ms)
            break;
        rc = call_sleep(&o->c, SHUTDOWN_POLL_MS, err);
        if (rc)
            return rc;
    }
    if (then && strcmp(then, "stop") == 0)
        return cut_power(o, err);
    return pv_fail(err, PV_ETIMEOUT, "%s %s: the guest did not shut down in time", o->method->verb,
                   o->name);
}

static int run_shutdown(struct operation *o, struct pv_err *err)
{
    json_int_t timeout_s = json_integer_value(json_object_get(o->args, "timeout_s"));
    int64_t until_ms = clock_wall_ms() + (timeout_s > 0 ? timeout_s : SHUTDOWN_S) * 1000;
    int rc = PV_OK;

    if (o->native_ref) {
        const char *at = o->native_ref + strlen(SHUTDOWN_REF);

        o->changed = true;
        (void)str_i64(at, strlen(at), &until_ms);
    } else {
        if (o->state == PV_POWER_STATE_OFF)
            return PV_OK;
        if (o->state == PV_POWER_STATE_SUSPENDED)
            return wrong_state(o, err, "it is suspended");
        rc = ask_guest(o, err);
        if (rc || !o->changed)
            return rc;
        tell_shutdown(o, until_ms);
    }
    return wait_for_off(o, until_ms, err);
}

static int run_snapshot_create(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("CreateSnapshot_Task", o->vm.type, o->vm.id);
    const char *text = json_string_value(json_object_get(o->args, "description"));

    if (e) {
        enc_text(enc_root(e), "name", json_string_value(json_object_get(o->args, "name")));
        enc_text(enc_root(e), "description", text ? text : "");
        enc_bool(enc_root(e), "memory", json_is_true(json_object_get(o->args, "memory")));
        enc_bool(enc_root(e), "quiesce", json_is_true(json_object_get(o->args, "quiesce")));
    }
    return op_run_task(o, e, err);
}

static int run_snapshot_revert(struct operation *o, struct pv_err *err)
{
    return op_run_task(o, enc_new("RevertToSnapshot_Task", o->snapshot.type, o->snapshot.id), err);
}

static int run_snapshot_delete(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("RemoveSnapshot_Task", o->snapshot.type, o->snapshot.id);

    if (e) {
        enc_bool(enc_root(e), "removeChildren", json_is_true(json_object_get(o->args, "children")));
        enc_bool(enc_root(e), "consolidate", true);
    }
    return op_run_task(o, e, err);
}

#define POWER(op, native, run, state, verb)                                                        \
    {                                                                                              \
        op, native, run, PV_POWER_STATE_##state, verb, OP_VM, PV_KIND_NONE, false                  \
    }
#define OTHER(op, native, run, about, verb)                                                        \
    {                                                                                              \
        op, native, run, PV_POWER_STATE_UNKNOWN, verb, about, PV_KIND_NONE, false                  \
    }
#define MAKES(op, native, run, kind, verb)                                                         \
    {                                                                                              \
        op, native, run, PV_POWER_STATE_UNKNOWN, verb, OP_VM, PV_KIND_##kind, false                \
    }

static const struct method methods[] = {
    POWER("vm.start", "PowerOnVM_Task", run_power, RUNNING, "starting"),
    POWER("vm.stop", "PowerOffVM_Task", run_power, OFF, "turning off"),
    POWER("vm.suspend", "SuspendVM_Task", run_power, SUSPENDED, "suspending"),
    POWER("vm.resume", "PowerOnVM_Task", run_power, RUNNING, "resuming"),
    POWER("vm.reset", "ResetVM_Task", run_power, UNKNOWN, "resetting"),
    POWER("vm.shutdown", "ShutdownGuest", run_shutdown, OFF, "shutting down"),
    POWER("vm.reboot", "RebootGuest", run_reboot, UNKNOWN, "restarting the guest of"),
    MAKES("vm.snapshot.create", "CreateSnapshot_Task", run_snapshot_create, snapshot,
          "taking a snapshot of"),
    OTHER("vm.snapshot.update", "RenameSnapshot", op_rename_snapshot, OP_SNAPSHOT,
          "renaming snapshot"),
    OTHER("vm.snapshot.revert", "RevertToSnapshot_Task", run_snapshot_revert, OP_SNAPSHOT,
          "reverting to snapshot"),
    OTHER("vm.snapshot.delete", "RemoveSnapshot_Task", run_snapshot_delete, OP_SNAPSHOT,
          "deleting snapshot"),
    OTHER("vm.reconfigure", "ReconfigVM_Task", op_reconfigure, OP_VM, "changing"),
    OTHER("vm.rename", "Rename_Task", op_rename, OP_VM, "renaming"),
    { "vm.delete", "Destroy_Task", op_delete, PV_POWER_STATE_UNKNOWN, "deleting", OP_VM,
      PV_KIND_NONE, true },
    MAKES("vm.clone", "CloneVM_Task", op_clone, vm, "cloning"),
    OTHER("vm.template", "MarkAsTemplate", op_template, OP_VM, "turning the use of"),
};

const char operations_list[] =
    "[\"vm.start\",\"vm.stop\",\"vm.shutdown\",\"vm.reboot\",\"vm.reset\",\"vm.suspend\","
    "\"vm.resume\",\"vm.snapshot.create\",\"vm.snapshot.update\",\"vm.snapshot.revert\","
    "\"vm.snapshot.delete\",\"vm.reconfigure\",\"vm.rename\",\"vm.delete\",\"vm.clone\",\"vm."
    "template\"]";

/* ------------------------------------------------------------------ from and to the host */

static const char *owner_id(const json_t *subject)
{
    const json_t *owner = json_object_get(subject, "owner");

    return json_string_value(json_is_object(owner) ? json_object_get(owner, "native_id") : owner);
}

static int read_subject(struct operation *o, const json_t *subject, struct pv_err *err)
{
    const char *id = json_string_value(json_object_get(subject, "native_id"));
    const char *owner = owner_id(subject),
               *name = json_string_value(json_object_get(subject, "name"));
    bool about_snapshot = o->method->about == OP_SNAPSHOT;
    const char *vm = about_snapshot ? owner : id;

    o->name = name ? name : id ? id : "it";
    (void)str_copy(o->vm.type, sizeof(o->vm.type), "VirtualMachine");
    if (!id || !*id || !vm || !*vm || !str_copy(o->vm.id, sizeof(o->vm.id), vm))
        return pv_fail(err, PV_EINVAL, "%s: the subject is not named", o->method->operation);
    if (about_snapshot) {
        (void)str_copy(o->snapshot.type, sizeof(o->snapshot.type), "VirtualMachineSnapshot");
        if (!str_copy(o->snapshot.id, sizeof(o->snapshot.id), id))
            return pv_fail(err, PV_EINVAL, "%s: the snapshot's id is too long",
                           o->method->operation);
    }
    return PV_OK;
}

/* The native calls; what becomes of the VM is the server's to say. */
static void put_plan(struct jsonw *w, const struct operation *o)
{
    const struct moref *on = o->snapshot.id[0] ? &o->snapshot : &o->vm;
    bool nothing = o->method->target != PV_POWER_STATE_UNKNOWN && o->state == o->method->target;

    jsonw_bool(w, "changed", !nothing);
    jsonw_array(w, "plan");
    if (!nothing) {
        jsonw_object(w, NULL);
        jsonw_str(w, "operation", o->method->native);
        jsonw_object(w, "args");
        jsonw_strf(w, "_this", "%s:%s", on->type, on->id);
        jsonw_end(w);
        jsonw_end(w);
    }
    jsonw_end(w);
}

static int put_result(const struct operation *o, char **result, struct pv_err *err)
{
    struct jsonw w;
    struct buf text;

    buf_init(&text, RESULT_MOST);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    if (o->dry_run) {
        put_plan(&w, o);
    } else {
        jsonw_bool(&w, "changed", o->changed);
        if (o->made.id[0] && o->method->makes != PV_KIND_NONE) {
            bool child = o->method->makes == PV_KIND_snapshot;

            jsonw_object(&w, "object");
            jsonw_str(&w, "kind", child ? "snapshot" : "vm");
            jsonw_str(&w, "native_id", o->made.id);
            if (child)
                jsonw_str(&w, "owner", o->vm.id);
            jsonw_end(&w);
        }
    }
    jsonw_end(&w);
    *result = buf_take(&text);
    return *result ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

static int run(struct operation *o, struct pv_err *err)
{
    struct view now = { .want_id = o->snapshot.id[0] ? o->snapshot.id : NULL };
    int rc;

    if (o->native_ref && strncmp(o->native_ref, SHUTDOWN_REF, strlen(SHUTDOWN_REF)) != 0)
        return follow(o, o->native_ref, err);
    rc = look(o, &now, err);
    if (rc)
        return rc;
    o->state = now.state;
    if (o->snapshot.id[0] && !now.found.id[0]) {
        if (strcmp(o->method->operation, "vm.snapshot.delete") == 0)
            return PV_OK; /* it is gone already */
        return pv_fail(err, PV_ENOENT, "%s %s: the VM has no such snapshot", o->method->verb,
                       o->name);
    }
    return o->method->run(o, err);
}

int operations_call(struct vapi *v, uint64_t call, const char *operation, const char *subject,
                    const char *args, const char *native_ref, uint32_t flags, char **result,
                    struct pv_err *err)
{
    struct operation o = {
        .v = v,
        .c = { .host = v->session->host, .number = call },
        .native_ref = native_ref && *native_ref ? native_ref : NULL,
        .dry_run = (flags & PV_CALL_DRY_RUN) != 0,
    };
    json_t *subject_json, *args_json;
    int rc;

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (strcmp(methods[i].operation, operation) == 0)
            o.method = &methods[i];
    if (!o.method)
        return pv_fail(err, PV_ENOTSUP, "vSphere has no %s", operation);
    subject_json = json_loads(subject ? subject : "{}", 0, NULL);
    args_json = json_loads(args ? args : "{}", 0, NULL);
    o.args = args_json;
    rc = read_subject(&o, subject_json, err);
    if (rc == PV_OK)
        rc = run(&o, err);
    if (rc == PV_OK)
        rc = put_result(&o, result, err);
    json_decref(subject_json);
    json_decref(args_json);
    return rc;
}
