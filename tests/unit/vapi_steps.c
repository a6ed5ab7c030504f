/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of several steps, and what becomes of them after a restart; keys of the keyboard. */
#include "tests/unit/vapi_call.h"

#include "drivers/vapi/op_keys.h"

static struct fake_reply deleting(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    if (strcmp(method, "PowerOffVM_Task") == 0 || strcmp(method, "Destroy_Task") == 0)
        reply.body =
            strcmp(method, "Destroy_Task") == 0 ? TASK("Destroy_Task") : TASK("PowerOffVM_Task");
    else if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = strstr(body, "<type>Task</type>") ? INFO(DONE) : STATE("poweredOn");
    return reply;
}

Test(vapi_steps, turns_off_and_then_deletes_telling_each_step)
{
    struct pv_err err = { 0 };

    fake_start(deleting);
    cr_expect_eq(call_run("vm.delete", VM, "{\"force\":true,\"disks\":\"delete\"}", NULL, 0, &err),
                 PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_assert_eq(call.nrefs, 3);
    cr_expect_str_eq(call.refs[0], "task-1");
    cr_expect_str_eq(call.refs[1], "1||", "a step is told before it begins");
    cr_expect_str_eq(call.refs[2], "1||task-1");
    call_stop();
}

Test(vapi_steps, begins_no_step_that_the_server_could_not_note)
{
    struct pv_err err = { 0 };

    fake_start(deleting);
    call.stores = 1;
    cr_expect_eq(call_run("vm.delete", VM, "{\"force\":true,\"disks\":\"delete\"}", NULL, 0, &err),
                 PV_EUNKNOWN, "a later call goes on with it");
    cr_expect_str_eq(call_ref(), "1||");
    cr_expect_eq(fake_count("PowerOffVM_Task"), 1);
    cr_expect_eq(fake_count("Destroy_Task"), 0);
    call_stop();
}

Test(vapi_steps, goes_on_with_deleting_after_a_restart_during_the_first_step)
{
    struct pv_err err = { 0 };

    fake_start(deleting);
    cr_expect_eq(
        call_run("vm.delete", VM, "{\"force\":true,\"disks\":\"delete\"}", "task-1", 0, &err),
        PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("PowerOffVM_Task"), 0);
    cr_expect_eq(fake_count("Destroy_Task"), 1);
    call_stop();
}

Test(vapi_steps, follows_the_second_step_after_a_restart_and_sends_nothing)
{
    struct pv_err err = { 0 };

    fake_start(deleting);
    cr_expect_eq(
        call_run("vm.delete", VM, "{\"force\":true,\"disks\":\"delete\"}", "1||task-1", 0, &err),
        PV_OK, "%s", err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("Destroy_Task"), 0);
    call_stop();
}

static struct fake_reply vanished(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    (void)body;
    if (strcmp(method, "RetrievePropertiesEx") == 0)
        reply.body = GONE("VirtualMachine", "vm-1");
    return reply;
}

Test(vapi_steps, looks_before_it_sends_a_step_again_that_may_have_been_sent)
{
    struct pv_err err = { 0 };

    fake_start(vanished);
    cr_expect_eq(call_run("vm.delete", VM, "{\"disks\":\"delete\"}", "1||", 0, &err), PV_OK, "%s",
                 err.message);
    call_expect("\"changed\":true");
    cr_expect_eq(fake_count("Destroy_Task"), 0);
    call_stop();
}

/* A place of one host, one datastore, one folder. */
static struct fake_reply placing(const char *method, unsigned nth, const char *body)
{
    struct fake_reply reply = { 0 };

    (void)nth;
    if (strcmp(method, "RegisterVM_Task") == 0)
        reply.body = TASK("RegisterVM_Task");
    else if (strcmp(method, "PowerOnVM_Task") == 0)
        reply.body = FAKE_FAULT("InsufficientResourcesFault");
    else if (strcmp(method, "RetrievePropertiesEx") != 0)
        return reply;
    else if (strstr(body, "<type>Task</type>"))
        reply.body = INFO(DONE PROP("info.result", "VirtualMachine", "vm-9"));
    else if (strstr(body, ">vm-9<"))
        reply.body = OBJECT("VirtualMachine", "vm-9", "");
    else if (strstr(body, "<pathSet>parent<"))
        reply.body = strstr(body, ">host-1<")
                         ? OBJECT("HostSystem", "host-1", PROP("parent", "ComputeResource", "cr-1"))
                         : OBJECT("ComputeResource", "cr-1", PROP("parent", "Datacenter", "dc-1"));
    else if (strstr(body, "<pathSet>resourcePool<"))
        reply.body =
            OBJECT("ComputeResource", "cr-1", PROP("resourcePool", "ResourcePool", "rp-1"));
    else if (strstr(body, "<pathSet>vmFolder<"))
        reply.body = OBJECT("Datacenter", "dc-1", PROP("vmFolder", "Folder", "folder-1"));
    else
        reply.body = OBJECT("HostSystem", "host-1", "");
    return reply;
}

#define IMPORT                                                                                     \
    "{\"host\":" HOST ",\"source\":\"web/web.vmx\",\"name\":\"web\",\"start\":true,"               \
    "\"datastore\":{\"kind\":\"datastore\",\"native_id\":\"ds-1\",\"name\":\"store\"}}"

Test(vapi_steps, registers_files_and_tells_that_the_vm_does_not_start)
{
    struct pv_err err = { 0 };
    const char *request;

    fake_start(placing);
    cr_expect_eq(call_run("vm.import", HOST, IMPORT, NULL, 0, &err), PV_OK, "%s", err.message);
    request = fake_request("RegisterVM_Task", 0, false);
    cr_assert_not_null(request);
    cr_expect_not_null(strstr(request, "<path>[store] web/web.vmx</path><name>web</name>"
                                       "<asTemplate>false</asTemplate><pool type=\"ResourcePool\">"
                                       "rp-1</pool><host type=\"HostSystem\">host-1</host>"));
    cr_expect_not_null(strstr(request, "<_this type=\"Folder\">folder-1</_this>"));
    cr_assert_not_null(call.result);
    cr_expect(strstr(call.result, "\"native_id\": \"vm-9\"") ||
              strstr(call.result, "\"native_id\":\"vm-9\""));
    call_expect("does not start");
    cr_assert_geq(call.nrefs, 2);
    cr_expect_str_eq(call.refs[0], "task-1");
    cr_expect_str_eq(call.refs[1], "2|vm-9|", "what was made travels with the step after it");
    call_stop();
}

Test(vapi_steps, knows_keys_by_their_names_and_characters)
{
    struct key_press k;

    cr_expect(keys_parse("ctrl+alt+del", &k) && k.usage == 0x4C && k.held == (KEY_CTRL | KEY_ALT));
    cr_expect(keys_parse("F12", &k) && k.usage == 0x45 && !k.held);
    cr_expect(keys_parse("win", &k) && !k.usage && k.held == KEY_GUI);
    cr_expect(keys_parse("shift+a", &k) && k.usage == 0x04 && k.held == KEY_SHIFT);
    cr_expect(keys_char('Z', &k) && k.usage == 0x1D && k.held == KEY_SHIFT);
    cr_expect(keys_char('~', &k) && k.usage == 0x35 && k.held == KEY_SHIFT);
    cr_expect(!keys_char('\xC3', &k));
    cr_expect(!keys_parse("", &k) && !keys_parse("ctrl+", &k) && !keys_parse("a+b", &k) &&
              !keys_parse("f25", &k) && !keys_parse("hyper", &k));
}
