/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event stream. A stream is either behind, and then it is fed from the
 * database piece by piece (wants_more), or live, and then from the commits
 * themselves. It changes over under its lock, when nothing newer than what it
 * has seen is committed; so it neither loses nor doubles an event.
 */
#include "server/api/internal.h"
#include "server/net/sse.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define REPLAY_BLOCK 100
#define MAX_TYPES 16

struct stream {
    struct event_hub *hub;
    struct stream *next, *prev;     /* guarded by hub->lock */
    pthread_mutex_t lock;
    struct sse_stream *sse;         /* guarded by lock; NULL once it is closed */
    uint64_t seen;                  /* guarded by lock; events up to here were looked at */
    bool live;                      /* guarded by lock */
    bool with_object;               /* each event carries the object; such a stream always reads from the database */
    struct auth_identity who;       /* whose stream it is */
    struct access *access;          /* guarded by lock; what that one may see */
    uint64_t generation;            /* guarded by lock; of sign-ins, when it was looked whether this one lasts */
    struct arena *arena;            /* filter and types */
    const struct filter *filter;
    const char *types[MAX_TYPES];
    size_t ntypes;
};

struct event_hub {
    struct api *api;
    struct core_subscription *subscription;
    pthread_mutex_t lock;           /* taken before any stream's */
    struct stream *streams;
};

/* Some see not everything: their streams always read from the database, where each event is looked at. */
static bool is_scoped(const struct stream *s)
{
    return access_view(s->access, PERM_EVENT_READ) != NULL;
}

/* With the stream's lock held. Nothing changed about the rights and the sign-in. */
static bool is_current(const struct stream *s)
{
    const struct api *a = s->hub->api;

    return auth_generation(a->auth) == s->generation && access_is_current(a->auth, s->access);
}

/* The same. false: the stream's owner may not listen any more. */
static bool bring_up_to_date(struct stream *s)
{
    struct auth *auth = s->hub->api->auth;
    uint64_t generation = auth_generation(auth);
    struct access *access;

    if (is_current(s))
        return true;
    if (!auth_lasts(auth, &s->who) || access_get(auth, &s->who, &access, NULL) != PV_OK)
        return false;
    access_put(s->access);
    s->access = access;
    s->generation = generation;
    return access_anywhere(access, PERM_EVENT_READ);
}

/* What of an object's references is not to be seen has no name. */
static bool write_unseen(void *ctx, struct buf *out, const struct model_field *f, const struct pv_id *id)
{
    char text[PV_ID_TEXT];

    if (f->ref == PV_KIND_provider || access_sees(ctx, f->ref, id))
        return false;
    model_id_text(f->ref, id, text);
    buf_printf(out, "{\"id\":\"%s\",\"name\":null}", text);
    return true;
}

static bool wanted(const struct stream *s, const struct model_row *row, const char *type)
{
    bool any = s->ntypes == 0;

    for (size_t i = 0; i < s->ntypes && !any; i++)
        any = str_wildcard(s->types[i], strlen(s->types[i]), type, strlen(type));
    return any && (!s->filter || (row && filter_match(s->filter, row)));
}

/* false: no room. */
static bool send_event(struct stream *s, uint64_t seq, const char *type, const char *json, size_t len)
{
    struct buf text;
    bool sent;

    buf_init(&text, 256u << 10);
    buf_printf(&text, "id: %" PRIu64 "\nevent: %s\ndata: ", seq, type);
    buf_append(&text, json, len);
    buf_text(&text, "\n\n");
    sent = buf_ok(&text) && sse_append(s->sse, text.data, text.len);
    buf_free(&text);
    return sent;
}

static void offer(struct stream *s, const struct core_event *e)
{
    pthread_mutex_lock(&s->lock);
    if (s->sse && (s->with_object || is_scoped(s) || !is_current(s))) {
        s->live = false;
        sse_wake(s->sse);
    } else if (s->sse && s->live && e->seq > s->seen) {
        if (!wanted(s, e->row, e->type) || send_event(s, e->seq, e->type, e->json, e->json_len)) {
            s->seen = e->seq;
        } else {
            s->live = false;
            sse_overrun(s->sse);
        }
    }
    pthread_mutex_unlock(&s->lock);
}

static void on_event(void *ctx, const struct core_event *e)
{
    struct event_hub *hub = ctx;

    pthread_mutex_lock(&hub->lock);
    for (struct stream *s = hub->streams; s; s = s->next)
        offer(s, e);
    pthread_mutex_unlock(&hub->lock);
}

struct replay {
    struct stream *s;
    struct buf *json;
    const struct model_shape *shape;
    bool full;
};

/* Puts the object, as it is now, before the closing brace of the event in `json`. */
static void add_object(struct stream *s, const struct model_row *event, struct buf *json)
{
    const char *subject = model_text(event, F(event, subject_id));
    struct arena *scratch = arena_new(16u << 10, 4u << 20);
    const struct model_kind *kind;
    const struct model_shape *shape;
    struct model_shape *guarded;
    struct model_row *row;
    struct pv_id id;
    struct jsonw w;

    if (scratch && json->len > 0 && model_id_parse(subject, strlen(subject), &kind, &id) &&
        access_sees(s->access, kind->number, &id) &&
        model_shape_make(kind, NULL, MODEL_VIEW_FULL, scratch, &shape, NULL) == PV_OK &&
        store_row_get(s->hub->api->store, shape, &id, scratch, &row, NULL) == PV_OK &&
        (guarded = arena_copy(scratch, shape, sizeof(*shape)))) {
        if (is_scoped(s)) {
            guarded->write_ref = write_unseen;
            guarded->write_ref_ctx = s->access;
            guarded->children = NULL;
        }
        json->len--;
        buf_text(json, ",\"object\":");
        jsonw_init(&w, json);
        model_write_json(&w, NULL, guarded, row);
        buf_char(json, '}');
    }
    arena_free(scratch);
}

static int replay_one(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct replay *p = ctx;
    uint64_t seq = (uint64_t)model_number(row, F(event, seq));
    const char *type = model_text(row, F(event, type));
    struct jsonw w;

    if (wanted(p->s, row, type) &&
        (!is_scoped(p->s) || access_may(p->s->access, PERM_EVENT_READ, PV_KIND_event, &row->id))) {
        buf_reset(p->json);
        jsonw_init(&w, p->json);
        model_write_json(&w, NULL, p->shape, row);
        if (p->s->with_object)
            add_object(p->s, row, p->json);
        if (!buf_ok(p->json) || !send_event(p->s, seq, type, p->json->data, p->json->len)) {
            p->full = true;
            return pv_fail(err, PV_ECANCELED, "the stream is full for now");
        }
    }
    p->s->seen = seq;
    return PV_OK;
}

/* With the stream's lock held. */
static void catch_up(struct stream *s)
{
    struct api *a = s->hub->api;
    struct replay p = { .s = s };
    struct arena *scratch = arena_new(64u << 10, 8u << 20);
    struct pv_err err = { 0 };
    struct buf json;
    uint64_t before;

    buf_init(&json, 1u << 20);
    p.json = &json;
    if (!bring_up_to_date(s)) {
        sse_end(s->sse);
        goto out;
    }
    if (!scratch || model_shape_make(model_kind(PV_KIND_event), NULL, MODEL_VIEW_FULL, scratch, &p.shape, &err) != PV_OK)
        goto out;
    do {
        before = s->seen;
        if (core_event_seq(a->core) <= s->seen) {
            s->live = !s->with_object && !is_scoped(s);
            break;
        }
        if (store_events_since(a->store, s->seen, REPLAY_BLOCK, p.shape, replay_one, &p, &err) != PV_OK && !p.full)
            sse_end(s->sse);
    } while (!p.full && s->seen > before);
out:
    buf_free(&json);
    arena_free(scratch);
}

static void wants_more(void *ctx, struct sse_stream *sse)
{
    struct stream *s = ctx;

    pthread_mutex_lock(&s->lock);
    if (!s->sse)
        s->sse = sse;
    if (!s->live)
        catch_up(s);
    pthread_mutex_unlock(&s->lock);
}

static void stream_free(struct stream *s)
{
    pthread_mutex_destroy(&s->lock);
    access_put(s->access);
    arena_free(s->arena);
    free(s);
}

static void closed(void *ctx)
{
    struct stream *s = ctx;
    struct event_hub *hub = s->hub;

    pthread_mutex_lock(&hub->lock);
    if (s->prev)
        s->prev->next = s->next;
    else
        hub->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    pthread_mutex_unlock(&hub->lock);
    stream_free(s);
}

/* Where to go on: Last-Event-ID, else since=, else now. *reset: that is no longer kept. */
static int starting_point(struct req *r, uint64_t *since, bool *reset, struct pv_err *err)
{
    const char *last = req_header(r, "Last-Event-ID");
    uint64_t oldest = 0, newest = 0;
    int rc;

    *since = core_event_seq(api_of(r)->core);
    *reset = false;
    if (last && !str_u64(last, strlen(last), UINT64_MAX >> 1, since))
        return pv_fail_as(err, "invalid-request", "Last-Event-ID must be the number of an event");
    if (!last && req_query(r, "since")) {
        rc = query_u64(r, "since", 0, UINT64_MAX >> 1, since, err);
        if (rc != PV_OK)
            return rc;
    }
    rc = store_event_bounds(api_of(r)->store, &oldest, &newest, err);
    if (rc != PV_OK)
        return rc;
    /* A number of the future comes from another database: the client must list again, too. */
    if ((oldest > 0 && *since + 1 < oldest) || *since > newest) {
        *reset = true;
        *since = newest;
    }
    return PV_OK;
}

static int read_types(struct req *r, struct stream *s, struct pv_err *err)
{
    const char *types = req_query(r, "types");

    for (const char *p = types; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t len = strcspn(p, ",");

        if (s->ntypes == MAX_TYPES || len == 0)
            return pv_fail_as(err, "invalid-request", "types takes up to %d patterns: vm.*,task.finished", MAX_TYPES);
        s->types[s->ntypes] = arena_text(s->arena, p, len);
        if (!s->types[s->ntypes++])
            return pv_fail(err, PV_ENOMEM, "no memory for the stream");
    }
    return PV_OK;
}

static enum req_result event_stream(struct req *r)
{
    struct event_hub *hub = api_of(r)->events;
    struct stream *s = calloc(1, sizeof(*s));
    struct sse_stream *sse = NULL;
    struct pv_err err = { 0 };
    bool reset = false;
    enum req_result result;
    int rc = s ? PV_OK : pv_fail(&err, PV_ENOMEM, "no memory for the stream");

    if (rc == PV_OK) {
        pthread_mutex_init(&s->lock, NULL);
        s->hub = hub;
        s->access = access_hold(r->caller.access);
        s->generation = auth_generation(api_of(r)->auth);
        s->who = (struct auth_identity){ .type = r->caller.type,
                                         .id = r->caller.id,
                                         .user = r->caller.user,
                                         .limited = r->caller.limited,
                                         .by_cookie = r->caller.by_cookie };
        memcpy(s->who.login_hash, r->caller.login_hash, sizeof(s->who.login_hash));
        s->arena = arena_new(4096, 256u << 10);
        if (!s->arena)
            rc = pv_fail(&err, PV_ENOMEM, "no memory for the stream");
    }
    if (rc == PV_OK)
        rc = starting_point(r, &s->seen, &reset, &err);
    if (rc == PV_OK)
        rc = read_types(r, s, &err);
    if (rc == PV_OK && req_query(r, "with")) {
        s->with_object = strcmp(req_query(r, "with"), "object") == 0;
        if (!s->with_object)
            rc = pv_fail_as(&err, "invalid-request", "with must be object");
    }
    if (rc == PV_OK && req_query(r, "filter"))
        rc = filter_parse(model_kind(PV_KIND_event), req_query(r, "filter"), clock_wall_ms(), s->arena, &s->filter, &err);
    if (rc != PV_OK) {
        if (s)
            stream_free(s);
        return reply_problem(r, &err);
    }

    pthread_mutex_lock(&hub->lock);
    s->next = hub->streams;
    if (s->next)
        s->next->prev = s;
    hub->streams = s;
    pthread_mutex_unlock(&hub->lock);

    /* Nothing is fed before this returns: the stream is not live yet, and wants_more comes later. */
    result = reply_sse(r, wants_more, closed, s, &sse);
    if (sse) {
        static const char greeting[] = ": follow by Last-Event-ID\n\n";
        static const char again[] = "event: reset\ndata: {\"type\":\"reset\"}\n\n";

        sse_append(sse, greeting, sizeof(greeting) - 1);
        if (reset)
            sse_append(sse, again, sizeof(again) - 1);
    }
    return result;
}

/* Events in order, by pull: the same log. */
static enum req_result event_list(struct req *r)
{
    static const char *const extra[] = { "since", NULL };
    const struct model_kind *kind = model_kind(PV_KIND_event);
    const struct filter *after = NULL;
    struct pv_err err = { 0 };
    struct list_query l;

    if (query_parse(r, kind, extra, &l, &err) != PV_OK)
        return reply_problem(r, &err);
    if (req_query(r, "since")) {
        uint64_t since = 0;

        if (query_u64(r, "since", 0, UINT64_MAX >> 1, &since, &err) != PV_OK)
            return reply_problem(r, &err);
        if (filter_parse(kind, arena_printf(r->arena, "seq>%" PRIu64, since), 0, r->arena, &after, &err) != PV_OK)
            return reply_problem(r, &err);
        l.q.filter = filter_and(r->arena, l.q.filter, after);
        if (l.q.nsort == 0)
            l.sort[l.q.nsort++] = (struct store_sort){ .field = F(event, seq) };
    }
    return list_reply(r, &l);
}

int events_start(struct api *a, struct pv_err *err)
{
    struct event_hub *hub = calloc(1, sizeof(*hub));
    int rc;

    if (!hub)
        return pv_fail(err, PV_ENOMEM, "no memory for the event streams");
    hub->api = a;
    pthread_mutex_init(&hub->lock, NULL);
    a->events = hub;
    rc = core_subscribe(a->core, on_event, hub, &hub->subscription, err);
    return rc;
}

void events_stop(struct api *a)
{
    if (!a->events)
        return;
    if (a->events->subscription)
        core_unsubscribe(a->events->subscription);
    pthread_mutex_destroy(&a->events->lock);
    free(a->events);
    a->events = NULL;
}

static const char *const with_choices[] = { "object", NULL };
static const struct model_param stream_query[] = {
    { .name = "filter", .type = PARAM_TEXT, .max = 4096, .doc = "Only events that match, in the filter language." },
    { .name = "types", .type = PARAM_TEXT, .max = 1024, .doc = "Only these types: vm.*,task.finished" },
    { .name = "with", .type = PARAM_ENUM, .choices = with_choices, .doc = "object: each event carries the object as it is now." },
    { .name = "since", .type = PARAM_INT, .doc = "Begin after this number; the header Last-Event-ID wins." },
    { 0 },
};
static const struct model_param list_query_params[] = {
    { .name = "since", .type = PARAM_INT, .doc = "Only events after this number, oldest first." },
    { 0 },
};

const struct route event_routes[] = {
    { .method = "GET", .pattern = API_BASE "/events", .permission = PERM_EVENT_READ, .handler = event_list,
      .answer = ANSWER_LIST, .query = list_query_params, .doc = "The event log." },
    { .method = "GET", .pattern = API_BASE "/events/stream", .permission = PERM_EVENT_READ, .handler = event_stream,
      .answer = ANSWER_STREAM, .query = stream_query,
      .doc = "Events as they happen (server-sent events), from where Last-Event-ID left off." },
    { 0 },
};
