/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/op_device.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define RES(prop) P(Msvm_ResourceAllocationSettingData, prop)
#define MARK 8
#define IDE 5
#define SCSI 6
#define IDE_UNITS 2
#define SCSI_UNITS 64
#define SCSI_MOST 4
#define NEW_CONTROLLER "(new controller)"

static const char *id_of(const struct cim_instance *i)
{
    const struct cim_prop *p = i && i->cls ? cim_prop_find(i->cls, "InstanceID") : NULL;

    return p ? cim_str(i, (struct cim_p_str){ p }) : NULL;
}

/* ------------------------------------------------------------------ what is new */

/* The device's GUID, which follows that of the VM. */
static bool mark_of(const char *id, char mark[MARK + 3])
{
    char guid[40];
    const char *at = id ? strchr(id, '\\') : NULL;

    if (!at || !op_guid(at, guid))
        return false;
    (void)snprintf(mark, MARK + 3, ".%.*s.", MARK, guid);
    return true;
}

int op_added_begin(struct op *o, const char *key, struct op_added *added, struct pv_err *err)
{
    const char *kept = journal_get(&o->journal, key);
    struct cim_list list = { 0 };
    struct buf marks;
    char mark[MARK + 3];
    int rc;

    if (kept || !o->vm[0]) {
        added->before = arena_strdup(o->a, kept ? kept : ".");
        return PV_OK;
    }
    rc = op_list(o, added->cls, o->vm, &list, err);
    if (rc)
        return rc;
    buf_init(&marks, 1024);
    buf_char(&marks, '.');
    for (size_t i = 0; i < list.count; i++)
        if ((!added->is || added->is(list.items[i])) && mark_of(id_of(list.items[i]), mark))
            buf_text(&marks, mark + 1);
    added->before = arena_strdup(o->a, buf_ok(&marks) ? marks.data : ".");
    journal_note(&o->journal, key, added->before);
    buf_free(&marks);
    return PV_OK;
}

/* Bears the identifier that somebody else has asked for. */
static bool is_foreign(const struct op_added *added, const struct cim_instance *i)
{
    const struct cim_prop *p = cim_prop_find(i->cls, "VirtualSystemIdentifiers");
    const char *have = added->mark && p ? cim_str_at(i, (struct cim_p_strs){ p }, 0) : NULL;

    return have && *have && !op_same(have, added->mark);
}

int op_added_look(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct op_added *added = ctx;
    struct cim_list list = { 0 };
    char mark[MARK + 3];
    unsigned found = 0;
    int rc = op_list(o, added->cls, o->vm, &list, err);

    if (rc)
        return rc;
    *there = false;
    for (size_t i = 0; i < list.count; i++) {
        const char *id = id_of(list.items[i]);

        if ((added->is && !added->is(list.items[i])) || !mark_of(id, mark) ||
            strstr(added->before, mark) || is_foreign(added, list.items[i]))
            continue;
        added->id = id;
        found++;
    }
    if (found > 1)
        return pv_fail(
            err, PV_EUNKNOWN,
            "%s %s: somebody else added one at the same time; it cannot be told which is which",
            o->def->verb, o->name);
    *there = found == 1;
    return PV_OK;
}

/* ------------------------------------------------------------------ adding and removing */

const struct cim_instance *op_add_call(struct op *o, const struct cim_instance *in)
{
    struct cim_instance *call =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, AddResourceSettings));

    cim_set_ref(call,
                A(Msvm_VirtualSystemManagementService, AddResourceSettings, AffectedConfiguration),
                op_settings_ref(o, o->vm[0] ? o->vm : "(new)"));
    cim_add_emb(call, A(Msvm_VirtualSystemManagementService, AddResourceSettings, ResourceSettings),
                in);
    return call;
}

int op_add_resource(struct op *o, const char *key, const char *what, const struct cim_instance *in,
                    op_look_fn look, void *ctx, const char *remote, struct pv_err *err)
{
    struct op_step s = { .key = key,
                         .what = what,
                         .in = op_add_call(o, in),
                         .look = look,
                         .ctx = ctx,
                         .remote = op_is_remote(remote) ? remote : NULL };
    int rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);

    return rc ? rc : op_do(o, &s, NULL, err);
}

static int is_removed(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct cim_instance *found;
    int rc = wsman_get(o->w->client, &o->c, ctx, o->a, &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_ENOENT;
    return PV_OK;
}

int op_remove_resource(struct op *o, const char *key, const char *what, const struct cim_class *cls,
                       const char *id, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, RemoveResourceSettings));
    const struct cim_ref *ref = op_by_id(o, cls, id);
    struct op_step s = { .key = key, .what = what, .in = in, .look = is_removed, .repeats = true };
    int rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &s.on, err);

    s.ctx = (void *)(uintptr_t)ref; /* only read */
    cim_add_ref(
        in, A(Msvm_VirtualSystemManagementService, RemoveResourceSettings, ResourceSettings), ref);
    return rc ? rc : op_do(o, &s, NULL, err);
}

const struct cim_instance *op_child_of(struct op *o, const struct cim_list *list, const char *id)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct cim_prop *p = cim_prop_find(list->items[i]->cls, "Parent");

        if (p && op_same(op_path_id(o, cim_str(list->items[i], (struct cim_p_str){ p })), id))
            return list->items[i];
    }
    return NULL;
}

/* ------------------------------------------------------------------ slots */

struct seats {
    struct cim_list resources;
    const struct cim_instance *ide[8], *scsi[16];
    unsigned nide, nscsi;
};

static uint64_t type_of(const struct cim_instance *i)
{
    return cim_uint(i, RES(ResourceType));
}

static bool is_scsi(const struct cim_instance *i)
{
    return type_of(i) == SCSI;
}

/* Controllers of one type are numbered by InstanceID: enumerations have no order. */
static int read_seats(struct op *o, struct seats *s, struct pv_err *err)
{
    int rc;

    memset(s, 0, sizeof(*s));
    rc = op_list(o, CIM(Msvm_ResourceAllocationSettingData), o->vm, &s->resources, err);
    for (size_t i = 0; rc == PV_OK && i < s->resources.count; i++) {
        const struct cim_instance *r = s->resources.items[i];

        if (type_of(r) == IDE && s->nide < PV_COUNT(s->ide))
            s->ide[s->nide++] = r;
        else if (type_of(r) == SCSI && s->nscsi < PV_COUNT(s->scsi))
            s->scsi[s->nscsi++] = r;
    }
    return rc;
}

static bool is_taken(struct op *o, const struct seats *s, const char *controller, uint64_t unit)
{
    for (size_t i = 0; i < s->resources.count; i++) {
        const struct cim_instance *r = s->resources.items[i];
        const char *at = cim_str(r, RES(AddressOnParent));
        uint64_t n;

        if (at && str_u64(at, strlen(at), 255, &n) && n == unit &&
            op_same(op_path_id(o, cim_str(r, RES(Parent))), controller))
            return true;
    }
    return false;
}

static int add_scsi(struct op *o, const char *key, const char **id, struct pv_err *err)
{
    struct cim_instance *in = cim_new(o->a, CIM(Msvm_ResourceAllocationSettingData));
    struct op_added added = { .cls = CIM(Msvm_ResourceAllocationSettingData), .is = is_scsi };
    int rc;

    cim_set_uint(in, RES(ResourceType), SCSI);
    cim_set_str(in, RES(ResourceSubType), "Microsoft:Hyper-V:Synthetic SCSI Controller");
    cim_set_str(in, RES(ElementName), "SCSI Controller");
    rc = op_added_begin(o, op_text(o, "c%s", key), &added, err);
    if (rc == PV_OK)
        rc = op_add_resource(o, op_text(o, "scsi %s", key),
                             op_what(o, "adding a SCSI controller to", o->name), in, op_added_look,
                             &added, NULL, err);
    if (rc)
        return rc;
    *id = o->dry_run ? NEW_CONTROLLER : added.id;
    if (!o->lost) /* else it may be somebody else's, and an empty controller does no harm */
        undo_made(o, UNDO_RESOURCE, *id);
    return PV_OK;
}

/* A dry run of making a VM: nothing is there to look at. */
static int choose_new(struct op *o, bool ide, struct op_slot *out, struct pv_err *err)
{
    const char *id;
    int rc = PV_OK;

    out->ide = ide;
    if (ide) {
        out->number = o->new_ide / IDE_UNITS;
        out->unit = o->new_ide++ % IDE_UNITS;
        out->controller = op_text(o, "(IDE controller %u)", out->number);
        return PV_OK;
    }
    if (o->new_scsi == 0)
        rc = add_scsi(o, "new", &id, err);
    out->unit = o->new_scsi++;
    out->controller = "(SCSI controller 0)";
    return rc;
}

static int free_unit(struct op *o, const struct seats *s, const struct cim_instance *controller,
                     unsigned units, const json_t *where, struct op_slot *out)
{
    uint64_t wanted;

    out->controller = id_of(controller);
    if (op_member_u64(where, "unit", &wanted)) {
        out->unit = (unsigned)wanted;
        return wanted < units && !is_taken(o, s, out->controller, wanted) ? PV_OK : PV_EEXIST;
    }
    for (out->unit = 0; out->unit < units; out->unit++)
        if (!is_taken(o, s, out->controller, out->unit))
            return PV_OK;
    return PV_EEXIST;
}

static int choose_on(struct op *o, const struct seats *s, bool ide, const json_t *where,
                     struct op_slot *out)
{
    unsigned n = ide ? s->nide : s->nscsi;
    uint64_t bus;
    bool named = op_member_u64(where, "bus", &bus);

    out->ide = ide;
    for (unsigned i = 0; i < n; i++) {
        if (named && i != bus)
            continue;
        out->number = i;
        if (free_unit(o, s, ide ? s->ide[i] : s->scsi[i], ide ? IDE_UNITS : SCSI_UNITS, where,
                      out) == PV_OK)
            return PV_OK;
    }
    return PV_ENOENT;
}

/* "unit|controller without the VM's part" */
static bool remembered(struct op *o, const char *key, struct op_slot *out)
{
    const char *text = journal_get(&o->journal, key), *bar = text ? strchr(text + 2, '|') : NULL;
    uint64_t unit;

    if (!bar || !str_u64(text + 2, (size_t)(bar - text) - 2, 255, &unit))
        return false;
    out->ide = text[0] == 'i';
    out->unit = (unsigned)unit;
    out->controller = op_text(o, "Microsoft:%s\\%s", o->vm, bar + 1);
    return out->controller != NULL;
}

static void remember(struct op *o, const char *key, const struct op_slot *s)
{
    const char *tail = strchr(s->controller, '\\');

    if (tail && !o->dry_run)
        journal_note(&o->journal, key,
                     op_text(o, "%c,%u|%s", s->ide ? 'i' : 's', s->unit, tail + 1));
}

static int check_type(struct op *o, const char *type, struct pv_err *err)
{
    int rc;

    if (!type || strcmp(type, "ide") == 0 || strcmp(type, "scsi") == 0)
        return PV_OK;
    rc = pv_fail(err, PV_ENOTSUP, "%s %s: Hyper-V has no %s bus", o->def->verb, o->name, type);
    pv_err_pointer(err, "/controller/type");
    return rc;
}

static int choose(struct op *o, const json_t *where, const char *key, bool cdrom,
                  struct op_slot *out, struct pv_err *err)
{
    const char *type = op_member_str(where, "type");
    struct seats s;
    bool ide;
    int rc = check_type(o, type, err);

    if (rc)
        return rc;
    if (!o->vm[0])
        return choose_new(o, type ? strcmp(type, "ide") == 0 : !o->gen2, out, err);
    rc = read_seats(o, &s, err);
    if (rc)
        return rc;
    ide = type ? strcmp(type, "ide") == 0 : s.nide > 0;
    if (cdrom && !ide && s.nide > 0)
        return pv_fail(err, PV_ENOTSUP, "%s %s: generation 1 has CD drives on IDE only",
                       o->def->verb, o->name);
    if (ide && s.nide == 0)
        return pv_fail(err, PV_ENOTSUP, "%s %s: generation 2 has no IDE", o->def->verb, o->name);
    rc = choose_on(o, &s, ide, where, out);
    if (rc == PV_ENOENT && ide && !type && !cdrom) {
        ide = false;
        rc = choose_on(o, &s, ide, where, out);
    }
    if (rc == PV_ENOENT && !ide && !op_member(where, "bus") && s.nscsi < SCSI_MOST &&
        (s.nscsi == 0 || !op_member(where, "unit"))) {
        uint64_t unit = 0;

        (void)op_member_u64(where, "unit", &unit);
        *out = (struct op_slot){ .ide = false, .number = s.nscsi, .unit = (unsigned)unit };
        rc = add_scsi(o, key, &out->controller, err);
        if (rc)
            return rc;
    }
    if (rc)
        return pv_fail(err, PV_EEXIST, "%s %s: there is no free place on its %s controllers",
                       o->def->verb, o->name, ide ? "IDE" : "SCSI");
    return PV_OK;
}

int op_slot_choose(struct op *o, const json_t *where, const char *key, bool cdrom,
                   struct op_slot *out, struct pv_err *err)
{
    const char *note = op_text(o, "s%s", key);
    int rc;

    memset(out, 0, sizeof(*out));
    if (note && remembered(o, note, out))
        return PV_OK;
    rc = choose(o, where, key, cdrom, out, err);
    if (rc == PV_OK && note)
        remember(o, note, out);
    return rc;
}
