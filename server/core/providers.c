/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Providers and the state of their connections:
 * new -> probing -> connected <-> degraded -> disconnected -> (back-off) -> ...
 * A refused sign-in and a changed certificate stop the retries.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#define BACKOFF_FIRST_MS 1000
#define BACKOFF_MOST_MS 60000
#define SYNC_EVERY_MS 60000

void provider_ref(struct provider *p)
{
    atomic_fetch_add(&p->refs, 1);
}

void provider_put(struct provider *p)
{
    if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
        return;
    inventory_free(p);
    json_decref(p->capabilities);
    free(p->cursor);
    free(p->reason_json);
    pthread_mutex_destroy(&p->apply_lock);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct provider *provider_new(struct core *c, const struct pv_id *id)
{
    struct provider *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->core = c;
    p->id = *id;
    atomic_store(&p->refs, 1);
    pthread_mutex_init(&p->apply_lock, NULL);
    pthread_mutex_init(&p->lock, NULL);
    p->backoff = (struct backoff){ .first_ms = BACKOFF_FIRST_MS, .most_ms = BACKOFF_MOST_MS };
    p->first_import = true;
    return p;
}

int providers_insert(struct core *c, struct provider *p, struct pv_err *err)
{
    struct provider **more;

    pthread_mutex_lock(&c->lock);
    more = realloc(c->providers, (c->nproviders + 1) * sizeof(*more));
    if (more) {
        c->providers = more;
        c->providers[c->nproviders++] = p;
    }
    pthread_mutex_unlock(&c->lock);
    return more ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a provider");
}

bool providers_remove(struct core *c, struct provider *p)
{
    bool found = false;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->nproviders && !found; i++) {
        if (c->providers[i] == p) {
            c->providers[i] = c->providers[--c->nproviders];
            found = true;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

struct provider *provider_get(struct core *c, const struct pv_id *id)
{
    struct provider *found = NULL;

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < c->nproviders && !found; i++)
        if (id_eq(&c->providers[i]->id, id))
            found = c->providers[i];
    if (found)
        provider_ref(found);
    pthread_mutex_unlock(&c->lock);
    return found;
}

struct provider **providers_all(struct core *c, size_t *n)
{
    struct provider **list;

    pthread_mutex_lock(&c->lock);
    list = calloc(c->nproviders + 1, sizeof(struct provider *));
    *n = list ? c->nproviders : 0;
    for (size_t i = 0; i < *n; i++) {
        list[i] = c->providers[i];
        provider_ref(list[i]);
    }
    pthread_mutex_unlock(&c->lock);
    return list;
}

void providers_release(struct provider **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        provider_put(list[i]);
    free(list);
}

void provider_copy_name(struct provider *p, char *out, size_t cap)
{
    pthread_mutex_lock(&p->lock);
    str_copy(out, cap, p->name);
    pthread_mutex_unlock(&p->lock);
}

bool provider_stopped(const struct provider *p)
{
    return p->state == PV_PROVIDER_STATE_AUTH_FAILED || p->state == PV_PROVIDER_STATE_CERT_CHANGED;
}

bool provider_usable(struct provider *p)
{
    bool usable;

    pthread_mutex_lock(&p->lock);
    usable = p->session_state == SESSION_OPEN && !p->reconnect && !p->deleted &&
             (p->state == PV_PROVIDER_STATE_CONNECTED || p->state == PV_PROVIDER_STATE_DEGRADED);
    pthread_mutex_unlock(&p->lock);
    return usable;
}

/* ---------------------------------------------------------------- state */

struct state_write {
    struct provider *provider;
    struct event_set events;
};

static int state_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct state_write *s = arg;
    struct provider *p = s->provider;
    const struct kind_info *k = &p->core->kinds[PV_KIND_provider];
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    struct model_value v;
    struct row_diff d;
    const char *reason;
    int64_t state;
    int rc = events_begin(&s->events, tx, err);

    if (rc == PV_OK)
        rc = tx_rows_get(tx, PV_KIND_provider, &p->id, 1, false, a, &row, err);
    if (rc != PV_OK || !row)
        return rc;
    /* Whatever order the writes come in, the last one stores what is true then. */
    pthread_mutex_lock(&p->lock);
    state = p->state;
    reason = p->reason_json ? arena_strdup(a, p->reason_json) : NULL;
    pthread_mutex_unlock(&p->lock);
    rc = diff_init(&d, row, true, a, err);
    if (rc != PV_OK)
        return rc;
    v = value_number(state);
    diff_set(&d, F(provider, state), &v);
    v = value_text(reason);
    diff_set(&d, F(provider, state_reason), &v);
    if (d.n > 0) {
        bool bad = state != PV_PROVIDER_STATE_CONNECTED && state != PV_PROVIDER_STATE_PROBING;
        struct event_draft e = { .type = "provider.state", .kind = PV_KIND_provider,
                                 .subject = p->id, .name = model_text(row, F(provider, name)),
                                 .provider = p->id,
                                 .provider_name = model_text(row, F(provider, name)),
                                 .severity = bad ? PV_SEVERITY_WARNING : PV_SEVERITY_INFO,
                                 .changes = diff_changes(&d, a),
                                 .actor_type = PV_ACTOR_TYPE_SYSTEM };

        e.message = arena_printf(a, "the provider %s is %s", e.name,
                                 model_enum_text(PV_ENUM_provider_state, state));
        rc = diff_write(&d, tx, k, clock_wall_ms(), &e.object_version, err);
        if (rc == PV_OK)
            rc = events_add(&s->events, tx, &e, err);
    }
    diff_free(&d);
    return rc;
}

void provider_set_state(struct provider *p, enum pv_provider_state state, const struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(8192, 65536);
    struct state_write s = { .provider = p };
    const char *reason = err && a ? core_problem_json(a, err) : NULL;
    struct pv_err failed = { 0 };
    bool same;

    pthread_mutex_lock(&p->lock);
    same = p->state == state && str_eq(p->reason_json, reason);
    p->state = state;
    free(p->reason_json);
    p->reason_json = reason ? strdup(reason) : NULL;
    str_copy(p->reason, sizeof(p->reason), err ? err->message : "");
    pthread_mutex_unlock(&p->lock);
    if (same)
        return;
    events_init(&s.events, p->core);
    if (store_write(p->core->store, state_tx, &s, &failed) != PV_OK)
        log_msg(PV_LOG_ERROR, "provider.state", "%s", failed.message);
    events_free(&s.events);
    tasks_wake(p->core);
}

void provider_reached(struct provider *p)
{
    bool news;

    pthread_mutex_lock(&p->lock);
    news = p->state != PV_PROVIDER_STATE_CONNECTED && p->state != PV_PROVIDER_STATE_DEGRADED;
    pthread_mutex_unlock(&p->lock);
    if (news)
        provider_set_state(p, PV_PROVIDER_STATE_CONNECTED, NULL);
}

/* ---------------------------------------------------------------- connecting */

struct retry {
    struct provider *provider;
    unsigned epoch;
};

static void retry_job(void *arg)
{
    struct retry *r = arg;
    bool due;

    pthread_mutex_lock(&r->provider->lock);
    due = r->epoch == r->provider->connect_epoch;
    pthread_mutex_unlock(&r->provider->lock);
    if (due)
        provider_connect(r->provider, false);
    provider_put(r->provider);
    free(r);
}

static void retry_later(struct provider *p)
{
    struct retry *r = calloc(1, sizeof(*r));
    int64_t ms;

    if (!r)
        return;
    pthread_mutex_lock(&p->lock);
    ms = backoff_next_ms(&p->backoff);
    r->epoch = ++p->connect_epoch;
    pthread_mutex_unlock(&p->lock);
    r->provider = p;
    provider_ref(p);
    if (!core_later(p->core, ms, retry_job, r)) {
        provider_put(p);
        free(r);
    }
}

void provider_failed(struct provider *p, const struct pv_err *err, bool again)
{
    enum pv_provider_state state = PV_PROVIDER_STATE_DISCONNECTED;
    char name[NAME_CAP];
    bool stop;

    if (atomic_load(&p->core->stopping))
        return;
    if (err->rc == PV_EAUTH)
        state = PV_PROVIDER_STATE_AUTH_FAILED;
    if (err->rc == PV_ECERT)
        state = PV_PROVIDER_STATE_CERT_CHANGED;
    stop = state != PV_PROVIDER_STATE_DISCONNECTED || !again;
    pthread_mutex_lock(&p->lock);
    if (p->deleted) {
        pthread_mutex_unlock(&p->lock);
        return;
    }
    /* The next session must not use what was refused. */
    if (state != PV_PROVIDER_STATE_DISCONNECTED)
        p->reconnect = true;
    pthread_mutex_unlock(&p->lock);
    provider_copy_name(p, name, sizeof(name));
    log_msg(PV_LOG_WARN, "provider.failed", "provider=%s error=\"%s\" native=%s", name,
            err->message, err->native_code);
    provider_set_state(p, state, err);
    provider_sync_done(p, err);
    if (!stop)
        retry_later(p);
}

static uint64_t start_watch(struct driver_session *s, void *arg)
{
    struct provider *p = arg;
    const char *cursor = p->want_full ? NULL : p->cursor;
    /* One at a time, whoever asks first. */
    uint64_t number = p->watch_call ? 0 : driver_watch(s, cursor);

    if (number) {
        if (!cursor)
            provider_sync_arm(p);
        p->want_full = false;
        p->watch_call = number;
    }
    return number;
}

static void watch_ended(void *arg, const struct pv_failure *failure, const char *result)
{
    struct provider *p = arg;
    struct pv_err err = { 0 };
    bool again, closing;

    (void)result;
    pthread_mutex_lock(&p->lock);
    p->watch_call = 0;
    again = p->want_full;
    closing = p->deleted || p->reconnect || p->session_state != SESSION_OPEN ||
              atomic_load(&p->core->stopping);
    pthread_mutex_unlock(&p->lock);
    if (!closing) {
        if (again) {
            provider_start_watch(p);
        } else {
            if (failure->code == 0 || failure->code == PV_ECANCELED)
                pv_fail(&err, PV_EOFFLINE, "the driver stopped watching without a reason");
            else
                driver_failure_err(failure, &err);
            provider_failed(p, &err, true);
        }
    }
    provider_put(p);
}

void provider_start_watch(struct provider *p)
{
    struct open_call *call = calloc(1, sizeof(*call));

    if (!call)
        return;
    call->done = watch_ended;
    call->arg = p;
    provider_ref(p);
    if (provider_call(p, call, start_watch, p))
        return;
    provider_put(p);
    free(call);
}

void provider_want_full(struct provider *p)
{
    uint64_t watch;

    pthread_mutex_lock(&p->lock);
    p->want_full = true;
    watch = p->watch_call;
    if (watch && p->session)
        driver_cancel(p->session->link, watch);
    pthread_mutex_unlock(&p->lock);
}

/* Closes the session, if there is one, and ends what it had under way. No lock held, not on its own callbacks. */
void provider_close_session(struct provider *p)
{
    struct session *s;

    pthread_mutex_lock(&p->lock);
    s = PV_TAKE(p->session);
    p->session_state = SESSION_NONE;
    pthread_mutex_unlock(&p->lock);
    if (!s)
        return;
    driver_session_close(s->link);
    free(s);
    session_end_calls(p);
    pthread_mutex_lock(&p->lock);
    p->watch_call = 0;
    pthread_mutex_unlock(&p->lock);
}

static int open_session(struct provider *p, struct pv_err *err)
{
    PV_AUTO_FREE char *config = NULL;
    char *secrets = NULL;
    struct session *s = calloc(1, sizeof(*s));
    int rc = s ? provider_config(p, &config, &secrets, err)
               : pv_fail(err, PV_ENOMEM, "no memory for a session");

    if (rc != PV_OK) {
        free(s);
        return rc;
    }
    s->provider = p;
    /* Its first callback waits for the lock, so it finds the session in place. */
    pthread_mutex_lock(&p->lock);
    p->reconnect = false;
    p->session_state = SESSION_OPENING;
    if (p->deleted || atomic_load(&p->core->stopping))
        rc = pv_fail(err, PV_ECANCELED, "it is being closed");
    else
        rc = drivers_open(p->core->drivers, p->driver, config, secrets, &session_ops, s, &s->link,
                          err);
    if (rc == PV_OK)
        p->session = s;
    else
        p->session_state = SESSION_NONE;
    pthread_mutex_unlock(&p->lock);
    provider_secrets_free(secrets);
    if (rc != PV_OK)
        free(s);
    return rc;
}

static int connect_once(struct provider *p, struct pv_err *err)
{
    bool fresh, open, first;
    int rc;

    pthread_mutex_lock(&p->apply_lock);
    rc = inventory_load(p, err);
    pthread_mutex_unlock(&p->apply_lock);
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&p->lock);
    fresh = p->reconnect || p->session_state == SESSION_DOWN || p->session_state == SESSION_NONE;
    open = p->session_state == SESSION_OPEN;
    first = p->state == PV_PROVIDER_STATE_NEW;
    pthread_mutex_unlock(&p->lock);
    if (first)
        provider_set_state(p, PV_PROVIDER_STATE_PROBING, NULL);
    if (!fresh) {
        if (open)
            provider_start_watch(p);
        return PV_OK;
    }
    provider_close_session(p);
    return open_session(p, err);
}

static void connect_job(void *arg)
{
    struct provider *p = arg;
    struct pv_err err = { 0 };
    bool again;

    do {
        int rc = PV_OK;
        bool wanted;

        pthread_mutex_lock(&p->lock);
        p->connect_again = false;
        wanted = !p->deleted && !atomic_load(&p->core->stopping);
        pthread_mutex_unlock(&p->lock);
        if (wanted)
            rc = connect_once(p, &err);
        if (rc != PV_OK)
            provider_failed(p, &err, !str_eq(err.problem, "driver-parked"));
        pthread_mutex_lock(&p->lock);
        again = p->connect_again;
        p->connecting = again;
        pthread_mutex_unlock(&p->lock);
    } while (again);
    provider_put(p);
}

void provider_connect(struct provider *p, bool now)
{
    bool submit;

    pthread_mutex_lock(&p->lock);
    p->connect_epoch++;
    if (now)
        backoff_reset(&p->backoff);
    submit = !p->connecting && !p->deleted;
    p->connect_again = p->connecting;
    p->connecting = true;
    pthread_mutex_unlock(&p->lock);
    if (!submit)
        return;
    provider_ref(p);
    if (!core_submit(p->core, connect_job, p)) {
        pthread_mutex_lock(&p->lock);
        p->connecting = false;
        pthread_mutex_unlock(&p->lock);
        provider_put(p);
    }
}

void providers_stop(struct core *c)
{
    size_t n;
    struct provider **list = providers_all(c, &n);

    for (size_t i = 0; i < n; i++)
        provider_close_session(list[i]);
    providers_release(list, n);
}

/* ---------------------------------------------------------------- sync of the row */

static const char *sync_json(struct provider *p, struct arena *a)
{
    struct buf text;
    struct jsonw w;
    const char *out;

    buf_init(&text, 4096);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "mode", p->mode[0] ? p->mode : NULL);
    jsonw_i64(&w, "interval_s", p->interval_s);
    jsonw_time(&w, "last_full_at", p->last_full_at);
    jsonw_i64(&w, "last_full_ms", p->last_full_ms);
    jsonw_u64(&w, "objects", p->sync_objects);
    jsonw_i64(&w, "requests_last_full", p->requests_last_full);
    jsonw_time(&w, "last_change_at", p->last_change_at);
    if (p->lag_ms)
        jsonw_i64(&w, "lag_ms", p->lag_ms);
    else
        jsonw_null(&w, "lag_ms");
    jsonw_end(&w);
    out = buf_ok(&text) ? arena_text(a, text.data, text.len) : NULL;
    buf_free(&text);
    return out;
}

static int sync_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct provider *p = arg;
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_provider);
    uint16_t field = F(provider, sync);
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a row");
    row->id = p->id;
    pthread_mutex_lock(&p->lock);
    model_set_text(row, F(provider, sync), sync_json(p, tx_arena(tx)));
    pthread_mutex_unlock(&p->lock);
    rc = tx_row_update(tx, row, &field, 1, err);
    return rc == PV_ENOENT ? PV_OK : rc;
}

void provider_sync_write(struct provider *p, bool now)
{
    int64_t mono = clock_mono_ms();
    struct pv_err err = { 0 };
    bool due;

    pthread_mutex_lock(&p->lock);
    due = now || mono - p->sync_written_ms >= SYNC_EVERY_MS;
    if (due)
        p->sync_written_ms = mono;
    pthread_mutex_unlock(&p->lock);
    if (due && store_write(p->core->store, sync_tx, p, &err) != PV_OK)
        log_msg(PV_LOG_ERROR, "provider.sync", "%s", err.message);
}
