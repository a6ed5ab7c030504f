/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/report.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"
#include "drivers/wmi/report_inner.h"
#include "drivers/wmi/wsman_inner.h"

#define VALUE_MOST (4u << 20)
#define NESTED_MOST 6
#define INSTANCES_MOST 200000u

/* ------------------------------------------------------------------ elements as JSON */

void report_put_text(struct report *r, const char *key, const char *name, const char *text)
{
    struct buf value;

    buf_init(&value, VALUE_MOST);
    mask_put(&r->mask, &value, name, text ? text : "");
    jsonw_str(r->w, key, buf_ok(&value) ? (value.data ? value.data : "") : NULL);
    buf_free(&value);
}

static void put_ref(struct report *r, const struct cim_ref *ref, unsigned depth)
{
    jsonw_object(r->w, "ref");
    jsonw_str(r->w, "namespace", ref->ns);
    jsonw_str(r->w, "class", ref->cls);
    jsonw_object(r->w, "keys");
    for (unsigned i = 0; i < ref->nkeys; i++) {
        const struct cim_key *k = &ref->keys[i];

        if (k->value) {
            report_put_text(r, k->name, k->name, k->value);
        } else if (depth < NESTED_MOST) {
            jsonw_object(r->w, k->name);
            put_ref(r, k->ref, depth + 1);
            jsonw_end(r->w);
        }
    }
    jsonw_end(r->w);
    jsonw_end(r->w);
}

static bool is_array(const struct report *r, const xmlNode *node, unsigned depth)
{
    const struct cim_prop *p = depth == 0 && r->cls ? cim_prop_find(r->cls, xml_name(node)) : NULL;
    const xmlNode *next = xml_next(node);

    return (p && p->array) || (next && strcmp(xml_name(next), xml_name(node)) == 0);
}

/* Not an object: NULL, text, a time, a reference. */
static bool put_plain(struct report *r, const char *key, const xmlNode *node)
{
    const char *nil = xml_attr(node, XML_NS_XSI, "nil");
    const xmlNode *inner = xml_first(node);
    const struct cim_ref *ref;
    struct arena *a;

    if (nil && strcasecmp(nil, "true") == 0) {
        jsonw_null(r->w, key);
        return true;
    }
    if (inner && inner->ns && inner->ns->href &&
        strcmp((const char *)inner->ns->href, NS_CIM) == 0) {
        /* <cim:Datetime>, <cim:Interval>: the form matters to whoever replays it. */
        jsonw_object(r->w, key);
        jsonw_str(r->w, xml_name(inner), xml_text(inner));
        jsonw_end(r->w);
        return true;
    }
    a = arena_new(4096, 1u << 20);
    ref = a && inner ? cim_read_ref(a, node) : NULL;
    if (ref) {
        jsonw_object(r->w, key);
        put_ref(r, ref, 0);
        jsonw_end(r->w);
    }
    arena_free(a);
    return ref != NULL;
}

/* Items of an array stand in a row, under one name. */
void report_put_object(struct report *r, const char *key, const xmlNode *object, unsigned depth)
{
    const char *type = xml_xsi_type(object);

    jsonw_object(r->w, key);
    jsonw_str(r->w, "class", xml_name(object));
    if (type)
        jsonw_str(r->w, "type", type);
    jsonw_object(r->w, "properties");
    for (const xmlNode *n = depth < NESTED_MOST ? xml_first(object) : NULL; n; n = xml_next(n)) {
        const char *name = xml_name(n);
        bool array = is_array(r, n, depth);

        if (array)
            jsonw_array(r->w, name);
        for (;;) {
            const xmlNode *next = xml_next(n);

            if (!xml_first(n) && !xml_attr(n, XML_NS_XSI, "nil"))
                report_put_text(r, array ? NULL : name, name, xml_text(n));
            else if (!put_plain(r, array ? NULL : name, n))
                report_put_object(r, array ? NULL : name, n, depth + 1);
            if (!array || !next || strcmp(xml_name(next), name) != 0)
                break;
            n = next;
        }
        if (array)
            jsonw_end(r->w);
    }
    jsonw_end(r->w);
    jsonw_end(r->w);
}

void report_put_error(struct report *r, const struct pv_err *err)
{
    jsonw_object(r->w, "error");
    jsonw_str(r->w, "code", err->native_code);
    jsonw_str(r->w, "rc", pv_rc_name(err->rc));
    /* The host's words may hold names. */
    if (!r->mask.on)
        jsonw_str(r->w, "message", err->message);
    jsonw_end(r->w);
}

/* ------------------------------------------------------------------ the parts */

static int on_object(void *ctx, const xmlNode *object, struct pv_err *err)
{
    struct report *r = ctx;

    (void)err;
    if (r->count++ < r->o->samples)
        report_put_object(r, NULL, object, 0);
    return r->count < INSTANCES_MOST ? PV_OK : WSMAN_STOP;
}

static int unused(void *ctx, struct cim_instance *o, struct pv_err *err)
{
    (void)ctx;
    (void)o;
    (void)err;
    return PV_OK;
}

static int put_class(struct report *r, const struct cim_class *cls, struct pv_err *err)
{
    struct wsman_query q = { .cls = cls, .raw = on_object };
    struct pv_err mine = { 0 };
    int64_t from = clock_mono_ms();
    int rc;

    r->cls = cls;
    r->count = 0;
    jsonw_object(r->w, cls->name);
    jsonw_array(r->w, "instances");
    rc = wsman_enumerate(r->wmi->client, r->c, &q, unused, r, &mine);
    jsonw_end(r->w);
    jsonw_u64(r->w, "count", r->count);
    jsonw_i64(r->w, "ms", clock_mono_ms() - from);
    if (rc)
        report_put_error(r, &mine);
    jsonw_end(r->w);
    /* Without host or account there is no more to tell. */
    if (rc == PV_ECANCELED || rc == PV_EAUTH || rc == PV_EOFFLINE) {
        *err = mine;
        return rc;
    }
    return PV_OK;
}

/* A namespace that is not there is asked for once. */
static int put_namespace(struct report *r, unsigned ns, struct pv_err *err)
{
    int rc = PV_OK;

    jsonw_object(r->w, cim_ns_path((enum cim_ns)ns));
    for (unsigned i = cim_ranges[ns].first; i < cim_ranges[ns].end && rc == PV_OK; i++) {
        const struct cim_class *cls = &cim_classes[i];
        bool has_key = false;

        for (unsigned p = 0; !cls->method && p < cls->nprops && !has_key; p++)
            has_key = cls->props[p].key;
        /* CIM_DataFile would list every file of the host, Win32_Process what people do there. */
        if (has_key && cls != CIM(CIM_DataFile) && cls != CIM(Win32_Directory) &&
            cls != CIM(Win32_SubDirectory) && cls != CIM(CIM_DirectoryContainsFile) &&
            cls != CIM(Win32_Process))
            rc = put_class(r, cls, err);
    }
    jsonw_end(r->w);
    return rc;
}

static void put_quotas(struct report *r)
{
    struct wsman_quotas q = { 0 };
    struct pv_err err = { 0 };
    int rc = wsman_quotas(r->wmi->client, r->c, &q, &err);

    jsonw_object(r->w, "quotas");
    if (rc) {
        report_put_error(r, &err);
    } else {
        jsonw_u64(r->w, "MaxEnvelopeSizekb", q.max_envelope_kb);
        jsonw_u64(r->w, "MaxTimeoutms", q.max_timeout_ms);
        jsonw_u64(r->w, "MaxBatchItems", q.max_batch_items);
        jsonw_u64(r->w, "MaxConcurrentOperationsPerUser", q.max_operations_per_user);
        jsonw_u64(r->w, "MaxConnections", q.max_connections);
        jsonw_u64(r->w, "EnumerationTimeoutms", q.enumeration_timeout_ms);
        jsonw_u64(r->w, "MaxShellsPerUser", q.max_shells_per_user);
        jsonw_bool(r->w, "AllowUnencrypted", q.allow_unencrypted);
        jsonw_bool(r->w, "Basic", q.basic);
        jsonw_bool(r->w, "Negotiate", q.negotiate);
        jsonw_bool(r->w, "Kerberos", q.kerberos);
        jsonw_bool(r->w, "Certificate", q.certificate);
    }
    jsonw_end(r->w);
}

static bool always(void *ctx, const struct cim_instance *o)
{
    (void)ctx;
    (void)o;
    return true;
}

/* Each feature that a contradiction in the sources is about: tried, and what the host said. */
static void put_features(struct report *r)
{
    struct wsman *client = r->wmi->client;
    struct wsman_query wql = { .cls = CIM(Msvm_VirtualSystemManagementService),
                               .where = "Name = 'vmms'",
                               .match = always };
    struct wsman_query assoc = { .cls = CIM(Msvm_ComputerSystem),
                                 .assoc = CIM(Msvm_HostedService) };
    struct arena *a = arena_new(16384, 16u << 20);
    struct wsman_subscription *s = NULL;
    struct cim_list list;
    struct pv_err err = { 0 };
    char mechanism[16];
    int rc;

    jsonw_object(r->w, "features");
    wsman_mechanism(client, mechanism);
    jsonw_str(r->w, "mechanism", mechanism);
    if (a && wsman_list(client, r->c, &wql, a, &list, &err) == PV_OK)
        jsonw_bool(r->w, "wql", wsman_filters(client, CIM_NS_VIRTUALIZATION, false));
    if (a &&
        wsman_service(client, r->c, CIM(Msvm_VirtualSystemManagementService), &assoc.of, &err) ==
            PV_OK &&
        wsman_list(client, r->c, &assoc, a, &list, &err) == PV_OK)
        jsonw_bool(r->w, "associations", wsman_filters(client, CIM_NS_VIRTUALIZATION, true));
    jsonw_object(r->w, "events");
    memset(&err, 0, sizeof(err));
    rc = wsman_subscribe(client, r->c, CIM_NS_VIRTUALIZATION,
                         "SELECT * FROM __InstanceModificationEvent WITHIN 5 WHERE TargetInstance "
                         "ISA 'Msvm_ComputerSystem'",
                         &s, &err);
    jsonw_bool(r->w, "granted", rc == PV_OK);
    if (rc)
        report_put_error(r, &err);
    jsonw_end(r->w);
    wsman_unsubscribe(client, s);
    jsonw_end(r->w);
    arena_free(a);
}

static void put_identity(struct report *r)
{
    struct wsman_identity id = { 0 };
    struct pv_err err = { 0 };
    int rc = wsman_identify(r->wmi->client, r->c, true, &id, &err);

    jsonw_object(r->w, "identity");
    if (rc) {
        report_put_error(r, &err);
    } else {
        jsonw_str(r->w, "ProtocolVersion", id.protocol);
        jsonw_str(r->w, "ProductVendor", id.vendor);
        jsonw_str(r->w, "ProductVersion", id.product);
    }
    jsonw_end(r->w);
}

int report_write(struct wmi *w, const struct call *c, const struct report_options *o,
                 struct jsonw *out, const char *key, struct pv_err *err)
{
    struct report r = { .wmi = w, .c = c, .o = o, .w = out };
    int rc = PV_OK;

    mask_init(&r.mask, o->mask);
    jsonw_object(out, key);
    jsonw_str(out, "format", "polyvisor-hyperv-report/1");
    jsonw_str(out, "driver", PV_VERSION);
    jsonw_time(out, "made_at", clock_wall_ms());
    jsonw_bool(out, "masked", o->mask);
    jsonw_u64(out, "samples", o->samples);
    put_identity(&r);
    put_quotas(&r);
    put_features(&r);
    jsonw_object(out, "namespaces");
    for (unsigned ns = 0; ns < CIM_NS_COUNT && rc == PV_OK; ns++)
        rc = put_namespace(&r, ns, err);
    jsonw_end(out);
    jsonw_object(out, "methods");
    if (rc == PV_OK)
        rc = report_methods(&r, err);
    jsonw_end(out);
    jsonw_u64(out, "requests", wsman_requests(w->client));
    jsonw_end(out);
    return rc;
}
