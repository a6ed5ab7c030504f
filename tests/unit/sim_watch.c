/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sim_host.h"

struct watcher {
    struct fake_host *host;
    void *session;
    const char *cursor;
    int rc;
};

static void *watch(void *arg)
{
    struct watcher *w = arg;
    struct pv_failure fail = { .size = sizeof(fail) };

    w->rc = pv_driver_entry(PV_ABI_MAJOR)->watch(w->session, 1, w->cursor, &fail);
    return NULL;
}

/* Until so many marks of changes were seen. */
static void watch_until(struct fake_host *h, void *s, const char *cursor, unsigned changes)
{
    struct watcher w = { h, s, cursor, 0 };

    h->cancel_after_changes = h->changes + changes;
    watch(&w);
    h->cancel_after_changes = 0;
    cr_assert_eq(w.rc, PV_ECANCELED);
}

static unsigned now_of(struct fake_host *h, const unsigned *what)
{
    unsigned v;

    pthread_mutex_lock(&h->lock);
    v = *what;
    pthread_mutex_unlock(&h->lock);
    return v;
}

Test(sim_watch, a_living_estate_reports_changes_events_and_usage)
{
    static const char *const both[] = {
        "{\"vms\":200,\"change_rate\":500,\"churn\":true}",
        "{\"family\":\"hyperv\",\"vms\":200,\"hosts\":8,\"clusters\":2,\"change_rate\":500,"
        "\"churn\":true}",
    };

    for (size_t f = 0; f < 2; f++) {
        struct fake_host h;
        void *s = fake_open(&h, both[f]);

        watch_until(&h, s, NULL, 6);
        cr_assert_eq(h.ends, 1u);
        cr_assert_gt(h.counts[PV_KIND_vm], 200u);
        cr_assert_gt(h.counts[PV_KIND_event], 20u);
        cr_assert_gt(h.counts[PV_KIND_usage], 0u);
        cr_assert_gt(h.gone, 0u);
        pv_driver_entry(PV_ABI_MAJOR)->close(s);
    }
}

Test(sim_watch, the_last_cursor_of_a_session_goes_on_without_a_listing)
{
    struct fake_host h;
    void *s = fake_open(&h, "{\"vms\":50,\"change_rate\":100}");
    char cursor[128];

    watch_until(&h, s, NULL, 2);
    snprintf(cursor, sizeof(cursor), "%s", h.cursor);
    watch_until(&h, s, cursor, 2);
    cr_assert_eq(h.begins, 1u);
    /* An older one misses changes. */
    watch_until(&h, s, cursor, 1);
    cr_assert_eq(h.begins, 2u);
    pv_driver_entry(PV_ABI_MAJOR)->close(s);
}

Test(sim_watch, a_cursor_of_another_session_leads_to_a_listing)
{
    struct fake_host h, other;
    void *s = fake_open(&h, "{\"vms\":50}"), *t = fake_open(&other, "{\"vms\":50}");
    struct pv_failure fail = { .size = sizeof(fail) };

    fake_list(&h, s);
    other.cancel_when_listed = true;
    cr_assert_eq(pv_driver_entry(PV_ABI_MAJOR)->watch(t, 1, h.cursor, &fail), PV_ECANCELED);
    cr_assert_eq(other.counts[PV_KIND_vm], 50u);
    pv_driver_entry(PV_ABI_MAJOR)->close(s);
    pv_driver_entry(PV_ABI_MAJOR)->close(t);
}

Test(sim_watch, operations_appear_in_the_feed)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":50,\"speed\":0}");
    struct watcher w = { &h, e, NULL, 0 };
    char subject[192], *result = NULL;
    struct pv_failure fail = { .size = sizeof(fail) };
    pthread_t thread;
    uint32_t vm = 0;

    while (e->vms[vm].power != PV_POWER_STATE_RUNNING)
        vm++;
    sim_native_id(e, PV_KIND_vm, vm, h.vm);
    snprintf(subject, sizeof(subject), "{\"kind\":\"vm\",\"native_id\":\"%s\"}", h.vm);
    cr_assert_eq(pthread_create(&thread, NULL, watch, &w), 0);
    while (!now_of(&h, &h.ends))
        clock_sleep_ms(5);
    cr_assert_eq(pv_driver_entry(PV_ABI_MAJOR)
                     ->call(e, 2, "vm.stop", subject, "{}", NULL, 0, &result, &fail),
                 PV_OK);
    pv_driver_entry(PV_ABI_MAJOR)->free_text(result);
    while (!now_of(&h, &h.counts[PV_KIND_event]))
        clock_sleep_ms(5);
    pthread_mutex_lock(&h.lock);
    h.cancel = 1;
    pthread_mutex_unlock(&h.lock);
    pthread_join(thread, NULL);
    cr_assert_eq(w.rc, PV_ECANCELED);
    cr_assert_eq(h.power, PV_POWER_STATE_OFF);
    cr_assert_eq(h.activity, PV_ACTIVITY_NONE);
    cr_assert_gt(h.changes, 0u);
    sim_estate_free(e);
}

Test(sim_watch, more_operations_than_the_queue_holds_lead_to_a_listing)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":50}");
    struct sim_change c = { .vm = 3, .what = SIM_DID_BEGIN, .actor = "x" };

    h.cancel_when_listed = true;
    fake_list(&h, e);
    pthread_mutex_lock(&e->lock);
    for (unsigned i = 0; i <= SIM_QUEUE_MAX; i++)
        sim_estate_tell(e, &c);
    pthread_mutex_unlock(&e->lock);
    h.ends = 0;
    {
        struct watcher w = { &h, e, h.cursor, 0 };

        h.cancel_when_listed = true;
        watch(&w);
    }
    cr_assert_eq(h.begins, 2u);
    cr_assert_eq(h.ends, 1u);
    sim_estate_free(e);
}

/* What is sent in parts leads to the same state as reading everything again. */
Test(sim_watch, changes_add_up_to_what_a_refresh_reads)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, "{\"vms\":4,\"hosts\":4,\"change_rate\":300}");
    struct pv_failure fail = { .size = sizeof(fail) };
    int64_t power, snapshots;
    char host[128], name[128];

    sim_native_id(e, PV_KIND_vm, 2, h.vm);
    watch_until(&h, e, NULL, 8);
    power = h.power;
    snapshots = h.snapshots;
    snprintf(host, sizeof(host), "%s", h.host_id);
    snprintf(name, sizeof(name), "%s", h.name);
    cr_assert_eq(pv_driver_entry(PV_ABI_MAJOR)->refresh(e, 2, PV_KIND_vm, h.vm, &fail), PV_OK);
    cr_assert_eq(h.power, power);
    cr_assert_eq(h.snapshots, snapshots);
    cr_assert_str_eq(h.host_id, host);
    cr_assert_str_eq(h.name, name);
    sim_estate_free(e);
}
