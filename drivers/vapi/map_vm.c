/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/map.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#define QUESTION_MOST 4096
#define ADDRESSES_MOST 64

enum pv_power_state map_power(const char *text)
{
    if (text && strcmp(text, "poweredOn") == 0)
        return PV_POWER_STATE_RUNNING;
    if (text && strcmp(text, "poweredOff") == 0)
        return PV_POWER_STATE_OFF;
    if (text && strcmp(text, "suspended") == 0)
        return PV_POWER_STATE_SUSPENDED;
    return PV_POWER_STATE_UNKNOWN;
}

static void put_power(const struct map *m, const xmlNode *power)
{
    const char *text = value_text(power);

    if (!text)
        return;
    pv_vm_power_state(m->b, map_power(text));
    pv_vm_native_state(m->b, text);
}

static void put_activity(const struct map *m, const xmlNode *guest_state)
{
    const char *text = value_text(guest_state);
    enum pv_activity activity = PV_ACTIVITY_NONE;

    if (text && strcmp(text, "shuttingDown") == 0)
        activity = PV_ACTIVITY_SHUTTING_DOWN;
    else if (text && strcmp(text, "resetting") == 0)
        activity = PV_ACTIVITY_RESETTING;
    pv_vm_activity(m->b, activity);
    if (text)
        pv_vm_guest_state(m->b, text);
}

struct vm_health {
    enum pv_health health;
    const char *reasons[4];
    size_t n;
};

/* The server's own word for a VM it has lost is worth more than its colour. */
static void judge(const xmlNode *status, const xmlNode *connection, const xmlNode *question,
                  struct vm_health *out)
{
    static const char *const lost[] = { "orphaned", "inaccessible", "invalid" };
    const char *text = value_text(connection);

    *out = (struct vm_health){ .health = map_status(status) };
    if (out->health > PV_HEALTH_OK)
        out->reasons[out->n++] = out->health == PV_HEALTH_CRITICAL ? "status_red" : "status_yellow";
    for (size_t i = 0; text && i < sizeof(lost) / sizeof(lost[0]); i++) {
        if (strcmp(text, lost[i]) == 0) {
            out->health = PV_HEALTH_CRITICAL;
            out->reasons[out->n++] = lost[i];
        }
    }
    if (text && strcmp(text, "disconnected") == 0) {
        out->health = PV_HEALTH_UNKNOWN;
        out->reasons[out->n++] = "disconnected";
    }
    if (xml_first(question)) {
        if (out->health < PV_HEALTH_WARNING)
            out->health = PV_HEALTH_WARNING;
        out->reasons[out->n++] = "question_pending";
    }
}

static int health_code(const struct vm_health *h)
{
    uint64_t hash = (uint64_t)h->health;

    for (size_t i = 0; i < h->n; i++)
        hash = hash * 31 + tree_hash(h->reasons[i]);
    return (int)(hash & 0x7fffffff);
}

int map_vm_health_code(const xmlNode *status, const xmlNode *connection, const xmlNode *question)
{
    struct vm_health h;

    judge(status, connection, question, &h);
    return health_code(&h);
}

void map_vm_health(const struct map *m, const char *id, const xmlNode *status,
                   const xmlNode *connection, const xmlNode *question)
{
    struct tree_node *node = tree_find(m->tree, id);
    struct vm_health h;

    judge(status, connection, question, &h);
    pv_vm_health(m->b, h.health);
    pv_vm_health_reasons(m->b, h.reasons, h.n);
    if (node)
        node->health = health_code(&h);
}

static void put_text(struct pv_builder *b, unsigned slot, const xmlNode *value, bool sure)
{
    const char *text = value_text(value);

    if (text)
        pv_put_text(b, PV_KIND_vm, slot, text);
    else if (sure)
        pv_put_number(b, PV_KIND_vm, slot, PV_NULL);
}

#define TEXT(field, number) put_text(m->b, PV_SLOT(vm, field), v->val[number], sure)

static void put_bool(struct pv_builder *b, unsigned slot, const xmlNode *value)
{
    bool yes;

    if (value && xml_bool(value, &yes))
        pv_put_number(b, PV_KIND_vm, slot, yes);
}

#define BOOL(field, number) put_bool(m->b, PV_SLOT(vm, field), v->val[number])

static void put_place(const struct map *m, const struct moref *ref, const xmlNode *host)
{
    const char *id = value_ref_id(host);
    const struct tree_node *at;

    if (id) {
        pv_vm_host(m->b, id);
        at = tree_above(m->tree, id, TREE_CLUSTER);
        if (at)
            pv_vm_cluster(m->b, at->id);
        else
            PV_CLEAR(m->b, vm, cluster);
    }
    at = map_datacenter(m, ref->id);
    if (at)
        pv_vm_datacenter(m->b, at->id);
}

static void put_refs(const struct map *m, unsigned slot, const xmlNode *value)
{
    const char *items[MAP_LIST_MOST];
    size_t n = map_list(value, items, MAP_LIST_MOST);

    if (value)
        pv_put_list(m->b, PV_KIND_vm, slot, items, n);
}

static void put_allocation(const struct map *m, const xmlNode *cpu, const xmlNode *memory)
{
    uint64_t n;

    if (value_field_u64(cpu, "reservation", &n))
        pv_vm_cpu_reservation_mhz(m->b, n);
    if (value_field_u64(cpu, "limit", &n))
        pv_vm_cpu_limit_mhz(m->b, n);
    else if (cpu)
        PV_CLEAR(m->b, vm, cpu_limit_mhz);
    if (value_u64(value_at(cpu, "shares.shares"), &n))
        pv_vm_cpu_weight(m->b, n);
    if (value_field_u64(memory, "reservation", &n) && n < 1u << 30)
        pv_vm_memory_reservation_bytes(m->b, n << 20);
    if (value_field_u64(memory, "limit", &n) && n < 1u << 30)
        pv_vm_memory_limit_bytes(m->b, n << 20);
    else if (memory)
        PV_CLEAR(m->b, vm, memory_limit_bytes);
    if (value_u64(value_at(memory, "shares.shares"), &n))
        pv_vm_memory_weight(m->b, n);
}

static void put_hardware(const struct map *m, const xmlNode *hardware)
{
    uint64_t cpus, cores, mb;

    if (value_field_u64(hardware, "numCPU", &cpus)) {
        pv_vm_cpu_count(m->b, cpus);
        if (value_field_u64(hardware, "numCoresPerSocket", &cores) && cores > 0) {
            pv_vm_cpu_cores_per_socket(m->b, cores);
            pv_vm_cpu_sockets(m->b, (cpus + cores - 1) / cores);
        }
    }
    if (value_field_u64(hardware, "memoryMB", &mb) && mb < 1u << 30)
        pv_vm_memory_bytes(m->b, mb << 20);
}

static void put_boot(const struct map *m, const xmlNode *firmware, const xmlNode *options)
{
    static const char *const types[][2] = {
        { "VirtualMachineBootOptionsBootableDiskDevice", "disk" },
        { "VirtualMachineBootOptionsBootableCdromDevice", "cdrom" },
        { "VirtualMachineBootOptionsBootableEthernetDevice", "network" },
        { "VirtualMachineBootOptionsBootableFloppyDevice", "floppy" },
    };
    const char *text = value_text(firmware), *order[32];
    size_t n = 0;
    bool secure;

    if (text)
        pv_vm_firmware(m->b, strcmp(text, "efi") == 0    ? PV_FIRMWARE_UEFI
                             : strcmp(text, "bios") == 0 ? PV_FIRMWARE_BIOS
                                                         : PV_FIRMWARE_UNKNOWN);
    if (!options)
        return;
    if (value_field_bool(options, "efiSecureBootEnabled", &secure))
        pv_vm_secure_boot_on(m->b, secure);
    for (const xmlNode *o = xml_first(options); o && n < 32; o = xml_next(o)) {
        const char *type = xml_is(o, NULL, "bootOrder") ? xml_xsi_type(o) : NULL;

        for (size_t i = 0; type && i < 4; i++)
            if (strcmp(type, types[i][0]) == 0)
                order[n++] = types[i][1];
    }
    pv_vm_boot_order(m->b, order, n);
}

static enum pv_os_family os_family(const char *family, const char *id)
{
    static const char *const linuxes[] = {
        "ubuntu", "debian",       "rhel",    "centos", "sles",       "opensuse",  "oracleLinux",
        "coreos", "vmwarePhoton", "asianux", "fedora", "rockylinux", "almalinux", "amazonlinux",
        "crxPod", "mandr",        "suse",    "redhat", "turboLinux"
    };

    if ((family && strcmp(family, "windowsGuest") == 0) || (id && str_starts(id, "win")))
        return PV_OS_FAMILY_WINDOWS;
    if (family && strcmp(family, "linuxGuest") == 0)
        return PV_OS_FAMILY_LINUX;
    if (id && str_starts(id, "freebsd"))
        return PV_OS_FAMILY_BSD;
    if (id && (strstr(id, "Linux") || strstr(id, "linux")))
        return PV_OS_FAMILY_LINUX;
    for (size_t i = 0; id && i < sizeof(linuxes) / sizeof(linuxes[0]); i++)
        if (str_starts(id, linuxes[i]))
            return PV_OS_FAMILY_LINUX;
    return family || id ? PV_OS_FAMILY_OTHER : PV_OS_FAMILY_UNKNOWN;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_addresses(const struct map *m, const xmlNode *first, const xmlNode *net)
{
    const char *all[ADDRESSES_MOST];
    const char *one = value_text(first);
    size_t n = 0, kept = 0;

    if (one)
        all[n++] = one;
    for (const xmlNode *card = xml_first(net); card; card = xml_next(card))
        for (const xmlNode *ip = xml_child(card, NULL, "ipAddress"); ip && n < ADDRESSES_MOST;
             ip = xml_next_named(ip, NULL, "ipAddress"))
            if (value_text(ip))
                all[n++] = value_text(ip);
    qsort(all, n, sizeof(all[0]), compare);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(all[kept - 1], all[i]) != 0)
            all[kept++] = all[i];
    pv_vm_guest_ip_addresses(m->b, all, kept);
}

static void put_tools_state(const struct map *m, const xmlNode *running,
                            const xmlNode *version_status)
{
    const char *state = value_text(running), *status = value_text(version_status);

    if (status && strcmp(status, "guestToolsNotInstalled") == 0)
        pv_vm_tools_state(m->b, PV_TOOLS_STATE_NOT_INSTALLED);
    else if (state)
        pv_vm_tools_state(m->b, strcmp(state, "guestToolsRunning") == 0 ? PV_TOOLS_STATE_RUNNING
                                : strcmp(state, "guestToolsNotRunning") == 0
                                    ? PV_TOOLS_STATE_NOT_RUNNING
                                    : PV_TOOLS_STATE_UNKNOWN);
    if (!status)
        return;
    if (strcmp(status, "guestToolsCurrent") == 0 || strcmp(status, "guestToolsSupportedNew") == 0)
        pv_vm_tools_version_state(m->b, PV_TOOLS_VERSION_STATE_CURRENT);
    else if (strcmp(status, "guestToolsUnmanaged") == 0)
        pv_vm_tools_version_state(m->b, PV_TOOLS_VERSION_STATE_UNMANAGED);
    else if (strstr(status, "Old") || strcmp(status, "guestToolsNeedUpgrade") == 0)
        pv_vm_tools_version_state(m->b, PV_TOOLS_VERSION_STATE_OLD);
    else
        pv_vm_tools_version_state(m->b, PV_TOOLS_VERSION_STATE_UNKNOWN);
}

static void put_guest(const struct map *m, const struct prop_values *v, bool sure)
{
    const char *id = value_text(v->val[VM_GUEST_ID]);
    const char *family = value_text(v->val[VM_GUEST_FAMILY]);
    const char *name = value_text(v->val[VM_GUEST_FULL]);

    if (!name)
        name = value_text(v->val[VM_GUEST_NAME]);
    if (id || family)
        pv_vm_guest_os_family(m->b, os_family(family, id));
    pv_vm_guest_os_name(m->b, name);
    pv_vm_guest_os_id(m->b, id);
    TEXT(guest_hostname, VM_GUEST_HOST);
    if (sure)
        put_addresses(m, v->val[VM_GUEST_IP], v->val[VM_GUEST_NET]);
    put_tools_state(m, v->val[VM_TOOLS], v->val[VM_TOOLS_STATUS]);
    /* "0" is what hosts say where there are no tools. */
    if (value_text(v->val[VM_TOOLS_VERSION]) &&
        strcmp(value_text(v->val[VM_TOOLS_VERSION]), "0") == 0)
        PV_CLEAR(m->b, vm, tools_version);
    else
        TEXT(tools_version, VM_TOOLS_VERSION);
    put_activity(m, v->val[VM_GUEST_STATE]);
}

static void put_question(const struct map *m, const xmlNode *question, bool sure)
{
    struct jsonw w;
    struct buf text;

    if (!xml_first(question)) {
        if (sure)
            PV_CLEAR(m->b, vm, question);
        return;
    }
    buf_init(&text, QUESTION_MOST);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "id", value_field(question, "id"));
    jsonw_str(&w, "text", value_field(question, "text"));
    jsonw_array(&w, "choices");
    for (const xmlNode *c = xml_first(xml_child(question, NULL, "choice")); c; c = xml_next(c)) {
        if (!xml_is(c, NULL, "choiceInfo"))
            continue;
        jsonw_object(&w, NULL);
        jsonw_str(&w, "key", value_field(c, "key"));
        jsonw_str(&w, "label", value_field(c, "label"));
        jsonw_end(&w);
    }
    jsonw_end(&w);
    jsonw_end(&w);
    if (buf_ok(&text))
        pv_vm_question(m->b, text.data);
    buf_free(&text);
}

static void put_storage(const struct map *m, const xmlNode *storage)
{
    uint64_t committed, uncommitted = 0;

    if (!value_field_u64(storage, "committed", &committed))
        return;
    (void)value_field_u64(storage, "uncommitted", &uncommitted);
    pv_vm_storage_used_bytes(m->b, committed);
    pv_vm_storage_provisioned_bytes(m->b, committed + uncommitted);
}

static void put_times(const struct map *m, const struct prop_values *v, bool sure)
{
    int64_t ms;

    if (value_time(v->val[VM_BOOT], &ms))
        pv_vm_boot_time(m->b, ms);
    else if (sure)
        PV_CLEAR(m->b, vm, boot_time);
    /* Hosts that do not know it write the beginning of 1970. */
    if (value_time(v->val[VM_CREATED], &ms) && ms > 0)
        pv_vm_created_natively_at(m->b, ms);
}

static void put_extra(const struct map *m, const struct prop_values *v)
{
    struct jsonw w;
    struct buf text;
    const char *vmx = value_text(v->val[VM_VMX]);

    if (!vmx)
        return;
    buf_init(&text, 2048);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "vmx", vmx);
    jsonw_end(&w);
    if (buf_ok(&text))
        pv_vm_native_extra(m->b, text.data);
    buf_free(&text);
}

static void put_config(const struct map *m, const struct prop_values *v, bool sure)
{
    BOOL(is_template, VM_TEMPLATE);
    pv_vm_uuid(m->b, value_text(v->val[VM_INSTANCE]));
    pv_vm_bios_uuid(m->b, value_text(v->val[VM_UUID]));
    pv_vm_hardware_version(m->b, value_text(v->val[VM_VERSION]));
    put_boot(m, v->val[VM_FIRMWARE], v->val[VM_BOOT_OPTIONS]);
    pv_vm_encrypted(m->b, xml_first(v->val[VM_KEY_ID]) != NULL);
    put_hardware(m, v->val[VM_HARDWARE]);
    put_allocation(m, v->val[VM_CPU_ALLOC], v->val[VM_MEM_ALLOC]);
    BOOL(cpu_hot_add, VM_CPU_HOT);
    BOOL(memory_hot_add, VM_MEM_HOT);
    BOOL(cpu_nested, VM_NESTED);
    BOOL(change_tracking, VM_CBT);
    TEXT(annotation, VM_ANNOTATION);
    put_extra(m, v);
}

/* What both the listing and the change feed name of a VM. */
#define STATE_OF(v, k)                                                                             \
    {                                                                                              \
        value_text((v)->val[k##_POWER]), value_text((v)->val[k##_CONNECTION]),                     \
            value_text((v)->val[k##_HOST]), value_text((v)->val[k##_POOL]),                        \
            value_text((v)->val[k##_GUEST_HOST]), value_text((v)->val[k##_GUEST_IP]),              \
            value_text((v)->val[k##_TOOLS]), value_text((v)->val[k##_GUEST_STATE]),                \
            value_text((v)->val[k##_TEMPLATE]), value_text((v)->val[k##_CHANGE]),                  \
            value_field((v)->val[k##_SNAPSHOT], "currentSnapshot"),                                \
            value_field((v)->val[k##_QUESTION], "id")                                              \
    }

static void remember(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const char *const state[] = STATE_OF(v, VM);
    const char *change = value_text(v->val[VM_CHANGE]);
    struct tree_node *node = tree_find(m->tree, ref->id);

    if (!node)
        return;
    node->state = tree_hash_list(state, sizeof(state) / sizeof(state[0]));
    if (change)
        node->mark = tree_hash(change);
}

void map_vm(const struct map *m, const struct moref *ref, const xmlNode *object)
{
    struct prop_values values, *v = &values;
    struct map_load load;
    const char *connection;
    bool sure;

    props_read(&props_vm, object, v);
    connection = value_text(v->val[VM_CONNECTION]);
    /* A host that is away takes the VM's configuration and guest with it; that is no news about the
     * VM. */
    sure = !v->forbidden && v->val[VM_HARDWARE] &&
           (!connection || strcmp(connection, "connected") == 0);

    pv_vm_begin(m->b, ref->id, value_text(v->val[VM_INSTANCE]));
    if (tree_find(m->tree, ref->id))
        pv_vm_name(m->b, tree_find(m->tree, ref->id)->name);
    put_power(m, v->val[VM_POWER]);
    put_place(m, ref, v->val[VM_HOST]);
    if (value_ref_id(v->val[VM_POOL]))
        pv_vm_resource_pool(m->b, value_ref_id(v->val[VM_POOL]));
    else if (sure)
        PV_CLEAR(m->b, vm, resource_pool);
    put_refs(m, PV_SLOT(vm, datastores), v->val[VM_DATASTORES]);
    put_refs(m, PV_SLOT(vm, networks), v->val[VM_NETWORKS]);
    if (v->val[VM_HARDWARE])
        put_config(m, v, sure);
    put_guest(m, v, sure);
    put_storage(m, v->val[VM_STORAGE]);
    put_times(m, v, sure);
    put_question(m, v->val[VM_QUESTION], sure);
    BOOL(consolidation_needed, VM_CONSOLIDATION);
    map_common(m, PV_KIND_vm, ref, NULL);
    map_vm_health(m, ref->id, v->val[VM_STATUS], v->val[VM_CONNECTION], v->val[VM_QUESTION]);
    if (v->val[VM_HARDWARE])
        map_devices(m, v->val[VM_HARDWARE], v->val[VM_GUEST_NET]);
    if (sure || v->val[VM_SNAPSHOT])
        map_snapshots(m, v->val[VM_SNAPSHOT]);
    remember(m, ref, v);
    load = (struct map_load){ v->val[VM_POWER], v->val[VM_QUICK], v->val[VM_STORAGE],
                              v->val[VM_MAX_CPU] };
    map_vm_usage(m, ref->id, &load);
}

bool map_vm_is_news(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    const char *const state[] = STATE_OF(v, WVM);
    const struct tree_node *node = tree_find(m->tree, ref->id);

    return !node || node->state != tree_hash_list(state, sizeof(state) / sizeof(state[0]));
}

/* Changes that concern more than the changed field (devices are connected as the power goes):
 * reading the VM again is one call for many of them. */
static bool needs_reading(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    static const int deep[] = { WVM_NAME,      WVM_PARENT,   WVM_VAPP,       WVM_CONNECTION,
                                WVM_QUESTION,  WVM_POOL,     WVM_DATASTORES, WVM_NETWORKS,
                                WVM_INSTANCE,  WVM_TEMPLATE, WVM_GUEST_IP,   WVM_SNAPSHOT,
                                WVM_ANNOTATION, WVM_POWER };
    const struct tree_node *node = tree_find(m->tree, ref->id);
    const char *change = value_text(v->val[WVM_CHANGE]);

    for (size_t i = 0; i < sizeof(deep) / sizeof(deep[0]); i++)
        if (v->known[deep[i]])
            return true;
    return change && (!node || tree_hash(change) != node->mark);
}

/* Is there anything in the change that is told at once? */
static bool says_something(const struct prop_values *v)
{
    static const int told[] = { WVM_POWER,      WVM_HOST,  WVM_CPUS,       WVM_MEMORY,
                                WVM_GUEST_HOST, WVM_TOOLS, WVM_GUEST_STATE };

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        if (v->known[told[i]])
            return true;
    return false;
}

bool map_vm_change(const struct map *m, const struct moref *ref, const struct prop_values *v)
{
    uint64_t n;

    if (!says_something(v))
        return !needs_reading(m, ref, v);
    pv_vm_begin(m->b, ref->id, value_text(v->val[WVM_INSTANCE]));
    put_power(m, v->val[WVM_POWER]);
    if (v->val[WVM_HOST])
        put_place(m, ref, v->val[WVM_HOST]);
    if (value_u64(v->val[WVM_CPUS], &n))
        pv_vm_cpu_count(m->b, n);
    if (value_u64(v->val[WVM_MEMORY], &n) && n < 1u << 30)
        pv_vm_memory_bytes(m->b, n << 20);
    pv_vm_guest_hostname(m->b, value_text(v->val[WVM_GUEST_HOST]));
    if (v->known[WVM_TOOLS])
        put_tools_state(m, v->val[WVM_TOOLS], NULL);
    if (v->known[WVM_GUEST_STATE])
        put_activity(m, v->val[WVM_GUEST_STATE]);
    return !needs_reading(m, ref, v);
}
