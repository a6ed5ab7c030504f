/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of a datastore: its browser lists them, the file manager moves and deletes them. The file
 * manager asks nobody whether a VM has a file, only whether it is open; and a folder goes with all
 * that is in it. So both are looked at before.
 */
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/sdk/limits.h"
#include "drivers/vapi/collect.h"
#include "drivers/vapi/encode.h"
#include "drivers/vapi/op.h"
#include "drivers/vapi/op_files.h"
#include "drivers/vapi/op_place.h"
#include "drivers/vapi/vapi.h"

#define PATH_MOST 5000
#define VMS_MOST 20000u

/* ------------------------------------------------------------------ the datastore */

enum { STORE_NAME, STORE_BROWSER, STORE_VMS };
static const char *const store_paths[] = { "name", "browser", "vm" };
static const struct prop_table store_table = { "Datastore", store_paths, 3 };

static int on_store(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct file_store *s = ctx;
    struct prop_values v;
    size_t n = 0;

    (void)ref;
    props_read(&store_table, object, &v);
    (void)value_name(value_text(v.val[STORE_NAME]), s->name, sizeof(s->name));
    (void)value_ref(v.val[STORE_BROWSER], &s->browser);
    for (const xmlNode *at = xml_first(v.val[STORE_VMS]); at; at = xml_next(at))
        n++;
    if (n > VMS_MOST)
        return pv_fail_as(err, "limit-exceeded", "the datastore has more than %u VMs", VMS_MOST);
    free(s->vms);
    s->nvms = 0;
    s->vms = n ? calloc(n, sizeof(*s->vms)) : NULL;
    if (n && !s->vms)
        return pv_fail(err, PV_ENOMEM, "no memory");
    for (const xmlNode *at = xml_first(v.val[STORE_VMS]); at; at = xml_next(at))
        if (value_ref(at, &s->vms[s->nvms]))
            s->nvms++;
    return PV_OK;
}

int file_store_find(struct operation *o, struct file_store *s, struct pv_err *err)
{
    int rc = op_read(o, &o->vm, &store_table, on_store, s, err);

    if (rc)
        return rc;
    if (!s->browser.id[0] || !s->name[0])
        return pv_fail(err, PV_EPERM, "%s %s: the account may not browse it", o->method->verb,
                       o->name);
    place_datacenter(o, o->vm.id, &s->datacenter);
    return PV_OK;
}

void file_store_free(struct file_store *s)
{
    free(s->vms);
    s->vms = NULL;
}

/* "[store] folder/file" */
static int store_path(const struct file_store *s, const char *path, char *out, struct pv_err *err)
{
    struct buf text;
    bool fits;

    buf_init(&text, PATH_MOST);
    buf_printf(&text, "[%s]%s%s", s->name, *path ? " " : "", path);
    fits = buf_ok(&text) && str_copy(out, PATH_MOST, text.data);
    buf_free(&text);
    return fits ? PV_OK : pv_fail(err, PV_EINVAL, "the path is too long");
}

/* ------------------------------------------------------------------ looking into a folder */

struct found {
    json_t *entries; /* owned */
};

static const char *const result_paths[] = { "info.result" };
static const struct prop_table result_table = { "Task", result_paths, 1 };

static int on_files(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct found *f = ctx;
    struct prop_values v;

    (void)ref;
    props_read(&result_table, object, &v);
    for (const xmlNode *n = xml_child(v.val[0], NULL, "file"); n;
         n = xml_next_named(n, NULL, "file")) {
        const char *name = value_field(n, "path"), *type = xml_xsi_type(n);
        json_t *e = json_object();
        uint64_t size;
        int64_t ms;

        if (!name || json_object_set_new(e, "name", json_string(name)) != 0) {
            json_decref(e);
            continue;
        }
        if (type && strcmp(type, "FolderFileInfo") == 0)
            json_object_set_new(e, "folder", json_true());
        else if (value_field_u64(n, "fileSize", &size))
            json_object_set_new(e, "size_bytes", json_integer((json_int_t)size));
        if (value_time(xml_child(n, NULL, "modification"), &ms))
            json_object_set_new(e, "modified_ms", json_integer(ms));
        json_array_append_new(f->entries, e);
        if (json_array_size(f->entries) > SDK_FILES_MAX) {
            pv_fail_as(err, "limit-exceeded", "the folder has more than %d entries", SDK_FILES_MAX);
            pv_err_pointer(err, "/path");
            return PV_ELIMIT;
        }
    }
    return PV_OK;
}

/* The search is a task like others, but changes nothing. */
static int search(struct operation *o, const struct file_store *s, const char *folder,
                  const char *pattern, struct found *f, struct pv_err *err)
{
    bool changed = o->changed, dry = o->dry_run;
    char path[PATH_MOST];
    struct enc_object *spec, *details;
    struct moref task = { .type = "Task" };
    struct enc *e;
    int rc = store_path(s, folder, path, err);

    if (rc)
        return rc;
    e = enc_new("SearchDatastore_Task", s->browser.type, s->browser.id);
    if (e) {
        enc_text(enc_root(e), "datastorePath", path);
        spec = enc_child(enc_root(e), "searchSpec", "HostDatastoreBrowserSearchSpec");
        details = enc_child(spec, "details", "FileQueryFlags");
        enc_bool(details, "fileType", true);
        enc_bool(details, "fileSize", true);
        enc_bool(details, "modification", true);
        enc_bool(details, "fileOwner", false);
        enc_text(spec, "matchPattern", pattern);
    }
    o->dry_run = false;
    rc = op_run_task(o, e, err);
    o->dry_run = dry;
    (void)str_copy(task.id, sizeof(task.id), o->task);
    if (rc == PV_OK)
        rc = op_read(o, &task, &result_table, on_files, f, err);
    o->changed = changed;
    if (rc == PV_EIO && err && strcmp(err->native_code, "FileNotFound") == 0) {
        rc = pv_fail(err, PV_ENOENT, "there is no folder %s", folder);
        pv_err_native(err, "FileNotFound");
        pv_err_pointer(err, "/path");
    }
    return rc;
}

int op_files(struct operation *o, struct pv_err *err)
{
    const char *path = op_arg_str(o, "path");
    struct file_store s = { .nvms = 0 };
    struct found f = { json_array() };
    int rc = file_store_find(o, &s, err);

    if (rc == PV_OK)
        rc = search(o, &s, path ? path : "", "*", &f, err);
    if (rc == PV_OK)
        json_object_set_new(o->result, "data", json_pack("{s:O}", "entries", f.entries));
    json_decref(f.entries);
    file_store_free(&s);
    return rc;
}

/* ------------------------------------------------------------------ before something goes */

enum { VM_NAME, VM_FILES };
static const char *const layout_paths[] = { "name", "layoutEx.file" };
static const struct prop_table layout_table = { "VirtualMachine", layout_paths, 2 };

struct users {
    const char *path; /* as vSphere writes it */
    char name[256];   /* of the VM that has it; "" : none */
};

static int on_layout(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct users *u = ctx;
    size_t len = strlen(u->path);
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&layout_table, object, &v);
    for (const xmlNode *n = xml_first(v.val[VM_FILES]); n && !u->name[0]; n = xml_next(n)) {
        const char *file = value_field(n, "name");

        if (file && strncmp(file, u->path, len) == 0 && (!file[len] || file[len] == '/')) {
            const char *name = value_text(v.val[VM_NAME]);

            (void)value_name(name ? name : "a VM", u->name, sizeof(u->name));
        }
    }
    return PV_OK;
}

int file_check_unused(struct operation *o, const struct file_store *s, const char *path,
                        struct pv_err *err)
{
    const struct prop_table *const tables[] = { &layout_table, NULL };
    char whole[PATH_MOST];
    struct users u = { .path = whole };
    int rc = store_path(s, path, whole, err);

    if (rc == PV_OK && s->nvms)
        rc = collect_by_refs(o->v->session, &o->c, s->vms, s->nvms, tables, on_layout, &u, NULL,
                             err);
    if (rc == SESSION_RENEWED)
        return pv_fail(err, PV_EAUTH, "the server ended the sign-in");
    if (rc || !u.name[0])
        return rc;
    rc = pv_fail(err, PV_ESTATE, "%s is used by %s", path, u.name);
    pv_err_pointer(err, "/path");
    pv_err_remedy(err, "Detach it from the VM, or delete the VM, first.");
    return rc;
}

int file_look(struct operation *o, const struct file_store *s, const char *path,
              struct file_found *out, struct pv_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char parent[1100 * 4] = "";
    struct found f = { json_array() };
    const json_t *e;
    size_t i;
    int rc;

    memset(out, 0, sizeof(*out));
    if (slash && !str_copy_n(parent, sizeof(parent), path, (size_t)(slash - path)))
        rc = pv_fail(err, PV_EINVAL, "the path is too long");
    else
        rc = search(o, s, parent, name, &f, err);
    json_array_foreach(f.entries, i, e)
    {
        if (rc || strcmp(json_string_value(json_object_get(e, "name")), name) != 0)
            continue;
        out->there = true;
        out->folder = json_is_true(json_object_get(e, "folder"));
        out->size = (uint64_t)json_integer_value(json_object_get(e, "size_bytes"));
        out->modified_ms = json_integer_value(json_object_get(e, "modified_ms"));
    }
    json_decref(f.entries);
    return rc;
}

static int check_empty(struct operation *o, const struct file_store *s, const char *path,
                       struct pv_err *err)
{
    struct found f = { json_array() };
    int rc = search(o, s, path, "*", &f, err);

    if (rc == PV_OK && json_array_size(f.entries)) {
        rc = pv_fail_as(err, "conflict", "the folder %s is not empty", path);
        pv_err_pointer(err, "/path");
        pv_err_remedy(err, "Delete or move what is in it first.");
    }
    json_decref(f.entries);
    return rc;
}

static int check_source(struct operation *o, const struct file_store *s, const char *path, bool deletes,
                        struct pv_err *err)
{
    struct file_found f;
    int rc = file_look(o, s, path, &f, err);

    if (rc == PV_OK && !f.there) {
        rc = pv_fail(err, PV_ENOENT, "there is no file or folder %s", path);
        pv_err_pointer(err, "/path");
    }
    if (rc == PV_OK)
        rc = file_check_unused(o, s, path, err);
    if (rc == PV_OK && deletes && f.folder)
        rc = check_empty(o, s, path, err);
    return rc;
}

/* ------------------------------------------------------------------ changing */

static void put_place(struct enc *e, const struct file_store *s, const char *member)
{
    if (s->datacenter.id[0])
        enc_ref(enc_root(e), member, s->datacenter.type, s->datacenter.id);
}

static int send_file(struct operation *o, const struct file_store *s, const char *path, const char *to,
                     struct pv_err *err)
{
    const struct moref *manager = &o->v->session->content.files;
    bool moves = to != NULL;
    char from[PATH_MOST], there[PATH_MOST];
    struct enc *e = enc_new(o->method->native, manager->type, manager->id);
    int rc = store_path(s, path, from, err);

    if (rc == PV_OK && moves)
        rc = store_path(s, to, there, err);
    if (rc) {
        enc_free(e);
        return rc;
    }
    if (e && moves) {
        enc_text(enc_root(e), "sourceName", from);
        put_place(e, s, "sourceDatacenter");
        enc_text(enc_root(e), "destinationName", there);
        put_place(e, s, "destinationDatacenter");
        enc_bool(enc_root(e), "force", false);
    } else if (e) {
        enc_text(enc_root(e), "name", from);
        put_place(e, s, "datacenter");
    }
    return str_ends(o->method->native, "_Task") ? op_run_task(o, e, err) : op_ask(o, e, err);
}

void file_drop(struct operation *o, const struct file_store *s, const char *path)
{
    const struct moref *manager = &o->v->session->content.files;
    char whole[PATH_MOST];
    struct enc *e;

    if (!manager->id[0] || store_path(s, path, whole, NULL) != PV_OK)
        return;
    e = enc_new("DeleteDatastoreFile_Task", manager->type, manager->id);
    if (e) {
        enc_text(enc_root(e), "name", whole);
        put_place(e, s, "datacenter");
    }
    op_clean(o, e, "deleting half of a file");
}

static int with_store(struct operation *o, bool takes, struct pv_err *err)
{
    const char *path = op_arg_str(o, "path"), *to = op_arg_str(o, "to");
    struct file_store s = { .nvms = 0 };
    int rc = file_store_find(o, &s, err);

    if (rc == PV_OK && !o->v->session->content.files.id[0])
        rc = pv_fail(err, PV_ENOTSUP, "%s %s: the server has no file manager", o->method->verb,
                     o->name);
    if (rc == PV_OK && takes)
        rc = check_source(o, &s, path, !to, err);
    if (rc == PV_OK)
        rc = send_file(o, &s, path, to, err);
    file_store_free(&s);
    return rc;
}

int op_make_folder(struct operation *o, struct pv_err *err)
{
    return with_store(o, false, err);
}

int op_take_file(struct operation *o, struct pv_err *err)
{
    return with_store(o, true, err);
}
