/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vapi_fake.h"

#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/inventory.h"
#include "drivers/vapi/props.h"

static struct session *open_session(void)
{
    struct pv_err err = { 0 };
    struct session *s = NULL;

    cr_assert_eq(session_new(&fake.host, fake.config, &s, &err), PV_OK, "%s", err.message);
    return s;
}

static int simple(struct session *s, const char *method, bool changes, unsigned generation,
                  struct pv_err *err)
{
    struct call c = { .host = &fake.host, .number = 1 };
    struct session_request r = {
        .request = enc_new(method, "VirtualMachine", "vm-1"),
        .changes = changes,
        .generation = generation,
    };
    struct soap_answer answer;
    int rc = session_call(s, &c, &r, &answer, err);

    soap_answer_free(&answer);
    enc_free(r.request);
    return rc;
}

Test(vapi_session, signs_in_once_for_many_calls_and_out_at_the_end)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(NULL);
    s = open_session();
    for (int i = 0; i < 3; i++)
        cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_OK, "%s", err.message);
    session_free(s);
    cr_expect_eq(fake_count("Login"), 1);
    cr_expect_eq(fake_count("Logout"), 1);
    cr_expect_eq(fake_count("RetrieveServiceContent"), 1);
    cr_expect_not_null(
        strstr(fake_request("CurrentTime", 0, true), "Cookie: vmware_soap_session=\"c-1\"\r\n"),
        "the cookie goes back as it came, quotes included");
    cr_expect_null(strstr(fake_request("Login", 0, true), "Cookie:"),
                   "a second login on a live one would be refused");
    cr_expect_not_null(
        strstr(fake_request("CurrentTime", 0, true), "SOAPAction: urn:vim25/8.0.3.0"),
        "the version asked for is the smaller one of theirs and ours");
    fake_stop();
}

static struct fake_reply forget_once(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)body;
    if (strcmp(method, "PowerOnVM_Task") == 0 && nth == 0)
        reply.body = FAKE_FAULT("NotAuthenticated");
    return reply;
}

Test(vapi_session, signs_in_again_and_repeats_once_what_was_refused_for_lack_of_a_login)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(forget_once);
    s = open_session();
    cr_expect_eq(simple(s, "PowerOnVM_Task", true, 0, &err), PV_OK, "%s", err.message);
    cr_expect_eq(s->generation, 2);
    session_free(s);
    cr_expect_eq(fake_count("Login"), 2);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 2);
    fake_stop();
}

static struct fake_reply always_forget(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "CurrentTime") == 0)
        reply.body = FAKE_FAULT("NotAuthenticated");
    return reply;
}

Test(vapi_session, never_signs_in_in_a_loop)
{
    struct pv_err err = { 0 };
    struct session *s;
    int last = PV_OK;

    fake_start(always_forget);
    s = open_session();
    cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_EAUTH);
    cr_expect_eq(fake_count("Login"), 2);
    cr_expect_eq(fake_count("CurrentTime"), 2);
    for (int i = 0; i < 20; i++)
        last = simple(s, "CurrentTime", false, 0, &err);
    cr_expect_eq(last, PV_ELIMIT);
    cr_expect_leq(fake_count("Login"), 6, "%u logins", fake_count("Login"));
    session_free(s);
    fake_stop();
}

static struct fake_reply refuse(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "Login") == 0)
        reply.body = FAKE_FAULT("InvalidLogin");
    return reply;
}

Test(vapi_session, tries_a_wrong_password_once)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(refuse);
    s = open_session();
    for (int i = 0; i < 3; i++) {
        memset(&err, 0, sizeof(err));
        cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_EAUTH);
        cr_expect_str_eq(err.native_code, "InvalidLogin");
    }
    session_free(s);
    cr_expect_eq(fake_count("Login"), 1);
    cr_expect_eq(fake_count("CurrentTime"), 0);
    cr_expect_eq(fake_count("Logout"), 0);
    fake_stop();
}

static struct fake_reply overloaded(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "Login") == 0) {
        reply.status = 503;
        reply.raw = "<html>Out of HTTP sessions: Limited to 2000</html>";
    }
    return reply;
}

Test(vapi_session, leaves_an_overloaded_server_alone_for_a_while)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(overloaded);
    s = open_session();
    for (int i = 0; i < 5; i++)
        cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_ELIMIT);
    session_free(s);
    cr_expect_eq(fake_count("Login"), 1);
    fake_stop();
}

Test(vapi_session, does_not_repeat_what_belonged_to_the_old_login)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(forget_once);
    s = open_session();
    cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_OK);
    cr_expect_eq(simple(s, "PowerOnVM_Task", false, 1, &err), SESSION_RENEWED);
    cr_expect_eq(simple(s, "PowerOnVM_Task", false, 1, &err), SESSION_RENEWED);
    session_free(s);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 1, "the second one must not even be sent");
    cr_expect_eq(fake_count("Login"), 2);
    fake_stop();
}

static struct fake_reply unauthorized(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)body;
    if (strcmp(method, "CurrentTime") == 0 && nth == 0) {
        reply.status = 401;
        reply.raw = "";
    }
    return reply;
}

Test(vapi_session, takes_401_as_the_end_of_the_login)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(unauthorized);
    s = open_session();
    cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_OK, "%s", err.message);
    session_free(s);
    cr_expect_eq(fake_count("Login"), 2);
    fake_stop();
}

static struct fake_reply cut(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    reply.cut = strcmp(method, "PowerOnVM_Task") == 0 || strcmp(method, "CurrentTime") == 0;
    return reply;
}

Test(vapi_session, does_not_know_what_became_of_a_change_that_was_cut_off)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(cut);
    s = open_session();
    cr_expect_eq(simple(s, "PowerOnVM_Task", true, 0, &err), PV_EUNKNOWN);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 1, "a change is not repeated");
    memset(&err, 0, sizeof(err));
    cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_EIO, "reading changes nothing");
    cr_expect_eq(err.rc, PV_EIO);
    session_free(s);
    fake_stop();
}

static struct fake_reply web_page(const char *method, unsigned nth, const char *body)
{
    (void)method;
    (void)nth;
    (void)body;
    return (struct fake_reply){ .raw = "<html><body>Welcome</body></html>" };
}

static struct fake_reply no_page(const char *method, unsigned nth, const char *body)
{
    (void)method;
    (void)nth;
    (void)body;
    return (struct fake_reply){ .status = 404, .raw = "none" };
}

Test(vapi_session, recognizes_what_is_no_vsphere)
{
    struct pv_err err = { 0 };
    struct session *s;

    fake_start(web_page);
    s = open_session();
    cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_EIO);
    cr_expect_str_eq(err.problem, "provider-not-recognized");
    session_free(s);
    fake_stop();
    fake_start(no_page);
    s = open_session();
    memset(&err, 0, sizeof(err));
    cr_expect_eq(simple(s, "CurrentTime", false, 0, &err), PV_EIO);
    cr_expect_str_eq(err.problem, "provider-not-recognized");
    session_free(s);
    fake_stop();
}

/* ------------------------------------------------------------------ reading properties */

#define OBJECT(id)                                                                                 \
    "<objects><obj type=\"VirtualMachine\">" id "</obj><propSet><name>name</name>"                 \
    "<val xsi:type=\"xsd:string\">n</val></propSet></objects>"
#define SIGNED_OUT                                                                                 \
    "<objects><obj type=\"VirtualMachine\">vm-1</obj><missingSet><path>name</path><fault>"         \
    "<fault xsi:type=\"NotAuthenticated\"/></fault></missingSet></objects>"

static struct fake_reply pages(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = FAKE_ANSWER("RetrievePropertiesEx",
                                 "<returnval><token>t-1</token>" OBJECT("vm-1") "</returnval>");
    if (strcmp(method, "ContinueRetrievePropertiesEx") == 0)
        reply.body = nth == 0 ? FAKE_ANSWER("ContinueRetrievePropertiesEx",
                                            "<returnval><token>t-2</token>" OBJECT("vm-2")
                                                OBJECT("vm-3") "</returnval>")
                              : FAKE_ANSWER("ContinueRetrievePropertiesEx",
                                            "<returnval>" OBJECT("vm-4") "</returnval>");
    if (strcmp(method, "CancelRetrievePropertiesEx") == 0)
        reply.body = FAKE_FAULT("MethodNotFound");
    return reply;
}

struct seen {
    unsigned count, stop_at;
    char last[160];
};

static int count_object(void *ctx, const struct moref *ref, const xmlNode *object,
                        struct pv_err *err)
{
    struct seen *seen = ctx;

    (void)object;
    seen->count++;
    snprintf(seen->last, sizeof(seen->last), "%s", ref->id);
    return seen->count == seen->stop_at ? pv_fail(err, PV_ENOMEM, "enough") : PV_OK;
}

static const struct prop_table *const vm_tables[] = { &props_vm, NULL };

static int read_view(struct session *s, struct seen *seen, struct pv_err *err)
{
    struct call c = { .host = &fake.host, .number = 1 };
    struct moref view = { 0 };
    unsigned generation = 0;

    cr_assert_eq(session_login(s, &c, &generation, err), PV_OK, "%s", err->message);
    cr_assert_eq(collect_make_view(s, &c, generation, &s->content.root, NULL, &view, err), PV_OK);
    return collect_by_view(s, &c, generation, &view, vm_tables, count_object, seen, err);
}

Test(vapi_session, follows_the_pages_to_the_last)
{
    struct pv_err err = { 0 };
    struct seen seen = { 0 };
    struct session *s;

    fake_start(pages);
    s = open_session();
    cr_expect_eq(read_view(s, &seen, &err), PV_OK, "%s", err.message);
    cr_expect_eq(seen.count, 4);
    cr_expect_str_eq(seen.last, "vm-4");
    session_free(s);
    cr_expect_not_null(
        strstr(fake_request("RetrievePropertiesEx", 0, false), "<maxObjects>500</maxObjects>"));
    cr_expect_not_null(strstr(fake_request("RetrievePropertiesEx", 0, false), "<all>false</all>"));
    cr_expect_not_null(strstr(fake_request("ContinueRetrievePropertiesEx", 1, false), "t-2"));
    cr_expect_eq(fake_count("CancelRetrievePropertiesEx"), 0);
    fake_stop();
}

Test(vapi_session, gives_back_the_pages_it_does_not_read)
{
    struct pv_err err = { 0 };
    struct seen seen = { .stop_at = 3 };
    struct session *s;

    fake_start(pages);
    s = open_session();
    cr_expect_eq(read_view(s, &seen, &err), PV_ENOMEM);
    cr_expect_str_eq(err.message, "enough", "giving back must not hide why");
    session_free(s);
    cr_expect_eq(fake_count("CancelRetrievePropertiesEx"), 1);
    cr_expect_not_null(strstr(fake_request("CancelRetrievePropertiesEx", 0, false), "t-2"));
    fake_stop();
}

static struct fake_reply hidden_end(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body =
            nth == 0
                ? FAKE_ANSWER("RetrievePropertiesEx", "<returnval>" SIGNED_OUT "</returnval>")
                : FAKE_ANSWER("RetrievePropertiesEx", "<returnval>" OBJECT("vm-1") "</returnval>");
    return reply;
}

Test(vapi_session, finds_the_end_of_a_login_inside_an_answer_that_looks_fine)
{
    struct call c = { .host = &fake.host, .number = 1 };
    struct moref ref = { "VirtualMachine", "vm-1" };
    struct pv_err err = { 0 };
    struct seen seen = { 0 };
    struct session *s;

    fake_start(hidden_end);
    s = open_session();
    cr_expect_eq(collect_by_refs(s, &c, &ref, 1, vm_tables, count_object, &seen, NULL, &err), PV_OK,
                 "%s", err.message);
    cr_expect_eq(seen.count, 1, "what came without a login is no object");
    session_free(s);
    cr_expect_eq(fake_count("Login"), 2);
    fake_stop();
}

static struct fake_reply old_server(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    if (strcmp(method, "RetrievePropertiesEx") != 0)
        return reply;
    reply.body =
        strstr(body, "config.createDate")
            ? FAKE_FAULT_WITH("InvalidProperty", "<name>config.createDate</name>")
            : FAKE_ANSWER("RetrievePropertiesEx", "<returnval>" OBJECT("vm-1") "</returnval>");
    return reply;
}

Test(vapi_session, leaves_out_a_property_an_old_server_does_not_know)
{
    struct pv_err err = { 0 };
    struct seen seen = { 0 };
    struct session *s;

    fake_start(old_server);
    s = open_session();
    cr_expect_eq(read_view(s, &seen, &err), PV_OK, "%s", err.message);
    cr_expect_eq(seen.count, 1);
    cr_expect_eq(read_view(s, &seen, &err), PV_OK);
    session_free(s);
    cr_expect_eq(fake_count("RetrievePropertiesEx"), 3, "it is asked for once in a session");
    fake_stop();
}

static struct fake_reply gone(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body =
            FAKE_FAULT_WITH("ManagedObjectNotFound", "<obj type=\"VirtualMachine\">vm-1</obj>");
    return reply;
}

Test(vapi_session, names_the_object_that_is_gone)
{
    struct call c = { .host = &fake.host, .number = 1 };
    struct moref ref = { "VirtualMachine", "vm-1" }, missing = { 0 };
    struct pv_err err = { 0 };
    struct seen seen = { 0 };
    struct session *s;

    fake_start(gone);
    s = open_session();
    cr_expect_eq(collect_by_refs(s, &c, &ref, 1, vm_tables, count_object, &seen, &missing, &err),
                 PV_ENOENT);
    cr_expect_str_eq(missing.id, "vm-1");
    cr_expect_eq(read_view(s, &seen, &err), SESSION_RENEWED,
                 "of a view it means the login is over");
    session_free(s);
    fake_stop();
}
