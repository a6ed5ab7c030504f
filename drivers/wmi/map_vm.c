/* SPDX-License-Identifier: Apache-2.0 */
/* A VM as a whole: identity, firmware, processors, memory, guest, autostart. */
#include "drivers/wmi/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "drivers/wmi/kvp.h"

#define BOOT_MOST 32
#define DATA_MOST 16384
#define NOTES_MOST 4096
#define SECRET_TEMPLATE_MOST 40

static bool is_generation_2(const struct cim_instance *settings)
{
    return sight_same(cim_str(settings, P(Msvm_VirtualSystemSettingData, VirtualSystemSubType)),
                      "Microsoft:Hyper-V:SubType:2");
}

/* ------------------------------------------------------------------ identity */

static void put_notes(const struct map *m, const struct cim_instance *settings)
{
    unsigned n = cim_count(settings, P(Msvm_VirtualSystemSettingData, Notes));
    struct buf text;

    buf_init(&text, 1 << 20);
    for (unsigned i = 0; i < n; i++) {
        const char *line = cim_str_at(settings, P(Msvm_VirtualSystemSettingData, Notes), i);

        if (line && *line)
            buf_printf(&text, text.len ? "\n%s" : "%s", line);
    }
    if (buf_ok(&text))
        pv_vm_annotation(m->b, text.data ? text.data : "");
    buf_free(&text);
}

static void put_place(const struct map *m, const struct cim_instance *settings, const char *guid)
{
    const struct world_role *role = world_role(m->w, guid);
    const char *root = cim_str(settings, P(Msvm_VirtualSystemSettingData, ConfigurationDataRoot));
    const char *file = cim_str(settings, P(Msvm_VirtualSystemSettingData, ConfigurationFile));
    char number[32];

    pv_vm_host(m->b, m->w->host_id);
    if (m->w->cluster_id)
        pv_vm_cluster(m->b, m->w->cluster_id);
    else
        PV_CLEAR(m->b, vm, cluster);
    if (!role) {
        PV_CLEAR(m->b, vm, ha_priority);
    } else if (role->priority != UINT32_MAX) {
        static const char *const words[] = { "none", "low", "medium", "high" };

        (void)snprintf(number, sizeof(number), "%u", role->priority);
        pv_vm_ha_priority(m->b, role->priority % 1000 == 0 && role->priority <= 3000
                                    ? words[role->priority / 1000]
                                    : number);
    } else {
        pv_vm_ha_priority(m->b, "medium");
    }
    if (root && file)
        pv_vm_native_path(
            m->b, arena_printf(m->s->a, str_ends(root, "\\") ? "%s%s" : "%s\\%s", root, file));
}

static void put_identity(const struct map *m, const struct sight_owner *o,
                         const struct cim_instance *settings)
{
    const char *name = cim_str(settings, P(Msvm_VirtualSystemSettingData, ElementName));
    char guid[SIGHT_GUID];
    int64_t ms;

    pv_vm_name(m->b, name ? name : "");
    pv_vm_native_type(m->b, "Msvm_ComputerSystem");
    pv_vm_uuid(m->b, o->guid);
    if (sight_guid(cim_str(settings, P(Msvm_VirtualSystemSettingData, BIOSGUID)), 0, guid))
        pv_vm_bios_uuid(m->b, guid);
    pv_vm_is_template(m->b, false);
    pv_vm_hardware_version(m->b, cim_str(settings, P(Msvm_VirtualSystemSettingData, Version)));
    if (cim_get_time(settings, P(Msvm_VirtualSystemSettingData, CreationTime), &ms))
        pv_vm_created_natively_at(m->b, ms);
    put_notes(m, settings);
    put_place(m, settings, o->guid);
}

/* ------------------------------------------------------------------ firmware and boot */

static const char *secure_boot_template(const char *id, char unknown[SECRET_TEMPLATE_MOST])
{
    static const struct {
        const char *guid, *name;
    } known[] = {
        { "1734c6e8-3154-4dda-ba5f-a874cc483422", "MicrosoftWindows" },
        { "272e7447-90a4-4563-a4b9-8e4ab00526ce", "MicrosoftUEFICertificateAuthority" },
        { "4292ae2b-ee2c-42b5-a969-dd8f8689f6f3", "OpenSourceShieldedVM" },
    };
    char guid[SIGHT_GUID];

    if (!sight_guid(id, 0, guid))
        return NULL;
    for (size_t i = 0; i < PV_COUNT(known); i++)
        if (strcmp(known[i].guid, guid) == 0)
            return known[i].name;
    (void)str_copy(unknown, SECRET_TEMPLATE_MOST, guid);
    return unknown;
}

static void put_security(const struct map *m, const struct sight_owner *o, bool gen2)
{
    const struct cim_instance *security = sight_one(o, SIGHT_SECURITY);
    const struct cim_instance *summary = sight_one(o, SIGHT_SUMMARY);
    bool shielded = cim_bool(summary, P(Msvm_SummaryInformation, Shielded));

    if (security || !gen2)
        pv_vm_tpm(m->b, cim_bool(security, P(Msvm_SecuritySettingData, TpmEnabled)));
    if (security || !gen2)
        pv_vm_encrypted(
            m->b, shielded ||
                      cim_bool(security, P(Msvm_SecuritySettingData, ShieldingRequested)) ||
                      cim_bool(security, P(Msvm_SecuritySettingData, DataProtectionRequested)) ||
                      cim_bool(security,
                               P(Msvm_SecuritySettingData, EncryptStateAndVmMigrationTraffic)));
}

/* A boot entry names a device with "\B" behind its InstanceID; what it is, its settings say. */
static const char *boot_word(const struct map *m, const struct sight_owner *o, const char *path)
{
    const char *id = sight_path_key(m->s->a, path, "InstanceID");
    const enum sight_list nics[] = { SIGHT_NIC, SIGHT_LEGACY_NIC };
    uint64_t type;
    size_t len;

    if (!id)
        return NULL;
    len = strlen(id);
    if (len > 2 && strcasecmp(id + len - 2, "\\B") == 0)
        id = arena_text(m->s->a, id, len - 2);
    for (size_t n = 0; n < PV_COUNT(nics); n++)
        for (const struct sight_item *i = o->lists[nics[n]]; i; i = i->next)
            if (sight_same(sight_id(i->o), id))
                return "network";
    for (const struct sight_item *i = o->lists[SIGHT_RESOURCE]; i; i = i->next) {
        if (!sight_same(sight_id(i->o), id))
            continue;
        type = cim_uint(i->o, P(Msvm_ResourceAllocationSettingData, ResourceType));
        return type == 16 || type == 15 ? "cdrom" : type == 14 ? "floppy" : "disk";
    }
    for (const struct sight_item *i = o->lists[SIGHT_BOOT]; i; i = i->next) {
        if (!sight_path_key(m->s->a, path, "InstanceID") ||
            !sight_same(sight_id(i->o), sight_path_key(m->s->a, path, "InstanceID")))
            continue;
        type = cim_uint(i->o, P(Msvm_BootSourceSettingData, BootSourceType));
        return type == 1 ? "disk" : type == 2 ? "network" : type == 3 ? "file" : NULL;
    }
    return NULL;
}

static void put_boot(const struct map *m, const struct sight_owner *o,
                     const struct cim_instance *settings, bool gen2)
{
    static const char *const gen1_words[] = { "floppy", "cdrom", "disk", "network", "disk" };
    const char *order[BOOT_MOST];
    unsigned count;
    size_t n = 0;
    uint64_t code;

    if (gen2) {
        count = cim_count(settings, P(Msvm_VirtualSystemSettingData, BootSourceOrder));
        for (unsigned i = 0; i < count && n < BOOT_MOST; i++) {
            order[n] = boot_word(
                m, o, cim_str_at(settings, P(Msvm_VirtualSystemSettingData, BootSourceOrder), i));
            n += order[n] != NULL;
        }
    } else {
        for (unsigned i = 0; n < BOOT_MOST && cim_uint_at(settings,
                                                          P(Msvm_VirtualSystemSettingData, BootOrder),
                                                          i, &code);
             i++)
            if (code < PV_COUNT(gen1_words))
                order[n++] = gen1_words[code];
    }
    pv_vm_boot_order(m->b, order, n);
}

static void put_firmware(const struct map *m, const struct sight_owner *o,
                         const struct cim_instance *settings)
{
    bool gen2 = is_generation_2(settings);
    char unknown[SECRET_TEMPLATE_MOST];
    const char *name = secure_boot_template(
        cim_str(settings, P(Msvm_VirtualSystemSettingData, SecureBootTemplateId)), unknown);

    pv_vm_firmware(m->b, gen2 ? PV_FIRMWARE_UEFI : PV_FIRMWARE_BIOS);
    pv_vm_secure_boot_on(
        m->b, gen2 && cim_bool(settings, P(Msvm_VirtualSystemSettingData, SecureBootEnabled)));
    if (gen2 && name)
        pv_vm_secure_boot_template(m->b, name);
    else
        PV_CLEAR(m->b, vm, secure_boot_template);
    put_security(m, o, gen2);
    put_boot(m, o, settings, gen2);
}

/* ------------------------------------------------------------------ processors and memory */

/* Reserve and limit are thousandths of a percent of each of its processors. */
static uint64_t share_mhz(const struct map *m, uint64_t share, uint64_t count)
{
    return share <= 100000 && count <= 4096 ? share * count * m->w->mhz / 100000 : 0;
}

static void put_cpu(const struct map *m, const struct sight_owner *o)
{
    const struct cim_instance *cpu = sight_one(o, SIGHT_PROCESSOR);
    uint64_t count = 0, n;

    if (!cpu)
        return;
    if (cim_get_uint(cpu, P(Msvm_ProcessorSettingData, VirtualQuantity), &count))
        pv_vm_cpu_count(m->b, count);
    if (m->w->mhz > 0 && cim_get_uint(cpu, P(Msvm_ProcessorSettingData, Reservation), &n))
        pv_vm_cpu_reservation_mhz(m->b, share_mhz(m, n, count));
    if (cim_get_uint(cpu, P(Msvm_ProcessorSettingData, Limit), &n)) {
        if (n >= 100000 || n == 0)
            PV_CLEAR(m->b, vm, cpu_limit_mhz);
        else if (m->w->mhz > 0)
            pv_vm_cpu_limit_mhz(m->b, share_mhz(m, n, count));
    }
    if (cim_get_uint(cpu, P(Msvm_ProcessorSettingData, Weight), &n))
        pv_vm_cpu_weight(m->b, n);
    /* 0: as the host has it. */
    if (cim_get_uint(cpu, P(Msvm_ProcessorSettingData, HwThreadsPerCore), &n) && n > 0)
        pv_vm_cpu_threads_per_core(m->b, n);
    else
        PV_CLEAR(m->b, vm, cpu_threads_per_core);
    pv_vm_cpu_nested(
        m->b, cim_bool(cpu, P(Msvm_ProcessorSettingData, ExposeVirtualizationExtensions)));
    pv_vm_cpu_hot_add(m->b, false);
}

static bool megabytes(const struct cim_instance *o, struct cim_p_uint p, uint64_t *bytes)
{
    uint64_t mb;

    if (!cim_get_uint(o, p, &mb) || mb >= UINT64_C(1) << 33)
        return false;
    *bytes = mb << 20;
    return true;
}

static double version_of(const struct cim_instance *settings)
{
    const char *version = cim_str(settings, P(Msvm_VirtualSystemSettingData, Version));

    return version ? strtod(version, NULL) : 0;
}

static void put_memory(const struct map *m, const struct sight_owner *o,
                       const struct cim_instance *settings)
{
    const struct cim_instance *memory = sight_one(o, SIGHT_MEMORY);
    bool dynamic;
    uint64_t n;

    if (!memory)
        return;
    dynamic = cim_bool(memory, P(Msvm_MemorySettingData, DynamicMemoryEnabled));
    if (megabytes(memory, P(Msvm_MemorySettingData, VirtualQuantity), &n))
        pv_vm_memory_bytes(m->b, n);
    pv_vm_memory_dynamic(m->b, dynamic);
    if (dynamic) {
        if (megabytes(memory, P(Msvm_MemorySettingData, Reservation), &n))
            pv_vm_memory_min_bytes(m->b, n);
        if (megabytes(memory, P(Msvm_MemorySettingData, Limit), &n))
            pv_vm_memory_max_bytes(m->b, n);
        if (cim_get_uint(memory, P(Msvm_MemorySettingData, TargetMemoryBuffer), &n))
            pv_vm_memory_buffer_pct(m->b, n);
    } else {
        PV_CLEAR(m->b, vm, memory_min_bytes);
        PV_CLEAR(m->b, vm, memory_max_bytes);
        PV_CLEAR(m->b, vm, memory_buffer_pct);
    }
    if (cim_get_uint(memory, P(Msvm_MemorySettingData, Weight), &n))
        pv_vm_memory_weight(m->b, n);
    /* Since configuration version 6.2 (Windows Server 2016) memory may change while the VM runs. */
    pv_vm_memory_hot_add(m->b, dynamic || version_of(settings) >= 6.2);
}

/* ------------------------------------------------------------------ guest */

static enum pv_os_family os_family(const char *platform, const char *name)
{
    static const char *const linuxes[] = {
        "linux",  "ubuntu", "debian", "red hat", "rhel",   "centos", "suse",    "fedora",
        "oracle", "rocky",  "alma",   "photon",  "mariner", "arch",  "gentoo",  "alpine"
    };
    char low[128];
    size_t n = 0;

    if (platform && strcmp(platform, "2") == 0)
        return PV_OS_FAMILY_WINDOWS;
    if (!name || !*name)
        return PV_OS_FAMILY_UNKNOWN;
    for (; name[n] && n < sizeof(low) - 1; n++)
        low[n] = name[n] >= 'A' && name[n] <= 'Z' ? (char)(name[n] + 32) : name[n];
    low[n] = '\0';
    if (strstr(low, "windows"))
        return PV_OS_FAMILY_WINDOWS;
    if (strstr(low, "bsd"))
        return PV_OS_FAMILY_BSD;
    for (size_t i = 0; i < PV_COUNT(linuxes); i++)
        if (strstr(low, linuxes[i]))
            return PV_OS_FAMILY_LINUX;
    return PV_OS_FAMILY_OTHER;
}

static void put_addresses(const struct map *m, const struct sight_owner *o, const struct kvp *kvp)
{
    struct kvp_addresses set = { .n = 0 };

    kvp_add_list(m->s->a, &set, kvp->ipv4);
    kvp_add_list(m->s->a, &set, kvp->ipv6);
    for (const struct sight_item *i = o->lists[SIGHT_GUEST_NET]; i; i = i->next) {
        unsigned n = cim_count(i->o, P(Msvm_GuestNetworkAdapterConfiguration, IPAddresses));

        for (unsigned k = 0; k < n; k++)
            kvp_add_address(&set, cim_str_at(i->o, P(Msvm_GuestNetworkAdapterConfiguration,
                                                     IPAddresses), k));
    }
    pv_vm_guest_ip_addresses(m->b, set.items, set.n);
}

void map_vm_guest(const struct map *m, const struct sight_owner *o)
{
    const char *name = cim_str(sight_one(o, SIGHT_SUMMARY),
                               P(Msvm_SummaryInformation, GuestOperatingSystem));
    struct map_state state = map_state(
        cim_uint(sight_one(o, SIGHT_SYSTEM), P(Msvm_ComputerSystem, EnabledState)));
    struct kvp kvp;

    if (!sight_has(m->s, SIGHT_KVP))
        return;
    kvp_read(m->s->a, sight_one(o, SIGHT_KVP), &kvp);
    /* What it told last is worth keeping while it is off, but for its addresses: others may have them now. */
    if (state.power != PV_POWER_STATE_RUNNING && state.power != PV_POWER_STATE_PAUSED &&
        state.power != PV_POWER_STATE_UNKNOWN)
        kvp.ipv4 = kvp.ipv6 = NULL;
    put_addresses(m, o, &kvp);
    if (kvp.os_name)
        name = kvp.os_name;
    if (name && *name) {
        pv_vm_guest_os_name(m->b, name);
        pv_vm_guest_os_family(m->b, os_family(kvp.os_platform, name));
    }
    pv_vm_guest_os_id(m->b, kvp.os_version);
    pv_vm_guest_hostname(m->b, kvp.fqdn);
    pv_vm_tools_version(m->b, kvp.services_version);
}

/* What the host gives the guest. */
static void put_guest_data(const struct map *m, const struct sight_owner *o)
{
    const struct cim_instance *kvp = NULL;
    struct jsonw w;
    struct buf text;
    unsigned n;

    for (const struct sight_item *i = o->lists[SIGHT_COMPONENT]; i && !kvp; i = i->next)
        if (cim_is(i->o, CIM(Msvm_KvpExchangeComponentSettingData)))
            kvp = i->o;
    if (!kvp)
        return;
    buf_init(&text, DATA_MOST);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    n = cim_count(kvp, P(Msvm_KvpExchangeComponentSettingData, HostExchangeItems));
    for (unsigned i = 0; i < n && i < KVP_ITEMS_MOST; i++) {
        const char *name, *data;

        if (kvp_item(cim_emb_at(kvp, P(Msvm_KvpExchangeComponentSettingData, HostExchangeItems), i,
                                m->s->a),
                     &name, &data))
            jsonw_str(&w, name, data ? data : "");
    }
    jsonw_end(&w);
    if (buf_ok(&text))
        pv_vm_guest_data(m->b, text.data);
    buf_free(&text);
}

/* ------------------------------------------------------------------ integration services */

static const char *service_word(const struct cim_instance *o)
{
    return cim_is(o, CIM(Msvm_HeartbeatComponentSettingData))   ? "heartbeat"
           : cim_is(o, CIM(Msvm_ShutdownComponentSettingData))  ? "shutdown"
           : cim_is(o, CIM(Msvm_TimeSyncComponentSettingData))  ? "time_sync"
           : cim_is(o, CIM(Msvm_VssComponentSettingData))       ? "backup"
           : cim_is(o, CIM(Msvm_KvpExchangeComponentSettingData)) ? "data_exchange"
           : cim_is(o, CIM(Msvm_GuestServiceInterfaceComponentSettingData))
               ? "guest_files"
               : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_services(const struct map *m, const struct sight_owner *o)
{
    const char *on[16];
    size_t n = 0;

    /* A single VM's read leaves most of them out: they rarely change. */
    if (!m->whole)
        return;
    for (const struct sight_item *i = o->lists[SIGHT_COMPONENT]; i && n < PV_COUNT(on); i = i->next) {
        const struct cim_prop *state = cim_prop_find(i->o->cls, "EnabledState");

        if (!state || !service_word(i->o) ||
            cim_uint(i->o, (struct cim_p_uint){ state }) != 2)
            continue;
        on[n++] = service_word(i->o);
    }
    qsort(on, n, sizeof(on[0]), by_text);
    pv_vm_tools_services(m->b, on, n);
    if (sight_has(m->s, SIGHT_METERED))
        pv_vm_metrics_on(m->b, sight_one(o, SIGHT_METERED) != NULL);
}

/* ------------------------------------------------------------------ policies */

static void put_policies(const struct map *m, const struct cim_instance *settings)
{
    static const enum pv_checkpoint_mode modes[] = {
        PV_CHECKPOINT_MODE_UNKNOWN,  PV_CHECKPOINT_MODE_UNKNOWN,
        PV_CHECKPOINT_MODE_DISABLED, PV_CHECKPOINT_MODE_PRODUCTION,
        PV_CHECKPOINT_MODE_PRODUCTION_ONLY, PV_CHECKPOINT_MODE_STANDARD
    };
    uint64_t n = 0;
    int64_t delay;

    if (cim_get_uint(settings, P(Msvm_VirtualSystemSettingData, AutomaticStartupAction), &n)) {
        pv_vm_autostart_on(m->b, n == 3 || n == 4);
        pv_vm_autostart_start(m->b, n == 2   ? PV_AUTOSTART_NEVER
                                    : n == 3 ? PV_AUTOSTART_IF_RUNNING
                                    : n == 4 ? PV_AUTOSTART_ALWAYS
                                             : PV_AUTOSTART_UNKNOWN);
    }
    if (cim_get_interval(settings, P(Msvm_VirtualSystemSettingData, AutomaticStartupActionDelay),
                         &delay) &&
        delay >= 0)
        pv_vm_autostart_delay_s(m->b, (uint64_t)delay / 1000);
    if (cim_get_uint(settings, P(Msvm_VirtualSystemSettingData, AutomaticShutdownAction), &n))
        pv_vm_autostart_stop(m->b, n == 2   ? PV_AUTOSTOP_STOP
                                   : n == 3 ? PV_AUTOSTOP_SUSPEND
                                   : n == 4 ? PV_AUTOSTOP_SHUTDOWN
                                            : PV_AUTOSTOP_UNKNOWN);
    if (cim_get_uint(settings,
                     P(Msvm_VirtualSystemSettingData, AutomaticStartupActionSequenceNumber), &n) &&
        n > 0)
        pv_vm_autostart_order(m->b, n);
    else
        PV_CLEAR(m->b, vm, autostart_order);
    /* Before Windows Server 2016 there was one sort of checkpoint. */
    if (!cim_get_uint(settings, P(Msvm_VirtualSystemSettingData, UserSnapshotType), &n))
        n = 5;
    pv_vm_snapshots_mode(m->b, n < PV_COUNT(modes) ? modes[n] : PV_CHECKPOINT_MODE_UNKNOWN);
    pv_vm_snapshots_automatic(
        m->b, cim_bool(settings, P(Msvm_VirtualSystemSettingData, AutomaticSnapshotsEnabled)));
}

bool map_vm(const struct map *m, const struct sight_owner *o)
{
    const struct cim_instance *settings = sight_vm_settings(o);
    char id[SIGHT_GUID];
    int64_t boot;

    if (!settings)
        return false;
    map_vm_id(o, id);
    pv_vm_begin(m->b, id, o->guid);
    put_identity(m, o, settings);
    put_firmware(m, o, settings);
    put_cpu(m, o);
    put_memory(m, o, settings);
    put_policies(m, settings);
    put_guest_data(m, o);
    put_services(m, o);
    map_vm_guest(m, o);
    if (sight_one(o, SIGHT_SYSTEM) || sight_one(o, SIGHT_SUMMARY)) {
        map_vm_state(m, o);
        boot = map_boot_time(m, o);
        if (boot > 0)
            pv_vm_boot_time(m->b, boot);
        else
            PV_CLEAR(m->b, vm, boot_time);
    }
    map_vm_devices(m, o);
    map_vm_snapshots(m, o);
    return true;
}
