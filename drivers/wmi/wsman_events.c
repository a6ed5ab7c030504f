/* SPDX-License-Identifier: Apache-2.0 */
/* Events by pulling: Subscribe, Pull, Unsubscribe. */
#include "drivers/wmi/wsman.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"
#include "drivers/wmi/wsman_inner.h"

#define CONTEXT_MOST 512
#define EVENTS_AT_ONCE 100
#define EXPIRES "PT600S" /* a subscription that nobody pulls ends by itself */
#define SCRATCH_MOST (16u << 20)
#define GOODBYE_MS 3000
#define WAIT_LEAST_MS 500

struct wsman_subscription {
    struct session *session; /* a pull that waits must not hold up the others */
    enum cim_ns ns;
    char uri[URI_CAP];
    char context[CONTEXT_MOST];
    char identifier[128]; /* whom to tell the end */
};

static bool refuses_events(const struct fault *f)
{
    return fault_no_filter(f) || fault_is(f, "DeliveryModeRequestedUnavailable") ||
           fault_is(f, "ActionNotSupported") || fault_is(f, "UnsupportedFeature") ||
           fault_is(f, "EventSourceUnableToProcess") || fault_has(f, 0x8033801Eu) ||
           fault_has(f, 0x80338021u) || fault_has(f, 0x80338022u) || fault_has(f, 0x80338023u) ||
           fault_has(f, 0x80338013u);
}

static int read_subscription(struct wsman_subscription *s, const xmlNode *body, struct pv_err *err)
{
    const xmlNode *manager = xml_child(body, NS_EVENTING, "SubscriptionManager");
    const xmlNode *params = xml_child(manager, NULL, "ReferenceParameters");
    const char *context = xml_child_text(body, NS_ENUMERATION, "EnumerationContext");
    const char *id = xml_child_text(params, NS_EVENTING, "Identifier");

    if (!context || !*context || !str_copy(s->context, sizeof(s->context), context))
        return pv_fail(err, PV_EIO, "subscribing: the host gives no context to pull from");
    (void)str_copy(s->identifier, sizeof(s->identifier), id ? id : "");
    return PV_OK;
}

int wsman_subscribe(struct wsman *w, const struct call *c, enum cim_ns ns, const char *wql,
                    struct wsman_subscription **out, struct pv_err *err)
{
    struct wsman_subscription *s;
    struct message m = { .action = NS_EVENTING "/Subscribe", .what = "subscribing to events" };
    struct reply reply = { 0 };
    struct buf body;
    bool known;
    int rc;

    pthread_mutex_lock(&w->lock);
    known = w->no_events;
    pthread_mutex_unlock(&w->lock);
    if (known)
        return pv_fail(err, PV_ENOTSUP, "%s grants no events", w->config->at.host);
    s = calloc(1, sizeof(*s));
    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory");
    s->ns = ns;
    envelope_uri(s->uri, sizeof(s->uri), cim_ns_path(ns), "*");
    buf_init(&body, BODY_MOST);
    buf_text(&body, "<e:Subscribe><e:Delivery Mode=\"" DELIVERY_PULL "\"/><e:Expires>" EXPIRES
                    "</e:Expires><w:Filter Dialect=\"" DIALECT_WQL "\">");
    xml_put_text(&body, wql);
    buf_text(&body, "</w:Filter></e:Subscribe>");
    m.uri = s->uri;
    m.body = body.data;
    rc = buf_ok(&body) ? session_new(w->host, w->config, w->gate, &s->session, err)
                       : pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK)
        rc = wsman_exchange(w, c, s->session, &m, &reply, err);
    if (rc == PV_OK && refuses_events(&reply.fault)) {
        pthread_mutex_lock(&w->lock);
        w->no_events = true;
        pthread_mutex_unlock(&w->lock);
        rc = pv_fail(err, PV_ENOTSUP, "%s grants no events", w->config->at.host);
    } else if (rc == PV_OK) {
        rc = reply_check(&reply, &m, err);
    }
    if (rc == PV_OK)
        rc = read_subscription(s, reply.body, err);
    reply_free(&reply);
    buf_free(&body);
    if (rc) {
        session_free(s->session);
        free(s);
        return rc;
    }
    *out = s;
    return PV_OK;
}

static enum wsman_event kind_of(const char *name)
{
    if (strcasecmp(name, "__InstanceCreationEvent") == 0)
        return WSMAN_CREATED;
    if (strcasecmp(name, "__InstanceModificationEvent") == 0)
        return WSMAN_MODIFIED;
    if (strcasecmp(name, "__InstanceDeletionEvent") == 0)
        return WSMAN_DELETED;
    return WSMAN_OTHER;
}

static int on_event(struct wsman_subscription *s, struct arena *a, const xmlNode *item,
                    wsman_event_fn fn, void *ctx, struct pv_err *err)
{
    struct cim_instance *event = NULL;
    const struct cim_prop *p;
    const xmlNode *inner = item;
    int rc;

    /* Some hosts wrap: w:Event around the event element. */
    if (xml_is(item, NS_WSMAN, "Event") && xml_first(item))
        inner = xml_first(item);
    arena_reset(a);
    rc = cim_read(a, inner, NULL, s->ns, &event, err);
    if (rc)
        return rc;
    p = event->cls ? cim_prop_find(event->cls, "TargetInstance") : NULL;
    if (!p || !event->values[p->slot].count || !event->values[p->slot].items[0].obj)
        return fn(ctx, WSMAN_OTHER, event, err);
    return fn(ctx, kind_of(event->name),
              (struct cim_instance *)(uintptr_t)event->values[p->slot].items[0].obj, err);
}

static int read_events(struct wsman_subscription *s, const xmlNode *body, wsman_event_fn fn,
                       void *ctx, struct pv_err *err)
{
    const char *context = xml_child_text(body, NS_ENUMERATION, "EnumerationContext");
    const xmlNode *items = xml_child(body, NULL, "Items");
    struct arena *a = arena_new(32768, SCRATCH_MOST);
    int rc = PV_OK;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (!items)
        items = xml_child(body, NULL, "Events");
    if (context && *context && !str_copy(s->context, sizeof(s->context), context))
        rc = pv_fail(err, PV_EIO, "pulling events: the host's context is too long");
    for (const xmlNode *n = xml_first(items); n && rc == PV_OK; n = xml_next(n))
        rc = on_event(s, a, n, fn, ctx, err);
    if (rc == WSMAN_STOP)
        rc = PV_OK;
    if (rc == PV_OK && xml_child(body, NULL, "EndOfSequence"))
        rc = pv_fail(err, PV_ENOENT, "the host ended the subscription");
    arena_free(a);
    return rc;
}

static bool is_over(const struct fault *f)
{
    return fault_is(f, "InvalidEnumerationContext") || fault_has(f, 0x8033801Bu) ||
           fault_has(f, 0x80338008u) || fault_has(f, 0x80338009u) || fault_has(f, 0x8033809Bu) ||
           fault_has(f, 0x8033809Eu);
}

int wsman_pull(struct wsman *w, const struct call *c, struct wsman_subscription *s,
               unsigned wait_ms, wsman_event_fn fn, void *ctx, struct pv_err *err)
{
    struct message m = { .action = NS_ENUMERATION "/Pull",
                         .uri = s->uri,
                         .what = "pulling events",
                         .waits = true,
                         .timeout_ms = wait_ms > WAIT_LEAST_MS ? wait_ms : WAIT_LEAST_MS };
    struct reply reply = { 0 };
    struct buf body;
    int rc;

    buf_init(&body, 8192);
    buf_text(&body, "<n:Pull><n:EnumerationContext>");
    xml_put_text(&body, s->context);
    buf_printf(&body, "</n:EnumerationContext><n:MaxElements>%d</n:MaxElements></n:Pull>",
               EVENTS_AT_ONCE);
    m.body = body.data;
    rc = buf_ok(&body) ? wsman_exchange(w, c, s->session, &m, &reply, err)
                       : pv_fail(err, PV_ENOMEM, "no memory");
    buf_free(&body);
    if (rc == PV_OK && !fault_timed_out(&reply.fault)) {
        if (is_over(&reply.fault))
            rc = pv_fail(err, PV_ENOENT, "the host has ended the subscription");
        else
            rc = reply_check(&reply, &m, err);
        if (rc == PV_OK)
            rc = read_events(s, reply.body, fn, ctx, err);
    }
    reply_free(&reply);
    return rc;
}

void wsman_unsubscribe(struct wsman *w, struct wsman_subscription *s)
{
    struct call c = { .host = w->host, .must_finish = true };
    struct message m = { .action = NS_EVENTING "/Unsubscribe",
                         .what = "ending a subscription",
                         .timeout_ms = GOODBYE_MS };
    struct reply reply = { 0 };
    struct pv_err ignored = { 0 };

    if (!s)
        return;
    m.uri = s->uri;
    m.body = "<e:Unsubscribe/>";
    m.identifier = s->identifier;
    (void)wsman_exchange(w, &c, s->session, &m, &reply, &ignored);
    reply_free(&reply);
    session_free(s->session);
    free(s);
}
