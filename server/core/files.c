/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in a folder of a datastore. The driver says names, sizes and times; what a file is, and
 * the order, are the same for every hypervisor and come from here. Nothing of it is stored.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/sdk/limits.h"

static const struct {
    const char *ending;
    enum pv_file_type type;
} endings[] = {
    { ".vmdk", PV_FILE_TYPE_DISK },
    { ".vhdx", PV_FILE_TYPE_DISK },
    { ".vhd", PV_FILE_TYPE_DISK },
    { ".vhds", PV_FILE_TYPE_DISK },
    { ".vhdpmem", PV_FILE_TYPE_DISK },
    { ".qcow2", PV_FILE_TYPE_DISK },
    { ".avhdx", PV_FILE_TYPE_SNAPSHOT },
    { ".avhd", PV_FILE_TYPE_SNAPSHOT },
    { ".vmsn", PV_FILE_TYPE_SNAPSHOT },
    { ".vmsd", PV_FILE_TYPE_SNAPSHOT },
    { ".iso", PV_FILE_TYPE_ISO },
    { ".vmx", PV_FILE_TYPE_CONFIGURATION },
    { ".vmtx", PV_FILE_TYPE_CONFIGURATION },
    { ".vmxf", PV_FILE_TYPE_CONFIGURATION },
    { ".vmcx", PV_FILE_TYPE_CONFIGURATION },
    { ".nvram", PV_FILE_TYPE_CONFIGURATION },
    { ".ovf", PV_FILE_TYPE_CONFIGURATION },
    { ".log", PV_FILE_TYPE_LOG },
};

enum pv_file_type core_file_type(const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 0; i < PV_COUNT(endings); i++) {
        size_t end = strlen(endings[i].ending);

        if (len > end && strcasecmp(name + len - end, endings[i].ending) == 0)
            return endings[i].type;
    }
    return PV_FILE_TYPE_OTHER;
}

/* A name that could be part of another path is none. */
static bool name_ok(const char *name)
{
    return name && *name && strlen(name) <= 1024 && !strpbrk(name, "/\\") &&
           strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           str_utf8_ok(name, strlen(name), false);
}

static int by_name(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    bool fx = json_is_true(json_object_get(*x, "folder")),
         fy = json_is_true(json_object_get(*y, "folder"));
    const char *nx = json_string_value(json_object_get(*x, "name")),
               *ny = json_string_value(json_object_get(*y, "name"));
    int order = strcasecmp(nx, ny);

    if (fx != fy)
        return fx ? -1 : 1;
    return order ? order : strcmp(nx, ny);
}

static void write_entry(struct jsonw *w, const char *folder, const json_t *e)
{
    const char *name = json_string_value(json_object_get(e, "name"));
    const json_t *size = json_object_get(e, "size_bytes"), *at = json_object_get(e, "modified_ms");
    bool is_folder = json_is_true(json_object_get(e, "folder"));

    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_strf(w, "path", "%s%s%s", folder, *folder ? "/" : "", name);
    jsonw_str(
        w, "type",
        model_enum_text(PV_ENUM_file_type, is_folder ? PV_FILE_TYPE_FOLDER : core_file_type(name)));
    if (!is_folder && json_is_integer(size) && json_integer_value(size) >= 0)
        jsonw_i64(w, "size_bytes", json_integer_value(size));
    else
        jsonw_null(w, "size_bytes");
    jsonw_time(w, "modified_at", json_is_integer(at) ? json_integer_value(at) : 0);
    jsonw_end(w);
}

int core_files_write(const json_t *data, const char *folder, struct jsonw *w, struct pv_err *err)
{
    const json_t *entries = json_object_get(data, "entries"), *e;
    size_t count = json_array_size(entries), n = 0, i;
    const json_t **sorted;

    if (!json_is_array(entries))
        return pv_fail(err, PV_EIO, "the driver answered no listing");
    if (count > SDK_FILES_MAX) {
        pv_fail_as(err, "limit-exceeded", "the folder has more than %d entries", SDK_FILES_MAX);
        pv_err_pointer(err, "/path");
        return PV_ELIMIT;
    }
    sorted = calloc(count + 1, sizeof(*sorted));
    if (!sorted)
        return pv_fail(err, PV_ENOMEM, "no memory for the listing");
    json_array_foreach(entries, i, e)
    {
        if (name_ok(json_string_value(json_object_get(e, "name"))))
            sorted[n++] = e;
    }
    qsort(sorted, n, sizeof(*sorted), by_name);
    jsonw_object(w, NULL);
    jsonw_str(w, "path", folder);
    jsonw_array(w, "items");
    for (i = 0; i < n; i++)
        write_entry(w, folder, sorted[i]);
    jsonw_end(w);
    jsonw_u64(w, "left_out", count - n);
    jsonw_end(w);
    free(sorted);
    return PV_OK;
}
