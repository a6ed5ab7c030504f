/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/map.h"

#include <string.h>

#include <polyvisor/xml.h>

static void begin(const struct map *m, const char *id, enum pv_kind kind, int64_t now_ms)
{
    pv_usage_begin(m->b, id, NULL);
    pv_usage_subject_kind(m->b, (uint64_t)kind);
    pv_usage_time(m->b, now_ms);
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

static void poll_vm(const struct map *m, const struct moref *ref, const struct prop_values *v,
                    int64_t now_ms)
{
    const xmlNode *quick = v->val[PVM_QUICK];
    const char *power = value_text(v->val[PVM_POWER]);
    uint64_t n, most;

    poll_vm_health(m, ref->id, v);
    begin(m, ref->id, PV_KIND_vm, now_ms);
    if (value_u64(value_at(v->val[PVM_STORAGE], "committed"), &n))
        pv_usage_storage_used_bytes(m->b, n);
    if (!power || strcmp(power, "poweredOn") != 0)
        return;
    if (value_field_u64(quick, "overallCpuUsage", &n)) {
        pv_usage_cpu_usage_mhz(m->b, n);
        if (value_u64(v->val[PVM_MAX_CPU], &most))
            put_percent(m, n, most);
    }
    put_mb(m, PV_SLOT(usage, mem_usage_bytes), quick, "hostMemoryUsage");
    put_mb(m, PV_SLOT(usage, mem_active_bytes), quick, "guestMemoryUsage");
    put_mb(m, PV_SLOT(usage, mem_balloon_bytes), quick, "balloonedMemory");
    if (value_field_u64(quick, "uptimeSeconds", &n))
        pv_usage_uptime_s(m->b, n);
}

static void poll_health(const struct map *m, enum pv_kind kind, const char *id, const xmlNode *status)
{
    const struct tree_node *node = tree_find(m->tree, id);

    if (!status || (node && node->health == (int)map_status(status)))
        return;
    pv_put_begin(m->b, kind, id, NULL);
    map_health(m, kind, id, status);
}

static void poll_host(const struct map *m, const struct moref *ref, const xmlNode *object,
                      const struct prop_values *v, int64_t now_ms)
{
    const xmlNode *quick = v->val[PHOST_QUICK], *hardware = v->val[PHOST_HARDWARE];
    uint64_t n, mhz, cores;

    map_host_change(m, ref, object, true);
    poll_health(m, PV_KIND_host, ref->id, v->val[PHOST_STATUS]);
    begin(m, ref->id, PV_KIND_host, now_ms);
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

static void poll_datastore(const struct map *m, const struct moref *ref, const struct prop_values *v,
                           int64_t now_ms)
{
    uint64_t capacity, free_bytes;

    poll_health(m, PV_KIND_datastore, ref->id, v->val[PDS_STATUS]);
    begin(m, ref->id, PV_KIND_datastore, now_ms);
    if (!value_u64(v->val[PDS_FREE], &free_bytes))
        return;
    pv_usage_storage_free_bytes(m->b, free_bytes);
    if (value_u64(v->val[PDS_CAPACITY], &capacity) && free_bytes <= capacity)
        pv_usage_storage_used_bytes(m->b, capacity - free_bytes);
}

void map_poll(const struct map *m, const struct moref *ref, const xmlNode *object, int64_t now_ms)
{
    const struct prop_table *table = props_for(props_polled, ref->type);
    struct prop_values v;

    if (!table)
        return;
    props_read(table, object, &v);
    if (table == &props_vm_polled)
        poll_vm(m, ref, &v, now_ms);
    else if (table == &props_host_polled)
        poll_host(m, ref, object, &v, now_ms);
    else
        poll_datastore(m, ref, &v, now_ms);
}
