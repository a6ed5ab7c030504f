/* SPDX-License-Identifier: Apache-2.0 */
/* Sending an operation's requests, following its tasks. */
#include "drivers/vapi/op.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/map.h"
#include "drivers/vapi/tasks.h"
#include "drivers/vapi/vapi.h"

#define BUSY_TRIES 6

/* ------------------------------------------------------------------ looking */

static const char *const look_paths[] = { "runtime.powerState", "snapshot" };
static const struct prop_table look_table = { "VirtualMachine", look_paths, 2 };

/* Depth is bounded by the XML reader. */
static void find_snapshot(const xmlNode *list, const char *element, struct op_view *out)
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
    struct op_view *out = ctx;
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&look_table, object, &v);
    out->state = map_power(value_text(v.val[LOOK_POWER]));
    find_snapshot(v.val[LOOK_SNAPSHOT], "rootSnapshotList", out);
    return PV_OK;
}

int op_read(struct operation *o, const struct moref *ref, const struct prop_table *table,
            int (*fn)(void *ctx, const struct moref *ref, const xmlNode *object,
                      struct pv_err *err),
            void *ctx, struct pv_err *err)
{
    const struct prop_table own = { ref->type, table->paths, table->count };
    const struct prop_table *const tables[] = { &own, NULL };
    struct call c = o->c;
    int rc;

    /* Once something was begun, what became of it has to be known. */
    c.must_finish |= o->changed;
    rc = collect_by_refs(o->v->session, &c, ref, 1, tables, fn, ctx, NULL, err);

    return rc == SESSION_RENEWED ? pv_fail(err, PV_EAUTH, "the server ended the sign-in") : rc;
}

int op_look(struct operation *o, struct op_view *out, struct pv_err *err)
{
    return op_read(o, &o->vm, &look_table, on_look, out, err);
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
    if (o->unheard)
        return pv_fail(err, PV_EUNKNOWN, "%s: the server could not note that the step begins",
                       what);
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
    struct op_view now = { 0 };
    bool takes = strcmp(o->method->operation, "vm.snapshot.create") == 0;
    int rc;

    if (o->method->about == OP_PLACE || o->method->about == OP_STORE)
        return pv_fail(err, PV_EUNKNOWN, "%s %s: the server has forgotten its task",
                       o->method->verb, o->name);
    if (o->method->about == OP_HOST) {
        bool wanted = false;

        o->changed = true;
        rc = op_host_rests(o, &wanted, err);
        if (rc || wanted)
            return rc;
        return pv_fail(err, PV_EUNKNOWN, "%s %s: the server has forgotten its task",
                       o->method->verb, o->name);
    }
    if (takes)
        now.want_name = op_arg_str(o, "name");
    else
        now.want_id = o->snapshot.id[0] ? o->snapshot.id : NULL;
    o->changed = true;
    rc = op_look(o, &now, err);
    if (rc == PV_ENOENT && o->method->removes && o->method->about == OP_VM)
        return PV_OK;
    if (rc)
        return rc;
    o->made = now.found;
    /* Restarts leave the state that was there before. */
    if (o->method->target != PV_POWER_STATE_UNKNOWN &&
        strcmp(o->method->native, "ResetVM_Task") != 0 && now.state == o->method->target)
        return PV_OK;
    if (takes && now.found.id[0])
        return PV_OK;
    if (strcmp(o->method->operation, "vm.snapshot.delete") == 0 && !now.found.id[0])
        return PV_OK;
    return pv_fail(err, PV_EUNKNOWN, "%s %s: the server has forgotten its task", o->method->verb,
                   o->name);
}

/* Step and note before the task's id, unless there is nothing to say: then the id is alone. */
static void put_prefix(const struct operation *o, char *out, size_t cap)
{
    out[0] = '\0';
    if (o->step || o->note[0])
        (void)snprintf(out, cap, "%u|%s|", o->step, o->note);
}

int op_follow(struct operation *o, const char *task, struct pv_err *err)
{
    struct task_info info = { 0 };
    char what[320], prefix[OP_NOTE_MAX + 16];
    int rc;

    put_prefix(o, prefix, sizeof(prefix));
    (void)str_copy(o->task, sizeof(o->task), task);
    rc = tasks_follow(o->v->tasks, &o->c, prefix, task, &info, err);
    if (rc == PV_ENOENT)
        return decide_without_task(o, err);
    if (rc)
        return rc;
    o->changed = true;
    o->made = info.result;
    (void)str_copy(o->text, sizeof(o->text), info.text);
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
        op_plan(o, e);
        enc_free(e);
        return PV_OK;
    }
    rc = send_request(o, e, &task, &fault, err);
    enc_free(e);
    if (rc)
        return judge_fault(o, &fault, rc);
    return op_follow(o, task.id, err);
}

int op_ask(struct operation *o, struct enc *e, struct pv_err *err)
{
    struct fault fault = { 0 };
    int rc;

    if (o->dry_run) {
        op_plan(o, e);
        enc_free(e);
        return PV_OK;
    }
    rc = send_request(o, e, NULL, &fault, err);
    enc_free(e);
    if (rc == PV_OK)
        o->changed = true;
    return judge_fault(o, &fault, rc);
}

int op_query(struct operation *o, struct enc *e,
             int (*fn)(void *ctx, const xmlNode *value, struct pv_err *err), void *ctx,
             struct pv_err *err)
{
    struct soap_answer answer = { 0 };
    struct session_request r = { .request = e };
    char what[320];
    int rc;

    (void)snprintf(what, sizeof(what), "%s %s", o->method->verb, o->name);
    r.what = what;
    rc = e ? session_call(o->v->session, &o->c, &r, &answer, err)
           : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK && fn)
        rc = fn(ctx, soap_returnval(&answer), err);
    soap_answer_free(&answer);
    enc_free(e);
    return rc;
}

/* The step is told before it begins: after a restart nobody takes the task before it for the whole.
 */
bool op_step(struct operation *o, unsigned step)
{
    const struct pv_host *host = o->c.host;
    char ref[OP_NOTE_MAX + 16];
    struct pv_progress p = { .size = sizeof(p), .percent = -1, .native_ref = ref };

    if (step <= o->done)
        return false;
    o->step = step;
    put_prefix(o, ref, sizeof(ref));
    if (!o->dry_run && host->progress)
        o->unheard = host->progress(host->ctx, o->c.number, &p) != PV_OK;
    return true;
}

bool op_goes_on(const struct operation *o, int rc)
{
    return rc == PV_EUNKNOWN || call_is_closing(&o->c);
}

void op_clean(struct operation *o, struct enc *e, const char *what)
{
    struct operation clean = *o;
    struct pv_err why = { 0 };
    int rc;

    clean.c.must_finish = true;
    rc = op_run_task(&clean, e, &why);
    if (rc)
        vapi_log(o->v, PV_LOG_LEVEL_WARN, "%s %s: %s: %s", o->method->verb, o->name, what,
                 why.message);
}
