/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that are called off: what was sent is accounted for, what was made is whole or gone.
 */
#include "tests/unit/vapi_call.h"

#include <polyvisor/clock.h>

#define CREATE                                                                                     \
    "{\"host\":" HOST ",\"name\":\"new\",\"profile\":\"minimal\",\"boot\":{\"order\":[\"disk\"]}," \
    "\"datastore\":{\"kind\":\"datastore\",\"native_id\":\"ds-1\",\"name\":\"store\"}"

/* What became of the task, once it is asked about. */
static struct {
    const char *cancel_at; /* the method at which the caller changes his mind */
    bool close;            /* ... the server ends instead */
    bool cancelable, late; /* late: CancelTask is refused, the task succeeds */
    bool asked;            /* CancelTask was sent */
} plot;

static const char *task_of; /* the method that has begun it */

static void twist(const char *method)
{
    if (!plot.cancel_at || strcmp(plot.cancel_at, method) != 0)
        return;
    if (plot.close)
        call.closing = 1;
    else
        call.wants_cancel = 1;
    /* Longer than a client looks whether it is still wanted. */
    clock_sleep_ms(700);
}

static struct fake_reply about_task(void)
{
    static const char running[] =
        INFO(PART("state", "TaskInfoState", "running") PART("cancelable", "xsd:boolean", "true"));
    static const char fixed[] = INFO(PART("state", "TaskInfoState", "running"));
    static const char made[] = INFO(DONE PROP("info.result", "VirtualMachine", "vm-9"));
    bool about = plot.cancel_at && strcmp(plot.cancel_at, task_of) == 0;

    if (about && !plot.late && (plot.cancelable || plot.close))
        return (struct fake_reply){ .body = plot.cancelable ? running : fixed };
    if (about && plot.late && !plot.asked)
        return (struct fake_reply){ .body = running };
    return (struct fake_reply){ .body = made };
}

static struct fake_reply news(void)
{
    static const char canceled[] = FAKE_ANSWER(
        "WaitForUpdatesEx",
        "<returnval><version>2</version><filterSet><objectSet><kind>enter</kind>"
        "<obj type=\"Task\">task-1</obj>" CHANGE("state", "TaskInfoState",
                                                 "error") CHANGE("cancelled", "xsd:boolean", "true")
            CHANGE("error", "LocalizedMethodFault",
                   "<fault xsi:type=\"RequestCanceled\"/>") "</objectSet></filterSet></returnval>");
    static const char done[] =
        FAKE_ANSWER("WaitForUpdatesEx",
                    "<returnval><version>2</version><filterSet><objectSet><kind>enter</kind>"
                    "<obj type=\"Task\">task-1</obj>" CHANGE(
                        "state", "TaskInfoState",
                        "success") "<changeSet><name>info.result</name><op>assign</op><val "
                                   "type=\"VirtualMachine\" "
                                   "xsi:type=\"ManagedObjectReference\">vm-9</val></changeSet>"
                                   "</objectSet></filterSet></returnval>");

    return (struct fake_reply){ .body = plot.late ? done : canceled };
}

static const char *property_of(const char *body)
{
    if (strstr(body, "<pathSet>parent<"))
        return strstr(body, ">host-1<")
                   ? OBJECT("HostSystem", "host-1", PROP("parent", "ComputeResource", "cr-1"))
                   : OBJECT("ComputeResource", "cr-1", PROP("parent", "Datacenter", "dc-1"));
    if (strstr(body, "<pathSet>resourcePool<"))
        return OBJECT("ComputeResource", "cr-1", PROP("resourcePool", "ResourcePool", "rp-1"));
    if (strstr(body, "<pathSet>vmFolder<"))
        return OBJECT("Datacenter", "dc-1", PROP("vmFolder", "Folder", "folder-1"));
    if (strstr(body, "config.hardware.device"))
        return OBJECT(
            "VirtualMachine", "vm-9",
            "<propSet><name>config.hardware.device</name><val xsi:type=\"ArrayOfVirtualDevice\">"
            "<VirtualDevice "
            "xsi:type=\"VirtualDisk\"><key>2000</key></VirtualDevice></val></propSet>");
    return STATE("poweredOn");
}

static struct fake_reply server(const char *method, unsigned nth, const char *body)
{
    static const char *const tasks[][2] = {
        { "PowerOffVM_Task", TASK("PowerOffVM_Task") },
        { "CreateVM_Task", TASK("CreateVM_Task") },
        { "CloneVM_Task", TASK("CloneVM_Task") },
        { "ReconfigVM_Task", TASK("ReconfigVM_Task") },
        { "PowerOnVM_Task", TASK("PowerOnVM_Task") },
        { "Destroy_Task", TASK("Destroy_Task") },
    };

    (void)nth;
    twist(method);
    plot.asked |= strcmp(method, "CancelTask") == 0;
    for (size_t i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++) {
        if (strcmp(method, tasks[i][0]) == 0) {
            task_of = tasks[i][0];
            return (struct fake_reply){ .body = tasks[i][1] };
        }
    }
    if (strcmp(method, "CreateListView") == 0)
        return (struct fake_reply){ .body = FAKE_ANSWER(
                                        "CreateListView",
                                        "<returnval type=\"ListView\">list-1</returnval>") };
    if (strcmp(method, "CreatePropertyCollector") == 0)
        return (struct fake_reply){ .body = FAKE_ANSWER(
                                        "CreatePropertyCollector",
                                        "<returnval type=\"PropertyCollector\">pc-2</returnval>") };
    if (strcmp(method, "FindByInventoryPath") == 0)
        return (struct fake_reply){ .body = FAKE_ANSWER(
                                        "FindByInventoryPath",
                                        "<returnval type=\"Folder\">folder-1</returnval>") };
    if (strcmp(method, "CancelTask") == 0 && plot.late)
        return (struct fake_reply){ .body = FAKE_FAULT("InvalidState") };
    if (strcmp(method, "WaitForUpdatesEx") == 0)
        return news();
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        return strstr(body, "<type>Task</type>") ? about_task()
                                                 : (struct fake_reply){ .body = property_of(body) };
    return (struct fake_reply){ 0 };
}

static void begin(const char *cancel_at)
{
    memset(&plot, 0, sizeof(plot));
    plot.cancel_at = cancel_at;
    task_of = "";
    call.wants_cancel = call.closing = 0;
    fake_start(server);
}

Test(vapi_cancel, after_the_request_has_left_the_answer_is_waited_for)
{
    struct pv_err err = { 0 };

    begin("PowerOffVM_Task");
    cr_expect_eq(call_run("vm.stop", VM, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("PowerOffVM_Task"), 1);
    call_stop();
}

Test(vapi_cancel, before_the_request_nothing_is_sent)
{
    struct pv_err err = { 0 };

    begin("RetrievePropertiesEx");
    cr_expect_eq(call_run("vm.stop", VM, "{}", NULL, 0, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(fake_count("PowerOffVM_Task"), 0);
    call_stop();
}

Test(vapi_cancel, is_passed_on_to_a_task_that_can_be_canceled)
{
    struct pv_err err = { 0 };

    begin("PowerOffVM_Task");
    plot.cancelable = true;
    cr_expect_eq(call_run("vm.stop", VM, "{}", NULL, 0, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(fake_count("CancelTask"), 1);
    call_stop();
}

Test(vapi_cancel, that_comes_too_late_is_a_success)
{
    struct pv_err err = { 0 };

    begin("PowerOffVM_Task");
    plot.cancelable = plot.late = true;
    cr_expect_eq(call_run("vm.stop", VM, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("CancelTask"), 1);
    call_stop();
}

Test(vapi_cancel, the_end_of_the_server_cancels_no_task)
{
    struct pv_err err = { 0 };

    begin("PowerOffVM_Task");
    plot.close = plot.cancelable = true;
    /* The answer was cut off by the end, or the task is left to a later call. */
    cr_expect_eq(call_run("vm.stop", VM, "{}", NULL, 0, &err), PV_EUNKNOWN, "%s", err.message);
    cr_expect_eq(call_run("vm.stop", VM, "{}", "task-1", 0, &err), PV_EUNKNOWN, "%s", err.message);
    cr_expect_eq(fake_count("CancelTask"), 0);
    call_stop();
}

Test(vapi_cancel, of_a_shutdown_waits_for_the_guest_and_cuts_no_power)
{
    struct pv_err err = { 0 };
    char ref[320];

    begin("ShutdownGuest");
    cr_expect_eq(call_run("vm.shutdown", VM, "{\"on_timeout\":\"stop\"}", NULL, 0, &err),
                 PV_EUNKNOWN);
    snprintf(ref, sizeof(ref), "%s", call_ref());
    cr_expect(strncmp(ref, "shutdown:", 9) == 0 && strstr(ref, ":canceled"), "%s", ref);
    /* The core asks again, and the guest does nothing until its time is over. */
    call.wants_cancel = 0;
    cr_expect_eq(
        call_run("vm.shutdown", VM, "{\"on_timeout\":\"stop\"}", "shutdown:1000:canceled", 0, &err),
        PV_ECANCELED, "%s", err.message);
    cr_expect_eq(fake_count("PowerOffVM_Task"), 0);
    cr_expect_eq(fake_count("ShutdownGuest"), 1);
    call_stop();
}

/* ------------------------------------------------------------------ making */

Test(vapi_cancel, of_a_vm_being_made_leaves_nothing)
{
    struct pv_err err = { 0 };

    begin("CreateVM_Task");
    plot.cancelable = true;
    cr_expect_eq(call_run("vm.create", HOST, CREATE "}", NULL, 0, &err), PV_ECANCELED, "%s",
                 err.message);
    cr_expect_eq(fake_count("CancelTask"), 1);
    cr_expect_eq(fake_count("ReconfigVM_Task"), 0);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 0);
    call_stop();
}

/* It was made: what is only half of what was asked for goes again. */
Test(vapi_cancel, of_a_vm_that_was_made_meanwhile_takes_it_away)
{
    struct pv_err err = { 0 };

    begin("CreateVM_Task");
    plot.cancelable = plot.late = true;
    cr_expect_eq(call_run("vm.create", HOST, CREATE "}", NULL, 0, &err), PV_ECANCELED, "%s",
                 err.message);
    cr_expect_eq(fake_count("ReconfigVM_Task"), 0);
    cr_expect_eq(fake_count("Destroy_Task"), 1);
    cr_expect_not_null(strstr(fake_request("Destroy_Task", 0, false), ">vm-9<"));
    call_stop();
}

Test(vapi_cancel, of_a_whole_vm_keeps_it_and_says_that_it_does_not_run)
{
    struct pv_err err = { 0 };

    begin("PowerOnVM_Task");
    plot.cancelable = true;
    cr_expect_eq(call_run("vm.create", HOST, CREATE ",\"start\":true}", NULL, 0, &err), PV_OK, "%s",
                 err.message);
    call_expect("vm-9");
    call_expect("does not start");
    cr_expect_eq(fake_count("Destroy_Task"), 0);
    call_stop();
}

Test(vapi_cancel, the_end_of_the_server_leaves_a_half_made_vm_to_the_next_call)
{
    struct pv_err err = { 0 };
    char ref[320];

    begin("ReconfigVM_Task");
    plot.close = true;
    cr_expect_eq(call_run("vm.create", HOST, CREATE "}", NULL, 0, &err), PV_EUNKNOWN, "%s",
                 err.message);
    cr_expect_eq(fake_count("Destroy_Task"), 0);
    snprintf(ref, sizeof(ref), "%s", call_ref());
    cr_expect_eq(strncmp(ref, "1|vm-9|", 7), 0, "%s", ref);
    /* The next one finishes it. */
    plot.cancel_at = NULL;
    call.closing = 0;
    cr_expect_eq(call_run("vm.create", HOST, CREATE "}", ref, 0, &err), PV_OK, "%s", err.message);
    cr_expect_eq(fake_count("CreateVM_Task"), 1);
    call_stop();
}

Test(vapi_cancel, of_a_clone_says_what_became_of_it)
{
    struct pv_err err = { 0 };
    const char *args = "{\"name\":\"copy\",\"host\":" HOST ",\"native_folder\":\"DC/vm\"}";

    begin("CloneVM_Task");
    plot.cancelable = true;
    cr_expect_eq(call_run("vm.clone", VM, args, NULL, 0, &err), PV_ECANCELED, "%s", err.message);
    cr_expect_eq(fake_count("CancelTask"), 1);
    call_stop();
    begin("CloneVM_Task");
    plot.cancelable = plot.late = true;
    cr_expect_eq(call_run("vm.clone", VM, args, NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("vm-9");
    call_stop();
}
