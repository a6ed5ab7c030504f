/* SPDX-License-Identifier: Apache-2.0 */
/* Migration: to another host, to other storage, or both. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_device.h"

#define MIG(prop) P(Msvm_VirtualSystemMigrationSettingData, prop)
#define SET(prop) P(Msvm_VirtualSystemSettingData, prop)
#define SAN(prop) P(Msvm_StorageAllocationSettingData, prop)
#define SYSTEM 32768u
#define STORAGE 32769u
#define BOTH 32771u
#define TCP 5u
#define OFF 3u
#define DISKS_MOST 64

struct disk {
    const struct cim_instance *setting;
    const char *from, *to;
};

struct move {
    const char *host;   /* NULL: stays */
    const char *folder; /* NULL: files stay */
    unsigned type;
    struct disk disks[DISKS_MOST];
    size_t ndisks;
};

/* ------------------------------------------------------------------ where to */

/* The name the host is to find the other by: that of its endpoint, unless it is a bare address of
 * ours. */
static const char *host_of(struct op *o, const json_t *endpoint)
{
    const char *text = json_string_value(endpoint), *at, *end;

    if (!text)
        return NULL;
    at = strstr(text, "://");
    at = at ? at + 3 : text;
    end = at + strcspn(at, ":/");
    return end > at ? arena_text(o->a, at, (size_t)(end - at)) : NULL;
}

static int destination(struct op *o, struct move *m, struct pv_err *err)
{
    const json_t *host = op_arg(o, "host"), *provider = op_arg(o, "provider");
    const char *family;

    if (op_arg(o, "cluster") || op_arg(o, "resource_pool"))
        return pv_fail(err, PV_ENOTSUP, "%s %s: name the host it is to go to", o->def->verb,
                       o->name);
    if (json_is_object(host) && !op_member(host, "provider"))
        return PV_OK; /* its own host: only files may move */
    if (!json_is_object(host) && !json_is_object(provider))
        return PV_OK;
    family = op_member_str(json_is_object(host) ? host : provider, "provider.family");
    if (family && strcmp(family, "hyperv") != 0)
        return pv_fail(err, PV_ENOTSUP,
                       "%s %s: it can move to Hyper-V hosts only; convert it for others",
                       o->def->verb, o->name);
    if (json_is_object(host)) {
        m->host = op_member_str(host, "native_id"); /* its full name */
        if (m->host && *m->host)
            return PV_OK;
    }
    m->host = host_of(o, op_member(json_is_object(host) ? host : provider, "provider.endpoint"));
    return m->host ? PV_OK
                   : pv_fail(err, PV_EINVAL, "%s %s: the host to go to has no name", o->def->verb,
                             o->name);
}

/* A datastore of the other host is not ours to look up: its root has to be in its id or in `path`.
 */
static int target_folder(struct op *o, struct move *m, struct pv_err *err)
{
    const char *path = op_arg_str(o, "path"), *root = NULL;
    const json_t *datastore = op_arg(o, "datastore");
    int rc = PV_OK;

    if (path && *path && m->host) {
        m->folder = op_windows_path(o, NULL, path);
        if (!m->folder || !(isalpha((unsigned char)m->folder[0]) && m->folder[1] == ':')) {
            if (!op_is_remote(m->folder))
                return pv_fail(err, PV_EINVAL, "%s %s: path has to be absolute on the other host",
                               o->def->verb, o->name);
        }
        return PV_OK;
    }
    if (json_is_object(datastore) && m->host &&
        !op_is_remote(op_member_str(datastore, "native_id")))
        return pv_fail(err, PV_EINVAL, "%s %s: name the folder on the other host as path",
                       o->def->verb, o->name);
    if (path && *path)
        return op_file_path(o, o->args, "path", &m->folder, err);
    if (json_is_object(datastore)) {
        rc = op_datastore_root(o, datastore, &root, err);
        if (rc == PV_OK)
            m->folder = op_join(o, root, op_file_name(o, o->name));
    }
    return rc;
}

static bool is_shared(const char *path)
{
    return op_is_remote(path) ||
           (path && strncasecmp(path + (path[0] ? 1 : 0), ":\\ClusterStorage\\", 17) == 0);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '\\');

    return slash ? slash + 1 : path;
}

/* Disks named for themselves: by the drive they are in. */
static int own_folder(struct op *o, const char *drive, const char **out, struct pv_err *err)
{
    const json_t *list = op_arg(o, "disks");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);

        if (op_same(op_member_str(entry, "disk.native_id"), drive))
            return op_datastore_root(o, op_member(entry, "datastore"), out, err);
    }
    return PV_OK;
}

static int read_disks(struct op *o, struct move *m, struct pv_err *err)
{
    struct cim_list media = { 0 };
    int rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), o->vm, &media, err);

    for (size_t i = 0; rc == PV_OK && i < media.count && m->ndisks < DISKS_MOST; i++) {
        const struct cim_instance *s = media.items[i];
        const char *from = cim_str_at(s, SAN(HostResource), 0), *folder = m->folder;
        struct disk *d = &m->disks[m->ndisks];

        if (!from ||
            !op_same(cim_str(s, SAN(ResourceSubType)), "Microsoft:Hyper-V:Virtual Hard Disk"))
            continue;
        rc = own_folder(o, op_path_id(o, cim_str(s, SAN(Parent))), &folder, err);
        d->setting = s;
        d->from = from;
        d->to = folder ? op_join(o, folder, base_name(from)) : from;
        m->ndisks++;
    }
    return rc;
}

static int decide_type(struct op *o, struct move *m, struct pv_err *err)
{
    bool files = m->folder != NULL, local = false;

    for (size_t i = 0; i < m->ndisks; i++) {
        files |= !op_same_path(m->disks[i].from, m->disks[i].to);
        local |= !is_shared(m->disks[i].from);
    }
    if (!m->host && !files)
        return PV_EEXIST; /* nothing to do */
    if (m->host && !files && local)
        op_differs(
            o, "Disks on the host's own volumes are copied to the same paths on the other host.");
    m->type = !m->host ? STORAGE : files || local ? BOTH : SYSTEM;
    (void)err;
    return PV_OK;
}

/* ------------------------------------------------------------------ the request */

static struct cim_instance *migration_setting(struct op *o, const struct move *m)
{
    struct cim_instance *s = cim_new(o->a, CIM(Msvm_VirtualSystemMigrationSettingData));

    cim_set_uint(s, MIG(MigrationType), m->type);
    if (m->host)
        cim_set_uint(s, MIG(TransportType), TCP);
    return s;
}

static const struct cim_instance *system_setting(struct op *o, const struct move *m)
{
    struct cim_instance *s;

    if (!m->folder)
        return NULL;
    s = cim_new(o->a, CIM(Msvm_VirtualSystemSettingData));
    cim_set_str(s, SET(InstanceID), op_settings_id(o, o->vm));
    cim_set_str(s, SET(ConfigurationDataRoot), m->folder);
    cim_set_str(s, SET(SnapshotDataRoot), m->folder);
    cim_set_str(s, SET(SwapFileDataRoot), m->folder);
    return s;
}

static struct cim_instance *disk_setting(struct op *o, const struct disk *d)
{
    struct cim_instance *s = cim_new(o->a, CIM(Msvm_StorageAllocationSettingData));

    cim_set_str(s, SAN(InstanceID), cim_str(d->setting, SAN(InstanceID)));
    cim_set_uint(s, SAN(ResourceType), 31);
    cim_set_str(s, SAN(ResourceSubType), "Microsoft:Hyper-V:Virtual Hard Disk");
    cim_set_str(s, SAN(Parent), cim_str(d->setting, SAN(Parent)));
    cim_add_str(s, SAN(HostResource), d->to);
    return s;
}

/* Which switch an adapter gets over there. */
static int put_networks(struct op *o, struct cim_instance *in, struct cim_p_embs to,
                        struct pv_err *err)
{
    const json_t *networks = op_arg(o, "networks");
    struct cim_list nics = { 0 }, ports = { 0 };
    int rc;

    if (json_array_size(networks) == 0)
        return PV_OK;
    rc = op_list(o, CIM(Msvm_SyntheticEthernetPortSettingData), o->vm, &nics, err);
    if (rc == PV_OK)
        rc = op_list(o, CIM(Msvm_EthernetPortAllocationSettingData), o->vm, &ports, err);
    for (size_t i = 0; rc == PV_OK && i < nics.count; i++) {
        const char *label =
            cim_str(nics.items[i], P(Msvm_SyntheticEthernetPortSettingData, ElementName));
        const char *id =
            cim_str(nics.items[i], P(Msvm_SyntheticEthernetPortSettingData, InstanceID));
        const struct cim_instance *port = op_child_of(o, &ports, id);
        const json_t *network = NULL;
        struct cim_instance *want;
        char guid[40];

        for (size_t k = 0; k < json_array_size(networks); k++) {
            const json_t *entry = json_array_get(networks, k);
            const char *nic = op_member_str(entry, "nic");

            if (op_same(nic, label) || (str_eq(nic, "*") && !network))
                network = op_member(entry, "network");
        }
        if (!port || !network)
            continue;
        want = cim_new(o->a, CIM(Msvm_EthernetPortAllocationSettingData));
        cim_set_str(want, P(Msvm_EthernetPortAllocationSettingData, InstanceID),
                    cim_str(port, P(Msvm_EthernetPortAllocationSettingData, InstanceID)));
        if (op_guid(op_member_str(network, "native_id"), guid))
            cim_add_str(
                want, P(Msvm_EthernetPortAllocationSettingData, HostResource),
                op_text(
                    o,
                    "\\\\%s\\root\\virtualization\\v2:Msvm_VirtualEthernetSwitch.CreationClassName="
                    "\"Msvm_VirtualEthernetSwitch\",Name=\"%s\"",
                    op_arg(o, "host") ? op_arg_str(o, "host.native_id") : ".", guid));
        else
            cim_set_empty(want, P(Msvm_EthernetPortAllocationSettingData, HostResource));
        cim_add_emb(in, to, want);
    }
    return rc;
}

/* ------------------------------------------------------------------ was it done? */

static int is_moved(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    const struct move *m = ctx;
    struct cim_instance *found = NULL;
    struct cim_list media = { 0 };
    int rc = wsman_get(o->w->client, &o->c, op_vm_ref(o, o->vm), o->a, &found, err);

    *there = false;
    if (rc && rc != PV_ENOENT)
        return rc;
    if (m->host) {
        *there = rc == PV_ENOENT;
        return PV_OK;
    }
    if (rc)
        return PV_OK;
    rc = op_list(o, CIM(Msvm_StorageAllocationSettingData), o->vm, &media, err);
    if (rc)
        return rc;
    *there = true;
    for (size_t i = 0; i < m->ndisks; i++) {
        bool seen = false;

        for (size_t k = 0; k < media.count; k++)
            seen |= op_same_path(cim_str_at(media.items[k], SAN(HostResource), 0), m->disks[i].to);
        *there &= seen;
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ beforehand */

#define KERBEROS_REMEDY                                                                            \
    "Set-VMHost -VirtualMachineMigrationAuthenticationType Kerberos, and let the computer account " \
    "of the host it is on delegate to the other one (cifs, Microsoft Virtual System Migration "     \
    "Service)."

/* CredSSP takes credentials typed at the host itself, never those of a network logon. */
static int no_credssp(struct op *o, const char *where, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ENOTSUP,
                     "%s %s: live migration on %s signs in by CredSSP, which cannot be used from afar",
                     o->def->verb, o->name, where);

    pv_err_needs(err, "Kerberos for live migration");
    pv_err_remedy(err, KERBEROS_REMEDY);
    return rc;
}

/* What the other host's own provider told of it; PV_OK: nothing speaks against it. */
static int check_setup_there(struct op *o, struct pv_err *err)
{
    const json_t *there = op_arg(o, "host.extra.live_migration");
    const json_t *addresses = op_member(there, "addresses");
    const char *name = op_arg_str(o, "host.name");
    int rc;

    if (json_is_false(op_member(there, "enabled"))) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: live migration is turned off on %s", o->def->verb,
                     o->name, name ? name : "the other host");
        pv_err_needs(err, "live migration");
        pv_err_remedy(err, "On that host: Enable-VMMigration; Set-VMHost "
                           "-VirtualMachineMigrationAuthenticationType Kerberos "
                           "-UseAnyNetworkForMigration $true");
        return rc;
    }
    if (str_eq(op_member_str(there, "authentication"), "credssp"))
        return no_credssp(o, name ? name : "the other host", err);
    if (json_is_array(addresses) && json_array_size(addresses) == 0) {
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: %s listens for live migration at no address",
                     o->def->verb, o->name, name ? name : "the other host");
        pv_err_needs(err, "a network for live migration");
        pv_err_remedy(err, "On that host: Set-VMHost -UseAnyNetworkForMigration $true, or "
                           "Add-VMMigrationNetwork with one of its subnets");
        return rc;
    }
    return PV_OK;
}

static int check_service(struct op *o, const struct move *m, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemMigrationServiceSettingData) };
    struct cim_instance *s = NULL;
    int rc;

    if (!m->host)
        return PV_OK;
    rc = wsman_first(o->w->client, &o->c, &q, o->a, &s, err);
    if (rc)
        return rc;
    if (cim_bool(s,
                 P(Msvm_VirtualSystemMigrationServiceSettingData, EnableVirtualSystemMigration))) {
        if (cim_uint(s, P(Msvm_VirtualSystemMigrationServiceSettingData, AuthenticationType)) == 0)
            return no_credssp(o, "its host", err);
        return PV_OK;
    }
    rc = pv_fail(err, PV_ENOTSUP, "%s %s: live migration is turned off on its host", o->def->verb,
                 o->name);
    pv_err_needs(err, "live migration");
    pv_err_remedy(
        err,
        "On both hosts: Enable-VMMigration; Set-VMHost -VirtualMachineMigrationAuthenticationType "
        "Kerberos -UseAnyNetworkForMigration $true");
    return rc;
}

static int check_state(struct op *o, struct pv_err *err)
{
    const json_t *live = op_arg(o, "live");
    unsigned state = 0;
    int rc = op_vm_stable(o, &state, err);

    if (rc)
        return rc;
    if (json_is_true(live) && state == OFF)
        return op_wrong_state(o, err, "it is off, and was to move live");
    if (json_is_false(live) && state != OFF)
        return op_wrong_state(o, err, "it is not off, and was to move only while off");
    return PV_OK;
}

/* The destination is asked by our host, in our name: this is where missing delegation shows. */
static int check_there(struct op *o, const struct move *m, const struct cim_ref *service,
                       const struct cim_instance *migration, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemMigrationService, CheckVirtualSystemIsMigratableToHost));
    struct cim_instance *answer = NULL;
    struct pv_err why = { 0 };
    uint32_t value = 0;
    int rc;

    if (!m->host)
        return PV_OK;
    cim_set_ref(
        in,
        A(Msvm_VirtualSystemMigrationService, CheckVirtualSystemIsMigratableToHost, ComputerSystem),
        op_vm_ref(o, o->vm));
    cim_set_str(in,
                A(Msvm_VirtualSystemMigrationService, CheckVirtualSystemIsMigratableToHost,
                  DestinationHost),
                m->host);
    cim_set_emb(in,
                A(Msvm_VirtualSystemMigrationService, CheckVirtualSystemIsMigratableToHost,
                  MigrationSettingData),
                migration);
    rc = wsman_invoke(o->w->client, &o->c, service, in, o->a, &answer, err);
    if (rc == PV_ENOTSUP) /* an older host: the migration itself will say */
        return check_setup_there(o, err);
    if (rc == PV_OK && cim_return_value(answer, &value) && value != 0 && value != 4096)
        rc = wsman_fail_return(value, op_text(o, "asking %s whether it takes %s", m->host, o->name),
                               err);
    else if (rc == PV_OK &&
             cim_has(answer, A(Msvm_VirtualSystemMigrationService,
                               CheckVirtualSystemIsMigratableToHost, IsMigratable)) &&
             !cim_bool(answer, A(Msvm_VirtualSystemMigrationService,
                                 CheckVirtualSystemIsMigratableToHost, IsMigratable)))
        rc = pv_fail(err, PV_ENOTSUP,
                     "%s %s: %s does not take it (processors, switches or settings differ)",
                     o->def->verb, o->name, m->host);
    /* Its own provider may know why, in better words; what was read there some minutes ago is no reason to refuse what
     * the host takes now. */
    if (rc && check_setup_there(o, &why)) {
        rc = why.rc;
        if (err)
            *err = why;
    } else if (rc == PV_EPERM)
        pv_err_remedy(err, "Our account has to be an administrator there, too, and this host needs "
                           "Kerberos constrained "
                           "delegation for cifs and Microsoft Virtual System Migration Service.");
    return rc;
}

static int run_move(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost));
    struct move *m = arena_alloc(o->a, sizeof(*m));
    struct op_step s = { .key = "migrate", .in = in, .look = is_moved, .ctx = m };
    const struct cim_instance *migration, *system;
    int rc = m ? destination(o, m, err) : pv_fail(err, PV_ENOMEM, "no memory");

    if (rc == PV_OK && op_arg(o, "subformat"))
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: subformat: a move keeps the disks as they are",
                     o->def->verb, o->name);
    if (rc == PV_OK && !o->resumed)
        rc = check_state(o, err);
    if (rc == PV_OK)
        rc = target_folder(o, m, err);
    if (rc == PV_OK)
        rc = read_disks(o, m, err);
    if (rc == PV_OK)
        rc = decide_type(o, m, err);
    if (rc == PV_EEXIST)
        return PV_OK;
    if (rc == PV_OK && !o->resumed)
        rc = check_service(o, m, err);
    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_VirtualSystemMigrationService), &s.on, err);
    if (rc)
        return rc;
    migration = migration_setting(o, m);
    system = system_setting(o, m);
    if (!o->resumed)
        rc = check_there(o, m, s.on, migration, err);
    if (rc)
        return rc;
    s.what = m->host ? op_text(o, "moving %s to %s", o->name, m->host)
                     : op_text(o, "moving the files of %s", o->name);
    s.remote = m->host ? m->host : op_is_remote(m->folder) ? m->folder : NULL;
    cim_set_ref(in,
                A(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost, ComputerSystem),
                op_vm_ref(o, o->vm));
    if (m->host)
        cim_set_str(
            in, A(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost, DestinationHost),
            m->host);
    cim_set_emb(
        in, A(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost, MigrationSettingData),
        migration);
    if (system)
        cim_set_emb(
            in,
            A(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost, NewSystemSettingData),
            system);
    for (size_t i = 0; m->type != SYSTEM && i < m->ndisks; i++)
        cim_add_emb(in,
                    A(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost,
                      NewResourceSettingData),
                    disk_setting(o, &m->disks[i]));
    rc = put_networks(
        o, in,
        A(Msvm_VirtualSystemMigrationService, MigrateVirtualSystemToHost, NewResourceSettingData),
        err);
    return rc ? rc : op_do(o, &s, NULL, err);
}

const struct op_def op_move_defs[] = {
    { "vm.move", "moving", run_move, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
