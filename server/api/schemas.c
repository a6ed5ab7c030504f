/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/schemas.h"

#include <stddef.h>

#define TEXT "{\"type\":\"string\"}"
#define TEXT_OR_NULL "{\"type\":[\"string\",\"null\"]}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define FLAG "{\"type\":\"boolean\"}"
#define TIME "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}"
#define OBJECT(required, properties)                                                                                   \
    "{\"type\":\"object\",\"required\":[" required "],\"properties\":{" properties "}}"
#define LIST_OF(item) OBJECT("\"items\"", "\"items\":{\"type\":\"array\",\"items\":" item "}")
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define COUNTS "{\"type\":\"object\",\"additionalProperties\":" COUNT "}"
#define IDENTITY                                                                                                       \
    "\"user\":" OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT) ",\"token\":" TEXT_OR_NULL                 \
    ",\"role\":" TEXT ",\"permissions\":{\"type\":\"array\",\"items\":" TEXT "},\"csrf_token\":" TEXT_OR_NULL

const struct named_schema api_schemas[] = {
    { "Anything", "{}" },
    { "Ref", OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT_OR_NULL) },
    { "ProviderRef",
      OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT_OR_NULL ",\"driver\":" TEXT ",\"family\":" TEXT
                                ",\"simulated\":" FLAG) },
    { "Problem",
      OBJECT("\"type\",\"title\",\"status\",\"code\"",
             "\"type\":" TEXT ",\"title\":" TEXT ",\"status\":{\"type\":\"integer\"},\"code\":" TEXT ",\"detail\":" TEXT
             ",\"instance\":" TEXT ",\"request_id\":" TEXT ",\"remedy\":" TEXT ",\"retryable\":" FLAG
             ",\"errors\":{\"type\":\"array\",\"items\":" OBJECT("\"pointer\"", "\"pointer\":" TEXT ",\"code\":" TEXT
                                                                              ",\"detail\":" TEXT) "}"
             ",\"provider\":{\"type\":\"object\"}") },
    { "Plan",
      OBJECT("\"ok\",\"changed\"", "\"ok\":" FLAG ",\"changed\":" FLAG
                                   ",\"findings\":{\"type\":\"array\"},\"plan\":{\"type\":\"array\"}") },
    { "Identity", OBJECT("\"user\",\"role\",\"permissions\"", IDENTITY) },
    { "Me", OBJECT("\"user\",\"role\",\"permissions\"",
                   IDENTITY ",\"full_name\":" TEXT ",\"preferences\":{\"type\":[\"object\",\"null\"]}") },
    { "SetupState", OBJECT("\"needed\"", "\"needed\":" FLAG) },
    { "Logins", LIST_OF(OBJECT("\"id\"", "\"id\":" TEXT ",\"created_at\":" TIME ",\"last_used_at\":" TIME
                                         ",\"expires_at\":" TIME ",\"address\":" TEXT ",\"agent\":" TEXT
                                         ",\"current\":" FLAG)) },
    { "Roles", LIST_OF(OBJECT("\"name\",\"permissions\"", "\"name\":" TEXT
                                                          ",\"permissions\":{\"type\":\"array\",\"items\":" TEXT "}")) },
    { "NewToken", OBJECT("\"id\",\"token\"", "\"id\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT ",\"token\":" TEXT) },
    { "AuditCheck", OBJECT("\"ok\",\"checked\"", "\"ok\":" FLAG ",\"checked\":" COUNT
                                                 ",\"first_broken\":{\"type\":[\"integer\",\"null\"]}") },
    { "Entry", OBJECT("\"name\",\"version\"", "\"name\":" TEXT ",\"version\":" TEXT ",\"openapi\":" TEXT
                                              ",\"collections\":{\"type\":\"object\",\"additionalProperties\":" TEXT "}") },
    { "Version", OBJECT("\"version\",\"api\"", "\"version\":" TEXT ",\"api\":" TEXT ",\"started_at\":" TIME) },
    { "ProblemText", OBJECT("\"code\",\"status\",\"title\"", "\"code\":" TEXT ",\"type\":" TEXT ",\"status\":" COUNT
                                                             ",\"title\":" TEXT ",\"remedy\":" TEXT) },
    { "Problems", LIST_OF(REF("ProblemText")) },
    { "Hits", LIST_OF(OBJECT("\"kind\",\"id\",\"name\"", "\"kind\":" TEXT ",\"id\":" TEXT ",\"name\":" TEXT_OR_NULL
                                                         ",\"matched\":" TEXT_OR_NULL ",\"provider\":" TEXT_OR_NULL)) },
    { "Completions",
      OBJECT("\"from\",\"to\",\"items\"",
             "\"from\":" COUNT ",\"to\":" COUNT ",\"items\":{\"type\":\"array\",\"items\":"
             OBJECT("\"text\",\"type\"", "\"text\":" TEXT ",\"type\":{\"enum\":[\"field\",\"operator\",\"value\",\"keyword\"]}"
                    ",\"doc\":" TEXT_OR_NULL ",\"name\":" TEXT_OR_NULL ",\"count\":{\"type\":[\"integer\",\"null\"]}") "}") },
    { "Tree", LIST_OF(OBJECT("\"kind\",\"id\",\"name\",\"expands\"",
                             "\"kind\":" TEXT ",\"id\":" TEXT ",\"name\":" TEXT_OR_NULL ",\"health\":" TEXT
                             ",\"power_state\":" TEXT ",\"state\":" TEXT ",\"expands\":" FLAG ",\"vms\":" COUNT
                             ",\"worst_health\":" TEXT)) },
    { "Summary", OBJECT("\"vms\",\"providers\",\"event_seq\"",
                        "\"providers\":{\"type\":\"object\"},\"vms\":{\"type\":\"object\"},\"vms_by_family\":" COUNTS
                        ",\"capacity\":" COUNTS ",\"tasks\":" COUNTS ",\"as_of\":" TIME ",\"event_seq\":" COUNT) },
    { "Health", "{\"type\":\"object\"}" },
    { "Discovery", "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":" TEXT "}}" },
    { "Driver", OBJECT("\"name\",\"state\"", "\"name\":" TEXT ",\"version\":" TEXT ",\"state\":" TEXT
                                             ",\"operations\":{\"type\":\"array\"},\"config_schema\":{\"type\":\"object\"}") },
    { "Drivers", LIST_OF(REF("Driver")) },
    { "Findings", OBJECT("\"ok\",\"findings\"",
                         "\"ok\":" FLAG ",\"findings\":{\"type\":\"array\",\"items\":" OBJECT(
                             "\"step\",\"ok\"", "\"step\":" TEXT ",\"ok\":" FLAG ",\"detail\":" TEXT ",\"code\":" TEXT ",\"remedy\":" TEXT) "}") },
    { "Capabilities", LIST_OF(OBJECT("\"name\",\"state\"", "\"name\":" TEXT ",\"state\":{\"enum\":[\"yes\",\"no\",\"limited\"]}"
                                                           ",\"reason\":" TEXT_OR_NULL
                                                           ",\"needs\":{\"type\":\"array\",\"items\":" TEXT "}")) },
    { "Actions", LIST_OF(OBJECT("\"name\",\"state\"", "\"name\":" TEXT ",\"title\":" TEXT
                                                      ",\"state\":{\"enum\":[\"yes\",\"no\",\"limited\"]}"
                                                      ",\"allowed_now\":" FLAG ",\"reason\":" TEXT_OR_NULL
                                                      ",\"needs\":{\"type\":\"array\",\"items\":" TEXT "}")) },
    { NULL, NULL },
};
