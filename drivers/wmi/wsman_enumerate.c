/* SPDX-License-Identifier: Apache-2.0 */
/* Enumerate, Pull, Release: lists of instances, with the host's filters where it has them. */
#include "drivers/wmi/wsman.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"
#include "drivers/wmi/wsman_inner.h"

#define CONTEXT_MOST 512
#define INSTANCES_MOST 1000000u
#define PULLS_MOST 1000000u
#define SCRATCH_MOST (64u << 20)
#define RELEASE_MS 5000

/* One enumeration under way. */
struct walk {
    struct wsman *w;
    const struct call *c;
    const struct wsman_query *q;
    struct arena *arena; /* NULL: instances live in `scratch` */
    struct arena *scratch;
    wsman_instance_fn fn;
    void *ctx;
    char uri[URI_CAP], what[160];
    char context[CONTEXT_MOST]; /* newest one; "": none is open */
    bool ended;
    bool filtered; /* by the host */
    unsigned elements;
    uint64_t seen;
};

void wsman_quote(struct buf *out, const char *text)
{
    buf_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\\' || *text == '\'')
            buf_char(out, '\\');
        buf_char(out, *text);
    }
    buf_char(out, '\'');
}

/* ------------------------------------------------------------------ reading items */

static int on_item(struct walk *k, const xmlNode *item, struct pv_err *err)
{
    const xmlNode *object = item, *epr = NULL;
    struct arena *a = k->arena ? k->arena : k->scratch;
    struct cim_instance *o = NULL;
    int rc;

    if (xml_is(item, NS_WSMAN, "Item")) {
        object = xml_first(item);
        epr = xml_next(object);
    }
    if (!k->arena)
        arena_reset(k->scratch);
    if (k->q->raw) {
        k->seen++;
        return k->q->raw(k->ctx, object, err);
    }
    rc = cim_read(a, object, k->q->cls, (enum cim_ns)k->q->cls->ns, &o, err);
    if (rc)
        return pv_wrap(err, "%s", k->what);
    if (epr)
        o->ref = cim_read_ref(a, epr);
    if (++k->seen > (k->q->most ? k->q->most : INSTANCES_MOST))
        return pv_fail(err, PV_ELIMIT, "%s: the host has more than %llu", k->what,
                       (unsigned long long)(k->q->most ? k->q->most : INSTANCES_MOST));
    if (!k->filtered && k->q->match && !k->q->match(k->q->match_ctx, o))
        return PV_OK;
    return k->fn(k->ctx, o, err);
}

/* Items and the end mark stand in one namespace in Enumerate's answer, in another in Pull's. */
static int read_items(struct walk *k, const xmlNode *body, struct pv_err *err)
{
    const char *context = xml_child_text(body, NS_ENUMERATION, "EnumerationContext");
    const xmlNode *items = xml_child(body, NULL, "Items");
    int rc = PV_OK;

    if (context && *context) {
        if (!str_copy(k->context, sizeof(k->context), context))
            return pv_fail(err, PV_EIO, "%s: the host's context is too long", k->what);
    }
    if (xml_child(body, NULL, "EndOfSequence")) {
        k->ended = true;
        k->context[0] = '\0';
    }
    for (const xmlNode *n = xml_first(items); n && rc == PV_OK; n = xml_next(n))
        rc = on_item(k, n, err);
    if (rc == PV_OK && !k->ended && !k->context[0])
        rc = pv_fail(err, PV_EIO, "%s: the host neither goes on nor ends", k->what);
    return rc;
}

/* ------------------------------------------------------------------ asking */

/* An answer that was too large is asked for in smaller pieces, by all from now on. */
static bool ask_for_less(struct walk *k, const struct fault *f)
{
    struct wsman *w = k->w;
    bool less = true;

    pthread_mutex_lock(&w->lock);
    if (fault_has(f, 0x80338049u) && w->envelope > ENVELOPE_OLD) {
        w->envelope = ENVELOPE_OLD;
    } else if (k->elements > 1) {
        k->elements /= 2;
        if (k->elements < w->elements)
            w->elements = k->elements;
    } else {
        less = false;
    }
    pthread_mutex_unlock(&w->lock);
    return less;
}

static void put_filter(struct buf *body, const struct walk *k)
{
    const struct wsman_query *q = k->q;

    if (!k->filtered)
        return;
    if (q->of) {
        buf_text(body, "<w:Filter Dialect=\"" DIALECT_ASSOCIATION "\"><b:AssociatedInstances>"
                       "<b:Object>");
        envelope_ref(body, q->of);
        buf_printf(body,
                   "</b:Object><b:AssociationClassName>%s</b:AssociationClassName>"
                   "<b:ResultClassName>%s</b:ResultClassName></b:AssociatedInstances></w:Filter>",
                   q->assoc->name, q->cls->name);
        return;
    }
    buf_text(body, "<w:Filter Dialect=\"" DIALECT_WQL "\">");
    buf_printf(body, "SELECT * FROM %s WHERE ", q->cls->name);
    xml_put_text(body, q->where);
    buf_text(body, "</w:Filter>");
}

static int ask(struct walk *k, const char *action, const struct buf *body, struct reply *reply,
               struct pv_err *err)
{
    struct message m = { .action = action, .uri = k->uri, .body = body->data, .what = k->what };

    if (!buf_ok(body))
        return pv_fail(err, PV_ENOMEM, "no memory for a request");
    return wsman_exchange(k->w, k->c, NULL, &m, reply, err);
}

static int enumerate(struct walk *k, struct reply *reply, struct pv_err *err)
{
    int rc;

    for (;;) {
        struct buf body;

        buf_init(&body, BODY_MOST);
        buf_text(&body, "<n:Enumerate>");
        put_filter(&body, k);
        if (k->q->with_refs)
            buf_text(&body, "<w:EnumerationMode>EnumerateObjectAndEPR</w:EnumerationMode>");
        buf_printf(&body, "<w:OptimizeEnumeration/><w:MaxElements>%u</w:MaxElements></n:Enumerate>",
                   k->elements);
        rc = ask(k, NS_ENUMERATION "/Enumerate", &body, reply, err);
        buf_free(&body);
        if (rc || !fault_too_large(&reply->fault) || !ask_for_less(k, &reply->fault))
            return rc;
        reply_free(reply);
    }
}

static int pull(struct walk *k, struct reply *reply, struct pv_err *err)
{
    int rc;

    for (;;) {
        struct buf body;

        buf_init(&body, BODY_MOST);
        buf_text(&body, "<n:Pull><n:EnumerationContext>");
        xml_put_text(&body, k->context);
        buf_printf(&body, "</n:EnumerationContext><n:MaxElements>%u</n:MaxElements></n:Pull>",
                   k->elements);
        rc = ask(k, NS_ENUMERATION "/Pull", &body, reply, err);
        buf_free(&body);
        if (rc || !fault_too_large(&reply->fault) || !ask_for_less(k, &reply->fault))
            return rc;
        reply_free(reply);
    }
}

/* A context that stays open counts against the host's quotas for minutes. */
static void release(struct walk *k)
{
    struct call c = { .host = k->w->host, .must_finish = true };
    struct message m = { .action = NS_ENUMERATION "/Release",
                         .uri = k->uri,
                         .what = "ending an enumeration",
                         .timeout_ms = RELEASE_MS };
    struct reply reply = { 0 };
    struct pv_err ignored = { 0 };
    struct buf body;

    if (k->ended || !k->context[0])
        return;
    if (k->c)
        c.number = k->c->number;
    buf_init(&body, BODY_MOST);
    buf_text(&body, "<n:Release><n:EnumerationContext>");
    xml_put_text(&body, k->context);
    buf_text(&body, "</n:EnumerationContext></n:Release>");
    m.body = body.data;
    if (buf_ok(&body))
        (void)wsman_exchange(k->w, &c, NULL, &m, &reply, &ignored);
    reply_free(&reply);
    buf_free(&body);
}

static int check(const struct walk *k, const struct reply *reply, struct pv_err *err)
{
    struct message m = { .what = k->what };

    return reply_check(reply, &m, err);
}

/* Either everything, or a fault before the first item that says that the host has no filters
 * (*no_filter). */
static int go(struct walk *k, bool *no_filter, struct pv_err *err)
{
    struct reply reply = { 0 };
    int rc = enumerate(k, &reply, err);

    *no_filter = rc == PV_OK && k->filtered && fault_no_filter(&reply.fault);
    if (rc == PV_OK && !*no_filter)
        rc = check(k, &reply, err);
    if (rc == PV_OK && !*no_filter)
        rc = read_items(k, reply.body, err);
    reply_free(&reply);
    for (unsigned pulls = 0; rc == PV_OK && !*no_filter && !k->ended; pulls++) {
        if (pulls == PULLS_MOST) {
            rc = pv_fail(err, PV_EIO, "%s: the host does not end", k->what);
            break;
        }
        rc = pull(k, &reply, err);
        if (rc == PV_OK)
            rc = check(k, &reply, err);
        if (rc == PV_OK)
            rc = read_items(k, reply.body, err);
        reply_free(&reply);
    }
    if (rc)
        release(k);
    return rc;
}

static void begin(struct walk *k, struct wsman *w, const struct call *c,
                  const struct wsman_query *q, bool filtered)
{
    const char *ns = cim_ns_path((enum cim_ns)q->cls->ns);

    k->w = w;
    k->c = c;
    k->q = q;
    k->filtered = filtered;
    envelope_uri(k->uri, sizeof(k->uri), ns, filtered ? "*" : q->cls->name);
    (void)snprintf(k->what, sizeof(k->what), "listing %.120s", q->cls->name);
    pthread_mutex_lock(&w->lock);
    k->elements = q->max_elements ? q->max_elements : w->elements;
    pthread_mutex_unlock(&w->lock);
}

static int run(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               bool filtered, wsman_instance_fn fn, void *ctx, bool *no_filter, struct pv_err *err)
{
    struct walk k = { .arena = a, .fn = fn, .ctx = ctx };
    int rc;

    begin(&k, w, c, q, filtered);
    if (!a) {
        k.scratch = arena_new(32768, SCRATCH_MOST);
        if (!k.scratch)
            return pv_fail(err, PV_ENOMEM, "no memory");
    }
    rc = go(&k, no_filter, err);
    arena_free(k.scratch);
    return rc;
}

int wsman_walk(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               wsman_instance_fn fn, void *ctx, struct pv_err *err)
{
    bool ignored;

    return run(w, c, q, a, false, fn, ctx, &ignored, err);
}

static bool host_filters(struct wsman *w, const struct wsman_query *q)
{
    bool refuses;

    pthread_mutex_lock(&w->lock);
    refuses = q->of ? w->no_association[q->cls->ns] : w->no_filter[q->cls->ns];
    pthread_mutex_unlock(&w->lock);
    return !refuses;
}

static void remember_refusal(struct wsman *w, const struct wsman_query *q)
{
    pthread_mutex_lock(&w->lock);
    if (q->of)
        w->no_association[q->cls->ns] = true;
    else
        w->no_filter[q->cls->ns] = true;
    pthread_mutex_unlock(&w->lock);
}

bool wsman_filters(struct wsman *w, enum cim_ns ns, bool association)
{
    bool yes;

    pthread_mutex_lock(&w->lock);
    yes = association ? !w->no_association[ns] : !w->no_filter[ns];
    pthread_mutex_unlock(&w->lock);
    return yes;
}

static int enumerate_into(struct wsman *w, const struct call *c, const struct wsman_query *q,
                          struct arena *a, wsman_instance_fn fn, void *ctx, struct pv_err *err)
{
    bool wants = q->where || q->of, no_filter = false;
    int rc;

    if ((q->where && !q->match) || (q->of && !q->assoc) || (q->of && q->of->failed))
        return pv_fail(err, PV_EINTERNAL, "a query for %s is incomplete", q->cls->name);
    if (wants && host_filters(w, q)) {
        rc = run(w, c, q, a, true, fn, ctx, &no_filter, err);
        if (rc || !no_filter)
            return rc == WSMAN_STOP ? PV_OK : rc;
        remember_refusal(w, q);
    }
    rc = q->of ? wsman_join(w, c, q, a, fn, ctx, err) : wsman_walk(w, c, q, a, fn, ctx, err);
    return rc == WSMAN_STOP ? PV_OK : rc;
}

int wsman_enumerate(struct wsman *w, const struct call *c, const struct wsman_query *q,
                    wsman_instance_fn fn, void *ctx, struct pv_err *err)
{
    return enumerate_into(w, c, q, NULL, fn, ctx, err);
}

struct keep {
    struct arena *a;
    struct cim_list *list;
    struct cim_instance **first;
};

static int keep_one(void *ctx, struct cim_instance *o, struct pv_err *err)
{
    struct keep *k = ctx;

    return cim_list_add(k->list, k->a, o, err);
}

int wsman_list(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               struct cim_list *out, struct pv_err *err)
{
    struct keep k = { .a = a, .list = out };

    memset(out, 0, sizeof(*out));
    return enumerate_into(w, c, q, a, keep_one, &k, err);
}

static int keep_first(void *ctx, struct cim_instance *o, struct pv_err *err)
{
    struct keep *k = ctx;

    (void)err;
    *k->first = o;
    return WSMAN_STOP;
}

int wsman_first(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
                struct cim_instance **out, struct pv_err *err)
{
    struct cim_instance *found = NULL;
    struct keep k = { .a = a, .first = &found };
    int rc = enumerate_into(w, c, q, a, keep_first, &k, err);

    if (rc == PV_OK && !found)
        rc = pv_fail(err, PV_ENOENT, "%s has no %s", w->config->at.host, q->cls->name);
    if (rc == PV_OK)
        *out = found;
    return rc;
}
