/* SPDX-License-Identifier: Apache-2.0 */
/* One step of an operation: sent once, followed, looked for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define JOB_STARTED 4096u
#define SYSTEM_IN_USE 32774u
#define INVALID_STATE 32775u
#define BUSY_TRIES 6
#define DONE_LOOK_MS 10000           /* how long what is said to be done is looked for */
#define LATE_LOOK_MS 2000            /* ... at least, of one that was sent before a restart */
#define JOBS_KEPT_MS (4 * 60 * 1000) /* the host keeps a job for five minutes after its end */

int op_service(struct op *o, const struct cim_class *cls, const struct cim_ref **out,
               struct pv_err *err)
{
    return wsman_service(o->w->client, &o->c, cls, out, err);
}

const char *op_what(struct op *o, const char *verb, const char *name)
{
    const char *text = arena_printf(o->a, "%s %s", verb, name ? name : "it");

    return text ? text : verb;
}

int op_wrong_state(struct op *o, struct pv_err *err, const char *why)
{
    return pv_fail_as(err, "vm-invalid-state", "%s %s: %s", o->def->verb, o->name, why);
}

/* ------------------------------------------------------------------ telling */

void op_tell(struct op *o, const char *step_name, int percent)
{
    const struct pv_host *host = o->c.host;
    char *ref = journal_text(&o->journal);
    struct pv_progress p = {
        .size = sizeof(p),
        .percent = percent,
        .step = o->steps ? o->step : 0,
        .steps = o->steps,
        .step_name = step_name,
        .native_ref = ref,
        .job = journal_job(&o->journal),
    };

    if (!ref ||
        (host->progress && !o->dry_run && host->progress(host->ctx, o->c.number, &p) != PV_OK))
        o->orphan = true;
    free(ref);
}

int op_begin_step(struct op *o, const char *key, const char *what, struct pv_err *err)
{
    journal_step(&o->journal, key, NULL);
    op_tell(o, what, -1);
    return o->orphan ? pv_fail(err, PV_EUNKNOWN,
                               "%s: the server could not note that the step begins", what)
                     : PV_OK;
}

struct telling {
    struct op *o;
    const char *what;
};

static void on_percent(void *ctx, int percent)
{
    const struct telling *t = ctx;

    op_tell(t->o, t->what, percent);
}

/* ------------------------------------------------------------------ looking */

/* Errors of the connection say nothing about the effect: it is looked for again. */
static bool says_nothing(int rc)
{
    return rc == PV_EOFFLINE || rc == PV_EIO || rc == PV_ETIMEOUT || rc == PV_ELIMIT ||
           rc == PV_ECANCELED;
}

/* Looks until the effect is there or the time is over. PV_ENOENT: it is not. */
static int look_for(struct op *o, const struct op_step *s, int64_t most_ms, struct pv_err *err)
{
    struct backoff pause = { .first_ms = 200, .most_ms = 2000 };
    int64_t until = clock_mono_ms() + most_ms;
    bool finishing = o->c.must_finish, there = false;
    int rc;

    /* What was sent has to be accounted for, even if nobody waits any more. */
    o->c.must_finish = true;
    for (;;) {
        struct pv_err ignored = { 0 };

        rc = s->look(o, s->ctx, &there, &ignored);
        if (rc == PV_OK && there)
            break;
        if (rc && !says_nothing(rc)) {
            if (err)
                *err = ignored;
            break;
        }
        if (clock_mono_ms() >= until || call_is_closing(&o->c)) {
            rc = rc ? pv_fail(err, PV_EUNKNOWN, "%s: the host cannot be asked what became of it",
                              s->what)
                    : PV_ENOENT;
            break;
        }
        clock_sleep_ms(backoff_next_ms(&pause));
    }
    o->c.must_finish = finishing;
    return rc;
}

/* Success without effect happens: what the step was for is looked at before it is called done. */
static int verify(struct op *o, const struct op_step *s, struct pv_err *err)
{
    int64_t most_ms = (int64_t)o->w->config.outcome_wait_s * 1000;
    int rc = PV_OK;

    if (s->look)
        rc = look_for(o, s, most_ms < DONE_LOOK_MS ? most_ms : DONE_LOOK_MS, err);
    o->changed = true;
    if (rc != PV_ENOENT)
        return rc;
    return pv_fail(err, PV_EIO, "%s: the host says it is done, but it is not to be seen", s->what);
}

/* ------------------------------------------------------------------ following */

/* A network logon cannot travel on: what the host does elsewhere in our name is refused unless it
 * may delegate. */
static void hint(const struct op_step *s, int rc, struct pv_err *err)
{
    if (!s->remote || !err ||
        (rc != PV_EPERM && !strstr(err->message, "0x80070005") &&
         !strstr(err->message, "Access is denied")))
        return;
    pv_err_remedy(err,
                  "The host reaches out to %.80s in your name, which it may only with Kerberos "
                  "constrained delegation (or give its computer account the right there).",
                  s->remote);
}

/* JOB_VANISHED is the caller's to decide: *gone. */
static int follow_job(struct op *o, const struct op_step *s, const struct cim_ref *job, bool *gone,
                      struct pv_err *err)
{
    struct telling t = { o, s->what };
    struct job_view v = { 0 };
    int rc;

    *gone = false;
    journal_step(&o->journal, s->key, job_text(o->a, job));
    op_tell(o, s->what, 0);
    o->last_job = cim_ref_key(job, "InstanceID");
    o->job = job;
    rc = job_follow(o->w->client, &o->c, job, s->what, on_percent, &t, &v, err);
    if (rc)
        return rc;
    switch (v.state) {
    case JOB_VANISHED:
        *gone = true;
        return PV_OK;
    case JOB_WARNED:
        op_warn(o, "%s: done with warnings%s%s", s->what, v.text[0] ? ": " : "", v.text);
        return verify(o, s, err);
    case JOB_SUCCEEDED:
        return verify(o, s, err);
    default:
        break;
    }
    rc = job_fail(&v, s->what, err);
    hint(s, rc, err);
    return rc;
}

/* ------------------------------------------------------------------ the answer was lost */

/* One look at the object and the jobs. *over: rc is what became of it. A disk is there as soon as
 * its job has begun to write it, so a job that runs counts more than what is seen. */
static int look_back(struct op *o, const struct op_step *s, bool *over, struct op_trace *t,
                     struct pv_err *err)
{
    op_look_fn look = s->look ? s->look : s->lost_look;
    bool there = false, gone = false;
    int rc = look ? look(o, s->ctx, &there, err) : PV_OK;

    *over = rc && !says_nothing(rc);
    if (rc)
        return rc;
    rc = op_trace(o, s, t, err);
    if (rc == PV_OK && t->ours == 1 && (t->running > 0 || !there)) {
        rc = follow_job(o, s, t->job, &gone, err);
        *over = !gone;
        return rc;
    }
    *over = there;
    if (!there)
        return rc;
    o->changed = true;
    return PV_OK;
}

/* Of what leaves nothing to look at only its job can tell: that may be one of those there are, or
 * forgotten. */
static bool may_be_over(const struct op *o, const struct op_trace *t)
{
    return o->job || t->others > 0 || t->ours > 0 || clock_wall_ms() - o->sent_ms > JOBS_KEPT_MS;
}

/*
 * The step was sent, and the connection broke or the server was restarted before the host answered.
 * What it was for is looked for until it is there, or for `outcome_wait_s` during which the host is
 * not at work on anything of the kind. *unseen: then it never began.
 */
static int decide(struct op *o, const struct op_step *s, const char *why, bool *unseen,
                  struct pv_err *err)
{
    struct backoff pause = { .first_ms = 100, .most_ms = 1000 };
    int64_t began = clock_mono_ms();
    int64_t wait_ms = (int64_t)o->w->config.outcome_wait_s * 1000;
    struct call asked = o->c;
    int rc;

    o->lost = true;
    *unseen = false;
    /* Before a restart the time was running already. */
    if (o->late)
        wait_ms -= clock_wall_ms() - o->sent_ms;
    if (wait_ms < LATE_LOOK_MS)
        wait_ms = LATE_LOOK_MS;
    /* What was sent has to be accounted for, even if nobody waits any more. */
    o->c.must_finish = true;
    for (;;) {
        struct pv_err now = { 0 };
        struct op_trace t = { 0 };
        bool over = false;

        rc = look_back(o, s, &over, &t, &now);
        if (over) {
            if (rc && err)
                *err = now;
            break;
        }
        if (t.running > 0)
            began = clock_mono_ms();
        if (call_is_closing(&o->c) || (t.running > 0 && call_cancelled(&asked))) {
            rc = pv_fail(err, PV_EUNKNOWN, "%s: %s", s->what, why);
            break;
        }
        if (clock_mono_ms() - began >= wait_ms) {
            *unseen = rc == PV_OK && (s->look || s->lost_look || !may_be_over(o, &t));
            rc = *unseen
                     ? pv_fail(err, PV_EIO, "%s: %s, and nothing is to be seen of it on the host",
                               s->what, why)
                     : pv_fail(err, PV_EUNKNOWN,
                               "%s: %s, and the host cannot be asked what became of it", s->what,
                               why);
            break;
        }
        clock_sleep_ms(backoff_next_ms(&pause));
    }
    o->c.must_finish = asked.must_finish;
    return rc;
}

static int follow(struct op *o, const struct op_step *s, const struct cim_ref *job,
                  struct pv_err *err)
{
    bool gone = false, unseen;
    int rc = follow_job(o, s, job, &gone, err);

    return gone ? decide(o, s, "the host has forgotten its job", &unseen, err) : rc;
}

/* ------------------------------------------------------------------ sending */

/* The job of an answer: the parameter is called Job in every method that has one. */
static const struct cim_ref *job_of(const struct cim_instance *answer)
{
    const struct cim_prop *p = answer && answer->cls ? cim_prop_find(answer->cls, "Job") : NULL;

    return p ? cim_get_ref(answer, (struct cim_p_ref){ p }) : NULL;
}

/* A write is not broken off by a cancelled call: it would not be known what became of it. */
static int send_once(struct op *o, const struct op_step *s, struct cim_instance **answer,
                     uint32_t *value, struct pv_err *err)
{
    struct call whole = o->c;
    int rc;

    if (!o->c.must_finish && call_cancelled(&o->c))
        return pv_fail(err, PV_ECANCELED, "%s was canceled", s->what);
    whole.must_finish = true;
    o->sent_ms = clock_wall_ms();
    o->late = o->lost = false;
    o->job = NULL;
    rc = op_begin_step(o, s->key, s->what, err);
    if (rc)
        return rc;
    rc = wsman_invoke(o->w->client, &whole, s->on, s->in, o->a, answer, err);
    if (rc == PV_OK && !cim_return_value(*answer, value))
        return pv_fail(err, PV_EUNKNOWN, "%s: the host's answer does not say what it did", s->what);
    return rc;
}

static int refused(struct op *o, const struct op_step *s, uint32_t value, struct pv_err *err)
{
    bool there = false;
    int rc;

    if (s->refused) {
        rc = s->refused(o, s, value, err);
        return rc ? rc : verify(o, s, err);
    }
    /* It is in that state already, or somebody else has just done it. */
    if (value == INVALID_STATE && s->look && s->look(o, s->ctx, &there, NULL) == PV_OK && there)
        return PV_OK;
    rc = wsman_fail_return(value, s->what, err);
    hint(s, rc, err);
    return rc;
}

static int send_step(struct op *o, const struct op_step *s, struct cim_instance **out,
                     struct pv_err *err)
{
    struct backoff busy = { .first_ms = 500, .most_ms = 4000 };

    for (unsigned tries = 1;; tries++) {
        struct cim_instance *answer = NULL;
        uint32_t value = 0;
        bool there = false, unseen;
        int rc = send_once(o, s, &answer, &value, err);

        if (o->orphan)
            return rc;
        if (rc == PV_EUNKNOWN || rc == PV_ETIMEOUT)
            return decide(o, s, "the connection broke before the host answered", &unseen, err);
        if (rc) {
            hint(s, rc, err);
            return rc;
        }
        if (out)
            *out = answer;
        if (value == 0)
            return verify(o, s, err);
        if (value == JOB_STARTED) {
            const struct cim_ref *job = job_of(answer);

            return job ? follow(o, s, job, err)
                       : decide(o, s, "the host named no job", &unseen, err);
        }
        /* A transition is under way, or somebody else works on it: it passes. */
        if ((value != INVALID_STATE && value != SYSTEM_IN_USE) || s->any_state ||
            tries >= BUSY_TRIES)
            return refused(o, s, value, err);
        if (s->look && s->look(o, s->ctx, &there, NULL) == PV_OK && there)
            return PV_OK;
        rc = call_sleep(&o->c, backoff_next_ms(&busy), err);
        if (rc)
            return rc;
        if (o->vm[0]) {
            unsigned state;

            rc = op_vm_stable(o, &state, err);
            if (rc && rc != PV_ENOENT)
                return rc;
        }
    }
}

/* The step that was under way when the server or the driver was stopped. *over: it is not to be
 * sent. */
static int catch_up(struct op *o, const struct op_step *s, bool *over, struct pv_err *err)
{
    const char *text = journal_job(&o->journal);
    const struct cim_ref *job = job_parse(o->a, text);
    bool unseen = false;
    int rc;

    o->resumed = false;
    o->sent_ms = journal_step_began(&o->journal);
    o->late = true;
    o->job = NULL;
    rc = job ? follow(o, s, job, err)
             : decide(o, s, "the server was restarted meanwhile", &unseen, err);
    *over = !unseen || !s->repeats;
    return *over ? rc : PV_OK;
}

/* It is not sent again; what its look notes is noted, if it is still to be seen. */
static int done_before(struct op *o, const struct op_step *s, struct pv_err *err)
{
    bool there = false;
    int rc = s->look ? s->look(o, s->ctx, &there, err) : PV_OK;

    if (rc && says_nothing(rc))
        return rc;
    o->changed = true;
    return PV_OK;
}

/* After a restart. *over: nothing is to be sent, rc is what became of it. */
static int go_on(struct op *o, const struct op_step *s, bool *over, struct pv_err *err)
{
    bool there = false;

    *over = true;
    if (str_eq(journal_step_of(&o->journal), s->key))
        return catch_up(o, s, over, err);
    if (journal_is_done(&o->journal, s->key))
        return done_before(o, s, err);
    *over = s->look && s->look(o, s->ctx, &there, NULL) == PV_OK && there;
    if (*over)
        o->changed = true;
    return PV_OK;
}

int op_do(struct op *o, const struct op_step *s, struct cim_instance **out, struct pv_err *err)
{
    bool over = false;
    int rc = PV_OK;

    if (!s->on || !s->in)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (o->dry_run) {
        op_plan_call(o, s->on, s->in);
        return PV_OK;
    }
    if (out)
        *out = NULL;
    if (o->step < o->steps)
        o->step++;
    if (o->resumed)
        rc = go_on(o, s, &over, err);
    if (rc == PV_OK && !over)
        rc = send_step(o, s, out, err);
    if (rc == PV_OK)
        journal_step_done(&o->journal, s->key);
    return rc;
}
