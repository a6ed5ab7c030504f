/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/feed.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/records.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/changes.h"
#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/events.h"
#include "drivers/vapi/inventory.h"
#include "drivers/vapi/props.h"
#include "drivers/vapi/vapi.h"

#define WAIT_S 30
#define EVENTS_LATER_MS 10000 /* a listing is news enough; events can wait */
#define UPDATES_MOST 500
#define FILTER_TRIES 16
#define CLEANUP_MS 1000 /* the end of a driver host is near when a watch ends */
#define QUICK_MS 10000  /* a login that ends sooner is suspicious, */
#define QUICK_MOST 4    /* and so many in a row are a failure */
#define CURSOR_MOST 512
#define DOUBTS_MOST 1024
#define DOUBT_LOOKS 4 /* after 1, 2, 4, 8 s */

/* Said to have left, but still found. */
struct doubt {
    struct moref ref;
    unsigned looks;
    int64_t next_ms;
};

struct feed {
    struct vapi *v;
    struct call c;
    struct pv_builder *b; /* owned */
    struct events events;
    struct views views;     /* of the present login */
    struct moref collector; /* id "" : none */
    char version[256];      /* of the change feed; "" : from the beginning */
    int64_t next_poll_ms;
    unsigned requests; /* of the last full listing */
    struct doubt *doubts;      /* DOUBTS_MOST of them, owned */
    size_t ndoubts;
};

/* ------------------------------------------------------------------ cursor */

static void write_cursor(const struct feed *f, char out[CURSOR_MOST])
{
    json_t *cursor = json_pack("{s:i, s:s, s:s, s:I, s:s}", "v", 1, "uuid",
                               f->v->session->content.instance_uuid, "version", f->version, "event",
                               (json_int_t)f->events.last_key, "event_time", f->events.begin);
    char *text = cursor ? json_dumps(cursor, JSON_COMPACT) : NULL;

    (void)str_copy(out, CURSOR_MOST, text && strlen(text) < CURSOR_MOST ? text : "{}");
    free(text);
    json_decref(cursor);
}

/* Only of the same installation: event keys of another mean nothing here. */
static void read_cursor(struct feed *f, const char *text)
{
    json_t *cursor = text ? json_loads(text, 0, NULL) : NULL;
    const char *uuid = json_string_value(json_object_get(cursor, "uuid"));
    const char *time = json_string_value(json_object_get(cursor, "event_time"));
    json_int_t key = json_integer_value(json_object_get(cursor, "event"));

    if (uuid && strcmp(uuid, f->v->session->content.instance_uuid) == 0 && time && key > 0 &&
        strlen(time) < sizeof(f->events.begin)) {
        (void)str_copy(f->events.begin, sizeof(f->events.begin), time);
        f->events.last_key = key;
    }
    json_decref(cursor);
}

static int mark(struct feed *f, enum pv_mark what, struct pv_err *err)
{
    char cursor[CURSOR_MOST];
    int rc;

    write_cursor(f, cursor);
    rc = pv_builder_mark(f->b, what, cursor);
    return rc ? pv_fail(err, rc, "the server does not take more changes") : PV_OK;
}

/* ------------------------------------------------------------------ subscribing */

static int simple(struct feed *f, struct enc *request, struct moref *out, struct fault *fault,
                  struct pv_err *err)
{
    struct session_request r = {
        .request = request,
        .what = "subscribing to changes",
        .generation = f->views.generation,
        .timeout_ms = f->c.must_finish ? CLEANUP_MS : 60000,
    };
    struct soap_answer answer = { 0 };
    int rc = request ? session_call(f->v->session, &f->c, &r, &answer, err)
                     : pv_fail(err, PV_ENOMEM, "no memory");

    if (rc == PV_OK && out && !value_ref(soap_returnval(&answer), out))
        rc = pv_fail(err, PV_EIO, "the server made nothing to watch");
    if (fault)
        *fault = answer.fault;
    soap_answer_free(&answer);
    enc_free(request);
    return rc;
}

static struct enc *filter_request(struct feed *f)
{
    struct enc *e = enc_new("CreateFilter", f->collector.type, f->collector.id);
    struct enc_object *spec;

    if (!e)
        return NULL;
    spec = enc_child(enc_root(e), "spec", "PropertyFilterSpec");
    collect_put_props(f->v->session, spec, props_watched);
    collect_put_view(spec, &f->views.others, "ContainerView");
    collect_put_view(spec, &f->views.vms, "ContainerView");
    enc_bool(enc_root(e), "partialUpdates", false);
    return e;
}

/* A collector of our own: the default one is shared by everything of the login. */
static int subscribe(struct feed *f, struct pv_err *err)
{
    const struct moref *pc = &f->v->session->content.collector;
    struct moref filter;
    struct fault fault = { 0 };
    int rc =
        simple(f, enc_new("CreatePropertyCollector", pc->type, pc->id), &f->collector, NULL, err);

    f->version[0] = '\0';
    for (unsigned tries = 0; rc == PV_OK && tries < FILTER_TRIES; tries++) {
        rc = simple(f, filter_request(f), &filter, &fault, err);
        if (rc != PV_EINVAL || !fault_is(&fault, "InvalidProperty") || !fault.property[0] ||
            !session_knows_path(f->v->session, fault.property) ||
            !session_forget_path(f->v->session, fault.property))
            break;
        rc = PV_OK;
    }
    return rc;
}

/* Leaves nothing behind on the server while the login lives on. A server that does not answer is
 * left alone. */
static void unsubscribe(struct feed *f)
{
    struct call was = f->c;
    struct pv_err ignored = { 0 };
    int rc = PV_OK;

    f->c.must_finish = true;
    if (f->collector.id[0])
        rc = simple(f, enc_new("DestroyPropertyCollector", f->collector.type, f->collector.id),
                    NULL, NULL, &ignored);
    if (f->views.generation && rc == PV_OK) {
        inventory_drop_views(f->v, &f->c, &f->views);
        events_drop(f->v, &f->c, &f->events);
    }
    f->events.generation = 0;
    memset(&f->views, 0, sizeof(f->views));
    memset(&f->collector, 0, sizeof(f->collector));
    f->ndoubts = 0;
    f->c = was;
}

/* ------------------------------------------------------------------ listing */

static int list(struct feed *f, struct pv_err *err)
{
    unsigned before = session_requests(f->v->session);
    int rc;

    inventory_tags(f->v, &f->c);
    rc = mark(f, PV_MARK_FULL_BEGIN, err);
    if (rc)
        return rc;
    rc = inventory_list(f->v, &f->c, &f->views, f->b, err);
    if (rc) {
        /* What was not named yet is not absent. */
        (void)mark(f, PV_MARK_FULL_PARTIAL, NULL);
        return rc;
    }
    f->requests = session_requests(f->v->session) - before;
    return mark(f, PV_MARK_FULL_END, err);
}

/* ------------------------------------------------------------------ waiting */

static struct enc *wait_request(const struct feed *f, unsigned wait_s)
{
    struct enc *e = enc_new("WaitForUpdatesEx", f->collector.type, f->collector.id);
    struct enc_object *options;

    if (!e)
        return NULL;
    enc_text(enc_root(e), "version", f->version);
    options = enc_child(enc_root(e), "options", "WaitOptions");
    enc_int(options, "maxWaitSeconds", wait_s);
    enc_int(options, "maxObjectUpdates", UPDATES_MOST);
    return e;
}

static unsigned wait_seconds(const struct feed *f)
{
    int64_t now = clock_mono_ms(), until = now + WAIT_S * 1000;

    for (size_t i = 0; i < f->ndoubts; i++)
        if (f->doubts[i].next_ms < until)
            until = f->doubts[i].next_ms;

    if (f->next_poll_ms < until)
        until = f->next_poll_ms;
    if (f->events.due && f->events.next_read_ms < until)
        until = f->events.next_read_ms;
    return until - now < 1000 ? 1 : (unsigned)((until - now + 999) / 1000);
}

/* The rest is left to the next listing. */
static void doubt(struct feed *f, const struct moref *ref, unsigned looks)
{
    if (looks >= DOUBT_LOOKS || f->ndoubts == DOUBTS_MOST)
        return;
    f->doubts[f->ndoubts++] = (struct doubt){
        .ref = *ref,
        .looks = looks,
        .next_ms = clock_mono_ms() + (INT64_C(1000) << looks),
    };
}

/* Applies, and keeps in mind who is said to have left but is still there. */
static int apply(struct feed *f, struct changes *ch, unsigned looks, struct pv_err *err)
{
    int rc = changes_apply(ch, &f->c, err);

    for (size_t i = 0; rc == PV_OK && i < ch->left.count; i++)
        if (changes_still_there(ch, i))
            doubt(f, &ch->left.refs[i], looks);
    return rc;
}

static int look_again(struct feed *f, struct pv_err *err)
{
    int64_t now = clock_mono_ms();
    int rc = PV_OK;

    for (size_t i = 0; i < f->ndoubts && rc == PV_OK;) {
        struct doubt d = f->doubts[i];
        struct changes ch;

        if (d.next_ms > now) {
            i++;
            continue;
        }
        f->doubts[i] = f->doubts[--f->ndoubts];
        d.looks++;
        changes_init(&ch, f->v, f->b);
        changes_left(&ch, &d.ref);
        rc = apply(f, &ch, d.looks, err);
        changes_free(&ch);
    }
    return rc;
}

/* One answer of the feed, applied. *more: the next one is there already. */
static int wait_once(struct feed *f, unsigned wait_s, bool *more, bool *relist, struct pv_err *err)
{
    struct changes changes;
    struct session_request r = {
        .request = wait_request(f, wait_s),
        .what = "waiting for changes",
        .generation = f->views.generation,
        .timeout_ms = (wait_s + 270) * 1000,
        .stall_timeout_ms = (wait_s + 90) * 1000,
        .stream = { "objectSet", "version", "truncated" },
        .on_element = changes_element,
        .stream_ctx = &changes,
        .signed_out = &changes.signed_out,
    };
    struct soap_answer answer = { 0 };
    int rc;

    changes_init(&changes, f->v, f->b);
    rc = r.request ? session_call(f->v->session, &f->c, &r, &answer, err)
                   : pv_fail(err, PV_ENOMEM, "no memory");
    /* The collector, or what it knew, is gone: begin again. */
    if (fault_is(&answer.fault, "InvalidCollectorVersion") || rc == PV_ENOENT)
        rc = SESSION_RENEWED;
    if (rc == PV_OK && changes.version[0])
        (void)str_copy(f->version, sizeof(f->version), changes.version);
    if (rc == PV_OK)
        rc = apply(f, &changes, 0, err);
    *more = changes.truncated;
    *relist |= changes.relist;
    changes_free(&changes);
    soap_answer_free(&answer);
    enc_free(r.request);
    return rc;
}

/* Whoever was not named: is it still there? */
static int ask_unseen(struct feed *f, bool polled, struct pv_err *err)
{
    struct changes unseen;
    int rc;

    changes_init(&unseen, f->v, f->b);
    changes_find_unseen(&unseen, polled);
    rc = apply(f, &unseen, 0, err);
    changes_free(&unseen);
    return rc;
}

/* Also the safety net for a "leave" that the feed has lost. */
static int poll_load(struct feed *f, struct pv_err *err)
{
    int rc = inventory_poll(f->v, &f->c, &f->views, f->b, err);

    if (rc == PV_OK) {
        inventory_tags(f->v, &f->c);
        rc = inventory_send_tags(f->v, f->b);
    }
    if (rc == PV_OK)
        rc = ask_unseen(f, true, err);
    f->next_poll_ms = clock_mono_ms() + (int64_t)f->v->session->config.poll_interval_s * 1000;
    return rc;
}

/* The feed begins by telling everything again; what it does not tell went away between listing and
 * feed. */
static int first_set(struct feed *f, bool *relist, struct pv_err *err)
{
    bool more = true;
    int rc = PV_OK;

    pthread_mutex_lock(&f->v->lock);
    f->v->listing++;
    pthread_mutex_unlock(&f->v->lock);
    while (rc == PV_OK && more)
        rc = wait_once(f, 1, &more, relist, err);
    return rc ? rc : ask_unseen(f, false, err);
}

static int follow(struct feed *f, struct pv_err *err)
{
    bool more = false, relist = false;
    int rc = first_set(f, &relist, err);

    while (rc == PV_OK) {
        if (relist) {
            relist = false;
            pthread_mutex_lock(&f->v->order);
            rc = list(f, err);
            pthread_mutex_unlock(&f->v->order);
        }
        if (rc == PV_OK)
            rc = look_again(f, err);
        if (rc == PV_OK && !more)
            rc = events_read(f->v, &f->c, f->views.generation, &f->events, f->b, err);
        if (rc == PV_OK)
            rc = mark(f, PV_MARK_CHANGES, err);
        if (rc == PV_OK && clock_mono_ms() >= f->next_poll_ms)
            rc = poll_load(f, err);
        if (rc == PV_OK && call_cancelled(&f->c))
            rc = pv_fail(err, PV_ECANCELED, "canceled");
        if (rc == PV_OK)
            rc = wait_once(f, wait_seconds(f), &more, &relist, err);
    }
    return rc;
}

/* Where the server has no change feed: a listing now and then. */
static int list_again_and_again(struct feed *f, struct pv_err *err)
{
    int rc = PV_OK;

    while (rc == PV_OK) {
        rc = events_read(f->v, &f->c, f->views.generation, &f->events, f->b, err);
        if (rc == PV_OK)
            rc = mark(f, PV_MARK_CHANGES, err);
        if (rc == PV_OK)
            rc = call_sleep(&f->c, WAIT_S * 1000, err);
        if (rc == PV_OK)
            rc = session_keep_alive(f->v->session, &f->c, err);
        if (rc == PV_OK && clock_mono_ms() >= f->next_poll_ms) {
            rc = list(f, err);
            if (rc == PV_OK)
                rc = poll_load(f, err);
        }
    }
    return rc;
}

/* What can be done within one login. The subscription is there before the listing; it speaks when
 * it is asked. */
static int one_login(struct feed *f, struct pv_err *err)
{
    unsigned generation;
    bool push = true;
    int rc = session_login(f->v->session, &f->c, &generation, err);

    if (rc == PV_OK)
        rc = inventory_make_views(f->v, &f->c, generation, &f->views, err);
    if (rc == PV_OK)
        rc = subscribe(f, err);
    if (rc == PV_ENOTSUP || rc == PV_EPERM) {
        vapi_log(f->v, PV_LOG_LEVEL_WARN,
                 "the server has no change feed for us; it is listed every %u s",
                 f->v->session->config.poll_interval_s);
        push = false;
        rc = PV_OK;
    }
    if (rc == PV_OK)
        rc = vapi_tell_provider(f->v, f->requests, push, err);
    if (rc == PV_OK)
        rc = events_read(f->v, &f->c, generation, &f->events, f->b, err);
    f->events.next_read_ms = clock_mono_ms() + EVENTS_LATER_MS;
    if (rc == PV_OK)
        rc = list(f, err);
    if (rc == PV_OK)
        rc = vapi_tell_provider(f->v, f->requests, push, err);
    if (rc)
        return rc;
    f->next_poll_ms = clock_mono_ms() + (int64_t)f->v->session->config.poll_interval_s * 1000;
    return push ? follow(f, err) : list_again_and_again(f, err);
}

int feed_watch(struct vapi *v, uint64_t call, const char *cursor, struct pv_err *err)
{
    struct feed f = { .v = v, .c = { .host = v->session->host, .number = call } };
    unsigned quick = 0;
    int rc = session_content(v->session, &f.c, err);

    if (rc)
        return rc;
    f.b = pv_builder_new(v->session->host);
    f.doubts = calloc(DOUBTS_MOST, sizeof(*f.doubts));
    if (!f.b || !f.doubts) {
        pv_builder_free(f.b);
        free(f.doubts);
        return pv_fail(err, PV_ENOMEM, "no memory");
    }
    read_cursor(&f, cursor);
    do {
        int64_t began_ms = clock_mono_ms();

        rc = one_login(&f, err);
        unsubscribe(&f);
        if (rc == SESSION_RENEWED && call_cancelled(&f.c))
            rc = pv_fail(err, PV_ECANCELED, "canceled");
        quick = clock_mono_ms() - began_ms < QUICK_MS ? quick + 1 : 0;
        if (rc == SESSION_RENEWED && quick > QUICK_MOST)
            rc = pv_fail(err, PV_EAUTH, "the server ends every sign-in at once");
    } while (rc == SESSION_RENEWED);
    pv_builder_free(f.b);
    free(f.doubts);
    return rc;
}
