/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks from acceptance to their end, also over restarts; nothing is done twice. */
#include "tests/unit/core_fake.h"

static struct world *w;
static struct driver_session *s;
static struct pv_id provider;

#define VMS 40

static void listing(void)
{
    listing_begin(s);
    for (int i = 0; i < VMS; i++) {
        char native[24], identity[24], name[24];

        snprintf(native, sizeof(native), "vm-%d", i);
        snprintf(identity, sizeof(identity), "uuid-%d", i);
        snprintf(name, sizeof(name), "web%d", i);
        send_vm(s, native, identity, name, i == 1 ? PV_POWER_STATE_OFF : PV_POWER_STATE_RUNNING);
    }
    listing_end(s);
}

static void set_up(void)
{
    w = world_new(0, 0);
    provider = add_provider(w, "one", "vmware");
    s = session_of(w, "one");
    listing();
}

static void tear_down(void)
{
    world_free(w);
}

TestSuite(tasks, .init = set_up, .fini = tear_down, .timeout = 60);

static struct pv_id vm(int i)
{
    char native[24];

    snprintf(native, sizeof(native), "vm-%d", i);
    cr_assert(vm_by_native(w, native), "%s is not there", native);
    return vm_by_native(w, native)->id;
}

static int try_submit(const char *operation, enum pv_kind kind, struct pv_id subject, const char *params,
                      const struct core_options *o, struct pv_id *task, struct pv_err *err)
{
    json_t *json = params ? json_loads(params, 0, NULL) : NULL;
    struct core_task_request q = { .operation = model_operation(operation), .kind = kind, .subject = subject,
                                   .params = json };
    int rc = core_task_submit(w->core, &someone, &q, o, task, NULL, NULL, err);

    json_decref(json);
    return rc;
}

static struct pv_id submit(const char *operation, enum pv_kind kind, struct pv_id subject)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_assert_eq(try_submit(operation, kind, subject, NULL, NULL, &task, &err), PV_OK, "%s", err.message);
    return task;
}

static struct model_row *task_row(const struct pv_id *task)
{
    struct model_row *row = row_of(w, PV_KIND_task, task);

    cr_assert(row);
    return row;
}

static enum pv_task_state state_of(const struct pv_id *task)
{
    return (enum pv_task_state)model_number(task_row(task), F(task, state));
}

static struct {
    struct pv_id task;
    enum pv_task_state state;
    const char *code;
} wanted;

static bool has_state(const void *arg)
{
    (void)arg;
    return state_of(&wanted.task) == wanted.state &&
           (!wanted.code || strstr(model_text(task_row(&wanted.task), F(task, wait_reason)), wanted.code));
}

static void await(struct pv_id task, enum pv_task_state state)
{
    wanted.task = task;
    wanted.state = state;
    wanted.code = NULL;
    cr_assert(eventually(has_state, NULL), "it is %s, not %s",
              model_enum_text(PV_ENUM_task_state, state_of(&task)), model_enum_text(PV_ENUM_task_state, state));
}

static void await_reason(struct pv_id task, const char *code)
{
    wanted.task = task;
    wanted.state = PV_TASK_STATE_WAITING;
    wanted.code = code;
    cr_assert(eventually(has_state, NULL), "it is %s: %s", model_enum_text(PV_ENUM_task_state, state_of(&task)),
              model_text(task_row(&task), F(task, wait_reason)));
}

/* The state the provider would show from now on; refreshes bring it. */
static void becomes(int i, enum pv_power_state power)
{
    char native[24], identity[24], name[24];

    snprintf(native, sizeof(native), "vm-%d", i);
    snprintf(identity, sizeof(identity), "uuid-%d", i);
    snprintf(name, sizeof(name), "web%d", i);
    send_vm(s, native, identity, name, power);
    pv_builder_send(s->builder);
}

static int64_t power_of(int i)
{
    char native[24];

    snprintf(native, sizeof(native), "vm-%d", i);
    return model_number(vm_by_native(w, native), F(vm, power_state));
}

static void progress(uint64_t call, int percent, const char *ref)
{
    act(s, (struct act_item){ .act = ACT_PROGRESS, .call = call,
                              .progress = { .size = sizeof(struct pv_progress), .percent = percent },
                              .text = ref ? strdup(ref) : NULL });
    drain(s);
}

Test(tasks, a_task_succeeds_only_after_the_vm_was_read_again)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct called refresh;

    cr_expect(strstr(call.subject, "\"native_id\":\"vm-0\""), "%s", call.subject);
    fake_lock(&w->fake);
    w->fake.hold_refresh = true;
    fake_unlock(&w->fake);
    answer(s, call.number, PV_OK, "", "{\"changed\":true}");
    refresh = wait_call(w, CALLED_REFRESH, "");
    cr_expect_str_eq(refresh.subject, "vm-0");
    cr_expect_eq(state_of(&task), PV_TASK_STATE_RUNNING);
    becomes(0, PV_POWER_STATE_OFF);
    answer(s, refresh.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(power_of(0), PV_POWER_STATE_OFF);
    cr_expect(model_number(task_row(&task), F(task, changed)));
    cr_expect_eq(count_events(w, "task.finished"), 1);
    cr_expect(strstr(last_event(w, "vm.updated"), "\"mueller\"") ||
              strstr(last_event(w, "vm.updated"), "tsk_"), "%s", last_event(w, "vm.updated"));
}

Test(tasks, what_a_result_names_is_read_again_too)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    answer(s, call.number, PV_OK, "", "{\"objects\":[{\"kind\":\"vm\",\"native_id\":\"vm-3\"}]}");
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(count_calls(w, CALLED_REFRESH), 2);
}

Test(tasks, asking_for_the_present_state_succeeds_at_once_and_changes_nothing)
{
    struct pv_id task = submit("vm.start", PV_KIND_vm, vm(0));

    cr_expect_eq(state_of(&task), PV_TASK_STATE_SUCCEEDED);
    cr_expect(model_get(task_row(&task), F(task, changed))->set);
    cr_expect_not(model_number(task_row(&task), F(task, changed)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
}

Test(tasks, a_state_that_does_not_allow_it_is_refused_with_what_is_allowed)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_expect_eq(try_submit("vm.reset", PV_KIND_vm, vm(1), NULL, NULL, &task, &err), PV_ESTATE);
    cr_expect_str_eq(pv_err_problem(&err)->code, "vm-invalid-state");
    cr_expect(strstr(err.needs, "start"), "%s", err.needs);
    cr_expect_str_eq(err.native_code, "off");
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
}

Test(tasks, what_the_driver_lacks_is_refused_with_a_reason)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    w->fake.operations = "vm.stop vm.start";
    cr_expect_eq(try_submit("vm.pause", PV_KIND_vm, vm(0), NULL, NULL, &task, &err), PV_ENOTSUP);
    cr_expect(strstr(err.message, "fake"), "%s", err.message);
}

Test(tasks, what_the_provider_lacks_is_refused_with_its_reason_and_need)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    act(s, (struct act_item){ .act = ACT_FACTS,
                              .text = strdup("{\"capabilities\":[{\"name\":\"vm.stop\",\"state\":\"no\","
                                             "\"reason\":\"read only account\",\"needs\":[\"VirtualMachine.Interact\"]}]}") });
    drain(s);
    cr_expect_eq(try_submit("vm.stop", PV_KIND_vm, vm(0), NULL, NULL, &task, &err), PV_ENOTSUP);
    cr_expect(strstr(err.message, "read only account"));
    cr_expect_str_eq(err.needs, "VirtualMachine.Interact");
}

Test(tasks, unknown_parameters_are_refused)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_expect_neq(try_submit("vm.stop", PV_KIND_vm, vm(0), "{\"forse\":true}", NULL, &task, &err), PV_OK);
    cr_expect(strstr(err.pointer, "forse"), "%s", err.pointer);
}

Test(tasks, another_version_is_a_failed_precondition)
{
    struct core_options o = { .if_version = 77 };
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_expect_neq(try_submit("vm.stop", PV_KIND_vm, vm(0), NULL, &o, &task, &err), PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "precondition-failed");
}

Test(tasks, one_task_at_a_time_works_on_a_vm_and_the_next_says_why_it_waits)
{
    struct pv_id first = submit("vm.stop", PV_KIND_vm, vm(0)), second = submit("vm.suspend", PV_KIND_vm, vm(0));
    struct core_options o = { .fail_if_busy = true };
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct pv_err err = { 0 };
    struct pv_id third;

    await_reason(second, "object_busy");
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
    cr_expect_eq(try_submit("vm.stop", PV_KIND_vm, vm(0), NULL, &o, &third, &err), PV_EBUSY);
    answer(s, call.number, PV_OK, "", NULL);
    await(first, PV_TASK_STATE_SUCCEEDED);
    call = wait_call(w, CALLED_OPERATION, "vm.suspend");
    answer(s, call.number, PV_OK, "", NULL);
    await(second, PV_TASK_STATE_SUCCEEDED);
}

Test(tasks, a_start_asked_for_while_a_stop_runs_comes_after_it)
{
    struct pv_id stop = submit("vm.stop", PV_KIND_vm, vm(0)), start;
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    start = submit("vm.start", PV_KIND_vm, vm(0));
    cr_expect_neq(state_of(&start), PV_TASK_STATE_SUCCEEDED, "it runs only as long as the stop does");
    becomes(0, PV_POWER_STATE_OFF);
    answer(s, call.number, PV_OK, "", NULL);
    await(stop, PV_TASK_STATE_SUCCEEDED);
    call = wait_call(w, CALLED_OPERATION, "vm.start");
    answer(s, call.number, PV_OK, "", NULL);
    await(start, PV_TASK_STATE_SUCCEEDED);
}

Test(tasks, a_wish_that_was_fulfilled_while_it_waited_is_not_sent)
{
    struct pv_id first = submit("vm.stop", PV_KIND_vm, vm(0)), second = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    becomes(0, PV_POWER_STATE_OFF);
    answer(s, call.number, PV_OK, "", NULL);
    await(first, PV_TASK_STATE_SUCCEEDED);
    await(second, PV_TASK_STATE_SUCCEEDED);
    cr_expect_not(model_number(task_row(&second), F(task, changed)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

static bool runs_32(const void *arg)
{
    (void)arg;
    return count_calls(w, CALLED_OPERATION) == 32;
}

Test(tasks, no_more_than_32_run_on_a_provider_and_the_rest_names_the_limit)
{
    struct pv_id task[VMS];

    for (int i = 0; i < VMS; i++)
        task[i] = submit("vm.reset", PV_KIND_vm, vm(i == 1 ? 0 : i));
    cr_assert(eventually(runs_32, NULL));
    await_reason(task[VMS - 1], "provider_limit");
    cr_expect(strstr(model_text(task_row(&task[VMS - 1]), F(task, wait_reason)), "\"max\":32"));
    clock_sleep_ms(50);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 32);
}

Test(tasks, the_native_reference_is_stored_as_soon_as_it_is_known)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    progress(call.number, 10, "task-77");
    cr_expect_str_eq(model_text(task_row(&task), F(task, native_id)), "task-77");
    cr_expect_eq(model_number(task_row(&task), F(task, progress)), 10);
    progress(call.number, 11, "task-77");
    cr_expect_eq(model_number(task_row(&task), F(task, progress)), 10, "progress is throttled");
}

Test(tasks, a_failure_keeps_the_providers_own_code)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct act_item item = { .act = ACT_RESULT, .call = call.number,
                             .failure = { .size = sizeof(struct pv_failure), .code = PV_EPERM,
                                          .native_code = "NoPermission", .message = "no right" } };

    act(s, item);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "\"native_code\":\"NoPermission\""));
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "provider-permission"));
}

Test(tasks, an_unknown_outcome_that_happened_after_all_succeeded_and_is_not_repeated)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    becomes(0, PV_POWER_STATE_OFF);
    answer(s, call.number, PV_EUNKNOWN, "cut off", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, an_unknown_outcome_that_did_not_happen_failed_and_is_not_repeated)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    answer(s, call.number, PV_EUNKNOWN, "cut off", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "outcome-unknown"));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, an_unknown_outcome_that_leaves_no_trace_is_lost)
{
    struct pv_id task = submit("vm.reset", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.reset");

    answer(s, call.number, PV_EUNKNOWN, "cut off", NULL);
    await(task, PV_TASK_STATE_LOST);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "outcome-unknown"));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, what_was_never_sent_is_tried_again)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    answer(s, call.number, PV_EOFFLINE, "no route", NULL);
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 2);
}

Test(tasks, a_running_task_is_canceled_at_the_provider)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct pv_err err = { 0 };

    wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_assert_eq(core_task_cancel(w->core, &someone, &task, &err), PV_OK, "%s", err.message);
    await(task, PV_TASK_STATE_CANCELED);
    cr_expect_neq(core_task_cancel(w->core, &someone, &task, &err), PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "task-not-cancelable");
}

static bool is_canceled(const void *arg)
{
    uint64_t number = *(const uint64_t *)arg;
    bool canceled = false;

    fake_lock(&w->fake);
    for (size_t i = 0; i < w->fake.ncalls; i++)
        canceled |= w->fake.calls[i].number == number && w->fake.calls[i].canceled;
    fake_unlock(&w->fake);
    return canceled;
}

/* The driver is told, and the test answers in its place. */
static struct called cancel_under_way(const struct pv_id *task)
{
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct pv_err err = { 0 };

    w->fake.hold_cancel = true;
    cr_assert_eq(core_task_cancel(w->core, &someone, task, &err), PV_OK, "%s", err.message);
    cr_assert(eventually(is_canceled, &call.number));
    return call;
}

Test(tasks, a_canceled_task_that_may_have_been_sent_is_not_called_canceled)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = cancel_under_way(&task);

    answer(s, call.number, PV_EUNKNOWN, "cut off", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "outcome-unknown"));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, a_canceled_task_whose_provider_goes_on_is_followed_to_its_end)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = cancel_under_way(&task), again;

    progress(call.number, 10, "task-77");
    answer(s, call.number, PV_EUNKNOWN, "it goes on", NULL);
    again = wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_assert_neq(again.number, call.number);
    cr_expect_str_eq(again.native_ref, "task-77");
    cr_expect_not(is_canceled(&again.number), "it was told once; now its end is waited for");
    becomes(0, PV_POWER_STATE_OFF);
    answer(s, again.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
}

Test(tasks, a_task_that_is_followed_after_its_cancel_stays_canceling_over_a_restart)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = cancel_under_way(&task);

    progress(call.number, 10, "task-77");
    answer(s, call.number, PV_EUNKNOWN, "it goes on", NULL);
    wait_call(w, CALLED_OPERATION, "vm.stop");
    await(task, PV_TASK_STATE_CANCELING);
    w->fake.hold_cancel = false;
    world_restart(w);
    s = session_of(w, "one");
    listing();
    /* The new session is told again, and its provider has canceled it. */
    await(task, PV_TASK_STATE_CANCELED);
}

Test(tasks, a_waiting_task_is_canceled_without_ever_starting)
{
    struct pv_id first = submit("vm.stop", PV_KIND_vm, vm(0)), second = submit("vm.suspend", PV_KIND_vm, vm(0));
    struct pv_err err = { 0 };

    await_reason(second, "object_busy");
    cr_assert_eq(core_task_cancel(w->core, &someone, &second, &err), PV_OK, "%s", err.message);
    await(second, PV_TASK_STATE_CANCELED);
    cr_expect_eq(state_of(&first), PV_TASK_STATE_RUNNING);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, while_the_provider_is_away_tasks_wait_and_then_run)
{
    struct called watch = wait_call(w, CALLED_WATCH, ""), call;
    struct pv_id task;

    answer(s, watch.number, PV_EOFFLINE, "no route", NULL);
    drain(s);
    task = submit("vm.stop", PV_KIND_vm, vm(0));
    await_reason(task, "provider_offline");
    session_of(w, "one");
    changes(s);
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
}

Test(tasks, a_paused_provider_lets_writes_wait)
{
    struct pv_id pause = submit("provider.pause", PV_KIND_provider, provider), task, resume;
    struct called call;

    await(pause, PV_TASK_STATE_SUCCEEDED);
    task = submit("vm.stop", PV_KIND_vm, vm(0));
    await_reason(task, "maintenance");
    resume = submit("provider.resume", PV_KIND_provider, provider);
    await(resume, PV_TASK_STATE_SUCCEEDED);
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
}

Test(tasks, a_sync_on_demand_ends_with_its_own_listing)
{
    struct called watch = wait_call(w, CALLED_WATCH, "");
    struct pv_id task = submit("provider.sync", PV_KIND_provider, provider);
    struct called again;

    await(task, PV_TASK_STATE_RUNNING);
    s = session_of(w, "one");
    again = wait_other_call(w, CALLED_WATCH, watch.number);
    cr_expect_str_eq(again.cursor, "");
    cr_expect_eq(state_of(&task), PV_TASK_STATE_RUNNING);
    listing();
    await(task, PV_TASK_STATE_SUCCEEDED);
}

Test(tasks, a_test_of_the_connection_answers_its_findings)
{
    struct pv_id task = submit("provider.test", PV_KIND_provider, provider);

    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, result)), "\"step\":\"port\""));
}

Test(tasks, after_a_restart_a_task_with_a_reference_is_followed_not_repeated)
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

Test(tasks, after_a_restart_a_task_without_reference_is_looked_at_not_repeated)
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

Test(tasks, after_a_restart_a_waiting_task_starts_as_if_nothing_had_been)
{
    struct pv_id first = submit("vm.stop", PV_KIND_vm, vm(0)), second = submit("vm.suspend", PV_KIND_vm, vm(0));
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

Test(tasks, when_the_driver_crashes_its_tasks_are_followed_in_a_new_session)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop"), watch = wait_call(w, CALLED_WATCH, "");

    progress(call.number, 10, "task-77");
    fake_lock(&w->fake);
    s->down = true;
    for (size_t i = 0; i < w->fake.ncalls; i++)
        w->fake.calls[i].answered = true;
    fake_unlock(&w->fake);
    for (int i = 0; i < 2; i++)
        act(s, (struct act_item){ .act = ACT_RESULT, .call = i ? call.number : watch.number,
                                  .failure = { .size = sizeof(struct pv_failure), .code = PV_EIO,
                                               .problem = "driver-crashed", .message = "gone" } });
    act(s, (struct act_item){ .act = ACT_DOWN });
    s = session_of(w, "one");
    listing();
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_expect_str_eq(call.native_ref, "task-77");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
}

static struct {
    pthread_mutex_t lock;
    bool told;
    char text[4096];
} plan = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void on_plan(void *ctx, int rc, const char *json, const struct pv_err *err)
{
    (void)ctx;
    (void)err;
    pthread_mutex_lock(&plan.lock);
    plan.told = true;
    str_copy(plan.text, sizeof(plan.text), rc == PV_OK ? json : "failed");
    pthread_mutex_unlock(&plan.lock);
}

static bool plan_told(const void *arg)
{
    bool told;

    (void)arg;
    pthread_mutex_lock(&plan.lock);
    told = plan.told;
    pthread_mutex_unlock(&plan.lock);
    return told;
}

Test(tasks, a_rehearsal_names_before_and_after_and_stores_nothing)
{
    struct core_options o = { .dry_run = true };
    struct core_task_request q = { .operation = model_operation("vm.stop"), .kind = PV_KIND_vm, .subject = vm(0) };
    struct core_stats before, after;
    struct pv_err err = { 0 };
    struct called call;
    struct pv_id task;
    uint64_t seq = core_event_seq(w->core);

    core_get_stats(w->core, &before);
    cr_assert_eq(core_task_submit(w->core, &someone, &q, &o, &task, on_plan, NULL, &err), PV_OK, "%s", err.message);
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_expect_eq(call.flags, PV_CALL_DRY_RUN);
    answer(s, call.number, PV_OK, "", "{\"plan\":[{\"call\":\"PowerOffVM_Task\"}]}");
    cr_assert(eventually(plan_told, NULL));
    cr_expect(strstr(plan.text, "\"before\":{\"power_state\":\"running\"},\"after\":{\"power_state\":\"off\"}"), "%s",
              plan.text);
    cr_expect(strstr(plan.text, "PowerOffVM_Task"));
    core_get_stats(w->core, &after);
    cr_expect_eq(after.tasks_open, before.tasks_open);
    cr_expect_eq(core_event_seq(w->core), seq);
}

static void on_wait(void *ctx, bool final)
{
    pthread_mutex_lock(&plan.lock);
    *(int *)ctx = final ? 1 : 2;
    pthread_mutex_unlock(&plan.lock);
}

static bool was_told(const void *arg)
{
    int told;

    pthread_mutex_lock(&plan.lock);
    told = *(const int *)arg;
    pthread_mutex_unlock(&plan.lock);
    return told != 0;
}

Test(tasks, who_waits_for_a_task_is_told_once_at_its_end_or_in_time)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct pv_err err = { 0 };
    struct pv_id nobody = { { 1 } };
    int early = 0, late = 0, after = 0;

    cr_assert_eq(core_task_wait(w->core, &task, 10, on_wait, &early, &err), PV_OK);
    cr_assert_eq(core_task_wait(w->core, &task, 20000, on_wait, &late, &err), PV_OK);
    cr_assert(eventually(was_told, &early));
    cr_expect_eq(early, 2);
    answer(s, call.number, PV_OK, "", NULL);
    cr_assert(eventually(was_told, &late));
    cr_expect_eq(late, 1);
    cr_assert_eq(core_task_wait(w->core, &task, 20000, on_wait, &after, &err), PV_OK);
    cr_expect_eq(after, 1);
    cr_expect_eq(core_task_wait(w->core, &nobody, 10, on_wait, &after, &err), PV_ENOENT);
}

static struct pv_id bulk(const char *operation, const struct pv_id *ids, size_t n, bool stop)
{
    struct core_bulk_request b = { .operation = model_operation(operation), .targets = ids, .ntargets = n,
                                   .expected_count = -1, .stop_on_error = stop, .max_parallel = stop ? 1 : 0 };
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_assert_eq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_OK, "%s", err.message);
    return task;
}

Test(tasks, a_bulk_task_succeeds_when_all_its_children_have)
{
    struct pv_id ids[3] = { vm(0), vm(1), vm(2) }, task = bulk("vm.stop", ids, 3, false);

    for (int i = 0; i < 2; i++) {       /* vm 1 is off already */
        struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

        answer(s, call.number, PV_OK, "", NULL);
    }
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"succeeded\":3"), "%s",
              model_text(task_row(&task), F(task, children)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 2);
}

Test(tasks, a_bulk_task_counts_its_failures_and_goes_on)
{
    struct pv_id ids[4] = { vm(0), vm(1), vm(2), { { 9 } } }, task = bulk("vm.reset", ids, 4, false);
    struct called call = wait_call(w, CALLED_OPERATION, "vm.reset");

    answer(s, call.number, PV_EIO, "no", NULL);
    call = wait_call(w, CALLED_OPERATION, "vm.reset");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_FAILED);
    /* One refused by the provider; one that is off and one that nobody knows are skipped. */
    cr_expect(strstr(model_text(task_row(&task), F(task, children)),
                     "\"succeeded\":1,\"failed\":1,\"canceled\":0,\"skipped\":2"), "%s",
              model_text(task_row(&task), F(task, children)));
}

Test(tasks, a_bulk_task_that_stops_at_the_first_failure_cancels_the_rest)
{
    struct pv_id ids[5] = { vm(0), vm(2), vm(3), vm(4), vm(5) }, task = bulk("vm.stop", ids, 5, true);
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    answer(s, call.number, PV_EIO, "no", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"failed\":1,\"canceled\":4"), "%s",
              model_text(task_row(&task), F(task, children)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, canceling_a_bulk_task_cancels_its_children)
{
    struct pv_id ids[20], task;
    struct pv_err err = { 0 };

    for (int i = 0; i < 20; i++)
        ids[i] = vm(i + 2);
    task = bulk("vm.stop", ids, 20, false);
    wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_assert_eq(core_task_cancel(w->core, &someone, &task, &err), PV_OK);
    await(task, PV_TASK_STATE_CANCELED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"canceled\":20"), "%s",
              model_text(task_row(&task), F(task, children)));
}

Test(tasks, a_bulk_task_goes_on_after_a_restart)
{
    struct pv_id ids[3] = { vm(0), vm(2), vm(3) }, task = bulk("vm.stop", ids, 3, true);
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    progress(call.number, 1, "task-1");
    world_restart(w);
    s = session_of(w, "one");
    listing();
    for (int i = 0; i < 3; i++) {
        call = wait_call(w, CALLED_OPERATION, "vm.stop");
        answer(s, call.number, PV_OK, "", NULL);
    }
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"succeeded\":3"));
}

Test(tasks, a_bulk_task_of_which_all_is_skipped_fails_with_the_first_reason)
{
    struct pv_id ids[1] = { vm(1) }, task = bulk("vm.reset", ids, 1, false);

    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "vm-invalid-state"), "%s",
              model_text(task_row(&task), F(task, error)));
    cr_expect(strstr(model_text(task_row(&task), F(task, result)), "\"skipped\":1,\"not_done\":[{"), "%s",
              model_text(task_row(&task), F(task, result)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
}

Test(tasks, a_bulk_task_with_nothing_to_do_has_changed_nothing)
{
    struct pv_id ids[1] = { vm(1) }, task = bulk("vm.stop", ids, 1, false);

    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(model_number(task_row(&task), F(task, changed)), 0);
}

static struct pv_id steps(const char *const *operations, size_t n)
{
    struct core_step list[8];
    struct pv_err err = { 0 };
    struct pv_id task, it = vm(0);

    for (size_t i = 0; i < n; i++)
        list[i] = (struct core_step){ .operation = model_operation(operations[i]), .subject = it };
    cr_assert_eq(core_steps_submit(w->core, &someone, &it, list, n, NULL, &task, NULL, NULL, &err), PV_OK, "%s",
                 err.message);
    return task;
}

static const char *const three[] = { "vm.reset", "vm.stop", "vm.reset" };

Test(tasks, steps_are_done_one_after_the_other_and_make_one_task)
{
    struct pv_id task = steps(three, 3);

    for (size_t i = 0; i < 3; i++) {
        struct called call = wait_call(w, CALLED_OPERATION, three[i]);

        cr_expect_eq(count_calls(w, CALLED_OPERATION), i + 1);
        answer(s, call.number, PV_OK, "", NULL);
    }
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"succeeded\":3"));
    cr_expect_str_eq(model_text(task_row(&task), F(task, action)), "vm.reconfigure");
}

Test(tasks, the_first_step_that_fails_is_the_last)
{
    struct pv_id task = steps(three, 3);
    struct called call = wait_call(w, CALLED_OPERATION, three[0]);

    answer(s, call.number, PV_OK, "", NULL);
    call = wait_call(w, CALLED_OPERATION, three[1]);
    answer(s, call.number, PV_ENOSPC, "the disk is full", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)),
                     "\"succeeded\":1,\"failed\":1,\"canceled\":1"), "%s",
              model_text(task_row(&task), F(task, children)));
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "step 2 of 3 failed: the disk is full"), "%s",
              model_text(task_row(&task), F(task, error)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 2);
}

Test(tasks, steps_go_on_in_their_order_after_a_restart)
{
    struct pv_id task = steps(three, 3);
    struct called call = wait_call(w, CALLED_OPERATION, three[0]);

    progress(call.number, 1, "task-1");
    world_restart(w);
    s = session_of(w, "one");
    listing();
    for (size_t i = 0; i < 3; i++) {
        call = wait_call(w, CALLED_OPERATION, three[i]);
        answer(s, call.number, PV_OK, "", NULL);
    }
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"succeeded\":3"));
}

Test(tasks, a_wrong_step_refuses_the_whole_and_is_named)
{
    struct pv_id it = vm(0), task;
    struct core_step list[2] = { { .operation = model_operation("vm.stop"), .subject = it },
                                 { .operation = model_operation("vm.stop"), .subject = vm(2) } };
    struct pv_err err = { 0 };

    cr_expect_eq(core_steps_submit(w->core, &someone, &it, list, 2, NULL, &task, NULL, NULL, &err), PV_EINVAL);
    cr_expect_str_eq(err.pointer, "/steps/1");
    list[1].subject = it;
    list[1].if_version = 99;
    err = (struct pv_err){ 0 };
    cr_expect_neq(core_steps_submit(w->core, &someone, &it, list, 2, NULL, &task, NULL, NULL, &err), PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "precondition-failed");
    drain(s);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
}

Test(tasks, a_selector_needs_its_count_or_a_confirmation)
{
    struct core_bulk_request b = { .operation = model_operation("vm.stop"), .expected_count = -1 };
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_expect_eq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_EINVAL);
    b.expected_count = VMS + 1;
    cr_expect_neq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "conflict");
    b.expected_count = VMS;
    cr_expect_eq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_OK, "%s", err.message);
}

Test(tasks, a_final_state_is_never_changed_again)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    uint64_t version;

    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
    version = (uint64_t)model_number(task_row(&task), F(task, version));
    answer(s, call.number, PV_EIO, "late", NULL);
    drain(s);
    cr_expect_eq(state_of(&task), PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq((uint64_t)model_number(task_row(&task), F(task, version)), version);
}

Test(tasks, a_provider_with_open_tasks_is_deleted_only_by_force)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct pv_err err = { 0 };

    wait_call(w, CALLED_OPERATION, "vm.stop");
    cr_expect_eq(core_provider_delete(w->core, &someone, &provider, false, NULL, &err), PV_EBUSY);
    cr_expect_eq(core_provider_delete(w->core, &someone, &provider, true, NULL, &err), PV_OK, "%s", err.message);
    await(task, PV_TASK_STATE_FAILED);
}
