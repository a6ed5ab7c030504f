/* SPDX-License-Identifier: Apache-2.0 */
/* The checkpoints of a VM: a tree, told by each one's `Parent`. */
#include "drivers/wmi/map.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>

#define SNAPSHOTS_MOST 1024u
#define DEPTH_MOST 1024u
#define NOTES_MOST 16384u

#define VSSD(prop) P(Msvm_VirtualSystemSettingData, prop)

struct snapshots {
    const struct map *m;
    const struct cim_instance **items;
    const char **parents; /* InstanceIDs, NULL at the root */
    size_t n;
};

static const char *parent_of(const struct map *m, const struct cim_instance *settings)
{
    const char *parent = cim_str(settings, VSSD(Parent));

    return parent && *parent ? sight_path_key(m->s->a, parent, "InstanceID") : NULL;
}

static bool load(const struct map *m, const struct sight_owner *o, struct snapshots *out)
{
    const struct cim_instance **all;
    size_t n;

    *out = (struct snapshots){ .m = m };
    if (sight_sorted(m->s, o, SIGHT_SETTINGS, &all, &n))
        return false;
    out->items = arena_alloc(m->s->a, (n + 1) * sizeof(struct cim_instance *));
    out->parents = arena_alloc(m->s->a, (n + 1) * sizeof(char *));
    if (!out->items || !out->parents)
        return false;
    for (size_t i = 0; i < n && out->n < SNAPSHOTS_MOST; i++) {
        if (!sight_is_snapshot(all[i]))
            continue;
        out->items[out->n] = all[i];
        out->parents[out->n++] = parent_of(m, all[i]);
    }
    return true;
}

/* Of the snapshot with this InstanceID, or n. */
static size_t place_of(const struct snapshots *s, const char *id)
{
    size_t i = 0;

    while (i < s->n && !sight_same(sight_id(s->items[i]), id))
        i++;
    return i;
}

/* Counted with an end: a host that says that two checkpoints are each other's parent is wrong, but answered. */
static uint64_t depth_of(const struct snapshots *s, size_t i)
{
    uint64_t depth = 0;

    while (i < s->n && depth <= s->n) {
        depth++;
        i = s->parents[i] ? place_of(s, s->parents[i]) : s->n;
    }
    return depth;
}

/* The VM goes on from the checkpoint that its own settings name as parent. */
static size_t current_of(const struct snapshots *s, const struct sight_owner *o)
{
    size_t i = place_of(s, parent_of(s->m, sight_vm_settings(o)));
    const struct cim_ref *ref;

    if (i < s->n)
        return i;
    ref = cim_get_ref(sight_one(o, SIGHT_BRANCH), P(Msvm_MostCurrentSnapshotInBranch, Dependent));
    return ref ? place_of(s, cim_ref_key(ref, "InstanceID")) : s->n;
}

static void put_notes(const struct map *m, const struct cim_instance *settings)
{
    unsigned n = cim_count(settings, VSSD(Notes));
    struct buf text;

    buf_init(&text, NOTES_MOST);
    for (unsigned i = 0; i < n; i++) {
        const char *line = cim_str_at(settings, VSSD(Notes), i);

        if (line && *line)
            buf_printf(&text, text.len ? "\n%s" : "%s", line);
    }
    if (buf_ok(&text))
        pv_snapshot_description(m->b, text.data ? text.data : "");
    buf_free(&text);
}

/* A standard checkpoint of a running VM holds its memory; a production one never does. Which it is, nothing says
 * directly: memory is there if the state of the VM is. */
static void put_kind(const struct map *m, const struct cim_instance *settings)
{
    const char *type = cim_str(settings, VSSD(VirtualSystemType));
    bool saved = cim_bool(settings, VSSD(IsSaved));
    uint64_t wanted = cim_uint(settings, VSSD(UserSnapshotType));

    if (sight_same(type, "Microsoft:Hyper-V:Snapshot:Replica:ApplicationConsistent")) {
        pv_snapshot_snapshot_type(m->b, PV_SNAPSHOT_TYPE_APP_CONSISTENT);
        pv_snapshot_quiesced(m->b, true);
    } else if (type && strncmp(type, "Microsoft:Hyper-V:Snapshot:Replica", 34) == 0) {
        pv_snapshot_snapshot_type(m->b, PV_SNAPSHOT_TYPE_CRASH_CONSISTENT);
        pv_snapshot_quiesced(m->b, false);
    } else {
        bool production = !saved && (wanted == 3 || wanted == 4);

        pv_snapshot_snapshot_type(m->b, production ? PV_SNAPSHOT_TYPE_PRODUCTION
                                                   : PV_SNAPSHOT_TYPE_STANDARD);
        pv_snapshot_quiesced(m->b, production);
    }
    pv_snapshot_memory(m->b, saved);
    pv_snapshot_power_state(m->b, saved ? PV_POWER_STATE_SUSPENDED : PV_POWER_STATE_OFF);
}

void map_vm_snapshots(const struct map *m, const struct sight_owner *o)
{
    struct snapshots s;
    size_t current;
    uint64_t deepest = 0;
    int64_t newest = 0, oldest = INT64_MAX, ms;

    if (!load(m, o, &s))
        return;
    current = current_of(&s, o);
    for (size_t i = 0; i < s.n; i++) {
        const struct cim_instance *settings = s.items[i];
        uint64_t depth = depth_of(&s, i);

        if (depth > deepest)
            deepest = depth;
        pv_snapshot_begin(m->b, sight_id(settings), NULL);
        pv_snapshot_name(m->b, cim_str(settings, VSSD(ElementName)));
        if (s.parents[i] && place_of(&s, s.parents[i]) < s.n)
            pv_snapshot_parent(m->b, sight_id(s.items[place_of(&s, s.parents[i])]));
        else
            PV_CLEAR(m->b, snapshot, parent);
        if (cim_get_time(settings, VSSD(CreationTime), &ms)) {
            pv_snapshot_taken_at(m->b, ms);
            if (ms > newest)
                newest = ms;
            if (ms < oldest)
                oldest = ms;
        }
        put_notes(m, settings);
        put_kind(m, settings);
        pv_snapshot_current(m->b, i == current);
    }
    if (s.n == 0)
        pv_snapshot_none(m->b);
    pv_vm_snapshots_count(m->b, s.n);
    pv_vm_snapshots_depth(m->b, deepest);
    if (newest > 0) {
        pv_vm_snapshots_newest_at(m->b, newest);
        pv_vm_snapshots_oldest_at(m->b, oldest);
    } else {
        PV_CLEAR(m->b, vm, snapshots_newest_at);
        PV_CLEAR(m->b, vm, snapshots_oldest_at);
    }
}
