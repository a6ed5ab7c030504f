/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"

#define WRITTEN_FOR "8.0.3.0"
#define SILENCE_MS (5 * 60 * 1000)
#define LOGIN_TIMEOUT_MS 30000
#define CALL_TIMEOUT_MS 60000     /* methods that take long answer with a task at once */
#define LISTING_TIMEOUT_MS 300000 /* one page */
#define ANSWER_GRACE_MS 20000     /* for the answer to a sent change of a cancelled call */
#define LOGOUT_TIMEOUT_MS 1500
#define LOGINS_WINDOW_MS 60000
#define PASSWORD_MOST 4096

int session_version_cmp(const char *a, const char *b)
{
    while (*a || *b) {
        unsigned long x = strtoul(a, NULL, 10), y = strtoul(b, NULL, 10);

        if (x != y)
            return x < y ? -1 : 1;
        a += strcspn(a, ".");
        b += strcspn(b, ".");
        a += *a == '.';
        b += *b == '.';
    }
    return 0;
}

static void read_content(const xmlNode *value, struct content *out)
{
    const xmlNode *about = xml_child(value, NULL, "about");
    const char *api_type = value_field(about, "apiType");
    const struct {
        const char *name;
        char *out;
        size_t cap;
    } texts[] = {
        { "name", out->product, sizeof(out->product) },
        { "fullName", out->full_name, sizeof(out->full_name) },
        { "version", out->version, sizeof(out->version) },
        { "build", out->build, sizeof(out->build) },
        { "apiVersion", out->api_version, sizeof(out->api_version) },
        { "instanceUuid", out->instance_uuid, sizeof(out->instance_uuid) },
    };

    for (size_t i = 0; i < PV_COUNT(texts); i++) {
        const char *text = value_field(about, texts[i].name);

        (void)str_copy(texts[i].out, texts[i].cap, text ? text : "");
    }
    out->vcenter = api_type && strcmp(api_type, "VirtualCenter") == 0;
    (void)str_copy(out->soap_version, sizeof(out->soap_version),
                   session_version_cmp(out->api_version, WRITTEN_FOR) < 0 ? out->api_version
                                                                          : WRITTEN_FOR);
    (void)value_ref(xml_child(value, NULL, "rootFolder"), &out->root);
    (void)value_ref(xml_child(value, NULL, "propertyCollector"), &out->collector);
    (void)value_ref(xml_child(value, NULL, "viewManager"), &out->views);
    (void)value_ref(xml_child(value, NULL, "sessionManager"), &out->sessions);
    (void)value_ref(xml_child(value, NULL, "eventManager"), &out->events);
    (void)value_ref(xml_child(value, NULL, "authorizationManager"), &out->authorization);
    (void)value_ref(xml_child(value, NULL, "searchIndex"), &out->search);
    (void)value_ref(xml_child(value, NULL, "fileManager"), &out->files);
}

void session_count_request(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    s->requests++;
    pthread_mutex_unlock(&s->lock);
}

unsigned session_requests(struct session *s)
{
    unsigned n;

    pthread_mutex_lock(&s->lock);
    n = s->requests;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* One exchange outside the login's protection: signing in and out, and who is there. */
static int plain_exchange(struct session *s, const struct call *c, const struct enc *request,
                          const char *cookie, unsigned timeout_ms, struct soap_answer *out,
                          struct pv_err *err)
{
    struct soap_exchange x = {
        .http = s->http,
        .url = s->config.at.url,
        .version = s->content.soap_version[0] ? s->content.soap_version : NULL,
        .cookie = cookie && *cookie ? cookie : NULL,
        .request = request,
        .timeout_ms = timeout_ms,
        .cancelled = c ? call_cancelled : NULL,
        .cancel_ctx = (void *)(uintptr_t)c,
    };

    return soap_send(&x, out, err);
}

static int get_content(struct session *s, const struct call *c, struct pv_err *err)
{
    struct enc *e = enc_new("RetrieveServiceContent", "ServiceInstance", "ServiceInstance");
    struct soap_answer answer = { 0 };
    struct content content = { 0 };
    int rc = e ? plain_exchange(s, c, e, NULL, LOGIN_TIMEOUT_MS, &answer, err)
               : pv_fail(err, PV_ENOMEM, "no memory");

    if (rc == PV_OK && answer.fault.type[0])
        rc = fault_fail(&answer.fault, "asking for the service content", err);
    if (rc == PV_OK) {
        read_content(soap_returnval(&answer), &content);
        if (!content.root.id[0] || !content.collector.id[0] || !content.api_version[0] ||
            !content.sessions.id[0] || !content.views.id[0])
            rc = pv_fail_as(err, "provider-not-recognized",
                            "the address does not answer as vSphere");
    }
    if (rc == PV_OK) {
        s->content = content;
        pthread_mutex_lock(&s->lock);
        s->have_content = true;
        pthread_mutex_unlock(&s->lock);
    }
    soap_answer_free(&answer);
    enc_free(e);
    return rc;
}

/* Waiting for somebody else's sign-in must be cancellable, too. */
static int lock_login(struct session *s, const struct call *c, struct pv_err *err)
{
    for (;;) {
        struct timespec until;
        int code;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 250000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        code = pthread_mutex_timedlock(&s->login_lock, &until);
        if (code == 0)
            return PV_OK;
        if (code != ETIMEDOUT)
            return pv_fail_os(err, code, "cannot lock the login");
        if (call_cancelled((void *)(uintptr_t)c))
            return pv_fail(err, PV_ECANCELED, "canceled");
    }
}

static bool is_signed_in(struct session *s, unsigned *generation, struct pv_err *refusal,
                         bool *refused)
{
    bool yes;

    pthread_mutex_lock(&s->lock);
    yes = s->signed_in;
    *generation = s->generation;
    *refused = s->refused;
    if (s->refused && refusal)
        *refusal = s->refusal;
    pthread_mutex_unlock(&s->lock);
    return yes;
}

static void remember_refusal(struct session *s, const struct pv_err *err)
{
    pthread_mutex_lock(&s->lock);
    s->refused = true;
    s->refusal = *err;
    pthread_mutex_unlock(&s->lock);
}

static struct enc *login_request(struct session *s, struct pv_err *err)
{
    char *password = malloc(PASSWORD_MOST);
    struct enc *e = NULL;
    int rc =
        password ? s->host->secret(s->host->ctx, "password", password, PASSWORD_MOST) : PV_ENOMEM;

    if (rc == PV_OK)
        e = enc_new("Login", s->content.sessions.type, s->content.sessions.id);
    if (e) {
        enc_text(enc_root(e), "userName", s->config.at.username);
        enc_text(enc_root(e), "password", password);
    } else if (rc == PV_ENOENT) {
        (void)pv_fail(err, PV_EAUTH, "there is no password for %s", s->config.at.username);
    } else {
        (void)pv_fail(err, rc ? rc : PV_ENOMEM, "the password cannot be read");
    }
    if (password)
        explicit_bzero(password, PASSWORD_MOST);
    free(password);
    return e;
}

/* Signing in again and again means that something is wrong: sessions are a limited good of the
 * server. */
static int check_rate(struct session *s, struct pv_err *err)
{
    int64_t now = clock_mono_ms();

    if (now < s->limit_until_ms)
        return pv_fail(err, PV_ELIMIT,
                       "the server refused a login for lack of room; it is tried again later");
    if (s->logins[s->login_at] && now - s->logins[s->login_at] < LOGINS_WINDOW_MS)
        return pv_fail(err, PV_ELIMIT,
                       "the server ends every login at once; it is tried again later");
    s->logins[s->login_at] = now ? now : 1;
    s->login_at = (s->login_at + 1) % (unsigned)PV_COUNT(s->logins);
    return PV_OK;
}

static void accept_login(struct session *s, const struct soap_answer *answer)
{
    backoff_reset(&s->limit_backoff);
    pthread_mutex_lock(&s->lock);
    s->signed_in = true;
    s->generation++;
    if (answer->cookie[0])
        (void)str_copy(s->cookie, sizeof(s->cookie), answer->cookie);
    s->last_sent_ms = clock_mono_ms();
    pthread_mutex_unlock(&s->lock);
}

/* With login_lock held. No cookie is sent: a second login on a live one is refused as if the
 * password were wrong. */
static int sign_in(struct session *s, const struct call *c, struct pv_err *err)
{
    struct soap_answer answer = { 0 };
    struct pv_err mine = { 0 };
    struct enc *e;
    int rc = check_rate(s, err);

    if (rc == PV_OK && !s->have_content)
        rc = get_content(s, c, err);
    if (rc)
        return rc;
    e = login_request(s, &mine);
    rc = e ? plain_exchange(s, c, e, NULL, LOGIN_TIMEOUT_MS, &answer, &mine) : mine.rc;
    if (rc == PV_OK && answer.fault.type[0]) {
        rc = fault_fail(&answer.fault, "signing in", &mine);
        if (fault_is(&answer.fault, "NoPermission"))
            rc = mine.rc = PV_EAUTH;
        if (rc == PV_EAUTH)
            remember_refusal(s, &mine);
    } else if (rc == PV_OK && answer.signed_out) {
        rc = pv_fail(&mine, PV_EAUTH, "signing in: the server answered with HTTP 401");
        remember_refusal(s, &mine);
    } else if (rc == PV_OK) {
        accept_login(s, &answer);
    } else if (answer.overloaded) {
        s->limit_until_ms = clock_mono_ms() + backoff_next_ms(&s->limit_backoff);
    }
    if (rc && err)
        *err = mine;
    soap_answer_free(&answer);
    enc_free(e);
    return rc;
}

int session_login(struct session *s, const struct call *c, unsigned *generation, struct pv_err *err)
{
    unsigned now;
    bool refused;
    int rc;

    if (is_signed_in(s, &now, err, &refused)) {
        *generation = now;
        return PV_OK;
    }
    if (refused)
        return PV_EAUTH;
    rc = lock_login(s, c, err);
    if (rc)
        return rc;
    if (!is_signed_in(s, &now, err, &refused))
        rc = refused ? PV_EAUTH : sign_in(s, c, err);
    if (rc == PV_OK)
        (void)is_signed_in(s, generation, NULL, &refused);
    pthread_mutex_unlock(&s->login_lock);
    return rc;
}

int session_content(struct session *s, const struct call *c, struct pv_err *err)
{
    int rc = lock_login(s, c, err);

    if (rc)
        return rc;
    if (!s->have_content)
        rc = get_content(s, c, err);
    pthread_mutex_unlock(&s->login_lock);
    return rc;
}

static void sign_out_of(struct session *s, unsigned generation)
{
    pthread_mutex_lock(&s->lock);
    if (s->generation == generation)
        s->signed_in = false;
    pthread_mutex_unlock(&s->lock);
}

struct asking {
    const struct call *c;
    bool changes;
    int64_t cancelled_ms;
};

/* A change that was sent is not broken off: only its answer says what the server made of it. */
static bool is_broken_off(void *ctx)
{
    struct asking *a = ctx;

    if (!call_cancelled((void *)(uintptr_t)a->c))
        return false;
    if (!a->changes || call_is_closing(a->c))
        return true;
    if (!a->cancelled_ms)
        a->cancelled_ms = clock_mono_ms();
    return clock_mono_ms() - a->cancelled_ms >= ANSWER_GRACE_MS;
}

static int exchange(struct session *s, const struct call *c, const struct session_request *r,
                    struct soap_answer *out, struct pv_err *err)
{
    struct asking asking = { .c = c, .changes = r->changes };
    struct soap_exchange x = {
        .http = s->http,
        .url = s->config.at.url,
        .version = s->content.soap_version,
        .request = r->request,
        .changes = r->changes,
        .timeout_ms = r->timeout_ms  ? r->timeout_ms
                      : r->stream[0] ? LISTING_TIMEOUT_MS
                                     : CALL_TIMEOUT_MS,
        .stall_timeout_ms = r->stall_timeout_ms,
        .cancelled = is_broken_off,
        .cancel_ctx = &asking,
        .on_element = r->on_element,
        .stream_ctx = r->stream_ctx,
    };
    char cookie[sizeof(s->cookie)];

    if (r->changes && call_cancelled((void *)(uintptr_t)c))
        return pv_fail(err, PV_ECANCELED, "canceled before it was sent");
    pthread_mutex_lock(&s->lock);
    memcpy(cookie, s->cookie, sizeof(cookie));
    s->last_sent_ms = clock_mono_ms();
    s->requests++;
    pthread_mutex_unlock(&s->lock);
    x.cookie = cookie[0] ? cookie : NULL;
    memcpy(x.stream, r->stream, sizeof(x.stream));
    return soap_send(&x, out, err);
}

int session_call(struct session *s, const struct call *c, const struct session_request *r,
                 struct soap_answer *out, struct pv_err *err)
{
    memset(out, 0, sizeof(*out));
    for (unsigned tries = 0;; tries++) {
        unsigned generation;
        int rc = session_login(s, c, &generation, err);

        if (rc)
            return rc;
        if (r->generation && r->generation != generation)
            return SESSION_RENEWED;
        rc = exchange(s, c, r, out, err);
        if (rc == PV_OK && (out->signed_out || (r->signed_out && *r->signed_out))) {
            sign_out_of(s, generation);
            if (r->generation)
                return SESSION_RENEWED;
            if (tries == 0) {
                soap_answer_free(out);
                continue;
            }
            rc = pv_fail(err, PV_EAUTH, "the server forgets the sign-in at once");
            pv_err_native(err, "NotAuthenticated");
            return rc;
        }
        if (rc == PV_OK && out->fault.type[0])
            rc = fault_fail(&out->fault, r->what ? r->what : enc_method(r->request), err);
        return rc;
    }
}

int session_download(struct session *s, const struct call *c, const char *path, size_t most,
                     struct buf *out, struct pv_err *err)
{
    char url[2048], cookie[sizeof(s->cookie) + 16];
    const char *headers[1] = { cookie };
    struct httpc_request request = { .method = "GET",
                                     .url = url,
                                     .headers = headers,
                                     .nheaders = 1,
                                     .timeout_ms = 30000,
                                     .cancelled = call_cancelled,
                                     .ctx = (void *)(uintptr_t)c };
    struct httpc_response response = { 0 };
    unsigned generation;
    int rc = session_login(s, c, &generation, err);

    if (rc)
        return rc;
    if (snprintf(url, sizeof(url), "%s%s", s->config.at.origin, path) >= (int)sizeof(url))
        return pv_fail(err, PV_EINVAL, "the path of the file is too long");
    pthread_mutex_lock(&s->lock);
    (void)snprintf(cookie, sizeof(cookie), "Cookie: %s", s->cookie);
    s->last_sent_ms = clock_mono_ms();
    s->requests++;
    pthread_mutex_unlock(&s->lock);
    rc = httpc_send(s->http, &request, &response, err);
    explicit_bzero(cookie, sizeof(cookie));
    if (rc == PV_OK && response.status != 200)
        rc = pv_fail(err, response.status == 404 ? PV_ENOENT : PV_EIO,
                     "the server answers the download with HTTP %ld", response.status);
    else if (rc == PV_OK && response.body.len > most)
        rc = pv_fail(err, PV_ELIMIT, "the file is larger than expected");
    if (rc == PV_OK)
        buf_append(out, response.body.data, response.body.len);
    httpc_response_free(&response);
    return rc;
}

int session_keep_alive(struct session *s, const struct call *c, struct pv_err *err)
{
    struct session_request r = { .what = "keeping the sign-in alive" };
    struct soap_answer answer;
    int64_t silent;
    int rc;

    pthread_mutex_lock(&s->lock);
    silent = clock_mono_ms() - s->last_sent_ms;
    pthread_mutex_unlock(&s->lock);
    if (silent < SILENCE_MS)
        return PV_OK;
    r.request = enc_new("CurrentTime", "ServiceInstance", "ServiceInstance");
    if (!r.request)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = session_call(s, c, &r, &answer, err);
    soap_answer_free(&answer);
    enc_free(r.request);
    return rc;
}

bool session_forget_path(struct session *s, const char *path)
{
    bool room;

    pthread_mutex_lock(&s->lock);
    room = s->nunknown < PV_COUNT(s->unknown_paths);
    if (room)
        (void)str_copy(s->unknown_paths[s->nunknown++], sizeof(s->unknown_paths[0]), path);
    pthread_mutex_unlock(&s->lock);
    return room;
}

bool session_knows_path(struct session *s, const char *path)
{
    bool knows = true;

    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->nunknown && knows; i++)
        knows = strcmp(s->unknown_paths[i], path) != 0;
    pthread_mutex_unlock(&s->lock);
    return knows;
}

int session_new_client(const struct session *s, const struct call *c, struct httpc **out,
                       struct pv_err *err)
{
    struct httpc_config h = {
        .tls = s->config.at.tls,
        .ca_pem = s->config.at.ca_pem,
        .pins = (const char *const *)s->config.at.pins,
        .npins = s->config.at.npins,
        .allow_http = s->config.at.plain,
        .timeout_ms = 300000,
        .stall_timeout_ms = 120000,
        .user_agent = "polyvisor-vapi/" PV_VERSION,
        .cancelled = c ? call_cancelled : NULL,
        .ctx = (void *)(uintptr_t)c,
    };

    return httpc_new(&h, out, err);
}

int session_new(const struct pv_host *host, const char *config, struct session **out,
                struct pv_err *err)
{
    struct session *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory");
    s->host = host;
    s->limit_backoff = (struct backoff){ .first_ms = 1000, .most_ms = 60000 };
    rc = config_parse(config, &s->config, err);
    if (rc == PV_OK)
        rc = session_new_client(s, NULL, &s->http, err);
    if (rc) {
        config_free(&s->config);
        free(s);
        return rc;
    }
    pthread_mutex_init(&s->login_lock, NULL);
    pthread_mutex_init(&s->lock, NULL);
    *out = s;
    return PV_OK;
}

/* A leaked login stays on the server for half an hour. */
static void sign_out(struct session *s)
{
    struct enc *e = enc_new("Logout", s->content.sessions.type, s->content.sessions.id);
    struct soap_answer answer = { 0 };
    struct pv_err err = { 0 };

    if (e)
        (void)plain_exchange(s, NULL, e, s->cookie, LOGOUT_TIMEOUT_MS, &answer, &err);
    soap_answer_free(&answer);
    enc_free(e);
}

void session_free(struct session *s)
{
    if (!s)
        return;
    if (s->signed_in)
        sign_out(s);
    httpc_free(s->http);
    config_free(&s->config);
    pthread_mutex_destroy(&s->login_lock);
    pthread_mutex_destroy(&s->lock);
    explicit_bzero(s->cookie, sizeof(s->cookie));
    free(s);
}
