/* SPDX-License-Identifier: Apache-2.0 */
/* Identify, Get, Put, Delete, Invoke. */
#include "drivers/wmi/wsman.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"
#include "drivers/wmi/wsman_inner.h"

static enum cim_ns ns_of_ref(const struct cim_ref *r)
{
    for (unsigned i = 0; i < CIM_NS_COUNT; i++)
        if (strcasecmp(r->ns, cim_ns_path(i)) == 0)
            return i;
    return CIM_NS_VIRTUALIZATION;
}

static int bad_ref(const struct cim_ref *ref, struct pv_err *err)
{
    return ref ? pv_fail(err, PV_EINTERNAL, "a reference to %s could not be made", ref->cls)
               : pv_fail(err, PV_ENOENT, "there is no reference to ask for");
}

/* ------------------------------------------------------------------ Identify */

static void copy(char *out, size_t cap, const char *text)
{
    (void)str_copy(out, cap, text ? text : "");
}

/* "OS: 10.0.20348 SP: 0.0 Stack: 3.0" */
static void read_part(const char *product, const char *name, char *out, size_t cap)
{
    const char *at = strstr(product, name);
    size_t len;

    if (!at)
        return;
    at += strlen(name);
    at += strspn(at, " ");
    len = strcspn(at, " ");
    if (len < cap)
        (void)str_copy_n(out, cap, at, len);
}

int wsman_identify(struct wsman *w, const struct call *c, bool signed_in,
                   struct wsman_identity *out, struct pv_err *err)
{
    struct message m = { .identify = true,
                         .anonymous = !signed_in,
                         .body = "<i:Identify/>",
                         .what = "asking who answers" };
    struct wsman_identity id = { 0 };
    struct reply reply = { 0 };
    int rc = wsman_exchange(w, c, NULL, &m, &reply, err);

    if (rc == PV_OK)
        rc = reply_check(&reply, &m, err);
    if (rc == PV_OK && !xml_is(reply.body, NS_IDENTITY, "IdentifyResponse"))
        rc = pv_fail_as(err, "provider-not-recognized", "%s does not answer as WinRM",
                        w->config->at.host);
    if (rc == PV_OK) {
        copy(id.vendor, sizeof(id.vendor), xml_child_text(reply.body, NULL, "ProductVendor"));
        copy(id.product, sizeof(id.product), xml_child_text(reply.body, NULL, "ProductVersion"));
        copy(id.protocol, sizeof(id.protocol), xml_child_text(reply.body, NULL, "ProtocolVersion"));
        read_part(id.product, "OS:", id.os, sizeof(id.os));
        read_part(id.product, "Stack:", id.stack, sizeof(id.stack));
        *out = id;
    }
    reply_free(&reply);
    return rc;
}

/* ------------------------------------------------------------------ instances */

int wsman_get(struct wsman *w, const struct call *c, const struct cim_ref *ref, struct arena *a,
              struct cim_instance **out, struct pv_err *err)
{
    struct message m = { .action = NS_TRANSFER "/Get", .ref = ref, .body = "" };
    char uri[URI_CAP], what[160];
    struct reply reply = { 0 };
    int rc;

    if (!ref || ref->failed)
        return bad_ref(ref, err);
    envelope_uri(uri, sizeof(uri), ref->ns, ref->cls);
    (void)snprintf(what, sizeof(what), "reading %.120s", ref->cls);
    m.uri = uri;
    m.what = what;
    rc = wsman_exchange(w, c, NULL, &m, &reply, err);
    if (rc == PV_OK)
        rc = reply_check(&reply, &m, err);
    if (rc == PV_OK)
        rc = cim_read(a, reply.body, cim_class_find(ns_of_ref(ref), ref->cls), ns_of_ref(ref), out,
                      err);
    if (rc == PV_OK)
        (*out)->ref = ref;
    reply_free(&reply);
    return rc;
}

int wsman_put(struct wsman *w, const struct call *c, const struct cim_ref *ref,
              const struct cim_instance *o, struct pv_err *err)
{
    struct message m = { .action = NS_TRANSFER "/Put", .ref = ref, .changes = true };
    struct arena *a = arena_new(16384, BODY_MOST);
    struct cim_instance *now = NULL;
    char uri[URI_CAP], what[160];
    struct reply reply = { 0 };
    struct buf body;
    int rc = PV_OK;

    buf_init(&body, BODY_MOST);
    if (!a)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    else if (!ref || ref->failed || !o || o->failed || !o->cls)
        rc = bad_ref(ref, err);
    /* A Put replaces the whole representation. */
    if (rc == PV_OK)
        rc = wsman_get(w, c, ref, a, &now, err);
    if (rc == PV_OK && now->cls != o->cls)
        rc = pv_fail(err, PV_EINTERNAL, "%s is no %s", now->name, o->name);
    if (rc == PV_OK) {
        envelope_uri(uri, sizeof(uri), ref->ns, ref->cls);
        (void)snprintf(what, sizeof(what), "writing %.120s", ref->cls);
        buf_printf(&body, "<q:%s xmlns:q=\"%s\">", o->cls->name, uri);
        for (unsigned i = 0; i < o->cls->nprops; i++) {
            const struct cim_value *v = o->values[i].there ? &o->values[i] : &now->values[i];

            if (v->there && o->cls->props[i].type != CIM_OBJECT)
                envelope_value(&body, &o->cls->props[i], v);
        }
        buf_printf(&body, "</q:%s>", o->cls->name);
        m.uri = uri;
        m.what = what;
        m.body = body.data;
        rc = buf_ok(&body) ? wsman_exchange(w, c, NULL, &m, &reply, err)
                           : pv_fail(err, PV_ENOMEM, "no memory");
    }
    if (rc == PV_OK)
        rc = reply_check(&reply, &m, err);
    reply_free(&reply);
    buf_free(&body);
    arena_free(a);
    return rc;
}

int wsman_delete(struct wsman *w, const struct call *c, const struct cim_ref *ref,
                 struct pv_err *err)
{
    struct message m = { .action = NS_TRANSFER "/Delete", .ref = ref, .changes = true, .body = "" };
    char uri[URI_CAP], what[160];
    struct reply reply = { 0 };
    int rc;

    if (!ref || ref->failed)
        return bad_ref(ref, err);
    envelope_uri(uri, sizeof(uri), ref->ns, ref->cls);
    (void)snprintf(what, sizeof(what), "deleting %.120s", ref->cls);
    m.uri = uri;
    m.what = what;
    rc = wsman_exchange(w, c, NULL, &m, &reply, err);
    if (rc == PV_OK)
        rc = reply_check(&reply, &m, err);
    reply_free(&reply);
    return rc;
}

/* ------------------------------------------------------------------ methods */

int wsman_invoke(struct wsman *w, const struct call *c, const struct cim_ref *ref,
                 const struct cim_instance *in, struct arena *a, struct cim_instance **out,
                 struct pv_err *err)
{
    char uri[URI_CAP], action[URI_CAP + 80], what[192];
    struct message m = { .action = action, .uri = uri, .ref = ref, .what = what };
    struct reply reply = { 0 };
    struct buf body;
    int rc;

    if (!in)
        return pv_fail(err, PV_ENOMEM, "no memory for a request");
    if (in->failed || !in->cls->method)
        return pv_fail(err, PV_EINTERNAL, "a parameter of %s could not be set", in->name);
    if (!ref || ref->failed)
        return bad_ref(ref, err);
    m.changes = !in->cls->reads;
    /* The class that has the method: a reference may name a class below it. */
    envelope_uri(uri, sizeof(uri), ref->ns, ref->cls);
    (void)snprintf(action, sizeof(action), "%s/%s", uri, in->cls->name);
    (void)snprintf(what, sizeof(what), "%.80s.%.80s", ref->cls, in->cls->name);
    buf_init(&body, BODY_MOST);
    rc = envelope_input(&body, in, uri, err);
    m.body = body.data;
    if (rc == PV_OK)
        rc = wsman_exchange(w, c, NULL, &m, &reply, err);
    buf_free(&body);
    m.body = NULL;
    if (rc == PV_OK)
        rc = reply_check(&reply, &m, err);
    if (rc == PV_OK)
        rc = cim_read(a, reply.body, in->cls, (enum cim_ns)in->cls->ns, out, err);
    if (rc == PV_EIO && m.changes && !reply.fault.there)
        rc = pv_fail(err, PV_EUNKNOWN, "%s: the host's answer cannot be read", what);
    reply_free(&reply);
    return rc;
}

static const struct cim_ref *known_service(struct wsman *w, const struct cim_class *cls)
{
    const struct cim_ref *found = NULL;

    pthread_mutex_lock(&w->lock);
    for (unsigned i = 0; i < w->nservices && !found; i++)
        if (w->services[i].cls == cls)
            found = w->services[i].ref;
    pthread_mutex_unlock(&w->lock);
    return found;
}

/* A copy that lives as long as the client. With the lock held. */
static struct cim_ref *keep_ref(struct wsman *w, const struct cim_class *cls,
                                const struct cim_ref *from)
{
    struct cim_ref *r = cim_ref_new(w->arena, cls);

    for (unsigned i = 0; r && i < from->nkeys; i++) {
        if (!from->keys[i].value)
            return NULL;
        r->keys[i].name = arena_strdup(w->arena, from->keys[i].name);
        r->keys[i].value = arena_strdup(w->arena, from->keys[i].value);
        if (!r->keys[i].name || !r->keys[i].value)
            return NULL;
        r->nkeys++;
    }
    return r;
}

int wsman_service(struct wsman *w, const struct call *c, const struct cim_class *cls,
                  const struct cim_ref **out, struct pv_err *err)
{
    struct wsman_query q = { .cls = cls };
    const struct cim_ref *found = known_service(w, cls), *here;
    struct cim_instance *o = NULL;
    struct arena *a;
    int rc;

    if (found) {
        *out = found;
        return PV_OK;
    }
    a = arena_new(16384, 16u << 20);
    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = wsman_first(w, c, &q, a, &o, err);
    if (rc == PV_ENOENT) {
        rc = pv_fail(err, PV_EPERM, "%s is not visible to %s", cls->name, w->config->at.username);
        pv_err_needs(err, "Hyper-V Administrators");
        pv_err_remedy(
            err, "Add the account to Hyper-V Administrators (and Remote Management Users) on the "
                 "host, and check that the service vmms runs.");
    }
    here = rc == PV_OK ? cim_ref_of(a, o) : NULL;
    if (rc == PV_OK && !here)
        rc = pv_fail(err, PV_EIO, "%s has no keys", cls->name);
    if (rc == PV_OK) {
        pthread_mutex_lock(&w->lock);
        found = keep_ref(w, cls, here);
        if (found && w->nservices < SERVICES_MOST) {
            w->services[w->nservices].cls = cls;
            w->services[w->nservices++].ref = found;
        }
        pthread_mutex_unlock(&w->lock);
        if (found)
            *out = found;
        else
            rc = pv_fail(err, PV_ENOMEM, "no memory");
    }
    arena_free(a);
    return rc;
}

int wsman_fail_return(uint32_t value, const char *what, struct pv_err *err)
{
    static const struct {
        uint32_t value;
        int rc;
        const char *words;
    } meanings[] = {
        { 1, PV_ENOTSUP, "the host does not support it" },
        { 2, PV_EIO, "the host reports a failure" },
        { 3, PV_ETIMEOUT, "the host did not do it in time" },
        { 4, PV_EINVAL, "a value is not acceptable" },
        { 5, PV_ESTATE, "the object's state does not allow it" },
        { 6, PV_EINVAL, "types do not fit together" },
        { 4097, PV_EINVAL, "the host does not accept the parameters" },
        { 32768, PV_EIO, "the host reports a failure" },
        { 32769, PV_EPERM, "access is denied" },
        { 32770, PV_ENOTSUP, "the host does not support it" },
        { 32771, PV_EUNKNOWN, "the host does not know how it ended" },
        { 32772, PV_ETIMEOUT, "the host did not do it in time" },
        { 32773, PV_EINVAL, "a value is not acceptable" },
        { 32774, PV_EBUSY, "the system is in use" },
        { 32775, PV_ESTATE, "the object's state does not allow it" },
        { 32776, PV_EINVAL, "a value has the wrong type" },
        { 32777, PV_ESTATE, "the system is not available" },
        { 32778, PV_ELIMIT, "the host has not enough memory" },
        { 32779, PV_ENOENT, "a file was not found, or is in use" },
    };
    const struct fault_code *code = NULL;
    const char *words = "the host refused";
    char native[80];
    int rc = PV_EIO;

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].value == value) {
            rc = meanings[i].rc;
            words = meanings[i].words;
        }
    }
    for (unsigned i = 0; i < fault_returns_count; i++)
        if (fault_returns[i].code == value)
            code = &fault_returns[i];
    rc = pv_fail(err, rc, "%s: %s", what, words);
    (void)snprintf(native, sizeof(native), "%u%s%.60s", value, code ? " " : "",
                   code ? code->name : "");
    pv_err_native(err, native);
    if (value == 32769)
        pv_err_remedy(err,
                      "If a path lies on another machine (a share, another host), the host needs "
                      "Kerberos constrained delegation to act there.");
    return rc;
}
