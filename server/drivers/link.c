/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that owns a driver's host: starts it, sends, receives, watches deadlines, restarts. */
#include "server/drivers/link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "server/drivers/receive.h"

#define AT_ONCE 64          /* frames taken before others of the loop have their turn */
#define RETRY_MS 100
#define CALM_MS 60000       /* a host that ran that long starts again without delay */

void link_wake(struct driver *dr)
{
    uint64_t one = 1;

    if (write(dr->wake_fd, &one, sizeof(one)) < 0)
        return;     /* full: it is awake already */
}

static bool enqueue(struct driver *dr, enum frame_type type, uint64_t call, struct buf *payload,
                    int stream, bool limited)
{
    struct out_frame *f = NULL;

    if (buf_ok(payload) && !(limited && dr->nout >= LINK_OUT_MAX))
        f = calloc(1, sizeof(*f));
    if (!f) {
        buf_free(payload);
        return false;
    }
    f->type = type;
    f->call = call;
    f->stream = stream;
    f->payload = *payload;
    *payload = (struct buf){ 0 };
    *dr->out_end = f;
    dr->out_end = &f->next;
    dr->nout++;
    link_wake(dr);
    return true;
}

bool link_send(struct driver *dr, enum frame_type type, uint64_t call, struct buf *payload,
               bool limited)
{
    return enqueue(dr, type, call, payload, -1, limited);
}

bool link_send_stream(struct driver *dr, uint64_t call, struct buf *payload, int stream)
{
    if (enqueue(dr, FRAME_STREAM, call, payload, stream, true))
        return true;
    close(stream);
    return false;
}

static void answer(struct driver *dr, enum frame_type type, uint64_t session, uint64_t call, int rc)
{
    struct buf payload;

    buf_init(&payload, FRAME_SIZE);
    frame_begin(&payload, session);
    frame_put_u64(&payload, (uint64_t)(int64_t)rc);
    link_send(dr, type, call, &payload, false);
}

void link_ack(struct driver *dr, uint64_t session, int rc)
{
    answer(dr, FRAME_ACK, session, 0, rc);
}

void link_told(struct driver *dr, uint64_t session, uint64_t call, int rc)
{
    answer(dr, FRAME_TOLD, session, call, rc);
}

void link_close(struct driver *dr, uint64_t session)
{
    struct closing *c = calloc(1, sizeof(*c));
    struct buf payload;

    buf_init(&payload, FRAME_SIZE);
    frame_begin(&payload, session);
    link_send(dr, FRAME_CLOSE, 0, &payload, false);
    if (!c)
        return;
    c->number = session;
    c->until_ms = INT64_MAX;
    c->next = dr->closing;
    dr->closing = c;
}

static void out_free(struct out_frame *f)
{
    struct frame wipe = { .data = f->payload.data, .len = f->payload.len };

    frame_free(&wipe);
    if (f->stream >= 0)
        close(f->stream);
    free(f);
}

/* What only the host that is gone would have understood. */
void link_forget(struct driver *dr)
{
    while (dr->out) {
        struct out_frame *f = dr->out;

        dr->out = f->next;
        out_free(f);
    }
    dr->out_end = &dr->out;
    dr->nout = 0;
    while (dr->closing) {
        struct closing *c = dr->closing;

        dr->closing = c->next;
        free(c);
    }
}

/* ---------------------------------------------------------------- crashes */

/* Too many within the window? */
static bool note_crash(struct driver *dr, int64_t now)
{
    const struct drivers_timing *t = &dr->registry->timing;
    unsigned recent = 0;

    memmove(dr->crashed_ms + 1, dr->crashed_ms, (LINK_CRASHES_MAX - 1) * sizeof(*dr->crashed_ms));
    dr->crashed_ms[0] = now;
    if (dr->ncrashes < LINK_CRASHES_MAX)
        dr->ncrashes++;
    for (unsigned i = 0; i < dr->ncrashes; i++)
        recent += now - dr->crashed_ms[i] <= (int64_t)t->crash_window_ms;
    return recent >= t->crashes;
}

static void all_down(struct driver *dr, enum driver_down reason, const struct pv_err *why)
{
    /* Streams that were not sent are closed before their calls are told. */
    link_forget(dr);
    for (struct driver_session *s = dr->sessions; s; s = s->next)
        session_down(s, reason, why);
}

/* The host is gone or has to go. `why`: what it did, "" when it just ended. The lock is held, and let go for a
 * moment. */
static void crash(struct driver *dr, const char *why)
{
    struct pv_err err = { 0 };
    char how[96];
    int64_t now;

    pthread_mutex_unlock(&dr->lock);
    host_kill(&dr->host, how, sizeof(how));
    pthread_mutex_lock(&dr->lock);
    now = clock_mono_ms();
    if (now - dr->started_ms > CALM_MS)
        backoff_reset(&dr->backoff);
    if (*why)
        pv_fail_as(&err, "driver-crashed", "The driver %s %s and was ended.", dr->name, why);
    else
        pv_fail_as(&err, "driver-crashed", "The driver %s %s.", dr->name, how);
    log_msg(PV_LOG_WARN, "driver.crashed", "driver=%s reason=\"%s\"", dr->name, err.message);
    if (note_crash(dr, now)) {
        struct pv_err parked = { 0 };

        pv_fail_as(&parked, "driver-parked", "The driver %s crashed %u times and was stopped.",
                   dr->name, dr->registry->timing.crashes);
        pv_err_remedy(&parked, "%s", pv_err_problem(&parked)->remedy);
        dr->state = DRIVER_PARKED;
        dr->error = parked;
        log_msg(PV_LOG_ERROR, "driver.parked", "driver=%s last=\"%s\"", dr->name, err.message);
        all_down(dr, DRIVER_DOWN_PARKED, &parked);
        return;
    }
    dr->start_at_ms = now + backoff_next_ms(&dr->backoff);
    all_down(dr, DRIVER_DOWN_CRASHED, &err);
}

static void broken(struct driver *dr, const struct pv_err *why)
{
    pthread_mutex_unlock(&dr->lock);
    host_finish(&dr->host, 1000);
    pthread_mutex_lock(&dr->lock);
    dr->state = DRIVER_BROKEN;
    dr->error = *why;
    log_msg(PV_LOG_ERROR, "driver.broken", "driver=%s reason=\"%s\"", dr->name, why->message);
    all_down(dr, DRIVER_DOWN_BROKEN, why);
}

/* ---------------------------------------------------------------- the loop */

static void start_host(struct driver *dr)
{
    struct pv_err err = { 0 };
    struct host host = { .fd = -1 };
    int rc;

    pthread_mutex_unlock(&dr->lock);
    rc = host_start(dr->registry, dr->name, false, &host, &err);
    pthread_mutex_lock(&dr->lock);
    dr->introduced = false;
    dr->started_ms = clock_mono_ms();
    dr->host = host;
    if (rc != PV_OK)
        crash(dr, "could not be started");
}

/* From now on the host has to react. */
static void start_clock(struct driver *dr, const struct out_frame *f)
{
    int64_t until = clock_mono_ms() + dr->registry->timing.cancel_ms;
    uint64_t session;

    if (f->type != FRAME_CLOSE && f->type != FRAME_CANCEL)
        return;
    memcpy(&session, f->payload.data, sizeof(session));
    for (struct closing *c = dr->closing; f->type == FRAME_CLOSE && c; c = c->next)
        if (c->number == session)
            c->until_ms = until;
    for (struct driver_session *s = dr->sessions; f->type == FRAME_CANCEL && s; s = s->next) {
        struct open_call *c = s->number == session ? session_call(s, f->call) : NULL;

        if (c && !c->cancel_until_ms)
            c->cancel_until_ms = until;
    }
}

/* Sends what there is; true if the socket is full. */
static bool flush(struct driver *dr)
{
    while (dr->out && dr->host.fd >= 0 && dr->introduced) {
        struct out_frame *f = dr->out;
        int rc;

        /* Others only append: the first one stays ours while the lock is open. */
        pthread_mutex_unlock(&dr->lock);
        rc = f->stream >= 0
                 ? frame_send_stream(dr->host.fd, f->call, &f->payload, f->stream, NULL)
                 : frame_send(dr->host.fd, f->type, f->call, &f->payload, NULL);
        pthread_mutex_lock(&dr->lock);
        if (rc == PV_EBUSY)
            return true;
        /* A host that is gone is noticed when receiving. */
        if (rc != PV_OK)
            return false;
        dr->out = f->next;
        if (!dr->out)
            dr->out_end = &dr->out;
        dr->nout--;
        start_clock(dr, f);
        out_free(f);
    }
    return false;
}

static void receive(struct driver *dr)
{
    for (int i = 0; i < AT_ONCE && dr->host.fd >= 0; i++) {
        struct frame f = { 0 };
        struct pv_err err = { 0 };
        int rc;

        pthread_mutex_unlock(&dr->lock);
        rc = frame_recv(dr->host.fd, &f, &err);
        pthread_mutex_lock(&dr->lock);
        if (rc == PV_EBUSY)
            return;
        if (rc == PV_OK)
            rc = receive_frame(dr, &f, &err);
        frame_free(&f);
        if (rc == PV_EOFFLINE) {
            crash(dr, "");
        } else if (rc == PV_EINVAL) {
            broken(dr, &err);
        } else if (rc != PV_OK) {
            char why[256];

            snprintf(why, sizeof(why), "broke the protocol (%.200s)", err.message);
            crash(dr, why);
        }
    }
}

/* The next moment something has to be done, INT64_MAX: none; *late: what was not done in time. */
static int64_t next_deadline(const struct driver *dr, int64_t now, const char **late)
{
    int64_t next = INT64_MAX;
    const char *why = NULL;

    if (!dr->introduced) {
        next = dr->started_ms + dr->registry->timing.hello_ms;
        why = "did not introduce itself in time";
    }
    for (const struct closing *c = dr->closing; c; c = c->next) {
        if (c->until_ms < next) {
            next = c->until_ms;
            why = "did not close a session in time";
        }
    }
    for (const struct driver_session *s = dr->sessions; s; s = s->next) {
        for (const struct open_call *c = s->calls; c; c = c->next) {
            if (!c->ended && c->cancel_until_ms && c->cancel_until_ms < next) {
                next = c->cancel_until_ms;
                why = "ignored the cancellation of a call";
            }
        }
    }
    *late = next <= now ? why : NULL;
    return next;
}

static void wait_events(struct driver *dr, bool full, int64_t until)
{
    struct pollfd fds[2] = { { .fd = dr->wake_fd, .events = POLLIN },
                             { .fd = dr->host.fd, .events = (short)(POLLIN | (full ? POLLOUT : 0)) } };
    int64_t left = until == INT64_MAX ? -1 : until - clock_mono_ms();
    int timeout = left > 60000 ? 60000 : left < 0 && until != INT64_MAX ? 0 : (int)left;
    uint64_t count;

    pthread_mutex_unlock(&dr->lock);
    poll(fds, dr->host.fd >= 0 ? 2 : 1, timeout);
    if ((fds[0].revents & POLLIN) && read(dr->wake_fd, &count, sizeof(count)) < 0)
        fds[0].revents = 0;
    pthread_mutex_lock(&dr->lock);
}

/* One turn of the loop: the lock is held at both ends. */
static void turn(struct driver *dr)
{
    int64_t now = clock_mono_ms(), until = INT64_MAX;
    const char *late = NULL;
    bool full = false;

    if (dr->host.fd < 0 && dr->out && dr->state == DRIVER_LOADED) {
        if (now >= dr->start_at_ms)
            start_host(dr);
        else
            until = dr->start_at_ms;
    }
    if (dr->host.fd >= 0) {
        full = flush(dr);
        until = next_deadline(dr, now, &late);
        if (late) {
            crash(dr, late);
            return;
        }
    }
    if (session_retry(dr) && until > now + RETRY_MS)
        until = now + RETRY_MS;
    wait_events(dr, full, until);
    if (dr->host.fd >= 0)
        receive(dr);
}

/* Sessions that nobody will close any more; probes are told. */
static void let_go(struct driver *dr)
{
    struct pv_err err = { 0 };

    pv_fail(&err, PV_ECANCELED, "The server is ending.");
    for (struct driver_session *s = dr->sessions; s;) {
        struct driver_session *next = s->next;

        if (s->probe) {
            session_down(s, DRIVER_DOWN_CRASHED, &err);
            s = next;
            continue;
        }
        /* Meanwhile the list may change: from the start again. */
        if (!s->down)
            link_close(dr, s->number);
        s->closed = true;
        session_unlink(s);
        session_detach(s);
        pthread_mutex_lock(&dr->lock);
        s = dr->sessions;
    }
}

static void *link_main(void *arg)
{
    struct driver *dr = arg;
    int64_t until;

    pthread_mutex_lock(&dr->lock);
    while (!dr->ending)
        turn(dr);
    let_go(dr);
    until = clock_mono_ms() + dr->registry->timing.stop_ms;
    while (dr->host.fd >= 0 && dr->closing && clock_mono_ms() < until) {
        bool full = flush(dr);

        wait_events(dr, full, until);
        if (dr->host.fd >= 0)
            receive(dr);
    }
    pthread_mutex_unlock(&dr->lock);
    if (dr->host.fd >= 0) {
        int64_t left = until - clock_mono_ms();

        host_finish(&dr->host, left > 100 ? (unsigned)left : 100u);
    }
    pthread_mutex_lock(&dr->lock);
    link_forget(dr);
    pthread_mutex_unlock(&dr->lock);
    return NULL;
}

bool link_start(struct driver *dr)
{
    sigset_t all, old;
    int rc;

    if (dr->started)
        return true;
    if (dr->ending)
        return false;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&dr->thread, NULL, link_main, dr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    dr->started = rc == 0;
    return dr->started;
}
