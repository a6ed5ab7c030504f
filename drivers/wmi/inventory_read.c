/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/inventory_read.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

/* What it means that a class is refused. */
enum role {
    ROLE_NEEDED,   /* no VM can be described without: the listing is partial */
    ROLE_WANTED,   /* partial if for lack of rights; a host that does not know the class has none of
                      it */
    ROLE_OPTIONAL, /* details */
};

struct question {
    const struct cim_class *cls;
    uint8_t list; /* enum sight_list */
    uint8_t part;
    uint8_t role;
    bool single; /* asked for one VM, too: by InstanceID */
    const char *where;
};

/* Drives and controllers, not the keyboard, mouse and video that each VM has. */
#define DRIVES                                                                                     \
    "ResourceType = 5 OR ResourceType = 6 OR ResourceType = 14 OR ResourceType = 16 OR "           \
    "ResourceType = 17"

/* Services that hosts of VMs stand on. `needed`: without it nothing of Hyper-V can be seen or done
 * from here. */
static const struct {
    const char *name;
    bool needed;
} services[] = {
    { "vmms", true },     { "vmcompute", false }, { "WinRM", true },
    { "Winmgmt", true },  { "nvspwmi", false },   { "hns", false },
    { "ClusSvc", false }, { "MSiSCSI", false },   { "W32Time", false },
};
#define SERVICES                                                                                   \
    "Name = 'vmms' OR Name = 'vmcompute' OR Name = 'WinRM' OR Name = 'Winmgmt' OR "                \
    "Name = 'nvspwmi' OR Name = 'hns' OR Name = 'ClusSvc' OR Name = 'MSiSCSI' OR Name = 'W32Time'"

static const struct question questions[] = {
    /* First of all: without this service there are no VMs to be seen, which means nothing. */
    { CIM(Win32_Service), SIGHT_SERVICE, READ_CONFIG | READ_HOST, ROLE_OPTIONAL, false, SERVICES },

    { CIM(Msvm_VirtualSystemManagementService), SIGHT_MANAGER, READ_CONFIG, ROLE_NEEDED, false,
      NULL },
    { CIM(Msvm_VirtualSystemSettingData), SIGHT_SETTINGS, READ_CONFIG, ROLE_NEEDED, true, NULL },
    { CIM(Msvm_ProcessorSettingData), SIGHT_PROCESSOR, READ_CONFIG, ROLE_NEEDED, true, NULL },
    { CIM(Msvm_MemorySettingData), SIGHT_MEMORY, READ_CONFIG, ROLE_NEEDED, true, NULL },
    { CIM(Msvm_ResourceAllocationSettingData), SIGHT_RESOURCE, READ_CONFIG, ROLE_NEEDED, true,
      DRIVES },
    { CIM(Msvm_StorageAllocationSettingData), SIGHT_STORAGE, READ_CONFIG, ROLE_NEEDED, true, NULL },
    { CIM(Msvm_SyntheticEthernetPortSettingData), SIGHT_NIC, READ_CONFIG, ROLE_NEEDED, true, NULL },
    { CIM(Msvm_EmulatedEthernetPortSettingData), SIGHT_LEGACY_NIC, READ_CONFIG, ROLE_NEEDED, true,
      NULL },
    { CIM(Msvm_EthernetPortAllocationSettingData), SIGHT_PORT, READ_CONFIG | READ_PORTS,
      ROLE_NEEDED, true, NULL },
    { CIM(Msvm_EthernetSwitchPortVlanSettingData), SIGHT_VLAN, READ_CONFIG | READ_PORTS,
      ROLE_WANTED, true, NULL },
    { CIM(Msvm_EthernetSwitchPortSecuritySettingData), SIGHT_GUARD, READ_CONFIG, ROLE_OPTIONAL,
      true, NULL },
    { CIM(Msvm_EthernetSwitchPortBandwidthSettingData), SIGHT_BANDWIDTH, READ_CONFIG, ROLE_OPTIONAL,
      true, NULL },
    { CIM(Msvm_SecuritySettingData), SIGHT_SECURITY, READ_CONFIG, ROLE_OPTIONAL, true, NULL },
    { CIM(Msvm_BootSourceSettingData), SIGHT_BOOT, READ_CONFIG, ROLE_OPTIONAL, true, NULL },
    { CIM(Msvm_SerialPortSettingData), SIGHT_SERIAL, READ_CONFIG, ROLE_OPTIONAL, true, NULL },
    { CIM(Msvm_KvpExchangeComponentSettingData), SIGHT_COMPONENT, READ_CONFIG, ROLE_OPTIONAL, true,
      NULL },
    { CIM(Msvm_MostCurrentSnapshotInBranch), SIGHT_BRANCH, READ_EXTRA, ROLE_OPTIONAL, false, NULL },
    { CIM(Msvm_HeartbeatComponentSettingData), SIGHT_COMPONENT, READ_EXTRA, ROLE_OPTIONAL, false,
      NULL },
    { CIM(Msvm_ShutdownComponentSettingData), SIGHT_COMPONENT, READ_EXTRA, ROLE_OPTIONAL, false,
      NULL },
    { CIM(Msvm_TimeSyncComponentSettingData), SIGHT_COMPONENT, READ_EXTRA, ROLE_OPTIONAL, false,
      NULL },
    { CIM(Msvm_VssComponentSettingData), SIGHT_COMPONENT, READ_EXTRA, ROLE_OPTIONAL, false, NULL },
    { CIM(Msvm_GuestServiceInterfaceComponentSettingData), SIGHT_COMPONENT, READ_EXTRA,
      ROLE_OPTIONAL, false, NULL },
    { CIM(Msvm_MetricDefForME), SIGHT_METERED, READ_EXTRA, ROLE_OPTIONAL, false,
      "MetricCollectionEnabled = 2" },

    { CIM(Msvm_KvpExchangeComponent), SIGHT_KVP, READ_GUEST, ROLE_OPTIONAL, true, NULL },
    { CIM(Msvm_GuestNetworkAdapterConfiguration), SIGHT_GUEST_NET, READ_GUEST, ROLE_OPTIONAL, true,
      NULL },

    { CIM(Msvm_VirtualEthernetSwitch), SIGHT_SWITCH, READ_PLACES | READ_LOAD, ROLE_NEEDED, false,
      NULL },
    { CIM(Msvm_VirtualEthernetSwitchSettingData), SIGHT_SWITCH_SETTING, READ_PLACES, ROLE_WANTED,
      false, NULL },
    { CIM(Msvm_ExternalEthernetPort), SIGHT_UPLINK, READ_PLACES, ROLE_OPTIONAL, false, NULL },
    { CIM(Msvm_EthernetSwitchExtension), SIGHT_EXTENSION, READ_PLACES, ROLE_OPTIONAL, false,
      "EnabledState = 2" },
    { CIM(Win32_Volume), SIGHT_VOLUME, READ_PLACES | READ_LOAD, ROLE_WANTED, false, NULL },
    { CIM(Win32_LogicalDisk), SIGHT_SHARE, READ_PLACES, ROLE_OPTIONAL, false, "DriveType = 4" },
    { CIM(MSCluster_Cluster), SIGHT_CLUSTER, READ_PLACES, ROLE_OPTIONAL, false, NULL },
    { CIM(MSCluster_Node), SIGHT_NODE, READ_PLACES, ROLE_OPTIONAL, false, NULL },
    { CIM(MSCluster_ResourceGroup), SIGHT_ROLE, READ_PLACES, ROLE_OPTIONAL, false, NULL },
    { CIM(MSCluster_Resource), SIGHT_CLUSTER_RESOURCE, READ_PLACES, ROLE_OPTIONAL, false, NULL },
    { CIM(MSCluster_ResourceGroupToPreferredNode), SIGHT_PREFERRED, READ_PLACES, ROLE_OPTIONAL,
      false, NULL },
    { CIM(MSCluster_ResourceToPossibleOwner), SIGHT_POSSIBLE, READ_PLACES, ROLE_OPTIONAL, false,
      NULL },
    { CIM(MSCluster_ClusterSharedVolume), SIGHT_CSV, READ_PLACES, ROLE_OPTIONAL, false, NULL },
    { CIM(MSCluster_DiskPartition), SIGHT_PARTITION, READ_PLACES | READ_LOAD, ROLE_OPTIONAL, false,
      NULL },

    { CIM(Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor), SIGHT_CPU_LOAD,
      READ_LOAD, ROLE_OPTIONAL, false, "Name = '_Total'" },
    { CIM(Win32_PerfRawData_Counters_HyperVVirtualStorageDevice), SIGHT_DISK_LOAD, READ_LOAD,
      ROLE_OPTIONAL, false, NULL },
    { CIM(Win32_PerfRawData_NvspNicStats_HyperVVirtualNetworkAdapter), SIGHT_NIC_LOAD, READ_LOAD,
      ROLE_OPTIONAL, false, NULL },
    { CIM(Win32_OperatingSystem), SIGHT_OS, READ_HOST | READ_LOAD, ROLE_WANTED, false, NULL },
    { CIM(Win32_ComputerSystem), SIGHT_COMPUTER, READ_HOST, ROLE_WANTED, false, NULL },
    { CIM(Win32_Processor), SIGHT_CPU, READ_HOST, ROLE_OPTIONAL, false, NULL },
    { CIM(Win32_ComputerSystemProduct), SIGHT_PRODUCT, READ_HOST, ROLE_OPTIONAL, false, NULL },
    { CIM(Win32_BIOS), SIGHT_BIOS, READ_HOST, ROLE_OPTIONAL, false, NULL },
    { CIM(Win32_NetworkAdapterConfiguration), SIGHT_ADDRESS, READ_HOST, ROLE_OPTIONAL, false,
      "IPEnabled = TRUE" },
    { CIM(Msvm_NumaNode), SIGHT_NUMA, READ_HOST, ROLE_OPTIONAL, false, NULL },
    { CIM(Msvm_VirtualSystemManagementServiceSettingData), SIGHT_SERVICE_SETTING, READ_HOST,
      ROLE_OPTIONAL, false, NULL },
    { CIM(Msvm_VirtualSystemMigrationServiceSettingData), SIGHT_MIGRATION, READ_HOST, ROLE_OPTIONAL,
      false, NULL },
    { CIM(Msvm_VirtualSystemMigrationService), SIGHT_MIGRATION_SERVICE, READ_HOST, ROLE_OPTIONAL,
      false, NULL },
};

#define PAGE 2000u /* what fits into the envelope is less */

/* Of what GetSummaryInformation can tell: names, states, load, guest, replication; no thumbnails.
 */
static const uint16_t summary_fields[] = { 0,   1,   2,   3,   4,   10,  11,  100, 101, 103, 104,
                                           105, 106, 109, 110, 111, 114, 115, 116, 117, 121, 132 };

struct reading {
    struct wsman *w;
    const struct call *c;
    unsigned parts;
    const char *vm;
    char guid[SIGHT_GUID]; /* of vm */
    struct read_limits *limits;
    struct sight *s;
    struct pv_err *why;
};

/* ------------------------------------------------------------------ what a refusal is */

static bool is_refusal(int rc, const struct pv_err *err, enum role role)
{
    if (rc == PV_EPERM || rc == PV_ENOENT || rc == PV_ENOTSUP)
        return true;
    /* A provider of the host that fails: nothing is known of this class, but the host answers. */
    return role != ROLE_NEEDED && (rc == PV_EIO || rc == PV_ELIMIT || rc == PV_EINTERNAL) &&
           err->native_code[0];
}

static void refuse(struct reading *r, const struct question *q, int rc, const struct pv_err *err)
{
    bool absent = rc == PV_ENOENT || rc == PV_ENOTSUP;

    r->s->refused |= UINT64_C(1) << q->list;
    if (q->role == ROLE_OPTIONAL || (q->role == ROLE_WANTED && absent))
        return;
    r->s->lacking |= UINT64_C(1) << q->list;
    if (r->why && r->why->rc == PV_OK) {
        *r->why = *err;
        (void)pv_wrap(r->why, "%s", q->cls->name);
    }
}

/* ------------------------------------------------------------------ filters, once more on our side
 */

static bool of_vm(const struct reading *r, const struct cim_instance *o)
{
    char guid[SIGHT_GUID];
    const char *text = sight_id(o);

    if (cim_is(o, CIM(Msvm_VirtualSystemSettingData)))
        text = cim_str(o, P(Msvm_VirtualSystemSettingData, VirtualSystemIdentifier));
    else if (cim_is(o, CIM(Msvm_KvpExchangeComponent)))
        text = cim_str(o, P(Msvm_KvpExchangeComponent, SystemName));
    return sight_guid(text, 0, guid) && strcmp(guid, r->guid) == 0;
}

static bool is_drive(const struct cim_instance *o)
{
    uint64_t type = cim_uint(o, P(Msvm_ResourceAllocationSettingData, ResourceType));

    return type == 5 || type == 6 || type == 14 || type == 16 || type == 17;
}

static bool is_ours(const char *service)
{
    for (size_t i = 0; i < PV_COUNT(services); i++)
        if (sight_same(service, services[i].name))
            return true;
    return false;
}

bool inventory_service_needed(const char *service)
{
    for (size_t i = 0; i < PV_COUNT(services); i++)
        if (sight_same(service, services[i].name))
            return services[i].needed;
    return false;
}

static bool match(void *ctx, const struct cim_instance *o)
{
    const struct reading *r = ctx;

    if (cim_is(o, CIM(Win32_Service)))
        return is_ours(cim_str(o, P(Win32_Service, Name)));
    if (cim_is(o, CIM(Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor)))
        return sight_same(
            cim_str(o, P(Win32_PerfFormattedData_HvStats_HyperVHypervisorLogicalProcessor, Name)),
            "_Total");
    if (cim_is(o, CIM(Msvm_MetricDefForME)))
        return cim_uint(o, P(Msvm_MetricDefForME, MetricCollectionEnabled)) == 2;
    if (cim_is(o, CIM(Msvm_EthernetSwitchExtension)))
        return cim_uint(o, P(Msvm_EthernetSwitchExtension, EnabledState)) == 2;
    if (cim_is(o, CIM(Win32_LogicalDisk)))
        return cim_uint(o, P(Win32_LogicalDisk, DriveType)) == 4;
    if (cim_is(o, CIM(Win32_NetworkAdapterConfiguration)))
        return cim_bool(o, P(Win32_NetworkAdapterConfiguration, IPEnabled));
    if (cim_is(o, CIM(Msvm_ResourceAllocationSettingData)) && !is_drive(o))
        return false;
    return !r->guid[0] || of_vm(r, o);
}

static void write_where(const struct reading *r, const struct question *q, struct buf *out)
{
    if (r->guid[0] && q->list == SIGHT_SETTINGS)
        buf_printf(out, "VirtualSystemIdentifier = '%s'", r->guid);
    else if (r->guid[0] && q->list == SIGHT_KVP)
        buf_printf(out, "SystemName = '%s'", r->guid);
    else if (r->guid[0] && q->list == SIGHT_GUEST_NET)
        buf_printf(out, "InstanceID LIKE '%%%s%%'", r->guid);
    else if (r->guid[0])
        buf_printf(out, "InstanceID LIKE 'Microsoft:%s%%'", r->guid);
    if (q->where)
        buf_printf(out, out->len ? " AND (%s)" : "%s", q->where);
}

/* ------------------------------------------------------------------ asking */

static int ask(struct reading *r, const struct question *q, struct pv_err *err)
{
    struct cim_list found = { 0 }, *into = &r->s->lists[q->list];
    struct wsman_query query = {
        .cls = q->cls, .match = match, .match_ctx = r, .max_elements = PAGE
    };
    struct buf where;
    int rc;

    buf_init(&where, 1024);
    write_where(r, q, &where);
    if (where.len)
        query.where = where.data;
    rc = buf_ok(&where) ? wsman_list(r->w, r->c, &query, r->s->a, &found, err)
                        : pv_fail(err, PV_ENOMEM, "no memory");
    buf_free(&where);
    if (rc && !is_refusal(rc, err, q->role))
        return rc;
    r->s->asked |= UINT64_C(1) << q->list;
    if (rc) {
        refuse(r, q, rc, err);
        *err = (struct pv_err){ 0 };
        return PV_OK;
    }
    /* An account without rights is shown an empty list, not a refusal; each host has the service
     * itself. */
    if (q->list == SIGHT_MANAGER && found.count == 0) {
        (void)pv_fail(
            err, PV_EPERM,
            "the account sees nothing of Hyper-V: it has to be in Hyper-V Administrators");
        refuse(r, q, PV_EPERM, err);
        *err = (struct pv_err){ 0 };
    }
    for (size_t i = 0; i < found.count && rc == PV_OK; i++)
        rc = cim_list_add(into, r->s->a, found.items[i], err);
    return rc;
}

/* ------------------------------------------------------------------ systems */

static int read_system(struct reading *r, struct pv_err *err)
{
    static const struct question all = {
        CIM(Msvm_ComputerSystem), SIGHT_SYSTEM, READ_STATE, ROLE_NEEDED, false, NULL
    };
    struct cim_ref *ref;
    struct cim_instance *o = NULL;
    int rc;

    if (!r->vm)
        return ask(r, &all, err);
    ref = cim_ref_new(r->s->a, CIM(Msvm_ComputerSystem));
    if (!ref)
        return pv_fail(err, PV_ENOMEM, "no memory");
    cim_ref_add(ref, P(Msvm_ComputerSystem, CreationClassName), "Msvm_ComputerSystem");
    cim_ref_add(ref, P(Msvm_ComputerSystem, Name), r->vm);
    rc = wsman_get(r->w, r->c, ref, r->s->a, &o, err);
    r->s->asked |= UINT64_C(1) << SIGHT_SYSTEM;
    return rc ? rc : cim_list_add(&r->s->lists[SIGHT_SYSTEM], r->s->a, o, err);
}

/* ------------------------------------------------------------------ summaries */

static int add_subject(struct cim_instance *in, struct arena *a, const char *guid,
                       struct pv_err *err)
{
    struct cim_ref *ref = cim_ref_new(a, CIM(Msvm_VirtualSystemSettingData));
    char *id = arena_printf(a, "Microsoft:%s", guid);

    if (!ref || !id)
        return pv_fail(err, PV_ENOMEM, "no memory");
    cim_ref_add(ref, P(Msvm_VirtualSystemSettingData, InstanceID), id);
    cim_add_ref(in, A(Msvm_VirtualSystemManagementService, GetSummaryInformation, SettingData),
                ref);
    return PV_OK;
}

static int call_summary(struct reading *r, const char *const *guids, size_t n, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(r->s->a, M(Msvm_VirtualSystemManagementService, GetSummaryInformation));
    struct cim_instance *out = NULL;
    const struct cim_ref *service;
    unsigned count;
    uint32_t value;
    int rc = wsman_service(r->w, r->c, CIM(Msvm_VirtualSystemManagementService), &service, err);

    for (size_t i = 0; i < n && rc == PV_OK; i++)
        rc = add_subject(in, r->s->a, guids[i], err);
    if (rc)
        return rc;
    for (size_t i = 0; i < PV_COUNT(summary_fields); i++)
        cim_add_uint(
            in, A(Msvm_VirtualSystemManagementService, GetSummaryInformation, RequestedInformation),
            summary_fields[i]);
    rc = wsman_invoke(r->w, r->c, service, in, r->s->a, &out, err);
    if (rc)
        return rc;
    if (cim_return_value(out, &value) && value != 0)
        return wsman_fail_return(value, "asking for the VMs' summaries", err);
    count = cim_count(
        out, A(Msvm_VirtualSystemManagementService, GetSummaryInformation, SummaryInformation));
    for (unsigned i = 0; i < count && rc == PV_OK; i++) {
        const struct cim_instance *o = cim_obj_at(
            out, A(Msvm_VirtualSystemManagementService, GetSummaryInformation, SummaryInformation),
            i);

        /* Empty name: the VM went while it was asked for. */
        if (o && cim_str(o, P(Msvm_SummaryInformation, Name)))
            rc = cim_list_add(&r->s->lists[SIGHT_SUMMARY], r->s->a,
                              (struct cim_instance *)(uintptr_t)o, err);
    }
    return rc;
}

/* GUIDs of the systems that were read. */
static size_t list_guids(struct reading *r, const char ***out)
{
    const struct cim_list *l = &r->s->lists[SIGHT_SYSTEM];
    const char **guids = arena_alloc(r->s->a, (l->count + 1) * sizeof(*guids));
    char low[SIGHT_GUID];
    size_t n = 0;

    for (size_t i = 0; guids && i < l->count; i++) {
        const char *name = cim_str(l->items[i], P(Msvm_ComputerSystem, Name));

        if (sight_guid(name, 0, low))
            guids[n++] = name;
    }
    *out = guids;
    return n;
}

#define CHUNK_FIRST 256u

/* All in one call, unless that is more than fits into one answer; then in pieces as large as do. */
static int read_summaries(struct reading *r, struct pv_err *err)
{
    const char **guids;
    size_t n = list_guids(r, &guids), done = 0;
    unsigned chunk = r->limits ? r->limits->summaries : 0;
    int rc;

    if (n == 0)
        return PV_OK;
    if (!r->vm && chunk == 0) {
        rc = call_summary(r, NULL, 0, err);
        if (rc != PV_ELIMIT)
            return rc;
        chunk = CHUNK_FIRST;
    } else if (chunk == 0) {
        chunk = 1;
    }
    while (done < n) {
        size_t some = n - done < chunk ? n - done : chunk;

        rc = call_summary(r, guids + done, some, err);
        if (rc == PV_ELIMIT && chunk > 1) {
            chunk /= 2;
            continue;
        }
        /* One of them is gone meanwhile: the others count. */
        if (rc == PV_ENOENT && some > 1) {
            chunk = chunk > 8 ? chunk / 2 : 1;
            continue;
        }
        if (rc && !(rc == PV_ENOENT))
            return rc;
        done += some;
    }
    if (r->limits && !r->vm)
        r->limits->summaries = chunk;
    *err = (struct pv_err){ 0 };
    return PV_OK;
}

static int read_state(struct reading *r, struct pv_err *err)
{
    static const struct question summary = {
        CIM(Msvm_SummaryInformation), SIGHT_SUMMARY, READ_STATE, ROLE_WANTED, false, NULL
    };
    int rc = read_system(r, err);

    if (rc)
        return rc;
    r->s->asked |= UINT64_C(1) << SIGHT_SUMMARY;
    rc = read_summaries(r, err);
    if (rc && (is_refusal(rc, err, ROLE_WANTED) || rc == PV_ESTATE)) {
        refuse(r, &summary, PV_EPERM, err);
        *err = (struct pv_err){ 0 };
        return PV_OK;
    }
    return rc;
}

/* ------------------------------------------------------------------ all of it */

bool inventory_vmms_runs(const struct sight *s)
{
    const struct cim_list *l = &s->lists[SIGHT_SERVICE];

    for (size_t i = 0; i < l->count; i++)
        if (sight_same(cim_str(l->items[i], P(Win32_Service, Name)), "vmms"))
            return !cim_has(l->items[i], P(Win32_Service, State)) ||
                   sight_same(cim_str(l->items[i], P(Win32_Service, State)), "Running");
    return true;
}

bool inventory_complete(const struct sight *s)
{
    return s->lacking == 0 && inventory_vmms_runs(s);
}

/* Most hosts are in no cluster, and a host whose service stands still has nothing to tell of VMs.
 */
static bool makes_sense(const struct sight *s, const struct question *q)
{
    if (q->cls->ns == CIM_NS_VIRTUALIZATION)
        return inventory_vmms_runs(s);
    if (q->cls->ns == CIM_NS_MSCLUSTER && q->list != SIGHT_CLUSTER &&
        (s->asked >> SIGHT_CLUSTER & 1))
        return s->lists[SIGHT_CLUSTER].count > 0;
    return true;
}

int inventory_read(struct wsman *w, const struct call *c, unsigned parts, const char *vm,
                   struct read_limits *limits, struct sight *s, struct pv_err *why,
                   struct pv_err *err)
{
    struct reading r = {
        .w = w, .c = c, .parts = parts, .vm = vm, .limits = limits, .s = s, .why = why
    };
    int rc = PV_OK;

    if (vm && !sight_guid(vm, 0, r.guid))
        return pv_fail(err, PV_ENOENT, "%s is no VM of Hyper-V", vm);
    for (size_t i = 0; i < PV_COUNT(questions) && rc == PV_OK; i++) {
        const struct question *q = &questions[i];

        /* The state is read after the service was looked at, and before the settings: a VM that is
         * made in between has settings and no state, and is told next time. */
        if (i == 1 && (parts & READ_STATE) && inventory_vmms_runs(s))
            rc = read_state(&r, err);
        if (rc == PV_OK && (q->part & parts) && (!vm || q->single) && makes_sense(s, q))
            rc = ask(&r, q, err);
    }
    return rc ? rc : sight_join(s, err);
}
