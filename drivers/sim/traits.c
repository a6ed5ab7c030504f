/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>

#define GIB (1024ull * 1024 * 1024)

enum os_number {
    UBUNTU22,
    UBUNTU24,
    DEBIAN12,
    RHEL8,
    RHEL9,
    SLES15,
    WIN2012,
    WIN2016,
    WIN2019,
    WIN2022,
    WIN10,
    WIN11,
    FREEBSD
};

#define LINUX PV_OS_FAMILY_LINUX
#define WINDOWS PV_OS_FAMILY_WINDOWS
#define BSD PV_OS_FAMILY_BSD

static const struct sim_os systems[] = {
    [UBUNTU22] = { LINUX, "ubuntu64Guest", "Ubuntu Linux (64-bit)", "Ubuntu 22.04.5 LTS", true },
    [UBUNTU24] = { LINUX, "ubuntu64Guest", "Ubuntu Linux (64-bit)", "Ubuntu 24.04.2 LTS", true },
    [DEBIAN12] = { LINUX, "debian12_64Guest", "Debian GNU/Linux 12 (64-bit)",
                   "Debian GNU/Linux 12 (bookworm)", true },
    [RHEL8] = { LINUX, "rhel8_64Guest", "Red Hat Enterprise Linux 8 (64-bit)",
                "Red Hat Enterprise Linux 8.10", false },
    [RHEL9] = { LINUX, "rhel9_64Guest", "Red Hat Enterprise Linux 9 (64-bit)",
                "Red Hat Enterprise Linux 9.4", true },
    [SLES15] = { LINUX, "sles15_64Guest", "SUSE Linux Enterprise 15 (64-bit)",
                 "SUSE Linux Enterprise Server 15 SP6", true },
    [WIN2012] = { WINDOWS, "windows8Server64Guest", "Microsoft Windows Server 2012 (64-bit)",
                  "Windows Server 2012 R2 Standard", false },
    [WIN2016] = { WINDOWS, "windows9Server64Guest", "Microsoft Windows Server 2016 (64-bit)",
                  "Windows Server 2016 Standard", false },
    [WIN2019] = { WINDOWS, "windows2019srv_64Guest", "Microsoft Windows Server 2019 (64-bit)",
                  "Windows Server 2019 Standard", true },
    [WIN2022] = { WINDOWS, "windows2019srvNext_64Guest", "Microsoft Windows Server 2022 (64-bit)",
                  "Windows Server 2022 Datacenter", true },
    [WIN10] = { WINDOWS, "windows9_64Guest", "Microsoft Windows 10 (64-bit)",
                "Windows 10 Enterprise", true },
    [WIN11] = { WINDOWS, "windows11_64Guest", "Microsoft Windows 11 (64-bit)",
                "Windows 11 Enterprise", true },
    [FREEBSD] = { BSD, "freebsd13_64Guest", "FreeBSD 13 (64-bit)", "FreeBSD 13.3-RELEASE", false },
};

/* Weights add up to 100. */
static const struct sim_role roles[] = {
    { "web", 14, 2, 4, 1, SIM_NET_DMZ, { UBUNTU22, UBUNTU24, DEBIAN12, RHEL9 }, 20, false },
    { "app", 14, 4, 8, 2, SIM_NET_PROD, { RHEL9, RHEL8, UBUNTU22, WIN2019 }, 30, false },
    { "sql", 6, 4, 32, 3, SIM_NET_DB, { WIN2019, WIN2022, WIN2022, WIN2016 }, 10, false },
    { "pg", 4, 4, 16, 2, SIM_NET_DB, { DEBIAN12, RHEL9, UBUNTU22, UBUNTU24 }, 10, false },
    { "ora", 2, 8, 64, 4, SIM_NET_DB, { RHEL8, RHEL8, RHEL9, SLES15 }, 10, false },
    { "sap", 3, 8, 64, 3, SIM_NET_PROD, { SLES15, SLES15, RHEL8, SLES15 }, 20, false },
    { "dc", 2, 2, 4, 1, SIM_NET_PROD, { WIN2019, WIN2022, WIN2016, WIN2022 }, 0, false },
    { "file", 3, 2, 8, 3, SIM_NET_PROD, { WIN2019, WIN2022, WIN2012, WIN2019 }, 10, false },
    { "mail", 2, 4, 16, 2, SIM_NET_DMZ, { WIN2019, WIN2019, DEBIAN12, RHEL8 }, 10, false },
    { "k8s", 10, 4, 16, 1, SIM_NET_PROD, { UBUNTU22, UBUNTU24, UBUNTU24, RHEL9 }, 10, false },
    { "mon", 2, 2, 8, 2, SIM_NET_MGMT, { DEBIAN12, DEBIAN12, UBUNTU24, RHEL9 }, 10, false },
    { "fw", 1, 2, 2, 1, SIM_NET_DMZ, { FREEBSD, FREEBSD, FREEBSD, FREEBSD }, 0, false },
    { "ci", 4, 4, 8, 1, SIM_NET_PROD, { UBUNTU24, DEBIAN12, WIN2022, UBUNTU22 }, 150, false },
    { "bkp", 2, 4, 8, 2, SIM_NET_BACKUP, { WIN2019, RHEL9, WIN2022, DEBIAN12 }, 20, false },
    { "dev", 8, 2, 4, 1, SIM_NET_PROD, { UBUNTU24, DEBIAN12, WIN2022, RHEL9 }, 350, false },
    { "test", 6, 2, 4, 1, SIM_NET_PROD, { RHEL9, UBUNTU22, WIN2019, SLES15 }, 400, false },
    { "vdi", 17, 2, 4, 1, SIM_NET_VDI, { WIN11, WIN11, WIN10, WIN11 }, 200, true },
};

static const struct sim_role *pick_role(uint64_t roll)
{
    unsigned at = (unsigned)(roll % 100);

    for (size_t i = 0; i + 1 < PV_COUNT(roles); i++) {
        if (at < roles[i].weight)
            return &roles[i];
        at -= roles[i].weight;
    }
    return &roles[PV_COUNT(roles) - 1];
}

static void pick_size(const struct sim_estate *e, struct sim_vm *vm)
{
    uint64_t roll = sim_roll(e, SIM_SIZE, vm->number);

    /* Doubled with odds of one in three, twice with one in nine. */
    vm->cpus = vm->role->cpus;
    vm->memory_bytes = vm->role->gib * GIB;
    for (int i = 0; i < 2 && roll % 3 == 0; i++, roll /= 3) {
        vm->cpus *= 2;
        vm->memory_bytes *= 2;
    }
    vm->disks = vm->role->disks + (sim_roll(e, SIM_DISKS, vm->number) % 5 == 0 ? 1u : 0u);
    vm->nics = 1 + sim_chance(sim_roll(e, SIM_NICS, vm->number), vm->role->desktop ? 0 : 180);
}

static void pick_firmware(const struct sim_estate *e, struct sim_vm *vm)
{
    uint64_t roll = sim_roll(e, SIM_FIRMWARE, vm->number);
    bool windows = vm->os->family == PV_OS_FAMILY_WINDOWS;

    vm->firmware = vm->os->uefi && !sim_chance(roll, 150) ? PV_FIRMWARE_UEFI : PV_FIRMWARE_BIOS;
    if (vm->os == &systems[WIN11])
        vm->firmware = PV_FIRMWARE_UEFI;
    vm->secure_boot =
        vm->firmware == PV_FIRMWARE_UEFI && !sim_chance(roll >> 3, windows ? 50 : 500);
    vm->tpm = vm->secure_boot && (vm->os == &systems[WIN11] || sim_chance(roll >> 7, 80));
}

/* "web-fra-012", "sql-prod-003", "vdi-00431", "tpl-rhel9-007": the number makes it unique. */
static void first_name(const struct sim_estate *e, struct sim_vm *vm)
{
    uint64_t roll = sim_roll(e, SIM_NAME_FORM, vm->number);
    bool by_site = roll % 2 || vm->role->off_permille > 100; /* no "test-test-012" */
    unsigned number = (unsigned)vm->number + 1;

    /* Hyper-V hosts stand side by side in one company: each counts from a number of its own. */
    if (!sim_is_vmware(e))
        number += (unsigned)(sim_roll(e, SIM_SITE, 4) % 900);
    if (vm->is_template)
        snprintf(vm->name, sizeof(vm->name), "tpl-%.5s-%03u", vm->os->guest_id, number);
    else if (vm->role->desktop)
        snprintf(vm->name, sizeof(vm->name), "%s-%05u", vm->role->name, number);
    else
        snprintf(vm->name, sizeof(vm->name), "%s-%s-%03u", vm->role->name,
                 by_site          ? sim_unit_site(e, vm->unit)
                 : vm->production ? "prod"
                                  : "test",
                 number);
    /* Hyper-V's Windows administrators like capitals. */
    if (!sim_is_vmware(e) && vm->os->family == PV_OS_FAMILY_WINDOWS)
        for (char *c = vm->name; *c; c++)
            *c = (char)toupper((unsigned char)*c);
}

/* Little of what the seed says holds for it. */
static void made_by_people(const struct sim_estate *e, struct sim_vm *vm)
{
    const struct sim_vm_state *s = &e->vms[vm->index];
    const json_t *fields = json_object_get(s->doc, "fields");

    vm->unit = sim_host_unit(e, s->host);
    vm->store = (uint32_t)json_integer_value(json_object_get(s->doc, "store"));
    vm->is_template = json_is_true(json_object_get(fields, "template"));
    vm->tools_installed = json_is_true(json_object_get(s->doc, "tools"));
    vm->question = false;
    vm->disks = vm->nics = 0;
    vm->memory_bytes = (uint64_t)json_integer_value(json_object_get(fields, "memory.bytes"));
    snprintf(vm->name, sizeof(vm->name), "%.47s",
             json_string_value(json_object_get(s->doc, "first_name"))
                 ? json_string_value(json_object_get(s->doc, "first_name"))
                 : "");
}

void sim_vm_traits(const struct sim_estate *e, uint32_t index, uint32_t generation,
                   struct sim_vm *out)
{
    struct sim_vm vm = { .index = index };
    uint64_t roll, tools;

    vm.number = sim_vm_is_made(e, index) ? SIM_MADE_FIRST + (index - e->set.vms)
                                         : index + (uint64_t)generation * e->set.vms;
    roll = sim_roll(e, SIM_ROLE, vm.number);
    vm.role = pick_role(roll >> 8);
    vm.os = &systems[vm.role->os[sim_roll(e, SIM_OS, vm.number) % PV_COUNT(vm.role->os)]];
    vm.unit = sim_host_unit(e, (uint32_t)(sim_roll(e, SIM_HOST, vm.number) % e->set.hosts));
    vm.store = vm.unit * e->stores_per_unit +
               (uint32_t)(sim_roll(e, SIM_STORE, vm.number) % e->stores_per_unit);
    vm.production = strcmp(vm.role->name, "dev") != 0 && strcmp(vm.role->name, "test") != 0 &&
                    !sim_chance(sim_roll(e, SIM_NAME_FORM, vm.number), 150);
    vm.created_ms =
        SIM_EPOCH_MS -
        (int64_t)((20 + sim_roll(e, SIM_TIMES, vm.number) % 1400) * (uint64_t)SIM_DAY_MS) +
        (int64_t)(roll % SIM_DAY_MS);
    vm.is_template = sim_is_vmware(e) && sim_chance(roll, 12);
    pick_size(e, &vm);
    pick_firmware(e, &vm);
    tools = sim_roll(e, SIM_TOOLS, vm.number);
    vm.tools_installed = !sim_chance(tools, 40);
    vm.tools_old = sim_chance(tools >> 5, 170);
    vm.question = sim_is_vmware(e) && sim_chance(tools >> 9, 2);
    first_name(e, &vm);
    if (sim_vm_is_made(e, index))
        made_by_people(e, &vm);
    *out = vm;
}

void sim_vm_name(const struct sim_vm *vm, unsigned renames, char *out, size_t cap)
{
    if (renames)
        snprintf(out, cap, "%s-v%u", vm->name, renames + 1);
    else
        snprintf(out, cap, "%s", vm->name);
}

enum pv_power_state sim_vm_first_power(const struct sim_estate *e, const struct sim_vm *vm)
{
    uint64_t roll = sim_roll(e, SIM_POWER, vm->number);

    if (vm->is_template || sim_chance(roll, vm->role->off_permille + 20))
        return PV_POWER_STATE_OFF;
    if (sim_chance(roll >> 5, 5))
        return PV_POWER_STATE_SUSPENDED;
    if (!sim_is_vmware(e) && sim_chance(roll >> 9, 3))
        return PV_POWER_STATE_PAUSED;
    return PV_POWER_STATE_RUNNING;
}

uint64_t sim_disk_bytes(const struct sim_estate *e, const struct sim_vm *vm, uint32_t disk)
{
    static const uint16_t data_gib[] = { 50, 100, 100, 200, 250, 500, 1024, 2048 };
    bool windows = vm->os->family == PV_OS_FAMILY_WINDOWS;

    if (disk == 0)
        return (windows ? 100 : 40) * GIB;
    return data_gib[sim_roll(e, SIM_DISKS, vm->number * 16 + disk) % PV_COUNT(data_gib)] * GIB;
}

void sim_vm_first_snaps(const struct sim_estate *e, const struct sim_vm *vm, struct sim_snaps *out)
{
    static const struct {
        const char *name, *description;
    } texts[] = {
        { "before update", "Taken before the monthly updates" },
        { "clean install", "" },
        { "before migration", "Remove when the new version has run for a week" },
        { "before schema change", "" },
        { "backup", "Made by the backup software" },
    };
    uint64_t roll = sim_roll(e, SIM_SNAPS, vm->number);
    uint16_t count = 0;

    if (vm->number >= SIM_MADE_FIRST) {
        out->count = out->last_serial = out->current = 0;
        return;
    }
    if (!vm->is_template && sim_chance(roll, 3))
        count = 8;
    else if (!vm->is_template && sim_chance(roll, 130))
        count = (uint16_t)(1 + roll % 3);
    out->count = out->last_serial = out->current = count;
    for (uint16_t i = 0; i < count; i++) {
        uint64_t dice = sim_roll(e, SIM_SNAPS, vm->number * SIM_SNAPS_MAX + i + 1);
        size_t text = dice % PV_COUNT(texts);
        bool memory = sim_chance(dice, 250);

        out->items[i] = (struct sim_snap){
            .name = texts[text].name,
            .description = texts[text].description,
            .taken_ms = SIM_EPOCH_MS - (int64_t)((uint64_t)(count - i) * 11 * SIM_DAY_MS) +
                        (int64_t)(dice % SIM_DAY_MS),
            .size_bytes = (1 + dice % 20) * GIB / 2 + (memory ? vm->memory_bytes : 0),
            .serial = (uint16_t)(i + 1),
            /* Now and then a branch: the third follows the first. */
            .parent = (uint16_t)(i == 2 && dice % 4 == 0 ? 1 : i),
            .power = memory ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF,
            .memory = memory,
            .quiesced = !memory && dice % 2 == 0,
        };
    }
}
