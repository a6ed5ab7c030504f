/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sim_host.h"

#include <jansson.h>

static const char vmware[] = "{\"family\":\"vmware\",\"seed\":7,\"vms\":3000,\"hosts\":60,"
                             "\"clusters\":5,\"datacenters\":2}";
static const char hyperv[] = "{\"family\":\"hyperv\",\"seed\":7,\"vms\":600,\"hosts\":6}";

static void list(struct fake_host *h, const char *settings)
{
    void *s = fake_open(h, settings);

    fake_list(h, s);
    pv_driver_entry(PV_ABI_MAJOR)->close(s);
}

Test(sim, the_same_settings_give_the_same_estate)
{
    struct fake_host a, b, c;

    list(&a, vmware);
    list(&b, vmware);
    list(&c, "{\"family\":\"vmware\",\"seed\":8,\"vms\":3000,\"hosts\":60,\"clusters\":5,"
             "\"datacenters\":2}");
    cr_assert_eq(a.sum, b.sum);
    cr_assert_eq(memcmp(a.counts, b.counts, sizeof(a.counts)), 0);
    cr_assert_neq(a.sum, c.sum);
}

Test(sim, a_vcenter_has_as_many_of_each_kind_as_the_settings_say)
{
    struct fake_host h;

    list(&h, vmware);
    cr_assert_eq(h.begins, 1u);
    cr_assert_eq(h.counts[PV_KIND_vm], 3000u);
    cr_assert_eq(h.counts[PV_KIND_host], 60u);
    cr_assert_eq(h.counts[PV_KIND_host_adapter], 60u * 4);
    cr_assert_eq(h.counts[PV_KIND_host_service], 60u * 6);
    cr_assert_eq(h.counts[PV_KIND_cluster], 5u);
    cr_assert_eq(h.counts[PV_KIND_datacenter], 2u);
    cr_assert_eq(h.counts[PV_KIND_switch], 5u);
    cr_assert_eq(h.counts[PV_KIND_network], 5u * SIM_NETS);
    cr_assert_eq(h.counts[PV_KIND_resource_pool], 5u * SIM_POOLS);
    cr_assert_geq(h.counts[PV_KIND_datastore], 5u * 4);
    cr_assert_eq(h.counts[PV_KIND_controller], 2u * 3000);
    cr_assert_geq(h.counts[PV_KIND_disk], 3000u);
    cr_assert_geq(h.counts[PV_KIND_nic], 3000u);
    cr_assert_gt(h.counts[PV_KIND_cdrom], 0u);
    cr_assert_gt(h.counts[PV_KIND_snapshot], 0u);
    cr_assert_eq(h.counts[PV_KIND_usage], 0u);
}

Test(sim, a_hyperv_host_has_neither_datacenters_nor_pools)
{
    struct fake_host h;

    list(&h, hyperv);
    cr_assert_eq(h.counts[PV_KIND_vm], 600u);
    cr_assert_eq(h.counts[PV_KIND_host], 6u);
    cr_assert_eq(h.counts[PV_KIND_switch], 6u);
    cr_assert_eq(h.counts[PV_KIND_datacenter], 0u);
    cr_assert_eq(h.counts[PV_KIND_resource_pool], 0u);
    cr_assert_eq(h.counts[PV_KIND_cluster], 0u);
}

Test(sim, an_estate_may_be_empty)
{
    struct fake_host h;

    list(&h, "{\"vms\":0,\"hosts\":0,\"clusters\":0}");
    cr_assert_eq(h.ends, 1u);
    cr_assert_eq(h.counts[PV_KIND_vm], 0u);
    cr_assert_eq(h.counts[PV_KIND_host], 0u);
}

Test(sim, every_native_id_leads_back_to_its_object)
{
    static const char *const both[] = { vmware, hyperv };
    char id[SIM_ID_MAX], changed[SIM_ID_MAX + 2];

    for (size_t f = 0; f < 2; f++) {
        struct fake_host h;
        struct sim_estate *e = fake_open(&h, both[f]);
        uint64_t n, out, vm;
        uint16_t serial;

        for (n = 0; n < 300; n++) {
            sim_native_id(e, PV_KIND_vm, n * 7919, id);
            cr_assert(sim_native_number(e, PV_KIND_vm, id, &out), "%s", id);
            cr_assert_eq(out, n * 7919);
            sim_snapshot_id(e, n * 7919, (uint16_t)(n * 211), id);
            cr_assert(sim_snapshot_number(e, id, &vm, &serial), "%s", id);
            cr_assert_eq(vm, n * 7919);
            cr_assert_eq(serial, (uint16_t)(n * 211));
            snprintf(changed, sizeof(changed), "%sx", id);
            cr_assert_not(sim_snapshot_number(e, changed, &vm, &serial));
        }
        for (const struct sim_place *p = sim_places; p->emit; p++)
            for (uint32_t i = 0; i < p->count(e); i++) {
                sim_native_id(e, p->kind, i, id);
                cr_assert(sim_native_number(e, p->kind, id, &out), "%s", id);
                cr_assert_eq(out, i, "%s", id);
            }
        sim_estate_free(e);
    }
}

Test(sim, names_and_macs_are_used_once)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, hyperv);
    static char names[600][64], macs[600][18];
    struct sim_vm vm;

    for (uint32_t i = 0; i < 600; i++) {
        sim_vm_traits(e, i, 0, &vm);
        sim_vm_name(&vm, 0, names[i], sizeof(names[i]));
        sim_mac(e, i, macs[i]);
        for (uint32_t k = 0; k < i; k++) {
            cr_assert_str_neq(names[i], names[k]);
            cr_assert_str_neq(macs[i], macs[k]);
        }
    }
    sim_estate_free(e);
}

Test(sim, the_endpoint_names_the_machine_and_its_city)
{
    static const struct {
        const char *endpoint, *name;
    } good[] = {
        { "sim://hv-ams-01", "hv-ams-01.corp.example" },
        { "sim://hv-ams-01/", "hv-ams-01.corp.example" },
        { "sim://box", "box.corp.example" },
    };
    static const char *const ignored[] = {
        "",          "sim://",      "sim://a b",
        "sim://x/y", "https://ams", "sim://0123456789012345678901234567890123456789"
    };
    struct sim_estate e = { .units = 1 };
    char config[256], name[64];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(config, sizeof(config),
                 "{\"endpoint\":\"%s\",\"settings\":{\"family\":\"hyperv\"}}", good[i].endpoint);
        cr_assert_eq(sim_settings_read(config, &e.set, NULL), PV_OK);
        sim_host_name(&e, 0, name, sizeof(name));
        cr_assert_str_eq(name, good[i].name);
    }
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        snprintf(config, sizeof(config), "{\"endpoint\":\"%s\"}", ignored[i]);
        cr_assert_eq(sim_settings_read(config, &e.set, NULL), PV_OK);
        cr_assert_str_eq(e.set.label, "");
    }
    cr_assert_eq(sim_settings_read("{\"endpoint\":\"sim://vc-sin\"}", &e.set, NULL), PV_OK);
    sim_datacenter_name(&e, 0, name, sizeof(name));
    cr_assert_str_eq(name, "Singapore");
}

Test(sim, uuids_are_random_in_every_part)
{
    struct fake_host h;
    struct sim_estate *e = fake_open(&h, vmware);
    char a[37], b[37];

    for (uint32_t i = 0; i < 100; i++) {
        sim_uuid(e, SIM_BIOS, i, 0x42, a);
        sim_uuid(e, SIM_BIOS, i + 1, 0x42, b);
        cr_assert_eq(strlen(a), 36u);
        cr_assert_eq(strncmp(a, "42", 2), 0, "%s", a);
        cr_assert_eq(a[14], '4', "%s", a);
        cr_assert_not_null(strchr("89ab", a[19]), "%s", a);
        cr_assert_neq(strncmp(a, b, 8), 0, "%s %s", a, b);
        cr_assert_neq(strncmp(a + 9, b + 9, 4), 0, "%s %s", a, b);
        cr_assert_neq(strncmp(a + 24, b + 24, 12), 0, "%s %s", a, b);
    }
    sim_estate_free(e);
}

Test(sim, refresh_sends_one_vm_with_its_children)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct pv_failure fail = { .size = sizeof(fail) };
    struct fake_host h;
    void *s = fake_open(&h, vmware);

    cr_assert_eq(d->refresh(s, 1, PV_KIND_vm, "vm-1017", &fail), PV_OK);
    cr_assert_eq(h.counts[PV_KIND_vm], 1u);
    cr_assert_eq(h.counts[PV_KIND_controller], 2u);
    cr_assert_geq(h.counts[PV_KIND_disk], 1u);
    cr_assert_eq(d->refresh(s, 1, PV_KIND_host, "host-12", &fail), PV_OK);
    cr_assert_eq(h.counts[PV_KIND_host], 1u);
    d->close(s);
}

Test(sim, refresh_of_what_never_was_is_not_found)
{
    static const char *const ids[] = { "vm-1",     "vm-1000", "vm-4001",
                                       "vm-01001", "vm-",     "",
                                       "vm-1001 ", "host-12", "vm-99999999999999999999" };
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct fake_host h;
    void *s = fake_open(&h, vmware);

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        struct pv_failure fail = { .size = sizeof(fail) };

        cr_assert_eq(d->refresh(s, 1, PV_KIND_vm, ids[i], &fail), PV_ENOENT, "%s", ids[i]);
        cr_assert_eq(fail.code, PV_ENOENT);
    }
    cr_assert_eq(h.counts[PV_KIND_vm], 0u);
    d->close(s);
}

Test(sim, refresh_of_a_device_does_not_call_it_gone)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct pv_failure fail = { .size = sizeof(fail) };
    struct fake_host h;
    void *s = fake_open(&h, vmware);

    cr_assert_eq(d->refresh(s, 1, PV_KIND_disk, "2000", &fail), PV_ENOTSUP);
    cr_assert_eq(d->refresh(s, 1, PV_KIND_event, "event-1", &fail), PV_ENOTSUP);
    cr_assert_eq(d->refresh(s, 1, 30, "x", &fail), PV_ENOTSUP);
    d->close(s);
}

Test(sim, a_cancelled_listing_is_not_called_complete)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct pv_failure fail = { .size = sizeof(fail) };
    struct fake_host h;
    void *s = fake_open(&h, vmware);

    h.cancel = 1;
    cr_assert_eq(d->watch(s, 1, NULL, &fail), PV_ECANCELED);
    cr_assert_eq(fail.code, PV_ECANCELED);
    cr_assert_eq(h.ends, 0u);
    cr_assert_lt(h.counts[PV_KIND_vm], 3000u);
    d->close(s);
}

Test(sim, the_provider_is_described_with_reasons)
{
    struct fake_host h;
    json_t *root, *item;
    size_t i;
    bool pause_seen = false;

    list(&h, vmware);
    root = json_loads(h.provider, 0, NULL);
    cr_assert(json_is_object(root));
    cr_assert_str_eq(json_string_value(json_object_get(root, "family")), "vmware");
    json_array_foreach(json_object_get(root, "capabilities"), i, item)
    {
        const char *state = json_string_value(json_object_get(item, "state"));

        if (strcmp(state, "yes") != 0)
            cr_assert(json_is_string(json_object_get(item, "reason")));
        if (strcmp(json_string_value(json_object_get(item, "name")), "vm.pause") == 0) {
            cr_assert_str_eq(state, "no");
            pause_seen = true;
        }
    }
    cr_assert(pause_seen);
    json_decref(root);
}
