/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host's jobs tell of a step whose answer was lost. Hyper-V keeps a job for five minutes
 * after its end, so a step that was begun can be followed, one that failed says why, and where
 * there is no job nothing was begun. A job of another type than the step's is not followed, even if
 * it is about the same VM: somebody else's failure is not ours. But as long as it runs we wait.
 */
#include <string.h>

#include <polyvisor/clock.h>

#include "drivers/wmi/op.h"

#define JOB(prop) P(Msvm_ConcreteJob, prop)
#define JOBS_MOST 10000
#define CLOCK_TICK_MS 20      /* of the host's clock */
#define BEGUN_WITHIN_MS 60000 /* what begins later is another's */

struct clocks {
    int64_t ahead;  /* the host's less ours, ms */
    int64_t unsure; /* by how much it may be off */
};

/* The quicker of two answers says it better: the first one may have had to sign in. */
static int compare_clocks(struct op *o, struct clocks *out, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Win32_OperatingSystem) };

    out->unsure = INT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        int64_t began = clock_wall_ms(), took, there = 0;
        struct cim_instance *os = NULL;
        int rc = wsman_first(o->w->client, &o->c, &q, o->a, &os, err);

        if (rc)
            return rc;
        if (!cim_get_time(os, P(Win32_OperatingSystem, LocalDateTime), &there))
            return pv_fail(err, PV_EIO, "the host does not say what time it is");
        took = clock_wall_ms() - began;
        if (took / 2 + CLOCK_TICK_MS >= out->unsure)
            continue;
        out->unsure = took / 2 + CLOCK_TICK_MS;
        out->ahead = there - (began + took / 2);
    }
    return PV_OK;
}

static bool is_storage(const struct op_step *s)
{
    return strcmp(s->on->cls, "Msvm_ImageManagementService") == 0;
}

enum whose { OURS, ANYBODYS, FOREIGN };

/* JobType of Msvm_ConcreteJob and Msvm_StorageJob, as far as it is told for the methods. [MS
 * Hyper-V WMI v2] Those of RequestStateChange and of features of ports are not. */
static const struct {
    const char *method;
    uint16_t types[3];
} known_types[] = {
    { "ImportSystemDefinition", { 60, 61, 63 } },
    { "ImportSnapshotDefinitions", { 60, 61, 63 } },
    { "ExportSystemDefinition", { 62 } },
    { "CreateSnapshot", { 70, 51 } },
    { "ApplySnapshot", { 71 } },
    { "DestroySnapshot", { 72, 50 } },
    { "DestroySnapshotTree", { 72, 50 } },
    { "ValidatePlannedSystem", { 140 } },
    { "RealizePlannedSystem", { 141 } },
    { "CreateVirtualHardDisk", { 1 } },
    { "CompactVirtualHardDisk", { 3 } },
    { "ResizeVirtualHardDisk", { 4 } },
    { "MergeVirtualHardDisk", { 5 } },
    { "ConvertVirtualHardDisk", { 6 } },
    { "ValidateVirtualHardDisk", { 9 } },
};

/* Nothing is said about methods and types that are not in the table. */
static bool is_of_another_type(const struct op_step *s, const struct cim_instance *job)
{
    uint64_t type = cim_uint(job, P(Msvm_ConcreteJob, JobType));
    bool storage = is_storage(s), mine = false, others = false, known = false;

    for (size_t i = 0; type && i < PV_COUNT(known_types); i++) {
        bool same = strcmp(s->in->cls->name, known_types[i].method) == 0;

        if ((known_types[i].types[0] < 10) != storage)
            continue;
        known |= same;
        for (size_t k = 0; k < PV_COUNT(known_types[i].types); k++) {
            mine |= same && known_types[i].types[k] == type;
            others |= !same && known_types[i].types[k] == type;
        }
    }
    return !mine && (known || others) && type;
}

/* A storage job names the files it works on, if the host fills that in. */
static enum whose whose_storage(const struct op_step *s, const struct cim_instance *job)
{
    const char *child = cim_str(job, P(Msvm_StorageJob, Child));
    const char *parent = cim_str(job, P(Msvm_StorageJob, Parent));

    if (s->file && (op_same_path(child, s->file) || op_same_path(parent, s->file)))
        return OURS;
    return ANYBODYS;
}

/* What a job is about. [MS Hyper-V WMI v2, Msvm_AffectedJobElement] */
static int affected(struct op *o, const struct cim_ref *job, const struct cim_class *cls,
                    struct cim_list *out, struct pv_err *err)
{
    struct wsman_query q = { .cls = cls, .of = job, .assoc = CIM(Msvm_AffectedJobElement) };

    return wsman_list(o->w->client, &o->c, &q, o->a, out, err);
}

int op_job_system(struct op *o, const struct cim_class *cls, char guid[40], struct pv_err *err)
{
    struct cim_list list = { 0 };
    int rc = o->job ? affected(o, o->job, cls, &list, err) : PV_OK;

    if (rc)
        return rc;
    if (list.count == 1 &&
        op_guid(cim_str(list.items[0], (struct cim_p_str){ cim_prop_find(cls, "Name") }), guid))
        return PV_OK;
    return pv_fail(err, PV_ENOENT, "the host does not say what its job was about");
}

/* The nth system of `list`, a VM or one that is planned. */
static const char *system_name(const struct cim_list *list, size_t n)
{
    const struct cim_prop *p = cim_prop_find(list->items[n]->cls, "Name");

    return cim_str(list->items[n], (struct cim_p_str){ p });
}

static int whose_of_class(struct op *o, const struct cim_ref *job, const struct cim_class *cls,
                          enum whose *out, struct pv_err *err)
{
    struct cim_list list = { 0 };
    int rc = affected(o, job, cls, &list, err);

    for (size_t i = 0; rc == PV_OK && i < list.count && *out != OURS; i++) {
        char guid[40];

        if (op_guid(system_name(&list, i), guid))
            *out = op_same(guid, o->vm) ? OURS : FOREIGN;
    }
    return rc;
}

/* Jobs about other VMs are other people's; those about none may be ours. What is being imported is
 * a planned one; a job about somebody else's may still be that of an import whose VM is not known.
 */
static int whose_system(struct op *o, const struct cim_ref *job, enum whose *out,
                        struct pv_err *err)
{
    int rc;

    *out = ANYBODYS;
    rc = whose_of_class(o, job, CIM(Msvm_ComputerSystem), out, err);
    if (rc == PV_OK && *out == ANYBODYS && o->vm[0])
        rc = whose_of_class(o, job, CIM(Msvm_PlannedComputerSystem), out, err);
    return rc;
}

static int judge(struct op *o, const struct op_step *s, const struct cim_instance *job,
                 struct op_trace *t, struct pv_err *err)
{
    const struct cim_ref *ref = cim_ref_of(o->a, job);
    enum whose whose = ANYBODYS;
    struct job_view v;
    int rc = PV_OK;

    if (!ref || op_same(cim_ref_key(ref, "InstanceID"), o->last_job))
        return PV_OK;
    if (is_storage(s))
        whose = whose_storage(s, job);
    else
        rc = whose_system(o, ref, &whose, err);
    if (rc || whose == FOREIGN)
        return rc;
    if (is_of_another_type(s, job))
        whose = ANYBODYS;
    job_read(job, &v);
    if (v.state == JOB_RUNNING)
        t->running++;
    if (whose == OURS) {
        t->ours++;
        t->job = ref;
    } else {
        t->others++;
    }
    return PV_OK;
}

/* Begun since the step was sent; and not over by then, which tells jobs that ran just before. */
static bool is_since(const struct cim_instance *job, int64_t since, int64_t until)
{
    int64_t begun = 0, changed = 0;

    if (!cim_get_time(job, JOB(TimeSubmitted), &begun) || begun < since || begun > until)
        return false;
    return !cim_get_time(job, JOB(TimeOfLastStateChange), &changed) || changed >= since;
}

int op_trace(struct op *o, const struct op_step *s, struct op_trace *out, struct pv_err *err)
{
    const struct cim_class *cls = is_storage(s) ? CIM(Msvm_StorageJob) : CIM(Msvm_ConcreteJob);
    struct wsman_query q = { .cls = cls, .with_refs = true, .most = JOBS_MOST };
    struct op_trace found = { 0 };
    struct cim_list jobs = { 0 };
    struct clocks clocks = { 0 };
    int64_t since, until;
    int rc = compare_clocks(o, &clocks, err);

    if (rc == PV_OK)
        rc = wsman_list(o->w->client, &o->c, &q, o->a, &jobs, err);
    if (rc)
        return rc;
    since = o->sent_ms + clocks.ahead - clocks.unsure;
    until = since + BEGUN_WITHIN_MS;
    for (size_t i = 0; rc == PV_OK && i < jobs.count; i++)
        if (is_since(jobs.items[i], since, until))
            rc = judge(o, s, jobs.items[i], &found, err);
    if (rc)
        return rc;
    *out = found;
    return PV_OK;
}
