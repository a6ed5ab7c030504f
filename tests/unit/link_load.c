/* SPDX-License-Identifier: Apache-2.0 */
/* The loader takes only what nobody else can have written. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "drivers/sdk/load.h"
#include "tests/unit/link_recorder.h"

static char folder[64], file[128];

/* A folder of our own with a copy of a good driver. */
static void make_folder(void)
{
    char from[2304], *data = NULL;
    struct pv_err err = { 0 };
    size_t len = 0;

    built_path(from, sizeof(from), PLUGINS "/no_callbacks.so");
    snprintf(folder, sizeof(folder), "/tmp/polyvisor-load-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/no_callbacks.so", folder);
    cr_assert_eq(str_read_file(from, 64 << 20, &data, &len, &err), PV_OK, "%s", err.message);
    cr_assert_eq(str_write_file(file, data, len, 0644, &err), PV_OK, "%s", err.message);
    free(data);
}

static void remove_folder(void)
{
    chmod(folder, 0755);
    unlink(file);
    rmdir(folder);
}

TestSuite(load, .init = make_folder, .fini = remove_folder);

static int load(const char *name, struct pv_err *err)
{
    struct sdk_plugin plugin;

    return sdk_load(folder, name, &plugin, err);
}

Test(load, a_driver_of_ours_is_loaded)
{
    struct sdk_plugin plugin;
    struct pv_err err = { 0 };

    cr_assert_eq(sdk_load(folder, "no_callbacks", &plugin, &err), PV_OK, "%s", err.message);
    cr_expect_str_eq(plugin.driver.name, "no_callbacks");
    cr_expect_null(plugin.driver.refresh);
}

Test(load, files_and_folders_that_others_can_write_are_refused)
{
    static const mode_t modes[] = { 0664, 0646, 0777 };
    struct pv_err err = { 0 };

    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(chmod(file, modes[i]), 0);
        cr_expect_eq(load("no_callbacks", &err), PV_EINVAL);
        cr_expect(strstr(err.message, "written by others") != NULL, "%s", err.message);
    }
    chmod(file, 0644);
    chmod(folder, 0775);
    cr_expect_eq(load("no_callbacks", &err), PV_EINVAL);
    cr_expect(strstr(err.message, "folder that others can write") != NULL, "%s", err.message);
}

Test(load, a_link_to_a_driver_is_refused)
{
    struct pv_err err = { 0 };
    char other[160];

    snprintf(other, sizeof(other), "%s.real", file);
    cr_assert_eq(rename(file, other), 0);
    cr_assert_eq(symlink(other, file), 0);
    cr_expect_eq(load("no_callbacks", &err), PV_EINVAL);
    cr_expect(strstr(err.message, "not a regular file") != NULL, "%s", err.message);
    unlink(other);
}

Test(load, names_that_lead_elsewhere_are_refused)
{
    static const char *const names[] = { "", "..", "../no_callbacks", "No_Callbacks", "a/b", "a b" };
    struct pv_err err = { 0 };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_expect_eq(load(names[i], &err), PV_EINVAL, "%s", names[i]);
    cr_expect_eq(load("missing", &err), PV_ENOENT);
    cr_expect_eq(err.rc, PV_ENOENT);
}

Test(load, what_is_no_library_says_so)
{
    struct pv_err err = { 0 };

    cr_assert_eq(str_write_file(file, "hello", 5, 0644, &err), PV_OK);
    cr_expect_eq(load("no_callbacks", &err), PV_EINVAL);
    cr_expect(strstr(err.message, "cannot be loaded") != NULL, "%s", err.message);
    cr_expect(err.remedy[0] != '\0');
}
