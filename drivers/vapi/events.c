/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/events.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/records.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/vapi.h"

#define PAGE 500
#define COLLECTOR_PAGE 1000
#define PAGES_AT_ONCE 20
#define PAUSE_MS 2000

void events_type(const char *native, char *out, size_t cap)
{
    size_t len = strlen(native), n = 0;

    if (len > 5 && str_ends(native, "Event"))
        len -= 5;
    (void)str_copy(out, cap, "external.");
    n = strlen(out);
    for (size_t i = 0; i < len && n + 2 < cap; i++) {
        unsigned char c = (unsigned char)native[i];
        bool starts_word = isupper(c) && i > 0 &&
                           (islower((unsigned char)native[i - 1]) ||
                            (i + 1 < len && islower((unsigned char)native[i + 1]) &&
                             isupper((unsigned char)native[i - 1])));

        if (starts_word)
            out[n++] = '_';
        out[n++] = isalnum(c) ? (char)tolower(c) : '_';
    }
    out[n] = '\0';
}

/* Arguments of an event and the kind they name, the most telling first. */
static const struct {
    const char *argument, *path;
    enum pv_kind kind;
} subjects[] = {
    { "vm", "vm.vm", PV_KIND_vm },
    { "ds", "ds.datastore", PV_KIND_datastore },
    { "net", "net.network", PV_KIND_network },
    { "dvs", "dvs.dvs", PV_KIND_switch },
    { "host", "host.host", PV_KIND_host },
    { "computeResource", "computeResource.computeResource", PV_KIND_cluster },
    { "datacenter", "datacenter.datacenter", PV_KIND_datacenter },
};

static void put_subject(const xmlNode *event, struct pv_builder *b)
{
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        struct moref ref;

        if (!value_ref(value_at(event, subjects[i].path), &ref))
            continue;
        /* A host without cluster has a compute resource of its own, which is none of our kinds. */
        if (subjects[i].kind == PV_KIND_cluster && strcmp(ref.type, "ClusterComputeResource") != 0)
            continue;
        pv_event_subject_kind(b, (uint64_t)subjects[i].kind);
        pv_event_subject_native_id(b, ref.id);
        return;
    }
}

static enum pv_severity severity(const xmlNode *event, const char *type)
{
    const char *text = value_field(event, "severity");

    if (text && strcmp(text, "error") == 0)
        return PV_SEVERITY_ERROR;
    if (text && strcmp(text, "warning") == 0)
        return PV_SEVERITY_WARNING;
    if (strstr(type, "Failed") || strstr(type, "Error") || strstr(type, "Lost") ||
        strstr(type, "NotResponding"))
        return PV_SEVERITY_WARNING;
    return PV_SEVERITY_INFO;
}

void events_map(const xmlNode *event, struct pv_builder *b)
{
    const char *type = xml_xsi_type(event), *key = value_field(event, "key");
    const char *id = value_field(event, "eventTypeId"), *message;
    char ours[65];
    int64_t ms;

    if (!type || !key)
        return;
    pv_event_begin(b, key, NULL);
    if (value_time(xml_child(event, NULL, "createdTime"), &ms))
        pv_event_time(b, ms);
    events_type(type, ours, sizeof(ours));
    pv_event_type(b, ours);
    pv_event_severity(b, severity(event, type));
    pv_event_native_type(b, id ? id : type);
    pv_event_actor_name(b, value_field(event, "userName"));
    message = value_field(event, "fullFormattedMessage");
    pv_event_message(b, message ? message : type);
    put_subject(event, b);
}

/* ------------------------------------------------------------------ the collector */

static int now_there(struct vapi *v, const struct call *c, struct events *e, struct pv_err *err)
{
    struct session_request r = { .what = "asking for the server's time" };
    struct soap_answer answer = { 0 };
    const char *text;
    int rc;

    r.request = enc_new("CurrentTime", "ServiceInstance", "ServiceInstance");
    if (!r.request)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = session_call(v->session, c, &r, &answer, err);
    text = value_text(soap_returnval(&answer));
    if (rc == PV_OK && (!text || !str_copy(e->begin, sizeof(e->begin), text)))
        rc = pv_fail(err, PV_EIO, "the server does not say what time it is");
    soap_answer_free(&answer);
    enc_free(r.request);
    return rc;
}

static int on_collector(struct vapi *v, const struct call *c, struct events *e, struct enc *request,
                        struct soap_answer *answer, struct pv_err *err)
{
    struct session_request r = {
        .request = request,
        .what = "reading events",
        .generation = e->generation,
        .timeout_ms = c->must_finish ? 1000 : 60000,
    };
    int rc = request ? session_call(v->session, c, &r, answer, err)
                     : pv_fail(err, PV_ENOMEM, "no memory");

    enc_free(request);
    return rc;
}

static int make_collector(struct vapi *v, const struct call *c, unsigned generation,
                          struct events *e, struct pv_err *err)
{
    const struct moref *manager = &v->session->content.events;
    struct soap_answer answer = { 0 };
    struct enc *request = enc_new("CreateCollectorForEvents", manager->type, manager->id);
    int rc;

    e->generation = generation;
    if (request) {
        struct enc_object *filter = enc_child(enc_root(request), "filter", "EventFilterSpec");

        enc_text(enc_child(filter, "time", "EventFilterSpecByTime"), "beginTime", e->begin);
    }
    rc = on_collector(v, c, e, request, &answer, err);
    if (rc == PV_OK && !value_ref(soap_returnval(&answer), &e->collector))
        rc = pv_fail(err, PV_EIO, "the server made no event collector");
    soap_answer_free(&answer);
    if (rc) {
        e->generation = 0;
        return rc;
    }
    memset(&answer, 0, sizeof(answer));
    request = enc_new("SetCollectorPageSize", e->collector.type, e->collector.id);
    if (request)
        enc_int(enc_root(request), "maxCount", COLLECTOR_PAGE);
    rc = on_collector(v, c, e, request, &answer, err);
    soap_answer_free(&answer);
    return rc;
}

/* Answers the number of events of the page. */
static int read_page(struct vapi *v, const struct call *c, struct events *e, struct pv_builder *b,
                     size_t *count, struct pv_err *err)
{
    struct soap_answer answer = { 0 };
    struct enc *request = enc_new("ReadNextEvents", e->collector.type, e->collector.id);
    size_t n = 0;
    int rc;

    if (request)
        enc_int(enc_root(request), "maxCount", PAGE);
    rc = on_collector(v, c, e, request, &answer, err);
    for (const xmlNode *event = rc == PV_OK ? soap_returnval(&answer) : NULL; event;
         event = xml_next_named(event, NULL, "returnval")) {
        const char *time = value_field(event, "createdTime");
        int64_t key = 0;

        n++;
        (void)xml_i64(xml_child(event, NULL, "key"), &key);
        if (key <= e->last_key)
            continue;
        events_map(event, b);
        e->last_key = key;
        if (time)
            (void)str_copy(e->begin, sizeof(e->begin), time);
    }
    soap_answer_free(&answer);
    if (rc == PV_OK) {
        *count = n;
        rc = pv_builder_room(b);
    }
    return rc;
}

/* What ends the watch's login or the watch itself is not ours to judge. */
static bool is_fatal(int rc)
{
    return rc == SESSION_RENEWED || rc == PV_ECANCELED || rc == PV_EAUTH || rc == PV_EOFFLINE ||
           rc == PV_ECERT || rc == PV_ELIMIT || rc == PV_ETIMEOUT || rc == PV_ENOMEM;
}

static int read_all(struct vapi *v, const struct call *c, unsigned generation, struct events *e,
                    struct pv_builder *b, struct pv_err *err)
{
    size_t count = PAGE;
    int rc = PV_OK;

    if (!e->begin[0])
        rc = now_there(v, c, e, err);
    if (rc == PV_OK && e->generation != generation)
        rc = make_collector(v, c, generation, e, err);
    for (unsigned pages = 0; rc == PV_OK && count > 0 && pages < PAGES_AT_ONCE; pages++) {
        rc = read_page(v, c, e, b, &count, err);
        if (count < PAGE)
            break;
    }
    return rc;
}

int events_read(struct vapi *v, const struct call *c, unsigned generation, struct events *e,
                struct pv_builder *b, struct pv_err *err)
{
    struct pv_err mine = { 0 };
    int rc;

    if (e->unsupported || !v->session->config.events || !v->session->content.events.id[0])
        return PV_OK;
    e->due = clock_mono_ms() < e->next_read_ms;
    if (e->due)
        return PV_OK;
    rc = read_all(v, c, generation, e, b, &mine);
    e->next_read_ms = clock_mono_ms() + PAUSE_MS;
    if (rc == PV_OK)
        return rc;
    if (is_fatal(rc)) {
        if (err)
            *err = mine;
        return rc;
    }
    e->generation = 0;
    e->unsupported = rc == PV_ENOTSUP || rc == PV_EPERM;
    /* A collector that is gone is made again at the next turn. */
    if (rc != PV_ENOENT)
        vapi_log(v, PV_LOG_LEVEL_WARN, "events cannot be read: %s", mine.message);
    return PV_OK;
}

void events_drop(struct vapi *v, const struct call *c, struct events *e)
{
    struct soap_answer answer = { 0 };
    struct pv_err ignored = { 0 };

    if (!e->generation)
        return;
    (void)on_collector(v, c, e, enc_new("DestroyCollector", e->collector.type, e->collector.id),
                       &answer, &ignored);
    soap_answer_free(&answer);
    e->generation = 0;
}
