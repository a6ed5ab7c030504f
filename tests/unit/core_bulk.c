/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks that are made of others: many objects at once, steps one after the other. */
#include "tests/unit/core_estate.h"

TestSuite(bulk, .init = set_up, .fini = tear_down, .timeout = 300);

static struct pv_id bulk(const char *operation, const struct pv_id *ids, size_t n, bool stop)
{
    struct core_bulk_request b = { .operation = model_operation(operation),
                                   .targets = ids,
                                   .ntargets = n,
                                   .expected_count = -1,
                                   .stop_on_error = stop,
                                   .max_parallel = stop ? 1 : 0 };
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_assert_eq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_OK,
                 "%s", err.message);
    return task;
}

/* Its error has this in it. */
static void says(struct pv_id task, const char *text)
{
    const char *error = model_text(task_row(&task), F(task, error));

    cr_expect(strstr(error, text), "no \"%s\" in %s", text, error);
}

Test(bulk, a_bulk_task_succeeds_when_all_its_children_have)
{
    struct pv_id ids[3] = { vm(0), vm(1), vm(2) }, task = bulk("vm.stop", ids, 3, false);

    for (int i = 0; i < 2; i++) { /* vm 1 is off already */
        struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

        answer(s, call.number, PV_OK, "", NULL);
    }
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"succeeded\":3"), "%s",
              model_text(task_row(&task), F(task, children)));
    cr_expect(strstr(model_text(task_row(&task), F(task, result)), "\"done\":3,\"unchanged\":1"),
              "%s", model_text(task_row(&task), F(task, result)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 2);
}

Test(bulk, a_bulk_task_counts_its_failures_and_goes_on)
{
    struct pv_id ids[4] = { vm(0), vm(1), vm(2), { { 9 } } },
                 task = bulk("vm.reset", ids, 4, false);
    struct called call = wait_call(w, CALLED_OPERATION, "vm.reset");

    answer(s, call.number, PV_EIO, "no", NULL);
    call = wait_call(w, CALLED_OPERATION, "vm.reset");
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_FAILED);
    /* One refused by the provider; one that is off and one that nobody knows are skipped. */
    cr_expect(strstr(model_text(task_row(&task), F(task, children)),
                     "\"succeeded\":1,\"failed\":1,\"canceled\":0,\"skipped\":2"),
              "%s", model_text(task_row(&task), F(task, children)));
    says(task, "1 of 4 done; 1 failed, 0 canceled, 2 skipped; the first: no");
}

Test(bulk, a_bulk_task_of_which_a_part_was_skipped_has_failed_with_the_numbers_and_the_reasons)
{
    struct pv_id ids[3] = { vm(0), vm(1), vm(2) }, task = bulk("vm.reset", ids, 3, false);

    for (int i = 0; i < 2; i++) {
        struct called call = wait_call(w, CALLED_OPERATION, "vm.reset");

        answer(s, call.number, PV_OK, "", NULL);
    }
    await(task, PV_TASK_STATE_FAILED);
    cr_expect_eq(model_number(task_row(&task), F(task, changed)), 1);
    says(task, "2 of 3 done; 1 skipped; the first: reset does not work on web1, which is off");
    says(task, "\"code\":\"partly-done\"");
    says(task, "\"skipped\":1}");
    says(task, "\"reasons\":[{\"operation\":\"vm.reset\",\"state\":\"skipped\"");
}

/* The last part that has not begun. */
static struct pv_id open_part(const struct pv_id *parent)
{
    const struct model_value v = { .set = true, .id = *parent };
    struct pv_err err = { 0 };
    struct pv_id *ids;
    size_t n;

    cr_assert_eq(
        store_find(w->store, PV_KIND_task, F(task, parent), &v, 100, w->arena, &ids, &n, &err),
        PV_OK, "%s", err.message);
    for (size_t i = n; i > 0; i--)
        if (state_of(&ids[i - 1]) <= PV_TASK_STATE_WAITING)
            return ids[i - 1];
    cr_assert_fail("all parts have begun");
    return *parent;
}

Test(bulk, a_bulk_task_of_which_one_part_is_canceled_has_failed_and_says_so)
{
    struct pv_id ids[2] = { vm(0), vm(2) }, task = bulk("vm.stop", ids, 2, true), second;
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct pv_err err = { 0 };

    second = open_part(&task);
    cr_assert_eq(core_task_cancel(w->core, &someone, &second, &err), PV_OK, "%s", err.message);
    await(second, PV_TASK_STATE_CANCELED);
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_FAILED);
    says(task, "1 of 2 done; 1 canceled");
}

Test(bulk, a_canceled_bulk_task_stays_canceled_over_a_restart)
{
    struct pv_id ids[3] = { vm(0), vm(2), vm(3) }, task = bulk("vm.stop", ids, 3, true);
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct pv_err err = { 0 };

    w->fake.hold_cancel = true;
    progress(call.number, 1, "task-1");
    drain(s);
    cr_assert_eq(core_task_cancel(w->core, &someone, &task, &err), PV_OK, "%s", err.message);
    cr_expect_eq(state_of(&task), PV_TASK_STATE_CANCELING);
    w->fake.hold_cancel = false;
    world_restart(w);
    s = session_of(w, "one");
    listing();
    await(task, PV_TASK_STATE_CANCELED);
    cr_expect(strstr(model_text(task_row(&task), F(task, result)), "\"canceled\":3"), "%s",
              model_text(task_row(&task), F(task, result)));
}

Test(bulk, a_bulk_task_that_stops_at_the_first_failure_cancels_the_rest)
{
    struct pv_id ids[5] = { vm(0), vm(2), vm(3), vm(4), vm(5) },
                 task = bulk("vm.stop", ids, 5, true);
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    answer(s, call.number, PV_EIO, "no", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)), "\"failed\":1,\"canceled\":4"),
              "%s", model_text(task_row(&task), F(task, children)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(bulk, canceling_a_bulk_task_cancels_its_children)
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

Test(bulk, a_bulk_task_goes_on_after_a_restart)
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

Test(bulk, a_bulk_task_of_which_all_is_skipped_fails_with_the_first_reason)
{
    struct pv_id ids[1] = { vm(1) }, task = bulk("vm.reset", ids, 1, false);

    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "vm-invalid-state"), "%s",
              model_text(task_row(&task), F(task, error)));
    cr_expect(strstr(model_text(task_row(&task), F(task, result)), "\"skipped\":1,\"not_done\":[{"),
              "%s", model_text(task_row(&task), F(task, result)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
}

Test(bulk, a_bulk_task_with_nothing_to_do_has_changed_nothing)
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
    cr_assert_eq(core_steps_submit(w->core, &someone, &it, list, n, NULL, &task, NULL, NULL, &err),
                 PV_OK, "%s", err.message);
    return task;
}

static const char *const three[] = { "vm.reset", "vm.stop", "vm.reset" };

Test(bulk, steps_are_done_one_after_the_other_and_make_one_task)
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

Test(bulk, the_first_step_that_fails_is_the_last)
{
    struct pv_id task = steps(three, 3);
    struct called call = wait_call(w, CALLED_OPERATION, three[0]);

    answer(s, call.number, PV_OK, "", NULL);
    call = wait_call(w, CALLED_OPERATION, three[1]);
    answer(s, call.number, PV_ENOSPC, "the disk is full", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, children)),
                     "\"succeeded\":1,\"failed\":1,\"canceled\":1"),
              "%s", model_text(task_row(&task), F(task, children)));
    cr_expect(
        strstr(model_text(task_row(&task), F(task, error)), "step 2 of 3 failed: the disk is full"),
        "%s", model_text(task_row(&task), F(task, error)));
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 2);
}

Test(bulk, a_step_that_is_canceled_is_the_last)
{
    struct pv_id task = steps(three, 3), second;
    struct called call = wait_call(w, CALLED_OPERATION, three[0]);
    struct pv_err err = { 0 };

    second = open_part(&task);
    cr_assert_eq(core_task_cancel(w->core, &someone, &second, &err), PV_OK, "%s", err.message);
    answer(s, call.number, PV_OK, "", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
    says(task, "1 of 3 done; 2 canceled");
}

Test(bulk, steps_go_on_in_their_order_after_a_restart)
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

Test(bulk, a_wrong_step_refuses_the_whole_and_is_named)
{
    struct pv_id it = vm(0), task;
    struct core_step list[2] = { { .operation = model_operation("vm.stop"), .subject = it },
                                 { .operation = model_operation("vm.stop"), .subject = vm(2) } };
    struct pv_err err = { 0 };

    cr_expect_eq(core_steps_submit(w->core, &someone, &it, list, 2, NULL, &task, NULL, NULL, &err),
                 PV_EINVAL);
    cr_expect_str_eq(err.pointer, "/steps/1");
    list[1].subject = it;
    list[1].if_version = 99;
    err = (struct pv_err){ 0 };
    cr_expect_neq(core_steps_submit(w->core, &someone, &it, list, 2, NULL, &task, NULL, NULL, &err),
                  PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "precondition-failed");
    drain(s);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
}

Test(bulk, a_selector_needs_its_count_or_a_confirmation)
{
    struct core_bulk_request b = { .operation = model_operation("vm.stop"), .expected_count = -1 };
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_expect_eq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_EINVAL);
    b.expected_count = VMS + 1;
    cr_expect_neq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_OK);
    cr_expect_str_eq(pv_err_problem(&err)->code, "conflict");
    b.expected_count = VMS;
    cr_expect_eq(core_bulk_submit(w->core, &someone, &b, NULL, &task, NULL, NULL, &err), PV_OK,
                 "%s", err.message);
}
