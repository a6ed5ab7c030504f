/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks over a restart of the server and over a crash of the driver: followed or looked at, never
 * repeated. */
#include "tests/unit/core_estate.h"

TestSuite(restart, .init = set_up, .fini = tear_down, .timeout = 300);

Test(restart, after_a_restart_a_task_with_a_reference_is_followed_not_repeated)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    progress(call.number, 10, "task-77");
    world_restart(w);
    s = session_of(w, "one");
    listing();
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_expect_str_eq(call.native_ref, "task-77");
    becomes(0, PV_POWER_STATE_OFF);
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
}

Test(restart, after_a_restart_a_task_without_reference_is_looked_at_not_repeated)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    size_t before;

    wait_call(w, CALLED_OPERATION, "vm.stop");
    before = count_calls(w, CALLED_OPERATION);
    world_restart(w);
    s = session_of(w, "one");
    becomes(0, PV_POWER_STATE_OFF);
    changes(s);
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), before);
}

Test(restart, after_a_restart_a_waiting_task_starts_as_if_nothing_had_been)
{
    struct pv_id first = submit("vm.stop", PV_KIND_vm, vm(0)),
                 second = submit("vm.suspend", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    await_reason(second, "object_busy");
    progress(call.number, 1, "task-1");
    world_restart(w);
    s = session_of(w, "one");
    listing();
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    answer(s, call.number, PV_OK, "", NULL);
    await(first, PV_TASK_STATE_SUCCEEDED);
    call = wait_call(w, CALLED_OPERATION, "vm.suspend");
    cr_expect_str_eq(call.native_ref, "");
    answer(s, call.number, PV_OK, "", NULL);
    await(second, PV_TASK_STATE_SUCCEEDED);
}

Test(restart, when_the_driver_crashes_its_tasks_are_followed_in_a_new_session)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop"),
                  watch = wait_call(w, CALLED_WATCH, "");

    progress(call.number, 10, "task-77");
    fake_lock(&w->fake);
    s->down = true;
    for (size_t i = 0; i < w->fake.ncalls; i++)
        w->fake.calls[i].answered = true;
    fake_unlock(&w->fake);
    for (int i = 0; i < 2; i++)
        act(s, (struct act_item){ .act = ACT_RESULT,
                                  .call = i ? call.number : watch.number,
                                  .failure = { .size = sizeof(struct pv_failure),
                                               .code = PV_EIO,
                                               .problem = "driver-crashed",
                                               .message = "gone" } });
    act(s, (struct act_item){ .act = ACT_DOWN });
    s = session_of(w, "one");
    listing();
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_expect_str_eq(call.native_ref, "task-77");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
}
