/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* The limits are those of `members` below; tests/unit/sim_settings.c holds the two together. */
const char sim_settings_schema[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
    "\"title\":\"Simulation\","
    "\"description\":\"A made-up vCenter or Hyper-V host for demonstration and load tests.\","
    "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"family\":{\"type\":\"string\",\"enum\":[\"vmware\",\"hyperv\"],\"default\":\"vmware\","
    "\"description\":\"Hypervisors it plays.\"},"
    "\"seed\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9007199254740992,\"default\":1,"
    "\"description\":\"The same seed gives the same names, ids and devices.\"},"
    "\"vms\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":100000,\"default\":200,"
    "\"description\":\"Virtual machines.\"},"
    "\"hosts\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2500,"
    "\"description\":\"Hosts; one for each 40 VMs (hyperv: one) unless given.\"},"
    "\"clusters\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":500,"
    "\"description\":\"Clusters the hosts are shared out to; one for each 16 hosts (hyperv: none)"
    " unless given.\"},"
    "\"datacenters\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":100,"
    "\"description\":\"vSphere datacenters; 1 unless given. Hyper-V has none.\"},"
    "\"change_rate\":{\"type\":\"number\",\"minimum\":0,\"maximum\":5000,\"default\":0,"
    "\"description\":\"Changes per second; 0: nothing moves and no usage is reported.\"},"
    "\"failure_rate\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1,\"default\":0,"
    "\"description\":\"Share of operations that fail.\"},"
    "\"speed\":{\"type\":\"number\",\"minimum\":0,\"maximum\":1000,\"default\":1,"
    "\"description\":\"How much faster than in reality operations are; 0: they take no time.\"},"
    "\"churn\":{\"type\":\"boolean\",\"default\":false,"
    "\"description\":\"Among the changes VMs are made and deleted.\"}}}";

enum member_type { MEMBER_FAMILY, MEMBER_COUNT, MEMBER_SEED, MEMBER_NUMBER, MEMBER_BOOL };

static const struct member {
    const char *name;
    enum member_type type;
    double max;
    size_t offset;
} members[] = {
    { "family", MEMBER_FAMILY, 0, offsetof(struct sim_settings, family) },
    { "seed", MEMBER_SEED, 9007199254740992.0, offsetof(struct sim_settings, seed) },
    { "vms", MEMBER_COUNT, 100000, offsetof(struct sim_settings, vms) },
    { "hosts", MEMBER_COUNT, 2500, offsetof(struct sim_settings, hosts) },
    { "clusters", MEMBER_COUNT, 500, offsetof(struct sim_settings, clusters) },
    { "datacenters", MEMBER_COUNT, 100, offsetof(struct sim_settings, datacenters) },
    { "change_rate", MEMBER_NUMBER, 5000, offsetof(struct sim_settings, change_rate) },
    { "failure_rate", MEMBER_NUMBER, 1, offsetof(struct sim_settings, failure_rate) },
    { "speed", MEMBER_NUMBER, 1000, offsetof(struct sim_settings, speed) },
    { "churn", MEMBER_BOOL, 0, offsetof(struct sim_settings, churn) },
};

static const struct member *member_find(const char *name)
{
    for (size_t i = 0; i < PV_COUNT(members); i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static int bad(struct pv_err *err, const char *name, const char *wants, double max)
{
    if (max > 0)
        pv_fail(err, PV_EINVAL, "%s must be %s from 0 to %.0f", name, wants, max);
    else
        pv_fail(err, PV_EINVAL, "%s must be %s", name, wants);
    pv_err_pointer(err, "/settings/%s", name);
    return PV_EINVAL;
}

static int member_read(const struct member *m, const json_t *v, struct sim_settings *out,
                       struct pv_err *err)
{
    void *at = (char *)out + m->offset;
    double number;

    switch (m->type) {
    case MEMBER_FAMILY:
        if (json_is_string(v) && strcmp(json_string_value(v), "vmware") == 0)
            out->family = PV_FAMILY_VMWARE;
        else if (json_is_string(v) && strcmp(json_string_value(v), "hyperv") == 0)
            out->family = PV_FAMILY_HYPERV;
        else
            return bad(err, m->name, "vmware or hyperv", 0);
        return PV_OK;
    case MEMBER_BOOL:
        if (!json_is_boolean(v))
            return bad(err, m->name, "true or false", 0);
        *(bool *)at = json_is_true(v);
        return PV_OK;
    case MEMBER_COUNT:
    case MEMBER_SEED:
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) > (uint64_t)m->max)
            return bad(err, m->name, "a whole number", m->max);
        if (m->type == MEMBER_SEED)
            *(uint64_t *)at = (uint64_t)json_integer_value(v);
        else
            *(uint32_t *)at = (uint32_t)json_integer_value(v);
        return PV_OK;
    case MEMBER_NUMBER:
        number = json_number_value(v);
        if (!json_is_number(v) || !isfinite(number) || number < 0 || number > m->max)
            return bad(err, m->name, "a number", m->max);
        *(double *)at = number;
        return PV_OK;
    }
    return PV_EINTERNAL;
}

/* What follows from what: sizes that were not given, and those that do not go together. */
static int complete(const json_t *settings, struct sim_settings *s, struct pv_err *err)
{
    bool vmware = s->family == PV_FAMILY_VMWARE;

    if (!json_object_get(settings, "hosts"))
        s->hosts = vmware ? (s->vms + 39) / 40 : 1;
    if (!json_object_get(settings, "clusters"))
        s->clusters = vmware ? (s->hosts + 15) / 16 : 0;
    if (!json_object_get(settings, "datacenters"))
        s->datacenters = vmware ? 1 : 0;

    if (s->vms && !s->hosts)
        return pv_fail(err, PV_EINVAL, "hosts must be at least 1 when there are VMs");
    if (s->clusters > s->hosts)
        return pv_fail(err, PV_EINVAL, "clusters (%u) must not be more than hosts (%u)",
                       s->clusters, s->hosts);
    if (!vmware && s->datacenters)
        return pv_fail(err, PV_EINVAL, "datacenters must be 0 for hyperv: Hyper-V has none");
    if (vmware && s->hosts && !s->datacenters)
        return pv_fail(err, PV_EINVAL, "datacenters must be at least 1 when there are hosts");
    return PV_OK;
}

/* Anything but sim://NAME says nothing: there is nothing to connect to. */
static void read_endpoint(const char *endpoint, struct sim_settings *s)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t len;

    if (!endpoint || !str_starts(endpoint, "sim://"))
        return;
    endpoint += strlen("sim://");
    len = strspn(endpoint, allowed);
    if (len < sizeof(s->label) && (endpoint[len] == '\0' || strcmp(endpoint + len, "/") == 0))
        str_copy_n(s->label, sizeof(s->label), endpoint, len);
}

PV_DEFINE_AUTO(json_decref, json_t *)

int sim_settings_read(const char *config, struct sim_settings *out, struct pv_err *err)
{
    struct sim_settings s = { .family = PV_FAMILY_VMWARE, .seed = 1, .vms = 200, .speed = 1 };
    PV_AUTO(json_decref_p) json_t *root = NULL;
    json_error_t where;
    json_t *settings, *value;
    const char *name;
    int rc;

    root = json_loads(config ? config : "", JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root))
        return pv_fail(err, PV_EINVAL, "the configuration is not a JSON object: %s", where.text);
    settings = json_object_get(root, "settings");
    if (settings && !json_is_null(settings) && !json_is_object(settings))
        return pv_fail(err, PV_EINVAL, "settings must be an object");

    json_object_foreach(settings, name, value)
    {
        const struct member *m = member_find(name);

        if (!m) {
            pv_fail(err, PV_EINVAL, "there is no setting %s", name);
            pv_err_pointer(err, "/settings/%s", name);
            return PV_EINVAL;
        }
        rc = member_read(m, value, &s, err);
        if (rc != PV_OK)
            return rc;
    }
    read_endpoint(json_string_value(json_object_get(root, "endpoint")), &s);
    str_copy(s.name, sizeof(s.name), json_string_value(json_object_get(root, "name"))
                                         ? json_string_value(json_object_get(root, "name"))
                                         : "");
    rc = complete(settings, &s, err);
    if (rc != PV_OK)
        return rc;
    *out = s;
    return PV_OK;
}
