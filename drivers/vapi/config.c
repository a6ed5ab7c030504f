/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/config.h"

#include <string.h>

#include <jansson.h>

#include <polyvisor/err.h>

static const struct endpoint_kind kind = {
    .https_port = 443,
    .http_port = 80,
    .path = "/sdk",
    .remedy = "Give the vCenter's or host's name, or a URL as https://vcenter.example.com/sdk.",
    .http_nearby = true,
};

const char config_schema[] =
    "{\"title\":\"VMware vSphere\","
    "\"description\":\"A vCenter Server or a single ESXi host, by its own API.\","
    "\"x-account\":\"To look: the role Read-only on the root of the inventory, with "
    "propagation to children. To act: besides, Virtual machine power user on the machines "
    "meant; to make, copy and move machines also Datastore > Allocate space, Network > "
    "Assign network and Resource > Assign virtual machine to resource pool.\","
    "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"events\":{\"type\":\"boolean\",\"default\":true,"
    "\"title\":\"Events\",\"description\":\"Read the server's own events.\"},"
    "\"tags\":{\"type\":\"boolean\",\"default\":true,"
    "\"title\":\"Tags\",\"description\":\"Read the tags of a vCenter.\"},"
    "\"poll_interval_s\":{\"type\":\"integer\",\"minimum\":20,\"maximum\":86400,\"default\":300,"
    "\"title\":\"Poll interval\",\"description\":"
    "\"Seconds between two readings of what the server does not announce: load, free space, "
    "status.\"}}}";

static int read_setting(void *ctx, const char *key, const json_t *value, const char *pointer,
                        struct pv_err *err)
{
    struct config *out = ctx;

    if (strcmp(key, "events") == 0)
        return setting_flag(value, pointer, &out->events, err);
    if (strcmp(key, "tags") == 0)
        return setting_flag(value, pointer, &out->tags, err);
    if (strcmp(key, "poll_interval_s") == 0)
        return setting_number(value, pointer, 20, 86400, &out->poll_interval_s, err);
    return setting_bad(err, pointer, "is not a setting of this driver");
}

int config_parse(const char *json, struct config *out, struct pv_err *err)
{
    memset(out, 0, sizeof(*out));
    out->events = true;
    out->tags = true;
    out->poll_interval_s = 300;
    return endpoint_parse(json, &kind, read_setting, out, &out->at, err);
}

void config_free(struct config *c)
{
    endpoint_free(&c->at);
    memset(c, 0, sizeof(*c));
}
