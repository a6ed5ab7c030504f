/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots with an end: the server deletes what is due, once, and never what was given more time. */
#include "tests/unit/core_estate.h"

#include "server/core/core.h"

#define HOUR_MS (3600ll * 1000)

static void send_snapshots(int vm_number, const char *const *natives)
{
    char native[24], identity[24], name[24];

    snprintf(native, sizeof(native), "vm-%d", vm_number);
    snprintf(identity, sizeof(identity), "uuid-%d", vm_number);
    snprintf(name, sizeof(name), "web%d", vm_number);
    send_vm(s, native, identity, name, PV_POWER_STATE_RUNNING);
    if (!natives[0])
        pv_snapshot_none(s->builder);
    for (size_t i = 0; natives[i]; i++) {
        pv_snapshot_begin(s->builder, natives[i], NULL);
        pv_snapshot_name(s->builder, natives[i]);
    }
    pv_builder_send(s->builder);
    drain(s);
}

#define SEND(vm_number, ...) send_snapshots(vm_number, (const char *const[]){ __VA_ARGS__, NULL })
#define SEND_NONE(vm_number) send_snapshots(vm_number, (const char *const[]){ NULL })

static struct pv_id snapshot(const char *native)
{
    struct pv_id *ids;

    cr_assert_eq(find_rows(w, PV_KIND_snapshot, F(snapshot, native_id), native, &ids), 1, "%s", native);
    return ids[0];
}

static struct model_row *snapshot_row(const char *native)
{
    struct pv_id id = snapshot(native);

    return row_of(w, PV_KIND_snapshot, &id);
}

static const char *at(int64_t ms)
{
    static char text[96];
    char time[CLOCK_TEXT_LEN];

    clock_text(clock_wall_ms() + ms, time);
    snprintf(text, sizeof(text), "{\"expires_at\":\"%s\"}", time);
    return text;
}

static int try_end(const char *native, const char *params, struct pv_id *task, struct pv_err *err)
{
    return try_submit("vm.snapshot.update", PV_KIND_snapshot, snapshot(native), params, NULL, task, err);
}

static void end(const char *native, int64_t in_ms)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_assert_eq(try_end(native, at(in_ms), &task, &err), PV_OK, "%s", err.message);
    await(task, PV_TASK_STATE_SUCCEEDED);
}

static void quick(void)
{
    w = world_with(&(struct world){ .expiry_look_ms = 20, .expiry_retry_ms = 50 });
    provider = add_provider(w, "one", "vmware");
    s = session_of(w, "one");
    listing();
    SEND(0, "snap-1", "snap-2");
}

/* Due at once for whoever waits: the time given has to be in the future. */
#define SOON 30

TestSuite(expiry, .init = quick, .fini = tear_down, .timeout = 300);

Test(expiry, a_time_is_kept_by_the_server_alone_and_survives_what_the_provider_tells)
{
    size_t before = count_calls(w, CALLED_OPERATION);

    end("snap-1", HOUR_MS);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), before, "no driver is told");
    SEND(0, "snap-1", "snap-2", "snap-3");
    cr_expect(model_number(snapshot_row("snap-1"), F(snapshot, expires_at)) > clock_wall_ms());
    cr_expect_not(model_get(snapshot_row("snap-2"), F(snapshot, expires_at))->set);
}

Test(expiry, what_is_due_is_deleted_by_one_task_of_the_servers_own)
{
    struct called call;
    struct model_row *task;
    struct pv_id id;

    end("snap-1", SOON);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    cr_expect(strstr(call.subject, "\"snap-1\""), "%s", call.subject);
    cr_expect(model_number(snapshot_row("snap-1"), F(snapshot, expiry_deleting)));
    id = model_get(snapshot_row("snap-1"), F(snapshot, expiry_task))->id;
    task = task_row(&id);
    cr_expect_eq(model_number(task, F(task, source)), PV_SOURCE_EXPIRY);
    cr_expect_eq(model_number(task, F(task, actor_type)), PV_ACTOR_TYPE_SYSTEM);
    SEND(0, "snap-2");
    answer(s, call.number, PV_OK, "", NULL);
    await(id, PV_TASK_STATE_SUCCEEDED);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

static bool failed_once(const void *arg)
{
    return model_number(snapshot_row(arg), F(snapshot, expiry_failures)) >= 1;
}

Test(expiry, what_could_not_be_deleted_is_told_and_tried_again_later_and_later)
{
    struct called call;
    int64_t first;

    end("snap-1", SOON);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    answer(s, call.number, PV_EIO, "the disk is locked", NULL);
    cr_assert(eventually(failed_once, "snap-1"));
    cr_expect_eq(count_events(w, "snapshot.expiry_failed"), 1);
    cr_expect_not(model_number(snapshot_row("snap-1"), F(snapshot, expiry_deleting)));
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    first = clock_wall_ms();
    answer(s, call.number, PV_EIO, "the disk is locked", NULL);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    cr_expect_geq(clock_wall_ms() - first, 90, "the second pause is twice the first");
}

Test(expiry, a_later_time_given_while_the_task_waits_wins)
{
    struct pv_id stop = submit("vm.stop", PV_KIND_vm, vm(0));
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");

    /* The VM is busy: nothing is begun meanwhile, not even asked for. */
    end("snap-1", SOON);
    end("snap-1", HOUR_MS);
    answer(s, call.number, PV_OK, "", NULL);
    await(stop, PV_TASK_STATE_SUCCEEDED);
    end("snap-2", SOON);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    cr_expect(strstr(call.subject, "\"snap-2\""), "%s", call.subject);
}

/* The way between acceptance and begin, which no clock can hit: a task as the server makes it, behind another. */
Test(expiry, a_task_that_has_not_begun_looks_again)
{
    struct core_actor self = { .type = PV_ACTOR_TYPE_SYSTEM, .name = "", .source = PV_SOURCE_EXPIRY };
    struct core_task_request q = { .operation = model_operation("vm.snapshot.delete"), .kind = PV_KIND_snapshot,
                                   .subject = snapshot("snap-1") };
    struct pv_id stop = submit("vm.stop", PV_KIND_vm, vm(0)), task;
    struct called call = wait_call(w, CALLED_OPERATION, "vm.stop");
    struct pv_err err = { 0 };

    cr_assert_eq(core_task_submit(w->core, &self, &q, NULL, &task, NULL, NULL, &err), PV_OK, "%s", err.message);
    end("snap-1", HOUR_MS);
    answer(s, call.number, PV_OK, "", NULL);
    await(stop, PV_TASK_STATE_SUCCEEDED);
    await(task, PV_TASK_STATE_CANCELED);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 1);
}

Test(expiry, what_is_being_deleted_cannot_be_given_more_time)
{
    struct called call;
    struct pv_err err = { 0 };
    struct pv_id task;

    end("snap-1", SOON);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    cr_assert_eq(try_end("snap-1", at(HOUR_MS), &task, &err), PV_OK, "%s", err.message);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect(strstr(model_text(task_row(&task), F(task, error)), "being deleted"));
    (void)call;
}

Test(expiry, a_time_can_be_taken_away)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    end("snap-1", HOUR_MS);
    cr_assert_eq(try_end("snap-1", "{\"expires_at\":null}", &task, &err), PV_OK, "%s", err.message);
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect_not(model_get(snapshot_row("snap-1"), F(snapshot, expires_at))->set);
    cr_expect_not(model_get(snapshot_row("snap-1"), F(snapshot, expiry_next_at))->set);
}

Test(expiry, a_time_that_is_over_is_refused)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_expect_neq(try_end("snap-1", at(-HOUR_MS), &task, &err), PV_OK);
    cr_expect_str_eq(err.pointer, "/expires_at");
}

Test(expiry, a_new_snapshot_gets_the_time_it_was_asked_for_with)
{
    struct pv_err err = { 0 };
    struct pv_id task;
    struct called call;
    char params[160];

    snprintf(params, sizeof(params), "{\"name\":\"before\",%s", at(HOUR_MS) + 1);
    cr_assert_eq(try_submit("vm.snapshot.create", PV_KIND_vm, vm(0), params, NULL, &task, &err), PV_OK, "%s",
                 err.message);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.create");
    cr_expect_not(strstr(call.args, "expires_at"), "%s", call.args);
    SEND(0, "snap-1", "snap-2", "snap-9");
    answer(s, call.number, PV_OK, "",
           "{\"changed\":true,\"object\":{\"kind\":\"snapshot\",\"native_id\":\"snap-9\",\"owner\":\"vm-0\"}}");
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(model_get(snapshot_row("snap-9"), F(snapshot, expires_at))->set);
    cr_expect_eq(model_number(snapshot_row("snap-9"), F(snapshot, expires_at)),
                 model_number(snapshot_row("snap-9"), F(snapshot, expiry_next_at)));
}

Test(expiry, a_restart_between_the_provider_and_the_note_loses_no_time)
{
    struct pv_err err = { 0 };
    struct pv_id task;
    struct called call;
    char params[160];

    snprintf(params, sizeof(params), "{\"name\":\"snap-9\",%s", at(HOUR_MS) + 1);
    cr_assert_eq(try_submit("vm.snapshot.create", PV_KIND_vm, vm(0), params, NULL, &task, &err), PV_OK);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.create");
    progress(call.number, 10, "task-77");
    world_restart(w);
    s = session_of(w, "one");
    listing();
    SEND(0, "snap-1", "snap-2", "snap-9");
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.create");
    /* The provider has forgotten its job: only what is there tells. */
    answer(s, call.number, PV_ENOENT, "no such task", NULL);
    await(task, PV_TASK_STATE_SUCCEEDED);
    cr_expect(model_get(snapshot_row("snap-9"), F(snapshot, expires_at))->set);
}

Test(expiry, after_a_restart_the_deletion_goes_on_and_is_not_begun_again)
{
    struct called call;
    struct pv_id task;

    end("snap-1", SOON);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    task = model_get(snapshot_row("snap-1"), F(snapshot, expiry_task))->id;
    progress(call.number, 10, "task-5");
    world_restart(w);
    s = session_of(w, "one");
    listing();
    SEND(0, "snap-1", "snap-2");
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    cr_expect_str_eq(call.native_ref, "task-5");
    answer(s, call.number, PV_EIO, "it broke", NULL);
    await(task, PV_TASK_STATE_FAILED);
    cr_expect_eq(model_number(snapshot_row("snap-1"), F(snapshot, expiry_failures)), 1);
    cr_expect_not(model_number(snapshot_row("snap-1"), F(snapshot, expiry_deleting)));
}

Test(expiry, while_the_provider_is_paused_nothing_is_begun)
{
    struct pv_id pause = submit("provider.pause", PV_KIND_provider, provider), resume;
    struct called call;
    int64_t until;

    await(pause, PV_TASK_STATE_SUCCEEDED);
    end("snap-1", SOON);
    for (until = clock_mono_ms() + 200; clock_mono_ms() < until;)
        usleep(5000);
    cr_expect_eq(count_calls(w, CALLED_OPERATION), 0);
    cr_expect_not(model_get(snapshot_row("snap-1"), F(snapshot, expiry_failures))->set);
    resume = submit("provider.resume", PV_KIND_provider, provider);
    await(resume, PV_TASK_STATE_SUCCEEDED);
    call = wait_call(w, CALLED_OPERATION, "vm.snapshot.delete");
    (void)call;
}
