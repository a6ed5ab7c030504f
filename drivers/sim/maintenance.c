/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts that are taken out of use: their VMs go to the other hosts of the unit first, each to the
 * one that has fewest by then. Where there is none, VMs that run are in the way.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/sim/job.h"

#define TOUCHED_MAX 60

static bool enters(const struct job *j)
{
    return strcmp(j->op->name, "host.enter_maintenance") == 0;
}

static int find_host(struct job *j, uint32_t *host, struct pv_err *err)
{
    uint64_t n;

    if (!sim_native_number(j->e, PV_KIND_host, j->subject_id, &n) || n >= j->e->set.hosts)
        return job_gone(j, err, "host");
    *host = (uint32_t)n;
    return PV_OK;
}

static bool is_in_the_way(const struct job *j, uint32_t index, uint32_t host)
{
    const struct sim_vm_state *s = &j->e->vms[index];

    return !s->absent && s->host == host &&
           (s->power == PV_POWER_STATE_RUNNING || s->power == PV_POWER_STATE_PAUSED ||
            job_flag(j, "evacuate_off"));
}

/* The host of the unit that has fewest VMs; false: no other is in use. */
static bool roomiest(const struct sim_estate *e, uint32_t host, const uint32_t *counts,
                     uint32_t *out)
{
    uint32_t unit = sim_host_unit(e, host);
    uint32_t first = sim_unit_first(e, unit), end = sim_unit_first(e, unit + 1);
    bool found = false;

    for (uint32_t h = first; h < end; h++) {
        if (h == host || sim_host_in_maintenance(e, h) ||
            (found && counts[h - first] >= counts[*out - first]))
            continue;
        *out = h;
        found = true;
    }
    return found;
}

typedef int (*goes_fn)(struct job *j, uint32_t vm, uint32_t to);

/* Calls fn for each VM with the host it goes to. */
static int each_move(struct job *j, uint32_t host, goes_fn fn, struct pv_err *err)
{
    struct sim_estate *e = j->e;
    uint32_t unit = sim_host_unit(e, host), first = sim_unit_first(e, unit), to = host;
    uint32_t *counts = calloc(sim_unit_first(e, unit + 1) - first + 1, sizeof(*counts));
    int rc = counts ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to empty the host");

    for (uint32_t i = 0; rc == PV_OK && i < sim_vm_count(e); i++)
        if (!e->vms[i].absent && sim_host_unit(e, e->vms[i].host) == unit)
            counts[e->vms[i].host - first]++;
    for (uint32_t i = 0; rc == PV_OK && i < sim_vm_count(e); i++) {
        if (!is_in_the_way(j, i, host))
            continue;
        if (!roomiest(e, host, counts, &to)) {
            pv_fail(err, PV_ESTATE, "VMs run there, and no other host can take them");
            pv_err_remedy(err, "Shut its VMs down, or move them to another place first.");
            rc = job_native(j, err, PV_ESTATE, "InvalidState", "");
        } else {
            counts[to - first]++;
            rc = fn(j, i, to);
        }
    }
    free(counts);
    return rc;
}

static int note_move(struct job *j, uint32_t index, uint32_t to)
{
    char vm[SIM_ID_MAX], host[SIM_ID_MAX], name[129];
    struct sim_vm traits;

    sim_vm_traits(j->e, index, j->e->vms[index].generation, &traits);
    sim_vm_display(j->e, &traits, name, sizeof(name), vm);
    sim_host_name(j->e, to, host, sizeof(host));
    if (!j->calls)
        j->calls = json_array();
    json_array_append_new(j->calls,
                          json_pack("{s:s, s:s, s:s, s:{s:s}}", "operation", "MigrateVM_Task",
                                    "object", vm, "name", name, "args", "host", host));
    return PV_OK;
}

/* The first of them are read again before the task is over; the feed tells all. */
static int move(struct job *j, uint32_t index, uint32_t to)
{
    struct sim_change c = { .vm = index, .what = SIM_DID_MOVE, .actor = "vpxuser" };
    char id[SIM_ID_MAX], name[129];
    struct sim_vm traits;

    sim_vm_traits(j->e, index, j->e->vms[index].generation, &traits);
    sim_vm_display(j->e, &traits, name, sizeof(name), id);
    j->e->vms[index].host = to;
    sim_estate_tell(j->e, &c);
    if (json_array_size(json_object_get(j->answer, "objects")) < TOUCHED_MAX)
        job_touched(j, "vm", id, false);
    return PV_OK;
}

int sim_check_rest(struct job *j, struct pv_err *err)
{
    uint32_t host = 0;
    int rc = find_host(j, &host, err);

    if (rc != PV_OK)
        return rc;
    j->no_op = sim_host_in_maintenance(j->e, host) == enters(j);
    return j->no_op || !enters(j) ? PV_OK : each_move(j, host, note_move, err);
}

int sim_apply_rest(struct job *j, struct pv_err *err)
{
    uint32_t host = 0;
    int rc = find_host(j, &host, err);

    if (rc == PV_OK && enters(j))
        rc = each_move(j, host, move, err);
    if (rc == PV_OK)
        j->e->rests[host] = enters(j) ? SIM_REST_ON : SIM_REST_OFF;
    return rc;
}
