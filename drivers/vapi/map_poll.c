/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/map.h"

#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/xml.h>

static void begin(const struct map *m, const char *id, enum pv_kind kind)
{
    pv_usage_begin(m->b, id, NULL);
    pv_usage_subject_kind(m->b, (uint64_t)kind);
    pv_usage_time(m->b, clock_wall_ms());
}

static void put_mb(const struct map *m, unsigned slot, const xmlNode *quick, const char *field)
{
    uint64_t mb;

    if (value_field_u64(quick, field, &mb) && mb < 1u << 30)
        pv_put_number(m->b, PV_KIND_usage, slot, mb << 20);
}

static void put_percent(const struct map *m, uint64_t used, uint64_t whole)
{
    uint64_t pct = whole > 0 && used < UINT64_C(1) << 40 ? used * 100 / whole : 0;

    if (whole > 0)
        pv_usage_cpu_usage_pct(m->b, pct > 100 ? 100 : pct);
}

/* Health is sent again only when it differs: a poll that finds nothing new says nothing. */
static void poll_vm_health(const struct map *m, const char *id, const struct prop_values *v)
{
    const struct tree_node *node = tree_find(m->tree, id);
    bool needed;

    if (node && node->health == map_vm_health_code(v->val[PVM_STATUS], v->val[PVM_CONNECTION],
                                                   v->val[PVM_QUESTION]))
        return;
    pv_vm_begin(m->b, id, NULL);
    map_vm_health(m, id, v->val[PVM_STATUS], v->val[PVM_CONNECTION], v->val[PVM_QUESTION]);
    if (v->val[PVM_CONSOLIDATION] && xml_bool(v->val[PVM_CONSOLIDATION], &needed))
        pv_vm_consolidation_needed(m->b, needed);
}

void map_vm_usage(const struct map *m, const char *id, const struct map_load *load)
{
    const char *power = value_text(load->power);
    uint64_t n, most;

    begin(m, id, PV_KIND_vm);
    if (value_field_u64(load->storage, "committed", &n))
        pv_usage_storage_used_bytes(m->b, n);
    if (!power || strcmp(power, "poweredOn") != 0)
        return;
    if (value_field_u64(load->quick, "overallCpuUsage", &n)) {
        pv_usage_cpu_usage_mhz(m->b, n);
        if (value_u64(load->max_cpu, &most))
            put_percent(m, n, most);
    }
    put_mb(m, PV_SLOT(usage, mem_usage_bytes), load->quick, "hostMemoryUsage");
    put_mb(m, PV_SLOT(usage, mem_active_bytes), load->quick, "guestMemoryUsage");
    put_mb(m, PV_SLOT(usage, mem_balloon_bytes), load->quick, "balloonedMemory");
    if (value_field_u64(load->quick, "uptimeSeconds", &n))
        pv_usage_uptime_s(m->b, n);
}

void map_host_usage(const struct map *m, const char *id, const xmlNode *quick,
                    const xmlNode *hardware)
{
    uint64_t n, mhz, cores;

    begin(m, id, PV_KIND_host);
    if (value_field_u64(quick, "overallCpuUsage", &n)) {
        pv_usage_cpu_usage_mhz(m->b, n);
        if (value_field_u64(hardware, "cpuMhz", &mhz) &&
            value_field_u64(hardware, "numCpuCores", &cores) && mhz < 1u << 20 && cores < 1u << 20)
            put_percent(m, n, mhz * cores);
    }
    put_mb(m, PV_SLOT(usage, mem_usage_bytes), quick, "overallMemoryUsage");
    if (value_field_u64(quick, "uptime", &n))
        pv_usage_uptime_s(m->b, n);
}

void map_datastore_usage(const struct map *m, const char *id, const xmlNode *capacity,
                         const xmlNode *free_space)
{
    uint64_t whole, left;

    if (!value_u64(free_space, &left))
        return;
    begin(m, id, PV_KIND_datastore);
    pv_usage_storage_free_bytes(m->b, left);
    if (value_u64(capacity, &whole) && left <= whole)
        pv_usage_storage_used_bytes(m->b, whole - left);
}

static void poll_health(const struct map *m, enum pv_kind kind, const char *id,
                        const xmlNode *status)
{
    const struct tree_node *node = tree_find(m->tree, id);

    if (!status || (node && node->health == (int)map_status(status)))
        return;
    pv_put_begin(m->b, kind, id, NULL);
    map_health(m, kind, id, status);
}

static void poll_vm(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const struct map_load load = { v->val[PVM_POWER], v->val[PVM_QUICK], v->val[PVM_STORAGE],
                                   v->val[PVM_MAX_CPU] };

    poll_vm_health(m, ref->id, v);
    map_vm_usage(m, ref->id, &load);
}

void map_poll(const struct map *m, const struct moref *ref, const xmlNode *object)
{
    const struct prop_table *table = props_for(props_polled, ref->type);
    struct prop_values v;

    if (!table)
        return;
    props_read(table, object, &v);
    if (table == &props_vm_polled) {
        poll_vm(m, ref, &v);
    } else if (table == &props_host_polled) {
        map_host_change(m, ref, object, true);
        poll_health(m, PV_KIND_host, ref->id, v.val[PHOST_STATUS]);
        map_host_usage(m, ref->id, v.val[PHOST_QUICK], v.val[PHOST_HARDWARE]);
    } else {
        poll_health(m, PV_KIND_datastore, ref->id, v.val[PDS_STATUS]);
        map_datastore_usage(m, ref->id, v.val[PDS_CAPACITY], v.val[PDS_FREE]);
    }
}
