/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/conformance.h"

#include <dirent.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>

#include "drivers/sdk/bench.h"
#include "drivers/sdk/fail.h"

#define LISTING_S 300u
#define CANCEL_MS 5000
#define MARK_S 65u              /* a sign of life is due once a minute */
#define ROUNDS 20
#define MEMORY_SLACK (1u << 20)
#define NOBODY "polyvisor-conformance-no-such-object"
#define DEEP 100000

PV_DEFINE_AUTO(json_decref, json_t *)

struct suite {
    const struct sdk_conformance *what;
    const struct pv_driver *d;
    struct bench bench;
    char *config;
    unsigned number, failed;
};

/* A watch() on a thread of its own. */
struct watch {
    struct suite *s;
    void *session;
    const char *cursor;
    pthread_t thread;
    int rc;
    struct pv_failure fail;
    bool done;                  /* guarded by bench.lock */
};

__attribute__((format(printf, 4, 5))) static bool check(struct suite *s, bool ok, const char *name,
                                                        const char *fmt, ...)
{
    va_list ap;

    s->number++;
    fprintf(s->what->out, "%s %u - %s\n", ok ? "ok" : "not ok", s->number, name);
    if (!ok) {
        s->failed++;
        va_start(ap, fmt);
        fputs("#   ", s->what->out);
        vfprintf(s->what->out, fmt, ap);
        fputc('\n', s->what->out);
        va_end(ap);
    }
    fflush(s->what->out);
    return ok;
}

static void skip(struct suite *s, const char *name, const char *why)
{
    s->number++;
    fprintf(s->what->out, "ok %u - %s # SKIP %s\n", s->number, name, why);
}

static bool implements(const struct suite *s, const char *operation)
{
    PV_AUTO(json_decref_p) json_t *names = json_loads(s->d->operations, 0, NULL);
    json_t *name;
    size_t i;

    json_array_foreach (names, i, name)
        if (strcmp(json_string_value(name), operation) == 0)
            return true;
    return false;
}

/* ---------------------------------------------------------------- table and settings */

static void test_table(struct suite *s)
{
    PV_AUTO(json_decref_p) json_t *names = json_loads(s->d->operations, 0, NULL);
    PV_AUTO(json_decref_p) json_t *schema = json_loads(s->d->config_schema, 0, NULL);
    const char *unknown = NULL;
    json_t *name;
    size_t i;

    json_array_foreach (names, i, name) {
        const struct model_operation *op = model_operation(json_string_value(name));

        if (!op || op->core)
            unknown = json_string_value(name);
    }
    check(s, !unknown, "every operation it names is one that drivers carry out", "%s",
          unknown ? unknown : "");
    check(s, json_array_size(names) == 0 || s->d->call, "it can call what it names",
          "call is NULL");
    check(s, json_is_string(json_object_get(schema, "title")) &&
                 json_is_string(json_object_get(schema, "description")),
          "its settings schema has a title and a description", "one is missing");
    check(s, !(s->d->probe || s->d->call) || s->d->free_text, "what it answers can be freed",
          "free_text is NULL");
}

/* One configuration that is to be refused, or (may) to be either refused or accepted. */
static void try_config(struct suite *s, const char *config, bool may, const char *name)
{
    struct pv_failure fail = { .size = sizeof(fail) };
    void *session = NULL;
    int rc = s->d->open(&s->bench.host, config, &session, &fail);

    if (rc == PV_OK)
        s->d->close(session);
    if (rc == PV_OK && may)
        check(s, true, name, "accepted");
    else
        check(s, rc == PV_EINVAL && fail.message[0], name, "open answers %s, message \"%s\"",
              pv_rc_name(rc), fail.message);
}

/* The configuration of the suite, changed by `change`. */
static void try_changed(struct suite *s, void (*change)(json_t *config), bool may,
                        const char *name)
{
    PV_AUTO(json_decref_p) json_t *config = json_loads(s->config, 0, NULL);
    PV_AUTO_FREE char *text = NULL;

    change(config);
    text = json_dumps(config, 0);
    if (text)
        try_config(s, text, may, name);
}

static void add_unknown(json_t *config)
{
    json_t *settings = json_object_get(config, "settings");

    if (!settings)
        json_object_set_new(config, "settings", json_pack("{s:i}", "no_such_setting", 1));
    else
        json_object_set_new(settings, "no_such_setting", json_integer(1));
}

static void spoil_settings(json_t *config)
{
    json_object_set_new(config, "settings", json_pack("[i]", 1));
}

static void drop_endpoint(json_t *config)
{
    json_object_del(config, "endpoint");
}

static void spoil_endpoint(json_t *config)
{
    json_object_set_new(config, "endpoint", json_integer(7));
}

static void test_settings(struct suite *s)
{
    PV_AUTO_FREE char *deep = malloc(DEEP + 1);

    try_config(s, "{", false, "settings that are cut off are refused");
    try_config(s, "", false, "no settings at all are refused");
    try_config(s, "[]", false, "settings that are no object are refused");
    if (deep) {
        memset(deep, '[', DEEP);
        deep[DEEP] = '\0';
        try_config(s, deep, false, "settings without end are refused");
    }
    try_changed(s, add_unknown, false, "a setting it does not know is refused");
    try_changed(s, spoil_settings, false, "settings of the wrong type are refused");
    try_changed(s, drop_endpoint, true, "a missing endpoint is refused, or not needed");
    try_changed(s, spoil_endpoint, true, "an endpoint of the wrong type is refused, or not needed");
}

static void test_probe(struct suite *s)
{
    struct pv_failure fail = { .size = sizeof(fail) };
    PV_AUTO(json_decref_p) json_t *report = NULL;
    bool good = true;
    char *text = NULL;
    json_t *finding;
    size_t i;
    int rc;

    if (!s->d->probe) {
        skip(s, "probe reports findings", "it has no probe");
        return;
    }
    bench_reset(&s->bench);
    rc = s->d->probe(&s->bench.host, s->config, 1, &text, &fail);
    report = text ? json_loads(text, 0, NULL) : NULL;
    json_array_foreach (report, i, finding)
        good = good && json_is_string(json_object_get(finding, "step")) &&
               json_is_boolean(json_object_get(finding, "ok")) &&
               json_is_string(json_object_get(finding, "detail"));
    check(s, rc == PV_OK && json_array_size(report) > 0 && good, "probe reports findings",
          "%s \"%s\" %.200s", pv_rc_name(rc), fail.message, text ? text : "");
    check(s, s->bench.batches + s->bench.marks == 0, "probe reports no objects", "%u batches",
          s->bench.batches);
    if (text && s->d->free_text)
        s->d->free_text(text);
}

/* ---------------------------------------------------------------- watching */

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    int rc = w->s->d->watch(w->session, 2, w->cursor, &w->fail);

    pthread_mutex_lock(&w->s->bench.lock);
    w->rc = rc;
    w->done = true;
    pthread_cond_broadcast(&w->s->bench.changed);
    pthread_mutex_unlock(&w->s->bench.lock);
    return NULL;
}

static bool watch_start(struct suite *s, struct watch *w, void *session, const char *cursor)
{
    pthread_attr_t attr;
    int rc;

    *w = (struct watch){ .s = s, .session = session, .cursor = cursor,
                         .fail = { .size = sizeof(w->fail) } };
    pthread_attr_init(&attr);
    rc = pthread_create(&w->thread, &attr, watch_main, w);
    pthread_attr_destroy(&attr);
    return rc == 0;
}

/* Milliseconds until it returned; -1: it did not. */
static int64_t watch_join(struct suite *s, struct watch *w)
{
    int64_t from = clock_mono_ms();
    bool done = false;

    while (!done && clock_mono_ms() - from < 6 * CANCEL_MS) {
        pthread_mutex_lock(&s->bench.lock);
        done = w->done;
        pthread_mutex_unlock(&s->bench.lock);
        if (!done)
            clock_sleep_ms(10);
    }
    if (!done)
        return -1;
    pthread_join(w->thread, NULL);
    return clock_mono_ms() - from;
}

static bool watch_stop(struct suite *s, struct watch *w, const char *name)
{
    int64_t ms;

    atomic_store(&s->bench.cancel, true);
    ms = watch_join(s, w);
    check(s, ms >= 0 && ms < CANCEL_MS && w->rc == PV_ECANCELED, name, "%s after %lld ms: %s",
          ms < 0 ? "has not returned" : pv_rc_name(w->rc), (long long)ms, w->fail.message);
    return ms >= 0;
}

/* A complete listing, left running. */
static bool listing(struct suite *s, struct watch *w, void *session, const char *cursor)
{
    unsigned seconds = s->what->listing_s ? s->what->listing_s : LISTING_S;

    bench_reset(&s->bench);
    return watch_start(s, w, session, cursor) &&
           bench_wait(&s->bench, false, &w->done, seconds);
}

/* Facts about the provider may follow the listing, but not much later. */
static void wait_facts(struct suite *s)
{
    bool there = false;

    for (int i = 0; i < 500 && !there; i++) {
        pthread_mutex_lock(&s->bench.lock);
        there = s->bench.provider_facts > 0;
        pthread_mutex_unlock(&s->bench.lock);
        if (!there)
            clock_sleep_ms(10);
    }
}

static void test_listing(struct suite *s, const struct watch *w, bool ended)
{
    struct bench *b = &s->bench;
    size_t open = bench_open_references(b);

    /* The watch goes on: what it reports meanwhile must not come in between. */
    pthread_mutex_lock(&b->lock);
    check(s, ended && !b->partial, "watch lists everything", "%s",
          !ended && w->done ? w->fail.message : ended ? "partial only" : "not in time");
    check(s, b->refused == 0, "every batch is well-formed", "%u refused: %s", b->refused,
          b->first);
    check(s, b->faults == 0, "every value is as the model says", "%u dropped: %s", b->faults,
          b->first);
    check(s, b->disorder == 0, "referred-to kinds come first", "%s", b->first);
    check(s, b->orphans == 0, "children come after their owner", "%u: %s", b->orphans, b->first);
    check(s, b->twins == 0, "native ids are unique", "%u: %s", b->twins, b->first);
    check(s, open == 0, "every reference leads somewhere", "%zu do not", open);
    check(s, b->provider_facts > 0 && !b->provider_bad, "it says what the provider is",
          "%u facts", b->provider_facts);
    check(s, b->objects.count > 0, "there is something in the listing",
          "no object; the other checks say little");
    pthread_mutex_unlock(&b->lock);
}

/* ---------------------------------------------------------------- single objects and operations */

static int refresh(struct suite *s, void *session, uint32_t kind, const char *native_id,
                   struct pv_failure *fail)
{
    *fail = (struct pv_failure){ .size = sizeof(*fail) };
    bench_reset(&s->bench);
    return s->d->refresh(session, 3, kind, native_id, fail);
}

static void test_refresh(struct suite *s, void *session, const struct bench_object *o)
{
    struct pv_failure fail;
    int rc;

    if (!s->d->refresh) {
        skip(s, "refresh reads one object", "it has no refresh");
        return;
    }
    if (o->native_id[0]) {
        rc = refresh(s, session, o->kind, o->native_id, &fail);
        check(s, rc == PV_OK && s->bench.objects.count > 0, "refresh reads one object",
              "%s of %s: %s, %zu objects: %s", model_kind((enum pv_kind)o->kind)->name,
              o->native_id, pv_rc_name(rc), s->bench.objects.count, fail.message);
        check(s, s->bench.refused + s->bench.faults == 0, "what refresh reports is well-formed",
              "%s", s->bench.first);
    }
    rc = refresh(s, session, PV_KIND_vm, NOBODY, &fail);
    check(s, rc == PV_ENOENT, "refresh of an unknown VM says that there is none", "%s: %s",
          pv_rc_name(rc), fail.message);
    rc = refresh(s, session, 4000000000u, NOBODY, &fail);
    check(s, rc != PV_OK, "refresh of an unknown kind fails", "it answers PV_OK");
}

static int call(struct suite *s, void *session, const char *operation,
                const struct bench_object *o, uint32_t flags, json_t **result,
                struct pv_failure *fail)
{
    PV_AUTO(json_decref_p) json_t *subject =
        json_pack("{s:s,s:s,s:s}", "kind", model_kind((enum pv_kind)o->kind)->name, "native_id",
                  o->native_id, "name", o->name);
    PV_AUTO_FREE char *text = subject ? json_dumps(subject, 0) : NULL;
    char *answer = NULL;
    int rc;

    *result = NULL;
    *fail = (struct pv_failure){ .size = sizeof(*fail) };
    if (!text)
        return PV_ENOMEM;
    rc = s->d->call(session, 4, operation, text, "{}", NULL, flags, &answer, fail);
    if (answer) {
        *result = json_loads(answer, 0, NULL);
        s->d->free_text(answer);
    }
    return rc;
}

static void test_dry_run(struct suite *s, void *session, const struct bench_object *vm)
{
    const char *operation = vm->power_state == PV_POWER_STATE_RUNNING ? "vm.stop" : "vm.start";
    PV_AUTO(json_decref_p) json_t *result = NULL;
    struct bench_map before = { 0 };
    struct pv_failure fail;
    size_t missing, changed;
    int rc;

    if (!implements(s, operation) || !s->d->refresh) {
        skip(s, "a dry run changes nothing", "it cannot switch VMs, or not read them again");
        return;
    }
    rc = refresh(s, session, PV_KIND_vm, vm->native_id, &fail);
    before = s->bench.objects;
    s->bench.objects = (struct bench_map){ 0 };
    if (rc == PV_OK)
        rc = call(s, session, operation, vm, PV_CALL_DRY_RUN, &result, &fail);
    check(s, rc == PV_OK && json_is_array(json_object_get(result, "plan")),
          "a dry run answers a plan", "%s of %s: %s %s", operation, vm->native_id, pv_rc_name(rc),
          fail.message);
    rc = refresh(s, session, PV_KIND_vm, vm->native_id, &fail);
    check(s, rc == PV_OK && bench_map_equal(&before, &s->bench.objects, &missing, &changed),
          "a dry run changes nothing", "%s of %s has changed something", operation,
          vm->native_id);
    bench_map_free(&before);
}

static void test_operations(struct suite *s, void *session, const struct bench_object *vm)
{
    const struct bench_object nobody = { .kind = PV_KIND_vm, .native_id = NOBODY,
                                         .name = "nobody" };
    PV_AUTO(json_decref_p) json_t *result = NULL;
    PV_AUTO(json_decref_p) json_t *other = NULL;
    struct pv_failure fail;
    int rc;

    if (!s->d->call) {
        skip(s, "an unknown operation is not supported", "it has no call");
        return;
    }
    rc = call(s, session, "vm.no_such_operation", vm->native_id[0] ? vm : &nobody, 0, &result,
              &fail);
    check(s, rc == PV_ENOTSUP, "an unknown operation is not supported", "%s", pv_rc_name(rc));
    if (implements(s, "vm.start")) {
        rc = call(s, session, "vm.start", &nobody, 0, &other, &fail);
        check(s, rc == PV_ENOENT, "an operation on an unknown VM says that there is none",
              "%s: %s", pv_rc_name(rc), fail.message);
    }
    if (vm->native_id[0])
        test_dry_run(s, session, vm);
}

/* ---------------------------------------------------------------- coming and going */

static size_t descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count;
}

/* Open, watch until something has come, cancel, close. */
static bool come_and_go(struct suite *s)
{
    struct pv_failure fail = { .size = sizeof(fail) };
    void *session = NULL;
    struct watch w;
    bool ok;

    bench_reset(&s->bench);
    if (s->d->open(&s->bench.host, s->config, &session, &fail) != PV_OK)
        return false;
    ok = watch_start(s, &w, session, NULL) && bench_wait(&s->bench, true, &w.done, LISTING_S);
    atomic_store(&s->bench.cancel, true);
    if (watch_join(s, &w) < 0)
        return false;
    s->d->close(session);
    return ok;
}

static void test_rounds(struct suite *s)
{
    size_t fds, fds_after, memory = 0, memory_after = 0;
    bool ok = true;

    for (int i = 0; ok && i < 3; i++)
        ok = come_and_go(s);
    bench_reset(&s->bench);
    fds = descriptors();
    memory = mallinfo2().uordblks;
    for (int i = 0; ok && i < ROUNDS; i++)
        ok = come_and_go(s);
    bench_reset(&s->bench);
    fds_after = descriptors();
    memory_after = mallinfo2().uordblks;
    check(s, ok, "it can be opened and closed again and again", "it failed to");
    check(s, fds_after <= fds, "no descriptor stays open", "%zu before, %zu after %d rounds", fds,
          fds_after, ROUNDS);
    check(s, memory_after < memory + MEMORY_SLACK, "no memory stays behind",
          "%zu bytes before, %zu after %d rounds", memory, memory_after, ROUNDS);
}

/* The server stops taking: the driver has to end, not to spin. */
static void test_refusal(struct suite *s, void *session)
{
    struct watch w;
    int64_t ms;

    bench_reset(&s->bench);
    atomic_store(&s->bench.refuse, true);
    if (!watch_start(s, &w, session, NULL))
        return;
    ms = watch_join(s, &w);
    if (ms < 0) {
        atomic_store(&s->bench.cancel, true);
        ms = watch_join(s, &w);
        check(s, false, "watch ends when nobody takes what it reports", "it goes on%s",
              ms < 0 ? ", even when cancelled" : "");
        return;
    }
    check(s, w.rc != PV_OK, "watch ends when nobody takes what it reports", "with PV_OK");
}

/* Everything with one session; false: the driver hangs, so nothing more can be tried. */
static bool test_session(struct suite *s, void *session)
{
    struct bench_map first = { 0 };
    struct bench_object vm, other;
    char cursor[sizeof(s->bench.cursor)];
    size_t missing = 0, changed = 0;
    struct watch w;
    bool ended;

    ended = listing(s, &w, session, NULL);
    wait_facts(s);
    test_listing(s, &w, ended);
    pthread_mutex_lock(&s->bench.lock);
    vm = s->bench.vm;
    other = s->bench.other;
    memcpy(cursor, s->bench.cursor, sizeof(cursor));
    pthread_mutex_unlock(&s->bench.lock);
    if (!watch_stop(s, &w, "watch ends when it is cancelled"))
        return false;
    /* Without a listing there is nothing to compare with or to try. */
    if (!ended)
        return true;
    /* What came after the listing belongs to the changes, but it is in the map: the next listing says the same. */
    first = s->bench.objects;
    s->bench.objects = (struct bench_map){ 0 };
    ended = listing(s, &w, session, NULL);
    if (!watch_stop(s, &w, "watch can be cancelled again")) {
        bench_map_free(&first);
        return false;
    }
    check(s, ended && bench_map_equal(&first, &s->bench.objects, &missing, &changed),
          "a second listing says the same", "%zu objects more or less, %zu different", missing,
          changed);
    bench_map_free(&first);
    bench_reset(&s->bench);
    ended = watch_start(s, &w, session, cursor) && bench_wait(&s->bench, true, &w.done, MARK_S);
    check(s, ended, "watch goes on from its cursor", "no mark within %u s: %s", MARK_S,
          w.fail.message);
    if (!watch_stop(s, &w, "such a watch can be cancelled"))
        return false;
    ended = listing(s, &w, session, "not \x7f a cursor of yours");
    check(s, ended, "a worthless cursor means a full listing", "%s", w.fail.message);
    if (!watch_stop(s, &w, "and that can be cancelled"))
        return false;
    test_refresh(s, session, vm.native_id[0] ? &vm : &other);
    test_operations(s, session, &vm);
    test_refusal(s, session);
    return true;
}

static const char usual_config[] =
    "{\"name\":\"conformance\",\"endpoint\":\"\",\"username\":\"\",\"settings\":{},"
    "\"tls\":{\"mode\":\"ca\"}}";

unsigned sdk_conformance_run(const struct sdk_conformance *what)
{
    struct pv_failure fail = { .size = sizeof(fail) };
    struct suite s = { .what = what, .d = &what->plugin->driver };
    PV_AUTO(json_decref_p) json_t *config = NULL;
    void *session = NULL;
    bool alive = true;
    int rc;

    mallopt(M_ARENA_MAX, 1);    /* mallinfo2 counts one arena only */
    s.config = strdup(what->config ? what->config : usual_config);
    config = s.config ? json_loads(s.config, 0, NULL) : NULL;
    bench_init(&s.bench, what->secrets);
    if (!json_is_object(config)) {
        check(&s, false, "the configuration is a JSON object", "it is not");
    } else {
        test_table(&s);
        test_settings(&s);
        test_probe(&s);
        bench_reset(&s.bench);
        rc = s.d->open(&s.bench.host, s.config, &session, &fail);
        if (check(&s, rc == PV_OK, "it opens with good settings", "%s: %s", pv_rc_name(rc),
                  fail.message)) {
            alive = test_session(&s, session);
            if (alive) {
                s.d->close(session);
                check(&s, true, "it closes", " ");
                test_rounds(&s);
            }
        }
    }
    if (!alive)
        fputs("Bail out! The driver does not react any more.\n", what->out);
    fprintf(what->out, "1..%u\n%u passed, %u failed\n", s.number, s.number - s.failed, s.failed);
    fflush(what->out);
    bench_free(&s.bench);
    free(s.config);
    return s.failed;
}
