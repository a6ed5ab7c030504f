/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/job.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/fault.h"
#include "drivers/wmi/wsman.h"

#define FIRST_POLL_MS 100
#define MOST_POLL_MS 1000
#define TOLERATED_ERRORS 5
#define TERMINATE 4
#define CANCEL_GRACE_MS 15000
#define TRY_AGAIN_MS 2000
#define JOB_MEMORY (1u << 20)

PV_DEFINE_AUTO(arena_free, struct arena *)

/* ------------------------------------------------------------------ one look */

static enum job_state state_of(uint64_t state, uint32_t code)
{
    switch (state) {
    case 7: /* completed; with an error code all the same it has failed */
        return code ? JOB_FAILED : JOB_SUCCEEDED;
    case 8:
    case 9:
        return JOB_CANCELED;
    case 10:
        return JOB_FAILED;
    case 32768:
        return JOB_WARNED;
    default: /* new, starting, running, suspended, shutting down, service */
        return JOB_RUNNING;
    }
}

void job_read(const struct cim_instance *job, struct job_view *out)
{
    const char *text = cim_str(job, P(Msvm_ConcreteJob, ErrorDescription));
    uint64_t percent = 0;

    memset(out, 0, sizeof(*out));
    out->code = (uint32_t)cim_uint(job, P(Msvm_ConcreteJob, ErrorCode));
    out->state = state_of(cim_uint(job, P(Msvm_ConcreteJob, JobState)), out->code);
    out->percent = -1;
    if (cim_get_uint(job, P(Msvm_ConcreteJob, PercentComplete), &percent))
        out->percent = percent > 100 ? 100 : (int)percent;
    out->cancellable = cim_bool(job, P(Msvm_ConcreteJob, Cancellable));
    if (!text || !*text)
        text = cim_str(job, P(Msvm_ConcreteJob, ErrorSummaryDescription));
    (void)str_copy(out->text, sizeof(out->text), text ? text : "");
}

int job_fail(const struct job_view *v, const char *what, struct pv_err *err)
{
    int rc;

    if (v->state == JOB_CANCELED)
        return pv_fail(err, PV_ECANCELED, "%s was canceled", what);
    if (v->code >= 32768 && v->code <= 65535)
        rc = wsman_fail_return(v->code, what, err);
    else if (v->code)
        rc = fault_fail_code(v->code, what, "", err);
    else
        rc = pv_fail(err, PV_EIO, "%s: the host's job has failed", what);
    if (err && v->text[0] && !strstr(err->message, v->text)) {
        size_t len = strlen(err->message);

        (void)str_copy(err->message + len, sizeof(err->message) - len, " [");
        len = strlen(err->message);
        (void)str_copy(err->message + len, sizeof(err->message) - len - 1, v->text);
        len = strlen(err->message);
        (void)str_copy(err->message + len, sizeof(err->message) - len, "]");
    }
    return rc;
}

/* ------------------------------------------------------------------ as text */

const char *job_text(struct arena *a, const struct cim_ref *job)
{
    const char *id = cim_ref_key(job, "InstanceID");

    return job && id && job->cls ? arena_printf(a, "%s:%s", job->cls, id) : NULL;
}

const struct cim_ref *job_parse(struct arena *a, const char *text)
{
    const char *colon = text ? strchr(text, ':') : NULL;
    char name[128];
    const struct cim_class *cls;
    struct cim_ref *ref;

    if (!colon || !str_copy_n(name, sizeof(name), text, (size_t)(colon - text)) || !colon[1])
        return NULL;
    cls = cim_class_find(CIM_NS_VIRTUALIZATION, name);
    ref = cls ? cim_ref_new(a, cls) : NULL;
    if (ref)
        cim_ref_add(ref, P(Msvm_ConcreteJob, InstanceID), colon + 1);
    return ref;
}

/* ------------------------------------------------------------------ following */

struct following {
    struct wsman *w;
    struct call c;
    const struct cim_ref *job;
    const char *what;
    int errors;
    int64_t cancelled_ms, next_cancel_ms;
    bool warned;
    struct backoff pause, trouble;
};

/* Texts of GetErrorEx say more than ErrorDescription; what they lack is no failure. */
static void ask_errors(struct following *f, struct job_view *v)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, JOB_MEMORY);
    const struct cim_class *cls = cim_class_find(CIM_NS_VIRTUALIZATION, f->job->cls);
    struct cim_instance *out = NULL, *first;
    const char *text;

    if (!a || !cls || v->text[0])
        return;
    if (wsman_invoke(f->w, &f->c, f->job, cim_call(a, M(Msvm_ConcreteJob, GetErrorEx)), a, &out,
                     NULL))
        return;
    first = cim_emb_at(out, A(Msvm_ConcreteJob, GetErrorEx, Errors), 0, a);
    text = cim_str(first, P(Msvm_Error, Message));
    (void)str_copy(v->text, sizeof(v->text), text ? text : "");
}

static void cancel(struct following *f)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, JOB_MEMORY);
    struct cim_instance *in = a ? cim_call(a, M(Msvm_ConcreteJob, RequestStateChange)) : NULL, *out;

    f->next_cancel_ms = clock_mono_ms() + TRY_AGAIN_MS;
    cim_set_uint(in, A(Msvm_ConcreteJob, RequestStateChange, RequestedState), TERMINATE);
    if (in)
        (void)wsman_invoke(f->w, &f->c, f->job, in, a, &out, NULL);
}

/* From now on requests go on in spite of the cancelled call: the host still has to say what became
 * of the job. */
static int note_cancel(struct following *f, const struct job_view *v, struct pv_err *err)
{
    if (call_is_closing(&f->c))
        return pv_fail(err, PV_ECANCELED, "%s: goes on without the server", f->what);
    if (!f->c.must_finish && call_cancelled(&f->c)) {
        f->c.must_finish = true;
        f->cancelled_ms = clock_mono_ms();
    }
    if (!f->cancelled_ms)
        return PV_OK;
    if (v->cancellable && clock_mono_ms() >= f->next_cancel_ms)
        cancel(f);
    if (clock_mono_ms() - f->cancelled_ms > CANCEL_GRACE_MS)
        return pv_fail(err, PV_EUNKNOWN, "%s: canceled; the host goes on with its job", f->what);
    return PV_OK;
}

static int look(struct following *f, struct job_view *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, JOB_MEMORY);
    struct cim_instance *job = NULL;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = wsman_get(f->w, &f->c, f->job, a, &job, err);
    if (rc)
        return rc;
    job_read(job, out);
    return PV_OK;
}

/* Only a job that is known can be asked about again: no connection is no answer. */
static int bear(struct following *f, int rc, struct pv_err *err)
{
    if (rc == PV_ECANCELED && !f->c.must_finish)
        return PV_OK; /* note_cancel sees to it */
    if (rc == PV_EAUTH || rc == PV_EPERM || rc == PV_ECERT)
        return pv_fail(err, PV_EUNKNOWN, "%s: the host refuses to say what became of it", f->what);
    if (++f->errors > TOLERATED_ERRORS)
        return pv_fail(err, PV_EUNKNOWN, "%s: the host cannot be asked what became of it", f->what);
    clock_sleep_ms(backoff_next_ms(&f->trouble));
    return PV_OK;
}

int job_follow(struct wsman *w, const struct call *c, const struct cim_ref *job, const char *what,
               job_tell_fn tell, void *ctx, struct job_view *out, struct pv_err *err)
{
    struct following f = {
        .w = w,
        .c = *c,
        .job = job,
        .what = what,
        .pause = { .first_ms = FIRST_POLL_MS, .most_ms = MOST_POLL_MS },
        .trouble = { .first_ms = 500, .most_ms = 4000 },
    };
    struct job_view v = { .percent = -1 };
    int told = -2;

    for (;;) {
        int rc = look(&f, &v, err);

        if (rc == PV_ENOENT) {
            v.state = JOB_VANISHED;
            *out = v;
            return PV_OK;
        }
        if (rc)
            rc = bear(&f, rc, err);
        else
            f.errors = 0;
        if (rc)
            return rc;
        if (v.state != JOB_RUNNING) {
            if (v.state == JOB_FAILED)
                ask_errors(&f, &v);
            *out = v;
            return PV_OK;
        }
        if (tell && v.percent != told)
            tell(ctx, v.percent);
        told = v.percent;
        rc = note_cancel(&f, &v, err);
        if (rc)
            return rc;
        (void)call_sleep(&f.c, backoff_next_ms(&f.pause), NULL);
    }
}
