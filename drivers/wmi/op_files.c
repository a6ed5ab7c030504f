/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a datastore. CIM_DataFile and Win32_Directory list a folder by its drive and path,
 * rename within a volume, and delete: a folder with all that is in it, so it is looked at before.
 * Nobody but the settings of the VMs knows which files they have; a VM that is off holds none of
 * them open.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/sdk/limits.h"
#include "drivers/wmi/op.h"

#define SET(prop) P(Msvm_VirtualSystemSettingData, prop)

/* ------------------------------------------------------------------ paths */

/* Windows drops dots and spaces at the end of a name and knows a file by its short name too: then
 * it would not be seen whose it is. */
static int check_name(const char *name, size_t len, struct pv_err *err)
{
    const char *tilde = memchr(name, '~', len);

    if (len && (name[len - 1] == '.' || name[len - 1] == ' '))
        return pv_fail(err, PV_EINVAL, "no name on Windows ends with a dot or a space");
    for (size_t i = 0; i < len; i++)
        if (strchr("\\:*?\"<>|", name[i]) || (unsigned char)name[i] < 0x20)
            return pv_fail(err, PV_EINVAL, "a path cannot hold the character %c", name[i]);
    if (tilde && tilde + 1 < name + len && isdigit((unsigned char)tilde[1]))
        return pv_fail(err, PV_EINVAL, "short names (with ~1) are not taken: write the whole name");
    return PV_OK;
}

static int check_names(const char *path, struct pv_err *err)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        int rc = check_name(path, len, err);

        if (rc)
            return rc;
        path += len + (path[len] ? 1 : 0);
    }
    return PV_OK;
}

/* What a member names, as Windows writes it: "D:\VMs\web01.vhdx". */
static int whole_path(struct op *o, const char *member, const char **out, struct pv_err *err)
{
    const char *path = op_arg_str(o, member), *root = NULL;
    int rc = check_names(path ? path : "", err);

    if (rc) {
        pv_err_pointer(err, "/%s", member);
        return rc;
    }
    rc = op_datastore_root(o, o->subject, &root, err);
    if (rc)
        return rc;
    if (!isalpha((unsigned char)root[0]) || root[1] != ':')
        return pv_fail(err, PV_ENOTSUP,
                       "WMI shows no files of a share, nor of a volume without a drive letter");
    *out = path && *path ? op_windows_path(o, root, path) : root;
    return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

/* ------------------------------------------------------------------ looking */

static const struct cim_ref *ref_of(struct op *o, const char *path, bool folder)
{
    struct cim_ref *r = cim_ref_new(o->a, folder ? CIM(Win32_Directory) : CIM(CIM_DataFile));

    cim_ref_add(r, folder ? P(Win32_Directory, Name) : P(CIM_DataFile, Name), path);
    return r;
}

struct what {
    bool there, folder;
};

static int look(struct op *o, const char *path, struct what *out, struct pv_err *err)
{
    struct cim_instance *found = NULL;
    struct pv_err none = { 0 };
    int rc = op_file_exists(o, path, &out->there, err);

    out->folder = false;
    if (rc || out->there)
        return rc;
    rc = wsman_get(o->w->client, &o->c, ref_of(o, path, true), o->a, &found, &none);
    if (rc && rc != PV_ENOENT) {
        *err = none;
        return rc;
    }
    out->there = out->folder = rc == PV_OK;
    return PV_OK;
}

struct listing {
    const char *drive, *folder; /* "D:", "\VMs\" */
    json_t *names;              /* {name: entry}; owned */
};

static bool is_file_in(void *ctx, const struct cim_instance *i)
{
    const struct listing *l = ctx;

    return op_same(cim_str(i, P(CIM_DataFile, Drive)), l->drive) &&
           op_same(cim_str(i, P(CIM_DataFile, Path)), l->folder);
}

static bool is_folder_in(void *ctx, const struct cim_instance *i)
{
    const struct listing *l = ctx;

    return op_same(cim_str(i, P(Win32_Directory, Drive)), l->drive) &&
           op_same(cim_str(i, P(Win32_Directory, Path)), l->folder);
}

static int add(struct listing *l, const char *path, json_t *entry, struct pv_err *err)
{
    const char *slash = path ? strrchr(path, '\\') : NULL;

    if (!slash || !slash[1]) {
        json_decref(entry);
        return PV_OK;
    }
    if (json_object_set_new(entry, "name", json_string(slash + 1)) ||
        json_object_set_new(l->names, slash + 1, entry))
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (json_object_size(l->names) <= SDK_FILES_MAX)
        return PV_OK;
    pv_fail_as(err, "limit-exceeded", "the folder has more than %d entries", SDK_FILES_MAX);
    pv_err_pointer(err, "/path");
    return PV_ELIMIT;
}

static int on_file(void *ctx, struct cim_instance *i, struct pv_err *err)
{
    json_t *e = json_object();
    uint64_t size;
    int64_t ms;

    if (cim_get_uint(i, P(CIM_DataFile, FileSize), &size) && size <= INT64_MAX)
        json_object_set_new(e, "size_bytes", json_integer((json_int_t)size));
    if (cim_get_time(i, P(CIM_DataFile, LastModified), &ms))
        json_object_set_new(e, "modified_ms", json_integer(ms));
    return add(ctx, cim_str(i, P(CIM_DataFile, Name)), e, err);
}

static int on_folder(void *ctx, struct cim_instance *i, struct pv_err *err)
{
    json_t *e = json_pack("{s:b}", "folder", 1);
    int64_t ms;

    if (cim_get_time(i, P(Win32_Directory, LastModified), &ms))
        json_object_set_new(e, "modified_ms", json_integer(ms));
    return add(ctx, cim_str(i, P(Win32_Directory, Name)), e, err);
}

/* Without a filter the host would go through all files of all its volumes. */
static int no_filters(struct op *o, struct pv_err *err)
{
    return wsman_filters(o->w->client, CIM_NS_CIMV2, false)
               ? PV_OK
               : pv_fail(err, PV_ENOTSUP, "%s %s: the host refuses filters", o->def->verb, o->name);
}

static int list_class(struct op *o, struct listing *l, bool folders, struct pv_err *err)
{
    struct wsman_query q = { .cls = folders ? CIM(Win32_Directory) : CIM(CIM_DataFile),
                             .match = folders ? is_folder_in : is_file_in,
                             .match_ctx = l,
                             .most = SDK_FILES_MAX + 1 };
    struct buf where;
    int rc = no_filters(o, err);

    if (rc)
        return rc;
    buf_init(&where, 16384);
    buf_text(&where, "Drive = ");
    wsman_quote(&where, l->drive);
    buf_text(&where, " AND Path = ");
    wsman_quote(&where, l->folder);
    q.where = where.data;
    rc = buf_ok(&where)
             ? wsman_enumerate(o->w->client, &o->c, &q, folders ? on_folder : on_file, l, err)
             : pv_fail(err, PV_EINVAL, "the path is too long");
    buf_free(&where);
    if (rc == PV_ENOENT) {
        *err = (struct pv_err){ 0 };
        return PV_OK;
    }
    /* It may have refused just now: what came until then is nothing to go by. */
    return rc ? rc : no_filters(o, err);
}

/* {name: entry} of what is in the folder; owned by the caller. */
static int list_folder(struct op *o, const char *path, json_t **out, struct pv_err *err)
{
    const char *rest = path + 2;
    size_t len = strlen(rest);
    struct listing l = { .drive = arena_text(o->a, path, 2),
                         .folder =
                             op_text(o, "%s%s", rest, len && rest[len - 1] == '\\' ? "" : "\\"),
                         .names = json_object() };
    int rc =
        l.drive && l.folder && l.names ? PV_OK : pv_fail(err, PV_EINVAL, "the path is too long");

    if (rc == PV_OK)
        rc = list_class(o, &l, true, err);
    if (rc == PV_OK)
        rc = list_class(o, &l, false, err);
    if (rc)
        json_decref(l.names);
    else
        *out = l.names;
    return rc;
}

static int run_files(struct op *o, struct pv_err *err)
{
    const char *folder = op_arg_str(o, "path"), *path = NULL, *name;
    json_t *names = NULL, *entries, *e;
    struct what what = { true, true };
    int rc = whole_path(o, "path", &path, err);

    if (rc == PV_OK)
        rc = list_folder(o, path, &names, err);
    if (rc)
        return rc;
    if (folder && *folder && json_object_size(names) == 0) {
        rc = look(o, path, &what, err);
        if (rc == PV_OK && !(what.there && what.folder)) {
            rc = pv_fail(err, PV_ENOENT, "there is no folder %s", folder);
            pv_err_pointer(err, "/path");
        }
    }
    if (rc == PV_OK) {
        entries = json_array();
        json_object_foreach(names, name, e) json_array_append(entries, e);
        json_object_set_new(o->result, "data", json_pack("{s:o}", "entries", entries));
    }
    json_decref(names);
    return rc;
}

/* ------------------------------------------------------------------ whose it is */

static const struct cim_instance *settings_of(const struct cim_list *all, const char *guid)
{
    char at[40];

    for (size_t i = 0; i < all->count; i++)
        if (op_guid(cim_str(all->items[i], SET(InstanceID)), at) && op_same(at, guid))
            return all->items[i];
    return NULL;
}

/* Of checkpoints, too, the name is that of their VM. */
static int say_used(struct op *o, const struct cim_list *all, const char *guid, struct pv_err *err)
{
    const struct cim_instance *s = settings_of(all, guid);
    const char *of = s ? cim_str(s, SET(VirtualSystemIdentifier)) : NULL;
    const struct cim_instance *vm = of ? settings_of(all, of) : NULL;
    const char *name = vm ? cim_str(vm, SET(ElementName)) : NULL;
    int rc = pv_fail(err, PV_ESTATE, "%s is used by %s", op_arg_str(o, "path"),
                     name && *name ? name : "a VM");

    pv_err_pointer(err, "/path");
    pv_err_remedy(err, "Detach it from the VM, or delete the VM, first.");
    return rc;
}

/* GUID.vmcx has beside it GUID.vmrs, GUID.vmgs and a folder GUID. */
static bool is_configuration(struct op *o, const char *root, const char *file, const char *path)
{
    const char *whole = root && *root && file && *file ? op_windows_path(o, root, file) : NULL;
    const char *dot = whole ? strrchr(whole, '.') : NULL;
    size_t len = dot && !strchr(dot, '\\') ? (size_t)(dot - whole) : whole ? strlen(whole) : 0;

    if (!len)
        return false;
    return op_path_within(whole, path) ||
           (strncasecmp(path, whole, len) == 0 && (!path[len] || strchr(".\\", path[len])));
}

static int check_unused(struct op *o, const char *path, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_VirtualSystemSettingData) };
    struct cim_list all = { 0 }, media = { 0 };
    bool held = false;
    char guid[40];
    int rc = wsman_list(o->w->client, &o->c, &q, o->a, &all, err);

    q.cls = CIM(Msvm_StorageAllocationSettingData);
    if (rc == PV_OK)
        rc = wsman_list(o->w->client, &o->c, &q, o->a, &media, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < all.count; i++) {
        const struct cim_instance *s = all.items[i];
        const char *file = cim_str(s, SET(ConfigurationFile));

        if ((is_configuration(o, cim_str(s, SET(ConfigurationDataRoot)), file, path) ||
             is_configuration(o, cim_str(s, SET(SnapshotDataRoot)), file, path)) &&
            op_guid(cim_str(s, SET(InstanceID)), guid))
            return say_used(o, &all, guid, err);
    }
    for (size_t i = 0; i < media.count; i++) {
        const struct cim_instance *m = media.items[i];
        const char *file = cim_str_at(m, P(Msvm_StorageAllocationSettingData, HostResource), 0);

        if (op_path_within(file, path))
            return say_used(
                o, &all,
                op_guid(cim_str(m, P(Msvm_StorageAllocationSettingData, InstanceID)), guid) ? guid
                                                                                            : "",
                err);
    }
    rc = op_chains_hold(o, &media, path, NULL, &held, err);
    return rc == PV_OK && held ? say_used(o, &all, "", err) : rc;
}

/* ------------------------------------------------------------------ changing */

struct change {
    const char *path, *to; /* as Windows writes them; to NULL: it is deleted */
    const char *said;      /* "deleting iso/x.iso" */
};

static int is_done(struct op *o, const struct change *c, bool *done, struct pv_err *err)
{
    struct what old = { 0 }, new = { .there = true };
    int rc = look(o, c->path, &old, err);

    if (rc == PV_OK && !old.there && c->to)
        rc = look(o, c->to, &new, err);
    *done = rc == PV_OK && !old.there && new.there;
    return rc;
}

/* No job is behind it: only the files tell. What is there later may be another file of this name,
 * so it is not sent again. `why` NULL: the host says that it is done. */
static int settle(struct op *o, const struct change *c, const char *why, struct pv_err *err)
{
    struct backoff pause = { .first_ms = 100, .most_ms = 1000 };
    int64_t until = clock_mono_ms() + (int64_t)o->w->config.outcome_wait_s * 1000;
    bool finishing = o->c.must_finish, done = false;
    struct pv_err ignored = { 0 };
    int rc;

    o->c.must_finish = true;
    for (;;) {
        rc = is_done(o, c, &done, &ignored);
        if (done || clock_mono_ms() >= until || call_is_closing(&o->c))
            break;
        clock_sleep_ms(backoff_next_ms(&pause));
    }
    o->c.must_finish = finishing;
    if (done) {
        o->changed = true;
        return PV_OK;
    }
    if (!why)
        return rc ? pv_fail(err, PV_EUNKNOWN, "%s: the host cannot be asked what became of it",
                            c->said)
                  : pv_fail(err, PV_EIO, "%s: the host says it is done, but it is not to be seen",
                            c->said);
    if (rc || call_is_closing(&o->c))
        return pv_fail(err, PV_EUNKNOWN, "%s: %s, and the host cannot be asked what became of it",
                       c->said, why);
    return pv_fail(err, PV_EIO, "%s: %s, and the file is still there", c->said, why);
}

static struct cim_instance *request(struct op *o, const struct change *c, bool folder)
{
    struct cim_instance *in;

    if (!c->to)
        return folder ? cim_call(o->a, M(Win32_Directory, Delete))
                      : cim_call(o->a, M(CIM_DataFile, Delete));
    in = folder ? cim_call(o->a, M(Win32_Directory, Rename))
                : cim_call(o->a, M(CIM_DataFile, Rename));
    cim_set_str(in,
                folder ? A(Win32_Directory, Rename, FileName) : A(CIM_DataFile, Rename, FileName),
                c->to);
    return in;
}

static int send(struct op *o, const struct change *c, bool folder, struct pv_err *err)
{
    const struct cim_ref *on = ref_of(o, c->path, folder);
    struct cim_instance *in = request(o, c, folder), *answer = NULL;
    struct call whole = o->c;
    uint32_t value = 0;
    int rc;

    if (!on || !in)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (o->dry_run) {
        op_plan_call(o, on, in);
        return PV_OK;
    }
    rc = op_begin_step(o, c->to ? "move" : "delete", c->said, err);
    if (rc)
        return rc;
    whole.must_finish = true;
    rc = wsman_invoke(o->w->client, &whole, on, in, o->a, &answer, err);
    if (rc == PV_EUNKNOWN || rc == PV_ETIMEOUT)
        return settle(o, c, "the connection broke before the host answered", err);
    if (rc)
        return rc;
    if (!cim_return_value(answer, &value))
        return settle(o, c, "the host's answer does not say what it did", err);
    if (value)
        return op_file_refused(o, c->said, value, err);
    return settle(o, c, NULL, err);
}

/* Where it goes there must be a folder, and nothing of this name. */
static int check_room(struct op *o, const struct change *c, struct pv_err *err)
{
    const char *slash = strrchr(c->to, '\\'), *name = op_arg_str(o, "to");
    const char *end = strrchr(name, '/');
    struct what what = { 0 };
    int rc = look(o, c->to, &what, err);

    if (rc)
        return rc;
    if (what.there)
        rc = pv_fail(err, PV_EEXIST, "there is %s already", name);
    else if (op_path_within(c->to, c->path))
        rc = pv_fail(err, PV_EINVAL, "a folder cannot be moved into itself");
    if (rc == PV_OK && end) {
        rc = look(o, arena_text(o->a, c->to, (size_t)(slash - c->to)), &what, err);
        if (rc)
            return rc;
        if (!what.there || !what.folder)
            rc = pv_fail(err, PV_ENOENT, "there is no folder %.*s", (int)(end - name), name);
    }
    if (rc)
        pv_err_pointer(err, "/to");
    return rc;
}

static int check_empty(struct op *o, const char *path, struct pv_err *err)
{
    json_t *names = NULL;
    int rc = list_folder(o, path, &names, err);

    if (rc == PV_OK && json_object_size(names) > 0) {
        rc = pv_fail_as(err, "conflict", "the folder %s is not empty", op_arg_str(o, "path"));
        pv_err_pointer(err, "/path");
        pv_err_remedy(err, "Delete or move what is in it first.");
    }
    json_decref(names);
    return rc;
}

static int run_change(struct op *o, struct pv_err *err)
{
    const char *name = op_arg_str(o, "path");
    struct change c = { .said = op_what(o, o->def->verb, name) };
    struct what what = { 0 };
    int rc;

    if (!name || !*name)
        return pv_fail(err, PV_EINVAL, "%s is missing", "path");
    rc = whole_path(o, "path", &c.path, err);
    if (rc == PV_OK && op_arg(o, "to"))
        rc = whole_path(o, "to", &c.to, err);
    if (rc)
        return rc;
    if (o->resumed) {
        o->resumed = false;
        return settle(o, &c, "the server was restarted meanwhile", err);
    }
    rc = look(o, c.path, &what, err);
    if (rc == PV_OK && !what.there) {
        rc = pv_fail(err, PV_ENOENT, "there is no file or folder %s", name);
        pv_err_pointer(err, "/path");
    }
    if (rc == PV_OK)
        rc = check_unused(o, c.path, err);
    if (rc == PV_OK && c.to)
        rc = check_room(o, &c, err);
    else if (rc == PV_OK && what.folder)
        rc = check_empty(o, c.path, err);
    return rc ? rc : send(o, &c, what.folder, err);
}

const struct op_def op_files_defs[] = {
    { "datastore.files", "listing files of", run_files, 0, 0 },
    { "datastore.file.move", "moving", run_change, 0, 0 },
    { "datastore.file.delete", "deleting", run_change, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
