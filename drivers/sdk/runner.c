/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/runner.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/sdk/fail.h"
#include "drivers/sdk/runner_inner.h"

#define WATCH_STACK (256u << 10)
#define SESSIONS_MAX 4096u
#define TEXT_MAX (1u << 20) /* config, arguments */

/* ---------------------------------------------------------------- answers */

static void send_result(struct asked *c, const struct pv_failure *f, const char *result)
{
    struct buf payload;

    buf_init(&payload, FRAME_PAYLOAD_MAX);
    frame_begin(&payload, c->session->number);
    frame_put_failure(&payload, f);
    frame_put_text(&payload, result);
    runner_send(c->session->runner, FRAME_RESULT, c->number, &payload);
    buf_free(&payload);
}

static void call_free(struct asked *c)
{
    frame_free(&c->frame);
    free(c->native_ref);
    runner_streams_free(c->streams);
    free(c);
}

static void session_free(struct session *s)
{
    runner_secrets_wipe(s);
    frame_free(&s->frame);
    runner_streams_free(s->streams);
    pthread_cond_destroy(&s->changed);
    free(s);
}

/* Takes the session out of the runner; nothing of it runs any more. */
static void session_end(void *arg)
{
    struct session *s = arg;
    struct runner *r = s->runner;
    struct buf payload;
    struct session **at;

    if (s->state == SESSION_OPEN)
        r->plugin->driver.close(s->driver_session);
    buf_init(&payload, FRAME_SIZE);
    frame_begin(&payload, s->number);
    runner_send(r, FRAME_CLOSED, 0, &payload);
    buf_free(&payload);
    pthread_mutex_lock(&r->lock);
    for (at = &r->sessions; *at != s; at = &(*at)->next)
        ;
    *at = s->next;
    pthread_cond_broadcast(&r->drained);
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    session_free(s);
}

/* The last call of a closing session lets it go. runner.lock is held. */
static void session_less(struct session *s)
{
    s->active--;
    if (s->closing && s->active == 0 && !runner_submit(s->runner, session_end, s))
        runner_thread(s->runner, session_end, s, WATCH_STACK);
}

/* Result, and gone. `text` is the driver's. */
static void call_end(struct asked *c, int rc, struct pv_failure *f, char *text)
{
    const char *result = text;
    struct session *s = c->session;
    struct runner *r = s->runner;
    struct asked **at;

    if (rc == PV_OK) {
        memset(f, 0, sizeof(*f));
    } else if (strcmp(pv_rc_name(rc), "PV_?") == 0) {
        sdk_failf(f, PV_EINTERNAL, "The driver answered %d, which means nothing.", rc);
    }
    f->size = sizeof(*f);
    if (rc != PV_OK && strcmp(pv_rc_name(rc), "PV_?") != 0)
        f->code = rc;
    if (rc == PV_OK && result && strnlen(result, FRAME_TEXT_MAX) >= FRAME_TEXT_MAX) {
        sdk_failf(f, PV_EIO, "The driver's answer is too large.");
        result = NULL;
    }
    /* Whoever hears that the watch is over may ask for the next at once. */
    if (c->frame.type == FRAME_WATCH) {
        pthread_mutex_lock(&r->lock);
        s->watched = false;
        pthread_mutex_unlock(&r->lock);
    }
    /* Whoever hears the result finds the end of what was written. */
    runner_streams_free(PV_TAKE(c->streams));
    send_result(c, f, rc == PV_OK ? result : NULL);
    if (text && r->plugin->driver.free_text)
        r->plugin->driver.free_text(text);
    pthread_mutex_lock(&r->lock);
    for (at = &s->calls; *at && *at != c; at = &(*at)->next)
        ;
    if (*at)
        *at = c->next;
    session_less(s);
    pthread_mutex_unlock(&r->lock);
    call_free(c);
}

/* ---------------------------------------------------------------- calls into the driver */

static int no_such(struct pv_failure *f, const struct pv_driver *d, const char *what)
{
    return sdk_failf(f, PV_ENOTSUP, "The driver %s cannot %s.", d->name, what);
}

static int run_watch(struct asked *c, const struct pv_driver *d, struct pv_failure *f)
{
    struct frame_reader r;
    const char *cursor;
    int rc;

    frame_read(&r, &c->frame);
    cursor = frame_get_text_or_null(&r, TEXT_MAX);
    rc = d->watch(c->session->driver_session, c->number, cursor, f);
    if (rc != PV_OK)
        return rc;
    if (atomic_load(&c->cancelled) || atomic_load(&c->session->stopping))
        return sdk_failf(f, PV_ECANCELED, "Canceled.");
    return sdk_failf(f, PV_EIO, "The driver %s stopped watching without a reason.", d->name);
}

static int run_refresh(struct asked *c, const struct pv_driver *d, struct pv_failure *f)
{
    struct frame_reader r;
    uint32_t kind;

    if (!d->refresh)
        return no_such(f, d, "read single objects");
    frame_read(&r, &c->frame);
    kind = (uint32_t)frame_get_u64(&r, UINT32_MAX);
    return d->refresh(c->session->driver_session, c->number, kind, frame_get_text(&r, TEXT_MAX), f);
}

static int run_call(struct asked *c, const struct pv_driver *d, char **result, struct pv_failure *f)
{
    const char *operation, *subject, *args, *native_ref;
    struct frame_reader r;
    uint32_t flags;

    if (!d->call)
        return no_such(f, d, "change anything");
    frame_read(&r, &c->frame);
    flags = (uint32_t)frame_get_u64(&r, UINT32_MAX);
    operation = frame_get_text(&r, TEXT_MAX);
    subject = frame_get_text(&r, TEXT_MAX);
    args = frame_get_text(&r, TEXT_MAX);
    native_ref = frame_get_text_or_null(&r, TEXT_MAX);
    c->native_ref = native_ref ? strdup(native_ref) : NULL;
    return d->call(c->session->driver_session, c->number, operation, subject, args, native_ref,
                   flags, result, f);
}

static int run_probe(struct asked *c, const struct pv_driver *d, char **result,
                     struct pv_failure *f)
{
    struct frame_reader r;
    const char *config;

    if (!d->probe)
        return no_such(f, d, "probe");
    frame_read(&r, &c->frame);
    config = frame_get_text(&r, TEXT_MAX);
    if (!runner_secrets_set(c->session, frame_get_text(&r, TEXT_MAX)))
        return sdk_failf(f, PV_EINVAL, "The secrets are not readable.");
    return d->probe(&c->session->host, config, c->number, result, f);
}

/* A call that follows a job is about something that has begun: the driver has to say what became of
 * it. */
static bool follows(const struct asked *c)
{
    struct frame_reader r;

    if (c->frame.type != FRAME_CALL)
        return false;
    frame_read(&r, &c->frame);
    frame_get_u64(&r, UINT32_MAX);
    for (int i = 0; i < 3; i++)
        frame_get_text(&r, TEXT_MAX);
    return frame_get_text_or_null(&r, TEXT_MAX) != NULL;
}

static void call_run(void *arg)
{
    struct asked *c = arg;
    const struct pv_driver *d = &c->session->runner->plugin->driver;
    struct pv_failure f = { .size = sizeof(f) };
    char *result = NULL;
    int rc;

    runner_current = c;
    if (atomic_load(&c->cancelled) && !follows(c))
        rc = sdk_failf(&f, PV_ECANCELED, "Canceled before it began.");
    else if (c->frame.type == FRAME_WATCH)
        rc = run_watch(c, d, &f);
    else if (c->frame.type == FRAME_REFRESH)
        rc = run_refresh(c, d, &f);
    else if (c->frame.type == FRAME_PROBE)
        rc = run_probe(c, d, &result, &f);
    else
        rc = run_call(c, d, &result, &f);
    call_end(c, rc, &f, result);
    runner_current = NULL;
}

/* Give a call its thread. runner.lock is held; false: it cannot have one. */
static bool call_start(struct asked *c)
{
    struct session *s = c->session;
    bool ok;

    if (c->frame.type == FRAME_WATCH)
        ok = runner_thread(s->runner, call_run, c, WATCH_STACK);
    else
        ok = runner_submit(s->runner, call_run, c);
    if (!ok)
        return false;
    s->watched = s->watched || c->frame.type == FRAME_WATCH;
    c->next = s->calls;
    s->calls = c;
    return true;
}

static void call_refuse(struct asked *c, int rc, const char *why)
{
    struct pv_failure f = { .size = sizeof(f) };

    sdk_failf(&f, rc, "%s", why);
    call_end(c, rc, &f, NULL);
}

static void session_open(void *arg)
{
    struct session *s = arg;
    struct runner *r = s->runner;
    struct pv_failure f = { .size = sizeof(f) };
    struct asked *waiting, *refused = NULL;
    struct frame_reader reader;
    struct buf payload;
    const char *config;
    int rc;

    frame_read(&reader, &s->frame);
    config = frame_get_text(&reader, TEXT_MAX);
    if (!runner_secrets_set(s, frame_get_text(&reader, TEXT_MAX)))
        rc = sdk_failf(&f, PV_EINVAL, "The secrets are not readable.");
    else
        rc = r->plugin->driver.open(&s->host, config, &s->driver_session, &f);
    f.size = sizeof(f);
    f.code = rc;
    if (strcmp(pv_rc_name(rc), "PV_?") == 0)
        sdk_failf(&f, PV_EINTERNAL, "The driver answered %d, which means nothing.", rc);
    buf_init(&payload, FRAME_SIZE);
    frame_begin(&payload, s->number);
    frame_put_failure(&payload, &f);
    runner_send(r, FRAME_OPENED, 0, &payload);
    buf_free(&payload);

    pthread_mutex_lock(&r->lock);
    frame_free(&s->frame);
    s->state = rc == PV_OK ? SESSION_OPEN : SESSION_FAILED;
    s->failed = f.code;
    str_copy(s->failed_why, sizeof(s->failed_why), f.message);
    waiting = s->waiting;
    s->waiting = NULL;
    while (waiting) {
        struct asked *c = waiting;

        waiting = c->next;
        if (rc != PV_OK || !call_start(c)) {
            c->next = refused;
            refused = c;
        }
    }
    pthread_mutex_unlock(&r->lock);
    while (refused) {
        struct asked *c = refused;

        refused = c->next;
        c->next = NULL;
        call_refuse(c, rc != PV_OK ? f.code : PV_ELIMIT,
                    rc != PV_OK ? f.message : "The driver host has no thread left.");
    }
    pthread_mutex_lock(&r->lock);
    session_less(s);
    pthread_mutex_unlock(&r->lock);
}

/* ---------------------------------------------------------------- frames of the other end */

struct session *runner_session(struct runner *r, uint64_t number)
{
    struct session *s = r->sessions;

    while (s && s->number != number)
        s = s->next;
    return s;
}

static struct session *session_new(struct runner *r, uint64_t number)
{
    struct session *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->runner = r;
    s->number = number;
    pthread_cond_init(&s->changed, NULL);
    runner_host_init(s);
    return s;
}

/* runner.lock is held. */
static void session_stop(struct session *s)
{
    if (s->closing)
        return;
    s->closing = true;
    atomic_store(&s->stopping, true);
    for (struct asked *c = s->calls; c; c = c->next)
        atomic_store(&c->cancelled, true);
    for (struct asked *c = s->waiting; c; c = c->next)
        atomic_store(&c->cancelled, true);
    pthread_cond_broadcast(&s->changed);
    /* As if a last call had ended. */
    s->active++;
    session_less(s);
}

static int on_open(struct runner *r, struct frame *f, struct pv_err *err)
{
    struct frame_reader reader;
    struct session *s;
    unsigned count = 0;
    bool ok = false;

    frame_read(&reader, f);
    frame_get_text(&reader, TEXT_MAX);
    frame_get_text(&reader, TEXT_MAX);
    if (!frame_done(&reader) || f->session == 0)
        return pv_fail(err, PV_EFORMAT, "an open frame is damaged");
    s = session_new(r, f->session);
    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory for a session");
    s->frame = *f;
    *f = (struct frame){ 0 };
    s->active = 1;
    pthread_mutex_lock(&r->lock);
    for (const struct session *other = r->sessions; other; other = other->next)
        count++;
    if (count < SESSIONS_MAX && !runner_session(r, s->number)) {
        s->next = r->sessions;
        r->sessions = s;
        ok = runner_submit(r, session_open, s);
        if (!ok)
            r->sessions = s->next;
    }
    pthread_mutex_unlock(&r->lock);
    if (ok)
        return PV_OK;
    session_free(s);
    return pv_fail(err, PV_ELIMIT, "no room for a session");
}

/* The arguments of a call are all there? */
static bool arguments_ok(const struct frame *f)
{
    struct frame_reader r;

    frame_read(&r, f);
    switch (f->type) {
    case FRAME_WATCH:
        frame_get_text_or_null(&r, TEXT_MAX);
        break;
    case FRAME_REFRESH:
        frame_get_u64(&r, UINT32_MAX);
        frame_get_text(&r, TEXT_MAX);
        break;
    case FRAME_PROBE:
        frame_get_text(&r, TEXT_MAX);
        frame_get_text(&r, TEXT_MAX);
        break;
    default:
        frame_get_u64(&r, UINT32_MAX);
        for (int i = 0; i < 3; i++)
            frame_get_text(&r, TEXT_MAX);
        frame_get_text_or_null(&r, TEXT_MAX);
        break;
    }
    return frame_done(&r) && f->call != 0;
}

static int on_call(struct runner *r, struct frame *f, struct pv_err *err)
{
    struct asked *c;
    struct session *s;
    const char *refused = NULL;
    int why = PV_ELIMIT;

    if (!arguments_ok(f))
        return pv_fail(err, PV_EFORMAT, "a call frame is damaged");
    c = calloc(1, sizeof(*c));
    if (!c)
        return pv_fail(err, PV_ENOMEM, "no memory for a call");
    c->number = f->call;
    c->frame = *f;
    *f = (struct frame){ 0 };
    pthread_mutex_lock(&r->lock);
    s = runner_session(r, c->frame.session);
    /* A probe is a session of one call. */
    if (!s && c->frame.type == FRAME_PROBE && c->frame.session != 0) {
        s = session_new(r, c->frame.session);
        if (s) {
            s->state = SESSION_FAILED;
            s->probe = true;
            s->next = r->sessions;
            r->sessions = s;
        }
    }
    if (!s) {
        /* It was closed meanwhile; nobody waits for the answer. */
        pthread_mutex_unlock(&r->lock);
        call_free(c);
        return PV_OK;
    }
    c->session = s;
    s->active++;
    runner_stream_give(s, c);
    if (s->closing) {
        refused = "The session is closing.";
        why = PV_ECANCELED;
    } else if (c->frame.type == FRAME_WATCH && s->watched) {
        refused = "The provider is being watched already.";
        why = PV_EBUSY;
    } else if (s->state == SESSION_OPENING) {
        struct asked **at = &s->waiting;

        s->watched = s->watched || c->frame.type == FRAME_WATCH;
        while (*at)
            at = &(*at)->next;
        *at = c;
    } else if (s->state == SESSION_FAILED && !s->probe) {
        refused = s->failed_why;
        why = s->failed;
    } else if (!call_start(c)) {
        refused = "The driver host has no thread left.";
    }
    pthread_mutex_unlock(&r->lock);
    if (refused) {
        /* The watch that goes on is not this one. */
        if (why == PV_EBUSY)
            c->frame.type = FRAME_CALL;
        call_refuse(c, why, refused);
    }
    return PV_OK;
}

static void cancel(struct session *s, struct asked *list, uint64_t number)
{
    for (struct asked *c = list; c; c = c->next)
        if (c->number == number)
            atomic_store(&c->cancelled, true);
    pthread_cond_broadcast(&s->changed);
}

static void told(struct session *s, uint64_t number, int rc)
{
    for (struct asked *c = s->calls; c; c = c->next) {
        if (c->number == number && c->telling) {
            c->telling = false;
            c->told = rc;
        }
    }
    pthread_cond_broadcast(&s->changed);
}

static int on_frame(struct runner *r, struct frame *f, struct pv_err *err)
{
    struct frame_reader reader;
    struct session *s;
    int64_t rc = PV_OK;

    switch (f->type) {
    case FRAME_OPEN:
        return on_open(r, f, err);
    case FRAME_WATCH:
    case FRAME_REFRESH:
    case FRAME_CALL:
    case FRAME_PROBE:
        return on_call(r, f, err);
    case FRAME_STREAM:
        return runner_stream_take(r, f, err);
    case FRAME_CLOSE:
    case FRAME_CANCEL:
    case FRAME_ACK:
    case FRAME_TOLD:
        break;
    default:
        return pv_fail(err, PV_EFORMAT, "a frame of type %u came the wrong way", f->type);
    }
    frame_read(&reader, f);
    if (f->type == FRAME_ACK || f->type == FRAME_TOLD)
        rc = (int64_t)frame_get_u64(&reader, UINT64_MAX);
    if (!frame_done(&reader))
        return pv_fail(err, PV_EFORMAT, "a frame of type %u is damaged", f->type);
    pthread_mutex_lock(&r->lock);
    s = runner_session(r, f->session);
    if (s && f->type == FRAME_CLOSE) {
        session_stop(s);
    } else if (s && f->type == FRAME_CANCEL) {
        cancel(s, s->calls, f->call);
        cancel(s, s->waiting, f->call);
    } else if (s && f->type == FRAME_TOLD) {
        told(s, f->call, (int)rc);
    } else if (s && s->unacked > 0) {
        s->unacked--;
        s->refused = s->refused || rc != PV_OK;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&r->lock);
    return PV_OK;
}

int sdk_runner_hello(const struct sdk_plugin *plugin, int fd, struct pv_err *err)
{
    struct buf payload;
    int rc;

    buf_init(&payload, FRAME_PAYLOAD_MAX);
    frame_begin(&payload, 0);
    frame_put_u64(&payload, plugin->driver.abi_major);
    frame_put_u64(&payload, plugin->driver.abi_minor);
    frame_put_text(&payload, plugin->driver.name);
    frame_put_text(&payload, plugin->driver.version);
    frame_put_text(&payload, plugin->driver.config_schema);
    frame_put_text(&payload, plugin->driver.operations);
    rc = frame_send(fd, FRAME_HELLO, 0, &payload, err);
    buf_free(&payload);
    return rc;
}

void sdk_runner_broken(int fd, const struct pv_err *why)
{
    struct buf payload;

    buf_init(&payload, FRAME_SIZE);
    frame_begin(&payload, 0);
    frame_put_text(&payload, why->message);
    frame_put_text(&payload, why->remedy);
    frame_send(fd, FRAME_BROKEN, 0, &payload, NULL);
    buf_free(&payload);
}

/* Cancels and closes everything; false: something did not end in time. */
static bool drain(struct runner *r, unsigned drain_ms)
{
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += drain_ms / 1000;
    until.tv_nsec += (long)(drain_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    for (struct session *s = r->sessions; s; s = s->next)
        session_stop(s);
    pthread_cond_broadcast(&r->work);
    while ((r->sessions || r->threads > 0) && waited == 0)
        waited = pthread_cond_timedwait(&r->drained, &r->lock, &until);
    waited = r->sessions || r->threads > 0;
    pthread_mutex_unlock(&r->lock);
    if (!waited)
        runner_join(r);
    return !waited;
}

int sdk_runner_serve(const struct sdk_plugin *plugin, int fd, unsigned drain_ms, struct pv_err *err)
{
    struct runner *r = calloc(1, sizeof(*r));
    pthread_condattr_t attr;
    int rc;

    if (!r)
        return pv_fail(err, PV_ENOMEM, "no memory for the driver host");
    r->plugin = plugin;
    r->fd = fd;
    r->jobs_end = &r->jobs;
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->send_lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->work, &attr);
    pthread_cond_init(&r->drained, &attr);
    pthread_condattr_destroy(&attr);
    rc = sdk_runner_hello(plugin, fd, err);
    while (rc == PV_OK) {
        struct frame f = { 0 };

        rc = frame_recv(fd, &f, err);
        if (rc == PV_OK)
            rc = on_frame(r, &f, err);
        frame_free(&f);
    }
    if (!drain(r, drain_ms))
        return pv_fail(err, PV_EBUSY, "calls of the driver %s did not end", plugin->driver.name);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->drained);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->send_lock);
    free(r);
    return rc == PV_EOFFLINE ? PV_OK : rc;
}
