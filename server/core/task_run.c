/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A task at its provider: handed over, followed, looked at. What was sent and
 * may have taken effect is never sent again.
 */
#include "server/core/activity.h"
#include "server/core/args.h"
#include "server/core/expiry.h"
#include "server/core/outcome.h"
#include "server/core/touched.h"
#include "server/core/uploads.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Progress is stored with an event: often enough to be looked at, seldom enough for a thousand tasks. */
#define PROGRESS_EVERY_MS 2000
#define PROGRESS_EVERY_PCT 5
#define LOOKS_MAX 5
#define READS_MAX 100
#define LOOK_EVERY_MS 2000
#define RETRY_MS 1000
#define READ_MS 15000           /* what may have changed is waited for at most, when the task has failed */

bool task_canceled(struct task *t)
{
    bool cancel;

    pthread_mutex_lock(&t->core->tasks_lock);
    cancel = t->cancel;
    pthread_mutex_unlock(&t->core->tasks_lock);
    return cancel;
}

void task_requeue(struct task *t, enum need need, int64_t delay_ms)
{
    struct core *c = t->core;

    pthread_mutex_lock(&c->tasks_lock);
    if (need == NEED_CALL) {
        /* It does not hold its place while it waits. */
        if (t->running) {
            t->running = false;
            c->running--;
            if (t->provider)
                t->provider->running--;
            if (t->bulk)
                bulk_child_paused(t);
        }
        if (t->object && t->object->runner == t)
            t->object->runner = NULL;
        if (!t->ended)
            t->state = PV_TASK_STATE_QUEUED;
    }
    t->need = need;
    t->not_before_ms = delay_ms ? clock_mono_ms() + delay_ms : 0;
    pthread_mutex_unlock(&c->tasks_lock);
    task_enqueue(t, true);
}

/* ---------------------------------------------------------------- the end */

/* The provider has done its part. What is ours is written before anybody is told; if the server ends in between, the next
 * one comes by here again. */
static void end_done(struct task *t, bool changed, const char *result)
{
    struct pv_err err = { 0 };
    struct pv_id subject;
    bool ours = false;
    int rc = outcome_subject(t, &subject, &err);

    if (rc == PV_OK)
        rc = own_params_put(t, &subject, &ours, &err);
    if (rc == PV_OK) {
        task_end(t, PV_TASK_STATE_SUCCEEDED, changed || ours, result, NULL);
        return;
    }
    pv_wrap(&err, "the provider has done its part, but its time was not noted");
    task_end(t, PV_TASK_STATE_FAILED, true, result, &err);
}

static void succeed(struct task *t, bool changed, bool fresh)
{
    if (!(fresh && outcome_arrived(t)) && !atomic_load(&t->core->stopping) && t->reads++ < READS_MAX) {
        /* Whoever sees "succeeded" must read the new state: wait until it can be read. */
        task_requeue(t, NEED_READ, RETRY_MS);
        return;
    }
    outcome_complete(t);
    end_done(t, changed, t->result);
}

/* It has failed or was canceled, and something may have changed all the same: whoever sees that reads the new state, or
 * sees that nobody could read it. */
static void give_up(struct task *t, bool changed, bool fresh)
{
    bool canceled = t->failure.rc == PV_ECANCELED;

    (void)changed;
    if (!fresh)
        touched_unread(t);
    task_end(t, canceled ? PV_TASK_STATE_CANCELED : PV_TASK_STATE_FAILED, false, NULL, canceled ? NULL : &t->failure);
}

static void end_failed(struct task *t)
{
    int64_t within_ms = t->core->config.failed_read_ms;

    touched_read(t, NULL, within_ms ? within_ms : READ_MS, give_up);
}

/* ---------------------------------------------------------------- the outcome is not known: look */

static void look_job(void *arg)
{
    struct task *t = arg;

    task_requeue(t, NEED_LOOK, 0);
    task_put(t);
}

/* The subject was read again. */
static void looked(struct task *t, bool changed, bool fresh)
{
    int happened;

    (void)changed;
    if (atomic_load(&t->core->stopping))
        return;
    if (!fresh) {
        task_requeue(t, NEED_LOOK, RETRY_MS);
        return;
    }
    happened = outcome_decide(t);
    if (happened == 1) {
        end_done(t, true, NULL);
        return;
    }
    /* It may still be on its way. */
    if (++t->looks < LOOKS_MAX) {
        task_ref(t);
        if (core_later(t->core, LOOK_EVERY_MS, look_job, t))
            return;
        task_put(t);
    }
    /* Not even a canceled one is called canceled then: what may have been sent may still take effect. */
    t->failure.rc = PV_EUNKNOWN;
    t->failure.problem = NULL;
    task_end(t, happened == 0 ? PV_TASK_STATE_FAILED : PV_TASK_STATE_LOST, false, NULL, &t->failure);
}

/* ---------------------------------------------------------------- the call */

/* What the driver goes on from after a restart: it begins nothing before this is stored. */
static int keep_journal(struct task *t, const char *ref, const char *job)
{
    struct task_change ch = { .keep_state = true, .journal = ref, .native_id = job };
    struct pv_err err = { 0 };
    char *copy;
    int rc;

    if (t->journal && strcmp(t->journal, ref) == 0)
        return PV_OK;
    if (strlen(ref) > model_kind(PV_KIND_task)->fields[F(task, journal)].max)
        return PV_ELIMIT;
    copy = strdup(ref);
    rc = copy ? task_write(t, &ch, &err) : PV_ENOMEM;
    if (rc != PV_OK) {
        log_msg(PV_LOG_ERROR, "task.journal", "%s", err.message);
        free(copy);
        return rc;
    }
    pthread_mutex_lock(&t->core->tasks_lock);
    free(t->journal);
    t->journal = copy;
    pthread_mutex_unlock(&t->core->tasks_lock);
    return PV_OK;
}

static const char *json_of(struct arena *a, json_t *json)
{
    const char *text = core_json_text(a, json);

    json_decref(json);
    return text;
}

/* A new step, or so much more that it is worth an event; what moves slowly is told every few seconds. */
static bool progress_counts(const struct task *t, const struct pv_progress *p, int64_t now)
{
    int64_t since = now - t->progress_ms;

    if (!t->progress_ms)
        return p->percent >= 0 || p->step || p->bytes_total;
    if (p->step != t->step)
        return since >= PROGRESS_EVERY_MS / 4;
    if (p->percent >= t->percent + PROGRESS_EVERY_PCT)
        return since >= PROGRESS_EVERY_MS;
    return since >= PROGRESS_EVERY_MS * 5 && (p->percent > t->percent || p->bytes_total);
}

/* For whoever looks on; what cannot be stored of it is not missed. */
static void show_progress(struct task *t, const struct pv_progress *p)
{
    PV_AUTO(arena_free_p) struct arena *a = NULL;
    struct task_change ch = { .keep_state = true, .percent = p->percent, .set_progress = true };
    struct pv_err err = { 0 };
    int64_t now = clock_mono_ms();

    if (!progress_counts(t, p, now))
        return;
    t->progress_ms = now;
    t->percent = p->percent;
    t->step = p->step;
    a = arena_new(2048, 16384);
    if (!a)
        return;
    if (p->steps)
        ch.step = json_of(a, json_pack("{s:i, s:i, s:s, s:o*}", "n", (int)p->step, "of", (int)p->steps,
                                       "name", p->step_name ? p->step_name : "", "name_text",
                                       core_text_json(p->step_name)));
    if (p->bytes_total)
        ch.bytes = json_of(a, json_pack("{s:I, s:I}", "done", (json_int_t)p->bytes_done, "total",
                                        (json_int_t)p->bytes_total));
    if (task_write(t, &ch, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "task.progress", "%s", err.message);
}

static int on_progress(void *arg, const struct pv_progress *p)
{
    struct task *t = arg;
    int rc = p->native_ref && p->native_ref[0] ? keep_journal(t, p->native_ref, p->job) : PV_OK;

    show_progress(t, p);
    return rc;
}

/* Not sent: it may be tried again. A host that shows another certificate is told nothing; the task waits until somebody
 * has looked at it. */
static bool never_sent(int code)
{
    return code == PV_EOFFLINE || code == PV_ELIMIT || code == PV_ECERT;
}

static void failed(struct task *t, const struct pv_failure *failure)
{
    struct pv_err err = { 0 };
    bool lost_contact = failure->code == PV_EUNKNOWN || str_eq(failure->problem, "driver-crashed");

    driver_failure_err(failure, &err);
    t->failure = err;
    /* It was told, did what it could, and the provider goes on: what becomes of it is waited for then. */
    if (failure->code == PV_EUNKNOWN && task_canceled(t))
        t->cancel_told = true;
    if (failure->code == PV_ECANCELED && task_canceled(t)) {
        end_failed(t);
    } else if (lost_contact || failure->code == PV_ECANCELED) {
        bool follow = t->journal && t->follows++ < TRIES_MAX;

        /* A file is sent again from its beginning. */
        if (t->op->streams) {
            t->sent_before = true;
            if (++t->tries < TRIES_MAX) {
                task_requeue(t, NEED_CALL, RETRY_MS << (t->tries < 6 ? t->tries : 6));
                return;
            }
            activity_over(t);
            task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
            return;
        }
        task_requeue(t, follow ? NEED_FOLLOW : NEED_LOOK, t->follows > 1 ? RETRY_MS : 0);
    } else if (never_sent(failure->code) && t->need != NEED_FOLLOW && !t->journal && ++t->tries < TRIES_MAX) {
        activity_drop(t);
        task_requeue(t, NEED_CALL, RETRY_MS << (t->tries < 6 ? t->tries : 6));
    } else if (t->need == NEED_FOLLOW && never_sent(failure->code)) {
        task_requeue(t, NEED_FOLLOW, RETRY_MS);
    } else if (t->need == NEED_FOLLOW && failure->code == PV_ENOENT) {
        /* The provider has forgotten its job. */
        task_requeue(t, NEED_LOOK, 0);
    } else {
        end_failed(t);
    }
}

static void on_result(void *arg, const struct pv_failure *failure, const char *result)
{
    struct task *t = arg;

    if (atomic_load(&t->core->stopping)) {
        /* What the driver says about a session that is being closed is no outcome. */
        if (failure->code != 0) {
            task_put(t);
            return;
        }
    }
    if (failure->code != 0) {
        failed(t, failure);
    } else {
        PV_AUTO(json_decref_p) json_t *json = result ? json_loads(result, 0, NULL) : NULL;

        free(t->result);
        t->result = json_is_object(json) ? strdup(result) : NULL;
        touched_read(t, json, 0, succeed);
    }
    task_put(t);
}

struct starting {
    const struct task *task;
    const char *subject;
    int stream; /* -1: none; taken by the call */
};

static uint64_t start_call(struct driver_session *s, void *arg)
{
    struct starting *st = arg;
    const struct task *t = st->task;
    int stream = st->stream;

    if (stream >= 0) {
        st->stream = -1;
        return driver_call_stream(s, t->op->name, st->subject, t->args ? t->args : t->params, NULL, 0, stream);
    }
    return driver_call(s, t->op->name, st->subject, t->args ? t->args : t->params,
                       t->need == NEED_FOLLOW ? t->journal : NULL, 0);
}

const char *task_subject_json(enum pv_kind kind, const char *native_id, const char *name,
                              const char *owner, struct arena *a)
{
    json_t *json = json_pack("{s:s, s:s, s:s}", "kind", model_kind(kind)->name, "native_id",
                             native_id, "name", name);

    if (owner[0])
        json_object_set_new(json, "owner", json_string(owner));
    return json_of(a, json);
}

/* The driver's form of the parameters, with objects as they are called now. What a job that is followed was started
 * with may be gone since. */
static int take_args(struct task *t, struct pv_err *err)
{
    PV_AUTO(json_decref_p) json_t *params = json_loads(t->params, 0, NULL), *args = NULL;
    struct provider *other = NULL;
    char *text;
    int rc = args_resolve(t->core, t->op, t->provider, params, &args, &other, err);

    if (rc != PV_OK)
        return t->need == NEED_FOLLOW ? PV_OK : rc;
    if (t->op->streams)
        json_object_set_new(args, "stream", json_integer(1));
    if (t->op->streams && t->sent_before)
        json_object_set_new(args, "overwrite", json_true());
    text = json_dumps(args, JSON_COMPACT);
    if (!text) {
        provider_put(other);
        return pv_fail(err, PV_ENOMEM, "no memory for parameters");
    }
    free(t->args);
    t->args = text;
    provider_put(t->other);
    t->other = other;
    return PV_OK;
}

static void hand_over(struct task *t)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 65536);
    struct open_call *call = calloc(1, sizeof(*call));
    struct starting st = { .task = t, .stream = -1 };
    struct pv_err err = { 0 };

    if (t->op->streams) {
        st.stream = uploads_open(t->core, t, &err);
        if (st.stream < 0) {
            free(call);
            task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
            return;
        }
    }
    if (a)
        st.subject = task_subject_json(t->kind, t->native_id, t->name, t->owner_native_id, a);
    if (!call || !st.subject) {
        if (st.stream >= 0)
            close(st.stream);
        free(call);
        task_requeue(t, t->need, RETRY_MS);
        return;
    }
    call->done = on_result;
    call->progress = on_progress;
    call->arg = t;
    task_ref(t);
    if (!provider_call(t->provider, call, start_call, &st)) {
        if (st.stream >= 0)
            close(st.stream);
        free(call);
        task_put(t);
        task_requeue(t, t->need, 0);
        return;
    }
    if (task_canceled(t) && !t->cancel_told)
        provider_cancel_calls(t->provider, t);
}

/* What came before it has brought the VM into the wanted state already. */
static bool nothing_to_do(struct task *t)
{
    PV_AUTO(arena_free_p) struct arena *a = NULL;
    struct model_row *row;
    int64_t power;

    if (!t->check_again || t->kind != PV_KIND_vm)
        return false;
    t->check_again = false;
    a = arena_new(16384, 1u << 20);
    if (!a || store_row_get(t->core->store, t->core->kinds[t->kind].shape, &t->subject, a, &row,
                            NULL) != PV_OK)
        return false;
    power = model_number(row, F(vm, power_state));
    return power != PV_POWER_STATE_UNKNOWN && (t->op->no_op & (1u << (power - 1)));
}

/* What is ours alone. */
static void put_own(struct task *t)
{
    struct pv_err err = { 0 };
    bool changed;
    int rc = own_params_put(t, &t->subject, &changed, &err);

    task_end(t, rc == PV_OK ? PV_TASK_STATE_SUCCEEDED : PV_TASK_STATE_FAILED, changed, NULL, rc == PV_OK ? NULL : &err);
}

/* Its time was put off while it waited: then nothing is done. */
static bool put_off(struct task *t)
{
    struct pv_err err = { 0 };
    bool due = true;

    if (!t->expiry || t->need != NEED_CALL)
        return false;
    if (expiry_begin(t, &due, &err) != PV_OK) {
        task_requeue(t, NEED_CALL, RETRY_MS);
        return true;
    }
    if (!due)
        task_end(t, PV_TASK_STATE_CANCELED, false, NULL, NULL);
    return !due;
}

void task_start(struct task *t)
{
    if (t->op->core) {
        task_core_operation(t);
    } else if (t->own) {
        put_own(t);
    } else if (put_off(t)) {
        return;
    } else if (t->need == NEED_LOOK) {
        touched_read(t, NULL, 0, looked);
    } else if (t->need == NEED_READ) {
        PV_AUTO(json_decref_p) json_t *json = t->result ? json_loads(t->result, 0, NULL) : NULL;

        touched_read(t, json, 0, succeed);
    } else if (t->need == NEED_CALL && nothing_to_do(t)) {
        task_end(t, PV_TASK_STATE_SUCCEEDED, false, NULL, NULL);
    } else {
        struct pv_err err = { 0 };

        if (!t->started_ms)
            t->started_ms = clock_wall_ms();
        if (take_args(t, &err) == PV_OK)
            hand_over(t);
        else
            task_end(t, PV_TASK_STATE_FAILED, false, NULL, &err);
    }
}
