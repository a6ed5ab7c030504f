/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sim_host.h"

#include <jansson.h>

static int try_open(const char *config, struct pv_failure *fail)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct fake_host h;
    void *s = NULL;
    int rc;

    fake_host_init(&h);
    rc = d->open(&h.host, config, &s, fail);
    if (rc == PV_OK)
        d->close(s);
    else
        cr_assert_null(s);
    return rc;
}

Test(sim_settings, what_is_not_acceptable_is_named)
{
    static const struct {
        const char *settings, *word;
    } bad[] = {
        { "{\"vmz\":1}", "vmz" },
        { "{\"family\":\"xen\"}", "family" },
        { "{\"family\":1}", "family" },
        { "{\"vms\":100001}", "vms" },
        { "{\"vms\":-1}", "vms" },
        { "{\"vms\":1.5}", "vms" },
        { "{\"vms\":\"10\"}", "vms" },
        { "{\"seed\":-1}", "seed" },
        { "{\"hosts\":2501}", "hosts" },
        { "{\"hosts\":0}", "hosts" },
        { "{\"hosts\":2,\"clusters\":3}", "clusters" },
        { "{\"datacenters\":0}", "datacenters" },
        { "{\"family\":\"hyperv\",\"datacenters\":1}", "datacenters" },
        { "{\"failure_rate\":1.01}", "failure_rate" },
        { "{\"failure_rate\":true}", "failure_rate" },
        { "{\"change_rate\":-0.5}", "change_rate" },
        { "{\"speed\":null}", "speed" },
        { "{\"churn\":1}", "churn" },
        { "[]", "settings" },
    };
    char config[256];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pv_failure fail = { .size = sizeof(fail) };

        snprintf(config, sizeof(config), "{\"settings\":%s}", bad[i].settings);
        cr_assert_eq(try_open(config, &fail), PV_EINVAL, "%s", bad[i].settings);
        cr_assert_eq(fail.code, PV_EINVAL);
        cr_assert_not_null(strstr(fail.message, bad[i].word), "%s: %s", bad[i].settings,
                           fail.message);
    }
}

Test(sim_settings, a_configuration_that_is_no_json_is_refused)
{
    static const char *const texts[] = { "", "x", "[]", "{\"settings\":{}", "{\"settings\":{},}" };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct pv_failure fail = { .size = sizeof(fail) };

        cr_assert_eq(try_open(texts[i], &fail), PV_EINVAL, "%s", texts[i]);
    }
}

Test(sim_settings, none_at_all_is_fine)
{
    struct pv_failure fail = { .size = sizeof(fail) };

    cr_assert_eq(try_open("{}", &fail), PV_OK, "%s", fail.message);
    cr_assert_eq(try_open("{\"name\":\"a\",\"settings\":null}", &fail), PV_OK, "%s", fail.message);
    cr_assert_eq(try_open("{\"settings\":{\"family\":\"hyperv\",\"vms\":5}}", &fail), PV_OK, "%s",
                 fail.message);
}

/* The published limits are the ones that are checked: the limit is accepted, one more is not. */
Test(sim_settings, the_schema_says_what_the_driver_checks)
{
    json_t *schema = json_loads(pv_driver_entry(PV_ABI_MAJOR)->config_schema, 0, NULL);
    const char *name;
    json_t *member;
    unsigned limits = 0;

    cr_assert(json_is_object(schema));
    cr_assert(json_is_false(json_object_get(schema, "additionalProperties")));
    json_object_foreach(json_object_get(schema, "properties"), name, member)
    {
        json_t *max = json_object_get(member, "maximum");
        struct sim_settings set;
        char config[256];

        cr_assert(json_is_string(json_object_get(member, "description")), "%s", name);
        if (!max)
            continue;
        limits++;
        for (long long over = 0; over < 2; over++) {
            /* Sizes depend on each other: many hosts, so that the rest fits. */
            snprintf(config, sizeof(config), "{\"settings\":{%s\"%s\":%lld}}",
                     strcmp(name, "hosts") ? "\"hosts\":2500," : "", name,
                     (long long)json_integer_value(max) + over);
            cr_assert_eq(sim_settings_read(config, &set, NULL), over ? PV_EINVAL : PV_OK, "%s",
                         config);
        }
    }
    cr_assert_eq(limits, 8u);
    json_decref(schema);
}

Test(sim_settings, the_operations_are_those_of_the_model)
{
    json_t *list = json_loads(pv_driver_entry(PV_ABI_MAJOR)->operations, 0, NULL);
    json_t *item;
    size_t i;

    cr_assert(json_is_array(list));
    json_array_foreach(list, i, item)
    {
        const struct model_operation *op = model_operation(json_string_value(item));

        cr_assert_not_null(op, "%s", json_string_value(item));
        cr_assert_not(op->core);
    }
    json_decref(list);
}

Test(sim_settings, probe_reports_findings_and_needs_no_password)
{
    const struct pv_driver *d = pv_driver_entry(PV_ABI_MAJOR);
    struct pv_failure fail = { .size = sizeof(fail) };
    struct fake_host h;
    char *report = NULL;
    json_t *list;

    fake_host_init(&h);
    cr_assert_eq(d->probe(&h.host, "{\"settings\":{\"vms\":10}}", 1, &report, &fail), PV_OK);
    list = json_loads(report, 0, NULL);
    cr_assert_gt(json_array_size(list), 2u);
    json_decref(list);
    d->free_text(report);
    cr_assert_eq(d->probe(&h.host, "{\"settings\":{\"vms\":-1}}", 1, &report, &fail), PV_EINVAL);
}

Test(sim_settings, another_abi_is_refused)
{
    cr_assert_null(pv_driver_entry(PV_ABI_MAJOR + 1));
}
