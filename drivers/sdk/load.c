/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/load.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define NAME_MAX_LEN 32
#define TEXT_MAX (1u << 20)     /* schema, operations */
#define DRIVERS_MAX 64

PV_DEFINE_AUTO(json_decref, json_t *)

static int broken(struct pv_err *err, const char *remedy, const char *name, const char *what)
{
    pv_fail_as(err, "driver-broken", "The driver %s %s.", name, what);
    pv_err_remedy(err, "%s", remedy);
    return PV_EINVAL;
}

bool sdk_name_ok(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_LEN &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

/* Whoever can write it can run code as us. */
static bool only_ours(const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int check_file(const char *dir, const char *name, const char *path, struct pv_err *err)
{
    static const char remedy[] =
        "Give the drivers' folder and its files to root and take write access from everybody else.";
    PV_AUTO_CLOSE int dirfd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (dirfd < 0 || fstat(dirfd, &st) < 0)
        return broken(err, "Check the path of the drivers' folder.", name,
                      "cannot be read: its folder cannot be opened");
    if (!only_ours(&st))
        return broken(err, remedy, name, "is in a folder that others can write");
    if (lstat(path, &st) < 0) {
        pv_fail(err, PV_ENOENT, "There is no driver %s in %s.", name, dir);
        pv_err_remedy(err, "Install it, or correct the name.");
        return PV_ENOENT;
    }
    if (!S_ISREG(st.st_mode))
        return broken(err, "Replace it by the file itself.", name, "is not a regular file");
    if (!only_ours(&st))
        return broken(err, remedy, name, "can be written by others");
    return PV_OK;
}

static bool is_operations(const char *text)
{
    PV_AUTO(json_decref_p) json_t *list = json_loadb(text, strlen(text), 0, NULL);
    size_t i;
    json_t *item;

    if (!json_is_array(list))
        return false;
    json_array_foreach (list, i, item)
        if (!json_is_string(item))
            return false;
    return true;
}

static bool is_object(const char *text)
{
    PV_AUTO(json_decref_p) json_t *object = json_loadb(text, strlen(text), 0, NULL);

    return json_is_object(object);
}

static int check_table(const char *name, const struct pv_driver *d, struct pv_err *err)
{
    static const char remedy[] = "This is a fault of the driver; install a corrected one.";

    if (!d->name || strcmp(d->name, name) != 0)
        return broken(err, "Give the file the driver's own name.", name,
                      "calls itself something else than its file");
    if (!d->version || !d->config_schema || !d->operations ||
        strnlen(d->version, TEXT_MAX) > 64 || strnlen(d->config_schema, TEXT_MAX) >= TEXT_MAX ||
        strnlen(d->operations, TEXT_MAX) >= TEXT_MAX)
        return broken(err, remedy, name, "does not describe itself");
    if (!is_object(d->config_schema))
        return broken(err, remedy, name, "has a settings schema that is no JSON object");
    if (!is_operations(d->operations))
        return broken(err, remedy, name, "has a list of operations that is no JSON array of names");
    if (!d->open || !d->close || !d->watch)
        return broken(err, remedy, name, "lacks open, close or watch");
    return PV_OK;
}

int sdk_load(const char *dir, const char *name, struct sdk_plugin *out, struct pv_err *err)
{
    static const char remedy[] = "Install the driver that belongs to this version of the server.";
    const struct pv_driver *(*entry)(uint16_t);
    const struct pv_driver *table;
    struct sdk_plugin plugin = { 0 };
    char path[4096], what[256];
    void *library;
    int rc;

    if (!sdk_name_ok(name))
        return broken(err, "Use a to z, 0 to 9 and _ only.", "", "has a name that no driver can have");
    if (snprintf(path, sizeof(path), "%s/%s.so", dir, name) >= (int)sizeof(path))
        return broken(err, "Use a shorter path.", name, "has too long a path");
    rc = check_file(dir, name, path, err);
    if (rc != PV_OK)
        return rc;
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(what, sizeof(what), "cannot be loaded (%s)", dlerror());
        return broken(err, remedy, name, what);
    }
    /* POSIX says that this conversion works; C does not know it. */
    *(void **)&entry = dlsym(library, "pv_driver_entry");
    if (!entry)
        return broken(err, remedy, name, "is no driver: it has no pv_driver_entry");
    table = entry(PV_ABI_MAJOR);
    if (!table)
        return broken(err, remedy, name, "refuses to work with this version of the server");
    if (!PV_HAS(table, abi_minor) || table->abi_major != PV_ABI_MAJOR) {
        snprintf(what, sizeof(what), "is made for version %u of the driver interface, not %u",
                 PV_HAS(table, abi_minor) ? table->abi_major : 0u, PV_ABI_MAJOR);
        return broken(err, remedy, name, what);
    }
    memcpy(&plugin.driver, table,
           table->size < sizeof(plugin.driver) ? table->size : sizeof(plugin.driver));
    plugin.driver.size = sizeof(plugin.driver);
    rc = check_table(name, &plugin.driver, err);
    if (rc == PV_OK)
        *out = plugin;
    return rc;
}

int sdk_load_list(const char *dir, int (*each)(void *ctx, const char *name, struct pv_err *err),
                  void *ctx, struct pv_err *err)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;
    unsigned count = 0;
    int rc = PV_OK;

    if (!d)
        return pv_fail_os(err, errno, "cannot read the drivers' folder %s", dir);
    while (rc == PV_OK && count < DRIVERS_MAX && (entry = readdir(d)) != NULL) {
        char name[sizeof(entry->d_name)];
        size_t len = strlen(entry->d_name);

        if (len < 4 || !str_ends(entry->d_name, ".so"))
            continue;
        memcpy(name, entry->d_name, len - 3);
        name[len - 3] = '\0';
        count++;
        rc = each(ctx, name, err);
    }
    closedir(d);
    return rc;
}
