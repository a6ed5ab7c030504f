/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sim_host.h"

#include <jansson.h>

static const char fast[] = "{\"vms\":40,\"speed\":0}";
static const char fast_hyperv[] = "{\"family\":\"hyperv\",\"vms\":40,\"speed\":0}";

/* A VM in this state with or without tools; the test fails if the estate has none. */
static uint32_t find_vm(struct sim_estate *e, enum pv_power_state power, bool tools)
{
    struct sim_vm vm;

    for (uint32_t i = 0; i < e->set.vms; i++) {
        sim_vm_traits(e, i, 0, &vm);
        if (e->vms[i].power == power && vm.tools_installed == tools && !vm.is_template)
            return i;
    }
    cr_assert_fail("no such VM in this estate");
    return 0;
}

static void look_at(struct fake_host *h, struct sim_estate *e, uint32_t index)
{
    sim_native_id(e, PV_KIND_vm, index, h->vm);
}

static int call_with(void *s, const char *op, const char *kind, const char *id, const char *args,
                     const char *ref, uint32_t flags, json_t **answer, struct pv_failure *fail)
{
    char subject[256], *result = NULL;
    int rc;

    *fail = (struct pv_failure){ .size = sizeof(*fail) };
    snprintf(subject, sizeof(subject), "{\"kind\":\"%s\",\"native_id\":\"%s\",\"name\":\"x\"}",
             kind, id);
    rc = pv_driver_entry(PV_ABI_MAJOR)->call(s, 5, op, subject, args, ref, flags, &result, fail);
    if (answer)
        *answer = result ? json_loads(result, 0, NULL) : NULL;
    pv_driver_entry(PV_ABI_MAJOR)->free_text(result);
    return rc;
}

static int call(struct fake_host *h, void *s, const char *op)
{
    struct pv_failure fail;

    return call_with(s, op, "vm", h->vm, "{}", NULL, 0, NULL, &fail);
}

static int64_t power_now(struct fake_host *h, void *s)
{
    struct pv_failure fail = { .size = sizeof(fail) };

    cr_assert_eq(pv_driver_entry(PV_ABI_MAJOR)->refresh(s, 6, PV_KIND_vm, h->vm, &fail), PV_OK);
    cr_assert_eq(h->activity, PV_ACTIVITY_NONE);
    return h->power;
}

static bool changed(json_t *answer)
{
    bool yes;

    cr_assert(json_is_boolean(json_object_get(answer, "changed")));
    yes = json_is_true(json_object_get(answer, "changed"));
    json_decref(answer);
    return yes;
}

/* Every power operation from every power state does what the model says. */
Test(sim_call, power_operations_follow_the_model)
{
    static const enum pv_power_state states[] = { PV_POWER_STATE_OFF, PV_POWER_STATE_RUNNING,
                                                  PV_POWER_STATE_PAUSED, PV_POWER_STATE_SUSPENDED };
    static const uint32_t bits[] = { FROM_OFF, FROM_RUNNING, FROM_PAUSED, FROM_SUSPENDED };
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast_hyperv);
    uint32_t vm = find_vm(e, PV_POWER_STATE_RUNNING, true);
    unsigned tried = 0;

    look_at(&h, e, vm);
    for (const struct model_operation *op = model_operations; op->name; op++) {
        if (op->kind != PV_KIND_vm || !op->from || op->target == PV_POWER_STATE_UNKNOWN)
            continue;
        for (size_t i = 0; i < 4; i++) {
            struct pv_failure fail;
            json_t *answer;
            int rc;

            tried++;
            e->vms[vm].power = (uint8_t)states[i];
            rc = call_with(e, op->name, "vm", h.vm, "{\"force\":true}", NULL, 0, &answer, &fail);
            if (op->no_op & bits[i]) {
                cr_assert_eq(rc, PV_OK);
                cr_assert_not(changed(answer), "%s", op->name);
                cr_assert_eq(power_now(&h, e), states[i]);
            } else if (op->from & bits[i]) {
                cr_assert_eq(rc, PV_OK, "%s: %s", op->name, fail.message);
                cr_assert(changed(answer), "%s", op->name);
                cr_assert_eq(power_now(&h, e), op->target, "%s", op->name);
            } else {
                cr_assert_eq(rc, PV_ESTATE, "%s", op->name);
                cr_assert_str_eq(fail.problem, "vm-invalid-state");
                cr_assert_str_neq(fail.native_code, "");
                cr_assert_eq(power_now(&h, e), states[i]);
            }
        }
    }
    cr_assert_eq(tried, 8u * 4);
    sim_estate_free(e);
}

Test(sim_call, vsphere_cannot_pause)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    cr_assert_eq(call_with(e, "vm.pause", "vm", h.vm, "{}", NULL, 0, NULL, &fail), PV_ENOTSUP);
    cr_assert_not_null(strstr(fail.message, "suspend"));
    sim_estate_free(e);
}

Test(sim_call, a_saved_state_is_dropped_by_force_only)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);
    uint32_t vm = find_vm(e, PV_POWER_STATE_RUNNING, true);

    look_at(&h, e, vm);
    e->vms[vm].power = PV_POWER_STATE_SUSPENDED;
    cr_assert_eq(call(&h, e, "vm.stop"), PV_ESTATE);
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_SUSPENDED);
    cr_assert_eq(call_with(e, "vm.stop", "vm", h.vm, "{\"force\":true}", NULL, 0, NULL, &fail),
                 PV_OK);
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_OFF);
    sim_estate_free(e);
}

Test(sim_call, a_guest_without_tools_cannot_be_asked)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":400,\"speed\":0}");

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, false));
    cr_assert_eq(call_with(e, "vm.shutdown", "vm", h.vm, "{}", NULL, 0, NULL, &fail), PV_ESTATE);
    cr_assert_str_eq(fail.native_code, "ToolsUnavailable");
    cr_assert_str_eq(fail.needs, "VMware Tools");
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_RUNNING);
    sim_estate_free(e);
}

Test(sim_call, a_dry_run_changes_nothing)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);
    json_t *answer, *plan;

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    cr_assert_eq(call_with(e, "vm.stop", "vm", h.vm, "{}", NULL, PV_CALL_DRY_RUN, &answer, &fail),
                 PV_OK);
    plan = json_object_get(answer, "plan");
    cr_assert_eq(json_array_size(plan), 1u);
    cr_assert_str_eq(json_string_value(json_object_get(json_array_get(plan, 0), "operation")),
                     "PowerOffVM_Task");
    cr_assert(changed(answer));
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_RUNNING);
    cr_assert_eq(h.progressed, 0u);
    sim_estate_free(e);
}

Test(sim_call, a_cancelled_operation_has_no_effect)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":40}");

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    h.cancel_at_ms = clock_mono_ms() + 150;
    cr_assert_eq(call(&h, e, "vm.shutdown"), PV_ECANCELED);
    cr_assert_str_neq(h.native_ref, "", "the job is known as soon as it runs");
    h.cancel_at_ms = 0;
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_RUNNING);
    sim_estate_free(e);
}

Test(sim_call, a_guest_that_takes_too_long_is_left_or_cut_off)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":40}");

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    cr_assert_eq(call_with(e, "vm.shutdown", "vm", h.vm, "{\"timeout_s\":1}", NULL, 0, NULL, &fail),
                 PV_ETIMEOUT);
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_RUNNING);
    cr_assert_eq(call_with(e, "vm.shutdown", "vm", h.vm,
                           "{\"timeout_s\":1,\"on_timeout\":\"stop\"}", NULL, 0, NULL, &fail),
                 PV_OK);
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_OFF);
    sim_estate_free(e);
}

Test(sim_call, failures_carry_the_codes_of_the_family)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":40,\"speed\":0,\"failure_rate\":1}");
    uint32_t vm = find_vm(e, PV_POWER_STATE_RUNNING, true);

    look_at(&h, e, vm);
    e->vms[vm].power = PV_POWER_STATE_OFF;
    cr_assert_eq(call_with(e, "vm.start", "vm", h.vm, "{}", NULL, 0, NULL, &fail), PV_ENOSPC);
    cr_assert_eq(fail.code, PV_ENOSPC);
    cr_assert_str_eq(fail.problem, "insufficient-resources");
    cr_assert_str_eq(fail.native_code, "InsufficientResourcesFault");
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_OFF);
    sim_estate_free(e);

    e = fake_open(&h, "{\"family\":\"hyperv\",\"vms\":40,\"speed\":0,\"failure_rate\":1}");
    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    cr_assert_eq(call_with(e, "vm.stop", "vm", h.vm, "{}", NULL, 0, NULL, &fail), PV_EIO);
    cr_assert_str_eq(fail.native_code, "0x80041014");
    sim_estate_free(e);
}

Test(sim_call, a_share_of_the_operations_fails)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":40,\"speed\":0,\"failure_rate\":0.25}");
    unsigned failed = 0;

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    for (unsigned i = 0; i < 400; i++)
        failed += call(&h, e, "vm.reset") != PV_OK;
    cr_assert_gt(failed, 60u);
    cr_assert_lt(failed, 140u);
    sim_estate_free(e);
}

Test(sim_call, jobs_of_an_earlier_session_are_judged_by_the_vm)
{
    struct pv_failure fail;
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    cr_assert_eq(call_with(e, "vm.start", "vm", h.vm, "{}", "task-1", 0, NULL, &fail), PV_OK);
    cr_assert_eq(call_with(e, "vm.stop", "vm", h.vm, "{}", "task-1", 0, NULL, &fail), PV_EUNKNOWN);
    cr_assert_eq(call_with(e, "vm.reset", "vm", h.vm, "{}", "task-1", 0, NULL, &fail), PV_EUNKNOWN);
    cr_assert_eq(power_now(&h, e), PV_POWER_STATE_RUNNING);
    sim_estate_free(e);
}

Test(sim_call, snapshots_are_made_reverted_to_and_deleted)
{
    static const char *const both[] = { fast, fast_hyperv };

    for (size_t f = 0; f < 2; f++) {
        struct pv_failure fail;
        struct fake_host h;
        struct sim_estate *e = fake_open(&h, both[f]);
        char first[128];
        int64_t before;
        json_t *answer;

        look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
        power_now(&h, e);
        before = h.snapshots;
        cr_assert_eq(call_with(e, "vm.snapshot.create", "vm", h.vm,
                               "{\"name\":\"one\",\"description\":\"d\",\"memory\":true}", NULL, 0,
                               &answer, &fail),
                     PV_OK, "%s", fail.message);
        cr_assert_eq(json_array_size(json_object_get(answer, "objects")), 1u);
        snprintf(first, sizeof(first), "%s",
                 json_string_value(json_object_get(json_object_get(answer, "object"), "native_id")));
        cr_assert(changed(answer));
        cr_assert_eq(call_with(e, "vm.snapshot.create", "vm", h.vm, "{\"name\":\"two\"}", NULL, 0,
                               NULL, &fail),
                     PV_OK);
        power_now(&h, e);
        cr_assert_eq(h.snapshots, before + 2);

        cr_assert_eq(call(&h, e, "vm.stop"), PV_OK);
        cr_assert_eq(
            call_with(e, "vm.snapshot.revert", "snapshot", first, "{}", NULL, 0, NULL, &fail),
            PV_OK, "%s", fail.message);
        cr_assert_eq(power_now(&h, e), PV_POWER_STATE_RUNNING, "it was made with memory");

        cr_assert_eq(call_with(e, "vm.snapshot.delete", "snapshot", first, "{\"children\":true}",
                               NULL, 0, NULL, &fail),
                     PV_OK);
        power_now(&h, e);
        cr_assert_eq(h.snapshots, before);
        cr_assert_eq(
            call_with(e, "vm.snapshot.delete", "snapshot", first, "{}", NULL, 0, NULL, &fail),
            PV_ENOENT);
        cr_assert_eq(pv_driver_entry(1)->refresh(e, 1, PV_KIND_snapshot, first, &fail), PV_ENOENT);
        sim_estate_free(e);
    }
}

Test(sim_call, all_snapshots_of_a_vm_go_by_one_call)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);
    struct pv_failure fail = { .size = sizeof(fail) };
    json_t *answer = NULL;

    look_at(&h, e, find_vm(e, PV_POWER_STATE_RUNNING, true));
    cr_assert_eq(call_with(e, "vm.snapshot.create", "vm", h.vm, "{\"name\":\"a\"}", NULL, 0, NULL, &fail), PV_OK);
    cr_assert_eq(call_with(e, "vm.snapshot.create", "vm", h.vm, "{\"name\":\"b\"}", NULL, 0, NULL, &fail), PV_OK);
    power_now(&h, e);
    cr_assert_geq(h.snapshots, 2);
    cr_assert_eq(call_with(e, "vm.delete_snapshots", "vm", h.vm, "{}", NULL, 0, &answer, &fail), PV_OK, "%s",
                 fail.message);
    cr_expect(changed(answer));
    power_now(&h, e);
    cr_expect_eq(h.snapshots, 0);
    sim_estate_free(e);
}

Test(sim_call, deleting_one_snapshot_joins_its_neighbours)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);
    uint32_t vm = find_vm(e, PV_POWER_STATE_RUNNING, true);
    struct sim_snaps room;
    const struct sim_snaps *l;
    uint16_t a, b, c;

    cr_assert_eq(sim_snaps_create(e, vm, "a", "", false, false, &a, NULL), PV_OK);
    cr_assert_eq(sim_snaps_create(e, vm, "b", "", false, false, &b, NULL), PV_OK);
    cr_assert_eq(sim_snaps_create(e, vm, "c", "", false, false, &c, NULL), PV_OK);
    cr_assert_eq(sim_snaps_delete(e, vm, b, false, NULL), PV_OK);
    l = sim_snaps_get(e, vm, &room);
    cr_assert_null(sim_snaps_find(l, b));
    cr_assert_eq(sim_snaps_find(l, c)->parent, a);
    cr_assert_eq(l->current, c);
    cr_assert_eq(sim_snaps_delete(e, vm, c, false, NULL), PV_OK);
    cr_assert_eq(l->current, a);
    sim_estate_free(e);
}

Test(sim_call, there_is_a_most_of_snapshots)
{
    struct pv_err err = { 0 };
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, fast);
    uint16_t serial;
    unsigned made = 0;

    while (sim_snaps_create(e, 0, "x", "", false, false, &serial, &err) == PV_OK)
        cr_assert_leq(++made, SIM_SNAPS_MAX);
    cr_assert_eq(err.rc, PV_EQUOTA);
    sim_estate_free(e);
}

Test(sim_call, what_is_not_there_is_not_found)
{
    struct pv_failure fail;
    struct fake_host h;
    void *s = fake_open(&h, fast);

    cr_assert_eq(call_with(s, "vm.start", "vm", "vm-1", "{}", NULL, 0, NULL, &fail), PV_ENOENT);
    cr_assert_str_eq(fail.native_code, "ManagedObjectNotFound");
    cr_assert_eq(
        call_with(s, "vm.snapshot.revert", "snapshot", "snapshot-9", "{}", NULL, 0, NULL, &fail),
        PV_ENOENT);
    cr_assert_eq(call_with(s, "vm.explode", "vm", "vm-1001", "{}", NULL, 0, NULL, &fail),
                 PV_ENOTSUP);
    pv_driver_entry(PV_ABI_MAJOR)->close(s);
}
