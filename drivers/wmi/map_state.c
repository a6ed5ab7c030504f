/* SPDX-License-Identifier: Apache-2.0 */
/* Power, activity and health of a VM: what changes from poll to poll. */
#include "drivers/wmi/map.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>

#include "drivers/wmi/inventory_rates.h"

#define REASONS_MOST 8

struct map_state map_state(uint64_t enabled_state)
{
    static const struct {
        uint32_t code;
        uint8_t power, activity;
        bool critical;
    } table[] = {
        { 2, PV_POWER_STATE_RUNNING, PV_ACTIVITY_NONE, false },
        { 3, PV_POWER_STATE_OFF, PV_ACTIVITY_NONE, false },
        { 4, PV_POWER_STATE_RUNNING, PV_ACTIVITY_SHUTTING_DOWN, false },
        { 6, PV_POWER_STATE_SUSPENDED, PV_ACTIVITY_NONE, false },
        { 9, PV_POWER_STATE_PAUSED, PV_ACTIVITY_NONE, false },
        { 10, PV_POWER_STATE_OFF, PV_ACTIVITY_STARTING, false },
        { 11, PV_POWER_STATE_RUNNING, PV_ACTIVITY_RESETTING, false },
        /* Numbers of the first namespace, which nobody should send any more. */
        { 32768, PV_POWER_STATE_PAUSED, PV_ACTIVITY_NONE, false },
        { 32769, PV_POWER_STATE_SUSPENDED, PV_ACTIVITY_NONE, false },
        { 32773, PV_POWER_STATE_RUNNING, PV_ACTIVITY_SUSPENDING, false },
        { 32776, PV_POWER_STATE_RUNNING, PV_ACTIVITY_PAUSING, false },
        { 32777, PV_POWER_STATE_PAUSED, PV_ACTIVITY_RESUMING, false },
        { 32779, PV_POWER_STATE_SUSPENDED, PV_ACTIVITY_NONE, false },
        { 32780, PV_POWER_STATE_RUNNING, PV_ACTIVITY_SUSPENDING, false },
        { 32781, PV_POWER_STATE_RUNNING, PV_ACTIVITY_NONE, true },
        { 32782, PV_POWER_STATE_OFF, PV_ACTIVITY_NONE, true },
        { 32783, PV_POWER_STATE_RUNNING, PV_ACTIVITY_SHUTTING_DOWN, true },
        { 32784, PV_POWER_STATE_SUSPENDED, PV_ACTIVITY_NONE, true },
        { 32785, PV_POWER_STATE_PAUSED, PV_ACTIVITY_NONE, true },
        { 32786, PV_POWER_STATE_OFF, PV_ACTIVITY_STARTING, true },
        { 32787, PV_POWER_STATE_RUNNING, PV_ACTIVITY_RESETTING, true },
        { 32788, PV_POWER_STATE_RUNNING, PV_ACTIVITY_SUSPENDING, true },
        { 32789, PV_POWER_STATE_RUNNING, PV_ACTIVITY_PAUSING, true },
        { 32790, PV_POWER_STATE_PAUSED, PV_ACTIVITY_RESUMING, true },
        { 32791, PV_POWER_STATE_SUSPENDED, PV_ACTIVITY_NONE, true },
        { 32792, PV_POWER_STATE_RUNNING, PV_ACTIVITY_SUSPENDING, true },
    };

    for (size_t i = 0; i < PV_COUNT(table); i++)
        if (table[i].code == enabled_state)
            return (struct map_state){ (enum pv_power_state)table[i].power,
                                       (enum pv_activity)table[i].activity, table[i].critical };
    return (struct map_state){ PV_POWER_STATE_UNKNOWN, PV_ACTIVITY_NONE, false };
}

/* Number n of a list that both the summary and the system have; the summary is the newer one. */
static bool status_at(const struct cim_instance *summary, const struct cim_instance *system,
                      unsigned i, uint64_t *out)
{
    return cim_uint_at(summary, P(Msvm_SummaryInformation, OperationalStatus), i, out) ||
           (!cim_has(summary, P(Msvm_SummaryInformation, OperationalStatus)) &&
            cim_uint_at(system, P(Msvm_ComputerSystem, OperationalStatus), i, out));
}

enum pv_activity map_activity(const struct cim_instance *summary, const struct cim_instance *system)
{
    uint64_t status;

    for (unsigned i = 0; i < 8 && status_at(summary, system, i, &status); i++) {
        switch (status) {
        case 32768:
            return PV_ACTIVITY_SNAPSHOTTING;
        case 32769:
            return PV_ACTIVITY_REVERTING;
        case 32770:
        case 32772:
            return PV_ACTIVITY_CONSOLIDATING;
        case 32771:
            return PV_ACTIVITY_STARTING;
        case 32773:
            return PV_ACTIVITY_EXPORTING;
        case 32774:
            return PV_ACTIVITY_MOVING;
        default:
            break;
        }
    }
    return PV_ACTIVITY_NONE;
}

/* What a poll sees of a VM, in numbers. */
struct seen {
    bool has_state, has_health;
    uint64_t state, heartbeat, replication, replication_health, services;
    struct map_state words;
    enum pv_activity activity;
    enum pv_health health;
    const char *reasons[REASONS_MOST];
    size_t nreasons;
};

static void worse(struct seen *v, enum pv_health health, const char *reason)
{
    if (v->health < health)
        v->health = health;
    if (v->nreasons < REASONS_MOST)
        v->reasons[v->nreasons++] = reason;
}

static void judge(struct seen *v, const struct cim_instance *summary,
                  const struct cim_instance *system)
{
    uint64_t health = 0, application = 0, status;

    if (!cim_get_uint(summary, P(Msvm_SummaryInformation, HealthState), &health))
        (void)cim_get_uint(system, P(Msvm_ComputerSystem, HealthState), &health);
    v->has_health = v->has_state || health > 0;
    v->health = v->has_health ? PV_HEALTH_OK : PV_HEALTH_UNKNOWN;
    if (v->words.critical)
        worse(v, PV_HEALTH_CRITICAL, "storage_unreachable");
    if (health == 20)
        worse(v, PV_HEALTH_WARNING, "major_failure");
    if (health == 25)
        worse(v, PV_HEALTH_CRITICAL, "critical_failure");
    if (status_at(summary, system, 0, &status)) {
        if (status == 3)
            worse(v, PV_HEALTH_WARNING, "degraded");
        if (status == 5)
            worse(v, PV_HEALTH_WARNING, "predictive_failure");
    }
    if (v->words.power == PV_POWER_STATE_RUNNING && v->heartbeat == 13)
        worse(v, PV_HEALTH_WARNING, "heartbeat_lost");
    if (v->words.power == PV_POWER_STATE_RUNNING && v->heartbeat == 6)
        worse(v, PV_HEALTH_WARNING, "heartbeat_error");
    if (cim_get_uint(summary, P(Msvm_SummaryInformation, ApplicationHealth), &application) &&
        application == 32782)
        worse(v, PV_HEALTH_WARNING, "guest_application_critical");
    if (v->replication_health == 2)
        worse(v, PV_HEALTH_WARNING, "replication_warning");
    if (v->replication_health == 3)
        worse(v, PV_HEALTH_WARNING, "replication_critical");
}

static void look(const struct sight_owner *o, struct seen *v)
{
    const struct cim_instance *summary = sight_one(o, SIGHT_SUMMARY);
    const struct cim_instance *system = sight_one(o, SIGHT_SYSTEM);

    *v = (struct seen){ .heartbeat = 0 };
    v->has_state = cim_get_uint(summary, P(Msvm_SummaryInformation, EnabledState), &v->state) ||
                   cim_get_uint(system, P(Msvm_ComputerSystem, EnabledState), &v->state);
    v->words = map_state(v->state);
    v->activity =
        v->words.activity != PV_ACTIVITY_NONE ? v->words.activity : map_activity(summary, system);
    v->heartbeat = cim_uint(summary, P(Msvm_SummaryInformation, Heartbeat));
    v->services = cim_uint(summary, P(Msvm_SummaryInformation, IntegrationServicesVersionState));
    if (!cim_get_uint(summary, P(Msvm_SummaryInformation, ReplicationState), &v->replication))
        v->replication = cim_uint(system, P(Msvm_ComputerSystem, ReplicationState));
    if (!cim_get_uint(summary, P(Msvm_SummaryInformation, ReplicationHealth),
                      &v->replication_health))
        v->replication_health = cim_uint(system, P(Msvm_ComputerSystem, ReplicationHealth));
    judge(v, summary, system);
}

static const char *heartbeat_word(uint64_t code)
{
    switch (code) {
    case 2:
        return "ok";
    case 6:
        return "error";
    case 12:
        return "no_contact";
    case 13:
        return "lost_communication";
    default:
        return NULL;
    }
}

static const char *replication_word(uint64_t state)
{
    static const char *const words[] = {
        "disabled",
        "ready_for_replication",
        "waiting_for_initial_replication",
        "replicating",
        "synced",
        "recovered",
        "committed",
        "suspended",
        "critical",
        "waiting_for_resynchronization",
        "resynchronizing",
        "resynchronization_suspended",
        "failover_in_progress",
    };

    return state < PV_COUNT(words) ? words[state] : "unknown";
}

static void put_guest_state(const struct map *m, const struct seen *v, bool summary)
{
    const char *word = heartbeat_word(v->heartbeat);

    if (word)
        pv_vm_guest_state(m->b, word);
    else if (summary)
        PV_CLEAR(m->b, vm, guest_state);
    if (!summary)
        return;
    if (v->words.power != PV_POWER_STATE_RUNNING)
        pv_vm_tools_state(m->b, PV_TOOLS_STATE_NOT_RUNNING);
    else if (v->heartbeat == 2 || v->heartbeat == 6)
        pv_vm_tools_state(m->b, PV_TOOLS_STATE_RUNNING);
    else if (v->heartbeat == 12 || v->heartbeat == 13)
        pv_vm_tools_state(m->b, PV_TOOLS_STATE_NOT_RUNNING);
    else
        pv_vm_tools_state(m->b, PV_TOOLS_STATE_UNKNOWN);
    pv_vm_tools_version_state(m->b, v->services == 1   ? PV_TOOLS_VERSION_STATE_CURRENT
                                    : v->services == 2 ? PV_TOOLS_VERSION_STATE_OLD
                                                       : PV_TOOLS_VERSION_STATE_UNKNOWN);
}

void map_vm_state(const struct map *m, const struct sight_owner *o)
{
    bool summary = sight_one(o, SIGHT_SUMMARY) != NULL;
    char number[24];
    struct seen v;

    look(o, &v);
    if (v.has_state) {
        pv_vm_power_state(m->b, v.words.power);
        pv_vm_activity(m->b, v.activity);
        (void)snprintf(number, sizeof(number), "%u", (unsigned)v.state);
        pv_vm_native_state(m->b, number);
    }
    if (v.has_health) {
        pv_vm_health(m->b, v.health);
        pv_vm_health_reasons(m->b, v.reasons, v.nreasons);
    }
    put_guest_state(m, &v, summary);
    if (v.replication > 0)
        pv_vm_replication_state(m->b, replication_word(v.replication));
    else if (summary)
        PV_CLEAR(m->b, vm, replication_state);
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return h;
}

uint64_t map_vm_state_hash(const struct map *m, const struct sight_owner *o)
{
    const char *name = cim_str(sight_one(o, SIGHT_SYSTEM), P(Msvm_ComputerSystem, ElementName));
    uint64_t h = sight_one(o, SIGHT_SUMMARY) ? 7 : 3;
    struct seen v;

    (void)m;
    look(o, &v);
    h = mix(mix(mix(h, v.state), (uint64_t)v.activity), (uint64_t)v.health);
    h = mix(mix(mix(h, v.heartbeat), v.replication), v.services);
    for (size_t i = 0; i < v.nreasons; i++)
        for (const char *p = v.reasons[i]; *p; p++)
            h = mix(h, (unsigned char)*p);
    for (; name && *name; name++)
        h = mix(h, (unsigned char)*name);
    return h;
}

void map_upper(const char *guid, char out[SIGHT_GUID])
{
    size_t i = 0;

    for (; guid[i] && i + 1 < SIGHT_GUID; i++)
        out[i] = guid[i] >= 'a' && guid[i] <= 'z' ? (char)(guid[i] - 32) : guid[i];
    out[i] = '\0';
}

void map_vm_id(const struct sight_owner *o, char out[SIGHT_GUID])
{
    map_upper(o->guid, out);
}

int64_t map_boot_time(const struct map *m, const struct sight_owner *o)
{
    uint64_t up = 0;
    struct seen v;

    look(o, &v);
    if (v.words.power != PV_POWER_STATE_RUNNING && v.words.power != PV_POWER_STATE_PAUSED)
        return 0;
    if (!cim_get_uint(sight_one(o, SIGHT_SUMMARY), P(Msvm_SummaryInformation, UpTime), &up))
        (void)cim_get_uint(sight_one(o, SIGHT_SYSTEM), P(Msvm_ComputerSystem, OnTimeInMilliseconds),
                           &up);
    if (up == 0 || up >= UINT64_C(1) << 50)
        return 0;
    return m->steady ? m->steady(m->steady_ctx, o, m->now_ms - (int64_t)up)
                     : m->now_ms - (int64_t)up;
}

/* What does not run uses nothing, and shows no numbers of when it did. */
static void clear_usage(struct pv_builder *b)
{
    PV_CLEAR(b, usage, cpu_usage_pct);
    PV_CLEAR(b, usage, cpu_usage_mhz);
    PV_CLEAR(b, usage, mem_usage_bytes);
    PV_CLEAR(b, usage, uptime_s);
    PV_CLEAR(b, usage, net_rx_bps);
    PV_CLEAR(b, usage, net_tx_bps);
    PV_CLEAR(b, usage, net_drops_ps);
    PV_CLEAR(b, usage, disk_read_bps);
    PV_CLEAR(b, usage, disk_write_bps);
    PV_CLEAR(b, usage, disk_read_iops);
    PV_CLEAR(b, usage, disk_write_iops);
}

static void put_rates(struct pv_builder *b, const struct vm_rates *r)
{
    if (r->net) {
        pv_usage_net_rx_bps(b, r->received);
        pv_usage_net_tx_bps(b, r->sent);
        pv_usage_net_drops_ps(b, r->drops);
    }
    if (r->disk) {
        pv_usage_disk_read_bps(b, r->read);
        pv_usage_disk_write_bps(b, r->written);
        pv_usage_disk_read_iops(b, r->read_ops);
        pv_usage_disk_write_iops(b, r->written_ops);
    }
}

void map_vm_usage(const struct map *m, const struct sight_owner *o, const struct vm_rates *rates)
{
    const struct cim_instance *summary = sight_one(o, SIGHT_SUMMARY);
    char id[SIGHT_GUID];
    uint64_t n, load, cpus;
    struct seen v;

    if (!summary)
        return;
    map_vm_id(o, id);
    look(o, &v);
    pv_usage_begin(m->b, id, NULL);
    pv_usage_subject_kind(m->b, (uint64_t)PV_KIND_vm);
    pv_usage_time(m->b, m->now_ms);
    if (v.words.power != PV_POWER_STATE_RUNNING && v.words.power != PV_POWER_STATE_PAUSED) {
        clear_usage(m->b);
        return;
    }
    if (rates)
        put_rates(m->b, rates);
    if (cim_get_uint(summary, P(Msvm_SummaryInformation, ProcessorLoad), &load) && load <= 100) {
        pv_usage_cpu_usage_pct(m->b, load);
        if (m->w && m->w->mhz > 0 &&
            cim_get_uint(summary, P(Msvm_SummaryInformation, NumberOfProcessors), &cpus) &&
            cpus <= 4096)
            pv_usage_cpu_usage_mhz(m->b, load * cpus * m->w->mhz / 100);
    }
    if (cim_get_uint(summary, P(Msvm_SummaryInformation, MemoryUsage), &n) && n < 1u << 30)
        pv_usage_mem_usage_bytes(m->b, n << 20);
    if (cim_get_uint(summary, P(Msvm_SummaryInformation, UpTime), &n))
        pv_usage_uptime_s(m->b, n / 1000);
}
