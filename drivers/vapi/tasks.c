/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/session.h"

#define WAIT_S                                                                                     \
    2 /* a task that joins meanwhile is seen by then, whatever the server does about views */
#define NAP_MS 250
#define POLL_MS 1000
#define TASKS_MOST 1024
#define CANCEL_GRACE_MS 15000
#define GIVE_UP_MS (5 * 60 * 1000)

enum { TASK_STATE, TASK_PROGRESS, TASK_ERROR_, TASK_RESULT, TASK_CANCELABLE, TASK_CANCELLED };
static const char *const paths[] = { "info.state",  "info.progress",   "info.error",
                                     "info.result", "info.cancelable", "info.cancelled" };
static const struct prop_table table = { "Task", paths, sizeof(paths) / sizeof(paths[0]) };
static const struct prop_table *const tables[] = { &table, NULL };

struct entry {
    struct entry *next;
    char id[160];
    struct task_info info;
};

struct task_hub {
    struct session *s;
    pthread_mutex_t lock;
    pthread_cond_t news;
    struct entry *entries; /* guarded by lock, all below */
    size_t nentries;
    bool asking;         /* one of the calls is asking the server for all */
    bool changed;        /* the list, since the server was told */
    bool unsupported;    /* the server has no views of tasks for us */
    unsigned generation; /* the login of what follows; 0: nothing was made */
    struct moref view, collector;
    char version[256];
};

struct task_hub *tasks_new(struct session *s)
{
    struct task_hub *h = calloc(1, sizeof(*h));
    pthread_condattr_t attr;

    if (!h)
        return NULL;
    h->s = s;
    pthread_mutex_init(&h->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&h->news, &attr);
    pthread_condattr_destroy(&attr);
    return h;
}

void tasks_free(struct task_hub *h)
{
    if (!h)
        return;
    pthread_cond_destroy(&h->news);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void tasks_read(const xmlNode *object, struct task_info *out)
{
    struct prop_values v;
    const char *state;
    uint64_t n;

    props_read(&table, object, &v);
    state = value_text(v.val[TASK_STATE]);
    if (state)
        out->state = strcmp(state, "success") == 0   ? TASK_SUCCESS
                     : strcmp(state, "error") == 0   ? TASK_ERROR
                     : strcmp(state, "running") == 0 ? TASK_RUNNING
                                                     : TASK_QUEUED;
    if (value_u64(v.val[TASK_PROGRESS], &n))
        out->percent = n > 100 ? 100 : (int)n;
    if (v.val[TASK_ERROR_])
        fault_read_localized(v.val[TASK_ERROR_], &out->fault);
    if (!value_ref(v.val[TASK_RESULT], &out->result) && value_text(v.val[TASK_RESULT]))
        (void)str_copy(out->text, sizeof(out->text), value_text(v.val[TASK_RESULT]));
    if (v.val[TASK_CANCELABLE])
        (void)xml_bool(v.val[TASK_CANCELABLE], &out->cancelable);
    if (v.val[TASK_CANCELLED])
        (void)xml_bool(v.val[TASK_CANCELLED], &out->cancelled);
}

static bool has_ended(const struct task_info *i)
{
    return i->state == TASK_SUCCESS || i->state == TASK_ERROR;
}

/* ------------------------------------------------------------------ one task by itself */

static int on_task(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    (void)ref;
    (void)err;
    tasks_read(object, ctx);
    return PV_OK;
}

static int read_task(struct task_hub *h, const struct call *c, const char *id,
                     struct task_info *out, struct pv_err *err)
{
    struct moref ref = { .type = "Task" };

    (void)str_copy(ref.id, sizeof(ref.id), id);
    return collect_by_refs(h->s, c, &ref, 1, tables, on_task, out, NULL, err);
}

/* ------------------------------------------------------------------ all tasks through one filter
 */

static int request(struct task_hub *h, const struct call *c, unsigned generation, struct enc *e,
                   struct moref *out, struct pv_err *err)
{
    struct session_request r = { .request = e,
                                 .what = "following tasks",
                                 .generation = generation };
    struct soap_answer answer = { 0 };
    int rc = e ? session_call(h->s, c, &r, &answer, err) : pv_fail(err, PV_ENOMEM, "no memory");

    if (rc == PV_OK && out && !value_ref(soap_returnval(&answer), out))
        rc = pv_fail(err, PV_EIO, "the server made no list of tasks");
    soap_answer_free(&answer);
    enc_free(e);
    return rc;
}

struct hub_objects {
    unsigned generation;
    struct moref view, collector;
};

static int make_objects(struct task_hub *h, const struct call *c, struct hub_objects *out,
                        struct pv_err *err)
{
    const struct content *content = &h->s->content;
    struct enc_object *spec;
    struct enc *e;
    int rc = session_login(h->s, c, &out->generation, err);

    if (rc == PV_OK)
        rc = request(h, c, out->generation,
                     enc_new("CreateListView", content->views.type, content->views.id), &out->view,
                     err);
    if (rc == PV_OK)
        rc = request(
            h, c, out->generation,
            enc_new("CreatePropertyCollector", content->collector.type, content->collector.id),
            &out->collector, err);
    if (rc)
        return rc;
    e = enc_new("CreateFilter", out->collector.type, out->collector.id);
    if (e) {
        spec = enc_child(enc_root(e), "spec", "PropertyFilterSpec");
        collect_put_props(h->s, spec, tables);
        collect_put_view(spec, &out->view, "ListView");
        enc_bool(enc_root(e), "partialUpdates", false);
    }
    return request(h, c, out->generation, e, NULL, err);
}

/* With `asking` taken by the caller, so that one call alone does it. */
static int prepare(struct task_hub *h, const struct call *c, struct pv_err *err)
{
    struct hub_objects made = { 0 };
    unsigned now = 0;
    int rc = session_login(h->s, c, &now, err);

    if (rc || h->generation == now)
        return rc;
    rc = make_objects(h, c, &made, err);
    if (rc)
        return rc;
    pthread_mutex_lock(&h->lock);
    h->generation = made.generation;
    h->view = made.view;
    h->collector = made.collector;
    h->version[0] = '\0';
    h->changed = true;
    pthread_mutex_unlock(&h->lock);
    return PV_OK;
}

/* The view is told the whole list: the order in which calls come and go then does not matter. */
static int show_tasks(struct task_hub *h, const struct call *c, struct pv_err *err)
{
    struct enc *e;
    bool changed;

    pthread_mutex_lock(&h->lock);
    changed = h->changed;
    h->changed = false;
    pthread_mutex_unlock(&h->lock);
    if (!changed)
        return PV_OK;
    e = enc_new("ResetListView", h->view.type, h->view.id);
    if (e) {
        pthread_mutex_lock(&h->lock);
        for (const struct entry *t = h->entries; t; t = t->next)
            if (!has_ended(&t->info))
                enc_ref(enc_root(e), "obj", "Task", t->id);
        pthread_mutex_unlock(&h->lock);
    }
    return request(h, c, h->generation, e, NULL, err);
}

struct news {
    struct task_hub *h;
    char version[256];
};

static int on_news(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    struct news *n = ctx;
    struct moref ref;

    (void)err;
    if (xml_is(element, NULL, "version")) {
        (void)str_copy(n->version, sizeof(n->version), xml_text(element));
        return PV_OK;
    }
    if (!value_ref(xml_child(element, NULL, "obj"), &ref))
        return PV_OK;
    pthread_mutex_lock(&n->h->lock);
    for (struct entry *t = n->h->entries; t; t = t->next)
        if (strcmp(t->id, ref.id) == 0)
            tasks_read(element, &t->info);
    pthread_mutex_unlock(&n->h->lock);
    return PV_OK;
}

static int ask_server(struct task_hub *h, const struct call *c, struct pv_err *err)
{
    struct news news = { .h = h };
    struct session_request r = {
        .what = "following tasks",
        .generation = h->generation,
        .timeout_ms = 60000,
        .stream = { "objectSet", "version" },
        .on_element = on_news,
        .stream_ctx = &news,
    };
    struct soap_answer answer = { 0 };
    struct enc_object *options;
    int rc;

    r.request = enc_new("WaitForUpdatesEx", h->collector.type, h->collector.id);
    if (!r.request)
        return pv_fail(err, PV_ENOMEM, "no memory");
    enc_text(enc_root(r.request), "version", h->version);
    options = enc_child(enc_root(r.request), "options", "WaitOptions");
    enc_int(options, "maxWaitSeconds", WAIT_S);
    rc = session_call(h->s, c, &r, &answer, err);
    if (rc == PV_OK && news.version[0])
        (void)str_copy(h->version, sizeof(h->version), news.version);
    soap_answer_free(&answer);
    enc_free(r.request);
    return rc;
}

/* One turn for everybody. What cannot be followed through the filter is read one by one by its own
 * call. */
static int turn(struct task_hub *h, const struct call *c, struct pv_err *err)
{
    int rc = prepare(h, c, err);

    if (rc == PV_OK)
        rc = show_tasks(h, c, err);
    if (rc == PV_OK)
        rc = ask_server(h, c, err);
    pthread_mutex_lock(&h->lock);
    if (rc == PV_ENOTSUP || rc == PV_EPERM)
        h->unsupported = true;
    if (rc && rc != PV_ECANCELED)
        h->generation = 0; /* made anew at the next turn */
    h->changed |= rc != PV_OK;
    pthread_mutex_unlock(&h->lock);
    return rc;
}

/* ------------------------------------------------------------------ following */

struct following {
    struct task_hub *h;
    struct call c;
    struct entry *entry; /* owned; in the hub's list */
    char ref[512];       /* how the host is to know it */
    int told_percent;
    bool cancel_sent;
    int64_t cancelled_ms, next_read_ms, give_up_ms;
    struct backoff backoff;
};

static struct entry *join(struct task_hub *h, const char *id)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e)
        return NULL;
    (void)str_copy(e->id, sizeof(e->id), id);
    e->info.percent = -1;
    pthread_mutex_lock(&h->lock);
    if (h->nentries < TASKS_MOST) {
        e->next = h->entries;
        h->entries = e;
        h->nentries++;
        h->changed = true;
    } else {
        free(e);
        e = NULL;
    }
    pthread_mutex_unlock(&h->lock);
    return e;
}

static void leave(struct task_hub *h, struct entry *e)
{
    struct entry **at = &h->entries;

    pthread_mutex_lock(&h->lock);
    while (*at && *at != e)
        at = &(*at)->next;
    if (*at)
        *at = e->next;
    h->nentries--;
    h->changed = true;
    pthread_mutex_unlock(&h->lock);
    free(e);
}

static struct task_info look(struct following *f)
{
    struct task_info info;

    pthread_mutex_lock(&f->h->lock);
    info = f->entry->info;
    pthread_mutex_unlock(&f->h->lock);
    return info;
}

static void tell(struct following *f, int percent)
{
    const struct pv_host *host = f->c.host;
    struct pv_progress p = {
        .size = sizeof(p), .percent = percent, .native_ref = f->ref, .job = f->entry->id
    };

    if (percent == f->told_percent || !host->progress)
        return;
    f->told_percent = percent;
    (void)host->progress(host->ctx, f->c.number, &p);
}

/* Somebody else is asking, or nobody can: sleep until there is news. */
static void nap(struct task_hub *h)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += NAP_MS * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    (void)pthread_cond_timedwait(&h->news, &h->lock, &until);
}

static int wait_for_news(struct following *f, struct pv_err *err)
{
    struct task_hub *h = f->h;
    int rc = PV_OK;

    pthread_mutex_lock(&h->lock);
    if (h->asking || h->unsupported) {
        nap(h);
        pthread_mutex_unlock(&h->lock);
        return PV_OK;
    }
    h->asking = true;
    pthread_mutex_unlock(&h->lock);
    rc = turn(h, &f->c, err);
    pthread_mutex_lock(&h->lock);
    h->asking = false;
    pthread_cond_broadcast(&h->news);
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static int read_own(struct following *f, struct pv_err *err)
{
    struct task_info info = look(f);
    int rc = read_task(f->h, &f->c, f->entry->id, &info, err);

    if (rc)
        return rc;
    pthread_mutex_lock(&f->h->lock);
    f->entry->info = info;
    f->next_read_ms = clock_mono_ms() + (f->h->unsupported ? POLL_MS : 10 * POLL_MS);
    pthread_mutex_unlock(&f->h->lock);
    return PV_OK;
}

static void cancel_task(struct following *f)
{
    struct enc *e = enc_new("CancelTask", "Task", f->entry->id);
    struct session_request r = { .request = e, .what = "canceling the task", .changes = true };
    struct soap_answer answer = { 0 };
    struct pv_err ignored = { 0 };

    f->cancel_sent = true;
    if (e)
        (void)session_call(f->h->s, &f->c, &r, &answer, &ignored);
    soap_answer_free(&answer);
    enc_free(e);
}

/* From now on requests go on in spite of the cancelled call: the server still has to say what
 * became of the task. */
static int note_cancel(struct following *f, struct pv_err *err)
{
    if (call_is_closing(&f->c))
        return pv_fail(err, PV_EUNKNOWN, "the server goes on with its task %s", f->entry->id);
    if (!f->c.must_finish && call_cancelled(&f->c)) {
        f->c.must_finish = true;
        f->cancelled_ms = clock_mono_ms();
    }
    if (!f->cancelled_ms)
        return PV_OK;
    if (!f->cancel_sent && look(f).cancelable)
        cancel_task(f);
    if (clock_mono_ms() - f->cancelled_ms > CANCEL_GRACE_MS)
        return pv_fail(err, PV_EUNKNOWN, "canceled; the server goes on with its task %s",
                       f->entry->id);
    return PV_OK;
}

/* Only a task that is known can be asked about again: no connection is no answer. */
static int bear(struct following *f, int rc, struct pv_err *err)
{
    if (rc == PV_ECANCELED && !f->c.must_finish)
        return PV_OK; /* note_cancel sees to it */
    if (rc != SESSION_RENEWED && rc != PV_EOFFLINE && rc != PV_ETIMEOUT && rc != PV_EIO &&
        rc != PV_ENOTSUP && rc != PV_EPERM && rc != PV_ELIMIT)
        return rc;
    if (clock_mono_ms() > f->give_up_ms)
        return pv_fail(err, PV_EUNKNOWN, "the server cannot be asked about its task %s",
                       f->entry->id);
    if (rc != SESSION_RENEWED)
        clock_sleep_ms(backoff_next_ms(&f->backoff));
    return PV_OK;
}

static int follow(struct following *f, struct task_info *out, struct pv_err *err)
{
    int rc = read_own(f, err);

    for (;;) {
        struct task_info info = look(f);

        if (rc)
            rc = bear(f, rc, err);
        else
            f->give_up_ms = clock_mono_ms() + GIVE_UP_MS;
        if (rc)
            return rc;
        if (has_ended(&info)) {
            *out = info;
            return PV_OK;
        }
        tell(f, info.percent);
        rc = note_cancel(f, err);
        if (rc)
            return rc;
        rc = clock_mono_ms() >= f->next_read_ms ? read_own(f, err) : wait_for_news(f, err);
    }
}

int tasks_follow(struct task_hub *h, const struct call *c, const char *prefix, const char *task,
                 struct task_info *out, struct pv_err *err)
{
    struct following f = {
        .h = h,
        .c = *c,
        .told_percent = -2,
        .give_up_ms = clock_mono_ms() + GIVE_UP_MS,
        .backoff = { .first_ms = 500, .most_ms = 10000 },
    };
    int rc;

    f.entry = join(h, task);
    if (!f.entry)
        return pv_fail(err, PV_EUNKNOWN, "too many tasks are followed at once");
    (void)snprintf(f.ref, sizeof(f.ref), "%s%s", prefix ? prefix : "", task);
    tell(&f, -1);
    rc = follow(&f, out, err);
    leave(h, f.entry);
    return rc;
}
