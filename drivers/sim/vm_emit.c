/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include "drivers/sim/doc.h"
#include "drivers/sim/files.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/model.h>
#include <polyvisor/records.h>

#define MIB (1024ull * 1024)

/* What the parts of one VM's record have in common. */
struct vm_view {
    const struct sim_estate *e;
    struct pv_builder *b;
    struct sim_vm vm;
    const struct sim_vm_state *state;
    const struct sim_snaps *snaps;
    struct sim_snaps room;
    bool vmware, running;
    char id[SIM_ID_MAX];
};

static uint32_t nic_network(const struct vm_view *v, uint32_t nic)
{
    uint32_t net = nic == 0 ? v->vm.role->net : SIM_NET_BACKUP;

    return sim_host_switch(v->e, v->state->host) * SIM_NETS + net;
}

static void nic_address(const struct vm_view *v, uint32_t nic, char out[24])
{
    uint32_t net = nic == 0 ? v->vm.role->net : SIM_NET_BACKUP;
    uint64_t n = v->vm.number, moves = v->state->ip_moves;

    /* A subnet for each network and site; the number picks the address, a new lease moves it on. */
    snprintf(out, 24, "10.%u.%u.%u", 16 + net * 32 + v->vm.unit % 32,
             (unsigned)((n / 240 + moves * 17) % 256), (unsigned)(10 + n % 240));
}

static bool tools_running(const struct vm_view *v)
{
    return v->running && v->vm.tools_installed;
}

static void put_power(const struct vm_view *v)
{
    static const char *const vim_states[] = { "unknown", "poweredOff", "poweredOn", "poweredOn",
                                              "suspended" };
    static const char *const enabled_states[] = { "0", "3", "2", "9", "6" };
    uint8_t power = v->state->power;

    pv_vm_power_state(v->b, (enum pv_power_state)power);
    pv_vm_activity(v->b, (enum pv_activity)v->state->activity);
    pv_vm_native_state(v->b, v->vmware ? vim_states[power] : enabled_states[power]);
    if (power == PV_POWER_STATE_OFF)
        PV_CLEAR(v->b, vm, boot_time);
    else if (v->state->boot_ms)
        pv_vm_boot_time(v->b, v->state->boot_ms);
    else
        pv_vm_boot_time(v->b, SIM_EPOCH_MS - (int64_t)(sim_roll(v->e, SIM_TIMES, ~v->vm.number) %
                                                       (20 * (uint64_t)SIM_DAY_MS)));
}

static void put_place(const struct vm_view *v)
{
    char other[SIM_ID_MAX], nets[2][SIM_ID_MAX];
    const char *items[2] = { nets[0], nets[1] };

    sim_native_id(v->e, PV_KIND_host, v->state->host, other);
    pv_vm_host(v->b, other);
    for (uint32_t i = 0; i < v->vm.nics; i++)
        sim_native_id(v->e, PV_KIND_network, nic_network(v, i), nets[i]);
    pv_vm_networks(v->b, items, v->vm.nics);
}

static void put_guest(const struct vm_view *v)
{
    char ips[2][24];
    const char *items[2] = { ips[0], ips[1] };
    bool on = tools_running(v);
    enum pv_tools_state tools = PV_TOOLS_STATE_RUNNING;

    for (uint32_t i = 0; i < v->vm.nics; i++)
        nic_address(v, i, ips[i]);
    if (!v->vm.tools_installed)
        tools = PV_TOOLS_STATE_NOT_INSTALLED;
    else if (!on)
        tools = PV_TOOLS_STATE_NOT_RUNNING;
    pv_vm_tools_state(v->b, tools);
    pv_vm_guest_state(v->b, on ? "running" : "notRunning");
    pv_vm_guest_ip_addresses(v->b, items, on ? v->vm.nics : 0);
}

static void put_name(const struct vm_view *v)
{
    char name[64], place[128], path[256];

    sim_vm_name(&v->vm, v->state->renames, name, sizeof(name));
    pv_vm_name(v->b, name);
    if (v->vmware) {
        sim_datacenter_name(v->e, sim_unit_datacenter(v->e, v->vm.unit), place, sizeof(place));
        snprintf(path, sizeof(path), "/%s/vm/%s/%s", place, v->vm.role->name, name);
    } else { /* Hyper-V has no tree: the folder of its configuration */
        sim_store_root(v->e, v->vm.store, place, sizeof(place));
        snprintf(path, sizeof(path), "%s%s", place, v->vm.name);
    }
    pv_vm_native_path(v->b, path);
}

static void put_health(const struct vm_view *v)
{
    static const char *const warnings[] = { "consolidation_needed", "heartbeat_lost",
                                            "replication_behind", "memory_pressure" };
    uint64_t roll = sim_roll(v->e, SIM_HEALTH, v->vm.number);
    const char *reason = NULL;
    enum pv_health health = PV_HEALTH_OK;

    if (v->vm.question) {
        health = PV_HEALTH_WARNING;
        reason = "question_pending";
    } else if (!v->vm.is_template && sim_chance(roll, 4)) {
        health = PV_HEALTH_CRITICAL;
        reason = "storage_unreachable";
    } else if (!v->vm.is_template && sim_chance(roll, 25)) {
        health = PV_HEALTH_WARNING;
        reason = warnings[roll % PV_COUNT(warnings)];
    }
    pv_vm_health(v->b, health);
    pv_vm_health_reasons(v->b, &reason, reason ? 1 : 0);
    pv_vm_consolidation_needed(v->b, reason == warnings[0]);
    if (v->vm.question)
        pv_vm_question(v->b, "{\"id\":\"_vmx1\",\"text\":\"The virtual machine may have been moved "
                             "or copied.\",\"choices\":[{\"key\":\"0\",\"label\":\"Cancel\"},"
                             "{\"key\":\"1\",\"label\":\"I moved it\"},"
                             "{\"key\":\"2\",\"label\":\"I copied it\"}],\"default\":\"2\"}");
}

static void put_tags(const struct vm_view *v)
{
    static const char *const backups[] = { "Backup=Daily", "Backup=Weekly", "Backup=None" };
    char team[32];
    const char *tags[3];

    snprintf(team, sizeof(team), "Service=%s", v->vm.role->name);
    tags[0] = backups[sim_roll(v->e, SIM_TAGS, v->vm.number) % PV_COUNT(backups)];
    tags[1] = v->vm.production ? "Environment=Production" : "Environment=Test";
    tags[2] = team;
    pv_vm_native_tags(v->b, tags, PV_COUNT(tags));
}

static void put_hardware(const struct vm_view *v)
{
    static const char *const versions[2][4] = {
        { "10.0", "11.0", "12.0", "9.0" },
        { "vmx-20", "vmx-21", "vmx-19", "vmx-21" },
    };
    const struct sim_vm *vm = &v->vm;
    struct pv_builder *b = v->b;
    uint64_t roll = sim_roll(v->e, SIM_SIZE, ~vm->number);
    bool windows = vm->os->family == PV_OS_FAMILY_WINDOWS, pairs = vm->cpus % 2 == 0;
    bool dynamic = !v->vmware && sim_chance(roll, 400);

    pv_vm_hardware_version(b, versions[v->vmware][roll % 4]);
    pv_vm_firmware(b, vm->firmware);
    pv_vm_secure_boot_on(b, vm->secure_boot);
    if (!v->vmware && vm->secure_boot)
        pv_vm_secure_boot_template(b, windows ? "MicrosoftWindows"
                                              : "MicrosoftUEFICertificateAuthority");
    pv_vm_tpm(b, vm->tpm);
    pv_vm_encrypted(b, vm->tpm && v->vmware);
    pv_vm_cpu_count(b, vm->cpus);
    pv_vm_cpu_cores_per_socket(b, pairs ? vm->cpus / 2 : vm->cpus);
    pv_vm_cpu_sockets(b, pairs ? 2 : 1);
    pv_vm_cpu_reservation_mhz(b, 0);
    PV_CLEAR(b, vm, cpu_limit_mhz);
    pv_vm_cpu_weight(b, v->vmware ? 1000ull * vm->cpus : 100);
    pv_vm_cpu_hot_add(b, v->vmware && roll % 3 == 0);
    pv_vm_cpu_nested(b, 0);
    pv_vm_memory_bytes(b, vm->memory_bytes);
    pv_vm_memory_dynamic(b, dynamic);
    if (dynamic) {
        pv_vm_memory_min_bytes(b, 512 * MIB);
        pv_vm_memory_max_bytes(b, vm->memory_bytes * 2);
        pv_vm_memory_buffer_pct(b, 20);
    }
    pv_vm_memory_hot_add(b, v->vmware && roll % 3 == 0);
    pv_vm_autostart_on(b, !v->vmware && vm->production);
    pv_vm_ha_priority(b, v->e->set.clusters ? "medium" : NULL);
    pv_vm_change_tracking(b, sim_chance(roll, 600));
}

static void put_identity(const struct vm_view *v, const char *uuid)
{
    char bios[37];

    sim_uuid(v->e, SIM_BIOS, v->vm.number, v->vmware ? 0x42 : 0, bios);
    pv_vm_native_type(v->b, v->vmware ? "VirtualMachine" : "Msvm_ComputerSystem");
    pv_vm_uuid(v->b, uuid);
    pv_vm_bios_uuid(v->b, bios);
    pv_vm_is_template(v->b, v->vm.is_template);
    pv_vm_created_natively_at(v->b, v->vm.created_ms);
}

static void put_home(const struct vm_view *v)
{
    char other[SIM_ID_MAX];
    const char *const stores[] = { other };
    uint32_t pool = !v->vm.production ? 2 : v->vm.role->desktop ? 3 : 1;

    if (v->e->set.datacenters) {
        sim_native_id(v->e, PV_KIND_datacenter, sim_unit_datacenter(v->e, v->vm.unit), other);
        pv_vm_datacenter(v->b, other);
    }
    if (v->e->set.clusters) {
        sim_native_id(v->e, PV_KIND_cluster, v->vm.unit, other);
        pv_vm_cluster(v->b, other);
    }
    if (v->vmware && !v->vm.is_template) {
        sim_native_id(v->e, PV_KIND_resource_pool, v->vm.unit * SIM_POOLS + pool, other);
        pv_vm_resource_pool(v->b, other);
    }
    sim_native_id(v->e, PV_KIND_datastore, v->vm.store, other);
    pv_vm_datastores(v->b, stores, 1);
}

static void put_software(const struct vm_view *v)
{
    const struct sim_vm *vm = &v->vm;
    char host[96];

    pv_vm_guest_os_family(v->b, vm->os->family);
    pv_vm_guest_os_name(v->b, v->vmware ? vm->os->vmware_name : vm->os->name);
    if (v->vmware)
        pv_vm_guest_os_id(v->b, vm->os->guest_id);
    if (vm->tools_installed) {
        snprintf(host, sizeof(host), "%s.corp.example", vm->name);
        for (char *c = host; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        pv_vm_guest_hostname(v->b, host);
        if (v->vmware)
            pv_vm_tools_version(v->b, vm->tools_old ? "11.3.5" : "12.4.5");
        else
            pv_vm_tools_version(v->b, vm->tools_old ? "6.3.9600.18907" : "10.0.20348.2520");
        pv_vm_tools_version_state(v->b, vm->tools_old ? PV_TOOLS_VERSION_STATE_OLD
                                                      : PV_TOOLS_VERSION_STATE_CURRENT);
    }
}

static void put_storage(const struct vm_view *v)
{
    uint64_t promised = 0, pct = 25 + sim_roll(v->e, SIM_VOLUME, ~v->vm.number) % 60;

    for (uint32_t i = 0; i < v->vm.disks; i++)
        promised += sim_disk_bytes(v->e, &v->vm, i);
    pv_vm_storage_provisioned_bytes(v->b, promised + v->vm.memory_bytes);
    pv_vm_storage_used_bytes(v->b, promised / 100 * pct);
}

static void put_snapshot_totals(const struct vm_view *v)
{
    uint64_t bytes = 0, depth = 0;
    int64_t newest = 0, oldest = 0;

    for (uint16_t i = 0; i < v->snaps->count; i++) {
        const struct sim_snap *s = &v->snaps->items[i];
        uint64_t chain = 0;

        bytes += s->size_bytes;
        if (s->taken_ms > newest)
            newest = s->taken_ms;
        if (!oldest || s->taken_ms < oldest)
            oldest = s->taken_ms;
        for (; s; s = sim_snaps_find(v->snaps, s->parent))
            chain++;
        if (chain > depth)
            depth = chain;
    }
    pv_vm_snapshots_count(v->b, v->snaps->count);
    pv_vm_snapshots_depth(v->b, depth);
    pv_vm_snapshots_bytes(v->b, bytes);
    if (newest) {
        pv_vm_snapshots_newest_at(v->b, newest);
        pv_vm_snapshots_oldest_at(v->b, oldest);
    } else {
        PV_CLEAR(v->b, vm, snapshots_newest_at);
        PV_CLEAR(v->b, vm, snapshots_oldest_at);
    }
}

/* ------------------------------------------------------------------ children */

static bool gen2(const struct vm_view *v)
{
    return v->vm.firmware == PV_FIRMWARE_UEFI;
}

static void controller(const struct vm_view *v, const char *key, const char *label, enum pv_bus bus,
                       const char *model, uint64_t number)
{
    pv_controller_begin(v->b, key, NULL);
    pv_controller_label(v->b, label);
    pv_controller_bus(v->b, bus);
    pv_controller_model(v->b, model);
    pv_controller_number(v->b, number);
    pv_controller_sharing(v->b, "none");
}

static void put_controllers(const struct vm_view *v)
{
    if (v->vmware) {
        controller(v, "1000", "SCSI controller 0", PV_BUS_SCSI,
                   v->vm.role->desktop || v->vm.os->family == PV_OS_FAMILY_BSD ? "lsilogic-sas"
                                                                               : "pvscsi",
                   0);
        controller(v, "15000", "SATA controller 0", PV_BUS_SATA, "ahci", 0);
        return;
    }
    if (!gen2(v)) {
        controller(v, "ide-0", "IDE Controller 0", PV_BUS_IDE, "ide", 0);
        controller(v, "ide-1", "IDE Controller 1", PV_BUS_IDE, "ide", 1);
    }
    controller(v, "scsi-0", "SCSI Controller", PV_BUS_SCSI, "synthetic-scsi", 0);
}

/* Files keep the name the VM was made with. */
void sim_disk_path(const struct sim_estate *e, const struct sim_vm *vm, const char *root,
                   uint32_t n, uint16_t serial, char *out, size_t cap)
{
    char number[16] = "", mark[SIM_ID_MAX + 8] = "", guid[SIM_ID_MAX];

    if (serial && sim_is_vmware(e)) {
        snprintf(mark, sizeof(mark), "-%06u", (unsigned)serial);
    } else if (serial) {
        sim_snapshot_id(e, vm->number, serial, guid);
        snprintf(mark, sizeof(mark), "_%s", guid);
    }
    if (sim_is_vmware(e)) {
        if (n)
            snprintf(number, sizeof(number), "_%u", n);
        snprintf(out, cap, "%s%s/%s%s%s.vmdk", root, vm->name, vm->name, number, mark);
    } else {
        if (n)
            snprintf(number, sizeof(number), "-data%u", n);
        snprintf(out, cap, "%s%s\\%s%s%s.%svhdx", root, vm->name, vm->name, number, mark,
                 *mark ? "a" : "");
    }
}

enum pv_provisioning sim_disk_layout(const struct sim_estate *e, const struct sim_vm *vm,
                                     uint32_t n)
{
    uint64_t roll = sim_roll(e, SIM_VOLUME, vm->number * 16 + n);

    if (!sim_is_vmware(e))
        return roll % 10 < 8 ? PV_PROVISIONING_DYNAMIC : PV_PROVISIONING_FIXED;
    return roll % 10 < 7   ? PV_PROVISIONING_THIN
           : roll % 10 < 9 ? PV_PROVISIONING_THICK_LAZY
                           : PV_PROVISIONING_THICK_EAGER;
}

static void put_disk_file(const struct vm_view *v, const char *root, uint32_t n)
{
    char path[512];
    enum pv_provisioning how = sim_disk_layout(v->e, &v->vm, n);

    sim_disk_path(v->e, &v->vm, root, n, 0, path, sizeof(path));
    if (v->snaps->count) { /* a snapshot: the VM writes to a file that differs from this one */
        pv_disk_image_parent(v->b, path);
        sim_disk_path(v->e, &v->vm, root, n, v->snaps->last_serial, path, sizeof(path));
        if (!v->vmware)
            how = PV_PROVISIONING_DIFFERENCING;
    } else {
        PV_CLEAR(v->b, disk, image_parent);
    }
    pv_disk_image_path(v->b, path);
    pv_disk_image_format(v->b, v->vmware ? PV_DISK_FORMAT_VMDK : PV_DISK_FORMAT_VHDX);
    pv_disk_image_provisioning(v->b, how);
}

static void put_disks(const struct vm_view *v)
{
    char key[SIM_ID_MAX], label[32], root[128], store[SIM_ID_MAX], uuid[37];

    sim_store_root(v->e, v->vm.store, root, sizeof(root));
    sim_native_id(v->e, PV_KIND_datastore, v->vm.store, store);
    for (uint32_t i = 0; i < v->vm.disks; i++) {
        /* Generation 1 starts from IDE only. */
        bool ide = !v->vmware && !gen2(v) && i == 0;
        /* SCSI unit 7 is the controller's own. */
        uint32_t unit = v->vmware && i >= 7 ? i + 1 : i;

        snprintf(key, sizeof(key), v->vmware ? "%u" : "disk-%u", v->vmware ? 2000 + i : i);
        snprintf(label, sizeof(label), v->vmware ? "Hard disk %u" : "Hard Drive %u", i + 1);
        sim_uuid(v->e, SIM_DISKS, v->vm.number * 16 + i, v->vmware ? 0x60 : 0, uuid);
        pv_disk_begin(v->b, key, NULL);
        pv_disk_label(v->b, label);
        pv_disk_bus(v->b, ide ? PV_BUS_IDE : PV_BUS_SCSI);
        pv_disk_bus_number(v->b, 0);
        pv_disk_unit(v->b, unit);
        pv_disk_capacity_bytes(v->b, sim_disk_bytes(v->e, &v->vm, i));
        pv_disk_mode(v->b, PV_DISK_MODE_DEPENDENT);
        pv_disk_sharing(v->b, PV_DISK_SHARING_NONE);
        pv_disk_image_datastore(v->b, store);
        put_disk_file(v, root, i);
        pv_disk_disk_uuid(v->b, uuid);
        pv_disk_boot(v->b, i == 0);
    }
}

static void put_nics(const struct vm_view *v)
{
    char key[SIM_ID_MAX], label[32], net[SIM_ID_MAX], mac[18], ip[24];
    const char *const ips[] = { ip };

    for (uint32_t i = 0; i < v->vm.nics; i++) {
        uint32_t n = nic_network(v, i);
        uint16_t vlan = sim_nets[n % SIM_NETS].vlan;

        snprintf(key, sizeof(key), v->vmware ? "%u" : "nic-%u", v->vmware ? 4000 + i : i);
        snprintf(label, sizeof(label), "Network Adapter %u", i + 1);
        sim_native_id(v->e, PV_KIND_network, n, net);
        sim_mac(v->e, v->vm.number * 2 + i, mac);
        nic_address(v, i, ip);
        pv_nic_begin(v->b, key, NULL);
        pv_nic_label(v->b, label);
        if (!v->vmware)
            pv_nic_adapter(v->b, PV_ADAPTER_SYNTHETIC);
        else
            pv_nic_adapter(v->b, v->vm.os->uefi ? PV_ADAPTER_VMXNET3 : PV_ADAPTER_E1000E);
        pv_nic_mac(v->b, mac);
        pv_nic_mac_mode(v->b, PV_MAC_MODE_AUTO);
        pv_nic_network(v->b, net);
        pv_nic_connected(v->b, v->running);
        pv_nic_connect_at_power_on(v->b, 1);
        if (!v->vmware) { /* the port's VLAN; in vSphere it is the port group's */
            pv_nic_vlan_mode(v->b, vlan ? PV_VLAN_MODE_ACCESS : PV_VLAN_MODE_UNTAGGED);
            if (vlan)
                pv_nic_vlan_id(v->b, vlan);
            pv_nic_mac_spoofing(v->b, 0);
            pv_nic_dhcp_guard(v->b, 0);
            pv_nic_router_guard(v->b, 0);
        }
        pv_nic_ip_addresses(v->b, ips, tools_running(v) ? 1 : 0);
    }
}

static void put_cdroms(const struct vm_view *v)
{
    uint64_t roll = sim_roll(v->e, SIM_CDROM, v->vm.number);
    char store[SIM_ID_MAX], root[128], path[256];

    if (sim_chance(roll, v->vm.role->desktop ? 800 : 300)) {
        pv_cdrom_none(v->b);
        return;
    }
    pv_cdrom_begin(v->b, v->vmware ? "16000" : "dvd-0", NULL);
    pv_cdrom_label(v->b, v->vmware ? "CD/DVD drive 1" : "DVD Drive");
    pv_cdrom_bus(v->b, v->vmware ? PV_BUS_SATA : gen2(v) ? PV_BUS_SCSI : PV_BUS_IDE);
    pv_cdrom_bus_number(v->b, v->vmware || gen2(v) ? 0 : 1);
    pv_cdrom_unit(v->b, !v->vmware && gen2(v) ? v->vm.disks : 0);
    if (sim_chance(roll >> 5, 80)) {
        sim_native_id(v->e, PV_KIND_datastore, v->vm.store, store);
        sim_store_root(v->e, v->vm.store, root, sizeof(root));
        snprintf(path, sizeof(path), v->vmware ? "%siso/%.24s.iso" : "%siso\\%.24s.iso", root,
                 v->vm.os->guest_id);
        pv_cdrom_datastore(v->b, store);
        pv_cdrom_path(v->b, path);
    } else {
        PV_CLEAR(v->b, cdrom, datastore);
        PV_CLEAR(v->b, cdrom, path);
    }
    pv_cdrom_connected(v->b, 0);
    pv_cdrom_connect_at_power_on(v->b, 0);
}

static void put_snapshots(const struct vm_view *v)
{
    char id[SIM_ID_MAX];

    if (!v->snaps->count)
        pv_snapshot_none(v->b);
    for (uint16_t i = 0; i < v->snaps->count; i++) {
        const struct sim_snap *s = &v->snaps->items[i];

        sim_snapshot_id(v->e, v->vm.number, s->serial, id);
        pv_snapshot_begin(v->b, id, NULL);
        pv_snapshot_name(v->b, s->name);
        if (s->parent) {
            sim_snapshot_id(v->e, v->vm.number, s->parent, id);
            pv_snapshot_parent(v->b, id);
        } else {
            PV_CLEAR(v->b, snapshot, parent);
        }
        pv_snapshot_description(v->b, s->description);
        pv_snapshot_taken_at(v->b, s->taken_ms);
        pv_snapshot_snapshot_type(v->b, !v->vmware && s->quiesced ? PV_SNAPSHOT_TYPE_PRODUCTION
                                                                  : PV_SNAPSHOT_TYPE_STANDARD);
        pv_snapshot_memory(v->b, s->memory);
        pv_snapshot_quiesced(v->b, s->quiesced);
        pv_snapshot_size_bytes(v->b, s->size_bytes);
        pv_snapshot_current(v->b, s->serial == v->snaps->current);
        pv_snapshot_power_state(v->b, s->power);
    }
}

/* Devices that people changed come from their document, the others from the seed. */
static void put_devices(const struct vm_view *v, enum pv_kind kind,
                        void (*seed)(const struct vm_view *v))
{
    if (!v->state->doc || !sim_doc_put_devices(v->b, model_kind(kind), v->state->doc))
        seed(v);
}

static const char *doc_text(const struct sim_vm_state *s, const char *name)
{
    const char *text = json_string_value(json_object_get(s->doc, name));

    return text ? text : "";
}

void sim_vm_display(const struct sim_estate *e, const struct sim_vm *vm, char *name, size_t cap,
                    char id[SIM_ID_MAX])
{
    const struct sim_vm_state *s = &e->vms[vm->index];
    const char *own = sim_doc_text(json_object_get(s->doc, "fields"), "name");

    if (own[0])
        snprintf(name, cap, "%s", own);
    else
        sim_vm_name(vm, s->renames, name, cap);
    if (sim_vm_is_made(e, vm->index))
        snprintf(id, SIM_ID_MAX, "%s", doc_text(s, "native_id"));
    else
        sim_native_id(e, PV_KIND_vm, vm->number, id);
}

/* A VM that people made: what is fixed stands in its document. */
static void put_made(const struct vm_view *v)
{
    pv_vm_native_type(v->b, v->vmware ? "VirtualMachine" : "Msvm_ComputerSystem");
    put_home(v);
    pv_vm_health(v->b, PV_HEALTH_OK);
    pv_vm_health_reasons(v->b, NULL, 0);
}

static void put_fixed(const struct vm_view *v, const char *uuid)
{
    put_identity(v, uuid);
    put_home(v);
    put_hardware(v);
    put_software(v);
    put_storage(v);
    put_health(v);
    if (v->vmware)
        put_tags(v);
}

static void put_children(const struct vm_view *v, uint32_t parts)
{
    bool fixed = parts & SIM_PART_FIXED;

    if (fixed)
        put_devices(v, PV_KIND_controller, put_controllers);
    if (parts & (SIM_PART_SNAPS | SIM_PART_FIXED))
        put_devices(v, PV_KIND_disk, put_disks);
    if (parts & (SIM_PART_GUEST | SIM_PART_PLACE | SIM_PART_FIXED))
        put_devices(v, PV_KIND_nic, put_nics);
    if (fixed)
        put_devices(v, PV_KIND_cdrom, put_cdroms);
    if (parts & (SIM_PART_SNAPS | SIM_PART_FIXED)) {
        put_snapshots(v);
        sim_vm_images_emit(v->e, v->b, v->vm.index);
    }
}

void sim_emit_vm(const struct sim_estate *e, struct pv_builder *b, uint32_t index, uint32_t parts)
{
    struct vm_view v = { .e = e, .b = b, .state = &e->vms[index], .vmware = sim_is_vmware(e) };
    bool made = sim_vm_is_made(e, index);
    char uuid[37], name[129];

    v.running = v.state->power == PV_POWER_STATE_RUNNING;
    sim_vm_traits(e, index, v.state->generation, &v.vm);
    v.snaps = sim_snaps_get(e, index, &v.room);
    sim_vm_display(e, &v.vm, name, sizeof(name), v.id);
    sim_uuid(e, SIM_INSTANCE, v.vm.number, 0x50, uuid);
    if (!v.vmware)
        for (size_t i = 0; i < sizeof(uuid); i++) /* a Hyper-V VM's GUID is its native id */
            uuid[i] = (char)tolower((unsigned char)v.id[i]);
    if (made)
        snprintf(uuid, sizeof(uuid), "%.36s", doc_text(v.state, "identity"));

    pv_vm_begin(b, v.id, uuid);
    if (parts & SIM_PART_NAME)
        put_name(&v);
    if (parts & SIM_PART_POWER)
        put_power(&v);
    if (parts & SIM_PART_PLACE)
        put_place(&v);
    if (parts & SIM_PART_GUEST)
        put_guest(&v);
    if (parts & SIM_PART_SNAPS)
        put_snapshot_totals(&v);
    if (made && (parts & SIM_PART_FIXED))
        put_made(&v);
    else if (parts & SIM_PART_FIXED)
        put_fixed(&v, uuid);
    if (v.state->doc)
        sim_doc_put(b, model_kind(PV_KIND_vm), json_object_get(v.state->doc, "fields"));
    put_children(&v, parts);
}
