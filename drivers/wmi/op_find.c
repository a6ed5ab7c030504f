/* SPDX-License-Identifier: Apache-2.0 */
/* Finding what an operation is about: VMs, settings, folders. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define GUID_LEN 36
#define STABLE_WAIT_MS (5 * 60 * 1000)

bool op_same(const char *x, const char *y)
{
    return x && y && strcasecmp(x, y) == 0;
}

const char *op_text(struct op *o, const char *fmt, ...)
{
    char text[4096];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return n >= 0 && (size_t)n < sizeof(text) ? arena_strdup(o->a, text) : NULL;
}

static bool is_guid(const char *at)
{
    for (size_t i = 0; i < GUID_LEN; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? at[i] != '-' : !isxdigit((unsigned char)at[i]))
            return false;
    }
    return true;
}

bool op_guid(const char *text, char out[40])
{
    size_t len = text ? strlen(text) : 0;

    for (size_t i = 0; i + GUID_LEN <= len; i++) {
        if (!is_guid(text + i))
            continue;
        for (size_t k = 0; k < GUID_LEN; k++)
            out[k] = (char)toupper((unsigned char)text[i + k]);
        out[GUID_LEN] = '\0';
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ the VM */

const struct cim_ref *op_vm_ref(struct op *o, const char *guid)
{
    struct cim_ref *r = cim_ref_new(o->a, CIM(Msvm_ComputerSystem));

    cim_ref_add(r, P(Msvm_ComputerSystem, CreationClassName), "Msvm_ComputerSystem");
    cim_ref_add(r, P(Msvm_ComputerSystem, Name), guid);
    return r;
}

const struct cim_ref *op_planned_ref(struct op *o, const char *guid)
{
    struct cim_ref *r = cim_ref_new(o->a, CIM(Msvm_PlannedComputerSystem));

    cim_ref_add(r, P(Msvm_PlannedComputerSystem, CreationClassName), "Msvm_PlannedComputerSystem");
    cim_ref_add(r, P(Msvm_PlannedComputerSystem, Name), guid);
    return r;
}

int op_vm_get(struct op *o, const char *guid, struct cim_instance **out, struct pv_err *err)
{
    int rc = wsman_get(o->w->client, &o->c, op_vm_ref(o, guid), o->a, out, err);

    if (rc == PV_ENOENT)
        return pv_fail(err, PV_ENOENT, "%s %s: the host has no such VM", o->def->verb, o->name);
    return rc;
}

int op_vm_state(struct op *o, unsigned *state, struct pv_err *err)
{
    struct cim_instance *vm;
    int rc = op_vm_get(o, o->vm, &vm, err);

    if (rc == PV_OK)
        *state = (unsigned)cim_uint(vm, P(Msvm_ComputerSystem, EnabledState));
    return rc;
}

/* A guest may take as long as it likes to shut down; its power can be cut meanwhile. */
static bool in_transition(const struct op *o, unsigned state)
{
    switch (state) {
    case 4: /* stopping */
        return o->def->state != 3;
    case 10:    /* starting */
    case 11:    /* resetting */
    case 32770: /* starting, as the first version says */
    case 32773: /* saving */
    case 32774: /* stopping */
    case 32776: /* pausing */
    case 32777: /* resuming */
    case 32780: /* fast saving */
        return true;
    default:
        return false;
    }
}

int op_vm_stable(struct op *o, unsigned *state, struct pv_err *err)
{
    struct backoff pause = { .first_ms = 200, .most_ms = 2000 };
    int64_t until = clock_mono_ms() + STABLE_WAIT_MS;

    for (;;) {
        int rc = op_vm_state(o, state, err);

        if (rc || !in_transition(o, *state))
            return rc;
        if (clock_mono_ms() >= until)
            return pv_fail(err, PV_EBUSY, "%s %s: its state does not settle", o->def->verb,
                           o->name);
        rc = call_sleep(&o->c, backoff_next_ms(&pause), err);
        if (rc)
            return rc;
    }
}

/* ------------------------------------------------------------------ settings */

const struct cim_ref *op_by_id(struct op *o, const struct cim_class *cls, const char *instance_id)
{
    const struct cim_prop *p = cim_prop_find(cls, "InstanceID");
    struct cim_ref *r = p ? cim_ref_new(o->a, cls) : NULL;

    cim_ref_add(r, (struct cim_p_str){ p }, instance_id);
    return r;
}

const char *op_settings_id(struct op *o, const char *guid)
{
    return op_text(o, "Microsoft:%s", guid);
}

const struct cim_ref *op_settings_ref(struct op *o, const char *guid)
{
    return op_by_id(o, CIM(Msvm_VirtualSystemSettingData), op_settings_id(o, guid));
}

int op_get(struct op *o, const struct cim_class *cls, const char *instance_id,
           struct cim_instance **out, struct pv_err *err)
{
    return wsman_get(o->w->client, &o->c, op_by_id(o, cls, instance_id), o->a, out, err);
}

int op_settings_get(struct op *o, const char *guid, struct cim_instance **out, struct pv_err *err)
{
    int rc = op_get(o, CIM(Msvm_VirtualSystemSettingData), op_settings_id(o, guid), out, err);

    if (rc == PV_ENOENT)
        return pv_fail(err, PV_ENOENT, "%s %s: the host has no settings of it", o->def->verb,
                       o->name);
    return rc;
}

static const char *instance_id(const struct cim_instance *i)
{
    const struct cim_prop *p = i && i->cls ? cim_prop_find(i->cls, "InstanceID") : NULL;
    const char *id = p ? cim_str(i, (struct cim_p_str){ p }) : NULL;

    return id ? id : "";
}

static bool belongs(void *ctx, const struct cim_instance *i)
{
    const char *prefix = ctx;

    return strncasecmp(instance_id(i), prefix, strlen(prefix)) == 0;
}

static int by_id(const void *x, const void *y)
{
    return strcasecmp(instance_id(*(struct cim_instance *const *)x),
                      instance_id(*(struct cim_instance *const *)y));
}

int op_list(struct op *o, const struct cim_class *cls, const char *guid, struct cim_list *out,
            struct pv_err *err)
{
    char prefix[64], where[128];
    struct wsman_query q = {
        .cls = cls, .where = where, .match = belongs, .match_ctx = prefix, .most = 4096
    };
    int rc;

    (void)snprintf(prefix, sizeof(prefix), "Microsoft:%s", guid);
    (void)snprintf(where, sizeof(where), "InstanceID LIKE '%s%%'", prefix);
    rc = wsman_list(o->w->client, &o->c, &q, o->a, out, err);
    if (rc == PV_OK && out->count > 1)
        qsort(out->items, out->count, sizeof(*out->items), by_id);
    return rc;
}

static bool is_of_vm(void *ctx, const struct cim_instance *i)
{
    const struct cim_prop *p = i && i->cls ? cim_prop_find(i->cls, "SystemName") : NULL;

    return p && op_same(cim_str(i, (struct cim_p_str){ p }), ctx);
}

int op_component(struct op *o, const struct cim_class *cls, const struct cim_ref **out,
                 struct pv_err *err)
{
    char where[96];
    struct wsman_query q = {
        .cls = cls, .where = where, .match = is_of_vm, .match_ctx = o->vm, .with_refs = true
    };
    struct cim_instance *found = NULL;
    int rc;

    (void)snprintf(where, sizeof(where), "SystemName = '%s'", o->vm);
    rc = wsman_first(o->w->client, &o->c, &q, o->a, &found, err);
    if (rc)
        return rc;
    *out = cim_ref_of(o->a, found);
    return *out ? PV_OK
                : pv_fail(err, PV_EIO, "%s %s: the host does not say which %s it has", o->def->verb,
                          o->name, cls->name);
}

/* ------------------------------------------------------------------ object paths in settings */

const char *op_path(struct op *o, const struct cim_ref *ref)
{
    return ref ? cim_ref_path(o->a, ref, NULL) : NULL;
}

const char *op_path_id(struct op *o, const char *path)
{
    const struct cim_ref *ref = path ? cim_ref_parse(o->a, path, CIM_NS_VIRTUALIZATION) : NULL;

    return ref ? cim_ref_key(ref, "InstanceID") : NULL;
}

/* ------------------------------------------------------------------ files and folders */

static const char *bare(const char *path)
{
    return strncmp(path, "\\\\?\\", 4) == 0 && strncasecmp(path + 4, "Volume{", 7) != 0 ? path + 4
                                                                                        : path;
}

bool op_same_path(const char *x, const char *y)
{
    if (!x || !y)
        return false;
    x = bare(x);
    y = bare(y);
    for (; *x && *y; x++, y++) {
        char a = *x == '/' ? '\\' : (char)tolower((unsigned char)*x);
        char b = *y == '/' ? '\\' : (char)tolower((unsigned char)*y);

        if (a != b)
            return false;
    }
    return !*x && !*y;
}

bool op_path_within(const char *file, const char *path)
{
    char part[4096];
    size_t extra, len;

    if (!file || !path)
        return false;
    extra = (size_t)(file - bare(file)) ? 4 : 0;
    len = strlen(bare(path)) + extra;
    if (strlen(file) < len || len >= sizeof(part) || (file[len] && !strchr("\\/", file[len])))
        return false;
    return str_copy_n(part, sizeof(part), file, len) && op_same_path(part, path);
}

bool op_is_there_already(int rc, const struct pv_err *err)
{
    return rc == PV_EEXIST ||
           (rc && err &&
            (strstr(err->message, "0x80070050") || strstr(err->message, "0x800700B7")));
}

bool op_is_remote(const char *path)
{
    return path && path[0] == '\\' && path[1] == '\\' && path[2] != '?' && path[2] != '.';
}

const char *op_join(struct op *o, const char *folder, const char *name)
{
    size_t len = folder ? strlen(folder) : 0;

    if (len == 0)
        return name;
    return op_text(o, "%s%s%s", folder, folder[len - 1] == '\\' ? "" : "\\", name);
}

const char *op_windows_path(struct op *o, const char *folder, const char *path)
{
    char *text = arena_strdup(o->a, path);
    char *p = text;
    bool absolute;

    if (!text)
        return NULL;
    for (; *p; p++)
        if (*p == '/')
            *p = '\\';
    absolute =
        (isalpha((unsigned char)text[0]) && text[1] == ':') || (text[0] == '\\' && text[1] == '\\');
    if (absolute)
        return text;
    return op_join(o, folder, text + strspn(text, "\\"));
}

const char *op_file_name(struct op *o, const char *name)
{
    char *text = arena_strdup(o->a, name);
    size_t len;

    if (!text)
        return NULL;
    for (char *p = text; *p; p++)
        if (strchr("\\/:*?\"<>|", *p) || (unsigned char)*p < 0x20)
            *p = '_';
    len = strlen(text);
    while (len > 0 && (text[len - 1] == '.' || text[len - 1] == ' '))
        text[--len] = '\0';
    return len ? text : "vm";
}

/* A relative path that leaves its folder, or characters no file name has. */
static int check_path(const char *path, struct pv_err *err)
{
    for (const char *p = path; *p; p++)
        if (strchr("\"<>|*", *p) || (unsigned char)*p < 0x20)
            return pv_fail(err, PV_EINVAL, "a path cannot hold the character %c", *p);
    for (const char *p = path; *p;) {
        size_t len = strcspn(p, "\\/");

        if (len == 2 && p[0] == '.' && p[1] == '.')
            return pv_fail(err, PV_EINVAL, "a path cannot hold ..");
        p += len + (p[len] ? 1 : 0);
    }
    return PV_OK;
}

struct volume_query {
    const char *id;
};

static bool is_volume(void *ctx, const struct cim_instance *i)
{
    const struct volume_query *q = ctx;

    return op_same(cim_str(i, P(Win32_Volume, DeviceID)), q->id);
}

static int volume_root(struct op *o, const char *id, const char **out, struct pv_err *err)
{
    struct volume_query v = { id };
    struct buf where;
    struct wsman_query q = {
        .cls = CIM(Win32_Volume), .match = is_volume, .match_ctx = &v, .most = 10000
    };
    struct cim_instance *found = NULL;
    const char *root;
    int rc;

    buf_init(&where, 4096);
    buf_text(&where, "DeviceID = ");
    wsman_quote(&where, id);
    q.where = where.data;
    rc = wsman_first(o->w->client, &o->c, &q, o->a, &found, err);
    buf_free(&where);
    if (rc)
        return rc;
    root = cim_str(found, P(Win32_Volume, Name));
    *out = root && *root ? root : id;
    return PV_OK;
}

static bool is_shared_volume(void *ctx, const struct cim_instance *i)
{
    const struct volume_query *q = ctx;

    return op_same(cim_str(i, P(MSCluster_ClusterSharedVolume, VolumeName)), q->id) ||
           op_same(cim_str(i, P(MSCluster_ClusterSharedVolume, Name)), q->id);
}

/* Shared volumes of a cluster have a folder on every node. */
static int shared_root(struct op *o, const char *id, const char **out, struct pv_err *err)
{
    struct volume_query v = { id };
    struct wsman_query q = { .cls = CIM(MSCluster_ClusterSharedVolume), .most = 10000 };
    struct cim_list list = { 0 };
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &list, err);

    if (rc)
        return rc;
    for (size_t i = 0; i < list.count; i++) {
        const char *root = cim_str(list.items[i], P(MSCluster_ClusterSharedVolume, Name));

        if (root && *root && is_shared_volume(&v, list.items[i])) {
            *out = root;
            return PV_OK;
        }
    }
    return PV_ENOENT;
}

int op_datastore_root(struct op *o, const json_t *datastore, const char **out, struct pv_err *err)
{
    const char *id = op_member_str(datastore, "native_id");
    int rc;

    if (!id || !*id)
        return pv_fail(err, PV_EINVAL, "the datastore is not named");
    if (strncasecmp(id, "\\\\?\\volume{", 11) == 0) {
        rc = shared_root(o, id, out, NULL);
        if (rc)
            rc = volume_root(o, id, out, err);
        return rc == PV_ENOENT ? pv_fail(err, PV_ENOENT, "the host has no datastore %s",
                                         op_member_str(datastore, "name"))
                               : rc;
    }
    *out = op_windows_path(o, NULL, id); /* a share, or a folder */
    return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

int op_file_path(struct op *o, const json_t *object, const char *member, const char **out,
                 struct pv_err *err)
{
    const char *path = op_member_str(object, member), *root = NULL;
    const json_t *datastore = op_member(object, "datastore");
    int rc;

    if (!path || !*path)
        return pv_fail(err, PV_EINVAL, "%s is missing", member);
    rc = check_path(path, err);
    if (rc == PV_OK && json_is_object(datastore))
        rc = op_datastore_root(o, datastore, &root, err);
    if (rc)
        return rc;
    *out = op_windows_path(o, root, path);
    if (*out && !root && !(isalpha((unsigned char)(*out)[0]) && (*out)[1] == ':') &&
        strncmp(*out, "\\\\", 2) != 0)
        return pv_fail(err, PV_EINVAL,
                       "%s: %s is no absolute path; name the datastore or write a drive letter",
                       member, path);
    return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

int op_default_folders(struct op *o, const char **config, const char **disks, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemManagementServiceSettingData) };
    struct cim_instance *s = NULL;
    const char *text;
    int rc = wsman_first(o->w->client, &o->c, &q, o->a, &s, err);

    if (rc)
        return rc;
    text = cim_str(s, P(Msvm_VirtualSystemManagementServiceSettingData, DefaultExternalDataRoot));
    *config = text && *text ? text : "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V";
    text =
        cim_str(s, P(Msvm_VirtualSystemManagementServiceSettingData, DefaultVirtualHardDiskPath));
    *disks = text && *text ? text : *config;
    return PV_OK;
}
