/* SPDX-License-Identifier: Apache-2.0 */
/* From batches to rows: identity, absence, references, and nothing written without need. */
#include "tests/unit/core_fake.h"

static struct world *w;
static struct driver_session *s;
static struct pv_id provider;

static void set_up(void)
{
    w = world_new(0, 0);
    provider = add_provider(w, "one", "vmware");
    s = session_of(w, "one");
}

static void tear_down(void)
{
    world_free(w);
}

TestSuite(inventory, .init = set_up, .fini = tear_down, .timeout = 300);

static uint64_t version_of(const char *native)
{
    struct model_row *row = vm_by_native(w, native);

    cr_assert(row, "%s is not there", native);
    return (uint64_t)model_number(row, F(vm, version));
}

/* Two VMs that were there from the first import on. */
static void two_vms(void)
{
    listing_begin(s);
    send_vm(s, "vm-1", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
}

static uint64_t written(void)
{
    struct core_stats st;

    core_get_stats(w->core, &st);
    return st.rows_written;
}

Test(inventory, a_first_import_is_one_event_not_one_for_each_object)
{
    two_vms();
    cr_expect(vm_by_native(w, "vm-1"));
    cr_expect(vm_by_native(w, "vm-2"));
    cr_expect_eq(count_events(w, "vm.created"), 0);
    cr_expect_eq(count_events(w, "provider.synced"), 1);
}

Test(inventory, a_vm_that_comes_later_is_an_event_of_its_own)
{
    two_vms();
    send_vm(s, "vm-3", "uuid-3", "new", PV_POWER_STATE_OFF);
    changes(s);
    cr_expect_eq(count_events(w, "vm.created"), 1);
}

Test(inventory, a_rename_keeps_the_id_and_tells_what_changed)
{
    struct pv_id before;

    two_vms();
    before = vm_by_native(w, "vm-1")->id;
    send_vm(s, "vm-1", "uuid-1", "web renamed", PV_POWER_STATE_RUNNING);
    changes(s);
    cr_expect(id_eq(&vm_by_native(w, "vm-1")->id, &before));
    cr_expect_str_eq(model_text(vm_by_native(w, "vm-1"), F(vm, name)), "web renamed");
    cr_expect_eq(version_of("vm-1"), 2);
    cr_expect(strstr(last_event(w, "vm.updated"), "\"field\":\"name\",\"from\":\"web\",\"to\":\"web renamed\""), "%s",
              last_event(w, "vm.updated"));
}

Test(inventory, an_unchanged_listing_writes_nothing)
{
    uint64_t seq, before;

    two_vms();
    before = written();
    seq = core_event_seq(w->core);
    two_vms();
    cr_expect_eq(written(), before);
    cr_expect_eq(core_event_seq(w->core), seq);
    cr_expect_eq(version_of("vm-1"), 1);
}

Test(inventory, an_unchanged_listing_after_a_restart_writes_nothing)
{
    uint64_t seq;

    two_vms();
    seq = core_event_seq(w->core);
    world_restart(w);
    s = session_of(w, "one");
    two_vms();
    cr_expect_eq(written(), 0);
    cr_expect_eq(version_of("vm-1"), 1);
    cr_expect_eq(count_events(w, "vm.updated"), 0);
    cr_expect_geq(core_event_seq(w->core), seq);
}

Test(inventory, a_partial_record_leaves_the_rest_as_stored)
{
    two_vms();
    pv_vm_begin(s->builder, "vm-1", "uuid-1");
    pv_vm_power_state(s->builder, PV_POWER_STATE_OFF);
    changes(s);
    cr_expect_str_eq(model_text(vm_by_native(w, "vm-1"), F(vm, name)), "web");
    cr_expect_eq(model_number(vm_by_native(w, "vm-1"), F(vm, power_state)), PV_POWER_STATE_OFF);
}

Test(inventory, a_known_empty_field_is_emptied)
{
    two_vms();
    pv_vm_begin(s->builder, "vm-1", "uuid-1");
    pv_vm_guest_hostname(s->builder, "web.example");
    changes(s);
    pv_vm_begin(s->builder, "vm-1", "uuid-1");
    PV_CLEAR(s->builder, vm, guest_hostname);
    changes(s);
    cr_expect_not(model_get(vm_by_native(w, "vm-1"), F(vm, guest_hostname))->set);
}

Test(inventory, who_is_absent_from_a_complete_listing_is_missing_and_not_off)
{
    struct model_row *row;

    two_vms();
    listing_begin(s);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
    row = vm_by_native(w, "vm-1");
    cr_expect_eq(model_number(row, F(vm, presence)), PV_PRESENCE_MISSING);
    cr_expect_eq(model_number(row, F(vm, power_state)), PV_POWER_STATE_UNKNOWN);
    cr_expect(model_get(row, F(vm, missing_since))->set);
    cr_expect_eq(model_number(vm_by_native(w, "vm-2"), F(vm, presence)), PV_PRESENCE_PRESENT);
    cr_expect_eq(count_events(w, "vm.missing"), 0, "a short absence is no news");
}

Test(inventory, who_is_absent_from_a_partial_listing_is_unconfirmed_and_present)
{
    struct model_row *row;

    two_vms();
    listing_begin(s);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    mark(s, PV_MARK_FULL_PARTIAL);
    row = vm_by_native(w, "vm-1");
    cr_expect_eq(model_number(row, F(vm, presence)), PV_PRESENCE_PRESENT);
    cr_expect_eq(model_number(row, F(vm, power_state)), PV_POWER_STATE_RUNNING);
    cr_expect_str_eq(model_text(row, F(vm, stale_reason)), "no_permission");
    two_vms();
    cr_expect_not(model_get(vm_by_native(w, "vm-1"), F(vm, stale_reason))->set);
}

Test(inventory, a_provider_that_cannot_be_reached_makes_nothing_missing)
{
    struct called watch;

    two_vms();
    watch = wait_call(w, CALLED_WATCH, "");
    answer(s, watch.number, PV_EOFFLINE, "no route", NULL);
    drain(s);
    cr_expect_eq(model_number(vm_by_native(w, "vm-1"), F(vm, presence)), PV_PRESENCE_PRESENT);
    cr_expect_eq(model_number(row_of(w, PV_KIND_provider, &provider), F(provider, state)),
                 PV_PROVIDER_STATE_DISCONNECTED);
    cr_expect(model_number(vm_by_native(w, "vm-1"), F(vm, stale)));
}

Test(inventory, who_comes_back_is_present_with_the_same_id)
{
    struct pv_id id;

    two_vms();
    id = vm_by_native(w, "vm-1")->id;
    listing_begin(s);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
    two_vms();
    cr_expect(id_eq(&vm_by_native(w, "vm-1")->id, &id));
    cr_expect_eq(model_number(vm_by_native(w, "vm-1"), F(vm, presence)), PV_PRESENCE_PRESENT);
    cr_expect_eq(model_number(vm_by_native(w, "vm-1"), F(vm, power_state)), PV_POWER_STATE_RUNNING);
}

Test(inventory, who_the_provider_has_deleted_is_gone_at_once)
{
    two_vms();
    pv_builder_gone(s->builder, PV_KIND_vm, "vm-1");
    changes(s);
    cr_expect_eq(model_number(vm_by_native(w, "vm-1"), F(vm, presence)), PV_PRESENCE_GONE);
    cr_expect_eq(count_events(w, "vm.gone"), 1);
}

Test(inventory, a_vm_registered_anew_keeps_its_id_when_it_was_gone_before)
{
    struct pv_id id;

    two_vms();
    id = vm_by_native(w, "vm-1")->id;
    pv_builder_gone(s->builder, PV_KIND_vm, "vm-1");
    changes(s);
    send_vm(s, "vm-9", "uuid-1", "web", PV_POWER_STATE_OFF);
    changes(s);
    cr_assert(vm_by_native(w, "vm-9"));
    cr_expect(id_eq(&vm_by_native(w, "vm-9")->id, &id));
    cr_expect_eq(count_events(w, "vm.rebound"), 1);
    cr_expect_not(vm_by_native(w, "vm-1"));
}

Test(inventory, a_vm_with_a_new_native_id_in_a_listing_keeps_its_id_and_its_tags)
{
    json_t *patch = json_pack("{s:[s]}", "tags", "env=prod");
    struct pv_err err = { 0 };
    bool changed;
    struct pv_id id;

    two_vms();
    id = vm_by_native(w, "vm-1")->id;
    cr_assert_eq(core_object_patch(w->core, &someone, PV_KIND_vm, &id, patch, NULL, &changed, &err), PV_OK,
                 "%s", err.message);
    json_decref(patch);
    listing_begin(s);
    send_vm(s, "vm-9", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    pv_disk_begin(s->builder, "2000", NULL);
    pv_disk_label(s->builder, "Hard disk 1");
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
    cr_assert(vm_by_native(w, "vm-9"));
    cr_expect(id_eq(&vm_by_native(w, "vm-9")->id, &id));
    cr_expect_str_eq(model_text(vm_by_native(w, "vm-9"), F(vm, tags)), "\nenv=prod\n");
    cr_expect_eq(model_number(vm_by_native(w, "vm-9"), F(vm, power_state)), PV_POWER_STATE_RUNNING);
    cr_expect_not(vm_by_native(w, "vm-1"));
    cr_expect_eq(count_events(w, "vm.rebound"), 1);
    /* Its disks came with it, and are found again. */
    {
        struct model_value owner = { .set = true, .id = id };
        struct pv_id *disks;
        size_t n;

        cr_assert_eq(store_find(w->store, PV_KIND_disk, F(disk, owner), &owner, 10, w->arena, &disks, &n,
                                &err), PV_OK);
        cr_expect_eq(n, 1);
    }
}

Test(inventory, the_same_key_twice_in_one_listing_is_two_vms_with_a_warning)
{
    struct model_row *one, *other;

    two_vms();
    listing_begin(s);
    send_vm(s, "vm-1", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    send_vm(s, "vm-3", "uuid-1", "web copy", PV_POWER_STATE_OFF);
    listing_end(s);
    one = vm_by_native(w, "vm-1");
    other = vm_by_native(w, "vm-3");
    cr_assert(one && other);
    cr_expect_not(id_eq(&one->id, &other->id));
    cr_expect(strstr(model_text(one, F(vm, related)), "same_uuid"));
    cr_expect(strstr(model_text(other, F(vm, related)), "same_uuid"));
    cr_expect(strstr(last_event(w, "vm.duplicate"), "\"warning\""), "%s", last_event(w, "vm.duplicate"));
    /* They stay two, whatever becomes of one. */
    pv_builder_gone(s->builder, PV_KIND_vm, "vm-1");
    changes(s);
    cr_expect(vm_by_native(w, "vm-1"));
    cr_expect(vm_by_native(w, "vm-3"));
    cr_expect_eq(count_events(w, "vm.rebound"), 0);
}

static bool has_moved(const void *arg)
{
    (void)arg;
    return count_events(w, "vm.moved") == 1;
}

Test(inventory, a_vm_that_turns_up_in_another_vcenter_after_it_was_gone_has_moved)
{
    struct pv_id two, id;
    struct driver_session *t;

    two_vms();
    id = vm_by_native(w, "vm-1")->id;
    two = add_provider(w, "two", "vmware");
    t = session_of(w, "two");
    listing_begin(t);
    listing_end(t);
    pv_builder_gone(s->builder, PV_KIND_vm, "vm-1");
    changes(s);
    send_vm(t, "vm-77", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    changes(t);
    cr_assert(vm_by_native(w, "vm-77"));
    cr_expect(id_eq(&vm_by_native(w, "vm-77")->id, &id));
    cr_expect(id_eq(&model_get(vm_by_native(w, "vm-77"), F(vm, provider))->id, &two));
    cr_expect(has_moved(NULL));
}

Test(inventory, a_vm_seen_in_another_vcenter_first_has_moved_once_the_old_one_confirms)
{
    struct pv_id id;
    struct driver_session *t;

    two_vms();
    id = vm_by_native(w, "vm-1")->id;
    add_provider(w, "two", "vmware");
    t = session_of(w, "two");
    listing_begin(t);
    send_vm(t, "vm-77", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    listing_end(t);
    cr_expect_not(id_eq(&vm_by_native(w, "vm-77")->id, &id), "the old one may still have it");
    listing_begin(s);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
    cr_assert(eventually(has_moved, NULL));
    cr_assert(vm_by_native(w, "vm-77"));
    cr_expect(id_eq(&vm_by_native(w, "vm-77")->id, &id));
    cr_expect_not(vm_by_native(w, "vm-1"));
}

Test(inventory, a_key_reported_by_two_vcenters_at_once_is_never_merged)
{
    struct driver_session *t;

    two_vms();
    add_provider(w, "two", "vmware");
    t = session_of(w, "two");
    listing_begin(t);
    send_vm(t, "vm-77", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    listing_end(t);
    two_vms();              /* the first one still has it, after the sighting */
    listing_begin(s);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
    cr_expect(vm_by_native(w, "vm-1"));
    cr_expect(vm_by_native(w, "vm-77"));
    cr_expect(strstr(model_text(vm_by_native(w, "vm-77"), F(vm, related)), "same_uuid"));
    cr_expect_eq(count_events(w, "vm.moved"), 0);
}

Test(inventory, a_key_in_another_family_means_nothing)
{
    struct driver_session *t;

    two_vms();
    pv_builder_gone(s->builder, PV_KIND_vm, "vm-1");
    changes(s);
    add_provider(w, "two", "hyperv");
    t = session_of(w, "two");
    listing_begin(t);
    send_vm(t, "guid-1", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    listing_end(t);
    cr_expect(vm_by_native(w, "vm-1"));
    cr_expect(vm_by_native(w, "guid-1"));
    cr_expect_not(model_get(vm_by_native(w, "guid-1"), F(vm, related))->set);
}

Test(inventory, equal_names_and_addresses_are_no_identity)
{
    two_vms();
    pv_builder_gone(s->builder, PV_KIND_vm, "vm-1");
    changes(s);
    send_vm(s, "vm-5", NULL, "web", PV_POWER_STATE_RUNNING);
    changes(s);
    cr_expect(vm_by_native(w, "vm-1"));
    cr_expect(vm_by_native(w, "vm-5"));
}

Test(inventory, a_reference_to_what_comes_later_is_filled_in_at_the_mark)
{
    struct pv_id *hosts;

    two_vms();
    pv_vm_begin(s->builder, "vm-1", "uuid-1");
    pv_vm_host(s->builder, "host-9");
    pv_builder_send(s->builder);
    drain(s);
    cr_expect_not(model_get(vm_by_native(w, "vm-1"), F(vm, host))->set);
    pv_host_begin(s->builder, "host-9", NULL);
    pv_host_name(s->builder, "esx9");
    changes(s);
    cr_assert_eq(find_rows(w, PV_KIND_host, F(host, native_id), "host-9", &hosts), 1);
    cr_expect(id_eq(&model_get(vm_by_native(w, "vm-1"), F(vm, host))->id, &hosts[0]));
}

Test(inventory, a_reference_to_what_stands_before_it_in_the_same_batch_is_filled_in_at_the_mark)
{
    struct pv_id *base, *child;

    listing_begin(s);
    pv_disk_image_begin(s->builder, "base.vhdx", NULL);
    pv_disk_image_name(s->builder, "base.vhdx");
    pv_disk_image_begin(s->builder, "child.avhdx", NULL);
    pv_disk_image_name(s->builder, "child.avhdx");
    pv_disk_image_base(s->builder, "base.vhdx");
    listing_end(s);
    cr_assert_eq(find_rows(w, PV_KIND_disk_image, F(disk_image, native_id), "base.vhdx", &base), 1);
    cr_assert_eq(find_rows(w, PV_KIND_disk_image, F(disk_image, native_id), "child.avhdx", &child), 1);
    cr_expect(id_eq(&model_get(row_of(w, PV_KIND_disk_image, &child[0]), F(disk_image, base))->id, &base[0]));
}

Test(inventory, a_later_reference_is_not_undone_by_an_earlier_open_one)
{
    struct pv_id *hosts;

    two_vms();
    pv_vm_begin(s->builder, "vm-1", "uuid-1");
    pv_vm_host(s->builder, "host-9");
    pv_builder_send(s->builder);
    pv_host_begin(s->builder, "host-8", NULL);
    pv_builder_send(s->builder);
    pv_vm_begin(s->builder, "vm-1", "uuid-1");
    pv_vm_host(s->builder, "host-8");
    pv_builder_send(s->builder);
    pv_host_begin(s->builder, "host-9", NULL);
    changes(s);
    cr_assert_eq(find_rows(w, PV_KIND_host, F(host, native_id), "host-8", &hosts), 1);
    cr_expect(id_eq(&model_get(vm_by_native(w, "vm-1"), F(vm, host))->id, &hosts[0]));
}

static size_t disks_of(const char *native, struct pv_id **ids)
{
    struct model_value owner = { .set = true, .id = vm_by_native(w, native)->id };
    struct pv_err err = { 0 };
    size_t n;

    cr_assert_eq(store_find(w->store, PV_KIND_disk, F(disk, owner), &owner, 10, w->arena, ids, &n, &err),
                 PV_OK);
    return n;
}

static void send_disks(unsigned n, uint64_t size)
{
    send_vm(s, "vm-1", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    for (unsigned i = 0; i < n; i++) {
        char key[16];

        snprintf(key, sizeof(key), "%u", 2000 + i);
        pv_disk_begin(s->builder, key, NULL);
        pv_disk_label(s->builder, key);
        pv_disk_capacity_bytes(s->builder, size);
    }
    if (n == 0)
        pv_disk_none(s->builder);
    changes(s);
}

Test(inventory, an_owners_children_are_all_it_has_and_keep_their_ids)
{
    struct pv_id *first, *then;

    two_vms();
    send_disks(3, 1u << 30);
    cr_assert_eq(disks_of("vm-1", &first), 3);
    send_disks(2, 2u << 30);
    cr_assert_eq(disks_of("vm-1", &then), 2);
    cr_expect(id_eq(&first[0], &then[0]));
    cr_expect_eq(model_number(row_of(w, PV_KIND_disk, &then[0]), F(disk, capacity_bytes)), 2u << 30);
    send_disks(0, 0);
    cr_expect_eq(disks_of("vm-1", &then), 0);
}

Test(inventory, a_changed_disk_changes_the_version_of_its_vm)
{
    uint64_t before;

    two_vms();
    send_disks(1, 1u << 30);
    before = version_of("vm-1");
    send_disks(1, 2u << 30);
    cr_expect_eq(version_of("vm-1"), before + 1);
    cr_expect(strstr(last_event(w, "vm.updated"), "disks.capacity_bytes"), "%s", last_event(w, "vm.updated"));
    send_disks(1, 2u << 30);
    cr_expect_eq(version_of("vm-1"), before + 1);
}

Test(inventory, snapshots_refer_to_their_parents_and_are_events_of_their_own)
{
    struct pv_id *a, *b;

    two_vms();
    send_vm(s, "vm-1", "uuid-1", "web", PV_POWER_STATE_RUNNING);
    pv_snapshot_begin(s->builder, "snap-2", NULL);
    pv_snapshot_name(s->builder, "after");
    pv_snapshot_parent(s->builder, "snap-1");
    pv_snapshot_begin(s->builder, "snap-1", NULL);
    pv_snapshot_name(s->builder, "before");
    changes(s);
    cr_assert_eq(find_rows(w, PV_KIND_snapshot, F(snapshot, native_id), "snap-1", &a), 1);
    cr_assert_eq(find_rows(w, PV_KIND_snapshot, F(snapshot, native_id), "snap-2", &b), 1);
    cr_expect(id_eq(&model_get(row_of(w, PV_KIND_snapshot, &b[0]), F(snapshot, parent))->id, &a[0]));
    cr_expect_eq(count_events(w, "snapshot.created"), 2);
}

Test(inventory, a_sync_never_touches_what_is_ours)
{
    json_t *patch = json_pack("{s:s, s:{s:s}}", "notes", "call Mueller first", "attributes", "cost", "4711");
    struct pv_err err = { 0 };
    bool changed = false;

    two_vms();
    cr_assert_eq(core_object_patch(w->core, &someone, PV_KIND_vm, &vm_by_native(w, "vm-1")->id, patch, NULL,
                                   &changed, &err), PV_OK, "%s", err.message);
    cr_expect(changed);
    send_vm(s, "vm-1", "uuid-1", "web2", PV_POWER_STATE_OFF);
    changes(s);
    cr_expect_str_eq(model_text(vm_by_native(w, "vm-1"), F(vm, notes)), "call Mueller first");
    cr_expect(strstr(model_text(vm_by_native(w, "vm-1"), F(vm, attributes)), "4711"));
    cr_assert_eq(core_object_patch(w->core, &someone, PV_KIND_vm, &vm_by_native(w, "vm-1")->id, patch, NULL,
                                   &changed, &err), PV_OK);
    cr_expect_not(changed);
    json_decref(patch);
}

Test(inventory, numbers_of_unknown_objects_are_not_kept)
{
    uint64_t values[64];
    bool have[64];
    int64_t at;
    struct pv_id nobody = { { 1 } };

    two_vms();
    pv_usage_begin(s->builder, "vm-1", NULL);
    pv_usage_subject_kind(s->builder, PV_KIND_vm);
    pv_usage_time(s->builder, 1000);
    pv_usage_cpu_usage_mhz(s->builder, 1234);
    pv_usage_begin(s->builder, "vm-404", NULL);
    pv_usage_subject_kind(s->builder, PV_KIND_vm);
    changes(s);
    cr_assert(core_usage(w->core, PV_KIND_vm, &vm_by_native(w, "vm-1")->id, &at, values, have));
    cr_expect_eq(at, 1000);
    cr_expect(have[1] && values[1] == 1234);
    cr_expect_not(have[0]);
    cr_expect_not(core_usage(w->core, PV_KIND_vm, &nobody, &at, values, have));
}

Test(inventory, events_of_the_provider_are_kept_once_with_their_own_type)
{
    struct pv_id *ids;

    two_vms();
    for (int i = 0; i < 2; i++) {
        pv_event_begin(s->builder, "4711", NULL);
        pv_event_type(s->builder, "vm.event");
        pv_event_native_type(s->builder, "VmPoweredOffEvent");
        pv_event_subject_kind(s->builder, PV_KIND_vm);
        pv_event_subject_native_id(s->builder, "vm-1");
        changes(s);
    }
    cr_assert_eq(find_rows(w, PV_KIND_event, F(event, native_id), "4711", &ids), 1);
    cr_expect_str_eq(model_text(row_of(w, PV_KIND_event, &ids[0]), F(event, native_type)), "VmPoweredOffEvent");
}

Test(inventory, an_event_of_the_provider_names_what_it_happened_to)
{
    struct pv_id *ids;
    const struct model_row *row;
    const char *ref;

    two_vms();
    pv_event_begin(s->builder, "4713", NULL);
    pv_event_type(s->builder, "vm.event");
    pv_event_subject_kind(s->builder, PV_KIND_vm);
    pv_event_subject_native_id(s->builder, "vm-2");
    changes(s);
    cr_assert_eq(find_rows(w, PV_KIND_event, F(event, native_id), "4713", &ids), 1);
    row = row_of(w, PV_KIND_event, &ids[0]);
    ref = model_text(row, F(event, ref));
    cr_expect(strstr(ref, "\"name\":\"db\""), "%s", ref);
}

Test(inventory, events_that_are_told_again_after_a_restart_are_kept_once)
{
    struct pv_id *ids;

    two_vms();
    for (int i = 0; i < 2; i++) {
        pv_event_begin(s->builder, "4712", NULL);
        pv_event_type(s->builder, "vm.event");
        changes(s);
        if (i == 0) {
            world_restart(w);
            s = session_of(w, "one");
            two_vms();
        }
    }
    cr_assert_eq(find_rows(w, PV_KIND_event, F(event, native_id), "4712", &ids), 1);
}

Test(inventory, event_numbers_have_no_gaps_and_follow_the_commits)
{
    two_vms();
    for (int i = 0; i < 30; i++) {
        send_vm(s, "vm-1", "uuid-1", i % 2 ? "a" : "b", PV_POWER_STATE_RUNNING);
        changes(s);
    }
    pthread_mutex_lock(&w->lock);
    cr_assert_gt(w->nevents, 30);
    for (size_t i = 1; i < w->nevents; i++)
        cr_expect_eq(w->seqs[i], w->seqs[i - 1] + 1);
    pthread_mutex_unlock(&w->lock);
    cr_expect_eq(core_event_seq(w->core), w->seqs[w->nevents - 1]);
}

Test(inventory, a_provider_is_deleted_with_all_it_has_and_its_events_stay)
{
    struct pv_err err = { 0 };

    two_vms();
    send_disks(2, 1u << 30);
    cr_assert_eq(core_provider_delete(w->core, &someone, &provider, false, NULL, &err), PV_OK, "%s", err.message);
    cr_expect_not(vm_by_native(w, "vm-1"));
    cr_expect_not(row_of(w, PV_KIND_provider, &provider));
    cr_expect_eq(count_events(w, "provider.gone"), 1);
}

static bool was_told(const void *arg)
{
    return count_events(w, arg) == 1;
}

Test(absence, a_long_absence_is_told_once_and_in_the_end_is_gone, .timeout = 300)
{
    w = world_new(300, 1500);
    add_provider(w, "one", "vmware");
    s = session_of(w, "one");
    two_vms();
    listing_begin(s);
    send_vm(s, "vm-2", "uuid-2", "db", PV_POWER_STATE_OFF);
    listing_end(s);
    cr_expect(eventually(was_told, "vm.missing"));
    cr_expect(eventually(was_told, "vm.gone"));
    cr_expect_eq(count_events(w, "vm.missing"), 1);
    cr_expect_eq(model_number(vm_by_native(w, "vm-1"), F(vm, presence)), PV_PRESENCE_GONE);
    world_free(w);
}
