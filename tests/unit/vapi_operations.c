/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vapi_call.h"

/* A VM that is off, and a task that takes a moment. */
static struct fake_reply slow_start(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    if (strcmp(method, "PowerOnVM_Task") == 0)
        reply.body = TASK("PowerOnVM_Task");
    else if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = strstr(body, "<type>Task</type>")
                         ? INFO(PART("state", "TaskInfoState", "running"))
                         : STATE("poweredOff");
    else if (strcmp(method, "CreateListView") == 0)
        reply.body =
            FAKE_ANSWER("CreateListView", "<returnval type=\"ListView\">list-1</returnval>");
    else if (strcmp(method, "CreatePropertyCollector") == 0)
        reply.body = FAKE_ANSWER("CreatePropertyCollector",
                                 "<returnval type=\"PropertyCollector\">pc-2</returnval>");
    else if (strcmp(method, "WaitForUpdatesEx") == 0)
        reply.body =
            nth == 0
                ? FAKE_ANSWER(
                      "WaitForUpdatesEx",
                      "<returnval><version>1</version><filterSet><objectSet><kind>enter"
                      "</kind><obj type=\"Task\">task-1</obj>" CHANGE(
                          "progress", "xsd:int", "40") "</objectSet></filterSet></returnval>")
                : FAKE_ANSWER("WaitForUpdatesEx",
                              "<returnval><version>2</version><filterSet><objectSet><kind>modify"
                              "</kind><obj type=\"Task\">task-1</obj>" CHANGE(
                                  "state", "TaskInfoState",
                                  "success") "</objectSet></filterSet></returnval>");
    return reply;
}

Test(vapi_operations, starts_a_vm_and_follows_the_task_through_one_list)
{
    struct pv_err err = { 0 };

    fake_start(slow_start);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_str_eq(call_ref(), "task-1");
    cr_expect(call.told_before_waiting, "the host must know the task before anybody waits for it");
    cr_expect_eq(call.last.percent, 40);
    cr_expect_eq(fake_count("CreateListView"), 1);
    cr_expect_eq(fake_count("CreateFilter"), 1);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 1);
    cr_expect_not_null(strstr(fake_request("WaitForUpdatesEx", 1, false), "<version>1</version>"));
    call_stop();
}

struct side {
    struct vapi *v;
    uint64_t call;
    int rc;
};

static void *run_beside(void *arg)
{
    struct side *side = arg;
    struct pv_err err = { 0 };
    char *text = NULL;

    side->rc = operations_call(side->v, side->call, "vm.start", VM, "{}", NULL, 0, &text, &err);
    free(text);
    return NULL;
}

Test(vapi_operations, of_several_threads_share_one_login_and_one_list)
{
    struct side sides[4] = { 0 };
    struct pv_err err = { 0 };
    struct vapi *v = NULL;
    pthread_t threads[4];

    fake_start(slow_start);
    cr_assert_eq(vapi_new(&fake.host, fake.config, &v, &err), PV_OK);
    for (unsigned i = 0; i < 4; i++) {
        sides[i] = (struct side){ .v = v, .call = i + 1 };
        cr_assert_eq(pthread_create(&threads[i], NULL, run_beside, &sides[i]), 0);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(sides[i].rc, PV_OK, "call %u", i);
    }
    vapi_free(v);
    cr_expect_eq(fake_count("Login"), 1);
    cr_expect_eq(fake_count("CreateListView"), 1);
    cr_expect_eq(fake_count("CreateFilter"), 1);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 4);
    call_stop();
}

static struct fake_reply no_lists(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "CreateListView") == 0)
        return (struct fake_reply){ .body = FAKE_FAULT("MethodNotFound") };
    if (strcmp(method, "RetrievePropertiesEx") == 0 && strstr(body, "<type>Task</type>") && nth > 1)
        return (struct fake_reply){ .body = INFO(DONE) };
    return slow_start(method, nth, body);
}

Test(vapi_operations, reads_the_task_itself_where_there_are_no_lists)
{
    struct pv_err err = { 0 };

    fake_start(no_lists);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("CreateListView"), 1);
    call_stop();
}

static struct fake_reply running(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = STATE("poweredOn");
    return reply;
}

Test(vapi_operations, does_nothing_where_there_is_nothing_to_do)
{
    struct pv_err err = { 0 };

    fake_start(running);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_OK);
    call_expect("\"changed\":false");
    cr_expect_eq(call_run("vm.resume", VM, "{}", NULL, 0, &err), PV_OK);
    call_expect("\"changed\":false");
    cr_expect_eq(fake_count("PowerOnVM_Task"), 0);
    call_stop();
}

static struct fake_reply raced(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = STATE("poweredOff");
    else if (strcmp(method, "PowerOnVM_Task") == 0)
        reply.body =
            FAKE_FAULT_WITH("InvalidPowerState", "<requestedState>poweredOn</requestedState>"
                                                 "<existingState>poweredOn</existingState>");
    else if (strcmp(method, "SuspendVM_Task") == 0)
        reply.body =
            FAKE_FAULT_WITH("InvalidPowerState", "<requestedState>suspended</requestedState>"
                                                 "<existingState>poweredOff</existingState>");
    return reply;
}

Test(vapi_operations, takes_already_so_for_success_and_another_state_for_a_conflict)
{
    struct pv_err err = { 0 };

    fake_start(raced);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":false");
    memset(&err, 0, sizeof(err));
    cr_expect_eq(call_run("vm.suspend", VM, "{}", NULL, 0, &err), PV_ESTATE);
    call_stop();
}

static struct fake_reply busy(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "PowerOnVM_Task") == 0 && nth == 0)
        return (struct fake_reply){ .body = FAKE_FAULT("TaskInProgress") };
    if (strcmp(method, "RetrievePropertiesEx") == 0 && strstr(body, "<type>Task</type>"))
        return (struct fake_reply){ .body = INFO(DONE) };
    return slow_start(method, nth, body);
}

Test(vapi_operations, asks_a_busy_vm_again_after_a_while)
{
    struct pv_err err = { 0 };

    fake_start(busy);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("PowerOnVM_Task"), 2);
    call_stop();
}

static struct fake_reply forgotten_task(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body =
            strstr(body, "<type>Task</type>") ? GONE("Task", "task-9") : STATE("poweredOn");
    return reply;
}

Test(vapi_operations, follows_a_task_of_before_and_starts_nothing)
{
    struct pv_err err = { 0 };

    fake_start(busy);
    cr_expect_eq(call_run("vm.start", VM, "{}", "task-1", 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("PowerOnVM_Task"), 0);
    call_stop();
}

Test(vapi_operations, looks_at_the_vm_when_the_task_is_forgotten)
{
    struct pv_err err = { 0 };

    fake_start(forgotten_task);
    cr_expect_eq(call_run("vm.start", VM, "{}", "task-9", 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(call_run("vm.stop", VM, "{}", "task-9", 0, &err), PV_EUNKNOWN);
    memset(&err, 0, sizeof(err));
    cr_expect_eq(call_run("vm.reset", VM, "{}", "task-9", 0, &err), PV_EUNKNOWN,
                 "running says nothing about a reset");
    cr_expect_eq(fake_count("PowerOffVM_Task") + fake_count("ResetVM_Task"), 0);
    call_stop();
}

static struct fake_reply cut_start(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "PowerOnVM_Task") == 0)
        return (struct fake_reply){ .cut = true };
    return slow_start(method, nth, body);
}

Test(vapi_operations, does_not_repeat_a_change_that_was_cut_off)
{
    struct pv_err err = { 0 };

    fake_start(cut_start);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_EUNKNOWN);
    cr_expect_eq(fake_count("PowerOnVM_Task"), 1);
    call_stop();
}

static struct fake_reply forbidden(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "PowerOnVM_Task") == 0)
        return (struct fake_reply){
            .body = FAKE_FAULT_WITH("NoPermission",
                                    "<object type=\"VirtualMachine\">vm-1</object>"
                                    "<privilegeId>VirtualMachine.Interact.PowerOn</privilegeId>")
        };
    return slow_start(method, nth, body);
}

Test(vapi_operations, names_the_missing_privilege)
{
    struct pv_err err = { 0 };

    fake_start(forbidden);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, 0, &err), PV_EPERM);
    cr_expect_str_eq(err.needs, "VirtualMachine.Interact.PowerOn");
    cr_expect_str_eq(err.native_code, "NoPermission");
    cr_expect_not_null(strstr(err.message, "web"));
    call_stop();
}

Test(vapi_operations, says_what_it_would_do_and_does_not)
{
    struct pv_err err = { 0 };

    fake_start(slow_start);
    cr_expect_eq(call_run("vm.start", VM, "{}", NULL, PV_CALL_DRY_RUN, &err), PV_OK);
    call_expect("{\"operation\":\"PowerOnVM_Task\",\"args\":{\"_this\":\"VirtualMachine:vm-1\"}}");
    cr_expect_eq(
        call_run("vm.snapshot.create", VM, "{\"name\":\"s\"}", NULL, PV_CALL_DRY_RUN, &err), PV_OK);
    call_expect("CreateSnapshot_Task");
    cr_expect_eq(fake_count("PowerOnVM_Task") + fake_count("CreateSnapshot_Task"), 0);
    call_stop();
}

#define WITH_SNAPSHOT                                                                              \
    FAKE_ANSWER(                                                                                   \
        "RetrievePropertiesEx",                                                                    \
        "<returnval><objects><obj type=\"VirtualMachine\">vm-1</obj><propSet>"                     \
        "<name>snapshot</name><val xsi:type=\"VirtualMachineSnapshotInfo\">"                       \
        "<rootSnapshotList><snapshot type=\"VirtualMachineSnapshot\">snapshot-1</snapshot>"        \
        "<name>s</name></rootSnapshotList></val></propSet></objects></returnval>")

static struct fake_reply renames(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        return (struct fake_reply){ .body = WITH_SNAPSHOT };
    if (strcmp(method, "RenameSnapshot") == 0) {
        const char *name = strstr(body, "<name>second</name>");

        /* An empty description takes the old one away; the schema wants it behind the name. */
        cr_expect(name && strstr(name, "<description></description>"), "%s", body);
        return (struct fake_reply){ .body = FAKE_ANSWER("RenameSnapshot", "") };
    }
    return slow_start(method, nth, body);
}

Test(vapi_operations, gives_a_snapshot_another_name_and_takes_its_description_away)
{
    struct pv_err err = { 0 };

    fake_start(renames);
    cr_expect_eq(call_run("vm.snapshot.update", SNAPSHOT,
                          "{\"name\":\"second\",\"description\":null}", NULL, 0, &err),
                 PV_OK, "%s", err.message);
    cr_expect_eq(fake_count("RenameSnapshot"), 1);
    call_stop();
}

Test(vapi_operations, refuses_in_a_dry_run_what_only_the_other_family_has)
{
    struct pv_err err = { 0 };

    fake_start(slow_start);
    cr_expect_eq(call_run("vm.reconfigure", VM, "{\"memory\":{\"dynamic\":true}}", NULL,
                          PV_CALL_DRY_RUN, &err),
                 PV_ENOTSUP);
    cr_expect_not_null(strstr(err.message, "memory.dynamic"), "%s", err.message);
    cr_expect_eq(call_run("vm.reconfigure", VM, "{\"memory\":{\"bytes\":1048577}}", NULL, 0, &err),
                 PV_EINVAL);
    cr_expect_eq(fake_count("ReconfigVM_Task"), 0);
    call_stop();
}

static struct fake_reply deaf_guest(const char *method, unsigned nth, const char *body)
{
    if (strcmp(method, "PowerOffVM_Task") == 0)
        return (struct fake_reply){ .body = TASK("PowerOffVM_Task") };
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        return (struct fake_reply){ .body = strstr(body, "<type>Task</type>")
                                                ? INFO(DONE)
                                                : STATE("poweredOn") };
    return slow_start(method, nth, body);
}

Test(vapi_operations, cuts_the_power_of_a_guest_that_does_not_shut_down_only_if_asked_to)
{
    struct pv_err err = { 0 };

    fake_start(deaf_guest);
    cr_expect_eq(call_run("vm.shutdown", VM, "{\"timeout_s\":1}", NULL, 0, &err), PV_ETIMEOUT);
    cr_expect_eq(fake_count("ShutdownGuest"), 1);
    cr_expect_eq(strncmp(call_ref(), "shutdown:", 9), 0, "a restart must find its way back");
    cr_expect_eq(fake_count("PowerOffVM_Task"), 0);
    cr_expect_eq(
        call_run("vm.shutdown", VM, "{\"timeout_s\":1,\"on_timeout\":\"stop\"}", NULL, 0, &err),
        PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("PowerOffVM_Task"), 1);
    call_stop();
}

Test(vapi_operations, goes_on_waiting_for_a_guest_after_a_restart)
{
    struct pv_err err = { 0 };

    fake_start(deaf_guest);
    cr_expect_eq(call_run("vm.shutdown", VM, "{}", "shutdown:1000", 0, &err), PV_ETIMEOUT);
    cr_expect_eq(fake_count("ShutdownGuest"), 0, "the guest was asked already");
    call_stop();
}

static struct fake_reply suspended(const char *method, unsigned nth, const char *body)
{
    (void)nth;
    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        return (struct fake_reply){ .body = STATE("suspended") };
    return (struct fake_reply){ 0 };
}

Test(vapi_operations, drops_a_saved_state_only_by_force)
{
    struct pv_err err = { 0 };

    fake_start(suspended);
    cr_expect_eq(call_run("vm.stop", VM, "{}", NULL, 0, &err), PV_ESTATE);
    cr_expect_str_eq(err.problem, "vm-invalid-state");
    cr_expect_eq(call_run("vm.shutdown", VM, "{}", NULL, 0, &err), PV_ESTATE);
    cr_expect_eq(fake_count("PowerOffVM_Task") + fake_count("ShutdownGuest"), 0);
    call_stop();
}

Test(vapi_operations, refuses_what_vsphere_cannot_and_what_has_no_subject)
{
    struct pv_err err = { 0 };

    fake_start(running);
    cr_expect_eq(call_run("vm.pause", VM, "{}", NULL, 0, &err), PV_ENOTSUP);
    cr_expect_eq(call_run("vm.start", "{}", "{}", NULL, 0, &err), PV_EINVAL);
    cr_expect_eq(call_run("vm.start", "no json", "{}", NULL, 0, &err), PV_EINVAL);
    cr_expect_eq(call_run("vm.snapshot.revert", VM, "{}", NULL, 0, &err), PV_EINVAL,
                 "it has no owner");
    call_stop();
}

Test(vapi_operations, finds_a_snapshot_that_is_gone_deleted_already)
{
    struct pv_err err = { 0 };

    fake_start(running);
    cr_expect_eq(call_run("vm.snapshot.delete", SNAPSHOT, "{}", NULL, 0, &err), PV_OK);
    call_expect("\"changed\":false");
    cr_expect_eq(call_run("vm.snapshot.revert", SNAPSHOT, "{}", NULL, 0, &err), PV_ENOENT);
    cr_expect_eq(fake_count("RemoveSnapshot_Task"), 0);
    call_stop();
}

/* A host that has a service system; vcsim's have none. */
static struct fake_reply host_with_services(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = strstr(body, "configManager.serviceSystem")
                         ? FAKE_ANSWER("RetrievePropertiesEx",
                                       "<returnval><objects><obj type=\"HostSystem\">host-9</obj><propSet><name>"
                                       "configManager.serviceSystem</name><val type=\"HostServiceSystem\" "
                                       "xsi:type=\"ManagedObjectReference\">serviceSystem-9</val></propSet></objects></returnval>")
                         : NULL;
    else if (strcmp(method, "StopService") == 0 || strcmp(method, "UpdateServicePolicy") == 0)
        reply.body = strcmp(method, "StopService") == 0 ? FAKE_ANSWER("StopService", "")
                                                        : FAKE_ANSWER("UpdateServicePolicy", "");
    return reply;
}

#define SERVICE "{\"kind\":\"host_service\",\"native_id\":\"ntpd\",\"name\":\"NTP Daemon\",\"owner\":\"host-9\"}"

Test(vapi_operations, asks_the_service_system_of_the_host_for_a_service)
{
    struct pv_err err = { 0 };

    fake_start(host_with_services);
    cr_expect_eq(call_run("host.service.stop", SERVICE, "{}", NULL, 0, &err), PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_not_null(strstr(fake_request("StopService", 0, false),
                              "<_this type=\"HostServiceSystem\">serviceSystem-9</_this><id>ntpd</id>"));
    cr_expect_eq(fake_count("StopService"), 1);
    cr_expect_eq(call_run("host.service.set_start", SERVICE, "{\"start_mode\":\"on_demand\"}", NULL, 0, &err), PV_OK,
                 "%s", err.message);
    cr_expect_not_null(
        strstr(fake_request("UpdateServicePolicy", 0, false), "<id>ntpd</id><policy>automatic</policy>"));
    cr_expect_eq(call_run("host.service.set_start", SERVICE, "{\"start_mode\":\"disabled\"}", NULL, 0, &err),
                 PV_ENOTSUP);
    cr_expect_eq(call_run("host.service.stop", SERVICE, "{}", NULL, PV_CALL_DRY_RUN, &err), PV_OK);
    cr_expect_eq(fake_count("StopService"), 1, "a rehearsal sends nothing");
    call_stop();
}

Test(vapi_operations, a_host_without_a_service_system_says_so)
{
    struct pv_err err = { 0 };

    fake_start(slow_start);
    cr_expect_eq(call_run("host.service.stop", SERVICE, "{}", NULL, 0, &err), PV_ENOTSUP);
    cr_expect(strstr(err.message, "lets nobody change its services"), "%s", err.message);
    call_stop();
}
