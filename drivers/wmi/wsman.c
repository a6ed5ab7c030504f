/* SPDX-License-Identifier: Apache-2.0 */
/* The client: its connections, one exchange, what is repeated and what is not. */
#include "drivers/wmi/wsman.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/id.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/auth_gate.h"
#include "drivers/wmi/names.h"
#include "drivers/wmi/wsman_inner.h"

#define TRIES_MOST 3       /* of a read */
#define QUOTA_TRIES_MOST 5 /* of anything that a quota refused */
#define SLACK_MS 15000     /* between the host's time limit and ours */
#define ARENA_MOST (1u << 20)

static void make_uuid(char out[MESSAGE_ID])
{
    uint8_t b[16];

    id_random(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, MESSAGE_ID,
                   "uuid:%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X",
                   b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
                   b[13], b[14], b[15]);
}

int wsman_new(const struct pv_host *host, const struct config *config, struct wsman **out,
              struct pv_err *err)
{
    struct wsman *w = calloc(1, sizeof(*w));
    pthread_condattr_t attr;

    if (!w)
        return pv_fail(err, PV_ENOMEM, "no memory");
    w->host = host;
    w->config = config;
    w->envelope = ENVELOPE_USUAL;
    w->elements = ELEMENTS_USUAL;
    w->quiet = (struct backoff){ .first_ms = 1000, .most_ms = 30000 };
    make_uuid(w->session_id);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->freed, &attr);
    pthread_condattr_destroy(&attr);
    w->arena = arena_new(1024, ARENA_MOST);
    w->gate = auth_gate_new();
    if (!w->arena || !w->gate) {
        wsman_free(w);
        return pv_fail(err, PV_ENOMEM, "no memory");
    }
    *out = w;
    return PV_OK;
}

void wsman_free(struct wsman *w)
{
    if (!w)
        return;
    for (unsigned i = 0; i < w->nidle; i++)
        session_free(w->idle[i]);
    auth_gate_free(w->gate);
    arena_free(w->arena);
    pthread_cond_destroy(&w->freed);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

uint64_t wsman_requests(struct wsman *w)
{
    uint64_t n;

    pthread_mutex_lock(&w->lock);
    n = w->requests;
    pthread_mutex_unlock(&w->lock);
    return n;
}

void wsman_certificate(struct wsman *w, struct httpc_certificate *out)
{
    pthread_mutex_lock(&w->lock);
    if (w->certificate.sha256[0])
        *out = w->certificate;
    pthread_mutex_unlock(&w->lock);
}

void wsman_mechanism(struct wsman *w, char out[16])
{
    pthread_mutex_lock(&w->lock);
    memcpy(out, w->mechanism, 16);
    pthread_mutex_unlock(&w->lock);
}

/* ------------------------------------------------------------------ connections */

/* With the lock held: waits a moment, for somebody to give a connection back. */
static void wait_a_moment(struct wsman *w)
{
    int64_t until = clock_mono_ms() + 250;
    struct timespec ts = { .tv_sec = (time_t)(until / 1000),
                           .tv_nsec = (long)(until % 1000) * 1000000 };

    pthread_cond_timedwait(&w->freed, &w->lock, &ts);
}

static int take(struct wsman *w, const struct call *c, bool anonymous, int64_t deadline_ms,
                struct session **out, struct pv_err *err)
{
    int rc = PV_OK;

    *out = NULL;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        rc = anonymous ? PV_OK : auth_gate_check(w->gate, err);
        if (rc)
            break;
        if (call_cancelled((void *)(uintptr_t)c)) {
            rc = pv_fail(err, PV_ECANCELED, "canceled");
            break;
        }
        if (clock_mono_ms() >= deadline_ms) {
            rc = pv_fail(err, PV_ETIMEOUT, "no connection to %s became free in time",
                         w->config->at.host);
            break;
        }
        if (clock_mono_ms() >= w->quiet_until_ms &&
            (w->nidle > 0 || w->made < w->config->max_connections)) {
            if (w->nidle)
                *out = w->idle[--w->nidle];
            else
                w->made++;
            break;
        }
        wait_a_moment(w);
    }
    pthread_mutex_unlock(&w->lock);
    if (rc || *out)
        return rc;
    rc = session_new(w->host, w->config, w->gate, out, err);
    if (rc) {
        pthread_mutex_lock(&w->lock);
        w->made--;
        pthread_cond_broadcast(&w->freed);
        pthread_mutex_unlock(&w->lock);
    }
    return rc;
}

/* The one used last is used next; those that quiet times leave over are ended. */
static void give_back(struct wsman *w, struct session *s)
{
    struct session *over[CONNECTIONS_MOST];
    unsigned n = 0;

    pthread_mutex_lock(&w->lock);
    w->idle[w->nidle++] = s;
    while (n < w->nidle && session_is_idle(w->idle[n])) {
        over[n] = w->idle[n];
        n++;
    }
    w->nidle -= n;
    w->made -= n;
    memmove(w->idle, w->idle + n, w->nidle * sizeof(*w->idle));
    pthread_cond_broadcast(&w->freed);
    pthread_mutex_unlock(&w->lock);
    for (unsigned i = 0; i < n; i++)
        session_free(over[i]);
}

static void learn(struct wsman *w, const struct session *s, const struct session_answer *answer,
                  bool anonymous, int rc)
{
    pthread_mutex_lock(&w->lock);
    w->requests += answer->requests;
    if (rc == PV_OK && !anonymous)
        (void)str_copy(w->mechanism, sizeof(w->mechanism), session_mechanism(s));
    if (rc == PV_OK)
        session_certificate(s, &w->certificate);
    pthread_mutex_unlock(&w->lock);
}

static void be_quiet(struct wsman *w)
{
    pthread_mutex_lock(&w->lock);
    w->quiet_until_ms = clock_mono_ms() + backoff_next_ms(&w->quiet);
    pthread_mutex_unlock(&w->lock);
}

static void be_loud(struct wsman *w)
{
    pthread_mutex_lock(&w->lock);
    backoff_reset(&w->quiet);
    pthread_mutex_unlock(&w->lock);
}

/* ------------------------------------------------------------------ one exchange */

static int fail_status(const struct wsman *w, long status, struct pv_err *err)
{
    char native[16];
    int rc;

    switch (status) {
    case 401:
        rc = pv_fail(err, PV_EAUTH, "%s answers nobody without a sign-in", w->config->at.host);
        break;
    case 403:
        rc = pv_fail(err, PV_EPERM, "%s refuses the account access to WinRM", w->config->at.host);
        pv_err_remedy(err, "Add the account to Remote Management Users on the host.");
        break;
    case 413:
        rc = pv_fail(err, PV_ELIMIT, "the request is too large for %s", w->config->at.host);
        break;
    case 503:
        rc =
            pv_fail(err, PV_ELIMIT, "%s has no room for the request, or WinRM is not running there",
                    w->config->at.host);
        pv_err_remedy(err, "Check the service WinRM on the host, and its quota MaxConnections.");
        break;
    default:
        if (status == 404 || status == 405 || (status >= 200 && status < 400))
            rc = pv_fail_as(err, "provider-not-recognized",
                            "%s does not answer as WinRM (HTTP %ld)", w->config->at.host, status);
        else
            rc = pv_fail(err, PV_EIO, "%s answered with HTTP %ld", w->config->at.host, status);
    }
    if (rc == PV_EIO && status < 400)
        pv_err_remedy(err, "Check host, port and path; WinRM listens at https://host:5986/wsman.");
    (void)snprintf(native, sizeof(native), "HTTP %ld", status);
    pv_err_native(err, native);
    return rc;
}

static bool looks_like_xml(const struct buf *b)
{
    size_t i = 0;

    if (b->len >= 3 && memcmp(b->data, "\xef\xbb\xbf", 3) == 0)
        i = 3;
    while (i < b->len && strchr(" \t\r\n", b->data[i]))
        i++;
    return i < b->len && b->data[i] == '<';
}

static int read_answer(const struct wsman *w, struct session_answer *answer, const char *message_id,
                       struct reply *out, struct pv_err *err)
{
    const char *relates;
    int rc;

    if (!looks_like_xml(&answer->body))
        return fail_status(w, answer->status, err);
    rc = reply_read(answer->body.data, answer->body.len, out, err);
    if (rc && answer->status != 200)
        return fail_status(w, answer->status, err);
    if (rc)
        return rc;
    relates = xml_child_text(out->header, NS_ADDRESSING, "RelatesTo");
    if (message_id && relates && *relates && strcasecmp(relates, message_id) != 0)
        return pv_fail(err, PV_EIO, "%s answered another request than this one",
                       w->config->at.host);
    if (!out->fault.there && answer->status != 200 && answer->status != 202)
        return fail_status(w, answer->status, err);
    return PV_OK;
}

/* What became of a write that was sent and not answered properly, nobody knows. */
static int unknown_outcome(const struct message *m, bool sent, int rc, struct pv_err *err)
{
    if (m->changes && sent && (rc == PV_EIO || rc == PV_ETIMEOUT || rc == PV_ECANCELED)) {
        rc = PV_EUNKNOWN;
        if (err) {
            err->rc = rc;
            err->problem = NULL;
        }
    }
    (void)pv_wrap(err, "%s", m->what);
    return rc;
}

static unsigned operation_timeout(const struct wsman *w, const struct call *c,
                                  const struct message *m)
{
    if (m->timeout_ms)
        return m->timeout_ms;
    return c && c->timeout_ms ? c->timeout_ms : w->config->operation_timeout_s * 1000;
}

static int send_once(struct wsman *w, const struct call *c, struct session *own,
                     const struct message *m, struct reply *out, struct pv_err *err)
{
    unsigned timeout_ms = operation_timeout(w, c, m), envelope;
    char id[MESSAGE_ID], anonymous_url[480];
    struct session_answer answer = { 0 };
    struct session_request r = {
        .url = w->config->at.url,
        .anonymous = m->anonymous,
        .changes = m->changes,
        .waits = m->waits,
        .timeout_ms = timeout_ms + SLACK_MS,
        .call = c,
    };
    struct session *s = own;
    struct buf text;
    int rc = PV_OK;

    make_uuid(id);
    pthread_mutex_lock(&w->lock);
    envelope = w->envelope;
    pthread_mutex_unlock(&w->lock);
    if (m->anonymous) {
        (void)snprintf(anonymous_url, sizeof(anonymous_url), "%s/wsman-anon/identify",
                       w->config->at.origin);
        r.url = anonymous_url;
    }
    buf_init(&text, BODY_MOST);
    envelope_write(&text, w, m, id, envelope, timeout_ms);
    if (!buf_ok(&text))
        rc = pv_fail(err, PV_ELIMIT, "%s: the request is too large", m->what);
    r.body = text.data;
    r.len = text.len;
    if (rc == PV_OK && !own)
        rc = take(w, c, m->anonymous, clock_mono_ms() + r.timeout_ms, &s, err);
    if (rc == PV_OK) {
        rc = session_send(s, &r, &answer, err);
        learn(w, s, &answer, m->anonymous, rc);
        if (!own)
            give_back(w, s);
        if (rc == PV_OK)
            rc = read_answer(w, &answer, m->identify ? NULL : id, out, err);
        if (rc)
            rc = unknown_outcome(m, answer.sent, rc, err);
        session_answer_free(&answer);
    }
    buf_free(&text);
    return rc;
}

int wsman_exchange(struct wsman *w, const struct call *c, struct session *own,
                   const struct message *m, struct reply *out, struct pv_err *err)
{
    unsigned tries = 1, quota_tries = 1;
    int64_t pause_ms = 200;

    for (;;) {
        int rc = send_once(w, c, own, m, out, err);

        /* A quota refuses before anything begins. */
        if (rc == PV_OK && fault_quota(&out->fault) && quota_tries < QUOTA_TRIES_MOST &&
            (!m->changes || fault_is(&out->fault, "QuotaLimit"))) {
            be_quiet(w);
            quota_tries++;
            reply_free(out);
            continue;
        }
        if (rc == PV_OK) {
            be_loud(w);
            return rc;
        }
        reply_free(out);
        /* The name, the port: no better a moment later. A connection that broke in the middle:
         * often. */
        if (rc != PV_EIO || m->changes || tries >= TRIES_MOST || (err && err->problem))
            return rc;
        tries++;
        rc = call_sleep(c, pause_ms, err);
        if (rc)
            return rc;
        pause_ms *= 4;
    }
}
