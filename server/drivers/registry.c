/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drivers/registry.h"

#include <dirent.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <jansson.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/str.h>
#include <polyvisor/workers.h>

#include "drivers/sdk/fail.h"
#include "drivers/sdk/load.h"
#include "server/drivers/link.h"
#include "server/drivers/receive.h"

#define WORKERS 4u
#define DRIVERS_MAX 64u
#define POOL_QUEUE (DRIVERS_MAX * LINK_SESSIONS_MAX)
#define ARGUMENTS_MAX (1u << 20)

PV_DEFINE_AUTO(json_decref, json_t *)

/* ---------------------------------------------------------------- the list of drivers */

static unsigned or_usual(unsigned value, unsigned usual)
{
    return value ? value : usual;
}

static struct drivers_timing timing_of(const struct drivers_timing *t)
{
    struct drivers_timing all = {
        .hello_ms = or_usual(t->hello_ms, 10000),
        .restart_first_ms = or_usual(t->restart_first_ms, 200),
        .restart_most_ms = or_usual(t->restart_most_ms, 30000),
        .crashes = or_usual(t->crashes, 5),
        .crash_window_ms = or_usual(t->crash_window_ms, 600000),
        .cancel_ms = or_usual(t->cancel_ms, 30000),
        .stop_ms = or_usual(t->stop_ms, 3000),
    };

    if (all.crashes > LINK_CRASHES_MAX)
        all.crashes = LINK_CRASHES_MAX;
    return all;
}

static void driver_free(struct driver *dr)
{
    if (!dr)
        return;
    link_forget(dr);
    if (dr->wake_fd >= 0)
        close(dr->wake_fd);
    free(dr->version);
    free(dr->schema);
    free(dr->operations);
    pthread_mutex_destroy(&dr->lock);
    free(dr);
}

static int add_driver(void *ctx, const char *name, struct pv_err *err)
{
    struct drivers *d = ctx;
    struct driver *dr;

    if (d->count == DRIVERS_MAX || strlen(name) >= sizeof(dr->name))
        return PV_OK;
    dr = calloc(1, sizeof(*dr));
    if (!dr)
        return pv_fail(err, PV_ENOMEM, "no memory for the driver %s", name);
    pthread_mutex_init(&dr->lock, NULL);
    dr->registry = d;
    dr->out_end = &dr->out;
    dr->host = (struct host){ .fd = -1 };
    dr->backoff = (struct backoff){ .first_ms = d->timing.restart_first_ms,
                                    .most_ms = d->timing.restart_most_ms };
    str_copy(dr->name, sizeof(dr->name), name);
    dr->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (dr->wake_fd < 0) {
        driver_free(dr);
        return pv_fail(err, PV_ENOMEM, "no descriptor for the driver %s", name);
    }
    d->list[d->count++] = dr;
    return PV_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct driver *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static struct driver *find_driver(const struct drivers *d, const char *name)
{
    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->list[i]->name, name) == 0)
            return d->list[i];
    return NULL;
}

/* ---------------------------------------------------------------- what is this driver? */

/* Hears what a describing host says. The driver is not shared yet, or its lock is held. */
static int hear(struct driver *dr, struct host *h, int64_t until, struct pv_err *err)
{
    for (;;) {
        struct pollfd fd = { .fd = h->fd, .events = POLLIN };
        int64_t left = until - clock_mono_ms();
        struct frame f = { 0 };
        int rc;

        /* What has been said while others were heard counts even when the time is over. */
        if (poll(&fd, 1, left > 0 ? (int)left : 0) == 0)
            return pv_fail_as(err, "driver-broken",
                              "The driver %s does not introduce itself in time.", dr->name);
        rc = frame_recv(h->fd, &f, err);
        if (rc == PV_EBUSY)
            continue;
        if (rc == PV_OK) {
            dr->introduced = false;
            rc = receive_frame(dr, &f, err);
            frame_free(&f);
        }
        if (rc == PV_EOFFLINE)
            return pv_fail_as(err, "driver-broken", "The driver %s ends while it is loaded.",
                              dr->name);
        return rc;
    }
}

static void set_broken(struct driver *dr, const struct pv_err *why)
{
    dr->state = DRIVER_BROKEN;
    dr->error = *why;
    if (!dr->error.remedy[0])
        pv_err_remedy(&dr->error, "%s", pv_problem_find("driver-broken")->remedy);
}

/* Starts a host for each first and listens then: loading takes longer than speaking. */
static void describe_all(struct drivers *d)
{
    struct host hosts[DRIVERS_MAX];
    int64_t until = clock_mono_ms() + d->timing.hello_ms;

    for (size_t i = 0; i < d->count; i++) {
        struct pv_err err = { 0 };

        hosts[i] = (struct host){ .fd = -1 };
        if (host_start(d, d->list[i]->name, true, &hosts[i], &err) != PV_OK)
            set_broken(d->list[i], &err);
    }
    for (size_t i = 0; i < d->count; i++) {
        struct pv_err err = { 0 };

        if (hosts[i].fd < 0)
            continue;
        if (hear(d->list[i], &hosts[i], until, &err) != PV_OK)
            set_broken(d->list[i], &err);
        host_finish(&hosts[i], 1000);
    }
}

int drivers_start(const struct drivers_config *cfg, struct drivers **out, struct pv_err *err)
{
    struct drivers *d = calloc(1, sizeof(*d));
    int rc;

    if (!d)
        return pv_fail(err, PV_ENOMEM, "no memory for the drivers");
    d->isolation = cfg->isolation;
    d->timing = timing_of(&cfg->timing);
    atomic_init(&d->numbers, 1);
    d->dir = strdup(cfg->dir);
    d->host_program = strdup(cfg->host_program ? cfg->host_program : "");
    d->list = calloc(DRIVERS_MAX, sizeof(*d->list));
    d->pool = workers_new("driver", cfg->workers ? cfg->workers : WORKERS, POOL_QUEUE);
    if (!d->dir || !d->host_program || !d->list || !d->pool)
        rc = pv_fail(err, PV_ENOMEM, "no memory for the drivers");
    else
        rc = sdk_load_list(d->dir, add_driver, d, err);
    if (rc != PV_OK) {
        drivers_stop(d);
        return rc;
    }
    qsort(d->list, d->count, sizeof(*d->list), by_name);
    describe_all(d);
    *out = d;
    return PV_OK;
}

void drivers_stop(struct drivers *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->count; i++) {
        pthread_mutex_lock(&d->list[i]->lock);
        d->list[i]->ending = true;
        link_wake(d->list[i]);
        pthread_mutex_unlock(&d->list[i]->lock);
    }
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i]->started)
            pthread_join(d->list[i]->thread, NULL);
    workers_free(d->pool);
    for (size_t i = 0; i < d->count; i++)
        driver_free(d->list[i]);
    free(d->list);
    free(d->dir);
    free(d->host_program);
    free(d);
}

/* ---------------------------------------------------------------- listing */

static const char *copy(struct buf *texts, const char *text)
{
    size_t at = texts->len;

    buf_append(texts, text, strlen(text) + 1);
    return buf_ok(texts) ? texts->data + at : NULL;
}

struct driver_info *drivers_list(struct drivers *d, size_t *count)
{
    /* Texts are copied into one buffer first; their places become addresses when it is complete. */
    struct buf texts;
    struct driver_info *list;
    size_t heads = (d->count + 1) * sizeof(*list);
    size_t offsets[DRIVERS_MAX][7];

    buf_init(&texts, 256u << 20);
    if (!buf_reserve(&texts, heads)) {
        buf_free(&texts);
        return NULL;
    }
    texts.len = heads;
    for (size_t i = 0; i < d->count; i++) {
        struct driver *dr = d->list[i];
        char path[PATH_MAX];

        snprintf(path, sizeof(path), "%s/%s.so", d->dir, dr->name);
        pthread_mutex_lock(&dr->lock);
        const char *parts[7] = {
            dr->name, dr->version ? dr->version : "", dr->schema ? dr->schema : "{}",
            dr->operations ? dr->operations : "[]", dr->error.message, dr->error.remedy, path,
        };

        for (size_t k = 0; k < 7; k++) {
            offsets[i][k] = texts.len;
            copy(&texts, parts[k]);
        }
        /* Sorted by name and complete: heads[i].state can be set where it will stay. */
        if (buf_ok(&texts)) {
            struct driver_info head = { .state = dr->state, .abi_minor = dr->abi_minor };

            memcpy(texts.data + i * sizeof(head), &head, sizeof(head));
        }
        pthread_mutex_unlock(&dr->lock);
    }
    if (!buf_ok(&texts)) {
        buf_free(&texts);
        return NULL;
    }
    list = (struct driver_info *)(void *)texts.data;
    for (size_t i = 0; i < d->count; i++) {
        list[i].name = texts.data + offsets[i][0];
        list[i].version = texts.data + offsets[i][1];
        list[i].config_schema = texts.data + offsets[i][2];
        list[i].operations = texts.data + offsets[i][3];
        list[i].error = texts.data + offsets[i][4];
        list[i].remedy = texts.data + offsets[i][5];
        list[i].path = texts.data + offsets[i][6];
    }
    *count = d->count;
    return list;
}

void drivers_list_free(struct driver_info *list)
{
    free(list);
}

bool drivers_implements(struct drivers *d, const char *driver, const char *operation)
{
    struct driver *dr = find_driver(d, driver);
    PV_AUTO(json_decref_p) json_t *names = NULL;
    bool found = false;
    json_t *name;
    size_t i;

    if (!dr)
        return false;
    pthread_mutex_lock(&dr->lock);
    if (dr->operations)
        names = json_loads(dr->operations, 0, NULL);
    pthread_mutex_unlock(&dr->lock);
    json_array_foreach (names, i, name)
        found = found || str_eq(json_string_value(name), operation);
    return found;
}

int drivers_unpark(struct drivers *d, const char *driver, struct pv_err *err)
{
    struct driver *dr = find_driver(d, driver);
    struct host host = { .fd = -1 };
    int rc;

    if (!dr)
        return pv_fail(err, PV_ENOENT, "There is no driver %s.", driver);
    pthread_mutex_lock(&dr->lock);
    dr->ncrashes = 0;
    dr->start_at_ms = 0;
    backoff_reset(&dr->backoff);
    if (dr->state == DRIVER_PARKED) {
        dr->state = DRIVER_LOADED;
        memset(&dr->error, 0, sizeof(dr->error));
    }
    rc = dr->state == DRIVER_BROKEN ? PV_EINVAL : PV_OK;
    link_wake(dr);
    pthread_mutex_unlock(&dr->lock);
    if (rc == PV_OK)
        return PV_OK;
    /* It has no host: nobody else hears for it meanwhile. */
    rc = host_start(d, driver, true, &host, err);
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&dr->lock);
    if (dr->state == DRIVER_BROKEN) {
        struct pv_err why = { 0 };

        rc = hear(dr, &host, clock_mono_ms() + d->timing.hello_ms, &why);
        if (rc != PV_OK) {
            set_broken(dr, &why);
            if (err)
                *err = dr->error;
        }
    }
    pthread_mutex_unlock(&dr->lock);
    host_finish(&host, 1000);
    return rc;
}

/* ---------------------------------------------------------------- sessions */

static int find_usable(struct drivers *d, const char *name, struct driver **out,
                       struct pv_err *err)
{
    struct driver *dr = find_driver(d, name);

    if (!dr)
        return pv_fail_as(err, "driver-unknown", "There is no driver %s.", name);
    pthread_mutex_lock(&dr->lock);
    if (dr->state != DRIVER_LOADED) {
        int rc = dr->state == DRIVER_PARKED ? PV_EOFFLINE : PV_EINVAL;

        if (err)
            *err = dr->error;
        pthread_mutex_unlock(&dr->lock);
        return rc;
    }
    if (dr->nsessions >= LINK_SESSIONS_MAX) {
        pthread_mutex_unlock(&dr->lock);
        return pv_fail(err, PV_ELIMIT, "The driver %s has too many providers.", name);
    }
    *out = dr;      /* with its lock */
    return PV_OK;
}

static void begin(struct buf *payload, const struct driver_session *s)
{
    buf_init(payload, FRAME_PAYLOAD_MAX);
    frame_begin(payload, s->number);
}

static bool too_long(const char *text)
{
    return text && strnlen(text, ARGUMENTS_MAX) >= ARGUMENTS_MAX;
}

int drivers_open(struct drivers *d, const char *driver, const char *config, const char *secrets,
                 const struct driver_session_ops *ops, void *ctx, struct driver_session **out,
                 struct pv_err *err)
{
    struct driver_session *s;
    struct driver *dr = NULL;
    struct buf payload;
    int rc;

    if (too_long(config) || too_long(secrets))
        return pv_fail(err, PV_EINVAL, "The provider's settings are too long.");
    rc = find_usable(d, driver, &dr, err);
    if (rc != PV_OK)
        return rc;
    s = session_new(dr, ops, ctx);
    if (s) {
        begin(&payload, s);
        frame_put_text(&payload, config);
        frame_put_text(&payload, secrets);
        if (!link_start(dr) || !link_send(dr, FRAME_OPEN, 0, &payload, true)) {
            session_free(s);
            s = NULL;
        }
    }
    if (s) {
        s->next = dr->sessions;
        dr->sessions = s;
        dr->nsessions++;
    }
    pthread_mutex_unlock(&dr->lock);
    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory for a session with the driver %s", driver);
    *out = s;
    return PV_OK;
}

void driver_session_close(struct driver_session *s)
{
    struct driver *dr;

    if (!s)
        return;
    dr = s->driver;
    pthread_mutex_lock(&dr->lock);
    s->closed = true;
    session_unlink(s);
    if (!s->down)
        link_close(dr, s->number);
    session_detach(s);
}

/* Sends the frame of a new call. The lock is held. */
static uint64_t start_call(struct driver_session *s, enum frame_type type, struct buf *payload)
{
    struct open_call *c = session_call_new(s);
    uint64_t number = c ? c->number : 0;

    if (!c) {
        buf_free(payload);
        return 0;
    }
    if (link_send(s->driver, type, number, payload, true))
        return number;
    s->calls = c->next;
    s->ncalls--;
    free(c->spare);
    free(c);
    return 0;
}

static uint64_t start_call_locked(struct driver_session *s, enum frame_type type,
                                  struct buf *payload)
{
    uint64_t number;

    pthread_mutex_lock(&s->driver->lock);
    number = start_call(s, type, payload);
    pthread_mutex_unlock(&s->driver->lock);
    return number;
}

uint64_t driver_watch(struct driver_session *s, const char *cursor)
{
    struct buf payload;

    if (too_long(cursor))
        cursor = NULL;
    begin(&payload, s);
    frame_put_text(&payload, cursor);
    return start_call_locked(s, FRAME_WATCH, &payload);
}

uint64_t driver_refresh(struct driver_session *s, enum pv_kind kind, const char *native_id)
{
    struct buf payload;

    if (too_long(native_id))
        return 0;
    begin(&payload, s);
    frame_put_u64(&payload, (uint64_t)kind);
    frame_put_text(&payload, native_id);
    return start_call_locked(s, FRAME_REFRESH, &payload);
}

static void put_call(struct buf *payload, const struct driver_session *s, const char *operation,
                     const char *subject, const char *args, const char *native_ref, uint32_t flags)
{
    begin(payload, s);
    frame_put_u64(payload, flags);
    frame_put_text(payload, operation);
    frame_put_text(payload, subject ? subject : "null");
    frame_put_text(payload, args ? args : "{}");
    frame_put_text(payload, native_ref);
}

uint64_t driver_call(struct driver_session *s, const char *operation, const char *subject,
                     const char *args, const char *native_ref, uint32_t flags)
{
    struct buf payload;

    if (too_long(operation) || too_long(subject) || too_long(args) || too_long(native_ref))
        return 0;
    put_call(&payload, s, operation, subject, args, native_ref, flags);
    return start_call_locked(s, FRAME_CALL, &payload);
}

/* STREAM, then CALL. The lock is held. */
static uint64_t start_streaming(struct driver_session *s, struct buf *payload, int stream)
{
    struct open_call *c = session_call_new(s);
    struct buf head;
    uint64_t number;

    if (!c) {
        buf_free(payload);
        close(stream);
        return 0;
    }
    number = c->number;
    begin(&head, s);
    frame_put_u64(&head, 1);
    if (!link_send_stream(s->driver, number, &head, stream))
        buf_free(payload);
    else if (link_send(s->driver, FRAME_CALL, number, payload, false))
        return number;
    s->calls = c->next;
    s->ncalls--;
    free(c->spare);
    free(c);
    return 0;
}

uint64_t driver_call_stream(struct driver_session *s, const char *operation, const char *subject,
                            const char *args, const char *native_ref, uint32_t flags, int stream)
{
    struct buf payload;
    uint64_t number;

    if (too_long(operation) || too_long(subject) || too_long(args) || too_long(native_ref)) {
        close(stream);
        return 0;
    }
    put_call(&payload, s, operation, subject, args, native_ref, flags);
    pthread_mutex_lock(&s->driver->lock);
    number = start_streaming(s, &payload, stream);
    pthread_mutex_unlock(&s->driver->lock);
    return number;
}

/* The lock is held. */
static void cancel(struct driver_session *s, uint64_t call)
{
    struct open_call *c = session_call(s, call);
    struct buf payload;

    if (!c || c->ended || s->down)
        return;
    begin(&payload, s);
    link_send(s->driver, FRAME_CANCEL, call, &payload, false);
}

void driver_cancel(struct driver_session *s, uint64_t call)
{
    pthread_mutex_lock(&s->driver->lock);
    cancel(s, call);
    pthread_mutex_unlock(&s->driver->lock);
}

int drivers_probe(struct drivers *d, const char *driver, const char *config, const char *secrets,
                  drivers_probe_fn done, void *ctx, uint64_t *call, struct pv_err *err)
{
    struct driver_session *s;
    struct driver *dr = NULL;
    struct buf payload;
    uint64_t number = 0;
    int rc;

    if (too_long(config) || too_long(secrets))
        return pv_fail(err, PV_EINVAL, "The provider's settings are too long.");
    rc = find_usable(d, driver, &dr, err);
    if (rc != PV_OK)
        return rc;
    s = session_new(dr, NULL, ctx);
    if (s) {
        s->probe = done;
        begin(&payload, s);
        frame_put_text(&payload, config);
        frame_put_text(&payload, secrets);
        if (link_start(dr))
            number = start_call(s, FRAME_PROBE, &payload);
        else
            buf_free(&payload);
        if (number) {
            s->next = dr->sessions;
            dr->sessions = s;
            dr->nsessions++;
        } else {
            session_free(s);
        }
    }
    /* Written before the answer can come. */
    if (number && call)
        *call = number;
    pthread_mutex_unlock(&dr->lock);
    return number ? PV_OK
                  : pv_fail(err, PV_ENOMEM, "no memory for a probe by the driver %s", driver);
}

void drivers_probe_cancel(struct drivers *d, uint64_t call)
{
    for (size_t i = 0; i < d->count; i++) {
        struct driver *dr = d->list[i];

        pthread_mutex_lock(&dr->lock);
        for (struct driver_session *s = dr->sessions; s; s = s->next)
            if (s->probe)
                cancel(s, call);
        pthread_mutex_unlock(&dr->lock);
    }
}

int driver_failure_err(const struct pv_failure *failure, struct pv_err *err)
{
    return sdk_fail_err(failure, err);
}
