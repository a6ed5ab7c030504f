/* SPDX-License-Identifier: Apache-2.0 */
/* Network adapters: switch, VLAN, security, bandwidth. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/id.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_device.h"
#include "drivers/wmi/op_modify.h"

#define NIC(prop) P(Msvm_SyntheticEthernetPortSettingData, prop)
#define OLD_NIC(prop) P(Msvm_EmulatedEthernetPortSettingData, prop)
#define PORT(prop) P(Msvm_EthernetPortAllocationSettingData, prop)
#define VLAN(prop) P(Msvm_EthernetSwitchPortVlanSettingData, prop)
#define GUARD(prop) P(Msvm_EthernetSwitchPortSecuritySettingData, prop)
#define BAND(prop) P(Msvm_EthernetSwitchPortBandwidthSettingData, prop)
#define VLANS_MOST 4094
#define ON 2
#define OFF 3
#define NEW "(new adapter)"
#define NEW_PORT "(new port)"

/* What is asked for, with what the network's id says. */
struct wish {
    const json_t *args;
    const char *switch_path; /* NULL: not named */
    bool detach;             /* network null */
    unsigned vlan;           /* of the network; 0: it has none */
    bool legacy;
};

static int not_here(struct op *o, const char *member, const char *why, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ENOTSUP, "%s %s: %s: %s", o->def->verb, o->name, member, why);

    pv_err_pointer(err, "/%s", member);
    return rc;
}

/* "<switch GUID>" or "<switch GUID>.<VLAN>" */
static int read_network(struct op *o, const json_t *network, struct wish *w, struct pv_err *err)
{
    const char *id = op_member_str(network, "native_id"), *dot;
    struct cim_ref *ref;
    char guid[40];
    uint64_t vlan = 0;

    w->detach = json_is_null(network);
    if (!json_is_object(network))
        return PV_OK;
    if (!op_guid(id, guid))
        return pv_fail(err, PV_ENOENT, "%s %s: the host has no such network", o->def->verb,
                       o->name);
    dot = strrchr(id, '.');
    if (dot && str_u64(dot + 1, strlen(dot + 1), VLANS_MOST, &vlan))
        w->vlan = (unsigned)vlan;
    ref = cim_ref_new(o->a, CIM(Msvm_VirtualEthernetSwitch));
    cim_ref_add(ref, P(Msvm_VirtualEthernetSwitch, CreationClassName),
                "Msvm_VirtualEthernetSwitch");
    cim_ref_add(ref, P(Msvm_VirtualEthernetSwitch, Name), guid);
    w->switch_path = op_path(o, ref);
    return PV_OK;
}

static int read_adapter(struct op *o, const char *adapter, struct wish *w, struct pv_err *err)
{
    if (!adapter || strcmp(adapter, "synthetic") == 0 || strncmp(adapter, "vmxnet", 6) == 0)
        return PV_OK;
    w->legacy = true;
    if (strcmp(adapter, "legacy") == 0 || strncmp(adapter, "e1000", 5) == 0 ||
        strcmp(adapter, "pcnet") == 0)
        return PV_OK;
    return not_here(o, "adapter", "Hyper-V has synthetic and legacy adapters", err);
}

static int read_wish(struct op *o, const json_t *args, struct wish *w, struct pv_err *err)
{
    int rc;

    memset(w, 0, sizeof(*w));
    w->args = args;
    rc = read_network(o, op_member(args, "network"), w, err);
    return rc ? rc : read_adapter(o, op_member_str(args, "adapter"), w, err);
}

static int mac_of(struct op *o, const char *text, char mac[13], struct pv_err *err)
{
    size_t n = 0;

    for (; *text && n <= 12; text++) {
        if (*text == ':' || *text == '-' || *text == '.')
            continue;
        if (!isxdigit((unsigned char)*text) || n == 12) {
            n = 13;
            break;
        }
        mac[n++] = (char)toupper((unsigned char)*text);
    }
    if (n != 12 || ((strtoul((char[3]){ mac[0], mac[1], 0 }, NULL, 16) & 1) != 0)) {
        int rc = pv_fail(err, PV_EINVAL, "%s %s: mac: it is no address of an adapter", o->def->verb,
                         o->name);

        pv_err_pointer(err, "/mac");
        return rc;
    }
    mac[12] = '\0';
    return PV_OK;
}

/* ------------------------------------------------------------------ the adapter */

/* Both classes have the same properties; only their slots differ. */
static void put_str(struct cim_instance *i, const char *name, const char *v)
{
    cim_set_str(i, (struct cim_p_str){ cim_prop_find(i->cls, name) }, v);
}

static int put_mac(struct op *o, const json_t *args, struct cim_instance *i, struct pv_err *err)
{
    const char *mac = op_member_str(args, "mac"), *mode = op_member_str(args, "mac_mode");
    struct cim_p_bool fixed = { cim_prop_find(i->cls, "StaticMacAddress") };
    char digits[13];
    int rc;

    if (mac) {
        rc = mac_of(o, mac, digits, err);
        if (rc)
            return rc;
        put_str(i, "Address", digits);
        cim_set_bool(i, fixed, true);
    } else if (mode && strcmp(mode, "auto") == 0) {
        cim_set_bool(i, fixed, false);
    } else if (mode && strcmp(mode, "static") == 0) {
        cim_set_bool(i, fixed, true);
    }
    return PV_OK;
}

static int add_adapter(struct op *o, const struct wish *w, unsigned n, const char **id,
                       struct pv_err *err)
{
    const struct cim_class *cls = w->legacy ? CIM(Msvm_EmulatedEthernetPortSettingData)
                                            : CIM(Msvm_SyntheticEthernetPortSettingData);
    struct cim_instance *in = cim_new(o->a, cls);
    const char *label = op_member_str(w->args, "label");
    struct op_added added = { .cls = cls };
    int rc;

    if (!in)
        return pv_fail(err, PV_ENOMEM, "no memory");
    cim_set_uint(in, (struct cim_p_uint){ cim_prop_find(cls, "ResourceType") }, 10);
    put_str(in, "ResourceSubType",
            w->legacy ? "Microsoft:Hyper-V:Emulated Ethernet Port"
                      : "Microsoft:Hyper-V:Synthetic Ethernet Port");
    put_str(in, "ElementName",
            label       ? label
            : w->legacy ? "Legacy Network Adapter"
                        : "Network Adapter");
    cim_set_bool(in, (struct cim_p_bool){ cim_prop_find(cls, "StaticMacAddress") }, false);
    /* A name for it inside the guest, other than those of its copies; and it tells ours from
     * others'. */
    added.mark = w->legacy ? NULL : op_mark_guid(o, n + 1);
    if (added.mark)
        cim_add_str(in, NIC(VirtualSystemIdentifiers), added.mark);
    rc = put_mac(o, w->args, in, err);
    if (rc == PV_OK)
        rc = op_added_begin(o, op_text(o, "n%u", n), &added, err);
    if (rc == PV_OK)
        rc = op_add_resource(o, op_text(o, "nic %u", n),
                             op_what(o, "adding a network adapter to", o->name), in, op_added_look,
                             &added, NULL, err);
    if (rc)
        return rc;
    *id = o->dry_run ? NEW : added.id;
    if (!o->dry_run && (added.mark || !o->lost))
        undo_made(o, UNDO_RESOURCE, op_text(o, "%s|%s", cls->name, *id));
    return PV_OK;
}

/* ------------------------------------------------------------------ its port */

struct port {
    const char *nic;
    const struct cim_instance *found;
};

static int find_port(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct port *p = ctx;
    struct cim_list list = { 0 };
    int rc = op_list(o, CIM(Msvm_EthernetPortAllocationSettingData), o->vm, &list, err);

    if (rc == PV_OK) {
        p->found = op_child_of(o, &list, p->nic);
        *there = p->found != NULL;
    }
    return rc;
}

static unsigned enabled(const struct wish *w, bool has_switch)
{
    const json_t *connected = op_member(w->args, "connected");

    return json_is_boolean(connected) ? (json_is_true(connected) ? ON : OFF)
           : has_switch               ? ON
                                      : OFF;
}

static bool has_features(const struct wish *w)
{
    return w->vlan || op_member(w->args, "vlan") || op_member(w->args, "security") ||
           op_member(w->args, "bandwidth");
}

static int add_port(struct op *o, const struct wish *w, const struct cim_class *cls,
                    const char *nic, unsigned n, const char **id, struct pv_err *err)
{
    struct cim_instance *in = cim_new(o->a, CIM(Msvm_EthernetPortAllocationSettingData));
    struct port p = { .nic = nic };
    int rc;

    cim_set_uint(in, PORT(ResourceType), 33);
    cim_set_str(in, PORT(ResourceSubType), "Microsoft:Hyper-V:Ethernet Connection");
    cim_set_str(in, PORT(Parent), op_path(o, op_by_id(o, cls, nic)));
    if (w->switch_path)
        cim_add_str(in, PORT(HostResource), w->switch_path);
    cim_set_uint(in, PORT(EnabledState), enabled(w, w->switch_path != NULL));
    rc = op_add_resource(o, op_text(o, "port %u", n),
                         op_what(o, "connecting a network adapter of", o->name), in, find_port, &p,
                         NULL, err);
    if (rc == PV_OK)
        *id = o->dry_run ? NEW_PORT : cim_str(p.found, PORT(InstanceID));
    return rc;
}

/* ------------------------------------------------------------------ features of the port */

struct feature {
    const struct cim_class *cls;
    const char *port;
    const struct cim_instance *want, *found;
};

static int find_feature(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct feature *f = ctx;
    struct cim_list list = { 0 };
    size_t len = strlen(f->port);
    int rc = op_list(o, f->cls, o->vm, &list, err);

    f->found = NULL;
    for (size_t i = 0; rc == PV_OK && i < list.count && !f->found; i++) {
        const struct cim_prop *p = cim_prop_find(list.items[i]->cls, "InstanceID");
        const char *id = cim_str(list.items[i], (struct cim_p_str){ p });

        if (id && strncasecmp(id, f->port, len) == 0 && id[len] == '\\')
            f->found = list.items[i];
    }
    if (rc == PV_OK)
        *there = f->found && (!f->want || op_matches(f->want, f->found));
    return rc;
}

static int is_without(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    int rc = find_feature(o, ctx, there, err);

    if (rc == PV_OK)
        *there = !*there;
    return rc;
}

static struct cim_instance *add_call(struct op *o, const char *port, struct cim_instance *feature)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, AddFeatureSettings));

    cim_set_ref(in,
                A(Msvm_VirtualSystemManagementService, AddFeatureSettings, AffectedConfiguration),
                op_by_id(o, CIM(Msvm_EthernetPortAllocationSettingData), port));
    cim_add_emb(in, A(Msvm_VirtualSystemManagementService, AddFeatureSettings, FeatureSettings),
                feature);
    return in;
}

static struct cim_instance *remove_call(struct op *o, const struct cim_instance *feature)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, RemoveFeatureSettings));
    struct cim_p_str id = { cim_prop_find(feature->cls, "InstanceID") };

    cim_add_ref(in, A(Msvm_VirtualSystemManagementService, RemoveFeatureSettings, FeatureSettings),
                op_by_id(o, feature->cls, cim_str(feature, id)));
    return in;
}

/* If a later step fails: away with the one that was added, or back with the one that was removed.
 */
static void restore_feature(struct op *o, const struct cim_ref *service, const struct feature *f,
                            struct cim_instance *in, op_look_fn look)
{
    struct feature *back = arena_alloc(o->a, sizeof(*back));

    if (!back)
        return;
    *back = (struct feature){ .cls = f->cls, .port = f->port };
    undo_restore(o, "putting an adapter's settings back", service, in, look, back);
}

/* Changed if the port has one, else added. */
static int put_feature(struct op *o, const char *key, const char *port, struct cim_instance *want,
                       struct pv_err *err)
{
    struct feature f = { .cls = want ? want->cls : NULL, .port = port };
    const struct cim_prop *p = want ? cim_prop_find(want->cls, "InstanceID") : NULL;
    struct op_step s = {
        .key = key, .what = op_what(o, o->def->verb, o->name), .look = find_feature, .ctx = &f
    };
    bool there = false;
    int rc = PV_OK;

    if (!want)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (o->vm[0] && strcmp(port, NEW_PORT) != 0)
        rc = find_feature(o, &f, &there, err);
    if (rc)
        return rc;
    if (f.found) {
        cim_set_str(
            want, (struct cim_p_str){ p },
            cim_str(f.found, (struct cim_p_str){ cim_prop_find(f.found->cls, "InstanceID") }));
        return op_modify(o, key, want, f.found, s.what, err);
    }
    f.want = want;
    s.in = add_call(o, port, want);
    rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, err);
    if (rc == PV_OK && f.found)
        restore_feature(o, s.on, &f, remove_call(o, f.found), is_without);
    return rc;
}

/* 1-10,20 */
static int put_trunk(struct op *o, const char *text, struct cim_instance *vlan, struct pv_err *err)
{
    unsigned count = 0;

    cim_set_empty(vlan, VLAN(TrunkVlanIdArray));
    while (text && *text) {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;

        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (first < 1 || last < first || last > VLANS_MOST || (*end && *end != ','))
            return pv_fail(err, PV_EINVAL, "%s %s: vlan.allowed: write 1-10,20", o->def->verb,
                           o->name);
        for (unsigned long id = first; id <= last && count < VLANS_MOST; id++, count++)
            cim_add_uint(vlan, VLAN(TrunkVlanIdArray), id);
        text = *end ? end + 1 : end;
    }
    return PV_OK;
}

static int vlan_setting(struct op *o, const struct wish *w, struct cim_instance **out,
                        struct pv_err *err)
{
    const json_t *vlan = op_member(w->args, "vlan");
    const char *mode = op_member_str(vlan, "mode");
    struct cim_instance *v;
    uint64_t id = w->vlan;
    bool named = op_member_u64(vlan, "id", &id);

    *out = NULL;
    /* Going to a network says its VLAN, too: none of it is the untagged one. */
    if (!json_is_object(vlan) && !w->switch_path)
        return PV_OK;
    if (!json_is_object(vlan) && !w->vlan && !o->vm[0])
        return PV_OK;
    v = cim_new(o->a, CIM(Msvm_EthernetSwitchPortVlanSettingData));
    *out = v;
    if (mode && strcmp(mode, "trunk") == 0) {
        cim_set_uint(v, VLAN(OperationMode), 2);
        cim_set_uint(v, VLAN(NativeVlanId), named ? id : 0);
        return put_trunk(o, op_member_str(vlan, "allowed"), v, err);
    }
    if (op_member_str(vlan, "allowed"))
        return pv_fail(err, PV_EINVAL, "%s %s: vlan.allowed is for trunks; set mode", o->def->verb,
                       o->name);
    if (mode && strcmp(mode, "untagged") == 0)
        id = 0;
    else if (mode && strcmp(mode, "access") == 0 && id == 0)
        return pv_fail(err, PV_EINVAL, "%s %s: vlan.id is missing", o->def->verb, o->name);
    cim_set_uint(v, VLAN(OperationMode), 1);
    cim_set_uint(v, VLAN(AccessVlanId), id);
    return PV_OK;
}

static struct cim_instance *guard_setting(struct op *o, const struct wish *w)
{
    const json_t *security = op_member(w->args, "security"), *m;
    struct cim_instance *g;

    if (!json_is_object(security) || json_object_size(security) == 0)
        return NULL;
    g = cim_new(o->a, CIM(Msvm_EthernetSwitchPortSecuritySettingData));
    m = op_member(security, "mac_spoofing");
    if (json_is_boolean(m))
        cim_set_bool(g, GUARD(AllowMacSpoofing), json_is_true(m));
    m = op_member(security, "dhcp_guard");
    if (json_is_boolean(m))
        cim_set_bool(g, GUARD(EnableDhcpGuard), json_is_true(m));
    m = op_member(security, "router_guard");
    if (json_is_boolean(m))
        cim_set_bool(g, GUARD(EnableRouterGuard), json_is_true(m));
    return g;
}

static struct cim_instance *band_setting(struct op *o, const struct wish *w)
{
    const json_t *band = op_member(w->args, "bandwidth");
    struct cim_instance *b;
    uint64_t n = 0;

    if (!json_is_object(band) || json_object_size(band) == 0)
        return NULL;
    b = cim_new(o->a, CIM(Msvm_EthernetSwitchPortBandwidthSettingData));
    if (op_member(band, "limit_bps"))
        cim_set_uint(b, BAND(Limit), op_member_u64(band, "limit_bps", &n) ? n : 0);
    if (op_member(band, "reservation_bps"))
        cim_set_uint(b, BAND(Reservation), op_member_u64(band, "reservation_bps", &n) ? n : 0);
    return b;
}

static struct cim_instance *copy_vlan(struct op *o, const struct cim_instance *from)
{
    static const char *const names[] = { "OperationMode",       "AccessVlanId",
                                         "NativeVlanId",        "PvlanMode",
                                         "PrimaryVlanId",       "SecondaryVlanId",
                                         "PruneVlanIdArray",    "TrunkVlanIdArray",
                                         "SecondaryVlanIdArray" };
    struct cim_instance *to = cim_new(o->a, CIM(Msvm_EthernetSwitchPortVlanSettingData));

    for (size_t i = 0; to && i < PV_COUNT(names); i++) {
        const struct cim_prop *p = cim_prop_find(to->cls, names[i]);

        if (p && from->values[p->slot].count)
            to->values[p->slot] = from->values[p->slot];
    }
    return to;
}

/* No tag is no setting: there is none for "untagged". */
static int take_vlan(struct op *o, const char *key, const char *port, struct pv_err *err)
{
    struct feature f = { .cls = CIM(Msvm_EthernetSwitchPortVlanSettingData), .port = port };
    struct op_step s = { .key = key,
                         .what = op_what(o, o->def->verb, o->name),
                         .look = is_without,
                         .ctx = &f,
                         .repeats = true };
    struct cim_instance *again;
    bool there = false;
    int rc = find_feature(o, &f, &there, err);

    if (rc || !there)
        return rc;
    again = copy_vlan(o, f.found);
    s.in = remove_call(o, f.found);
    rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);
    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, err);
    if (rc == PV_OK && again)
        restore_feature(o, s.on, &f, add_call(o, port, again), find_feature);
    return rc;
}

static bool is_untagged(const struct cim_instance *vlan)
{
    return cim_uint(vlan, VLAN(OperationMode)) == 1 && cim_uint(vlan, VLAN(AccessVlanId)) == 0;
}

static int put_features(struct op *o, const struct wish *w, const char *port, unsigned n,
                        bool is_new, struct pv_err *err)
{
    struct cim_instance *vlan = NULL, *guard = guard_setting(o, w), *band = band_setting(o, w);
    int rc = vlan_setting(o, w, &vlan, err);

    if (rc == PV_OK && vlan && is_untagged(vlan)) {
        if (!is_new)
            rc = take_vlan(o, op_text(o, "no vlan %u", n), port, err);
        vlan = NULL;
    }
    if (rc == PV_OK && vlan)
        rc = put_feature(o, op_text(o, "vlan %u", n), port, vlan, err);
    if (rc == PV_OK && guard)
        rc = put_feature(o, op_text(o, "guard %u", n), port, guard, err);
    if (rc == PV_OK && band)
        rc = put_feature(o, op_text(o, "band %u", n), port, band, err);
    return rc;
}

/* ------------------------------------------------------------------ operations */

int op_nic_add(struct op *o, const json_t *nic, unsigned n, struct pv_err *err)
{
    const char *id = NULL, *port = NULL;
    struct wish w;
    int rc = read_wish(o, nic, &w, err);

    if (rc == PV_OK && w.legacy && !o->vm[0] && o->gen2)
        return not_here(o, "adapter", "generation 2 has synthetic adapters only", err);
    if (rc == PV_OK)
        rc = add_adapter(o, &w, n, &id, err);
    if (rc)
        return rc;
    rc = add_port(o, &w,
                  w.legacy ? CIM(Msvm_EmulatedEthernetPortSettingData)
                           : CIM(Msvm_SyntheticEthernetPortSettingData),
                  id, n, &port, err);
    if (rc == PV_OK && has_features(&w))
        rc = put_features(o, &w, port, n, true, err);
    if (rc)
        return rc;
    if (o->dry_run)
        op_device(o, json_pack("{s:s, s:s, s:s, s:b, s:s}", "kind", "nic", "label",
                               op_member_str(nic, "label") ? op_member_str(nic, "label")
                                                           : "Network Adapter",
                               "adapter", w.legacy ? "legacy" : "synthetic", "connected",
                               w.switch_path && enabled(&w, true) == ON, "mac_mode",
                               op_member_str(nic, "mac") ? "static" : "auto"));
    else
        op_made(o, "nic", id, o->vm);
    return PV_OK;
}

static int run_attach(struct op *o, struct pv_err *err)
{
    unsigned state;
    int rc = o->resumed ? PV_OK : op_vm_stable(o, &state, err);

    o->steps = 2;
    return rc ? rc : op_nic_add(o, o->args, 0, err);
}

static int get_nic(struct op *o, const struct cim_class **cls, struct cim_instance **out,
                   struct pv_err *err)
{
    int rc;

    *cls = CIM(Msvm_SyntheticEthernetPortSettingData);
    rc = op_get(o, *cls, o->id, out, err);
    if (rc == PV_ENOENT) {
        *cls = CIM(Msvm_EmulatedEthernetPortSettingData);
        rc = op_get(o, *cls, o->id, out, err);
    }
    return rc == PV_ENOENT
               ? pv_fail(err, PV_ENOENT, "%s %s: the VM has no such adapter", o->def->verb, o->name)
               : rc;
}

static int update_adapter(struct op *o, const struct wish *w, const struct cim_class *cls,
                          const struct cim_instance *have, struct pv_err *err)
{
    struct cim_instance *want = cim_new(o->a, cls);
    const char *label = op_member_str(w->args, "label");
    int rc;

    if (!want)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (!label && !op_member(w->args, "mac") && !op_member(w->args, "mac_mode"))
        return PV_OK;
    put_str(want, "InstanceID", o->id);
    if (label)
        put_str(want, "ElementName", label);
    rc = put_mac(o, w->args, want, err);
    return rc ? rc : op_modify(o, "nic", want, have, op_what(o, o->def->verb, o->name), err);
}

static int update_port(struct op *o, const struct wish *w, const struct cim_instance *have,
                       struct pv_err *err)
{
    const json_t *connected = op_member(w->args, "connected");
    struct cim_instance *want = cim_new(o->a, CIM(Msvm_EthernetPortAllocationSettingData));

    if (!w->switch_path && !w->detach && !json_is_boolean(connected))
        return PV_OK;
    cim_set_str(want, PORT(InstanceID), cim_str(have, PORT(InstanceID)));
    if (w->switch_path) {
        cim_add_str(want, PORT(HostResource), w->switch_path);
        cim_set_uint(want, PORT(EnabledState), enabled(w, true));
    } else if (w->detach) {
        cim_set_uint(want, PORT(EnabledState), OFF);
        cim_set_empty(want, PORT(HostResource));
    } else {
        cim_set_uint(want, PORT(EnabledState), enabled(w, false));
    }
    return op_modify(o, "port", want, have, op_what(o, o->def->verb, o->name), err);
}

static int run_update(struct op *o, struct pv_err *err)
{
    const struct cim_class *cls = NULL;
    struct cim_instance *nic = NULL;
    struct port p = { .nic = o->id };
    const char *port = NULL;
    struct wish w;
    unsigned state;
    bool there = false;
    int rc = o->resumed ? PV_OK : op_vm_stable(o, &state, err);

    if (rc == PV_OK)
        rc = read_wish(o, o->args, &w, err);
    if (rc == PV_OK)
        rc = get_nic(o, &cls, &nic, err);
    if (rc == PV_OK)
        rc = find_port(o, &p, &there, err);
    if (rc)
        return rc;
    if (there) {
        port = cim_str(p.found, PORT(InstanceID));
        rc = update_port(o, &w, p.found, err);
    } else if (w.switch_path || has_features(&w)) {
        rc = add_port(o, &w, cls, o->id, 0, &port, err);
        if (rc == PV_OK) /* the adapter stays, so it does not go with it */
            undo_made(o, UNDO_RESOURCE,
                      op_text(o, "%s|%s", CIM(Msvm_EthernetPortAllocationSettingData)->name, port));
    }
    if (rc == PV_OK && port)
        rc = put_features(o, &w, port, 0, !there, err);
    /* The last step: an address that the host chose itself cannot be put back. */
    return rc ? rc : update_adapter(o, &w, cls, nic, err);
}

static int run_detach(struct op *o, struct pv_err *err)
{
    const struct cim_class *cls = NULL;
    struct cim_instance *nic = NULL;
    unsigned state = 0;
    int rc = o->resumed ? PV_OK : op_vm_stable(o, &state, err);

    if (rc == PV_OK) {
        rc = get_nic(o, &cls, &nic, err);
        if (rc == PV_ENOENT) {
            o->changed = o->resumed;
            return PV_OK; /* it is gone already */
        }
    }
    if (rc)
        return rc;
    if (cls == CIM(Msvm_EmulatedEthernetPortSettingData) && state != 3 && !o->resumed)
        return op_wrong_state(o, err, "a legacy adapter can be removed only while the VM is off");
    /* The port goes with it. */
    return op_remove_resource(o, "nic", op_what(o, o->def->verb, o->name), cls, o->id, err);
}

const struct op_def op_nic_defs[] = {
    { "vm.nic.attach", "adding a network adapter to", run_attach, 0, 0 },
    { "vm.nic.update", "changing network adapter", run_update, 0, 0 },
    { "vm.nic.detach", "removing network adapter", run_detach, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
