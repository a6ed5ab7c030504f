/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What methods that only read answer: the summary of all VMs, and the disk
 * files that VMs use, with the files below them. The inventory needs both, so
 * a report without them could not be replayed.
 */
#include "drivers/wmi/report_inner.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/inventory_sight.h"
#include "drivers/wmi/map_images.h"
#include "drivers/wmi/map_world.h"
#include "drivers/wmi/wsman_inner.h"

#define ARENA_MOST (64u << 20)
#define INPUT_MOST (1u << 20)
#define IMAGES_MOST 10000u
#define PART 16u /* summaries of one answer, where all do not fit */

static bool host_is_lost(int rc)
{
    return rc == PV_ECANCELED || rc == PV_EAUTH || rc == PV_EOFFLINE;
}

/* A method of a service: the answer as it came. */
static int ask(struct report *r, const struct cim_class *service, const struct cim_class *method,
               const struct cim_instance *in, struct reply *reply, struct pv_err *err)
{
    struct message m = { .what = method->name };
    char uri[URI_CAP], action[URI_CAP + 80];
    const struct cim_ref *ref = NULL;
    struct buf body;
    int rc = in ? wsman_service(r->wmi->client, r->c, service, &ref, err)
                : pv_fail(err, PV_ENOMEM, "no memory");

    buf_init(&body, INPUT_MOST);
    envelope_uri(uri, sizeof(uri), cim_ns_path(CIM_NS_VIRTUALIZATION), method->owner->name);
    (void)snprintf(action, sizeof(action), "%s/%s", uri, method->name);
    if (rc == PV_OK)
        rc = envelope_input(&body, in, uri, err);
    m.action = action;
    m.uri = uri;
    m.ref = ref;
    m.body = body.data;
    if (rc == PV_OK)
        rc = wsman_exchange(r->wmi->client, r->c, NULL, &m, reply, err);
    if (rc == PV_OK)
        rc = reply_check(reply, &m, err);
    if (rc == PV_OK && !reply->body)
        rc = pv_fail(err, PV_EIO, "%s answered nothing", method->name);
    buf_free(&body);
    return rc;
}

/* ------------------------------------------------------------------ summaries */

static int ask_summary(struct report *r, const char *const *guids, size_t n, struct reply *reply,
                       struct pv_err *err)
{
    static const unsigned wanted[] = { 0,   1,   2,   3,   4,   10,  11,  100, 101, 103, 104, 105,
                                       106, 107, 109, 110, 111, 112, 114, 115, 116, 117, 121, 132 };
    const struct cim_class *method = M(Msvm_VirtualSystemManagementService, GetSummaryInformation);
    struct arena *a = arena_new(16384, 4u << 20);
    struct cim_instance *in = a ? cim_call(a, method) : NULL;
    int rc;

    for (size_t i = 0; in && i < n; i++) {
        struct cim_ref *ref = cim_ref_new(a, CIM(Msvm_VirtualSystemSettingData));
        char *id = arena_printf(a, "Microsoft:%s", guids[i]);

        if (!ref || !id)
            continue;
        cim_ref_add(ref, P(Msvm_VirtualSystemSettingData, InstanceID), id);
        cim_add_ref(in, A(Msvm_VirtualSystemManagementService, GetSummaryInformation, SettingData),
                    ref);
    }
    for (size_t i = 0; in && i < PV_COUNT(wanted); i++)
        cim_add_uint(
            in, A(Msvm_VirtualSystemManagementService, GetSummaryInformation, RequestedInformation),
            wanted[i]);
    rc = ask(r, CIM(Msvm_VirtualSystemManagementService), method, in, reply, err);
    arena_free(a);
    return rc;
}

/* More VMs than one answer holds: some at a time. */
static int put_parts(struct report *r, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_ComputerSystem) };
    struct arena *a = arena_new(65536, ARENA_MOST);
    struct cim_list systems = { 0 };
    const char *guids[PART];
    size_t n = 0;
    int rc = a ? wsman_list(r->wmi->client, r->c, &q, a, &systems, err)
               : pv_fail(err, PV_ENOMEM, "no memory");

    jsonw_array(r->w, "answers");
    for (size_t i = 0; i < systems.count && rc == PV_OK; i++) {
        const char *name = cim_str(systems.items[i], P(Msvm_ComputerSystem, Name));
        struct reply reply = { 0 };
        char low[SIGHT_GUID];

        if (sight_guid(name, 0, low))
            guids[n++] = name;
        if (n == 0 || (n < PART && i + 1 < systems.count))
            continue;
        rc = ask_summary(r, guids, n, &reply, err);
        if (rc == PV_OK)
            report_put_object(r, NULL, reply.body, 0);
        reply_free(&reply);
        n = 0;
    }
    jsonw_end(r->w);
    arena_free(a);
    return rc;
}

static int put_summary(struct report *r, struct pv_err *err)
{
    struct reply reply = { 0 };
    struct pv_err mine = { 0 };
    int64_t from = clock_mono_ms();
    int rc;

    jsonw_object(r->w, "GetSummaryInformation");
    r->cls = M(Msvm_VirtualSystemManagementService, GetSummaryInformation);
    rc = ask_summary(r, NULL, 0, &reply, &mine);
    if (rc == PV_OK) {
        report_put_object(r, "answer", reply.body, 0);
    } else if (rc == PV_ELIMIT) {
        mine = (struct pv_err){ 0 };
        rc = put_parts(r, &mine);
    }
    if (rc)
        report_put_error(r, &mine);
    jsonw_i64(r->w, "ms", clock_mono_ms() - from);
    jsonw_end(r->w);
    reply_free(&reply);
    if (host_is_lost(rc))
        *err = mine;
    return host_is_lost(rc) ? rc : PV_OK;
}

/* ------------------------------------------------------------------ disk files */

static void note_file(struct images *files, struct arena *a, const char *path)
{
    const char *key = path && *path ? world_path(a, path) : NULL;

    if (key)
        (void)images_put(files, key, path);
}

static int note_files(struct report *r, struct images *files, struct arena *a, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_StorageAllocationSettingData) };
    struct cim_list media = { 0 };
    int rc = wsman_list(r->wmi->client, r->c, &q, a, &media, err);

    for (size_t i = 0; i < media.count && rc == PV_OK; i++)
        if (sight_same(
                cim_str(media.items[i], P(Msvm_StorageAllocationSettingData, ResourceSubType)),
                "Microsoft:Hyper-V:Virtual Hard Disk"))
            note_file(
                files, a,
                cim_str_at(media.items[i], P(Msvm_StorageAllocationSettingData, HostResource), 0));
    return rc;
}

/* The file that a differencing disk lies upon is named by its own answer only. */
static void note_parent(struct images *files, struct arena *a, const xmlNode *answer)
{
    const char *text = xml_child_text(answer, NULL, "SettingData");
    struct cim_instance *data = NULL;

    if (text && cim_parse_xml(a, text, CIM_NS_VIRTUALIZATION, &data, NULL) == PV_OK &&
        cim_is(data, CIM(Msvm_VirtualHardDiskSettingData)))
        note_file(files, a, cim_str(data, P(Msvm_VirtualHardDiskSettingData, ParentPath)));
}

static int put_file(struct report *r, const char *key, const struct cim_class *method,
                    struct cim_p_str path, const struct image *file, struct images *parents,
                    struct arena *a, struct pv_err *err)
{
    struct cim_instance *in = cim_call(a, method);
    struct reply reply = { 0 };
    struct pv_err mine = { 0 };
    int rc;

    if (in)
        cim_set_str(in, path, file->path);
    rc = ask(r, CIM(Msvm_ImageManagementService), method, in, &reply, &mine);
    r->cls = method;
    jsonw_object(r->w, key);
    if (rc == PV_OK)
        report_put_object(r, "answer", reply.body, 0);
    else
        report_put_error(r, &mine);
    jsonw_end(r->w);
    if (rc == PV_OK && parents)
        note_parent(parents, a, reply.body);
    reply_free(&reply);
    if (host_is_lost(rc))
        *err = mine;
    return host_is_lost(rc) ? rc : PV_OK;
}

static int put_files(struct report *r, struct pv_err *err)
{
    unsigned most = r->o->samples < IMAGES_MOST ? r->o->samples : IMAGES_MOST;
    struct arena *a = arena_new(65536, ARENA_MOST);
    struct images *files = images_new();
    struct pv_err mine = { 0 };
    struct image *file;
    unsigned n = 0;
    int rc = a && files ? note_files(r, files, a, &mine) : pv_fail(&mine, PV_ENOMEM, "no memory");

    jsonw_object(r->w, "disk_files");
    if (rc)
        report_put_error(r, &mine);
    jsonw_array(r->w, "files");
    while (rc == PV_OK && n < most && (file = images_oldest(files, 1)) != NULL) {
        file->looked_ms = 1;
        n++;
        jsonw_object(r->w, NULL);
        report_put_text(r, "path", "Path", file->path);
        rc = put_file(r, "GetVirtualHardDiskSettingData",
                      M(Msvm_ImageManagementService, GetVirtualHardDiskSettingData),
                      A(Msvm_ImageManagementService, GetVirtualHardDiskSettingData, Path), file,
                      files, a, &mine);
        if (rc == PV_OK)
            rc = put_file(r, "GetVirtualHardDiskState",
                          M(Msvm_ImageManagementService, GetVirtualHardDiskState),
                          A(Msvm_ImageManagementService, GetVirtualHardDiskState, Path), file, NULL,
                          a, &mine);
        jsonw_end(r->w);
    }
    jsonw_end(r->w);
    jsonw_bool(r->w, "complete", rc == PV_OK && !images_oldest(files, 1));
    jsonw_end(r->w);
    images_free(files);
    arena_free(a);
    if (host_is_lost(rc))
        *err = mine;
    return host_is_lost(rc) ? rc : PV_OK;
}

int report_methods(struct report *r, struct pv_err *err)
{
    int rc = put_summary(r, err);

    return rc ? rc : put_files(r, err);
}
