/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of struct pv_host: what a driver may call. */
#include "drivers/sdk/runner_inner.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <jansson.h>
#include <openssl/crypto.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define LINE_MAX_LEN 2048u
#define CURSOR_MAX (64u << 10)
#define PROVIDER_MAX (1u << 20)
#define SECRETS_MAX 16u

PV_DEFINE_AUTO(json_decref, json_t *)

_Thread_local struct asked *runner_current;

int runner_send(struct runner *r, enum frame_type type, uint64_t call, struct buf *payload)
{
    int rc;

    pthread_mutex_lock(&r->send_lock);
    rc = frame_send(r->fd, type, call, payload, NULL);
    pthread_mutex_unlock(&r->send_lock);
    /* A frame that is missing would be waited for: better none at all. */
    if (rc != PV_OK)
        shutdown(r->fd, SHUT_RDWR);
    return rc;
}

bool runner_to_stop(const struct session *s)
{
    const struct asked *c = runner_current;

    return atomic_load(&s->stopping) ||
           (c && c->session == s && atomic_load(&c->cancelled));
}

/* A place in the window; waits for one. */
static int take_place(struct session *s)
{
    struct runner *r = s->runner;
    int rc = PV_OK;

    pthread_mutex_lock(&r->lock);
    while (s->unacked >= FRAME_WINDOW && !runner_to_stop(s))
        pthread_cond_wait(&s->changed, &r->lock);
    if (runner_to_stop(s)) {
        rc = PV_ECANCELED;
    } else if (s->refused) {
        s->refused = false;
        rc = PV_EINVAL;
    } else {
        s->unacked++;
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static int send_in_window(struct session *s, enum frame_type type, struct buf *payload)
{
    int rc = take_place(s);

    if (rc == PV_OK && runner_send(s->runner, type, 0, payload) != PV_OK)
        rc = PV_ECANCELED;
    buf_free(payload);
    return rc;
}

static int host_emit(void *ctx, const struct pv_batch *batch)
{
    struct session *s = ctx;
    struct pv_batch b = { 0 };
    struct buf payload;

    if (!batch || !PV_HAS(batch, blob))
        return PV_EINVAL;
    b = *batch;
    if (b.count == 0)
        return PV_OK;
    if (b.count > PV_BATCH_MAX_COUNT || b.stride < PV_RECORD_HEAD || b.stride % 8 != 0 ||
        b.stride > PV_RECORD_HEAD + 8 * PV_RECORD_SLOTS || b.blob_len > PV_BATCH_MAX_BLOB ||
        !b.records || (!b.blob && b.blob_len > 0))
        return PV_EINVAL;
    if (s->probe)
        return PV_ENOTSUP;
    buf_init(&payload, FRAME_PAYLOAD_MAX);
    frame_begin(&payload, s->number);
    frame_put_batch(&payload, &b);
    if (!buf_ok(&payload)) {
        buf_free(&payload);
        return PV_ENOMEM;
    }
    return send_in_window(s, FRAME_BATCH, &payload);
}

static int host_mark(void *ctx, uint32_t mark, const char *cursor)
{
    struct session *s = ctx;
    struct buf payload;

    if (mark > PV_MARK_CHANGES || (cursor && strnlen(cursor, CURSOR_MAX) >= CURSOR_MAX))
        return PV_EINVAL;
    if (s->probe)
        return PV_ENOTSUP;
    buf_init(&payload, FRAME_PAYLOAD_MAX);
    frame_begin(&payload, s->number);
    frame_put_u64(&payload, mark);
    frame_put_text(&payload, cursor);
    return send_in_window(s, FRAME_MARK, &payload);
}

static int host_provider(void *ctx, const char *json)
{
    struct session *s = ctx;
    struct buf payload;

    if (!json || strnlen(json, PROVIDER_MAX) >= PROVIDER_MAX)
        return PV_EINVAL;
    if (s->probe)
        return PV_ENOTSUP;
    buf_init(&payload, FRAME_PAYLOAD_MAX);
    frame_begin(&payload, s->number);
    frame_put_text(&payload, json);
    return send_in_window(s, FRAME_PROVIDER, &payload);
}

static int send_progress(const struct session *s, uint64_t call, const struct pv_progress *p)
{
    struct buf payload;
    int rc;

    buf_init(&payload, FRAME_PAYLOAD_MAX);
    frame_begin(&payload, s->number);
    frame_put_progress(&payload, p);
    rc = runner_send(s->runner, FRAME_PROGRESS, call, &payload);
    buf_free(&payload);
    return rc == PV_OK ? PV_OK : PV_ECANCELED;
}

static void set_telling(struct asked *c, bool telling)
{
    pthread_mutex_lock(&c->session->runner->lock);
    c->telling = telling;
    pthread_mutex_unlock(&c->session->runner->lock);
}

/* Waits until the server has stored what it was told, even if the call is cancelled meanwhile. */
static int wait_told(struct asked *c)
{
    struct session *s = c->session;
    int rc;

    pthread_mutex_lock(&s->runner->lock);
    while (c->telling && !atomic_load(&s->stopping))
        pthread_cond_wait(&s->changed, &s->runner->lock);
    rc = c->telling ? PV_ECANCELED : c->told;
    c->telling = false;
    pthread_mutex_unlock(&s->runner->lock);
    return rc;
}

/* A native reference that the server has not got yet. */
static int tell(struct asked *c, const struct pv_progress *p)
{
    char *ref;
    int rc;

    if (strnlen(p->native_ref, FRAME_REF_MAX + 1) > FRAME_REF_MAX)
        return PV_EINVAL;
    ref = strdup(p->native_ref);
    if (!ref)
        return PV_ENOMEM;
    set_telling(c, true);
    rc = send_progress(c->session, c->number, p);
    if (rc == PV_OK)
        rc = wait_told(c);
    else
        set_telling(c, false);
    if (rc == PV_OK) {
        free(c->native_ref);
        c->native_ref = ref;
    } else {
        free(ref);
    }
    return rc;
}

static int host_progress(void *ctx, uint64_t call, const struct pv_progress *progress)
{
    struct session *s = ctx;
    struct pv_progress p = { 0 };

    /* Only about the call that asks: others may have ended. */
    if (!progress || !PV_HAS(progress, percent) || !runner_current ||
        runner_current->session != s || runner_current->number != call)
        return PV_EINVAL;
    memcpy(&p, progress, progress->size < sizeof(p) ? progress->size : sizeof(p));
    if (p.native_ref && runner_current->native_ref &&
        strcmp(p.native_ref, runner_current->native_ref) == 0)
        p.native_ref = NULL;
    if (p.native_ref && !s->probe)
        return tell(runner_current, &p);
    p.native_ref = NULL;
    return send_progress(s, call, &p);
}

static int host_cancelled(void *ctx, uint64_t call)
{
    const struct session *s = ctx;

    if (call == 0)
        return atomic_load(&s->stopping);
    return runner_to_stop(s);  /* a thread of the host's works for one call only */
}

static int host_secret(void *ctx, const char *name, char *buf, size_t cap)
{
    const struct session *s = ctx;

    for (size_t i = 0; name && i < s->nsecrets; i++) {
        const struct secret *secret = &s->secrets[i];

        if (strcmp(secret->name, name) != 0)
            continue;
        if (!buf || secret->len >= cap)
            return PV_EINVAL;
        memcpy(buf, secret->value, secret->len + 1);
        return PV_OK;
    }
    return PV_ENOENT;
}

/* A careless driver must not write the password into a log. */
static void hide_secrets(const struct session *s, char *line)
{
    for (size_t i = 0; i < s->nsecrets; i++) {
        char *at = line;

        while (s->secrets[i].len >= 6 && (at = strstr(at, s->secrets[i].value)) != NULL) {
            memset(at, '*', s->secrets[i].len);
            at += s->secrets[i].len;
        }
    }
}

static void host_log(void *ctx, int level, const char *message)
{
    struct session *s = ctx;
    char line[LINE_MAX_LEN];
    struct buf payload;

    if (!message)
        return;
    str_copy_n(line, sizeof(line), message, strnlen(message, LINE_MAX_LEN));
    hide_secrets(s, line);
    if (level < PV_LOG_LEVEL_ERROR || level > PV_LOG_LEVEL_DEBUG)
        level = PV_LOG_LEVEL_DEBUG;
    buf_init(&payload, FRAME_SIZE);
    frame_begin(&payload, s->number);
    frame_put_u64(&payload, (uint64_t)level);
    frame_put_text(&payload, line);
    runner_send(s->runner, FRAME_LOG, 0, &payload);
    buf_free(&payload);
}

void runner_host_init(struct session *s)
{
    s->host = (struct pv_host){
        .size = sizeof(s->host),
        .ctx = s,
        .log = host_log,
        .secret = host_secret,
        .emit = host_emit,
        .mark = host_mark,
        .provider = host_provider,
        .progress = host_progress,
        .cancelled = host_cancelled,
        .stream_read = runner_stream_read,
        .stream_write = runner_stream_write,
    };
}

bool runner_secrets_set(struct session *s, const char *json)
{
    PV_AUTO(json_decref_p) json_t *all = json_loadb(json, strlen(json), 0, NULL);
    const char *name;
    json_t *value;

    if (!json_is_object(all) || json_object_size(all) > SECRETS_MAX)
        return false;
    s->secrets = calloc(SECRETS_MAX, sizeof(*s->secrets));
    if (!s->secrets)
        return false;
    json_object_foreach (all, name, value) {
        struct secret *secret = &s->secrets[s->nsecrets];

        if (!json_is_string(value))
            return false;
        s->nsecrets++;
        secret->name = strdup(name);
        secret->value = strdup(json_string_value(value));
        if (!secret->name || !secret->value)
            return false;
        secret->len = strlen(secret->value);
    }
    return true;
}

void runner_secrets_wipe(struct session *s)
{
    for (size_t i = 0; i < s->nsecrets; i++) {
        if (s->secrets[i].value)
            OPENSSL_cleanse(s->secrets[i].value, strlen(s->secrets[i].value));
        free(s->secrets[i].value);
        free(s->secrets[i].name);
    }
    free(s->secrets);
    s->secrets = NULL;
    s->nsecrets = 0;
}
