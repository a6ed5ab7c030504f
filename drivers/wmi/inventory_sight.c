/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/inventory_sight.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#define SLOTS_FIRST 256u

/* ------------------------------------------------------------------ texts */

static size_t guid_at(const char *text)
{
    static const size_t parts[] = { 8, 4, 4, 4, 12 };
    size_t at = 0;

    for (size_t p = 0; p < PV_COUNT(parts); p++) {
        for (size_t i = 0; i < parts[p]; i++, at++)
            if (!isxdigit((unsigned char)text[at]))
                return 0;
        if (p + 1 < PV_COUNT(parts) && text[at++] != '-')
            return 0;
    }
    return isxdigit((unsigned char)text[at]) || text[at] == '-' ? 0 : at;
}

bool sight_guid(const char *text, unsigned nth, char out[SIGHT_GUID])
{
    const char *at = text;

    while (at && *at) {
        size_t len = guid_at(at);

        if (len == 0) {
            at++;
            continue;
        }
        if (nth-- == 0) {
            for (size_t i = 0; i < len; i++)
                out[i] = (char)tolower((unsigned char)at[i]);
            out[len] = '\0';
            return true;
        }
        at += len;
    }
    return false;
}

bool sight_same(const char *a, const char *b)
{
    return a && b && strcasecmp(a, b) == 0;
}

const char *sight_path_key(struct arena *a, const char *path, const char *key)
{
    const struct cim_ref *r = path ? cim_ref_parse(a, path, CIM_NS_VIRTUALIZATION) : NULL;

    return r ? cim_ref_key(r, key) : NULL;
}

const char *sight_id(const struct cim_instance *o)
{
    const struct cim_prop *p = o && o->cls ? cim_prop_find(o->cls, "InstanceID") : NULL;

    return p && p->type == CIM_STRING ? cim_str(o, (struct cim_p_str){ p }) : NULL;
}

/* ------------------------------------------------------------------ what is a VM */

static bool type_is(const struct cim_instance *settings, const char *type)
{
    return sight_same(cim_str(settings, P(Msvm_VirtualSystemSettingData, VirtualSystemType)), type);
}

bool sight_is_vm(const struct cim_instance *settings)
{
    char guid[SIGHT_GUID];

    return type_is(settings, "Microsoft:Hyper-V:System:Realized") &&
           sight_guid(sight_id(settings), 0, guid);
}

bool sight_is_snapshot(const struct cim_instance *settings)
{
    const char *type = cim_str(settings, P(Msvm_VirtualSystemSettingData, VirtualSystemType));
    static const char snapshot[] = "Microsoft:Hyper-V:Snapshot:";
    char guid[SIGHT_GUID];

    if (!type || strncasecmp(type, snapshot, sizeof(snapshot) - 1) != 0)
        return false;
    type += sizeof(snapshot) - 1;
    return (sight_same(type, "Realized") || strncasecmp(type, "Replica:", 8) == 0) &&
           sight_guid(sight_id(settings), 0, guid);
}

const struct cim_instance *sight_vm_settings(const struct sight_owner *o)
{
    for (const struct sight_item *i = o ? o->lists[SIGHT_SETTINGS] : NULL; i; i = i->next)
        if (sight_is_vm(i->o))
            return i->o;
    return NULL;
}

/* ------------------------------------------------------------------ owners */

/* Checkpoints stand with their VM; everything else with the first GUID of its key. */
static bool owner_of(enum sight_list list, const struct cim_instance *o, char out[SIGHT_GUID])
{
    const struct cim_ref *ref;

    switch (list) {
    case SIGHT_SYSTEM:
        return sight_guid(cim_str(o, P(Msvm_ComputerSystem, Name)), 0, out);
    case SIGHT_SUMMARY:
        return sight_guid(cim_str(o, P(Msvm_SummaryInformation, Name)), 0, out);
    case SIGHT_SETTINGS:
        return sight_is_snapshot(o)
                   ? sight_guid(cim_str(o, P(Msvm_VirtualSystemSettingData, VirtualSystemIdentifier)),
                                0, out)
                   : sight_guid(sight_id(o), 0, out);
    case SIGHT_KVP:
        return sight_guid(cim_str(o, P(Msvm_KvpExchangeComponent, SystemName)), 0, out);
    case SIGHT_SWITCH:
        return sight_guid(cim_str(o, P(Msvm_VirtualEthernetSwitch, Name)), 0, out);
    case SIGHT_METERED:
        ref = cim_get_ref(o, P(Msvm_MetricDefForME, Antecedent));
        return cim_ref_is(ref, CIM(Msvm_ComputerSystem)) &&
               sight_guid(cim_ref_key(ref, "Name"), 0, out);
    case SIGHT_BRANCH:
        ref = cim_get_ref(o, P(Msvm_MostCurrentSnapshotInBranch, Antecedent));
        return ref && sight_guid(cim_ref_key(ref, "Name"), 0, out);
    default:
        return sight_guid(sight_id(o), 0, out);
    }
}

static size_t hash(const char *text)
{
    uint64_t h = 1469598103934665603u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (size_t)h;
}

static struct sight_owner **slot_of(const struct sight *s, const char *guid)
{
    size_t at = hash(guid) & (s->slots - 1);

    while (s->table[at] && strcmp(s->table[at]->guid, guid) != 0)
        at = (at + 1) & (s->slots - 1);
    return &s->table[at];
}

static bool grow(struct sight *s)
{
    struct sight_owner **old = s->table;
    size_t was = s->slots;
    size_t slots = was ? 2 * was : SLOTS_FIRST;
    struct sight_owner **table = arena_alloc(s->a, slots * sizeof(*table));

    if (!table)
        return false;
    s->table = table;
    s->slots = slots;
    for (size_t i = 0; i < was; i++)
        if (old[i])
            *slot_of(s, old[i]->guid) = old[i];
    return true;
}

static struct sight_owner *make_owner(struct sight *s, const char *guid)
{
    struct sight_owner **slot;

    if (2 * (s->owners + 1) > s->slots && !grow(s))
        return NULL;
    slot = slot_of(s, guid);
    if (!*slot) {
        *slot = arena_alloc(s->a, sizeof(**slot));
        if (!*slot)
            return NULL;
        memcpy((*slot)->guid, guid, SIGHT_GUID);
        s->owners++;
    }
    return *slot;
}

struct sight *sight_new(struct arena *a)
{
    struct sight *s = arena_alloc(a, sizeof(*s));

    if (s)
        s->a = a;
    return s && grow(s) ? s : NULL;
}

/* Devices of a checkpoint bear its GUID, not the VM's. */
static int link_snapshots(struct sight *s, struct pv_err *err)
{
    for (size_t i = 0; i < s->lists[SIGHT_SETTINGS].count; i++) {
        const struct cim_instance *o = s->lists[SIGHT_SETTINGS].items[i];
        struct sight_owner *snapshot, *vm;
        char own[SIGHT_GUID], of[SIGHT_GUID];

        if (!sight_is_snapshot(o) || !sight_guid(sight_id(o), 0, own) ||
            !owner_of(SIGHT_SETTINGS, o, of))
            continue;
        snapshot = make_owner(s, own);
        vm = make_owner(s, of);
        if (!snapshot || !vm)
            return pv_fail(err, PV_ENOMEM, "no memory for the host's inventory");
        if (snapshot != vm)
            snapshot->vm = vm;
    }
    return PV_OK;
}

int sight_join(struct sight *s, struct pv_err *err)
{
    for (unsigned list = 0; list < SIGHT_GROUPED; list++) {
        for (size_t i = s->lists[list].count; i-- > 0;) {
            const struct cim_instance *o = s->lists[list].items[i];
            struct sight_owner *owner;
            struct sight_item *item;
            char guid[SIGHT_GUID];

            if (!owner_of((enum sight_list)list, o, guid))
                continue;
            owner = make_owner(s, guid);
            item = arena_alloc(s->a, sizeof(*item));
            if (!owner || !item)
                return pv_fail(err, PV_ENOMEM, "no memory for the host's inventory");
            *item = (struct sight_item){ o, owner->lists[list] };
            owner->lists[list] = item;
        }
    }
    return link_snapshots(s, err);
}

const struct sight_owner *sight_owner(const struct sight *s, const char *guid)
{
    char low[SIGHT_GUID];

    return s->slots && sight_guid(guid, 0, low) ? *slot_of(s, low) : NULL;
}

const struct cim_instance *sight_one(const struct sight_owner *o, enum sight_list list)
{
    return o && o->lists[list] ? o->lists[list]->o : NULL;
}

const struct cim_instance *sight_first(const struct sight *s, enum sight_list list)
{
    return s->lists[list].count ? s->lists[list].items[0] : NULL;
}

static int by_id(const void *a, const void *b)
{
    const char *x = sight_id(*(const struct cim_instance *const *)a);
    const char *y = sight_id(*(const struct cim_instance *const *)b);

    return strcasecmp(x ? x : "", y ? y : "");
}

int sight_sorted(const struct sight *s, const struct sight_owner *o, enum sight_list list,
                 const struct cim_instance ***out, size_t *n)
{
    const struct cim_instance **items;
    size_t count = 0;

    for (const struct sight_item *i = o ? o->lists[list] : NULL; i; i = i->next)
        count++;
    items = arena_alloc(s->a, (count + 1) * sizeof(*items));
    if (!items)
        return PV_ENOMEM;
    count = 0;
    for (const struct sight_item *i = o ? o->lists[list] : NULL; i; i = i->next)
        items[count++] = i->o;
    qsort(items, count, sizeof(*items), by_id);
    *out = items;
    *n = count;
    return PV_OK;
}
