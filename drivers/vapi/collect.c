/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/collect.h"

#include <string.h>

#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/session.h"

#define PAGE 500
#define PAGES_MOST 20000
#define UNKNOWN_PATHS_MOST 16

struct reading {
    struct session *s;
    const struct call *c;
    unsigned generation;
    collect_fn fn;
    void *ctx;
    char token[512];    /* of the page after this one; "" : there is none */
    bool signed_out;    /* the content says that the login is over */
    struct fault fault; /* of the last request */
};

int collect_make_view(struct session *s, const struct call *c, unsigned generation,
                      const struct moref *container, const char *const *types, struct moref *out,
                      struct pv_err *err)
{
    struct session_request r = { .what = "making a view of the inventory",
                                 .generation = generation };
    struct soap_answer answer = { 0 };
    int rc;

    r.request = enc_new("CreateContainerView", s->content.views.type, s->content.views.id);
    if (!r.request)
        return pv_fail(err, PV_ENOMEM, "no memory");
    enc_ref(enc_root(r.request), "container", container->type, container->id);
    for (; types && *types; types++)
        enc_text(enc_root(r.request), "type", *types);
    enc_bool(enc_root(r.request), "recursive", true);
    rc = session_call(s, c, &r, &answer, err);
    if (rc == PV_OK && !value_ref(soap_returnval(&answer), out))
        rc = pv_fail(err, PV_EIO, "the server made no view");
    soap_answer_free(&answer);
    enc_free(r.request);
    return rc;
}

void collect_drop_view(struct session *s, const struct call *c, unsigned generation,
                       const struct moref *view)
{
    struct call mine = { .host = c->host, .number = c->number, .must_finish = true };
    struct session_request r = { .generation = generation, .timeout_ms = 1000 };
    struct soap_answer answer = { 0 };
    struct pv_err ignored = { 0 };

    r.request = view->id[0] ? enc_new("DestroyView", view->type, view->id) : NULL;
    if (!r.request)
        return;
    (void)session_call(s, &mine, &r, &answer, &ignored);
    soap_answer_free(&answer);
    enc_free(r.request);
}

void collect_put_props(struct session *s, struct enc_object *spec,
                       const struct prop_table *const *tables)
{
    for (; *tables; tables++) {
        struct enc_object *set = enc_child(spec, "propSet", "PropertySpec");

        enc_text(set, "type", (*tables)->type);
        enc_bool(set, "all", false);
        for (size_t i = 0; i < (*tables)->count; i++)
            if (session_knows_path(s, (*tables)->paths[i]))
                enc_text(set, "pathSet", (*tables)->paths[i]);
    }
}

void collect_put_view(struct enc_object *spec, const struct moref *view, const char *view_type)
{
    struct enc_object *object = enc_child(spec, "objectSet", "ObjectSpec"), *step;

    enc_ref(object, "obj", view->type, view->id);
    enc_bool(object, "skip", true);
    step = enc_child(object, "selectSet", "TraversalSpec");
    enc_text(step, "name", "view");
    enc_text(step, "type", view_type);
    enc_text(step, "path", "view");
    enc_bool(step, "skip", false);
}

/* The simulator answers a request without login with objects that have nothing but this in their
 * missingSet. */
static bool says_signed_out(const xmlNode *object)
{
    for (const xmlNode *n = object->last; n; n = n->prev) {
        const char *type;

        if (n->type != XML_ELEMENT_NODE)
            continue;
        if (!xml_is(n, NULL, "missingSet"))
            return false;
        type = xml_xsi_type(value_at(n, "fault.fault"));
        if (type && strcmp(type, "NotAuthenticated") == 0)
            return true;
    }
    return false;
}

static int on_element(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    struct reading *r = ctx;
    struct moref ref;

    if (xml_is(element, NULL, "token")) {
        if (!str_copy(r->token, sizeof(r->token), xml_text(element)))
            return pv_fail(err, PV_EIO, "the server's page token is too long");
        return PV_OK;
    }
    if (r->signed_out || says_signed_out(element)) {
        r->signed_out = true;
        return PV_OK;
    }
    if (!value_ref(xml_child(element, NULL, "obj"), &ref))
        return PV_OK;
    return r->fn(r->ctx, &ref, element, err);
}

static int send_page(struct reading *r, struct enc *e, struct pv_err *err)
{
    struct session_request request = {
        .request = e,
        .what = "reading the inventory",
        .generation = r->generation,
        .stream = { "objects", "token" },
        .on_element = on_element,
        .stream_ctx = r,
        .signed_out = &r->signed_out,
    };
    struct soap_answer answer;
    int rc;

    r->token[0] = '\0';
    r->signed_out = false;
    rc = session_call(r->s, r->c, &request, &answer, err);
    r->fault = answer.fault;
    soap_answer_free(&answer);
    return rc;
}

/* A retrieval that is not followed to its end is kept by the server until the login ends. */
static void give_back(struct reading *r, const char *token)
{
    struct call c = { .host = r->c->host, .number = r->c->number, .must_finish = true };
    const struct moref *pc = &r->s->content.collector;
    struct session_request request = { .generation = r->generation, .timeout_ms = 1000 };
    struct soap_answer answer = { 0 };
    struct pv_err ignored = { 0 };

    request.request = enc_new("CancelRetrievePropertiesEx", pc->type, pc->id);
    if (!request.request)
        return;
    enc_text(enc_root(request.request), "token", token);
    (void)session_call(r->s, &c, &request, &answer, &ignored);
    soap_answer_free(&answer);
    enc_free(request.request);
}

static int follow(struct reading *r, struct pv_err *err)
{
    const struct moref *pc = &r->s->content.collector;
    char token[sizeof(r->token)];
    int rc = PV_OK;

    for (unsigned pages = 0; rc == PV_OK && r->token[0]; pages++) {
        struct enc *e = enc_new("ContinueRetrievePropertiesEx", pc->type, pc->id);

        if (!e)
            return pv_fail(err, PV_ENOMEM, "no memory");
        memcpy(token, r->token, sizeof(token));
        enc_text(enc_root(e), "token", token);
        rc = pages < PAGES_MOST ? send_page(r, e, err)
                                : pv_fail(err, PV_EIO, "the server's listing has no end");
        enc_free(e);
        if (rc && rc != SESSION_RENEWED)
            give_back(r, r->token[0] ? r->token : token);
    }
    return rc;
}

static struct enc *first_page(struct reading *r, const struct prop_table *const *tables,
                              struct enc_object **spec)
{
    const struct moref *pc = &r->s->content.collector;
    struct enc *e = enc_new("RetrievePropertiesEx", pc->type, pc->id);

    if (!e)
        return NULL;
    *spec = enc_child(enc_root(e), "specSet", "PropertyFilterSpec");
    collect_put_props(r->s, *spec, tables);
    enc_int(enc_child(enc_root(e), "options", "RetrieveOptions"), "maxObjects", PAGE);
    return e;
}

/* A real server refuses the whole request for one property it does not know. */
static bool left_out(struct reading *r, int rc, unsigned *tries)
{
    return rc == PV_EINVAL && fault_is(&r->fault, "InvalidProperty") && r->fault.property[0] &&
           ++*tries <= UNKNOWN_PATHS_MOST && session_knows_path(r->s, r->fault.property) &&
           session_forget_path(r->s, r->fault.property);
}

int collect_by_view(struct session *s, const struct call *c, unsigned generation,
                    const struct moref *view, const struct prop_table *const *tables, collect_fn fn,
                    void *ctx, struct pv_err *err)
{
    struct reading r = { .s = s, .c = c, .generation = generation, .fn = fn, .ctx = ctx };
    unsigned tries = 0;
    int rc;

    do {
        struct enc_object *spec;
        struct enc *e = first_page(&r, tables, &spec);

        if (!e)
            return pv_fail(err, PV_ENOMEM, "no memory");
        collect_put_view(spec, view, "ContainerView");
        rc = send_page(&r, e, err);
        enc_free(e);
    } while (left_out(&r, rc, &tries));
    /* The simulator says this of a view when the login is over; nothing else makes a view vanish.
     */
    if (rc == PV_ENOENT)
        return SESSION_RENEWED;
    if (rc && r.token[0] && rc != SESSION_RENEWED)
        give_back(&r, r.token);
    return rc ? rc : follow(&r, err);
}

static int read_refs(struct reading *r, const struct moref *refs, size_t n,
                     const struct prop_table *const *tables, struct pv_err *err)
{
    unsigned tries = 0;
    int rc;

    do {
        struct enc_object *spec;
        struct enc *e = first_page(r, tables, &spec);

        if (!e)
            return pv_fail(err, PV_ENOMEM, "no memory");
        for (size_t i = 0; i < n; i++) {
            struct enc_object *object = enc_child(spec, "objectSet", "ObjectSpec");

            enc_ref(object, "obj", refs[i].type, refs[i].id);
            enc_bool(object, "skip", false);
        }
        rc = send_page(r, e, err);
        enc_free(e);
    } while (left_out(r, rc, &tries));
    if (rc && r->token[0] && rc != SESSION_RENEWED)
        give_back(r, r->token);
    return rc ? rc : follow(r, err);
}

int collect_by_refs(struct session *s, const struct call *c, const struct moref *refs, size_t n,
                    const struct prop_table *const *tables, collect_fn fn, void *ctx,
                    struct moref *missing, struct pv_err *err)
{
    struct reading r = { .s = s, .c = c, .fn = fn, .ctx = ctx };
    int rc;

    if (n == 0)
        return PV_OK;
    /* Pages belong to a login; the objects do not, so reading can begin again with a new one. */
    for (unsigned tries = 0;; tries++) {
        rc = session_login(s, c, &r.generation, err);
        if (rc == PV_OK)
            rc = read_refs(&r, refs, n, tables, err);
        if (rc != SESSION_RENEWED)
            break;
        if (tries > 0)
            return pv_fail(err, PV_EAUTH, "the server forgets the sign-in at once");
    }
    if (rc == PV_ENOENT && missing) {
        memset(missing, 0, sizeof(*missing));
        (void)str_copy(missing->id, sizeof(missing->id), r.fault.object);
    }
    return rc;
}
