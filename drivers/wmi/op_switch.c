/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual switches. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_device.h"
#include "drivers/wmi/op_modify.h"

#define SET(prop) P(Msvm_VirtualEthernetSwitchSettingData, prop)
#define PORT(prop) P(Msvm_EthernetPortAllocationSettingData, prop)
#define UP(prop) P(Msvm_ExternalEthernetPort, prop)

/* ------------------------------------------------------------------ what is there */

static const struct cim_ref *switch_ref(struct op *o, const char *guid)
{
    struct cim_ref *r = cim_ref_new(o->a, CIM(Msvm_VirtualEthernetSwitch));

    cim_ref_add(r, P(Msvm_VirtualEthernetSwitch, CreationClassName), "Msvm_VirtualEthernetSwitch");
    cim_ref_add(r, P(Msvm_VirtualEthernetSwitch, Name), guid);
    return r;
}

static int switch_guid(struct op *o, char guid[40], struct pv_err *err)
{
    return op_guid(o->id, guid) ? PV_OK
                                : pv_fail(err, PV_ENOENT, "%s %s: the host has no such switch",
                                          o->def->verb, o->name);
}

static int get_switch(struct op *o, const char *guid, struct cim_instance **out, struct pv_err *err)
{
    int rc =
        op_get(o, CIM(Msvm_VirtualEthernetSwitchSettingData), op_settings_id(o, guid), out, err);

    return rc == PV_ENOENT ? pv_fail(err, PV_ENOENT, "%s %s: the host has no such switch",
                                     o->def->verb, o->name)
                           : rc;
}

struct making {
    const char *name;
    char guid[40];
};

/* Two switches of one name are no error of the host's; people mean one. */
static int check_name(struct op *o, const char *name, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualEthernetSwitch), .most = 10000 };
    struct cim_list list = { 0 };
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    for (size_t i = 0; rc == PV_OK && i < list.count; i++)
        if (op_same(cim_str(list.items[i], P(Msvm_VirtualEthernetSwitch, ElementName)), name))
            return pv_fail(err, PV_EEXIST, "%s %s: the host has a switch of this name",
                           o->def->verb, o->name);
    return rc;
}

/* An external switch takes the host's own network away for seconds: it is looked for by our mark
 * afterwards. */
static int find_made(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualEthernetSwitchSettingData), .most = 10000 };
    struct making *m = ctx;
    struct cim_list list = { 0 };
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    *there = false;
    for (size_t i = 0; rc == PV_OK && i < list.count && !*there; i++)
        *there = op_marked(o, cim_str_at(list.items[i], SET(Notes), 0)) &&
                 op_guid(cim_str(list.items[i], SET(InstanceID)), m->guid);
    return rc;
}

/* ------------------------------------------------------------------ what it is connected to */

static int find_uplink(struct op *o, const char *name, const struct cim_ref **out, bool own,
                       struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_ExternalEthernetPort), .with_refs = true };
    struct cim_list list = { 0 };
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < list.count; i++) {
        const struct cim_instance *p = list.items[i];

        if (!op_same(cim_str(p, UP(ElementName)), name) && !op_same(cim_str(p, UP(Name)), name) &&
            !op_same(cim_str(p, UP(DeviceID)), name))
            continue;
        if (cim_bool(p, UP(IsBound)) && !own)
            return pv_fail(err, PV_ESTATE, "%s %s: the adapter %s belongs to another switch",
                           o->def->verb, o->name, name);
        *out = cim_ref_of(o->a, p);
        return *out ? PV_OK : pv_fail(err, PV_EIO, "the host does not name its adapter %s", name);
    }
    return pv_fail(err, PV_ENOENT, "%s %s: the host has no adapter %s", o->def->verb, o->name,
                   name);
}

static bool is_vm(const struct cim_instance *i)
{
    char guid[40];

    return op_guid(cim_str(i, P(Msvm_ComputerSystem, Name)), guid);
}

/* The host itself is the computer system whose name is no GUID. */
static int host_path(struct op *o, const char **out, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem), .most = 100000 };
    struct cim_list list = { 0 };
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    for (size_t i = 0; rc == PV_OK && i < list.count; i++) {
        if (is_vm(list.items[i]))
            continue;
        *out = op_path(o, op_vm_ref(o, cim_str(list.items[i], P(Msvm_ComputerSystem, Name))));
        return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    }
    return rc ? rc
              : pv_fail(err, PV_EIO, "%s %s: the host does not name itself", o->def->verb, o->name);
}

static struct cim_instance *connection(struct op *o, const char *path, const char *name)
{
    struct cim_instance *p = cim_new(o->a, CIM(Msvm_EthernetPortAllocationSettingData));

    cim_set_uint(p, PORT(ResourceType), 33);
    cim_set_str(p, PORT(ResourceSubType), "Microsoft:Hyper-V:Ethernet Connection");
    cim_set_str(p, PORT(ElementName), name);
    cim_add_str(p, PORT(HostResource), path);
    return p;
}

struct wish {
    const char *type;   /* external, internal, private */
    const char *uplink; /* path; external */
    const char *host;   /* path; NULL: the host has no adapter on it */
    const char *uplink_name;
};

static int not_here(struct op *o, const char *member, const char *why, struct pv_err *err)
{
    int rc = pv_fail(err, PV_ENOTSUP, "%s %s: %s: %s", o->def->verb, o->name, member, why);

    pv_err_pointer(err, "/%s", member);
    return rc;
}

static int read_wish(struct op *o, const char *type, bool external_now, const char *uplink_now,
                     bool host_now, struct wish *w, struct pv_err *err)
{
    const json_t *uplinks = op_arg(o, "uplinks"), *own = op_arg(o, "management_os");
    const struct cim_ref *uplink = NULL;
    bool host;
    int rc = PV_OK;

    memset(w, 0, sizeof(*w));
    w->type = type;
    if (op_arg(o, "mtu"))
        return not_here(o, "mtu", "Hyper-V's switches take the size of their adapter", err);
    if (!type || (strcmp(type, "external") && strcmp(type, "internal") && strcmp(type, "private")))
        return not_here(o, "switch_type", "Hyper-V has external, internal and private switches",
                        err);
    host = json_is_boolean(own)            ? json_is_true(own)
           : strcmp(type, "external") == 0 ? host_now
                                           : true;
    if (strcmp(type, "external") == 0) {
        if (json_array_size(uplinks) > 1)
            return not_here(o, "uplinks",
                            "an external switch has one adapter; make a team of several first",
                            err);
        w->uplink_name = json_string_value(json_array_get(uplinks, 0));
        if (w->uplink_name)
            rc = find_uplink(o, w->uplink_name, &uplink,
                             external_now && op_same(uplink_now, w->uplink_name), err);
        else if (!external_now)
            rc = pv_fail(err, PV_EINVAL, "%s %s: uplinks: an external switch needs an adapter",
                         o->def->verb, o->name);
        w->uplink = rc || !uplink ? NULL : op_path(o, uplink);
    } else if (json_array_size(uplinks) > 0) {
        return not_here(o, "uplinks", "only an external switch has one", err);
    }
    if (rc == PV_OK && host && strcmp(type, "private") != 0)
        rc = host_path(o, &w->host, err);
    return rc;
}

/* ------------------------------------------------------------------ operations */

/* What people want to read there, in place of our mark. */
static int put_notes(struct op *o, const char *guid, struct pv_err *err)
{
    struct cim_instance *have = NULL,
                        *want = cim_new(o->a, CIM(Msvm_VirtualEthernetSwitchSettingData));
    const char *notes = op_arg_str(o, "annotation");
    int rc = get_switch(o, guid, &have, err);

    if (rc)
        return rc;
    cim_set_str(want, SET(InstanceID), cim_str(have, SET(InstanceID)));
    cim_add_str(want, SET(Notes), notes ? notes : "");
    rc = op_modify(o, "notes", want, have, op_what(o, "writing the notes of", o->name), err);
    o->journal.restore = NULL;
    return rc;
}

static int define(struct op *o, const struct wish *w, struct making *m, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, DefineSystem));
    struct cim_instance *set = cim_new(o->a, CIM(Msvm_VirtualEthernetSwitchSettingData));
    const char *notes = o->dry_run ? op_arg_str(o, "annotation") : op_mark_notes(o);
    struct op_step s = { .key = "define",
                         .what = op_what(o, "making the switch", m->name),
                         .in = in,
                         .look = find_made,
                         .ctx = m };
    int rc = op_service(o, CIM(Msvm_VirtualEthernetSwitchManagementService), &s.on, err);

    if (rc)
        return rc;
    cim_set_str(set, SET(ElementName), m->name);
    if (notes)
        cim_add_str(set, SET(Notes), notes);
    cim_set_emb(in, A(Msvm_VirtualEthernetSwitchManagementService, DefineSystem, SystemSettings),
                set);
    if (w->uplink)
        cim_add_emb(in,
                    A(Msvm_VirtualEthernetSwitchManagementService, DefineSystem, ResourceSettings),
                    connection(o, w->uplink, op_text(o, "%s_External", m->name)));
    if (w->host)
        cim_add_emb(in,
                    A(Msvm_VirtualEthernetSwitchManagementService, DefineSystem, ResourceSettings),
                    connection(o, w->host, m->name));
    rc = op_do(o, &s, NULL, err);
    if (rc == PV_OK && !o->dry_run)
        journal_note(&o->journal, "made", m->guid);
    return rc;
}

static int run_create(struct op *o, struct pv_err *err)
{
    struct making m = { .name = op_arg_str(o, "name") };
    const char *made = journal_get(&o->journal, "made"); /* before a restart */
    struct pv_err why = { 0 };
    struct wish w = { 0 };
    int rc = PV_OK;

    o->name = m.name;
    if (!o->resumed)
        rc = check_name(o, m.name, err);
    if (rc == PV_OK && !o->resumed)
        rc = read_wish(o, op_arg_str(o, "switch_type"), false, NULL, true, &w, err);
    if (rc == PV_OK && made)
        (void)str_copy(m.guid, sizeof(m.guid), made);
    else if (rc == PV_OK)
        rc = define(o, &w, &m, err);
    if (rc || o->dry_run)
        return rc;
    o->changed = true;
    op_made(o, "switch", m.guid, NULL);
    rc = put_notes(o, m.guid, &why);
    if (rc && call_is_closing(&o->c)) {
        *err = why;
        return rc;
    }
    /* It is there; only its notes say still that it is being made. */
    if (rc)
        op_warn(o, "the switch was made, but its notes could not be written: %s", why.message);
    return PV_OK;
}

static int is_gone(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct cim_instance *found;
    int rc = wsman_get(o->w->client, &o->c, switch_ref(o, ctx), o->a, &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_ENOENT;
    return PV_OK;
}

/* Adapters of VMs on it: the host refuses with a code that does not say so. */
static int check_unused(struct op *o, const char *guid, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_EthernetPortAllocationSettingData), .most = 100000 };
    struct cim_list list = { 0 };
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    for (size_t i = 0; rc == PV_OK && i < list.count; i++) {
        const char *path = cim_str_at(list.items[i], PORT(HostResource), 0);
        const struct cim_ref *ref = path ? cim_ref_parse(o->a, path, CIM_NS_VIRTUALIZATION) : NULL;
        char at[40];

        if (!ref || !cim_ref_is(ref, CIM(Msvm_VirtualEthernetSwitch)) ||
            !op_guid(cim_ref_key(ref, "Name"), at) || !op_same(at, guid))
            continue;
        return pv_fail(err, PV_ESTATE, "%s %s: network adapters of VMs are attached to it",
                       o->def->verb, o->name);
    }
    return rc;
}

static int run_delete(struct op *o, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, DestroySystem));
    struct op_step s = { .key = "destroy",
                         .what = op_what(o, o->def->verb, o->name),
                         .in = in,
                         .look = is_gone,
                         .repeats = true };
    char guid[40];
    bool gone = false;
    int rc = switch_guid(o, guid, err);

    s.ctx = guid;
    if (rc == PV_OK)
        rc = is_gone(o, guid, &gone, err);
    if (rc || (gone && !o->resumed))
        return rc;
    if (!gone)
        rc = check_unused(o, guid, err);
    if (rc == PV_OK)
        rc = op_service(o, CIM(Msvm_VirtualEthernetSwitchManagementService), &s.on, err);
    cim_set_ref(in, A(Msvm_VirtualEthernetSwitchManagementService, DestroySystem, AffectedSystem),
                switch_ref(o, guid));
    return rc ? rc : op_do(o, &s, NULL, err);
}

/* ------------------------------------------------------------------ changing */

struct links {
    const struct cim_instance *uplink, *host;
    char uplink_id[128];
};

/* The switch's own connections: to a physical adapter, to the host. */
static int read_links(struct op *o, const char *guid, struct links *l, struct pv_err *err)
{
    struct cim_list list = { 0 };
    int rc = op_list(o, CIM(Msvm_EthernetPortAllocationSettingData), guid, &list, err);

    memset(l, 0, sizeof(*l));
    for (size_t i = 0; rc == PV_OK && i < list.count; i++) {
        const char *path = cim_str_at(list.items[i], PORT(HostResource), 0);
        const struct cim_ref *ref = path ? cim_ref_parse(o->a, path, CIM_NS_VIRTUALIZATION) : NULL;

        if (ref && cim_ref_is(ref, CIM(Msvm_ExternalEthernetPort))) {
            l->uplink = list.items[i];
            (void)str_copy(l->uplink_id, sizeof(l->uplink_id), cim_ref_key(ref, "DeviceID"));
        } else if (ref && cim_ref_is(ref, CIM(Msvm_ComputerSystem))) {
            l->host = list.items[i];
        }
    }
    return rc;
}

struct linked {
    const char *guid;
    bool uplink, host;
    const char *path;  /* of the uplink; NULL: any */
    struct links seen; /* when it was looked at last */
};

static int is_linked(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct linked *k = ctx;
    struct links l;
    int rc = read_links(o, k->guid, &l, err);

    if (rc)
        return rc;
    k->seen = l;
    *there = (l.uplink != NULL) == k->uplink && (l.host != NULL) == k->host;
    if (*there && k->path && l.uplink) {
        const struct cim_ref *is = cim_str_path_at(l.uplink, PORT(HostResource), 0, o->a);

        *there = cim_ref_same(is, cim_ref_parse(o->a, k->path, CIM_NS_VIRTUALIZATION));
    }
    return PV_OK;
}

static struct cim_instance *link_call(struct op *o, const char *guid, const char *path,
                                      const char *name)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, AddResourceSettings));

    cim_set_ref(
        in,
        A(Msvm_VirtualEthernetSwitchManagementService, AddResourceSettings, AffectedConfiguration),
        op_by_id(o, CIM(Msvm_VirtualEthernetSwitchSettingData), op_settings_id(o, guid)));
    cim_add_emb(
        in, A(Msvm_VirtualEthernetSwitchManagementService, AddResourceSettings, ResourceSettings),
        connection(o, path, name));
    return in;
}

static struct cim_instance *unlink_call(struct op *o, const struct cim_instance *link)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, RemoveResourceSettings));

    cim_add_ref(
        in,
        A(Msvm_VirtualEthernetSwitchManagementService, RemoveResourceSettings, ResourceSettings),
        op_by_id(o, CIM(Msvm_EthernetPortAllocationSettingData), cim_str(link, PORT(InstanceID))));
    return in;
}

static struct cim_instance *uplink_call(struct op *o, const char *id, const char *path)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, ModifyResourceSettings));
    struct cim_instance *want = cim_new(o->a, CIM(Msvm_EthernetPortAllocationSettingData));

    cim_set_str(want, PORT(InstanceID), id);
    cim_add_str(want, PORT(HostResource), path);
    cim_add_emb(
        in,
        A(Msvm_VirtualEthernetSwitchManagementService, ModifyResourceSettings, ResourceSettings),
        want);
    return in;
}

/* `k`: how it is to be afterwards; `was`: how it is now, and how `back` makes it again. */
static int put_link(struct op *o, const char *key, struct linked *k, const struct linked *was,
                    struct cim_instance *in, struct cim_instance *back, struct pv_err *err)
{
    struct linked *kept = arena_alloc(o->a, sizeof(*kept));
    struct op_step s = {
        .key = key, .what = op_what(o, o->def->verb, o->name), .in = in, .look = is_linked, .ctx = k
    };
    int rc = op_service(o, CIM(Msvm_VirtualEthernetSwitchManagementService), &s.on, err);

    if (rc == PV_OK)
        rc = op_do(o, &s, NULL, err);
    if (rc || o->dry_run || !kept)
        return rc;
    *kept = *was;
    if (!back) { /* it was linked: its id is known only now */
        const struct cim_instance *link = k->uplink != was->uplink ? k->seen.uplink : k->seen.host;

        back = link ? unlink_call(o, link) : NULL;
    }
    if (back)
        undo_restore(o, "putting the connections of the switch back", s.on, back, is_linked, kept);
    return PV_OK;
}

static int unlink_one(struct op *o, const char *key, const char *guid,
                      const struct cim_instance *link, bool uplink, bool host,
                      const struct linked *was, struct pv_err *err)
{
    struct linked k = { .guid = guid, .uplink = uplink, .host = host };
    const char *path = cim_str_at(link, PORT(HostResource), 0);

    return put_link(o, key, &k, was, unlink_call(o, link),
                    link_call(o, guid, path, cim_str(link, PORT(ElementName))), err);
}

static int link_one(struct op *o, const char *key, const char *guid, const char *path,
                    const char *name, bool uplink, bool host, const struct linked *was,
                    struct pv_err *err)
{
    struct linked k = { .guid = guid, .uplink = uplink, .host = host };

    return put_link(o, key, &k, was, link_call(o, guid, path, name), NULL, err);
}

static int change_uplink(struct op *o, const char *guid, const struct links *l, const char *path,
                         const struct linked *was, struct pv_err *err)
{
    struct linked k = { .guid = guid, .uplink = true, .host = l->host != NULL, .path = path };
    const char *id = cim_str(l->uplink, PORT(InstanceID));
    struct linked before = *was;

    before.path = cim_str_at(l->uplink, PORT(HostResource), 0);
    return put_link(o, "uplink", &k, &before, uplink_call(o, id, path),
                    uplink_call(o, id, before.path), err);
}

static int change_links(struct op *o, const char *guid, struct pv_err *err)
{
    const char *type = op_arg_str(o, "switch_type");
    struct linked was = { .guid = NULL };
    struct links l;
    struct wish w;
    bool uplink, same;
    int rc = read_links(o, guid, &l, err);

    if (rc)
        return rc;
    was.guid = arena_strdup(o->a, guid); /* what is put back is put back later */
    if (!was.guid)
        return pv_fail(err, PV_ENOMEM, "no memory");
    was.uplink = l.uplink != NULL;
    was.host = l.host != NULL;
    if (!type)
        type = l.uplink ? "external" : l.host ? "internal" : "private";
    rc = read_wish(o, type, l.uplink != NULL, l.uplink_id, l.host != NULL || !l.uplink, &w, err);
    if (rc)
        return rc;
    uplink = strcmp(type, "external") == 0;
    same = !w.uplink ||
           (l.uplink && cim_ref_same(cim_str_path_at(l.uplink, PORT(HostResource), 0, o->a),
                                     cim_ref_parse(o->a, w.uplink, CIM_NS_VIRTUALIZATION)));
    if (l.uplink && !uplink)
        rc = unlink_one(o, "no uplink", guid, l.uplink, false, l.host != NULL, &was, err);
    else if (l.uplink && !same)
        rc = change_uplink(o, guid, &l, w.uplink, &was, err);
    else if (!l.uplink && uplink)
        rc = link_one(o, "uplink", guid, w.uplink, op_text(o, "%s_External", o->name), true,
                      l.host != NULL, &was, err);
    was.uplink = uplink;
    if (rc == PV_OK && l.host && !w.host)
        rc = unlink_one(o, "no host", guid, l.host, uplink, false, &was, err);
    if (rc == PV_OK && !l.host && w.host)
        rc = link_one(o, "host", guid, w.host, o->name, uplink, true, &was, err);
    return rc;
}

static int run_update(struct op *o, struct pv_err *err)
{
    struct cim_instance *have = NULL,
                        *want = cim_new(o->a, CIM(Msvm_VirtualEthernetSwitchSettingData));
    const json_t *notes = op_arg(o, "annotation");
    const char *name = op_arg_str(o, "name");
    char guid[40];
    int rc = switch_guid(o, guid, err);

    if (rc == PV_OK)
        rc = get_switch(o, guid, &have, err);
    if (rc)
        return rc;
    cim_set_str(want, SET(InstanceID), cim_str(have, SET(InstanceID)));
    if (name)
        cim_set_str(want, SET(ElementName), name);
    if (notes)
        cim_add_str(want, SET(Notes), json_is_string(notes) ? json_string_value(notes) : "");
    if (name || notes)
        rc = op_modify(o, "settings", want, have, op_what(o, o->def->verb, o->name), err);
    if (rc == PV_OK && (op_arg(o, "switch_type") || op_arg(o, "uplinks") ||
                        op_arg(o, "management_os") || op_arg(o, "mtu")))
        rc = change_links(o, guid, err);
    return rc;
}

const struct op_def op_switch_defs[] = {
    { "switch.create", "making switch", run_create, 0, 0 },
    { "switch.update", "changing switch", run_update, 0, 0 },
    { "switch.delete", "deleting switch", run_delete, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
