/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may start: first come, first served for each object, one state-changing
 * task at a time on it, and no more on a provider than it can bear. Who may
 * not start says why.
 */
#include "server/core/activity.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/texts.h>

#define START_MAX 256           /* started by one pass */

enum verdict { GO, STAY, WAIT, END, DROP };

struct wait {
    const char *code, *detail;
    unsigned used, max;
};

struct pass {
    struct core *core;
    struct task *start[START_MAX];
    size_t nstart;
    struct task *wait[START_MAX];
    struct wait why[START_MAX];
    size_t nwait;
    struct task *cancel[START_MAX];
    size_t ncancel;
    int64_t now, next_due;
    bool more;
    /* The provider asked about last: queues are long and of few providers. */
    const struct provider *known;
    bool usable, maintenance, deleted;
    unsigned max;
    struct event_set events;
};

static unsigned limit_of(const struct provider *p)
{
    if (p->max_tasks)
        return p->max_tasks;
    return (unsigned)core_setting(p->core, str_eq(p->driver, "wmi") || str_eq(p->driver, "hcs")
                                               ? CORE_SETTING_sync_tasks_per_host
                                               : CORE_SETTING_sync_tasks_per_provider);
}

static void ask_provider(struct pass *s, struct provider *p)
{
    if (s->known == p)
        return;
    s->known = p;
    s->usable = provider_usable(p);
    pthread_mutex_lock(&p->lock);
    s->maintenance = p->maintenance;
    s->deleted = p->deleted;
    s->max = limit_of(p);
    pthread_mutex_unlock(&p->lock);
}

/* tasks_lock held. */
static enum verdict judge(struct pass *s, struct task *t, struct wait *why)
{
    struct object *o = t->object;
    bool first = o->pass != s->core->pass;

    *why = (struct wait){ .code = "" };
    if (t->ended)
        return DROP;
    if (t->lost || (t->cancel && t->need == NEED_CALL))
        return END;
    /* It does not hold its object's place: after a restart those before it may stand behind it. */
    if (t->bulk && t->need == NEED_CALL && !bulk_is_turn(t))
        return STAY;
    if (t->not_before_ms > s->now) {
        if (!s->next_due || t->not_before_ms < s->next_due)
            s->next_due = t->not_before_ms;
        o->pass = s->core->pass;
        return STAY;
    }
    o->pass = s->core->pass;
    ask_provider(s, t->provider);
    if (s->deleted) {
        t->lost = true;
        return END;
    }
    if (t->op->core && t->kind == PV_KIND_provider)
        return GO;
    if (t->need == NEED_CALL && ((o->runner && o->runner != t) || !first)) {
        *why = (struct wait){ .code = "object_busy", .detail = "another task works on it" };
        return WAIT;
    }
    if (s->maintenance && t->need == NEED_CALL && !t->op->core && !t->own) {
        *why = (struct wait){ .code = "maintenance", .detail = "the provider is paused" };
        return WAIT;
    }
    if (!s->usable && !t->own) {
        *why = (struct wait){ .code = "provider_offline", .detail = "the provider cannot be reached" };
        return WAIT;
    }
    if (t->need != NEED_CALL)
        return GO;
    if (t->bulk && !bulk_has_room(t->bulk, t->provider))
        return STAY;
    if (t->own)
        return GO;
    if (t->provider->running >= s->max) {
        *why = (struct wait){ .code = "provider_limit",
                              .detail = "the provider works on as many tasks as it may",
                              .used = t->provider->running, .max = s->max };
        return WAIT;
    }
    return GO;
}

/* tasks_lock held. */
static void note_start(struct pass *s, struct task *t)
{
    s->start[s->nstart++] = t;
    t->object->runner = t;
    if (t->need == NEED_CALL)
        activity_claim(t);
    if (!t->running) {
        t->running = true;
        s->core->running++;
        if (t->provider)
            t->provider->running++;
        if (t->bulk)
            bulk_child_started(t);
    }
}

static bool full(const struct pass *s)
{
    return s->nstart == START_MAX || s->nwait == START_MAX || s->ncancel == START_MAX;
}

static void look_through(struct pass *s)
{
    struct core *c = s->core;
    struct task **at;

    pthread_mutex_lock(&c->tasks_lock);
    c->pass++;
    for (at = &c->queue; *at && !full(s);) {
        struct task *t = *at;
        struct wait why;
        enum verdict v = judge(s, t, &why);

        if (v == STAY || v == WAIT) {
            if (v == WAIT && !str_eq(why.code, t->wait_code)) {
                str_copy(t->wait_code, sizeof(t->wait_code), why.code);
                task_ref(t);
                s->why[s->nwait] = why;
                s->wait[s->nwait++] = t;
            }
            at = &t->next;
            continue;
        }
        *at = t->next;
        if (!*at)
            c->queue_end = at;
        t->next = NULL;
        t->queued = false;
        t->wait_code[0] = '\0';
        /* The queue's reference goes on to the list. */
        if (v == GO)
            note_start(s, t);
        else if (v == END)
            s->cancel[s->ncancel++] = t;
        else
            task_put(t);
    }
    s->more = *at != NULL;
    pthread_mutex_unlock(&c->tasks_lock);
}

static const char *wait_json(const struct wait *why, struct arena *a)
{
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 1024);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "code", why->code);
    jsonw_str(&w, "detail", why->detail);
    texts_write(&w, "detail_text", why->detail);
    if (why->max) {
        jsonw_u64(&w, "used", why->used);
        jsonw_u64(&w, "max", why->max);
    }
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

/* A canceled one stays so over a restart. tasks_lock held. */
static enum pv_task_state begun_state(const struct task *t)
{
    return t->need == NEED_CALL ? PV_TASK_STATE_RUNNING
           : t->cancel          ? PV_TASK_STATE_CANCELING
                                : PV_TASK_STATE_REATTACHING;
}

static enum pv_task_state begun_state_now(struct task *t)
{
    enum pv_task_state state;

    pthread_mutex_lock(&t->core->tasks_lock);
    state = begun_state(t);
    pthread_mutex_unlock(&t->core->tasks_lock);
    return state;
}

/* All that waits and all that starts, in one transaction: stored before anything is handed to a driver. */
static int pass_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct pass *s = arg;
    int rc = events_begin(&s->events, tx, err);

    for (size_t i = 0; rc == PV_OK && i < s->nwait; i++) {
        struct task_change ch = { .state = s->wait[i]->need == NEED_CALL ? PV_TASK_STATE_WAITING
                                                                       : begun_state_now(s->wait[i]),
                                  .wait_reason = wait_json(&s->why[i], tx_arena(tx)) };

        rc = task_change_tx(s->wait[i], tx, &s->events, &ch, err);
    }
    for (size_t i = 0; rc == PV_OK && i < s->nstart; i++) {
        struct task_change ch = { .state = begun_state_now(s->start[i]), .set_started = true };

        rc = task_change_tx(s->start[i], tx, &s->events, &ch, err);
        if (rc == PV_OK && s->start[i]->need == NEED_CALL)
            rc = activity_begin_tx(s->start[i], tx, &s->events, err);
    }
    return rc;
}

static void start_all(struct pass *s, int rc)
{
    for (size_t i = 0; i < s->nstart; i++) {
        struct task *t = s->start[i];

        pthread_mutex_lock(&s->core->tasks_lock);
        if (rc == PV_OK && !t->ended)
            t->state = begun_state(t);
        pthread_mutex_unlock(&s->core->tasks_lock);
        /* What could not be stored is not done. */
        if (rc == PV_OK)
            task_start(t);
        else
            task_requeue(t, t->need, 1000);
        task_put(t);
    }
}

static void wake_job(void *arg)
{
    tasks_wake(arg);
}

static void one_pass(struct core *c, struct pass *s)
{
    struct pv_err err = { 0 };
    int rc = PV_OK;

    memset(s, 0, sizeof(*s));
    s->core = c;
    s->now = clock_mono_ms();
    look_through(s);
    if (s->nwait + s->nstart > 0) {
        events_init(&s->events, c);
        rc = store_write(c->store, pass_tx, s, &err);
        events_free(&s->events);
        if (rc != PV_OK)
            log_msg(PV_LOG_ERROR, "task.schedule", "%s", err.message);
    }
    start_all(s, rc);
    for (size_t i = 0; i < s->nwait; i++) {
        pthread_mutex_lock(&c->tasks_lock);
        if (rc != PV_OK)
            s->wait[i]->wait_code[0] = '\0';
        pthread_mutex_unlock(&c->tasks_lock);
        task_put(s->wait[i]);
    }
    for (size_t i = 0; i < s->ncancel; i++) {
        pv_fail(&err, PV_EUNKNOWN, "what this task worked on is not there any more");
        if (s->cancel[i]->lost)
            task_end(s->cancel[i], PV_TASK_STATE_LOST, false, NULL, &err);
        else
            task_end(s->cancel[i], PV_TASK_STATE_CANCELED, false, NULL, NULL);
        task_put(s->cancel[i]);
    }
    if (s->next_due)
        core_later(c, s->next_due - s->now + 1, wake_job, c);
    s->more = s->more && (s->nwait + s->nstart + s->ncancel > 0) && rc == PV_OK;
}

static void schedule_job(void *arg)
{
    struct core *c = arg;
    struct pass *s = malloc(sizeof(*s));
    bool again;

    do {
        if (s && !atomic_load(&c->stopping))
            one_pass(c, s);
        pthread_mutex_lock(&c->tasks_lock);
        again = (c->schedule_again || (s && s->more)) && s && !atomic_load(&c->stopping);
        c->schedule_again = false;
        c->scheduling = again;
        pthread_mutex_unlock(&c->tasks_lock);
    } while (again);
    free(s);
}

void tasks_wake(struct core *c)
{
    bool submit;

    pthread_mutex_lock(&c->tasks_lock);
    submit = !c->scheduling && c->queue && !atomic_load(&c->stopping);
    c->schedule_again = c->scheduling;
    c->scheduling |= submit;
    pthread_mutex_unlock(&c->tasks_lock);
    if (submit && !core_submit(c, schedule_job, c)) {
        pthread_mutex_lock(&c->tasks_lock);
        c->scheduling = false;
        pthread_mutex_unlock(&c->tasks_lock);
    }
}
