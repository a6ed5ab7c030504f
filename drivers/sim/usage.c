/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <polyvisor/clock.h>
#include <polyvisor/records.h>

/* A level of its own for each object, and some noise that changes with each report. */
static uint64_t level_pct(const struct sim_estate *e, uint64_t object, unsigned metric, int64_t now)
{
    uint64_t base = sim_roll(e, SIM_LOAD, object * 8 + metric) % 60;
    uint64_t noise =
        sim_roll(e, SIM_LOAD, (object * 8 + metric) ^ ((uint64_t)now / 20000 << 40)) % 30;

    /* Most machines idle: squaring favours the low end. */
    return base * base / 60 + noise / (base < 20 ? 5 : 1) + 1;
}

static void vm_usage(const struct sim_estate *e, struct pv_builder *b, uint32_t index, int64_t now)
{
    const struct sim_vm_state *s = &e->vms[index];
    struct sim_vm vm;
    uint64_t cpu, memory, io;
    char id[SIM_ID_MAX];

    if (s->absent || s->power != PV_POWER_STATE_RUNNING)
        return;
    sim_vm_traits(e, index, s->generation, &vm);
    sim_native_id(e, PV_KIND_vm, vm.number, id);
    cpu = level_pct(e, vm.number, 0, now);
    memory = level_pct(e, vm.number, 1, now);
    io = level_pct(e, vm.number, 2, now);
    pv_usage_begin(b, id, NULL);
    pv_usage_subject_kind(b, PV_KIND_vm);
    pv_usage_time(b, now);
    pv_usage_cpu_usage_pct(b, cpu);
    pv_usage_cpu_usage_mhz(b, cpu * vm.cpus * 26);
    pv_usage_cpu_ready_pct(b, cpu / 20);
    pv_usage_mem_usage_bytes(b, vm.memory_bytes / 100 * (memory > 60 ? 100 : memory + 40));
    pv_usage_mem_active_bytes(b, vm.memory_bytes / 100 * memory);
    pv_usage_mem_demand_bytes(b, vm.memory_bytes / 100 * (memory + 5));
    pv_usage_disk_read_bps(b, io * 40000 * vm.disks);
    pv_usage_disk_write_bps(b, io * 25000 * vm.disks);
    pv_usage_disk_read_iops(b, io * 3 * vm.disks);
    pv_usage_disk_write_iops(b, io * 2 * vm.disks);
    pv_usage_disk_latency_ms(b, 1 + io / 12);
    pv_usage_net_rx_bps(b, io * 9000 * vm.nics);
    pv_usage_net_tx_bps(b, io * 7000 * vm.nics);
    if (s->boot_ms && now > s->boot_ms)
        pv_usage_uptime_s(b, (uint64_t)(now - s->boot_ms) / 1000);
}

static void host_usage(const struct sim_estate *e, struct pv_builder *b, uint32_t n, int64_t now)
{
    uint64_t object = 0x1000000000u + n, cpu = level_pct(e, object, 0, now);
    uint64_t memory = 45 + level_pct(e, object, 1, now) / 2;
    char id[SIM_ID_MAX];

    sim_native_id(e, PV_KIND_host, n, id);
    pv_usage_begin(b, id, NULL);
    pv_usage_subject_kind(b, PV_KIND_host);
    pv_usage_time(b, now);
    pv_usage_cpu_usage_pct(b, cpu);
    pv_usage_mem_usage_bytes(b, sim_host_memory(e, n) / 100 * memory);
    pv_usage_net_rx_bps(b, cpu * 900000);
    pv_usage_net_tx_bps(b, cpu * 800000);
    pv_usage_power_watts(b, 180 + cpu * 4);
}

static void store_usage(const struct sim_estate *e, struct pv_builder *b, uint32_t n, int64_t now)
{
    uint64_t capacity, used;
    unsigned used_pct;
    char id[SIM_ID_MAX];

    sim_store_space(e, n, &capacity, &used_pct);
    used = capacity - capacity / 100 * (100 - used_pct);
    sim_native_id(e, PV_KIND_datastore, n, id);
    pv_usage_begin(b, id, NULL);
    pv_usage_subject_kind(b, PV_KIND_datastore);
    pv_usage_time(b, now);
    pv_usage_storage_free_bytes(b, capacity - used);
    pv_usage_storage_used_bytes(b, used);
}

uint32_t sim_usage_count(const struct sim_estate *e)
{
    return e->set.vms + e->set.hosts + e->units * e->stores_per_unit;
}

void sim_usage_send(struct sim_estate *e, struct pv_builder *b, uint32_t from, uint32_t to)
{
    int64_t now = clock_wall_ms();

    for (uint32_t i = from; i < to; i++) {
        if (i < e->set.vms) {
            pthread_mutex_lock(&e->lock);
            vm_usage(e, b, i, now);
            pthread_mutex_unlock(&e->lock);
        } else if (i < e->set.vms + e->set.hosts) {
            host_usage(e, b, i - e->set.vms, now);
        } else {
            store_usage(e, b, i - e->set.vms - e->set.hosts, now);
        }
        if (pv_builder_room(b) != PV_OK)
            return;
    }
}
