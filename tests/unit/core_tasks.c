/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks from acceptance to their end; nothing is done twice. */
#include "tests/unit/core_estate.h"

TestSuite(tasks, .init = set_up, .fini = tear_down, .timeout = 300);

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

static void hold_refreshes(bool hold)
{
    fake_lock(&w->fake);
    w->fake.hold_refresh = hold;
    fake_unlock(&w->fake);
}

Test(tasks, a_task_fails_only_after_the_vm_was_read_again)
{
    struct pv_id task = submit("vm.delete", PV_KIND_vm, vm(1));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.delete"), refresh;

    hold_refreshes(true);
    answer(s, call.number, PV_EIO, "it was turned off, and stays off", NULL);
    refresh = wait_call(w, CALLED_REFRESH, "");
    cr_expect_str_eq(refresh.subject, "vm-1");
    drain(s);
    cr_expect_eq(state_of(&task), PV_TASK_STATE_RUNNING, "who sees it failed would read what was before");
    becomes(1, PV_POWER_STATE_SUSPENDED);
    answer(s, refresh.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect_eq(power_of(1), PV_POWER_STATE_SUSPENDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "stays off"));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(tasks, a_canceled_task_ends_only_after_the_vm_was_read_again)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called refresh;
    struct pv_err err = { 0 };

    wait_call(w, CALLED_OPERATION, "vm.stop");
    hold_refreshes(true);
    cr_assert_eq(core_task_cancel(w->core, &someone, &task, &err), PV_OK, "%s", err.message);
    refresh = wait_call(w, CALLED_REFRESH, "");
    drain(s);
    cr_expect_eq(state_of(&task), PV_TASK_STATE_CANCELING);
    becomes(0, PV_POWER_STATE_SUSPENDED);
    answer(s, refresh.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_CANCELED);
    cr_expect_eq(power_of(0), PV_POWER_STATE_SUSPENDED);
}

static const char *unread_reason(void)
{
    return model_text(vm_by_native(w, "vm-0"), F(vm, stale_reason));
}

static bool is_read(const void *arg)
{
    (void)arg;
    return unread_reason()[0] == '\0';
}

Test(tasks, a_vm_that_cannot_be_read_after_a_failure_is_out_of_date_until_it_was_read)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop"), refresh;

    fake_lock(&w->fake);
    w->fake.refresh_code = PV_EIO;
    fake_unlock(&w->fake);
    answer(s, call.number, PV_EIO, "no", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect_str_eq(unread_reason(), "not_read");
    cr_expect_eq(power_of(0), PV_POWER_STATE_RUNNING, "nobody knows better");
    cr_expect_eq(count_calls(w, CALLED_REFRESH), 3);
    /* It is asked for again later, and comes without having changed. */
    hold_refreshes(true);
    refresh = wait_call(w, CALLED_REFRESH, "");
    becomes(0, PV_POWER_STATE_RUNNING);
    answer(s, refresh.number, PV_OK, "", NULL);
    cr_assert(eventually(is_read, NULL));
}

Test(tasks, a_provider_that_does_not_answer_keeps_no_failed_task_open)
{
    struct pv_id task;
    struct called call;

    w->failed_read_ms = 50;
    world_restart(w);
    s = session_of(w, "one");
    listing();
    hold_refreshes(true);
    task = submit("vm.stop", PV_KIND_vm, vm(0));
    call = wait_call(w, CALLED_OPERATION, "vm.stop");
    answer(s, call.number, PV_EIO, "no", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect_str_eq(unread_reason(), "not_read");
    /* The late answer is no second end. */
    answer(s, wait_call(w, CALLED_REFRESH, "").number, PV_OK, "", NULL);
    drain(s);
    cr_expect_eq(count_events(w, "task.finished"), 1);
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
    cr_expect_str_eq(journal_of(&task), "task-77");
    cr_expect_str_eq(model_text(task_row(&task), F(task, native_id)), "job of task-77");
    cr_expect_eq(model_number(task_row(&task), F(task, progress)), 10);
    progress(call.number, 11, "task-77");
    cr_expect_eq(model_number(task_row(&task), F(task, progress)), 10, "progress is throttled");
}

Test(tasks, a_long_journal_is_stored_whole_and_a_longer_one_refused)
{
    struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    char *journal = calloc(1, 20001);

    memset(journal, 'j', 16000);
    progress(call.number, 10, journal);
    cr_expect_eq(w->fake.stored, PV_OK);
    cr_expect_str_eq(journal_of(&task), journal);
    memset(journal, 'k', 20000);
    progress(call.number, 11, journal);
    cr_expect_eq(w->fake.stored, PV_ELIMIT, "the driver must not go on as if a restart knew of it");
    cr_expect_eq(journal_of(&task)[0], 'j');
    free(journal);
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
    static const int reasons[] = { PV_EOFFLINE, PV_ELIMIT, PV_ECERT };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        struct pv_id task = submit("vm.stop", PV_KIND_vm, vm(0));
        struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

        answer(s, call.number, reasons[i], "not now", NULL);
        call = wait_call(w, CALLED_OPERATION, "vm.stop");
        answer(s, call.number, PV_OK, "", NULL);
        await(task, PV_TASK_STATE_SUCCEEDED);
        cr_expect_eq(count_calls(w, CALLED_OPERATION), 2 * ((int)i + 1));
    }
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
