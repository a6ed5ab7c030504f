/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sim/files.h"

#include <stdio.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/records.h>

/* Addresses come and go with the power, disks write to other files after a snapshot. */
#define RUN (SIM_PART_POWER | SIM_PART_GUEST)
#define SNAPS (SIM_PART_POWER | SIM_PART_SNAPS)

/* What each is called: by us, by vSphere (event class) and by Hyper-V (number in its VMMS and
 * Worker logs); and the parts of the VM's record it touches. `type` NULL: it is no event. */
static const struct happening {
    const char *type, *vim, *hyperv, *words;
    uint32_t parts;
} happenings[] = {
    [SIM_DID_BEGIN] = { NULL, NULL, NULL, NULL, SIM_PART_POWER },
    [SIM_DID_START] = { "vm_powered_on", "VmPoweredOnEvent", "18500", "was started", RUN },
    [SIM_DID_SHUTDOWN] = { "vm_guest_shutdown", "VmGuestShutdownEvent", "18508", "was shut down",
                           RUN },
    [SIM_DID_STOP] = { "vm_powered_off", "VmPoweredOffEvent", "18502", "was turned off", RUN },
    [SIM_DID_REBOOT] = { "vm_guest_reboot", "VmGuestRebootEvent", "18514", "was restarted", RUN },
    [SIM_DID_RESET] = { "vm_resetting", "VmResettingEvent", "18512", "was reset", RUN },
    [SIM_DID_PAUSE] = { "vm_paused", NULL, "18516", "was paused", RUN },
    [SIM_DID_RESUME] = { "vm_resumed", "VmPoweredOnEvent", "18518", "goes on", RUN },
    [SIM_DID_SUSPEND] = { "vm_suspended", "VmSuspendedEvent", "18510", "was suspended", RUN },
    [SIM_DID_SNAPSHOT] = { "vm_snapshot_created", "TaskEvent", "18596", "has a new snapshot",
                           SNAPS },
    [SIM_DID_REVERT] = { "vm_snapshot_reverted", "TaskEvent", "18600",
                         "was taken back to a snapshot", SIM_PART_SNAPS | RUN },
    [SIM_DID_UNSNAPSHOT] = { "vm_snapshot_removed", "TaskEvent", "18598", "has a snapshot less",
                             SNAPS },
    [SIM_DID_MOVE] = { "vm_migrated", "DrsVmMigratedEvent", "20418", "moved to another host",
                       SIM_PART_PLACE },
    [SIM_DID_LEASE] = { NULL, NULL, NULL, NULL, SIM_PART_GUEST },
    [SIM_DID_RENAME] = { "vm_renamed", "VmRenamedEvent", "18304", "has a new name", SIM_PART_NAME },
    [SIM_DID_CREATE] = { "vm_created", "VmCreatedEvent", "13002", "was created", SIM_PART_ALL },
    [SIM_DID_RECONFIGURE] = { "vm_reconfigured", "VmReconfiguredEvent", "18310", "was reconfigured",
                              SIM_PART_ALL },
    [SIM_DID_NOTHING] = { NULL, NULL, NULL, NULL, SIM_PART_POWER },
    [SIM_DID_PLACE] = { NULL, NULL, NULL, NULL, 0 },
    [SIM_DID_DELETE] = { "vm_removed", "VmRemovedEvent", "13003", "was deleted", 0 },
};

static void send_event(struct sim_estate *e, struct pv_builder *b, const struct sim_change *c,
                       const char *vm_id, const char *vm_name)
{
    const struct happening *h = &happenings[c->what];
    char id[SIM_ID_MAX], actor[64], message[192], type[48];

    snprintf(id, sizeof(id), "event-%08x-%llu", e->nonce[0], (unsigned long long)++e->events);
    snprintf(actor, sizeof(actor), "%s\\%s", sim_is_vmware(e) ? "VSPHERE.LOCAL" : "CORP", c->actor);
    snprintf(message, sizeof(message), "%s %s", vm_name, h->words);
    pv_event_begin(b, id, NULL);
    pv_event_time(b, clock_wall_ms());
    snprintf(type, sizeof(type), "external.%s", h->type);
    pv_event_type(b, type);
    pv_event_severity(b, PV_SEVERITY_INFO);
    pv_event_actor_name(b, actor);
    pv_event_message(b, message);
    pv_event_native_type(b, sim_is_vmware(e) ? h->vim : h->hyperv);
    pv_event_subject_kind(b, PV_KIND_vm);
    pv_event_subject_native_id(b, vm_id);
}

void sim_change_note(struct sim_estate *e, struct pv_builder *b, const struct sim_change *c)
{
    struct sim_vm_state *s = &e->vms[c->vm];
    struct sim_vm vm;
    char id[SIM_ID_MAX], name[129];

    pthread_mutex_lock(&e->lock);
    sim_vm_traits(e, c->vm, s->generation, &vm);
    sim_vm_display(e, &vm, name, sizeof(name), id);
    if (c->what == SIM_DID_DELETE) {
        pv_builder_gone(b, PV_KIND_vm, id);
        sim_vm_images_gone(e, b, c->vm);
    } else {
        if (!s->unsent)
            e->touched[e->touched_count++] = c->vm;
        s->unsent |= (uint8_t)happenings[c->what].parts;
    }
    pthread_mutex_unlock(&e->lock);
    if (happenings[c->what].type)
        send_event(e, b, c, id, name);
}

void sim_changes_send(struct sim_estate *e, struct pv_builder *b)
{
    for (uint32_t i = 0; i < e->touched_count; i++) {
        struct sim_vm_state *s = &e->vms[e->touched[i]];

        /* A place that was emptied and filled again since stands here twice. */
        pthread_mutex_lock(&e->lock);
        if (!s->absent && s->unsent)
            sim_emit_vm(e, b, e->touched[i], s->unsent);
        s->unsent = 0;
        pthread_mutex_unlock(&e->lock);
        pv_builder_room(b);
    }
    e->touched_count = 0;
}

/* ------------------------------------------------------------------ what happens by itself */

static void flip_power(const struct sim_estate *e, struct sim_vm_state *s, uint64_t roll,
                       struct sim_change *c)
{
    c->actor = "svc-scheduler";
    if (s->power != PV_POWER_STATE_RUNNING) {
        c->what = s->power == PV_POWER_STATE_OFF ? SIM_DID_START : SIM_DID_RESUME;
        s->power = PV_POWER_STATE_RUNNING;
        s->host = sim_host_to_run(e, s->host);
        s->boot_ms = clock_wall_ms();
    } else if (roll % 100 < 65) { /* most stay on, so that most are on in the long run */
        c->what = SIM_DID_REBOOT;
        s->boot_ms = clock_wall_ms();
    } else if (roll % 100 < 92) {
        c->what = SIM_DID_SHUTDOWN;
        s->power = PV_POWER_STATE_OFF;
    } else {
        c->what = SIM_DID_SUSPEND;
        s->power = PV_POWER_STATE_SUSPENDED;
    }
}

static bool move_host(const struct sim_estate *e, struct sim_vm_state *s, uint64_t roll,
                      struct sim_change *c)
{
    uint32_t host = sim_unit_host(e, sim_host_unit(e, s->host), roll);

    if (host == s->host)
        return false;
    s->host = host;
    c->what = SIM_DID_MOVE;
    c->actor = sim_is_vmware(e) ? "drs" : "svc-balancer";
    return true;
}

/* As backup software does: a snapshot comes, and goes when the copy is made. */
static bool backup(struct sim_estate *e, struct sim_change *c)
{
    struct sim_snaps room;
    const struct sim_snaps *l = sim_snaps_get(e, c->vm, &room);
    uint16_t serial;

    c->actor = "svc-backup";
    if (l->count >= 2) {
        c->what = SIM_DID_UNSNAPSHOT;
        return sim_snaps_delete(e, c->vm, l->items[l->count - 1].serial, false, NULL) == PV_OK;
    }
    c->what = SIM_DID_SNAPSHOT;
    return sim_snaps_create(e, c->vm, "backup", "Made by the backup software", false, true, &serial,
                            NULL) == PV_OK;
}

static void come_or_go(struct sim_estate *e, uint64_t roll, struct sim_change *c)
{
    struct sim_vm_state *s;

    c->actor = "svc-deploy";
    if (e->free_count == SIM_FREE_MAX || (e->free_count && roll % 2)) {
        c->what = SIM_DID_CREATE;
        c->vm = e->free[--e->free_count];
        s = &e->vms[c->vm];
        s->generation++;
        sim_vm_state_reset(e, c->vm);
    } else {
        c->what = SIM_DID_DELETE;
        e->vms[c->vm].absent = true;
        sim_snaps_drop(&e->vms[c->vm]);
        e->free[e->free_count++] = c->vm;
    }
}

/* A VM that may be changed: there, and nothing else is done to it. */
static bool pick_vm(const struct sim_estate *e, uint64_t roll, uint32_t *index)
{
    struct sim_vm vm;

    for (uint64_t i = 0; i < 8; i++) {
        uint32_t at = (uint32_t)(sim_hash(roll, SIM_CHANGE, i) % e->set.vms);
        const struct sim_vm_state *s = &e->vms[at];

        sim_vm_traits(e, at, s->generation, &vm);
        if (!s->absent && s->activity == PV_ACTIVITY_NONE && !vm.is_template) {
            *index = at;
            return true;
        }
    }
    return false;
}

bool sim_change_make(struct sim_estate *e, struct sim_change *out)
{
    uint64_t roll = sim_roll(e, SIM_CHANGE, ++e->changes);
    unsigned dice = (unsigned)(roll % 100);
    struct sim_change c = { .actor = "system" };
    struct sim_vm_state *s;
    bool done = true;

    if (!e->set.vms)
        return false;
    roll >>= 8;
    pthread_mutex_lock(&e->lock);
    done = pick_vm(e, roll, &c.vm);
    if (done) {
        s = &e->vms[c.vm];
        if (dice < 6 && e->set.churn) {
            come_or_go(e, roll, &c);
        } else if (dice < 40) {
            flip_power(e, s, roll, &c);
        } else if (dice < 55 && backup(e, &c)) {
            ;
        } else if (dice < 57 && s->renames < 9) {
            s->renames++;
            c.what = SIM_DID_RENAME;
            c.actor = "svc-deploy";
        } else if (dice >= 80 || !move_host(e, s, roll, &c)) {
            s->ip_moves++;
            c.what = SIM_DID_LEASE;
        }
    }
    pthread_mutex_unlock(&e->lock);
    if (done)
        *out = c;
    return done;
}
