/* SPDX-License-Identifier: Apache-2.0 */
/* The watch against a server that tells what no simulator does: leaves that are none, cut sets,
 * lost versions. */
#include "tests/unit/vapi_fake.h"

#include <polyvisor/records.h>

#include "drivers/vapi/feed.h"

#define VM(id)                                                                                     \
    "<objects><obj type=\"VirtualMachine\">" id "</obj><propSet><name>name</name>"                 \
    "<val xsi:type=\"xsd:string\">" id "</val></propSet></objects>"
#define UPDATE(kind, id)                                                                           \
    "<objectSet><kind>" kind "</kind><obj type=\"VirtualMachine\">" id "</obj></objectSet>"
#define SET(version, inner)                                                                        \
    FAKE_ANSWER("WaitForUpdatesEx", "<returnval><version>" version "</version><filterSet>" inner   \
                                    "</filterSet></returnval>")

static _Atomic int wants_cancel;
static unsigned begins, ends, vms, gone;
static char gone_id[64], cursor[512];

static int on_emit(void *ctx, const struct pv_batch *b)
{
    (void)ctx;
    if (b->kind != PV_KIND_vm)
        return PV_OK;
    if (b->flags & PV_BATCH_GONE) {
        struct pv_record r;

        memcpy(&r, b->records, sizeof(r));
        snprintf(gone_id, sizeof(gone_id), "%.*s", (int)r.native_id.len, b->blob + r.native_id.off);
        gone += b->count;
    } else {
        vms += b->count;
    }
    return PV_OK;
}

static int on_mark(void *ctx, uint32_t mark, const char *text)
{
    (void)ctx;
    begins += mark == PV_MARK_FULL_BEGIN;
    ends += mark == PV_MARK_FULL_END;
    if (text)
        snprintf(cursor, sizeof(cursor), "%s", text);
    return PV_OK;
}

static int on_cancelled(void *ctx, uint64_t call)
{
    (void)ctx;
    (void)call;
    return wants_cancel;
}

/* What a subscription needs; listings answer vm-1 and vm-2. */
static struct fake_reply usual(const char *method, const char *body)
{
    struct fake_reply reply = { 0 };

    if (strcmp(method, "CreatePropertyCollector") == 0)
        reply.body = FAKE_ANSWER("CreatePropertyCollector",
                                 "<returnval type=\"PropertyCollector\">pc-2</returnval>");
    else if (strcmp(method, "CreateFilter") == 0)
        reply.body =
            FAKE_ANSWER("CreateFilter", "<returnval type=\"PropertyFilter\">filter-1</returnval>");
    else if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = strstr(body, "<type>HostSystem</type>")
                         ? FAKE_ANSWER("RetrievePropertiesEx", "")
                         : FAKE_ANSWER("RetrievePropertiesEx",
                                       "<returnval>" VM("vm-1") VM("vm-2") "</returnval>");
    return reply;
}

static int watch(struct fake_reply (*script)(const char *, unsigned, const char *),
                 struct pv_err *err)
{
    struct vapi *v = NULL;
    int rc;

    wants_cancel = 0;
    begins = ends = vms = gone = 0;
    gone_id[0] = '\0';
    fake_start(script);
    snprintf(fake.config, sizeof(fake.config),
             "{\"endpoint\":\"%s\",\"username\":\"u\",\"settings\":{\"tags\":false}}",
             fake.server.url);
    fake.host.emit = on_emit;
    fake.host.mark = on_mark;
    fake.host.cancelled = on_cancelled;
    cr_assert_eq(vapi_new(&fake.host, fake.config, &v, err), PV_OK, "%s", err->message);
    rc = feed_watch(v, 1, NULL, err);
    vapi_free(v);
    return rc;
}

static struct fake_reply leaving(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "RetrievePropertiesEx") == 0 &&
        strstr(body, "<objectSet><obj type=\"Virt")) {
        if (strstr(body, ">vm-1<"))
            return (struct fake_reply){ .body = FAKE_FAULT_WITH(
                                            "ManagedObjectNotFound",
                                            "<obj type=\"VirtualMachine\">vm-1</obj>") };
        wants_cancel = 1;
        return (struct fake_reply){ .body = FAKE_ANSWER("RetrievePropertiesEx",
                                                        "<returnval>" VM("vm-2") "</returnval>") };
    }
    if (strcmp(method, "WaitForUpdatesEx") == 0 && nth == 0)
        return (struct fake_reply){ .body = FAKE_ANSWER(
                                        "WaitForUpdatesEx",
                                        "<returnval><version>1</version><filterSet>" UPDATE(
                                            "enter", "vm-1") "</filterSet><truncated>true"
                                                             "</truncated></returnval>") };
    if (strcmp(method, "WaitForUpdatesEx") == 0 && nth == 1)
        return (struct fake_reply){ .body = SET("2", UPDATE("enter", "vm-2")) };
    if (strcmp(method, "WaitForUpdatesEx") == 0)
        return (struct fake_reply){ .body =
                                        SET("3", UPDATE("leave", "vm-1") UPDATE("leave", "vm-2")) };
    return usual(method, body);
}

Test(vapi_feed, believes_a_leave_only_when_the_object_is_not_there)
{
    struct pv_err err = { 0 };

    cr_expect_eq(watch(leaving, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(begins, 1);
    cr_expect_eq(ends, 1);
    cr_expect_eq(gone, 1);
    cr_expect_str_eq(gone_id, "vm-1");
    cr_expect_not_null(strstr(fake_request("WaitForUpdatesEx", 1, false), "<version>1</version>"),
                       "a truncated set is followed with its own version");
    cr_expect_not_null(strstr(fake_request("CreateFilter", 0, false), "config.changeVersion"));
    cr_expect_null(strstr(fake_request("CreateFilter", 0, false), "quickStats"),
                   "what changes all the time is not announced");
    cr_expect_eq(fake_count("DestroyPropertyCollector"), 1);
    cr_expect_eq(fake_count("Logout"), 1);
    fake_stop();
}

static _Atomic unsigned looks;

/* vm-2 is told to leave a moment before the server removes it. */
static struct fake_reply hasty(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "RetrievePropertiesEx") == 0 &&
        strstr(body, "<objectSet><obj type=\"Virt")) {
        if (looks++ == 0)
            return (struct fake_reply){ .body =
                                            FAKE_ANSWER("RetrievePropertiesEx",
                                                        "<returnval>" VM("vm-2") "</returnval>") };
        wants_cancel = 1;
        return (struct fake_reply){ .body =
                                        FAKE_FAULT_WITH("ManagedObjectNotFound",
                                                        "<obj type=\"VirtualMachine\">vm-2</obj>") };
    }
    if (strcmp(method, "WaitForUpdatesEx") == 0 && nth == 0)
        return (struct fake_reply){ .body =
                                        SET("1", UPDATE("enter", "vm-1") UPDATE("enter", "vm-2")) };
    if (strcmp(method, "WaitForUpdatesEx") == 0 && nth == 1)
        return (struct fake_reply){ .body = SET("2", UPDATE("leave", "vm-2")) };
    if (strcmp(method, "WaitForUpdatesEx") == 0) {
        clock_sleep_ms(100); /* nothing new */
        return (struct fake_reply){ .body = FAKE_ANSWER("WaitForUpdatesEx", "") };
    }
    return usual(method, body);
}

Test(vapi_feed, asks_again_for_what_is_said_to_have_left_and_is_still_there)
{
    struct pv_err err = { 0 };

    looks = 0;
    cr_expect_eq(watch(hasty, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(looks, 2);
    cr_expect_eq(begins, 1, "nothing else has to be listed for it");
    cr_expect_eq(gone, 1);
    cr_expect_str_eq(gone_id, "vm-2");
    cr_expect_geq(fake_count("WaitForUpdatesEx"), 3, "the feed goes on meanwhile");
    cr_expect_not_null(strstr(fake_request("WaitForUpdatesEx", 2, false),
                              "<maxWaitSeconds>1</maxWaitSeconds>"),
                       "the server is not to be waited for longer than until the next look");
    fake_stop();
}

static struct fake_reply forgetful(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "WaitForUpdatesEx") == 0 && nth == 1)
        return (struct fake_reply){ .body = FAKE_FAULT("InvalidCollectorVersion") };
    if (strcmp(method, "WaitForUpdatesEx") == 0) {
        wants_cancel = nth > 1;
        return (struct fake_reply){ .body =
                                        SET("1", UPDATE("enter", "vm-1") UPDATE("enter", "vm-2")) };
    }
    return usual(method, body);
}

Test(vapi_feed, lists_again_when_the_server_has_forgotten_the_version)
{
    struct pv_err err = { 0 };

    cr_expect_eq(watch(forgetful, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(begins, 2);
    cr_expect_eq(ends, 2);
    cr_expect_eq(fake_count("Login"), 1, "the login is as good as before");
    cr_expect_not_null(strstr(cursor, "\"uuid\":\"uuid-1\""));
    fake_stop();
}

static struct fake_reply no_feed(const char *method, unsigned nth, const char *body)
{
    (void)nth;
    if (strcmp(method, "CreatePropertyCollector") == 0) {
        wants_cancel = 0;
        return (struct fake_reply){ .body = FAKE_FAULT("NotSupported") };
    }
    if (strcmp(method, "RetrievePropertiesEx") == 0 && !strstr(body, "<type>HostSystem</type>"))
        wants_cancel = 1;
    return usual(method, body);
}

Test(vapi_feed, lists_where_there_is_no_change_feed)
{
    struct pv_err err = { 0 };

    cr_expect_eq(watch(no_feed, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(begins, 1);
    cr_expect_eq(fake_count("WaitForUpdatesEx"), 0);
    fake_stop();
}
