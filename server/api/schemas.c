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
#define SENTENCE REF("Sentence")
#define COUNT_OR_NULL "{\"type\":[\"integer\",\"null\"]}"
#define TREND_REF "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Trend\"},{\"type\":\"null\"}]}"
#define NUMBER_OR_NULL "{\"type\":[\"number\",\"null\"]}"
#define SPREAD_OF                                                                                                      \
    OBJECT("\"mean_pct\",\"deviation_pct\",\"range_pct\"",                                                            \
           "\"mean_pct\":{\"type\":\"number\"},\"deviation_pct\":{\"type\":\"number\"},\"range_pct\":{\"type\":\"number\"}")
#define SUMMARY_REF "{\"anyOf\":[{\"$ref\":\"#/components/schemas/SummaryRef\"},{\"type\":\"null\"}]}"
#define SPLIT "{\"type\":\"object\",\"required\":[\"total\"]}"
#define TOP_LIST                                                                                                       \
    "{\"type\":\"array\",\"items\":" OBJECT("\"id\",\"name\",\"value\"", "\"id\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT_OR_NULL       \
                                      ",\"provider\":" REF("ProviderRef") ",\"host\":{\"anyOf\":[" REF("Ref")                \
                                      ",{\"type\":\"null\"}]},\"value\":" COUNT) "}"
#define IDENTITY                                                                                                       \
    "\"user\":" OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT) ",\"token\":" TEXT_OR_NULL                 \
    ",\"role\":" TEXT ",\"permissions\":{\"type\":\"array\",\"items\":" TEXT "},\"csrf_token\":" TEXT_OR_NULL                 \
    ",\"permissions_everywhere\":{\"type\":\"array\",\"items\":" TEXT "},\"grants\":{\"type\":\"array\",\"items\":"             \
    REF("GrantInForce") "}"

const struct named_schema api_schemas[] = {
    { "Anything", "{}" },
    { "Ref", OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT_OR_NULL) },
    { "Sentence", OBJECT("\"code\",\"params\"", "\"code\":" TEXT ",\"params\":{\"type\":\"object\"}") },
    { "ProviderRef",
      OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT_OR_NULL ",\"driver\":" TEXT ",\"family\":" TEXT
                                ",\"simulated\":" FLAG) },
    { "Problem",
      OBJECT("\"type\",\"title\",\"status\",\"code\"",
             "\"type\":" TEXT ",\"title\":" TEXT ",\"status\":{\"type\":\"integer\"},\"code\":" TEXT ",\"detail\":" TEXT
             ",\"instance\":" TEXT ",\"request_id\":" TEXT ",\"remedy\":" TEXT ",\"detail_text\":" SENTENCE ",\"remedy_text\":" SENTENCE
             ",\"retryable\":" FLAG
             ",\"errors\":{\"type\":\"array\",\"items\":" OBJECT("\"pointer\"", "\"pointer\":" TEXT ",\"code\":" TEXT
                                                                              ",\"detail\":" TEXT ",\"detail_text\":" SENTENCE) "}"
             ",\"provider\":{\"type\":\"object\"},\"children\":" COUNTS
             ",\"reasons\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"state\",\"code\",\"detail\"", "\"operation\":" TEXT ",\"state\":" TEXT ",\"code\":" TEXT
                 ",\"detail\":" TEXT_OR_NULL ",\"detail_text\":{\"anyOf\":[" SENTENCE ",{\"type\":\"null\"}]},\"ref\":{\"anyOf\":[" OBJECT(
                     "\"id\"", "\"kind\":" TEXT ",\"id\":" TEXT ",\"name\":" TEXT_OR_NULL) ",{\"type\":\"null\"}]}") "}") },
    { "Plan",
      OBJECT("\"ok\",\"changed\"", "\"ok\":" FLAG ",\"changed\":" FLAG
                                   ",\"findings\":{\"type\":\"array\"},\"plan\":{\"type\":\"array\"}") },
    { "Console", OBJECT("\"protocol\"", "\"protocol\":" TEXT ",\"host\":" TEXT ",\"port\":" COUNT ",\"path\":" TEXT
                        ",\"url\":" TEXT ",\"ticket\":" TEXT ",\"preconnection_blob\":" TEXT ",\"thumbprint\":" TEXT
                        ",\"expires_at\":" TIME) },
    { "Files", OBJECT("\"path\",\"items\",\"left_out\"", "\"path\":" TEXT ",\"left_out\":" COUNT ",\"items\":{\"type\":\"array\",\"items\":"
                      OBJECT("\"name\",\"path\",\"type\"", "\"name\":" TEXT ",\"path\":" TEXT
                             ",\"type\":{\"enum\":[\"folder\",\"disk\",\"iso\",\"configuration\",\"log\",\"snapshot\",\"other\"]}"
                             ",\"size_bytes\":" COUNT_OR_NULL ",\"modified_at\":" TIME) "}") },
    { "Identity", OBJECT("\"user\",\"role\",\"permissions\"", IDENTITY) },
    { "Me", OBJECT("\"user\",\"role\",\"permissions\"",
                   IDENTITY ",\"full_name\":" TEXT ",\"mfa\":" OBJECT("\"enabled\"", "\"enabled\":" FLAG ",\"recovery_codes_left\":" COUNT) ",\"idle_s\":" COUNT_OR_NULL ",\"preferences\":{\"type\":[\"object\",\"null\"]}") },
    { "Settings", OBJECT("\"sign_in\",\"retention\",\"sync\",\"security\",\"log\"",
                         "\"sign_in\":" COUNTS ",\"retention\":" COUNTS ",\"sync\":" COUNTS
                         ",\"security\":" OBJECT("\"show_grantors\"", "\"show_grantors\":" FLAG)
                         ",\"log\":" OBJECT("\"level\"", "\"level\":" TEXT)) },
    { "ServerCertificate",
      OBJECT("\"tls\"", "\"tls\":" FLAG ",\"subject\":" TEXT ",\"issuer\":" TEXT ",\"names\":{\"type\":\"array\",\"items\":" TEXT
                        "},\"not_before\":" TIME ",\"not_after\":" TIME ",\"sha256\":" TEXT ",\"self_signed\":" FLAG) },
    { "Backup", OBJECT("\"name\",\"size_bytes\"", "\"name\":" TEXT ",\"size_bytes\":" COUNT ",\"created_at\":" TIME) },
    { "Backups", LIST_OF(REF("Backup")) },
    { "TotpKey", OBJECT("\"secret\",\"uri\"", "\"secret\":" TEXT ",\"uri\":" TEXT) },
    { "RecoveryCodes", OBJECT("\"recovery_codes\"", "\"recovery_codes\":{\"type\":\"array\",\"items\":" TEXT "}") },
    { "SetupState", OBJECT("\"needed\"", "\"needed\":" FLAG) },
    { "Logins", LIST_OF(OBJECT("\"id\"", "\"id\":" TEXT ",\"created_at\":" TIME ",\"last_used_at\":" TIME
                                         ",\"expires_at\":" TIME ",\"address\":" TEXT ",\"agent\":" TEXT
                                         ",\"current\":" FLAG)) },
    { "GrantInForce",
      OBJECT("\"id\",\"role\",\"scope\",\"permissions\"",
             "\"id\":" TEXT ",\"role\":{\"type\":[\"object\",\"null\"]},\"group\":{\"type\":[\"object\",\"null\"]}"
             ",\"scope\":" OBJECT("\"type\"", "\"type\":" TEXT ",\"folder\":" TEXT ",\"provider\":" TEXT ",\"selector\":" TEXT
                                               ",\"object\":" TEXT)
             ",\"expires_at\":" TIME ",\"permissions\":{\"type\":\"array\",\"items\":" TEXT "}") },
    { "Explanation",
      OBJECT("\"allowed\",\"permission\",\"why\"",
             "\"allowed\":" FLAG ",\"permission\":" TEXT ",\"why\":" TEXT
             ",\"grants\":{\"type\":\"array\",\"items\":" REF("GrantInForce") "}"
             ",\"missing\":{\"type\":\"array\",\"items\":" TEXT "}"
             ",\"grantors\":{\"anyOf\":[{\"type\":\"null\"},"
             OBJECT("\"names\",\"more\"", "\"names\":{\"type\":\"array\",\"items\":" TEXT "},\"more\":" COUNT) "]}") },
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
    { "RuleFindings", OBJECT("\"items\",\"count\"", "\"items\":{\"type\":\"array\",\"items\":" OBJECT(
                                 "\"kind\",\"id\",\"name\"", "\"kind\":" TEXT ",\"id\":" TEXT ",\"name\":" TEXT_OR_NULL ",\"value\":" COUNT)
                             "},\"count\":" COUNT ",\"cut\":" FLAG) },
    { "DeliveryTest", OBJECT("\"ok\",\"took_ms\",\"delivery\"", "\"ok\":" FLAG ",\"took_ms\":" COUNT ",\"answer\":" TEXT_OR_NULL
                             ",\"error\":{\"anyOf\":[" REF("Problem") ",{\"type\":\"null\"}]},\"delivery\":" TEXT) },
    { "MetricNames", LIST_OF(OBJECT("\"name\",\"unit\"", "\"name\":" TEXT ",\"unit\":" TEXT ",\"doc\":" TEXT)) },
    { "Series",
      OBJECT("\"from\",\"to\",\"step_s\",\"series\"",
             "\"from\":" TIME ",\"to\":" TIME ",\"step_s\":" COUNT ",\"series\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"ref\",\"name\",\"values\"", "\"ref\":" TEXT ",\"name\":" TEXT ",\"unit\":" TEXT
                 ",\"values\":{\"type\":\"array\",\"items\":{\"type\":[\"number\",\"null\"]}}") "}") },
    { "TopList", LIST_OF(OBJECT("\"id\",\"name\",\"value\"", "\"id\":" TEXT ",\"kind\":" TEXT ",\"name\":" TEXT_OR_NULL
                                                       ",\"value\":" COUNT ",\"time\":" TIME)) },
    { "Diff",
      OBJECT("\"ref\",\"fields\"",
             "\"ref\":" OBJECT("\"kind\",\"id\"", "\"kind\":" TEXT ",\"id\":" TEXT) ",\"changes\":" COUNT ",\"complete\":" FLAG
             ",\"from_version\":" COUNT ",\"to_version\":" COUNT ",\"fields\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"field\",\"from\",\"to\"", "\"field\":" TEXT ",\"from\":{},\"to\":{}") "}") },
    { "Tree",
      OBJECT("\"items\",\"next\"",
             "\"items\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"kind\",\"id\",\"name\",\"expands\"",
                 "\"kind\":" TEXT ",\"id\":" TEXT ",\"name\":" TEXT_OR_NULL ",\"health\":" TEXT ",\"power_state\":" TEXT
                 ",\"state\":" TEXT ",\"family\":" TEXT ",\"simulated\":" FLAG ",\"maintenance\":" FLAG ",\"template\":" FLAG
                 ",\"expands\":" FLAG ",\"hosts\":" COUNT ",\"vms\":" COUNT ",\"running\":" COUNT ",\"worst_health\":" TEXT)
             "},\"next\":" TEXT_OR_NULL ",\"event_seq\":" COUNT) },
    { "SummaryRef", OBJECT("\"id\",\"name\"", "\"id\":" TEXT ",\"name\":" TEXT_OR_NULL) },
    { "BalanceSpread",
      OBJECT("\"cpu\",\"memory\"", "\"cpu\":" SPREAD_OF ",\"memory\":" SPREAD_OF) },
    { "Balance",
      OBJECT("\"cluster\",\"no_advice\",\"by_itself\",\"threshold_pct\",\"balanced\",\"now\",\"after\",\"hosts\",\"moves\",\"left_out\"",
             "\"cluster\":" REF("SummaryRef") ",\"no_advice\":" TEXT_OR_NULL ",\"by_itself\":" FLAG ",\"threshold_pct\":" COUNT
             ",\"balanced\":{\"type\":[\"boolean\",\"null\"]},\"usage_at\":" TIME ",\"now\":" REF("BalanceSpread") ",\"after\":" REF("BalanceSpread")
             ",\"hosts\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"host\",\"takes_none\",\"cpu_pct\",\"memory_pct\"",
                 "\"host\":" REF("SummaryRef") ",\"takes_none\":" TEXT_OR_NULL ",\"cpu_pct\":" NUMBER_OR_NULL ",\"memory_pct\":" NUMBER_OR_NULL
                 ",\"cpu_after_pct\":" NUMBER_OR_NULL ",\"memory_after_pct\":" NUMBER_OR_NULL ",\"running\":" COUNT ",\"vm_cpus\":" COUNT
                 ",\"vm_memory_bytes\":" COUNT ",\"usage_at\":" TIME)
             "},\"moves\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"vm\",\"from\",\"to\",\"bound\",\"reason\",\"after\"",
                 "\"vm\":" REF("SummaryRef") ",\"from\":" REF("SummaryRef") ",\"to\":" REF("SummaryRef") ",\"bound\":" TEXT
                 ",\"reason\":" TEXT ",\"reason_text\":" SENTENCE ",\"after\":" REF("BalanceSpread"))
             "},\"left_out\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"vm\",\"host\",\"why\"", "\"vm\":" REF("SummaryRef") ",\"host\":" REF("SummaryRef") ",\"why\":" TEXT)
             "},\"left_out_count\":" COUNT) },
    /* Where use is going, in the unit of what it is of: by the means of the last 30 days. */
    { "Trend", OBJECT("\"history_days\",\"per_day\",\"days_until_full\"",
                      "\"history_days\":" COUNT ",\"per_day\":{\"type\":\"number\"},\"days_until_full\":" COUNT_OR_NULL) },
    { "Summary",
      OBJECT("\"vms\",\"providers\",\"event_seq\"",
             "\"providers\":" SPLIT ",\"vms\":" SPLIT ",\"vm_health\":" SPLIT ",\"hosts\":" SPLIT ",\"clusters\":" SPLIT
             ",\"datastores\":" SPLIT ",\"networks\":" SPLIT ",\"vms_by_family\":" COUNTS ",\"capacity\":" COUNTS
             ",\"provider_items\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"id\",\"name\",\"state\"", "\"id\":" TEXT ",\"name\":" TEXT ",\"driver\":" TEXT ",\"family\":" TEXT
                 ",\"simulated\":" FLAG ",\"state\":" TEXT ",\"reason\":" TEXT_OR_NULL ",\"reason_text\":" SENTENCE ",\"confirmed_at\":" TIME ",\"hosts\":" COUNT
                 ",\"vms\":" COUNT ",\"running\":" COUNT ",\"worst_health\":" TEXT)
             "},\"cluster_items\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"id\",\"name\",\"kind\"", "\"id\":" TEXT ",\"name\":" TEXT ",\"kind\":" TEXT ",\"provider\":" SUMMARY_REF ",\"worst_health\":" TEXT
                 ",\"hosts\":" COUNT ",\"vms\":" COUNT ",\"running\":" COUNT ",\"cores\":" COUNT ",\"vm_cpus\":" COUNT
                 ",\"cpu_mhz\":" COUNT ",\"cpu_used_mhz\":" COUNT_OR_NULL ",\"memory_bytes\":" COUNT
                 ",\"memory_used_bytes\":" COUNT_OR_NULL ",\"vm_memory_bytes\":" COUNT ",\"datastores\":" COUNT
                 ",\"storage_bytes\":" COUNT_OR_NULL ",\"storage_used_bytes\":" COUNT_OR_NULL
                 ",\"storage_provisioned_bytes\":" COUNT_OR_NULL ",\"storage_shared_bytes\":" COUNT_OR_NULL
                 ",\"trends\":" OBJECT("\"cpu\",\"memory\",\"storage\"",
                                       "\"cpu\":" TREND_REF ",\"memory\":" TREND_REF ",\"storage\":" TREND_REF))
             "},\"host_items\":{\"type\":\"array\",\"items\":" OBJECT(
                 "\"id\",\"name\",\"state\",\"health\"", "\"id\":" TEXT ",\"name\":" TEXT ",\"provider\":" SUMMARY_REF
                 ",\"cluster\":" SUMMARY_REF ",\"state\":" TEXT ",\"maintenance\":" FLAG ",\"health\":" TEXT
                 ",\"worst_health\":" TEXT ",\"memory_bytes\":" COUNT ",\"cpu_pct\":" COUNT_OR_NULL ",\"memory_pct\":" COUNT_OR_NULL
                 ",\"vms\":" COUNT ",\"running\":" COUNT)
             "},\"host_items_cut\":" FLAG ",\"tasks\":" COUNTS
             ",\"alerts\":" COUNTS ",\"alert_items\":{\"type\":\"array\",\"items\":" REF("Alert") "},\"recent_failures\":{\"type\":\"array\",\"items\":" REF("Task")
             "},\"recent_changes\":{\"type\":\"array\",\"items\":" REF("Event")
             "},\"top\":" OBJECT("", "\"cpu\":" TOP_LIST ",\"memory\":" TOP_LIST ",\"disk_latency\":" TOP_LIST ",\"network\":" TOP_LIST)
             ",\"oldest_snapshots\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"
             ",\"datastore_items\":{\"type\":\"array\",\"items\":{\"type\":\"object\"}}"
             ",\"as_of\":" TIME ",\"event_seq\":" COUNT) },
    { "Health", "{\"type\":\"object\"}" },
    { "Discovery", "{\"type\":\"array\",\"items\":{\"type\":\"object\",\"additionalProperties\":" TEXT "}}" },
    { "Driver", OBJECT("\"name\",\"state\"", "\"name\":" TEXT ",\"version\":" TEXT ",\"state\":" TEXT
                                             ",\"abi\":" TEXT ",\"path\":" TEXT ",\"error\":" TEXT_OR_NULL ",\"remedy\":" TEXT_OR_NULL
                                             ",\"operations\":{\"type\":\"array\"},\"config_schema\":{\"type\":\"object\"}") },
    { "Drivers", LIST_OF(REF("Driver")) },
    { "Findings", OBJECT("\"ok\",\"findings\"",
                         "\"ok\":" FLAG ",\"findings\":{\"type\":\"array\",\"items\":" OBJECT(
                             "\"step\",\"ok\"", "\"step\":" TEXT ",\"ok\":" FLAG ",\"detail\":" TEXT ",\"code\":" TEXT ",\"remedy\":" TEXT
                             ",\"detail_text\":" SENTENCE ",\"remedy_text\":" SENTENCE) "}") },
    { "Capabilities", LIST_OF(OBJECT("\"name\",\"state\"", "\"name\":" TEXT ",\"state\":{\"enum\":[\"yes\",\"no\",\"limited\"]}"
                                                           ",\"reason\":" TEXT_OR_NULL ",\"reason_text\":" SENTENCE
                                                           ",\"needs\":{\"type\":\"array\",\"items\":" TEXT "}")) },
    { "Actions", LIST_OF(OBJECT("\"name\",\"state\"", "\"name\":" TEXT ",\"title\":" TEXT
                                                      ",\"state\":{\"enum\":[\"yes\",\"no\",\"limited\"]}"
                                                      ",\"allowed_now\":" FLAG ",\"reason\":" TEXT_OR_NULL ",\"reason_text\":" SENTENCE
                                                      ",\"needs\":{\"type\":\"array\",\"items\":" TEXT "}")) },
    { NULL, NULL },
};
